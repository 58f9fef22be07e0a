//! Parts that readers, editors and authors share: pictures, sources, files, bodies.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::db::Timestamp;
use crate::error::FaultCode;
use crate::http::fields::{Check, Member, has_only_text_characters, trim};

/// A key word or tag, up to 60 characters.
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 60)]
#[allow(dead_code, reason = "documents what `Check::lines` takes")]
pub struct Term(String);

/// An address on an older site.
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 2000)]
#[allow(dead_code, reason = "documents what `Check::lines` takes")]
pub(super) struct LegacyUrl(String);

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
pub(super) fn needed(
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
    pub(super) fn merged(self, check: &mut Check, current: Option<Source>) -> Option<Source> {
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
    pub(super) fn checked(self, check: &mut Check, index: usize) -> Option<Attachment> {
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
    pub(super) fn merged(self, check: &mut Check, current: Option<Seo>) -> Option<Seo> {
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

/// A body, as sent. Blank content means that there is no body.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
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
    pub(super) fn merged(self, check: &mut Check, current: Option<NewBody>) -> Option<NewBody> {
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
