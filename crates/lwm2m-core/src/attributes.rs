//! Notification attributes: pmin, pmax, gt, lt, st, epmin, epmax, edge, con, hqmax. OMA LwM2M Core,
//! section 7.3 (section 5.1 of 1.0 and 1.1).

use crate::value::DataType;
use crate::version::Version;
use core::fmt;

/// The name of a notification attribute.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AttributeName {
    /// Minimum period between two notifications, in seconds.
    Pmin,
    /// Maximum period between two notifications, in seconds.
    Pmax,
    /// Greater than: notify when the value crosses this threshold.
    Gt,
    /// Less than: notify when the value crosses this threshold.
    Lt,
    /// Step: notify when the value differs from the last notified one by at least this much.
    St,
    /// Minimum evaluation period, in seconds (since LwM2M 1.1).
    Epmin,
    /// Maximum evaluation period, in seconds (since LwM2M 1.1).
    Epmax,
    /// Notify only on the rising (1) or falling (0) edge of a Boolean (since LwM2M 1.2).
    Edge,
    /// Whether notifications are confirmable (since LwM2M 1.2).
    Con,
    /// Maximum number of values to keep while offline (since LwM2M 1.2).
    Hqmax,
}

impl AttributeName {
    /// All attributes, in the order in which they are written.
    pub const ALL: [Self; 10] = [
        Self::Pmin,
        Self::Pmax,
        Self::Gt,
        Self::Lt,
        Self::St,
        Self::Epmin,
        Self::Epmax,
        Self::Edge,
        Self::Con,
        Self::Hqmax,
    ];

    /// The name in queries and links.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pmin => "pmin",
            Self::Pmax => "pmax",
            Self::Gt => "gt",
            Self::Lt => "lt",
            Self::St => "st",
            Self::Epmin => "epmin",
            Self::Epmax => "epmax",
            Self::Edge => "edge",
            Self::Con => "con",
            Self::Hqmax => "hqmax",
        }
    }

    /// Parses the name in queries and links.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }

    /// The LwM2M version that introduced this attribute.
    #[must_use]
    pub const fn since(self) -> Version {
        match self {
            Self::Pmin | Self::Pmax | Self::Gt | Self::Lt | Self::St => Version::V1_0,
            Self::Epmin | Self::Epmax => Version::V1_1,
            Self::Edge | Self::Con | Self::Hqmax => Version::V1_2,
        }
    }

    /// Whether the attribute applies to a path of `depth` IDs. `data_type` is the type of the
    /// resource, or `None` if it is unknown or the path addresses no resource.
    #[must_use]
    pub const fn fits(self, depth: usize, data_type: Option<DataType>) -> bool {
        let resource = depth == 3 || depth == 4;
        match self {
            Self::Gt | Self::Lt | Self::St => {
                use DataType::{Float, Integer, Time, UnsignedInteger};
                let numeric =
                    matches!(data_type, None | Some(Integer | UnsignedInteger | Float | Time));
                resource && numeric
            }
            Self::Edge => resource && matches!(data_type, None | Some(DataType::Boolean)),
            _ => depth >= 1 && depth <= 4,
        }
    }
}

/// One attribute of a Write-Attributes or Observe: sets or unsets a value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Attribute {
    /// The attribute.
    pub name: AttributeName,
    /// Seconds, a threshold, a count, or 0 or 1 for flags. `None` unsets the attribute.
    pub value: Option<f64>,
}

/// Why a query parameter is not an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// No notification attribute has this name.
    #[error(
        "unknown notification attribute; known are pmin, pmax, gt, lt, st, epmin, epmax, edge, con, hqmax"
    )]
    Unknown,
    /// The value is outside the attribute's range.
    #[error("{}: {} expected", .0.as_str(), expected(*.0))]
    Value(AttributeName),
}

const fn expected(name: AttributeName) -> &'static str {
    match name {
        AttributeName::Gt | AttributeName::Lt => "a decimal number",
        AttributeName::St => "a decimal number of 0 or more",
        AttributeName::Edge | AttributeName::Con => "0 or 1",
        _ => "a whole number from 0 to 4294967295",
    }
}

impl Attribute {
    /// Parses `pmin=10`, which sets, or `pmin`, which unsets.
    ///
    /// # Errors
    /// The name is unknown, or the value is outside the attribute's range.
    pub fn parse(query: &str) -> Result<Self, AttributeError> {
        let (name, text) = match query.split_once('=') {
            Some((name, text)) => (name, Some(text)),
            None => (query, None),
        };
        let name = AttributeName::from_name(name).ok_or(AttributeError::Unknown)?;
        let value = text.map(|text| parse_value(name, text)).transpose()?;
        Ok(Self { name, value })
    }
}

