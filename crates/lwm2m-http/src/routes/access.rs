//! `/api/session`, `/api/tokens`, `/api/users`, `/api/audit`: who may use the API.

use super::answer::json;
use super::body::Body;
use super::operations::Answer;
use crate::access::guard::{Change, note, set_cookie, source};
use crate::access::{
    Access, Entry, Grant, GrantKind, Hash, Kind, LINK, MAX_PASSWORD, MIN_PASSWORD, Parent,
    Principal, SESSION, Scope, Secret, Source, User, grant_record, now, user_record,
};
use crate::error::ApiError;
use crate::json::value::hex;
use crate::query::Parameters;
use crate::state::ApiState;
use axum::Extension;
use axum::extract::{FromRequest, Path as Segment, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use lwm2m_link::Record;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

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
    Password { user: String, password: Zeroizing<String> },
    Token { token: Zeroizing<String> },
}

/// POST `/api/session`: begins a session of the page, by a password, a token or a link.
pub(crate) async fn log_in(State(state): State<ApiState>, request: Request) -> Answer {
    let access = access(&state)?.clone();
    let from = source(&access, request.extensions());
    let body = Body::from_request(request, &state).await?;
    let log_in = serde_json::from_value(body.any_json()?).map_err(|_| ApiError::Member {
        name: "the body",
        expected: "{\"user\": …, \"password\": …} or {\"token\": …}",
    })?;
    let known = match log_in {
        LogIn::Password { user, password } => {
            Known::User(by_password(&access, user, password, from).await?)
        }
        LogIn::Token { token } => by_token(&access, &token)?,
    };
    let https = access.config().https;
    finish(async move {
        let _turn = access.begin_change().await;
        let (grant, used) = known.session(&access).ok_or(ApiError::LogInFailed)?;
        let described = describe(&grant.name, grant.scope, grant.prefix.as_deref());
        let (at, who) = (state.milliseconds(), grant.name.clone());
        // A link is used up before anything comes of it.
        let used = access.end_grants(|it, _| Some(*it) == used);
        let secret = add(&state, &access, grant, used).await?;
        let (what, status) = ("POST /api/session".to_owned(), Some(StatusCode::OK.as_u16()));
        let (from, change) = (None, Json::Null);
        note(&access, &state, Entry { at, who, from, what, status, kind: Kind::LogIn, change });
        Ok(with_cookie(json(&described), &set_cookie(Some(&secret), https)))
    })
    .await
}

/// Who has proved to be somebody.
enum Known {
    User((String, User)),
    Token(Secret),
}

impl Known {
    /// The session to begin, and the link that it uses up; `None` if the user or the token is not there
    /// any more, or not the same.
    fn session(self, access: &Access) -> Option<(Grant, Option<Hash>)> {
        let now = now();
        let session = |name, scope, prefix, parent, end: Option<u64>| {
            let until = now.saturating_add(SESSION.as_secs());
            let expires_at = Some(end.map_or(until, |end| end.min(until)));
            let kind = GrantKind::Session;
            Grant { name, kind, scope, prefix, parent, created_at: now, expires_at }
        };
        match self {
            Self::User((name, user)) => {
                let is_same = access.user(&name).as_ref() == Some(&user);
                let parent = Some(Parent::User(name.clone()));
                is_same.then(|| (session(name, user.scope, user.prefix, parent, None), None))
            }
            Self::Token(secret) => {
                let (hash, it) = access.grant(&secret, now)?;
                let (parent, end, used) = match it.kind {
                    GrantKind::Link => (it.parent, None, Some(hash)),
                    _ => (Some(Parent::Token(id(&hash))), it.expires_at, None),
                };
                Some((session(it.name, it.scope, it.prefix, parent, end), used))
            }
        }
    }
}

