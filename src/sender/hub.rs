//! What the one lock of a sender protects: the queue, who waits for what, and what carriers are.

use core::time::Duration;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::sync::PoisonError;
use std::vec::Vec;

use super::error::{Cause, FlushError};
use super::incident::{Answer, Fate, Incident, Trouble};
use super::keeper::GRACE;
use super::news::{Item, News};
use super::sync::{Instant, Mutex, MutexGuard};
use super::waiting::Waiting;
use crate::delivery::{
    Delivery, InFlight, Job, Lane, Large, Lost, Millis, Outcome, Refused, Reply, Slot, Spool, Ticket, Watch,
};
use crate::store::StoreFailure;
use crate::transport::{Accepted, Batch, Failure, Transport, TransportError};
use crate::vitals::Requests;
use crate::{Kind, KindSet};

/// A segment on a server: made on first use.
pub(super) type Segment = Box<[u8]>;

/// The queue of a sender: as many segments as its bounds allow.
pub(super) type Queue = Delivery<Segment, Box<[Slot<Segment>]>, Box<[Lane<Large>]>>;

/// A transport whatever its error type.
pub(super) trait Carry: Send {
    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Failed>;
    fn connect(&mut self, timeout: Duration) -> Result<(), Failed>;
    fn probe(&mut self) -> Result<(), Failed>;
    fn unacknowledged(&mut self) -> Option<u64>;
    fn status(&mut self) -> Option<u16>;
    fn finish(&mut self, timeout: Duration) -> Result<(), Failed>;
}

/// What is kept of a transport's error.
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) lines_done: u32,
    pub(super) text: String,
    /// The beginning of what the receiver answered.
    pub(super) answer: Option<Answer>,
}

impl<E: TransportError> From<E> for Failed {
    fn from(error: E) -> Self {
        let answer = error.answer().map(Answer::of);
        Self { failure: error.kind(), lines_done: error.lines_done(), text: error.to_string(), answer }
    }
}

impl<T: Transport + Send> Carry for T {
    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Failed> {
        Ok(Transport::send(self, batch)?)
    }

    fn connect(&mut self, timeout: Duration) -> Result<(), Failed> {
        Ok(Transport::connect(self, timeout)?)
    }

    fn probe(&mut self) -> Result<(), Failed> {
        Ok(Transport::probe(self)?)
    }

    fn unacknowledged(&mut self) -> Option<u64> {
        Transport::unacknowledged(self)
    }

    fn status(&mut self) -> Option<u16> {
        Transport::status(self)
    }

    fn finish(&mut self, timeout: Duration) -> Result<(), Failed> {
        Ok(Transport::finish(self, timeout)?)
    }
}

/// What somebody who sends finished lines waits for, and why some of them were not delivered.
#[derive(Debug, Default)]
pub(super) struct Waiter {
    pub(super) watch: Watch,
    pub(super) cause: Option<Cause>,
}

/// What the one lock protects: the queue, and who waits for what.
pub(super) struct Hub {
    pub(super) delivery: Queue,
    pub(super) watches: BTreeMap<u32, Waiter>,
    pub(super) last_failure: Option<Failure>,
    pub(super) last_error: Option<String>,
    /// Lines that were dropped with a word to their sender, and all others that were lost when a flush last said so.
    pub(super) told: usize,
    lost: usize,
    next_tag: u32,
    pub(super) phase: Phase,
    /// Kinds whose carrier rests for no more than a moment.
    pub(super) soon: KindSet,
    /// Workers that have not ended.
    pub(super) workers: usize,
    /// What decides about the store, and whether its thread has not ended.
    pub(super) spool: Option<Spool>,
    pub(super) keeper: bool,
    /// Who waits without a thread of his own.
    pub(super) waiting: Waiting,
    /// What the application is to be told.
    pub(super) news: News,
    /// How the requests went.
    pub(super) requests: Requests,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// No more lines come in; what is there has time until then.
    Closing(Instant),
    /// Whatever was left is dropped.
    Closed,
}

impl Phase {
    /// How long what is there still has, at the end.
    pub(super) fn left(self) -> Option<Duration> {
        match self {
            Self::Closing(deadline) => Some(deadline.saturating_duration_since(Instant::now())),
            _ => None,
        }
    }
}

