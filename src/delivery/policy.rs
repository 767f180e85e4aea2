//! What an outcome means: the table of the HTTP policy, and what broken connections lead to.

use core::time::Duration;

use crate::transport::{Accepted, Failure, TransportError};

/// What became of a batch, as far as the state machine has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Outcome {
    /// The receiver has it.
    Delivered,
    /// It was written to a stream without answers, and counts as received by the peer's kernel.
    Written,
    /// It was written to a stream without answers, of which the peer's kernel has not acknowledged the last so many
    /// bytes: of everything written on the connection, not only of this batch. Such lines are kept until
    /// [`acknowledged`](super::View::acknowledged) says more.
    ///
    /// For connections that carry one batch at a time; with more, some lines may be kept for not acknowledged that are.
    Unacknowledged(u32),
    /// The receiver finds it too large: half of it is tried next; a single line is dropped.
    TooLarge,
    /// No connection, nothing was sent: everything that uses the connection waits, then one batch probes it.
    Unreachable,
    /// It stays at the front and is sent again after a backoff.
    Retry {
        /// Lines at its beginning that are delivered.
        done: u32,
        /// How long the receiver asks to wait, at least.
        after: Option<Duration>,
    },
    /// The receiver refuses the token: everything waits, longer.
    Auth,
    /// The receiver refuses it for good, with this status (0 where the transport cannot take the kind at all).
    Rejected(u16),
}

/// The longest that a receiver may ask us to wait.
pub(super) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

impl Outcome {
    /// What the result of a transport's `send` means.
    ///
    /// 2xx is delivered; 413 is too large; 401 and 403 are the token's; 406 (the proxy's push-back), 408, 429 and 5xx
    /// are tried again, as are timeouts and broken connections; every other status is final.
    pub fn of<E: TransportError>(result: &Result<Accepted, E>) -> Self {
        match result {
            Ok(Accepted::Delivered) => Self::Delivered,
            Ok(Accepted::Written) => Self::Written,
            Err(error) => Self::of_failure(error.kind(), error.lines_done()),
        }
    }

    /// What a failure means, with `done` lines surely delivered before it.
    pub fn of_failure(failure: Failure, done: u32) -> Self {
        match failure {
            Failure::Connect if done == 0 => Self::Unreachable,
            Failure::Connect | Failure::Timeout | Failure::Broken => Self::Retry { done, after: None },
            Failure::Status { code: 413, .. } => Self::TooLarge,
            Failure::Status { code: 401 | 403, .. } => Self::Auth,
            Failure::Status { code: 406 | 408 | 429 | 500..=599, retry_after } => {
                Self::Retry { done, after: retry_after.map(|after| after.min(LONGEST_RETRY_AFTER)) }
            }
            Failure::Status { code, .. } => Self::Rejected(code),
            Failure::Unsupported => Self::Rejected(0),
            #[cfg(feature = "tls")]
            Failure::Tls(_) if done == 0 => Self::Unreachable,
            #[cfg(feature = "tls")]
            Failure::Tls(_) => Self::Retry { done, after: None },
            #[cfg(feature = "http")]
            Failure::NoToken { refused: true } => Self::Auth,
            #[cfg(feature = "http")]
            Failure::NoToken { .. } if done == 0 => Self::Unreachable,
            #[cfg(feature = "http")]
            Failure::NoToken { .. } => Self::Retry { done, after: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16) -> Outcome {
        Outcome::of_failure(Failure::Status { code, retry_after: None }, 0)
    }

    #[test]
    fn every_status_has_one_meaning() {
        let retry = Outcome::Retry { done: 0, after: None };
        for code in [406, 408, 429, 500, 502, 503, 504, 599] {
            assert_eq!(status(code), retry, "{code}");
        }
        for code in [100, 301, 302, 400, 402, 404, 405, 407, 409, 410, 411, 412, 414, 415, 422, 499, 600] {
            assert_eq!(status(code), Outcome::Rejected(code));
        }
        assert_eq!(status(413), Outcome::TooLarge);
        assert_eq!([status(401), status(403)], [Outcome::Auth; 2]);
    }

    #[test]
    fn a_receiver_cannot_make_us_wait_for_hours() {
        let failure = Failure::Status { code: 429, retry_after: Some(Duration::from_secs(86_400)) };
        let after = Some(Duration::from_secs(300));
        assert_eq!(Outcome::of_failure(failure, 3), Outcome::Retry { done: 3, after });
    }

    #[test]
    fn without_a_connection_nothing_was_sent() {
        assert_eq!(Outcome::of_failure(Failure::Connect, 0), Outcome::Unreachable);
        assert_eq!(Outcome::of_failure(Failure::Connect, 2), Outcome::Retry { done: 2, after: None });
        assert_eq!(Outcome::of_failure(Failure::Unsupported, 0), Outcome::Rejected(0));
        #[cfg(feature = "http")]
        for (failure, outcome) in [
            (Failure::Tls(crate::transport::TlsProblem::Expired), Outcome::Unreachable),
            (Failure::NoToken { refused: false }, Outcome::Unreachable),
            (Failure::NoToken { refused: true }, Outcome::Auth),
        ] {
            assert_eq!(Outcome::of_failure(failure, 0), outcome, "{failure:?}: nothing was sent, nothing is lost");
        }
    }
}
