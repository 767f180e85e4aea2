//! What is legal in a line, but read otherwise than its writer may think.

use std::collections::HashMap;

use wavefront_sdk::Limits;
use wavefront_sdk::parse::{self, Event, Histogram, Line, Pairs, Point, Span, SpanLogs, Text, Unit};

/// How the receiver reads something.
#[derive(Debug)]
pub(super) struct Note {
    /// Where it stands, in bytes of the line, if it is about a place.
    pub(super) at: Option<usize>,
    pub(super) text: String,
}

/// How many UTF-16 code units the receiver keeps of the value of a span tag.
const CUT: usize = 128;

/// Between September 2001 and November 2286 a time has 10 digits in seconds, 13 in milliseconds, 16 in microseconds and
/// 19 in nanoseconds. What is read as a time outside of that, in milliseconds, was most likely meant in another unit.
const LIKELY: core::ops::Range<i64> = 1_000_000_000_000..10_000_000_000_000;

/// The notes to a line that is taken, in the order of their places. `bytes` are the line before it became text.
pub(super) fn of(line: &str, bytes: &[u8], read: &Line<'_>, limits: &Limits) -> Vec<Note> {
    let mut notes = Notes { line, notes: Vec::new() };
    let longest = match read {
        Line::Point(point) => {
            notes.point(point);
            limits.metric_line
        }
        Line::Histogram(histogram) => {
            notes.histogram(histogram);
            limits.histogram_line
        }
        Line::Span(span) => {
            notes.span(span);
            limits.trace_line
        }
        Line::SpanLogs(logs) => {
            notes.span_logs(logs);
            limits.trace_line
        }
        Line::Event(event) => {
            notes.event(event);
            limits.metric_line
        }
        _ => limits.metric_line,
    };
    if let Err(error) = core::str::from_utf8(bytes) {
        notes.at(error.valid_up_to(), "these bytes are not UTF-8: they are read as U+FFFD");
    }
    // Its LF counts too.
    if bytes.len() >= longest {
        notes.all(format!(
            "the line has {} bytes: over TCP, the receiver drops one of more than {}",
            bytes.len(),
            longest - 1
        ));
    }
    notes.notes.sort_by_key(|note| note.at.unwrap_or(usize::MAX));
    notes.notes
}

struct Notes<'a> {
    line: &'a str,
    notes: Vec<Note>,
}

impl<'a> Notes<'a> {
    fn all(&mut self, text: impl Into<String>) {
        self.notes.push(Note { at: None, text: text.into() });
    }

    fn at(&mut self, at: usize, text: impl Into<String>) {
        self.notes.push(Note { at: Some(at), text: text.into() });
    }

    fn on(&mut self, place: Option<Text<'_>>, text: impl Into<String>) {
        // A text of the line is a piece of it; one that the receiver made has no place.
        let start = self.line.as_ptr() as usize;
        let at = place.map(|place| (place.as_raw().as_ptr() as usize).wrapping_sub(start));
        let at = at.filter(|at| *at <= self.line.len()).map(|at| {
            let before = self.line.get(..at).unwrap_or_default();
            if before.ends_with(['"', '\'']) { at - 1 } else { at }
        });
        self.notes.push(Note { at, text: text.into() });
    }

