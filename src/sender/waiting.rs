//! Waiting without a thread of one's own: `flush` and `close` as futures, for any executor.
//!
//! While anybody waits so, one thread of the sender attends to all of them: it hears what the workers have done, knows
//! the time, and wakes who has something to hear. It ends when nobody waits any more.

use core::future::Future;
use core::panic::AssertUnwindSafe;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::{Arc, PoisonError};
use std::vec::Vec;

use super::Sender;
use super::driver::{Shared, deadline};
use super::error::FlushError;
use super::hub::{Hub, Phase};
use super::sync::{Instant, spawn};
use crate::delivery::{Ledger, Ticket};

/// Who waits without a thread of his own.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    all: Vec<Waiter>,
    last_id: u64,
    /// Whether somebody attends to them.
    attended: bool,
}

#[derive(Debug)]
struct Waiter {
    id: u64,
    awaits: Awaits,
    deadline: Instant,
    /// None where nobody is there to hear of it, and it is done all the same.
    waker: Option<Waker>,
}

#[derive(Debug, Clone, Copy)]
enum Awaits {
    Flush(Ticket),
    Close,
}

impl Waiting {
    /// Puts a waiter in, or gives one that is there another waker. The waker that has no use any more is to be dropped
    /// without the lock: what hangs on it may be anything.
    fn put(&mut self, id: &mut u64, awaits: Awaits, deadline: Instant, waker: Option<Waker>) -> Option<Waker> {
        if let Some(waiter) = self.all.iter_mut().find(|waiter| waiter.id == *id) {
            return core::mem::replace(&mut waiter.waker, waker);
        }
        self.last_id += 1;
        *id = self.last_id;
        self.all.push(Waiter { id: *id, awaits, deadline, waker });
        None
    }

    fn remove(&mut self, id: u64) -> Option<Waker> {
        let at = self.all.iter().position(|waiter| waiter.id == id)?;
        self.all.swap_remove(at).waker
    }
}

impl Hub {
    /// Those who have waited long enough, or for what has happened.
    fn take_due(&mut self) -> Vec<Waiter> {
        if self.waiting.all.is_empty() {
            return Vec::new();
        }
        let now = Instant::now();
        let ended = !self.is_closing();
        let Self { waiting, delivery, .. } = self;
        let is_due = |waiter: &mut Waiter| {
            let done = match waiter.awaits {
                Awaits::Flush(ticket) => delivery.left(&ticket) == 0,
                Awaits::Close => ended,
            };
            done || now >= waiter.deadline
        };
        waiting.all.extract_if(.., is_due).collect()
    }
}

impl Shared {
    /// Makes somebody attend to those who wait. Whether there is somebody.
    fn attend(self: &Arc<Self>) -> bool {
        {
            let mut hub = self.lock();
            if core::mem::replace(&mut hub.waiting.attended, true) {
                // He may sleep for longer than the new one wants.
                self.done.notify_all();
                return true;
            }
        }
        let shared = Arc::clone(self);
        let attends = spawn("wavefront-wait", move || shared.attending());
        if attends.is_ok() {
            return true;
        }
        // Others may have relied on it: they find out for themselves.
        let mut hub = self.lock();
        hub.waiting.attended = false;
        let all = core::mem::take(&mut hub.waiting.all);
        drop(hub);
        all.into_iter().filter_map(|waiter| waiter.waker).for_each(Waker::wake);
        false
    }

