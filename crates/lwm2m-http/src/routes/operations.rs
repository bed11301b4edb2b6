//! `/api/clients/{ep}/{path…}`: the operations of device management.

use super::answer::json;
use super::body::Body;
use super::observe;
use super::target::{Aspect, Target};
use crate::error::ApiError;
use crate::json::command::{self, DelayedJson, Request};
use crate::json::response::{RequestKind, ResponseJson};
use crate::query::Parameters;
use crate::state::ApiState;
use axum::extract::State;
use axum::response::Response;
use lwm2m_core::{Node, Path, Resource};
use lwm2m_net::Answer as Answered;
use lwm2m_server::{Operation, WriteMode};
use std::time::Duration;

pub(super) type Answer = Result<Response, ApiError>;

/// GET: Read and Discover.
pub(crate) async fn get(
    State(state): State<ApiState>,
    target: Target,
    parameters: Parameters,
) -> Answer {
    let path = target.path;
    match target.aspect {
        Aspect::Value if parameters.flag("cached") => super::cached::get(&state, target).await,
        Aspect::Value if parameters.flag("history") => {
            super::past::history(&state, target, &parameters).await
        }
        Aspect::Value => {
            let format = parameters.accept_in("format")?;
            let operation = Operation::Read { path, format };
            perform(&state, &target.endpoint, &parameters, operation).await
        }
        Aspect::Discover => {
            let target = target.at_depth(1..=3, "Discover", "an object, instance or resource")?;
            let operation = Operation::Discover { path };
            perform(&state, &target.endpoint, &parameters, operation).await
        }
        Aspect::Attributes => Err(ApiError::Method(Some("PUT"))),
        Aspect::Observe => Err(ApiError::Method(Some("POST, DELETE"))),
    }
}

/// PUT: Write and Write-Attributes.
pub(crate) async fn put(
    State(state): State<ApiState>,
    target: Target,
    parameters: Parameters,
    body: Body,
) -> Answer {
    match target.aspect {
        Aspect::Value => write(&state, target, &parameters, &body).await,
        Aspect::Attributes => write_attributes(&state, target, &parameters).await,
        Aspect::Discover => Err(ApiError::Method(Some("GET, HEAD"))),
        Aspect::Observe => Err(ApiError::Method(Some("POST, DELETE"))),
    }
}

/// POST: Create, Execute and Observe.
pub(crate) async fn post(
    State(state): State<ApiState>,
    target: Target,
    parameters: Parameters,
    body: Body,
) -> Answer {
    match (target.aspect, target.path.depth()) {
        (Aspect::Value, 3) => {
            let arguments = body.text()?.to_owned();
            let operation = Operation::Execute { path: target.path, arguments };
            perform(&state, &target.endpoint, &parameters, operation).await
        }
        (Aspect::Value, _) => create(&state, target, &parameters, &body).await,
        (Aspect::Observe, _) => observe::start(&state, target, &parameters).await,
        (Aspect::Discover, _) => Err(ApiError::Method(Some("GET, HEAD"))),
        (Aspect::Attributes, _) => Err(ApiError::Method(Some("PUT"))),
    }
}

/// DELETE: Delete and the two ways to end an observation.
pub(crate) async fn delete(
    State(state): State<ApiState>,
    target: Target,
    parameters: Parameters,
) -> Answer {
    match target.aspect {
        Aspect::Value => {
            let target = target.at_depth(2..=4, "Delete", "an instance or resource instance")?;
            let operation = Operation::Delete { path: target.path };
            perform(&state, &target.endpoint, &parameters, operation).await
        }
        Aspect::Observe => {
            observe::cancel(&state, &target.endpoint, &parameters, target.path.into()).await
        }
        Aspect::Discover => Err(ApiError::Method(Some("GET, HEAD"))),
        Aspect::Attributes => Err(ApiError::Method(Some("PUT"))),
    }
}

async fn write(state: &ApiState, target: Target, parameters: &Parameters, body: &Body) -> Answer {
    let target = target.at_depth(2..=4, "Write", "an instance, resource or resource instance")?;
    let format = parameters.format()?;
    let replace = parameters.replace()?;
    let path = target.path;
    let node = body.node(&path, &state.device(&target.endpoint)?.model())?;
    // Of a single value nothing can stay, and devices accept it as a replacement alone.
    let single = matches!(node, Node::Resource(Resource::Single(_)) | Node::ResourceInstance(_));
    let mode = if replace || single { WriteMode::Replace } else { WriteMode::Partial };
    let operation = Operation::Write { path, node, format, mode };
    perform(state, &target.endpoint, parameters, operation).await
}

async fn create(state: &ApiState, target: Target, parameters: &Parameters, body: &Body) -> Answer {
    let target = target.at_depth(1..=2, "Create", "an object or instance")?;
    let format = parameters.format()?;
    let device = state.device(&target.endpoint)?;
    let model = device.model();
    let object = target.path.object_id().unwrap_or_default();
    let (instance, node) = match target.path.instance_id() {
        Some(id) => (Some(id), body.node(&target.path, &model)?),
        None => {
            let (id, instance) = body.new_instance(object, &model)?;
            (id, Node::ObjectInstance(instance))
        }
    };
    let operation = Operation::Create { path: Path::object(object), instance, node, format };
    perform(state, &target.endpoint, parameters, operation).await
}

async fn write_attributes(state: &ApiState, target: Target, parameters: &Parameters) -> Answer {
    let target = target.at_depth(1..=4, "Write-Attributes", "an object or anything below one")?;
    let attributes = parameters.attributes()?;
    if attributes.is_empty() {
        return Err(ApiError::NoAttribute);
    }
    let operation = Operation::WriteAttributes { path: target.path, attributes };
    perform(state, &target.endpoint, parameters, operation).await
}

/// Has an operation carried out, and answers with the answer of the device; or says that it comes later.
pub(super) async fn perform(
    state: &ApiState,
    endpoint: &str,
    parameters: &Parameters,
    operation: Operation,
) -> Answer {
    let timeout = timeout(state, parameters)?;
    let options = parameters.command_options()?;
    if parameters.preferences.respond_async || options.key.is_some() {
        return super::commands::order(state, endpoint, parameters, operation, options).await;
    }
    let (kind, path) = (RequestKind::from(&operation), command::path(&operation));
    match state.server().perform(endpoint, operation, options, timeout).await {
        Ok(Answered::Now(response)) => Ok(json(&ResponseJson::new(&kind, &response))),
        Ok(Answered::Later(id)) => {
            Ok(json(&DelayedJson::new(endpoint, path, Request::Command(id))))
        }
        Err(error) => Err(ApiError::request(endpoint, error)),
    }
}

/// How long a device may take to answer.
pub(super) fn timeout(state: &ApiState, parameters: &Parameters) -> Result<Duration, ApiError> {
    parameters.timeout(state.config().timeout, state.config().max_timeout)
}
