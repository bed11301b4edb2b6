//! The metrics of the server, family by family.

use super::text::Text;
use super::{Census, Engine};
use crate::outputs::Snapshot;
use lwm2m_net::{Counted, Counters};
use lwm2m_server::Overload;
use lwm2m_store::Commits;

pub(super) fn devices(text: &mut Text, census: &Census) {
    let states =
        [("listening", census.listening), ("awake", census.awake), ("asleep", census.asleep)];
    text.family(("lwm2m_devices", "gauge", "Registered devices by state."), "state", &states);
    let security = [("secure", census.secure), ("plain", census.plain)];
    let family = ("lwm2m_devices_by_security", "gauge", "Registered devices by DTLS, TLS or none.");
    text.family(family, "security", &security);
}

/// A metric, and what its label tells apart.
type Family =
    ((&'static str, &'static str, &'static str), &'static str, &'static [(&'static str, Counted)]);

const FAMILIES: [Family; 5] = [
    (
        ("lwm2m_registrations_total", "counter", "What became of registrations."),
        "event",
        &[
            ("registered", Counted::Registered),
            ("updated", Counted::Updated),
            ("moved", Counted::Moved),
            ("removed", Counted::Removed),
            ("expired", Counted::Expired),
            ("replaced", Counted::Replaced),
            ("credentials_changed", Counted::CredentialsChanged),
            ("name_refused", Counted::NameRefused),
        ],
    ),
    (
        ("lwm2m_queue_mode_total", "counter", "Devices in queue mode that fell asleep or woke up."),
        "event",
        &[("asleep", Counted::Asleep), ("awake", Counted::Awake)],
    ),
    (
        ("lwm2m_values_total", "counter", "Messages with values that devices sent by themselves."),
        "kind",
        &[
            ("notification", Counted::Notification),
            ("unreadable_notification", Counted::BadNotification),
            ("send", Counted::Send),
        ],
    ),
    (
        ("lwm2m_commands_ended_total", "counter", "Commands by how they ended."),
        "state",
        &[
            ("done", Counted::CommandAnswered),
            ("failed", Counted::CommandFailed),
            ("expired", Counted::CommandExpired),
            ("unknown", Counted::CommandUnknown),
            ("superseded", Counted::CommandSuperseded),
        ],
    ),
    (
        (
            "lwm2m_handshakes_failed_total",
            "counter",
            "Handshakes of devices that failed, by cause.",
        ),
        "cause",
        &[
            ("credentials", Counted::HandshakeCredentials),
            ("certificate", Counted::HandshakeCertificate),
            ("mismatch", Counted::HandshakeMismatch),
            ("abandoned", Counted::HandshakeAbandoned),
            ("overload", Counted::HandshakeOverload),
            ("other", Counted::HandshakeOther),
        ],
    ),
];

pub(super) fn events(text: &mut Text, counters: &Counters) {
    for (family, label, kinds) in FAMILIES {
        let values: Vec<_> = kinds.iter().map(|(of, what)| (*of, counters.get(*what))).collect();
        text.family(family, label, &values);
    }
}

pub(super) fn engine(text: &mut Text, engine: &Engine) {
    let Engine { overload, coap, sessions, peers, can_promise, quirks } = engine;
    let sessions = [("full", sessions.0), ("resumed", sessions.1)];
    let family = ("lwm2m_handshakes_total", "counter", "Sessions that devices established.");
    text.family(family, "kind", &sessions);
    let messages = [("received", coap.received), ("sent", coap.sent)];
    let family = ("lwm2m_coap_messages_total", "counter", "CoAP messages.");
    text.family(family, "direction", &messages);
    let troubles = [
        ("retransmitted", coap.retransmitted),
        ("duplicate", coap.duplicates),
        ("malformed", coap.malformed),
        ("unexpected", coap.unexpected),
        ("unacknowledged", coap.timeouts),
        ("refused", coap.refused),
        ("oversized", coap.oversized),
        ("bad_block", coap.bad_blocks),
        ("bad_response", coap.bad_responses),
        ("challenged", coap.challenged),
    ];
    let family = ("lwm2m_coap_troubles_total", "counter", "What went wrong with CoAP messages.");
    text.family(family, "kind", &troubles);
    let help = "What was refused or forgotten because a bound was reached.";
    let registrations = ("registrations", overload.registrations);
    refused(text, ("lwm2m_overload_total", "counter", help), registrations, overload);
    let kinds: Vec<_> =
        quirks.iter().map(|(quirk, count)| (format!("{quirk:?}"), *count)).collect();
    let quirks: Vec<_> = kinds.iter().map(|(kind, count)| (&**kind, u64::from(*count))).collect();
    let help = "Messages whose deviations from the standard were forgiven, by kind.";
    text.family(("lwm2m_quirks_total", "counter", help), "kind", &quirks);
    text.gauge("lwm2m_peers", "Peers that the server knows, registered or not.", peers);
    let help = "Whether the server can promise something: 0 while the store cannot be written.";
    text.gauge("lwm2m_store_up", help, u8::from(*can_promise));
}

/// What the bootstrap server refused or forgot.
pub(super) fn bootstrap(text: &mut Text, overload: &Overload) {
    let help = "What the bootstrap server refused or forgot because a bound was reached.";
    let bootstraps = ("bootstraps", overload.bootstraps);
    refused(text, ("lwm2m_bootstrap_overload_total", "counter", help), bootstraps, overload);
}

fn refused(text: &mut Text, family: (&str, &str, &str), own: (&str, u64), overload: &Overload) {
    let all = [
        own,
        ("strangers", overload.strangers),
        ("datagrams", overload.datagrams),
        ("connections", overload.connections),
        ("handshakes", overload.handshakes),
        ("requests", overload.requests),
        ("forgotten", overload.forgotten),
    ];
    text.family(family, "kind", &all);
}

/// The outputs of events.
pub(super) fn outputs(text: &mut Text, outputs: &[Snapshot]) {
    type Value = fn(&Snapshot) -> u64;
    let families: [((&str, &str, &str), Value); 4] = [
        (("delivered_total", "counter", "Events that the receivers took."), |it| it.delivered),
        (("failed_total", "counter", "Attempts to tell events that failed."), |it| it.failed),
        (("dead", "gauge", "Events that the receivers refused for good."), |it| it.dead),
        (("behind", "gauge", "Events that are yet to be told."), |it| it.behind),
    ];
    if outputs.is_empty() {
        return;
    }
    for ((name, kind, help), value) in families {
        let name = format!("lwm2m_output_{name}");
        let values: Vec<_> = outputs.iter().map(|it| (&*it.name, value(it))).collect();
        text.family((&name, kind, help), "output", &values);
    }
}

pub(super) fn store(text: &mut Text, commits: Commits) {
    let results = [("succeeded", commits.succeeded), ("failed", commits.failed)];
    let family = ("lwm2m_store_commits_total", "counter", "Commits of the store.");
    text.family(family, "result", &results);
    let help = "Time that the successful commits took together.";
    text.counter("lwm2m_store_commit_seconds_total", help, commits.took.as_secs_f64());
}
