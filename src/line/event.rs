//! Events, as `@Event` lines for a proxy and as JSON for the API of direct ingestion.

use super::compact;
use super::json::put_string;
use super::number::put_u64;
use super::out::{Put, put_plain};
use super::point::source;
use super::seen::{Seen, among, tags_len};
use super::text::{Name, Text, is_blank};
use super::window;
use super::{Encode, EventForm, Full, Rules, Sink, Slice};
use crate::{EncodeError, Event, Field, InvalidInput, Kind, Problem, Tags};

impl<T: Tags> Encode for Event<'_, T> {
    const KIND: Kind = Kind::Event;

    /// In the form that [`Rules::events`] says. An end of 0 is none, and one before the start is left to the receiver.
    fn encode<S: Sink + ?Sized>(&self, rules: &Rules<'_>, sink: &mut S) -> Result<u32, EncodeError<S::Full>> {
        window::lines(
            sink,
            line_limit(rules),
            || expected(self, rules),
            |out| put_event(self, rules, out),
            |out| put_event(self, rules, out),
        )
    }

    fn encode_compact(&self, rules: &Rules<'_>, lines: &mut Slice<'_>) -> Result<u32, EncodeError<Full>> {
        compact::event(self, rules, lines)
    }
}

fn line_limit(rules: &Rules<'_>) -> usize {
    match rules.events {
        EventForm::Line => rules.limits.metric_line,
        EventForm::Json => usize::MAX,
    }
}

/// About how long its line is, but for what is cleaned or escaped.
fn expected<T: Tags + ?Sized>(event: &Event<'_, T>, rules: &Rules<'_>) -> usize {
    const ALL: usize =
        "{\"name\":\"\",\"annotations\":{},\"hosts\":[\"\"],\"startTime\":,\"endTime\":,\"tags\":[]}\n".len();
    const LINE: usize = "@Event   \"\" host=\"\"\n".len();
    let (all, pair, tag) = match rules.events {
        EventForm::Line => (LINE, " =\"\"".len(), " tag=\"\"".len()),
        EventForm::Json => (ALL, "\"\":\"\",".len(), "\"\",".len()),
    };
    let times = 2 * "1552949776000".len();
    let source = event.source.map_or(0, str::len) + rules.default_source.map_or(0, str::len);
    let tags = event.tags.iter().fold(0, |len: usize, text| len.wrapping_add(text.len() + tag));
    all + times + event.name.len() + source + tags_len(&event.annotations, pair) + tags
}

fn put_event<T: Tags + ?Sized>(
    event: &Event<'_, T>,
    rules: &Rules<'_>,
    out: &mut (impl Put + ?Sized),
) -> Result<u32, InvalidInput> {
    if event.start_millis == 0 {
        return Err(InvalidInput::new(Field::Timestamp, Problem::Zero));
    }
    match rules.events {
        EventForm::Line => put_line(event, rules, out)?,
        EventForm::Json => put_json(event, rules, out)?,
    }
    out.end_line()?;
    Ok(1)
}

fn end<T: ?Sized>(event: &Event<'_, T>) -> u64 {
    event.end_millis.filter(|&end| end != 0).unwrap_or_else(|| event.start_millis.saturating_add(1))
}

/// `@Event start end "name" key="value"… host="src" tag="t"…`
fn put_line<T: Tags + ?Sized>(
    event: &Event<'_, T>,
    rules: &Rules<'_>,
    out: &mut (impl Put + ?Sized),
) -> Result<(), InvalidInput> {
    out.put(b"@Event ");
    put_u64(event.start_millis, out);
    out.put(b" ");
    put_u64(end(event), out);
    put_text(event.name, Field::EventName, [b" \"", b"\""], out)?;
    let source = source(event.source, rules)?;
    let mut seen = Seen::new();
    let mut count = 0;
    event.annotations.try_each(&mut |key, value| {
        let name = Name::key(key, Field::AnnotationKey)?;
        if matches!(key, "host" | "tag" | "eventTag") {
            return Err(InvalidInput::new(Field::AnnotationKey, Problem::ReservedKey));
        }
        let same = |other: &str, _: &str| Name::key(other, Field::AnnotationKey).is_ok_and(|other| other.is(&name));
        if seen.may_have(name.fingerprint()) && among(&event.annotations, count, &same) {
            // As of tags: what no line can have is said first.
            Text::new(value, Field::AnnotationValue)?;
            return Err(InvalidInput::new(Field::AnnotationKey, Problem::RepeatedKey));
        }
        count += 1;
        name.put_between(b" ", b"=\"", out);
        put_text(value, Field::AnnotationValue, [b"", b"\""], out)
    })?;
    source.put_between(b" host=\"", b"\"", out);
    for tag in event.tags {
        put_text(tag, Field::EventTag, [b" tag=\"", b"\""], out)?;
    }
    out.put(b"\n");
    Ok(())
}

