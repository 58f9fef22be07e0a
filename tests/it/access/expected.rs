//! What the one table says that a caller must be answered with.

use lanmu::auth::Permission;
use lanmu::auth::access::{Extent, bounds};

use super::people::{Person, Who};
use super::plans::{Ask, Made, On, Place, State};

/// Whether the caller's sections hold that place, by the table.
fn reaches(person: &Person, place: Place) -> bool {
    let sections = match person.who {
        Who::Account(role) => bounds(role, person.sections.clone()),
        _ => person.sections.clone(),
    };
    match sections {
        None => true,
        // Whoever is bound is bound to home, or to nothing.
        Some(ids) => !ids.is_empty() && matches!(place, Place::Home | Place::Below),
    }
}

/// The status that the caller must be answered with.
pub fn expected(person: &Person, permission: Permission, ask: &Ask) -> u16 {
    let Some(extent) = person.extent(permission) else {
        return 401;
    };
    let lacks = |needed| person.extent(needed) == Some(Extent::Nothing);
    let lacks_more = ask.also.is_some_and(lacks);
    if extent == Extent::Nothing || (lacks_more && ask.body.get("publish").is_some()) {
        return 403;
    }
    match ask.on {
        On::Missing | On::Into(None) | On::NewExternal(None) => {
            if ask.on == On::Missing {
                404
            } else {
                422
            }
        }
        On::Into(Some(place)) | On::NewExternal(Some(place)) => match place {
            place if reaches(person, place) => ask.status,
            Place::Hidden => 422,
            _ => 403,
        },
        On::Article(state, made, place) | On::External(state, made, place) => {
            // A push to what it must not know of meets a name that is taken.
            let unknown = match ask.on {
                On::External(..) => 409,
                _ => 404,
            };
            let is_public = state == State::Public && place != Place::Hidden;
            let only_own = matches!(extent, Extent::Own | Extent::OwnDrafts);
            let is_strange = only_own && made != Made::ByAuthor;
            let is_no_draft = matches!(state, State::Public | State::InReview);
            if is_strange || !reaches(person, place) {
                if is_public { 403 } else { unknown }
            } else if lacks_more || (extent == Extent::OwnDrafts && is_no_draft) {
                403
            } else {
                ask.status
            }
        }
        On::Section(place) if !reaches(person, place) => {
            if place == Place::Hidden {
                404
            } else {
                403
            }
        }
        _ => ask.status,
    }
}

/// The problem's code, where the status has but one for those who act on this.
pub fn code(status: u16, on: On) -> Option<&'static str> {
    match status {
        409 if on == On::Nothing => Some("bulk_failed"),
        401 => Some("unauthorized"),
        403 => Some("forbidden"),
        404 => Some("not_found"),
        409 => Some("external_id_taken"),
        _ => None,
    }
}
