//! The transport of an account. The scheme of the server URI (/0/x/0) says which; Preferred
//! Transport (/1/x/22) has precedence where Binding (/1/x/7) lists it, and so has the argument of
//! Registration Update Trigger (/1/x/8). OMA LwM2M Transport 6.2.

use super::Account;
use super::state::State;
use crate::context::Context;
use crate::effect::Effect;
use crate::ids::Timer;
use crate::objects::store::Store;
use crate::transport::Transport;
use core::time::Duration;
use lwm2m_core::Arguments;

/// How long the answer to a trigger may be on its way.
const MOMENT: Duration = Duration::from_secs(1);

impl Account {
    /// Settles what carries the next registration.
    pub(super) fn choose_transport(&mut self, cx: &mut Context) {
        let transport = self.next_transport(&cx.store);
        if core::mem::replace(&mut self.transport, transport) != transport
            && let Some(old) = self.peer.take()
        {
            cx.leave(old);
        }
    }

    /// The transport that the settings ask for.
    fn next_transport(&self, store: &Store) -> Transport {
        let by_uri = Transport::of(&self.config.uri);
        let settings = self.settings(store);
        let binding = settings.binding();
        let lists = |transport: &Transport| binding.contains(transport.letter());
        let preferred = settings.preferred_transport().filter(lists);
        // A URI that names TCP says so on purpose; any other may be read either way.
        let only_tcp = !lists(&Transport::Udp) && lists(&Transport::Tcp);
        preferred.unwrap_or(if only_tcp { Transport::Tcp } else { by_uri })
    }

    /// Sends an Update because the server has executed the trigger. If the server wants another
    /// transport, the Update waits a moment: it must not overtake the answer to the trigger.
    pub(crate) fn update_triggered(&mut self, cx: &mut Context, arguments: &Arguments) {
        let wanted = arguments.text(0).and_then(Transport::from_letter);
        let binding = self.settings(&cx.store).binding();
        let wanted = wanted.filter(|transport| binding.contains(transport.letter()));
        if let State::Registered(state) = &mut self.state {
            state.moving_to = wanted.filter(|wanted| *wanted != self.transport);
            if state.moving_to.is_some() {
                return cx.set_timer(Timer::Account(self.id), MOMENT);
            }
        }
        self.send_update(cx);
    }

    /// Leaves the session or connection, if the server wants another transport.
    pub(super) fn change_transport(&mut self, cx: &mut Context) {
        let State::Registered(state) = &mut self.state else { return };
        let Some(transport) = state.moving_to.take() else { return };
        let update = state.update.take();
        self.transport = transport;
        update.into_iter().for_each(|(id, _)| cx.link.coap().cancel(id));
        cx.effect(Effect::EndObservations(self.id));
        self.peer.take().into_iter().for_each(|peer| cx.leave(peer));
    }
}
