//! Who is to blame: the caller ([`InvalidInput`]), a full sink ([`EncodeError::Full`]), the peer or the wire
//! ([`TransportError`](crate::transport::TransportError)). No error carries user data or a token.

use core::fmt;

/// The part of a datum that an error speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Field {
    /// The name of a metric or delta counter.
    MetricName,
    /// The name of a histogram.
    HistogramName,
    /// The name of a span.
    SpanName,
    /// The name of an event.
    EventName,
    /// The source (host) the datum is about.
    Source,
    /// The value of a metric or delta counter.
    Value,
    /// A timestamp, a start time or an end time.
    Timestamp,
    /// The mean of a centroid.
    CentroidMean,
    /// The count of a centroid.
    CentroidCount,
    /// The centroids of a histogram.
    Centroids,
    /// The granularities of a histogram.
    Granularities,
    /// The key of a point tag.
    TagKey,
    /// The value of a point tag.
    TagValue,
    /// The key and the value of a point tag together.
    Tag,
    /// The point tags of a metric, delta counter or histogram.
    Tags,
    /// The key of a span tag.
    SpanTagKey,
    /// The value of a span tag.
    SpanTagValue,
    /// The tags of a span, counting parents, follows-from and the mark of span logs.
    SpanTags,
    /// The log records of a span.
    SpanLogs,
    /// The key of a span log field.
    SpanLogKey,
    /// The span's own line inside its logs.
    SpanLine,
    /// The key of an event's annotation.
    AnnotationKey,
    /// The value of an event's annotation.
    AnnotationValue,
    /// A tag of an event.
    EventTag,
    /// A tag of a source.
    SourceTag,
    /// The description of a source.
    Description,
    /// The whole line.
    Line,
}

impl Field {
    /// The field in plain words, as used at the start of a sentence.
    // Else its table is in the program as often as it is called.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MetricName => "metric name",
            Self::HistogramName => "histogram name",
            Self::SpanName => "span name",
            Self::EventName => "event name",
            Self::Source => "source",
            Self::Value => "value",
            Self::Timestamp => "timestamp",
            Self::CentroidMean => "centroid mean",
            Self::CentroidCount => "centroid count",
            Self::Centroids => "centroids",
            Self::Granularities => "granularities",
            Self::TagKey => "tag key",
            Self::TagValue => "tag value",
            Self::Tag => "tag (key and value)",
            Self::Tags => "tags",
            Self::SpanTagKey => "span tag key",
            Self::SpanTagValue => "span tag value",
            Self::SpanTags => "span tags",
            Self::SpanLogs => "span logs",
            Self::SpanLogKey => "span log field",
            Self::SpanLine => "span line in the span logs",
            Self::AnnotationKey => "annotation key",
            Self::AnnotationValue => "annotation value",
            Self::EventTag => "event tag",
            Self::SourceTag => "source tag",
            Self::Description => "description",
            Self::Line => "line",
        }
    }
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Problem {
    /// Empty, or white space only, after the documented clean-up.
    Blank,
    /// A name that is only a prefix (`∆`, `Δ`, `~`), which crashes the receiver's validator.
    PrefixOnly,
    /// Longer than the receiver takes. Lengths of text are in UTF-16 code units, of lines in bytes.
    TooLong {
        /// The receiver's limit.
        limit: usize,
        /// The length that was given.
        len: usize,
    },
    /// More of them than the receiver takes.
    TooMany {
        /// The receiver's limit.
        limit: usize,
        /// How many were given.
        count: usize,
    },
    /// None where at least one is needed.
    Missing,
    /// NaN or infinite.
    NotFinite,
    /// Below zero where the receiver drops it.
    Negative,
    /// Zero where the receiver cannot use it.
    Zero,
    /// More than the receiver's integers hold.
    TooLarge,
    /// Not what the receiver reads there.
    Malformed,
    /// A key that would overwrite one of the line's own fields.
    ReservedKey,
    /// A key that appears twice after clean-up; the receiver would keep only the last.
    RepeatedKey,
}

