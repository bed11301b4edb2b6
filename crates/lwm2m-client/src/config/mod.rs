//! The name of the device, and the servers that it registers with.

mod account;

pub(crate) use account::literal_address;
pub use account::{BootstrapAccount, Retry, ServerAccount};

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use lwm2m_coap as coap;
use lwm2m_core::{ContentFormat, Version};
use lwm2m_dtls as dtls;
use lwm2m_link::ConnectionConfig;
use lwm2m_objects::ObjectDefinition;
use rustls_pki_types::CertificateDer;

/// The configuration of a [`Client`](crate::Client).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The endpoint name, the query parameter `ep` of Register: 1 to 252 bytes.
    pub endpoint_name: String,
    /// The version that Register names first (OMA LwM2M Core 6.2.1). If a server refuses it with
    /// 4.12, the client tries the next lower one. Default: 1.1.
    pub version: Version,
    /// The parameters of CoAP. Default: those of the RFCs, with bounds that suit a device that
    /// talks to a few servers.
    pub coap: coap::Config,
    /// The servers to register with, each with its own short server id. Default: none.
    pub servers: Vec<ServerAccount>,
    /// The bootstrap server (OMA LwM2M Core 6.1). The client asks it for servers if it has none, or
    /// all have failed. Default: none.
    pub bootstrap: Option<BootstrapAccount>,
    /// Content formats that this client declines, though its version knows them. It answers
    /// requests in them with 4.15, and requests that accept only them with 4.06. It must not
    /// decline both SenML-ETCH formats in LwM2M 1.2, nor TLV in 1.0. Default: none.
    pub declined_formats: Vec<ContentFormat>,
    /// The parameters of DTLS and TLS: the library for P-256, timers, and `unix_time_of_origin`, by
    /// which certificates are checked where instants do not count from the beginning of Unix time.
    pub dtls: dtls::Config,
    /// The authorities that the device trusts in general, for certificate usages 0 and 1. Default:
    /// none.
    pub roots: Vec<CertificateDer<'static>>,
    /// The deadlines of connections (TCP). Default: the client pings a server that is silent for 10
    /// minutes, and makes another connection if it stays silent; a connection that ends has 5 s
    /// for what is pending.
    pub connections: ConnectionConfig,
    /// Definitions of objects that the OMA registry does not have. Default: none.
    pub definitions: Vec<ObjectDefinition>,
    /// Whether requests to a server whose URI has a name carry it as Uri-Host (RFC 7252 section 6.4).
    /// Some servers dislike it. Default: yes.
    pub uri_host: bool,
    /// How long the client listens in queue mode after each message that it has sent. Servers have to
    /// know of another time than the default: MAX_TRANSMIT_WAIT, 93 s (OMA LwM2M Core 6.5; RFC 7252
    /// section 4.8.2).
    pub awake_time: Duration,
    /// Whether there is a store for what has to survive a crash: the driver makes
    /// [`Output::Write`](lwm2m_link::Output::Write)s durable, and the client answers servers when that
    /// is done. After a restart, [`Client::restore`](crate::Client::restore) goes on from the records.
    /// Sessions of DTLS are kept if `dtls.durable_sessions` has a key. Has no effect without the feature
    /// `journal`, which is part of `std`. Default: no.
    pub is_kept: bool,
}

impl Config {
    /// A client of this name without servers.
    #[must_use]
    pub fn new(endpoint_name: impl Into<String>) -> Self {
        Self {
            endpoint_name: endpoint_name.into(),
            version: Version::V1_1,
            coap: device_coap(),
            connections: device_connections(),
            dtls: dtls::Config::default(),
            roots: Vec::new(),
            servers: Vec::new(),
            bootstrap: None,
            declined_formats: Vec::new(),
            definitions: Vec::new(),
            uri_host: true,
            awake_time: coap::Config::default().transmission.max_transmit_wait(),
            is_kept: false,
        }
    }

    /// Declines a content format, say one whose code shall not be in the program.
    #[must_use]
    pub fn decline(mut self, format: ContentFormat) -> Self {
        self.declined_formats.push(format);
        self
    }

    /// Sets [`Self::uri_host`].
    #[must_use]
    pub const fn uri_host(mut self, uri_host: bool) -> Self {
        self.uri_host = uri_host;
        self
    }

    /// Sets [`Self::awake_time`].
    #[must_use]
    pub const fn awake_time(mut self, time: Duration) -> Self {
        self.awake_time = time;
        self
    }

    /// Sets [`Self::is_kept`].
    #[must_use]
    pub const fn is_kept(mut self, is_kept: bool) -> Self {
        self.is_kept = is_kept;
        self
    }

    /// Sets the version of LwM2M to begin with.
    #[must_use]
    pub const fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// Adds a server to register with.
    #[must_use]
    pub fn server(mut self, account: ServerAccount) -> Self {
        self.servers.push(account);
        self
    }

    /// Sets the bootstrap server.
    #[must_use]
    pub fn bootstrap(mut self, account: BootstrapAccount) -> Self {
        self.bootstrap = Some(account);
        self
    }

    /// Adds the definition of an object that the OMA registry does not have.
    #[must_use]
    pub fn definition(mut self, definition: ObjectDefinition) -> Self {
        self.definitions.push(definition);
        self
    }
}

fn device_connections() -> ConnectionConfig {
    ConnectionConfig {
        max_connections: 16,
        keep_alive: Some(Duration::from_secs(600)),
        release: Duration::from_secs(5),
        ..ConnectionConfig::default()
    }
}

/// The defaults of the RFCs, with bounds for a device that talks to a few servers.
fn device_coap() -> coap::Config {
    coap::Config::default()
        .max_body(64 << 10)
        .max_peers(16)
        .max_pending_per_peer(8)
        .max_exchanges(32)
        .max_exchanges_per_peer(16)
        .max_duplicates(256)
        .max_duplicates_per_peer(64)
        .max_reply_bytes(256 << 10)
        .max_observers(256)
        .max_observers_per_peer(128)
        .max_assembly_total(256 << 10)
        .max_assemblies_per_peer(2)
        .max_cached_total(256 << 10)
}
