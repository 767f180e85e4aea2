//! Answers each line of standard input, a request for a line of telemetry as JSON, with a line of JSON:
//! `{"ok":"…","read":[…]}`, where `read` is what our own reader makes of each line, or `{"error":[field,problem]}`.
//!
//! Doubles are numbers of their 64 bits, so that none is lost on the way.

use std::error::Error;
use std::io::{self, BufRead, BufWriter, Write};

use serde_json::{Value, json};
use wavefront_sdk::parse::{self, Line, Text};
use wavefront_sdk::{
    DeltaCounter, Encode, EncodeError, Granularity, InvalidInput, Limits, Rules, SpanLog, Uuid, event_to_json,
    event_to_line_data, histogram_to_line_data, metric_to_line_data, span_log_to_line_data, tracing_span_to_line_data,
};

type Asked<T> = Result<T, Box<dyn Error>>;

fn main() -> Asked<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for (index, line) in io::stdin().lock().lines().enumerate() {
        let request = serde_json::from_str(&line?)?;
        let answer = answer(&request).map_err(|error| format!("request {index}: {error}"))?;
        writeln!(out, "{answer}")?;
    }
    Ok(out.flush()?)
}

fn answer(request: &Value) -> Asked<Value> {
    let json_event = request["fn"] == "event_to_json";
    Ok(match encode(request)? {
        Err(invalid) => json!({ "error": [format!("{:?}", invalid.field), format!("{:?}", invalid.problem)] }),
        // No line: the receiver of these is an API, which takes JSON.
        Ok(text) if json_event => json!({ "ok": text }),
        Ok(text) => {
            let read: Vec<Value> = text.split_terminator('\n').map(read).collect();
            json!({ "ok": text, "read": read })
        }
    })
}

// ---- writing ----------------------------------------------------------------------------------------------------------

fn encode(request: &Value) -> Asked<Result<String, InvalidInput>> {
    let (tags, default_source) = (pairs(&request["tags"])?, text(&request["default_source"])?);
    let source = text(&request["source"])?;
    Ok(match text(&request["fn"])? {
        "metric_to_line_data" => metric_to_line_data(
            text(&request["name"])?,
            double(&request["value"])?,
            time(&request["timestamp"])?,
            source,
            &tags,
            default_source,
        ),
        "send_delta_counter" => {
            let counter = DeltaCounter::new(text(&request["name"])?, double(&request["value"])?);
            let mut line = Vec::new();
            match counter.source(source).tags(&tags).encode(&Rules::new().default_source(default_source), &mut line) {
                Ok(_) => Ok(String::from_utf8(line)?),
                Err(EncodeError::Invalid(invalid)) => Err(invalid),
                Err(EncodeError::Full(never)) => match never {},
            }
        }
        "histogram_to_line_data" => {
            let centroids = list(&request["centroids"], |pair| Ok((double(&pair[0])?, number(&pair[1])?)))?;
            let granularities = list(&request["histogram_granularities"], |mark| match text(mark)? {
                "!M" => Ok(Granularity::Minute),
                "!H" => Ok(Granularity::Hour),
                "!D" => Ok(Granularity::Day),
                _ => Err("no such granularity".into()),
            })?;
            histogram_to_line_data(
                text(&request["name"])?,
                &centroids,
                granularities.as_slice(),
                time(&request["timestamp"])?,
                source,
                &tags,
                default_source,
            )
        }
        "tracing_span_to_line_data" => with_logs(&request["span_logs"], |logs| {
            Ok(tracing_span_to_line_data(
                text(&request["name"])?,
                number(&request["start_millis"])?,
                number(&request["duration_millis"])?,
                source,
                id(&request["trace_id"])?,
                id(&request["span_id"])?,
                &list(&request["parents"], id)?,
                &list(&request["follows_from"], id)?,
                &tags,
                logs,
                default_source,
            ))
        })?,
        "span_log_to_line_data" => with_logs(&request["span_logs"], |logs| {
            Ok(span_log_to_line_data(
                id(&request["trace_id"])?,
                id(&request["span_id"])?,
                logs,
                request["span"].as_str(),
            ))
        })?,
        function @ ("event_to_line_data" | "event_to_json") => {
            let write = if function == "event_to_json" { event_to_json } else { event_to_line_data };
            write(
                text(&request["name"])?,
                number(&request["start_time"])?,
                time(&request["end_time"])?,
                source,
                &list(&request["event_tags"], text)?,
                tags.as_slice(),
                default_source,
            )
        }
        _ => return Err("no such function".into()),
    })
}

