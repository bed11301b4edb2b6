//! `lwm2m decode` and `lwm2m encode`

use crate::{failure, success};
use serde_json::{Value, json};

#[test]
fn hex_binary_argument_and_standard_input_are_one() {
    let path = ["decode", "--format", "tlv", "--path", "/3/0/9"];
    let from = |extra: &[&str], input: &[u8]| success(&[&path[..], extra].concat(), input);
    let hex = from(&["c10964"], b"");
    assert_eq!(from(&["C1 09 64"], b""), hex);
    assert_eq!(from(&[], b"c10964\n"), hex);
    assert_eq!(from(&["-"], &[0xC1, 0x09, 0x64]), hex);
    assert_eq!(from(&["--input", "binary"], &[0xC1, 0x09, 0x64]), hex);
    let json: Value = serde_json::from_str(&hex).unwrap();
    assert_eq!(json, json!({"kind": "singleResource", "id": 9, "type": "INTEGER", "value": "100"}));
}

#[test]
fn what_decode_prints_encode_takes() {
    for (format, path, bytes) in [
        ("tlv", "/3/0/6", "860641000141 0105"),
        ("senml-json", "/3/0/0", "5b7b226e223a222f332f302f30222c227673223a2278227d5d"),
        ("text", "/3/0/9", "3837"),
        ("opaque", "/5/0/0", "00ff"),
        ("link", "/", "3c2f332f303e2c3c2f353e"),
        ("coap", "/", "44010001a1a2a3a4b1330130"),
    ] {
        let json = success(&["decode", "-f", format, "-p", path, "--input", "hex", bytes], b"");
        let hex = success(&["encode", "-f", format, "-p", path], json.as_bytes());
        assert_eq!(hex.trim(), bytes.replace(' ', ""), "{format}: {json}");
    }
}

#[test]
fn creates_times_and_alternate_paths_are_converted() {
    let new =
        r#"{"kind":"instance","resources":[{"id":5700,"kind":"singleResource","value":"21.5"}]}"#;
    let create = ["-f", "senml-json", "-p", "/3303", "--create", "--below", "/lwm2m"];
    let hex = success(&[&["encode"][..], &create, &[new]].concat(), b"");
    let json = success(&[&["decode"][..], &create].concat(), hex.as_bytes());
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["id"], &json["resources"][0]["value"]), (&Value::Null, &json!("21.5")));

    let pack = r#"[{"bn":"/lwm2m/3303/0/5700","bt":1000000000,"v":1},{"t":5,"v":2}]"#;
    let times = ["decode", "-f", "senml-json", "-p", "/3303/0/5700", "--times"];
    let json = success(&[&times[..], &["--below", "/lwm2m", pack]].concat(), b"");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json[1]["time"], &json[1]["path"]),
        (&json!(1_000_000_005.0), &json!("/3303/0/5700"))
    );
    assert_eq!(json[1]["value"]["value"], "2.0");
}

#[test]
fn a_guess_is_named() {
    let output = crate::lwm2m(&["decode", "-f", "text", "-p", "/3/0/0", "50"], b"");
    assert!(String::from_utf8_lossy(&output.stderr).contains("read as hex; --input binary"));
    let error = failure(&["decode", "-f", "tlv", "-p", "/3/0", "zz"], 2);
    assert!(error.contains("read as bytes; --input hex"), "{error}");
}

#[test]
fn a_batch_answers_line_by_line() {
    let lines = [
        br#"{"format":"tlv","path":"/3/0/9","hex":"c10964"}"#.as_slice(),
        b"\xff\xfe",
        br#"{"format":"text","path":"/3/0/9","hex":"78"}"#,
    ];
    let output = crate::lwm2m(&["decode", "--batch"], &lines.join(b"\n".as_slice()));
    let answers = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("2 of 3 lines"), "{said}");
    let answers: Vec<Value> =
        answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[0]["ok"]["value"], "100");
    assert!(answers[1]["error"].is_string() && answers[2]["error"].is_string());
}

#[test]
fn bad_input_ends_with_status_2_and_one_line() {
    for (arguments, word) in [
        (&["decode", "-f", "tlv", "-p", "/3/0", "c8"][..], "TLV"),
        (&["decode", "-f", "tlv", "-p", "/3/0", "--input", "hex", "xyz"], "hex"),
        (&["decode", "-f", "coap", "ff"], "header"),
        (&["decode", "-f", "tlv", "c10964"], "--path"),
        (&["encode", "-f", "text", "{}"], "--path"),
        (&["decode", "--bogus"], "--bogus"),
        (&["decode"], "--format"),
        (&["decode", "-f", "xml"], "xml"),
        (&["bogus"], "bogus"),
        (&["encode", "-f", "tlv", "-p", "/3/0", "{"], "JSON"),
        (&["encode", "-f", "tlv", "-p", "/3/0/9", r#"{"id":9,"value":"x"}"#], "9"),
    ] {
        let error = failure(arguments, 2);
        assert!(error.contains(word), "{arguments:?}: {error}");
    }
}

#[test]
fn quirks_are_noted_or_refused() {
    let arguments = ["decode", "-f", "1542", "--path", "/3/0/9", "c10964"];
    let output = crate::lwm2m(&arguments, b"");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("forgiven: the content format"));
    let strict = failure(&[&arguments[..], &["--strict"]].concat(), 2);
    assert!(strict.contains("strict decoding refuses"), "{strict}");
}
