//! Why a line is not read, and where.

use core::fmt;

/// The part of a line that an error speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
    /// The pairs of an event.
    Pairs,
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
            Self::Pairs => "pairs of key and value",
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
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
            Self::Empty => f.write_str("the line is blank: the receiver ignores it"),
            Self::UnclosedQuote => {
                f.write_str("nothing closes this quote: put the same one behind the text, with no backslash before it")
            }
            Self::Missing(part) => write!(f, "{part} missing: {}", missing(part)),
            Self::NotANumber(part) => write!(f, "{part} is not a number: {}", not_a_number(part)),
            Self::NotAnInteger(part) => {
                write!(f, "{part} is not a whole number of 32 bits: write digits only, 20 and not 20.0")
            }
            Self::NoEquals => f.write_str("no '=' behind the key of a tag: write key=value, and quotes around spaces"),
            Self::WrongKeyword => {
                f.write_str("not how a line of this kind starts: !M, !H or !D, @Event, @SourceTag, @SourceDescription")
            }
            Self::Blank(part) => write!(f, "{part} is blank: write something, or leave it out with its key"),
            Self::IllegalCharacter(part) => {
                write!(
                    f,
                    "{part} has a character that is not allowed in it: take letters a-z and A-Z, digits, and , - . / _"
                )
            }
            Self::PrefixOnly(part) => write!(f, "{part} is only a delta: put a name behind it"),
            Self::TooLong { part, limit, len } => {
                write!(f, "{part} is too long: {len} UTF-16 units, the limit is {limit}")
            }
            Self::TooMany { part, limit, count } => {
                write!(f, "too many {part}: {count} or more, the limit is {limit}; leave some out")
            }
            Self::DeltaNotPositive => f.write_str(
                "the value of a delta counter has to be above zero: leave the line out, the receiver drops it",
            ),
            Self::NoSamples => f.write_str("the counts of all centroids are zero: leave the line out"),
            Self::NotAUuid(part) => {
                write!(f, "{part} is not a UUID: write it as 7b3bf470-9456-11e8-9eb6-529269fb1459")
            }
            Self::ExtraInput => f.write_str("nothing may follow here, the line is complete: put quotes around spaces"),
            Self::UnknownAction => f.write_str("the action is none of add, save and delete: write one of them"),
            Self::Json => f.write_str("this is not JSON: RFC 8259 says what may stand here"),
            Self::TooDeep => f.write_str("JSON nested too deeply: at most 128 levels are read"),
            Self::JsonType(part) => write!(f, "{part} is JSON of another type than the receiver takes: {}", json(part)),
        }
    }
}

/// What to write where something is missing.
const fn missing(part: Part) -> &'static str {
    match part {
        Part::MetricName | Part::SpanName => "write it, in quotes",
        Part::Value => "write a number behind the name",
        Part::Start => "write it in digits, as milliseconds since 1970",
        Part::Duration => "write it behind the start time, in digits",
        Part::CentroidCount | Part::CentroidMean | Part::Centroids => "write #count mean before the name, once or more",
        Part::TagValue => "write it behind the '='",
        Part::Source => "add source=, and a name",
        Part::TraceId | Part::SpanId => "add it, and a UUID",
        Part::Logs => "add \"logs\", an array",
        Part::LogTimestamp => "add \"timestamp\", in microseconds since 1970",
        Part::LogFields => "add \"fields\", an object whose values are strings",
        Part::Action => "add action=add, action=save or action=delete",
        Part::SourceTag => "write a tag behind the source, or more",
        Part::Description => "write a text behind the source, in quotes",
        _ => "add it",
    }
}

/// What to write instead of what is no number.
const fn not_a_number(part: Part) -> &'static str {
    match part {
        // Whatever starts with a digit there is taken for the timestamp.
        Part::Timestamp => "write digits only; the key of the first tag cannot start with a digit",
        Part::Start | Part::Duration | Part::End => "write digits only, without a sign",
        _ => "write it as 42, 0.5 or 1e-3",
    }
}

/// The type that the receiver takes.
const fn json(part: Part) -> &'static str {
    match part {
        Part::Logs => "an array of objects",
        Part::LogTimestamp => "a number",
        Part::LogFields => "an object",
        _ => "a string",
    }
}

/// A line the receiver would reject: where, and why. It carries nothing of the line itself.
///
/// ```
/// use wavefront_sdk::{Limits, parse};
/// let error = parse::point("\"requests\" 12x source=\"web-1\"", &Limits::DEFAULT).unwrap_err();
/// assert_eq!(error.column, 12);
/// assert_eq!(error.to_string(), "column 12: value is not a number: write it as 42, 0.5 or 1e-3");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
pub(crate) struct Fault {
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

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_reason_says_what_is_wrong_and_what_to_do() {
        let too_long = Reason::TooLong { part: Part::Source, limit: 1023, len: 1024 };
        for (reason, text) in [
            (Reason::Missing(Part::Value), "value missing: write a number behind the name"),
            (Reason::NotANumber(Part::Duration), "duration is not a number: write digits only, without a sign"),
            (Reason::Blank(Part::TagValue), "tag value is blank: write something, or leave it out with its key"),
            (too_long, "source is too long: 1024 UTF-16 units, the limit is 1023"),
            (
                Reason::JsonType(Part::LogValue),
                "value of a log field is JSON of another type than the receiver takes: a string",
            ),
        ] {
            assert_eq!(reason.to_string(), text);
        }
    }
}
