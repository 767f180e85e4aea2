//! What goes into a store and what comes out of it: order, bounds and accounting, once for every store.

use core::time::Duration;

use super::backoff::{Backoff, Gate, Jitter, Millis, Moment, Waits};
use super::errand::{Errand, Job, Keep, Mode, Reason, Task};
use super::lane::Lane;
use super::ledger::{Column, Columns};
use super::machine::{Overflow, View};
use super::scale::{Initial, Large};
use super::segment::{Buf, NONE, State};
use super::shelf::Shelf;
use crate::Kind;
use crate::store::{Footprint, Head};

/// How many segments of a lane are read ahead of their turn.
const AHEAD: usize = 6;

/// How long a store that does not work is left alone.
const STORE: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));

/// Decides what goes into a store and what comes out of it, for one [`Delivery`](super::Delivery).
///
/// Nothing here does I/O. A driver asks [`poll`](Self::poll) what to do, does it with a store, and hands the result to
/// [`settle`](Self::settle), one job at a time; other threads may drive the delivery meanwhile.
///
/// - Lines leave in their order, whether the store has them or memory: what is stored leaves before what came later.
/// - A record is removed when its last line is settled. So lines of a process that died between are sent twice: at
///   least once is what a store can promise.
/// - While the store does not work, lines are sent without it, whatever the mode.
/// - [`View::left`] does not count what is stored: a flush is done when everything is durable or delivered.
///
/// ```
/// use wavefront_sdk::delivery::{Config, Delivery, Errand, Keep, Lane, Millis, Mode, Slot, Spool, Stored};
/// use wavefront_sdk::{Kind, store::{MemoryStore, Store, StoreError}};
///
/// let mut store = MemoryStore::new();
/// let slots = core::array::from_fn::<_, 4, _>(|_| Slot::new(Stored([0_u8; 512])));
/// let mut delivery = Delivery::new(Config::default(), slots, [Lane::new(Kind::Metric)]);
/// let mut keep = Keep::default();
/// keep.mode = Mode::Always;
/// let mut spool = Spool::new(keep, store.footprint(), &mut delivery.view());
///
/// delivery.push(Kind::Metric, b"\"a\" 1.0 source=\"s\"\n", 1).unwrap();
/// let ticket = delivery.flush();
/// while let Errand::Do(mut job) = spool.poll(&mut delivery.view(), Millis(0), 1_700_000_000_000) {
///     let result = job.run(&mut store).map_err(|error| error.kind());
///     spool.settle(&mut delivery.view(), job, result, Millis(0));
/// }
/// assert_eq!(delivery.left(&ticket), 0, "it is durable");
/// ```
#[derive(Debug)]
pub struct Spool {
    pub(super) keep: Keep,
    pub(super) footprint: Footprint,
    /// What the records take of the medium.
    pub(super) bytes: u64,
    pub(super) waits: Waits,
    /// Whether the store works, and whether it has room.
    pub(super) works: Gate,
    pub(super) room: Gate,
    pub(super) jitter: Jitter,
    /// The lane that is looked through at the beginning, and the key to go on from.
    pub(super) scan: Option<(u8, u32)>,
    pub(super) heads: [Next; Kind::COUNT],
    pub(super) turn: u8,
    pub(super) busy: bool,
    pub(super) hurry: bool,
}

/// The next record that is to be read, as it was found when everything below `from` was read, in that turn of the
/// shelf.
#[derive(Debug, Clone, Copy)]
pub(super) struct Next {
    pub(super) from: u32,
    pub(super) turn: u16,
    pub(super) head: Option<Head>,
    /// Where to go on seeking while there is none.
    pub(super) seek: u32,
}

impl Next {
    const UNKNOWN: Self = Self { from: 0, turn: 0, head: None, seek: 0 };
}

