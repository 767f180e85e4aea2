//! Data to the queue of a sender.

use wasm_bindgen::prelude::wasm_bindgen;
use wavefront_sdk::{EncodeError, Field, Kind, Prepared};

use crate::border::{Parts, pipe_of, with};
use crate::data::{self, EventParts, SpanParts, centroids, whole};
use crate::fault::Fault;
use crate::pipe::{Pipe, Sent, put};
use crate::strings::Strings;

/// What a call came with.
struct Call<'a> {
    strings: Strings<'a>,
    numbers: &'a [f64],
    /// The sender's own tags.
    common: &'a [(String, String)],
    scratch: &'a mut Vec<u8>,
}

/// Calls `work` with a sender and what came in.
fn send(pipe: u32, strings: u32, numbers: u32, work: impl FnOnce(&mut Pipe, Call<'_>) -> Result<Sent, Fault>) -> i32 {
    with(|border| {
        let Parts { strings, numbers, scratch, pipes, .. } = border.parts(strings, numbers)?;
        let pipe = pipe_of(pipes, pipe)?;
        // Apart while a datum borrows them.
        let common = core::mem::take(&mut pipe.tags);
        let sent = work(pipe, Call { strings, numbers, common: &common, scratch });
        pipe.tags = common;
        Ok(sent? as i32)
    })
}

/// Queues a metric: 0, or 1 where there is enough for a batch.
#[wasm_bindgen]
pub fn send_metric(pipe: u32, strings: u32, value: f64, time: f64) -> i32 {
    send(pipe, strings, 0, |pipe, Call { strings, common, scratch, .. }| {
        let metric = pipe.counted(Kind::Metric, data::metric(strings, value, time, common))?;
        pipe.send(&metric, scratch)
    })
}

/// Queues an increment of a delta counter.
#[wasm_bindgen]
pub fn send_delta(pipe: u32, strings: u32, value: f64) -> i32 {
    send(pipe, strings, 0, |pipe, Call { strings, common, scratch, .. }| {
        pipe.send(&data::delta(strings, value, common), scratch)
    })
}

/// Queues a histogram.
#[wasm_bindgen]
pub fn send_histogram(pipe: u32, strings: u32, numbers: u32, granularities: u32, time: f64) -> i32 {
    send(pipe, strings, numbers, |pipe, Call { strings, numbers, common, scratch }| {
        let centroids = pipe.counted(Kind::Histogram, centroids(numbers))?;
        let histogram = data::histogram(strings, &centroids, granularities, time, common);
        let histogram = pipe.counted(Kind::Histogram, histogram)?;
        pipe.send(&histogram, scratch)
    })
}

/// Queues a span, and its logs.
#[wasm_bindgen]
pub fn send_span(pipe: u32, strings: u32, numbers: u32) -> i32 {
    send(pipe, strings, numbers, |pipe, Call { strings, numbers, common, scratch }| {
        let parts = pipe.counted(Kind::Span, SpanParts::new(strings, numbers))?;
        let logs = parts.logs();
        pipe.send(&parts.span(&logs, common), scratch)
    })
}

/// Queues an event.
#[wasm_bindgen]
pub fn send_event(pipe: u32, strings: u32, tags: u32, start: f64, end: f64) -> i32 {
    send(pipe, strings, 0, |pipe, Call { strings, scratch, .. }| {
        let parts = pipe.counted(Kind::Event, EventParts::new(strings, tags, start, end))?;
        pipe.send(&parts.event(), scratch)
    })
}

/// Prepares a metric that is sent often; says which series it is.
#[wasm_bindgen]
pub fn prepare(pipe: u32, strings: u32) -> i32 {
    with(|border| {
        let Parts { strings, pipes, .. } = border.parts(strings, 0)?;
        let pipe = pipe_of(pipes, pipe)?;
        let series = Prepared::<Vec<u8>>::metric(&data::metric(strings, 0.0, -1.0, &pipe.tags)?, &pipe.rules());
        let series = series.map_err(|EncodeError::Invalid(invalid)| invalid)?;
        Ok(put(&mut pipe.series, series.into_boxed()) as i32)
    })
}

/// Queues a value of a series.
#[wasm_bindgen]
pub fn send_prepared(pipe: u32, series: u32, value: f64, time: f64) -> i32 {
    with(|border| {
        let time = whole(time, Field::Timestamp);
        let pipe = pipe_of(&mut border.pipes, pipe)?;
        let time = pipe.counted(Kind::Metric, time.map_err(Fault::from))?;
        Ok(pipe.send_series(series, value, time, &mut border.scratch)? as i32)
    })
}

/// Forgets a series.
#[wasm_bindgen]
pub fn forget_series(pipe: u32, series: u32) {
    crate::border::look(|border| {
        if let Ok(pipe) = border.pipe(pipe)
            && let Some(series) = pipe.series.get_mut(series as usize)
        {
            *series = None;
        }
    });
}
