//! What the server knows of a device, gathered from the directory, the engine and the store.

use super::{Facts, Registered};
use crate::access::Principal;
use crate::error::ApiError;
use crate::routes::past;
use crate::state::ApiState;
use lwm2m_credentials::{Credential, Unlisted};
use lwm2m_net::Rejection;
use lwm2m_server::records::{CommandEnd, Happened, KeptEvent};
use lwm2m_server::{Reach, Server, WishState};
use std::net::IpAddr;

/// The events of a device that are looked at.
const EVENTS: usize = 20;

/// Gathers what is known.
///
/// # Errors
/// The server has been shut down, or the store cannot be read.
pub(crate) async fn facts(
    state: &ApiState,
    endpoint: &str,
    principal: &Principal,
) -> Result<Facts, ApiError> {
    let name = endpoint.to_owned();
    let look = move |server: &mut Server, _| (registered(server, &name), server.quirks(&name));
    let (registered, forgiven) = state.server().with(look).await?;
    let events = match state.server().store() {
        Some(reader) => past::last_of(reader.clone(), endpoint.to_owned(), EVENTS).await?,
        None => Vec::new(),
    };
    let address = registered.as_ref().map(|it| it.address.ip()).or_else(|| last_address(&events));
    let security = state.server().security();
    let credential = security.get(endpoint);
    let rejection =
        rejection(state.server().rejected().list(), endpoint, credential.as_ref(), address);
    // What may be about another device is not for who is confined to some.
    let rejection = rejection.filter(|(_, is_proven)| *is_proven || principal.prefix().is_none());
    let registered = registered.map(|it| Registered { failed: failed(&events), ..it });
    Ok(Facts {
        now: state.server().clock().now(),
        registered,
        credential: credential.as_ref().map(mode),
        open: security.own().unlisted == Unlisted::NoSec,
        rejection,
        forgiven: forgiven.unwrap_or_default(),
        ended: ended(&events),
    })
}

fn registered(server: &Server, endpoint: &str) -> Option<Registered> {
    let registration = server.registration(endpoint)?;
    let mut commands = server.open_commands(endpoint);
    let first = commands.next().map(|it| (it.attempts, it.created_at));
    let rest = commands.take(1_000).count();
    let refused = server.wishes(endpoint).find_map(|(target, _, state)| match state {
        WishState::Refused(code) => Some((target.to_string(), code)),
        _ => None,
    });
    Some(Registered {
        address: registration.address,
        updated_at: registration.updated_at,
        lifetime: registration.lifetime,
        asleep_since: match server.reach(endpoint) {
            Some(Reach::AsleepSince(at)) => Some(at),
            _ => None,
        },
        waiting: first.map(|(attempts, since)| (rest + 1, attempts, since)),
        refused,
        failed: None,
    })
}

/// The last time that a device did not get in: by its name, the identity of its key, or where it was last;
/// else, for one with a pre-shared key, a client whose identity nobody knows.
fn rejection(
    all: Vec<Rejection>,
    endpoint: &str,
    credential: Option<&Credential>,
    address: Option<IpAddr>,
) -> Option<(Rejection, bool)> {
    let identity = match credential {
        Some(Credential::Psk { identity, .. }) => Some(identity.escape_ascii().to_string()),
        _ => None,
    };
    let is_named = |it: &Rejection| {
        let name = it.name.as_deref();
        name == Some(endpoint) || (!it.in_session && name.is_some() && name == identity.as_deref())
    };
    let is_there = |it: &Rejection| it.name.is_none() && address == Some(it.address.ip());
    if let Some(found) = all.iter().find(|it| is_named(it) || is_there(it)) {
        return Some((found.clone(), true));
    }
    let may_be = |it: &Rejection| it.name.is_none() && it.mode == Some(lwm2m_dtls::Mode::Psk);
    let perhaps = all.into_iter().find(|it| identity.is_some() && may_be(it));
    perhaps.map(|it| (it, false))
}

const fn mode(credential: &Credential) -> &'static str {
    match credential {
        Credential::Psk { .. } => "pre-shared key",
        Credential::RawPublicKey(_) => "raw public key",
        _ => "X.509",
    }
}

/// Where a device was last.
fn last_address(events: &[KeptEvent]) -> Option<IpAddr> {
    let address = events.iter().rev().find_map(|event| match &event.what {
        Happened::Registered(address) | Happened::Updated(address) => Some(address),
        _ => None,
    });
    address?.parse::<std::net::SocketAddr>().ok().map(|it| it.ip())
}

fn ended(
    events: &[KeptEvent],
) -> Option<(lwm2m_server::DeregistrationReason, lwm2m_time::Instant)> {
    events.iter().rev().find_map(|event| match event.what {
        Happened::Deregistered(reason) => Some((reason, event.at)),
        _ => None,
    })
}

/// The last command, if it failed.
fn failed(events: &[KeptEvent]) -> Option<(CommandEnd, lwm2m_time::Instant)> {
    let last = events.iter().rev().find_map(|event| match event.what {
        Happened::CommandEnded(_, end) => Some((end, event.at)),
        _ => None,
    });
    last.filter(|(end, _)| match end {
        CommandEnd::Answered(code) => !code.is_success(),
        CommandEnd::Superseded => false,
        _ => true,
    })
}
