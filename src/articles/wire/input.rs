//! What editors and other systems send.

use serde::Deserialize;
use utoipa::ToSchema;

use super::parts::{
    Attachment, AttachmentInput, BodyInput, Cover, CoverInput, LegacyUrl, NewBody, PublishInput,
    Seo, SeoInput, Source, SourceInput, Term, needed,
};
use crate::articles::prepare::Prepared;
use crate::db::Timestamp;
use crate::error::FaultCode;
use crate::http::fields::{Check, Member, Object};

macro_rules! article_input {
    (
        $(#[$meta:meta])* $name:ident
        {
            title: $(#[$title:meta])* ;
            section_id: $(#[$section:meta])* ;
            slug: $(#[$slug:meta])* ;
            $($extra:tt)*
        }
    ) => {
        #[derive(Debug, Default, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        $(#[$meta])*
        pub struct $name {
            /// The title. Blanks around it are taken off.
            $(#[$title])*
            #[serde(default)]
            pub title: Member<String>,
            /// The section that it stands in.
            $(#[$section])*
            #[serde(default)]
            pub section_id: Member<i64>,
            /// Other sections that it is listed in.
            #[schema(value_type = Option<Vec<i64>>, max_items = 20)]
            #[serde(default)]
            pub also_in: Member<Vec<i64>>,
            $(#[$slug])*
            #[serde(default)]
            pub slug: Member<String>,
            /// The subtitle.
            #[schema(value_type = Option<String>, max_length = 300)]
            #[serde(default)]
            pub subtitle: Member<String>,
            /// A shorter title, for narrow places.
            #[schema(value_type = Option<String>, max_length = 100)]
            #[serde(default)]
            pub short_title: Member<String>,
            /// The summary.
            #[schema(value_type = Option<String>, max_length = 2000)]
            #[serde(default)]
            pub summary: Member<String>,
            /// Where it comes from.
            #[schema(value_type = Option<SourceInput>)]
            #[serde(default)]
            pub source: Member<Object<SourceInput>>,
            /// Who wrote it.
            #[schema(value_type = Option<String>, max_length = 200)]
            #[serde(default)]
            pub author: Member<String>,
            /// Who edited it.
            #[schema(value_type = Option<String>, max_length = 200)]
            #[serde(default)]
            pub editor: Member<String>,
            /// Key words.
            #[schema(inline, value_type = Option<Vec<Term>>, max_items = 30)]
            #[serde(default)]
            pub keywords: Member<Vec<String>>,
            /// Tags.
            #[schema(inline, value_type = Option<Vec<Term>>, max_items = 30)]
            #[serde(default)]
            pub tags: Member<Vec<String>>,
            /// The picture that stands for it.
            #[schema(value_type = Option<CoverInput>)]
            #[serde(default)]
            pub cover: Member<Object<CoverInput>>,
            /// Its language (BCP 47); left out: the site's.
            #[schema(value_type = Option<String>, max_length = 35, pattern = "^([A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*)?$")]
            #[serde(default)]
            pub lang: Member<String>,
            /// Where the title links to instead of the article's own page.
            #[schema(value_type = Option<String>, max_length = 2000, pattern = r"^(https?://[^\s/]\S*)?$")]
            #[serde(default)]
            pub external_url: Member<String>,
            /// The address that search engines are to keep.
            #[schema(value_type = Option<String>, max_length = 2000, pattern = r"^(https?://[^\s/]\S*)?$")]
            #[serde(default)]
            pub canonical_url: Member<String>,
            /// Files that go with it.
            #[schema(value_type = Option<Vec<AttachmentInput>>, max_items = 100)]
            #[serde(default)]
            pub attachments: Member<Vec<Object<AttachmentInput>>>,
            /// What search engines are told instead of title and summary.
            #[schema(value_type = Option<SeoInput>)]
            #[serde(default)]
            pub seo: Member<Object<SeoInput>>,
            /// Addresses that it had on older sites.
            #[schema(inline, value_type = Option<Vec<LegacyUrl>>, max_items = 50)]
            #[serde(default)]
            pub legacy_urls: Member<Vec<String>>,
            /// Its id in the system that pushes it; unique.
            #[schema(value_type = Option<String>, max_length = 200, pattern = "^[A-Za-z0-9._:~-]*$")]
            #[serde(default)]
            pub external_id: Member<String>,
            /// Whether it is featured; left out: no.
            #[schema(value_type = Option<bool>)]
            #[serde(default)]
            pub featured: Member<bool>,
            /// Until when it stands at the top of its section (RFC 3339).
            #[schema(value_type = Option<String>, format = DateTime)]
            #[serde(default)]
            pub pinned_until: Member<String>,
            /// From when on readers see it, once it is published (RFC 3339).
            #[schema(value_type = Option<String>, format = DateTime)]
            #[serde(default)]
            pub published_at: Member<String>,
            /// From when on they don't (RFC 3339).
            #[schema(value_type = Option<String>, format = DateTime)]
            #[serde(default)]
            pub expires_at: Member<String>,
            /// The body.
            #[schema(value_type = Option<BodyInput>)]
            #[serde(default)]
            pub body: Member<Object<BodyInput>>,
            /// Related articles that come before those that are found by tags and key words: ids,
            /// in order.
            #[schema(value_type = Option<Vec<i64>>, max_items = 20)]
            #[serde(default)]
            pub related: Member<Vec<i64>>,
            /// A note for the revision that this makes; no member of the article.
            #[schema(value_type = Option<String>, max_length = 1000)]
            #[serde(default)]
            pub note: Member<String>,
            $($extra)*
        }

        impl $name {
            /// The note for the revision.
            pub fn take_note(&mut self, check: &mut Check) -> Option<String> {
                checked_note(check, std::mem::take(&mut self.note))
            }

            /// What becomes of the article by these members.
            pub fn apply(self, check: &mut Check, current: Edits) -> Edits {
                Given {
                    title: self.title,
                    section_id: self.section_id,
                    also_in: self.also_in,
                    slug: self.slug,
                    subtitle: self.subtitle,
                    short_title: self.short_title,
                    summary: self.summary,
                    source: self.source,
                    author: self.author,
                    editor: self.editor,
                    keywords: self.keywords,
                    tags: self.tags,
                    cover: self.cover,
                    lang: self.lang,
                    external_url: self.external_url,
                    canonical_url: self.canonical_url,
                    attachments: self.attachments,
                    seo: self.seo,
                    legacy_urls: self.legacy_urls,
                    external_id: self.external_id,
                    featured: self.featured,
                    pinned_until: self.pinned_until,
                    published_at: self.published_at,
                    expires_at: self.expires_at,
                    body: self.body,
                    related: self.related,
                }
                .apply(check, current)
            }
        }
    };
}

article_input! {
    /// A new article. `title` and `section_id` are needed, all else is optional.
    #[schema(example = json!({"title": "清晨的港湾", "section_id": 4, "author": "林舟", "tags": ["海洋"], "body": {"format": "html", "content": "<p>渔船归港，码头渐亮。</p>"}, "publish": {"published_at": "2026-01-31T09:21:00+08:00"}}))]
    ArticleCreate {
        title: #[schema(required, value_type = String, min_length = 1, max_length = 300)];
        section_id: #[schema(required, value_type = i64, minimum = 1)];
        slug:
            /// The slug; left out: made from the title.
            #[schema(value_type = Option<String>, max_length = 120, pattern = "^([a-z0-9-]*[a-z-][a-z0-9-]*)?$")];
        /// Publishes it in the same transaction.
        #[schema(value_type = Option<PublishInput>)]
        #[serde(default)]
        pub publish: Member<Object<PublishInput>>,
    }
}

article_input! {
    /// An article as another system has it: it replaces what is here; members left out become
    /// null (but the slug, which stays). `title` and `section_id` are needed.
    #[schema(example = json!({"title": "清晨的港湾", "section_id": 4, "body": {"format": "text", "content": "渔船归港，码头渐亮。"}, "publish": {}}))]
    ArticlePut {
        title: #[schema(required, value_type = String, min_length = 1, max_length = 300)];
        section_id: #[schema(required, value_type = i64, minimum = 1)];
        slug:
            /// The slug; left out: the one it has, or made from the title.
            #[schema(value_type = Option<String>, max_length = 120, pattern = "^([a-z0-9-]*[a-z-][a-z0-9-]*)?$")];
        /// Publishes it in the same transaction.
        #[schema(value_type = Option<PublishInput>)]
        #[serde(default)]
        pub publish: Member<Object<PublishInput>>,
    }
}

article_input! {
    /// Changes to an article: members left out stay as they are, null empties (RFC 7396).
    #[schema(example = json!({"title": "清晨的港湾", "source": null, "tags": ["海洋", "城市"]}))]
    ArticlePatch {
        title: #[schema(value_type = String, min_length = 1, max_length = 300)];
        section_id: #[schema(value_type = i64, minimum = 1)];
        slug:
            /// The slug; can't be null. The old one goes on leading here.
            #[schema(value_type = String, max_length = 120, pattern = "^[a-z0-9-]*[a-z-][a-z0-9-]*$")];
    }
}

/// Every editable member as sent.
pub(super) struct Given {
    title: Member<String>,
    section_id: Member<i64>,
    also_in: Member<Vec<i64>>,
    slug: Member<String>,
    subtitle: Member<String>,
    short_title: Member<String>,
    summary: Member<String>,
    source: Member<Object<SourceInput>>,
    author: Member<String>,
    editor: Member<String>,
    keywords: Member<Vec<String>>,
    tags: Member<Vec<String>>,
    cover: Member<Object<CoverInput>>,
    lang: Member<String>,
    external_url: Member<String>,
    canonical_url: Member<String>,
    attachments: Member<Vec<Object<AttachmentInput>>>,
    seo: Member<Object<SeoInput>>,
    legacy_urls: Member<Vec<String>>,
    external_id: Member<String>,
    featured: Member<bool>,
    pinned_until: Member<String>,
    published_at: Member<String>,
    expires_at: Member<String>,
    body: Member<Object<BodyInput>>,
    related: Member<Vec<i64>>,
}

impl ArticlePatch {
    /// The body that this makes of the current one, where it changes it and can be read.
    pub fn new_body(&self, current: Option<NewBody>) -> Option<NewBody> {
        match &self.body {
            Member::Given(_) => {
                let merge = |input: BodyInput, was| input.merged(&mut Check::default(), was);
                self.body.clone().merge(current, merge)
            }
            Member::Absent | Member::Null => None,
        }
    }

    /// Whether a body is given.
    pub fn has_body(&self) -> bool {
        matches!(self.body, Member::Given(_))
    }
}

/// Every editable member, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "documented in ManagedArticle")]
pub struct Edits {
    pub title: String,
    pub section_id: i64,
    pub also_in: Vec<i64>,
    pub related: Vec<i64>,
    /// `None`: made from the title.
    pub slug: Option<String>,
    pub subtitle: Option<String>,
    pub short_title: Option<String>,
    pub summary: Option<String>,
    pub source: Option<Source>,
    pub author: Option<String>,
    pub editor: Option<String>,
    pub keywords: Vec<String>,
    pub tags: Vec<String>,
    pub cover: Option<Cover>,
    pub lang: String,
    pub external_url: Option<String>,
    pub canonical_url: Option<String>,
    pub attachments: Vec<Attachment>,
    pub seo: Option<Seo>,
    pub legacy_urls: Vec<String>,
    pub external_id: Option<String>,
    pub featured: bool,
    pub pinned_until: Option<Timestamp>,
    pub published_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub body: Option<NewBody>,
    /// What members left out or null stand for.
    pub default_lang: String,
    /// A body rendered ahead of the transaction.
    pub prepared: Option<Prepared>,
}

impl Edits {
    /// An article with nothing in it, in the site's language.
    pub fn nothing(locale: &str) -> Self {
        Self {
            title: String::new(),
            section_id: 0,
            also_in: Vec::new(),
            related: Vec::new(),
            slug: None,
            subtitle: None,
            short_title: None,
            summary: None,
            source: None,
            author: None,
            editor: None,
            keywords: Vec::new(),
            tags: Vec::new(),
            cover: None,
            lang: locale.to_owned(),
            external_url: None,
            canonical_url: None,
            attachments: Vec::new(),
            seo: None,
            legacy_urls: Vec::new(),
            external_id: None,
            featured: false,
            pinned_until: None,
            published_at: None,
            expires_at: None,
            body: None,
            default_lang: locale.to_owned(),
            prepared: None,
        }
    }
}

/// The longest title, in characters.
const MAX_TITLE: usize = 300;

const MAX_SHORT_TITLE: usize = 100;

const MAX_SUMMARY: usize = 2000;

const MAX_NAME: usize = 200;

/// The most tags or key words.
pub const MAX_TERMS: usize = 30;

/// The longest tag or key word, in characters.
pub const MAX_TERM: usize = 60;

/// The most ids in `also_in` and in `related`.
const MAX_IDS: usize = 20;

const MAX_ATTACHMENTS: usize = 100;

const MAX_LEGACY_URLS: usize = 50;

const MAX_EXTERNAL_ID: usize = 200;

impl Given {
    fn apply(self, check: &mut Check, current: Edits) -> Edits {
        let own = Some(current.title).filter(|title| !title.is_empty());
        let title = needed(check, "/title", self.title, own, |c, p, text| {
            c.line(p, text, MAX_TITLE)
        });
        let section_id = match self.section_id {
            Member::Absent if current.section_id > 0 => Some(current.section_id),
            member => check
                .required("/section_id", member.given())
                .and_then(|id| check.number("/section_id", id, 1, i64::MAX)),
        };
        let slug = match self.slug.blank_is_null() {
            Member::Null if current.slug.is_some() => check.required("/slug", None),
            member => member
                .check(|text| check.slug("/slug", &text).map(|slug| slug.to_string()))
                .or_keep(current.slug),
        };
        let mut line = |pointer: &str, member: Member<String>, max, current| {
            member
                .check(|text| check.line(pointer, &text, max))
                .or_keep(current)
        };
        let subtitle = line("/subtitle", self.subtitle, MAX_TITLE, current.subtitle);
        let short_title = line(
            "/short_title",
            self.short_title,
            MAX_SHORT_TITLE,
            current.short_title,
        );
        let author = line("/author", self.author, MAX_NAME, current.author);
        let editor = line("/editor", self.editor, MAX_NAME, current.editor);
        let summary = self
            .summary
            .check(|text| check.text("/summary", &text, MAX_SUMMARY))
            .or_keep(current.summary);
        let mut terms = |pointer: &str, member: Member<Vec<String>>, current| {
            let checked =
                member.check(|list| Some(check.lines(pointer, list, MAX_TERMS, MAX_TERM)));
            checked.or_keep(Some(current)).unwrap_or_default()
        };
        let keywords = terms("/keywords", self.keywords, current.keywords);
        let tags = terms("/tags", self.tags, current.tags);
        let source = self
            .source
            .merge(current.source, |input, was| input.merged(check, was));
        let cover = self.cover.merge(current.cover, |input, was| {
            input.merged(check, "/cover", was)
        });
        let lang = self
            .lang
            .check(|text| check.language("/lang", &text))
            .or_keep(Some(current.lang));
        let external_url = self
            .external_url
            .check(|text| check.web_url("/external_url", &text))
            .or_keep(current.external_url);
        let canonical_url = self
            .canonical_url
            .check(|text| check.web_url("/canonical_url", &text))
            .or_keep(current.canonical_url);
        let attachments = self
            .attachments
            .check(|list| Some(checked_attachments(check, list)))
            .or_keep(Some(current.attachments));
        let seo = self
            .seo
            .merge(current.seo, |input, was| input.merged(check, was));
        let legacy_urls = self
            .legacy_urls
            .check(|list| Some(check.lines("/legacy_urls", list, MAX_LEGACY_URLS, 2000)))
            .or_keep(Some(current.legacy_urls));
        let external_id = self
            .external_id
            .check(|text| checked_external_id(check, &text))
            .or_keep(current.external_id);
        let mut instant = |pointer: &str, member: Member<String>, current| {
            member
                .check(|text| check.instant(pointer, &text))
                .or_keep(current)
        };
        let pinned_until = instant("/pinned_until", self.pinned_until, current.pinned_until);
        let published_at = instant("/published_at", self.published_at, current.published_at);
        let expires_at = instant("/expires_at", self.expires_at, current.expires_at);
        let body = self
            .body
            .merge(current.body, |input, was| input.merged(check, was));
        let mut ids = |pointer: &str, member: Member<Vec<i64>>, current| {
            let checked = member.check(|list| Some(checked_ids(check, pointer, list)));
            checked.or_keep(Some(current)).unwrap_or_default()
        };
        let also_in = ids("/also_in", self.also_in, current.also_in);
        let related = ids("/related", self.related, current.related);
        Edits {
            title: title.unwrap_or_default(),
            section_id: section_id.unwrap_or_default(),
            also_in,
            related,
            slug,
            subtitle,
            short_title,
            summary,
            source,
            author,
            editor,
            keywords,
            tags,
            cover,
            lang: lang.unwrap_or_else(|| current.default_lang.clone()),
            external_url,
            canonical_url,
            attachments: attachments.unwrap_or_default(),
            seo,
            legacy_urls: legacy_urls.unwrap_or_default(),
            external_id,
            featured: self
                .featured
                .or_keep(Some(current.featured))
                .unwrap_or_default(),
            pinned_until,
            published_at,
            expires_at,
            body,
            default_lang: current.default_lang,
            prepared: current.prepared,
        }
    }
}

fn checked_attachments(check: &mut Check, list: Vec<Object<AttachmentInput>>) -> Vec<Attachment> {
    if list.len() > MAX_ATTACHMENTS {
        let detail = format!("must have at most {MAX_ATTACHMENTS} items");
        check.fault("/attachments", FaultCode::TooMany, detail);
        return Vec::new();
    }
    let checked = list.into_iter().enumerate();
    checked
        .filter_map(|(index, item)| item.0.checked(check, index))
        .collect()
}

fn checked_ids(check: &mut Check, pointer: &str, list: Vec<i64>) -> Vec<i64> {
    if list.len() > MAX_IDS {
        let detail = format!("must have at most {MAX_IDS} items");
        check.fault(pointer, FaultCode::TooMany, detail);
        return Vec::new();
    }
    let mut kept = Vec::new();
    for id in list {
        if !kept.contains(&id) {
            kept.push(id);
        }
    }
    kept
}

/// The longest note of a revision, in characters.
const MAX_NOTE: usize = 1000;

/// A note for a revision.
pub fn checked_note(check: &mut Check, note: Member<String>) -> Option<String> {
    note.check(|text| check.text("/note", &text, MAX_NOTE))
        .given()
}

/// An external id: 1 to 200 of `[A-Za-z0-9._:~-]`.
pub fn is_external_id(text: &str) -> bool {
    (1..=MAX_EXTERNAL_ID).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._:~-".contains(&b))
}

fn checked_external_id(check: &mut Check, text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if is_external_id(text) {
        return Some(text.to_owned());
    }
    let detail = "must be 1 to 200 of A-Z, a-z, 0-9 and ._:~-";
    check.fault("/external_id", FaultCode::Invalid, detail);
    None
}
