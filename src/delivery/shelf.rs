//! What a lane knows of its records in the store: where among the segments in memory they have their place, and how a
//! segment is given away to them.
//!
//! The lines of a kind have one order, and the keys of its records are in that order. Those that only the store has are
//! neighbours: they stand in one gap of the lane's list, so one number says where. What stands before the gap leaves
//! first, then what the gap holds, then what came later.

use super::lane::Lane;
use super::ledger::{Column, Columns};
use super::machine::View;
use super::scale::{Initial, Part};
use super::segment::{Buf, NONE, Slot, State};
use crate::Kind;

/// The middle of all keys: lines that came back from a broken connection go before what is stored already.
const MIDDLE: u32 = 1 << 31;

/// A lane's records.
#[derive(Debug)]
pub(super) struct Shelf {
    /// The slot before the gap; `NONE` where the gap is in front.
    pub(super) gap: u16,
    /// Slots whose records are to be removed.
    pub(super) done: u16,
    /// Records in the gap: those that are not in memory.
    pub(super) records: u32,
    /// The records in the gap have keys from here on, up to here.
    pub(super) from: u32,
    pub(super) upto: u32,
    /// The keys in use are from `first` to `last`.
    pub(super) first: u32,
    pub(super) last: u32,
    /// Below stand records that could not be removed: nothing below is read again.
    pub(super) floor: u32,
    /// Records up to this key may have arrived already.
    pub(super) tried: u32,
    /// Counts the times that something came into the gap elsewhere than at its end.
    pub(super) turns: u16,
}

impl Initial for Shelf {
    const INITIAL: Self = Self {
        gap: NONE,
        done: NONE,
        records: 0,
        from: 0,
        upto: 0,
        first: MIDDLE,
        last: MIDDLE - 1,
        floor: 0,
        tried: 0,
        turns: 0,
    };
}

impl Shelf {
    /// A key before all others, or behind them; none where there are no more.
    pub(super) fn new_key(&mut self, in_front: bool) -> Option<u32> {
        if in_front {
            self.first = self.first.checked_sub(1).filter(|key| *key > self.floor)?;
            return Some(self.first);
        }
        self.last = self.last.checked_add(1)?;
        Some(self.last)
    }
}

/// What a store means for the queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Storing {
    /// There is a store.
    pub(super) attached: bool,
    /// What it holds is not known yet.
    pub(super) scanning: bool,
    /// Nor has it been, even if nobody waits for that any more.
    pub(super) unread: bool,
    /// Lines have to be in it before they leave.
    pub(super) first: bool,
    /// It takes nothing at the moment.
    pub(super) refuses: bool,
    /// It does not work at all at the moment.
    pub(super) broken: bool,
    /// All that is left goes there, nothing leaves any more.
    pub(super) last: bool,
}

impl Initial for Storing {
    const INITIAL: Self = Self {
        attached: false,
        scanning: false,
        unread: false,
        first: false,
        refuses: false,
        broken: false,
        last: false,
    };
}

