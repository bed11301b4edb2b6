//! Names of what the parts of a client share: accounts, timers, Sends.

use lwm2m_coap::{Observer, RequestId};

/// Names an account within its client. An account keeps its id until a bootstrap removes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct AccountId(pub(crate) usize);

/// A Send that is under way (OMA LwM2M Core 6.4.6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SendId(pub(crate) RequestId);

/// The deadlines of a client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Timer {
    /// The next Register or Update of an account, or the end of its Disable.
    Account(AccountId),
    /// The next Bootstrap-Request, or the end of the bootstrap server's time for a command.
    Bootstrap,
    /// The time to listen in queue mode is over.
    Sleep,
    /// The account of the bootstrap server is purged.
    BootstrapAccount,
    /// The minimum period has passed: a change may be notified.
    Pmin(Observer),
    /// The maximum period has passed: a notification is due without a change.
    Pmax(Observer),
    /// The value has to be evaluated.
    Epmax(Observer),
}
