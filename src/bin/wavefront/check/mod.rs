//! `wavefront check`: lines judged as the receiver would judge them.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use wavefront_sdk::Limits;
use wavefront_sdk::parse::{self, Line, ParseError, Reason};

mod json;
mod notes;
mod show;

use crate::shown::grouped;
use show::{Finding, Level, Style};

/// Usage, and what cannot be read or printed.
const FAILED: u8 = 2;

/// As much as the receiver takes in one request. What is left of a longer line is not kept.
const LONGEST: usize = 16 << 20;

/// Check lines: what the receiver would reject, and where; what it would take, but not as meant.
///
/// Judges each line as a Wavefront proxy does with its default limits, and sends nothing. Lines end at LF and are
/// counted from 1, columns are characters and are counted from 1; blank lines are skipped. How old a timestamp is does
/// not matter.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wavefront check lines.txt
  wavefront check --kind span spans.txt
  echo '\"cpu.load\" 0.5x source=\"web-1\"' | wavefront check
  wavefront check --json lines.txt | jq 'select(.ok | not)'

Kinds, where --kind gives none:
  `!M `, `!H `, `!D `             histogram
  `@Event`                        event
  `@SourceTag`                    tags of a source
  `@SourceDescription`            the description of a source
  `{`                             span logs
  anything else                   metric, if it can be read as one; else, with a traceId, span

JSON:
  {\"line\":N,\"ok\":true,\"kind\":...} and the fields as the receiver decodes them, or
  {\"line\":N,\"ok\":false,\"column\":N,\"error\":...}
  Times are in milliseconds since 1970, those of log records as they stand. What a line does not
  have is null. NaN, Infinity and -Infinity, which JSON does not know as numbers, are strings.

Exit status: 0, 1 if a line is bad, 2 if the command line is wrong or the file cannot be read.")]
pub(crate) struct Args {
    /// The file with the lines; standard input if there is none, or if it is `-`.
    file: Option<PathBuf>,

    /// Read every line as this kind.
    #[arg(long, value_enum)]
    kind: Option<Kind>,

    /// Print one JSON object for each line that is not blank.
    #[arg(long)]
    json: bool,
}

/// What a line may be taken for.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    Metric,
    Histogram,
    Span,
    #[value(name = "span_logs", alias = "span-logs")]
    SpanLogs,
    Event,
}

impl Kind {
    fn read<'a>(self, line: &'a str, limits: &Limits) -> Result<Line<'a>, ParseError> {
        match self {
            Self::Metric => parse::point(line, limits).map(Line::Point),
            Self::Histogram => parse::histogram(line, limits).map(Line::Histogram),
            Self::Span => parse::span(line, limits).map(Line::Span),
            Self::SpanLogs => parse::span_logs(line, limits).map(Line::SpanLogs),
            Self::Event => parse::event(line, limits).map(Line::Event),
        }
    }
}

