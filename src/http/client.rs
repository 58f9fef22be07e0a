//! Who is at the other end: the client's address, seen through trusted proxies only.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderName, USER_AGENT};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use ipnet::IpNet;

use crate::app::App;

static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The longest user agent that is kept, in characters.
const MAX_USER_AGENT: usize = 300;

/// The id of a request, as the frame leaves it in the request's extensions.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Where a request comes from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The request's id.
    pub request_id: Option<String>,
    /// What the client calls itself, cut to 300 characters.
    pub user_agent: Option<String>,
}

impl Origin {
    /// Where this request comes from.
    pub fn of(req: &HttpRequest) -> Self {
        let app = req.app_data::<web::Data<App>>();
        let trusted = app.map_or(&[][..], |app| &app.config.trusted_proxies);
        let agent = req.headers().get(USER_AGENT);
        let agent = agent.map(|value| String::from_utf8_lossy(value.as_bytes()));
        let agent = agent.map(|text| {
            let visible = text.chars().filter(|c| !c.is_control());
            visible.take(MAX_USER_AGENT).collect::<String>()
        });
        Self {
            address: address(req, trusted),
            request_id: req.extensions().get::<RequestId>().map(|id| id.0.clone()),
            user_agent: agent.filter(|text| !text.is_empty()),
        }
    }
}

impl FromRequest for Origin {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(req)))
    }
}

/// The client's address: the peer's, or, where that is a trusted proxy, the last one in
/// `X-Forwarded-For` that no trusted proxy has. What a client writes there itself is never
/// believed.
pub fn address(req: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = canonical(req.peer_addr()?.ip());
    let forwarded = req
        .headers()
        .get_all(&FORWARDED_FOR)
        .flat_map(|value| hops(value.as_bytes()))
        .collect::<Vec<_>>();
    Some(resolve(peer, &forwarded, trusted))
}

/// The addresses of one `X-Forwarded-For`. Each part stands for itself: what a client wrote into it,
/// in whatever bytes, must not hide what a proxy has added behind.
fn hops(value: &[u8]) -> impl Iterator<Item = Option<IpAddr>> {
    value.split(|byte| *byte == b',').map(hop)
}

/// An address, which may have a port: `192.0.2.1:443`, `[2001:db8::1]:443`.
fn hop(part: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(part.trim_ascii()).ok()?;
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address: Option<IpAddr> = text.parse().ok();
    address.or_else(with_port).or_else(bracketed).map(canonical)
}

fn resolve(peer: IpAddr, forwarded: &[Option<IpAddr>], trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let mut client = peer;
    for hop in forwarded.iter().rev() {
        if !is_trusted(&client) {
            break;
        }
        match hop {
            Some(address) => client = *address,
            None => break,
        }
    }
    client
}

/// The network that stands for one visitor: an IPv4 address, or the /64 of an IPv6 address.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted = ["10.0.0.0/8".parse().expect("a net")];
        let hops = [
            Some(ip("1.2.3.4")),
            Some(ip("203.0.113.9")),
            Some(ip("10.0.0.2")),
        ];
        assert_eq!(resolve(ip("10.0.0.1"), &hops, &trusted), ip("203.0.113.9"));
        assert_eq!(
            resolve(ip("198.51.100.1"), &hops, &trusted),
            ip("198.51.100.1")
        );
        assert_eq!(resolve(ip("10.0.0.1"), &[None], &trusted), ip("10.0.0.1"));
        assert_eq!(resolve(ip("10.0.0.1"), &hops, &[]), ip("10.0.0.1"));
    }

    #[test]
    fn each_part_of_a_header_stands_for_itself() {
        let told = |value: &[u8]| hops(value).collect::<Vec<_>>();
        let near = Some(ip("203.0.113.9"));
        for client in ["\u{e9}", "\u{7f}", "unknown", "", "1.2.3.4.5", "[::1"] {
            let value = format!("{client}, 203.0.113.9");
            assert_eq!(told(value.as_bytes()), [None, near], "{client}");
        }
        assert_eq!(told(b"\xff\xfe,\t203.0.113.9 "), [None, near]);
        for value in [
            "203.0.113.9:1",
            "::ffff:203.0.113.9",
            "[::ffff:203.0.113.9]:65535",
        ] {
            assert_eq!(told(value.as_bytes()), [near], "{value}");
        }
        for value in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443"] {
            assert_eq!(told(value.as_bytes()), [Some(ip("2001:db8::1"))], "{value}");
        }
    }

    #[test]
    fn one_ipv6_household_is_one_network() {
        assert_eq!(
            network(ip("2001:db8:1:2:3:4:5:6")),
            network(ip("2001:db8:1:2::9"))
        );
        assert_ne!(
            network(ip("2001:db8:1:2::1")),
            network(ip("2001:db8:1:3::1"))
        );
    }
}
