//! What counts as a view.

use std::net::IpAddr;
use std::sync::LazyLock;

use actix_web::HttpRequest;
use aws_lc_rs::hmac;
use isbot::Bots;

use crate::http::client;

/// What became of a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It counts.
    Counted,
    /// Seen before: the same hit id, or the same visitor within the window.
    Duplicate,
    /// A crawler, a link preview or a prefetch.
    Bot,
    /// Its time is too far off.
    Rejected,
    /// There is no such public article; nothing is written.
    NotFound,
}

impl Outcome {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Duplicate => "duplicate",
            Self::Bot => "bot",
            Self::Rejected => "rejected",
            Self::NotFound => "not_found",
        }
    }
}

/// Where a view was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// A web page on a desktop.
    Web,
    /// A web page on a phone.
    H5,
    /// A native app.
    App,
    /// A mini-program.
    Mini,
    /// Anything else.
    Other,
}

impl Client {
    /// The client of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "web" => Self::Web,
            "h5" => Self::H5,
            "app" => Self::App,
            "mini" => Self::Mini,
            "other" => Self::Other,
            _ => return None,
        })
    }
}

/// How long hit ids are remembered, and how old a hit may be, in seconds: 7 days.
pub const HIT_ID_SECONDS: i64 = 7 * 24 * 3600;
/// How far ahead a client's clock may be, in seconds.
pub const MAX_AHEAD_SECONDS: i64 = 5 * 60;

/// Who is looking.
#[derive(Debug, Clone)]
pub struct Viewer {
    address: Option<IpAddr>,
    agent: String,
    is_prefetch: bool,
}

impl Viewer {
    /// The viewer behind a request.
    pub fn of(req: &HttpRequest, trusted: &[ipnet::IpNet]) -> Self {
        let header = |name: &str| {
            req.headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let is_prefetch = ["purpose", "sec-purpose", "x-purpose", "x-moz"]
            .iter()
            .any(|name| {
                header(name).is_some_and(|value| {
                    let value = value.to_ascii_lowercase();
                    value.contains("prefetch")
                        || value.contains("prerender")
                        || value.contains("preview")
                })
            });
        Self {
            address: client::address(req, trusted),
            agent: header("user-agent")
                .unwrap_or_default()
                .chars()
                .take(1000)
                .collect(),
            is_prefetch,
        }
    }

    /// Whether this is a crawler or link preview that names itself, or a prefetch.
    pub fn is_bot(&self) -> bool {
        self.is_prefetch || is_bot(&self.agent)
    }

    /// The visitor: a keyed hash of network and user agent. No address is kept.
    pub fn hash(&self, salt: &[u8]) -> Vec<u8> {
        let network = self
            .address
            .map(client::network)
            .map(|n| n.to_string())
            .unwrap_or_default();
        let key = hmac::Key::new(hmac::HMAC_SHA256, salt);
        let tag = hmac::sign(&key, format!("{network}\n{}", self.agent).as_bytes());
        tag.as_ref()[..16].to_vec()
    }
}

/// The crate's list takes HTTP libraries and an empty user agent for bots; here they aren't: apps
/// and servers that count their readers' views use them.
static BOTS: LazyLock<Bots> = LazyLock::new(Bots::default);

/// Names that HTTP libraries and command-line clients give themselves.
const LIBRARIES: &[&str] = &[
    "aiohttp",
    "apache-httpclient",
    "axios",
    "cfnetwork",
    "curl",
    "dalvik",
    "dart",
    "deno",
    "faraday",
    "go-http-client",
    "got",
    "guzzlehttp",
    "http-kit",
    "httpie",
    "httpx",
    "java",
    "libcurl",
    "libwww-perl",
    "lua-resty-http",
    "node",
    "node-fetch",
    "okhttp",
    "php",
    "postman",
    "postmanruntime",
    "python",
    "python-requests",
    "python-urllib",
    "reqwest",
    "rest-client",
    "ruby",
    "superagent",
    "undici",
    "urllib",
    "ureq",
    "wget",
];

fn is_bot(agent: &str) -> bool {
    let agent = agent.trim();
    if agent.is_empty() {
        return false;
    }
    let first = agent
        .split(['/', ' ', '('])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if LIBRARIES.contains(&first.as_str()) {
        // A library that says what it crawls for is a crawler all the same.
        let rest = agent[first.len()..].to_ascii_lowercase();
        return ["bot", "crawl", "spider"]
            .iter()
            .any(|sign| rest.contains(sign));
    }
    BOTS.is_bot(agent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crawlers_that_name_themselves_are_bots() {
        for agent in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
            "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "python-requests/2.31 (my-crawler)",
        ] {
            assert!(is_bot(agent), "{agent}");
        }
    }

    #[test]
    fn people_and_libraries_are_not() {
        for agent in [
            "",
            "curl/8.5.0",
            "okhttp/4.12.0",
            "axios/1.7.2",
            "python-requests/2.31.0",
            "Go-http-client/1.1",
            "Java/17.0.2",
            "Dart/3.4 (dart:io)",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.49 NetType/WIFI Language/zh_CN",
            "Mozilla/5.0 (Linux; Android 14; CUBOT NOTE 30) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36",
        ] {
            assert!(!is_bot(agent), "{agent}");
        }
    }

    #[test]
    fn a_visitor_is_a_network_and_an_agent() {
        let viewer = |address: &str, agent: &str| Viewer {
            address: address.parse().ok(),
            agent: agent.to_owned(),
            is_prefetch: false,
        };
        let hash = |a: &str, b: &str| viewer(a, b).hash(b"salt");
        assert_eq!(hash("2001:db8::1", "x"), hash("2001:db8::2", "x"));
        assert_ne!(hash("192.0.2.1", "x"), hash("192.0.2.1", "y"));
        assert_ne!(hash("192.0.2.1", "x"), hash("192.0.2.2", "x"));
        assert_ne!(
            hash("192.0.2.1", "x"),
            viewer("192.0.2.1", "x").hash(b"other")
        );
    }
}
