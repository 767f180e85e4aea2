//! What a sender says when something did not work, by whose fault it is.

use core::fmt;
use std::boxed::Box;
use std::string::String;

use crate::endpoint::EndpointError;
use crate::parse::ParseError;
use crate::transport::Failure;
use crate::{InvalidInput, Kind};

/// Why no sender could be made: the configuration is wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The URL, the token or the ports are wrong.
    Endpoint(EndpointError),
    /// The HTTP client could not be set up.
    #[cfg(feature = "http")]
    Http(crate::transport::HttpBuildError),
    /// An option of TLS is wrong, or the machine has no certificates to trust.
    #[cfg(feature = "tls")]
    Tls(crate::transport::TlsError),
    /// The service that issues tokens cannot be asked.
    #[cfg(feature = "http")]
    Csp(crate::transport::CspBuildError),
    /// An option has a value that cannot work.
    Option {
        /// The option's name.
        name: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// One of several endpoints is wrong.
    Destination {
        /// Which, counted from 1.
        number: usize,
        /// What is wrong with it.
        error: Box<Self>,
    },
    /// The operating system gives no thread.
    Thread(std::io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(error) => error.fmt(f),
            #[cfg(feature = "http")]
            Self::Http(error) => error.fmt(f),
            #[cfg(feature = "tls")]
            Self::Tls(error) => error.fmt(f),
            #[cfg(feature = "http")]
            Self::Csp(error) => error.fmt(f),
            Self::Option { name, expected } => write!(f, "{name} has to be {expected}"),
            Self::Destination { number, error } => write!(f, "endpoint {number}: {error}"),
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
        }
    }
}

impl core::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Endpoint(error) => Some(error),
            #[cfg(feature = "http")]
            Self::Http(error) => Some(error),
            #[cfg(feature = "tls")]
            Self::Tls(error) => Some(error),
            #[cfg(feature = "http")]
            Self::Csp(error) => Some(error),
            Self::Option { .. } => None,
            Self::Destination { error, .. } => Some(error),
            Self::Thread(error) => Some(error),
        }
    }
}

impl From<EndpointError> for BuildError {
    fn from(error: EndpointError) -> Self {
        Self::Endpoint(error)
    }
}

/// Why a datum was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The datum cannot be said in a line that the receiver takes. Counted as invalid.
    Invalid(InvalidInput),
    /// The queue of its kind is full. Counted as accepted and dropped.
    QueueFull(Kind),
    /// The queue of its kind is full, and so is the store behind it, or it does not work. Counted as accepted and
    /// dropped.
    StoreFull(Kind),
    /// The lines are larger than the queue's segments. Not counted.
    TooLarge(Kind),
    /// The sender was closed. Not counted.
    Closed,
    /// This process is a fork of the one that made the sender, and no thread carries its lines here. Not counted.
    Forked,
    /// The endpoint has no port for this kind. Not counted.
    NoPort {
        /// The kind.
        kind: Kind,
        /// The option that was left out: `metrics_port`, `distribution_port` or `tracing_port`.
        port: &'static str,
    },
    /// The endpoint cannot take this kind at all: direct ingestion takes no source tags. Not counted.
    Unsupported(Kind),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::QueueFull(kind) => write!(f, "the {kind} queue is full: the line was dropped"),
            Self::StoreFull(kind) => {
                write!(f, "the {kind} queue is full and the store takes nothing: the line was dropped")
            }
            Self::TooLarge(kind) => write!(f, "the {kind} line is larger than a batch may be"),
            Self::Closed => f.write_str("the sender is closed"),
            Self::Forked => f.write_str(FORKED),
            Self::NoPort { kind, port } => write!(f, "no port for {kind} lines: set {port}"),
            Self::Unsupported(kind) => write!(f, "this endpoint takes no {kind} lines: send them to a proxy"),
        }
    }
}

impl core::error::Error for SendError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Invalid(invalid) => Some(invalid),
            _ => None,
        }
    }
}

impl From<InvalidInput> for SendError {
    fn from(invalid: InvalidInput) -> Self {
        Self::Invalid(invalid)
    }
}

