//! `wavefront send`: records of a file or of standard input, sent and accounted for.

use core::time::Duration;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use wavefront_sdk::delivery::Row;
use wavefront_sdk::sender::{Endpoint, Form, SenderBuilder};
use wavefront_sdk::transport::Token;
use wavefront_sdk::{Kind, KindSet, Metric, MultiSender, Overflow, Sender};

use crate::duration;
use crate::feed::{Deliver, End, Feed, Outlet, Print, Tally, say};
use crate::json;
use crate::secrets::Secret;
use crate::several::{self, DeliverAll};
use crate::shown::printable;
use crate::signals::Interrupt;
use crate::spool::{self, Choice, Spool};
use crate::summary::Summary;
use crate::tags::Added;
use crate::watch::{self, Outcome};

/// A failed command line or set-up.
const USAGE: u8 = 2;

/// Send metrics, histograms, spans, events and more, from a file, standard input, or the command line.
///
/// One record a line: a JSON object, or a ready line in Wavefront's own format, in any mix. A bad record is reported as
/// FILE:LINE and does not stop the rest. Waits where the receiver is slow, tries again where it fails, and says at the
/// end what became of every line.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Endpoints:
  proxy://HOST:2878                 a proxy over HTTP, which acknowledges (http:// and https:// too)
  tcp://HOST:2878?traces=30000      a proxy over TCP; histograms=PORT too
  https://HOST                      direct ingestion, with --token or WAVEFRONT_TOKEN (read for https:// only)
  unix:/run/agent.sock              lines to a Unix socket
  file:lines.txt                    lines at the end of a file; ?sync=batch: each batch on the disk before it counts
  stdout:                           lines to standard output; the summary goes to standard error

Examples:
  wavefront send --metric cpu.load 0.5 --tag env=prod --to proxy://localhost:2878
  wavefront send records.jsonl --to proxy://localhost:2878
  tail -f app.jsonl | wavefront send --source web-1 --to tcp://localhost:2878
  WAVEFRONT_TOKEN=… wavefront send records.jsonl --to https://example.wavefront.com
  wavefront send records.jsonl --to proxy://localhost:2878 --spool waiting
  wavefront send --to proxy://localhost:2878 --spool waiting < /dev/null
      what an earlier run left in the spool, and nothing new
  wavefront send records.jsonl --to proxy://proxy-1:2878 --to proxy://proxy-2:2878
      everything to both, each with a summary of its own
  WAVEFRONT_URL=proxy://proxy-1:2878 WAVEFRONT_TAGS=env=prod wavefront send records.jsonl
      the same as --to and --tag; several URLs stand with spaces between them
  wavefront send records.jsonl --dry-run

