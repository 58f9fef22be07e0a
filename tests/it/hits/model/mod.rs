//! The simplest that can be known of hits: a list of all of them. What sums, series and rankings should
//! tell is added up from it each time.

mod steps;

use std::rc::Rc;

use chrono::{Datelike, Days, NaiveDate};
use lanmu::db::Timestamp;
use serde_json::Value;

use crate::support::app::TestApp;

/// A section: where it stands, and whether it is shown where those above are.
#[derive(Debug, Clone)]
pub struct Section {
    pub id: i64,
    pub parent: Option<i64>,
    pub visible: bool,
}

/// An article as the last answer of management had it.
#[derive(Debug, Clone, Default)]
pub struct Article {
    pub id: i64,
    pub section: i64,
    pub also_in: Vec<i64>,
    pub tagged: bool,
    /// Published or scheduled.
    pub released: bool,
    pub published_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub gone: bool,
    pub baseline: i64,
    pub last_at: Option<Timestamp>,
}

/// The tag of tagged articles.
pub const TAG: &str = "潮汐";

/// What is looked at: the site, or a section with or without what is below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Site,
    Section(i64),
    Alone(i64),
}

/// The windows of rankings: their names and days.
pub const WINDOWS: [(&str, Option<u64>); 4] = [
    ("today", Some(1)),
    ("last_7_days", Some(7)),
    ("last_30_days", Some(30)),
    ("all", None),
];

/// Everything that was acknowledged.
pub struct Model {
    pub nodes: [Rc<TestApp>; 2],
    pub sections: Vec<Section>,
    pub articles: Vec<Article>,
    /// Every hit that counts: of which article, when.
    pub hits: Vec<(i64, Timestamp)>,
    /// The oldest day of series by days, where older ones become months.
    pub oldest: NaiveDate,
}

/// The day in Shanghai, which is always 8 hours ahead of UTC.
pub fn day(at: Timestamp) -> NaiveDate {
    let days = (at.millis() + 8 * 3_600_000).div_euclid(86_400_000);
    let first = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a date");
    first + Days::new(u64::try_from(days).expect("after 1970"))
}

impl Model {
    pub fn new(nodes: [Rc<TestApp>; 2]) -> Self {
        Self {
            nodes,
            sections: Vec::new(),
            articles: Vec::new(),
            hits: Vec::new(),
            oldest: NaiveDate::MIN,
        }
    }

    pub fn now(&self) -> Timestamp {
        self.nodes[0].now()
    }

    pub fn today(&self) -> NaiveDate {
        day(self.now())
    }

    pub fn article(&mut self, id: i64) -> &mut Article {
        let found = self.articles.iter_mut().find(|article| article.id == id);
        found.expect("an article")
    }

    /// Takes an article as management tells it.
    pub fn take(&mut self, told: &Value) {
        let instant = |name: &str| told[name].as_str().and_then(Timestamp::parse);
        let id = told["id"].as_i64().expect("an id");
        if !self.articles.iter().any(|article| article.id == id) {
            let new = Article {
                id,
                ..Article::default()
            };
            self.articles.push(new);
        }
        let status = told["status"].as_str().expect("a status");
        let also = told["also_in"].as_array().expect("sections").iter();
        let article = self.article(id);
        article.section = told["section_id"].as_i64().expect("a section");
        article.also_in = also.map(|id| id.as_i64().expect("an id")).collect();
        article.tagged = told["tags"].as_array().is_some_and(|tags| !tags.is_empty());
        article.released = matches!(status, "published" | "scheduled");
        article.published_at = instant("published_at");
        article.expires_at = instant("expires_at");
    }

    /// A hit that counts.
    pub fn count(&mut self, id: i64, at: Timestamp) {
        self.hits.push((id, at));
        let article = self.article(id);
        article.last_at = article.last_at.max(Some(at));
    }

    /// The article's count goes back to zero.
    pub fn reset(&mut self, id: i64) {
        self.hits.retain(|(article, _)| *article != id);
        self.article(id).baseline = 0;
    }

    fn section(&self, id: i64) -> Option<&Section> {
        self.sections.iter().find(|section| section.id == id)
    }

