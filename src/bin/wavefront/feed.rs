//! The input, record by record: JSON or ready line, told apart, checked, handed on. It streams: what is held at a time
//! is one line.

use core::sync::atomic::{AtomicU64, Ordering};
use std::io::{self, BufRead, BufReader, Read, Write};

use indicatif::ProgressBar;
use wavefront_sdk::delivery::Config;
use wavefront_sdk::parse::{self, Line};
use wavefront_sdk::sender::SendError;
use wavefront_sdk::{Encode, EncodeError, Field, InvalidInput, Kind, KindSet, Limits, Problem, Rules, Sender};

use crate::record::Object;
use crate::shown::printable;
use crate::tags::Added;

/// The longest line of input: twice the longest that a receiver takes.
pub(crate) const LONGEST: usize = 2 << 20;

/// Why a record is not sent.
#[derive(Debug)]
pub(crate) struct Fault {
    /// What it was taken for, if that is known.
    pub(crate) kind: Option<Kind>,
    /// What is wrong, in words.
    pub(crate) text: String,
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self { kind: None, text }
    }
}

impl From<&str> for Fault {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<SendError> for Fault {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Invalid(InvalidInput { field: Field::Source, problem: Problem::Missing, .. }) => {
                "source missing: name one in the record, or give --source".into()
            }
            other => other.to_string().into(),
        }
    }
}

/// Where records go.
pub(crate) trait Outlet {
    /// Takes a datum of a JSON record.
    fn datum<D: Encode>(&mut self, datum: D) -> Result<(), Fault>;

    /// Takes a ready line that was checked.
    fn line(&mut self, line: &Line<'_>, text: &str) -> Result<(), Fault>;

    /// Whether nothing more is taken, so that the last fault was not the record's.
    fn is_over(&self) -> bool;

    /// Called when the input may keep us waiting.
    fn rest(&mut self) {}
}

/// Counts of the input, read by others while it is read.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    records: AtomicU64,
    bytes: AtomicU64,
    invalid: [AtomicU64; Kind::COUNT],
    invalid_unknown: AtomicU64,
}

impl Tally {
    /// Records read: lines of input that are not blank.
    pub(crate) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Bytes read.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Bad records of `kind`; without one, those of which the kind is not known.
    pub(crate) fn invalid(&self, kind: Option<Kind>) -> u64 {
        self.of(kind).load(Ordering::Relaxed)
    }

    fn of(&self, kind: Option<Kind>) -> &AtomicU64 {
        kind.and_then(|kind| self.invalid.get(kind.index())).unwrap_or(&self.invalid_unknown)
    }
}

/// How the reading ended.
#[derive(Debug)]
pub(crate) enum End {
    /// With the input.
    Whole,
    /// At this line, which was not taken any more.
    Stopped(u64),
    /// The input cannot be read any further.
    Failed(io::Error),
}

impl End {
    /// The same, for somebody else.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Whole => Self::Whole,
            Self::Stopped(line) => Self::Stopped(*line),
            Self::Failed(error) => Self::Failed(io::Error::new(error.kind(), error.to_string())),
        }
    }
}

/// What the records of an input are read with.
pub(crate) struct Feed<'f> {
    /// The input's name.
    pub(crate) name: &'f str,
    pub(crate) added: &'f Added,
    pub(crate) tally: &'f Tally,
    pub(crate) bar: &'f ProgressBar,
}

