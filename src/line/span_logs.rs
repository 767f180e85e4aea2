//! `{"traceId":"…","spanId":"…","logs":[{"timestamp":µs,"fields":{…}}],"span":"…"}`: the logs of a span, as JSON.

use uuid::Uuid;

use super::compact::{self, SHORTCUTS};
use super::json::{Json, put_string};
use super::number::{put_ids, put_u64};
use super::out::{Pair, Put, put_field};
use super::seen::{Seen, tags_len};
use super::text::{Name, fingerprint};
use super::window;
use super::{Encode, Full, Rules, Sink, Slice};
use crate::{EncodeError, Field, InvalidInput, Kind, Problem, SpanLog, SpanLogs, parse};

impl Encode for SpanLogs<'_> {
    const KIND: Kind = Kind::SpanLogs;

    fn encode<S: Sink + ?Sized>(&self, rules: &Rules<'_>, sink: &mut S) -> Result<u32, EncodeError<S::Full>> {
        window::lines(
            sink,
            rules.limits.trace_line,
            || expected(self),
            |out| put_line(self, rules, out),
            |out| put_line(self, rules, out),
        )
    }

    fn encode_compact(&self, rules: &Rules<'_>, lines: &mut Slice<'_>) -> Result<u32, EncodeError<Full>> {
        compact::span_logs(self, rules, lines)
    }
}

/// About how long the line is, but for escapes.
fn expected(logs: &SpanLogs<'_>) -> usize {
    let span = logs.span.map_or(0, |span| ",\"span\":\"\"".len() + span.len() + span.len() / 4);
    logs_len(logs.logs) + logs.secondary_id.map_or(0, str::len) + span
}

