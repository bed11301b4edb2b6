//! Callers that go away, and the directory beside the engine.

use super::*;
use lwm2m_coap::MessageView;
use lwm2m_core::Path;
use lwm2m_link::{Engine as _, Input, Output};
use lwm2m_server::{CommandId, CommandOptions, Config, Operation, WishOptions};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::UdpSocket;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

const REGISTER: &[u8] =
    b"\x40\x02\0\x01\xb2rd\x11\x28\x34ep=a\x05lt=60\x09lwm2m=1.1\x01Q\xff</3/0>";

/// A device in queue mode that has registered as `a`, and never answers.
async fn mute_device(server: &ServerHandle) -> UdpSocket {
    let socket = UdpSocket::bind(LOOPBACK).await.unwrap();
    socket.connect(server.local().udp.unwrap()).await.unwrap();
    socket.send(REGISTER).await.unwrap();
    let mut answer = [0; 64];
    let length = socket.recv(&mut answer).await.unwrap();
    assert_eq!(answer[1], 0x41, "not 2.01: {}", answer[..length].escape_ascii());
    socket
}

#[test]
fn directory_has_a_device_before_its_acknowledgement_leaves() {
    let server = Server::new(Config::default(), [7; 32]);
    let sink = ServerSink::new(&server);
    let directory = Arc::clone(&sink.directory);
    let mut engine = WithSink::new(server, sink);
    engine.handle(Instant::ZERO, Input::datagram(LOOPBACK, REGISTER));
    assert!(directory.get("a").is_none(), "nothing has been polled");
    let outputs = core::iter::from_fn(|| engine.poll());
    let mut answers = outputs.filter_map(|output| match output {
        Output::Transmit(answer) => Some(answer),
        _ => None,
    });
    assert_eq!(answers.next().unwrap().payload[1], 0x41);
    assert!(directory.get("a").is_some());
}

#[tokio::test]
async fn operation_whose_caller_has_gone_is_cancelled() {
    let engine = Server::new(Config::default(), [7; 32]);
    let server = bind_server(LOOPBACK, engine, None).await.unwrap();
    let device = mute_device(&server).await;
    let mut datagram = [0; 64];
    tokio::select! {
        it = server.request("a", read(), MINUTE) => panic!("{it:?}"),
        received = device.recv(&mut datagram) => assert!(received.is_ok()),
    }
    assert_eq!(waiting(&server).await, 0);
    tokio::select! {
        it = server.perform("a", read(), CommandOptions::default(), MINUTE) => panic!("{it:?}"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!((waiting(&server).await, commands(&server).await), (0, 0));
}

const MINUTE: Duration = Duration::from_secs(60);

fn read() -> Operation {
    Operation::Read { path: Path::object(3), format: None }
}

/// How many callers wait for the outcome of an operation.
async fn waiting(server: &ServerHandle) -> usize {
    server.handle.with(|with_sink, _| with_sink.sink.operations.len()).await.unwrap()
}

async fn commands(server: &ServerHandle) -> usize {
    server.with(|server, _| server.commands_from(CommandId(0)).count()).await.unwrap()
}

#[tokio::test]
async fn nobody_is_left_on_the_list_of_those_that_wait_for_a_command() {
    let engine = Server::new(Config::default(), [7; 32]);
    let server = bind_server(LOOPBACK, engine, None).await.unwrap();
    let _device = mute_device(&server).await;
    let command = server.command("a", read(), CommandOptions::default()).await.unwrap();
    let lists =
        || async { server.handle.with(|with_sink, _| with_sink.sink.ends.len()).await.unwrap() };
    tokio::select! {
        it = server.ended(command.id, MINUTE) => panic!("{it:?}"),
        () = async { while lists().await == 0 {} } => {}
    }
    assert_eq!(lists().await, 0, "the caller has gone");
    let found = server.ended(command.id, Duration::from_millis(1)).await.unwrap();
    assert!(found.is_some_and(|it| !it.has_ended()));
    assert_eq!(lists().await, 0, "its time is over");
    let removed = server.remove_command(command.id).await.unwrap();
    assert_eq!((removed, server.ended(command.id, MINUTE).await), (true, Ok(None)));
}

#[tokio::test]
async fn a_wish_whose_caller_has_gone_stays_and_its_first_value_is_a_notification() {
    let engine = Server::new(Config::default(), [7; 32]);
    let server = bind_server(LOOPBACK, engine, None).await.unwrap();
    let device = mute_device(&server).await;
    let target = Target::Path(Path::resource(3, 0, 9));
    let mut request = [0; 64];
    let options = WishOptions::default();
    let length = tokio::select! {
        it = server.wish("a", target.clone(), options, MINUTE) => panic!("{it:?}"),
        received = device.recv(&mut request) => received.unwrap(),
    };
    assert_eq!(waiting(&server).await, 0);
    let mut events = server.subscribe();
    // An acknowledgement with the message ID and token of the request: 2.05, Observe, text/plain.
    let view = MessageView::parse(&request[..length]).unwrap();
    let token = view.token();
    let mut answer = vec![0x60 | u8::try_from(token.as_bytes().len()).unwrap(), 0x45];
    answer.extend_from_slice(&request[2..4]);
    answer.extend_from_slice(token.as_bytes());
    answer.extend_from_slice(b"\x61\x01\x60\xff7");
    device.send(&answer).await.unwrap();
    let told = events.recv().await.unwrap();
    assert!(
        matches!(&*told, Event::Notification { target: of, result: Ok(_), .. } if *of == target)
    );
}

#[test]
fn the_directory_of_a_server_that_goes_on_knows_who_sleeps() {
    let mut server = Server::new(Config::default(), [7; 32]);
    server.handle(Instant::ZERO, Input::datagram(LOOPBACK, REGISTER));
    let is_asleep =
        |server: &Server| ServerSink::new(server).directory.get("a").map(|it| it.is_asleep);
    assert_eq!(is_asleep(&server), Some(false));
    server.set_awake_time("a", Some(Duration::from_secs(5)));
    server.handle(Instant::from_millis(6_000), Input::Timeout);
    assert_eq!(is_asleep(&server), Some(true));
}