/// Writes text, cleaned, between these two.
#[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
fn put_text(
    text: &str,
    field: Field,
    [before, after]: [&[u8]; 2],
    out: &mut (impl Put + ?Sized),
) -> Result<(), InvalidInput> {
    if !put_plain(before, text, usize::MAX, after, out) {
        Text::new(text, field)?.put_between(before, after, out);
    }
    Ok(())
}

/// `{"name":…,"annotations":{…},"hosts":[…],"startTime":ms,"endTime":ms,"tags":[…]}`, the text as it was given.
fn put_json<T: Tags + ?Sized>(
    event: &Event<'_, T>,
    rules: &Rules<'_>,
    out: &mut (impl Put + ?Sized),
) -> Result<(), InvalidInput> {
    let source = source(event.source, rules)?;
    for (time, field) in [(event.start_millis, Field::Timestamp), (end(event), Field::Timestamp)] {
        if time > i64::MAX as u64 {
            return Err(InvalidInput::new(field, Problem::TooLarge));
        }
    }
    out.put(b"{\"name\":");
    put_string(not_blank(event.name, Field::EventName)?, out);
    out.put(b",\"annotations\":{");
    let mut seen = Seen::new();
    let mut count = 0;
    event.annotations.try_each(&mut |key, value| {
        let name = Name::parts(key, Field::AnnotationKey)?;
        if seen.may_have(name.fingerprint()) && among(&event.annotations, count, &|other, _| other == key) {
            not_blank(value, Field::AnnotationValue)?;
            return Err(InvalidInput::new(Field::AnnotationKey, Problem::RepeatedKey));
        }
        if count > 0 {
            out.put(b",");
        }
        count += 1;
        put_string(key.as_bytes(), out);
        out.put(b":");
        put_string(not_blank(value, Field::AnnotationValue)?, out);
        Ok(())
    })?;
    out.put(b"},\"hosts\":[");
    put_string(source.as_bytes(), out);
    out.put(b"],\"startTime\":");
    put_u64(event.start_millis, out);
    out.put(b",\"endTime\":");
    put_u64(end(event), out);
    let mut before: &[u8] = b",\"tags\":[";
    for tag in event.tags {
        out.put(before);
        put_string(not_blank(tag, Field::EventTag)?, out);
        before = b",";
    }
    out.put(if event.tags.is_empty() { b"}\n" } else { b"]}\n" });
    Ok(())
}

