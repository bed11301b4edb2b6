//! The accounts of servers and of the bootstrap server (OMA LwM2M Core 6.1.2, E.1, E.2).

use crate::security::Security;
use crate::transport::Transport;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use lwm2m_coap::uri::{Host, Uri};
use lwm2m_core::{BindingMode, ContentFormat, Path};

/// A server and how to register with it: what OMA calls a Server Account, the instances of
/// Security (0) and Server (1) that belong together.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ServerAccount {
    /// The Short Server ID, 1 to 65534 (/1/x/0).
    pub short_server_id: u16,
    /// Where the server listens. If it is unknown, or the server does not answer there, the client
    /// asks for it ([`Event::AddressWanted`](crate::Event::AddressWanted)).
    pub address: Option<SocketAddr>,
    /// The LwM2M Server URI (/0/x/0), by which the address is found.
    pub uri: String,
    /// Mode and keys (/0/x/2 to 5, 13 to 16). Default: no security.
    pub security: Security,
    /// The lifetime of the registration in seconds (/1/x/1); 0 never ends. Default: 86,400.
    pub lifetime: u32,
    /// The transports that Register names (/1/x/7). Default: U, or T where the URI says TCP.
    pub binding: BindingMode,
    /// Whether Register tells the server that the client uses queue mode (the query parameter `Q`,
    /// in LwM2M 1.0 a letter of the binding; OMA LwM2M Core 6.5). If all servers are told so, the
    /// client sleeps ([`Event::Sleeping`](crate::Event::Sleeping)) when it has sent nothing for
    /// [`Config::awake_time`](crate::Config::awake_time). Default: `false`.
    pub queue_mode: bool,
    /// The Default Minimum Period in seconds (/1/x/2). Default: none.
    pub pmin: Option<u32>,
    /// The Default Maximum Period in seconds (/1/x/3). Default: none.
    pub pmax: Option<u32>,
    /// The Disable Timeout in seconds (/1/x/5). Default: 86,400.
    pub disable_timeout: u32,
    /// Notification Storing When Disabled or Offline (/1/x/6), as servers read it. Default: `false`,
    /// because this client does not store notifications: what changes while a server is disabled or
    /// out of reach is not notified later. Servers may write `true`; that has no effect either.
    pub notification_storing: bool,
    /// Whether notifications are confirmable where the attribute `con` is silent (/1/x/26).
    /// Default: `false`.
    pub confirmable_notifications: bool,
    /// Mute Send (/1/x/23): whether the server forbids Send. Default: `true`.
    pub mute_send: bool,
    /// Objects, instances or resources whose values are sent (Send, OMA LwM2M Core 6.4.6) each time
    /// that [`Client::update`](crate::Client::update) has changed them, unless the server forbids
    /// it. Default: none.
    pub send_on_change: Vec<Path>,
    /// When to try again after a failed registration.
    pub retry: Retry,
}

/// The bootstrap server and how to ask it: a Bootstrap-Server Account (OMA LwM2M Core 6.1).
///
/// Its own address is never asked for: a bootstrap that gives it another name is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct BootstrapAccount {
    /// Where the bootstrap server listens.
    pub address: SocketAddr,
    /// Its URI (/0/x/0).
    pub uri: String,
    /// Mode and keys (/0/x/2 to 5, 13 to 16). Default: no security.
    pub security: Security,
    /// Client Hold Off Time (/0/x/11): seconds to wait before a request. Default: 0.
    pub hold_off: u32,
    /// Bootstrap-Server Account Timeout (/0/x/12): seconds after a bootstrap until the account is
    /// purged; 0 is never. Default: 0.
    pub account_timeout: u32,
    /// The format that the server should write in (`pct`): TLV, SenML JSON, SenML CBOR, or LwM2M
    /// CBOR. Default: `None`, the server chooses.
    pub format: Option<ContentFormat>,
    /// Whether a LwM2M 1.2 client asks for a Bootstrap-Pack first, all accounts in one answer (OMA
    /// LwM2M Core 6.1.7.9). Default: `false`.
    pub pack: bool,
    /// Whether a LwM2M 1.0 client takes commands that it did not ask for (server initiated
    /// bootstrap, which later versions do not have in this way). Default: `false`.
    pub unasked: bool,
    /// When to try again after a failed bootstrap.
    pub retry: Retry,
}

impl BootstrapAccount {
    /// A bootstrap server with the defaults named at the fields, and `coap://` and the address as
    /// its URI.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            uri: format!("coap://{address}"),
            security: Security::no_sec(),
            hold_off: 0,
            account_timeout: 0,
            format: None,
            pack: false,
            unasked: false,
            retry: Retry::default(),
        }
    }

    /// Secures the account; where its URI begins with `coap:` or `coap+tcp:`, it begins with
    /// `coaps:` or `coaps+tcp:` now.
    #[must_use]
    pub fn secured(mut self, security: Security) -> Self {
        (self.uri, self.security) = (secured(self.uri), security);
        self
    }

    /// Reaches the server by TCP: its URI begins with `coap+tcp:` or `coaps+tcp:` now.
    #[must_use]
    pub fn over_tcp(mut self) -> Self {
        self.uri = over_tcp(self.uri);
        self
    }

    /// Sets the seconds to wait before a request (/0/x/11).
    #[must_use]
    pub const fn hold_off(mut self, seconds: u32) -> Self {
        self.hold_off = seconds;
        self
    }

    /// Sets the seconds after which the account is purged (/0/x/12).
    #[must_use]
    pub const fn account_timeout(mut self, seconds: u32) -> Self {
        self.account_timeout = seconds;
        self
    }

    /// Sets the format that the server should write in.
    #[must_use]
    pub const fn format(mut self, format: ContentFormat) -> Self {
        self.format = Some(format);
        self
    }

    /// Sets whether a Bootstrap-Pack is asked for first.
    #[must_use]
    pub const fn pack(mut self, first: bool) -> Self {
        self.pack = first;
        self
    }

    /// Sets whether commands are taken that the client did not ask for.
    #[must_use]
    pub const fn unasked(mut self, taken: bool) -> Self {
        self.unasked = taken;
        self
    }
}

