//! Why a device does what it does: one sentence from what the server knows of it.

mod facts;

pub(crate) use facts::facts;

use lwm2m_coap::Code;
use lwm2m_codec::Quirk;
use lwm2m_net::Rejection;
use lwm2m_server::records::CommandEnd;
use lwm2m_server::{DeregistrationReason, Forgiven};
use lwm2m_time::{Instant, Rough};
use serde::Serialize;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

/// What the server knows of a device.
#[derive(Default)]
pub(crate) struct Facts {
    now: Instant,
    registered: Option<Registered>,
    /// The mode of its credential.
    credential: Option<&'static str>,
    /// Whether endpoints without a credential may register.
    open: bool,
    /// The last time that it did not get in, and whether that is proven to be it by more than its address.
    rejection: Option<(Rejection, bool)>,
    /// What was forgiven it.
    forgiven: Forgiven,
    /// How its last registration ended, and when.
    ended: Option<(DeregistrationReason, Instant)>,
}

/// A device that is registered.
struct Registered {
    address: SocketAddr,
    updated_at: Instant,
    lifetime: Duration,
    asleep_since: Option<Instant>,
    /// How many commands have not ended, how often the device has not answered the first, and since when
    /// it waits.
    waiting: Option<(usize, u8, Instant)>,
    /// An observation that it refused.
    refused: Option<(String, Code)>,
    /// Its last command, if that failed.
    failed: Option<(CommandEnd, Instant)>,
}

/// What is the matter with a device.
#[derive(Serialize, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// `well`, `asleep`, `behind`, `silent`, `failing`, `refused`, `left` or `unknown`.
    pub(crate) state: &'static str,
    /// What is the matter.
    pub(crate) why: String,
    /// What to do.
    pub(crate) remedy: String,
    /// Since when, in milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<u64>,
}

impl Facts {
    /// Where it deviates from the standard, each kind once.
    pub(crate) fn quirks(&self) -> impl Iterator<Item = Quirk> {
        let values = self.forgiven.values.iter().map(|(quirk, _)| *quirk);
        let all: BTreeSet<_> = self.forgiven.links.iter().copied().chain(values).collect();
        all.into_iter()
    }

    /// What is the matter, and since when.
    pub(crate) fn verdict(&self) -> (Verdict, Option<Instant>) {
        let (state, why, remedy, since) = match &self.registered {
            Some(device) => self.of_registered(device),
            None => self.of_absent(),
        };
        (Verdict { state, why, remedy: remedy.to_owned(), since: None }, since)
    }

    fn of_registered(&self, device: &Registered) -> Said {
        let ago = |at: Instant| Rough(self.now.saturating_since(at));
        if let Some((rejection, true)) = &self.rejection
            && rejection.last > device.updated_at
        {
            let why = format!("it is registered, but was refused since: {}", rejection.why);
            return said("refused", why, SEE_REASON, Some(rejection.first));
        }
        match (&device.waiting, device.asleep_since) {
            (Some((count, _, since)), Some(asleep)) => {
                let why = format!(
                    "{count} commands wait since {} ago, because it sleeps and was last heard of {} ago",
                    ago(*since),
                    ago(asleep)
                );
                return said(
                    "behind",
                    why,
                    "wait for its next Update, or shorten its lifetime",
                    Some(*since),
                );
            }
            (Some((count, attempts @ 1.., since)), None) => {
                let why = format!(
                    "it did not answer {attempts} times at {}, and {count} commands wait",
                    device.address
                );
                let remedy = "check its network; behind a NAT use queue mode, or an Update interval below \
                              the NAT's time-out";
                return said("silent", why, remedy, Some(*since));
            }
            (Some((count, 0, since)), None) => {
                let why = format!(
                    "{count} commands are on their way, the first since {} ago",
                    ago(*since)
                );
                return said("behind", why, "wait for its answers", Some(*since));
            }
            (None, _) => {}
        }
        if let Some((path, code)) = &device.refused {
            let why = format!("it refused to be observed at {path} with {code}");
            return said("failing", why, "end this observation, or observe what it offers", None);
        }
        if let Some((end, at)) = device.failed {
            return said("failing", failed(end), "see GET /api/commands of the device", Some(at));
        }
        let heard = ago(device.updated_at);
        let next = Rough(device.lifetime);
        match device.asleep_since {
            Some(since) => {
                let why = format!(
                    "it sleeps, was last heard of {} ago, and has to send an Update every {next}",
                    ago(since)
                );
                said("asleep", why, "nothing: what it is to do waits for it", Some(since))
            }
            None => {
                let why = format!("it is registered, and its last Update came {heard} ago");
                said("well", why, "nothing", None)
            }
        }
    }

