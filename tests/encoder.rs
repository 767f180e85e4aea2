//! The laws of the encoders (`tests/laws/encode.rs`), over random and mostly odd input.
#![allow(clippy::unwrap_used, clippy::panic)]
#![cfg(feature = "std")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "laws/clean.rs"]
mod clean;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "laws/encode.rs"]
mod laws;

use clean::{LENGTHS, PIECES};
use laws::Rooms;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use wavefront_sdk::{
    DeltaCounter, Event, EventForm, Granularities, Granularity, Histogram, Limits, Metric, Rules, SourceDescription,
    SourceTag, Span, SpanLog, SpanLogs, TagAction, Uuid,
};

/// Mostly odd: what has a meaning for the reader, at both ends of it, and in other alphabets.
fn odd() -> impl Strategy<Value = String> {
    vec(select(PIECES.to_vec()), 0..6).prop_map(|pieces| pieces.concat())
}

/// Around the limits, in characters of one, two and four bytes.
fn long() -> impl Strategy<Value = String> {
    (select(vec!["x", "é", "😀", "\"", "\n."]), select(LENGTHS.to_vec()), 0..=2_usize)
        .prop_map(|(piece, len, over)| format!(".{}", piece.repeat(len + over - 2)))
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![8 => odd(), 4 => "[a-z]{1,9}", 1 => long()]
}

fn tags() -> impl Strategy<Value = Vec<(String, String)>> {
    let small = vec((any_text(), any_text()), 0..4);
    let named = subsequence(vec!["zone", "rack", "shelf", "a b", "a-b", "12", "_12", "tag", "_spanLogs"], 0..9)
        .prop_flat_map(|keys| (Just(keys.clone()), vec("[a-z \"]{0,3}[a-z]", keys.len())))
        .prop_map(|(keys, values)| keys.into_iter().map(str::to_owned).zip(values).collect());
    let many = (0..130_usize).prop_map(|count| (0..count).map(|i| (format!("key {i}"), "v".to_owned())).collect());
    prop_oneof![4 => small, 4 => named, 1 => many]
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        any::<i32>().prop_map(f64::from),
        (any::<i32>(), 1..6).prop_map(|(value, digits)| f64::from(value) / 10_f64.powi(digits)),
        select(vec![0.0, -0.0, 1e16, 1e-5, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::NAN, f64::INFINITY]),
    ]
}

fn rules() -> impl Strategy<Value = (Option<String>, Limits)> {
    let limits = select(vec![32_768_usize, 32_768, 200]).prop_map(|line| {
        let mut limits = Limits::default();
        (limits.metric_line, limits.histogram_line, limits.trace_line) = (line, line, line);
        limits
    });
    (prop::option::weighted(0.8, prop_oneof!["[a-z]{1,5}", any_text()]), limits)
}

fn with((default_source, limits): &(Option<String>, Limits)) -> Rules<'_> {
    let rules = Rules::new().limits(limits);
    match default_source {
        Some(source) => rules.default_source(source),
        None => rules,
    }
}

/// In milliseconds, mostly of our time.
fn time() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0), 1 => any::<u32>().prop_map(u64::from), 8 => 1_000_000_000_000..2_000_000_000_000_u64]
}

fn uuids() -> impl Strategy<Value = Vec<Uuid>> {
    vec(any::<u128>().prop_map(Uuid::from_u128), 0..4)
}

fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn borrowed(tags: &[(String, String)]) -> Vec<(&str, &str)> {
    tags.iter().map(|(key, value)| (&**key, &**value)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn points(
        raw in any_text(), value in value(), timestamp in prop::option::of(any::<u64>()), own in any_text(),
        tags in tags(), rules in rules(), delta: bool,
    ) {
        let (rules, tags) = (with(&rules), borrowed(&tags));
        let mut metric = Metric::new(&raw, value).source(&own).tags(&*tags);
        metric.timestamp = timestamp;
        let _ = if delta {
            laws::delta(&DeltaCounter::new(&raw, value).source(&own).tags(&*tags), &rules, Rooms::Many)
        } else {
            laws::metric(&metric, &rules, Rooms::Many)
        };
    }

    #[test]
    fn histograms(
        raw in any_text(), centroids in vec((value(), prop_oneof![0..5u64, 1..1u64 << 40]), 0..4), which in 0..8u8,
        timestamp in prop::option::of(any::<u64>()), own in any_text(), tags in tags(), rules in rules(),
    ) {
        let (rules, tags) = (with(&rules), borrowed(&tags));
        let all = [Granularity::Day, Granularity::Hour, Granularity::Minute];
        let chosen: Vec<_> = all.into_iter().enumerate().filter(|(at, _)| which >> at & 1 == 1).map(|(_, it)| it).collect();
        let histogram = Histogram::new(&raw, &centroids).granularities(Granularities::from(chosen.as_slice()));
        let mut histogram = histogram.source(&own).tags(&*tags);
        histogram.timestamp = timestamp;
        let _ = laws::histogram(&histogram, &rules, Rooms::Many);
    }

    #[test]
    fn spans(
        raw in any_text(), own in any_text(), ids in (any::<u128>(), any::<u128>()), parents in uuids(),
        follows_from in uuids(), tags in tags(), rules in rules(), logged: bool, start in time(), duration in 0..1000u64,
    ) {
        let (rules, tags) = (with(&rules), borrowed(&tags));
        let (trace_id, span_id) = (Uuid::from_u128(ids.0), Uuid::from_u128(ids.1));
        let logs = [SpanLog::new(1_552_949_776_000_123, &[("event", "e")])];
        let span = Span::new(&raw, start, duration, trace_id, span_id).source(&own).parents(&parents);
        let span = span.follows_from(&follows_from).tags(&*tags).logs(if logged { &logs } else { &[] });
        let _ = laws::span(&span, &rules, Rooms::Many);
    }

    #[test]
    fn span_logs(
        ids in (any::<u128>(), any::<u128>()), second in prop::option::of(any_text()),
        logs in vec((any::<u64>(), vec((any_text(), any_text()), 0..4)), 0..3), span in prop::option::of(any_text()),
        rules in rules(),
    ) {
        let rules = with(&rules);
        let logs: Vec<_> = logs.iter().map(|(at, fields)| (*at, borrowed(fields))).collect();
        let records: Vec<_> = logs.iter().map(|(at, fields)| SpanLog::new(*at, fields)).collect();
        let mut datum = SpanLogs::new(Uuid::from_u128(ids.0), Uuid::from_u128(ids.1), &records);
        (datum.secondary_id, datum.span) = (second.as_deref(), span.as_deref());
        let _ = laws::span_logs(&datum, &rules, Rooms::Many);
    }

    #[test]
    fn events(
        raw in any_text(), start in time(), lasting in prop::option::of(0..1000u64), own in any_text(),
        labels in vec(any_text(), 0..3), tags in tags(), rules in rules(),
    ) {
        let (rules, labels, tags) = (with(&rules), texts(&labels), borrowed(&tags));
        let mut event = Event::new(&raw, start).source(&own).tags(&labels).annotations(&*tags);
        event.end_millis = lasting.map(|lasting| start + lasting);
        for form in [EventForm::Line, EventForm::Json] {
            let _ = laws::event(&event, &rules.events(form), Rooms::Many);
        }
    }

    #[test]
    fn sources(own in any_text(), labels in vec(any_text(), 0..4), description in any_text(), rules in rules(), what in 0..6_usize) {
        let (rules, labels) = (with(&rules), texts(&labels));
        let mut delete = SourceDescription::delete().source(&own);
        let _ = match [TagAction::Add, TagAction::Save, TagAction::Delete].get(what) {
            Some(&action) => laws::source_tag(&SourceTag::new(action, &labels).source(&own), &rules, Rooms::Many),
            None if what == 3 => {
                laws::source_description(&SourceDescription::save(&description).source(&own), &rules, Rooms::Many)
            }
            None => {
                delete.description = if what == 4 { "" } else { &description };
                laws::source_description(&delete, &rules, Rooms::Many)
            }
        };
    }
}
