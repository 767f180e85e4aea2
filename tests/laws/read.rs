//! Laws of the parser, for any text:
//!
//! 1. Every entry reads it or says where it cannot and why. None panics, and none takes longer than the text's length
//!    allows.
//! 2. What is read can be written again, but for what our data cannot say or do not allow; the laws of the encoders hold
//!    for it. Written once more, it is the same to the byte.
//! 3. White space behind it, which the reader takes off, changes nothing: no line that ends so is read the short way, by
//!    which ordinary lines go, so both ways make the same of it.

use wavefront_sdk::parse::{self, Line, ParseError, Text};
use wavefront_sdk::{
    DeltaCounter, DescriptionAction, Event, Histogram, Limits, Metric, Rules, SourceDescription, SourceTag, Span,
    SpanLog, SpanLogs, Uuid,
};

use super::encode::{self, Rooms};

const LIMITS: &Limits = &Limits::DEFAULT;
const RULES: &Rules<'_> = &Rules::new().default_source("unknown");

/// The length of a text that is made long, and of the longest bytes it is made of. A line of the receiver's has no more
/// bytes; the number of pairs that an event may have, and with it the passes over them, follows from that.
const LONG: usize = 1 << 15;
const SHORT: usize = 64;

pub(crate) fn bytes(bytes: &[u8]) {
    any(&text(bytes));
}

/// The bytes as text. Of few bytes those behind two 0xFF, up to two more of them, are repeated until the text is long: so
/// that quadratic time is seen.
fn text(bytes: &[u8]) -> String {
    let mark = |bytes: &[u8]| bytes.windows(2).position(|two| two == [0xFF, 0xFF]);
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let Some(first) = mark(bytes).filter(|_| bytes.len() <= SHORT) else { return lossy(bytes) };
    let (head, rest) = (lossy(&bytes[..first]), &bytes[first + 2..]);
    let (piece, tail) = match mark(rest) {
        Some(second) => (lossy(&rest[..second]), lossy(&rest[second + 2..])),
        None => (lossy(rest), String::new()),
    };
    head + &piece.repeat(LONG / piece.len().max(1)) + &tail
}

pub(crate) fn any(text: &str) {
    let detected = parse::line(text, LIMITS);
    let readings = [
        detected,
        parse::point(text, LIMITS).map(Line::Point),
        parse::histogram(text, LIMITS).map(Line::Histogram),
        parse::span(text, LIMITS).map(Line::Span),
        parse::span_logs(text, LIMITS).map(Line::SpanLogs),
        parse::event(text, LIMITS).map(Line::Event),
        parse::source_tag(text, LIMITS).map(Line::SourceTag),
        parse::source_description(text, LIMITS).map(Line::SourceDescription),
    ];
    assert_eq!(detected.is_ok(), readings[1..].iter().any(|reading| of_same_kind(&detected, reading)));
    for error in readings.iter().filter_map(|reading| reading.as_ref().err()) {
        assert!((1..=text.chars().count() + 1).contains(&error.column), "{error}");
        assert!(!error.to_string().is_empty());
    }
    same_the_long_way(text, &readings[..5]);
    for line in readings[1..].iter().flatten() {
        exhaust(line);
        if let Some(first) = again(line) {
            let second = reading_of(line, &first);
            assert_eq!(again(&second).as_ref(), Some(&first), "written again it is another line");
        }
    }
}

fn of_same_kind(one: &Result<Line<'_>, ParseError>, other: &Result<Line<'_>, ParseError>) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => core::mem::discriminant(one) == core::mem::discriminant(other),
        _ => false,
    }
}

