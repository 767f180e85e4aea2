//! A series encoded once, then sent for the price of a number.

#[cfg(feature = "alloc")]
use crate::Limits;
use crate::line::compact;
use crate::line::metric::{NUMBERS, put_name, put_number, put_rest, sendable};
use crate::line::out::{Out, Put};
use crate::line::text::Name;
use crate::line::window;
use crate::line::{Full, Sink, Slice};
use crate::{DeltaCounter, EncodeError, Field, InvalidInput, Kind, Metric, Rules, Tags};

/// A metric or delta counter of which everything but value and timestamp is checked and encoded already.
///
/// `B` is where that is kept: a `heapless::Vec<u8, N>`, a `Vec<u8>` or, after `into_boxed`, a `Box<[u8]>`.
///
/// ```
/// use wavefront_sdk::{Metric, Prepared, Rules, line::Slice};
/// let usage = Metric::new("power.usage", 0.0).source("meter-1").tag("phase", "L1");
/// let usage = Prepared::<heapless::Vec<u8, 64>>::metric(&usage, &Rules::new())?;
/// let mut buffer = [0; 128];
/// let mut lines = Slice::new(&mut buffer);
/// usage.encode(230.5, Some(1493773500), &mut lines)?;
/// assert_eq!(lines.as_bytes(), b"\"power.usage\" 230.5 1493773500 source=\"meter-1\" \"phase\"=\"L1\"\n");
/// # Ok::<(), wavefront_sdk::EncodeError<wavefront_sdk::line::Full>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prepared<B> {
    /// `"name" `, then ` source="src" "k"="v"…` and LF.
    text: B,
    /// Where the number stands between the two.
    split: usize,
    kind: Kind,
    line_limit: usize,
}

impl<B: Sink + AsRef<[u8]> + Default> Prepared<B> {
    /// The series of `metric`, whose own value and timestamp do not count.
    ///
    /// # Errors
    /// Where no line can say it, or it does not fit in a `B`.
    pub fn metric<T: Tags>(metric: &Metric<'_, T>, rules: &Rules<'_>) -> Result<Self, EncodeError<B::Full>> {
        let name = Name::new(metric.name, Field::MetricName)?;
        Self::new(&name, metric.source, &metric.tags, rules)
    }

    /// The series of `counter`, whose own value does not count.
    ///
    /// # Errors
    /// Where no line can say it, or it does not fit in a `B`.
    pub fn delta_counter<T: Tags>(
        counter: &DeltaCounter<'_, T>,
        rules: &Rules<'_>,
    ) -> Result<Self, EncodeError<B::Full>> {
        let name = Name::delta(counter.name, Field::MetricName)?;
        Self::new(&name, counter.source, &counter.tags, rules)
    }

    fn new<T: Tags>(
        name: &Name<'_>,
        source: Option<&str>,
        tags: &T,
        rules: &Rules<'_>,
    ) -> Result<Self, EncodeError<B::Full>> {
        name.check(rules.limits.metric_name, Field::MetricName)?;
        let (mut text, mut split, line_limit) = (B::default(), 0, rules.limits.metric_line);
        Out::line(&mut text, line_limit, |out| {
            put_name(name, out);
            split = out.len();
            put_rest(source, tags, rules, out)
        })?;
        let kind = if name.is_delta() { Kind::Delta } else { Kind::Metric };
        Ok(Self { text, split, kind, line_limit })
    }
}

impl<B: AsRef<[u8]>> Prepared<B> {
    /// The kind of its lines.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Writes a line with `value` and `timestamp` (s, ms, µs or ns since 1970; the receiver's clock if none), and
    /// returns how many: 1, or 0 for an increment of zero.
    ///
    /// # Errors
    /// [`EncodeError::Invalid`] for a value that is not finite, an increment below zero, or a line that gets longer
    /// than the receiver takes; [`EncodeError::Full`] where the sink has no room. The sink is as it was before.
    #[inline]
    pub fn encode<S: Sink + ?Sized>(
        &self,
        value: f64,
        timestamp: Option<u64>,
        sink: &mut S,
    ) -> Result<u32, EncodeError<S::Full>> {
        // About how long it is, but for numbers that are very long.
        let expected = || self.text.as_ref().len() + NUMBERS;
        window::lines(
            sink,
            self.line_limit,
            expected,
            |out| self.put(value, timestamp, out),
            |out| self.put(value, timestamp, out),
        )
    }

    /// As [`encode`](Self::encode), in less code and more time.
    ///
    /// # Errors
    /// As there.
    pub fn encode_compact(
        &self,
        value: f64,
        timestamp: Option<u64>,
        slice: &mut Slice<'_>,
    ) -> Result<u32, EncodeError<Full>> {
        let number = (value, timestamp);
        compact::line_of_series(self.parts(), number, self.kind == Kind::Delta, self.line_limit, slice)
    }

    /// What stands before and behind the number.
    fn parts(&self) -> (&[u8], &[u8]) {
        let text = self.text.as_ref();
        // The split is inside the text, by construction.
        text.split_at_checked(self.split).unwrap_or((text, &[]))
    }

    #[inline]
    fn put(&self, value: f64, timestamp: Option<u64>, out: &mut impl Put) -> Result<u32, InvalidInput> {
        if !sendable(value, self.kind == Kind::Delta)? {
            return Ok(0);
        }
        let (name, rest) = self.parts();
        out.put(name);
        put_number(value, timestamp, out);
        out.put(rest);
        out.end_line()?;
        Ok(1)
    }
}

