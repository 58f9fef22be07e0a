//! Counts as a table for spreadsheets.

use std::sync::Arc;

use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpResponse, get};
use csv::{Terminator, Writer, WriterBuilder};
use futures_util::StreamExt;
use futures_util::stream::{iter, try_unfold};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::{Can, Permission, ReadHits};
use crate::db::{Conn, Timestamp};
use crate::error::{ApiError, ApiResult};
use crate::hits::store::{self, Among, Exported};
use crate::hits::wire::ManagedHitCount;
use crate::http::params::{FromParams, Params, Reader};
use crate::http::reference::Ref;
use crate::sections::{self, Reach, Tree};

/// How many articles are read at once: what the export takes of memory.
const PAGE: i64 = 1000;

/// By this spreadsheets know UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

const COLUMNS: [&str; 25] = [
    "article_id",
    "title",
    "slug",
    "section",
    "status",
    "total",
    "today",
    "last_7_days",
    "last_30_days",
    "visitors_today",
    "visitors_7_days",
    "visitors_30_days",
    "baseline",
    "counted",
    "adjusted",
    "duplicate",
    "bot",
    "rejected",
    "received",
    "web",
    "h5",
    "app",
    "mini",
    "other",
    "as_of",
];

/// Which articles.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `ExportQuery` reads")]
struct ExportParams {
    /// Only articles in this section and below it: its id or slug.
    #[param(
        max_length = 120,
        pattern = "^([1-9][0-9]{0,17}|[a-z0-9-]*[a-z-][a-z0-9-]*)$",
        example = "news"
    )]
    section: Option<String>,
}

#[derive(Debug)]
pub struct ExportQuery {
    section: Option<Ref>,
}

impl FromParams for ExportQuery {
    fn from_params(reader: &mut Reader) -> Self {
        Self {
            section: sections::read_reference(reader, "section"),
        }
    }
}

/// A table of comma-separated values (RFC 4180).
#[derive(ToSchema)]
#[schema(value_type = String)]
#[allow(dead_code, reason = "documents what `export` answers")]
struct Csv(String);

/// Export counts with their ledgers
///
/// The counts of all articles that the caller works with, in every state, as comma-separated values
/// (RFC 4180) with a byte-order mark, by ascending id: `section` is the section's name, `as_of` when the
/// last view was, and the other columns are those of the list. A text that a spreadsheet would take for
/// a formula has a `'` before it. The table is sent as it is read, 1,000 articles at a time, so each row
/// is as of its page, not all of them as of one instant; one that breaks off is cut short.
#[utoipa::path(
    tag = "manage hits", operation_id = "exportHits", params(ExportParams),
    responses((
        status = 200, description = "The table", body = Csv, content_type = "text/csv",
        headers(("Content-Disposition" = String, description = "The file's name, with the day")),
    )),
)]
#[get("/v1/admin/hits.csv")]
pub async fn export(
    caller: Can<ReadHits>,
    app: Data<App>,
    query: Params<ExportQuery>,
) -> ApiResult<HttpResponse> {
    let whole = Arc::new(Export {
        app,
        caller,
        section: query.0.section,
    });
    let day = whole.app.config.site.zone.day(whole.app.clock.now());
    // What is wrong is told before anything is sent.
    let (header, first) = (header()?, whole.page(0).await?);
    let pages = try_unfold((whole, Some(first)), |(whole, page)| async move {
        let Some(page) = page else {
            return Ok::<_, ApiError>(None);
        };
        let next = match page.last {
            Some(last) => Some(whole.page(last).await?),
            None => None,
        };
        Ok(Some((page.rows, (whole, next))))
    });
    let name = format!("attachment; filename=\"hits-{day}.csv\"");
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((CONTENT_DISPOSITION, name))
        .streaming(iter([Ok(header)]).chain(pages)))
}

/// An export on its way.
struct Export {
    app: Data<App>,
    caller: Can<ReadHits>,
    section: Option<Ref>,
}

/// Some rows.
struct Page {
    rows: Bytes,
    /// The last article's id, where there may be more after it.
    last: Option<i64>,
}

impl Export {
    /// The rows of the articles after this one. Who calls and where it may is looked up for each page.
    async fn page(self: &Arc<Self>, after: i64) -> ApiResult<Page> {
        let own = Arc::clone(self);
        let db = &self.app.db;
        db.read(move |conn| own.read(conn, after)).await
    }

