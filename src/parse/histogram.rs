//! Histograms: `!M [timestamp] #count mean… name key=value…`

use core::fmt;

use super::{
    cursor::Cursor,
    error::{Fault, Part, Reason},
    number,
    tags::{self, Tags},
    text::Text,
    validate,
};
use crate::{Granularity, Limits};

/// A distribution, summed up over a minute, an hour or a day.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Histogram<'a> {
    /// Its name.
    pub name: Text<'a>,
    /// What it is summed up over.
    pub granularity: Granularity,
    /// The start of the minute, hour or day, in milliseconds since 1970; none where the line has no timestamp and the
    /// receiver takes its own clock.
    pub timestamp: Option<i64>,
    /// Its centroids, in the line's order: at least one.
    pub centroids: Centroids<'a>,
    /// What it is about; none where the line names nothing and the receiver takes `unknown`.
    pub source: Option<Text<'a>>,
    /// Its tags.
    pub tags: Tags<'a>,
}

/// Centroids: the mean, which may be infinite or NaN, and the count, which may be zero or below where another is not
/// zero.
#[derive(Clone, Copy)]
pub struct Centroids<'a> {
    cursor: Cursor<'a>,
    left: usize,
}

impl Iterator for Centroids<'_> {
    type Item = (f64, i32);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        centroid(&mut self.cursor).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Centroids<'_> {}

impl core::iter::FusedIterator for Centroids<'_> {}

impl fmt::Debug for Centroids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

/// `#`, the count and the mean.
fn centroid(cursor: &mut Cursor<'_>) -> Result<(f64, i32), Fault> {
    cursor.next()?;
    let token = cursor.expect(Part::CentroidCount)?;
    let count = number::integer(&token.text).ok_or(token.fault(Reason::NotAnInteger(Part::CentroidCount)))?;
    let token = cursor.expect(Part::CentroidMean)?;
    let mean = number::double(&token.text).ok_or(token.fault(Reason::NotANumber(Part::CentroidMean)))?;
    Ok((mean, count))
}

pub(super) fn read<'a>(mut cursor: Cursor<'a>, limits: &Limits) -> Result<Histogram<'a>, Fault> {
    let keyword = cursor.expect(Part::Keyword)?;
    let (granularity, duration) = match keyword.text {
        text if text == "!M" => (Granularity::Minute, 60_000),
        text if text == "!H" => (Granularity::Hour, 3_600_000),
        text if text == "!D" => (Granularity::Day, 86_400_000),
        _ => return Err(keyword.fault(Reason::WrongKeyword)),
    };
    let timestamp = cursor.timestamp(Part::Timestamp)?;
    let start = cursor;
    let (mut left, mut samples) = (0, false);
    while cursor.peek()?.is_some_and(|token| token.text == "#") {
        let (_, count) = centroid(&mut cursor)?;
        left += 1;
        samples |= count != 0;
    }
    let next = cursor.peek()?.map_or(cursor.end(), |token| token.at);
    if left == 0 {
        return Err(Fault::new(next, Reason::Missing(Part::Centroids)));
    }
    let centroids = Centroids { cursor: start.up_to(cursor.at()), left };
    let name = cursor.expect(Part::MetricName)?;
    validate::length(&name, Part::MetricName, limits.metric_name)?;
    validate::name(&name, Part::MetricName)?;
    let (source, tags) = tags::read(&mut cursor, limits)?;
    if !samples {
        return Err(Fault::new(start.peek()?.map_or(start.at(), |token| token.at), Reason::NoSamples));
    }
    let timestamp = timestamp.map(|milliseconds| milliseconds / duration * duration);
    Ok(Histogram { name: name.text, granularity, timestamp, centroids, source, tags })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    extern crate std;
    use super::*;
    use crate::parse;
    use std::vec::Vec;

    fn read(line: &str) -> Result<Histogram<'_>, Reason> {
        parse::histogram(line, &Limits::DEFAULT).map_err(|error| error.reason)
    }

    #[test]
    fn a_timestamp_goes_down_to_the_start_of_its_bin() {
        for (line, start) in [
            ("!M 1493773519 #1 1 m", 1_493_773_500_000),
            ("!H 1493773519 #1 1 m", 1_493_773_200_000),
            ("!D 1493773519 #1 1 m", 1_493_769_600_000),
        ] {
            assert_eq!(read(line).unwrap().timestamp, Some(start), "{line}");
        }
        assert_eq!(read("!M #1 1 m").unwrap().timestamp, None);
    }

    #[test]
    fn centroids_as_they_stand() {
        let centroids: Vec<_> = read("!D #20 30.0 # 10 5.1 '#' -3 -0x1p1 m").unwrap().centroids.collect();
        assert_eq!(centroids, [(30.0, 20), (5.1, 10), (-2.0, -3)]);
        assert_eq!(read("!D #1 m").unwrap_err(), Reason::NotANumber(Part::CentroidMean));
        assert_eq!(read("!D #1").unwrap_err(), Reason::Missing(Part::CentroidMean));
        assert_eq!(read("!D #1 1").unwrap_err(), Reason::Missing(Part::MetricName));
        assert_eq!(read("!d #1 1 m").unwrap_err(), Reason::WrongKeyword);
    }
}
