//! Laws of the encoders, with the parser as their judge:
//!
//! 1. An error leaves every sink as it was, and the input has what the error tells of.
//! 2. Every sink gets the same bytes, [`Count`] the same number; a slice that is too small is full and unchanged. The
//!    compact encoders say just what the others do.
//! 3. There are as many LFs as lines, and the last byte is one.
//! 4. The reader takes every line with the limits it was written by, and reads what was meant.
//! 5. A prepared series writes what a fresh one does.
//!
//! Each law gives back the lines that were written, or the error.

use wavefront_sdk::line::{Count, Full, Slice};
use wavefront_sdk::parse::{self, Line};
use wavefront_sdk::{
    DeltaCounter, DescriptionAction, Encode, EncodeError, Event, EventForm, Field, Granularity, Histogram,
    InvalidInput, Kind, Metric, Prepared, Problem, Rules, SourceDescription, SourceTag, Span, SpanLogs, Uuid,
};

use super::clean::{self, Pairs, name, pairs, source, span_key, text};

pub(crate) type Lines = Result<Vec<String>, InvalidInput>;

/// The sizes of the slices that are too small.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rooms {
    /// Up to 64 of them.
    Many,
    /// This one, or one smaller by so many times the length of the lines.
    One(usize),
}

const BEFORE: &[u8] = b"before";

/// More than most lines take.
const ROOMY: usize = 4096;

/// The laws 1 to 3, but for the truth of the error.
fn written(datum: &impl Encode, rules: &Rules<'_>, rooms: Rooms) -> Lines {
    let mut out = BEFORE.to_vec();
    let mut count = Count::new();
    let counted = datum.encode(rules, &mut count);
    let lines = match datum.encode(rules, &mut out) {
        Ok(lines) => lines,
        Err(EncodeError::Invalid(invalid)) => {
            assert_eq!(out, BEFORE);
            assert_eq!((counted, count), (Err(invalid.into()), Count::new()));
            let size = if let Rooms::One(size) = rooms { size % 128 } else { 8 };
            for size in [size, ROOMY] {
                assert_eq!(into_slice(datum, rules, size), Err(invalid.into()), "valid or not, whatever the room");
            }
            return Err(invalid);
        }
    };
    let written = String::from_utf8(out.split_off(BEFORE.len())).unwrap();
    assert_eq!(out, BEFORE);
    assert_eq!((counted, count.bytes()), (Ok(lines), written.len()));
    assert_eq!(written.matches('\n').count(), lines as usize);
    assert!(written.is_empty() || written.ends_with('\n'));

    let len = written.len();
    let sizes: Vec<usize> = match rooms {
        Rooms::Many => (0..len).step_by(1 + len / 64).collect(),
        Rooms::One(size) => size.checked_rem(len).into_iter().collect(),
    };
    for size in sizes.into_iter().chain(len.checked_sub(1)) {
        let outcome = into_slice(datum, rules, size);
        let Err(EncodeError::Full(full)) = outcome else { panic!("{outcome:?}, but {size} bytes are too few") };
        assert_eq!((full.needed, full.room), (len, size));
    }
    // With little to spare each piece is checked, with more the line is: it is the same line.
    for size in [0, 1, 32, 64, 256, len, ROOMY].map(|spare| len + spare) {
        assert_eq!(into_slice(datum, rules, size), Ok(written.clone()));
    }
    out.reserve_exact(len + ROOMY);
    assert_eq!(datum.encode(rules, &mut out), Ok(lines));
    assert_eq!(out.get(BEFORE.len()..), Some(written.as_bytes()));
    let mut view = heapless::Vec::<u8, 4096>::new();
    match datum.encode(rules, view.as_mut_view()) {
        Ok(_) => assert_eq!(view, written.as_bytes()),
        Err(error) => assert!(matches!(error, EncodeError::Full(_)) && len > 4096 && view.is_empty()),
    }
    Ok(written.split_terminator('\n').map(str::to_owned).collect())
}

