//! What goes into a store and what comes out of it: order, bounds and accounting, once for every store.

use core::time::Duration;

use super::backoff::{Backoff, Gate, Jitter, Millis};
use super::errand::{Errand, Job, Keep, Loss, Mode, Reason, Reply, Task};
use super::lane::{Lane, is_before};
use super::machine::{Overflow, View};
use super::segment::{Buf, NONE, State};
use super::shelf::Shelf;
use crate::Kind;
use crate::store::{Footprint, Head, StoreFailure};

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
/// use wavefront_sdk::delivery::{Config, Delivery, Errand, Keep, Lane, Millis, Mode, Slot, Spool};
/// use wavefront_sdk::{Kind, store::{MemoryStore, Store}};
///
/// let mut store = MemoryStore::new();
/// let slots = core::array::from_fn::<_, 4, _>(|_| Slot::new([0_u8; 512]));
/// let mut delivery = Delivery::new(Config::default(), slots, [Lane::new(Kind::Metric)]);
/// let mut keep = Keep::default();
/// keep.mode = Mode::Always;
/// let mut spool = Spool::new(keep, store.footprint(), &mut delivery.view());
///
/// delivery.push(Kind::Metric, b"\"a\" 1.0 source=\"s\"\n", 1).unwrap();
/// let ticket = delivery.flush();
/// while let Errand::Do(mut job) = spool.poll(&mut delivery.view(), Millis(0), 1_700_000_000_000) {
///     let result = job.run(&mut store).map_err(|error| match error {});
///     spool.settle(&mut delivery.view(), job, result, Millis(0));
/// }
/// assert_eq!(delivery.left(&ticket), 0, "it is durable");
/// ```
#[derive(Debug)]
pub struct Spool {
    keep: Keep,
    footprint: Footprint,
    /// What the records take of the medium.
    bytes: u64,
    /// Whether the store works, and whether it has room.
    works: Gate,
    room: Gate,
    jitter: Jitter,
    /// The lane that is looked through at the beginning, and the key to go on from.
    scan: Option<(u8, u32)>,
    heads: [Next; Kind::COUNT],
    turn: u8,
    busy: bool,
    hurry: bool,
}

/// The next record that is to be read, as it was found when everything below `from` was read, in that turn of the shelf.
#[derive(Debug, Clone, Copy)]
struct Next {
    from: u32,
    turn: u16,
    head: Option<Head>,
    /// Where to go on seeking while there is none.
    seek: u32,
}

impl Next {
    const UNKNOWN: Self = Self { from: 0, turn: 0, head: None, seek: 0 };
}

