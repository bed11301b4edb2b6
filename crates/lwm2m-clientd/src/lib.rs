//! A simulated LwM2M device as a daemon.
//!
//! The binary adds flags to this library; `lwm2m demo` starts the same device in its own process.

mod clock;
mod first;
pub mod objects;
mod security;
pub mod settings;

use lwm2m_app::{Data, Failure, signal::End};
use lwm2m_client::{Client, Event, MemoryObject, RegistrationError};
use lwm2m_core::{Path, Version};
use lwm2m_dtls::Backend;
use lwm2m_net::{ClientHandle, Clock, Closed};
use lwm2m_store::{Durability, Writer};
use lwm2m_time::Instant;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use first::First;
pub use settings::Settings;

/// How long a device that stops waits for the answers to its De-registers.
const PATIENCE: Duration = Duration::from_secs(3);
/// The largest firmware image that servers may write, in bytes.
const MAX_IMAGE: usize = 2 << 20;

/// A running device.
#[derive(Debug)]
pub struct Device {
    client: ClientHandle,
    /// The URI of the server that it asks first, as the settings have it.
    first: String,
    life: JoinHandle<()>,
    /// The short server id of a server that it is registered with.
    registered: watch::Receiver<Option<u16>>,
    /// Tells when all is on the disk that is kept.
    durability: Option<Durability>,
}

/// Starts a device, which registers at once.
///
/// # Errors
/// The server's address cannot be found, the settings contradict each other, or the local address
/// cannot be bound.
pub async fn start(settings: &Settings) -> Result<Device, Failure> {
    let device = prepare(settings).await?;
    device.client.start().await.map_err(Failure::running)?;
    Ok(device)
}

/// As [`start`], but the device registers when its [`client`](Device::client) is started, so that no
/// event is missed by who subscribes before.
///
/// # Errors
/// As [`start`].
pub async fn prepare(settings: &Settings) -> Result<Device, Failure> {
    settings.check_bootstrap()?;
    let first = First::find(settings).await?;
    let version = settings.lwm2m.unwrap_or(Version::V1_1);
    // Before any socket: a folder that another device uses is said before a server is asked.
    let data = settings.data_folder()?.map(|folder| Data::open(&folder)).transpose()?;
    let mut config = first.account(settings)?.version(version);
    config.is_kept = data.is_some();
    if let Some(seconds) = settings.awake {
        config.awake_time = Duration::from_secs(seconds.into());
    }
    (config.coap.max_body, config.coap.max_assembly_total) = (MAX_IMAGE, 2 * MAX_IMAGE);
    config.dtls = settings.security.config()?;
    if let Some(data) = &data {
        let can_export = config.dtls.backend == Backend::Native;
        config.dtls.durable_sessions = Some(data.session_key.clone()).filter(|_| can_export);
    }
    if let Some(seconds) = settings.keep_alive {
        let keep_alive = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
        config.connections.keep_alive = keep_alive;
    }
    let seed = lwm2m_net::seed().map_err(Failure::running)?;
    let mut client =
        Client::new(config, objects::objects(version), seed).map_err(Failure::usage)?;
    let sockets = first.sockets(settings.bind);
    let writer = data.map(|data| restore(data, &mut client)).transpose()?;
    let durability = writer.as_ref().map(Writer::durability);
    let client = lwm2m_net::bind_client(sockets, client, writer).await;
    let client = client.map_err(|error| Failure::bind(&error))?;
    let events = client.subscribe();
    let (told, registered) = watch::channel(None);
    let life = Life { client: client.clone(), registered: told };
    let life = tokio::spawn(life.run(events, settings.period.unwrap_or(5)));
    Ok(Device { client, first: first.uri, life, registered, durability })
}

/// Lets a device go on from what is kept, and returns the thread that keeps what follows.
fn restore(data: Data, client: &mut Client) -> Result<Writer, Failure> {
    let mut restore = client.restore(Clock::start().now());
    data.read(|table, key, value| restore.take(table, key, value))?;
    let restored = restore.finish();
    tracing::info!("restored {restored}");
    data.writer()
}