impl Feed<'_> {
    /// Reads to the end, or as long as `outlet` takes it. Bad records are told on standard error.
    pub(crate) fn run(&self, input: impl Read, outlet: &mut impl Outlet) -> End {
        let mut lines = Lines { reader: BufReader::with_capacity(128 << 10, input), line: Vec::new(), number: 0 };
        loop {
            if lines.reader.buffer().is_empty() {
                outlet.rest();
            }
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return End::Whole,
                Err(error) => return End::Failed(error),
            };
            let handed = match line {
                Err(skipped) => {
                    self.tally.bytes.fetch_add(skipped, Ordering::Relaxed);
                    Err(Fault::from(format!("the line is too long: {skipped} bytes, the limit is {LONGEST}")))
                }
                Ok(line) => {
                    self.tally.bytes.fetch_add(line.len() as u64, Ordering::Relaxed);
                    if line.iter().all(u8::is_ascii_whitespace) {
                        continue;
                    }
                    self.record(line, outlet)
                }
            };
            if outlet.is_over() {
                return End::Stopped(lines.number);
            }
            self.count(handed, Some(lines.number));
        }
    }

    /// Hands over the one datum of an input without lines.
    pub(crate) fn one<O: Outlet>(&self, outlet: &mut O, hand_over: impl FnOnce(&mut O) -> Result<(), Fault>) -> End {
        let handed = hand_over(outlet);
        if outlet.is_over() {
            return End::Stopped(1);
        }
        self.count(handed.map_err(|fault| Fault { kind: Some(Kind::Metric), ..fault }), None);
        End::Whole
    }

    fn count(&self, handed: Result<(), Fault>, line: Option<u64>) {
        self.tally.records.fetch_add(1, Ordering::Relaxed);
        if let Err(fault) = handed {
            self.tally.of(fault.kind).fetch_add(1, Ordering::Relaxed);
            let place = line.map_or_else(|| self.name.to_owned(), |line| format!("{}:{line}", self.name));
            self.bar.suspend(|| say(&format!("{place}: {}", fault.text)));
        }
    }

    /// One line of input, with its LF if it has one.
    fn record(&self, line: &[u8], outlet: &mut impl Outlet) -> Result<(), Fault> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let text = core::str::from_utf8(line)
            .map_err(|error| format!("column {}: this is not UTF-8", error.valid_up_to() + 1))?;
        if text.trim_ascii_start().starts_with('{') {
            match Object::read(text)? {
                Object::Record(record) => return record.hand_over(self.added, outlet),
                Object::SpanLogs => {}
            }
        }
        let line = parse::line(text, &Limits::DEFAULT).map_err(|error| printable(&error.to_string()))?;
        let fault = |text| Fault { kind: Some(line.kind()), text };
        let (limit, len) = (longest(line.kind()), text.len() + 1);
        if len > limit {
            return Err(fault(format!("the line is too long: {len} bytes, the receiver's limit is {limit}")));
        }
        outlet.line(&line, text).map_err(|Fault { text, .. }| fault(text))
    }
}

/// The receiver's limit for lines of a kind, their LF included.
fn longest(kind: Kind) -> usize {
    match kind {
        Kind::Histogram => Limits::DEFAULT.histogram_line,
        Kind::Span | Kind::SpanLogs => Limits::DEFAULT.trace_line,
        _ => Limits::DEFAULT.metric_line,
    }
}

/// Talks to the user; if nobody listens, it goes on.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Lines of any length, of which the longest are skipped without being held.
struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    number: u64,
}

impl<R: Read> Lines<R> {
    /// The next line, with its LF if it has one; as an error how long one is that is too long.
    fn next(&mut self) -> io::Result<Option<Result<&[u8], u64>>> {
        self.line.clear();
        self.line.shrink_to(64 << 10);
        let read = self.reader.by_ref().take(LONGEST as u64 + 1).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if read > LONGEST && self.line.last() != Some(&b'\n') {
            let skipped = self.reader.skip_until(b'\n')?;
            return Ok(Some(Err((read + skipped) as u64)));
        }
        let line = self.line.as_slice();
        // Some editors put this before the first line.
        let mark = if self.number == 1 { b"\xEF\xBB\xBF".as_slice() } else { b"" };
        Ok(Some(Ok(line.strip_prefix(mark).unwrap_or(line))))
    }
}

/// Sends records.
#[derive(Debug)]
pub(crate) struct Deliver {
    sender: Sender,
    closed: bool,
}

impl Deliver {
    pub(crate) fn new(sender: Sender) -> Self {
        Self { sender, closed: false }
    }

    fn note(&mut self, sent: Result<(), SendError>) -> Result<(), Fault> {
        self.closed |= sent == Err(SendError::Closed);
        match sent {
            // Nothing is wrong with the record: the ledger counts it, and the summary tells of it.
            Err(SendError::QueueFull(_) | SendError::StoreFull(_)) => Ok(()),
            sent => Ok(sent?),
        }
    }
}

impl Outlet for Deliver {
    fn datum<D: Encode>(&mut self, datum: D) -> Result<(), Fault> {
        let sent = self.sender.send(datum);
        self.note(sent)
    }

    fn line(&mut self, line: &Line<'_>, text: &str) -> Result<(), Fault> {
        let sent = self.sender.send_line(line, text);
        self.note(sent)
    }

    fn is_over(&self) -> bool {
        self.closed
    }
}

