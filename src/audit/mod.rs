//! The audit log: who did what, when, from where.
//!
//! Every management write and every sign-in event calls [`record`] in the transaction of what it
//! tells of, so that neither is ever there without the other. Entries are only ever added.

mod changes;
mod handlers;
mod store;
pub mod wire;

use std::net::IpAddr;

use crate::app::App;
use crate::db::Timestamp;
use crate::error::{ApiError, ApiResult};
use crate::http::client::Origin;
use crate::http::mount::Mount;

pub use changes::{Change, between, whole_between};
pub use store::{record, record_change};

/// Mounts the audit log.
pub fn routes<M: Mount>(config: &mut M) {
    config.service(handlers::list);
}

/// Deletes the entries that are older than `LANMU_AUDIT_DAYS`, and returns how many.
pub async fn tidy(app: &App) -> ApiResult<usize> {
    let Some(days) = app.config.audit_days else {
        return Ok(0);
    };
    let before = app.clock.now().plus_seconds(-days * 24 * 3600);
    app.db
        .write(move |conn| store::delete_before(conn, before).map_err(ApiError::from))
        .await
}

macro_rules! names {
    ($(#[$outer:meta])* $kind:ident: $($(#[$meta:meta])* $name:ident = $text:literal;)*) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $kind { $($(#[$meta])* $name,)* }

        impl $kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

names! {
    /// What happened. Names never change once published; more may be added.
    Event:
    /// An article was made.
    ArticleCreated = "article.created";
    /// An article's members were changed.
    ArticleUpdated = "article.updated";
    /// An article's date of publication was changed after it was first set.
    ArticleDateChanged = "article.published_at_changed";
    /// An article was handed in for review.
    ArticleSubmitted = "article.submitted";
    /// An article was handed back to its author.
    ArticleRejected = "article.rejected";
    /// An article is to be published at an instant ahead.
    ArticleScheduled = "article.scheduled";
    /// An article was published: by somebody, or because its time had come.
    ArticlePublished = "article.published";
    /// An article was archived because its end had come.
    ArticleExpired = "article.expired";
    /// An article was put at another place of its section's manual order.
    ArticleReordered = "article.reordered";
    /// An earlier revision of an article was brought back.
    ArticleRevisionRestored = "article.revision_restored";
    /// An article was taken back.
    ArticleUnpublished = "article.unpublished";
    /// An article was put into the trash.
    ArticleTrashed = "article.trashed";
    /// An article was taken out of the trash.
    ArticleRestored = "article.restored";
    /// A preview link of an article was made.
    ArticlePreviewMade = "article.preview_made";
    /// An article was deleted for good.
    ArticleDeleted = "article.deleted";
    /// A section was made.
    SectionCreated = "section.created";
    /// A section's members were changed.
    SectionUpdated = "section.updated";
    /// A section was moved in the tree.
    SectionMoved = "section.moved";
    /// A section was deleted.
    SectionDeleted = "section.deleted";
    /// The baseline of an article's hit count was set.
    HitsBaselineSet = "hits.baseline_set";
    /// An article's hit count was reset.
    HitsReset = "hits.reset";
    /// Views were added to a count or taken off it.
    HitsAdjusted = "hits.adjusted";
    /// An account was made.
    UserCreated = "user.created";
    /// An account's members were changed.
    UserUpdated = "user.updated";
    /// An account was deleted.
    UserDeleted = "user.deleted";
    /// A one-time token for a new password was made.
    PasswordResetMade = "user.password_reset_made";
    /// A password was set with a one-time token.
    PasswordReset = "user.password_reset";
    /// An account changed its own password.
    PasswordChanged = "user.password_changed";
    /// All sessions of an account were ended by an admin.
    UserSessionsRevoked = "user.sessions_revoked";
    /// An API key was made.
    ApiKeyCreated = "api_key.created";
    /// An API key's members were changed.
    ApiKeyUpdated = "api_key.updated";
    /// An API key got a new secret.
    ApiKeyRotated = "api_key.rotated";
    /// An API key was revoked.
    ApiKeyRevoked = "api_key.revoked";
    /// Somebody signed in.
    SignedIn = "auth.signed_in";
    /// A sign-in failed.
    SignInFailed = "auth.sign_in_failed";
    /// Somebody signed out.
    SignedOut = "auth.signed_out";
    /// Somebody ended all sessions of their own.
    SignedOutEverywhere = "auth.signed_out_everywhere";
    /// Somebody ended one session of their own.
    SessionRevoked = "auth.session_revoked";
    /// A used refresh token came again: its session was revoked.
    RefreshTokenReused = "auth.refresh_token_reused";
    /// The key that signs access tokens was rotated.
    SigningKeyRotated = "signing_key.rotated";
}

names! {
    /// What kind of thing it happened to.
    Resource:
    /// An article.
    Article = "article";
    /// A section.
    Section = "section";
    /// An account.
    User = "user";
    /// An API key.
    ApiKey = "api_key";
    /// A session.
    Session = "session";
}

names! {
    /// What kind of actor it was.
    ActorKind:
    /// An account.
    Account = "account";
    /// An API key.
    ApiKey = "api_key";
    /// The command line, or the service itself as time goes by.
    System = "system";
    /// Nobody who is known.
    Anonymous = "anonymous";
}

/// Who does something, and from where.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The kind.
    pub kind: ActorKind,
    /// Id of the account or key.
    pub id: Option<i64>,
    /// The account's e-mail address or the key's name.
    pub name: Option<String>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The request's id.
    pub request_id: Option<String>,
}

impl Actor {
    /// The command line, or the service itself.
    pub fn system() -> Self {
        Self {
            kind: ActorKind::System,
            id: None,
            name: None,
            address: None,
            request_id: None,
        }
    }

    /// Nobody who is known, at the other end of a request.
    pub fn anonymous(origin: &Origin) -> Self {
        Self {
            address: origin.address,
            request_id: origin.request_id.clone(),
            kind: ActorKind::Anonymous,
            ..Self::system()
        }
    }

    /// An account at the other end of a request.
    pub fn account(id: i64, email: String, origin: &Origin) -> Self {
        Self {
            kind: ActorKind::Account,
            id: Some(id),
            name: Some(email),
            ..Self::anonymous(origin)
        }
    }

    /// An API key at the other end of a request.
    pub fn api_key(id: i64, name: String, origin: &Origin) -> Self {
        Self {
            kind: ActorKind::ApiKey,
            ..Self::account(id, name, origin)
        }
    }

    /// The account's id, where it is one.
    pub fn user_id(&self) -> Option<i64> {
        self.id.filter(|_| self.kind == ActorKind::Account)
    }

    /// This actor at this instant.
    pub fn at(&self, now: Timestamp) -> By {
        By {
            actor: self.clone(),
            now,
            recorded_at: now,
        }
    }
}

/// Who does something, and when.
#[derive(Debug, Clone)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// When.
    pub now: Timestamp,
    /// The instant that the audit log tells: when it was really done, also where `now` is dated
    /// back.
    pub recorded_at: Timestamp,
}

/// One thing that happened, to be recorded.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What happened.
    pub event: Event,
    /// What it happened to.
    pub resource: Option<(Resource, i64)>,
    /// The members that changed.
    pub changes: Vec<Change>,
}

impl Entry {
    /// An event without changes of members.
    pub fn new(event: Event, resource: Resource, id: i64) -> Self {
        Self {
            event,
            resource: Some((resource, id)),
            changes: Vec::new(),
        }
    }

    /// With these changes.
    pub fn with(mut self, changes: Vec<Change>) -> Self {
        self.changes = changes;
        self
    }
}
