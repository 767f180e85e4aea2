//! What a sender says of itself: decoded by the collector, and compared with the ledger.

#![cfg(all(feature = "collector", feature = "http"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use wavefront_sdk::collector::{Accepted as Line, Collector, Content, Port};
use wavefront_sdk::delivery::{Backoff, Ledger};
use wavefront_sdk::parse;
use wavefront_sdk::sender::SenderBuilder;
use wavefront_sdk::transport::{Accepted, Batch, Failure, Memory, Transport, TransportError};
use wavefront_sdk::vitals::{Family, OwnMetrics};
use wavefront_sdk::{
    ApplicationTags, DeltaCounter, Event, Granularity, Histogram, Kind, Metric, Sender, Span, SpanLog, Uuid,
};

const LONG: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_millis(50);

/// Points that the collector has read, by name: the sum of their values, the last of them, how many there were, and the
/// tags of the last.
#[derive(Debug, Default, Clone)]
struct Seen(BTreeMap<String, Series>);

#[derive(Debug, Default, Clone)]
struct Series {
    sum: f64,
    last: f64,
    count: usize,
    source: String,
    tags: Vec<(String, String)>,
}

impl Seen {
    fn note(&mut self, point: &parse::Point<'_>) {
        let series = self.0.entry(point.name.to_string()).or_default();
        series.sum += point.value;
        (series.last, series.count) = (point.value, series.count + 1);
        series.source = point.source.map(|source| source.to_string()).unwrap_or_default();
        series.tags = point.tags.into_iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    }

    fn text(text: &str) -> Self {
        let mut seen = Self::default();
        for line in text.lines() {
            seen.note(&parse::point(line, &wavefront_sdk::Limits::DEFAULT).unwrap());
        }
        seen
    }

    fn sum(&self, name: &str) -> usize {
        self.0.get(name).map_or(0, |series| series.sum as usize)
    }

    fn own(&self) -> impl Iterator<Item = (&str, &Series)> {
        self.0.iter().map(|(name, series)| (name.as_str(), series)).filter(|(name, _)| name.contains("~sdk.rust"))
    }
}

/// A collector, and what it has read.
fn collector(token: Option<&str>) -> (Collector, Arc<Mutex<Seen>>) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let noted = Arc::clone(&seen);
    let mut builder = Collector::builder().listen("127.0.0.1:0").traces("127.0.0.1:0");
    if let Some(token) = token {
        builder = builder.require_token(token);
    }
    let note = move |line: &Line<'_>| {
        if let Content::Line(parse::Line::Point(point)) = line.content {
            noted.lock().unwrap().note(point);
        }
    };
    (builder.on_line(note).start().unwrap(), seen)
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < LONG, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Some of every kind, and some that are invalid.
fn send_all_kinds(sender: &Sender) {
    let (trace, span) = (Uuid::from_u128(1), Uuid::from_u128(2));
    for number in 0..20 {
        sender.send(Metric::new("power", f64::from(number))).unwrap();
        sender.send(DeltaCounter::new("requests", 1.0)).unwrap();
        sender.send(Histogram::new("latency", &[(1.5, 2)]).granularities(Granularity::Minute)).unwrap();
        sender.send(Span::new("call", 1_493_773_500_000, 5, trace, span)).unwrap();
        sender.send(Event::new("release", 1_493_773_500_000)).unwrap();
    }
    let logs = [SpanLog::new(1_493_773_500_000_000, &[("event", "error")])];
    sender.send(Span::new("call", 1_493_773_500_000, 5, trace, span).logs(&logs)).unwrap();
    for _ in 0..3 {
        sender.send(Metric::new("", 1.0)).unwrap_err();
    }
    sender.send(Span::new("", 1, 1, trace, span)).unwrap_err();
}

/// What was said of a family, by everything that was reported, against the ledger.
fn assert_agrees(seen: &Seen, prefix: &str, ledger: &Ledger) {
    for family in Family::ALL {
        let row = ledger.total_of(family.kinds());
        let sum = |what: &str| seen.sum(&format!("∆~sdk.rust.core.sender.{prefix}.{}.{what}.count", family.as_str()));
        let said = (sum("valid"), sum("invalid"), sum("dropped"));
        assert_eq!(said, (row.accepted, row.invalid, row.dropped.total()), "{family:?}: {ledger:?} {seen:#?}");
    }
}

fn is_reported(seen: &Mutex<Seen>, name: &str) -> bool {
    seen.lock().unwrap().0.contains_key(name)
}

