//! The replay window: lines that were written to a stream without answers, kept until they are taken for delivered.

use super::backoff::Millis;
use super::ledger::Row;
use super::machine::View;
use super::segment::{Buf, State};
use crate::KindSet;

impl<B: Buf> View<'_, B> {
    /// The connection that carried `kinds` broke: what was written to it and not confirmed is sent again, or becomes
    /// doubtful where a repeat would falsify it.
    ///
    /// To be called after the outcomes of the batches it carried last: a batch that is still out, behind lines of its
    /// segment that were written before, may be sent again with them.
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
                if again && !matches!(slot.state, State::Out | State::Lost) {
                    self.hold_no_longer(at, index);
                } else if again {
                    // They go back in front once the batch behind them has come back.
                    slot.state = State::Lost;
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
        let keep = self.core.config.replay_for;
        for at in 0..self.lanes.len() {
            while let Some(slot) = self.oldest_held(at).and_then(|index| self.slots.get_mut(usize::from(index))) {
                // A clock that went back must not keep them longer.
                slot.since = slot.since.min(now);
                if slot.since.after(keep) > now || !self.settle_oldest_held(at) {
                    break;
                }
            }
        }
        self.trim_held();
    }

    pub(super) fn trim_held(&mut self) {
        while self.core.held_bytes > self.core.config.replay_bytes && self.release_a_held() {}
    }

    /// When the oldest held lines of a lane are taken for delivered.
    pub(super) fn held_until(&self, at: usize) -> Option<Millis> {
        let slot = self.slots.get(usize::from(self.oldest_held(at)?))?;
        Some(slot.since.after(self.core.config.replay_for))
    }

    /// The segment of a lane that was written before all others, of those that hold what was written.
    pub(super) fn oldest_held(&self, at: usize) -> Option<u16> {
        let lane = self.lanes.get(at).filter(|lane| lane.row.written > 0)?;
        let (mut here, mut oldest) = (lane.head, None);
        while let Some(slot) = self.slots.get(usize::from(here)) {
            let older = oldest.is_none_or(|(_, since)| slot.since < since);
            if slot.held > 0 && slot.state != State::Lost && older {
                oldest = Some((here, slot.since));
            }
            here = slot.next;
        }
        oldest.map(|(index, _)| index)
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
        lane.bytes = lane.bytes.saturating_add(bytes);
        self.core.held_bytes = self.core.held_bytes.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::super::check::{Small, small};
    use super::*;
    use crate::Kind;
    use crate::delivery::{Action, Cut, Outcome, Refused};

    const METRIC: Kind = Kind::Metric;

    fn write(delivery: &mut Small, lines: &[u8], now: u64) {
        delivery.push(METRIC, lines, lines.iter().filter(|&&byte| byte == b'\n').count() as u32).unwrap();
        delivery.flush();
        delivery.drain(now, Outcome::Written);
    }

    #[test]
    fn written_lines_are_delivered_after_a_while() {
        let mut delivery = small(|_| {});
        write(&mut delivery, b"1\n2\n", 5);
        assert!(matches!(delivery.poll(Millis(6), KindSet::ALL), Action::WaitUntil(Millis(10_005))));
        assert_eq!(delivery.ledger().row(METRIC).written, 2);
        assert!(matches!(delivery.poll(Millis(10_005), KindSet::ALL), Action::Idle));
        assert_eq!(delivery.ledger().row(METRIC).delivered, 2);
    }

    #[test]
    fn a_clock_that_goes_back_does_not_keep_them_longer() {
        let mut delivery = small(|_| {});
        write(&mut delivery, b"1\n", 1_000_000);
        assert!(matches!(delivery.poll(Millis(3), KindSet::ALL), Action::WaitUntil(Millis(10_003))));
        assert!(matches!(delivery.poll(Millis(10_003), KindSet::ALL), Action::Idle));
    }

    #[test]
    fn what_came_ahead_does_not_keep_older_lines() {
        let mut delivery = small(|_| {});
        write(&mut delivery, b"1\n", 0);
        delivery.view().push_urgent(METRIC, b"2\n", 1, 1).unwrap();
        delivery.drain(9_000, Outcome::Written);
        delivery.poll(Millis(10_000), KindSet::ALL);
        let row = *delivery.ledger().row(METRIC);
        assert_eq!((row.delivered, row.written), (1, 1));
    }

    #[test]
    fn the_window_yields_to_new_lines_however_long_it_is() {
        let mut delivery = small(|config| (config.replay_for, config.replay_bytes) = (Duration::MAX, 70));
        // Metrics only, so that the first lane is not the only candidate.
        for _ in 0..3 {
            write(&mut delivery, b"a line of 32 bytes with its end\n", 0);
        }
        assert_eq!(delivery.ledger().row(METRIC).written, 2, "64 bytes of 70");
        for _ in 0..4 {
            delivery.push(Kind::Delta, b"a line of 32 bytes with its end\n", 1).unwrap();
        }
        assert_eq!(delivery.ledger().row(METRIC).delivered, 3);
        assert_eq!(delivery.push(Kind::Delta, b"1\n", 1), Err(Refused::Full));
        delivery.view().check();
    }

    #[test]
    fn lost_lines_go_again_in_front_or_become_doubtful() {
        for again in [true, false] {
            let mut delivery = small(|config| config.replay = if again { KindSet::ALL } else { KindSet::NONE });
            write(&mut delivery, b"1\n2\n", 0);
            delivery.push(METRIC, b"3\n", 1).unwrap();
            delivery.view().lost(KindSet::ALL);
            delivery.flush();
            let lines = delivery.drain(1, Outcome::Delivered);
            assert_eq!(lines, if again { b"1\n2\n3\n".as_slice() } else { b"3\n" });
            let row = *delivery.ledger().row(METRIC);
            assert_eq!((row.resent, row.doubtful), if again { (2, 0) } else { (0, 2) });
        }
    }

    #[test]
    fn a_loss_while_a_batch_is_out_waits_for_it() {
        let mut delivery = small(|config| config.batch_lines = 1);
        delivery.push(METRIC, b"1\n2\n3\n", 3).unwrap();
        let first = delivery.send(0);
        delivery.outcome(first, Outcome::Written, Millis(0));
        let second = delivery.send(0);
        delivery.view().lost(KindSet::ALL);
        delivery.view().confirm(KindSet::ALL);
        assert_eq!(delivery.ledger().row(METRIC).written, 1, "what is lost is not confirmed");
        delivery.outcome(second, Outcome::Retry { done: 0, after: None }, Millis(0));
        delivery.view().check();
        assert!(delivery.try_send(0, Cut { lines: 9, bytes: 1 }).is_none());
        assert_eq!(delivery.drain(100, Outcome::Delivered), b"1\n2\n3\n");
        assert_eq!(delivery.ledger().row(METRIC).resent, 2);
    }

    #[test]
    fn without_a_window_written_is_delivered() {
        let mut delivery = small(|config| config.replay_bytes = 0);
        write(&mut delivery, b"1\n", 0);
        assert_eq!(delivery.ledger().row(METRIC).delivered, 1);
    }
}
