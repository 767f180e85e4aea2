//! What the `log` crate hears: a thousand failures make a handful of lines, and the counts add up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Mutex;

use log::{LevelFilter, Log, Metadata, Record};

mod outage;

/// A logger that keeps what this crate says.
struct Kept(Mutex<Vec<outage::Said>>);

impl Log for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "wavefront_sdk"
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.lock().unwrap().push((record.level().to_string(), record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

static KEPT: Kept = Kept(Mutex::new(Vec::new()));

#[test]
fn a_thousand_failures_are_a_handful_of_lines() {
    log::set_logger(&KEPT).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let said_of = |outage: fn()| {
        outage();
        std::mem::take(&mut *KEPT.0.lock().unwrap())
    };
    outage::check(&said_of(outage::a_thousand_failures), &said_of(outage::a_thousand_lines_lost));
}
