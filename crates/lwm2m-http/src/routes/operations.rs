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
use lwm2m_core::{Model, Node, Path, Resource};
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
            let operation = discover(&target)?;
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
        Aspect::Value => {
            let device = state.device(&target.endpoint)?;
            let operation = write(&target, &parameters, &body, &device.model())?;
            perform(&state, &target.endpoint, &parameters, operation).await
        }
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
            let operation = execute(&target, body.text()?.to_owned())?;
            perform(&state, &target.endpoint, &parameters, operation).await
        }
        (Aspect::Value, _) => {
            let device = state.device(&target.endpoint)?;
            let operation = create(&target, &parameters, &body, &device.model())?;
            perform(&state, &target.endpoint, &parameters, operation).await
        }
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
            let operation = delete_of(&target)?;
            perform(&state, &target.endpoint, &parameters, operation).await
        }
        Aspect::Observe => {
            observe::cancel(&state, &target.endpoint, &parameters, target.path.into()).await
        }
        Aspect::Discover => Err(ApiError::Method(Some("GET, HEAD"))),
        Aspect::Attributes => Err(ApiError::Method(Some("PUT"))),
    }
}

/// The Write of a body.
pub(super) fn write(
    target: &Target,
    parameters: &Parameters,
    body: &Body,
    model: &dyn Model,
) -> Result<Operation, ApiError> {
    target.check_depth(2..=4, "Write", "an instance, resource or resource instance")?;
    let format = parameters.format()?;
    let replace = parameters.replace()?;
    let path = target.path;
    let node = body.node(&path, model)?;
    // Of a single value nothing can stay, and devices accept it as a replacement alone.
    let single = matches!(node, Node::Resource(Resource::Single(_)) | Node::ResourceInstance(_));
    let mode = if replace || single { WriteMode::Replace } else { WriteMode::Partial };
    Ok(Operation::Write { path, node, format, mode })
}

/// The Create of a body.
pub(super) fn create(
    target: &Target,
    parameters: &Parameters,
    body: &Body,
    model: &dyn Model,
) -> Result<Operation, ApiError> {
    target.check_depth(1..=2, "Create", "an object or instance")?;
    let format = parameters.format()?;
    let object = target.path.object_id().unwrap_or_default();
    let (instance, node) = match target.path.instance_id() {
        Some(id) => (Some(id), body.node(&target.path, model)?),
        None => {
            let (id, instance) = body.new_instance(object, model)?;
            (id, Node::ObjectInstance(instance))
        }
    };
    Ok(Operation::Create { path: Path::object(object), instance, node, format })
}

pub(super) fn discover(target: &Target) -> Result<Operation, ApiError> {
    target.check_depth(1..=3, "Discover", "an object, instance or resource")?;
    Ok(Operation::Discover { path: target.path })
}

pub(super) fn execute(target: &Target, arguments: String) -> Result<Operation, ApiError> {
    target.check_depth(3..=3, "Execute", "a resource")?;
    Ok(Operation::Execute { path: target.path, arguments })
}

pub(super) fn delete_of(target: &Target) -> Result<Operation, ApiError> {
    target.check_depth(2..=4, "Delete", "an instance or resource instance")?;
    Ok(Operation::Delete { path: target.path })
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