impl Device {
    /// The client behind the device.
    #[must_use]
    pub const fn client(&self) -> &ClientHandle {
        &self.client
    }

    /// Sends an Update as soon as the device is registered.
    ///
    /// # Errors
    /// The device has been stopped.
    pub async fn update(&self) -> Result<(), Closed> {
        let mut registered = self.registered.clone();
        let server =
            registered.wait_for(Option::is_some).await.map_err(|_| Closed)?.unwrap_or_default();
        self.client.with(move |client, now| client.update_registration(now, server)).await
    }

    /// De-registers and stops. Returns whether the server confirmed it.
    pub async fn stop(self) -> bool {
        self.life.abort();
        // It holds a handle of the client until it has ended.
        let _ = self.life.await;
        let confirmed = self.client.shutdown(PATIENCE).await.unwrap_or(false);
        if let Some(durability) = self.durability {
            durability.ended().await;
        }
        confirmed
    }
}

/// Runs a device until Ctrl-C or SIGTERM.
///
/// # Errors
/// As [`start`].
pub async fn run(settings: &Settings) -> Result<(), Failure> {
    let mut end = End::listen().map_err(Failure::running)?;
    let device = start(settings).await?;
    let first = &device.first;
    let does = if settings.bootstrap.is_some() { "bootstrapping" } else { "registering" };
    match device.client.local().iter().next() {
        Some((_, address)) => {
            lwm2m_app::print_line(format_args!("{does} at {first} from {address}"));
        }
        None => lwm2m_app::print_line(format_args!("{does} at {first}")),
    }
    end.wait().await;
    let registered = device.registered.borrow().is_some();
    tracing::info!("{}", if registered { "deregistering" } else { "stopping, not registered" });
    if !device.stop().await && registered {
        tracing::warn!("the server did not confirm the deregistration");
    }
    Ok(())
}

/// What goes on in a device: its temperature moves, and it does what it is told to.
struct Life {
    client: ClientHandle,
    registered: watch::Sender<Option<u16>>,
}

impl Life {
    async fn run(self, mut events: Receiver<Arc<Event>>, period: u32) {
        let mut moves = tokio::time::interval(Duration::from_secs(u64::from(period.max(1))));
        moves.tick().await;
        let mut steps = 0;
        loop {
            let going_on = tokio::select! {
                _ = moves.tick(), if period > 0 => {
                    steps += 1;
                    self.move_temperature(steps).await
                }
                event = events.recv() => match event {
                    Ok(event) => self.react(&event).await,
                    Err(RecvError::Lagged(missed)) => {
                        tracing::warn!(missed, "too many events to follow");
                        Ok(())
                    }
                    Err(RecvError::Closed) => Err(Closed),
                },
            };
            if going_on.is_err() {
                break;
            }
        }
    }

    async fn move_temperature(&self, steps: u32) -> Result<(), Closed> {
        let celsius = objects::temperature_after(steps);
        let change = move |client: &mut Client, now| {
            let set = |sensor: &mut MemoryObject| objects::set_temperature(sensor, celsius);
            client.update(now, objects::TEMPERATURE, set)
        };
        // A server may have deleted the instance.
        self.client.with(change).await.map(|set| {
            let _ = set.inspect_err(|error| tracing::debug!(%error, "no temperature set"));
        })
    }