fn with_logs<T>(value: &Value, write: impl FnOnce(&[SpanLog<'_>]) -> Asked<T>) -> Asked<T> {
    let logs = list(value, |log| Ok((number(&log["timestamp"])?, pairs(&log["fields"])?)))?;
    let logs: Vec<_> = logs.iter().map(|(timestamp, fields)| SpanLog::new(*timestamp, fields)).collect();
    write(&logs)
}

/// Text; null is blank.
fn text(value: &Value) -> Asked<&str> {
    if value.is_null() { Ok("") } else { value.as_str().ok_or_else(|| "not text".into()) }
}

fn number(value: &Value) -> Asked<u64> {
    value.as_u64().ok_or_else(|| "not a number of 64 bits".into())
}

fn double(value: &Value) -> Asked<f64> {
    number(value).map(f64::from_bits)
}

fn time(value: &Value) -> Asked<Option<u64>> {
    if value.is_null() { Ok(None) } else { number(value).map(Some) }
}

fn id(value: &Value) -> Asked<Uuid> {
    Ok(text(value)?.parse()?)
}

fn list<'a, T>(value: &'a Value, item: impl Fn(&'a Value) -> Asked<T>) -> Asked<Vec<T>> {
    value.as_array().map_or(&[][..], Vec::as_slice).iter().map(item).collect()
}

fn pairs(value: &Value) -> Asked<Vec<(&str, &str)>> {
    list(value, |pair| Ok((text(&pair[0])?, text(&pair[1])?)))
}

// ---- reading ----------------------------------------------------------------------------------------------------------

fn read(line: &str) -> Value {
    let line = match parse::line(line, &Limits::DEFAULT) {
        Ok(line) => line,
        Err(error) => return json!({ "rejected": error.to_string() }),
    };
    let source = |source: Option<Text<'_>>| source.map(|source| source.to_string());
    let fields = match line {
        Line::Point(point) => json!({
            "name": point.name.to_string(), "value": point.value.to_bits(), "timestamp": point.timestamp,
            "source": source(point.source), "tags": said(point.tags.iter()),
        }),
        Line::Histogram(line) => json!({
            "name": line.name.to_string(), "granularity": format!("{:?}", line.granularity),
            "timestamp": line.timestamp, "source": source(line.source), "tags": said(line.tags.iter()),
            "centroids": line.centroids.map(|(mean, count)| json!([mean.to_bits(), count])).collect::<Vec<_>>(),
        }),
        Line::Span(span) => json_of_span(&span),
        Line::SpanLogs(logs) => json!({
            "trace_id": logs.trace_id.to_string(), "span_id": logs.span_id.to_string(),
            "logs": logs.logs.map(|log| json!([log.timestamp, said(log.fields)])).collect::<Vec<_>>(),
            "span": logs.decoded_span().as_ref().map(json_of_span),
        }),
        Line::Event(event) => json!({
            "name": source(event.name), "start_time": event.start_time, "end_time": event.end_time,
            "hosts": event.hosts().map(|host| host.to_string()).collect::<Vec<_>>(),
            "tags": event.tags().map(|tag| tag.to_string()).collect::<Vec<_>>(),
            "annotations": said(event.annotations()), "dimensions": said(event.dimensions()),
        }),
        _ => json!({}),
    };
    json!({ "kind": line.kind().as_str(), "fields": fields })
}

fn json_of_span(span: &parse::Span<'_>) -> Value {
    json!({
        "name": span.name.to_string(), "source": span.source.map(|source| source.to_string()),
        "trace_id": span.trace_id.to_string(), "span_id": span.span_id.to_string(),
        "start_millis": span.start_millis, "duration_millis": span.duration_millis, "tags": said(span.tags.whole()),
    })
}

fn said<'a>(pairs: impl Iterator<Item = (Text<'a>, Text<'a>)>) -> Vec<[String; 2]> {
    pairs.map(|(key, value)| [key.to_string(), value.to_string()]).collect()
}
