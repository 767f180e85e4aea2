//! What a subscriber of `tracing` hears: a thousand failures make a handful of events, and the counts add up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::sync::{Arc, Mutex};

mod outage;

/// Where the subscriber writes to.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_thousand_failures_are_a_handful_of_events() {
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(move || writer.clone());
    // For every thread: what is said is said by the sender's own.
    tracing::dispatcher::set_global_default(subscriber.finish().into()).unwrap();
    let said_of = |outage: fn()| {
        outage();
        let text = String::from_utf8(std::mem::take(&mut *kept.0.lock().unwrap())).unwrap();
        // LEVEL target: message field=value field=value…
        let lines = text.lines().map(str::trim).filter_map(|line| line.split_once(" wavefront_sdk: "));
        lines.map(|(level, rest)| (level.to_owned(), rest.to_owned())).collect::<Vec<_>>()
    };
    let (first, second) = (said_of(outage::a_thousand_failures), said_of(outage::a_thousand_lines_lost));
    for (level, text) in first.iter().chain(&second).filter(|(level, _)| level != "INFO") {
        assert!(text.contains(" kind=\"metric\" lines=") && text.contains(" kept_back="), "{level} {text}");
    }
    let without_fields = |said: &[outage::Said]| -> Vec<_> {
        let fields = [" kind=", " failures="];
        let cut =
            |text: &str| fields.iter().fold(text.to_owned(), |text, field| text.split(field).next().unwrap().into());
        said.iter().map(|(level, text)| (level.clone(), cut(text))).collect()
    };
    outage::check(&without_fields(&first), &without_fields(&second));
}
