//! A disk under `redb` that crashes, fills up and fails when a test wants it to, all from one seed.
//!
//! A crash loses writes that were not synced, each on its own and by sector, so that what is left is
//! torn and in no order. A failed sync is as bad as on Linux: what it did not write is forgotten, but
//! reads still show it until the next crash.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use redb::{BackendError, StorageBackend};
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The unit in which a disk writes.
const SECTOR: usize = 512;

/// A disk with one file. Clones are the same disk.
#[derive(Clone)]
pub struct VirtualDisk(Arc<Mutex<State>>);

struct State {
    rng: ChaCha8Rng,
    /// What a crash leaves.
    durable: Vec<u8>,
    /// What reads show.
    visible: Vec<u8>,
    /// What was written since the last sync.
    unsynced: Vec<Change>,
    /// The sectors that have a place on the disk.
    allocated: BTreeSet<usize>,
    is_full: bool,
    /// The percentage of operations that fail.
    failing: u32,
    /// The operations until it crashes.
    crash_after: Option<u64>,
    /// Counted up by each crash: a computer that was started before can do nothing any more.
    generation: u64,
}

enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

impl fmt::Debug for VirtualDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualDisk").finish_non_exhaustive()
    }
}

impl VirtualDisk {
    /// An empty disk. Randomness comes from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng: ChaCha8Rng::seed_from_u64(seed),
            durable: Vec::new(),
            visible: Vec::new(),
            unsynced: Vec::new(),
            allocated: BTreeSet::new(),
            is_full: false,
            failing: 0,
            crash_after: None,
            generation: 0,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a computer with this disk. After a crash it can do nothing any more: start another one.
    #[must_use]
    pub fn start(&self) -> Computer {
        Computer { disk: self.clone(), generation: self.lock().generation }
    }

    /// The file as reads show it.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().visible.clone()
    }

    /// Replaces the file, as if something else had written it.
    pub fn set_bytes(&self, bytes: Vec<u8>) {
        let mut state = self.lock();
        state.durable.clone_from(&bytes);
        state.visible = bytes;
    }

    /// Crashes now.
    pub fn crash(&self) {
        self.lock().crash();
    }

    /// Crashes instead of the operation after so many; `None` takes that back. Reads count, too.
    pub fn crash_after(&self, operations: Option<u64>) {
        self.lock().crash_after = operations;
    }

    /// The number of crashes so far.
    #[must_use]
    pub fn crashes(&self) -> u64 {
        self.lock().generation
    }

    /// Whether there is no room for sectors that were never written. Default: there is.
    pub fn set_full(&self, is_full: bool) {
        self.lock().is_full = is_full;
    }

    /// The percentage of operations that fail from now on. Default: 0.
    pub fn set_failing(&self, percent: u32) {
        self.lock().failing = percent;
    }
}

impl State {
    /// Begins an operation of a file.
    fn begin(&mut self, generation: u64) -> io::Result<()> {
        if let Some(rest) = &mut self.crash_after {
            match rest.checked_sub(1) {
                Some(less) => *rest = less,
                None => self.crash(),
            }
        }
        match generation == self.generation {
            true => Ok(()),
            false => Err(io::Error::other("the power is off")),
        }
    }

    fn crash(&mut self) {
        self.crash_after = None;
        self.generation += 1;
        self.write_back();
        self.unsynced.clear();
        self.visible.clone_from(&self.durable);
    }

    /// Writes some of what was not synced, in any order, and forgets the other writes.
    fn write_back(&mut self) {
        let mut changes = std::mem::take(&mut self.unsynced);
        for last in (1..changes.len()).rev() {
            changes.swap(last, self.below(last + 1));
        }
        // Mostly nearly all or nearly nothing, as it is on disks.
        let kept = [0, 10, 50, 90, 100][self.below(5)];
        for change in changes {
            match change {
                Change::Write { at, bytes } => self.tear(at, &bytes, kept),
                Change::Length(length) if self.below(100) < kept => {
                    resize(&mut self.durable, length);
                }
                length @ Change::Length(_) => self.unsynced.push(length),
            }
        }
    }

    /// Writes this percentage of the sectors of a write, and of a sector now and then a part.
    fn tear(&mut self, at: usize, bytes: &[u8], kept: usize) {
        for piece in sectors(at, bytes.len()) {
            let length = match self.below(100) {
                0 => self.below(piece.len()),
                percent if percent < kept => piece.len(),
                _ => continue,
            };
            let piece = piece.start..piece.start + length;
            put(&mut self.durable, piece.start, &bytes[piece.start - at..piece.end - at]);
        }
    }

    fn write(&mut self, at: usize, bytes: &[u8]) -> io::Result<()> {
        let mut result = self.fail();
        let mut length = if result.is_ok() { bytes.len() } else { self.below(bytes.len()) };
        let is_new = |sector: &usize| !self.allocated.contains(sector);
        let mut new = sectors(at, length).map(|piece| piece.start / SECTOR).filter(is_new);
        if let Some(sector) = new.next().filter(|_| self.is_full) {
            length = (sector * SECTOR).saturating_sub(at);
            result = Err(io::ErrorKind::StorageFull.into());
        }
        self.allocated.extend(sectors(at, length).map(|piece| piece.start / SECTOR));
        put(&mut self.visible, at, &bytes[..length]);
        self.unsynced.push(Change::Write { at, bytes: bytes[..length].to_vec() });
        result
    }