/// Into a slice that has `size` bytes left, and something in it already.
fn into_slice(datum: &impl Encode, rules: &Rules<'_>, size: usize) -> Result<String, EncodeError<Full>> {
    use wavefront_sdk::line::Sink;
    let mut buffer = vec![b'.'; BEFORE.len() + size];
    let mut slice = Slice::new(&mut buffer);
    slice.put(BEFORE).unwrap();
    let outcome = datum.encode(rules, &mut slice);
    let after = slice.as_str().unwrap().strip_prefix("before").unwrap().to_owned();
    let mut copy = vec![b'.'; BEFORE.len() + size];
    let mut compact = Slice::new(&mut copy);
    compact.put(BEFORE).unwrap();
    assert_eq!(datum.encode_compact(rules, &mut compact), outcome);
    assert_eq!(compact.as_str(), slice.as_str());
    assert!(outcome.is_ok() || after.is_empty(), "nothing is written on an error");
    outcome.map(|_| after)
}

/// All the laws of an encoder, where `truth` says whether the input has the problem that an error tells of.
fn encode(datum: &impl Encode, rules: &Rules<'_>, rooms: Rooms, truth: impl Fn(Field, Problem) -> bool) -> Lines {
    let lines = written(datum, rules, rooms);
    if let Err(invalid) = lines {
        let InvalidInput { field, problem, .. } = invalid;
        let is_true = match (field, problem) {
            (Field::Line, Problem::TooLong { limit, len }) => len > limit && is_long(datum, rules, limit, len),
            _ => truth(field, problem),
        };
        assert!(is_true, "refused without cause: {invalid:?}");
        assert!(!invalid.to_string().is_empty());
    }
    lines
}

/// The longest line that is written to see that it is so long: counts of samples can make one of terabytes.
const LONGEST: usize = 1 << 22;

/// Whether the line is `len` bytes long where `limit`, that of its kind, is none.
fn is_long<E: Encode>(datum: &E, rules: &Rules<'_>, limit: usize, len: usize) -> bool {
    let mut wide = *rules.limits;
    let place = match E::KIND {
        Kind::Histogram => &mut wide.histogram_line,
        Kind::Span | Kind::SpanLogs => &mut wide.trace_line,
        _ => &mut wide.metric_line,
    };
    if core::mem::replace(place, len) != limit {
        return false;
    }
    if len > LONGEST {
        return true;
    }
    let mut count = Count::new();
    match datum.encode(&rules.limits(&wide), &mut count) {
        Ok(lines) => count.bytes() == len * lines as usize,
        Err(_) => false,
    }
}

fn owned<'a>(tags: impl Iterator<Item = (parse::Text<'a>, parse::Text<'a>)>) -> Vec<(String, String)> {
    tags.map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn strings<'a>(texts: impl Iterator<Item = parse::Text<'a>>) -> Vec<String> {
    texts.map(|text| text.to_string()).collect()
}

fn only(lines: &[String]) -> &str {
    let [line] = lines else { panic!("not one line: {lines:?}") };
    line
}

/// The reading of a timestamp that was given as `written`, cut down to a multiple of `unit`.
fn same_time(read: Option<i64>, written: Option<u64>, unit: u64) {
    assert_eq!(read.is_some(), written.is_some());
    if let Some(expected) = written.and_then(clean::milliseconds) {
        assert_eq!(read.unwrap() as u64, expected - expected % unit, "written as {written:?}");
    }
}

/// What an error may say of points and histograms.
struct Series<'a> {
    raw: &'a str,
    meant: &'a str,
    own: Option<&'a str>,
    tags: Pairs<'a>,
    rules: &'a Rules<'a>,
}

impl Series<'_> {
    fn has(&self, field: Field, problem: Problem) -> bool {
        let limits = self.rules.limits;
        match field {
            Field::MetricName | Field::HistogramName => {
                clean::bad_name(self.raw, self.meant, limits.metric_name, problem)
            }
            Field::Source => clean::bad_source(self.own, self.rules, problem),
            Field::TagKey if problem == Problem::RepeatedKey => clean::repeated(self.tags, clean::kept),
            Field::TagKey => clean::bad_key(self.tags, name, &["source", "host"], limits.tag_key, problem),
            Field::TagValue => clean::blank_value(self.tags, problem),
            Field::Tag => clean::long_pair(self.tags, limits, problem),
            Field::Tags => clean::too_many(limits.tags, self.tags.len(), problem),
            _ => false,
        }
    }
}

