//! JSON of articles: what readers get, what editors get, what editors send.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::db::Timestamp;
use crate::error::FaultCode;
use crate::hits::wire::HitCount;
use crate::http::fields::{Check, Member, Object, has_only_text_characters, trim};
use crate::sections::wire::{Breadcrumb, SectionRef};

/// A key word or tag, up to 60 characters.
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 60)]
#[allow(dead_code, reason = "documents what `Check::lines` takes")]
pub struct Term(String);

/// An address on an older site.
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 2000)]
#[allow(dead_code, reason = "documents what `Check::lines` takes")]
struct LegacyUrl(String);

/// A picture that stands for an article or section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"url": "https://img.example.com/harbour.jpg", "alt": "清晨的港湾", "width": 1200, "height": 675}))]
pub struct Cover {
    /// Its address: absolute, or a path from the site's root.
    #[schema(max_length = 2000)]
    pub url: String,
    /// What it shows, for those who can't see it.
    #[schema(required, nullable, max_length = 500)]
    pub alt: Option<String>,
    /// Width in pixels.
    #[schema(required, nullable, minimum = 1, maximum = 100000)]
    pub width: Option<i64>,
    /// Height in pixels.
    #[schema(required, nullable, minimum = 1, maximum = 100000)]
    pub height: Option<i64>,
}

/// A picture, as sent: `url` is needed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CoverInput {
    /// Its address: absolute, or a path from the site's root.
    #[schema(required, value_type = String, max_length = 2000, pattern = r"^(https?://[^\s/]\S*|/([^/\\\s][^\\\s]*)?)$")]
    #[serde(default)]
    pub url: Member<String>,
    /// What it shows, for those who can't see it.
    #[schema(value_type = Option<String>, max_length = 500)]
    #[serde(default)]
    pub alt: Member<String>,
    /// Width in pixels.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 100000)]
    #[serde(default)]
    pub width: Member<i64>,
    /// Height in pixels.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 100000)]
    #[serde(default)]
    pub height: Member<i64>,
}

impl CoverInput {
    /// The picture that `current` becomes, where the members are good; faults are reported below
    /// this pointer.
    pub fn merged(self, check: &mut Check, pointer: &str, current: Option<Cover>) -> Option<Cover> {
        let at = |name: &str| format!("{pointer}/{name}");
        let (url, alt, width, height) = match current {
            Some(cover) => (Some(cover.url), cover.alt, cover.width, cover.height),
            None => (None, None, None, None),
        };
        let url = needed(check, &at("url"), self.url, url, |check, p, text| {
            check.link(p, text)
        });
        let alt = self
            .alt
            .check(|text| check.line(&at("alt"), &text, 500))
            .or_keep(alt);
        let mut pixels = |name, member: Member<i64>, current| {
            member
                .check(|n| check.number(&at(name), n, 1, 100_000))
                .or_keep(current)
        };
        let width = pixels("width", self.width, width);
        let height = pixels("height", self.height, height);
        Some(Cover {
            url: url?,
            alt,
            width,
            height,
        })
    }
}

/// A text member that can't be null or blank, nor be left out where there is no current one.
fn needed(
    check: &mut Check,
    pointer: &str,
    member: Member<String>,
    current: Option<String>,
    read: impl FnOnce(&mut Check, &str, &str) -> Option<String>,
) -> Option<String> {
    let text = match member.blank_is_null() {
        Member::Absent if current.is_some() => return current,
        member => check.required(pointer, member.given())?,
    };
    read(check, pointer, &text)
}

/// Where an article comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"name": "青屿日报", "url": "https://daily.example.com/"}))]
pub struct Source {
    /// The name.
    #[schema(max_length = 200)]
    pub name: String,
    /// Its web address.
    #[schema(required, nullable, max_length = 2000)]
    pub url: Option<String>,
}

