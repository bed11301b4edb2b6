//! What a bootstrap server tells a device, in the dialect's JSON.
//!
//! `toDelete` is a list of paths. With `autoIdForSecurityObject` the server asks the device first for the
//! number of its account of the bootstrap server, and gives the others numbers around it. `security`, `servers`, `acls` and `oscore` are object instances by
//! their numbers, with members for the resources; what is missing has the dialect's default, and what is
//! `null` is not written. Bytes are lists of numbers, as the dialect has them, or hex.

use super::value::unhex;
use lwm2m_bootstrap::Command;
use lwm2m_core::{Bytes, Node, ObjectInstance, ObjectLink, Path, Value};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// Why JSON is no configuration of a bootstrap.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapJsonError {
    /// A member is of another kind.
    #[error("`{at}` must be {expected}")]
    Member {
        /// Where it is.
        at: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// A member has no meaning.
    #[error("`{at}` means nothing here; {help}")]
    Unknown {
        /// Where it is.
        at: String,
        /// What there is.
        help: &'static str,
    },
    /// The accounts contradict each other.
    #[error("{0}")]
    Accounts(String),
}

type Result<T> = std::result::Result<T, BootstrapJsonError>;

/// What a member of an object instance is.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Flag,
    Number,
    Bytes,
    Mode,
    /// A number, or a list of them: instances of a resource.
    Numbers,
    /// Numbers by the instance of the resource.
    NumbersById,
    /// The number of an instance of the OSCORE object.
    Oscore,
}

