//! `/api/openapi.json`: what the API has, as OpenAPI 3.1, and `/docs`, a page to try it.
//!
//! The rows of [`table`] name each operation; a test compares them with the routes.

mod parts;
mod table;

use self::parts::{parameter, path_parameters, request_body, schemas};
use self::table::{ROWS, Row};
use crate::routes::answer::json;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use std::sync::OnceLock;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, PathsBuilder};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Paths, Ref,
    ResponseBuilder,
};

/// GET `/api/openapi.json`.
pub(crate) async fn document() -> Response {
    static DOCUMENT: OnceLock<OpenApi> = OnceLock::new();
    json(DOCUMENT.get_or_init(build))
}

/// GET `/docs`: a page to try the API.
pub(crate) async fn page() -> Html<&'static str> {
    Html(include_str!("docs.html"))
}

pub(crate) async fn script() -> Response {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("docs.js")).into_response()
}

pub(crate) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("docs.css")).into_response()
}

fn build() -> OpenApi {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let cookie = ApiKey::Cookie(ApiKeyValue::new("lwm2m_session"));
    let components = schemas(ComponentsBuilder::new())
        .security_scheme("token", SecurityScheme::Http(bearer))
        .security_scheme("session", SecurityScheme::ApiKey(cookie));
    let info = InfoBuilder::new()
        .title("LwM2M server")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Manages LwM2M devices, in the dialect of Leshan's demo server."));
    OpenApiBuilder::new()
        .info(info.build())
        .paths(paths())
        .components(Some(components.build()))
        .security(Some([none("token"), none("session")]))
        .build()
}

fn none(scheme: &str) -> SecurityRequirement {
    SecurityRequirement::new::<_, [&str; 0], &str>(scheme, [])
}

fn paths() -> Paths {
    let mut paths = PathsBuilder::new();
    for row in ROWS {
        paths = paths.path(row.path, PathItem::new(method(row), operation(row)));
    }
    paths.build()
}

/// The method of a row.
fn method(row: &Row) -> HttpMethod {
    match row.method {
        "put" => HttpMethod::Put,
        "post" => HttpMethod::Post,
        "delete" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn operation(row: &Row) -> Operation {
    let query = row.query.split(' ').filter(|name| !name.is_empty());
    let parameters = path_parameters(row.path).chain(query.map(parameter));
    let mut operation = OperationBuilder::new()
        .tag(row.path.split('/').nth(2).unwrap_or_default())
        .summary(Some(row.summary))
        .operation_id(Some(format!("{} {}", row.method, row.path)))
        .parameters(Some(parameters))
        .request_body(request_body(row.body));
    if row.path == "/api/session" {
        operation = operation.securities(Some([SecurityRequirement::default()]));
    }
    for (status, description) in row.answers {
        operation = operation.response(status.to_string(), answer(*status, row, description));
    }
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let problem = ResponseBuilder::new()
        .description("It cannot be done; `detail` says why and what to do")
        .content("application/problem+json", problem);
    operation.response("default", problem).build()
}

fn answer(status: u16, row: &Row, description: &str) -> utoipa::openapi::Response {
    let answer = ResponseBuilder::new().description(description);
    let content = || ContentBuilder::new().schema(Some(utoipa::openapi::schema::empty())).build();
    let answer = match status {
        204 | 304 => answer,
        // The dialect has an empty answer where the device is not told.
        _ if row.method == "delete" && row.path.ends_with("/observe") => answer,
        _ if row.path.ends_with(".pcapng") => answer.content("application/x-pcapng", content()),
        _ if row.path == "/api/event" => answer.content("text/event-stream", content()),
        _ => answer.content("application/json", content()),
    };
    answer.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Methods and paths of the routes, from their source, without those that are another one with a
    /// slash at its end.
    fn routes() -> BTreeSet<(String, String)> {
        let source = include_str!("../routes/mod.rs");
        let api = source.split_once("fn api()").expect("the routes of the API").1;
        let mut found = BTreeSet::new();
        for route in api.split(".route(").skip(1) {
            let route = route.split(".method_not_allowed_fallback").next().unwrap();
            let path = route.split('"').nth(1).expect("a path");
            for method in ["get", "put", "post", "delete"] {
                let has = route.contains(&format!("{method}(")) || route.contains("operations)");
                if has && !path.ends_with('/') {
                    let path = path.replace("{*path}", "{path}");
                    found.insert((method.to_owned(), format!("/api{path}")));
                }
            }
        }
        assert!(found.len() > 40, "{found:?}");
        found
    }

    #[test]
    fn what_is_documented_is_what_there_is() {
        let document = serde_json::to_value(build()).expect("JSON");
        assert_eq!(document["openapi"], "3.1.0");
        let mut documented = BTreeSet::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for method in item.as_object().expect("methods").keys() {
                documented.insert((method.clone(), path.clone()));
            }
        }
        // What stands behind a path of a device is one route.
        let is_aspect =
            |(_, path): &(String, String)| path.starts_with("/api/clients/{ep}/{path}/");
        documented.retain(|it| !is_aspect(it));
        assert_eq!(documented, routes());
        assert_eq!(documented.len() + 4, ROWS.len(), "no row stands twice");
    }

    #[test]
    fn every_name_of_a_row_is_explained() {
        for row in ROWS {
            for name in row.query.split(' ').filter(|name| !name.is_empty()) {
                assert!(parts::is_known(name), "{} {}: {name}", row.method, row.path);
            }
            assert_eq!(row.body.is_empty(), request_body(row.body).is_none(), "{}", row.path);
        }
    }
}
