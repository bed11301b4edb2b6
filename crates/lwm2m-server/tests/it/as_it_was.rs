//! What comes back from a store as it was.

use crate::commands::{command, only, outcome, registered};
use crate::harness::{Harness, LIST, at, device, register};
use lwm2m_coap::{Code, Request, Response};
use lwm2m_core::{Node, ObjectInstance, Path};
use lwm2m_credentials::Credential;
use lwm2m_server::{Content, Operation, Outcome};

fn created(instance: Option<u16>) -> Operation {
    let node = Node::ObjectInstance(ObjectInstance::default().with_multiple(0, [(0, "id")]));
    Operation::Create { path: Path::object(16), instance, node, format: None }
}

// proves: CREATE-08
#[test]
fn an_object_list_that_a_create_and_a_delete_have_changed() {
    let mut harness = Harness::kept();
    let list = "</>;ct=\"60 110\",</3>;ver=1.2,</3/0>,</16/0>,</16/1>";
    harness.ask_for(device(1), register("ep=a&lt=86400&lwm2m=1.1&b=U", list));
    harness.commit();
    harness.sent.clear();
    for (operation, code) in [
        (created(Some(7)), Code::CREATED),
        (Operation::Delete { path: Path::instance(16, 0) }, Code::DELETED),
    ] {
        let (_, request) = harness.order("a", operation);
        harness.answer(&request, Response::new(code));
        harness.commit();
        let before = harness.server.registration("a").unwrap().clone();
        assert_eq!(harness.crash().unusable, 0);
        assert_eq!(*harness.server.registration("a").unwrap(), before, "{code}");
        let wake = Request::post().path(["dp"]).content_format(110).payload("[]");
        harness.ask_for(device(1), wake);
        harness.commit();
        harness.sent.clear();
    }
    let list = &harness.server.registration("a").unwrap().list;
    let instances = &list.objects[&16].instances;
    assert_eq!(instances.iter().copied().collect::<Vec<_>>(), [1, 7]);
}