    /// A section and those above it.
    fn upwards(&self, id: i64) -> Vec<&Section> {
        let mut path = Vec::new();
        let mut next = self.section(id);
        while let Some(section) = next {
            path.push(section);
            next = section.parent.and_then(|parent| self.section(parent));
        }
        path
    }

    pub fn is_shown(&self, id: i64) -> bool {
        let path = self.upwards(id);
        !path.is_empty() && path.iter().all(|section| section.visible)
    }

    fn is_within(&self, id: i64, above: i64) -> bool {
        self.upwards(id).iter().any(|section| section.id == above)
    }

    pub fn is_public(&self, id: i64) -> bool {
        let now = self.now();
        self.articles.iter().any(|article| {
            let has_come = article.published_at.is_some_and(|at| at <= now);
            let is_over = article.expires_at.is_some_and(|at| at <= now);
            let is_there = article.id == id && !article.gone && article.released;
            is_there && has_come && !is_over && self.is_shown(article.section)
        })
    }

    /// What is public in a place.
    pub fn public(&self, place: Place) -> Vec<i64> {
        let stands = |article: &&Article| {
            let mut places = std::iter::once(&article.section).chain(&article.also_in);
            match place {
                Place::Site => true,
                Place::Section(above) => {
                    places.any(|id| self.is_shown(*id) && self.is_within(*id, above))
                }
                Place::Alone(section) => places.any(|id| *id == section),
            }
        };
        let those = self.articles.iter().filter(stands);
        let those = those.filter(|article| self.is_public(article.id));
        those.map(|article| article.id).collect()
    }

    /// Views of these articles, of so many days up to now or of all time.
    pub fn views(&self, ids: &[i64], days: Option<u64>) -> i64 {
        let Some(days) = days else {
            let articles = self.articles.iter();
            let baselines = articles.filter(|article| ids.contains(&article.id));
            let baselines: i64 = baselines.map(|article| article.baseline).sum();
            return baselines + self.counted(|id, _| ids.contains(&id));
        };
        let first = self.today() - Days::new(days - 1);
        self.counted(|id, day| ids.contains(&id) && day >= first)
    }

    fn counted(&self, wanted: impl Fn(i64, NaiveDate) -> bool) -> i64 {
        let hits = self.hits.iter().filter(|(id, at)| wanted(*id, day(*at)));
        i64::try_from(hits.count()).expect("few")
    }

    /// Views of each of the last so many days.
    pub fn daily(&self, ids: &[i64], days: u64) -> Vec<i64> {
        let days = (0..days).rev().map(|back| self.today() - Days::new(back));
        let of = |wanted: NaiveDate| match wanted < self.oldest {
            true => 0,
            false => self.counted(|id, day| ids.contains(&id) && day == wanted),
        };
        days.map(of).collect()
    }

    /// Views of each of the last 12 months.
    pub fn monthly(&self, ids: &[i64]) -> Vec<i64> {
        let number = |day: NaiveDate| day.year() * 12 + day.month0() as i32;
        let present = number(self.today());
        let of = |month| self.counted(|id, day| ids.contains(&id) && number(day) == month);
        (present - 11..=present).map(of).collect()
    }

    /// Views of each of the last 48 hours, which in Shanghai are those of UTC.
    pub fn hourly(&self, ids: &[i64]) -> Vec<i64> {
        let hour = |at: Timestamp| at.millis().div_euclid(3_600_000);
        let present = hour(self.now());
        let of = |wanted| {
            let hits = self.hits.iter();
            let hits = hits.filter(|(id, at)| ids.contains(id) && hour(*at) == wanted);
            i64::try_from(hits.count()).expect("few")
        };
        (present - 47..=present).map(of).collect()
    }

    /// Views and ids of these articles, the most viewed first, the later made first among equals.
    pub fn ranked(&self, ids: &[i64], days: Option<u64>) -> Vec<(i64, i64)> {
        let mut ranked: Vec<(i64, i64)> = ids
            .iter()
            .map(|id| (self.views(&[*id], days), *id))
            .collect();
        ranked.sort_unstable();
        ranked.reverse();
        ranked
    }

    /// When the last view of these articles was.
    pub fn last(&self, ids: &[i64]) -> Option<Timestamp> {
        let articles = self.articles.iter();
        let those = articles.filter(|article| ids.contains(&article.id));
        those.filter_map(|article| article.last_at).max()
    }
}
