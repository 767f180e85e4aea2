//! Models of the protocol between handles, workers and the store's thread: each is run in every order in which its
//! threads can take their steps, with at most two of them interrupted at will (`LOOM_MAX_PREEMPTIONS` asks for more).
//!
//! No wait times out here, so a wake-up that is missed is a deadlock, and found.

use core::future::Future;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::boxed::Box;
use std::string::String;
use std::sync::Arc;
use std::task::Wake;
use std::vec::Vec;

use super::Sender;
use super::driver::{Route, Shared, deadline};
use super::error::SendError;
use super::handle::{Overflow, Settings};
use super::hub::{Carry, Failed, Segment};
use super::keeper::Shelf;
use super::sync::{Condvar, Mutex};
use crate::delivery::{Config, Job, Keep, Mode, Reply, Row};
use crate::store::{Footprint, MemoryStore, StoreFailure};
use crate::transport::{Accepted, Batch, Failure};
use crate::{EventForm, Kind, KindSet, Limits};

const METRIC: Kind = Kind::Metric;
const LONG: Duration = Duration::from_secs(10);
/// In words of memory, as in [`super::sync`].
const STACK: usize = 64 << 10;

/// Runs `body` in every order of its threads' steps, of which there must be some.
fn model(body: impl Fn() + Send + Sync + 'static) {
    let orders = Arc::new(AtomicUsize::new(0));
    let (counted, body) = (Arc::clone(&orders), Arc::new(body));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.max_branches = 50_000;
    builder.expect_explicit_explore = true;
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let body = Arc::clone(&body);
        // The first thread has too small a stack.
        thread(move || body());
    });
    let orders = orders.load(Ordering::Relaxed);
    std::println!("{orders} orders");
    assert!(orders > 10);
}

fn thread<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> loom::thread::JoinHandle<R> {
    loom::thread::Builder::new().stack_size(STACK).spawn(work).unwrap()
}

/// What a receiver does with a batch. What it has got is no part of the protocol, and so behind a lock of the system's.
#[derive(Clone, Copy)]
enum Answer {
    Delivers,
    Writes,
    /// It cannot be reached.
    Refuses,
}

struct Receiver {
    answer: Answer,
    got: Arc<std::sync::Mutex<Vec<u8>>>,
}

impl Carry for Receiver {
    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Failed> {
        match self.answer {
            Answer::Refuses => {
                let text = "refused".into();
                return Err(Failed { failure: Failure::Connect, lines_done: 0, text, answer: None });
            }
            _ => self.got.lock().unwrap().extend_from_slice(batch.bytes),
        }
        Ok(if matches!(self.answer, Answer::Writes) { Accepted::Written } else { Accepted::Delivered })
    }

    fn connect(&mut self, _: Duration) -> Result<(), Failed> {
        Ok(())
    }

    fn probe(&mut self) -> Result<(), Failed> {
        Ok(())
    }

    fn unacknowledged(&mut self) -> Option<u64> {
        None
    }

    fn status(&mut self) -> Option<u16> {
        None
    }

    fn finish(&mut self, _: Duration) -> Result<(), Failed> {
        Ok(())
    }
}

/// A store that counts its jobs.
struct Counted {
    store: MemoryStore,
    jobs: Arc<AtomicUsize>,
}

impl Shelf for Counted {
    fn run(&mut self, job: &mut Job<Segment>) -> Result<Reply, (StoreFailure, String)> {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        Shelf::run(&mut self.store, job)
    }

    fn footprint(&self) -> Footprint {
        Shelf::footprint(&self.store)
    }

    fn set_aside(&self) -> usize {
        Shelf::set_aside(&self.store)
    }
}

/// A sender, and what its receiver has got.
struct Stand {
    sender: Sender,
    got: Arc<std::sync::Mutex<Vec<u8>>>,
    store: MemoryStore,
}

