//! What a line is, and whether it passes.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::format;
use std::io;
use std::string::{String, ToString};
use std::vec::Vec;

use super::builder::Port;
use super::event::EventJson;
use super::out::Pieces;
use super::server::{Kept, Shared};
use super::summary::{Summary, Via};
use crate::parse::{self, Line, ParseError, Reason};
use crate::{Kind, Limits};

/// Bytes that are looked at of a line that is not read.
const BEGINNING: usize = 1024;

/// Larger events than this are not read.
const EVENT: usize = 256 * 1024;

/// A line that passed.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Accepted<'a> {
    /// Its kind.
    pub kind: Kind,
    /// How it came.
    pub via: Via,
    /// The port it came on.
    pub port: Port,
    /// The line, without blanks around it; bytes that are no UTF-8 are U+FFFD, as a proxy reads them.
    pub raw: &'a str,
    /// What it says.
    pub content: Content<'a>,
}

/// What an accepted line says.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Content<'a> {
    /// A line.
    Line(&'a Line<'a>),
    /// The JSON of an event, as direct ingestion takes it.
    EventJson(&'a EventJson),
}

/// What is expected: by the `f` of a request, or by the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Everything that can be told by its beginning: all kinds but spans.
    Any,
    Points,
    Histograms,
    Spans,
    SpanLogs,
    Events,
    /// Spans, and span logs by their braces.
    Traces,
}

impl Takes {
    /// TCP lines, and HTTP without `f`.
    pub(super) fn on(port: Port) -> Self {
        match port {
            Port::Metrics => Self::Any,
            Port::Histograms => Self::Histograms,
            Port::Traces => Self::Traces,
        }
    }

    /// HTTP with `f`, none if there is no such format. As with a proxy, a trace port reads spans and a histogram port
    /// histograms whatever `f` says.
    pub(super) fn asked(port: Port, format: Option<&str>) -> Option<Self> {
        let asked = match format {
            None => return Some(Self::on(port)),
            Some("wavefront" | "graphite_v2") => Self::Points,
            Some("histogram") => Self::Histograms,
            Some("trace") => Self::Spans,
            Some("spanLogs") => Self::SpanLogs,
            Some("event") => Self::Events,
            Some(_) => return None,
        };
        Some(match (port, asked) {
            (Port::Metrics, asked) | (Port::Traces, asked @ Self::SpanLogs) => asked,
            (other, _) => Self::on(other),
        })
    }

    /// What the line has to be, or is taken for.
    pub(super) fn kind_of(self, line: &str) -> Kind {
        self.kind_by(line, line.len() > 1 && line.ends_with('}'))
    }

    /// The same where the end of the line is not known.
    pub(super) fn kind_of_beginning(self, line: &str) -> Kind {
        self.kind_by(line, true)
    }

    fn kind_by(self, line: &str, closed: bool) -> Kind {
        let braces = closed && line.starts_with('{');
        match self {
            Self::Points => point_kind(line),
            Self::Histograms => Kind::Histogram,
            Self::Spans => Kind::Span,
            Self::SpanLogs => Kind::SpanLogs,
            Self::Events => Kind::Event,
            Self::Traces if braces => Kind::SpanLogs,
            Self::Traces => Kind::Span,
            Self::Any => match line.as_bytes() {
                [b'{', ..] if braces => Kind::SpanLogs,
                [b'!', b'M' | b'H' | b'D', b' ', ..] => Kind::Histogram,
                [b'@', ..] if line.starts_with("@Event") => Kind::Event,
                [b'@', ..] if line.starts_with("@Source") => Kind::SourceTag,
                _ => point_kind(line),
            },
        }
    }
}

fn point_kind(line: &str) -> Kind {
    let name = line.strip_prefix(['"', '\'']).unwrap_or(line);
    if name.starts_with(['∆', 'Δ']) { Kind::Delta } else { Kind::Metric }
}

pub(super) fn too_long(limit: usize) -> String {
    format!("the line is longer than {limit} bytes")
}

