//! A device that reboots goes on in its session.

use super::{AT_ONCE, World, security};
use crate::harness::{KEY, profile};
use lwm2m_coap::Request;
use lwm2m_dtls::{Error, TicketKey};
use lwm2m_link::{LinkEvent, SecurityEvent};
use std::time::Duration;

#[test]
fn a_device_goes_on_in_its_session_and_resumes_it_if_the_server_has_lost_it() {
    for has_cids in [false, true] {
        let mut config = security(has_cids);
        config.ticket_key = Some(TicketKey::new([7; 16]));
        let mut world = World::new(config);
        let the_profile = profile(KEY);
        let peer = world.connect(&the_profile);
        let first = world.post(peer, "first");
        assert!(world.is_answered(first, AT_ONCE));
        world.handshakes();
        // What the device keeps when it is connected.
        let (sealed, counters) = world.sim.with(world.device, |it, now| {
            let counters = it.counters(peer).expect("a session");
            assert!(!counters.is_recorded);
            let sealed = it.session_record(peer).expect("a session");
            it.limit_written(now, counters.session, counters.limit);
            (sealed, counters.encode())
        });
        world.reboot();
        let (device, same_profile) = (world.device, the_profile.clone());
        let peer = world.sim.with(device, |it, now| {
            let other = profile(b"another key");
            let changed = it.import_begun_session(now, &sealed, &counters, other);
            assert_eq!(changed, Err(Error::CredentialChanged));
            let as_server = it.import_session(now, &sealed, &counters);
            assert_eq!(as_server, Err(Error::ImportRefused));
            let peer = it.import_begun_session(now, &sealed, &counters, same_profile);
            let peer = peer.expect("as it was written");
            it.hold(peer);
            peer
        });
        let asked = world.request(peer, Request::get());
        // It waits for new record numbers.
        assert!(!world.is_answered(asked, AT_ONCE));
        let due = LinkEvent::Security(SecurityEvent::CountersDue { peer });
        let last = world.sim.events(device).last().map(|(_, event)| format!("{event:?}"));
        assert_eq!(last, Some(format!("{due:?}")));
        world.sim.with(device, |it, now| {
            let counters = it.counters(peer).expect("a session");
            assert!(counters.is_recorded && !counters.is_limit_written);
            it.limit_written(now, counters.session, counters.limit);
        });
        assert!(world.is_answered(asked, AT_ONCE));
        assert_eq!(world.handshakes(), 0);

        world.disk.borrow_mut().sessions.clear();
        world.sim.restart(world.server);
        let asked = world.request(peer, Request::get());
        assert!(world.is_answered(asked, Duration::from_secs(21)));
        let resumed = |(_, event): &(_, LinkEvent)| {
            matches!(event, LinkEvent::Security(SecurityEvent::Established { resumed: true, .. }))
        };
        assert!(world.sim.events(device).iter().any(resumed), "{has_cids}");
    }
}
