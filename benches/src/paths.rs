//! The paths of the library that are measured: each writes (or reads) so many lines as an application would.
//!
//! What stays the same from line to line goes through [`black_box`], so that nothing is found out once for all lines, and
//! no length is known when the program is compiled. The buffer is used again after [`CLEARED`] lines, as the buffers of an
//! application are: it stays in the nearest memory.

use std::hint::black_box;

use wavefront_sdk::{
    DeltaCounter, Encode, Event, Histogram, Limits, Metric, Prepared, Rules, Span, SpanLog, SpanLogs, parse,
};

use crate::data::{
    self, ANNOTATIONS, EVENT_TAGS, IDS, MICROS, NAME, SOURCE, SPAN_NAME, SPAN_TAGS, TAGS, millis, timestamp,
};

/// After so many lines the buffer is emptied.
pub const CLEARED: usize = 64;

/// One way through the library.
#[derive(Clone, Copy)]
pub struct Path {
    pub name: &'static str,
    /// Takes the way for these lines, counted from 0.
    pub run: fn(&Input, std::ops::Range<usize>, &mut Vec<u8>),
}

/// Everything that lines are made of.
pub struct Input {
    pub two_decimals: Vec<f64>,
    pub seventeen_digits: Vec<f64>,
    pub centroids: Vec<[(f64, u64); 10]>,
    pub rules: Rules<'static>,
    pub series: Prepared<Vec<u8>>,
    /// Lines of metrics with four tags, of spans, of span logs.
    pub metrics: Vec<String>,
    pub spans: Vec<String>,
    pub logs: Vec<String>,
}

type Tag = (&'static str, &'static str);

impl Input {
    pub fn new() -> Self {
        let (two_decimals, rules) = (data::two_decimals(), Rules::new());
        let metric = Metric::new(NAME, 0.0).source(SOURCE).tags([TAGS[0]]);
        let series = Prepared::metric(&metric, &rules).unwrap();
        let mut input = Self {
            seventeen_digits: data::seventeen_digits(),
            centroids: data::centroids(&two_decimals),
            two_decimals,
            rules,
            series,
            metrics: Vec::new(),
            spans: Vec::new(),
            logs: Vec::new(),
        };
        input.metrics = input.lines(METRIC_4_TAGS);
        input.spans = input.lines(SPAN);
        input.logs = input.lines(SPAN_LOG);
        input
    }

    /// What `path` writes, line by line, without LF.
    pub fn lines(&self, path: Path) -> Vec<String> {
        let line = |line| {
            let mut out = Vec::new();
            (path.run)(self, line..line + 1, &mut out);
            let mut text = String::from_utf8(out).unwrap();
            assert_eq!(text.pop(), Some('\n'), "{}", path.name);
            text
        };
        (0..data::DIFFERENT).map(line).collect()
    }
}

impl Default for Input {
    fn default() -> Self {
        Self::new()
    }
}

/// Calls `write` for every line, with a buffer that has room.
#[inline(always)]
pub fn each(lines: std::ops::Range<usize>, out: &mut Vec<u8>, mut write: impl FnMut(usize, &mut Vec<u8>)) {
    for line in lines {
        if line % CLEARED == 0 {
            black_box(&mut *out).clear();
        }
        write(line, out);
    }
}

/// The number for this line, of those there are.
#[inline(always)]
pub fn of<T>(all: &[T], line: usize) -> &T {
    &all[line % data::DIFFERENT]
}

