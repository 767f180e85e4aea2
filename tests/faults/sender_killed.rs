//! The sending process killed at any moment, again and again, while its receiver comes and goes. What it reported durable
//! has to arrive, in order, when the last one has found it in the store.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use wavefront_sdk::delivery::{Backoff, Keep, Mode};
use wavefront_sdk::store::{Directory, Store};
use wavefront_sdk::{Kind, Metric, Sender};

use super::account::{LONG, name_of, note};
use super::chance::{Chance, seed};
use super::receiver::{Receiver, Scratch};

/// How many lines are on disk at the median kill, at least.
const ON_DISK: usize = 5_000;
/// How many lines are sent in a second.
const A_SECOND: f64 = 20_000.0;
/// Each life has numbers of its own, larger than those of the lives before.
const A_LIFE: u64 = 10_000_000;

/// What a sender that is going to be killed is told by its environment.
const LIFE: &str = "WAVEFRONT_FAULT_LIFE";
const URL: &str = "WAVEFRONT_FAULT_URL";
const FOLDER: &str = "WAVEFRONT_FAULT_FOLDER";

/// Who is killed how often.
struct Plan {
    /// Of the test.
    name: &'static str,
    mode: Mode,
    scheme: &'static str,
    lives: u64,
    /// For so many lives nobody listens, so that the disk fills.
    alone: u64,
}

#[test]
fn always() {
    killed(&Plan { name: "sender_killed::always", mode: Mode::Always, scheme: "proxy", lives: 50, alone: 10 });
}

#[test]
fn overflow() {
    killed(&Plan { name: "sender_killed::overflow", mode: Mode::Overflow, scheme: "proxy", lives: 50, alone: 10 });
}

/// No life is as long as the replay window, so that each begins with everything.
#[test]
fn over_tcp() {
    killed(&Plan { name: "sender_killed::over_tcp", mode: Mode::Always, scheme: "tcp", lives: 20, alone: 5 });
}

/// The store is in one folder with what the lives report.
fn sender(url: &str, folder: &Path, mode: Mode) -> Sender {
    let store = Directory::open(folder.join("store")).unwrap();
    Sender::builder(url)
        .own_metrics(None)
        .source("s")
        .in_flight(1)
        .batch_size(500)
        .flush_interval(Duration::from_millis(100))
        .backoff(Backoff::new(Duration::from_millis(1), Duration::from_millis(50)))
        .request_timeout(Duration::from_secs(2))
        .store(store, Keep::new(mode))
        .build()
        .unwrap()
}

