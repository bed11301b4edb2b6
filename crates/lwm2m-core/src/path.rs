//! Paths: `/{object}/{instance}/{resource}/{resource instance}`. OMA LwM2M Core, section 7.2.

use core::fmt;
use core::str::FromStr;

/// MAX_ID, the reserved ID 65535. No path contains it.
pub const MAX_ID: u16 = u16::MAX;

/// An address of at most four IDs, each from 0 to 65534. The root has none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Path {
    // Unused IDs are 0, so that the derived order and equality are right.
    ids: [u16; 4],
    len: u8,
}

/// Why a text or a list of IDs is not a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// The segment at this index is empty, not a decimal number, or has a leading zero.
    #[error("segment {0} of the path is not a decimal ID; write for example /3/0/0")]
    NotANumber(usize),
    /// The segment at this index is above 65534; 65535 is reserved.
    #[error("segment {0} of the path is above 65534, the largest ID")]
    OutOfRange(usize),
    /// There are more than four IDs.
    #[error("a path has at most 4 IDs: object, instance, resource, resource instance")]
    TooLong,
}

impl Path {
    /// The root `/`.
    pub const ROOT: Self = Self { ids: [0; 4], len: 0 };

    /// The path `/{object}`.
    #[must_use]
    pub const fn object(object: u16) -> Self {
        Self { ids: [object, 0, 0, 0], len: 1 }
    }

    /// The path `/{object}/{instance}`.
    #[must_use]
    pub const fn instance(object: u16, instance: u16) -> Self {
        Self { ids: [object, instance, 0, 0], len: 2 }
    }

    /// The path `/{object}/{instance}/{resource}`.
    #[must_use]
    pub const fn resource(object: u16, instance: u16, resource: u16) -> Self {
        Self { ids: [object, instance, resource, 0], len: 3 }
    }

    /// The path `/{object}/{instance}/{resource}/{resource instance}`.
    #[must_use]
    pub const fn resource_instance(object: u16, instance: u16, resource: u16, ri: u16) -> Self {
        Self { ids: [object, instance, resource, ri], len: 4 }
    }

    /// The path of these IDs.
    ///
    /// # Errors
    /// [`PathError::TooLong`] for more than four IDs, [`PathError::OutOfRange`] for the ID 65535.
    pub fn from_ids(ids: &[u16]) -> Result<Self, PathError> {
        ids.iter().try_fold(Self::ROOT, |path, id| path.child(*id))
    }

    /// Appends an ID.
    ///
    /// # Errors
    /// As [`Path::from_ids`].
    #[inline]
    pub fn child(mut self, id: u16) -> Result<Self, PathError> {
        let place = usize::from(self.len);
        let slot = self.ids.get_mut(place).ok_or(PathError::TooLong)?;
        if id == MAX_ID {
            return Err(PathError::OutOfRange(place));
        }
        *slot = id;
        self.len += 1;
        Ok(self)
    }

    /// Parses the values of Uri-Path options: one decimal ID each.
    ///
    /// # Errors
    /// As [`PathError`] tells.
    pub fn from_segments<'a>(
        segments: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, PathError> {
        segments
            .into_iter()
            .enumerate()
            .try_fold(Self::ROOT, |path, (place, segment)| path.child(parse_id(segment, place)?))
    }

    /// The IDs, beginning with the object.
    #[must_use]
    #[inline]
    pub fn ids(&self) -> &[u16] {
        self.ids.get(..usize::from(self.len)).unwrap_or(&self.ids)
    }

    /// The number of IDs: 0 root, 1 object, 2 object instance, 3 resource, 4 resource instance.
    #[must_use]
    #[inline]
    pub const fn depth(&self) -> usize {
        self.len as usize
    }

    /// The object ID, if the path has one.
    #[must_use]
    #[inline]
    pub fn object_id(&self) -> Option<u16> {
        self.ids().first().copied()
    }

    /// The object instance ID, if the path has one.
    #[must_use]
    #[inline]
    pub fn instance_id(&self) -> Option<u16> {
        self.ids().get(1).copied()
    }

    /// The resource ID, if the path has one.
    #[must_use]
    #[inline]
    pub fn resource_id(&self) -> Option<u16> {
        self.ids().get(2).copied()
    }

