//! Reporting (OMA LwM2M Core 6.4): observations, their attributes (7.3), and Send.
//!
//! Object instances, values and settings are in the [context](crate::context), the servers in
//! [accounts](crate::account); both are only looked at.

mod attributes;
mod conditions;
mod notify;
mod observation;
mod send;

pub(crate) use attributes::AttributeTable;
pub(crate) use observation::{LEASE, Observation, Observed};
pub(crate) use send::Watched;

use crate::account::Accounts;
use crate::context::Context;
use crate::event::Event;
use crate::ids::{AccountId, Timer};
use crate::keeping::forget_observation;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use lwm2m_coap::{Observer, RequestId};

/// What servers are told without asking again.
#[derive(Default)]
pub(crate) struct Reporting {
    pub(crate) attributes: AttributeTable,
    observations: BTreeMap<Observer, Observation>,
    /// The Sends that are under way, with the short server id.
    sends: BTreeMap<RequestId, u16>,
}

impl Reporting {
    /// Enters an observation whose first value has just been sent.
    pub(crate) fn begin(
        &mut self,
        cx: &mut Context,
        accounts: &Accounts,
        observer: Observer,
        observation: Observation,
    ) {
        let (server, path) = (observation.server, observation.observed.path());
        if self.observations.insert(observer, observation).is_none() {
            cx.event(Event::Observed { server, path });
        }
        self.restart_periods(cx, accounts, observer);
        // The answer may have waited for the store.
        if cx.is_kept() {
            self.evaluate(cx, accounts, observer);
        }
    }

    /// Goes on with an observation from before a restart. What was notified last is not known, so its
    /// value is, when pmin is over.
    pub(crate) fn resume(
        &mut self,
        cx: &mut Context,
        accounts: &Accounts,
        observer: Observer,
        mut observation: Observation,
    ) {
        observation.last.fill(None);
        self.observations.insert(observer, observation);
        self.restart_periods(cx, accounts, observer);
        self.evaluate(cx, accounts, observer);
    }

    /// Whether a Send is under way.
    pub(crate) fn is_sending(&self) -> bool {
        !self.sends.is_empty()
    }

    /// Whether there is an observation with this token.
    pub(crate) fn has(&self, observer: Observer) -> bool {
        self.observations.contains_key(&observer)
    }

    /// The observation that a new one replaces.
    pub(crate) fn alike(&self, new: &Observation) -> Option<Observer> {
        self.observers(|it| {
            it.account == new.account && it.observed == new.observed && it.own == new.own
        })
        .pop()
    }

    /// Forgets an observation that CoAP has forgotten.
    pub(crate) fn end(&mut self, cx: &mut Context, observer: Observer) {
        for timer in [Timer::Pmin(observer), Timer::Pmax(observer), Timer::Epmax(observer)] {
            cx.timers.cancel(timer);
        }
        if let Some(ended) = self.observations.remove(&observer) {
            let (server, path) = (ended.server, ended.observed.path());
            forget_observation(cx, server, observer.token);
            cx.event(Event::ObservationEnded { server, path });
        }
    }

    /// Forgets all observations of a server, here and in CoAP.
    pub(crate) fn end_all_of(&mut self, cx: &mut Context, account: AccountId) {
        for observer in self.observers(|observation| observation.account == account) {
            cx.link.coap().forget_observer(observer);
            self.end(cx, observer);
        }
    }

    /// The observers whose observations are `wanted`.
    fn observers(&self, wanted: impl Fn(&Observation) -> bool) -> Vec<Observer> {
        let found = self.observations.iter().filter(|(_, observation)| wanted(observation));
        found.map(|(observer, _)| *observer).collect()
    }
}