/// A member, the resource that it is, and what it is if it is missing.
type Member = (&'static str, u16, Kind, IfMissing);

/// What a missing member is.
#[derive(Clone, Copy)]
enum IfMissing {
    Nothing,
    Flag(bool),
    Number(i64),
    Text(&'static str),
    NoBytes,
}

use IfMissing::{Flag, NoBytes, Nothing, Number, Text};

/// The Security object (OMA LwM2M Core E.1).
const SECURITY: &[Member] = &[
    ("uri", 0, Kind::Text, Nothing),
    ("bootstrapServer", 1, Kind::Flag, Flag(false)),
    ("securityMode", 2, Kind::Mode, Nothing),
    ("publicKeyOrId", 3, Kind::Bytes, NoBytes),
    ("serverPublicKey", 4, Kind::Bytes, NoBytes),
    ("secretKey", 5, Kind::Bytes, NoBytes),
    ("smsSecurityMode", 6, Kind::Mode, Nothing),
    ("smsBindingKeyParam", 7, Kind::Bytes, Nothing),
    ("smsBindingKeySecret", 8, Kind::Bytes, Nothing),
    ("serverSmsNumber", 9, Kind::Text, Nothing),
    ("serverId", 10, Kind::Number, Nothing),
    ("clientOldOffTime", 11, Kind::Number, Number(1)),
    ("bootstrapServerAccountTimeout", 12, Kind::Number, Number(0)),
    ("matchingType", 13, Kind::Number, Nothing),
    ("sni", 14, Kind::Text, Nothing),
    ("certificateUsage", 15, Kind::Number, Nothing),
    ("cipherSuite", 16, Kind::Numbers, Nothing),
    ("oscoreSecurityMode", 17, Kind::Oscore, Nothing),
];

/// The Server object (OMA LwM2M Core E.2).
const SERVER: &[Member] = &[
    ("shortId", 0, Kind::Number, Nothing),
    ("lifetime", 1, Kind::Number, Number(86_400)),
    ("defaultMinPeriod", 2, Kind::Number, Number(1)),
    ("defaultMaxPeriod", 3, Kind::Number, Nothing),
    ("disableTimeout", 5, Kind::Number, Nothing),
    ("notifIfDisabled", 6, Kind::Flag, Flag(true)),
    ("binding", 7, Kind::Text, Text("U")),
    ("apnLink", 10, Kind::Text, Nothing),
    ("registrationPriority", 13, Kind::Number, Nothing),
    ("initialDelay", 14, Kind::Number, Nothing),
    ("registrationFailure", 15, Kind::Flag, Nothing),
    ("bootstrapOnRegistrationFailure", 16, Kind::Flag, Nothing),
    ("communicationRetryCount", 17, Kind::Number, Nothing),
    ("CommunicationRetryTimer", 18, Kind::Number, Nothing),
    ("SequenceDelayTimer", 19, Kind::Number, Nothing),
    ("SequenceRetryCount", 20, Kind::Number, Nothing),
    ("trigger", 21, Kind::Flag, Nothing),
    ("preferredTransport", 22, Kind::Text, Nothing),
    ("muteSend", 23, Kind::Flag, Nothing),
];

/// The Access Control object (OMA LwM2M Core E.3).
const ACCESS_CONTROL: &[Member] = &[
    ("objectId", 0, Kind::Number, Nothing),
    ("objectInstanceId", 1, Kind::Number, Nothing),
    ("acls", 2, Kind::NumbersById, Nothing),
    ("AccessControlOwner", 3, Kind::Number, Nothing),
];

/// The OSCORE object (OMA LwM2M Core E.10).
const OSCORE: &[Member] = &[
    ("oscoreMasterSecret", 0, Kind::Bytes, Nothing),
    ("oscoreSenderId", 1, Kind::Bytes, Nothing),
    ("oscoreRecipientId", 2, Kind::Bytes, Nothing),
    ("oscoreAeadAlgorithm", 3, Kind::Number, Nothing),
    ("oscoreHmacAlgorithm", 4, Kind::Number, Nothing),
    ("oscoreMasterSalt", 5, Kind::Bytes, Nothing),
];

/// The objects of a configuration in the order in which they are written.
const OBJECTS: [(&str, u16, &[Member]); 4] = [
    ("oscore", 21, OSCORE),
    ("security", 0, SECURITY),
    ("servers", 1, SERVER),
    ("acls", 2, ACCESS_CONTROL),
];

/// The member by which accounts go around that of the bootstrap server.
const AUTO_ID: &str = "autoIdForSecurityObject";

/// The members that are secret.
const SECRETS: [&str; 3] = ["secretKey", "smsBindingKeySecret", "oscoreMasterSecret"];

/// Reads what a device is told, as commands: what is deleted goes first, and Bootstrap-Finish follows by
/// itself.
///
/// # Errors
/// See [`BootstrapJsonError`].
pub fn read_configuration(json: &Json) -> Result<Vec<Command>> {
    let members = object("the body", json)?;
    for (name, value) in members {
        let known =
            name == "toDelete" || name == AUTO_ID || OBJECTS.iter().any(|(it, ..)| it == name);
        let is_off = value.is_null() || value == &json!(false);
        if !known && !is_off {
            let help =
                "there are toDelete, autoIdForSecurityObject, security, servers, acls and oscore";
            return Err(BootstrapJsonError::Unknown { at: name.clone(), help });
        }
    }
    let mut commands = match &json[AUTO_ID] {
        Json::Null | Json::Bool(false) => Vec::new(),
        Json::Bool(true) => vec![Command::KeepBootstrapAccount],
        _ => return Err(member(AUTO_ID, "true or false")),
    };
    commands.extend(deletions(&json["toDelete"])?);
    for (name, id, table) in OBJECTS {
        for (instance, node) in instances(name, &json[name], table)? {
            let path = Path::instance(id, instance);
            commands.push(Command::Write(path, Node::ObjectInstance(node)));
        }
    }
    check_accounts(&commands)?;
    Ok(commands)
}

/// A configuration as it is shown without its secrets.
#[must_use]
pub fn without_secrets(json: &Json) -> Json {
    let mut json = json.clone();
    for (name, ..) in OBJECTS {
        let instances = json.get_mut(name).and_then(Json::as_object_mut);
        for instance in instances.into_iter().flat_map(Map::values_mut) {
            if let Some(members) = instance.as_object_mut() {
                SECRETS.iter().for_each(|secret| _ = members.remove(*secret));
            }
        }
    }
    json
}

fn member(at: impl Into<String>, expected: &'static str) -> BootstrapJsonError {
    BootstrapJsonError::Member { at: at.into(), expected }
}

fn object<'j>(at: &str, json: &'j Json) -> Result<&'j Map<String, Json>> {
    json.as_object().ok_or_else(|| member(at, "an object"))
}

