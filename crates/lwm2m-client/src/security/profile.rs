//! From the values of an account to the profile of its sessions.

use super::chain::certificates;
use super::{
    CertificateUsage, ClientProfile, KeyPair, Matching, Provider, Security, SecurityError,
    SecurityMode,
};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use lwm2m_coap::uri::{Host, Scheme, Uri};
use lwm2m_dtls::certificate::{Association, ServerVerification, subject_public_key_info};
use lwm2m_dtls::crypto::SigningKey;
use lwm2m_dtls::{CertifiedKey, ClientSecurity, Mode};
use rustls_pki_types::CertificateDer;

/// The length of a SubjectPublicKeyInfo with an uncompressed point of P-256.
const SPKI_LENGTH: usize = 91;

impl Security {
    /// How sessions with the server at `uri` (/0/x/0) are made; `None` without security. `roots`
    /// are the authorities that the device trusts in general: certificate usages 0 and 1 need some.
    ///
    /// # Errors
    /// URI, mode and keys do not fit each other, or cannot be read.
    pub fn profile(
        &self,
        uri: &str,
        roots: &[CertificateDer<'static>],
        provider: &dyn Provider,
    ) -> Result<Option<Arc<ClientProfile>>, SecurityError> {
        let uri = Uri::parse(uri)?;
        match (uri.scheme.is_secured(), self.mode) {
            (false, SecurityMode::NoSec) => return Ok(None),
            (true, SecurityMode::NoSec) => return Err(SecurityError::SecureUri),
            (false, _) => return Err(SecurityError::PlainUri),
            (true, _) => {}
        }
        let security = match self.mode {
            SecurityMode::Psk | SecurityMode::NoSec => self.pre_shared()?,
            SecurityMode::RawPublicKey => self.raw_keys(provider)?,
            SecurityMode::Certificate | SecurityMode::Enrolled => {
                self.certified(roots, provider)?
            }
        };
        let mut profile = ClientProfile::new(security);
        profile.server_name = Some(self.server_name(uri.host)?);
        profile.suites.clone_from(&self.suites);
        profile.connection_id = self.connection_ids;
        profile.tls13 = self.tls13;
        let mode = profile.security.mode();
        if self.tls13 && (uri.scheme != Scheme::CoapsTcp || mode == Mode::Psk) {
            return Err(SecurityError::Tls13);
        }
        if !self.suites.is_empty() && !self.suites.iter().any(|suite| suite.suits(mode)) {
            return Err(SecurityError::Suites);
        }
        Ok(Some(Arc::new(profile)))
    }

    /// What the server is called: as the account says (/0/x/14), else as its URI says. For SNI an
    /// address counts as no name.
    fn server_name(&self, host: Host<'_>) -> Result<String, SecurityError> {
        let name = match (self.sni.as_deref(), host) {
            (Some(name), _) => name.to_string(),
            (None, Host::Name(name)) => name.trim_end_matches('.').to_string(),
            (None, Host::Address(address)) => address.to_string(),
            (None, Host::Zoned(address, _)) => address.to_string(),
        };
        match name.len() {
            1..=255 => Ok(name),
            length => Err(SecurityError::Sni(length)),
        }
    }

    fn pre_shared(&self) -> Result<ClientSecurity, SecurityError> {
        let (identity, key) = (self.public_key_or_identity.clone(), self.secret_key.clone());
        if !(1..=128).contains(&identity.len()) {
            return Err(SecurityError::PskIdentity(identity.len()));
        }
        if !(1..=64).contains(&key.len()) {
            return Err(SecurityError::PskKey(key.len()));
        }
        Ok(ClientSecurity::Psk { identity, key })
    }

    fn raw_keys(&self, provider: &dyn Provider) -> Result<ClientSecurity, SecurityError> {
        let key = signing_key(&self.secret_key, provider)?;
        let public = subject_public_key_info(&key.public_key());
        let own = &self.public_key_or_identity;
        if !own.is_empty() && *own != public {
            return Err(SecurityError::KeyPair);
        }
        if self.matching != Matching::Exact {
            return Err(SecurityError::RawKeyMatching);
        }
        let server = self.server_public_key.clone();
        let header = public.len() - size_of_val(&key.public_key());
        if server.len() != SPKI_LENGTH || server.get(..header) != public.get(..header) {
            return Err(SecurityError::ServerKey);
        }
        Ok(ClientSecurity::RawPublicKey { key, server })
    }

    fn certified(
        &self,
        roots: &[CertificateDer<'static>],
        provider: &dyn Provider,
    ) -> Result<ClientSecurity, SecurityError> {
        let pair =
            KeyPair { chain: self.public_key_or_identity.clone(), key: self.secret_key.clone() };
        let certified = Arc::new(pair.check(provider)?);
        let path = matches!(
            self.usage,
            CertificateUsage::CaConstraint | CertificateUsage::ServiceCertificateConstraint
        );
        if path && roots.is_empty() {
            return Err(SecurityError::NoRoots);
        }
        let verification = ServerVerification {
            usage: self.usage,
            association: self.association()?,
            roots: roots.to_vec(),
        };
        Ok(ClientSecurity::Certificate { certified, verification: Arc::new(verification) })
    }

    fn association(&self) -> Result<Association, SecurityError> {
        let length = match self.matching {
            Matching::Exact => None,
            Matching::Sha256 => Some(32),
            Matching::Sha384 => Some(48),
            Matching::Sha512 => Some(64),
        };
        let data = self.server_public_key.to_vec();
        match length {
            None if data.is_empty() => Err(SecurityError::ServerKey),
            Some(length) if length != data.len() => Err(SecurityError::ServerHash),
            _ => Ok(Association { matching: self.matching, data }),
        }
    }
}

fn signing_key(der: &[u8], provider: &dyn Provider) -> Result<Arc<dyn SigningKey>, SecurityError> {
    provider.signing_key(der).map_err(|_| SecurityError::PrivateKey)
}

impl KeyPair {
    /// The certificates and the key, if they can be read and belong together.
    pub(crate) fn check(&self, provider: &dyn Provider) -> Result<CertifiedKey, SecurityError> {
        let key = signing_key(&self.key, provider)?;
        let chain = certificates(&self.chain).ok_or(SecurityError::Certificate)?;
        let public = subject_public_key_info(&key.public_key());
        // A certificate has the key that it is for somewhere in it.
        let holds_key = |certificate: &CertificateDer<'_>| {
            certificate.windows(public.len()).any(|part| part == public)
        };
        match chain.first().is_some_and(holds_key) {
            true => Ok(CertifiedKey { chain, key }),
            false => Err(SecurityError::KeyPair),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::{CipherSuite, RustCrypto};
    use alloc::vec::Vec;
    use bytes::Bytes;

    macro_rules! data {
        ($name:literal) => {
            include_bytes!(concat!("../../../lwm2m-dtls/tests/data/", $name, ".der")).as_slice()
        };
    }

    const URI: &str = "coaps://192.0.2.1";

    fn profile_at(uri: &str, security: &Security) -> Result<Arc<ClientProfile>, SecurityError> {
        security
            .profile(uri, &[], &RustCrypto)
            .map(|profile| profile.expect("not without security"))
    }

    fn profile(security: &Security) -> Result<Arc<ClientProfile>, SecurityError> {
        profile_at(URI, security)
    }

    fn psk() -> Security {
        Security::psk("device", &[7; 16])
    }

    fn spki(key: &[u8]) -> Bytes {
        subject_public_key_info(&RustCrypto.signing_key(key).unwrap().public_key()).into()
    }

    fn raw() -> Security {
        Security::raw_public_key(data!("client.key"), spki(data!("server.key")))
    }

    fn certificate() -> Security {
        Security::certificate(data!("client.cert"), data!("client.key"), data!("server.cert"))
    }

    #[test]
    fn scheme_and_mode_go_together() {
        let no_sec = Security::no_sec();
        assert!(no_sec.profile("coap://192.0.2.1", &[], &RustCrypto).unwrap().is_none());
        assert_eq!(profile(&no_sec).err(), Some(SecurityError::SecureUri));
        for security in [psk(), raw(), certificate()] {
            assert!(profile(&security).is_ok());
            let plain = profile_at("coap://192.0.2.1", &security);
            assert_eq!(plain.err(), Some(SecurityError::PlainUri));
            assert!(profile_at("coaps+tcp://192.0.2.1", &security).is_ok());
            let plain = profile_at("coap+tcp://192.0.2.1", &security);
            assert_eq!(plain.err(), Some(SecurityError::PlainUri));
        }
        assert!(matches!(profile_at("http://a", &psk()), Err(SecurityError::Uri(_))));
    }

    #[test]
    fn modes_become_profiles() {
        let modes = [psk(), raw(), certificate()].map(|it| profile(&it).unwrap().security.mode());
        assert_eq!(modes, [Mode::Psk, Mode::RawPublicKey, Mode::Certificate]);
        // The public key may be there as well.
        let mut both = raw();
        both.public_key_or_identity = spki(data!("client.key"));
        assert!(profile(&both).is_ok());
    }

    #[test]
    fn lengths_of_pre_shared_keys_are_bounded() {
        let reason = |identity: usize, key: usize| {
            profile(&Security::psk(alloc::vec![0xff; identity], &alloc::vec![0; key])).err()
        };
        assert_eq!(reason(128, 64), None);
        assert_eq!(reason(1, 1), None);
        assert_eq!(reason(0, 1), Some(SecurityError::PskIdentity(0)));
        assert_eq!(reason(129, 1), Some(SecurityError::PskIdentity(129)));
        assert_eq!(reason(1, 0), Some(SecurityError::PskKey(0)));
        assert_eq!(reason(1, 65), Some(SecurityError::PskKey(65)));
    }

    #[test]
    fn server_key_is_ignored_with_pre_shared_keys() {
        let mut security = psk();
        security.server_public_key = Bytes::from_static(b"whatever");
        assert!(profile(&security).is_ok());
    }

    #[test]
    fn keys_that_cannot_be_used_are_named() {
        let no_key = Security::raw_public_key(b"no key", spki(data!("server.key")));
        assert_eq!(profile(&no_key).err(), Some(SecurityError::PrivateKey));
        let mut other = raw();
        other.public_key_or_identity = spki(data!("server.key"));
        assert_eq!(profile(&other).err(), Some(SecurityError::KeyPair));
        let mut no_server = raw();
        no_server.server_public_key.truncate(90);
        assert_eq!(profile(&no_server).err(), Some(SecurityError::ServerKey));
        let hashed = raw().matching(Matching::Sha256);
        assert_eq!(profile(&hashed).err(), Some(SecurityError::RawKeyMatching));
    }

    #[test]
    fn certificates_that_cannot_be_used_are_named() {
        let with = |chain: &[u8], key: &[u8], server: &'static [u8]| {
            let chain = Bytes::copy_from_slice(chain);
            profile(&Security::certificate(chain, key, server)).err()
        };
        let (own, key, server) = (data!("client.cert"), data!("client.key"), data!("server.cert"));
        let chain = [own, data!("intermediate.cert")].concat();
        assert_eq!(with(&chain, key, server), None);
        for length in 0..own.len() {
            assert_eq!(with(&own[..length], key, server), Some(SecurityError::Certificate));
        }
        assert_eq!(with(own, data!("server.key"), server), Some(SecurityError::KeyPair));
        let reversed = [data!("intermediate.cert"), own].concat();
        assert_eq!(with(&reversed, key, server), Some(SecurityError::KeyPair));
        assert_eq!(with(own, key, b""), Some(SecurityError::ServerKey));
        let hashed = certificate().matching(Matching::Sha384);
        assert_eq!(profile(&hashed).err(), Some(SecurityError::ServerHash));
    }

    #[test]
    fn usages_that_need_roots_have_some() {
        let root = CertificateDer::from(data!("root.cert"));
        for usage in
            [CertificateUsage::CaConstraint, CertificateUsage::ServiceCertificateConstraint]
        {
            let security = certificate().usage(usage);
            assert_eq!(profile(&security).err(), Some(SecurityError::NoRoots));
            let rooted = security.profile(URI, core::slice::from_ref(&root), &RustCrypto);
            let profile = rooted.unwrap().unwrap();
            let ClientSecurity::Certificate { verification, .. } = &profile.security else {
                panic!("not certificates");
            };
            assert_eq!((verification.usage, verification.roots.len()), (usage, 1));
        }
    }

    #[test]
    fn the_name_of_the_server_is_that_of_the_account_or_its_uri() {
        let name =
            |uri: &str, security: &Security| profile_at(uri, security).unwrap().server_name.clone();
        let named = |name: &str| Some(String::from(name));
        assert_eq!(name("coaps://server.example.com", &psk()), named("server.example.com"));
        assert_eq!(name("coaps://server.example.com.:5784", &psk()), named("server.example.com"));
        assert_eq!(name(URI, &psk()), named("192.0.2.1"));
        assert_eq!(name("coaps://[2001:db8::1]", &psk()), named("2001:db8::1"));
        assert_eq!(name(URI, &psk().sni("h")), named("h"));
        assert_eq!(name("coaps://server.example.com", &psk().sni("h")), named("h"));
        let long = psk().sni("h".repeat(256));
        assert_eq!(profile(&long).err(), Some(SecurityError::Sni(256)));
    }

    #[test]
    fn exactly_the_suites_of_the_account_are_offered() {
        let offered = |numbers: &[u16]| {
            let suites: Vec<_> = numbers.iter().copied().map(CipherSuite).collect();
            profile(&psk().suites(suites)).map(|profile| profile.suites.clone())
        };
        assert_eq!(offered(&[]), Ok(Vec::new()));
        assert_eq!(offered(&[49320]), Ok(alloc::vec![CipherSuite::PSK_WITH_AES_128_CCM_8]));
        // One that nobody knows may be among them.
        assert_eq!(offered(&[1, 49320]).map(|suites| suites.len()), Ok(2));
        assert_eq!(offered(&[0xc0ae]), Err(SecurityError::Suites));
        let ecdsa = raw().suites([CipherSuite::PSK_WITH_AES_128_CCM_8]);
        assert_eq!(profile(&ecdsa).err(), Some(SecurityError::Suites));
    }

    #[test]
    fn version_1_3_is_for_connections_without_pre_shared_keys() {
        let asked = |uri, security: Security| {
            profile_at(uri, &security.tls13(true)).map(|profile| profile.tls13)
        };
        let tcp = "coaps+tcp://192.0.2.1";
        assert_eq!(asked(tcp, certificate()), Ok(true));
        assert_eq!(asked(tcp, raw()), Ok(true));
        assert_eq!(asked(tcp, psk()), Err(SecurityError::Tls13));
        assert_eq!(asked(URI, raw()), Err(SecurityError::Tls13));
        assert!(!profile_at(tcp, &raw()).unwrap().tls13);
    }

    #[test]
    fn connection_ids_are_offered_unless_told_otherwise() {
        assert!(profile(&psk()).unwrap().connection_id);
        assert!(!profile(&psk().connection_ids(false)).unwrap().connection_id);
    }

    #[test]
    fn keys_are_not_printed() {
        let text = alloc::format!("{:?}", Security::psk("device", b"secret"));
        assert!(!text.contains("secret") && !text.contains("115"), "{text}");
    }
}
