//! A process that forks while its sender is at work: the parent's lines arrive, each once; the child's copy of the handle
//! sends nothing, waits for nothing, and says so. Real forks, real sockets.

#![cfg(all(feature = "std", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unsafe_code)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use wavefront_sdk::delivery::Ledger;
use wavefront_sdk::sender::{NowError, SendError, SenderBuilder};
use wavefront_sdk::transport::{Fault, Memory, Step};
use wavefront_sdk::{DeltaCounter, Metric, Overflow, Sender};

/// Any free port.
const ANY: &str = "127.0.0.1:0";
const LONG: Duration = Duration::from_secs(30);

/// A process of a test in which `child` runs, and nothing else: it never returns. 0 is its exit status if all is well.
struct Child(libc::pid_t);

impl Child {
    fn fork(child: impl FnOnce()) -> Self {
        // SAFETY: the child runs `child` on its only thread, and ends without going back.
        match unsafe { libc::fork() } {
            -1 => panic!("no fork: {}", std::io::Error::last_os_error()),
            0 => {
                // Whoever hangs is killed by the system.
                // SAFETY: no handler is set.
                unsafe { libc::alarm(20) };
                let status = i32::from(catch_unwind(AssertUnwindSafe(child)).is_err());
                // SAFETY: it ends the process, without a word to what the parent has open.
                unsafe { libc::_exit(status) }
            }
            pid => Self(pid),
        }
    }

    fn ends_well(self) {
        let mut status = 0;
        // SAFETY: `status` is ours, and so is the child.
        assert_eq!(unsafe { libc::waitpid(self.0, &raw mut status, 0) }, self.0);
        assert!(!libc::WIFSIGNALED(status), "killed by signal {}: 14 means that it hung", libc::WTERMSIG(status));
        assert_eq!(libc::WEXITSTATUS(status), 0, "an assertion failed in the child");
    }
}

/// A proxy's port for lines: what came, and how often.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<HashMap<String, usize>>>);

impl Receiver {
    fn start(at: &str) -> (Self, SocketAddr) {
        let listener = TcpListener::bind(at).unwrap();
        let address = listener.local_addr().unwrap();
        let receiver = Self::default();
        let lines = receiver.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let lines = lines.clone();
                thread::spawn(move || {
                    for line in BufReader::new(stream.unwrap()).lines() {
                        *lines.0.lock().unwrap().entry(line.unwrap()).or_default() += 1;
                    }
                });
            }
        });
        (receiver, address)
    }

    fn count_of(&self, name: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|(line, _)| line.contains(name)).map(|(_, count)| count).sum()
    }
}

fn sender(url: &str) -> Sender {
    let builder = Sender::builder(url).source("s").flush_interval(Duration::from_millis(20));
    builder.overflow(Overflow::Block(LONG)).build().unwrap()
}

/// What each child does with the handle that it has from its parent.
fn everything(sender: Sender) {
    // Until a segment is to be handed over, nobody can know.
    let mut sends = (0..100_000).map(|value| sender.send(Metric::new("child", f64::from(value))));
    assert_eq!(sends.find(Result::is_err), Some(Err(SendError::Forked)));
    assert!(sender.flush(LONG).is_err_and(|error| error.forked));
    let now = sender.send_metric_now(&["\"child\" 1.0 source=\"s\""]);
    assert_eq!(now, Err(NowError::Refused(SendError::Forked)));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let flush = std::pin::pin!(sender.flush_async(LONG)).poll(&mut context);
    assert!(matches!(flush, std::task::Poll::Ready(Err(error)) if error.forked));
    assert!(std::pin::pin!(sender.close_async(LONG)).poll(&mut context).is_ready());
    let _ = (sender.send(Metric::new(" ", 1.0)), sender.send(DeltaCounter::new("child", 0.0)));
    let _ = (sender.last_error(), sender.last_failure());
    assert_eq!(sender.ledger(), Ledger::default());
    assert_eq!(sender.close(LONG), Ledger::default());
    drop(sender);
}

/// Forks `times` while three threads send; how many lines were sent, each of which is "parent" and a number of its own.
fn fork_while_sending(sender: Sender, times: usize) -> usize {
    let over = Arc::new(AtomicBool::new(false));
    let sent = Arc::new(AtomicUsize::new(0));
    let producers: Vec<_> = (0..3)
        .map(|_| {
            let (sender, over, sent) = (sender.clone(), over.clone(), sent.clone());
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let number = sent.fetch_add(1, Ordering::Relaxed);
                    sender.send(Metric::new("parent", number as f64)).unwrap();
                    if number % 1000 == 0 {
                        let _ = (sender.ledger(), sender.flush(Duration::ZERO));
                    }
                    // A few ten thousand lines a second: there is something under way at each fork.
                    if number % 50 == 0 {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            })
        })
        .collect();
    for _ in 0..times {
        Child::fork(|| everything(sender.clone())).ends_well();
    }
    over.store(true, Ordering::Relaxed);
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    let ledger = sender.close(LONG);
    let sent = sent.load(Ordering::Relaxed);
    assert_eq!((ledger.total().delivered, ledger.total().resent), (sent, 0), "{ledger:?}");
    sent
}

