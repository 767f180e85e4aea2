//! The logs of a span: `{"traceId":…,"spanId":…,"logs":[{"timestamp":…,"fields":{…}}…],"span":…}`

use core::fmt;

use super::{
    cursor::Cursor,
    error::{Fault, Part, Reason},
    json::{Json, Walk},
    ordinary,
    span::{self, Span},
    text::Text,
};
use crate::line::compact::SHORTCUTS;

/// The log records of a span.
///
/// Members with other names are skipped, of a repeated one the last counts.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SpanLogs<'a> {
    /// The trace id, as it is written.
    pub trace_id: Text<'a>,
    /// The span id, as it is written.
    pub span_id: Text<'a>,
    /// `_spanSecondaryId`, which tells spans apart that share their id.
    pub secondary_id: Option<Text<'a>>,
    /// The records, in the line's order; there may be none.
    pub logs: Logs<'a>,
    /// The line of the span the logs belong to. With it the receiver samples span and logs alike, and so takes the logs
    /// only if it can decode the span.
    pub span: Option<Text<'a>>,
    /// Where the span stands in the line.
    span_at: usize,
}

impl<'a> SpanLogs<'a> {
    /// What [`span`](Self::span) says. The receiver decodes the span of logs, but does not hold it to the limits.
    pub fn decoded_span(&self) -> Option<Span<'a>> {
        decoded(self.span?, self.span_at).ok()
    }
}

/// The log records of a span.
#[derive(Clone, Copy)]
pub struct Logs<'a> {
    walk: Walk<'a>,
    first: bool,
}

/// A log record of a span.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SpanLog<'a> {
    /// When it was written, as the line says; senders give microseconds since 1970.
    pub timestamp: i64,
    /// Its fields.
    pub fields: LogFields<'a>,
}

/// The fields of a log record, in the line's order. Of a repeated key the receiver keeps the last.
#[derive(Clone, Copy)]
pub struct LogFields<'a> {
    walk: Walk<'a>,
    first: bool,
}

impl<'a> Iterator for Logs<'a> {
    type Item = SpanLog<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let more = self.walk.more(self.first, b']').ok()?;
        self.first = false;
        if more { record(&mut self.walk).ok() } else { None }
    }
}

impl fmt::Debug for Logs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

impl<'a> Iterator for LogFields<'a> {
    type Item = (Text<'a>, Text<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let more = self.walk.more(self.first, b'}').ok()?;
        self.first = false;
        if more { field(&mut self.walk).ok() } else { None }
    }
}

impl fmt::Debug for LogFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(*self).finish()
    }
}

/// Reads the JSON object of which `cursor` is the start.
pub(super) fn read<'a>(line: &'a str, cursor: Cursor<'a>) -> Result<SpanLogs<'a>, Fault> {
    let mut walk = Walk::new(line, cursor.at());
    walk.peek();
    let start = walk.at();
    let Json::Object(mut walk) = walk.value()? else { return Err(Fault::new(start, Reason::Json)) };
    let (mut trace_id, mut span_id, mut secondary_id, mut found, mut span) = (None, None, None, None, None);
    let mut first = true;
    while walk.more(first, b'}')? {
        first = false;
        let key = walk.key()?;
        if key == "traceId" {
            trace_id = Some(id(&mut walk, Part::TraceId)?);
        } else if key == "spanId" {
            span_id = Some(id(&mut walk, Part::SpanId)?);
        } else if key == "_spanSecondaryId" {
            secondary_id = text(&mut walk)?.map(|(text, _)| text);
        } else if key == "logs" {
            found = Some(logs(&mut walk)?);
        } else if key == "span" {
            span = text(&mut walk)?;
        } else {
            walk.skip()?;
        }
    }
    let end = walk.at();
    if walk.peek().is_some() && walk.at() < cursor.end() {
        return Err(Fault::new(walk.at(), Reason::ExtraInput));
    }
    let missing = |part| Fault::new(end.saturating_sub(1), Reason::Missing(part));
    let ids = [trace_id.ok_or(missing(Part::TraceId))?, span_id.ok_or(missing(Part::SpanId))?];
    let logs = found.ok_or(missing(Part::Logs))?;
    if let Some((text, at)) = span {
        decoded(text, at)?;
    }
    Ok(of(ids, secondary_id, logs.walk, span))
}

