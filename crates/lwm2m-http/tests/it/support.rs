//! A server with its API, and requests to it.

use crate::device::{Device, Script};
use axum::Router;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use lwm2m_http::{ApiConfig, ApiState, router};
use lwm2m_net::{Handle, ServerHandle, Sockets, bind_server};
use lwm2m_server::{Config, Server};
use serde_json::Value as Json;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tower::ServiceExt;

pub(crate) const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(crate) struct Bench {
    pub(crate) server: ServerHandle,
    pub(crate) api: Router,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.body))
    }

    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with_config(ApiConfig::default()).await
    }

    pub(crate) async fn with_config(config: ApiConfig) -> Self {
        let sockets = Sockets { dtls: Some(LOOPBACK), ..Sockets::from(LOOPBACK) };
        Self::on(sockets, config).await
    }

    pub(crate) async fn on(sockets: Sockets, config: ApiConfig) -> Self {
        Self::of(Server::new(Config::default(), [1; 32]), sockets, config).await
    }

    /// A bench with this engine.
    pub(crate) async fn of(server: Server, sockets: Sockets, config: ApiConfig) -> Self {
        let config = config.with_hosts(["lwm2m.test".to_owned()]);
        let server = bind_server(sockets, server, None).await.expect("a socket");
        let api = router(ApiState::with_config(server.clone(), config));
        Self { server, api }
    }

    /// A device that has registered as `endpoint`.
    pub(crate) async fn device(&self, endpoint: &'static str, script: Script) -> Handle<Device> {
        let device = Device::new(self.server.local().udp.expect("a socket"), script);
        let device = Handle::bind(LOOPBACK, device).await.expect("a socket");
        let registered = device.with(move |device, now| device.register(now, endpoint)).await;
        within(registered.expect("a device")).await.expect("an answer to Register");
        device
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send("GET", uri, None, "").await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        uri: &str,
        content_type: Option<&str>,
        body: impl Into<Body>,
    ) -> Answer {
        let request = Request::builder().method(method).uri(uri).header(header::HOST, "lwm2m.test");
        let request = match content_type {
            Some(content_type) => request.header(header::CONTENT_TYPE, content_type),
            None => request,
        };
        self.call(request.body(body.into()).expect("a request")).await
    }

    pub(crate) async fn json(&self, method: &str, uri: &str, body: &Json) -> Answer {
        self.send(method, uri, Some("application/json"), body.to_string()).await
    }

    /// The body of an answer, to be read piece by piece.
    pub(crate) async fn call_unread(&self, request: Request<Body>) -> BodyDataStream {
        let response = within(self.api.clone().oneshot(request)).await.expect("a response");
        assert_eq!(response.status(), StatusCode::OK);
        response.into_body().into_data_stream()
    }

    pub(crate) async fn call(&self, request: Request<Body>) -> Answer {
        let response = self.api.clone().oneshot(request);
        let (parts, body) = within(response).await.expect("a response").into_parts();
        let body = within(axum::body::to_bytes(body, 1 << 24)).await.expect("a body");
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

/// What the device was asked since the last time.
pub(crate) async fn asked(device: &Handle<Device>) -> Vec<String> {
    device.with(|device, _| std::mem::take(&mut device.asked)).await.expect("a device")
}

/// Waits, but not for ever.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it took too long")
}
