//! Which attributes hold where (OMA LwM2M Core 7.3).

use crate::ids::AccountId;
use alloc::collections::BTreeMap;
use lwm2m_core::{Attribute, Attributes, Path};

/// The attributes that servers have set, by server and path.
#[derive(Default, Debug)]
pub(crate) struct AttributeTable {
    set: BTreeMap<(AccountId, Path), Attributes>,
}

impl AttributeTable {
    /// What the server `account` has set at `path` itself.
    pub(crate) fn at(&self, account: AccountId, path: &Path) -> Attributes {
        self.set.get(&(account, *path)).copied().unwrap_or_default()
    }

    /// What holds at `path`: inner levels win over outer ones.
    pub(crate) fn effective(&self, account: AccountId, path: &Path) -> Attributes {
        (1..=path.depth()).rev().fold(Attributes::default(), |inner, depth| {
            inner.or(&self.at(account, &path.prefix(depth)))
        })
    }

    /// What the server `account` has set below `path`.
    pub(crate) fn below(
        &self,
        account: AccountId,
        path: &Path,
    ) -> impl Iterator<Item = &Attributes> {
        let within =
            move |(owner, set): &(AccountId, Path)| *owner == account && path.contains(set);
        self.set.iter().filter(move |(place, _)| within(place)).map(|(_, attributes)| attributes)
    }

    /// Merges `attributes` into those at `path`.
    pub(crate) fn apply(&mut self, account: AccountId, path: Path, attributes: &[Attribute]) {
        let mut set = self.at(account, &path);
        attributes.iter().for_each(|attribute| set.apply(*attribute));
        if set.is_empty() {
            self.set.remove(&(account, path));
        } else {
            self.set.insert((account, path), set);
        }
    }

    /// Forgets what the server `account` has set.
    pub(crate) fn remove_account(&mut self, account: AccountId) {
        self.set.retain(|(owner, _), _| *owner != account);
    }

    /// Forgets what was set at `path` and below.
    pub(crate) fn remove_below(&mut self, path: &Path) {
        self.set.retain(|(_, set), _| !path.contains(set));
    }
}
