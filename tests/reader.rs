//! The parser agrees with the receiver's own decoder and validator: on every recorded line, on accept or reject, and on
//! every decoded field.
//!
//! `golden/reader-*.jsonl.gz` are lines, most of them odd or broken, and what the receiver made of each.
//! `golden/python-2.1.0.jsonl` is what the Python client writes, and whether the receiver takes it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use flate2::read::GzDecoder;
use serde_json::{Map, Value, json};
use wavefront_sdk::parse::{self, Part, Reason};
use wavefront_sdk::{Granularity, Kind, Limits};

fn golden(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden", name].iter().collect()
}

fn records(name: &str) -> Vec<Value> {
    let file = BufReader::new(GzDecoder::new(std::fs::File::open(golden(name)).unwrap()));
    file.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

/// A number as the records have it.
fn number(value: f64) -> Value {
    if value.is_nan() {
        json!("NaN")
    } else if value.is_infinite() {
        json!(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        json!(value)
    }
}

fn source(source: Option<parse::Text<'_>>) -> Value {
    source.map_or(json!("unknown"), |source| json!(source.to_string()))
}

fn map<'a>(tags: impl Iterator<Item = (parse::Text<'a>, parse::Text<'a>)>) -> Value {
    let mut map = Map::new();
    for (key, value) in tags {
        assert!(map.insert(key.to_string(), json!(value.to_string())).is_none(), "a key came twice");
    }
    Value::Object(map)
}

fn list<'a>(tags: impl Iterator<Item = (parse::Text<'a>, parse::Text<'a>)>) -> Value {
    tags.map(|(key, value)| json!([key.to_string(), value.to_string()])).collect()
}

fn texts<'a>(texts: impl Iterator<Item = parse::Text<'a>>) -> Value {
    texts.map(|text| json!(text.to_string())).collect()
}

/// Where a record has no list, no key is repeated, and the list has what the map has.
fn tag_list(record: &Value, tags: parse::Tags<'_>) -> Value {
    match record.get("annotationList") {
        Some(_) => list(tags.all()),
        None => {
            assert_eq!(list(tags.all()), list(tags.iter()));
            Value::Null
        }
    }
}

fn point(record: &Value, line: &str) -> Result<Value, parse::ParseError> {
    let point = parse::point(line, &Limits::DEFAULT)?;
    assert_eq!(parse::line(line, &Limits::DEFAULT).unwrap().kind().format(), Kind::Metric.format());
    Ok(json!({
        "metric": point.name.to_string(),
        "value": number(point.value),
        "timestamp": point.timestamp,
        "timestampDefaulted": point.timestamp.is_none(),
        "host": source(point.source),
        "annotations": map(point.tags.iter()),
        "annotationList": tag_list(record, point.tags),
    }))
}

fn histogram(record: &Value, line: &str) -> Result<Value, parse::ParseError> {
    let histogram = parse::histogram(line, &Limits::DEFAULT)?;
    let (granularity, duration) = match histogram.granularity {
        Granularity::Minute => ("!M", 60_000),
        Granularity::Hour => ("!H", 3_600_000),
        Granularity::Day => ("!D", 86_400_000),
    };
    Ok(json!({
        "metric": histogram.name.to_string(),
        "duration": duration,
        "granularity": granularity,
        "timestamp": histogram.timestamp,
        "timestampDefaulted": histogram.timestamp.is_none(),
        "bins": histogram.centroids.map(|(mean, _)| number(mean)).collect::<Value>(),
        "counts": histogram.centroids.map(|(_, count)| json!(count)).collect::<Value>(),
        "host": source(histogram.source),
        "annotations": map(histogram.tags.iter()),
        "annotationList": tag_list(record, histogram.tags),
    }))
}

fn span(record: &Value, line: &str) -> Result<Value, parse::ParseError> {
    let span = parse::span(line, &Limits::DEFAULT)?;
    assert_eq!(parse::line(line, &Limits::DEFAULT).unwrap().kind(), Kind::Span);
    Ok(json!({
        "name": span.name.to_string(),
        "nameDecoded": record.get("nameDecoded").map(|_| span.name.as_raw()),
        "traceId": span.trace_id.to_string(),
        "spanId": span.span_id.to_string(),
        "startMillis": span.start_millis,
        "duration": span.duration_millis,
        "source": source(span.source),
        "annotations": list(span.tags.iter()),
    }))
}

