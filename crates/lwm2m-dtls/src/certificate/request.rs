//! Certification requests for a new key: RFC 2986.

use super::name::{COMMON_NAME, NameAttribute};
use super::spki::subject_public_key_info;
use crate::crypto::provider::{CryptoError, SigningKey};
use alloc::vec::Vec;
use der::asn1::{Any, BitString, SetOfVec, Utf8StringRef};
use der::oid::ObjectIdentifier;
use der::{Decode, Encode, Sequence};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use zeroize::Zeroizing;

/// ecdsa-with-SHA256: RFC 5758 section 3.2.
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// CertificationRequest: RFC 2986 section 4.2.
#[derive(Sequence)]
struct Request {
    info: Info,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

/// CertificationRequestInfo: RFC 2986 section 4.1.
#[derive(Sequence)]
struct Info {
    version: u8,
    /// The relative distinguished names, each a set of attributes.
    subject: Vec<SetOfVec<NameAttribute>>,
    public_key: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true")]
    attributes: SetOfVec<Any>,
}

/// Makes a private key of P-256 from 32 fresh and unpredictable bytes; returns it as ECPrivateKey
/// (DER, RFC 5915).
///
/// # Errors
/// About one seed in 2^32 is not a valid key.
pub fn private_key(seed: &[u8; 32]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let key = p256::SecretKey::from_slice(seed).map_err(|_| CryptoError)?;
    key.to_sec1_der().map_err(|_| CryptoError)
}

/// Makes a CertificationRequest (PKCS #10, DER; RFC 2986) for the key, with the subject
/// `common_name`.
///
/// # Errors
/// The key cannot sign, or the name is too long for DER.
pub fn certification_request(
    key: &dyn SigningKey,
    common_name: &str,
) -> Result<Vec<u8>, CryptoError> {
    let info = info(key, common_name).map_err(|_| CryptoError)?;
    let signature = key.sign(&info.to_der().map_err(|_| CryptoError)?)?;
    let signed = BitString::from_bytes(&signature).and_then(|signature| {
        let algorithm = AlgorithmIdentifierOwned { oid: ECDSA_SHA256, parameters: None };
        Request { info, algorithm, signature }.to_der()
    });
    signed.map_err(|_| CryptoError)
}

fn info(key: &dyn SigningKey, common_name: &str) -> der::Result<Info> {
    let value = Any::from(Utf8StringRef::new(common_name)?);
    let name = NameAttribute { kind: COMMON_NAME, value };
    let spki = subject_public_key_info(&key.public_key());
    Ok(Info {
        version: 0,
        subject: alloc::vec![SetOfVec::try_from([name])?],
        public_key: SubjectPublicKeyInfoOwned::from_der(&spki)?,
        attributes: SetOfVec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::provider::Provider;
    use crate::crypto::rust_crypto::RustCrypto;
    use rcgen::{CertificateSigningRequestParams, DnType, DnValue, PublicKeyData};

    #[test]
    fn an_authority_reads_name_and_key() {
        let der = private_key(&[7; 32]).unwrap();
        let key = RustCrypto.signing_key(&der).unwrap();
        let name = "urn:dev:os:32473-ü, \"é\"";
        let request = certification_request(&*key, name).unwrap();
        // The library checks the signature, too.
        let read = CertificateSigningRequestParams::from_der(&request.clone().into()).unwrap();
        let common = read.params.distinguished_name.get(&DnType::CommonName);
        assert_eq!(common, Some(&DnValue::Utf8String(name.into())));
        assert_eq!(read.public_key.der_bytes(), key.public_key());
        let mut altered = request.clone();
        *altered.last_mut().unwrap() ^= 1;
        assert!(CertificateSigningRequestParams::from_der(&altered.into()).is_err());
        assert!(private_key(&[0; 32]).is_err());
    }
}
