//! A line as a JSON object: what the receiver makes of it, under the names of the fields.

use serde_json::{Map, Value, json};
use wavefront_sdk::parse::{Event, Histogram, Line, Point, Span, SpanLogs, Text};
use wavefront_sdk::{DescriptionAction, Granularity, TagAction};

/// A line that is not taken.
pub(super) fn bad(number: u64, column: usize, error: &str) -> Value {
    json!({"line": number, "ok": false, "column": column, "error": error})
}

/// A line that is taken.
pub(super) fn good(number: u64, line: &Line<'_>) -> Value {
    let (kind, fields) = match line {
        Line::Point(point) => ("metric", point_fields(point)),
        Line::Histogram(histogram) => ("histogram", histogram_fields(histogram)),
        Line::Span(span) => ("span", span_fields(span)),
        Line::SpanLogs(logs) => ("span_logs", span_logs_fields(logs)),
        Line::Event(event) => ("event", event_fields(event)),
        Line::SourceTag(tag) => {
            let action = match tag.action {
                TagAction::Add => "add",
                TagAction::Save => "save",
                TagAction::Delete => "delete",
            };
            ("source_tag", json!({"action": action, "source": text(tag.source), "tags": texts(tag.tags)}))
        }
        Line::SourceDescription(it) => {
            let action = match it.action {
                DescriptionAction::Save => "save",
                DescriptionAction::Delete => "delete",
            };
            let description = it.description.map(text);
            ("source_description", json!({"action": action, "source": text(it.source), "description": description}))
        }
        // A kind that this command does not know yet has no fields here.
        line => (line.kind().as_str(), json!({})),
    };
    let mut object = Map::new();
    object.insert("line".into(), number.into());
    object.insert("ok".into(), true.into());
    object.insert("kind".into(), kind.into());
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    Value::Object(object)
}

fn point_fields(point: &Point<'_>) -> Value {
    json!({
        "name": text(point.name),
        "value": number(point.value),
        "timestamp": point.timestamp,
        "source": source(point.source),
        "tags": map(point.tags.iter()),
    })
}

fn histogram_fields(histogram: &Histogram<'_>) -> Value {
    json!({
        "name": text(histogram.name),
        "granularity": keyword(histogram.granularity),
        "timestamp": histogram.timestamp,
        "centroids": histogram.centroids.map(|(mean, count)| json!([number(mean), count])).collect::<Value>(),
        "source": source(histogram.source),
        "tags": map(histogram.tags.iter()),
    })
}

/// As the line says it, and the receiver keeps it.
const fn keyword(granularity: Granularity) -> &'static str {
    match granularity {
        Granularity::Minute => "!M",
        Granularity::Hour => "!H",
        Granularity::Day => "!D",
    }
}

fn span_fields(span: &Span<'_>) -> Value {
    json!({
        "name": text(span.name),
        "source": source(span.source),
        "trace_id": text(span.trace_id),
        "span_id": text(span.span_id),
        "start_millis": span.start_millis,
        "duration_millis": span.duration_millis,
        "tags": span.tags.iter().map(|(key, value)| json!([text(key), text(value)])).collect::<Value>(),
    })
}

fn span_logs_fields(logs: &SpanLogs<'_>) -> Value {
    let records = logs.logs.map(|log| json!({"timestamp": log.timestamp, "fields": map(log.fields)}));
    json!({
        "trace_id": text(logs.trace_id),
        "span_id": text(logs.span_id),
        "logs": records.collect::<Value>(),
        "span": logs.span.map(text),
    })
}

fn event_fields(event: &Event<'_>) -> Value {
    json!({
        "name": event.name.map(text),
        "start_time": event.start_time,
        "end_time": event.end_time,
        "hosts": texts(event.hosts()),
        "tags": texts(event.tags()),
        "annotations": map(event.annotations()),
    })
}

fn text(text: Text<'_>) -> Value {
    Value::String(text.to_cow().into_owned())
}

fn texts<'a>(texts: impl Iterator<Item = Text<'a>>) -> Value {
    texts.map(text).collect()
}

/// The last of a repeated key counts.
fn map<'a>(pairs: impl Iterator<Item = (Text<'a>, Text<'a>)>) -> Value {
    pairs.map(|(key, value)| (key.to_cow().into_owned(), text(value))).collect::<Map<_, _>>().into()
}

/// What the receiver calls a source that the line does not name.
fn source(source: Option<Text<'_>>) -> Value {
    source.map_or_else(|| "unknown".into(), text)
}

/// JSON has no numbers for these.
fn number(value: f64) -> Value {
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.into()
    } else {
        value.into()
    }
}
