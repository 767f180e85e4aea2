//! Slots and lists: where a segment comes from, its place in its lane, and how room is made.

use super::backoff::Moment;
use super::lane::{Lane, is_before};
use super::ledger::Column;
use super::machine::{Lease, Overflow, View};
use super::scale::Part;
use super::segment::{Buf, Cut, NONE, Slot, State};
use crate::Kind;

impl<B: Buf> View<'_, B> {
    pub(super) fn find(&self, kind: Kind) -> Option<usize> {
        // Drivers with a lane for every kind have them in the order of the kinds.
        let at = kind.index();
        match self.lanes.get(at) {
            Some(lane) if lane.kind == kind => Some(at),
            _ => self.lanes.iter().position(|lane| lane.kind == kind),
        }
    }

    pub(super) fn lane(&mut self, kind: Kind) -> Option<&mut Lane<B::Scale>> {
        let at = self.find(kind)?;
        self.lanes.get_mut(at)
    }

    /// A free slot for a lane: one that is free, else one that only holds written lines which the peer's kernel has,
    /// else one that two small segments can do without, else, by policy, the lane's oldest.
    pub(super) fn take_free(&mut self, at: usize) -> Option<u16> {
        loop {
            let index = self.core.free;
            if let Some(slot) = self.slots.get(usize::from(index)).filter(|_| !self.is_dry()) {
                self.core.free = slot.next;
                return Some(index);
            }
            let found = self.forget_any()
                || self.release_a_held()
                || self.merge_two()
                || self.leave_behind()
                || (self.core.config.overflow == Overflow::DropOldest && self.evict_segment(at));
            if !found {
                return None;
            }
        }
    }

    pub(super) fn give_free(&mut self, index: u16) {
        if let Some(slot) = self.slots.get_mut(usize::from(index)) {
            slot.state = State::Free;
            slot.forget_key();
            slot.next = self.core.free;
            self.core.free = index;
        }
    }

    pub(super) fn link_last(&mut self, at: usize, index: u16) {
        let tail = self.lanes.get(at).map_or(NONE, |lane| lane.tail);
        self.link(at, tail, index);
    }

    /// Puts a slot into a lane behind `before` (`NONE`: in front).
    pub(super) fn link(&mut self, at: usize, before: u16, index: u16) {
        let Some(lane) = self.lanes.get_mut(at) else { return };
        let next = match self.slots.get_mut(usize::from(before)) {
            Some(slot) => core::mem::replace(&mut slot.next, index),
            None => core::mem::replace(&mut lane.head, index),
        };
        if next == NONE {
            lane.tail = index;
        }
        if let Some(slot) = self.slots.get_mut(usize::from(index)) {
            slot.next = next;
        }
    }

    /// Takes a slot out of its lane, if it is there; the one before it.
    pub(super) fn unlink(&mut self, at: usize, index: u16) -> Option<u16> {
        let lane = self.lanes.get_mut(at)?;
        let next = self.slots.get(usize::from(index))?.next;
        let mut before = NONE;
        let mut here = lane.head;
        while here != index {
            let slot = self.slots.get(usize::from(here))?;
            (before, here) = (here, slot.next);
        }
        match self.slots.get_mut(usize::from(before)) {
            Some(slot) => slot.next = next,
            None => lane.head = next,
        }
        if lane.tail == index {
            lane.tail = before;
        }
        if let Some(shelf) = lane.shelf.get_mut().filter(|shelf| shelf.gap == index) {
            shelf.gap = before;
        }
        Some(before)
    }

    pub(super) fn release_if_empty(&mut self, at: usize, index: u16) {
        let slot = self.slots.get(usize::from(index)).filter(|slot| slot.state == State::Ready && slot.lines() == 0);
        // Bytes that belong to no line, where a count was too low.
        let Some(rest) = slot.map(Slot::waiting_bytes) else { return };
        if self.unlink(at, index).is_some() {
            match self.slots.get(usize::from(index)) {
                Some(slot) if slot.key() != 0 => self.retire(at, index),
                _ => self.give_free(index),
            }
            if let Some(lane) = self.lanes.get_mut(at) {
                lane.take_bytes(rest);
            }
        }
    }

    /// Takes the oldest written segment of any lane, of those that the peer's kernel has, for delivered.
    pub(super) fn release_a_held(&mut self) -> bool {
        let mut oldest: Option<(Moment, usize)> = None;
        for at in 0..self.lanes.len() {
            let Some(until) = self.held_until(at) else { continue };
            if oldest.is_none_or(|(other, _)| until.is_before(other)) {
                oldest = Some((until, at));
            }
        }
        oldest.is_some_and(|(_, at)| self.settle_oldest_held(at))
    }

    /// Moves the lines of a small segment behind those of the one before it: two that make one batch if there are any.
    pub(super) fn merge_two(&mut self) -> bool {
        self.merge_up_to(self.core.config.batch_lines) || self.merge_up_to(u32::MAX)
    }

    fn merge_up_to(&mut self, most: u32) -> bool {
        for at in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get(at) else { continue };
            // Never across the gap.
            let gap = self.is_behind(lane).then_some(lane.gap());
            let mut here = lane.head;
            while let Some(slot) = self.slots.get(usize::from(here)) {
                let second = slot.next;
                let mergeable = |slot: &Slot<B>| {
                    slot.state == State::Ready
                        && slot.tag == 0
                        && slot.held() == 0
                        && slot.key() == 0
                        && gap != Some(here)
                };
                if let Some(next) =
                    self.slots.get(usize::from(second)).filter(|next| mergeable(next) && mergeable(slot))
                {
                    let (lines, tried, window, urgent) = (next.lines(), next.tried(), next.window(), next.urgent);
                    let behind = slot.lines();
                    // Numbers may become too low, never too high: a flush is not done too early.
                    let first = next.first.wrapping_sub(behind);
                    let first = if is_before(first, slot.first) { first } else { slot.first };
                    let fits = slot.lines().saturating_add(lines) <= most;
                    let buf = self.slots.get_mut(usize::from(second)).filter(|_| fits).and_then(|next| next.buf.take());
                    if let Some(buf) = buf {
                        let moved = self.move_lines(here, second, &buf, lines);
                        if let Some(next) = self.slots.get_mut(usize::from(second)) {
                            next.buf = Some(buf);
                        }
                        if moved {
                            if let Some(slot) = self.slots.get_mut(usize::from(here)) {
                                if tried > 0 {
                                    slot.set_tried(behind.saturating_add(tried));
                                }
                                slot.first = first;
                                slot.narrow(window);
                                slot.urgent |= urgent;
                            }
                            self.unlink(at, second);
                            self.give_free(second);
                            return true;
                        }
                    }
                }
                here = second;
            }
        }
        false
    }

    pub(super) fn move_lines(&mut self, to: u16, from: u16, buf: &B, lines: u32) -> bool {
        let Some((start, len)) = self.slots.get(usize::from(from)).map(|slot| (slot.start(), slot.waiting_bytes()))
        else {
            return false;
        };
        let bytes = buf.as_ref().get(start as usize..).and_then(|rest| rest.get(..len as usize));
        match (bytes, self.slots.get_mut(usize::from(to))) {
            (Some(bytes), Some(slot)) => slot.append(bytes, lines),
            _ => false,
        }
    }

    /// Drops the oldest line of a lane that is not on its way.
    pub(super) fn evict_line(&mut self, at: usize) -> bool {
        let Some(index) = self.evictable(at) else { return false };
        let Some(slot) = self.slots.get(usize::from(index)) else { return false };
        let (bytes, lines) = Cut { lines: 1, bytes: usize::MAX }.of(slot.rest(), u32::MAX);
        self.evict(at, index, bytes, lines)
    }

    pub(super) fn evict_segment(&mut self, at: usize) -> bool {
        let Some(index) = self.evictable(at) else { return false };
        let Some(slot) = self.slots.get(usize::from(index)) else { return false };
        let (bytes, lines) = (slot.waiting_bytes(), slot.waiting());
        self.evict(at, index, bytes, lines)
    }

    /// The first segment of a lane whose lines can be dropped; better one that needs no written lines to be settled,
    /// and none that holds lines which the peer's kernel does not have.
    pub(super) fn evictable(&self, at: usize) -> Option<u16> {
        let mut here = self.lanes.get(at)?.head;
        let mut behind_held = None;
        while let Some(slot) = self.slots.get(usize::from(here)) {
            if slot.tag == 0 && slot.waiting() > 0 && slot.is_acked() {
                if slot.held() == 0 {
                    return Some(here);
                }
                behind_held = behind_held.or(Some(here));
            }
            here = slot.next;
        }
        behind_held
    }

    /// How much of a lane can be dropped.
    pub(super) fn droppable(&self, at: usize) -> Lease {
        let mut all = Lease::default();
        let mut here = self.lanes.get(at).map_or(NONE, |lane| lane.head);
        while let Some(slot) = self.slots.get(usize::from(here)) {
            if slot.tag == 0 && slot.waiting() > 0 && slot.is_acked() {
                all.lines = all.lines.saturating_add(slot.waiting() as usize);
                all.bytes = all.bytes.saturating_add(slot.waiting_bytes() as usize);
            }
            here = slot.next;
        }
        all
    }

    /// Bytes of a lane's lines that are queued or in flight.
    pub(super) fn bytes_in(&self, lane: &Lane<B::Scale>) -> usize {
        let sum = || self.segments(lane.head).map(|slot| slot.waiting_bytes() as usize).sum();
        lane.bytes.get().copied().unwrap_or_else(sum)
    }

    pub(super) fn evict(&mut self, at: usize, index: u16, bytes: u32, lines: u32) -> bool {
        self.settle(at, index, lines, bytes, Column::QueueFull);
        self.release_if_empty(at, index);
        lines > 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{large, small};
    use super::*;
    use crate::KindSet;
    use crate::delivery::{Config, Delivery, Millis, Outcome, Refused, Stored};

    const METRIC: Kind = Kind::Metric;

    #[test]
    fn small_segments_are_merged_for_want_of_slots() {
        let mut delivery = large(|config| config.batch_lines = 2);
        for line in [b"1\n", b"2\n", b"3\n", b"4\n"] {
            let lease =
                delivery.view().lease(METRIC, Lease { lines: 1, bytes: 2 }, Lease { lines: 1, bytes: 2 }).unwrap();
            let mut buf = [0; 32];
            buf[..2].copy_from_slice(line);
            delivery.view().adopt(METRIC, Stored(buf), 2, 1, lease).unwrap();
        }
        delivery.push(Kind::Delta, b"5\n", 1).unwrap();
        delivery.view().check();
        let ticket = delivery.flush();
        assert_eq!(delivery.left(&ticket), 5);
        assert_eq!(delivery.send(0).batch().bytes, b"1\n2\n");
    }

    #[test]
    fn a_merge_never_makes_a_flush_done_too_early() {
        let mut delivery = small(|_| {});
        delivery.push(METRIC, b"1\n2\n3\n", 3).unwrap();
        let ticket = delivery.flush();
        // Comes ahead of lines with smaller numbers, and loses its tag.
        delivery.view().push_urgent(METRIC, b"u\n", 1, 1).unwrap();
        let token = delivery.send(0);
        assert_eq!(token.batch().bytes, b"u\n");
        delivery.outcome(token, Outcome::Unreachable, Millis(0));
        for _ in 0..3 {
            delivery.push(Kind::Delta, b"a line of 32 bytes with its end\n", 1).unwrap();
        }
        delivery.view().check();
        let head = delivery.view().lanes[0].head;
        let token = delivery.view().take_out(0, head, Cut { lines: 3, ..Cut::NONE }).unwrap();
        assert_eq!(token.batch().bytes, b"u\n1\n2\n", "one segment now");
        delivery.outcome(token, Outcome::Delivered, Millis(0));
        assert_eq!(delivery.left(&ticket), 1);
        assert!(delivery.drain(0, Outcome::Delivered).windows(2).any(|bytes| bytes == b"3\n"));
        assert_eq!(delivery.left(&ticket), 0);
    }

    #[test]
    fn the_oldest_lines_go_first_but_never_those_in_flight_or_with_a_tag() {
        let mut delivery = small(|config| (config.overflow, config.queue_lines) = (Overflow::DropOldest, 4));
        delivery.push(METRIC, b"1\n", 1).unwrap();
        delivery.flush();
        let out = delivery.send(0);
        delivery.view().push_urgent(METRIC, b"u\n", 1, 1).unwrap();
        for line in [b"2\n", b"3\n", b"4\n", b"5\n"] {
            delivery.push(METRIC, line, 1).unwrap();
        }
        delivery.outcome(out, Outcome::Delivered, Millis(0));
        delivery.flush();
        assert_eq!(delivery.drain(0, Outcome::Delivered), b"u\n4\n5\n");
        assert_eq!(delivery.ledger().row(METRIC).dropped.queue_full, 2);
    }

    #[test]
    fn lines_behind_written_ones_can_be_dropped_too() {
        let mut delivery = small(|config| {
            (config.overflow, config.queue_lines, config.batch_lines) = (Overflow::DropOldest, 2, 1);
        });
        delivery.push(METRIC, b"1\n2\n", 2).unwrap();
        let token = delivery.send(0);
        delivery.outcome(token, Outcome::Written, Millis(0));
        delivery.push(METRIC, b"3\n4\n", 2).unwrap();
        let row = *delivery.ledger().row(METRIC);
        assert_eq!((row.delivered, row.dropped.queue_full, row.queued), (1, 1, 2));
        delivery.view().check();
    }

    #[test]
    fn a_dry_pool_refuses_other_kinds_and_drops_its_own() {
        let mut delivery = small(|config| config.overflow = Overflow::DropOldest);
        let line = b"a line of 32 bytes with its end\n";
        for _ in 0..5 {
            delivery.push(METRIC, line, 1).unwrap();
        }
        assert_eq!(delivery.push(Kind::Delta, line, 1), Err(Refused::Full));
        let ledger = delivery.ledger();
        assert_eq!((ledger.row(METRIC).queued, ledger.total_of(KindSet::ALL).dropped.queue_full), (4, 2));
    }

    #[test]
    fn a_lane_is_found_by_its_kind_wherever_it_stands() {
        const LANES: [Kind; 3] = [Kind::Event, Kind::Delta, METRIC];
        let slots = [Slot::new([0; 32]), Slot::new([0; 32])];
        let mut delivery = Delivery::new(Config::DEFAULT, slots, LANES.map(Lane::new));
        for kind in Kind::ALL {
            assert_eq!(delivery.view().find(kind), LANES.iter().position(|other| *other == kind), "{kind:?}");
        }
    }
}