    fn of_absent(&self) -> Said {
        let ended = self.ended.as_ref();
        match &self.rejection {
            Some((rejection, true)) if ended.is_none_or(|(_, at)| rejection.last > *at) => {
                return said("refused", rejection.why.clone(), SEE_REASON, Some(rejection.first));
            }
            Some((rejection, false)) if ended.is_none() => {
                let why =
                    format!("it never got in; perhaps it is the client of this: {}", rejection.why);
                return said("refused", why, SEE_REASON, Some(rejection.first));
            }
            _ => {}
        }
        let ago = |at: Instant| Rough(self.now.saturating_since(at));
        let Some((reason, at)) = ended.copied() else { return self.of_stranger() };
        let since = Some(at);
        match reason {
            DeregistrationReason::Expired => {
                let why = format!(
                    "it went silent: its lifetime passed without an Update {} ago",
                    ago(at)
                );
                said("silent", why, "check its power and its network", since)
            }
            DeregistrationReason::CredentialsChanged => {
                let why = format!("its credential was changed or removed {} ago", ago(at));
                said(
                    "refused",
                    why,
                    "give the device the credential that the server has now",
                    since,
                )
            }
            _ => {
                let why = format!("it de-registered by itself {} ago", ago(at));
                said("left", why, "switch it on, or wait until it registers again", since)
            }
        }
    }

    /// Nothing has been heard of it.
    fn of_stranger(&self) -> Said {
        match (self.credential, self.open) {
            (Some(mode), _) => said(
                "unknown",
                format!("it has a credential ({mode}), but nothing was heard of it yet"),
                "check the server's address in the device, DNS and firewalls; `lwm2m doctor` tries the way",
                None,
            ),
            (None, true) => said(
                "unknown",
                "nothing was heard of it yet".to_owned(),
                "check the endpoint name, and the server's address in the device",
                None,
            ),
            (None, false) => said(
                "unknown",
                "it has no credential here, without which it cannot register".to_owned(),
                "store a credential for it, and give the device the same",
                None,
            ),
        }
    }
}

type Said = (&'static str, String, &'static str, Option<Instant>);

/// The sentences of refusals have their remedies.
const SEE_REASON: &str = "do what the sentence says";

const fn said(
    state: &'static str,
    why: String,
    remedy: &'static str,
    since: Option<Instant>,
) -> Said {
    (state, why, remedy, since)
}

fn failed(end: CommandEnd) -> String {
    match end {
        CommandEnd::Answered(code) => format!("it refused its last command with {code}"),
        CommandEnd::Expired => "its last command expired before it could be reached".to_owned(),
        _ => "its last command failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn registered() -> Registered {
        Registered {
            address: SocketAddr::from(([192, 0, 2, 1], 5683)),
            updated_at: at(900),
            lifetime: Duration::from_secs(300),
            asleep_since: None,
            waiting: None,
            refused: None,
            failed: None,
        }
    }

    fn state(device: Option<Registered>) -> (&'static str, String) {
        let facts = Facts { now: at(1_000), registered: device, ..Facts::default() };
        let (verdict, _) = facts.verdict();
        assert!(!verdict.remedy.is_empty());
        (verdict.state, verdict.why)
    }

    #[test]
    fn a_registered_device_is_well_asleep_behind_silent_or_failing() {
        let device = registered;
        assert_eq!(state(Some(device())).0, "well");
        let asleep = || Registered { asleep_since: Some(at(910)), ..device() };
        assert_eq!(state(Some(asleep())).0, "asleep");
        let waiting = |attempts| Some((2, attempts, at(950)));
        let (behind, why) = state(Some(Registered { waiting: waiting(1), ..asleep() }));
        assert_eq!(behind, "behind");
        assert!(why.contains("2 commands wait since 50 s ago"), "{why}");
        let (silent, why) = state(Some(Registered { waiting: waiting(3), ..device() }));
        assert_eq!(silent, "silent");
        assert!(why.contains("3 times at 192.0.2.1:5683"), "{why}");
        assert_eq!(state(Some(Registered { waiting: waiting(0), ..device() })).0, "behind");
        let refused = Some(("/3/0/9".to_owned(), Code::METHOD_NOT_ALLOWED));
        assert_eq!(state(Some(Registered { refused, ..device() })).0, "failing");
        let failed = Some((CommandEnd::Answered(Code::NOT_FOUND), at(990)));
        let (failing, why) = state(Some(Registered { failed, ..device() }));
        assert_eq!(failing, "failing");
        assert!(why.contains("4.04"), "{why}");
    }

    #[test]
    fn of_one_that_is_away_the_end_is_told() {
        let of = |reason| {
            let ended = Some((reason, at(400)));
            Facts { now: at(1_000), ended, ..Facts::default() }.verdict().0
        };
        assert_eq!(of(DeregistrationReason::Expired).state, "silent");
        assert!(of(DeregistrationReason::Expired).why.contains("10 min ago"));
        assert_eq!(of(DeregistrationReason::Removed).state, "left");
        assert_eq!(of(DeregistrationReason::CredentialsChanged).state, "refused");
        assert_eq!(state(None).0, "unknown");
    }
}