impl Spool {
    /// A spool for a store whose records take `footprint`, in front of the queue of `view`.
    ///
    /// Until the store was looked through, which is the first thing that [`poll`](Self::poll) asks for, nothing leaves.
    pub fn new<B: Buf<Scale = Large>>(keep: Keep, footprint: Footprint, view: &mut View<'_, B>) -> Self {
        view.core.storing.attached = true;
        (view.core.storing.scanning, view.core.storing.unread) = (true, true);
        Self {
            keep,
            footprint,
            bytes: 0,
            waits: Waits::of(STORE),
            works: Gate::OPEN,
            room: Gate::OPEN,
            jitter: view.core.jitter,
            scan: Some((0, 0)),
            heads: [Next::UNKNOWN; Kind::COUNT],
            turn: 0,
            busy: false,
            hurry: false,
        }
    }

    /// What the records take of the medium, as far as is known.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// From now on lines go into the store as `mode` says.
    pub fn set_mode(&mut self, mode: Mode) {
        self.keep.mode = mode;
    }

    /// From now on everything goes into the store, sent or not: the end is near.
    pub fn hurry(&mut self) {
        self.hurry = true;
    }

    /// From now on nothing is sent any more, and everything goes into the store.
    pub fn last<B: Buf<Scale = Large>>(&mut self, view: &mut View<'_, B>) {
        self.hurry = true;
        view.core.storing.last = true;
    }

    /// Whether nothing is left that the store could take or has to forget, or it does not do so.
    pub fn is_done<B: Buf<Scale = Large>>(&self, view: &View<'_, B>) -> bool {
        let safe = Kind::ALL.into_iter().all(|kind| view.is_safe(kind));
        let removed = view.lanes.iter().all(|lane| lane.shelf.done == NONE);
        !self.busy && (safe || view.core.storing.refuses && !self.is_shut()) && (removed || self.is_shut())
    }

    /// What a record takes of the medium; nothing where there is none.
    pub(super) fn taken(&self, record: u32) -> u64 {
        if record == 0 { 0 } else { self.footprint.of(record) }
    }

    pub(super) fn is_shut(&self) -> bool {
        self.works.is_shut()
    }

    /// What to do at `now` for the store. `unix` is the time in milliseconds since 1970, 0 where no clock knows it.
    pub fn poll<B: Buf<Scale = Large>>(&mut self, view: &mut View<'_, B>, now: Millis, unix: u64) -> Errand<B> {
        let moment = Moment::of(now);
        let flush_in = view.tick(moment);
        if self.busy {
            return Errand::Idle;
        }
        let most = self.waits.most;
        if let Err(left) = self.works.open(moment, most) {
            return left.map_or(Errand::Idle, |left| Errand::WaitUntil(now.plus(left)));
        }
        let room = self.room.open(moment, most);
        let mut wait: Option<Millis> = room.err().flatten().map(|left| now.plus(left));
        let mut earlier = |at: Millis| wait = Some(wait.map_or(at, |wait| wait.min(at)));
        if let Some(job) = self.scan(view).or_else(|| self.remove(view)) {
            return self.go(job);
        }
        view.core.storing.first = self.keep.mode == Mode::Always && room.is_ok();
        view.core.storing.refuses = room.is_err();
        let count = view.lanes.len();
        let turn = usize::from(self.turn);
        for at in (turn..count).chain(0..turn.min(count)) {
            let open = view.is_open(at, moment);
            if !view.core.abandoned {
                while view.is_pressed(at) && view.forget(at, false) {}
                if room.is_ok()
                    && let Some(job) = self.put(view, at, open.is_err(), unix)
                {
                    self.turn = (at as u8).saturating_add(1);
                    return self.go(job);
                }
                if let Some(job) = self.read(view, at, open.is_ok(), unix) {
                    return self.go(job);
                }
            }
            self.begin_anew(view, at);
            let Some(lane) = view.lanes.get(at) else { continue };
            if let (true, Err(Some(left))) = (lane.records() > 0 || lane.row.get(Column::Queued) > 0, open) {
                earlier(now.plus(left));
            }
            if lane.row.get(Column::Queued) > 0 {
                earlier(now.plus(flush_in));
            }
            if let Some(left) = self.head(lane).and_then(|head| self.left(head, unix)) {
                earlier(now.after(left));
            }
        }
        wait.map_or(Errand::Idle, Errand::WaitUntil)
    }

