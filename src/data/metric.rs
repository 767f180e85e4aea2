//! Metrics and delta counters: a named number.

use super::{Tagged, Tags};

/// A point of a metric.
///
/// ```
/// use wavefront_sdk::Metric;
/// let power = Metric::new("power.usage", 42422.0).timestamp(1493773500).source("localhost").tag("phase", "L1");
/// assert_eq!(power.line().unwrap(), "\"power.usage\" 42422.0 1493773500 source=\"localhost\" \"phase\"=\"L1\"\n");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Metric<'a, T: ?Sized = ()> {
    /// The metric's name.
    pub name: &'a str,
    /// A finite value.
    pub value: f64,
    /// When it was so, in s, ms, µs or ns since 1970 (the reader tells them apart by magnitude); the receiver's clock
    /// if none.
    pub timestamp: Option<u64>,
    /// What it is about; the default source if none or blank.
    pub source: Option<&'a str>,
    /// Its point tags.
    pub tags: T,
}

/// An increment of a counter that the service adds up, from wherever it comes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct DeltaCounter<'a, T: ?Sized = ()> {
    /// The counter's name; `∆` is put in front where it has no delta.
    pub name: &'a str,
    /// What to add: above zero. Zero is nothing to send, below is an error.
    pub value: f64,
    /// What it is about; the default source if none or blank.
    pub source: Option<&'a str>,
    /// Its point tags.
    pub tags: T,
}

impl<'a> Metric<'a> {
    /// `name` has `value`, now, at the default source.
    pub const fn new(name: &'a str, value: f64) -> Self {
        Self { name, value, timestamp: None, source: None, tags: () }
    }
}

impl<'a, T: Tags> Metric<'a, T> {
    /// When it was so: see [`timestamp`](Self::timestamp).
    #[must_use]
    pub fn timestamp(mut self, timestamp: u64) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// What it is about.
    #[must_use]
    pub fn source(mut self, source: &'a str) -> Self {
        self.source = Some(source);
        self
    }

    /// One tag more.
    #[must_use]
    pub fn tag(self, key: &'a str, value: &'a str) -> Metric<'a, Tagged<'a, T>> {
        let Self { name, value: number, timestamp, source, tags } = self;
        Metric { name, value: number, timestamp, source, tags: Tagged::new(tags, key, value) }
    }

    /// These tags instead of those it has.
    #[must_use]
    pub fn tags<U: Tags>(self, tags: U) -> Metric<'a, U> {
        let Self { name, value, timestamp, source, .. } = self;
        Metric { name, value, timestamp, source, tags }
    }
}

impl<'a> DeltaCounter<'a> {
    /// Adds `value` to the counter `name` at the default source.
    pub const fn new(name: &'a str, value: f64) -> Self {
        Self { name, value, source: None, tags: () }
    }
}

impl<'a, T: Tags> DeltaCounter<'a, T> {
    /// What it is about.
    #[must_use]
    pub fn source(mut self, source: &'a str) -> Self {
        self.source = Some(source);
        self
    }

    /// One tag more.
    #[must_use]
    pub fn tag(self, key: &'a str, value: &'a str) -> DeltaCounter<'a, Tagged<'a, T>> {
        let Self { name, value: number, source, tags } = self;
        DeltaCounter { name, value: number, source, tags: Tagged::new(tags, key, value) }
    }

    /// These tags instead of those it has.
    #[must_use]
    pub fn tags<U: Tags>(self, tags: U) -> DeltaCounter<'a, U> {
        let Self { name, value, source, .. } = self;
        DeltaCounter { name, value, source, tags }
    }
}
