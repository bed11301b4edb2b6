//! Bootstrap-Request, and the commands that follow.

use crate::harness::{Harness, LINES, Seen, bs};
use lwm2m_bootstrap::{Command, Config, Content, Event, SessionError};
use lwm2m_coap::{Code, FailReason, Request, Response};
use lwm2m_core::{Bytes, Node, ObjectInstance, Path};

fn finished(endpoint: &str) -> Event {
    Event::Finished { endpoint: endpoint.to_owned() }
}

fn failed(reason: SessionError) -> Event {
    Event::Failed { endpoint: "a".to_owned(), reason }
}

/// The formats of the writes that the device saw.
fn formats(harness: &Harness) -> Vec<Option<u16>> {
    let writes = harness.seen.iter().filter_map(|seen| match seen {
        Seen::Command(request) if request.code == Code::PUT => Some(request),
        _ => None,
    });
    writes.map(|request| request.options.content_format()).collect()
}

// The part of BOOT-02 about identities needs DTLS.
#[test]
fn strangers_are_refused() {
    let mut harness = Harness::new(Config::default());
    for query in ["ep=b", "", "ep=", "pct=112"] {
        assert_eq!(harness.ask(bs(query)).code, Code::BAD_REQUEST, "{query}");
    }
    assert!(harness.commands().is_empty() && harness.events.is_empty());
    assert!(harness.sim[harness.server].remove("a") && !harness.sim[harness.server].remove("a"));
    assert_eq!(harness.ask(bs("ep=a")).code, Code::BAD_REQUEST);
}

// proves: BOOT-03
#[test]
fn writes_have_the_format_that_the_device_wants() {
    for format in [110, 112, 11_542, 11_544] {
        let mut harness = Harness::new(Config::default());
        assert_eq!(harness.ask(bs(&format!("ep=a&pct={format}"))).code, Code::CHANGED);
        assert_eq!(formats(&harness), [Some(format); 3]);
        assert!(harness.events.contains(&finished("a")));
    }
    let mut harness = Harness::new(Config::default());
    for pct in ["9999", "0", "40", "x"] {
        let answer = harness.ask(bs(&format!("ep=a&pct={pct}")));
        assert_eq!(answer.code, Code::UNSUPPORTED_CONTENT_FORMAT, "{pct}");
    }
    assert!(harness.seen.iter().all(|seen| matches!(seen, Seen::Answer(_))));
    assert_eq!(harness.ask(bs("ep=a")).code, Code::CHANGED);
    assert_eq!(formats(&harness), [Some(11_542); 3]);
}

/// What is told of the commands in [`LINES`] that a device carries out.
fn carried_out() -> [Event; 5] {
    let told = |(path, content)| Event::Answered { endpoint: "a".to_owned(), path, content };
    [
        (Path::object(0), Content::Deleted),
        (Path::object(1), Content::Deleted),
        (Path::instance(0, 1), Content::Written),
        (Path::instance(1, 0), Content::Written),
        (Path::resource(1, 0, 23), Content::Written),
    ]
    .map(told)
}

// proves: BOOT-04
#[test]
fn commands_come_one_at_a_time_after_the_answer_and_end_with_finish() {
    let mut harness = Harness::new(Config::default());
    harness.sim[harness.device].silent = true;
    assert_eq!(harness.ask(bs("ep=a")).code, Code::CHANGED);
    harness.pass(30);
    assert_eq!(harness.commands(), LINES[..1], "the first is not answered");

    let mut harness = Harness::new(Config::default());
    harness.ask(bs("ep=a"));
    assert_eq!(harness.seen.first(), Some(&Seen::Answer(Code::CHANGED)));
    assert_eq!(harness.commands(), LINES);
    let Some(Seen::Command(finish)) = harness.seen.last() else { panic!("Finish") };
    assert!(finish.payload.is_empty() && finish.options.content_format().is_none());
    assert!(matches!(harness.events[0], Event::Started { .. }));
    assert_eq!(harness.events[1..6], carried_out());
    assert_eq!(harness.events[6..], [finished("a")]);
    assert_eq!(harness.sim[harness.server].peer_count(), 1);
    harness.pass(300);
    assert_eq!(harness.sim[harness.server].peer_count(), 0);
}

