//! Certificates in a row, as one resource holds them: DER after DER.

use alloc::vec::Vec;
use nom::Parser;
use nom::bytes::complete::tag;
use nom::combinator::{all_consuming, recognize};
use nom::multi::{length_data, many1};
use nom::number::complete::{be_u8, be_u16, be_u24};
use nom::{IResult, branch::alt};
use rustls_pki_types::CertificateDer;

/// The certificates; nothing if the bytes are no whole number of them.
pub(super) fn certificates(bytes: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let (_, certificates) = all_consuming(many1(sequence)).parse(bytes).ok()?;
    Some(certificates.into_iter().map(|der| CertificateDer::from(der.to_vec())).collect())
}

/// A SEQUENCE with its header. What is in it is looked at when it is used.
fn sequence(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let long = alt((
        (tag(&[0x81][..]), be_u8).map(|(_, length)| u32::from(length)),
        (tag(&[0x82][..]), be_u16).map(|(_, length)| u32::from(length)),
        (tag(&[0x83][..]), be_u24).map(|(_, length)| length),
    ));
    recognize((tag(&[0x30][..]), length_data(long))).parse(input)
}
