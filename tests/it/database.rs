//! Migrations, the schema of both databases, plans, transactions.

use std::collections::BTreeMap;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use futures_util::future::{join, join_all};
use lanmu::clock::SiteZone;
use lanmu::db::{Conn, Db, DbSettings, DbUrl};
use lanmu::error::ApiError;
use reqwest::Method;
use serde_json::json;

use crate::support::app::NOON;
use crate::support::databases::{self, Kind, ParseInstant};
use crate::support::stage::Stage;
use crate::support::statements::Watch;

#[path = "../../bench/generator.rs"]
mod generator;

#[derive(QueryableByName, Debug)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    nullable: bool,
    #[diesel(sql_type = BigInt)]
    key_place: i64,
}

/// Every column of every table: its type in common words, whether it may be null, its place in the
/// primary key.
type Columns = BTreeMap<(String, String), (&'static str, bool, i64)>;

fn columns(conn: &mut Conn) -> Columns {
    let sql = match conn {
        Conn::Sqlite(_) => {
            "SELECT m.name AS table_name, c.name AS column_name, c.type AS kind, \
                    c.\"notnull\" = 0 AS nullable, CAST(c.pk AS bigint) AS key_place \
             FROM sqlite_schema m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
        }
        Conn::Pg(_) => {
            "SELECT c.table_name::text, c.column_name::text, c.data_type::text AS kind, \
                    c.is_nullable = 'YES' AS nullable, \
                    coalesce(array_position(i.indkey::int[], c.ordinal_position::int) + 1, 0)::bigint \
                      AS key_place \
             FROM information_schema.columns c \
             JOIN pg_class t ON t.relname = c.table_name AND t.relkind = 'r' \
             LEFT JOIN pg_index i ON i.indrelid = t.oid AND i.indisprimary \
             WHERE c.table_schema = 'public'"
        }
    };
    let rows: Vec<Column> = diesel::sql_query(sql)
        .load(conn)
        .expect("the catalogue can be read");
    rows.into_iter()
        .filter(|row| !row.table_name.starts_with("__diesel"))
        .map(|row| {
            let name = (row.table_name.clone(), row.column_name.clone());
            let kind = common_type(&row);
            (
                name,
                (kind, row.nullable && row.key_place == 0, row.key_place),
            )
        })
        .collect()
}

/// SQLite's few types say less: what PostgreSQL tells apart and SQLite doesn't is one word here.
fn common_type(row: &Column) -> &'static str {
    match row.kind.as_str() {
        "INTEGER" | "bigint" | "boolean" => "integer",
        "TEXT" | "text" | "jsonb" | "timestamp with time zone" | "date" => "text",
        "BLOB" | "bytea" => "bytes",
        other => panic!("{row:?}: {other}"),
    }
}

#[derive(QueryableByName, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct NamedIndex {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Names of the indexes that the migrations made, unique constraints aside.
fn indexes(conn: &mut Conn) -> Vec<NamedIndex> {
    let sql = match conn {
        Conn::Sqlite(_) => {
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
        }
        Conn::Pg(_) => {
            "SELECT c.relname::text AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace \
             WHERE n.nspname = 'public' AND NOT i.indisunique \
             ORDER BY c.relname COLLATE \"C\""
        }
    };
    diesel::sql_query(sql)
        .load(conn)
        .expect("the catalogue can be read")
}

async fn both_databases_have_the_same_tables_and_keys(stage: Stage) {
    if stage.kind() == Kind::Sqlite {
        // Compared on the other side, where both are at hand.
        return;
    }
    let mut postgres = databases::connect(&stage.url());
    let mut sqlite = databases::connect(&databases::fresh(Kind::Sqlite));
    assert_eq!(columns(&mut sqlite), columns(&mut postgres));
    assert_eq!(indexes(&mut sqlite), indexes(&mut postgres));
}

fn settings(url: &str) -> DbSettings {
    DbSettings {
        names_purges: false,
        url: DbUrl::parse(url).expect("a database URL"),
        replicas: Vec::new(),
        pool_size: 2,
        wait: std::time::Duration::from_secs(10),
        queue: 1000,
    }
}

