//! `flush` and `close` as futures, on several executors and on none; and `close` from everywhere at once.

#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use wavefront_sdk::delivery::Backoff;
use wavefront_sdk::sender::{CloseFuture, FlushFuture, SendError, SenderBuilder};
use wavefront_sdk::transport::{Accepted, Batch, Failure, Fault, Memory, Step, Transport, TransportError};
use wavefront_sdk::{Metric, Sender};

const LONG: Duration = Duration::from_secs(20);
const QUICK: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(2));

/// Runs `work` on a thread of its own, and fails where it does not come to an end.
fn in_time<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result.recv_timeout(Duration::from_secs(120)).expect("it hangs, or has failed")
}

/// An executor of one future: its waker unparks the thread.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// A waker that counts.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Arc<Counting>) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(&Waker::from(waker.clone())))
}

fn wait_for(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < LONG, "it never comes");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A receiver that answers when it is told to.
struct Gated(mpsc::Receiver<Result<Accepted, Refused>>);

#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not now")
    }
}

impl std::error::Error for Refused {}

impl TransportError for Refused {
    fn kind(&self) -> Failure {
        Failure::Timeout
    }
}

impl Transport for Gated {
    type Error = Refused;

    fn send(&mut self, _: Batch<'_>) -> Result<Accepted, Refused> {
        self.0.recv().unwrap_or(Err(Refused))
    }
}

fn gated() -> (Sender, mpsc::Sender<Result<Accepted, Refused>>) {
    let (open, gate) = mpsc::channel();
    (SenderBuilder::over(Gated(gate)).source("s").backoff(QUICK).build().unwrap(), open)
}

fn away() -> Sender {
    let never = Fault::new(Memory::new(), std::iter::repeat(Step::Connect));
    SenderBuilder::over(never).source("s").backoff(QUICK).build().unwrap()
}

fn there() -> (Sender, Memory) {
    let memory = Memory::new();
    (SenderBuilder::over(memory.clone()).source("s").build().unwrap(), memory)
}

fn current_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

#[test]
fn the_futures_can_go_anywhere() {
    fn anywhere<T: Send + Sync + Unpin + 'static>() {}
    anywhere::<FlushFuture>();
    anywhere::<CloseFuture>();
}

async fn all_of_it(sender: Sender, memory: Memory) {
    for round in 1..=20 {
        sender.send(Metric::new("m", 1.0)).unwrap();
        assert_eq!(sender.flush_async(LONG).await, Ok(()));
        assert_eq!(memory.lines(), round);
    }
    sender.send(Metric::new("m", 1.0)).unwrap();
    let ledger = sender.close_async(LONG).await;
    assert_eq!((ledger.total().delivered, memory.lines()), (21, 21));
    assert_eq!(sender.send(Metric::new("m", 1.0)), Err(SendError::Closed));
    assert_eq!(sender.close_async(LONG).await, ledger, "again, and nothing more");
    assert_eq!(sender.flush_async(LONG).await, Ok(()));
}

#[test]
fn every_executor_will_do() {
    in_time(|| {
        let (sender, memory) = there();
        block_on(all_of_it(sender, memory));
        let (sender, memory) = there();
        current_thread().block_on(all_of_it(sender, memory));
        let several = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let (sender, memory) = there();
                several.spawn(all_of_it(sender, memory))
            })
            .collect();
        tasks.into_iter().for_each(|task| several.block_on(task).unwrap());
    });
}

#[test]
fn time_that_is_over_is_said_as_the_blocking_call_says_it() {
    in_time(|| {
        let sender = away();
        sender.send(Metric::new("m", 1.0)).unwrap();
        let short = Duration::from_millis(20);
        let began = Instant::now();
        let error = block_on(sender.flush_async(short)).unwrap_err();
        assert!(began.elapsed() >= short);
        assert_eq!(error, sender.flush(short).unwrap_err());
        assert_eq!((error.left, error.last_failure, error.forked), (1, Some(Failure::Connect), false));
        let ledger = block_on(sender.close_async(short));
        assert_eq!((ledger.total().dropped.closed, ledger.is_balanced()), (1, true));
        assert_eq!(sender.close(LONG), ledger);
    });
}

/// A worker that hangs in a request does not make the time longer.
#[test]
fn time_is_kept_while_every_worker_is_busy() {
    in_time(|| {
        let (sender, open) = gated();
        sender.send(Metric::new("m", 1.0)).unwrap();
        let error = block_on(sender.flush_async(Duration::from_millis(20))).unwrap_err();
        assert_eq!(error.left, 1);
        let ledger = block_on(sender.close_async(Duration::from_millis(20)));
        assert_eq!((ledger.total().dropped.closed, ledger.total().in_flight), (1, 0));
        drop(open);
    });
}

