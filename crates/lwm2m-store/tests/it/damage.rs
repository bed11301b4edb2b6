//! Files that something has damaged: they are refused, or the damage was in no page that is used.

use crate::{TABLE, folder, record};
use lwm2m_store::{Changes, FileStore, Reader, Store, StoreError, open_to_read};
use lwm2m_testkit::VirtualDisk;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::fs;

/// The byte in which `redb` keeps its state.
const MARK: usize = 9;

fn open(disk: &VirtualDisk) -> Result<FileStore, StoreError> {
    let computer = disk.start();
    FileStore::on("a disk", move |builder| builder.create_with_backend(computer.clone()))
}

fn records(reader: &Reader) -> Result<usize, StoreError> {
    reader.all()?.try_fold(0, |count, record| record.map(|_| count + 1))
}

/// A disk with a store of some hundred pages, closed or as a crash leaves it.
fn disk(is_closed: bool) -> VirtualDisk {
    let disk = VirtualDisk::new(1);
    let mut store = open(&disk).unwrap();
    for round in 0..3 {
        let value = "value ".repeat(20 + round);
        let records = (0..1_000).map(|at| record(&format!("{at:05}"), Some(&value)));
        store.commit(&records.collect()).unwrap();
    }
    if !is_closed {
        disk.crash();
    }
    drop(store);
    disk
}

#[test]
fn damaged_files_are_refused_and_stay_as_they_are() {
    let (mut refused, mut intact) = (0, 0);
    for is_closed in [true, false] {
        let whole = disk(is_closed).bytes();
        for seed in 0..150 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut below = |end: usize| usize::try_from(rng.next_u64() % end as u64).unwrap();
            let mut bytes = whole.clone();
            match seed % 5 {
                0 => bytes.truncate(below(whole.len())),
                1 => bytes[below(4_096)] ^= 1 << below(8),
                2 => {
                    let (at, length) = (below(whole.len() / 512) * 512, 512 * (1 + below(64)));
                    bytes.iter_mut().skip(at).take(length).for_each(|byte| *byte = 0);
                }
                3 => (0..20).for_each(|_| bytes[below(whole.len())] ^= 1 << below(8)),
                _ => bytes.extend(vec![7; below(100_000)]),
            }
            let disk = VirtualDisk::new(seed);
            disk.set_bytes(bytes.clone());
            match open(&disk) {
                Ok(mut store) => {
                    assert_eq!(records(&store.reader()).unwrap(), 1_000, "seed {seed}");
                    let changes = Changes::from_iter([record("00500", Some("new"))]);
                    store.commit(&changes).unwrap();
                    intact += 1;
                }
                Err(StoreError::Damaged { .. } | StoreError::Foreign { .. }) => {
                    refused += 1;
                    let mut now = disk.bytes();
                    // `redb` takes off the mark of an interrupted commit.
                    bytes.get(MARK).zip(now.get_mut(MARK)).into_iter().for_each(|(a, b)| *b = *a);
                    assert!(now == bytes, "seed {seed}: changed");
                }
                Err(other) => panic!("seed {seed}: {other}"),
            }
        }
    }
    assert!(refused > 100 && intact > 20, "{refused} {intact}");
}

#[test]
fn reading_a_damaged_file_is_an_error_and_no_panic() {
    let (whole, folder) = (disk(true).bytes(), folder("damage"));
    fs::create_dir_all(&folder).unwrap();
    let mut errors = 0;
    for seed in 0..150 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut below = |end: usize| usize::try_from(rng.next_u64() % end as u64).unwrap();
        let mut bytes = whole.clone();
        (0..40).for_each(|_| bytes[4_096 + below(whole.len() - 4_096)] ^= 1 << below(8));
        fs::write(folder.join("store.redb"), bytes).unwrap();
        let read = open_to_read(&folder).and_then(|reader| {
            reader.get(TABLE, b"00500")?;
            records(&reader)
        });
        match read {
            Ok(count) => assert_eq!(count, 1_000, "seed {seed}"),
            Err(StoreError::Damaged { .. } | StoreError::Foreign { .. }) => errors += 1,
            Err(other) => panic!("seed {seed}: {other}"),
        }
    }
    assert!(errors > 100, "{errors}");
}