/// Not everything was delivered: the time was over, or lines were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushError {
    /// Lines from before the flush that are still queued or in flight.
    pub left: usize,
    /// Lines that `send` had taken and that were lost since the last flush that said so: refused by the receiver, in
    /// doubt, expired or damaged in a store, or dropped as the oldest. Those that `send` refused itself are not among
    /// them.
    pub lost: usize,
    /// What the last batch that failed failed of, if one did.
    pub last_failure: Option<Failure>,
    /// Whether this process is a fork of the one that made the sender: nothing was tried.
    pub forked: bool,
}

impl FlushError {
    pub(super) const FORKED: Self = Self { left: 0, lost: 0, last_failure: None, forked: true };
}

const FORKED: &str = "this process is a fork of the one that made the sender: make another one here";

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.forked {
            return f.write_str(FORKED);
        }
        match (self.left, self.lost) {
            (left, 0) => write!(f, "{left} lines have not left yet")?,
            (0, lost) => write!(f, "{lost} lines were lost")?,
            (left, lost) => write!(f, "{left} lines have not left yet, {lost} were lost")?,
        }
        match self.last_failure {
            Some(failure) => write!(f, "; the last failure: {}", Cause::of(failure)),
            None => Ok(()),
        }
    }
}

impl core::error::Error for FlushError {}

/// Why finished lines were not delivered at once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NowError {
    /// One of the lines is wrong; nothing was sent, nothing is kept.
    Line {
        /// Its number, counted from 1 over all strings.
        line: usize,
        /// What is wrong with it.
        error: ParseError,
    },
    /// One of the lines is of another kind than the call is for; nothing was sent, nothing is kept.
    Kind {
        /// Its number, counted from 1 over all strings.
        line: usize,
        /// What it is.
        found: Kind,
    },
    /// Nothing was taken.
    Refused(SendError),
    /// Not all of it was delivered.
    Failed {
        /// Lines that were delivered.
        delivered: usize,
        /// Lines that wait to be sent again.
        kept: usize,
        /// Lines that are lost.
        dropped: usize,
        /// Why, in the order of the batches the first reason.
        cause: Cause,
    },
}

impl fmt::Display for NowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { line, error } => write!(f, "line {line}: {error}"),
            Self::Kind { line, found } => write!(f, "line {line} is a {found} line"),
            Self::Refused(error) => error.fmt(f),
            Self::Failed { delivered, kept, dropped, cause } => {
                write!(f, "{cause}: {delivered} lines delivered, {kept} kept to be sent again, {dropped} dropped")
            }
        }
    }
}

impl core::error::Error for NowError {}

/// What kept lines from being delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// No connection, no answer, a broken connection.
    Network(String),
    /// The receiver answered with this status.
    Status(u16),
    /// The transport cannot take the kind.
    Unsupported,
    /// The queue had no room for all of it.
    QueueFull,
    /// No outcome in the time allowed.
    Pending,
    /// The sender was closed meanwhile.
    Closed,
}

impl Cause {
    pub(super) fn of(failure: Failure) -> Self {
        match failure {
            Failure::Connect => Self::Network("no connection".into()),
            Failure::Timeout => Self::Network("no answer in time".into()),
            Failure::Broken => Self::Network("the connection broke".into()),
            Failure::Status { code, .. } => Self::Status(code),
            Failure::Unsupported => Self::Unsupported,
            #[cfg(feature = "tls")]
            Failure::Tls(problem) => Self::Network(problem.as_str().into()),
            #[cfg(feature = "http")]
            Failure::NoToken { .. } => Self::Network("there is no token to send with".into()),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(text) => f.write_str(text),
            Self::Status(401 | 403) => f.write_str("the receiver refuses the token"),
            Self::Status(status) => write!(f, "the receiver answered {status}"),
            Self::Unsupported => f.write_str("the endpoint cannot take this kind of line"),
            Self::QueueFull => f.write_str("the queue is full"),
            Self::Pending => f.write_str("no answer yet"),
            Self::Closed => f.write_str("the sender was closed"),
        }
    }
}