pub(crate) fn metric(metric: &Metric<'_, Pairs<'_>>, rules: &Rules<'_>, rooms: Rooms) -> Lines {
    let meant = name(metric.name);
    let series = Series { raw: metric.name, meant: &meant, own: metric.source, tags: metric.tags, rules };
    let lines = point(metric, series, metric.value, metric.timestamp, rooms);
    let prepared = Prepared::<Vec<u8>>::metric(metric, rules);
    same_as_fresh(&lines, prepared, metric.value, metric.timestamp);
    lines
}

pub(crate) fn delta(counter: &DeltaCounter<'_, Pairs<'_>>, rules: &Rules<'_>, rooms: Rooms) -> Lines {
    let mut meant = name(counter.name);
    if !meant.starts_with(['∆', 'Δ']) {
        meant = name(&format!("∆{}", counter.name));
    }
    let series = Series { raw: counter.name, meant: &meant, own: counter.source, tags: counter.tags, rules };
    let lines = point(counter, series, counter.value, None, rooms);
    same_as_fresh(&lines, Prepared::<Vec<u8>>::delta_counter(counter, rules), counter.value, None);
    lines
}

fn point(datum: &impl Encode, series: Series<'_>, value: f64, timestamp: Option<u64>, rooms: Rooms) -> Lines {
    let (meant, rules) = (series.meant, series.rules);
    let is_delta = meant.starts_with(['∆', 'Δ']);
    let lines = encode(datum, rules, rooms, |field, problem| match (field, problem) {
        (Field::Value, Problem::NotFinite) => !value.is_finite(),
        (Field::Value, Problem::Negative) => is_delta && value < 0.0,
        _ => series.has(field, problem),
    })?;
    if is_delta && value == 0.0 {
        assert_eq!(lines, [""; 0]);
        return Ok(lines);
    }
    let read = match parse::line(only(&lines), rules.limits) {
        Ok(Line::Point(read)) => read,
        other => panic!("{lines:?} is read as {other:?}"),
    };
    assert_eq!(read.name.to_string(), meant);
    assert_eq!(read.value.to_bits(), value.to_bits());
    same_time(read.timestamp, timestamp, 1);
    assert_eq!(read.source.map(|source| source.to_string()), source(series.own, rules));
    assert_eq!(owned(read.tags.iter()), pairs(series.tags, clean::kept));
    assert_eq!(datum.kind() == Kind::Delta, is_delta);
    Ok(lines)
}

fn same_as_fresh<E>(fresh: &Lines, prepared: Result<Prepared<Vec<u8>>, E>, value: f64, timestamp: Option<u64>) {
    let Ok(prepared) = prepared else {
        // What is zero is not looked at any further.
        assert!(fresh.as_ref().is_ok_and(Vec::is_empty) || fresh.is_err(), "what can be written can be prepared");
        return;
    };
    let mut out = Vec::new();
    match (prepared.encode(value, timestamp, &mut out), fresh) {
        (Ok(count), Ok(lines)) => {
            assert_eq!(count as usize, lines.len());
            assert_eq!(
                String::from_utf8(out).unwrap(),
                lines.iter().map(|line| format!("{line}\n")).collect::<String>()
            );
        }
        (Err(EncodeError::Invalid(invalid)), fresh) => assert_eq!((Err(invalid), out), (fresh.clone(), Vec::new())),
        (Ok(_), Err(invalid)) => panic!("a fresh one says {invalid}"),
    }
}

pub(crate) fn histogram(histogram: &Histogram<'_, Pairs<'_>>, rules: &Rules<'_>, rooms: Rooms) -> Lines {
    let meant = name(histogram.name);
    let series = Series { raw: histogram.name, meant: &meant, own: histogram.source, tags: histogram.tags, rules };
    let all = [(Granularity::Day, 86_400_000), (Granularity::Hour, 3_600_000), (Granularity::Minute, 60_000)];
    let chosen: Vec<_> = all.into_iter().filter(|(it, _)| histogram.granularities.contains(*it)).collect();
    let centroids = histogram.centroids;
    let lines = encode(histogram, rules, rooms, |field, problem| match (field, problem) {
        (Field::Granularities, Problem::Missing) => chosen.is_empty(),
        (Field::Centroids, Problem::Missing) => centroids.is_empty(),
        (Field::CentroidMean, Problem::NotFinite) => centroids.iter().any(|(mean, _)| !mean.is_finite()),
        (Field::CentroidCount, Problem::Zero) => centroids.iter().any(|(_, count)| *count == 0),
        _ => series.has(field, problem),
    })?;
    assert_eq!(lines.len(), chosen.len());
    for (line, (granularity, unit)) in lines.iter().zip(chosen) {
        let read = match parse::line(line, rules.limits) {
            Ok(Line::Histogram(read)) => read,
            other => panic!("{line:?} is read as {other:?}"),
        };
        assert_eq!(read.granularity, granularity);
        assert_eq!(read.name.to_string(), meant);
        same_time(read.timestamp, histogram.timestamp, unit);
        assert_eq!(read.source.map(|source| source.to_string()), source(series.own, rules));
        assert_eq!(owned(read.tags.iter()), pairs(series.tags, clean::kept));
        // Split counts add up, centroid by centroid.
        let mut parts = read.centroids;
        for &(mean, count) in centroids {
            let mut left = count;
            while left > 0 {
                let (part_mean, part) = parts.next().unwrap();
                assert_eq!(part_mean.to_bits(), mean.to_bits());
                left = left.checked_sub(u64::try_from(part).unwrap()).unwrap();
            }
        }
        assert!(parts.next().is_none());
    }
    Ok(lines)
}

