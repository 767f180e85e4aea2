//! A store in memory that fails by script or by chance, the same way every time: for tests, and as the model of a
//! store.

use core::fmt;
use std::boxed::Box;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use super::{Footprint, Head, Store, StoreError, StoreFailure};
use crate::Kind;
use crate::random::SplitMix;

/// What happens to one call of a [`MemoryStore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreStep {
    /// It does what it should.
    Pass,
    /// A `put` finds no room; any other call does what it should.
    Full,
    /// The medium does not answer; nothing is changed.
    Unavailable,
    /// The process dies, or the power goes: this call and all others fail until [`MemoryStore::reopen`].
    Crash {
        /// Whether the call had its effect on the medium. Its caller never hears of it.
        done: bool,
    },
}

/// Keeps records in memory that outlives the store: clones look into the same memory, and [`reopen`](Self::reopen)
/// finds there what the store before it left.
///
/// ```
/// use wavefront_sdk::{Kind, store::{Head, MemoryStore, Store, StoreError, StoreFailure, StoreStep}};
/// let memory = MemoryStore::new();
/// let mut store = memory.clone();
/// let lines = b"\"a\" 1.0 source=\"s\"\n";
/// let head = Head::new(Kind::Metric, 1, 1, lines.len() as u32, 0);
/// store.put(head, lines)?;
///
/// memory.set_steps([StoreStep::Crash { done: false }]);
/// assert_eq!(store.remove(Kind::Metric, 1).unwrap_err().kind(), StoreFailure::Unavailable);
/// let mut store = memory.reopen();
/// assert_eq!(store.next(Kind::Metric, 0)?, Some(head));
/// # Ok::<(), wavefront_sdk::store::MemoryError>(())
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    medium: Arc<Mutex<Medium>>,
    life: u32,
}

struct Medium {
    records: BTreeMap<(Kind, u32), Record>,
    room: u64,
    steps: Box<dyn Iterator<Item = StoreStep> + Send>,
    set_aside: usize,
    /// Handles of another life are those of a process that is dead.
    life: u32,
    dead: bool,
}

struct Record {
    head: Head,
    lines: Vec<u8>,
    flipped: BTreeSet<u64>,
}

/// How many bits of a record are its head; those of its lines follow.
const HEAD_BITS: u64 = 256;

impl MemoryStore {
    /// An empty store with room for everything, in which nothing fails.
    pub fn new() -> Self {
        let medium = Medium {
            records: BTreeMap::new(),
            room: u64::MAX,
            steps: Box::new(core::iter::empty()),
            set_aside: 0,
            life: 0,
            dead: false,
        };
        Self { medium: Arc::new(Mutex::new(medium)), life: 0 }
    }

    /// What happens to each of the next calls of [`Store`]'s `put`, `next`, `read` and `remove`; when the steps end,
    /// everything passes. A script is an array, a random one comes from [`StoreRates::steps`].
    pub fn set_steps<I: IntoIterator<Item = StoreStep, IntoIter: Send + 'static>>(&self, steps: I) {
        self.lock().steps = Box::new(steps.into_iter());
    }

    /// A `put` that would take more than `bytes` of the medium, as [`Store::footprint`] counts them, finds it full.
    pub fn set_room(&self, bytes: u64) {
        self.lock().room = bytes;
    }

    /// The process dies: from now on all calls fail until [`reopen`](Self::reopen).
    pub fn crash(&self) {
        self.lock().dead = true;
    }

    /// A new life: the store that is returned finds what is in the memory, less the records whose head is damaged. All
    /// other handles are of a dead process from now on, whose calls fail.
    #[must_use]
    pub fn reopen(&self) -> Self {
        let mut medium = self.lock();
        let before = medium.records.len();
        medium.records.retain(|_, record| record.flipped.range(..HEAD_BITS).next().is_none());
        medium.set_aside = before - medium.records.len();
        medium.dead = false;
        medium.life += 1;
        Self { medium: self.medium.clone(), life: medium.life }
    }

    /// Flips a bit of a record: the first 256 are those of its head, which only the next life will find damaged.
    /// `false` where there is no such bit.
    pub fn damage(&self, kind: Kind, key: u32, bit: u64) -> bool {
        let mut medium = self.lock();
        let Some(record) = medium.records.get_mut(&(kind, key)) else { return false };
        if bit >= HEAD_BITS + 8 * record.lines.len() as u64 {
            return false;
        }
        // Flipped twice it is whole again.
        if !record.flipped.remove(&bit) {
            record.flipped.insert(bit);
        }
        true
    }

    /// What is in the memory, damaged or not.
    pub fn records(&self) -> Vec<(Head, Vec<u8>)> {
        self.lock().records.values().map(|record| (record.head, record.lines.clone())).collect()
    }

    /// A panic elsewhere cannot leave the records half changed, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, Medium> {
        self.medium.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `call`, or what the next step says.
    fn call<T>(&self, put: bool, call: impl FnOnce(&mut Medium) -> Result<T, MemoryError>) -> Result<T, MemoryError> {
        let mut medium = self.lock();
        if medium.dead || medium.life != self.life {
            return Err(MemoryError(StoreFailure::Unavailable));
        }
        match medium.steps.next().unwrap_or(StoreStep::Pass) {
            StoreStep::Full if put => Err(MemoryError(StoreFailure::Full)),
            StoreStep::Pass | StoreStep::Full => call(&mut medium),
            StoreStep::Unavailable => Err(MemoryError(StoreFailure::Unavailable)),
            StoreStep::Crash { done } => {
                if done {
                    let _ = call(&mut medium);
                }
                medium.dead = true;
                Err(MemoryError(StoreFailure::Unavailable))
            }
        }
    }
}

