//! Parameters, bodies and schemas.

use serde_json::{Value as Json, json};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{ComponentsBuilder, ContentBuilder, RefOr, Required, Schema};

/// Name, schema, description. A name with another meaning elsewhere has that before an underscore.
fn known(name: &str) -> Option<(Json, &'static str)> {
    let number =
        |least: u64, most: u64| json!({"type": "integer", "minimum": least, "maximum": most});
    let text = || json!({"type": "string"});
    let flag = || json!({"type": "boolean"});
    let one_of = |words: &[&str]| json!({"type": "string", "enum": words});
    Some(match name {
        "limit" => (number(1, 1_000), "The most entries"),
        "after" => (text(), "The endpoint name, or what `Link` has, after which the page begins"),
        "prefix" => (text(), "What the endpoint names begin with"),
        "q" => (text(), "What the endpoint names contain"),
        "state" => (one_of(&["listening", "awake", "asleep"]), "Whether the devices sleep"),
        "object" => (
            json!({"type": "string", "pattern": "^[0-9]{1,4}(/[0-9]{1,4})?$"}),
            "An object that the devices have",
        ),
        "binding" => (text(), "Letters of the binding mode"),
        "secure" => (flag(), "Whether by DTLS or TLS"),
        "sort" => (
            one_of(&["endpoint", "-endpoint", "registered", "-registered", "updated", "-updated"]),
            "The order",
        ),
        "fields" => (text(), "The members, with commas between them"),
        "format" | "pathformat" | "nodeformat" => (
            one_of(&[
                "TLV",
                "SENML_JSON",
                "SENML_CBOR",
                "LWM2M_CBOR",
                "JSON",
                "TEXT",
                "OPAQUE",
                "CBOR",
            ]),
            "The format of the payload",
        ),
        "timeout" => (number(1, 300), "How many seconds the device may take"),
        "ttl" => (number(1, 31_536_000), "How many seconds a command may wait"),
        "priority" => (number(0, 255), "Higher ones go first"),
        "coalesce" => (flag(), "A later write takes the place of this one"),
        "repeat" => (flag(), "The device may get it twice"),
        "replace" => (flag(), "Whether a Write replaces all, or keeps the rest"),
        "cached" => (flag(), "What the server keeps; the device is not asked"),
        "history" => (flag(), "The numbers that a resource had"),
        "since" => (
            number(0, 1 << 53),
            "After this time in milliseconds since 1970, or the number of an event",
        ),
        "paths" => (
            json!({"type": "string", "examples": ["/3/0/0,/1/0/1"]}),
            "Paths with commas between them",
        ),
        "pmin" | "pmax" => (number(0, 1_000_000), "Seconds between notifications"),
        "active" => (flag(), "Tell the device, too"),
        "ep" => (text(), "An endpoint name"),
        "kind" => (text(), "Names of events with commas between them"),
        "path" => (text(), "What the events are about"),
        "command_state" => (text(), "States with commas between them"),
        "bulk" => (number(0, 1 << 53), "The number of a bulk operation"),
        "from" => (number(0, 1 << 53), "The smallest number"),
        "before" => (number(0, 1 << 53), "Before the entry with this number"),
        "version" => {
            (json!({"type": "string", "pattern": "^[0-9]\\.[0-9]$"}), "The version of an object")
        }
        "message_after" => (number(0, 1 << 53), "After the message with this number"),
        "raw" => (flag(), "With the bytes of messages, secrets included; admins alone"),
        "reveal" => (flag(), "With keys; admins alone"),
        _ => return None,
    })
}

#[cfg(test)]
pub(super) fn is_known(name: &str) -> bool {
    known(name).is_some()
}

/// A query parameter.
pub(super) fn parameter(name: &str) -> Parameter {
    let (schema, description) = known(name).unwrap_or_default();
    let name = name.rsplit('_').next().unwrap_or_default();
    let required = if name == "paths" { Required::True } else { Required::False };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(required)
        .description(Some(description))
        .schema(Some(schema_of(schema)))
        .build()
}

