//! Why a line is not read, and where.

use core::fmt;

/// The part of a line that an error speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The first word of a line that starts with `!` or `@`.
    Keyword,
    /// The name of a metric, delta counter or histogram.
    MetricName,
    /// The name of a span.
    SpanName,
    /// The value of a point.
    Value,
    /// The timestamp of a point or a histogram.
    Timestamp,
    /// The start time of a span or an event.
    Start,
    /// The end time of an event.
    End,
    /// The duration of a span.
    Duration,
    /// The count of a centroid.
    CentroidCount,
    /// The mean of a centroid.
    CentroidMean,
    /// The centroids of a histogram.
    Centroids,
    /// What the line is about: `source=` or `host=`.
    Source,
    /// The key of a tag.
    TagKey,
    /// The value of a tag.
    TagValue,
    /// The key and the value of a tag together.
    Tag,
    /// The tags of a line.
    Tags,
    /// The key of an event's annotation.
    AnnotationKey,
    /// The keys of an event that no annotation may have, unless repeated.
    AnnotationKeys,
    /// The trace id.
    TraceId,
    /// The span id.
    SpanId,
    /// The log records of a span.
    Logs,
    /// The timestamp of a log record.
    LogTimestamp,
    /// The fields of a log record.
    LogFields,
    /// The value of a field of a log record.
    LogValue,
    /// `action=` of a source tag or description.
    Action,
    /// The tag of a source.
    SourceTag,
    /// The description of a source.
    Description,
}

impl Part {
    /// The part in plain words, as used at the start of a sentence.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keyword => "first word",
            Self::MetricName => "name",
            Self::SpanName => "span name",
            Self::Value => "value",
            Self::Timestamp => "timestamp",
            Self::Start => "start time",
            Self::End => "end time",
            Self::Duration => "duration",
            Self::CentroidCount => "centroid count",
            Self::CentroidMean => "centroid mean",
            Self::Centroids => "centroids",
            Self::Source => "source",
            Self::TagKey => "tag key",
            Self::TagValue => "tag value",
            Self::Tag => "tag (key and value)",
            Self::Tags => "tags",
            Self::AnnotationKey => "annotation key",
            Self::AnnotationKeys => "annotation keys with illegal characters",
            Self::TraceId => "traceId",
            Self::SpanId => "spanId",
            Self::Logs => "logs",
            Self::LogTimestamp => "timestamp of a log record",
            Self::LogFields => "fields of a log record",
            Self::LogValue => "value of a log field",
            Self::Action => "action",
            Self::SourceTag => "source tag",
            Self::Description => "description",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is wrong with a line. Lengths and limits of text are in UTF-16 code units, as the receiver counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Nothing but white space. The receiver ignores such a line without a word.
    Empty,
    /// A quote that nothing closes. A quote behind a backslash closes nothing.
    UnclosedQuote,
    /// The line ends, or names no such thing, where it has to.
    Missing(Part),
    /// Not a number as the receiver reads it.
    NotANumber(Part),
    /// Not a whole number of 32 bits.
    NotAnInteger(Part),
    /// No `=` behind the key of a tag.
    NoEquals,
    /// Another first word than this kind of line has.
    WrongKeyword,
    /// Nothing but white space in it.
    Blank(Part),
    /// A character that this part may not have.
    IllegalCharacter(Part),
    /// `∆` or `Δ` and nothing behind it, which crashes the receiver's validator.
    PrefixOnly(Part),
    /// Longer than the limit.
    TooLong {
        /// What is too long.
        part: Part,
        /// The limit.
        limit: usize,
        /// How long it is.
        len: usize,
    },
    /// More of them than the limit.
    TooMany {
        /// What there is too many of.
        part: Part,
        /// The limit.
        limit: usize,
        /// How many there are; where counting stopped, one over the limit.
        count: usize,
    },
    /// The value of a delta counter is zero or below.
    DeltaNotPositive,
    /// The counts of all centroids are zero.
    NoSamples,
    /// Not a UUID.
    NotAUuid(Part),
    /// Something behind the end of the datum.
    ExtraInput,
    /// An action other than `add`, `save` and `delete`.
    UnknownAction,
    /// Not what RFC 8259 calls JSON.
    Json,
    /// JSON that is nested too deeply.
    TooDeep,
    /// JSON of another type than this part has.
    JsonType(Part),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("the line is blank"),
            Self::UnclosedQuote => f.write_str("nothing closes this quote"),
            Self::Missing(part) => write!(f, "{part} missing"),
            Self::NotANumber(part) => write!(f, "{part} is not a number"),
            Self::NotAnInteger(part) => write!(f, "{part} is not a whole number of 32 bits"),
            Self::NoEquals => f.write_str("a tag needs '=' between key and value"),
            Self::WrongKeyword => f.write_str("this kind of line starts with another word"),
            Self::Blank(part) => write!(f, "{part} is blank"),
            Self::IllegalCharacter(part) => write!(f, "{part} has a character that is not allowed in it"),
            Self::PrefixOnly(part) => write!(f, "{part} is only a delta: something has to follow it"),
            Self::TooLong { part, limit, len } => write!(f, "{part} is too long: {len}, the limit is {limit}"),
            Self::TooMany { part, limit, count } => write!(f, "too many {part}: {count}, the limit is {limit}"),
            Self::DeltaNotPositive => f.write_str("the value of a delta counter has to be above zero"),
            Self::NoSamples => f.write_str("the counts of all centroids are zero"),
            Self::NotAUuid(part) => write!(f, "{part} is not a UUID"),
            Self::ExtraInput => f.write_str("nothing may follow here"),
            Self::UnknownAction => f.write_str("action is none of add, save and delete"),
            Self::Json => f.write_str("this is not JSON"),
            Self::TooDeep => f.write_str("JSON nested too deeply"),
            Self::JsonType(part) => write!(f, "{part} is JSON of another type than the receiver takes"),
        }
    }
}

/// A line the receiver would reject: where, and why. It carries nothing of the line itself.
///
/// ```
/// use wavefront_sdk::{Limits, parse};
/// let error = parse::point("\"requests\" 12x source=\"web-1\"", &Limits::DEFAULT).unwrap_err();
/// assert_eq!(error.column, 12);
/// assert_eq!(error.to_string(), "column 12: value is not a number");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseError {
    /// Where the trouble starts: 1-based, in characters. One behind the last character where something is missing.
    pub column: usize,
    /// What is wrong there.
    pub reason: Reason,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.reason)
    }
}

impl core::error::Error for ParseError {}

/// A [`ParseError`] before its column was counted: its place in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// Where, in bytes from the start of the line.
    pub(super) at: usize,
    /// What.
    pub(super) reason: Reason,
}

impl Fault {
    pub(super) const fn new(at: usize, reason: Reason) -> Self {
        Self { at, reason }
    }

    /// The error, with its column in `line`.
    pub(super) fn in_line(self, line: &str) -> ParseError {
        let before = line.char_indices().take_while(|&(at, _)| at < self.at).count();
        ParseError { column: before + 1, reason: self.reason }
    }
}
