//! The driver itself, for blocking transports and for async ones.

use core::convert::Infallible;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use super::access::{Access, Unsent};
use crate::delivery::{Action, Cut, InFlight, Ledger, Millis, Outcome, Ticket};
use crate::transport::{Accepted, AsyncTransport, Failure, Transport, TransportError};
use crate::{Encode, KindSet, Rules};

/// When the driver is to be called again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Next {
    /// At once: there may be more to do.
    Now,
    /// Then, or when something was queued.
    At(Millis),
    /// When something was queued.
    Idle,
}

/// What a flush came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a flush may have left lines behind"]
#[non_exhaustive]
pub struct Flushed {
    /// Lines from before the flush that still wait.
    pub left: usize,
    /// Lines that were dropped or became doubtful while it lasted.
    pub lost: usize,
}

impl Flushed {
    /// Whether everything from before the flush was delivered, or written where receivers do not answer.
    pub const fn is_complete(&self) -> bool {
        self.left == 0 && self.lost == 0
    }
}

/// Takes lines from a queue to a receiver.
///
/// `Q` is the queue or a way to it ([`Access`]), `T` a [`Transport`] or an [`AsyncTransport`]. One batch is under way
/// at a time, so lines of a kind arrive in order. A queue has one driver.
#[derive(Debug)]
pub struct Uplink<Q: Access, T> {
    queue: Q,
    transport: T,
    kinds: KindSet,
    /// The batch under way. It stands here, not in a future: a future that is dropped takes nothing with it.
    out: Option<InFlight<Q::Buf>>,
}

impl<Q: Access, T> Uplink<Q, T> {
    /// A driver that takes all kinds from `queue` to `transport`.
    pub const fn new(queue: Q, transport: T) -> Self {
        Self { queue, transport, kinds: KindSet::ALL, out: None }
    }

    /// The queue.
    pub const fn queue(&mut self) -> &mut Q {
        &mut self.queue
    }

    /// The transport.
    pub const fn transport(&mut self) -> &mut T {
        &mut self.transport
    }

    pub(super) const fn kinds(&self) -> KindSet {
        self.kinds
    }

    pub(super) const fn parts(&mut self) -> (&mut Q, &mut T) {
        (&mut self.queue, &mut self.transport)
    }

    /// See [`Access::send`].
    ///
    /// # Errors
    /// As there.
    pub fn send<D: Encode>(&mut self, datum: &D, rules: &Rules<'_>, scratch: &mut [u8]) -> Result<(), Unsent> {
        self.queue.send(datum, rules, scratch)
    }

    /// What became of every line so far; nothing where the queue is in use by somebody else.
    pub fn ledger(&mut self) -> Ledger {
        self.queue.with(|queue| queue.ledger()).unwrap_or_default()
    }

    /// Makes what is queued leave without waiting for company, and returns what [`left`](Self::left) wants to know.
    /// `None`: the queue is in use by somebody else.
    pub fn begin_flush(&mut self) -> Option<Ticket> {
        self.queue.with(|queue| queue.flush())
    }

    /// How many lines from before the ticket still wait; none are left once they are delivered, written or dropped.
    pub fn left(&mut self, ticket: &Ticket) -> usize {
        self.queue.with(|queue| queue.left(ticket)).unwrap_or(usize::MAX)
    }

    /// Takes the next batch out of the queue; else says when there may be one.
    fn take(&mut self, now: Millis) -> Result<(), Next> {
        // Its future was dropped half-way: the receiver may have it, or not.
        self.settle(Outcome::Retry { done: 0, after: None }, false, None, now);
        let Self { queue, kinds, out, .. } = self;
        if out.is_some() {
            return Err(Next::Now);
        }
        let action = queue.with(|queue| match queue.poll(now, *kinds, Cut::NONE) {
            Action::Send(token) => {
                *out = Some(token);
                Ok(())
            }
            Action::WaitUntil(at) => Err(Next::At(at)),
            Action::Idle => Err(Next::Idle),
        });
        action.unwrap_or(Err(Next::Now))
    }

    /// Hands the batch under way back, if there is one.
    pub(super) fn settle(&mut self, outcome: Outcome, broken: bool, last: Option<u64>, now: Millis) {
        let Self { queue, kinds, out, .. } = self;
        if out.is_none() && !broken {
            return;
        }
        let last = last.map(|last| u32::try_from(last).unwrap_or(u32::MAX));
        let outcome = match (outcome, last) {
            (Outcome::Written, Some(last)) => Outcome::Unacknowledged(last),
            (outcome, _) => outcome,
        };
        queue.with(|queue| {
            if let Some(token) = out.take() {
                queue.outcome(token, outcome, now);
            }
            if broken {
                // What was written on the same connection before may be lost with it.
                queue.broke(*kinds, last, now);
            }
        });
    }

