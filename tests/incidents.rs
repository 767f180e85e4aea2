//! What a sender tells its hook: everything that goes wrong, once, with the ledger's own numbers; never under a lock.

#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use wavefront_sdk::delivery::{Backoff, Ledger};
use wavefront_sdk::sender::{Blame, Fate, Incident, Reason, SenderBuilder, Trouble};
use wavefront_sdk::transport::{
    Accepted, Batch, Callback, Failure, Fault, Memory, Rates, Step, Transport, TransportError,
};
use wavefront_sdk::{DeltaCounter, Kind, Metric, Overflow, Sender};

const LONG: Duration = Duration::from_secs(20);
const QUICK: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(2));

/// A builder whose sender tells everything to the receiver that comes with it.
fn told(builder: SenderBuilder) -> (SenderBuilder, Receiver<Incident>) {
    let (teller, told) = mpsc::channel();
    let builder = builder.on_error(move |incident| {
        let _ = teller.send(incident.clone());
    });
    (builder.source("s").backoff(QUICK), told)
}

fn failing(steps: impl IntoIterator<Item = Step, IntoIter: Send + 'static>) -> SenderBuilder {
    SenderBuilder::over(Fault::new(Memory::new(), steps))
}

fn next(told: &Receiver<Incident>) -> Incident {
    told.recv_timeout(LONG).expect("an incident")
}

/// Lost and doubtful lines by incident and by ledger.
fn sums(incidents: &[Incident]) -> (usize, usize) {
    let sum = |wanted: fn(Fate) -> bool| {
        incidents.iter().filter(|incident| wanted(incident.fate)).map(|incident| incident.lines).sum()
    };
    (sum(|fate| matches!(fate, Fate::Dropped(_))), sum(|fate| fate == Fate::Doubtful))
}

fn losses(ledger: &Ledger) -> (usize, usize) {
    (ledger.total().dropped.total(), ledger.total().doubtful)
}

fn status(code: u16) -> Step {
    Step::Status { code, retry_after: None }
}

#[test]
fn each_failure_of_a_batch_is_told_with_the_fate_of_its_lines() {
    let connect = Trouble::Failed(Failure::Connect);
    let busy = Trouble::Failed(Failure::Status { code: 503, retry_after: None });
    let rejected = |code| Fate::Dropped(Reason::Rejected(code));
    for (step, trouble, fate, blame) in [
        (Step::Connect, connect, Fate::Kept, Blame::Network),
        (Step::Timeout { sent: false }, Trouble::Failed(Failure::Timeout), Fate::Kept, Blame::Network),
        (Step::Broken { sent: false }, Trouble::Failed(Failure::Broken), Fate::Kept, Blame::Network),
        (status(503), busy, Fate::Kept, Blame::Receiver),
        (status(400), Trouble::Rejected(400), rejected(400), Blame::Request),
        (status(413), Trouble::TooLarge, Fate::Dropped(Reason::TooLarge), Blame::Request),
        (Step::Unsupported, Trouble::Unsupported, rejected(0), Blame::Request),
    ] {
        let (builder, told) = told(failing([step]));
        let sender = builder.build().unwrap();
        sender.send(Metric::new("m", 1.0)).unwrap();
        let ledger = sender.close(LONG);
        let incident = next(&told);
        assert_eq!((incident.trouble, incident.fate, incident.blame()), (trouble, fate, blame), "{step:?}");
        assert_eq!((incident.kind, incident.lines), (Some(Kind::Metric), 1));
        assert_eq!(sums(&[incident]), losses(&ledger));
        assert_eq!(told.try_iter().next(), None, "once");
    }
}

#[test]
fn a_refused_token_is_told_as_such_and_keeps_the_lines() {
    for code in [401, 403] {
        let (builder, told) = told(failing(std::iter::repeat(status(code))));
        let sender = builder.build().unwrap();
        sender.send(Metric::new("m", 1.0)).unwrap();
        sender.flush(Duration::from_millis(1)).unwrap_err();
        let incident = next(&told);
        assert_eq!((incident.trouble, incident.fate), (Trouble::Auth(code), Fate::Kept));
        assert_eq!((incident.blame(), incident.status()), (Blame::Token, Some(code)));
        assert_eq!(sender.ledger().total().unsettled(), 1, "there is a next time, only later");
        drop(sender);
        // It may have been tried again before.
        let lost = told.iter().find(|incident| incident.fate != Fate::Kept).unwrap();
        assert_eq!((lost.trouble, lost.lines), (Trouble::Closed, 1), "the last handle says what is lost with it");
    }
}

