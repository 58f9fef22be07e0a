//! The `lanmu` command, as an operator runs it.

pub mod hits;
pub mod killed;
pub mod replicas;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lanmu::config::Config;
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::app::{ADMIN, PASSWORD};
use crate::support::databases::{self, Kind};
use crate::support::secrets;
use crate::support::stage::Stage;

/// The command in a folder of its own, with nothing in its environment but these settings.
fn lanmu(folder: &Path, settings: &[(&str, &str)], args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lanmu"));
    command
        .args(args)
        .env_clear()
        .envs(settings.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(folder: &Path, settings: &[(&str, &str)], args: &[&str]) -> Output {
    let output = lanmu(folder, settings, args)
        .output()
        .expect("the command runs");
    tells_no_secret(output)
}

/// What the command has written, which tells none of the fact's secrets.
#[track_caller]
fn tells_no_secret(output: Output) -> Output {
    secrets::check_output(&output.stdout);
    secrets::check_output(&output.stderr);
    output
}

fn add_user(folder: &Path, url: &str, email: &str, password: &str) -> Output {
    let args = [
        "user",
        "add",
        "--email",
        email,
        "--role",
        "admin",
        "--password-stdin",
    ];
    let mut child = lanmu(folder, &[("DATABASE_URL", url)], &args)
        .stdin(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    writeln!(stdin, "{password}").expect("it is read");
    drop(stdin);
    secrets::note("password", password);
    tells_no_secret(child.wait_with_output().expect("it ends"))
}

/// A serving process.
struct Served {
    child: Child,
    base: String,
    lines: Vec<String>,
    /// Reads on what it logs: a pipe that is full would hold it up.
    rest: JoinHandle<String>,
    _folder: TempDir,
}

impl Served {
    /// Starts it on some port and waits until it says that it listens.
    fn start(url: &str, args: &[&str]) -> Self {
        Self::start_with(url, &[], args)
    }

    /// The same with these settings besides.
    fn start_with(url: &str, more: &[(&str, &str)], args: &[&str]) -> Self {
        let folder = databases::scratch();
        let mut settings = vec![
            ("DATABASE_URL", url),
            ("LANMU_LISTEN", "127.0.0.1:0"),
            ("LANMU_HIT_WINDOW", "0"),
        ];
        settings.extend(more);
        let file = folder.path().join("port");
        let mut all = vec!["serve", "--port-file", "port"];
        all.extend(args);
        let mut child = lanmu(folder.path(), &settings, &all)
            .spawn()
            .expect("it starts");
        let mut rest = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let read = rest.read_line(&mut line).expect("UTF-8");
            assert!(read > 0, "it ended: {lines:?}");
            let listening = line.contains("listening");
            lines.push(line);
            if listening {
                break;
            }
        }
        let port = fs::read_to_string(file).expect("the port is told before it listens");
        let base = format!("http://127.0.0.1:{}", port.trim());
        let rest = std::thread::spawn(move || {
            let mut text = String::new();
            rest.read_to_string(&mut text).expect("UTF-8");
            text
        });
        Self {
            child,
            base,
            lines,
            rest,
            _folder: folder,
        }
    }

    async fn get(&self, path: &str) -> Value {
        let answer = reqwest::get(format!("{}{path}", self.base))
            .await
            .expect("an answer");
        answer.json().await.expect("JSON")
    }

    /// Asks it to end and returns how it did, and what it logged.
    fn terminate(mut self) -> (ExitStatus, String) {
        self.ask_to_end();
        let status = self.child.wait().expect("it ends");
        (status, self.log())
    }

    fn ask_to_end(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill runs");
        assert!(sent.success());
    }

    /// What it has logged, once it has ended.
    fn log(&mut self) -> String {
        let nothing = std::thread::spawn(String::new);
        let rest = std::mem::replace(&mut self.rest, nothing);
        let mut log = self.lines.concat();
        log.push_str(&rest.join().expect("it is read"));
        secrets::check_output(log.as_bytes());
        log
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Where a test failed, nothing is left behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn it_serves_until_it_is_asked_to_end(stage: Stage) {
    let served = Served::start(&stage.url(), &[]);
    assert_eq!(served.get("/healthz").await["status"], "ok");
    assert_eq!(served.get("/readyz").await["status"], "ok");
    // What is no HTTP can't write into the log.
    let address = served.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(b"GARBAGE\r\n\r\n").expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is answered");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let (status, log) = served.terminate();
    assert!(log.contains("/docs/"), "{log}");
    assert!(status.success(), "{status}: {log}");
    for sign in ["WARN", "ERROR", "\u{1b}["] {
        assert!(!log.contains(sign), "{log}");
    }
}

async fn the_demo_fills_an_empty_database_once(stage: Stage) {
    let url = databases::empty(stage.kind());
    let served = Served::start(&url, &["--demo"]);
    let site = served.get("/v1/site").await;
    let articles = site["article_count"].as_i64().expect("a number");
    assert!((50..=70).contains(&articles), "{site}");
    assert_eq!(site["section_count"], 12);
    assert!(
        site["hit_count"].as_i64().expect("a number") > 1000,
        "{site}"
    );
    let tree = served.get("/v1/sections/tree").await.to_string();
    assert!(tree.contains("\"depth\":2") && !tree.contains("\"depth\":3"));
    assert!(served.terminate().0.success());
    let again = Served::start(&url, &["--demo"]);
    assert_eq!(again.get("/v1/site").await["article_count"], articles);
    assert!(again.terminate().0.success());
}

async fn the_demo_leaves_content_alone(stage: Stage) {
    let app = stage.app().await;
    app.admin().section("自己的栏目", json!({})).await;
    let served = Served::start(&stage.url(), &["--demo"]);
    assert_eq!(served.get("/v1/site").await["section_count"], 1);
    assert!(served.terminate().0.success());
}

async fn an_account_added_beside_a_running_server_signs_in(stage: Stage) {
    let served = Served::start(&stage.url(), &[]);
    let folder = databases::scratch();
    let added = add_user(
        folder.path(),
        &stage.url(),
        "chief@example.com",
        "a long pass phrase",
    );
    assert!(added.status.success(), "{added:?}");
    let body = json!({"email": "Chief@Example.com", "password": "a long pass phrase"});
    let login = Client::new()
        .post(format!("{}/v1/auth/login", served.base))
        .json(&body);
    let answer = login.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let session: Value = answer.json().await.expect("JSON");
    for kind in ["access_token", "refresh_token"] {
        secrets::note(kind, session[kind].as_str().expect("a token"));
    }
    assert!(served.terminate().0.success());
}

/// What `lanmu key …` prints, line by line, each by its words.
fn key(settings: &[(&str, &str)], args: &[&str]) -> Vec<Vec<String>> {
    let folder = databases::scratch();
    let mut all = vec!["key"];
    all.extend(args);
    let output = run(folder.path(), settings, &all);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let words = |line: &str| line.split_whitespace().map(ToOwned::to_owned).collect();
    text.lines().map(words).collect()
}

async fn a_key_rotated_beside_a_running_server_is_learnt_and_used(stage: Stage) {
    let served = Served::start(&stage.url(), &[]);
    let url = stage.url();
    let settings = [("DATABASE_URL", url.as_str())];
    let body = json!({"email": ADMIN, "password": PASSWORD});
    let login = async || -> String {
        let url = format!("{}/v1/auth/login", served.base);
        let answer = Client::new().post(url).json(&body).send();
        let answer: Value = answer.await.expect("one").json().await.expect("JSON");
        answer["access_token"].as_str().expect("a token").to_owned()
    };
    let me = async |token: &str| {
        let asked = Client::new().get(format!("{}/v1/auth/me", served.base));
        let answer = asked.bearer_auth(token).send().await;
        answer.expect("an answer").status().as_u16()
    };
    let token = login().await;
    let added = key(&settings, &["rotate"]);
    let listed = key(&settings, &["list"]);
    assert_eq!(
        (&listed[0][1], &listed[1][1]),
        (&"signing".into(), &"coming".into())
    );
    assert_eq!(added[0][2], format!("{},", listed[1][0]));
    // The server reads the keys every 10 seconds.
    let mut published = 1;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let jwks = served.get("/.well-known/jwks.json").await;
        published = jwks["keys"].as_array().expect("keys").len();
        if published == 2 {
            break;
        }
    }
    assert_eq!(published, 2);
    assert_eq!(me(&token).await, 200);
    let leaked = key(&settings, &["rotate", "--now"]);
    assert_eq!(leaked.len(), 3, "{leaked:?}");
    assert_eq!(me(&token).await, 401);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(me(&login().await).await, 200);
    assert!(served.terminate().0.success());
}

async fn keys_of_a_file_are_listed_and_not_rotated(stage: Stage) {
    let folder = databases::scratch();
    let path = folder.path().join("keys.pem");
    let pem = || {
        let pair = Ed25519KeyPair::generate().expect("a key");
        let text = STANDARD.encode(pair.to_pkcs8v1().expect("its text").as_ref());
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    };
    let (url, file) = (stage.url(), path.display().to_string());
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("LANMU_SIGNING_KEY_FILE", &file),
    ];
    let one = pem();
    fs::write(&path, format!("{one}{}", pem())).expect("it is written");
    let listed = key(&settings, &["list"]);
    let states: Vec<&str> = listed.iter().map(|words| words[1].as_str()).collect();
    assert_eq!(states, ["signing", "verifying"]);
    for args in [&["key", "rotate"][..], &["key", "rotate", "--now"]] {
        let refused = run(folder.path(), &settings, args);
        assert_one_line(&refused, "add the new key at its end");
    }
    let many: String = (0..11).map(|_| pem()).collect();
    for (text, sign) in [
        (format!("{one}{one}"), "the same key twice"),
        (many, "more than 10 keys"),
        (String::new(), "openssl genpkey"),
        (
            format!("{one}-----BEGIN X-----\nAAAA\n-----END X-----\n"),
            "openssl genpkey",
        ),
    ] {
        fs::write(&path, text).expect("it is written");
        for args in [&["key", "list"][..], &["serve"]] {
            let refused = run(folder.path(), &settings, args);
            assert_one_line(&refused, sign);
            assert_one_line(&refused, "LANMU_SIGNING_KEY_FILE");
        }
    }
}

async fn an_account_that_can_not_be_added_is_told_in_one_line(stage: Stage) {
    let folder = databases::scratch();
    for (email, password, sign) in [
        ("admin@example.com", PASSWORD, "exists already"),
        ("ADMIN@EXAMPLE.COM", PASSWORD, "exists already"),
        ("no.address", PASSWORD, "must be an e-mail address"),
        ("no address", PASSWORD, "must not have white space"),
        ("two@at@signs", PASSWORD, "must be an e-mail address"),
        ("new@example.com", "short", "at least 8 characters"),
        ("new@example.com", "", "at least 8 characters"),
    ] {
        let refused = add_user(folder.path(), &stage.url(), email, password);
        assert_one_line(&refused, sign);
    }
    let args = [
        "user",
        "add",
        "--email",
        "x@example.com",
        "--role",
        "chief",
        "--password-stdin",
    ];
    let refused = run(folder.path(), &[("DATABASE_URL", &stage.url())], &args);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("there is no role"));
}

#[track_caller]
fn assert_one_line(output: &Output, sign: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{text}");
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    assert!(text.contains(sign), "{sign}: {text}");
}

async fn migrate_brings_a_database_up_to_date(stage: Stage) {
    let url = databases::empty(stage.kind());
    let folder = databases::scratch();
    let migrate = || {
        run(
            folder.path(),
            &[("DATABASE_URL", url.as_str())],
            &["migrate"],
        )
    };
    let first = migrate();
    assert!(first.status.success(), "{first:?}");
    assert!(String::from_utf8_lossy(&first.stdout).contains("migrated: "));
    assert_eq!(
        String::from_utf8_lossy(&migrate().stdout),
        "the database is up to date\n"
    );
}

async fn a_wrong_setting_stops_the_start_with_one_line(stage: Stage) {
    let folder = databases::scratch();
    let url = stage.url();
    for (name, value) in [
        ("DATABASE_URL", "mysql://x/y"),
        ("LANMU_LISTEN", "nowhere"),
        ("LANMU_TIME_ZONE", "Asia/Atlantis"),
        ("LANMU_SITE_URL", "ftp://example.com"),
        ("LANMU_TRUSTED_PROXIES", "everybody"),
        ("LANMU_CORS_ORIGINS", "example.com"),
        ("LANMU_HIT_WINDOW", "soon"),
        ("LANMU_SIGNING_KEY_FILE", "/nowhere/key.pem"),
        ("LANMU_CHECK_WORDS_FILE", "/nowhere/words.txt"),
        ("LANMU_CHECK_BLOCKS", "listed_word,spelling"),
        ("LANMU_LOG", "lanmu=loud"),
    ] {
        let settings = [
            ("DATABASE_URL", url.as_str()),
            ("LANMU_LISTEN", "127.0.0.1:0"),
        ];
        let mut settings: Vec<(&str, &str)> = settings
            .into_iter()
            .filter(|(other, _)| *other != name)
            .collect();
        settings.push((name, value));
        settings.push(("LANMU_LOG_FORMAT", "json"));
        let mut quiet = settings.clone();
        if name != "LANMU_LOG" {
            quiet.push(("LANMU_LOG", "error"));
        }
        assert_one_line(&run(folder.path(), &quiet, &["serve"]), name);
    }
}

async fn a_database_that_is_down_stops_the_start_and_is_not_replaced(stage: Stage) {
    if stage.kind() == Kind::Sqlite {
        return;
    }
    let folder = databases::scratch();
    let url = format!("postgres:///gone?host={}", folder.path().display());
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("LANMU_LISTEN", "127.0.0.1:0"),
    ];
    assert_one_line(&run(folder.path(), &settings, &["serve"]), "DATABASE_URL");
    let left: Vec<_> = fs::read_dir(folder.path()).expect("it is there").collect();
    assert!(left.is_empty(), "{left:?}");
}