async fn nodes_that_start_at_once_migrate_once(stage: Stage) {
    let url = databases::empty(stage.kind());
    let nodes: Vec<_> = (0..4)
        .map(|_| {
            let settings = settings(&url);
            std::thread::spawn(move || Db::migrate(&settings).expect("it migrates").len())
        })
        .collect();
    let done: Vec<usize> = nodes
        .into_iter()
        .map(|node| node.join().expect("no panic"))
        .collect();
    assert!(done.iter().sum::<usize>() > 0, "{done:?}");
    assert_eq!(
        done.iter().filter(|count| **count > 0).count(),
        1,
        "{done:?}"
    );
    let db = Db::new(&settings(&url));
    assert!(db.is_ready().await.expect("the database answers"));
}

async fn a_database_that_can_not_be_had_is_refused(stage: Stage) {
    if stage.kind() == Kind::Postgres {
        let refused = Db::migrate(&settings("postgres:///nowhere?host=/nowhere"));
        assert!(refused.is_err());
        return;
    }
    let folder = databases::scratch();
    let file = folder.path().join("a/b/lanmu.db");
    Db::migrate(&settings(&format!("sqlite://{}", file.display()))).expect("it migrates");
    assert!(file.is_file());
}

async fn a_unit_of_work_that_fails_or_panics_leaves_nothing(stage: Stage) {
    let app = stage.app().await;
    let before = app.get("/v1/sections").await.ok(200)["page"]["total"].clone();
    let add = |conn: &mut Conn, slug: &str| {
        diesel::sql_query(format!(
            "INSERT INTO old_slugs (resource, slug, target_id, created_at) \
             VALUES ('section', '{slug}', 1, '2026-01-01 00:00:00.000000')"
        ))
        .execute(conn)
    };
    let failed = app.app.db.write(move |conn| {
        add(conn, "failed")?;
        Err::<(), _>(ApiError::not_found("point in this"))
    });
    assert!(failed.await.is_err());
    let panicked = app.app.db.write(move |conn| {
        add(conn, "panicked")?;
        if conn_is_open(conn) {
            // As a bug would, but without the hook that prints a trace.
            std::panic::resume_unwind(Box::new("a bug"));
        }
        Ok::<_, ApiError>(())
    });
    assert!(panicked.await.is_err());
    let mut conn = app.connect();
    let left: i64 = lanmu::db::schema::old_slugs::table
        .count()
        .get_result(&mut conn)
        .expect("it can be counted");
    assert_eq!(left, 0);
    // The writer is not lost with the panic.
    app.admin().section("之后", json!({})).await;
    assert_ne!(
        app.get("/v1/sections").await.ok(200)["page"]["total"],
        before
    );
}

fn conn_is_open(conn: &mut Conn) -> bool {
    diesel::sql_query("SELECT 1").execute(conn).is_ok()
}

async fn writers_at_once_all_get_their_turn(stage: Stage) {
    let app = stage.with(&[("LANMU_DB_WAIT_MS", "20000")]).await;
    let admin = app.admin();
    let parent = admin.section("要闻", json!({})).await;
    let made = (0..24).map(|_| admin.article("同名的文章", parent, json!({})));
    let mut ids = join_all(made).await;
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 24);
    let list = app.get("/v1/articles?limit=100").await.ok(200);
    let mut slugs: Vec<&str> = list["data"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|a| a["slug"].as_str())
        .collect();
    slugs.sort_unstable();
    slugs.dedup();
    assert_eq!(slugs.len(), 24);
    assert!(slugs.contains(&"tong-ming-de-wen-zhang-24"));
}

