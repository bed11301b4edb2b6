//! Parameters by peer.

use crate::config::{Config, PeerParameters};
use crate::ids::PeerId;
use alloc::sync::Arc;
use hashbrown::HashMap;

/// The default parameters, and those of peers that have their own.
#[derive(Clone, Debug)]
pub(super) struct Parameters {
    usual: PeerParameters,
    by_peer: HashMap<PeerId, Arc<PeerParameters>>,
}

impl Parameters {
    pub(super) fn new(config: &Config) -> Self {
        Self { usual: config.peer_parameters(), by_peer: HashMap::new() }
    }

    pub(super) fn of(&self, peer: PeerId) -> &PeerParameters {
        self.by_peer.get(&peer).map_or(&self.usual, |own| own)
    }

    /// Gives a peer its own parameters. Returns `false` if too many peers have their own.
    pub(super) fn set(&mut self, peer: PeerId, own: Arc<PeerParameters>, max_peers: usize) -> bool {
        let fits = self.by_peer.len() < max_peers || self.by_peer.contains_key(&peer);
        if fits {
            self.by_peer.insert(peer, own);
        }
        fits
    }

    pub(super) fn exchange(&mut self, a: PeerId, b: PeerId) {
        let (of_a, of_b) = (self.by_peer.remove(&a), self.by_peer.remove(&b));
        of_a.into_iter().for_each(|own| _ = self.by_peer.insert(b, own));
        of_b.into_iter().for_each(|own| _ = self.by_peer.insert(a, own));
    }

    pub(super) fn reset(&mut self, peer: PeerId) {
        self.by_peer.remove(&peer);
    }
}
