//! The configuration of a server.

use lwm2m_core::Version;
use lwm2m_credentials::SecurityStore;
use lwm2m_link::ConnectionConfig;
use lwm2m_objects::Registry;
use std::sync::Arc;
use std::time::Duration;

/// Defines the configuration with its defaults, and a method to set each field.
macro_rules! config {
    (
        $(#[$meta:meta])*
        pub struct Config {
            $($(#[$field_meta:meta])* $field:ident: $type:ty = $default:expr,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub struct Config {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl Config {
            $(
                #[doc = concat!("Sets the field `", stringify!($field), "`.")]
                #[must_use]
                pub fn $field(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )*
        }

        impl Default for Config {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}

config! {
    /// The configuration of a [`Server`](crate::Server). Every field that begins with `max` bounds
    /// memory.
    ///
    /// Over plain CoAP anyone can register. Such registrations leave room for others: with
    /// [`Config::dtls`], a quarter of the places and of the memory is for devices with security, and
    /// as many places more as there are endpoints with credentials beyond that. One host (with IPv6
    /// one /64 network) may have as many plain registrations as there are places left for them, and
    /// its network (/24, with IPv6 /48) twice as many; the same holds for bytes, where an object list
    /// counts for the first device that had it. And they end after
    /// [`Config::max_plain_lifetime`] without an Update.
    ///
    /// ```
    /// let config = lwm2m_server::Config::default().max_registrations(100_000);
    /// assert_eq!(config.max_observations, 1_024);
    /// ```
    pub struct Config {
        /// The parameters of CoAP. `coap.max_peers` should exceed [`Config::max_registrations`],
        /// because each registered device counts as a peer.
        coap: lwm2m_coap::Config = lwm2m_coap::Config::default(),
        /// The deadlines of TCP connections, and the bound on their number.
        connections: ConnectionConfig = ConnectionConfig::default(),
        /// The credentials: which identity may use which endpoint name. Default: none, so that all
        /// endpoints may use plain CoAP.
        security: Arc<SecurityStore> = Arc::default(),
        /// The settings of DTLS and TLS, except for the credentials: those are
        /// [`Config::security`]. Default: `None`, plain CoAP only.
        dtls: Option<lwm2m_dtls::Config> = None,
        /// The sessions that an identity may have at a time. One more ends the oldest: a client
        /// that restarts does not close its old sessions. Default: 4.
        max_sessions_per_identity: usize = 4,
        /// Whether a store keeps what the server has to remember. Then the driver has to hand
        /// [`Output::Write`](lwm2m_link::Output::Write) to it, and to tell how far it has come: until
        /// then devices get no answers to what changes anything. Default: no.
        is_kept: bool = false,
        /// The object definitions by which payloads are decoded and operations checked. Default:
        /// the built-in ones.
        registry: Arc<Registry> = Arc::new(Registry::builtin().clone()),
        /// The LwM2M versions that are accepted; others are answered 4.12. Default: 1.0, 1.1
        /// and 1.2.
        versions: Vec<Version> = vec![Version::V1_0, Version::V1_1, Version::V1_2],
        /// The lifetime of a LwM2M 1.0 client that names none. Default: 86,400 s.
        default_lifetime: Duration = Duration::from_secs(86_400),
        /// The number of registrations; more are answered 5.03. Default: 1,000,000.
        max_registrations: usize = 1_000_000,
        /// The devices that may register in a second, with and without security each; others are answered
        /// 5.03 and told to come back within one to three minutes, each at another time. An address that
        /// has proven nothing is not told when. Updates are not counted, nor a Register with security of
        /// a device that is registered. Default: 0, no limit. For handshakes
        /// see [`lwm2m_dtls::Config::max_handshakes_per_second`].
        max_registers_per_second: u32 = 0,
        /// The longest lifetime of a registration over plain CoAP. A device that asks for more, or for
        /// 0, which never ends, gets this. 0 is no limit. Default: 30 days.
        max_plain_lifetime: Duration = Duration::from_secs(30 * 86_400),
        /// Bytes of memory that all devices take together, by estimate; devices with equal object
        /// lists count it once. A Register or Update that would exceed it is answered 5.03, unless
        /// it makes nothing larger. Default: 1 GiB, room for 1,500,000 plain devices of one kind.
        max_registration_bytes: usize = 1 << 30,
        /// The length of an endpoint name in bytes. Default: 252, which fits a CoAP option.
        max_endpoint_name: usize = 252,
        /// The bytes of all query parameters of a Register or Update. Default: 1,024.
        max_query: usize = 1_024,
        /// The bytes of an object list; longer ones are answered 4.13. Default: 65,536.
        max_object_list: usize = 1 << 16,
        /// The links of an object list; longer lists are answered 4.13, as any body that is larger
        /// than the server is willing to process (RFC 7252, 5.9.2.9). Default: 1,000.
        max_links: usize = 1_000,
        /// The attributes of one link in an object list; a list with more is answered 4.13.
        /// Default: 16.
        max_link_attributes: usize = 16,
        /// The values in one message of a device, and the empty object instances and resources; the
        /// links and their attributes together in the answer to a Discover. A
        /// Send with more is answered 4.13; an answer or a notification is a decode error.
        /// Default: 10,000.
        max_values: usize = 10_000,
        /// The observations of one device. Default: 1,024.
        max_observations: usize = 1_024,
        /// How long a device in queue mode listens after each of its messages. Default: 93 s, which is
        /// MAX_TRANSMIT_WAIT (RFC 7252 section 4.8.2).
        awake_time: Duration = Duration::from_secs(93),
        /// How long a command waits for its device, where its asker says nothing. Default: 1 day.
        command_lifetime: Duration = Duration::from_secs(86_400),
        /// How long the result of a command is kept. Default: 1 day.
        keep_results_for: Duration = Duration::from_secs(86_400),
        /// How often a command is sent to a device that does not answer. Default: 3.
        max_command_attempts: u8 = 3,
        /// The commands that wait, are under way or keep their results. Default: 1,000,000.
        max_commands: usize = 1_000_000,
        /// The bytes of all these commands. Of an answer that does not fit, only the code is kept.
        /// Default: 256 MiB.
        max_command_bytes: usize = 256 << 20,
        /// What happened to devices, of which the last so many are kept, a sixteenth of them of one device
        /// in an hour at most. Half of them at least are for devices with security, if they have as many.
        /// Each takes 8 bytes of memory. Default: 0, none.
        max_events: u64 = 0,
        /// The numbers that are kept of each resource, for its history; for a while some more. Default: 0,
        /// none.
        max_history: u32 = 0,
        /// The values that are kept of a device, and ten times as many numbers of its history; for a while
        /// some more. Beyond that those of the lowest paths are forgotten. Default: 10,000.
        max_kept_values: u32 = 10_000,
        /// The devices without credentials whose values are kept when they are not registered any more:
        /// so many of those that left last, and as many that had proven their names by certificates.
        /// Default: 10,000.
        max_departed: usize = 10_000,
        /// The bytes of memory for the last messages of the devices ([`Recorder`](lwm2m_link::Recorder)).
        /// Default: 0, none are recorded.
        recorder_bytes: usize = 0,
        /// Whether what goes over the wire in sessions is recorded with the secrets that open it, besides the
        /// messages. Default: yes.
        recorder_keys: bool = true,
        /// The observations that are wished for all devices together. Default: 4,000,000.
        max_wishes: usize = 4_000_000,
    }
}
