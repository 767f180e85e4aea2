//! Points: `name value [timestamp] key=value…`

use super::{
    cursor::Cursor,
    error::{Fault, Part, Reason},
    number,
    tags::{self, Tags},
    text::Text,
    validate,
};
use crate::Limits;

/// The point of a metric, or an increment of a delta counter.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Point<'a> {
    /// Its name.
    pub name: Text<'a>,
    /// Its value; the receiver takes infinities and NaN too.
    pub value: f64,
    /// When it was so, in milliseconds since 1970; none where the line has none and the receiver takes its own clock.
    pub timestamp: Option<i64>,
    /// What it is about; none where the line names nothing and the receiver takes `unknown`.
    pub source: Option<Text<'a>>,
    /// Its tags.
    pub tags: Tags<'a>,
}

impl Point<'_> {
    /// Whether it is an increment of a delta counter: its name starts with `∆` or `Δ`.
    pub fn is_delta(&self) -> bool {
        validate::is_delta(&self.name)
    }
}

pub(super) fn read<'a>(mut cursor: Cursor<'a>, limits: &Limits) -> Result<Point<'a>, Fault> {
    let name = cursor.expect(Part::MetricName)?;
    let token = cursor.expect(Part::Value)?;
    let value = number::double(&token.text).ok_or(token.fault(Reason::NotANumber(Part::Value)))?;
    let timestamp = cursor.timestamp(Part::Timestamp)?;
    validate::length(&name, Part::MetricName, limits.metric_name)?;
    validate::name(&name, Part::MetricName)?;
    let (source, tags) = tags::read(&mut cursor, limits)?;
    let point = Point { name: name.text, value, timestamp, source, tags };
    if point.is_delta() && value <= 0.0 {
        return Err(token.fault(Reason::DeltaNotPositive));
    }
    Ok(point)
}
