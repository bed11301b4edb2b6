//! How bootstraps went: the last ones of all devices, in memory.

use lwm2m_bootstrap::{Content, Event};
use lwm2m_core::Path;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// How many of a device are remembered.
const MAX_ATTEMPTS: usize = 8;
/// How many steps of each; the first ones are told.
const MAX_STEPS: usize = 64;
/// Of how many devices.
const MAX_DEVICES: usize = 10_000;

/// A bootstrap of a device.
#[derive(Clone, Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attempt {
    #[serde(rename = "ep")]
    endpoint: String,
    /// When it began, in milliseconds since 1970.
    began: u64,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<SocketAddr>,
    /// `running`, `finished` or `failed`.
    state: &'static str,
    /// The commands that the device carried out, in order.
    steps: Vec<Step>,
    /// Why it failed, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A command that a device carried out.
#[derive(Clone, Serialize, Debug)]
struct Step {
    /// When, in milliseconds since 1970.
    at: u64,
    command: &'static str,
    path: String,
}

impl Step {
    fn new(path: &Path, content: &Content) -> Self {
        let command = match content {
            Content::Links(_) => "DISCOVER",
            Content::Node(_) => "READ",
            Content::Deleted => "DELETE",
            _ => "WRITE",
        };
        Self { at: now(), command, path: path.to_string() }
    }
}

/// The last bootstraps of each device, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct History(BTreeMap<String, VecDeque<Attempt>>);

impl History {
    pub(crate) fn take(&mut self, event: &Event) {
        match event {
            Event::Started { endpoint, address } => {
                self.push(Attempt { address: Some(*address), ..attempt(endpoint, "running") });
            }
            Event::Packed { endpoint } => {
                self.push(Attempt { ended: Some(now()), ..attempt(endpoint, "finished") });
            }
            Event::Answered { endpoint, path, content } => {
                if let Some(attempt) =
                    self.running(endpoint).filter(|it| it.steps.len() < MAX_STEPS)
                {
                    attempt.steps.push(Step::new(path, content));
                }
            }
            Event::Finished { endpoint } => self.end(endpoint, "finished", None),
            Event::Failed { endpoint, reason } => {
                self.end(endpoint, "failed", Some(reason.to_string()));
            }
            _ => {}
        }
    }

    fn push(&mut self, attempt: Attempt) {
        if self.0.len() >= MAX_DEVICES && !self.0.contains_key(&attempt.endpoint) {
            self.0.pop_first();
        }
        let attempts = self.0.entry(attempt.endpoint.clone()).or_default();
        if attempts.len() >= MAX_ATTEMPTS {
            attempts.pop_front();
        }
        attempts.push_back(attempt);
    }

    fn end(&mut self, endpoint: &str, state: &'static str, reason: Option<String>) {
        if let Some(attempt) = self.running(endpoint) {
            (attempt.state, attempt.reason, attempt.ended) = (state, reason, Some(now()));
        }
    }

    fn running(&mut self, endpoint: &str) -> Option<&mut Attempt> {
        let attempts = self.0.get_mut(endpoint).into_iter().flatten();
        attempts.rev().find(|it| it.ended.is_none())
    }

    /// Those of a device, the oldest first.
    pub(crate) fn of(&self, endpoint: &str) -> Vec<Attempt> {
        self.0.get(endpoint).into_iter().flatten().cloned().collect()
    }
}

fn attempt(endpoint: &str, state: &'static str) -> Attempt {
    let endpoint = endpoint.to_owned();
    let (began, steps) = (now(), Vec::new());
    Attempt { endpoint, began, ended: None, address: None, state, steps, reason: None }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