    /// Books what `finish` said at the end; whether there is nothing more to wait for.
    fn finished<E: TransportError>(&mut self, result: &Result<(), E>, last: Option<u64>, now: Millis) -> bool {
        match result {
            Ok(()) => {
                let kinds = self.kinds;
                self.queue.with(|queue| queue.confirm(kinds));
            }
            Err(_) => self.settle(Outcome::Unreachable, true, last, now),
        }
        let ticket = self.begin_flush();
        ticket.is_none_or(|ticket| self.left(&ticket) == 0)
    }

    /// Takes no more lines, and makes those that are there leave; whether none are left. To be asked again.
    pub fn begin_close(&mut self) -> bool {
        let left = self.queue.with(|queue| {
            queue.close();
            let ticket = queue.flush();
            queue.left(&ticket)
        });
        left == Some(0)
    }

    /// Gives up what is left, and says what became of everything: the end of a close that
    /// [began](Self::begin_close) before.
    pub fn end_close(&mut self, now: Millis) -> Ledger {
        self.queue.with(|queue| queue.abandon());
        self.settle(Outcome::Retry { done: 0, after: None }, false, None, now);
        self.ledger()
    }

    /// Lines that were dropped or became doubtful so far.
    pub fn lost(&mut self) -> usize {
        self.queue.with(|queue| queue.lost_lines()).unwrap_or(0)
    }
}

impl<Q: Access, T: Transport> Uplink<Q, T> {
    /// Sends one batch if there is one to send, waiting until the transport is done with it, and says when to come
    /// back.
    ///
    /// `now` is the time of the call; waits after a failure count from there.
    pub fn poll(&mut self, now: Millis) -> Next {
        if let Err(next) = self.take(now) {
            return next;
        }
        if let Some(token) = &self.out {
            let result = self.transport.send(token.batch());
            let last = self.transport.unacknowledged();
            self.settle(Outcome::of(&result), is_broken(&result), last, now);
        }
        Next::Now
    }

    /// Looks whether the connection still stands, so that lines written to one that is gone are sent again. For
    /// connections that say so before the next batch does.
    pub fn probe(&mut self, now: Millis) {
        let broken = self.transport.probe().is_err();
        let last = self.transport.unacknowledged();
        match last {
            Some(last) if !broken => {
                let (kinds, last) = (self.kinds, u32::try_from(last).unwrap_or(u32::MAX));
                self.queue.with(|queue| queue.acknowledged(kinds, last, now));
            }
            _ => self.settle(Outcome::Unreachable, broken, last, now),
        }
    }

    /// Sends everything that is queued, for at most `timeout` and the time of one batch. It turns while it waits; who
    /// wants to sleep calls [`begin_flush`](Self::begin_flush) and goes on with [`poll`](Self::poll).
    pub fn flush(&mut self, clock: impl Fn() -> Millis, timeout: Duration) -> Flushed {
        let deadline = clock().after(timeout);
        let before = self.lost();
        let Some(ticket) = self.begin_flush() else { return Flushed { left: usize::MAX, lost: 0 } };
        loop {
            let now = clock();
            let left = self.left(&ticket);
            if left == 0 || now >= deadline {
                return Flushed { left, lost: self.lost().wrapping_sub(before) };
            }
            self.poll(now);
        }
    }

    /// Takes no more lines, sends those that are there, and ends the connection, for at most `timeout` and the time of
    /// one batch; what is left then is dropped. Says what became of everything.
    pub fn close(&mut self, clock: impl Fn() -> Millis, timeout: Duration) -> Ledger {
        let deadline = clock().after(timeout);
        loop {
            let now = clock();
            if self.begin_close() {
                let result = self.transport.finish(deadline.since(now));
                let last = self.transport.unacknowledged();
                if self.finished(&result, last, clock()) {
                    break;
                }
            }
            if now >= deadline {
                break;
            }
            self.poll(now);
        }
        self.end_close(clock())
    }
}