/// A receiver whose answer repeats what was sent.
struct Echo;

#[derive(Debug)]
struct Echoed(String);

impl std::fmt::Display for Echoed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it answered 400")
    }
}

impl std::error::Error for Echoed {}

impl TransportError for Echoed {
    fn kind(&self) -> Failure {
        Failure::Status { code: 400, retry_after: None }
    }

    fn answer(&self) -> Option<&str> {
        Some(&self.0)
    }
}

impl Transport for Echo {
    type Error = Echoed;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Echoed> {
        Err(Echoed(String::from_utf8_lossy(batch.bytes).into_owned()))
    }
}

#[test]
fn the_answer_is_there_for_who_asks_and_for_nobody_else() {
    let (builder, told) = told(SenderBuilder::over(Echo));
    let sender = builder.build().unwrap();
    for _ in 0..50 {
        sender.send(Metric::new("private", 1.0)).unwrap();
    }
    sender.close(LONG);
    let incident = next(&told);
    let answer = incident.answer().unwrap();
    assert!(answer.starts_with("\"private\" 1.0 source=\"s\"\n") && answer.len() <= 200);
    let shown = format!("{incident} {incident:?}");
    assert!(!shown.contains("private"), "{shown}");
    assert_eq!(incident.to_string(), "50 metric lines lost: it answered 400");
}

#[test]
fn a_full_queue_is_told_in_sums_not_line_by_line() {
    let (builder, told) = told(failing(std::iter::repeat(Step::Connect)));
    let sender = builder.max_queue_size(10).build().unwrap();
    let refused = (0..20_010).filter(|_| sender.send(Metric::new("m", 1.0)).is_err()).count();
    assert_eq!(refused, 20_000);
    let first = told.iter().find(|incident| incident.trouble == Trouble::QueueFull).unwrap();
    assert_eq!((first.fate, first.blame()), (Fate::Dropped(Reason::QueueFull), Blame::Bounds));
    let ledger = sender.close(Duration::ZERO);
    let mut incidents = vec![first];
    incidents.extend(told.try_iter());
    assert_eq!((sums(&incidents), losses(&ledger)), ((20_010, 0), (20_010, 0)));
    let about = incidents.iter().filter(|incident| incident.trouble == Trouble::QueueFull).count();
    assert!(about < 100, "{about} incidents of 20000 lines");
}

#[test]
fn lines_in_doubt_are_told() {
    let broken = [Step::Pass, Step::Broken { sent: false }];
    let mut steps = broken.into_iter();
    let mut written = Callback::new(move |_: Batch<'_>| Accepted::Written);
    struct Stream<F>(F);
    impl<F: FnMut(Batch<'_>) -> Result<Accepted, Injected>> Transport for Stream<F> {
        type Error = Injected;
        fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Injected> {
            (self.0)(batch)
        }
    }
    #[derive(Debug)]
    struct Injected;
    impl std::fmt::Display for Injected {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("it broke")
        }
    }
    impl std::error::Error for Injected {}
    impl TransportError for Injected {
        fn kind(&self) -> Failure {
            Failure::Broken
        }
    }
    let stream = Stream(move |batch: Batch<'_>| match steps.next() {
        Some(Step::Broken { .. }) => Err(Injected),
        _ => Ok(Transport::send(&mut written, batch).unwrap_or(Accepted::Written)),
    });
    let (builder, told) = told(SenderBuilder::over(stream));
    let sender = builder.build().unwrap();
    sender.send(DeltaCounter::new("d", 1.0)).unwrap();
    sender.flush(LONG).unwrap();
    sender.send(DeltaCounter::new("d", 1.0)).unwrap();
    assert_eq!(sender.flush(LONG).unwrap_err().lost, 1, "the flush says it too");
    sender.flush(LONG).expect("once");
    let ledger = sender.close(LONG);
    let incidents: Vec<_> = told.try_iter().collect();
    assert_eq!(sums(&incidents), losses(&ledger));
    assert_eq!(losses(&ledger), (0, 1));
    let doubtful = incidents.iter().find(|incident| incident.fate == Fate::Doubtful).unwrap();
    assert_eq!((doubtful.trouble, doubtful.kind), (Trouble::ConnectionLost, Some(Kind::Delta)));
    assert_eq!(incidents[0].to_string(), "1 delta line kept to be sent again: it broke");
}

