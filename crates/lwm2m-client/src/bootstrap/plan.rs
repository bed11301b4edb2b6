//! What the objects Security (0) and Server (1) amount to: the accounts of a client, if they are
//! consistent (OMA LwM2M Core 6.1.7 and 6.1.3).

use crate::account::Planned;
use crate::config::{ServerAccount, literal_address};
use crate::error::AccountsError;
use crate::objects::{security_ids as security, server};
use crate::security::{ClientProfile, Security, SecurityError, Trust};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use lwm2m_coap::uri::Uri;
use lwm2m_core::{Object, ObjectInstance, Resource, Value};

/// The accounts of a client.
pub(crate) struct Plan {
    /// The servers.
    pub(crate) servers: Vec<Planned>,
    /// The bootstrap server, if there is one.
    pub(crate) bootstrap: Option<Access>,
}

/// A bootstrap server.
pub(crate) struct Access {
    /// Its instance of the Security object.
    pub(crate) instance: u16,
    pub(crate) target: Target,
    /// Seconds to wait before a Bootstrap-Request.
    pub(crate) hold_off: u32,
    /// Seconds after a bootstrap until the account is purged; 0 is never.
    pub(crate) account_timeout: u32,
}

/// Where a server is, and how it is secured.
pub(crate) struct Target {
    /// Unknown if the URI has a name.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) uri: String,
    pub(crate) security: Security,
    pub(crate) profile: Option<Arc<ClientProfile>>,
}

/// The accounts that the two objects describe, if there is a complete account of a server, no
/// incomplete one, and at most one bootstrap server.
pub(crate) fn plan(
    security: &Object,
    servers: &Object,
    trust: &Trust,
) -> Result<Plan, AccountsError> {
    let mut plan = Plan { servers: Vec::new(), bootstrap: None };
    let mut uris = Vec::new();
    for (&id, values) in &security.instances {
        let for_bootstrap = boolean(values, security::BOOTSTRAP)
            .ok_or(AccountsError::Security(id, SecurityError::Value(security::BOOTSTRAP)))?;
        let target = target(id, values, for_bootstrap, trust)?;
        // With names, the URI is what is known of the address.
        let place = target.address.map_or_else(|| target.uri.clone(), |it| it.to_string());
        if uris.contains(&place) {
            return Err(AccountsError::SameAddress(id));
        }
        uris.push(place);
        if for_bootstrap {
            if plan.bootstrap.replace(access(id, values, target)).is_some() {
                return Err(AccountsError::SecondBootstrapServer(id));
            }
            continue;
        }
        let (account, profile) = account(id, values, target)?;
        let ssid = account.short_server_id;
        if plan.servers.iter().any(|known| known.account.short_server_id == ssid) {
            return Err(AccountsError::ShortServerId(id));
        }
        let settings = settings_of(ssid, servers).ok_or(AccountsError::NoSettings(ssid))?;
        plan.servers.push(Planned { settings, account, profile });
    }
    match plan.servers.is_empty() {
        true => Err(AccountsError::NoServer),
        false => Ok(plan),
    }
}

fn access(instance: u16, values: &ObjectInstance, target: Target) -> Access {
    let number = |resource| integer(values, resource).and_then(|n| u32::try_from(n).ok());
    Access {
        instance,
        target,
        hold_off: number(security::HOLD_OFF).unwrap_or(0),
        account_timeout: number(security::ACCOUNT_TIMEOUT).unwrap_or(0),
    }
}

fn target(
    id: u16,
    values: &ObjectInstance,
    for_bootstrap: bool,
    trust: &Trust,
) -> Result<Target, AccountsError> {
    let Some(Value::String(uri)) = single(values, security::URI) else {
        return Err(AccountsError::Security(id, SecurityError::Value(security::URI)));
    };
    let wrong = |error| AccountsError::Security(id, error);
    let security = Security::from_values(values)
        .and_then(|security| trust.complete(security, for_bootstrap))
        .map_err(wrong)?;
    let profile = trust.profile(&security, uri).map_err(wrong)?;
    let address = literal_address(&Uri::parse(uri).map_err(|error| wrong(error.into()))?);
    Ok(Target { address, uri: uri.clone(), security, profile })
}

fn account(
    instance: u16,
    values: &ObjectInstance,
    target: Target,
) -> Result<(ServerAccount, Option<Arc<ClientProfile>>), AccountsError> {
    let id = integer(values, security::SHORT_SERVER_ID).and_then(|id| u16::try_from(id).ok());
    let id = id.filter(|id| (1..u16::MAX).contains(id));
    let mut account =
        ServerAccount::named(id.ok_or(AccountsError::ShortServerId(instance))?, target.uri);
    (account.address, account.security) = (target.address, target.security);
    Ok((account, target.profile))
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