/// The parameters of a path.
pub(super) fn path_parameters(path: &str) -> impl Iterator<Item = Parameter> {
    path.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| {
        let (example, description) = match name {
            "ep" => ("device-1", "The endpoint name of a device"),
            "path" => {
                ("3/0/9", "A path on the device: /object/instance/resource/resource instance")
            }
            "name" => ("anna", "The name of a user or an output"),
            _ => ("3", "A number"),
        };
        let schema = json!({"type": "string", "minLength": 1, "examples": [example]});
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(description))
            .schema(Some(schema_of(schema)))
            .build()
    })
}

/// The body of a request; `None` for an empty name.
pub(super) fn request_body(name: &str) -> Option<RequestBody> {
    let content = |schema| ContentBuilder::new().schema(Some(schema)).build();
    let text = || RefOr::from(ObjectBuilder::new().schema_type(Type::String).build());
    let any = || RefOr::T(utoipa::openapi::schema::empty());
    let body = RequestBodyBuilder::new().required(Some(Required::True));
    Some(match name {
        "" => return None,
        "Xml" => body.content("application/xml", content(text())).build(),
        "Any" => {
            let body = body.required(Some(Required::False));
            body.content("application/json", content(any()))
                .content("text/plain", content(text()))
                .build()
        }
        "Node" => {
            let body = body.content("application/json", content(any()));
            body.content("text/plain", content(text())).build()
        }
        name => {
            let reference = utoipa::openapi::Ref::from_schema_name(name);
            body.content("application/json", content(reference.into())).build()
        }
    })
}

/// The schemas that have names.
pub(super) fn schemas(components: ComponentsBuilder) -> ComponentsBuilder {
    let text = || json!({"type": "string"});
    let scope = || json!({"type": "string", "enum": ["viewer", "operator", "admin"]});
    let object = |properties: Json, required: &[&str]| json!({"type": "object", "properties": properties, "required": required});
    let words = json!({"type": "string", "enum": ["read", "discover", "write", "execute", "create", "delete"]});
    let all = [
        (
            "Problem",
            object(
                json!({"type": text(), "title": text(), "status": {"type": "integer"}, "detail": text(), "instance": text()}),
                &["type", "title", "status", "detail"],
            ),
        ),
        ("Changes", json!({"type": "object", "description": "Paths and their nodes"})),
        (
            "Order",
            object(
                json!({"operation": words, "path": text(), "content": {"type": "object"}, "arguments": text()}),
                &["operation", "path"],
            ),
        ),
        ("LogIn", object(json!({"user": text(), "password": text(), "token": text()}), &[])),
        (
            "NewToken",
            object(
                json!({"name": text(), "scope": scope(), "prefix": text(), "expires_in": {"type": "integer"}}),
                &["name", "scope"],
            ),
        ),
        (
            "NewUser",
            object(
                json!({"scope": scope(), "prefix": text(), "password": {"type": "string", "minLength": 12}}),
                &["scope", "password"],
            ),
        ),
        (
            "Bootstrap",
            json!({
                "type": "object",
                "properties": {
                    "toDelete": {"type": "array", "items": text()},
                    "security": {"type": "object"},
                    "servers": {"type": "object"},
                    "acls": {"type": "object"},
                    "oscore": {"type": "object"},
                },
            }),
        ),
        (
            "NewDevice",
            object(
                json!({
                    "endpoint": text(),
                    "factory": {"type": ["object", "null"]},
                    "host": text(),
                    "lifetime": {"type": "integer"},
                    "shortId": {"type": "integer"},
                }),
                &["endpoint"],
            ),
        ),
        (
            "Credential",
            object(json!({"endpoint": text(), "tls": {"type": "object"}}), &["endpoint"]),
        ),
    ];
    all.into_iter()
        .fold(components, |components, (name, schema)| components.schema(name, schema_of(schema)))
}

/// A schema of JSON.
fn schema_of(schema: Json) -> RefOr<Schema> {
    // All of them stand here, and are schemas.
    serde_json::from_value(schema).unwrap_or_else(|_| {
        RefOr::from(ObjectBuilder::new().schema_type(SchemaType::AnyValue).build())
    })
}