/// Checks a file to its end.
pub(crate) fn run(args: Args) -> ExitCode {
    let path = args.file.filter(|path| path.as_os_str() != "-");
    let name = path.as_ref().map_or("<stdin>".into(), |path| show::printable(&path.display().to_string()).into_owned());
    let input: Box<dyn Read> = match path.map(File::open) {
        None => Box::new(io::stdin()),
        Some(Ok(file)) => Box::new(file),
        Some(Err(error)) => return failed(&format!("cannot read {name}: {error}")),
    };
    let mut check = Check {
        style: Style::of(&io::stdout()),
        name,
        kind: args.kind,
        json: args.json,
        output: BufWriter::new(io::stdout().lock()),
        counts: Counts::default(),
    };
    match check.all(BufReader::with_capacity(1 << 16, input)) {
        Ok(()) => {
            if !check.json {
                let _ = writeln!(io::stderr(), "{}: {}", check.name, check.counts);
            }
        }
        // Nobody wants to read on: no reason to complain.
        Err(Broken::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(Broken::Output(error)) => return failed(&format!("cannot print: {error}")),
        Err(Broken::Input(error)) => return failed(&format!("cannot read {}: {error}", check.name)),
    }
    if check.counts.bad > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn failed(text: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {text}");
    ExitCode::from(FAILED)
}

/// Why it ended early.
enum Broken {
    Input(io::Error),
    Output(io::Error),
}

#[derive(Debug, Default)]
struct Counts {
    good: u64,
    bad: u64,
    notes: u64,
}

impl core::fmt::Display for Counts {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let of = |count: u64, what: &str| format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" });
        match (self.good, self.bad) {
            (0, 0) => write!(f, "no lines")?,
            (good, 0) => write!(f, "{}, all good", of(good, "line"))?,
            (good, bad) => {
                write!(f, "{}: {} good, {} bad", of(good + bad, "line"), grouped(good), grouped(bad))?;
            }
        }
        if self.notes > 0 { write!(f, ", {}", of(self.notes, "note")) } else { Ok(()) }
    }
}

struct Check<W> {
    name: String,
    kind: Option<Kind>,
    json: bool,
    style: Style,
    output: W,
    counts: Counts,
}

impl<W: Write> Check<W> {
    fn all<R: Read>(&mut self, mut input: BufReader<R>) -> Result<(), Broken> {
        let mut bytes = Vec::new();
        let mut number = 0;
        loop {
            if input.buffer().is_empty() {
                // The next line may be long in coming.
                self.output.flush().map_err(Broken::Output)?;
            }
            let Some(whole) = next_line(&mut input, &mut bytes, LONGEST).map_err(Broken::Input)? else {
                return self.output.flush().map_err(Broken::Output);
            };
            number += 1;
            // As the receiver does: what is no UTF-8 becomes U+FFFD.
            let line = String::from_utf8_lossy(&bytes);
            self.line(number, &line, whole, &bytes).map_err(Broken::Output)?;
        }
    }

    /// Judges one line, which was `bytes`; `whole` says that nothing of it is missing.
    fn line(&mut self, number: u64, line: &str, whole: bool, bytes: &[u8]) -> io::Result<()> {
        let limits = &Limits::DEFAULT;
        let read = match self.kind {
            Some(kind) => kind.read(line, limits),
            None => parse::line(line, limits),
        };
        let (column, error): (usize, Cow<'_, str>) = match read {
            _ if !whole => {
                let error =
                    format!("the line goes on past {LONGEST} bytes, more than any receiver takes: end it before");
                (line.chars().count(), error.into())
            }
            Ok(read) => {
                self.counts.good += 1;
                if self.json {
                    serde_json::to_writer(&mut self.output, &json::good(number, &read))?;
                    return self.output.write_all(b"\n");
                }
                for note in notes::of(line, bytes, &read, limits) {
                    self.counts.notes += 1;
                    let column = note.at.map(|at| show::column(line, at));
                    self.show(number, Finding { level: Level::Note, column, text: &note.text }, line)?;
                }
                return Ok(());
            }
            Err(error) if error.reason == Reason::Empty => return Ok(()),
            Err(error) => (error.column, error.reason.to_string().into()),
        };
        self.counts.bad += 1;
        if self.json {
            serde_json::to_writer(&mut self.output, &json::bad(number, column, &error))?;
            return self.output.write_all(b"\n");
        }
        self.show(number, Finding { level: Level::Error, column: Some(column), text: &error }, line)
    }

    fn show(&mut self, number: u64, finding: Finding<'_>, line: &str) -> io::Result<()> {
        show::finding(&mut self.output, self.style, &self.name, number, finding, line)
    }
}

/// Reads the next line into `line`, without its LF, and at most `longest` bytes of it. Whether that is all of it; none
/// at the end.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>, longest: usize) -> io::Result<Option<bool>> {
    line.clear();
    let most = u64::try_from(longest).unwrap_or(u64::MAX).saturating_add(1);
    if input.by_ref().take(most).read_until(b'\n', line)? == 0 {
        return Ok(None);
    }
    if line.pop_if(|last| *last == b'\n').is_some() || line.len() <= longest {
        return Ok(Some(true));
    }
    line.truncate(longest);
    input.skip_until(b'\n')?;
    Ok(Some(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], longest: usize) -> Vec<(Vec<u8>, bool)> {
        // A buffer of one byte: every seam there is.
        let mut input = BufReader::with_capacity(1, text);
        let (mut lines, mut line) = (Vec::new(), Vec::new());
        while let Some(whole) = next_line(&mut input, &mut line, longest).unwrap() {
            lines.push((line.clone(), whole));
        }
        lines
    }

    #[test]
    fn lines_end_at_a_line_feed_only() {
        let whole =
            |lines: &[&[u8]]| -> Vec<(Vec<u8>, bool)> { lines.iter().map(|line| (line.to_vec(), true)).collect() };
        assert_eq!(lines(b"", 9), whole(&[]));
        assert_eq!(lines(b"\n", 9), whole(&[b""]));
        assert_eq!(lines(b"a\r\n\nb\rc", 9), whole(&[b"a\r", b"", b"b\rc"]));
        assert_eq!(lines(b"a\xff\0\n", 9), whole(&[b"a\xff\0"]));
    }

    #[test]
    fn of_a_line_no_more_is_kept_than_may_be() {
        assert_eq!(
            lines(b"abc\nabcd\nabcde\nx", 4),
            [(b"abc".to_vec(), true), (b"abcd".to_vec(), true), (b"abcd".to_vec(), false), (b"x".to_vec(), true)]
        );
        assert_eq!(lines(b"abcdefgh", 4), [(b"abcd".to_vec(), false)]);
    }

    #[test]
    fn what_the_last_line_says() {
        let text = |good, bad, notes| Counts { good, bad, notes }.to_string();
        assert_eq!(text(0, 0, 0), "no lines");
        assert_eq!(text(1, 0, 0), "1 line, all good");
        assert_eq!(text(2, 0, 1), "2 lines, all good, 1 note");
        assert_eq!(text(2, 1, 2), "3 lines: 2 good, 1 bad, 2 notes");
    }
}