// proves: BOOT-27
#[test]
fn another_request_begins_anew_and_a_refused_end_is_a_failure() {
    let mut harness = Harness::new(Config::default());
    harness.sim[harness.device].silent = true;
    harness.ask(bs("ep=a"));
    assert_eq!(harness.commands(), LINES[..1]);
    harness.sim[harness.device].silent = false;
    harness.seen.clear();
    harness.ask(bs("ep=a"));
    assert_eq!(harness.commands(), LINES);
    assert_eq!(harness.events[1], failed(SessionError::Cancelled));
    assert!(matches!(harness.events[2], Event::Started { .. }));
    assert_eq!(harness.events[3..8], carried_out());
    assert_eq!(harness.events[8..], [finished("a")]);

    let mut harness = Harness::new(Config::default());
    harness.sim[harness.device].answers =
        [Code::DELETED, Code::DELETED, Code::CHANGED, Code::CHANGED, Code::CHANGED]
            .map(Response::new)
            .into();
    harness.sim[harness.device].answers.push_back(Response::new(Code::NOT_ACCEPTABLE));
    harness.ask(bs("ep=a"));
    assert_eq!(harness.events[6..], [failed(SessionError::NotFinished(Code::NOT_ACCEPTABLE))]);
}

#[test]
fn a_refused_command_ends_the_session_without_finish() {
    let mut harness = Harness::new(Config::default());
    harness.sim[harness.device].answers.push_back(Response::new(Code::BAD_REQUEST));
    harness.ask(bs("ep=a"));
    assert_eq!(harness.commands(), LINES[..1]);
    let reason = SessionError::Refused(Path::object(0), Code::BAD_REQUEST);
    assert_eq!(harness.events[1..], [failed(reason)]);
}

#[test]
fn a_device_that_falls_silent_is_given_up() {
    let mut harness = Harness::new(Config::default());
    harness.sim[harness.device].silent = true;
    harness.ask(bs("ep=a"));
    harness.pass(1_000);
    let reason = SessionError::NoAnswer(FailReason::Timeout);
    assert_eq!(harness.events[1..], [failed(reason)]);
}

#[test]
fn what_the_device_has_is_told() {
    let mut harness = Harness::new(Config::default());
    let commands = [Command::Discover(Path::ROOT), Command::Read(Path::object(1))];
    harness.sim[harness.server].configure("a", commands.into());
    let links = "</>;lwm2m=1.1,</0/0>,</1/0>;ssid=1";
    harness.sim[harness.device]
        .answers
        .push_back(Response::new(Code::CONTENT).content_format(40).payload(links));
    let servers = r#"[{"n":"/1/0/0","v":1}]"#;
    harness.sim[harness.device]
        .answers
        .push_back(Response::new(Code::CONTENT).content_format(110).payload(servers));
    harness.ask(bs("ep=a&pct=110"));
    assert_eq!(harness.commands(), ["GET /", "GET /1", "POST /bs"]);
    let [_, Event::Answered { content: Content::Links(links), .. }, second, _] =
        &harness.events[..]
    else {
        panic!("{:?}", harness.events)
    };
    assert_eq!(links[2].param("ssid"), Some("1"));
    let Event::Answered { content: Content::Node(node), .. } = second else { panic!("values") };
    assert_eq!(node.leaves(&Path::object(1)).len(), 1);
}

#[test]
fn accounts_go_around_that_of_the_bootstrap_server() {
    let account = |id, short_id: i64| {
        let account = ObjectInstance::default().with(0, "coap://192.0.2.1").with(10, short_id);
        Command::Write(Path::instance(0, id), Node::ObjectInstance(account))
    };
    let table = [
        // The account of the bootstrap server is the one without a short server ID.
        ("</>;lwm2m=1.1,</0/1>,</0/2>;ssid=5", ["PUT /0/0", "PUT /0/2"]),
        ("</0/0>,</0/1>;ssid=5", ["PUT /0/1", "PUT /0/2"]),
        ("</0/1>,</0/2>,</0/0>", ["PUT /0/3", "PUT /0/4"]),
        ("</0/2>", ["PUT /0/1", "PUT /0/0"]),
        ("", ["PUT /0/1", "PUT /0/2"]),
    ];
    for (links, expected) in table {
        let mut harness = Harness::new(Config::default());
        let commands = [Command::KeepBootstrapAccount, account(1, 7), account(2, 8)];
        harness.sim[harness.server].configure("a", commands.into());
        let answer = Response::new(Code::CONTENT).content_format(40).payload(links);
        harness.sim[harness.device].answers.push_back(answer);
        harness.ask(bs("ep=a"));
        let [first, second] = expected;
        assert_eq!(harness.commands(), ["GET /0", first, second, "POST /bs"], "{links}");
    }
    // A device that does not tell is bootstrapped all the same.
    let mut harness = Harness::new(Config::default());
    harness.sim[harness.server].configure("a", vec![Command::KeepBootstrapAccount, account(1, 7)]);
    harness.sim[harness.device].answers.push_back(Response::new(Code::METHOD_NOT_ALLOWED));
    harness.ask(bs("ep=a"));
    assert_eq!(harness.commands(), ["GET /0", "PUT /0/1", "POST /bs"]);
    assert_eq!(harness.events.last(), Some(&finished("a")));
}

