//! Lines to data: the reader.
//!
//! The inverse of the encoders, written apart from them from what the receiver does: the decoder and the validator of
//! the Wavefront proxy (java-lib, `com.wavefront.ingester` and `com.wavefront.data.Validation`). A line is taken here
//! if and only if the receiver takes it, and every field is what the receiver makes of it.
//!
//! Everything is borrowed from the line, nothing is allocated, nothing recurses, and reading takes time in proportion
//! to the line's length, but for an event's: repeated keys are found at one pass a 128 of its pairs.
//!
//! A line is given without its LF. As the receiver does, characters up to U+0020 are taken off both ends first, so a CR
//! or LF at the end does no harm; a LF inside is a character like any other. How old a timestamp is and how long the
//! line is are not judged.
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
pub(crate) mod json;
mod number;
mod ordinary;
mod ordinary_logs;
mod point;
mod repeat;
mod run;
mod source;
mod span;
mod span_logs;
mod tags;
mod text;
mod validate;

pub use error::{ParseError, Part, Reason};
pub use event::Event;
pub use histogram::{Centroids, Histogram};
pub use point::Point;
pub use source::{SourceDescription, SourceTag, Texts};
pub use span::{Span, SpanTags, SpanTagsIter, Unit};
pub use span_logs::{LogFields, Logs, SpanLog, SpanLogs};
pub use tags::{AllTags, Pairs, Tags, TagsIter};
pub use text::{Chars, Text};

use crate::line::compact::SHORTCUTS;
use crate::{Kind, Limits};
use cursor::Cursor;
use error::Fault;

/// A line that the receiver takes. What `defmt` shows of it is its kind.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Line<'a> {
    /// A point of a metric, or an increment of a delta counter.
    Point(Point<'a>),
    /// A histogram distribution.
    Histogram(Histogram<'a>),
    /// A span.
    Span(Span<'a>),
    /// The logs of a span.
    SpanLogs(SpanLogs<'a>),
    /// An event.
    Event(Event<'a>),
    /// Tags of a source.
    SourceTag(SourceTag<'a>),
    /// The description of a source.
    SourceDescription(SourceDescription<'a>),
}

#[cfg(feature = "defmt")]
impl defmt::Format for Line<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Line({})", self.kind());
    }
}

impl Line<'_> {
    /// The kind of line it is: a point is a [`Kind::Delta`] if its name starts with a delta.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Point(point) if point.is_delta() => Kind::Delta,
            Self::Point(_) => Kind::Metric,
            Self::Histogram(_) => Kind::Histogram,
            Self::Span(_) => Kind::Span,
            Self::SpanLogs(_) => Kind::SpanLogs,
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
    if SHORTCUTS {
        if line.starts_with('{') {
            return span_logs(line, limits).map(Line::SpanLogs);
        }
        if let Some(ordinary) = ordinary::line(line, limits) {
            return Ok(ordinary);
        }
    }
    any_line(line, limits)
}

/// [`line`], without the shorter way.
fn any_line<'a>(line: &'a str, limits: &Limits) -> Result<Line<'a>, ParseError> {
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
    } else if starts("{") {
        any_span_logs(line).map(Line::SpanLogs)
    } else {
        let error = match any_point(line, limits) {
            Ok(point) => return Ok(Line::Point(point)),
            Err(error) => error,
        };
        match start(line) {
            Ok(cursor) if span::has_trace_id(cursor) => any_span(line, limits).map(Line::Span),
            _ => Err(error),
        }
    }
}

/// Reads a point of a metric or of a delta counter.
///
/// # Errors
/// Where the receiver would reject the line as a point.
pub fn point<'a>(line: &'a str, limits: &Limits) -> Result<Point<'a>, ParseError> {
    if SHORTCUTS && let Some(ordinary) = ordinary::point(line, limits) {
        return Ok(ordinary);
    }
    any_point(line, limits)
}

