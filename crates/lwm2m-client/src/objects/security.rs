//! Object 0, LwM2M Security: one instance a server and one for the bootstrap server (OMA LwM2M
//! Core, Appendix E.1). Only a client that can bootstrap has it.

use super::MemoryObject;
use super::security_ids::{
    ACCOUNT_TIMEOUT, BOOTSTRAP, CERTIFICATE_USAGE, CIPHER_SUITES, HOLD_OFF, ID, MATCHING_TYPE,
    OSCORE, SHORT_SERVER_ID, SNI, URI,
};
use crate::config::{BootstrapAccount, ServerAccount};
use crate::security::Security;
use lwm2m_core::ObjectInstance;

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