fn deletions(json: &Json) -> Result<Vec<Command>> {
    let expected = "a list of paths of objects and instances, such as [\"/0\", \"/1\"]";
    let error = || member("toDelete", expected);
    let list = match json {
        Json::Null => return Ok(Vec::new()),
        json => json.as_array().ok_or_else(error)?,
    };
    let path = |json: &Json| {
        let path: Path = json.as_str().and_then(|text| text.parse().ok()).ok_or_else(error)?;
        if path.depth() <= 2 { Ok(Command::Delete(path)) } else { Err(error()) }
    };
    list.iter().map(path).collect()
}

/// The instances of an object.
fn instances(name: &str, json: &Json, table: &[Member]) -> Result<BTreeMap<u16, ObjectInstance>> {
    if json.is_null() {
        return Ok(BTreeMap::new());
    }
    let read = |(id, json): (&String, &Json)| {
        let at = format!("{name}.{id}");
        let number = id.parse().ok().filter(|id| *id < u16::MAX);
        let number =
            number.ok_or_else(|| member(name, "object instances by numbers from 0 to 65534"))?;
        Ok((number, instance(&at, json, table)?))
    };
    object(name, json)?.iter().map(read).collect()
}

fn instance(at: &str, json: &Json, table: &[Member]) -> Result<ObjectInstance> {
    let members = object(at, json)?;
    let is_known = |name: &String| table.iter().any(|(known, ..)| known == name);
    if let Some((name, _)) =
        members.iter().find(|(name, value)| !is_known(name) && !value.is_null())
    {
        let help = "see docs/http-api.md for the members";
        return Err(BootstrapJsonError::Unknown { at: format!("{at}.{name}"), help });
    }
    let mut instance = ObjectInstance::default();
    for (name, id, kind, default) in table {
        let at = format!("{at}.{name}");
        instance = match (members.get(*name), default) {
            (Some(Json::Null), _) | (None, Nothing) => instance,
            (Some(json), _) => written(instance, *id, *kind, &at, json)?,
            (None, Flag(flag)) => instance.with(*id, *flag),
            (None, Number(number)) => instance.with(*id, *number),
            (None, Text(text)) => instance.with(*id, *text),
            (None, NoBytes) => instance.with(*id, Bytes::new()),
        };
    }
    Ok(instance)
}

/// The instance with the resource that a member is.
fn written(
    instance: ObjectInstance,
    id: u16,
    kind: Kind,
    at: &str,
    json: &Json,
) -> Result<ObjectInstance> {
    let number = |json: &Json| json.as_i64().ok_or_else(|| member(at, "a whole number"));
    Ok(match kind {
        Kind::Text => instance.with(id, json.as_str().ok_or_else(|| member(at, "text"))?),
        Kind::Flag => instance.with(id, json.as_bool().ok_or_else(|| member(at, "true or false"))?),
        Kind::Number => instance.with(id, number(json)?),
        Kind::Bytes => instance.with(id, bytes(at, json)?),
        Kind::Mode => instance.with(id, mode(at, json)?),
        Kind::Oscore => {
            let oscore =
                u16::try_from(number(json)?).map_err(|_| member(at, "an instance of oscore"))?;
            instance.with(id, ObjectLink { object: 21, instance: oscore })
        }
        Kind::Numbers => {
            let list = json.as_array().map_or_else(|| std::slice::from_ref(json), Vec::as_slice);
            let values: Result<Vec<_>> = list.iter().map(number).collect();
            instance.with_multiple(id, (0..).zip(values?))
        }
        Kind::NumbersById => {
            let entry = |(key, json): (&String, &Json)| {
                let key = key.parse().map_err(|_| member(at, "numbers by short server ids"))?;
                Ok((key, number(json)?))
            };
            let values: Result<Vec<(u16, i64)>> = object(at, json)?.iter().map(entry).collect();
            instance.with_multiple(id, values?)
        }
    })
}

fn bytes(at: &str, json: &Json) -> Result<Bytes> {
    let byte = |json: &Json| json.as_u64().and_then(|number| u8::try_from(number).ok());
    let bytes: Option<Vec<u8>> = match json {
        Json::Array(list) => list.iter().map(byte).collect(),
        Json::String(text) => unhex(text),
        _ => None,
    };
    bytes.map(Bytes::from).ok_or_else(|| member(at, "a list of numbers from 0 to 255, or hex"))
}

