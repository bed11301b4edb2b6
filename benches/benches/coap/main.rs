//! CoAP: messages parsed and built, and a whole exchange.

mod exchange;
#[cfg(feature = "peers")]
mod peers;

use criterion::Criterion;
use lwm2m_benches::{CONTENT, GET};
use lwm2m_coap::{Code, MessageBuilder, MessageType, MessageView, OptionNumber, Token};
use std::hint::black_box;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, message) in [("get", GET), ("content", CONTENT)] {
        criterion.bench_function(&format!("coap/parse/{name}"), |bencher| {
            bencher.iter(|| parse(black_box(message)));
        });
    }
    measure_building(&mut criterion);
    exchange::measure(&mut criterion);
    exchange::measure_serving(&mut criterion);
    #[cfg(feature = "peers")]
    peers::measure(&mut criterion);
    criterion.final_summary();
}

/// Visits every option; the sum keeps the compiler from leaving the work out.
fn parse(message: &[u8]) -> usize {
    let view = MessageView::parse(message).expect("a good message");
    let options = view.options().map(|(number, value)| usize::from(number.0) + value.len());
    options.sum::<usize>() + view.payload().len()
}

fn measure_building(criterion: &mut Criterion) {
    let token = Token::new(&[1, 2, 3, 4]).expect("four bytes");
    let mut buffer = Vec::with_capacity(128);
    build_get(&mut buffer, token);
    assert_eq!(buffer, GET);
    criterion.bench_function("coap/build/get", |bencher| {
        bencher.iter(|| build_get(black_box(&mut buffer), token));
    });
    build_content(&mut buffer, token, &CONTENT[15..]);
    assert_eq!(buffer, CONTENT);
    criterion.bench_function("coap/build/content", |bencher| {
        bencher.iter(|| build_content(black_box(&mut buffer), token, black_box(&CONTENT[15..])));
    });
}

fn build_get(buffer: &mut Vec<u8>, token: Token) {
    buffer.clear();
    MessageBuilder::new(buffer, MessageType::Confirmable, Code::GET, 0x1234, token)
        .option(OptionNumber::OBSERVE, &[])
        .option(OptionNumber::URI_PATH, b"3303")
        .option(OptionNumber::URI_PATH, b"0")
        .option(OptionNumber::URI_PATH, b"5700")
        .option(OptionNumber::URI_PATH, b"1");
}

fn build_content(buffer: &mut Vec<u8>, token: Token, payload: &[u8]) {
    buffer.clear();
    MessageBuilder::new(buffer, MessageType::Confirmable, Code::CONTENT, 0x1234, token)
        .option(OptionNumber::OBSERVE, &[0x12, 0x34])
        .option(OptionNumber::CONTENT_FORMAT, &[0x2D, 0x16])
        .payload(payload);
}
