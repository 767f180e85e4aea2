//! The sender over transports in memory: exact totals, bounds, order, the `now` calls, flush and close that tell the truth.

#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use wavefront_sdk::delivery::Backoff;
use wavefront_sdk::sender::{BuildError, Cause, NowError, SendError, SenderBuilder};
use wavefront_sdk::transport::{Accepted, Batch, Failure, Memory, Transport, TransportError};
use wavefront_sdk::{
    DeltaCounter, Event, Field, Granularities, Histogram, Kind, Metric, Overflow, Problem, Sender, Span, SpanLog, Uuid,
    WavefrontDirectClient, WavefrontProxyClient,
};

const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(20);

/// A transport that asks a test what to do with each batch.
struct Asked {
    batches: mpsc::Sender<(Kind, String)>,
    answers: mpsc::Receiver<Result<Accepted, Failure>>,
}

#[derive(Debug)]
struct Wrong(Failure);

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Wrong {}

impl TransportError for Wrong {
    fn kind(&self) -> Failure {
        self.0
    }
}

impl Transport for Asked {
    type Error = Wrong;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Wrong> {
        let text = String::from_utf8(batch.bytes.to_vec()).unwrap();
        assert_eq!(text.lines().count(), batch.lines as usize);
        let _ = self.batches.send((batch.kind, text));
        self.answers.recv().unwrap_or(Err(Failure::Connect)).map_err(Wrong)
    }
}

struct Tester {
    batches: mpsc::Receiver<(Kind, String)>,
    answers: mpsc::Sender<Result<Accepted, Failure>>,
}

fn asked() -> (SenderBuilder, Tester) {
    let (batches, seen) = mpsc::channel();
    let (answers, to_give) = mpsc::channel();
    let builder = SenderBuilder::over(Asked { batches, answers: to_give }).source("s");
    let quick = Backoff::new(Duration::from_millis(1), Duration::from_millis(5));
    (builder.backoff(quick), Tester { batches: seen, answers })
}

impl Tester {
    fn batch(&self) -> (Kind, String) {
        self.batches.recv_timeout(LONG).expect("a batch")
    }

    fn answer(&self, answer: Result<Accepted, Failure>) {
        self.answers.send(answer).unwrap();
    }
}

const REFUSED: Failure = Failure::Status { code: 400, retry_after: None };
const BUSY: Failure = Failure::Status { code: 503, retry_after: None };

#[test]
fn a_hundred_threads_share_one_sender() {
    let memory = Memory::new();
    let sender = SenderBuilder::over(memory.clone()).source("s").overflow(Overflow::Block(LONG)).build().unwrap();
    thread::scope(|scope| {
        for number in 0..100 {
            let sender = sender.clone();
            scope.spawn(move || {
                let name = format!("thread.{number}");
                for value in 0..10_000 {
                    sender.send(Metric::new(&name, f64::from(value))).unwrap();
                }
            });
        }
        // The ledger balances at every instant, also while lines move.
        for _ in 0..50 {
            assert!(sender.ledger().is_balanced());
            thread::sleep(Duration::from_millis(2));
        }
    });
    let ledger = sender.close(LONG);
    assert_eq!(ledger.row(Kind::Metric).delivered, 1_000_000, "{ledger:?}");
    assert_eq!((ledger.failure_count(), ledger.is_balanced()), (0, true));
    assert_eq!(memory.lines(), 1_000_000);

    let mut next: HashMap<String, u32> = HashMap::new();
    for batch in memory.batches() {
        for line in std::str::from_utf8(&batch.bytes).unwrap().lines() {
            let (name, value) = line.strip_suffix(" source=\"s\"").unwrap().split_once(' ').unwrap();
            let next = next.entry(name.to_owned()).or_default();
            assert_eq!(value.parse(), Ok(f64::from(*next)), "lines of one thread keep their order");
            *next += 1;
        }
    }
    assert!(next.len() == 100 && next.values().all(|&count| count == 10_000));
}

