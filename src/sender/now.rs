//! Finished lines, sent at once: ahead of the queue, and with their outcome.

use core::time::Duration;
use std::string::String;
use std::vec::Vec;

use super::Sender;
use super::driver::deadline;
use super::error::{Cause, NowError, SendError};
use super::handle::refusal;
use super::hub::Waiter;
use crate::delivery::Refused;
use crate::parse::{self, Line};
use crate::{Encode, Event, EventForm, Kind};

/// As long as one request may take, twice: the first may have to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(60);

/// The functions of the other SDKs of the family that send finished lines.
///
/// Each string may hold several lines, with or without a LF at its end. Every line is checked first; if one is wrong,
/// nothing is sent. Then they go ahead of the queue, in batches of their own, and the call waits for the outcome of
/// each batch's first try. What could not be delivered then stays queued and is sent again, as the ledger says.
impl Sender {
    /// Sends finished lines of metrics and delta counters. Returns how many were delivered: all.
    ///
    /// ```
    /// # use wavefront_sdk::{sender::SenderBuilder, transport::Memory};
    /// # let wavefront_sender = SenderBuilder::over(Memory::new()).build()?;
    /// use wavefront_sdk::metric_to_line_data;
    /// let tags = [("datacenter", "dc1")];
    /// let line = metric_to_line_data("power.usage", 42422.0, Some(1493773500), "localhost", &tags, "defaultSource")?;
    /// assert_eq!(wavefront_sender.send_metric_now(&[&line, &line])?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`NowError`] says which line is wrong, or what became of the lines.
    pub fn send_metric_now<L: AsRef<str>>(&self, lines: &[L]) -> Result<usize, NowError> {
        self.send_now(lines, |line| parse::point(line, &self.settings().limits).map(Line::Point))
    }

    /// Sends finished histogram lines.
    ///
    /// # Errors
    /// As [`send_metric_now`](Self::send_metric_now).
    pub fn send_distribution_now<L: AsRef<str>>(&self, lines: &[L]) -> Result<usize, NowError> {
        self.send_now(lines, |line| parse::histogram(line, &self.settings().limits).map(Line::Histogram))
    }

    /// Sends finished span lines.
    ///
    /// # Errors
    /// As [`send_metric_now`](Self::send_metric_now).
    pub fn send_span_now<L: AsRef<str>>(&self, lines: &[L]) -> Result<usize, NowError> {
        self.send_now(lines, |line| parse::span(line, &self.settings().limits).map(Line::Span))
    }

    /// Sends finished span log lines.
    ///
    /// # Errors
    /// As [`send_metric_now`](Self::send_metric_now).
    pub fn send_span_log_now<L: AsRef<str>>(&self, lines: &[L]) -> Result<usize, NowError> {
        self.send_now(lines, |line| parse::span_logs(line, &self.settings().limits).map(Line::SpanLogs))
    }

    /// Sends finished event lines (`@Event …`). Direct ingestion gets them as the JSON it wants.
    ///
    /// # Errors
    /// As [`send_metric_now`](Self::send_metric_now).
    pub fn send_event_now<L: AsRef<str>>(&self, lines: &[L]) -> Result<usize, NowError> {
        self.send_now(lines, |line| parse::event(line, &self.settings().limits).map(Line::Event))
    }

    fn send_now<'l, L: AsRef<str>>(
        &self,
        strings: &'l [L],
        read: impl Fn(&'l str) -> Result<Line<'l>, parse::ParseError>,
    ) -> Result<usize, NowError> {
        let mut chunks =
            Chunks { most_lines: self.shared().batch_lines, most_bytes: self.shared().segment, all: Vec::new() };
        let lines = strings.iter().flat_map(|string| string.as_ref().lines_of());
        for (number, line) in (1..).zip(lines) {
            let parsed = read(line).map_err(|error| NowError::Line { line: number, error })?;
            let kind = parsed.kind();
            self.admits(kind).map_err(NowError::Refused)?;
            chunks.add(kind, |bytes| self.write(&parsed, line, bytes)).map_err(NowError::Refused)?;
        }
        self.send_chunks(&chunks.all)
    }