#[test]
fn what_devices_answered_to_commands() {
    let json =
        |text: &str| Response::new(Code::CONTENT).content_format(110).payload(text.to_owned());
    let three = || json(r#"[{"bn":"/3/0/","n":"0","vs":"x"},{"n":"6/0","v":1},{"n":"6/3","v":5}]"#);
    let paths = || [Path::object(3), Path::resource(1, 0, 1)].into();
    let links = "</3/0>;pmin=10,</3/0/0>,</3/0/6>;dim=2";
    let located =
        |id: &str| Response::new(Code::CREATED).location_segment("16").location_segment(id);
    let cases = [
        (Operation::Read { path: Path::object(3), format: None }, three()),
        (Operation::Read { path: Path::instance(3, 0), format: None }, three()),
        (Operation::ReadComposite { paths: paths(), path_format: None, format: None }, three()),
        (
            Operation::Discover { path: Path::instance(3, 0) },
            Response::new(Code::CONTENT).content_format(40).payload(links),
        ),
        (created(None), located("4")),
        (created(None), Response::new(Code::CREATED)),
        (created(None), Response::new(Code::FORBIDDEN).payload("no")),
    ];
    for (operation, answer) in cases {
        let (mut harness, _) = registered();
        let id = command(&mut harness, operation.clone());
        harness.commit();
        // What must not be repeated is noted first.
        harness.commit();
        let request = only(&mut harness);
        harness.answer(&request, answer);
        harness.commit();
        let before = outcome(&harness, id);
        let Some(Outcome::Answered(response)) = &before else { panic!("{before:?}") };
        let is_empty = response.content == Content::None;
        assert_eq!(is_empty, !response.code.is_success(), "{operation:?}");
        assert_eq!(harness.crash().unusable, 0);
        assert_eq!(outcome(&harness, id), before, "{operation:?}");
    }
}

/// Goes on in another process: with a store of credentials of its own.
fn go_on(harness: &Harness) -> (Harness, usize) {
    let mut next = Harness::kept();
    next.disk = harness.disk.clone();
    let restored = next.crash();
    assert_eq!(restored.unusable, 0);
    (next, restored.credentials)
}

#[test]
fn credentials_that_were_set_while_the_server_ran() {
    let mut harness = Harness::kept();
    let credentials = [
        Credential::psk(b"identity", &[7; 16]).unwrap(),
        Credential::psk(b"another", &[8; 64]).unwrap(),
    ];
    let names = ["a", "b"];
    for (name, credential) in names.iter().zip(&credentials) {
        harness.server.put_credential(harness.now, name, credential.clone()).unwrap();
    }
    let gone = Credential::psk(b"gone", &[9; 16]).unwrap();
    harness.server.put_credential(harness.now, "gone", gone).unwrap();
    assert!(harness.server.remove_credential(harness.now, "gone"));
    harness.drain();
    harness.commit();
    let (next, count) = go_on(&harness);
    let (before, after) = (harness.server.security(), next.server.security());
    assert_eq!((count, after.len()), (2, 2));
    for (name, credential) in names.iter().zip(&credentials) {
        assert_eq!(after.get(name).as_ref(), Some(credential), "{name}");
        assert_eq!(after.generation_of(name), before.generation_of(name), "{name}");
    }
    // A credential that is set anew is another one, although the one before it is gone.
    assert_eq!(after.next_generation(), before.next_generation());
}

#[test]
fn a_credential_of_the_configuration_counts_more_than_one_that_was_kept() {
    let mut harness = Harness::kept();
    let kept = Credential::psk(b"identity", &[8; 16]).unwrap();
    harness.server.put_credential(harness.now, "a", kept).unwrap();
    harness.drain();
    harness.commit();
    let configured = Credential::psk(b"identity", &[7; 16]).unwrap();
    let config = lwm2m_server::Config::default().is_kept(true);
    config.security.put("a", configured.clone()).unwrap();
    let mut next = Harness::with(config);
    next.disk = harness.disk.clone();
    assert_eq!(next.crash().unusable, 0);
    assert_eq!(next.server.security().get("a"), Some(configured));
}

#[test]
fn a_device_that_is_deleted_is_gone_with_all_that_waits() {
    use lwm2m_server::{CommandId, DeregistrationReason, Event, Target, WishOptions};
    let read = || Operation::Read { path: Path::resource(3, 0, 0), format: None };
    let target = Target::Path(Path::resource(3, 0, 9));
    for what in ["nothing", "a wish", "a command", "a registration"] {
        let mut harness = Harness::kept();
        let mut id: Option<CommandId> = None;
        if what != "nothing" && what != "a wish" {
            harness.ask_for(device(1), register("ep=a&lt=86400&lwm2m=1.1&b=U", LIST));
            harness.commit();
            let location = harness.sent.pop_front().unwrap().location();
            if what == "a command" {
                id = Some(command(&mut harness, read()));
                harness.commit();
                harness.ask_for(device(1), at(Request::delete(), &location));
                harness.commit();
            }
        }
        if what == "a wish" || what == "a registration" {
            let options = WishOptions::default();
            harness.server.wish(harness.now, "a", target.clone(), options).unwrap();
        }
        harness.drain();
        harness.commit();
        harness.events.clear();
        assert_eq!(harness.server.delete_device(harness.now, "a"), what != "nothing", "{what}");
        harness.drain();
        harness.commit();
        let deleted = harness.events.iter().any(|event| {
            matches!(event, Event::Deregistered { reason: DeregistrationReason::Deleted, .. })
        });
        assert_eq!(deleted, what == "a registration");
        assert!(harness.server.registration("a").is_none(), "{what}");
        assert_eq!(harness.server.wishes("a").count(), 0, "{what}");
        assert_eq!(id.and_then(|id| harness.server.command_by_id(id)), None, "{what}");
        assert!(!harness.server.delete_device(harness.now, "a"), "{what} is gone already");
        let restored = harness.crash();
        let left = (restored.registrations, restored.wishes, restored.commands);
        assert_eq!(left, (0, 0, 0), "{what}");
    }
}