#[test]
fn several_wait_at_once_each_for_his_own() {
    in_time(|| {
        let (sender, open) = gated();
        sender.send(Metric::new("m", 1.0)).unwrap();
        let wakers = [(); 3].map(|()| Arc::<Counting>::default());
        let mut first = sender.flush_async(LONG);
        assert!(poll(&mut first, &wakers[0]).is_pending());
        wait_for(|| sender.ledger().total().in_flight == 1);
        sender.send(Metric::new("m", 2.0)).unwrap();
        let mut second = sender.flush_async(LONG);
        let mut close = sender.close_async(LONG);
        assert!(poll(&mut second, &wakers[1]).is_pending());
        assert!(poll(&mut close, &wakers[2]).is_pending());
        let woken = || [0, 1, 2].map(|at| wakers[at].0.load(Ordering::SeqCst));
        open.send(Ok(Accepted::Delivered)).unwrap();
        wait_for(|| woken()[0] == 1);
        assert_eq!(poll(&mut first, &wakers[0]), Poll::Ready(Ok(())));
        assert_eq!(woken(), [1, 0, 0], "nobody is woken for nothing");
        open.send(Ok(Accepted::Delivered)).unwrap();
        wait_for(|| woken() == [1, 1, 1]);
        assert_eq!(poll(&mut second, &wakers[1]), Poll::Ready(Ok(())));
        let Poll::Ready(ledger) = poll(&mut close, &wakers[2]) else { panic!("it is over") };
        assert_eq!(ledger.total().delivered, 2);
    });
}

/// The waker of the last poll counts, and none is kept after the end.
#[test]
fn wakers_are_replaced_and_let_go() {
    in_time(|| {
        let (sender, open) = gated();
        sender.send(Metric::new("m", 1.0)).unwrap();
        let [old, new] = [(); 2].map(|()| Arc::<Counting>::default());
        let mut flush = sender.flush_async(LONG);
        assert!(poll(&mut flush, &old).is_pending());
        assert!(poll(&mut flush, &new).is_pending());
        assert_eq!((Arc::strong_count(&old), Arc::strong_count(&new)), (1, 2));
        drop(flush);
        assert_eq!(Arc::strong_count(&new), 1, "given up, and forgotten");

        let mut flush = sender.flush_async(LONG);
        assert!(poll(&mut flush, &new).is_pending());
        open.send(Ok(Accepted::Delivered)).unwrap();
        wait_for(|| new.0.load(Ordering::SeqCst) == 1);
        assert_eq!(poll(&mut flush, &new), Poll::Ready(Ok(())));
        wait_for(|| Arc::strong_count(&new) == 1);
        assert_eq!(old.0.load(Ordering::SeqCst), 0);
        for _ in 0..1000 {
            sender.send(Metric::new("m", 1.0)).unwrap();
            let mut flush = sender.flush_async(LONG);
            assert!(poll(&mut flush, &new).is_pending());
        }
        assert_eq!(Arc::strong_count(&new), 1);
        drop(open);
        sender.close(Duration::ZERO);
    });
}

/// A waker that calls the sender when it is woken, and when it is dropped.
struct Curious(Sender);

impl Wake for Curious {
    fn wake(self: Arc<Self>) {
        assert!(self.0.ledger().is_balanced());
    }
}

impl Drop for Curious {
    fn drop(&mut self) {
        assert!(self.0.ledger().is_balanced());
    }
}

