//! `"name" value [timestamp] source="src" "k"="v"…`: metrics and delta counters.

#[cfg(feature = "std")]
use super::DefaultTags;
use super::compact;
use super::number::{is_finite, is_zero, put_f64, put_u64};
use super::out::Put;
use super::point::{put_source, put_tags};
use super::seen::tags_len;
use super::text::{Name, after_delta};
use super::window;
use super::{Encode, Full, Rules, Sink, Slice};
use crate::{DeltaCounter, EncodeError, Field, InvalidInput, Kind, Metric, Problem, Tags};

impl<T: Tags> Encode for Metric<'_, T> {
    const KIND: Kind = Kind::Metric;

    fn kind(&self) -> Kind {
        if after_delta(self.name.as_bytes()).is_some() { Kind::Delta } else { Kind::Metric }
    }

    /// A metric whose name starts with a delta is a delta counter for the receiver, and its value is checked as one.
    fn encode<S: Sink + ?Sized>(&self, rules: &Rules<'_>, sink: &mut S) -> Result<u32, EncodeError<S::Full>> {
        window::lines(
            sink,
            rules.limits.metric_line,
            || expected(self.name, self.source, &self.tags, rules),
            |out| put_metric(self, rules, out),
            |out| put_metric(self, rules, out),
        )
    }

    fn encode_compact(&self, rules: &Rules<'_>, lines: &mut Slice<'_>) -> Result<u32, EncodeError<Full>> {
        compact::metric(self, rules, lines)
    }

    #[cfg(feature = "std")]
    fn encode_with<S: Sink + ?Sized>(
        &self,
        tags: &DefaultTags,
        rules: &Rules<'_>,
        sink: &mut S,
    ) -> Result<u32, EncodeError<S::Full>> {
        Metric {
            name: self.name,
            value: self.value,
            timestamp: self.timestamp,
            source: self.source,
            tags: tags.behind(&self.tags),
        }
        .encode(rules, sink)
    }
}

impl<T: Tags> Encode for DeltaCounter<'_, T> {
    const KIND: Kind = Kind::Delta;

    fn encode<S: Sink + ?Sized>(&self, rules: &Rules<'_>, sink: &mut S) -> Result<u32, EncodeError<S::Full>> {
        window::lines(
            sink,
            rules.limits.metric_line,
            || expected(self.name, self.source, &self.tags, rules),
            |out| put_delta(self, rules, out),
            |out| put_delta(self, rules, out),
        )
    }

    fn encode_compact(&self, rules: &Rules<'_>, lines: &mut Slice<'_>) -> Result<u32, EncodeError<Full>> {
        compact::delta(self, rules, lines)
    }

    #[cfg(feature = "std")]
    fn encode_with<S: Sink + ?Sized>(
        &self,
        tags: &DefaultTags,
        rules: &Rules<'_>,
        sink: &mut S,
    ) -> Result<u32, EncodeError<S::Full>> {
        DeltaCounter { name: self.name, value: self.value, source: self.source, tags: tags.behind(&self.tags) }
            .encode(rules, sink)
    }
}

/// About how long value and timestamp are, with the spaces behind them; but for very long numbers.
pub(crate) const NUMBERS: usize = "-12345.123456789012 1552949776000123 ".len();

/// About how long the line is, but for what is cleaned and very long numbers.
#[inline]
fn expected<T: Tags + ?Sized>(name: &str, source: Option<&str>, tags: &T, rules: &Rules<'_>) -> usize {
    const REST: usize = "\"\" source=\"\"\n".len() + NUMBERS;
    let source = source.map_or(0, str::len) + rules.default_source.map_or(0, str::len);
    REST + name.len() + source + tags_len(tags, " \"\"=\"\"".len())
}

#[inline]
fn put_metric<T: Tags + ?Sized>(
    metric: &Metric<'_, T>,
    rules: &Rules<'_>,
    out: &mut (impl Put + ?Sized),
) -> Result<u32, InvalidInput> {
    let name = Name::new(metric.name, Field::MetricName)?;
    if !sendable(metric.value, name.is_delta())? {
        return Ok(0);
    }
    put_point(&name, metric.value, metric.timestamp, metric.source, &metric.tags, rules, out)
}

#[inline]
fn put_delta<T: Tags + ?Sized>(
    counter: &DeltaCounter<'_, T>,
    rules: &Rules<'_>,
    out: &mut (impl Put + ?Sized),
) -> Result<u32, InvalidInput> {
    if !sendable(counter.value, true)? {
        return Ok(0);
    }
    let name = Name::delta(counter.name, Field::MetricName)?;
    put_point(&name, counter.value, None, counter.source, &counter.tags, rules, out)
}

