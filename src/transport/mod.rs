//! Where lines go: the traits a transport implements, blocking and async, and the transports of this crate.
//!
//! | transport | takes lines to | feature |
//! |---|---|---|
//! | `Http` | an HTTP(S) receiver that answers: direct ingestion, a proxy | `http` |
//! | `Tcp` | a proxy's port for lines, which does not answer | `std`, over TLS `tls` |
//! | `UnixSocket` | a Unix socket, which does not answer | `std` |
//! | `File`, `Stdout` | a file, the standard output | `std` |
//! | `Lines` | any stream, without an answer: a UART, a socket | `embedded-io-v0_7`, async `embedded-io-async-v0_7` |
//! | `Http1` | an HTTP receiver, over any stream that is read and written | `embedded-io-v0_7`, async `embedded-io-async-v0_7` |
//! | `Memory` | a list of batches, for tests | `std` |
//! | [`Recorder`] | any [`Sink`](crate::line::Sink), for tests without an allocator | |
//! | [`Callback`] | a closure | |
//! | [`Fault`] | another transport, failing on order | |
//!
//! The module `conformance` (feature `std`) says whether somebody's own transport keeps the contract.

#[cfg(feature = "http")]
mod auth;
#[cfg(feature = "std")]
pub mod conformance;
mod fault;
#[cfg(feature = "std")]
mod file;
#[cfg(feature = "http")]
mod http;
mod memory;
#[cfg(all(feature = "std", target_os = "linux"))]
mod outq;
#[cfg(any(feature = "alloc", feature = "embedded-io-v0_7"))]
pub(crate) mod report;
#[cfg(feature = "std")]
mod stdout;
#[cfg(feature = "embedded-io-v0_7")]
mod stream;
#[cfg(feature = "std")]
mod tcp;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "alloc")]
mod token;
#[cfg(all(feature = "std", unix))]
mod unix;
#[cfg(feature = "std")]
mod watched;

#[cfg(feature = "http")]
pub use auth::{Csp, CspBuildError, CspBuilder, TokenError, TokenProvider};
pub use fault::{Fault, FaultError, Injected, Rates, Seeded, Step};
#[cfg(feature = "std")]
pub use file::{File, FileError};
#[cfg(feature = "http")]
pub use http::{Http, HttpBuildError, HttpBuilder, HttpError};
pub use memory::{Callback, Recorder, RecorderFull};
#[cfg(feature = "std")]
pub use memory::{Memory, Recorded};
#[cfg(feature = "std")]
pub use stdout::Stdout;
#[cfg(feature = "embedded-io-async-v0_7")]
pub use stream::AsyncLink;
#[cfg(feature = "embedded-io-v0_7")]
pub use stream::{Http1, Http1Error, InvalidReceiver, Lines, LinesError, Link, Linked, Receiver, Wire};
#[cfg(feature = "std")]
pub use tcp::{Tcp, TcpError};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError, TlsProblem};
#[cfg(feature = "alloc")]
pub use token::{InvalidToken, Token};
#[cfg(all(feature = "std", unix))]
pub use unix::{UnixSocket, UnixSocketError};

use core::future::Future;
use core::time::Duration;

use crate::{Format, Kind};

/// Whole lines of one kind, ready to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch<'a> {
    /// The kind of every line.
    pub kind: Kind,
    /// The lines, each ended by one LF, nothing between them.
    pub bytes: &'a [u8],
    /// How many lines there are: at least one.
    pub lines: u32,
}

impl<'a> Batch<'a> {
    /// `lines` lines of `kind` in `bytes`.
    pub const fn new(kind: Kind, bytes: &'a [u8], lines: u32) -> Self {
        Self { kind, bytes, lines }
    }

    /// What the receiver is told to expect.
    pub const fn format(&self) -> Format {
        self.kind.format()
    }
}

/// What a transport did with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Accepted {
    /// The receiver said that it has the batch (HTTP 2xx).
    Delivered,
    /// The batch was written to a stream that has no answers (TCP lines, a UART).
    Written,
}

/// What went wrong, for code that has to decide without knowing the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Failure {
    /// No connection could be made; nothing was sent.
    Connect,
    /// No answer within the time allowed; the receiver may have the batch.
    Timeout,
    /// The connection broke; what was written on it before may be lost too.
    Broken,
    /// The receiver answered with a status other than 2xx.
    Status {
        /// The HTTP status.
        code: u16,
        /// How long the receiver asks to wait.
        retry_after: Option<Duration>,
    },
    /// The endpoint cannot take this kind at all.
    Unsupported,
    /// No connection could be made by TLS, as one of the two does not trust the other or cannot speak to it; nothing
    /// was sent.
    #[cfg(feature = "tls")]
    Tls(TlsProblem),
    /// There is no token to send with; nothing was sent.
    #[cfg(feature = "http")]
    NoToken {
        /// Whether who issues it refuses to: that takes somebody who does something. Else it cannot be had at present.
        refused: bool,
    },
}

/// An error of a transport, whatever its own type says beside.
pub trait TransportError: core::error::Error {
    /// What went wrong.
    fn kind(&self) -> Failure;

    /// How many lines of the batch are surely behind us: they are not sent again.
    fn lines_done(&self) -> u32 {
        0
    }

    /// The beginning of what the receiver answered, where it did, as one line of text without the token. The receiver
    /// wrote it: it may repeat a part of the lines, so neither `Display` nor `Debug` shows it.
    fn answer(&self) -> Option<&str> {
        None
    }
}

