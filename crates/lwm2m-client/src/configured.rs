//! From a configuration to the parts of a client.

use crate::account::{Accounts, Planned};
use crate::bootstrap::{Bootstrap, BootstrapServer};
use crate::config::{BootstrapAccount, Config, ServerAccount};
use crate::context::Context;
use crate::device_management::is_streamed;
use crate::error::ConfigError;
use crate::objects::store::Store;
use crate::objects::{HIDDEN, Object, security, server};
use crate::security::{KeyPair, Security, SecurityMode, Trust};
use crate::transport::Transport;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use lwm2m_core::Version;
use lwm2m_link::{ConnectionConfig, Journal, Link, Outputs};
use lwm2m_objects::Registry;
use lwm2m_time::{Instant, TimerTable};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// The longest endpoint name in bytes: a Uri-Query option has 255 (RFC 7252 section 5.10).
const MAX_ENDPOINT_NAME: usize = 252;

/// What a configuration makes.
pub(crate) struct Parts {
    pub(crate) cx: Context,
    pub(crate) accounts: Accounts,
    pub(crate) bootstrap: Bootstrap,
}

/// Builds the parts. `seed` must be unpredictable outside of tests.
pub(crate) fn parts(
    config: Config,
    objects: Vec<Box<dyn Object>>,
    seed: [u8; 32],
) -> Result<Parts, ConfigError> {
    check_name(&config.endpoint_name)?;
    check_accounts(&config.servers, config.bootstrap.as_ref())?;
    check_transports(&config)?;
    let objects = with_own(objects, &config)?;
    let trust = Trust {
        roots: config.roots,
        provider: config.dtls.provider.clone(),
        built_in: config.bootstrap.as_ref().and_then(|account| built_in(&account.security)),
        enrolled: None,
        authority: None,
    };
    let store = Store::new(objects, Registry::with(config.definitions), config.version)?;
    let planned = planned(config.servers, &trust)?;
    let bootstrap =
        config.bootstrap.map(|account| bootstrap_server(account, &trust)).transpose()?;
    let secured = bootstrap.is_some() || planned.iter().any(|account| account.profile.is_some());
    let link = link(&config.coap, config.connections, seed, &store, secured.then_some(config.dtls));
    let cx = Context {
        now: Instant::ZERO,
        endpoint_name: config.endpoint_name,
        version: config.version,
        uri_host: config.uri_host,
        request_span: config.coap.transmission.max_transmit_wait(),
        exchange_lifetime: config.coap.transmission.exchange_lifetime,
        stopping: false,
        link,
        store,
        timers: TimerTable::new(),
        outputs: Outputs::default(),
        awake_time: config.awake_time,
        asleep: false,
        sent: 0,
        journal: Journal::new(cfg!(feature = "journal") && config.is_kept),
        effects: VecDeque::new(),
        leaving: Vec::new(),
    };
    Ok(Parts {
        cx,
        accounts: Accounts::new(planned, config.version),
        bootstrap: Bootstrap::new(bootstrap, trust, stream_for_keys(seed)),
    })
}

fn link(
    coap: &lwm2m_coap::Config,
    connections: ConnectionConfig,
    seed: [u8; 32],
    store: &Store,
    dtls: Option<lwm2m_dtls::Config>,
) -> Link {
    let mut link = Link::new(*coap, seed);
    let streamed = store.streamed();
    if !streamed.is_empty() {
        link.coap().stream_bodies(move |code, options| {
            is_streamed(code, options, |object, resource| streamed.contains(&(object, resource)))
        });
    }
    link.set_connection_config(connections);
    if let Some(dtls) = dtls {
        link.set_security(dtls);
    }
    link
}

/// The objects of the application, and those that are made from the accounts.
fn with_own(
    mut objects: Vec<Box<dyn Object>>,
    config: &Config,
) -> Result<Vec<Box<dyn Object>>, ConfigError> {
    let own = |id: &u16| *id == server::ID || HIDDEN.contains(id);
    if let Some(id) = objects.iter().map(|object| object.id()).find(own) {
        return Err(ConfigError::ReservedObject(id));
    }
    let bootstraps = config.bootstrap.is_some();
    objects.push(Box::new(server::object(&config.servers, config.version, bootstraps)));
    if let Some(account) = &config.bootstrap {
        objects.push(Box::new(security::object(account, &config.servers)));
    }
    Ok(objects)
}

/// The accounts with the profiles of their sessions.
fn planned(servers: Vec<ServerAccount>, trust: &Trust) -> Result<Vec<Planned>, ConfigError> {
    let planned = |(account, settings): (ServerAccount, u16)| {
        let security = trust.complete(account.security.clone(), false);
        let profile = security.and_then(|security| trust.profile(&security, &account.uri));
        let id = account.short_server_id;
        let profile = profile.map_err(|error| ConfigError::Security(id, error))?;
        Ok(Planned { settings, account, profile })
    };
    servers.into_iter().zip(0..).map(planned).collect()
}

fn bootstrap_server(
    account: BootstrapAccount,
    trust: &Trust,
) -> Result<BootstrapServer, ConfigError> {
    let profile = trust.profile(&account.security, &account.uri);
    let profile = profile.map_err(|error| ConfigError::Security(0, error))?;
    Ok(BootstrapServer::new(account, profile, security::FIRST_BOOTSTRAP))
}

/// The certificate and key that a device in mode 4 was made with.
fn built_in(security: &Security) -> Option<KeyPair> {
    (security.mode == SecurityMode::Enrolled).then(|| KeyPair {
        chain: security.public_key_or_identity.clone(),
        key: security.secret_key.clone(),
    })
}

/// Another stream than those of the layers below: what they show of theirs says nothing of it.
fn stream_for_keys(seed: [u8; 32]) -> ChaCha20Rng {
    let mut rng = ChaCha20Rng::from_seed(seed);
    rng.set_stream(u64::MAX);
    rng
}

/// A name has to fit into one Uri-Query option, `ep=` before it.
const fn check_name(endpoint_name: &str) -> Result<(), ConfigError> {
    match endpoint_name.len() {
        1..=MAX_ENDPOINT_NAME => Ok(()),
        length => Err(ConfigError::EndpointName(length)),
    }
}

/// LwM2M 1.0 has no TCP.
fn check_transports(config: &Config) -> Result<(), ConfigError> {
    let servers = config.servers.iter().map(|it| (it.short_server_id, &it.uri));
    let all = servers.chain(config.bootstrap.as_ref().map(|it| (0, &it.uri)));
    let by_tcp = |(_, uri): &(u16, &String)| Transport::of(uri) == Transport::Tcp;
    match all.filter(|_| config.version == Version::V1_0).find(by_tcp) {
        Some((server, _)) => Err(ConfigError::Transport(server)),
        None => Ok(()),
    }
}

fn check_accounts(
    accounts: &[ServerAccount],
    bootstrap: Option<&BootstrapAccount>,
) -> Result<(), ConfigError> {
    for (place, account) in accounts.iter().enumerate() {
        let id = account.short_server_id;
        let mut others = accounts.iter().skip(place + 1);
        let repeated = others.clone().any(|other| other.short_server_id == id);
        if id == 0 || id == u16::MAX || repeated {
            return Err(ConfigError::ShortServerId(id));
        }
        if account.address.is_none() {
            continue;
        }
        if let Some(other) = others.find(|other| other.address == account.address) {
            return Err(ConfigError::SameAddress(id, other.short_server_id));
        }
        if bootstrap.is_some_and(|bootstrap| Some(bootstrap.address) == account.address) {
            return Err(ConfigError::SameAddress(id, 0));
        }
    }
    Ok(())
}
