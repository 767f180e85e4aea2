//! The examples of the Python SDK's README, translated one by one, with the results it promises.
#![allow(clippy::unwrap_used)]

use wavefront_sdk::{
    DeltaCounter, Encode, Granularities, Granularity, Histogram, Metric, Rules, Span, Uuid, histogram_to_line_data,
    metric_to_line_data, tracing_span_to_line_data,
};

fn line(datum: impl Encode) -> String {
    let mut out = Vec::new();
    datum.encode(&Rules::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn id(text: &str) -> Uuid {
    text.parse().unwrap()
}

/// "Batch Metrics"
#[test]
fn one_metric_data() {
    let one_metric_data = metric_to_line_data(
        "new-york.power.usage",
        42422.0,
        Some(1493773500),
        "localhost",
        [("datacenter", "dc1")],
        "defaultSource",
    );
    assert_eq!(
        one_metric_data.unwrap(),
        "\"new-york.power.usage\" 42422.0 1493773500 source=\"localhost\" \"datacenter\"=\"dc1\"\n"
    );
}

/// "Batch Histograms"
#[test]
fn one_histogram_data() {
    let one_histogram_data = histogram_to_line_data(
        "request.latency",
        &[(30.0, 20), (5.1, 10)],
        [Granularity::Minute, Granularity::Hour, Granularity::Day],
        Some(1493773500),
        "appServer1",
        [("region", "us-west")],
        "defaultSource",
    );
    assert_eq!(
        one_histogram_data.unwrap(),
        "!D 1493773500 #20 30.0 #10 5.1 \"request.latency\" source=\"appServer1\" \"region\"=\"us-west\"\n\
         !H 1493773500 #20 30.0 #10 5.1 \"request.latency\" source=\"appServer1\" \"region\"=\"us-west\"\n\
         !M 1493773500 #20 30.0 #10 5.1 \"request.latency\" source=\"appServer1\" \"region\"=\"us-west\"\n"
    );
}

/// "Batch Trace Data"
#[test]
fn one_tracing_span_data() {
    let one_tracing_span_data = tracing_span_to_line_data(
        "getAllUsers",
        1552949776000,
        343,
        "localhost",
        id("7b3bf470-9456-11e8-9eb6-529269fb1459"),
        id("0313bafe-9457-11e8-9eb6-529269fb1459"),
        &[id("2f64e538-9457-11e8-9eb6-529269fb1459")],
        &[id("5f64e538-9457-11e8-9eb6-529269fb1459")],
        [("application", "Wavefront"), ("http.method", "GET")],
        &[],
        "defaultSource",
    );
    assert_eq!(
        one_tracing_span_data.unwrap(),
        "\"getAllUsers\" source=\"localhost\" traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 \
         spanId=0313bafe-9457-11e8-9eb6-529269fb1459 parent=2f64e538-9457-11e8-9eb6-529269fb1459 \
         followsFrom=5f64e538-9457-11e8-9eb6-529269fb1459 \"application\"=\"Wavefront\" \"http.method\"=\"GET\" \
         1552949776000 343\n"
    );
}

/// "Single Metric or Delta Counter": what `send_metric` and `send_delta_counter` put on the wire.
#[test]
fn single_metric_or_delta_counter() {
    let metric = Metric::new("new york.power.usage", 42422.0).timestamp(1533529977).source("localhost");
    assert_eq!(
        line(metric.tag("datacenter", "dc1")),
        "\"new-york.power.usage\" 42422.0 1533529977 source=\"localhost\" \"datacenter\"=\"dc1\"\n"
    );
    assert_eq!(
        line(DeltaCounter::new("delta.counter", 1.0).source("localhost").tag("datacenter", "dc1")),
        "\"∆delta.counter\" 1.0 source=\"localhost\" \"datacenter\"=\"dc1\"\n"
    );
}

/// "Single Histogram Distribution": what `send_distribution` puts on the wire.
#[test]
fn single_histogram_distribution() {
    let histogram = Histogram::new("request.latency", &[(30.0, 20), (5.1, 10)])
        .granularities(Granularities::ALL)
        .timestamp(1533529977)
        .source("appServer1")
        .tag("region", "us-west");
    let rest = "1533529977 #20 30.0 #10 5.1 \"request.latency\" source=\"appServer1\" \"region\"=\"us-west\"\n";
    assert_eq!(line(histogram), format!("!D {rest}!H {rest}!M {rest}"));
}

/// "Single Span": what `send_span` puts on the wire.
#[test]
fn single_span() {
    let trace_id = id("7b3bf470-9456-11e8-9eb6-529269fb1459");
    let span_id = id("0313bafe-9457-11e8-9eb6-529269fb1459");
    let span = Span::new("getAllUsers", 1533529977, 343500, trace_id, span_id)
        .source("localhost")
        .parents(&[id("2f64e538-9457-11e8-9eb6-529269fb1459")])
        .tags([("application", "Wavefront"), ("http.method", "GET")])
        .line();
    assert_eq!(
        span.unwrap(),
        "\"getAllUsers\" source=\"localhost\" traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 \
         spanId=0313bafe-9457-11e8-9eb6-529269fb1459 parent=2f64e538-9457-11e8-9eb6-529269fb1459 \
         \"application\"=\"Wavefront\" \"http.method\"=\"GET\" 1533529977 343500\n"
    );
}
