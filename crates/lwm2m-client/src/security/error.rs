//! What may be wrong with the security of an account.

use lwm2m_coap::uri::UriError;

/// Why an account cannot be used; the text names the resource to mend.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecurityError {
    /// The server URI (/0/x/0) is not a valid CoAP URI.
    #[error("{0}; write a URI such as coaps://host:5684 to /0/x/0")]
    Uri(#[from] UriError),
    /// This client does not support the security mode (/0/x/2).
    #[error("security mode {0} is none of 0 (PSK), 1 (RPK), 2 (X.509), 3 (NoSec) and 4 (EST)")]
    Mode(i64),
    /// Mode 4, and the device has no certificate yet.
    #[error(
        "security mode 4 (/0/x/2) before there is a certificate; give the device a bootstrap server \
         in mode 4, which issues one"
    )]
    NotEnrolled,
    /// `coaps://` or `coaps+tcp://` with mode 3.
    #[error("a coaps server URI with security mode 3; use coap, or a mode with keys")]
    SecureUri,
    /// `coap://` or `coap+tcp://` with another mode than 3.
    #[error("a coap server URI with keys; use coaps, or security mode 3")]
    PlainUri,
    /// The PSK identity (/0/x/3), of so many bytes, is empty or too long.
    #[error("a PSK identity (/0/x/3) has 1 to 128 bytes, not {0}")]
    PskIdentity(usize),
    /// The pre-shared key (/0/x/5), of so many bytes, is empty or too long.
    #[error("a pre-shared key (/0/x/5) has 1 to 64 bytes, not {0}")]
    PskKey(usize),
    /// The private key (/0/x/5) cannot be read.
    #[error("the private key (/0/x/5) is no P-256 key as PKCS #8 or ECPrivateKey in DER")]
    PrivateKey,
    /// The private key (/0/x/5) and the public key or certificate (/0/x/3) do not belong together.
    #[error("the private key (/0/x/5) is not the one of the public key or certificate (/0/x/3)")]
    KeyPair,
    /// The certificate of the device (/0/x/3) cannot be read.
    #[error("the certificate of the device (/0/x/3) is no X.509 certificate in DER")]
    Certificate,
    /// The server's key or certificate (/0/x/4) is missing, or no P-256 key in its mode.
    #[error("the server's key or certificate (/0/x/4) is missing, or not what the mode needs")]
    ServerKey,
    /// The hash in /0/x/4 has another length than the matching type (/0/x/13) has.
    #[error("the hash of the server's certificate (/0/x/4) does not fit the matching type /0/x/13")]
    ServerHash,
    /// The matching type (/0/x/13) is unknown.
    #[error("matching type {0} (/0/x/13) is none of 0 to 3")]
    Matching(u64),
    /// The matching type (/0/x/13) is that of a hash, with raw public keys.
    #[error("a raw public key of the server is compared as a whole; use matching type 0 (/0/x/13)")]
    RawKeyMatching,
    /// A resource has a value of another type or range than OMA gives it.
    #[error("/0/x/{0} is missing, or has a value that it cannot have")]
    Value(u16),
    /// The certificate usage (/0/x/15) is unknown.
    #[error("certificate usage {0} (/0/x/15) is none of 0 to 3")]
    Usage(u64),
    /// The certificate usage needs roots, and the client has none.
    #[error(
        "certificate usage 0 or 1 (/0/x/15) needs trusted roots; give the client some, or use 2"
    )]
    NoRoots,
    /// None of the suites in /0/x/16 can be agreed on in the mode.
    #[error("no cipher suite in /0/x/16 suits the mode; leave it out for the usual ones")]
    Suites,
    /// The name of the server, for SNI, is longer than 255 bytes.
    #[error("the server's name (/0/x/14) has 1 to 255 bytes, not {0}")]
    Sni(usize),
    /// TLS 1.3 is asked for on datagrams or with a pre-shared key.
    #[error("TLS 1.3 is for coaps+tcp:// with a raw public key or certificate; use version 1.2")]
    Tls13,
    /// OSCORE (/0/x/17) is asked for.
    #[error("/0/x/17 asks for OSCORE, which this client lacks; use DTLS or TLS")]
    Oscore,
}
