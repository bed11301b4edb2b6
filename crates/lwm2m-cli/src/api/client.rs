//! Requests to the API of a server.

use super::context::Access;
use lwm2m_app::{Failure, https};
use serde_json::Value as Json;
use std::net::IpAddr;
use std::time::Duration;
use ureq::http::{Method, Request, Response, Uri};
use ureq::{Agent, Body, Proxy};

/// How long the server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long it may take to answer: devices have up to 300 s.
const ANSWER: Duration = Duration::from_secs(310);
/// The largest answer that is read at once.
const LARGEST: u64 = 64 << 20;

/// A client of one server.
pub(super) struct Client {
    agent: Agent,
    server: String,
    token: Option<String>,
}

/// What is sent.
#[derive(Default)]
pub(super) struct Sent<'a> {
    /// Media type and content.
    pub(super) body: Option<(&'static str, &'a str)>,
    /// Names and values.
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Client {
    /// A client that has not connected yet.
    ///
    /// # Errors
    /// The address of the server cannot be read; the token would cross a network in the clear; or the file of
    /// authorities cannot be used.
    pub(super) fn new(access: &Access) -> Result<Self, Failure> {
        let uri = access.server.parse::<Uri>().ok().filter(|uri| uri.host().is_some());
        let is_https = uri.as_ref().and_then(Uri::scheme_str) == Some("https");
        let host = uri.as_ref().and_then(Uri::host);
        let Some(host) = host.filter(|_| is_https || access.server.starts_with("http://")) else {
            return Err(Failure::usage(format!(
                "`{}` is not the address of a server; write for example https://lwm2m.example",
                access.server
            )));
        };
        if access.token.is_some() && !is_https && !access.allow_http && !is_here(host) {
            return Err(Failure::usage(format!(
                "the token would go to {host} in the clear; use https, or --allow-http on a trusted network"
            )));
        }
        let tls = if is_https { Some(https::tls(access.ca.as_deref())?) } else { None };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy(is_https, host))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .user_agent(concat!("lwm2m/", env!("CARGO_PKG_VERSION")));
        let config = match tls {
            Some(tls) => config.tls_config(tls),
            None => config,
        };
        let agent = Agent::new_with_config(config.build());
        Ok(Self { agent, server: access.server.clone(), token: access.token.clone() })
    }

    /// GET, with the JSON of the answer.
    pub(super) fn get(&self, path: &str) -> Result<Json, Failure> {
        self.call(&Method::GET, path, &Sent::default())
    }

    /// Any request, with the JSON of the answer; null if it has no body.
    pub(super) fn call(&self, method: &Method, path: &str, sent: &Sent) -> Result<Json, Failure> {
        let mut response = self.send(method, path, sent)?;
        let body = response.body_mut().with_config().limit(LARGEST).read_to_string();
        let body = body.map_err(|error| self.unreachable(&error))?;
        if body.is_empty() {
            return Ok(Json::Null);
        }
        serde_json::from_str(&body).map_err(|error| {
            Failure::running(format!("the answer of {} is no JSON: {error}", self.server))
        })
    }

    /// Any request; an answer that is an error is one.
    pub(super) fn send(
        &self,
        method: &Method,
        path: &str,
        sent: &Sent,
    ) -> Result<Response<Body>, Failure> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.server));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        for (name, value) in &sent.headers {
            request = request.header(*name, value);
        }
        let response = match sent.body {
            Some((media_type, body)) => {
                let request = request.header("Content-Type", media_type).body(body.to_owned());
                self.agent.run(request.map_err(Failure::usage)?)
            }
            None if *method == Method::GET || *method == Method::DELETE => {
                self.agent.run(request.body(()).map_err(Failure::usage)?)
            }
            None => self.agent.run(request.body(String::new()).map_err(Failure::usage)?),
        };
        let mut response = response.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let body = response.body_mut().with_config().limit(1 << 20).read_to_string();
        Err(self.refused(response.status().as_u16(), &body.unwrap_or_default()))
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        Failure::running(format!(
            "cannot reach {}: {error}; is lwm2m-serverd running there? --server names another one",
            self.server
        ))
    }

    /// The server's own words, and what to do about them.
    fn refused(&self, status: u16, body: &str) -> Failure {
        let problem: Json = serde_json::from_str(body).unwrap_or_default();
        let words = ["detail", "title"].map(|name| super::text(&problem, name));
        let words = words.into_iter().find(|it| !it.is_empty());
        let what = super::table::plain(words.unwrap_or("the server gave no reason"));
        Failure::running(match status {
            401 => format!("{} wants a valid token: `lwm2m login` keeps one", self.server),
            300..=399 => {
                format!("{} answers with a redirection, which is not followed", self.server)
            }
            _ => format!("{what} (status {status})"),
        })
    }
}

/// The proxy that the environment names (`HTTPS_PROXY`, `ALL_PROXY` and others). Requests in the clear go
/// to none, because it would learn the token; nor do those to this machine.
fn proxy(is_https: bool, host: &str) -> Option<Proxy> {
    if is_https && !is_here(host) { Proxy::try_from_env() } else { None }
}

/// Whether a host is this machine.
fn is_here(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A segment of an address, or a value of a query, percent-encoded.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    // Programs on the way take a segment of dots out of the address.
    if encoded.bytes().all(|byte| byte == b'.') { encoded.replace('.', "%2E") } else { encoded }
}

/// A query of what is there, with its question mark; or nothing.
pub(super) fn query<'a>(members: impl IntoIterator<Item = (&'a str, Option<String>)>) -> String {
    let members = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let members: Vec<_> =
        members.map(|(name, value)| format!("{name}={}", encoded(&value))).collect();
    if members.is_empty() { String::new() } else { format!("?{}", members.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(server: &str, allow_http: bool) -> Access {
        let token = Some("lwm2m_x".to_owned());
        Access { server: server.to_owned(), token, ca: None, allow_http }
    }

    #[test]
    fn a_token_does_not_go_through_a_network_in_the_clear() {
        for here in ["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"] {
            assert!(Client::new(&access(here, false)).is_ok(), "{here}");
        }
        for there in ["http://a.example", "http://192.0.2.1:8080", "http://localhost.example"] {
            let refused = Client::new(&access(there, false)).err();
            assert!(refused.is_some_and(|it| it.to_string().contains("--allow-http")), "{there}");
            assert!(Client::new(&access(there, true)).is_ok(), "{there}");
        }
        for none in ["a.example", "ftp://a.example", "http://", ""] {
            assert!(Client::new(&access(none, true)).is_err(), "{none}");
        }
    }

    #[test]
    fn names_of_devices_are_segments_whatever_they_are() {
        assert_eq!(encoded("urn:imei:1/2?ä"), "urn%3Aimei%3A1%2F2%3F%C3%A4");
        assert_eq!(encoded(".."), "%2E%2E");
        let members = [("a", Some("1&2".to_owned())), ("b", None), ("c", Some(String::new()))];
        assert_eq!(query(members), "?a=1%262&c=");
    }
}
