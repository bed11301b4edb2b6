//! A notBefore before 1970, which is legal (RFC 5280 section 4.1.2.5.1) and which `webpki` cannot read.
//!
//! No time that is asked about is before 1970, so such a certificate is as good as one of 1970. `webpki`
//! reads a copy that says so and differs in nothing else. What was signed is the original.

use super::chain::MAX_INTERMEDIATES;
use alloc::vec::Vec;
use der::asn1::{AnyRef, UtcTime};
use der::{Decode, Reader, SliceReader, Tag, Tagged};
use rustls_pki_types::CertificateDer;

/// The beginning of 1970 as a UTCTime.
const YEAR_1970: &[u8] = b"700101000000Z";

/// A received chain that `webpki` can read.
pub(super) struct Readable<'a> {
    originals: &'a [CertificateDer<'a>],
    /// The same certificates, or copies of 1970.
    certificates: Vec<CertificateDer<'a>>,
}

impl<'a> Readable<'a> {
    /// The chain, or as much of it as shows that it is too long.
    pub(super) fn new(originals: &'a [CertificateDer<'a>]) -> Self {
        let readable = |original: &'a CertificateDer<'a>| match of_1970(original) {
            Some(copy) => CertificateDer::from(copy),
            None => CertificateDer::from(original.as_ref()),
        };
        let certificates = originals.iter().take(MAX_INTERMEDIATES + 2).map(readable).collect();
        Self { originals, certificates }
    }

    /// What `webpki` can read.
    pub(super) fn certificates(&self) -> &[CertificateDer<'_>] {
        &self.certificates
    }

    /// The certificate that was received for one of [`certificates`](Self::certificates).
    pub(super) fn original<'b>(&'b self, certificate: &'b [u8]) -> &'b [u8] {
        let found = self.pairs().find(|(readable, _)| *readable == certificate);
        found.map_or(certificate, |(_, original)| original)
    }

    /// What was signed, for the part of a certificate that `webpki` takes for it.
    pub(super) fn signed<'b>(&'b self, message: &'b [u8]) -> &'b [u8] {
        let mut copies = self.pairs().filter(|(readable, original)| readable != original);
        let found = copies.find(|(copy, _)| to_be_signed(copy).is_ok_and(|it| it == message));
        found.and_then(|(_, original)| to_be_signed(original).ok()).unwrap_or(message)
    }

    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.certificates.iter().zip(self.originals).map(|(it, original)| (&**it, &**original))
    }
}

/// The TBSCertificate with its header.
fn to_be_signed(certificate: &[u8]) -> der::Result<&[u8]> {
    SliceReader::new(AnyRef::from_der(certificate)?.value())?.tlv_bytes()
}

/// A copy that is valid from 1970 on, if the certificate is valid from an earlier date on.
fn of_1970(certificate: &[u8]) -> Option<Vec<u8>> {
    let at = not_before(certificate).ok()?;
    let mut copy = certificate.to_vec();
    let digits = copy.get_mut(at..at + YEAR_1970.len())?;
    if !is_early(digits) {
        return None;
    }
    digits.copy_from_slice(YEAR_1970);
    Some(copy)
}

/// Whether a UTCTime is a date from 1950 to 1969. Dates repeat after 28 years, leap years included.
fn is_early(digits: &[u8]) -> bool {
    let Some((&[tens @ b'5'..=b'6', ones @ b'0'..=b'9'], rest)) = digits.split_first_chunk() else {
        return false;
    };
    let year = (tens - b'0') * 10 + (ones - b'0') + 28;
    let tag = [0x17, YEAR_1970.len() as u8, b'0' + year / 10, b'0' + year % 10];
    UtcTime::from_der(&[&tag[..], rest].concat()).is_ok()
}

/// Where the digits of notBefore begin, if it is a UTCTime.
fn not_before(certificate: &[u8]) -> der::Result<usize> {
    let end = |part: &[u8], of: &[u8]| of.len() - part.len();
    let fields = AnyRef::from_der(to_be_signed(certificate)?)?.value();
    let mut at = end(AnyRef::from_der(certificate)?.value(), certificate);
    at += end(fields, to_be_signed(certificate)?);
    let mut reader = SliceReader::new(fields)?;
    for _version_serial_algorithm_issuer in 0..4 {
        at += reader.tlv_bytes()?.len();
    }
    let validity = reader.tlv_bytes()?;
    let times = AnyRef::from_der(validity)?.value();
    at += end(times, validity);
    let mut times = SliceReader::new(times)?;
    let time = times.tlv_bytes()?;
    let digits = AnyRef::from_der(time)?;
    digits.tag().assert_eq(Tag::UtcTime)?;
    Ok(at + end(digits.value(), time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn certificate(year: i32) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["a".into()]).unwrap();
        params.not_before = date_time_ymd(year, 2, 28);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn a_copy_differs_in_its_first_date_alone() {
        for year in [1950, 1968, 1969] {
            let original = certificate(year);
            let chain = [original.clone()];
            let readable = Readable::new(&chain);
            let copy = &readable.certificates()[0];
            let differs = |(at, (a, b)): (usize, (&u8, &u8))| (a != b).then_some(at);
            let differ: Vec<_> =
                original.iter().zip(copy.iter()).enumerate().filter_map(differs).collect();
            let at = not_before(&original).unwrap();
            assert!(differ.iter().all(|it| (at..at + 13).contains(it)), "{differ:?}");
            assert_eq!(&copy[at..at + 13], YEAR_1970);
            assert_eq!(readable.original(copy), &*original);
            let signed = readable.signed(to_be_signed(copy).unwrap());
            assert_eq!(signed, to_be_signed(&original).unwrap());
        }
        for year in [1970, 2020, 2050] {
            let chain = [certificate(year)];
            assert_eq!(Readable::new(&chain).certificates(), chain);
        }
    }

    #[test]
    fn what_is_no_date_stays_so_and_no_bytes_do_harm() {
        for wrong in ["6902290000000", "691301000000Z", "690230000000Z", "6902", ""] {
            assert!(!is_early(wrong.as_bytes()), "{wrong}");
        }
        assert!(is_early(b"680229000000Z"));
        let whole = certificate(1960);
        for length in 0..whole.len() {
            assert_eq!(of_1970(&whole[..length]), None);
        }
    }
}
