//! What each operation is asked in the walk, so that whoever may do it is answered with success.

use lanmu::auth::Permission;
use serde_json::{Value, json};

use crate::support::app::NOON;

/// In which state an article is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Draft,
    InReview,
    Public,
    Trashed,
}

/// Who made an article.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    ByAuthor,
    ByAdmin,
}

/// Where something stands, for those who are bound to `home`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In their very section.
    Home,
    /// In a section under it.
    Below,
    /// In another that readers see.
    Beside,
    /// In another that they don't.
    Hidden,
}

/// Which list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    Articles,
    Sections,
    Hits,
    /// What has nothing to do with sections.
    Else,
}

/// What an operation acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// An article that is there.
    Article(State, Made, Place),
    /// A new article for this section; `None`: for one that isn't there.
    Into(Option<Place>),
    /// The article of an external id that is there.
    External(State, Made, Place),
    /// A new article with an external id.
    NewExternal(Option<Place>),
    /// The very section of that place.
    Section(Place),
    /// An empty section made for it.
    EmptySection,
    /// An account made for it.
    User,
    /// A key made for it.
    Key,
    /// Another session of the caller's own.
    OwnSession,
    /// What isn't there.
    Missing,
    List(Listed),
    /// Nothing but the caller.
    Nothing,
}

/// A request of the walk.
#[derive(Debug, Clone)]
pub struct Ask {
    pub on: On,
    pub query: &'static str,
    /// Null is no body. The walk puts the section's id in for a `section_id`, and an address that is
    /// free for an `email`.
    pub body: Value,
    /// What the caller needs besides the operation's permission. A body that asks for publishing
    /// is refused at once, all else once the article is found.
    pub also: Option<Permission>,
    /// The status of success.
    pub status: u16,
}

impl Ask {
    fn new(on: On, status: u16) -> Self {
        Self {
            on,
            query: "",
            body: Value::Null,
            also: None,
            status,
        }
    }

    fn body(self, body: Value) -> Self {
        Self { body, ..self }
    }

    fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    fn publishing(self) -> Self {
        let also = Some(Permission::Publish);
        Self { also, ..self }
    }
}

const DRAFTS: [On; 4] = [
    On::Article(State::Draft, Made::ByAuthor, Place::Home),
    On::Article(State::Draft, Made::ByAdmin, Place::Below),
    On::Article(State::Draft, Made::ByAuthor, Place::Beside),
    On::Article(State::Draft, Made::ByAdmin, Place::Hidden),
];
const IN_REVIEW: [On; 4] = [
    On::Article(State::InReview, Made::ByAuthor, Place::Home),
    On::Article(State::InReview, Made::ByAdmin, Place::Below),
    On::Article(State::InReview, Made::ByAuthor, Place::Beside),
    On::Article(State::InReview, Made::ByAdmin, Place::Hidden),
];
const PUBLIC: [On; 4] = [
    On::Article(State::Public, Made::ByAuthor, Place::Home),
    On::Article(State::Public, Made::ByAdmin, Place::Below),
    On::Article(State::Public, Made::ByAdmin, Place::Beside),
    On::Article(State::Public, Made::ByAdmin, Place::Hidden),
];
const TRASHED: [On; 4] = [
    On::Article(State::Trashed, Made::ByAuthor, Place::Home),
    On::Article(State::Trashed, Made::ByAdmin, Place::Below),
    On::Article(State::Trashed, Made::ByAuthor, Place::Beside),
    On::Article(State::Trashed, Made::ByAdmin, Place::Hidden),
];

/// The same request for each of these, and for what isn't there.
fn each(groups: &[[On; 4]], status: u16) -> Vec<Ask> {
    let found = groups.iter().flatten().chain([&On::Missing]);
    found.map(|on| Ask::new(*on, status)).collect()
}

fn with_body(asks: Vec<Ask>, body: &Value) -> Vec<Ask> {
    asks.into_iter().map(|ask| ask.body(body.clone())).collect()
}

/// A write: what is public, or is published by it, needs the publish permission, too.
fn write(status: u16, body: &Value) -> Vec<Ask> {
    let asks = with_body(each(&[DRAFTS, IN_REVIEW, PUBLIC], status), body);
    let publishing = |ask: Ask| match ask.on {
        On::Article(State::Public, ..) => ask.publishing(),
        _ => ask,
    };
    asks.into_iter().map(publishing).collect()
}

fn update() -> Vec<Ask> {
    let mut asks = write(200, &json!({"title": "夜渡"}));
    let own = On::Article(State::Draft, Made::ByAuthor, Place::Home);
    let dated = Ask::new(own, 200).body(json!({"published_at": NOON}));
    asks.push(dated.publishing());
    asks
}

fn delete() -> Vec<Ask> {
    let purge = each(&[TRASHED], 204);
    let purge = purge
        .into_iter()
        .map(|ask| ask.query("?permanent=true").publishing());
    write(204, &Value::Null).into_iter().chain(purge).collect()
}

/// Bodies of a new article: its section's id is put in.
fn new_article(publish: bool) -> Value {
    let mut body = super::draft("晨渡", 0);
    if publish {
        body["publish"] = json!({});
    }
    body
}

fn create(on: fn(Option<Place>) -> On) -> Vec<Ask> {
    let places = [Place::Home, Place::Below, Place::Beside, Place::Hidden];
    let places = places.map(Some).into_iter().chain([None]);
    let asks = places.flat_map(|place| {
        let ask = Ask::new(on(place), 201);
        [
            ask.clone().body(new_article(false)),
            ask.body(new_article(true)).publishing(),
        ]
    });
    asks.collect()
}

