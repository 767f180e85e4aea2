//! A service that is watched: counters and a series from its threads, a histogram of latencies, a span with logs a
//! request, and at the end what became of every line.
//!
//! ```text
//! wavefront collect --listen 127.0.0.1:2878 &
//! cargo run --example service -- proxy://127.0.0.1:2878
//! ```
//!
//! Without an argument the endpoint is `WAVEFRONT_URL`'s. Exit 1: something did not arrive.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, SystemTime};

use wavefront_sdk::{ApplicationTags, DeltaCounter, Granularity, Histogram, Sender, Span, SpanLog, Uuid};

const WORKERS: usize = 4;
const REQUESTS: usize = 50;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let builder = match std::env::args().nth(1) {
        Some(url) => Sender::builder(&url),
        None => wavefront_sdk::sender::SenderBuilder::from_env()?,
    };
    // The hook hears of everything that goes wrong; none of it stops the service.
    let builder = builder.on_error(|incident| eprintln!("{:?}: {incident}", incident.blame()));
    let application = ApplicationTags::new("shop", "checkout");
    let sender = builder.heartbeat(&application, "rust").build()?;

    // Handles are clones that share one queue; `send` never waits for the network.
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let sender = sender.clone();
            thread::spawn(move || serve(worker, &sender))
        })
        .collect();
    for worker in workers {
        if let Ok(Err(wrong)) = worker.join() {
            eprintln!("a worker stopped: {wrong}");
        }
    }

    let ledger = sender.close(Duration::from_secs(5));
    for (kind, row) in ledger.rows().filter(|(_, row)| row.accepted > 0) {
        eprintln!("{kind:12} {:5} sent {:5} arrived {:5} failed", row.accepted, row.delivered, row.failures());
    }
    Ok(if ledger.failure_count() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn serve(worker: usize, sender: &Sender) -> Result<(), wavefront_sdk::sender::SendError> {
    let worker = format!("worker-{worker}");
    // A series that is sent often is checked and written once.
    let waiting = sender.prepare("shop.checkout.waiting", "", [("worker", &worker)])?;
    let mut latencies = Vec::new();
    for request in 0..REQUESTS {
        let (start, latency) = (now(), 3 + (request * 7 % 40) as u64);
        waiting.send(((REQUESTS - request) / 4) as f64)?;
        sender.send(DeltaCounter::new("shop.checkout.requests", 1.0).tag("worker", &worker))?;
        latencies.push((latency as f64, 1));

        let items = (request % 5).to_string();
        let fields = [("event", "paid"), ("items", &items)];
        let logs = [SpanLog::new((start + latency / 2) * 1000, &fields)];
        let span = Span::new("POST /checkout", start, latency, id(), id()).logs(&logs);
        sender.send(span.tags(ApplicationTags::new("shop", "checkout")).tag("worker", &worker))?;
    }
    // The service adds up what comes within a minute, from all workers.
    sender.send(Histogram::new("shop.checkout.latency", &latencies).granularities(Granularity::Minute))
}

/// ms since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Whatever an application makes its ids with; `uuid`'s `v4` is usual.
fn id() -> Uuid {
    let random = || RandomState::new().hash_one(0);
    Uuid::from_u64_pair(random(), random())
}
