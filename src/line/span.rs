//! `"name" source="src" traceId=… spanId=… parent=…* followsFrom=…* "k"="v"…* start duration`: spans.

use super::compact::{self, SHORTCUTS};
use super::json::Json;
use super::number::{put_id, put_ids, put_u64};
use super::out::{Out, Pair, Put, put_plain, put_tag};
use super::point::put_source;
use super::seen::{Seen, among, tags_len};
use super::span_logs::put_span_logs;
use super::text::{Name, Text};
use super::window;
#[cfg(feature = "std")]
use super::{Behind, DefaultTags};
use super::{Encode, Full, Limits, Rules, Sink, Slice};
use crate::{EncodeError, Field, InvalidInput, Kind, Problem, Span, Tags};

/// The mark of a span that has logs. It is written last, and only once.
const MARK: &str = "_spanLogs";
/// What stands around the span's line in the line of its logs.
const BEFORE_SPAN: &[u8] = b",\"span\":\"";
const AFTER_SPAN: &[u8] = b"\"}\n";
const PARENT: &str = "parent";
const FOLLOWS_FROM: &str = "followsFrom";

impl<T: Tags> Encode for Span<'_, T> {
    const KIND: Kind = Kind::Span;

    fn encode<S: Sink + ?Sized>(&self, rules: &Rules<'_>, sink: &mut S) -> Result<u32, EncodeError<S::Full>> {
        window::lines(
            sink,
            rules.limits.trace_line,
            || expected(self, rules),
            |out| put_line(self, rules, out),
            |out| put_line(self, rules, out),
        )
    }

    fn encode_compact(&self, rules: &Rules<'_>, lines: &mut Slice<'_>) -> Result<u32, EncodeError<Full>> {
        compact::span(self, rules, lines)
    }

    /// The span's logs, if it has any. They hold the span's own line, so that a proxy samples both alike.
    fn encode_companion<S: Sink + ?Sized>(
        &self,
        rules: &Rules<'_>,
        sink: &mut S,
    ) -> Result<Option<Kind>, EncodeError<S::Full>> {
        if self.logs.is_empty() {
            return Ok(None);
        }
        Out::lines(sink, rules.limits.trace_line, |out| {
            put_span_logs(&self.trace_id, &self.span_id, None, self.logs, out)?;
            out.put(BEFORE_SPAN);
            put_span(self, rules, &mut Json(out))?;
            end_line(AFTER_SPAN, out)
        })?;
        Ok(Some(Kind::SpanLogs))
    }

    fn encode_companion_compact(
        &self,
        rules: &Rules<'_>,
        lines: &mut Slice<'_>,
    ) -> Result<Option<Kind>, EncodeError<Full>> {
        if self.logs.is_empty() {
            return Ok(None);
        }
        compact::logs_of_span(self, rules, lines).map(|_| Some(Kind::SpanLogs))
    }

    #[cfg(feature = "std")]
    fn encode_with<S: Sink + ?Sized>(
        &self,
        tags: &DefaultTags,
        rules: &Rules<'_>,
        sink: &mut S,
    ) -> Result<u32, EncodeError<S::Full>> {
        with_tags(self, tags).encode(rules, sink)
    }

    #[cfg(feature = "std")]
    fn encode_companion_with<S: Sink + ?Sized>(
        &self,
        tags: &DefaultTags,
        rules: &Rules<'_>,
        sink: &mut S,
    ) -> Result<Option<Kind>, EncodeError<S::Full>> {
        with_tags(self, tags).encode_companion(rules, sink)
    }
}

#[cfg(feature = "std")]
const fn with_tags<'a, T: Tags>(span: &'a Span<'a, T>, tags: &'a DefaultTags) -> Span<'a, Behind<'a, T>> {
    let Span { name, start_millis, duration_millis, source, trace_id, span_id, parents, follows_from, logs, .. } =
        *span;
    let tags = tags.behind(&span.tags);
    Span { name, start_millis, duration_millis, source, trace_id, span_id, parents, follows_from, logs, tags }
}

/// About how long its line is, but for what is cleaned.
fn expected<T: Tags + ?Sized>(span: &Span<'_, T>, rules: &Rules<'_>) -> usize {
    const IDS: usize = "\" traceId= spanId=".len() + 2 * 36;
    const EACH: usize = " followsFrom=".len() + 36;
    let ids = IDS + EACH * (span.parents.len() + span.follows_from.len());
    let ends = "\"\" source=\"\" \"_spanLogs\"=\"true\" 1552949776000 1552949776000\n".len();
    let source = span.source.map_or(0, str::len) + rules.default_source.map_or(0, str::len);
    ends + span.name.len() + source + ids + tags_len(&span.tags, " \"\"=\"\"".len())
}