/// Where an article comes from, as sent. A blank name means that there is no source.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceInput {
    /// The name; blank: no source.
    #[schema(value_type = Option<String>, max_length = 200)]
    #[serde(default)]
    pub name: Member<String>,
    /// Its web address.
    #[schema(value_type = Option<String>, max_length = 2000, pattern = r"^(https?://[^\s/]\S*)?$")]
    #[serde(default)]
    pub url: Member<String>,
}

impl SourceInput {
    fn merged(self, check: &mut Check, current: Option<Source>) -> Option<Source> {
        let (name, url) = current.map(|source| (source.name, source.url)).unzip();
        let name = self
            .name
            .check(|text| check.line("/source/name", &text, 200))
            .or_keep(name);
        let url = self
            .url
            .check(|text| check.web_url("/source/url", &text))
            .or_keep(url.flatten());
        if name.is_none() && url.is_some() && !check.has_fault_at("/source") {
            check.required::<()>("/source/name", None);
        }
        Some(Source { name: name?, url })
    }
}

/// A file that goes with an article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"name": "年度报告.pdf", "url": "https://files.example.com/report.pdf", "media_type": "application/pdf", "bytes": 482133}))]
pub struct Attachment {
    /// The name to show.
    #[schema(max_length = 200)]
    pub name: String,
    /// Its address: absolute, or a path from the site's root.
    #[schema(max_length = 2000)]
    pub url: String,
    /// Its media type (RFC 6838).
    #[schema(required, nullable, max_length = 127)]
    pub media_type: Option<String>,
    /// Its size in bytes.
    #[schema(required, nullable, minimum = 0)]
    pub bytes: Option<i64>,
}

/// A file, as sent: `name` and `url` are needed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachmentInput {
    /// The name to show.
    #[schema(required, value_type = String, min_length = 1, max_length = 200)]
    #[serde(default)]
    pub name: Member<String>,
    /// Its address: absolute, or a path from the site's root.
    #[schema(required, value_type = String, max_length = 2000, pattern = r"^(https?://[^\s/]\S*|/([^/\\\s][^\\\s]*)?)$")]
    #[serde(default)]
    pub url: Member<String>,
    /// Its media type (RFC 6838).
    #[schema(value_type = Option<String>, max_length = 127, pattern = "^([a-zA-Z0-9!#$&^_.+-]+/[a-zA-Z0-9!#$&^_.+-]+)?$")]
    #[serde(default)]
    pub media_type: Member<String>,
    /// Its size in bytes.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 9007199254740991_i64)]
    #[serde(default)]
    pub bytes: Member<i64>,
}

/// The most integer that every JSON reader keeps exact: 2^53 - 1.
const MAX_JSON_INTEGER: i64 = 9_007_199_254_740_991;

impl AttachmentInput {
    fn checked(self, check: &mut Check, index: usize) -> Option<Attachment> {
        let at = |name: &str| format!("/attachments/{index}/{name}");
        let name = needed(check, &at("name"), self.name, None, |check, p, text| {
            check.line(p, text, 200)
        });
        let url = needed(check, &at("url"), self.url, None, |check, p, text| {
            check.link(p, text)
        });
        let media_type = self.media_type.given().and_then(|text| {
            let line = check.line(&at("media_type"), &text, 127)?;
            let is_token = |part: &str| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
            };
            if line
                .split_once('/')
                .is_some_and(|(a, b)| is_token(a) && is_token(b))
            {
                return Some(line.to_ascii_lowercase());
            }
            check.fault(
                &at("media_type"),
                FaultCode::Invalid,
                "must be a media type, as application/pdf",
            );
            None
        });
        let bytes = self
            .bytes
            .given()
            .and_then(|n| check.number(&at("bytes"), n, 0, MAX_JSON_INTEGER));
        Some(Attachment {
            name: name?,
            url: url?,
            media_type,
            bytes,
        })
    }
}

/// What search engines are told instead of title and summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"title": "青屿港晨景", "description": "一座港口的清晨"}))]
pub struct Seo {
    /// The title.
    #[schema(required, nullable, max_length = 300)]
    pub title: Option<String>,
    /// The description.
    #[schema(required, nullable, max_length = 1000)]
    pub description: Option<String>,
}