/// A security mode (OMA LwM2M Core E.1, resource 2).
fn mode(at: &str, json: &Json) -> Result<i64> {
    match json.as_str() {
        Some("PSK") => Ok(0),
        Some("RPK") => Ok(1),
        Some("X509") => Ok(2),
        Some("NO_SEC") => Ok(3),
        Some("EST") => Ok(4),
        _ => Err(member(at, "PSK, RPK, X509, NO_SEC or EST")),
    }
}

/// Checks what a device would refuse at Bootstrap-Finish with 4.06: each account of a server has a
/// complete instance of the Server object, and the other way round.
fn check_accounts(commands: &[Command]) -> Result<()> {
    let of = |object: u16| {
        commands.iter().filter_map(move |command| match command {
            Command::Write(path, Node::ObjectInstance(node))
                if path.ids().first() == Some(&object) =>
            {
                Some((*path, node))
            }
            _ => None,
        })
    };
    let mut wanted = BTreeSet::new();
    for (path, account) in of(0) {
        check_account(&path, account)?;
        if flag(account, 1) {
            continue;
        }
        let id = short_id(&path, account, 10, "serverId")?;
        if !wanted.insert(id) {
            return Err(BootstrapJsonError::Accounts(format!(
                "two accounts have the serverId {id}"
            )));
        }
    }
    let mut had = BTreeSet::new();
    for (path, server) in of(1) {
        let id = short_id(&path, server, 0, "shortId")?;
        if !had.insert(id) {
            return Err(BootstrapJsonError::Accounts(format!("two servers have the shortId {id}")));
        }
    }
    match wanted.symmetric_difference(&had).next() {
        None => Ok(()),
        Some(id) if had.contains(id) => Err(BootstrapJsonError::Accounts(format!(
            "the server with the shortId {id} has no account in `security` with this serverId"
        ))),
        Some(id) => Err(BootstrapJsonError::Accounts(format!(
            "the account with the serverId {id} has no server in `servers` with this shortId"
        ))),
    }
}

/// The scheme and the keys have to go with the mode.
fn check_account(path: &Path, account: &ObjectInstance) -> Result<()> {
    let error =
        |what: &str| Err(BootstrapJsonError::Accounts(format!("the account {path}: {what}")));
    let Some(Value::String(uri)) = value(account, 0) else { return error("`uri` is missing") };
    let Some(Value::Integer(mode)) = value(account, 2) else {
        return error("`securityMode` is missing");
    };
    let is_secured = uri.starts_with("coaps:") || uri.starts_with("coaps+tcp:");
    let is_empty =
        |id| !matches!(value(account, id), Some(Value::Opaque(bytes)) if !bytes.is_empty());
    match mode {
        3 if is_secured => error("a URI of coaps needs a securityMode other than NO_SEC"),
        0 | 1 | 2 | 4 if !is_secured => {
            error("this securityMode needs a URI of coaps or coaps+tcp")
        }
        0 if is_empty(3) || is_empty(5) => error("PSK needs `publicKeyOrId` and `secretKey`"),
        1 | 2 if is_empty(3) || is_empty(4) || is_empty(5) => {
            error("RPK and X509 need `publicKeyOrId`, `serverPublicKey` and `secretKey`")
        }
        _ => Ok(()),
    }
}

fn short_id(path: &Path, instance: &ObjectInstance, id: u16, name: &str) -> Result<i64> {
    match value(instance, id) {
        Some(Value::Integer(number @ 1..=65_534)) => Ok(*number),
        _ => Err(BootstrapJsonError::Accounts(format!("{path}: `{name}` must be 1 to 65534"))),
    }
}

fn flag(instance: &ObjectInstance, id: u16) -> bool {
    matches!(value(instance, id), Some(Value::Boolean(true)))
}