#[test]
fn over_http_they_agree_with_the_ledger() {
    for (token, prefix, auth) in [(None, "proxy", "NO_TOKEN"), (Some("t0ken"), "direct", "WAVEFRONT_API_TOKEN")] {
        let (collector, seen) = collector(token);
        let mut builder =
            Sender::builder(&format!("http://{}", collector.addr(Port::Metrics).unwrap())).source("host-1");
        if let Some(token) = token {
            builder = builder.token(token);
        }
        // A request a line.
        let builder = builder.own_metrics(SOON).batch_size(1).in_flight(1).max_queue_size(1000);
        let sender = builder.build().unwrap();
        send_all_kinds(&sender);
        let valid = format!("∆~sdk.rust.core.sender.{prefix}.points.valid.count");
        wait_until("the first report", || is_reported(&seen, &valid));
        send_all_kinds(&sender);
        sender.flush(LONG).unwrap();
        let ledger = sender.close(LONG);
        collector.stop();

        let seen = seen.lock().unwrap();
        assert_agrees(&seen, prefix, &ledger);
        assert_eq!(
            (ledger.row(Kind::Metric).accepted, ledger.row(Kind::Metric).delivered),
            (40, 40),
            "the user's alone"
        );
        for (name, series) in seen.own() {
            assert!(name.trim_start_matches('∆').starts_with(&format!("~sdk.rust.core.sender.{prefix}.")), "{name}");
            let tags = [("version", env!("CARGO_PKG_VERSION")), ("authType", auth)];
            assert_eq!(series.tags, tags.map(|(key, value)| (key.to_owned(), value.to_owned())));
            assert_eq!(series.source, "host-1");
        }
        let gauge = |what: &str| seen.0[&format!("~sdk.rust.core.sender.{prefix}.{what}")].last;
        assert_eq!((gauge("points.queue.size"), gauge("points.queue.remaining_capacity")), (0.0, 2000.0));
        assert_eq!((gauge("spans.queue.size"), gauge("spans.queue.remaining_capacity")), (0.0, 1000.0));
        // Every request was answered, and none failed.
        for family in Family::ALL {
            let report = |what: &str| {
                seen.sum(&format!("∆~sdk.rust.core.sender.{prefix}.{}.report.{what}.count", family.as_str()))
            };
            let requests = ledger.total_of(family.kinds()).delivered;
            assert_eq!((report("202") + report("200"), report("errors")), (requests, 0), "{family:?}");
        }
    }
}

#[test]
fn over_tcp_they_agree_with_the_ledger() {
    let (collector, seen) = collector(None);
    let port = |role| collector.addr(role).unwrap().port();
    let url = format!("tcp://127.0.0.1:{}?traces={}", port(Port::Metrics), port(Port::Traces));
    let sender = Sender::builder(&url).source("host-1").own_metrics(SOON).build().unwrap();
    send_all_kinds(&sender);
    sender.flush(LONG).unwrap();
    wait_until("the first report", || is_reported(&seen, "∆~sdk.rust.core.sender.proxy.points.valid.count"));
    send_all_kinds(&sender);
    let ledger = sender.close(LONG);
    collector.stop();
    let seen = seen.lock().unwrap();
    assert_agrees(&seen, "proxy", &ledger);
    assert!(ledger.is_balanced() && ledger.total().delivered == ledger.total().accepted, "{ledger:?}");
    assert!(seen.own().all(|(name, _)| !name.contains(".report.")), "nobody answers");
}

/// A receiver that does with the user's lines and with the sender's own what the test says.
#[derive(Clone, Default)]
struct Picky {
    memory: Memory,
    refuses_users: Arc<AtomicBool>,
    is_away: Arc<AtomicBool>,
    attempts: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Refused(Failure);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Refused {}

impl TransportError for Refused {
    fn kind(&self) -> Failure {
        self.0
    }
}

impl Transport for Picky {
    type Error = Refused;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Refused> {
        let own = batch.bytes.windows(9).any(|piece| piece == b"~sdk.rust");
        self.attempts.fetch_add(usize::from(own), Ordering::Relaxed);
        if self.is_away.load(Ordering::Relaxed) {
            return Err(Refused(Failure::Connect));
        }
        if !own && self.refuses_users.load(Ordering::Relaxed) {
            return Err(Refused(Failure::Status { code: 503, retry_after: None }));
        }
        self.memory.send(batch).map_err(|never| match never {})
    }
}

impl Picky {
    fn sender(&self, change: impl FnOnce(SenderBuilder) -> SenderBuilder) -> Sender {
        let quick = Backoff::new(Duration::from_millis(1), Duration::from_millis(20));
        change(SenderBuilder::over(self.clone()).source("s").own_metrics(SOON).backoff(quick)).build().unwrap()
    }

