//! Payloads: the device object and an object of a thousand resources, written and read.

mod codec;
#[cfg(feature = "peers")]
mod peers;
mod senml;
mod tlv;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, resources) in [("device", lwm2m_benches::device()), ("big", lwm2m_benches::big())] {
        tlv::measure(&mut criterion, name, &resources);
        senml::measure(&mut criterion, name, &resources);
        #[cfg(feature = "peers")]
        peers::measure(&mut criterion, name, &resources);
    }
    codec::measure(&mut criterion);
    criterion.final_summary();
}
