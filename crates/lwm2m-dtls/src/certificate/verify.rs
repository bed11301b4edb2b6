//! Verification of certificates: PKIX paths (RFC 5280) and the certificate usages of RFC 6698.

use super::chain::Chain;
use super::der::{self, KeyUsages};
use super::early::Readable;
use super::flaw::CertificateFlaw;
use super::spki::point_of;
use crate::crypto::provider::{Point, Provider};
use crate::error::Reason;
use crate::identity::CertificateIdentity;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use rustls_pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, TrustAnchor};
use sha2::{Digest, Sha256, Sha384, Sha512};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath, anchor_from_trusted_cert};

/// The meaning of the configured certificate of the server: RFC 6698 section 2.1.1, /0/x/15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateUsage {
    /// 0: a path leads to a trusted root, and the configured certificate is an authority in it.
    CaConstraint,
    /// 1: a path leads to a trusted root, and the configured certificate is the server's.
    ServiceCertificateConstraint,
    /// 2: a path leads to the configured certificate; other roots do not count.
    TrustAnchorAssertion,
    /// 3: the configured certificate is the server's, without a path.
    DomainIssued,
}

/// The comparison of the configured value: RFC 6698 section 2.1.3, /0/x/13.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Matching {
    /// 0: the whole certificate or SubjectPublicKeyInfo.
    Exact,
    /// 1: its SHA-256.
    Sha256,
    /// 2: its SHA-384.
    Sha384,
    /// 3: its SHA-512.
    Sha512,
}

/// The configured certificate or key of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Association {
    /// The comparison of `data`.
    pub matching: Matching,
    /// A certificate or SubjectPublicKeyInfo (DER), or the hash of one.
    pub data: Vec<u8>,
}

impl Association {
    fn matches(&self, certificate: &[u8], spki: &[u8]) -> bool {
        [certificate, spki].iter().any(|der| match self.matching {
            Matching::Exact => self.data == *der,
            Matching::Sha256 => self.data == Sha256::digest(der).as_slice(),
            Matching::Sha384 => self.data == Sha384::digest(der).as_slice(),
            Matching::Sha512 => self.data == Sha512::digest(der).as_slice(),
        })
    }

    fn matches_certificate(&self, certificate: &CertificateDer<'_>) -> bool {
        let spki = spki_of(certificate);
        let spki = spki.as_ref().map(AsRef::as_ref).unwrap_or_default();
        self.matches(certificate, spki)
    }
}

/// A client's rules for the server's certificate.
#[derive(Clone, Debug)]
pub struct ServerVerification {
    /// The meaning of `association`.
    pub usage: CertificateUsage,
    /// The configured certificate.
    pub association: Association,
    /// The trusted roots for usages 0 and 1.
    pub roots: Vec<CertificateDer<'static>>,
}

/// The peer of an accepted chain.
#[derive(Debug)]
pub(crate) struct VerifiedPeer {
    pub(crate) key: Point,
    pub(crate) identity: Arc<CertificateIdentity>,
    /// When the first certificate of the chain expires, in Unix seconds.
    pub(crate) expires: u64,
}

