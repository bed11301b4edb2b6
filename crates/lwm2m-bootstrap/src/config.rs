//! What an operator can choose about a bootstrap server.

use bytes::Bytes;
use lwm2m_core::{Node, ObjectInstance, Path, Resource, Value};
use lwm2m_credentials::SecurityStore;
use lwm2m_link::ConnectionConfig;
use lwm2m_objects::Registry;
use std::fmt;
use std::sync::Arc;

/// The configuration of a [`BootstrapServer`](crate::BootstrapServer).
#[derive(Clone, Debug)]
pub struct Config {
    /// The parameters of CoAP.
    pub coap: lwm2m_coap::Config,
    /// The deadlines of connections (coap+tcp and coaps+tcp), and their number.
    pub connections: ConnectionConfig,
    /// The credentials of the endpoints. Default: none, so that all endpoints may use plain CoAP.
    pub security: Arc<SecurityStore>,
    /// The settings of DTLS and TLS. The credentials in it are replaced by those of
    /// [`Config::security`]. Default: `None`, plain CoAP only.
    pub dtls: Option<lwm2m_dtls::Config>,
    /// The most sessions of an identity at a time. The oldest ends when a new one begins, because a
    /// client that restarts does not end its old sessions. Default: 4.
    pub max_sessions_per_identity: usize,
    /// The object definitions by which answers to Bootstrap-Read are decoded.
    pub registry: Arc<Registry>,
    /// The answer to Bootstrap-Pack-Request. Default: [`Packs::Offered`].
    pub packs: Packs,
    /// The authority that issues certificates to devices (EST over CoAP, RFC 9148). Default: none.
    pub authority: Option<Arc<dyn Authority>>,
    /// The most devices that are bootstrapped at a time; others get 5.03. Default: 10,000.
    pub max_sessions: usize,
    /// The values in an answer to Bootstrap-Read, or the links and their parameters together in one to
    /// Bootstrap-Discover; with more the bootstrap fails. Default: 10,000.
    pub max_values: usize,
    /// Whether keys are given only to devices that have proven who they are. Without it, plain CoAP
    /// gives them to anybody who knows the name of a device without credentials. Default: no.
    pub keys_need_proof: bool,
}

/// An authority that issues certificates to devices.
pub trait Authority: Send + Sync + fmt::Debug {
    /// Its own certificate, DER.
    fn certificate(&self) -> Bytes;

    /// A certificate (DER) for the key in a request (PKCS #10, DER), in the name of the endpoint,
    /// whatever the request says: the device has proven that it speaks for it. It should be for the
    /// authentication of clients only, or an endpoint that is called like a server can pass for
    /// it. `None` if the request cannot be read, or is not signed by its key.
    fn issue(&self, endpoint: &str, request: &[u8]) -> Option<Bytes>;
}

/// What Bootstrap-Pack-Request (since LwM2M 1.2) is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packs {
    /// The values of all [`Command::Write`]s.
    Offered,
    /// 4.05: the server could, but does not want to.
    Refused,
    /// 5.01: the server cannot.
    Unsupported,
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
            packs: Packs::Offered,
            authority: None,
            max_sessions: 10_000,
            max_values: 10_000,
            keys_need_proof: false,
        }
    }
}

/// A step of a bootstrap. Paths are never below an alternate path. `Debug` does not tell what is
/// written: among it are keys.
#[derive(Clone, PartialEq)]
pub enum Command {
    /// Bootstrap-Discover of `/` or an object.
    Discover(Path),
    /// Bootstrap-Discover of `/0`, by which the writes of whole instances below it that follow go around the
    /// account that the device has of this bootstrap server: of two with one number, that of the write is
    /// changed. If the device refuses to tell, the numbers stay.
    KeepBootstrapAccount,
    /// Bootstrap-Read (since LwM2M 1.1) of `/1`, `/2` or one of their instances.
    Read(Path),
    /// Bootstrap-Delete of `/`, an object or an instance.
    Delete(Path),
    /// Bootstrap-Write of an object, an instance or a resource with what lives there.
    Write(Path, Node),
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Discover(_) => "Discover",
            Self::KeepBootstrapAccount => "KeepBootstrapAccount",
            Self::Read(_) => "Read",
            Self::Delete(_) => "Delete",
            Self::Write(..) => "Write",
        };
        f.debug_tuple(name).field(self.path()).finish()
    }
}

impl Command {
    /// Whether it writes a key: /0/x/5, /0/x/8 or /21/x/0 with a value.
    pub(crate) fn has_key(&self) -> bool {
        const KEYS: [(u16, u16); 3] = [(0, 5), (0, 8), (21, 0)];
        let Self::Write(path, node) = self else { return false };
        let is_key = |object: u16, id: u16, resource: &Resource| {
            KEYS.contains(&(object, id))
                && *resource != Resource::Single(Value::Opaque(Bytes::new()))
        };
        let instance = |object, node: &ObjectInstance| {
            node.resources.iter().any(|(id, resource)| is_key(object, *id, resource))
        };
        match (path.ids(), node) {
            (_, Node::Root(root)) => root
                .iter()
                .any(|(object, node)| node.instances.values().any(|node| instance(*object, node))),
            ([object, ..], Node::Object(node)) => {
                node.instances.values().any(|it| instance(*object, it))
            }
            ([object, ..], Node::ObjectInstance(node)) => instance(*object, node),
            ([object, _, id, ..], Node::Resource(node)) => is_key(*object, *id, node),
            ([object, _, id, ..], Node::ResourceInstance(_)) => KEYS.contains(&(*object, *id)),
            _ => false,
        }
    }

    /// What the command is about.
    #[must_use]
    pub const fn path(&self) -> &Path {
        static SECURITY: Path = Path::object(0);
        match self {
            Self::KeepBootstrapAccount => &SECURITY,
            Self::Discover(path) | Self::Read(path) | Self::Delete(path) => path,
            Self::Write(path, _) => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_no_key() {
        let account = ObjectInstance::default().with(5, "the secret key");
        let command = Command::Write(Path::instance(0, 0), Node::ObjectInstance(account));
        assert_eq!(format!("{command:?}"), format!("Write({:?})", command.path()));
        assert!(command.has_key());
        let none = ObjectInstance::default().with(5, Bytes::new()).with(3, "identity");
        assert!(!Command::Write(Path::instance(0, 0), Node::ObjectInstance(none)).has_key());
        assert!(!Command::Delete(Path::object(0)).has_key());
    }
}
