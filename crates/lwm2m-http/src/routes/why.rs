//! `/api/clients/{ep}/why` and `/api/rejected`: what is the matter with a device, and who did not get in.

use super::answer::json;
use super::operations::Answer;
use crate::access::Principal;
use crate::error::ApiError;
use crate::json::milliseconds;
use crate::query::Parameters;
use crate::state::ApiState;
use crate::why;
use axum::extract::{Path as Segment, State};
use lwm2m_codec::Quirk;
use lwm2m_dtls::Mode;
use lwm2m_net::{Clock, Rejection};
use serde::Serialize;
use std::net::SocketAddr;

/// The most entries of an answer: all that there can be.
const MOST: u64 = 1_024;

/// GET: one sentence about a device, registered or not.
pub(crate) async fn one(
    State(state): State<ApiState>,
    Segment(endpoint): Segment<String>,
    principal: Principal,
) -> Answer {
    let facts = why::facts(&state, &endpoint, &principal).await?;
    let (mut verdict, since) = facts.verdict();
    verdict.since = since.map(|since| milliseconds(state.server().clock(), since));
    let quirks = facts.quirks().map(|quirk| quirk.to_string()).collect();
    Ok(json(&WhyJson { ep: &endpoint, verdict, quirks }))
}

#[derive(Serialize)]
struct WhyJson<'a> {
    ep: &'a str,
    #[serde(flatten)]
    verdict: why::Verdict,
    /// Where it deviates from the standard, which the server forgives.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    quirks: Vec<String>,
}

/// GET: what the server forgave a registered device, by kind.
pub(crate) async fn quirks(
    State(state): State<ApiState>,
    Segment(endpoint): Segment<String>,
) -> Answer {
    let name = endpoint.clone();
    let forgiven = state.server().with(move |server, _| server.quirks(&name)).await?;
    let forgiven = forgiven.ok_or(ApiError::UnknownEndpoint(endpoint))?;
    let links = forgiven.links.iter().map(|quirk| QuirkJson::new(*quirk, "registration", 1));
    let values =
        forgiven.values.iter().map(|(quirk, count)| QuirkJson::new(*quirk, "values", *count));
    Ok(json(&links.chain(values).collect::<Vec<_>>()))
}

/// A deviation from the standard.
#[derive(Serialize)]
struct QuirkJson {
    kind: String,
    what: String,
    /// `registration` or `values`.
    place: &'static str,
    /// How many messages have it.
    count: u32,
}

impl QuirkJson {
    fn new(quirk: Quirk, place: &'static str, count: u32) -> Self {
        Self { kind: format!("{quirk:?}"), what: quirk.to_string(), place, count }
    }
}

/// GET: who did not get in, those of the last time first. Who is confined to a prefix sees those that
/// claimed a name within it.
pub(crate) async fn rejected(
    State(state): State<ApiState>,
    principal: Principal,
    parameters: Parameters,
) -> Answer {
    let limit = parameters.number("limit", 1..=MOST, "a number from 1 to 1024")?;
    let limit = usize::try_from(limit.unwrap_or(MOST)).unwrap_or(usize::MAX);
    let all = state.server().rejected().list();
    let is_seen = |it: &&Rejection| match (&it.name, principal.prefix()) {
        (Some(name), _) => principal.sees(name),
        (None, prefix) => prefix.is_none(),
    };
    let clock = state.server().clock();
    let seen = all.iter().filter(is_seen).take(limit);
    Ok(json(&seen.map(|it| RejectionJson::new(it, clock)).collect::<Vec<_>>()))
}

/// A client that did not get in.
#[derive(Serialize)]
struct RejectionJson<'a> {
    address: SocketAddr,
    name: Option<&'a str>,
    mode: Option<&'static str>,
    /// `handshake` or `registration`.
    stage: &'static str,
    why: &'a str,
    first: u64,
    last: u64,
    count: u64,
}

impl<'a> RejectionJson<'a> {
    fn new(it: &'a Rejection, clock: Clock) -> Self {
        Self {
            address: it.address,
            name: it.name.as_deref(),
            mode: it.mode.map(mode),
            stage: if it.in_session { "registration" } else { "handshake" },
            why: &it.why,
            first: milliseconds(clock, it.first),
            last: milliseconds(clock, it.last),
            count: it.count,
        }
    }
}

const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Psk => "psk",
        Mode::RawPublicKey => "rpk",
        Mode::Certificate => "x509",
    }
}