    /// The resource instance ID, if the path has one.
    #[must_use]
    #[inline]
    pub fn resource_instance_id(&self) -> Option<u16> {
        self.ids().get(3).copied()
    }

    /// The path without its last ID, or `None` for the root.
    #[must_use]
    pub fn parent(mut self) -> Option<Self> {
        let last = self.len.checked_sub(1)?;
        *self.ids.get_mut(usize::from(last))? = 0;
        self.len = last;
        Some(self)
    }

    /// The first `depth` IDs of this path, or the whole path if it has fewer.
    #[must_use]
    pub fn prefix(self, depth: usize) -> Self {
        let mut path = self;
        while path.depth() > depth {
            path = path.parent().unwrap_or(Self::ROOT);
        }
        path
    }

    /// Whether `other` equals this path or is below it.
    #[must_use]
    #[inline]
    pub fn contains(&self, other: &Self) -> bool {
        // Comparing at most four IDs one by one is faster than comparing slices.
        self.len <= other.len && self.ids().iter().zip(&other.ids).all(|(id, other)| id == other)
    }

    /// Whether one of the two paths contains the other.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }
}

fn parse_id(segment: &[u8], place: usize) -> Result<u16, PathError> {
    let canonical = segment != b"" && (segment == b"0" || segment.first() != Some(&b'0'));
    if !canonical || !segment.iter().all(u8::is_ascii_digit) {
        return Err(PathError::NotANumber(place));
    }
    let id = segment
        .iter()
        .try_fold(0u16, |id, digit| id.checked_mul(10)?.checked_add(u16::from(digit - b'0')));
    id.ok_or(PathError::OutOfRange(place))
}

impl FromStr for Path {
    type Err = PathError;

    /// Parses `/3/0/0`, `3/0/0` and `/`. Refuses a trailing slash.
    fn from_str(text: &str) -> Result<Self, PathError> {
        let text = text.strip_prefix('/').unwrap_or(text);
        if text.is_empty() {
            return Ok(Self::ROOT);
        }
        Self::from_segments(text.split('/').map(str::as_bytes))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.len == 0 {
            return f.write_str("/");
        }
        self.ids().iter().try_for_each(|id| write!(f, "/{id}"))
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    // proves: PATH-01
    #[test]
    fn paths_have_one_to_four_decimal_ids_up_to_65534() {
        for good in ["/3", "/3/0", "/3/0/11", "/3/0/11/0", "/65534", "/"] {
            assert_eq!(good.parse::<Path>().unwrap().to_string(), good);
        }
        assert_eq!("3/0".parse(), Ok(Path::instance(3, 0)));
        assert_eq!("/65535".parse::<Path>(), Err(PathError::OutOfRange(0)));
        assert_eq!("/65536".parse::<Path>(), Err(PathError::OutOfRange(0)));
        assert_eq!("/3/x".parse::<Path>(), Err(PathError::NotANumber(1)));
        assert_eq!("/-1".parse::<Path>(), Err(PathError::NotANumber(0)));
        assert_eq!("/+1".parse::<Path>(), Err(PathError::NotANumber(0)));
        assert_eq!("/3//0".parse::<Path>(), Err(PathError::NotANumber(1)));
        assert_eq!("/3/0/".parse::<Path>(), Err(PathError::NotANumber(2)));
        assert_eq!("/03".parse::<Path>(), Err(PathError::NotANumber(0)));
        assert_eq!("/3/0/6/0/1".parse::<Path>(), Err(PathError::TooLong));
    }

    #[test]
    fn a_path_contains_itself_and_what_lies_below() {
        let device = Path::instance(3, 0);
        assert!(Path::ROOT.contains(&device));
        assert!(device.contains(&device));
        assert!(device.contains(&Path::resource(3, 0, 9)));
        assert!(!device.contains(&Path::object(3)));
        assert!(!device.contains(&Path::instance(3, 1)));
        assert!(device.overlaps(&Path::object(3)));
        assert_eq!(Path::resource_instance(3, 0, 6, 1).prefix(2), device);
    }

    proptest! {
        #[test]
        fn text_and_back(ids in proptest::collection::vec(0u16..MAX_ID, 0..=4)) {
            let path = Path::from_ids(&ids).unwrap();
            prop_assert_eq!(path.ids(), &ids[..]);
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }
    }
}