/// What is looked at of a line that is too long or has no end. A line over the limit is known by so much of it however
/// its bytes came, so that it counts as the same.
pub(super) fn beginning(line: &[u8], limit: usize) -> Cow<'_, str> {
    let beginning = String::from_utf8_lossy(line.get(..BEGINNING.min(limit)).unwrap_or(line));
    match beginning.trim_start_matches(|c| c <= ' ') {
        trimmed if trimmed.len() == beginning.len() => beginning,
        trimmed => trimmed.to_string().into(),
    }
}

/// Judges the lines of one chunk, then settles them.
pub(super) struct Judge<'a> {
    shared: &'a Shared,
    via: Via,
    port: Port,
    takes: Takes,
    limit: usize,
    counts: Summary,
    pieces: Pieces,
    kept: VecDeque<Kept>,
}

impl<'a> Judge<'a> {
    /// Lines may have `limit` bytes, without their LF or CR LF.
    pub(super) fn new(shared: &'a Shared, via: Via, port: Port, takes: Takes, limit: usize) -> Self {
        let (counts, pieces, kept) = Default::default();
        Self { shared, via, port, takes, limit, counts, pieces, kept }
    }

    /// Judges each line of `chunk`; the last one may lack its LF.
    pub(super) fn lines(&mut self, chunk: &[u8]) {
        let mut start = 0;
        while start < chunk.len() {
            let rest = &chunk[start..];
            let length = rest.iter().position(|&byte| byte == b'\n');
            let end = start + length.unwrap_or(rest.len());
            let line = &chunk[start..end];
            let without_cr = line.strip_suffix(b"\r").unwrap_or(line);
            if self.line(without_cr) && self.shared.writes() {
                self.pieces.push(start, start + without_cr.len(), length == Some(without_cr.len()));
            }
            start = end + 1;
        }
    }

    /// Whether any line passed.
    pub(super) fn accepted(&self) -> bool {
        self.counts.accepted() > 0
    }

    /// Writes and counts what was judged.
    pub(super) fn settle(self, chunk: &[u8]) -> io::Result<()> {
        self.shared.settle(chunk, &self.pieces, &self.counts, self.kept)
    }

    /// Counts what passed as not written.
    pub(super) fn lose(self) {
        self.shared.ledger.update(|summary| summary.unwritten += self.counts.accepted());
    }

    fn line(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.limit {
            let line = beginning(bytes, self.limit);
            self.counts.reject(self.via, self.takes.kind_of_beginning(&line), &too_long(self.limit), &line);
            return false;
        }
        let decoded = String::from_utf8_lossy(bytes);
        // A proxy trims what Java takes for blank: control characters too in TCP lines, Unicode's white space in HTTP.
        let line = match self.via {
            Via::Tcp => decoded.trim_matches(|c| c <= ' '),
            Via::Http => decoded.trim(),
        };
        if line.is_empty() {
            return false;
        }
        let kind = self.takes.kind_of(line);
        let problem: Cow<'_, str> = if self.via == Via::Tcp && self.shared.token.is_some() {
            "a token is required, and lines over TCP carry none".into()
        } else if line.contains('\u{4}') {
            "the character U+0004 is not allowed".into()
        } else {
            match read(kind, line, &self.shared.limits) {
                Ok(parsed) => {
                    let kind = parsed.kind();
                    self.accept(kind, &decoded, line, Content::Line(&parsed));
                    return true;
                }
                Err(error) => reason(&error, self.takes, line),
            }
        };
        self.counts.reject(self.via, kind, &problem, line);
        false
    }

    fn accept(&mut self, kind: Kind, whole: &str, raw: &str, content: Content<'_>) {
        self.counts.accept(self.via, kind);
        if let Some(on_line) = &self.shared.on_line {
            on_line(&Accepted { kind, via: self.via, port: self.port, raw, content });
        }
        if self.shared.keep > 0 {
            if self.kept.len() >= self.shared.keep {
                self.kept.pop_front();
            }
            self.kept.push_back(Kept { kind, line: whole.to_string() });
        }
    }
}