impl<Q: Access, T: AsyncTransport> Uplink<Q, T> {
    /// Sends one batch if there is one to send, and says when to come back.
    ///
    /// The future may be dropped: what it was about to send is then sent again.
    pub async fn step(&mut self, clock: impl Fn() -> Millis) -> Next {
        if let Err(next) = self.take(clock()) {
            return next;
        }
        if let Some(token) = &self.out {
            let result = self.transport.send(token.batch()).await;
            self.settle(Outcome::of(&result), is_broken(&result), None, clock());
        }
        Next::Now
    }

    /// Sends what is queued, for as long as it is polled. The future may be dropped, and another one made.
    ///
    /// `wait` is done at the time that its argument says, and, if that is to be quick, when something was queued; it
    /// may be done sooner.
    pub async fn run(&mut self, clock: impl Fn() -> Millis, wait: impl AsyncFn(Next)) -> Infallible {
        loop {
            match self.step(&clock).await {
                // Others have their turn, too, while there is more to send.
                Next::Now => yield_once().await,
                next => wait(next).await,
            }
        }
    }

    /// As [`close`](Self::close) of blocking transports: takes no more lines, sends those that are there, and ends the
    /// connection, for at most `timeout`; what is left then is dropped. `wait` is that of [`run`](Self::run).
    pub async fn close_async(
        &mut self,
        clock: impl Fn() -> Millis,
        wait: impl AsyncFn(Next),
        timeout: Duration,
    ) -> Ledger {
        let deadline = clock().after(timeout);
        {
            let mut drain = pin!(self.drain(&clock, &wait));
            let mut limit = pin!(async {
                while clock() < deadline {
                    wait(Next::At(deadline)).await;
                }
            });
            poll_fn(|context| match drain.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => limit.as_mut().poll(context),
            })
            .await;
        }
        self.end_close(clock())
    }

    async fn drain(&mut self, clock: &impl Fn() -> Millis, wait: &impl AsyncFn(Next)) {
        loop {
            if self.begin_close() {
                let result = self.transport.finish().await;
                if self.finished(&result, None, clock()) {
                    return;
                }
            }
            match self.step(clock).await {
                Next::Now => yield_once().await,
                next => wait(next).await,
            }
        }
    }
}

pub(super) fn is_broken<E: TransportError>(result: &Result<Accepted, E>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == Failure::Broken)
}

