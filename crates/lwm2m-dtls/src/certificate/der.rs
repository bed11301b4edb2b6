//! The parts of a certificate that `webpki` does not expose: the common name of the subject, the end
//! of the validity and the key usage (RFC 5280 sections 4.1.2.6, 4.1.2.5 and 4.2.1.3).

use super::name::{COMMON_NAME, NameAttribute};
use alloc::string::String;
use core::time::Duration;
use der::asn1::{AnyRef, ContextSpecific, GeneralizedTime, SetOfVec, UtcTime};
use der::oid::ObjectIdentifier;
use der::{Choice, Decode, Reader, Sequence, SliceReader, Tag, TagNumber, Tagged};

/// The extension keyUsage: RFC 5280 section 4.2.1.3.
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");

/// Validity: RFC 5280 section 4.1.2.5.
#[derive(Sequence)]
struct Validity {
    _not_before: Time,
    not_after: Time,
}

#[derive(Choice)]
enum Time {
    #[asn1(type = "UTCTime")]
    Utc(UtcTime),
    #[asn1(type = "GeneralizedTime")]
    Generalized(GeneralizedTime),
}

impl Time {
    fn to_unix(&self) -> Duration {
        match self {
            Self::Utc(time) => time.to_unix_duration(),
            Self::Generalized(time) => time.to_unix_duration(),
        }
    }
}

/// Returns the common name of a subject, which may lack its outer SEQUENCE. `None` if there are
/// several: a reader that picks another one would take the peer for somebody else.
pub(super) fn common_name(subject: &[u8]) -> Option<String> {
    let names = AnyRef::from_der(subject).ok().filter(|name| name.tag() == Tag::Sequence);
    let mut names = SliceReader::new(names.map_or(subject, |name| name.value())).ok()?;
    let mut found = None;
    while !names.is_finished() {
        let attributes = SetOfVec::<NameAttribute>::decode(&mut names).ok()?;
        for attribute in attributes.iter().filter(|it| it.kind == COMMON_NAME) {
            let name = core::str::from_utf8(attribute.value.value()).ok()?;
            if found.replace(String::from(name)).is_some() {
                return None;
            }
        }
    }
    found
}

/// Returns the last second of a certificate's validity in Unix time.
pub(super) fn valid_until(certificate: &[u8]) -> Option<u64> {
    not_after(certificate).ok().map(|time| time.to_unix().as_secs())
}

fn not_after(certificate: &[u8]) -> der::Result<Time> {
    let mut fields = SliceReader::new(fields(certificate)?)?;
    let _version = ContextSpecific::<u8>::decode_explicit(&mut fields, TagNumber(0))?;
    for _serial_algorithm_issuer in 0..3 {
        AnyRef::decode(&mut fields)?;
    }
    Ok(Validity::decode(&mut fields)?.not_after)
}

/// The fields of the TBSCertificate.
fn fields(certificate: &[u8]) -> der::Result<&[u8]> {
    let certificate = AnyRef::from_der(certificate)?;
    let to_be_signed: AnyRef<'_> = SliceReader::new(certificate.value())?.decode()?;
    Ok(to_be_signed.value())
}

/// The keyUsage of a certificate: its first byte, or `None` without keyUsage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyUsages(Option<u8>);

impl KeyUsages {
    pub(super) const DIGITAL_SIGNATURE: u8 = 0x80;
    pub(super) const KEY_CERT_SIGN: u8 = 0x04;

    /// Whether the key may be used so. Without keyUsage it may be used for everything.
    pub(super) fn allow(self, usage: u8) -> bool {
        self.0.is_none_or(|usages| usages & usage != 0)
    }
}

/// Returns the keyUsage of a certificate; `None` if it is malformed.
pub(super) fn key_usages(certificate: &[u8]) -> Option<KeyUsages> {
    find_key_usages(certificate).ok()
}

fn find_key_usages(certificate: &[u8]) -> der::Result<KeyUsages> {
    const EXTENSIONS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(3) };
    let mut fields = SliceReader::new(fields(certificate)?)?;
    while !fields.is_finished() {
        let field = AnyRef::decode(&mut fields)?;
        if field.tag() != EXTENSIONS {
            continue;
        }
        let list = AnyRef::from_der(field.value())?;
        let mut list = SliceReader::new(list.value())?;
        while !list.is_finished() {
            let extension = AnyRef::decode(&mut list)?;
            if let Some(usages) = as_key_usage(extension.value())? {
                return Ok(KeyUsages(Some(usages)));
            }
        }
    }
    Ok(KeyUsages(None))
}

/// The first byte of a keyUsage; `None` for another extension.
fn as_key_usage(extension: &[u8]) -> der::Result<Option<u8>> {
    let mut parts = SliceReader::new(extension)?;
    if ObjectIdentifier::decode(&mut parts)? != KEY_USAGE {
        return Ok(None);
    }
    // The last part is the value; `critical` may precede it.
    let mut value = AnyRef::decode(&mut parts)?;
    if !parts.is_finished() {
        value = AnyRef::decode(&mut parts)?;
    }
    let bits = AnyRef::from_der(value.value())?;
    bits.tag().assert_eq(Tag::BitString)?;
    // The first byte counts the unused bits.
    Ok(Some(bits.value().get(1).copied().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_name_is_found_behind_other_attributes() {
        let subject = b"\x30\x1c\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02DE\
                        \x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04urn1";
        assert_eq!(common_name(subject).as_deref(), Some("urn1"));
        assert_eq!(common_name(&subject[2..]).as_deref(), Some("urn1"));
        for length in 0..subject.len() {
            assert_eq!(common_name(&subject[..length]), None);
        }
        let twice = [&subject[15..], &subject[15..]].concat();
        assert_eq!(common_name(&twice), None);
    }

    #[test]
    fn times_of_either_form() {
        let unix = |der: &[u8]| Time::from_der(der).ok().map(|time| time.to_unix().as_secs());
        assert_eq!(unix(b"\x17\x0d700101000000Z"), Some(0));
        assert_eq!(unix(b"\x17\x0d491231235959Z"), Some(2_524_607_999));
        assert_eq!(unix(b"\x18\x0f20000229120000Z"), Some(951_825_600));
        assert_eq!(unix(b"\x18\x0f21261030004255Z"), Some(4_948_994_575));
        for wrong in
            [&b"\x17\x0c700101000000"[..], b"\x17\x0d701301000000Z", b"\x17\x0d7a0101000000Z"]
        {
            assert_eq!(unix(wrong), None);
        }
    }

    #[test]
    fn the_key_usage_of_a_certificate() {
        use rcgen::{CertificateParams, KeyPair, KeyUsagePurpose};
        let key = KeyPair::generate().unwrap();
        for (purposes, expected) in [
            (vec![], None),
            (vec![KeyUsagePurpose::DigitalSignature], Some(0x80)),
            (vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign], Some(0x06)),
        ] {
            let mut params = CertificateParams::new(vec!["a".into()]).unwrap();
            params.key_usages = purposes;
            let certificate = params.self_signed(&key).unwrap();
            let certificate = certificate.der();
            assert_eq!(key_usages(certificate), Some(KeyUsages(expected)));
            for length in 0..certificate.len() {
                assert_eq!(key_usages(&certificate[..length]), None);
            }
        }
    }

    #[test]
    fn the_end_of_a_certificate() {
        let certificate = include_bytes!("../../tests/data/client.cert.der");
        assert_eq!(valid_until(certificate), Some(4_948_994_575));
        for length in 0..certificate.len() {
            assert_eq!(valid_until(&certificate[..length]), None);
        }
    }
}
