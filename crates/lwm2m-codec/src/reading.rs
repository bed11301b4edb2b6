//! Strict and lenient reading: one decoder, which either refuses the deviations that devices in the
//! field are known for, or forgives them and says so.

use crate::DecodeCause;
use crate::ids::Ids;
use core::cell::Cell;
use core::fmt;
use lwm2m_core::Model;

macro_rules! quirks {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// A known deviation from the standard, whose meaning is clear all the same.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum Quirk { $($(#[$doc])* $name),* }

        impl Quirk {
            /// All quirks that are known.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

quirks! {
    /// A content format by the number that it had before it was registered: 1541 to 1543.
    LegacyNumber = "the content format has a number from before its registration";
    /// TLV of a single-instance object without an Object Instance TLV (Zephyr).
    BareResources = "resources stand without the TLV of their object instance";
    /// One value for a multiple-instance resource, taken as resource instance 0 (Zephyr).
    SingleForMultiple = "a multiple-instance resource has one value without a resource instance";
    /// A link in a string field of SenML, not in `vlo`.
    LinkAsString = "an object link stands in a string field";
    /// The link to nothing as `FFFF:FFFF`, as an example of OMA has it (Leshan).
    HexLink = "the link to nothing is written FFFF:FFFF";
    /// A NUL behind a link or date (Zephyr).
    TrailingNul = "a text ends in NUL";
    /// A date as text in CBOR without tag 0 (Zephyr).
    UntaggedDate = "a date has no tag";
    /// A number with fraction or exponent for an integer, which it equals.
    WholeFloat = "an integer is written as floating point number";
    /// A Float in text with an exponent, where OMA has plain decimals.
    Exponent = "a decimal number has an exponent";
    /// Base64 with the padding or alphabet of the other kind.
    OtherBase64 = "Base64 has other letters or padding than the format asks for";
    /// A name without slash in front.
    RelativeName = "a name does not begin with a slash";
    /// Blanks around separators of links (OMA's examples of Bootstrap-Discover).
    Blanks = "there are blanks between links";
    /// A slash at the end of the target of a link (OMA's examples of Bootstrap-Discover).
    TrailingSlash = "a link ends in a slash";
    /// A name without the alternate path that the device has registered.
    OutsideRoot = "a name does not begin with the alternate path";
    /// `lwm2m="1.0"` without `</>` as first link (LwM2M 1.0).
    BareVersion = "the version stands without a link";
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// How payloads are read: what is known of the objects, and what is forgiven.
///
/// ```
/// use lwm2m_codec::{Quirk, Reading};
/// use lwm2m_core::{ContentFormat, Path, model::NoModel};
/// let (path, payload) = (Path::resource(3, 0, 9), br#"[{"n":"3/0/9","v":1}]"#);
/// let lenient = Reading::lenient(&NoModel);
/// assert!(lenient.decode(ContentFormat::SENML_JSON, &path, payload).is_ok());
/// assert!(lenient.forgiven().eq([Quirk::RelativeName]));
/// let strict = Reading::strict(&NoModel);
/// assert!(strict.decode(ContentFormat::SENML_JSON, &path, payload).is_err());
/// ```
pub struct Reading<'m> {
    pub(crate) model: &'m dyn Model,
    /// The alternate path without a slash at its end.
    pub(crate) root: &'m str,
    strict: bool,
    /// A bit for each quirk that was met.
    forgiven: Cell<u16>,
}

impl<'m> Reading<'m> {
    /// Forgives every [`Quirk`]; engines read so.
    #[must_use]
    pub const fn lenient(model: &'m dyn Model) -> Self {
        Self { model, root: "", strict: false, forgiven: Cell::new(0) }
    }

    /// Refuses every [`Quirk`].
    #[must_use]
    pub const fn strict(model: &'m dyn Model) -> Self {
        Self { model, root: "", strict: true, forgiven: Cell::new(0) }
    }

    /// Names of SenML and SenML-ETCH are to begin with this alternate path, as they do on the
    /// interfaces for management and reporting; none is the empty text or `/`.
    #[must_use]
    pub fn below(self, root: &'m str) -> Self {
        Self { root: root.trim_end_matches('/'), ..self }
    }

    /// The quirks that were forgiven since this was made.
    pub fn forgiven(&self) -> impl Iterator<Item = Quirk> + '_ {
        let met = self.forgiven.get();
        Quirk::ALL.iter().copied().filter(move |quirk| met & bit(*quirk) != 0)
    }

    /// Notes a quirk, or refuses it.
    pub(crate) fn forgive(&self, quirk: Quirk) -> Result<(), DecodeCause> {
        if self.strict {
            return Err(DecodeCause::Quirk(quirk));
        }
        self.forgiven.set(self.forgiven.get() | bit(quirk));
        Ok(())
    }

    /// Notes what is odd about a name.
    pub(crate) fn forgive_name(&self, name: &Ids) -> Result<(), DecodeCause> {
        self.forgive_if(name.is_relative(), Quirk::RelativeName)?;
        self.forgive_if(name.is_outside(), Quirk::OutsideRoot)
    }

    /// [`Reading::forgive`], if the quirk is there.
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
