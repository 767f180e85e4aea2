//! The handle: what an application calls.

use core::cell::RefCell;
use core::convert::Infallible;
use core::time::Duration;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use super::driver::{Shared, deadline};
use super::error::{FlushError, SendError};
use super::stripes::Full;
use super::sync::Instant;
use super::{Endpoint, SenderBuilder};
use crate::delivery::{Encoded, Intake, Ledger, Refused, Ticket};
use crate::line::DefaultTags;
use crate::transport::Failure;
use crate::{Encode, EncodeError, EventForm, Kind, KindSet, Limits, Rules};

/// What [`Sender::send`] does when the queue of a kind is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// Refuses the new line: [`SendError::QueueFull`].
    #[default]
    DropNewest,
    /// Makes room by dropping the oldest lines that are not on their way.
    DropOldest,
    /// Waits for room, at most so long; then as [`DropNewest`](Self::DropNewest).
    Block(Duration),
    /// Leaves it to the store: waits while that is about to take older lines, at most 10 s, and refuses the new line
    /// where it is full or does not work: [`SendError::StoreFull`]. The default where there is a store.
    Store,
}

/// How long [`Overflow::Store`] waits for a store that does not say no.
const STORE_PATIENCE: Duration = Duration::from_secs(10);

/// A client of one endpoint. Clones share one queue; any number of threads may send.
///
/// `send` encodes, queues and returns: it never waits (unless [`Overflow`] says so), never panics, and returns an
/// error that says whose fault it is. What becomes of each line is in the [`ledger`](Self::ledger).
///
/// ```no_run
/// use wavefront_sdk::{Metric, Sender};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sender = Sender::builder("proxy://localhost:2878").source("host-1").build()?;
/// sender.send(Metric::new("new-york.power.usage", 42422.0).tag("datacenter", "dc1"))?;
/// sender.send_metric("new-york.power.usage", 42422.0, None, "localhost", &[("datacenter", "dc1")])?;
/// let ledger = sender.close(std::time::Duration::from_secs(5));
/// assert!(ledger.is_balanced());
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Lines of one thread and kind keep their order within a batch; batches keep theirs where one is in flight at a time
/// (TCP). Over HTTP, with several in flight, batches may overtake each other.
#[derive(Debug, Clone)]
pub struct Sender {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    settings: Settings,
}

/// What a handle needs to know beside the queue.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) default_source: Option<String>,
    pub(super) limits: Limits,
    pub(super) events: EventForm,
    /// Kinds that the endpoint takes.
    pub(super) kinds: KindSet,
    pub(super) overflow: Overflow,
    pub(super) endpoint: Option<Endpoint>,
    /// What data get that have none of their keys.
    pub(super) tags: DefaultTags,
}

impl Settings {
    /// Whether data become the same lines by both.
    pub(super) fn has_rules_of(&self, other: &Self) -> bool {
        self.rules() == other.rules() && self.tags == other.tags
    }

    pub(super) fn rules(&self) -> Rules<'_> {
        let rules = Rules::new().limits(&self.limits).events(self.events);
        match &self.default_source {
            Some(source) => rules.default_source(source),
            None => rules,
        }
    }
}

/// As a place where lines are queued: with what a full queue means to the sender.
impl Intake for &Sender {
    type Error = SendError;

    fn push(&mut self, kind: Kind, lines: &[u8], count: u32) -> Result<(), SendError> {
        Sender::push(self, kind, lines, count)
    }

    fn refuse(&mut self, kind: Kind) {
        self.shared().lock().refuse(kind, 1);
    }

    fn is_full(error: &SendError) -> bool {
        matches!(error, SendError::QueueFull(_) | SendError::StoreFull(_))
    }
}

