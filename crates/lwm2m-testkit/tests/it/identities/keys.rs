//! Raw public keys: each side accepts only the stored key of the other.

use super::register::{register, registered, server};
use super::{Harness, Pair};
use lwm2m_dtls::crypto::{CryptoError, Point, SigningKey};
use lwm2m_dtls::{ClientProfile, ClientSecurity};
use lwm2m_server::Server;
use lwm2m_server::security::{Credential, OwnCredentials, SecurityStore};
use std::sync::Arc;

/// A server whose endpoint `a` has the key `client`.
fn harness_with(own: &Pair, client: &Pair) -> Harness<Server> {
    let own = OwnCredentials::default().raw_key(Arc::clone(&own.key));
    let store = SecurityStore::new(own);
    store.put("a", Credential::raw_public_key(&client.spki).unwrap()).unwrap();
    server(Arc::new(store))
}

fn profile(client: &Arc<dyn SigningKey>, server: &Pair) -> Option<ClientProfile> {
    let (key, server) = (Arc::clone(client), server.spki.clone().into());
    Some(ClientProfile::new(ClientSecurity::RawPublicKey { key, server }))
}

/// A key that signs something other than it is asked to.
#[derive(Debug)]
struct Careless(Arc<dyn SigningKey>);

impl SigningKey for Careless {
    fn public_key(&self) -> Point {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.0.sign(&[message, &[0]].concat())
    }
}

// proves: RPK-03
#[test]
fn only_the_stored_keys_are_accepted() {
    let (own, client, other) = (Pair::new(), Pair::new(), Pair::new());
    let mut harness = harness_with(&own, &client);
    let careless: Arc<dyn SigningKey> = Arc::new(Careless(Arc::clone(&client.key)));
    let wrong = [
        ("another client key", profile(&other.key, &own)),
        ("another server key", profile(&client.key, &other)),
        ("a signature of something else", profile(&careless, &own)),
    ];
    for (what, profile) in wrong {
        let device = harness.device(profile);
        assert!(harness.ask_unanswered(device, register(Some("a"))), "{what}");
    }
    let right = harness.device(profile(&client.key, &own));
    registered(&mut harness, right, "a");
    // The client refuses a server with such a key, too.
    let careless = Pair { key: Arc::new(Careless(Arc::clone(&own.key))), spki: own.spki.clone() };
    let mut harness = harness_with(&careless, &client);
    let device = harness.device(profile(&client.key, &own));
    assert!(harness.ask_unanswered(device, register(Some("a"))));
}
