//! The security of an account to and from the resources of the Security object (0).

use super::{CertificateUsage, CipherSuite, Matching, Security, SecurityError, SecurityMode};
use crate::objects::security_ids::{
    CERTIFICATE_USAGE, CIPHER_SUITES, MATCHING_TYPE, MODE, OSCORE, PUBLIC_KEY, SECRET_KEY,
    SERVER_KEY, SNI,
};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use lwm2m_core::{ObjectInstance, ObjectLink, Resource, Value};
use zeroize::Zeroizing;

/// The numbers of /0/x/13.
const MATCHING: [Matching; 4] =
    [Matching::Exact, Matching::Sha256, Matching::Sha384, Matching::Sha512];
/// The numbers of /0/x/15.
const USAGES: [CertificateUsage; 4] = [
    CertificateUsage::CaConstraint,
    CertificateUsage::ServiceCertificateConstraint,
    CertificateUsage::TrustAnchorAssertion,
    CertificateUsage::DomainIssued,
];

impl Security {
    /// The security that an instance of the Security object has.
    pub(crate) fn from_values(values: &ObjectInstance) -> Result<Self, SecurityError> {
        let Some(Value::Integer(mode)) = single(values, MODE) else {
            return Err(SecurityError::Value(MODE));
        };
        let mode = SecurityMode::from_number(*mode).ok_or(SecurityError::Mode(*mode))?;
        match single(values, OSCORE) {
            None | Some(Value::ObjectLink(ObjectLink::NULL)) => {}
            Some(_) => return Err(SecurityError::Oscore),
        }
        Ok(Self {
            mode,
            public_key_or_identity: opaque(values, PUBLIC_KEY)?,
            server_public_key: opaque(values, SERVER_KEY)?,
            secret_key: Zeroizing::new(opaque(values, SECRET_KEY)?.to_vec()),
            matching: choice(values, MATCHING_TYPE, &MATCHING, SecurityError::Matching)?
                .unwrap_or(Matching::Exact),
            sni: sni(values)?,
            usage: choice(values, CERTIFICATE_USAGE, &USAGES, SecurityError::Usage)?
                .unwrap_or(CertificateUsage::DomainIssued),
            suites: suites(values)?,
            connection_ids: true,
            tls13: false,
        })
    }

    /// Adds these values to an instance of the Security object. Resources with their default are
    /// left out where they may be.
    pub(crate) fn add_to(&self, values: ObjectInstance) -> ObjectInstance {
        // In mode 4 the device's own key and certificate are nobody else's business.
        let (own, secret) = match self.mode {
            SecurityMode::Enrolled => (Bytes::new(), Bytes::new()),
            _ => {
                let secret = Bytes::copy_from_slice(&self.secret_key);
                (self.public_key_or_identity.clone(), secret)
            }
        };
        let mut values = values
            .with(MODE, self.mode.number())
            .with(PUBLIC_KEY, own)
            .with(SERVER_KEY, self.server_public_key.clone())
            .with(SECRET_KEY, secret);
        if let Some(number) = number(&MATCHING, self.matching).filter(|number| *number != 0) {
            values = values.with(MATCHING_TYPE, number);
        }
        if let Some(name) = &self.sni {
            values = values.with(SNI, name.as_str());
        }
        if let Some(number) = number(&USAGES, self.usage).filter(|number| *number != 3) {
            values = values.with(CERTIFICATE_USAGE, number);
        }
        if !self.suites.is_empty() {
            let suites = self.suites.iter().map(|suite| u64::from(suite.0));
            values = values.with_multiple(CIPHER_SUITES, (0..).zip(suites));
        }
        values
    }
}

/// The number that a choice has.
fn number<T: PartialEq>(choices: &[T], chosen: T) -> Option<u64> {
    (0..).zip(choices).find(|(_, choice)| **choice == chosen).map(|(number, _)| number)
}

