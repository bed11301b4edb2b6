//! `/api/bulk`: one operation on all devices that a query selects.

use super::access::finish;
use super::answer::json;
use super::body::Body;
use super::commands::{Filter, each_command, take_back};
use super::operations::{self, Answer};
use super::selection::Selection;
use super::target::{Aspect, Target};
use crate::access::guard::Change;
use crate::access::{Principal, now};
use crate::bulk::{Job, Order, Ordered, Progress, Word, key_of_commands};
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

/// The longest query in bytes: the audit log has 10,000 of them.
const MAX_QUERY: usize = 2_048;

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
    if parameters.raw().len() > MAX_QUERY {
        return Err(ApiError::Member { name: "the query", expected: "2048 bytes or fewer" });
    }
    // What no device could carry out is refused now.
    Selection::of_bulk(&parameters, principal.prefix())?;
    parameters.command_options()?;
    order.check()?;
    let registry = state.server().registry();
    operation(&order, &parameters, &registry.model(&[]))?;
    let ordered = Ordered {
        who: principal.name.clone(),
        grant: principal.grant.map(|(hash, _)| hash),
        key: parameters.command_options()?.key,
        query: parameters.raw().to_owned(),
        prefix: principal.prefix().map(str::to_owned),
        order,
        created: state.milliseconds(),
    };
    finish(begin(state, ordered)).await
}

/// Keeps a job and has it go through the fleet.
async fn begin(state: ApiState, ordered: Ordered) -> Answer {
    let bulks = &state.config().bulks;
    let (id, kept) = bulks.add(ordered, |records| state.keep(records))?;
    match kept {
        Some(kept) => {
            if let Err(error) = kept.await {
                bulks.remove(id, |records| drop(state.keep(records)));
                return Err(error);
            }
            state.spawn(run(state.clone(), id));
        }
        // It is there already, but perhaps not durable yet.
        None => state.settled().await?,
    }
    let job = bulks.get(id).ok_or(ApiError::CommandRemoved)?;
    let after = summary(id, &job);
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
    answer["forgotten"] = job.progress.commands.saturating_sub(left).into();
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
        match state.config().bulks.remove(id, |records| state.keep(records)) {
            Some(kept) => kept.await?,
            // Somebody else has taken it back, but perhaps that is not durable yet.
            None => state.settled().await?,
        }
        take_back_waiting(&state, id).await?;
        let change = Change(json!({"before": summary(id, &job)}));
        Ok((StatusCode::NO_CONTENT, Extension(change)).into_response())
    })
    .await
}

/// Goes through the fleet from where a job is.
pub(crate) async fn run(state: ApiState, id: u64) {
    let Some(Job { ordered, mut progress, .. }) = state.config().bulks.get(id) else { return };
    if let Some(is_stopped) = go_through(&state, id, &ordered, &mut progress).await {
        end(&state, id, Progress { is_through: true, is_stopped, ..progress }).await;
    }
}

/// Makes the commands of a job. Returns whether it was stopped before it had looked at all devices;
/// nothing if it was taken back, or the server shuts down.
async fn go_through(
    state: &ApiState,
    id: u64,
    ordered: &Ordered,
    progress: &mut Progress,
) -> Option<bool> {
    // It was read before; a later version may not understand it any more.
    let Some(parameters) = Parameters::of(&ordered.query) else { return Some(true) };
    let selection = Selection::of_bulk(&parameters, ordered.prefix.as_deref());
    let Ok(selection) = selection else { return Some(true) };
    loop {
        let (devices, next) = selection.next_devices(state, progress.after.as_deref()).await;
        for some in devices.chunks(AT_ONCE) {
            if !is_allowed(state, ordered) {
                return Some(true);
            }
            let made = some.iter().map(|it| order(state, id, &ordered.order, &parameters, it));
            for (device, made) in some.iter().zip(join_all(made).await) {
                match made {
                    Ok(()) => progress.commands += 1,
                    Err(ApiError::Closed(_)) => return None,
                    Err(error) => progress.refuse(&device.registration.endpoint, &error),
                }
            }
            progress.after = some.last().map(|it| it.registration.endpoint.to_string());
            note(state, id, progress).await?;
        }
        let Some(next) = next else { return Some(false) };
        progress.after = Some(next.to_string());
        note(state, id, progress).await?;
    }
}

/// Whether the author of a job still may use the API.
fn is_allowed(state: &ApiState, ordered: &Ordered) -> bool {
    let access = state.config().access.as_ref().zip(ordered.grant);
    access.is_none_or(|(access, grant)| access.is_valid(&grant, now()))
}

/// Takes the commands of a job back that wait.
async fn take_back_waiting(state: &ApiState, id: u64) -> Result<(), ApiError> {
    let filter = Filter::of_bulk(id).that_are("waiting");
    let mut waiting = Vec::new();
    each_command(state, &filter, |command| waiting.push(command.id)).await;
    take_back(state, waiting).await
}

/// Notes how far a job has come; `None` if it was taken back.
async fn note(state: &ApiState, id: u64, progress: &Progress) -> Option<()> {
    let noted = state.config().bulks.note(id, progress, |records| state.note(records));
    if noted.is_none() {
        let _ = take_back_waiting(state, id).await;
    }
    noted
}

/// Keeps that a job makes no more commands, and then shows it: what is noted alone may be lost, and a
/// job that began anew after a restart would make those commands again whose results were forgotten.
async fn end(state: &ApiState, id: u64, progress: Progress) {
    let bulks = &state.config().bulks;
    while let Some(kept) = bulks.note(id, &progress, |records| state.keep(records)) {
        match kept.await {
            Ok(()) => return bulks.end(id, progress),
            Err(ApiError::Closed(_)) => return,
            Err(_) => tokio::time::sleep(PATIENCE).await,
        }
    }
    let _ = take_back_waiting(state, id).await;
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
    principal.sees(job.ordered.prefix.as_deref().unwrap_or_default())
}

/// What the audit log tells of a job. It has no room for values, and not all who read it may see them.
fn summary(id: u64, job: &Job) -> Json {
    let Ordered { query, order: Order { operation, path, .. }, .. } = &*job.ordered;
    json!({"id": id.to_string(), "operation": operation, "path": path, "query": query})
}

fn describe(id: u64, job: &Job) -> Json {
    let Ordered { who, query, order, created, .. } = &*job.ordered;
    let progress = &job.progress;
    json!({
        "id": id.to_string(),
        "who": who,
        "query": query,
        // What is written may be a secret, and viewers see this.
        "order": {"operation": order.operation, "path": order.path},
        "created": created,
        "state": match (progress.is_through, progress.is_stopped) {
            (false, _) => "ordering",
            (true, false) => "ordered",
            (true, true) => "stopped",
        },
        "commands": progress.commands,
        "refused": progress.refused,
        "reasons": progress.reasons,
        "commandList": format!("/api/commands?bulk={id}"),
    })
}
