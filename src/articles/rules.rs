//! The life cycle of an article, as a pure state machine.
//!
//! | from | submit | reject | publish | unpublish | trash | restore | delete |
//! |---|---|---|---|---|---|---|---|
//! | draft | in_review | – | published or scheduled | – | trashed | – | – |
//! | in_review | – | draft | published or scheduled | – | trashed | – | – |
//! | scheduled | – | – | published or scheduled | draft | trashed | – | – |
//! | published | – | – | published or scheduled | archived | trashed | – | – |
//! | archived | – | – | published or scheduled | – | trashed | – | – |
//! | trashed | – | – | – | – | – | draft | gone |
//!
//! What stands as – is 409 `invalid_transition`. `publish` makes `scheduled` of what is dated ahead,
//! else `published`. Time moves scheduled to published when `published_at` comes, and both to
//! archived when `expires_at` does.

use std::fmt;

use crate::db::Timestamp;
use crate::error::{ApiError, Code};

/// Where an article is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Being written.
    Draft,
    /// Handed in, to be published or rejected.
    InReview,
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
    pub const ALL: [Self; 6] = [
        Self::Draft,
        Self::InReview,
        Self::Scheduled,
        Self::Published,
        Self::Archived,
        Self::Trashed,
    ];

    /// The name in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::InReview => "in_review",
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

    /// Whether the change log has an article of this stored status as one that readers see. What is stored as
    /// published has been by some clock, if not by this one: another node's, or this node's own of after a
    /// write came that has waited for its turn since. Nothing tells of it again, so it must not be forgotten;
    /// who reads the log too early for it waits.
    pub fn is_told(
        self,
        published_at: Option<Timestamp>,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        match self.at(published_at, expires_at, now) {
            Self::Published => true,
            Self::Scheduled => self == Self::Published,
            _ => false,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What people do to an article's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Hand it in.
    Submit,
    /// Hand it back to its author.
    Reject,
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
            Self::Submit => "submit",
            Self::Reject => "reject",
            Self::Publish(_) => "publish",
            Self::Unpublish => "unpublish",
            Self::Trash => "trash",
            Self::Restore => "restore",
            Self::Delete => "permanent deletion",
        }
    }

    /// The states that it takes an article from.
    fn sources(self) -> &'static [Status] {
        use Status::{Archived, Draft, InReview, Published, Scheduled, Trashed};
        match self {
            Self::Submit => &[Draft],
            Self::Reject => &[InReview],
            Self::Publish(_) | Self::Trash => &[Draft, InReview, Scheduled, Published, Archived],
            Self::Unpublish => &[Scheduled, Published],
            Self::Restore | Self::Delete => &[Trashed],
        }
    }
}

/// The status after an action; `from` is the status that time has made. A deleted article has
/// none. 409 with the reason where the life cycle has no such step.
pub fn step(from: Status, action: Action, now: Timestamp) -> Result<Option<Status>, ApiError> {
    if !action.sources().contains(&from) {
        let sources: Vec<&str> = action.sources().iter().map(|s| s.as_str()).collect();
        let detail = format!(
            "the article is {from}: {} takes only what is {}",
            action.name(),
            sources.join(", ")
        );
        return Err(ApiError::new(Code::InvalidTransition, detail));
    }
    Ok(match action {
        Action::Submit => Some(Status::InReview),
        Action::Reject | Action::Restore => Some(Status::Draft),
        Action::Publish(at) if at > now => Some(Status::Scheduled),
        Action::Publish(_) => Some(Status::Published),
        Action::Unpublish if from == Status::Scheduled => Some(Status::Draft),
        Action::Unpublish => Some(Status::Archived),
        Action::Trash => Some(Status::Trashed),
        Action::Delete => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000).expect("valid")
    }

    /// The table of the module's documentation: every state with every action.
    #[test]
    fn the_table_holds() {
        use Status::{Archived, Draft, InReview, Published, Scheduled, Trashed};
        let now = at(100);
        let actions = [
            Action::Submit,
            Action::Reject,
            Action::Publish(at(100)),
            Action::Publish(at(101)),
            Action::Unpublish,
            Action::Trash,
            Action::Restore,
        ];
        let (live, soon, gone) = (Some(Published), Some(Scheduled), Some(Trashed));
        for (from, to) in [
            (Draft, [Some(InReview), None, live, soon, None, gone, None]),
            (InReview, [None, Some(Draft), live, soon, None, gone, None]),
            (Scheduled, [None, None, live, soon, Some(Draft), gone, None]),
            (
                Published,
                [None, None, live, soon, Some(Archived), gone, None],
            ),
            (Archived, [None, None, live, soon, None, gone, None]),
            (Trashed, [None, None, None, None, None, None, Some(Draft)]),
        ] {
            for (action, to) in actions.iter().zip(to) {
                let stepped = step(from, *action, now);
                assert_eq!(stepped.is_ok(), to.is_some(), "{from} {action:?}");
                assert_eq!(stepped.ok().flatten(), to, "{from} {action:?}");
            }
            let deleted = step(from, Action::Delete, now);
            assert_eq!(matches!(deleted, Ok(None)), from == Trashed, "{from}");
        }
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