fn any_point<'a>(line: &'a str, limits: &Limits) -> Result<Point<'a>, ParseError> {
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
    if SHORTCUTS && let Some(ordinary) = ordinary::span(line, limits) {
        return Ok(ordinary);
    }
    any_span(line, limits)
}

fn any_span<'a>(line: &'a str, limits: &Limits) -> Result<Span<'a>, ParseError> {
    start(line).and_then(|cursor| span::read(cursor, limits)).map_err(|fault| fault.in_line(line))
}

/// Reads the logs of a span. The receiver has no limits for them.
///
/// # Errors
/// Where the receiver would reject the line as logs of a span, and where it is no JSON by RFC 8259.
pub fn span_logs<'a>(line: &'a str, _: &Limits) -> Result<SpanLogs<'a>, ParseError> {
    if SHORTCUTS && let Some(ordinary) = ordinary_logs::read(line) {
        return Ok(ordinary);
    }
    any_span_logs(line)
}

fn any_span_logs(line: &str) -> Result<SpanLogs<'_>, ParseError> {
    start(line).and_then(|cursor| span_logs::read(line, cursor)).map_err(|fault| fault.in_line(line))
}

/// Reads an event. The receiver has no limits for events, but for the length of their line.
///
/// # Errors
/// Where the receiver would reject the line as an event, and where the line has more pairs than there is room for in
/// [`Limits::metric_line`] bytes.
pub fn event<'a>(line: &'a str, limits: &Limits) -> Result<Event<'a>, ParseError> {
    start(line).and_then(|cursor| event::read(cursor, limits)).map_err(|fault| fault.in_line(line))
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

/// The tokens that the receiver cuts a line into, `=` and `#` among them; none from a quote on that nothing closes.
///
/// Any text has tokens, one that no kind of line is read from too.
///
/// ```
/// let tokens = wavefront_sdk::parse::tokens("\"cpu load\" 1 source=web");
/// let tokens: Vec<String> = tokens.map(|token| token.to_string()).collect();
/// assert_eq!(tokens, ["cpu load", "1", "source", "=", "web"]);
/// ```
pub fn tokens(line: &str) -> Texts<'_> {
    Texts::new(start(line).unwrap_or(Cursor::new("", 0)))
}

/// The start of the line, without what the receiver takes off its ends.
fn start(line: &str) -> Result<Cursor<'_>, Fault> {
    let text = line.trim_start_matches(character::is_trimmed);
    let before = line.len() - text.len();
    let text = text.trim_end_matches(character::is_trimmed);
    if text.is_empty() { Err(Fault::new(0, Reason::Empty)) } else { Ok(Cursor::new(text, before)) }
}

/// How often a token or a JSON value was read, in one thread: what reading costs, whatever the machine.
#[cfg(test)]
mod steps {
    extern crate std;
    use core::cell::Cell;

