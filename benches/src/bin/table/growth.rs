//! What grows with the lines, the tags, the threads and the queue, and how.

use std::ops::Range;

use benches::data::{NAME, SOURCE, timestamp};
use benches::paths::{self, Input, each, of};
use benches::sending::{send, sender};
use wavefront_sdk::{Encode, Metric};

use super::measure::{median, process_time, thread_time};
use super::sending::{LONG, held};

/// A curve: what was measured over what it depends on.
pub struct Growth {
    pub file: &'static str,
    pub title: &'static str,
    pub over: &'static str,
    pub unit: &'static str,
    pub logarithmic: bool,
    /// Whether it is to stay as it is, not to grow.
    pub flat: bool,
    pub points: Vec<(f64, f64)>,
    /// How many times as much the last of what there is more of costs as the first of it: 1 is a straight line.
    pub bend: f64,
}

/// A bend up to here is as straight as a machine that others use can measure.
pub const STRAIGHT: f64 = 1.25;

pub fn all(input: &Input) -> Vec<Growth> {
    vec![lines(input), tags(input), threads(input), queue(input)]
}

/// The median of some measurements.
fn typical(times: usize, mut measure: impl FnMut() -> f64) -> f64 {
    median(&mut (0..times).map(|_| measure()).collect::<Vec<_>>())
}

fn lines(input: &Input) -> Growth {
    const PIECE: usize = 10_000;
    let mut out = Vec::with_capacity(1 << 17);
    let mut took = |lines: Range<usize>| {
        let began = thread_time();
        (paths::METRIC_1_TAG.run)(input, lines, &mut out);
        (thread_time() - began) / 1e6
    };
    took(0..100_000);
    let mut points: Vec<_> = [1_000, 10_000, 100_000, 1_000_000_usize]
        .map(|lines| (lines as f64, typical((10_000_000 / lines).clamp(1, 101), || took(0..lines))))
        .into();
    // The longest takes so long that the machine changes: after each piece of it comes one of the first lines again.
    let (mut all, mut first) = (0.0, 0.0);
    for from in (0..10_000_000).step_by(PIECE) {
        all += took(from..from + PIECE);
        first += took(0..PIECE);
    }
    points.push((1e7, all));
    Growth {
        file: "lines",
        title: "Encoding lines: a metric with one tag",
        over: "lines",
        unit: "ms of a processor",
        logarithmic: true,
        flat: false,
        bend: all / first,
        points,
    }
}

fn tags(input: &Input) -> Growth {
    let pairs: Vec<(String, String)> =
        (0..20).map(|tag| (format!("dimension.{tag:02}"), format!("value-{tag:02}"))).collect();
    let mut out = Vec::with_capacity(1 << 17);
    let mut took = |tags: &[(String, String)]| {
        let began = thread_time();
        each(0..4096, &mut out, |line, out| {
            let metric = Metric::new(NAME, *of(&input.two_decimals, line)).timestamp(timestamp(line)).source(SOURCE);
            assert!(metric.tags(tags).encode(&input.rules, out).is_ok());
        });
        (thread_time() - began) / 4096.0
    };
    // All in turn, so that the machine is the same to each.
    let mut all = vec![Vec::new(); 21];
    for _ in 0..101 {
        for (tags, times) in all.iter_mut().enumerate() {
            times.push(took(&pairs[..tags]));
        }
    }
    let points: Vec<_> = all.iter_mut().enumerate().map(|(tags, times)| (tags as f64, median(times))).collect();
    let slope = |from: usize, to: usize| (points[to].1 - points[from].1) / (to - from) as f64;
    Growth {
        file: "tags",
        title: "Encoding a metric with more and more tags",
        over: "tags",
        unit: "ns a line",
        logarithmic: false,
        flat: false,
        bend: slope(10, 20) / slope(0, 10),
        points,
    }
}

fn threads(input: &Input) -> Growth {
    const LINES: usize = 200_000;
    let took = |threads: usize, work: &(dyn Fn() + Sync)| {
        let began = process_time();
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
        (process_time() - began) / (threads * LINES) as f64
    };
    let sending = |threads| {
        let sender = sender(4 << 20);
        send(&sender, input, 0..LINES);
        let took = took(threads, &|| send(&sender, input, 0..LINES));
        sender.close(LONG);
        took
    };
    let encoding =
        |threads| took(threads, &|| (paths::METRIC_1_TAG.run)(input, 0..LINES, &mut Vec::with_capacity(1 << 17)));
    // Processors that share a core are slower where both have work: so each is compared with as many threads that share
    // nothing, in turn with them.
    let mut all = vec![(Vec::new(), Vec::new()); 8];
    for _ in 0..9 {
        for (before, (times, ratios)) in all.iter_mut().enumerate() {
            let (sent, encoded) = (sending(before + 1), encoding(before + 1));
            times.push(sent);
            ratios.push(sent / encoded);
        }
    }
    let points = all.iter_mut().enumerate().map(|(before, (times, _))| ((before + 1) as f64, median(times))).collect();
    Growth {
        file: "threads",
        title: "Threads that send through one sender",
        over: "threads",
        unit: "ns of a processor a line",
        logarithmic: false,
        flat: true,
        bend: median(&mut all[7].1) / median(&mut all[0].1),
        points,
    }
}

fn queue(input: &Input) -> Growth {
    const STEPS: usize = 20;
    const LINES: usize = 50_000;
    let mut all = vec![Vec::new(); STEPS];
    for _ in 0..5 {
        let (sender, let_go) = held(STEPS * LINES + 100_000);
        for (step, times) in all.iter_mut().enumerate() {
            let began = thread_time();
            send(&sender, input, step * LINES..(step + 1) * LINES);
            times.push((thread_time() - began) / LINES as f64);
        }
        drop(let_go);
        sender.close(LONG);
    }
    let points: Vec<_> = all
        .iter_mut()
        .enumerate()
        .map(|(step, times)| ((step + 1) as f64 * 100.0 / STEPS as f64, median(times)))
        .collect();
    let half = |points: &[(f64, f64)]| median(&mut points.iter().map(|point| point.1).collect::<Vec<_>>());
    Growth {
        file: "queue",
        title: "`send` while a queue of 1,000,000 lines fills",
        over: "% full",
        unit: "ns a line",
        logarithmic: false,
        flat: true,
        bend: half(&points[STEPS / 2..]) / half(&points[..STEPS / 2]),
        points,
    }
}
