//! The change log: what followers are told.

mod following;
mod random;
mod replica;
mod time;

use crate::support::stage::Fact;

pub fn facts() -> Vec<Fact> {
    [following::facts(), random::facts(), time::facts()].concat()
}
