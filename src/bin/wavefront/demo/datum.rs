//! What the demo sends, and the facts that a receiver has to make of it.
//!
//! The facts are worked out from the data and from the receiver's rules, never from the encoder's output: encoder and
//! parser could be wrong in the same way.

use wavefront_sdk::collector::{Accepted, Content};
use wavefront_sdk::parse::{Line, Text};
use wavefront_sdk::sender::SendError;
use wavefront_sdk::{
    DeltaCounter, DescriptionAction, Event, Granularity, Histogram, Kind, Metric, Sender, SourceDescription, SourceTag,
    Span, SpanLog, TagAction, Uuid, parse,
};

/// Keys with their values.
pub(crate) type Pairs = Vec<(String, String)>;

/// Something to send. What names no source has the sender's default one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Datum {
    /// At a time in s.
    Metric {
        name: String,
        value: f64,
        at: u64,
        tags: Pairs,
    },
    Delta {
        name: String,
        value: f64,
        tags: Pairs,
    },
    /// At a time in s, over the minute and the hour.
    Histogram {
        name: String,
        centroids: Vec<(f64, u64)>,
        at: u64,
        tags: Pairs,
    },
    Span(Operation),
    /// From one time in ms to another.
    Event {
        name: String,
        start: u64,
        end: u64,
        tags: Vec<String>,
        annotations: Pairs,
    },
    SourceTag {
        tags: Vec<String>,
    },
    SourceDescription {
        text: String,
    },
}

/// A span, and its logs: times in µs with their fields.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) source: String,
    pub(crate) start_millis: u64,
    pub(crate) duration_millis: u64,
    pub(crate) trace: Uuid,
    pub(crate) id: Uuid,
    pub(crate) parents: Vec<Uuid>,
    pub(crate) follows: Vec<Uuid>,
    pub(crate) tags: Pairs,
    pub(crate) logs: Vec<(u64, Pairs)>,
}

impl Datum {
    /// Gives it to the sender.
    pub(crate) fn send(&self, sender: &Sender) -> Result<(), SendError> {
        fn texts(all: &[String]) -> Vec<&str> {
            all.iter().map(String::as_str).collect()
        }
        match self {
            Self::Metric { name, value, at, tags } => sender.send(Metric::new(name, *value).timestamp(*at).tags(tags)),
            Self::Delta { name, value, tags } => sender.send(DeltaCounter::new(name, *value).tags(tags)),
            Self::Histogram { name, centroids, at, tags } => {
                let both = [Granularity::Minute, Granularity::Hour];
                sender.send(Histogram::new(name, centroids).granularities(both).timestamp(*at).tags(tags))
            }
            Self::Span(it) => it.send(sender),
            Self::Event { name, start, end, tags, annotations } => {
                sender.send(Event::new(name, *start).end(*end).tags(&texts(tags)).annotations(annotations))
            }
            Self::SourceTag { tags } => sender.send(SourceTag::new(TagAction::Add, &texts(tags))),
            Self::SourceDescription { text } => sender.send(SourceDescription::save(text)),
        }
    }

    /// What a receiver has to make of it, one fact a line, where `source` is the sender's default one.
    pub(crate) fn facts(&self, source: &str) -> Vec<Fact> {
        let source = source.to_owned();
        match self {
            Self::Metric { name, value, at, tags } => {
                let timestamp = Some(millis(*at * 1000));
                vec![Fact::Point { name: name.clone(), value: (*value).into(), timestamp, source, tags: sorted(tags) }]
            }
            Self::Delta { name, value, tags } => {
                let name = format!("∆{name}");
                vec![Fact::Point { name, value: (*value).into(), timestamp: None, source, tags: sorted(tags) }]
            }
            Self::Histogram { name, centroids, at, tags } => {
                // The receiver takes the start of the minute and of the hour.
                let all = [(Granularity::Minute, at / 60 * 60), (Granularity::Hour, at / 3600 * 3600)];
                let fact = |(granularity, at): (Granularity, u64)| Fact::Histogram {
                    name: name.clone(),
                    granularity,
                    timestamp: Some(millis(at * 1000)),
                    centroids: centroids.iter().map(|(mean, count)| ((*mean).into(), millis(*count))).collect(),
                    source: source.clone(),
                    tags: sorted(tags),
                };
                all.map(fact).into()
            }
            Self::Span(it) => it.facts(),
            Self::Event { name, start, end, tags, annotations } => vec![Fact::Event {
                name: name.clone(),
                start: millis(*start),
                end: millis(*end),
                hosts: vec![source],
                tags: tags.clone(),
                annotations: sorted(annotations),
            }],
            Self::SourceTag { tags } => vec![Fact::SourceTag { action: TagAction::Add, source, tags: tags.clone() }],
            Self::SourceDescription { text } => {
                let description = Some(text.clone());
                vec![Fact::SourceDescription { action: DescriptionAction::Save, source, description }]
            }
        }
    }
}

