//! Events to an MQTT 5 broker: published with quality of service 1, so that the broker acknowledges each.

use super::address::{Address, LogIn};
use super::refusal::Refusal;
use super::topic::Topic;
use super::{PATIENCE, Told, cloud_event};
use lwm2m_app::{Failure, https};
use lwm2m_http::Untold;
use rumqttc::{
    AsyncClient, MqttOptions, PubAckReason, PublishNoticeError, PublishOptions, PublishProperties,
    PublishResult, QoS,
};
use rustls_pki_types::ServerName;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

/// How many events wait for their acknowledgements at a time.
pub(super) const BATCH: usize = 64;

/// The broker closes connections that are silent for longer, in seconds.
const KEEP_ALIVE: u16 = 30;

/// A broker.
pub(crate) struct Mqtt {
    options: MqttOptions,
    topic: Topic,
    connection: Option<Connection>,
}

impl fmt::Debug for Mqtt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mqtt").finish_non_exhaustive()
    }
}

/// A connection, or an attempt to get one. Its task ends with it, and tells why.
struct Connection {
    client: AsyncClient,
    task: JoinHandle<String>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Mqtt {
    /// The broker at an address.
    ///
    /// # Errors
    /// The files cannot be used, or the operating system has no randomness.
    pub(super) fn new(
        address: &Address,
        topic: Topic,
        secret: Option<&Path>,
        ca: Option<&Path>,
    ) -> Result<Self, Failure> {
        let [a, b, c, d, ..] = lwm2m_net::seed().map_err(Failure::running)?;
        // A broker closes the connection of another client with the same name.
        let id = format!("lwm2m-serverd-{a:02x}{b:02x}{c:02x}{d:02x}");
        let mut options = MqttOptions::new(id, (address.host.clone(), address.port));
        options.set_keep_alive(KEEP_ALIVE).set_connect_timeout(PATIENCE);
        if let Some(LogIn { user, password }) = secret.map(LogIn::read).transpose()? {
            options.set_credentials(user, password.as_bytes().to_vec());
        }
        if address.is_secure {
            let name = ServerName::try_from(address.host.clone())
                .map_err(|_| Failure::usage(format!("`{}` is no name of a host", address.host)))?;
            let tls = TlsConnector::from(Arc::new(https::client(ca)?));
            options.set_socket_connector(move |host, network| {
                let (tls, name) = (tls.clone(), name.clone());
                async move {
                    let stream = rumqttc::default_socket_connect(host, network).await?;
                    tls.connect(name, stream).await
                }
            });
        }
        Ok(Self { options, topic, connection: None })
    }

    fn connect(&self) -> Connection {
        let (client, mut events) =
            AsyncClient::builder(self.options.clone()).capacity(BATCH).build();
        let task = tokio::spawn(async move {
            loop {
                if let Err(error) = events.poll().await {
                    return error.to_string();
                }
            }
        });
        Connection { client, task }
    }

    /// Publishes events, in order. A connection that has failed is not used again.
    pub(super) async fn tell(&mut self, events: &[Untold]) -> Told {
        let mut taken = 0;
        let last = self.connection.take().filter(|it| !it.task.is_finished());
        let mut connection = last.unwrap_or_else(|| self.connect());
        let published = publish(&connection.client, &self.topic, events, &mut taken);
        let refusal = tokio::select! {
            biased;
            published = published => published.err(),
            // What was to be published stays in a queue that nobody reads.
            why = &mut connection.task => Some(Refusal::passing(why.unwrap_or_default())),
            () = sleep(PATIENCE) => Some(Refusal::passing("the broker does not answer within 10 s")),
        };
        if refusal.as_ref().is_none_or(|it| it.tries.is_some()) {
            self.connection = Some(connection);
        }
        Told { taken, refusal }
    }
}

/// Publishes events and counts those that are acknowledged, up to the first one that is not.
async fn publish(
    client: &AsyncClient,
    topic: &Topic,
    events: &[Untold],
    taken: &mut usize,
) -> Result<(), Refusal> {
    let mut notices = Vec::new();
    for event in events {
        let properties = PublishProperties {
            content_type: Some(cloud_event::MEDIA_TYPE.to_owned()),
            ..PublishProperties::default()
        };
        let options = PublishOptions::new(QoS::AtLeastOnce).properties(properties);
        let notice = client.publish_tracked(topic.of(event), cloud_event::body(event), options);
        notices.push(notice.await.map_err(Refusal::passing)?);
    }
    for notice in notices {
        let reason = match notice.wait_async().await {
            Ok(PublishResult::Qos1(acknowledgement)) => acknowledgement.reason,
            Ok(_) => PubAckReason::UnspecifiedError,
            Err(PublishNoticeError::V5PubAck(reason)) => reason,
            Err(error) => return Err(Refusal::passing(error)),
        };
        match reason {
            PubAckReason::Success | PubAckReason::NoMatchingSubscribers => *taken += 1,
            _ => return Err(refused(reason)),
        }
    }
    Ok(())
}

fn refused(reason: PubAckReason) -> Refusal {
    let text = format!("the broker refuses the event: {reason:?}");
    match reason {
        PubAckReason::QuotaExceeded | PubAckReason::PacketIdentifierInUse => Refusal::passing(text),
        PubAckReason::UnspecifiedError | PubAckReason::ImplementationSpecificError => {
            Refusal::fault(text)
        }
        _ => Refusal::for_good(text),
    }
}