/// A life: sends until it is killed, and notes the last number of which it knows that all up to it are safe.
fn live(mode: Mode, life: u64) {
    let folder = std::env::var(FOLDER).unwrap();
    let folder = Path::new(&folder);
    let sender = sender(&std::env::var(URL).unwrap(), folder, mode);
    let mut durable = report(folder, life);
    let begun = Instant::now();
    let mut sent = 0;
    loop {
        let due = (begun.elapsed().as_secs_f64() * A_SECOND) as u64;
        for number in sent..due {
            sender.send(Metric::new(&format!("p{}", life * A_LIFE + number), 1.0)).unwrap();
        }
        sent = sent.max(due);
        if sent > 0 && sender.flush(Duration::from_millis(100)).is_ok() {
            // One write, which a kill cannot undo.
            durable.write_all(format!("{}\n", sent - 1).as_bytes()).unwrap();
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn report(folder: &Path, life: u64) -> File {
    OpenOptions::new().create(true).append(true).open(folder.join(format!("durable-{life:03}"))).unwrap()
}

/// Of each life, how many of its numbers are durable: those from 0 on.
fn reported(folder: &Path, lives: u64) -> BTreeMap<u64, u64> {
    let of = |life: u64| {
        let text = fs::read_to_string(folder.join(format!("durable-{life:03}"))).unwrap_or_default();
        let last = text.lines().last()?;
        Some((life, last.parse::<u64>().unwrap() + 1))
    };
    (0..lives).filter_map(of).collect()
}

/// How many lines the store holds.
fn on_disk(folder: &Path) -> usize {
    let mut store = Directory::open(folder.join("store")).unwrap();
    let (mut lines, mut from) = (0, 0);
    while let Some(head) = store.next(Kind::Metric, from).unwrap() {
        lines += head.lines as usize;
        from = head.key + 1;
    }
    assert_eq!(store.set_aside(), 0, "a kill damages no record");
    lines
}

fn killed(plan: &Plan) {
    let Plan { name, mode, scheme, lives, alone } = *plan;
    if let Ok(life) = std::env::var(LIFE) {
        return live(mode, life.parse().unwrap());
    }
    let mut chance = Chance::new(seed());
    let scratch = Scratch::new("sender");
    let folder = scratch.0.as_path();
    let mut receiver = Receiver::start("flapping");
    receiver.kill();
    let url = format!("{scheme}://{}", receiver.address);
    let (receiver, over) = (Mutex::new(receiver), AtomicBool::new(false));
    let (listened, mut flapping) = (AtomicBool::new(false), Chance::new(chance.next()));
    let mut backlog = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                thread::sleep(flapping.millis(50..250));
                if listened.load(Ordering::SeqCst) {
                    let mut receiver = receiver.lock().unwrap();
                    receiver.revive();
                    thread::sleep(flapping.millis(100..400));
                    receiver.kill();
                }
            }
        });
        // Whatever fails here, the other thread comes to its end.
        let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for life in 0..lives {
                live_and_die(name, &url, folder, life, chance.millis(50..500));
                let stored = on_disk(folder);
                backlog.push(stored);
                // However fast the machine is, the disk does not stay empty.
                let full = if listened.load(Ordering::SeqCst) { 3 * ON_DISK } else { 6 * ON_DISK };
                listened.store(life >= alone && stored > full, Ordering::SeqCst);
            }
        }));
        over.store(true, Ordering::SeqCst);
        if let Err(panic) = lived {
            std::panic::resume_unwind(panic);
        }
    });

    // The last one lives.
    let mut receiver = receiver.into_inner().unwrap();
    receiver.revive();
    let left = on_disk(folder);
    let sender = sender(&url, folder, mode);
    let ledger = sender.close(LONG);
    receiver.kill();
    let total = ledger.total();
    assert!(ledger.is_balanced());
    assert_eq!((total.recovered, total.delivered, total.stored), (left, left, 0), "{total:?}");
    drop(sender);
    assert_eq!(on_disk(folder), 0);

    backlog.sort_unstable();
    let median = backlog[backlog.len() / 2];
    let durable = reported(folder, lives);
    let safe: u64 = durable.values().sum();
    eprintln!("{name}: {safe} durable, {median} on disk at the median kill, {left} at the last");
    assert!(median >= ON_DISK, "{backlog:?}");
    let (arrived, duplicates) = compare(&durable, &receiver.text());
    assert_eq!(arrived, safe, "{} lines were durable and are not there", safe - arrived);
    let stored = if mode == Mode::Always { "always" } else { "overflow" };
    let protocol = if scheme == "tcp" { "TCP" } else { "HTTP" };
    let fault =
        format!("{protocol}, stored ({stored}): the sender killed {lives} times, its receiver coming and going");
    note(&fault, safe as usize, arrived as usize, 0, duplicates, None);
}

/// Starts a sender and kills it after `lifetime`.
fn live_and_die(name: &str, url: &str, folder: &Path, life: u64, lifetime: Duration) {
    let said = folder.join("said");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(LIFE, life.to_string())
        .env(URL, url)
        .env(FOLDER, folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&said).unwrap())
        .spawn()
        .unwrap();
    thread::sleep(lifetime);
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(9), "it ended of its own accord: {}", fs::read_to_string(said).unwrap());
}

/// How many of the durable lines arrived, and how many arrivals of any line were not the first; the first arrivals of
/// durable lines have to be in order.
fn compare(durable: &BTreeMap<u64, u64>, text: &str) -> (u64, usize) {
    let mut seen = HashSet::new();
    let (mut duplicates, mut last, mut arrived) = (0, None, 0);
    for line in text.lines() {
        let number: u64 = name_of(line).strip_prefix('p').unwrap().parse().unwrap();
        if !seen.insert(number) {
            duplicates += 1;
        } else if durable.get(&(number / A_LIFE)).is_some_and(|count| number % A_LIFE < *count) {
            assert!(last < Some(number), "{number} came after {last:?}");
            last = Some(number);
            arrived += 1;
        }
    }
    (arrived, duplicates)
}
