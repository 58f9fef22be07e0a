//! What counts as a view.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, USER_AGENT};
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
    /// Its time is too far off, or its sender has sent too many.
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
    /// All clients; the log names them by their places here.
    pub const ALL: [Self; 5] = [Self::Web, Self::H5, Self::App, Self::Mini, Self::Other];

    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::H5 => "h5",
            Self::App => "app",
            Self::Mini => "mini",
            Self::Other => "other",
        }
    }

    /// The client of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|client| client.as_str() == text)
    }

    /// Its place in [`Self::ALL`].
    pub fn index(self) -> u8 {
        self as u8
    }

    /// The client at this place; where there is none, it is another.
    pub fn from_index(index: u8) -> Self {
        Self::ALL
            .get(usize::from(index))
            .copied()
            .unwrap_or(Self::Other)
    }
}

/// How long hit ids are remembered, and how old a hit may be, in seconds: 7 days.
pub const HIT_ID_SECONDS: i64 = 7 * 24 * 3600;
/// How far ahead a client's clock may be, in seconds.
pub const MAX_AHEAD_SECONDS: i64 = 5 * 60;

/// A key that visitors are hashed with.
#[derive(Debug, Clone)]
pub struct Salt(hmac::Key);

impl Salt {
    /// The key of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }
}

/// What tells one visitor from another: a byte that tells its kind, then what it is known by.
#[derive(Debug, Clone)]
pub struct Visitor(Vec<u8>);

impl Visitor {
    /// By network and user agent.
    fn at(address: Option<IpAddr>, agent: &[u8]) -> Self {
        match address.map(client::network) {
            Some(IpAddr::V4(network)) => Self([b"4", &network.octets()[..], agent].concat()),
            Some(IpAddr::V6(network)) => Self([b"6", &network.octets()[..], agent].concat()),
            None => Self([b"-", agent].concat()),
        }
    }

    /// By a name that a server of the site's own has given.
    pub fn named(name: &str) -> Self {
        Self([b"n", name.as_bytes()].concat())
    }

    /// A keyed hash of it: nothing else is kept.
    pub fn hash(&self, salt: &Salt) -> [u8; 16] {
        let tag = hmac::sign(&salt.0, &self.0);
        let mut hash = [0; 16];
        hash.copy_from_slice(&tag.as_ref()[..16]);
        hash
    }
}

/// Who is looking.
#[derive(Debug, Clone)]
pub struct Viewer {
    address: Option<IpAddr>,
    visitor: Visitor,
    is_bot: bool,
}

/// How much of a user agent is looked at, in bytes.
const MAX_AGENT: usize = 1000;

impl Viewer {
    /// The viewer behind a request.
    pub fn of(req: &HttpRequest, trusted: &[ipnet::IpNet]) -> Self {
        let agent = req.headers().get(USER_AGENT);
        let agent = agent.map_or(&[][..], |value| value.as_bytes());
        let agent = &agent[..agent.len().min(MAX_AGENT)];
        let address = client::address(req, trusted);
        Self {
            address,
            visitor: Visitor::at(address, agent),
            is_bot: is_prefetch(req) || is_bot(agent),
        }
    }

    /// The viewer's address, where there is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// What tells it from others.
    pub fn into_visitor(self) -> Visitor {
        self.visitor
    }

    /// Whether this is a crawler or link preview that names itself, or a prefetch.
    pub fn is_bot(&self) -> bool {
        self.is_bot
    }
}

/// Headers by which browsers say that nobody is looking yet.
const PURPOSES: [HeaderName; 4] = [
    HeaderName::from_static("purpose"),
    HeaderName::from_static("sec-purpose"),
    HeaderName::from_static("x-purpose"),
    HeaderName::from_static("x-moz"),
];

fn is_prefetch(req: &HttpRequest) -> bool {
    let headers = req.headers();
    PURPOSES.iter().any(|name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| {
                let value = value.to_ascii_lowercase();
                value.contains("prefetch")
                    || value.contains("prerender")
                    || value.contains("preview")
            })
    })
}

