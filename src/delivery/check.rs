//! For the tests: a small delivery, and what must hold of its lists and sums after every operation.

extern crate std;

use std::vec::Vec;

use super::ledger::Columns;
use super::machine::{Action, View};
use super::scale::Part;
use super::segment::{Buf, Cut, InFlight, NONE, Slot, State, Stored};
use super::{Config, Delivery, Lane, Millis, Outcome, Overflow};
use crate::{Kind, KindSet};

pub(super) type Queue<B> = Delivery<B, [Slot<B>; 4], [Lane<<B as Buf>::Scale>; 2]>;

/// Four segments of 32 bytes; metrics and deltas.
pub(super) fn small(change: impl FnOnce(&mut Config)) -> Queue<[u8; 32]> {
    queue([0; 32], change)
}

/// The same, on the scale of a server.
pub(super) fn large(change: impl FnOnce(&mut Config)) -> Queue<Stored<[u8; 32]>> {
    queue(Stored([0; 32]), change)
}

fn queue<B: Buf + Copy>(buf: B, change: impl FnOnce(&mut Config)) -> Queue<B> {
    let mut config = Config { queue_lines: 20, queue_bytes: 200, ..Config::DEFAULT };
    change(&mut config);
    let slots = core::array::from_fn(|_| Slot::new(buf));
    Delivery::new(config, slots, [Lane::new(Kind::Metric), Lane::new(Kind::Delta)])
}

impl<B: Buf> Queue<B> {
    /// The next batch at `now`, which there must be.
    pub(super) fn send(&mut self, now: u64) -> InFlight<B> {
        let token = self.try_send(now, Cut::NONE);
        token.expect("something to send")
    }

    pub(super) fn try_send(&mut self, now: u64, limits: Cut) -> Option<InFlight<B>> {
        match self.view().poll(Millis(now), KindSet::ALL, limits) {
            Action::Send(token) => Some(token),
            _ => None,
        }
    }

    /// Sends everything that can be sent at `now`; the lines.
    pub(super) fn drain(&mut self, now: u64, outcome: Outcome) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(token) = self.try_send(now, Cut::NONE) {
            all.extend_from_slice(token.batch().bytes);
            self.outcome(token, outcome, Millis(now));
            self.view().check();
        }
        all
    }
}

impl<B: Buf> View<'_, B> {
    /// Every slot is in one place, and every sum is the sum of its parts.
    pub(super) fn check(&self) {
        let mut places: Vec<u8> = self.slots.iter().map(|_| 0).collect();
        let mut here = self.core.free;
        while here != NONE {
            let slot = &self.slots[usize::from(here)];
            assert_eq!(slot.state, State::Free);
            places[usize::from(here)] += 1;
            assert_eq!(places[usize::from(here)], 1, "the free list is a ring");
            here = slot.next;
        }
        let mut held_bytes = 0;
        for lane in self.lanes.iter() {
            let (mut lines, mut written, mut bytes, mut tail) = (0, 0, 0, NONE);
            here = lane.head;
            while here != NONE {
                let slot = &self.slots[usize::from(here)];
                places[usize::from(here)] += 1;
                assert_eq!(places[usize::from(here)], 1, "a slot is in two places");
                assert!(matches!(slot.state, State::Ready | State::Out | State::Lost | State::Storing));
                assert!(slot.buf.is_some() || slot.state != State::Ready);
                assert!(slot.lines() > 0 && slot.held_lines() <= slot.lines());
                assert!(slot.start() + slot.held() <= slot.len() && slot.acked() <= slot.held());
                lines += (slot.lines() - slot.held_lines()) as usize;
                written += slot.held_lines() as usize;
                bytes += slot.waiting_bytes() as usize;
                held_bytes += slot.held() as usize;
                (tail, here) = (here, slot.next);
            }
            assert_eq!(lane.tail, tail);
            here = lane.shelf.get().map_or(NONE, |shelf| shelf.done);
            while here != NONE {
                let slot = &self.slots[usize::from(here)];
                places[usize::from(here)] += 1;
                assert_eq!((slot.state, places[usize::from(here)]), (State::Done, 1));
                here = slot.next;
            }
            self.check_keys(lane);
            let row = lane.row.row();
            assert_eq!((row.queued + row.in_flight, row.written, self.bytes_in(lane)), (lines, written, bytes));
            assert!(row.is_balanced());
        }
        assert_eq!(self.core.held_bytes, held_bytes);
        let elsewhere = self.slots.iter().zip(places).filter(|(_, places)| *places == 0);
        assert!(
            elsewhere
                .map(|(slot, _)| slot.state)
                .all(|state| matches!(state, State::Abandoned | State::Loading | State::Done))
        );
    }

    /// The gap is somewhere, and a record has a key that was given.
    fn check_keys(&self, lane: &Lane<B::Scale>) {
        let Some(shelf) = lane.shelf.get() else { return };
        let (mut here, mut gap_seen) = (lane.head, shelf.gap == NONE);
        while here != NONE {
            let slot = &self.slots[usize::from(here)];
            assert!(slot.recorded() == 0 || (shelf.first..=shelf.last).contains(&slot.key()));
            gap_seen |= here == shelf.gap;
            here = slot.next;
        }
        assert!(gap_seen || shelf.records == 0, "the gap is nowhere");
    }
}

