//! What every handler has: the settings, the database, the clock, the keys. Built once, passed to
//! all.

use std::sync::Arc;

use prometheus_client::registry::Registry;
use thiserror::Error;

use crate::articles::check::Checker;
use crate::articles::prepare::Renderer;
use crate::auth::{KeyError, Keys, Passwords};
use crate::cache::Answers;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::db::{Db, DbError};
use crate::error::ApiError;
use crate::hits::Engine;
use crate::limits::Limits;
use crate::purges;
use crate::view::Views;

/// The service's shared parts; cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The settings.
    pub config: Arc<Config>,
    /// The database.
    pub db: Db,
    /// The one source of "now".
    pub clock: Clock,
    /// The keys of access tokens.
    pub keys: Arc<Keys>,
    /// The pool that renders bodies.
    pub renderer: Renderer,
    /// What articles are checked for before they are published.
    pub checker: Arc<Checker>,
    /// The pool that checks passwords.
    pub passwords: Passwords,
    /// The hit engine.
    pub hits: Engine,
    /// Delivery's answers.
    pub answers: Answers,
    /// What delivery's reads know of the content.
    pub views: Views,
    /// The measures of what caches elsewhere are told.
    pub purges: purges::Metrics,
    /// What `/metrics` tells.
    pub metrics: Arc<Registry>,
    /// How much one client may ask for.
    pub limits: Limits,
}

/// Why the service can't start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database can't be used.
    #[error("DATABASE_URL: {0}")]
    Database(#[from] DbError),
    /// The signing key can't be used.
    #[error("LANMU_SIGNING_KEY_FILE {0}")]
    Key(#[source] KeyError),
    /// Something else.
    #[error("{0}")]
    Other(String),
}

impl From<KeyError> for StartError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Database(cause) => Self::Database(cause),
            error @ (KeyError::File(_) | KeyError::NoKey | KeyError::Twice | KeyError::TooMany) => {
                Self::Key(error)
            }
            error => Self::Other(error.to_string()),
        }
    }
}

impl From<diesel::result::Error> for StartError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<ApiError> for StartError {
    fn from(error: ApiError) -> Self {
        Self::Other(error.to_string())
    }
}

impl App {
    /// The same for the service's own work, which waits longer for the database than requests do.
    pub fn patient(&self) -> Self {
        Self {
            db: self.db.patient(),
            ..self.clone()
        }
    }

    /// Reads the list of words, migrates the database, loads the signing key (or makes it on the
    /// first start).
    pub async fn build(config: Config, clock: Clock) -> Result<Self, StartError> {
        let checker = Checker::load(&config)?;
        for migration in Db::migrate(&config.db())? {
            tracing::info!(%migration, "migrated");
        }
        let db = Db::new(&config.db());
        let (issuer, now) = (config.token_issuer.clone(), clock.now());
        let keys = match &config.signing_key_file {
            Some(path) => Keys::from_file(path, now, &issuer)?,
            None => {
                db.write(move |conn| {
                    Keys::from_database(conn, now, &issuer).map_err(StartError::from)
                })
                .await?
            }
        };
        let renderer = Renderer::new(config.db_wait);
        let limits = Limits::new(config.rates, &clock);
        let mut metrics = Registry::default();
        db.register(&mut metrics);
        let hits = Engine::new(config.hits_queue, &mut metrics);
        let answers = Answers::new(config.cache_bytes, db.content(), &mut metrics);
        let purges = purges::Metrics::register(&mut metrics);
        Ok(Self {
            config: Arc::new(config),
            db,
            answers,
            views: Views::default(),
            clock,
            keys: Arc::new(keys),
            renderer,
            checker: Arc::new(checker),
            passwords: Passwords::new()?,
            hits,
            purges,
            metrics: Arc::new(metrics),
            limits,
        })
    }
}
