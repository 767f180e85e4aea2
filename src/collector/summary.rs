//! What has come in: counts a kind and a transport, and why lines were rejected.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::Kind;

/// Distinct reasons that are kept; those beyond are counted together.
const REASONS: usize = 64;
/// Characters kept of the first line that was rejected for a reason.
const SAMPLE: usize = 160;

/// How a line came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Via {
    /// On a TCP connection, as lines.
    Tcp,
    /// In the body of an HTTP request.
    Http,
}

impl Via {
    /// Both, in the order of the summary.
    pub const ALL: [Self; 2] = [Self::Tcp, Self::Http];
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tcp => "tcp",
            Self::Http => "http",
        })
    }
}

/// Counts of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Lines that passed, and were written where a file is.
    pub accepted: u64,
    /// Lines that did not.
    pub rejected: u64,
}

/// Why lines were rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// What they were taken for: a line that is nothing at all is taken for what its port or format takes.
    pub kind: Kind,
    /// What was wrong.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The beginning of the first of them, at most 160 characters.
    pub sample: String,
}

/// Everything a collector counted until now.
///
/// Its size is bounded: of the reasons, the first 64 different ones are kept, those beyond are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Summary {
    rows: [[Counts; Kind::COUNT]; Via::ALL.len()],
    rejections: BTreeMap<(Kind, String), Rejection>,
    /// Bytes read, as they came: compressed ones count as compressed. Without the heads of HTTP.
    pub bytes: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// Connections closed at once, or closed for a newcomer before they had said anything valid, because too many
    /// were open.
    pub refused: u64,
    /// HTTP requests answered, a status each.
    pub statuses: BTreeMap<u16, u64>,
    /// Lines that passed and then could not be written. They count neither as accepted nor as rejected; over HTTP their
    /// request was answered 503, over TCP the connection was reset.
    pub unwritten: u64,
    /// The last error of writing.
    pub write_error: Option<String>,
}

impl Summary {
    /// The counts of `kind`, over both transports.
    pub fn counts(&self, kind: Kind) -> Counts {
        let mut sum = Counts::default();
        for via in Via::ALL {
            let row = self.counts_via(via, kind);
            sum.accepted += row.accepted;
            sum.rejected += row.rejected;
        }
        sum
    }

    /// The counts of `kind` over one transport.
    pub fn counts_via(&self, via: Via, kind: Kind) -> Counts {
        self.rows[via as usize][kind.index()]
    }

    /// Lines of every kind that passed.
    pub fn accepted(&self) -> u64 {
        self.rows.iter().flatten().map(|row| row.accepted).sum()
    }

    /// Lines of every kind that were rejected.
    pub fn rejected(&self) -> u64 {
        self.rows.iter().flatten().map(|row| row.rejected).sum()
    }

    /// HTTP requests answered.
    pub fn requests(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// Why lines were rejected.
    pub fn rejections(&self) -> impl Iterator<Item = &Rejection> {
        self.rejections.values()
    }

    pub(super) fn accept(&mut self, via: Via, kind: Kind) {
        self.rows[via as usize][kind.index()].accepted += 1;
    }

    /// Counts a rejected line; `line` is a beginning of it.
    pub(super) fn reject(&mut self, via: Via, kind: Kind, reason: &str, line: &str) {
        self.rows[via as usize][kind.index()].rejected += 1;
        self.add_rejection(kind, reason, 1, line);
    }

    fn add_rejection(&mut self, kind: Kind, reason: &str, count: u64, line: &str) {
        let mut key = (kind, reason.to_string());
        if self.rejections.len() >= REASONS && !self.rejections.contains_key(&key) {
            key.1 = "other reasons".to_string();
        }
        match self.rejections.get_mut(&key) {
            Some(known) => known.count += count,
            None => {
                let sample = line.chars().take(SAMPLE).collect();
                let rejection = Rejection { kind, reason: key.1.clone(), count, sample };
                self.rejections.insert(key, rejection);
            }
        }
    }

    /// Adds what a chunk was found to be.
    fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.rows.iter_mut().flatten().zip(other.rows.iter().flatten()) {
            mine.accepted += theirs.accepted;
            mine.rejected += theirs.rejected;
        }
        for rejection in other.rejections.values() {
            self.add_rejection(rejection.kind, &rejection.reason, rejection.count, &rejection.sample);
        }
    }
}

/// The summary while it grows, and those who wait for it.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    summary: Mutex<Summary>,
    changed: Condvar,
}

impl Ledger {
    pub(super) fn snapshot(&self) -> Summary {
        self.lock().clone()
    }

    /// Changes the summary and wakes those who wait.
    pub(super) fn update(&self, change: impl FnOnce(&mut Summary)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    pub(super) fn merge(&self, chunk: &Summary) {
        self.update(|summary| summary.merge(chunk));
    }

    /// Waits until `enough`, at most `timeout`; the summary then, and whether it was enough.
    pub(super) fn wait(&self, mut enough: impl FnMut(&Summary) -> bool, timeout: Duration) -> (Summary, bool) {
        let start = Instant::now();
        let mut summary = self.lock();
        loop {
            if enough(&summary) {
                return (summary.clone(), true);
            }
            let Some(left) = timeout.checked_sub(start.elapsed()) else { return (summary.clone(), false) };
            summary = self.changed.wait_timeout(summary, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Summary> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn reasons_are_bounded_and_their_counts_exact() {
        let mut summary = Summary::default();
        for n in 0..1000 {
            summary.reject(Via::Tcp, Kind::Metric, &format!("reason {n}"), &"x".repeat(1000));
        }
        assert_eq!(summary.rejections().count(), REASONS + 1);
        assert_eq!(summary.rejections().map(|r| r.count).sum::<u64>(), 1000);
        assert!(summary.rejections().all(|r| r.sample.len() == SAMPLE));

        let mut sum = Summary::default();
        sum.merge(&summary);
        sum.merge(&summary);
        assert_eq!(sum.rejected(), 2000);
        assert_eq!(sum.rejections().map(|r| r.count).sum::<u64>(), 2000);
    }

    #[test]
    fn waiting_ends_when_it_is_enough_and_when_time_is_up() {
        let ledger = Ledger::default();
        let (_, enough) = ledger.wait(|s| s.accepted() == 1, Duration::ZERO);
        assert!(!enough);
        std::thread::scope(|scope| {
            scope.spawn(|| ledger.update(|s| s.accept(Via::Http, Kind::Span)));
            let (summary, enough) = ledger.wait(|s| s.accepted() == 1, Duration::from_secs(60));
            assert!(enough);
            assert_eq!(summary.counts_via(Via::Http, Kind::Span).accepted, 1);
            assert_eq!(summary.counts(Kind::Metric), Counts::default());
        });
    }
}
