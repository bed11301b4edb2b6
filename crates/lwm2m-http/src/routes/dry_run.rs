//! `/api/bootstrap/{ep}/dry-run`: the requests that a configuration makes of a bootstrap, before any device
//! gets them.

use super::answer::json;
use super::body::Body;
use super::bootstrap::{bootstrap, read};
use super::operations::Answer;
use super::target::Endpoint;
use crate::error::ApiError;
use crate::json::bootstrap::read_configuration;
use crate::json::node::NodeJson;
use crate::state::ApiState;
use axum::extract::State;
use lwm2m_bootstrap::Command;
use lwm2m_core::{Node, Path};
use serde_json::{Value as Json, json};

/// The resources that are secret, by their objects: keys of Security and OSCORE.
const SECRETS: [(u16, u16); 3] = [(0, 5), (0, 8), (21, 0)];

/// GET: the requests that the device would get now.
pub(crate) async fn configured(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
) -> Answer {
    let configuration = bootstrap(&state)?.configuration(&endpoint);
    let configuration = configuration.ok_or(ApiError::NoConfiguration(endpoint))?;
    requests(&configuration)
}

/// POST: the requests that the device would get after a POST of the same body to `/api/bootstrap/{ep}`, which
/// refuses the same bodies. Changes nothing.
pub(crate) async fn proposed(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
    body: Body,
) -> Answer {
    bootstrap(&state)?;
    let (configuration, _) = read(&endpoint, &body)?;
    requests(&configuration)
}

fn requests(configuration: &Json) -> Answer {
    let commands = read_configuration(configuration)?;
    let mut requests: Vec<Json> = commands.into_iter().map(request).collect();
    // The server ends each bootstrap by it.
    requests.push(json!({"command": "FINISH", "path": "/bs"}));
    Ok(json(&requests))
}

fn request(command: Command) -> Json {
    let (path, name) = (*command.path(), name(&command));
    let mut request = json!({"command": name, "path": path.to_string()});
    if let Command::Write(_, mut node) = command {
        let hidden = take_secrets(&path, &mut node);
        request["value"] = json!(NodeJson::new(&path, &node));
        if !hidden.is_empty() {
            request["hidden"] = json!(hidden);
        }
    }
    request
}

fn name(command: &Command) -> &'static str {
    if matches!(command, Command::Write(..)) {
        "WRITE"
    } else if matches!(command, Command::Delete(_)) {
        "DELETE"
    } else if matches!(command, Command::Read(_)) {
        "READ"
    } else {
        "DISCOVER"
    }
}

/// Takes the keys out of what is written, which is an instance of an object. Returns their paths.
fn take_secrets(path: &Path, node: &mut Node) -> Vec<String> {
    let (&[object, instance], Node::ObjectInstance(node)) = (path.ids(), node) else {
        return Vec::new();
    };
    let secrets = SECRETS.iter().filter(|(it, _)| *it == object);
    let hidden = secrets.filter(|(_, id)| node.resources.remove(id).is_some());
    hidden.map(|(_, id)| Path::resource(object, instance, *id).to_string()).collect()
}
