//! Who is at the other end: the client's address, seen through trusted proxies only.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::HttpRequest;
use ipnet::IpNet;

/// The client's address: the peer's, or, where that is a trusted proxy, the last one in
/// `X-Forwarded-For` that no trusted proxy has. What a client writes there itself is never
/// believed.
pub fn address(req: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = canonical(req.peer_addr()?.ip());
    let forwarded = req
        .headers()
        .get_all("x-forwarded-for")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|part| part.trim().parse::<IpAddr>().ok().map(canonical))
        .collect::<Vec<_>>();
    Some(resolve(peer, &forwarded, trusted))
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
