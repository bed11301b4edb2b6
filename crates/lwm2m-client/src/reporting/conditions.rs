//! When a change is worth a notification (OMA LwM2M Core 6.4 and 7.3): pure functions of the
//! attributes, the value that was notified last, and the value now.

use core::time::Duration;
use lwm2m_core::{AttributeName, Attributes, Node, Resource, Value};

/// The shortest and the longest time between two notifications.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Periods {
    pub(crate) pmin: Duration,
    pub(crate) pmax: Option<Duration>,
}

/// The periods that hold, with the defaults of the Server object where the attributes are silent.
/// A pmax of 0 or below pmin counts as none.
pub(crate) fn periods(attributes: &Attributes, pmin: Option<u32>, pmax: Option<u32>) -> Periods {
    let pmin = seconds(attributes, AttributeName::Pmin)
        .unwrap_or_else(|| Duration::from_secs(pmin.unwrap_or(0).into()));
    let pmax = seconds(attributes, AttributeName::Pmax)
        .or_else(|| Some(Duration::from_secs(pmax?.into())))
        .filter(|pmax| !pmax.is_zero() && *pmax >= pmin);
    Periods { pmin, pmax }
}

/// The value of a period that is set.
pub(crate) fn seconds(attributes: &Attributes, name: AttributeName) -> Option<Duration> {
    attributes.get(name).map(Duration::from_secs_f64)
}

/// Whether `now` differs from `last`, the value notified last, in a way that the attributes ask
/// for: gt, lt, st and edge are alternatives, and without any of them every change counts.
pub(crate) fn is_worth_notifying(attributes: &Attributes, last: &Node, now: &Node) -> bool {
    match (last, now) {
        (Node::Resource(Resource::Single(last)), Node::Resource(Resource::Single(now)))
        | (Node::ResourceInstance(last), Node::ResourceInstance(now)) => {
            value_is_worth(attributes, last, now)
        }
        (Node::Resource(Resource::Multiple(last)), Node::Resource(Resource::Multiple(now))) => {
            !last.keys().eq(now.keys())
                || last.values().zip(now.values()).any(|(l, n)| value_is_worth(attributes, l, n))
        }
        _ => last != now,
    }
}

fn value_is_worth(attributes: &Attributes, last: &Value, now: &Value) -> bool {
    let numbers = last.as_number().zip(now.as_number());
    match (numbers, last, now) {
        (Some(numbers), ..) if attributes.thresholds_consistent() => {
            number_is_worth(attributes, numbers, distance(last, now), last != now)
        }
        (None, Value::Boolean(last), Value::Boolean(now)) => {
            match attributes.get(AttributeName::Edge) {
                Some(edge) => last != now && *now == (edge == 1.0),
                None => last != now,
            }
        }
        _ => last != now,
    }
}

fn number_is_worth(
    attributes: &Attributes,
    (last, now): (f64, f64),
    distance: f64,
    changed: bool,
) -> bool {
    let gt = attributes.get(AttributeName::Gt).map(|gt| (last > gt) != (now > gt));
    let lt = attributes.get(AttributeName::Lt).map(|lt| (last < lt) != (now < lt));
    let st = attributes.get(AttributeName::St).map(|st| changed && distance >= st);
    match (gt, lt, st) {
        (None, None, None) => changed,
        conditions => [conditions.0, conditions.1, conditions.2].contains(&Some(true)),
    }
}

/// How far two numbers are apart; exact for integers, however large.
#[expect(clippy::cast_precision_loss, reason = "only the difference is rounded")]
fn distance(last: &Value, now: &Value) -> f64 {
    match (whole(last), whole(now)) {
        (Some(last), Some(now)) => last.abs_diff(now) as f64,
        _ => match (last.as_number(), now.as_number()) {
            (Some(last), Some(now)) => (last - now).abs(),
            _ => 0.0,
        },
    }
}

fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Integer(number) | Value::Time(number) => Some((*number).into()),
        Value::UnsignedInteger(number) => Some((*number).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_core::Attribute;

    fn attributes(text: &str) -> Attributes {
        let parts = text.split('&').filter(|part| !part.is_empty());
        parts.map(|part| Attribute::parse(part).unwrap()).collect()
    }

    fn worth(attributes_text: &str, last: impl Into<Value>, now: impl Into<Value>) -> bool {
        let node = |value| Node::Resource(Resource::Single(value));
        is_worth_notifying(&attributes(attributes_text), &node(last.into()), &node(now.into()))
    }

    #[test]
    fn thresholds_and_steps() {
        for (attributes, last, now, expected) in [
            ("", 20.0, 20.1, true),
            ("", 20.0, 20.0, false),
            ("gt=45", 42.0, 48.0, true),
            ("gt=45", 48.0, 42.0, true),
            ("gt=45", 48.0, 55.0, false),
            ("lt=20", 25.0, 15.0, true),
            ("lt=20", 15.0, 25.0, true),
            ("lt=20", 15.0, 10.0, false),
            ("gt=45&st=10", 38.0, 49.0, true),
            ("gt=45&st=10", 49.0, 60.0, true),
            ("gt=45&st=10", 49.0, 55.0, false),
            ("lt=20&gt=85&st=10", 75.0, 90.0, true),
            ("lt=20&gt=85&st=10", 50.0, 10.0, true),
            ("lt=20&gt=85&st=10", 87.0, 99.0, true),
            ("lt=20&gt=85&st=10", 60.0, 66.0, false),
            ("gt=-85.5", -90.0, -80.0, true),
            ("gt=-85.5", -90.0, -86.0, false),
            // Inconsistent thresholds have no effect: every change counts.
            ("gt=11&lt=20", 15.0, 15.5, true),
            ("st=0", 15.0, 15.0, false),
        ] {
            assert_eq!(worth(attributes, last, now), expected, "{attributes}: {last} to {now}");
        }
    }

    #[test]
    fn large_whole_numbers_are_compared_exactly() {
        let large = 1_u64 << 63;
        assert!(worth("st=10", large, large + 10));
        assert!(!worth("st=10", large, large + 9));
        assert!(worth("st=10", i64::MIN, i64::MAX));
    }

    // proves: ATTR-15
    #[test]
    fn an_edge_is_seen_in_its_direction_alone() {
        assert!(worth("edge=1", false, true) && !worth("edge=1", true, false));
        assert!(worth("edge=0", true, false) && !worth("edge=0", false, true));
        assert!(worth("", true, false) && !worth("", true, true));
    }

    #[test]
    fn periods_have_defaults_and_nonsense_is_ignored() {
        let secs = Duration::from_secs;
        for (text, defaults, pmin, pmax) in [
            ("", (None, None), 0, None),
            ("", (Some(2), Some(9)), 2, Some(9)),
            ("pmin=5", (Some(2), Some(9)), 5, Some(9)),
            ("pmin=10&pmax=5", (None, None), 10, None),
            ("pmin=5&pmax=5", (None, None), 5, Some(5)),
            ("pmax=0", (None, Some(60)), 0, None),
        ] {
            let expected = Periods { pmin: secs(pmin), pmax: pmax.map(secs) };
            assert_eq!(periods(&attributes(text), defaults.0, defaults.1), expected, "{text}");
        }
    }
}
