//! Values that arrive block by block.

use crate::harness::{Harness, address, config, device, get, post, put};
use allocation_counter::measure;
use bytes::Bytes;
use lwm2m_client::{Client, Config, Event, MemoryObject, Object, Refusal};
use lwm2m_coap::{
    Code, Endpoint, MessageBuilder, MessageType, MessageView, OptionNumber, Options, PeerId,
    Request, Token,
};
use lwm2m_core::Path;
use lwm2m_link::{Engine, Input, Output};
use std::sync::{Arc, Mutex};

const OPAQUE: u16 = 42;
const PACKAGE: Path = Path::resource(5, 0, 0);

/// What a device has got of an image.
#[derive(Default)]
struct Image {
    begun: usize,
    length: usize,
    /// A sum in which each byte counts with its place.
    sum: u64,
    largest_block: usize,
    size: Option<u64>,
    complete: bool,
}

impl Image {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.length += 1;
            let place = u64::try_from(self.length).unwrap();
            self.sum = self.sum.wrapping_add(u64::from(*byte).wrapping_mul(place));
        }
    }

    fn of(bytes: &[u8]) -> (usize, u64) {
        let mut image = Self::default();
        image.add(bytes);
        (image.length, image.sum)
    }
}

/// A client whose firmware update takes images of less than 2 MiB.
fn updatable(config: Config) -> (Harness, Arc<Mutex<Image>>) {
    let image = Arc::new(Mutex::new(Image::default()));
    let own = Arc::clone(&image);
    let firmware = MemoryObject::new(5)
        .instance(0, |it| it.with(1, "").with(3, 0_i64).with(5, 0_i64).with(9, 1_i64))
        .on_execute(2, |_, _| Err(Refusal::MethodNotAllowed))
        .on_block(0, move |instance, block| {
            let mut image = own.lock().unwrap();
            if block.offset == 0 {
                let begun = image.begun + 1;
                *image = Image { begun, size: block.size, ..Image::default() };
            }
            assert_eq!((instance, block.offset), (0, image.length));
            image.largest_block = image.largest_block.max(block.bytes.len());
            image.add(block.bytes);
            image.complete = !block.more;
            if image.length < 2 << 20 { Ok(()) } else { Err(Refusal::BadRequest) }
        });
    let objects: Vec<Box<dyn Object>> = vec![Box::new(device()), Box::new(firmware)];
    let mut harness = Harness::new(config, objects);
    harness.start();
    harness.events.clear();
    (harness, image)
}

fn push(bytes: Vec<u8>) -> Request {
    put("5/0/0").content_format(OPAQUE).payload(bytes)
}

