//! Data, put together from strings and numbers.

use alloc::vec::Vec;

use wavefront_sdk::delivery::Encoded;
use wavefront_sdk::line::Slice;
use wavefront_sdk::uplink::{Datum, Part};
use wavefront_sdk::{
    DeltaCounter, Event, Field, Granularities, Histogram, InvalidInput, Kind, Metric, Problem, Rules, Span, SpanLog,
    Uuid,
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

/// What a call came with. What it is stands in `js/calls.js` as well.
pub(crate) struct Call<'a> {
    /// The number of a kind.
    pub(crate) what: u32,
    /// Name, source, then what the kind has, then tags; and the sender's own tags.
    pub(crate) strings: Merged<'a>,
    /// A time, another number, then what the kind has.
    pub(crate) numbers: &'a [f64],
    pub(crate) rules: &'a Rules<'a>,
    pub(crate) part: Part,
}

impl Call<'_> {
    /// The lines of the datum; its `kind` is told even where there are none.
    pub(crate) fn encode(&self, kind: &mut Kind, slice: &mut Slice<'_>) -> Result<Encoded, Fault> {
        let [time, second, rest @ ..] = self.numbers else { return Err(Fault::Gone) };
        let mut input = Input { strings: self.strings, wrong: None };
        let (name, source) = (input.strings.own.next(), input.strings.own.given());
        let mut encode = |wrong: Option<Fault>, datum: &dyn Datum| {
            if let Some(wrong) = wrong {
                return Err(wrong);
            }
            *kind = datum.kind();
            Ok(Encoded::of(datum, self.part, self.rules, slice)?)
        };
        match self.what {
            // The second number is the value.
            METRIC | SERIES => {
                let time = input.whole(*time, Field::Timestamp);
                let mut metric = Metric::new(name, *second).tags(&input.strings);
                (metric.timestamp, metric.source) = (time, source);
                encode(input.wrong, &metric)
            }
            DELTA => {
                let mut delta = DeltaCounter::new(name, *second).tags(&input.strings);
                delta.source = source;
                encode(None, &delta)
            }
            // The bits of granularities; means and counts, two by two.
            HISTOGRAM => {
                let (pairs, _) = rest.as_chunks();
                let centroids = pairs.iter().map(|[mean, count]| (*mean, input.needed(*count, Field::CentroidCount)));
                let centroids = centroids.collect::<Vec<_>>();
                let time = input.whole(*time, Field::Timestamp);
                let mut histogram = Histogram::new(name, &centroids).tags(&input.strings);
                histogram.granularities = Granularities::of_bits(*second as u8);
                (histogram.timestamp, histogram.source) = (time, source);
                encode(input.wrong, &histogram)
            }
            // Trace id, span id, parents, follows-from, the fields of all logs. The duration; the counts of parents and of
            // follows-from; and for each log its time and its count of fields.
            SPAN | SPAN_LOGS => {
                let [parents, follows, records @ ..] = rest else { return Err(Fault::Gone) };
                let (trace_id, span_id) = (input.id("trace id"), input.id("span id"));
                let (parents, related) = (*parents as usize, input.strings.own.at_most(parents + follows));
                let related = (0..related).map(|at| input.id(if at < parents { "parent" } else { "follows-from" }));
                let related = related.collect::<Vec<_>>();
                let (records, _) = records.as_chunks();
                let fields = input.strings.own.at_most(records.iter().map(|[_, count]| *count).sum());
                let fields = (0..fields).map(|_| (input.strings.own.next(), input.strings.own.next()));
                let fields = fields.collect::<Vec<_>>();
                let mut left = fields.as_slice();
                let logs = records.iter().map(|[time, count]| {
                    let (of_this, rest) = left.split_at_checked(*count as usize).unwrap_or((left, &[]));
                    left = rest;
                    SpanLog::new(input.needed(*time, Field::Timestamp), of_this)
                });
                let logs = logs.collect::<Vec<_>>();
                let (start, length) = (input.needed(*time, Field::Timestamp), input.needed(*second, Field::Timestamp));
                let mut span = Span::new(name, start, length, trace_id, span_id).logs(&logs).tags(&input.strings);
                span.source = source;
                (span.parents, span.follows_from) = related.split_at_checked(parents).unwrap_or((&related, &[]));
                encode(input.wrong, &span)
            }
            // Tags, and annotations in the place of tags. The end; the count of tags.
            EVENT => {
                let [tags] = rest else { return Err(Fault::Gone) };
                let (start, end) = (input.needed(*time, Field::Timestamp), input.whole(*second, Field::Timestamp));
                let tags = (0..input.strings.own.at_most(*tags)).map(|_| input.strings.own.next()).collect::<Vec<_>>();
                input.strings.common = Strings::NONE;
                let mut event = Event::new(name, start).tags(&tags).annotations(&input.strings);
                (event.end_millis, event.source) = (end, source);
                encode(input.wrong, &event)
            }
            _ => Err(Fault::Gone),
        }
    }
}

/// What is read of a call. No step fails: what is wrong is noted, the first of it.
struct Input<'a> {
    strings: Merged<'a>,
    wrong: Option<Fault>,
}

impl Input<'_> {
    fn note(&mut self, wrong: Fault) {
        self.wrong = self.wrong.or(Some(wrong));
    }

    /// See [`whole`].
    fn whole(&mut self, number: f64, field: Field) -> Option<u64> {
        whole(number, field).unwrap_or_else(|invalid| {
            self.note(invalid.into());
            None
        })
    }

    fn needed(&mut self, number: f64, field: Field) -> u64 {
        self.whole(number, field).unwrap_or_else(|| {
            self.note(InvalidInput::new(field, Problem::Missing).into());
            0
        })
    }

    /// The next string as an id: 32 hexadecimal digits, with hyphens where they have their place or without.
    fn id(&mut self, field: &'static str) -> Uuid {
        let text = self.strings.own.next().as_bytes();
        let (mut id, mut digits) = ([0_u8; 16], 0);
        for byte in text {
            if *byte == b'-' && text.len() == 36 && matches!(digits, 8 | 12 | 16 | 20) {
                continue;
            }
            let (Some(digit), Some(place)) = (char::from(*byte).to_digit(16), id.get_mut(digits / 2)) else {
                digits = 0;
                break;
            };
            *place = *place << 4 | digit as u8;
            digits += 1;
        }
        if digits != 32 {
            self.note(Fault::Id(field));
        }
        Uuid::from_bytes(id)
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
