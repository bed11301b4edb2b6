//! Certificates: an authority, and end entities that it signs (RFC 5280, RFC 7925 4.4).

use super::files::Files;
use super::{Output, key_pair, raw_public_key};
use clap::Args;
use lwm2m_app::Failure;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use std::fs;
use std::time::{Duration, SystemTime};

#[derive(Args, Debug)]
pub(super) struct Authority {
    #[command(flatten)]
    output: Output,
    /// The authority's name
    #[arg(long, default_value = "LwM2M test authority")]
    name: String,
    #[command(flatten)]
    validity: Validity,
}

#[derive(Args, Debug)]
pub(super) struct EndEntity {
    #[command(flatten)]
    output: Output,
    /// Prefix of the authority's files, as it was given to `lwm2m keys ca`
    #[arg(long, value_name = "PREFIX")]
    ca: String,
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    validity: Validity,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Subject {
    /// A device: its endpoint name becomes the common name
    #[arg(long, value_name = "ENDPOINT")]
    client: Option<String>,
    /// A server: a DNS name or IP address of it; may be repeated
    #[arg(long, value_name = "NAME")]
    server: Vec<String>,
}

#[derive(Args, Debug)]
struct Validity {
    /// How long the certificate is valid, in days
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36500))]
    days: u32,
}

/// Makes a key and a certificate of it, signed by itself.
pub(super) fn authority(arguments: &Authority) -> Result<Files<'_>, Failure> {
    let mut params = params(&arguments.name, &[], &arguments.validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = key_pair()?;
    let certificate = params.self_signed(&key).map_err(Failure::running)?;
    let mut files = Files::new(&arguments.output.prefix, arguments.output.force);
    let usage = "secret: signs certificates with `lwm2m keys cert --ca`";
    files.secret("key", key.serialize_pem().as_bytes(), usage);
    files.public(
        "crt",
        certificate.pem().as_bytes(),
        "the certificate of the authority, for the peer to trust",
    );
    Ok(files)
}

/// Makes a key and a certificate of it, signed by the authority.
pub(super) fn end_entity(arguments: &EndEntity) -> Result<Files<'_>, Failure> {
    let issuer = issuer(&arguments.ca)?;
    let Subject { client, server } = &arguments.subject;
    let (name, purpose) = match client {
        Some(endpoint) => (endpoint, ExtendedKeyUsagePurpose::ClientAuth),
        None => {
            let name = server.first().ok_or_else(|| Failure::usage("--server needs a name"))?;
            (name, ExtendedKeyUsagePurpose::ServerAuth)
        }
    };
    let mut params = params(name, server, &arguments.validity)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    let key = key_pair()?;
    let certificate = params.signed_by(&key, &issuer).map_err(Failure::running)?;
    let mut files = Files::new(&arguments.output.prefix, arguments.output.force);
    files.secret("key", key.serialize_pem().as_bytes(), "secret: the private key of its owner");
    files.public("crt", certificate.pem().as_bytes(), "the certificate of its owner");
    raw_public_key(&mut files, &key);
    Ok(files)
}

/// Reads an authority from `PREFIX.crt` and `PREFIX.key`.
fn issuer(prefix: &str) -> Result<Issuer<'static, KeyPair>, Failure> {
    let read = |extension: &str| {
        let path = format!("{prefix}.{extension}");
        fs::read_to_string(&path)
            .map_err(|error| Failure::usage(format!("cannot read {path}: {error}")))
    };
    let unusable = |error| {
        Failure::usage(format!(
            "{prefix}.key and {prefix}.crt are not the files of an authority: {error}"
        ))
    };
    let key = KeyPair::from_pem(&read("key")?).map_err(unusable)?;
    let issuer = Issuer::from_ca_cert_pem(&read("crt")?, key).map_err(unusable)?;
    let usages = issuer.key_usages();
    if !usages.is_empty() && !usages.contains(&KeyUsagePurpose::KeyCertSign) {
        let error = format!("{prefix}.crt may not sign certificates; `lwm2m keys ca` makes one");
        return Err(Failure::usage(error));
    }
    Ok(issuer)
}

/// A certificate of this common name and these alternative names, valid from now on.
fn params(
    name: &str,
    alternative: &[String],
    validity: &Validity,
) -> Result<CertificateParams, Failure> {
    let mut params = CertificateParams::new(alternative)
        .map_err(|error| Failure::usage(format!("{alternative:?}: {error}")))?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now();
    params.not_before = now.into();
    params.not_after = (now + Duration::from_secs(u64::from(validity.days) * 86_400)).into();
    Ok(params)
}
