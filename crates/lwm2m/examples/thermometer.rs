//! A thermometer that registers with a server and tells it what it measures.
//!
//! `cargo run -p lwm2m --example thermometer 127.0.0.1:5683`

use lwm2m::client::typed::Arguments;
use lwm2m::client::{Client, Config, Instances, MemoryObject, Object, Refusal, ServerAccount};
use std::time::Duration;

#[derive(Object, Clone)]
#[lwm2m(object = 3303, execute(5605 = reset))]
struct Thermometer {
    #[lwm2m(resource = 5700)]
    value: f64,
    #[lwm2m(resource = 5601)]
    min: f64,
    #[lwm2m(resource = 5602)]
    max: f64,
}

impl Thermometer {
    fn at(value: f64) -> Self {
        Self { value, min: value, max: value }
    }
    fn measured(&mut self, value: f64) {
        *self = Self { value, min: self.min.min(value), max: self.max.max(value) };
    }
    fn reset(&mut self, _: &Arguments) -> Result<(), Refusal> {
        *self = Self::at(self.value);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5683".into());
    let config = Config::new("thermometer").server(ServerAccount::new(1, server.parse()?));
    let device = MemoryObject::new(3)
        .instance(0, |it| it.with_multiple(11, [(0, 0i64)]).with(16, "U"))
        .on_execute(4, |_, _| Ok(()));
    let rooms = [20.0, 21.5, 19.0].map(Thermometer::at).into_iter().zip(0..);
    let rooms = rooms.fold(Instances::new(), |all, (room, id)| all.with(id, room));
    let client = Client::new(config, vec![Box::new(device), Box::new(rooms)], lwm2m::net::seed()?)?;
    let client = lwm2m::net::bind_client(lwm2m::net::Sockets::client(false), client, None).await?;
    client.start().await?;
    for celsius in (0..).map(|tick| 20.0 + f64::from(tick % 10) / 10.0) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let measured = move |room: &mut Thermometer| room.measured(celsius);
        client.with(move |client, now| client.update_instance(now, 0, measured)).await??;
    }
    Ok(())
}
