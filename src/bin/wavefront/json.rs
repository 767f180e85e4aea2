//! What a JSON record is made of: its members in their order, and values read strictly. Nothing is converted: a string
//! is never taken for a number, nor a number for a string.

use core::fmt;
use std::borrow::Cow;
use std::collections::HashSet;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use wavefront_sdk::Uuid;

/// A string, borrowed where it has no escapes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reads;
        impl<'de> Visitor<'de> for Reads {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Reads)
    }
}

/// Key and value of an object, whatever the value is.
pub(crate) type Member<'a, V = &'a RawValue> = (Text<'a>, V);

/// An object's members in their order.
struct Members<'a, V>(Vec<Member<'a, V>>);

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Members<'a, V> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reads<V>(core::marker::PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Reads<V> {
            type Value = Members<'de, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<'de, V>, M::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(Reads(core::marker::PhantomData))
    }
}

/// What is wrong with a value.
pub(crate) type Wrong = String;

/// The members of the object that is `text`, which is all there is.
pub(crate) fn object(text: &str) -> Result<Vec<Member<'_>>, Wrong> {
    match serde_json::from_str(text) {
        Ok(Members(members)) => Ok(members),
        Err(error) => Err(format!("column {}: {}", error.column(), reason(&error))),
    }
}

/// What a JSON error says, without its place.
fn reason(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    if let Some(place) = text.rfind(" at line ") {
        text.truncate(place);
    }
    text
}

fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Wrong> {
    serde_json::from_str(raw.get()).map_err(|error| reason(&error))
}

/// Whether it is `null`.
pub(crate) fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
}

fn expected(what: &str, raw: &RawValue) -> Wrong {
    let found = match raw.get().as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    };
    format!("expected {what}, found {found}")
}

/// A string.
pub(crate) fn text(raw: &RawValue) -> Result<Cow<'_, str>, Wrong> {
    let inside = raw.get().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inside {
        None => Err(expected("a string", raw)),
        Some(text) if !text.contains('\\') => Ok(Cow::Borrowed(text)),
        Some(_) => read::<Text<'_>>(raw).map(|text| text.0),
    }
}

/// Strings.
pub(crate) fn texts(raw: &RawValue) -> Result<Vec<Text<'_>>, Wrong> {
    if !raw.get().starts_with('[') {
        return Err(expected("an array of strings", raw));
    }
    read(raw)
}

/// Pairs of strings: an object.
pub(crate) fn map(raw: &RawValue) -> Result<Vec<(Text<'_>, Text<'_>)>, Wrong> {
    if !raw.get().starts_with('{') {
        return Err(expected("an object of strings", raw));
    }
    let Members(pairs) = read(raw)?;
    match repeated(&pairs) {
        Some(key) => Err(format!("repeated key {}", shown(key))),
        None => Ok(pairs),
    }
}

/// Pairs of strings: an object, or an array of pairs where keys may be repeated.
pub(crate) fn pairs(raw: &RawValue) -> Result<Vec<(Text<'_>, Text<'_>)>, Wrong> {
    match raw.get().as_bytes().first() {
        Some(b'{') => map(raw),
        Some(b'[') => read(raw),
        _ => Err(expected("an array of [key, value] pairs, or an object of strings", raw)),
    }
}

/// The first key that comes twice.
pub(crate) fn repeated<'m, V>(members: &'m [Member<'_, V>]) -> Option<&'m str> {
    // Most objects are small; one that is not must not take quadratic time.
    if members.len() <= 16 {
        let mut numbered = members.iter().enumerate();
        return numbered
            .find(|(at, (key, _))| members[..*at].iter().any(|(other, _)| other == key))
            .map(|(_, it)| it.0.as_ref());
    }
    let mut seen = HashSet::with_capacity(members.len());
    members.iter().map(|(key, _)| key.as_ref()).find(|key| !seen.insert(*key))
}

/// Any number that a double holds.
pub(crate) fn number(raw: &RawValue) -> Result<f64, Wrong> {
    let text = raw.get();
    if !text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return Err(expected("a number", raw));
    }
    // JSON's numbers are a part of what this reads, and it reads them exactly.
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err("the number is out of range".to_owned()),
    }
}

/// The largest integer of the receiver.
const LARGEST: u64 = i64::MAX as u64;

/// A point in time or a span of it: 0 to 2^63 - 1, a fraction is cut.
pub(crate) fn time(raw: &RawValue) -> Result<u64, Wrong> {
    let value = number(raw)?;
    if value < 0.0 {
        return Err("a time cannot be negative".to_owned());
    }
    // Digits are read as they stand: a double holds no nanoseconds.
    let whole = raw.get().split('.').next().unwrap_or_default();
    let exact = !raw.get().contains(['e', 'E']) && whole.bytes().all(|byte| byte.is_ascii_digit());
    let cut = if exact { whole.parse().ok() } else { (value < LARGEST as f64).then_some(value as u64) };
    cut.filter(|time| *time <= LARGEST)
        .ok_or_else(|| "the time is out of range: at most 9223372036854775807".to_owned())
}

/// A time of the command line, by the same rules.
pub(crate) fn parse_time(text: &str) -> Result<u64, Wrong> {
    RawValue::from_string(text.to_owned()).map_err(|_| "expected a number".to_owned()).and_then(|raw| time(&raw))
}

