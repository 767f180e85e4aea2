//! The line functions of the Python SDK, under its names.

use std::string::String;

use uuid::Uuid;

use super::ready::to_string;
use super::{EventForm, Rules};
use crate::{Event, Granularities, Histogram, InvalidInput, Metric, Span, SpanLog, SpanLogs, Tags};

/// A metric's point as a line, its LF included.
///
/// `timestamp` is in s, ms, µs or ns since 1970. A blank `source` takes the `default_source`.
///
/// # Errors
/// Where no line can say it: see [`Metric`] and [`Limits`](super::Limits).
///
/// ```
/// use wavefront_sdk::line::metric_to_line_data;
/// let tags = [("datacenter", "dc1")];
/// let line = metric_to_line_data("power.usage", 42422.0, Some(1493773500), "localhost", tags, "defaultSource")?;
/// assert_eq!(line, "\"power.usage\" 42422.0 1493773500 source=\"localhost\" \"datacenter\"=\"dc1\"\n");
/// # Ok::<(), wavefront_sdk::InvalidInput>(())
/// ```
pub fn metric_to_line_data(
    name: &str,
    value: f64,
    timestamp: Option<u64>,
    source: &str,
    tags: impl Tags,
    default_source: &str,
) -> Result<String, InvalidInput> {
    let metric = Metric { timestamp, source: Some(source), ..Metric::new(name, value) };
    to_string(&metric.tags(tags), &Rules::new().default_source(default_source))
}

/// A histogram distribution as lines, one a granularity, in the order day, hour, minute.
///
/// `centroids` are pairs of a mean and a count.
///
/// # Errors
/// Where no line can say it: see [`Histogram`] and [`Limits`](super::Limits).
///
/// ```
/// use wavefront_sdk::{Granularity, line::histogram_to_line_data};
/// let granularities = [Granularity::Minute, Granularity::Hour];
/// let lines = histogram_to_line_data(
///     "request.latency", &[(30.0, 20), (5.1, 10)], granularities, Some(1493773500),
///     "appServer1", [("region", "us-west")], "defaultSource",
/// )?;
/// assert_eq!(lines, "\
/// !H 1493773500 #20 30.0 #10 5.1 \"request.latency\" source=\"appServer1\" \"region\"=\"us-west\"
/// !M 1493773500 #20 30.0 #10 5.1 \"request.latency\" source=\"appServer1\" \"region\"=\"us-west\"
/// ");
/// # Ok::<(), wavefront_sdk::InvalidInput>(())
/// ```
pub fn histogram_to_line_data(
    name: &str,
    centroids: &[(f64, u64)],
    histogram_granularities: impl Into<Granularities>,
    timestamp: Option<u64>,
    source: &str,
    tags: impl Tags,
    default_source: &str,
) -> Result<String, InvalidInput> {
    let granularities = histogram_granularities.into();
    let histogram = Histogram { granularities, timestamp, source: Some(source), ..Histogram::new(name, centroids) };
    to_string(&histogram.tags(tags), &Rules::new().default_source(default_source))
}

