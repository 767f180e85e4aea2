//! One encoder for each kind of datum.

use uuid::Uuid;

use super::AnyTags;
use super::clean::{Clean, Form};
use super::line::Line;
use super::pairs::{self, MARK};
use crate::line::number::{is_finite, is_zero, put_f64, put_id, put_u64};
use crate::line::out::Put;
use crate::line::span_logs::span_line;
use crate::line::{EventForm, Full, Rules, Slice};
use crate::{
    DeltaCounter, DescriptionAction, EncodeError, Event, Field, Granularity, Histogram, Metric, Problem,
    SourceDescription, SourceTag, Span, SpanLog, SpanLogs, TagAction,
};

type Lines = Result<u32, EncodeError<Full>>;

pub(crate) fn metric(metric: &Metric<'_, dyn AnyTags + '_>, rules: &Rules<'_>, slice: &mut Slice<'_>) -> Lines {
    let Metric { name, value, timestamp, source, ref tags } = *metric;
    point((name, Form::Name), value, timestamp, source, tags, rules, slice)
}

pub(crate) fn delta(counter: &DeltaCounter<'_, dyn AnyTags + '_>, rules: &Rules<'_>, slice: &mut Slice<'_>) -> Lines {
    let DeltaCounter { name, value, source, ref tags } = *counter;
    point((name, Form::Delta), value, None, source, tags, rules, slice)
}

#[inline(never)]
fn point(
    (name, form): (&str, Form),
    value: f64,
    timestamp: Option<u64>,
    source: Option<&str>,
    tags: &dyn AnyTags,
    rules: &Rules<'_>,
    slice: &mut Slice<'_>,
) -> Lines {
    let mut line = Line::new(slice, rules, rules.limits.metric_line);
    let name = Clean::of(name, form);
    if form == Form::Name {
        line.flaw(name.flaw, Field::MetricName);
    }
    if !line.is_sendable(value, name.is_delta()) {
        return line.done();
    }
    line.flaw(name.flaw, Field::MetricName);
    line.check(Field::MetricName, name.units(), rules.limits.metric_name);
    line.quoted(b"\"", &name);
    line.put(b" ");
    put_f64(value, &mut line);
    line.time(timestamp);
    line.rest(source, tags);
    line.done()
}

/// The line of a series: the number between what stands before and behind it.
pub(crate) fn line_of_series(
    (before, behind): (&[u8], &[u8]),
    (value, timestamp): (f64, Option<u64>),
    is_delta: bool,
    limit: usize,
    slice: &mut Slice<'_>,
) -> Lines {
    const RULES: &Rules<'_> = &Rules::new();
    let mut line = Line::new(slice, RULES, limit);
    if line.is_sendable(value, is_delta) {
        line.all(before);
        put_f64(value, &mut line);
        line.time(timestamp);
        line.all(behind);
        line.end(b"");
    }
    line.done()
}

/// The reader's counts are signed and of 32 bits.
const MAX_COUNT: u64 = i32::MAX as u64;

#[inline(never)]
pub(crate) fn histogram(
    histogram: &Histogram<'_, dyn AnyTags + '_>,
    rules: &Rules<'_>,
    slice: &mut Slice<'_>,
) -> Lines {
    let mut line = Line::new(slice, rules, rules.limits.histogram_line);
    let name = line.clean(histogram.name, Field::HistogramName, Form::Name);
    line.check(Field::HistogramName, name.units(), rules.limits.metric_name);
    if histogram.granularities == Default::default() {
        line.wrong(Field::Granularities, Problem::Missing);
    }
    if histogram.centroids.is_empty() {
        line.wrong(Field::Centroids, Problem::Missing);
    }
    for (granularity, mark) in [(Granularity::Day, b'D'), (Granularity::Hour, b'H'), (Granularity::Minute, b'M')] {
        if histogram.granularities.contains(granularity) && line.is_fine() {
            line.put(&[b'!', mark]);
            line.time(histogram.timestamp);
            for &(mean, count) in histogram.centroids {
                line.centroids(mean, count);
            }
            line.quoted(b" \"", &name);
            line.rest(histogram.source, &histogram.tags);
        }
    }
    line.done()
}

#[inline(never)]
pub(crate) fn span(span: &Span<'_, dyn AnyTags + '_>, rules: &Rules<'_>, slice: &mut Slice<'_>) -> Lines {
    let mut line = Line::new(slice, rules, rules.limits.trace_line);
    line.span(span);
    line.end(b"\n");
    line.done()
}

/// The logs of a span, with the line of the span.
#[inline(never)]
pub(crate) fn logs_of_span(span: &Span<'_, dyn AnyTags + '_>, rules: &Rules<'_>, slice: &mut Slice<'_>) -> Lines {
    let mut line = Line::new(slice, rules, rules.limits.trace_line);
    line.logs(&span.trace_id, &span.span_id, None, span.logs);
    line.put(SPAN);
    line.inside = true;
    line.span(span);
    line.inside = false;
    line.end(b"\"}\n");
    line.done()
}

