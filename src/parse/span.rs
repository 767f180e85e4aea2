//! Spans: `name key=value… start duration`

use core::fmt;

use super::{
    character::decimal_digit,
    cursor::{Cursor, Token},
    error::{Fault, Part, Reason},
    number,
    tags::Pairs,
    text::Text,
    validate,
};
use crate::Limits;

/// A span.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Span<'a> {
    /// Its name, with a `-` for every `*` as the receiver keeps it.
    pub name: Text<'a>,
    /// What it is about; none where the line names nothing and the receiver takes `unknown`.
    pub source: Option<Text<'a>>,
    /// Its trace id, as it is written: the reader keeps upper case.
    pub trace_id: Text<'a>,
    /// Its id, as it is written: the receiver takes any text.
    pub span_id: Text<'a>,
    /// When it started, in milliseconds since 1970.
    pub start_millis: i64,
    /// How long it took, in milliseconds; below zero only where the receiver's arithmetic overflows.
    pub duration_millis: i64,
    /// Its tags, parents and follows-from among them.
    pub tags: SpanTags<'a>,
    unit: Unit,
    has_end: bool,
}

impl Span<'_> {
    /// The unit in which the receiver takes the line's start and duration, both in the same.
    pub const fn unit(&self) -> Unit {
        self.unit
    }

    /// Whether the receiver takes the line's second time, which is not below the first, for the end and not for the
    /// duration.
    pub const fn has_end(&self) -> bool {
        self.has_end
    }
}

/// What the times of a span are in, by the size of its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Unit {
    /// A start below 10^12.
    Seconds,
    /// A start below 10^15.
    Milliseconds,
    /// A start below 10^18.
    Microseconds,
    /// Any other.
    Nanoseconds,
}

impl Unit {
    const fn of(start: i64) -> Self {
        match start {
            ..1_000_000_000_000 => Self::Seconds,
            1_000_000_000_000..1_000_000_000_000_000 => Self::Milliseconds,
            1_000_000_000_000_000..1_000_000_000_000_000_000 => Self::Microseconds,
            _ => Self::Nanoseconds,
        }
    }
}

/// The tags of a span, a list in the line's order. Keys may repeat.
///
/// What the receiver keeps of the line's pairs: `source`, `host`, `traceId` and `spanId` are taken out; a value of more
/// than 128 UTF-16 code units is cut to so many, and as the whole value then goes into a span log, the first
/// `_spanLogs` is set to `true`, or one is added at the end.
#[derive(Clone, Copy)]
pub struct SpanTags<'a> {
    pairs: Pairs<'a>,
    /// Whether a value is too long to be kept whole.
    cut: bool,
}

impl<'a> SpanTags<'a> {
    /// The tags as the receiver keeps them.
    pub const fn iter(&self) -> SpanTagsIter<'a> {
        SpanTagsIter { pairs: self.pairs, mark: self.cut }
    }

    /// The tags as the line has them: no value is cut and none added.
    pub fn whole(&self) -> impl Iterator<Item = (Text<'a>, Text<'a>)> + use<'a> {
        self.pairs.filter(|(key, _)| Field::of(key).is_none())
    }

    /// Every pair of the line as it stands there, the span's source and ids too.
    pub const fn pairs(&self) -> Pairs<'a> {
        self.pairs
    }

    /// The first value of `key`.
    pub fn get(&self, key: &str) -> Option<Text<'a>> {
        self.iter().find(|(name, _)| *name == *key).map(|(_, value)| value)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Whether the receiver cuts a value.
    pub const fn is_cut(&self) -> bool {
        self.cut
    }
}

impl<'a> IntoIterator for &SpanTags<'a> {
    type Item = (Text<'a>, Text<'a>);
    type IntoIter = SpanTagsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for SpanTags<'a> {
    type Item = (Text<'a>, Text<'a>);
    type IntoIter = SpanTagsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for SpanTags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// The tags of a span as the receiver keeps them.
#[derive(Debug, Clone)]
pub struct SpanTagsIter<'a> {
    pairs: Pairs<'a>,
    /// Whether `_spanLogs` is still to be set.
    mark: bool,
}

