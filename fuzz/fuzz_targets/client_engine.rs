//! A client among random datagrams: what its server answers and asks, and what strangers send.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_client::{Client, Config, MemoryObject, Object, ServerAccount};
use lwm2m_core::Path;
use lwm2m_fuzz::{Input, address, play};
use lwm2m_time::Instant;

const SERVER: u16 = 123;

fuzz_target!(|script: &[u8]| {
    let account = ServerAccount::new(SERVER, address(0)).lifetime(300);
    let config = Config::new("device").server(account);
    let mut client = Client::new(config, objects(), [7; 32]).expect("a good configuration");
    client.start(Instant::ZERO);
    play(&mut client, script, |client, now, input| {
        if let Input::Step(operation, bytes) = input {
            act(client, now, operation, bytes);
        }
    });
});

fn objects() -> Vec<Box<dyn Object>> {
    let device = MemoryObject::new(3).instance(0, |device| {
        let device = device.with(0, "Open Mobile Alliance").with(9, 100).with(16, "U");
        device.with_multiple(6, [(0, 1), (1, 5)]).with_multiple(11, [(0, 0)])
    });
    let temperature = MemoryObject::new(3303)
        .instance(0, |sensor| sensor.with(5700, 21.5).with(5701, "Cel"))
        .new_instances(|sensor| sensor.with(5700, 0.0));
    vec![
        Box::new(device.on_execute(4, |_, _| Ok(()))),
        Box::new(temperature.on_execute(5605, |_, _| Ok(()))),
    ]
}

fn act(client: &mut Client, now: Instant, operation: u8, bytes: &[u8]) {
    match operation % 4 {
        0 => {
            let place = bytes.first().copied().unwrap_or(4);
            let ids = if place < 128 { [3, 0, 6, 1] } else { [3303, 0, 5700, 0] };
            let path = Path::from_ids(&ids[..usize::from(place) % 5]).expect("small ids");
            client.changed(now, &path);
            let celsius = f64::from(place);
            // A server may have deleted the instance.
            let _ = client.update::<MemoryObject>(now, 3303, |it| it.set(0, 5700, celsius));
        }
        1 => client.update_registration(now, SERVER),
        2 => client.shutdown(now),
        _ => client.start(now),
    }
}
