//! A registered device that asks all the time.

use crate::Outcome;
use crate::flood::{Message, code_of};
use crate::secured::{Secured, pre_shared};
use crate::server::{Addresses, Target};
use lwm2m_coap::{Code, MessageView};
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

/// Between two Updates.
const PERIOD: Duration = Duration::from_millis(20);
/// A device sends a message again after some two seconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it tries to make a session.
const SESSION: Duration = Duration::from_secs(20);

/// A registered device.
pub(crate) struct Victim {
    session: Secured,
    id: Vec<u8>,
    next_message: u16,
}

/// Makes a handshake and registers.
pub(crate) fn register(at: Addresses, endpoint: &'static str) -> Outcome<(Secured, Vec<u8>)> {
    let mut session = Secured::connect(at.coaps, pre_shared(endpoint), SESSION)?;
    let message = Message::post(1, "rd").query(&format!("ep={endpoint}")).query("lt=86400");
    let message = message.query("lwm2m=1.1").format(40).payload(b"</1/0>,</3/0>");
    let answer = session.ask(&message, PATIENCE)?.ok_or("a Register is not answered")?;
    let view = MessageView::parse(&answer)?;
    if view.code() != Code::CREATED {
        return Err(format!("{endpoint} was answered {}", view.code()).into());
    }
    let options = view.to_options();
    let id = options.location_path().nth(1).ok_or("no location")?.to_vec();
    Ok((session, id))
}

impl Victim {
    pub(crate) fn register(target: &Target) -> Outcome<Self> {
        let (session, id) = register(target.at, "victim")?;
        Ok(Self { session, id, next_message: 1 })
    }

    /// Sends Updates for so long, and tells how long each answer took.
    pub(crate) fn ask_for(&mut self, duration: Duration) -> Outcome<Vec<Duration>> {
        let start = Instant::now();
        let mut times = Vec::new();
        while start.elapsed() < duration {
            let begun = Instant::now();
            self.update()?;
            times.push(begun.elapsed());
            thread::sleep(PERIOD.saturating_sub(begun.elapsed()));
        }
        Ok(times)
    }

    /// Sends an Update until it is answered.
    fn update(&mut self) -> Outcome<()> {
        self.next_message += 1;
        let id = str::from_utf8(&self.id)?;
        let message = Message::post(self.next_message, "rd").path(id).payload(b"");
        loop {
            match self.session.ask(&message, PATIENCE)? {
                Some(answer) if code_of(&answer) == Some(Code::CHANGED) => return Ok(()),
                Some(answer) => {
                    return Err(format!("an Update was answered {:?}", code_of(&answer)).into());
                }
                None => {}
            }
        }
    }
}

/// Median and 99th percentile.
pub(crate) struct Times(Duration, Duration);

impl Times {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
        Self(at(50), at(99))
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, most] = [self.0, self.1].map(|it| it.as_secs_f64() * 1e3);
        write!(f, "{median:.2}, {most:.1} ms")
    }
}