impl Operation {
    fn send(&self, sender: &Sender) -> Result<(), SendError> {
        let Self { name, source, start_millis, duration_millis, trace, id, parents, follows, tags, logs } = self;
        let fields: Vec<Vec<(&str, &str)>> = logs
            .iter()
            .map(|(_, fields)| fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect())
            .collect();
        let logs: Vec<SpanLog<'_>> =
            logs.iter().zip(&fields).map(|((timestamp, _), fields)| SpanLog::new(*timestamp, fields)).collect();
        let span = Span::new(name, *start_millis, *duration_millis, *trace, *id).source(source).tags(tags);
        sender.send(span.parents(parents).follows_from(follows).logs(&logs))
    }

    /// The span, and the line of its logs if there are any, which holds the span once more.
    fn facts(&self) -> Vec<Fact> {
        let mut tags = self.tags.clone();
        tags.extend(self.parents.iter().map(|id| ("parent".into(), id.to_string())));
        tags.extend(self.follows.iter().map(|id| ("followsFrom".into(), id.to_string())));
        if !self.logs.is_empty() {
            tags.push(("_spanLogs".into(), "true".into()));
        }
        let span = Fact::Span {
            name: self.name.clone(),
            source: self.source.clone(),
            trace: self.trace.to_string(),
            id: self.id.to_string(),
            start: millis(self.start_millis),
            duration: millis(self.duration_millis),
            tags: sorted(&tags),
        };
        if self.logs.is_empty() {
            return vec![span];
        }
        let logs = Fact::SpanLogs {
            trace: self.trace.to_string(),
            id: self.id.to_string(),
            logs: self.logs.iter().map(|(timestamp, fields)| (millis(*timestamp), sorted(fields))).collect(),
            span: Some(Box::new(span.clone())),
        };
        vec![span, logs]
    }
}

/// A double that is compared to the last bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Bits(u64);

impl From<f64> for Bits {
    fn from(value: f64) -> Self {
        Self(value.to_bits())
    }
}

impl Bits {
    fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// What a line says, every field of it. Times are in ms, those of log records in µs; pairs are sorted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Fact {
    /// A metric, or by its ∆ a delta counter.
    Point {
        name: String,
        value: Bits,
        timestamp: Option<i64>,
        source: String,
        tags: Pairs,
    },
    Histogram {
        name: String,
        granularity: Granularity,
        timestamp: Option<i64>,
        centroids: Vec<(Bits, i64)>,
        source: String,
        tags: Pairs,
    },
    Span {
        name: String,
        source: String,
        trace: String,
        id: String,
        start: i64,
        duration: i64,
        tags: Pairs,
    },
    SpanLogs {
        trace: String,
        id: String,
        logs: Vec<(i64, Pairs)>,
        span: Option<Box<Fact>>,
    },
    Event {
        name: String,
        start: i64,
        end: i64,
        hosts: Vec<String>,
        tags: Vec<String>,
        annotations: Pairs,
    },
    SourceTag {
        action: TagAction,
        source: String,
        tags: Vec<String>,
    },
    SourceDescription {
        action: DescriptionAction,
        source: String,
        description: Option<String>,
    },
    /// Something that the demo sends in no case.
    Other(String),
}

impl Fact {
    /// What the collector made of a line.
    pub(crate) fn of(accepted: &Accepted<'_>) -> Self {
        match accepted.content {
            Content::Line(line) => Self::of_line(line, accepted.raw),
            _ => Self::Other(accepted.raw.to_owned()),
        }
    }

