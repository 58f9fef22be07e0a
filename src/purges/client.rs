//! One request to a cache, by as much of HTTP/1.1 as it takes (RFC 9112). Addresses come from the settings,
//! so that any may be meant, inner ones above all.

use std::io;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::{Host, Url};

use crate::http::keys::KeyHeader;

/// How long the whole of it may take.
const TIME: Duration = Duration::from_secs(5);
/// The longest status line.
const MAX_LINE: usize = 1024;

/// Why a cache did not take a purge.
#[derive(Debug, Error)]
pub enum PurgeError {
    /// It can't be reached, or went away.
    #[error("it can't be reached: {0}")]
    Unreachable(#[from] io::Error),
    /// It took too long.
    #[error("it took longer than 5 seconds")]
    Slow,
    /// It answered with another status than 2xx.
    #[error("it answered with {0}: is PURGE allowed from here?")]
    Refused(u16),
    /// It answered with something else than HTTP.
    #[error("it answered with something else than HTTP")]
    NoHttp,
}

/// Tells a cache to drop all that carries one of these keys: `PURGE`, with the keys in the header in which
/// answers have them.
pub async fn purge(url: &Url, header: KeyHeader, keys: &[String]) -> Result<(), PurgeError> {
    let asked = tokio::time::timeout(TIME, ask(url, request(url, header, keys)));
    match asked.await {
        Ok(status) => match status? {
            200..=299 => Ok(()),
            status => Err(PurgeError::Refused(status)),
        },
        Err(_) => Err(PurgeError::Slow),
    }
}

fn request(url: &Url, header: KeyHeader, keys: &[String]) -> String {
    format!(
        "PURGE {path} HTTP/1.1\r\nhost: {host}\r\n{name}: {keys}\r\nuser-agent: lanmu\r\n\
         content-length: 0\r\nconnection: close\r\n\r\n",
        path = url.path(),
        host = url.authority(),
        name = header.name(),
        keys = keys.join(header.separator()),
    )
}

/// The status of the answer.
async fn ask(url: &Url, request: String) -> Result<u16, PurgeError> {
    let port = url.port_or_known_default().unwrap_or(80);
    let mut stream = match url.host() {
        Some(Host::Domain(name)) => TcpStream::connect((name, port)).await?,
        Some(Host::Ipv4(address)) => TcpStream::connect((address, port)).await?,
        Some(Host::Ipv6(address)) => TcpStream::connect((address, port)).await?,
        // The settings take none without.
        None => return Err(PurgeError::NoHttp),
    };
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.contains(&b'\n') && head.len() < MAX_LINE {
        if stream.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    status(&head).ok_or(PurgeError::NoHttp)
}

/// The status in the first line of an answer.
fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\n').next()?;
    let rest = std::str::from_utf8(line).ok()?.strip_prefix("HTTP/1.")?;
    let status = rest.split([' ', '\r']).nth(1)?;
    status.parse().ok().filter(|_| status.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_from_the_first_line() {
        for (head, is) in [
            ("HTTP/1.1 200 Purged\r\nserver: x\r\n", Some(200)),
            ("HTTP/1.0 204\r\n", Some(204)),
            ("HTTP/1.1 405 Not Allowed\r\n", Some(405)),
            ("SSH-2.0-OpenSSH_9\r\n", None),
            ("HTTP/1.1 2000 \r\n", None),
            ("", None),
        ] {
            assert_eq!(status(head.as_bytes()), is, "{head:?}");
        }
    }

    #[test]
    fn keys_are_sent_as_answers_have_them() {
        let keys = ["article-12".to_owned(), "list".to_owned()];
        let url = Url::parse("http://cache.example:6081/purge").expect("valid");
        let sent = request(&url, KeyHeader::CacheTag, &keys);
        assert!(sent.starts_with("PURGE /purge HTTP/1.1\r\nhost: cache.example:6081\r\n"));
        assert!(sent.contains("\r\ncache-tag: article-12,list\r\n"));
        let sent = request(&url, KeyHeader::SurrogateKey, &keys);
        assert!(sent.contains("\r\nsurrogate-key: article-12 list\r\n"));
    }
}
