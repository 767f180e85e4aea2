//! The receiving process killed again and again while lines flow, and in the moment of `close`.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use wavefront_sdk::sender::SenderBuilder;
use wavefront_sdk::{DeltaCounter, Metric, Overflow, Sender};

use super::account::{Account, LONG, name_of};
use super::chance::{Chance, seed};
use super::receiver::Receiver;

/// How many points are sent in a second.
const A_SECOND: f64 = 20_000.0;

/// Ten seconds of points.
const MANY: Plan = Plan { fault: "", points: 200_000, kills: 25, delta: false, ordered: false };

/// How often each test is done: once, or `WAVEFRONT_FAULT_RUNS` times.
fn runs() -> usize {
    std::env::var("WAVEFRONT_FAULT_RUNS").map_or(1, |runs| runs.parse().expect("WAVEFRONT_FAULT_RUNS is a number"))
}

fn each_run(plan: &Plan, scheme: &str) {
    let first = seed();
    for run in 0..runs() {
        let receiver = Receiver::start("kills");
        let builder = Sender::builder(&format!("{scheme}://{}", receiver.address)).own_metrics(None);
        plan.run(
            first.wrapping_add(run as u64),
            builder.batch_size(2_000).flush_interval(Duration::from_millis(100)),
            receiver,
        );
    }
}

/// What is killed, and what flows meanwhile.
struct Plan {
    fault: &'static str,
    points: usize,
    kills: usize,
    /// The points' kind: metrics, or delta counters, which are not sent twice over TCP.
    delta: bool,
    /// Whether batches keep their order.
    ordered: bool,
}

impl Plan {
    /// Sends at a steady pace until there were enough points and enough kills; returns how many.
    fn pace(&self, sender: &Sender, kills: &AtomicUsize) -> usize {
        self.send(sender, 0, |sent| sent < self.points || kills.load(Ordering::SeqCst) < self.kills)
    }

    fn send(&self, sender: &Sender, first: usize, go_on: impl Fn(usize) -> bool) -> usize {
        let begun = Instant::now();
        let mut sent = first;
        while go_on(sent) {
            let due = first + (begun.elapsed().as_secs_f64() * A_SECOND) as usize;
            for number in sent..due {
                let name = format!("p{number}");
                let queued = match self.delta {
                    true => sender.send(DeltaCounter::new(&name, 1.0)),
                    false => sender.send(Metric::new(&name, 1.0)),
                };
                queued.unwrap();
            }
            sent = sent.max(due);
            thread::sleep(Duration::from_millis(1));
        }
        sent
    }

    /// One run: kills every 100 to 400 ms while points flow, and one within 0.1 s of the beginning of `close`.
    fn run(&self, seed: u64, builder: SenderBuilder, receiver: Receiver) {
        let mut chance = Chance::new(seed);
        let sender = builder.source("s").overflow(Overflow::Block(LONG)).build().unwrap();
        let (kills, flowing, receiver) = (AtomicUsize::new(0), AtomicBool::new(true), Mutex::new(receiver));
        let (last, close) = (chance.millis(0..100), chance.millis(0..100));
        let (sent, ledger) = thread::scope(|scope| {
            let killing = scope.spawn(|| {
                while flowing.load(Ordering::SeqCst) {
                    thread::sleep(chance.millis(100..400));
                    let mut receiver = receiver.lock().unwrap();
                    if chance.one_in(8) {
                        // Its kernel goes on to take what it does not read.
                        receiver.freeze();
                        thread::sleep(chance.millis(50..200));
                    }
                    receiver.kill();
                    kills.fetch_add(1, Ordering::SeqCst);
                    receiver.revive();
                }
            });
            let sent = self.pace(&sender, &kills);
            flowing.store(false, Ordering::SeqCst);
            killing.join().unwrap();
            scope.spawn(|| {
                thread::sleep(last);
                let mut receiver = receiver.lock().unwrap();
                receiver.kill();
                receiver.revive();
            });
            // Points flow up to the call of `close`.
            let begun = Instant::now();
            let sent = self.send(&sender, sent, |_| begun.elapsed() < close);
            (sent, sender.close(LONG))
        });
        let mut receiver = receiver.into_inner().unwrap();
        // It has written whatever has come.
        receiver.kill();
        let text = receiver.text();
        let prefix = if self.delta { "\u{2206}p" } else { "p" };
        let account = Account::settle((0..sent).map(|number| format!("{prefix}{number}")), text.lines(), &ledger);
        let (kills, total) = (kills.into_inner() + 1, ledger.total());
        eprintln!("{}: {kills} kills, the last {last:?}, close {close:?}: {total:?}", self.fault);
        if !self.delta {
            assert!(account.missing.is_empty() && total.delivered == sent, "{account:?}");
        }
        if self.ordered {
            let mut seen = HashSet::new();
            let numbers = text.lines().map(|line| name_of(line).trim_start_matches(prefix).parse::<usize>().unwrap());
            assert!(numbers.filter(|number| seen.insert(*number)).is_sorted(), "they overtook each other");
        }
        account.note(self.fault);
    }
}

#[test]
fn an_http_receiver_is_killed_while_lines_flow_and_at_close() {
    each_run(&Plan { fault: "HTTP: the receiver killed every 100 to 400 ms, and at close", ..MANY }, "proxy");
}

#[test]
fn a_tcp_receiver_is_killed_while_lines_flow_and_at_close() {
    let fault = "TCP: the receiver killed every 100 to 400 ms, and at close";
    each_run(&Plan { fault, ordered: true, ..MANY }, "tcp");
}

/// Delta counters would count twice: over TCP, those that may have arrived are not sent again, and the ledger says so.
#[test]
fn what_a_repeat_would_falsify_is_doubtful_and_not_lost_in_silence() {
    let fault = "TCP, delta counters: the receiver killed every 100 to 400 ms, and at close";
    each_run(&Plan { fault, points: 50_000, kills: 8, delta: true, ordered: true }, "tcp");
}
