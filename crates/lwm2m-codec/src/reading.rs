//! Strict and lenient decoding: known deviations of devices are refused, or tolerated and reported.

use crate::error::DecodeCause;
use crate::ids::Ids;
use crate::quirk::Quirk;
use core::cell::Cell;
use core::fmt;
use lwm2m_core::Model;

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
    strict: bool,
    /// One bit per tolerated quirk.
    forgiven: Cell<u16>,
}

impl<'m> Reading<'m> {
    /// Tolerates every [`Quirk`]. The engines decode leniently.
    #[must_use]
    pub const fn lenient(model: &'m dyn Model) -> Self {
        Self { model, root: "", strict: false, forgiven: Cell::new(0) }
    }

    /// Refuses every [`Quirk`].
    #[must_use]
    pub const fn strict(model: &'m dyn Model) -> Self {
        Self { model, root: "", strict: true, forgiven: Cell::new(0) }
    }

    /// Sets the alternate path that names of SenML and SenML-ETCH begin with on the interfaces for
    /// management and reporting. Empty or `/`: no alternate path.
    #[must_use]
    pub fn below(self, root: &'m str) -> Self {
        Self { root: root.trim_end_matches('/'), ..self }
    }

    /// The quirks that were tolerated so far.
    pub fn forgiven(&self) -> impl Iterator<Item = Quirk> + '_ {
        let met = self.forgiven.get();
        Quirk::ALL.iter().copied().filter(move |quirk| met & bit(*quirk) != 0)
    }

    /// Tolerates and records a quirk, or refuses it.
    pub(crate) fn forgive(&self, quirk: Quirk) -> Result<(), DecodeCause> {
        if self.strict {
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
        debug.field("strict", &self.strict).field("forgiven", &self.forgiven.get());
        debug.finish_non_exhaustive()
    }
}

const fn bit(quirk: Quirk) -> u16 {
    1 << quirk as u16
}
