//! The security settings of the server account, from key files.

use lwm2m_app::Failure;
use lwm2m_app::secured::{ClientKeys, Secured};
use lwm2m_client::Security;
use lwm2m_client::security::CertificateUsage;

/// Mode and keys for a server at a URI whose scheme is secured or not.
pub(crate) fn security(secured: &Secured, is_secured: bool) -> Result<Security, Failure> {
    if !is_secured {
        secured.check_unused()?;
        return Ok(Security::no_sec());
    }
    let security = match secured.client_keys()? {
        ClientKeys::Psk { identity, key } => Security::psk(identity, &key),
        ClientKeys::RawPublicKey { key, server } => Security::raw_public_key(&key, server),
        ClientKeys::Certificate { chain, key, authority } => {
            let chain: Vec<u8> = chain.iter().flat_map(|der| der.iter().copied()).collect();
            let usage = CertificateUsage::TrustAnchorAssertion;
            Security::certificate(chain, &key, authority.to_vec()).usage(usage)
        }
        _ => return Err(Failure::usage("the simulated device does not have this security mode")),
    };
    Ok(security.connection_ids(secured.cid != Some(0)).tls13(secured.tls13))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_client::SecurityMode;

    #[test]
    fn keys_and_scheme_go_together() {
        let psk = Secured {
            psk_identity: Some("device".to_owned()),
            psk_key: Some("00ff".to_owned().into()),
            ..Secured::default()
        };
        let mode = |secured: &Secured, is_secured| {
            security(secured, is_secured).map(|security| security.mode).map_err(|it| it.to_string())
        };
        assert_eq!(mode(&psk, true), Ok(SecurityMode::Psk));
        assert_eq!(mode(&Secured::default(), false), Ok(SecurityMode::NoSec));
        assert!(mode(&psk, false).is_err_and(|it| it.contains("coaps://")));
        assert!(mode(&Secured::default(), true).is_err_and(|it| it.contains("needs keys")));
        assert_eq!(&**security(&psk, true).map(|it| it.secret_key).unwrap(), &[0, 0xff]);
    }
}
