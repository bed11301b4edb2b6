//! `lwm2m demo --once`: every operation once, over real sockets, with its round-trip time.

use super::keys::Mode;
use super::{DEVICES, Scene};
use lwm2m_app::Failure;
use lwm2m_clientd::Device;
use lwm2m_coap::uri::Scheme;
use lwm2m_core::{Attribute, ContentFormat, Node, ObjectInstance, Path, Resource, Value};
use lwm2m_net::{Events, ServerHandle};
use lwm2m_server::{Content, Event, Operation, Response, WriteMode};
use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::error::RecvError;

/// A step that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const LIFETIME: Path = Path::resource(1, 0, 1);
const REBOOT: Path = Path::resource(3, 0, 4);
const TEMPERATURE: Path = Path::resource(3303, 0, 5700);
const NEW_INSTANCE: Path = Path::instance(3303, 7);

type Outcome = Result<String, String>;

/// Runs the tour and prints its table.
pub(super) async fn run(scene: &Scene) -> Result<(), Failure> {
    let server = &scene.running.server;
    let mut tour = Tour { server: server.clone(), events: server.subscribe(), devices: Vec::new() };
    lwm2m_app::print_line(format_args!(
        "{:<17} {:<13} {:<54} {:>10}",
        "step", "path or mode", "result", "round trip"
    ));
    let outcome = tour.steps(scene).await;
    tour.devices.drain(..).for_each(drop);
    outcome.map_err(|step| Failure::running(format!("the step {step} failed")))
}

struct Tour {
    server: ServerHandle,
    events: Events,
    devices: Vec<Device>,
}