/// Random operations, with line numbers that wrap around meanwhile.
#[test]
fn lists_and_sums_hold_after_every_operation() {
    lists_and_sums([0; 32]);
    lists_and_sums(Stored([0; 32]));
}

fn lists_and_sums<B: Buf + Copy>(buf: B) {
    for seed in 1..60_u32 {
        let overflow = if seed % 2 == 0 { Overflow::DropOldest } else { Overflow::DropNewest };
        let mut delivery = queue(buf, |config| {
            config.overflow = overflow;
            config.batch_lines = 4;
            config.replay_bytes = 40;
        });
        for lane in delivery.view().lanes {
            lane.next_line = u32::MAX - 100;
        }
        let mut random = seed;
        let mut dice = |sides: u32| {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            random % sides
        };
        let (mut out, mut now) = (Vec::new(), u64::from(u32::MAX) - 500_000);
        for step in 0..400 {
            let kind = if dice(3) == 0 { Kind::Delta } else { Kind::Metric };
            match dice(16) {
                0..5 => drop(delivery.push(kind, &b"a 1\nbbbbbb 2\n"[..4 + 9 * dice(2) as usize], 1 + dice(1))),
                5 => drop(delivery.view().push_urgent(kind, b"u 1\n", 1, step)),
                6..10 if out.len() < 3 => out.extend(delivery.try_send(now, Cut { lines: 1 + dice(4), bytes: 32 })),
                10..14 if !out.is_empty() => {
                    let token = out.swap_remove(dice(out.len() as u32) as usize);
                    let outcome = match dice(7) {
                        0 => Outcome::Delivered,
                        1 => Outcome::Written,
                        2 => Outcome::Unacknowledged(dice(40)),
                        3 => Outcome::TooLarge,
                        4 => Outcome::Retry { done: dice(3), after: None },
                        5 => Outcome::Unreachable,
                        _ => Outcome::Rejected(400),
                    };
                    delivery.outcome(token, outcome, Millis(now));
                }
                14 if dice(2) == 0 => delivery.view().acknowledged(KindSet::ALL, dice(40), Millis(now)),
                14 => drop(delivery.view().lost(KindSet::ALL, Millis(now))),
                _ => now += u64::from(dice(9_000)),
            }
            delivery.view().check();
            let ticket = delivery.flush();
            let total = delivery.ledger().total();
            assert_eq!(delivery.left(&ticket), total.queued + total.in_flight);
        }
        delivery.view().abandon();
        delivery.view().check();
        for token in out {
            delivery.outcome(token, Outcome::Delivered, Millis(now));
            delivery.view().check();
        }
        let view = delivery.view();
        assert!(view.slots.iter().all(|slot| slot.state == State::Free), "a slot did not come back");
    }
}
