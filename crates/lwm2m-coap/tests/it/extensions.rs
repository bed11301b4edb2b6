//! Extended tokens: RFC 8974.

use crate::pair::{Ack, Con, Lone, PEER, Rst, message};
use lwm2m_coap::{
    Code, Config, Endpoint, FrameView, OptionNumber, Options, Response, Token, write_frame,
};
use lwm2m_time::Instant;

fn with_tokens(max_token_length: usize) -> Config {
    Config::default().max_token_length(max_token_length)
}

#[test]
fn long_token_comes_back_if_it_is_allowed() {
    for length in [9, 12, 13, 20, 32] {
        let token = vec![0xA5; length];
        let request = message(Con, Code::GET, 1, &token).path("a");
        let mut default = Lone::new();
        assert_eq!(default.receive(&request), [message(Rst, Code::EMPTY, 1, b"")], "{length}");
        let mut lone = Lone::with(with_tokens(32));
        assert_eq!(lone.receive(&request), []);
        let answer = lone.answer(Response::new(Code::CONTENT)).remove(0);
        assert_eq!((answer.kind, answer.token.as_bytes()), (Ack, &token[..]));
        assert_eq!(lone.receive(&request), [answer], "a duplicate");
        let mut shorter = Lone::with(with_tokens(length - 1));
        assert_eq!(shorter.receive(&request), [message(Rst, Code::EMPTY, 1, b"")], "{length}");
    }
    // 33 and 300 bytes exceed every configuration.
    let mut lone = Lone::with(with_tokens(1_000));
    for head in [&[0x4D, 1, 0, 2, 20][..], &[0x4E, 1, 0, 2, 0, 31]] {
        let datagram = [head, &[0; 300]].concat();
        assert_eq!(lone.receive_bytes(&datagram), [message(Rst, Code::EMPTY, 2, b"")]);
    }
}

/// The frames that an endpoint sends.
fn frames(endpoint: &mut Endpoint) -> Vec<(Code, Token, Options)> {
    let mut frames = Vec::new();
    while let Some(transmit) = endpoint.poll_transmit() {
        let (frame, rest) = FrameView::parse(&transmit.payload, 8_448).unwrap().unwrap();
        assert!(rest.is_empty());
        frames.push((frame.code(), frame.token(), frame.to_options()));
    }
    frames
}

#[test]
fn long_tokens_are_announced_on_a_connection() {
    let csm = |endpoint: &mut Endpoint| {
        endpoint.connected(Instant::ZERO, PEER).unwrap();
        let csm = frames(endpoint).remove(0);
        assert_eq!(csm.0, Code::CSM);
        csm.2.get_uint(OptionNumber(6))
    };
    let request = |token: &[u8]| {
        let mut stream = Vec::new();
        write_frame(&mut stream, Code::CSM, Token::EMPTY, &Options::new(), b"");
        write_frame(&mut stream, Code::GET, Token::new(token).unwrap(), &Options::new(), b"");
        stream
    };
    let mut silent = Endpoint::new(Config::default(), [1; 32]);
    assert_eq!(csm(&mut silent), None);
    silent.handle_stream(Instant::ZERO, PEER, &request(&[1; 9]));
    assert_eq!(frames(&mut silent)[0].0, Code::ABORT);
    for length in [9, 12, 13, 32] {
        let mut endpoint = Endpoint::new(with_tokens(32), [1; 32]);
        assert_eq!(csm(&mut endpoint), Some(32));
        // Byte by byte: the extended token length follows the code.
        for byte in request(&vec![7; length]) {
            endpoint.handle_stream(Instant::ZERO, PEER, &[byte]);
        }
        let Some(lwm2m_coap::Event::Request { exchange, .. }) = endpoint.poll_event() else {
            panic!("no request with a token of {length} bytes")
        };
        endpoint.respond(Instant::ZERO, exchange, Response::new(Code::VALID)).unwrap();
        assert_eq!(frames(&mut endpoint)[0].1.as_bytes(), vec![7; length]);
    }
}
