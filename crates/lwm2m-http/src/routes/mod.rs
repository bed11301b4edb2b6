//! The routes, and what surrounds all of them.

mod access;
pub(crate) mod answer;
mod body;
mod bootstrap;
mod bulk;
mod cached;
mod clients;
mod commands;
mod composite;
mod devices;
mod dry_run;
pub(crate) mod events;
mod health;
mod messages;
mod models;
mod objectspecs;
mod observe;
mod operations;
mod order;
mod outputs;
mod page;
mod pages;
pub(crate) mod past;
mod replay;
mod security;
mod selection;
mod target;
mod why;

pub(crate) use self::access::first;
pub(crate) use self::bulk::run as run_bulk;

use crate::access::guard;
use crate::state::ApiState;
use crate::{error, openapi, origin};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use error::ApiError;
use health::Counting;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, NotForContentType, Predicate, SizeAbove};

/// The API and the page; see the table in the documentation of this crate.
pub fn router(state: ApiState) -> Router {
    let limit = DefaultBodyLimit::max(state.config().body_limit);
    let around = |guarded| from_fn_with_state((state.clone(), guarded), surround);
    let guarded = Router::new()
        .route("/event", get(events::stream))
        .route("/metrics", get(health::metrics))
        .nest("/api", api())
        .method_not_allowed_fallback(method_not_allowed)
        .layer(around(Guarded::Yes));
    let open = Router::new()
        .route("/", get(page::index))
        .route("/page/{*file}", get(page::file))
        .route("/docs", get(openapi::page))
        .route("/docs/docs.js", get(openapi::script))
        .route("/docs/docs.css", get(openapi::style))
        .route("/problems", get(error::list))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(unknown_route)
        .layer(around(Guarded::No));
    guarded.merge(open).layer(limit).layer(compression()).with_state(state)
}

/// Gzip for those who accept it. Short answers do not pay, and events must not wait for one another.
fn compression() -> CompressionLayer<And<SizeAbove, NotForContentType>> {
    let is_worth_it = SizeAbove::new(1_024).and(NotForContentType::SSE);
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(is_worth_it)
}

/// Whether the guards of origins and of access stand before a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Guarded {
    Yes,
    No,
}

/// Does what every request needs: counts it, asks the guards, and adds the headers of its answer. One layer,
/// because each of its own would cost a boxed future and a copy of all services below it.
async fn surround(
    State((state, guarded)): State<(ApiState, Guarded)>,
    request: Request,
    next: Next,
) -> Response {
    let (counting, uri) = (Counting::begin(&request), request.uri().clone());
    let mut response = match origin::check_host(&request) {
        Err(error) => error.into_response(),
        Ok(()) if guarded == Guarded::No => next.run(request).await,
        Ok(()) => match origin::check(&uri, request.headers(), &state.config().hosts) {
            Err(error) => error.into_response(),
            Ok(()) => guard::guard(&state, request, next).await,
        },
    };
    error::render(&uri, &mut response);
    page::secure(&mut response);
    counting.end(&state, response.status());
    response
}

fn api() -> Router<ApiState> {
    let operations =
        get(operations::get).put(operations::put).post(operations::post).delete(operations::delete);
    Router::new()
        .route("/clients", get(clients::list))
        .route("/clients/", get(clients::list))
        .route("/clients/{ep}", get(clients::one).delete(clients::remove))
        .route("/clients/{ep}/", get(clients::one))
        .route("/clients/{ep}/session", delete(clients::end_session))
        .route("/clients/{ep}/observations", get(observe::list))
        .route("/clients/{ep}/why", get(why::one))
        .route("/clients/{ep}/quirks", get(why::quirks))
        .route("/clients/{ep}/capture.pcapng", get(messages::capture))
        .route("/clients/{ep}/messages", get(messages::list))
        .route("/rejected", get(why::rejected))
        .route("/clients/{ep}/composite", get(composite::read).put(composite::write))
        .route("/clients/{ep}/composite/", get(composite::read).put(composite::write))
        .route(
            "/clients/{ep}/composite/observe",
            post(composite::observe).delete(composite::cancel),
        )
        .route("/clients/{ep}/{*path}", operations)
        .route("/commands", get(commands::list))
        .route("/commands/", get(commands::list))
        .route("/commands/{id}", get(commands::one).delete(commands::remove))
        .route("/bulk", get(bulk::list).post(bulk::start))
        .route("/bulk/{id}", get(bulk::one).delete(bulk::remove))
        .route("/devices", post(devices::add))
        .route("/devices/{ep}", get(devices::one).delete(devices::remove))
        .route("/bootstrap", get(bootstrap::list))
        .route(
            "/bootstrap/{ep}",
            get(bootstrap::one).post(bootstrap::put).delete(bootstrap::remove),
        )
        .route("/bootstrap/{ep}/history", get(bootstrap::history))
        .route("/bootstrap/{ep}/dry-run", get(dry_run::configured).post(dry_run::proposed))
        .route(
            "/bootstrap/security/clients",
            get(bootstrap::credentials).put(bootstrap::put_credential),
        )
        .route("/bootstrap/security/clients/{ep}", delete(bootstrap::remove_credential))
        .route("/session", get(access::who).post(access::log_in).delete(access::log_out))
        .route("/tokens", get(access::tokens).post(access::add_token))
        .route("/tokens/{id}", delete(access::remove_token))
        .route("/users", get(access::users))
        .route("/users/{name}", put(access::put_user).delete(access::remove_user))
        .route("/audit", get(access::audit))
        .route("/models", get(models::list).put(models::put))
        .route("/models/{id}", get(models::one).delete(models::remove))
        .route("/outputs", get(outputs::list))
        .route("/outputs/{name}/dead", get(outputs::dead))
        .route("/outputs/{name}/dead/retry", post(outputs::retry))
        .route("/openapi.json", get(openapi::document))
        .route("/objectspecs/{ep}", get(objectspecs::list))
        .route("/event", get(events::stream))
        .route("/events", get(past::events))
        .route("/security/clients", get(security::list).put(security::put))
        .route("/security/clients/", get(security::list).put(security::put))
        .route("/security/clients/{ep}", get(security::one).delete(security::remove))
        .route("/security/server", get(security::own))
        .route("/server/security", get(security::own))
        .route("/server/endpoint", get(clients::endpoints))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(unknown_route)
}

async fn method_not_allowed() -> ApiError {
    // The router knows the methods and adds the header Allow.
    ApiError::Method(None)
}

async fn unknown_route() -> ApiError {
    ApiError::UnknownRoute
}
