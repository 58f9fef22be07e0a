//! Hearing of what others write: PostgreSQL tells it, SQLite tells that something is written.

use diesel::connection::SimpleConnection;
use diesel::r2d2::ManageConnection;

use super::pool::Manager;
use super::{Conn, Content, DbError, dialect};

/// Where to listen.
#[derive(Debug, Clone)]
pub struct Listener(pub(super) Manager);

/// A connection that hears.
pub struct Heard {
    conn: Conn,
    /// The state of SQLite's file that was looked at last.
    version: Option<i64>,
}

impl Listener {
    /// Connects, and listens from then on. Blocks.
    pub fn listen(&self) -> Result<Heard, DbError> {
        let unreachable = |error: diesel::r2d2::Error| DbError::Unreachable(error.to_string());
        let mut conn = self.0.connect().map_err(unreachable)?.conn;
        if let Conn::Pg(pg) = &mut conn {
            let named = "SET application_name = 'lanmu changes'";
            pg.batch_execute(&format!("{named}; LISTEN {}", dialect::CHANNEL))?;
        }
        Ok(Heard {
            conn,
            version: None,
        })
    }
}

impl Heard {
    /// Learns what was heard of since last time; does not wait.
    pub fn learn(&mut self, content: &Content) -> Result<(), DbError> {
        match &mut self.conn {
            Conn::Pg(pg) => {
                let mut latest: Option<i64> = None;
                for heard in pg.notifications_iter() {
                    latest = latest.max(heard?.payload.parse().ok());
                }
                // This node hears itself, too.
                if latest.is_some_and(|latest| latest > content.generation()) {
                    content.look(&mut self.conn)?;
                }
            }
            Conn::Sqlite(sqlite) => {
                let version = Some(dialect::data_version(sqlite)?);
                if self.version != version {
                    content.look(&mut self.conn)?;
                    self.version = version;
                }
            }
        }
        Ok(())
    }
}