async fn a_new_file_is_for_the_services_own_account_alone(stage: Stage) {
    if stage.kind() == Kind::Postgres {
        return;
    }
    let folder = databases::scratch();
    let made = run(
        folder.path(),
        &[("DATABASE_URL", "sqlite://data/lanmu.db")],
        &["migrate"],
    );
    assert!(made.status.success(), "{made:?}");
    for (path, mode) in [("data", 0o700), ("data/lanmu.db", 0o600)] {
        let found = fs::metadata(folder.path().join(path))
            .expect("it is there")
            .mode();
        assert_eq!(found & 0o777, mode, "{path}");
    }
}

async fn a_taken_port_stops_the_start(stage: Stage) {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let address = taken.local_addr().expect("it is bound").to_string();
    let folder = databases::scratch();
    let settings = [("DATABASE_URL", stage.url()), ("LANMU_LISTEN", address)];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(n, v)| (*n, v.as_str())).collect();
    assert_one_line(&run(folder.path(), &settings, &[]), "LANMU_LISTEN");
}

async fn openapi_prints_the_document(_: Stage) {
    let printed = run(databases::scratch().path(), &[], &["openapi"]);
    assert!(printed.status.success());
    assert_eq!(
        String::from_utf8_lossy(&printed.stdout),
        lanmu::openapi::pretty()
    );
}

