//! `!M [timestamp] #count mean … "name" source="src" "k"="v"…`: a line a granularity.

#[cfg(feature = "std")]
use super::DefaultTags;
use super::compact;
use super::metric::put_rest;
use super::number::{is_finite, put_f64, put_u64, with_f64};
use super::out::{Out, Put};
use super::text::Name;
use super::{Encode, Full, Rules, Sink, Slice};
use crate::{EncodeError, Field, Granularity, Histogram, InvalidInput, Kind, Problem, Tags};

/// The reader's counts are signed and of 32 bits.
const MAX_COUNT: u64 = i32::MAX as u64;

impl<T: Tags> Encode for Histogram<'_, T> {
    const KIND: Kind = Kind::Histogram;

    /// A count above 2³¹ − 1 is written as several centroids of the same mean.
    fn encode<S: Sink + ?Sized>(&self, rules: &Rules<'_>, sink: &mut S) -> Result<u32, EncodeError<S::Full>> {
        Out::lines(sink, rules.limits.histogram_line, |out| put_histogram(self, rules, out))
    }

    fn encode_compact(&self, rules: &Rules<'_>, lines: &mut Slice<'_>) -> Result<u32, EncodeError<Full>> {
        compact::histogram(self, rules, lines)
    }

    #[cfg(feature = "std")]
    fn encode_with<S: Sink + ?Sized>(
        &self,
        tags: &DefaultTags,
        rules: &Rules<'_>,
        sink: &mut S,
    ) -> Result<u32, EncodeError<S::Full>> {
        Histogram {
            name: self.name,
            centroids: self.centroids,
            granularities: self.granularities,
            timestamp: self.timestamp,
            source: self.source,
            tags: tags.behind(&self.tags),
        }
        .encode(rules, sink)
    }
}

fn put_histogram<T: Tags + ?Sized>(
    histogram: &Histogram<'_, T>,
    rules: &Rules<'_>,
    out: &mut (impl Put + ?Sized),
) -> Result<u32, InvalidInput> {
    let name = Name::new(histogram.name, Field::HistogramName)?;
    name.check(rules.limits.metric_name, Field::HistogramName)?;
    if histogram.granularities == Default::default() {
        return Err(InvalidInput::new(Field::Granularities, Problem::Missing));
    }
    if histogram.centroids.is_empty() {
        return Err(InvalidInput::new(Field::Centroids, Problem::Missing));
    }
    let mut lines = 0;
    for (granularity, mark) in [(Granularity::Day, b"!D"), (Granularity::Hour, b"!H"), (Granularity::Minute, b"!M")] {
        if !histogram.granularities.contains(granularity) {
            continue;
        }
        out.put(mark);
        if let Some(timestamp) = histogram.timestamp {
            out.put(b" ");
            put_u64(timestamp, out);
        }
        for &(mean, count) in histogram.centroids {
            put_centroid(mean, count, out)?;
        }
        out.put(b" \"");
        name.put(out);
        out.put(b"\"");
        put_rest(histogram.source, &histogram.tags, rules, out)?;
        out.end_line()?;
        lines += 1;
    }
    Ok(lines)
}

/// ` #count mean`, as often as the count needs.
#[inline]
fn put_centroid(mean: f64, count: u64, out: &mut (impl Put + ?Sized)) -> Result<(), InvalidInput> {
    if !is_finite(mean) {
        return Err(InvalidInput::new(Field::CentroidMean, Problem::NotFinite));
    }
    if count == 0 {
        return Err(InvalidInput::new(Field::CentroidCount, Problem::Zero));
    }
    let (mut full, mut rest) = (0, count);
    // `high << 31` is `high * MAX_COUNT + high`: without a division, what is left is 1 to `MAX_COUNT` soon.
    while rest > MAX_COUNT {
        let high = rest >> 31;
        full += high;
        rest = high + (rest & MAX_COUNT);
    }
    if full > 0 {
        put_full_centroids(mean, full, out);
    }
    out.put(b" #");
    put_u64(rest, out);
    out.put(b" ");
    put_f64(mean, out);
    Ok(())
}

