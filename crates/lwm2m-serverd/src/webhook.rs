//! `--webhook URL`: each event of a device by a POST of its own, in order and at least once.
//!
//! The body is a CloudEvent 1.0 in JSON; the headers are those of Standard Webhooks, whose `webhook-id` is
//! the same when an event comes again. A receiver that does not take an event is asked again, later and
//! later; what it refuses for good is left out after a while, because all others wait behind it.

use crate::Settings;
use crate::outputs::{INTERVAL, pause};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use lwm2m_app::{Failure, https, keys};
use lwm2m_http::{ApiState, CHUNK, OutputError, Untold};
use serde_json::{Value as Json, json};
use sha2::Sha256;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinHandle;
use ureq::Agent;
use ureq::http::{StatusCode, Uri};
use zeroize::Zeroizing;

/// How long a receiver may take for an event.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest body of an answer that is read, so that the connection can be used again.
const MAX_ANSWER: u64 = 64 * 1024;

/// How often an event is sent that the receiver refuses for good.
const TRIES: u32 = 5;

/// The receiver of all events.
#[derive(Clone)]
pub(crate) struct Webhook {
    url: String,
    /// The address without what may be secret in it: it stands in the log and names the cursor.
    name: String,
    secret: Option<Zeroizing<Vec<u8>>>,
    agent: Agent,
}

impl Webhook {
    /// The receivers of the settings.
    ///
    /// # Errors
    /// An address or the secret cannot be used.
    pub(crate) fn all(settings: &Settings) -> Result<Vec<Self>, Failure> {
        if settings.webhooks.is_empty() {
            return Ok(Vec::new());
        }
        let secret = settings.webhook_secret.as_deref().map(secret).transpose()?;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .user_agent(concat!("lwm2m-serverd/", env!("CARGO_PKG_VERSION")))
            .tls_config(https::tls(None)?);
        let agent = Agent::new_with_config(agent.build());
        let webhook = |url: &String| {
            let wrong = "write for example https://example.com/events";
            let name = name(url).ok_or_else(|| {
                Failure::usage(format!("`{url}` is no address of a webhook; {wrong}"))
            })?;
            Ok(Self { url: url.clone(), name, secret: secret.clone(), agent: agent.clone() })
        };
        let all = settings.webhooks.iter().map(webhook).collect::<Result<Vec<_>, Failure>>()?;
        let mut names = BTreeSet::new();
        match all.iter().find(|it| !names.insert(&it.name)) {
            // They would have one cursor.
            Some(twice) => Err(Failure::usage(format!(
                "two webhooks are {}; give each a path of its own",
                twice.name
            ))),
            None => Ok(all),
        }
    }

    /// Tells events until the server ends.
    pub(crate) fn follow(self, api: ApiState) {
        api.clone().spawn(async move {
            let name = format!("webhook {}", self.name);
            loop {
                match self.tell_chunk(&api, &name).await {
                    // There may be more.
                    Ok(CHUNK..) => continue,
                    Ok(_) => {}
                    Err(error) => tracing::warn!("events for {} wait: {error}", self.name),
                }
                tokio::time::sleep(INTERVAL).await;
            }
        });
    }

    /// Tells events one by one, and returns how many. The cursor moves when the receiver has taken them.
    async fn tell_chunk(&self, api: &ApiState, name: &str) -> Result<usize, OutputError> {
        let events = api.untold_events(name).await?;
        let (count, mut cursor) = (events.len(), Cursor::new(api, name));
        for event in events {
            let mut failures = Failures::default();
            while let Err(refusal) = self.tell(&event).await {
                failures.count(&refusal);
                if failures.is_hopeless() {
                    let Untold { number, name, .. } = event;
                    tracing::warn!(
                        "{} does not take event {number} ({name}), which is left out: {}",
                        self.name,
                        refusal.text
                    );
                    break;
                }
                // Before a pause, in which the server may end.
                cursor.settle().await?;
                let pause = pause(failures.all.saturating_sub(1));
                tracing::warn!(
                    "events for {} wait {} s: {}",
                    self.name,
                    pause.as_secs(),
                    refusal.text
                );
                tokio::time::sleep(pause).await;
            }
            cursor.move_to(event.number).await?;
        }
        cursor.settle().await?;
        Ok(count)
    }