Records (optional: timestamp, source, tags, parents, follows_from, span_logs, end_time, annotations):
  {\"kind\":\"metric\",\"name\":\"a.b\",\"value\":1.5,\"timestamp\":1493773500,\"source\":\"s\",\"tags\":{\"k\":\"v\"}}
  {\"kind\":\"delta\",\"name\":\"a.b\",\"value\":1,\"source\":\"s\",\"tags\":{}}
  {\"kind\":\"histogram\",\"name\":\"h\",\"centroids\":[[30.0,20],[5.1,10]],\"granularities\":[\"minute\"],\"source\":\"s\"}
  {\"kind\":\"span\",\"name\":\"op\",\"start_millis\":1552949776000,\"duration_millis\":343,\"source\":\"s\",
   \"trace_id\":\"7b3bf470-9456-11e8-9eb6-529269fb1459\",\"span_id\":\"0313bafe-9457-11e8-9eb6-529269fb1459\",
   \"parents\":[],\"follows_from\":[],\"tags\":[[\"k\",\"v\"]],
   \"span_logs\":[{\"timestamp\":1552949776000123,\"fields\":{\"event\":\"e\"}}]}   (on one line)
  {\"kind\":\"event\",\"name\":\"e\",\"start_time\":1590650592000,\"source\":\"s\",\"tags\":[\"t\"],\"annotations\":{\"severity\":\"info\"}}
  {\"kind\":\"source_tag\",\"action\":\"add\",\"source\":\"s\",\"tags\":[\"t\"]}
  {\"kind\":\"source_description\",\"action\":\"save\",\"source\":\"s\",\"description\":\"text\"}
  \"a.b\" 1.5 1493773500 source=\"s\" \"k\"=\"v\"

Ready lines are checked and sent byte for byte: --source and --tag do not touch them. A line may have 2 MiB.
Ctrl-C stops reading; what was read is sent for 5 s more.
With --spool it reads on while nothing can be sent; what has not arrived when it
ends or gives up stays there, and is what the next run sends first.

Exit status: 0 if everything arrived, 1 if a record was bad or a line was lost
or the end was not reached, 2 for a wrong command line or configuration, 3 if
nothing was lost, but lines wait in the spool.")]
pub(crate) struct Args {
    /// Records, one a line; none or - is standard input.
    #[arg(value_name = "FILE", conflicts_with = "metric")]
    file: Option<PathBuf>,

    /// Where to send: see below. Given several times, all of them get everything.
    #[arg(long, value_name = "URL", env = "WAVEFRONT_URL", hide_env_values = true, value_delimiter = ' ')]
    to: Vec<Secret>,

    /// The source of JSON records that have none, or a blank one. Without it they are errors; the point of --metric
    /// takes this machine's name.
    #[arg(long, value_name = "SOURCE", env = "WAVEFRONT_SOURCE")]
    source: Option<String>,

    /// The API token of direct ingestion. [env: WAVEFRONT_TOKEN, for https:// only]
    #[arg(long, value_name = "TOKEN")]
    token: Option<Secret>,

    /// Add this tag to JSON metrics, deltas, histograms and spans that have none of its key; may be repeated.
    /// [env: WAVEFRONT_TAGS=KEY=VALUE,KEY=VALUE]
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    tags: Vec<String>,

    /// Print the lines instead of sending them; the summary goes to standard error.
    #[arg(long)]
    dry_run: bool,

    /// End if nothing moves for so long, such as 500ms, 60s or 5m.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration::parse)]
    give_up: Duration,

    /// Send one point instead of records.
    #[arg(long, num_args = 2, value_names = ["NAME", "VALUE"], allow_hyphen_values = true)]
    metric: Option<Vec<String>>,

    /// The point's time, in s, ms, µs or ns since 1970; the receiver's clock if none is given.
    #[arg(long, value_name = "TIME", requires = "metric", allow_negative_numbers = true, value_parser = json::parse_time)]
    timestamp: Option<u64>,

    /// Print the summary as one JSON object on standard output.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    spool: spool::Options,
}

/// Sends it all.
pub(crate) fn run(args: Args) -> ExitCode {
    let json = args.json;
    let dry = args.dry_run;
    match Plan::new(args).and_then(Plan::run) {
        Ok(summaries) => {
            report(&summaries, json, dry);
            ExitCode::from(status(&summaries))
        }
        Err(text) => {
            say(&format!("error: {text}"));
            ExitCode::from(USAGE)
        }
    }
}

/// Lost lines of one endpoint are worse than waiting ones of another.
fn status(summaries: &[Summary]) -> u8 {
    let all = || summaries.iter().map(Summary::status);
    all().find(|status| *status == 1).or_else(|| all().max()).unwrap_or_default()
}

fn report(summaries: &[Summary], json: bool, dry: bool) {
    let text = match summaries {
        [summary] if json => format!("{}\n", summary.to_json()),
        _ if json => {
            format!("{}\n", json!({ "endpoints": summaries.iter().map(Summary::to_json).collect::<Vec<_>>() }))
        }
        _ => summaries.iter().map(Summary::to_text).collect::<Vec<_>>().join("\n"),
    };
    // The lines are there.
    let taken = dry || summaries.iter().any(|summary| summary.endpoint.as_deref() == Some("stdout:"));
    if json && !taken {
        let mut stdout = io::stdout().lock();
        if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            say(&format!("error: cannot print the summary: {error}"));
        }
    } else {
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// A command line that was checked.
struct Plan {
    endpoints: Vec<Endpoint>,
    source: Option<String>,
    added: Added,
    input: Input,
    /// The input's name in messages.
    name: String,
    dry_run: bool,
    give_up: Duration,
    choice: Choice,
}

enum Input {
    Stdin,
    File { file: File, len: Option<u64> },
    Point { name: String, value: f64, timestamp: Option<u64> },
}

impl Plan {
    fn new(args: Args) -> Result<Self, String> {
        let urls = args.to.iter().filter(|url| !url.expose().trim().is_empty());
        // One token among several endpoints is for those that can take it.
        let https = |url: &Secret| url.expose().trim().get(..8).is_some_and(|it| it.eq_ignore_ascii_case("https://"));
        let several = urls.clone().count() > 1 && urls.clone().any(https);
        let token = |url: &Secret| args.token.as_ref().filter(|_| !several || https(url));
        let endpoints: Vec<_> = urls.map(|url| endpoint(url, token(url))).collect::<Result<_, _>>()?;
        if endpoints.is_empty() && !args.dry_run {
            return Err(
                "no endpoint: give --to URL, such as --to proxy://localhost:2878, or --dry-run to see the lines"
                    .to_owned(),
            );
        }
        let choice = args.spool.check()?;
        if endpoints.len() > 1 && choice.has_spool() {
            return Err("--spool: it holds the lines of one endpoint, and there are several".to_owned());
        }
        let added = Added::parse_or_environment(&args.tags)?;
        let mut source = args.source.filter(|source| !source.trim().is_empty());
        if let Some(source) = &source {
            Metric::new("m", 1.0).source(source).line().map_err(|invalid| format!("--source: {invalid}"))?;
        }
        let (input, name) = match (args.metric.as_deref(), args.file) {
            (Some([name, value]), _) => {
                let value = value.parse().map_err(|_| format!("--metric: the value {value:?} is not a number"))?;
                source = source.or_else(|| gethostname::gethostname().into_string().ok());
                (Input::Point { name: name.clone(), value, timestamp: args.timestamp }, "--metric".to_owned())
            }
            (_, Some(path)) if path.as_os_str() != "-" => {
                let name = path.display().to_string();
                if name.contains("://") {
                    return Err("FILE looks like a URL: where to send is said by --to URL".to_owned());
                }
                let name = printable(&name);
                let failed =
                    |error| format!("cannot read {name}: {error}; give a file of records, or - for standard input");
                let file = File::open(path).map_err(failed)?;
                let metadata = file.metadata().map_err(failed)?;
                if metadata.is_dir() {
                    return Err(failed(io::ErrorKind::IsADirectory.into()));
                }
                (Input::File { file, len: metadata.is_file().then_some(metadata.len()) }, name)
            }
            _ => (Input::Stdin, "-".to_owned()),
        };
        Ok(Self { endpoints, source, added, input, name, dry_run: args.dry_run, give_up: args.give_up, choice })
    }

    fn run(self) -> Result<Vec<Summary>, String> {
        let started = Instant::now();
        let tally = Arc::new(Tally::default());
        let mut summaries = match &*self.endpoints {
            _ if self.dry_run => vec![self.print(&tally)],
            [one] => {
                let one = one.clone();
                vec![self.deliver(one, &tally)?]
            }
            _ => self.deliver_to_all(&tally)?,
        };
        for summary in &mut summaries {
            summary.records = tally.records();
            summary.invalid = Summary::invalid_of(&tally);
            summary.elapsed = started.elapsed();
        }
        Ok(summaries)
    }

    fn summary(&self, endpoint: Option<&Endpoint>, rows: [Row; Kind::COUNT], read: Option<End>) -> Summary {
        Summary {
            spool: None,
            endpoint: endpoint.map(ToString::to_string),
            input: self.name.clone(),
            records: 0,
            invalid: [0; Kind::COUNT + 1],
            rows,
            read,
            gave_up: false,
            interrupted: false,
            last_error: None,
            elapsed: Duration::ZERO,
        }
    }

    fn print(mut self, tally: &Tally) -> Summary {
        // What a run without this option would refuse is refused here.
        let is_direct = self.endpoints.iter().any(|endpoint| endpoint.form() == Form::Direct);
        let kinds = if is_direct { KindSet::ALL.without(Kind::SourceTag) } else { KindSet::ALL };
        let mut print = Print::new(BufWriter::with_capacity(64 << 10, io::stdout().lock()), self.source.take(), kinds);
        let bar = ProgressBar::hidden();
        let input = core::mem::replace(&mut self.input, Input::Stdin);
        let mut read = input.feed(&Feed { name: &self.name, added: &self.added, tally, bar: &bar }, &mut print);
        print.rest();
        if let Some(error) = print.error.take() {
            if error.kind() != io::ErrorKind::BrokenPipe {
                say(&format!("error: cannot print: {error}"));
            }
            read = match read {
                End::Whole => End::Failed(error),
                other => other,
            };
        }
        let mut rows = [Row::default(); Kind::COUNT];
        for (row, (lines, skipped)) in rows.iter_mut().zip(print.lines.iter().zip(&print.skipped)) {
            (row.accepted, row.delivered, row.skipped) = (*lines as usize, *lines as usize, *skipped as usize);
        }
        self.summary(None, rows, Some(read))
    }

    fn builder(&self, endpoint: &Endpoint) -> SenderBuilder {
        let builder = SenderBuilder::to_endpoint(endpoint.clone())
            .require_source()
            // What leaves is what came in.
            .own_metrics(None)
            // Enough to keep every connection busy, and a bound for the memory of a file of any size.
            .max_queue_size(100_000)
            .max_queue_bytes(1 << 20)
            .in_flight(3)
            // Lines of a slow input should not look like lines that cannot leave.
            .flush_interval((self.give_up / 4).clamp(Duration::from_millis(10), Duration::from_secs(1)));
        match &self.source {
            Some(source) => builder.source(source.clone()),
            None => builder,
        }
    }

    /// A sender as the options have it. A file can wait.
    fn sender(
        &self,
        endpoint: &Endpoint,
        warn: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<(Sender, Option<Spool>), String> {
        let choice = self.choice.clone();
        let (builder, spool) = choice.apply(self.builder(endpoint), endpoint, Overflow::Block(Duration::MAX), warn)?;
        Ok((builder.build().map_err(|error| error.to_string())?, spool))
    }

    /// What reads the input into an outlet.
    fn reading(
        &mut self,
        mut outlet: impl Outlet + Send + 'static,
        tally: &Arc<Tally>,
        bar: &ProgressBar,
    ) -> impl FnOnce() -> End + Send + 'static {
        let input = core::mem::replace(&mut self.input, Input::Stdin);
        let (name, added) = (self.name.clone(), self.added.clone());
        let (tally, bar) = (Arc::clone(tally), bar.clone());
        move || input.feed(&Feed { name: &name, added: &added, tally: &tally, bar: &bar }, &mut outlet)
    }

    fn deliver(mut self, endpoint: Endpoint, tally: &Arc<Tally>) -> Result<Summary, String> {
        let bar = bar(&self.input);
        let warns = bar.clone();
        let (sender, spool) = self.sender(&endpoint, move |text| warns.suspend(|| say(text)))?;
        let interrupt = Interrupt::listen().map_err(|error| format!("cannot listen to signals: {error}"))?;
        let read = self.reading(Deliver::new(sender.clone()), tally, &bar);
        let outcome = watch::run(&sender, spool.as_ref(), self.give_up, &bar, tally, &interrupt, read);
        let mut summary = self.ended(&endpoint, outcome.map_err(|error| format!("cannot start a thread: {error}"))?);
        summary.spool = spool;
        Ok(summary)
    }

    fn deliver_to_all(mut self, tally: &Arc<Tally>) -> Result<Vec<Summary>, String> {
        let endpoints = core::mem::take(&mut self.endpoints);
        let bar = bar(&self.input);
        let senders = endpoints.iter().map(|endpoint| Ok(self.sender(endpoint, say)?.0));
        let senders: Vec<Sender> = senders.collect::<Result<_, String>>()?;
        let interrupt = Interrupt::listen().map_err(|error| format!("cannot listen to signals: {error}"))?;
        let read = self.reading(DeliverAll::new(MultiSender::new(senders.clone())), tally, &bar);
        let outcomes = several::run(&senders, self.give_up, &bar, tally, &interrupt, read)
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(endpoints.iter().zip(outcomes).map(|(endpoint, outcome)| self.ended(endpoint, outcome)).collect())
    }

    fn ended(&self, endpoint: &Endpoint, outcome: Outcome) -> Summary {
        let mut rows = [Row::default(); Kind::COUNT];
        rows.iter_mut().zip(outcome.ledger.rows()).for_each(|(row, (_, counted))| *row = *counted);
        let mut summary = self.summary(Some(endpoint), rows, outcome.read);
        (summary.gave_up, summary.interrupted) = (outcome.gave_up, outcome.interrupted);
        summary.last_error = outcome.last_error;
        summary
    }
}

impl Input {
    fn feed(self, feed: &Feed<'_>, outlet: &mut impl Outlet) -> End {
        match self {
            Self::Stdin => feed.run(io::stdin().lock(), outlet),
            Self::File { file, .. } => feed.run(file, outlet),
            Self::Point { name, value, timestamp } => feed.one(outlet, |outlet| {
                let mut metric = Metric::new(&name, value).tags(feed.added.alone());
                metric.timestamp = timestamp;
                outlet.datum(metric)
            }),
        }
    }
}

/// Where to send, by which token.
pub(crate) fn endpoint(url: &Secret, token: Option<&Secret>) -> Result<Endpoint, String> {
    let wrong = |error: &dyn core::fmt::Display| format!("--to: {error}");
    let endpoint = Endpoint::parse(url.expose()).map_err(|error| wrong(&error))?;
    let from_environment = || {
        let is_for_it = endpoint.is_tls() && endpoint.form() == Form::ProxyHttp;
        is_for_it.then(|| std::env::var("WAVEFRONT_TOKEN").ok()).flatten().filter(|token| !token.trim().is_empty())
    };
    let token = match token {
        Some(token) => Token::new(token.expose()).map_err(|error| format!("--token: {error}"))?,
        None => match from_environment() {
            Some(token) => Token::new(&token).map_err(|error| format!("WAVEFRONT_TOKEN: {error}"))?,
            None => return Ok(endpoint),
        },
    };
    endpoint.with_token(token).map_err(|error| wrong(&error))
}

/// A bar on a terminal, nothing elsewhere.
fn bar(input: &Input) -> ProgressBar {
    if !io::stderr().is_terminal() || matches!(input, Input::Point { .. }) {
        return ProgressBar::hidden();
    }
    let (len, template) = match input {
        Input::File { len: Some(len), .. } => (Some(*len), "{bar:30} {percent:>3}% {wide_msg}"),
        _ => (None, "{spinner} {wide_msg}"),
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(len, ProgressDrawTarget::stderr_with_hz(10));
    bar.with_style(style)
}
