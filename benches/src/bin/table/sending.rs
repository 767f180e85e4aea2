//! `send` on an application's thread, and what a queue takes.

use std::convert::Infallible;
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use benches::paths::{self, Input};
use benches::sending::{over, send, sender};
use wavefront_sdk::Sender;
use wavefront_sdk::transport::{Accepted, Batch, Transport};

use super::measure::{Compared, median, side_by_side};
use super::rows::{Better, Row};

pub const LONG: Duration = Duration::from_secs(60);
const LINES: usize = 4096;

/// A transport that holds on to its first batch until it is let go.
struct Holding(Receiver<()>);

impl Transport for Holding {
    type Error = Infallible;

    fn send(&mut self, _: Batch<'_>) -> Result<Accepted, Infallible> {
        // An error is the other end's leaving, after which nothing is held.
        let _ = self.0.recv();
        Ok(Accepted::Delivered)
    }
}

/// A sender out of which nothing comes, with room for `lines`, and what lets its lines go.
pub fn held(lines: usize) -> (Sender, mpsc::Sender<()>) {
    let (let_go, hold) = mpsc::channel();
    (over(Holding(hold), lines), let_go)
}

pub fn rows(input: &Input) -> Vec<Row> {
    let (sender, mut out) = (sender(1 << 20), Vec::with_capacity(1 << 17));
    let Compared { times, ratios } = side_by_side(
        300,
        LINES,
        &mut [&mut |lines| (paths::METRIC_1_TAG.run)(input, lines, &mut out), &mut |lines| send(&sender, input, lines)],
    );
    sender.close(LONG);
    let slow = slowest_of_a_thousand(input);
    let (allocations, queue, bytes) = heap();
    let row = |what: &str, goal, floor, unit, measured, figures| Row {
        what: what.into(),
        better: Better::Less,
        goal,
        floor,
        unit,
        measured,
        figures,
    };
    vec![
        row(
            "`send`, metric, 1 tag",
            2.0,
            3.0,
            "× encoding alone",
            ratios[1],
            format!(
                "{:.0} ns, encoding {:.0} ns; of two threads at once, 99.9 % of the calls within {:.1} µs",
                times[1],
                times[0],
                slow / 1e3
            ),
        ),
        row(
            "`send`, allocations of 100,000 calls",
            0.0,
            0.0,
            "",
            allocations as f64,
            "on the application's thread".into(),
        ),
        row(
            "a queue of 1,000,000 points",
            16.0,
            16.0,
            "B a point beside the lines' bytes",
            (queue as f64 - bytes as f64) / 1e6,
            format!("{:.1} MB on the heap, lines {:.1} MB", queue as f64 / 1e6, bytes as f64 / 1e6),
        ),
    ]
}

/// The time that 99.9 % of the calls of two threads stay below, by the clock: the median of some rounds.
fn slowest_of_a_thousand(input: &Input) -> f64 {
    const CALLS: usize = 100_000;
    let mut rounds: Vec<f64> = (0..9)
        .map(|_| {
            let sender = sender(1 << 20);
            let times = || {
                let mut times = Vec::with_capacity(CALLS);
                for line in 0..CALLS {
                    let began = Instant::now();
                    send(&sender, input, line..line + 1);
                    times.push(began.elapsed().as_nanos() as f64);
                }
                times
            };
            let mut times: Vec<f64> = std::thread::scope(|scope| {
                let threads = [scope.spawn(times), scope.spawn(times)];
                threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
            });
            sender.close(LONG);
            times.sort_by(f64::total_cmp);
            times[times.len() * 999 / 1000]
        })
        .collect();
    median(&mut rounds)
}

/// What the program `heap` beside this one counts.
fn heap() -> (usize, usize, usize) {
    let program = std::env::current_exe().unwrap().with_file_name("heap");
    let output = Command::new(program).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap());
    let mut next = || numbers.next().unwrap();
    (next(), next(), next())
}