/// Whether `value` makes a line: zero makes none where it is an increment, below zero is an error there.
#[inline]
pub(crate) fn sendable(value: f64, delta: bool) -> Result<bool, InvalidInput> {
    if !is_finite(value) {
        return Err(InvalidInput::new(Field::Value, Problem::NotFinite));
    }
    match (delta, is_zero(value), value.is_sign_negative()) {
        (true, true, _) => Ok(false),
        (true, false, true) => Err(InvalidInput::new(Field::Value, Problem::Negative)),
        _ => Ok(true),
    }
}

#[inline]
fn put_point<T: Tags + ?Sized>(
    name: &Name<'_>,
    value: f64,
    timestamp: Option<u64>,
    own_source: Option<&str>,
    tags: &T,
    rules: &Rules<'_>,
    out: &mut (impl Put + ?Sized),
) -> Result<u32, InvalidInput> {
    name.check(rules.limits.metric_name, Field::MetricName)?;
    put_name(name, out);
    put_number(value, timestamp, out);
    put_rest(own_source, tags, rules, out)?;
    out.end_line()?;
    Ok(1)
}

/// `"name" `
#[inline]
pub(crate) fn put_name(name: &Name<'_>, out: &mut (impl Put + ?Sized)) {
    name.put_between(b"\"", b"\" ", out);
}

/// `value` or `value timestamp`
#[inline]
pub(crate) fn put_number(value: f64, timestamp: Option<u64>, out: &mut (impl Put + ?Sized)) {
    put_f64(value, out);
    if let Some(timestamp) = timestamp {
        out.put(b" ");
        put_u64(timestamp, out);
    }
}

