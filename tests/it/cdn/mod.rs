//! Caches elsewhere: the keys that answers carry, what writes tell caches, and that the two belong
//! together.

mod carried;
mod listener;
mod model;
pub mod proxies;
mod purged;
mod waiting;

use std::collections::BTreeSet;

use crate::support::client::Answer;
use crate::support::stage::Fact;

pub fn facts() -> Vec<Fact> {
    [
        carried::facts(),
        model::facts(),
        purged::facts(),
        waiting::facts(),
    ]
    .concat()
}

/// Keys, each once.
pub type Keys = BTreeSet<String>;

/// The keys of a text like `all list article-12`.
pub fn keys(text: &str) -> Keys {
    let separators = [' ', ','];
    let keys = text.split(separators).filter(|key| !key.is_empty());
    keys.map(ToOwned::to_owned).collect()
}

/// The keys that an answer carries.
pub fn carried(answer: &Answer) -> Keys {
    let header = answer
        .header("surrogate-key")
        .or(answer.header("cache-tag"));
    keys(header.unwrap_or_default())
}
