//! IDs in payloads: like a path, but possibly relative or with 65535 in Create.

use crate::error::DecodeCause;
use lwm2m_core::Path;
use lwm2m_core::path::MAX_ID;

/// The instance ID in Create that lets the client choose: OMA LwM2M Core 1.2.1, section 6.3.4.
pub(crate) const ANY_INSTANCE: u16 = u16::MAX;

/// At most four IDs, which may be 65535.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ids {
    ids: [u16; 4],
    count: usize,
    /// Whether the name had no leading slash, so that the first ID may not be an object.
    relative: bool,
    /// Whether the name did not begin with the alternate path.
    outside: bool,
}

impl Ids {
    /// Appends an ID.
    pub(crate) fn child(mut self, id: u16) -> Option<Self> {
        self.push(id).map(|()| self)
    }

    #[inline]
    fn push(&mut self, id: u16) -> Option<()> {
        *self.ids.get_mut(self.count)? = id;
        self.count += 1;
        Some(())
    }

    /// Whether the name had no leading slash.
    pub(crate) const fn is_relative(&self) -> bool {
        self.relative
    }

    /// Whether the name did not begin with the alternate path of the device.
    pub(crate) const fn is_outside(&self) -> bool {
        self.outside
    }

    fn as_slice(&self) -> &[u16] {
        self.ids.get(..self.count).unwrap_or_default()
    }

    pub(crate) fn path(&self) -> Option<Path> {
        if self.as_slice().contains(&MAX_ID) {
            return None;
        }
        // Not ID by ID, which would take a quarter of the time of a record.
        let [object, instance, resource, ri] = self.ids;
        Some(match self.count {
            0 => Path::ROOT,
            1 => Path::object(object),
            2 => Path::instance(object, instance),
            3 => Path::resource(object, instance, resource),
            _ => Path::resource_instance(object, instance, resource, ri),
        })
    }

    /// Splits the IDs of a value in Create on `object` into the instance ID, if there is one, and the
    /// IDs of resource and resource instance. Two IDs that begin with the object, and one or two
    /// relative IDs, have no instance ID.
    fn below(&self, object: &Path) -> Option<(Option<u16>, &[u16])> {
        let own = |first: u16| object.object_id() == Some(first);
        match self.as_slice() {
            ids @ ([_] | [_, _]) if self.relative => Some((None, ids)),
            [first, resource @ ..] if resource.len() == 1 => {
                own(*first).then_some((None, resource))
            }
            [first, instance, resource @ ..] => {
                let instance = Some(*instance).filter(|id| *id != ANY_INSTANCE);
                own(*first).then_some((instance, resource))
            }
            _ => None,
        }
    }
}

/// Parses the IDs of a name such as `/3/0/0` in parts, so that many records share a parsed base name. A
/// name without a leading slash may be relative. The root is `/`.
#[derive(Clone, Copy)]
pub(crate) struct NameIds<'r> {
    /// The alternate path, and how much of it was parsed.
    root: &'r str,
    read: usize,
    ids: Ids,
    /// The ID whose digits are being parsed.
    current: Option<u16>,
    begun: bool,
}

impl<'r> NameIds<'r> {
    /// Creates a parser for names that begin with the alternate path `root`, if it is not empty.
    pub(crate) fn below(root: &'r str) -> Self {
        Self { root, read: 0, ids: Ids::default(), current: None, begun: false }
    }

    /// Strips the alternate path from a part of the name. Returns `None` if the name deviates after it
    /// began with the alternate path.
    fn take_root<'p>(&mut self, part: &'p str) -> Option<&'p str> {
        let rest = self.root.get(self.read..).unwrap_or_default();
        if let Some(below) = part.strip_prefix(rest)
            && (below.is_empty() || below.starts_with('/'))
        {
            self.read = self.root.len();
            return Some(below);
        }
        if rest.starts_with(part) {
            self.read += part.len();
            return Some("");
        }
        // Names with and without the alternate path begin with a slash.
        self.begun = self.root.get(..self.read)? == "/";
        if self.read > 0 && !self.begun {
            return None;
        }
        (self.read, self.ids.outside) = (self.root.len(), true);
        Some(part)
    }

    /// Parses a part of the name. Returns `None` if it is malformed.
    #[inline]
    pub(crate) fn read(mut self, part: &str) -> Option<Self> {
        let within = self.read < self.root.len() && !part.is_empty();
        let mut bytes = if within { self.take_root(part)? } else { part }.as_bytes();
        if let (false, Some((first, rest))) = (self.begun, bytes.split_first()) {
            self.begun = true;
            self.ids.relative = *first != b'/';
            if self.ids.relative && self.read > 0 && !self.ids.outside {
                // The last segment is longer than that of the alternate path.
                return None;
            }
            bytes = if self.ids.relative { bytes } else { rest };
        }
        for byte in bytes {
            self.current = match (self.current, *byte) {
                (Some(id), b'/') => {
                    self.ids.push(id)?;
                    None
                }
                (None, digit) => Some(u16::from(value_of(digit)?)),
                // IDs have no leading zeros.
                (Some(0), _) => return None,
                (Some(id), digit) => {
                    Some(id.checked_mul(10)?.checked_add(value_of(digit)?.into())?)
                }
            };
        }
        Some(self)
    }

    /// Whether no ID was parsed so far.
    pub(crate) const fn is_empty(&self) -> bool {
        self.ids.count == 0 && self.current.is_none()
    }

    /// Returns the IDs of the whole name.
    #[inline]
    pub(crate) fn finish(mut self) -> Option<Ids> {
        match self.current {
            Some(id) => self.ids.push(id).map(|()| self.ids),
            None => {
                // The alternate path alone is the root, like `/`.
                let rooted = self.read > 0 && self.read == self.root.len() && !self.ids.outside;
                ((self.begun || rooted) && self.ids.count == 0).then_some(self.ids)
            }
        }
    }
}

#[inline]
fn value_of(byte: u8) -> Option<u8> {
    byte.checked_sub(b'0').filter(|digit| *digit < 10)
}

/// The instance that a payload of Create is about, which its first value determines.
pub(crate) struct Chosen {
    object: Path,
    instance: Option<Option<u16>>,
}

impl Chosen {
    pub(crate) const fn new(object: Path) -> Self {
        Self { object, instance: None }
    }

    /// The instance ID, if the payload has one.
    pub(crate) fn instance(&self) -> Option<u16> {
        self.instance.flatten()
    }

    /// The path of a value; a missing instance ID becomes 0. `None` if the IDs do not name a value
    /// of the object.
    pub(crate) fn path(&mut self, ids: &Ids) -> Result<Option<Path>, DecodeCause> {
        let Some((instance, below)) = ids.below(&self.object) else { return Ok(None) };
        let first = *self.instance.get_or_insert(instance);
        let Ok(path) = self.object.child(instance.unwrap_or(0)) else { return Ok(None) };
        if first != instance {
            return Err(DecodeCause::OutsideTarget { target: self.object, path });
        }
        Ok(below.iter().try_fold(path, |path, id| path.child(*id)).ok())
    }
}
