//! `/api/session`, `/api/tokens`, `/api/users`, `/api/audit`: who may use the API.

use super::answer::json;
use super::body::Body;
use super::operations::Answer;
use crate::access::guard::{Change, address, lifetime, set_cookie};
use crate::access::{
    Access, Entry, Grant, GrantKind, Hash, MIN_PASSWORD, Principal, Scope, Secret, Source, User,
};
use crate::error::ApiError;
use crate::json::value::hex;
use crate::query::Parameters;
use crate::state::ApiState;
use axum::extract::{FromRequest, Path as Segment, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::net::IpAddr;

/// How many bytes of its hash name a grant.
const ID: usize = 8;
/// The longest name of a user or token in bytes.
const MAX_NAME: usize = 128;

fn id(hash: &Hash) -> String {
    hex(hash.get(..ID).unwrap_or_default())
}

/// The access control; an API without it has none of these routes.
fn access(state: &ApiState) -> Result<&Access, ApiError> {
    state.config().access.as_ref().ok_or(ApiError::UnknownRoute)
}

/// GET `/api/session`: who sends the request, and what they may do.
pub(crate) async fn who(State(state): State<ApiState>, request: Request) -> Answer {
    let principal = request.extensions().get::<Principal>();
    match (access(&state), principal) {
        // No error: the page asks before anybody has logged in.
        (Ok(_), None) => Ok(json(&json!({"name": null}))),
        (Ok(_), Some(it)) => Ok(json(&describe(&it.name, it.scope, it.prefix()))),
        (Err(_), _) => Ok(json(&describe("everybody", Scope::Admin, None))),
    }
}

fn describe(name: &str, scope: Scope, prefix: Option<&str>) -> Json {
    json!({"name": name, "scope": scope, "prefix": prefix})
}

/// How somebody logs in.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum LogIn {
    Password { user: String, password: zeroize::Zeroizing<String> },
    Token { token: zeroize::Zeroizing<String> },
}

/// POST `/api/session`: begins a session of the page, by a password, a token or a link.
pub(crate) async fn log_in(State(state): State<ApiState>, request: Request) -> Answer {
    let access = access(&state)?;
    let from = address(request.extensions());
    let body = Body::from_request(request, &state).await?;
    let log_in = serde_json::from_value(body.any_json()?).map_err(|_| ApiError::Member {
        name: "the body",
        expected: "{\"user\": …, \"password\": …} or {\"token\": …}",
    })?;
    let (name, scope, prefix, expires_at) = match log_in {
        LogIn::Password { user, password } => {
            let known = by_password(&state, access, &user, password, from).await?;
            (user, known.scope, known.prefix, None)
        }
        LogIn::Token { token } => {
            let Grant { name, scope, prefix, kind, expires_at, .. } =
                by_token(&state, access, &token, from).await?;
            // A session ends with its token; a link is only the way to it.
            (name, scope, prefix, expires_at.filter(|_| kind == GrantKind::Token))
        }
    };
    let left = expires_at.map(|at| at.saturating_sub(state.seconds()));
    let described = describe(&name, scope, prefix.as_deref());
    let (secret, _) = grant(&state, GrantKind::Session, name, scope, prefix, left).await?;
    let cookie = set_cookie(Some(&secret), access.config().https);
    Ok(with_cookie(json(&described), &cookie))
}

async fn by_password(
    state: &ApiState,
    access: &Access,
    name: &str,
    password: zeroize::Zeroizing<String>,
    from: Option<IpAddr>,
) -> Result<User, ApiError> {
    let sources = [Source::User(name.to_owned())].into_iter().chain(from.map(Source::Address));
    let sources: Vec<_> = sources.collect();
    // One at a time: the wait is looked up when the attempts before this one are counted.
    let Ok(permit) = access.hashing().acquire().await else { return Err(ApiError::LogInFailed) };
    let wait = access.attempts().wait(&sources, state.seconds());
    if wait > 0 {
        return Err(ApiError::TooManyAttempts(wait));
    }
    let user = access.user(name);
    let check = move || {
        let is_right = User::is_password(user.as_ref(), &password);
        user.filter(|_| is_right)
    };
    let checked = tokio::task::spawn_blocking(check).await.map_err(ApiError::Interrupted)?;
    drop(permit);
    access.attempts().note(&sources, checked.is_some(), state.seconds());
    checked.ok_or(ApiError::LogInFailed)
}