/// Checks a client's chain against the server's authorities. A common name counts only if no
/// authority is limited in its names, because such limits do not cover it.
pub(crate) fn verify_client(
    chain: &[CertificateDer<'_>],
    authorities: &[CertificateDer<'_>],
    provider: &dyn Provider,
    unix_time: Duration,
) -> Result<VerifiedPeer, Reason> {
    let readable = Readable::new(chain);
    let chain = Chain::new(&readable)?;
    let (anchors, usage) = (anchors(authorities), KeyUsage::client_auth());
    let is_limited = chain.check_path(&anchors, usage, provider, unix_time, &|_| true)?;
    let peer = chain.peer(is_limited)?;
    if is_limited && peer.identity.dns_names.is_empty() {
        return Err(Reason::BadCertificate(CertificateFlaw::UncoveredName));
    }
    Ok(peer)
}

/// Checks that certificates of an authority can be accepted: its key is of P-256, and its keyUsage,
/// if any, has keyCertSign.
///
/// # Errors
/// Why none can.
pub fn check_authority(authority: &CertificateDer<'_>) -> Result<(), CertificateFlaw> {
    let spki = spki_of(authority).ok_or(CertificateFlaw::Malformed)?;
    point_of(&spki).ok_or(CertificateFlaw::Key)?;
    let usages = der::key_usages(authority).ok_or(CertificateFlaw::Malformed)?;
    usages.allow(KeyUsages::KEY_CERT_SIGN).then_some(()).ok_or(CertificateFlaw::NotAnAuthority)
}

/// Checks a server's chain. It must be issued for the host `name`; without a name only the pinned
/// certificate is accepted.
pub(crate) fn verify_server(
    chain: &[CertificateDer<'_>],
    verification: &ServerVerification,
    name: Option<&str>,
    provider: &dyn Provider,
    unix_time: Duration,
) -> Result<VerifiedPeer, Reason> {
    let readable = Readable::new(chain);
    let parsed = Chain::new(&readable)?;
    let association = &verification.association;
    let matches = |certificate: &CertificateDer<'_>| {
        association.matches_certificate(&readable.original(certificate).into())
    };
    let pinned = matches(parsed.leaf);
    let path = |anchors: &[TrustAnchor<'_>], accepts: &dyn Fn(&VerifiedPath<'_>) -> bool| {
        parsed.check_path(anchors, KeyUsage::server_auth(), provider, unix_time, accepts)
    };
    let is_limited = match verification.usage {
        CertificateUsage::DomainIssued if pinned => false,
        CertificateUsage::DomainIssued => return Err(Reason::UnknownPeerKey),
        CertificateUsage::ServiceCertificateConstraint if pinned => {
            path(&anchors(&verification.roots), &|_| true)?
        }
        CertificateUsage::ServiceCertificateConstraint => return Err(Reason::UnknownPeerKey),
        CertificateUsage::CaConstraint => {
            let constrained = |path: &VerifiedPath<'_>| {
                path.intermediate_certificates().any(|ca| matches(&ca.der()))
                    || roots_of(path, &verification.roots)
                        .any(|root| association.matches_certificate(root))
            };
            path(&anchors(&verification.roots), &constrained)?
        }
        CertificateUsage::TrustAnchorAssertion => path(&asserted(association, chain), &|_| true)?,
    };
    if !pinned {
        check_name(&parsed, name.ok_or(Reason::NameMismatch)?, is_limited)?;
    }
    parsed.peer(is_limited)
}

/// Whether the leaf of a chain is issued for the host. Its trust is not checked.
pub(crate) fn is_for(chain: &[CertificateDer<'_>], host: &str) -> bool {
    Chain::new(&Readable::new(chain)).is_ok_and(|chain| check_name(&chain, host, false).is_ok())
}

fn spki_of(certificate: &CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'static>> {
    let parsed = EndEntityCert::try_from(certificate).ok()?;
    Some(parsed.subject_public_key_info())
}

/// The anchors of usage 2: the configured certificate, or those in the chain that match its hash.
fn asserted<'a>(
    association: &'a Association,
    chain: &'a [CertificateDer<'a>],
) -> Vec<TrustAnchor<'a>> {
    let sent = chain.iter().skip(1).filter(|ca| association.matches_certificate(ca));
    let mut anchors: Vec<_> = sent
        .filter_map(|ca| anchor_from_trusted_cert(ca).ok())
        .map(|anchor| anchor.to_owned())
        .collect();
    if association.matching == Matching::Exact {
        let configured = CertificateDer::from(association.data.as_slice());
        anchors.extend(anchor_from_trusted_cert(&configured).ok().map(|anchor| anchor.to_owned()));
    }
    anchors
}

fn anchors<'a>(certificates: &'a [CertificateDer<'_>]) -> Vec<TrustAnchor<'a>> {
    certificates.iter().filter_map(|ca| anchor_from_trusted_cert(ca).ok()).collect()
}

/// The configured roots that match the anchor of the path.
fn roots_of<'a>(
    path: &VerifiedPath<'_>,
    roots: &'a [CertificateDer<'static>],
) -> impl Iterator<Item = &'a CertificateDer<'static>> {
    let anchor = path.anchor().to_owned();
    roots.iter().filter(move |root| {
        anchor_from_trusted_cert(root).is_ok_and(|candidate| candidate == anchor)
    })
}

/// Checks that the leaf is issued for the name: by a dNSName, or an iPAddress for an address.
/// Without any dNSName the common name counts (RFC 6125 section 6.4.4), unless an authority is
/// limited in its names, because `webpki` does not apply such limits to common names.
fn check_name(chain: &Chain<'_>, name: &str, is_limited: bool) -> Result<(), Reason> {
    let server_name = ServerName::try_from(name).map_err(|_| Reason::NameMismatch)?;
    if chain.end_entity.verify_is_valid_for_subject_name(&server_name).is_ok() {
        return Ok(());
    }
    let common_name = der::common_name(chain.end_entity.subject());
    let by_common_name = !is_limited
        && chain.end_entity.valid_dns_names().next().is_none()
        && common_name.is_some_and(|common| common.eq_ignore_ascii_case(name));
    by_common_name.then_some(()).ok_or(Reason::NameMismatch)
}
