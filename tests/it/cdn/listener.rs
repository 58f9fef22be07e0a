//! A cache that only notes what it is told: a listening server of the test's own.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::task::JoinHandle;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{Keys, keys};
use crate::support::app::TestApp;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Purge {
    pub at: Instant,
    /// Method and path.
    pub line: String,
    /// The header that the keys came in.
    pub header: String,
    pub keys: Keys,
}

/// A cache that listens.
pub struct Listener {
    pub url: String,
    shared: Rc<Shared>,
    serving: RefCell<Option<JoinHandle<()>>>,
}

struct Shared {
    came: RefCell<Vec<Purge>>,
    status: Cell<u16>,
}

impl Listener {
    /// Listens on a port of its own.
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    /// Listens there.
    pub async fn start_at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
        let shared = Rc::new(Shared {
            came: RefCell::default(),
            status: Cell::new(200),
        });
        let own = Rc::clone(&shared);
        let serving = actix_web::rt::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("it listens");
                own.take(stream).await;
            }
        });
        Self {
            url,
            shared,
            serving: RefCell::new(Some(serving)),
        }
    }

    /// Answers with this status from now on.
    pub fn answer(&self, status: u16) {
        self.shared.status.set(status);
    }

    /// Nobody listens any more.
    pub async fn stop(&self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    /// What came since the last call.
    pub fn take(&self) -> Vec<Purge> {
        self.shared.came.take()
    }

    /// Waits until something has come that fits.
    pub async fn wait(&self, fits: impl Fn(&[Purge]) -> bool) {
        for _ in 0..1000 {
            if fits(&self.shared.came.borrow()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("only this came: {:?}", self.shared.came.borrow());
    }

    /// Takes part in the caches of this node: the first thing that a new one is told is to drop all.
    pub async fn settle(&self, app: &TestApp) {
        self.wait(|came| came.iter().any(|purge| purge.keys == keys("all")))
            .await;
        nothing_waits(app).await;
        self.take();
    }

    /// All keys that came, once nothing waits any more.
    pub async fn named(&self, app: &TestApp) -> Keys {
        nothing_waits(app).await;
        let came = self.take();
        came.into_iter().flat_map(|purge| purge.keys).collect()
    }
}

impl Shared {
    async fn take(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let (mut lines, mut line) = (Vec::new(), String::new());
        while stream
            .read_line(&mut line)
            .await
            .is_ok_and(|bytes| bytes > 2)
        {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
        }
        let carried = lines.iter().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let is_keys = matches!(name, "surrogate-key" | "cache-tag");
            is_keys.then(|| (name.to_owned(), keys(value)))
        });
        let (header, keys) = carried.expect("keys");
        let status = self.status.get();
        if (200..300).contains(&status) {
            let line = lines[0].trim_end_matches(" HTTP/1.1").to_owned();
            let at = Instant::now();
            self.came.borrow_mut().push(Purge {
                at,
                line,
                header,
                keys,
            });
        }
        let answer = format!("HTTP/1.1 {status} so\r\ncontent-length: 0\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

/// Waits until all caches have been told of everything.
pub async fn nothing_waits(app: &TestApp) {
    for _ in 0..1000 {
        if waiting(app).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("purges wait: {:?}", waiting(app));
}

/// What waits: ids and keys.
pub fn waiting(app: &TestApp) -> Vec<(i64, Keys)> {
    use diesel::prelude::*;
    use lanmu::db::schema::purges;
    let rows: Vec<(i64, String)> = purges::table
        .order(purges::id)
        .load(&mut app.connect())
        .expect("the rows");
    let rows = rows.into_iter();
    rows.map(|(id, text)| (id, keys(&text))).collect()
}
