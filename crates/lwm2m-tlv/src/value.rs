//! Decodes values by data type: OMA LwM2M Core, Appendix C. Numbers are big-endian.

use crate::error::Error;

fn fixed<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    value.try_into().ok()
}

const fn wrong(expected: &'static str, value: &[u8]) -> Error {
    Error::Value { expected, length: value.len() }
}

/// Decodes an Integer or Time: 1, 2, 4 or 8 bytes in two's complement.
///
/// # Errors
/// [`Error::Value`] for any other length.
#[inline]
pub fn integer(value: &[u8]) -> Result<i64, Error> {
    let number = match value.len() {
        1 => fixed(value).map(|bytes| i8::from_be_bytes(bytes).into()),
        2 => fixed(value).map(|bytes| i16::from_be_bytes(bytes).into()),
        4 => fixed(value).map(|bytes| i32::from_be_bytes(bytes).into()),
        _ => fixed(value).map(i64::from_be_bytes),
    };
    number.ok_or_else(|| wrong("Integer", value))
}

/// Decodes an Unsigned Integer: 1, 2, 4 or 8 bytes.
///
/// # Errors
/// [`Error::Value`] for any other length.
#[inline]
pub fn unsigned(value: &[u8]) -> Result<u64, Error> {
    let number = match value.len() {
        1 => fixed(value).map(|bytes| u8::from_be_bytes(bytes).into()),
        2 => fixed(value).map(|bytes| u16::from_be_bytes(bytes).into()),
        4 => fixed(value).map(|bytes| u32::from_be_bytes(bytes).into()),
        _ => fixed(value).map(u64::from_be_bytes),
    };
    number.ok_or_else(|| wrong("Unsigned Integer", value))
}

/// Decodes a Float: 4 or 8 bytes of IEEE 754.
///
/// # Errors
/// [`Error::Value`] for any other length.
#[inline]
pub fn float(value: &[u8]) -> Result<f64, Error> {
    let number = match value.len() {
        4 => fixed(value).map(|bytes| f32::from_be_bytes(bytes).into()),
        _ => fixed(value).map(f64::from_be_bytes),
    };
    number.ok_or_else(|| wrong("Float", value))
}

/// Decodes a Boolean: one byte, 0 or 1.
///
/// # Errors
/// [`Error::Value`] for anything else.
#[inline]
pub const fn boolean(value: &[u8]) -> Result<bool, Error> {
    match value {
        [0] => Ok(false),
        [1] => Ok(true),
        _ => Err(wrong("Boolean", value)),
    }
}

/// Decodes a String or Corelnk: UTF-8.
///
/// # Errors
/// [`Error::Value`] for other bytes.
#[inline]
pub fn string(value: &[u8]) -> Result<&str, Error> {
    core::str::from_utf8(value).map_err(|_| wrong("String", value))
}

/// Decodes an Objlnk: the object ID and the object instance ID. The null link is 65535 and 65535.
///
/// # Errors
/// [`Error::Value`] unless there are 4 bytes.
#[inline]
pub const fn object_link(value: &[u8]) -> Result<(u16, u16), Error> {
    match value {
        [o1, o0, i1, i0] => Ok((u16::from_be_bytes([*o1, *o0]), u16::from_be_bytes([*i1, *i0]))),
        _ => Err(wrong("Objlnk", value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_its_lengths() {
        let bytes = [0xFF; 9];
        for length in 0..bytes.len() {
            let value = &bytes[..length];
            let number = matches!(length, 1 | 2 | 4 | 8);
            assert_eq!(integer(value), number.then_some(-1).ok_or_else(|| wrong("Integer", value)));
            assert_eq!(unsigned(value).is_ok(), number, "{length}");
            assert_eq!(float(value).is_ok(), matches!(length, 4 | 8), "{length}");
            assert_eq!(object_link(value).is_ok(), length == 4, "{length}");
            assert_eq!(string(value).is_ok(), length == 0);
            assert!(boolean(value).is_err());
        }
        assert_eq!((boolean(&[0]), boolean(&[1])), (Ok(false), Ok(true)));
        assert_eq!(boolean(&[2]), Err(wrong("Boolean", &[2])));
        assert_eq!(boolean(&[0, 1]), Err(wrong("Boolean", &[0, 1])));
    }

    // proves: TLV-06
    #[test]
    fn object_links() {
        assert_eq!(object_link(&[0, 66, 0, 0]), Ok((66, 0)));
        assert_eq!(object_link(&[0xFF; 4]), Ok((65535, 65535)));
        assert_eq!(object_link(&[0, 66, 0]), Err(wrong("Objlnk", &[0; 3])));
    }
}