    /// Where a lane has neither lines nor records, its keys begin anew.
    fn begin_anew<B: Buf<Scale = Large>>(&mut self, view: &mut View<'_, B>, at: usize) {
        let Some(lane) = view.lanes.get_mut(at).filter(|lane| lane.head == NONE) else { return };
        let shelf = &mut lane.shelf;
        if let (0, NONE, 0, Some(next)) =
            (shelf.records, shelf.done, shelf.floor, self.heads.get_mut(lane.kind.index()))
        {
            **shelf = Shelf { turns: shelf.turns, ..Shelf::INITIAL };
            *next = Next::UNKNOWN;
        }
    }

    fn go<B>(&mut self, mut job: Job<B>) -> Errand<B> {
        self.busy = true;
        job.pass = self.works.leave();
        Errand::Do(job)
    }

    /// What is in the store at the beginning.
    fn scan<B: Buf<Scale = Large>>(&mut self, view: &mut View<'_, B>) -> Option<Job<B>> {
        let (at, from) = self.scan?;
        let Some(lane) = view.lanes.get(usize::from(at)) else {
            self.scan = None;
            (view.core.storing.scanning, view.core.storing.unread) = (false, false);
            return None;
        };
        Some(Job::of(Task::Scan, Head::new(lane.kind, from, 0, 0, 0), at))
    }

    /// The record of a slot that is settled.
    fn remove<B: Buf<Scale = Large>>(&mut self, view: &mut View<'_, B>) -> Option<Job<B>> {
        let at = view.lanes.iter().position(|lane| lane.shelf.done != NONE)?;
        let lane = view.lanes.get_mut(at)?;
        let index = lane.shelf.done;
        let slot = view.slots.get(usize::from(index))?;
        lane.shelf.done = slot.next;
        let head = Head::new(lane.kind, slot.key(), 0, slot.recorded(), 0);
        Some(Job { slot: index, ..Job::of(Task::Remove, head, at as u8) })
    }

    /// A segment that belongs into the store.
    fn put<B: Buf<Scale = Large>>(
        &mut self,
        view: &mut View<'_, B>,
        at: usize,
        is_shut: bool,
        unix: u64,
    ) -> Option<Job<B>> {
        let (index, in_front) = self.next_put(view, at, is_shut)?;
        let kind = view.lanes.get(at)?.kind;
        let (bytes, lines) = view.to_put(kind, view.slots.get(usize::from(index))?);
        if self.bytes.saturating_add(self.footprint.of(bytes)) > self.keep.bytes {
            if view.core.config.overflow == Overflow::DropOldest
                && let Some(job) = self.oldest(view, at)
            {
                return Some(job);
            }
            view.core.storing.refuses = true;
            view.core.storing.first = false;
            return None;
        }
        let slot = view.slots.get_mut(usize::from(index))?;
        if slot.key() == 0 {
            let Some(key) = view.lanes.get_mut(at)?.shelf.new_key(in_front) else {
                // There is no key in front of a record that could not be removed: it leaves without.
                view.core.storing.refuses = true;
                view.core.storing.first = false;
                return None;
            };
            slot.record.key = key;
        }
        // A copy, where one can be made, so that a slow store keeps nothing from being sent.
        let copy = slot.buf.as_ref().and_then(|buf| buf.copy(slot.len() as usize));
        let (copy, buf) = (copy.is_some(), copy.or_else(|| slot.buf.take())?);
        if !copy {
            slot.state = State::Storing;
        }
        let head = Head::new(kind, slot.key(), lines, bytes, unix);
        let start = slot.len().saturating_sub(bytes);
        Some(Job { buf: Some(buf), start, slot: index, ..Job::of(Task::Put { copy }, head, at as u8) })
    }