/// The error of a transport that cannot fail.
impl TransportError for core::convert::Infallible {
    fn kind(&self) -> Failure {
        match *self {}
    }
}

/// Takes batches to a receiver, waiting until it is done.
///
/// The contract, checked by the conformance suite:
/// - `send` returns only when the batch is accepted or has failed; it keeps no reference to it.
/// - Lines arrive whole and in order, or not at all, but for the last one of a connection that broke.
/// - After an error the transport can be used again: the next `send` reconnects where that is needed.
/// - `finish` says `Ok` only if everything that was `Written` before is known to have been read by the peer, as far as
///   the protocol can tell. It may be called again, and a later `send` opens a new connection.
/// - Where a connection breaks, the first call that notices says [`Failure::Broken`], once: by then everything that
///   was `Written` on it is in doubt.
/// - No error says anything of a line or of a token.
pub trait Transport {
    /// What can go wrong.
    type Error: TransportError;

    /// Sends `batch`.
    ///
    /// # Errors
    /// Whatever kept the batch, or a part of it, from being accepted.
    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Self::Error>;

    /// Makes the connection that the next `send` would make, if there is none, within `timeout`: for those who choose
    /// among several receivers.
    ///
    /// # Errors
    /// [`Failure::Connect`] where there is nobody to connect to.
    fn connect(&mut self, timeout: Duration) -> Result<(), Self::Error> {
        let _ = timeout;
        Ok(())
    }

    /// Looks whether the connection still stands, without sending.
    ///
    /// # Errors
    /// [`Failure::Broken`] where the peer has gone since the last `send`.
    fn probe(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// How many bytes at the end of what was `Written` on the connection its peer's kernel has not acknowledged, or our
    /// own has not even sent: of batches that were accepted whole, not of one that failed. Once the connection is gone,
    /// it is what was left then, until there is a new one.
    ///
    /// `None`: nobody can tell, and what is written counts as acknowledged.
    fn unacknowledged(&mut self) -> Option<u64> {
        None
    }

    /// The status of the last answer, where the receiver answers with one (HTTP); none while there is no answer.
    fn status(&self) -> Option<u16> {
        None
    }

    /// Ends the connection in order, waiting at most `timeout` for the peer to confirm it.
    ///
    /// # Errors
    /// [`Failure::Broken`] or [`Failure::Timeout`] where the peer did not.
    fn finish(&mut self, timeout: Duration) -> Result<(), Self::Error> {
        let _ = timeout;
        Ok(())
    }
}

/// Takes batches to a receiver, as a future. The contract is that of [`Transport`].
///
/// Futures need not be `Send`: those of a browser and of an embedded executor cannot be.
pub trait AsyncTransport {
    /// What can go wrong.
    type Error: TransportError;

    /// Sends `batch`.
    ///
    /// # Errors
    /// Whatever kept the batch, or a part of it, from being accepted.
    fn send(&mut self, batch: Batch<'_>) -> impl Future<Output = Result<Accepted, Self::Error>>;

    /// Ends the connection in order.
    ///
    /// # Errors
    /// [`Failure::Broken`] or [`Failure::Timeout`] where the peer did not confirm it.
    fn finish(&mut self) -> impl Future<Output = Result<(), Self::Error>> {
        async { Ok(()) }
    }
}

impl<T: Transport + ?Sized> Transport for &mut T {
    type Error = T::Error;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Self::Error> {
        (**self).send(batch)
    }

    fn connect(&mut self, timeout: Duration) -> Result<(), Self::Error> {
        (**self).connect(timeout)
    }

    fn probe(&mut self) -> Result<(), Self::Error> {
        (**self).probe()
    }

    fn unacknowledged(&mut self) -> Option<u64> {
        (**self).unacknowledged()
    }

    fn status(&self) -> Option<u16> {
        (**self).status()
    }

    fn finish(&mut self, timeout: Duration) -> Result<(), Self::Error> {
        (**self).finish(timeout)
    }
}

impl<T: AsyncTransport + ?Sized> AsyncTransport for &mut T {
    type Error = T::Error;

    fn send(&mut self, batch: Batch<'_>) -> impl Future<Output = Result<Accepted, Self::Error>> {
        (**self).send(batch)
    }

    fn finish(&mut self) -> impl Future<Output = Result<(), Self::Error>> {
        (**self).finish()
    }
}

#[cfg(feature = "std")]
impl<T: Transport + ?Sized> Transport for std::boxed::Box<T> {
    type Error = T::Error;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Self::Error> {
        (**self).send(batch)
    }

    fn connect(&mut self, timeout: Duration) -> Result<(), Self::Error> {
        (**self).connect(timeout)
    }

    fn probe(&mut self) -> Result<(), Self::Error> {
        (**self).probe()
    }

    fn unacknowledged(&mut self) -> Option<u64> {
        (**self).unacknowledged()
    }

    fn status(&self) -> Option<u16> {
        (**self).status()
    }

    fn finish(&mut self, timeout: Duration) -> Result<(), Self::Error> {
        (**self).finish(timeout)
    }
}

/// The result of a future that has no need to wait.
#[cfg(test)]
#[allow(clippy::panic)]
pub(crate) fn ready<F: Future>(future: F) -> F::Output {
    let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    match core::pin::pin!(future).poll(&mut context) {
        core::task::Poll::Ready(output) => output,
        core::task::Poll::Pending => panic!("the future waits"),
    }
}
