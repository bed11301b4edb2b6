//! Queue mode (OMA LwM2M Core 6.5): devices that listen for a while after they have sent something.

use super::Server;
use crate::device::Device;
use crate::devices::DeviceKey;
use crate::event::Event;
use lwm2m_time::Instant;
use std::sync::Arc;
use std::time::Duration;

/// Whether a device can be expected to listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// It listens always.
    Listening,
    /// It sleeps between its messages, and listens until then.
    AwakeUntil(Instant),
    /// It sleeps since it was heard of at this time.
    AsleepSince(Instant),
}

impl Server {
    /// Whether a device can be expected to listen; `None` if it is not registered.
    #[must_use]
    pub fn reach(&self, endpoint: &str) -> Option<Reach> {
        let device = self.devices.get(self.devices.key_of(endpoint)?)?;
        let window = self.awake_time(device);
        Some(match (device.registration.queue_mode, device.is_asleep) {
            (false, _) => Reach::Listening,
            (true, false) => Reach::AwakeUntil(device.heard_at + window),
            (true, true) => Reach::AsleepSince(device.heard_at),
        })
    }

    /// Sets how long a device listens after each of its messages; `None` is
    /// [`Config::awake_time`](crate::Config::awake_time). Lasts while the device is registered.
    /// Returns `false` if it is not registered.
    pub fn set_awake_time(&mut self, endpoint: &str, time: Option<Duration>) -> bool {
        let Some(key) = self.devices.key_of(endpoint) else { return false };
        let Some(device) = self.devices.get_mut(key) else { return false };
        device.awake_time = time;
        self.rearm(key);
        true
    }

    pub(super) fn awake_time(&self, device: &Device) -> Duration {
        device.awake_time.unwrap_or(self.config.awake_time)
    }

    /// Notes that a message of a device has come.
    pub(super) fn hear_of(&mut self, now: Instant, key: DeviceKey) {
        let Some(device) = self.devices.get_mut(key) else { return };
        device.heard_at = now;
        let woke = std::mem::take(&mut device.is_asleep);
        let registration = woke.then(|| Arc::clone(&device.registration));
        if device.registration.queue_mode {
            self.rearm(key);
        }
        self.outputs.extend(registration.map(Event::Awake));
    }

    fn rearm(&mut self, key: DeviceKey) {
        let Some(device) = self.devices.get(key) else { return };
        let until = device.heard_at + self.awake_time(device);
        if device.registration.queue_mode && !device.is_asleep {
            self.devices.sleep_at(key, until);
        }
    }

    /// Notes that a device sleeps: its time is over, or it does not answer.
    pub(super) fn fall_asleep(&mut self, key: DeviceKey) {
        let Some(device) = self.devices.get_mut(key) else { return };
        if device.registration.queue_mode && !device.is_asleep {
            device.is_asleep = true;
            let registration = Arc::clone(&device.registration);
            self.outputs.push_back(Event::Asleep(registration));
        }
    }

    /// The time of a device to sleep may have come: each message moves it, and leaves the timer alone.
    pub(super) fn check_sleep(&mut self, now: Instant, key: DeviceKey) {
        let Some(device) = self.devices.get(key) else { return };
        match device.heard_at + self.awake_time(device) <= now {
            true => self.fall_asleep(key),
            false => self.rearm(key),
        }
    }
}
