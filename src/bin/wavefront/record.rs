//! One JSON record: what its keys mean, kind by kind.

use std::borrow::Cow;

use serde_json::value::RawValue;
use wavefront_sdk::{
    DeltaCounter, Event, Granularities, Granularity, Histogram, Kind, Metric, SourceDescription, SourceTag, Span,
    SpanLog, TagAction,
};

use crate::feed::{Fault, Outlet};
use crate::json::{self, Member, Text, shown};
use crate::tags::Added;

/// What a JSON object on a line of its own is.
#[derive(Debug)]
pub(crate) enum Object<'a> {
    /// A record.
    Record(Record<'a>),
    /// The logs of a span, as the receiver reads them: a ready line.
    SpanLogs,
}

/// A record's kind, and its members.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    shape: &'static Shape,
    members: Vec<Member<'a>>,
}

/// A kind of record.
#[derive(Debug)]
struct Shape {
    name: &'static str,
    kind: Kind,
    keys: &'static [&'static str],
}

static SHAPES: [Shape; 7] = [
    Shape { name: "metric", kind: Kind::Metric, keys: &["name", "value", "timestamp", "source", "tags"] },
    Shape { name: "delta", kind: Kind::Delta, keys: &["name", "value", "source", "tags"] },
    Shape {
        name: "histogram",
        kind: Kind::Histogram,
        keys: &["name", "centroids", "granularities", "timestamp", "source", "tags"],
    },
    Shape {
        name: "span",
        kind: Kind::Span,
        keys: &[
            "name",
            "start_millis",
            "duration_millis",
            "source",
            "trace_id",
            "span_id",
            "parents",
            "follows_from",
            "tags",
            "span_logs",
        ],
    },
    Shape {
        name: "event",
        kind: Kind::Event,
        keys: &["name", "start_time", "end_time", "source", "tags", "annotations"],
    },
    Shape { name: "source_tag", kind: Kind::SourceTag, keys: &["action", "source", "tags"] },
    Shape { name: "source_description", kind: Kind::SourceTag, keys: &["action", "source", "description"] },
];

impl<'a> Object<'a> {
    /// Reads the object that is `text`.
    pub(crate) fn read(text: &'a str) -> Result<Self, Fault> {
        let members = json::object(text)?;
        let find = |name| members.iter().find(|(key, _)| key.as_ref() == name);
        if find("traceId").is_some() && find("logs").is_some() {
            return Ok(Self::SpanLogs);
        }
        let kinds = "metric, delta, histogram, span, event, source_tag, source_description";
        let Some((_, kind)) = find("kind").filter(|(_, kind)| !json::is_null(kind)) else {
            return Err(format!("\"kind\" missing: a record is one of {kinds}").into());
        };
        let kind = json::text(kind).map_err(|wrong| format!("\"kind\": {wrong}"))?;
        let Some(shape) = SHAPES.iter().find(|shape| shape.name == kind) else {
            return Err(format!("unknown kind {}: it is one of {kinds}", shown(&kind)).into());
        };
        let fault = |text| Fault { kind: Some(shape.kind), text };
        if let Some((key, _)) =
            members.iter().find(|(key, _)| key.as_ref() != "kind" && !shape.keys.contains(&key.as_ref()))
        {
            let keys = shape.keys.join(", ");
            return Err(fault(format!("unknown key {}: a {} has {keys}", shown(key.as_ref()), shape.name)));
        }
        if let Some(key) = json::repeated(&members) {
            return Err(fault(format!("repeated key {}", shown(key))));
        }
        Ok(Self::Record(Record { shape, members }))
    }
}

impl<'a> Record<'a> {
    /// Hands the record over as the datum it describes, with the tags of the command line.
    pub(crate) fn hand_over(&self, added: &Added, outlet: &mut impl Outlet) -> Result<(), Fault> {
        let handed = match self.shape.name {
            "metric" => self.metric(added, outlet),
            "delta" => self.delta(added, outlet),
            "histogram" => self.histogram(added, outlet),
            "span" => self.span(added, outlet),
            "event" => self.event(outlet),
            "source_tag" => self.source_tag(outlet),
            _ => self.source_description(outlet),
        };
        handed.map_err(|fault| Fault { kind: Some(self.shape.kind), ..fault })
    }

    fn metric(&self, added: &Added, outlet: &mut impl Outlet) -> Result<(), Fault> {
        let (name, source, tags) =
            (self.name()?, self.source()?, self.optional("tags", json::map)?.unwrap_or_default());
        let mut metric = Metric::new(&name, self.needed("value", json::number)?).tags(added.to(&tags));
        metric.source = source.as_deref();
        metric.timestamp = self.optional("timestamp", json::time)?;
        outlet.datum(metric)
    }

    fn delta(&self, added: &Added, outlet: &mut impl Outlet) -> Result<(), Fault> {
        let (name, source, tags) =
            (self.name()?, self.source()?, self.optional("tags", json::map)?.unwrap_or_default());
        let mut delta = DeltaCounter::new(&name, self.needed("value", json::number)?).tags(added.to(&tags));
        delta.source = source.as_deref();
        outlet.datum(delta)
    }