fn event(_: &Value, line: &str) -> Result<Value, parse::ParseError> {
    let event = parse::event(line, &Limits::DEFAULT)?;
    let mut dimensions = Map::new();
    for (key, value) in event.dimensions() {
        let values = dimensions.entry(key.to_string()).or_insert(json!([]));
        values.as_array_mut().unwrap().push(json!(value.to_string()));
    }
    let or_null = |value: Value, empty: bool| if empty { Value::Null } else { value };
    Ok(json!({
        "name": event.name.map(|name| name.to_string()),
        "startTime": event.start_time,
        "endTime": event.end_time,
        "hosts": texts(event.hosts()),
        "tags": or_null(texts(event.tags()), event.tags().next().is_none()),
        "annotations": map(event.annotations()),
        "dimensions": or_null(Value::Object(dimensions.clone()), dimensions.is_empty()),
    }))
}

/// Compares numbers by value and to the last bit, zeros by sign, everything else as it is.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => ours.as_i64().zip(theirs.as_i64()).map_or_else(
            || ours.as_f64().map(f64::to_bits) == theirs.as_f64().map(f64::to_bits),
            |(ours, theirs)| ours == theirs,
        ),
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(key, ours)| theirs.get(key).is_some_and(|theirs| same(ours, theirs)))
        }
        _ => ours == theirs,
    }
}

fn replay(name: &str, read: impl Fn(&Value, &str) -> Result<Value, parse::ParseError>, lines: usize, accepted: usize) {
    let (mut count, mut taken, mut wrong, mut report) = (0, 0, 0, String::new());
    for record in records(name) {
        count += 1;
        let line = record["line"].as_str().unwrap();
        let theirs = &record["reader"];
        taken += usize::from(theirs["ok"] == json!(true));
        let problem = match (read(theirs, line), theirs["ok"].as_bool().unwrap()) {
            (Ok(ours), true) => {
                // A field that only we have says that there is nothing.
                let fields = theirs.as_object().unwrap().keys().chain(ours.as_object().unwrap().keys());
                let nothing = |value: &Value| value.is_null() || *value == json!(false);
                let field = fields.filter(|key| *key != "ok").find(|key| match (&ours[*key], &theirs[*key]) {
                    (ours, theirs) if nothing(ours) && nothing(theirs) => false,
                    (ours, theirs) => !same(ours, theirs),
                });
                field.map(|field| format!("{field}: ours {}, theirs {}", ours[field], theirs[field]))
            }
            (Err(error), true) => Some(format!("rejected ({error}), theirs is {theirs}")),
            (Ok(ours), false) => Some(format!("accepted as {ours}, theirs is {theirs}")),
            (Err(error), false) => {
                assert!((1..=line.chars().count() + 1).contains(&error.column), "{error} of {line:?}");
                None
            }
        };
        if let Some(problem) = problem {
            wrong += 1;
            if wrong <= 20 {
                writeln!(report, "{line:?}\n    {problem}").unwrap();
            }
        }
    }
    assert!(wrong == 0, "{wrong} of {count} lines of {name}:\n{report}");
    assert_eq!((count, taken), (lines, accepted), "lines and accepted lines of {name}");
}

#[test]
fn points() {
    replay("reader-points.jsonl.gz", point, 2993, 800);
}

#[test]
fn histograms() {
    replay("reader-histograms.jsonl.gz", histogram, 1503, 342);
}

#[test]
fn spans() {
    replay("reader-spans.jsonl.gz", span, 2004, 537);
}

#[test]
fn events() {
    replay("reader-events.jsonl.gz", event, 768, 446);
}

#[test]
fn what_the_python_client_writes() {
    let (mut lines, mut accepted, mut report) = (0, 0, String::new());
    // These verdicts are the decoder's and the validator's. Behind them stands the sampler, which drops a span whose
    // trace id is no UUID; the verdicts of `reader-spans` are its too.
    let mut sampled_out = Vec::new();
    for record in std::fs::read_to_string(golden("python-2.1.0.jsonl")).unwrap().lines() {
        let record: Value = serde_json::from_str(record).unwrap();
        for verdict in record["reader"].as_array().into_iter().flatten() {
            let line = verdict["line"].as_str().unwrap();
            let theirs = verdict["accepted"].as_bool().unwrap();
            let ours = parse::line(line, &Limits::DEFAULT);
            lines += 1;
            accepted += usize::from(theirs);
            if theirs && ours.is_err_and(|error| error.reason == Reason::NotAUuid(Part::TraceId)) {
                sampled_out.push(record["id"].as_u64().unwrap());
            } else if ours.is_ok() != theirs {
                writeln!(report, "{}: {line:?}\n    ours {ours:?}, theirs {theirs}", record["id"]).unwrap();
            }
        }
    }
    assert!(report.is_empty(), "{report}");
    assert_eq!(sampled_out, [177, 178, 184], "not-a-uuid, None, y");
    assert_eq!((lines, accepted), (104, 87));
}
