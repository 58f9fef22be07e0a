//! Accounts, as admins manage them.

mod changing;
mod deleting;
mod last_admin;
mod listing;
mod making;
mod resets;

use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::people::USERS;
use crate::support::stage::Fact;

fn path(id: i64) -> String {
    format!("{USERS}/{id}")
}

async fn create(app: &TestApp, body: Value) -> Answer {
    app.admin().post(USERS, body).await
}

async fn patch(app: &TestApp, id: i64, body: Value) -> Answer {
    app.admin().patch(&path(id), body).await
}

/// The account as admins see it.
async fn read(app: &TestApp, id: i64) -> Answer {
    app.admin().get(&path(id)).await.ok(200)
}

/// The faults' places and codes, sorted.
fn faults(answer: &Answer) -> Vec<(String, String)> {
    let mut faults = answer.faults();
    faults.sort();
    faults
}

/// The same, as a fact writes them down.
fn expected(faults: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(place, code): &(&str, &str)| ((*place).to_owned(), (*code).to_owned());
    faults.iter().map(owned).collect()
}

/// The facts of this folder.
pub fn facts() -> Vec<Fact> {
    [
        making::facts(),
        listing::facts(),
        changing::facts(),
        deleting::facts(),
        last_admin::facts(),
        resets::facts(),
    ]
    .concat()
}