fn single(values: &ObjectInstance, resource: u16) -> Option<&Value> {
    match values.resources.get(&resource)? {
        Resource::Single(value) => Some(value),
        Resource::Multiple(_) => None,
    }
}

fn opaque(values: &ObjectInstance, resource: u16) -> Result<Bytes, SecurityError> {
    match single(values, resource) {
        Some(Value::Opaque(bytes)) => Ok(bytes.clone()),
        _ => Err(SecurityError::Value(resource)),
    }
}

fn choice<T: Copy>(
    values: &ObjectInstance,
    resource: u16,
    choices: &[T],
    unknown: fn(u64) -> SecurityError,
) -> Result<Option<T>, SecurityError> {
    let number = match single(values, resource) {
        None => return Ok(None),
        Some(Value::UnsignedInteger(number)) => *number,
        Some(_) => return Err(SecurityError::Value(resource)),
    };
    let place = usize::try_from(number).ok();
    place.and_then(|place| choices.get(place)).copied().map(Some).ok_or_else(|| unknown(number))
}

fn sni(values: &ObjectInstance) -> Result<Option<String>, SecurityError> {
    match single(values, SNI) {
        None => Ok(None),
        Some(Value::String(name)) => Ok(Some(name.clone()).filter(|name| !name.is_empty())),
        Some(_) => Err(SecurityError::Value(SNI)),
    }
}

fn suites(values: &ObjectInstance) -> Result<Vec<CipherSuite>, SecurityError> {
    let numbers = match values.resources.get(&CIPHER_SUITES) {
        None => return Ok(Vec::new()),
        Some(Resource::Multiple(numbers)) => numbers.values(),
        Some(Resource::Single(_)) => return Err(SecurityError::Value(CIPHER_SUITES)),
    };
    let suite = |value: &Value| match value {
        Value::UnsignedInteger(number) => u16::try_from(*number).ok().map(CipherSuite),
        _ => None,
    };
    numbers.map(|value| suite(value).ok_or(SecurityError::Value(CIPHER_SUITES))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Security {
        Security::certificate("own", b"key", "server")
            .matching(Matching::Sha512)
            .usage(CertificateUsage::CaConstraint)
            .sni("server.example.com")
            .suites([CipherSuite(49320), CipherSuite(0xc0ae)])
    }

    #[test]
    fn values_come_back() {
        for security in [Security::no_sec(), Security::psk("device", b"key"), full()] {
            let values = security.add_to(ObjectInstance::default());
            assert_eq!(Security::from_values(&values), Ok(security));
        }
        let plain = Security::no_sec().add_to(ObjectInstance::default());
        assert_eq!(plain.resources.keys().copied().collect::<Vec<_>>(), [2, 3, 4, 5]);
    }

    #[test]
    fn values_that_cannot_be_are_named() {
        let with = |resource, value: Value| {
            let values = full().add_to(ObjectInstance::default()).with(resource, value);
            Security::from_values(&values).err()
        };
        assert_eq!(with(MODE, Value::Integer(5)), Some(SecurityError::Mode(5)));
        let unsigned = Value::UnsignedInteger;
        assert_eq!(with(MATCHING_TYPE, unsigned(4)), Some(SecurityError::Matching(4)));
        assert_eq!(with(CERTIFICATE_USAGE, unsigned(4)), Some(SecurityError::Usage(4)));
        assert_eq!(with(SECRET_KEY, unsigned(4)), Some(SecurityError::Value(SECRET_KEY)));
        let no_link = Value::ObjectLink(ObjectLink::NULL);
        assert_eq!(with(OSCORE, no_link), None);
        let link = Value::ObjectLink(ObjectLink { object: 21, instance: 0 });
        assert_eq!(with(OSCORE, link), Some(SecurityError::Oscore));
        let mut values = full().add_to(ObjectInstance::default());
        values = values.with_multiple(CIPHER_SUITES, [(0, 0x1_0000_u64)]);
        let error = SecurityError::Value(CIPHER_SUITES);
        assert_eq!(Security::from_values(&values), Err(error));
    }
}
