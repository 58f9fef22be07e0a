//! The examples in `docs/cdn`, by the real Varnish and the real nginx in front of the service.
//!
//! `LANMU_TEST_PROXIES=varnish,nginx` says which must be there. Without it, the facts about one that isn't
//! are left out, and the run says so.

mod nginx;
mod varnish;

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::databases::scratch;
use crate::support::stage::Fact;

/// The facts about each proxy, and whether they are left out.
pub fn facts() -> Result<Vec<(Fact, bool)>, String> {
    #[allow(
        clippy::disallowed_methods,
        reason = "a setting of the suite, not of the service"
    )]
    let asked = std::env::var("LANMU_TEST_PROXIES").unwrap_or_default();
    let asked: Vec<&str> = asked.split(',').filter(|name| !name.is_empty()).collect();
    if let Some(other) = asked
        .iter()
        .find(|name| !matches!(**name, "varnish" | "nginx"))
    {
        return Err(format!(
            "LANMU_TEST_PROXIES has {other:?}: use varnish,nginx"
        ));
    }
    let mut found = Vec::new();
    for (name, program, facts) in [
        ("varnish", "varnishd", varnish::facts()),
        ("nginx", "nginx", nginx::facts()),
    ] {
        let is_here = program_named(program).is_some();
        if asked.contains(&name) && !is_here {
            return Err(format!(
                "LANMU_TEST_PROXIES asks for {name}, but {program} was not found: install Debian's \
                 packages varnish and nginx-light"
            ));
        }
        if !is_here {
            println!("LEFT OUT: the facts about {name}, because {program} was not found.");
        }
        found.extend(facts.into_iter().map(|fact| (fact, !is_here)));
    }
    Ok(found)
}

/// A program on PATH, or where Debian puts those of the system.
fn program_named(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let mut programs = folders.map(|folder| folder.join(name));
    programs.find(|program| program.is_file())
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    listener.local_addr().expect("it is bound").port()
}

/// An example of `docs/cdn` with each of these replaced, which must be in it.
fn example(name: &str, changes: &[(&str, &str)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs/cdn")
        .join(name);
    let mut text = std::fs::read_to_string(path).expect("the example");
    for (from, to) in changes {
        assert!(text.contains(from), "{name} has no {from}");
        text = text.replace(from, to);
    }
    text
}

/// A proxy that runs. It ends with its owner.
struct Proxy {
    child: Child,
    port: u16,
    client: Client,
    folder: TempDir,
}

/// What a proxy answers.
struct Through {
    status: u16,
    headers: reqwest::header::HeaderMap,
    json: Value,
}

impl Through {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.json);
        self
    }
}

impl Proxy {
    /// Starts this program, which stays in the foreground, and waits until it answers for the service.
    async fn start(command: &mut Command, port: u16, folder: TempDir) -> Self {
        let log = File::create(folder.path().join("log")).expect("the log can be written");
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("it starts");
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        let mut proxy = Self {
            child,
            port,
            client,
            folder,
        };
        for _ in 0..600 {
            let ended = proxy.child.try_wait().expect("its state");
            let asked = proxy.client.get(proxy.url("/healthz")).send().await;
            if ended.is_none() && asked.is_ok_and(|answer| answer.status() == 200) {
                return proxy;
            }
            assert!(ended.is_none(), "it ended: {}", proxy.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it does not answer: {}", proxy.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(path))
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Through {
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await.expect("a body");
        Through {
            status,
            headers,
            json: serde_json::from_slice(&body).unwrap_or(Value::Null),
        }
    }

    async fn get(&self, path: &str) -> Through {
        self.send(self.request(Method::GET, path)).await
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Its workers end with it.
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.child.wait();
    }
}

/// A folder that workers of another account get into.
fn open_folder() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = scratch();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("it is ours");
    folder
}