pub(crate) fn span(span: &Span<'_, Pairs<'_>>, rules: &Rules<'_>, rooms: Rooms) -> Lines {
    let limits = rules.limits;
    let reserved = ["source", "host", "traceId", "spanId", "parent", "followsFrom"];
    let ids = |key: &str, ids: &[Uuid]| ids.iter().map(|id| (key.to_owned(), id.to_string())).collect::<Vec<_>>();
    let mut meant = [ids("parent", span.parents), ids("followsFrom", span.follows_from)].concat();
    let logged = !span.logs.is_empty();
    for pair in pairs(span.tags, span_key) {
        if !(logged && pair.0 == "_spanLogs" || meant.contains(&pair)) {
            meant.push(pair);
        }
    }
    if logged {
        meant.push(("_spanLogs".to_owned(), "true".to_owned()));
    }
    let has = |field, problem| match field {
        Field::SpanName if problem == Problem::Blank => text(span.name).is_empty(),
        Field::SpanName => clean::bad_name(span.name, &text(span.name), limits.span_name, problem),
        Field::Source => clean::bad_source(span.source, rules, problem),
        // To the reader the parents are tags like others, and so is the mark of logs.
        Field::SpanTagKey if clean::too_long(problem, limits.span_tag_key, meant.iter().map(|(key, _)| key.len())) => {
            true
        }
        Field::SpanTagKey => clean::bad_key(span.tags, span_key, &reserved, limits.span_tag_key, problem),
        Field::SpanTagValue => clean::blank_value(span.tags, problem),
        Field::SpanTags => clean::too_many(limits.span_tags, meant.len(), problem),
        _ => false,
    };
    let lines = encode(span, rules, rooms, has)?;
    let read = match parse::line(only(&lines), limits) {
        Ok(Line::Span(read)) => read,
        other => panic!("{lines:?} is read as {other:?}"),
    };
    assert_eq!(read.name.to_string(), text(span.name).replace('*', "-"));
    assert_eq!(read.source.map(|source| source.to_string()), source(span.source, rules));
    let ids = (span.trace_id.to_string(), span.span_id.to_string());
    assert_eq!((read.trace_id.to_string(), read.span_id.to_string()), ids);
    if is_span_time(span.start_millis, span.duration_millis) {
        let times = (read.start_millis as u64, read.duration_millis as u64);
        assert_eq!(times, (span.start_millis, span.duration_millis));
    }
    assert_eq!(owned(read.tags.whole()), meant);
    companion(span, rules, &lines);
    Ok(lines)
}

/// Whether the reader takes both for what they are: milliseconds by the size of the start, and no end time.
pub(crate) fn is_span_time(start_millis: u64, duration_millis: u64) -> bool {
    (1_000_000_000_000..1_000_000_000_000_000).contains(&start_millis) && duration_millis < start_millis
}