/// Prints the lines that would be sent.
pub(crate) struct Print<W> {
    out: W,
    source: Option<String>,
    /// What the endpoint takes.
    kinds: KindSet,
    scratch: Vec<u8>,
    /// Lines printed, a kind each.
    pub(crate) lines: [u64; Kind::COUNT],
    /// Deltas of zero, a kind each.
    pub(crate) skipped: [u64; Kind::COUNT],
    /// Why nothing more can be printed.
    pub(crate) error: Option<io::Error>,
}

impl<W: Write> Print<W> {
    pub(crate) fn new(out: W, source: Option<String>, kinds: KindSet) -> Self {
        let none = [0; Kind::COUNT];
        Self { out, source, kinds, scratch: Vec::new(), lines: none, skipped: none, error: None }
    }

    fn encode<D: Encode>(&self, datum: &D, scratch: &mut Vec<u8>) -> Result<(u32, Option<Kind>), SendError> {
        self.admits(datum.kind())?;
        let rules = self.source.as_deref().map_or(Rules::new(), |source| Rules::new().default_source(source));
        let invalid = |EncodeError::Invalid(invalid): EncodeError<_>| SendError::Invalid(invalid);
        let lines = datum.encode(&rules, scratch).map_err(invalid)?;
        let first = scratch.len();
        let companion = datum.encode_companion(&rules, scratch).map_err(invalid)?;
        // A sender takes no more at a time.
        let (kind, segment) = (datum.kind(), Config::DEFAULT.segment_bytes);
        if first > segment || scratch.len() - first > segment {
            return Err(SendError::TooLarge(companion.unwrap_or(kind)));
        }
        Ok((lines, companion))
    }

    fn admits(&self, kind: Kind) -> Result<(), SendError> {
        if self.kinds.contains(kind) { Ok(()) } else { Err(SendError::Unsupported(kind)) }
    }

    fn count(&mut self, kind: Kind, lines: u32) {
        let counts = if lines == 0 { &mut self.skipped } else { &mut self.lines };
        if let Some(count) = counts.get_mut(kind.index()) {
            *count += u64::from(lines.max(1));
        }
    }
}

impl<W: Write> Outlet for Print<W> {
    fn datum<D: Encode>(&mut self, datum: D) -> Result<(), Fault> {
        let mut scratch = core::mem::take(&mut self.scratch);
        scratch.clear();
        let encoded = self.encode(&datum, &mut scratch);
        if encoded.is_ok() {
            self.error = self.out.write_all(&scratch).err();
        }
        self.scratch = scratch;
        let (lines, companion) = encoded?;
        self.count(datum.kind(), lines);
        if let Some(kind) = companion {
            self.count(kind, 1);
        }
        Ok(())
    }

    fn line(&mut self, line: &Line<'_>, text: &str) -> Result<(), Fault> {
        let kind = line.kind();
        self.admits(kind)?;
        if text.len() >= Config::DEFAULT.segment_bytes {
            return Err(SendError::TooLarge(kind).into());
        }
        self.error = self.out.write_all(text.as_bytes()).and_then(|()| self.out.write_all(b"\n")).err();
        self.count(kind, 1);
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.error.is_some()
    }

    fn rest(&mut self) {
        if self.error.is_none() {
            self.error = self.out.flush().err();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<Result<Vec<u8>, u64>> {
        let mut lines = Lines { reader: BufReader::with_capacity(16, text), line: Vec::new(), number: 0 };
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push(line.map(<[u8]>::to_vec));
        }
        all
    }

    #[test]
    fn lines_end_with_lf_or_the_input() {
        let expected: Vec<_> = ["a\n", "\n", "b\r\n", "c"].iter().map(|line| Ok(line.as_bytes().to_vec())).collect();
        assert_eq!(lines(b"\xEF\xBB\xBFa\n\nb\r\nc"), expected);
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn the_longest_line_passes_and_a_longer_one_is_skipped() {
        let mut text = vec![b'x'; LONGEST];
        text.extend_from_slice(b"\nshort\n");
        text.resize(text.len() + LONGEST + 1, b'y');
        text.extend_from_slice(b"\nlast");
        let lines = lines(&text);
        assert_eq!(lines[0].as_ref().map(Vec::len), Ok(LONGEST + 1));
        assert_eq!(lines[1..], [Ok(b"short\n".to_vec()), Err(LONGEST as u64 + 2), Ok(b"last".to_vec())]);
    }
}
