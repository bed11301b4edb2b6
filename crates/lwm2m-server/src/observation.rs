//! The observations of a device (OMA LwM2M Core 6.4; RFC 7641).

use crate::operation::{OperationId, Target};
use lwm2m_coap::RequestId;
use lwm2m_core::ContentFormat;
use lwm2m_time::Instant;

/// An observation that a device accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Observation {
    /// What is observed.
    pub target: Target,
    /// The format that was asked for.
    pub format: ContentFormat,
    /// The operation that began it.
    pub id: OperationId,
}

/// An observation of one device; the map that holds it has its target.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) format: ContentFormat,
    /// The operation that began it.
    pub(crate) operation: OperationId,
    pub(crate) relation: Relation,
}

/// Whether the device knows of the observation, and by which request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Relation {
    /// It has to be begun at the device: this server has adopted the device, or the connection or
    /// session that carried the observation has ended.
    Lost,
    /// The request that writes its attributes is under way; the Observe follows.
    Prepared(RequestId),
    /// The request that begins it anew is under way.
    Asked(RequestId),
    /// Notifications carry the token of this request, since the device has accepted it.
    Established(RequestId, Instant),
}

impl Observed {
    /// The request that answers and notifications belong to.
    pub(crate) const fn request(&self) -> Option<RequestId> {
        match self.relation {
            Relation::Lost => None,
            Relation::Prepared(request)
            | Relation::Asked(request)
            | Relation::Established(request, _) => Some(request),
        }
    }
}
