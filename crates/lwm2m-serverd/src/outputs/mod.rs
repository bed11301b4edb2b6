//! Events of devices to other systems: in order, and at least once.
//!
//! Each output reads the log of events from a cursor of its own. While its receiver cannot be reached, the
//! events wait. An event that the receiver refuses again and again becomes a dead letter, because all others
//! wait behind it.

mod address;
mod cloud_event;
mod mqtt;
mod nats;
mod refusal;
mod settings;
mod topic;
mod webhook;

pub use settings::OutputSettings;

use lwm2m_app::Failure;
use lwm2m_http::{ApiState, Description, Output, OutputError, Untold, append_events};
use mqtt::Mqtt;
use nats::Nats;
use refusal::{Refusal, Refusals};
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::JoinHandle;
use webhook::Webhook;

/// How long a receiver may take for an event.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether something has happened.
const INTERVAL: Duration = Duration::from_secs(1);

/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The outputs of the settings.
///
/// # Errors
/// An address or a secret cannot be used.
pub(crate) fn all(settings: &crate::Settings) -> Result<Vec<(Description, Target)>, Failure> {
    settings::all(settings)
}

/// Tells events until the server ends.
///
/// # Errors
/// The server keeps no events.
pub(crate) fn follow(
    api: &ApiState,
    outputs: Vec<(Description, Target)>,
) -> Result<(), OutputError> {
    for (description, target) in outputs {
        let output = api.output(description)?;
        api.spawn(Teller { output, target }.run());
    }
    Ok(())
}

/// Where events go.
#[derive(Debug)]
pub(crate) enum Target {
    File(PathBuf),
    Mqtt(Box<Mqtt>),
    Nats(Box<Nats>),
    Webhook(Box<Webhook>),
}

/// What became of some events: so many of the first ones were taken, and why the next one was not.
#[derive(Debug)]
struct Told {
    taken: usize,
    refusal: Option<Refusal>,
}

impl Target {
    /// How many events are told at a time.
    const fn batch(&self) -> usize {
        match self {
            Self::File(_) => lwm2m_http::CHUNK,
            Self::Mqtt(_) => mqtt::BATCH,
            Self::Nats(_) | Self::Webhook(_) => 1,
        }
    }

    async fn tell(&mut self, events: &[Untold]) -> Told {
        let told = match self {
            Self::File(path) => {
                let (path, events) = (path.clone(), events.to_vec());
                let append = move || append_events(&path, &events);
                let appended = tokio::task::spawn_blocking(append).await;
                appended.map_err(Refusal::passing).and_then(|it| it.map_err(Refusal::passing))
            }
            Self::Mqtt(mqtt) => return mqtt.tell(events).await,
            Self::Nats(nats) => match events.first() {
                Some(event) => nats.tell(event).await,
                None => Ok(()),
            },
            Self::Webhook(webhook) => match events.first() {
                Some(event) => webhook.tell(event).await,
                None => Ok(()),
            },
        };
        match told {
            Ok(()) => Told { taken: events.len(), refusal: None },
            Err(refusal) => Told { taken: 0, refusal: Some(refusal) },
        }
    }
}

/// The task of an output.
struct Teller {
    output: Output,
    target: Target,
}