async fn by_password(
    access: &Access,
    name: String,
    password: Zeroizing<String>,
    from: Option<Source>,
) -> Result<(String, User), ApiError> {
    if password.len() > MAX_PASSWORD || name.len() > MAX_NAME {
        return Err(ApiError::LogInFailed);
    }
    let sources: Vec<_> = [Source::User(name.clone())].into_iter().chain(from).collect();
    let turn = access.turn().await.ok_or(ApiError::TooManyAttempts(1))?;
    // In its turn: the attempts before this one have been counted.
    let wait = access.attempts().wait(&sources, now());
    if wait > 0 {
        return Err(ApiError::TooManyAttempts(wait));
    }
    let access = access.clone();
    // All of it goes on if the caller goes away, so that it counts, and one is hashed at a time.
    let check = move || {
        let user = access.user(&name);
        let is_right = User::is_password(user.as_ref(), &password);
        access.attempts().note(&sources, is_right, now());
        drop(turn);
        user.filter(|_| is_right).map(|user| (name, user))
    };
    let checked = tokio::task::spawn_blocking(check).await.map_err(ApiError::Unfinished)?;
    checked.ok_or(ApiError::LogInFailed)
}

/// A token or a link. Nobody can guess one, so failures are not counted.
fn by_token(access: &Access, token: &str) -> Result<Known, ApiError> {
    let secret = Secret::parse(token.trim()).ok_or(ApiError::LogInFailed)?;
    let grant = access.grant(&secret, now()).map(|(_, grant)| grant.kind);
    match grant {
        Some(GrantKind::Token | GrantKind::Link) => Ok(Known::Token(secret)),
        Some(GrantKind::Session) | None => Err(ApiError::LogInFailed),
    }
}

