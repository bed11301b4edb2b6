//! Composite operations between our two engines, in every format that may carry them.

use crate::lossy::{ENDPOINT, Harness, SERVER, complete, harness_of};
use lwm2m_client::ServerAccount;
use lwm2m_core::{ContentFormat, Node, Path, Version};
use lwm2m_server::{Config, Content, Operation, Response};
use lwm2m_testkit::Conditions;
use std::sync::Arc;

const OFFSET: Path = Path::resource(3, 0, 14);
const ERROR: Path = Path::resource_instance(3, 0, 11, 0);

fn harness(version: Version, declined: Option<ContentFormat>) -> Harness {
    let account = ServerAccount::new(1, SERVER);
    let config = lwm2m_client::Config::new(ENDPOINT).version(version).server(account);
    let config = declined.into_iter().fold(config, lwm2m_client::Config::decline);
    harness_of(config, Config::default(), Conditions::GOOD, 1)
}

fn read(harness: &mut Harness, path_format: ContentFormat, format: ContentFormat) -> Response {
    let paths = Arc::from([OFFSET, ERROR]);
    let (path_format, format) = (Some(path_format), Some(format));
    complete(harness, &Operation::ReadComposite { paths, path_format, format })
}

fn write(harness: &mut Harness, text: &str, format: ContentFormat) -> String {
    let changes = vec![(OFFSET, Some(text.into()))];
    complete(harness, &Operation::WriteComposite { changes, format: Some(format) }).code.to_string()
}

fn expected(offset: &str) -> Content {
    let mut tree = Node::empty_at(&Path::ROOT).unwrap();
    assert!(tree.insert(&Path::ROOT, &OFFSET, offset.into()));
    assert!(tree.insert(&Path::ROOT, &ERROR, 0_i64.into()));
    Content::Node(tree)
}

const SENML: [ContentFormat; 2] = [ContentFormat::SENML_JSON, ContentFormat::SENML_CBOR];
const ETCH: [ContentFormat; 2] = [ContentFormat::SENML_ETCH_JSON, ContentFormat::SENML_ETCH_CBOR];

// proves: ETCH-01
#[test]
fn one_of_the_etch_formats_is_enough() {
    for (own, other) in [(ETCH[0], ETCH[1]), (ETCH[1], ETCH[0])] {
        let mut harness = harness(Version::V1_2, Some(other));
        assert_eq!(write(&mut harness, "+01", own), "2.04");
        assert_eq!(read(&mut harness, own, SENML[0]).content, expected("+01"));
        assert_eq!(write(&mut harness, "+02", other), "4.15");
        assert_eq!(read(&mut harness, other, SENML[0]).code.to_string(), "4.15");
        assert_eq!(read(&mut harness, own, SENML[0]).content, expected("+01"));
    }
    every_format_carries_them();
    let mut harness = harness(Version::V1_2, Some(SENML[1]));
    assert_eq!(read(&mut harness, ETCH[0], SENML[1]).code.to_string(), "4.06");
}

// LCBOR-07 asks for more: bootstrap and Send.
#[test]
fn every_format_carries_them() {
    let mut harness = harness(Version::V1_2, None);
    for (number, format) in
        [SENML[0], SENML[1], ETCH[0], ETCH[1], ContentFormat::LWM2M_CBOR].into_iter().enumerate()
    {
        let offset = format!("+0{number}");
        assert_eq!(write(&mut harness, &offset, format), "2.04", "{format}");
        for path_format in SENML.into_iter().chain(ETCH) {
            for answer in [SENML[0], SENML[1], ContentFormat::LWM2M_CBOR] {
                let response = read(&mut harness, path_format, answer);
                assert_eq!(response.content, expected(&offset), "{path_format} {answer}");
            }
        }
    }
}

#[test]
fn an_older_client_says_what_it_lacks() {
    let mut harness = harness(Version::V1_1, None);
    for format in ETCH {
        let response = read(&mut harness, format, SENML[0]);
        assert_eq!(response.code.to_string(), "4.15");
        assert!(response.diagnostic.is_some_and(|text| text.contains("format")));
        assert_eq!(write(&mut harness, "+05", format), "4.15");
    }
    assert_eq!(read(&mut harness, SENML[0], ContentFormat::LWM2M_CBOR).code.to_string(), "4.06");
    assert_eq!(read(&mut harness, SENML[0], SENML[1]).content, expected("+00"));
}
