//! Tags that data get beside their own.

use std::borrow::ToOwned;
use std::string::String;
use std::vec::Vec;

use crate::{InvalidInput, Metric, Tags};

/// Tags for data that have none of their keys: `SenderBuilder::tags` gives them to each metric, delta counter,
/// histogram and span of a sender. Keys are compared as they stand in a line.
///
/// ```
/// use wavefront_sdk::{Metric, line::DefaultTags};
/// let tags = DefaultTags::new(&[("env", "prod"), ("zone", "a")])?;
/// let line = Metric::new("cpu.load", 0.5).source("s").tags(tags.behind(&[("zone", "b")])).line()?;
/// assert_eq!(line, "\"cpu.load\" 0.5 source=\"s\" \"zone\"=\"b\" \"env\"=\"prod\"\n");
/// # Ok::<(), wavefront_sdk::InvalidInput>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DefaultTags(Vec<DefaultTag>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct DefaultTag {
    key: String,
    value: String,
    /// The key as it is written in a line.
    written: String,
}

/// A datum's own tags, then the [`DefaultTags`] whose keys they have not.
#[derive(Debug, Clone, Copy)]
pub struct Behind<'a, T> {
    own: &'a T,
    tags: &'a DefaultTags,
}

impl DefaultTags {
    /// These.
    ///
    /// # Errors
    /// For a key or a value that no line can have, and a key that is there twice.
    pub fn new(tags: &impl Tags) -> Result<Self, InvalidInput> {
        let mut all = Vec::<DefaultTag>::new();
        tags.try_each(&mut |key, value| {
            // Two of a key are an error, as in any line.
            let line = all.iter().fold(std::vec![(key, value)], |mut line, tag| {
                line.push((&tag.key, &tag.value));
                line
            });
            Metric::new("m", 1.0).source("s").tags(line).line()?;
            all.push(DefaultTag { key: key.to_owned(), value: value.to_owned(), written: written(key, value)? });
            Ok(())
        })?;
        Ok(Self(all))
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `own`, then those whose keys it has not.
    pub const fn behind<'a, T: Tags>(&'a self, own: &'a T) -> Behind<'a, T> {
        Behind { own, tags: self }
    }
}

impl<T: Tags> Tags for Behind<'_, T> {
    #[inline]
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        self.own.try_each(each)?;
        let known =
            |tag: &DefaultTag| self.own.try_each(&mut |key, _| if tag.is(key) { Err(()) } else { Ok(()) }).is_err();
        self.tags.0.iter().filter(|tag| !known(tag)).try_for_each(|tag| each(&tag.key, &tag.value))
    }
}

impl Tags for DefaultTags {
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        self.0.iter().try_for_each(|tag| each(&tag.key, &tag.value))
    }
}

impl DefaultTag {
    /// Whether `key` is this one in a line.
    fn is(&self, key: &str) -> bool {
        // Only a key with characters that are replaced becomes another one.
        let as_it_is = |byte| matches!(byte, b','..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_');
        key == self.written
            || key == self.key
            || !key.bytes().all(as_it_is) && written(key, "v").is_ok_and(|key| key == self.written)
    }
}

/// The key as the encoder writes it.
fn written(key: &str, value: &str) -> Result<String, InvalidInput> {
    let line = Metric::new("m", 1.0).source("s").tag(key, value).line()?;
    let tag = line.split_once("source=\"s\" \"").map_or("", |(_, tag)| tag);
    Ok(tag.split_once('"').map_or("", |(key, _)| key).to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{DeltaCounter, Encode, Granularity, Histogram, Rules, Span, SpanLog, Uuid};

    fn line(defaults: &[(&str, &str)], own: &[(&str, &str)]) -> String {
        let defaults = DefaultTags::new(&defaults).unwrap();
        let line = Metric::new("m", 1.0).source("s").tags(defaults.behind(&own)).line().unwrap();
        line.strip_prefix("\"m\" 1.0 source=\"s\" ").unwrap().trim_end().to_owned()
    }

    #[test]
    fn a_datum_s_own_tag_wins() {
        assert_eq!(line(&[("a", "1"), ("b", "2")], &[]), r#""a"="1" "b"="2""#);
        assert_eq!(line(&[("a", "1")], &[("b", "2")]), r#""b"="2" "a"="1""#);
        assert_eq!(line(&[("a", "1")], &[("a", "2")]), r#""a"="2""#);
        assert_eq!(line(&[("a b", "1")], &[("a-b", "2")]), r#""a-b"="2""#);
        assert_eq!(line(&[("a-b", "1")], &[("a b", "2")]), r#""a-b"="2""#);
    }

    #[test]
    fn what_no_line_can_have_is_refused() {
        for wrong in [&[("", "v")][..], &[("k", "")], &[("source", "v")], &[("a b", "1"), ("a-b", "2")]] {
            assert!(DefaultTags::new(&wrong).is_err(), "{wrong:?}");
        }
    }

    fn both<D: Encode>(data: D) -> String {
        let more = DefaultTags::new(&[("env", "prod")]).unwrap();
        let (rules, mut lines) = (Rules::new().default_source("s"), Vec::new());
        data.encode_with(&more, &rules, &mut lines).unwrap();
        data.encode_companion_with(&more, &rules, &mut lines).unwrap();
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn every_kind_with_tags_gets_them() {
        assert_eq!(both(Metric::new("m", 1.0).timestamp(2)), "\"m\" 1.0 2 source=\"s\" \"env\"=\"prod\"\n");
        assert_eq!(both(Metric::new("m", 1.0).tag("env", "dev")), "\"m\" 1.0 source=\"s\" \"env\"=\"dev\"\n");
        assert_eq!(both(DeltaCounter::new("m", 1.0)), "\"∆m\" 1.0 source=\"s\" \"env\"=\"prod\"\n");
        let histogram = Histogram::new("h", &[(1.0, 2)]).granularities(Granularity::Minute).timestamp(60);
        assert_eq!(both(histogram), "!M 60 #2 1.0 \"h\" source=\"s\" \"env\"=\"prod\"\n");
        let log = [SpanLog::new(1, &[("k", "v")])];
        let span = Span::new("o", 1, 2, Uuid::from_u128(1), Uuid::from_u128(2)).logs(&log);
        let lines = both(span);
        assert_eq!(lines.matches("env").count(), 2, "in the span, and in its copy in the logs: {lines}");
        assert_eq!(both(crate::Event::new("e", 1)), "@Event 1 2 \"e\" host=\"s\"\n");
    }

    #[test]
    fn these_are_tags_themselves_and_go_with_any_other_key() {
        let pairs = [("a", "1"), ("b c", "2")];
        let defaults = DefaultTags::new(&pairs).unwrap();
        assert!(!defaults.is_empty());
        assert!(DefaultTags::new(&[("", ""); 0]).unwrap().is_empty());
        let metric = |tags| Metric::new("m", 1.0).source("s").tags(tags).line();
        assert_eq!(Metric::new("m", 1.0).source("s").tags(&defaults).line(), metric(&pairs[..]));
        // Keys with characters that are replaced, of which none is the default one's.
        assert_eq!(line(&[("a", "1")], &[("c d", "2"), ("a!", "3")]), r#""c-d"="2" "a-"="3" "a"="1""#);
    }
}
