//! `/api/models`: object definitions, built in and of the operator.

use super::access::finish;
use super::answer::json;
use super::body::Body;
use super::operations::Answer;
use crate::access::guard::Change;
use crate::error::ApiError;
use crate::json::objectspec::ObjectSpecJson;
use crate::models::{Own, Source, read};
use crate::query::Parameters;
use crate::state::ApiState;
use axum::Extension;
use axum::extract::{Path as Segment, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use lwm2m_core::ObjectVersion;
use lwm2m_objects::ObjectDefinition;
use serde::Serialize;
use serde_json::{Value as Json, json};

/// What a list tells of a definition.
#[derive(Serialize)]
struct ModelJson<'a> {
    id: u16,
    version: String,
    name: &'a str,
    urn: &'a str,
    source: &'static str,
}

impl<'a> ModelJson<'a> {
    fn new(definition: &'a ObjectDefinition, source: Source) -> Self {
        Self {
            id: definition.id(),
            version: definition.version().to_string(),
            name: definition.name(),
            urn: definition.urn(),
            source: source.name(),
        }
    }
}

/// A definition with all its resources.
#[derive(Serialize)]
struct WholeJson<'a> {
    #[serde(flatten)]
    spec: ObjectSpecJson<'a>,
    source: &'static str,
}

/// GET: all definitions in short, by ID and version.
pub(crate) async fn list(State(state): State<ApiState>) -> Answer {
    let registry = state.server().registry();
    let mut all: Vec<_> = registry.objects().collect();
    all.sort_by_key(|it| (it.id(), it.version()));
    let models = &state.config().models;
    let all = all.into_iter().map(|it| ModelJson::new(it, models.source(it)));
    Ok(json(&all.collect::<Vec<_>>()))
}

/// GET `/api/models/{id}?version=`: the versions of an object, or one of them.
pub(crate) async fn one(
    State(state): State<ApiState>,
    Segment(id): Segment<String>,
    parameters: Parameters,
) -> Answer {
    let (number, version) = (number(&id)?, version(&parameters)?);
    let registry = state.server().registry();
    let is_asked = |it: &&ObjectDefinition| version.is_none_or(|asked| asked == it.version());
    let versions = registry.versions(number).into_iter().filter(is_asked);
    let models = &state.config().models;
    let versions = versions
        .map(|it| WholeJson { spec: ObjectSpecJson::from(it), source: models.source(it).name() });
    let versions: Vec<_> = versions.collect();
    if versions.is_empty() { Err(ApiError::UnknownName(id)) } else { Ok(json(&versions)) }
}

/// PUT: adds the definitions of a document in XML, or replaces those of the same IDs and versions.
pub(crate) async fn put(State(state): State<ApiState>, body: Body) -> Answer {
    // A large document takes a processor for some time.
    let reading = tokio::task::spawn_blocking(move || Ok::<_, ApiError>(read(body.text()?)?));
    let new = reading.await.map_err(ApiError::Unfinished)??;
    finish(async move {
        let models = &state.config().models;
        let _turn = models.begin_change().await;
        if !models.have_room_for(&new) {
            return Err(ApiError::TooManyModels(crate::models::MAX_BYTES >> 20));
        }
        state.keep(new.iter().map(Own::record).collect()).await?;
        let after = Json::from_iter(new.iter().map(describe));
        let replaced = models.put(new);
        state.server().set_registry(models.registry()).await?;
        let before = Json::from_iter(replaced.iter().map(describe));
        let status = if replaced.is_empty() { StatusCode::CREATED } else { StatusCode::OK };
        let change = Change(json!({"before": before, "after": after}));
        Ok((status, Extension(change), json(&after)).into_response())
    })
    .await
}

/// DELETE `/api/models/{id}?version=`: removes definitions of the API. What they replaced holds again.
pub(crate) async fn remove(
    State(state): State<ApiState>,
    Segment(id): Segment<String>,
    parameters: Parameters,
) -> Answer {
    let (number, version) = (number(&id)?, version(&parameters)?);
    finish(async move {
        let models = &state.config().models;
        let _turn = models.begin_change().await;
        let mut gone = models.of_api(number);
        gone.retain(|own| version.is_none_or(|asked| asked == own.key().1));
        if gone.is_empty() {
            return Err(ApiError::NoModel(id));
        }
        state.keep(gone.iter().map(Own::removal).collect()).await?;
        gone.iter().for_each(|own| models.remove(own.key()));
        state.server().set_registry(models.registry()).await?;
        let change = Change(json!({"before": Json::from_iter(gone.iter().map(describe))}));
        Ok((StatusCode::NO_CONTENT, Extension(change)).into_response())
    })
    .await
}

fn describe(own: &Own) -> Json {
    json!(ModelJson::new(&own.definition, Source::Api))
}

fn number(id: &str) -> Result<u16, ApiError> {
    let digits = id.bytes().all(|byte| byte.is_ascii_digit());
    id.parse().ok().filter(|_| digits).ok_or_else(|| ApiError::UnknownName(id.to_owned()))
}

fn version(parameters: &Parameters) -> Result<Option<ObjectVersion>, ApiError> {
    let expected = "the version of an object, such as 1.0";
    let error = ApiError::Parameter { name: "version", expected };
    parameters.get("version").map(|text| text.parse().map_err(|_| error)).transpose()
}
