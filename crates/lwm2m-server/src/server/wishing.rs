//! Observations that the application wants to last: begun anew after each registration, restart and
//! move.

use super::Server;
use super::keeping::Keep;
use crate::device_management::encode::EncodedOperation;
use crate::device_management::validate;
use crate::devices::DeviceKey;
use crate::error::{OperationError, SubmitError};
use crate::event::ObservationEnd;
use crate::observation::{Observed, Relation};
use crate::operation::{Content, Operation, OperationId, Response, Target};
use crate::records::{self, Happened, KeptWish};
use crate::wish::{Wish, WishOptions, WishState};
use lwm2m_coap::{Code, Request};
use lwm2m_core::{Attribute, ContentFormat, Version};
use lwm2m_time::Instant;
use std::sync::Arc;

impl Server {
    /// Wants something observed until [`cease`](Self::cease): the server begins the observation now
    /// if it can, and anew after each registration, restart and move. An
    /// [`Event::Completed`](crate::Event::Completed) tells the first answer of the device, whenever it
    /// comes. A wish for the same target takes the place of the earlier one.
    ///
    /// # Errors
    /// The target has no form on the wire, or there is no room, or the wish cannot be kept now.
    pub fn wish(
        &mut self,
        now: Instant,
        endpoint: &str,
        target: Target,
        options: WishOptions,
    ) -> Result<OperationId, SubmitError> {
        validate::check(&observe(&target, &options))?;
        self.check_wish(endpoint, &target)?;
        // Its record is replaced, not removed: a crash between the two would lose the earlier wish.
        self.drop_wish(endpoint, &target);
        self.cancel_observations(now, endpoint, &target);
        let id = self.next_operation_id();
        let wish = Wish { options, refused: None, operation: Some(id) };
        let record = records::put(
            records::OBSERVATIONS,
            KeptWish::key(endpoint, &target),
            &KeptWish::of(&wish),
        );
        self.keep(Keep::Promised, record);
        self.wishes.insert(Arc::from(endpoint), target.clone(), wish);
        if let Some(key) = self.devices.key_of(endpoint) {
            self.expect(key, target);
            self.resume_observations(now, key);
            self.handle_link_events(now);
        }
        Ok(id)
    }

    fn check_wish(&self, endpoint: &str, target: &Target) -> Result<(), SubmitError> {
        if !self.journal.can_promise() {
            return Err(SubmitError::NotKept);
        }
        let is_new = self.wishes.get(endpoint, target).is_none();
        let full = self.wishes.of(endpoint).count() >= self.config.max_observations
            || self.wishes.len() >= self.config.max_wishes;
        if is_new && full { Err(SubmitError::TooManyObservations) } else { Ok(()) }
    }

    /// Takes a wish back, and forgets the observation without telling the device, which learns it by
    /// the Reset to its next notification. Returns whether there was such a wish.
    pub fn cease(&mut self, now: Instant, endpoint: &str, target: &Target) -> bool {
        if !self.forget_wish(endpoint, target) {
            return false;
        }
        self.cancel_observations(now, endpoint, target);
        true
    }

    /// Notes that nobody waits for the first answer to a wish any more: no
    /// [`Event::Completed`](crate::Event::Completed) follows, and its values are told as those of a
    /// notification.
    pub fn detach(&mut self, endpoint: &str, target: &Target) {
        if let Some(wish) = self.wishes.get_mut(endpoint, target) {
            wish.operation = None;
        }
    }

    /// Takes a wish back, if there is one.
    pub(super) fn forget_wish(&mut self, endpoint: &str, target: &Target) -> bool {
        let dropped = self.drop_wish(endpoint, target);
        if dropped {
            let key = KeptWish::key(endpoint, target);
            self.keep(Keep::Promised, records::remove(records::OBSERVATIONS, key));
        }
        dropped
    }

    fn drop_wish(&mut self, endpoint: &str, target: &Target) -> bool {
        let Some(wish) = self.wishes.remove(endpoint, target) else { return false };
        if let Some(id) = wish.operation {
            self.tell(endpoint.into(), id, target.clone(), Err(OperationError::Cancelled));
        }
        true
    }

    /// The wishes for a device, ordered by target, with how far each has come.
    pub fn wishes(&self, endpoint: &str) -> impl Iterator<Item = (&Target, &Wish, WishState)> {
        let device = self.devices.key_of(endpoint).and_then(|key| self.devices.get(key));
        self.wishes.of(endpoint).map(move |(target, wish)| {
            let observed = device.and_then(|device| device.observed.get(target));
            let state = match (wish.refused, observed.map(|it| it.relation)) {
                (Some(code), _) => WishState::Refused(code),
                (None, Some(Relation::Established(_, since))) => WishState::Observed(since),
                _ => WishState::Waiting,
            };
            (target, wish, state)
        })
    }