    /// The segment that is to be stored next, and whether its key comes before all others.
    fn next_put<B: Buf<Scale = Large>>(&self, view: &View<'_, B>, at: usize, is_shut: bool) -> Option<(u16, bool)> {
        let lane = view.lanes.get(at)?;
        let gap = view.is_behind(lane).then_some(lane.gap());
        let pressed = view.is_pressed(at);
        let always = self.keep.mode == Mode::Always;
        // Whether a record stands before, or a key that is kept for one; of what can be stored, the first and the
        // newest that is full, the last before all records and the first behind one.
        let mut beyond = gap == Some(NONE);
        let mut recorded = beyond;
        let (mut first, mut newest, mut front, mut back) = (None, None, None, None);
        let mut here = lane.head;
        while let Some(slot) = view.slots.get(usize::from(here)) {
            let due = lane.is_due(slot.first) || view.core.closed || slot.urgent || slot.tried() > 0;
            let full = slot.lines() >= view.core.config.batch_lines || here != lane.tail;
            recorded |= slot.key() != 0;
            let wanted = self.hurry || pressed || ((due || full) && (always || is_shut || beyond));
            // What is out, or written, or watched, is stored at the end only.
            let possible = match slot.state {
                State::Ready => self.hurry || (slot.held() == 0 && slot.tag == 0),
                // There is a copy, and so there can be another.
                State::Out | State::Lost => self.hurry,
                _ => false,
            };
            if wanted && possible && slot.buf.is_some() && slot.recorded() < view.to_put(lane.kind, slot).0 {
                first = first.or(Some(here));
                newest = if full || newest.is_none() { Some(here) } else { newest };
                if recorded {
                    back = back.or(Some(here));
                } else {
                    front = Some(here);
                }
            }
            beyond |= gap == Some(here);
            recorded |= beyond;
            here = slot.next;
        }
        if recorded {
            return front.map(|index| (index, true)).or(back.map(|index| (index, false)));
        }
        // Where only memory is short, the oldest are about to leave, and the newest can wait elsewhere.
        let only_pressed = pressed && !(self.hurry || always || is_shut);
        let index = if only_pressed { newest } else { first };
        index.map(|index| (index, false))
    }

    /// A record that is to be read, or dropped as too old, or sought for either.
    fn read<B: Buf<Scale = Large>>(
        &mut self,
        view: &mut View<'_, B>,
        at: usize,
        is_open: bool,
        unix: u64,
    ) -> Option<Job<B>> {
        let lane = view.lanes.get(at).filter(|lane| lane.records() > 0)?;
        let Some(head) = self.head(lane) else {
            return Some(self.seek(lane, at));
        };
        if self.left(head, unix) == Some(Duration::ZERO) {
            return Some(Job::of(Task::Drop(Reason::Expired), head, at as u8));
        }
        let mut ahead = 0;
        let mut here = if lane.gap() == NONE { NONE } else { lane.head };
        while let Some(slot) = view.slots.get(usize::from(here)) {
            // What is written waits for nothing but its time.
            ahead += usize::from(slot.lines() > slot.held_lines());
            here = if here == lane.gap() { NONE } else { slot.next };
        }
        let config = &view.core.config;
        let lines = lane.lines().saturating_add(head.lines as usize);
        let bytes = lane.bytes.saturating_add(lane.leased.bytes).saturating_add(head.bytes as usize);
        // One slot is left to those who bring new lines.
        let second = view.slots.get(usize::from(view.core.free)).map(|slot| slot.next);
        let fits = lines <= config.queue_lines / 2 && bytes <= config.queue_bytes / 2;
        let fits = fits && second.is_some_and(|next| next != NONE);
        let room = ahead == 0 || (ahead < AHEAD && fits);
        if !is_open || !room || view.core.storing.last {
            return None;
        }
        let size = config.segment_bytes.max(head.bytes as usize);
        let index = view.core.free;
        let slot = view.slots.get_mut(usize::from(index))?;
        if slot.buf.as_ref().is_none_or(|buf| buf.as_ref().len() < head.bytes as usize) {
            slot.buf = B::make(size).or(slot.buf.take());
        }
        let buf = slot.buf.take()?;
        view.core.free = slot.next;
        slot.state = State::Loading;
        Some(Job { buf: Some(buf), slot: index, ..Job::of(Task::Read, head, at as u8) })
    }

