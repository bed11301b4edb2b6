//! What happened to devices.

use super::milliseconds;
use super::response::{TargetJson, status};
use lwm2m_coap::Code;
use lwm2m_net::Clock;
use lwm2m_server::DeregistrationReason;
use lwm2m_server::records::{CommandEnd, Happened, KeptEvent};
use serde::Serialize;

/// An event that is kept. What it does not have is left out.
#[derive(Serialize, Default)]
pub(crate) struct HappenedJson<'a> {
    number: u64,
    /// Milliseconds since the epoch.
    time: u64,
    ep: &'a str,
    /// The name of the event, of the event stream where that has it.
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The number of a command.
    #[serde(rename = "requestId", skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// How a command ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<CodeJson>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    of: Option<TargetJson<'a>>,
}

#[derive(Serialize)]
struct CodeJson(#[serde(serialize_with = "status")] Code);

impl<'a> HappenedJson<'a> {
    /// The name of the event.
    pub(crate) const fn event(&self) -> &'static str {
        self.event
    }

    /// The endpoint name of the device.
    pub(crate) const fn endpoint(&self) -> &'a str {
        self.ep
    }

    pub(crate) fn new(event: &'a KeptEvent, clock: Clock) -> Self {
        let KeptEvent { number, at, endpoint, what, .. } = event;
        let (number, time, ep) = (*number, milliseconds(clock, *at), endpoint.as_str());
        let json = Self { number, time, ep, ..Self::default() };
        match what {
            Happened::Registered(it) => {
                Self { event: "REGISTRATION", address: Some(it.as_str()), ..json }
            }
            Happened::Updated(it) => Self { event: "UPDATED", address: Some(it.as_str()), ..json },
            Happened::Deregistered(it) => {
                Self { event: "DEREGISTRATION", reason: Some(reason(*it)), ..json }
            }
            Happened::CommandEnded(id, end) => {
                let (state, code) = ended(*end);
                let request_id = Some(id.0.to_string());
                let code = code.map(CodeJson);
                Self { event: "REQUEST_RESPONSE", request_id, state: Some(state), code, ..json }
            }
            Happened::Observed(it) => Self { event: "OBSERVED", of: Some(it.into()), ..json },
            Happened::Refused(it, code) => {
                let code = Some(CodeJson(*code));
                Self { event: "OBSERVATION_REFUSED", of: Some(it.into()), code, ..json }
            }
            // Of a later version.
            _ => Self { event: "OTHER", ..json },
        }
    }
}

const fn reason(reason: DeregistrationReason) -> &'static str {
    match reason {
        DeregistrationReason::Removed => "removed",
        DeregistrationReason::Expired => "expired",
        DeregistrationReason::Replaced => "replaced",
        DeregistrationReason::CredentialsChanged => "credentials changed",
        DeregistrationReason::Deleted => "deleted",
        _ => "other",
    }
}

/// The words of [`STATES`](super::command::STATES).
const fn ended(end: CommandEnd) -> (&'static str, Option<Code>) {
    match end {
        CommandEnd::Answered(code) => ("done", Some(code)),
        CommandEnd::Failed => ("failed", None),
        CommandEnd::Expired => ("expired", None),
        CommandEnd::Superseded => ("superseded", None),
        _ => ("unknown", None),
    }
}