fn parse_value(name: AttributeName, text: &str) -> Result<f64, AttributeError> {
    let error = AttributeError::Value(name);
    match name {
        AttributeName::Gt | AttributeName::Lt | AttributeName::St => {
            let value = parse_decimal(text).ok_or(error)?;
            let legal = name != AttributeName::St || value >= 0.0;
            if legal { Ok(value) } else { Err(error) }
        }
        AttributeName::Edge | AttributeName::Con => match text {
            "0" => Ok(0.0),
            "1" => Ok(1.0),
            _ => Err(error),
        },
        _ if text.bytes().all(|b| b.is_ascii_digit()) => {
            text.parse::<u32>().map(f64::from).map_err(|_| error)
        }
        _ => Err(error),
    }
}

/// Parses a decimal number with an optional minus and fraction. Refuses exponents, `inf` and `nan`.
fn parse_decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Some(value) => write!(f, "{}={value}", self.name.as_str()),
            None => f.write_str(self.name.as_str()),
        }
    }
}

/// The notification attributes that one server has set at one level.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Attributes {
    values: [Option<f64>; 10],
}

impl Attributes {
    /// The value of an attribute, if it is set.
    #[must_use]
    pub fn get(&self, name: AttributeName) -> Option<f64> {
        self.values.get(name as usize).copied().flatten()
    }

    /// Sets or unsets one attribute.
    pub fn apply(&mut self, attribute: Attribute) {
        if let Some(slot) = self.values.get_mut(attribute.name as usize) {
            *slot = attribute.value;
        }
    }

    /// Whether no attribute is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.iter().all(Option::is_none)
    }

    /// The attributes that are set, in the order in which they are written.
    pub fn iter(&self) -> impl Iterator<Item = Attribute> + '_ {
        AttributeName::ALL
            .into_iter()
            .map(|name| Attribute { name, value: self.get(name) })
            .filter(|attribute| attribute.value.is_some())
    }

    /// These attributes, with those of the level above where they are unset.
    #[must_use]
    pub fn or(mut self, above: &Self) -> Self {
        for (slot, inherited) in self.values.iter_mut().zip(above.values) {
            *slot = slot.or(inherited);
        }
        self
    }

    /// Whether `lt < gt` and `lt + 2 st < gt` hold for the attributes that are set. If not, a client
    /// ignores gt, lt and st.
    #[must_use]
    pub fn thresholds_consistent(&self) -> bool {
        let (Some(lt), Some(gt)) = (self.get(AttributeName::Lt), self.get(AttributeName::Gt))
        else {
            return true;
        };
        let step = self.get(AttributeName::St).unwrap_or(0.0);
        lt < gt && lt + 2.0 * step < gt
    }
}

impl FromIterator<Attribute> for Attributes {
    fn from_iter<I: IntoIterator<Item = Attribute>>(attributes: I) -> Self {
        let mut set = Self::default();
        attributes.into_iter().for_each(|attribute| set.apply(attribute));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn parsed(query: &str) -> Attribute {
        Attribute::parse(query).unwrap()
    }

    #[test]
    fn values_are_checked_by_attribute() {
        assert_eq!(parsed("pmin=10").value, Some(10.0));
        assert_eq!(parsed("pmin").value, None);
        assert_eq!(parsed("gt=-3.5").to_string(), "gt=-3.5");
        for bad in [
            "pmin=-1", "pmin=1.5", "pmax=x", "gt=1e3", "gt=nan", "st=-1", "edge=2", "con=", "gt=",
            "gt=.5", "pmin=+5",
        ] {
            assert!(matches!(Attribute::parse(bad), Err(AttributeError::Value(_))), "{bad}");
        }
        assert_eq!(Attribute::parse("foo=1"), Err(AttributeError::Unknown));
    }

    #[test]
    fn lower_levels_override_higher_ones() {
        let object: Attributes = [parsed("pmin=5"), parsed("pmax=60")].into_iter().collect();
        let mut resource: Attributes = [parsed("pmin=10")].into_iter().collect();
        assert_eq!(resource.or(&object).get(AttributeName::Pmin), Some(10.0));
        assert_eq!(resource.or(&object).get(AttributeName::Pmax), Some(60.0));
        resource.apply(parsed("pmin"));
        assert!(resource.is_empty());
        assert_eq!(resource.or(&object).get(AttributeName::Pmin), Some(5.0));
    }

    #[test]
    fn thresholds() {
        let set = |list: &[&str]| list.iter().map(|q| parsed(q)).collect::<Attributes>();
        assert!(set(&["lt=20", "gt=85", "st=10"]).thresholds_consistent());
        assert!(!set(&["lt=20", "gt=40", "st=10"]).thresholds_consistent());
        assert!(!set(&["lt=20", "gt=20"]).thresholds_consistent());
        assert!(set(&["lt=20", "st=100"]).thresholds_consistent());
    }

    #[test]
    fn levels() {
        assert!(AttributeName::Pmin.fits(1, None));
        assert!(!AttributeName::Pmin.fits(0, None));
        assert!(!AttributeName::Gt.fits(2, None));
        assert!(AttributeName::Gt.fits(3, Some(DataType::Float)));
        assert!(!AttributeName::Gt.fits(3, Some(DataType::String)));
        assert!(AttributeName::Edge.fits(4, Some(DataType::Boolean)));
        assert!(!AttributeName::Edge.fits(3, Some(DataType::Integer)));
    }
}
