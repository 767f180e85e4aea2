//! The replay window: lines that were written to a stream without answers. Those that the peer's kernel has not
//! acknowledged are kept until it has, or the connection breaks; the others until they are taken for delivered.

use super::backoff::{Millis, Moment};
use super::ledger::{Column, Columns};
use super::machine::View;
use super::segment::{Buf, Slot, State};
use crate::{Kind, KindSet};

/// What is sent again of the lines that the peer's kernel had acknowledged when a connection without answers broke.
///
/// Whether the peer itself had read them, nobody can tell. What its kernel had *not* acknowledged is sent again in any
/// case: of such a line it cannot have read the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Replay {
    /// Everything. Nothing becomes doubtful; deltas and histograms may count twice.
    All,
    /// The kinds that a repeat does not falsify: a point, a span or an event that comes twice is the same one. Deltas
    /// and histograms become doubtful, as they would count twice.
    #[default]
    Idempotent,
    /// Nothing: no duplicates of what was acknowledged; lines of every kind become doubtful, and some of them will not
    /// have been read.
    Unacknowledged,
}

impl Replay {
    /// The kinds that are sent again.
    pub const fn kinds(self) -> KindSet {
        match self {
            Self::All => KindSet::ALL,
            Self::Idempotent => KindSet::ALL.without(Kind::Delta).without(Kind::Histogram),
            Self::Unacknowledged => KindSet::NONE,
        }
    }
}

/// What became of the lines that had been written to a connection that broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Lost {
    again: [u32; Kind::COUNT],
    doubtful: [u32; Kind::COUNT],
}

impl Lost {
    /// Lines of `kind` that are sent again.
    pub fn again(&self, kind: Kind) -> u32 {
        self.again.get(kind.index()).copied().unwrap_or(0)
    }

    /// Lines of `kind` that became doubtful.
    pub fn doubtful(&self, kind: Kind) -> u32 {
        self.doubtful.get(kind.index()).copied().unwrap_or(0)
    }

    fn add(&mut self, kind: Kind, (again, doubtful): (u32, u32)) {
        let sums = self.again.get_mut(kind.index()).zip(self.doubtful.get_mut(kind.index()));
        if let Some((agains, doubtfuls)) = sums {
            *agains = agains.saturating_add(again);
            *doubtfuls = doubtfuls.saturating_add(doubtful);
        }
    }
}

