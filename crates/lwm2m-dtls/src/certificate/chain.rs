//! A received chain: its order, its length, and what its path costs.
//!
//! Each certificate certifies the one before it (RFC 5246 section 7.4.2). Names alone do not bound
//! the search for a path, because authorities of one name can have any number of keys; so the number
//! of signatures is bounded, too.

use super::der::{self, KeyUsages};
use super::early::Readable;
use super::flaw::CertificateFlaw;
use super::spki::point_of;
use crate::crypto::provider::Provider;
use crate::error::Reason;
use crate::identity::CertificateIdentity;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU8, Ordering};
use core::time::Duration;
use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm,
    TrustAnchor, UnixTime,
};
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, Error, KeyUsage, VerifiedPath, anchor_from_trusted_cert};

use super::verify::VerifiedPeer;

/// The most certificates after the leaf.
pub(crate) const MAX_INTERMEDIATES: usize = 4;
/// The most signatures that are checked for a chain: one for each certificate of a path, and some
/// for authorities that have the same name and other keys.
const MAX_SIGNATURES: u8 = 8;

/// The received chain with its parsed leaf.
pub(super) struct Chain<'a> {
    readable: &'a Readable<'a>,
    pub(super) leaf: &'a CertificateDer<'a>,
    pub(super) end_entity: EndEntityCert<'a>,
    /// The certificates after the leaf, as long as each is of the issuer of the one before.
    intermediates: &'a [CertificateDer<'a>],
    /// What is wrong with the next one.
    broken: Option<Reason>,
}

impl<'a> Chain<'a> {
    pub(super) fn new(readable: &'a Readable<'a>) -> Result<Self, Reason> {
        let (leaf, rest) = readable.certificates().split_first().ok_or(Reason::NoCertificate)?;
        if rest.len() > MAX_INTERMEDIATES {
            return Err(Reason::BadCertificate(CertificateFlaw::LongChain));
        }
        let end_entity = EndEntityCert::try_from(leaf).map_err(reason)?;
        let (length, broken) = ordered(end_entity.issuer(), rest);
        let intermediates = rest.get(..length).unwrap_or_default();
        Ok(Self { readable, leaf, end_entity, intermediates, broken })
    }

    /// The names and key of the leaf. With `is_limited`, the common name is not one of them.
    pub(super) fn peer(&self, is_limited: bool) -> Result<VerifiedPeer, Reason> {
        let spki = self.end_entity.subject_public_key_info();
        let no_key = || Reason::BadCertificate(CertificateFlaw::Key);
        let point = point_of(&spki).ok_or_else(no_key)?;
        let common_name = der::common_name(self.end_entity.subject());
        let identity = CertificateIdentity {
            common_name: common_name.filter(|_| !is_limited),
            dns_names: self.end_entity.valid_dns_names().map(Into::into).collect(),
            sha256: Sha256::digest(self.readable.original(self.leaf)).into(),
        };
        let key = point.try_into().map_err(|_| no_key())?;
        let chain = core::iter::once(self.leaf).chain(self.intermediates);
        let expires = chain.map(|it| der::valid_until(it).unwrap_or(0)).min().unwrap_or(0);
        Ok(VerifiedPeer { key, identity: Arc::new(identity), expires })
    }

