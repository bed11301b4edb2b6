//! `lwm2m decode` and `lwm2m encode`: payloads and messages to JSON and back.
//!
//! Values have the JSON of the HTTP API, so each takes what the other prints.

mod batch;
pub(crate) mod coap;
pub(crate) mod input;
mod payload;

use clap::Args;
use input::InputKind;
use lwm2m_app::Failure;
use lwm2m_codec::{Reading, Writing};
use lwm2m_core::{ContentFormat, Path};
use lwm2m_objects::Registry;
use serde_json::Value as Json;
use std::io::Write;

/// What `decode` and `encode` take.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Format: tlv, senml-json, senml-cbor, senml-etch-json, senml-etch-cbor, lwm2m-cbor, json (OMA),
    /// text, opaque, cbor, link, coap, or a number of CoAP
    #[arg(long, short, value_name = "FORMAT", required_unless_present = "batch")]
    format: Option<Format>,
    /// Path of the payload, such as /3/0
    #[arg(long, short, value_name = "PATH", default_value = "/")]
    path: Path,
    /// How the input is written, for decode
    #[arg(long, value_enum, default_value_t)]
    input: InputKind,
    /// Alternate path of the device: names in SenML begin with it
    #[arg(long, value_name = "PATH", default_value = "/")]
    below: String,
    /// The payload of a Create; --path is the object
    #[arg(long, conflicts_with = "times")]
    create: bool,
    /// List values with their times, of which a path may have several, for decode
    #[arg(long)]
    times: bool,
    /// Refuse known deviations of devices from the standard instead of noting them, for decode
    #[arg(long)]
    strict: bool,
    /// Write the bytes themselves instead of hex, for encode
    #[arg(long)]
    binary: bool,
    /// Read JSON lines `{"format","path","hex"}` (encode: `"json"` for `"hex"`) from standard
    /// input, answer each by a line `{"ok":…}` or `{"error":…}`
    #[arg(long, conflicts_with_all = ["format", "path", "input", "below", "create",
          "times", "strict", "binary", "data"])]
    batch: bool,
    /// The input; standard input if it is missing or `-`
    data: Option<String>,
}

/// Which way to convert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Bytes to JSON.
    Decode,
    /// JSON to bytes.
    Encode,
}

/// What a payload stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// A node at the path.
    Node,
    /// Values with their times.
    Times,
    /// A new instance of the object at the path.
    Create,
}

/// A payload format, or a whole CoAP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Coap,
    Payload(ContentFormat),
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("coap") {
            return Ok(Self::Coap);
        }
        let format = ContentFormat::from_name(text);
        format.map(Self::Payload).ok_or_else(|| {
            format!("unknown format {text}; known are tlv, senml-json, senml-cbor, senml-etch-json, senml-etch-cbor, lwm2m-cbor, json, text, opaque, cbor, link and coap")
        })
    }
}

/// The reason why the input cannot be converted.
#[derive(Debug, thiserror::Error)]
enum ConvertError {
    #[error(transparent)]
    Decode(#[from] lwm2m_codec::DecodeError),
    #[error(transparent)]
    Encode(#[from] lwm2m_codec::EncodeError),
    #[error(transparent)]
    Link(#[from] lwm2m_codec::link::LinkError),
    #[error(transparent)]
    Node(#[from] lwm2m_http::json::node::NodeError),
    #[error(transparent)]
    Coap(#[from] lwm2m_coap::ParseError),
    #[error("the input is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the input is not hex: {0}")]
    Hex(#[from] input::HexError),
    #[error("{0}")]
    Shape(&'static str),
    #[error("payloads of this format do not contain their path; add --path, such as /3/0")]
    Path,
    #[error("{0}")]
    Format(String),
    #[error("{bad} of {lines} lines could not be converted; their answers say why")]
    Lines { bad: usize, lines: usize },
    #[error("{0} (the input was read as {1})")]
    Guessed(Box<Self>, &'static str),
    #[error("cannot read or write: {0}")]
    Io(#[from] std::io::Error),
}

/// Runs `lwm2m decode` or `lwm2m encode`.
pub(crate) fn run(arguments: &Arguments, direction: Direction) -> Result<(), Failure> {
    let outcome = match arguments.format {
        Some(format) if !arguments.batch => convert_one(arguments, format, direction),
        _ => batch::run(direction),
    };
    outcome.map_err(|error| match error {
        ConvertError::Lines { .. } => Failure::running(error),
        _ => Failure::usage(error),
    })
}

fn convert_one(
    arguments: &Arguments,
    format: Format,
    direction: Direction,
) -> Result<(), ConvertError> {
    let data = input::read(arguments.data.as_deref())?;
    let mut out = std::io::stdout().lock();
    match direction {
        Direction::Decode => {
            let (bytes, guess) = arguments.input.bytes(data)?;
            let model = Registry::builtin().model(&[]);
            let reading = match arguments.strict {
                true => Reading::strict(&model),
                false => Reading::answer(&model),
            };
            let reading = reading.below(&arguments.below);
            let shape = arguments.shape();
            let decoded = decode(format, &arguments.path, shape, &bytes, &reading);
            let json = decoded.map_err(|error| match guess {
                Some(guess) => ConvertError::Guessed(Box::new(error), guess),
                None => error,
            })?;
            if let Some(guess) = guess {
                eprintln!("input read as {guess}");
            }
            writeln!(out, "{json:#}")?;
            reading.forgiven().for_each(|quirk| eprintln!("forgiven: {quirk}"));
            reading.left_out().iter().for_each(|value| eprintln!("{value}"));
        }
        Direction::Encode => {
            let json = serde_json::from_slice(&data)?;
            let writing = Writing::below(&arguments.below);
            let bytes = encode(format, &arguments.path, arguments.shape(), &json, writing)?;
            match arguments.binary {
                true => out.write_all(&bytes)?,
                false => writeln!(out, "{}", input::to_hex(&bytes))?,
            }
        }
    }
    Ok(())
}

impl Arguments {
    const fn shape(&self) -> Shape {
        match (self.create, self.times) {
            (true, _) => Shape::Create,
            (false, true) => Shape::Times,
            (false, false) => Shape::Node,
        }
    }
}

fn decode(
    format: Format,
    path: &Path,
    shape: Shape,
    bytes: &[u8],
    reading: &Reading<'_>,
) -> Result<Json, ConvertError> {
    match format {
        Format::Coap => coap::decode(bytes),
        Format::Payload(format) if needs_path(format, path) => Err(ConvertError::Path),
        Format::Payload(format) => match shape {
            Shape::Node => payload::decode(format, path, bytes, reading),
            Shape::Times => payload::decode_times(format, path, bytes, reading),
            Shape::Create => payload::decode_create(format, path, bytes, reading),
        },
    }
}

fn encode(
    format: Format,
    path: &Path,
    shape: Shape,
    json: &Json,
    writing: Writing<'_>,
) -> Result<Vec<u8>, ConvertError> {
    match format {
        Format::Coap => coap::encode(json),
        Format::Payload(format) if needs_path(format, path) => Err(ConvertError::Path),
        Format::Payload(format) => match shape {
            Shape::Node => payload::encode(format, path, json, writing),
            Shape::Create => payload::encode_create(format, path, json, writing),
            Shape::Times => Err(ConvertError::Shape("--times is for decode")),
        },
    }
}

/// Whether a payload of this format needs a path, and has none.
fn needs_path(format: ContentFormat, path: &Path) -> bool {
    path.depth() == 0
        && !lwm2m_codec::supports(format, path)
        && lwm2m_codec::supports(format, &Path::resource(0, 0, 0))
}
