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
use crate::spool::Spool;

/// How often it looks.
const TICK: Duration = Duration::from_millis(50);
/// Longer than any run.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);
/// How long what is queued may take to leave once the user wants to end; and how long, where a spool keeps what is not
/// confirmed by then, the receiver may take to confirm the last lines.
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

/// Lets `read` feed `sender` to the end, and sees to it that everything leaves: what `spool` holds too.
pub(crate) fn run(
    sender: &Sender,
    spool: Option<&Spool>,
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
    let found = spool.map_or(0, |spool| spool.found);
    let mut stall = Stall::new(Instant::now(), give_up, found);
    let mut closing = false;
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
        if interrupt.came() && !outcome.interrupted {
            outcome.interrupted = true;
            // No more is taken from here on.
            in_background(sender, &news, move |sender| {
                sender.close(LAST.min(give_up));
            })?;
        }
        if outcome.read.is_some() && !outcome.interrupted && !closing {
            closing = true;
            let last = if spool.is_some() { LAST.min(give_up) } else { FOR_EVER };
            in_background(sender, &news, move |sender| {
                drain(sender, found);
                sender.close(last);
            })?;
        }
        let refused = total.delivered == 0 && is_refused_token(sender.last_failure());
        let stalls = stall.see(&total, closing, now);
        if !outcome.interrupted && (refused || stalls) {
            outcome.gave_up = true;
            sender.close(Duration::ZERO);
            break;
        }
        let safe = || spool.is_some() && outcome.read.is_none() && sender.flush(Duration::ZERO).is_ok();
        if stall.is_near(now) && safe() {
            stall.rest(now);
        }
        if let Some(error) = sender.last_error().filter(|_| !warned) {
            warned = true;
            let until = match spool {
                Some(_) => "; what cannot be sent waits in the spool".to_owned(),
                None => format!(", until {give_up:?} pass without progress"),
            };
            let text = format!("warning: {error}; trying again{until}");
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

/// Brings the sender to its end, and tells of it.
fn in_background(
    sender: &Sender,
    news: &mpsc::Sender<News>,
    ends: impl FnOnce(&Sender) + Send + 'static,
) -> io::Result<()> {
    let (sender, news) = (sender.clone(), news.clone());
    thread::Builder::new().name("closer".into()).spawn(move || {
        ends(&sender);
        let _ = news.send(News::Closed);
    })?;
    Ok(())
}

/// Waits until everything has left at least once: what came in, and the `found` lines of the spool.
fn drain(sender: &Sender, found: usize) {
    while waiting(&sender.ledger().total(), found) > 0 {
        if sender.flush(TICK).is_ok() {
            // What waits is safe: nobody hurries.
            thread::sleep(TICK);
        }
    }
}

/// Lines that have not left; of `found` lines in the spool, some may not have been seen yet.
fn waiting(total: &Row, found: usize) -> usize {
    total.queued + total.in_flight + total.stored + found.saturating_sub(total.recovered)
}

fn is_refused_token(failure: Option<Failure>) -> bool {
    matches!(failure, Some(Failure::Status { code: 401 | 403, .. }))
}

fn show(bar: &ProgressBar, tally: &Tally, total: &Row) {
    if !bar.is_hidden() {
        bar.set_position(tally.bytes());
        let (done, waiting) = (total.delivered + total.written, total.queued + total.in_flight);
        let [done, waiting, stored] = [done, waiting, total.stored].map(|count| grouped(count as u64));
        bar.set_message(match total.stored {
            0 => format!("{done} lines sent, {waiting} waiting"),
            _ => format!("{done} sent, {waiting} waiting, {stored} in the spool"),
        });
    }
}

/// Notices that nothing moves any more.
#[derive(Debug)]
struct Stall {
    give_up: Duration,
    /// Lines that the spool held at the beginning.
    found: usize,
    /// Lines that were settled or written (or, while the input goes on, stored) when it looked last, and most of all
    /// times.
    last: usize,
    most: usize,
    closing: bool,
    /// When they became more than before, and more than ever.
    moved: Instant,
    grew: Instant,
}

impl Stall {
    /// How many times longer it bears that lines are only sent again, over connections that break.
    const AGAIN: u32 = 10;

    fn new(now: Instant, give_up: Duration, found: usize) -> Self {
        Self { give_up, found, last: 0, most: 0, closing: false, moved: now, grew: now }
    }

    /// Whether lines wait, and have not moved for too long.
    fn see(&mut self, total: &Row, closing: bool, now: Instant) -> bool {
        // Lines that found no room have not moved.
        let dropped = total.dropped.total() - total.dropped.queue_full - total.dropped.store_full;
        let mut there = total.delivered + total.doubtful + dropped + total.written;
        if !closing {
            // As long as lines come in, the spool is a place to go to.
            there += total.stored;
        } else if !core::mem::replace(&mut self.closing, true) {
            (self.last, self.most) = (self.last.min(there), self.most.min(there));
        }
        let waits = waiting(total, self.found) > 0 || (closing && total.written > 0);
        if there > self.last || !waits {
            self.moved = now;
        }
        if there > self.most || !waits {
            self.grew = now;
            self.most = self.most.max(there);
        }
        self.last = there;
        self.is_beyond(now, 1)
    }

    /// Whether half of the patience is used up.
    fn is_near(&self, now: Instant) -> bool {
        self.is_beyond(now, 2)
    }

    fn is_beyond(&self, now: Instant, part: u32) -> bool {
        let longest = self.give_up.saturating_mul(Self::AGAIN);
        now.duration_since(self.moved) >= self.give_up / part || now.duration_since(self.grew) >= longest / part
    }

    /// What waits is safe, and may wait on.
    fn rest(&mut self, now: Instant) {
        (self.moved, self.grew) = (now, now);
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
        let mut stall = Stall::new(start, Duration::from_secs(10), 0);
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
        let mut stall = Stall::new(start, Duration::from_secs(10), 0);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(!stall.see(&row(0, 5, 0), false, at(50)));
        assert!(!stall.see(&row(0, 5, 0), true, at(59)));
        assert!(stall.see(&row(0, 5, 0), true, at(60)));
    }

    #[test]
    fn lines_that_find_no_room_are_no_progress() {
        let start = Instant::now();
        let mut stall = Stall::new(start, Duration::from_secs(10), 0);
        let gave_up = (1..1000).find(|second| {
            let mut total = row(5, 0, 0);
            total.dropped.queue_full = *second as usize;
            stall.see(&total, false, start + Duration::from_secs(*second))
        });
        assert_eq!(gave_up, Some(10));
    }

    #[test]
    fn what_the_spool_holds_waits_too_and_may_while_it_is_safe() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut stall = Stall::new(start, Duration::from_secs(10), 5);
        assert!(!stall.see(&row(0, 0, 0), false, at(4)), "five lines are not seen yet");
        assert!(!stall.is_near(at(4)) && stall.is_near(at(5)));
        let mut total = Row::default();
        (total.recovered, total.stored) = (5, 5);
        assert!(!stall.see(&total, false, at(6)));
        total.stored = 6;
        assert!(!stall.see(&total, false, at(15)), "the spool takes what comes in");
        stall.rest(at(20));
        assert!(!stall.see(&total, true, at(29)), "the end");
        stall.rest(at(9));
        assert!(!stall.see(&total, true, at(18)));
        assert!(stall.see(&total, true, at(19)));
        (total.delivered, total.stored) = (5, 0);
        assert!(!stall.see(&total, true, at(19)));
        assert!(!stall.see(&total, true, at(100)), "nothing waits any more");
    }

    #[test]
    fn a_connection_that_breaks_again_and_again_is_no_progress() {
        let start = Instant::now();
        let mut stall = Stall::new(start, Duration::from_secs(10), 0);
        let broke = (1..1000).find(|second| {
            let written = (second % 5) as usize;
            stall.see(&row(5 - written, written, 0), false, start + Duration::from_secs(*second))
        });
        assert_eq!(broke, Some(4 + 100));
    }
}
