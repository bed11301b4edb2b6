//! Why a receiver has not taken an event, and how often it is asked.

use ureq::http::StatusCode;

/// How often an event is told that the receiver refuses for good.
const TRIES: u32 = 5;

/// How often an event is told at which the receiver fails: for twenty minutes. The next one may do.
const TRIES_OF_FAULTS: u32 = 12;

/// Why a receiver has not taken an event.
#[derive(Debug)]
pub(super) struct Refusal {
    /// How often the event is told if the answer is the same; `None` for any number of times, because the
    /// receiver is away, not the event wrong.
    pub(super) tries: Option<u32>,
    pub(super) text: String,
}

impl Refusal {
    /// The receiver is away, or busy.
    pub(super) fn passing(error: impl std::fmt::Display) -> Self {
        Self { tries: None, text: error.to_string() }
    }

    /// The receiver does not want the event.
    pub(super) fn for_good(error: impl std::fmt::Display) -> Self {
        Self { tries: Some(TRIES), text: error.to_string() }
    }

    /// The receiver fails, perhaps because of the event.
    pub(super) fn fault(error: impl std::fmt::Display) -> Self {
        Self { tries: Some(TRIES_OF_FAULTS), text: error.to_string() }
    }

    /// `None` for an event that was taken.
    pub(super) fn of(status: StatusCode) -> Option<Self> {
        const PASSING: [StatusCode; 3] =
            [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
        let tries = match status {
            _ if PASSING.contains(&status) => None,
            StatusCode::INTERNAL_SERVER_ERROR => Some(TRIES_OF_FAULTS),
            _ if status.is_client_error() => Some(TRIES),
            _ => None,
        };
        let text = format!("the answer is {status}");
        (!status.is_success()).then_some(Self { tries, text })
    }
}

/// How often an event was not taken.
#[derive(Default)]
pub(super) struct Refusals {
    pub(super) all: u32,
    /// How often in a row the receiver refused it. One that is down for a while, and says so once in a wrong
    /// way, loses nothing.
    in_a_row: u32,
    tries: Option<u32>,
}

impl Refusals {
    pub(super) const fn count(&mut self, refusal: &Refusal) {
        self.all = self.all.saturating_add(1);
        self.in_a_row = if refusal.tries.is_some() { self.in_a_row.saturating_add(1) } else { 0 };
        self.tries = refusal.tries;
    }

    pub(super) fn are_enough(&self) -> bool {
        self.tries.is_some_and(|tries| self.in_a_row >= tries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16) -> Option<Refusal> {
        Refusal::of(StatusCode::from_u16(status).expect("a status"))
    }

    #[test]
    fn what_is_refused_for_good_is_told_from_what_passes() {
        let tries = |status| refusal(status).map(|it| it.tries);
        assert_eq!([200, 204].map(tries), [None; 2]);
        assert_eq!([301, 408, 425, 429, 502, 503].map(tries), [Some(None); 6]);
        assert_eq!([400, 401, 404, 410, 413].map(tries), [Some(Some(TRIES)); 5]);
        assert_eq!(tries(500), Some(Some(TRIES_OF_FAULTS)));
    }

    #[test]
    fn an_event_is_left_out_after_refusals_in_a_row() {
        let after = |statuses: &[u16]| {
            let mut refusals = Refusals::default();
            for status in statuses {
                refusals.count(&refusal(*status).expect("a refusal"));
            }
            (refusals.all, refusals.are_enough())
        };
        assert_eq!(after(&[410; 5]), (5, true));
        assert_eq!(after(&[410; 4]), (4, false));
        assert_eq!(after(&[503, 503, 503, 503, 503, 410]), (6, false));
        assert_eq!(after(&[410, 410, 410, 410, 503, 410]), (6, false));
        assert_eq!(after(&[503, 410, 410, 410, 410, 410]), (6, true));
        assert_eq!(after(&[500; 11]), (11, false));
        assert_eq!(after(&[500; 12]), (12, true));
        assert_eq!(after(&[503; 100]), (100, false));
    }
}
