//! The life cycle of an article, as a pure state machine.
//!
//! | from | publish | unpublish | trash | restore |
//! |---|---|---|---|---|
//! | draft | published or scheduled | – | trashed | – |
//! | scheduled | published or scheduled | draft | trashed | – |
//! | published | published or scheduled | archived | trashed | – |
//! | archived | published or scheduled | – | trashed | – |
//! | trashed | – | – | – | draft |
//!
//! Time moves scheduled to published when `published_at` comes, and both to archived when
//! `expires_at` does. Permanent deletion takes only what is trashed.

use std::fmt;

use crate::db::Timestamp;
use crate::error::{ApiError, Code};

/// Where an article is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Being written.
    Draft,
    /// To be published at an instant ahead.
    Scheduled,
    /// Published.
    Published,
    /// Was published; isn't any more.
    Archived,
    /// In the trash.
    Trashed,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 5] = [
        Self::Draft,
        Self::Scheduled,
        Self::Published,
        Self::Archived,
        Self::Trashed,
    ];

    /// The name in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Published => "published",
            Self::Archived => "archived",
            Self::Trashed => "trashed",
        }
    }

    /// The status of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Published or to be published: what readers may see once its time has come.
    pub fn is_released(self) -> bool {
        matches!(self, Self::Scheduled | Self::Published)
    }

    /// The status that time has made of a stored one.
    pub fn at(
        self,
        published_at: Option<Timestamp>,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        if !self.is_released() {
            return self;
        }
        if expires_at.is_some_and(|at| at <= now) {
            return Self::Archived;
        }
        match published_at {
            Some(at) if at > now => Self::Scheduled,
            _ => Self::Published,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What editors do to an article's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Make it public, at this instant.
    Publish(Timestamp),
    /// Take it back.
    Unpublish,
    /// Put it into the trash.
    Trash,
    /// Take it out of the trash.
    Restore,
    /// Delete it for good.
    Delete,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Publish(_) => "publish",
            Self::Unpublish => "unpublish",
            Self::Trash => "trash",
            Self::Restore => "restore",
            Self::Delete => "permanent deletion",
        }
    }
}

/// The status after an action; `from` is the status that time has made. A deleted article has
/// none. 409 where the life cycle has no such step.
pub fn step(from: Status, action: Action, now: Timestamp) -> Result<Option<Status>, ApiError> {
    let to = match (from, action) {
        (Status::Trashed, Action::Publish(_)) => None,
        (_, Action::Publish(at)) if at > now => Some(Some(Status::Scheduled)),
        (_, Action::Publish(_)) => Some(Some(Status::Published)),
        (Status::Scheduled, Action::Unpublish) => Some(Some(Status::Draft)),
        (Status::Published, Action::Unpublish) => Some(Some(Status::Archived)),
        (_, Action::Unpublish) => None,
        (Status::Trashed, Action::Trash) => None,
        (_, Action::Trash) => Some(Some(Status::Trashed)),
        (Status::Trashed, Action::Restore) => Some(Some(Status::Draft)),
        (_, Action::Restore) => None,
        (Status::Trashed, Action::Delete) => Some(None),
        (_, Action::Delete) => None,
    };
    to.ok_or_else(|| {
        let detail = format!(
            "the article is {from}: there is no {} from there",
            action.name()
        );
        ApiError::new(Code::InvalidTransition, detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000).expect("valid")
    }

    #[test]
    fn the_table_holds() {
        use Status::{Archived, Draft, Published, Scheduled, Trashed};
        let now = at(100);
        let (past, ahead) = (Action::Publish(at(100)), Action::Publish(at(101)));
        for (from, action, to) in [
            (Draft, past, Some(Published)),
            (Draft, ahead, Some(Scheduled)),
            (Scheduled, past, Some(Published)),
            (Published, ahead, Some(Scheduled)),
            (Archived, past, Some(Published)),
            (Trashed, past, None),
            (Draft, Action::Unpublish, None),
            (Scheduled, Action::Unpublish, Some(Draft)),
            (Published, Action::Unpublish, Some(Archived)),
            (Archived, Action::Unpublish, None),
            (Trashed, Action::Unpublish, None),
            (Draft, Action::Trash, Some(Trashed)),
            (Published, Action::Trash, Some(Trashed)),
            (Trashed, Action::Trash, None),
            (Trashed, Action::Restore, Some(Draft)),
            (Draft, Action::Restore, None),
            (Published, Action::Delete, None),
        ] {
            assert_eq!(
                step(from, action, now).ok().flatten(),
                to,
                "{from} {action:?}"
            );
        }
        assert!(matches!(step(Trashed, Action::Delete, now), Ok(None)));
    }

    #[test]
    fn time_alone_publishes_and_archives() {
        let status = |now| Status::Scheduled.at(Some(at(10)), Some(at(20)), at(now));
        assert_eq!(status(9), Status::Scheduled);
        assert_eq!(status(10), Status::Published);
        assert_eq!(status(19), Status::Published);
        assert_eq!(status(20), Status::Archived);
        assert_eq!(
            Status::Draft.at(Some(at(10)), Some(at(20)), at(30)),
            Status::Draft
        );
    }
}
