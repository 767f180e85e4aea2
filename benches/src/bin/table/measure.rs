//! Times of several ways to do the same, taken in turn, so that whatever else the machine does falls on all of them.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// What a clock of the processor shows, in nanoseconds: it stands still while others have the processor.
pub fn thread_time() -> f64 {
    nanoseconds(clock_gettime(ClockId::ThreadCPUTime))
}

/// The same for all threads of the process.
pub fn process_time() -> f64 {
    nanoseconds(clock_gettime(ClockId::ProcessCPUTime))
}

fn nanoseconds(time: Timespec) -> f64 {
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The middle one.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What came of several ways.
pub struct Compared {
    /// Nanoseconds a line of each way, the median of all rounds.
    pub times: Vec<f64>,
    /// How many times as long as the first way each of them takes: the median of the ratios within a round.
    pub ratios: Vec<f64>,
}

/// Takes every way in turn, `rounds` times; each is called with what it takes for the lines from one number to another.
pub fn side_by_side(rounds: usize, lines: usize, ways: &mut [&mut dyn FnMut(std::ops::Range<usize>)]) -> Compared {
    let mut times = vec![Vec::with_capacity(rounds); ways.len()];
    let mut ratios = times.clone();
    for round in 0..rounds + 2 {
        let from = round * lines;
        let took: Vec<f64> = ways
            .iter_mut()
            .map(|way| {
                let began = thread_time();
                way(from..from + lines);
                thread_time() - began
            })
            .collect();
        // The first rounds warm up.
        if round < 2 {
            continue;
        }
        for (at, took_this) in took.iter().enumerate() {
            times[at].push(took_this / lines as f64);
            ratios[at].push(took_this / took[0]);
        }
    }
    Compared {
        times: times.iter_mut().map(|times| median(times)).collect(),
        ratios: ratios.iter_mut().map(|ratios| median(ratios)).collect(),
    }
}
