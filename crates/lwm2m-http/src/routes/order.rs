//! `sort=` of a fleet: other orders than that of the endpoint names.
//!
//! There is no index for them: a page is the first devices of a scan of the whole fleet, of which no more
//! than two pages are held at a time.

use crate::error::ApiError;
use crate::json::milliseconds;
use crate::query::Parameters;
use lwm2m_net::Clock;
use lwm2m_net::directory::Listed;
use std::cmp::Ordering;
use std::fmt;

/// An order of devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Order {
    by: By,
    descends: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    Endpoint,
    Registered,
    Updated,
}

impl Order {
    /// Reads `sort`; `None` for the order of the endpoint names.
    pub(super) fn read(parameters: &Parameters) -> Result<Option<Self>, ApiError> {
        let Some(word) = parameters.get("sort") else { return Ok(None) };
        let expected = "endpoint, registered or updated, with - before it for the last ones first";
        let name = word.strip_prefix('-');
        let by = match name.unwrap_or(word) {
            "endpoint" => By::Endpoint,
            "registered" => By::Registered,
            "updated" => By::Updated,
            _ => return Err(ApiError::Parameter { name: "sort", expected }),
        };
        let order = Self { by, descends: name.is_some() };
        Ok(Some(order).filter(|it| *it != Self { by: By::Endpoint, descends: false }))
    }

    /// Where a device stands.
    pub(super) fn place<'d>(self, device: &'d Listed, clock: Clock) -> Place<'d> {
        let registration = &device.registration;
        let at = match self.by {
            By::Endpoint => 0,
            By::Registered => milliseconds(clock, registration.registered_at),
            By::Updated => milliseconds(clock, registration.updated_at),
        };
        Place { at, endpoint: &registration.endpoint }
    }

    fn compare(self, a: Place<'_>, b: Place<'_>) -> Ordering {
        if self.descends { b.cmp(&a) } else { a.cmp(&b) }
    }
}

/// Where a device stands in an order. As text it is what `after` has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place<'d> {
    /// The time in milliseconds since 1970; 0 where times do not count.
    at: u64,
    endpoint: &'d str,
}

impl<'d> Place<'d> {
    fn parse(text: &'d str) -> Option<Self> {
        let (at, endpoint) = text.split_once(':')?;
        Some(Self { at: at.parse().ok()?, endpoint })
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.at, self.endpoint)
    }
}

/// The first devices in an order after a place.
pub(super) struct First<'p> {
    order: Order,
    clock: Clock,
    /// How many a page has.
    limit: usize,
    after: Option<Place<'p>>,
    devices: Vec<Listed>,
    /// The last device that can be on the page, once there are enough.
    bound: Option<Listed>,
}

impl<'p> First<'p> {
    pub(super) fn new(
        order: Order,
        clock: Clock,
        limit: usize,
        after: Option<&'p str>,
    ) -> Result<Self, ApiError> {
        let expected = "what the Link of the page before has, or left out";
        let error = ApiError::Parameter { name: "after", expected };
        let after = after.map(|text| Place::parse(text).ok_or(error)).transpose()?;
        Ok(Self { order, clock, limit, after, devices: Vec::new(), bound: None })
    }

    /// Whether a device can be on the page.
    pub(super) fn wants(&self, device: &Listed) -> bool {
        let place = |device| self.order.place(device, self.clock);
        let is_before = |a, b| self.order.compare(a, b) == Ordering::Less;
        self.after.is_none_or(|after| is_before(after, place(device)))
            && self.bound.as_ref().is_none_or(|bound| is_before(place(device), place(bound)))
    }

    pub(super) fn add(&mut self, device: Listed) {
        self.devices.push(device);
        if self.devices.len() > 2 * self.limit + 2 {
            self.shorten();
        }
    }

    /// Keeps a page, and one device more that tells that there are more.
    fn shorten(&mut self) {
        let (order, clock) = (self.order, self.clock);
        self.devices.sort_by(|a, b| order.compare(order.place(a, clock), order.place(b, clock)));
        self.devices.truncate(self.limit + 1);
        self.bound = self.devices.get(self.limit).cloned();
    }

    /// The page, and whether there are more devices.
    pub(super) fn into_page(mut self) -> (Vec<Listed>, bool) {
        self.shorten();
        let has_more = self.devices.len() > self.limit;
        self.devices.truncate(self.limit);
        (self.devices, has_more)
    }
}
