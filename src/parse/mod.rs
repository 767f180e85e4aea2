//! Lines to data: the reader.
//!
//! The inverse of the encoders, written apart from them from what the receiver does: the decoder and the validator of
//! the Wavefront proxy (java-lib, `com.wavefront.ingester` and `com.wavefront.data.Validation`). A line is taken here if
//! and only if the receiver takes it, and every field is what the receiver makes of it.
//!
//! Everything is borrowed from the line, nothing is allocated, nothing recurses, and reading takes time in proportion to
//! the line's length. A line is given without its LF. As the receiver does, characters up to U+0020 are taken off both
//! ends first, so a CR or LF at the end does no harm; a LF inside is a character like any other. How old a timestamp is
//! and how long the line is are not judged.
//!
//! ```
//! use wavefront_sdk::{Kind, Limits, parse};
//!
//! let line = parse::line("\"requests\" 42.0 1493773500 source=\"web-1\" \"dc\"=\"1\"", &Limits::DEFAULT)?;
//! assert_eq!(line.kind(), Kind::Metric);
//! let parse::Line::Point(point) = line else { unreachable!() };
//! assert_eq!(point.name, "requests");
//! assert_eq!((point.value, point.timestamp), (42.0, Some(1_493_773_500_000)));
//! assert_eq!(point.tags.get("dc").unwrap(), "1");
//! # Ok::<(), parse::ParseError>(())
//! ```

mod character;
mod cursor;
mod error;
mod event;
mod histogram;
mod number;
mod point;
mod source;
mod span;
mod tags;
mod text;
mod validate;

pub use error::{ParseError, Part, Reason};
pub use event::Event;
pub use histogram::{Centroids, Histogram};
pub use point::Point;
pub use source::{SourceDescription, SourceTag, Texts};
pub use span::{Span, SpanTags, SpanTagsIter};
pub use tags::{AllTags, Pairs, Tags, TagsIter};
pub use text::{Chars, Text};

use crate::{Kind, Limits};
use cursor::Cursor;
use error::Fault;

/// A line that the receiver takes.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Line<'a> {
    /// A point of a metric, or an increment of a delta counter.
    Point(Point<'a>),
    /// A histogram distribution.
    Histogram(Histogram<'a>),
    /// A span.
    Span(Span<'a>),
    /// An event.
    Event(Event<'a>),
    /// Tags of a source.
    SourceTag(SourceTag<'a>),
    /// The description of a source.
    SourceDescription(SourceDescription<'a>),
}

impl Line<'_> {
    /// The kind of line it is: a point is a [`Kind::Delta`] if its name starts with a delta.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Point(point) if point.is_delta() => Kind::Delta,
            Self::Point(_) => Kind::Metric,
            Self::Histogram(_) => Kind::Histogram,
            Self::Span(_) => Kind::Span,
            Self::Event(_) => Kind::Event,
            Self::SourceTag(_) | Self::SourceDescription(_) => Kind::SourceTag,
        }
    }
}

/// Reads a line of any kind.
///
/// What starts with `!M `, `!H ` or `!D ` is a histogram, with `@Event` an event, with `@SourceTag` or
/// `@SourceDescription` what these say, with `{` the logs of a span. Anything else is a point if it can be read as one,
/// else a span if it has a `traceId`, else a bad point.
///
/// # Errors
/// Where the receiver would reject the line.
pub fn line<'a>(line: &'a str, limits: &Limits) -> Result<Line<'a>, ParseError> {
    let text = line.trim_start_matches(character::is_trimmed);
    let starts = |word: &str| text.starts_with(word);
    if starts("!M ") || starts("!H ") || starts("!D ") {
        histogram(line, limits).map(Line::Histogram)
    } else if starts("@Event") {
        event(line, limits).map(Line::Event)
    } else if starts("@SourceTag") {
        source_tag(line, limits).map(Line::SourceTag)
    } else if starts("@SourceDescription") {
        source_description(line, limits).map(Line::SourceDescription)
    } else {
        let error = match point(line, limits) {
            Ok(point) => return Ok(Line::Point(point)),
            Err(error) => error,
        };
        match start(line) {
            Ok(cursor) if span::has_trace_id(cursor) => span(line, limits).map(Line::Span),
            _ => Err(error),
        }
    }
}

/// Reads a point of a metric or of a delta counter.
///
/// # Errors
/// Where the receiver would reject the line as a point.
pub fn point<'a>(line: &'a str, limits: &Limits) -> Result<Point<'a>, ParseError> {
    start(line).and_then(|cursor| point::read(cursor, limits)).map_err(|fault| fault.in_line(line))
}

/// Reads a histogram.
///
/// # Errors
/// Where the receiver would reject the line as a histogram.
pub fn histogram<'a>(line: &'a str, limits: &Limits) -> Result<Histogram<'a>, ParseError> {
    start(line).and_then(|cursor| histogram::read(cursor, limits)).map_err(|fault| fault.in_line(line))
}

/// Reads a span.
///
/// # Errors
/// Where the receiver would reject the line as a span.
pub fn span<'a>(line: &'a str, limits: &Limits) -> Result<Span<'a>, ParseError> {
    start(line).and_then(|cursor| span::read(cursor, limits)).map_err(|fault| fault.in_line(line))
}

/// Reads an event. The receiver has no limits for events.
///
/// # Errors
/// Where the receiver would reject the line as an event.
pub fn event<'a>(line: &'a str, _: &Limits) -> Result<Event<'a>, ParseError> {
    start(line).and_then(event::read).map_err(|fault| fault.in_line(line))
}

/// Reads tags of a source. The receiver has no limits for them.
///
/// # Errors
/// Where the receiver would reject the line as tags of a source.
pub fn source_tag<'a>(line: &'a str, _: &Limits) -> Result<SourceTag<'a>, ParseError> {
    start(line).and_then(source::read_tag).map_err(|fault| fault.in_line(line))
}

/// Reads the description of a source. The receiver has no limits for it.
///
/// # Errors
/// Where the receiver would reject the line as the description of a source.
pub fn source_description<'a>(line: &'a str, _: &Limits) -> Result<SourceDescription<'a>, ParseError> {
    start(line).and_then(source::read_description).map_err(|fault| fault.in_line(line))
}

/// The start of the line, without what the receiver takes off its ends.
fn start(line: &str) -> Result<Cursor<'_>, Fault> {
    let text = line.trim_start_matches(character::is_trimmed);
    let before = line.len() - text.len();
    let text = text.trim_end_matches(character::is_trimmed);
    if text.is_empty() { Err(Fault::new(0, Reason::Empty)) } else { Ok(Cursor::new(text, before)) }
}
