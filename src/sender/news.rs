//! What has happened and was not told yet: noted under the sender's lock, told outside of it.
//!
//! What a batch came to is noted as it happens. All other losses are found in the ledger, by what it says more than
//! what was told: so no line is lost without a word, whoever lost it, and the producers' threads have nothing to do
//! with it.

use core::time::Duration;
use std::vec::Vec;

use super::hub::Failed;
use super::incident::{Fate, Incident, Reason, Trouble};
#[cfg(any(feature = "log", feature = "tracing"))]
use super::limiter::{KeptBack, Limiter, Lines};
use crate::delivery::{Dropped, Ledger, Millis, Outcome};
use crate::{Kind, KindSet};

/// How often losses that are found in the ledger are told, at most.
const COMPARE: Duration = Duration::from_secs(1);

/// How often a log hears of incidents that are alike.
#[cfg(any(feature = "log", feature = "tracing"))]
const LOG: Duration = Duration::from_secs(30);

/// What happened, waiting to be told.
#[derive(Debug)]
pub(super) struct News {
    /// Whether anybody wants to hear it.
    wanted: bool,
    waiting: Vec<Item>,
    /// What the ledger said when it was last compared, and what was noted since.
    told: [Told; Kind::COUNT],
    /// Not before then.
    compare: Millis,
    outage: Outage,
    #[cfg(any(feature = "log", feature = "tracing"))]
    limiter: Limiter<Incident, { Incident::CLASSES }>,
    /// When a recovery may be said again: a receiver that comes and goes does not fill the log.
    #[cfg(any(feature = "log", feature = "tracing"))]
    recovery: Millis,
}

#[derive(Debug, Clone, Copy, Default)]
struct Told {
    doubtful: usize,
    dropped: Dropped,
}

/// A time in which no batch of some kinds came through.
#[derive(Debug, Default)]
struct Outage {
    kinds: KindSet,
    since: Millis,
    failures: usize,
}

/// Something to be told.
#[derive(Debug)]
pub(super) enum Item {
    /// For the hook.
    Incident(Incident),
    /// For the log, with how many like it were kept back.
    #[cfg(any(feature = "log", feature = "tracing"))]
    Log(Incident, KeptBack),
    /// For the log: the end of an outage, after so many failed batches.
    #[cfg(any(feature = "log", feature = "tracing"))]
    Again { after: Duration, failures: usize },
}

impl News {
    /// Nothing yet. Notes are made only where they are `wanted`.
    pub(super) fn new(wanted: bool) -> Self {
        Self {
            wanted: wanted || cfg!(any(feature = "log", feature = "tracing")),
            waiting: Vec::new(),
            told: [Told::default(); Kind::COUNT],
            compare: Millis(0),
            outage: Outage::default(),
            #[cfg(any(feature = "log", feature = "tracing"))]
            limiter: Limiter::new(LOG),
            #[cfg(any(feature = "log", feature = "tracing"))]
            recovery: Millis(0),
        }
    }

    /// Notes a batch of `lines` lines that failed, of which `settled` are settled by it.
    pub(super) fn failed(
        &mut self,
        kind: Kind,
        failed: &Failed,
        outcome: Outcome,
        lines: usize,
        settled: usize,
        now: Millis,
    ) {
        let incident = Incident::of_batch(kind, failed.failure, outcome, lines, settled).filter(|_| self.wanted);
        let Some(incident) = incident else { return };
        if let Some(told) = self.told.get_mut(kind.index()) {
            match incident.fate {
                Fate::Dropped(Reason::TooLarge) => {
                    told.dropped.too_large = told.dropped.too_large.wrapping_add(settled)
                }
                Fate::Dropped(_) => told.dropped.rejected = told.dropped.rejected.wrapping_add(settled),
                _ => {}
            }
        }
        self.note(incident.in_words(&failed.text).answered(failed.answer.clone()), now);
    }

    /// Notes an incident of any other sort. Lost and doubtful lines need no note: [`compare`](Self::compare) finds
    /// them.
    pub(super) fn note(&mut self, incident: Incident, now: Millis) {
        if !self.wanted {
            return;
        }
        if let (Some(kind), Trouble::Failed(_) | Trouble::Auth(_)) = (incident.kind, incident.trouble) {
            let Outage { kinds, since, failures } = &mut self.outage;
            if kinds.is_empty() {
                (*since, *failures) = (now, 0);
            }
            *kinds = kinds.with(kind);
            *failures += 1;
        }
        #[cfg(any(feature = "log", feature = "tracing"))]
        if let Some((incident, kept_back)) = self.limiter.offer(incident.class(), incident.clone(), now) {
            self.waiting.push(Item::Log(incident, kept_back));
        }
        let _ = now;
        self.waiting.push(Item::Incident(incident));
    }