    /// Checks that an accepted path leads from the leaf to one of the anchors. Returns whether an
    /// authority of it is limited in the names that it may certify.
    pub(super) fn check_path(
        &self,
        anchors: &[TrustAnchor<'_>],
        usage: KeyUsage,
        provider: &dyn Provider,
        unix_time: Duration,
        accepts: &dyn Fn(&VerifiedPath<'_>) -> bool,
    ) -> Result<bool, Reason> {
        let accept = |path: &VerifiedPath<'_>| match accepts(path) {
            true => Ok(()),
            false => Err(Error::UnknownIssuer),
        };
        let left = AtomicU8::new(MAX_SIGNATURES);
        let algorithms = provider.certificate_algorithms().iter();
        let algorithms: Vec<_> = algorithms
            .map(|&algorithm| Bounded { algorithm, left: &left, readable: self.readable })
            .collect();
        let algorithms: Vec<&dyn SignatureVerificationAlgorithm> =
            algorithms.iter().map(|algorithm| algorithm as _).collect();
        let time = UnixTime::since_unix_epoch(unix_time);
        let path = self.end_entity.verify_for_usage(
            &algorithms,
            anchors,
            self.intermediates,
            time,
            usage,
            None,
            Some(&accept),
        );
        let path = path.map_err(|error| self.reason(error))?;
        self.check_key_usages(&path)?;
        Ok(limits_names(&path))
    }

    /// What is wrong when no path was found: perhaps an authority that cannot be read.
    fn reason(&self, error: Error) -> Reason {
        match (reason(error), &self.broken) {
            (Reason::UnknownAuthority, Some(broken)) => broken.clone(),
            (reason, _) => reason,
        }
    }

    /// Checks that the authorities may issue certificates, and the leaf may sign: RFC 5280 section
    /// 4.2.1.3.
    fn check_key_usages(&self, path: &VerifiedPath<'_>) -> Result<(), Reason> {
        let flaw = |flaw| Err(Reason::BadCertificate(flaw));
        for authority in path.intermediate_certificates() {
            match der::key_usages(&authority.der()) {
                Some(usages) if usages.allow(KeyUsages::KEY_CERT_SIGN) => {}
                Some(_) => return flaw(CertificateFlaw::NotAnAuthority),
                None => return flaw(CertificateFlaw::Malformed),
            }
        }
        match der::key_usages(self.leaf) {
            Some(usages) if usages.allow(KeyUsages::DIGITAL_SIGNATURE) => Ok(()),
            Some(_) => flaw(CertificateFlaw::KeyUsage),
            None => flaw(CertificateFlaw::Malformed),
        }
    }
}

/// How many certificates each are of the issuer of the one before, and what is wrong with the next.
fn ordered(issuer: &[u8], rest: &[CertificateDer<'_>]) -> (usize, Option<Reason>) {
    let mut issuer = issuer.to_vec();
    for (index, der) in rest.iter().enumerate() {
        match EndEntityCert::try_from(der) {
            Ok(next) if next.subject() == issuer => issuer = next.issuer().to_vec(),
            Ok(_) => return (index, None),
            Err(error) => return (index, Some(reason(error))),
        }
    }
    (rest.len(), None)
}

/// Puts the certificates after the leaf in order, because in TLS 1.3 they may come in any (RFC 8446
/// section 4.4.2). Drops those that do not belong to the chain. A chain that is too long stays so.
#[cfg(feature = "tls13")]
pub(crate) fn in_order<'a>(
    leaf: &CertificateDer<'a>,
    rest: &[CertificateDer<'a>],
) -> Vec<CertificateDer<'a>> {
    let mut rest = rest.to_vec();
    let mut chain = alloc::vec![leaf.clone()];
    if rest.len() > MAX_INTERMEDIATES {
        chain.append(&mut rest);
        return chain;
    }
    let is_next = |chain: &[CertificateDer<'_>], next: &CertificateDer<'_>| {
        let last = chain.last().and_then(|last| EndEntityCert::try_from(last).ok());
        last.is_some_and(|last| ordered(last.issuer(), core::slice::from_ref(next)).0 == 1)
    };
    while let Some(next) = rest.iter().position(|it| is_next(&chain, it)) {
        chain.push(rest.remove(next));
    }
    chain
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

/// An algorithm that fails after a number of signatures.
struct Bounded<'a> {
    algorithm: &'static dyn SignatureVerificationAlgorithm,
    left: &'a AtomicU8,
    readable: &'a Readable<'a>,
}

impl fmt::Debug for Bounded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.algorithm.fmt(f)
    }
}

impl SignatureVerificationAlgorithm for Bounded<'_> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let left = self.left.load(Ordering::Relaxed).checked_sub(1).ok_or(InvalidSignature)?;
        self.left.store(left, Ordering::Relaxed);
        self.algorithm.verify_signature(public_key, self.readable.signed(message), signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }
}

pub(super) fn reason(error: Error) -> Reason {
    use CertificateFlaw as Flaw;
    Reason::BadCertificate(match error {
        Error::CertExpired { .. } | Error::CertNotValidYet { .. } => {
            return Reason::CertificateExpired;
        }
        // In the latter case an authority of the same name has another key.
        Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => {
            return Reason::UnknownAuthority;
        }
        Error::UnsupportedCertVersion => Flaw::Version,
        Error::UnsupportedCriticalExtension => Flaw::CriticalExtension,
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => Flaw::Purpose,
        Error::CaUsedAsEndEntity => Flaw::IsAuthority,
        Error::EndEntityUsedAsCa => Flaw::NotAnAuthority,
        Error::PathLenConstraintViolated => Flaw::PathLength,
        Error::NameConstraintViolation => Flaw::NameConstraints,
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Flaw::Signature,
        Error::BadDerTime | Error::InvalidCertValidity => Flaw::Validity,
        Error::MaximumPathDepthExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumSignatureChecksExceeded
        | Error::MaximumNameConstraintComparisonsExceeded => Flaw::LongChain,
        _ => Flaw::Malformed,
    })
}
