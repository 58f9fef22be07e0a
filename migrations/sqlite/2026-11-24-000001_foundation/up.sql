-- The foundation: accounts, sections, articles, hit counts.
-- Instants are text "YYYY-MM-DD HH:MM:SS.ffffff" in UTC (sorts), days "YYYY-MM-DD" in the site's
-- zone, JSON is text, booleans are 0 or 1. The twin of this file is in migrations/postgres.

CREATE TABLE users (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    revoked_at TEXT
) STRICT;
CREATE INDEX sessions_user_id ON sessions (user_id);

-- Every refresh token of a session, by SHA-256; a used one stays, so that its reuse is seen.
CREATE TABLE refresh_tokens (
    hash BLOB NOT NULL PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    used_at TEXT
) STRICT;
CREATE INDEX refresh_tokens_session_id ON refresh_tokens (session_id);

CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    pkcs8 BLOB NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

-- `shown`: the section and all its ancestors are visible. `path`, `depth` and `shown` are derived
-- from the ancestors and kept right by sections::store.
CREATE TABLE sections (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    parent_id INTEGER REFERENCES sections (id),
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    depth INTEGER NOT NULL,
    position INTEGER NOT NULL,
    visible INTEGER NOT NULL,
    shown INTEGER NOT NULL,
    description TEXT,
    keywords TEXT NOT NULL,
    kind TEXT,
    cover TEXT,
    max_age_days INTEGER,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE INDEX sections_parent_id ON sections (parent_id, position);

-- `live`: status is published or scheduled and the section is shown; time decides the rest.
-- `dated_at`: published_at, or created_at where there is none. `title_key`: ICU zh sort key.
CREATE TABLE articles (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    section_id INTEGER NOT NULL REFERENCES sections (id),
    slug TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    title_key BLOB NOT NULL,
    subtitle TEXT,
    short_title TEXT,
    summary TEXT,
    source_name TEXT,
    source_url TEXT,
    author TEXT,
    editor TEXT,
    keywords TEXT NOT NULL,
    tags TEXT NOT NULL,
    cover TEXT,
    lang TEXT NOT NULL,
    external_url TEXT,
    external_id TEXT UNIQUE,
    featured INTEGER NOT NULL,
    pinned_until TEXT,
    position INTEGER,
    status TEXT NOT NULL,
    published_at TEXT,
    expires_at TEXT,
    dated_at TEXT NOT NULL,
    live INTEGER NOT NULL,
    word_count INTEGER NOT NULL,
    created_by INTEGER,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE INDEX articles_section_id ON articles (section_id, dated_at, id);
-- With what `status` is made of, so that lists by status walk them alone.
CREATE INDEX articles_dated_at ON articles (dated_at, id, status, expires_at);
CREATE INDEX articles_updated_at ON articles (updated_at, id, status, dated_at, expires_at);
CREATE INDEX articles_created_at ON articles (created_at, id, status, dated_at, expires_at);
CREATE INDEX articles_title_key ON articles (title_key, id, status, dated_at, expires_at);
CREATE INDEX articles_source_name ON articles (source_name, id);
CREATE INDEX articles_author ON articles (author, id);
CREATE INDEX articles_lang ON articles (lang, id);
CREATE INDEX articles_featured ON articles (featured, id);
CREATE INDEX articles_expires_at ON articles (expires_at);
CREATE INDEX articles_pinned_until ON articles (pinned_until);

-- What only the whole article shows; lists never touch it. The body is null or has all four parts:
-- `source` is what the author sent, `html` and `text` are what is served.
CREATE TABLE article_details (
    article_id INTEGER NOT NULL PRIMARY KEY REFERENCES articles (id) ON DELETE CASCADE,
    canonical_url TEXT,
    attachments TEXT NOT NULL,
    seo TEXT,
    legacy_urls TEXT NOT NULL,
    format TEXT,
    source TEXT,
    html TEXT,
    text TEXT
) STRICT;

CREATE TABLE article_also (
    article_id INTEGER NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
    section_id INTEGER NOT NULL REFERENCES sections (id),
    ordinal INTEGER NOT NULL,
    PRIMARY KEY (article_id, section_id)
) STRICT;
CREATE INDEX article_also_section_id ON article_also (section_id, article_id);

-- kind: "tag" or "keyword". Terms sort by their bytes.
CREATE TABLE article_terms (
    kind TEXT NOT NULL,
    term TEXT NOT NULL,
    article_id INTEGER NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
    PRIMARY KEY (kind, term, article_id)
) STRICT;
CREATE INDEX article_terms_article_id ON article_terms (article_id, kind);

-- Where each live article is listed: in section 0 (the site), in its own section, in the shown
-- sections of also_in, and in all their ancestors. One index range is one delivery list.
-- `pinned_until` and `position` are set in the row of the article's own section alone.
CREATE TABLE listings (
    section_id INTEGER NOT NULL,
    article_id INTEGER NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
    direct INTEGER NOT NULL,
    published_at TEXT NOT NULL,
    expires_at TEXT,
    updated_at TEXT NOT NULL,
    title_key BLOB NOT NULL,
    position INTEGER,
    pinned_until TEXT,
    PRIMARY KEY (section_id, article_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX listings_published_at ON listings (section_id, published_at, article_id, expires_at, direct, pinned_until, position);
CREATE INDEX listings_updated_at ON listings (section_id, updated_at, article_id, published_at, expires_at, direct);
CREATE INDEX listings_title_key ON listings (section_id, title_key, article_id, published_at, expires_at, direct);
CREATE INDEX listings_front ON listings (section_id, article_id) WHERE pinned_until IS NOT NULL OR position IS NOT NULL;
CREATE INDEX listings_pinned_until ON listings (pinned_until) WHERE pinned_until IS NOT NULL;
CREATE INDEX listings_expires_at ON listings (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX listings_article_id ON listings (article_id);

-- resource: "article" or "section".
CREATE TABLE old_slugs (
    resource TEXT NOT NULL,
    slug TEXT NOT NULL,
    target_id INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (resource, slug)
) STRICT;
CREATE INDEX old_slugs_target_id ON old_slugs (resource, target_id);

-- Hit counts stand apart from articles: a hit never touches an article's row.
-- total = baseline + counted + adjusted; received = counted + duplicate + bot + rejected.
CREATE TABLE hit_totals (
    article_id INTEGER NOT NULL PRIMARY KEY,
    baseline INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    adjusted INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    bot INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    last_at TEXT
) STRICT;

CREATE TABLE hit_days (
    article_id INTEGER NOT NULL,
    day TEXT NOT NULL,
    hits INTEGER NOT NULL,
    PRIMARY KEY (article_id, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX hit_days_day ON hit_days (day, article_id, hits);

CREATE TABLE hit_ids (
    article_id INTEGER NOT NULL,
    hit_id TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    PRIMARY KEY (article_id, hit_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX hit_ids_seen_at ON hit_ids (seen_at);

-- visitor: keyed hash of network and user agent; the key is the day's salt.
CREATE TABLE hit_visits (
    article_id INTEGER NOT NULL,
    visitor BLOB NOT NULL,
    seen_at TEXT NOT NULL,
    PRIMARY KEY (article_id, visitor)
) STRICT, WITHOUT ROWID;
CREATE INDEX hit_visits_seen_at ON hit_visits (seen_at);

CREATE TABLE hit_salts (
    day TEXT NOT NULL PRIMARY KEY,
    salt BLOB NOT NULL
) STRICT;

-- What was set by hand: kind is "baseline", "adjust" or "reset"; delta is what it did to the total.
CREATE TABLE hit_entries (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    article_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    delta INTEGER NOT NULL,
    total_after INTEGER NOT NULL,
    reason TEXT,
    user_id INTEGER,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX hit_entries_article_id ON hit_entries (article_id, id);
