//! Versions of LwM2M and of objects, and binding modes: OMA LwM2M Core, sections 6.2 and 7.2.

use core::fmt;
use core::str::FromStr;

/// A version of the LwM2M enabler: the query parameter `lwm2m` of Register.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Version {
    /// LwM2M 1.0.
    V1_0,
    /// LwM2M 1.1.
    V1_1,
    /// LwM2M 1.2.
    V1_2,
}

/// A text is not a supported LwM2M version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a supported version; this stack speaks LwM2M 1.0, 1.1 and 1.2")]
pub struct VersionError;

impl Version {
    /// The value of the query parameter `lwm2m`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
        }
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        match text {
            "1.0" => Ok(Self::V1_0),
            "1.1" => Ok(Self::V1_1),
            "1.2" => Ok(Self::V1_2),
            _ => Err(VersionError),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The version of an object definition, `major.minor` (OMA LwM2M Core, section 7.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObjectVersion {
    /// The major version. Versions with different majors are incompatible.
    pub major: u8,
    /// The minor version. A higher minor is backwards compatible.
    pub minor: u8,
}

impl ObjectVersion {
    /// 1.0, the version of an object that is announced without one.
    pub const V1_0: Self = Self::new(1, 0);

    /// The version `major.minor`.
    #[must_use]
    pub const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor }
    }
}

impl Default for ObjectVersion {
    fn default() -> Self {
        Self::V1_0
    }
}

/// A text is not `major.minor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an object version is written major.minor, for example 1.1, each 0 to 255")]
pub struct ObjectVersionError;

impl FromStr for ObjectVersion {
    type Err = ObjectVersionError;

    fn from_str(text: &str) -> Result<Self, ObjectVersionError> {
        let part = |digits: &str| match digits.bytes().all(|b| b.is_ascii_digit()) {
            true => digits.parse().map_err(|_| ObjectVersionError),
            false => Err(ObjectVersionError),
        };
        let (major, minor) = text.split_once('.').ok_or(ObjectVersionError)?;
        Ok(Self::new(part(major)?, part(minor)?))
    }
}

impl fmt::Display for ObjectVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The transports that a client supports: a set of the letters of the query parameter `b` (OMA
/// LwM2M Core, section 6.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BindingMode(u8);

/// A text is not a binding mode of the LwM2M version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a binding mode of this LwM2M version; U is UDP, T is TCP, S is SMS, N is non-IP")]
pub struct BindingModeError;

const LETTERS: [char; 6] = ['U', 'T', 'S', 'N', 'M', 'H'];

impl BindingMode {
    /// UDP only. Default.
    pub const U: Self = Self(1);
    /// TCP only (since LwM2M 1.1).
    pub const T: Self = Self(2);
    /// UDP and TCP (since LwM2M 1.1).
    pub const UT: Self = Self(3);

    /// Whether the set includes all transports of `other`.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Parses the letters that `version` allows. The second value tells whether they include the
    /// queue mode of LwM2M 1.0, as in `UQ`.
    ///
    /// # Errors
    /// The text is empty, repeats a letter, or has a letter that the version does not define.
    pub fn parse(text: &str, version: Version) -> Result<(Self, bool), BindingModeError> {
        if version == Version::V1_0 {
            return Self::parse_1_0(text);
        }
        let known = if version == Version::V1_1 { 4 } else { LETTERS.len() };
        let mut bits = 0u8;
        for letter in text.chars() {
            let place = LETTERS.iter().take(known).position(|known| *known == letter);
            let bit = 1u8 << place.ok_or(BindingModeError)?;
            if bits & bit != 0 {
                return Err(BindingModeError);
            }
            bits |= bit;
        }
        if bits == 0 { Err(BindingModeError) } else { Ok((Self(bits), false)) }
    }

    fn parse_1_0(text: &str) -> Result<(Self, bool), BindingModeError> {
        match text {
            "U" => Ok((Self(1), false)),
            "UQ" => Ok((Self(1), true)),
            "S" => Ok((Self(4), false)),
            "SQ" => Ok((Self(4), true)),
            "US" => Ok((Self(5), false)),
            "UQS" => Ok((Self(5), true)),
            _ => Err(BindingModeError),
        }
    }
}

impl Default for BindingMode {
    fn default() -> Self {
        Self::U
    }
}

impl fmt::Display for BindingMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = LETTERS.iter().enumerate().filter(|(place, _)| self.0 & (1 << place) != 0);
        set.map(|(_, letter)| *letter).try_for_each(|letter| fmt::Write::write_char(f, letter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn versions() {
        assert_eq!("1.1".parse(), Ok(Version::V1_1));
        assert_eq!("2.0".parse::<Version>(), Err(VersionError));
        assert_eq!("1.3".parse(), Ok(ObjectVersion::new(1, 3)));
        for bad in ["1", "1.", "a.b", "1.256", "+1.0", "1.0.0"] {
            assert!(bad.parse::<ObjectVersion>().is_err(), "{bad}");
        }
    }

    // The table of requirement REG-22; a test of the server proves the rest.
    #[test]
    fn binding_modes_depend_on_the_version() {
        assert_eq!(BindingMode::parse("UQ", Version::V1_0), Ok((BindingMode::U, true)));
        assert!(BindingMode::parse("UT", Version::V1_0).is_err());
        let (ut, queue) = BindingMode::parse("UT", Version::V1_1).unwrap();
        assert_eq!((ut.to_string().as_str(), queue), ("UT", false));
        assert!(BindingMode::parse("UQ", Version::V1_1).is_err());
        assert!(BindingMode::parse("M", Version::V1_1).is_err());
        assert!(BindingMode::parse("M", Version::V1_2).is_ok());
        assert!(BindingMode::parse("", Version::V1_2).is_err());
        assert!(BindingMode::parse("UU", Version::V1_2).is_err());
    }
}
