//! Taking lines in: bounds, leases of producers, and where a line goes.

use super::ledger::{Column, Columns};
use super::machine::{Bounds, Lease, Overflow, Refused, View};
use super::scale::{Large, Part, Parts, Size};
use super::segment::{Buf, NONE, State};
use crate::Kind;

/// A datum as lines in a buffer: `lines` of `kind` up to `end`, then one of its companion's kind, if it has one.
#[derive(Debug, Clone, Copy)]
pub struct Encoded {
    pub(crate) kind: Kind,
    pub(crate) lines: u32,
    pub(crate) end: usize,
    pub(crate) companion: Option<Kind>,
}

/// Where the lines of a datum are queued.
pub(crate) trait Intake {
    type Error;

    /// Queues lines.
    fn push(&mut self, kind: Kind, lines: &[u8], count: u32) -> Result<(), Self::Error>;

    /// Counts a line for which there is no room.
    fn refuse(&mut self, kind: Kind);

    /// Whether lines were refused for want of room.
    fn is_full(error: &Self::Error) -> bool;
}

impl Encoded {
    /// `lines` lines of `kind` in the first `end` bytes, and no companion.
    pub const fn new(kind: Kind, lines: u32, end: usize) -> Self {
        Self { kind, lines, end, companion: None }
    }

    /// How many lines there are, the companion's with them.
    pub fn lines(&self) -> u32 {
        self.lines.saturating_add(self.companion.is_some().into())
    }

    /// Queues the lines, which are all that is in `bytes`: first the datum's own, then its companion's. Where there is
    /// no room for the first, the companion is of no use, and lost like it. Returns how many lines were queued.
    pub(crate) fn queue<I: Intake>(&self, bytes: &[u8], queue: &mut I) -> Result<u32, I::Error> {
        let (first, second) = bytes.split_at_checked(self.end).unwrap_or((bytes, &[]));
        let pushed = queue.push(self.kind, first, self.lines);
        match (pushed, self.companion) {
            (Ok(()), Some(kind)) => queue.push(kind, second, 1).map(|()| self.lines()),
            (Err(error), Some(kind)) => {
                if I::is_full(&error) {
                    queue.refuse(kind);
                }
                Err(error)
            }
            (pushed, None) => pushed.map(|()| self.lines),
        }
    }
}

