//! The kinds of line: one queue, one ledger row and one replay rule each.

/// A kind of line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
#[repr(u8)]
pub enum Kind {
    /// A metric's point.
    Metric,
    /// An increment of a delta counter.
    Delta,
    /// A histogram distribution.
    Histogram,
    /// A span.
    Span,
    /// The logs of a span.
    SpanLogs,
    /// An event.
    Event,
    /// A tag or description of a source.
    SourceTag,
}

impl Kind {
    /// How many kinds there are.
    pub const COUNT: usize = 7;

    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Metric, Self::Delta, Self::Histogram, Self::Span, Self::SpanLogs, Self::Event, Self::SourceTag];

    /// The kind's place in [`ALL`](Self::ALL).
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The kind's name: `metric`, `delta`, `histogram`, `span`, `span_logs`, `event`, `source_tag`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Metric => "metric",
            Self::Delta => "delta",
            Self::Histogram => "histogram",
            Self::Span => "span",
            Self::SpanLogs => "span_logs",
            Self::Event => "event",
            Self::SourceTag => "source_tag",
        }
    }

    /// What one request may mix: the receiver takes metrics and deltas together, everything else alone.
    pub const fn format(self) -> Format {
        match self {
            Self::Metric | Self::Delta => Format::Wavefront,
            Self::Histogram => Format::Histogram,
            Self::Span => Format::Trace,
            Self::SpanLogs => Format::SpanLogs,
            Self::Event => Format::Event,
            Self::SourceTag => Format::SourceTag,
        }
    }
}

impl core::fmt::Display for Kind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The format of a request: what the receiver is told to expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Format {
    /// Metrics and delta counters, `f=wavefront`.
    Wavefront,
    /// Histograms, `f=histogram`.
    Histogram,
    /// Spans, `f=trace`.
    Trace,
    /// Span logs, `f=spanLogs`.
    SpanLogs,
    /// Event lines to a proxy, `f=event`; JSON objects to the API of direct ingestion.
    Event,
    /// Source tags and descriptions, without `f`.
    SourceTag,
}

impl Format {
    /// The value of the query's `f`; none for [`SourceTag`](Self::SourceTag), which a proxy detects only without it.
    pub const fn query(self) -> Option<&'static str> {
        match self {
            Self::Wavefront => Some("wavefront"),
            Self::Histogram => Some("histogram"),
            Self::Trace => Some("trace"),
            Self::SpanLogs => Some("spanLogs"),
            Self::Event => Some("event"),
            Self::SourceTag => None,
        }
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct KindSet(u8);

impl KindSet {
    /// No kind.
    pub const NONE: Self = Self(0);
    /// Every kind.
    pub const ALL: Self = Self((1 << Kind::COUNT) - 1);

    /// This set and `kind`.
    #[must_use]
    pub const fn with(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// This set without `kind`.
    #[must_use]
    pub const fn without(self, kind: Kind) -> Self {
        Self(self.0 & !(1 << kind as u8))
    }

    /// Whether `kind` is in the set.
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// Whether no kind is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds of the set, in the order of [`Kind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |&kind| self.contains(kind))
    }
}

impl From<Kind> for KindSet {
    fn from(kind: Kind) -> Self {
        Self::NONE.with(kind)
    }
}

impl FromIterator<Kind> for KindSet {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::NONE, Self::with)
    }
}
