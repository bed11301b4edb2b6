//! A bare engine on sockets, with a sink for its events: the bootstrap server.

use crate::harness::{PATIENCE, V4};
use lwm2m_bootstrap::{BootstrapServer, Command, Config, Event, SessionError};
use lwm2m_coap::uri::Scheme;
use lwm2m_coap::{Code, Request};
use lwm2m_core::Path;
use lwm2m_net::coap::{Answer, CoapClient};
use lwm2m_net::uri::Remote;
use lwm2m_net::{Handle, Sockets};
use std::net::SocketAddr;
use tokio::sync::mpsc;
use tokio::time::timeout;

#[tokio::test]
async fn bootstrap_server_tells_its_sink_what_happens_on_each_transport() {
    let free = SocketAddr::new(V4, 0);
    let sockets = Sockets { tcp: Some(free), ..Sockets::from(free) };
    let engine = BootstrapServer::new(Config::default(), [1; 32]);
    let (sender, mut events) = mpsc::unbounded_channel();
    let sink = move |_now, _server: &mut BootstrapServer, event: Event| {
        let _ = sender.send(event);
    };
    let server = Handle::bind_with(sockets, engine, sink).await.unwrap();
    let commands = vec![Command::Delete(Path::object(1))];
    server.with(|it, _| it.engine.configure("a", commands)).await.unwrap();
    let servers = [
        Remote { scheme: Scheme::Coap, address: server.local().udp.unwrap() },
        Remote { scheme: Scheme::CoapTcp, address: server.local().tcp.unwrap() },
    ];
    for remote in servers {
        let client = CoapClient::bind(free, lwm2m_coap::Config::default(), [2; 32]).await.unwrap();
        let request = Request::post().path(["bs"]).query("ep=a");
        let mut answers = client.request(remote, request).await.unwrap();
        let answer = timeout(PATIENCE, answers.recv()).await.unwrap().unwrap();
        assert!(matches!(answer, Answer::Response(response) if response.code == Code::CHANGED));
        // This client has no resources, so the first command fails.
        let mut next = async || timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        assert!(matches!(next().await, Event::Started { endpoint, .. } if endpoint == "a"));
        let Event::Failed { reason, .. } = next().await else { panic!("no failure") };
        assert_eq!(reason, SessionError::Refused(Path::object(1), Code::NOT_FOUND));
    }
}
