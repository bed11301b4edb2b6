//! Sessions on sockets: DTLS and TLS with a pre-shared key.

use crate::harness::{Echo, PATIENCE, V4, V6};
use lwm2m_coap::uri::Scheme;
use lwm2m_coap::{Config, Request};
use lwm2m_dtls::{ClientProfile, ClientSecurity, Credentials};
use lwm2m_net::Sockets;
use lwm2m_net::coap::{Answer, CoapClient, CoapError, Security};
use lwm2m_net::service::{CoapServer, ServiceConfig};
use lwm2m_net::uri::Remote;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::time::timeout;
use zeroize::Zeroizing;

struct Keys;

impl Credentials for Keys {
    fn uses_psk(&self) -> bool {
        true
    }
    fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        (identity == b"device").then(|| Zeroizing::new(b"a shared secret.".to_vec()))
    }
}

pub(crate) async fn serve(ip: IpAddr) -> CoapServer<Echo> {
    let free = SocketAddr::new(ip, 0);
    let sockets = Sockets { dtls: Some(free), tls: Some(free), ..Sockets::from(free) };
    let mut security = lwm2m_dtls::Config::default();
    security.credentials = Some(Arc::new(Keys));
    let config = ServiceConfig { security: Some(security), ..ServiceConfig::default() };
    CoapServer::bind(sockets, config, [5; 32], Echo).await.unwrap()
}

pub(crate) fn security(identity: &'static str) -> Security {
    let key = Zeroizing::new(b"a shared secret.".to_vec());
    let profile = ClientProfile::new(ClientSecurity::Psk { identity: identity.into(), key });
    Security { config: lwm2m_dtls::Config::default(), profile: Arc::new(profile) }
}

async fn client(ip: IpAddr, identity: &'static str) -> CoapClient {
    let (sockets, security) = (Sockets::client(ip.is_ipv6()), security(identity));
    CoapClient::bind_secured(sockets, Config::default(), security, [6; 32]).await.unwrap()
}

async fn ask(client: &CoapClient, server: Remote, request: Request) -> Answer {
    let mut answers = client.request(server, request).await.unwrap();
    timeout(PATIENCE, answers.recv()).await.unwrap().unwrap()
}

/// The addresses of coaps and coaps+tcp.
fn secured(server: &CoapServer<Echo>) -> [Remote; 2] {
    let dtls = server.local().dtls.unwrap();
    let tls = server.local().tls.unwrap();
    [
        Remote { scheme: Scheme::Coaps, address: dtls },
        Remote { scheme: Scheme::CoapsTcp, address: tls },
    ]
}

#[tokio::test]
async fn bodies_go_both_ways_over_both_transports_and_families() {
    for ip in [V4, V6] {
        let server = serve(ip).await;
        let client = client(ip, "device").await;
        for remote in secured(&server) {
            for size in [1, 1_000, 100 << 10] {
                let body = vec![b'x'; size];
                let answer = ask(&client, remote, Request::put().payload(body.clone())).await;
                let Answer::Response(response) = answer else { panic!("{size}: {answer:?}") };
                assert!(response.payload == body, "{size}: {} came back", response.payload.len());
            }
        }
    }
}

#[tokio::test]
async fn bodies_go_both_ways_in_short_records() {
    let server = serve(V4).await;
    let [dtls, tls] = secured(&server);
    for code in [1, 2] {
        let mut security = security("device");
        let mut profile = (*security.profile).clone();
        profile.max_fragment_length = Some(code);
        security.profile = Arc::new(profile);
        let sockets = Sockets::client(false);
        let client = CoapClient::bind_secured(sockets, Config::default(), security, [6; 32]).await;
        let client = client.unwrap();
        for (remote, size) in [(dtls, 1_000), (tls, 1_000), (dtls, 20_000), (tls, 20_000)] {
            let body = vec![b'x'; size];
            let answer = ask(&client, remote, Request::put().payload(body.clone())).await;
            let Answer::Response(response) = answer else { panic!("{remote:?}: {answer:?}") };
            assert!(response.payload == body, "{remote:?}: {} came back", response.payload.len());
        }
    }
}

#[tokio::test]
async fn who_is_not_known_is_told_why() {
    let server = serve(V4).await;
    let client = client(V4, "stranger").await;
    for remote in secured(&server) {
        let answer = ask(&client, remote, Request::get()).await;
        let Answer::NoSession(why) = answer else { panic!("{answer:?}") };
        assert!(why.contains("unknown_psk_identity"), "{why}");
    }
}

#[tokio::test]
async fn without_keys_there_is_no_session_and_no_other_way_in() {
    let server = serve(V4).await;
    let plain = CoapClient::bind(SocketAddr::new(V4, 0), Config::default(), [7; 32]).await.unwrap();
    let [dtls, _] = secured(&server);
    let refused = plain.request(dtls, Request::get()).await;
    assert!(matches!(refused, Err(CoapError::NoKeys)), "{refused:?}");
}