    /// A record to drop for want of room: the lane's oldest, else that of another.
    fn oldest<B: Buf<Scale = Large>>(&mut self, view: &mut View<'_, B>, at: usize) -> Option<Job<B>> {
        let mut here = view.lanes.get(at)?.head;
        while let Some(slot) = view.slots.get(usize::from(here)) {
            if slot.is_spare() {
                let (lines, bytes) = (slot.lines(), slot.waiting_bytes());
                view.settle(at, here, lines, bytes, Column::StoreFull);
                view.release_if_empty(at, here);
                return self.remove(view);
            }
            here = if here == view.lanes.get(at)?.shelf.gap { NONE } else { slot.next };
        }
        let mut oldest: Option<(Head, usize)> = None;
        for (at, lane) in view.lanes.iter().enumerate().filter(|(_, lane)| lane.records() > 0) {
            let Some(head) = self.head(lane) else {
                return Some(self.seek(lane, at));
            };
            if oldest.is_none_or(|(other, _)| head.born < other.born) {
                oldest = Some((head, at));
            }
        }
        let (head, at) = oldest?;
        Some(Job::of(Task::Drop(Reason::StoreFull), head, at as u8))
    }

    fn seek<B>(&self, lane: &Lane<Large>, at: usize) -> Job<B> {
        let key = self.next(lane).map_or(lane.shelf.from, |next| next.seek.max(lane.shelf.from));
        Job::of(Task::Seek { turn: lane.shelf.turns }, Head::new(lane.kind, key, 0, 0, 0), at as u8)
    }

    fn next(&self, lane: &Lane<Large>) -> Option<Next> {
        let next = self.heads.get(lane.kind.index()).copied()?;
        Some(next).filter(|next| (next.from, next.turn) == (lane.shelf.from, lane.shelf.turns))
    }

    /// The next record of a lane, if it is known.
    pub(super) fn head(&self, lane: &Lane<Large>) -> Option<Head> {
        self.next(lane)?.head
    }