/// What search engines are told, as sent.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeoInput {
    /// The title.
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    pub title: Member<String>,
    /// The description.
    #[schema(value_type = Option<String>, max_length = 1000)]
    #[serde(default)]
    pub description: Member<String>,
}

impl SeoInput {
    fn merged(self, check: &mut Check, current: Option<Seo>) -> Option<Seo> {
        let (title, description) = current.map(|seo| (seo.title, seo.description)).unzip();
        let title = self
            .title
            .check(|t| check.line("/seo/title", &t, 300))
            .or_keep(title.flatten());
        let description = self
            .description
            .check(|t| check.text("/seo/description", &t, 1000))
            .or_keep(description.flatten());
        (title.is_some() || description.is_some()).then_some(Seo { title, description })
    }
}

/// Where an article is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"self": "/v1/articles/12", "web": "https://www.example.com/articles/12", "qr": "/v1/articles/12/qr.svg"}))]
pub struct Links {
    /// The article in this API.
    #[serde(rename = "self")]
    #[schema(max_length = 200)]
    pub this: String,
    /// Its page on the web; null where the settings tell none.
    #[schema(required, nullable, max_length = 2200)]
    pub web: Option<String>,
    /// The QR code of its page on the web.
    #[schema(max_length = 200)]
    pub qr: String,
}

/// A body, as readers get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"html": "<p>渔船归港，码头渐亮。</p>", "text": "渔船归港，码头渐亮。"}))]
pub struct Body {
    /// Sanitised HTML.
    pub html: String,
    /// Plain text: paragraphs apart by a blank line.
    pub text: String,
}

/// How an author writes a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    /// HTML.
    Html,
    /// Markdown: CommonMark with GitHub's extensions.
    Markdown,
    /// Plain text: a blank line ends a paragraph.
    Text,
}

impl BodyFormat {
    /// The name in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Markdown => "markdown",
            Self::Text => "text",
        }
    }

    /// The format of this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Html, Self::Markdown, Self::Text]
            .into_iter()
            .find(|f| f.as_str() == text)
    }
}

/// A body, as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"format": "markdown", "content": "渔船归港，**码头渐亮**。"}))]
pub struct BodySource {
    /// `html`, `markdown` or `text`.
    #[schema(max_length = 20)]
    pub format: &'static str,
    /// What the author sent, unchanged.
    pub content: String,
}

/// A body, as sent. Blank content means that there is no body.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"format": "markdown", "content": "渔船归港，**码头渐亮**。"}))]
pub struct BodyInput {
    /// `html`, `markdown` (CommonMark with GitHub's extensions) or `text` (a blank line ends a
    /// paragraph).
    #[schema(required, value_type = String, pattern = "^(html|markdown|text)$")]
    #[serde(default)]
    pub format: Member<String>,
    /// The text. HTML, given or made from Markdown, is sanitised by an allow-list before it is
    /// served; what was sent is kept for editing.
    #[schema(required, value_type = String)]
    #[serde(default)]
    pub content: Member<String>,
}

/// A checked body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBody {
    /// How it is written.
    pub format: BodyFormat,
    /// What the author sent.
    pub content: String,
}

impl BodyInput {
    fn merged(self, check: &mut Check, current: Option<NewBody>) -> Option<NewBody> {
        let (format, content) = current.map(|body| (body.format, body.content)).unzip();
        let format = match self.format {
            Member::Absent if format.is_some() => format,
            member => check
                .required("/body/format", member.given())
                .and_then(|name| {
                    let format = BodyFormat::parse(&name);
                    if format.is_none() {
                        let detail = "must be html, markdown or text";
                        check.fault("/body/format", FaultCode::NotAllowed, detail);
                    }
                    format
                }),
        };
        let content = match self.content {
            Member::Absent if content.is_some() => content,
            member => check.required("/body/content", member.given()),
        }?;
        if !has_only_text_characters(&content) {
            let detail = "must not have control characters";
            check.fault("/body/content", FaultCode::InvalidCharacters, detail);
            return None;
        }
        let format = format?;
        (!trim(&content).is_empty()).then_some(NewBody { format, content })
    }
}

