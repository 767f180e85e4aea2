//! The running collector: its threads, its ports, its end.

use core::fmt;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::boxed::Box;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::string::{String, ToString};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;
use std::vec::Vec;

use tokio::runtime::{self, Runtime};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::builder::{Builder, CollectorError, OnError, OnLine, Port};
use super::connection;
use super::out::{Out, Pieces};
use super::room::Room;
use super::summary::{Ledger, Summary};
use crate::{Kind, Limits};

/// After a stop: how long connections may take to bring what was on its way.
const DRAIN: Duration = Duration::from_secs(3);
/// After a stop: how long a connection has to be silent to be taken for one that has nothing more.
pub(super) const QUIET: Duration = Duration::from_millis(100);
/// How long accepting rests when the system is out of file descriptors.
const REST: Duration = Duration::from_millis(20);

/// A running receiver of everything this crate sends. Dropping it stops it.
///
/// ```
/// use std::{io::Write, net::TcpStream, time::Duration};
/// use wavefront_sdk::{Kind, collector::Collector};
///
/// let collector = Collector::builder().listen("127.0.0.1:0").start()?;
/// let mut stream = TcpStream::connect(collector.addrs()[0].1)?;
/// stream.write_all(b"\"cpu.load\" 0.5 source=\"web-1\"\n")?;
/// collector.wait_until(|summary| summary.accepted() == 1, Duration::from_secs(10));
/// assert_eq!(collector.stop().counts(Kind::Metric).accepted, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Collector {
    shared: Arc<Shared>,
    addrs: Vec<(Port, SocketAddr)>,
    stop: watch::Sender<bool>,
    thread: Option<thread::JoinHandle<()>>,
}

/// An accepted line that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kept {
    /// Its kind.
    pub kind: Kind,
    /// The line as it came, without its LF; what was no UTF-8 is U+FFFD.
    pub line: String,
}

impl Collector {
    /// A collector to be set up.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(super) fn start(builder: Builder, ports: Vec<(Port, SocketAddr, TcpListener)>) -> Result<Self, CollectorError> {
        let out = match &builder.out {
            None => None,
            Some(path) => Some(Out::create(path).map_err(|source| CollectorError::out(path, source))?),
        };
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("wavefront-collector")
            .enable_all()
            .build()
            .map_err(CollectorError::Runtime)?;

        let (stop, stopping) = watch::channel(false);
        let addrs = ports.iter().map(|(port, addr, _)| (*port, *addr)).collect();
        let shared = Arc::new(Shared::new(builder, out));
        let mut accepting = JoinSet::new();
        {
            let _inside = runtime.enter();
            for (port, _, listener) in ports {
                let listener = tokio::net::TcpListener::from_std(listener).map_err(CollectorError::Runtime)?;
                let accept = accept(listener, port, Arc::clone(&shared), stopping.clone());
                accepting.spawn_on(accept, runtime.handle());
            }
        }
        let until_stopped = run(Arc::clone(&shared), accepting, stopping);
        let thread = thread::Builder::new()
            .name("wavefront-collector".into())
            .spawn(move || serve(runtime, until_stopped))
            .map_err(CollectorError::Runtime)?;
        Ok(Self { shared, addrs, stop, thread: Some(thread) })
    }

    /// What it listens on, in the order the ports were given.
    pub fn addrs(&self) -> &[(Port, SocketAddr)] {
        &self.addrs
    }

    /// The address of the first port of that role.
    pub fn addr(&self, port: Port) -> Option<SocketAddr> {
        self.addrs.iter().find(|(role, _)| *role == port).map(|(_, addr)| *addr)
    }

    /// What was counted until now. A line counts after it was written to the file, and before its HTTP request is
    /// answered.
    pub fn snapshot(&self) -> Summary {
        self.shared.ledger.snapshot()
    }

    /// Waits until `enough` says so of the summary, at most `timeout`. The last summary, as `Err` if it was not enough.
    ///
    /// # Errors
    /// The summary at the end of `timeout`.
    pub fn wait_until(&self, enough: impl FnMut(&Summary) -> bool, timeout: Duration) -> Result<Summary, Box<Summary>> {
        match self.shared.ledger.wait(enough, timeout) {
            (summary, true) => Ok(summary),
            (summary, false) => Err(Box::new(summary)),
        }
    }

    /// The last accepted lines, oldest first: as many as [`Builder::keep`] said.
    pub fn kept(&self) -> Vec<Kept> {
        lock(&self.shared.kept).iter().cloned().collect()
    }

    /// Stops accepting, reads and writes what has arrived, answers the requests that were begun, closes, and returns
    /// the final summary. Takes 0.1 s, 3 s at most where connections go on sending.
    pub fn stop(mut self) -> Summary {
        self.end();
        self.snapshot()
    }

    fn end(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            // A panic on that thread has been reported by it, and there is nothing to clean up here.
            let _ = thread.join();
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("addrs", &self.addrs).finish_non_exhaustive()
    }
}