/// DELETE `/api/session`: logs out.
pub(crate) async fn log_out(State(state): State<ApiState>, principal: Principal) -> Answer {
    let access = access(&state)?.clone();
    finish(async move {
        let _turn = access.begin_change().await;
        let is_own = |hash: &Hash| principal.grant == Some((*hash, GrantKind::Session));
        let ended = access.end_grants(|hash, _| is_own(hash));
        state.keep(ended).await?;
        let response = StatusCode::NO_CONTENT.into_response();
        Ok(with_cookie(response, &set_cookie(None, access.config().https)))
    })
    .await
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    // Base64 and words are legal in a header.
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// Keeps a new grant, together with other changes, and then adds it.
async fn add(
    state: &ApiState,
    access: &Access,
    grant: Grant,
    mut records: Vec<Record>,
) -> Result<Secret, ApiError> {
    let secret = Secret::random().map_err(|_| ApiError::NoRandomness)?;
    let hash = secret.hash();
    let gone = access.outdated(&grant, now()).ok_or(ApiError::TooManyEntries)?;
    records.extend(access.end_grants(|it, _| gone.contains(it)));
    records.push(grant_record(&hash, Some(&grant)));
    state.keep(records).await?;
    access.add_grant(hash, grant);
    Ok(secret)
}

/// Makes the first token, and a link that opens the page once.
pub(crate) async fn first(state: &ApiState) -> Result<(Secret, Secret), ApiError> {
    let access = access(state)?;
    let now = now();
    let (scope, created_at) = (Scope::Admin, now);
    let grant = |kind, parent, expires_at| {
        let name = "first admin".to_owned();
        Grant { name, kind, scope, prefix: None, parent, created_at, expires_at }
    };
    let token = Secret::random().map_err(|_| ApiError::NoRandomness)?;
    let of_token = grant(GrantKind::Token, None, None);
    let parent = Some(Parent::Token(id(&token.hash())));
    let of_link = grant(GrantKind::Link, parent, Some(now + LINK.as_secs()));
    // Both or none: without the token nobody could get in.
    let records = vec![grant_record(&token.hash(), Some(&of_token))];
    let link = add(state, access, of_link, records).await?;
    access.add_grant(token.hash(), of_token);
    Ok((token, link))
}

/// Carries a change out to its end, even if the caller goes away meanwhile.
pub(super) async fn finish(change: impl Future<Output = Answer> + Send + 'static) -> Answer {
    tokio::spawn(change).await.map_err(ApiError::Unfinished)?
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
    let now = now();
    let grant = Grant {
        name: legal_name(new.name)?,
        kind: GrantKind::Token,
        scope: new.scope,
        prefix: legal_prefix(new.prefix)?,
        parent: None,
        created_at: now,
        expires_at: new.expires_in.map(|seconds| now.saturating_add(seconds)),
    };
    let access = access(&state)?.clone();
    finish(async move {
        let _turn = access.begin_change().await;
        let secret = add(&state, &access, grant.clone(), Vec::new()).await?;
        let mut answer = grant_json(&secret.hash(), &grant);
        let change = Change(json!({"after": answer}));
        answer["token"] = (*secret.text()).as_str().into();
        Ok((StatusCode::CREATED, Extension(change), json(&answer)).into_response())
    })
    .await
}

/// DELETE `/api/tokens/{id}`: ends a token and the sessions that were begun by it, or a session.
pub(crate) async fn remove_token(
    State(state): State<ApiState>,
    Segment(name): Segment<String>,
) -> Answer {
    let access = access(&state)?.clone();
    finish(async move {
        let _turn = access.begin_change().await;
        let before = access.grants().into_iter().find(|(hash, _)| id(hash) == name);
        let Some((hash, grant)) = before else { return Err(ApiError::UnknownName(name)) };
        let parent = Some(Parent::Token(id(&hash)));
        let ended = access.end_grants(|it, other| *it == hash || other.parent == parent);
        state.keep(ended).await?;
        let change = Change(json!({"before": grant_json(&hash, &grant)}));
        Ok((StatusCode::NO_CONTENT, Extension(change)).into_response())
    })
    .await
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
    password: Zeroizing<String>,
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
    if new.password.chars().count() < MIN_PASSWORD || new.password.len() > MAX_PASSWORD {
        return Err(ApiError::Member { name: "`password`", expected: PASSWORD });
    }
    let (scope, prefix, password) = (new.scope, legal_prefix(new.prefix)?, new.password);
    let after = describe(&name, scope, prefix.as_deref());
    let turn = access.turn().await.ok_or(ApiError::TooManyAttempts(1))?;
    let hash = move || {
        let user = User::new(scope, prefix, &password);
        drop(turn);
        user
    };
    let user = tokio::task::spawn_blocking(hash).await.map_err(ApiError::Unfinished)?;
    let user = user.map_err(|_| ApiError::NoRandomness)?;
    let access = access.clone();
    finish(async move {
        let _turn = access.begin_change().await;
        if access.is_full_for(&name) {
            return Err(ApiError::TooManyEntries);
        }
        let before = access.user(&name).map(|it| describe(&name, it.scope, it.prefix.as_deref()));
        let parent = Some(Parent::User(name.clone()));
        let ended = access.end_grants(|_, grant| grant.parent == parent);
        state.keep(ended.into_iter().chain([user_record(&name, &user)]).collect()).await?;
        access.put_user(&name, user);
        let status = if before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
        let change = Change(json!({"before": before, "after": after}));
        Ok((status, Extension(change), json(&after)).into_response())
    })
    .await
}

const PASSWORD: &str = "12 characters or more, and 256 bytes or fewer";

/// DELETE `/api/users/{name}`: removes a user, and ends its sessions.
pub(crate) async fn remove_user(
    State(state): State<ApiState>,
    Segment(name): Segment<String>,
) -> Answer {
    let access = access(&state)?.clone();
    finish(async move {
        let _turn = access.begin_change().await;
        let Some(user) = access.user(&name) else { return Err(ApiError::UnknownName(name)) };
        let before = describe(&name, user.scope, user.prefix.as_deref());
        let removed = access.remove_user(&name);
        let parent = Some(Parent::User(name));
        let ended = access.end_grants(|_, grant| grant.parent == parent);
        state.keep(ended.into_iter().chain(removed).collect()).await?;
        let change = Change(json!({"before": before}));
        Ok((StatusCode::NO_CONTENT, Extension(change)).into_response())
    })
    .await
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