/// ` source="src" "k"="v"…` and LF
#[inline]
pub(crate) fn put_rest<T: Tags + ?Sized>(
    own_source: Option<&str>,
    tags: &T,
    rules: &Rules<'_>,
    out: &mut (impl Put + ?Sized),
) -> Result<(), InvalidInput> {
    put_source(own_source, rules, [b" source=\"", b"\""], out)?;
    put_tags(tags, rules.limits, out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::string::{String, ToString};
    use std::vec::Vec;
    use std::{format, vec};

    use super::*;
    use crate::Limits;

    const RULES: Rules<'_> = Rules::new().default_source("d");

    fn line(datum: &impl Encode) -> Result<String, InvalidInput> {
        let mut out = vec![b'|'];
        match datum.encode(&RULES, &mut out) {
            Ok(lines) => assert_eq!(lines as usize, out.iter().filter(|&&byte| byte == b'\n').count()),
            Err(EncodeError::Invalid(invalid)) => {
                assert_eq!(out, b"|", "an error leaves the sink as it was");
                return Err(invalid);
            }
        }
        Ok(String::from_utf8(out).unwrap()[1..].to_string())
    }

    fn problem(datum: &impl Encode) -> (Field, Problem) {
        let invalid = line(datum).unwrap_err();
        (invalid.field, invalid.problem)
    }

    #[test]
    fn the_line() {
        let metric = Metric::new("new-york.power.usage", 42422.0).timestamp(1_493_773_500).source("localhost");
        let expected = r#""new-york.power.usage" 42422.0 1493773500 source="localhost" "datacenter"="dc1""#;
        assert_eq!(line(&metric.tag("datacenter", "dc1")).unwrap(), format!("{expected}\n"));
        assert_eq!(line(&DeltaCounter::new("~a", 1.5)).unwrap(), "\"∆~a\" 1.5 source=\"d\"\n");
    }

    #[test]
    fn blank_sources_take_the_default_and_need_one() {
        for own in [None, Some(""), Some(" \t"), Some("\\")] {
            let metric = Metric { source: own, ..Metric::new("m", 1.0) };
            assert_eq!(line(&metric).unwrap(), "\"m\" 1.0 source=\"d\"\n");
            for rules in [Rules::new(), Rules::new().default_source(" ")] {
                let error = metric.encode(&rules, &mut Vec::new()).unwrap_err();
                assert_eq!(error, InvalidInput::new(Field::Source, Problem::Missing).into());
            }
        }
    }

    #[test]
    fn increments_are_above_zero_by_either_name() {
        assert_eq!(line(&DeltaCounter::new("m", 0.0)).unwrap(), "");
        assert_eq!(line(&Metric::new("Δm", -0.0)).unwrap(), "");
        assert_eq!(problem(&DeltaCounter::new("m", -1.0)), (Field::Value, Problem::Negative));
        assert_eq!(problem(&Metric::new("∆m", -1.0)), (Field::Value, Problem::Negative));
        assert_eq!(line(&Metric::new("m", -1.0)).unwrap(), "\"m\" -1.0 source=\"d\"\n");
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(problem(&Metric::new("m", value)), (Field::Value, Problem::NotFinite));
            assert_eq!(problem(&DeltaCounter::new("m", value)), (Field::Value, Problem::NotFinite));
        }
    }

    #[test]
    fn keys_are_neither_reserved_nor_repeated() {
        let metric = Metric::new("m", 1.0);
        for key in ["source", "host"] {
            assert_eq!(problem(&metric.tag(key, "v")), (Field::TagKey, Problem::ReservedKey));
        }
        // The reader makes `_tag` of both.
        for [first, second] in [["tag", "_tag"], ["_tag", "tag"]] {
            let repeated = metric.tag(first, "1").tag("c", "2").tag(second, "1");
            assert_eq!(problem(&repeated), (Field::TagKey, Problem::RepeatedKey));
        }
        assert_eq!(
            problem(&metric.tag("a b", "1").tag("c", "2").tag("a-b", "3")),
            (Field::TagKey, Problem::RepeatedKey)
        );
        assert!(line(&metric.tag("ab", "1").tag("aB", "2")).is_ok());
    }

    #[test]
    fn a_hundred_tags_and_no_more() {
        let tags: Vec<_> = (0..101).map(|i| (format!("key{i}"), "v")).collect();
        let metric = Metric::new("m", 1.0);
        assert_eq!(line(&metric.tags(&tags[..100])).unwrap().matches("=\"v\"").count(), 100);
        assert_eq!(problem(&metric.tags(&tags[..])), (Field::Tags, Problem::TooMany { limit: 100, count: 101 }));
    }

    #[test]
    fn lengths_up_to_the_limit() {
        let limits = Limits::default();
        let long = |len| "x".repeat(len);
        let too_long = |limit| Problem::TooLong { limit, len: limit + 1 };
        assert!(line(&Metric::new(&long(1023), 1.0)).is_ok());
        assert_eq!(problem(&Metric::new(&long(1024), 1.0)), (Field::MetricName, too_long(1023)));
        assert!(line(&DeltaCounter::new(&long(1022), 1.0)).is_ok());
        assert_eq!(problem(&DeltaCounter::new(&long(1023), 1.0)), (Field::MetricName, too_long(1023)));
        assert!(line(&Metric::new("m", 1.0).source(&"é".repeat(1023))).is_ok());
        assert_eq!(problem(&Metric::new("m", 1.0).source(&"é".repeat(1024))), (Field::Source, too_long(1023)));
        assert!(line(&Metric::new("m", 1.0).tag(&long(253), "v")).is_ok());
        assert_eq!(problem(&Metric::new("m", 1.0).tag(&long(254), "v")), (Field::TagKey, too_long(253)));
        assert!(line(&Metric::new("m", 1.0).tag("k", &"温".repeat(253))).is_ok());
        assert_eq!(problem(&Metric::new("m", 1.0).tag("k", &"温".repeat(254))), (Field::Tag, too_long(254)));
        // The reader keeps `tag` as `_tag`.
        assert!(line(&Metric::new("m", 1.0).tag("tag", &long(250))).is_ok());
        assert_eq!(problem(&Metric::new("m", 1.0).tag("tag", &long(251))), (Field::Tag, too_long(254)));
        let tags: Vec<_> = (0..100).map(|i| (format!("{i}"), "\"".repeat(252))).collect();
        let over = problem(&Metric::new("m", 1.0).tags(tags.as_slice()));
        assert!(
            matches!(over, (Field::Line, Problem::TooLong { limit, len }) if limit == limits.metric_line && len > limit)
        );
    }

    #[test]
    fn a_tag_is_within_its_limits_or_an_error_and_any_number_of_keys_is_told_apart() {
        let limits = Limits { tag_key: 4, tag: 10, tags: 1000, ..Limits::default() };
        let rules = RULES.limits(&limits);
        for (key, value) in (1..=7).flat_map(|key| (1..=14).map(move |value| (key, value))) {
            let (key, value) = ("k".repeat(key), "v".repeat(value));
            let fits = key.len() <= 4 && key.len() + value.len() <= 10;
            let metric = Metric::new("m", 1.0).tag(&key, &value);
            assert_eq!(metric.encode(&rules, &mut Vec::new()).is_ok(), fits, "{key} {value}");
        }
        let keys: Vec<String> = (0..1000).map(|number| format!("{number}")).collect();
        let mut pairs: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "v")).collect();
        let mut out = Vec::new();
        assert_eq!(Metric::new("m", 1.0).tags(&pairs[..]).encode(&rules, &mut out), Ok(1));
        assert_eq!(String::from_utf8(out).unwrap().matches("=\"v\"").count(), 1000);
        pairs[999] = ("7", "w");
        let error = Metric::new("m", 1.0).tags(&pairs[..]).encode(&rules, &mut Vec::new()).unwrap_err();
        assert_eq!(error, EncodeError::Invalid(InvalidInput::new(Field::TagKey, Problem::RepeatedKey)));
    }
}
