//! Known deviations of devices from the standard.

use core::fmt;

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
    /// A link, date or list of links ends in NUL (Zephyr).
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
    /// A list of links has an empty link or parameter, or ends in a separator.
    EmptyLink = "a link or parameter is empty";
    /// The target of a link has a percent sign without two hexadecimal digits.
    BadEscape = "a percent sign is not followed by two hexadecimal digits";
    /// The target of a link, or the name of a parameter, is not ASCII (RFC 6690 section 2).
    NotAscii = "a link or the name of a parameter is not ASCII";
    /// A name of OMA JSON is relative to the path of the request, or to a base name without a slash
    /// at its end.
    RelativeToTarget = "a name is relative to the path of the request";
    /// An answer without values has no payload, or null or an empty object, in a format that has a form
    /// for it.
    NoPayload = "an answer without values has no payload, or null";
    /// LwM2M CBOR has an empty map or null instead of leaving the node out.
    EmptyMap = "LwM2M CBOR has an empty map or null";
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
