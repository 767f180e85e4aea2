//! Transports over any stream of `embedded-io`, blocking or async: a UART, a socket, TLS.
//!
//! Each type is both: a [`Transport`](super::Transport) over a blocking stream, an
//! [`AsyncTransport`](super::AsyncTransport) over an async one. What has to be decided is written once; only the loops
//! that wait are there twice.

mod answer;
mod http1;
mod lines;
mod link;
mod request;

pub use http1::{Http1, Http1Error};
pub use lines::{Lines, LinesError};
#[cfg(feature = "embedded-io-async-v0_7")]
pub use link::AsyncLink;
pub use link::{Link, Linked, Wire};
pub use request::{InvalidReceiver, Receiver};

use ::embedded_io::ErrorKind;

/// Whether such an error says that the connection itself has gone.
const fn is_gone(kind: ErrorKind) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
}