#[cold]
fn put_full_centroids(mean: f64, times: u64, out: &mut (impl Put + ?Sized)) {
    with_f64(mean, |mean| {
        let piece = b" #2147483647 ";
        let times = usize::try_from(times).unwrap_or(usize::MAX);
        for left in (1..=times).rev() {
            // Billions of them are counted, not written.
            if out.skipped(left.saturating_mul(piece.len() + mean.len())) {
                return;
            }
            out.put(piece);
            out.put(mean);
        }
    });
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::string::String;
    use std::vec::Vec;
    use std::{format, vec};

    use super::*;
    use crate::Granularities;
    use crate::line::{Count, Full, Slice};

    const RULES: Rules<'_> = Rules::new().default_source("d");

    fn lines(histogram: &impl Encode) -> Result<String, InvalidInput> {
        let mut out = Vec::new();
        match histogram.encode(&RULES, &mut out) {
            Ok(lines) => assert_eq!(lines as usize, out.iter().filter(|&&byte| byte == b'\n').count()),
            Err(EncodeError::Invalid(invalid)) => {
                assert_eq!(out, b"");
                return Err(invalid);
            }
        }
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_line_a_granularity_from_day_to_minute() {
        let histogram =
            Histogram::new("request.latency", &[(30.0, 20), (5.1, 10)]).source("s").tag("region", "us-west");
        let line = "1493773500 #20 30.0 #10 5.1 \"request.latency\" source=\"s\" \"region\"=\"us-west\"\n";
        let all = histogram.granularities(Granularities::ALL).timestamp(1_493_773_500);
        assert_eq!(lines(&all).unwrap(), format!("!D {line}!H {line}!M {line}"));
        let two = all.granularities([Granularity::Minute, Granularity::Day]);
        assert_eq!(lines(&two).unwrap(), format!("!D {line}!M {line}"));
        let plain = lines(&Histogram::new("h", &[(1.0, 1)])).unwrap();
        assert_eq!(plain, "!M #1 1.0 \"h\" source=\"d\"\n");
    }

    #[test]
    fn counts_add_up_whatever_their_size() {
        for count in [1, MAX_COUNT - 1, MAX_COUNT, MAX_COUNT + 1, 2 * MAX_COUNT, 2 * MAX_COUNT + 1, 1000 * MAX_COUNT] {
            let line = lines(&Histogram::new("h", &[(2.5, count)])).unwrap();
            let counts: Vec<u64> =
                line.split(' ').filter_map(|part| part.strip_prefix('#')).map(|count| count.parse().unwrap()).collect();
            assert!(counts.iter().all(|count| (1..=MAX_COUNT).contains(count)));
            assert_eq!(counts.iter().sum::<u64>(), count);
            assert_eq!(line.matches(" 2.5").count(), counts.len());
        }
    }

    #[test]
    fn a_count_that_no_line_can_hold_is_an_error_at_once() {
        let histogram = Histogram::new("h", &[(2.5, u64::MAX), (1.0, u64::MAX)]);
        let invalid = lines(&histogram).unwrap_err();
        assert_eq!(invalid.field, Field::Line);
        assert!(matches!(invalid.problem, Problem::TooLong { limit: 65_536, len } if len > 65_536));
        let limits = crate::Limits { histogram_line: usize::MAX, ..crate::Limits::default() };
        let mut small = [0; 64];
        // More than a line may have, and no more than 32 bits can count.
        let histogram = Histogram::new("h", &[(2.5, 1 << 50)]);
        let error = histogram.encode(&RULES.limits(&limits), &mut Slice::new(&mut small)).unwrap_err();
        assert!(matches!(error, EncodeError::Full(Full { needed, room: 64, .. }) if needed > 1_000_000));
    }

    #[test]
    fn what_a_histogram_needs() {
        let centroids = [(1.0, 1)];
        let problem = |histogram: Histogram<'_>| {
            let invalid = lines(&histogram).unwrap_err();
            (invalid.field, invalid.problem)
        };
        let fine = Histogram::new("h", &centroids);
        assert_eq!(problem(fine.granularities(Granularities::NONE)), (Field::Granularities, Problem::Missing));
        assert_eq!(problem(Histogram::new("h", &[])), (Field::Centroids, Problem::Missing));
        assert_eq!(problem(Histogram::new("h", &[(1.0, 0)])), (Field::CentroidCount, Problem::Zero));
        assert_eq!(problem(Histogram::new("h", &[(f64::NAN, 1)])), (Field::CentroidMean, Problem::NotFinite));
        assert_eq!(problem(Histogram::new("~", &centroids)), (Field::HistogramName, Problem::PrefixOnly));
        let many = vec![(0.25, 1); 9000];
        assert!(matches!(problem(Histogram::new("h", &many)), (Field::Line, Problem::TooLong { .. })));
        assert_eq!(fine.encode(&RULES, &mut Count::new()), Ok(1));
    }

    #[test]
    fn what_has_no_room_says_how_much_it_needs_to_the_byte() {
        for count in [MAX_COUNT, MAX_COUNT + 1, 7 * MAX_COUNT + 5, 40 * MAX_COUNT] {
            let centroids = [(2.5, count), (1e-7, count)];
            let histogram = Histogram::new("h", &centroids);
            let len = lines(&histogram).unwrap().len();
            for room in [0, 20, len - 1] {
                let mut small = vec![0; room];
                let error = histogram.encode(&RULES, &mut Slice::new(&mut small)).unwrap_err();
                assert!(matches!(error, EncodeError::Full(Full { needed, .. }) if needed == len), "{error:?}, {len}");
            }
        }
    }
}
