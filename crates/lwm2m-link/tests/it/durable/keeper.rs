//! A server that promises: it writes what a POST asks for with the counters of the asker's session,
//! and answers when that is durable.

use lwm2m_coap::{Code, Config, Event, ExchangeId, Response};
use lwm2m_link::{
    Engine, Input, Link, LinkEvent, Output, Outputs, PeerId, SecurityEvent, SessionCounters,
    SessionFingerprint,
};
use lwm2m_time::Instant;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// A change that may still be lost.
pub(crate) enum Change {
    /// Counters, the session if it is new, and a thing that was asked for.
    Write(SessionCounters, Option<Vec<u8>>, Option<(Vec<u8>, ExchangeId)>),
    Remove(SessionFingerprint),
}

/// What is durable: sealed sessions and their counters, and what was done.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) sessions: BTreeMap<SessionFingerprint, (Vec<u8>, Vec<u8>)>,
    pub(crate) done: Vec<Vec<u8>>,
}

/// A link with a disk.
pub(crate) struct Keeper {
    pub(crate) link: Link,
    pub(crate) disk: Rc<RefCell<Disk>>,
    pub(crate) changes: VecDeque<Change>,
    /// Whether each change is durable at once.
    pub(crate) commits: bool,
    outputs: Outputs<LinkEvent>,
    now: Instant,
}

impl Keeper {
    /// Goes on with what is durable.
    pub(crate) fn new(security: lwm2m_dtls::Config, disk: Rc<RefCell<Disk>>, seed: u8) -> Self {
        let mut link = Link::new(Config::default(), [seed; 32]);
        link.set_security(security);
        for (sealed, counters) in disk.borrow().sessions.values() {
            let peer = link.import_session(Instant::ZERO, sealed, counters);
            link.hold(peer.expect("as it was written"));
        }
        let (changes, outputs) = Default::default();
        Self { link, disk, changes, commits: true, outputs, now: Instant::ZERO }
    }

    fn write(&mut self, peer: PeerId, done: Option<(Vec<u8>, ExchangeId)>) {
        // The session may have ended since.
        let Some(counters) = self.link.counters(peer) else { return };
        let sealed = (!counters.is_recorded).then(|| self.link.session_record(peer));
        let sealed = sealed.map(|sealed| sealed.expect("its credential is there"));
        self.changes.push_back(Change::Write(counters, sealed, done));
    }

    /// Makes the next changes durable and answers those who asked for them.
    pub(crate) fn commit(&mut self, number: usize) {
        for _ in 0..number {
            match self.changes.pop_front() {
                Some(Change::Write(counters, sealed, done)) => {
                    let mut disk = self.disk.borrow_mut();
                    let on_disk = disk.sessions.entry(counters.fingerprint).or_default();
                    on_disk.1 = counters.encode();
                    if let Some(sealed) = sealed {
                        on_disk.0 = sealed;
                    }
                    let SessionCounters { session, limit, .. } = counters;
                    self.link.limit_written(self.now, session, limit);
                    if let Some((thing, exchange)) = done {
                        disk.done.push(thing);
                        // It may be over.
                        let changed = Response::new(Code::CHANGED);
                        let _ = self.link.coap().respond(self.now, exchange, changed);
                    }
                }
                Some(Change::Remove(session)) => {
                    self.disk.borrow_mut().sessions.remove(&session);
                }
                None => return,
            }
        }
    }

    fn handle_events(&mut self) {
        while let Some(event) = self.outputs.take_from(&mut self.link) {
            match &event {
                LinkEvent::Coap(Event::Request { exchange, peer, request, .. }) => {
                    if request.code == Code::POST {
                        self.link.coap().promise(*exchange, &Response::new(Code::CHANGED));
                        self.write(*peer, Some((request.payload.to_vec(), *exchange)));
                    } else {
                        let content = Response::new(Code::CONTENT);
                        let _ = self.link.coap().respond(self.now, *exchange, content);
                    }
                }
                LinkEvent::Security(SecurityEvent::CountersDue { peer }) => self.write(*peer, None),
                LinkEvent::Security(SecurityEvent::Forget { session }) => {
                    self.changes.push_back(Change::Remove(*session));
                }
                _ => {}
            }
            self.outputs.push_back(event);
        }
    }
}

impl Engine for Keeper {
    type Event = LinkEvent;

    fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        self.link.handle(now, input);
        self.handle_events();
        if self.commits {
            self.commit(usize::MAX);
            self.handle_events();
        }
    }

    fn poll(&mut self) -> Option<Output<LinkEvent>> {
        // A test may have changed the link directly.
        self.handle_events();
        self.outputs.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.link.poll_timeout()
    }
}
