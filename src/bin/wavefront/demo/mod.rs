//! `wavefront demo`: everything at once, in one process, over the loopback.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wavefront_sdk::Sender;
use wavefront_sdk::collector::{Builder, Collector, Port, Summary, Via};
use wavefront_sdk::delivery::Ledger;

mod check;
mod datum;
mod table;
mod workload;

use check::{Check, Row, problems};
use datum::Datum;
use table::{Paint, WIDTH, as_json, seconds, table, title};
use workload::Workload;

use crate::duration;
use crate::feed::say;
use crate::host::{Figure, Form, Gatherer, figures, machine};
use crate::shown::grouped;
use crate::signals::Interrupt;

/// A failed command line or set-up.
const USAGE: u8 = 2;
/// How often the shop says what it did.
const TICK: Duration = Duration::from_millis(250);
/// How long what was sent may take to arrive at the end.
const PATIENCE: Duration = Duration::from_secs(10);
/// Lines of the table while it is drawn, and the one of the cursor.
const ROWS: usize = 19;
/// Problems that are shown; more of them would say nothing new.
const SHOWN: usize = 5;

/// See it work: telemetry sent by the real client over TCP and HTTP to a receiver that checks every line.
///
/// One process, nothing outside of it: this machine's figures and a make-believe shop (request latencies, linked spans
/// with logs, releases) go over the loopback to a collector on ports of its own. No account, no server, no network.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wavefront demo
      for ten seconds; Ctrl-C ends it earlier
  wavefront demo --for 2s --json
      the result as one JSON object

Exit status: 0 if, for every transport and kind, as many lines were accepted as
sent, none was rejected, and every decoded value equals the one sent; 1 if not;
2 if it could not start.")]
pub(crate) struct Args {
    /// How long, such as 2s, 1m or 1h.
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = duration::parse)]
    lasting: Duration,

    /// Print the result as one JSON object, and nothing else.
    #[arg(long)]
    json: bool,
}

/// Runs until the time is over or a signal comes.
pub(crate) fn run(args: Args) -> ExitCode {
    let interrupt = match Interrupt::listen() {
        Ok(interrupt) => interrupt,
        Err(error) => return failed(&format!("cannot start: {error}")),
    };
    let mut screen = Screen::new(args.json, args.lasting);
    match Demo::start(Collector::builder()) {
        Ok(demo) => {
            let result = demo.run(args.lasting, &interrupt, &mut screen);
            screen.end(&result)
        }
        Err(text) => failed(&text),
    }
}

fn failed(text: &str) -> ExitCode {
    say(&format!("error: {text}"));
    ExitCode::from(USAGE)
}

/// A collector, and a sender to it for each transport.
struct Demo {
    collector: Collector,
    check: Arc<Check>,
    senders: [Sender; Via::ALL.len()],
    source: String,
}

/// What came of it.
struct Outcome {
    rows: Vec<Row>,
    lasted: Duration,
    /// The collector's words for what it rejected, most frequent first.
    reasons: Vec<String>,
}

impl Demo {
    /// Ports are whatever is free. The collector's limits and rules are those of `builder`.
    fn start(builder: Builder) -> Result<Self, String> {
        let check = Arc::new(Check::default());
        let arrived = Arc::clone(&check);
        let collector = builder
            .listen("127.0.0.1:0")
            .traces("127.0.0.1:0")
            .on_line(move |line| arrived.arrived(line))
            .start()
            .map_err(|error| error.to_string())?;
        let port = |role| collector.addr(role).map_or(0, |addr| addr.port());
        let (metrics, traces) = (port(Port::Metrics), port(Port::Traces));
        let source = machine().unwrap_or_else(|| "localhost".to_owned());
        let sender = |url: String| {
            let sender =
                Sender::builder(&url).source(source.as_str()).flush_interval(TICK / 2).own_metrics(None).build();
            sender.map_err(|error| error.to_string())
        };
        let tcp = sender(format!("tcp://127.0.0.1:{metrics}?traces={traces}&histograms={metrics}"))?;
        let http = sender(format!("http://127.0.0.1:{metrics}"))?;
        Ok(Self { check, senders: [tcp, http], source, collector })
    }

