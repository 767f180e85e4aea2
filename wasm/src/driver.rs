//! What JavaScript asks and tells while it carries lines away.

use alloc::boxed::Box;
use core::time::Duration;

use wavefront_sdk::Kind;
use wavefront_sdk::delivery::{Cut, Millis, Outcome, Ticket};
use wavefront_sdk::transport::Failure;
use wavefront_sdk::uplink::Due;

use crate::border::Core;
use crate::fault::Fault;
use crate::pipe::{Pipe, Settings};

pub(crate) fn duration(millis: f64) -> Duration {
    // A cast of a double ends at the bounds, and makes 0 of NaN.
    Duration::from_millis(millis as u64)
}

pub(crate) fn millis(now: f64) -> Millis {
    Millis(now as u64)
}

impl Core {
    /// Makes a sender: source, and tags for everything it sends; `direct` is ingestion without a proxy. Says which one it is.
    pub(crate) fn open(
        &mut self,
        strings: u32,
        queue_lines: u32,
        batch_lines: u32,
        flush_interval: f64,
        patience: f64,
        direct: bool,
    ) -> i32 {
        let settings = Settings { queue_lines, batch_lines, flush_interval, patience, direct };
        let Ok(parts) = self.parts(strings, 0) else { return Fault::Gone.code() };
        let pipe = Pipe::new(parts.strings, &settings);
        self.pipes.push(Some(Box::new(pipe)));
        self.pipes.len() as i32 - 1
    }

    /// What the jitter of the waits begins with: only once there is randomness.
    pub(crate) fn seed(&mut self, pipe: u32, seed: u32) {
        if let Some(pipe) = self.pipe(pipe) {
            pipe.uplink.queue().view().reseed(seed);
        }
    }

    /// Counts a datum of `kind` that was no datum at all.
    pub(crate) fn note_invalid(&mut self, pipe: u32, kind: u32) {
        if let (Some(pipe), Some(kind)) = (self.pipe(pipe), Kind::ALL.get(kind as usize)) {
            pipe.note_invalid(*kind);
        }
    }

    /// What to do at `now` (ms) with batches of at most `limit` bytes and `most` requests at once: wait for as many ms, -1
    /// for until something happens, or -2: send the batch that the words speak of (its number, kind, lines, where it begins,
    /// how long it is).
    pub(crate) fn due(&mut self, pipe: u32, now: f64, most: u32, limit: u32) -> f64 {
        let Some(pipe) = self.pipe(pipe) else { return -1.0 };
        pipe.looked();
        let now = millis(now);
        let number = match pipe.uplink.due(now, most as usize, Cut { lines: u32::MAX, bytes: limit as usize }) {
            Due::Send(number) => number,
            Due::At(at) => return at.0.saturating_sub(now.0) as f64,
            Due::Idle => return -1.0,
        };
        let Some(batch) = pipe.uplink.batch(number) else { return -1.0 };
        let (at, len) = (batch.bytes.as_ptr() as usize as u32, batch.bytes.len() as u32);
        let words = [number, batch.kind as u32, batch.lines, at, len];
        self.say(&words);
        -2.0
    }

    /// How a request went: `failure` 0 is 2xx, 1 no connection, 2 no answer, 3 a broken connection, 4 `status`, with the wait
    /// it asks for in ms or -1, 5 a kind that cannot be sent, 6 sent where there is no answer.
    ///
    /// Returns what came of it: 0 nothing any more, 1 delivered, 2 kept, 3 kept because of the token, 4 tried again in
    /// smaller batches, 5 dropped as too large, 6 dropped for good. The words are how many lines were settled, how many
    /// are kept, and the tag (0 is none).
    pub(crate) fn answer(
        &mut self,
        pipe: u32,
        number: u32,
        failure: u32,
        status: u32,
        retry_after: f64,
        now: f64,
    ) -> u32 {
        let Some(pipe) = self.pipe(pipe) else { return 0 };
        let code = status as u16;
        let retry_after = (retry_after >= 0.0).then(|| duration(retry_after));
        let outcome = match failure {
            0 => Some(Outcome::Delivered),
            6 => Some(Outcome::Written),
            _ => None,
        };
        let failure = match failure {
            1 => Failure::Connect,
            2 => Failure::Timeout,
            4 => Failure::Status { code, retry_after },
            5 => Failure::Unsupported,
            _ => Failure::Broken,
        };
        let outcome = outcome.unwrap_or_else(|| Outcome::of_failure(failure, 0));
        let (tag, lines) = (pipe.uplink.tag(number), pipe.uplink.batch(number).map(|batch| batch.lines));
        let Some(report) = pipe.uplink.answer(number, outcome, millis(now)) else { return 0 };
        let tag = tag.unwrap_or_default();
        if let (Some((_, watch)), Some(lines)) = (pipe.watches.iter_mut().find(|(known, _)| *known == tag), lines) {
            watch.hear(lines, outcome, report);
        }
        self.say(&[report.settled, report.kept, tag]);
        match outcome {
            Outcome::Delivered | Outcome::Written => 1,
            Outcome::Auth => 3,
            Outcome::TooLarge if report.settled == 0 => 4,
            Outcome::TooLarge => 5,
            Outcome::Rejected(_) => 6,
            _ => 2,
        }
    }

