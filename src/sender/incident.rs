//! What a sender tells its application: what happened, whose fault it is, and what became of the lines.

use core::fmt;
use std::boxed::Box;

use crate::Kind;
use crate::delivery::Outcome;
use crate::store::StoreFailure;
use crate::transport::Failure;

/// Something that went wrong, for the hook of [`on_error`](super::SenderBuilder::on_error).
///
/// Each lost or doubtful line is in the [`lines`](Self::lines) of exactly one incident: with the hook, their sums are
/// those of the [ledger](crate::delivery::Ledger). Losses that belong together (a full queue, the end of `close`) come
/// as one incident with a count, at most once a second. Kept lines come again with each failed try.
///
/// `Display` says it in one line, with what to do about it. Neither it nor `Debug` shows a token, a line, or what the
/// receiver answered.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Incident {
    /// What happened.
    pub trouble: Trouble,
    /// The kind of the lines concerned, if it is one and known.
    pub kind: Option<Kind>,
    /// How many lines are concerned.
    pub lines: usize,
    /// What became of them.
    pub fate: Fate,
    /// The transport's or the store's own words.
    words: Option<Box<str>>,
    answer: Option<Answer>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// A batch failed, and will be sent again: no connection, no answer, a broken connection, a certificate that is not
    /// accepted, no token to send with, or a status that asks to come back later (406, 408, 429, 5xx).
    Failed(Failure),
    /// The receiver refuses the token, with this status: 401 or 403. The lines are kept, and tried again every 30 s to
    /// 5 min.
    Auth(u16),
    /// The receiver refuses a batch for good, with this status.
    Rejected(u16),
    /// The receiver finds a single line too large.
    TooLarge,
    /// The endpoint cannot take this kind of line.
    Unsupported,
    /// The queue had no room.
    QueueFull,
    /// The connection broke after lines were written to it, and they are not sent again: that could count them twice.
    ConnectionLost,
    /// The time of `close`, or of the drop of the last handle, was over.
    Closed,
    /// Lines were longer in the store than they may be.
    Expired,
    /// Neither queue nor store had room.
    StoreFull,
    /// Lines could not be read back from the store.
    Damaged,
    /// The store failed.
    Store(StoreFailure),
}

/// What became of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// They will be sent again.
    Kept,
    /// They are lost.
    Dropped(Reason),
    /// They may have arrived, and are not sent again.
    Doubtful,
}

/// Why lines were dropped: the columns of [`Dropped`](crate::delivery::Dropped).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The queue had no room.
    QueueFull,
    /// The receiver refused them with this status; 0 where the endpoint cannot take the kind.
    Rejected(u16),
    /// A single line that the receiver finds too large.
    TooLarge,
    /// Longer in the store than they may be.
    Expired,
    /// Neither the queue nor the store had room.
    StoreFull,
    /// The store could not read them back.
    Damaged,
    /// Not delivered by the end of `close`.
    Closed,
}

/// Where to look for the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Blame {
    /// The way to the receiver, or its address.
    Network,
    /// The receiver: it is there and cannot do its work at present.
    Receiver,
    /// The token, what it is allowed to do, or who issues it.
    Token,
    /// A certificate, the receiver's or ours, or whom we trust.
    Certificate,
    /// What was sent, or where to: the lines, the path, the endpoint.
    Request,
    /// The bounds that the sender was given: queue, store, the time of `close`.
    Bounds,
    /// The store's medium.
    Store,
}

impl Incident {
    pub(super) const fn new(trouble: Trouble, kind: Option<Kind>, lines: usize, fate: Fate) -> Self {
        Self { trouble, kind, lines, fate, words: None, answer: None }
    }