/// When to publish, and until when. Both may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"published_at": "2026-01-31T09:00:00+08:00"}))]
pub struct PublishInput {
    /// From when on readers see it (RFC 3339); ahead: scheduled. Left out: the date it has, else
    /// now.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    pub published_at: Member<String>,
    /// From when on they don't (RFC 3339); null: never. Left out: what it has, unless that is
    /// past.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    pub expires_at: Member<String>,
}

/// A checked [`PublishInput`].
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Publication {
    /// The instant, where one is given.
    pub published_at: Option<Timestamp>,
    /// The end: absent, null or an instant.
    pub expires_at: Option<Option<Timestamp>>,
    /// Where it stands in the body, for faults.
    pub pointer: &'static str,
}

impl PublishInput {
    /// The instants, where they are good; faults are reported below this pointer.
    pub fn checked(self, check: &mut Check, pointer: &'static str) -> Publication {
        let published = format!("{pointer}/published_at");
        let expires = format!("{pointer}/expires_at");
        let published_at = self
            .published_at
            .given()
            .and_then(|text| check.instant(&published, &text));
        let expires_at = match self.expires_at.blank_is_null() {
            Member::Absent => None,
            Member::Null => Some(None),
            Member::Given(text) => Some(check.instant(&expires, &text)),
        };
        Publication {
            published_at,
            expires_at,
            pointer,
        }
    }
}

