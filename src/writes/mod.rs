//! Safe writes: versions (`If-Match`), dry runs (`?dry_run=true`) and requests that may be sent again
//! (`Idempotency-Key`, as in the IETF's draft of that header).
//!
//! [`Asked`] is what a content write takes beside its path and body, and [`Asked::write`] is how its
//! work is run: once, or tried and undone, or not at all where the first answer is kept.

mod answer;
mod keys;

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};
use aws_lc_rs::digest::{Context, SHA256};

use crate::app::App;
use crate::auth::{Caller, Identity};
use crate::db::{Conn, DbError, Timestamp, dialect};
use crate::error::{ApiError, ApiResult, Code, Fault, FaultCode};
use crate::http::body::{BodyDigest, IDEMPOTENCY_KEY};
use crate::http::params::{FromParams, Reader};
use crate::http::precondition::IfMatch;

pub use answer::Answer;
use keys::{Claim, Found, Kept};

/// The longest `Idempotency-Key`, in characters.
const MAX_KEY: usize = 255;
/// How long a first answer is kept, in seconds.
const KEPT_SECONDS: i64 = 24 * 3600;

/// What a content write is asked for beside its path and body: its parameters, its condition, whether
/// to write at all. The faults of all of them are told at once.
#[derive(Debug)]
pub struct Asked<T = ()> {
    /// The parameters.
    pub query: T,
    /// The condition.
    pub if_match: IfMatch,
    dry_run: bool,
    keyed: Keyed,
}

impl<T: FromParams> FromRequest for Asked<T> {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut reader = Reader::of(req);
        let query = T::from_params(&mut reader);
        let dry_run = reader.boolean("dry_run").unwrap_or(false);
        let if_match = IfMatch::read(req, &mut reader);
        let keyed = Keyed::read(req, &mut reader);
        ready(reader.finish().map(|_| Self {
            query,
            if_match,
            dry_run,
            keyed,
        }))
    }
}

impl<T> Asked<T> {
    /// Runs the work of a write in one transaction and answers with what it made. A dry run is
    /// answered with 200 and undone. With an `Idempotency-Key` the answer is kept in that very
    /// transaction; where one is kept, it is given again and the work is not run.
    pub async fn write<F>(&self, app: &App, caller: &Caller, work: F) -> ApiResult<HttpResponse>
    where
        F: FnOnce(&mut Conn) -> ApiResult<Answer> + Send + 'static,
    {
        if self.dry_run {
            return Ok(try_out(app, work).await?.tried());
        }
        let owner = Owner::of(caller);
        self.keyed.run(app, owner, work).await
    }

    /// The same for work that changes nothing that is there: see [`Db::add`](crate::db::Db::add).
    pub async fn add<F>(&self, app: &App, caller: &Caller, work: F) -> ApiResult<HttpResponse>
    where
        F: FnOnce(&mut Conn) -> ApiResult<Answer> + Send + 'static,
    {
        if self.dry_run || self.keyed.is_given() {
            // These change more: what is kept of keys, where ids come from.
            return self.write(app, caller, work).await;
        }
        Ok(app.db.add(work, ApiError::is_refusal).await?.send())
    }
}

/// Whose an `Idempotency-Key` is.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The account, API key or visitor.
    pub name: String,
    /// What it may do, and where: who may less is not given an answer of before.
    pub access: String,
}

impl Owner {
    /// This caller.
    pub fn of(caller: &Caller) -> Self {
        let sections = &caller.sections;
        match &caller.identity {
            Identity::Account { user_id, role, .. } => Self {
                name: format!("account:{user_id}"),
                access: format!("{role} {sections:?}"),
            },
            Identity::ApiKey { id, scopes } => Self {
                name: format!("api_key:{id}"),
                access: format!("{scopes:?} {sections:?}"),
            },
        }
    }

    /// A visitor, by a hash of what tells it apart.
    pub fn visitor(hash: &str) -> Self {
        Self {
            name: format!("visitor:{hash}"),
            access: String::new(),
        }
    }
}

/// The `Idempotency-Key` of a `POST`, if it has one.
#[derive(Debug)]
pub struct Keyed(Option<(String, HttpRequest)>);

/// The operation has no parameters of its own.
impl FromRequest for Keyed {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut reader = Reader::of(req);
        let keyed = Self::read(req, &mut reader);
        ready(reader.finish().map(|_| keyed))
    }
}