    /// What a failed batch of `lines` lines means, of which `settled` are settled by it. `None` where nothing is wrong
    /// with the lines yet: a batch that was too large is halved.
    pub(super) fn of_batch(
        kind: Kind,
        failure: Failure,
        outcome: Outcome,
        lines: usize,
        settled: usize,
    ) -> Option<Self> {
        let code = if let Failure::Status { code, .. } = failure { code } else { 0 };
        let (trouble, fate) = match outcome {
            Outcome::Auth if code == 0 => (Trouble::Failed(failure), Fate::Kept),
            Outcome::Auth => (Trouble::Auth(code), Fate::Kept),
            Outcome::Unreachable | Outcome::Retry { .. } => (Trouble::Failed(failure), Fate::Kept),
            Outcome::TooLarge => (Trouble::TooLarge, Fate::Dropped(Reason::TooLarge)),
            Outcome::Rejected(0) => (Trouble::Unsupported, Fate::Dropped(Reason::Rejected(0))),
            Outcome::Rejected(code) => (Trouble::Rejected(code), Fate::Dropped(Reason::Rejected(code))),
            _ => return None,
        };
        let lines = if fate == Fate::Kept { lines.saturating_sub(settled) } else { settled };
        (fate == Fate::Kept || lines > 0).then(|| Self::new(trouble, Some(kind), lines, fate))
    }

    /// A store that failed, in its own words: what became of lines is not known by that, so they count as kept.
    pub(super) fn of_store(kind: Option<Kind>, failure: StoreFailure, lines: usize, words: &str) -> Self {
        Self::new(Trouble::Store(failure), kind, lines, Fate::Kept).in_words(words)
    }

    pub(super) fn in_words(mut self, words: &str) -> Self {
        self.words = Some(words.into());
        self
    }

    pub(super) fn answered(mut self, answer: Option<Answer>) -> Self {
        self.answer = answer;
        self
    }

    /// Where to look for the fault.
    pub const fn blame(&self) -> Blame {
        match self.trouble {
            Trouble::Failed(Failure::Status { .. }) => Blame::Receiver,
            #[cfg(feature = "tls")]
            Trouble::Failed(Failure::Tls(_)) => Blame::Certificate,
            #[cfg(feature = "http")]
            Trouble::Failed(Failure::NoToken { .. }) => Blame::Token,
            Trouble::Failed(_) | Trouble::ConnectionLost => Blame::Network,
            Trouble::Auth(_) => Blame::Token,
            Trouble::Rejected(_) | Trouble::TooLarge | Trouble::Unsupported => Blame::Request,
            Trouble::QueueFull | Trouble::Closed | Trouble::Expired | Trouble::StoreFull => Blame::Bounds,
            Trouble::Damaged | Trouble::Store(_) => Blame::Store,
        }
    }

    /// The status that the receiver answered with, if it did.
    pub const fn status(&self) -> Option<u16> {
        match self.trouble {
            Trouble::Failed(Failure::Status { code, .. }) | Trouble::Auth(code) | Trouble::Rejected(code) => Some(code),
            Trouble::TooLarge => Some(413),
            _ => None,
        }
    }

    /// The beginning of the receiver's answer: at most 200 bytes, one line of text, without the token. The receiver
    /// wrote it, and **may repeat a part of the lines there**: think before you log it.
    pub fn answer(&self) -> Option<&str> {
        self.answer.as_ref().map(|answer| &*answer.0)
    }

    /// What a log's limit applies to: incidents of one class are alike.
    #[cfg(any(feature = "log", feature = "tracing", test))]
    pub(super) const fn class(&self) -> usize {
        match self.trouble {
            Trouble::Failed(Failure::Connect) => 0,
            Trouble::Failed(Failure::Timeout) => 1,
            Trouble::Failed(Failure::Broken) => 2,
            #[cfg(feature = "tls")]
            Trouble::Failed(Failure::Tls(_)) => 15,
            #[cfg(feature = "http")]
            Trouble::Failed(Failure::NoToken { .. }) => 16,
            Trouble::Failed(_) => 3,
            Trouble::Auth(_) => 4,
            Trouble::Rejected(_) => 5,
            Trouble::TooLarge => 6,
            Trouble::Unsupported => 7,
            Trouble::QueueFull => 8,
            Trouble::ConnectionLost => 9,
            Trouble::Closed => 10,
            Trouble::Expired => 11,
            Trouble::StoreFull => 12,
            Trouble::Damaged => 13,
            Trouble::Store(_) => 14,
        }
    }