fn value(instance: &ObjectInstance, id: u16) -> Option<&Value> {
    match instance.resources.get(&id)? {
        lwm2m_core::Resource::Single(value) => Some(value),
        lwm2m_core::Resource::Multiple(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server at `uri` with this mode.
    fn account(uri: &str, mode: &str) -> Json {
        json!({
            "toDelete": ["/0", "/1"],
            "security": {"1": {
                "uri": uri, "securityMode": mode, "serverId": 7,
                "publicKeyOrId": [100, 101, 118], "secretKey": "00ff",
            }},
            "servers": {"0": {"shortId": 7, "lifetime": 300}},
        })
    }

    #[test]
    fn an_account_becomes_commands_in_a_safe_order_with_the_defaults_of_the_dialect() {
        let commands = read_configuration(&account("coaps://192.0.2.1", "PSK")).unwrap();
        let paths: Vec<_> = commands.iter().map(|it| it.path().to_string()).collect();
        assert_eq!(paths, ["/0", "/1", "/0/1", "/1/0"]);
        let Some(Command::Write(_, Node::ObjectInstance(security))) = commands.get(2) else {
            panic!("{commands:?}");
        };
        assert_eq!(value(security, 2), Some(&Value::Integer(0)));
        assert_eq!(value(security, 3), Some(&Value::Opaque(Bytes::from_static(b"dev"))));
        assert_eq!(value(security, 5), Some(&Value::Opaque(Bytes::from_static(b"\0\xff"))));
        assert_eq!(value(security, 4), Some(&Value::Opaque(Bytes::new())));
        let Some(Command::Write(_, Node::ObjectInstance(server))) = commands.get(3) else {
            panic!("{commands:?}");
        };
        assert_eq!(value(server, 1), Some(&Value::Integer(300)));
        assert_eq!(value(server, 6), Some(&Value::Boolean(true)));
        assert_eq!(value(server, 7), Some(&Value::String("U".to_owned())));
    }

    #[test]
    fn numbers_of_accounts_may_be_left_to_the_server() {
        let mut json = account("coaps://192.0.2.1", "PSK");
        json["autoIdForSecurityObject"] = json!(true);
        let commands = read_configuration(&json).unwrap();
        assert_eq!((commands.len(), &commands[0]), (5, &Command::KeepBootstrapAccount));
    }

    #[test]
    fn what_is_null_is_not_written() {
        let mut json = account("coaps://192.0.2.1", "PSK");
        json["servers"]["0"]["defaultMinPeriod"] = Json::Null;
        json["autoIdForSecurityObject"] = json!(false);
        let commands = read_configuration(&json).unwrap();
        let Some(Command::Write(_, Node::ObjectInstance(server))) = commands.get(3) else {
            panic!("{commands:?}");
        };
        assert_eq!(value(server, 2), None);
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_the_reason() {
        let good = account("coaps://a", "PSK");
        let with = |pointer: &str, value: Json| {
            let mut json = good.clone();
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            json.pointer_mut(parent).unwrap()[name] = value;
            json
        };
        let table = [
            (account("coap://a", "PSK"), "needs a URI of coaps"),
            (account("coaps://a", "NO_SEC"), "other than NO_SEC"),
            (account("coaps://a", "RPK"), "serverPublicKey"),
            (account("coaps://a", "OSCORE"), "PSK, RPK, X509"),
            (with("/security/1/secretKey", json!([])), "`secretKey`"),
            (with("/security/1/secretKey", json!([256])), "0 to 255"),
            (with("/security/1/serverId", json!(8)), "7 has no account in `security`"),
            (with("/security/1/serverId", Json::Null), "1 to 65534"),
            (with("/servers/0/shortId", json!(65_535)), "1 to 65534"),
            (with("/servers", json!({})), "7 has no server in `servers`"),
            (with("/servers/x", json!({"shortId": 8})), "0 to 65534"),
            (with("/servers/0/lifetme", json!(8)), "servers.0.lifetme"),
            (with("/toDelete", json!(["/3/0/0"])), "paths of objects"),
            (with("/autoIdForSecurityObject", json!(1)), "autoIdForSecurityObject"),
            (with("/contentFormat", json!("TLV")), "contentFormat"),
            (json!([]), "an object"),
        ];
        for (json, expected) in table {
            let error = read_configuration(&json).expect_err("contradictory").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = without_secrets(&account("coaps://a", "PSK"));
        assert_eq!(shown["security"]["1"].get("secretKey"), None);
        assert_eq!(shown["security"]["1"]["publicKeyOrId"], json!([100, 101, 118]));
    }
}