fn put_external() -> Vec<Ask> {
    let mut asks = create(On::NewExternal);
    for on in DRAFTS.into_iter().chain(PUBLIC) {
        let On::Article(state, made, place) = on else {
            continue;
        };
        let ask = Ask::new(On::External(state, made, place), 200);
        let published = ask.clone().body(new_article(true)).publishing();
        let ask = ask.body(new_article(false));
        let is_public = state == State::Public;
        asks.push(if is_public { ask.publishing() } else { ask });
        asks.push(published);
    }
    asks
}

fn own_or_missing(on: On, status: u16) -> Vec<Ask> {
    vec![Ask::new(on, status), Ask::new(On::Missing, status)]
}

/// The requests of an operation that needs a caller; `None`: nobody has thought of it yet.
pub fn asks(operation_id: &str) -> Option<Vec<Ask>> {
    use Place::{Below, Beside, Hidden, Home};
    let plain = |on: On, status: u16| vec![Ask::new(on, status)];
    let all = [DRAFTS, IN_REVIEW, PUBLIC, TRASHED];
    let reason = json!({"reason": "抄录"});
    Some(match operation_id {
        "listManagedArticles" => plain(On::List(Listed::Articles), 200),
        "listManagedSections" => plain(On::List(Listed::Sections), 200),
        "listManagedHits" => plain(On::List(Listed::Hits), 200),
        "listUsers" | "listApiKeys" | "listAudit" => plain(On::List(Listed::Else), 200),

        "getManagedArticle" | "checkArticle" | "getManagedHits" => each(&all, 200),
        "createArticlePreview" => each(&[DRAFTS, PUBLIC], 201),
        "createArticle" => create(On::Into),
        "updateArticle" => update(),
        "deleteArticle" => delete(),
        "restoreArticle" => each(&[TRASHED], 200),
        "submitArticle" => each(&[DRAFTS], 200),
        "rejectArticle" => with_body(each(&[IN_REVIEW], 200), &json!({"note": "请补图"})),
        "reorderArticle" => with_body(each(&[DRAFTS, PUBLIC], 200), &json!({"position": 0})),
        "bulkArticles" => {
            // Whoever may ask is told that it isn't there; `articles::bulk` asks for what is.
            let body = json!({"action": "trash", "ids": [999_999_999], "atomic": true});
            vec![Ask::new(On::Nothing, 409).body(body)]
        }
        "publishArticle" => each(&[DRAFTS, IN_REVIEW, PUBLIC], 200),
        "listRevisions" | "getRevision" | "diffRevision" => each(&all, 200),
        "restoreRevision" => write(200, &Value::Null),
        "unpublishArticle" => each(&[PUBLIC], 200),
        "putExternalArticle" => put_external(),
        "setHitBaseline" => {
            let body = json!({"baseline": 7, "reason": "抄录"});
            with_body(each(&all, 200), &body)
        }
        "adjustHits" => {
            let body = json!({"delta": 7, "reason": "补录"});
            with_body(each(&all, 200), &body)
        }
        "resetHits" => with_body(each(&all, 200), &reason),
        "deleteHits" => each(&all, 204),
        // Whoever may ask is told that it isn't there; `hits` asks for what is.
        "recordManagedHits" => {
            let hit = json!({"article_id": 999_999_999, "hit_id": "r"});
            vec![Ask::new(On::Nothing, 200).body(json!({"hits": [hit]}))]
        }
        "importHitBaselines" => {
            let items = json!([{"id": 999_999_999, "baseline": 7}]);
            let body = json!({"reason": "抄录", "items": items});
            vec![Ask::new(On::Nothing, 200).body(body)]
        }
        "exportHits" => plain(On::List(Listed::Else), 200),

        "getManagedSection" => {
            let places = [Home, Below, Beside, Hidden].map(On::Section);
            each(&[places], 200)
        }
        "createSection" => vec![Ask::new(On::Nothing, 201).body(json!({"name": "新港"}))],
        "updateSection" => with_body(
            own_or_missing(On::EmptySection, 200),
            &json!({"name": "老港"}),
        ),
        "deleteSection" => own_or_missing(On::EmptySection, 204),
        "moveSection" => with_body(
            own_or_missing(On::EmptySection, 200),
            &json!({"parent_id": null}),
        ),

        "createUser" => {
            let body = json!({"email": "NEW", "role": "viewer"});
            vec![Ask::new(On::Nothing, 201).body(body)]
        }
        "getUser" | "listUserSessions" => own_or_missing(On::User, 200),
        "updateUser" => with_body(own_or_missing(On::User, 200), &json!({"name": "林"})),
        "deleteUser" | "revokeUserSessions" => own_or_missing(On::User, 204),
        "createPasswordReset" => own_or_missing(On::User, 201),

        "createApiKey" => {
            let body = json!({"name": "新", "scopes": ["hits:read"]});
            vec![Ask::new(On::Nothing, 201).body(body)]
        }
        "getApiKey" | "rotateApiKey" => own_or_missing(On::Key, 200),
        "updateApiKey" => with_body(own_or_missing(On::Key, 200), &json!({"name": "换"})),
        "revokeApiKey" => own_or_missing(On::Key, 204),

        "getMe" | "listSessions" => plain(On::Nothing, 200),
        "logout" | "revokeSessions" => plain(On::Nothing, 204),
        "changePassword" => {
            let word = crate::support::app::PASSWORD;
            let body = json!({"current_password": word, "new_password": word});
            vec![Ask::new(On::Nothing, 200).body(body)]
        }
        "revokeSession" => own_or_missing(On::OwnSession, 204),
        _ => return None,
    })
}
