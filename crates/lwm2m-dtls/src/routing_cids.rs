//! Connection IDs that say where their session lives: RFC 9146 leaves their bytes to whoever hands
//! them out, and section 6 names load balancers as the reason.

use crate::config::ConnectionIds;
use crate::record::header;

/// Where a session lives, among the processes that share an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CidRoute {
    /// Which machine or process.
    pub node: u8,
    /// Which thread of it.
    pub shard: u8,
}

/// Connection IDs of one place: the node, the shard, and random bytes. IDs shorter than
/// [`RoutingCids::MIN_LENGTH`] are random only.
#[derive(Clone, Copy, Debug)]
pub struct RoutingCids {
    place: CidRoute,
    length: u8,
}

impl RoutingCids {
    /// The least length of IDs that have room for the place and for enough sessions, in bytes.
    pub const MIN_LENGTH: u8 = 4;

    /// IDs of so many bytes, 1 to 255.
    #[must_use]
    pub const fn new(place: CidRoute, length: u8) -> Self {
        Self { place, length }
    }

    /// Where the session of a datagram lives, by the ID of its first record; `length` is that of
    /// all IDs of the server. Nothing is authenticated: it says whom to hand the datagram to, and
    /// only that endpoint knows whether it is genuine.
    #[must_use]
    pub fn cid_route(datagram: &[u8], length: u8) -> Option<CidRoute> {
        let (record, _) = header::parse(datagram, length.into())?;
        match record.header.cid {
            [node, shard, ..] if length >= Self::MIN_LENGTH => {
                Some(CidRoute { node: *node, shard: *shard })
            }
            _ => None,
        }
    }
}

impl ConnectionIds for RoutingCids {
    fn length(&self) -> usize {
        self.length.into()
    }

    fn generate(&self, random: [u8; 8], cid: &mut [u8]) {
        let place = [self.place.node, self.place.shard];
        let place = place.into_iter().filter(|_| self.length >= Self::MIN_LENGTH);
        cid.iter_mut().zip(place.chain(random)).for_each(|(to, from)| *to = from);
    }
}
