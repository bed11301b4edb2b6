//! The sessions of each identity, so that none has too many of them.
//!
//! A client that restarts comes from another port and leaves its old session behind, which nobody
//! ends any more. Without a bound such sessions would take the room of all others in the end.

use alloc::vec::Vec;
use hashbrown::HashMap;
use lwm2m_dtls::{Identity, SessionId};

/// Entries whose sessions have ended are looked for when there are so many more than sessions.
const SLACK: usize = 64;

/// The sessions of each identity, oldest first.
#[derive(Default)]
pub(crate) struct ByIdentity {
    /// How many an identity may have; without it nothing is kept here.
    pub(crate) max: Option<usize>,
    sessions: HashMap<Identity, Vec<SessionId>>,
}

impl ByIdentity {
    /// Adds a session, and returns the oldest of its identity if they are too many. `open` of all
    /// sessions are open; `is_open` tells which.
    pub(crate) fn add(
        &mut self,
        identity: &Identity,
        session: SessionId,
        open: usize,
        is_open: impl Fn(SessionId) -> bool,
    ) -> Option<SessionId> {
        let max = self.max?;
        if self.sessions.len() > 2 * open + SLACK {
            self.sessions.retain(|_, list| list.iter().any(|session| is_open(*session)));
        }
        let list = self.sessions.entry(identity.clone()).or_default();
        list.retain(|session| is_open(*session));
        // Nearly all identities have one session.
        list.reserve_exact(1);
        list.push(session);
        (list.len() > max).then(|| list.remove(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_open_session_goes_and_ended_ones_are_forgotten() {
        let mut by_identity = ByIdentity { max: Some(2), ..ByIdentity::default() };
        let one = Identity::Psk("one".into());
        let mut add = |number: u64, ended: &[u64]| {
            let is_open = |session: SessionId| !ended.contains(&session.0);
            by_identity.add(&one, SessionId(number), 2, is_open)
        };
        assert_eq!((add(1, &[]), add(2, &[])), (None, None));
        assert_eq!(add(3, &[2]), None);
        assert_eq!(add(4, &[2]), Some(SessionId(1)));
        for number in 10..1_000_u64 {
            let other = Identity::Psk(alloc::format!("{number}").into());
            by_identity.add(&other, SessionId(number), 1, |session| session.0 == number);
        }
        assert!(by_identity.sessions.len() <= 2 + SLACK + 1, "{}", by_identity.sessions.len());
        let mut unlimited = ByIdentity::default();
        assert!((0..9).all(|number| unlimited.add(&one, SessionId(number), 9, |_| true).is_none()));
    }
}
