//! The observations that the server holds: one for each device and target.

use crate::devices::RegistrationId;
use crate::operation::{OperationId, Target};
use lwm2m_coap::RequestId;
use lwm2m_core::{ContentFormat, Path};
use std::collections::{BTreeMap, HashMap};

/// An observation that a device accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Observation {
    /// What is observed.
    pub target: Target,
    /// The format that was asked for.
    pub format: ContentFormat,
    /// The operation that began it.
    pub id: OperationId,
}

/// All observations.
#[derive(Debug, Default)]
pub(crate) struct Observations {
    by_target: BTreeMap<(RegistrationId, Target), Observation>,
    by_request: HashMap<RequestId, (RegistrationId, Target)>,
}

impl Observations {
    /// Adds an observation and returns the one that it replaces.
    pub(crate) fn insert(
        &mut self,
        key: RegistrationId,
        observation: Observation,
    ) -> Option<Observation> {
        let place = (key, observation.target.clone());
        self.by_request.insert(observation.id.0, place.clone());
        let replaced = self.by_target.insert(place, observation)?;
        self.by_request.remove(&replaced.id.0);
        Some(replaced)
    }

    pub(crate) fn remove(&mut self, key: RegistrationId, target: &Target) -> Option<Observation> {
        let observation = self.by_target.remove(&(key, target.clone()))?;
        self.by_request.remove(&observation.id.0);
        Some(observation)
    }

    pub(crate) fn get(&self, key: RegistrationId, target: &Target) -> Option<&Observation> {
        self.by_target.get(&(key, target.clone()))
    }

    /// The observation that a request began.
    pub(crate) fn of_request(&self, id: RequestId) -> Option<(RegistrationId, &Observation)> {
        let place = self.by_request.get(&id)?;
        Some((place.0, self.by_target.get(place)?))
    }

    /// All observations of one device.
    pub(crate) fn of(&self, key: RegistrationId) -> impl Iterator<Item = &Observation> {
        let from = self.by_target.range((key, Target::Path(Path::ROOT))..);
        from.take_while(move |((owner, _), _)| *owner == key).map(|(_, observation)| observation)
    }
}