    /// Lets the next datum go ahead of the queue, in batches of its own; the tag by which somebody waits for it.
    pub(crate) fn urgent(&mut self, pipe: u32) -> u32 {
        let Some(pipe) = self.pipe(pipe) else { return 0 };
        pipe.last_tag = pipe.last_tag.wrapping_add(1).max(1);
        pipe.next_tag = pipe.last_tag;
        pipe.next_tag
    }

    /// What was heard of such a datum's first try, in the words: how many lines were delivered, are kept and were dropped.
    /// 1 where there is more to hear, 2 where all was delivered, else 0. `over` is 1 where nobody waits any longer, and 2 where
    /// the sender was closed: then the answer is the last.
    pub(crate) fn heard(&mut self, pipe: u32, tag: u32, over: u32) -> u32 {
        let Some(pipe) = self.pipe(pipe) else { return 0 };
        let Some(at) = pipe.watches.iter().position(|(known, _)| *known == tag) else { return 0 };
        let Some((_, mut watch)) = pipe.watches.get(at).copied() else { return 0 };
        let open = watch.is_open();
        if over != 0 {
            watch.end(over == 2);
            pipe.watches.swap_remove(at);
        }
        self.say(&[watch.delivered() as u32, watch.kept() as u32, watch.dropped() as u32]);
        if watch.is_delivered() { 2 } else { open.into() }
    }

    /// Makes everything that is queued leave; the words are what [`left`](Self::left) wants to know of this flush.
    pub(crate) fn begin_flush(&mut self, pipe: u32) -> i32 {
        let Some(pipe) = self.pipe(pipe) else { return Fault::Gone.code() };
        let Some(ticket) = pipe.uplink.begin_flush() else { return Fault::Gone.code() };
        let (lost, [metric, delta, histogram, span, logs, event, tag]) = (pipe.uplink.lost() as u32, ticket.numbers());
        self.say(&[lost, metric, delta, histogram, span, logs, event, tag]);
        0
    }

    /// How many lines from before a flush wait, which is what the words are; how many were lost since is the first word then.
    pub(crate) fn left(&mut self, pipe: u32) -> u32 {
        let Some([before, ticket @ ..]) = self.words.first_chunk::<{ 1 + Kind::COUNT }>().copied() else { return 0 };
        let Some(pipe) = self.pipe(pipe) else { return 0 };
        let (left, lost) = (pipe.uplink.left(&Ticket::of(ticket)) as u32, pipe.uplink.lost() as u32);
        self.say(&[lost.wrapping_sub(before)]);
        left
    }

    /// Takes no more lines; whether none are left.
    pub(crate) fn begin_close(&mut self, pipe: u32) -> bool {
        self.pipe(pipe).is_none_or(|pipe| pipe.uplink.begin_close())
    }

    /// Gives up what is left.
    pub(crate) fn end_close(&mut self, pipe: u32) {
        if let Some(pipe) = self.pipe(pipe) {
            pipe.uplink.queue().view().abandon();
        }
    }

    /// Forgets a sender.
    pub(crate) fn forget(&mut self, pipe: u32) {
        if let Some(pipe) = self.pipes.get_mut(pipe as usize) {
            *pipe = None;
        }
    }

    /// The ledger in the words, row after row: see the names in `js/ledger.js`.
    pub(crate) fn ledger(&mut self, pipe: u32) {
        let Self { pipes, words, .. } = self;
        let Some(Some(pipe)) = pipes.get_mut(pipe as usize) else { return };
        // There is a lane for each kind, in their order.
        for (row, words) in pipe.uplink.queue().view().rows().zip(words.as_chunks_mut::<18>().0) {
            let dropped = row.dropped;
            let counts = [
                row.accepted,
                row.recovered,
                row.delivered,
                row.doubtful,
                dropped.queue_full,
                dropped.rejected,
                dropped.too_large,
                dropped.expired,
                dropped.store_full,
                dropped.damaged,
                dropped.closed,
                row.queued,
                row.in_flight,
                row.written,
                row.stored,
                row.invalid,
                row.skipped,
                row.resent,
            ];
            for (word, count) in words.iter_mut().zip(&counts) {
                *word = *count as u32;
            }
        }
    }
}
