//! Events to a webhook: each by a POST of its own.
//!
//! The body is a CloudEvent 1.0 in JSON; the headers are those of Standard Webhooks, whose `webhook-id` is
//! the same when an event comes again.

use super::refusal::Refusal;
use super::{PATIENCE, cloud_event};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use lwm2m_app::{Failure, https, keys};
use lwm2m_http::Untold;
use sha2::Sha256;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use ureq::Agent;
use ureq::http::Uri;
use zeroize::Zeroizing;

/// The longest body of an answer that is read, so that the connection can be used again.
const MAX_ANSWER: u64 = 64 * 1024;

/// A receiver of events.
pub(crate) struct Webhook {
    url: String,
    secret: Option<Zeroizing<Vec<u8>>>,
    agent: Agent,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").finish_non_exhaustive()
    }
}

impl Webhook {
    /// The receiver at an address. `secret` is the file of the secret, `ca` that of its authorities.
    ///
    /// # Errors
    /// The files cannot be used.
    pub(super) fn new(
        url: &str,
        secret: Option<&Path>,
        ca: Option<&Path>,
    ) -> Result<Self, Failure> {
        let secret = secret.map(self::secret).transpose()?;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .user_agent(concat!("lwm2m-serverd/", env!("CARGO_PKG_VERSION")))
            .tls_config(https::tls(ca)?);
        let agent = Agent::new_with_config(agent.build());
        Ok(Self { url: url.to_owned(), secret, agent })
    }

    pub(super) async fn tell(&self, event: &Untold) -> Result<(), Refusal> {
        let body = cloud_event::body(event);
        let id = format!("lwm2m-{}", event.number);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut request = ureq::http::Request::post(&self.url)
            .header("content-type", cloud_event::MEDIA_TYPE)
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

/// Scheme, host and path of an address.
pub(super) fn name(url: &str) -> Option<String> {
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
    fn the_name_of_a_webhook_has_no_secret() {
        let name_of = |url| name(url).unwrap();
        assert_eq!(
            name_of("https://user:key@a.example:8443/x?token=1"),
            "https://a.example:8443/x"
        );
        assert!(name("ftp://a.example/").is_none() && name("a.example").is_none());
    }
}