impl Hub {
    pub(super) fn new(delivery: Queue, workers: usize, news: News) -> Self {
        Self {
            delivery,
            watches: BTreeMap::new(),
            last_failure: None,
            last_error: None,
            told: 0,
            lost: 0,
            next_tag: 0,
            phase: Phase::Open,
            soon: KindSet::NONE,
            workers,
            spool: None,
            keeper: false,
            waiting: Waiting::default(),
            news,
            requests: Requests::new(),
        }
    }

    /// What a flush has come to, if it is done, or its time is `over`. Lost lines are told of once.
    pub(super) fn flushed(&mut self, ticket: &Ticket, over: bool) -> Option<Result<(), FlushError>> {
        let left = self.delivery.left(ticket);
        if left > 0 && !over {
            return None;
        }
        let total = self.delivery.ledger().total();
        let all = total.dropped.total().wrapping_add(total.doubtful).wrapping_sub(self.told);
        let lost = all.wrapping_sub(core::mem::replace(&mut self.lost, all));
        let last_failure = self.last_failure;
        Some(if left == 0 && lost == 0 { Ok(()) } else { Err(FlushError { left, lost, last_failure, forked: false }) })
    }

    /// A tag that nobody waits for yet.
    pub(super) fn watch(&mut self, lines: usize) -> u32 {
        self.next_tag = self.next_tag.wrapping_add(1).max(1);
        self.watches.insert(self.next_tag, Waiter { watch: Watch::new(lines), cause: None });
        self.next_tag
    }

    /// Whether somebody has to be woken for a full batch of `kind`: not where its carrier looks by itself in a moment,
    /// unless there is much already, or a store that may want it.
    pub(super) fn must_be_woken(&mut self, kind: Kind) -> bool {
        self.keeper || !self.soon.contains(kind) || self.delivery.view().is_filling(kind)
    }

    /// Whether somebody still works at the end of it.
    pub(super) fn is_closing(&self) -> bool {
        self.keeper || (self.workers > 0 && !self.is_closed())
    }

    /// Whether a carrier of `kinds` has nothing more to wait for: what the store has, it may yet bring.
    pub(super) fn is_drained(&mut self, kinds: KindSet) -> bool {
        let row = self.delivery.ledger().total_of(kinds);
        row.unsettled() == 0 && (!self.keeper || row.stored == 0 && !self.delivery.view().store_is_unread())
    }

    /// Counts lines for which there is no room; their producer is told.
    pub(super) fn refuse(&mut self, kind: Kind, lines: u32) -> Refused {
        self.told = self.told.wrapping_add(lines as usize);
        self.delivery.view().refuse(kind, lines)
    }

    /// Whether lines that find no room should wait for the store to take others.
    pub(super) fn store_takes(&mut self) -> bool {
        self.keeper && !self.delivery.view().store_refuses()
    }

    /// Books what the store did.
    pub(super) fn shelved(&mut self, job: Job<Segment>, result: Result<Reply, (StoreFailure, String)>, now: Millis) {
        let Self { delivery, spool: Some(spool), .. } = self else { return };
        let (kind, lines) = (job.kind(), job.lines());
        let failed = result.as_ref().err().map(|(_, words)| words.clone());
        let loss =
            spool.settle(&mut delivery.view(), job, result.as_ref().copied().map_err(|(failure, _)| *failure), now);
        // Lines that are lost with their record are found in the ledger.
        if let (None, Some(words), Err((failure, _))) = (loss, failed, &result) {
            self.news.note(Incident::of_store(Some(kind), *failure, lines, &words), now);
        }
    }