/// Whatever goes wrong: what the hook heard is what the ledger says.
#[test]
fn the_sums_are_the_ledgers() {
    for seed in 0..20 {
        let (builder, told) = told(failing(Rates::even(120).steps(seed)));
        let builder = builder.max_queue_size(200).batch_size(7);
        let sender = builder.overflow(if seed % 2 == 0 { Overflow::DropOldest } else { Overflow::DropNewest });
        let sender = sender.build().unwrap();
        for value in 0..2000 {
            let _ = sender.send(Metric::new("m", f64::from(value)));
            let _ = sender.send(DeltaCounter::new("d", 1.0));
        }
        let ledger = sender.close(Duration::from_millis(20));
        let incidents: Vec<_> = told.try_iter().collect();
        assert_eq!(sums(&incidents), losses(&ledger), "seed {seed}: {ledger:?}");
        assert!(ledger.total().dropped.total() > 0);
    }
}

/// Runs `work` on a thread of its own, and fails where it does not come to an end.
fn in_time<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result.recv_timeout(Duration::from_secs(60)).expect("it hangs, or has failed")
}

/// A sender whose hook is called with a handle of it, on the worker's thread, at the first of `steps` that fails.
fn with_handle(
    steps: impl IntoIterator<Item = Step, IntoIter: Send + 'static>,
    hook: impl Fn(&Sender) + Send + Sync + 'static,
) -> Sender {
    let own = Arc::new(OnceLock::<Sender>::new());
    let handle = own.clone();
    let builder = failing(steps).source("s").backoff(QUICK).on_error(move |_| {
        assert_eq!(thread::current().name(), Some("wavefront"));
        hook(handle.wait());
    });
    let sender = builder.build().unwrap();
    own.set(sender.clone()).unwrap();
    sender
}

#[test]
fn the_hook_may_ask_and_send() {
    in_time(|| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let hook_saw = seen.clone();
        let sender = with_handle([Step::Connect], move |sender| {
            sender.send(Metric::new("from.the.hook", 1.0)).unwrap();
            let flushed = sender.flush(LONG).map_err(|error| error.left);
            assert!(sender.last_error().is_some() && sender.last_failure() == Some(Failure::Connect));
            hook_saw.lock().unwrap().push((sender.ledger().total().queued, flushed, sender.failure_count()));
        });
        sender.send(Metric::new("m", 1.0)).unwrap();
        sender.flush(LONG).unwrap();
        assert_eq!(sender.close(LONG).total().delivered, 2);
        assert_eq!(*seen.lock().unwrap(), [(2, Err(2), 0)], "flush does not wait for its own thread");
    });
}

#[test]
fn the_hook_may_send_into_a_full_queue_that_blocks() {
    in_time(|| {
        let own = Arc::new(OnceLock::<Sender>::new());
        let handle = own.clone();
        let (done, refused) = mpsc::channel();
        let builder = failing([Step::Connect]).source("s").backoff(QUICK).max_queue_size(1);
        let builder = builder.overflow(Overflow::Block(10 * LONG)).on_error(move |incident| {
            if incident.fate == Fate::Kept {
                let _ = done.send(handle.wait().send(Metric::new("m", 2.0)).is_err());
            }
        });
        let sender = builder.build().unwrap();
        own.set(sender.clone()).unwrap();
        sender.send(Metric::new("m", 1.0)).unwrap();
        assert!(refused.recv_timeout(LONG).unwrap());
        assert_eq!(sender.close(LONG).total().delivered, 1);
    });
}

