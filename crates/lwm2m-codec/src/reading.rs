//! Strict and lenient decoding: known deviations of devices are refused, or tolerated and reported.

use crate::error::DecodeCause;
use crate::ids::Ids;
use crate::quirk::Quirk;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;
use lwm2m_core::{Model, Path};

/// Decodes payloads with a model of the objects, strictly or leniently.
///
/// ```
/// use lwm2m_codec::{Quirk, Reading};
/// use lwm2m_core::{ContentFormat, Path, model::NoModel};
///
/// let (path, payload) = (Path::resource(3, 0, 9), br#"[{"n":"3/0/9","v":1}]"#);
/// let lenient = Reading::lenient(&NoModel);
/// assert!(lenient.decode(ContentFormat::SENML_JSON, &path, payload).is_ok());
/// assert!(lenient.forgiven().eq([Quirk::RelativeName]));
/// let strict = Reading::strict(&NoModel);
/// assert!(strict.decode(ContentFormat::SENML_JSON, &path, payload).is_err());
/// ```
pub struct Reading<'m> {
    pub(crate) model: &'m dyn Model,
    /// The alternate path without a trailing slash.
    pub(crate) root: &'m str,
    manner: Manner,
    /// The values that a payload may have.
    pub(crate) max_values: usize,
    /// One bit per tolerated quirk.
    forgiven: Cell<u32>,
    left_out: RefCell<Vec<LeftOut>>,
    /// Whether a value was taken from the payload at hand.
    has_taken: Cell<bool>,
    /// The first thing in the payload at hand that has no path within that of the request.
    misplaced: RefCell<Option<DecodeCause>>,
}

/// How generous a [`Reading`] is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Manner {
    Strict,
    Lenient,
    Answer,
}

/// A value that was left out of the answer of a device, because it cannot be read.
#[derive(Clone, PartialEq, Debug)]
pub struct LeftOut {
    /// The path of the value; that of the request where a record does not tell.
    pub path: Path,
    /// Why it cannot be read.
    pub cause: DecodeCause,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is left out: {}", self.path, self.cause)
    }
}

/// The most values that a [`Reading`] reports as left out.
const MAX_LEFT_OUT: usize = 64;

impl<'m> Reading<'m> {
    /// Tolerates every [`Quirk`] that a request may have. Clients decode requests so.
    #[must_use]
    pub const fn lenient(model: &'m dyn Model) -> Self {
        Self::new(model, Manner::Lenient)
    }

    /// Refuses every [`Quirk`].
    #[must_use]
    pub const fn strict(model: &'m dyn Model) -> Self {
        Self::new(model, Manner::Strict)
    }

    /// Takes what it can of a device's answer, notification or Send. Tolerates every [`Quirk`].
    ///
    /// Below an object, instance or multiple-instance resource, a value that cannot be read is left
    /// out and reported by [`left_out`](Self::left_out). So is what has no path, or one outside of the
    /// request, if there are other values. No payload means no values.
    #[must_use]
    pub const fn answer(model: &'m dyn Model) -> Self {
        Self::new(model, Manner::Answer)
    }

    const fn new(model: &'m dyn Model, manner: Manner) -> Self {
        let left_out = RefCell::new(Vec::new());
        let (root, max_values) = ("", usize::MAX);
        let (has_taken, misplaced) = (Cell::new(false), RefCell::new(None));
        let forgiven = Cell::new(0);
        Self { model, root, manner, max_values, forgiven, left_out, has_taken, misplaced }
    }

    /// The values that were left out so far, at most 64.
    #[must_use]
    pub fn left_out(&self) -> Vec<LeftOut> {
        self.left_out.borrow().clone()
    }

    /// Whether this reads what a device answered.
    pub(crate) fn is_answer(&self) -> bool {
        self.manner == Manner::Answer
    }

    /// A payload is about to be read.
    pub(crate) fn begin(&self) {
        self.has_taken.set(false);
        self.misplaced.replace(None);
    }

    /// Notes that a value was taken.
    #[inline]
    pub(crate) fn note_taken(&self) {
        self.has_taken.set(true);
    }

    /// Refuses a payload of which nothing is left.
    pub(crate) fn check_rest(&self) -> Result<(), DecodeCause> {
        match self.misplaced.take().filter(|_| !self.has_taken.get()) {
            Some(cause) => Err(cause),
            None => Ok(()),
        }
    }

    /// Leaves a value out of an answer.
    pub(crate) fn leave_out(&self, path: Path, cause: DecodeCause) {
        if cause.is_misplaced() {
            self.misplaced.borrow_mut().get_or_insert_with(|| cause.clone());
        }
        let mut left_out = self.left_out.borrow_mut();
        if left_out.len() < MAX_LEFT_OUT {
            left_out.push(LeftOut { path, cause });
        }
    }

    /// Sets the alternate path that names of SenML and SenML-ETCH begin with on the interfaces for
    /// management and reporting. Empty or `/`: no alternate path.
    #[must_use]
    pub fn below(self, root: &'m str) -> Self {
        Self { root: root.trim_end_matches('/'), ..self }
    }

    /// Refuses payloads of more than `values` values, empty object instances and empty resources. A
    /// value in memory can be 24 times as large as in SenML CBOR. Default: no limit.
    #[must_use]
    pub fn at_most(self, values: usize) -> Self {
        Self { max_values: values, ..self }
    }

    /// The quirks that were tolerated so far.
    pub fn forgiven(&self) -> impl Iterator<Item = Quirk> + '_ {
        let met = self.forgiven.get();
        Quirk::ALL.iter().copied().filter(move |quirk| met & bit(*quirk) != 0)
    }

    /// Tolerates and records a quirk, or refuses it.
    pub(crate) fn forgive(&self, quirk: Quirk) -> Result<(), DecodeCause> {
        if self.manner == Manner::Strict {
            return Err(DecodeCause::Quirk(quirk));
        }
        self.forgiven.set(self.forgiven.get() | bit(quirk));
        Ok(())
    }

    /// Tolerates or refuses the quirks of a name.
    pub(crate) fn forgive_name(&self, name: &Ids) -> Result<(), DecodeCause> {
        self.forgive_if(name.is_relative(), Quirk::RelativeName)?;
        self.forgive_if(name.is_outside(), Quirk::OutsideRoot)
    }

    /// Calls [`Reading::forgive`] if `there`.
    pub(crate) fn forgive_if(&self, there: bool, quirk: Quirk) -> Result<(), DecodeCause> {
        if there { self.forgive(quirk) } else { Ok(()) }
    }
}

impl fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Reading");
        debug.field("manner", &self.manner).field("forgiven", &self.forgiven.get());
        debug.finish_non_exhaustive()
    }
}

const fn bit(quirk: Quirk) -> u32 {
    1 << quirk as u16
}
