//! Chains of certificates that cost much, or must not pass.

use crate::secured::Secured;
use crate::server::{AUTHORITY, Target};
use crate::{Attack, Outcome, Sent};
use lwm2m_dtls::certificate::{Association, CertificateUsage, Matching, ServerVerification};
use lwm2m_dtls::crypto::{AwsLc, Provider};
use lwm2m_dtls::{CertifiedKey, ClientProfile, ClientSecurity};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls_pki_types::CertificateDer;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// One handshake after the other.
struct Handshakes {
    server: SocketAddr,
    profile: Arc<ClientProfile>,
    outcomes: BTreeMap<String, u32>,
}

impl Attack for Handshakes {
    fn step(&mut self, sent: &mut Sent) -> Outcome<()> {
        let mut handshake = Secured::begin(self.server, Arc::clone(&self.profile))?;
        let reason = handshake.ended(Duration::from_millis(500))?;
        let reason = reason.unwrap_or_else(|| "ACCEPTED".to_owned());
        *self.outcomes.entry(reason).or_default() += 1;
        sent.add(handshake.sent);
        Ok(())
    }

    fn outcome(&mut self) -> Outcome<String> {
        let each = self.outcomes.iter().map(|(reason, count)| format!("{count} × {reason}"));
        Ok(each.collect::<Vec<_>>().join("; "))
    }
}

fn handshakes(
    target: &Target,
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
) -> Outcome<Box<dyn Attack>> {
    let key = AwsLc.signing_key(&key.serialize_der()).map_err(|_| "no key")?;
    let verification = ServerVerification {
        usage: CertificateUsage::DomainIssued,
        association: Association { matching: Matching::Exact, data: target.certificate.to_vec() },
        roots: Vec::new(),
    };
    let security = ClientSecurity::Certificate {
        certified: Arc::new(CertifiedKey { chain, key }),
        verification: Arc::new(verification),
    };
    let profile = Arc::new(ClientProfile::new(security));
    Ok(Box::new(Handshakes { server: target.at.coaps, profile, outcomes: BTreeMap::new() }))
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, AUTHORITY);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn leaf() -> Outcome<CertificateParams> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name.push(DnType::CommonName, "urn:dev:bomb");
    Ok(params)
}

/// Nine authorities of the trusted one's name with unrelated keys.
pub(crate) fn bombs(target: &Target) -> Outcome<Box<dyn Attack>> {
    let unrelated = || Ok::<_, rcgen::Error>(Issuer::new(authority(), KeyPair::generate()?));
    let key = KeyPair::generate()?;
    let mut chain = vec![leaf()?.signed_by(&key, &unrelated()?)?.der().clone()];
    for _ in 0..9 {
        let next = authority().signed_by(&KeyPair::generate()?, &unrelated()?)?;
        chain.push(next.der().clone());
    }
    handshakes(target, chain, &key)
}

/// A leaf of the trusted authority whose key is not for signatures.
pub(crate) fn wrong_usage(target: &Target) -> Outcome<Box<dyn Attack>> {
    let key = KeyPair::generate()?;
    let mut params = leaf()?;
    params.key_usages = vec![KeyUsagePurpose::KeyAgreement];
    let chain = vec![params.signed_by(&key, &target.authority)?.der().clone()];
    handshakes(target, chain, &key)
}
