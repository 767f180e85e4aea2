//! `wavefront collect`: a local receiver that shows what arrives.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};
use wavefront_sdk::Kind;
use wavefront_sdk::collector::{Collector, CollectorError, Summary, Via};

use crate::feed::say;
use crate::shown::{grouped, printable};
use crate::signals::Signals;

/// A failed command line or set-up.
const USAGE: u8 = 2;

/// Receive telemetry on this machine: check each line, count, write it to a file.
///
/// Takes what a Wavefront proxy takes: TCP lines and HTTP on the same ports. Ends on Ctrl-C or SIGTERM: what has
/// arrived is read and written first, then a summary is printed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wavefront collect
      listens on 127.0.0.1:2878 and, for spans, on 127.0.0.1:30000
  wavefront collect --listen 127.0.0.1:0 --out lines.txt
      any free port; accepted lines go to lines.txt
  wavefront collect --listen 127.0.0.1:2878 --traces 127.0.0.1:30000 --json > summary.json

Try it with:
  echo '\"cpu.load\" 0.5 source=\"web-1\"' | nc -N 127.0.0.1 2878
  curl --data-binary '\"cpu.load\" 0.5 source=\"web-1\"' 'http://127.0.0.1:2878/report?f=wavefront'

Exit status: 0, 1 if accepted lines could not be written to the file, 2 if it could not start.")]
pub(crate) struct Args {
    /// Listen here for metrics, histograms, events and source tags, and over HTTP for everything; may be repeated.
    /// Port 0 is any free port. [default: 127.0.0.1:2878, if no port is given at all]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Vec<String>,

    /// Listen here for spans and span logs; may be repeated. [default: 127.0.0.1:30000, if no port is given at all]
    #[arg(long, value_name = "HOST:PORT")]
    traces: Vec<String>,

    /// Listen here for histograms of up to 65,536 bytes a line; may be repeated.
    #[arg(long, value_name = "HOST:PORT")]
    histograms: Vec<String>,

    /// Create or empty this file and write each accepted line to it, as it came.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Print the summary as one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs until a signal comes.
pub(crate) fn run(mut args: Args) -> ExitCode {
    if args.listen.is_empty() && args.traces.is_empty() && args.histograms.is_empty() {
        args.listen.push("127.0.0.1:2878".into());
        args.traces.push("127.0.0.1:30000".into());
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start: {error}")),
    };
    let json = args.json;
    match runtime.block_on(collect(args)) {
        Ok(summary) => {
            let text = if json { format!("{}\n", as_json(&summary)) } else { as_table(&summary) };
            let mut stdout = io::stdout().lock();
            match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
                // Nobody wants to read it: no reason to complain.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    return failed(&format!("cannot print the summary: {error}"));
                }
                _ => {}
            }
            if summary.unwritten > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(text: &str) -> ExitCode {
    say(&format!("error: {text}"));
    ExitCode::from(USAGE)
}

async fn collect(args: Args) -> Result<Summary, CollectorError> {
    // First of all, so that no signal comes too early.
    let mut signals = Signals::new().map_err(CollectorError::Runtime)?;

    let mut builder = Collector::builder();
    for address in &args.listen {
        builder = builder.listen(address.as_str());
    }
    for address in &args.traces {
        builder = builder.traces(address.as_str());
    }
    for address in &args.histograms {
        builder = builder.histograms(address.as_str());
    }
    if let Some(path) = args.out {
        let failures = AtomicU64::new(0);
        let name = path.display().to_string();
        builder = builder.out(path).on_error(move |error| {
            // 1, 2, 4, 8 …: a full disk is said, not repeated for each line.
            let failures = failures.fetch_add(1, Ordering::Relaxed) + 1;
            if failures.is_power_of_two() {
                say(&format!("error: cannot write to {name}: {error} ({failures} failed writes so far)"));
            }
        });
    }
    let collector = builder.start()?;
    for (_, address) in collector.addrs() {
        say(&format!("listening on {address}"));
    }
    if io::stderr().is_terminal() {
        say("Ctrl-C ends it");
    }

    signals.wait().await;
    let stopped = tokio::task::spawn_blocking(move || collector.stop());
    tokio::select! {
        summary = stopped => summary.map_err(|error| CollectorError::Runtime(error.into())),
        status = signals.wait() => std::process::exit(status),
    }
}

fn as_json(summary: &Summary) -> Value {
    let kinds: Map<String, Value> = Kind::ALL
        .into_iter()
        .map(|kind| {
            let counts = summary.counts(kind);
            let [tcp, http] = Via::ALL.map(|via| summary.counts_via(via, kind).accepted);
            let row = json!({"accepted": counts.accepted, "rejected": counts.rejected, "tcp": tcp, "http": http});
            (kind.to_string(), row)
        })
        .collect();
    let rejections: Vec<Value> = summary
        .rejections()
        .map(|it| json!({"kind": it.kind.as_str(), "reason": it.reason, "count": it.count, "sample": it.sample}))
        .collect();
    let statuses: Map<String, Value> =
        summary.statuses.iter().map(|(status, count)| (status.to_string(), (*count).into())).collect();
    json!({
        "accepted": summary.accepted(),
        "rejected": summary.rejected(),
        "kinds": kinds,
        "rejections": rejections,
        "connections": summary.connections,
        "refused": summary.refused,
        "requests": summary.requests(),
        "statuses": statuses,
        "bytes": summary.bytes,
        "unwritten": summary.unwritten,
        "write_error": summary.write_error,
    })
}

fn as_table(summary: &Summary) -> String {
    let mut text = format!("{:<12}{:>14}{:>14}{:>14}\n", "accepted", "tcp", "http", "rejected");
    let mut row = |name: &str, tcp: u64, http: u64, rejected: u64| {
        text += &format!("{name:<12}{:>14}{:>14}{:>14}\n", grouped(tcp), grouped(http), grouped(rejected));
    };
    let mut sums = [0; 2];
    for kind in Kind::ALL {
        let accepted = Via::ALL.map(|via| summary.counts_via(via, kind).accepted);
        let rejected = summary.counts(kind).rejected;
        if accepted != [0, 0] || rejected > 0 {
            row(kind.as_str(), accepted[0], accepted[1], rejected);
        }
        sums = [sums[0] + accepted[0], sums[1] + accepted[1]];
    }
    row("total", sums[0], sums[1], summary.rejected());
    text += &format!(
        "{} connections, {} requests, {} bytes\n",
        grouped(summary.connections),
        grouped(summary.requests()),
        grouped(summary.bytes)
    );
    if summary.refused > 0 {
        text += &format!("{} connections refused: too many at a time\n", grouped(summary.refused));
    }
    for (status, count) in summary.statuses.iter().filter(|(status, _)| **status >= 300) {
        text += &format!("{} requests answered {status}\n", grouped(*count));
    }
    if let Some(error) = &summary.write_error {
        text += &format!("{} lines not written: {error}\n", grouped(summary.unwritten));
    }
    let mut rejections: Vec<_> = summary.rejections().collect();
    rejections.sort_by_key(|rejection| std::cmp::Reverse(rejection.count));
    for it in rejections {
        text += &format!("rejected {} × {}: {}\n", grouped(it.count), it.kind, it.reason);
        if !it.sample.is_empty() {
            text += &format!("    such as: {}\n", printable(&it.sample));
        }
    }
    text
}
