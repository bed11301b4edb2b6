//! From the files of keys to the security of the device's account.

use lwm2m_client::Security;
use lwm2m_client::security::CertificateUsage;
use lwm2m_daemon::Failure;
use lwm2m_daemon::secured::{ClientKeys, Secured};

/// Mode and keys for a server at a URI of this scheme.
pub(crate) fn security(secured: &Secured, is_secured: bool) -> Result<Security, Failure> {
    if !is_secured {
        return match secured.has_keys() {
            true => Err(Failure::usage("keys are for a server at coaps://, not at coap://")),
            false => Ok(Security::no_sec()),
        };
    }
    Ok(match secured.client_keys()? {
        ClientKeys::Psk { identity, key } => Security::psk(identity, &key),
        ClientKeys::RawPublicKey { key, server } => Security::raw_public_key(&key, server),
        ClientKeys::Certificate { chain, key, authority } => {
            let chain: Vec<u8> = chain.iter().flat_map(|der| der.iter().copied()).collect();
            let usage = CertificateUsage::TrustAnchorAssertion;
            Security::certificate(chain, &key, authority.to_vec()).usage(usage)
        }
        _ => return Err(Failure::usage("this device has no such mode of security")),
    })
}
