//! Verification of certificates: PKIX paths (RFC 5280) and the certificate usages of RFC 6698.

use super::der;
use super::spki::point_of;
use crate::crypto::provider::{Point, Provider};
use crate::error::Reason;
use crate::identity::CertificateIdentity;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::time::Duration;
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
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
        let parsed = EndEntityCert::try_from(certificate);
        let spki = parsed.map(|parsed| parsed.subject_public_key_info());
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

/// The received chain with its parsed leaf.
struct Chain<'a> {
    leaf: &'a CertificateDer<'a>,
    end_entity: EndEntityCert<'a>,
    intermediates: &'a [CertificateDer<'a>],
}

impl<'a> Chain<'a> {
    fn new(chain: &'a [CertificateDer<'a>]) -> Result<Self, Reason> {
        let (leaf, intermediates) = chain.split_first().ok_or(Reason::NoCertificate)?;
        let end_entity = EndEntityCert::try_from(leaf).map_err(reason)?;
        Ok(Self { leaf, end_entity, intermediates })
    }

    fn peer(&self) -> Result<VerifiedPeer, Reason> {
        let spki = self.end_entity.subject_public_key_info();
        let point = point_of(&spki).ok_or(Reason::BadCertificate)?;
        let identity = CertificateIdentity {
            common_name: der::common_name(self.end_entity.subject()),
            dns_names: self.end_entity.valid_dns_names().map(Into::into).collect(),
            sha256: Sha256::digest(self.leaf).into(),
        };
        let key = point.try_into().map_err(|_| Reason::BadCertificate)?;
        let chain = core::iter::once(self.leaf).chain(self.intermediates);
        let expires = chain.map(|it| der::valid_until(it).unwrap_or(0)).min().unwrap_or(0);
        Ok(VerifiedPeer { key, identity: Arc::new(identity), expires })
    }

    /// Checks that an accepted path leads from the leaf to one of the anchors.
    fn has_path(
        &self,
        anchors: &[TrustAnchor<'_>],
        usage: KeyUsage,
        provider: &dyn Provider,
        unix_time: Duration,
        accepts: &dyn Fn(&VerifiedPath<'_>) -> bool,
    ) -> Result<(), Reason> {
        let accept = |path: &VerifiedPath<'_>| match accepts(path) {
            true => Ok(()),
            false => Err(webpki::Error::UnknownIssuer),
        };
        self.end_entity
            .verify_for_usage(
                provider.certificate_algorithms(),
                anchors,
                self.intermediates,
                UnixTime::since_unix_epoch(unix_time),
                usage,
                None,
                Some(&accept),
            )
            .map(drop)
            .map_err(reason)
    }
}

/// Checks a client's chain against the server's authorities.
pub(crate) fn verify_client(
    chain: &[CertificateDer<'_>],
    authorities: &[CertificateDer<'_>],
    provider: &dyn Provider,
    unix_time: Duration,
) -> Result<VerifiedPeer, Reason> {
    let chain = Chain::new(chain)?;
    let anchors = anchors(authorities);
    chain.has_path(&anchors, KeyUsage::client_auth(), provider, unix_time, &|_| true)?;
    chain.peer()
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
    let parsed = Chain::new(chain)?;
    let association = &verification.association;
    let pinned = association.matches_certificate(parsed.leaf);
    let is_limited = Cell::new(false);
    let path = |anchors: &[TrustAnchor<'_>], accepts: &dyn Fn(&VerifiedPath<'_>) -> bool| {
        let accepts = |path: &VerifiedPath<'_>| {
            is_limited.set(limits_names(path));
            accepts(path)
        };
        parsed.has_path(anchors, KeyUsage::server_auth(), provider, unix_time, &accepts)
    };
    match verification.usage {
        CertificateUsage::DomainIssued if pinned => {}
        CertificateUsage::DomainIssued => return Err(Reason::UnknownPeerKey),
        CertificateUsage::ServiceCertificateConstraint if pinned => {
            path(&anchors(&verification.roots), &|_| true)?;
        }
        CertificateUsage::ServiceCertificateConstraint => return Err(Reason::UnknownPeerKey),
        CertificateUsage::CaConstraint => {
            let constrained = |path: &VerifiedPath<'_>| {
                path.intermediate_certificates()
                    .any(|ca| association.matches_certificate(&ca.der()))
                    || roots_of(path, &verification.roots)
                        .any(|root| association.matches_certificate(root))
            };
            path(&anchors(&verification.roots), &constrained)?;
        }
        CertificateUsage::TrustAnchorAssertion => {
            path(&asserted(association, chain), &|_| true)?;
        }
    }
    if !pinned {
        check_name(&parsed, name.ok_or(Reason::NameMismatch)?, is_limited.get())?;
    }
    parsed.peer()
}

/// Whether the leaf of a chain is issued for the host. Its trust is not checked.
pub(crate) fn is_for(chain: &[CertificateDer<'_>], host: &str) -> bool {
    Chain::new(chain).is_ok_and(|chain| check_name(&chain, host, false).is_ok())
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

/// Whether an authority of the path is limited in the names that it may certify (RFC 5280 section
/// 4.2.1.10).
fn limits_names(path: &VerifiedPath<'_>) -> bool {
    let is_limited = |certificate: &CertificateDer<'_>| {
        let parsed = anchor_from_trusted_cert(certificate);
        parsed.map_or(true, |authority| authority.name_constraints.is_some())
    };
    path.anchor().name_constraints.is_some()
        || path.intermediate_certificates().any(|ca| is_limited(&ca.der()))
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

fn reason(error: webpki::Error) -> Reason {
    match error {
        webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. } => {
            Reason::CertificateExpired
        }
        // In the latter case an authority of the same name has another key.
        webpki::Error::UnknownIssuer | webpki::Error::InvalidSignatureForPublicKey => {
            Reason::UnknownAuthority
        }
        _ => Reason::BadCertificate,
    }
}
