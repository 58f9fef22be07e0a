//! What is looked for in an article before it is published.
//!
//! [`Checker::check`] looks at what is stored and finds: it changes nothing and asks nobody.
//! [`blocked`] says which findings keep an article from being published. [`finding`] has the kinds of
//! findings, [`words`] the operator's list, [`links`] what an address is, [`body`], [`markup`] and
//! [`markdown`] the reading of what an author sent: what is served is sanitised, and tells nothing
//! of it. Everything takes time in proportion to the text.

pub mod admin;
pub mod body;
pub mod finding;
pub mod links;
mod markdown;
pub mod markup;
pub mod words;

#[cfg(test)]
mod tests;

use url::Url;

use crate::articles::store::Stored;
use crate::articles::wire::BodyFormat;
use crate::config::{Config, ConfigError};
use crate::error::Fault;
use crate::http::fields::trim;

use body::{Body, listed};
use finding::Collector;
use words::Words;

pub use finding::{CheckCode, Finding, Findings, MAX_TOLD, Severity, blocked};

/// How much of what was found is told, in characters.
const MAX_QUOTED: usize = 100;

/// What is stored of an article, as far as it is looked at.
#[derive(Debug, Clone, Copy, Default)]
#[allow(missing_docs, reason = "named as the members of an article")]
pub struct Article<'a> {
    pub title: &'a str,
    pub subtitle: Option<&'a str>,
    pub short_title: Option<&'a str>,
    pub summary: Option<&'a str>,
    /// The name of its source.
    pub source: Option<&'a str>,
    /// The alternative text of its cover; `None`: it has no cover.
    pub cover_alt: Option<&'a str>,
    pub body: Option<Body<'a>>,
}

impl<'a> From<&'a Stored> for Article<'a> {
    fn from(stored: &'a Stored) -> Self {
        let (row, details) = (&stored.row, &stored.details);
        let cover = row.cover.as_ref();
        let format = details.format.as_deref().and_then(BodyFormat::parse);
        let body = format.zip(details.source.as_deref());
        Self {
            title: &row.title,
            subtitle: row.subtitle.as_deref(),
            short_title: row.short_title.as_deref(),
            summary: row.summary.as_deref(),
            source: row.source_name.as_deref(),
            cover_alt: cover.map(|cover| cover.0.alt.as_deref().unwrap_or_default()),
            body: body.map(|(format, source)| Body {
                format,
                source,
                text: details.text.as_deref().unwrap_or_default(),
            }),
        }
    }
}

/// What articles are checked for, by the settings.
#[derive(Debug)]
pub struct Checker {
    words: Words,
    /// The host of the site; `None`: no link is known to lead to another one.
    site_host: Option<String>,
    blocks: Vec<CheckCode>,
}

impl Checker {
    /// The checks that the settings ask for; reads the list of words.
    pub fn load(config: &Config) -> Result<Self, ConfigError> {
        let words = match &config.check_words_file {
            Some(path) => Words::read(path),
            None => Words::none(),
        };
        let wrong = |name| move |problem| ConfigError { name, problem };
        let blocks = config.check_blocks.iter().map(|name| parse_code(name));
        Ok(Self {
            words: words.map_err(wrong("LANMU_CHECK_WORDS_FILE"))?,
            site_host: config.site.url.as_deref().and_then(host),
            blocks: blocks
                .collect::<Result<_, _>>()
                .map_err(wrong("LANMU_CHECK_BLOCKS"))?,
        })
    }

    /// The checks whose findings keep an article from being published.
    pub fn blocks(&self) -> &[CheckCode] {
        &self.blocks
    }

    /// What there is to find in a stored article. The work is in proportion to its body, and is to
    /// be done where work may take its time.
    pub fn check(&self, stored: &Stored) -> Findings {
        self.look_at(&Article::from(stored))
    }

    /// The faults that keep an article from being published, or changed where it is public: see
    /// [`blocked`]. `before` is the article as readers see it, where they do. Looks at nothing where
    /// the settings name no check that blocks.
    pub fn faults(&self, before: Option<&Stored>, after: &Stored) -> Vec<Fault> {
        if self.blocks.is_empty() {
            return Vec::new();
        }
        let before = before.map(|stored| self.check(stored));
        blocked(before.as_ref(), &self.check(after), &self.blocks)
    }

    /// What there is to find in an article.
    pub fn look_at(&self, article: &Article<'_>) -> Findings {
        let mut found = Collector::default();
        for (pointer, text) in [
            ("/title", Some(article.title)),
            ("/subtitle", article.subtitle),
            ("/short_title", article.short_title),
            ("/summary", article.summary),
        ] {
            self.words_in(&mut found, pointer, text.unwrap_or_default());
        }
        let is_missing = |text: Option<&str>| trim(text.unwrap_or_default()).is_empty();
        if is_missing(article.summary) {
            let detail = "the article has no summary";
            found.add_plain(CheckCode::MissingSummary, "/summary", detail);
        }
        if is_missing(article.source) {
            let detail = "the article names no source";
            found.add_plain(CheckCode::MissingSource, "/source", detail);
        }
        if article.cover_alt.is_some() && is_missing(article.cover_alt) {
            let detail = "the cover has no alternative text: say what it shows";
            found.add_plain(CheckCode::ImageWithoutAlt, "/cover/alt", detail);
        }
        if let Some(body) = article.body {
            body::look(body, self, &mut found);
        }
        found.finish()
    }

    fn words_in(&self, found: &mut Collector, pointer: &'static str, text: &str) {
        for word in self.words.find(text) {
            found.add(CheckCode::ListedWord, pointer, || {
                (Some(word.start()), listed(&text[word.range()]))
            });
        }
        found.settle(text);
    }
}

fn parse_code(name: &str) -> Result<CheckCode, String> {
    CheckCode::parse(name).ok_or_else(|| {
        let names: Vec<&str> = CheckCode::ALL.iter().map(|code| code.as_str()).collect();
        format!("has {name:?}, which is no check: use {}", names.join(", "))
    })
}

fn host(address: &str) -> Option<String> {
    links::host(&Url::parse(address).ok()?)
}

/// The text in quotes, cut where it is long, in one line.
fn quoted(text: &str) -> String {
    let mut quoted: String = text
        .chars()
        .take(MAX_QUOTED)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if quoted.len() < text.len() {
        quoted.push('…');
    }
    format!("\"{quoted}\"")
}
