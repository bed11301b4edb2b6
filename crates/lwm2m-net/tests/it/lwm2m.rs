//! A device that registers over TCP, made by hand, and our server.

use crate::harness::{CSM, PATIENCE, Raw, V4};
use lwm2m_coap::{Code, OptionNumber, Options, Token, write_frame};
use lwm2m_core::{Node, Path, Resource, Value};
use lwm2m_net::{RequestError, ServerHandle, Sockets, bind_server};
use lwm2m_server::{Config, Content, Event, Operation, OperationError, Server, SubmitError};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;

const MAKER: Path = Path::resource(3, 0, 0);

async fn start() -> ServerHandle {
    let free = SocketAddr::new(V4, 0);
    let sockets = Sockets { tcp: Some(free), ..Sockets::from(free) };
    bind_server(sockets, Server::new(Config::default(), [7; 32]), None).await.unwrap()
}

/// A connection on which a device has said hello and sent a POST to `path`.
async fn post(server: &ServerHandle, path: &[&str], query: &[&str], payload: &[u8]) -> Raw {
    let mut device = Raw::connect(server.local().tcp.unwrap()).await;
    device.send(&CSM).await;
    let mut options = Options::new();
    path.iter().for_each(|it| options.push(OptionNumber::URI_PATH, it.as_bytes()));
    options.push_uint(OptionNumber::CONTENT_FORMAT, 40);
    query.iter().for_each(|it| options.push(OptionNumber::URI_QUERY, it.as_bytes()));
    let mut frame = Vec::new();
    write_frame(&mut frame, Code::POST, Token::EMPTY, &options, payload);
    device.send(&frame).await;
    assert_eq!(device.message().await.unwrap().0, CSM[1]);
    device
}

async fn register(server: &ServerHandle) -> Raw {
    let query = ["ep=a", "lt=300", "lwm2m=1.1", "b=T"];
    let mut device = post(server, &["rd"], &query, b"</1/0>,</3/0>").await;
    assert_eq!(device.message().await.unwrap().0, Code::CREATED.as_byte());
    device
}

/// Answers one request with the text `Maker`; to observe, if it was asked to.
async fn answer(device: &mut Raw, observe: bool) {
    let (code, rest) = device.message().await.unwrap();
    assert_eq!(code, Code::GET.as_byte());
    // The token stands first; this server's are eight bytes long.
    let token = Token::new(&rest[..8]).unwrap();
    let mut options = Options::new();
    if observe {
        options.push_uint(OptionNumber::OBSERVE, 1);
    }
    options.push_uint(OptionNumber::CONTENT_FORMAT, 0);
    let mut frame = Vec::new();
    write_frame(&mut frame, Code::CONTENT, token, &options, b"Maker");
    device.send(&frame).await;
}

async fn read(server: &ServerHandle) -> Result<Content, RequestError> {
    let read = Operation::Read { path: MAKER, format: None };
    server.request("a", read, PATIENCE).await.map(|response| response.content)
}

fn maker() -> Content {
    Content::Node(Node::Resource(Resource::Single(Value::from("Maker"))))
}

// proves: TCP-10
#[tokio::test]
async fn device_is_asked_on_the_connection_that_it_registered_on_and_nowhere_else() {
    let server = start().await;
    let mut device = register(&server).await;
    let (content, ()) = tokio::join!(read(&server), answer(&mut device, false));
    assert_eq!(content.unwrap(), maker());

    let (lost, ()) = tokio::join!(read(&server), async {
        assert_eq!(device.message().await.unwrap().0, Code::GET.as_byte());
        drop(device);
    });
    assert!(matches!(lost, Err(RequestError::Operation(OperationError::Protocol(_)))), "{lost:?}");
    let refused = read(&server).await;
    assert!(matches!(refused, Err(RequestError::Submit(SubmitError::NotConnected))), "{refused:?}");

    let id = server.directory().get("a").unwrap().registration.id;
    let mut device = post(&server, &["rd", id.as_str()], &[], b"").await;
    assert_eq!(device.message().await.unwrap().0, Code::CHANGED.as_byte());
    let (content, ()) = tokio::join!(read(&server), answer(&mut device, false));
    assert_eq!(content.unwrap(), maker());
}

#[tokio::test]
async fn who_wants_some_events_does_not_lose_them_to_others() {
    let server = start().await;
    let mut registered = server.subscribe_to(|event| matches!(event, Event::Registered(_)));
    // Each ends the one before, which is another event.
    for _ in 0..3 {
        register(&server).await;
    }
    for _ in 0..3 {
        assert!(matches!(&*registered.recv().await.unwrap(), Event::Registered(_)));
    }
    assert!(registered.is_empty());
}

#[tokio::test]
async fn observation_begins_anew_on_the_next_connection() {
    let server = start().await;
    let mut device = register(&server).await;
    let observe = Operation::Observe { path: MAKER, format: None };
    let (observed, ()) =
        tokio::join!(server.request("a", observe, PATIENCE), answer(&mut device, true));
    assert_eq!(observed.unwrap().content, maker());
    let mut events = server.subscribe();
    drop(device);
    let id = server.directory().get("a").unwrap().registration.id;
    let mut device = post(&server, &["rd", id.as_str()], &[], b"").await;
    assert_eq!(device.message().await.unwrap().0, Code::CHANGED.as_byte());
    let told = timeout(Duration::from_secs(20), async {
        loop {
            match &*events.recv().await.unwrap() {
                Event::Notification { .. } => return,
                Event::ObservationEnded { reason, .. } => panic!("{reason:?}"),
                _ => {}
            }
        }
    });
    let (told, ()) = tokio::join!(told, answer(&mut device, true));
    told.unwrap();
    assert_eq!(server.with(|it, _| it.observations("a").count()).await.unwrap(), 1);
}