#[test]
fn two_hundred_forks_while_lines_are_sent() {
    let (receiver, address) = Receiver::start(ANY);
    let sent = fork_while_sending(sender(&format!("tcp://{address}")), 200);
    let lines = receiver.0.lock().unwrap();
    assert!(lines.values().all(|&count| count == 1));
    assert_eq!((lines.len(), lines.keys().filter(|line| line.contains("parent")).count()), (sent, sent));
}

/// The same over HTTP, whose client has threads of its own that a child lacks.
#[cfg(all(feature = "http", feature = "collector"))]
#[test]
fn forks_while_lines_are_sent_over_http() {
    use wavefront_sdk::collector::{Collector, Port};
    let lines = Receiver::default();
    let seen = lines.clone();
    let builder = Collector::builder().listen(ANY).on_line(move |line| {
        *seen.0.lock().unwrap().entry(line.raw.to_owned()).or_default() += 1;
    });
    let collector = builder.start().unwrap();
    let sent = fork_while_sending(sender(&format!("http://{}", collector.addr(Port::Metrics).unwrap())), 50);
    let lines = lines.0.lock().unwrap();
    assert!(lines.values().all(|&count| count == 1));
    assert_eq!((lines.len(), lines.keys().filter(|line| line.contains("parent")).count()), (sent, sent));
}

#[test]
fn a_child_makes_a_sender_of_its_own() {
    let (receiver, address) = Receiver::start(ANY);
    let url = format!("tcp://{address}");
    let old = sender(&url);
    old.send(Metric::new("old", 1.0)).unwrap();
    let child = Child::fork(|| {
        let new = sender(&url);
        new.send(Metric::new("new", 2.0)).unwrap();
        new.flush(LONG).unwrap();
        drop(old.clone());
        assert_eq!(new.close(LONG).total().delivered, 1);
    });
    child.ends_well();
    assert_eq!(old.close(LONG).total().delivered, 1);
    assert_eq!((receiver.count_of("old"), receiver.count_of("new")), (1, 1));
}

/// The last handle of the child, and what waits in it: the parent's lines, which are not its to send.
#[test]
fn a_child_that_only_drops_sends_nothing() {
    let (receiver, address) = Receiver::start(ANY);
    let sender = Sender::builder(&format!("tcp://{address}")).source("s").flush_interval(LONG).build().unwrap();
    (0..100).for_each(|value| sender.send(Metric::new("waits", f64::from(value))).unwrap());
    let kept = Arc::new(Mutex::new(Some(sender)));
    for _ in 0..20 {
        Child::fork(|| drop(kept.lock().unwrap().take())).ends_well();
    }
    assert_eq!(receiver.count_of("waits"), 0);
    let sender = kept.lock().unwrap().take().unwrap();
    assert_eq!(sender.close(LONG).total().delivered, 100);
    assert_eq!(receiver.count_of("waits"), 100);
}

/// Where a line finds no room, nobody waits for the worker that is not there.
#[test]
fn a_full_queue_blocks_no_child() {
    let never = Fault::new(Memory::new(), std::iter::repeat(Step::Connect));
    let builder = SenderBuilder::over(never).source("s").max_queue_size(10).overflow(Overflow::Block(10 * LONG));
    let sender = builder.build().unwrap();
    (0..10).for_each(|_| sender.send(Metric::new("m", 1.0)).unwrap());
    Child::fork(|| assert_eq!(sender.send(Metric::new("m", 1.0)), Err(SendError::Forked))).ends_well();
    assert_eq!(sender.close(Duration::ZERO).total().dropped.closed, 10);
}

/// The hook runs on a thread that carries lines: in a child that comes from there it does not go on carrying them.
#[test]
fn a_hook_that_forks_makes_no_second_worker() {
    let at = TcpListener::bind(ANY).and_then(|listener| listener.local_addr()).unwrap();
    let child = Arc::new(OnceLock::new());
    let pid = child.clone();
    let builder = Sender::builder(&format!("tcp://{at}")).source("s").on_error(move |_| {
        pid.get_or_init(|| {
            // SAFETY: the child goes back to where the hook was called from, and its thread ends there.
            let pid = unsafe { libc::fork() };
            // SAFETY: no handler is set.
            unsafe { libc::alarm(if pid == 0 { 20 } else { 0 }) };
            pid
        });
    });
    let sender = builder.build().unwrap();
    sender.send(Metric::new("kept", 1.0)).unwrap();
    sender.flush(Duration::from_millis(1)).unwrap_err();
    Child(*child.wait()).ends_well();
    let (receiver, _) = Receiver::start(&at.to_string());
    assert_eq!(sender.close(LONG).total().delivered, 1);
    assert_eq!(receiver.count_of("kept"), 1);
}