async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if core::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    extern crate std;

    use core::cell::{Cell, RefCell};
    use core::future;
    use core::task::{Context, Waker};
    use std::vec::Vec;

    use super::*;
    use crate::delivery::{Config, Refused};
    use crate::transport::{Batch, ready};
    use crate::uplink::Queue;
    use crate::{DeltaCounter, Kind, Metric};

    const KINDS: [Kind; 2] = [Kind::Metric, Kind::Delta];
    const RULES: Rules<'_> = Rules::new().default_source("s");

    /// Does what it is told to, once each, then accepts.
    #[derive(Default)]
    struct Wire {
        script: Vec<Step>,
        lines: Vec<u8>,
        finished: u32,
    }

    #[derive(Clone, Copy)]
    enum Step {
        Fail(Failure),
        Hang,
    }

    #[derive(Debug)]
    struct Failed(Failure);

    impl core::fmt::Display for Failed {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str("failed")
        }
    }

    impl core::error::Error for Failed {}

    impl TransportError for Failed {
        fn kind(&self) -> Failure {
            self.0
        }
    }

    impl Wire {
        fn new(script: &[Step]) -> Self {
            Self { script: script.iter().rev().copied().collect(), ..Self::default() }
        }

        fn go(&mut self, batch: Batch<'_>) -> Option<Result<Accepted, Failed>> {
            match self.script.pop() {
                Some(Step::Fail(failure)) => Some(Err(Failed(failure))),
                Some(Step::Hang) => None,
                None => {
                    self.lines.extend_from_slice(batch.bytes);
                    Some(Ok(Accepted::Written))
                }
            }
        }

        fn values(&self) -> Vec<&str> {
            let text = core::str::from_utf8(&self.lines).unwrap();
            text.lines().map(|line| line.split(' ').nth(1).unwrap()).collect()
        }
    }

    impl Transport for Wire {
        type Error = Failed;

        fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Failed> {
            self.go(batch).unwrap()
        }

        fn finish(&mut self, _: Duration) -> Result<(), Failed> {
            self.finished += 1;
            Ok(())
        }
    }

    impl AsyncTransport for Wire {
        type Error = Failed;

        async fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Failed> {
            match self.go(batch) {
                Some(result) => result,
                None => future::pending().await,
            }
        }

        async fn finish(&mut self) -> Result<(), Failed> {
            self.finished += 1;
            Ok(())
        }
    }

    fn metric(uplink: &mut impl Access, value: u32) -> Result<(), Unsent> {
        uplink.send(&Metric::new("m", value.into()), &RULES, &mut [0; 64])
    }

    /// A clock that goes on by a millisecond each time.
    fn clock() -> impl Fn() -> Millis {
        let now = Cell::new(0);
        move || {
            now.set(now.get() + 1);
            Millis(now.get())
        }
    }

    const SOON: Duration = Duration::from_secs(60);

    #[test]
    fn lines_arrive_in_order_and_failures_are_tried_again() {
        let mut segments = [[0; 64]; 4];
        let script = [Step::Fail(Failure::Connect), Step::Fail(Failure::Timeout)];
        let mut uplink = Uplink::new(Queue::over(&mut segments, KINDS, Config::DEFAULT), Wire::new(&script));
        for value in 0..8 {
            metric(uplink.queue(), value).unwrap();
        }
        let clock = clock();
        let flushed = uplink.flush(&clock, SOON);
        assert!(flushed.is_complete(), "{flushed:?}");
        assert_eq!(uplink.transport().values(), ["0.0", "1.0", "2.0", "3.0", "4.0", "5.0", "6.0", "7.0"]);
        let row = *uplink.ledger().row(Kind::Metric);
        assert_eq!((row.written + row.delivered, row.resent > 0), (8, true));
        let ledger = uplink.close(&clock, SOON);
        assert_eq!((ledger.total().delivered, ledger.total().unsettled()), (8, 0));
        assert_eq!(metric(uplink.queue(), 9), Err(Unsent::Refused(Refused::Closed)));
        assert_eq!(uplink.transport().finished, 1);
    }

    #[test]
    fn a_batch_waits_for_company_and_poll_says_how_long() {
        let mut segments = [[0; 64]; 4];
        let mut uplink = Uplink::new(Queue::over(&mut segments, KINDS, Config::DEFAULT), Wire::default());
        assert_eq!(uplink.poll(Millis(0)), Next::Idle);
        metric(uplink.queue(), 1).unwrap();
        assert_eq!(uplink.poll(Millis(10)), Next::At(Millis(5000)));
        assert_eq!(uplink.poll(Millis(5000)), Next::Now);
        assert_eq!(uplink.transport().values(), ["1.0"]);
    }

    #[test]
    fn what_time_does_not_suffice_for_is_said() {
        let mut segments = [[0; 64]; 4];
        let script = [Step::Fail(Failure::Connect); 100];
        let mut uplink = Uplink::new(Queue::over(&mut segments, KINDS, Config::DEFAULT), Wire::new(&script));
        metric(uplink.queue(), 1).unwrap();
        let clock = clock();
        assert_eq!(uplink.flush(&clock, Duration::from_millis(50)), Flushed { left: 1, lost: 0 });
        let ledger = uplink.close(&clock, Duration::from_millis(50));
        assert_eq!((ledger.total().dropped.closed, ledger.is_balanced()), (1, true));

        let mut segments = [[0; 64]; 4];
        let script = [Step::Fail(Failure::Status { code: 400, retry_after: None })];
        let mut uplink = Uplink::new(Queue::over(&mut segments, KINDS, Config::DEFAULT), Wire::new(&script));
        metric(uplink.queue(), 1).unwrap();
        assert_eq!(uplink.flush(&clock, SOON), Flushed { left: 0, lost: 1 });
    }

    #[test]
    fn a_broken_connection_brings_written_lines_back_or_into_doubt() {
        let mut segments = [[0; 64]; 6];
        let mut uplink = Uplink::new(Queue::over(&mut segments, KINDS, Config::DEFAULT), Wire::default());
        let clock = clock();
        metric(uplink.queue(), 1).unwrap();
        uplink.send(&DeltaCounter::new("d", 2.0), &RULES, &mut [0; 64]).unwrap();
        assert!(uplink.flush(&clock, SOON).is_complete());
        metric(uplink.queue(), 3).unwrap();
        uplink.transport().script.push(Step::Fail(Failure::Broken));
        assert_eq!(uplink.flush(&clock, SOON), Flushed { left: 0, lost: 1 }, "the delta");
        assert_eq!(uplink.transport().values(), ["1.0", "2.0", "1.0", "3.0"]);
        let ledger = uplink.close(&clock, SOON);
        assert_eq!((ledger.total().delivered, ledger.row(Kind::Delta).doubtful), (2, 1));
    }

    #[test]
    fn a_future_that_is_dropped_takes_nothing_with_it() {
        let mut segments = [[0; 64]; 4];
        let queue = RefCell::new(Queue::over(&mut segments, KINDS, Config::DEFAULT));
        let mut uplink = Uplink::new(&queue, Wire::new(&[Step::Hang]));
        metric(&mut &queue, 1).unwrap();
        uplink.begin_flush().unwrap();
        let clock = clock();
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(uplink.step(&clock)).poll(&mut context).is_pending());
        assert_eq!(uplink.ledger().total().in_flight, 1);
        // Others use the queue while the batch is under way.
        metric(&mut &queue, 2).unwrap();
        let wait = async |_| yield_once().await;
        let ledger = ready_after_turns(uplink.close_async(&clock, wait, SOON));
        assert_eq!(uplink.transport().values(), ["1.0", "2.0"]);
        assert_eq!((ledger.total().delivered, ledger.total().resent, ledger.total().unsettled()), (2, 1, 0));
    }

    #[test]
    fn a_receiver_that_hangs_does_not_hang_the_close() {
        let mut segments = [[0; 64]; 4];
        let queue = Queue::over(&mut segments, KINDS, Config::DEFAULT);
        let mut uplink = Uplink::new(queue, Wire::new(&[Step::Hang]));
        metric(uplink.queue(), 1).unwrap();
        let ledger = ready_after_turns(uplink.close_async(clock(), async |_| yield_once().await, SOON));
        assert_eq!((ledger.total().dropped.closed, ledger.total().unsettled()), (1, 0));
        assert!(ledger.is_balanced());
        assert_eq!(ready(uplink.step(clock())), Next::Idle, "and the segment is free again");
    }

    #[test]
    fn run_sends_until_it_is_dropped() {
        let mut segments = [[0; 64]; 4];
        let queue = RefCell::new(Queue::over(&mut segments, KINDS, Config::DEFAULT));
        let mut uplink = Uplink::new(&queue, Wire::default());
        let clock = clock();
        {
            let mut run = pin!(uplink.run(&clock, async |_| yield_once().await));
            let mut context = Context::from_waker(Waker::noop());
            for value in 0..8 {
                metric(&mut &queue, value).unwrap();
                assert!(run.as_mut().poll(&mut context).is_pending());
            }
            (&queue).with(|queue| queue.flush());
            for _ in 0..20 {
                assert!(run.as_mut().poll(&mut context).is_pending());
            }
        }
        assert_eq!(uplink.transport().values().len(), 8);
    }

    #[test]
    fn a_queue_in_use_is_said_to_be_so() {
        let mut segments = [[0; 64]; 4];
        let queue = RefCell::new(Queue::over(&mut segments, KINDS, Config::DEFAULT));
        let mut uplink = Uplink::new(&queue, Wire::default());
        (&queue).with(|_| {
            assert_eq!(metric(&mut &queue, 1), Err(Unsent::Busy));
            assert_eq!(uplink.poll(Millis(0)), Next::Now);
            assert_eq!(uplink.begin_flush(), None);
        });
        assert_eq!(uplink.ledger().total(), Default::default());
    }

    #[test]
    fn what_makes_no_line_is_counted() {
        let mut segments = [[0; 64]; 4];
        let mut queue = Queue::over(&mut segments, KINDS, Config::DEFAULT);
        queue.send(&DeltaCounter::new("d", 0.0), &RULES, &mut [0; 64]).unwrap();
        assert!(matches!(metric(&mut queue, 1), Ok(())));
        assert!(matches!(
            Access::send(&mut queue, &Metric::new("m", f64::NAN), &RULES, &mut [0; 64]),
            Err(Unsent::Invalid(_))
        ));
        assert!(matches!(
            Access::send(&mut queue, &Metric::new("m", 1.0), &RULES, &mut [0; 9]),
            Err(Unsent::Scratch(_))
        ));
        let ledger = queue.ledger();
        assert_eq!((ledger.row(Kind::Delta).skipped, ledger.row(Kind::Metric).invalid), (1, 1));
        assert_eq!(ledger.total().accepted, 1);
    }

    /// The output of a future that wants to be polled again and again.
    fn ready_after_turns<F: Future>(future: F) -> F::Output {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..1_000_000 {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
        }
        panic!("the future waits for ever")
    }
}
