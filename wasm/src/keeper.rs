//! The store of a sender, which JavaScript keeps (IndexedDB): what is to be done for it, and what came of that. Order, bounds
//! and accounting are the core's.

use wavefront_sdk::delivery::{Errand, Job, Keep, Mode, Reply, Request, Spool};
use wavefront_sdk::store::{Footprint, Head, StoreFailure};
use wavefront_sdk::uplink::Access;

use crate::border::Core;
use crate::driver::{duration, millis};
use crate::pipe::{Pipe, Segment};

pub(crate) struct Keeper {
    spool: Spool,
    /// What JavaScript is at.
    pub(crate) job: Option<Job<Segment>>,
}

const fn mode(always: bool) -> Mode {
    if always { Mode::Always } else { Mode::Overflow }
}

/// What is said of a record: what to do (0 put, 1 next, 2 read, 3 remove), kind, key, lines, bytes, and where these are.
fn words(what: u32, head: Head, at: usize) -> ([u32; 6], f64) {
    ([what, head.kind as u32, head.key, head.lines, head.bytes, at as u32], head.born as f64)
}

impl Core {
    /// Gives a sender a store with room for `bytes`, for `age` ms. Until the store was looked through nothing leaves.
    pub(crate) fn store_attach(&mut self, pipe: u32, always: bool, bytes: f64, age: f64) {
        let Some(pipe) = self.pipe(pipe) else { return };
        let keep = Keep::new(mode(always)).bytes(bytes as u64).age(duration(age));
        let spool = pipe.uplink.queue().with(|view| Spool::new(keep, Footprint::EXACT, view));
        pipe.keeper = spool.map(|spool| Keeper { spool, job: None });
    }

    /// What to do for the store at `now`, ms since 1970: wait for as many ms, -1 for until something happens, or -2: what the
    /// words say, of a record that was born at the first number.
    pub(crate) fn store_due(&mut self, pipe: u32, now: f64) -> f64 {
        let Some(Pipe { uplink, keeper: Some(keeper), .. }) = self.pipe(pipe) else { return -1.0 };
        let at = millis(now);
        let errand = uplink.queue().with(|view| keeper.spool.poll(view, at, now as u64));
        let mut job = match errand {
            Some(Errand::Do(job)) => job,
            Some(Errand::WaitUntil(until)) => return until.0.saturating_sub(at.0) as f64,
            Some(Errand::Idle) | None => return -1.0,
        };
        let (words, born) = match job.request() {
            Request::Put(head, lines) => words(0, head, lines.as_ptr() as usize),
            Request::Next(kind, from) => words(1, Head::new(kind, from, 0, 0, 0), 0),
            Request::Read(head, into) => words(2, head, into.as_mut_ptr() as usize),
            Request::Remove(kind, key) => words(3, Head::new(kind, key, 0, 0, 0), 0),
            _ => return -1.0,
        };
        keeper.job = Some(job);
        self.say(&words);
        if let Some(number) = self.numbers.first_mut() {
            *number = born;
        }
        -2.0
    }

    /// What came of it: 0 done, 1 nothing found, 2 found what the words say (key, lines, bytes) and the first number (born),
    /// 3 no room, 4 damaged, 5 the store does not work. Returns how many lines were lost with a record; the words are their
    /// kind, and why: 0 too old, 1 for want of room, 2 damaged.
    pub(crate) fn store_reply(&mut self, pipe: u32, reply: u32, now: f64) -> u32 {
        let (found, born) = (self.words.first_chunk::<3>().copied(), self.numbers.first().copied());
        let Some(Pipe { uplink, keeper: Some(Keeper { spool, job }), .. }) = self.pipe(pipe) else { return 0 };
        let Some(job) = job.take() else { return 0 };
        let result = match (reply, found) {
            (0, _) => Ok(Reply::Done),
            (1, _) => Ok(Reply::Found(None)),
            (2, Some([key, lines, bytes])) => {
                Ok(Reply::Found(Some(Head::new(job.kind(), key, lines, bytes, born.unwrap_or_default() as u64))))
            }
            (3, _) => Err(StoreFailure::Full),
            (4, _) => Err(StoreFailure::Damaged),
            _ => Err(StoreFailure::Unavailable),
        };
        let settled = uplink.queue().with(|view| spool.settle(view, job, result, millis(now)));
        let Some(loss) = settled.flatten() else { return 0 };
        let why = match loss.failure {
            None => 0,
            Some(StoreFailure::Full) => 1,
            Some(_) => 2,
        };
        self.say(&[loss.kind as u32, why]);
        loss.lines as u32
    }

    /// From now on everything goes into the store before it is sent, or only what cannot be sent.
    pub(crate) fn store_mode(&mut self, pipe: u32, always: bool) {
        if let Some(Pipe { keeper: Some(keeper), .. }) = self.pipe(pipe) {
            keeper.spool.set_mode(mode(always));
        }
    }

    /// From now on nothing is sent, and everything goes into the store; whether that is done, or cannot be.
    pub(crate) fn store_last(&mut self, pipe: u32) -> bool {
        let Some(Pipe { uplink, keeper: Some(keeper), .. }) = self.pipe(pipe) else { return true };
        let done = uplink.queue().with(|view| {
            keeper.spool.last(view);
            keeper.spool.is_done(view)
        });
        done != Some(false)
    }
}
