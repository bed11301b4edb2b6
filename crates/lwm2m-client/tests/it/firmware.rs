//! Firmware Update (object 5).

use crate::harness::{Harness, config, device, get, post, put};
use lwm2m_client::Object;
use lwm2m_client::firmware::{Firmware, FirmwareStore, State, StoreError, UpdateResult};
use lwm2m_coap::Request;

const OPAQUE: u16 = 42;
const MAX: u64 = 100_000;

/// An image in memory. Its first byte says what is wrong with it.
#[derive(Default)]
struct Flash {
    image: Vec<u8>,
}

impl FirmwareStore for Flash {
    fn begin(&mut self, _size: Option<u64>) -> Result<(), StoreError> {
        self.image.clear();
        Ok(())
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        assert_eq!(offset, u64::try_from(self.image.len()).unwrap());
        self.image.extend_from_slice(bytes);
        match self.image[0] {
            3 => Err(StoreError::NoMemory),
            6 => Err(StoreError::UnsupportedType),
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        if self.image[0] == 5 { Err(StoreError::Integrity) } else { Ok(()) }
    }

    fn discard(&mut self) {
        self.image.clear();
    }
}

fn with(firmware: Firmware<Flash>) -> Harness {
    let objects: Vec<Box<dyn Object>> = vec![Box::new(device()), Box::new(firmware)];
    let mut harness = Harness::new(config(), objects);
    harness.start();
    harness
}

fn updatable() -> Harness {
    with(Firmware::new(Flash::default(), MAX).cancellable())
}

fn push(bytes: Vec<u8>) -> Request {
    put("5/0/0").content_format(OPAQUE).payload(bytes)
}

fn image(first: u8, length: usize) -> Vec<u8> {
    let mut bytes: Vec<_> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
    bytes[0] = first;
    bytes
}

/// State and Update Result, as the server reads them.
fn status(harness: &mut Harness) -> (String, String) {
    (harness.text("5/0/3"), harness.text("5/0/5"))
}

fn is(state: &str, result: &str) -> (String, String) {
    (state.to_owned(), result.to_owned())
}

fn finish(harness: &mut Harness, success: bool) {
    let report = |it: &mut Firmware<Flash>| {
        it.finish_update(success);
        Ok(())
    };
    harness.sim.with(harness.client, |it, now| it.update(now, 5, report)).unwrap();
    harness.settle();
}

fn stored(harness: &mut Harness) -> Vec<u8> {
    let mut bytes = Vec::new();
    let look = |it: &mut Firmware<Flash>| {
        bytes.clone_from(&it.store().image);
        Ok(())
    };
    harness.sim.with(harness.client, |it, now| it.update(now, 5, look)).unwrap();
    bytes
}

// proves: FW-01
#[test]
fn ets_751_a_device_begins_idle_and_says_how_images_reach_it() {
    let mut harness = updatable();
    assert_eq!(status(&mut harness), is("0", "0"));
    assert_eq!(harness.text("5/0/9"), "1");
    assert_eq!(harness.code(get("5/0/0")), "4.05");
    assert_eq!(harness.code(get("5/0")), "2.05");
}

#[test]
fn ets_755_a_pushed_image_is_downloaded_and_a_nul_byte_drops_it() {
    let mut harness = updatable();
    let bytes = image(1, 64 << 10);
    assert_eq!(harness.code(push(vec![0])), "2.04");
    assert_eq!(status(&mut harness), is("0", "0"));
    assert_eq!(harness.code(push(bytes.clone())), "2.04");
    assert_eq!(status(&mut harness), is("2", "0"));
    assert!(stored(&mut harness) == bytes);
    for drop in [push(vec![0]), put("5/0/1").content_format(0).payload(Vec::new())] {
        assert_eq!(harness.code(push(bytes.clone())), "2.04");
        assert_eq!(harness.code(drop), "2.04");
        assert_eq!(status(&mut harness), is("0", "0"));
        assert!(stored(&mut harness).is_empty());
    }
}

#[test]
fn ets_760_an_observer_of_the_state_sees_the_download() {
    let mut harness = updatable();
    let observe = get("5/0/3").accept(0).observe(0);
    assert_eq!(harness.code(observe), "2.05");
    assert_eq!(harness.code(push(image(1, 5_000))), "2.04");
    harness.run(5.0);
    let states: Vec<_> = harness.notified().into_iter().map(|(_, state)| state).collect();
    assert_eq!(states.last().map(String::as_str), Some("2"), "{states:?}");
}

#[test]
fn ets_770_an_update_that_succeeds_ends_idle() {
    let mut harness = updatable();
    assert_eq!(harness.code(push(image(1, 5_000))), "2.04");
    assert_eq!(harness.code(post("5/0/2")), "2.04");
    assert_eq!(status(&mut harness), is("3", "0"));
    assert_eq!(harness.code(push(image(1, 5_000))), "4.05");
    assert_eq!(harness.code(post("5/0/2")), "4.05");
    assert_eq!(harness.code(post("5/0/10")), "4.05");
    finish(&mut harness, true);
    assert_eq!(status(&mut harness), is("0", "1"));
    assert!(stored(&mut harness).is_empty());
}

#[test]
fn ets_772_without_an_image_there_is_nothing_to_install() {
    let mut harness = updatable();
    assert_eq!(harness.code(post("5/0/2")), "4.05");
    assert_eq!(status(&mut harness), is("0", "0"));
    assert_eq!(harness.code(push(image(5, 500))), "2.04");
    assert_eq!(harness.code(post("5/0/2")), "4.05");
    assert_eq!(status(&mut harness), is("0", "5"));
}

#[test]
fn ets_773_to_777_a_download_that_fails_shows_why_in_the_result() {
    let too_large = usize::try_from(MAX).unwrap() + 1;
    for (first, length, result) in
        [(1, too_large, "2"), (3, 5_000, "3"), (5, 5_000, "5"), (6, 5_000, "6")]
    {
        let mut harness = updatable();
        let code = harness.code(push(image(first, length)));
        assert_eq!(code, if first == 5 { "2.04" } else { "5.00" }, "{result}");
        assert_eq!(status(&mut harness), is("0", result));
        assert!(stored(&mut harness).is_empty());
    }
}

#[test]
fn ets_779_an_update_that_fails_keeps_the_image() {
    let mut harness = updatable();
    assert_eq!(harness.code(push(image(1, 5_000))), "2.04");
    assert_eq!(harness.code(post("5/0/2")), "2.04");
    finish(&mut harness, false);
    assert_eq!(status(&mut harness), is("2", "8"));
    assert_eq!(stored(&mut harness).len(), 5_000);
    assert_eq!(harness.code(post("5/0/2")), "2.04");
}

#[test]
fn cancel_drops_the_image_and_needs_one() {
    let mut harness = updatable();
    assert_eq!(harness.code(post("5/0/10")), "4.05");
    assert_eq!(harness.code(push(image(1, 5_000))), "2.04");
    assert_eq!(harness.code(post("5/0/10")), "2.04");
    assert_eq!(status(&mut harness), is("0", "10"));
    assert!(stored(&mut harness).is_empty());
    let mut harness = with(Firmware::new(Flash::default(), MAX));
    assert_eq!(harness.code(post("5/0/10")), "4.04");
}

#[test]
fn a_uri_is_refused_by_the_result() {
    let mut harness = updatable();
    for (uri, result) in [("ftp://192.0.2.9/x", "9"), ("192.0.2.9/x", "7"), ("coap://", "7")] {
        let write = put("5/0/1").content_format(0).payload(uri.as_bytes().to_vec());
        assert_eq!(harness.code(write), "2.04");
        assert_eq!(status(&mut harness), is("0", result), "{uri}");
    }
}

#[test]
fn a_reboot_ends_a_download_and_keeps_the_rest() {
    for (state, result, seen) in [
        (State::Downloading, UpdateResult::Initial, is("0", "4")),
        (State::Downloaded, UpdateResult::UpdateFailed, is("2", "8")),
        (State::Idle, UpdateResult::Success, is("0", "1")),
    ] {
        let firmware = Firmware::new(Flash::default(), MAX).resumed(state, result);
        assert_eq!(status(&mut with(firmware)), seen);
    }
}
