//! What senders get that have proven nothing.

use crate::pair::{Ack, Con, Lone, Message, Non, PEER, message};
use core::time::Duration;
use lwm2m_coap::{
    Admit, Code, Config, Event, OptionNumber, Options, PeerId, Request, Response, Sender, Token,
    TransmissionParameters, Unanswered, write_frame,
};

const BLOCK1: OptionNumber = OptionNumber::BLOCK1;

/// Hands a message in as one of a sender, and returns what is sent.
fn from(lone: &mut Lone, peer: PeerId, sender: Sender, message: &Message) -> Vec<Message> {
    lone.endpoint.handle_from(lone.now, peer, sender, &message.bytes(), Admit::All);
    lone.sent()
}

/// The request that the application has to answer.
fn refuse(lone: &mut Lone) -> Vec<Message> {
    let refusal = Response::new(Code::NOT_FOUND).max_age(60).payload("there is no such resource");
    lone.answer(refusal)
}

#[test]
fn a_refused_stranger_leaves_nothing_and_gets_no_more_than_it_sent() {
    for kind in [Con, Non] {
        let mut lone = Lone::new();
        for id in 0..1_000 {
            let request = message(kind, Code::GET, id, b"");
            assert_eq!(from(&mut lone, PEER, Sender::Stranger, &request), []);
            let sent = refuse(&mut lone);
            assert_eq!((sent.len(), sent[0].code), (1, Code::NOT_FOUND));
            assert!(sent[0].bytes().len() <= request.bytes().len(), "{sent:?}");
            assert!(lone.endpoint.is_idle(PEER));
        }
        assert_eq!(lone.endpoint.poll_timeout(), None);
        // The endpoint's own refusals are alike.
        let critical = message(Con, Code::GET, 1, b"").uint(OptionNumber(65_001), 1);
        let sent = from(&mut lone, PEER, Sender::Stranger, &critical);
        assert_eq!((sent[0].code, sent[0].payload.len()), (Code::BAD_OPTION, 0));
        assert!(lone.endpoint.is_idle(PEER));
    }
}

#[test]
fn others_get_the_reason_and_the_same_answer_again() {
    for sender in [Sender::Known, Sender::Proven] {
        let mut lone = Lone::new();
        let request = message(Con, Code::GET, 1, b"");
        from(&mut lone, PEER, sender, &request);
        let first = refuse(&mut lone);
        assert!(!first[0].payload.is_empty());
        assert_eq!(from(&mut lone, PEER, sender, &request), first);
        assert_eq!(lone.events(), []);
    }
}

#[test]
fn what_a_stranger_has_changed_is_not_done_twice() {
    let mut lone = Lone::new();
    let request = message(Con, Code::POST, 1, b"").path("rd");
    from(&mut lone, PEER, Sender::Stranger, &request);
    let first = lone.answer(Response::new(Code::CREATED));
    assert_eq!(from(&mut lone, PEER, Sender::Stranger, &request), first);
    assert_eq!(lone.events(), []);
}

#[test]
fn bodies_of_plain_peers_do_not_evict_those_of_sessions() {
    let room = 64 * 1_024;
    let mut lone = Lone::with(Config::default().max_assembly_total(room));
    let block = |number: u64, id| {
        let option = number << 4 | 8 | 6;
        message(Con, Code::PUT, id, b"").path("5").uint(BLOCK1, option).payload(&[1; 1_024])
    };
    // Of bodies of one moment, those of the last peer are evicted last.
    let [proven, plain] = [PEER, PeerId(9_999)];
    let accepted = from(&mut lone, proven, Sender::Proven, &block(0, 1));
    assert_eq!(accepted[0].code, Code::CONTINUE);
    for number in 0..1_000 {
        let peer = PeerId(1_000 + number);
        from(&mut lone, peer, Sender::Stranger, &block(0, 1));
        from(&mut lone, plain, Sender::Known, &block(number, number as u16));
    }
    let accepted = from(&mut lone, proven, Sender::Proven, &block(1, 2));
    assert_eq!(accepted[0].code, Code::CONTINUE, "it goes on");
    // And the other way round: each has half of the room.
    let accepted = from(&mut lone, plain, Sender::Known, &block(0, 5_000));
    assert_eq!(accepted[0].code, Code::CONTINUE);
    for number in 0..1_000 {
        from(&mut lone, PeerId(5_000 + number), Sender::Proven, &block(0, 1));
    }
    let accepted = from(&mut lone, plain, Sender::Known, &block(1, 5_001));
    assert_eq!(accepted[0].code, Code::CONTINUE);
}

