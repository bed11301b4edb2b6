//! Queue mode (OMA LwM2M Core 6.5): the device listens for a while after each message that it has
//! sent, and sleeps until it has something to send again.

use crate::account::{Account, State};
use crate::client::Client;
use crate::context::Context;
use crate::event::Event;
use crate::ids::Timer;

impl Context {
    /// Wakes the device up, if it sleeps, because something is about to be sent.
    pub(crate) fn wake(&mut self) {
        if core::mem::take(&mut self.asleep) {
            self.event(Event::Awake);
        }
    }
}

impl Client {
    /// Whether the device sleeps: it is in queue mode, and receives nothing.
    #[must_use]
    pub const fn is_asleep(&self) -> bool {
        self.cx.asleep
    }

    /// Listens anew if something was sent.
    pub(crate) fn listen(&mut self) {
        let sent = self.cx.outputs.sent();
        if core::mem::replace(&mut self.cx.sent, sent) == sent {
            return;
        }
        self.cx.wake();
        if self.accounts.iter().any(uses_queue_mode) {
            self.cx.set_timer(Timer::Sleep, self.cx.awake_time);
        }
    }

    /// The time to listen is over.
    pub(crate) fn fall_asleep(&mut self) {
        if self.is_at_work() {
            return self.cx.set_timer(Timer::Sleep, self.cx.awake_time);
        }
        if self.accounts.iter().all(|it| uses_queue_mode(it) || is_silent(it)) {
            self.cx.asleep = true;
            let until = self.cx.timers.next();
            self.cx.event(Event::Sleeping { until });
        }
    }

    /// Whether an answer of a server is waited for.
    fn is_at_work(&self) -> bool {
        self.accounts.iter().any(|account| account.state.pending().is_some())
            || self.reporting.is_sending()
            || self.bootstrap.is_under_way()
    }
}

fn uses_queue_mode(account: &Account) -> bool {
    account.config.queue_mode && !account.is_retired()
}

/// Whether the server cannot ask anything.
const fn is_silent(account: &Account) -> bool {
    matches!(account.state, State::Idle | State::Waiting | State::Disabled)
}