    fn seen(&self) -> Seen {
        Seen::text(&self.memory.text())
    }
}

const VALID: &str = "∆~sdk.rust.core.sender.proxy.points.valid.count";

#[test]
fn a_full_queue_neither_keeps_them_back_nor_gives_them_room() {
    let receiver = Picky::default();
    receiver.refuses_users.store(true, Ordering::Relaxed);
    let sender = receiver.sender(|builder| builder.max_queue_size(5));
    for number in 0..5 {
        sender.send(Metric::new("power", f64::from(number))).unwrap();
    }
    sender.send(Metric::new("power", 5.0)).unwrap_err();
    let dropped = "∆~sdk.rust.core.sender.proxy.points.dropped.count";
    wait_until("a report", || receiver.seen().sum(dropped) == 1);
    assert_eq!(receiver.seen().sum(VALID), 6);
    // Metrics come behind the delta counters, in a batch of their own. There is room left for delta counters.
    for gauge in ["size", "remaining_capacity"] {
        let name = format!("~sdk.rust.core.sender.proxy.points.queue.{gauge}");
        wait_until(gauge, || receiver.seen().0.get(&name).is_some_and(|series| series.last == 5.0));
    }
    let row = *sender.ledger().row(Kind::Metric);
    assert_eq!((row.accepted, row.queued + row.in_flight, row.dropped.queue_full), (6, 5, 1), "none for them");
    wait_until("what the receiver says", || {
        receiver.seen().sum("∆~sdk.rust.core.sender.proxy.points.report.503.count") > 0
    });
    receiver.refuses_users.store(false, Ordering::Relaxed);
    let row = *sender.close(LONG).row(Kind::Metric);
    assert_eq!((row.delivered, row.dropped.total()), (5, 1));
    assert_eq!(receiver.seen().0["power"].count, 5);
    let seen = receiver.seen();
    let errors = seen.sum("∆~sdk.rust.core.sender.proxy.points.report.errors.count");
    assert_eq!(errors, seen.sum("∆~sdk.rust.core.sender.proxy.points.report.503.count"));
}

#[test]
fn while_nobody_is_there_they_do_not_pile_up() {
    let receiver = Picky::default();
    receiver.is_away.store(true, Ordering::Relaxed);
    let sender = receiver.sender(|builder| builder);
    sender.send_delta_counter("requests", 1.0, "s", ()).unwrap();
    wait_until("attempts", || receiver.attempts.load(Ordering::Relaxed) >= 5);
    assert_eq!(sender.ledger().total().accepted, 1);
    // Without a word to the user: it is not his line.
    receiver.is_away.store(false, Ordering::Relaxed);
    wait_until("a report", || receiver.seen().sum(VALID) > 0);
    let ledger = sender.close(LONG);
    assert_eq!(receiver.seen().sum(VALID), 1, "said once, however often it was tried");
    assert_eq!((ledger.total().accepted, ledger.total().delivered), (1, 1));
}

#[test]
fn off_means_none() {
    let receiver = Picky::default();
    let sender = receiver.sender(|builder| builder.own_metrics(None));
    sender.send(Metric::new("power", 1.0)).unwrap();
    thread::sleep(SOON * 6);
    sender.close(LONG);
    assert_eq!(receiver.memory.lines(), 1);
    assert_eq!(OwnMetrics::INTERVAL, Duration::from_secs(60));

    // Over a transport of one's own they are off until they are asked for.
    let memory = Memory::new();
    SenderBuilder::over(memory.clone()).build().unwrap().close(LONG);
    assert_eq!(memory.lines(), 0);
}

#[test]
fn a_sender_that_ends_before_its_first_report_says_nothing() {
    let receiver = Picky::default();
    let sender = receiver.sender(|builder| builder.own_metrics(LONG));
    sender.send(Metric::new("power", 1.0)).unwrap();
    assert_eq!(sender.close(LONG).total().delivered, 1);
    assert_eq!(receiver.memory.lines(), 1);
}

#[test]
fn heartbeats_have_every_tag() {
    let ordering = ApplicationTags::new("ordering", "inventory").cluster("us-west-2").custom([("location", "Oregon")]);
    for scheme in ["http", "tcp"] {
        let (collector, seen) = collector(None);
        let url = format!("{scheme}://{}", collector.addr(Port::Metrics).unwrap());
        let builder = Sender::builder(&url).source("host-1").own_metrics(None);
        let builder = builder.heartbeat(&ordering, "wavefront-generated").heartbeat(&ordering, "rust");
        let sender = builder.heartbeat_interval(SOON).build().unwrap();
        let beats = || seen.lock().unwrap().0.get("~component.heartbeat").cloned().unwrap_or_default();
        wait_until("heartbeats", || beats().count >= 6);
        assert_eq!(sender.close(LONG).total().accepted, 0, "they take no room");
        let Series { sum, count, source, tags, .. } = beats();
        assert_eq!((sum, source.as_str()), (count as f64, "host-1"), "1 each");
        let expected = [
            ("application", "ordering"),
            ("cluster", "us-west-2"),
            ("service", "inventory"),
            ("shard", "none"),
            ("component", "rust"),
            ("location", "Oregon"),
        ];
        assert_eq!(tags, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}