fn not_blank(text: &str, field: Field) -> Result<&[u8], InvalidInput> {
    if is_blank(text) { Err(InvalidInput::new(field, Problem::Blank)) } else { Ok(text.as_bytes()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::*;

    const RULES: Rules<'_> = Rules::new().default_source("d");
    const JSON: Rules<'_> = RULES.events(EventForm::Json);

    fn written<T: Tags>(event: &Event<'_, T>, rules: Rules<'_>) -> Result<String, (Field, Problem)> {
        let mut out = Vec::new();
        match event.encode(&rules, &mut out) {
            Ok(lines) => assert_eq!(lines as usize, out.iter().filter(|&&byte| byte == b'\n').count()),
            Err(EncodeError::Invalid(invalid)) => {
                assert_eq!(out, b"");
                return Err((invalid.field, invalid.problem));
            }
        }
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn both_forms() {
        let event = Event::new("back \"up\"\n", 5).end(9).source("s").tags(&["env: dev", "t\\"]);
        let event = event.annotation("severity", "info").annotation("a key", "x=\"y\"");
        assert_eq!(
            written(&event, RULES).unwrap(),
            "@Event 5 9 \"back \\\"up\\\"\" severity=\"info\" a-key=\"x=\\\"y\\\"\" host=\"s\" tag=\"env: dev\" tag=\"t\"\n"
        );
        assert_eq!(
            written(&event, JSON).unwrap(),
            "{\"name\":\"back \\\"up\\\"\\n\",\"annotations\":{\"severity\":\"info\",\"a key\":\"x=\\\"y\\\"\"},\
             \"hosts\":[\"s\"],\"startTime\":5,\"endTime\":9,\"tags\":[\"env: dev\",\"t\\\\\"]}\n"
        );
        let least = Event::new("e", 5);
        assert_eq!(written(&least, RULES).unwrap(), "@Event 5 6 \"e\" host=\"d\"\n");
        assert_eq!(
            written(&least.end(0), JSON).unwrap(),
            "{\"name\":\"e\",\"annotations\":{},\"hosts\":[\"d\"],\"startTime\":5,\"endTime\":6}\n"
        );
    }

    #[test]
    fn what_no_reader_takes() {
        let event = Event::new("e", 5);
        for rules in [RULES, JSON] {
            let problem = |event: Event<'_>| written(&event, rules).unwrap_err();
            assert_eq!(problem(Event::new("e", 0)), (Field::Timestamp, Problem::Zero));
            assert_eq!(problem(Event::new(" ", 1)), (Field::EventName, Problem::Blank));
            assert_eq!(problem(event.tags(&["a", " "])), (Field::EventTag, Problem::Blank));
            let problem = |annotations: &[(&str, &str)]| written(&event.annotations(annotations), rules).unwrap_err();
            assert_eq!(problem(&[("", "x")]), (Field::AnnotationKey, Problem::Blank));
            assert_eq!(problem(&[("k", "")]), (Field::AnnotationValue, Problem::Blank));
            assert_eq!(problem(&[("k", "1"), ("l", "2"), ("k", "3")]), (Field::AnnotationKey, Problem::RepeatedKey));
        }
        for key in ["host", "tag", "eventTag"] {
            let reserved = (Field::AnnotationKey, Problem::ReservedKey);
            assert_eq!(written(&event.annotation(key, "x"), RULES), Err(reserved));
            assert!(written(&event.annotation(key, "x"), JSON).is_ok());
        }
    }

    #[test]
    fn any_number_of_different_keys_is_taken() {
        let keys: Vec<String> = (0..400).map(|number| std::format!("key{number}")).collect();
        let pairs: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "v")).collect();
        for rules in [RULES, JSON] {
            let line = written(&Event::new("e", 5).annotations(&pairs[..]), rules).unwrap();
            assert!(keys.iter().all(|key| line.matches(std::format!("{key}\"").as_str()).count() <= 1));
            let mut again = pairs.clone();
            again.push(("key7", "w"));
            let repeated = Err((Field::AnnotationKey, Problem::RepeatedKey));
            assert_eq!(written(&Event::new("e", 5).annotations(&again[..]), rules), repeated);
        }
    }

    #[test]
    fn times_in_json_are_those_of_64_bits_with_a_sign() {
        let most = i64::MAX as u64;
        for (start, end, taken) in
            [(1, most, true), (most, most, true), (1, most + 1, false), (most + 1, most + 2, false)]
        {
            let json = written(&Event::new("e", start).end(end), JSON);
            if taken {
                assert!(json.unwrap().contains(&std::format!("\"startTime\":{start},\"endTime\":{end}")));
            } else {
                assert_eq!(json, Err((Field::Timestamp, Problem::TooLarge)));
            }
        }
    }

    #[test]
    fn of_a_key_twice_the_second_with_a_blank_value_the_value_is_what_is_wrong_whatever_the_way() {
        for rules in [RULES, JSON] {
            let event = Event::new("e", 5).annotations(&[("k", "v"), ("k", " ")]);
            let blank = Err(EncodeError::Invalid(InvalidInput::new(Field::AnnotationValue, Problem::Blank)));
            assert_eq!(event.encode(&rules, &mut Slice::new(&mut [0; 99])), blank);
            assert_eq!(event.encode_compact(&rules, &mut Slice::new(&mut [0; 99])), blank);
        }
    }
}