/// The logs of these: `records` is the place behind the `[` of the records, and beside the span is where it stands.
pub(super) fn of<'a>(
    [trace_id, span_id]: [Text<'a>; 2],
    secondary_id: Option<Text<'a>>,
    records: Walk<'a>,
    span: Option<(Text<'a>, usize)>,
) -> SpanLogs<'a> {
    let (span, span_at) = span.map_or((None, 0), |(text, at)| (Some(text), at));
    SpanLogs { trace_id, span_id, secondary_id, logs: Logs { walk: records, first: true }, span, span_at }
}

/// The span of logs, which stands there in the line.
pub(super) fn decoded(text: Text<'_>, at: usize) -> Result<Span<'_>, Fault> {
    if SHORTCUTS && let Some(ordinary) = ordinary::span_in_json(text.as_raw()) {
        return Ok(ordinary);
    }
    span::decode(Cursor::in_json(text.as_raw(), at)).map(|decoded| decoded.span)
}

/// A member that has to be a string.
fn id<'a>(walk: &mut Walk<'a>, part: Part) -> Result<Text<'a>, Fault> {
    walk.peek();
    let fault = Fault::new(walk.at(), Reason::JsonType(part));
    text(walk)?.map(|(text, _)| text).ok_or(fault)
}

/// A member that is a string, and where its inside starts; of another type it is as good as not there.
fn text<'a>(walk: &mut Walk<'a>) -> Result<Option<(Text<'a>, usize)>, Fault> {
    let mut ahead = *walk;
    if let Json::String(text, at) = ahead.value()? {
        *walk = ahead;
        return Ok(Some((text, at)));
    }
    walk.skip()?;
    Ok(None)
}

/// An array of records.
fn logs<'a>(walk: &mut Walk<'a>) -> Result<Logs<'a>, Fault> {
    walk.peek();
    let fault = Fault::new(walk.at(), Reason::JsonType(Part::Logs));
    let Json::Array(inside) = walk.value()? else { return Err(fault) };
    let mut first = true;
    while walk.more(first, b']')? {
        first = false;
        record(walk)?;
    }
    Ok(Logs { walk: inside, first: true })
}

/// An object with a timestamp, which is a number, and fields.
fn record<'a>(walk: &mut Walk<'a>) -> Result<SpanLog<'a>, Fault> {
    walk.peek();
    let fault = Fault::new(walk.at(), Reason::JsonType(Part::Logs));
    let Json::Object(_) = walk.value()? else { return Err(fault) };
    let (mut timestamp, mut found) = (None, None);
    let mut first = true;
    while walk.more(first, b'}')? {
        first = false;
        let key = walk.key()?;
        walk.peek();
        let at = walk.at();
        if key == "timestamp" {
            let Json::Number(number) = walk.value()? else {
                return Err(Fault::new(at, Reason::JsonType(Part::LogTimestamp)));
            };
            timestamp = Some(whole(number).ok_or(Fault::new(at, Reason::NotANumber(Part::LogTimestamp)))?);
        } else if key == "fields" {
            let Json::Object(inside) = walk.value()? else {
                return Err(Fault::new(at, Reason::JsonType(Part::LogFields)));
            };
            let mut first = true;
            while walk.more(first, b'}')? {
                first = false;
                field(walk)?;
            }
            found = Some(LogFields { walk: inside, first: true });
        } else {
            walk.skip()?;
        }
    }
    let missing = |part| Fault::new(walk.at().saturating_sub(1), Reason::Missing(part));
    Ok(SpanLog {
        timestamp: timestamp.ok_or(missing(Part::LogTimestamp))?,
        fields: found.ok_or(missing(Part::LogFields))?,
    })
}

/// A key and its value, which has to be a string: the receiver drops all the logs for a number or a boolean.
fn field<'a>(walk: &mut Walk<'a>) -> Result<(Text<'a>, Text<'a>), Fault> {
    let key = walk.key()?;
    walk.peek();
    let at = walk.at();
    match walk.value()? {
        Json::String(value, _) => Ok((key, value)),
        _ => Err(Fault::new(at, Reason::JsonType(Part::LogValue))),
    }
}