/// The logs of a span hold its very line.
fn companion(span: &Span<'_, Pairs<'_>>, rules: &Rules<'_>, lines: &[String]) {
    let mut out = Vec::new();
    let outcome = span.encode_companion(rules, &mut out);
    let mut room = vec![0; if outcome.is_ok() { out.len() } else { 1 << 12 }];
    let mut slice = Slice::new(&mut room);
    let compact = span.encode_companion_compact(rules, &mut slice);
    assert_eq!(slice.as_bytes(), out);
    assert_eq!(compact.map_err(|error| error.invalid().copied()), outcome.map_err(|error| error.invalid().copied()));
    match outcome {
        Ok(None) => assert!(span.logs.is_empty() && out.is_empty()),
        Ok(Some(kind)) => {
            assert_eq!(kind, Kind::SpanLogs);
            let line = String::from_utf8(out).unwrap();
            let read = match parse::line(line.strip_suffix('\n').unwrap(), rules.limits) {
                Ok(Line::SpanLogs(read)) => read,
                other => panic!("{line:?} is read as {other:?}"),
            };
            assert_eq!(read.span.unwrap().to_string(), only(lines));
            assert_eq!(read.logs.count(), span.logs.len());
        }
        Err(EncodeError::Invalid(invalid)) => {
            assert!(out.is_empty());
            let records = SpanLogs::new(span.trace_id, span.span_id, span.logs);
            let mut wide = *rules.limits;
            wide.trace_line = usize::MAX;
            let apart = span_logs(&records, &rules.limits(&wide), Rooms::One(0));
            assert!(apart == Err(invalid) || invalid.field == Field::Line, "{invalid} of the logs only");
        }
    }
}

pub(crate) fn span_logs(datum: &SpanLogs<'_>, rules: &Rules<'_>, rooms: Rooms) -> Lines {
    let fields = || datum.logs.iter().map(|log| log.fields);
    let span = datum.span.map(|line| line.strip_suffix('\n').unwrap_or(line));
    let lines = encode(datum, rules, rooms, |field, problem| match (field, problem) {
        (Field::SpanLogs, Problem::Missing) => datum.logs.is_empty(),
        (Field::Timestamp, Problem::TooLarge) => datum.logs.iter().any(|log| log.timestamp > i64::MAX as u64),
        (Field::SpanLogKey, Problem::Blank) => fields().flatten().any(|(key, _)| clean::is_blank(key)),
        (Field::SpanLogKey, Problem::RepeatedKey) => fields().any(|fields| clean::repeated(fields, str::to_owned)),
        (Field::SpanLine, Problem::Malformed) => {
            span.is_some_and(|line| line.contains('\n') || parse::span(line, rules.limits).is_err())
        }
        _ => false,
    })?;
    let read = match parse::line(only(&lines), rules.limits) {
        Ok(Line::SpanLogs(read)) => read,
        other => panic!("{lines:?} is read as {other:?}"),
    };
    let ids = (datum.trace_id.to_string(), datum.span_id.to_string());
    assert_eq!((read.trace_id.to_string(), read.span_id.to_string()), ids);
    assert_eq!(read.secondary_id.map(|id| id.to_string()).as_deref(), datum.secondary_id);
    assert_eq!(read.span.map(|span| span.to_string()).as_deref(), span);
    let records: Vec<_> = read.logs.map(|log| (log.timestamp as u64, owned(log.fields))).collect();
    let given = |fields: Pairs<'_>| fields.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    assert_eq!(records, datum.logs.iter().map(|log| (log.timestamp, given(log.fields))).collect::<Vec<_>>());
    Ok(lines)
}

