//! TCP at least once: what becomes of lines when connections, peers and names fail. Each test ends with the ledger compared
//! with what the receiver really has.
//!
//! Peers that are killed are processes of their own: this program again, with the one test that is its receiver. Names that
//! move and packets that get lost are in `faults/namespaces.rs`.

#![cfg(all(feature = "std", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::std_instead_of_core)]

mod breaks;
mod closes;
mod peer;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use wavefront_sdk::delivery::Backoff;
use wavefront_sdk::sender::SenderBuilder;
use wavefront_sdk::transport::Tcp;
use wavefront_sdk::{DeltaCounter, Event, Histogram, Metric, Sender, Span, Uuid};

/// Long enough for anything that is not meant to fail.
const LONG: Duration = Duration::from_secs(30);

/// A sender to one port, in order.
fn to(port: u16) -> SenderBuilder {
    over(Tcp::new("127.0.0.1", port))
}

fn over(tcp: Tcp) -> SenderBuilder {
    SenderBuilder::over(tcp).source("host-1").backoff(Backoff::TCP)
}

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn metrics(sender: &Sender, numbers: std::ops::Range<usize>) {
    numbers.for_each(|n| sender.send(Metric::new(&format!("m.{n}"), n as f64)).unwrap());
}

fn deltas(sender: &Sender, numbers: std::ops::Range<usize>) {
    numbers.for_each(|n| sender.send(DeltaCounter::new(&format!("d.{n}"), 1.0)).unwrap());
}

/// More than the kernels of both sides take from a writer whose reader does not read.
const MUCH: usize = 40_000;

/// Deltas of 260 bytes.
fn large_deltas(sender: &Sender, numbers: std::ops::Range<usize>) {
    let pad = "x".repeat(200);
    numbers.for_each(|n| {
        let name = format!("d.{n}");
        sender.send(DeltaCounter::new(&name, 1.0).tag("pad", &pad)).unwrap();
    });
}

/// One line of every kind that a TCP port takes without a second line.
fn one_of_each(sender: &Sender) {
    let id = Uuid::from_u128(7);
    sender.send(Metric::new("a.metric", 1.0)).unwrap();
    sender.send(DeltaCounter::new("a.delta", 1.0)).unwrap();
    sender.send(Histogram::new("a.histogram", &[(1.0, 2)])).unwrap();
    sender.send(Span::new("a.span", 1_552_949_776_000, 343, id, id)).unwrap();
    sender.send(Event::new("a.event", 1_590_650_592_000)).unwrap();
}

/// The names of the whole lines, in their order: what is between the first quotes, without the delta's sign.
fn names(bytes: &[u8]) -> Vec<String> {
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let text = std::str::from_utf8(&bytes[..whole]).unwrap();
    let name = |line: &str| line.split('"').nth(1).unwrap().trim_start_matches('\u{2206}').to_owned();
    text.lines().map(name).collect()
}

/// How often each name came.
fn tally(names: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    names.into_iter().for_each(|name| *tally.entry(name).or_default() += 1);
    tally
}

/// Waits for something that has to come.
#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until the peer of `stream` has sent `lines` whole lines, reads nothing of them, and makes our kernel acknowledge
/// them: the byte that goes back carries the acknowledgement.
fn acknowledge(stream: &mut TcpStream, lines: usize) {
    let mut bytes = vec![0; 1 << 20];
    wait_until("the lines are there", || {
        let length = stream.peek(&mut bytes).unwrap();
        bytes[..length].iter().filter(|&&byte| byte == b'\n').count() == lines
    });
    std::io::Write::write_all(stream, b"x").unwrap();
}

/// Reads until `lines` whole lines have come.
fn read_lines(stream: &mut TcpStream, lines: usize) -> Vec<String> {
    let (mut all, mut part, mut ends) = (Vec::new(), [0; 4096], 0);
    while ends < lines {
        let read = stream.read(&mut part).unwrap();
        assert!(read > 0, "closed early");
        ends += part[..read].iter().filter(|&&byte| byte == b'\n').count();
        all.extend_from_slice(&part[..read]);
    }
    names(&all)
}

/// Takes every connection and reads it to its end.
struct Reader {
    received: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Reader {
    fn on(listener: &TcpListener) -> Self {
        let reader = Self { received: Arc::default(), connections: Arc::default() };
        let (listener, all) = (listener.try_clone().unwrap(), reader.received.clone());
        let connections = reader.connections.clone();
        thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                connections.fetch_add(1, Ordering::SeqCst);
                let all = all.clone();
                thread::spawn(move || {
                    let mut bytes = Vec::new();
                    let _ = stream.read_to_end(&mut bytes);
                    // Before the connection is closed, which the sender waits for.
                    all.lock().unwrap().extend(names(&bytes));
                });
            }
        });
        reader
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }
}

/// A folder of this test alone, gone with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("wavefront-tcp-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.0).join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