/// The crate's list less what names no crawler: HTTP libraries (apps and servers that count their
/// readers' views use them), browsers that have a crawler's name in theirs, and a CDN.
static BOTS: LazyLock<Bots> = LazyLock::new(|| {
    let mut bots = Bots::default();
    bots.remove(NO_BOTS);
    bots
});

const NO_BOTS: &[&str] = &[
    // Libraries and command-line clients.
    "^curl",
    "^java/",
    "^javascript",
    "^lua-resty-http",
    "^php",
    "^php-curl-class",
    "^postmanruntime",
    "^unityplayer",
    "ahc/",
    "aiohttp",
    "anyevent",
    "axios",
    "go-http-client",
    "guzzlehttp",
    "http_get",
    "httpclient",
    "httpunit",
    "httpurlconnection",
    "httpx",
    "jetty",
    "libwww-perl",
    "node-fetch/",
    "okhttp",
    "pcore-http",
    "pycurl",
    "python-requests",
    "python-urllib",
    "wget",
    // They tell where they are from.
    "http[s]?://",
    // Browsers and what they carry.
    "^ddg_android",
    "^duckduckgo",
    "^netsurf",
    "coccoc",
    "m_bot_tab",
    "qqdownload",
    "sogou",
    // In front of readers.
    "amazon cloudfront",
];

/// How many user agents a thread remembers.
const MAX_AGENTS: usize = 4096;

thread_local! {
    /// What was found out of user agents: browsers name few, and the list is long.
    static AGENTS: RefCell<HashMap<Vec<u8>, bool>> = RefCell::default();
}

fn is_bot(agent: &[u8]) -> bool {
    let agent = agent.trim_ascii();
    if agent.is_empty() {
        return false;
    }
    AGENTS.with_borrow_mut(|known| {
        if let Some(is_bot) = known.get(agent) {
            return *is_bot;
        }
        if known.len() >= MAX_AGENTS {
            known.clear();
        }
        let is_bot = BOTS.is_bot(&String::from_utf8_lossy(agent));
        known.insert(agent.to_owned(), is_bot);
        is_bot
    })
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
            "Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm#07)",
            "coccocbot-web/1.0 (+http://help.coccoc.com/searchengine)",
            "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
            "WhatsApp/2.23.20.0 A",
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        ] {
            assert!(is_bot(agent.as_bytes()), "{agent}");
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
            "MyApp/1.0 okhttp/4.9",
            "Jakarta Commons-HttpClient/3.1",
            "PycURL/7.45 libcurl/8.0",
            "Symfony HttpClient/Curl",
            "Wget/1.21",
            "Amazon CloudFront",
            "Mozilla/5.0 (Linux; Android 13) AppleWebKit/537.36 Chrome/98 Mobile Safari/537.36 SogouMobileBrowser/6.9.1",
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) coc_coc_browser/120 Chrome/114 Safari/537.36",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.49 NetType/WIFI Language/zh_CN",
            "Mozilla/5.0 (Linux; Android 14; CUBOT NOTE 30) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36",
        ] {
            assert!(!is_bot(agent.as_bytes()), "{agent}");
        }
    }

    #[test]
    fn a_visitor_is_a_network_and_an_agent() {
        let visitor =
            |address: &str, agent: &str| Visitor::at(address.parse().ok(), agent.as_bytes());
        let salt = Salt::new(b"salt");
        let hash = |a: &str, b: &str| visitor(a, b).hash(&salt);
        assert_eq!(hash("2001:db8::1", "x"), hash("2001:db8::2", "x"));
        assert_ne!(hash("192.0.2.1", "x"), hash("192.0.2.1", "y"));
        assert_ne!(hash("192.0.2.1", "x"), hash("192.0.2.2", "x"));
        assert_ne!(
            hash("192.0.2.1", "x"),
            visitor("192.0.2.1", "x").hash(&Salt::new(b"other"))
        );
        // The address's bytes are ABCD.
        for name in ["ABCDx", "4ABCDx"] {
            let named = Visitor::named(name).hash(&salt);
            assert_ne!(hash("65.66.67.68", "x"), named, "{name}");
        }
    }
}