impl Medium {
    /// What all records take but the one of this kind and key.
    fn taken_by_others(&self, kind: Kind, key: u32) -> u64 {
        let others = self.records.iter().filter(|(place, _)| **place != (kind, key));
        others.map(|(_, record)| FOOTPRINT.of(record.head.bytes)).sum()
    }
}

const FOOTPRINT: Footprint = Footprint { overhead: (HEAD_BITS / 8) as u32, block: 1 };

impl Store for MemoryStore {
    type Error = MemoryError;

    fn put(&mut self, head: Head, lines: &[u8]) -> Result<(), MemoryError> {
        self.call(true, |medium| {
            if !head.describes(lines) {
                return Err(MemoryError(StoreFailure::Unavailable));
            }
            if medium.taken_by_others(head.kind, head.key) + FOOTPRINT.of(head.bytes) > medium.room {
                return Err(MemoryError(StoreFailure::Full));
            }
            let record = Record { head, lines: lines.into(), flipped: BTreeSet::new() };
            medium.records.insert((head.kind, head.key), record);
            Ok(())
        })
    }

    fn next(&mut self, kind: Kind, from: u32) -> Result<Option<Head>, MemoryError> {
        self.call(false, |medium| {
            let found = medium.records.range((kind, from)..=(kind, u32::MAX)).next();
            Ok(found.map(|(_, record)| record.head))
        })
    }

    fn read(&mut self, head: Head, into: &mut [u8]) -> Result<(), MemoryError> {
        self.call(false, |medium| {
            let place = (head.kind, head.key);
            let record = medium.records.get(&place).filter(|record| record.head == head);
            let Some(record) = record.filter(|record| record.lines.len() == into.len()) else {
                return Err(MemoryError(StoreFailure::Damaged));
            };
            if !record.flipped.is_empty() {
                medium.records.remove(&place);
                return Err(MemoryError(StoreFailure::Damaged));
            }
            into.copy_from_slice(&record.lines);
            Ok(())
        })
    }

    fn remove(&mut self, kind: Kind, key: u32) -> Result<(), MemoryError> {
        self.call(false, |medium| {
            medium.records.remove(&(kind, key));
            Ok(())
        })
    }

    fn footprint(&self) -> Footprint {
        FOOTPRINT
    }

    fn set_aside(&self) -> usize {
        self.lock().set_aside
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = self.lock().records.len();
        f.debug_struct("MemoryStore").field("life", &self.life).field("records", &records).finish_non_exhaustive()
    }
}

/// An error of a [`MemoryStore`]: one that was ordered, a full memory or a damaged record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryError(StoreFailure);

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::error::Error for MemoryError {}

impl StoreError for MemoryError {
    fn kind(&self) -> StoreFailure {
        self.0
    }
}

/// How often each failure happens, in thousandths of the calls. What is left of 1000 passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreRates {
    /// [`StoreStep::Full`].
    pub full: u16,
    /// [`StoreStep::Unavailable`].
    pub unavailable: u16,
    /// [`StoreStep::Crash`], half of them after the call had its effect.
    pub crash: u16,
}

impl StoreRates {
    /// An endless series of steps: the same `seed` gives the same series, on every machine.
    pub const fn steps(self, seed: u64) -> SeededSteps {
        SeededSteps { rates: self, random: SplitMix(seed) }
    }
}

/// The steps of [`StoreRates::steps`].
#[derive(Debug, Clone)]
pub struct SeededSteps {
    rates: StoreRates,
    random: SplitMix,
}

impl Iterator for SeededSteps {
    type Item = StoreStep;