    /// Classes that [`class`](Self::class) tells apart.
    #[cfg(any(feature = "log", feature = "tracing", test))]
    pub(super) const CLASSES: usize = 17;
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lines > 0 {
            write!(f, "{}", self.lines)?;
            self.kind.map_or(Ok(()), |kind| write!(f, " {kind}"))?;
            write!(f, " {}", if self.lines == 1 { "line" } else { "lines" })?;
            f.write_str(match self.fate {
                Fate::Kept => " kept to be sent again: ",
                Fate::Dropped(_) => " lost: ",
                Fate::Doubtful => " in doubt: ",
            })?;
        }
        match &self.words {
            Some(words) => f.write_str(words),
            None => self.trouble.fmt(f),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(Failure::Connect) => {
                f.write_str("no connection: check host and port, and that the receiver runs")
            }
            Self::Failed(Failure::Timeout) => f.write_str("no answer in time"),
            Self::Failed(Failure::Broken) => f.write_str("the connection broke"),
            Self::Failed(Failure::Status { code, .. }) => write!(f, "the receiver answered {code}: it is busy or ill"),
            #[cfg(feature = "tls")]
            Self::Failed(Failure::Tls(problem)) => problem.fmt(f),
            #[cfg(feature = "http")]
            Self::Failed(Failure::NoToken { refused: true }) => {
                f.write_str("who issues tokens refuses to: check what they are asked for with")
            }
            #[cfg(feature = "http")]
            Self::Failed(Failure::NoToken { .. }) => f.write_str("no token can be had at present"),
            Self::Auth(code) => write!(f, "the receiver refuses the token ({code}): check it, and that it may ingest"),
            Self::Rejected(code) => write!(f, "the receiver refuses the request ({code}): check URL and lines"),
            Self::TooLarge => f.write_str("the receiver finds a single line too large: send a shorter one"),
            Self::Unsupported | Self::Failed(Failure::Unsupported) => {
                f.write_str("the endpoint takes no lines of this kind: send them to a proxy")
            }
            Self::QueueFull => {
                f.write_str("the queue is full: send less, make it larger (max_queue_size), or choose another overflow")
            }
            Self::ConnectionLost => f.write_str(
                "the connection broke after they were written; they are not sent again, as that could count twice",
            ),
            Self::Closed => f.write_str("the sender was closed before they were delivered: give close more time"),
            Self::Expired => f.write_str("they were in the store for longer than they may be"),
            Self::StoreFull => f.write_str("neither queue nor store has room: make the store larger"),
            Self::Damaged => f.write_str("the store could not read them back: check its medium"),
            Self::Store(StoreFailure::Full) => f.write_str("the store has no room: make some on its medium"),
            Self::Store(failure) => write!(f, "{failure}: check its medium"),
        }
    }
}

impl fmt::Debug for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trouble, kind, lines, fate, words, answer } = self;
        let mut debug = f.debug_struct("Incident");
        debug.field("trouble", trouble).field("kind", kind).field("lines", lines).field("fate", fate);
        debug.field("words", words).field("answer", answer).finish()
    }
}

/// The beginning of what a receiver answered, which nothing shows by accident.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Answer(Box<str>);

impl Answer {
    /// The most bytes that are kept.
    const MOST: usize = 200;