    /// How long a record may still stay.
    fn left(&self, head: Head, unix: u64) -> Option<Duration> {
        // A clock that was set back keeps it longer, one that does not know keeps it for ever.
        let age = unix.checked_sub(head.born).filter(|_| head.born > 0)?;
        Some(self.keep.age.saturating_sub(Duration::from_millis(age)))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::super::power::{Disk, METRIC, Process, keep};
    use super::*;
    use crate::delivery::{Loss, Outcome, Refused};
    use crate::store::StoreFailure;

    #[test]
    fn always_means_before_it_is_sent_and_until_it_is_delivered() {
        let mut disk = Disk::default();
        let mut process = Process::new(keep(Mode::Always), |_| {});
        process.push(b"1\n");
        process.push(b"2\n");
        let ticket = process.delivery.flush();
        assert!(process.send(0).is_none(), "not in the store yet");
        process.work(&mut disk, 0);
        assert_eq!(process.delivery.left(&ticket), 0);
        assert_eq!(disk.lines(), [b"1\n", b"2\n"]);
        let token = process.send(0).unwrap();
        process.work(&mut disk, 0);
        assert_eq!(disk.records.len(), 1, "not delivered yet");
        process.outcome(token, Outcome::Delivered, 0);
        process.work(&mut disk, 0);
        assert!(disk.records.is_empty() && process.spool.bytes() == 0);
        assert_eq!((process.row().delivered, process.row().stored), (2, 0));
    }

    #[test]
    fn overflow_leaves_the_store_alone_while_all_is_well() {
        let mut disk = Disk::default();
        let mut process = Process::new(keep(Mode::Overflow), |_| {});
        for _ in 0..5 {
            process.push(b"1\n");
            process.delivery.flush();
            let job = process.job(0, 0);
            assert!(job.as_ref().is_none_or(|job| job.task == Task::Scan), "{job:?}");
            job.map(|job| process.settle(&mut disk, job, 0));
        }
        process.work(&mut disk, 0);
        let token = process.send(0).unwrap();
        process.outcome(token, Outcome::Unreachable, 0);
        process.work(&mut disk, 0);
        assert_eq!(disk.lines().len(), 5, "all of it is due and cannot be sent");
    }

    #[test]
    fn what_an_earlier_life_left_comes_first() {
        let mut disk = Disk::default();
        let mut process = Process::new(keep(Mode::Always), |_| {});
        for line in [b"1\n", b"2\n", b"3\n", b"4\n", b"5\n"] {
            process.push(line);
        }
        process.delivery.flush();
        process.work(&mut disk, 0);
        for mode in [Mode::Always, Mode::Overflow] {
            let mut process = Process::new(keep(mode), |_| {});
            process.push(b"6\n");
            process.delivery.flush();
            assert!(process.send(0).is_none(), "who knows what is in the store");
            let mut copy = Disk { records: disk.records.clone(), ..Disk::default() };
            assert_eq!(process.drain(&mut copy, 0), b"1\n2\n3\n4\n5\n6\n", "{mode:?}");
            let row = process.row();
            assert_eq!((row.accepted, row.recovered, row.delivered, row.resent), (1, 5, 6, 5));
            assert!(copy.records.is_empty());
        }
    }

    #[test]
    fn an_outage_fills_the_store_and_its_end_empties_it_in_order() {
        for mode in [Mode::Always, Mode::Overflow] {
            let mut disk = Disk::default();
            let mut process = Process::new(keep(mode), |_| {});
            let mut expected = Vec::new();
            for number in 10..90_u8 {
                let line = std::format!("{number}\n").into_bytes();
                expected.extend_from_slice(&line);
                process.push(&line);
                process.work(&mut disk, 0);
                if let Some(token) = process.send(0) {
                    process.outcome(token, Outcome::Unreachable, 0);
                }
            }
            let row = process.row();
            assert_eq!(row.queued + row.stored, 80);
            assert!(row.stored > 50, "{row:?}");
            assert_eq!(process.drain(&mut disk, 100_000), expected, "{mode:?}");
            assert!(disk.records.is_empty());
            assert_eq!(process.row().dropped.total(), 0);
        }
    }

    #[test]
    fn a_full_store_refuses_the_newest_or_drops_the_oldest() {
        for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
            let mut disk = Disk::default();
            let keep = Keep { bytes: 60, ..keep(Mode::Overflow) };
            let mut process = Process::new(keep, |config| config.overflow = overflow);
            let mut refused = 0;
            for number in 10..99_u8 {
                let line = std::format!("{number}\n").into_bytes();
                match process.delivery.push(METRIC, &line, 1) {
                    Err(Refused::StoreFull) => refused += 1,
                    other => other.unwrap(),
                }
                process.work(&mut disk, 0);
                assert!(process.spool.bytes() <= 60);
                if let Some(token) = process.send(0) {
                    process.outcome(token, Outcome::Unreachable, 0);
                }
            }
            let row = process.row();
            let out = process.drain(&mut disk, 100_000);
            assert!(row.dropped.store_full > 40 && row.dropped.store_full >= refused);
            assert_eq!(refused == 0, overflow == Overflow::DropOldest);
            assert_eq!(out.len() / 3 + process.row().dropped.total(), 89);
            assert_eq!(out.starts_with(b"10\n"), overflow == Overflow::DropNewest);
        }
    }

    #[test]
    fn records_expire() {
        let mut disk = Disk::default();
        let mut process = Process::new(keep(Mode::Always), |_| {});
        process.push(b"1\n");
        process.delivery.flush();
        process.work(&mut disk, 1_000);
        let age = 7 * 24 * 60 * 60 * 1_000;
        let mut process = Process::new(keep(Mode::Overflow), |_| {});
        let mut copy = Disk { records: disk.records.clone(), ..Disk::default() };
        let losses = process.work(&mut copy, 1_000 + age);
        assert_eq!(losses, [Loss { kind: METRIC, lines: 1, failure: None }]);
        assert_eq!((process.row().dropped.expired, copy.records.len()), (1, 0));
        let mut process = Process::new(keep(Mode::Overflow), |_| {});
        assert_eq!(process.work(&mut disk, 999 + age), []);
        assert_eq!(process.row().recovered, 1);
    }