#[test]
fn bodies_on_plain_connections_do_not_evict_those_of_sessions() {
    let mut lone = Lone::with(Config::default().max_assembly_total(64 * 1_024));
    let block = |number: u64| {
        let message = message(Con, Code::PUT, u16::try_from(number).unwrap(), b"").path("5");
        message.uint(BLOCK1, number << 4 | 8 | 6).payload(&[1; 1_024])
    };
    let accepted = from(&mut lone, PEER, Sender::Proven, &block(0));
    assert_eq!(accepted[0].code, Code::CONTINUE);
    for number in 0..200 {
        let (now, peer) = (lone.now, PeerId(1_000 + number));
        lone.endpoint.connected(now, peer).unwrap();
        let mut stream = Vec::new();
        write_frame(&mut stream, Code::CSM, Token::EMPTY, &Options::new(), b"");
        let mut options = Options::new();
        options.push(OptionNumber::URI_PATH, b"5");
        options.push_uint(OptionNumber::BLOCK1, 8 | 6);
        write_frame(&mut stream, Code::PUT, Token::EMPTY, &options, &[1; 1_024]);
        lone.endpoint.handle_stream_from(now, peer, Sender::Known, &stream);
        while lone.endpoint.poll_transmit().is_some() {}
    }
    let accepted = from(&mut lone, PEER, Sender::Proven, &block(1));
    assert_eq!(accepted[0].code, Code::CONTINUE, "it goes on");
}

#[test]
fn a_request_is_not_sent_more_often_because_its_peer_moves() {
    let mut lone = Lone::new();
    let id = lone.endpoint.request(lone.now, PEER, Request::get()).unwrap();
    let mut sent = lone.sent().len();
    for move_to in 0..100 {
        assert!(lone.endpoint.rebind(lone.now, PEER, PeerId(100 + move_to)));
        sent += lone.sent().len();
    }
    sent += lone.pass(Duration::from_secs(200)).len();
    let most = TransmissionParameters::default().max_retransmit + 1;
    assert_eq!(sent, most as usize);
    let failed = |it: &Event| matches!(it, Event::Failed { id: of, .. } if *of == id);
    assert!(lone.events().iter().any(failed));
}

#[test]
fn the_first_two_retransmissions_of_a_message_are_told() {
    let mut lone = Lone::new();
    lone.endpoint.request(lone.now, PEER, Request::get()).unwrap();
    for retransmissions in 1..=2 {
        assert_eq!(lone.endpoint.poll_unanswered(), None);
        lone.now = lone.endpoint.poll_timeout().unwrap();
        lone.endpoint.handle_timeout(lone.now);
        lone.sent();
        let told = lone.endpoint.poll_unanswered();
        assert_eq!(told, Some(Unanswered { peer: PEER, retransmissions }));
    }
    assert_eq!(lone.endpoint.poll_unanswered(), None);
    // Now the layer below can reach the peer.
    lone.endpoint.hasten(lone.now, PEER);
    let sent = lone.pass(Duration::ZERO);
    let [(_, again)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(again.kind, Con);
    lone.receive(&message(Ack, Code::CONTENT, again.id, again.token.as_bytes()));
    assert_eq!(lone.endpoint.poll_unanswered(), None);
}
