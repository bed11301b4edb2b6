//! What is wrong with a certificate, and what to do about it.

/// Why a certificate cannot be used. The text says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFlaw {
    /// The bytes are not a certificate.
    #[error("it is malformed; issue it anew, in DER")]
    Malformed,
    /// It is of version 1 or 2 and has no extensions: RFC 5280 section 4.1.2.1.
    #[error("it is not of version 3; issue it anew, with extensions")]
    Version,
    /// It has a critical extension that is not known: RFC 5280 section 4.2.
    #[error("it has an unknown critical extension; issue it without, or mark that as not critical")]
    CriticalExtension,
    /// Its extended key usage excludes this side: RFC 5280 section 4.2.1.12.
    #[error(
        "its extendedKeyUsage is for other purposes; issue it with clientAuth for a device, or with \
         serverAuth for a server"
    )]
    Purpose,
    /// Its key usage lacks digitalSignature: RFC 8422 section 5.3.
    #[error("its keyUsage lacks digitalSignature; issue it with that, or without keyUsage")]
    KeyUsage,
    /// An authority uses its own certificate as a peer.
    #[error("it is an authority's (CA:TRUE); issue one with CA:FALSE for the peer itself")]
    IsAuthority,
    /// Its issuer, or an authority further up, may not issue certificates: RFC 5280 section
    /// 6.1.4 (k) and (n).
    #[error(
        "an authority above it may not issue certificates; give that one CA:TRUE, and keyCertSign \
         if it has a keyUsage"
    )]
    NotAnAuthority,
    /// There are more authorities above it than one of them allows: RFC 5280 section 4.2.1.9.
    #[error("an authority above it allows fewer below it; raise its pathLenConstraint")]
    PathLength,
    /// An authority above it may not issue its names: RFC 5280 section 4.2.1.10.
    #[error("an authority above it may not issue its names; check the nameConstraints of that one")]
    NameConstraints,
    /// Its only name is a common name, and an authority above it is limited in other kinds of names.
    #[error(
        "an authority above it has nameConstraints, which do not cover a common name; use an \
         authority without for devices"
    )]
    UncoveredName,
    /// Its key is not one of P-256.
    #[error(
        "its key is not of curve P-256; make one that is, as `openssl ecparam -name prime256v1`"
    )]
    Key,
    /// It, or the certificate of an authority above it, is not signed with ECDSA, P-256 and SHA-256.
    #[error(
        "a signature in its chain is not ECDSA with P-256 and SHA-256: the authority has another \
         kind of key, such as P-384 or RSA; use one with a key of P-256"
    )]
    Signature,
    /// A date cannot be read.
    #[error(
        "its validity cannot be read; issue it anew, with dates as RFC 5280 section 4.1.2.5 has them"
    )]
    Validity,
    /// The chain has more than four certificates after the peer's.
    #[error("its chain has more than 4 further certificates; send only those up to the authority")]
    LongChain,
}
