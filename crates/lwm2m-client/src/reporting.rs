//! Observe and Notify (OMA LwM2M Core 6.4): which observations there are and when they speak.

use crate::client::{Client, Timer};
use crate::event::Event;
use crate::objects::server::Settings;
use crate::observation::{Periods, is_worth_notifying, periods, seconds};
use crate::operations::format;
use crate::operations::read::read;
use alloc::vec::Vec;
use lwm2m_coap::{Code, Observer, Response};
use lwm2m_core::{AttributeName, Attributes, ContentFormat, Node, Path};
use lwm2m_time::Instant;

/// An observation that a server holds on this client.
pub(crate) struct Observation {
    pub(crate) account: usize,
    pub(crate) path: Path,
    /// The format that the Observe settled.
    pub(crate) format: ContentFormat,
    /// The attributes of the Observe itself, which replace those that are attached (since 1.2).
    pub(crate) own: Option<Attributes>,
    /// The value notified last.
    pub(crate) last: Node,
    /// When that was.
    pub(crate) notified_at: Instant,
}

impl Client {
    /// Enters an observation whose first value has just been sent.
    pub(crate) fn begin_observation(&mut self, observer: Observer, observation: Observation) {
        let (account, path) = (observation.account, observation.path);
        if self.observations.insert(observer, observation).is_none() {
            let server = self.accounts.get(account).map_or(0, |account| account.server());
            self.events.push_back(Event::Observed { server, path });
        }
        self.restart_periods(observer);
    }

    /// Forgets an observation that CoAP has forgotten.
    pub(crate) fn end_observation(&mut self, observer: Observer) {
        for timer in [Timer::Pmin(observer), Timer::Pmax(observer), Timer::Epmax(observer)] {
            self.timers.cancel(timer);
        }
        if let Some(ended) = self.observations.remove(&observer) {
            let server = self.accounts.get(ended.account).map_or(0, |account| account.server());
            self.events.push_back(Event::ObservationEnded { server, path: ended.path });
        }
    }

    /// Forgets all observations of a server, here and in CoAP.
    pub(crate) fn end_observations_of(&mut self, account: usize) {
        let theirs = self.observations.iter().filter(|(_, o)| o.account == account);
        for observer in theirs.map(|(observer, _)| *observer).collect::<Vec<_>>() {
            self.link.coap().forget_observer(observer);
            self.end_observation(observer);
        }
    }

    /// Looks at the observations that a change at `path` may concern.
    pub(crate) fn report(&mut self, now: Instant, path: &Path) {
        let concerned = self.observations.iter().filter(|(_, o)| o.path.overlaps(path));
        for observer in concerned.map(|(observer, _)| *observer).collect::<Vec<_>>() {
            self.evaluate(now, observer);
        }
    }

    /// The attributes that control an observation: its own, or those attached at its path and
    /// above. Those below an observed object or instance have no say.
    fn controls(&self, observation: &Observation) -> Attributes {
        observation
            .own
            .unwrap_or_else(|| self.attributes.effective(observation.account, &observation.path))
    }

    fn periods(&mut self, account: usize, attributes: &Attributes) -> Periods {
        let mut settings =
            Settings::of(&mut self.store, u16::try_from(account).unwrap_or(u16::MAX));
        let (pmin, pmax) = (settings.pmin(), settings.pmax());
        periods(attributes, pmin, pmax)
    }

    /// Sets the timers from the last notification on.
    fn restart_periods(&mut self, observer: Observer) {
        let Some(observation) = self.observations.get(&observer) else { return };
        let (account, at) = (observation.account, observation.notified_at);
        let attributes = self.controls(observation);
        let periods = self.periods(account, &attributes);
        self.timers.cancel(Timer::Pmin(observer));
        let evaluation = seconds(&attributes, AttributeName::Epmax).filter(|e| !e.is_zero());
        for (timer, period) in
            [(Timer::Pmax(observer), periods.pmax), (Timer::Epmax(observer), evaluation)]
        {
            match period {
                Some(period) => self.timers.set(timer, at + period),
                None => drop(self.timers.cancel(timer)),
            }
        }
    }

    /// Restarts the timers of the observations that attributes at `path` may control.
    pub(crate) fn attributes_changed(&mut self, now: Instant, account: usize, path: &Path) {
        let theirs = |o: &Observation| o.account == account && path.contains(&o.path);
        let concerned = self.observations.iter().filter(|(_, o)| theirs(o));
        for observer in concerned.map(|(observer, _)| *observer).collect::<Vec<_>>() {
            self.restart_periods(observer);
            self.evaluate(now, observer);
        }
    }

    /// Notifies if the value has changed in a way that counts and pmin is over; a change within
    /// pmin is looked at again, with the value of that time, when it is over.
    pub(crate) fn evaluate(&mut self, now: Instant, observer: Observer) {
        let Some(observation) = self.observations.get(&observer) else { return };
        let (account, path) = (observation.account, observation.path);
        let attributes = self.controls(observation);
        let due = observation.notified_at + self.periods(account, &attributes).pmin;
        if let Some(period) = seconds(&attributes, AttributeName::Epmax).filter(|e| !e.is_zero()) {
            self.timers.set(Timer::Epmax(observer), now + period);
        }
        let node = match read(&mut self.store, &path) {
            Ok(node) => node,
            Err(refusal) => return self.notify_end(now, observer, refusal.code()),
        };
        let Some(observation) = self.observations.get(&observer) else { return };
        if !is_worth_notifying(&attributes, &observation.last, &node) {
            return;
        }
        if now < due {
            self.timers.set(Timer::Pmin(observer), due);
        } else {
            self.notify(now, observer, node);
        }
    }

    /// Notifies because pmax is over.
    pub(crate) fn notify_regularly(&mut self, now: Instant, observer: Observer) {
        let Some(observation) = self.observations.get(&observer) else { return };
        let path = observation.path;
        match read(&mut self.store, &path) {
            Ok(node) => self.notify(now, observer, node),
            Err(refusal) => self.notify_end(now, observer, refusal.code()),
        }
    }

    fn notify(&mut self, now: Instant, observer: Observer, node: Node) {
        let Some(observation) = self.observations.get(&observer) else { return };
        let (account, path) = (observation.account, observation.path);
        let payload = match format::payload(observation.format, &path, &node) {
            Ok(payload) => payload,
            Err(refusal) => return self.notify_end(now, observer, refusal.code()),
        };
        let response =
            Response::new(Code::CONTENT).content_format(observation.format.0).payload(payload);
        let confirmable = self.is_confirmable(observer);
        if self.link.coap().notify(now, observer, response, confirmable).is_err() {
            return self.end_observation(observer);
        }
        if let Some(observation) = self.observations.get_mut(&observer) {
            observation.last = node;
            observation.notified_at = now;
        }
        self.restart_periods(observer);
        let server = self.accounts.get(account).map_or(0, |account| account.server());
        self.events.push_back(Event::Notified { server, path });
    }

    fn is_confirmable(&mut self, observer: Observer) -> bool {
        let Some(observation) = self.observations.get(&observer) else { return false };
        let account = u16::try_from(observation.account).unwrap_or(u16::MAX);
        match self.controls(observation).get(AttributeName::Con) {
            Some(con) => con == 1.0,
            None => Settings::of(&mut self.store, account).confirmable(),
        }
    }

    /// Tells an observer that there is nothing to observe any more.
    fn notify_end(&mut self, now: Instant, observer: Observer, code: Code) {
        // If CoAP does not know the observer either, there is nobody to tell.
        let _ = self.link.coap().notify(now, observer, Response::new(code), true);
        self.end_observation(observer);
    }
}
