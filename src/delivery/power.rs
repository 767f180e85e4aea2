//! For the tests of the spool: a disk that outlives the process, a process that can die at any moment, and what must
//! hold whatever happens.

extern crate std;

use std::boxed::Box;
use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use super::{
    Action, Config, Delivery, Errand, InFlight, Job, Keep, Lane, Large, Loss, Millis, Mode, Outcome, Row, Slot, Spool,
};
use crate::store::{Footprint, Head, Store, StoreError, StoreFailure};
use crate::{Kind, KindSet};

pub(super) const METRIC: Kind = Kind::Metric;

/// A medium that outlives everything, and fails when told to.
#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) records: BTreeMap<(usize, u32), (Head, Vec<u8>)>,
    pub(super) fails: Option<StoreFailure>,
}

#[derive(Debug)]
pub(super) struct Failed(StoreFailure);

impl core::fmt::Display for Failed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

impl core::error::Error for Failed {}

impl StoreError for Failed {
    fn kind(&self) -> StoreFailure {
        self.0
    }
}

impl Disk {
    fn works(&self) -> Result<(), Failed> {
        self.fails.map_or(Ok(()), |failure| Err(Failed(failure)))
    }

    pub(super) fn lines(&self) -> Vec<&[u8]> {
        self.records.values().flat_map(|(_, lines)| lines.split_inclusive(|&byte| byte == b'\n')).collect()
    }
}

impl Store for Disk {
    type Error = Failed;

    fn put(&mut self, head: Head, lines: &[u8]) -> Result<(), Failed> {
        self.works()?;
        assert_eq!(head.bytes as usize, lines.len());
        assert_eq!(head.lines as usize, lines.iter().filter(|&&byte| byte == b'\n').count());
        self.records.insert((head.kind.index(), head.key), (head, lines.into()));
        Ok(())
    }

    fn next(&mut self, kind: Kind, from: u32) -> Result<Option<Head>, Failed> {
        self.works()?;
        let mut range = self.records.range((kind.index(), from)..(kind.index() + 1, 0));
        Ok(range.next().map(|(_, (head, _))| *head))
    }

    fn read(&mut self, head: Head, into: &mut [u8]) -> Result<(), Failed> {
        self.works()?;
        let Some((_, lines)) = self.records.get(&(head.kind.index(), head.key)) else {
            return Err(Failed(StoreFailure::Damaged));
        };
        into.copy_from_slice(lines);
        Ok(())
    }

    fn remove(&mut self, kind: Kind, key: u32) -> Result<(), Failed> {
        self.works()?;
        self.records.remove(&(kind.index(), key));
        Ok(())
    }
}

pub(super) type Buffer = Box<[u8]>;

/// A process: its queue, and its spool on a disk that outlives it.
pub(super) struct Process {
    pub(super) delivery: Delivery<Buffer, Vec<Slot<Buffer>>, [Lane<Large>; 2]>,
    pub(super) spool: Spool,
}

impl Process {
    pub(super) fn new(keep: Keep, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { queue_lines: 20, segment_bytes: 32, batch_lines: 4, ..Config::DEFAULT };
        change(&mut config);
        let slots = (0..12).map(|_| Slot::empty()).collect();
        let mut delivery = Delivery::new(config, slots, [Lane::new(METRIC), Lane::new(Kind::Delta)]);
        let spool = Spool::new(keep, Footprint::EXACT, &mut delivery.view());
        Self { delivery, spool }
    }

    pub(super) fn job(&mut self, now: u64, unix: u64) -> Option<Job<Buffer>> {
        match self.spool.poll(&mut self.delivery.view(), Millis(now), unix) {
            Errand::Do(job) => Some(job),
            _ => None,
        }
    }

