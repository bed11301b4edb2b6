//! Object 0, LwM2M Security: one instance a server and one for the bootstrap server (OMA LwM2M
//! Core, Appendix E.1). Only a client that can bootstrap has it.

use crate::config::{BootstrapAccount, ServerAccount};
use crate::instances::Instances;
use bytes::Bytes;
use lwm2m_core::ObjectInstance;

pub(crate) const ID: u16 = 0;
pub(crate) const URI: u16 = 0;
pub(crate) const BOOTSTRAP: u16 = 1;
pub(crate) const MODE: u16 = 2;
pub(crate) const SHORT_SERVER_ID: u16 = 10;
pub(crate) const HOLD_OFF: u16 = 11;
pub(crate) const ACCOUNT_TIMEOUT: u16 = 12;

/// The security mode without security.
pub(crate) const NO_SEC: i64 = 3;
/// The instance of the bootstrap server that the client begins with.
pub(crate) const FIRST_BOOTSTRAP: u16 = 0;

pub(crate) fn object(bootstrap: &BootstrapAccount, servers: &[ServerAccount]) -> Instances {
    let object = Instances::new(ID)
        .fixed()
        .optional(SHORT_SERVER_ID)
        .optional(HOLD_OFF)
        .optional(ACCOUNT_TIMEOUT)
        .instance(FIRST_BOOTSTRAP, |_| {
            account(&bootstrap.uri, true)
                .with(HOLD_OFF, i64::from(bootstrap.hold_off))
                .with(ACCOUNT_TIMEOUT, i64::from(bootstrap.account_timeout))
        });
    (FIRST_BOOTSTRAP + 1..).zip(servers).fold(object, |object, (id, server)| {
        let ssid = i64::from(server.short_server_id);
        object.instance(id, |_| account(&server.uri, false).with(SHORT_SERVER_ID, ssid))
    })
}

fn account(uri: &str, bootstrap: bool) -> ObjectInstance {
    let keys = 3..=5_u16;
    let values =
        ObjectInstance::default().with(URI, uri).with(BOOTSTRAP, bootstrap).with(MODE, NO_SEC);
    keys.fold(values, |values, key| values.with(key, Bytes::new()))
}
