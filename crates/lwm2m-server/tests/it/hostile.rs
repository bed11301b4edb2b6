//! Whatever comes in, the server neither panics nor grows without a bound.

use crate::bed::{Bed, LIST, device, register};
use lwm2m_coap::{Code, MessageBuilder, MessageType, Token};
use lwm2m_server::Config;
use proptest::prelude::*;

const ROOM: usize = 8;

fn small() -> Bed {
    Bed::with(Config { max_registrations: ROOM, ..Config::default() })
}

fn datagram(n: u16, query: &str, list: &str) -> Vec<u8> {
    let (mut datagram, request) = (Vec::new(), register(query, list));
    let token = Token::new(&n.to_be_bytes()).unwrap();
    MessageBuilder::new(&mut datagram, MessageType::Confirmable, Code::POST, n, token)
        .options(&request.options)
        .payload(&request.payload);
    datagram
}

proptest! {
    #[test]
    fn random_datagrams(all in proptest::collection::vec((0u16..4, any::<Vec<u8>>()), 0..40)) {
        let mut bed = small();
        for (from, bytes) in &all {
            bed.datagram(device(*from), bytes);
        }
        prop_assert_eq!(bed.server.registrations().count(), 0);
    }

    #[test]
    fn mutated_registers(
        all in proptest::collection::vec((0u16..20, any::<prop::sample::Index>(), any::<u8>()), 0..60)
    ) {
        let mut bed = small();
        for (number, (n, place, byte)) in all.iter().enumerate() {
            let query = format!("ep=dev{n}&lt=60&lwm2m=1.1&b=U&x=1");
            let mut bytes = datagram(u16::try_from(number).unwrap(), &query, LIST);
            let place = place.index(bytes.len());
            bytes[place] = *byte;
            bed.datagram(device(*n), &bytes);
            prop_assert!(bed.server.registrations().count() <= ROOM);
        }
    }

    #[test]
    fn any_query_and_list(query in ".{0,60}", list in "[</>0-9;=\",a-z. ]{0,80}") {
        let mut bed = small();
        bed.datagram(device(0), &datagram(1, &query, &list));
        bed.datagram(device(0), &datagram(2, &format!("ep=a&lt=60&lwm2m=1.1&{query}"), &list));
        prop_assert!(bed.server.registrations().count() <= 1);
        prop_assert_eq!(bed.sent.len(), 2, "each request has one answer");
    }
}

#[test]
fn a_truncated_register_is_never_a_registration_with_half_a_name() {
    let whole = datagram(1, "lt=60&lwm2m=1.1&ep=device", LIST);
    for length in 0..whole.len() {
        let mut bed = small();
        bed.datagram(device(0), &whole[..length]);
        assert!(bed.server.registrations().all(|it| it.endpoint == "device"));
    }
}

#[test]
fn a_long_object_list_is_refused() {
    let mut bed = Bed::with(Config { max_object_list: 100, ..Config::default() });
    let list = ["</3303/0>"; 12].join(",");
    let answer = bed.ask(device(0), register("ep=a&lt=60&lwm2m=1.1", &list));
    assert_eq!(answer.code, Code::REQUEST_ENTITY_TOO_LARGE);
}