impl<'a> Iterator for SpanTagsIter<'a> {
    type Item = (Text<'a>, Text<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        for (key, value) in self.pairs.by_ref() {
            if Field::of(&key).is_some() {
                continue;
            }
            if self.mark && key == SPAN_LOGS {
                self.mark = false;
                return Some((key, Text::plain("true")));
            }
            return Some((key, value.cut()));
        }
        core::mem::take(&mut self.mark).then(|| (Text::plain(SPAN_LOGS), Text::plain("true")))
    }
}

impl core::iter::FusedIterator for SpanTagsIter<'_> {}

const SPAN_LOGS: &str = "_spanLogs";

/// A pair that is a field of the span and no tag.
enum Field {
    Source,
    TraceId,
    SpanId,
}

impl Field {
    fn of(key: &Text<'_>) -> Option<Self> {
        // The longest of them.
        const TRACE_ID: &str = "traceId";
        let by_name = |name: &str| match name {
            "source" | "host" => Some(Self::Source),
            TRACE_ID => Some(Self::TraceId),
            "spanId" => Some(Self::SpanId),
            _ => None,
        };
        match key.as_str() {
            Some(name) => by_name(name),
            // Rarely: with an escape in it.
            None => ["source", "host", TRACE_ID, "spanId"].into_iter().find(|name| *key == **name).and_then(by_name),
        }
    }
}

/// A span as the reader's decoder leaves it, with the places that its validator may complain of.
pub(super) struct Decoded<'a> {
    pub(super) span: Span<'a>,
    name: Token<'a>,
    source: Option<Token<'a>>,
    /// The first fault that the validator finds in a tag.
    tag: Result<(), Fault>,
}

pub(super) fn read<'a>(cursor: Cursor<'a>, limits: &Limits) -> Result<Span<'a>, Fault> {
    let decoded = decode_by(cursor, Some(limits))?;
    validate(&decoded, limits)?;
    Ok(decoded.span)
}

/// What the decoder and the sampler ask for: without that a span log is not taken either.
pub(super) fn decode(cursor: Cursor<'_>) -> Result<Decoded<'_>, Fault> {
    decode_by(cursor, None)
}

/// [`decode`], and with `limits` what the validator says of the tags, which counts only when everything was decoded.
fn decode_by<'a>(mut cursor: Cursor<'a>, limits: Option<&Limits>) -> Result<Decoded<'a>, Fault> {
    let name = cursor.expect(Part::SpanName)?;
    let first_pair = cursor;
    let (mut source, mut trace_id, mut span_id, mut cut) = (None, None, None, false);
    let (mut count, mut tag) = (0, Ok(()));
    let (start_at, pairs) = loop {
        let before = cursor.at();
        let key = cursor.expect(Part::Start)?;
        // A key made of digits only is the start time. Nothing is, too, to the reader's `isNumeric`.
        if key.text.chars().all(|c| decimal_digit(c).is_some()) {
            break (key, Pairs::new(first_pair, before));
        }
        let value = cursor.value()?;
        match Field::of(&key.text) {
            Some(Field::Source) => source = Some(value),
            Some(Field::TraceId) => trace_id = Some(value),
            Some(Field::SpanId) => span_id = Some(value),
            None => {
                cut |= value.text.as_raw().len() > Text::CUT && value.text.len_utf16() > Text::CUT;
                count += 1;
                if let (Some(limits), Ok(())) = (limits, &tag) {
                    tag = check_tag(&key, &value, count, limits);
                }
            }
        }
    };
    let start = whole(&start_at, Part::Start)?;
    let duration = cursor.expect(Part::Duration)?;
    let duration = whole(&duration, Part::Duration)?;
    if let Some(extra) = cursor.next()? {
        return Err(extra.fault(Reason::ExtraInput));
    }
    let missing = |part| start_at.fault(Reason::Missing(part));
    let trace_id = trace_id.ok_or(missing(Part::TraceId))?;
    let span_id = span_id.ok_or(missing(Part::SpanId))?;
    validate::uuid(&trace_id, Part::TraceId)?;
    let ids = [trace_id.text, span_id.text];
    let span = of(name.text, source.map(|source| source.text), ids, [start, duration], (pairs, cut));
    Ok(Decoded { span, name, source, tag })
}

