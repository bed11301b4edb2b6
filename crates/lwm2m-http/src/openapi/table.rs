//! The operations of the API.

/// An operation.
pub(super) struct Row {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    /// The names of the query parameters.
    pub(super) query: &'static str,
    /// The name of the schema of the body; empty if there is none.
    pub(super) body: &'static str,
    /// The answers that are no problems.
    pub(super) answers: &'static [(u16, &'static str)],
}

const fn row(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    query: &'static str,
    body: &'static str,
    answers: &'static [(u16, &'static str)],
) -> Row {
    Row { method, path, summary, query, body, answers }
}

const OK: &[(u16, &str)] = &[(200, "What was asked for")];
const FILE: &[(u16, &str)] = &[(200, "A file in pcapng")];
const GONE: &[(u16, &str)] = &[(204, "Done")];
const CHANGED: &[(u16, &str)] = &[(200, "Changed"), (201, "Made")];
const MADE: &[(u16, &str)] = &[(201, "Made")];
const ACCEPTED: &[(u16, &str)] = &[(202, "Will be carried out")];
const PAGE: &[(u16, &str)] = &[(200, "A page or all of them"), (304, "As before")];
const ASKED: &[(u16, &str)] = &[
    (200, "The answer of the device, or with `delayed` that it comes later"),
    (202, "A command was made"),
];

const READ: &str = "format timeout ttl priority repeat";
const WRITE: &str = "format timeout replace ttl priority coalesce repeat";
const COMMAND: &str = "timeout ttl priority repeat";