    /// Notes what is wanted of a device that has just come: to be begun when it has its answer.
    pub(super) fn expect_wishes(&mut self, key: DeviceKey) {
        let Some(device) = self.devices.get(key) else { return };
        let endpoint = Arc::clone(&device.registration.endpoint);
        let targets: Vec<Target> = self.wishes.of(&endpoint).map(|(it, _)| it.clone()).collect();
        for target in targets {
            if let Some(wish) = self.wishes.get_mut(&endpoint, &target) {
                wish.refused = None;
            }
            self.expect(key, target);
        }
    }

    fn expect(&mut self, key: DeviceKey, target: Target) {
        let Some(device) = self.devices.get(key) else { return };
        let wish = self.wishes.get(&device.registration.endpoint, &target);
        let format =
            wish.and_then(|wish| wish.options.format).unwrap_or(ContentFormat::UNSPECIFIED);
        let operation = wish.and_then(|wish| wish.operation).unwrap_or(OperationId(0));
        let observed = Observed { format, operation, relation: Relation::Lost };
        self.devices.observe(key, target, observed);
    }

    /// The request that begins an observation, or prepares it, and the format of its answer.
    pub(super) fn observing(
        &self,
        key: DeviceKey,
        target: &Target,
        step: Step,
    ) -> Option<(Request, ContentFormat, Step)> {
        let device = self.devices.get(key)?;
        let registration = &device.registration;
        let wish = self.wishes.get(&registration.endpoint, target);
        let attributes = wish.map_or(&[][..], |wish| &wish.options.attributes);
        let goes_along = registration.version >= Version::V1_2;
        if let (Step::Attributes, Target::Path(path), false, false) =
            (step, target, attributes.is_empty(), goes_along)
        {
            let write = Operation::WriteAttributes { path: *path, attributes: attributes.to_vec() };
            let EncodedOperation::Request(request, _) = self.encode(key, &write).ok()? else {
                return None;
            };
            return Some((request, ContentFormat::UNSPECIFIED, Step::Attributes));
        }
        let known = device.observed.get(target).map(|it| it.format);
        let known = || WishOptions { format: known, ..WishOptions::default() };
        let options = wish.map_or_else(known, |wish| wish.options.clone());
        let encoded = self.encode(key, &observe(target, &options)).ok()?;
        let EncodedOperation::Request(request, expected) = encoded else { return None };
        let format = expected.format().unwrap_or(ContentFormat::UNSPECIFIED);
        let query = |request: Request, one: &Attribute| request.query(&one.to_string());
        let request = match goes_along {
            true => attributes.iter().fold(request, query),
            false => request,
        };
        Some((request, format, Step::Observe))
    }

    /// Notes what a device answered to a wish.
    pub(super) fn note_wish(
        &mut self,
        endpoint: &Arc<str>,
        target: &Target,
        refused: Option<Code>,
        result: Result<Response, OperationError>,
    ) {
        let Some(wish) = self.wishes.get_mut(endpoint, target) else { return };
        let operation = wish.operation.take();
        let changed = wish.refused != refused;
        wish.refused = refused;
        let value = changed.then(|| KeptWish::of(wish));
        if result.is_ok() {
            self.remember(self.now, endpoint, || match refused {
                Some(code) => Happened::Refused(target.clone(), code),
                None => Happened::Observed(target.clone()),
            });
        }
        if let Some(value) = value {
            let key = KeptWish::key(endpoint, target);
            self.keep(Keep::Noted, records::put(records::OBSERVATIONS, key, &value));
        }
        if let Some(id) = operation {
            self.tell(Arc::clone(endpoint), id, target.clone(), result);
        }
    }

    /// Notes that a device refused a wish, or ended its observation, with this code.
    pub(super) fn note_refusal(&mut self, endpoint: &Arc<str>, target: &Target, code: Code) {
        let (content, diagnostic, left_out) = (Content::None, None, Vec::new());
        let response = Response { code, valid: true, content, diagnostic, left_out };
        self.note_wish(endpoint, target, Some(code), Ok(response));
    }

    /// Whether an observation that ended for this reason is still wanted; then it is begun anew later.
    pub(super) fn is_wished(
        &self,
        endpoint: &str,
        target: &Target,
        reason: ObservationEnd,
    ) -> bool {
        match reason {
            ObservationEnd::Moved | ObservationEnd::Disconnected => {
                self.wishes.get(endpoint, target).is_some()
            }
            _ => false,
        }
    }
}

/// The requests that begin an observation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Write-Attributes, where there are attributes that do not go with the Observe.
    Attributes,
    /// The Observe itself.
    Observe,
}

/// The operation that observes a target.
fn observe(target: &Target, options: &WishOptions) -> Operation {
    let WishOptions { format, path_format, .. } = *options;
    match target.clone() {
        Target::Path(path) => Operation::Observe { path, format },
        Target::Composite(paths) => Operation::ObserveComposite { paths, path_format, format },
    }
}