impl Stand {
    fn new(answer: Answer, mode: Option<Mode>, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { queue_lines: 64, queue_bytes: 64, segment_bytes: 64, ..Config::DEFAULT };
        change(&mut config);
        let got = Arc::default();
        let carrier = Box::new(Receiver { answer, got: Arc::clone(&got) });
        let routes = Vec::from([Route { kinds: KindSet::ALL, carriers: Vec::from([carrier as Box<dyn Carry>]) }]);
        let store = MemoryStore::new();
        let jobs = Arc::new(AtomicUsize::new(0));
        let shelf = Counted { store: store.clone(), jobs: Arc::clone(&jobs) };
        let keep = mode.map(|mode| (Box::new(shelf) as Box<_>, Keep::new(mode)));
        let shared = Shared::start(config, routes, keep, None, None).unwrap();
        // How it is found out that the store is empty is the same each time, and long: that is done in one order only.
        while mode.is_some() && jobs.load(Ordering::Relaxed) < Kind::COUNT {
            loom::thread::yield_now();
        }
        loom::explore();
        let settings = Settings {
            default_source: None,
            limits: Limits::default(),
            events: EventForm::default(),
            kinds: KindSet::ALL,
            overflow: Overflow::DropNewest,
            endpoint: None,
            tags: Default::default(),
        };
        Self { sender: Sender::new(shared, settings), got, store }
    }

    fn row(&self) -> Row {
        let ledger = self.sender.ledger();
        assert!(ledger.is_balanced());
        *ledger.row(METRIC)
    }

    fn got(&self) -> Vec<u8> {
        self.got.lock().unwrap().clone()
    }
}

fn push(sender: &Sender, line: &[u8]) -> Result<(), SendError> {
    sender.push(METRIC, line, 1)
}

#[test]
fn a_flush_is_done_when_the_lines_before_it_are_delivered() {
    model(|| {
        let stand = Stand::new(Answer::Delivers, None, |_| {});
        let sent = Arc::new(AtomicBool::new(false));
        let (other, done) = (stand.sender.clone(), Arc::clone(&sent));
        let producer = thread(move || {
            push(&other, b"1\n").unwrap();
            done.store(true, Ordering::Relaxed);
        });
        push(&stand.sender, b"2\n").unwrap();
        let both = sent.load(Ordering::Relaxed);
        stand.sender.flush(LONG).unwrap();
        assert!(stand.got().contains(&b'2') && (!both || stand.got().contains(&b'1')));
        producer.join().unwrap();
        stand.sender.flush(LONG).unwrap();
        assert_eq!(stand.got().len(), 4);
        assert_eq!((stand.row().accepted, stand.row().delivered), (2, 2));
    });
}

#[test]
fn two_flushes_at_once_are_both_done() {
    model(|| {
        let stand = Stand::new(Answer::Writes, None, |_| {});
        push(&stand.sender, b"1\n").unwrap();
        let other = stand.sender.clone();
        let flusher = thread(move || other.flush(LONG).unwrap());
        stand.sender.flush(LONG).unwrap();
        assert_eq!(stand.row().written, 1);
        flusher.join().unwrap();
        assert_eq!(stand.sender.close(LONG).row(METRIC).delivered, 1);
    });
}

/// A close while another thread sends: what was accepted is settled, and afterwards nothing is accepted.
fn close_while_sending(timeout: Duration, answer: Answer, mode: Option<Mode>) {
    model(move || {
        let stand = Stand::new(answer, mode, |_| {});
        // A producer has a segment of its own.
        push(&stand.sender, b"1\n").unwrap();
        let other = stand.sender.clone();
        let producer = thread(move || push(&other, b"2\n"));
        stand.sender.close(timeout);
        let sent = match producer.join().unwrap() {
            Ok(()) => 1,
            Err(SendError::Closed) => 0,
            Err(other) => panic!("{other}"),
        };
        let row = stand.row();
        assert_eq!((row.accepted, row.unsettled()), (1 + sent, 0), "{row:?}");
        let got = stand.got().len() / 2;
        assert!(got >= row.delivered, "{row:?}");
        if timeout > Duration::ZERO {
            assert_eq!((row.delivered, got), (row.accepted, row.accepted), "{row:?}");
        } else if mode.is_some() {
            assert_eq!(row.dropped.total(), 0, "{row:?}");
        }
        assert_eq!(stand.store.records().len() > 0, row.stored > 0);
        assert!(!stand.sender.shared().lock().is_closing());
        assert!(matches!(push(&stand.sender, b"3\n"), Err(SendError::Closed)));
        assert_eq!(stand.row(), row);
    });
}

#[test]
fn what_is_accepted_before_a_close_is_delivered_by_it() {
    close_while_sending(LONG, Answer::Delivers, None);
}

#[test]
fn a_close_without_time_counts_what_it_drops() {
    close_while_sending(Duration::ZERO, Answer::Delivers, None);
}

#[test]
fn a_close_waits_for_the_peers_last_word() {
    close_while_sending(LONG, Answer::Writes, None);
}

