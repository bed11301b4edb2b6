//! `/api/commands`: operations that wait for their devices, and their results.

use super::answer::json;
use super::operations::{Answer, timeout};
use super::pages::{self, Pages, Piece};
use crate::access::Principal;
use crate::bulk::key_of_commands;
use crate::error::ApiError;
use crate::json::command::{self, CommandJson, DelayedJson, Request, STATES};
use crate::json::response::{RequestKind, ResponseJson};
use crate::query::Parameters;
use crate::state::ApiState;
use axum::extract::{Path as Segment, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use lwm2m_server::{Command, CommandId, CommandOptions, CommandState, Operation, Outcome, Server};

/// Commands that are copied out of the engine at a time.
const PAGE: usize = 64;

/// Commands that the engine looks at for one page.
const SCAN: usize = 1_024;

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Makes a command of an operation. A caller that prefers so gets it at once, or its answer if that
/// comes while it waits; a caller that has named it waits as for every operation.
pub(super) async fn order(
    state: &ApiState,
    endpoint: &str,
    parameters: &Parameters,
    operation: Operation,
    options: CommandOptions,
) -> Answer {
    let preferences = parameters.preferences;
    let patience = match preferences.respond_async {
        true => preferences.wait.unwrap_or_default().min(state.config().max_timeout),
        false => timeout(state, parameters)?,
    };
    let command = state.server().command(endpoint, operation, options).await;
    let mut command = command.map_err(|error| ApiError::request(endpoint, error))?;
    if !patience.is_zero() {
        let ended = state.server().ended(command.id, patience).await?;
        command = ended.ok_or(ApiError::CommandRemoved)?;
    }
    let kind = RequestKind::from(&*command.operation);
    Ok(match &command.state {
        CommandState::Ended(_, outcome) if !patience.is_zero() => {
            let response = answered(&kind, outcome)?;
            if preferences.respond_async { located(command.id, response) } else { response }
        }
        _ if preferences.respond_async => {
            let body = json(&CommandJson::new(&command, &kind, state.server().clock()));
            located(command.id, (StatusCode::ACCEPTED, body).into_response())
        }
        _ => {
            let path = command::path(&command.operation);
            json(&DelayedJson::new(endpoint, path, Request::Command(command.id)))
        }
    })
}

/// A response that names its command, and says that it was made as preferred.
fn located(id: CommandId, mut response: Response) -> Response {
    let headers = response.headers_mut();
    // Digits are legal in a header.
    let location = HeaderValue::try_from(format!("/api/commands/{}", id.0));
    location.into_iter().for_each(|it| _ = headers.insert(LOCATION, it));
    headers.insert(PREFERENCE_APPLIED, HeaderValue::from_static("respond-async"));
    response
}

/// The answer of the device to a command.
fn answered(kind: &RequestKind, outcome: &Outcome) -> Answer {
    match outcome {
        Outcome::Answered(response) => Ok(json(&ResponseJson::new(kind, response))),
        outcome => {
            let reason = command::error(outcome).unwrap_or_default().to_owned();
            let is_silent = matches!(outcome, Outcome::Expired | Outcome::Unknown);
            Err(ApiError::CommandFailed { reason, is_silent })
        }
    }
}

/// GET: the commands in the order of their numbers.
pub(crate) async fn list(
    State(state): State<ApiState>,
    principal: Principal,
    parameters: Parameters,
) -> Answer {
    let expected = "the number of a command";
    let from = parameters.number("from", 0..=u64::MAX, expected)?.unwrap_or_default();
    let limit = parameters.number("limit", 1..=u64::MAX, "a number of commands, at least 1")?;
    let bulk = parameters.number("bulk", 0..=u64::MAX, "the number of a bulk")?;
    let filter = Filter {
        principal: Some(principal),
        endpoint: parameters.get("ep").map(str::to_owned),
        states: parameters.get("state").map(states).transpose()?,
        key: bulk.map(key_of_commands),
    };
    let left = limit.unwrap_or(u64::MAX);
    Ok(pages::list(state, Commands { from: CommandId(from), left, filter }).await)
}

/// The words of a list with commas between them.
fn states(text: &str) -> Result<Vec<&'static str>, ApiError> {
    let expected = "waiting, sent, done, failed, expired, unknown or superseded, or several of them \
                    with commas between them";
    let word = |text: &str| STATES.into_iter().find(|word| *word == text.trim());
    let words: Option<Vec<_>> = text.split(',').map(word).collect();
    words.ok_or(ApiError::Parameter { name: "state", expected })
}

/// Which commands a list has.
#[derive(Clone, Default)]
pub(super) struct Filter {
    /// The user or token that the request comes from.
    principal: Option<Principal>,
    endpoint: Option<String>,
    states: Option<Vec<&'static str>>,
    /// The key that they have.
    key: Option<String>,
}

impl Filter {
    /// The commands of a bulk.
    pub(super) fn of_bulk(id: u64) -> Self {
        Self { key: Some(key_of_commands(id)), ..Self::default() }
    }

    /// Those of them that are in a state.
    pub(super) fn that_are(self, state: &'static str) -> Self {
        Self { states: Some(vec![state]), ..self }
    }

    /// The commands of a device.
    pub(super) fn of_device(endpoint: &str) -> Self {
        Self { endpoint: Some(endpoint.to_owned()), ..Self::default() }
    }

