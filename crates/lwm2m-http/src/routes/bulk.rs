//! `/api/bulk`: one operation on all devices that a query selects.

use super::access::finish;
use super::answer::json;
use super::body::Body;
use super::commands::{Filter, each_command, take_back};
use super::operations::{self, Answer};
use super::selection::Selection;
use super::target::{Aspect, Target};
use crate::access::Principal;
use crate::access::guard::Change;
use crate::bulk::{Job, Order, Word, key_of_commands};
use crate::error::ApiError;
use crate::json::command;
use crate::query::Parameters;
use crate::state::ApiState;
use axum::Extension;
use axum::extract::{Path as Segment, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse;
use futures_util::future::join_all;
use lwm2m_core::Model;
use lwm2m_net::RequestError;
use lwm2m_net::directory::Listed;
use lwm2m_server::{CommandOptions, Operation, SubmitError};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Commands that a job makes at a time.
const AT_ONCE: usize = 64;
/// How long a job waits while the server has no room for more commands.
const PATIENCE: Duration = Duration::from_secs(2);

/// POST: has an operation carried out by all devices that the query selects.
pub(crate) async fn start(
    State(state): State<ApiState>,
    principal: Principal,
    parameters: Parameters,
    body: Body,
) -> Answer {
    let expected = "{\"operation\": \"read\", \"discover\", \"write\", \"execute\", \"create\" or \
                    \"delete\", \"path\": …}, with \"content\" or \"arguments\" where there are some";
    let order: Order = serde_json::from_value(body.any_json()?)
        .map_err(|_| ApiError::Member { name: "the body", expected })?;
    // What no device could carry out is refused now.
    Selection::of_bulk(&parameters, principal.prefix())?;
    parameters.command_options()?;
    let registry = state.server().registry();
    operation(&order, &parameters, &registry.model(&[]))?;
    let job = Job {
        who: principal.name.clone(),
        query: parameters.raw().to_owned(),
        prefix: principal.prefix().map(str::to_owned),
        order,
        created: state.milliseconds(),
        after: None,
        commands: 0,
        refused: 0,
        reasons: Vec::new(),
        is_through: false,
    };
    finish(begin(state, job)).await
}

/// Keeps a job and has it go through the fleet.
async fn begin(state: ApiState, job: Job) -> Answer {
    let after = describe(0, &job);
    let (id, records) = state.config().bulks.add(job)?;
    if let Err(error) = state.keep(records).await {
        state.config().bulks.remove(id);
        return Err(error);
    }
    tokio::spawn(run(state.clone(), id));
    let job = state.config().bulks.get(id).ok_or(ApiError::CommandRemoved)?;
    let mut response = (StatusCode::ACCEPTED, json(&describe(id, &job))).into_response();
    let location = HeaderValue::try_from(format!("/api/bulk/{id}"));
    location.into_iter().for_each(|it| _ = response.headers_mut().insert(LOCATION, it));
    Ok((Extension(Change(json!({"after": after}))), response).into_response())
}

/// GET: the jobs, the newest first.
pub(crate) async fn list(State(state): State<ApiState>, principal: Principal) -> Answer {
    let all = state.config().bulks.list();
    let all = all.iter().filter(|(_, job)| sees(&principal, job));
    Ok(json(&all.map(|(id, job)| describe(*id, job)).collect::<Vec<_>>()))
}

/// GET `/api/bulk/{id}`: how far a job has come, and its commands.
pub(crate) async fn one(
    State(state): State<ApiState>,
    principal: Principal,
    Segment(id): Segment<String>,
) -> Answer {
    let (id, job) = find(&state, &principal, &id)?;
    let mut states = BTreeMap::new();
    each_command(&state, &Filter::of_bulk(id), |command| {
        *states.entry(command::state(&command)).or_insert(0_u64) += 1;
    })
    .await;
    let left: u64 = states.values().sum();
    let mut answer = describe(id, &job);
    answer["states"] = json!(states);
    answer["forgotten"] = job.commands.saturating_sub(left).into();
    Ok(json(&answer))
}

/// DELETE: makes no more commands, takes back those that wait, and forgets the job.
pub(crate) async fn remove(
    State(state): State<ApiState>,
    principal: Principal,
    Segment(id): Segment<String>,
) -> Answer {
    let (id, job) = find(&state, &principal, &id)?;
    finish(async move {
        state.keep(state.config().bulks.remove(id).into_iter().collect()).await?;
        take_back_waiting(&state, id).await?;
        let change = Change(json!({"before": describe(id, &job)}));
        Ok((StatusCode::NO_CONTENT, Extension(change)).into_response())
    })
    .await
}

/// Goes through the fleet from where a job is.
pub(crate) async fn run(state: ApiState, id: u64) {
    let Some(mut job) = state.config().bulks.get(id) else { return };
    let (query, prefix) = (job.query.clone(), job.prefix.clone());
    // It was read before; a later version may not understand it any more.
    let Some(parameters) = Parameters::of(&query) else { return };
    let Ok(selection) = Selection::of_bulk(&parameters, prefix.as_deref()) else { return };
    loop {
        let (devices, next) = selection.next_devices(&state, job.after.as_deref()).await;
        for some in devices.chunks(AT_ONCE) {
            let made = some.iter().map(|device| order(&state, id, &job.order, &parameters, device));
            for (device, made) in some.iter().zip(join_all(made).await) {
                match made {
                    Ok(()) => job.commands += 1,
                    Err(ApiError::Closed(_)) => return,
                    Err(error) => job.refuse(&device.registration.endpoint, &error),
                }
            }
            job.after = some.last().map(|it| it.registration.endpoint.to_string());
            if !note(&state, id, &job) {
                // It was taken back meanwhile.
                let _ = take_back_waiting(&state, id).await;
                return;
            }
        }
        job.is_through = next.is_none();
        job.after = next.map(|it| it.to_string()).or(job.after);
        if !note(&state, id, &job) || job.is_through {
            return;
        }
    }
}

/// Takes the commands of a job back that wait.
async fn take_back_waiting(state: &ApiState, id: u64) -> Result<(), ApiError> {
    let filter = Filter::of_bulk(id).that_are("waiting");
    let mut waiting = Vec::new();
    each_command(state, &filter, |command| waiting.push(command.id)).await;
    take_back(state, waiting).await
}

/// Notes how far a job has come. Returns whether there is such a job.
fn note(state: &ApiState, id: u64, job: &Job) -> bool {
    let record = state.config().bulks.update(id, job);
    let goes_on = record.is_some();
    state.note(record.into_iter().collect());
    goes_on
}

/// Makes the command of a device, when there is room for it.
async fn order(
    state: &ApiState,
    id: u64,
    order: &Order,
    parameters: &Parameters,
    device: &Listed,
) -> Result<(), ApiError> {
    let registration = &device.registration;
    let registry = state.server().registry();
    let operation = operation(order, parameters, &registration.model(&registry))?;
    let options = || -> Result<_, ApiError> {
        let key = Some(key_of_commands(id));
        Ok(CommandOptions { key, ..parameters.command_options()? })
    };
    loop {
        let made = state.server().command(&registration.endpoint, operation.clone(), options()?);
        match made.await {
            Ok(_) => return Ok(()),
            Err(
                RequestError::Submit(SubmitError::TooManyCommands | SubmitError::NotKept)
                | RequestError::NotDurable(_),
            ) => tokio::time::sleep(PATIENCE).await,
            Err(RequestError::Closed(error)) => return Err(error.into()),
            Err(error) => return Err(ApiError::request(&registration.endpoint, error)),
        }
        if state.config().bulks.get(id).is_none() {
            return Err(ApiError::CommandRemoved);
        }
    }
}

/// The operation of an order for devices with these definitions.
fn operation(
    order: &Order,
    parameters: &Parameters,
    model: &dyn Model,
) -> Result<Operation, ApiError> {
    let path = order.path.parse()?;
    let target = Target { endpoint: String::new(), path, aspect: Aspect::Value };
    let body = Body::of_json(&order.content);
    match order.operation {
        Word::Read => Ok(Operation::Read { path, format: parameters.accept_in("format")? }),
        Word::Discover => operations::discover(&target),
        Word::Write => operations::write(&target, parameters, &body, model),
        Word::Create => operations::create(&target, parameters, &body, model),
        Word::Execute => operations::execute(&target, order.arguments.clone()),
        Word::Delete => operations::delete_of(&target),
    }
}

fn find(state: &ApiState, principal: &Principal, id: &str) -> Result<(u64, Job), ApiError> {
    let digits = id.bytes().all(|byte| byte.is_ascii_digit());
    let number = id.parse().ok().filter(|_| digits);
    let job = number.and_then(|id| Some((id, state.config().bulks.get(id)?)));
    let job = job.filter(|(_, job)| sees(principal, job));
    job.ok_or_else(|| ApiError::UnknownName(id.to_owned()))
}

/// Whether a job exists for somebody: all devices that it can select do.
fn sees(principal: &Principal, job: &Job) -> bool {
    principal.sees(job.prefix.as_deref().unwrap_or_default())
}

fn describe(id: u64, job: &Job) -> Json {
    json!({
        "id": id.to_string(),
        "who": job.who,
        "query": job.query,
        "order": job.order,
        "created": job.created,
        "state": if job.is_through { "ordered" } else { "ordering" },
        "commands": job.commands,
        "refused": job.refused,
        "reasons": job.reasons,
        "commandList": format!("/api/commands?bulk={id}"),
    })
}