/// The caller gave something that no line can say. Nothing was written.
///
/// ```
/// use wavefront_sdk::{Encode, Field, Metric, Problem, Rules, line::Slice};
/// let mut buffer = [0; 128];
/// let error = Metric::new("  ", 1.0).source("s").encode(&Rules::default(), &mut Slice::new(&mut buffer)).unwrap_err();
/// let invalid = error.invalid().unwrap();
/// assert_eq!((invalid.field, invalid.problem), (Field::MetricName, Problem::Blank));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct InvalidInput {
    /// The field that is wrong.
    pub field: Field,
    /// What is wrong with it.
    pub problem: Problem,
}

impl InvalidInput {
    /// Says that `field` has `problem`.
    pub const fn new(field: Field, problem: Problem) -> Self {
        Self { field, problem }
    }

    /// Says it in words, a piece at a time: what `Display` writes, where its machinery is too much.
    pub fn say(&self, say: &mut dyn FnMut(&str)) {
        let (before, after, bounds) = match self.problem {
            Problem::Blank => ("", " is blank", None),
            Problem::PrefixOnly => ("", " is only a prefix: something has to follow it", None),
            Problem::TooLong { limit, len } => ("", " is too long: ", Some((len, limit))),
            Problem::TooMany { limit, count } => ("too many ", ": ", Some((count, limit))),
            Problem::Missing if self.field == Field::Source => ("", " missing: give one, or a default source", None),
            Problem::Missing => ("", " missing: at least one is needed", None),
            Problem::NotFinite => ("", " is NaN or infinite", None),
            Problem::Negative => ("", " is negative", None),
            Problem::Zero => ("", " is zero", None),
            Problem::TooLarge => ("", " is too large: the receiver's integers have 63 bits", None),
            Problem::Malformed => ("", " is not what the receiver reads there", None),
            Problem::ReservedKey => ("", " is reserved: it would overwrite a field of the line itself", None),
            Problem::RepeatedKey => ("", " is repeated: the receiver would keep only the last", None),
        };
        say(before);
        say(self.field.as_str());
        say(after);
        if let Some((given, limit)) = bounds {
            say_number(given, say);
            say(", the limit is ");
            say_number(limit, say);
        }
    }
}

impl fmt::Display for InvalidInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        spoken(f, |say| self.say(say))
    }
}

/// Says a number a digit at a time: no table, no buffer.
pub(crate) fn say_number(number: usize, say: &mut dyn FnMut(&str)) {
    let mut unit = 1;
    while number / unit >= 10 {
        unit *= 10;
    }
    while unit > 0 {
        let digit = number / unit % 10;
        say("0123456789".get(digit..=digit).unwrap_or_default());
        unit /= 10;
    }
}

/// Writes what is said a piece at a time.
pub(crate) fn spoken(f: &mut fmt::Formatter<'_>, speak: impl FnOnce(&mut dyn FnMut(&str))) -> fmt::Result {
    let mut written = Ok(());
    speak(&mut |text| written = written.and_then(|()| f.write_str(text)));
    written
}

impl core::error::Error for InvalidInput {}

/// Why a line was not written. The sink is as it was before.
///
/// `F` is the sink's own *full* error ([`Sink::Full`](crate::line::Sink::Full)); a `Vec<u8>` is never full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum EncodeError<F> {
    /// The caller's input cannot be written.
    Invalid(InvalidInput),
    /// The sink had no room for the whole line.
    Full(F),
}

impl<F> EncodeError<F> {
    /// The caller's mistake, if it is one.
    pub const fn invalid(&self) -> Option<&InvalidInput> {
        match self {
            Self::Invalid(invalid) => Some(invalid),
            Self::Full(_) => None,
        }
    }
}

impl<F> From<InvalidInput> for EncodeError<F> {
    fn from(invalid: InvalidInput) -> Self {
        Self::Invalid(invalid)
    }
}

impl<F: fmt::Display> fmt::Display for EncodeError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::Full(full) => full.fmt(f),
        }
    }
}

impl<F: fmt::Debug + fmt::Display> core::error::Error for EncodeError<F> {}
