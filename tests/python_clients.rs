//! Every example of the Python SDK's README, translated, through the real clients to a receiver that knows the format.

#![cfg(feature = "collector")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use wavefront_sdk::collector::{Collector, Port};
use wavefront_sdk::{
    Granularities, Granularity, Kind, Sender, Uuid, WavefrontDirectClient, WavefrontProxyClient,
    histogram_to_line_data, metric_to_line_data, tracing_span_to_line_data,
};

const LONG: Duration = Duration::from_secs(20);

fn uuid(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap()
}

/// A receiver, and the proxy client of its ports.
fn proxy() -> (Collector, Sender) {
    let collector = Collector::builder().listen("127.0.0.1:0").traces("127.0.0.1:0").keep(100).start().unwrap();
    let port = |port| collector.addr(port).unwrap().port();
    let wavefront_sender = WavefrontProxyClient {
        metrics_port: Some(port(Port::Metrics)),
        distribution_port: Some(port(Port::Metrics)),
        tracing_port: Some(port(Port::Traces)),
        internal_flush: Duration::from_secs(2),
        ..WavefrontProxyClient::new("127.0.0.1")
    }
    .build()
    .unwrap();
    (collector, wavefront_sender)
}

/// A receiver, and the direct client of it.
fn direct() -> (Collector, Sender) {
    let collector = Collector::builder().listen("127.0.0.1:0").require_token("TOKEN").keep(100).start().unwrap();
    let server = format!("http://{}", collector.addr(Port::Metrics).unwrap());
    let wavefront_sender = WavefrontDirectClient {
        max_queue_size: 50_000,
        batch_size: 10_000,
        flush_interval: Duration::from_secs(5),
        ..WavefrontDirectClient::new(server, "TOKEN")
    }
    .build()
    .unwrap();
    (collector, wavefront_sender)
}

