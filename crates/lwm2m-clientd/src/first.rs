//! The server that a device asks first: its server, or the bootstrap server that gives it one.

use crate::{Settings, security};
use lwm2m_app::Failure;
use lwm2m_client::{BootstrapAccount, Config, Retry, ServerAccount};
use lwm2m_coap::uri::Scheme;
use lwm2m_net::Sockets;
use lwm2m_net::uri::Remote;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const SHORT_SERVER_ID: u16 = 1;
/// Five attempts in a quarter of an hour, then a pause of the same length, without end: there is nobody
/// else to ask after a failed sequence.
const RETRY: Retry = Retry::new().sequences(u32::MAX, 900);

/// The server that a device asks first.
pub(crate) struct First {
    /// Its URI, as the settings have it.
    pub(crate) uri: String,
    remote: Remote,
    is_bootstrap: bool,
}

impl First {
    /// Looks up the address of the server.
    pub(crate) async fn find(settings: &Settings) -> Result<Self, Failure> {
        let is_bootstrap = settings.bootstrap.is_some();
        let uri = settings.bootstrap.as_deref().or(settings.server.as_deref());
        let uri = uri.unwrap_or("coap://127.0.0.1:5683").to_owned();
        let remote = lwm2m_net::uri::resolve(&uri).await.map_err(Failure::usage)?;
        Ok(Self { uri, remote, is_bootstrap })
    }

    /// The configuration of a device that has an account with the server, and nothing else.
    pub(crate) fn account(&self, settings: &Settings) -> Result<Config, Failure> {
        let Remote { scheme, address } = self.remote;
        let security = security::security(&settings.security, scheme.is_secured())?;
        let config = Config::new(settings.endpoint());
        if self.is_bootstrap {
            let mut account = BootstrapAccount::new(address);
            (account.uri, account.security, account.retry) = (self.uri.clone(), security, RETRY);
            return Ok(config.bootstrap(account));
        }
        let mut account = ServerAccount::named(SHORT_SERVER_ID, &self.uri);
        account.address = Some(address);
        account.security = security;
        account.lifetime = settings.lifetime.unwrap_or(300);
        account.retry = RETRY;
        account.queue_mode = settings.queue_mode;
        Ok(config.server(account))
    }

    /// The ports that the device needs, and no others: what is not open cannot be attacked. Which one
    /// the servers of a bootstrap need is not known before it.
    pub(crate) fn sockets(&self, bind: Option<SocketAddr>) -> Sockets {
        let Remote { scheme, address } = self.remote;
        let local = bind.unwrap_or_else(|| any_address(address));
        match scheme {
            _ if self.is_bootstrap => {
                // Two ports do not fit one number.
                let other = SocketAddr::new(local.ip(), 0);
                let (udp, dtls) = match scheme {
                    Scheme::Coap | Scheme::CoapTcp => (local, other),
                    Scheme::Coaps | Scheme::CoapsTcp => (other, local),
                };
                Sockets { udp: Some(udp), dtls: Some(dtls), ..Sockets::default() }
            }
            Scheme::Coap => Sockets::from(local),
            Scheme::Coaps => Sockets { dtls: Some(local), ..Sockets::default() },
            Scheme::CoapTcp | Scheme::CoapsTcp => Sockets::default(),
        }
    }
}

fn any_address(server: SocketAddr) -> SocketAddr {
    let any = match server {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(any, 0)
}
