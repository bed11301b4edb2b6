//! Random messages round-trip, and random bytes are handled.

use crate::pair::{Lone, Message, PEER};
use core::time::Duration;
use lwm2m_coap::{
    Code, Config, Event, MessageType, MessageView, OptionNumber, Options, PeerId, Request,
    Response, Token,
};
use proptest::prelude::*;

fn kinds() -> impl Strategy<Value = MessageType> {
    prop_oneof![
        Just(MessageType::Confirmable),
        Just(MessageType::NonConfirmable),
        Just(MessageType::Acknowledgement),
        Just(MessageType::Reset),
    ]
}

fn option_numbers() -> impl Strategy<Value = u16> {
    prop_oneof![
        prop::sample::select(vec![3_u16, 4, 6, 11, 12, 15, 17, 23, 27, 28, 60, 252, 292]),
        any::<u16>(),
    ]
}

prop_compose! {
    fn messages()(
        kind in kinds(),
        code in prop_oneof![1..8_u8, 0x41..0x60_u8, 0x80..0xB0_u8],
        id in any::<u16>(),
        token in prop::collection::vec(any::<u8>(), 0..=8),
        list in prop::collection::vec(
            (option_numbers(), prop::collection::vec(any::<u8>(), 0..300)), 0..8),
        payload in prop::collection::vec(any::<u8>(), 0..64),
    ) -> Message {
        let mut options = Options::new();
        list.iter().for_each(|(number, value)| options.push(OptionNumber(*number), value));
        let token = Token::new(&token).unwrap();
        Message { kind, code: Code::from_byte(code), id, token, options, payload }
    }
}

/// Messages of a hostile peer that knows some tokens and message IDs.
fn plausible() -> impl Strategy<Value = Message> {
    let values = prop::collection::vec(any::<u8>(), 0..4);
    let steering = prop::collection::vec(
        (prop::sample::select(vec![6_u16, 23, 27, 28, 60, 4, 252]), values),
        0..4,
    );
    (messages(), steering, 0..20_u16, any::<bool>()).prop_map(|(message, steering, id, own)| {
        let mut message = Message { id, options: Options::new(), ..message };
        steering
            .iter()
            .for_each(|(number, value)| message.options.push(OptionNumber(*number), value));
        if own {
            message.token = Token::new(b"t").unwrap();
        }
        message
    })
}

proptest! {
    #[test]
    fn messages_round_trip(message in messages()) {
        let bytes = message.bytes();
        prop_assert_eq!(&Message::parse(&bytes), &message);
        for length in 0..bytes.len() {
            if let Ok(view) = MessageView::parse(&bytes[..length]) {
                // The options end early, or the payload is cut.
                prop_assert_eq!(view.token(), message.token);
                let mut options = view.options().zip(message.options.iter());
                prop_assert!(options.all(|(cut, whole)| cut == whole));
            }
        }
    }

    #[test]
    fn any_bytes_are_handled(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut lone = Lone::new();
        lone.endpoint.handle_datagram(lone.now, PEER, &bytes);
        lone.pass(Duration::from_secs(600));
        prop_assert!(lone.endpoint.is_idle(PEER));
    }

    #[test]
    fn a_hostile_peer_leaves_no_state_behind(
        messages in prop::collection::vec((plausible(), 0..3_u64, any::<bool>()), 0..60)
    ) {
        let config = Config::default().max_body(4_096).max_duplicates_per_peer(8);
        let mut lone = Lone::with(config);
        let mut observing = Vec::new();
        let mut tokens: Vec<Token> = Vec::new();
        for (mut message, peer, answers) in messages {
            let peer = PeerId(peer);
            if let Ok(id) =
                lone.endpoint.request(lone.now, peer, Request::get().path(["3"]).observe(0))
            {
                observing.push(id);
            }
            tokens.extend(lone.sent().iter().map(|sent| sent.token));
            if message.token.as_bytes() == b"t" {
                message.token = tokens.last().copied().unwrap_or_default();
            }
            lone.endpoint.handle_datagram(lone.now, peer, &message.bytes());
            for event in lone.events() {
                if let (Event::Request { exchange, peer, token, .. }, true) = (event, answers) {
                    let content = || Response::new(Code::CONTENT).observe().payload(vec![7; 2_000]);
                    lone.endpoint.respond(lone.now, exchange, content()).unwrap();
                    let observer = lwm2m_coap::Observer { peer, token };
                    let _ = lone.endpoint.notify(lone.now, observer, content(), true);
                }
            }
            lone.pass(Duration::from_millis(300));
        }
        observing.into_iter().for_each(|id| lone.endpoint.cancel(id));
        // Observers are removed because they acknowledge nothing. Everything else expires.
        lone.pass(Duration::from_secs(2_000));
        (0..3).for_each(|peer| lone.endpoint.remove_peer(PeerId(peer)));
        prop_assert!((0..3).all(|peer| lone.endpoint.is_idle(PeerId(peer))));
        prop_assert_eq!(lone.endpoint.poll_timeout(), None);
    }
}
