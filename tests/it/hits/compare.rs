//! What reads tell of hits, held against the list of all hits.

use chrono::Days;
use lanmu::db::Timestamp;
use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::numbers::Numbers;

use super::model::{Model, Place, TAG, WINDOWS};
use super::number;

fn instant(value: &Value) -> Option<Timestamp> {
    value.as_str().and_then(Timestamp::parse)
}

/// What reads tell of the place is what the model has of it.
async fn compare_place(app: &TestApp, model: &Model, place: Place) {
    let ids = model.public(place);
    let last = model.last(&ids);
    let whose = match place {
        Place::Section(id) => format!("section={id}"),
        _ => String::new(),
    };
    let windows = WINDOWS.map(|(_, days)| model.views(&ids, days));
    match place {
        Place::Section(id) => {
            let path = format!("/v1/sections/{id}/hits");
            if !model.is_shown(id) {
                app.get(&path).await.problem(404, "not_found");
                return;
            }
            let count = app.get(&path).await.ok(200);
            let names = ["today", "last_7_days", "last_30_days", "total"];
            let told = names.map(|name| number(&count, name));
            assert_eq!(told, windows, "windows of {place:?}");
            assert_eq!(instant(&count["as_of"]), last, "as_of of {place:?}");
        }
        _ => {
            let site = app.get("/v1/site").await.ok(200);
            assert_eq!(number(&site, "hit_count"), windows[3], "hit_count");
            assert_eq!(site["article_count"], ids.len(), "article_count");
        }
    }
    let first = model.today() - Days::new(59);
    let daily = app
        .get(&format!("/v1/hits/daily?{whose}&from={first}").replace("?&", "?"))
        .await;
    let daily = daily.ok(200);
    assert_eq!(
        daily.each("hits"),
        model.daily(&ids, 60),
        "days of {place:?}"
    );
    assert_eq!(instant(&daily["as_of"]), last, "as_of of {place:?}");
    let monthly = app.get(&format!("/v1/hits/monthly?{whose}")).await;
    let monthly = monthly.ok(200).each("hits");
    assert_eq!(monthly, model.monthly(&ids), "months of {place:?}");
    let hourly = app.get(&format!("/v1/hits/hourly?{whose}")).await;
    let hourly = hourly.ok(200).each("hits");
    assert_eq!(hourly, model.hourly(&ids), "hours of {place:?}");
}

/// The rankings of the place are the model's.
pub async fn compare_ranking(app: &TestApp, model: &Model, place: Place, limit: usize) {
    let ids = model.public(place);
    let whose = match place {
        Place::Section(id) if !model.is_shown(id) => return,
        Place::Section(id) => format!("&section={id}"),
        _ => String::new(),
    };
    for (name, days) in WINDOWS {
        let mut expected = model.ranked(&ids, days);
        expected.retain(|(views, _)| *views > 0);
        expected.truncate(limit);
        let path = format!("/v1/hits/top?window={name}&limit={limit}{whose}");
        let top = app.get(&path).await.ok(200);
        let items = top["data"].as_array().expect("a list").iter();
        let told: Vec<(i64, i64)> = items
            .map(|item| {
                let number = |value: &Value| value.as_i64().expect("a number");
                (number(&item["hits"]), number(&item["article"]["id"]))
            })
            .collect();
        assert_eq!(told, expected, "{path} on {}", model.today());
        let ranks: Vec<i64> = (1..).take(told.len()).collect();
        assert_eq!(top.each("rank"), ranks);
        let ranked: Vec<i64> = expected.iter().map(|(_, id)| *id).collect();
        assert_eq!(instant(&top["as_of"]), model.last(&ranked), "{path}");
    }
}

/// Lists sorted by views are the model's, read page by page.
pub async fn compare_list(app: &TestApp, model: &Model, place: Place, tag: bool, limit: usize) {
    let mut ids = model.public(place);
    let mut filter = match place {
        Place::Section(id) | Place::Alone(id) if !model.is_shown(id) => return,
        Place::Section(id) => format!("&section={id}"),
        Place::Alone(id) => format!("&section={id}&subsections=false"),
        Place::Site => String::new(),
    };
    if tag {
        ids.retain(|id| model.articles.iter().any(|a| a.id == *id && a.tagged));
        filter = format!("{filter}&tag={TAG}");
    }
    for (sort, days) in [("hits", None), ("last_7_days", Some(7))] {
        let ranked = model.ranked(&ids, days);
        let descending: Vec<i64> = ranked.iter().map(|(_, id)| *id).collect();
        let ascending = descending.iter().rev().copied().collect();
        for (sign, expected) in [("-", descending), ("", ascending)] {
            let mut told: Vec<i64> = Vec::new();
            for page in 1..=ids.len().div_ceil(limit).max(1) {
                let path = format!(
                    "/v1/articles?sort={sign}{sort}&limit={limit}&page={page}&include=hits{filter}"
                );
                let list = app.get(&path).await.ok(200);
                assert_eq!(list["page"]["total"], ids.len(), "{path}");
                for item in list["data"].as_array().expect("a list") {
                    let id = item["id"].as_i64().expect("an id");
                    let of_window = match days {
                        None => &item["hits"]["total"],
                        Some(_) => &item["hits"]["last_7_days"],
                    };
                    assert_eq!(*of_window, model.views(&[id], days), "{path}: {id}");
                    told.push(id);
                }
            }
            assert_eq!(
                told, expected,
                "{sign}{sort} by {limit} of {place:?}{filter}"
            );
        }
    }
}

async fn compare_articles(app: &TestApp, model: &Model) {
    let all: Vec<i64> = model.articles.iter().map(|article| article.id).collect();
    for chunk in all.chunks(100) {
        let ids: Vec<String> = chunk.iter().map(ToString::to_string).collect();
        let path = format!("/v1/hits?article_ids={}", ids.join(","));
        let counts = app.get(&path).await.ok(200);
        let public: Vec<i64> = chunk
            .iter()
            .copied()
            .filter(|id| model.is_public(*id))
            .collect();
        assert_eq!(counts.each("article_id"), public);
        for count in counts["data"].as_array().expect("a list") {
            let id = count["article_id"].as_i64().expect("an id");
            let names = ["today", "last_7_days", "last_30_days", "total"];
            let told = names.map(|name| count[name].as_i64().expect("a number"));
            let expected = WINDOWS.map(|(_, days)| model.views(&[id], days));
            assert_eq!(told, expected, "article {id}");
            assert_eq!(instant(&count["as_of"]), model.last(&[id]), "article {id}");
        }
    }
}

/// Holds what one of the nodes tells against the list of hits.
pub async fn compare(model: &Model, numbers: &Numbers) {
    let app = model.node(numbers);
    // What another node wrote is known here a moment later.
    lanmu::cache::look(&app.app).await.expect("the change log");
    compare_articles(&app, model).await;
    let sections = model.sections.iter();
    let sections = sections.map(|section| Place::Section(section.id));
    for place in std::iter::once(Place::Site).chain(sections) {
        compare_place(&app, model, place).await;
    }
    let section = model.any_section(numbers);
    let limit = numbers.pick(&[1, 2, 3, 5, 8, 100]);
    for place in [Place::Site, Place::Section(section)] {
        compare_ranking(&app, model, place, limit).await;
    }
    let places = [Place::Site, Place::Section(section), Place::Alone(section)];
    let (place, tag) = (numbers.pick(&places), numbers.below(3) == 0);
    compare_list(&app, model, place, tag, limit.max(3)).await;
}
