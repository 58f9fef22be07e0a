//! The links and the key that their tokens are signed with.

use diesel::prelude::*;

use crate::audit::{self, By, Entry, Event, Resource};
use crate::db::schema::preview_links;
use crate::db::{Conn, Timestamp};
use crate::secrets;

use super::token::Claims;

/// The name of the key in `secrets`.
const KEY_NAME: &str = "preview_links";

/// Makes the article's link anew, good until this whole second; its token. The one before is worth
/// nothing from now on.
pub fn make(
    conn: &mut Conn,
    article_id: i64,
    expires_at: Timestamp,
    by: &By,
) -> QueryResult<String> {
    let key = secrets::find_or_make(conn, KEY_NAME, by.now)?;
    let claims = Claims::new(article_id, expires_at);
    revoke(conn, &[article_id])?;
    diesel::insert_into(preview_links::table)
        .values((
            preview_links::article_id.eq(article_id),
            preview_links::serial.eq(claims.serial),
            preview_links::expires_at.eq(expires_at),
            preview_links::created_at.eq(by.now),
        ))
        .execute(conn)?;
    let made = Entry::new(Event::ArticlePreviewMade, Resource::Article, article_id);
    audit::record(conn, by, made)?;
    Ok(claims.sign(&key))
}

/// Ends the links of these articles, and returns how many there were.
pub fn revoke(conn: &mut Conn, article_ids: &[i64]) -> QueryResult<usize> {
    let those = preview_links::table.filter(preview_links::article_id.eq_any(article_ids));
    diesel::delete(those).execute(conn)
}

/// The id of the article that this token shows at this instant, where it shows one.
pub fn shown_by(conn: &mut Conn, token: &str, now: Timestamp) -> QueryResult<Option<i64>> {
    let Some(key) = secrets::find(conn, KEY_NAME)? else {
        return Ok(None);
    };
    let Some(claims) = Claims::verify(token, &key).filter(|claims| claims.expires_at > now) else {
        return Ok(None);
    };
    preview_links::table
        .find(claims.article_id)
        .filter(preview_links::serial.eq(claims.serial))
        .filter(preview_links::expires_at.eq(claims.expires_at))
        .select(preview_links::article_id)
        .first(conn)
        .optional()
}
