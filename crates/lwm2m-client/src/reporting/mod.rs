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
pub(crate) use observation::{Observation, Observed};
pub(crate) use send::Watched;

use crate::account::Accounts;
use crate::context::Context;
use crate::event::Event;
use crate::ids::{AccountId, Timer};
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
        let (account, path) = (observation.account, observation.observed.path());
        if self.observations.insert(observer, observation).is_none() {
            cx.event(Event::Observed { server: server(accounts, account), path });
        }
        self.restart_periods(cx, accounts, observer);
    }

    /// Forgets an observation that CoAP has forgotten.
    pub(crate) fn end(&mut self, cx: &mut Context, accounts: &Accounts, observer: Observer) {
        for timer in [Timer::Pmin(observer), Timer::Pmax(observer), Timer::Epmax(observer)] {
            cx.timers.cancel(timer);
        }
        if let Some(ended) = self.observations.remove(&observer) {
            let server = server(accounts, ended.account);
            cx.event(Event::ObservationEnded { server, path: ended.observed.path() });
        }
    }

    /// Forgets all observations of a server, here and in CoAP.
    pub(crate) fn end_all_of(&mut self, cx: &mut Context, accounts: &Accounts, account: AccountId) {
        for observer in self.observers(|observation| observation.account == account) {
            cx.link.coap().forget_observer(observer);
            self.end(cx, accounts, observer);
        }
    }

    /// The observers whose observations are `wanted`.
    fn observers(&self, wanted: impl Fn(&Observation) -> bool) -> Vec<Observer> {
        let found = self.observations.iter().filter(|(_, observation)| wanted(observation));
        found.map(|(observer, _)| *observer).collect()
    }
}

/// The short server id of an account.
fn server(accounts: &Accounts, account: AccountId) -> u16 {
    accounts.get(account).map_or(0, |account| account.server())
}
