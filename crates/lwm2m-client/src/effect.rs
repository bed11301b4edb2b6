//! What one part of a client asks of the others.

use crate::ids::AccountId;
use alloc::vec::Vec;
use lwm2m_core::{Arguments, Path};

/// A consequence outside of the part that caused it. The client carries effects out in their order,
/// after the part has returned and its answer has been sent.
#[derive(Debug)]
pub(crate) enum Effect {
    /// The observations of a server end: it is registered anew, or not at all.
    EndObservations(AccountId),
    /// An account is gone, which had this short server id: its attributes go with it.
    ForgetAccount(AccountId, u16),
    /// Values at these paths have changed in the device.
    Changed(Vec<Path>),
    /// A server has written to these paths.
    Written(Vec<Path>),
    /// This object instance has come or gone.
    Instances(Path),
    /// A server has set attributes at this path.
    Attributes(AccountId, Path),
    /// What is at this path has been deleted, and its attributes with it.
    Deleted(Path),
    /// A server has executed a resource.
    Executed(Path, Arguments),
    /// A server has accepted a Register.
    Accepted(AccountId),
    /// A server has accepted the first Update after a restart.
    Resumed(AccountId),
    /// No further attempt to register with a server is made.
    GivenUp,
    /// Something has ended that a shutdown waits for.
    Ended,
    /// A bootstrap has finished and its accounts are consistent.
    Bootstrapped,
}