    /// Notes that the receiver took a batch.
    pub(super) fn delivered(&mut self, kind: Kind, now: Millis) {
        let Outage { kinds, since, failures } = &mut self.outage;
        if !kinds.contains(kind) {
            return;
        }
        *kinds = kinds.without(kind);
        #[cfg(any(feature = "log", feature = "tracing"))]
        if kinds.is_empty() && now >= self.recovery {
            self.recovery = now.after(LOG);
            let rest = self.limiter.rest().map(|(incident, kept_back)| Item::Log(incident, kept_back));
            self.waiting.extend(rest);
            self.waiting.push(Item::Again { after: now.since(*since), failures: *failures });
        }
        let _ = (now, since, failures);
    }

    /// Whether it is time to [`compare`](Self::compare).
    pub(super) fn compares(&self, now: Millis) -> bool {
        self.wanted && now >= self.compare
    }

    /// Finds what was lost beside the failed batches.
    pub(super) fn compare(&mut self, ledger: &Ledger, now: Millis) {
        let before = self.waiting.len();
        for (at, (kind, row)) in ledger.rows().enumerate() {
            let Some(told) = self.told.get_mut(at) else { continue };
            let was = core::mem::replace(told, Told { doubtful: row.doubtful, dropped: row.dropped });
            let (is, was, more) = (row.dropped, was.dropped, row.doubtful.wrapping_sub(was.doubtful));
            let losses = [
                (Trouble::ConnectionLost, Fate::Doubtful, more),
                dropped(Trouble::QueueFull, Reason::QueueFull, is.queue_full, was.queue_full),
                dropped(Trouble::Rejected(0), Reason::Rejected(0), is.rejected, was.rejected),
                dropped(Trouble::TooLarge, Reason::TooLarge, is.too_large, was.too_large),
                dropped(Trouble::Expired, Reason::Expired, is.expired, was.expired),
                dropped(Trouble::StoreFull, Reason::StoreFull, is.store_full, was.store_full),
                dropped(Trouble::Damaged, Reason::Damaged, is.damaged, was.damaged),
                dropped(Trouble::Closed, Reason::Closed, is.closed, was.closed),
            ];
            for (trouble, fate, lines) in losses.into_iter().filter(|(.., lines)| *lines > 0) {
                self.note(Incident::new(trouble, Some(kind), lines, fate), now);
            }
        }
        if self.waiting.len() > before {
            self.compare = now.after(COMPARE);
        }
    }

    /// What is to be told now; where it is the `end`, what was kept back from the log too.
    pub(super) fn take(&mut self, now: Millis, end: bool) -> Vec<Item> {
        #[cfg(any(feature = "log", feature = "tracing"))]
        {
            let log = |(incident, kept_back)| Item::Log(incident, kept_back);
            match end {
                true => self.waiting.extend(self.limiter.rest().map(log)),
                false => self.waiting.extend(self.limiter.due(now).map(log)),
            }
        }
        let _ = (now, end);
        core::mem::take(&mut self.waiting)
    }
}

fn dropped(trouble: Trouble, reason: Reason, is: usize, was: usize) -> (Trouble, Fate, usize) {
    (trouble, Fate::Dropped(reason), is.wrapping_sub(was))
}

