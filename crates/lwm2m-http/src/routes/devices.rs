//! `/api/devices`: one record for what a device needs from the factory to its first registration.
//!
//! A device comes to its bootstrap with the key of the factory, and is told the server and a key for it. That
//! is a credential of the bootstrap server, a configuration, and a credential of the server. Made one by one
//! they have the same key in two places; here the server makes the keys, and all three come and go together,
//! in one step of the journal.

use super::access::finish;
use super::answer::json;
use super::body::Body;
use super::bootstrap::bootstrap;
use super::operations::Answer;
use super::security::{known_to, written};
use super::target::Endpoint;
use crate::access::Principal;
use crate::access::guard::Change;
use crate::bootstrap::{Bootstrap, MAX_DEVICES, credential_record, record};
use crate::error::ApiError;
use crate::json::bootstrap::without_secrets;
use crate::json::security::read_client;
use crate::json::value::hex;
use crate::state::ApiState;
use axum::Extension;
use axum::extract::State;
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use bytes::Bytes;
use lwm2m_credentials::{Credential, StoreError, is_endpoint_name};
use lwm2m_net::Addresses;
use lwm2m_server::Server;
use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

/// Bytes of a key: as many as AES-128, which all suites of LwM2M use, has use for.
const KEY: usize = 16;

/// What a request asks for.
struct New {
    endpoint: String,
    /// The credential that the device comes to its bootstrap with. Default: a new pre-shared key.
    factory: Option<Credential>,
    /// The name or address by which devices reach this server. Default: that of the request.
    host: String,
    /// Seconds. Default: a day.
    lifetime: u32,
    /// The short server ID. Default: 1.
    short_id: u16,
}

impl New {
    fn read(json: &Json, host: Option<&str>) -> Result<Self, ApiError> {
        const MEMBERS: [&str; 5] = ["endpoint", "factory", "host", "lifetime", "shortId"];
        let error = |name, expected| Err(ApiError::Member { name, expected });
        let known = |members: &serde_json::Map<_, _>| {
            members.keys().all(|name: &String| MEMBERS.contains(&name.as_str()))
        };
        if !json.as_object().is_some_and(known) {
            return error("the body", "an object of endpoint, factory, host, lifetime and shortId");
        }
        let Some(endpoint) = json["endpoint"].as_str() else {
            return error("endpoint", "the endpoint name");
        };
        if !is_endpoint_name(endpoint) {
            return Err(StoreError::Endpoint.into());
        }
        let factory = match json.get("factory") {
            None | Some(Json::Null) => None,
            Some(tls) => Some(read_client(&json!({"endpoint": endpoint, "tls": tls}))?.1),
        };
        let host = match json.get("host") {
            None | Some(Json::Null) => host,
            Some(named) => named.as_str(),
        };
        let host = host.filter(|host| is_host(host));
        let Some(host) = host else {
            return error("host", "the name or address by which devices reach this server");
        };
        let number = |name, default: u32, most| match json.get(name) {
            None | Some(Json::Null) => Some(default),
            Some(number) => {
                number.as_u64().and_then(|it| u32::try_from(it).ok()).filter(|it| *it <= most)
            }
        };
        let Some(lifetime) = number("lifetime", 86_400, u32::MAX) else {
            return error("lifetime", "seconds; 0 never ends");
        };
        let short_id = number("shortId", 1, 65_534).filter(|id| *id > 0);
        let Some(short_id) = short_id.and_then(|id| u16::try_from(id).ok()) else {
            return error("shortId", "a number from 1 to 65534");
        };
        Ok(Self {
            endpoint: endpoint.to_owned(),
            factory,
            host: host.to_owned(),
            lifetime,
            short_id,
        })
    }
}

/// Whether this can be the host of a URI as it stands.
fn is_host(host: &str) -> bool {
    let is_address = |text: &str| text.parse::<std::net::Ipv6Addr>().is_ok();
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => is_address(address),
        None => {
            let is_good = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
            (1..=253).contains(&host.len()) && host.chars().all(is_good)
        }
    }
}

/// The host of the request, without its port.
fn host_of(headers: &HeaderMap) -> Option<&str> {
    let authority = headers.get(HOST)?.to_str().ok()?;
    Some(match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    })
}