/// Reads a line as `kind`, by its own parser: what is no histogram is not tried as something else.
fn read<'a>(kind: Kind, line: &'a str, limits: &Limits) -> Result<Line<'a>, ParseError> {
    match kind {
        Kind::Metric | Kind::Delta => parse::point(line, limits).map(Line::Point),
        Kind::Histogram => parse::histogram(line, limits).map(Line::Histogram),
        Kind::Span => parse::span(line, limits).map(Line::Span),
        Kind::SpanLogs => parse::span_logs(line, limits).map(Line::SpanLogs),
        Kind::Event => parse::event(line, limits).map(Line::Event),
        Kind::SourceTag if line.starts_with("@SourceDescription") => {
            parse::source_description(line, limits).map(Line::SourceDescription)
        }
        Kind::SourceTag => parse::source_tag(line, limits).map(Line::SourceTag),
    }
}

/// The error without the figures of this very line, so that its like are counted together.
fn reason(error: &ParseError, takes: Takes, line: &str) -> Cow<'static, str> {
    let real = Takes::Any.kind_of(line);
    if takes == Takes::Points && !matches!(real, Kind::Metric | Kind::Delta) {
        return format!("{real} where only points are taken").into();
    }
    match error.reason {
        Reason::TooLong { part, limit, .. } => format!("{part} is too long: the limit is {limit}").into(),
        Reason::TooMany { part, limit, .. } => format!("too many {part}: the limit is {limit}").into(),
        reason => reason.to_string().into(),
    }
}

/// Judges, writes and counts the JSON of an event. `Ok(Err(…))`: why it is none.
pub(super) fn event_json(shared: &Shared, port: Port, body: &[u8]) -> io::Result<Result<(), String>> {
    let raw = String::from_utf8_lossy(body);
    let raw = raw.trim();
    let mut judge = Judge::new(shared, Via::Http, port, Takes::Events, EVENT);
    let read = if body.len() > EVENT { Err(too_long(EVENT)) } else { EventJson::read(body) };
    let result = match read {
        Err(reason) => {
            // Where serde_json found it is told to the client; in the counts all of them are one.
            let known = if reason.starts_with("this is not JSON") { "this is not JSON" } else { &reason };
            judge.counts.reject(Via::Http, Kind::Event, known, raw);
            Err(reason)
        }
        Ok(event) => {
            judge.accept(Kind::Event, raw, raw, Content::EventJson(&event));
            Ok(())
        }
    };
    // One line in the file: in JSON, a line end can only stand where a blank can.
    let line: Vec<u8> =
        body.trim_ascii().iter().map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }).collect();
    if result.is_ok() && shared.writes() {
        judge.pieces.push(0, line.len(), false);
    }
    judge.settle(&line)?;
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_by_its_beginning() {
        for (line, kind) in [
            ("\"a\" 1", Kind::Metric),
            ("a 1", Kind::Metric),
            ("\"∆a\" 1", Kind::Delta),
            ("Δa 1", Kind::Delta),
            ("!M #1 2 a", Kind::Histogram),
            ("!X #1 2 a", Kind::Metric),
            ("@Event 1 2 e", Kind::Event),
            ("@SourceTag action=add", Kind::SourceTag),
            ("@SourceDescription action=save", Kind::SourceTag),
            ("{\"traceId\":1}", Kind::SpanLogs),
            ("{", Kind::Metric),
        ] {
            assert_eq!(Takes::Any.kind_of(line), kind, "{line}");
        }
    }

    #[test]
    fn f_is_taken_literally_on_a_metrics_port_only() {
        assert_eq!(Takes::asked(Port::Metrics, Some("wavefront")), Some(Takes::Points));
        assert_eq!(Takes::asked(Port::Metrics, None), Some(Takes::Any));
        assert_eq!(Takes::asked(Port::Traces, Some("wavefront")), Some(Takes::Traces));
        assert_eq!(Takes::asked(Port::Traces, Some("spanLogs")), Some(Takes::SpanLogs));
        assert_eq!(Takes::asked(Port::Histograms, Some("trace")), Some(Takes::Histograms));
        assert_eq!(Takes::asked(Port::Metrics, Some("nonsense")), None);
    }
}