#[test]
fn the_queue_is_bounded_to_the_line() {
    let (builder, tester) = asked();
    let sender = builder.max_queue_size(10).build().unwrap();
    let sent: Vec<_> = (0..15).map(|value| sender.send(Metric::new("m", f64::from(value)))).collect();
    assert_eq!(sent.iter().filter(|sent| sent.is_ok()).count(), 10);
    assert!(sent[10..].iter().all(|sent| *sent == Err(SendError::QueueFull(Kind::Metric))));
    // Every kind has a bound of its own.
    sender.send(DeltaCounter::new("d", 1.0)).unwrap();
    let row = *sender.ledger().row(Kind::Metric);
    assert_eq!((row.accepted, row.dropped.queue_full, row.queued + row.in_flight), (15, 5, 10));
    assert_eq!(sender.failure_count(), 5);
    tester.answer(Ok(Accepted::Delivered));
    tester.answer(Ok(Accepted::Delivered));
    let ledger = sender.close(LONG);
    assert_eq!((ledger.total().delivered, ledger.is_balanced()), (11, true));
}

#[test]
fn other_threads_find_the_room_that_one_was_promised() {
    let (builder, tester) = asked();
    let sender = builder.max_queue_size(64).build().unwrap();
    let accepted: usize = (0..8)
        .map(|_| {
            let sender = sender.clone();
            let sends = move || (0..16).filter(|_| sender.send(Metric::new("m", 1.0)).is_ok()).count();
            thread::spawn(sends).join().unwrap()
        })
        .sum();
    assert_eq!(accepted, 64);
    drop(tester);
    assert_eq!(sender.close(Duration::ZERO).row(Kind::Metric).dropped.queue_full, 64);
}

#[test]
fn drop_oldest_keeps_the_newest() {
    let (builder, tester) = asked();
    let sender = builder.max_queue_size(10).overflow(Overflow::DropOldest).build().unwrap();
    sender.send(Metric::new("first", 0.0)).unwrap();
    let flushed = thread::spawn({
        let sender = sender.clone();
        move || sender.flush(LONG)
    });
    assert!(tester.batch().1.contains("first"));
    // One is on its way and cannot be dropped; nine fit beside it.
    for value in 0..100 {
        sender.send(Metric::new("m", f64::from(value))).unwrap();
    }
    tester.answer(Ok(Accepted::Delivered));
    assert_eq!(flushed.join().unwrap().unwrap_err().lost, 91, "a flush says what was dropped of what was taken");
    (0..20).for_each(|_| tester.answer(Ok(Accepted::Delivered)));
    let ledger = sender.close(LONG);
    let values: Vec<f64> = tester
        .batches
        .try_iter()
        .flat_map(|(_, text)| {
            text.lines().map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect::<Vec<_>>()
        })
        .collect();
    assert!(values.len() >= 9 && values.ends_with(&[97.0, 98.0, 99.0]), "{values:?}");
    let row = ledger.row(Kind::Metric);
    assert_eq!((row.accepted, row.delivered + row.dropped.queue_full), (101, 101));
    assert_eq!(row.delivered, values.len() + 1);
}

#[test]
fn the_logs_of_a_span_are_lost_with_it() {
    let (builder, _tester) = asked();
    let sender = builder.max_queue_size(2).build().unwrap();
    let logs = [SpanLog::new(1_600_000_000_000_000, &[("event", "began")])];
    let (trace, id) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let tags = [("application", "a"), ("service", "b")];
    let span = Span::new("s", 1_600_000_000_000, 5, trace, id).tags(&tags).logs(&logs);
    let sent: Vec<_> = (0..5).map(|_| sender.send(span)).collect();
    assert_eq!(sent.iter().filter(|sent| **sent == Err(SendError::QueueFull(Kind::Span))).count(), 3);
    let ledger = sender.ledger();
    for kind in [Kind::Span, Kind::SpanLogs] {
        let row = ledger.row(kind);
        assert_eq!((row.accepted, row.dropped.queue_full), (5, 3), "{kind}");
    }
}

