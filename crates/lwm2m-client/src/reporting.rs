//! Observe and Notify (OMA LwM2M Core 6.4): which observations there are and when they speak.

use crate::client::{Client, Timer};
use crate::error::Refusal;
use crate::event::Event;
use crate::objects::store::Store;
use crate::observation::{Periods, is_worth_notifying, periods, seconds};
use crate::operations::composite::{merged, read_one};
use crate::operations::format;
use crate::operations::read::read;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;
use lwm2m_coap::{Code, Observer, Response};
use lwm2m_core::{AttributeName, Attributes, ContentFormat, Node, Path};
use lwm2m_time::Instant;

/// An observation that a server holds on this client.
pub(crate) struct Observation {
    pub(crate) account: usize,
    pub(crate) observed: Observed,
    /// The format that the Observe settled.
    pub(crate) format: ContentFormat,
    /// The attributes of the Observe itself, which replace those that are attached (since 1.2).
    pub(crate) own: Option<Attributes>,
    /// The values notified last, one for each path; none where there was none.
    pub(crate) last: Vec<Option<Node>>,
    /// When that was.
    pub(crate) notified_at: Instant,
}

/// What an observation is about.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Observed {
    /// One path, which has to exist.
    One(Path),
    /// Several paths, each of which may be missing.
    Composite(Vec<Path>),
}

impl Observed {
    pub(crate) fn paths(&self) -> &[Path] {
        match self {
            Self::One(path) => core::slice::from_ref(path),
            Self::Composite(paths) => paths,
        }
    }

    /// The path under which the application hears of it: the root stands for several paths.
    pub(crate) const fn path(&self) -> Path {
        match self {
            Self::One(path) => *path,
            Self::Composite(_) => Path::ROOT,
        }
    }

    /// The values at the paths.
    pub(crate) fn read(&self, store: &Store) -> Result<Vec<Option<Node>>, Refusal> {
        match self {
            Self::One(path) => Ok(vec![Some(read(store, path)?)]),
            Self::Composite(paths) => Ok(paths.iter().map(|path| read_one(store, path)).collect()),
        }
    }

    /// The values as one node, and its path.
    pub(crate) fn tree(&self, values: &[Option<Node>]) -> Option<(Path, Node)> {
        match self {
            Self::One(path) => Some((*path, values.first()?.clone()?)),
            Self::Composite(paths) => {
                let parts = paths.iter().zip(values);
                let present = parts.filter_map(|(path, node)| Some((path, node.as_ref()?)));
                Some((Path::ROOT, merged(present)))
            }
        }
    }
}

