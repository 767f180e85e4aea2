//! Data, put together from strings and numbers.

use alloc::vec::Vec;

use wavefront_sdk::{
    DeltaCounter, Event, Field, Granularities, Granularity, Histogram, InvalidInput, Metric, Problem, Span, SpanLog,
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

fn needed(number: f64, field: Field) -> Result<u64, InvalidInput> {
    whole(number, field)?.ok_or(InvalidInput::new(field, Problem::Missing))
}

/// Name, source, tags.
pub(crate) fn metric<'a>(
    mut strings: Strings<'a>,
    value: f64,
    time: f64,
    common: Strings<'a>,
) -> Result<Metric<'a, Merged<'a>>, Fault> {
    let mut metric = Metric::new(strings.next(), value);
    metric.timestamp = whole(time, Field::Timestamp)?;
    metric.source = strings.given();
    Ok(metric.tags(Merged { own: strings, common }))
}

/// Name, source, tags.
pub(crate) fn delta<'a>(mut strings: Strings<'a>, value: f64, common: Strings<'a>) -> DeltaCounter<'a, Merged<'a>> {
    let mut delta = DeltaCounter::new(strings.next(), value);
    delta.source = strings.given();
    delta.tags(Merged { own: strings, common })
}

/// Means and counts, two by two.
pub(crate) fn centroids(numbers: &[f64]) -> Result<Vec<(f64, u64)>, Fault> {
    let mut centroids = Vec::with_capacity(numbers.len() / 2);
    let mut numbers = numbers.iter();
    while let (Some(mean), Some(count)) = (numbers.next(), numbers.next()) {
        centroids.push((*mean, needed(*count, Field::CentroidCount)?));
    }
    Ok(centroids)
}

/// Name, source, tags. The bits of `granularities` are minute, hour and day.
pub(crate) fn histogram<'a>(
    mut strings: Strings<'a>,
    centroids: &'a [(f64, u64)],
    granularities: u32,
    time: f64,
    common: Strings<'a>,
) -> Result<Histogram<'a, Merged<'a>>, Fault> {
    let all = [Granularity::Minute, Granularity::Hour, Granularity::Day];
    let set = (0..).zip(all).filter(|(bit, _)| granularities >> bit & 1 == 1).map(|(_, granularity)| granularity);
    let mut histogram = Histogram::new(strings.next(), centroids)
        .granularities(set.fold(Granularities::NONE, |set, granularity| set.with(granularity)));
    histogram.timestamp = whole(time, Field::Timestamp)?;
    histogram.source = strings.given();
    Ok(histogram.tags(Merged { own: strings, common }))
}

/// What a span's lists are made of: it only borrows them.
pub(crate) struct SpanParts<'a> {
    name: &'a str,
    source: Option<&'a str>,
    trace_id: Uuid,
    span_id: Uuid,
    related: Vec<Uuid>,
    parents: usize,
    fields: Vec<(&'a str, &'a str)>,
    /// Of each log the time and the number of its fields.
    logs: Vec<(u64, usize)>,
    tags: Strings<'a>,
    start: u64,
    duration: u64,
}

/// The next string as an id: 32 hexadecimal digits, with hyphens where they have their place or without.
fn id(strings: &mut Strings<'_>, field: &'static str) -> Result<Uuid, Fault> {
    let text = strings.next().as_bytes();
    let (mut bits, mut digits) = (0_u128, 0);
    for byte in text {
        match (byte, digits) {
            (b'-', 8 | 12 | 16 | 20) if text.len() == 36 => {}
            _ => {
                let digit = char::from(*byte).to_digit(16).ok_or(Fault::Id(field))?;
                bits = bits << 4 | u128::from(digit);
                digits += 1;
            }
        }
    }
    if digits == 32 { Ok(Uuid::from_u128(bits)) } else { Err(Fault::Id(field)) }
}

impl<'a> SpanParts<'a> {
    /// Name, source, trace id, span id, parents, follows-from, the fields of all logs, tags. The numbers are start,
    /// duration, the counts of parents, of follows-from and of logs, and for each of these its time and its count of
    /// fields.
    pub(crate) fn new(mut strings: Strings<'a>, numbers: &[f64]) -> Result<Self, Fault> {
        let [start, duration, parents, follows, logs, records @ ..] = numbers else { return Err(Fault::Gone) };
        let (name, source) = (strings.next(), strings.given());
        let (trace_id, span_id) = (id(&mut strings, "trace id")?, id(&mut strings, "span id")?);
        let (mut related, mut fields, mut times) = (Vec::new(), Vec::new(), Vec::new());
        let parents = strings.at_most(*parents);
        for _ in 0..parents {
            related.push(id(&mut strings, "parent")?);
        }
        for _ in 0..strings.at_most(*follows) {
            related.push(id(&mut strings, "follows-from")?);
        }
        for record in records.chunks_exact(2).take(*logs as usize) {
            let [time, count] = record else { continue };
            let count = strings.at_most(*count);
            times.push((needed(*time, Field::Timestamp)?, count));
            for _ in 0..count {
                fields.push((strings.next(), strings.next()));
            }
        }
        let (start, duration) = (needed(*start, Field::Timestamp)?, needed(*duration, Field::Timestamp)?);
        Ok(Self {
            name,
            source,
            trace_id,
            span_id,
            related,
            parents,
            fields,
            logs: times,
            tags: strings,
            start,
            duration,
        })
    }

    pub(crate) fn logs(&self) -> Vec<SpanLog<'_>> {
        let mut fields = self.fields.as_slice();
        let logs = self.logs.iter().map(|(time, count)| {
            let (of_this, rest) = fields.split_at_checked(*count).unwrap_or((fields, &[]));
            fields = rest;
            SpanLog::new(*time, of_this)
        });
        logs.collect()
    }

    pub(crate) fn span<'b>(&'b self, logs: &'b [SpanLog<'b>], common: Strings<'b>) -> Span<'b, Merged<'b>> {
        let mut span = Span::new(self.name, self.start, self.duration, self.trace_id, self.span_id);
        span.source = self.source;
        (span.parents, span.follows_from) = self.related.split_at_checked(self.parents).unwrap_or_default();
        span.logs(logs).tags(Merged { own: self.tags, common })
    }
}

/// Name, source, tags, annotations.
pub(crate) struct EventParts<'a> {
    name: &'a str,
    source: Option<&'a str>,
    tags: Vec<&'a str>,
    annotations: Strings<'a>,
    start: u64,
    end: Option<u64>,
}

impl<'a> EventParts<'a> {
    pub(crate) fn new(mut strings: Strings<'a>, tags: u32, start: f64, end: f64) -> Result<Self, Fault> {
        let (start, end) = (needed(start, Field::Timestamp)?, whole(end, Field::Timestamp)?);
        let (name, source) = (strings.next(), strings.given());
        let tags = (0..strings.at_most(tags.into())).map(|_| strings.next()).collect();
        Ok(Self { name, source, tags, annotations: strings, start, end })
    }

    pub(crate) fn event(&self) -> Event<'_, Merged<'_>> {
        let mut event = Event::new(self.name, self.start).tags(&self.tags);
        (event.end_millis, event.source) = (self.end, self.source);
        event.annotations(Merged { own: self.annotations, common: Strings::NONE })
    }
}
