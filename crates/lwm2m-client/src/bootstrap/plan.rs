//! What the objects Security (0) and Server (1) amount to: the accounts of a client, if they are
//! consistent (OMA LwM2M Core 6.1.7 and 6.1.3).

use crate::config::ServerAccount;
use crate::objects::{security, server};
use alloc::vec::Vec;
use core::net::SocketAddr;
use lwm2m_coap::uri::{Host, Scheme, Uri};
use lwm2m_core::{Object, ObjectInstance, Resource, Value};

/// The accounts of a client.
pub(crate) struct Plan {
    /// The servers, each with its instance of the Server object.
    pub(crate) servers: Vec<(u16, ServerAccount)>,
    /// The bootstrap server, if there is one.
    pub(crate) bootstrap: Option<Access>,
}

/// A bootstrap server.
pub(crate) struct Access {
    /// Its instance of the Security object.
    pub(crate) instance: u16,
    pub(crate) address: SocketAddr,
    /// Seconds to wait before a Bootstrap-Request.
    pub(crate) hold_off: u32,
    /// Seconds after a bootstrap until the account is purged; 0 is never.
    pub(crate) account_timeout: u32,
}

/// The accounts that the two objects describe; `None` unless there is a complete account of a
/// server, no incomplete one, and at most one bootstrap server.
pub(crate) fn plan(security: &Object, servers: &Object) -> Option<Plan> {
    let mut plan = Plan { servers: Vec::new(), bootstrap: None };
    let mut addresses = Vec::new();
    for (id, values) in &security.instances {
        let address = address(values)?;
        if addresses.contains(&address) {
            return None;
        }
        addresses.push(address);
        if boolean(values, security::BOOTSTRAP)? {
            if plan.bootstrap.replace(access(*id, values, address)).is_some() {
                return None;
            }
            continue;
        }
        let account = account(values, address)?;
        if plan.servers.iter().any(|(_, known)| known.short_server_id == account.short_server_id) {
            return None;
        }
        plan.servers.push((settings_of(account.short_server_id, servers)?, account));
    }
    (!plan.servers.is_empty()).then_some(plan)
}

fn access(instance: u16, values: &ObjectInstance, address: SocketAddr) -> Access {
    let number = |resource| integer(values, resource).and_then(|n| u32::try_from(n).ok());
    Access {
        instance,
        address,
        hold_off: number(security::HOLD_OFF).unwrap_or(0),
        account_timeout: number(security::ACCOUNT_TIMEOUT).unwrap_or(0),
    }
}

/// Where a server listens, if it can be reached: without security, and without a resolver.
fn address(values: &ObjectInstance) -> Option<SocketAddr> {
    let Some(Value::String(uri)) = single(values, security::URI) else { return None };
    let uri = Uri::parse(uri).ok()?;
    let no_sec = integer(values, security::MODE) == Some(security::NO_SEC);
    match uri.host {
        Host::Address(ip) if no_sec && uri.scheme == Scheme::Coap => {
            Some(SocketAddr::new(ip, uri.port))
        }
        _ => None,
    }
}

fn account(values: &ObjectInstance, address: SocketAddr) -> Option<ServerAccount> {
    let id = u16::try_from(integer(values, security::SHORT_SERVER_ID)?).ok()?;
    if id == 0 || id == u16::MAX {
        return None;
    }
    let mut account = ServerAccount::new(id, address);
    if let Some(Value::String(uri)) = single(values, security::URI) {
        account.uri.clone_from(uri);
    }
    Some(account)
}

/// The complete instance of the Server object for a short server id.
fn settings_of(short_server_id: u16, servers: &Object) -> Option<u16> {
    let belongs = |values: &&ObjectInstance| {
        integer(values, server::SHORT_SERVER_ID) == Some(short_server_id.into())
    };
    let (id, values) = servers.instances.iter().find(|(_, values)| belongs(values))?;
    let complete = server::MANDATORY.iter().all(|id| values.resources.contains_key(id));
    complete.then_some(*id)
}

fn single(values: &ObjectInstance, resource: u16) -> Option<&Value> {
    match values.resources.get(&resource)? {
        Resource::Single(value) => Some(value),
        Resource::Multiple(_) => None,
    }
}

fn integer(values: &ObjectInstance, resource: u16) -> Option<i64> {
    match single(values, resource)? {
        Value::Integer(number) => Some(*number),
        _ => None,
    }
}

pub(super) fn boolean(values: &ObjectInstance, resource: u16) -> Option<bool> {
    match single(values, resource)? {
        Value::Boolean(value) => Some(*value),
        _ => None,
    }
}