    fn attending(&self) {
        let mut hub = self.lock();
        loop {
            let due = hub.take_due();
            if !due.is_empty() {
                drop(hub);
                for Waiter { waker, awaits, .. } in due {
                    match waker {
                        // An executor's code.
                        Some(waker) => drop(catch_unwind(AssertUnwindSafe(|| waker.wake()))),
                        None if matches!(awaits, Awaits::Close) => self.end_close(),
                        None => {}
                    }
                }
                if self.forked() {
                    return;
                }
                hub = self.lock();
                continue;
            }
            let Some(next) = hub.waiting.all.iter().map(|waiter| waiter.deadline).min() else {
                hub.waiting.attended = false;
                return;
            };
            let left = next.saturating_duration_since(Instant::now());
            hub = self.done.wait_timeout(hub, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Has a close that nobody waits for ended all the same.
    pub(super) fn attend_close(self: &Arc<Self>) {
        let mut hub = self.lock();
        let Phase::Closing(deadline) = hub.phase else { return };
        let none = hub.waiting.put(&mut 0, Awaits::Close, deadline + self.grace, None);
        drop(hub);
        drop(none);
        self.attend();
    }
}

/// What both futures do.
#[derive(Debug)]
struct Wait {
    sender: Sender,
    timeout: Duration,
    /// None before the first poll, and after the end.
    state: Option<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    awaits: Awaits,
    deadline: Instant,
    id: u64,
}

impl Wait {
    /// Whether it is over, one way or the other.
    fn is_over(&mut self, begin: impl FnOnce(&Shared, Instant) -> Awaits, context: &Context<'_>) -> bool {
        let shared = self.sender.shared();
        let state = self.state.get_or_insert_with(|| {
            let deadline = deadline(self.timeout);
            let awaits = begin(shared, deadline);
            // The store may have its own time at the end.
            let grace = if matches!(awaits, Awaits::Close) { shared.grace } else { Duration::ZERO };
            State { awaits, deadline: deadline + grace, id: 0 }
        });
        // Code of the executor: not under the lock.
        let waker = context.waker().clone();
        let mut hub = shared.lock();
        let done = match state.awaits {
            Awaits::Flush(ticket) => hub.delivery.left(&ticket) == 0,
            Awaits::Close => !hub.is_closing(),
        };
        if done || Instant::now() >= state.deadline || shared.is_telling() {
            return true;
        }
        let old = hub.waiting.put(&mut state.id, state.awaits, state.deadline, Some(waker));
        drop(hub);
        drop(old);
        // Where the system gives no thread, there is nobody to wait for.
        !shared.attend()
    }

    /// Forgets the waiter.
    fn end(&mut self) {
        let Some(State { id, .. }) = self.state.take() else { return };
        if id != 0
            && let Some(mut hub) = self.sender.shared().lock_here()
        {
            let old = hub.waiting.remove(id);
            drop(hub);
            drop(old);
        }
    }
}

/// A flush under way: see [`Sender::flush_async`]. It begins when it is first polled. Dropping it ends the waiting, not
/// the flush.
#[derive(Debug)]
#[must_use = "a flush begins when the future is polled"]
pub struct FlushFuture(Wait);

impl Future for FlushFuture {
    type Output = Result<(), FlushError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let wait = &mut self.0;
        if wait.sender.shared().forked() {
            return Poll::Ready(Err(FlushError::FORKED));
        }
        if !wait.is_over(|shared, _| Awaits::Flush(shared.flush()), context) {
            return Poll::Pending;
        }
        let awaits = wait.state.map(|state| state.awaits);
        wait.end();
        let mut hub = wait.sender.shared().lock();
        let result = match awaits {
            Some(Awaits::Flush(ticket)) => hub.flushed(&ticket, true),
            _ => None,
        };
        Poll::Ready(result.unwrap_or(Ok(())))
    }
}

impl Drop for FlushFuture {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A close under way: see [`Sender::close_async`]. It begins when it is first polled; once begun it goes on, within its
/// time, even if the future is dropped.
#[derive(Debug)]
#[must_use = "a close begins when the future is polled"]
pub struct CloseFuture(Wait);

impl Future for CloseFuture {
    type Output = Ledger;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ledger> {
        let wait = &mut self.0;
        if wait.sender.shared().forked() {
            return Poll::Ready(Ledger::default());
        }
        let begin = |shared: &Shared, deadline| {
            shared.begin_close(deadline);
            Awaits::Close
        };
        if !wait.is_over(begin, context) {
            return Poll::Pending;
        }
        wait.end();
        let shared = wait.sender.shared();
        if shared.is_telling() {
            shared.attend_close();
        } else {
            shared.end_close();
        }
        Poll::Ready(wait.sender.ledger())
    }
}

impl Drop for CloseFuture {
    fn drop(&mut self) {
        if self.0.state.is_some() && !self.0.sender.shared().forked() {
            self.0.sender.shared().attend_close();
        }
        self.0.end();
    }
}

impl Sender {
    /// As [`flush`](Self::flush), without blocking the thread: for any executor. It begins when it is first polled, and
    /// may be dropped at any time: the lines leave all the same.
    ///
    /// ```
    /// # use wavefront_sdk::{Metric, sender::SenderBuilder, transport::Memory};
    /// # use std::time::Duration;
    /// # let memory = Memory::new();
    /// # let sender = SenderBuilder::over(memory.clone()).build()?;
    /// # let example = async {
    /// sender.send(Metric::new("a", 1.0).source("localhost"))?;
    /// sender.flush_async(Duration::from_secs(5)).await?;
    /// # assert_eq!(memory.lines(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # };
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(example)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`flush`](Self::flush); also where the system gives no thread that could wait.
    pub fn flush_async(&self, timeout: Duration) -> FlushFuture {
        FlushFuture(Wait { sender: self.clone(), timeout, state: None })
    }

    /// As [`close`](Self::close), without blocking the thread: for any executor. It begins when it is first polled;
    /// once begun it goes on within its time, even if the future is dropped.
    ///
    /// ```
    /// # use wavefront_sdk::{Metric, sender::SenderBuilder, transport::Memory};
    /// # use std::time::Duration;
    /// # let sender = SenderBuilder::over(Memory::new()).build()?;
    /// # let example = async {
    /// sender.send(Metric::new("a", 1.0).source("localhost"))?;
    /// let ledger = sender.close_async(Duration::from_secs(5)).await;
    /// assert_eq!(ledger.total().delivered, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # };
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(example)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close_async(&self, timeout: Duration) -> CloseFuture {
        CloseFuture(Wait { sender: self.clone(), timeout, state: None })
    }
}