    fn sync(&mut self) -> io::Result<()> {
        if let Err(error) = self.fail() {
            self.write_back();
            return Err(error);
        }
        // What an earlier sync has forgotten stays forgotten, although reads show it.
        for change in self.unsynced.drain(..) {
            match change {
                Change::Write { at, bytes } => put(&mut self.durable, at, &bytes),
                Change::Length(length) => resize(&mut self.durable, length),
            }
        }
        Ok(())
    }

    fn fail(&mut self) -> io::Result<()> {
        match self.below(100) < self.failing as usize {
            true => Err(io::Error::other("the disk failed")),
            false => Ok(()),
        }
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.rng.next_u64() % end.max(1) as u64).unwrap_or(0)
    }
}

/// The sectors, or parts of them, of a range of bytes.
fn sectors(at: usize, length: usize) -> impl Iterator<Item = Range<usize>> {
    let end = at + length;
    (at / SECTOR..end.div_ceil(SECTOR))
        .map(move |sector| at.max(sector * SECTOR)..end.min((sector + 1) * SECTOR))
}

/// Cuts a file, or extends it by zeros.
fn resize(file: &mut Vec<u8>, length: usize) {
    // Without optimisation this is many times as fast as `Vec::resize`.
    file.extend_from_slice(&vec![0; length.saturating_sub(file.len())]);
    file.truncate(length);
}

/// Writes what is before the end of the file.
fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    let length = file.len().saturating_sub(at).min(bytes.len());
    if length > 0 {
        file[at..at + length].copy_from_slice(&bytes[..length]);
    }
}

/// A computer with a [`VirtualDisk`], between two crashes. It is the file on the disk, too: clones are
/// the same file, opened more than once.
#[derive(Clone, Debug)]
pub struct Computer {
    disk: VirtualDisk,
    generation: u64,
}

impl Computer {
    /// Does an operation, unless the disk crashes before it.
    fn with<T>(&self, f: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.lock();
        state.begin(self.generation)?;
        f(&mut state)
    }
}

fn place(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(io::Error::other)
}

impl StorageBackend for Computer {
    fn len(&self) -> io::Result<u64> {
        self.with(|state| Ok(state.visible.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let from = place(offset)?;
        self.with(|state| {
            state.fail()?;
            let bytes = state.visible.get(from..from + out.len());
            out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = place(length)?;
        self.with(|state| {
            state.fail()?;
            resize(&mut state.visible, length);
            state.unsynced.push(Change::Length(length));
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(State::sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let at = place(offset)?;
        self.with(|state| state.write(at, data))
    }

    // One process has the disk, so that nothing is ever locked.

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Range<usize> = 0..8 * SECTOR;

    /// A file of eight sectors of zeros that are synced.
    fn file(disk: &VirtualDisk) -> impl StorageBackend {
        let file = disk.start();
        file.set_len(FULL.end as u64).unwrap();
        file.write(0, &[0; FULL.end]).unwrap();
        file.sync_data().unwrap();
        file
    }

    fn contents(disk: &VirtualDisk) -> Vec<u8> {
        let mut bytes = vec![0; FULL.end];
        disk.start().read(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn crash_keeps_what_was_synced_and_tears_the_rest() {
        let (mut all, mut nothing, mut torn) = (0, 0, 0);
        for seed in 0..300 {
            let disk = VirtualDisk::new(seed);
            let file = file(&disk);
            file.write(100, &[1; 100]).unwrap();
            file.sync_data().unwrap();
            file.write(SECTOR as u64, &[2; 7 * SECTOR]).unwrap();
            disk.crash();
            assert!(file.write(0, &[9]).is_err(), "what was open before is dead");
            let bytes = contents(&disk);
            assert_eq!(bytes[100..200], [1; 100]);
            match bytes[SECTOR..].iter().filter(|byte| **byte == 2).count() {
                0 => nothing += 1,
                count if count == 7 * SECTOR => all += 1,
                count => torn += usize::from(count % SECTOR != 0),
            }
        }
        assert!(all > 20 && nothing > 20 && torn > 5, "{all} {nothing} {torn}");
    }

    #[test]
    fn failed_sync_forgets_what_reads_still_show() {
        let mut forgotten = 0;
        for seed in 0..100 {
            let disk = VirtualDisk::new(seed);
            let file = file(&disk);
            file.write(0, &[3; FULL.end]).unwrap();
            disk.set_failing(100);
            file.sync_data().unwrap_err();
            disk.set_failing(0);
            file.sync_data().unwrap();
            assert_eq!(contents(&disk), [3; FULL.end]);
            disk.crash();
            forgotten += usize::from(contents(&disk) != [3; FULL.end]);
        }
        assert!(forgotten > 50, "{forgotten}");
    }

    #[test]
    fn full_disk_takes_what_has_its_place_already() {
        let disk = VirtualDisk::new(1);
        let file = file(&disk);
        disk.set_full(true);
        file.write(10, &[4; 2 * SECTOR]).unwrap();
        file.set_len(10 * SECTOR as u64).unwrap();
        let error = file.write(7 * SECTOR as u64, &[5; 2 * SECTOR]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(contents(&disk)[7 * SECTOR..], [5; SECTOR], "as much as there was room for");
        disk.set_full(false);
        file.write(7 * SECTOR as u64, &[5; 2 * SECTOR]).unwrap();
    }

    #[test]
    fn crash_comes_instead_of_an_operation() {
        let disk = VirtualDisk::new(1);
        let file = file(&disk);
        disk.crash_after(Some(2));
        file.write(0, &[1]).unwrap();
        file.len().unwrap();
        file.sync_data().unwrap_err();
        assert_eq!(disk.crashes(), 1);
        disk.start().len().unwrap();
    }
}
