//! Which transport carries the messages of a server: datagrams, or a connection (OMA LwM2M
//! Transport 6.2 and 6.6).
//!
//! The scheme of the server URI (/0/x/0) says which; Preferred Transport (/1/x/22) has precedence
//! where Binding (/1/x/7) lists it, and so has the argument of Registration Update Trigger (/1/x/8).

use crate::account::{Account, State};
use crate::client::{Client, Timer};
use core::time::Duration;
use lwm2m_coap::uri::Uri;
use lwm2m_core::{Arguments, BindingMode};
use lwm2m_time::Instant;

/// How long the answer to a trigger may be on its way.
const MOMENT: Duration = Duration::from_secs(1);

/// What carries messages, secured or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transport {
    /// Binding U.
    Udp,
    /// Binding T.
    Tcp,
}

impl Transport {
    /// What the scheme of a server URI asks for.
    pub(crate) fn of(uri: &str) -> Self {
        match Uri::parse(uri).is_ok_and(|uri| uri.scheme.is_connection()) {
            true => Self::Tcp,
            false => Self::Udp,
        }
    }

    /// The transport of a letter, if this client has it.
    pub(crate) fn from_letter(letter: &str) -> Option<Self> {
        match letter {
            "U" => Some(Self::Udp),
            "T" => Some(Self::Tcp),
            _ => None,
        }
    }

    pub(crate) const fn binding(self) -> BindingMode {
        match self {
            Self::Udp => BindingMode::U,
            Self::Tcp => BindingMode::T,
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Udp => 'U',
            Self::Tcp => 'T',
        }
    }
}

impl Client {
    /// Settles what carries the next registration with a server.
    pub(crate) fn choose_transport(&mut self, now: Instant, account: usize) {
        let transport = self.next_transport(account);
        let Some(known) = self.accounts.get_mut(account) else { return };
        if core::mem::replace(&mut known.transport, transport) != transport
            && let Some(old) = known.peer.take()
        {
            self.leave(now, old);
        }
    }

    /// The transport that the account asks for.
    fn next_transport(&mut self, account: usize) -> Transport {
        let Some(known) = self.accounts.get(account) else { return Transport::Udp };
        let by_uri = Transport::of(&known.config.uri);
        let settings = self.settings(account);
        let binding = settings.binding();
        let lists = |transport: &Transport| binding.contains(transport.letter());
        let preferred = settings.preferred_transport().filter(lists);
        // A URI that names TCP says so on purpose; any other may be read either way.
        let only_tcp = !lists(&Transport::Udp) && lists(&Transport::Tcp);
        preferred.unwrap_or(if only_tcp { Transport::Tcp } else { by_uri })
    }

    /// Sends an Update because a server has executed the trigger; by another transport, if it wants
    /// that, in a moment: the answer to the trigger must not be overtaken.
    pub(crate) fn update_triggered(&mut self, now: Instant, account: usize, arguments: &Arguments) {
        let wanted = arguments.text(0).and_then(Transport::from_letter);
        let binding = self.settings(account).binding();
        let wanted = wanted.filter(|transport| binding.contains(transport.letter()));
        if let Some(Account { transport, state: State::Registered(state), .. }) =
            self.accounts.get_mut(account)
        {
            state.moving_to = wanted.filter(|wanted| wanted != transport);
            if state.moving_to.is_some() {
                return self.timers.set(Timer::Account(account), now + MOMENT);
            }
        }
        self.send_update(now, account);
    }

    /// Leaves the session or connection with a server, if it wants another transport.
    pub(crate) fn change_transport(&mut self, now: Instant, account: usize) {
        let Some(known) = self.accounts.get_mut(account) else { return };
        let State::Registered(state) = &mut known.state else { return };
        let Some(transport) = state.moving_to.take() else { return };
        known.transport = transport;
        let update = state.update.take();
        let old = known.peer.take();
        update.into_iter().for_each(|(id, _)| self.link.coap().cancel(id));
        self.end_observations_of(account);
        old.into_iter().for_each(|peer| self.leave(now, peer));
    }
}