impl Spool {
    /// A spool for a store whose records take `footprint`, in front of the queue of `view`.
    ///
    /// Until the store was looked through, which is the first thing that [`poll`](Self::poll) asks for, nothing leaves.
    pub fn new<B: Buf>(keep: Keep, footprint: Footprint, view: &mut View<'_, B>) -> Self {
        view.core.storing.attached = true;
        view.core.storing.scanning = true;
        Self {
            keep,
            footprint,
            bytes: 0,
            works: Gate::OPEN,
            room: Gate::OPEN,
            jitter: Jitter::new(view.core.config.seed),
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

    /// From now on everything goes into the store, sent or not: the end is near.
    pub fn hurry(&mut self) {
        self.hurry = true;
    }

    /// From now on nothing is sent any more, and everything goes into the store.
    pub fn last<B: Buf>(&mut self, view: &mut View<'_, B>) {
        self.hurry = true;
        view.core.storing.last = true;
    }

    /// Whether nothing is left that the store could take or has to forget, or it does not do so.
    pub fn is_done<B: Buf>(&self, view: &View<'_, B>) -> bool {
        let safe = Kind::ALL.into_iter().all(|kind| view.is_safe(kind));
        let removed = view.lanes.iter().all(|lane| lane.shelf.done == NONE);
        !self.busy && (safe || view.core.storing.refuses && !self.is_shut()) && (removed || self.is_shut())
    }

    fn is_shut(&self) -> bool {
        self.works.is_shut()
    }

    /// What to do at `now` for the store. `unix` is the time in milliseconds since 1970, 0 where no clock knows it.
    pub fn poll<B: Buf>(&mut self, view: &mut View<'_, B>, now: Millis, unix: u64) -> Errand<B> {
        let flush_at = view.tick(now);
        if self.busy {
            return Errand::Idle;
        }
        let most = STORE.most;
        if let Err(until) = self.works.open(now, most) {
            return until.map_or(Errand::Idle, Errand::WaitUntil);
        }
        let room = self.room.open(now, most);
        let mut wait: Option<Millis> = room.err().flatten();
        let mut earlier = |at: Millis| wait = Some(wait.map_or(at, |wait| wait.min(at)));
        if let Some(job) = self.scan(view).or_else(|| self.remove(view)) {
            return self.go(job);
        }
        view.core.storing.first = self.keep.mode == Mode::Always && room.is_ok();
        view.core.storing.refuses = room.is_err();
        let count = view.lanes.len();
        let turn = usize::from(self.turn);
        for at in (turn..count).chain(0..turn.min(count)) {
            let open = view.is_open(at, now);
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
            if let (true, Err(Some(until))) = (lane.shelf.records > 0 || lane.row.queued > 0, open) {
                earlier(until);
            }
            if lane.row.queued > 0 {
                earlier(flush_at);
            }
            if let Some(left) = self.head(lane).and_then(|head| self.left(head, unix)) {
                earlier(now.after(left));
            }
        }
        wait.map_or(Errand::Idle, Errand::WaitUntil)
    }

    /// Where a lane has neither lines nor records, its keys begin anew.
    fn begin_anew<B: Buf>(&mut self, view: &mut View<'_, B>, at: usize) {
        let Some(lane) = view.lanes.get_mut(at).filter(|lane| lane.head == NONE) else { return };
        let shelf = &mut lane.shelf;
        if let (0, NONE, 0, Some(next)) =
            (shelf.records, shelf.done, shelf.floor, self.heads.get_mut(lane.kind.index()))
        {
            *shelf = Shelf { turns: shelf.turns, ..Shelf::EMPTY };
            *next = Next::UNKNOWN;
        }
    }

    fn go<B>(&mut self, mut job: Job<B>) -> Errand<B> {
        self.busy = true;
        job.pass = self.works.leave();
        Errand::Do(job)
    }

    /// What is in the store at the beginning.
    fn scan<B: Buf>(&mut self, view: &mut View<'_, B>) -> Option<Job<B>> {
        let (at, from) = self.scan?;
        let Some(lane) = view.lanes.get(usize::from(at)) else {
            self.scan = None;
            view.core.storing.scanning = false;
            return None;
        };
        Some(Job::of(Task::Scan, Head::new(lane.kind, from, 0, 0, 0), at))
    }

    /// The record of a slot that is settled.
    fn remove<B: Buf>(&mut self, view: &mut View<'_, B>) -> Option<Job<B>> {
        let at = view.lanes.iter().position(|lane| lane.shelf.done != NONE)?;
        let lane = view.lanes.get_mut(at)?;
        let index = lane.shelf.done;
        let slot = view.slots.get(usize::from(index))?;
        lane.shelf.done = slot.next;
        let head = Head::new(lane.kind, slot.key, 0, slot.record, 0);
        Some(Job { slot: index, ..Job::of(Task::Remove, head, at as u8) })
    }

    /// A segment that belongs into the store.
    fn put<B: Buf>(&mut self, view: &mut View<'_, B>, at: usize, is_shut: bool, unix: u64) -> Option<Job<B>> {
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
        if slot.key == 0 {
            let Some(key) = view.lanes.get_mut(at)?.shelf.new_key(in_front) else {
                view.core.storing.refuses = true;
                return None;
            };
            slot.key = key;
        }
        // A copy, where one can be made, so that a slow store keeps nothing from being sent.
        let copy = slot.buf.as_ref().and_then(|buf| buf.copy(slot.len as usize));
        let (copy, buf) = (copy.is_some(), copy.or_else(|| slot.buf.take())?);
        if !copy {
            slot.state = State::Storing;
        }
        let head = Head::new(kind, slot.key, lines, bytes, unix);
        let start = slot.len.saturating_sub(bytes);
        Some(Job { buf: Some(buf), start, slot: index, ..Job::of(Task::Put { copy }, head, at as u8) })
    }

    /// The segment that is to be stored next, and whether its key comes before all others.
    fn next_put<B: Buf>(&self, view: &View<'_, B>, at: usize, is_shut: bool) -> Option<(u16, bool)> {
        let lane = view.lanes.get(at)?;
        let gap = view.is_behind(lane).then_some(lane.shelf.gap);
        let pressed = view.is_pressed(at);
        let always = self.keep.mode == Mode::Always;
        // Whether a record stands before; of what can be stored, the first and the newest that is full, the last before
        // all records and the first behind one.
        let mut beyond = gap == Some(NONE);
        let mut recorded = beyond;
        let (mut first, mut newest, mut front, mut back) = (None, None, None, None);
        let mut here = lane.head;
        while let Some(slot) = view.slots.get(usize::from(here)) {
            let due = is_before(slot.first, lane.due) || view.core.closed || slot.urgent || slot.tried > 0;
            let full = slot.lines >= view.core.config.batch_lines || here != lane.tail;
            recorded |= slot.record > 0;
            let wanted = self.hurry || pressed || ((due || full) && (always || is_shut || beyond));
            // What is out, or written, or watched, is stored at the end only.
            let possible = match slot.state {
                State::Ready => self.hurry || (slot.held == 0 && slot.tag == 0),
                // There is a copy, and so there can be another.
                State::Out | State::Lost => self.hurry,
                _ => false,
            };
            if wanted && possible && slot.buf.is_some() && slot.record < view.to_put(lane.kind, slot).0 {
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
    fn read<B: Buf>(&mut self, view: &mut View<'_, B>, at: usize, is_open: bool, unix: u64) -> Option<Job<B>> {
        let lane = view.lanes.get(at).filter(|lane| lane.shelf.records > 0)?;
        let Some(head) = self.head(lane) else {
            return Some(self.seek(lane, at));
        };
        if self.left(head, unix) == Some(Duration::ZERO) {
            return Some(Job::of(Task::Drop(Reason::Expired), head, at as u8));
        }
        let mut ahead = 0;
        let mut here = if lane.shelf.gap == NONE { NONE } else { lane.head };
        while let Some(slot) = view.slots.get(usize::from(here)) {
            // What is written waits for nothing but its time.
            ahead += usize::from(slot.lines > slot.held_lines);
            here = if here == lane.shelf.gap { NONE } else { slot.next };
        }
        let config = &view.core.config;
        let lines = lane.lines().saturating_add(head.lines as usize);
        let bytes = lane.bytes.saturating_add(lane.leased_bytes).saturating_add(head.bytes as usize);
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
    fn oldest<B: Buf>(&mut self, view: &mut View<'_, B>, at: usize) -> Option<Job<B>> {
        let mut here = view.lanes.get(at)?.head;
        while let Some(slot) = view.slots.get(usize::from(here)) {
            if slot.is_spare() {
                let (lines, bytes) = (slot.lines, slot.waiting_bytes());
                view.settle(at, here, lines, bytes, |row, lines| {
                    row.dropped.store_full = row.dropped.store_full.wrapping_add(lines);
                });
                view.release_if_empty(at, here);
                return self.remove(view);
            }
            here = if here == view.lanes.get(at)?.shelf.gap { NONE } else { slot.next };
        }
        let mut oldest: Option<(Head, usize)> = None;
        for (at, lane) in view.lanes.iter().enumerate().filter(|(_, lane)| lane.shelf.records > 0) {
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

    fn seek<B>(&self, lane: &Lane, at: usize) -> Job<B> {
        let key = self.next(lane).map_or(lane.shelf.from, |next| next.seek.max(lane.shelf.from));
        Job::of(Task::Seek { turn: lane.shelf.turns }, Head::new(lane.kind, key, 0, 0, 0), at as u8)
    }

    fn next(&self, lane: &Lane) -> Option<Next> {
        let next = self.heads.get(lane.kind.index()).copied()?;
        Some(next).filter(|next| (next.from, next.turn) == (lane.shelf.from, lane.shelf.turns))
    }

    /// The next record of a lane, if it is known.
    fn head(&self, lane: &Lane) -> Option<Head> {
        self.next(lane)?.head
    }

    /// How long a record may still stay.
    fn left(&self, head: Head, unix: u64) -> Option<Duration> {
        // A clock that was set back keeps it longer, one that does not know keeps it for ever.
        let age = unix.checked_sub(head.born).filter(|_| head.born > 0)?;
        Some(self.keep.age.saturating_sub(Duration::from_millis(age)))
    }

    /// What became of a job. Says which lines were lost with their record, if any were.
    pub fn settle<B: Buf>(
        &mut self,
        view: &mut View<'_, B>,
        job: Job<B>,
        result: Result<Reply, StoreFailure>,
        now: Millis,
    ) -> Option<Loss> {
        self.busy = false;
        self.works.back(job.pass);
        match result {
            Ok(_) | Err(StoreFailure::Damaged) => self.works.succeeded(),
            Err(StoreFailure::Full) if matches!(job.task, Task::Put { .. }) => {
                self.works.succeeded();
                let pass = self.room.leave();
                self.room.back(pass);
                self.room.failed(pass, now, STORE, None, &mut self.jitter);
            }
            Err(_) => self.works.failed(job.pass, now, STORE, None, &mut self.jitter),
        }
        let storing = &mut view.core.storing;
        storing.broken = self.works.is_shut();
        if storing.broken || self.room.is_shut() {
            storing.refuses = true;
            storing.first = false;
        }
        let Job { task, head, buf, slot: index, lane, .. } = job;
        let at = usize::from(lane);
        match task {
            Task::Scan => self.scanned(view, at, head, result),
            Task::Seek { turn } => return self.sought(view, at, head, turn, result),
            Task::Put { copy } => self.was_put(view, at, head, index, buf.filter(|_| !copy), result.is_ok()),
            Task::Read => return self.was_read(view, at, head, index, buf, result),
            Task::Remove => {
                let Some(slot) = view.slots.get_mut(usize::from(index)) else { return None };
                if result.is_ok() {
                    self.bytes = self.bytes.saturating_sub(self.footprint.of(slot.record));
                    self.room.succeeded();
                    view.give_free(index);
                } else {
                    view.retire(at, index);
                }
            }
            Task::Drop(reason) if result.is_ok() => {
                self.room.succeeded();
                return self.gone(
                    view,
                    at,
                    head,
                    match reason {
                        Reason::Expired => None,
                        Reason::StoreFull => Some(StoreFailure::Full),
                    },
                );
            }
            Task::Drop(_) => {}
        }
        None
    }

    fn scanned<B: Buf>(&mut self, view: &mut View<'_, B>, at: usize, asked: Head, result: Result<Reply, StoreFailure>) {
        let Some(lane) = view.lanes.get_mut(at) else { return };
        match result {
            Ok(Reply::Found(Some(head))) if head.kind == lane.kind && head.key >= asked.key && head.key > 0 => {
                let shelf = &mut lane.shelf;
                shelf.records = shelf.records.saturating_add(1);
                (shelf.first, shelf.last) = (shelf.first.min(head.key), shelf.last.max(head.key));
                (shelf.upto, shelf.tried) = (head.key, head.key);
                lane.row.recovered = lane.row.recovered.wrapping_add(head.lines as usize);
                lane.row.stored = lane.row.stored.wrapping_add(head.lines as usize);
                self.bytes = self.bytes.saturating_add(self.footprint.of(head.bytes));
                self.scan = match head.key.checked_add(1) {
                    Some(from) => Some((at as u8, from)),
                    None => Some((at as u8 + 1, 0)),
                };
            }
            Ok(_) | Err(StoreFailure::Damaged) => self.scan = Some((at as u8 + 1, 0)),
            // It is asked again; what is new does not wait for it meanwhile.
            Err(_) => view.core.storing.scanning = false,
        }
    }

    fn sought<B: Buf>(
        &mut self,
        view: &mut View<'_, B>,
        at: usize,
        asked: Head,
        turn: u16,
        result: Result<Reply, StoreFailure>,
    ) -> Option<Loss> {
        let reply = result.ok()?;
        let lane = view.lanes.get(at).filter(|lane| lane.shelf.turns == turn)?;
        let (kind, from) = (lane.kind, lane.shelf.from);
        let found = match reply {
            Reply::Found(Some(head)) if head.kind == kind && head.key >= asked.key => Some(head),
            _ => None,
        };
        let Some(head) = found else {
            // Somebody took them away: nobody knows how many each had, but together they are known.
            let lane = view.lanes.get_mut(at)?;
            let lines = core::mem::take(&mut lane.row.stored);
            (lane.shelf.records, lane.shelf.gap) = (0, NONE);
            lane.row.dropped.damaged = lane.row.dropped.damaged.wrapping_add(lines);
            return Some(Loss { kind, lines, failure: Some(StoreFailure::Damaged) });
        };
        // What memory has too is not what is sought.
        let head = Some(head).filter(|head| !view.has_key(at, head.key));
        let seek = found.map_or(from, |head| head.key.saturating_add(1));
        *self.heads.get_mut(kind.index())? = Next { from, turn, head, seek };
        None
    }

    fn was_put<B: Buf>(
        &mut self,
        view: &mut View<'_, B>,
        at: usize,
        head: Head,
        index: u16,
        buf: Option<B>,
        durable: bool,
    ) {
        if durable {
            self.bytes = self.bytes.saturating_add(self.footprint.of(head.bytes));
            self.room.succeeded();
        }
        let Some(slot) = view.slots.get_mut(usize::from(index)) else { return };
        let came_back = buf.is_some();
        if came_back {
            slot.buf = buf;
        }
        if slot.key != head.key {
            // Settled and gone while it was copied; the record is found in the next life.
            return;
        }
        if durable {
            slot.record = head.bytes;
        } else if slot.record == 0 {
            slot.key = 0;
        }
        match slot.state {
            State::Storing => {
                slot.state = State::Ready;
                view.release_if_empty(at, index);
            }
            State::Abandoned => {
                if let (true, Some(lane)) = (durable, view.lanes.get_mut(at)) {
                    // It was given up for lost a moment too early.
                    let lines = slot.lines as usize;
                    lane.row.dropped.closed = lane.row.dropped.closed.wrapping_sub(lines);
                    lane.row.stored = lane.row.stored.wrapping_add(lines);
                }
                if came_back {
                    view.give_free(index);
                } else {
                    slot.key = 0;
                }
            }
            _ => {}
        }
    }

    fn was_read<B: Buf>(
        &mut self,
        view: &mut View<'_, B>,
        at: usize,
        head: Head,
        index: u16,
        buf: Option<B>,
        result: Result<Reply, StoreFailure>,
    ) -> Option<Loss> {
        let slot = view.slots.get_mut(usize::from(index))?;
        slot.buf = buf;
        let lane = view.lanes.get(at)?;
        if result.is_ok() && lane.shelf.records > 0 && !view.core.abandoned {
            self.pass(view, at, head);
            let slot = view.slots.get_mut(usize::from(index))?;
            slot.begin(0);
            (slot.key, slot.record, slot.len, slot.lines) = (head.key, head.bytes, head.bytes, head.lines);
            view.shelve(at, index);
            return None;
        }
        view.give_free(index);
        if result == Err(StoreFailure::Damaged) {
            return self.gone(view, at, head, Some(StoreFailure::Damaged));
        }
        None
    }

    /// The next record comes behind this one, unless others came before it meanwhile.
    fn pass<B: Buf>(&self, view: &mut View<'_, B>, at: usize, head: Head) {
        let Some(lane) = view.lanes.get_mut(at) else { return };
        if self.head(lane) == Some(head) {
            lane.shelf.from = head.key.saturating_add(1);
        }
    }

    /// A record of the gap is no more, and its lines with it.
    fn gone<B: Buf>(
        &mut self,
        view: &mut View<'_, B>,
        at: usize,
        head: Head,
        failure: Option<StoreFailure>,
    ) -> Option<Loss> {
        self.pass(view, at, head);
        let lane = view.lanes.get_mut(at)?;
        let lines = head.lines as usize;
        self.bytes = self.bytes.saturating_sub(self.footprint.of(head.bytes));
        lane.shelf.records = lane.shelf.records.saturating_sub(1);
        if lane.shelf.records == 0 {
            lane.shelf.gap = NONE;
        }
        lane.row.stored = lane.row.stored.wrapping_sub(lines);
        let dropped = &mut lane.row.dropped;
        let reason = match failure {
            None => &mut dropped.expired,
            Some(StoreFailure::Damaged) => &mut dropped.damaged,
            Some(_) => &mut dropped.store_full,
        };
        *reason = reason.wrapping_add(lines);
        Some(Loss { kind: lane.kind, lines, failure })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::boxed::Box;
    use std::collections::{BTreeMap, BTreeSet};
    use std::vec::Vec;

    use super::*;
    use crate::KindSet;
    use crate::delivery::{Action, Config, Delivery, InFlight, Outcome, Refused, Slot};
    use crate::store::{Store, StoreError};

    const METRIC: Kind = Kind::Metric;

    /// A medium that outlives everything, and fails when told to.
    #[derive(Debug, Default)]
    struct Disk {
        records: BTreeMap<(usize, u32), (Head, Vec<u8>)>,
        fails: Option<StoreFailure>,
    }

    #[derive(Debug)]
    struct Failed(StoreFailure);

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

        fn lines(&self) -> Vec<&[u8]> {
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

    type Buffer = Box<[u8]>;

    /// A process: its queue, and its spool on a disk that outlives it.
    struct Process {
        delivery: Delivery<Buffer, Vec<Slot<Buffer>>, [Lane; 2]>,
        spool: Spool,
    }

    impl Process {
        fn new(keep: Keep, change: impl FnOnce(&mut Config)) -> Self {
            let mut config = Config { queue_lines: 20, segment_bytes: 32, batch_lines: 4, ..Config::DEFAULT };
            change(&mut config);
            let slots = (0..12).map(|_| Slot::empty()).collect();
            let mut delivery = Delivery::new(config, slots, [Lane::new(METRIC), Lane::new(Kind::Delta)]);
            let spool = Spool::new(keep, Footprint::EXACT, &mut delivery.view());
            Self { delivery, spool }
        }

        fn job(&mut self, now: u64, unix: u64) -> Option<Job<Buffer>> {
            match self.spool.poll(&mut self.delivery.view(), Millis(now), unix) {
                Errand::Do(job) => Some(job),
                _ => None,
            }
        }

        fn settle(&mut self, disk: &mut Disk, mut job: Job<Buffer>, now: u64) -> Option<Loss> {
            let result = job.run(disk).map_err(|error| error.kind());
            let loss = self.spool.settle(&mut self.delivery.view(), job, result, Millis(now));
            self.delivery.view().check();
            if self.spool.scan.is_none() {
                self.check_gap(disk);
            }
            loss
        }

        /// All that there is to do.
        fn work(&mut self, disk: &mut Disk, now: u64) -> Vec<Loss> {
            let mut losses = Vec::new();
            for _ in 0..500 {
                let Some(job) = self.job(now, now) else { return losses };
                losses.extend(self.settle(disk, job, now));
            }
            panic!("the store is never left alone");
        }

        fn push(&mut self, line: &[u8]) {
            self.delivery.push(METRIC, line, 1).unwrap();
        }

        fn send(&mut self, now: u64) -> Option<InFlight<Buffer>> {
            match self.delivery.poll(Millis(now), KindSet::ALL) {
                Action::Send(token) => Some(token),
                _ => None,
            }
        }

        fn outcome(&mut self, token: InFlight<Buffer>, outcome: Outcome, now: u64) {
            self.delivery.outcome(token, outcome, Millis(now));
            self.delivery.view().check();
        }

        /// The lines that leave, with all errands done between.
        fn drain(&mut self, disk: &mut Disk, now: u64) -> Vec<u8> {
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
        fn check_gap(&mut self, disk: &Disk) {
            let view = self.delivery.view();
            for lane in view.lanes.iter() {
                let mut known = BTreeSet::new();
                for mut here in [lane.head, lane.shelf.done] {
                    while let Some(slot) = view.slots.get(usize::from(here)) {
                        known.extend((slot.record > 0).then_some(slot.key));
                        here = slot.next;
                    }
                }
                let keys = disk.records.keys().filter(|(kind, _)| *kind == lane.kind.index()).map(|(_, key)| *key);
                let gap: Vec<u32> = keys.filter(|key| *key >= lane.shelf.floor && !known.contains(key)).collect();
                assert_eq!(lane.shelf.records as usize, gap.len(), "{:?}: {gap:?} {known:?}", lane.shelf);
                assert!(gap.iter().all(|key| *key >= lane.shelf.from), "{:?}: {gap:?}", lane.shelf);
            }
        }

        fn row(&mut self) -> crate::delivery::Row {
            *self.delivery.ledger().row(METRIC)
        }
    }

    fn keep(mode: Mode) -> Keep {
        Keep { mode, ..Keep::DEFAULT }
    }

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
            let mut numbers = 10..90_u8;
            while let Some(number) = numbers.next() {
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
}