    async fn tell(&self, event: &Untold) -> Result<(), Refusal> {
        let body = body(event);
        let id = format!("lwm2m-{}", event.number);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut request = ureq::http::Request::post(&self.url)
            .header("content-type", "application/cloudevents+json; charset=utf-8")
            .header("webhook-id", &id)
            .header("webhook-timestamp", now);
        if let Some(secret) = &self.secret {
            request = request.header("webhook-signature", sign(secret, &id, now, &body));
        }
        let request = request.body(body).map_err(Refusal::passing)?;
        let agent = self.agent.clone();
        let send = move || {
            let mut response = agent.run(request)?;
            // The status counts, whatever the body is.
            let _ = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
            Ok::<_, ureq::Error>(response.status())
        };
        let sent = tokio::task::spawn_blocking(send).await;
        let status = sent.map_err(Refusal::passing)?.map_err(Refusal::passing)?;
        Refusal::of(status).map_or(Ok(()), Err)
    }
}

/// How far a receiver was told. It is kept while the next events are told: after a crash only those come
/// again that were told in the few milliseconds that the disk takes.
struct Cursor<'a> {
    api: &'a ApiState,
    name: &'a str,
    /// The last event that the receiver has taken, if that is not kept yet.
    taken: Option<u64>,
    keeping: Option<JoinHandle<Result<(), OutputError>>>,
}

impl<'a> Cursor<'a> {
    const fn new(api: &'a ApiState, name: &'a str) -> Self {
        Self { api, name, taken: None, keeping: None }
    }

    /// Notes that the receiver has taken an event.
    async fn move_to(&mut self, number: u64) -> Result<(), OutputError> {
        self.taken = Some(number);
        match &self.keeping {
            Some(keeping) if !keeping.is_finished() => Ok(()),
            _ => self.advance().await,
        }
    }

    /// Waits until all of it is kept.
    async fn settle(&mut self) -> Result<(), OutputError> {
        while self.taken.is_some() || self.keeping.is_some() {
            self.advance().await?;
        }
        Ok(())
    }

    /// Waits for what is being kept, and begins to keep what came after it.
    async fn advance(&mut self) -> Result<(), OutputError> {
        if let Some(keeping) = self.keeping.take() {
            keeping.await.map_err(|error| OutputError::NotKept(error.to_string()))??;
        }
        self.keeping = self.taken.take().map(|number| {
            let (api, name) = (self.api.clone(), self.name.to_owned());
            tokio::spawn(async move { api.events_are_told(&name, number).await })
        });
        Ok(())
    }
}

/// Why a receiver has not taken an event.
#[derive(Debug)]
struct Refusal {
    /// Whether it would say the same again.
    is_final: bool,
    text: String,
}

impl Refusal {
    fn passing(error: impl std::fmt::Display) -> Self {
        Self { is_final: false, text: error.to_string() }
    }

    /// `None` for an event that was taken.
    fn of(status: StatusCode) -> Option<Self> {
        const PASSING: [StatusCode; 3] =
            [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
        let is_final = status.is_client_error() && !PASSING.contains(&status);
        let text = format!("the answer is {status}");
        (!status.is_success()).then_some(Self { is_final, text })
    }
}

/// How often an event was not taken.
#[derive(Default)]
struct Failures {
    all: u32,
    /// How often in a row the receiver refused it for good. One that is down for a while, and says so once
    /// in a wrong way, loses nothing.
    for_good: u32,
}

impl Failures {
    const fn count(&mut self, refusal: &Refusal) {
        self.all = self.all.saturating_add(1);
        self.for_good = if refusal.is_final { self.for_good.saturating_add(1) } else { 0 };
    }