const SPAN: &[u8] = b",\"span\":\"";

pub(crate) fn span_logs(logs: &SpanLogs<'_>, rules: &Rules<'_>, slice: &mut Slice<'_>) -> Lines {
    let mut line = Line::new(slice, rules, rules.limits.trace_line);
    line.logs(&logs.trace_id, &logs.span_id, logs.secondary_id, logs.logs);
    if let Some(span) = logs.span {
        match span_line(span, rules) {
            Ok(span) => line.quoted(SPAN, &Clean::of(span, Form::Any)),
            Err(invalid) => line.wrong(invalid.field, invalid.problem),
        }
    }
    line.end(b"}\n");
    line.done()
}

#[inline(never)]
pub(crate) fn event(event: &Event<'_, dyn AnyTags + '_>, rules: &Rules<'_>, slice: &mut Slice<'_>) -> Lines {
    let json = rules.events == EventForm::Json;
    let (limit, form) = if json { (usize::MAX, Form::Said) } else { (rules.limits.metric_line, Form::Text) };
    let mut line = Line::new(slice, rules, limit);
    let start = event.start_millis;
    let end = event.end_millis.filter(|&end| end != 0).unwrap_or_else(|| start.saturating_add(1));
    if start == 0 {
        line.wrong(Field::Timestamp, Problem::Zero);
    }
    if json {
        let mut source = line.source(event.source);
        source.form = form;
        if start.max(end) > i64::MAX as u64 {
            line.wrong(Field::Timestamp, Problem::TooLarge);
        }
        let name = line.clean(event.name, Field::EventName, form);
        line.quoted(b"{\"name\":\"", &name);
        line.put(b",\"annotations\":");
        line.pairs(&event.annotations, &pairs::ANNOTATION_IN_JSON, 0, false);
        line.quoted(b",\"hosts\":[\"", &source);
        line.number(b"],\"startTime\":", start);
        line.number(b",\"endTime\":", end);
        line.texts(b",\"tags\":[\"", b",\"", event.tags, Field::EventTag, form);
        line.end(if event.tags.is_empty() { b"}\n" } else { b"]}\n" });
    } else {
        let name = line.clean(event.name, Field::EventName, form);
        let source = line.source(event.source);
        line.number(b"@Event ", start);
        line.number(b" ", end);
        line.quoted(b" \"", &name);
        line.pairs(&event.annotations, &pairs::ANNOTATION, 0, false);
        line.quoted(b" host=\"", &source);
        line.texts(b" tag=\"", b" tag=\"", event.tags, Field::EventTag, form);
        line.end(b"\n");
    }
    line.done()
}

#[inline(never)]
pub(crate) fn source_tag(datum: &SourceTag<'_>, rules: &Rules<'_>, slice: &mut Slice<'_>) -> Lines {
    let mut line = Line::new(slice, rules, rules.limits.metric_line);
    if datum.tags.is_empty() {
        line.wrong(Field::SourceTag, Problem::Missing);
    }
    let source = line.source(datum.source);
    let action: &[u8] = match datum.action {
        TagAction::Add => b"add",
        TagAction::Save => SAVE,
        TagAction::Delete => DELETE,
    };
    line.source_is(b"@SourceTag action=", action, &source);
    // The receiver takes only what is legal in a key.
    line.texts(b" \"", b" \"", datum.tags, Field::SourceTag, Form::Key);
    line.end(b"\n");
    line.done()
}

#[inline(never)]
pub(crate) fn source_description(datum: &SourceDescription<'_>, rules: &Rules<'_>, slice: &mut Slice<'_>) -> Lines {
    let mut line = Line::new(slice, rules, rules.limits.metric_line);
    let source = line.source(datum.source);
    let description = Clean::of(datum.description, Form::Text);
    let action = if datum.action == DescriptionAction::Save { SAVE } else { DELETE };
    line.source_is(b"@SourceDescription action=", action, &source);
    // Only what is taken away needs no text.
    if datum.action == DescriptionAction::Save {
        line.flaw(description.flaw, Field::Description);
    }
    if description.flaw.is_none() {
        line.quoted(b" \"", &description);
    }
    line.end(b"\n");
    line.done()
}

const SAVE: &[u8] = b"save";
const DELETE: &[u8] = b"delete";
const SOURCE: &[u8] = b" source=\"";

/// The parts of lines.
impl Line<'_, '_> {
    /// Notes what is wrong with a value; no where it is an increment that makes no line.
    fn is_sendable(&mut self, value: f64, is_delta: bool) -> bool {
        if !is_finite(value) {
            self.wrong(Field::Value, Problem::NotFinite);
        } else if is_delta {
            if is_zero(value) {
                return false;
            }
            if value.is_sign_negative() {
                self.wrong(Field::Value, Problem::Negative);
            }
        }
        true
    }

    /// `before`, the text and the quote that ends it.
    #[inline(never)]
    fn quoted(&mut self, before: &[u8], text: &Clean<'_>) {
        self.put(before);
        self.text(text);
        self.put(b"\"");
    }

