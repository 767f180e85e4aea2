//! The sending: one thread reads, the sender's threads send, and this one watches: it shows progress, gives up where
//! there is none, and ends when the user says so.

use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Instant;
use std::{io, thread};

use indicatif::ProgressBar;
use wavefront_sdk::Sender;
use wavefront_sdk::delivery::{Ledger, Row};
use wavefront_sdk::transport::Failure;

use crate::feed::{End, Tally, say};
use crate::shown::grouped;
use crate::signals::Interrupt;

/// How often it looks.
const TICK: Duration = Duration::from_millis(50);
/// Longer than any run.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);
/// How long what is queued may take to leave once the user wants to end.
const LAST: Duration = Duration::from_secs(5);

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) ledger: Ledger,
    /// How the reading ended; none if it still waits for input.
    pub(crate) read: Option<End>,
    /// There was no progress for too long, or there can be none.
    pub(crate) gave_up: bool,
    /// The user ended it.
    pub(crate) interrupted: bool,
    /// What the last failure was, in words.
    pub(crate) last_error: Option<String>,
}

enum News {
    Read(End),
    Closed,
}

/// Lets `read` feed `sender` to the end, and sees to it that everything leaves.
pub(crate) fn run(
    sender: &Sender,
    give_up: Duration,
    bar: &ProgressBar,
    tally: &Tally,
    interrupt: &Interrupt,
    read: impl FnOnce() -> End + Send + 'static,
) -> io::Result<Outcome> {
    let (news, arrives) = mpsc::channel();
    let reads = news.clone();
    thread::Builder::new().name("reader".into()).spawn(move || {
        let end = catch_unwind(AssertUnwindSafe(read))
            .unwrap_or_else(|_| End::Failed(io::Error::other("a bug in wavefront")));
        let _ = reads.send(News::Read(end));
    })?;

    let mut outcome =
        Outcome { ledger: sender.ledger(), read: None, gave_up: false, interrupted: false, last_error: None };
    let mut stall = Stall::new(Instant::now(), give_up);
    let mut closing = false;
    let mut last_moment: Option<Instant> = None;
    let mut warned = false;
    loop {
        match arrives.recv_timeout(TICK) {
            Ok(News::Read(end)) => outcome.read = Some(end),
            Ok(News::Closed) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = Instant::now();
        let total = sender.ledger().total();
        show(bar, tally, &total);
        if interrupt.came() && last_moment.is_none() {
            outcome.interrupted = true;
            last_moment = Some(now + LAST.min(give_up));
        }
        if !closing && (outcome.read.is_some() || outcome.interrupted) {
            closing = true;
            // No more is taken from here on; a second `close` can cut this one short.
            let (closes, tells) = (sender.clone(), news.clone());
            thread::Builder::new().name("closer".into()).spawn(move || {
                closes.close(FOR_EVER);
                let _ = tells.send(News::Closed);
            })?;
        }
        let refused = total.delivered == 0 && is_refused_token(sender.last_failure());
        let stalls = stall.see(&total, closing, now);
        if refused || stalls || last_moment.is_some_and(|moment| moment <= now) {
            outcome.gave_up = !outcome.interrupted;
            sender.close(Duration::ZERO);
            break;
        }
        if let Some(error) = sender.last_error().filter(|_| !warned) {
            warned = true;
            let text = format!("warning: {error}; trying again, until {give_up:?} pass without progress");
            bar.suspend(|| say(&text));
        }
    }
    // What is read now finds the sender closed; it may also wait for input that never comes.
    if outcome.read.is_none()
        && let Ok(News::Read(end)) = arrives.recv_timeout(Duration::from_millis(500))
    {
        outcome.read = Some(end);
    }
    bar.finish_and_clear();
    outcome.ledger = sender.ledger();
    outcome.last_error = sender.last_error();
    Ok(outcome)
}

fn is_refused_token(failure: Option<Failure>) -> bool {
    matches!(failure, Some(Failure::Status { code: 401 | 403, .. }))
}

fn show(bar: &ProgressBar, tally: &Tally, total: &Row) {
    if !bar.is_hidden() {
        bar.set_position(tally.bytes());
        let (done, waiting) = (total.delivered + total.written, total.queued + total.in_flight);
        bar.set_message(format!("{} lines sent, {} waiting", grouped(done as u64), grouped(waiting as u64)));
    }
}

/// Notices that nothing moves any more.
#[derive(Debug)]
struct Stall {
    give_up: Duration,
    /// Lines that were settled or written when it looked last, and most of all times.
    last: usize,
    most: usize,
    /// When they became more than before, and more than ever.
    moved: Instant,
    grew: Instant,
}

impl Stall {
    /// How many times longer it bears that lines are only sent again, over connections that break.
    const AGAIN: u32 = 10;

    fn new(now: Instant, give_up: Duration) -> Self {
        Self { give_up, last: 0, most: 0, moved: now, grew: now }
    }

    /// Whether lines wait, and have not moved for too long.
    fn see(&mut self, total: &Row, closing: bool, now: Instant) -> bool {
        let there = total.delivered + total.doubtful + total.dropped.total() + total.written;
        let waits = total.queued + total.in_flight > 0 || (closing && total.written > 0);
        if there > self.last || !waits {
            self.moved = now;
        }
        if there > self.most || !waits {
            self.grew = now;
            self.most = self.most.max(there);
        }
        self.last = there;
        let longest = self.give_up.saturating_mul(Self::AGAIN);
        now.duration_since(self.moved) >= self.give_up || now.duration_since(self.grew) >= longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(queued: usize, written: usize, delivered: usize) -> Row {
        let mut row = Row::default();
        (row.queued, row.written, row.delivered) = (queued, written, delivered);
        row
    }

    #[test]
    fn it_gives_up_only_while_something_waits_and_nothing_moves() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut stall = Stall::new(start, Duration::from_secs(10));
        assert!(!stall.see(&row(0, 0, 0), false, at(100)), "nothing waits");
        assert!(!stall.see(&row(5, 0, 0), false, at(109)));
        assert!(!stall.see(&row(4, 0, 1), false, at(110)), "it moved");
        assert!(!stall.see(&row(3, 1, 1), false, at(119)), "it moved");
        assert!(!stall.see(&row(3, 1, 1), false, at(128)));
        assert!(stall.see(&row(3, 1, 1), false, at(129)));
    }

    #[test]
    fn written_lines_wait_for_the_last_word_only_at_the_end() {
        let start = Instant::now();
        let mut stall = Stall::new(start, Duration::from_secs(10));
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(!stall.see(&row(0, 5, 0), false, at(50)));
        assert!(!stall.see(&row(0, 5, 0), true, at(59)));
        assert!(stall.see(&row(0, 5, 0), true, at(60)));
    }

    #[test]
    fn a_connection_that_breaks_again_and_again_is_no_progress() {
        let start = Instant::now();
        let mut stall = Stall::new(start, Duration::from_secs(10));
        let broke = (1..1000).find(|second| {
            let written = (second % 5) as usize;
            stall.see(&row(5 - written, written, 0), false, start + Duration::from_secs(*second))
        });
        assert_eq!(broke, Some(4 + 100));
    }
}