fn put_line<T: Tags + ?Sized>(
    span: &Span<'_, T>,
    rules: &Rules<'_>,
    out: &mut (impl Put + ?Sized),
) -> Result<u32, InvalidInput> {
    put_span(span, rules, out)?;
    end_line(b"\n", out)
}

fn end_line(end: &[u8], out: &mut (impl Put + ?Sized)) -> Result<u32, InvalidInput> {
    out.put(end);
    out.end_line()?;
    Ok(1)
}

/// The line of a span, without its LF.
fn put_span<T: Tags + ?Sized>(
    span: &Span<'_, T>,
    rules: &Rules<'_>,
    out: &mut (impl Put + ?Sized),
) -> Result<(), InvalidInput> {
    let limits = rules.limits;
    if !put_plain(b"\"", span.name, limits.span_name, b"\" source=\"", out) {
        let name = Text::new(span.name, Field::SpanName)?;
        name.check(limits.span_name, Field::SpanName)?;
        name.put_between(b"\"", b"\" source=\"", out);
    }
    put_source(span.source, rules, [b"", b"\" traceId="], out)?;
    put_ids([b"", b" spanId="], [&span.trace_id, &span.span_id], out);
    let (pairs, others) = span.parents.as_chunks();
    pairs.iter().for_each(|[one, two]| put_ids([b" parent="; 2], [one, two], out));
    others.iter().for_each(|parent| put_id(b" parent=", parent, out));
    span.follows_from.iter().for_each(|follows| put_id(b" followsFrom=", follows, out));
    let marked = !span.logs.is_empty();
    // To the reader these are tags like others.
    let limit = limits.span_tag_key;
    if limit < FOLLOWS_FROM.len() {
        own_keys_fit(span, marked, limit)?;
    }
    let fixed = span.parents.len() + span.follows_from.len() + usize::from(marked);
    put_tags(&span.tags, marked, fixed, rules, out)?;
    out.put(b" ");
    put_u64(span.start_millis, out);
    out.put(b" ");
    put_u64(span.duration_millis, out);
    Ok(())
}

/// Says whether a key that is the span's own is over this limit.
#[cold]
fn own_keys_fit<T: ?Sized>(span: &Span<'_, T>, marked: bool, limit: usize) -> Result<(), InvalidInput> {
    let own = [(!span.parents.is_empty(), PARENT), (!span.follows_from.is_empty(), FOLLOWS_FROM), (marked, MARK)];
    match own.iter().find(|(used, key)| *used && key.len() > limit) {
        Some((_, key)) => Err(Problem::TooLong { limit, len: key.len() }.of(Field::SpanTagKey)),
        None => Ok(()),
    }
}

/// ` "k"="v"…`, where `fixed` annotations stand already or (the mark) will.
fn put_tags<T: Tags + ?Sized>(
    tags: &T,
    marked: bool,
    fixed: usize,
    rules: &Rules<'_>,
    out: &mut (impl Put + ?Sized),
) -> Result<(), InvalidInput> {
    let limits = rules.limits;
    let mut seen = OWN_KEYS;
    // Of those that are given, some may be left out.
    let (mut count, mut left_out) = (fixed, 0);
    tags.try_each(&mut |key, value| {
        let fits = count < limits.span_tags && key.len() <= limits.span_tag_key && !key.is_empty();
        count += 1;
        // A key that begins with a digit may be all digits.
        let pair = if SHORTCUTS && fits { put_tag(&mut seen, b'A', key, value, out) } else { Pair::Odd };
        if pair == Pair::Written {
            return Ok(());
        }
        let known = pair == Pair::Repeated;
        let room = count <= limits.span_tags;
        if !put_odd_tag(tags, count - fixed + left_out, (key, value), known, marked, room, limits, &mut seen, out)? {
            count -= 1;
            left_out += 1;
        }
        Ok(())
    })?;
    if count > limits.span_tags {
        return Err(InvalidInput::new(Field::SpanTags, Problem::TooMany { limit: limits.span_tags, count }));
    }
    if marked {
        out.put(b" \"_spanLogs\"=\"true\"");
    }
    Ok(())
}

/// What is not to be written as any tag is.
const OWN_KEYS: Seen = Seen::with(&["source", "host", "traceId", "spanId", PARENT, FOLLOWS_FROM, MARK]);

fn is_reserved(key: &str) -> bool {
    matches!(key, "source" | "host" | "traceId" | "spanId" | "parent" | "followsFrom")
}

