//! The objects of the simulated device: Device, Connectivity Monitoring, Firmware Update, Location
//! and an IPSO temperature sensor. Objects 0 and 1 are the engine's own.

use crate::clock::Clocked;
use lwm2m_client::{MemoryObject, Object, Refusal, ValueError};
use lwm2m_core::{ObjectInstance, ObjectVersion, Value, Version};
use std::time::{SystemTime, UNIX_EPOCH};

/// The object id of Device.
pub const DEVICE: u16 = 3;
/// The object id of the temperature sensor.
pub const TEMPERATURE: u16 = 3303;

pub(crate) const CURRENT_TIME: u16 = 13;
const SENSOR_VALUE: u16 = 5700;
const MINIMUM: u16 = 5601;
const MAXIMUM: u16 = 5602;

/// All objects of a device that speaks this version.
#[must_use]
pub fn objects(version: Version) -> Vec<Box<dyn Object>> {
    vec![
        Box::new(Clocked::new(device(version), unix_time)),
        Box::new(connectivity_monitoring()),
        Box::new(firmware_update()),
        Box::new(location()),
        Box::new(temperature()),
    ]
}

fn device(version: Version) -> MemoryObject {
    // LwM2M 1.0 has no TCP.
    let bindings = if version == Version::V1_0 { "U" } else { "UT" };
    let values = |device: ObjectInstance| {
        device
            .with(0, "lwm2m-rs")
            .with(1, "Simulated thermostat")
            .with(2, "345000123")
            .with(3, env!("CARGO_PKG_VERSION"))
            .with_multiple(6, [(0, 1i64), (1, 5)])
            .with_multiple(7, [(0, 3800i64), (1, 5000)])
            .with_multiple(8, [(0, 125i64), (1, 900)])
            .with(9, 100i64)
            .with(10, 15i64)
            .with_multiple(11, [(0, 0i64)])
            .with(CURRENT_TIME, now())
            .with(14, "+00:00")
            .with(15, "Etc/UTC")
            .with(16, bindings)
    };
    // Reboot is seen to by the daemon, which hears of it by the engine's event.
    MemoryObject::new(DEVICE)
        .instance(0, values)
        .fixed()
        .on_execute(4, |_, _| Ok(()))
        .on_execute(12, |_, _| Ok(()))
}

fn connectivity_monitoring() -> MemoryObject {
    let values = |network: ObjectInstance| {
        network
            .with(0, 41i64)
            .with_multiple(1, [(0, 41i64)])
            .with(2, -60i64)
            .with(3, 98i64)
            .with_multiple(4, [(0, "127.0.0.1")])
    };
    MemoryObject::new(4).instance(0, values).fixed()
}

fn firmware_update() -> MemoryObject {
    // State Idle, result Initial, push only: the values of a device without an update under way.
    let values =
        |firmware: ObjectInstance| firmware.with(1, "").with(3, 0i64).with(5, 0i64).with(9, 1i64);
    // The device takes an image block by block, and has no use for it.
    MemoryObject::new(5)
        .instance(0, values)
        .fixed()
        .on_block(0, |_, _| Ok(()))
        .on_execute(2, |_, _| Err(Refusal::MethodNotAllowed))
}

fn location() -> MemoryObject {
    let values = |location: ObjectInstance| {
        location.with(0, 43.5723).with(1, 153.2176).with(2, 140.0).with(5, now())
    };
    MemoryObject::new(6).instance(0, values).fixed()
}

fn temperature() -> MemoryObject {
    let values = |sensor: ObjectInstance| {
        sensor.with(SENSOR_VALUE, 21.0).with(MINIMUM, 21.0).with(MAXIMUM, 21.0).with(5701, "Cel")
    };
    let fresh = move |sensor: ObjectInstance| values(sensor).with(5750, "");
    MemoryObject::new(TEMPERATURE)
        .version(ObjectVersion::new(1, 1))
        .instance(0, values)
        .new_instances(fresh)
        .on_execute(5605, |_, _| Ok(()))
}

fn unix_time() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn now() -> Value {
    Value::Time(unix_time())
}

/// The temperature after `steps` moves: a slow wave around 21 degrees, so that each move shows.
#[must_use]
pub fn temperature_after(steps: u32) -> f64 {
    let wave = (f64::from(steps) * 0.3).sin() * 3.0;
    ((21.0 + wave) * 100.0).round() / 100.0
}

/// Sets the temperature of instance 0, and the minimum or maximum that the sensor has measured if
/// the temperature is beyond it.
///
/// # Errors
/// Instance 0 does not exist.
pub fn set_temperature(sensor: &mut MemoryObject, celsius: f64) -> Result<(), ValueError> {
    let seen = |sensor: &MemoryObject, resource| match sensor.value(0, resource) {
        Some(Value::Float(value)) => *value,
        _ => celsius,
    };
    let (low, high) = (seen(sensor, MINIMUM), seen(sensor, MAXIMUM));
    sensor.set(0, SENSOR_VALUE, celsius)?;
    sensor.set(0, MINIMUM, celsius.min(low))?;
    sensor.set(0, MAXIMUM, celsius.max(high))
}

/// Resets the minimum and maximum that the sensor of `instance` has measured to its temperature
/// (Execute on 5605).
///
/// # Errors
/// The instance does not exist.
pub fn reset_extremes(sensor: &mut MemoryObject, instance: u16) -> Result<(), ValueError> {
    let Some(Value::Float(celsius)) = sensor.value(instance, SENSOR_VALUE).cloned() else {
        return Ok(());
    };
    sensor.set(instance, MINIMUM, celsius)?;
    sensor.set(instance, MAXIMUM, celsius)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_move_changes_the_temperature() {
        assert!((1..200).all(|n| temperature_after(n) != temperature_after(n - 1)));
    }

    #[test]
    fn extremes_follow_the_value_and_are_reset() {
        let mut sensor = temperature();
        let seen = |sensor: &MemoryObject| {
            [MINIMUM, SENSOR_VALUE, MAXIMUM].map(|id| match sensor.value(0, id) {
                Some(Value::Float(celsius)) => *celsius,
                other => panic!("{other:?}"),
            })
        };
        for (celsius, expected) in
            [(25.0, [21.0, 25.0, 25.0]), (20.0, [20.0, 20.0, 25.0]), (22.0, [20.0, 22.0, 25.0])]
        {
            set_temperature(&mut sensor, celsius).unwrap();
            assert_eq!(seen(&sensor), expected);
        }
        reset_extremes(&mut sensor, 0).unwrap();
        assert_eq!(seen(&sensor), [22.0; 3]);
    }
}
