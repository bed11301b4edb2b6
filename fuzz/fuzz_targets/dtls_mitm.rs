//! An attacker between a DTLS client and server: loses, repeats, cuts, alters and redirects.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_fuzz::dtls::Wire;

fuzz_target!(|script: &[u8]| {
    let Some((&kind, rest)) = script.split_first() else { return };
    let mut wire = Wire::new(kind);
    for step in rest.as_chunks::<3>().0 {
        let Some((up, mut datagram)) = wire.take() else { break };
        let [operation, place, value] = *step;
        let place = usize::from(place) * datagram.len() / 256;
        match operation % 8 {
            0 => continue,
            1 => datagram.truncate(place),
            2 => datagram[place] ^= value,
            3 => datagram.insert(place, value),
            4 => wire.deliver(up, &datagram),
            5 => wire.deliver(!up, &datagram),
            6 => drop(datagram.splice(place.., [value])),
            7 => wire.deliver_from_elsewhere(up, &datagram),
            _ => {}
        }
        wire.deliver(up, &datagram);
    }
    wire.run_out();
});