#[test]
fn blocking_waits_for_room_and_for_no_longer_than_it_says() {
    let (builder, tester) = asked();
    let sender = builder.max_queue_size(2).overflow(Overflow::Block(Duration::from_millis(50))).build().unwrap();
    sender.send(Metric::new("m", 1.0)).unwrap();
    sender.send(Metric::new("m", 2.0)).unwrap();
    let began = Instant::now();
    assert_eq!(sender.send(Metric::new("m", 3.0)), Err(SendError::QueueFull(Kind::Metric)));
    assert!(began.elapsed() >= Duration::from_millis(50));
    tester.batch();
    tester.answer(Ok(Accepted::Delivered));
    sender.send(Metric::new("m", 4.0)).unwrap();
    tester.answer(Ok(Accepted::Delivered));
    let ledger = sender.close(LONG);
    assert_eq!((ledger.total().delivered, ledger.failure_count()), (3, 1));
}

#[test]
fn a_flush_is_done_when_what_came_before_it_is() {
    let (builder, tester) = asked();
    let sender = builder.build().unwrap();
    sender.send(Metric::new("before", 1.0)).unwrap();
    let error = sender.flush(Duration::from_millis(30)).unwrap_err();
    assert_eq!(error.left, 1);
    assert!(tester.batch().1.contains("before"));
    let flushed = thread::spawn({
        let sender = sender.clone();
        move || sender.flush(LONG)
    });
    thread::sleep(Duration::from_millis(20));
    sender.send(Metric::new("after", 1.0)).unwrap();
    tester.answer(Err(BUSY));
    assert!(tester.batch().1.contains("before"), "a retry comes first");
    tester.answer(Ok(Accepted::Delivered));
    flushed.join().unwrap().unwrap();
    let row = *sender.ledger().row(Kind::Metric);
    assert_eq!((row.delivered, row.queued, row.resent), (1, 1, 1), "the later line still waits");
    drop(tester);
    let ledger = sender.close(Duration::from_millis(20));
    assert_eq!((ledger.total().dropped.closed, ledger.is_balanced()), (1, true));
    assert_eq!(sender.send(Metric::new("late", 1.0)), Err(SendError::Closed));
    assert_eq!(sender.close(LONG), ledger, "a second close does nothing");
}

#[test]
fn small_batches_do_not_make_the_queue_smaller() {
    let (builder, tester) = asked();
    let sender = builder.batch_size(1).build().unwrap();
    (0..20_000).for_each(|_| sender.send(Metric::new("m", 1.0)).unwrap());
    let row = *sender.ledger().row(Kind::Metric);
    assert_eq!((row.accepted, row.queued + row.in_flight, row.dropped.total()), (20_000, 20_000, 0));
    drop(tester);
    assert_eq!(sender.close(Duration::ZERO).total().dropped.closed, 20_000);
}

/// Who was not woken would look by itself at the next flush only, which is hours away.
#[test]
fn a_full_batch_leaves_at_once() {
    for (lines, answer) in [(1, Accepted::Delivered), (3, Accepted::Delivered), (3, Accepted::Written)] {
        let (builder, tester) = asked();
        // What was written is forgotten so soon that the carrier rests for long in between.
        let builder = builder.replay_window(1 << 20, Duration::from_millis(5)).own_metrics(None);
        let sender = builder.batch_size(lines).flush_interval(1000 * LONG).build().unwrap();
        for round in 0..100 {
            thread::sleep(Duration::from_millis(round % 2 * 30));
            (0..lines).for_each(|_| sender.send(Metric::new("m", 1.0)).unwrap());
            assert_eq!(tester.batch().1.lines().count(), lines);
            tester.answer(Ok(answer));
        }
        assert_eq!(sender.close(LONG).total().delivered, 100 * lines);
    }
}

