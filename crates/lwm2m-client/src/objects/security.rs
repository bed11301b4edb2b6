//! Object 0, LwM2M Security: one instance a server and one for the bootstrap server (OMA LwM2M
//! Core, Appendix E.1). Only a client that can bootstrap has it.

use super::MemoryObject;
use crate::config::{BootstrapAccount, ServerAccount};
use crate::security::Security;
use lwm2m_core::ObjectInstance;

pub(crate) const ID: u16 = 0;
pub(crate) const URI: u16 = 0;
pub(crate) const BOOTSTRAP: u16 = 1;
pub(crate) const MODE: u16 = 2;
pub(crate) const PUBLIC_KEY: u16 = 3;
pub(crate) const SERVER_KEY: u16 = 4;
pub(crate) const SECRET_KEY: u16 = 5;
pub(crate) const SHORT_SERVER_ID: u16 = 10;
pub(crate) const HOLD_OFF: u16 = 11;
pub(crate) const ACCOUNT_TIMEOUT: u16 = 12;
pub(crate) const MATCHING_TYPE: u16 = 13;
pub(crate) const SNI: u16 = 14;
pub(crate) const CERTIFICATE_USAGE: u16 = 15;
pub(crate) const CIPHER_SUITES: u16 = 16;
pub(crate) const OSCORE: u16 = 17;

/// What a bootstrap server may set, besides what every instance has.
const OPTIONAL: [u16; 8] = [
    SHORT_SERVER_ID,
    HOLD_OFF,
    ACCOUNT_TIMEOUT,
    MATCHING_TYPE,
    SNI,
    CERTIFICATE_USAGE,
    CIPHER_SUITES,
    OSCORE,
];
/// What TLS 1.3 and DTLS 1.3 would have to use: kept for who asks, as no server is talked to by them.
const TLS_1_3: core::ops::RangeInclusive<u16> = 18..=24;
/// The instance of the bootstrap server that the client begins with.
pub(crate) const FIRST_BOOTSTRAP: u16 = 0;

pub(crate) fn object(bootstrap: &BootstrapAccount, servers: &[ServerAccount]) -> MemoryObject {
    let optional = OPTIONAL.into_iter().chain(TLS_1_3);
    let object = optional.fold(MemoryObject::new(ID).fixed(), MemoryObject::optional);
    let object = object.instance(FIRST_BOOTSTRAP, |_| {
        account(&bootstrap.uri, true, &bootstrap.security)
            .with(HOLD_OFF, i64::from(bootstrap.hold_off))
            .with(ACCOUNT_TIMEOUT, i64::from(bootstrap.account_timeout))
    });
    (FIRST_BOOTSTRAP + 1..).zip(servers).fold(object, |object, (id, server)| {
        let ssid = i64::from(server.short_server_id);
        let values = account(&server.uri, false, &server.security);
        object.instance(id, |_| values.with(SHORT_SERVER_ID, ssid))
    })
}

fn account(uri: &str, bootstrap: bool, security: &Security) -> ObjectInstance {
    security.add_to(ObjectInstance::default().with(URI, uri).with(BOOTSTRAP, bootstrap))
}
