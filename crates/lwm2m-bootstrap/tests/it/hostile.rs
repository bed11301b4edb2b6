//! Bytes of chance: no panic, and no more state than the configuration allows.

use crate::harness::commands;
use lwm2m_bootstrap::{BootstrapServer, Config};
use lwm2m_coap::{MessageBuilder, MessageType, OptionNumber, Options, Token};
use lwm2m_link::{Engine, Input};
use lwm2m_time::Instant;
use proptest::prelude::*;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

fn stranger(port: u16) -> SocketAddr {
    (Ipv4Addr::new(198, 51, 100, 9), port).into()
}

fn server() -> BootstrapServer {
    let config = Config { max_sessions: 2, ..Config::default() };
    let mut server = BootstrapServer::new(config, [7; 32]);
    ["a", "b", "c"].into_iter().for_each(|name| server.configure(name, commands()));
    server
}

/// Gives datagrams to a server, then time, until it has forgotten all who sent them.
fn survives(datagrams: &[(u16, Vec<u8>)]) {
    let mut server = server();
    let mut now = Instant::ZERO;
    for (port, datagram) in datagrams {
        server.handle(now, Input::datagram(stranger(*port), datagram));
        while server.poll().is_some() {}
    }
    let end = now + Duration::from_secs(1_000);
    while let Some(next) = server.poll_timeout().filter(|next| *next <= end) {
        now = now.max(next);
        server.handle(now, Input::Timeout);
        while server.poll().is_some() {}
    }
    assert_eq!(server.peer_count(), 0);
}

fn request(id: u16, code: u8, path: &str, queries: &[String], accept: u16) -> Vec<u8> {
    let mut options = Options::new();
    options.push(OptionNumber::URI_PATH, path.as_bytes());
    for query in queries {
        options.push(OptionNumber::URI_QUERY, query.as_bytes());
    }
    options.push_uint(OptionNumber::ACCEPT, accept.into());
    let (mut buffer, kind) = (Vec::new(), MessageType::Confirmable);
    let code = lwm2m_coap::Code::from_byte(code);
    MessageBuilder::new(&mut buffer, kind, code, id, Token::EMPTY).options(&options);
    buffer
}

/// Requests that anyone can send in the name of any address, who knows no endpoint.
fn requests() -> Vec<Vec<u8>> {
    let ask = |code: u8, path: &str, query: &[&str], accept| {
        let query: Vec<String> = query.iter().map(ToString::to_string).collect();
        request(7, code, path, &query, accept)
    };
    let est = |last: &str| {
        let mut options = Options::new();
        [".well-known", "est", last]
            .iter()
            .for_each(|segment| options.push(OptionNumber::URI_PATH, segment.as_bytes()));
        let (mut buffer, kind) = (Vec::new(), MessageType::Confirmable);
        let code = if last == "crts" { lwm2m_coap::Code::GET } else { lwm2m_coap::Code::POST };
        MessageBuilder::new(&mut buffer, kind, code, 7, Token::EMPTY).options(&options);
        buffer
    };
    vec![
        vec![0x40, 0, 0, 7],
        vec![0x40, 1, 0, 7],
        vec![0x50, 1, 0, 7],
        vec![0x44, 1, 0, 7, 1, 2, 3, 4],
        vec![0x40, 1, 0, 7, 0xFF],
        vec![0x4F, 1, 0, 7],
        vec![0x40, 0x45, 0, 7, 0x60],
        ask(1, "x", &[], 112),
        ask(1, "bs", &[], 112),
        ask(2, "bs", &[], 112),
        ask(2, "bs", &["ep="], 112),
        ask(2, "bs", &["ep=nobody"], 112),
        ask(2, "bs", &["ep=a", "pct=9999"], 112),
        ask(1, "bspack", &["ep=nobody"], 112),
        ask(1, "bspack", &["ep=a"], 9_999),
        est("crts"),
        est("sen"),
        est("sren"),
    ]
}

/// The bytes that the server sends to a stranger who sends this once and nothing else.
fn reflected(datagram: &[u8]) -> usize {
    let (mut server, mut now, mut sent) = (server(), Instant::ZERO, 0);
    server.handle(now, Input::datagram(stranger(1), datagram));
    loop {
        while let Some(output) = server.poll() {
            if let lwm2m_link::Output::Transmit(transmit) = output {
                sent += transmit.payload.len();
            }
        }
        let Some(next) = server.poll_timeout() else { return sent };
        now = now.max(next);
        server.handle(now, Input::Timeout);
    }
}

// proves: COAP-25
#[test]
fn forged_addresses_get_no_more_bytes_than_were_sent() {
    for datagram in requests() {
        let sent = reflected(&datagram);
        assert!(sent <= datagram.len(), "{datagram:02x?}: {} in, {sent} out", datagram.len());
    }
}

/// Without credentials the name alone opens a bootstrap. Who knows one gets the first command at a
/// forged address, as often as CoAP sends it, and nothing after it.
#[test]
fn who_knows_an_endpoint_without_credentials_gets_one_command_at_most() {
    let ask = |code, path| request(7, code, path, &["ep=a".to_owned()], 112);
    let command = 16;
    let bound = 5 * command + 16;
    assert!(reflected(&ask(2, "bs")) <= bound, "{}", reflected(&ask(2, "bs")));
}

proptest! {
    #[test]
    fn random_datagrams(datagrams in proptest::collection::vec(
        (0_u16..4, proptest::collection::vec(any::<u8>(), 0..64)), 1..8)) {
        survives(&datagrams);
    }

    #[test]
    fn random_requests(requests in proptest::collection::vec(
        (
            0_u16..4,
            1_u8..8,
            prop_oneof![Just("bs"), Just("bspack"), Just("rd")],
            proptest::collection::vec("(ep|pct|acc)=(a|b|c|112|9999|.{0,8})", 0..4),
            prop_oneof![Just(110_u16), Just(11_544), any::<u16>()],
            any::<usize>(),
        ), 1..12)) {
        let datagrams = requests.into_iter().zip(0..).map(|(it, id)| {
            let (port, code, path, queries, accept, flip) = it;
            let mut datagram = request(id, code, path, &queries, accept);
            // Every other one is broken in one bit.
            if flip % 2 == 1 {
                let place = flip / 16 % datagram.len();
                datagram[place] ^= 1 << (flip / 2 % 8);
            }
            (port, datagram)
        });
        survives(&datagrams.collect::<Vec<_>>());
    }
}