impl<B: Buf> View<'_, B> {
    /// Queues `count` whole lines of `kind`, each ended by its LF: all of them or none, together and in order.
    ///
    /// `count` is not verified. A wrong one is counted as it stands, and lines without their LF run into the next ones;
    /// it does no other harm. No lines, or no bytes, are nothing to do.
    ///
    /// # Errors
    /// [`Refused`] says why not, and what the ledger holds of it.
    pub fn push(&mut self, kind: Kind, lines: &[u8], count: u32) -> Result<(), Refused> {
        self.push_tagged(kind, lines, count, 0)
    }

    /// As [`push`](Self::push), but lines that find the queue full are not counted: for callers that wait for room.
    ///
    /// # Errors
    /// As there.
    pub fn try_push(&mut self, kind: Kind, lines: &[u8], count: u32) -> Result<(), Refused> {
        if count == 0 || lines.is_empty() {
            return Ok(());
        }
        let at = self.admit(kind, lines.len(), count)?;
        self.put(at, lines, count, 0)
    }

    /// As [`push`](Self::push), ahead of the queue, in a batch of their own that carries `tag` (not 0).
    ///
    /// # Errors
    /// As there.
    pub fn push_urgent(&mut self, kind: Kind, lines: &[u8], count: u32, tag: u32) -> Result<(), Refused> {
        self.push_tagged(kind, lines, count, tag)
    }

    /// [`push_urgent`](Self::push_urgent), or with 0 for a tag [`push`](Self::push).
    pub(crate) fn push_tagged(&mut self, kind: Kind, lines: &[u8], count: u32, tag: u32) -> Result<(), Refused> {
        if count == 0 || lines.is_empty() {
            return Ok(());
        }
        let pushed = self.admit(kind, lines.len(), count).and_then(|at| self.put(at, lines, count, tag));
        match pushed {
            Err(Refused::Full) => Err(self.refuse(kind, count)),
            pushed => pushed,
        }
    }

    /// Counts `count` lines of `kind` as accepted and dropped for want of room: in the queue, or in the store behind
    /// it.
    pub fn refuse(&mut self, kind: Kind, count: u32) -> Refused {
        let by_store = self.core.storing().refuses;
        if let Some(lane) = self.lane(kind) {
            lane.row.refuse(if by_store { Column::StoreFull } else { Column::QueueFull }, count as usize);
        }
        if by_store { Refused::StoreFull } else { Refused::Full }
    }

    /// Counts data of `kind` that made no line: `invalid` that failed validation, `skipped` that had nothing to say.
    pub fn note(&mut self, kind: Kind, invalid: usize, skipped: usize) {
        if let Some(lane) = self.lane(kind) {
            lane.row.add(Column::Invalid, invalid);
            lane.row.add(Column::Skipped, skipped);
        }
    }

    /// Whether `count` lines in `bytes` bytes may come in: the place of their lane.
    pub(super) fn admit(&mut self, kind: Kind, bytes: usize, count: u32) -> Result<usize, Refused> {
        let at = self.find(kind).ok_or(Refused::NoLane)?;
        if self.core.closed {
            return Err(Refused::Closed);
        }
        if bytes > self.core.config.segment_bytes || count > <<B::Scale as Parts>::Size as Size>::MOST {
            return Err(Refused::TooLarge);
        }
        let new = Lease { lines: count as usize, bytes };
        if self.fits(at, new, Lease::default()) {
            return Ok(at);
        }
        // Nothing more comes in, so what is there need not wait for company.
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.make_due(lane.next_line);
        }
        // What the store has too need not be here.
        while self.core.storing().attached && self.forget(at, true) {
            if self.fits(at, new, Lease::default()) {
                return Ok(at);
            }
        }
        // Nothing is dropped in vain: what is in flight or promised to others stays where it is.
        if self.core.config.overflow != Overflow::DropOldest || !self.fits(at, new, self.droppable(at)) {
            return Err(Refused::Full);
        }
        while !self.fits(at, new, Lease::default()) {
            if !self.evict_line(at) {
                return Err(Refused::Full);
            }
        }
        Ok(at)
    }

    /// Whether a lane has room for `new` once `gone` has gone.
    fn fits(&self, at: usize, new: Lease, gone: Lease) -> bool {
        let Bounds { queue_lines, queue_bytes, .. } = self.core.config;
        self.lanes.get(at).is_some_and(|lane| {
            let lines = lane.lines().saturating_sub(gone.lines).saturating_add(new.lines);
            let bytes = self.bytes_in(lane).saturating_sub(gone.bytes).saturating_add(lane.leased().bytes);
            let countable = lines.saturating_add(lane.row.get(Column::Written)) <= <B::Scale as Parts>::Row::MOST;
            countable && lines <= queue_lines && bytes.saturating_add(new.bytes) <= queue_bytes
        })
    }

    /// Counts lines as accepted and queued; the number of the first.
    pub(super) fn accept(&mut self, at: usize, bytes: u32, count: u32) -> u32 {
        let Some(lane) = self.lanes.get_mut(at) else { return 0 };
        lane.row.add(Column::Accepted, count as usize);
        lane.row.add(Column::Queued, count as usize);
        lane.add_bytes(bytes);
        lane.number(count)
    }

    pub(super) fn put(&mut self, at: usize, lines: &[u8], count: u32, tag: u32) -> Result<(), Refused> {
        let Some(lane) = self.lanes.get(at) else { return Err(Refused::NoLane) };
        let (tail, next_line) = (lane.tail, lane.next_line);
        // A batch each, so that several can be in flight; where slots run out, as many as there is room for.
        let dry = self.is_dry();
        let most = if dry { u32::MAX } else { self.core.config.batch_lines };
        let written = self.written_by(at);
        let in_tail = self.slots.get_mut(usize::from(tail)).filter(|_| tag == 0).is_some_and(|slot| {
            slot.state == State::Ready
                && slot.tag == 0
                && slot.key() == 0
                && !slot.urgent
                && slot.first.wrapping_add(slot.lines()) == next_line
                && slot.lines().saturating_add(count) <= most
                && (dry || !slot.waits_for_ack(written))
                && slot.append(lines, count)
        });
        if !in_tail {
            let index = self.begin(at, lines, count)?;
            if tag == 0 { self.link_last(at, index) } else { self.link_ahead(at, index, tag) }
        }
        self.accept(at, lines.len() as u32, count);
        Ok(())
    }

    fn link_ahead(&mut self, at: usize, index: u16, tag: u32) {
        if let Some(slot) = self.slots.get_mut(usize::from(index)) {
            slot.tag = tag;
            slot.urgent = true;
        }
        // Behind those that came ahead before.
        let mut before = NONE;
        let mut here = self.lanes.get(at).map_or(NONE, |lane| lane.head);
        while let Some(slot) = self.slots.get(usize::from(here)).filter(|slot| slot.urgent) {
            (before, here) = (here, slot.next);
        }
        self.link(at, before, index);
        if let Some(lane) = self.lanes.get_mut(at).filter(|lane| lane.gap() == before) {
            // It stands before the gap, wherever that is.
            if let Some(shelf) = lane.shelf.get_mut() {
                shelf.gap = index;
            }
        }
    }

    /// A slot that holds just these lines, not yet in a lane.
    pub(super) fn begin(&mut self, at: usize, lines: &[u8], count: u32) -> Result<u16, Refused> {
        if lines.len() > self.core.config.segment_bytes {
            return Err(Refused::TooLarge);
        }
        let index = self.take_free(at).ok_or(Refused::Full)?;
        let first = self.lanes.get(at).map_or(0, |lane| lane.next_line);
        let size = self.core.config.segment_bytes;
        let Some(slot) = self.slots.get_mut(usize::from(index)) else { return Err(Refused::Full) };
        slot.begin(first);
        if slot.buf.as_ref().is_none_or(|buf| buf.as_ref().len() < lines.len()) {
            slot.buf = B::make(size).or(slot.buf.take());
        }
        if !slot.append(lines, count) {
            self.give_free(index);
            return Err(Refused::Full);
        }
        Ok(index)
    }
}

