//! Events: something that happened, with a beginning and an end.

use super::{Tagged, Tags};

/// An event. Annotations are its named details (`severity`, `type`, `details` are shown by the service).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event<'a, T: ?Sized = ()> {
    /// The event's name.
    pub name: &'a str,
    /// When it began, in ms since 1970; zero is an error.
    pub start_millis: u64,
    /// When it ended, in ms since 1970; one ms after the start if none.
    pub end_millis: Option<u64>,
    /// Where it happened; the default source if none or blank.
    pub source: Option<&'a str>,
    /// Its tags.
    pub tags: &'a [&'a str],
    /// Its annotations.
    pub annotations: T,
}

impl<'a> Event<'a> {
    /// The event `name` that began at `start_millis` (ms since 1970).
    pub const fn new(name: &'a str, start_millis: u64) -> Self {
        Self { name, start_millis, end_millis: None, source: None, tags: &[], annotations: () }
    }
}

impl<'a, T: Tags> Event<'a, T> {
    /// When it ended, in ms since 1970.
    #[must_use]
    pub fn end(mut self, end_millis: u64) -> Self {
        self.end_millis = Some(end_millis);
        self
    }

    /// Where it happened.
    #[must_use]
    pub fn source(mut self, source: &'a str) -> Self {
        self.source = Some(source);
        self
    }

    /// Its tags.
    #[must_use]
    pub fn tags(mut self, tags: &'a [&'a str]) -> Self {
        self.tags = tags;
        self
    }

    /// One annotation more.
    #[must_use]
    pub fn annotation(self, key: &'a str, value: &'a str) -> Event<'a, Tagged<'a, T>> {
        let Self { name, start_millis, end_millis, source, tags, annotations } = self;
        Event { name, start_millis, end_millis, source, tags, annotations: Tagged::new(annotations, key, value) }
    }

    /// These annotations instead of those it has.
    #[must_use]
    pub fn annotations<U: Tags>(self, annotations: U) -> Event<'a, U> {
        let Self { name, start_millis, end_millis, source, tags, .. } = self;
        Event { name, start_millis, end_millis, source, tags, annotations }
    }
}
