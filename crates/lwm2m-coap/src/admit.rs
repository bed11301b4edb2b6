//! Admission: which messages of a peer an endpoint takes.

use crate::message::Code;

/// Which datagrams of a peer [`Endpoint::handle_admitted`](crate::Endpoint::handle_admitted) takes.
/// It drops all others without an answer.
///
/// A repeated request is always admitted: it gets the answer that the first one got.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Admit {
    /// All of them.
    #[default]
    All,
    /// All but new requests: the peer may answer, acknowledge, reject and notify.
    NoRequests,
    /// Repeated requests only.
    Repetitions,
}

impl Admit {
    /// Whether a message that is no repeated request is taken.
    pub(crate) const fn takes(self, code: Code) -> bool {
        match self {
            Self::All => true,
            Self::NoRequests => !code.is_request(),
            Self::Repetitions => false,
        }
    }
}
