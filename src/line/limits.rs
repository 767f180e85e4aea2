//! What the receiver takes: its default limits, and the rules a line is written by.

/// The receiver's limits. Lengths of text are in UTF-16 code units, as the receiver counts; lines are in bytes.
///
/// The defaults are the proxy's own. A back end may override them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The name of a metric, delta counter or histogram.
    pub metric_name: usize,
    /// A source.
    pub source: usize,
    /// The key of a point tag.
    pub tag_key: usize,
    /// The key and the value of a point tag together.
    pub tag: usize,
    /// Point tags of a line.
    pub tags: usize,
    /// The name of a span.
    pub span_name: usize,
    /// The key of a span tag.
    pub span_tag_key: usize,
    /// Annotations of a span, counting parents, follows-from and the mark of span logs.
    pub span_tags: usize,
    /// A line on a metrics port (metrics, deltas, events, source tags), its LF included.
    pub metric_line: usize,
    /// A line on a histogram port, its LF included.
    pub histogram_line: usize,
    /// A line on a trace port (spans, span logs), its LF included.
    pub trace_line: usize,
}

impl Limits {
    /// The proxy's defaults.
    pub const DEFAULT: Self = Self {
        metric_name: 1023,
        source: 1023,
        tag_key: 253,
        tag: 254,
        tags: 100,
        span_name: 128,
        span_tag_key: 128,
        span_tags: 20,
        metric_line: 32_768,
        histogram_line: 65_536,
        trace_line: 1_048_576,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EventForm {
    /// `@Event …`, for a proxy.
    #[default]
    Line,
    /// A JSON object, for the API of direct ingestion.
    Json,
}

/// What a line is written by, beside its own content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules<'a> {
    /// The source of data that name none, or a blank one.
    pub default_source: Option<&'a str>,
    /// The receiver's limits.
    pub limits: &'a Limits,
    /// How events are written.
    pub events: EventForm,
}

impl<'a> Rules<'a> {
    /// The receiver's default limits, no default source, events as lines.
    pub const fn new() -> Self {
        Self { default_source: None, limits: &Limits::DEFAULT, events: EventForm::Line }
    }

    /// The source of data that name none.
    #[must_use]
    pub const fn default_source(mut self, source: &'a str) -> Self {
        self.default_source = Some(source);
        self
    }

    /// Other limits.
    #[must_use]
    pub const fn limits(mut self, limits: &'a Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How events are written.
    #[must_use]
    pub const fn events(mut self, events: EventForm) -> Self {
        self.events = events;
        self
    }
}

impl Default for Rules<'_> {
    fn default() -> Self {
        Self::new()
    }
}