/// The URI of a server with security, and the binding that goes with it; DTLS is preferred.
fn uri(host: &str, listening: Option<&Addresses>) -> Option<(String, &'static str)> {
    let listening = listening?;
    let (scheme, binding, address) = match (listening.dtls, listening.tls) {
        (Some(address), _) => ("coaps", "U", address),
        (None, Some(address)) => ("coaps+tcp", "T", address),
        (None, None) => return None,
    };
    let port = match address.port() {
        5684 => String::new(),
        port => format!(":{port}"),
    };
    Some((format!("{scheme}://{host}{port}"), binding))
}

/// A key for a device.
fn new_key() -> Result<Zeroizing<[u8; KEY]>, ApiError> {
    let mut key = Zeroizing::new([0; KEY]);
    getrandom::fill(&mut key[..]).map_err(|_| ApiError::NoRandomness)?;
    Ok(key)
}

fn new_psk(endpoint: &str) -> Result<(Credential, Zeroizing<String>), ApiError> {
    let key = new_key()?;
    // A key of this length fits.
    let credential = Credential::psk(endpoint.as_bytes(), &key[..]);
    let credential = credential.map_err(|_| ApiError::NoRandomness)?;
    Ok((credential, Zeroizing::new(hex(&key[..]))))
}

/// What the bootstrap server tells the device: an account of this server in place of those that it has.
fn configuration(new: &New, uri: &str, binding: &str, key: &str) -> Json {
    json!({
        "autoIdForSecurityObject": true,
        "toDelete": ["/0", "/1"],
        "security": {"1": {
            "uri": uri, "securityMode": "PSK", "serverId": new.short_id,
            "publicKeyOrId": hex(new.endpoint.as_bytes()), "secretKey": key,
        }},
        "servers": {"0": {"shortId": new.short_id, "lifetime": new.lifetime, "binding": binding}},
    })
}

/// POST `/api/devices`: makes what a device needs. The key of the factory is in the answer, once.
pub(crate) async fn add(
    State(state): State<ApiState>,
    principal: Principal,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let new = New::read(&body.any_json()?, host_of(&headers))?;
    if !principal.sees(&new.endpoint) {
        return Err(ApiError::Forbidden { name: principal.name, needed: "admin of that prefix" });
    }
    state.may_change_credentials(&new.endpoint)?;
    finish(async move {
        let bootstrap = bootstrap(&state)?;
        let _turn = bootstrap.begin_change().await;
        let ports = (bootstrap.local(), *state.server().local());
        let (first, _) = uri(&new.host, ports.0.as_ref())
            .ok_or_else(|| ApiError::NoSecureBootstrapPort(new.endpoint.clone()))?;
        let (server, binding) = uri(&new.host, Some(&ports.1))
            .ok_or_else(|| ApiError::NoSecurePort(new.endpoint.clone()))?;
        let (factory, factory_key) = match &new.factory {
            Some(factory) => (factory.clone(), None),
            None => {
                let (made, key) = new_psk(&new.endpoint)?;
                (made, Some(key))
            }
        };
        let (own, key) = new_psk(&new.endpoint)?;
        let told = configuration(&new, &server, binding, &key);
        make(&state, bootstrap, &principal, &new.endpoint, (factory.clone(), own, &told)).await?;
        let shown = json!({
            "endpoint": new.endpoint,
            "factory": written(&new.endpoint, &factory, false)["tls"],
            "configuration": without_secrets(&told),
        });
        let mut answer = json!({
            "endpoint": new.endpoint,
            "bootstrap": {"uri": first},
            "server": {"uri": server},
        });
        if let Some(key) = factory_key {
            answer["bootstrap"]["identity"] = new.endpoint.as_str().into();
            answer["bootstrap"]["key"] = key.as_str().into();
        }
        let change = Extension(Change(json!({"after": shown})));
        Ok((StatusCode::CREATED, change, json(&answer)).into_response())
    })
    .await
}

/// Makes the three parts of a device, or none of them.
async fn make(
    state: &ApiState,
    bootstrap: &Bootstrap,
    principal: &Principal,
    endpoint: &str,
    (factory, own, told): (Credential, Credential, &Json),
) -> Result<(), ApiError> {
    let told = Bytes::from(told.to_string());
    let is_known =
        bootstrap.security().get(endpoint).is_some() || bootstrap.configuration(endpoint).is_some();
    if is_known {
        return Err(ApiError::KnownDevice(endpoint.to_owned()));
    }
    if !bootstrap.has_room_for(endpoint, told.len()) || bootstrap.security().len() >= MAX_DEVICES {
        return Err(ApiError::TooManyBootstraps(MAX_DEVICES));
    }
    let records =
        vec![credential_record(endpoint, Some(&factory)), record(endpoint, Some(told.clone()))];
    let name = endpoint.to_owned();
    let put = bootstrap.engine(move |it, now| it.put_credential(now, &name, factory)).await?;
    put.map_err(|error| known_to(principal, error))?;
    let kept = keep(state, principal, endpoint.to_owned(), own, records).await;
    if kept.is_err() {
        let name = endpoint.to_owned();
        bootstrap.engine(move |it, now| it.remove_credential(now, &name)).await?;
        return kept;
    }
    Ok(bootstrap.set(endpoint, Some(told)).await?)
}

