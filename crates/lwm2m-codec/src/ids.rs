//! Ids as payloads name them: like a path, but with 65535 in Create, and relative there.

use crate::DecodeCause;
use lwm2m_core::Path;
use lwm2m_core::path::MAX_ID;

/// The instance id in Create that leaves the choice to the client (OMA LwM2M Core 1.2.1, 6.3.4).
pub(crate) const ANY_INSTANCE: u16 = u16::MAX;

/// Up to four ids; 65535 is allowed among them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ids {
    ids: [u16; 4],
    count: usize,
    /// Whether the first one is not known to be an object.
    relative: bool,
    /// Whether the alternate path was missing in front.
    outside: bool,
}

impl Ids {
    /// These ids and one more.
    pub(crate) fn child(mut self, id: u16) -> Option<Self> {
        self.push(id).map(|()| self)
    }

    #[inline]
    fn push(&mut self, id: u16) -> Option<()> {
        *self.ids.get_mut(self.count)? = id;
        self.count += 1;
        Some(())
    }

    /// Whether the name that these were read from had no slash in front.
    pub(crate) const fn is_relative(&self) -> bool {
        self.relative
    }

    /// Whether the name lacked the alternate path that the device has.
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
        // At once, not id by id: that takes a quarter of the time of a record.
        let [object, instance, resource, ri] = self.ids;
        Some(match self.count {
            0 => Path::ROOT,
            1 => Path::object(object),
            2 => Path::instance(object, instance),
            3 => Path::resource(object, instance, resource),
            _ => Path::resource_instance(object, instance, resource, ri),
        })
    }

    /// The instance id, if there is one, and the ids of resource and resource instance, of a value
    /// in Create on `object`. Two ids that begin with the object, and less than three that are
    /// relative, have no instance id.
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

/// The ids of a name such as `/3/0/0`, which is read in parts: a base name is the same for many
/// records. Without the first slash a name may be relative. The root is `/`.
#[derive(Clone, Copy)]
pub(crate) struct NameIds<'r> {
    /// The alternate path, and how much of it has been read.
    root: &'r str,
    read: usize,
    ids: Ids,
    /// The id whose digits are being read.
    current: Option<u16>,
    begun: bool,
}

impl<'r> NameIds<'r> {
    /// A name that is to begin with an alternate path, if that is not empty.
    pub(crate) fn below(root: &'r str) -> Self {
        Self { root, read: 0, ids: Ids::default(), current: None, begun: false }
    }

    /// Takes what belongs to the alternate path off a part of the name; nothing if that begins
    /// with something else behind the beginning of the alternate path.
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
        // A slash begins names of either kind.
        self.begun = self.root.get(..self.read)? == "/";
        if self.read > 0 && !self.begun {
            return None;
        }
        (self.read, self.ids.outside) = (self.root.len(), true);
        Some(part)
    }

    /// Reads a part of the name; nothing if it leaves the grammar.
    #[inline]
    pub(crate) fn read(mut self, part: &str) -> Option<Self> {
        let within = self.read < self.root.len() && !part.is_empty();
        let mut bytes = if within { self.take_root(part)? } else { part }.as_bytes();
        if let (false, Some((first, rest))) = (self.begun, bytes.split_first()) {
            self.begun = true;
            self.ids.relative = *first != b'/';
            if self.ids.relative && self.read > 0 && !self.ids.outside {
                // The alternate path has ended, but its last segment goes on.
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
                // No id has a leading zero.
                (Some(0), _) => return None,
                (Some(id), digit) => {
                    Some(id.checked_mul(10)?.checked_add(value_of(digit)?.into())?)
                }
            };
        }
        Some(self)
    }

    /// The ids of the whole name.
    #[inline]
    pub(crate) fn finish(mut self) -> Option<Ids> {
        match self.current {
            Some(id) => self.ids.push(id).map(|()| self.ids),
            None => {
                // The alternate path by itself is the root, as a slash is.
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

/// The one instance that a payload of Create is about, as its first value tells.
pub(crate) struct Chosen {
    object: Path,
    instance: Option<Option<u16>>,
}

impl Chosen {
    pub(crate) const fn new(object: Path) -> Self {
        Self { object, instance: None }
    }

    /// The instance id, if the payload has one.
    pub(crate) fn instance(&self) -> Option<u16> {
        self.instance.flatten()
    }

    /// The path of a value, with instance id 0 if there is none; nothing if the ids name no value
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
