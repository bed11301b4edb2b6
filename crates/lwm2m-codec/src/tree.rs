//! Collects decoded values: into a tree, or into a list with their times.

use crate::error::DecodeCause;
use crate::ids::Ids;
use crate::quirk::Quirk;
use crate::reading::Reading;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;
use core::cmp::Ordering;
use lwm2m_core::{DataType, Node, Object, ObjectInstance, Path, Resource, Value};

/// A value with its path and its time.
#[derive(Clone, PartialEq, Debug)]
pub struct Timed {
    /// The time in seconds. Values of 2^28 and more are relative to 1970-01-01T00:00:00Z, smaller ones
    /// to now (RFC 8428 section 4.5.3). `None` means now.
    pub time: Option<f64>,
    /// The path of the resource or resource instance.
    pub path: Path,
    /// The value.
    pub value: Value,
}

impl Timed {
    /// Whether this value is older than `other`.
    #[must_use]
    pub fn is_older_than(&self, other: &Self) -> bool {
        age(self.time) < age(other.time)
    }
}

/// Receives the values of a decoder.
pub(crate) trait Sink {
    /// Receives a value at or below the path of the request.
    fn value(&mut self, path: Path, time: Option<f64>, value: Value) -> Result<(), DecodeCause>;

    /// Receives an object instance or multiple-instance resource, which may be empty.
    fn container(&mut self, path: Path) -> Result<(), DecodeCause>;
}

/// The path of a request, and checks of the paths below it.
#[derive(Clone, Copy)]
pub(crate) struct Target<'m> {
    pub(crate) path: Path,
    pub(crate) reading: &'m Reading<'m>,
}

impl Target<'_> {
    /// Checks that a value is allowed at `path`. Returns its path in the tree, and its data type if the
    /// model knows it.
    #[inline]
    pub(crate) fn admit(&self, path: &Path) -> Result<(Path, Option<DataType>), DecodeCause> {
        if !self.path.contains(path) {
            return Err(DecodeCause::OutsideTarget { target: self.path, path: *path });
        }
        let (Some(object), Some(resource)) = (path.object_id(), path.resource_id()) else {
            return Err(DecodeCause::NoValue { path: *path });
        };
        let Some(known) = self.reading.model.resource(object, resource) else {
            return Ok((*path, None));
        };
        let placed = match (known.multiple, path.depth() == 4) {
            (true, false) => {
                self.reading.forgive(Quirk::SingleForMultiple)?;
                path.child(0).map_err(|_| DecodeCause::Multiplicity { path: *path })?
            }
            (false, true) => return Err(DecodeCause::Multiplicity { path: *path }),
            _ => *path,
        };
        Ok((placed, Some(known.data_type)))
    }

    /// Checks that a multiple-instance resource is allowed at `path`. Object instances always are.
    pub(crate) fn admit_container(&self, path: &Path) -> Result<(), DecodeCause> {
        let (Some(object), Some(resource)) = (path.object_id(), path.resource_id()) else {
            return Ok(());
        };
        match self.reading.model.resource(object, resource) {
            Some(known) if !known.multiple => Err(DecodeCause::Multiplicity { path: *path }),
            _ => Ok(()),
        }
    }

    /// Passes a value to `sink`. If it cannot be read, leaves it out of an answer that has other values
    /// and returns `false`.
    #[inline]
    pub(crate) fn take(
        &self,
        path: Path,
        sink: &mut dyn Sink,
        time: Option<f64>,
        read: impl FnOnce(Path, Option<DataType>) -> Result<Value, DecodeCause>,
    ) -> Result<bool, DecodeCause> {
        let taken = self
            .admit(&path)
            .and_then(|(placed, data_type)| sink.value(placed, time, read(placed, data_type)?));
        match taken {
            Ok(()) => {
                self.reading.note_taken();
                Ok(true)
            }
            Err(cause) => self.leave_out(path, cause).map(|()| false),
        }
    }

    /// Leaves what is at `path` out of an answer that has other values.
    #[cold]
    pub(crate) fn leave_out(&self, path: Path, cause: DecodeCause) -> Result<(), DecodeCause> {
        let below = path.depth() > self.path.depth() && path.depth() >= 3;
        let odd = below && !matches!(cause, DecodeCause::TooManyValues);
        if !self.reading.is_answer() || !(odd || cause.is_misplaced()) {
            return Err(cause);
        }
        self.reading.leave_out(path, cause);
        Ok(())
    }

    /// Leaves what has no path out of an answer.
    #[cold]
    pub(crate) fn leave_out_misplaced(&self, cause: DecodeCause) -> Result<(), DecodeCause> {
        match cause {
            DecodeCause::Name { .. } => self.leave_out(self.path, cause),
            cause => Err(cause),
        }
    }

    /// Whether the IDs name a value at or below the path of the request.
    pub(crate) fn has_value_at(&self, ids: &Ids) -> bool {
        ids.path().is_some_and(|path| path.depth() >= 3 && self.path.contains(&path))
    }

    /// Whether the path addresses a node that may have no values.
    pub(crate) fn is_container(&self) -> bool {
        self.path.depth() < 3 || (self.path.depth() == 3 && self.is_multiple())
    }

    /// Whether the model knows the resource of the request as multiple-instance.
    pub(crate) fn is_multiple(&self) -> bool {
        let ids = (self.path.object_id(), self.path.resource_id());
        let (Some(object), Some(resource)) = ids else { return false };
        self.reading.model.resource(object, resource).is_some_and(|known| known.multiple)
    }
}

