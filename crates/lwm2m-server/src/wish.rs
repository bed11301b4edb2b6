//! What the application wants observed, whether or not the device is there.

use crate::operation::{OperationId, Target};
use lwm2m_coap::Code;
use lwm2m_core::{Attribute, ContentFormat};
use lwm2m_time::Instant;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// An observation that the server makes so, after each registration, restart and move, until the
/// application takes it back.
#[derive(Clone, PartialEq, Debug)]
pub struct Wish {
    /// How it is to be observed.
    pub options: WishOptions,
    /// With what the device refused it, if it did. It is asked again when it registers.
    pub refused: Option<Code>,
    /// The operation that it began with, while that has no outcome.
    pub(crate) operation: Option<OperationId>,
}

/// How something is to be observed.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct WishOptions {
    /// The format that notifications should have; `None` if the server chooses.
    pub format: Option<ContentFormat>,
    /// The format of the list of paths, if there are several; `None` if the server chooses.
    pub path_format: Option<ContentFormat>,
    /// The attributes that it has. To devices of LwM2M 1.2 they go with the Observe, and hold for it
    /// alone; before others the server writes them to the path (Write-Attributes), which several paths
    /// do not have.
    pub attributes: Vec<Attribute>,
}

/// How far a wish has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WishState {
    /// The device reports, since this time.
    Observed(Instant),
    /// The device has yet to answer, to wake up or to register.
    Waiting,
    /// The device refused it with this code.
    Refused(Code),
}

/// All wishes, by endpoint name.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    by_endpoint: HashMap<Arc<str>, BTreeMap<Target, Wish>>,
    count: usize,
}

impl Wishes {
    /// The number of all wishes.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// The wishes for a device, ordered by target.
    pub(crate) fn of(&self, endpoint: &str) -> impl Iterator<Item = (&Target, &Wish)> {
        self.by_endpoint.get(endpoint).into_iter().flatten()
    }

    pub(crate) fn get(&self, endpoint: &str, target: &Target) -> Option<&Wish> {
        self.by_endpoint.get(endpoint)?.get(target)
    }

    pub(crate) fn get_mut(&mut self, endpoint: &str, target: &Target) -> Option<&mut Wish> {
        self.by_endpoint.get_mut(endpoint)?.get_mut(target)
    }

    pub(crate) fn insert(&mut self, endpoint: Arc<str>, target: Target, wish: Wish) {
        let replaced = self.by_endpoint.entry(endpoint).or_default().insert(target, wish);
        self.count += usize::from(replaced.is_none());
    }

    pub(crate) fn remove(&mut self, endpoint: &str, target: &Target) -> Option<Wish> {
        let wishes = self.by_endpoint.get_mut(endpoint)?;
        let removed = wishes.remove(target)?;
        if wishes.is_empty() {
            self.by_endpoint.remove(endpoint);
        }
        self.count -= 1;
        Some(removed)
    }
}
