//! Strict and lenient decoding: known deviations of devices are refused, or tolerated and reported.

use crate::DecodeCause;
use crate::ids::Ids;
use core::cell::Cell;
use core::fmt;
use lwm2m_core::Model;

macro_rules! quirks {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// A known deviation from the standard with a clear meaning.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum Quirk { $($(#[$doc])* $name),* }

        impl Quirk {
            /// All quirks.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

quirks! {
    /// A content format has its number from before registration, 1541 to 1543.
    LegacyNumber = "the content format has its number from before registration";
    /// The TLV of a single-instance object has no Object Instance TLV (Zephyr).
    BareResources = "resources have no Object Instance TLV";
    /// A multiple-instance resource has a single value, decoded as resource instance 0 (Zephyr).
    SingleForMultiple = "a multiple-instance resource has a value without a resource instance";
    /// An object link is in the field `vs` of SenML instead of `vlo`.
    LinkAsString = "an object link is in a string field";
    /// The null link is `FFFF:FFFF`, as in an example of OMA (Leshan).
    HexLink = "the null link is written FFFF:FFFF";
    /// A link or date ends in NUL (Zephyr).
    TrailingNul = "a text ends in NUL";
    /// A date as text in CBOR has no tag 0 (Zephyr).
    UntaggedDate = "a date has no tag";
    /// An integer is written with a fraction or exponent.
    WholeFloat = "an integer is written as a floating point number";
    /// A Float in text has an exponent.
    Exponent = "a decimal number has an exponent";
    /// Base64 has another padding or alphabet than the format requires.
    OtherBase64 = "Base64 has another padding or alphabet than the format requires";
    /// A name has no leading slash.
    RelativeName = "a name does not begin with a slash";
    /// There are blanks around separators of links (OMA's examples of Bootstrap-Discover).
    Blanks = "there are blanks between links";
    /// The target of a link ends in a slash (OMA's examples of Bootstrap-Discover).
    TrailingSlash = "a link ends in a slash";
    /// A name does not begin with the registered alternate path.
    OutsideRoot = "a name does not begin with the alternate path";
    /// The first link is `lwm2m="1.0"` without `</>` (LwM2M 1.0).
    BareVersion = "the LwM2M version has no link";
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

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
    /// management and reporting. An empty text or `/` means there is none.
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