#[test]
fn now_goes_ahead_and_tells_the_outcome() {
    let (builder, tester) = asked();
    let sender = builder.build().unwrap();
    sender.send(Metric::new("waits", 1.0)).unwrap();
    let now = |lines: &[&str], answers: &[Result<Accepted, Failure>]| {
        answers.iter().for_each(|answer| tester.answer(*answer));
        sender.send_metric_now(lines)
    };
    let (a, b) = ("\"a\" 1.0 source=\"s\"\n", "\"b\" 2.0 source=\"s\"\n\"c\" 3.0 source=\"s\"");
    assert_eq!(now(&[a, b], &[Ok(Accepted::Delivered)]), Ok(3));
    assert_eq!(tester.batch().1.lines().count(), 3);
    assert_eq!(sender.ledger().row(Kind::Metric).queued, 1, "the queued line did not go along");

    let failed =
        |delivered, kept, dropped, status| NowError::Failed { delivered, kept, dropped, cause: Cause::Status(status) };
    assert_eq!(now(&[a, b], &[Err(REFUSED)]), Err(failed(0, 0, 3, 400)));
    assert_eq!(now(&[a], &[Err(BUSY), Ok(Accepted::Delivered)]), Err(failed(0, 1, 0, 503)), "kept, and sent again");
    // Too large: halved until it fits.
    let large = Failure::Status { code: 413, retry_after: None };
    tester.answer(Ok(Accepted::Delivered));
    sender.flush(LONG).unwrap();
    let answers = [Err(large), Ok(Accepted::Delivered), Ok(Accepted::Delivered), Ok(Accepted::Delivered)];
    assert_eq!(now(&[a, b], &answers), Ok(3));
    let row = *sender.ledger().row(Kind::Metric);
    assert!(row.is_balanced() && row.dropped.rejected == 3, "{row:?}");

    // Wrong lines are found before anything is sent.
    let count = sender.ledger().total().accepted;
    assert!(matches!(sender.send_metric_now(&[a, "\"x\" nan source=\"s\"\n"]), Err(NowError::Line { line: 2, .. })));
    assert!(matches!(sender.send_span_now(&[a]), Err(NowError::Line { line: 1, .. })));
    assert_eq!(sender.send_metric_now::<&str>(&[]), Ok(0));
    assert_eq!(sender.ledger().total().accepted, count);
    (0..9).for_each(|_| tester.answer(Ok(Accepted::Delivered)));
    assert!(sender.close(LONG).is_balanced());
}

#[test]
fn a_transport_that_panics_loses_nothing() {
    struct Panics(u32, Memory);
    impl Transport for Panics {
        type Error = Wrong;
        fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Wrong> {
            self.0 += 1;
            assert!(self.0 > 2, "on purpose, twice");
            self.1.send(batch).map_err(|never| match never {})
        }
    }
    let memory = Memory::new();
    let quick = Backoff::new(Duration::from_millis(1), Duration::from_millis(1));
    let sender = SenderBuilder::over(Panics(0, memory.clone())).backoff(quick).build().unwrap();
    sender.send(Metric::new("m", 1.0)).unwrap();
    sender.flush(LONG).unwrap();
    assert_eq!((memory.lines(), sender.close(LONG).total().delivered), (1, 1));
}

#[test]
fn every_kind_is_counted_in_its_own_row() {
    let memory = Memory::new();
    let sender = SenderBuilder::over(memory.clone()).source("s").build().unwrap();
    let id = Uuid::from_u128(7);
    let logs = [SpanLog::new(1_552_949_776_000_123, &[("event", "error")])];
    sender.send(Metric::new("m", 1.0)).unwrap();
    sender.send(Metric::new("∆m", 1.0)).unwrap();
    sender.send(DeltaCounter::new("d", 0.0)).unwrap();
    sender.send(Histogram::new("h", &[(1.0, 2)]).granularities(Granularities::ALL)).unwrap();
    sender.send(Span::new("op", 1_552_949_776_000, 343, id, id).logs(&logs)).unwrap();
    sender.send(Event::new("e", 1_590_650_592_000)).unwrap();
    let invalid = sender.send(Metric::new(" ", 1.0)).unwrap_err();
    assert!(
        matches!(invalid, SendError::Invalid(error) if (error.field, error.problem) == (Field::MetricName, Problem::Blank))
    );
    let ledger = sender.close(LONG);
    let delivered: Vec<_> = ledger.rows().map(|(_, row)| row.delivered).collect();
    assert_eq!(delivered, [1, 1, 3, 1, 1, 1, 0]);
    assert_eq!((ledger.row(Kind::Metric).invalid, ledger.row(Kind::Delta).skipped), (1, 1));
    assert_eq!(memory.lines_of(Kind::Histogram), 3);
}