/// A list of all values.
pub(crate) struct Values {
    pub(crate) list: Vec<Timed>,
    /// How long it may get.
    pub(crate) max: usize,
}

impl Sink for Values {
    fn value(&mut self, path: Path, time: Option<f64>, value: Value) -> Result<(), DecodeCause> {
        if self.list.len() >= self.max {
            return Err(DecodeCause::TooManyValues);
        }
        self.list.push(Timed { time, path, value });
        Ok(())
    }

    fn container(&mut self, _: Path) -> Result<(), DecodeCause> {
        Ok(())
    }
}

/// A tree of the newest values.
pub(crate) struct Tree {
    /// How many more values and containers are accepted.
    left: usize,
    objects: BTreeMap<u16, Object>,
    /// The instance of the latest value, taken out of the tree, because most of the following values
    /// belong to it.
    open: Option<((u16, u16), ObjectInstance)>,
    /// The times of values that have one.
    times: BTreeMap<Path, f64>,
}

impl Sink for Tree {
    fn value(&mut self, path: Path, time: Option<f64>, value: Value) -> Result<(), DecodeCause> {
        self.left = self.left.checked_sub(1).ok_or(DecodeCause::TooManyValues)?;
        let &[object, instance, id, ref ri @ ..] = path.ids() else {
            return Err(DecodeCause::NoValue { path });
        };
        let known = if self.times.is_empty() { None } else { self.times.get(&path).copied() };
        let resources = self.instance(object, instance);
        let old = match (resources.entry(id), ri.first()) {
            (Entry::Vacant(entry), None) => {
                entry.insert(Resource::Single(value));
                return self.note(path, time);
            }
            (Entry::Vacant(entry), Some(ri)) => {
                let mut values = BTreeMap::new();
                values.insert(*ri, value);
                entry.insert(Resource::Multiple(values));
                return self.note(path, time);
            }
            (Entry::Occupied(entry), ri) => match (entry.into_mut(), ri) {
                (Resource::Single(old), None) => old,
                (Resource::Multiple(values), Some(ri)) => match values.entry(*ri) {
                    Entry::Vacant(entry) => {
                        entry.insert(value);
                        return self.note(path, time);
                    }
                    Entry::Occupied(entry) => entry.into_mut(),
                },
                _ => return Err(DecodeCause::Multiplicity { path }),
            },
        };
        match age(time).partial_cmp(&age(known)) {
            Some(Ordering::Greater) => *old = value,
            Some(Ordering::Less) => return Ok(()),
            _ => return Err(DecodeCause::Duplicate { path }),
        }
        self.note(path, time)
    }