#[test]
fn what_a_device_tells_is_bounded() {
    let values = |count: u16| {
        let all = (0..count).map(|it| format!(r#"{{"n":"/1/{it}/0","v":1}}"#));
        format!("[{}]", all.collect::<Vec<_>>().join(","))
    };
    let links = |count| vec!["</1>"; usize::from(count)].join(",");
    let discover = Command::Discover(Path::ROOT);
    for (command, format, answer, reason) in [
        (
            Command::Read(Path::object(1)),
            110,
            &values as &dyn Fn(u16) -> String,
            "more values than are accepted",
        ),
        (discover.clone(), 40, &links, "more than 20 links"),
        (discover, 40, &|count| format!("</1>{}", ";a".repeat(count.into())), "more than 20 links"),
    ] {
        for (count, is_taken) in [(19, true), (21, false)] {
            let mut harness = Harness::new(Config { max_values: 20, ..Config::default() });
            harness.sim[harness.server].configure("a", vec![command.clone()]);
            let response = Response::new(Code::CONTENT).content_format(format);
            harness.sim[harness.device].answers.push_back(response.payload(answer(count)));
            harness.ask(bs("ep=a&pct=110"));
            match &harness.events[1..] {
                [Event::Answered { .. }, Event::Finished { .. }] => assert!(is_taken),
                [Event::Failed { reason: why, .. }] => {
                    let why = why.to_string();
                    assert!(!is_taken && why.contains(reason), "{why}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_node_that_does_not_go_with_its_path_is_not_sent() {
    let mut harness = Harness::new(Config::default());
    let node = Node::ObjectInstance(ObjectInstance::default());
    harness.sim[harness.server].configure("a", vec![Command::Write(Path::object(1), node)]);
    harness.ask(bs("ep=a"));
    assert!(harness.commands().is_empty());
    assert_eq!(harness.events[1..], [failed(SessionError::NotSent(Path::object(1)))]);
    assert_eq!(harness.ask(crate::harness::bspack("ep=a", 112)).code, Code::INTERNAL_SERVER_ERROR);
}

#[test]
fn sessions_are_bounded() {
    let mut harness = Harness::new(Config { max_sessions: 1, ..Config::default() });
    harness.sim[harness.device].silent = true;
    harness.sim[harness.server].configure("b", Vec::new());
    assert_eq!(harness.ask(bs("ep=a")).code, Code::CHANGED);
    assert_eq!(harness.ask(bs("ep=b")).code, Code::SERVICE_UNAVAILABLE);
    assert_eq!(harness.ask(bs("ep=a")).code, Code::CHANGED);
    let is_report = |event: &&Event| matches!(event, Event::Overloaded(_));
    let reports = |harness: &Harness| -> Vec<String> {
        let all = harness.events.iter().filter(is_report);
        all.map(|event| match event {
            Event::Overloaded(overload) => overload.to_string(),
            _ => String::new(),
        })
        .collect()
    };
    let one = "bounds were reached: 1 bootstraps refused";
    assert_eq!(reports(&harness), [one]);
    (0..5).for_each(|_| _ = harness.ask(bs("ep=b")));
    assert_eq!(reports(&harness), [one], "once a minute at most");
    assert_eq!(harness.sim[harness.server].overload().bootstraps, 6);
    harness.pass(60);
    harness.ask(bs("ep=b"));
    assert_eq!(reports(&harness)[1..], ["bounds were reached: 6 bootstraps refused"]);
}

#[test]
fn keys_go_only_to_who_has_proven_itself() {
    let mut harness = Harness::new(Config { keys_need_proof: true, ..Config::default() });
    let account = |key: &'static [u8]| {
        let node = ObjectInstance::default().with(5, Bytes::from_static(key));
        vec![Command::Write(Path::instance(0, 1), Node::ObjectInstance(node))]
    };
    harness.sim[harness.server].configure("a", account(b"secret"));
    assert_eq!(harness.ask(bs("ep=a")).code, Code::FORBIDDEN);
    assert_eq!(harness.ask(crate::harness::bspack("ep=a", 112)).code, Code::FORBIDDEN);
    assert!(harness.commands().is_empty());
    harness.sim[harness.server].configure("a", account(b""));
    assert_eq!(harness.ask(bs("ep=a")).code, Code::CHANGED);
}

#[test]
fn other_resources_and_methods_are_refused() {
    let mut harness = Harness::new(Config::default());
    for (request, code) in [
        (Request::get().path(["bs"]), Code::METHOD_NOT_ALLOWED),
        (Request::post().path(["bspack"]), Code::METHOD_NOT_ALLOWED),
        (Request::post().path(["bs", "x"]), Code::NOT_FOUND),
        (Request::post().path(["rd"]), Code::NOT_FOUND),
        (Request::get(), Code::NOT_FOUND),
    ] {
        assert_eq!(harness.ask(request).code, code);
    }
}