impl<B: Buf> View<'_, B> {
    /// The connection that carried `kinds` broke: what the peer's kernel had not acknowledged is sent again, and so is
    /// what it had, unless a repeat would falsify it: such lines become doubtful. The next connection is made after a
    /// backoff.
    ///
    /// To be called after the outcomes of the batches it carried last, and after [`acknowledged`](Self::acknowledged)
    /// if the connection told at its end. A batch that is still out, behind lines of its segment that were written
    /// before, may be sent again with them, and what becomes of these is not in the answer.
    pub fn lost(&mut self, kinds: KindSet, now: Millis) -> Lost {
        let now = Moment::of(now);
        let mut lost = Lost::default();
        for at in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get(at).filter(|lane| kinds.contains(lane.kind)) else { continue };
            let (kind, again) = (lane.kind, self.core.config.replay.contains(lane.kind));
            let mut here = lane.head;
            while let Some(slot) = self.slots.get_mut(usize::from(here)) {
                let (index, next) = (here, slot.next);
                here = next;
                if slot.held() == 0 {
                    continue;
                }
                let is_out = matches!(slot.state, State::Out | State::Lost);
                if !is_out || (slot.is_acked() && !again) {
                    lost.add(kind, self.lose(at, index));
                } else {
                    // They go back in front once the batch behind them has come back.
                    slot.state = State::Lost;
                }
            }
        }
        for route in 0..self.core.routes.as_ref().len() {
            let mut lanes = self.lanes.iter().filter(|lane| lane.route() == route);
            if lanes.any(|lane| kinds.contains(lane.kind)) {
                let core = &mut *self.core;
                if let Some(route) = core.routes.as_mut().get_mut(route) {
                    route.gate.broke(now, core.config.backoff, &mut core.jitter);
                }
            }
        }
        lost
    }

    /// As [`lost`](Self::lost), of a connection that told at its end how many bytes its peer's kernel had not
    /// acknowledged.
    pub fn broke(&mut self, kinds: KindSet, unacknowledged: Option<u32>, now: Millis) -> Lost {
        if let Some(last) = unacknowledged {
            self.acknowledged(kinds, last, now);
        }
        self.lost(kinds, now)
    }

    /// Of everything that was written to the connection that carries `kinds`, the peer's kernel has not acknowledged
    /// the last `last` bytes (`SIOCOUTQ` on Linux); a later call never takes an acknowledgement back.
    ///
    /// The kinds are those of one connection, and have a route of their own
    /// ([`Lane::on_route`](super::Lane::on_route)).
    pub fn acknowledged(&mut self, kinds: KindSet, last: u32, now: Millis) {
        self.note_acks(kinds, last, Moment::of(now));
        self.trim_held();
    }

    fn note_acks(&mut self, kinds: KindSet, last: u32, now: Moment) {
        for at in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get(at).filter(|lane| kinds.contains(lane.kind)) else { continue };
            if lane.row.get(Column::Written) == 0 {
                continue;
            }
            let written = self.written_by(at);
            let mut here = lane.head;
            while let Some(slot) = self.slots.get_mut(usize::from(here)) {
                here = slot.next;
                if slot.is_acked() || slot.state == State::Lost {
                    continue;
                }
                // Its own bytes come before those that others wrote since.
                let own = last.saturating_sub(written.wrapping_sub(slot.mark));
                let acked = slot.held().saturating_sub(own);
                if acked > slot.acked() {
                    slot.acknowledge(acked);
                    slot.since = now;
                }
            }
        }
    }

    /// The connection that carries `kinds` was also written `bytes` bytes that never were in the queue: what its peer
    /// has not [`acknowledged`](Self::acknowledged) is counted from behind them.
    pub(crate) fn wrote_aside(&mut self, kinds: KindSet, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        for number in 0..self.core.routes.as_ref().len() {
            let mut lanes = self.lanes.iter().filter(|lane| lane.route() == number);
            if lanes.any(|lane| kinds.contains(lane.kind))
                && let Some(route) = self.core.routes.as_mut().get_mut(number)
            {
                route.written = route.written.wrapping_add(bytes);
            }
        }
    }

    /// How many bytes of `kinds` were written and not acknowledged, as far as was said.
    pub fn unacknowledged(&self, kinds: KindSet) -> usize {
        let lanes = self.lanes.iter().filter(|lane| kinds.contains(lane.kind) && lane.row.get(Column::Written) > 0);
        lanes
            .map(|lane| {
                self.segments(lane.head).map(|slot| slot.held().saturating_sub(slot.acked()) as usize).sum::<usize>()
            })
            .sum()
    }

    /// How many lines of `kinds` were written to a connection and are kept in case it breaks. As long as there are any,
    /// a driver should look from time to time whether the connection still stands.
    pub fn written(&self, kinds: KindSet) -> usize {
        self.lanes.iter().filter(|lane| kinds.contains(lane.kind)).map(|lane| lane.row.get(Column::Written)).sum()
    }

    /// The peer has everything of `kinds` that was written so far.
    pub fn confirm(&mut self, kinds: KindSet) {
        for at in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get(at).filter(|lane| kinds.contains(lane.kind)) else { continue };
            let mut here = lane.head;
            while let Some(slot) = self.slots.get_mut(usize::from(here)) {
                here = slot.next;
                if slot.state != State::Lost {
                    slot.acknowledge(slot.held());
                }
            }
            while self.settle_oldest_held(at) {}
        }
    }

    /// The bytes that a lane's route has written in all.
    pub(super) fn written_by(&self, at: usize) -> u32 {
        let route = self.lanes.get(at).map_or(0, |lane| lane.route());
        self.core.routes.as_ref().get(route).map_or(0, |route| route.written)
    }

    pub(super) fn segments(&self, head: u16) -> impl Iterator<Item = &Slot<B>> {
        let first = self.slots.get(usize::from(head));
        core::iter::successors(first, |slot| self.slots.get(usize::from(slot.next)))
    }

    /// Keeps lines that were written, at the front of those of their segment that wait. `last`: so many bytes at the
    /// end of what the route wrote are not acknowledged, where that is known.
    pub(super) fn hold(&mut self, at: usize, index: u16, lines: u32, bytes: u32, last: Option<u32>, now: Moment) {
        let Some(slot) = self.slots.get_mut(usize::from(index)) else { return };
        let Some(lane) = self.lanes.get_mut(at) else { return };
        slot.hold(lines, bytes);
        slot.since = now;
        if slot.waiting() == 0 {
            // Whoever waits for it has heard of all of it.
            slot.tag = 0;
        }
        lane.take_bytes(bytes);
        lane.row.shift(Column::Queued, Column::Written, lines as usize);
        self.core.held_bytes = self.core.held_bytes.saturating_add(bytes as usize);
        let Some(route) = self.core.routes.as_mut().get_mut(lane.route()) else { return };
        route.written = route.written.wrapping_add(bytes);
        slot.mark = route.written;
        match last {
            None => slot.acknowledge(slot.held()),
            Some(last) => {
                let route = lane.route();
                let of_route = self.lanes.iter().filter(|lane| lane.route() == route).map(|lane| lane.kind).collect();
                self.note_acks(of_route, last, now);
            }
        }
    }

    /// The connection that took the held lines of a segment is gone: how many of them go again, how many are doubtful.
    pub(super) fn lose(&mut self, at: usize, index: u16) -> (u32, u32) {
        let Some(kind) = self.lanes.get(at).map(|lane| lane.kind) else { return (0, 0) };
        let Some(slot) = self.slots.get(usize::from(index)) else { return (0, 0) };
        let all = slot.held_lines();
        let (bytes, doubtful) = if self.core.config.replay.contains(kind) { (0, 0) } else { slot.acked_part() };
        self.settle_front(at, index, bytes, doubtful, Column::Doubtful);
        self.hold_no_longer(at, index);
        self.release_if_empty(at, index);
        (all.saturating_sub(doubtful), doubtful)
    }

    /// Takes for delivered what was written long ago, and the oldest where too much is kept.
    pub(super) fn expire_held(&mut self, now: Moment) {
        let keep = self.core.config.replay_for;
        for at in 0..self.lanes.len() {
            while let Some(slot) = self.oldest_held(at).and_then(|index| self.slots.get_mut(usize::from(index))) {
                // A clock that went back must not keep them longer.
                if now.is_before(slot.since) {
                    slot.since = now;
                }
                if now.left(slot.since) < keep || !self.settle_oldest_held(at) {
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
    pub(super) fn held_until(&self, at: usize) -> Option<Moment> {
        let slot = self.slots.get(usize::from(self.oldest_held(at)?))?;
        Some(slot.since.after(self.core.config.replay_for))
    }

    /// The segment of a lane that was written before all others, of those that hold what was written, all of it
    /// acknowledged.
    pub(super) fn oldest_held(&self, at: usize) -> Option<u16> {
        let lane = self.lanes.get(at).filter(|lane| lane.row.get(Column::Written) > 0)?;
        let (mut here, mut oldest) = (lane.head, None);
        while let Some(slot) = self.slots.get(usize::from(here)) {
            let older = oldest.is_none_or(|(_, since)| slot.since.is_before(since));
            if slot.held() > 0 && slot.is_acked() && slot.state != State::Lost && older {
                oldest = Some((here, slot.since));
            }
            here = slot.next;
        }
        oldest.map(|(index, _)| index)
    }

    pub(super) fn settle_oldest_held(&mut self, at: usize) -> bool {
        let Some(index) = self.oldest_held(at) else { return false };
        self.settle_held(at, index, Column::Delivered);
        true
    }

    /// Settles the held lines of a segment, and releases it if there are no others.
    pub(super) fn settle_held(&mut self, at: usize, index: u16, to: Column) {
        let held = self.slots.get(usize::from(index)).map_or((0, 0), |slot| (slot.held(), slot.held_lines()));
        self.settle_front(at, index, held.0, held.1, to);
    }

    /// Settles the first `lines` of the held lines of a segment, in `bytes` bytes.
    pub(super) fn settle_front(&mut self, at: usize, index: u16, bytes: u32, lines: u32, to: Column) {
        let Some(lane) = self.lanes.get_mut(at) else { return };
        let Some(slot) = self.slots.get_mut(usize::from(index)) else { return };
        if bytes == 0 {
            return;
        }
        slot.settle_held(lines, bytes);
        lane.row.shift(Column::Written, to, lines as usize);
        self.core.held_bytes = self.core.held_bytes.saturating_sub(bytes as usize);
        // With a count that was too low, there may be bytes left that belong to no line.
        if slot.held() == 0 {
            self.release_if_empty(at, index);
        }
    }

    /// Makes the held lines of a segment wait to be sent again.
    pub(super) fn hold_no_longer(&mut self, at: usize, index: u16) {
        let Some(lane) = self.lanes.get_mut(at) else { return };
        let Some(slot) = self.slots.get_mut(usize::from(index)) else { return };
        let (lines, bytes) = (slot.held_lines(), slot.held());
        slot.hold_no_longer();
        lane.row.shift(Column::Written, Column::Queued, lines as usize);
        lane.add_bytes(bytes);
        self.core.held_bytes = self.core.held_bytes.saturating_sub(bytes as usize);
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::super::check::{Queue, small};
    use super::*;
    use crate::Kind;
    use crate::delivery::{Action, Config, Cut, Delivery, Lane, Outcome, Overflow, Refused, Stored};

    const METRIC: Kind = Kind::Metric;

    fn write(delivery: &mut Queue<[u8; 32]>, lines: &[u8], now: u64) {
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
            let written = |kinds| delivery.view().written(kinds);
            assert_eq!([KindSet::ALL, METRIC.into(), Kind::Delta.into()].map(written), [2, 2, 0]);
            delivery.view().lost(KindSet::ALL, Millis(0));
            delivery.flush();
            let lines = delivery.drain(1_000, Outcome::Delivered);
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
        delivery.view().lost(KindSet::ALL, Millis(0));
        delivery.view().confirm(KindSet::ALL);
        assert_eq!(delivery.ledger().row(METRIC).written, 1, "what is lost is not confirmed");
        delivery.outcome(second, Outcome::Retry { done: 0, after: None }, Millis(0));
        delivery.view().check();
        assert!(delivery.try_send(0, Cut { lines: 9, bytes: 1 }).is_none());
        assert_eq!(delivery.drain(1_000, Outcome::Delivered), b"1\n2\n3\n");
        assert_eq!(delivery.ledger().row(METRIC).resent, 2);
    }

    #[test]
    fn what_is_lost_is_not_acknowledged_by_the_next_connection() {
        let mut delivery = small(|config| (config.batch_lines, config.replay) = (1, KindSet::NONE));
        delivery.push(METRIC, b"1\n2\n3\n", 3).unwrap();
        let first = delivery.send(0);
        delivery.outcome(first, Outcome::Unacknowledged(2), Millis(0));
        let second = delivery.send(0);
        delivery.view().lost(KindSet::ALL, Millis(0));
        delivery.view().acknowledged(KindSet::ALL, 0, Millis(0));
        delivery.outcome(second, Outcome::Retry { done: 0, after: None }, Millis(0));
        delivery.view().check();
        assert_eq!(delivery.drain(1_000, Outcome::Delivered), b"1\n2\n3\n");
        assert_eq!(delivery.ledger().row(METRIC).doubtful, 0);
    }

    #[test]
    fn a_connection_that_breaks_stops_its_own_route() {
        let lanes = [Lane::on_route(METRIC, 0), Lane::on_route(Kind::Span, 1)];
        let slots = core::array::from_fn::<_, 4, _>(|_| Slot::new(Stored([0; 8])));
        let mut delivery = Delivery::new(Config::DEFAULT, slots, lanes);
        for kind in [METRIC, Kind::Span] {
            delivery.push(kind, b"a\n", 1).unwrap();
        }
        delivery.flush();
        delivery.view().lost(METRIC.into(), Millis(0));
        assert!(matches!(delivery.poll(Millis(0), METRIC.into()), Action::WaitUntil(_)));
        assert!(matches!(delivery.poll(Millis(0), Kind::Span.into()), Action::Send(_)));
    }

    #[test]
    fn a_break_that_tells_what_was_not_acknowledged_is_believed() {
        for (last, doubtful) in [(None, 0), (Some(0), 3), (Some(2), 2), (Some(6), 0)] {
            let mut delivery = small(|config| config.replay = KindSet::NONE);
            written_in_part(&mut delivery, b"1\n2\n3\n", 6, 0);
            let lost = delivery.view().broke(METRIC.into(), last, Millis(0));
            assert_eq!((lost.doubtful(METRIC), lost.again(METRIC)), (doubtful, 3 - doubtful), "{last:?}");
            assert_eq!(delivery.ledger().row(METRIC).doubtful, doubtful as usize);
        }
    }

    #[test]
    fn a_window_is_as_large_as_it_is_said_to_be() {
        let mut delivery = small(|config| config.replay_bytes = 4);
        write(&mut delivery, b"1\n2\n", 0);
        assert_eq!(delivery.ledger().row(METRIC).written, 2);
        // A segment leaves it whole.
        write(&mut delivery, b"3\n", 0);
        assert_eq!((delivery.ledger().row(METRIC).written, delivery.ledger().row(METRIC).delivered), (0, 3));
    }

    #[test]
    fn all_that_is_old_enough_is_delivered_at_once() {
        let mut delivery = small(|_| {});
        for _ in 0..3 {
            write(&mut delivery, b"20 bytes are a line\n", 0);
        }
        assert_eq!(delivery.ledger().row(METRIC).written, 3);
        delivery.poll(Millis(60_000), KindSet::ALL);
        assert_eq!(delivery.ledger().row(METRIC).delivered, 3);
    }

    #[test]
    fn what_the_peer_has_is_delivered_at_once() {
        let mut delivery = small(|_| {});
        written_in_part(&mut delivery, b"1\n2\n3\n", 3, 0);
        delivery.view().confirm(Kind::Delta.into());
        assert_eq!(delivery.ledger().row(METRIC).written, 3, "others");
        delivery.view().confirm(METRIC.into());
        let row = *delivery.ledger().row(METRIC);
        assert_eq!((row.delivered, row.written), (3, 0));
        delivery.view().check();
    }

    #[test]
    fn without_a_window_written_is_delivered() {
        let mut delivery = small(|config| config.replay_bytes = 0);
        write(&mut delivery, b"1\n", 0);
        assert_eq!(delivery.ledger().row(METRIC).delivered, 1);
    }

    fn written_in_part(delivery: &mut Queue<[u8; 32]>, lines: &[u8], last: u32, now: u64) {
        delivery.push(METRIC, lines, lines.iter().filter(|&&byte| byte == b'\n').count() as u32).unwrap();
        delivery.flush();
        delivery.drain(now, Outcome::Unacknowledged(last));
    }

    #[test]
    fn what_is_not_acknowledged_goes_again_line_by_line_and_the_rest_is_doubtful() {
        // The end of the second line is the eighth byte.
        for (last, doubtful, again) in
            [(0, 3, &b""[..]), (1, 2, b"ccc\n"), (4, 2, b"ccc\n"), (5, 1, b"bbb\nccc\n"), (12, 0, b"aaa\nbbb\nccc\n")]
        {
            let mut delivery = small(|config| config.replay = KindSet::NONE);
            written_in_part(&mut delivery, b"aaa\nbbb\nccc\n", last, 0);
            assert_eq!(delivery.view().unacknowledged(KindSet::ALL), last as usize);
            let lost = delivery.view().lost(KindSet::ALL, Millis(0));
            assert_eq!((lost.doubtful(METRIC), lost.again(METRIC)), (doubtful, 3 - doubtful), "{last}");
            delivery.view().check();
            assert_eq!(delivery.drain(1_000, Outcome::Delivered), again);
            let row = *delivery.ledger().row(METRIC);
            assert_eq!((row.doubtful, row.delivered), (doubtful as usize, 3 - doubtful as usize));
            assert_eq!(row.resent, row.delivered);
        }
    }

    #[test]
    fn time_begins_when_the_peer_has_them() {
        let mut delivery = small(|_| {});
        written_in_part(&mut delivery, b"1\n", 2, 0);
        assert!(matches!(delivery.poll(Millis(60_000), KindSet::ALL), Action::Idle));
        delivery.view().acknowledged(KindSet::ALL, 1, Millis(60_000));
        assert!(matches!(delivery.poll(Millis(90_000), KindSet::ALL), Action::Idle), "not the whole line");
        assert_eq!(delivery.ledger().row(METRIC).written, 1);
        delivery.view().acknowledged(KindSet::ALL, 0, Millis(90_000));
        assert!(matches!(delivery.poll(Millis(90_001), KindSet::ALL), Action::WaitUntil(Millis(100_000))));
        assert!(matches!(delivery.poll(Millis(100_000), KindSet::ALL), Action::Idle));
        assert_eq!(delivery.ledger().row(METRIC).delivered, 1);
    }

    #[test]
    fn new_lines_do_not_push_out_what_is_not_acknowledged() {
        for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
            let mut delivery = small(|config| (config.overflow, config.replay_bytes) = (overflow, 0));
            for _ in 0..4 {
                written_in_part(&mut delivery, b"a line of 32 bytes with its end\n", 1_000, 0);
            }
            assert_eq!(delivery.push(Kind::Delta, b"1\n", 1), Err(Refused::Full));
            assert_eq!(delivery.push(METRIC, b"1\n", 1), Err(Refused::Full));
            assert_eq!(delivery.ledger().row(METRIC).written, 4);
            delivery.view().acknowledged(KindSet::ALL, 32, Millis(0));
            let row = *delivery.ledger().row(METRIC);
            assert_eq!((row.delivered, row.written), (3, 1), "no window to keep them in");
            assert_eq!(delivery.push(METRIC, b"1\n", 1), Ok(()));
            delivery.view().check();
        }
    }

    #[test]
    fn lines_behind_what_is_not_acknowledged_are_not_dropped() {
        let mut delivery = small(|config| (config.overflow, config.batch_lines) = (Overflow::DropOldest, 1));
        delivery.push(METRIC, b"1\n2\n", 2).unwrap();
        let token = delivery.send(0);
        delivery.outcome(token, Outcome::Unacknowledged(2), Millis(0));
        for _ in 0..3 {
            delivery.push(Kind::Delta, b"a line of 32 bytes with its end\n", 1).unwrap();
        }
        assert_eq!(delivery.push(METRIC, b"a line of 32 bytes with its end\n", 1), Err(Refused::Full));
        let row = *delivery.ledger().row(METRIC);
        assert_eq!((row.written, row.queued, row.dropped.queue_full), (1, 1, 1), "only the new one");
    }

    #[test]
    fn an_acknowledgement_counts_what_other_kinds_wrote_behind() {
        let mut delivery = small(|config| config.replay = KindSet::NONE);
        written_in_part(&mut delivery, b"111\n", 4, 0);
        delivery.push(Kind::Delta, b"22\n", 1).unwrap();
        delivery.flush();
        delivery.drain(0, Outcome::Unacknowledged(7));
        // Behind the delta, and not in the segment of the first.
        written_in_part(&mut delivery, b"3\n", 9, 0);
        for (last, metrics, deltas) in [(9, 6, 3), (6, 3, 3), (5, 2, 3), (3, 2, 1), (8, 2, 1), (1, 1, 0), (0, 0, 0)] {
            let mut view = delivery.view();
            view.acknowledged(KindSet::ALL, last, Millis(0));
            let left = (view.unacknowledged(METRIC.into()), view.unacknowledged(Kind::Delta.into()));
            assert_eq!(left, (metrics, deltas), "{last}");
        }
    }

    #[test]
    fn a_segment_is_not_written_in_two_runs_of_which_neither_is_acknowledged() {
        let mut delivery = small(|config| config.batch_lines = 1);
        delivery.push(METRIC, b"1\n2\n", 2).unwrap();
        delivery.push(Kind::Delta, b"3\n", 1).unwrap();
        delivery.flush();
        assert_eq!(delivery.drain(0, Outcome::Unacknowledged(100)), b"1\n3\n");
        delivery.view().acknowledged(KindSet::ALL, 3, Millis(0));
        assert!(delivery.try_send(0, Cut::NONE).is_none());
        delivery.view().acknowledged(KindSet::ALL, 2, Millis(0));
        assert_eq!(delivery.drain(0, Outcome::Unacknowledged(4)), b"2\n");
    }

    #[test]
    fn at_the_end_what_is_not_acknowledged_was_not_delivered() {
        let mut delivery = small(|_| {});
        written_in_part(&mut delivery, b"1\n2\n3\n", 3, 0);
        delivery.view().abandon();
        let row = *delivery.ledger().row(METRIC);
        assert_eq!((row.doubtful, row.dropped.closed), (1, 2));
        delivery.view().check();
    }

    #[test]
    fn what_was_written_beside_the_queue_is_counted() {
        let mut delivery = small(|_| {});
        delivery.push(METRIC, b"1\n2\n", 2).unwrap();
        delivery.flush();
        let token = delivery.send(0);
        delivery.outcome(token, Outcome::Unacknowledged(4), Millis(0));
        delivery.view().wrote_aside(METRIC.into(), 100);
        delivery.view().acknowledged(METRIC.into(), 102, Millis(0));
        assert_eq!(delivery.view().unacknowledged(METRIC.into()), 2, "the other 100 came behind them");
        delivery.view().acknowledged(METRIC.into(), 100, Millis(0));
        assert_eq!(delivery.view().unacknowledged(METRIC.into()), 0);
        delivery.view().check();
    }

    #[test]
    fn what_a_repeat_would_falsify_is_sent_again_only_where_all_is() {
        for kind in Kind::ALL {
            let falsified = matches!(kind, Kind::Delta | Kind::Histogram);
            assert!(Replay::All.kinds().contains(kind) && !Replay::Unacknowledged.kinds().contains(kind));
            assert_eq!(Replay::Idempotent.kinds().contains(kind), !falsified, "{kind:?}");
        }
    }
}
