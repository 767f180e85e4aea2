//! Laws of the encoders, over random and mostly odd input:
//!
//! 1. An error leaves every sink as it was.
//! 2. Every sink gets the same bytes, [`Count`] the same number; a slice that is too small is full and unchanged.
//! 3. There are as many LFs as lines, and the last byte is one.
//! 4. The reader takes every line with the limits it was written by, and reads what was meant.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use wavefront_sdk::line::{Count, Full, Slice};
use wavefront_sdk::parse::{self, Line};
use wavefront_sdk::{
    DeltaCounter, DescriptionAction, Encode, EncodeError, Event, EventForm, Granularities, Granularity, Histogram,
    InvalidInput, Limits, Metric, Prepared, Rules, SourceDescription, SourceTag, Span, SpanLog, SpanLogs, TagAction,
    Uuid,
};

/// Encodes into every sink, holds them to the laws 1 to 3, and returns the lines.
fn encode(datum: &impl Encode, rules: &Rules<'_>) -> Result<Vec<String>, InvalidInput> {
    let mut out = b"before".to_vec();
    let mut count = Count::new();
    let counted = datum.encode(rules, &mut count);
    let lines = match datum.encode(rules, &mut out) {
        Ok(lines) => lines,
        Err(EncodeError::Invalid(invalid)) => {
            assert_eq!(out, b"before");
            assert_eq!((counted, count), (Err(invalid.into()), Count::new()));
            let mut buffer = [b'.'; 8];
            let mut slice = Slice::new(&mut buffer);
            assert_eq!(datum.encode(rules, &mut slice), Err(invalid.into()), "valid or not, whatever the room");
            assert!(slice.is_empty());
            return Err(invalid);
        }
    };
    let written = String::from_utf8(out.split_off(6)).unwrap();
    assert_eq!(out, b"before");
    assert_eq!((counted, count.bytes()), (Ok(lines), written.len()));
    assert_eq!(written.matches('\n').count(), lines as usize);
    assert!(written.is_empty() || written.ends_with('\n'));

    let mut buffer = vec![b'.'; written.len() + 1];
    let sizes = (0..written.len()).step_by(1 + written.len() / 64).chain(written.len().checked_sub(1));
    for size in sizes {
        let mut slice = Slice::new(&mut buffer[..size]);
        assert_eq!(
            full(datum.encode(rules, &mut slice)),
            Some((written.len(), size)),
            "{size} bytes are too few for {written:?}"
        );
        assert!(slice.is_empty());
    }
    assert_eq!(datum.write_to(rules, &mut buffer), Ok(written.as_str()));
    let mut view = heapless::Vec::<u8, 4096>::new();
    match datum.encode(rules, view.as_mut_view()) {
        Ok(_) => assert_eq!(view, written.as_bytes()),
        other => assert_eq!((full(other), view.len()), (Some((written.len(), 4096)), 0)),
    }
    Ok(written.lines_by_lf())
}

/// What was needed, and what there was.
fn full(outcome: Result<u32, EncodeError<Full>>) -> Option<(usize, usize)> {
    match outcome {
        Err(EncodeError::Full(full)) => Some((full.needed, full.room)),
        _ => None,
    }
}

trait LinesByLf {
    /// Without their LF; a CR belongs to the line.
    fn lines_by_lf(&self) -> Vec<String>;
}

impl LinesByLf for String {
    fn lines_by_lf(&self) -> Vec<String> {
        self.split_terminator('\n').map(str::to_owned).collect()
    }
}

// The clean-up, said once more and slowly.

fn name(raw: &str) -> String {
    let mut clean = String::new();
    for (at, c) in raw.chars().enumerate() {
        let first = at == 0 && ['~', '∆', 'Δ'].contains(&c);
        let after_delta = at == 1 && c == '~' && raw.starts_with(['∆', 'Δ']);
        let legal = c.is_ascii_alphanumeric() || [',', '-', '.', '/', '_'].contains(&c);
        clean.push(if first || after_delta || legal { c } else { '-' });
    }
    clean
}

fn span_key(raw: &str) -> String {
    let clean = name(raw);
    if clean.bytes().all(|byte| byte.is_ascii_digit()) { format!("_{clean}") } else { clean }
}

/// What the reader makes of a cleaned value: the escape of LF stays.
fn text(raw: &str) -> String {
    let space = |c: char| c.is_whitespace() || ('\u{1C}'..='\u{1F}').contains(&c);
    let mut text = raw.trim_matches(space);
    while let Some(less) = text.strip_suffix('\\') {
        text = less.trim_end_matches(space);
    }
    text.replace('\n', "\\n").replace('\u{4}', "-")
}

fn source(own: &str, rules: &Rules<'_>) -> String {
    if text(own).is_empty() { text(rules.default_source.unwrap()) } else { text(own) }
}