#[test]
fn a_close_with_a_store_leaves_nothing_in_it() {
    close_while_sending(LONG, Answer::Delivers, Some(Mode::Always));
}

#[test]
fn a_close_stores_what_cannot_be_sent() {
    close_while_sending(Duration::ZERO, Answer::Refuses, Some(Mode::Overflow));
}

#[test]
fn two_closes_and_a_drop() {
    model(|| {
        let stand = Stand::new(Answer::Delivers, None, |_| {});
        push(&stand.sender, b"1\n").unwrap();
        let other = stand.sender.clone();
        let closer = thread(move || other.close(LONG));
        assert_eq!(stand.sender.close(LONG).row(METRIC).delivered, 1);
        drop(stand.sender);
        assert_eq!(closer.join().unwrap().row(METRIC).delivered, 1);
    });
}

#[test]
fn the_last_of_two_handles_drains() {
    model(|| {
        let Stand { sender, got, .. } = Stand::new(Answer::Delivers, None, |_| {});
        push(&sender, b"1\n").unwrap();
        let other = sender.clone();
        let dropper = thread(move || drop(other));
        drop(sender);
        dropper.join().unwrap();
        assert_eq!(*got.lock().unwrap(), b"1\n");
    });
}

#[test]
fn a_full_batch_wakes_a_worker_that_finds_nothing() {
    model(|| {
        let stand = Stand::new(Answer::Delivers, None, |config| config.batch_lines = 1);
        push(&stand.sender, b"1\n").unwrap();
        let shared = stand.sender.shared();
        let mut hub = shared.lock();
        while hub.delivery.ledger().row(METRIC).delivered == 0 {
            hub = shared.wait(hub, deadline(LONG)).unwrap();
        }
        drop(hub);
        stand.sender.close(LONG);
    });
}

#[test]
fn a_flush_with_a_store_is_done_when_everything_is_durable_or_delivered() {
    for answer in [Answer::Delivers, Answer::Refuses] {
        model(move || {
            let stand = Stand::new(answer, Some(Mode::Always), |_| {});
            push(&stand.sender, b"1\n").unwrap();
            stand.sender.flush(LONG).unwrap();
            assert!(stand.store.records().len() == 1 || stand.got() == b"1\n");
            let row = *stand.sender.close(Duration::ZERO).row(METRIC);
            assert_eq!((row.accepted, row.stored + row.delivered), (1, 1), "{row:?}");
        });
    }
}

#[test]
fn who_sends_at_once_hears_the_outcome_even_of_a_close() {
    model(|| {
        let stand = Stand::new(Answer::Delivers, None, |_| {});
        let other = stand.sender.clone();
        let closer = thread(move || other.close(LONG));
        let sent = stand.sender.send_metric_now(&["a 1 source=b"]);
        closer.join().unwrap();
        let row = stand.row();
        assert_eq!((row.unsettled(), row.delivered), (0, usize::from(sent.is_ok())), "{sent:?} {row:?}");
    });
}

/// Wakes a thread of a model.
struct Parker {
    woken: Mutex<bool>,
    wakes: Condvar,
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap() = true;
        self.wakes.notify_all();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let parker = Arc::new(Parker { woken: Mutex::new(false), wakes: Condvar::new() });
    let waker = Waker::from(Arc::clone(&parker));
    let mut future = core::pin::pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let mut woken = parker.woken.lock().unwrap();
        while !core::mem::take(&mut *woken) {
            woken = parker.wakes.wait(woken).unwrap();
        }
    }
}

#[test]
fn futures_are_woken() {
    model(|| {
        let stand = Stand::new(Answer::Delivers, None, |_| {});
        push(&stand.sender, b"1\n").unwrap();
        block_on(stand.sender.flush_async(LONG)).unwrap();
        assert_eq!(stand.got(), b"1\n");
        assert_eq!(block_on(stand.sender.close_async(LONG)).row(METRIC).delivered, 1);
    });
}

#[test]
fn a_close_goes_on_when_its_future_is_dropped() {
    model(|| {
        let stand = Stand::new(Answer::Delivers, None, |_| {});
        push(&stand.sender, b"1\n").unwrap();
        let mut close = Box::pin(stand.sender.close_async(LONG));
        let _ = close.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(close);
        // The last handle waits for what was begun.
        let (sender, got) = (stand.sender, stand.got);
        drop(sender);
        assert_eq!(*got.lock().unwrap(), b"1\n");
    });
}
