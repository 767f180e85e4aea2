//! What leaves next, and what an outcome does to the queue and the ledger.

use super::backoff::{Gate, Jitter, Millis, Moment, Pass, wait};
use super::lane::Lane;
use super::ledger::{Column, Columns, Ledger, Row};
use super::machine::{Action, Bounds, Core, Report, Statuses, Ticket, View};
use super::policy::{LONGEST_RETRY_AFTER, Outcome};
use super::scale::{Initial, Part};
use super::segment::{Buf, Cut, InFlight, NONE, Slot, State};
use crate::vitals::Reading;
use crate::{Kind, KindSet};

/// What a lane has to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// This slot.
    Ready(u16),
    /// A segment that waits for company.
    Filling,
    /// Nothing, or nothing that fits.
    Nothing,
}

impl<B: Buf> View<'_, B> {
    /// What to do at `now` for somebody who can carry `kinds`, in batches of at most `limits`.
    ///
    /// A full segment leaves at once, others after the flush interval or when a flush asks for it. A line that is
    /// larger than `limits` stays, as if it were not there, for whoever polls with wider ones.
    pub fn poll(&mut self, now: Millis, kinds: KindSet, limits: Cut) -> Action<B> {
        let moment = Moment::of(now);
        let flush_in = self.tick(moment);
        if self.core.storing().last {
            return Action::Idle;
        }
        let mut wait: Option<u32> = None;
        let mut earlier = |left: u32| wait = Some(wait.map_or(left, |wait| wait.min(left)));
        let count = self.lanes.len();
        let turn = usize::from(self.core.turn);
        for step in 0..count {
            let at = turn.saturating_add(step);
            let at = if at < count { at } else { at.wrapping_sub(count) };
            let Some(lane) = self.lanes.get(at) else { continue };
            if !kinds.contains(lane.kind) {
                continue;
            }
            // Written lines are taken for delivered after a while.
            if let Some(until) = self.held_until(at) {
                earlier(until.left(moment));
            }
            let Some(lane) = self.lanes.get(at) else { continue };
            if lane.row.get(Column::Queued) == 0 {
                continue;
            }
            match (self.next_in(at, limits), self.is_open(at, moment)) {
                (Next::Ready(index), Ok(())) => {
                    if let Some(token) = self.take_out(at, index, limits) {
                        self.core.turn = (at as u8).saturating_add(1);
                        return Action::Send(token);
                    }
                }
                (Next::Ready(_), Err(Some(left))) => earlier(left),
                // The probe's outcome comes first.
                (Next::Ready(_), Err(None)) => {}
                (Next::Filling, _) => earlier(flush_in),
                (Next::Nothing, _) => {}
            }
        }
        wait.map_or(Action::Idle, |wait| Action::WaitUntil(now.plus(wait)))
    }

    /// Whether a lane may send at `now`; else how long to wait (`None`: until the probe is back).
    pub(super) fn is_open(&mut self, at: usize, now: Moment) -> Result<(), Option<u32>> {
        let longest = self.longest_wait();
        let Some(lane) = self.lanes.get_mut(at) else { return Ok(()) };
        let route = self.core.routes.as_mut().get_mut(lane.route());
        route.map_or(Ok(()), |route| route.gate.open(now, longest))?;
        lane.gate.open(now, longest)
    }

    fn longest_wait(&self) -> u32 {
        let Bounds { backoff, auth_backoff, .. } = &self.core.config;
        backoff.most.max(auth_backoff.most).max(wait(LONGEST_RETRY_AFTER))
    }

    /// What became of a batch.
    pub fn outcome(&mut self, token: InFlight<B>, outcome: Outcome, now: Millis) -> Report {
        let InFlight { buf, bytes, lines, lane: at, slot: index, route_pass, lane_pass, .. } = token;
        let (at, now) = (usize::from(at), Moment::of(now));
        let nothing = Report { settled: 0, kept: 0 };
        let Some(slot) = self.slots.get_mut(usize::from(index)) else { return nothing };
        let lost = match slot.state {
            State::Out => false,
            State::Lost => true,
            State::Abandoned => {
                slot.buf = Some(buf);
                self.give_free(index);
                return nothing;
            }
            // Not a token of this delivery.
            _ => return nothing,
        };
        slot.buf = Some(buf);
        slot.state = State::Ready;
        let acked = slot.acked();
        let Some(lane) = self.lanes.get_mut(at) else { return nothing };
        lane.row.shift(Column::InFlight, Column::Queued, lines as usize);
        self.learn(at, outcome, route_pass, lane_pass, now);
        let settled = self.apply(at, index, bytes, lines, outcome, now);
        if lost {
            if let Some(slot) = self.slots.get_mut(usize::from(index)) {
                slot.acknowledge(acked);
            }
            self.lose(at, index);
        }
        let kept = self.slots.get(usize::from(index)).map_or(0, |slot| slot.waiting());
        self.release_if_empty(at, index);
        self.trim_held();
        Report { settled, kept }
    }

    /// Makes everything that is queued leave without waiting for company. The ticket tells when it is done.
    pub fn flush(&mut self) -> Ticket {
        let mut upto = [0; Kind::COUNT];
        for (kind, upto) in Kind::ALL.into_iter().zip(&mut upto) {
            if let Some(lane) = self.lane(kind) {
                lane.make_due(lane.next_line);
                *upto = lane.next_line;
            }
        }
        Ticket { upto }
    }

    /// How many lines from before the ticket are still queued or in flight, and not in a store.
    ///
    /// Exact, in whatever order batches complete, but for one case: where segments were merged for want of slots, lines
    /// from after the ticket may count too. A ticket is good for 2³¹ lines.
    pub fn left(&self, ticket: &Ticket) -> usize {
        let lanes = self.lanes.iter();
        lanes.map(|lane| self.left_in(lane, ticket.upto.get(lane.kind.index()).copied().unwrap_or(0))).sum()
    }

    /// Takes no more lines; what is queued leaves without waiting for company.
    pub fn close(&mut self) {
        self.core.closed = true;
        self.flush();
    }

    /// Gives up: lines that are queued, in flight, or written and not acknowledged are dropped as closed, other written
    /// ones become doubtful; what a store has stays there. A late outcome changes nothing; lines that a producer still
    /// brings are dropped as closed too.
    pub fn abandon(&mut self) {
        self.close();
        self.core.abandoned = true;
        for at in 0..self.lanes.len() {
            while let Some((index, state)) = self.lanes.get(at).and_then(|lane| {
                let index = lane.head;
                self.slots.get(usize::from(index)).map(|slot| (index, slot.state))
            }) {
                self.leave_in_store(at, index);
                let (bytes, lines) = self.slots.get(usize::from(index)).map_or((0, 0), Slot::acked_part);
                self.settle_front(at, index, bytes, lines, Column::Doubtful);
                // What the peer's kernel does not have was not delivered.
                self.settle_held(at, index, Column::Closed);
                let Some(lane) = self.lanes.get_mut(at) else { break };
                let Some(slot) = self.slots.get_mut(usize::from(index)) else { break };
                if lane.head != index {
                    continue;
                }
                let lines = slot.lines() as usize;
                if slot.is_durable() {
                    lane.row.add(Column::Stored, lines);
                    slot.forget_key();
                } else {
                    lane.row.add(Column::Closed, lines);
                }
                self.unlink(at, index);
                match state {
                    // How many lines were given up, in case the store has them after all.
                    State::Out | State::Lost | State::Storing => {
                        if let Some(slot) = self.slots.get_mut(usize::from(index)) {
                            slot.state = State::Abandoned;
                        }
                    }
                    _ => self.give_free(index),
                }
            }
            if let Some(lane) = self.lanes.get_mut(at) {
                lane.row.set(Column::Queued, 0);
                lane.row.set(Column::InFlight, 0);
                lane.take_bytes(u32::MAX);
            }
        }
    }

    /// Begins the jitter anew from `seed`: for those who had none when the queue was made.
    pub fn reseed(&mut self, seed: u32) {
        self.core.jitter = Jitter::new(seed);
    }

    /// What became of every line so far.
    pub fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        for kind in Kind::ALL {
            if let (Some(row), Some(lane)) = (ledger.row_mut(kind), self.find(kind).and_then(|at| self.lanes.get(at))) {
                *row = lane.row.row();
            }
        }
        ledger
    }

    /// What became of every line so far, lane by lane.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        self.lanes.iter().map(|lane| lane.row.row())
    }

    /// How things stand, for a report of the [own metrics](crate::vitals).
    pub fn reading(&self) -> Reading {
        let kinds = self.lanes.iter().map(|lane| lane.kind).collect();
        Reading::new(&self.ledger(), kinds, self.core.config.queue_lines)
    }

    /// Whether nobody waits at `now` for the receiver of `kind` to come back, or to take the token.
    pub(crate) fn is_there(&mut self, kind: Kind, now: Millis) -> bool {
        let longest = self.longest_wait();
        let route = self.find(kind).and_then(|at| self.lanes.get(at)).map_or(0, |lane| lane.route());
        let route = self.core.routes.as_mut().get_mut(route);
        route.is_none_or(|route| route.gate.open(Moment::of(now), longest).is_ok())
    }

    /// How many lines of all kinds were dropped or became doubtful so far.
    pub(crate) fn lost_lines(&self) -> usize {
        let sum = |row: Row| row.dropped.total().wrapping_add(row.doubtful);
        self.lanes.iter().fold(0, |lost: usize, lane| lost.wrapping_add(sum(lane.row.row())))
    }

    /// The statuses that lines were refused with for good, each with its number of lines; 0 stands for those of a
    /// transport that cannot take the kind, and for all others once four different ones were seen.
    pub fn statuses(&self) -> impl Iterator<Item = (u16, usize)> {
        let Statuses { known, others } = self.core.statuses.get().copied().unwrap_or(Statuses::INITIAL);
        let others = (others > 0).then_some((0, others));
        known.into_iter().filter(|(_, lines)| *lines > 0).chain(others)
    }

    /// How long until the next flush, after the periodic work that is due.
    pub(super) fn tick(&mut self, now: Moment) -> u32 {
        let interval = self.core.config.flush_interval;
        let mut left = self.core.next_flush.map_or(interval, |at| at.left(now).min(interval));
        if left == 0 {
            self.flush();
            left = interval;
        }
        self.core.next_flush = Some(now.after(left));
        self.expire_held(now);
        left
    }

    /// The first segment of a lane that need not wait for company, and whose first line fits.
    pub(super) fn next_in(&self, at: usize, limits: Cut) -> Next {
        let mut next = Next::Nothing;
        let Some(lane) = self.lanes.get(at) else { return next };
        let written = self.written_by(at);
        // What only the store has comes before what stands behind it.
        let gap = self.is_behind(lane).then_some(lane.gap());
        let mut here = if gap == Some(NONE) { NONE } else { lane.head };
        while let Some(slot) = self.slots.get(usize::from(here)) {
            if slot.waiting() > 0 && slot.waits_for_ack(written) {
                return next;
            }
            let due = lane.is_due(slot.first) || self.core.closed;
            let full = slot.lines() >= self.core.config.batch_lines || here != lane.tail;
            if slot.waiting() > 0 {
                let unsafe_yet = self.core.storing().first && slot.tag == 0 && !slot.is_durable();
                if !(full || due || slot.urgent || slot.tried() > 0 || slot.key() != 0) {
                    next = Next::Filling;
                } else if unsafe_yet {
                    // The store has it soon; nothing overtakes it.
                    return next;
                } else if limits.takes_one_of(slot.rest()) {
                    return Next::Ready(here);
                }
            }
            // Nor does anything overtake what is on its way there.
            here = if gap == Some(here) || slot.state == State::Storing { NONE } else { slot.next };
        }
        next
    }

    pub(super) fn take_out(&mut self, at: usize, index: u16, limits: Cut) -> Option<InFlight<B>> {
        let lane = self.lanes.get_mut(at)?;
        let slot = self.slots.get_mut(usize::from(index))?;
        let config = &self.core.config;
        let most = if config.single.contains(lane.kind) { 1 } else { config.batch_lines };
        let cut = Cut { lines: limits.lines.min(slot.window()).min(most), ..limits };
        let (bytes, lines) = cut.of(slot.rest(), slot.waiting());
        if lines == 0 {
            return None;
        }
        if lines < slot.waiting() && !slot.urgent {
            // What is cut off has company enough.
            let end = slot.first.wrapping_add(slot.lines());
            lane.make_due(end);
        }
        let buf = slot.buf.take()?;
        if self.core.storing().attached && !slot.is_durable() {
            // Should it never come back, the store can still take it.
            slot.buf = buf.copy(slot.len() as usize);
        }
        slot.state = State::Out;
        lane.row.add(Column::Resent, slot.again(lines) as usize);
        lane.row.shift(Column::Queued, Column::InFlight, lines as usize);
        let route = self.core.routes.as_mut().get_mut(lane.route());
        let route_pass = route.map(|route| route.gate.leave()).unwrap_or_default();
        Some(InFlight {
            buf,
            from: slot.start().saturating_add(slot.held()),
            bytes,
            lines,
            kind: lane.kind,
            lane: at as u8,
            slot: index,
            tag: slot.tag,
            route_pass,
            lane_pass: lane.gate.leave(),
        })
    }

    /// What an outcome says of the connection and of the lane.
    pub(super) fn learn(&mut self, at: usize, outcome: Outcome, route_pass: Pass, lane_pass: Pass, now: Moment) {
        let Core { config, jitter, routes, .. } = &mut *self.core;
        let Some(lane) = self.lanes.get_mut(at) else { return };
        let mut unused = Gate::OPEN;
        let route = routes.as_mut().get_mut(lane.route()).map_or(&mut unused, |route| &mut route.gate);
        route.back(route_pass);
        lane.gate.back(lane_pass);
        match outcome {
            Outcome::Unreachable => route.failed(route_pass, now, config.backoff, None, jitter),
            Outcome::Auth => route.failed(route_pass, now, config.auth_backoff, None, jitter),
            Outcome::Retry { after, .. } => lane.gate.failed(lane_pass, now, config.backoff, after, jitter),
            Outcome::Delivered
            | Outcome::Written
            | Outcome::Unacknowledged(_)
            | Outcome::TooLarge
            | Outcome::Rejected(_) => {
                route.succeeded();
                lane.gate.succeeded();
            }
        }
    }

    /// What an outcome does to its segment; how many of the batch's lines are settled by it.
    pub(super) fn apply(
        &mut self,
        at: usize,
        index: u16,
        bytes: u32,
        lines: u32,
        outcome: Outcome,
        now: Moment,
    ) -> u32 {
        let Some(slot) = self.slots.get_mut(usize::from(index)) else { return 0 };
        match outcome {
            Outcome::Delivered => {
                self.settle(at, index, lines, bytes, Column::Delivered);
                lines
            }
            Outcome::Written if self.core.config.replay_bytes == 0 => {
                self.settle(at, index, lines, bytes, Column::Delivered);
                lines
            }
            Outcome::Written => {
                self.hold(at, index, lines, bytes, None, now);
                lines
            }
            Outcome::Unacknowledged(last) => {
                self.hold(at, index, lines, bytes, Some(last), now);
                lines
            }
            Outcome::TooLarge if lines > 1 => {
                slot.narrow(lines / 2);
                0
            }
            Outcome::TooLarge => {
                self.settle(at, index, lines, bytes, Column::TooLarge);
                lines
            }
            Outcome::Rejected(status) => {
                self.core.count(status, lines as usize);
                self.settle(at, index, lines, bytes, Column::Rejected);
                lines
            }
            Outcome::Unreachable => {
                slot.tag = 0;
                // It did not go again after all.
                let again = slot.again(lines) as usize;
                if let Some(lane) = self.lanes.get_mut(at) {
                    lane.row.take(Column::Resent, again);
                }
                0
            }
            Outcome::Auth => {
                slot.tag = 0;
                0
            }
            Outcome::Retry { done, .. } => {
                slot.tag = 0;
                slot.set_tried(slot.tried().max(slot.held_lines().saturating_add(lines)));
                let (bytes, done) = Cut { lines: done.min(lines), bytes: bytes as usize }.of(slot.rest(), u32::MAX);
                self.settle(at, index, done, bytes, Column::Delivered);
                done
            }
        }
    }

    /// Settles lines behind the held ones of a segment, and those before them alike: a receiver that has these has what
    /// came before them on the same connection.
    pub(super) fn settle(&mut self, at: usize, index: u16, lines: u32, bytes: u32, to: Column) {
        if lines == 0 {
            return;
        }
        self.settle_held(at, index, Column::Delivered);
        let Some(lane) = self.lanes.get_mut(at) else { return };
        let Some(slot) = self.slots.get_mut(usize::from(index)) else { return };
        slot.settle(lines, bytes);
        lane.take_bytes(bytes);
        lane.row.shift(Column::Queued, to, lines as usize);
    }

    pub(super) fn left_in(&self, lane: &Lane<B::Scale>, upto: u32) -> usize {
        let (mut here, mut left) = (lane.head, 0);
        while let Some(slot) = self.slots.get(usize::from(here)) {
            let before = upto.wrapping_sub(slot.first);
            // A ticket older than the segment's first line.
            let before = if (before as i32) < 0 { 0 } else { before.min(slot.lines()) };
            if !slot.is_durable() {
                left += before.saturating_sub(slot.held_lines()) as usize;
            }
            here = slot.next;
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::super::check::{large, small};
    use super::*;
    use crate::delivery::{Config, Delivery, Lease, Stored};

    const METRIC: Kind = Kind::Metric;
    const AGAIN: Outcome = Outcome::Retry { done: 0, after: None };

    #[test]
    fn a_batch_that_is_too_large_is_halved_and_the_rest_follows_at_once() {
        let mut delivery = small(|config| config.batch_lines = 5);
        delivery.push(METRIC, b"1\n2\n3\n4\n5\n", 5).unwrap();
        for (lines, kept) in [(5, 5), (2, 5), (1, 4)] {
            let token = delivery.send(0);
            assert_eq!(token.lines(), lines);
            let settled = u32::from(lines == 1);
            assert_eq!(delivery.outcome(token, Outcome::TooLarge, Millis(0)), Report { settled, kept });
        }
        assert_eq!(delivery.drain(0, Outcome::Delivered), b"2\n3\n4\n5\n");
        let row = *delivery.ledger().row(METRIC);
        assert_eq!((row.delivered, row.dropped.too_large), (4, 1));
    }

    #[test]
    fn a_line_larger_than_the_limits_neither_spins_nor_blocks() {
        let mut delivery = small(|_| {});
        delivery.push(METRIC, b"a long line of text\n", 1).unwrap();
        delivery.push(METRIC, b"another long line\n", 1).unwrap();
        delivery.push(Kind::Delta, b"b\n", 1).unwrap();
        delivery.flush();
        let limits = Cut { lines: 10, bytes: 10 };
        let token = delivery.try_send(0, limits).unwrap();
        assert_eq!(token.batch().bytes, b"b\n");
        delivery.outcome(token, Outcome::Delivered, Millis(0));
        assert!(matches!(delivery.view().poll(Millis(0), KindSet::ALL, limits), Action::Idle));
        assert!(matches!(delivery.view().poll(Millis(0), KindSet::ALL, Cut { lines: 0, ..Cut::NONE }), Action::Idle));
        assert_eq!(delivery.drain(0, Outcome::Delivered).len(), 38);
    }

    #[test]
    fn what_waits_behind_a_batch_of_its_segment_is_no_reason_to_poll_again() {
        let mut delivery = small(|config| (config.flush_interval, config.batch_lines) = (Duration::ZERO, 1));
        delivery.push(METRIC, b"1\n2\n", 2).unwrap();
        let first = delivery.send(0);
        assert_eq!(first.lines(), 1);
        assert!(matches!(delivery.poll(Millis(0), KindSet::ALL), Action::Idle));
        delivery.outcome(first, Outcome::Delivered, Millis(0));
        assert_eq!(delivery.drain(0, Outcome::Delivered), b"2\n");
    }

    #[test]
    fn lanes_take_turns() {
        let mut delivery = small(|config| config.batch_lines = 1);
        delivery.push(METRIC, b"1\n2\n3\n", 3).unwrap();
        delivery.push(Kind::Delta, b"1\n2\n3\n", 3).unwrap();
        let mut last = None;
        for _ in 0..6 {
            let token = delivery.send(0);
            assert_ne!(last, Some(token.kind()));
            last = Some(token.kind());
            delivery.outcome(token, Outcome::Delivered, Millis(0));
        }
    }

    #[test]
    fn an_endpoint_that_is_away_stops_its_route_and_a_busy_one_its_lane() {
        let lanes = [Lane::on_route(METRIC, 9), Lane::on_route(Kind::Delta, 2), Lane::on_route(Kind::Span, 0)];
        let slots = core::array::from_fn::<_, 4, _>(|_| Slot::new(Stored([0; 8])));
        let mut delivery = Delivery::new(Config { seed: 3, ..Config::DEFAULT }, slots, lanes);
        for kind in [METRIC, Kind::Delta, Kind::Span] {
            delivery.push(kind, b"a\n", 1).unwrap();
        }
        delivery.flush();
        let Action::Send(token) = delivery.poll(Millis(0), METRIC.into()) else { panic!() };
        delivery.outcome(token, Outcome::Unreachable, Millis(0));
        assert!(matches!(delivery.poll(Millis(0), Kind::Delta.into()), Action::WaitUntil(_)), "the same route");
        let Action::Send(token) = delivery.poll(Millis(0), Kind::Span.into()) else { panic!("another route") };
        delivery.outcome(token, AGAIN, Millis(0));
        let Action::WaitUntil(until) = delivery.poll(Millis(0), Kind::Span.into()) else { panic!() };
        assert!(until <= Millis(100));
        let Action::Send(probe) = delivery.poll(Millis(100), METRIC.into()) else { panic!("time to probe") };
        assert!(matches!(delivery.poll(Millis(100), Kind::Delta.into()), Action::Idle), "one probe a route");
        delivery.outcome(probe, Outcome::Delivered, Millis(100));
        assert!(matches!(delivery.poll(Millis(100), Kind::Delta.into()), Action::Send(_)));
    }

    #[test]
    fn only_what_may_have_arrived_counts_as_sent_again() {
        let mut delivery = small(|_| {});
        delivery.push(METRIC, b"1\n2\n3\n", 3).unwrap();
        delivery.flush();
        for (outcome, resent) in [
            (Outcome::Unreachable, 0),
            (Outcome::Retry { done: 1, after: None }, 0),
            (Outcome::Unreachable, 0),
            (AGAIN, 2),
            (Outcome::Delivered, 4),
        ] {
            let token = delivery.send(1_000_000 * (resent + 1) as u64 + u64::from(outcome == AGAIN) * 500_000);
            delivery.outcome(token, outcome, Millis(0));
            assert_eq!(delivery.ledger().row(METRIC).resent, resent, "{outcome:?}");
        }
        assert_eq!(delivery.ledger().row(METRIC).delivered, 3);
    }

    #[test]
    fn every_part_of_an_urgent_push_tells_of_itself() {
        for outcome in [Outcome::Written, Outcome::Delivered, Outcome::Rejected(400)] {
            let mut delivery = small(|config| config.batch_lines = 2);
            delivery.push(METRIC, b"0\n", 1).unwrap();
            delivery.view().push_urgent(METRIC, b"1\n2\n3\n4\n5\n", 5, 7).unwrap();
            let mut settled = 0;
            while let Some(token) = delivery.try_send(0, Cut::NONE) {
                assert_eq!(token.tag(), 7, "{outcome:?}");
                settled += delivery.outcome(token, outcome, Millis(0)).settled;
            }
            assert_eq!(settled, 5);
        }
    }

    #[test]
    fn a_ticket_counts_across_the_wrap_of_numbers() {
        let mut delivery = small(|config| config.batch_lines = 2);
        for lane in delivery.view().lanes {
            lane.next_line = u32::MAX - 2;
        }
        delivery.push(METRIC, b"1\n2\n", 2).unwrap();
        delivery.push(METRIC, b"3\n4\n", 2).unwrap();
        let ticket = delivery.flush();
        delivery.push(METRIC, b"5\n6\n", 2).unwrap();
        let tokens = [delivery.send(0), delivery.send(0), delivery.send(0)];
        for (token, left) in tokens.into_iter().zip([2, 0, 0]) {
            delivery.outcome(token, Outcome::Delivered, Millis(0));
            assert_eq!(delivery.left(&ticket), left);
        }
    }

    #[test]
    fn lines_do_not_become_due_by_the_wrap_of_numbers() {
        let mut delivery = small(|_| {});
        delivery.push(METRIC, b"0\n", 1).unwrap();
        delivery.flush();
        delivery.drain(0, Outcome::Delivered);
        for step in 1..9_u32 {
            // As if nobody had asked for a flush since.
            delivery.view().lanes[0].next_line = step << 29;
            delivery.push(METRIC, b"1\n", 1).unwrap();
            assert!(delivery.try_send(0, Cut::NONE).is_none(), "{step}");
            let head = delivery.view().lanes[0].head;
            let token = delivery.view().take_out(0, head, Cut::NONE).unwrap();
            delivery.outcome(token, Outcome::Delivered, Millis(0));
        }
    }

    #[test]
    fn a_token_of_another_delivery_does_no_harm() {
        let (mut ours, mut theirs) = (small(|_| {}), small(|_| {}));
        theirs.push(METRIC, b"1\n", 1).unwrap();
        theirs.flush();
        let stray = theirs.send(0);
        ours.push(METRIC, b"2\n", 1).unwrap();
        assert_eq!(ours.outcome(stray, Outcome::Delivered, Millis(0)), Report { settled: 0, kept: 0 });
        ours.view().check();
        ours.flush();
        assert_eq!(ours.drain(0, Outcome::Delivered), b"2\n");
    }

    #[test]
    fn a_late_outcome_frees_the_slot_and_changes_nothing_else() {
        let mut delivery = large(|_| {});
        delivery.push(METRIC, b"1\n2\n", 2).unwrap();
        let lease = delivery.view().lease(METRIC, Lease { lines: 1, bytes: 4 }, Lease { lines: 1, bytes: 1 }).unwrap();
        delivery.flush();
        let token = delivery.send(0);
        delivery.view().abandon();
        let before = delivery.ledger();
        assert_eq!((before.total().dropped.closed, before.total().unsettled()), (2, 0));
        assert_eq!(delivery.outcome(token, Outcome::Delivered, Millis(0)).settled, 0);
        delivery.view().give_back(METRIC, lease);
        assert_eq!(delivery.ledger(), before);
        delivery.view().check();
    }
}