    fn run(self, lasting: Duration, interrupt: &Interrupt, screen: &mut Screen) -> Outcome {
        let started = Instant::now();
        let mut gatherer = Gatherer::new();
        let mut before = gatherer.read();
        let mut workload = Workload::new(before.at, now());
        let mut next = started;
        loop {
            let reading = gatherer.read();
            // The busy processor comes last: it is what the table shows.
            let machine = figures(&before, &reading).into_iter().rev().map(Datum::from);
            for datum in workload.tick(now()).into_iter().chain(machine) {
                self.send(&datum);
            }
            before = reading;
            next = (next + TICK).max(Instant::now());
            let end = started.checked_add(lasting).unwrap_or(next);
            // A last stretch that is shorter than a tick passes in silence.
            if interrupt.comes_before(next.min(end)) || Instant::now() >= end {
                break;
            }
            screen.draw(started.elapsed(), || self.rows(&self.collector.snapshot()));
        }
        self.end(started.elapsed())
    }

    fn send(&self, datum: &Datum) {
        for (via, sender) in Via::ALL.into_iter().zip(&self.senders) {
            for fact in datum.facts(&self.source) {
                self.check.expect(via, fact);
            }
            // What is refused here does not arrive, and is missed.
            let _ = datum.send(sender);
        }
    }

    /// Waits for everything that is on its way, and closes.
    fn end(self, lasted: Duration) -> Outcome {
        for sender in &self.senders {
            sender.close(PATIENCE);
        }
        let sent = self.check.sent();
        // TCP lines are the kernel's before they are the collector's.
        let _ = self.collector.wait_until(|summary| summary.accepted() + summary.rejected() >= sent, PATIENCE);
        let Self { collector, check, senders, .. } = self;
        let summary = collector.stop();
        let mut reasons: Vec<_> = summary.rejections().collect();
        reasons.sort_by_key(|it| core::cmp::Reverse(it.count));
        let reasons = reasons.iter().map(|it| format!("{}: {}", it.kind, it.reason)).collect();
        Outcome { rows: check.rows(&summary, &ledgers(&senders)), lasted, reasons }
    }

    fn rows(&self, summary: &Summary) -> Vec<Row> {
        self.check.rows(summary, &ledgers(&self.senders))
    }
}

impl From<Figure> for Datum {
    fn from(figure: Figure) -> Self {
        let name = figure.name.to_owned();
        let tags = figure.tag.map(|(key, value)| (key.to_owned(), value)).into_iter().collect();
        match figure.form {
            Form::Gauge(at) => Self::Metric { name, value: figure.value, at, tags },
            Form::Increment => Self::Delta { name, value: figure.value, tags },
        }
    }
}

fn ledgers(senders: &[Sender; Via::ALL.len()]) -> [Ledger; Via::ALL.len()] {
    core::array::from_fn(|at| senders[at].ledger())
}

/// ms since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// What the user sees: the last table, and on a terminal with room for it those on the way there.
struct Screen {
    json: bool,
    lasting: Duration,
    terminal: bool,
    paint: Paint,
    /// Lines that were drawn, above the cursor.
    drawn: usize,
}