    const fn is_hopeless(&self) -> bool {
        self.for_good >= TRIES
    }
}

/// The CloudEvent.
fn body(event: &Untold) -> String {
    let data: Json = serde_json::from_slice(&event.json).unwrap_or_default();
    let mut cloud = json!({
        "specversion": "1.0",
        "id": event.number.to_string(),
        "source": "/api/events",
        "type": format!("lwm2m.{}", event.name.to_lowercase()),
        "datacontenttype": "application/json",
        "data": data,
    });
    if !event.endpoint.is_empty() {
        cloud["subject"] = event.endpoint.as_str().into();
    }
    cloud.to_string()
}

/// The signature of Standard Webhooks: HMAC with SHA-256 of what tells the message and its time.
fn sign(secret: &[u8], id: &str, timestamp: u64, body: &str) -> String {
    // HMAC takes keys of any length.
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret);
    let signature = mac.map(|mac| {
        let mac = mac.chain_update(format!("{id}.{timestamp}.{body}"));
        BASE64_STANDARD.encode(mac.finalize().into_bytes())
    });
    format!("v1,{}", signature.unwrap_or_default())
}

/// Reads the secret, which has 24 bytes at least.
fn secret(file: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    keys::warn_if_shared(file);
    let wrong = |what: &str| Failure::usage(format!("{}: {what}", file.display()));
    let text = std::fs::read_to_string(file).map(Zeroizing::new);
    let text = text.map_err(|error| wrong(&error.to_string()))?;
    let encoded = text.trim().strip_prefix("whsec_");
    let secret = encoded.and_then(|it| BASE64_STANDARD.decode(it).ok()).map(Zeroizing::new);
    secret
        .filter(|secret| secret.len() >= 24)
        .ok_or_else(|| wrong("the secret of webhooks is whsec_ and the Base64 of 24 bytes or more"))
}

/// Scheme, host and path.
fn name(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str().filter(|it| matches!(*it, "http" | "https"))?;
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = uri.host().filter(|host| !host.is_empty())?;
    Some(format!("{scheme}://{host}{port}{}", uri.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification of Standard Webhooks.
    #[test]
    fn the_signature_is_that_of_the_standard() {
        let secret = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature =
            sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_refused_for_good_is_told_from_what_passes() {
        let is_final =
            |status| Refusal::of(StatusCode::from_u16(status).unwrap()).map(|it| it.is_final);
        assert_eq!([200, 204].map(is_final), [None; 2]);
        assert_eq!([301, 408, 425, 429, 500, 503].map(is_final), [Some(false); 6]);
        assert_eq!([400, 401, 404, 410, 413].map(is_final), [Some(true); 5]);
    }

    #[test]
    fn an_event_is_left_out_after_five_refusals_in_a_row() {
        let after = |statuses: &[u16]| {
            let mut failures = Failures::default();
            for status in statuses {
                let refusal = Refusal::of(StatusCode::from_u16(*status).unwrap()).unwrap();
                failures.count(&refusal);
            }
            (failures.all, failures.is_hopeless())
        };
        assert_eq!(after(&[410; 5]), (5, true));
        assert_eq!(after(&[503, 503, 503, 503, 503, 410]), (6, false));
        assert_eq!(after(&[410, 410, 410, 410, 503, 410]), (6, false));
        assert_eq!(after(&[503, 410, 410, 410, 410, 410]), (6, true));
    }

    #[test]
    fn the_name_of_a_webhook_has_no_secret() {
        let name_of = |url| name(url).unwrap();
        assert_eq!(
            name_of("https://user:key@a.example:8443/x?token=1"),
            "https://a.example:8443/x"
        );
        assert!(name("ftp://a.example/").is_none() && name("a.example").is_none());
    }

    #[test]
    fn each_webhook_has_a_cursor_of_its_own() {
        let all = |urls: &[&str]| {
            let webhooks = urls.iter().map(|url| (*url).to_owned()).collect();
            Webhook::all(&Settings { webhooks, ..Settings::default() }).map(|all| all.len())
        };
        assert_eq!(all(&["https://a.example/x", "https://a.example/y"]).unwrap(), 2);
        let refused = all(&["https://a.example/x?to=1", "https://a.example/x?to=2"]).unwrap_err();
        assert!(refused.to_string().contains("two webhooks are https://a.example/x;"), "{refused}");
    }
}