impl Keyed {
    fn read(req: &HttpRequest, reader: &mut Reader) -> Self {
        let mut values = req.headers().get_all(&IDEMPOTENCY_KEY);
        let Some(value) = values.next().filter(|_| *req.method() == Method::POST) else {
            return Self(None);
        };
        let text = value.to_str().unwrap_or_default().trim();
        let is_key =
            (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if !is_key || values.next().is_some() {
            let detail = "Idempotency-Key must be given once: 1 to 255 printable ASCII characters";
            reader.report(Fault::parameter(
                "Idempotency-Key",
                FaultCode::Invalid,
                detail,
            ));
        }
        Self(Some((text.to_owned(), req.clone())))
    }

    /// Whether there is one.
    pub fn is_given(&self) -> bool {
        self.0.is_some()
    }

    /// Runs the work, or gives the first answer again. `owner` says whose key it is.
    pub async fn run<F>(&self, app: &App, owner: Owner, work: F) -> ApiResult<HttpResponse>
    where
        F: FnOnce(&mut Conn) -> ApiResult<Answer> + Send + 'static,
    {
        let Some((key, req)) = &self.0 else {
            return Ok(app.db.write(work).await?.send());
        };
        let app = app.clone();
        let claim = Claim::new(owner, key.clone(), fingerprint(req));
        // It goes on when the client has gone: what is claimed is also answered or released.
        let whole = actix_web::rt::spawn(async move { claimed(app, claim, work).await });
        whole
            .await
            .map_err(|_| ApiError::Internal("a write was cut off".to_owned()))?
    }
}

/// The SHA-256 of what is asked: method, path, query, condition and body.
fn fingerprint(req: &HttpRequest) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    let extensions = req.extensions();
    let body = extensions.get::<BodyDigest>().map(|digest| digest.0);
    let condition = req.headers().get("if-match");
    for part in [
        req.method().as_str().as_bytes(),
        req.path().as_bytes(),
        req.query_string().as_bytes(),
        condition.map(|value| value.as_bytes()).unwrap_or_default(),
        body.as_ref().map(<[u8; 32]>::as_slice).unwrap_or_default(),
    ] {
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

/// Claims the key, works and keeps the answer.
async fn claimed<F>(app: App, claim: Claim, work: F) -> ApiResult<HttpResponse>
where
    F: FnOnce(&mut Conn) -> ApiResult<Answer> + Send + 'static,
{
    let (clock, asked) = (app.clock.clone(), claim.clone());
    let found = app
        .db
        .write(move |conn| keys::claim(conn, &asked, clock.now()))
        .await?;
    if let Found::Kept(first) = found {
        return first.map(Answer::send);
    }
    let own = claim.clone();
    let worked = app.db.write(move |conn: &mut Conn| -> ApiResult<Answer> {
        let answer = work(conn)?;
        keys::keep(conn, &own, Kept::Answer(answer.clone()))?;
        Ok(answer)
    });
    let error = match worked.await {
        Ok(answer) => return Ok(answer.send()),
        Err(error) => error,
    };
    let is_kept = matches!(error.code().status().as_u16(), 409 | 422)
        && error.code() != Code::IdempotencyInFlight;
    let kept = is_kept.then(|| Kept::Error(keys::kept_error(&error)));
    let done = app
        .db
        .write(move |conn: &mut Conn| -> ApiResult<Option<Answer>> {
            if let Some(answer) = keys::own_answer(conn, &claim)? {
                return Ok(Some(answer));
            }
            match kept {
                Some(kept) => keys::keep(conn, &claim, kept)?,
                None => keys::release(conn, &claim)?,
            }
            Ok(None)
        });
    match done.await? {
        Some(answer) => Ok(answer.send()),
        None => Err(error),
    }
}

/// How a try ends: always as a failure, so that its transaction is undone.
enum Undone {
    Tried(Answer),
    Failed(ApiError),
}

impl From<DbError> for Undone {
    fn from(error: DbError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<diesel::result::Error> for Undone {
    fn from(error: diesel::result::Error) -> Self {
        Self::Failed(error.into())
    }
}

async fn try_out<F>(app: &App, work: F) -> ApiResult<Answer>
where
    F: FnOnce(&mut Conn) -> ApiResult<Answer> + Send + 'static,
{
    let tried = app
        .db
        .write(move |conn| {
            let sequences = dialect::id_sequences(conn)?;
            match work(conn) {
                Ok(answer) => {
                    // Not even an id is used up.
                    dialect::put_back(conn, &sequences)?;
                    Err::<(), _>(Undone::Tried(answer))
                }
                Err(error) => Err(Undone::Failed(error)),
            }
        })
        .await;
    match tried {
        Err(Undone::Tried(answer)) => Ok(answer),
        Err(Undone::Failed(error)) => Err(error),
        Ok(()) => Err(ApiError::Internal("a try was not undone".to_owned())),
    }
}

/// Deletes answers that were kept for 24 hours, and returns how many.
pub async fn tidy(app: &App) -> ApiResult<usize> {
    let before: Timestamp = app.clock.now().plus_seconds(-KEPT_SECONDS);
    let mut deleted = 0;
    loop {
        let gone = app
            .db
            .write(move |conn| keys::delete_before(conn, before).map_err(ApiError::from))
            .await?;
        deleted += gone;
        if gone == 0 {
            return Ok(deleted);
        }
    }
}

/// The parameter that every content write takes.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `Asked` reads")]
pub struct DryRunParams {
    /// `true`: validates the whole request and answers 200 with what would be, and writes nothing.
    #[param(default = false)]
    dry_run: Option<bool>,
}
