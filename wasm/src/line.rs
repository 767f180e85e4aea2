//! Data to lines, without a sender.

use wasm_bindgen::prelude::wasm_bindgen;
use wavefront_sdk::line::Slice;
use wavefront_sdk::{Encode, Kind, Rules};

use crate::border::{MOST_SCRATCH, Parts, grow, with};
use crate::data::{EventParts, SpanParts, centroids, histogram, metric};
use crate::fault::Unwritten;
use crate::strings::Strings;

/// Writes the lines to `out`, by way of the scratch: the encoders are compiled for that already. The first string is the
/// default source.
fn line(
    strings: u32,
    numbers: u32,
    work: impl Fn(Strings<'_>, &[f64], &Rules<'_>, &mut Slice<'_>) -> Result<u32, Unwritten>,
) -> i32 {
    with(|border| {
        let Parts { mut strings, numbers, out, scratch, .. } = border.parts(strings, numbers)?;
        let mut rules = Rules::new();
        rules.default_source = strings.given();
        loop {
            let mut slice = Slice::new(scratch);
            match work(strings, numbers, &rules, &mut slice) {
                Ok(lines) => {
                    out.clear();
                    out.extend_from_slice(slice.as_bytes());
                    return Ok(lines as i32);
                }
                Err(Unwritten::Full(full)) if scratch.len() < MOST_SCRATCH => grow(scratch, full),
                Err(unwritten) => return Err(unwritten.into()),
            }
        }
    })
}

/// A metric's line.
#[wasm_bindgen]
pub fn metric_line(strings: u32, value: f64, time: f64) -> i32 {
    line(strings, 0, |strings, _, rules, out| Ok(metric(strings, value, time, &[])?.encode(rules, out)?))
}

/// A histogram's lines.
#[wasm_bindgen]
pub fn histogram_lines(strings: u32, numbers: u32, granularities: u32, time: f64) -> i32 {
    line(strings, numbers, |strings, numbers, rules, out| {
        Ok(histogram(strings, &centroids(numbers)?, granularities, time, &[])?.encode(rules, out)?)
    })
}

/// A span's line, with that of its logs behind it where there are any.
#[wasm_bindgen]
pub fn span_lines(strings: u32, numbers: u32) -> i32 {
    line(strings, numbers, |strings, numbers, rules, out| {
        let parts = SpanParts::new(strings, numbers)?;
        let logs = parts.logs();
        Ok(parts.span(&logs, &[]).encode(rules, out)?)
    })
}

/// The line of a span's logs.
#[wasm_bindgen]
pub fn span_logs_line(strings: u32, numbers: u32) -> i32 {
    line(strings, numbers, |strings, numbers, rules, out| {
        let parts = SpanParts::new(strings, numbers)?;
        let logs = parts.logs();
        let companion = parts.span(&logs, &[]).encode_companion(rules, out)?;
        Ok(u32::from(companion == Some(Kind::SpanLogs)))
    })
}

/// An event's line.
#[wasm_bindgen]
pub fn event_line(strings: u32, tags: u32, start: f64, end: f64) -> i32 {
    line(strings, 0, |strings, _, rules, out| {
        Ok(EventParts::new(strings, tags, start, end)?.event().encode(rules, out)?)
    })
}
