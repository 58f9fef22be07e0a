//! A throwaway PostgreSQL, on a socket in a folder of its own: it needs no port.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use diesel::prelude::*;

/// The folder with PostgreSQL's server programs: on PATH, or where Debian puts them.
pub fn postgres_bin() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    debian.sort();
    std::env::split_paths(&path)
        .chain(debian.into_iter().rev())
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

/// How a cluster is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Ends all sessions, and writes down what there is (SIGINT).
    Fast,
    /// As a crash would be: it recovers at its next start (SIGQUIT).
    Immediate,
}

/// A cluster. It ends with its owner.
pub struct Cluster {
    root: PathBuf,
    owner: Option<(u32, u32)>,
    server: Mutex<Child>,
}

impl Cluster {
    /// Makes and starts one in this folder, which is made, too.
    pub fn make(root: &Path) -> Self {
        let owner = folder(root);
        let mut initdb = command("initdb", root, owner);
        initdb.args([
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ]);
        fill(initdb.args(["--no-sync", "--pgdata"]), root);
        Self::start(root, owner)
    }

    /// Makes and starts a streaming replica of it in this folder, which is made, too.
    pub fn replica(&self, root: &Path) -> Self {
        let owner = folder(root);
        let mut copy = command("pg_basebackup", root, owner);
        copy.args(["--username=postgres", "--host"]).arg(&self.root);
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
        fill(copy.arg("--pgdata"), root);
        Self::start(root, owner)
    }

    fn start(root: &Path, owner: Option<(u32, u32)>) -> Self {
        let cluster = Self {
            root: root.to_owned(),
            owner,
            server: Mutex::new(spawn(root, owner)),
        };
        cluster.wait();
        cluster
    }

    /// `DATABASE_URL` of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres:///{database}?host={}&user=postgres",
            self.root.display()
        )
    }

    /// The folder of its data, as it tells itself.
    pub fn data(&self) -> String {
        self.root.join("data").display().to_string()
    }

    /// Whether it answers.
    pub fn is_up(&self) -> bool {
        PgConnection::establish(&self.url("postgres")).is_ok()
    }

    fn wait(&self) {
        for _ in 0..600 {
            if self.is_up() {
                return;
            }
            #[allow(
                clippy::disallowed_methods,
                reason = "no async worker is here to block"
            )]
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!(
            "the cluster does not start: see {}/log",
            self.root.display()
        );
    }

    /// A new database, a copy of this one; its `DATABASE_URL`.
    pub fn create(&self, name: &str, template: &str) -> String {
        let mut conn = PgConnection::establish(&self.url("postgres")).expect("the cluster answers");
        diesel::sql_query(format!("CREATE DATABASE {name} TEMPLATE {template}"))
            .execute(&mut conn)
            .expect("the database is made");
        self.url(name)
    }

    /// Stops it and waits for its end.
    pub fn stop(&self, how: Stop) {
        let mut server = self.server();
        let signal = match how {
            Stop::Fast => "-INT",
            Stop::Immediate => "-QUIT",
        };
        let sent = Command::new("kill")
            .args([signal, &server.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
        server.wait().expect("it ends");
    }

    /// Starts it again; when it answers is for [`Self::is_up`] to tell.
    pub fn start_again(&self) {
        *self.server() = spawn(&self.root, self.owner);
    }

    fn server(&self) -> MutexGuard<'_, Child> {
        self.server.lock().expect("no panic while locked")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut server = self.server();
        let _ = server.kill();
        let _ = server.wait();
    }
}

/// Makes the folder, and tells the account that may run PostgreSQL in it, where this is root.
fn folder(root: &Path) -> Option<(u32, u32)> {
    fs::create_dir(root).expect("the folder is new");
    let owner = server_account();
    if let Some((uid, gid)) = owner {
        // PostgreSQL doesn't run as root; its account must reach its folder.
        let above = root.parent().expect("a folder of ours");
        chown(above, Some(uid), Some(gid)).expect("root may");
        chown(root, Some(uid), Some(gid)).expect("root may");
    }
    owner
}

/// Runs what makes the cluster's data, whose place is its last argument.
fn fill(command: &mut Command, root: &Path) {
    let made = command.arg(root.join("data")).output();
    let made = made.expect("PostgreSQL's programs run");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
}

fn command(program: &str, root: &Path, owner: Option<(u32, u32)>) -> Command {
    let bin = postgres_bin().expect("found before");
    // What is on PATH may be links to some of the programs.
    let initdb = fs::canonicalize(bin.join("initdb")).expect("found before");
    let mut command = Command::new(initdb.with_file_name(program));
    if let Some((uid, gid)) = owner {
        command.uid(uid).gid(gid);
    }
    command.current_dir(root).stdin(Stdio::null());
    command
}

fn spawn(root: &Path, owner: Option<(u32, u32)>) -> Child {
    let mut options = fs::OpenOptions::new();
    let log = options.create(true).append(true).open(root.join("log"));
    command("postgres", root, owner)
        .arg("-D")
        .arg(root.join("data"))
        .arg("-k")
        .arg(root)
        .args(["-c", "listen_addresses=", "-c", "max_connections=400"])
        .args(["-c", "fsync=off", "-c", "full_page_writes=off"])
        .stdout(Stdio::null())
        .stderr(log.expect("the log can be written"))
        .spawn()
        .expect("the server starts")
}

/// User and group id of the account that may run PostgreSQL, where this is root.
fn server_account() -> Option<(u32, u32)> {
    if !is_root() {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").expect("accounts can be read");
    let line = accounts.lines().find(|line| line.starts_with("postgres:"));
    let mut parts = line
        .expect("Debian's package makes the account postgres")
        .split(':')
        .skip(2);
    let mut number = || {
        parts
            .next()
            .and_then(|id| id.parse().ok())
            .expect("a number")
    };
    Some((number(), number()))
}

/// Whether this is root.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