    fn token(&self, index: usize) -> Option<Text<'a>> {
        parse::tokens(self.line).nth(index)
    }

    fn point(&mut self, point: &Point<'a>) {
        if !point.value.is_finite() {
            self.on(self.token(1), format!("the value is read as {}", java(point.value)));
        }
        if let Some(time) = point.timestamp {
            self.time(self.token(2), "the timestamp", time);
        }
        self.source_and_tags(point.tags.pairs(), point.source);
    }

    fn histogram(&mut self, histogram: &Histogram<'a>) {
        let mut index = 1;
        if let Some(time) = histogram.timestamp {
            // It went down to the start of a day at most, and not out of the range.
            self.time(
                self.token(1),
                "the timestamp",
                time.max(if time > 999_900_000_000 { LIKELY.start } else { time }),
            );
            index = 2;
        }
        let mut tokens = parse::tokens(self.line).skip(index);
        for (mean, count) in histogram.centroids {
            let (_, count_at, mean_at) = (tokens.next(), tokens.next(), tokens.next());
            if count <= 0 {
                self.on(count_at, format!("the count is read as {count}: this centroid adds nothing, or takes away"));
            }
            if !mean.is_finite() {
                self.on(mean_at, format!("the mean is read as {}", java(mean)));
            }
        }
        self.source_and_tags(histogram.tags.pairs(), histogram.source);
    }

    /// What the receiver makes of `source`, `host` and repeated keys.
    fn source_and_tags(&mut self, pairs: Pairs<'a>, source: Option<Text<'a>>) {
        let (mut sources, mut hosts, mut tags) = (Vec::new(), Vec::new(), 0);
        let mut last = HashMap::new();
        let mut host_is_first = false;
        for (key, _) in pairs {
            if key == "source" {
                sources.push(key);
            } else if key == "host" {
                host_is_first |= hosts.is_empty() && tags == 0;
                hosts.push(key);
            } else {
                tags += 1;
                let kept = if key == "tag" { "_tag".into() } else { key.to_cow() };
                if key == "tag" {
                    self.on(Some(key), "the receiver keeps the tag `tag` as `_tag`");
                }
                if let Some(before) = last.insert(kept, key) {
                    self.on(Some(before), "this key is repeated: the last one's value counts, not this one's");
                }
            }
        }
        let (source_wins, host_wins) = (sources.pop(), hosts.pop());
        for lost in sources {
            self.on(Some(lost), "this is not the source: a later `source` counts");
        }
        for lost in hosts {
            self.on(Some(lost), "this counts for nothing: a later `host` does");
        }
        match (source_wins, host_wins) {
            (Some(_), Some(host)) => {
                self.on(Some(host), "the line has a `source`, so this `host` becomes the tag `_host`");
                if let Some(before) = last.get("_host") {
                    self.on(
                        Some(*before),
                        "this key is repeated: the receiver makes a `_host` of `host`, which counts",
                    );
                }
            }
            (None, Some(host)) if !host_is_first => self.on(Some(host), "this is no tag, but the source of the line"),
            _ => {}
        }
        self.names_a_source(source);
    }

    fn names_a_source(&mut self, source: Option<Text<'_>>) {
        if source.is_none() {
            self.all("the line names no source: it is read as `unknown`");
        }
    }

    fn span(&mut self, span: &Span<'a>) {
        if span.name.as_raw().contains('*') {
            self.on(Some(span.name), format!("the name is read as `{}`: a `*` becomes a `-`", shown(span.name)));
        }
        let mut last: HashMap<&str, Text<'_>> = HashMap::new();
        for (key, value) in span.tags.pairs() {
            let field = ["source", "host", "traceId", "spanId"].into_iter().find(|field| key == *field);
            if let Some(field) = field {
                let field = if field == "host" { "source" } else { field };
                if let Some(before) = last.insert(field, key) {
                    let text = match field {
                        "source" => "this is not the source: a later `source` or `host` counts",
                        "traceId" => "this is not the trace id: a later `traceId` counts",
                        _ => "this is not the span id: a later `spanId` counts",
                    };
                    self.on(Some(before), text);
                }
            } else if value.as_raw().len() > CUT {
                let len = value.len_utf16();
                if len > CUT {
                    let text = format!(
                        "the receiver cuts this value of {len} UTF-16 units to {CUT}, and keeps it whole in a span log"
                    );
                    self.on(Some(value), text);
                }
            }
        }
        self.names_a_source(span.source);
        self.span_times(span);
    }

    fn span_times(&mut self, span: &Span<'a>) {
        let tokens = parse::tokens(self.line).count();
        let (start, duration) = (self.token(tokens.saturating_sub(2)), self.token(tokens.saturating_sub(1)));
        let unit = match span.unit() {
            Unit::Seconds => Some("seconds"),
            Unit::Milliseconds => None,
            Unit::Microseconds => Some("microseconds"),
            Unit::Nanoseconds => Some("nanoseconds"),
        };
        let millis = span.duration_millis;
        if let Some(unit) = unit {
            let date = date(span.start_millis);
            self.on(start, format!("by its size, the start is in {unit}, and so is the duration: {date}, {millis} ms"));
        } else if !LIKELY.contains(&span.start_millis) {
            self.on(start, format!("the start is read as milliseconds: {}", date(span.start_millis)));
        }
        if span.has_end() && span.start_millis != 0 {
            self.on(
                duration,
                format!("this is not below the start, so it is read as the end: a duration of {millis} ms"),
            );
        } else if millis < 0 {
            self.on(duration, format!("this is too large: the duration is read as {millis} ms"));
        }
    }

    fn span_logs(&mut self, logs: &SpanLogs<'a>) {
        let mut odd = None;
        for log in logs.logs {
            let mut last = HashMap::new();
            if odd.is_none() && !(LIKELY.start * 1_000..LIKELY.end * 1_000).contains(&log.timestamp) {
                odd = Some(log.timestamp);
            }
            for (key, _) in log.fields {
                if let Some(before) = last.insert(key.to_cow(), key) {
                    self.on(Some(before), "this field is repeated: the last one's value counts, not this one's");
                }
            }
        }
        if let Some(time) = odd {
            self.all(format!("the timestamp {time} is read as microseconds: {}", date(time.div_euclid(1_000))));
        }
        if logs.logs.count() == 0 {
            self.all("there are no log records in it");
        }
    }

    fn event(&mut self, event: &Event<'a>) {
        self.time(self.token(1), "the start", event.start_time);
        if let Some(end) = event.given_end() {
            if end == event.end_time {
                self.time(self.token(2), "the end", end);
            } else {
                self.on(self.token(2), "this is read as the end, and is not behind the start: the event gets 1 ms");
            }
        }
        if event.name.is_none() {
            self.all("the event has no name");
        }
        let mut first = HashMap::new();
        for (key, _) in event.dimensions() {
            first.entry(key.to_cow()).or_insert(key);
        }
        for (_, key) in first {
            self.on(Some(key), "this key is repeated: it is no annotation, but a dimension with all its values");
        }
        let (mut tags, mut event_tags) = (None, None);
        for (key, _) in event.pairs {
            if key == "source" {
                self.on(Some(key), "this is an annotation: what an event is about stands in `host`");
            }
            if key == "tag" {
                tags = tags.or(Some(key));
            } else if key == "eventTag" {
                event_tags = event_tags.or(Some(key));
            }
        }
        if tags.is_some() && event_tags.is_some() {
            let tag_key_wins = event.tags().eq(event.pairs.filter(|(key, _)| *key == "tag").map(|(_, value)| value));
            let (lost, wins) = if tag_key_wins { (event_tags, "tag") } else { (tags, "eventTag") };
            self.on(lost, format!("the line has both `tag` and `eventTag`: only those of `{wins}` count"));
        }
    }

    /// The time of a point, histogram or event, whose unit follows from its size.
    fn time(&mut self, place: Option<Text<'_>>, what: &str, millis: i64) {
        if !LIKELY.contains(&millis) {
            let text = format!("by its size, {what} is read as {}: {}", unit(place, millis), date(millis));
            self.on(place, text);
        }
    }
}

