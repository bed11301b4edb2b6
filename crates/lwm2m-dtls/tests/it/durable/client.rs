//! A device that reboots goes on in its session.

use super::{Nodes, Way, durable};
use crate::support::{KEY, SERVER, address, psk_profile};
use lwm2m_dtls::{Config, Endpoint, Error, Event};
use std::sync::Arc;

#[test]
fn what_resumes_the_session_comes_back_with_it() {
    for has_tickets in [false, true] {
        let mut nodes = Nodes::new(Way { mode: 0, has_cids: false });
        if has_tickets {
            nodes.server.config.ticket_key = Some(lwm2m_dtls::TicketKey::new([7; 16]));
            nodes.server.config.session_cache = 0;
            nodes.server.endpoint = Endpoint::new(nodes.server.config.clone(), [3; 32]);
        }
        let profile = Arc::new(nodes.way.profile());
        let client = &mut nodes.client.endpoint;
        client.connect(nodes.now, address(SERVER), profile.clone()).expect("a good profile");
        nodes.carry(&mut |_, _| true);
        let connected = nodes.client.handle_events().into_iter().find_map(|event| match event {
            Event::Connected { session, resumption, .. } => Some((session, resumption)),
            _ => None,
        });
        let (session, resumption) = connected.expect("connected");
        let client = &mut nodes.client.endpoint;
        let mut counters = client.counters(session).expect("established");
        counters.note = b"a note".to_vec();
        let counters = counters.encode();
        let sealed = client.seal_client_session(session, &profile, resumption.as_deref());
        let sealed = sealed.expect("established");
        assert_eq!(client.seal_session(session), Err(Error::CredentialChanged), "not a server's");

        *client = Endpoint::new(durable(Config::default()), [8; 32]);
        let other = psk_profile(b"another key");
        let changed = client.restore_client(&sealed, &counters, &other);
        assert_eq!(changed.map(|it| it.session), Err(Error::CredentialChanged));
        let as_server = client.restore(&sealed, &counters).map(|it| it.session);
        assert_eq!(as_server, Err(Error::ImportRefused));
        let restored = client.restore_client(&sealed, &counters, &psk_profile(KEY));
        let restored = restored.expect("as it was written");
        assert_eq!(restored.note, b"a note");
        // The server has lost it.
        client.close(restored.session).expect("open");
        let resumption = Arc::new(restored.resumption.expect("what resumes it"));
        client.resume(nodes.now, address(SERVER), profile, resumption).expect("a good profile");
        nodes.carry(&mut |_, _| true);
        let resumed = |event: &Event| matches!(event, Event::Connected { resumed: true, .. });
        assert!(nodes.client.handle_events().iter().any(resumed));
    }
}