/// A token, or a link, which is used up.
async fn by_token(
    state: &ApiState,
    access: &Access,
    token: &str,
    from: Option<IpAddr>,
) -> Result<Grant, ApiError> {
    let sources: Vec<_> = from.map(Source::Address).into_iter().collect();
    let wait = access.attempts().wait(&sources, state.seconds());
    if wait > 0 {
        return Err(ApiError::TooManyAttempts(wait));
    }
    let found = Secret::parse(token.trim()).and_then(|it| access.grant(&it, state.seconds()));
    let found = found.filter(|(_, grant)| grant.kind != GrantKind::Session);
    access.attempts().note(&sources, found.is_some(), state.seconds());
    let (hash, grant) = found.ok_or(ApiError::LogInFailed)?;
    if grant.kind == GrantKind::Link {
        let ended = access.end_grants(|it, _| *it == hash);
        if ended.is_empty() {
            return Err(ApiError::LogInFailed);
        }
        state.keep(ended).await?;
    }
    Ok(grant)
}

/// DELETE `/api/session`: logs out.
pub(crate) async fn log_out(State(state): State<ApiState>, principal: Principal) -> Answer {
    let access = access(&state)?;
    let ended = access.end_grants(|hash, _| principal.session == Some(*hash));
    state.keep(ended).await?;
    let response = StatusCode::NO_CONTENT.into_response();
    Ok(with_cookie(response, &set_cookie(None, access.config().https)))
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    // Base64 and words are legal in a header.
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// Makes a grant and keeps it.
pub(crate) async fn grant(
    state: &ApiState,
    kind: GrantKind,
    name: String,
    scope: Scope,
    prefix: Option<String>,
    expires_in: Option<u64>,
) -> Result<(Secret, Grant), ApiError> {
    let secret = Secret::random().map_err(|_| ApiError::NoRandomness)?;
    let now = state.seconds();
    let lifetime = [lifetime(kind), expires_in].into_iter().flatten().min();
    let expires_at = lifetime.map(|seconds| now.saturating_add(seconds));
    let grant = Grant { name, kind, scope, prefix, created_at: now, expires_at };
    let records = access(state)?.add_grant(secret.hash(), grant.clone(), now);
    state.keep(records.ok_or(ApiError::TooManyEntries)?).await?;
    Ok((secret, grant))
}

/// GET `/api/tokens`: tokens, and the sessions of the page.
pub(crate) async fn tokens(State(state): State<ApiState>) -> Answer {
    let all = access(&state)?.grants();
    let all: Vec<_> = all.iter().map(|(hash, grant)| grant_json(hash, grant)).collect();
    Ok(json(&all))
}

fn grant_json(hash: &Hash, grant: &Grant) -> Json {
    let mut json = describe(&grant.name, grant.scope, grant.prefix.as_deref());
    json["id"] = id(hash).into();
    json["kind"] = json!(grant.kind);
    json["created"] = (grant.created_at * 1_000).into();
    json["expires"] = grant.expires_at.map(|at| at.saturating_mul(1_000)).into();
    json
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    name: String,
    scope: Scope,
    #[serde(default)]
    prefix: Option<String>,
    /// In seconds.
    #[serde(default)]
    expires_in: Option<u64>,
}

/// POST `/api/tokens`: makes a token. Its secret is in this answer and nowhere else.
pub(crate) async fn add_token(State(state): State<ApiState>, body: Body) -> Answer {
    let expected = "{\"name\": …, \"scope\": \"viewer\", \"operator\" or \"admin\"}, and if you like \
                    \"prefix\": … and \"expires_in\": seconds";
    let new: NewToken = serde_json::from_value(body.any_json()?)
        .map_err(|_| ApiError::Member { name: "the body", expected })?;
    let name = legal_name(new.name)?;
    let (secret, grant) =
        grant(&state, GrantKind::Token, name, new.scope, legal_prefix(new.prefix)?, new.expires_in)
            .await?;
    let mut answer = grant_json(&secret.hash(), &grant);
    let change = Change(json!({"after": answer}));
    answer["token"] = (*secret.text()).as_str().into();
    Ok((StatusCode::CREATED, axum::Extension(change), json(&answer)).into_response())
}

/// DELETE `/api/tokens/{id}`: ends a token and the sessions that were begun by it, or a session.
pub(crate) async fn remove_token(
    State(state): State<ApiState>,
    Segment(name): Segment<String>,
) -> Answer {
    let access = access(&state)?;
    let before = access.grants().into_iter().find(|(hash, _)| id(hash) == name);
    let Some((hash, grant)) = before else { return Err(ApiError::UnknownName(name)) };
    let is_token = grant.kind == GrantKind::Token;
    let ends =
        |it: &Hash, other: &Grant| *it == hash || (is_token && other.is_session_of(&grant.name));
    state.keep(access.end_grants(ends)).await?;
    let change = Change(json!({"before": grant_json(&hash, &grant)}));
    Ok((StatusCode::NO_CONTENT, axum::Extension(change)).into_response())
}

/// GET `/api/users`: who can log in to the page.
pub(crate) async fn users(State(state): State<ApiState>) -> Answer {
    let all = access(&state)?.users();
    let all: Vec<_> =
        all.iter().map(|(name, user)| describe(name, user.scope, user.prefix.as_deref())).collect();
    Ok(json(&all))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    #[serde(default)]
    name: Option<String>,
    scope: Scope,
    #[serde(default)]
    prefix: Option<String>,
    password: zeroize::Zeroizing<String>,
}

/// PUT `/api/users/{name}`: sets a user, and ends the sessions of the one of before.
pub(crate) async fn put_user(
    State(state): State<ApiState>,
    Segment(name): Segment<String>,
    body: Body,
) -> Answer {
    let access = access(&state)?;
    let expected = "{\"scope\": \"viewer\", \"operator\" or \"admin\", \"password\": …}, and if you \
                    like \"prefix\": …";
    let new: NewUser = serde_json::from_value(body.any_json()?)
        .map_err(|_| ApiError::Member { name: "the body", expected })?;
    let name = legal_name(name)?;
    if new.name.is_some_and(|it| it != name) {
        return Err(ApiError::Member { name: "`name`", expected: "that of the address" });
    }
    if new.password.chars().count() < MIN_PASSWORD
        || new.password.len() > crate::access::MAX_PASSWORD
    {
        return Err(ApiError::Member { name: "`password`", expected: PASSWORD });
    }
    let before = access.user(&name).map(|it| describe(&name, it.scope, it.prefix.as_deref()));
    let (scope, prefix) = (new.scope, legal_prefix(new.prefix)?);
    let after = describe(&name, scope, prefix.as_deref());
    let permit = access.hashing().acquire().await;
    let hash = move || User::new(scope, prefix, &new.password);
    let user = tokio::task::spawn_blocking(hash).await.map_err(ApiError::Interrupted)?;
    drop(permit);
    let user = user.map_err(|_| ApiError::NoRandomness)?;
    let record = access.put_user(&name, user).ok_or(ApiError::TooManyEntries)?;
    let ended = access.end_grants(|_, grant| grant.is_session_of(&name));
    state.keep(ended.into_iter().chain([record]).collect()).await?;
    let status = if before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    let change = Change(json!({"before": before, "after": after}));
    Ok((status, axum::Extension(change), json(&after)).into_response())
}

const PASSWORD: &str = "12 characters or more, and 256 bytes or fewer";

/// DELETE `/api/users/{name}`: removes a user, and ends its sessions.
pub(crate) async fn remove_user(
    State(state): State<ApiState>,
    Segment(name): Segment<String>,
) -> Answer {
    let access = access(&state)?;
    let Some(user) = access.user(&name) else { return Err(ApiError::UnknownName(name)) };
    let before = describe(&name, user.scope, user.prefix.as_deref());
    let removed = access.remove_user(&name);
    let ended = access.end_grants(|_, grant| grant.is_session_of(&name));
    state.keep(ended.into_iter().chain(removed).collect()).await?;
    let change = Change(json!({"before": before}));
    Ok((StatusCode::NO_CONTENT, axum::Extension(change)).into_response())
}

/// GET `/api/audit?before=&limit=`: who changed what, the newest first.
pub(crate) async fn audit(State(state): State<ApiState>, parameters: Parameters) -> Answer {
    let expected = "the number of an entry";
    let before = parameters.number("before", 0..=u64::MAX, expected)?;
    let limit = parameters.number("limit", 1..=1_000, "a number from 1 to 1000")?.unwrap_or(100);
    let page = access(&state)?.audit().page(before, usize::try_from(limit).unwrap_or(100));
    let page: Vec<_> = page.into_iter().map(|(number, entry)| entry_json(number, &entry)).collect();
    Ok(json(&page))
}

fn entry_json(number: u64, entry: &Entry) -> Json {
    let mut json = json!(entry);
    json["number"] = number.into();
    json
}

/// A name that people can read and a log can hold.
fn legal_name(name: String) -> Result<String, ApiError> {
    let is_legal = lwm2m_credentials::is_endpoint_name(&name) && name.len() <= MAX_NAME;
    let expected = "1 to 128 bytes of visible characters, without blanks at the ends";
    is_legal.then_some(name).ok_or(ApiError::Member { name: "`name`", expected })
}

/// An empty prefix would look like a confinement and be none.
fn legal_prefix(prefix: Option<String>) -> Result<Option<String>, ApiError> {
    let expected = "the beginning of endpoint names, 1 to 252 bytes; leave it out for all";
    match &prefix {
        Some(it) if !(1..=lwm2m_credentials::MAX_ENDPOINT).contains(&it.len()) => {
            Err(ApiError::Member { name: "`prefix`", expected })
        }
        _ => Ok(prefix),
    }
}