    fn next(&mut self) -> Option<StoreStep> {
        let choice = self.random.random() % 1000;
        let done = self.random.random() & 1 == 1;
        let StoreRates { full, unavailable, crash } = self.rates;
        let [full, unavailable, crash] = [full, unavailable, crash].map(u64::from);
        Some(if choice < full {
            StoreStep::Full
        } else if choice < full + unavailable {
            StoreStep::Unavailable
        } else if choice < full + unavailable + crash {
            StoreStep::Crash { done }
        } else {
            StoreStep::Pass
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::vec;

    use super::*;
    use StoreFailure::{Damaged, Full, Unavailable};

    const LINES: &[u8] = b"a 1\nb 2\n";

    const fn head(key: u32) -> Head {
        Head::new(Kind::Metric, key, 2, LINES.len() as u32, 0)
    }

    fn failure<T: fmt::Debug>(result: Result<T, MemoryError>) -> StoreFailure {
        result.unwrap_err().kind()
    }

    fn read(store: &mut MemoryStore, key: u32) -> Result<Vec<u8>, MemoryError> {
        let mut lines = vec![0; LINES.len()];
        store.read(head(key), &mut lines).map(|()| lines)
    }

    #[test]
    fn each_step_does_what_it_says() {
        let mut store = MemoryStore::new();
        store.set_steps([StoreStep::Full, StoreStep::Unavailable, StoreStep::Pass, StoreStep::Full]);
        assert_eq!(failure(store.put(head(1), LINES)), Full);
        assert_eq!(failure(store.put(head(1), LINES)), Unavailable);
        assert_eq!(store.records(), []);
        store.put(head(1), LINES).unwrap();
        assert_eq!(store.next(Kind::Metric, 0), Ok(Some(head(1))), "only a put can find it full");
        for done in [false, true] {
            store.set_steps([StoreStep::Crash { done }]);
            assert_eq!(failure(store.put(head(2), LINES)), Unavailable);
            assert_eq!(failure(store.next(Kind::Metric, 0)), Unavailable, "the dead do nothing");
            let old = store;
            store = old.reopen();
            assert_eq!(store.next(Kind::Metric, 2).unwrap().is_some(), done);
            assert_eq!(failure(old.clone().next(Kind::Metric, 0)), Unavailable, "nor do they rise");
        }
        store.crash();
        assert_eq!(failure(read(&mut store, 1)), Unavailable);
        assert_eq!(read(&mut store.reopen(), 1).unwrap(), LINES);
    }

    #[test]
    fn its_room_ends_where_it_was_told_to() {
        let mut store = MemoryStore::new();
        store.set_room(2 * FOOTPRINT.of(8));
        for key in [1, 2, 1] {
            store.put(head(key), LINES).unwrap();
        }
        assert_eq!(failure(store.put(head(3), LINES)), Full);
        store.remove(Kind::Metric, 1).unwrap();
        store.put(head(3), LINES).unwrap();
    }

    #[test]
    fn a_damaged_bit_is_found() {
        let mut store = MemoryStore::new();
        store.put(head(1), LINES).unwrap();
        let bits = HEAD_BITS + 8 * LINES.len() as u64;
        assert!(!store.damage(Kind::Metric, 1, bits) && !store.damage(Kind::Delta, 1, 0));
        for bit in 0..bits {
            assert!(store.damage(Kind::Metric, 1, bit) && store.damage(Kind::Metric, 1, bit));
        }
        assert_eq!(read(&mut store, 1).unwrap(), LINES);
        assert!(store.damage(Kind::Metric, 1, HEAD_BITS));
        let mut store = store.reopen();
        assert_eq!((store.set_aside(), store.next(Kind::Metric, 0)), (0, Ok(Some(head(1)))));
        assert_eq!(failure(read(&mut store, 1)), Damaged);
        assert_eq!(store.next(Kind::Metric, 0), Ok(None));
        store.put(head(1), LINES).unwrap();
        assert!(store.damage(Kind::Metric, 1, 0));
        let mut store = store.reopen();
        assert_eq!((store.set_aside(), store.next(Kind::Metric, 0)), (1, Ok(None)));
        assert_eq!(store.reopen().set_aside(), 0);
    }

    #[test]
    fn a_seed_decides_and_rates_are_kept() {
        let rates = StoreRates { full: 100, unavailable: 200, crash: 50 };
        assert!(rates.steps(7).take(1000).eq(rates.steps(7).take(1000)));
        assert!(!rates.steps(7).take(1000).eq(rates.steps(8).take(1000)));
        let count = |which: fn(&StoreStep) -> bool| rates.steps(1).take(100_000).filter(which).count();
        let passed = count(|step| *step == StoreStep::Pass);
        assert!((64_000..66_000).contains(&passed), "{passed} of 100000 passed, 65000 expected");
        let done = count(|step| *step == StoreStep::Crash { done: true });
        assert!((2_200..2_800).contains(&done), "{done} of 100000 crashed late, 2500 expected");
        assert!(StoreRates::default().steps(3).take(1000).all(|step| step == StoreStep::Pass));
    }
}