    pub(super) fn settle(&mut self, disk: &mut Disk, mut job: Job<Buffer>, now: u64) -> Option<Loss> {
        let result = job.run(disk).map_err(|error| error.kind());
        let loss = self.spool.settle(&mut self.delivery.view(), job, result, Millis(now));
        self.delivery.view().check();
        if self.spool.scan.is_none() {
            self.check_gap(disk);
        }
        loss
    }

    /// All that there is to do.
    pub(super) fn work(&mut self, disk: &mut Disk, now: u64) -> Vec<Loss> {
        let mut losses = Vec::new();
        for _ in 0..500 {
            let Some(job) = self.job(now, now) else { return losses };
            losses.extend(self.settle(disk, job, now));
        }
        panic!("the store is never left alone");
    }

    pub(super) fn push(&mut self, line: &[u8]) {
        self.delivery.push(METRIC, line, 1).unwrap();
    }

    pub(super) fn send(&mut self, now: u64) -> Option<InFlight<Buffer>> {
        match self.delivery.poll(Millis(now), KindSet::ALL) {
            Action::Send(token) => Some(token),
            _ => None,
        }
    }

    pub(super) fn outcome(&mut self, token: InFlight<Buffer>, outcome: Outcome, now: u64) {
        self.delivery.outcome(token, outcome, Millis(now));
        self.delivery.view().check();
    }

    /// The lines that leave, with all errands done between.
    pub(super) fn drain(&mut self, disk: &mut Disk, now: u64) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            self.delivery.flush();
            self.work(disk, now);
            let Some(token) = self.send(now) else { return all };
            all.extend_from_slice(token.batch().bytes);
            self.outcome(token, Outcome::Delivered, now);
        }
    }

    /// The gap holds what is on the disk and not in memory, but for what could not be removed.
    pub(super) fn check_gap(&mut self, disk: &Disk) {
        let view = self.delivery.view();
        for lane in view.lanes.iter() {
            let mut known = BTreeSet::new();
            for mut here in [lane.head, lane.shelf.done] {
                while let Some(slot) = view.slots.get(usize::from(here)) {
                    known.extend((slot.recorded() > 0).then_some(slot.key()));
                    here = slot.next;
                }
            }
            let keys = disk.records.keys().filter(|(kind, _)| *kind == lane.kind.index()).map(|(_, key)| *key);
            let gap: Vec<u32> = keys.filter(|key| *key >= lane.shelf.floor && !known.contains(key)).collect();
            assert_eq!(lane.shelf.records as usize, gap.len(), "{:?}: {gap:?} {known:?}", lane.shelf);
            assert!(gap.iter().all(|key| *key >= lane.shelf.from), "{:?}: {gap:?}", lane.shelf);
        }
    }

    pub(super) fn row(&mut self) -> Row {
        *self.delivery.ledger().row(METRIC)
    }
}

pub(super) fn keep(mode: Mode) -> Keep {
    Keep { mode, ..Keep::DEFAULT }
}