/// How many: a whole number above zero, which may be written with a fraction of zero.
pub(crate) fn count(raw: &RawValue) -> Result<u64, Wrong> {
    let value = number(raw)?;
    let exact = raw.get().parse().ok();
    // Up to there a double holds every whole number.
    let whole = || (value.fract() == 0.0 && (0.0..9.0e15).contains(&value)).then_some(value as u64);
    let count = exact.or_else(whole).filter(|count| *count > 0);
    count.ok_or_else(|| format!("a count has to be a whole number above zero, found {}", raw.get()))
}

/// Centroids: pairs of a mean and a count.
pub(crate) fn centroids(raw: &RawValue) -> Result<Vec<(f64, u64)>, Wrong> {
    if !raw.get().starts_with('[') {
        return Err(expected("an array of [mean, count] pairs", raw));
    }
    let pairs: Vec<(&RawValue, &RawValue)> = read(raw)?;
    pairs.into_iter().map(|(mean, samples)| Ok((number(mean)?, count(samples)?))).collect()
}

/// A trace id or span id.
pub(crate) fn uuid(raw: &RawValue) -> Result<Uuid, Wrong> {
    parse_uuid(&text(raw)?)
}

/// Trace ids or span ids.
pub(crate) fn uuids(raw: &RawValue) -> Result<Vec<Uuid>, Wrong> {
    texts(raw)?.iter().map(|text| parse_uuid(&text.0)).collect()
}

fn parse_uuid(text: &str) -> Result<Uuid, Wrong> {
    Uuid::try_parse(text).map_err(|_| "expected a UUID, such as 7b3bf470-9456-11e8-9eb6-529269fb1459".to_owned())
}

/// A log record of a span: when, and its fields.
pub(crate) type Log<'a> = (u64, Vec<(Text<'a>, Text<'a>)>);

/// Log records of a span.
pub(crate) fn logs(raw: &RawValue) -> Result<Vec<Log<'_>>, Wrong> {
    if !raw.get().starts_with('[') {
        return Err(expected("an array of log records", raw));
    }
    let records: Vec<&RawValue> = read(raw)?;
    records.into_iter().map(log).collect()
}

fn log(raw: &RawValue) -> Result<Log<'_>, Wrong> {
    if !raw.get().starts_with('{') {
        return Err(expected("an object with timestamp and fields", raw));
    }
    let Members::<'_, &RawValue>(members) = read(raw)?;
    if let Some(key) = repeated(&members) {
        return Err(format!("repeated key {}", shown(key)));
    }
    let (mut timestamp, mut fields) = (None, None);
    for (key, value) in members {
        let within = |wrong| format!("{}: {wrong}", shown(&key.0));
        match &*key.0 {
            "timestamp" => timestamp = Some(time(value).map_err(within)?),
            "fields" => fields = Some(map(value).map_err(within)?),
            other => return Err(format!("unknown key {} in a log record: it has timestamp and fields", shown(other))),
        }
    }
    let timestamp = timestamp.ok_or("a log record needs a timestamp, in µs")?;
    Ok((timestamp, fields.ok_or("a log record needs fields")?))
}

/// A text of the input, quoted, as one that may come from anybody: short, and without command of the terminal.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(64) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn times_are_cut_not_rounded() {
        for (text, expected) in [
            ("0", 0),
            ("1493773500", 1_493_773_500),
            ("1493773500.999", 1_493_773_500),
            ("1552949776000123456.7", 1_552_949_776_000_123_456),
            ("1.4937735e9", 1_493_773_500),
            ("-0", 0),
            ("9223372036854775807", i64::MAX as u64),
        ] {
            assert_eq!(time(&raw(text)), Ok(expected), "{text}");
        }
        for text in ["-1", "-0.5", "9223372036854775808", "1e19", "1e400", "\"1\"", "true", "null", "[1]"] {
            assert!(time(&raw(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_are_whole() {
        assert_eq!(count(&raw("20")), Ok(20));
        assert_eq!(count(&raw("20.0")), Ok(20));
        assert_eq!(count(&raw("18446744073709551615")), Ok(u64::MAX));
        for text in ["0", "-1", "0.5", "1e300", "\"1\""] {
            assert!(count(&raw(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_exact() {
        for text in ["0.1", "-1", "1e-7", "9007199254740993", "5e-324", "1.7976931348623157e308"] {
            assert_eq!(number(&raw(text)), Ok(text.parse().unwrap()), "{text}");
        }
        assert_eq!(number(&raw("1e400")), Err("the number is out of range".to_owned()));
        assert_eq!(number(&raw("\"1\"")), Err("expected a number, found a string".to_owned()));
    }

    #[test]
    fn a_repeated_key_is_found_however_many_there_are() {
        for len in [2, 16, 17, 1000] {
            let mut members: Vec<Member<'_, ()>> = (0..len).map(|i| (Text(Cow::Owned(format!("k{i}"))), ())).collect();
            assert_eq!(repeated(&members), None);
            members.push((Text(Cow::Borrowed("k1")), ()));
            assert_eq!(repeated(&members), Some("k1"));
        }
    }

    #[test]
    fn what_is_shown_is_short_and_harmless() {
        assert_eq!(shown("a\u{1b}[2J"), "\"a\\u{1b}[2J\"");
        assert_eq!(shown(&"é".repeat(65)).chars().count(), 64 + 3);
    }
}
