//! A device with faulty answers, as our HTTP API reports it.

use lwm2m_testkit::peer::{Answer, HandDevice, Kind, Server};
use std::thread;

const READ: &str = "/api/clients/by-hand/3/0/0";

/// Reads /3/0/0 while the device handles the request by `odd`.
fn read(query: &str, odd: impl FnOnce(&HandDevice, &[u8])) -> Answer {
    let server = Server::start(Kind::Ours).unwrap();
    let device = HandDevice::register(server.coap).unwrap();
    let target = format!("{READ}{query}");
    let asker = thread::spawn(move || server.http.send("GET", &target).unwrap());
    odd(&device, &device.receive().unwrap());
    asker.join().unwrap()
}

#[test]
fn good_answer_is_passed_on() {
    let answer = read("", |device, request| device.answer(request, 0x45, b"\xc0\xffok").unwrap());
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["content"]["value"], "ok");
}

#[test]
fn refusal_is_passed_on_with_its_reason() {
    let answer = read("", |device, request| device.answer(request, 0x84, b"\xffnone").unwrap());
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["status"], "NOT_FOUND(404)");
    assert_eq!(answer.json()["errormessage"], "none");
}

#[test]
fn silence_ends_with_the_timeout() {
    let answer = read("?timeout=1", |_, _| ());
    assert_eq!(answer.status, 504, "{answer:?}");
}

#[test]
fn reset_is_a_bad_answer() {
    let answer = read("", |device, request| device.reset(request).unwrap());
    assert_eq!(answer.status, 500, "{answer:?}");
}

#[test]
fn nonsense_is_a_bad_answer() {
    for (rest, why) in [
        (&b"\xc2\x2d\x16\xff\xc8\x00\xff"[..], "TLV that ends early"),
        (b"\xc1\x6e\xff[{", "JSON that ends early"),
        (b"\xc2\x27\x0f\xff?", "unknown format"),
    ] {
        let answer = read("", |device, request| device.answer(request, 0x45, rest).unwrap());
        assert_eq!(answer.status, 500, "{why}: {answer:?}");
    }
}
