//! The same content in other clients' lines.

use std::hint::black_box;
use std::io;
use std::ops::Range;
use std::process::Command;

use benches::data::{NAME, SOURCE, TAGS, timestamp};
use benches::paths::{CLEARED, Input, of};
use cadence::prelude::*;
use cadence::{MetricSink, NopMetricSink, StatsdClient};
use questdb::ingress::{Buffer, ProtocolVersion, TimestampNanos};

/// Gauges of `cadence`, with a source and `tags` of a metric, to a sink that does nothing with them.
pub struct Cadence(StatsdClient);

impl Cadence {
    pub fn new() -> Self {
        Self(StatsdClient::from_sink("", NopMetricSink))
    }

    /// A line, as its sink sees it.
    pub fn line(tags: usize) -> String {
        struct Shown(std::sync::mpsc::SyncSender<String>);
        impl MetricSink for Shown {
            fn emit(&self, metric: &str) -> io::Result<usize> {
                self.0.send(metric.to_owned()).map(|()| metric.len()).map_err(io::Error::other)
            }
        }
        let (shown, line) = std::sync::mpsc::sync_channel(1);
        Self(StatsdClient::from_sink("", Shown(shown))).write(42422.01, 0, tags);
        line.recv().unwrap()
    }

    pub fn run(&self, input: &Input, lines: Range<usize>, tags: usize) {
        for line in lines {
            self.write(*of(&input.two_decimals, line), line, tags);
        }
    }

    #[inline(always)]
    fn write(&self, value: f64, line: usize, tags: usize) {
        let mut gauge = self.0.gauge_with_tags(black_box(NAME), value).with_timestamp(timestamp(line));
        gauge = gauge.with_tag("source", black_box(SOURCE));
        for &(key, value) in &black_box(&TAGS)[..tags] {
            gauge = gauge.with_tag(key, value);
        }
        gauge.try_send().unwrap();
    }
}

/// Rows of `questdb-rs` in its text buffer.
pub struct Questdb(Buffer);

impl Questdb {
    pub fn new() -> Self {
        Self(Buffer::new(ProtocolVersion::V1))
    }

    pub fn line(tags: usize) -> String {
        let mut questdb = Self::new();
        questdb.write(42422.01, 0, tags);
        String::from_utf8(questdb.0.as_bytes().to_vec()).unwrap()
    }

    pub fn run(&mut self, input: &Input, lines: Range<usize>, tags: usize) {
        for line in lines {
            if line % CLEARED == 0 {
                self.0.clear();
            }
            self.write(*of(&input.two_decimals, line), line, tags);
        }
    }

    #[inline(always)]
    fn write(&mut self, value: f64, line: usize, tags: usize) {
        let row = self.0.table(black_box(NAME)).and_then(|row| row.symbol("source", black_box(SOURCE))).unwrap();
        for &(key, value) in &black_box(&TAGS)[..tags] {
            row.symbol(key, value).unwrap();
        }
        let nanos = TimestampNanos::new(timestamp(line) as i64 * 1_000_000_000);
        row.column_f64("value", value).and_then(|row| row.at(nanos)).unwrap();
    }
}

/// Nanoseconds a line of `metric_to_line_data` in the Python SDK, in a process of its own.
pub fn python(program: &str, tags: usize) -> f64 {
    let output = Command::new(program).arg("python.py").arg(tags.to_string()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
}