    /// Queues a line that was checked already, as it stands: for events of direct ingestion as JSON.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_line(&self, line: &Line<'_>, text: &str) -> Result<(), SendError> {
        let kind = line.kind();
        self.admits(kind)?;
        let mut bytes = Vec::with_capacity(text.len() + 1);
        self.write(line, text, &mut bytes)?;
        self.push(kind, &bytes, 1)
    }

    fn write(&self, line: &Line<'_>, text: &str, bytes: &mut Vec<u8>) -> Result<(), SendError> {
        if let (Line::Event(event), EventForm::Json) = (line, self.settings().events) {
            return self.write_event(event, bytes);
        }
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(b'\n');
        Ok(())
    }

    /// An event line as the JSON that direct ingestion takes.
    fn write_event(&self, event: &parse::Event<'_>, bytes: &mut Vec<u8>) -> Result<(), SendError> {
        let text = |text: parse::Text<'_>| text.to_cow().into_owned();
        let name = event.name.map(text).unwrap_or_default();
        let host = event.hosts().next().map(text);
        let tags: Vec<String> = event.tags().map(text).collect();
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let annotations: Vec<_> = event.annotations().map(|(key, value)| (text(key), text(value))).collect();
        let mut datum = Event::new(&name, event.start_time.unsigned_abs()).end(event.end_time.unsigned_abs());
        datum.source = host.as_deref();
        let encoded = datum.tags(&tags).annotations(annotations.as_slice()).encode(&self.settings().rules(), bytes);
        encoded.map(|_| ()).map_err(|error| self.invalid(Kind::Event, error))
    }

    fn send_chunks(&self, chunks: &[Chunk]) -> Result<usize, NowError> {
        let outstanding = chunks.iter().map(|chunk| chunk.lines as usize).sum();
        if outstanding == 0 {
            return Ok(0);
        }
        let shared = self.shared();
        if shared.forked() {
            return Err(NowError::Refused(SendError::Forked));
        }
        let deadline = deadline(PATIENCE);
        let mut hub = shared.lock();
        let tag = hub.watch(outstanding);
        for chunk in chunks {
            let pushed = hub.delivery.view().push_urgent(chunk.kind, &chunk.bytes, chunk.lines, tag);
            let Err(refused) = pushed else { continue };
            if matches!(refused, Refused::Full | Refused::StoreFull) {
                hub.told = hub.told.wrapping_add(chunk.lines as usize);
            }
            let untouched = core::ptr::eq(chunk, &chunks[0]);
            if untouched {
                hub.watches.remove(&tag);
                return Err(NowError::Refused(refusal(chunk.kind, refused)));
            }
            if let Some(waiter) = hub.watches.get_mut(&tag) {
                waiter.watch.drop_lines(chunk.lines as usize);
                waiter.cause.get_or_insert(Cause::QueueFull);
            }
        }
        shared.wake();
        loop {
            let open = hub.watches.get(&tag).is_some_and(|waiter| waiter.watch.is_open());
            let closed = hub.is_closed();
            let resumed = if open && !closed { shared.wait(hub, deadline) } else { Some(hub) };
            let over = resumed.is_none();
            hub = resumed.unwrap_or_else(|| shared.lock());
            if open && !over && !closed {
                continue;
            }
            let Waiter { mut watch, cause } = hub.watches.remove(&tag).unwrap_or_default();
            if watch.is_delivered() {
                return Ok(outstanding);
            }
            watch.end(closed);
            return Err(NowError::Failed {
                delivered: watch.delivered(),
                kept: watch.kept(),
                dropped: watch.dropped(),
                cause: cause.unwrap_or(if closed { Cause::Closed } else { Cause::Pending }),
            });
        }
    }
}

/// Lines of one kind that fit in a batch.
struct Chunk {
    kind: Kind,
    bytes: Vec<u8>,
    lines: u32,
}

/// Finished lines, cut into batches.
struct Chunks {
    most_lines: u32,
    most_bytes: usize,
    all: Vec<Chunk>,
}

impl Chunks {
    fn add(&mut self, kind: Kind, write: impl FnOnce(&mut Vec<u8>) -> Result<(), SendError>) -> Result<(), SendError> {
        let mut line = Vec::new();
        write(&mut line)?;
        if line.len() > self.most_bytes {
            return Err(SendError::TooLarge(kind));
        }
        let Self { most_lines, most_bytes, all } = self;
        let fits = |chunk: &&mut Chunk| {
            chunk.kind == kind && chunk.lines < *most_lines && chunk.bytes.len() + line.len() <= *most_bytes
        };
        match all.last_mut().filter(fits) {
            Some(chunk) => {
                chunk.bytes.append(&mut line);
                chunk.lines += 1;
            }
            None => all.push(Chunk { kind, bytes: line, lines: 1 }),
        }
        Ok(())
    }
}

/// The lines of a string: ended by LF only, the last one with or without it.
trait LinesOf {
    fn lines_of(&self) -> core::str::Split<'_, char>;
}

impl LinesOf for str {
    fn lines_of(&self) -> core::str::Split<'_, char> {
        self.strip_suffix('\n').unwrap_or(self).split('\n')
    }
}