#[test]
fn wakers_are_never_touched_under_the_lock() {
    in_time(|| {
        let (sender, open) = gated();
        sender.send(Metric::new("m", 1.0)).unwrap();
        let mut flush = sender.flush_async(LONG);
        for _ in 0..3 {
            let waker = Waker::from(Arc::new(Curious(sender.clone())));
            assert!(Pin::new(&mut flush).poll(&mut Context::from_waker(&waker)).is_pending());
        }
        let mut given_up = sender.flush_async(LONG);
        let waker = Waker::from(Arc::new(Curious(sender.clone())));
        assert!(Pin::new(&mut given_up).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        drop(given_up);
        open.send(Ok(Accepted::Delivered)).unwrap();
        assert_eq!(block_on(flush), Ok(()));
    });
}

/// A close goes on, and ends in its time, though nobody waits for it any more.
#[test]
fn a_close_that_is_given_up_comes_to_its_end() {
    in_time(|| {
        let (sender, open) = gated();
        sender.send(Metric::new("m", 1.0)).unwrap();
        let mut close = sender.close_async(Duration::from_millis(50));
        assert!(poll(&mut close, &Arc::default()).is_pending());
        assert_eq!(sender.send(Metric::new("m", 1.0)), Err(SendError::Closed));
        drop(close);
        wait_for(|| sender.ledger().total().dropped.closed == 1);
        drop(open);
        // One that was never polled has not begun.
        let (sender, memory) = there();
        drop(sender.close_async(LONG));
        sender.send(Metric::new("m", 1.0)).unwrap();
        sender.close(LONG);
        assert_eq!(memory.lines(), 1);
    });
}

#[test]
fn many_may_close_at_once() {
    in_time(|| {
        for round in 0..100 {
            let (sender, memory) = there();
            let threads: Vec<_> = (0..4)
                .map(|number| {
                    let sender = sender.clone();
                    thread::spawn(move || {
                        let mut accepted = 0;
                        while accepted < 200 && sender.send(Metric::new("m", 1.0)).is_ok() {
                            accepted += 1;
                        }
                        match (number + round) % 4 {
                            0 => drop(block_on(sender.close_async(LONG))),
                            1 => drop(sender.flush(LONG)),
                            2 => drop(block_on(sender.flush_async(LONG))),
                            _ => drop(sender.close(LONG)),
                        }
                        accepted
                    })
                })
                .collect();
            let accepted: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
            let ledger = sender.close(LONG);
            assert_eq!((ledger.total().accepted, ledger.is_balanced()), (accepted, true), "{ledger:?}");
            assert_eq!(ledger.total().delivered + ledger.total().dropped.closed, accepted);
            assert_eq!((memory.lines(), ledger.total().dropped.closed), (accepted as u64, 0));
        }
    });
}

/// The first close says how long; one that has less time does not cut it short, and waits for no longer than it says.
#[test]
fn an_impatient_close_leaves_a_patient_one_its_time() {
    in_time(|| {
        let (sender, open) = gated();
        sender.send(Metric::new("m", 1.0)).unwrap();
        let patient = thread::spawn({
            let sender = sender.clone();
            move || sender.close(LONG)
        });
        wait_for(|| sender.ledger().total().in_flight == 1);
        assert_eq!(sender.send(Metric::new("m", 1.0)), Err(SendError::Closed));
        assert_eq!(sender.close(Duration::ZERO).total().in_flight, 1);
        drop(sender);
        open.send(Ok(Accepted::Delivered)).unwrap();
        assert_eq!(patient.join().unwrap().total().delivered, 1);
    });
}

/// Neither a blocking `close` nor a drop, in a task, on a thread of the runtime, waits for the runtime.
#[test]
fn tasks_may_close_and_drop() {
    let tasks = || async {
        let (sender, memory) = there();
        sender.send(Metric::new("m", 1.0)).unwrap();
        let clone = sender.clone();
        drop(sender);
        drop(clone);
        assert_eq!(memory.lines(), 1);
        let sender = away();
        sender.send(Metric::new("m", 1.0)).unwrap();
        let ledger = sender.close(Duration::from_millis(5));
        assert_eq!(ledger.total().dropped.closed, 1);
        let sender = away();
        sender.send(Metric::new("m", 1.0)).unwrap();
        drop(sender);
    };
    in_time(move || {
        current_thread().block_on(tasks());
        let several = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let all: Vec<_> = (0..4).map(|_| several.spawn(tasks())).collect();
        all.into_iter().for_each(|task| several.block_on(task).unwrap());
    });
}

/// The same over HTTP, whose client has a runtime of its own.
#[cfg(all(feature = "http", feature = "collector"))]
#[test]
fn http_inside_of_a_runtime() {
    use wavefront_sdk::collector::{Collector, Port};
    in_time(|| {
        let collector = Collector::builder().listen("127.0.0.1:0").start().unwrap();
        let url = format!("http://{}", collector.addr(Port::Metrics).unwrap());
        let tasks = move || {
            let url = url.clone();
            async move {
                let sender = Sender::builder(&url).source("s").build().unwrap();
                sender.send(Metric::new("m", 1.0)).unwrap();
                sender.flush_async(LONG).await.unwrap();
                sender.send(Metric::new("m", 2.0)).unwrap();
                assert_eq!(sender.close_async(LONG).await.total().delivered, 2);
                let dropped = Sender::builder(&url).source("s").build().unwrap();
                dropped.send(Metric::new("m", 3.0)).unwrap();
            }
        };
        current_thread().block_on(tasks());
        let several = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        several.block_on(several.spawn(tasks())).unwrap();
        assert_eq!(collector.stop().accepted(), 6);
    });
}
