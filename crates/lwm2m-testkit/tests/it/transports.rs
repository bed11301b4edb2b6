//! Large bodies and observations between our CoAP programs and those of libcoap and aiocoap, in
//! both roles, over UDP and TCP.

use lwm2m_testkit::peer::{LossyProxy, Site, Tool};

const OTHERS: [Tool; 2] = [Tool::Libcoap, Tool::Aiocoap];

/// 100 KiB of distinct lines.
fn large() -> Vec<u8> {
    (0..6_400).flat_map(|line| format!("line {line:010}\n").into_bytes()).collect()
}

/// Client and server, one of them ours.
fn pairs() -> impl Iterator<Item = (Tool, Site)> {
    let others = OTHERS.into_iter().filter(|tool| tool.is_available());
    others
        .flat_map(|other| [(Tool::Ours, other), (other, Tool::Ours)])
        .map(|(client, server)| (client, server.serve().unwrap()))
}

#[test]
fn large_bodies_go_both_ways_over_udp_and_tcp() {
    let body = large();
    for (client, site) in pairs() {
        for uri in [site.udp_uri(None), site.tcp_uri()] {
            client.put(&uri, b"small").unwrap();
            assert_eq!(client.get(&uri).unwrap().trim_ascii(), b"small", "{client:?} at {uri}");
            client.put(&uri, &body).unwrap();
            let read = client.get(&uri).unwrap();
            let same = read.trim_ascii() == body.trim_ascii();
            assert!(same, "{client:?} at {uri}: {} bytes came back", read.len());
        }
    }
}

fn observes(client: Tool, site: &Site, uri: &str) {
    let writer = site.udp_uri(None);
    Tool::Ours.put(&writer, b"before\n").unwrap();
    let mut observer = client.observe(uri).unwrap();
    for wanted in ["before", "first", "second", "third"] {
        if wanted != "before" {
            Tool::Ours.put(&writer, format!("{wanted}\n").as_bytes()).unwrap();
        }
        // Some clients print more than the payload.
        let seen = |line: &str| line.contains(wanted).then_some(());
        let what = "what was written";
        assert!(observer.wait_for(what, seen).is_ok(), "{client:?} at {uri} missed {wanted}");
    }
}

#[test]
fn changes_are_told_over_udp_and_tcp() {
    for (client, site) in pairs() {
        for uri in [site.udp_uri(None), site.tcp_uri()] {
            observes(client, &site, &uri);
        }
    }
}

/// Only our server notifies here: it puts a newer state in the place of one that is not acknowledged
/// yet. aiocoap holds the newer back until then, 40 s and more where acknowledgements are lost: no
/// update was missing in 115 runs of our client with it and 55 with libcoap, but some came that late.
#[test]
fn changes_are_told_though_datagrams_are_lost() {
    let mut lost = 0;
    let others = OTHERS.into_iter().filter(|tool| tool.is_available());
    for client in others.chain([Tool::Ours]) {
        let site = Tool::Ours.serve().unwrap();
        let proxy = LossyProxy::start(site.udp(), 25, 7).unwrap();
        observes(client, &site, &site.udp_uri(Some(proxy.address)));
        lost += proxy.lost();
    }
    assert!(lost > 0);
}

#[test]
fn large_bodies_arrive_though_datagrams_are_lost() {
    let body = &large()[..12_000];
    for (client, site) in pairs() {
        let proxy = LossyProxy::start(site.udp(), 6, 3).unwrap();
        let uri = site.udp_uri(Some(proxy.address));
        client.put(&uri, body).unwrap();
        assert!(client.get(&uri).unwrap().trim_ascii() == body.trim_ascii(), "{client:?} at {uri}");
    }
}