pub(super) const ROWS: &[Row] = &[
    row(
        "get",
        "/api/clients",
        "The registered devices, or a page of those that the query selects",
        "limit after prefix q state object binding secure sort fields",
        "",
        PAGE,
    ),
    row("get", "/api/clients/{ep}", "A registered device", "", "", OK),
    row("delete", "/api/clients/{ep}", "Forget a device", "", "", GONE),
    row("delete", "/api/clients/{ep}/session", "End the session of a device", "", "", GONE),
    row("get", "/api/clients/{ep}/observations", "What is to be observed", "", "", OK),
    row(
        "get",
        "/api/clients/{ep}/why",
        "What is the matter with a device, and what to do; also of one that never got in",
        "",
        "",
        OK,
    ),
    row(
        "get",
        "/api/clients/{ep}/capture.pcapng",
        "The last messages of a device for Wireshark, with the keys of its sessions",
        "",
        "",
        FILE,
    ),
    row("get", "/api/clients/{ep}/quirks", "What was forgiven a device, by kind", "", "", OK),
    row(
        "get",
        "/api/clients/{ep}/messages",
        "The last messages of a device, decoded, or those after one",
        "limit message_after raw",
        "",
        OK,
    ),
    row("get", "/api/rejected", "The last clients that did not get in", "limit", "", OK),
    row(
        "get",
        "/api/clients/{ep}/composite",
        "Read several paths at once",
        "paths pathformat nodeformat timeout",
        "",
        ASKED,
    ),
    row(
        "put",
        "/api/clients/{ep}/composite",
        "Write several paths at once",
        "nodeformat timeout",
        "Changes",
        ASKED,
    ),
    row(
        "post",
        "/api/clients/{ep}/composite/observe",
        "Observe several paths at once",
        "paths pathformat nodeformat timeout pmin pmax",
        "",
        ASKED,
    ),
    row(
        "delete",
        "/api/clients/{ep}/composite/observe",
        "End an observation of several paths",
        "paths active timeout",
        "",
        &[(200, "Ended; with `active` the answer of the device")],
    ),
    row(
        "get",
        "/api/clients/{ep}/{path}",
        "Read; with `cached` what the server keeps, with `history` the past numbers",
        "format timeout ttl priority repeat cached history since limit",
        "",
        ASKED,
    ),
    row("put", "/api/clients/{ep}/{path}", "Write", WRITE, "Node", ASKED),
    row("post", "/api/clients/{ep}/{path}", "Create, or Execute a resource", READ, "Any", ASKED),
    row("delete", "/api/clients/{ep}/{path}", "Delete", COMMAND, "", ASKED),
    row("get", "/api/clients/{ep}/{path}/discover", "Discover", COMMAND, "", ASKED),
    row(
        "put",
        "/api/clients/{ep}/{path}/attributes",
        "Write-Attributes",
        "pmin pmax timeout ttl priority repeat",
        "",
        ASKED,
    ),
    row(
        "post",
        "/api/clients/{ep}/{path}/observe",
        "Observe until it is ended",
        "format timeout pmin pmax",
        "",
        ASKED,
    ),
    row(
        "delete",
        "/api/clients/{ep}/{path}/observe",
        "End an observation",
        "active timeout",
        "",
        &[(200, "Ended; with `active` the answer of the device")],
    ),
    row(
        "get",
        "/api/commands",
        "Operations that wait for their devices, and results",
        "ep command_state bulk from limit",
        "",
        OK,
    ),
    row("get", "/api/commands/{id}", "A command", "", "", OK),
    row("delete", "/api/commands/{id}", "Take a command back, or forget its result", "", "", GONE),
    row("get", "/api/bulk", "Bulk operations", "", "", OK),
    row(
        "post",
        "/api/bulk",
        "One operation on all devices that the query selects",
        "prefix q state object binding secure ttl priority coalesce repeat format replace",
        "Order",
        ACCEPTED,
    ),
    row("get", "/api/bulk/{id}", "How far a bulk operation has come", "", "", OK),
    row("delete", "/api/bulk/{id}", "Take back what waits of a bulk operation", "", "", GONE),
    row("get", "/api/session", "Who sends the request", "", "", OK),
    row("post", "/api/session", "Log in", "", "LogIn", OK),
    row("delete", "/api/session", "Log out", "", "", GONE),
    row("get", "/api/tokens", "Tokens and sessions", "", "", OK),
    row("post", "/api/tokens", "Make a token, which is shown once", "", "NewToken", CHANGED),
    row("delete", "/api/tokens/{id}", "End a token or a session", "", "", GONE),
    row("get", "/api/users", "Who can log in", "", "", OK),
    row("put", "/api/users/{name}", "Set a user", "", "NewUser", CHANGED),
    row("delete", "/api/users/{name}", "Remove a user", "", "", GONE),
    row("get", "/api/audit", "Who changed what, the newest first", "before limit", "", OK),
    row("get", "/api/models", "All object definitions in short", "", "", OK),
    row("put", "/api/models", "Add object definitions, in the XML of OMA", "", "Xml", CHANGED),
    row("get", "/api/models/{id}", "The versions of an object", "version", "", OK),
    row("delete", "/api/models/{id}", "Remove definitions of the API", "version", "", GONE),
    row("post", "/api/devices", "Make all that a device needs", "", "NewDevice", MADE),
    row("get", "/api/devices/{ep}", "How far a device has come", "", "", OK),
    row("delete", "/api/devices/{ep}", "Take a device away with its keys", "", "", GONE),
    row("get", "/api/bootstrap", "What devices are told at a bootstrap", "reveal", "", OK),
    row("get", "/api/bootstrap/{ep}", "What a device is told", "reveal", "", OK),
    row("post", "/api/bootstrap/{ep}", "Set what a device is told", "", "Bootstrap", OK),
    row("delete", "/api/bootstrap/{ep}", "Bootstrap a device no more", "", "", GONE),
    row("get", "/api/bootstrap/{ep}/history", "How its bootstraps went", "", "", OK),
    row("get", "/api/bootstrap/{ep}/dry-run", "The requests that it would get", "", "", OK),
    row("post", "/api/bootstrap/{ep}/dry-run", "Those of a proposal", "", "Bootstrap", OK),
    row(
        "get",
        "/api/bootstrap/security/clients",
        "Credentials for the bootstrap",
        "reveal",
        "",
        OK,
    ),
    row("put", "/api/bootstrap/security/clients", "Set one", "", "Credential", OK),
    row("delete", "/api/bootstrap/security/clients/{ep}", "Remove one", "", "", OK),
    row("get", "/api/objectspecs/{ep}", "The definitions of a device's objects", "", "", OK),
    row("get", "/api/event", "What happens, as server-sent events", "ep kind path", "", OK),
    row("get", "/api/events", "What has happened, the oldest first", "ep since limit", "", OK),
    row("get", "/api/outputs", "Outputs of events, and how far they have come", "", "", OK),
    row("get", "/api/outputs/{name}/dead", "Events that were refused for good", "", "", OK),
    row("post", "/api/outputs/{name}/dead/retry", "Tell them again", "", "", ACCEPTED),
    row("get", "/api/security/clients", "Credentials of devices", "reveal", "", OK),
    row("put", "/api/security/clients", "Set the credential of a device", "", "Credential", OK),
    row("get", "/api/security/clients/{ep}", "The credential of a device", "reveal", "", OK),
    row("delete", "/api/security/clients/{ep}", "Remove a credential", "", "", GONE),
    row("get", "/api/security/server", "The server's public key and certificate", "", "", OK),
    row("get", "/api/server/security", "The same", "", "", OK),
    row("get", "/api/server/endpoint", "Where the server listens", "", "", OK),
    row("get", "/api/openapi.json", "This description", "", "", OK),
];
