//! Parameters by peer.

use crate::pair::{Ack, Con, Lone, PEER, message};
use core::time::Duration;
use lwm2m_coap::{
    BlockSize, Code, Config, Error, OptionNumber, PeerId, PeerParameters, Request, Response,
    TransmissionParameters,
};
use std::sync::Arc;

const SECOND: Duration = Duration::from_secs(1);

fn get() -> Request {
    Request::get().path(["3", "0", "0"])
}

/// A distant peer with little memory.
fn slow() -> Arc<PeerParameters> {
    let transmission = TransmissionParameters::default()
        .ack_timeout(10 * SECOND)
        .ack_random_factor(1_000)
        .max_retransmit(1)
        .nstart(2);
    let own = PeerParameters::default().transmission(transmission);
    Arc::new(own.preferred_block_size(BlockSize::B64))
}

#[test]
fn a_peer_has_its_own_timing() {
    let mut lone = Lone::new();
    lone.endpoint.set_parameters(PEER, slow()).unwrap();
    let start = lone.now;
    lone.ask(get());
    // NSTART is 2: the second request is sent at once, the third waits.
    lone.ask(get());
    lone.endpoint.request(lone.now, PEER, get()).unwrap();
    assert_eq!(lone.sent(), []);
    lone.endpoint.request(lone.now, PeerId(8), get()).unwrap();
    lone.sent_one();
    let resent = lone.pass(29 * SECOND);
    let at: Vec<_> = resent.iter().map(|(at, _)| *at - start).collect();
    assert_eq!(at.iter().filter(|at| **at == 10 * SECOND).count(), 2);
    // The other peer has got three retransmissions by then.
    assert_eq!(at.len(), 2 + 3);
    lone.pass(SECOND);
    assert_eq!(lone.events().len(), 2);
}

#[test]
fn a_peer_has_its_own_block_size_in_both_directions() {
    let mut lone = Lone::new();
    lone.endpoint.set_parameters(PEER, slow()).unwrap();
    lone.receive(&message(Con, Code::GET, 1, &[1]).path("3/0"));
    let answer = lone.answer(Response::new(Code::CONTENT).payload(vec![1; 100])).remove(0);
    assert_eq!(answer.block_value(OptionNumber::BLOCK2), Some((0, true, 2)));
    let (_, request) = lone.ask(Request::put().payload(vec![1; 100]));
    assert_eq!(request.block_value(OptionNumber::BLOCK1), Some((0, true, 2)));
    assert_eq!(request.payload.len(), 64);
}

#[test]
fn parameters_survive_idleness_and_end_with_the_peer() {
    let mut lone = Lone::with(Config::default().max_peers(1));
    lone.endpoint.set_parameters(PEER, slow()).unwrap();
    let other = lone.endpoint.set_parameters(PeerId(8), slow());
    assert_eq!(other, Err(Error::TooManyPeers(PeerId(8))));
    let wish = |lone: &mut Lone| {
        let (_, request) = lone.ask(get());
        lone.receive(&message(Ack, Code::CONTENT, request.id, request.token.as_bytes()));
        request.block_value(OptionNumber::BLOCK2)
    };
    assert_eq!(wish(&mut lone), Some((0, false, 2)));
    lone.pass(600 * SECOND);
    assert!(lone.endpoint.is_idle(PEER));
    assert_eq!(wish(&mut lone), Some((0, false, 2)));
    lone.endpoint.remove_peer(PEER);
    assert_eq!(wish(&mut lone), None);
    lone.endpoint.set_parameters(PEER, slow()).unwrap();
    lone.endpoint.reset_parameters(PEER);
    assert_eq!(wish(&mut lone), None);
}