#[test]
fn the_proxy_client_needs_a_port_and_names_the_one_that_is_missing() {
    let client = WavefrontProxyClient::new("localhost");
    assert!(matches!(client.clone().build(), Err(BuildError::Endpoint(_))));
    let sender = WavefrontProxyClient { tracing_port: Some(1), ..client }.build().unwrap();
    let refused = sender.send_metric("m", 1.0, None, "s", ()).unwrap_err();
    assert_eq!(refused, SendError::NoPort { kind: Kind::Metric, port: "metrics_port" });
    assert!(refused.to_string().contains("metrics_port"));
    let refused = sender.send_distribution("h", &[(1.0, 1)], Granularities::ALL, None, "s", ()).unwrap_err();
    assert_eq!(refused, SendError::NoPort { kind: Kind::Histogram, port: "distribution_port" });
    assert_eq!(sender.ledger().total().accepted, 0);
}

#[test]
fn tokens_show_nowhere() {
    let client = WavefrontDirectClient::new("http://127.0.0.1:1", "s3cret-token");
    let mut shown = format!("{client:?}");
    let sender = client.build().unwrap();
    sender.send(Metric::new("m", 1.0)).unwrap();
    shown += &format!("{sender:?} {:?} {:?}", sender.flush(Duration::from_millis(200)), sender.last_error());
    shown += &format!("{:?}", Sender::builder("https://s3cret-token@h").max_queue_size(0));
    assert!(!shown.contains("s3cret"), "{shown}");
    sender.close(Duration::ZERO);
}

#[test]
fn dropping_the_last_handle_drains() {
    let memory = Memory::new();
    let sender = SenderBuilder::over(memory.clone()).source("s").build().unwrap();
    let clone = sender.clone();
    drop(sender);
    clone.send(Metric::new("m", 1.0)).unwrap();
    drop(clone);
    assert_eq!(memory.lines(), 1);
    // A dead endpoint does not hold a program for longer than a second or so.
    let (builder, tester) = asked();
    let sender = builder.build().unwrap();
    sender.send(Metric::new("m", 1.0)).unwrap();
    drop(tester);
    let began = Instant::now();
    drop(sender);
    assert!(began.elapsed() < 10 * SECOND);
}

/// Neither building, sending, flushing, closing nor dropping waits for the runtime it is called from.
#[cfg(all(feature = "http", feature = "collector"))]
#[test]
fn it_works_inside_a_runtime_of_one_thread() {
    use wavefront_sdk::collector::{Collector, Port};
    let collector = Collector::builder().listen("127.0.0.1:0").start().unwrap();
    let address = collector.addr(Port::Metrics).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for scheme in ["http", "tcp"] {
            let sender = Sender::builder(&format!("{scheme}://{address}")).source("s").build().unwrap();
            sender.send(Metric::new("m", 1.0)).unwrap();
            sender.flush(LONG).unwrap();
            assert_eq!(sender.send_metric_now(&["\"now\" 1.0 source=\"s\""]), Ok(1));
            sender.send(Metric::new("m", 2.0)).unwrap();
            assert_eq!(sender.close(LONG).total().delivered, 3);
            let dropped = Sender::builder(&format!("{scheme}://{address}")).source("s").build().unwrap();
            dropped.send(Metric::new("m", 3.0)).unwrap();
        }
    });
    assert_eq!(collector.stop().accepted(), 8);
}

/// A line that a producer's segment still holds when `close` begins is not left behind by a worker that finds nothing
/// to do.
#[test]
fn close_takes_along_what_was_sent_last() {
    for _ in 0..3000 {
        let memory = Memory::new();
        let sender = SenderBuilder::over(memory.clone()).source("s").build().unwrap();
        let busy = thread::spawn({
            let sender = sender.clone();
            // Wakes the worker again and again.
            move || while sender.send_metric_now(&["\"busy\" 1.0 source=\"s\""]).is_ok() {}
        });
        (0..20).for_each(|value| sender.send(Metric::new("m", f64::from(value))).unwrap());
        let ledger = sender.close(LONG);
        busy.join().unwrap();
        assert_eq!((ledger.total().dropped.closed, ledger.is_balanced()), (0, true), "{ledger:?}");
        assert!(memory.text().contains("\"m\" 19.0"));
    }
}
