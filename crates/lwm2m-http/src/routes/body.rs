//! Bodies of requests: read within the limit, then made into nodes.

use crate::error::ApiError;
use crate::json::node::{read_changes, read_new_instance, read_node};
use crate::json::value::read_value;
use crate::seats::Seat;
use crate::state::ApiState;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use lwm2m_codec::composite::Change;
use lwm2m_core::{Model, Node, ObjectInstance, Path, Resource};
use serde_json::Value as Json;
use std::sync::Arc;
use std::time::Duration;

/// How long a body may take to arrive, so that slow ones do not use up the connections.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// The body of a request and what it claims to be.
#[derive(Debug)]
pub(crate) struct Body {
    media_type: MediaType,
    bytes: Bytes,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum MediaType {
    Json,
    Text,
    Other,
}

impl MediaType {
    fn of(headers: &HeaderMap) -> Self {
        let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let value = value.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        match value.to_ascii_lowercase().as_str() {
            "application/json" => Self::Json,
            "text/plain" => Self::Text,
            _ => Self::Other,
        }
    }
}

impl FromRequest<ApiState> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let media_type = MediaType::of(request.headers());
        let seat = request.extensions().get::<Arc<Seat>>().cloned();
        let reading = Bytes::from_request(request, state);
        let read = tokio::time::timeout(BODY_TIMEOUT, reading).await;
        match read.map_err(|_| ApiError::BodyTooSlow(BODY_TIMEOUT))? {
            Ok(bytes) => {
                // The peer owes nothing more.
                seat.into_iter().for_each(|seat| seat.is_answered());
                Ok(Self { media_type, bytes })
            }
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ApiError::BodyTooLarge(state.config().body_limit))
            }
            Err(_) => Err(ApiError::BodyLost),
        }
    }
}

impl Body {
    /// A body of JSON.
    pub(crate) fn of_json(value: &Json) -> Self {
        Self { media_type: MediaType::Json, bytes: value.to_string().into() }
    }

    /// The body as text, whatever it claims to be.
    pub(crate) fn text(&self) -> Result<&str, ApiError> {
        std::str::from_utf8(&self.bytes).map_err(|_| ApiError::NotText)
    }

    /// The node that is to be written to `path`. Plain text is the value of a resource or
    /// resource instance.
    pub(crate) fn node(&self, path: &Path, model: &dyn Model) -> Result<Node, ApiError> {
        match self.media_type {
            MediaType::Json => return Ok(read_node(path, &self.json()?, model)?),
            MediaType::Other if path.depth() >= 3 => return Err(ApiError::ContentType),
            MediaType::Text | MediaType::Other => {}
        }
        let (Some(object), Some(resource)) = (path.object_id(), path.resource_id()) else {
            return Err(ApiError::NotJson);
        };
        let defined = model.resource(object, resource).map(|resource| resource.data_type);
        let value = read_value(&Json::from(self.text()?), None, defined)?;
        Ok(match path.resource_instance_id() {
            Some(_) => Node::ResourceInstance(value),
            None => Node::Resource(Resource::Single(value)),
        })
    }

    /// The instance that is to be created below `object`, and its id, if the body tells one.
    pub(crate) fn new_instance(
        &self,
        object: u16,
        model: &dyn Model,
    ) -> Result<(Option<u16>, ObjectInstance), ApiError> {
        Ok(read_new_instance(object, &self.json()?, model)?)
    }

    /// What a Write-Composite changes.
    pub(crate) fn changes(&self, model: &dyn Model) -> Result<Vec<Change>, ApiError> {
        Ok(read_changes(&self.json()?, model)?)
    }

    /// The body as JSON, whatever it claims to be: the dialect takes credentials so.
    pub(crate) fn any_json(&self) -> Result<Json, ApiError> {
        Ok(serde_json::from_slice(&self.bytes)?)
    }

    fn json(&self) -> Result<Json, ApiError> {
        match self.media_type {
            MediaType::Json => Ok(serde_json::from_slice(&self.bytes)?),
            MediaType::Text | MediaType::Other => Err(ApiError::NotJson),
        }
    }
}