#[cfg(feature = "alloc")]
impl Prepared<alloc::vec::Vec<u8>> {
    /// The series of a line of `kind` with the value 1.0 and no timestamp, as this crate writes it: of another line it
    /// makes no sense.
    pub fn of_line(line: &[u8], kind: Kind, limits: &Limits) -> Self {
        // Names have no quotes of their own: behind the second one, and a space, stands the number.
        let split = line.iter().skip(1).position(|byte| *byte == b'"').map_or(0, |at| at + 3);
        let (before, after) = line.split_at_checked(split).unwrap_or((line, &[]));
        let mut text = alloc::vec::Vec::with_capacity(line.len());
        text.extend_from_slice(before);
        text.extend_from_slice(after.get("1.0".len()..).unwrap_or_default());
        Self { text, split, kind, line_limit: limits.metric_line }
    }

    /// The same series without spare room.
    pub fn into_boxed(self) -> Prepared<alloc::boxed::Box<[u8]>> {
        let Self { text, split, kind, line_limit } = self;
        Prepared { text: text.into_boxed_slice(), split, kind, line_limit }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::line::Full;
    use crate::{Encode, Limits, Problem};

    const RULES: Rules<'_> = Rules::new().default_source("d");
    const VALUES: [f64; 8] = [0.0, -0.0, 1.0, -1.5, 1e300, f64::NAN, f64::INFINITY, 0.1];

    #[test]
    fn a_prepared_line_is_the_fresh_line() {
        for name in ["a b", "∆a", "Δ~a"] {
            let metric = Metric::new(name, 0.0).tag("k", "v\n");
            let prepared = Prepared::<Vec<u8>>::metric(&metric, &RULES).unwrap();
            assert_eq!(prepared.kind(), metric.kind());
            for (value, timestamp) in VALUES.iter().flat_map(|&value| [(value, None), (value, Some(u64::MAX))]) {
                let (mut fresh, mut quick) = (Vec::new(), Vec::new());
                let metric = Metric { value, timestamp, ..metric };
                let lines = metric.encode(&RULES, &mut fresh);
                assert_eq!(prepared.encode(value, timestamp, &mut quick), lines);
                assert_eq!(quick, fresh);
                is_compact(&prepared, value, timestamp);
            }
        }
    }

    /// By the code for devices it is the same, and no less fits.
    fn is_compact(prepared: &Prepared<Vec<u8>>, value: f64, timestamp: Option<u64>) {
        let mut line = Vec::new();
        let lines = prepared.encode(value, timestamp, &mut line);
        for room in [line.len(), line.len() + 9, line.len().saturating_sub(1), 0] {
            let mut buffer = [b'#'; 99];
            let mut slice = Slice::new(&mut buffer[..room]);
            let outcome = prepared.encode_compact(value, timestamp, &mut slice);
            let written = slice.as_bytes();
            if room < line.len() {
                assert_eq!(outcome, Err(EncodeError::Full(Full { needed: line.len(), room })));
                assert_eq!(written, b"");
            } else {
                assert_eq!(
                    outcome.map_err(|error| *error.invalid().unwrap()),
                    lines.map_err(|error| *error.invalid().unwrap())
                );
                assert_eq!(written, line);
            }
        }
    }

    #[test]
    fn a_series_of_a_line_is_that_of_its_metric() {
        for name in ["a b", "∆a", "Δ~a", "a\" 1.0"] {
            let mut metric = Metric::new(name, 1.0).tag("k", "v\" 1.0");
            let mut line = Vec::new();
            metric.encode(&RULES, &mut line).unwrap();
            metric.value = 7.0;
            let prepared = Prepared::<Vec<u8>>::metric(&metric, &RULES);
            assert_eq!(prepared, Ok(Prepared::of_line(&line, metric.kind(), &Limits::DEFAULT)));
        }
    }

    #[test]
    fn a_prepared_increment_is_the_fresh_increment() {
        let counter = DeltaCounter::new("~a", 0.0).source("s");
        let prepared = Prepared::<Vec<u8>>::delta_counter(&counter, &RULES).unwrap().into_boxed();
        assert_eq!(prepared.kind(), Kind::Delta);
        for value in VALUES {
            let (mut fresh, mut quick) = (Vec::new(), Vec::new());
            let lines = DeltaCounter { value, ..counter }.encode(&RULES, &mut fresh);
            assert_eq!(prepared.encode(value, None, &mut quick), lines);
            assert_eq!(quick, fresh);
        }
    }

    #[test]
    fn what_is_wrong_shows_when_it_is_prepared_or_sent() {
        let bad = Prepared::<Vec<u8>>::metric(&Metric::new("m", 1.0).tag("host", "x"), &RULES);
        assert_eq!(bad, Err(InvalidInput::new(Field::TagKey, Problem::ReservedKey).into()));
        let small = Prepared::<heapless::Vec<u8, 15>>::metric(&Metric::new("m", 1.0), &RULES);
        assert_eq!(small, Err(EncodeError::Full(Full { needed: 16, room: 15 })));
        let limits = crate::Limits { metric_line: 20, ..Default::default() };
        let short = Prepared::<Vec<u8>>::metric(&Metric::new("m", 1.0), &RULES.limits(&limits)).unwrap();
        assert_eq!(short.encode(1.0, None, &mut Vec::new()), Ok(1));
        let too_long = InvalidInput::new(Field::Line, Problem::TooLong { limit: 20, len: 21 });
        assert_eq!(short.encode(100.0, None, &mut Vec::new()), Err(too_long.into()));
    }
}
