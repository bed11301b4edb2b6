//! Handshakes that are never finished.

use crate::secured::{Secured, pre_shared};
use crate::server::{Addresses, Target};
use crate::victim::register;
use crate::{Attack, Outcome, Sent};
use lwm2m_dtls::ClientProfile;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How many handshakes are begun before another device of the same host comes in.
const CROWD: u64 = 1_000;

struct HalfOpen {
    at: Addresses,
    profile: Arc<ClientProfile>,
    begun: u64,
    /// From one crowd to the next.
    pause: Duration,
    /// How often the other device came in, and how long it took at most.
    neighbour: (u32, Duration),
    /// Why it did not.
    failure: Option<String>,
}

pub(crate) fn in_crowds(target: &Target) -> Outcome<Box<dyn Attack>> {
    Ok(half_open(target, Duration::from_secs(1)))
}

pub(crate) fn without_a_pause(target: &Target) -> Outcome<Box<dyn Attack>> {
    Ok(half_open(target, Duration::ZERO))
}

fn half_open(target: &Target, pause: Duration) -> Box<dyn Attack> {
    let (profile, neighbour) = (pre_shared("nobody"), (0, Duration::ZERO));
    Box::new(HalfOpen { at: target.at, profile, begun: 0, pause, neighbour, failure: None })
}

impl Attack for HalfOpen {
    fn step(&mut self, sent: &mut Sent) -> Outcome<()> {
        let mut handshake = Secured::begin(self.at.coaps, Arc::clone(&self.profile))?;
        // The request for the cookie, which is answered; what comes then is not.
        handshake.receive(Duration::from_millis(200))?;
        sent.add(handshake.sent);
        self.begun += 1;
        if self.begun.is_multiple_of(CROWD) {
            let begun = Instant::now();
            match register(self.at, "neighbour") {
                Ok(_) => self.neighbour.0 += 1,
                Err(error) => self.failure = Some(error.to_string()),
            }
            self.neighbour.1 = self.neighbour.1.max(begun.elapsed());
            thread::sleep(self.pause.saturating_sub(begun.elapsed()));
        }
        Ok(())
    }

    fn outcome(&mut self) -> Outcome<String> {
        let (times, longest) = self.neighbour;
        let failure = self.failure.as_deref().map(|it| format!("; FAILED: {it}"));
        let failure = failure.unwrap_or_default();
        Ok(format!("another device came in {times} times, in {longest:.1?} at most{failure}"))
    }
}
