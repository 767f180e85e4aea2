//! A `send` allocates nothing once the queue has had as many lines before: counted by the allocator itself.

#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use wavefront_sdk::sender::SenderBuilder;
use wavefront_sdk::transport::Memory;
use wavefront_sdk::{Kind, Metric, Sender};

const LONG: Duration = Duration::from_secs(20);

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = COUNT.with(Cell::get);
    work();
    COUNT.with(Cell::get) - before
}

fn sender() -> Sender {
    let builder = SenderBuilder::over(Memory::new()).source("host-1").flush_interval(Duration::from_secs(3600));
    builder.max_queue_size(100_000).build().unwrap()
}

#[test]
fn a_fresh_metric_with_four_tags_allocates_nothing() {
    let sender = sender();
    let send = |count: u32| {
        for value in 0..count {
            let metric = Metric::new("new-york.power.usage", f64::from(value) / 100.0).timestamp(1_493_773_500);
            let metric = metric.tag("datacenter", "dc1").tag("rack", "7").tag("unit", "W").tag("phase", "L1");
            sender.send(metric).unwrap();
        }
    };
    send(20_000);
    sender.flush(LONG).unwrap();
    assert_eq!(allocations(|| send(10_000)), 0);
    assert_eq!(allocations(|| drop(vec![0_u8; 9])), 1, "the counter counts");
    assert_eq!(sender.close(LONG).row(Kind::Metric).delivered, 30_000);
}

#[test]
fn a_prepared_series_allocates_nothing() {
    let sender = sender();
    let usage = sender.prepare("new-york.power.usage", "localhost", [("datacenter", "dc1")]).unwrap();
    let send = |count: u32| (0..count).for_each(|value| usage.send_at(f64::from(value), 1_493_773_500).unwrap());
    send(20_000);
    sender.flush(LONG).unwrap();
    assert_eq!(allocations(|| send(10_000)), 0);
    assert_eq!(sender.close(LONG).row(Kind::Metric).delivered, 30_000);
}
