//! Everything that can be read without a caller.

use reqwest::Method;

use crate::support::app::TestApp;
use crate::support::contract::document;

/// What paths and parameters are filled with.
pub struct References {
    pub articles: Vec<String>,
    pub sections: Vec<String>,
    pub words: Vec<String>,
}

/// What was read: where, and the answer's head and body.
pub struct Page {
    pub path: String,
    pub text: String,
}

/// Each `GET` of the document that needs no caller, with everything that its path and its parameters
/// may name, public or not.
pub async fn crawl(app: &TestApp, known: &References) -> Vec<Page> {
    let mut pages = Vec::new();
    for (template, item) in document()["paths"].as_object().expect("paths") {
        let operation = &item["get"];
        let is_open = operation["security"].as_array().is_some_and(Vec::is_empty);
        // Previews are for those who have the link, and the document tells of no article.
        let is_apart = template.contains("{token}") || template == "/openapi.json";
        if operation.is_null() || !is_open || is_apart {
            continue;
        }
        let parameters = operation["parameters"].as_array();
        let names: Vec<&str> = parameters
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        for path in paths(template, known) {
            for query in queries(&names, known) {
                let path = format!("{path}{query}");
                pages.push(read(app, path).await);
            }
        }
    }
    assert!(pages.len() > 100, "{} pages are too few", pages.len());
    pages
}

fn paths(template: &str, known: &References) -> Vec<String> {
    if !template.contains('{') {
        return vec![template.to_owned()];
    }
    assert!(
        template.contains("{ref}"),
        "{template} has another parameter"
    );
    let references = match template.starts_with("/v1/sections") {
        true => &known.sections,
        false => &known.articles,
    };
    let fill = |reference: &String| template.replace("{ref}", reference);
    references.iter().map(fill).collect()
}

fn queries(names: &[&str], known: &References) -> Vec<String> {
    let mut queries = vec![String::new()];
    let ids: Vec<&str> = known
        .articles
        .iter()
        .filter(|reference| reference.bytes().all(|b| b.is_ascii_digit()))
        .map(String::as_str)
        .collect();
    for name in names {
        let values: Vec<&str> = match *name {
            "section" | "parent" => known.sections.iter().map(String::as_str).collect(),
            "tag" | "keyword" => known.words.iter().map(String::as_str).collect(),
            "article" => ids.clone(),
            "sort" => vec!["updated_at", "title", "-published_at"],
            "window" => vec!["all", "today"],
            "limit" => vec!["100", "1"],
            "published_to" => vec!["2099-01-01"],
            _ => vec![],
        };
        queries.extend(values.iter().map(|value| format!("?{name}={value}")));
    }
    if names.contains(&"include") {
        for include in ["hits", "body", "articles"] {
            queries.push(format!("?include={include}"));
        }
    }
    for name in ["ids", "article_ids"]
        .iter()
        .filter(|name| names.contains(name))
    {
        queries.push(format!("?{name}={}", ids.join(",")));
    }
    queries
}

async fn read(app: &TestApp, path: String) -> Page {
    let answer = app.request(Method::GET, &path).send().await;
    // A parameter that is needed, or does not go with another, is another matter.
    assert!(answer.status < 500, "{path}: {answer}");
    let mut text = answer.text();
    // Links say again what was asked for.
    let links = if path.contains('?') {
        None
    } else {
        Some("link")
    };
    for name in ["location", "etag"].into_iter().chain(links) {
        text.push_str(answer.header(name).unwrap_or_default());
    }
    Page { path, text }
}