/// Checks any tag, the `given`th, and writes it if it is not there already (`known` if its fingerprint was) and there
/// is `room` for one more. Returns whether it counts.
#[cold]
#[allow(clippy::too_many_arguments, reason = "the variables of the loop it is the long way of")]
fn put_odd_tag<T: Tags + ?Sized>(
    tags: &T,
    given: usize,
    (key, value): (&str, &str),
    known: bool,
    marked: bool,
    room: bool,
    limits: &Limits,
    seen: &mut Seen,
    out: &mut (impl Put + ?Sized),
) -> Result<bool, InvalidInput> {
    if marked && key == MARK {
        return Ok(false);
    }
    let name = Name::span_key(key, Field::SpanTagKey)?;
    if is_reserved(key) {
        return Err(InvalidInput::new(Field::SpanTagKey, Problem::ReservedKey));
    }
    name.check(limits.span_tag_key, Field::SpanTagKey)?;
    let text = Text::new(value, Field::SpanTagValue)?;
    if (seen.may_have(name.fingerprint()) || known) && is_among(tags, given - 1, key, value) {
        return Ok(false);
    }
    if room {
        out.put(b" \"");
        name.put(out);
        out.put(b"\"=\"");
        text.put(out);
        out.put(b"\"");
    }
    Ok(true)
}

