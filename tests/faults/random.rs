//! Answers at random, batch by batch: whatever the mixture, nothing is lost that the ledger does not tell of.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use wavefront_sdk::delivery::Backoff;
use wavefront_sdk::{Histogram, Metric, Sender, Span, Uuid};

use super::account::{Account, LONG, name_of, note};
use super::chance::{Chance, seed};
use super::server::{Reply, Request, Script, Server};

/// How many servers are met, and by how many threads: they mostly wait.
const SEEDS: u64 = 300;
const THREADS: usize = 8;

/// After so many requests it answers as it should, so that every test has an end.
const BAD: usize = 60;

/// Answers by chance, the same for each number of a request.
struct Moody {
    seed: u64,
    /// Lines of batches that were refused for good.
    refused: Arc<Mutex<HashSet<String>>>,
}

impl Moody {
    fn chance(&self, number: usize) -> Chance {
        Chance::new(self.seed.wrapping_mul(1_000_003).wrapping_add(number as u64))
    }
}

impl Script for Moody {
    fn reply(&self, request: &Request) -> Reply {
        let mut chance = self.chance(request.number);
        let takes = chance.one_in(2);
        let mood = if request.number < BAD { chance.of(0..100) } else { 0 };
        match mood {
            0..45 => Reply::status([200, 202, 204][chance.of(0..3) as usize]),
            45..50 => Reply::status(202).and_close(),
            50..56 => Reply::status(413),
            56..72 => {
                let headers = ["", "", "Retry-After: 0\r\n", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"];
                let status = [406, 408, 429, 500, 502, 503, 504][chance.of(0..7) as usize];
                Reply::with(status, headers[chance.of(0..4) as usize], "not now").taking(takes)
            }
            72..76 => Reply::status([401, 403][chance.of(0..2) as usize]),
            76..79 => {
                self.refused.lock().unwrap().extend(request.names());
                Reply::with([400, 404, 422][chance.of(0..3) as usize], "", "never")
            }
            79..80 => Reply::hang().taking(takes),
            80..84 => Reply::raw(b"").taking(takes),
            84..87 => Reply::raw(b"HTTP/1.1 20").taking(takes),
            87..90 => Reply::raw(b"\xff\x00 garbage\r\n\r\n").taking(takes),
            90..93 => Reply::raw(b"HTTP/1.1 202 x\r\nContent-Length: 9\r\n\r\nhalf").taking(true),
            93..96 => Reply::raw(b"HTTP/1.1 503 x\r\nContent-Length: 9\r\n\r\nhalf").taking(takes),
            _ => Reply::raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 x\r\nContent-Length: 0\r\n\r\n").taking(true),
        }
    }

    fn cut(&self, number: usize) -> Option<usize> {
        let mut chance = self.chance(number + (1 << 20));
        (number < BAD && chance.one_in(20)).then(|| chance.of(0..2000) as usize)
    }
}

/// What one server got: sent, arrived, told, duplicates, resent.
fn meet(seed: u64) -> [usize; 5] {
    let mut chance = Chance::new(seed);
    let refused = Arc::new(Mutex::default());
    let server = Server::new(Moody { seed, refused: Arc::clone(&refused) });
    let quick = Backoff::new(Duration::from_millis(1), Duration::from_millis(4));
    let in_flight = chance.of(1..6) as usize;
    let sender = Sender::builder(&server.url())
        .own_metrics(None)
        .source("s")
        .backoff(quick)
        .auth_backoff(quick)
        .batch_size(chance.of(1..30) as usize)
        .in_flight(in_flight)
        .request_timeout(Duration::from_millis(200))
        .build()
        .unwrap();
    let mut sent = Vec::new();
    for number in 0..chance.of(50..300) {
        let kind = ["m", "m", "h", "s"][chance.of(0..4) as usize];
        let name = format!("{kind}{number}");
        let id = Uuid::from_u128(number.into());
        match kind {
            "m" => sender.send(Metric::new(&name, 1.0)),
            "h" => sender.send(Histogram::new(&name, &[(1.0, 2)])),
            _ => sender.send(Span::new(&name, 1_552_949_776_000, 343, id, id)),
        }
        .unwrap();
        sent.push(name);
        if chance.one_in(40) {
            thread::sleep(chance.millis(0..4));
        }
        if chance.one_in(100) {
            let _ = sender.flush(chance.millis(0..20));
        }
    }
    let ledger = sender.close(LONG);
    let taken = server.taken();
    let count = sent.len();
    let account = Account::settle(sent.iter().cloned(), taken.iter().map(String::as_str), &ledger);
    let total = ledger.total();
    assert_eq!(
        total.dropped.total(),
        total.dropped.rejected + total.dropped.too_large,
        "nothing else was lost: {total:?}"
    );
    // A line that is not there was refused for good, or too large alone: then there were never more of them.
    let refused = refused.lock().unwrap();
    let too_large = account.missing.difference(&refused).count();
    assert!(too_large <= total.dropped.too_large, "{too_large} {total:?}");
    if in_flight == 1 {
        in_order(&taken);
    }
    [count, count - account.missing.len(), total.dropped.total(), account.duplicates, total.resent]
}

/// Of each kind, the first arrivals are in the order in which they were sent.
fn in_order(taken: &[String]) {
    for kind in ["m", "h", "s"] {
        let mut seen = HashSet::new();
        let firsts = taken.iter().filter_map(|line| name_of(line).strip_prefix(kind)).filter(|it| seen.insert(*it));
        let numbers: Vec<u64> = firsts.map(|number| number.parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
}

#[test]
fn nothing_is_lost_to_servers_that_answer_at_random() {
    let first = seed();
    let next = AtomicU64::new(0);
    let sums: [AtomicUsize; 5] = Default::default();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= SEEDS {
                        return;
                    }
                    let seed = first.wrapping_add(number);
                    let counts = std::panic::catch_unwind(|| meet(seed))
                        .unwrap_or_else(|_| panic!("WAVEFRONT_FAULT_SEED={seed} is the one that failed"));
                    for (sum, count) in sums.iter().zip(counts) {
                        sum.fetch_add(count, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let [sent, arrived, told, duplicates, resent] = sums.map(AtomicUsize::into_inner);
    assert!(resent > 0 && told > 0 && duplicates > 0, "there were no faults");
    note(&format!("HTTP: {SEEDS} servers that answer at random"), sent, arrived, told, duplicates, Some(resent));
}