    /// The beginning of `text`.
    pub(super) fn of(text: &str) -> Self {
        let end = (0..=text.len().min(Self::MOST)).rev().find(|&end| text.is_char_boundary(end));
        Self(text.get(..end.unwrap_or(0)).unwrap_or_default().into())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    const BUSY: Failure = Failure::Status { code: 503, retry_after: None };

    fn of(failure: Failure, lines: usize, settled: usize) -> Option<Incident> {
        Incident::of_batch(Kind::Delta, failure, Outcome::of_failure(failure, settled as u32), lines, settled)
    }

    #[test]
    fn a_failed_batch_says_what_became_of_its_lines() {
        let status = |code| Failure::Status { code, retry_after: None };
        let told = |failure, lines, settled| {
            of(failure, lines, settled).map(|incident| (incident.trouble, incident.fate, incident.lines))
        };
        assert_eq!(told(BUSY, 5, 2), Some((Trouble::Failed(BUSY), Fate::Kept, 3)));
        assert_eq!(told(Failure::Connect, 5, 0), Some((Trouble::Failed(Failure::Connect), Fate::Kept, 5)));
        assert_eq!(told(status(403), 5, 0), Some((Trouble::Auth(403), Fate::Kept, 5)));
        let rejected = (Trouble::Rejected(400), Fate::Dropped(Reason::Rejected(400)), 5);
        assert_eq!(told(status(400), 5, 5), Some(rejected));
        assert_eq!(told(status(413), 5, 0), None, "halved, not lost");
        assert_eq!(told(status(413), 1, 1), Some((Trouble::TooLarge, Fate::Dropped(Reason::TooLarge), 1)));
        let unsupported = (Trouble::Unsupported, Fate::Dropped(Reason::Rejected(0)), 5);
        assert_eq!(told(Failure::Unsupported, 5, 5), Some(unsupported));
        assert_eq!(told(status(400), 5, 0), None, "the batch was given up before");
    }

    #[test]
    fn an_answer_is_short_and_shown_to_nobody_who_does_not_ask() {
        let long = "\u{20ac}s3cret".repeat(100);
        let incident = of(BUSY, 1, 0).map(|incident| incident.in_words("words").answered(Some(Answer::of(&long))));
        let incident = incident.unwrap();
        let answer = incident.answer().unwrap();
        assert!(long.starts_with(answer) && (195..=200).contains(&answer.len()), "{}", answer.len());
        assert!(!std::format!("{incident} {incident:?}").contains("s3cret"));
        assert_eq!(incident.to_string(), "1 delta line kept to be sent again: words");
    }

    #[test]
    fn every_trouble_has_a_class_a_blame_and_words() {
        let troubles = [
            (Trouble::Failed(Failure::Connect), Blame::Network),
            (Trouble::Failed(Failure::Timeout), Blame::Network),
            (Trouble::Failed(Failure::Broken), Blame::Network),
            (Trouble::Failed(BUSY), Blame::Receiver),
            (Trouble::Auth(401), Blame::Token),
            (Trouble::Rejected(400), Blame::Request),
            (Trouble::TooLarge, Blame::Request),
            (Trouble::Unsupported, Blame::Request),
            (Trouble::QueueFull, Blame::Bounds),
            (Trouble::ConnectionLost, Blame::Network),
            (Trouble::Closed, Blame::Bounds),
            (Trouble::Expired, Blame::Bounds),
            (Trouble::StoreFull, Blame::Bounds),
            (Trouble::Damaged, Blame::Store),
            (Trouble::Store(StoreFailure::Unavailable), Blame::Store),
            #[cfg(feature = "tls")]
            (Trouble::Failed(Failure::Tls(crate::transport::TlsProblem::Expired)), Blame::Certificate),
            #[cfg(feature = "http")]
            (Trouble::Failed(Failure::NoToken { refused: true }), Blame::Token),
        ];
        assert_eq!(troubles.len() == Incident::CLASSES, cfg!(feature = "http"));
        for (class, (trouble, blame)) in troubles.into_iter().enumerate() {
            let incident = Incident::new(trouble, None, 0, Fate::Kept);
            assert_eq!(incident.class(), class, "{incident}");
            assert_eq!(incident.blame(), blame, "{incident}");
            assert!(incident.to_string().len() > 10);
        }
    }
}