async fn cut_connections_are_made_anew(stage: Stage) {
    if stage.kind() == Kind::Sqlite {
        return;
    }
    let app = stage.with(&[("LANMU_DB_WAIT_MS", "60000")]).await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let crowd = async || {
        let reads = join_all((0..16).map(|_| admin.get("/v1/admin/articles")));
        let writes = join_all((0..4).map(|_| admin.article("渡口", port, json!({}))));
        let delivered = (1..16).map(async |n| app.get(&format!("/v1/articles?limit={n}")).await);
        let delivered = join_all(delivered);
        let ((reads, _), delivered) = join(join(reads, writes), delivered).await;
        for answer in reads.into_iter().chain(delivered) {
            answer.ok(200);
        }
    };
    crowd().await;
    for _ in 0..2 {
        // Cuts every connection of this database, as a restart of the server does.
        diesel::sql_query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .execute(&mut app.connect())
        .expect("a superuser may");
        crowd().await;
    }
}

#[derive(QueryableByName)]
struct SqliteStep {
    #[diesel(sql_type = Text)]
    detail: String,
}

#[derive(QueryableByName)]
struct PostgresStep {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    detail: String,
}

/// The plan of a statement whatever its values are, one line a step.
fn plan(conn: &mut Conn, sql: &str) -> String {
    let steps: Vec<String> = match conn {
        Conn::Sqlite(_) => diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}"))
            .load::<SqliteStep>(conn)
            .expect("it can be explained")
            .into_iter()
            .map(|step| step.detail)
            .collect(),
        Conn::Pg(pg) => {
            let values = vec!["NULL"; sql.matches('$').count()].join(", ");
            pg.batch_execute(&format!(
                "SET plan_cache_mode = force_generic_plan; PREPARE wanted AS {sql}"
            ))
            .expect("it can be prepared");
            let values = if values.is_empty() {
                values
            } else {
                format!("({values})")
            };
            let steps = diesel::sql_query(format!("EXPLAIN EXECUTE wanted{values}"))
                .load::<PostgresStep>(pg)
                .expect("it can be explained");
            pg.batch_execute("DEALLOCATE wanted")
                .expect("it was prepared");
            steps.into_iter().map(|step| step.detail).collect()
        }
    };
    steps.join("\n")
}

/// So many articles, and what the planner needs to know of them.
fn fill(conn: &mut Conn, count: usize) {
    let zone = SiteZone(chrono_tz::Asia::Shanghai);
    let now = NOON.parse_instant();
    conn.transaction(|conn| {
        let sections = generator::sections(conn, now)?;
        let mut numbers = generator::Numbers::new(7);
        generator::articles(conn, &sections, &mut numbers, 0..count, now, zone)
    })
    .expect("the content is made");
    diesel::sql_query("ANALYZE")
        .execute(conn)
        .expect("it can be analysed");
}

async fn the_main_lists_walk_an_index(stage: Stage) {
    let watch = Watch::begin(&stage.url());
    let app = stage.app().await;
    let mut conn = app.connect();
    fill(&mut conn, 2000);
    let token = app.token().await;
    let second_page = |list: &str| format!("{list}&limit=50&page=20&count=none");
    for (list, index) in [
        ("/v1/articles?sort=-published_at", "listings_published_at"),
        ("/v1/articles?sort=published_at", "listings_published_at"),
        ("/v1/articles?sort=-updated_at", "listings_updated_at"),
        ("/v1/articles?sort=title", "listings_title_key"),
        ("/v1/articles?section=channel-1", "listings_published_at"),
        (
            "/v1/articles?section=column-1-1&sort=title",
            "listings_title_key",
        ),
        (
            "/v1/articles?published_from=2020-01-01&published_to=2020-12-31",
            "listings_published_at",
        ),
        (
            "/v1/articles?featured=false&sort=-published_at",
            "listings_published_at",
        ),
        (
            "/v1/articles?pinned=false&sort=-published_at",
            "listings_published_at",
        ),
        ("/v1/admin/articles?status=published", "articles_updated_at"),
        ("/v1/admin/articles?sort=-updated_at", "articles_updated_at"),
        ("/v1/admin/articles?sort=-published_at", "articles_dated_at"),
        ("/v1/admin/articles?sort=title", "articles_title_key"),
        ("/v1/admin/articles?sort=created_at", "articles_created_at"),
    ] {
        let get = |path: String| {
            let request = app.request(Method::GET, &path);
            request
                .header("authorization", &format!("Bearer {token}"))
                .send()
        };
        watch.take();
        let first = get(format!("{list}&limit=50")).await.ok(200);
        let mut pages = vec![(format!("{list}: first page"), watch.take())];
        get(second_page(list)).await.ok(200);
        pages.push((format!("{list}: deep page"), watch.take()));
        if let Some(cursor) = first["page"]["next_cursor"].as_str() {
            get(format!("{list}&limit=50&cursor={cursor}"))
                .await
                .ok(200);
            pages.push((format!("{list}: by cursor"), watch.take()));
        }
        for (page, statements) in pages {
            let ordered = statements.iter().find(|sql| {
                sql.contains("ORDER BY") && sql.contains("LIMIT") && sql.contains("OFFSET")
            });
            let sql = ordered.unwrap_or_else(|| panic!("{page}: {statements:#?}"));
            let steps = plan(&mut conn, sql);
            assert!(steps.contains(index), "{page}\n{sql}\n{steps}");
            for slow in [
                "TEMP B-TREE",
                "Seq Scan on listings",
                "Seq Scan on articles",
                "Sort Key",
            ] {
                assert!(!steps.contains(slow), "{page}\n{sql}\n{steps}");
            }
        }
    }
}

