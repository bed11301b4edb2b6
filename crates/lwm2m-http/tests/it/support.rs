//! A server with its API, and requests to it.

use crate::device::{Device, Script};
use axum::Router;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use lwm2m_credentials::{OwnCredentials, SecurityStore};
use lwm2m_dtls::CertifiedKey;
use lwm2m_dtls::crypto::{Provider, RustCrypto};
use lwm2m_http::{ApiConfig, ApiState, router};
use lwm2m_net::{Handle, ServerHandle, Sockets, bind_server};
use lwm2m_server::{Config, Event, Server};
use lwm2m_store::{Pace, Store, Writer};
use serde_json::Value as Json;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
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

/// A certificate of a server that trusts itself, and a key for raw public keys.
pub(crate) fn own_keys() -> OwnCredentials {
    let made =
        rcgen::generate_simple_self_signed(["lwm2m.test".to_owned()]).expect("a certificate");
    let key = RustCrypto.signing_key(&made.signing_key.serialize_der()).expect("a key");
    let chain = vec![made.cert.der().clone()];
    let certified = CertifiedKey { chain: chain.clone(), key: Arc::clone(&key) };
    OwnCredentials::default().raw_key(key).certificate(Arc::new(certified)).authorities(chain)
}

/// The public key of a device, as the dialect writes it.
pub(crate) fn public_key() -> String {
    let spki = lwm2m_dtls::certificate::subject_public_key_info(&[4; 65]);
    spki.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Bench {
    /// A bench whose server has keys of its own, for all modes.
    pub(crate) async fn with_own_keys() -> Self {
        let config = Config::default().security(Arc::new(SecurityStore::new(own_keys())));
        let sockets = Sockets { dtls: Some(LOOPBACK), ..Sockets::from(LOOPBACK) };
        Self::of(Server::new(config, [1; 32]), sockets, ApiConfig::default()).await
    }

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
        Self::with_writer(server, sockets, config, None).await
    }

    /// A bench that keeps what it has to in this store.
    pub(crate) async fn kept(store: impl Store) -> Self {
        Self::keeping(Config::default(), ApiConfig::default(), store).await
    }

    /// A bench with these settings that keeps what it has to in this store.
    pub(crate) async fn keeping(engine: Config, config: ApiConfig, store: impl Store) -> Self {
        let pace = Pace { gather: Duration::from_secs(3_600), retry: Duration::from_millis(1) };
        let writer = Writer::start(store, pace).expect("a thread");
        let server = Server::new(engine.is_kept(true), [1; 32]);
        Self::with_writer(server, Sockets::from(LOOPBACK), config, Some(writer)).await
    }

    async fn with_writer(
        server: Server,
        sockets: Sockets,
        config: ApiConfig,
        writer: Option<Writer>,
    ) -> Self {
        let config = config.with_hosts(["lwm2m.test".to_owned()]);
        let server = bind_server(sockets, server, writer).await.expect("a socket");
        let api = router(ApiState::with_config(server.clone(), config));
        Self { server, api }
    }

    /// A device that has registered as `endpoint`.
    pub(crate) async fn device(&self, endpoint: &'static str, script: Script) -> Handle<Device> {
        self.device_as(endpoint, "", script).await
    }

    /// A device in queue mode that has registered as `endpoint`, and is awake.
    pub(crate) async fn sleeper(&self, endpoint: &'static str, script: Script) -> Handle<Device> {
        self.device_as(endpoint, "Q", script).await
    }

    /// A device that has registered as `endpoint` with one more parameter.
    pub(crate) async fn device_as(
        &self,
        endpoint: &'static str,
        parameter: &'static str,
        script: Script,
    ) -> Handle<Device> {
        let address = self.server.local().udp.expect("a socket");
        let device = Device::new(address, endpoint, parameter, script);
        let device = Handle::bind(LOOPBACK, device).await.expect("a socket");
        register(&device).await;
        device
    }

    /// Makes a device in queue mode fall asleep now.
    pub(crate) async fn lull(&self, endpoint: &'static str) {
        let mut events = self.server.subscribe();
        let awake = Some(Duration::ZERO);
        let set = self.server.with(move |server, _| server.set_awake_time(endpoint, awake)).await;
        assert_eq!(set, Ok(true));
        while !matches!(&*within(events.recv()).await.expect("an event"), Event::Asleep(_)) {}
    }

    /// Wakes a device that sleeps, by its Update.
    pub(crate) async fn wake(&self, device: &Handle<Device>, endpoint: &'static str) {
        let mut events = self.server.subscribe();
        let set = self.server.with(move |server, _| server.set_awake_time(endpoint, None)).await;
        assert_eq!(set, Ok(true));
        device.with(|device, now| device.update(now, "lt=60")).await.expect("a device");
        while !matches!(&*within(events.recv()).await.expect("an event"), Event::Awake(_)) {}
    }

    /// A request with these header fields.
    pub(crate) async fn send_with(
        &self,
        method: &str,
        uri: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let request = Request::builder().method(method).uri(uri).header(header::HOST, "lwm2m.test");
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let add = |request: axum::http::request::Builder, (name, value): &(&str, &str)| {
            request.header(*name, *value)
        };
        let request = fields.iter().fold(request, add);
        self.call(request.body(body.to_owned().into()).expect("a request")).await
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

/// Registers a device, once more if it is.
pub(crate) async fn register(device: &Handle<Device>) {
    let registered = device.with(|device, now| device.register(now)).await;
    within(registered.expect("a device")).await.expect("an answer to Register");
}

/// What the device was asked since the last time.
pub(crate) async fn asked(device: &Handle<Device>) -> Vec<String> {
    device.with(|device, _| std::mem::take(&mut device.asked)).await.expect("a device")
}

/// Waits until the device was asked something.
pub(crate) async fn next_asked(device: &Handle<Device>) -> Vec<String> {
    let asking = async {
        loop {
            let asked = asked(device).await;
            if !asked.is_empty() {
                return asked;
            }
        }
    };
    within(asking).await
}

/// Waits, but not for ever.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it took too long")
}
