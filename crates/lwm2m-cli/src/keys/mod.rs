//! `lwm2m keys`: the keys and certificates of the security modes, as files.

mod certificates;
mod files;

use clap::{Args, FromArgMatches, Subcommand};
use files::Files;
use lwm2m_app::Failure;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use std::fmt::Write;

/// What `keys` takes.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Makes a pre-shared key: PREFIX.psk, a line of identity:key-in-hex
    Psk(Psk),
    /// Makes a P-256 key pair for raw public keys: PREFIX.key, PREFIX.pub, PREFIX.spki
    Rpk(Output),
    /// Makes an authority, which is a key and its certificate: PREFIX.key, PREFIX.crt
    Ca(certificates::Authority),
    /// Makes a key and a certificate that an authority signs: PREFIX.key, PREFIX.crt, and the public
    /// key as PREFIX.pub and PREFIX.spki
    Cert(certificates::EndEntity),
}

/// The output files.
#[derive(Args, Debug)]
struct Output {
    /// Path that the names of the files begin with, for example keys/device-1
    prefix: String,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
}

#[derive(Args, Debug)]
struct Psk {
    #[command(flatten)]
    output: Output,
    /// The identity, at most 128 bytes; usually the endpoint name
    #[arg(long)]
    identity: String,
}

/// Makes the files and prints their names.
///
/// # Errors
/// An argument cannot be used, or a file cannot be written.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let files = make(&arguments.command)?;
    files.write()?;
    files.announce();
    Ok(())
}

/// Makes the files for the given arguments, without output.
///
/// # Errors
/// As [`run`].
pub(crate) fn make_quietly(words: &[&str]) -> Result<(), Failure> {
    let command = Command::augment_subcommands(clap::Command::new("keys").no_binary_name(true));
    let matches = command.try_get_matches_from(words).map_err(Failure::usage)?;
    make(&Command::from_arg_matches(&matches).map_err(Failure::usage)?)?.write()
}

fn make(command: &Command) -> Result<Files<'_>, Failure> {
    match command {
        Command::Psk(arguments) => psk(arguments),
        Command::Rpk(output) => rpk(output),
        Command::Ca(arguments) => certificates::authority(arguments),
        Command::Cert(arguments) => certificates::end_entity(arguments),
    }
}

fn psk(Psk { output, identity }: &Psk) -> Result<Files<'_>, Failure> {
    if !(1..=128).contains(&identity.len()) || identity.chars().any(char::is_control) {
        let error = "an identity has 1 to 128 bytes and no control characters; change --identity";
        return Err(Failure::usage(error));
    }
    let mut key = [0; 16];
    getrandom::fill(&mut key).map_err(|error| Failure::running(error.to_string()))?;
    let mut line = format!("{identity}:");
    for byte in key {
        let _ = write!(line, "{byte:02x}");
    }
    line.push('\n');
    let mut files = Files::new(&output.prefix, output.force);
    let usage = "secret: identity:key, the same at the device (/0/x/3, /0/x/5) and its server";
    files.secret("psk", line.as_bytes(), usage);
    Ok(files)
}

fn rpk(output: &Output) -> Result<Files<'_>, Failure> {
    let key = key_pair()?;
    let mut files = Files::new(&output.prefix, output.force);
    files.secret("key", key.serialize_pem().as_bytes(), "secret: the private key of its owner");
    raw_public_key(&mut files, &key);
    Ok(files)
}

/// Adds the public key alone, for peers that use it as a raw public key.
fn raw_public_key(files: &mut Files<'_>, key: &KeyPair) {
    files.public("pub", key.public_key_pem().as_bytes(), "the public key, for the peer");
    let usage = "the public key in DER, for the resources /0/x/3 and /0/x/4";
    files.public("spki", &key.subject_public_key_info(), usage);
}

/// A fresh P-256 key, the curve of all security modes with public keys (RFC 7925 4.3, 4.4).
fn key_pair() -> Result<KeyPair, Failure> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Failure::running)
}
