//! A CoAP client over UDP and TCP, without LwM2M: for tools that ask any CoAP server.

use crate::driver::{Closed, Handle};
use crate::hosted::Sink;
use crate::uri::{Carrier, Remote};
use lwm2m_coap::{Code, Config, Error, Event, FailReason, Request, RequestId, Response};
use lwm2m_link::Link;
use lwm2m_time::Instant;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use tokio::sync::mpsc;

/// Answers that wait to be read; a slower reader misses notifications.
const ANSWERS: usize = 64;

/// What follows a request.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// The response. If it has the option Observe, notifications follow.
    Response(Response),
    /// A notification; one without Observe is the last.
    Notification(Response),
    /// There is none.
    Failed(FailReason),
}

/// Why a request was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoapError {
    /// The endpoint does not take it.
    #[error(transparent)]
    Refused(#[from] Error),
    /// The client talks to too many servers at a time.
    #[error("too many servers at a time")]
    TooManyPeers,
    /// The client has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
}

type Hosted = crate::hosted::Hosted<Link, Readers>;

#[derive(Default)]
struct Readers(HashMap<RequestId, mpsc::Sender<Answer>>);

impl Readers {
    fn pass(&mut self, link: &mut Link, id: RequestId, answer: Answer) {
        let last = match &answer {
            Answer::Response(response) | Answer::Notification(response) => {
                response.options.observe().is_none()
            }
            Answer::Failed(_) => true,
        };
        let Some(reader) = self.0.get(&id) else { return };
        let gone = matches!(reader.try_send(answer), Err(mpsc::error::TrySendError::Closed(_)));
        if last || gone {
            self.0.remove(&id);
            link.coap().cancel(id);
        }
    }
}

impl Sink<Link> for Readers {
    fn take(&mut self, now: Instant, link: &mut Link, event: Event) {
        match event {
            Event::Response { id, response, .. } => self.pass(link, id, Answer::Response(response)),
            Event::Notification { id, response, .. } => {
                self.pass(link, id, Answer::Notification(response));
            }
            Event::Failed { id, reason, .. } => self.pass(link, id, Answer::Failed(reason)),
            Event::Request { exchange, .. } => {
                // A client has no resources. A peer that is gone needs no answer.
                let _ = link.coap().respond(now, exchange, Response::new(Code::NOT_FOUND));
            }
            _ => {}
        }
    }
}

/// A CoAP client. The task behind it ends when the last clone is dropped.
#[derive(Clone)]
pub struct CoapClient(Handle<Hosted>);

impl std::fmt::Debug for CoapClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CoapClient").field(&self.0.local_addr()).finish()
    }
}

impl CoapClient {
    /// Binds a UDP socket.
    ///
    /// # Errors
    /// The socket cannot be bound.
    pub async fn bind(local: SocketAddr, config: Config, seed: [u8; 32]) -> io::Result<Self> {
        let hosted = Hosted::new(Link::new(config, seed), Readers::default());
        Handle::bind(local, hosted).await.map(Self)
    }

    /// Sends a request, over a connection that is opened if there is none yet, and gives the stream of its answers: one, or more if it observes. Dropping
    /// the stream ends the observation.
    ///
    /// # Errors
    /// See [`CoapError`].
    pub async fn request(
        &self,
        server: impl Into<Remote>,
        request: Request,
    ) -> Result<mpsc::Receiver<Answer>, CoapError> {
        let (reader, answers) = mpsc::channel(ANSWERS);
        let Remote { carrier, address } = server.into();
        let send = move |hosted: &mut Hosted, now| {
            let peer = match carrier {
                Carrier::Datagrams => hosted.engine.connect(address),
                Carrier::Connection => hosted.engine.open_connection(now, address),
            };
            let peer = peer.ok_or(CoapError::TooManyPeers)?;
            let id = hosted.engine.coap().request(now, peer, request)?;
            hosted.sink.0.insert(id, reader);
            Ok::<_, CoapError>(())
        };
        self.0.with(send).await??;
        Ok(answers)
    }
}
