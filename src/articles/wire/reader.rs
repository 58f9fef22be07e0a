//! What readers get.

use serde::Serialize;
use utoipa::ToSchema;

use super::parts::{Attachment, Cover, Seo, Source, Term};
use crate::db::Timestamp;
use crate::hits::wire::HitCount;
use crate::http::answer::CountPlace;
use crate::http::keys::{Key, Keys};
use crate::sections::wire::{Breadcrumb, SectionRef};

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

macro_rules! reader_schema {
    ($(#[$meta:meta])* $name:ident in { $($place:tt)* } with { $($extra:tt)* }) => {
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
            $($place)*
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
    ArticleSummary in {
        /// The section that it stands in.
        pub section: SectionRef,
    } with {
        /// The body; only with `include=body`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub body: Option<Option<Body>>,
        /// The hit count; only with `include=hits`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, value_type = Option<HitCount>)]
        pub hits: Option<CountPlace>,
    }
}

reader_schema! {
    /// An article with all that its page shows.
    Article in {
        /// The section that it stands in.
        pub section: SectionRef,
    } with {
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
        #[schema(nullable = false, value_type = Option<HitCount>)]
        pub hits: Option<CountPlace>,
    }
}

reader_schema! {
    /// An article as followers of the change log get it: other resources stand in it by their ids
    /// alone.
    ChangedArticle in {
        /// The section that it stands in.
        #[schema(minimum = 1)]
        pub section_id: i64,
        /// Other sections that it is listed in.
        #[schema(max_items = 20)]
        pub also_in: Vec<i64>,
        /// Its place among the articles of its section that were put in order by hand, from 0; null
        /// where it wasn't.
        #[schema(required, nullable, minimum = 0)]
        pub position: Option<i64>,
    } with {
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
    }
}

impl ChangedArticle {
    /// The same article with ids where it has resources.
    pub fn new(article: Article, position: Option<i64>) -> Self {
        Self {
            id: article.id,
            slug: article.slug,
            title: article.title,
            subtitle: article.subtitle,
            short_title: article.short_title,
            summary: article.summary,
            section_id: article.section.id,
            also_in: article.also_in.iter().map(|section| section.id).collect(),
            position,
            source: article.source,
            author: article.author,
            editor: article.editor,
            keywords: article.keywords,
            tags: article.tags,
            cover: article.cover,
            lang: article.lang,
            external_url: article.external_url,
            featured: article.featured,
            pinned_until: article.pinned_until,
            published_at: article.published_at,
            published_local: article.published_local,
            expires_at: article.expires_at,
            updated_at: article.updated_at,
            word_count: article.word_count,
            reading_minutes: article.reading_minutes,
            links: article.links,
            attachments: article.attachments,
            canonical_url: article.canonical_url,
            seo: article.seo,
            body: article.body,
        }
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

impl ArticleSummary {
    /// The keys of what it shows.
    pub fn keys(&self) -> [Key; 2] {
        [Key::Article(self.id), Key::Section(self.section.id)]
    }
}

impl Article {
    /// The keys of what it shows.
    pub fn keys(&self) -> Keys {
        let steps = self.breadcrumb.iter().filter_map(|step| step.id);
        let sections = steps.chain(self.also_in.iter().map(|section| section.id));
        let article = [Key::Article(self.id)].into_iter();
        article.chain(sections.map(Key::Section)).collect()
    }

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

crate::list_of! {
    /// A page of articles.
    ArticleList, ArticleSummary
}