/// A span as a line, its LF included. With `span_logs` it gets the mark `"_spanLogs"="true"`; the logs themselves are
/// [another line](span_log_to_line_data).
///
/// # Errors
/// Where no line can say it: see [`Span`] and [`Limits`](super::Limits).
///
/// ```
/// use wavefront_sdk::{Uuid, line::tracing_span_to_line_data};
/// let (trace_id, span_id) = (Uuid::from_u128(1), Uuid::from_u128(2));
/// let line = tracing_span_to_line_data(
///     "getAllUsers", 1552949776000, 343, "localhost", trace_id, span_id, &[], &[],
///     [("http.method", "GET")], &[], "defaultSource",
/// )?;
/// assert_eq!(line, format!(
///     "\"getAllUsers\" source=\"localhost\" traceId={trace_id} spanId={span_id} \
///      \"http.method\"=\"GET\" 1552949776000 343\n"
/// ));
/// # Ok::<(), wavefront_sdk::InvalidInput>(())
/// ```
#[allow(clippy::too_many_arguments, reason = "one to one with the function it is named after")]
pub fn tracing_span_to_line_data(
    name: &str,
    start_millis: u64,
    duration_millis: u64,
    source: &str,
    trace_id: Uuid,
    span_id: Uuid,
    parents: &[Uuid],
    follows_from: &[Uuid],
    tags: impl Tags,
    span_logs: &[SpanLog<'_>],
    default_source: &str,
) -> Result<String, InvalidInput> {
    let span = Span::new(name, start_millis, duration_millis, trace_id, span_id);
    let span = span.source(source).parents(parents).follows_from(follows_from).logs(span_logs).tags(tags);
    to_string(&span, &Rules::new().default_source(default_source))
}

/// The logs of a span as a line of JSON, its LF included. `span` is the span's own line, if the logs should hold it.
///
/// # Errors
/// Where no line can say it: see [`SpanLogs`] and [`Limits`](super::Limits).
pub fn span_log_to_line_data(
    trace_id: Uuid,
    span_id: Uuid,
    span_logs: &[SpanLog<'_>],
    span: Option<&str>,
) -> Result<String, InvalidInput> {
    to_string(&SpanLogs { span, ..SpanLogs::new(trace_id, span_id, span_logs) }, &Rules::new())
}

/// An event as an `@Event` line for a proxy, its LF included. Times are in ms since 1970.
///
/// # Errors
/// Where no line can say it: see [`Event`] and [`Limits`](super::Limits).
pub fn event_to_line_data(
    name: &str,
    start_time: u64,
    end_time: Option<u64>,
    source: &str,
    tags: &[&str],
    annotations: impl Tags,
    default_source: &str,
) -> Result<String, InvalidInput> {
    let event = Event { end_millis: end_time, ..Event::new(name, start_time) }.source(source).tags(tags);
    to_string(&event.annotations(annotations), &Rules::new().default_source(default_source))
}

/// An event as the JSON object that the API of direct ingestion takes, without an LF. Times are in ms since 1970.
///
/// # Errors
/// Where the API would not take it: see [`Event`].
pub fn event_to_json(
    name: &str,
    start_time: u64,
    end_time: Option<u64>,
    source: &str,
    tags: &[&str],
    annotations: impl Tags,
    default_source: &str,
) -> Result<String, InvalidInput> {
    let event = Event { end_millis: end_time, ..Event::new(name, start_time) }.source(source).tags(tags);
    let rules = Rules::new().default_source(default_source).events(EventForm::Json);
    let mut json = to_string(&event.annotations(annotations), &rules)?;
    json.truncate(json.trim_end_matches('\n').len());
    Ok(json)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Granularity;

    #[test]
    fn each_writes_all_it_is_given_and_takes_the_default_source_for_a_blank_one() {
        let (trace, id, tags) = (Uuid::from_u128(1), Uuid::from_u128(2), [("k", "v")]);
        let ids = "traceId=00000000-0000-0000-0000-000000000001 spanId=00000000-0000-0000-0000-000000000002";
        for (given, written) in [("s", "s"), (" ", "d")] {
            let metric = metric_to_line_data("m", 1.5, Some(7), given, tags, "d").unwrap();
            assert_eq!(metric, std::format!("\"m\" 1.5 7 source=\"{written}\" \"k\"=\"v\"\n"));
            let histogram =
                histogram_to_line_data("h", &[(1.5, 2)], Granularity::Hour, Some(7), given, tags, "d").unwrap();
            assert_eq!(histogram, std::format!("!H 7 #2 1.5 \"h\" source=\"{written}\" \"k\"=\"v\"\n"));
            let span = tracing_span_to_line_data("o", 7, 9, given, trace, id, &[id], &[trace], tags, &[], "d").unwrap();
            let parents = std::format!("parent={id} followsFrom={trace}");
            assert_eq!(span, std::format!("\"o\" source=\"{written}\" {ids} {parents} \"k\"=\"v\" 7 9\n"));
            let event = event_to_line_data("e", 7, Some(9), given, &["t"], tags, "d").unwrap();
            assert_eq!(event, std::format!("@Event 7 9 \"e\" k=\"v\" host=\"{written}\" tag=\"t\"\n"));
            let json = event_to_json("e", 7, Some(9), given, &["t"], tags, "d").unwrap();
            let hosts = std::format!("\"hosts\":[\"{written}\"]");
            let times = "\"startTime\":7,\"endTime\":9";
            let expected =
                std::format!("{{\"name\":\"e\",\"annotations\":{{\"k\":\"v\"}},{hosts},{times},\"tags\":[\"t\"]}}");
            assert_eq!(json, expected);
        }
        let logs = [SpanLog::new(7, &tags)];
        let line = tracing_span_to_line_data("o", 7, 9, "s", trace, id, &[], &[], (), &logs, "d").unwrap();
        let lines = |span| span_log_to_line_data(trace, id, &logs, span).unwrap();
        let begin = std::format!("{{\"traceId\":\"{trace}\",\"spanId\":\"{id}\",\"logs\":[");
        assert!(lines(None).starts_with(&begin) && !lines(None).contains("\"span\""), "{}", lines(None));
        assert!(lines(Some(&line)).contains("\"span\":\"\\\"o\\\" source="), "{}", lines(Some(&line)));
    }
}