    fn container(&mut self, path: Path) -> Result<(), DecodeCause> {
        self.left = self.left.checked_sub(1).ok_or(DecodeCause::TooManyValues)?;
        let &[object, instance, ref resource @ ..] = path.ids() else { return Ok(()) };
        let fresh = match resource.first() {
            None => {
                self.close();
                let instances = &mut self.objects.entry(object).or_default().instances;
                instances.insert(instance, ObjectInstance::default()).is_none()
            }
            Some(id) => {
                let resources = self.instance(object, instance);
                resources.insert(*id, Resource::Multiple(BTreeMap::new())).is_none()
            }
        };
        if fresh { Ok(()) } else { Err(DecodeCause::Duplicate { path }) }
    }
}

/// A key that is larger for newer values. Relative times are newer than absolute ones, which are in the
/// past. No time means now.
pub(crate) fn age(time: Option<f64>) -> (bool, f64) {
    const FIRST_ABSOLUTE: f64 = 268_435_456.0;
    let time = time.unwrap_or(0.0);
    (time < FIRST_ABSOLUTE, time)
}

impl Tree {
    /// An empty tree for up to `values` values and containers.
    pub(crate) const fn at_most(values: usize) -> Self {
        Self { left: values, objects: BTreeMap::new(), open: None, times: BTreeMap::new() }
    }

    /// The resources of an instance.
    #[inline]
    fn instance(&mut self, object: u16, instance: u16) -> &mut BTreeMap<u16, Resource> {
        if self.open.as_ref().is_some_and(|(ids, _)| *ids != (object, instance)) {
            self.close();
        }
        let take = || {
            let above = self.objects.get_mut(&object);
            let known = above.and_then(|above| above.instances.remove(&instance));
            ((object, instance), known.unwrap_or_default())
        };
        &mut self.open.get_or_insert_with(take).1.resources
    }

    /// Puts the open instance back into the tree.
    fn close(&mut self) {
        if let Some(((object, id), instance)) = self.open.take() {
            self.objects.entry(object).or_default().instances.insert(id, instance);
        }
    }

    /// Stores the time of a value.
    #[inline]
    fn note(&mut self, path: Path, time: Option<f64>) -> Result<(), DecodeCause> {
        match time {
            Some(time) => drop(self.times.insert(path, time)),
            None if self.times.is_empty() => {}
            None => drop(self.times.remove(&path)),
        }
        Ok(())
    }

    /// The node at the path of the request.
    pub(crate) fn into_node(mut self, target: &Target<'_>) -> Result<Node, DecodeCause> {
        let path = target.path;
        let missing = DecodeCause::NoValue { path };
        let &[object, instance, ref below @ ..] = path.ids() else {
            self.close();
            return Ok(match path.object_id() {
                None => Node::Root(self.objects),
                Some(id) => Node::Object(self.objects.remove(&id).unwrap_or_default()),
            });
        };
        let mut resources = core::mem::take(self.instance(object, instance));
        let &[resource, ref below @ ..] = below else {
            return Ok(Node::ObjectInstance(ObjectInstance { resources }));
        };
        let resource = match resources.remove(&resource) {
            None if target.is_multiple() && below.is_empty() => Resource::Multiple(BTreeMap::new()),
            found => found.ok_or_else(|| missing.clone())?,
        };
        match (resource, below.first()) {
            (resource, None) => Ok(Node::Resource(resource)),
            (Resource::Multiple(mut values), Some(ri)) => {
                values.remove(ri).map(Node::ResourceInstance).ok_or(missing)
            }
            (Resource::Single(_), Some(_)) => Err(missing),
        }
    }
}