impl Screen {
    fn new(json: bool, lasting: Duration) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        // Windows' old console shows escape sequences instead of obeying them.
        let obeys = !cfg!(windows) || set("WT_SESSION");
        let dumb = std::env::var_os("TERM").is_some_and(|it| it == "dumb");
        let terminal = !json && obeys && !dumb && io::stdout().is_terminal();
        let paint = if terminal && !set("NO_COLOR") { Paint::Colours } else { Paint::Plain };
        Self { json, lasting, terminal, paint, drawn: 0 }
    }

    fn draw(&mut self, elapsed: Duration, rows: impl FnOnce() -> Vec<Row>) {
        let size = if self.terminal { terminal_size::terminal_size() } else { None };
        let roomy = |(width, height): (terminal_size::Width, terminal_size::Height)| {
            usize::from(width.0) > WIDTH && usize::from(height.0) > ROWS
        };
        if size.is_some_and(roomy) {
            let time = format!("{} of {}", seconds(elapsed), duration::show(self.lasting));
            let text = format!("{}\n\n{}\n", title(&time, self.paint), table(&rows(), self.paint));
            self.print(&text);
            self.drawn = text.lines().count();
        }
    }

    /// Prints it in the place of what was drawn last, in one go: nothing flickers.
    fn print(&mut self, text: &str) {
        let text = match core::mem::take(&mut self.drawn) {
            0 => text.to_owned(),
            lines => format!("\r\u{1b}[{lines}A\u{1b}[J{text}"),
        };
        let mut stdout = io::stdout().lock();
        // Nobody may be there to read it; the exit status says it too.
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }

    /// The last table and the verdict.
    fn end(&mut self, outcome: &Outcome) -> ExitCode {
        let Outcome { rows, lasted, reasons } = outcome;
        let problems = problems(rows);
        if self.json {
            self.print(&format!("{}\n", as_json(rows, &problems, *lasted)));
        } else {
            let verdict = self.verdict(rows, &problems, reasons);
            let title = title(&seconds(*lasted), self.paint);
            self.print(&format!("{title}\n\n{}\n\n{verdict}\n", table(rows, self.paint)));
        }
        if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn verdict(&self, rows: &[Row], problems: &[String], reasons: &[String]) -> String {
        if problems.is_empty() {
            let sent = grouped(rows.iter().map(|row| row.sent).sum());
            let text = format!(" ✔ {sent} lines sent, all accepted, and every decoded value equals the one sent");
            let next = " Next: wavefront host --help, wavefront send --help, wavefront collect --help";
            return format!("{}\n{}", self.paint.over(Paint::GREEN, &text), self.paint.over(Paint::DIM, next));
        }
        let mut text = self.paint.over(Paint::RED, " ✘ What arrived is not what was sent:");
        let all = problems.iter().chain(reasons);
        for problem in all.take(SHOWN) {
            text += &format!("\n   {}", problem.chars().take(160).collect::<String>());
        }
        if problems.len() + reasons.len() > SHOWN {
            text += "\n   … and more: --json tells all of it";
        }
        text
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use wavefront_sdk::Limits;

    use super::*;

    fn outcome(builder: Builder) -> Outcome {
        let mut screen = Screen::new(true, TICK);
        Demo::start(builder).unwrap().run(TICK * 2, &Interrupt::listen().unwrap(), &mut screen)
    }

    #[test]
    fn over_real_sockets_all_is_well() {
        let outcome = outcome(Collector::builder());
        assert_eq!(problems(&outcome.rows), Vec::<String>::new());
        assert!(outcome.rows.iter().all(|row| !row.last.is_empty()), "every kind has arrived both ways");
    }

    #[test]
    fn a_collector_that_rejects_is_noticed() {
        let mut limits = Limits::DEFAULT;
        limits.span_name = 3;
        let outcome = outcome(Collector::builder().limits(limits));
        let found = problems(&outcome.rows);
        assert!(found.iter().any(|text| text.starts_with("tcp span: ") && text.contains("rejected")), "{found:?}");
        assert!(found.iter().any(|text| text.starts_with("http span: ") && text.contains("rejected")), "{found:?}");
        assert!(!outcome.reasons.is_empty());
        assert!(!found.iter().any(|text| text.contains("metric")), "{found:?}");
        let shown = Screen::new(false, TICK).verdict(&outcome.rows, &found, &outcome.reasons);
        assert!(shown.contains('✘') && shown.lines().count() <= SHOWN + 2);
    }
}