    /// Drops what is left, but for what the store has.
    pub(super) fn give_up(&mut self) {
        self.phase = Phase::Closed;
        self.delivery.view().abandon();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Books that the connection of `kinds` broke, and how much of what was written to it was not acknowledged.
    pub(super) fn lost(&mut self, kinds: KindSet, unacknowledged: Option<u32>, now: Millis) -> Lost {
        self.delivery.view().broke(kinds, unacknowledged, now)
    }

    /// Books what a carrier did with a batch, and how much of what it wrote is not acknowledged.
    pub(super) fn settle(
        &mut self,
        token: InFlight<Segment>,
        result: Result<Accepted, Failed>,
        unacknowledged: Option<u32>,
        kinds: KindSet,
        now: Millis,
    ) {
        let (outcome, failed) = match result {
            Ok(Accepted::Delivered) => (Outcome::Delivered, None),
            Ok(Accepted::Written) => (unacknowledged.map_or(Outcome::Written, Outcome::Unacknowledged), None),
            Err(failed) => (Outcome::of_failure(failed.failure, failed.lines_done), Some(failed)),
        };
        let cause = failed.as_ref().map(|failed| failed.failure);
        let (tag, lines, kind) = (token.tag(), token.lines(), token.kind());
        let report = self.delivery.outcome(token, outcome, now);
        if cause == Some(Failure::Broken) {
            // What was written on the same connection before may be lost with it.
            self.lost(kinds, unacknowledged, now);
        }
        match failed {
            Some(failed) if !self.is_closed() => {
                self.news.failed(kind, &failed, outcome, lines as usize, report.settled as usize, now);
                self.failed(failed);
            }
            Some(failed) => self.failed(failed),
            None => self.news.delivered(kind, now),
        }
        let Some(waiter) = self.watches.get_mut(&tag) else { return };
        let is_final = !(outcome == Outcome::TooLarge && report.settled == 0);
        if let Some(failure) = cause.filter(|_| is_final) {
            waiter.cause.get_or_insert(Cause::of(failure));
        }
        waiter.watch.hear(lines, outcome, report);
        if matches!(outcome, Outcome::TooLarge | Outcome::Rejected(_)) {
            self.told = self.told.wrapping_add(report.settled as usize);
        }
    }
}

impl Hub {
    fn failed(&mut self, failed: Failed) {
        self.last_failure = Some(failed.failure);
        self.last_error = Some(failed.text);
    }

    /// As [`lost`](Self::lost), where no batch was under way that would tell of it.
    pub(super) fn broke(&mut self, failed: Failed, kinds: KindSet, unacknowledged: Option<u32>, now: Millis) {
        let lost = self.lost(kinds, unacknowledged, now);
        for kind in kinds.iter().filter(|kind| lost.again(*kind) > 0) {
            let again = lost.again(kind) as usize;
            let incident = Incident::new(Trouble::Failed(failed.failure), Some(kind), again, Fate::Kept);
            self.news.note(incident.in_words(&failed.text), now);
        }
        self.failed(failed);
    }

    /// Drops what is left if the time of the close is over, or nobody is there to carry it. Whether it is all over.
    pub(super) fn conclude(&mut self) -> bool {
        if let Phase::Closing(deadline) = self.phase {
            let (ended, grace) = if self.keeper { (false, GRACE) } else { (self.workers == 0, Duration::ZERO) };
            if ended || Instant::now() >= deadline + grace {
                self.give_up();
            }
        }
        self.is_closed()
    }

    /// What is to be told now; `last` where nobody may come to tell the rest.
    pub(super) fn news(&mut self, now: Millis, last: bool) -> Vec<Item> {
        if last || self.news.compares(now) {
            self.news.compare(&self.delivery.ledger(), now);
        }
        self.news.take(now, last)
    }
}

/// The data behind the lock are whole at every point where a panic could leave them.
pub(super) fn lock(hub: &Mutex<Hub>) -> MutexGuard<'_, Hub> {
    hub.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Config;

    #[test]
    fn nobody_is_woken_who_looks_in_a_moment_unless_there_is_much_already() {
        let config = Config { queue_lines: 8, ..Config::DEFAULT };
        let slots = (0..8).map(|_| Slot::empty()).collect();
        let lanes = [Lane::new(Kind::Metric), Lane::new(Kind::Span)].into();
        let mut hub = Hub::new(Delivery::new(config, slots, lanes), 1, News::new(false));
        let must = |hub: &mut Hub| [Kind::Metric, Kind::Span].map(|kind| hub.must_be_woken(kind));
        assert_eq!(must(&mut hub), [true, true]);
        hub.soon = KindSet::ALL;
        for lines in 0..4 {
            assert_eq!(must(&mut hub), [lines >= 2, false]);
            assert_eq!(hub.delivery.view().push(Kind::Metric, b"m 1 source=\"s\"\n", 1), Ok(()));
        }
        hub.soon = KindSet::ALL.without(Kind::Span);
        assert_eq!(must(&mut hub), [true, true]);
        hub.soon = KindSet::ALL;
        hub.keeper = true;
        assert_eq!(must(&mut hub), [true, true]);
    }
}