macro_rules! reader_schema {
    ($(#[$meta:meta])* $name:ident { $($extra:tt)* }) => {
        #[derive(Debug, Clone, Serialize, ToSchema)]
        $(#[$meta])*
        pub struct $name {
            /// The article's id.
            #[schema(minimum = 1)]
            pub id: i64,
            /// The slug, unique among articles.
            #[schema(max_length = 120)]
            pub slug: String,
            /// The title.
            #[schema(max_length = 300)]
            pub title: String,
            /// The subtitle.
            #[schema(required, nullable, max_length = 300)]
            pub subtitle: Option<String>,
            /// A shorter title, for narrow places.
            #[schema(required, nullable, max_length = 100)]
            pub short_title: Option<String>,
            /// The summary.
            #[schema(required, nullable, max_length = 2000)]
            pub summary: Option<String>,
            /// The section that it stands in.
            pub section: SectionRef,
            /// Where it comes from.
            #[schema(required, nullable)]
            pub source: Option<Source>,
            /// Who wrote it.
            #[schema(required, nullable, max_length = 200)]
            pub author: Option<String>,
            /// Who edited it.
            #[schema(required, nullable, max_length = 200)]
            pub editor: Option<String>,
            /// Key words.
            #[schema(inline, value_type = Vec<Term>, max_items = 30)]
            pub keywords: Vec<String>,
            /// Tags.
            #[schema(inline, value_type = Vec<Term>, max_items = 30)]
            pub tags: Vec<String>,
            /// The picture that stands for it.
            #[schema(required, nullable)]
            pub cover: Option<Cover>,
            /// Its language (BCP 47).
            #[schema(max_length = 35)]
            pub lang: String,
            /// Where the title links to instead of the article's own page.
            #[schema(required, nullable, max_length = 2000)]
            pub external_url: Option<String>,
            /// Whether it is featured.
            pub featured: bool,
            /// Until when it stands at the top of its section.
            #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
            pub pinned_until: Option<Timestamp>,
            /// When it was published.
            #[schema(value_type = String, format = DateTime)]
            pub published_at: Timestamp,
            /// The same, `YYYY-MM-DD HH:MM` in the site's zone.
            #[schema(max_length = 16, pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}$")]
            pub published_local: String,
            /// When it expires.
            #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
            pub expires_at: Option<Timestamp>,
            /// When it was last changed.
            #[schema(value_type = String, format = DateTime)]
            pub updated_at: Timestamp,
            /// Han characters and other words of the body.
            #[schema(minimum = 0)]
            pub word_count: i64,
            /// Minutes that a reader takes.
            #[schema(minimum = 0)]
            pub reading_minutes: i64,
            /// Where it is found.
            pub links: Links,
            $($extra)*
        }
    };
}

reader_schema! {
    /// An article in a list.
    #[schema(example = json!({"id": 12, "slug": "qing-chen-de-gang-wan", "title": "清晨的港湾", "subtitle": null, "short_title": null, "summary": "渔船归港时的码头。", "section": {"id": 4, "slug": "grassroots", "name": "基层纪事", "path": "news/grassroots"}, "source": null, "author": "林舟", "editor": null, "keywords": ["港口"], "tags": ["海洋"], "cover": null, "lang": "zh-CN", "external_url": null, "featured": false, "pinned_until": null, "published_at": "2026-01-31T01:21:00Z", "published_local": "2026-01-31 09:21", "expires_at": null, "updated_at": "2026-01-31T01:21:00Z", "word_count": 8, "reading_minutes": 1, "links": {"self": "/v1/articles/12", "web": "https://www.example.com/articles/12", "qr": "/v1/articles/12/qr.svg"}}))]
    ArticleSummary {
        /// The body; only with `include=body`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub body: Option<Option<Body>>,
        /// The hit count; only with `include=hits`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pub hits: Option<HitCount>,
    }
}

reader_schema! {
    /// An article with all that its page shows.
    Article {
        /// The steps from the site's home down to the section.
        #[schema(max_items = 10)]
        pub breadcrumb: Vec<Breadcrumb>,
        /// Other sections that it is listed in.
        #[schema(max_items = 20)]
        pub also_in: Vec<SectionRef>,
        /// Files that go with it.
        #[schema(max_items = 100)]
        pub attachments: Vec<Attachment>,
        /// The address that search engines are to keep.
        #[schema(required, nullable, max_length = 2000)]
        pub canonical_url: Option<String>,
        /// What search engines are told instead of title and summary.
        #[schema(required, nullable)]
        pub seo: Option<Seo>,
        /// The body; null where the title links elsewhere and there is none.
        #[schema(required, nullable)]
        pub body: Option<Body>,
        /// The hit count; only with `include=hits`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pub hits: Option<HitCount>,
    }
}

/// What [`Article`] has beyond the summary.
#[allow(missing_docs, reason = "documented in Article")]
pub struct Rest {
    pub breadcrumb: Vec<Breadcrumb>,
    pub also_in: Vec<SectionRef>,
    pub attachments: Vec<Attachment>,
    pub canonical_url: Option<String>,
    pub seo: Option<Seo>,
    pub body: Option<Body>,
}

impl Article {
    /// The article of this summary.
    pub fn new(summary: ArticleSummary, rest: Rest) -> Self {
        Self {
            id: summary.id,
            slug: summary.slug,
            title: summary.title,
            subtitle: summary.subtitle,
            short_title: summary.short_title,
            summary: summary.summary,
            section: summary.section,
            source: summary.source,
            author: summary.author,
            editor: summary.editor,
            keywords: summary.keywords,
            tags: summary.tags,
            cover: summary.cover,
            lang: summary.lang,
            external_url: summary.external_url,
            featured: summary.featured,
            pinned_until: summary.pinned_until,
            published_at: summary.published_at,
            published_local: summary.published_local,
            expires_at: summary.expires_at,
            updated_at: summary.updated_at,
            word_count: summary.word_count,
            reading_minutes: summary.reading_minutes,
            links: summary.links,
            breadcrumb: rest.breadcrumb,
            also_in: rest.also_in,
            attachments: rest.attachments,
            canonical_url: rest.canonical_url,
            seo: rest.seo,
            body: rest.body,
            hits: summary.hits,
        }
    }
}

crate::list_of! {
    /// A page of articles.
    ArticleList, ArticleSummary
}

/// The articles before and after one in its section, by date.
#[derive(Debug, Serialize, ToSchema)]
pub struct Neighbors {
    /// The one published before it.
    #[schema(required, nullable)]
    pub previous: Option<ArticleSummary>,
    /// The one published after it.
    #[schema(required, nullable)]
    pub next: Option<ArticleSummary>,
}

/// How many articles a month has.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"year": 2026, "month": 1, "article_count": 17}))]
pub struct ArchiveMonth {
    /// The year, in the site's zone.
    #[schema(minimum = 1, maximum = 9999)]
    pub year: i32,
    /// The month, from 1.
    #[schema(minimum = 1, maximum = 12)]
    pub month: u32,
    /// Public articles of that month.
    #[schema(minimum = 1)]
    pub article_count: i64,
}

/// The months that have articles, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Archive {
    /// The months.
    #[schema(max_items = 10000)]
    pub data: Vec<ArchiveMonth>,
}

/// How many articles a tag has.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"tag": "海洋", "article_count": 9}))]
pub struct TagCount {
    /// The tag.
    #[schema(max_length = 60)]
    pub tag: String,
    /// Public articles with it.
    #[schema(minimum = 1)]
    pub article_count: i64,
}

/// Tags, the most used first.
#[derive(Debug, Serialize, ToSchema)]
pub struct TagList {
    /// The tags.
    #[schema(max_items = 1000)]
    pub data: Vec<TagCount>,
}

macro_rules! managed_schema {
    ($(#[$meta:meta])* $name:ident { $($extra:tt)* }) => {
        #[derive(Debug, Clone, Serialize, ToSchema)]
        $(#[$meta])*
        pub struct $name {
            /// The article's id.
            #[schema(minimum = 1)]
            pub id: i64,
            /// The section that it stands in.
            #[schema(minimum = 1)]
            pub section_id: i64,
            /// Other sections that it is listed in.
            #[schema(max_items = 20)]
            pub also_in: Vec<i64>,
            /// The slug, unique among articles.
            #[schema(max_length = 120)]
            pub slug: String,
            /// The title.
            #[schema(max_length = 300)]
            pub title: String,
            /// The subtitle.
            #[schema(required, nullable, max_length = 300)]
            pub subtitle: Option<String>,
            /// A shorter title, for narrow places.
            #[schema(required, nullable, max_length = 100)]
            pub short_title: Option<String>,
            /// The summary.
            #[schema(required, nullable, max_length = 2000)]
            pub summary: Option<String>,
            /// Where it comes from.
            #[schema(required, nullable)]
            pub source: Option<Source>,
            /// Who wrote it.
            #[schema(required, nullable, max_length = 200)]
            pub author: Option<String>,
            /// Who edited it.
            #[schema(required, nullable, max_length = 200)]
            pub editor: Option<String>,
            /// Key words.
            #[schema(inline, value_type = Vec<Term>, max_items = 30)]
            pub keywords: Vec<String>,
            /// Tags.
            #[schema(inline, value_type = Vec<Term>, max_items = 30)]
            pub tags: Vec<String>,
            /// The picture that stands for it.
            #[schema(required, nullable)]
            pub cover: Option<Cover>,
            /// Its language (BCP 47).
            #[schema(max_length = 35)]
            pub lang: String,
            /// Where the title links to instead of the article's own page.
            #[schema(required, nullable, max_length = 2000)]
            pub external_url: Option<String>,
            /// The address that search engines are to keep.
            #[schema(required, nullable, max_length = 2000)]
            pub canonical_url: Option<String>,
            /// Files that go with it.
            #[schema(max_items = 100)]
            pub attachments: Vec<Attachment>,
            /// What search engines are told instead of title and summary.
            #[schema(required, nullable)]
            pub seo: Option<Seo>,
            /// Addresses that it had on older sites.
            #[schema(inline, value_type = Vec<LegacyUrl>, max_items = 50)]
            pub legacy_urls: Vec<String>,
            /// Its id in the system that pushes it.
            #[schema(required, nullable, max_length = 200)]
            pub external_id: Option<String>,
            /// Whether it is featured.
            pub featured: bool,
            /// Until when it stands at the top of its section.
            #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
            pub pinned_until: Option<Timestamp>,
            /// From when on readers see it, once it is published.
            #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
            pub published_at: Option<Timestamp>,
            /// From when on they don't.
            #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
            pub expires_at: Option<Timestamp>,
            /// `draft`, `scheduled`, `published`, `archived` or `trashed`.
            #[schema(max_length = 20)]
            pub status: &'static str,
            /// Han characters and other words of the body.
            #[schema(minimum = 0)]
            pub word_count: i64,
            /// Who made it: the account's id.
            #[schema(required, nullable, minimum = 1)]
            pub created_by: Option<i64>,
            /// When it was made.
            #[schema(value_type = String, format = DateTime)]
            pub created_at: Timestamp,
            /// When it was last changed.
            #[schema(value_type = String, format = DateTime)]
            pub updated_at: Timestamp,
            /// Grows with each change; the `ETag` is this in quotes.
            #[schema(minimum = 1)]
            pub version: i64,
            $($extra)*
        }
    };
}

managed_schema! {
    /// An article in a list, as its editors see it.
    ManagedArticleSummary {}
}

managed_schema! {
    /// An article, as its editors see it.
    ManagedArticle {
        /// The body as its author wrote it.
        #[schema(required, nullable)]
        pub body: Option<BodySource>,
    }
}

impl ManagedArticle {
    /// The article of this summary with this body.
    pub fn new(summary: ManagedArticleSummary, body: Option<BodySource>) -> Self {
        Self {
            id: summary.id,
            section_id: summary.section_id,
            also_in: summary.also_in,
            slug: summary.slug,
            title: summary.title,
            subtitle: summary.subtitle,
            short_title: summary.short_title,
            summary: summary.summary,
            source: summary.source,
            author: summary.author,
            editor: summary.editor,
            keywords: summary.keywords,
            tags: summary.tags,
            cover: summary.cover,
            lang: summary.lang,
            external_url: summary.external_url,
            canonical_url: summary.canonical_url,
            attachments: summary.attachments,
            seo: summary.seo,
            legacy_urls: summary.legacy_urls,
            external_id: summary.external_id,
            featured: summary.featured,
            pinned_until: summary.pinned_until,
            published_at: summary.published_at,
            expires_at: summary.expires_at,
            status: summary.status,
            word_count: summary.word_count,
            created_by: summary.created_by,
            created_at: summary.created_at,
            updated_at: summary.updated_at,
            version: summary.version,
            body,
        }
    }
}

crate::list_of! {
    /// A page of articles, as their editors see them.
    ManagedArticleList, ManagedArticleSummary
}

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
            $($extra)*
        }

        impl $name {
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
struct Given {
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
}

/// Every editable member, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "documented in ManagedArticle")]
pub struct Edits {
    pub title: String,
    pub section_id: i64,
    pub also_in: Vec<i64>,
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
}

impl Edits {
    /// An article with nothing in it, in the site's language.
    pub fn nothing(locale: &str) -> Self {
        Self {
            title: String::new(),
            section_id: 0,
            also_in: Vec::new(),
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
        }
    }
}

/// The longest title, in characters.
const MAX_TITLE: usize = 300;
const MAX_SHORT_TITLE: usize = 100;
const MAX_SUMMARY: usize = 2000;
const MAX_NAME: usize = 200;
const MAX_TERMS: usize = 30;
const MAX_TERM: usize = 60;
const MAX_ALSO_IN: usize = 20;
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
        let also_in = self
            .also_in
            .check(|list| Some(checked_also_in(check, list)))
            .or_keep(Some(current.also_in));
        Edits {
            title: title.unwrap_or_default(),
            section_id: section_id.unwrap_or_default(),
            also_in: also_in.unwrap_or_default(),
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

fn checked_also_in(check: &mut Check, list: Vec<i64>) -> Vec<i64> {
    if list.len() > MAX_ALSO_IN {
        let detail = format!("must have at most {MAX_ALSO_IN} items");
        check.fault("/also_in", FaultCode::TooMany, detail);
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