impl<B: Buf> View<'_, B> {
    /// Whether there is a store that takes nothing at the moment: it is full, or does not work.
    pub fn store_refuses(&self) -> bool {
        self.core.storing().refuses
    }

    /// Whether the store is being looked through, so that the ledger does not know all that it has. Not so of one that
    /// fails: it is asked again, but nobody waits for that.
    pub fn store_is_unread(&self) -> bool {
        self.core.storing().scanning
    }

    /// Whether a lane has lines that only the store has.
    pub(super) fn is_behind(&self, lane: &Lane<B::Scale>) -> bool {
        lane.records() > 0 || self.core.storing().scanning
    }

    /// Whether there is no slot for new lines. One is kept for those that only the store has: newer ones that fill all
    /// the others have to wait for them.
    pub(super) fn is_dry(&self) -> bool {
        self.slots
            .get(usize::from(self.core.free))
            .is_none_or(|slot| slot.next == NONE && (self.core.storing().unread || self.has_records()))
    }

    fn has_records(&self) -> bool {
        self.lanes.iter().any(|lane| lane.records() > 0)
    }

    /// Whether so much of a lane is in memory that some of it should be given away.
    pub(super) fn is_pressed(&self, at: usize) -> bool {
        let config = &self.core.config;
        self.core.free == NONE
            || self.lanes.get(at).is_some_and(|lane| {
                lane.lines() > config.queue_lines / 2
                    || self.bytes_in(lane).saturating_add(lane.leased().bytes) > config.queue_bytes / 2
            })
    }

    /// Gives the memory of a segment away that the store has too; false where there is none that may go.
    ///
    /// It must be the gap's neighbour, or make the gap; better one that is to leave late. One that is to leave soon is
    /// given away only if `badly`.
    pub(super) fn forget(&mut self, at: usize, badly: bool) -> bool {
        let Some(lane) = self.lanes.get(at) else { return false };
        if self.core.storing().scanning {
            return false;
        }
        let gap = lane.gap();
        let index = if lane.records() > 0 {
            let behind = self.slots.get(usize::from(gap)).map_or(lane.head, |slot| slot.next);
            if !badly || self.is_spare(behind) { behind } else { gap }
        } else {
            // What is written does not leave any more: the first of the others does.
            let (mut spare, mut is_first) = (NONE, true);
            let mut here = lane.head;
            while let Some(slot) = self.slots.get(usize::from(here)) {
                if slot.is_spare() && (badly || !is_first) {
                    spare = here;
                }
                is_first &= slot.lines() == slot.held_lines();
                here = slot.next;
            }
            spare
        };
        self.forget_slot(at, index)
    }

    fn is_spare(&self, index: u16) -> bool {
        self.slots.get(usize::from(index)).is_some_and(Slot::is_spare)
    }

    fn forget_slot(&mut self, at: usize, index: u16) -> bool {
        let Some(slot) = self.slots.get(usize::from(index)).filter(|slot| slot.is_spare()) else { return false };
        let (key, lines, bytes, tried) = (slot.key(), slot.lines() as usize, slot.waiting_bytes(), slot.tried());
        let Some(lane) = self.lanes.get(at) else { return false };
        if lane.shelf.get().is_none_or(|shelf| key < shelf.floor) {
            return false;
        }
        let opens = lane.records() == 0;
        let Some(before) = self.unlink(at, index) else { return false };
        let Some(lane) = self.lanes.get_mut(at) else { return false };
        let Some(shelf) = lane.shelf.get_mut() else { return false };
        if opens {
            shelf.gap = before;
            (shelf.from, shelf.upto) = (key, key);
            shelf.turns = shelf.turns.wrapping_add(1);
        } else if key < shelf.upto {
            // From before the gap; or batches overtook each other, and so did keys.
            shelf.from = shelf.from.min(key);
            shelf.turns = shelf.turns.wrapping_add(1);
        } else {
            shelf.upto = key;
        }
        if tried > 0 {
            shelf.tried = shelf.tried.max(key);
        }
        shelf.records = shelf.records.saturating_add(1);
        lane.take_bytes(bytes);
        lane.row.shift(Column::Queued, Column::Stored, lines);
        self.give_free(index);
        true
    }

    pub(super) fn forget_any(&mut self) -> bool {
        self.core.storing().attached && (0..self.lanes.len()).any(|at| self.forget(at, true))
    }

    /// Puts a slot that was filled from the store into its place, at the end of what stands before the gap.
    pub(super) fn shelve(&mut self, at: usize, index: u16) {
        let Some(lane) = self.lanes.get(at) else { return };
        let gap = lane.gap();
        self.link(at, gap, index);
        let Some(slot) = self.slots.get(usize::from(index)) else { return };
        let behind = self.slots.get(usize::from(slot.next)).map(|slot| slot.first);
        let (key, lines, bytes) = (slot.key(), slot.lines(), slot.waiting_bytes());
        let Some(lane) = self.lanes.get_mut(at) else { return };
        let first = behind.unwrap_or(lane.next_line).wrapping_sub(lines);
        let Some(shelf) = lane.shelf.get_mut() else { return };
        shelf.records = shelf.records.saturating_sub(1);
        shelf.gap = if shelf.records > 0 { index } else { NONE };
        let tried = if key <= shelf.tried { lines } else { 0 };
        lane.add_bytes(bytes);
        lane.row.shift(Column::Stored, Column::Queued, lines as usize);
        if let Some(slot) = self.slots.get_mut(usize::from(index)) {
            slot.first = first;
            slot.set_tried(tried);
        }
    }

    /// Keeps a settled slot until its record is removed.
    pub(super) fn retire(&mut self, at: usize, index: u16) {
        let Some(lane) = self.lanes.get_mut(at) else { return };
        let Some(slot) = self.slots.get_mut(usize::from(index)) else { return };
        let Some(shelf) = lane.shelf.get_mut() else { return };
        slot.state = State::Done;
        slot.next = core::mem::replace(&mut shelf.done, index);
    }

    /// Takes a slot whose record the store does not remove: it will be found again in the next life.
    pub(super) fn leave_behind(&mut self) -> bool {
        if !self.core.storing().broken {
            return false;
        }
        for at in 0..self.lanes.len() {
            // Where records were given away, one that is left among them would be read for one of them.
            let Some(shelf) = self.lanes.get_mut(at).and_then(|lane| lane.shelf.get_mut()) else { continue };
            if shelf.records > 0 {
                continue;
            }
            if let Some(slot) = self.slots.get_mut(usize::from(shelf.done)) {
                let index = core::mem::replace(&mut shelf.done, slot.next);
                shelf.floor = shelf.floor.max(slot.key().saturating_add(1));
                self.give_free(index);
                return true;
            }
        }
        false
    }

    /// What `abandon` leaves in the store, where that has all that may have to be sent again.
    pub(super) fn leave_in_store(&mut self, at: usize, index: u16) {
        let Some(kind) = self.lanes.get(at).map(|lane| lane.kind) else { return };
        let Some(slot) = self.slots.get(usize::from(index)) else { return };
        if slot.recorded() == 0 || slot.recorded() < self.to_put(kind, slot).0 {
            return;
        }
        if !self.goes_again(kind, slot) {
            let (bytes, lines) = slot.acked_part();
            self.settle_front(at, index, bytes, lines, Column::Doubtful);
        }
        let Some(lane) = self.lanes.get_mut(at) else { return };
        let Some(slot) = self.slots.get_mut(usize::from(index)).filter(|slot| slot.state != State::Done) else {
            return;
        };
        lane.row.take(Column::Written, slot.held_lines() as usize);
        lane.row.add(Column::Stored, slot.lines() as usize);
        self.core.held_bytes = self.core.held_bytes.saturating_sub(slot.held() as usize);
        slot.let_go();
    }

    /// Whether all lines that were written are sent again when the connection breaks.
    fn goes_again(&self, kind: Kind, slot: &Slot<B>) -> bool {
        slot.state == State::Lost || self.core.config.replay.contains(kind)
    }

    /// Whether a slot has the record of this key: one with lines, or one whose record is to be removed.
    pub(super) fn has_key(&self, at: usize, key: u32) -> bool {
        let Some(lane) = self.lanes.get(at) else { return false };
        let done = lane.shelf.get().map_or(NONE, |shelf| shelf.done);
        [lane.head, done].into_iter().any(|head| self.segments(head).any(|slot| slot.key() == key))
    }

    /// Whether every line of the lanes is in the store, or nowhere; what only a token has cannot be.
    pub(super) fn is_safe(&self, kind: Kind) -> bool {
        let Some(lane) = self.find(kind).and_then(|at| self.lanes.get(at)) else { return true };
        let mut here = lane.head;
        while let Some(slot) = self.slots.get(usize::from(here)) {
            let (bytes, _) = self.to_put(lane.kind, slot);
            if slot.recorded() < bytes && slot.buf.is_some() {
                return false;
            }
            here = slot.next;
        }
        true
    }

    /// How many bytes and lines, at the end of a segment, belong into its record: all that may have to be sent again.
    pub(super) fn to_put(&self, kind: Kind, slot: &Slot<B>) -> (u32, u32) {
        let (bytes, lines) = if self.goes_again(kind, slot) { (0, 0) } else { slot.acked_part() };
        let all = slot.waiting_bytes().saturating_add(slot.held());
        (all.saturating_sub(bytes), slot.lines().saturating_sub(lines))
    }
}