impl Teller {
    async fn run(mut self) {
        let mut failures = 0;
        loop {
            let pause = match self.tell_chunk().await {
                Ok(true) => continue,
                Ok(false) => {
                    failures = 0;
                    INTERVAL
                }
                Err(error) => {
                    let pause = pause(failures);
                    failures += 1;
                    self.failed(pause, &error.to_string());
                    pause
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.output.retry_is_wanted() => {
                    if let Err(error) = self.tell_dead_letters().await {
                        tracing::warn!("dead letters for {} wait: {error}", self.output.name());
                    }
                }
            }
        }
    }

    fn failed(&self, pause: Duration, why: &str) {
        self.output.failed(why);
        let (name, seconds) = (self.output.name(), pause.as_secs());
        tracing::warn!("events for {name} wait {seconds} s: {why}");
    }

    /// Tells the next events; whether there may be more.
    async fn tell_chunk(&mut self) -> Result<bool, OutputError> {
        let chunk = self.output.untold().await?;
        let (mut cursor, mut refusals) = (Cursor::default(), Refusals::default());
        let mut rest = &chunk.events[..];
        while !rest.is_empty() {
            let (batch, _) = rest.split_at(rest.len().min(self.target.batch()));
            let Told { taken, refusal } = self.target.tell(batch).await;
            let (told, left) = rest.split_at(taken.min(batch.len()));
            rest = left;
            if let Some(last) = told.last() {
                refusals = Refusals::default();
                self.output.delivered(told.len());
                cursor.move_to(&self.output, last.number).await?;
            }
            let (Some(refusal), Some((event, others))) = (refusal, rest.split_first()) else {
                continue;
            };
            refusals.count(&refusal);
            // Before a pause, in which the server may end.
            cursor.settle(&self.output).await?;
            if refusals.are_enough() {
                self.bury(event, &refusal).await?;
                (rest, refusals) = (others, Refusals::default());
                cursor.move_to(&self.output, event.number).await?;
            } else {
                let pause = pause(refusals.all.saturating_sub(1));
                self.failed(pause, &refusal.text);
                tokio::time::sleep(pause).await;
            }
        }
        if let Some(last) = chunk.last {
            cursor.move_to(&self.output, last).await?;
        }
        cursor.settle(&self.output).await?;
        Ok(chunk.is_full)
    }

    async fn bury(&self, event: &Untold, refusal: &Refusal) -> Result<(), OutputError> {
        let (number, name, text) = (event.number, &event.name, &refusal.text);
        self.output.failed(text);
        tracing::warn!(
            "{} does not take event {number} ({name}), which is a dead letter now: {text}",
            self.output.name()
        );
        self.output.bury(event, text).await
    }

    /// Tells the dead letters again, each once. Those that are refused stay.
    async fn tell_dead_letters(&mut self) -> Result<(), OutputError> {
        for event in self.output.buried().await? {
            match self.target.tell(std::slice::from_ref(&event)).await.refusal {
                None => {
                    self.output.unbury(event.number).await?;
                    self.output.delivered(1);
                }
                Some(refusal) if refusal.tries.is_none() => {
                    self.output.failed(&refusal.text);
                    return Ok(());
                }
                Some(refusal) => self.bury(&event, &refusal).await?,
            }
        }
        Ok(())
    }
}

/// How far a receiver was told. It is kept while the next events are told: after a crash only those come
/// again that were told in the few milliseconds that the disk takes.
#[derive(Default)]
struct Cursor {
    /// The last event that the receiver has taken, if that is not kept yet.
    taken: Option<u64>,
    /// The number that is kept, or being kept.
    kept: Option<u64>,
    keeping: Option<JoinHandle<Result<(), OutputError>>>,
}

impl Cursor {
    /// Notes that the receiver has taken an event.
    async fn move_to(&mut self, output: &Output, number: u64) -> Result<(), OutputError> {
        self.taken = Some(number).filter(|number| self.kept != Some(*number));
        match &self.keeping {
            Some(keeping) if !keeping.is_finished() => Ok(()),
            _ => self.advance(output).await,
        }
    }

    /// Waits until all of it is kept.
    async fn settle(&mut self, output: &Output) -> Result<(), OutputError> {
        while self.taken.is_some() || self.keeping.is_some() {
            self.advance(output).await?;
        }
        Ok(())
    }

    /// Waits for what is being kept, and begins to keep what came after it.
    async fn advance(&mut self, output: &Output) -> Result<(), OutputError> {
        if let Some(keeping) = self.keeping.take() {
            keeping.await.map_err(|error| OutputError::NotKept(error.to_string()))??;
        }
        if let Some(number) = self.taken.take() {
            self.kept = Some(number);
            self.keeping = Some(tokio::spawn(output.moved_to(number)));
        }
        Ok(())
    }
}

/// How long to wait after so many failures before: up to five minutes.
fn pause(failures: u32) -> Duration {
    (INTERVAL * 2_u32.pow(failures.min(9))).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_to_five_minutes() {
        let pauses: Vec<_> = [0, 1, 5, 8, 9, u32::MAX].map(|it| pause(it).as_secs()).into();
        assert_eq!(pauses, [1, 2, 32, 256, 300, 300]);
    }
}