async fn the_settings_may_stand_in_a_file(stage: Stage) {
    let folder = databases::scratch();
    let text = format!("DATABASE_URL=\"{}\"\nLANMU_LISTEN=nowhere\n", stage.url());
    fs::write(folder.path().join(".env"), text).expect("it is written");
    assert_one_line(&run(folder.path(), &[], &["serve"]), "LANMU_LISTEN");
    // What the environment says goes before.
    let refused = run(
        folder.path(),
        &[("LANMU_LISTEN", "elsewhere"), ("LANMU_TIME_ZONE", "x")],
        &[],
    );
    assert_one_line(&refused, "LANMU_LISTEN");
    fs::write(folder.path().join(".env"), "secret without a name").expect("it is written");
    let refused = run(folder.path(), &[], &["serve"]);
    assert_one_line(&refused, ".env");
    assert!(!String::from_utf8_lossy(&refused.stderr).contains("secret"));
}

async fn the_example_file_has_every_setting_with_its_default(_: Stage) {
    let text = include_str!("../../../.env.example");
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| {
            line.trim_start_matches("# ")
                .trim_start_matches('#')
                .split_once('=')
        })
        .map(|(name, _)| name.trim())
        .filter(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        .collect();
    let asked = std::cell::RefCell::new(Vec::new());
    let given: Vec<(&str, &str)> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name, value.trim_matches('"')))
        .collect();
    let lookup = |name: &str| {
        asked.borrow_mut().push(name.to_owned());
        let found = given.iter().find(|(given, _)| *given == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let config = Config::from_lookup(&lookup).expect("the example is valid");
    let defaults = Config::from_lookup(&|_| None).expect("the defaults are valid");
    assert_eq!(format!("{config:?}"), format!("{defaults:?}"));
    let mut asked = asked.into_inner();
    asked.sort();
    asked.dedup();
    for name in &asked {
        assert!(
            names.contains(&name.as_str()),
            "{name} is not in .env.example"
        );
    }
    for name in names {
        assert!(
            asked.iter().any(|asked| asked == name),
            "{name} is no setting"
        );
    }
}

async fn no_acknowledged_hit_is_lost_when_the_process_is_killed(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("要闻", json!({})).await;
    let id = app
        .admin()
        .article(
            "灯塔",
            section,
            json!({"publish": {"published_at": "2020-01-01T00:00:00Z"}}),
        )
        .await;
    let mut served = Served::start(&stage.url(), &[]);
    let mut acknowledged = 0;
    for _ in 0..40 {
        let hit = Client::new().post(format!("{}/v1/articles/{id}/hits", served.base));
        let answer: Value = hit
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON");
        acknowledged += i64::from(answer["result"] == "counted");
    }
    served.child.kill().expect("it runs");
    served.child.wait().expect("it ends");
    assert_eq!(acknowledged, 40);
    let again = Served::start(&stage.url(), &[]);
    assert_eq!(
        again.get(&format!("/v1/articles/{id}/hits")).await["total"],
        acknowledged
    );
    assert!(again.terminate().0.success());
}

crate::facts![
    it_serves_until_it_is_asked_to_end,
    the_demo_fills_an_empty_database_once,
    the_demo_leaves_content_alone,
    an_account_added_beside_a_running_server_signs_in,
    a_key_rotated_beside_a_running_server_is_learnt_and_used,
    keys_of_a_file_are_listed_and_not_rotated,
    an_account_that_can_not_be_added_is_told_in_one_line,
    migrate_brings_a_database_up_to_date,
    a_wrong_setting_stops_the_start_with_one_line,
    a_database_that_is_down_stops_the_start_and_is_not_replaced,
    a_new_file_is_for_the_services_own_account_alone,
    a_taken_port_stops_the_start,
    openapi_prints_the_document,
    the_settings_may_stand_in_a_file,
    the_example_file_has_every_setting_with_its_default,
    no_acknowledged_hit_is_lost_when_the_process_is_killed,
];
