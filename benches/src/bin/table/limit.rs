//! The limit: the same lines, of which all but the numbers is finished. Finished bytes are copied, timestamps go through
//! `itoa`, values through `zmij`, the fastest formatter of doubles that is known.

use std::hint::black_box;
use std::ops::Range;

use benches::data::{self, MICROS, millis, timestamp};
use benches::paths::{self, Input, Path, each, of};

/// A line as what stands between its numbers.
pub struct Finished {
    pieces: Vec<Vec<u8>>,
}

/// Writes lines of one sort into the same buffer.
pub type Write = fn(&Input, &Finished, Range<usize>, &mut Vec<u8>);

/// The limit of `path`: what is finished of its lines, and how the rest is written.
pub fn of_path(path: Path, input: &Input) -> (Finished, Write) {
    let (mut finished, write): (Finished, Write) = match path.name {
        name if name == paths::PREPARED_17.name => (metric(input, path), metrics_17),
        name if [paths::PREPARED.name, paths::METRIC_1_TAG.name, paths::METRIC_4_TAGS.name].contains(&name) => {
            (metric(input, path), metrics)
        }
        name if name == paths::DELTA.name => (cut(input, path, &[input.two_decimals[0].to_string()]), deltas),
        name if name == paths::HISTOGRAM.name => {
            let means = input.centroids[0].iter().map(|(mean, _)| mean.to_string());
            let numbers: Vec<_> = std::iter::once(timestamp(0).to_string()).chain(means).collect();
            (cut(input, path, &numbers), histograms)
        }
        name if name == paths::SPAN.name => (cut(input, path, &[millis(0).to_string(), "343".into()]), two_integers),
        name if name == paths::SPAN_LOG.name => (cut(input, path, &[MICROS.to_string()]), logs),
        name if name == paths::EVENT.name => {
            (cut(input, path, &[millis(0).to_string(), (millis(0) + 60_000).to_string()]), events)
        }
        name => unreachable!("{name} has no limit"),
    };
    finished.pieces.iter_mut().for_each(Vec::shrink_to_fit);
    // It is the same line, or the limit is of something else.
    let mut lines = Vec::new();
    for line in 0..data::DIFFERENT {
        let (mut ours, mut limit) = (Vec::new(), Vec::new());
        (path.run)(input, line..line + 1, &mut ours);
        write(input, &finished, line..line + 1, &mut limit);
        assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&limit), "{}", path.name);
        lines.push(ours);
    }
    (finished, write)
}

fn metric(input: &Input, path: Path) -> Finished {
    let values = if path.name == paths::PREPARED_17.name { &input.seventeen_digits } else { &input.two_decimals };
    cut(input, path, &[values[0].to_string(), timestamp(0).to_string()])
}

/// The first line, cut at its numbers.
fn cut(input: &Input, path: Path, numbers: &[String]) -> Finished {
    let mut line = Vec::new();
    (path.run)(input, 0..1, &mut line);
    let line = String::from_utf8(line).unwrap();
    let (mut pieces, mut rest) = (Vec::new(), line.as_str());
    for number in numbers {
        let (before, after) = rest.split_once(number).unwrap();
        pieces.push(before.as_bytes().to_vec());
        rest = after;
    }
    pieces.push(rest.as_bytes().to_vec());
    Finished { pieces }
}

impl Finished {
    /// The pieces, as so many as a sort of line has; looked up anew for each line.
    #[inline(always)]
    fn pieces<const N: usize>(&self) -> &[Vec<u8>; N] {
        black_box(&self.pieces).as_array_of()
    }
}

trait AsArray {
    fn as_array_of<const N: usize>(&self) -> &[Vec<u8>; N];
}

impl AsArray for Vec<Vec<u8>> {
    #[inline(always)]
    fn as_array_of<const N: usize>(&self) -> &[Vec<u8>; N] {
        self.as_slice().try_into().unwrap()
    }
}

#[inline(always)]
fn value(value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
}

#[inline(always)]
fn integer(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[inline(always)]
fn points(values: &[f64], finished: &Finished, lines: Range<usize>, out: &mut Vec<u8>) {
    each(lines, out, |line, out| {
        let [name, between, rest] = finished.pieces();
        out.extend_from_slice(name);
        value(*of(values, line), out);
        out.extend_from_slice(between);
        integer(timestamp(line), out);
        out.extend_from_slice(rest);
    });
}

#[inline(never)]
fn metrics(input: &Input, finished: &Finished, lines: Range<usize>, out: &mut Vec<u8>) {
    points(&input.two_decimals, finished, lines, out);
}

#[inline(never)]
fn metrics_17(input: &Input, finished: &Finished, lines: Range<usize>, out: &mut Vec<u8>) {
    points(&input.seventeen_digits, finished, lines, out);
}

#[inline(never)]
fn deltas(input: &Input, finished: &Finished, lines: Range<usize>, out: &mut Vec<u8>) {
    each(lines, out, |line, out| {
        let [name, rest] = finished.pieces();
        out.extend_from_slice(name);
        value(*of(&input.two_decimals, line), out);
        out.extend_from_slice(rest);
    });
}

#[inline(never)]
fn histograms(input: &Input, finished: &Finished, lines: Range<usize>, out: &mut Vec<u8>) {
    each(lines, out, |line, out| {
        let [mark, between @ .., rest] = finished.pieces::<12>();
        out.extend_from_slice(mark);
        integer(timestamp(line), out);
        for (count, (mean, _)) in between.iter().zip(of(&input.centroids, line)) {
            out.extend_from_slice(count);
            value(*mean, out);
        }
        out.extend_from_slice(rest);
    });
}

#[inline(never)]
fn two_integers(_: &Input, finished: &Finished, lines: Range<usize>, out: &mut Vec<u8>) {
    each(lines, out, |line, out| {
        let [before, between, rest] = finished.pieces();
        out.extend_from_slice(before);
        integer(millis(line), out);
        out.extend_from_slice(between);
        integer(343 + (line as u64 & 0xFF), out);
        out.extend_from_slice(rest);
    });
}

#[inline(never)]
fn events(_: &Input, finished: &Finished, lines: Range<usize>, out: &mut Vec<u8>) {
    each(lines, out, |line, out| {
        let [before, between, rest] = finished.pieces();
        out.extend_from_slice(before);
        integer(millis(line), out);
        out.extend_from_slice(between);
        integer(millis(line) + 60_000, out);
        out.extend_from_slice(rest);
    });
}

#[inline(never)]
fn logs(_: &Input, finished: &Finished, lines: Range<usize>, out: &mut Vec<u8>) {
    each(lines, out, |line, out| {
        let [before, rest] = finished.pieces();
        out.extend_from_slice(before);
        integer(MICROS + line as u64, out);
        out.extend_from_slice(rest);
    });
}