impl Client {
    /// Enters an observation whose first value has just been sent.
    pub(crate) fn begin_observation(&mut self, observer: Observer, observation: Observation) {
        let (account, path) = (observation.account, observation.observed.path());
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
            self.events.push_back(Event::ObservationEnded { server, path: ended.observed.path() });
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

    /// Looks at the observations that changes at `paths` may concern.
    pub(crate) fn report(&mut self, now: Instant, paths: &[Path]) {
        let touched = |o: &Path| paths.iter().any(|path| path.overlaps(o));
        let concerned =
            self.observations.iter().filter(|(_, o)| o.observed.paths().iter().any(touched));
        for observer in concerned.map(|(observer, _)| *observer).collect::<Vec<_>>() {
            self.evaluate(now, observer);
        }
    }

    /// The attributes that control each path of an observation: its own, or those attached at the
    /// path and above. Those below an observed object or instance have no say.
    fn controls(&self, observation: &Observation) -> Vec<Attributes> {
        let attached = |path: &Path| self.attributes.effective(observation.account, path);
        let of = |path: &Path| observation.own.unwrap_or_else(|| attached(path));
        observation.observed.paths().iter().map(of).collect()
    }

    fn periods(&mut self, account: usize, attributes: &Attributes) -> Periods {
        let settings = self.settings(account);
        let (pmin, pmax) = (settings.pmin(), settings.pmax());
        periods(attributes, pmin, pmax)
    }

    /// Sets the timers from the last notification on.
    fn restart_periods(&mut self, observer: Observer) {
        let Some(observation) = self.observations.get(&observer) else { return };
        let (account, at) = (observation.account, observation.notified_at);
        let controls = self.controls(observation);
        let longest = controls.iter().filter_map(|own| self.periods(account, own).pmax).min();
        self.timers.cancel(Timer::Pmin(observer));
        for (timer, period) in
            [(Timer::Pmax(observer), longest), (Timer::Epmax(observer), evaluation(&controls))]
        {
            match period {
                Some(period) => self.timers.set(timer, at + period),
                None => drop(self.timers.cancel(timer)),
            }
        }
    }

    /// Restarts the timers of the observations that attributes at `path` may control.
    pub(crate) fn attributes_changed(&mut self, now: Instant, account: usize, path: &Path) {
        let theirs = |o: &Observation| {
            o.account == account && o.observed.paths().iter().any(|own| path.contains(own))
        };
        let concerned = self.observations.iter().filter(|(_, o)| theirs(o));
        for observer in concerned.map(|(observer, _)| *observer).collect::<Vec<_>>() {
            self.restart_periods(observer);
            self.evaluate(now, observer);
        }
    }

    /// Notifies if a value has changed in a way that counts and its pmin is over; a change within
    /// pmin is looked at again, with the value of that time, when it is over.
    pub(crate) fn evaluate(&mut self, now: Instant, observer: Observer) {
        let Some(observation) = self.observations.get(&observer) else { return };
        let (account, since) = (observation.account, observation.notified_at);
        let controls = self.controls(observation);
        if let Some(period) = evaluation(&controls) {
            self.timers.set(Timer::Epmax(observer), now + period);
        }
        let values = match observation.observed.read(&self.store) {
            Ok(values) => values,
            Err(refusal) => return self.notify_end(now, observer, refusal.code()),
        };
        let Some(observation) = self.observations.get(&observer) else { return };
        let changes = controls.iter().zip(observation.last.iter().zip(&values));
        let worth = |(own, (last, now)): &(&Attributes, (&Option<Node>, &Option<Node>))| match (
            last, now,
        ) {
            (Some(last), Some(now)) => is_worth_notifying(own, last, now),
            (last, now) => last != now,
        };
        let worth: Vec<Attributes> = changes.filter(worth).map(|(own, _)| *own).collect();
        let shortest = worth.iter().map(|own| self.periods(account, own).pmin).min();
        match shortest.map(|pmin| since + pmin) {
            Some(due) if now < due => self.timers.set(Timer::Pmin(observer), due),
            Some(_) => self.notify(now, observer, values),
            None => {}
        }
    }

    /// Notifies because pmax is over.
    pub(crate) fn notify_regularly(&mut self, now: Instant, observer: Observer) {
        let Some(observation) = self.observations.get(&observer) else { return };
        match observation.observed.read(&self.store) {
            Ok(values) => self.notify(now, observer, values),
            Err(refusal) => self.notify_end(now, observer, refusal.code()),
        }
    }

    fn notify(&mut self, now: Instant, observer: Observer, values: Vec<Option<Node>>) {
        let Some(observation) = self.observations.get(&observer) else { return };
        let (account, format) = (observation.account, observation.format);
        let Some((path, node)) = observation.observed.tree(&values) else { return };
        let payload = match format::payload(format, &path, &node) {
            Ok(payload) => payload,
            Err(refusal) => return self.notify_end(now, observer, refusal.code()),
        };
        let response = Response::new(Code::CONTENT).content_format(format.0).payload(payload);
        let confirmable = self.is_confirmable(observer);
        if self.link.coap().notify(now, observer, response, confirmable).is_err() {
            return self.end_observation(observer);
        }
        if let Some(observation) = self.observations.get_mut(&observer) {
            observation.last = values;
            observation.notified_at = now;
        }
        self.restart_periods(observer);
        let server = self.accounts.get(account).map_or(0, |account| account.server());
        self.events.push_back(Event::Notified { server, path });
    }

    /// Whether `con` asks for it at or below any path; where it is silent, the Server object says.
    fn is_confirmable(&mut self, observer: Observer) -> bool {
        let Some(observation) = self.observations.get(&observer) else { return false };
        let account = observation.account;
        let mut set: Vec<_> =
            self.controls(observation).iter().map(|own| own.get(AttributeName::Con)).collect();
        if observation.own.is_none() {
            let below = |path| self.attributes.below(account, path);
            let below = observation.observed.paths().iter().flat_map(below);
            set.extend(below.map(|own| own.get(AttributeName::Con)).filter(Option::is_some));
        }
        let usual = self.settings(account).confirmable();
        set.iter().any(|con| con.map_or(usual, |con| con == 1.0))
    }

    /// Tells an observer that there is nothing to observe any more.
    fn notify_end(&mut self, now: Instant, observer: Observer, code: Code) {
        // If CoAP does not know the observer either, there is nobody to tell.
        let _ = self.link.coap().notify(now, observer, Response::new(code), true);
        self.end_observation(observer);
    }
}

/// How soon the values have to be looked at again, if that is set.
fn evaluation(controls: &[Attributes]) -> Option<Duration> {
    let periods = controls.iter().filter_map(|own| seconds(own, AttributeName::Epmax));
    periods.filter(|period| !period.is_zero()).min()
}