    async fn react(&self, event: &Event) -> Result<(), Closed> {
        match event {
            Event::Bootstrapped => tracing::info!("bootstrapped"),
            Event::AccountsRefused { reason } => {
                tracing::warn!(%reason, "the accounts of the bootstrap server cannot be used");
            }
            Event::BootstrapFailed { address, reason, retry_at } => {
                let Some(at) = *retry_at else {
                    tracing::error!(%address, %reason, "the bootstrap failed for good; check server and keys, then restart the device");
                    return Ok(());
                };
                let when = self.until(at).await?;
                tracing::warn!(%address, %reason, "the bootstrap failed; trying again {when}");
            }
            Event::Registered { server, location, .. } => {
                tracing::info!(%location, "registered");
                self.registered.send_replace(Some(*server));
            }
            Event::Updated { server, .. } => {
                if self.registered.send_replace(Some(*server)).is_none() {
                    tracing::info!("registered as before");
                }
            }
            Event::Unanswered { address, .. } => {
                tracing::warn!("no answer yet from {address}, still trying");
            }
            // The name of the server that a bootstrap told: `AddressWanted` follows.
            Event::RegistrationFailed {
                reason: RegistrationError::NoAddress,
                retry_at: Some(_),
                ..
            } => {}
            Event::RegistrationFailed { address, reason, retry_at, .. } => {
                self.registered.send_replace(None);
                let server = address.map(tracing::field::display);
                let Some(at) = *retry_at else {
                    tracing::error!(server, %reason, "the registration failed for good; check server and keys, then restart the device");
                    return Ok(());
                };
                let when = self.until(at).await?;
                tracing::warn!(server, %reason, "the registration failed; trying again {when}");
            }
            Event::AddressWanted { server, uri } => return self.look_up(*server, uri).await,
            Event::SessionEnded { retry_at, .. } => {
                let when = self.until(*retry_at).await?;
                tracing::warn!("the connection or session ended; registering again {when}");
                self.registered.send_replace(None);
            }
            Event::SessionBegun { resumed, .. } => tracing::info!(resumed, "session established"),
            Event::Sleeping { .. } => tracing::info!("asleep"),
            Event::Awake => tracing::info!("awake"),
            Event::Deregistered { .. } => {
                self.registered.send_replace(None);
            }
            Event::Written { path, .. } => tracing::info!(%path, "written"),
            Event::Created { path, .. } => tracing::info!(%path, "created"),
            Event::Deleted { path, .. } => tracing::info!(%path, "deleted"),
            Event::Executed { path, .. } => {
                tracing::info!(%path, "executed");
                return self.execute(*path).await;
            }
            other => tracing::debug!(?other, "event"),
        }
        Ok(())
    }

    /// A point in time for people: `at once`, or `in 5 s`.
    async fn until(&self, at: Instant) -> Result<String, Closed> {
        let wait = self.client.with(move |_, now| at.saturating_since(now)).await?;
        Ok(match wait.is_zero() {
            true => "at once".to_owned(),
            false => format!("in {} s", wait.as_secs_f32().ceil()),
        })
    }

    /// Looks up the name of a server.
    async fn look_up(&self, server: u16, uri: &str) -> Result<(), Closed> {
        let address = match lwm2m_net::uri::resolve(uri).await {
            Ok(remote) => remote.address,
            Err(error) => {
                tracing::warn!(%error, "cannot find the address of the server");
                return Ok(());
            }
        };
        let set = move |client: &mut Client, now| client.set_address(now, server, address);
        if let Err(error) = self.client.with(set).await? {
            tracing::warn!(%error, "cannot find the address of the server");
        }
        Ok(())
    }

    async fn execute(&self, path: Path) -> Result<(), Closed> {
        match path.ids() {
            // A server that asks for a reboot expects a Register.
            [objects::DEVICE, 0, 4] => self.client.with(|client, now| client.rebind(now)).await,
            [objects::TEMPERATURE, instance, 5605] => {
                let instance = *instance;
                let reset = move |client: &mut Client, now| {
                    client.update(now, objects::TEMPERATURE, |sensor: &mut MemoryObject| {
                        objects::reset_extremes(sensor, instance)
                    })
                };
                // A server may have deleted the instance meanwhile.
                self.client.with(reset).await.map(drop)
            }
            _ => Ok(()),
        }
    }
}
