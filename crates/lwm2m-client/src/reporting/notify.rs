//! When to notify, and the notifications (OMA LwM2M Core 6.4.2).

use super::conditions::{Periods, is_worth_notifying, periods, seconds};
use super::{Observation, Reporting};
use crate::account::{Account, Accounts};
use crate::context::Context;
use crate::event::Event;
use crate::format;
use crate::ids::{AccountId, Timer};
use alloc::vec::Vec;
use core::time::Duration;
use lwm2m_coap::{Code, Observer, Response};
use lwm2m_core::{AttributeName, Attributes, Node, Path};

impl Reporting {
    /// Evaluates the observations that changes at `paths` may concern.
    pub(crate) fn report(&mut self, cx: &mut Context, accounts: &Accounts, paths: &[Path]) {
        let touched = |observed: &Path| paths.iter().any(|path| path.overlaps(observed));
        let concerned = |it: &Observation| it.observed.paths().iter().any(touched);
        for observer in self.observers(concerned) {
            self.evaluate(cx, accounts, observer);
        }
    }

    /// Restarts the timers of the observations that attributes at `path` may control.
    pub(crate) fn attributes_changed(
        &mut self,
        cx: &mut Context,
        accounts: &Accounts,
        account: AccountId,
        path: &Path,
    ) {
        let concerned = |it: &Observation| {
            it.account == account && it.observed.paths().iter().any(|own| path.contains(own))
        };
        for observer in self.observers(concerned) {
            self.restart_periods(cx, accounts, observer);
            self.evaluate(cx, accounts, observer);
        }
    }

    /// A timer of an observation has fired.
    pub(crate) fn handle_timer(&mut self, cx: &mut Context, accounts: &Accounts, timer: Timer) {
        match timer {
            Timer::Pmin(observer) | Timer::Epmax(observer) => {
                self.evaluate(cx, accounts, observer);
            }
            Timer::Pmax(observer) => self.notify_regularly(cx, accounts, observer),
            Timer::Account(_) | Timer::Bootstrap | Timer::BootstrapAccount | Timer::Sleep => {}
        }
    }

    /// Sets the timers from the last notification on.
    pub(super) fn restart_periods(
        &mut self,
        cx: &mut Context,
        accounts: &Accounts,
        observer: Observer,
    ) {
        let Some(observation) = self.observations.get(&observer) else { return };
        let controls = observation.controls(&self.attributes);
        let account = accounts.get(observation.account);
        let longest = controls.iter().filter_map(|own| periods_of(cx, account, own).pmax).min();
        cx.timers.cancel(Timer::Pmin(observer));
        for (timer, period) in
            [(Timer::Pmax(observer), longest), (Timer::Epmax(observer), evaluation(&controls))]
        {
            match period {
                Some(period) => cx.timers.set(timer, observation.notified_at + period),
                None => drop(cx.timers.cancel(timer)),
            }
        }
    }

    /// Notifies if a value has changed in a way that counts and its pmin is over; a change within
    /// pmin is evaluated again, with the value of that time, when it is over.
    pub(super) fn evaluate(&mut self, cx: &mut Context, accounts: &Accounts, observer: Observer) {
        let Some(observation) = self.observations.get(&observer) else { return };
        let controls = observation.controls(&self.attributes);
        if let Some(period) = evaluation(&controls) {
            cx.set_timer(Timer::Epmax(observer), period);
        }
        let values = match observation.observed.read(&cx.store) {
            Ok(values) => values,
            Err(refusal) => return self.notify_end(cx, observer, refusal.code()),
        };
        let changes = controls.iter().zip(observation.last.iter().zip(&values));
        let worth = changes.filter(|(own, (last, now))| is_worth(own, last.as_ref(), now.as_ref()));
        let account = accounts.get(observation.account);
        let shortest = worth.map(|(own, _)| periods_of(cx, account, own).pmin).min();
        match shortest.map(|pmin| observation.notified_at + pmin) {
            Some(due) if cx.now < due => cx.timers.set(Timer::Pmin(observer), due),
            Some(_) => self.notify(cx, accounts, observer, values),
            None => {}
        }
    }