/// Reads lines of any kind, points, histograms, spans and span logs the way on which no shorter one is.
fn same_the_long_way(text: &str, readings: &[Result<Line<'_>, ParseError>]) {
    let long = format!("{text} ");
    let again = [
        parse::line(&long, LIMITS),
        parse::point(&long, LIMITS).map(Line::Point),
        parse::histogram(&long, LIMITS).map(Line::Histogram),
        parse::span(&long, LIMITS).map(Line::Span),
        parse::span_logs(&long, LIMITS).map(Line::SpanLogs),
    ];
    for (short, long) in readings.iter().zip(&again) {
        match (short, long) {
            (Ok(short), Ok(long)) => assert_eq!(format!("{short:?}"), format!("{long:?}")),
            _ => assert_eq!(short.is_ok(), long.is_ok(), "{short:?} {long:?}"),
        }
    }
}

/// Looks at everything there is in a line.
fn exhaust(line: &Line<'_>) {
    let text = |text: Text<'_>| {
        let owned = text.to_string();
        assert!(text == *owned && text.chars().eq(owned.chars()) && text.to_cow() == owned);
        assert!(text.as_str().is_none_or(|same| same == owned));
        assert_eq!((text.len_utf16(), text.is_empty()), (super::clean::utf16(&owned), owned.is_empty()));
        assert!(
            text.is_blank() || !owned.trim().is_empty() || owned.contains(['\u{85}', '\u{A0}', '\u{2007}', '\u{202F}'])
        );
    };
    let pair = |(key, value): (Text<'_>, Text<'_>)| {
        text(key);
        text(value);
    };
    match line {
        Line::Point(point) => {
            point.tags.iter().chain(point.tags.all()).for_each(pair);
            point.tags.iter().for_each(|(key, value)| assert_eq!(point.tags.get(&key.to_string()), Some(value)));
        }
        Line::Histogram(line) => {
            assert_eq!(line.centroids.count(), line.centroids.len());
            line.tags.iter().chain(line.tags.all()).for_each(pair);
        }
        Line::Span(span) => span.tags.iter().chain(span.tags.whole()).for_each(pair),
        Line::SpanLogs(logs) => {
            logs.logs.flat_map(|log| log.fields).for_each(pair);
            same_span(logs);
        }
        Line::Event(event) => {
            event.hosts().chain(event.tags()).chain(event.name).for_each(text);
            event.annotations().chain(event.dimensions()).for_each(pair);
            assert!(event.end_time > event.start_time);
        }
        Line::SourceTag(tag) => tag.tags.for_each(text),
        Line::SourceDescription(description) => description.description.into_iter().for_each(text),
        _ => panic!("a kind of line that no law knows"),
    }
    assert!(!format!("{line:?}").is_empty());
}

/// Read through the escapes of JSON, the span of logs is what it is read as without.
fn same_span(logs: &parse::SpanLogs<'_>) {
    let Some(line) = logs.span.map(|span| span.to_string()) else {
        assert!(logs.decoded_span().is_none());
        return;
    };
    let inside = logs.decoded_span().unwrap();
    if let Ok(outside) = parse::span(&line, LIMITS) {
        assert_eq!(format!("{inside:?}"), format!("{outside:?}"));
    }
}

/// The text as a line of the same kind, which it is.
fn reading_of<'a>(line: &Line<'_>, text: &'a str) -> Line<'a> {
    let read = match line {
        Line::Point(_) => parse::point(text, LIMITS).map(Line::Point),
        Line::Histogram(_) => parse::histogram(text, LIMITS).map(Line::Histogram),
        Line::Span(_) => parse::span(text, LIMITS).map(Line::Span),
        Line::SpanLogs(_) => parse::span_logs(text, LIMITS).map(Line::SpanLogs),
        Line::Event(_) => parse::event(text, LIMITS).map(Line::Event),
        Line::SourceTag(_) => parse::source_tag(text, LIMITS).map(Line::SourceTag),
        _ => parse::source_description(text, LIMITS).map(Line::SourceDescription),
    };
    read.unwrap()
}

fn owned<'a>(pairs: impl Iterator<Item = (Text<'a>, Text<'a>)>) -> Vec<(String, String)> {
    pairs.map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(key, value)| (&**key, &**value)).collect()
}

/// The timestamp that is read as so many milliseconds, if there is one.
fn timestamp(milliseconds: i64) -> Option<u64> {
    let given = u64::try_from(milliseconds).ok()?;
    [given / 1000, given, given.saturating_mul(1000)]
        .into_iter()
        .find(|written| super::clean::milliseconds(*written) == Some(given))
}