/// The span of these, with its pairs and whether a value of them is too long to be kept whole.
pub(super) fn of<'a>(
    name: Text<'a>,
    source: Option<Text<'a>>,
    [trace_id, span_id]: [Text<'a>; 2],
    [start, duration]: [i64; 2],
    (pairs, cut): (Pairs<'a>, bool),
) -> Span<'a> {
    let (start_millis, duration_millis) = milliseconds(start, duration);
    Span {
        name: name.dashed(),
        source,
        trace_id,
        span_id,
        start_millis,
        duration_millis,
        tags: SpanTags { pairs, cut },
        unit: Unit::of(start),
        has_end: duration >= start,
    }
}

fn validate(decoded: &Decoded<'_>, limits: &Limits) -> Result<(), Fault> {
    validate::length(&decoded.name, Part::SpanName, limits.span_name)?;
    if let Some(source) = &decoded.source {
        validate::not_blank(source, Part::Source)?;
        validate::length(source, Part::Source, limits.source)?;
    }
    decoded.tag
}

/// Checks the tag that is the `count`th.
fn check_tag(key: &Token<'_>, value: &Token<'_>, count: usize, limits: &Limits) -> Result<(), Fault> {
    if count > limits.span_tags {
        return Err(key.fault(Reason::TooMany { part: Part::Tags, limit: limits.span_tags, count }));
    }
    validate::length(key, Part::TagKey, limits.span_tag_key)?;
    validate::name(key, Part::TagKey)?;
    validate::not_blank(value, Part::TagValue)
}

/// A time of a span: a number that starts with a digit, cut to a whole one.
fn whole(token: &Token<'_>, part: Part) -> Result<i64, Fault> {
    let fault = token.fault(Reason::NotANumber(part));
    match token.text.chars().next() {
        Some(c) if decimal_digit(c).is_some() => Ok(number::double(&token.text).ok_or(fault)? as i64),
        _ => Err(fault),
    }
}

/// Start and duration in milliseconds. Both are in the unit that the size of the start says; a duration not below the
/// start is an end time.
fn milliseconds(start: i64, duration: i64) -> (i64, i64) {
    let duration = if duration >= start { duration - start } else { duration };
    match Unit::of(start) {
        Unit::Seconds => (start * 1_000, duration.wrapping_mul(1_000)),
        Unit::Milliseconds => (start, duration),
        Unit::Microseconds => (start / 1_000, duration / 1_000),
        Unit::Nanoseconds => (start / 1_000_000, duration / 1_000_000),
    }
}

/// Whether the line has a `traceId` annotation, which makes a line that is no point a span.
pub(super) fn has_trace_id(mut cursor: Cursor<'_>) -> bool {
    let mut last_was_key = false;
    while let Ok(Some(token)) = cursor.next() {
        if last_was_key && token.text == "=" {
            return true;
        }
        last_was_key = token.text == "traceId";
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_says_the_unit_of_both() {
        for (start, duration, expected) in [
            (1_533_529_977, 343_500, (1_533_529_977_000, 343_500_000)),
            (1_552_949_776_000, 343, (1_552_949_776_000, 343)),
            (1_552_949_776_000_123, 5_500, (1_552_949_776_000, 5)),
            (1_552_949_776_000_123_456, 7_000_001, (1_552_949_776_000, 7)),
            // Not below the start: an end time.
            (1_552_949_776_000, 1_552_949_776_343, (1_552_949_776_000, 343)),
            (0, 5, (0, 5_000)),
            (5, 5, (5_000, 0)),
            (1, i64::MAX, (1_000, (i64::MAX - 1).wrapping_mul(1_000))),
            (i64::MAX, i64::MAX, (i64::MAX / 1_000_000, 0)),
        ] {
            assert_eq!(milliseconds(start, duration), expected, "{start} {duration}");
        }
    }
}
