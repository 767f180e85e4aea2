//! Transports that keep batches instead of sending them: for tests of code that uses this crate.
//!
//! [`Callback`] hands each batch to a closure, [`Recorder`] writes the lines into any [`Sink`], both without an
//! allocator; [`Memory`] keeps whole batches. All are blocking and async transports alike.

use core::convert::Infallible;
use core::fmt;

use super::{Accepted, AsyncTransport, Batch, Failure, Transport, TransportError};
use crate::line::Sink;

/// Hands each batch to a closure, which says what becomes of it.
///
/// ```
/// use wavefront_sdk::{Kind, transport::{Accepted, Batch, Callback, Transport}};
/// let mut lines = 0;
/// let mut transport = Callback::new(|batch| {
///     lines += batch.lines;
///     Accepted::Delivered
/// });
/// transport.send(Batch::new(Kind::Metric, b"a 1 source=s\n", 1))?;
/// assert_eq!(lines, 1);
/// # Ok::<(), core::convert::Infallible>(())
/// ```
#[derive(Clone)]
pub struct Callback<F> {
    taker: F,
}

impl<F: FnMut(Batch<'_>) -> Accepted> Callback<F> {
    /// A transport that calls `taker` with each batch.
    pub const fn new(taker: F) -> Self {
        Self { taker }
    }

    /// The closure, with all it has gathered.
    pub fn into_inner(self) -> F {
        self.taker
    }
}

impl<F> fmt::Debug for Callback<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").finish_non_exhaustive()
    }
}

impl<F: FnMut(Batch<'_>) -> Accepted> Transport for Callback<F> {
    type Error = Infallible;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Infallible> {
        Ok((self.taker)(batch))
    }
}

impl<F: FnMut(Batch<'_>) -> Accepted> AsyncTransport for Callback<F> {
    type Error = Infallible;

    async fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Infallible> {
        Ok((self.taker)(batch))
    }
}

/// Writes the lines of every batch into a [`Sink`]: a slice, a `heapless::Vec`, a counter.
///
/// A batch that does not fit is refused whole, and the sink is as it was before.
#[derive(Debug, Clone, Default)]
pub struct Recorder<S> {
    sink: S,
    batches: u32,
    lines: u32,
}

impl<S: Sink> Recorder<S> {
    /// A transport that writes into `sink`.
    pub const fn new(sink: S) -> Self {
        Self { sink, batches: 0, lines: 0 }
    }

    /// What was recorded.
    pub const fn sink(&self) -> &S {
        &self.sink
    }

    /// How many batches were recorded.
    pub const fn batches(&self) -> u32 {
        self.batches
    }

    /// How many lines were recorded.
    pub const fn lines(&self) -> u32 {
        self.lines
    }

    /// The sink, with all that was recorded.
    pub fn into_inner(self) -> S {
        self.sink
    }

    fn record(&mut self, batch: Batch<'_>) -> Result<Accepted, RecorderFull> {
        let mark = self.sink.mark();
        if self.sink.put(batch.bytes).is_err() {
            self.sink.rewind(mark);
            return Err(RecorderFull { bytes: batch.bytes.len() });
        }
        self.batches = self.batches.saturating_add(1);
        self.lines = self.lines.saturating_add(batch.lines);
        Ok(Accepted::Delivered)
    }
}

impl<S: Sink> Transport for Recorder<S> {
    type Error = RecorderFull;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, RecorderFull> {
        self.record(batch)
    }
}

impl<S: Sink> AsyncTransport for Recorder<S> {
    type Error = RecorderFull;

    async fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, RecorderFull> {
        self.record(batch)
    }
}

/// The sink of a [`Recorder`] has no room for the batch; nothing of it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct RecorderFull {
    /// The length of the batch that did not fit.
    pub bytes: usize,
}

impl fmt::Display for RecorderFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the recorder's sink has no room for a batch of {} bytes: give it a larger one", self.bytes)
    }
}

impl core::error::Error for RecorderFull {}

impl TransportError for RecorderFull {
    /// As if the receiver could not be reached: surely nothing arrived.
    fn kind(&self) -> Failure {
        Failure::Connect
    }
}

#[cfg(feature = "std")]
pub use with_std::{Memory, Recorded};

#[cfg(feature = "std")]
mod with_std {
    use std::string::String;
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
    use std::vec::Vec;

    use core::convert::Infallible;

    use super::super::{Accepted, AsyncTransport, Batch, Transport};
    use crate::Kind;

