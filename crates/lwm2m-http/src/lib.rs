//! The HTTP API of the LwM2M server, in the dialect of Leshan's demo server: what drives that
//! server drives this one.
//!
//! | method and address | what |
//! |---|---|
//! | GET `/api/clients`, `/api/clients/{ep}` | registrations, one registration; see [Fleets](#fleets) |
//! | DELETE `/api/clients/{ep}` · `/api/clients/{ep}/session` | forget a device · end its session of DTLS or TLS |
//! | GET / PUT / DELETE `/api/clients/{ep}/{path}` | Read / Write / Delete |
//! | POST `/api/clients/{ep}/{path}` | Create on an object or instance, Execute on a resource (the body is the arguments) |
//! | GET `…/discover` · PUT `…/attributes?pmin=10&pmax` | Discover · Write-Attributes (`pmax` alone unsets it) |
//! | GET `/api/clients/{ep}/{path}?cached` | the newest values that the server keeps, and their times, without asking the device |
//! | GET `/api/clients/{ep}/{path}?history[&since=&limit=]` | the numbers that a resource had, with their times: the last ones, or those after a time |
//! | POST / DELETE `…/observe` | wish to observe, with attributes such as `?pmin=10` / take it back; `?active` tells the device too |
//! | GET / PUT `/api/clients/{ep}/composite?paths=/3/0/0,/1/0/1` | Read-Composite / Write-Composite (the body is `{path: node}`) |
//! | POST / DELETE `/api/clients/{ep}/composite/observe?paths=…` | the same for several paths |
//! | GET `/api/clients/{ep}/observations` | what is to be observed, and whether it is |
//! | GET `/api/commands[?ep=&state=&from=&limit=]` | operations that wait, and results |
//! | GET / DELETE `/api/commands/{id}` | one of them / take it back, or forget its result |
//! | GET / POST `/api/bulk` · GET / DELETE `/api/bulk/{id}` | one operation on all devices that the query selects, as commands · how far it has come / take back what waits |
//! | GET `/api/events[?ep=&since=&limit=]` | what happened to devices: the last events, or those after a number |
//! | GET / PUT `/api/models` · GET / DELETE `/api/models/{id}[?version=]` | object definitions: all in short, add some in the XML of OMA · the versions of one, remove own ones |
//! | GET `/api/clients/{ep}/why` | what is the matter with a device, registered or not, and what to do: one sentence |
//! | GET `/api/clients/{ep}/capture.pcapng` | the same for Wireshark, with the keys of sessions; for admins |
//! | GET `/api/clients/{ep}/quirks` | what the server forgave a device, by kind |
//! | GET `/api/clients/{ep}/messages[?limit=&after=&raw]` | the last messages of a device, decoded; secrets are hidden |
//! | GET `/api/rejected[?limit=]` | the last clients that did not get in, with the reasons |
//! | GET `/api/objectspecs/{ep}` | the definitions of the objects of a device |
//! | GET `/api/event[?ep=&kind=&path=]` | server-sent events REGISTRATION, UPDATED, DEREGISTRATION, SLEEPING, AWAKE, NOTIFICATION, OBSERVATION_ENDED, SEND, REQUEST_RESPONSE, LAGGED |
//! | GET / PUT `/api/security/clients` · GET / DELETE `/api/security/clients/{ep}` | credentials of clients, pre-shared keys with `?reveal`; see [`json::security`] |
//! | POST `/api/devices` · GET / DELETE `/api/devices/{ep}` | all that a device needs from its factory to its registration · how far it has come / take it away |
//! | GET `/api/bootstrap` · GET / POST / DELETE `/api/bootstrap/{ep}` | what devices are told at a bootstrap, secrets with `?reveal`; see [`json::bootstrap`] |
//! | GET `/api/bootstrap/{ep}/history` | how the bootstraps of a device went |
//! | GET / PUT `/api/bootstrap/security/clients` · DELETE `/api/bootstrap/security/clients/{ep}` | the credentials that devices come with to be bootstrapped |
//! | GET / POST / DELETE `/api/session` | who sends the request; log in; log out |
//! | GET / POST `/api/tokens` · DELETE `/api/tokens/{id}` | tokens of programs, and sessions |
//! | GET `/api/users` · PUT / DELETE `/api/users/{name}` | users of the page |
//! | GET `/api/audit[?before=&limit=]` | who changed what |
//! | GET `/api/security/server`, `/api/server/security` | the server's public key and certificate |
//! | GET `/api/server/endpoint` | where the server listens |
//! | GET `/metrics` | counters and gauges in the text format of Prometheus |
//! | GET `/livez`, `/readyz` | whether the engine answers; whether it can promise something. Open to everybody |
//! | GET `/api/openapi.json` · `/docs` | all this as OpenAPI 3.1 · a page to try it |
//! | GET `/`, `/page/…` | the dashboard |
//!
//! Query parameters: `format` (a name such as `SENML_JSON`, or a number), `timeout` (seconds, 5
//! without it), `replace` (`false` updates what is sent and keeps the rest of an instance or of a
//! multiple-instance resource; a single value is always replaced). Composite operations have
//! `pathformat` and `nodeformat` in place of `format`.
//!
//! Any answer of a device has status 200, with the answer as JSON; see [`json::response`]. Errors
//! are problem JSON (RFC 9457): 400 if the operation cannot be sent, 401 without a valid token, 403 for
//! pages of other origins and for what a token may not do,
//! 404 for an unknown device or address, 405, 408 if the body does not arrive, 409 for credentials
//! that contradict others, 413, 422 if an `Idempotency-Key` stands for another operation, 500 if the
//! answer cannot be understood, 501 if the server keeps no values, 503 while the server is busy or
//! stops, or its disk is full, 504 if the device does not answer in time.
//!
//! # Fleets
//! With one of these parameters, `GET /api/clients` answers with a page of the registrations in the order of
//! their endpoint names. If there are more, the header `Link` has the address of the next page. `ETag` and
//! `If-None-Match` spare what has not changed. Long answers are compressed for those who accept gzip.
//!
//! | | |
//! |---|---|
//! | `limit` | the most registrations of a page, 1 to 1000. Default: 100 |
//! | `after` | the endpoint name after which the page begins |
//! | `prefix`, `q` | what the endpoint name begins with; what it contains, whatever the case |
//! | `state` | `listening` (not in queue mode), `awake` or `asleep` |
//! | `object` | the number of an object that the device has, or of its instance: `3303` or `3303/0` |
//! | `binding` | letters that the binding mode has, such as `U` |
//! | `secure` | `true`: by DTLS or TLS; `false`: in the clear |
//! | `sort` | `endpoint`, `registered` or `updated`, with `-` before it for the last ones first. Then `after` is what `Link` has |
//! | `fields` | the members of each registration, with commas between them |
//!
//! # Devices that sleep
//! An operation on a device in queue mode that sleeps, or does not answer within `timeout`, is kept as
//! a command. The answer is `{"ep","path","requestId","response":null,"delayed":true}` with status 200,
//! when that is durable; the event REQUEST_RESPONSE has the answer of the device and the same
//! `requestId`, which is the number of the command. Commands go out one at a time, in their order, when
//! the device wakes up. `sleeping` tells of each registration in queue mode whether the device sleeps.
//!
//! # Commands
//! `Prefer: respond-async` (RFC 7240) makes a command of any operation, for any registered device: 202
//! with the address of the command in `Location`. With `wait=10` the caller waits so many seconds for
//! the answer first, which then has status 200. Commands survive restarts, and their results are kept for
//! a day. These tell more:
//!
//! | | |
//! |---|---|
//! | `Idempotency-Key: …` | requests with one key are one command, also without `Prefer`; the key is free when the command is forgotten |
//! | `ttl` | how many seconds the command may wait. Default: a day |
//! | `priority` | 0 to 255; higher ones go first |
//! | `coalesce` | a later write to the same path that says so, too, takes the place of this one while it waits |
//! | `repeat` | the device may get the operation twice, as reads, writes and Write-Attributes always may |
//!
//! `state` of a command is `waiting`, `sent`, `done` (the device answered, if only by a refusal),
//! `failed`, `expired`, `unknown` (the device or the server went away before the answer, and the device
//! may have carried it out) or `superseded`. `from` is the smallest number in a list, which `limit`
//! makes shorter.
//!
//! # Observations
//! An observation is a wish that lasts until DELETE: the server begins it anew when the device
//! registers, after a restart, and when the device moves. Its `state` is `observed` (with `since`),
//! `waiting` or `refused` (with `code`; the server asks again when the device registers). The answer to
//! POST has the first values. A device that sleeps, or has no connection, gives them later: `delayed` as
//! above, but the `requestId` is not that of a command. After 504 the wish stays, and its first values
//! are an event NOTIFICATION. To a device before LwM2M 1.2 the attributes go as Write-Attributes.
//!
//! Differences to Leshan: an unknown device is 404 and not 400, error bodies are JSON and not text,
//! `type` may be left out of values, the server itself refuses an `id` that contradicts the address,
//! and without `format` the server asks for the best one that the device announced.
//!
//! What the API acknowledges is durable, if the server has a store; without one, commands and wishes
//! last as long as the server.
//!
//! Devices do not wait for users of the API. Registrations are read from
//! [`lwm2m_net::Directory`], beside the engine; the list of all devices is sent in pages, one of
//! which is written at a time in the whole server; an event is written once for all streams.
//!
//! # Access
//! With [`ApiConfig::access`] each request needs a token (`Authorization: Bearer`) or the cookie of a
//! session, whose scope and prefix decide what it may do; see [`access`]. Without it everybody who reaches
//! the API may do everything. Browsers are kept from being misused for requests that other web pages
//! start: CORS is closed, and requests whose `Sec-Fetch-Site` or `Origin` names another origin get
//! 403, whatever their content type; browsers send `Origin` with all that can change something.
//! Against foreign names for this server's address (DNS rebinding), `Host` must be an IP address,
//! `localhost` or one of [`ApiConfig::hosts`], or the answer is 403 as well.
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! let server = lwm2m_server::Server::new(lwm2m_server::Config::default(), lwm2m_net::seed()?);
//! let address = std::net::SocketAddr::from(([0, 0, 0, 0], 5683));
//! let server = lwm2m_net::bind_server(address, server, None).await?;
//! let router = lwm2m_http::router(lwm2m_http::ApiState::new(server));
//! let listener = tokio::net::TcpListener::bind(("127.0.0.1", 8080)).await?;
//! lwm2m_http::serve(listener, router, std::future::pending()).await
//! # }
//! ```

pub mod access;
mod bootstrap;
mod bulk;
mod credentials_file;
mod error;
mod events;
mod group_commit;
mod https;
pub mod json;
mod messages;
mod metrics;
mod models;
mod openapi;
mod origin;
mod outputs;
mod patient;
mod pcapng;
mod prefer;
mod query;
mod routes;
mod seats;
mod serve;
mod state;
mod why;

pub use access::{Access, AccessConfig};
pub use bootstrap::{BOOTSTRAP, BOOTSTRAP_CREDENTIALS, Bootstrap};
pub use bulk::{BULKS, Bulks};
pub use credentials_file::{CredentialsFile, CredentialsFileError};
pub use https::{Https, HttpsError};
pub use models::{MODELS, Models};
pub use outputs::{
    CHUNK, Chunk, DEAD_LETTERS, Description, Filter, OUTPUTS, Output, OutputError, Untold,
    append_events,
};
pub use routes::router;
pub use serve::{MAX_CONNECTIONS, serve, serve_at_most, serve_by_tls};
pub use state::{ApiConfig, ApiState, BeginError, FirstAccess};
