//! A device sends values by Send: our client and our server in virtual time.

use crate::trio::{self, ENDPOINT, SERVER, Trio};
use lwm2m_client::{Client, Config, Event as ClientEvent, ServerAccount};
use lwm2m_core::{ContentFormat, Path, Value, Version};
use lwm2m_server::Event;

// proves: SEND-01
#[test]
fn values_arrive_with_the_name_of_the_device() {
    let account = ServerAccount::new(1, SERVER).mute_send(false);
    let config = Config::new(ENDPOINT).server(account).version(Version::V1_2);
    let client = Client::new(config, trio::objects(), [1; 32]).unwrap();
    let mut trio = Trio::new(client, lwm2m_bootstrap::Config::default());
    trio.start();
    let paths = [Path::resource(1, 0, 1), Path::resource_instance(3, 0, 11, 0)];
    for format in [ContentFormat::SENML_JSON, ContentFormat::SENML_CBOR, ContentFormat::LWM2M_CBOR]
    {
        let id =
            trio.sim.with(trio.device, |it, now| it.send(now, 1, &paths, Some(format))).unwrap();
        trio.settle();
        let sent = ClientEvent::Sent { id, server: 1, confirmed: Ok(()) };
        assert!(trio.device_events().any(|it| *it == sent), "{format}");
        let request = trio.wire.iter().find(|sent| sent.path() == "/dp").unwrap();
        assert_eq!(request.options.content_format(), Some(format.0));
        trio.wire.clear();
        let Some(Event::ValuesReceived { registration, values, .. }) =
            trio.server_events().last().cloned()
        else {
            panic!("values in {format}")
        };
        assert_eq!(&*registration.endpoint, ENDPOINT);
        let values: Vec<_> = values.into_iter().map(|it| (it.path, it.value)).collect();
        let expected = paths.into_iter().zip([Value::Integer(86_400), Value::Integer(0)]);
        assert_eq!(values, expected.collect::<Vec<_>>(), "{format}");
    }
}