    #[inline(never)]
    fn number(&mut self, before: &[u8], number: u64) {
        self.put(before);
        put_u64(number, self);
    }

    #[inline(never)]
    fn time(&mut self, timestamp: Option<u64>) {
        if let Some(timestamp) = timestamp {
            self.number(b" ", timestamp);
        }
    }

    #[inline(never)]
    fn id(&mut self, before: &[u8], id: &Uuid) {
        put_id(before, id, self);
    }

    /// Ids, each behind its key, which to the reader is that of a tag like others.
    #[inline(never)]
    fn ids(&mut self, before: &[u8], ids: &[Uuid]) {
        for id in ids {
            self.check(Field::SpanTagKey, before.len() - 2, self.rules.limits.span_tag_key);
            self.id(before, id);
        }
    }

    /// Texts in quotes, what is before the first, and before each other.
    #[inline(never)]
    fn texts(&mut self, first: &[u8], other: &[u8], texts: &[&str], field: Field, form: Form) {
        let mut before = first;
        for text in texts {
            let text = self.clean(text, field, form);
            self.quoted(before, &text);
            before = other;
        }
    }

    /// The end of the line of a point: its source and its tags.
    #[inline(never)]
    fn rest(&mut self, source: Option<&str>, tags: &dyn AnyTags) {
        let source = self.source(source);
        self.quoted(SOURCE, &source);
        self.pairs(tags, &pairs::POINT, 0, false);
        self.end(b"\n");
    }

    /// What is done to what is known of a source, and its source.
    #[inline(never)]
    fn source_is(&mut self, before: &[u8], action: &[u8], source: &Clean<'_>) {
        self.put(before);
        self.put(action);
        self.quoted(SOURCE, source);
    }

    /// ` #count mean`, as often as the count needs.
    #[inline(never)]
    fn centroids(&mut self, mean: f64, count: u64) {
        if !is_finite(mean) {
            self.wrong(Field::CentroidMean, Problem::NotFinite);
        } else if count == 0 {
            self.wrong(Field::CentroidCount, Problem::Zero);
        } else {
            let (mut full, mut rest) = (0, count);
            // `high << 31` is `high * MAX_COUNT + high`: without a division, what is left is 1 to `MAX_COUNT` soon.
            while rest > MAX_COUNT {
                let high = rest >> 31;
                full += high;
                rest = high + (rest & MAX_COUNT);
            }
            self.some(full, |line| line.centroid(MAX_COUNT, mean));
            self.centroid(rest, mean);
        }
    }

    #[inline(never)]
    fn centroid(&mut self, count: u64, mean: f64) {
        self.number(b" #", count);
        self.put(b" ");
        put_f64(mean, self);
    }

    /// The line of a span, without its LF.
    #[inline(never)]
    fn span(&mut self, span: &Span<'_, dyn AnyTags + '_>) {
        let limits = &self.rules.limits;
        let name = self.clean(span.name, Field::SpanName, Form::Text);
        self.check(Field::SpanName, name.units(), limits.span_name);
        let source = self.source(span.source);
        self.quoted(b"\"", &name);
        self.quoted(SOURCE, &source);
        self.id(b" traceId=", &span.trace_id);
        self.id(b" spanId=", &span.span_id);
        let marked = !span.logs.is_empty();
        self.ids(b" parent=", span.parents);
        self.ids(b" followsFrom=", span.follows_from);
        let fixed = span.parents.len() + span.follows_from.len() + usize::from(marked);
        if marked {
            self.check(Field::SpanTagKey, MARK.len(), limits.span_tag_key);
        }
        self.pairs(&span.tags, &pairs::SPAN, fixed, marked);
        if marked {
            self.put(b" \"_spanLogs\"=\"true\"");
        }
        self.number(b" ", span.start_millis);
        self.number(b" ", span.duration_millis);
    }

    /// The object of a span's logs, up to and with them; what follows is the span, and `}`.
    #[inline(never)]
    fn logs(&mut self, trace_id: &Uuid, span_id: &Uuid, secondary_id: Option<&str>, logs: &[SpanLog<'_>]) {
        if logs.is_empty() {
            self.wrong(Field::SpanLogs, Problem::Missing);
        }
        self.id(b"{\"traceId\":\"", trace_id);
        self.id(b"\",\"spanId\":\"", span_id);
        self.put(b"\"");
        if let Some(secondary_id) = secondary_id {
            self.quoted(b",\"_spanSecondaryId\":\"", &Clean::of(secondary_id, Form::Any));
        }
        let mut before: &[u8] = b",\"logs\":[{\"timestamp\":";
        for log in logs {
            // The reader's integers are signed.
            if log.timestamp > i64::MAX as u64 {
                self.wrong(Field::Timestamp, Problem::TooLarge);
            }
            self.number(before, log.timestamp);
            self.put(b",\"fields\":");
            self.pairs(&log.fields, &pairs::FIELD, 0, false);
            self.put(b"}");
            before = b",{\"timestamp\":";
        }
        self.put(b"]");
    }
}
