//! The tables, as diesel sees them on both databases. Kept equal to the migrations by
//! `tests/it/schema.rs`.

#![allow(
    missing_docs,
    reason = "named as the columns, which the migrations explain"
)]

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    users (id) {
        id -> BigInt,
        email -> Text,
        email_key -> Text,
        password_hash -> Text,
        role -> Text,
        disabled -> Bool,
        created_at -> UtcTime,
        updated_at -> UtcTime,
        version -> BigInt,
        name -> Nullable<Text>,
        sections -> Nullable<Json>,
        last_login_at -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    sessions (id) {
        id -> BigInt,
        user_id -> BigInt,
        created_at -> UtcTime,
        expires_at -> UtcTime,
        revoked_at -> Nullable<UtcTime>,
        last_used_at -> Nullable<UtcTime>,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    refresh_tokens (hash) {
        hash -> Binary,
        session_id -> BigInt,
        used_at -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    signing_keys (kid) {
        kid -> Text,
        pkcs8 -> Binary,
        created_at -> UtcTime,
        signs_from -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    api_keys (id) {
        id -> BigInt,
        name -> Text,
        prefix -> Text,
        hash -> Binary,
        old_hash -> Nullable<Binary>,
        old_expires_at -> Nullable<UtcTime>,
        scopes -> Json,
        sections -> Nullable<Json>,
        expires_at -> Nullable<UtcTime>,
        last_used_at -> Nullable<UtcTime>,
        created_by -> Nullable<BigInt>,
        created_at -> UtcTime,
        updated_at -> UtcTime,
        version -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    password_resets (user_id) {
        user_id -> BigInt,
        hash -> Binary,
        expires_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    audit (id) {
        id -> BigInt,
        at -> UtcTime,
        event -> Text,
        actor -> Text,
        actor_id -> Nullable<BigInt>,
        actor_name -> Nullable<Text>,
        address -> Nullable<Text>,
        request_id -> Nullable<Text>,
        resource -> Nullable<Text>,
        resource_id -> Nullable<BigInt>,
        changes -> Json,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    sections (id) {
        id -> BigInt,
        parent_id -> Nullable<BigInt>,
        slug -> Text,
        name -> Text,
        path -> Text,
        depth -> BigInt,
        position -> BigInt,
        visible -> Bool,
        shown -> Bool,
        description -> Nullable<Text>,
        keywords -> Json,
        kind -> Nullable<Text>,
        cover -> Nullable<Json>,
        max_age_days -> Nullable<BigInt>,
        created_at -> UtcTime,
        updated_at -> UtcTime,
        version -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    articles (id) {
        id -> BigInt,
        section_id -> BigInt,
        slug -> Text,
        title -> Text,
        title_key -> Binary,
        subtitle -> Nullable<Text>,
        short_title -> Nullable<Text>,
        summary -> Nullable<Text>,
        source_name -> Nullable<Text>,
        source_url -> Nullable<Text>,
        author -> Nullable<Text>,
        editor -> Nullable<Text>,
        keywords -> Json,
        tags -> Json,
        cover -> Nullable<Json>,
        lang -> Text,
        external_url -> Nullable<Text>,
        external_id -> Nullable<Text>,
        featured -> Bool,
        pinned_until -> Nullable<UtcTime>,
        position -> Nullable<BigInt>,
        status -> Text,
        published_at -> Nullable<UtcTime>,
        expires_at -> Nullable<UtcTime>,
        dated_at -> UtcTime,
        live -> Bool,
        word_count -> BigInt,
        created_by -> Nullable<BigInt>,
        created_at -> UtcTime,
        updated_at -> UtcTime,
        version -> BigInt,
        ended_at -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    article_details (article_id) {
        article_id -> BigInt,
        canonical_url -> Nullable<Text>,
        attachments -> Json,
        seo -> Nullable<Json>,
        legacy_urls -> Json,
        format -> Nullable<Text>,
        source -> Nullable<Text>,
        html -> Nullable<Text>,
        text -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    article_also (article_id, section_id) {
        article_id -> BigInt,
        section_id -> BigInt,
        ordinal -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    article_legacy_urls (article_id, ordinal) {
        article_id -> BigInt,
        ordinal -> BigInt,
        head -> Text,
        url -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    article_terms (kind, term, article_id) {
        kind -> Text,
        term -> Text,
        article_id -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    listings (section_id, article_id) {
        section_id -> BigInt,
        article_id -> BigInt,
        direct -> Bool,
        published_at -> UtcTime,
        expires_at -> Nullable<UtcTime>,
        updated_at -> UtcTime,
        title_key -> Binary,
        position -> Nullable<BigInt>,
        pinned_until -> Nullable<UtcTime>,
    }
}

diesel::table! {
    listing_counts (section_id) {
        section_id -> BigInt,
        articles -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    old_slugs (resource, slug) {
        resource -> Text,
        slug -> Text,
        target_id -> BigInt,
        created_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    hit_totals (article_id) {
        article_id -> BigInt,
        baseline -> BigInt,
        counted -> BigInt,
        adjusted -> BigInt,
        total -> BigInt,
        duplicate -> BigInt,
        bot -> BigInt,
        rejected -> BigInt,
        web -> BigInt,
        h5 -> BigInt,
        app -> BigInt,
        mini -> BigInt,
        other -> BigInt,
        day -> Date,
        today -> BigInt,
        week -> BigInt,
        month -> BigInt,
        last_at -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    hit_days (article_id, day) {
        article_id -> BigInt,
        day -> Date,
        hits -> BigInt,
        visitors -> BigInt,
        sketch -> Nullable<Binary>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    hit_months (article_id, month) {
        article_id -> BigInt,
        month -> Date,
        hits -> BigInt,
        visitors -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    hit_hours (article_id, hour) {
        article_id -> BigInt,
        hour -> UtcTime,
        hits -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    hit_sums (section_id, unit, slot) {
        section_id -> BigInt,
        unit -> Text,
        slot -> Date,
        hits -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    hit_log (node, seq) {
        node -> BigInt,
        seq -> BigInt,
        payload -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    hit_parts (id) {
        id -> BigInt,
        payload -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    hit_nodes (node) {
        node -> BigInt,
        folded -> BigInt,
        alive_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    hit_ids (article_id, hit_id) {
        article_id -> BigInt,
        hit_id -> Text,
        seen_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    hit_visits (article_id, visitor) {
        article_id -> BigInt,
        visitor -> Binary,
        seen_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    hit_salts (day) {
        day -> Date,
        salt -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    hit_entries (id) {
        id -> BigInt,
        article_id -> BigInt,
        kind -> Text,
        delta -> BigInt,
        total_after -> BigInt,
        reason -> Nullable<Text>,
        user_id -> Nullable<BigInt>,
        created_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    article_related (article_id, related_id) {
        article_id -> BigInt,
        related_id -> BigInt,
        ordinal -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::UtcTime;

    changes (seq) {
        seq -> BigInt,
        resource -> Text,
        entity_id -> BigInt,
        op -> Text,
        at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    revisions (article_id, version) {
        article_id -> BigInt,
        version -> BigInt,
        at -> UtcTime,
        actor -> Text,
        actor_id -> Nullable<BigInt>,
        actor_name -> Nullable<Text>,
        note -> Nullable<Text>,
        status -> Text,
        kept -> Bool,
        changed -> Json,
        content -> Json,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::UtcTime;

    preview_links (article_id) {
        article_id -> BigInt,
        serial -> BigInt,
        expires_at -> UtcTime,
        created_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::UtcTime;

    secrets (name) {
        name -> Text,
        value -> Binary,
        created_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Json, UtcTime};

    idempotency_keys (caller, key) {
        caller -> Text,
        key -> Text,
        request -> Binary,
        claim -> Binary,
        claimed_at -> UtcTime,
        answer -> Nullable<Json>,
    }
}

diesel::table! {
    purges (id) {
        id -> BigInt,
        keys -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::UtcTime;

    purge_urls (url) {
        url -> Text,
        sent -> BigInt,
        holder -> Nullable<BigInt>,
        held_until -> Nullable<UtcTime>,
    }
}

diesel::joinable!(revisions -> articles (article_id));
diesel::joinable!(preview_links -> articles (article_id));
diesel::joinable!(article_details -> articles (article_id));
diesel::joinable!(article_also -> articles (article_id));
diesel::joinable!(article_legacy_urls -> articles (article_id));
diesel::joinable!(article_terms -> articles (article_id));
diesel::joinable!(listings -> articles (article_id));
diesel::joinable!(refresh_tokens -> sessions (session_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(password_resets -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(
    users,
    sessions,
    refresh_tokens,
    signing_keys,
    api_keys,
    password_resets,
    audit,
    sections,
    articles,
    article_details,
    article_also,
    article_legacy_urls,
    article_terms,
    listing_counts,
    listings,
    old_slugs,
    hit_totals,
    hit_days,
    hit_months,
    hit_hours,
    hit_sums,
    hit_log,
    hit_parts,
    hit_nodes,
    hit_ids,
    hit_visits,
    hit_salts,
    hit_entries,
    article_related,
    changes,
    revisions,
    preview_links,
    secrets,
    idempotency_keys,
    purges,
    purge_urls,
);