/// A JSON number as the reader turns it into 64 bits: a fraction is dropped.
fn whole(number: &str) -> Option<i64> {
    number.parse().ok().or_else(|| number.parse::<f64>().ok().map(|number| number as i64))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    extern crate std;
    use super::*;
    use crate::{Limits, parse};
    use std::{format, string::String, string::ToString, vec::Vec};

    const IDS: &str = r#""traceId":"7b3bf470-9456-11e8-9eb6-529269fb1459","spanId":"s""#;

    fn line(rest: &str) -> String {
        format!("{{{IDS},{rest}}}")
    }

    fn reason(line: &str) -> Reason {
        parse::span_logs(line, &Limits::DEFAULT).unwrap_err().reason
    }

    #[test]
    fn records_and_their_fields() {
        let line = line(
            r#" "customer":{"a":[1,null]}, "_spanSecondaryId":"client","logs":[{"timestamp":1552949776000123,"fields":{"event":"er\"ror","\u0061":"b"}} , {"fields":{},"timestamp":2.9,"x":[]}]"#,
        );
        let logs = parse::span_logs(&line, &Limits::DEFAULT).unwrap();
        assert_eq!(logs.trace_id, "7b3bf470-9456-11e8-9eb6-529269fb1459");
        assert_eq!(logs.secondary_id.unwrap(), "client");
        let records: Vec<_> = logs
            .logs
            .map(|log| {
                let fields: Vec<_> = log.fields.map(|(key, value)| (key.to_string(), value.to_string())).collect();
                (log.timestamp, fields)
            })
            .collect();
        let fields = [("event", "er\"ror"), ("a", "b")].map(|(key, value)| (key.to_string(), value.to_string()));
        assert_eq!(records, [(1_552_949_776_000_123, fields.to_vec()), (2, Vec::new())]);
        assert!(logs.span.is_none() && logs.decoded_span().is_none());
    }

    #[test]
    fn the_span_is_read_through_its_escapes() {
        let line = line(
            r#""logs":[],"span":"\"get \\\"all\\\"\" source=\"h\" traceId=1-2-3-4-5 spanId=6 \"k\"=\"v\" 1552949776000 343\n""#,
        );
        let logs = parse::span_logs(&line, &Limits::DEFAULT).unwrap();
        assert_eq!(logs.logs.count(), 0);
        let span = logs.decoded_span().unwrap();
        assert_eq!(span.name, "get \"all\"");
        assert_eq!((span.start_millis, span.duration_millis), (1_552_949_776_000, 343));
        assert_eq!(span.tags.get("k").unwrap(), "v");
    }

    #[test]
    fn what_the_receiver_drops() {
        let log = |fields: &str| line(&format!(r#""logs":[{{"timestamp":1,"fields":{fields}}}]"#));
        assert_eq!(reason(&log(r#"{"n":1}"#)), Reason::JsonType(Part::LogValue));
        assert_eq!(reason(&log(r#"{"n":true}"#)), Reason::JsonType(Part::LogValue));
        assert_eq!(reason(&log("null")), Reason::JsonType(Part::LogFields));
        assert_eq!(reason(&line(r#""logs":[{"timestamp":1}]"#)), Reason::Missing(Part::LogFields));
        assert_eq!(reason(&line(r#""logs":[{"fields":{}}]"#)), Reason::Missing(Part::LogTimestamp));
        assert_eq!(reason(&line(r#""x":1"#)), Reason::Missing(Part::Logs));
        assert_eq!(reason(r#"{"spanId":"s","logs":[]}"#), Reason::Missing(Part::TraceId));
        assert_eq!(reason(r#"{"traceId":null,"logs":[]}"#), Reason::JsonType(Part::TraceId));
        assert_eq!(reason(&line(r#""logs":[]}x"#)), Reason::ExtraInput);
        assert_eq!(reason(&line(r#""logs":[],"span":"s""#)), Reason::Missing(Part::Start));
        assert_eq!(reason("{"), Reason::Json);
        assert_eq!(reason("[]"), Reason::Json);
    }

    #[test]
    fn a_fault_of_the_span_is_found_in_the_line() {
        let line = line(r#""logs":[],"span":"\"日\" source=h traceId=abc spanId=6 1 1""#);
        let error = parse::span_logs(&line, &Limits::DEFAULT).unwrap_err();
        assert_eq!(error.reason, Reason::NotAUuid(Part::TraceId));
        assert_eq!(line.chars().skip(error.column - 1).take(3).collect::<String>(), "abc");
    }
}
