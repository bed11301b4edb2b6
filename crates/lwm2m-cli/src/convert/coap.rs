//! CoAP messages to and from JSON.

use super::{ConvertError, input};
use lwm2m_coap::{Code, MessageBuilder, MessageType, MessageView, OptionNumber, Options, Token};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A message, with bytes in hex and the code as `2.05`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Message {
    r#type: Type,
    code: String,
    message_id: u16,
    #[serde(default)]
    token: String,
    #[serde(default)]
    options: Vec<Entry>,
    #[serde(default)]
    payload: String,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
enum Type {
    #[serde(rename = "CON")]
    Confirmable,
    #[serde(rename = "NON")]
    NonConfirmable,
    #[serde(rename = "ACK")]
    Acknowledgement,
    #[serde(rename = "RST")]
    Reset,
}

/// An option. Number and hex count; name and value are for people and ignored when encoding.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    number: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    hex: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Json>,
}

pub(super) fn decode(bytes: &[u8]) -> Result<Json, ConvertError> {
    let view = MessageView::parse(bytes)?;
    let message = Message {
        r#type: match view.kind() {
            MessageType::Confirmable => Type::Confirmable,
            MessageType::NonConfirmable => Type::NonConfirmable,
            MessageType::Acknowledgement => Type::Acknowledgement,
            MessageType::Reset => Type::Reset,
        },
        code: view.code().to_string(),
        message_id: view.message_id(),
        token: input::to_hex(view.token().as_bytes()),
        options: entries(view.options()),
        payload: input::to_hex(view.payload()),
    };
    Ok(serde_json::to_value(message)?)
}

/// The JSON of options.
pub(crate) fn option_entries<'a>(
    options: impl Iterator<Item = (OptionNumber, &'a [u8])>,
) -> impl Serialize {
    entries(options)
}

fn entries<'a>(options: impl Iterator<Item = (OptionNumber, &'a [u8])>) -> Vec<Entry> {
    options.map(|(number, value)| entry(number, value)).collect()
}

fn entry(number: OptionNumber, value: &[u8]) -> Entry {
    let readable = match number {
        OptionNumber::URI_HOST
        | OptionNumber::URI_PATH
        | OptionNumber::URI_QUERY
        | OptionNumber::LOCATION_PATH
        | OptionNumber::LOCATION_QUERY
        | OptionNumber::PROXY_URI
        | OptionNumber::PROXY_SCHEME => std::str::from_utf8(value).ok().map(Json::from),
        OptionNumber::OBSERVE
        | OptionNumber::URI_PORT
        | OptionNumber::CONTENT_FORMAT
        | OptionNumber::MAX_AGE
        | OptionNumber::ACCEPT
        | OptionNumber::BLOCK1
        | OptionNumber::BLOCK2
        | OptionNumber::SIZE1
        | OptionNumber::SIZE2 => {
            Some(Json::from(value.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte))))
        }
        _ => None,
    };
    Entry {
        number: number.0,
        name: number.name().map(str::to_owned),
        hex: input::to_hex(value),
        value: readable,
    }
}

pub(super) fn encode(json: &Json) -> Result<Vec<u8>, ConvertError> {
    let message: Message = serde_json::from_value(json.clone())?;
    let kind = match message.r#type {
        Type::Confirmable => MessageType::Confirmable,
        Type::NonConfirmable => MessageType::NonConfirmable,
        Type::Acknowledgement => MessageType::Acknowledgement,
        Type::Reset => MessageType::Reset,
    };
    let code = parse_code(&message.code).ok_or(ConvertError::Shape("a code is written 2.05"))?;
    let token = Token::new(&input::from_hex(message.token.as_bytes())?);
    let token = token.ok_or(ConvertError::Shape("a token has at most 8 bytes"))?;
    let mut options = Options::new();
    for option in &message.options {
        options.push(OptionNumber(option.number), &input::from_hex(option.hex.as_bytes())?);
    }
    let payload = input::from_hex(message.payload.as_bytes())?;
    let mut bytes = Vec::new();
    MessageBuilder::new(&mut bytes, kind, code, message.message_id, token)
        .options(&options)
        .payload(&payload);
    Ok(bytes)
}

fn parse_code(text: &str) -> Option<Code> {
    let (class, detail) = text.split_once('.')?;
    let (class, detail) = (class.parse().ok()?, detail.parse().ok()?);
    (class < 8 && detail < 32).then(|| Code::new(class, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_goes_both_ways() {
        let hex = b"4402303921000000 60 5133 0130 446c776d32";
        let bytes = input::from_hex(hex).unwrap();
        let json = decode(&bytes).unwrap();
        assert_eq!(json["type"], "CON");
        assert_eq!(json["code"], "0.02");
        assert_eq!(json["options"][1]["name"], "Uri-Path");
        assert_eq!(encode(&json).unwrap(), bytes);
    }
}
