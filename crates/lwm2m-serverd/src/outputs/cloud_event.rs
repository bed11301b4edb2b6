//! An event as a CloudEvent 1.0 in JSON.

use lwm2m_http::Untold;
use serde_json::{Value as Json, json};

/// Its media type.
pub(super) const MEDIA_TYPE: &str = "application/cloudevents+json; charset=utf-8";

/// The CloudEvent.
pub(super) fn body(event: &Untold) -> String {
    let data: Json = serde_json::from_slice(&event.json).unwrap_or_default();
    let mut cloud = json!({
        "specversion": "1.0",
        "id": event.number.to_string(),
        "source": "/api/events",
        "type": format!("lwm2m.{}", event.name.to_lowercase()),
        "datacontenttype": "application/json",
        "data": data,
    });
    if !event.endpoint.is_empty() {
        cloud["subject"] = event.endpoint.as_str().into();
    }
    cloud.to_string()
}
