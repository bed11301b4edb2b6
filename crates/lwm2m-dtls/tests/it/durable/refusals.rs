//! What is torn, foreign, revoked or open is not restored.

use super::{Node, Nodes, OnDisk, Way};
use crate::support::{IDENTITY, KEY, Store, x509_store};
use lwm2m_dtls::{Config, Credentials, Endpoint, Error, SessionId, TicketKey};
use proptest::prelude::*;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Two sessions as a store has them, of a server that restarts.
fn two_sessions(way: Way) -> (Node, [OnDisk; 2]) {
    let [first, second] = [1, 2].map(|seed| {
        let mut nodes = Nodes::new(way);
        nodes.server.endpoint = Endpoint::new(nodes.server.config.clone(), [seed; 32]);
        let [_, session] = nodes.connect();
        nodes.server.write(session, None);
        nodes.server.commit(nodes.now, 1);
        nodes.server
    });
    let on_disk = |node: &Node| node.disk.sessions.values().next().expect("written").clone();
    let both = [on_disk(&first), on_disk(&second)];
    let mut node = first;
    node.disk.sessions.clear();
    node.crash();
    (node, both)
}

fn restore(endpoint: &mut Endpoint, sealed: &[u8], counters: &[u8]) -> Result<SessionId, Error> {
    endpoint.restore(sealed, counters).map(|restored| restored.session)
}

#[test]
fn torn_and_foreign_values_are_refused_and_the_right_ones_are_not() {
    let (mut node, [one, other]) = two_sessions(Way { mode: 0, has_cids: true });
    let mut refused = |sealed: &[u8], counters: &[u8]| {
        assert_eq!(restore(&mut node.endpoint, sealed, counters), Err(Error::ImportRefused));
    };
    refused(&one.sealed, &other.counters);
    refused(&one.counters, &one.sealed);
    for length in 0..one.sealed.len() {
        refused(&one.sealed[..length], &one.counters);
    }
    for length in 0..one.counters.len() {
        refused(&one.sealed, &one.counters[..length]);
    }
    for index in 0..one.sealed.len() {
        let mut torn = one.sealed.clone();
        torn[index..].copy_from_slice(&other.sealed[index..]);
        if index > 0 {
            refused(&torn, &one.counters);
        }
        let mut altered = one.sealed.clone();
        altered[index] ^= 1;
        refused(&altered, &one.counters);
    }
    // A session of the other side, an export, and bytes of another purpose.
    let profile = Way { mode: 0, has_cids: true }.profile();
    let client = node.endpoint.restore_client(&one.sealed, &one.counters, &profile);
    assert!(matches!(client, Err(Error::ImportRefused)));
    let session =
        restore(&mut node.endpoint, &one.sealed, &one.counters).expect("as it was written");
    assert_eq!(restore(&mut node.endpoint, &one.sealed, &one.counters), Err(Error::AlreadyOpen));
    let key = TicketKey::new([5; 16]);
    assert_eq!(node.endpoint.import(&one.sealed, &key), Err(Error::ImportRefused));
    let exported = node.endpoint.export(session, &key).expect("open");
    assert_eq!(restore(&mut node.endpoint, &exported, &one.counters), Err(Error::ImportRefused));
    for other_key in [Some(TicketKey::new([6; 16])), None] {
        node.config.durable_sessions = other_key;
        let mut endpoint = Endpoint::new(node.config.clone(), [9; 32]);
        assert_eq!(restore(&mut endpoint, &one.sealed, &one.counters), Err(Error::ImportRefused));
    }
}

#[test]
fn restored_sessions_count_and_the_lengths_of_their_ids_must_fit() {
    let (mut node, [one, other]) = two_sessions(Way { mode: 0, has_cids: true });
    node.config.max_sessions = 1;
    node.crash();
    restore(&mut node.endpoint, &one.sealed, &one.counters).expect("room for one");
    let second = restore(&mut node.endpoint, &other.sealed, &other.counters);
    assert_eq!(second, Err(Error::TooManySessions));
    node.config.connection_ids = None;
    node.crash();
    let without_ids = restore(&mut node.endpoint, &one.sealed, &one.counters);
    assert_eq!(without_ids, Err(Error::ImportRefused));
}

#[test]
fn a_session_that_has_ended_is_not_restored_in_its_endpoint() {
    let (mut node, [one, _]) = two_sessions(Way { mode: 0, has_cids: true });
    let session =
        restore(&mut node.endpoint, &one.sealed, &one.counters).expect("as it was written");
    node.endpoint.close(session).expect("open");
    assert_eq!(restore(&mut node.endpoint, &one.sealed, &one.counters), Err(Error::AlreadyOpen));
}

/// A store whose credentials have a generation.
struct Generation(u64, Store);

impl Credentials for Generation {
    fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.1.psk(identity)
    }
    fn uses_psk(&self) -> bool {
        true
    }
    fn generation(&self, _: &lwm2m_dtls::Identity) -> u64 {
        self.0
    }
}

// proves: SEC-35
#[test]
fn a_credential_that_was_changed_or_removed_meanwhile_ends_its_sessions() {
    let psk =
        |key: &[u8]| Store { psk: [(IDENTITY.to_vec(), key.to_vec())].into(), ..Store::default() };
    let changes: [Arc<dyn Credentials>; 4] = [
        Arc::new(psk(b"another key")),
        Arc::new(Store::default()),
        Arc::new(x509_store()),
        // It was removed and put again.
        Arc::new(Generation(1, psk(KEY))),
    ];
    let (mut node, [one, _]) = two_sessions(Way { mode: 0, has_cids: false });
    let mut with = |credentials| {
        node.config.credentials = Some(credentials);
        node.crash();
        restore(&mut node.endpoint, &one.sealed, &one.counters)
    };
    for change in changes {
        assert_eq!(with(change), Err(Error::CredentialChanged));
    }
    assert!(with(Arc::new(Generation(0, psk(KEY)))).is_ok());
    // Raw public keys and certificates.
    let (mut node, [one, _]) = two_sessions(Way { mode: 1, has_cids: false });
    node.config.credentials = Some(Arc::new(x509_store()));
    node.crash();
    let restored = restore(&mut node.endpoint, &one.sealed, &one.counters);
    assert_eq!(restored, Err(Error::CredentialChanged));
    let (mut node, [one, _]) = two_sessions(Way { mode: 2, has_cids: false });
    node.config.credentials = Some(Arc::new(Store { authorities: Vec::new(), ..x509_store() }));
    node.crash();
    let restored = restore(&mut node.endpoint, &one.sealed, &one.counters);
    assert_eq!(restored, Err(Error::CredentialChanged));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_do_harm(sealed in prop::collection::vec(any::<u8>(), 0..300), counters: Vec<u8>) {
        let mut endpoint = Endpoint::new(super::durable(Config::default()), [1; 32]);
        prop_assert!(endpoint.restore(&sealed, &counters).is_err());
    }
}