    fn of_line(line: &Line<'_>, raw: &str) -> Self {
        match line {
            Line::Point(it) => Self::Point {
                name: text(it.name),
                value: it.value.into(),
                timestamp: it.timestamp,
                source: optional(it.source),
                tags: pairs(it.tags),
            },
            Line::Histogram(it) => Self::Histogram {
                name: text(it.name),
                granularity: it.granularity,
                timestamp: it.timestamp,
                centroids: it.centroids.map(|(mean, count)| (mean.into(), count.into())).collect(),
                source: optional(it.source),
                tags: pairs(it.tags),
            },
            Line::Span(it) => Self::of_span(it),
            Line::SpanLogs(it) => Self::SpanLogs {
                trace: text(it.trace_id),
                id: text(it.span_id),
                logs: it.logs.map(|log| (log.timestamp, pairs(log.fields))).collect(),
                span: it.decoded_span().map(|span| Box::new(Self::of_span(&span))),
            },
            Line::Event(it) => Self::Event {
                name: optional(it.name),
                start: it.start_time,
                end: it.end_time,
                hosts: it.hosts().map(text).collect(),
                tags: it.tags().map(text).collect(),
                annotations: pairs(it.annotations().chain(it.dimensions())),
            },
            Line::SourceTag(it) => {
                Self::SourceTag { action: it.action, source: text(it.source), tags: it.tags.map(text).collect() }
            }
            Line::SourceDescription(it) => Self::SourceDescription {
                action: it.action,
                source: text(it.source),
                description: it.description.map(text),
            },
            _ => Self::Other(raw.to_owned()),
        }
    }

    fn of_span(span: &parse::Span<'_>) -> Self {
        Self::Span {
            name: text(span.name),
            source: optional(span.source),
            trace: text(span.trace_id),
            id: text(span.span_id),
            start: span.start_millis,
            duration: span.duration_millis,
            tags: pairs(span.tags),
        }
    }

    /// The kind of line it stands in; none where the demo knows none.
    pub(crate) fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Point { name, .. } if name.starts_with('∆') => Kind::Delta,
            Self::Point { .. } => Kind::Metric,
            Self::Histogram { .. } => Kind::Histogram,
            Self::Span { .. } => Kind::Span,
            Self::SpanLogs { .. } => Kind::SpanLogs,
            Self::Event { .. } => Kind::Event,
            Self::SourceTag { .. } | Self::SourceDescription { .. } => Kind::SourceTag,
            Self::Other(_) => return None,
        })
    }

    /// The gist of it, for a narrow column.
    pub(crate) fn gist(&self) -> String {
        match self {
            Self::Point { name, value, .. } => {
                let unit = if name.ends_with(".usage") { " %" } else { "" };
                let plus = if self.kind() == Some(Kind::Delta) { "+" } else { "" };
                format!("{name} {plus}{}{unit}", value.value())
            }
            Self::Histogram { centroids, .. } => {
                let quantile = |share| quantile(centroids, share);
                let samples: i64 = centroids.iter().map(|(_, count)| count).sum();
                format!("{samples} × p50 {:.0} ms, p99 {:.0} ms", quantile(0.5), quantile(0.99))
            }
            Self::Span { name, duration, .. } => format!("{name} {duration} ms"),
            Self::SpanLogs { logs, span, .. } => {
                let name = match span.as_deref() {
                    Some(Self::Span { name, .. }) => name,
                    _ => "a span",
                };
                let records = if logs.len() == 1 { "record" } else { "records" };
                format!("{} {records}, {name}", logs.len())
            }
            Self::Event { name, .. } => name.clone(),
            Self::SourceTag { tags, .. } => tags.join(", "),
            Self::SourceDescription { description, .. } => format!("“{}”", description.as_deref().unwrap_or_default()),
            Self::Other(raw) => raw.clone(),
        }
    }
}

