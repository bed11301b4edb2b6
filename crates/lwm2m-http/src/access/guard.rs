//! Lets requests in, and notes what they changed.

use super::attempts::Source;
use super::audit::Entry;
use super::grant::{GrantKind, Hash, Scope, Secret};
use super::rules::{Need, kind as kind_of, need};
use super::{Access, SESSION, now};
use crate::error::ApiError;
use crate::prefer::Preferences;
use crate::query::Parameters;
use crate::serve::Peer;
use crate::state::ApiState;
use axum::RequestExt;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request};
use axum::http::header::{AUTHORIZATION, COOKIE, HeaderMap, ORIGIN};
use axum::http::request::Parts;
use axum::http::{Extensions, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// The name of the cookie of a session.
pub(crate) const COOKIE_NAME: &str = "lwm2m_session";

/// Who sends a request, and what they may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Principal {
    pub(crate) name: String,
    pub(crate) scope: Scope,
    prefix: Option<Arc<str>>,
    /// What proves it; nothing where nobody has to.
    pub(crate) grant: Option<(Hash, GrantKind)>,
}

impl Principal {
    /// Somebody who may do everything.
    fn everything(name: &str) -> Self {
        Self { name: name.to_owned(), scope: Scope::Admin, prefix: None, grant: None }
    }

    /// Whether a device exists for them.
    pub(crate) fn sees(&self, endpoint: &str) -> bool {
        self.prefix.as_deref().is_none_or(|prefix| endpoint.starts_with(prefix))
    }

    /// The beginning of the endpoint names that exist for them; `None`: all do.
    pub(crate) fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    /// Whether what proved it is still valid.
    pub(crate) fn is_valid(&self, state: &ApiState) -> bool {
        let access = state.config().access.as_ref();
        let grant = access.zip(self.grant.as_ref());
        grant.is_none_or(|(access, (hash, _))| access.is_valid(hash, now()))
    }

    const fn is_session(&self) -> bool {
        matches!(self.grant, Some((_, GrantKind::Session)))
    }

    fn check(&self, need: Need) -> Result<(), ApiError> {
        let is_enough = match need {
            Need::Nothing => true,
            Need::Scope(scope) => self.scope >= scope,
            Need::Everything => self.scope == Scope::Admin && self.prefix.is_none(),
        };
        let needed = match need {
            Need::Scope(scope) => scope.name(),
            _ => "admin without a prefix",
        };
        let who = || ApiError::Forbidden { name: self.name.clone(), needed };
        is_enough.then_some(()).ok_or_else(who)
    }
}

impl FromRequestParts<ApiState> for Principal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        match (parts.extensions.get::<Self>(), &state.config().access) {
            (Some(principal), _) => Ok(principal.clone()),
            // Without access control, everybody may do everything.
            (None, None) => Ok(Self::everything("everybody")),
            (None, Some(_)) => Err(ApiError::LogIn),
        }
    }
}

/// What a change did, without secrets: handlers of what administers the API put it into their
/// responses for the audit log.
#[derive(Clone, Debug)]
pub(crate) struct Change(pub(crate) serde_json::Value);

/// Answers 401 without a valid proof of the sender and 403 beyond its scope, and adds what passes to the
/// audit log.
pub(crate) async fn guard(state: &ApiState, mut request: Request, next: Next) -> Response {
    let Some(access) = state.config().access.clone() else { return next.run(request).await };
    let route = request.extract_parts::<MatchedPath>().await.ok();
    let route = route.as_ref().map(MatchedPath::as_str);
    let needed = need(request.method(), route, orders(request.headers()));
    let peer = request.extensions().get::<Peer>().copied();
    let principal = match identify(&access, request.headers(), peer, now()) {
        Ok(principal) => principal,
        Err(_) if needed == Need::Nothing => return next.run(request).await,
        Err(error) => return error.into_response(),
    };
    if let Err(error) = admit(&principal, needed, &mut request).await {
        return error.into_response();
    }
    request.extensions_mut().insert(principal.clone());
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let parameters = request.uri().query().and_then(Parameters::of);
    let reveals = parameters.is_some_and(|it| it.flag("reveal") || it.flag("raw"))
        || route.is_some_and(|route| route.ends_with("/capture.pcapng"));
    let is_noted = needed != Need::Nothing && (!reads || reveals || orders(request.headers()));
    let noting = is_noted.then(|| Noting {
        entry: Some(Entry {
            at: state.milliseconds(),
            who: principal.name,
            from: peer.map(|Peer(address)| address.ip().to_string()),
            what: what(&request),
            status: None,
            kind: kind_of(route),
            change: serde_json::Value::Null,
        }),
        access,
        state: state.clone(),
    });
    let mut response = next.run(request).await;
    let change = response.extensions_mut().remove::<Change>();
    if let Some(noting) = noting {
        noting.answered(&response, change);
    }
    response
}

/// What becomes an entry of the audit log when the request is answered, or its caller goes away.
struct Noting {
    entry: Option<Entry>,
    access: Access,
    state: ApiState,
}

impl Noting {
    /// What was refused has changed nothing.
    fn answered(mut self, response: &Response, change: Option<Change>) {
        let status = response.status();
        match &mut self.entry {
            _ if status.is_client_error() => self.entry = None,
            Some(entry) => {
                entry.status = Some(status.as_u16());
                entry.change = change.map_or(serde_json::Value::Null, |Change(change)| change);
            }
            None => {}
        }
    }
}

impl Drop for Noting {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            note(&self.access, &self.state, entry);
        }
    }
}

