//! The spec is always true: every answer of the suite is held against the OpenAPI document. A
//! status, media type or member that the document lacks fails the fact that met it.

use std::collections::HashMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(&lanmu::openapi::pretty()).expect("the document is JSON")
});

/// One validator for each schema that an answer has.
static VALIDATORS: LazyLock<HashMap<String, Validator>> = LazyLock::new(|| {
    let mut closed = DOCUMENT.clone();
    close(&mut closed["components"]["schemas"]);
    let mut validators = HashMap::new();
    for (path, item) in closed["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("a path") {
            for (status, response) in operation["responses"].as_object().expect("responses") {
                for (media_type, content) in response["content"].as_object().into_iter().flatten() {
                    if media_type.contains("json") {
                        let schema = json!({
                            "$schema": "https://json-schema.org/draft/2020-12/schema",
                            "allOf": [content["schema"]],
                            "components": closed["components"],
                        });
                        let validator = jsonschema::validator_for(&schema).expect("a schema");
                        validators.insert(key(method, path, status), validator);
                    }
                }
            }
        }
    }
    validators
});

/// Makes the validators. That takes a while, in which an idle connection would be closed.
pub fn prepare() {
    LazyLock::force(&VALIDATORS);
}

fn key(method: &str, path: &str, status: &str) -> String {
    format!("{} {path} {status}", method.to_uppercase())
}

/// Refuses members that a schema doesn't name.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties") && !object.contains_key("additionalProperties") {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// The documented path that this path is one of.
fn template(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split('/').collect();
    let matches = |template: &str| {
        let wanted: Vec<&str> = template.split('/').collect();
        wanted.len() == parts.len()
            && wanted
                .iter()
                .zip(&parts)
                .all(|(want, part)| want == part || (want.starts_with('{') && !part.is_empty()))
    };
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    let exact = paths.keys().find(|template| template.as_str() == path);
    exact
        .or_else(|| paths.keys().find(|template| matches(template)))
        .map(String::as_str)
}

/// The document.
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// The documented operation of this method and path.
pub fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let item = &DOCUMENT["paths"][template(path)?];
    item.get(method.as_str().to_lowercase())
}

/// Holds an answer against the document.
#[track_caller]
pub fn check(method: &Method, path: &str, answer: &Answer) {
    let Some(template) = template(path) else {
        return;
    };
    let name = if *method == Method::HEAD {
        "get"
    } else {
        &method.as_str().to_lowercase()
    };
    let operation = &DOCUMENT["paths"][template][name];
    if operation.is_null() {
        return;
    }
    let status = answer.status.to_string();
    let response = &operation["responses"][&status];
    assert!(
        !response.is_null(),
        "{method} {template} does not document {answer}"
    );
    if *method == Method::HEAD || answer.body.is_empty() {
        return;
    }
    let media_type = answer.header("content-type").unwrap_or_default();
    // The document names media types without their parameters.
    let media_type = media_type.split(';').next().unwrap_or_default();
    let content = &response["content"][media_type];
    assert!(
        !content.is_null(),
        "{method} {template} {status} does not document {media_type}"
    );
    if answer.header("content-encoding").is_some() || !media_type.contains("json") {
        return;
    }
    let validator = VALIDATORS
        .get(&key(name, template, &status))
        .expect("made above");
    let faults: Vec<String> = validator
        .iter_errors(&answer.json)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(
        faults.is_empty(),
        "{method} {template} {status}: {faults:?} in {answer}"
    );
}
