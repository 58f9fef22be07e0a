//! A writer that breaks.

use std::cell::Cell;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use futures_util::future::join_all;

use super::*;
use crate::clock::Clock;
use crate::config::Config;
use crate::hits::{Hit, Outcome, Target};

const ARTICLE: i64 = 7;

/// The service on an empty database but for one public article.
async fn app(folder: &std::path::Path) -> App {
    let file = folder.join("hits.db").display().to_string();
    let lookup = |name: &str| (name == "DATABASE_URL").then(|| format!("sqlite://{file}"));
    let config = Config::from_lookup(&lookup).expect("valid settings");
    let app = App::build(config, Clock::System)
        .await
        .expect("it is built");
    let mut conn = SqliteConnection::establish(&file).expect("the file opens");
    conn.batch_execute(&format!(
        "PRAGMA foreign_keys = OFF; \
         INSERT INTO listings (section_id, article_id, direct, published_at, updated_at, title_key) \
         VALUES (0, {ARTICLE}, 0, '2020-01-01 00:00:00.000000', '2020-01-01 00:00:00.000000', x'00')"
    ))
    .expect("it is listed");
    app
}

fn hit() -> Ask {
    Ask {
        hits: vec![Hit::plain(Target::Id(ARTICLE))],
        visitor: None,
        is_bot: false,
    }
}

#[actix_web::test]
async fn a_writer_that_breaks_is_begun_again_and_no_hit_of_its_is_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let app = app(folder.path()).await;
    let engine = app.hits.clone();
    let breaks = Cell::new(true);
    let (shared, of_writer) = (app.clone(), engine.clone());
    let runtime = Handle::current();
    let keeping = actix_web::rt::spawn(async move {
        let begin = || {
            let inner = Arc::clone(&of_writer.inner);
            let writer = Writer::new(&inner, &shared, &runtime);
            let breaks = breaks.replace(false);
            move || {
                if breaks && inner.wait() {
                    let batch = inner.next_batch().dones.len();
                    panic!("with {batch} requests in hand");
                }
                writer.run();
            }
        };
        of_writer.keep(begin).await;
    });
    assert!(engine.is_well());
    let refused = join_all((0..3).map(|_| engine.record(hit()))).await;
    for answer in refused {
        assert!(matches!(answer, Err(ApiError::Unavailable(RETRY_SECONDS))));
    }
    let recorded = engine.record(hit()).await.expect("it is written");
    assert_eq!(
        (recorded[0].outcome, recorded[0].total),
        (Outcome::Counted, 1)
    );
    assert!(!engine.is_well());
    assert_eq!(engine.inner.metrics.restarts.get(), 1);
    // Time goes by.
    *locked(&engine.inner.broke_at) = Instant::now().checked_sub(2 * UNWELL);
    assert!(engine.is_well());
    assert_eq!(
        engine.record(hit()).await.expect("it is written")[0].total,
        2
    );
    keeping.abort();
}