/// Sets the credential for the server and keeps all records of the device, in one step of the journal.
async fn keep(
    state: &ApiState,
    principal: &Principal,
    endpoint: String,
    own: Credential,
    records: Vec<lwm2m_link::Record>,
) -> Result<(), ApiError> {
    let name = endpoint.clone();
    let promised = state
        .server()
        .with(move |server, now| {
            if server.security().contains(&name) {
                return Err(ApiError::KnownDevice(name));
            }
            if !server.can_promise() {
                return Err(ApiError::NotKept("the store has failed".to_owned()));
            }
            server.put_credential(now, &name, own)?;
            Ok(server.keep_for_application(records))
        })
        .await?;
    let promised = promised.map_err(|error| match error {
        ApiError::Store(error) => known_to(principal, error),
        error => error,
    })?;
    if let Err(error) = state.server().written(promised).await {
        // What is not kept is not acknowledged, and does not hold either.
        let takes_back = move |server: &mut Server, now| server.remove_credential(now, &endpoint);
        state.server().with(takes_back).await?;
        return Err(ApiError::NotKept(error.to_string()));
    }
    Ok(())
}

/// GET `/api/devices/{ep}`: how far a device has come, without keys.
pub(crate) async fn one(State(state): State<ApiState>, Endpoint(endpoint): Endpoint) -> Answer {
    let bootstrap = bootstrap(&state)?;
    let configuration = bootstrap.configuration(&endpoint);
    let factory = bootstrap.security().get(&endpoint);
    if configuration.is_none() && factory.is_none() {
        return Err(ApiError::NoDevice(endpoint));
    }
    let own = state.server().security().get(&endpoint);
    let tls = |credential: Option<Credential>| {
        credential.map(|it| written(&endpoint, &it, false)["tls"].take())
    };
    Ok(json(&json!({
        "endpoint": endpoint,
        "factory": tls(factory),
        "configuration": configuration.as_ref().map(without_secrets),
        "credential": tls(own),
        "bootstraps": bootstrap.attempts(&endpoint),
        "registered": state.server().directory().get(&endpoint).is_some(),
    })))
}

/// DELETE `/api/devices/{ep}`: takes all three parts of a device away. It is thrown out at once.
pub(crate) async fn remove(State(state): State<ApiState>, Endpoint(endpoint): Endpoint) -> Answer {
    state.may_change_credentials(&endpoint)?;
    finish(async move {
        let bootstrap = bootstrap(&state)?;
        let _turn = bootstrap.begin_change().await;
        let before = bootstrap.configuration(&endpoint);
        if before.is_none() && bootstrap.security().get(&endpoint).is_none() {
            return Err(ApiError::NoDevice(endpoint));
        }
        let records = vec![credential_record(&endpoint, None), record(&endpoint, None)];
        let name = endpoint.clone();
        let promised = state.server().with(move |server, now| {
            server.remove_credential(now, &name);
            server.keep_for_application(records)
        });
        let promised = promised.await?;
        let name = endpoint.clone();
        bootstrap.engine(move |it, now| it.remove_credential(now, &name)).await?;
        bootstrap.set(&endpoint, None).await?;
        let durable = state.server().written(promised).await;
        durable.map_err(|error| ApiError::NotKept(error.to_string()))?;
        let change = Change(json!({"before": before.as_ref().map(without_secrets)}));
        Ok((StatusCode::NO_CONTENT, Extension(change)).into_response())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_and_addresses_without_ports() {
        assert!(
            ["a.example", "192.0.2.1", "[2001:db8::1]", "localhost"].iter().all(|it| is_host(it))
        );
        let long = "a".repeat(254);
        let wrong = ["", "a:1", "a/b", "a b", "[::1", "[a]", "u@h", "ü", "a?x", &*long];
        assert!(!wrong.iter().any(|it| is_host(it)));
    }
}
