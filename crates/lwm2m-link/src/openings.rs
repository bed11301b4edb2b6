//! How sessions began, for the flight recorder: their handshakes, and the secrets that open what follows.
//!
//! Handshakes of clients that have proven nothing have a share of their own, so that they push out none of
//! sessions that came about.

use crate::recorder::Recorded;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::fmt::Write;
use lwm2m_dtls::SessionId;
use zeroize::Zeroizing;

/// The most bytes of a handshake, by estimate.
const MAX_HANDSHAKE: usize = 24 << 10;
/// The secrets of a session: version 1.3 has five.
const MAX_SECRETS: usize = 8;

/// A secret of a session, which is wiped when it is dropped and not shown.
#[derive(Clone)]
pub struct Secret {
    pub(crate) label: String,
    pub(crate) client_random: [u8; 32],
    pub(crate) secret: Zeroizing<Vec<u8>>,
}

impl Secret {
    /// The secret as a line of a key log in NSS format, with its end.
    #[must_use]
    pub fn line(&self) -> Zeroizing<String> {
        let length = self.label.len() + 2 * (self.client_random.len() + self.secret.len()) + 3;
        let mut line = Zeroizing::new(String::with_capacity(length));
        // Writing to a text does not fail.
        let _ = write!(line, "{} ", self.label);
        self.client_random.iter().for_each(|byte| _ = write!(line, "{byte:02x}"));
        line.push(' ');
        self.secret.iter().for_each(|byte| _ = write!(line, "{byte:02x}"));
        line.push('\n');
        line
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("label", &self.label).finish_non_exhaustive()
    }
}

/// How a session began.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    pub(crate) records: Vec<Recorded>,
    pub(crate) secrets: Vec<Secret>,
    memory: usize,
    /// Whether something is missing without which nothing can be opened.
    is_broken: bool,
}

/// Openings up to a number of bytes; the oldest give way.
#[derive(Debug, Default)]
struct Shelf {
    by_session: BTreeMap<SessionId, Opening>,
    memory: usize,
    most: usize,
}

impl Shelf {
    fn remove(&mut self, session: SessionId) -> Option<Opening> {
        let opening = self.by_session.remove(&session)?;
        self.memory -= opening.memory;
        Some(opening)
    }

    fn insert(&mut self, session: SessionId, opening: Opening) {
        self.memory += opening.memory;
        self.by_session.insert(session, opening);
        while self.memory > self.most
            && let Some((_, oldest)) = self.by_session.pop_first()
        {
            self.memory -= oldest.memory;
        }
    }
}

/// The openings of sessions that came about, and those of handshakes that are under way.
#[derive(Debug, Default)]
pub(crate) struct Openings {
    sessions: Shelf,
    handshakes: Shelf,
}

impl Openings {
    /// Openings that take so many bytes, and those of handshakes so many of these.
    pub(crate) fn new(most: usize, of_handshakes: usize) -> Self {
        let shelf = |most| Shelf { most, ..Shelf::default() };
        Self { sessions: shelf(most - of_handshakes), handshakes: shelf(of_handshakes) }
    }

    pub(crate) const fn memory(&self) -> usize {
        self.sessions.memory + self.handshakes.memory
    }

    /// An opening with which what follows it can be read.
    pub(crate) fn whole(&self, session: SessionId) -> Option<&Opening> {
        let opening = self.sessions.by_session.get(&session)?;
        let is_whole = !opening.is_broken && !opening.secrets.is_empty();
        (is_whole && !opening.records.is_empty()).then_some(opening)
    }

    fn change(&mut self, session: SessionId, change: impl FnOnce(&mut Opening)) {
        let is_there = self.sessions.by_session.contains_key(&session);
        let shelf = if is_there { &mut self.sessions } else { &mut self.handshakes };
        let mut opening = shelf.remove(session).unwrap_or_default();
        change(&mut opening);
        shelf.insert(session, opening);
    }

    /// Adds what went over the wire in a handshake.
    pub(crate) fn add(&mut self, session: SessionId, record: Recorded) {
        self.change(session, |opening| {
            let memory = record.memory();
            if opening.memory + memory > MAX_HANDSHAKE {
                opening.is_broken = true;
                return;
            }
            opening.memory += memory;
            opening.records.push(record);
        });
    }

    /// Adds secrets of a session.
    pub(crate) fn add_secrets(&mut self, session: SessionId, secrets: Vec<Secret>) {
        if secrets.is_empty() {
            return;
        }
        self.change(session, |opening| {
            for secret in secrets.into_iter().take(MAX_SECRETS - opening.secrets.len()) {
                opening.memory += size_of::<Secret>() + secret.label.len() + secret.secret.len();
                opening.secrets.push(secret);
            }
        });
    }

    /// A session came about.
    pub(crate) fn establish(&mut self, session: SessionId) {
        if let Some(opening) = self.handshakes.remove(session) {
            self.sessions.insert(session, opening);
        }
    }

    /// Forgets how a session began.
    pub(crate) fn forget(&mut self, session: SessionId) {
        self.sessions.remove(session);
        self.handshakes.remove(session);
    }

    /// A message is not kept any more. What follows it on a stream cannot be opened without it.
    pub(crate) fn lose(&mut self, message: &Recorded) {
        if let Some(session) = message.session.filter(|_| message.is_sealed)
            && message.carriage.is_stream
        {
            self.forget(session);
        }
    }
}
