//! A CoAP server without LwM2M: requests in, responses out, over UDP and TCP; one, or several that
//! share the UDP ports.

use crate::driver::{Addresses, Closed, Handle, ShardHandle, Sockets};
use lwm2m_coap::{Config, Endpoint, Event};
use lwm2m_dtls::{Reason, RoutingCids};
use lwm2m_link::{
    ConnectionConfig, Engine, Input, Link, LinkEvent, Output, Outputs, SecurityEvent,
};
use lwm2m_time::Instant;
use std::io;

/// What answers the requests of a CoAP server.
pub trait Service: Send + 'static {
    /// Takes an event in. A request is answered by [`Endpoint::respond`], now or later.
    fn handle_event(&mut self, now: Instant, coap: &mut Endpoint, event: Event);

    /// The time that [`Service::poll_timeout`] named has come; calling it earlier does nothing.
    fn handle_timeout(&mut self, now: Instant, coap: &mut Endpoint);

    /// When [`Service::handle_timeout`] wants to be called.
    fn poll_timeout(&self) -> Option<Instant>;
}

struct CoapService<S> {
    link: Link,
    service: S,
    outputs: Outputs<()>,
    /// The length of the Connection IDs of this server.
    cid_length: u8,
    shards: Shards<S>,
}

/// The servers that share the ports, and which of them this one is.
struct Shards<S> {
    own: usize,
    all: Vec<ShardHandle<CoapService<S>>>,
}

impl<S> CoapService<S> {
    /// The shard that a datagram of DTLS is for, if it is another one: the kernel has chosen by the
    /// address, but the session stays where it was made when its device gets a new one.
    fn other_shard(&self, datagram: &[u8]) -> Option<&ShardHandle<Self>> {
        let route = RoutingCids::cid_route(datagram, self.cid_length)?;
        let shard = usize::from(route.shard);
        self.shards.all.get(shard).filter(|_| shard != self.shards.own)
    }
}

impl<S: Service> CoapService<S> {
    fn handle_here(&mut self, now: Instant, input: Input<'_>) {
        self.link.handle(now, input);
        if matches!(input, Input::Timeout) {
            self.service.handle_timeout(now, &mut self.link.coap());
        }
        while let Some(event) = self.outputs.take_from(&mut self.link) {
            match event {
                LinkEvent::Coap(event) => {
                    self.service.handle_event(now, &mut self.link.coap(), event);
                }
                LinkEvent::Security(SecurityEvent::Failed(failure)) => match failure.reason {
                    Reason::IgnoredHellos { .. } => tracing::debug!("{failure}"),
                    _ => tracing::warn!("{failure}"),
                },
                LinkEvent::Security(_) | LinkEvent::Unanswered { .. } => {}
            }
        }
    }
}

impl<S: Service> Engine for CoapService<S> {
    type Event = ();

    fn handle(&mut self, now: Instant, input: Input<'_>) {
        if let Input::Datagram { from, secured: true, bytes } = input
            && let Some(shard) = self.other_shard(bytes)
        {
            let bytes = bytes.to_vec();
            return shard.try_post(move |service, now| {
                service.handle_here(now, Input::secured_datagram(from, &bytes));
            });
        }
        self.handle_here(now, input);
    }

    fn poll(&mut self) -> Option<Output<()>> {
        self.outputs.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.link.poll_timeout().into_iter().chain(self.service.poll_timeout()).min()
    }
}

/// The bounds and deadlines of a [`CoapServer`].
#[derive(Debug, Clone, Default)]
pub struct ServiceConfig {
    /// The parameters of CoAP.
    pub coap: Config,
    /// The parameters of connections.
    pub connections: ConnectionConfig,
    /// How the ports for coaps and coaps+tcp speak DTLS and TLS, if they do.
    pub security: Option<lwm2m_dtls::Config>,
}

/// A running CoAP server; it ends when the last clone is dropped.
pub struct CoapServer<S>(Handle<CoapService<S>>);

impl<S> Clone for CoapServer<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> std::fmt::Debug for CoapServer<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CoapServer").finish_non_exhaustive()
    }
}

impl<S: Service> CoapServer<S> {
    /// Binds sockets and serves on them. `seed` must be unpredictable outside of tests.
    ///
    /// # Errors
    /// A socket cannot be bound, for example because the port is in use.
    pub async fn bind(
        sockets: impl Into<Sockets>,
        config: ServiceConfig,
        seed: [u8; 32],
        service: S,
    ) -> io::Result<Self> {
        let mut link = Link::new(config.coap, seed);
        link.set_connection_config(config.connections);
        let ids = config.security.as_ref().and_then(|security| security.connection_ids.as_ref());
        let cid_length = ids.and_then(|ids| u8::try_from(ids.length()).ok()).unwrap_or_default();
        config.security.into_iter().for_each(|security| link.set_security(security));
        let shards = Shards { own: 0, all: Vec::new() };
        let serving =
            CoapService { link, service, outputs: Outputs::default(), cid_length, shards };
        Handle::bind(sockets, serving).await.map(Self)
    }

    /// Tells servers that share their ports ([`Sockets::share_port`]) of each other. A datagram of
    /// DTLS is then handed to the one that its Connection ID names: each needs [`RoutingCids`] with
    /// its place in `servers` as the shard. At most 256 datagrams wait at each.
    ///
    /// # Errors
    /// [`Closed`] if a server has ended.
    pub async fn share(servers: &[Self]) -> Result<(), Closed> {
        for (own, server) in servers.iter().enumerate() {
            let all = servers.iter().map(|server| server.0.shard()).collect();
            server.0.with(move |serving, _| serving.shards = Shards { own, all }).await?;
        }
        Ok(())
    }

    /// The addresses that were bound.
    #[must_use]
    pub const fn local(&self) -> &Addresses {
        self.0.local()
    }

    /// How many peers are known: those on a connection, and those whose datagrams are remembered.
    ///
    /// # Errors
    /// [`Closed`] if the server has ended.
    pub async fn peer_count(&self) -> Result<usize, Closed> {
        self.0.with(|serving, _| serving.link.peer_count()).await
    }
}
