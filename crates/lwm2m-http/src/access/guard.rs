//! Lets requests in, and notes what they changed.

use super::audit::Entry;
use super::grant::{GrantKind, Hash, Scope, Secret};
use super::rules::{Need, need};
use super::{Access, LINK, SESSION};
use crate::error::ApiError;
use crate::serve::Peer;
use crate::state::ApiState;
use axum::RequestExt;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HeaderMap, ORIGIN};
use axum::http::request::Parts;
use axum::http::{Extensions, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use std::sync::Arc;

/// The name of the cookie of a session.
pub(crate) const COOKIE_NAME: &str = "lwm2m_session";

/// Who sends a request, and what they may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Principal {
    pub(crate) name: String,
    pub(crate) scope: Scope,
    prefix: Option<Arc<str>>,
    /// The session of the page, if it is one.
    pub(crate) session: Option<Hash>,
}

impl Principal {
    /// Somebody who may do everything.
    fn everything(name: &str) -> Self {
        Self { name: name.to_owned(), scope: Scope::Admin, prefix: None, session: None }
    }

    /// Whether a device exists for them.
    pub(crate) fn sees(&self, endpoint: &str) -> bool {
        self.prefix.as_deref().is_none_or(|prefix| endpoint.starts_with(prefix))
    }

    /// The beginning of the endpoint names that exist for them; `None`: all do.
    pub(crate) fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
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

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get::<Self>().cloned();
        // Without access control, everybody may do everything.
        Ok(known.unwrap_or_else(|| Self::everything("everybody")))
    }
}

/// What a change did, without secrets: handlers of what administers the API put it into their
/// responses for the audit log.
#[derive(Clone, Debug)]
pub(crate) struct Change(pub(crate) serde_json::Value);

/// Refuses whoever may not do what the request asks for, and notes who changed what.
pub(crate) async fn guard(
    State(state): State<ApiState>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(access) = state.config().access.clone() else { return next.run(request).await };
    let route = request.extract_parts::<MatchedPath>().await.ok();
    let needed = need(request.method(), route.as_ref().map(MatchedPath::as_str));
    let peer = request.extensions().get::<Peer>().copied();
    let principal = match identify(&access, request.headers(), peer, state.seconds()) {
        Ok(principal) => Some(principal),
        Err(_) if needed == Need::Nothing => None,
        Err(error) => return error.into_response(),
    };
    if let Some(principal) = &principal {
        if principal.session.is_some() && !comes_from_our_page(request.method(), request.headers())
        {
            return ApiError::ForeignOrigin.into_response();
        }
        if let Err(error) = admit(principal, needed, &mut request).await {
            return error.into_response();
        }
        request.extensions_mut().insert(principal.clone());
    }
    let (method, what) = (request.method().clone(), what(&request));
    let mut response = next.run(request).await;
    let change = response.extensions_mut().remove::<Change>();
    if let Some(principal) = principal
        && !matches!(method, Method::GET | Method::HEAD)
    {
        let entry = Entry {
            at: state.milliseconds(),
            who: principal.name,
            from: peer.map(|Peer(address)| address.ip().to_string()),
            what,
            status: response.status().as_u16(),
            change: change.map_or(serde_json::Value::Null, |Change(change)| change),
        };
        let records = access.audit().add(entry);
        state.note(records);
    }
    response
}

/// Whether a request with a cookie is one that our page made. Browsers name the origin of all that may
/// change something, and the guard of origins has compared it; without one it is not from the page.
fn comes_from_our_page(method: &Method, headers: &HeaderMap) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
        || headers.contains_key(ORIGIN)
        || headers.contains_key("sec-fetch-site")
}

/// Checks the need, and that the device of the address exists for somebody.
async fn admit(principal: &Principal, needed: Need, request: &mut Request) -> Result<(), ApiError> {
    principal.check(needed)?;
    let parameters = request.extract_parts::<RawPathParams>().await.ok();
    let endpoint = parameters.iter().flatten().find(|(name, _)| *name == "ep");
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

/// Who sends a request. A token that is not valid is refused, also from where none is needed.
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
            session: (kind == GrantKind::Session).then_some(hash),
        }),
        None if kind == GrantKind::Token => Err(ApiError::Token),
        None if access.config().trust_loopback && peer.is_some_and(Peer::is_loopback) => {
            Ok(Principal::everything("loopback"))
        }
        None => Err(ApiError::LogIn),
    }
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

/// The seconds after which a link or session ends.
pub(crate) const fn lifetime(kind: GrantKind) -> Option<u64> {
    match kind {
        GrantKind::Token => None,
        GrantKind::Session => Some(SESSION.as_secs()),
        GrantKind::Link => Some(LINK.as_secs()),
    }
}

/// The address of the peer of a request.
pub(crate) fn address(extensions: &Extensions) -> Option<std::net::IpAddr> {
    extensions.get::<Peer>().map(|Peer(address)| address.ip())
}