/// The unit that the receiver took a time to be in, from how the line gives it and what became of that.
fn unit(place: Option<Text<'_>>, millis: i64) -> &'static str {
    let written = place.and_then(|place| place.to_cow().trim().parse::<f64>().ok());
    match written {
        Some(written) if written < 1e12 => "seconds",
        Some(written) if written < 1e13 => "milliseconds",
        Some(written) if written < 1e16 => "microseconds",
        Some(_) => "nanoseconds",
        // In a spelling only the receiver knows; below and above what is likely there is more than one.
        None if millis >= LIKELY.end => "seconds",
        None => "a time",
    }
}

/// As the receiver, a Java program, writes it.
fn java(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

fn shown(text: Text<'_>) -> String {
    super::show::printable(&text.to_cow()).into_owned()
}

/// Milliseconds since 1970 as a date and a time of the day, in UTC.
fn date(millis: i64) -> String {
    let (days, rest) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    // The civil calendar in eras of 400 years, its years starting in March.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, millis) = (rest / 1_000 % 60, rest % 1_000);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millis:03} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (millis, expected) in [
            (0, "1970-01-01 00:00:00.000 UTC"),
            (951_782_400_000, "2000-02-29 00:00:00.000 UTC"),
            (1_493_773_500_123, "2017-05-03 01:05:00.123 UTC"),
            (9_999_999_999_999, "2286-11-20 17:46:39.999 UTC"),
            (915_148_800_000_000, "30969-11-29 00:00:00.000 UTC"),
            (-1, "1969-12-31 23:59:59.999 UTC"),
        ] {
            assert_eq!(date(millis), expected);
        }
    }
}