/// Adds an entry to the audit log.
pub(crate) fn note(access: &Access, state: &ApiState, entry: Entry) {
    let mut audit = access.audit();
    // While the log is locked, so that the store has the entries in their order.
    state.note(audit.add(entry));
}

/// Whether a request leaves its operation to the server, whatever the operation is.
fn orders(headers: &HeaderMap) -> bool {
    headers.contains_key("idempotency-key") || Preferences::of(headers).respond_async
}

/// Whether a request with a cookie is one that our page made. Browsers name the origin of all that may
/// change something, and the guard of origins has compared it; without one it is not from the page.
fn comes_from_our_page(method: &Method, headers: &HeaderMap) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
        || headers.contains_key(ORIGIN)
        || headers.contains_key("sec-fetch-site")
}

/// Checks the need, where the request comes from, and that the device of the address exists for
/// somebody.
async fn admit(principal: &Principal, needed: Need, request: &mut Request) -> Result<(), ApiError> {
    if principal.is_session() && !comes_from_our_page(request.method(), request.headers()) {
        return Err(ApiError::ForeignOrigin);
    }
    principal.check(needed)?;
    if principal.prefix.is_none() {
        return Ok(());
    }
    let parameters = match request.extract_parts::<RawPathParams>().await {
        Ok(parameters) => parameters,
        // There is no route.
        Err(RawPathParamsRejection::MissingPathParams(_)) => return Ok(()),
        Err(_) => return Err(ApiError::Address),
    };
    let endpoint = parameters.iter().find(|(name, _)| *name == "ep");
    match endpoint {
        Some((_, endpoint)) if !principal.sees(endpoint) => {
            Err(ApiError::UnknownEndpoint(endpoint.to_owned()))
        }
        _ => Ok(()),
    }
}

/// Method and address. The query of an operation is part of what it does; no route has secrets in it.
fn what(request: &Request) -> String {
    let address = request.uri().path_and_query().map_or("/", |it| it.as_str());
    format!("{} {address}", request.method())
}

/// Who sends a request. A token that is not valid is refused, also from a machine that is trusted.
fn identify(
    access: &Access,
    headers: &HeaderMap,
    peer: Option<Peer>,
    now: u64,
) -> Result<Principal, ApiError> {
    let (secret, kind) = match bearer(headers)? {
        Some(secret) => (Some(secret), GrantKind::Token),
        None => (cookie(headers), GrantKind::Session),
    };
    let grant = secret.and_then(|secret| access.grant(&secret, now));
    match grant.filter(|(_, grant)| grant.kind == kind) {
        Some((hash, grant)) => Ok(Principal {
            name: grant.name,
            scope: grant.scope,
            prefix: grant.prefix.map(Arc::from),
            grant: Some((hash, kind)),
        }),
        None if kind == GrantKind::Token => Err(ApiError::Token),
        None if access.config().trust_loopback && is_local(headers, peer) => {
            Ok(Principal::everything("loopback"))
        }
        None => Err(ApiError::LogIn),
    }
}

/// Whether a request comes from this machine, and not through a proxy on it.
fn is_local(headers: &HeaderMap, peer: Option<Peer>) -> bool {
    const OF_PROXIES: [&str; 4] = ["forwarded", "via", "x-forwarded-for", "x-real-ip"];
    peer.is_some_and(Peer::is_loopback) && !OF_PROXIES.iter().any(|it| headers.contains_key(*it))
}

/// The secret in the header `Authorization`.
fn bearer(headers: &HeaderMap) -> Result<Option<Secret>, ApiError> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("Bearer").then(|| Secret::parse(token.trim()))?
    });
    token.map(Some).ok_or(ApiError::Token)
}

/// The secret in the cookie of the page.
fn cookie(headers: &HeaderMap) -> Option<Secret> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = values.flat_map(|value| value.split(';'));
    cookies.find_map(|cookie| match cookie.trim().split_once('=')? {
        (COOKIE_NAME, value) => Secret::parse(value),
        _ => None,
    })
}

/// The cookie that a browser is to keep, or without a secret to forget. Scripts cannot read it, and
/// pages of other sites cannot make a browser send it.
pub(crate) fn set_cookie(secret: Option<&Secret>, https: bool) -> String {
    let (value, age) = match secret {
        Some(secret) => (secret.text(), SESSION.as_secs()),
        None => (zeroize::Zeroizing::default(), 0),
    };
    let secure = if https { "; Secure" } else { "" };
    format!("{COOKIE_NAME}={}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}", *value)
}

/// Where failed log-ins are counted: the address of the peer, or with IPv6 its network.
pub(crate) fn source(access: &Access, extensions: &Extensions) -> Option<Source> {
    let peer = extensions.get::<Peer>().filter(|_| !access.config().behind_proxy);
    peer.map(|Peer(address)| Source::Address(crate::seats::owner(address.ip())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_on_this_machine_is_not_this_machine() {
        let local = |address: &str| Some(Peer(address.parse().unwrap()));
        let none = HeaderMap::new();
        assert!(
            is_local(&none, local("127.0.0.1:1")) && is_local(&none, local("[::ffff:127.0.0.1]:1"))
        );
        assert!(!is_local(&none, local("192.0.2.1:1")) && !is_local(&none, None));
        for name in ["forwarded", "via", "x-forwarded-for", "x-real-ip"] {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), "x".parse().unwrap())]);
            assert!(!is_local(&headers, local("127.0.0.1:1")), "{name}");
        }
    }
}