pub(crate) fn event(event: &Event<'_, Pairs<'_>>, rules: &Rules<'_>, rooms: Rooms) -> Lines {
    let end = event.end_millis.filter(|&end| end != 0).unwrap_or(event.start_millis.saturating_add(1));
    let json = rules.events == EventForm::Json;
    let blank = |raw: &str| if json { clean::is_blank(raw) } else { text(raw).is_empty() };
    let reserved: &[&str] = if json { &[] } else { &["host", "tag", "eventTag"] };
    let key: fn(&str) -> String = if json { str::to_owned } else { name };
    let lines = encode(event, rules, rooms, |field, problem| match (field, problem) {
        (Field::Timestamp, Problem::Zero) => event.start_millis == 0,
        (Field::Timestamp, Problem::TooLarge) => json && event.start_millis.max(end) > i64::MAX as u64,
        (Field::EventName, Problem::Blank) => blank(event.name),
        (Field::Source, _) => clean::bad_source(event.source, rules, problem),
        (Field::AnnotationKey, Problem::RepeatedKey) => clean::repeated(event.annotations, key),
        (Field::AnnotationKey, _) => clean::bad_key(event.annotations, name, reserved, usize::MAX, problem),
        (Field::AnnotationValue, Problem::Blank) => event.annotations.iter().any(|(_, value)| blank(value)),
        (Field::EventTag, Problem::Blank) => event.tags.iter().any(|tag| blank(tag)),
        _ => false,
    })?;
    if json {
        same_in_json(only(&lines), event, end, rules);
        return Ok(lines);
    }
    let read = match parse::line(only(&lines), rules.limits) {
        Ok(Line::Event(read)) => read,
        other => panic!("{lines:?} is read as {other:?}"),
    };
    assert_eq!(read.name.map(|name| name.to_string()), Some(text(event.name)));
    if let Some((start, end)) = clean::milliseconds(event.start_millis).zip(clean::milliseconds(end)) {
        let end = if end > start { end } else { start + 1 };
        assert_eq!((read.start_time as u64, read.end_time as u64), (start, end));
    }
    assert_eq!(read.hosts().map(|host| host.to_string()).next(), source(event.source, rules));
    assert_eq!(read.hosts().count(), 1);
    assert_eq!(strings(read.tags()), event.tags.iter().map(|tag| text(tag)).collect::<Vec<_>>());
    assert_eq!(owned(read.annotations()), pairs(event.annotations, name));
    assert_eq!(read.dimensions().count(), 0);
    Ok(lines)
}

fn same_in_json(line: &str, event: &Event<'_, Pairs<'_>>, end: u64, rules: &Rules<'_>) {
    let json: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(json["name"].as_str(), Some(event.name));
    assert_eq!((json["startTime"].as_u64(), json["endTime"].as_u64()), (Some(event.start_millis), Some(end)));
    let annotations = json["annotations"].as_object().unwrap().iter();
    let annotations: Vec<_> = annotations.map(|(key, value)| (key.as_str(), value.as_str().unwrap())).collect();
    assert_eq!(annotations, event.annotations);
    let tags: Vec<_> = json["tags"].as_array().into_iter().flatten().map(|tag| tag.as_str().unwrap()).collect();
    assert_eq!(tags, event.tags);
    let hosts: Vec<_> = json["hosts"].as_array().unwrap().iter().map(|host| text(host.as_str().unwrap())).collect();
    assert_eq!(hosts, [source(event.source, rules).unwrap()]);
}

pub(crate) fn source_tag(datum: &SourceTag<'_>, rules: &Rules<'_>, rooms: Rooms) -> Lines {
    let keys: Vec<_> = datum.tags.iter().map(|&tag| (tag, "")).collect();
    let lines = encode(datum, rules, rooms, |field, problem| match (field, problem) {
        (Field::SourceTag, Problem::Missing) => datum.tags.is_empty(),
        (Field::SourceTag, _) => clean::bad_key(&keys, name, &[], usize::MAX, problem),
        (Field::Source, _) => clean::bad_source(datum.source, rules, problem),
        _ => false,
    })?;
    let read = match parse::line(only(&lines), rules.limits) {
        Ok(Line::SourceTag(read)) => read,
        other => panic!("{lines:?} is read as {other:?}"),
    };
    assert_eq!((read.action, Some(read.source.to_string())), (datum.action, source(datum.source, rules)));
    assert_eq!(strings(read.tags), datum.tags.iter().map(|tag| name(tag)).collect::<Vec<_>>());
    Ok(lines)
}

pub(crate) fn source_description(datum: &SourceDescription<'_>, rules: &Rules<'_>, rooms: Rooms) -> Lines {
    let save = datum.action == DescriptionAction::Save;
    let meant = Some(text(datum.description)).filter(|text| !text.is_empty());
    let lines = encode(datum, rules, rooms, |field, problem| match (field, problem) {
        (Field::Description, Problem::Blank) => save && meant.is_none(),
        (Field::Source, _) => clean::bad_source(datum.source, rules, problem),
        _ => false,
    })?;
    let read = match parse::line(only(&lines), rules.limits) {
        Ok(Line::SourceDescription(read)) => read,
        other => panic!("{lines:?} is read as {other:?}"),
    };
    assert_eq!((read.action, Some(read.source.to_string())), (datum.action, source(datum.source, rules)));
    assert_eq!(read.description.map(|text| text.to_string()), meant);
    Ok(lines)
}
