//! Where a fact is played: a database of its own, and the nodes that the fact starts on it.

use std::cell::RefCell;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;

use futures_util::FutureExt;
use lanmu::clock::Clock;

use super::app::TestApp;
use super::databases::{self, Kind};
use super::secrets;

type FactFuture = Pin<Box<dyn Future<Output = ()>>>;

/// A fact: its name and what shows it.
#[derive(Clone, Copy)]
pub struct Fact {
    pub name: &'static str,
    pub play: fn(Stage) -> FactFuture,
}

/// The facts of a module. A fact that is left out is dead code, which the compiler tells.
#[macro_export]
macro_rules! facts {
    ($($name:ident),* $(,)?) => {
        /// The facts of this module.
        pub fn facts() -> Vec<$crate::support::stage::Fact> {
            vec![$($crate::support::stage::Fact {
                name: concat!(module_path!(), "::", stringify!($name)),
                play: |stage| Box::pin($name(stage)),
            }),*]
        }
    };
}

/// A database of the fact's own and the nodes on it.
#[derive(Clone)]
pub struct Stage(Rc<Inner>);

struct Inner {
    kind: Kind,
    url: RefCell<Option<String>>,
    nodes: RefCell<Vec<Rc<TestApp>>>,
}

impl Stage {
    /// Plays a fact on a database of this kind; what went wrong is the error.
    pub fn run(fact: Fact, kind: Kind) -> Result<(), String> {
        secrets::begin(format!("{}::{}", kind.name(), fact.name));
        let played = Self::play(fact, kind);
        // Also where the fact has failed: it ends what this thread has met.
        let clean = secrets::end();
        played.and(clean)
    }

    fn play(fact: Fact, kind: Kind) -> Result<(), String> {
        actix_web::rt::System::new().block_on(async move {
            let stage = Self(Rc::new(Inner {
                kind,
                url: RefCell::new(None),
                nodes: RefCell::new(Vec::new()),
            }));
            let played = AssertUnwindSafe((fact.play)(stage.clone()))
                .catch_unwind()
                .await;
            let nodes = stage.0.nodes.take();
            for node in nodes {
                node.stop().await;
            }
            played.map_err(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
                    .unwrap_or_else(|| "it panicked".to_owned())
            })
        })
    }

    /// The kind of database that the fact is played on.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// `DATABASE_URL` of the fact's database.
    pub fn url(&self) -> String {
        let mut url = self.0.url.borrow_mut();
        url.get_or_insert_with(|| databases::fresh(self.0.kind))
            .clone()
    }

    /// A node with the suite's usual settings.
    pub async fn app(&self) -> Rc<TestApp> {
        self.with(&[]).await
    }

    /// A node by the machine's clock, for the few facts about what the service does by itself.
    pub async fn running(&self, settings: &[(&str, &str)]) -> Rc<TestApp> {
        let app = TestApp::start_by(Clock::System, &self.url(), settings).await;
        let app = Rc::new(app);
        self.0.nodes.borrow_mut().push(Rc::clone(&app));
        app
    }

    /// A node with these settings besides. Nodes of one stage share the database, not the clock.
    pub async fn with(&self, settings: &[(&str, &str)]) -> Rc<TestApp> {
        self.on(&self.url(), settings).await
    }

    /// A node with these settings besides, on a database that the fact has made by itself.
    pub async fn on(&self, url: &str, settings: &[(&str, &str)]) -> Rc<TestApp> {
        let app = Rc::new(TestApp::start(url, settings).await);
        self.0.nodes.borrow_mut().push(Rc::clone(&app));
        app
    }
}
