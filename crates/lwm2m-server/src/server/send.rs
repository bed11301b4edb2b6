//! Send (OMA LwM2M Core 6.4.6): values that a device reports by itself.

use super::Server;
use super::keeping::Keep;
use crate::devices::DeviceKey;
use crate::event::Event;
use crate::rd::Refusal;
use lwm2m_coap::{Code, PeerId, Request, Response};
use lwm2m_codec::{DecodeCause, Reading};
use lwm2m_core::{ContentFormat, Path, Version};
use lwm2m_link::Identity;
use lwm2m_time::Instant;
use std::sync::Arc;

impl Server {
    /// The device that sends: the one at the peer or, in a new session before an Update, the one
    /// that the identity of the session speaks for.
    fn sender(&self, peer: PeerId) -> Option<DeviceKey> {
        self.devices.key_at(peer).or_else(|| {
            let Identity::Secured(identity) = self.link.identity(peer)? else { return None };
            self.devices.key_of(&self.config.security.endpoint_of(identity)?)
        })
    }

    /// Accepts values of a registered device, if they belong to instances that it registered.
    pub(super) fn receive_values(
        &mut self,
        now: Instant,
        peer: PeerId,
        request: &Request,
    ) -> Result<Response, Refusal> {
        self.check_journal()?;
        let key = self.sender(peer).ok_or(Refusal::NotFound)?;
        let device = self.devices.get(key).ok_or(Refusal::NotFound)?;
        let registration = Arc::clone(&device.registration);
        let format = request.options.content_format().map(ContentFormat);
        let format = format.filter(|format| sends(registration.version, *format));
        let format = format.ok_or(Refusal::SendFormat)?;
        let model = registration.model(&self.config.registry);
        let reading = Reading::answer(&model)
            .below(&registration.list.root_path)
            .at_most(self.config.max_values);
        let values = reading.decode_timed(format, &Path::ROOT, &request.payload);
        let values = values.map_err(|error| match error.cause {
            DecodeCause::TooManyValues => Refusal::TooManyValues,
            _ => Refusal::SendPayload,
        })?;
        let left_out = reading.left_out();
        let forgiven: Vec<_> = reading.forgiven().collect();
        self.note_quirks(key, &forgiven);
        // A record without a path names no instance.
        let named = left_out.iter().map(|it| it.path).filter(|path| *path != Path::ROOT);
        let mut paths = values.iter().map(|it| it.path).chain(named);
        if let Some(stranger) = paths.find(|path| !registration.list.has_instance(path)) {
            return Err(Refusal::Unregistered(stranger));
        }
        self.keep_values(now, &registration.endpoint, &values, Keep::Promised);
        self.outputs.push_back(Event::ValuesReceived { registration, values, left_out });
        Ok(Response::new(Code::CHANGED))
    }
}

/// Whether a client of `version` may send values in `format`.
fn sends(version: Version, format: ContentFormat) -> bool {
    match format {
        ContentFormat::SENML_JSON | ContentFormat::SENML_CBOR => version >= Version::V1_1,
        ContentFormat::LWM2M_CBOR => version >= Version::V1_2,
        _ => false,
    }
}