fn firmware(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

/// Sends one block of 64 bytes, as only a raw message can, and returns the code of the answer.
fn send_block(harness: &mut Harness, path: &str, number: u8, more: bool) -> String {
    let mut options = Options::new();
    for segment in path.split('/') {
        options.push(OptionNumber::URI_PATH, segment.as_bytes());
    }
    options.push_uint(OptionNumber::CONTENT_FORMAT, OPAQUE.into());
    options.push_uint(OptionNumber::BLOCK1, u64::from(number) << 4 | u64::from(more) << 3 | 2);
    harness.next_message_id += 1;
    let (id, mut datagram) = (harness.next_message_id, Vec::new());
    MessageBuilder::new(&mut datagram, MessageType::Confirmable, Code::PUT, id, Token::EMPTY)
        .options(&options)
        .payload(&[number; 64]);
    let (now, client) = (harness.sim.now, &mut harness.sim[harness.client]);
    client.handle(now, Input::datagram(address(0), &datagram));
    let answer = transmits(client).remove(0);
    MessageView::parse(&answer).unwrap().code().to_string()
}

/// What the client sends.
fn transmits(client: &mut Client) -> Vec<Bytes> {
    let outputs = core::iter::from_fn(|| client.poll());
    let sent = outputs.filter_map(|output| match output {
        Output::Transmit(transmit) => Some(transmit.payload),
        _ => None,
    });
    sent.collect()
}

#[test]
fn firmware_never_lies_whole_in_memory() {
    let (mut harness, image) = updatable(config());
    let bytes = firmware(1 << 20);
    let expected = Image::of(&bytes);
    let (now, client) = (harness.sim.now, &mut harness.sim[harness.client]);
    let mut server = Endpoint::new(lwm2m_coap::Config::default(), [5; 32]);
    server.request(now, PeerId(0), push(bytes)).unwrap();
    let (mut held, mut peak, mut datagrams) = (0_i64, 0_i64, 0);
    while let Some(transmit) = server.poll_transmit() {
        datagrams += 1;
        let mut answers = Vec::new();
        let heap = measure(|| {
            client.handle(now, Input::datagram(address(0), &transmit.payload));
            answers = transmits(client);
        });
        peak = peak.max(held + i64::try_from(heap.bytes_max).unwrap());
        held += heap.bytes_current;
        for answer in answers {
            server.handle_datagram(now, PeerId(0), &answer);
        }
    }
    let image = image.lock().unwrap();
    assert_eq!((image.length, image.sum), expected);
    assert!(image.complete && image.begun == 1 && image.largest_block == 1_024);
    assert_eq!((image.size, datagrams), (Some(1 << 20), 1_024));
    // What CoAP remembers of duplicates grows with the time, not with the image.
    assert!(peak < 256 << 10, "{peak} bytes at the peak");
}

#[test]
fn the_application_learns_when_the_value_is_complete() {
    let (mut harness, image) = updatable(config());
    assert_eq!(harness.code(push(firmware(5_000))), "2.04");
    assert!(image.lock().unwrap().complete);
    let written = |event: &&Event| matches!(event, Event::Written { path, .. } if *path == PACKAGE);
    assert_eq!(harness.events.iter().filter(written).count(), 1);
}

#[test]
fn blocks_come_in_order_or_are_refused() {
    let (mut harness, image) = updatable(config());
    assert_eq!(send_block(&mut harness, "5/0/0", 1, true), "4.08");
    assert_eq!(send_block(&mut harness, "5/0/0", 0, true), "2.31");
    assert_eq!(send_block(&mut harness, "5/0/0", 1, true), "2.31");
    assert_eq!(send_block(&mut harness, "5/0/0", 3, true), "4.08");
    // Whatever was there is gone: the server begins anew.
    assert_eq!(send_block(&mut harness, "5/0/0", 2, true), "4.08");
    let got = |image: &Image| (image.length, image.begun);
    assert_eq!(got(&image.lock().unwrap()), (128, 1));
    for (number, code) in [(0, "2.31"), (0, "2.31"), (1, "2.31")] {
        assert_eq!(send_block(&mut harness, "5/0/0", number, true), code);
    }
    assert_eq!(send_block(&mut harness, "5/0/0", 2, false), "2.04");
    let image = image.lock().unwrap();
    assert_eq!((image.length, image.begun, image.complete), (192, 3, true));
}

#[test]
fn a_push_that_is_given_up_in_the_middle_leaves_nothing_behind() {
    let (mut harness, image) = updatable(config());
    assert_eq!(send_block(&mut harness, "5/0/0", 0, true), "2.31");
    assert_eq!(send_block(&mut harness, "5/0/0", 1, true), "2.31");
    harness.run(1_000.0);
    assert_eq!(send_block(&mut harness, "5/0/0", 2, true), "4.08");
    assert!(!image.lock().unwrap().complete);
    assert_eq!(harness.code(push(firmware(3_000))), "2.04");
    let image = image.lock().unwrap();
    assert_eq!((image.length, image.sum), Image::of(&firmware(3_000)));
}

#[test]
fn what_the_object_refuses_ends_the_push() {
    let (mut harness, image) = updatable(config());
    assert_eq!(harness.code(push(firmware(3 << 20))), "4.00");
    assert_eq!(image.lock().unwrap().length, 2 << 20);
    assert_eq!(send_block(&mut harness, "5/0/0", 2, true), "4.08");
}

#[test]
fn a_value_in_one_message_or_another_format_is_one_block() {
    let tlv = [&[0xc8, 0x00, 10][..], &firmware(10)].concat();
    for (format, payload) in [(OPAQUE, firmware(10)), (11_542, tlv)] {
        let (mut harness, image) = updatable(config());
        let request = put("5/0/0").content_format(format).payload(payload);
        assert_eq!(harness.code(request), "2.04", "{format}");
        let image = image.lock().unwrap();
        assert_eq!((image.length, image.sum), Image::of(&firmware(10)), "{format}");
    }
}

#[test]
fn only_what_takes_blocks_is_streamed() {
    let (mut harness, image) = updatable(config());
    // Of an instance that does not exist, and by POST.
    assert_eq!(send_block(&mut harness, "5/1/0", 0, true), "4.04");
    assert_eq!(harness.code(post("5/0/0").content_format(OPAQUE).payload(vec![1; 3_000])), "4.05");
    assert_eq!(image.lock().unwrap().begun, 0);
    // Package is not readable, and Discover shows it.
    assert!(harness.discover("5/0").contains("</5/0/0>"));
    assert_eq!(harness.code(get("5/0")), "2.05");
    assert_eq!(harness.code(get("5/0/0")), "4.05");
}
