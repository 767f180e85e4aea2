//! How a stream comes to be connected, and what else only its owner knows of it.

#[cfg(feature = "embedded-io-async-v0_7")]
use core::future::Future;
use core::time::Duration;

use embedded_io::ErrorType;

/// How a stream is connected anew, looked at, and closed.
///
/// A closure that connects is a link: `|socket: &mut Socket| socket.connect(address)`. It gets the stream as it is: not
/// yet connected, or with a connection that broke, that the peer is about to close, or that is in the middle of
/// something. When it returns `Ok`, the stream has to be a **new** connection, of which nothing was read or written.
/// Whatever the stream needs between two attempts (to be aborted, its buffers to be emptied, a name to be looked up,
/// TLS to be agreed) belongs here.
///
/// A type of one's own can do the other two as well; what they do by default suits HTTP, which has answers.
pub trait Link<S: ErrorType + ?Sized> {
    /// Makes `stream` a new connection.
    ///
    /// # Errors
    /// The stream's own; the transport says [`Failure::Connect`](crate::transport::Failure::Connect), and calls again
    /// at the next batch.
    fn connect(&mut self, stream: &mut S) -> Result<(), S::Error>;

    /// Looks, without waiting, whether the peer has closed or reset the connection; called before each batch. Lines are
    /// only as safe as this is good: without it, what is written first after the peer's close is lost.
    ///
    /// # Errors
    /// Any, where the connection has gone. Nothing is done by default.
    fn look(&mut self, stream: &mut S) -> Result<(), S::Error> {
        let _ = stream;
        Ok(())
    }

    /// Ends the connection in order: says that nothing follows, waits at most `timeout` for the peer to say the same.
    ///
    /// # Errors
    /// Any, where the peer did not. Nothing is done by default.
    fn close(&mut self, stream: &mut S, timeout: Duration) -> Result<(), S::Error> {
        let _ = (stream, timeout);
        Ok(())
    }
}

impl<S: ErrorType + ?Sized, F: FnMut(&mut S) -> Result<(), S::Error>> Link<S> for F {
    fn connect(&mut self, stream: &mut S) -> Result<(), S::Error> {
        self(stream)
    }
}

/// How a stream is connected anew, looked at, and closed, as futures: an `async |socket: &mut Socket| …`, or a type of
/// one's own. The contract is that of [`Link`].
#[cfg(feature = "embedded-io-async-v0_7")]
pub trait AsyncLink<S: ErrorType + ?Sized> {
    /// Makes `stream` a new connection.
    ///
    /// # Errors
    /// The stream's own; the transport says [`Failure::Connect`](crate::transport::Failure::Connect), and calls again
    /// at the next batch.
    fn connect(&mut self, stream: &mut S) -> impl Future<Output = Result<(), S::Error>>;

    /// Looks, without waiting, whether the peer has closed or reset the connection; called before each batch. Lines are
    /// only as safe as this is good: without it, what is written first after the peer's close is lost.
    ///
    /// # Errors
    /// Any, where the connection has gone. Nothing is done by default.
    fn look(&mut self, stream: &mut S) -> impl Future<Output = Result<(), S::Error>> {
        let _ = stream;
        async { Ok(()) }
    }

    /// Ends the connection in order: says that nothing follows, waits for the peer to say the same.
    ///
    /// # Errors
    /// Any, where the peer did not. Nothing is done by default.
    fn close(&mut self, stream: &mut S) -> impl Future<Output = Result<(), S::Error>> {
        let _ = stream;
        async { Ok(()) }
    }
}

#[cfg(feature = "embedded-io-async-v0_7")]
impl<S: ErrorType + ?Sized, F: AsyncFnMut(&mut S) -> Result<(), S::Error>> AsyncLink<S> for F {
    async fn connect(&mut self, stream: &mut S) -> Result<(), S::Error> {
        self(stream).await
    }
}

/// No link: a stream that is always there, such as a UART, and stays there when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wire;

/// Lines over a stream that a [`Link`] connects, or an `AsyncLink`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Linked<L>(pub(super) L);
