//! The replay window: lines that were written to a stream without answers, kept until they are taken for delivered.

use super::backoff::Millis;
use super::ledger::Row;
use super::machine::View;
use super::segment::Buf;
use crate::KindSet;

impl<B: Buf> View<'_, B> {
    /// The connection that carried `kinds` broke: what was written to it and not confirmed is sent again, or becomes
    /// doubtful where a repeat would falsify it. To be called after the outcomes of the batches it carried last.
    pub fn lost(&mut self, kinds: KindSet) {
        for at in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get(at).filter(|lane| kinds.contains(lane.kind)) else { continue };
            let again = self.core.config.replay.contains(lane.kind);
            let mut here = lane.head;
            while let Some(slot) = self.slots.get_mut(usize::from(here)) {
                let (index, next) = (here, slot.next);
                here = next;
                if slot.held == 0 {
                    continue;
                }
                if again {
                    self.hold_no_longer(at, index);
                } else {
                    self.settle_held(at, index, |row, lines| row.doubtful = row.doubtful.wrapping_add(lines));
                }
            }
        }
    }

    /// The peer has everything of `kinds` that was written so far.
    pub fn confirm(&mut self, kinds: KindSet) {
        for at in 0..self.lanes.len() {
            if self.lanes.get(at).is_some_and(|lane| kinds.contains(lane.kind)) {
                while self.settle_oldest_held(at) {}
            }
        }
    }

    /// Takes for delivered what was written long ago, and the oldest where too much is kept.
    pub(super) fn expire_held(&mut self, now: Millis) {
        for at in 0..self.lanes.len() {
            while self.held_until(at) <= now && self.settle_oldest_held(at) {}
        }
        while self.core.held_bytes > self.core.config.replay_bytes && self.release_a_held() {}
    }

    /// When the oldest held lines of a lane are taken for delivered.
    pub(super) fn held_until(&self, at: usize) -> Millis {
        self.oldest_held(at)
            .and_then(|index| self.slots.get(usize::from(index)))
            .map_or(Millis(u64::MAX), |slot| slot.since.after(self.core.config.replay_for))
    }

    pub(super) fn oldest_held(&self, at: usize) -> Option<u16> {
        let mut here = self.lanes.get(at)?.head;
        loop {
            let slot = self.slots.get(usize::from(here))?;
            if slot.held > 0 {
                return Some(here);
            }
            here = slot.next;
        }
    }

    pub(super) fn settle_oldest_held(&mut self, at: usize) -> bool {
        let Some(index) = self.oldest_held(at) else { return false };
        self.settle_held(at, index, |row, lines| row.delivered = row.delivered.wrapping_add(lines));
        true
    }

    /// Settles the held lines of a segment, and releases it if there are no others.
    pub(super) fn settle_held(&mut self, at: usize, index: u16, count: impl FnOnce(&mut Row, usize)) {
        let Some(lane) = self.lanes.get_mut(at) else { return };
        let Some(slot) = self.slots.get_mut(usize::from(index)) else { return };
        let (lines, bytes) = (slot.held_lines, slot.held);
        if bytes == 0 {
            return;
        }
        slot.settle(lines, bytes);
        (slot.held, slot.held_lines) = (0, 0);
        lane.row.written = lane.row.written.wrapping_sub(lines as usize);
        count(&mut lane.row, lines as usize);
        self.core.held_bytes = self.core.held_bytes.saturating_sub(bytes as usize);
        self.release_if_empty(at, index);
    }

    /// Makes the held lines of a segment wait to be sent again.
    pub(super) fn hold_no_longer(&mut self, at: usize, index: u16) {
        let Some(lane) = self.lanes.get_mut(at) else { return };
        let Some(slot) = self.slots.get_mut(usize::from(index)) else { return };
        let (lines, bytes) = (slot.held_lines, slot.held as usize);
        slot.tried = slot.tried.max(lines);
        (slot.held, slot.held_lines) = (0, 0);
        lane.row.written = lane.row.written.wrapping_sub(lines as usize);
        lane.row.queued = lane.row.queued.wrapping_add(lines as usize);
        lane.bytes += bytes;
        self.core.held_bytes = self.core.held_bytes.saturating_sub(bytes);
    }
}
