//! Spans and their logs.

use uuid::Uuid;

use super::{Tagged, Tags};

/// A span: an operation of a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Span<'a, T: ?Sized = ()> {
    /// The operation's name.
    pub name: &'a str,
    /// When it began, in ms since 1970.
    pub start_millis: u64,
    /// How long it took, in ms.
    pub duration_millis: u64,
    /// Where it ran; the default source if none or blank.
    pub source: Option<&'a str>,
    /// The trace it belongs to.
    pub trace_id: Uuid,
    /// Its own id.
    pub span_id: Uuid,
    /// The spans that caused it and wait for it.
    pub parents: &'a [Uuid],
    /// The spans that caused it and do not wait.
    pub follows_from: &'a [Uuid],
    /// What happened during it; sent as a line of its own.
    pub logs: &'a [SpanLog<'a>],
    /// Its tags; keys may be repeated.
    pub tags: T,
}

/// One record of a span's logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpanLog<'a> {
    /// When, in µs since 1970.
    pub timestamp: u64,
    /// What: strings only, the receiver drops a log that holds anything else.
    pub fields: &'a [(&'a str, &'a str)],
}

/// The logs of a span, as a line of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpanLogs<'a> {
    /// The trace of the span.
    pub trace_id: Uuid,
    /// The span.
    pub span_id: Uuid,
    /// A second id, for spans whose two halves share one.
    pub secondary_id: Option<&'a str>,
    /// The records: at least one.
    pub logs: &'a [SpanLog<'a>],
    /// The span's own line, so that a proxy samples both alike.
    pub span: Option<&'a str>,
}

impl<'a> Span<'a> {
    /// The operation `name`, begun at `start_millis` (ms since 1970), lasting `duration_millis`.
    pub const fn new(name: &'a str, start_millis: u64, duration_millis: u64, trace_id: Uuid, span_id: Uuid) -> Self {
        Self {
            name,
            start_millis,
            duration_millis,
            source: None,
            trace_id,
            span_id,
            parents: &[],
            follows_from: &[],
            tags: (),
            logs: &[],
        }
    }
}

impl<'a, T: Tags> Span<'a, T> {
    /// Where it ran.
    #[must_use]
    pub fn source(mut self, source: &'a str) -> Self {
        self.source = Some(source);
        self
    }

    /// The spans that caused it and wait for it.
    #[must_use]
    pub fn parents(mut self, parents: &'a [Uuid]) -> Self {
        self.parents = parents;
        self
    }

    /// The spans that caused it and do not wait.
    #[must_use]
    pub fn follows_from(mut self, follows_from: &'a [Uuid]) -> Self {
        self.follows_from = follows_from;
        self
    }

    /// What happened during it.
    #[must_use]
    pub fn logs(mut self, logs: &'a [SpanLog<'a>]) -> Self {
        self.logs = logs;
        self
    }

    /// One tag more.
    #[must_use]
    pub fn tag(self, key: &'a str, value: &'a str) -> Span<'a, Tagged<'a, T>> {
        self.map_tags(|tags| Tagged::new(tags, key, value))
    }

    /// These tags instead of those it has.
    #[must_use]
    pub fn tags<U: Tags>(self, tags: U) -> Span<'a, U> {
        self.map_tags(|_| tags)
    }

    fn map_tags<U>(self, change: impl FnOnce(T) -> U) -> Span<'a, U> {
        Span {
            name: self.name,
            start_millis: self.start_millis,
            duration_millis: self.duration_millis,
            source: self.source,
            trace_id: self.trace_id,
            span_id: self.span_id,
            parents: self.parents,
            follows_from: self.follows_from,
            tags: change(self.tags),
            logs: self.logs,
        }
    }
}

impl<'a> SpanLog<'a> {
    /// At `timestamp` (µs since 1970) this happened.
    pub const fn new(timestamp: u64, fields: &'a [(&'a str, &'a str)]) -> Self {
        Self { timestamp, fields }
    }
}

impl<'a> SpanLogs<'a> {
    /// The logs of the span `span_id`.
    pub const fn new(trace_id: Uuid, span_id: Uuid, logs: &'a [SpanLog<'a>]) -> Self {
        Self { trace_id, span_id, secondary_id: None, logs, span: None }
    }

    /// A second id.
    #[must_use]
    pub const fn secondary_id(mut self, secondary_id: &'a str) -> Self {
        self.secondary_id = Some(secondary_id);
        self
    }

    /// The span's own line, with or without its LF.
    #[must_use]
    pub const fn span(mut self, line: &'a str) -> Self {
        self.span = Some(line);
        self
    }
}