/// The registration retry resources of the Server object (OMA LwM2M Core 6.2.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Retry {
    /// Communication Retry Count (/1/x/17): attempts in a sequence. Default: 5.
    pub count: u32,
    /// Communication Retry Timer (/1/x/18) in seconds: the wait after attempt n of a sequence is
    /// this times 2^(n-1). Default: 60.
    pub timer: u32,
    /// Communication Sequence Delay Timer (/1/x/19) in seconds between two sequences.
    /// [`u32::MAX`] means that no further sequence follows. Default: 86,400.
    pub sequence_delay: u32,
    /// Communication Sequence Retry Count (/1/x/20): sequences in all. Default: 1.
    pub sequence_count: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self::new()
    }
}

impl Retry {
    /// The defaults of the Server object.
    #[must_use]
    pub const fn new() -> Self {
        Self { count: 5, timer: 60, sequence_delay: 86_400, sequence_count: 1 }
    }

    /// Sets the attempts in a sequence, and the wait after the first one in seconds.
    #[must_use]
    pub const fn attempts(mut self, count: u32, timer: u32) -> Self {
        (self.count, self.timer) = (count, timer);
        self
    }

    /// Sets the sequences in all, and the seconds between two of them.
    #[must_use]
    pub const fn sequences(mut self, count: u32, delay: u32) -> Self {
        (self.sequence_count, self.sequence_delay) = (count, delay);
        self
    }
}

impl ServerAccount {
    /// A server with the defaults named at the fields, and `coap://` and the address as its URI.
    #[must_use]
    pub fn new(short_server_id: u16, address: SocketAddr) -> Self {
        let uri = format!("coap://{address}");
        Self { address: Some(address), ..Self::named(short_server_id, uri) }
    }

    /// As [`new`](Self::new), of a server with this URI. If that has a name, the client asks for the
    /// address ([`Event::AddressWanted`](crate::Event::AddressWanted)).
    #[must_use]
    pub fn named(short_server_id: u16, uri: impl Into<String>) -> Self {
        let uri = uri.into();
        Self {
            short_server_id,
            address: Uri::parse(&uri).ok().as_ref().and_then(literal_address),
            binding: Transport::of(&uri).binding(),
            uri,
            security: Security::no_sec(),
            lifetime: 86_400,
            queue_mode: false,
            pmin: None,
            pmax: None,
            disable_timeout: 86_400,
            notification_storing: false,
            send_on_change: Vec::new(),
            confirmable_notifications: false,
            mute_send: true,
            retry: Retry::default(),
        }
    }

    /// Reaches the server by TCP: its URI begins with `coap+tcp:` or `coaps+tcp:` now, and the
    /// binding is T. LwM2M 1.0 does not have this.
    #[must_use]
    pub fn over_tcp(mut self) -> Self {
        (self.uri, self.binding) = (over_tcp(self.uri), BindingMode::T);
        self
    }

    /// Secures the account; where its URI begins with `coap:` or `coap+tcp:`, it begins with
    /// `coaps:` or `coaps+tcp:` now.
    #[must_use]
    pub fn secured(mut self, security: Security) -> Self {
        (self.uri, self.security) = (secured(self.uri), security);
        self
    }

    /// Sets whether the server forbids Send (/1/x/23).
    #[must_use]
    pub const fn mute_send(mut self, mute: bool) -> Self {
        self.mute_send = mute;
        self
    }

    /// Sets whether the client uses queue mode.
    #[must_use]
    pub const fn queue_mode(mut self, queue_mode: bool) -> Self {
        self.queue_mode = queue_mode;
        self
    }

    /// Sets the lifetime of the registration in seconds.
    #[must_use]
    pub const fn lifetime(mut self, seconds: u32) -> Self {
        self.lifetime = seconds;
        self
    }

    /// Adds a path whose values are sent when [`Client::update`](crate::Client::update) has changed
    /// them (OMA LwM2M Core 6.4.6).
    #[must_use]
    pub fn send_on_change(mut self, path: Path) -> Self {
        self.send_on_change.push(path);
        self
    }
}

/// The address that a URI holds in place of a name.
pub(crate) fn literal_address(uri: &Uri<'_>) -> Option<SocketAddr> {
    match uri.host {
        Host::Address(ip) => Some(SocketAddr::new(ip, uri.port)),
        Host::Zoned(..) | Host::Name(_) => None,
    }
}

fn secured(uri: String) -> String {
    match uri.strip_prefix("coap") {
        Some(rest) if rest.starts_with([':', '+']) => format!("coaps{rest}"),
        _ => uri,
    }
}

fn over_tcp(uri: String) -> String {
    match uri.split_once(':') {
        Some((scheme @ ("coap" | "coaps"), rest)) => format!("{scheme}+tcp:{rest}"),
        _ => uri,
    }
}
