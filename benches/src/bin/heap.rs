//! What a sender takes of the heap, counted by the allocator: `heap` prints the allocations of 100,000 sends on the
//! application's thread, the bytes that a queue of 1,000,000 points takes, and the bytes of their lines.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use benches::data::{NAME, SOURCE, TAGS, timestamp, two_decimals};
use benches::paths::of;
use benches::sending::{over, sender};
use wavefront_sdk::transport::{Accepted, Batch, Transport};
use wavefront_sdk::{Encode, Kind, Metric, Rules, Sender};

const POINTS: usize = 1_000_000;
const LONG: Duration = Duration::from_secs(60);

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        LIVE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Holds on to the first batch for as long as the process lives.
struct Holding;

impl Transport for Holding {
    type Error = Infallible;

    fn send(&mut self, _: Batch<'_>) -> Result<Accepted, Infallible> {
        loop {
            std::thread::park();
        }
    }
}

fn metric(values: &[f64], line: usize) -> Metric<'static, &'static [(&'static str, &'static str)]> {
    Metric::new(NAME, *of(values, line)).timestamp(timestamp(line)).source(SOURCE).tags(&TAGS[..1])
}

fn main() {
    let values = two_decimals();
    let send = |sender: &Sender, lines| {
        for line in 0..lines {
            sender.send(metric(&values, line)).unwrap();
        }
    };

    let taken = sender(2 * POINTS);
    send(&taken, 200_000);
    taken.flush(LONG).unwrap();
    let before = COUNT.get();
    send(&taken, 100_000);
    let allocations = COUNT.get() - before;
    taken.close(LONG);

    let held = over(Holding, 2 * POINTS);
    let before = LIVE.load(Relaxed);
    send(&held, POINTS);
    let queue = LIVE.load(Relaxed) - before;
    assert_eq!(held.ledger().row(Kind::Metric).delivered, 0);
    let (rules, mut line) = (Rules::new(), Vec::new());
    let mut bytes = 0;
    for point in 0..POINTS {
        line.clear();
        metric(&values, point).encode(&rules, &mut line).unwrap();
        bytes += line.len();
    }
    println!("{allocations} {queue} {bytes}");
    // The receiver would hold a close up.
    std::process::exit(0);
}
