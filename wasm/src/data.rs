//! Data, put together from strings and numbers.

use alloc::vec;
use alloc::vec::Vec;

use wavefront_sdk::delivery::Encoded;
use wavefront_sdk::line::Slice;
use wavefront_sdk::uplink::{Datum, Part};
use wavefront_sdk::{
    DeltaCounter, Event, Field, Granularities, Granularity, Histogram, InvalidInput, Kind, Metric, Problem, Rules,
    Span, SpanLog, Uuid,
};

use crate::fault::Fault;
use crate::strings::{Merged, Strings};

/// A whole number that is not negative; `-1` stands for none, other negative ones for what the caller gave.
pub(crate) fn whole(number: f64, field: Field) -> Result<Option<u64>, InvalidInput> {
    let problem = match number {
        -1.0 => return Ok(None),
        _ if !number.is_finite() => Problem::NotFinite,
        _ if number < 0.0 => Problem::Negative,
        // Beyond it a double is not a whole number that anybody meant, and the receiver has 63 bits.
        _ if number >= 9_223_372_036_854_775_808.0 => Problem::TooLarge,
        _ if number % 1.0 != 0.0 => Problem::Malformed,
        _ => return Ok(Some(number as u64)),
    };
    Err(InvalidInput::new(field, problem))
}

fn needed(number: f64, field: Field) -> Result<u64, Fault> {
    whole(number, field)?.ok_or(InvalidInput::new(field, Problem::Missing).into())
}

/// The next string as an id: 32 hexadecimal digits, with hyphens where they have their place or without.
fn id(strings: &mut Strings<'_>, field: &'static str) -> Result<Uuid, Fault> {
    let text = strings.next().as_bytes();
    let (mut id, mut digits) = ([0; 16], 0);
    for byte in text {
        if *byte == b'-' && text.len() == 36 && matches!(digits, 8 | 12 | 16 | 20) {
            continue;
        }
        let digit = char::from(*byte).to_digit(16).ok_or(Fault::Id(field))?;
        let place: &mut u8 = id.get_mut(digits / 2).ok_or(Fault::Id(field))?;
        *place = *place << 4 | digit as u8;
        digits += 1;
    }
    if digits == 32 { Ok(Uuid::from_bytes(id)) } else { Err(Fault::Id(field)) }
}

/// What a call came with. What it is stands in `js/calls.js` as well.
pub(crate) struct Call<'a> {
    /// The number of a kind.
    pub(crate) what: u32,
    /// Name, source, then what the kind has, then tags.
    pub(crate) strings: Strings<'a>,
    /// A time, another number, then what the kind has.
    pub(crate) numbers: &'a [f64],
    /// The sender's own tags.
    pub(crate) common: Strings<'a>,
    pub(crate) rules: Rules<'a>,
    pub(crate) part: Part,
}

impl Call<'_> {
    /// The lines of the datum; its `kind` is told even where there are none.
    pub(crate) fn encode(&self, kind: &mut Kind, slice: &mut Slice<'_>) -> Result<Encoded, Fault> {
        let Self { mut strings, numbers, common, .. } = *self;
        let [time, second, rest @ ..] = numbers else { return Err(Fault::Gone) };
        let (name, source) = (strings.next(), strings.given());
        let mut encode = |datum: &dyn Datum| {
            *kind = datum.kind();
            Ok(Encoded::of(datum, self.part, &self.rules, slice)?)
        };
        match self.what {
            // The second number is the value.
            METRIC | SERIES => {
                let mut metric = Metric::new(name, *second).tags(Merged { own: strings, common });
                (metric.timestamp, metric.source) = (whole(*time, Field::Timestamp)?, source);
                encode(&metric)
            }
            DELTA => {
                let mut delta = DeltaCounter::new(name, *second).tags(Merged { own: strings, common });
                delta.source = source;
                encode(&delta)
            }
            // Bits for minute, hour and day; means and counts, two by two.
            HISTOGRAM => {
                let (pairs, _) = rest.as_chunks();
                let mut centroids = vec![(0.0, 0); pairs.len()];
                for ([mean, count], centroid) in pairs.iter().zip(&mut centroids) {
                    *centroid = (*mean, needed(*count, Field::CentroidCount)?);
                }
                let mut set = Granularities::NONE;
                for (bit, granularity) in [(1, Granularity::Minute), (2, Granularity::Hour), (4, Granularity::Day)] {
                    if *second as u32 & bit != 0 {
                        set = set.with(granularity);
                    }
                }
                let mut histogram = Histogram::new(name, &centroids).tags(Merged { own: strings, common });
                histogram.granularities = set;
                (histogram.timestamp, histogram.source) = (whole(*time, Field::Timestamp)?, source);
                encode(&histogram)
            }
            // Trace id, span id, parents, follows-from, the fields of all logs. The duration; the counts of parents and of
            // follows-from; and for each log its time and its count of fields.
            SPAN | SPAN_LOGS => {
                let [parents, follows, records @ ..] = rest else { return Err(Fault::Gone) };
                let (trace_id, span_id) = (id(&mut strings, "trace id")?, id(&mut strings, "span id")?);
                let mut related = Vec::new();
                let parents = strings.at_most(*parents);
                for (count, field) in [(parents as f64, "parent"), (*follows, "follows-from")] {
                    for _ in 0..strings.at_most(count) {
                        related.push(id(&mut strings, field)?);
                    }
                }
                let (records, _) = records.as_chunks();
                let fields = records.iter().map(|[_, count]| *count).sum();
                let fields = (0..strings.at_most(fields)).map(|_| (strings.next(), strings.next())).collect::<Vec<_>>();
                let mut left = fields.as_slice();
                let mut logs = Vec::new();
                for [time, count] in records {
                    let (of_this, rest) = left.split_at_checked(*count as usize).unwrap_or((left, &[]));
                    left = rest;
                    logs.push(SpanLog::new(needed(*time, Field::Timestamp)?, of_this));
                }
                let (start, duration) = (needed(*time, Field::Timestamp)?, needed(*second, Field::Timestamp)?);
                let mut span = Span::new(name, start, duration, trace_id, span_id)
                    .logs(&logs)
                    .tags(Merged { own: strings, common });
                span.source = source;
                (span.parents, span.follows_from) = related.split_at_checked(parents).unwrap_or_default();
                encode(&span)
            }
            // Tags, and annotations in the place of tags. The end; the count of tags.
            EVENT => {
                let [tags] = rest else { return Err(Fault::Gone) };
                let (start, end) = (needed(*time, Field::Timestamp)?, whole(*second, Field::Timestamp)?);
                let tags = (0..strings.at_most(*tags)).map(|_| strings.next()).collect::<Vec<_>>();
                let annotations = Merged { own: strings, common: Strings::NONE };
                let mut event = Event::new(name, start).tags(&tags).annotations(annotations);
                (event.end_millis, event.source) = (end, source);
                encode(&event)
            }
            _ => Err(Fault::Gone),
        }
    }
}

pub(crate) const METRIC: u32 = Kind::Metric as u32;
pub(crate) const DELTA: u32 = Kind::Delta as u32;
pub(crate) const HISTOGRAM: u32 = Kind::Histogram as u32;
pub(crate) const SPAN: u32 = Kind::Span as u32;
/// Of a span only its logs, to the text.
pub(crate) const SPAN_LOGS: u32 = Kind::SpanLogs as u32;
pub(crate) const EVENT: u32 = Kind::Event as u32;
/// A metric that is prepared.
pub(crate) const SERIES: u32 = Kind::COUNT as u32;
