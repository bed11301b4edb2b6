//! Our client with `lwm2m coap serve` on several threads: a session outlasts addresses that the
//! kernel gives to other threads.

use super::{established, open, receive};
use lwm2m_dtls::{ClientProfile, ClientSecurity, Config};
use lwm2m_testkit::peer::{Material, SecureMode, SecureTool};
use zeroize::Zeroizing;

/// The kernel assigns all of them to the same one of four threads once in 4^15 runs.
const MOVES: u8 = 16;
/// CoAP's ping and the Reset that answers it, as far as they are the same for each message ID.
const PING: &str = "@\0";
const RESET: &str = "p\0";

#[test]
fn a_session_outlasts_new_addresses() {
    let keys = Material::new("urn:dev:1").unwrap();
    let flags = ["--shards", "4", "--cid", "6"];
    let site = SecureTool::Ours.serve(SecureMode::Psk, &keys, &flags).unwrap();
    let mut client = open(Config::default());
    let profile = ClientProfile::new(ClientSecurity::Psk {
        identity: "urn:dev:1".into(),
        key: Zeroizing::new(b"0123456789abcdef".to_vec()),
    });
    client.connect(site.address("coaps"), profile, None).unwrap();
    let session = established(&mut client).session;
    for number in 0..MOVES {
        client.rebind().unwrap();
        let id = format!("{number:02}");
        client.send(session, &format!("{PING}{id}")).unwrap();
        receive(&mut client, &format!("{RESET}{id}"));
    }
}
