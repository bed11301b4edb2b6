//! `…/observe`: observations that last until they are taken back; `…/observations`: all of a device.

use super::answer::json;
use super::operations::{Answer, timeout};
use super::target::{Endpoint, Target as Address};
use crate::error::ApiError;
use crate::json::command::{DelayedJson, Request};
use crate::json::milliseconds;
use crate::json::observation::ObservationJson;
use crate::json::response::{RequestKind, ResponseJson};
use crate::query::Parameters;
use crate::state::ApiState;
use axum::extract::State;
use axum::response::IntoResponse;
use lwm2m_core::{ContentFormat, Version};
use lwm2m_net::Answer as Answered;
use lwm2m_server::{Server, Target, Wish, WishOptions, WishState};
use std::collections::BTreeMap;

/// GET `/api/clients/{ep}/observations`: what is observed or to be observed. A device that is not
/// registered has the latter.
pub(crate) async fn list(State(state): State<ApiState>, Endpoint(endpoint): Endpoint) -> Answer {
    let name = endpoint.clone();
    let (wishes, others) =
        state.server().with(move |server, _| observations(server, &name)).await?;
    if wishes.is_empty() {
        state.device(&endpoint)?;
    }
    let clock = state.server().clock();
    let wishes = wishes.iter().map(|(target, wish, state, format)| {
        ObservationJson::of_wish(target, wish, *state, *format, |at| milliseconds(clock, at))
    });
    let others = others.iter().map(|(target, format)| ObservationJson::of(target, *format));
    Ok(json(&wishes.chain(others).collect::<Vec<_>>()))
}

type Wishes = Vec<(Target, Wish, WishState, Option<ContentFormat>)>;

/// The wishes for a device, with the formats that were chosen, and its other observations.
fn observations(server: &Server, endpoint: &str) -> (Wishes, BTreeMap<Target, ContentFormat>) {
    let observed = server.observations(endpoint).map(|it| (it.target, it.format));
    let mut observed: BTreeMap<_, _> = observed.collect();
    let wishes = server.wishes(endpoint).map(|(target, wish, state)| {
        (target.clone(), wish.clone(), state, observed.remove(target))
    });
    (wishes.collect(), observed)
}

/// POST: the first value is the answer, later ones are events NOTIFICATION.
pub(super) async fn start(state: &ApiState, address: Address, parameters: &Parameters) -> Answer {
    let options = WishOptions {
        format: parameters.accept_in("format")?,
        path_format: None,
        attributes: parameters.attributes_of_observe()?,
    };
    wish(state, &address.endpoint, parameters, address.path.into(), options).await
}

/// POST of several paths.
pub(super) async fn start_composite(
    state: &ApiState,
    endpoint: &str,
    parameters: &Parameters,
) -> Answer {
    let options = WishOptions {
        format: parameters.accept_in("nodeformat")?,
        path_format: parameters.format_in("pathformat")?,
        attributes: parameters.attributes_of_observe()?,
    };
    let paths = parameters.paths()?;
    let version = state.device(endpoint)?.registration.version;
    if version < Version::V1_2 && !options.attributes.is_empty() {
        return Err(ApiError::CompositeAttributes);
    }
    wish(state, endpoint, parameters, Target::Composite(paths), options).await
}

async fn wish(
    state: &ApiState,
    endpoint: &str,
    parameters: &Parameters,
    target: Target,
    options: WishOptions,
) -> Answer {
    let timeout = timeout(state, parameters)?;
    // A name that nobody has is a mistake more likely than a wish for later.
    state.device(endpoint)?;
    match state.server().wish(endpoint, target.clone(), options, timeout).await {
        Ok(Answered::Now(response)) => {
            Ok(json(&ResponseJson::new(&RequestKind::from(&target), &response)))
        }
        Ok(Answered::Later(id)) => {
            Ok(json(&DelayedJson::new(endpoint, target.to_string(), Request::Wish(id))))
        }
        Err(error) => Err(ApiError::request(endpoint, error)),
    }
}

/// DELETE: with `?active` the device is told and answers, if it listens; otherwise the server forgets
/// the observation, rejects the next notification, and answers with an empty body.
pub(super) async fn cancel(
    state: &ApiState,
    endpoint: &str,
    parameters: &Parameters,
    target: Target,
) -> Answer {
    let failed = |error| ApiError::request(endpoint, error);
    if parameters.flag("active") {
        let timeout = timeout(state, parameters)?;
        let ceased = state.server().cease_actively(endpoint, target.clone(), timeout).await;
        return Ok(match ceased.map_err(failed)? {
            Some(response) => json(&ResponseJson::new(&RequestKind::from(&target), &response)),
            None => ().into_response(),
        });
    }
    if !state.server().cease(endpoint, target).await.map_err(failed)? {
        state.device(endpoint)?;
    }
    Ok(().into_response())
}
