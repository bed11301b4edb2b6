//! Sensors of one kind and their server, for simulations of what outlives crashes and moves.

use lwm2m_client::{MemoryObject, Object};
use lwm2m_core::{ObjectVersion, Path};
use lwm2m_credentials::{Credential, OwnCredentials, SecurityStore};
use lwm2m_dtls::{CidRoute, RoutingCids};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

pub(crate) const SERVER: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5683);
pub(crate) const KEY: &[u8] = b"0123456789abcdef";
pub(crate) const SENSOR: u16 = 3303;
pub(crate) const VALUE: Path = Path::resource(SENSOR, 0, 5700);
pub(crate) const TEXT: Path = Path::resource(SENSOR, 0, 5750);

/// The Device object, and a sensor that `make` completes.
pub(crate) fn objects(
    text: &str,
    make: impl FnOnce(MemoryObject) -> MemoryObject,
) -> Vec<Box<dyn Object>> {
    let sensor = MemoryObject::new(SENSOR)
        .version(ObjectVersion::new(1, 1))
        .instance(0, |it| it.with(5700, 0.0).with(5750, text));
    let mandatory = MemoryObject::new(3)
        .instance(0, |it| it.with(16, "U").with_multiple(11, [(0, 0i64)]))
        .on_execute(4, |_, _| Ok(()));
    vec![Box::new(mandatory), Box::new(make(sensor))]
}

/// A server that knows devices by their names and [`KEY`], with Connection IDs or without.
pub(crate) fn with_keys(
    config: lwm2m_server::Config,
    names: impl IntoIterator<Item = String>,
    mut dtls: lwm2m_dtls::Config,
    with_ids: bool,
) -> lwm2m_server::Config {
    let store = SecurityStore::new(OwnCredentials::default());
    for name in names {
        store.put(&name, Credential::psk(name.as_bytes(), KEY).unwrap()).unwrap();
    }
    if with_ids {
        dtls.connection_ids = Some(Arc::new(RoutingCids::new(CidRoute::default(), 6)));
    }
    config.security(Arc::new(store)).dtls(Some(dtls))
}