fn pairs(tags: &[(String, String)], key: fn(&str) -> String) -> Vec<(String, String)> {
    tags.iter().map(|(name, value)| (key(name), text(value))).collect()
}

fn owned<'a>(tags: impl Iterator<Item = (parse::Text<'a>, parse::Text<'a>)>) -> Vec<(String, String)> {
    tags.map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

/// `tag` becomes `_tag` at the reader.
fn renamed(mut tags: Vec<(String, String)>) -> Vec<(String, String)> {
    for (key, _) in &mut tags {
        if key == "tag" {
            *key = "_tag".to_owned();
        }
    }
    tags
}

// What goes in.

/// Mostly odd: what has a meaning for the reader, at both ends of it, and in other alphabets.
fn odd() -> impl Strategy<Value = String> {
    let pieces = select(vec![
        "a", "B", "z9", "0", "42", ".", "-", "/", "_", ",", "~", "∆", "Δ", "\"", "'", "\\", "\n", "\r", "\t", " ", "=",
        "@", "#", "{", "}", "!M ", "\u{0}", "\u{4}", "\u{1C}", "\u{7F}", "\u{85}", "\u{A0}", "é", "温", "😀",
        "\u{2028}", "\u{FEFF}", "source", "host", "tag", "parent",
    ]);
    vec(pieces, 0..6).prop_map(|pieces| pieces.concat())
}

/// Around the limits, in characters of one, two and four bytes.
fn long() -> impl Strategy<Value = String> {
    (
        select(vec!["x", "é", "😀", "\"", "\n."]),
        select(vec![63_usize, 64, 127, 128, 252, 253, 254, 511, 512, 1023, 1024]),
    )
        .prop_map(|(piece, times)| format!(".{}", piece.repeat(times - 1)))
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

fn rules() -> impl Strategy<Value = (Option<String>, usize)> {
    (prop::option::weighted(0.8, prop_oneof!["[a-z]{1,5}", any_text()]), select(vec![32_768_usize, 32_768, 200]))
}

fn with((default_source, line): &(Option<String>, usize)) -> Rules<'_> {
    let mut limits = Limits::default();
    (limits.metric_line, limits.histogram_line, limits.trace_line) = (*line, *line, *line);
    let rules = Rules::new().limits(limits);
    match default_source {
        Some(source) => rules.default_source(source),
        None => rules,
    }
}

fn uuids() -> impl Strategy<Value = Vec<Uuid>> {
    vec(any::<u128>().prop_map(Uuid::from_u128), 0..4)
}

fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn points(
        raw in any_text(), value in value(), timestamp in prop::option::of(0..1u64 << 53), own in any_text(),
        tags in tags(), rules in rules(), delta: bool,
    ) {
        let rules = with(&rules);
        let mut metric = Metric::new(&raw, value).source(&own).tags(&tags);
        metric.timestamp = timestamp;
        let counter = DeltaCounter::new(&raw, value).source(&own).tags(&tags);
        let lines = if delta { encode(&counter, &rules) } else { encode(&metric, &rules) };
        let Ok(lines) = lines else { return Ok(()) };

        let mut meant = name(&raw);
        if delta && !meant.starts_with(['∆', 'Δ']) {
            meant = name(&format!("∆{raw}"));
        }
        if value == 0.0 && meant.starts_with(['∆', 'Δ']) {
            prop_assert!(lines.is_empty());
            return Ok(());
        }
        prop_assert_eq!(lines.len(), 1);
        let point = match parse::line(&lines[0], &rules.limits) {
            Ok(Line::Point(point)) => point,
            other => panic!("{:?} is read as {other:?}", lines[0]),
        };
        prop_assert_eq!(point.name.to_string(), meant);
        prop_assert_eq!(point.value.to_bits(), value.to_bits());
        prop_assert_eq!(point.timestamp.is_some(), !delta && timestamp.is_some());
        prop_assert_eq!(point.source.unwrap().to_string(), source(&own, &rules));
        prop_assert_eq!(owned(point.tags.all()), renamed(pairs(&tags, name)));

        let series = if delta {
            Prepared::<Vec<u8>>::delta_counter(&counter, &rules)
        } else {
            Prepared::<Vec<u8>>::metric(&metric, &rules)
        };
        let mut quick = Vec::new();
        series.unwrap().encode(value, timestamp.filter(|_| !delta), &mut quick).unwrap();
        prop_assert_eq!(quick.strip_suffix(b"\n"), Some(lines[0].as_bytes()));
    }

    #[test]
    fn histograms(
        raw in any_text(), centroids in vec((value(), prop_oneof![0..5u64, 1..1u64 << 40]), 0..4), which in 0..8u8,
        timestamp in prop::option::of(0..1u64 << 53), own in any_text(), tags in tags(), rules in rules(),
    ) {
        let rules = with(&rules);
        let all = [Granularity::Day, Granularity::Hour, Granularity::Minute];
        let chosen: Vec<_> = all.into_iter().enumerate().filter(|(at, _)| which >> at & 1 == 1).map(|(_, it)| it).collect();
        let histogram = Histogram::new(&raw, &centroids).granularities(Granularities::from(chosen.as_slice()));
        let mut histogram = histogram.source(&own).tags(&tags);
        histogram.timestamp = timestamp;
        let Ok(lines) = encode(&histogram, &rules) else { return Ok(()) };
        prop_assert_eq!(lines.len(), chosen.len());
        for (line, granularity) in lines.iter().zip(chosen) {
            let Ok(Line::Histogram(read)) = parse::line(line, &rules.limits) else { panic!("{line:?}") };
            prop_assert_eq!(read.granularity, granularity);
            prop_assert_eq!(read.name.to_string(), name(&raw));
            prop_assert_eq!(read.timestamp.is_some(), timestamp.is_some());
            prop_assert_eq!(read.source.unwrap().to_string(), source(&own, &rules));
            prop_assert_eq!(owned(read.tags.all()), renamed(pairs(&tags, name)));
            // Split counts add up, centroid by centroid.
            let mut parts = read.centroids;
            for &(mean, count) in &centroids {
                let mut left = count;
                while left > 0 {
                    let (part_mean, part) = parts.next().unwrap();
                    prop_assert_eq!(part_mean.to_bits(), mean.to_bits());
                    left = left.checked_sub(u64::try_from(part).unwrap()).unwrap();
                }
            }
            prop_assert!(parts.next().is_none());
        }
    }

    #[test]
    fn spans(
        raw in any_text(), own in any_text(), ids in (any::<u128>(), any::<u128>()), parents in uuids(),
        follows_from in uuids(), tags in tags(), rules in rules(), logged: bool,
    ) {
        let rules = with(&rules);
        let (trace_id, span_id) = (Uuid::from_u128(ids.0), Uuid::from_u128(ids.1));
        let logs = [SpanLog::new(1_552_949_776_000_123, &[("event", "e")])];
        let span = Span::new(&raw, 1_552_949_776_000, 343, trace_id, span_id).source(&own).parents(&parents);
        let span = span.follows_from(&follows_from).tags(&tags).logs(if logged { &logs } else { &[] });
        let Ok(lines) = encode(&span, &rules) else { return Ok(()) };
        prop_assert_eq!(lines.len(), 1);
        let Ok(Line::Span(read)) = parse::line(&lines[0], &rules.limits) else { panic!("{:?}", lines[0]) };
        prop_assert_eq!(read.name.to_string(), text(&raw));
        prop_assert_eq!(read.source.unwrap().to_string(), source(&own, &rules));
        prop_assert_eq!((read.trace_id.to_string(), read.span_id.to_string()), (trace_id.to_string(), span_id.to_string()));
        prop_assert_eq!((read.start_millis, read.duration_millis), (1_552_949_776_000, 343));
        let ids = |key: &str, ids: &[Uuid]| ids.iter().map(|id| (key.to_owned(), id.to_string())).collect::<Vec<_>>();
        let mut meant = [ids("parent", &parents), ids("followsFrom", &follows_from)].concat();
        for pair in pairs(&tags, span_key) {
            if !(logged && pair.0 == "_spanLogs" || meant.contains(&pair)) {
                meant.push(pair);
            }
        }
        if logged {
            meant.push(("_spanLogs".to_owned(), "true".to_owned()));
        }
        prop_assert_eq!(owned(read.tags.whole()), meant);

        // The companion holds the very line.
        let mut out = Vec::new();
        match span.encode_companion(&rules.limits(Limits::default()), &mut out) {
            Ok(kind) => prop_assert_eq!(kind.is_some(), logged),
            Err(error) => panic!("{error}"),
        }
        if logged {
            let line = String::from_utf8(out).unwrap();
            let Ok(Line::SpanLogs(read)) = parse::line(line.strip_suffix('\n').unwrap(), &rules.limits) else {
                panic!("{line:?}")
            };
            prop_assert_eq!(read.span.unwrap().to_string(), lines[0].as_str());
        }
    }

    #[test]
    fn span_logs(
        ids in (any::<u128>(), any::<u128>()), second in prop::option::of(any_text()),
        logs in vec((any::<u64>(), vec((any_text(), any_text()), 0..4)), 0..3), span in prop::option::of(any_text()),
        rules in rules(),
    ) {
        let rules = with(&rules);
        let fields: Vec<(u64, Vec<(&str, &str)>)> =
            logs.iter().map(|(at, fields)| (*at, fields.iter().map(|(key, value)| (&**key, &**value)).collect())).collect();
        let records: Vec<_> = fields.iter().map(|(at, fields)| SpanLog::new(*at, fields)).collect();
        let mut datum = SpanLogs::new(Uuid::from_u128(ids.0), Uuid::from_u128(ids.1), &records);
        (datum.secondary_id, datum.span) = (second.as_deref(), span.as_deref());
        let Ok(lines) = encode(&datum, &rules) else { return Ok(()) };
        let Ok(Line::SpanLogs(read)) = parse::line(&lines[0], &rules.limits) else { panic!("{:?}", lines[0]) };
        prop_assert_eq!(read.trace_id.to_string(), datum.trace_id.to_string());
        prop_assert_eq!(read.span_id.to_string(), datum.span_id.to_string());
        prop_assert_eq!(read.secondary_id.map(|id| id.to_string()), second);
        let read: Vec<_> = read.logs.map(|log| (log.timestamp as u64, owned(log.fields))).collect();
        prop_assert_eq!(read, logs);
    }

    #[test]
    fn events(
        raw in any_text(), start in prop_oneof![Just(0), 1_000_000_000_000..2_000_000_000_000u64],
        lasting in prop::option::of(0..1000u64), own in any_text(), labels in vec(any_text(), 0..3), tags in tags(),
        rules in rules(),
    ) {
        let rules = with(&rules);
        let (labels, end) = (texts(&labels), lasting.map(|lasting| start + lasting));
        let mut event = Event::new(&raw, start).source(&own).tags(&labels).annotations(&tags);
        event.end_millis = end;
        let end = end.filter(|&end| end > start).unwrap_or(start + 1);
        if let Ok(lines) = encode(&event, &rules) {
            let Ok(Line::Event(read)) = parse::line(&lines[0], &rules.limits) else { panic!("{:?}", lines[0]) };
            prop_assert_eq!(read.name.unwrap().to_string(), text(&raw));
            prop_assert_eq!((read.start_time as u64, read.end_time as u64), (start, end));
            prop_assert_eq!(read.hosts().map(|host| host.to_string()).collect::<Vec<_>>(), [source(&own, &rules)]);
            let read_tags: Vec<_> = read.tags().map(|tag| tag.to_string()).collect();
            prop_assert_eq!(read_tags, labels.iter().map(|label| text(label)).collect::<Vec<_>>());
            prop_assert_eq!(owned(read.annotations()), pairs(&tags, name));
            prop_assert_eq!(read.dimensions().count(), 0);
        }
        if let Ok(lines) = encode(&event, &rules.events(EventForm::Json)) {
            let json: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
            prop_assert_eq!(json["name"].as_str(), Some(&*raw));
            prop_assert_eq!(json["startTime"].as_u64(), Some(start));
            let annotations = json["annotations"].as_object().unwrap();
            let annotations: Vec<_> = annotations.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())).collect();
            prop_assert_eq!(annotations, tags);
            let read: Vec<_> = json["tags"].as_array().into_iter().flatten().map(|tag| tag.as_str().unwrap()).collect();
            prop_assert_eq!(read, labels);
        }
    }

    #[test]
    fn sources(own in any_text(), labels in vec(any_text(), 0..4), description in any_text(), rules in rules(), what in 0..5_usize) {
        let rules = with(&rules);
        let labels = texts(&labels);
        let action = [TagAction::Add, TagAction::Save, TagAction::Delete].get(what).copied();
        if let Some(action) = action {
            let Ok(lines) = encode(&SourceTag::new(action, &labels).source(&own), &rules) else { return Ok(()) };
            let Ok(Line::SourceTag(read)) = parse::line(&lines[0], &rules.limits) else { panic!("{:?}", lines[0]) };
            prop_assert_eq!((read.action, read.source.to_string()), (action, source(&own, &rules)));
            let read: Vec<_> = read.tags.map(|tag| tag.to_string()).collect();
            prop_assert_eq!(read, labels.iter().map(|label| name(label)).collect::<Vec<_>>());
        } else {
            let save = what == 3;
            let datum = if save { SourceDescription::save(&description) } else { SourceDescription::delete() };
            let Ok(lines) = encode(&datum.source(&own), &rules) else { return Ok(()) };
            let Ok(Line::SourceDescription(read)) = parse::line(&lines[0], &rules.limits) else { panic!("{:?}", lines[0]) };
            prop_assert_eq!(read.action == DescriptionAction::Save, save);
            prop_assert_eq!(read.source.to_string(), source(&own, &rules));
            prop_assert_eq!(read.description.map(|text| text.to_string()), save.then(|| text(&description)));
        }
    }
}
