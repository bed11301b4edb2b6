//! Events to a stream of NATS JetStream, which acknowledges each.

use super::address::{Address, LogIn};
use super::refusal::Refusal;
use super::topic::Topic;
use super::{PATIENCE, cloud_event};
use async_nats::{Client, ConnectOptions, HeaderMap, Request, RequestErrorKind};
use lwm2m_app::{Failure, https};
use lwm2m_http::Untold;
use serde::Deserialize;
use std::fmt;
use std::path::{Path, PathBuf};
use tokio::time::timeout;

/// A server.
pub(crate) struct Nats {
    address: Address,
    topic: Topic,
    login: Option<LogIn>,
    ca: Option<PathBuf>,
    client: Option<Client>,
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").finish_non_exhaustive()
    }
}

/// What a stream answers: where the event is, or why it is not there.
#[derive(Deserialize)]
struct Acknowledgement {
    stream: Option<String>,
    error: Option<StreamError>,
}

#[derive(Deserialize)]
struct StreamError {
    code: u16,
    #[serde(default)]
    description: String,
}

impl Nats {
    /// The server at an address.
    ///
    /// # Errors
    /// The files cannot be used.
    pub(super) fn new(
        address: Address,
        topic: Topic,
        secret: Option<&Path>,
        ca: Option<&Path>,
    ) -> Result<Self, Failure> {
        let login = secret.map(LogIn::read).transpose()?;
        if address.is_secure {
            // A mistake is told at the start.
            https::client(ca)?;
        }
        Ok(Self { address, topic, login, ca: ca.map(Path::to_owned), client: None })
    }

    async fn connect(&self) -> Result<Client, Refusal> {
        // A connection that is lost is not used again: what waits in it could come late.
        let mut options = ConnectOptions::new()
            .name("lwm2m-serverd")
            .connection_timeout(PATIENCE)
            .request_timeout(Some(PATIENCE))
            .max_reconnects(1)
            .ignore_discovered_servers();
        if let Some(LogIn { user, password }) = &self.login {
            options = options.user_and_password(user.clone(), password.to_string());
        }
        let Address { host, port, is_secure } = &self.address;
        if *is_secure {
            let tls = https::client(self.ca.as_deref()).map_err(Refusal::passing)?;
            options = options.require_tls(true).tls_client_config(tls);
        }
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let scheme = if *is_secure { "tls" } else { "nats" };
        let connected =
            timeout(PATIENCE, options.connect(format!("{scheme}://{bracketed}:{port}")));
        let late = |_| Refusal::passing("the server does not answer within 10 s");
        connected.await.map_err(late)?.map_err(Refusal::passing)
    }

    /// Publishes an event, and waits until it is in a stream.
    pub(super) async fn tell(&mut self, event: &Untold) -> Result<(), Refusal> {
        let client = match self.client.take() {
            Some(client) => client,
            None => self.connect().await?,
        };
        let told = publish(&client, self.topic.of(event), cloud_event::body(event)).await;
        if told.as_ref().err().is_none_or(|it| it.tries.is_some()) {
            self.client = Some(client);
        }
        told
    }
}

async fn publish(client: &Client, subject: String, body: String) -> Result<(), Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert("Content-Type", cloud_event::MEDIA_TYPE);
    let request = Request::new().headers(headers).payload(body.into());
    let answer = client.send_request(subject.clone(), request).await;
    let answer = answer.map_err(|error| match error.kind() {
        RequestErrorKind::NoResponders => {
            Refusal::passing(format!("no stream of the server has the subject {subject}; make one"))
        }
        RequestErrorKind::MaxPayloadExceeded | RequestErrorKind::InvalidSubject => {
            Refusal::for_good(error)
        }
        RequestErrorKind::TimedOut => Refusal::passing(
            "no stream acknowledges the event within 10 s; may the user publish there?",
        ),
        _ => Refusal::passing(error),
    })?;
    match serde_json::from_slice(&answer.payload) {
        Ok(Acknowledgement { error: Some(StreamError { code, description }), .. }) => {
            let text = format!("the stream answers {code}: {description}");
            // It is full, or has no leader at present.
            Err(if code == 503 { Refusal::passing(text) } else { Refusal::fault(text) })
        }
        Ok(Acknowledgement { stream: Some(_), .. }) => Ok(()),
        _ => Err(Refusal::fault(format!("who answers to {subject} is no stream"))),
    }
}
