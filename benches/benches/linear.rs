//! Nanoseconds a resource, for instances of 100, 1,000 and 10,000 resources: every format of trees
//! and of composite operations grows with its input and not faster, or this fails.
//!
//! `cargo bench -p lwm2m-benches --bench linear`

use lwm2m_codec::composite::{decode_changes, encode_changes};
use lwm2m_codec::{decode, encode};
use lwm2m_core::model::NoModel;
use lwm2m_core::{ContentFormat, Node, ObjectInstance, Path};
use std::hint::black_box;
use std::time::Instant;

const SIZES: [u16; 3] = [100, 1_000, 10_000];
/// How much more a resource may take in the largest instance than in the smallest: caches and the
/// depth of trees are allowed for, a quadratic algorithm would need a hundred.
const MOST_GROWTH: f64 = 4.0;
/// How often a measurement is done again that shows more, since the machine may have been busy.
const TRIES: usize = 5;

const TREES: [ContentFormat; 5] = [
    ContentFormat::TLV,
    ContentFormat::JSON,
    ContentFormat::SENML_JSON,
    ContentFormat::SENML_CBOR,
    ContentFormat::LWM2M_CBOR,
];
const PACKS: [ContentFormat; 2] = [ContentFormat::SENML_ETCH_JSON, ContentFormat::SENML_ETCH_CBOR];

fn main() {
    println!("{:24} {:>9} {:>9} {:>9}", "ns a resource", SIZES[0], SIZES[1], SIZES[2]);
    let path = Path::instance(9, 0);
    for format in TREES {
        let written = |node: &Node| encode(format, &path, node).expect("a tree");
        show(&format!("{format} encode"), node, |node| drop(black_box(written(node))));
        show(
            &format!("{format} decode"),
            |count| written(&node(count)),
            |payload| drop(black_box(decode(format, &path, payload, &NoModel))),
        );
    }
    for format in PACKS {
        let written = |changes: &Changes| encode_changes(format, changes).expect("integers");
        show(&format!("{format} encode"), changes, |changes| drop(black_box(written(changes))));
        show(
            &format!("{format} decode"),
            |count| written(&changes(count)),
            |payload| drop(black_box(decode_changes(format, payload, &NoModel))),
        );
    }
}

type Changes = Vec<(Path, Option<lwm2m_core::Value>)>;

fn node(count: u16) -> Node {
    let instance = ObjectInstance::default();
    Node::ObjectInstance((0..count).fold(instance, |all, id| all.with(id, i64::from(id))))
}

fn changes(count: u16) -> Changes {
    (0..count).map(|id| (Path::resource(9, 0, id), Some(i64::from(id).into()))).collect()
}

/// Prints a line; fails if larger input takes more time a resource in each of some tries.
fn show<I>(name: &str, input: impl Fn(u16) -> I, work: impl Fn(&I)) {
    for attempt in 1..=TRIES {
        let [small, medium, large] = SIZES.map(|count| per_resource(count, &input(count), &work));
        if large / small <= MOST_GROWTH {
            println!("{name:24} {small:9.1} {medium:9.1} {large:9.1}");
            return;
        }
        assert!(attempt < TRIES, "{name}: {small:.1}, {medium:.1}, {large:.1} ns a resource");
    }
}

/// The nanoseconds of the fastest of some runs, which handle the same number of resources in all.
fn per_resource<I>(count: u16, input: &I, work: impl Fn(&I)) -> f64 {
    let runs = 20 * usize::from(SIZES[2] / count);
    let times = (0..runs).map(|_| {
        let begin = Instant::now();
        work(black_box(input));
        begin.elapsed().as_secs_f64()
    });
    times.fold(f64::MAX, f64::min) * 1e9 / f64::from(count)
}