    fn admits(&self, command: &Command) -> bool {
        self.principal.as_ref().is_none_or(|it| it.sees(&command.endpoint))
            && self.endpoint.as_deref().is_none_or(|it| it == &*command.endpoint)
            && self.key.as_ref().is_none_or(|it| command.options.key.as_ref() == Some(it))
            && self.states.as_ref().is_none_or(|it| it.contains(&command::state(command)))
    }
}

/// A list of commands that is being sent.
struct Commands {
    from: CommandId,
    /// How many more it may have.
    left: u64,
    filter: Filter,
}

impl Pages for Commands {
    async fn write(&mut self, state: &ApiState, piece: &mut Piece) -> bool {
        let (from, filter) = (self.from, self.filter.clone());
        let page = state.server().with(move |server, _| page(server, from, &filter));
        // A server that shuts down ends the list.
        let Ok((commands, next)) = page.await else { return false };
        let clock = state.server().clock();
        for command in commands {
            if self.left == 0 {
                return false;
            }
            if piece.is_full() {
                self.from = command.id;
                return true;
            }
            let kind = RequestKind::from(&*command.operation);
            piece.push(&CommandJson::new(&command, &kind, clock));
            self.left -= 1;
        }
        let more = next.filter(|_| self.left > 0);
        self.from = more.unwrap_or(self.from);
        more.is_some()
    }
}

/// Has a function look at all commands of a sort.
pub(super) async fn each_command(state: &ApiState, filter: &Filter, mut f: impl FnMut(Command)) {
    let mut from = Some(CommandId(0));
    while let Some(first) = from {
        // Searches take turns with lists and with one another, page by page.
        let permit = state.begin_page().await;
        let filter = filter.clone();
        let page = state.server().with(move |server, _| page(server, first, &filter)).await;
        // A server that shuts down has none.
        let Ok((commands, next)) = page else { return };
        commands.into_iter().for_each(&mut f);
        from = next;
        drop(permit);
        tokio::task::yield_now().await;
    }
}

/// Takes commands back, or forgets their results.
pub(super) async fn take_back(state: &ApiState, commands: Vec<CommandId>) -> Result<(), ApiError> {
    for some in commands.chunks(PAGE) {
        let removals = some.iter().map(|id| state.server().remove_command(*id));
        for removed in join_all(removals).await {
            removed.map_err(ApiError::Request)?;
        }
    }
    Ok(())
}

/// Commands for a list, and where it goes on.
fn page(server: &Server, from: CommandId, filter: &Filter) -> (Vec<Command>, Option<CommandId>) {
    let mut page = Vec::new();
    for (seen, command) in server.commands_from(from).enumerate() {
        if page.len() == PAGE || seen == SCAN {
            return (page, Some(command.id));
        }
        if filter.admits(command) {
            page.push(command.clone());
        }
    }
    (page, None)
}

/// A command, if it exists for somebody.
async fn find(state: &ApiState, principal: &Principal, id: &str) -> Result<Command, ApiError> {
    let number = number(id)?;
    let command = state.server().with(move |server, _| server.command_by_id(number).cloned());
    let command = command.await?.filter(|command| principal.sees(&command.endpoint));
    command.ok_or_else(|| ApiError::UnknownCommand(id.to_owned()))
}

/// GET: one command.
pub(crate) async fn one(
    State(state): State<ApiState>,
    Segment(id): Segment<String>,
    principal: Principal,
) -> Answer {
    let command = find(&state, &principal, &id).await?;
    let kind = RequestKind::from(&*command.operation);
    Ok(json(&CommandJson::new(&command, &kind, state.server().clock())))
}

/// DELETE: takes a command back, or forgets its result.
pub(crate) async fn remove(
    State(state): State<ApiState>,
    Segment(id): Segment<String>,
    principal: Principal,
) -> Result<StatusCode, ApiError> {
    let command = find(&state, &principal, &id).await?;
    match state.server().remove_command(command.id).await.map_err(ApiError::Request)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::UnknownCommand(id)),
    }
}

fn number(id: &str) -> Result<CommandId, ApiError> {
    let digits = id.bytes().all(|byte| byte.is_ascii_digit());
    let number = id.parse().ok().filter(|_| digits).map(CommandId);
    number.ok_or_else(|| ApiError::UnknownCommand(id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_core::Path;
    use lwm2m_link::{Engine as _, Input};
    use lwm2m_server::Config;
    use lwm2m_time::Instant;
    use std::net::{Ipv4Addr, SocketAddr};

    #[test]
    fn a_page_takes_little_of_the_engines_time() {
        let mut server = Server::new(Config::default(), [7; 32]);
        let register = b"\x40\x02\0\x01\xb2rd\x11\x28\x34ep=a\x05lt=60\x09lwm2m=1.1\xff</3/0>";
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 5683));
        server.handle(Instant::ZERO, Input::datagram(from, register));
        let read = || Operation::Read { path: Path::object(3), format: None };
        let ids = (0..SCAN + 2).map(|_| {
            server.command(Instant::ZERO, "a", read(), CommandOptions::default()).unwrap()
        });
        let ids: Vec<_> = ids.collect();
        let all = |endpoint: Option<&str>| Filter {
            endpoint: endpoint.map(str::to_owned),
            ..Filter::default()
        };
        let (commands, next) = page(&server, CommandId(0), &all(None));
        assert_eq!((commands.len(), next), (PAGE, Some(ids[PAGE])));
        let (commands, next) = page(&server, CommandId(0), &all(Some("b")));
        assert_eq!((commands.len(), next), (0, Some(ids[SCAN])));
        let (commands, next) = page(&server, ids[SCAN], &all(None));
        assert_eq!((commands.len(), next), (2, None));
    }
}