/// Sends the single points, then the batches, gets the failure count, flushes and closes.
fn every_example(collector: &Collector, wavefront_sender: &Sender) {
    // Single metric or delta counter.
    let tags = [("datacenter", "dc1")];
    wavefront_sender.send_metric("new york.power.usage", 42422.0, Some(1_533_529_977), "localhost", tags).unwrap();
    wavefront_sender.send_delta_counter("delta.counter", 1.0, "localhost", tags).unwrap();

    // Single histogram distribution.
    let granularities = [Granularity::Day, Granularity::Hour, Granularity::Minute];
    let region = [("region", "us-west")];
    let centroids = [(30.0, 20), (5.1, 10)];
    wavefront_sender
        .send_distribution("request.latency", &centroids, granularities, Some(1_533_529_977), "appServer1", region)
        .unwrap();

    // Single span.
    let trace_id = uuid("7b3bf470-9456-11e8-9eb6-529269fb1459");
    let span_id = uuid("0313bafe-9457-11e8-9eb6-529269fb1459");
    let parents = [uuid("2f64e538-9457-11e8-9eb6-529269fb1459")];
    let span_tags = [("application", "Wavefront"), ("http.method", "GET")];
    wavefront_sender
        .send_span("getAllUsers", 1_533_529_977, 343_500, "localhost", trace_id, span_id, &parents, &[], span_tags, &[])
        .unwrap();
    wavefront_sender.flush_now().unwrap();

    // Batches.
    let one_metric_data =
        metric_to_line_data("new-york.power.usage", 42422.0, Some(1_493_773_500), "localhost", tags, "defaultSource")
            .unwrap();
    assert_eq!(
        one_metric_data,
        "\"new-york.power.usage\" 42422.0 1493773500 source=\"localhost\" \"datacenter\"=\"dc1\"\n"
    );
    assert_eq!(wavefront_sender.send_metric_now(&[&one_metric_data, &one_metric_data]), Ok(2));

    let one_histogram_data = histogram_to_line_data(
        "request.latency",
        &centroids,
        Granularities::ALL,
        Some(1_493_773_500),
        "appServer1",
        region,
        "defaultSource",
    )
    .unwrap();
    assert_eq!(
        one_histogram_data,
        "!D 1493773500 #20 30.0 #10 5.1 \"request.latency\" source=\"appServer1\" \"region\"=\"us-west\"\n\
         !H 1493773500 #20 30.0 #10 5.1 \"request.latency\" source=\"appServer1\" \"region\"=\"us-west\"\n\
         !M 1493773500 #20 30.0 #10 5.1 \"request.latency\" source=\"appServer1\" \"region\"=\"us-west\"\n"
    );
    assert_eq!(wavefront_sender.send_distribution_now(&[&one_histogram_data, &one_histogram_data]), Ok(6));

    let one_tracing_span_data = tracing_span_to_line_data(
        "getAllUsers",
        1_552_949_776_000,
        343,
        "localhost",
        trace_id,
        span_id,
        &parents,
        &[uuid("5f64e538-9457-11e8-9eb6-529269fb1459")],
        span_tags,
        &[],
        "defaultSource",
    )
    .unwrap();
    assert_eq!(
        one_tracing_span_data,
        "\"getAllUsers\" source=\"localhost\" traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 \
         spanId=0313bafe-9457-11e8-9eb6-529269fb1459 parent=2f64e538-9457-11e8-9eb6-529269fb1459 \
         followsFrom=5f64e538-9457-11e8-9eb6-529269fb1459 \"application\"=\"Wavefront\" \"http.method\"=\"GET\" \
         1552949776000 343\n"
    );
    assert_eq!(wavefront_sender.send_span_now(&[&one_tracing_span_data, &one_tracing_span_data]), Ok(2));

    // The failure count, and the end.
    let total_failures = wavefront_sender.failure_count();
    assert_eq!(total_failures, 0);
    wavefront_sender.flush_now().unwrap();
    let ledger = wavefront_sender.close(LONG);
    assert_eq!((ledger.total().delivered, ledger.is_balanced()), (16, true), "{ledger:?}");

    let summary = collector.wait_until(|summary| summary.accepted() == 16, LONG).unwrap();
    assert_eq!(summary.rejected(), 0);
    let accepted: Vec<_> = Kind::ALL.into_iter().map(|kind| summary.counts(kind).accepted).collect();
    assert_eq!(accepted, [3, 1, 9, 3, 0, 0, 0]);
    let mut lines: Vec<String> = collector.kept().iter().map(|kept| kept.line.clone()).collect();
    let mut single = vec![
        "\"new-york.power.usage\" 42422.0 1533529977 source=\"localhost\" \"datacenter\"=\"dc1\"".to_owned(),
        "\"∆delta.counter\" 1.0 source=\"localhost\" \"datacenter\"=\"dc1\"".to_owned(),
        "\"getAllUsers\" source=\"localhost\" traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 \
         spanId=0313bafe-9457-11e8-9eb6-529269fb1459 parent=2f64e538-9457-11e8-9eb6-529269fb1459 \
         \"application\"=\"Wavefront\" \"http.method\"=\"GET\" 1533529977 343500"
            .to_owned(),
    ];
    for granularity in ["!D", "!H", "!M"] {
        let rest = "1533529977 #20 30.0 #10 5.1 \"request.latency\" source=\"appServer1\" \"region\"=\"us-west\"";
        single.push(format!("{granularity} {rest}"));
    }
    let batches = [&one_metric_data, &one_histogram_data, &one_tracing_span_data].map(|data| [data.as_str(); 2]);
    single.extend(batches.iter().flatten().flat_map(|data| data.lines()).map(str::to_owned));
    lines.sort();
    single.sort();
    assert_eq!(lines, single);
}

#[test]
fn the_readme_through_a_proxy() {
    let (collector, wavefront_sender) = proxy();
    every_example(&collector, &wavefront_sender);
}

#[cfg(feature = "http")]
#[test]
fn the_readme_directly() {
    let (collector, wavefront_sender) = direct();
    every_example(&collector, &wavefront_sender);
}

#[cfg(feature = "http")]
#[test]
fn events_and_logs_through_both() {
    use wavefront_sdk::{Event, Span, SpanLog};
    for (collector, wavefront_sender) in [proxy(), direct()] {
        let logs = [SpanLog::new(1_552_949_776_000_123, &[("event", "error")])];
        let id = uuid("7b3bf470-9456-11e8-9eb6-529269fb1459");
        wavefront_sender.send(Span::new("op", 1_552_949_776_000, 343, id, id).logs(&logs)).unwrap();
        let event = Event::new("deploy", 1_590_650_592_000).end(1_590_650_692_000).tags(&["t"]);
        wavefront_sender.send(event.annotation("severity", "info")).unwrap();
        let line = "@Event 1590650592000 1590650692000 \"now\" severity=\"info\" host=\"h\" tag=\"t\"\n";
        assert_eq!(wavefront_sender.send_event_now(&[line]), Ok(1));
        let ledger = wavefront_sender.close(LONG);
        assert_eq!((ledger.total().delivered, ledger.failure_count()), (4, 0), "{ledger:?}");
        let summary = collector.stop();
        assert_eq!(
            (summary.counts(Kind::Event).accepted, summary.counts(Kind::SpanLogs).accepted),
            (2, 1),
            "{summary:?}"
        );
        assert_eq!(summary.rejected(), 0);
    }
}