/// The line that our own data make of what was read; none where they cannot say it, or refuse it with a reason.
fn again(line: &Line<'_>) -> Option<String> {
    let rooms = Rooms::One(0);
    let lines = match line {
        Line::Point(point) => {
            let (name, tags) = (point.name.to_string(), owned(point.tags.iter()));
            let (tags, source) = (borrowed(&tags), point.source.map(|source| source.to_string()));
            let mut metric = Metric::new(&name, point.value).tags(&*tags);
            (metric.source, metric.timestamp) = (source.as_deref(), point.timestamp.and_then(timestamp));
            let lines = encode::metric(&metric, RULES, rooms);
            if point.is_delta() && metric.timestamp.is_none() {
                let mut counter = DeltaCounter::new(&name, point.value).tags(&*tags);
                counter.source = metric.source;
                // Of two things that are wrong either may be told.
                assert_eq!(encode::delta(&counter, RULES, rooms).ok(), lines.clone().ok());
            }
            lines
        }
        Line::Histogram(read) => {
            let (name, tags) = (read.name.to_string(), owned(read.tags.iter()));
            let (tags, source) = (borrowed(&tags), read.source.map(|source| source.to_string()));
            // Counts of zero and below are not ours to send.
            let centroids: Option<Vec<_>> =
                read.centroids.map(|(mean, count)| Some((mean, u64::try_from(count).ok()?))).collect();
            let centroids = centroids?;
            let mut histogram = Histogram::new(&name, &centroids).granularities(read.granularity).tags(&*tags);
            (histogram.source, histogram.timestamp) = (source.as_deref(), read.timestamp.and_then(timestamp));
            encode::histogram(&histogram, RULES, rooms)
        }
        Line::Span(span) => {
            let (name, source) = (span.name.to_string(), span.source.map(|source| source.to_string()));
            let (mut parents, mut follows_from, mut tags) = (Vec::new(), Vec::new(), Vec::new());
            for (key, value) in owned(span.tags.whole()) {
                match &*key {
                    "parent" => parents.push(id(&value)?),
                    "followsFrom" => follows_from.push(id(&value)?),
                    _ => tags.push((key, value)),
                }
            }
            let tags = borrowed(&tags);
            let times = u64::try_from(span.start_millis).ok().zip(u64::try_from(span.duration_millis).ok());
            let times = times.filter(|&(start, duration)| encode::is_span_time(start, duration));
            let (start, duration) = times.unwrap_or((1_552_949_776_000, 343));
            let ids = (id(&span.trace_id.to_string())?, id(&span.span_id.to_string())?);
            let mut datum = Span::new(&name, start, duration, ids.0, ids.1).tags(&*tags);
            datum = datum.parents(&parents).follows_from(&follows_from);
            datum.source = source.as_deref();
            encode::span(&datum, RULES, rooms)
        }
        Line::SpanLogs(logs) => {
            let records: Option<Vec<_>> =
                logs.logs.map(|log| Some((u64::try_from(log.timestamp).ok()?, owned(log.fields)))).collect();
            let records = records?;
            let records: Vec<_> = records.iter().map(|(at, fields)| (*at, borrowed(fields))).collect();
            let records: Vec<_> = records.iter().map(|(at, fields)| SpanLog::new(*at, fields)).collect();
            let (second, span) = (logs.secondary_id.map(|id| id.to_string()), logs.span.map(|span| span.to_string()));
            let ids = (id(&logs.trace_id.to_string())?, id(&logs.span_id.to_string())?);
            let mut datum = SpanLogs::new(ids.0, ids.1, &records);
            (datum.secondary_id, datum.span) = (second.as_deref(), span.as_deref());
            encode::span_logs(&datum, RULES, rooms)
        }
        Line::Event(event) => {
            let (name, annotations) = (event.name?.to_string(), owned(event.annotations()));
            let (annotations, source) = (borrowed(&annotations), event.hosts().next().map(|host| host.to_string()));
            let tags: Vec<_> = event.tags().map(|tag| tag.to_string()).collect();
            let tags: Vec<_> = tags.iter().map(String::as_str).collect();
            let mut datum = Event::new(&name, timestamp(event.start_time)?).tags(&tags).annotations(&*annotations);
            (datum.source, datum.end_millis) = (source.as_deref(), Some(timestamp(event.end_time)?));
            encode::event(&datum, RULES, rooms)
        }
        Line::SourceTag(read) => {
            let tags: Vec<_> = read.tags.map(|tag| tag.to_string()).collect();
            let tags: Vec<_> = tags.iter().map(String::as_str).collect();
            encode::source_tag(&SourceTag::new(read.action, &tags).source(&read.source.to_string()), RULES, rooms)
        }
        Line::SourceDescription(read) => {
            let text = read.description.map(|text| text.to_string()).unwrap_or_default();
            let source = read.source.to_string();
            let mut datum = SourceDescription::save(&text).source(&source);
            if read.action == DescriptionAction::Delete {
                datum.action = DescriptionAction::Delete;
            }
            encode::source_description(&datum, RULES, rooms)
        }
        _ => return None,
    };
    let mut lines = lines.ok()?;
    assert_eq!(lines.len(), 1);
    lines.pop()
}

/// The text as an id, if it is one in the only form that we write, upper case or lower.
fn id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|id| id.to_string() == text.to_ascii_lowercase())
}