std::thread_local! {
    /// Where a thread's lines are encoded before the queue's lock is taken.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Most lines are shorter. What is encoded to a `Vec` that has the room for it takes the quickest way.
const ROOM: usize = 4096;

/// Calls `work` with an empty buffer of the thread's own.
pub(super) fn with_scratch<R>(mut work: impl FnMut(&mut Vec<u8>) -> R) -> R {
    SCRATCH
        .try_with(|scratch| {
            let mut scratch = scratch.try_borrow_mut().ok()?;
            scratch.clear();
            scratch.reserve(ROOM);
            Some(work(&mut scratch))
        })
        .ok()
        .flatten()
        // Called from within itself, or while the thread ends.
        .unwrap_or_else(|| work(&mut Vec::new()))
}

impl Sender {
    /// A builder for a sender to `url`; [`Endpoint`] has the table of URLs.
    pub fn builder(url: &str) -> SenderBuilder {
        SenderBuilder::to_url(url)
    }

    pub(super) fn new(shared: Arc<Shared>, settings: Settings) -> Self {
        Self { inner: Arc::new(Inner { shared, settings }) }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Where the lines go; none where the transport is the user's own.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.inner.settings.endpoint.as_ref()
    }

    /// Queues a datum: any type of [`data`](crate::data). A span with logs makes two lines, of two kinds; both are lost
    /// where there is no room for the first.
    ///
    /// It looks at nothing that costs time, so not at whether this process is a fork of the one that made the sender:
    /// in such a process it may say `Ok` until a batch is full, and [`flush`](Self::flush) says what is true.
    ///
    /// # Errors
    /// [`SendError`] says what is wrong with it, or why there is no room.
    pub fn send<D: Encode>(&self, data: D) -> Result<(), SendError> {
        with_scratch(|scratch| {
            let encoded = self.encode(&data, scratch)?;
            encoded.queue(scratch, &mut &*self).map(drop)
        })
    }

    /// Writes a datum to the end of an empty buffer, if the endpoint takes it.
    pub(super) fn encode<D: Encode>(&self, data: &D, scratch: &mut Vec<u8>) -> Result<Encoded, SendError> {
        let kind = data.kind();
        self.admits(kind)?;
        let (rules, tags) = (self.settings().rules(), &self.settings().tags);
        let invalid = |error| self.invalid(kind, error);
        let (lines, end, companion);
        if tags.is_empty() {
            lines = data.encode(&rules, scratch).map_err(invalid)?;
            end = scratch.len();
            companion = data.encode_companion(&rules, scratch).map_err(invalid)?;
        } else {
            lines = data.encode_with(tags, &rules, scratch).map_err(invalid)?;
            end = scratch.len();
            companion = data.encode_companion_with(tags, &rules, scratch).map_err(invalid)?;
        }
        Ok(Encoded { kind, lines, end, companion })
    }

    /// Queues what `encode` writes: lines of one kind.
    pub(super) fn send_encoded(
        &self,
        kind: Kind,
        encode: impl Fn(&mut Vec<u8>) -> Result<u32, EncodeError<Infallible>>,
    ) -> Result<(), SendError> {
        with_scratch(|scratch| {
            self.admits(kind)?;
            let lines = encode(scratch).map_err(|error| self.invalid(kind, error))?;
            self.push(kind, scratch, lines)
        })
    }

    /// Whether a full queue can make [`send`](Self::send) wait.
    pub(super) fn may_wait(&self) -> bool {
        matches!(self.settings().overflow, Overflow::Block(_) | Overflow::Store)
    }

    /// Whether the endpoint takes `kind`.
    pub(super) fn admits(&self, kind: Kind) -> Result<(), SendError> {
        let Settings { kinds, endpoint, .. } = self.settings();
        if kinds.contains(kind) {
            return Ok(());
        }
        let lacks_port = endpoint.as_ref().is_some_and(|endpoint| endpoint.ports().of(kind).is_none());
        let port = match kind {
            Kind::Histogram => "distribution_port",
            Kind::Span | Kind::SpanLogs => "tracing_port",
            _ => "metrics_port",
        };
        Err(if lacks_port { SendError::NoPort { kind, port } } else { SendError::Unsupported(kind) })
    }

    pub(super) fn invalid<F>(&self, kind: Kind, error: EncodeError<F>) -> SendError {
        match error {
            EncodeError::Invalid(invalid) => match self.shared().lock_here() {
                Some(mut hub) => {
                    hub.delivery.view().note(kind, 1, 0);
                    SendError::Invalid(invalid)
                }
                None => SendError::Forked,
            },
            EncodeError::Full(_) => SendError::TooLarge(kind),
        }
    }

    /// Queues finished lines of one kind: whole, checked, with their LFs. None is a datum that had nothing to say.
    #[inline(always)]
    pub(super) fn push(&self, kind: Kind, bytes: &[u8], lines: u32) -> Result<(), SendError> {
        if self.shared().stripes.append(kind, bytes, lines) { Ok(()) } else { self.push_anew(kind, bytes, lines) }
    }

    /// As [`push`](Self::push), where no segment is open that has the room.
    #[inline(never)]
    fn push_anew(&self, kind: Kind, bytes: &[u8], lines: u32) -> Result<(), SendError> {
        let shared = self.shared();
        if lines == 0 {
            shared.lock_here().ok_or(SendError::Forked)?.delivery.view().note(kind, 0, 1);
            return Ok(());
        }
        let mut give_up: Option<Instant> = None;
        loop {
            match shared.stripes.push(&shared.hub, kind, bytes, lines) {
                Ok(wakes) => {
                    if wakes {
                        shared.wake();
                    }
                    return Ok(());
                }
                Err(Full::Refused(refused)) => return Err(refusal(kind, refused)),
                Err(Full::Forked) => return Err(SendError::Forked),
                Err(Full::NoRoom) => {}
            }
            // Nothing more comes in, so a batch need not be full to leave.
            shared.wake();
            let mut hub = shared.lock();
            let waits = match self.settings().overflow {
                Overflow::Block(timeout) if !shared.is_telling() => {
                    Some(*give_up.get_or_insert_with(|| deadline(timeout)))
                }
                Overflow::Store if !shared.is_telling() && hub.store_takes() => {
                    Some(*give_up.get_or_insert_with(|| deadline(STORE_PATIENCE)))
                }
                _ => None,
            };
            // A wake-up that comes between the refusal and the wait is missed: look again soon.
            let soon = deadline(Duration::from_millis(20));
            let waited = waits.filter(|give_up| *give_up > Instant::now()).map(|give_up| give_up.min(soon));
            match waited {
                Some(until) => drop(shared.wait(hub, until)),
                None => {
                    return Err(refusal(kind, hub.refuse(kind, lines)));
                }
            }
        }
    }

    /// Sends the lines that wait now, and waits until they have left: the receiver has them, or, over TCP, the peer's
    /// kernel. With a store, it is done as soon as everything is durable or delivered.
    ///
    /// # Errors
    /// [`FlushError`] where some are left when `timeout` is over; they stay queued. And where lines were lost that
    /// [`send`](Self::send) had taken, since the last flush that said so.
    pub fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        let deadline = deadline(timeout);
        self.await_flush(self.begin_flush()?, deadline)
    }

    pub(super) fn begin_flush(&self) -> Result<Ticket, FlushError> {
        let shared = self.shared();
        if shared.forked() { Err(FlushError::FORKED) } else { Ok(shared.flush()) }
    }

    pub(super) fn await_flush(&self, ticket: Ticket, deadline: Instant) -> Result<(), FlushError> {
        let shared = self.shared();
        let mut hub = shared.lock();
        loop {
            if let Some(result) = hub.flushed(&ticket, false) {
                return result;
            }
            hub = match shared.wait(hub, deadline) {
                Some(hub) => hub,
                None => return shared.lock().flushed(&ticket, true).unwrap_or(Ok(())),
            };
        }
    }

    /// [`flush`](Self::flush) with the time that one request may take: 30 s.
    ///
    /// # Errors
    /// As there.
    pub fn flush_now(&self) -> Result<(), FlushError> {
        self.flush(Duration::from_secs(30))
    }

    /// Takes no more data, delivers what waits, at most for `timeout`, ends the connections, and returns what became of
    /// every line. What is not delivered by then is dropped and counted as such, or is in the store, which has another
    /// 2 s for that. Calling it again does nothing more.
    pub fn close(&self, timeout: Duration) -> Ledger {
        self.shared().close(timeout);
        self.ledger()
    }

    /// What became of every line so far, exact at one instant.
    pub fn ledger(&self) -> Ledger {
        let shared = self.shared();
        if shared.forked() { Ledger::default() } else { shared.account().0 }
    }

    /// How many lines failed so far: dropped, doubtful or invalid.
    pub fn failure_count(&self) -> usize {
        self.ledger().failure_count()
    }

    /// What the last batch that failed failed of, if one did.
    pub fn last_failure(&self) -> Option<Failure> {
        self.shared().lock_here()?.last_failure
    }

    /// What the last batch that failed failed of, in words, if one did. Holds no data and no token.
    pub fn last_error(&self) -> Option<String> {
        self.shared().lock_here()?.last_error.clone()
    }
}

impl Drop for Inner {
    /// The last handle drains for a second at most. In a fork it does nothing.
    fn drop(&mut self) {
        self.shared.close(Duration::from_secs(1));
    }
}

pub(super) fn refusal(kind: Kind, refused: Refused) -> SendError {
    match refused {
        Refused::Full => SendError::QueueFull(kind),
        Refused::StoreFull => SendError::StoreFull(kind),
        Refused::TooLarge => SendError::TooLarge(kind),
        Refused::Closed => SendError::Closed,
        Refused::NoLane => SendError::Unsupported(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metric;
    use crate::line::Sink;

    /// A buffer that only just holds what was written last would never do for the quickest way, which asks for more.
    #[test]
    fn a_thread_s_buffer_has_room_for_a_line_and_more_from_the_first_on() {
        let metric = Metric::new("new-york.power.usage", 42422.0).source("localhost");
        for _ in 0..3 {
            with_scratch(|scratch| {
                assert!(scratch.is_empty() && scratch.put_blank(ROOM).is_some());
                scratch.take_back(ROOM);
                assert_eq!(metric.encode(&Rules::new(), scratch), Ok(1));
            });
        }
    }
}