/// Whether one of the first `count` tags is written as this one.
#[cold]
fn is_among<T: Tags + ?Sized>(tags: &T, count: usize, key: &str, value: &str) -> bool {
    fn written<'a>(key: &'a str, value: &'a str) -> Option<(Name<'a>, Text<'a>)> {
        Some((Name::span_key(key, Field::SpanTagKey).ok()?, Text::new(value, Field::SpanTagValue).ok()?))
    }
    let Some((name, text)) = written(key, value) else { return false };
    among(tags, count, &|key, value| written(key, value).is_some_and(|(key, value)| key.is(&name) && value.is(&text)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::string::String;
    use std::vec::Vec;
    use std::{format, vec};

    use uuid::Uuid;

    use super::*;
    use crate::SpanLog;

    const RULES: Rules<'_> = Rules::new().default_source("d");
    const TRACE: Uuid = Uuid::from_u128(0x7b3bf470_9456_11e8_9eb6_529269fb1459);
    const SPAN: Uuid = Uuid::from_u128(0x0313bafe_9457_11e8_9eb6_529269fb1459);
    const HEAD: &str =
        "\"op\" source=\"d\" traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 spanId=0313bafe-9457-11e8-9eb6-529269fb1459";
    const TAIL: &str = " 1552949776000 343\n";

    fn span<'a>() -> Span<'a> {
        Span::new("op", 1_552_949_776_000, 343, TRACE, SPAN)
    }

    fn line<T: Tags>(span: &Span<'_, T>) -> Result<String, (Field, Problem)> {
        let mut out = Vec::new();
        match span.encode(&RULES, &mut out) {
            Ok(lines) => assert_eq!(lines, 1),
            Err(EncodeError::Invalid(invalid)) => return Err((invalid.field, invalid.problem)),
        }
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn fields_stand_in_their_order() {
        let other = Uuid::from_u128(1);
        let (parents, follows_from) = ([SPAN, other], [other]);
        let full = span().parents(&parents).follows_from(&follows_from);
        let expected = format!(
            "{HEAD} parent={SPAN} parent={other} followsFrom={other} \"a\"=\"1\" \"a\"=\"2\" \"b-c\"=\"x \\\"y\\\"\"{TAIL}"
        );
        assert_eq!(line(&full.tag("a", "1").tag("a", "2").tag("b c", " x \"y\" ")), Ok(expected));
    }

    #[test]
    fn an_identical_pair_is_written_once() {
        let tags = [("a b", "1"), ("a-b", "1"), ("a b", "2"), ("a-b", " 1\\"), ("12", "x"), ("_12", "x")];
        let expected = format!("{HEAD} \"a-b\"=\"1\" \"a-b\"=\"2\" \"_12\"=\"x\"{TAIL}");
        assert_eq!(line(&span().tags(tags)), Ok(expected));
        let many = vec![("k", "v"); 10_000];
        assert_eq!(line(&span().tags(many.as_slice())), Ok(format!("{HEAD} \"k\"=\"v\"{TAIL}")));
    }

    #[test]
    fn a_span_with_logs_is_marked_last_and_once() {
        let log = [SpanLog::new(1, &[("event", "e")])];
        for tags in
            [vec![("a", "1")], vec![("_spanLogs", "true"), ("a", "1")], vec![("a", "1"), ("_spanLogs", "false")]]
        {
            let expected = format!("{HEAD} \"a\"=\"1\" \"_spanLogs\"=\"true\"{TAIL}");
            assert_eq!(line(&span().logs(&log).tags(tags.as_slice())), Ok(expected));
        }
        assert_eq!(line(&span().tag("_spanLogs", "x")), Ok(format!("{HEAD} \"_spanLogs\"=\"x\"{TAIL}")));
    }

    #[test]
    fn twenty_annotations_counting_the_ids_and_the_mark() {
        let tags: Vec<_> = (0..20).map(|i| (format!("k{i}"), "v")).collect();
        let too_many = (Field::SpanTags, Problem::TooMany { limit: 20, count: 21 });
        assert!(line(&span().tags(tags.as_slice())).is_ok());
        assert!(line(&span().parents(&[SPAN]).follows_from(&[SPAN]).tags(&tags[..18])).is_ok());
        assert_eq!(line(&span().parents(&[SPAN]).follows_from(&[SPAN]).tags(&tags[..19])), Err(too_many));
        let log = [SpanLog::new(1, &[])];
        assert!(line(&span().logs(&log).tags(&tags[..19])).is_ok());
        assert_eq!(line(&span().logs(&log).tags(tags.as_slice())), Err(too_many));
        assert_eq!(line(&span().parents(&[SPAN; 21])), Err(too_many));
    }

    #[test]
    fn limits_of_keys_are_for_its_own_keys_too() {
        let log = [SpanLog::new(1, &[])];
        let ids = [SPAN];
        let spans = [(6, span().parents(&ids)), (9, span().logs(&log)), (11, span().follows_from(&ids))];
        for (len, span) in spans {
            let encode = |limit| {
                let limits = Limits { span_tag_key: limit, ..Limits::DEFAULT };
                span.encode(&RULES.limits(&limits), &mut Vec::new())
            };
            assert_eq!(encode(len), Ok(1));
            let too_long = InvalidInput::new(Field::SpanTagKey, Problem::TooLong { limit: len - 1, len });
            assert_eq!(encode(len - 1), Err(too_long.into()));
        }
    }

    #[test]
    fn keys_and_names() {
        for key in ["source", "host", "traceId", "spanId", "parent", "followsFrom"] {
            assert_eq!(line(&span().tag(key, "v")), Err((Field::SpanTagKey, Problem::ReservedKey)));
        }
        assert_eq!(line(&span().tag("∆", "v")), Err((Field::SpanTagKey, Problem::PrefixOnly)));
        assert_eq!(line(&span().tag("", "v")), Err((Field::SpanTagKey, Problem::Blank)));
        assert_eq!(line(&span().tag("k", " \\")), Err((Field::SpanTagValue, Problem::Blank)));
        let digits = "1".repeat(128);
        let too_long = Problem::TooLong { limit: 128, len: 129 };
        assert_eq!(line(&span().tag(&digits, "v")), Err((Field::SpanTagKey, too_long)));
        let letters = "k".repeat(129);
        assert_eq!(line(&span().tag(&letters, "v")), Err((Field::SpanTagKey, too_long)));
        assert!(line(&span().tag(&letters[1..], "v")).is_ok());
        assert_eq!(line(&Span { name: &"é".repeat(129), ..span() }), Err((Field::SpanName, too_long)));
        assert!(line(&Span { name: &"é".repeat(128), ..span() }).is_ok());
        assert!(line(&span().tag("k", &"v".repeat(100_000))).is_ok());
        let long = line(&span().tag("k", &"v".repeat(1_048_576)));
        assert!(matches!(long, Err((Field::Line, Problem::TooLong { limit: 1_048_576, len })) if len > 1_048_576));
    }

    #[test]
    fn the_companion_holds_the_very_line() {
        let log = [SpanLog::new(1_552_949_776_000_123, &[("event", "say \"hi\"\n")])];
        let span = span().logs(&log).tag("q", "C:\\dir \"x\"\r");
        let mut out = Vec::new();
        assert_eq!(span.encode_companion(&RULES, &mut out), Ok(Some(Kind::SpanLogs)));
        let line_of_logs = String::from_utf8(out).unwrap();
        let json: serde_json::Value = serde_json::from_str(&line_of_logs).unwrap();
        assert_eq!(json["span"].as_str(), line(&span).unwrap().strip_suffix('\n'));
        assert_eq!(json["logs"][0]["fields"]["event"], "say \"hi\"\n");
        assert_eq!(line_of_logs.matches('\n').count(), 1);
        assert_eq!(super::tests::span().encode_companion(&RULES, &mut Vec::new()), Ok(None));
    }

    #[test]
    fn a_companion_of_a_bad_span_leaves_the_sink_as_it_was() {
        let log = [SpanLog::new(1, &[("event", "e")])];
        let mut out = vec![b'|'];
        let bad = span().logs(&log).tag("host", "x");
        let invalid = InvalidInput::new(Field::SpanTagKey, Problem::ReservedKey);
        assert_eq!(bad.encode_companion(&RULES, &mut out), Err(EncodeError::Invalid(invalid)));
        assert_eq!(out, b"|");
    }
}
