//! What an operator can choose about a server.

use lwm2m_core::Version;
use lwm2m_credentials::SecurityStore;
use lwm2m_link::ConnectionConfig;
use lwm2m_objects::Registry;
use std::sync::Arc;
use std::time::Duration;

/// The configuration of a [`Server`](crate::Server). Every value that begins with `max` bounds
/// memory.
///
/// A device may register with the lifetime 0, which never ends: over plain CoAP anyone can fill the
/// table with such registrations. They count against the bounds as all others do, and stay until
/// they are de-registered or replaced.
#[derive(Clone, Debug)]
pub struct Config {
    /// The parameters of CoAP. `coap.max_peers` should exceed [`Config::max_registrations`],
    /// because each registered device counts as a peer.
    pub coap: lwm2m_coap::Config,
    /// The deadlines of connections (TCP) and their number.
    pub connections: ConnectionConfig,
    /// Who may speak for which endpoint. The default knows no credentials, so that all endpoints
    /// may use plain CoAP.
    pub security: Arc<SecurityStore>,
    /// The settings of DTLS; with none, plain CoAP only. Its credentials are those of
    /// [`Config::security`], whatever stands here.
    pub dtls: Option<lwm2m_dtls::Config>,
    /// How many sessions an identity may have at a time; 4. The oldest ends when it begins one more:
    /// a client that restarts does not end its old ones.
    pub max_sessions_per_identity: usize,
    /// The object definitions by which payloads are decoded and operations checked.
    pub registry: Arc<Registry>,
    /// The LwM2M versions that are accepted; all of 1.0, 1.1 and 1.2. Others are answered 4.12.
    pub versions: Vec<Version>,
    /// The lifetime of a LwM2M 1.0 client that names none; 86,400 s.
    pub default_lifetime: Duration,
    /// The number of registrations; 1,000,000. More are answered 5.03.
    pub max_registrations: usize,
    /// Bytes of memory that all devices take together, by estimate; devices with equal object lists
    /// count it once. A Register or Update that would exceed it is answered 5.03, unless it makes
    /// nothing larger. Default: 1 GiB, room for 1,500,000 plain devices of one kind.
    pub max_registration_bytes: usize,
    /// The length of an endpoint name in bytes; 252, as much as a CoAP option has room for.
    pub max_endpoint_name: usize,
    /// The bytes of all query parameters of a Register or Update together; 1,024.
    pub max_query: usize,
    /// The bytes of an object list; 65,536. Longer ones are answered 4.13.
    pub max_object_list: usize,
    /// The links of an object list; 1,000. Longer lists are answered 4.13, as any body that is
    /// larger than the server is willing to process (RFC 7252, 5.9.2.9).
    pub max_links: usize,
    /// The number of observations of one device; 1,024.
    pub max_observations: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            coap: lwm2m_coap::Config::default(),
            connections: ConnectionConfig::default(),
            security: Arc::default(),
            dtls: None,
            max_sessions_per_identity: 4,
            registry: Arc::new(Registry::builtin().clone()),
            versions: vec![Version::V1_0, Version::V1_1, Version::V1_2],
            default_lifetime: Duration::from_secs(86_400),
            max_registrations: 1_000_000,
            max_registration_bytes: 1 << 30,
            max_endpoint_name: 252,
            max_query: 1_024,
            max_object_list: 1 << 16,
            max_links: 1_000,
            max_observations: 1_024,
        }
    }
}