/// Producers who fill segments of their own.
impl<B: Buf<Scale = Large>> View<'_, B> {
    /// Promises room for lines of `kind`, up to `wish` and at least `least`, to a producer who fills a segment of his
    /// own and brings it by [`adopt`](Self::adopt) or [`deposit`](Self::deposit), or [gives the room
    /// back](Self::give_back). Oldest lines make room where that is the policy.
    ///
    /// # Errors
    /// [`Refused::Full`] where there is no room for `least`, without counting anything; the others as in
    /// [`push`](Self::push).
    pub fn lease(&mut self, kind: Kind, wish: Lease, least: Lease) -> Result<Lease, Refused> {
        let at = self.admit(kind, least.bytes, u32::try_from(least.lines).unwrap_or(u32::MAX))?;
        let Bounds { queue_lines, queue_bytes, .. } = self.core.config;
        let Some(lane) = self.lanes.get_mut(at) else { return Err(Refused::NoLane) };
        let lines = queue_lines.saturating_sub(lane.lines());
        let bytes = queue_bytes.saturating_sub(lane.bytes.saturating_add(lane.leased.bytes));
        let lease =
            Lease { lines: lines.min(wish.lines).max(least.lines), bytes: bytes.min(wish.bytes).max(least.bytes) };
        lane.leased.lines = lane.leased.lines.saturating_add(lease.lines);
        lane.leased.bytes = lane.leased.bytes.saturating_add(lease.bytes);
        Ok(lease)
    }

    /// Takes a producer's segment of `count` lines in the first `len` bytes over, ends his lease and gives him an empty
    /// buffer for it, if there is one; his own if there are no lines in it. The buffer is as large as any segment.
    ///
    /// It may come after `close`: the lines were promised room before.
    ///
    /// # Errors
    /// The buffer, where no slot is left, or everything was abandoned; its lines are counted as dropped.
    pub fn adopt(&mut self, kind: Kind, buf: B, len: usize, count: u32, lease: Lease) -> Result<Option<B>, B> {
        self.give_back(kind, lease);
        let len = buf.as_ref().len().min(len);
        let Ok(end) = u32::try_from(len) else { return Err(buf) };
        if count == 0 || len == 0 {
            return Ok(Some(buf));
        }
        let Some(at) = self.find(kind) else { return Err(buf) };
        if self.core.abandoned {
            self.give_up(at, count);
            return Err(buf);
        }
        let Some(index) = self.take_free(at) else {
            self.refuse(kind, count);
            return Err(buf);
        };
        let first = self.accept(at, end, count);
        let Some(slot) = self.slots.get_mut(usize::from(index)) else { return Err(buf) };
        slot.begin(first);
        let spare = slot.buf.replace(buf);
        slot.fill(end, count);
        self.link_last(at, index);
        Ok(spare)
    }

    /// Copies a producer's `count` lines into the queue and ends his lease. As with [`adopt`](Self::adopt), it may come
    /// after `close`.
    ///
    /// # Errors
    /// [`Refused::Full`] where no slot is left, [`Refused::Closed`] where everything was abandoned; the lines are
    /// counted as dropped.
    pub fn deposit(&mut self, kind: Kind, lines: &[u8], count: u32, lease: Lease) -> Result<(), Refused> {
        self.give_back(kind, lease);
        if count == 0 || lines.is_empty() {
            return Ok(());
        }
        let Some(at) = self.find(kind) else { return Err(Refused::NoLane) };
        if self.core.abandoned {
            self.give_up(at, count);
            return Err(Refused::Closed);
        }
        let put = self.put(at, lines, count, 0);
        put.map_err(|_| self.refuse(kind, count))
    }

    /// Gives the room of a lease back.
    pub fn give_back(&mut self, kind: Kind, lease: Lease) {
        if let Some(lane) = self.lane(kind) {
            lane.leased.lines = lane.leased.lines.saturating_sub(lease.lines);
            lane.leased.bytes = lane.leased.bytes.saturating_sub(lease.bytes);
        }
    }

    /// Whether a quarter of what lines of `kind` may take is taken or promised: what comes in should leave soon, even
    /// where a driver would rather take several batches along at a time.
    pub fn is_filling(&mut self, kind: Kind) -> bool {
        let Bounds { queue_lines, queue_bytes, .. } = self.core.config;
        self.lane(kind).is_some_and(|lane| {
            let bytes = lane.bytes.saturating_add(lane.leased.bytes);
            lane.lines() >= queue_lines / 4 || bytes >= queue_bytes / 4
        })
    }

    /// Counts lines as accepted and dropped because it is all over.
    fn give_up(&mut self, at: usize, count: u32) {
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.row.refuse(Column::Closed, count as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::super::check::{large, small};
    use super::*;
    use crate::KindSet;
    use crate::delivery::{Config, Cut, Delivery, Lane, Millis, Outcome, Slot, Stored};

    const METRIC: Kind = Kind::Metric;

    #[test]
    fn a_queue_fills_by_lines_and_by_bytes_and_by_what_is_promised() {
        let most = |config: &mut Config| (config.queue_lines, config.queue_bytes) = (8, 40);
        for (lines, bytes, filling) in [(1, 9, false), (2, 9, true), (1, 10, true)] {
            let wish = Lease { lines, bytes };
            let mut delivery = large(most);
            assert!(!delivery.view().is_filling(METRIC));
            let lease = delivery.view().lease(METRIC, wish, wish).unwrap();
            assert_eq!(delivery.view().is_filling(METRIC), filling, "{wish:?} is promised");
            delivery.view().give_back(METRIC, lease);
            assert_eq!(delivery.push(METRIC, &[b'\n'; 10][..bytes], lines as u32), Ok(()));
            assert_eq!(delivery.view().is_filling(METRIC), filling, "{wish:?} is taken");
        }
    }

    #[test]
    fn nothing_is_nothing_to_do() {
        let mut delivery = large(|config| config.queue_lines = 1);
        let lease = delivery.view().lease(METRIC, Lease { lines: 1, bytes: 9 }, Lease { lines: 1, bytes: 1 }).unwrap();
        assert_eq!(delivery.push(METRIC, b"", 0), Ok(()));
        assert_eq!(delivery.push(METRIC, b"a\n", 0), Ok(()));
        assert_eq!(delivery.push(METRIC, b"", 7), Ok(()));
        assert_eq!(delivery.view().push_urgent(METRIC, b"", 0, 1), Ok(()));
        assert_eq!(
            delivery.view().adopt(METRIC, Stored([1; 32]), 9, 0, lease),
            Ok(Some(Stored([1; 32]))),
            "his own buffer"
        );
        assert_eq!(delivery.view().deposit(METRIC, b"", 0, lease), Ok(()));
        assert_eq!(delivery.ledger().total(), Default::default());
        delivery.view().check();
        assert_eq!(delivery.push(METRIC, b"a\n", 1), Ok(()), "the lease is over");
    }

    #[test]
    fn a_push_that_can_never_fit_drops_nothing() {
        let mut delivery = large(|config| (config.overflow, config.queue_lines) = (Overflow::DropOldest, 3));
        for _ in 0..3 {
            delivery.push(METRIC, b"a\n", 1).unwrap();
        }
        assert_eq!(delivery.push(METRIC, &[b'x'; 33], 1), Err(Refused::TooLarge));
        assert_eq!(delivery.view().try_push(METRIC, b"b\nb\nb\nb\n", 4), Err(Refused::Full));
        let out = delivery.flush();
        let token = delivery.send(0);
        assert_eq!(delivery.view().try_push(METRIC, b"b\n", 1), Err(Refused::Full), "all of it is in flight");
        delivery.outcome(token, Outcome::Unreachable, Millis(0));
        assert_eq!(delivery.left(&out), 3);

        // Two lines go, and what is promised then fills the queue but for one.
        let wish = Lease { lines: 2, bytes: 20 };
        assert_eq!(delivery.view().lease(METRIC, wish, Lease { lines: 1, bytes: 2 }).unwrap().lines, 1);
        assert_eq!(delivery.view().lease(METRIC, wish, Lease { lines: 1, bytes: 2 }).unwrap().lines, 1);
        assert_eq!(delivery.view().try_push(METRIC, b"b\nb\n", 2), Err(Refused::Full));
        assert_eq!((delivery.ledger().total().queued, delivery.ledger().total().dropped.queue_full), (1, 2));
    }

    #[test]
    fn a_full_queue_need_not_wait_for_company() {
        let mut delivery = small(|config| config.queue_lines = 1);
        delivery.push(METRIC, b"a\n", 1).unwrap();
        assert!(delivery.try_send(0, Cut::NONE).is_none());
        assert_eq!(delivery.push(METRIC, b"b\n", 1), Err(Refused::Full));
        assert_eq!(delivery.send(0).batch().bytes, b"a\n");
    }

    #[test]
    fn a_lease_is_kept_after_close_but_not_when_all_is_abandoned() {
        let mut delivery = large(|_| {});
        let lease = delivery.view().lease(METRIC, Lease { lines: 2, bytes: 20 }, Lease { lines: 1, bytes: 1 }).unwrap();
        delivery.view().close();
        assert_eq!(delivery.push(METRIC, b"a\n", 1), Err(Refused::Closed));
        assert_eq!(delivery.view().deposit(METRIC, b"b\n", 1, lease), Ok(()));
        assert_eq!(delivery.send(0).batch().bytes, b"b\n", "without waiting for company");
        delivery.view().abandon();
        assert_eq!(delivery.view().deposit(METRIC, b"c\n", 1, lease), Err(Refused::Closed));
        assert_eq!(delivery.view().adopt(METRIC, Stored([7; 32]), 2, 1, lease), Err(Stored([7; 32])));
        let row = *delivery.ledger().row(METRIC);
        assert_eq!((row.accepted, row.dropped.closed, row.unsettled()), (3, 3, 0));
    }

    #[test]
    fn a_wrong_count_blocks_nothing() {
        for count in [1, 2, 4, 9] {
            let mut delivery = small(|config| (config.batch_lines, config.overflow) = (2, Overflow::DropOldest));
            delivery.push(METRIC, b"aa\nbb\ncc\n", count).unwrap();
            delivery.push(METRIC, b"dd\nno end", 5).unwrap();
            delivery.flush();
            for limits in [Cut { lines: 1, bytes: 4 }, Cut { lines: 2, bytes: 8 }] {
                let token = delivery.try_send(0, limits).unwrap();
                delivery.outcome(token, Outcome::TooLarge, Millis(0));
            }
            delivery.drain(0, Outcome::Delivered);
            let total = delivery.ledger().total();
            assert!(total.is_balanced() && total.unsettled() == 0, "{count}: {total:?}");
            delivery.view().check();
        }
    }

    #[test]
    fn buffers_say_how_large_a_segment_is() {
        let mut delivery = small(|config| config.segment_bytes = 7);
        assert_eq!(delivery.push(METRIC, &[b'\n'; 32], 1), Ok(()));
        assert_eq!(delivery.push(METRIC, &[b'\n'; 33], 1), Err(Refused::TooLarge));

        let slots = [Slot::new([0; 8]), Slot::empty()];
        let mut delivery = Delivery::new(Config::DEFAULT, slots, [Lane::new(METRIC)]);
        assert_eq!(delivery.push(METRIC, b"12345678\n", 1), Err(Refused::TooLarge));
        assert_eq!(delivery.push(METRIC, b"a\n", 1), Ok(()));
        assert_eq!(delivery.push(METRIC, b"1234567\n", 1), Err(Refused::Full), "no buffer, and none can be made");
        delivery.view().check();
    }

    #[test]
    fn lines_that_cannot_be_counted_are_not_taken() {
        let mut delivery = small(|config| config.queue_lines = usize::MAX);
        assert_eq!(delivery.push(METRIC, b"a\n", 65_536), Err(Refused::TooLarge));
        assert_eq!(delivery.push(METRIC, b"a\n", 65_000), Ok(()));
        delivery.flush();
        let token = delivery.send(0);
        delivery.outcome(token, Outcome::Written, Millis(0));
        assert_eq!(delivery.push(METRIC, b"b\n", 50_000), Err(Refused::Full));
        assert_eq!(delivery.push(METRIC, b"b\n", 535), Ok(()));
        assert_eq!(delivery.push(METRIC, b"b\n", 1), Err(Refused::Full));
        let row = *delivery.ledger().row(METRIC);
        assert_eq!((row.queued + row.in_flight + row.written, row.is_balanced()), (65_535, true), "{row:?}");
        delivery.view().check();

        let slots = [Slot::new([0_u8; 70_000]), Slot::new([0; 70_000])];
        let mut delivery = Delivery::new(Config::DEFAULT, slots, [Lane::new(METRIC)]);
        assert_eq!(delivery.push(METRIC, &[b'\n'; 65_536], 1), Err(Refused::TooLarge));
        assert_eq!(delivery.push(METRIC, &[b'\n'; 65_535], 1), Ok(()));
        assert_eq!(delivery.push(METRIC, b"\n", 1), Ok(()));
        delivery.view().check();
    }

    #[test]
    fn odd_sizes_are_safe() {
        let mut none = Delivery::<Stored<[u8; 8]>, _, _>::new(Config::DEFAULT, [], [Lane::new(METRIC)]);
        assert_eq!(none.push(METRIC, b"a\n", 1), Err(Refused::Full));
        assert_eq!(none.view().adopt(METRIC, Stored([0; 8]), 99, 1, Lease::default()), Err(Stored([0; 8])));
        let mut none = Delivery::new(Config::DEFAULT, [Slot::new([0; 8])], []);
        assert_eq!(none.push(METRIC, b"a\n", 1), Err(Refused::NoLane));
        assert!(matches!(none.poll(Millis(0), KindSet::ALL), crate::delivery::Action::Idle));

        let slots: std::vec::Vec<_> = (0..65_540).map(|_| Slot::new(Stored([0; 4]))).collect();
        let lanes: std::vec::Vec<_> = (0..300).map(|_| Lane::new(METRIC)).collect();
        let config = Config { queue_lines: 100_000, batch_lines: 0, ..Config::DEFAULT };
        let mut many = Delivery::new(config, slots, lanes);
        let taken = (0..65_537).filter(|_| many.view().try_push(METRIC, b"abc\n", 1).is_ok()).count();
        assert_eq!(taken, usize::from(NONE));
        assert_eq!(many.ledger().row(METRIC).queued, taken, "two lanes of a kind are one");
        let ticket = many.flush();
        assert_eq!(many.left(&ticket), taken);
        many.view().abandon();
        many.view().check();
    }
}
