//! Bytes of chance: no panic, and nothing changes.

use crate::harness::{Harness, address, config, get, objects};
use lwm2m_client::{BootstrapAccount, Config};
use lwm2m_coap::{MessageBuilder, MessageType, OptionNumber, Options, Token};
use proptest::prelude::*;

fn fingerprint(harness: &mut Harness) -> Vec<u8> {
    let mut all = Vec::new();
    for object in ["1", "3", "6", "16", "3302", "3303", "3442"] {
        all.extend(harness.ask(get(object).accept(112)).payload);
    }
    all
}

fn request(code: u8, path: &[u16], format: u16, payload: &[u8]) -> Vec<u8> {
    let mut options = Options::new();
    for id in path {
        options.push(OptionNumber::URI_PATH, id.to_string().as_bytes());
    }
    options.push_uint(OptionNumber::CONTENT_FORMAT, format.into());
    let mut buffer = Vec::new();
    MessageBuilder::new(
        &mut buffer,
        MessageType::Confirmable,
        lwm2m_coap::Code::from_byte(code),
        7,
        Token::EMPTY,
    )
    .options(&options)
    .payload(payload);
    buffer
}

proptest! {
    #[test]
    fn random_datagrams(datagrams in proptest::collection::vec(
        proptest::collection::vec(any::<u8>(), 0..64), 1..8)) {
        let mut harness = Harness::registered(config());
        let before = fingerprint(&mut harness);
        for datagram in datagrams {
            harness.sim.inject(harness.client, address(0), false, &datagram);
        }
        prop_assert_eq!(fingerprint(&mut harness), before);
    }

    #[test]
    fn random_payloads(
        code in 1_u8..8,
        path in proptest::collection::vec(prop_oneof![
            Just(1), Just(3), Just(0), Just(16), Just(3442), any::<u16>()], 0..5),
        format in prop_oneof![
            Just(0_u16), Just(42), Just(60), Just(110), Just(112), Just(11542), any::<u16>()],
        payload in proptest::collection::vec(any::<u8>(), 0..40),
        flip in any::<usize>(),
    ) {
        let mut harness = Harness::registered(config());
        let mut datagram = request(code, &path, format, &payload);
        let place = flip % datagram.len();
        datagram[place] ^= 1 << (flip % 8);
        harness.sim.inject(harness.client, address(0), false, &datagram);
        harness.settle();
        harness.run(300.0);
    }

    /// Whatever a bootstrap server sends, its account and the device stay.
    #[test]
    fn random_commands(
        code in 1_u8..8,
        path in proptest::collection::vec(prop_oneof![
            Just(0), Just(1), Just(3), Just(16), any::<u16>()], 0..5),
        format in prop_oneof![Just(0_u16), Just(110), Just(112), Just(11542), any::<u16>()],
        payload in proptest::collection::vec(any::<u8>(), 0..40),
        flip in any::<usize>(),
    ) {
        let account = BootstrapAccount::new(address(0));
        let mut harness = Harness::new(Config::new("test").bootstrap(account), objects());
        harness.start();
        let mut datagram = request(code, &path, format, &payload);
        let place = flip % datagram.len();
        datagram[place] ^= 1 << (flip % 8);
        harness.sim.inject(harness.client, address(0), false, &datagram);
        harness.settle();
        let links = harness.discover("/");
        prop_assert!(links.contains("</0/0>") && links.contains("</3/0>"), "{}", links);
        harness.run(300.0);
    }

    /// Requests from anyone but a registered server change nothing and are not answered.
    #[test]
    fn strangers(code in 1_u8..8, payload in proptest::collection::vec(any::<u8>(), 0..20)) {
        let mut harness = Harness::registered(config());
        let before = fingerprint(&mut harness);
        let datagram = request(code, &[1, 0, 1], 0, &payload);
        harness.sim.network.capture = Some(Vec::new());
        harness.sim.inject(harness.client, address(9), false, &datagram);
        harness.run(5.0);
        let sent = harness.sim.network.capture.take().unwrap();
        prop_assert!(sent.iter().all(|it| it.to != address(9)), "{:?}", sent);
        prop_assert_eq!(fingerprint(&mut harness), before);
    }
}
