//! The sessions of each client identity: so that none has too many of them, and so that a new one
//! continues an old one.
//!
//! A client that restarts comes from another port and leaves its old session behind, which nobody
//! ends any more. Without a bound such sessions would take the room of all others in the end.

use crate::table::shrink;
use alloc::vec::Vec;
use hashbrown::HashMap;
use lwm2m_coap::PeerId;
use lwm2m_dtls::{Identity, SessionId};

/// What is known of an identity.
#[derive(Default)]
struct Known {
    /// Its open sessions, oldest first. Nearly all identities have one.
    sessions: Vec<SessionId>,
    /// The held peer whose session has ended, until a new session continues it.
    cut_off: Option<PeerId>,
}

/// The sessions of each identity.
#[derive(Default)]
pub(crate) struct ByIdentity {
    /// How many an identity may have. Default: no bound.
    pub(crate) max: Option<usize>,
    known: HashMap<Identity, Known>,
}

impl ByIdentity {
    /// Adds a session, and returns the oldest of its identity if they are too many.
    pub(crate) fn add(&mut self, identity: &Identity, session: SessionId) -> Option<SessionId> {
        let max = self.max.unwrap_or(usize::MAX);
        let sessions = &mut self.entry(identity).sessions;
        sessions.reserve_exact(1);
        sessions.push(session);
        (sessions.len() > max).then(|| sessions.remove(0))
    }

    /// A session has ended.
    pub(crate) fn remove(&mut self, identity: &Identity, session: SessionId) {
        self.change(identity, |known| known.sessions.retain(|it| *it != session));
    }

    /// The open sessions of an identity, oldest first.
    pub(crate) fn sessions(&self, identity: &Identity) -> &[SessionId] {
        self.known.get(identity).map_or(&[], |known| &known.sessions)
    }

    /// The session of a held peer has ended. Returns the peer that was cut off before.
    pub(crate) fn cut_off(&mut self, identity: &Identity, peer: PeerId) -> Option<PeerId> {
        self.entry(identity).cut_off.replace(peer)
    }

    /// The held peer of an identity whose session has ended.
    pub(crate) fn is_cut_off(&self, identity: &Identity) -> Option<PeerId> {
        self.known.get(identity)?.cut_off
    }

    /// A peer goes on or is forgotten.
    pub(crate) fn reconnect(&mut self, identity: &Identity, peer: PeerId) {
        self.change(identity, |known| _ = known.cut_off.take_if(|it| *it == peer));
    }

    /// The peers that are cut off and whose identities `is_meant` selects.
    pub(crate) fn all_cut_off(&self, is_meant: impl Fn(&Identity) -> bool) -> Vec<PeerId> {
        let meant = self.known.iter().filter(|(identity, _)| is_meant(identity));
        meant.filter_map(|(_, known)| known.cut_off).collect()
    }

    /// Gives memory back, if most identities have gone.
    pub(crate) fn shrink(&mut self) {
        shrink(&mut self.known);
    }

    /// How many identities are known.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    fn entry(&mut self, identity: &Identity) -> &mut Known {
        self.known.entry(identity.clone()).or_default()
    }

    fn change(&mut self, identity: &Identity, change: impl FnOnce(&mut Known)) {
        let Some(known) = self.known.get_mut(identity) else { return };
        change(known);
        if known.sessions.is_empty() && known.cut_off.is_none() {
            self.known.remove(identity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_open_session_goes_and_ended_ones_leave_nothing() {
        let mut by_identity = ByIdentity { max: Some(2), ..ByIdentity::default() };
        let one = Identity::Psk("one".into());
        let mut add = |number| by_identity.add(&one, SessionId(number));
        assert_eq!((add(1), add(2)), (None, None));
        by_identity.remove(&one, SessionId(2));
        assert_eq!(by_identity.add(&one, SessionId(3)), None);
        assert_eq!(by_identity.add(&one, SessionId(4)), Some(SessionId(1)));
        let other = |number: u64| Identity::Psk(alloc::format!("{number}").into());
        for number in 10..1_000 {
            by_identity.add(&other(number), SessionId(number));
        }
        for number in 10..1_000 {
            assert_eq!(by_identity.sessions(&other(number)), [SessionId(number)]);
            by_identity.remove(&other(number), SessionId(number));
        }
        assert_eq!(by_identity.known.len(), 1);
        [3, 4].into_iter().for_each(|it| by_identity.remove(&one, SessionId(it)));
        assert!(by_identity.known.is_empty());
    }

    #[test]
    fn a_peer_is_cut_off_until_it_goes_on() {
        let mut by_identity = ByIdentity::default();
        let (one, other) = (Identity::Psk("one".into()), Identity::Psk("other".into()));
        assert_eq!(by_identity.cut_off(&one, PeerId(1)), None);
        assert_eq!(by_identity.cut_off(&one, PeerId(2)), Some(PeerId(1)));
        assert_eq!(by_identity.is_cut_off(&one), Some(PeerId(2)));
        assert_eq!(by_identity.is_cut_off(&other), None);
        by_identity.reconnect(&one, PeerId(1));
        assert_eq!(by_identity.all_cut_off(|it| *it == one), [PeerId(2)]);
        by_identity.reconnect(&one, PeerId(2));
        assert!(by_identity.known.is_empty());
    }
}