/// The mean of the centroid below which that share of the samples lies.
fn quantile(centroids: &[(Bits, i64)], share: f64) -> f64 {
    let mut sorted: Vec<(f64, i64)> = centroids.iter().map(|(mean, count)| (mean.value(), *count)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let samples: i64 = sorted.iter().map(|(_, count)| count).sum();
    let mut left = (samples as f64 * share).ceil() as i64;
    for (mean, count) in &sorted {
        left -= count;
        if left <= 0 {
            return *mean;
        }
    }
    f64::NAN
}

/// Receivers count in signed integers.
fn millis(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn sorted(pairs: &Pairs) -> Pairs {
    let mut pairs = pairs.clone();
    pairs.sort_unstable();
    pairs
}

fn text(text: Text<'_>) -> String {
    text.to_string()
}

fn optional(field: Option<Text<'_>>) -> String {
    field.map(text).unwrap_or_default()
}

fn pairs<'a>(all: impl IntoIterator<Item = (Text<'a>, Text<'a>)>) -> Pairs {
    let mut pairs: Pairs = all.into_iter().map(|(key, value)| (text(key), text(value))).collect();
    pairs.sort_unstable();
    pairs
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use wavefront_sdk::Limits;
    use wavefront_sdk::sender::SenderBuilder;
    use wavefront_sdk::transport::Memory;

    use super::*;
    use crate::demo::workload::Workload;

    fn read(line: &str) -> Fact {
        Fact::of_line(&parse::line(line, &Limits::DEFAULT).unwrap(), line)
    }

    #[test]
    fn a_line_as_the_wire_format_writes_it_gives_the_facts() {
        let tags: Pairs = vec![("b".into(), "say \"2\"".into()), ("a".into(), "1".into())];
        let metric = Datum::Metric { name: "m".into(), value: 0.1, at: 1_493_773_500, tags: tags.clone() };
        assert_eq!(metric.facts("s"), [read(r#""m" 0.1 1493773500 source="s" "a"="1" "b"="say \"2\"""#)]);
        let delta = Datum::Delta { name: "d".into(), value: 3.0, tags: Pairs::new() };
        assert_eq!(delta.facts("s"), [read("\"∆d\" 3.0 source=\"s\"")]);
        let histogram = Datum::Histogram { name: "h".into(), centroids: vec![(1.5, 2)], at: 1_493_773_500, tags };
        assert_eq!(
            histogram.facts("s"),
            [
                read(r#"!M 1493773500 #2 1.5 "h" source="s" "a"="1" "b"="say \"2\"""#),
                read(r#"!H 1493773500 #2 1.5 "h" source="s" "a"="1" "b"="say \"2\"""#),
            ]
        );
    }

    #[test]
    fn a_single_wrong_field_is_another_fact() {
        let fact = read("\"m\" 0.1 1493773500 source=\"s\" \"a\"=\"1\"");
        for wrong in [
            "\"n\" 0.1 1493773500 source=\"s\" \"a\"=\"1\"",
            "\"m\" 0.10000000000000002 1493773500 source=\"s\" \"a\"=\"1\"",
            "\"m\" 0.1 1493773501 source=\"s\" \"a\"=\"1\"",
            "\"m\" 0.1 source=\"s\" \"a\"=\"1\"",
            "\"m\" 0.1 1493773500 source=\"t\" \"a\"=\"1\"",
            "\"m\" 0.1 1493773500 source=\"s\" \"a\"=\"2\"",
            "\"m\" 0.1 1493773500 source=\"s\"",
        ] {
            assert_ne!(fact, read(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_is_sent_is_read_as_its_facts() {
        let memory = Memory::new();
        let sender = SenderBuilder::over(memory.clone()).source("vm").build().unwrap();
        let mut workload = Workload::new(7, 1_700_000_000_000);
        let mut expected = Vec::new();
        for tick in 0..20 {
            for datum in workload.tick(1_700_000_000_000 + 200 * tick) {
                datum.send(&sender).unwrap();
                expected.extend(datum.facts("vm"));
            }
        }
        sender.flush_now().unwrap();
        let mut read: Vec<Fact> = memory.text().lines().map(read).collect();
        assert_eq!(read.len(), expected.len());
        for fact in expected {
            let at = read.iter().position(|other| *other == fact);
            assert!(at.is_some(), "missing: {fact:?}");
            read.swap_remove(at.unwrap());
        }
        assert_eq!(read, []);
    }
}
