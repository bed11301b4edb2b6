//! The same with `coap-lite`.

use coap_lite::{CoapOption, MessageClass, Packet, RequestType, ResponseType};
use criterion::Criterion;
use lwm2m_benches::{CONTENT, GET};
use std::hint::black_box;

pub(crate) fn measure(criterion: &mut Criterion) {
    for (name, message) in [("get", GET), ("content", CONTENT)] {
        criterion.bench_function(&format!("coap/parse/{name}/coap-lite"), |bencher| {
            bencher.iter(|| Packet::from_bytes(black_box(message)).expect("a good message"));
        });
    }
    assert_eq!(build_get(), GET);
    criterion.bench_function("coap/build/get/coap-lite", |bencher| bencher.iter(build_get));
    assert_eq!(build_content(&CONTENT[15..]), CONTENT);
    criterion.bench_function("coap/build/content/coap-lite", |bencher| {
        bencher.iter(|| build_content(black_box(&CONTENT[15..])));
    });
}

fn begin(code: MessageClass) -> Packet {
    let mut packet = Packet::new();
    packet.header.code = code;
    packet.header.message_id = 0x1234;
    packet.set_token(vec![1, 2, 3, 4]);
    packet
}

fn build_get() -> Vec<u8> {
    let mut packet = begin(MessageClass::Request(RequestType::Get));
    packet.add_option(CoapOption::Observe, Vec::new());
    for segment in [&b"3303"[..], b"0", b"5700", b"1"] {
        packet.add_option(CoapOption::UriPath, segment.to_vec());
    }
    packet.to_bytes().expect("a short message")
}

fn build_content(payload: &[u8]) -> Vec<u8> {
    let mut packet = begin(MessageClass::Response(ResponseType::Content));
    packet.add_option(CoapOption::Observe, vec![0x12, 0x34]);
    packet.add_option(CoapOption::ContentFormat, vec![0x2D, 0x16]);
    packet.payload = payload.to_vec();
    packet.to_bytes().expect("a short message")
}