    #[test]
    fn a_store_that_does_not_work_keeps_nobody_from_sending() {
        for failure in [StoreFailure::Unavailable, StoreFailure::Full] {
            let mut disk = Disk { fails: Some(failure), ..Disk::default() };
            let mut process = Process::new(keep(Mode::Always), |_| {});
            process.push(b"1\n");
            process.delivery.flush();
            process.work(&mut disk, 0);
            let token = process.send(0).unwrap();
            process.outcome(token, Outcome::Delivered, 0);
            // It works again.
            disk.fails = None;
            process.push(b"2\n");
            process.delivery.flush();
            process.work(&mut disk, 100_000);
            assert_eq!(disk.lines(), [b"2\n"]);
            // And not when the record is to be removed.
            let token = process.send(100_000).unwrap();
            process.outcome(token, Outcome::Delivered, 100_000);
            disk.fails = Some(failure);
            process.work(&mut disk, 100_000);
            disk.fails = None;
            process.work(&mut disk, 200_000);
            assert!(disk.records.is_empty());
            assert_eq!(process.row().delivered, 2);
        }
    }

    #[test]
    fn records_that_somebody_took_away_or_spoiled_are_counted() {
        let mut disk = Disk::default();
        let mut process = Process::new(keep(Mode::Always), |_| {});
        for line in [b"1\n", b"2\n", b"3\n"] {
            process.push(line);
            process.delivery.flush();
            process.work(&mut disk, 0);
        }
        let mut process = Process::new(keep(Mode::Overflow), |_| {});
        while process.row().recovered < 3 {
            let job = process.job(0, 0).unwrap();
            process.settle(&mut disk, job, 0);
        }
        disk.records.clear();
        let losses = process.work(&mut disk, 0);
        assert_eq!(losses.iter().map(|loss| loss.lines).sum::<usize>(), 3);
        assert_eq!((process.row().dropped.damaged, process.row().stored), (3, 0));
    }

    #[test]
    fn at_the_end_everything_is_stored_even_what_is_out() {
        let mut disk = Disk::default();
        let mut process = Process::new(keep(Mode::Overflow), |_| {});
        process.work(&mut disk, 0);
        process.push(b"1\n");
        process.delivery.flush();
        let token = process.send(0).unwrap();
        process.push(b"2\n");
        process.delivery.view().close();
        process.spool.last(&mut process.delivery.view());
        assert!(!process.spool.is_done(&process.delivery.view()));
        process.work(&mut disk, 0);
        assert!(process.spool.is_done(&process.delivery.view()));
        process.delivery.view().abandon();
        assert_eq!((process.row().stored, process.row().dropped.closed), (2, 0));
        process.outcome(token, Outcome::Delivered, 0);
        process.work(&mut disk, 0);
        assert_eq!(disk.lines(), [b"1\n", b"2\n"], "a late answer changes nothing");
    }

    #[test]
    fn what_came_back_before_it_was_stored_is_not_overtaken() {
        let mut disk = Disk { fails: Some(StoreFailure::Unavailable), ..Disk::default() };
        let mut process = Process::new(keep(Mode::Always), |_| {});
        process.work(&mut disk, 0);
        process.push(b"1\n");
        process.delivery.flush();
        let token = process.send(0).expect("the store does not work");
        process.push(b"2\n");
        process.delivery.flush();
        disk.fails = None;
        process.work(&mut disk, 100_000);
        assert_eq!(disk.lines(), [b"2\n"]);
        process.outcome(token, Outcome::Retry { done: 0, after: None }, 100_000);
        assert!(process.send(200_000).is_none());
        assert_eq!(process.drain(&mut disk, 200_000), b"1\n2\n");
    }
}
