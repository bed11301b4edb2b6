//! The origin guard: inside a browser, only pages of this server may use the API.
//!
//! The browser of an operator who has logged in sends the cookie of the page, and a trusted machine needs
//! no proof at all, so any page that an operator has open could drive the API through the browser. CORS, which is closed here, keeps such a page from reading
//! answers, but not from sending: a form or a `fetch` without preflight goes out all the same.
//! Browsers tell where a request comes from, and a page cannot forge that:
//! - `Sec-Fetch-Site`, where present, must be `same-origin` or `none` (typed into the address bar);
//! - else `Origin`, where present, must name the host in `Host`.
//!
//! All browsers send `Origin` with every POST, PUT and DELETE, so nothing can be changed from a
//! foreign page. The rule holds for GET as well, because even reading makes a battery-powered
//! device send; but where a browser reaches this server by plain HTTP and not on the loopback
//! interface, it marks an image or a link with neither header, so such a read goes through,
//! without its answer being readable. Programs that are no browsers send neither header and pass.
//!
//! A name that an attacker points at this server's address (DNS rebinding) makes a foreign page
//! look like one of this server. So `Host` must be an IP address or `localhost`, which no attacker
//! can point anywhere, or one of [`ApiConfig::hosts`](crate::ApiConfig::hosts).

use crate::error::ApiError;
use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Uri, Version};
use std::net::{Ipv4Addr, Ipv6Addr};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a request with several hosts, or in version 1.1 with none: RFC 9112 section 3.2.
pub(crate) fn check_host(request: &Request) -> Result<(), ApiError> {
    match request.headers().get_all(HOST).iter().count() {
        1 => Ok(()),
        0 if request.version() < Version::HTTP_11 => Ok(()),
        count => Err(ApiError::Hosts(count)),
    }
}

/// Refuses requests of foreign pages.
pub(crate) fn check(uri: &Uri, headers: &HeaderMap, hosts: &[String]) -> Result<(), ApiError> {
    // A header that is no text matches nothing.
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    // RFC 9112 section 3.2.2: the host of a target in absolute form counts, and Host does not.
    let target = uri.authority().map(|authority| authority.as_str());
    let host = target.or_else(|| text(HOST)).unwrap_or_default();
    if !is_ours(name_of(host), hosts) {
        return Err(ApiError::ForeignHost);
    }
    let same = match (text(SEC_FETCH_SITE), text(ORIGIN)) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => origin
            .split_once("://")
            .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host)),
        (None, None) => true,
    };
    if same { Ok(()) } else { Err(ApiError::ForeignOrigin) }
}

/// Whether a host is one that no attacker's name server can have pointed here.
fn is_ours(host: &str, hosts: &[String]) -> bool {
    let address = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<Ipv4Addr>().is_ok(),
    };
    address
        || host.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
}

/// The host without the port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The last colon of a bare IPv6 address is inside the brackets.
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(headers: &[(&'static str, &str)], hosts: &[&str]) -> bool {
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), value.parse().expect("a header value"))
        });
        let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
        check(&Uri::from_static("/"), &headers.collect(), &hosts).is_ok()
    }

    #[test]
    fn the_host_of_an_absolute_target_counts() {
        let headers = HeaderMap::from_iter([(HOST, "localhost".parse().unwrap())]);
        for (uri, expected) in [
            ("http://localhost/api/clients", true),
            ("http://127.0.0.1:8080/", true),
            ("http://evil.example/api/clients", false),
            ("http://localhost@evil.example/", false),
            ("http://evil.example@localhost/", false),
        ] {
            let uri = uri.parse().unwrap();
            assert_eq!(check(&uri, &headers, &[]).is_ok(), expected, "{uri}");
        }
    }

    #[test]
    fn programs_and_our_own_page_pass() {
        assert!(allowed(&[("host", "lwm2m:8080")], &["lwm2m", "inner"]));
        assert!(allowed(
            &[("host", "lwm2m:8080"), ("origin", "http://LWM2M:8080")],
            &["lwm2m", "inner"]
        ));
        assert!(allowed(
            &[("host", "lwm2m"), ("sec-fetch-site", "same-origin")],
            &["lwm2m", "inner"]
        ));
        assert!(allowed(&[("host", "lwm2m"), ("sec-fetch-site", "none")], &["lwm2m", "inner"]));
        // Behind a proxy that changes Host, the browser's own word counts.
        let proxied = [("host", "inner"), ("sec-fetch-site", "same-origin")];
        assert!(allowed(
            &[proxied[0], proxied[1], ("origin", "https://outer")],
            &["lwm2m", "inner"]
        ));
    }

    #[test]
    fn foreign_pages_do_not() {
        assert!(!allowed(
            &[("host", "lwm2m"), ("origin", "http://evil.example")],
            &["lwm2m", "inner"]
        ));
        assert!(!allowed(
            &[("host", "lwm2m:8080"), ("origin", "http://lwm2m:9090")],
            &["lwm2m", "inner"]
        ));
        assert!(!allowed(&[("host", "lwm2m"), ("origin", "null")], &["lwm2m", "inner"]));
        for site in ["cross-site", "same-site", "x"] {
            let headers = [("host", "lwm2m"), ("sec-fetch-site", site)];
            assert!(!allowed(
                &[headers[0], headers[1], ("origin", "http://lwm2m")],
                &["lwm2m", "inner"]
            ));
        }
    }

    #[test]
    fn addresses_localhost_and_the_configured_names_are_answered_to() {
        for host in ["127.0.0.1", "192.0.2.7:8080", "[::1]", "[2001:db8::7]:8080", "LocalHost:1"] {
            assert!(allowed(&[("host", host)], &[]), "{host}");
        }
        assert!(allowed(&[("host", "LwM2M.example:8080")], &["lwm2m.example"]));
        let foreign = ["evil.com", "lwm2m.example.evil.com", "127.0.0.1.evil.com", "[evil.com]"];
        for host in foreign.into_iter().chain(["localhost.evil.com:1", "::1", "[::1", ""]) {
            assert!(!allowed(&[("host", host)], &["lwm2m.example"]), "{host}");
        }
        assert!(!allowed(&[], &[]));
    }

    #[test]
    fn a_rebound_name_does_not_pass_as_our_own_page() {
        let rebound = [
            ("host", "evil.com:18081"),
            ("origin", "http://evil.com:18081"),
            ("sec-fetch-site", "same-origin"),
        ];
        assert!(!allowed(&rebound, &[]));
        assert!(!allowed(&rebound, &["lwm2m.example"]));
        assert!(allowed(&rebound, &["evil.com"]));
    }
}