    fn histogram(&self, added: &Added, outlet: &mut impl Outlet) -> Result<(), Fault> {
        let (name, source, tags) =
            (self.name()?, self.source()?, self.optional("tags", json::map)?.unwrap_or_default());
        let centroids = self.needed("centroids", json::centroids)?;
        let mut histogram = Histogram::new(&name, &centroids).tags(added.to(&tags));
        histogram.granularities = self.needed("granularities", granularities)?;
        histogram.timestamp = self.optional("timestamp", json::time)?;
        histogram.source = source.as_deref();
        outlet.datum(histogram)
    }

    fn span(&self, added: &Added, outlet: &mut impl Outlet) -> Result<(), Fault> {
        let (name, source, tags) =
            (self.name()?, self.source()?, self.optional("tags", json::pairs)?.unwrap_or_default());
        let (start, duration) = (self.needed("start_millis", json::time)?, self.needed("duration_millis", json::time)?);
        let (trace_id, span_id) = (self.needed("trace_id", json::uuid)?, self.needed("span_id", json::uuid)?);
        let parents = self.optional("parents", json::uuids)?.unwrap_or_default();
        let follows_from = self.optional("follows_from", json::uuids)?.unwrap_or_default();
        let logs = self.optional("span_logs", json::logs)?.unwrap_or_default();
        let fields: Vec<Vec<(&str, &str)>> = logs.iter().map(|(_, fields)| borrowed_pairs(fields)).collect();
        let logs: Vec<SpanLog<'_>> =
            logs.iter().zip(&fields).map(|((timestamp, _), fields)| SpanLog::new(*timestamp, fields)).collect();
        let mut span = Span::new(&name, start, duration, trace_id, span_id).tags(added.to(&tags));
        span.source = source.as_deref();
        outlet.datum(span.parents(&parents).follows_from(&follows_from).logs(&logs))
    }

    fn event(&self, outlet: &mut impl Outlet) -> Result<(), Fault> {
        let (name, source) = (self.name()?, self.source()?);
        let tags = self.optional("tags", json::texts)?.unwrap_or_default();
        let tags = borrowed(&tags);
        let annotations = self.optional("annotations", json::map)?.unwrap_or_default();
        let mut event = Event::new(&name, self.needed("start_time", json::time)?).tags(&tags);
        event.end_millis = self.optional("end_time", json::time)?;
        event.source = source.as_deref();
        outlet.datum(event.annotations(annotations.as_slice()))
    }

    fn source_tag(&self, outlet: &mut impl Outlet) -> Result<(), Fault> {
        let action = match &*self.needed("action", json::text)? {
            "add" => TagAction::Add,
            "save" => TagAction::Save,
            "delete" => TagAction::Delete,
            other => return Err(format!("unknown action {}: it is add, save or delete", shown(other)).into()),
        };
        let (source, tags) = (self.source()?, self.needed("tags", json::texts)?);
        let tags = borrowed(&tags);
        let mut source_tag = SourceTag::new(action, &tags);
        source_tag.source = source.as_deref();
        outlet.datum(source_tag)
    }

    fn source_description(&self, outlet: &mut impl Outlet) -> Result<(), Fault> {
        let source = self.source()?;
        let text = self.optional("description", json::text)?;
        let mut description = match &*self.needed("action", json::text)? {
            "save" => SourceDescription::save(text.as_deref().ok_or("\"description\" missing: save needs one")?),
            "delete" => SourceDescription::delete(),
            other => return Err(format!("unknown action {}: it is save or delete", shown(other)).into()),
        };
        if let Some(text) = &text {
            description.description = text;
        }
        description.source = source.as_deref();
        outlet.datum(description)
    }

    fn name(&self) -> Result<Cow<'a, str>, Fault> {
        self.needed("name", json::text)
    }

    fn source(&self) -> Result<Option<Cow<'a, str>>, Fault> {
        self.optional("source", json::text)
    }

    /// The value of `key`, if it is there and not null.
    fn optional<T>(
        &self,
        key: &str,
        read: impl Fn(&'a RawValue) -> Result<T, json::Wrong>,
    ) -> Result<Option<T>, Fault> {
        match self.members.iter().find(|(name, _)| name.as_ref() == key) {
            Some((_, raw)) if !json::is_null(raw) => {
                read(raw).map(Some).map_err(|wrong| format!("\"{key}\": {wrong}").into())
            }
            _ => Ok(None),
        }
    }

    /// The value of `key`.
    fn needed<T>(&self, key: &str, read: impl Fn(&'a RawValue) -> Result<T, json::Wrong>) -> Result<T, Fault> {
        self.optional(key, read)?.ok_or_else(|| format!("\"{key}\" missing: a {} needs it", self.shape.name).into())
    }
}

fn granularities(raw: &RawValue) -> Result<Granularities, json::Wrong> {
    let mut granularities = Granularities::NONE;
    for text in json::texts(raw)? {
        granularities = granularities.with(match text.as_ref() {
            "minute" => Granularity::Minute,
            "hour" => Granularity::Hour,
            "day" => Granularity::Day,
            other => return Err(format!("unknown granularity {}: it is minute, hour or day", shown(other))),
        });
    }
    Ok(granularities)
}

fn borrowed<'t>(texts: &'t [Text<'_>]) -> Vec<&'t str> {
    texts.iter().map(AsRef::as_ref).collect()
}

fn borrowed_pairs<'t>(pairs: &'t [(Text<'_>, Text<'_>)]) -> Vec<(&'t str, &'t str)> {
    pairs.iter().map(|(key, value)| (key.as_ref(), value.as_ref())).collect()
}