    std::thread_local! {
        static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn one() {
        STEPS.set(STEPS.get() + 1);
    }

    pub(super) fn taken() -> usize {
        STEPS.take()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::{format, string::String, string::ToString, vec::Vec};

    const LIMITS: &Limits = &Limits::DEFAULT;
    const IDS: &str = "traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 spanId=0313bafe-9457-11e8-9eb6-529269fb1459";

    /// Looks at everything there is in a line, and returns how many characters that were.
    fn exhaust(line: &Line<'_>) -> usize {
        let text = |text: Text<'_>| text.to_cow().len() + format!("{text:?}").len();
        let pair = |(key, value): (Text<'_>, Text<'_>)| text(key) + text(value);
        match line {
            Line::Point(point) => point.tags.iter().chain(point.tags.all()).map(pair).sum(),
            Line::Histogram(line) => {
                assert_eq!(line.centroids.count(), line.centroids.len());
                line.tags.iter().chain(line.tags.all()).map(pair).sum()
            }
            Line::Span(span) => span.tags.iter().chain(span.tags.whole()).map(pair).sum(),
            Line::SpanLogs(logs) => {
                assert_eq!(logs.span.is_some(), logs.decoded_span().is_some());
                logs.logs.flat_map(|log| log.fields).map(pair).sum()
            }
            Line::Event(event) => {
                event.hosts().chain(event.tags()).map(text).sum::<usize>()
                    + event.annotations().chain(event.dimensions()).map(pair).sum::<usize>()
            }
            Line::SourceTag(tag) => tag.tags.map(text).sum(),
            Line::SourceDescription(description) => description.description.map_or(0, text),
        }
    }

    proptest! {
        #[test]
        fn what_stands_in_quotes_is_what_is_meant(value in "[^\u{4}\n]{0,40}[^\\\\ \u{4}\n]", delta: bool) {
            let name = if delta { "∆requests" } else { "requests" };
            let text = format!("\"{name}\" 1 source=\"{0}\" \"k\"=\"{0}\"", value.replace('"', "\\\""));
            prop_assume!(value.chars().any(|c| !character::is_whitespace(c)) && !value.contains("\\\""));
            let line = line(&text, LIMITS).unwrap();
            prop_assert_eq!(line.kind(), if delta { Kind::Delta } else { Kind::Metric });
            let Line::Point(point) = line else { unreachable!() };
            prop_assert_eq!(point.source.unwrap().to_string(), value.as_str());
            prop_assert_eq!(point.tags.get("k").unwrap().to_string(), value);
        }
    }

    #[test]
    fn the_kind_of_a_line() {
        let kind = |text: &str| line(text, LIMITS).map(|line| line.kind());
        assert_eq!(kind("m 1"), Ok(Kind::Metric));
        assert_eq!(kind("Δm 1"), Ok(Kind::Delta));
        assert_eq!(kind(" \r!H #1 1 m"), Ok(Kind::Histogram));
        assert_eq!(kind(&format!("s {IDS} 1 1")), Ok(Kind::Span));
        assert_eq!(kind("{\"traceId\":\"1\",\"spanId\":\"2\",\"logs\":[]}"), Ok(Kind::SpanLogs));
        assert_eq!(kind("@Event 1"), Ok(Kind::Event));
        assert_eq!(kind("@SourceTag action=add source=s t"), Ok(Kind::SourceTag));
        assert_eq!(kind("@SourceDescription source=s action=DELETE"), Ok(Kind::SourceTag));
        // A tag called traceId makes no span of a point.
        assert_eq!(kind("m 1 traceId=x"), Ok(Kind::Metric));
        // A bad point, a bad span.
        assert_eq!(kind("m 1x k=v").unwrap_err().reason, Reason::NotANumber(Part::Value));
        assert_eq!(kind("s traceId=1 1 1").unwrap_err().reason, Reason::Missing(Part::SpanId));
    }

    #[test]
    fn columns_are_characters() {
        let error = |text: &str| {
            let error = line(text, LIMITS).unwrap_err();
            (error.column, error.reason)
        };
        assert_eq!(error(""), (1, Reason::Empty));
        assert_eq!(error(" \t\u{4}"), (1, Reason::Empty));
        assert_eq!(error("日本"), (3, Reason::Missing(Part::Value)));
        assert_eq!(error("m 1 '日' x"), (9, Reason::NoEquals));
        assert_eq!(error(" m 1 \"日本\"=\"v\""), (7, Reason::IllegalCharacter(Part::TagKey)));
        assert_eq!(error("m 1 k=\"v"), (7, Reason::UnclosedQuote));
        assert_eq!(error("m 1 k= \r"), (7, Reason::Missing(Part::TagValue)));
        assert_eq!(error("m 1 source=' '"), (12, Reason::Blank(Part::Source)));
        assert_eq!(error("∆m 0"), (4, Reason::DeltaNotPositive));
        assert_eq!(error("!D 1 m"), (6, Reason::Missing(Part::Centroids)));
        assert_eq!(error("!D #0 1 #0 2 m"), (4, Reason::NoSamples));
        assert_eq!(error("!D #2.0 1 m"), (5, Reason::NotAnInteger(Part::CentroidCount)));
        assert_eq!(error(&format!("s {IDS} 1 1 x")), (96, Reason::ExtraInput));
        assert_eq!(error("@Event x"), (8, Reason::Missing(Part::Start)));
        assert_eq!(error("@Event 1 2 e a@=b"), (15, Reason::IllegalCharacter(Part::AnnotationKey)));
        assert_eq!(error("@SourceTag action=put source=s t"), (19, Reason::UnknownAction));
        assert_eq!(error("{\"traceId\":1}"), (12, Reason::JsonType(Part::TraceId)));
    }

    #[test]
    fn the_source_of_a_point() {
        let point = |text| point(text, LIMITS).unwrap();
        assert!(point("m 1").source.is_none());
        assert_eq!(point("m 1 host=a host=b").source.unwrap(), "b");
        let both = point("m 1 source=a tag=t host=b source=c _host=x tag=u");
        assert_eq!(both.source.unwrap(), "c");
        let tags: Vec<_> = both.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(tags, ["_tag=u", "_host=b"]);
        assert_eq!(both.tags.all().count(), 4);
        assert_eq!(both.tags.get("_host").unwrap(), "b");
        assert!(both.tags.get("host").is_none());
    }

    #[test]
    fn limits_are_met_exactly() {
        let mut limits = Limits::DEFAULT;
        (limits.metric_name, limits.source, limits.tag_key, limits.tag, limits.tags) = (3, 3, 3, 5, 2);
        (limits.span_name, limits.span_tag_key, limits.span_tags) = (3, 3, 2);
        let reason = |text: &str| line(text, &limits).err().map(|error| error.reason);
        let too_long = |part, limit, len| Some(Reason::TooLong { part, limit, len });
        assert_eq!(reason("mmm 1 source=😀a kkk='日本' k=b"), None);
        assert_eq!(reason("mmmm 1"), too_long(Part::MetricName, 3, 4));
        assert_eq!(reason("m 1 source=😀ab"), too_long(Part::Source, 3, 4));
        assert_eq!(reason("m 1 kkkk=b"), too_long(Part::TagKey, 3, 4));
        assert_eq!(reason("m 1 kkk=bbb"), too_long(Part::Tag, 5, 6));
        let too_many = Some(Reason::TooMany { part: Part::Tags, limit: 2, count: 3 });
        assert_eq!(reason("m 1 source=s a=1 b=2 a=3"), too_many);
        assert_eq!(reason("m 1 source=s host=h a=1 b=2"), too_many, "the reader makes a tag of the host");
        assert_eq!(reason(&format!("😀s {IDS} source=s kkk=v parent=p 1 1")), too_long(Part::TagKey, 3, 6));
        assert_eq!(reason(&format!("😀s {IDS} source=s kkk=v k=v 1 1")), None);
        assert_eq!(reason(&format!("😀ss {IDS} 1 1")), too_long(Part::SpanName, 3, 4));
        assert_eq!(reason(&format!("s {IDS} k=1 k=2 k=3 1 1")), too_many);
    }

    #[test]
    fn a_long_value_of_a_span_is_cut_and_marked() {
        let long = "x".repeat(200);
        let tags = |text: &str| -> Vec<String> {
            let span = span(text, LIMITS).unwrap();
            span.tags.iter().map(|(key, value)| format!("{key}={value}")).collect()
        };
        let cut = "x".repeat(128);
        assert_eq!(tags(&format!("s {IDS} k={long} 1 1")), [format!("k={cut}"), "_spanLogs=true".into()]);
        assert_eq!(
            tags(&format!("s {IDS} _spanLogs=a k={long} _spanLogs=b 1 1")),
            ["_spanLogs=true".into(), format!("k={cut}"), "_spanLogs=b".into()]
        );
        let line = format!("s {IDS} k={long} 1 1");
        let span = span(&line, LIMITS).unwrap();
        assert_eq!(span.tags.whole().next().unwrap().1.to_string(), long);
        assert!(span.tags.is_cut());
    }

    #[test]
    fn which_tags_an_event_has() {
        let tags = |keys: usize| -> Vec<String> {
            let more: String = (2..keys).map(|key| format!(" k{key}=v")).collect();
            let text = format!("@Event 1 e eventTag=a tag=b eventTag=c{more}");
            let event = event(&text, LIMITS).unwrap();
            assert_eq!(event.annotations().count(), keys - 2);
            event.tags().map(|tag| tag.to_string()).collect()
        };
        assert_eq!(tags(2), ["b"]);
        assert_eq!(tags(24), ["b"]);
        assert_eq!(tags(25), ["a", "c"]);
        assert_eq!(tags(96), ["a", "c"]);
        assert_eq!(tags(97), ["b"]);
        let one = event("@Event 1 e eventTag=a", LIMITS).unwrap();
        assert_eq!(one.tags().count(), 1);
    }

    /// Lines of `size` bytes and more, each of a shape that somebody might read in quadratic time.
    fn long_lines(size: usize) -> Vec<String> {
        let many = |piece: &str| piece.repeat(size / piece.len());
        let numbered = |piece: &str| -> String {
            (0..size / piece.len()).map(|number| piece.replace('N', &number.to_string())).collect()
        };
        std::vec![
            many("\""),
            many("\\\""),
            many("'a' "),
            many("a=b "),
            many("traceId "),
            many("9"),
            many("\u{2028}"),
            format!("m 1 {}", many("source=s ")),
            format!("m 1 {}", many("a=b ")),
            format!("m 1 {}{}", many("source=s "), (0..100).map(|key| format!("k{key}=v ")).collect::<String>()),
            format!("s {} 1 1", many("host=s ")),
            format!("s {IDS} {} 1 1", many("source=s ")),
            format!("!M {} m", many("#1 1 ")),
            format!("!M #1 0x{}p1 m", many("f")),
            format!("!M #{}1 1 m", many("0")),
            format!("@Event 1 e {}", many("a@=b ")),
            format!("@Event 1 e {}", numbered("kN=v ")),
            format!("@Event 1 e {}", numbered("k@N=v ")),
            format!("@Event 1 e {0}{0}", numbered("k@N=v ")),
            format!("@Event 1 e tag=t eventTag=t {}", numbered("kN=v ")),
            format!("@SourceTag action=add source=s {}", many("t ")),
            many("{"),
            format!("{{\"a\":{}", many("[")),
            format!("{{\"a\":[{}]", many("[],")),
            format!("{{\"a\":\"{}\"", many("\\u0022")),
            format!(
                "{{\"traceId\":\"t\",\"spanId\":\"s\",{}\"logs\":[]}}",
                many("\"logs\":[{\"timestamp\":1,\"fields\":{}}],")
            ),
        ]
    }

    /// A point has at most 100 tags, and an event so many batches of pairs; each may cost a pass. Beyond that no line
    /// is read the more often the longer it is.
    #[test]
    fn a_token_is_read_so_many_times_at_most() {
        let passes = LIMITS.tags.max(LIMITS.metric_line / 3 / repeat::BATCH);
        for size in [1 << 10, 1 << 12, 1 << 14, 1 << 17] {
            for text in long_lines(size) {
                steps::taken();
                for reading in [line(&text, LIMITS), span(&text, LIMITS).map(Line::Span)].iter().flatten() {
                    exhaust(reading);
                }
                let (steps, most) = (steps::taken(), 4 * (passes + 8));
                let tokens = 100 + tokens(&text).count().max(text.matches(['[', '{', ':']).count());
                assert!(steps <= tokens * most, "{steps} steps for {tokens} tokens: {text:.60}");
            }
        }
    }
}
