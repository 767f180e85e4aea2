//! Histogram distributions: centroids, summed up over a minute, an hour or a day.

use super::{Tagged, Tags};

/// The time over which a histogram is summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Granularity {
    /// `!M`
    Minute,
    /// `!H`
    Hour,
    /// `!D`
    Day,
}

/// A set of [`Granularity`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Granularities(u8);

impl Granularities {
    /// None of them: an error when a histogram is written.
    pub const NONE: Self = Self(0);
    /// All three.
    pub const ALL: Self = Self(7);

    /// This set and `granularity`.
    #[must_use]
    pub const fn with(self, granularity: Granularity) -> Self {
        Self(self.0 | 1 << granularity as u8)
    }

    /// The set of these bits: 1 is the minute, 2 the hour, 4 the day.
    pub const fn of_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Whether `granularity` is in the set.
    pub const fn contains(self, granularity: Granularity) -> bool {
        self.0 & (1 << granularity as u8) != 0
    }
}

impl From<Granularity> for Granularities {
    fn from(granularity: Granularity) -> Self {
        Self::NONE.with(granularity)
    }
}

impl From<&[Granularity]> for Granularities {
    fn from(granularities: &[Granularity]) -> Self {
        granularities.iter().copied().fold(Self::NONE, Self::with)
    }
}

impl<const N: usize> From<[Granularity; N]> for Granularities {
    fn from(granularities: [Granularity; N]) -> Self {
        granularities.as_slice().into()
    }
}

/// A distribution: centroids of (mean, count).
///
/// One line a granularity, in the order day, hour, minute.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Histogram<'a, T: ?Sized = ()> {
    /// The histogram's name.
    pub name: &'a str,
    /// The centroids: a finite mean, and how many samples it stands for (at least one).
    pub centroids: &'a [(f64, u64)],
    /// What to sum it up over: at least one.
    pub granularities: Granularities,
    /// When it was so, in s, ms, µs or ns since 1970; the receiver's clock if none.
    pub timestamp: Option<u64>,
    /// What it is about; the default source if none or blank.
    pub source: Option<&'a str>,
    /// Its point tags.
    pub tags: T,
}

impl<'a> Histogram<'a> {
    /// A distribution called `name`, summed up by the minute unless [`granularities`](Self::granularities) says else.
    pub const fn new(name: &'a str, centroids: &'a [(f64, u64)]) -> Self {
        let granularities = Granularities::NONE.with(Granularity::Minute);
        Self { name, centroids, granularities, timestamp: None, source: None, tags: () }
    }
}

impl<'a, T: Tags> Histogram<'a, T> {
    /// What to sum it up over.
    #[must_use]
    pub fn granularities(mut self, granularities: impl Into<Granularities>) -> Self {
        self.granularities = granularities.into();
        self
    }

    /// When it was so.
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
    pub fn tag(self, key: &'a str, value: &'a str) -> Histogram<'a, Tagged<'a, T>> {
        let Self { name, centroids, granularities, timestamp, source, tags } = self;
        Histogram { name, centroids, granularities, timestamp, source, tags: Tagged::new(tags, key, value) }
    }

    /// These tags instead of those it has.
    #[must_use]
    pub fn tags<U: Tags>(self, tags: U) -> Histogram<'a, U> {
        let Self { name, centroids, granularities, timestamp, source, .. } = self;
        Histogram { name, centroids, granularities, timestamp, source, tags }
    }
}
