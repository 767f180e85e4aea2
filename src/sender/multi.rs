//! Several senders behind one handle: what is sent goes to all of their endpoints.

use core::fmt;
use core::time::Duration;
use std::string::{String, ToString};
use std::sync::Arc;
use std::vec::Vec;

use super::driver::deadline;
use super::handle::with_scratch;
use super::sync::Instant;
use super::{BuildError, FlushError, SendError, Sender, SenderBuilder};
use crate::Encode;
use crate::delivery::Encoded;
use crate::delivery::Ledger;

/// Sends to all of several endpoints. Clones share the senders.
///
/// Each endpoint has a [`Sender`] of its own: its queue, its threads, its ledger, its store, its own limits and default
/// source. One that is away fills its own queue and no other, and keeps no line from the others; only
/// [`Overflow::Block`](super::Overflow::Block), where it was chosen, makes `send` wait for it, after all others were
/// served.
///
/// ```no_run
/// use std::time::Duration;
/// use wavefront_sdk::{Metric, MultiSender};
/// let both = MultiSender::to(["proxy://proxy-1:2878", "file:/var/log/lines"], |builder| builder.source("host-1"))?;
/// both.send(Metric::new("new-york.power.usage", 42422.0))?;
/// both.close(Duration::from_secs(5));
/// for sender in both.senders() {
///     println!("{:?}: {:?}", sender.endpoint(), sender.ledger().total());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct MultiSender {
    senders: Arc<[Sender]>,
}

/// What went wrong at some of several endpoints; the others took it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MultiError<E> {
    /// Which, by their places among [`MultiSender::senders`], and what each said.
    pub failed: Vec<(usize, E)>,
    /// How many endpoints there are.
    pub of: usize,
    /// What they are called, without a token.
    places: Vec<String>,
}

impl MultiSender {
    /// All of these, in their order.
    pub fn new(senders: impl IntoIterator<Item = Sender>) -> Self {
        Self { senders: senders.into_iter().collect() }
    }

    /// A sender to each of `urls`, with the options that `configure` gives it.
    ///
    /// # Errors
    /// [`BuildError::Destination`] says which of them could not be made, and why.
    pub fn to<'a>(
        urls: impl IntoIterator<Item = &'a str>,
        mut configure: impl FnMut(SenderBuilder) -> SenderBuilder,
    ) -> Result<Self, BuildError> {
        let senders = urls.into_iter().enumerate().map(|(at, url)| {
            let of = |error| BuildError::Destination { number: at + 1, error: std::boxed::Box::new(error) };
            configure(Sender::builder(url)).build().map_err(of)
        });
        Ok(Self { senders: senders.collect::<Result<_, _>>()? })
    }

    /// The senders: for the ledger, the last error and all else of one endpoint.
    pub fn senders(&self) -> &[Sender] {
        &self.senders
    }

    /// Queues a datum for every endpoint. It is checked and encoded once for neighbours whose rules are the same, else
    /// once for each.
    ///
    /// # Errors
    /// [`MultiError`] names the endpoints that did not take it. All others did.
    pub fn send<D: Encode>(&self, data: D) -> Result<(), MultiError<SendError>> {
        let mut failed = with_scratch(|scratch| {
            let mut failed = Vec::new();
            // Whose rules the buffer was written by, and what is in it.
            let mut ready: Option<(&Sender, Encoded)> = None;
            // First all that need not be waited for.
            for waits in [false, true] {
                let turn = self.senders.iter().enumerate().filter(|(_, sender)| sender.may_wait() == waits);
                for (at, sender) in turn {
                    let same = |(other, _): &(&Sender, Encoded)| other.settings().has_rules_of(sender.settings());
                    let encoded = match ready.take().filter(same) {
                        Some((_, encoded)) => sender.admits(encoded.kind).map(|()| encoded),
                        None => {
                            scratch.clear();
                            sender.encode(&data, scratch)
                        }
                    };
                    match encoded {
                        Ok(encoded) => {
                            if let Err(error) = encoded.queue(scratch, &mut &*sender) {
                                failed.push((at, error));
                            }
                            ready = Some((sender, encoded));
                        }
                        Err(error) => failed.push((at, error)),
                    }
                }
            }
            failed
        });
        failed.sort_by_key(|(at, _)| *at);
        self.outcome(failed)
    }

    /// Sends the lines that wait now, to all endpoints at once, and waits until they have left, at most for `timeout`.
    ///
    /// # Errors
    /// As [`Sender::flush`], for each endpoint.
    pub fn flush(&self, timeout: Duration) -> Result<(), MultiError<FlushError>> {
        let deadline = deadline(timeout);
        let tickets: Vec<_> = self.senders.iter().map(Sender::begin_flush).collect();
        let waited = self.senders.iter().zip(tickets).map(|(sender, ticket)| sender.await_flush(ticket?, deadline));
        self.outcome(waited.enumerate().filter_map(|(at, result)| Some((at, result.err()?))).collect())
    }

    /// [`flush`](Self::flush) with the time that one request may take: 30 s.
    ///
    /// # Errors
    /// As there.
    pub fn flush_now(&self) -> Result<(), MultiError<FlushError>> {
        self.flush(Duration::from_secs(30))
    }

    /// Closes all senders at once, at most for `timeout`, and returns what became of every line: one ledger an
    /// endpoint, in the order of the [`senders`](Self::senders).
    pub fn close(&self, timeout: Duration) -> Vec<Ledger> {
        let deadline = deadline(timeout);
        self.senders.iter().filter(|sender| !sender.shared().forked()).for_each(|sender| {
            sender.shared().begin_close(deadline);
        });
        let left = || deadline.saturating_duration_since(Instant::now());
        self.senders.iter().map(|sender| sender.close(left())).collect()
    }

    /// What became of every line so far: one ledger an endpoint.
    pub fn ledgers(&self) -> Vec<Ledger> {
        self.senders.iter().map(Sender::ledger).collect()
    }

    /// The lines of all endpoints together: a line that goes to two counts twice.
    pub fn ledger(&self) -> Ledger {
        self.senders.iter().map(Sender::ledger).sum()
    }

    /// How many lines failed so far, at all endpoints together: dropped, doubtful or invalid.
    pub fn failure_count(&self) -> usize {
        self.senders.iter().map(Sender::failure_count).sum()
    }

    fn outcome<E>(&self, failed: Vec<(usize, E)>) -> Result<(), MultiError<E>> {
        if failed.is_empty() {
            return Ok(());
        }
        let place = |at: &usize| self.senders.get(*at).and_then(Sender::endpoint).map(ToString::to_string);
        let places = failed.iter().map(|(at, _)| place(at).unwrap_or_default()).collect();
        Err(MultiError { failed, of: self.senders.len(), places })
    }
}

impl From<Vec<Sender>> for MultiSender {
    fn from(senders: Vec<Sender>) -> Self {
        Self::new(senders)
    }
}

impl<E: fmt::Display> fmt::Display for MultiError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, ((at, error), place)) in self.failed.iter().zip(&self.places).enumerate() {
            let (between, number, of) = (if nth > 0 { "; " } else { "" }, at + 1, self.of);
            match place.as_str() {
                "" => write!(f, "{between}endpoint {number} of {of}: {error}")?,
                place => write!(f, "{between}endpoint {number} of {of}, {place}: {error}")?,
            }
        }
        Ok(())
    }
}

impl<E: core::error::Error + 'static> core::error::Error for MultiError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.failed.first().map(|(_, error)| error as _)
    }
}