#[cfg(any(feature = "log", feature = "tracing"))]
impl Lines for Incident {
    fn lines(&self) -> usize {
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Failure;

    fn failed(failure: Failure) -> Failed {
        Failed { failure, lines_done: 0, text: "words".into(), answer: None }
    }

    fn told(items: Vec<Item>) -> Vec<(Trouble, Option<Kind>, usize)> {
        let mut told = Vec::new();
        for item in items {
            if let Some(Incident { trouble, kind, lines, .. }) = for_the_hook(item) {
                told.push((trouble, kind, lines));
            }
        }
        told
    }

    fn for_the_hook(item: Item) -> Option<Incident> {
        match item {
            Item::Incident(incident) => Some(incident),
            #[cfg(any(feature = "log", feature = "tracing"))]
            _ => None,
        }
    }

    #[test]
    fn each_lost_line_is_told_once() {
        let mut news = News::new(true);
        let mut ledger = Ledger::default();
        let refused = failed(Failure::Status { code: 400, retry_after: None });
        ledger.row_mut(Kind::Metric).unwrap().dropped.rejected = 5;
        news.failed(Kind::Metric, &refused, Outcome::Rejected(400), 5, 5, Millis(1));
        ledger.row_mut(Kind::Metric).unwrap().dropped.queue_full = 3;
        ledger.row_mut(Kind::Delta).unwrap().doubtful = 2;
        news.compare(&ledger, Millis(1));
        let first = [
            (Trouble::Rejected(400), Some(Kind::Metric), 5),
            (Trouble::QueueFull, Some(Kind::Metric), 3),
            (Trouble::ConnectionLost, Some(Kind::Delta), 2),
        ];
        assert_eq!(told(news.take(Millis(1), false)), first);

        ledger.row_mut(Kind::Metric).unwrap().dropped.queue_full = 100;
        assert_eq!((news.compares(Millis(1000)), news.compares(Millis(1001))), (false, true), "once a second");
        ledger.row_mut(Kind::Metric).unwrap().dropped.queue_full = 1003;
        news.compare(&ledger, Millis(1001));
        assert_eq!(told(news.take(Millis(1001), false)), [(Trouble::QueueFull, Some(Kind::Metric), 1000)]);

        ledger.row_mut(Kind::Span).unwrap().dropped.closed = 1;
        news.compare(&ledger, Millis(1001));
        assert_eq!(told(news.take(Millis(1001), true)), [(Trouble::Closed, Some(Kind::Span), 1)], "the last word");
    }

    #[test]
    fn a_batch_that_is_halved_is_no_news() {
        let mut news = News::new(true);
        let large = failed(Failure::Status { code: 413, retry_after: None });
        news.failed(Kind::Metric, &large, Outcome::TooLarge, 8, 0, Millis(0));
        assert_eq!(told(news.take(Millis(0), true)), []);
    }

    #[cfg(not(any(feature = "log", feature = "tracing")))]
    #[test]
    fn where_nobody_listens_nothing_is_kept() {
        let mut news = News::new(false);
        news.failed(Kind::Metric, &failed(Failure::Connect), Outcome::Unreachable, 8, 0, Millis(0));
        let mut ledger = Ledger::default();
        ledger.row_mut(Kind::Metric).unwrap().dropped.closed = 1;
        news.compare(&ledger, Millis(0));
        assert!(news.take(Millis(0), true).is_empty());
    }

    #[cfg(any(feature = "log", feature = "tracing"))]
    #[test]
    fn the_end_of_an_outage_is_said_once_for_all_kinds() {
        let mut news = News::new(false);
        let mut at = |what: fn(&mut News, Millis), now| {
            what(&mut news, Millis(now));
            let items = news.take(Millis(now), false).into_iter();
            let said = items.filter_map(|item| match item {
                Item::Incident(_) => None,
                Item::Log(_, KeptBack { incidents, .. }) => Some((false, incidents)),
                Item::Again { after, failures } => Some((true, after.as_millis() as usize + failures)),
            });
            said.collect::<Vec<_>>()
        };
        fn fail(news: &mut News, kind: Kind, now: Millis) {
            news.failed(kind, &failed(Failure::Connect), Outcome::Unreachable, 1, 0, now);
        }
        assert_eq!(at(|news, now| news.delivered(Kind::Metric, now), 0), []);
        assert_eq!(at(|news, now| fail(news, Kind::Metric, now), 1_000), [(false, 0)]);
        assert_eq!(at(|news, now| fail(news, Kind::Span, now), 2_000), []);
        assert_eq!(at(|news, now| fail(news, Kind::Metric, now), 3_000), []);
        assert_eq!(at(|news, now| news.delivered(Kind::Delta, now), 4_000), []);
        assert_eq!(at(|news, now| news.delivered(Kind::Metric, now), 5_000), [], "spans are still away");
        assert_eq!(at(|news, now| news.delivered(Kind::Span, now), 6_000), [(false, 1), (true, 5_003)]);
        // It goes and comes again: one line an interval, nothing forgotten.
        assert_eq!(at(|news, now| fail(news, Kind::Metric, now), 7_000), []);
        assert_eq!(at(|news, now| news.delivered(Kind::Metric, now), 8_000), []);
        assert_eq!(at(|_, _| (), 31_000), [(false, 0)]);
    }
}
