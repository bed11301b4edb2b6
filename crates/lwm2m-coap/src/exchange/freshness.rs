//! Freshness of requests by the Echo option: RFC 9175 section 2.

use crate::ids::PeerId;
use crate::message::{Code, OptionNumber, Options};
use crate::response::Response;
use core::time::Duration;
use lwm2m_time::Instant;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Stateless Echo values (RFC 9175 Appendix A): a keyed pseudorandom function, ChaCha20, of the peer
/// and the time. The endpoint can recompute a value, and nobody else can predict it.
#[derive(Clone, Debug)]
pub(super) struct Freshness {
    /// Half of the validity of a value. `None` if requests need not be fresh.
    period: Option<Duration>,
    function: ChaCha20Rng,
}

impl Freshness {
    /// Creates the function. `key` must not be used for anything else.
    pub(super) fn new(window: Option<Duration>, key: [u8; 32]) -> Self {
        let period = window.map(|window| (window / 2).max(Duration::from_millis(1)));
        Self { period, function: ChaCha20Rng::from_seed(key) }
    }

    /// Checks that an unsafe request (all methods but GET and FETCH) is fresh.
    ///
    /// # Errors
    /// The 4.01 to answer with.
    pub(super) fn check(
        &mut self,
        now: Instant,
        peer: PeerId,
        code: Code,
        options: &Options,
    ) -> Result<(), Response> {
        let Some(period) = self.period else { return Ok(()) };
        if matches!(code, Code::GET | Code::FETCH) {
            return Ok(());
        }
        let epoch = (now - Instant::ZERO).as_nanos() / period.as_nanos();
        let fresh = self.value(peer, epoch);
        let echo = options.get(OptionNumber::ECHO);
        let recent = epoch.checked_sub(1).map(|before| self.value(peer, before));
        if echo == Some(&fresh[..]) || echo.is_some() && echo == recent.as_ref().map(|old| &old[..])
        {
            return Ok(());
        }
        let mut challenge = Response::new(Code::UNAUTHORIZED);
        challenge.options.push(OptionNumber::ECHO, &fresh);
        Err(challenge)
    }

    fn value(&mut self, peer: PeerId, epoch: u128) -> [u8; 8] {
        // Each peer and period has a cipher block of its own.
        self.function.set_stream(peer.0);
        self.function.set_word_pos(epoch << 4);
        self.function.next_u64().to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn echo_of(response: Response) -> Options {
        assert_eq!(response.code, Code::UNAUTHORIZED);
        response.options
    }

    #[test]
    fn a_value_is_valid_for_one_peer_and_time() {
        let mut freshness = Freshness::new(Some(WINDOW), [1; 32]);
        let at = |seconds: u64| Instant::from_millis(1_000 * seconds);
        let none = Options::new();
        let echo = echo_of(freshness.check(at(5), PeerId(1), Code::PUT, &none).unwrap_err());
        let mut fresh =
            |seconds, peer| freshness.check(at(seconds), PeerId(peer), Code::PUT, &echo).is_ok();
        // The value belongs to the half window from 0 s to 30 s.
        assert!(fresh(5, 1) && fresh(29, 1) && fresh(59, 1));
        assert!(!fresh(60, 1) && !fresh(5, 2));
        let mut other = Freshness::new(Some(WINDOW), [2; 32]);
        assert!(other.check(at(5), PeerId(1), Code::PUT, &echo).is_err());
    }

    #[test]
    fn safe_requests_need_no_echo() {
        let mut freshness = Freshness::new(Some(WINDOW), [1; 32]);
        let mut check =
            |code| freshness.check(Instant::ZERO, PeerId(1), code, &Options::new()).is_ok();
        assert!(check(Code::GET) && check(Code::FETCH));
        assert!(!check(Code::POST) && !check(Code::DELETE) && !check(Code::IPATCH));
        let mut off = Freshness::new(None, [1; 32]);
        assert!(off.check(Instant::ZERO, PeerId(1), Code::PUT, &Options::new()).is_ok());
    }
}