impl Tour {
    /// Runs all steps in order; the error is the name of the first that failed.
    async fn steps(&mut self, scene: &Scene) -> Result<(), &'static str> {
        for device in DEVICES {
            let (_, mode, scheme) = device;
            let place = match scheme.is_connection() {
                true => format!("{mode} by TLS"),
                false => mode.to_string(),
            };
            step("register", place, self.registration(scene, device)).await?;
        }
        step("refuse", Mode::RawPublicKey, self.refusal(scene)).await?;
        self.update().await?;
        self.reading().await?;
        self.writing().await?;
        self.reporting().await?;
        self.instances().await?;
        self.end().await
    }

    /// A device registers in its mode; describes what the server then knows.
    async fn registration(
        &mut self,
        scene: &Scene,
        (endpoint, mode, scheme): (&str, Mode, Scheme),
    ) -> Outcome {
        let device = scene.device((endpoint, mode, scheme), 1).await;
        self.devices.push(device.map_err(|error| error.to_string())?);
        self.await_event(|event| match event {
            Event::Registered(it) if *it.endpoint == *endpoint => Some(()),
            _ => None,
        })
        .await?;
        let ask = |target: String| async move {
            scene.ask("GET", &target, None).await.map_err(|error| error.to_string())
        };
        let registration = ask(format!("/api/clients/{endpoint}")).await?;
        let maker = ask(format!("/api/clients/{endpoint}/3/0/0")).await?;
        let known = match mode {
            Mode::NoSec => "nothing".to_owned(),
            _ => {
                let stored = ask(format!("/api/security/clients/{endpoint}")).await?;
                stored["tls"]["mode"].to_string()
            }
        };
        let (secure, maker) = (&registration["secure"], &maker["content"]["value"]);
        let binding = match registration["bindingMode"].as_str() {
            Some("T") => ", b=T",
            _ => "",
        };
        Ok(format!("2.01{binding}, stored: {known}, secure: {secure}, /3/0/0 {maker}"))
    }

    /// A device with an unknown key is refused; describes the reason.
    async fn refusal(&mut self, scene: &Scene) -> Outcome {
        // The server does not get these credentials.
        let keys = scene.keys.device("stranger", Mode::RawPublicKey);
        let (keys, _) = keys.map_err(|error| error.to_string())?;
        let stranger = scene.start("stranger", Scheme::Coaps, keys, 0).await;
        let stranger = stranger.map_err(|error| error.to_string())?;
        let told = self.await_event(|event| match event {
            Event::HandshakeFailed(failure) => Some(failure.to_string()),
            _ => None,
        });
        let told = told.await;
        stranger.stop().await;
        told
    }

    async fn update(&mut self) -> Result<(), &'static str> {
        let update = async {
            let device = self.devices.first().ok_or("no device")?;
            device.update().await.map_err(|error| error.to_string())?;
            self.await_event(|event| match event {
                Event::Updated { registration, .. } if *registration.endpoint == *DEVICES[0].0 => {
                    Some("2.04 Changed".to_owned())
                }
                _ => None,
            })
            .await
        };
        step("update", "", update).await
    }

    async fn reading(&self) -> Result<(), &'static str> {
        for path in [Path::instance(3, 0), Path::resource(3, 0, 0)] {
            step("read", path, self.ask(Operation::Read { path, format: None })).await?;
        }
        let path = Path::object(3);
        step("discover", path, self.ask(Operation::Discover { path })).await
    }

    async fn writing(&mut self) -> Result<(), &'static str> {
        let write = async {
            let answer = self.ask(Operation::Write {
                path: LIFETIME,
                node: Node::Resource(Resource::Single(Value::Integer(600))),
                format: Some(ContentFormat::TEXT),
                mode: WriteMode::Replace,
            });
            let answer = answer.await?;
            let told = self.await_event(|event| match event {
                Event::Updated { update, .. } => update.lifetime,
                _ => None,
            });
            match told.await?.as_secs() {
                600 => Ok(format!("{answer}, then update with lt=600")),
                other => Err(format!("update with lt={other}")),
            }
        };
        step("write", LIFETIME, write).await?;
        let reboot = async {
            let execute = Operation::Execute { path: REBOOT, arguments: String::new() };
            let answer = self.ask(execute).await?;
            self.await_event(|event| match event {
                Event::Registered(it) if *it.endpoint == *DEVICES[0].0 => Some(()),
                _ => None,
            })
            .await?;
            Ok(format!("{answer}, then registered again"))
        };
        step("execute", REBOOT, reboot).await
    }

    async fn reporting(&mut self) -> Result<(), &'static str> {
        let attribute = |text| Attribute::parse(text).map_err(|error| error.to_string());
        let set = async {
            let attributes = vec![attribute("pmin=1")?, attribute("pmax=5")?];
            self.ask(Operation::WriteAttributes { path: TEMPERATURE, attributes }).await
        };
        step("write-attributes", TEMPERATURE, set).await?;
        let observe = async {
            let format = Some(ContentFormat::SENML_CBOR);
            let first = self.ask(Operation::Observe { path: TEMPERATURE, format }).await?;
            let mut values = vec![first];
            while values.len() < 4 {
                let next = self.await_event(|event| match event {
                    Event::Notification { target, result, .. } if *target == TEMPERATURE.into() => {
                        Some(result.as_ref().map(describe).map_err(ToString::to_string))
                    }
                    _ => None,
                });
                values.push(next.await??);
            }
            Ok(format!("3 notifications: {}", values[1..].join(", ")))
        };
        step("observe", TEMPERATURE, observe).await?;
        let cancel = self.ask(Operation::CancelObservation { target: TEMPERATURE.into() });
        step("cancel", TEMPERATURE, cancel).await
    }

    async fn instances(&self) -> Result<(), &'static str> {
        let create = Operation::Create {
            path: Path::object(3303),
            instance: NEW_INSTANCE.instance_id(),
            node: Node::ObjectInstance(ObjectInstance::default().with(5750, "cellar")),
            format: None,
        };
        step("create", NEW_INSTANCE, self.ask(create)).await?;
        let read = Operation::Read { path: NEW_INSTANCE, format: Some(ContentFormat::TLV) };
        step("read", NEW_INSTANCE, self.ask(read)).await?;
        let delete = Operation::Delete { path: NEW_INSTANCE };
        step("delete", NEW_INSTANCE, self.ask(delete)).await
    }

    async fn end(&mut self) -> Result<(), &'static str> {
        let deregister = async {
            for device in self.devices.drain(..) {
                if !device.stop().await {
                    return Err("a device was not heard".to_owned());
                }
            }
            match self.server.directory().len() {
                0 => Ok("2.02 Deleted, no device is left".to_owned()),
                left => Err(format!("{left} devices are left")),
            }
        };
        step("deregister", "", deregister).await
    }

    /// Sends an operation to the first device and describes the answer; an error code is an error.
    async fn ask(&self, operation: Operation) -> Outcome {
        let response = self.server.request(DEVICES[0].0, operation, PATIENCE).await;
        let Response { code, content, diagnostic, .. } =
            response.map_err(|error| error.to_string())?;
        if !code.is_success() {
            return Err(format!("{code} {}", diagnostic.unwrap_or_default()));
        }
        Ok(match content {
            Content::Node(node) => format!("{code} {}", describe(&node)),
            Content::Links(links) => format!("{code} {} links", links.len()),
            Content::Created(Some(path)) => format!("{code} at {path}"),
            _ => format!("{code}"),
        })
    }

    async fn await_event<T>(
        &mut self,
        mut wanted: impl FnMut(&Event) -> Option<T>,
    ) -> Result<T, String> {
        loop {
            match self.events.recv().await {
                Ok(event) => {
                    if let Some(found) = wanted(&event) {
                        return Ok(found);
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Err("the server has ended".to_owned()),
            }
        }
    }
}

/// Runs a step and prints its line.
async fn step(
    name: &'static str,
    place: impl fmt::Display,
    work: impl Future<Output = Outcome>,
) -> Result<(), &'static str> {
    let start = Instant::now();
    let outcome = tokio::time::timeout(PATIENCE, work).await;
    let outcome = outcome.unwrap_or_else(|_| Err(format!("nothing within {PATIENCE:?}")));
    let millis = start.elapsed().as_secs_f64() * 1e3;
    let (text, mark) = match &outcome {
        Ok(text) => (text, ""),
        Err(text) => (text, "FAILED: "),
    };
    lwm2m_app::print_line(format_args!(
        "{name:<17} {:<13} {:<54} {millis:>7.2} ms",
        place.to_string(),
        format!("{mark}{text}")
    ));
    outcome.map(|_| ()).map_err(|_| name)
}

fn describe(node: &Node) -> String {
    let base = Path::ROOT.prefix(0);
    match node {
        Node::Resource(Resource::Single(value)) | Node::ResourceInstance(value) => {
            describe_value(value)
        }
        Node::ObjectInstance(instance) => format!("{} resources", instance.resources.len()),
        other => format!("{} values", other.leaves(&base).len()),
    }
}

fn describe_value(value: &Value) -> String {
    match value {
        Value::String(text) | Value::CoreLink(text) => format!("\"{text}\""),
        Value::Integer(number) | Value::Time(number) => number.to_string(),
        Value::UnsignedInteger(number) => number.to_string(),
        Value::Float(number) => format!("{number:.2}"),
        Value::Boolean(flag) => flag.to_string(),
        Value::Opaque(bytes) => format!("{} bytes", bytes.len()),
        Value::ObjectLink(link) => link.to_string(),
    }
}