/// What all connections share.
pub(super) struct Shared {
    pub(super) ledger: Ledger,
    pub(super) room: Arc<Room>,
    pub(super) on_line: Option<OnLine>,
    pub(super) token: Option<String>,
    pub(super) limits: Limits,
    pub(super) max_body: usize,
    pub(super) idle: Duration,
    pub(super) keep: usize,
    out: Option<Out>,
    on_error: Option<OnError>,
    pub(super) kept: Mutex<VecDeque<Kept>>,
    guests: Guests,
    max_connections: usize,
}

impl Shared {
    pub(super) fn new(builder: Builder, out: Option<Out>) -> Self {
        Self {
            ledger: Ledger::default(),
            room: Room::new(builder.room),
            on_line: builder.on_line,
            token: builder.token,
            limits: builder.limits,
            max_body: builder.max_body,
            idle: builder.idle,
            keep: builder.keep,
            out,
            on_error: builder.on_error,
            kept: Mutex::default(),
            guests: Guests::default(),
            max_connections: builder.max_connections,
        }
    }

    /// Whether accepted lines are written to a file, so that their places have to be known.
    pub(super) fn writes(&self) -> bool {
        self.out.is_some()
    }

    /// Writes the accepted pieces of a chunk, then counts it. If they cannot be written, only that is counted.
    pub(super) fn settle(
        &self,
        chunk: &[u8],
        pieces: &Pieces,
        counts: &Summary,
        kept: impl IntoIterator<Item = Kept>,
    ) -> io::Result<()> {
        if let Some(out) = self.out.as_ref().filter(|_| !pieces.is_empty())
            && let Err(error) = out.write(chunk, pieces)
        {
            self.ledger.update(|summary| {
                summary.unwritten += counts.accepted();
                summary.write_error = Some(error.to_string());
            });
            if let Some(report) = &self.on_error {
                report(&error);
            }
            return Err(error);
        }
        if self.keep > 0 {
            let mut all = lock(&self.kept);
            for line in kept {
                if all.len() == self.keep {
                    all.pop_front();
                }
                all.push_back(line);
            }
        }
        self.ledger.merge(counts);
        Ok(())
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// The open connections.
#[derive(Default)]
struct Guests {
    open: AtomicUsize,
    /// Those that have not said anything valid yet, oldest first: they are the first to go.
    unproven: Mutex<BTreeMap<u64, Arc<Notify>>>,
    left: Notify,
}

/// One open connection; its place is free again when this is dropped.
pub(super) struct Guest {
    shared: Arc<Shared>,
    number: u64,
    proven: AtomicBool,
    asked_to_leave: Arc<Notify>,
}

impl Guest {
    pub(super) fn enter(shared: &Arc<Shared>, number: u64) -> Self {
        let asked_to_leave = Arc::new(Notify::new());
        shared.guests.open.fetch_add(1, Ordering::Relaxed);
        lock(&shared.guests.unproven).insert(number, Arc::clone(&asked_to_leave));
        shared.ledger.update(|summary| {
            summary.connections += 1;
            summary.open += 1;
        });
        Self { shared: Arc::clone(shared), number, proven: AtomicBool::new(false), asked_to_leave }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// It has said something valid: it stays.
    pub(super) fn prove(&self) {
        if !self.proven.swap(true, Ordering::Relaxed) {
            lock(&self.shared.guests.unproven).remove(&self.number);
        }
    }

    /// Done when the connection has to make room for another one.
    pub(super) async fn asked_to_leave(&self) {
        self.asked_to_leave.notified().await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        lock(&self.shared.guests.unproven).remove(&self.number);
        self.shared.guests.open.fetch_sub(1, Ordering::Relaxed);
        self.shared.ledger.update(|summary| summary.open -= 1);
        self.shared.guests.left.notify_waiters();
    }
}

impl Guests {
    /// Asks the oldest connection without merit to leave. `false`: there is none.
    fn make_room(&self) -> bool {
        let Some((_, guest)) = lock(&self.unproven).pop_first() else { return false };
        guest.notify_one();
        true
    }
}

/// Accepts until it is stopped, then takes those connections that wait already.
async fn accept(
    listener: tokio::net::TcpListener,
    port: Port,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut number = 0;
    let mut stopped_at: Option<Instant> = None;
    loop {
        let accepted = match stopped_at {
            None => tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stopping.changed() => {
                    stopped_at = Some(Instant::now());
                    continue;
                }
            },
            Some(since) if since.elapsed() > DRAIN / 3 => return,
            Some(_) => match tokio::time::timeout(QUIET / 2, listener.accept()).await {
                Ok(accepted) => accepted,
                Err(_) => return,
            },
        };
        match accepted {
            Ok((stream, _)) => {
                // At the limit one has to go: an old one that never said anything valid, or else the newcomer.
                let full = shared.guests.open.load(Ordering::Relaxed) >= shared.max_connections;
                if full {
                    shared.ledger.update(|summary| summary.refused += 1);
                    if !shared.guests.make_room() {
                        drop(stream);
                        continue;
                    }
                }
                number += 1;
                let guest = Guest::enter(&shared, number * 4 + port as u64);
                tokio::spawn(connection::serve(stream, port, guest, stopping.clone()));
                if full {
                    // The one that leaves gets a chance to do so before the next one comes.
                    tokio::task::yield_now().await;
                }
            }
            // It broke before it was accepted.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            // No file descriptor is left: never in a hot loop.
            Err(_) => {
                let room = shared.guests.make_room();
                if room {
                    shared.ledger.update(|summary| summary.refused += 1);
                }
                tokio::time::sleep(if room { REST / 20 } else { REST }).await;
            }
        }
    }
}

/// Done when the collector was stopped and the connections have ended, or had time enough for it.
async fn run(shared: Arc<Shared>, mut accepting: JoinSet<()>, mut stopping: watch::Receiver<bool>) {
    // An error says that the handle is gone: the same as a stop.
    let _ = stopping.wait_for(|stop| *stop).await;
    let all_left = async {
        while accepting.join_next().await.is_some() {}
        loop {
            let left = shared.guests.left.notified();
            if shared.guests.open.load(Ordering::Relaxed) == 0 {
                break;
            }
            // Woken by each that leaves; the pause covers one that left between the two lines above.
            let _ = tokio::time::timeout(QUIET, left).await;
        }
    };
    let _ = tokio::time::timeout(DRAIN, all_left).await;
}

fn serve(runtime: Runtime, until_stopped: impl Future<Output = ()>) {
    runtime.block_on(until_stopped);
    // What is left now is cut off. No task blocks but on the file.
    runtime.shutdown_timeout(Duration::from_secs(1));
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
