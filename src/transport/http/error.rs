//! What keeps a batch from being delivered over HTTP.

use core::fmt;
use core::time::Duration;
use std::boxed::Box;
use std::string::String;
use std::sync::Arc;

use crate::transport::auth::TokenError;
use crate::transport::{Failure, TlsProblem, TransportError};

/// What kept a batch from being delivered over HTTP.
///
/// Neither `Display` nor `Debug` shows a token, the lines, or what the receiver answered, which may repeat them.
#[derive(Debug)]
pub struct HttpError {
    pub(super) receiver: Arc<str>,
    pub(super) what: What,
    pub(super) lines_done: u32,
}

pub(super) enum What {
    Unsupported,
    NoToken(TokenError),
    Status { code: u16, retry_after: Option<Duration>, body: String },
    Failed(Box<reqwest::Error>),
}

impl HttpError {
    /// The receiver's URL.
    pub fn receiver(&self) -> &str {
        &self.receiver
    }

    /// The status that the receiver answered with.
    pub const fn status(&self) -> Option<u16> {
        match self.what {
            What::Status { code, .. } => Some(code),
            _ => None,
        }
    }

    /// The first 200 bytes of the answer's body at most, as one line of text; without the token, should it be in them.
    /// The receiver wrote it: it may repeat a part of the lines.
    pub fn body(&self) -> Option<&str> {
        match &self.what {
            What::Status { body, .. } => Some(body),
            _ => None,
        }
    }
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => f.write_str("Unsupported"),
            Self::NoToken(error) => f.debug_tuple("NoToken").field(error).finish(),
            Self::Status { code, retry_after, body } => {
                let mut debug = f.debug_struct("Status");
                debug.field("code", code).field("retry_after", retry_after).field("body_len", &body.len()).finish()
            }
            Self::Failed(failure) => f.debug_tuple("Failed").field(failure).finish(),
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.receiver)?;
        match &self.what {
            What::Unsupported => f.write_str("direct ingestion takes no source tags: send them through a proxy"),
            What::NoToken(error) => write!(f, "no token: {error}"),
            What::Status { code, .. } => {
                write!(f, "the receiver answered {code}: {}", advice(*code))
            }
            What::Failed(failure) => {
                let cause = root(failure);
                match self.kind() {
                    Failure::Connect => {
                        write!(f, "no connection ({cause}): check the host, the port and that the receiver runs")
                    }
                    Failure::Timeout => f.write_str("no answer in time"),
                    Failure::Tls(problem) => problem.fmt(f),
                    _ => write!(f, "the connection broke ({cause})"),
                }
            }
        }
    }
}

/// What somebody who reads the error can do.
const fn advice(code: u16) -> &'static str {
    match code {
        300..=399 => "redirects are not followed, give the URL that it leads to",
        401 | 403 => "the token was not accepted, or is not allowed to ingest",
        404 | 405 => "nothing takes lines there, check host, port and path",
        406 => "it takes no lines of this kind at present",
        408 | 429 | 500..=599 => "it cannot take lines at present",
        413 => "the request is too large",
        _ => "it does not take the request",
    }
}

/// The innermost cause, which says more than the layers around it.
pub(in crate::transport) fn root(failure: &reqwest::Error) -> &dyn core::error::Error {
    let mut cause: &dyn core::error::Error = failure;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause
}

impl core::error::Error for HttpError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.what {
            What::Failed(failure) => Some(failure),
            What::NoToken(error) => Some(error),
            _ => None,
        }
    }
}

impl TransportError for HttpError {
    fn kind(&self) -> Failure {
        match &self.what {
            What::Unsupported => Failure::Unsupported,
            What::NoToken(error) => Failure::NoToken { refused: error.is_refused() },
            What::Status { code, retry_after, .. } => Failure::Status { code: *code, retry_after: *retry_after },
            What::Failed(failure) => of_reqwest(failure),
        }
    }

    fn lines_done(&self) -> u32 {
        self.lines_done
    }

    fn answer(&self) -> Option<&str> {
        self.body().filter(|body| !body.is_empty())
    }
}

/// What a request that was not answered failed of.
pub(in crate::transport) fn of_reqwest(failure: &reqwest::Error) -> Failure {
    match TlsProblem::within(failure) {
        // Since TLS 1.3 a peer says only after the greeting that it does not know us; it has read nothing then.
        Some(problem) if failure.is_connect() || problem == TlsProblem::OwnCertificate => Failure::Tls(problem),
        _ if failure.is_connect() => Failure::Connect,
        _ if failure.is_timeout() => Failure::Timeout,
        _ => Failure::Broken,
    }
}
