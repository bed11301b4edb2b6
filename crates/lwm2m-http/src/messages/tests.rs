//! What anybody may have sent is read without panics.

use super::*;
use bytes::Bytes;
use lwm2m_link::Carriage;
use lwm2m_time::Instant;
use proptest::prelude::*;

fn reader() -> Reader {
    let registry = Arc::new(Registry::builtin().clone());
    Reader { registration: None, registry, clock: Clock::start(), observed: Vec::new(), raw: true }
}

fn recorded(number: u64, way: Way, is_stream: bool, bytes: &[u8]) -> Recorded {
    Recorded {
        number,
        at: Instant::ZERO,
        remote: SocketAddr::from(([192, 0, 2, 1], 5683)),
        way,
        carriage: Carriage { is_stream, is_secured: false },
        session: None,
        is_sealed: false,
        bytes: Bytes::copy_from_slice(bytes),
    }
}

/// A Send with a key of the Security object, cut into pieces of a stream.
#[test]
fn messages_of_a_stream_are_put_together() {
    let mut options = Options::new();
    options.push(OptionNumber::URI_PATH, b"dp");
    options.push_uint(OptionNumber::CONTENT_FORMAT, 110);
    let pack = br#"[{"n":"/0/0/5","vd":"AQI"},{"n":"/3/0/9","v":7}]"#;
    let mut stream = Vec::new();
    let token = Token::EMPTY;
    lwm2m_coap::write_frame(&mut stream, Code::CSM, token, &Options::new(), b"");
    lwm2m_coap::write_frame(&mut stream, Code::POST, token, &options, pack);
    let pieces = stream.chunks(5).zip(1..);
    let pieces: Vec<_> =
        pieces.map(|(piece, number)| recorded(number, Way::Received, true, piece)).collect();
    let read = reader().read(&pieces, 0);
    let json = serde_json::to_value(&read).unwrap();
    assert_eq!(json[0]["operation"], "Capabilities");
    assert_eq!(json[1]["operation"], "Send");
    assert_eq!(json[1]["number"], pieces.len());
    assert_eq!(json[1]["values"][0]["hidden"], true);
    assert_eq!(json[1]["values"][1]["name"], "Battery Level");
    assert_eq!(read.len(), 2);
}

/// The beginning of an observation is not recorded any more.
#[test]
fn a_notification_is_about_what_is_observed() {
    let token = Token::new(b"t").unwrap();
    let mut options = Options::new();
    options.push_uint(OptionNumber::OBSERVE, 7);
    options.push_uint(OptionNumber::CONTENT_FORMAT, 0);
    let mut frame = Vec::new();
    lwm2m_coap::write_frame(&mut frame, Code::CONTENT, token, &options, b"98");
    let pieces = [recorded(1, Way::Received, true, &frame)];
    let unknown = serde_json::to_value(reader().read(&pieces, 0)).unwrap();
    assert_eq!((&unknown[0]["operation"], &unknown[0]["hidden"]), (&"Notify".into(), &true.into()));
    let target = Target::Path("/3/0/9".parse().unwrap());
    let reader = Reader { observed: vec![(token, target)], ..reader() };
    let known = serde_json::to_value(reader.read(&pieces, 0)).unwrap();
    assert_eq!((&known[0]["operation"], &known[0]["path"]), (&"Notify".into(), &"/3/0/9".into()));
    assert_eq!(known[0]["values"][0]["value"], "98");
}

#[test]
fn of_a_long_value_the_beginning_is_shown() {
    let mut options = Options::new();
    options.push(OptionNumber::URI_PATH, b"dp");
    options.push_uint(OptionNumber::CONTENT_FORMAT, 110);
    let pack = format!(r#"[{{"n":"/3/0/0","vs":"{}"}}]"#, "ä".repeat(3_000));
    let many: Vec<_> = (0..100).map(|n| format!(r#"{{"n":"/3303/{n}/5700","v":1}}"#)).collect();
    for (pack, shown, further) in [(pack, 1, 0), (format!("[{}]", many.join(",")), 64, 36)] {
        let mut frame = Vec::new();
        let token = Token::EMPTY;
        lwm2m_coap::write_frame(&mut frame, Code::POST, token, &options, pack.as_bytes());
        let read = reader().read(&[recorded(1, Way::Received, true, &frame)], 0);
        assert_eq!((read[0].content.values.len(), read[0].content.further), (shown, further));
        let without_bytes = MessageJson { raw: None, ..read.into_iter().next().unwrap() };
        assert!(serde_json::to_string(&without_bytes).unwrap().len() < 8_000);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(
        pieces in proptest::collection::vec(
            (any::<bool>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..80)),
            0..8,
        ),
    ) {
        let way = |sent| if sent { Way::Sent } else { Way::Received };
        let all: Vec<_> = pieces.iter().zip(1..).map(|((sent, is_stream, bytes), number)| {
            recorded(number, way(*sent), *is_stream, bytes)
        }).collect();
        serde_json::to_string(&reader().read(&all, 0)).unwrap();
    }

    /// Like messages, so that most of them are parsed.
    #[test]
    fn any_payload_is_read(
        code in any::<u8>(),
        path in prop_oneof![Just("dp"), Just("rd"), Just("3/0/9"), Just("0"), Just("3"), Just("x")],
        format in prop_oneof![Just(None), any::<u16>().prop_map(Some), Just(Some(110)), Just(Some(112)),
            Just(Some(11_542)), Just(Some(11_544)), Just(Some(40))],
        payload in proptest::collection::vec(any::<u8>(), 0..60),
        sent in any::<bool>(),
    ) {
        let mut options = Options::new();
        path.split('/').for_each(|part| options.push(OptionNumber::URI_PATH, part.as_bytes()));
        format.into_iter().for_each(|it| options.push_uint(OptionNumber::CONTENT_FORMAT, it.into()));
        let mut frame = Vec::new();
        let code = Code::from_byte(code);
        lwm2m_coap::write_frame(&mut frame, code, Token::EMPTY, &options, &payload);
        let way = if sent { Way::Sent } else { Way::Received };
        serde_json::to_string(&reader().read(&[recorded(1, way, true, &frame)], 0)).unwrap();
    }
}