/// About how long the object is, but for escapes and the span.
pub(crate) fn logs_len(logs: &[SpanLog<'_>]) -> usize {
    const IDS: usize = "{\"traceId\":\"\",\"spanId\":\"\",\"_spanSecondaryId\":\"\",\"logs\":[]}\n".len() + 2 * 36;
    const LOG: usize = ",{\"timestamp\":1552949776000123,\"fields\":{}}".len();
    logs.iter().fold(IDS, |len, log| len.wrapping_add(LOG + tags_len(&log.fields, "\"\":\"\",".len())))
}

fn put_line(logs: &SpanLogs<'_>, rules: &Rules<'_>, out: &mut (impl Put + ?Sized)) -> Result<u32, InvalidInput> {
    put_span_logs(&logs.trace_id, &logs.span_id, logs.secondary_id, logs.logs, out)?;
    if let Some(span) = logs.span {
        out.put(b",\"span\":\"");
        Json(out).put(span_line(span, rules)?.as_bytes());
        out.put(b"\"");
    }
    out.put(b"}\n");
    out.end_line()?;
    Ok(1)
}

/// The line without its LF, if the receiver takes it as a span: else it would not take the logs.
pub(super) fn span_line<'a>(line: &'a str, rules: &Rules<'_>) -> Result<&'a str, InvalidInput> {
    let line = line.strip_suffix('\n').unwrap_or(line);
    match parse::span(line, rules.limits) {
        Ok(_) if !line.contains('\n') => Ok(line),
        _ => Err(InvalidInput::new(Field::SpanLine, Problem::Malformed)),
    }
}

/// The object up to and with its logs; what follows is the span, and `}`.
pub(crate) fn put_span_logs(
    trace_id: &Uuid,
    span_id: &Uuid,
    secondary_id: Option<&str>,
    logs: &[SpanLog<'_>],
    out: &mut (impl Put + ?Sized),
) -> Result<(), InvalidInput> {
    if logs.is_empty() {
        return Err(InvalidInput::new(Field::SpanLogs, Problem::Missing));
    }
    put_ids([b"{\"traceId\":\"", b"\",\"spanId\":\""], [trace_id, span_id], out);
    let mut before: &[u8] = b"\",\"logs\":[{\"timestamp\":";
    if let Some(secondary_id) = secondary_id {
        out.put(b"\",\"_spanSecondaryId\":");
        put_string(secondary_id.as_bytes(), out);
        before = b",\"logs\":[{\"timestamp\":";
    }
    for log in logs {
        out.put(before);
        put_log(log, out)?;
        before = b",{\"timestamp\":";
    }
    out.put(b"]");
    Ok(())
}

/// A record, from its timestamp on.
fn put_log(log: &SpanLog<'_>, out: &mut (impl Put + ?Sized)) -> Result<(), InvalidInput> {
    // The reader's integers are signed.
    if log.timestamp > i64::MAX as u64 {
        return Err(InvalidInput::new(Field::Timestamp, Problem::TooLarge));
    }
    put_u64(log.timestamp, out);
    out.put(b",\"fields\":{");
    let mut seen = Seen::new();
    for (index, &(key, value)) in log.fields.iter().enumerate() {
        if index > 0 {
            out.put(b",");
        }
        // One that starts so is not blank. The fingerprint only finds those that may be repeated.
        let ordinary = SHORTCUTS && matches!(key.as_bytes().first(), Some(b'!'..0x80));
        let pair = if ordinary { put_field(&mut seen, key, value, out) } else { Pair::Odd };
        if pair == Pair::Written {
            continue;
        }
        let known = pair == Pair::Repeated;
        put_odd_field(log.fields, index, (key, value), known, &mut seen, out)?;
    }
    out.put(b"}}");
    Ok(())
}

/// Checks any field, with this index, and writes it; `known` if its fingerprint was there before.
#[cold]
fn put_odd_field(
    fields: &[(&str, &str)],
    index: usize,
    (key, value): (&str, &str),
    known: bool,
    seen: &mut Seen,
    out: &mut (impl Put + ?Sized),
) -> Result<(), InvalidInput> {
    Name::parts(key, Field::SpanLogKey)?;
    if (known || seen.may_have(fingerprint(key.as_bytes())))
        && fields.iter().take(index).any(|(other, _)| *other == key)
    {
        return Err(InvalidInput::new(Field::SpanLogKey, Problem::RepeatedKey));
    }
    put_string(key.as_bytes(), out);
    out.put(b":");
    put_string(value.as_bytes(), out);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    use super::*;
    use crate::Span;

    const TRACE: Uuid = Uuid::from_u128(0x7b3bf470_9456_11e8_9eb6_529269fb1459);
    const SPAN: Uuid = Uuid::from_u128(0x0313bafe_9457_11e8_9eb6_529269fb1459);
    const RULES: Rules<'_> = Rules::new().default_source("d");

    fn line(logs: SpanLogs<'_>) -> Result<String, (Field, Problem)> {
        let (mut out, mut room) = (Vec::new(), [0; 512]);
        let mut compact = Slice::new(&mut room);
        let compactly = logs.encode_compact(&RULES, &mut compact);
        match logs.encode(&RULES, &mut out) {
            Ok(lines) => assert_eq!((lines, compactly), (1, Ok(1))),
            Err(EncodeError::Invalid(invalid)) => {
                assert_eq!(compactly, Err(EncodeError::Invalid(invalid)));
                return Err((invalid.field, invalid.problem));
            }
        }
        assert_eq!(compact.as_bytes(), out);
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_object() {
        let logs = [SpanLog::new(1, &[("a", "b"), ("c", "")]), SpanLog::new(2, &[])];
        let plain = SpanLogs::new(TRACE, SPAN, &logs);
        let head = format!("{{\"traceId\":\"{TRACE}\",\"spanId\":\"{SPAN}\"");
        let records =
            ",\"logs\":[{\"timestamp\":1,\"fields\":{\"a\":\"b\",\"c\":\"\"}},{\"timestamp\":2,\"fields\":{}}]";
        assert_eq!(line(plain).unwrap(), format!("{head}{records}}}\n"));
        let second = plain.secondary_id("x\"");
        assert_eq!(line(second).unwrap(), format!("{head},\"_spanSecondaryId\":\"x\\\"\"{records}}}\n"));
    }

    #[test]
    fn a_span_and_its_ready_line_give_the_same_object() {
        let logs = [SpanLog::new(5, &[("event", "e")])];
        let span = Span::new("op \"x\"", 1_552_949_776_000, 1, TRACE, SPAN).logs(&logs);
        let (mut ready, mut companion) = (Vec::new(), Vec::new());
        span.encode(&RULES, &mut ready).unwrap();
        span.encode_companion(&RULES, &mut companion).unwrap();
        let ready = String::from_utf8(ready).unwrap();
        let given = line(SpanLogs::new(TRACE, SPAN, &logs).span(&ready)).unwrap();
        assert_eq!(given.as_bytes(), companion);
        assert_eq!(line(SpanLogs::new(TRACE, SPAN, &logs).span(ready.trim_end())).unwrap(), given);
    }

    #[test]
    fn what_no_reader_takes() {
        let problem = |logs: &[SpanLog<'_>]| line(SpanLogs::new(TRACE, SPAN, logs)).unwrap_err();
        assert_eq!(problem(&[]), (Field::SpanLogs, Problem::Missing));
        assert_eq!(problem(&[SpanLog::new(u64::MAX, &[])]), (Field::Timestamp, Problem::TooLarge));
        assert_eq!(problem(&[SpanLog::new(1, &[(" ", "v")])]), (Field::SpanLogKey, Problem::Blank));
        let repeated = [("∆", "v"), ("a", "v"), ("∆", "w")];
        assert_eq!(problem(&[SpanLog::new(1, &repeated)]), (Field::SpanLogKey, Problem::RepeatedKey));
        for key in ["a", "∆"] {
            assert_eq!(
                problem(&[SpanLog::new(1, &[(key, "v"), (key, "w")])]),
                (Field::SpanLogKey, Problem::RepeatedKey)
            );
        }
        // The last moment of the reader's, and keys of one length whose ends are the same.
        let logs = [SpanLog::new(i64::MAX as u64, &[("time.1.last", "v"), ("time.2.last", "w")])];
        assert!(
            line(SpanLogs::new(TRACE, SPAN, &logs)).unwrap().contains("\"time.1.last\":\"v\",\"time.2.last\":\"w\"")
        );
        let logs = [SpanLog::new(1, &[("a b", "v"), ("a-b", "v")])];
        assert!(line(SpanLogs::new(TRACE, SPAN, &logs)).is_ok());
        let with = |span| line(SpanLogs::new(TRACE, SPAN, &logs).span(span)).unwrap_err();
        // Two lines are no span, wherever the first one ends.
        let span = format!("\"op\" source=\"d\" traceId={TRACE} spanId={SPAN} \"k\"=\"v w\" 1 2\n");
        assert!(line(SpanLogs::new(TRACE, SPAN, &logs).span(&span)).is_ok());
        let broken = [span.replace("v w", "v\nw"), span.replace(" 1 ", "\n1 "), [&*span, &*span].concat()];
        for span in ["", " \n", "s", "\"op\" source=\"d\" 1 2"].into_iter().chain(broken.iter().map(|it| &**it)) {
            assert_eq!(with(span), (Field::SpanLine, Problem::Malformed), "{span:?}");
        }
    }
}