    /// A batch that [`Memory`] has kept.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct Recorded {
        /// The kind of every line.
        pub kind: Kind,
        /// The lines, each ended by one LF.
        pub bytes: Vec<u8>,
        /// How many lines there are.
        pub lines: u32,
    }

    /// Keeps every batch. Clones look into the same memory, so a test keeps one and gives the other away.
    ///
    /// ```
    /// use wavefront_sdk::{Kind, transport::{Batch, Memory, Transport}};
    /// let memory = Memory::new();
    /// let mut given_away = memory.clone();
    /// given_away.send(Batch::new(Kind::Metric, b"a 1 source=s\n", 1))?;
    /// assert_eq!(memory.text(), "a 1 source=s\n");
    /// # Ok::<(), core::convert::Infallible>(())
    /// ```
    #[derive(Debug, Clone)]
    pub struct Memory {
        batches: Arc<Mutex<Vec<Recorded>>>,
        answer: Accepted,
    }

    impl Memory {
        /// An empty memory that says [`Accepted::Delivered`], as a receiver with answers does.
        pub fn new() -> Self {
            Self { batches: Arc::default(), answer: Accepted::Delivered }
        }

        /// An empty memory that says [`Accepted::Written`], as a stream without answers does.
        pub fn written() -> Self {
            Self { answer: Accepted::Written, ..Self::new() }
        }

        /// The batches so far.
        pub fn batches(&self) -> Vec<Recorded> {
            self.lock().clone()
        }

        /// The batches so far; the memory is empty afterwards.
        pub fn take(&self) -> Vec<Recorded> {
            core::mem::take(&mut *self.lock())
        }

        /// How many lines were recorded, of all kinds.
        pub fn lines(&self) -> u64 {
            self.lock().iter().map(|batch| u64::from(batch.lines)).sum()
        }

        /// How many lines of `kind` were recorded.
        pub fn lines_of(&self, kind: Kind) -> u64 {
            self.lock().iter().filter(|batch| batch.kind == kind).map(|batch| u64::from(batch.lines)).sum()
        }

        /// The lines so far, as text, in the order they came.
        pub fn text(&self) -> String {
            self.lock().iter().map(|batch| String::from_utf8_lossy(&batch.bytes)).collect()
        }

        /// A panic elsewhere cannot leave the list half changed, so a poisoned lock is as good as any.
        fn lock(&self) -> MutexGuard<'_, Vec<Recorded>> {
            self.batches.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn record(&self, batch: Batch<'_>) -> Accepted {
            self.lock().push(Recorded { kind: batch.kind, bytes: batch.bytes.into(), lines: batch.lines });
            self.answer
        }
    }

    impl Default for Memory {
        fn default() -> Self {
            Self::new()
        }
    }

    impl Transport for Memory {
        type Error = Infallible;

        fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Infallible> {
            Ok(self.record(batch))
        }
    }

    impl AsyncTransport for Memory {
        type Error = Infallible;

        async fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Infallible> {
            Ok(self.record(batch))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Kind;

    /// A sink of 16 bytes.
    #[derive(Default)]
    struct Sixteen {
        bytes: [u8; 16],
        used: usize,
    }

    impl Sink for Sixteen {
        type Full = ();
        type Mark = usize;

        fn put(&mut self, bytes: &[u8]) -> Result<(), ()> {
            let place = self.bytes.get_mut(self.used..self.used + bytes.len()).ok_or(())?;
            place.copy_from_slice(bytes);
            self.used += bytes.len();
            Ok(())
        }

        fn mark(&self) -> usize {
            self.used
        }

        fn rewind(&mut self, mark: usize) {
            self.used = mark;
        }

        fn since(&self, mark: usize) -> usize {
            self.used - mark
        }
    }

    #[test]
    fn a_recorder_takes_whole_batches_or_nothing() {
        let mut recorder = Recorder::new(Sixteen::default());
        assert_eq!(Transport::send(&mut recorder, Batch::new(Kind::Metric, b"a 1\nb 2\n", 2)), Ok(Accepted::Delivered));
        let full = Transport::send(&mut recorder, Batch::new(Kind::Metric, b"long line\n", 1)).unwrap_err();
        assert_eq!((full.bytes, full.kind(), full.lines_done()), (10, Failure::Connect, 0));
        assert_eq!(Transport::send(&mut recorder, Batch::new(Kind::Span, b"c 3 d e\n", 1)), Ok(Accepted::Delivered));
        assert_eq!((recorder.batches(), recorder.lines()), (2, 3));
        assert_eq!(&recorder.into_inner().bytes, b"a 1\nb 2\nc 3 d e\n");
    }

    #[test]
    fn a_callback_says_what_becomes_of_a_batch() {
        let mut seen = 0;
        let mut transport = Callback::new(|batch: Batch<'_>| {
            seen += batch.lines;
            if batch.kind == Kind::Metric { Accepted::Delivered } else { Accepted::Written }
        });
        assert_eq!(Transport::send(&mut transport, Batch::new(Kind::Metric, b"a 1\n", 1)), Ok(Accepted::Delivered));
        assert_eq!(Transport::send(&mut transport, Batch::new(Kind::Span, b"a 1\nb 2\n", 2)), Ok(Accepted::Written));
        assert_eq!(seen, 3);
    }

    #[cfg(feature = "std")]
    #[test]
    fn clones_of_a_memory_look_into_the_same_batches() {
        let memory = Memory::new();
        let mut one = memory.clone();
        let mut other = memory.clone();
        let sent = super::super::ready(AsyncTransport::send(&mut one, Batch::new(Kind::Metric, b"a 1\n", 1)));
        assert_eq!(sent, Ok(Accepted::Delivered));
        Transport::send(&mut other, Batch::new(Kind::Span, b"b 2\nc 3\n", 2)).unwrap();
        assert_eq!(memory.text(), "a 1\nb 2\nc 3\n");
        assert_eq!((memory.lines(), memory.lines_of(Kind::Span), memory.lines_of(Kind::Event)), (3, 2, 0));
        assert_eq!(one.take().len(), 2);
        assert!(memory.batches().is_empty());
    }
}
