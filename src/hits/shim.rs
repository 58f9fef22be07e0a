//! A count as a script, for old static pages.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use utoipa::IntoParams;

use crate::app::App;
use crate::articles;
use crate::error::{ApiError, ApiResult, FaultCode};
use crate::http::answer::Delivery;
use crate::http::params::{FromParams, Params, Reader};

use crate::visibility::deliver_counted;

use super::store;

/// The longest name of a function, in characters.
const MAX_CALLBACK: usize = 64;
/// The most names that are joined by dots in it.
const MAX_NAMES: usize = 4;

const SCRIPT: &str = "application/javascript; charset=utf-8";

/// What no function is called: the reserved words of ECMAScript, also those of modules, strict code
/// and the future, and its literals.
const RESERVED: &[&str] = &[
    "arguments",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

/// Which function is called.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `ScriptQuery` reads")]
struct ScriptParams {
    /// The function that the script calls with the count: up to four names joined by dots, none of
    /// them a reserved word.
    #[param(
        max_length = 64,
        pattern = "^[A-Za-z_$][A-Za-z0-9_$]*(\\.[A-Za-z_$][A-Za-z0-9_$]*){0,3}$",
        example = "showHits"
    )]
    callback: String,
}

#[derive(Debug)]
pub struct ScriptQuery {
    callback: String,
}

impl FromParams for ScriptQuery {
    fn from_params(reader: &mut Reader) -> Self {
        let given = reader.pairs().iter().any(|(name, _)| name == "callback");
        let callback = reader.text_within("callback", MAX_CALLBACK);
        if !given {
            reader.fault("callback", FaultCode::Required, "is required");
        } else if callback.as_deref().is_some_and(|name| !is_callback(name)) {
            let detail = "must be up to four names of functions joined by dots, none reserved";
            reader.fault("callback", FaultCode::Invalid, detail);
        }
        Self {
            callback: callback.unwrap_or_default(),
        }
    }
}

/// Whether a script may call that: nothing else than names, so that nothing of the request's runs.
fn is_callback(text: &str) -> bool {
    let is_name = |name: &str| {
        let mut bytes = name.bytes();
        let is_letter = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$');
        bytes.next().is_some_and(is_letter)
            && bytes.all(|byte| is_letter(byte) || byte.is_ascii_digit())
            && !RESERVED.contains(&name)
    };
    text.len() <= MAX_CALLBACK
        && text.split('.').count() <= MAX_NAMES
        && text.split('.').all(is_name)
}

/// Read the count of an article as a script
///
/// For old static pages only, which show a count by a script element: calls a function of the page with
/// the count, as in `showHits({"article_id":12,"total":1530,…});`. Pages that can use
/// `fetch` read `/v1/articles/{ref}/hits`. Reading never counts.
#[utoipa::path(
    tag = "hits", operation_id = "getArticleHitsScript",
    params(
        ("ref" = String, Path, description = "Id or slug of the article", max_length = 120, example = "12"),
        ScriptParams,
    ),
    responses((
        status = 200, description = "The script", body = String,
        content_type = "application/javascript",
    )),
)]
#[get("/v1/articles/{ref}/hits.js")]
pub async fn read_as_script(
    app: Data<App>,
    req: HttpRequest,
    path: Path<String>,
    query: Params<ScriptQuery>,
) -> ApiResult<HttpResponse> {
    let (text, raw) = (path.into_inner(), req.query_string().to_owned());
    let (callback, zone) = (query.0.callback, app.config.site.zone);
    let mut answer = deliver_counted(&app, &req, move |conn, view| {
        let now = view.now;
        let id = articles::resolve_public(conn, &text, "/hits.js", &raw, now)?;
        let count = store::counts(conn, &[id], zone.day(now))?.remove(&id);
        let count = count.ok_or_else(|| ApiError::not_found("article"))?;
        // Numbers and an instant: nothing in it that JSON and scripts spell differently. The comment
        // keeps the first bytes from being anything else than a script's.
        let json = serde_json::to_string(&count).map_err(|e| ApiError::Internal(e.to_string()))?;
        let script = format!("/**/{callback}({json});");
        Ok(Delivery::bytes(script.into_bytes(), SCRIPT))
    })
    .await?;
    // Pages elsewhere load it, also those that are isolated from other origins.
    let policy = HeaderName::from_static("cross-origin-resource-policy");
    let anybody = HeaderValue::from_static("cross-origin");
    answer.headers_mut().insert(policy, anybody);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_called() {
        let longest = "a".repeat(64);
        for good in [
            "show",
            "$",
            "_1",
            "jQuery.fn.hits",
            "a.b.c.d",
            "thisOne",
            &longest,
        ] {
            assert!(is_callback(good), "{good}");
        }
        let too_long = "a".repeat(65);
        for bad in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a.b.c.d.e",
            "1a",
            "a-b",
            "a b",
            "a(",
            "a()",
            "a[0]",
            "a=b",
            "alert(1)//",
            "</script>",
            "点击",
            "a\\u0041",
            "a\u{2028}",
            "a;b",
            "a'b",
            "a`b",
            "this",
            "new",
            "eval",
            "a.function",
            "await",
            &too_long,
        ] {
            assert!(!is_callback(bad), "{bad}");
        }
    }
}