/// What nodes ask several times a second, and followers of the change log all day.
async fn what_is_asked_all_the_time_walks_little(stage: Stage) {
    let watch = Watch::begin(&stage.url());
    let app = stage.app().await;
    let mut conn = app.connect();
    fill(&mut conn, 2000);
    watch.take();
    app.tick().await;
    let due = watch.take();
    let due = due.iter().find(|sql| sql.contains("ended_at IS NOT NULL"));
    let steps = plan(&mut conn, due.expect("it is asked"));
    for index in [
        "articles_scheduled",
        "articles_ending",
        "articles_dated_at",
        "articles_expired",
    ] {
        assert!(steps.contains(index), "{index}\n{steps}");
    }
    for query in ["", "?resources=article", "?resources=section"] {
        app.get(&format!("/v1/changes{query}")).await.ok(200);
        let rows = watch.take();
        let rows = rows.iter().find(|sql| sql.contains("changes.op <> 'none'"));
        let steps = plan(&mut conn, rows.expect("it is asked"));
        let indexes = ["changes_public", "changes_pkey", "PRIMARY KEY (rowid>?)"];
        let walks_in_order = indexes.iter().any(|index| steps.contains(index));
        assert!(walks_in_order, "{query}\n{steps}");
        assert!(!steps.contains("TEMP B-TREE"), "{query}\n{steps}");
        assert!(!steps.contains("Sort Key"), "{query}\n{steps}");
    }
}

async fn a_list_takes_as_many_statements_however_long_it_is(stage: Stage) {
    let watch = Watch::begin(&stage.url());
    let app = stage.app().await;
    fill(&mut app.connect(), 120);
    for list in [
        "/v1/articles?include=body,hits",
        "/v1/articles?section=channel-1&include=body,hits",
        "/v1/sections?include=articles&articles_limit=3",
        "/v1/hits/top?window=all",
    ] {
        // The first read learns what the others know.
        app.get(&format!("{list}&limit=1")).await.ok(200);
        watch.take();
        app.get(&format!("{list}&limit=2")).await.ok(200);
        let short = watch.take().len();
        app.get(&format!("{list}&limit=40")).await.ok(200);
        assert_eq!(watch.take().len(), short, "{list}");
    }
}

crate::facts![
    both_databases_have_the_same_tables_and_keys,
    nodes_that_start_at_once_migrate_once,
    a_database_that_can_not_be_had_is_refused,
    a_unit_of_work_that_fails_or_panics_leaves_nothing,
    writers_at_once_all_get_their_turn,
    cut_connections_are_made_anew,
    the_main_lists_walk_an_index,
    what_is_asked_all_the_time_walks_little,
    a_list_takes_as_many_statements_however_long_it_is,
];
