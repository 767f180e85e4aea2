//! A sender with nothing behind it, and what an application does with it.

use std::convert::Infallible;
use std::hint::black_box;
use std::ops::Range;
use std::time::Duration;

use wavefront_sdk::sender::SenderBuilder;
use wavefront_sdk::transport::{Accepted, Batch, Transport};
use wavefront_sdk::{Metric, Sender};

use crate::data::{NAME, SOURCE, TAGS, timestamp};
use crate::paths::{Input, of};

/// Takes everything at once.
struct Taking;

impl Transport for Taking {
    type Error = Infallible;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Infallible> {
        black_box(batch);
        Ok(Accepted::Delivered)
    }
}

/// A sender with room for `lines`, which only full batches leave.
pub fn over<T: Transport + Send + 'static>(transport: T, lines: usize) -> Sender {
    let builder = SenderBuilder::over(transport).source(SOURCE).flush_interval(Duration::from_secs(3600));
    builder.max_queue_size(lines).max_queue_bytes(1 << 30).own_metrics(None).build().unwrap()
}

/// A sender with room for `lines`, out of which they go nowhere.
pub fn sender(lines: usize) -> Sender {
    over(Taking, lines)
}

/// Sends fresh metrics with one tag.
#[inline(never)]
pub fn send(sender: &Sender, input: &Input, lines: Range<usize>) {
    for line in lines {
        let metric = Metric::new(black_box(NAME), *of(&input.two_decimals, line)).timestamp(timestamp(line));
        sender.send(metric.source(black_box(SOURCE)).tags(black_box(&TAGS[..1]))).unwrap();
    }
}
