//! `/api/clients`: the registrations; `/api/server/endpoint`: where the server listens.

use super::answer::{self, json};
use super::target::Endpoint;
use crate::error::ApiError;
use crate::json::registration::{ObjectListJson, RegistrationJson};
use crate::state::ApiState;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use lwm2m_coap::uri::Scheme;
use lwm2m_net::directory::MAX_PAGE;
use lwm2m_server::Registration;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;

/// The room that a page is begun with: a registration with ten links takes some 800 bytes.
const PAGE_CAPACITY: usize = MAX_PAGE * 1024;

/// All registrations, ordered by endpoint name.
///
/// The list of 100,000 devices is 80 MB of JSON, so it is written page by page while it is sent.
/// The whole server writes one page at a time, and other tasks have their turn between pages.
pub(crate) async fn list(State(state): State<ApiState>) -> Response {
    let mut list = List { state, after: After::Start, objects: None };
    let first = list.next_page().await.unwrap_or_default();
    if matches!(list.after, After::End) {
        return answer::stream(Body::from(first));
    }
    let rest = stream::unfold(list, async |mut list| Some((list.next_page().await?, list)));
    let pages = stream::iter([first]).chain(rest).map(Ok::<_, Infallible>);
    answer::stream(Body::from_stream(pages))
}

/// A list of all registrations that is being sent.
struct List {
    state: ApiState,
    after: After,
    /// The object list that was written last.
    objects: Option<ObjectListJson>,
}

/// How far a list has been written.
enum After {
    Start,
    Device(Arc<Registration>),
    End,
}

impl List {
    /// The next piece of the JSON array; `None` after its end.
    async fn next_page(&mut self) -> Option<Bytes> {
        let after = match &self.after {
            After::Start => None,
            After::Device(last) => Some(&*last.endpoint),
            After::End => return None,
        };
        let state = self.state.clone();
        let permit = state.begin_page().await;
        let page = state.server().directory().page(after);
        let text = self.write(&page);
        self.after = match page.last() {
            Some(last) if page.len() == MAX_PAGE => After::Device(Arc::clone(last)),
            _ => After::End,
        };
        drop(permit);
        tokio::task::yield_now().await;
        Some(text)
    }

    fn write(&mut self, page: &[Arc<Registration>]) -> Bytes {
        let mut text = Vec::with_capacity(PAGE_CAPACITY);
        let clock = self.state.server().clock();
        let mut separator = if matches!(self.after, After::Start) { b'[' } else { b',' };
        for registration in page {
            text.push(separator);
            if !self.objects.as_ref().is_some_and(|written| written.is_of(registration)) {
                self.objects = ObjectListJson::new(&registration.list);
            }
            let json = RegistrationJson::new(registration, clock);
            match &self.objects {
                Some(objects) => answer::write(&mut text, &json.sharing(objects)),
                None => answer::write(&mut text, &json),
            }
            separator = b',';
        }
        if separator == b'[' {
            text.push(b'[');
        }
        if page.len() < MAX_PAGE {
            text.push(b']');
        }
        text.into()
    }
}

/// One registration.
pub(crate) async fn one(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
) -> Result<Response, ApiError> {
    let device = state.device(&endpoint)?;
    Ok(json(&RegistrationJson::new(&device.registration, state.server().clock())))
}

/// The addresses that devices can register at.
pub(crate) async fn endpoints(State(state): State<ApiState>) -> Response {
    let endpoints = state.server().local().iter().map(|(scheme, address)| {
        let description = match scheme {
            Scheme::Coap => "CoAP over UDP without security",
            Scheme::Coaps => "CoAP over DTLS",
            Scheme::CoapTcp => "CoAP over TCP without security",
            Scheme::CoapsTcp => "CoAP over TLS",
        };
        let scheme = scheme.name();
        let uri = json!({
            "full": format!("{scheme}://{address}"),
            "scheme": scheme,
            "host": address.ip().to_string(),
            "port": address.port(),
        });
        json!({"uri": uri, "description": description})
    });
    json(&endpoints.collect::<Vec<_>>())
}
