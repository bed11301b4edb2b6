//! Connection IDs that name the node and shard of their session, for load balancers. RFC 9146
//! section 6 leaves the content of IDs to the endpoint that generates them.

use crate::config::ConnectionIds;
use crate::record::header;

/// The node and shard of a session, among the processes that share an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CidRoute {
    /// The machine or process.
    pub node: u8,
    /// The thread of the node.
    pub shard: u8,
}

/// Generates Connection IDs of one node and shard: the two numbers, then random bytes. IDs shorter
/// than [`RoutingCids::MIN_LENGTH`] are random only.
#[derive(Clone, Copy, Debug)]
pub struct RoutingCids {
    place: CidRoute,
    length: u8,
}

impl RoutingCids {
    /// The length in bytes from which IDs hold a route.
    pub const MIN_LENGTH: u8 = 4;

    /// Creates a generator of IDs of `length` bytes, 1 to 255.
    #[must_use]
    pub const fn new(place: CidRoute, length: u8) -> Self {
        Self { place, length }
    }

    /// Returns the route in the Connection ID of a datagram's first record; `length` is that of all
    /// IDs of the server. Nothing is authenticated: only the endpoint at the end of the route can
    /// tell whether the datagram is genuine.
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
