//! Send (OMA LwM2M Core 6.4.6): values that the device reports without being asked.

use crate::account::State;
use crate::client::Client;
use crate::error::{ErrorResponse, RegistrationError, SendError};
use crate::event::Event;
use crate::objects::HIDDEN;
use crate::operations::composite::merged;
use crate::operations::{format, read};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use lwm2m_coap::{Code, FailReason, Request, RequestId, Response};
use lwm2m_codec::link;
use lwm2m_core::{ContentFormat, Node, Path, Version};
use lwm2m_time::Instant;

/// Values that are sent if they change: the server, the path, and the value before.
pub(crate) type ToSend = Vec<(u16, Path, Option<Node>)>;

/// A Send that is under way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SendId(RequestId);

impl Client {
    /// Sends what lives at `paths` to a server, in SenML CBOR unless `format` says SenML JSON or
    /// (since LwM2M 1.2) LwM2M CBOR. An [`Event::Sent`] follows.
    ///
    /// # Errors
    /// Nothing is sent if the client is not registered with the server, if the server is mute
    /// (/1/x/23 is true or missing), or if one of the paths is not registered or not readable.
    pub fn send(
        &mut self,
        now: Instant,
        short_server_id: u16,
        paths: &[Path],
        format: Option<ContentFormat>,
    ) -> Result<SendId, SendError> {
        let account =
            self.place_of(short_server_id).ok_or(SendError::NotRegistered(short_server_id))?;
        let format = self.format_to_send(account, format)?;
        let known =
            self.known_instances(account).ok_or(SendError::NotRegistered(short_server_id))?;
        if self.settings(account).mute_send() {
            return Err(SendError::Muted(short_server_id));
        }
        let node = self.gather(&known, paths)?;
        let payload = lwm2m_codec::encode(format, &Path::ROOT, &node)
            .map_err(|_| SendError::Format(format))?;
        let request = Request::post().path(["dp"]).content_format(format.0).payload(payload);
        let id = self.request(now, account, request).ok_or(SendError::NotSent)?;
        self.sends.insert(id, short_server_id);
        self.drain(now);
        Ok(SendId(id))
    }

    /// The values of an object that accounts have sent when they change.
    pub(crate) fn values_to_send(&self, object: u16) -> ToSend {
        let mut found = Vec::new();
        for account in &self.accounts {
            let paths = account.config.send_on_change.iter();
            for path in paths.filter(|path| path.object_id() == Some(object)) {
                found.push((account.server(), *path, read::read(&self.store, path).ok()));
            }
        }
        found
    }

    /// Sends the values that are others now than they were. A server that forbids Send, or that
    /// the client is not registered with, gets none.
    pub(crate) fn send_changes(&mut self, now: Instant, before: ToSend) {
        let mut changed: BTreeMap<u16, Vec<Path>> = BTreeMap::new();
        for (server, path, old) in before {
            let new = read::read(&self.store, &path).ok();
            if new.is_some() && new != old {
                changed.entry(server).or_default().push(path);
            }
        }
        for (server, paths) in changed {
            let _ = self.send(now, server, &paths, None);
        }
    }

    fn format_to_send(
        &self,
        account: usize,
        format: Option<ContentFormat>,
    ) -> Result<ContentFormat, SendError> {
        let version = self.accounts.get(account).map_or(Version::V1_0, |account| account.version);
        let format = format.unwrap_or(ContentFormat::SENML_CBOR);
        let several = lwm2m_codec::supports(format, &Path::ROOT);
        match several && format::offers(version, format) {
            true => Ok(format),
            false => Err(SendError::Format(format)),
        }
    }

    /// The object instances that a server knows; nothing, if it does not know the client.
    fn known_instances(&self, account: usize) -> Option<BTreeSet<Path>> {
        let State::Registered(state) = &self.accounts.get(account)?.state else { return None };
        let links = link::parse(&state.known.links).ok()?;
        Some(links.iter().filter_map(link::Link::path).collect())
    }

    /// All values at the paths, as one tree, if all of their instances are `known`.
    fn gather(&self, known: &BTreeSet<Path>, paths: &[Path]) -> Result<Node, SendError> {
        let mut parts = Vec::new();
        for path in paths {
            if path.object_id().is_none_or(|id| HIDDEN.contains(&id)) {
                return Err(SendError::Unregistered(*path));
            }
            let node = read::read(&self.store, path);
            parts.push((path, node.map_err(|_| SendError::Unreadable(*path))?));
        }
        let node = merged(parts.iter().map(|(path, node)| (*path, node)));
        let leaves = node.leaves(&Path::ROOT);
        let unknown = leaves.iter().map(|(leaf, _)| leaf.prefix(2)).find(|it| !known.contains(it));
        match unknown {
            Some(instance) => Err(SendError::Unregistered(instance)),
            None if leaves.is_empty() => Err(SendError::NoValues),
            None => Ok(node),
        }
    }

    /// Takes the answer to a Send; `false` if the request was another one.
    pub(crate) fn send_answered(
        &mut self,
        id: RequestId,
        answer: &Result<Response, FailReason>,
    ) -> bool {
        let Some(server) = self.sends.remove(&id) else { return false };
        let confirmed = match answer {
            Ok(response) if response.code == Code::CHANGED => Ok(()),
            Ok(response) => Err(RegistrationError::Refused(ErrorResponse::of(response))),
            Err(reason) => Err(RegistrationError::NoAnswer(*reason)),
        };
        self.events.push_back(Event::Sent { id: SendId(id), server, confirmed });
        true
    }
}
