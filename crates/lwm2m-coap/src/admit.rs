//! Admission: which messages of a peer an endpoint takes.

use crate::message::{Code, OptionNumber};
use crate::response::Response;

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

/// What the layers around the endpoint know of the sender of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Sender {
    /// Nothing, and its address may be forged. Its requests that are refused leave no state, and the
    /// refusals have neither diagnostic payloads nor options that are not needed, so that they are
    /// not longer than the requests (RFC 7252 section 11.3).
    Stranger,
    /// The application knows it, but its address may be forged; or it is on a connection without
    /// security, which anybody can make.
    Known,
    /// It has a session.
    #[default]
    Proven,
}

impl Sender {
    /// What a refusal to this sender says; `None` if it may say everything.
    pub(crate) fn curtail(self, refusal: &Response) -> Option<Response> {
        if self != Self::Stranger || refusal.code.class() < 4 {
            return None;
        }
        let mut bare = Response::new(refusal.code);
        let needed = [OptionNumber::ECHO, OptionNumber::BLOCK1];
        for (number, value) in refusal.options.iter().filter(|(number, _)| needed.contains(number))
        {
            bare.options.push(number, value);
        }
        Some(bare)
    }
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