/// Random clients, receivers, stores and crashes. Nothing that was durable is lost, lines arrive in their order
/// where one batch is out at a time, and the ledger balances after every operation.
#[test]
fn nothing_durable_is_lost_and_nothing_overtakes() {
    for seed in 1..300_u32 {
        let mut random = seed.wrapping_mul(0x9e37_79b9) | 1;
        let mut dice = move |sides: u32| {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            random % sides
        };
        let mode = if dice(2) == 0 { Mode::Always } else { Mode::Overflow };
        let most_out = 1 + dice(3) as usize;
        let stream = dice(3) == 0;
        let queue_lines = 6 + dice(40) as usize;
        let start = |config: &mut Config| config.queue_lines = queue_lines;
        let mut disk = Disk::default();
        let mut process = Process::new(keep(mode), start);
        let (mut out, mut pending): (Vec<InFlight<Buffer>>, Option<Job<Buffer>>) = (Vec::new(), None);
        let (mut now, mut next) = (0_u64, 0_u32);
        // Lines that must arrive some day, and those that have, in the order of their first arrival.
        let (mut owed, mut arrived) = (BTreeSet::new(), Vec::new());
        let mut ordered = most_out == 1 && !stream;
        let number = |line: &[u8]| core::str::from_utf8(line).unwrap().trim().parse::<u32>().unwrap();
        for step in 0..600 {
            let is_last = step == 599;
            match dice(40) {
                0..14 => {
                    let line = std::format!("{next}\n");
                    if process.delivery.push(METRIC, line.as_bytes(), 1).is_ok() {
                        owed.insert(next);
                    }
                    next += 1;
                }
                14..17 => drop(process.delivery.flush()),
                17..25 if out.len() < most_out => out.extend(process.send(now)),
                25..32 if !out.is_empty() => {
                    let token = out.swap_remove(dice(out.len() as u32) as usize);
                    let came = dice(3) > 0;
                    if came {
                        arrived.extend(token.batch().bytes.split_inclusive(|&byte| byte == b'\n').map(number));
                    }
                    let outcome = match (came, stream, dice(3)) {
                        (true, false, 0) => Outcome::Retry { done: 0, after: None },
                        (true, false, _) => Outcome::Delivered,
                        (true, true, _) => Outcome::Written,
                        (false, _, 0) => Outcome::Unreachable,
                        (false, _, _) => Outcome::Retry { done: 0, after: None },
                    };
                    process.outcome(token, outcome, now);
                }
                32..37 if pending.is_none() => pending = process.job(now, now + 1),
                32..37 => {
                    disk.fails = match dice(12) {
                        0 => Some(StoreFailure::Unavailable),
                        1 => Some(StoreFailure::Full),
                        _ => None,
                    };
                    // Nobody waits for a store that cannot say what it has.
                    ordered &= disk.fails.is_none() || process.spool.scan.is_none();
                    process.settle(&mut disk, pending.take().unwrap(), now);
                    disk.fails = None;
                }
                37 if stream && out.is_empty() => drop(process.delivery.view().lost(KindSet::ALL, Millis(now))),
                38 => now += u64::from(dice(40_000)),
                39 if dice(4) == 0 => {
                    // Power off: what is written by now may have arrived and is not sent again.
                    let stored: BTreeSet<u32> = disk.lines().into_iter().map(number).collect();
                    owed.retain(|line| stored.contains(line));
                    (out, pending) = (Vec::new(), None);
                    process = Process::new(keep(mode), start);
                }
                _ => {}
            }
            if pending.is_none() && process.spool.scan.is_none() {
                process.check_gap(&disk);
            }
            let ledger = process.delivery.ledger();
            assert!(ledger.is_balanced(), "{seed} {step} {ledger:?}");
            if !is_last {
                process.delivery.view().check();
            }
        }
        // From now on all is well.
        for token in out {
            process.outcome(token, Outcome::Retry { done: 0, after: None }, now);
        }
        pending.map(|job| process.settle(&mut disk, job, now));
        process.delivery.view().lost(KindSet::ALL, Millis(now));
        now += 10_000_000;
        arrived.extend(process.drain(&mut disk, now).split_inclusive(|&byte| byte == b'\n').map(number));
        let row = process.row();
        assert_eq!((row.unsettled(), row.stored, row.dropped.damaged), (0, 0, 0), "{seed} {row:?}");
        assert!(disk.records.is_empty(), "{seed}");
        let all: BTreeSet<u32> = arrived.iter().copied().collect();
        let missing: Vec<_> = owed.difference(&all).collect();
        assert!(missing.is_empty() || stream, "{seed} {mode:?}: {missing:?}");
        if ordered {
            let mut seen = BTreeSet::new();
            let firsts: Vec<u32> = arrived.into_iter().filter(|line| seen.insert(*line)).collect();
            assert!(firsts.is_sorted(), "{seed} {mode:?}: {firsts:?}");
        }
    }
}