    fn read(&self, conn: &mut Conn, after: i64) -> ApiResult<Page> {
        let now = self.app.clock.now();
        let caller = self.caller.again(conn, now)?;
        let tree = sections::store::tree(conn)?;
        let reach = Reach::of(&caller, &tree);
        let wanted = match &self.section {
            Some(reference) => {
                let id = reach.filter(conn, &tree, "section", reference)?.id;
                Some(tree.subtree(id))
            }
            None => None,
        };
        let among = Among {
            section_ids: reach.narrow(wanted),
            only_by: caller.only_by(Permission::ReadHits),
        };
        let articles = store::exported(conn, &among, after, PAGE)?;
        let ids: Vec<i64> = articles.iter().map(|article| article.id).collect();
        let ledgers = store::ledgers(conn, &ids, self.app.config.site.zone.day(now))?;
        let mut table = table();
        for article in &articles {
            if let Some(ledger) = ledgers.get(&article.id) {
                let row = row(article, ledger, &tree, now);
                table.write_record(&row).map_err(failed)?;
            }
        }
        let is_full = i64::try_from(ids.len()).is_ok_and(|n| n == PAGE);
        Ok(Page {
            rows: bytes(table)?,
            last: ids.last().copied().filter(|_| is_full),
        })
    }
}

fn table() -> Writer<Vec<u8>> {
    WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new())
}

fn bytes(table: Writer<Vec<u8>>) -> ApiResult<Bytes> {
    let bytes = table.into_inner().map_err(|error| failed(error.error()))?;
    Ok(Bytes::from(bytes))
}

fn failed(error: impl std::fmt::Display) -> ApiError {
    ApiError::Internal(error.to_string())
}

fn header() -> ApiResult<Bytes> {
    let mut table = table();
    table.write_record(COLUMNS).map_err(failed)?;
    Ok(Bytes::from([BYTE_ORDER_MARK, &bytes(table)?].concat()))
}

/// The cells of an article, by [`COLUMNS`].
fn row(article: &Exported, count: &ManagedHitCount, tree: &Tree, now: Timestamp) -> Vec<String> {
    let section = tree.get(article.section_id);
    let section = section.map_or("", |section| section.name.as_str());
    let texts = [
        article.id.to_string(),
        text_cell(&article.title),
        text_cell(&article.slug),
        text_cell(section),
        article.status_at(now).as_str().to_owned(),
    ];
    let numbers = [
        count.total,
        count.today,
        count.last_7_days,
        count.last_30_days,
        count.visitors.today,
        count.visitors.last_7_days,
        count.visitors.last_30_days,
        count.baseline,
        count.counted,
        count.adjusted,
        count.duplicate,
        count.bot,
        count.rejected,
        count.received,
        count.clients.web,
        count.clients.h5,
        count.clients.app,
        count.clients.mini,
        count.clients.other,
    ];
    let as_of = count.as_of.map(|at| at.to_string()).unwrap_or_default();
    let numbers = numbers.iter().map(i64::to_string);
    texts.into_iter().chain(numbers).chain([as_of]).collect()
}

/// A text that no spreadsheet takes for a formula, also where it takes full-width signs for signs: see
/// OWASP, "CSV Injection".
fn text_cell(text: &str) -> String {
    const SIGNS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    let guard = if text.starts_with(SIGNS) { "'" } else { "" };
    format!("{guard}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_read_again_and_is_no_formula(texts in proptest::collection::vec("[\\PC=+@,;'\"\r\n\t-]{0,12}", 2..6)) {
            let mut table = table();
            let cells: Vec<String> = texts.iter().map(|text| text_cell(text)).collect();
            table.write_record(&cells).expect("written");
            let bytes = bytes(table).expect("whole");
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&bytes[..]);
            let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
            prop_assert_eq!(rows.len(), 1);
            prop_assert_eq!(rows[0].len(), texts.len());
            for (cell, text) in rows[0].iter().zip(&texts) {
                prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']));
                let less = cell.strip_prefix('\'').filter(|less| text == less);
                prop_assert!(cell == text || less.is_some(), "{} of {}", cell, text);
            }
        }
    }

    #[test]
    fn the_header_has_a_mark_and_every_column() {
        let header = header().expect("a header");
        let text = header.strip_prefix(BYTE_ORDER_MARK).expect("the mark");
        let text = std::str::from_utf8(text).expect("UTF-8");
        assert!(text.starts_with("article_id,title,slug,section,status,total,"));
        assert!(text.ends_with(",other,as_of\r\n"));
    }
}