#[test]
fn the_hook_may_close() {
    in_time(|| {
        let (closed, seen) = mpsc::channel();
        let sender = with_handle([Step::Connect], move |sender| {
            let _ = closed.send(sender.close(LONG).total().delivered);
        });
        sender.send(Metric::new("m", 1.0)).unwrap();
        assert!(matches!(sender.flush(LONG), Ok(())));
        assert_eq!(seen.recv_timeout(LONG).unwrap(), 0, "begun, not waited for");
        let ledger = sender.close(LONG);
        assert_eq!((ledger.total().delivered, ledger.total().dropped.total()), (1, 0));
    });
}

/// A close that the hook has begun comes to its end though nobody waits for it, and takes what is left with it.
#[test]
fn a_close_begun_by_the_hook_keeps_its_time() {
    in_time(|| {
        let (heard, told) = mpsc::channel();
        let own = Arc::new(OnceLock::<Sender>::new());
        let handle = own.clone();
        let builder = failing(std::iter::repeat(Step::Connect)).source("s").backoff(QUICK);
        let builder = builder.on_error(move |incident| {
            handle.wait().close(Duration::from_millis(30));
            let _ = heard.send(incident.clone());
        });
        let sender = builder.build().unwrap();
        own.set(sender.clone()).unwrap();
        drop(own);
        sender.send(Metric::new("m", 1.0)).unwrap();
        let _ = sender.flush(Duration::from_millis(1));
        let lost = told.iter().find(|incident| incident.trouble == Trouble::Closed).unwrap();
        assert_eq!(lost.lines, 1);
        assert_eq!(sender.ledger().total().dropped.closed, 1);
        // The hook has been let go of: nobody is left who could tell anything.
        assert!(told.iter().next().is_none());
    });
}

#[test]
fn a_hook_that_panics_does_no_harm() {
    in_time(|| {
        let sender = with_handle([Step::Connect, Step::Connect], |_| panic!("on purpose"));
        sender.send(Metric::new("m", 1.0)).unwrap();
        sender.flush(LONG).unwrap();
        assert_eq!(sender.close(LONG).total().delivered, 1);
    });
}

#[test]
fn a_hook_that_takes_its_time_holds_up_no_producer() {
    let (builder, _told) = told(failing(std::iter::repeat(Step::Connect)));
    let builder = builder.on_error(|_| thread::sleep(Duration::from_secs(1)));
    let sender = builder.build().unwrap();
    sender.send(Metric::new("m", 1.0)).unwrap();
    let _ = sender.flush(Duration::from_millis(1));
    let began = Instant::now();
    (0..10_000).for_each(|value| sender.send(Metric::new("m", f64::from(value))).unwrap());
    assert!(began.elapsed() < LONG);
    sender.close(Duration::ZERO);
}

#[test]
fn the_hook_is_let_go_when_all_is_said() {
    let guard = Arc::new(());
    let held = guard.clone();
    let sender = SenderBuilder::over(Memory::new()).on_error(move |_| drop(held.clone())).build().unwrap();
    assert_eq!(Arc::strong_count(&guard), 2);
    sender.close(LONG);
    assert_eq!(Arc::strong_count(&guard), 1);
}

/// The whole way: what a real receiver answers reaches the hook.
#[cfg(all(feature = "http", feature = "collector"))]
#[test]
fn what_an_http_receiver_answers_reaches_the_hook() {
    use wavefront_sdk::collector::{Collector, Port};
    let collector = Collector::builder().listen("127.0.0.1:0").require_token("right").start().unwrap();
    let url = format!("http://{}", collector.addr(Port::Metrics).unwrap());
    let (builder, told) = told(Sender::builder(&url).token("s3cret-token"));
    let sender = builder.build().unwrap();
    sender.send(Metric::new("m", 1.0)).unwrap();
    let _ = sender.flush(Duration::from_millis(1));
    let incident = next(&told);
    assert_eq!((incident.trouble, incident.fate), (Trouble::Auth(401), Fate::Kept));
    assert!(incident.answer().is_some_and(|answer| !answer.is_empty()), "{incident:?}");
    assert!(incident.to_string().contains(&url) && !format!("{incident:?}").contains("s3cret"), "{incident}");
    sender.close(Duration::ZERO);
}