/// What is the same in every line, looked up anew for each.
#[inline(always)]
fn same<T: ?Sized>(constant: &'static T) -> &'static T {
    black_box(constant)
}

#[inline(always)]
fn written(result: Result<u32, wavefront_sdk::EncodeError<std::convert::Infallible>>) {
    assert!(result == Ok(1));
}

pub const PREPARED: Path = Path { name: "prepared, two decimals", run: prepared };
pub const PREPARED_17: Path = Path { name: "prepared, 17 digits", run: prepared_17 };
pub const METRIC_1_TAG: Path = Path { name: "metric, 1 tag", run: metric_1_tag };
pub const METRIC_4_TAGS: Path = Path { name: "metric, 4 tags", run: metric_4_tags };
pub const DELTA: Path = Path { name: "delta, 1 tag", run: delta };
pub const HISTOGRAM: Path = Path { name: "histogram, 10 centroids", run: histogram };
pub const SPAN: Path = Path { name: "span, 2 parents, 6 tags", run: span };
pub const SPAN_LOG: Path = Path { name: "span log", run: span_log };
pub const EVENT: Path = Path { name: "event", run: event };
pub const PARSE_METRIC: Path = Path { name: "parse metric, 4 tags", run: parse_metric };
pub const PARSE_SPAN: Path = Path { name: "parse span", run: parse_span };
pub const PARSE_SPAN_LOG: Path = Path { name: "parse span log", run: parse_span_log };

pub const ALL: [Path; 12] = [
    PREPARED,
    PREPARED_17,
    METRIC_1_TAG,
    METRIC_4_TAGS,
    DELTA,
    HISTOGRAM,
    SPAN,
    SPAN_LOG,
    EVENT,
    PARSE_METRIC,
    PARSE_SPAN,
    PARSE_SPAN_LOG,
];

#[inline(never)]
fn prepared(input: &Input, lines: std::ops::Range<usize>, out: &mut Vec<u8>) {
    each(lines, out, |line, out| {
        written(black_box(&input.series).encode(*of(&input.two_decimals, line), Some(timestamp(line)), out))
    });
}

#[inline(never)]
fn prepared_17(input: &Input, lines: std::ops::Range<usize>, out: &mut Vec<u8>) {
    each(lines, out, |line, out| {
        written(black_box(&input.series).encode(*of(&input.seventeen_digits, line), Some(timestamp(line)), out))
    });
}

#[inline(never)]
fn metric_1_tag(input: &Input, lines: std::ops::Range<usize>, out: &mut Vec<u8>) {
    metric::<1>(input, lines, out, same(&[TAGS[0]]));
}

#[inline(never)]
fn metric_4_tags(input: &Input, lines: std::ops::Range<usize>, out: &mut Vec<u8>) {
    metric::<4>(input, lines, out, same(&TAGS));
}

#[inline(always)]
fn metric<const N: usize>(input: &Input, lines: std::ops::Range<usize>, out: &mut Vec<u8>, tags: &'static [Tag; N]) {
    each(lines, out, |line, out| {
        let metric = Metric::new(same(NAME), *of(&input.two_decimals, line)).timestamp(timestamp(line));
        written(metric.source(same(SOURCE)).tags(same(tags)).encode(black_box(&input.rules), out));
    });
}

#[inline(never)]
fn delta(input: &Input, lines: std::ops::Range<usize>, out: &mut Vec<u8>) {
    each(lines, out, |line, out| {
        let counter = DeltaCounter::new(same(NAME), *of(&input.two_decimals, line)).source(same(SOURCE));
        written(counter.tags(same(&[TAGS[0]])).encode(black_box(&input.rules), out));
    });
}

#[inline(never)]
fn histogram(input: &Input, lines: std::ops::Range<usize>, out: &mut Vec<u8>) {
    each(lines, out, |line, out| {
        let histogram = Histogram::new(same(NAME), of(&input.centroids, line).as_slice()).timestamp(timestamp(line));
        let histogram = histogram.granularities(wavefront_sdk::Granularity::Minute);
        written(histogram.source(same(SOURCE)).tags(same(&[TAGS[0]])).encode(black_box(&input.rules), out));
    });
}

#[inline(never)]
fn span(input: &Input, lines: std::ops::Range<usize>, out: &mut Vec<u8>) {
    each(lines, out, |line, out| {
        let ids = same(&IDS);
        let span = Span::new(same(SPAN_NAME), millis(line), 343 + (line as u64 & 0xFF), ids[0], ids[1]);
        let span = span.source(same(SOURCE)).parents(&ids[2..]).tags(same(&SPAN_TAGS));
        written(span.encode(black_box(&input.rules), out));
    });
}

#[inline(never)]
fn span_log(input: &Input, lines: std::ops::Range<usize>, out: &mut Vec<u8>) {
    each(lines, out, |line, out| {
        let (ids, logs) = (same(&IDS), [SpanLog::new(MICROS + line as u64, same(&data::LOG))]);
        written(SpanLogs::new(ids[0], ids[1], &logs).encode(black_box(&input.rules), out));
    });
}

#[inline(never)]
fn event(input: &Input, lines: std::ops::Range<usize>, out: &mut Vec<u8>) {
    each(lines, out, |line, out| {
        let event = Event::new(same(data::EVENT_NAME), millis(line)).end(millis(line) + 60_000).source(same(SOURCE));
        let event = event.tags(same(&EVENT_TAGS)).annotations(same(&ANNOTATIONS));
        written(event.encode(black_box(&input.rules), out));
    });
}

#[inline(always)]
fn parse(all: &[String], lines: std::ops::Range<usize>) {
    for line in lines {
        assert!(
            parse::line(black_box(of(all, line).as_str()), &Limits::DEFAULT).map(|line| black_box(line).kind()).is_ok()
        );
    }
}

#[inline(never)]
fn parse_metric(input: &Input, lines: std::ops::Range<usize>, _: &mut Vec<u8>) {
    parse(&input.metrics, lines);
}

#[inline(never)]
fn parse_span(input: &Input, lines: std::ops::Range<usize>, _: &mut Vec<u8>) {
    parse(&input.spans, lines);
}

#[inline(never)]
fn parse_span_log(input: &Input, lines: std::ops::Range<usize>, _: &mut Vec<u8>) {
    parse(&input.logs, lines);
}
