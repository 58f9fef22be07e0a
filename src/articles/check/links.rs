//! Where an address leads, as browsers read it (the URL standard of the WHATWG).

use url::Url;

use super::finding::CheckCode;

/// What there is to say of an address. `is_link` tells what is followed from what is loaded;
/// `site` is the site's host.
pub fn judge(address: &str, is_link: bool, site: Option<&str>) -> Option<CheckCode> {
    let address = as_read(address);
    let Some((scheme, rest)) = scheme(&address) else {
        let is_fragment = address.starts_with('#');
        return (!is_fragment).then_some(CheckCode::RelativeLink);
    };
    match scheme.to_ascii_lowercase().as_str() {
        "javascript" | "vbscript" => Some(CheckCode::JavascriptLink),
        "data" if is_page(rest) => Some(CheckCode::JavascriptLink),
        "http" | "https" if is_link => {
            let is_other = site.is_some_and(|site| leads_away(&address, site));
            is_other.then_some(CheckCode::ExternalLink)
        }
        _ => None,
    }
}

/// The address as a browser reads it: without spaces and control characters around it, and without
/// tabs and line breaks anywhere.
fn as_read(address: &str) -> String {
    let address = address.trim_matches(|c: char| c <= ' ');
    address.replace(['\t', '\n', '\r'], "")
}

/// The scheme and what follows its colon.
fn scheme(address: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = address.split_once(':')?;
    let mut bytes = scheme.bytes();
    let is_scheme = bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    is_scheme.then_some((scheme, rest))
}

/// Whether the rest of a `data:` address is a page.
fn is_page(rest: &str) -> bool {
    let kind = rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
    let kind = kind.as_bytes().get(..9).unwrap_or_default();
    kind.eq_ignore_ascii_case(b"text/html")
}

/// Whether a web address leads to a host that is neither the site's nor below it.
fn leads_away(address: &str, site: &str) -> bool {
    let Some(host) = Url::parse(address).ok().and_then(|url| host(&url)) else {
        return false;
    };
    let below = host.strip_suffix(site);
    !below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
}

/// The host of a web address, as the URL standard writes it, without the dot of the root.
pub fn host(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(host.strip_suffix('.').unwrap_or(host).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use CheckCode::{ExternalLink, JavascriptLink, RelativeLink};

    const SITE: Option<&str> = Some("www.example.com");

    #[test]
    fn what_runs_is_found_however_it_is_written() {
        for hostile in [
            "javascript:alert(1)",
            "JaVaScRiPt:x()",
            " \u{1}\u{1f}javascript:x",
            "java\tscr\nipt\r:x",
            "vbscript:msgbox",
            "data:text/html,<b>",
            "DATA: Text/HTML;base64,AA",
            "da\nta:text/html",
        ] {
            let found = judge(hostile, true, SITE);
            assert_eq!(found, Some(JavascriptLink), "{hostile:?}");
            assert_eq!(judge(hostile, false, None), found);
        }
        for harmless in [
            "data:image/png;base64,AA",
            "mailto:a@example.com",
            "tel:110",
            "ftp://x",
        ] {
            assert_eq!(judge(harmless, true, SITE), None, "{harmless:?}");
        }
    }

    #[test]
    fn what_has_no_scheme_is_relative() {
        for relative in [
            "",
            "a.html",
            "/a",
            "../a",
            "?page=2",
            "//cdn.example.net/x.js",
            "图/一.png",
            "java script:x",
            "1:2",
            "\u{a0}javascript:x",
        ] {
            let found = judge(relative, true, SITE);
            assert_eq!(found, Some(RelativeLink), "{relative:?}");
        }
        for fragment in ["#", "#一", " #x"] {
            assert_eq!(judge(fragment, true, SITE), None);
        }
    }

    #[test]
    fn other_hosts_are_external() {
        for other in [
            "https://example.com/",
            "http://notwww.example.com",
            "HTTPS:\\\\other.example",
            "https:/other.example/x",
            "https://www.example.com@other.example",
            "https://港湾.example/",
        ] {
            assert_eq!(judge(other, true, SITE), Some(ExternalLink), "{other}");
            assert_eq!(judge(other, false, SITE), None, "a picture of {other}");
            assert_eq!(judge(other, true, None), None);
        }
        for own in [
            "https://www.example.com",
            "http://WWW.Example.com:8080/x",
            "https://img.www.example.com./a",
            "https://",
        ] {
            assert_eq!(judge(own, true, SITE), None, "{own}");
        }
    }
}