    /// Notifies because pmax is over.
    fn notify_regularly(&mut self, cx: &mut Context, accounts: &Accounts, observer: Observer) {
        let Some(observation) = self.observations.get(&observer) else { return };
        match observation.observed.read(&cx.store) {
            Ok(values) => self.notify(cx, accounts, observer, values),
            Err(refusal) => self.notify_end(cx, observer, refusal.code()),
        }
    }

    fn notify(
        &mut self,
        cx: &mut Context,
        accounts: &Accounts,
        observer: Observer,
        values: Vec<Option<Node>>,
    ) {
        let Some(observation) = self.observations.get(&observer) else { return };
        let (server, format) = (observation.server, observation.format);
        let path = observation.observed.path();
        let Some((top, node)) = observation.observed.tree(&values) else { return };
        let payload = match format::payload(format, &top, &node) {
            Ok(payload) => payload,
            Err(refusal) => return self.notify_end(cx, observer, refusal.code()),
        };
        let response = Response::new(Code::CONTENT).content_format(format.0).payload(payload);
        let confirmable = self.is_confirmable(cx, accounts, observation);
        if cx.notify(observer, response, confirmable).is_err() {
            return self.end(cx, observer);
        }
        if let Some(observation) = self.observations.get_mut(&observer) {
            observation.last = values;
            observation.notified_at = cx.now;
            let sequence = cx.link.coap().sequence(observer);
            if let Some(next) = sequence.filter(|it| cx.is_kept() && observation.needs_lease(*it)) {
                observation.lease(cx, observer.token, next);
            }
        }
        self.restart_periods(cx, accounts, observer);
        cx.event(Event::Notified { server, path });
    }

    /// Whether `con` asks for it at or below any path; where it is silent, the Server object says.
    fn is_confirmable(&self, cx: &Context, accounts: &Accounts, observation: &Observation) -> bool {
        let account = observation.account;
        let controls = observation.controls(&self.attributes);
        let mut set: Vec<_> = controls.iter().map(|own| own.get(AttributeName::Con)).collect();
        if observation.own.is_none() {
            let below = |path| self.attributes.below(account, path);
            let below = observation.observed.paths().iter().flat_map(below);
            set.extend(below.map(|own| own.get(AttributeName::Con)).filter(Option::is_some));
        }
        let settings = accounts.get(account).map(|account| account.settings(&cx.store));
        let usual = settings.is_some_and(|settings| settings.confirmable());
        set.iter().any(|con| con.map_or(usual, |con| con == 1.0))
    }

    /// Tells an observer that there is nothing to observe any more.
    fn notify_end(&mut self, cx: &mut Context, observer: Observer, code: Code) {
        // CoAP may have forgotten the observer, too.
        let _ = cx.notify(observer, Response::new(code), true);
        self.end(cx, observer);
    }
}

/// The periods that hold: by the attributes, or else by the settings of the account.
fn periods_of(cx: &Context, account: Option<&Account>, attributes: &Attributes) -> Periods {
    let settings = account.map(|account| account.settings(&cx.store));
    let default = settings.map_or((None, None), |it| (it.pmin(), it.pmax()));
    periods(attributes, default.0, default.1)
}

/// Whether a value, or its coming or going, counts as a change.
fn is_worth(attributes: &Attributes, last: Option<&Node>, now: Option<&Node>) -> bool {
    match (last, now) {
        (Some(last), Some(now)) => is_worth_notifying(attributes, last, now),
        (last, now) => last != now,
    }
}

/// How soon the values have to be evaluated again, if that is set.
fn evaluation(controls: &[Attributes]) -> Option<Duration> {
    let periods = controls.iter().filter_map(|own| seconds(own, AttributeName::Epmax));
    periods.filter(|period| !period.is_zero()).min()
}
