//! `wavefront host`: this machine's figures, sent at an interval.

use std::borrow::Cow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use sysinfo::System;
use wavefront_sdk::delivery::{Ledger, Row};
use wavefront_sdk::sender::{SendError, SenderBuilder};
use wavefront_sdk::{DeltaCounter, Metric, Overflow, Sender};

mod figures;
mod reading;

pub(crate) use figures::{Figure, Form, figures};
pub(crate) use reading::Gatherer;

use crate::duration;
use crate::feed::say;
use crate::json::Text;
use crate::secrets::Secret;
use crate::send::endpoint;
use crate::shown::{grouped, printable};
use crate::signals::Interrupt;
use crate::spool::{self, Spool, WAITING};
use crate::tags::Added;

/// A failed command line or set-up.
const USAGE: u8 = 2;
/// Lines of each kind that wait while the endpoint is dead; then the oldest make room.
const QUEUE: usize = 20_000;
/// Their bytes.
const QUEUE_BYTES: usize = 4 << 20;
/// The first reading, and the one of `--once`, cover so much.
const FIRST: Duration = Duration::from_secs(1);
/// How long the end waits for what has not left yet.
const LAST: Duration = Duration::from_secs(5);

/// Send this machine's processor, memory, load, disk and network figures, over and over.
///
/// A small agent: it reads everything once an interval, sends it, and says nothing more. While the endpoint cannot be
/// reached it goes on, keeps up to 20,000 lines of each kind (4 MiB), and then drops the oldest for the newest; with
/// --spool it keeps on disk what does not fit. Ctrl-C or SIGTERM ends it: what waits is sent first, for 5 seconds at
/// most, and what is left then stays in the spool.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Figures (bytes and percent; each with the source and tags that were given):
  host.cpu.usage                                  all processors together
  host.cpu.core.usage                             tag core
  host.load.1m .5m .15m
  host.memory.total .available .used .usage
  host.swap.total .available .used .usage         where there is swap
  host.disk.total .available .used .usage         tag mount
  host.disk.read.bytes .written.bytes             tag device; delta counters
  host.network.received.bytes .packets .errors    tag interface; delta counters
  host.network.sent.bytes .packets .errors        the same
Delta counters hold what was added in the interval; where nothing was, nothing
is sent. File systems in memory or over the network, the loopback and the veth
interfaces of containers are left out.

Examples:
  wavefront host --to proxy://gateway.local
      to a Wavefront proxy over HTTP, every 10 seconds
  wavefront host --to 'tcp://127.0.0.1:2878' --source pump-3 --tag site=north --every 60s
      as lines over TCP, with a name and a tag of your own
  WAVEFRONT_TOKEN=… wavefront host --to https://example.wavefront.com
      straight to the service
  wavefront host --to proxy://gateway.local --spool /var/lib/wavefront
      where the network comes and goes: what cannot be sent waits on disk
  wavefront collect & wavefront host --to http://127.0.0.1:2878 --once
      a look at what it sends, without any account

Exit status: 0 if everything was delivered, 1 if lines were lost, 2 if it could
not start, 3 if nothing was lost, but lines wait in the spool.")]
pub(crate) struct Args {
    /// Where to send: proxy://HOST, http://HOST:2878, tcp://HOST:2878, or https://HOST with a token.
    #[arg(long, value_name = "URL", env = "WAVEFRONT_URL", hide_env_values = true)]
    to: Secret,

    /// The API token, for direct ingestion over https://. [default: the variable WAVEFRONT_TOKEN]
    #[arg(long)]
    token: Option<Secret>,

    /// The name this machine goes by. [default: its host name]
    #[arg(long, env = "WAVEFRONT_SOURCE")]
    source: Option<String>,

    /// A tag for every line; may be repeated. [env: WAVEFRONT_TAGS=KEY=VALUE,KEY=VALUE]
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    tags: Vec<String>,

    /// How long an interval is: 1s at least.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse_seconds)]
    every: Duration,

    /// End after so long, such as 90s, 15m or 2h. [default: run until a signal comes]
    #[arg(long = "for", value_name = "TIME", value_parser = duration::parse)]
    lasting: Option<Duration>,

    /// Measure for one second, send that, and end.
    #[arg(long, conflicts_with = "lasting")]
    once: bool,

    #[command(flatten)]
    spool: spool::Options,
}

/// Runs until a signal comes or the time is over.
pub(crate) fn run(args: Args) -> ExitCode {
    let failed = |text: String| {
        say(&format!("error: {text}"));
        ExitCode::from(USAGE)
    };
    let interrupt = match Interrupt::listen() {
        Ok(interrupt) => interrupt,
        Err(error) => return failed(format!("cannot start: {error}")),
    };
    match Agent::new(args) {
        Ok(agent) => agent.run(&interrupt),
        Err(text) => failed(text),
    }
}

/// The machine's name, as the default source.
pub(crate) fn machine() -> Option<String> {
    System::host_name().filter(|name| !name.trim().is_empty())
}

/// Everything that lasts from the first reading to the last.
struct Agent {
    sender: Sender,
    /// The endpoint, without its token.
    place: String,
    spool: Option<Spool>,
    added: Added,
    every: Duration,
    lasting: Option<Duration>,
    once: bool,
}

impl Agent {
    fn new(args: Args) -> Result<Self, String> {
        let Args { to, token, source, tags, every, lasting, once, spool } = args;
        let endpoint = endpoint(&to, token.as_ref())?;
        let place = endpoint.to_string();
        let choice = spool.check()?;
        if let Some(Overflow::Block(_)) = choice.overflow {
            let text = "--overflow block: the figures of this machine do not wait; choose drop-oldest, drop-newest or, \
                        with --spool, store";
            return Err(text.to_owned());
        }
        let added = Added::parse_or_environment(&tags)?;
        let source = source.map(|source| source.trim().to_owned()).filter(|source| !source.is_empty());
        let source = source.or_else(machine).ok_or("this machine has no name: give one with --source")?;
        let builder = SenderBuilder::to_endpoint(endpoint.clone())
            .source(source.as_str())
            .own_metrics(None)
            .max_queue_size(QUEUE)
            .max_queue_bytes(QUEUE_BYTES)
            .flush_interval(Duration::from_millis(500));
        let (builder, spool) = choice.apply(builder, &endpoint, Overflow::DropOldest, say)?;
        let sender = builder.build().map_err(|error| error.to_string())?;
        // A source or tags that no line can carry are found now, not in every line.
        sender.prepare("host", "", added.alone()).map_err(|error| format!("--source or --tag: {error}"))?;
        if !once {
            let until = lasting.map_or("; Ctrl-C ends it".to_owned(), |it| format!(", for {}", duration::show(it)));
            let every = duration::show(every);
            say(&format!("sending the figures of {} to {place} every {every}{until}", printable(&source)));
            if let Some(spool) = spool.as_ref().filter(|spool| spool.found > 0) {
                say(&spool.recovered(spool.found as u64));
            }
        }
        Ok(Self { sender, place, spool, added, every, lasting, once })
    }

    fn run(self, interrupt: &Interrupt) -> ExitCode {
        let Self { every, lasting, once, .. } = self;
        let started = Instant::now();
        let end = lasting.and_then(|lasting| started.checked_add(lasting));
        let mut next = started + every.min(FIRST);
        let mut gatherer = Gatherer::new();
        let mut before = gatherer.read();
        let mut link = Link::new(started);
        loop {
            let until = end.map_or(next, |end| end.min(next));
            let stopped = interrupt.comes_before(until);
            if let Some(news) = link.look(&self.sender.ledger().total(), self.sender.last_error(), Instant::now()) {
                say(&news);
            }
            // At the end too: the last interval is shorter, but its increments count.
            let now = gatherer.read();
            for figure in figures(&before, &now) {
                // What no line can say is counted as invalid by the ledger.
                let _ = self.send(&figure);
            }
            before = now;
            if stopped || once || Some(until) == end {
                break;
            }
            next = (next + every).max(Instant::now());
        }
        let ledger = self.sender.close(LAST);
        let (text, status) = last_words(&ledger, &self.place, self.spool.as_ref(), self.sender.last_error());
        say(&text);
        ExitCode::from(status)
    }

    fn send(&self, figure: &Figure) -> Result<(), SendError> {
        let text = |text| Text(Cow::Borrowed(text));
        let own: Vec<_> = figure.tag.iter().map(|(key, value)| (text(*key), text(value.as_str()))).collect();
        let tags = self.added.to(&own);
        match figure.form {
            Form::Gauge(at) => self.sender.send(Metric::new(figure.name, figure.value).timestamp(at).tags(tags)),
            Form::Increment => self.sender.send(DeltaCounter::new(figure.name, figure.value).tags(tags)),
        }
    }
}

/// Whether lines get through, as far as the user was told.
struct Link {
    /// Lines that have left.
    left: usize,
    /// When some had left since the look before, or none waited.
    well: Instant,
    broken: bool,
    breaks: u32,
}

impl Link {
    /// Lines that wait for less are on their way.
    const STUCK: Duration = Duration::from_secs(5);

    fn new(now: Instant) -> Self {
        Self { left: 0, well: now, broken: false, breaks: 0 }
    }

    /// Looks before an interval's lines are added; what to tell if things changed. A link that breaks again and again
    /// is told of the 1st, 2nd, 4th, 8th … time.
    fn look(&mut self, total: &Row, error: Option<String>, now: Instant) -> Option<String> {
        let left = total.delivered + total.written + total.doubtful;
        let moved = core::mem::replace(&mut self.left, left) != left;
        if moved || total.queued + total.in_flight + total.stored == 0 {
            self.well = now;
            let mended = core::mem::replace(&mut self.broken, false) && self.breaks.is_power_of_two();
            return mended.then(|| "lines get through again".to_owned());
        }
        let stuck = now.saturating_duration_since(self.well);
        if self.broken || stuck < Self::STUCK {
            return None;
        }
        self.broken = true;
        self.breaks += 1;
        let error = error.map(|error| format!(": {error}")).unwrap_or_default();
        let again = if self.breaks > 1 { format!(" ({} times so far)", self.breaks) } else { String::new() };
        let text =
            format!("nothing got through for {}s{again}{error}; lines are kept and tried again", stuck.as_secs());
        self.breaks.is_power_of_two().then_some(text)
    }
}

/// The summary, and the exit status.
fn last_words(ledger: &Ledger, place: &str, spool: Option<&Spool>, error: Option<String>) -> (String, u8) {
    let total = ledger.total();
    let Row { accepted, recovered, delivered, doubtful, dropped, stored, invalid, .. } = total;
    let lines = |count: usize| grouped(count as u64);
    let waits = spool.filter(|_| stored > 0).map(|spool| spool.waiting(stored as u64));
    let mut status = if waits.is_some() { WAITING } else { 0 };
    let lost = dropped.total() + doubtful + invalid + total.unsettled();
    let mut text = format!("{} lines delivered to {place}", lines(delivered));
    if lost > 0 {
        status = 1;
        let reasons = [
            (dropped.queue_full, "were pushed out of the full queue"),
            (dropped.store_full, "were pushed out of the full spool"),
            (dropped.expired, "were in the spool for longer than --spool-age"),
            (dropped.damaged, "were in damaged files of the spool"),
            (dropped.closed + total.unsettled(), "had not left at the end"),
            (dropped.rejected, "were refused"),
            (dropped.too_large, "were too large for it"),
            (doubtful, "may be lost: the connection broke"),
            (invalid, "could not be written as a line"),
        ];
        let reasons: Vec<String> = reasons
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{} {what}", lines(count)))
            .collect();
        let all = lines(accepted + recovered + invalid);
        text = format!("error: {} of {all} lines did not reach {place}: {}", lines(lost), reasons.join(", "));
    }
    if let Some(waits) = &waits {
        text += &format!("\n{waits}");
    }
    if status == 0 {
        return (text, status);
    }
    if let Some(error) = &error {
        text += &format!("\n  the last failure: {error}");
    }
    if delivered == 0 && error.is_none() {
        text += "\n  is the address right, and does something listen there? `wavefront collect` is something to try it with";
    }
    (text, status)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use wavefront_sdk::transport::Memory;

    use super::*;

    fn agent(tags: &[&str]) -> (Agent, Memory) {
        let memory = Memory::new();
        let sender = SenderBuilder::over(memory.clone()).source("pump-3").build().unwrap();
        let tags: Vec<String> = tags.iter().map(|&tag| tag.to_owned()).collect();
        let added = Added::parse(&tags).unwrap();
        let agent =
            Agent { sender, place: "tcp://h".into(), spool: None, added, every: FIRST, lasting: None, once: true };
        (agent, memory)
    }

    #[test]
    fn a_figure_carries_the_given_tags_and_its_own_wins() {
        let (agent, memory) = agent(&["site=north", "core=all"]);
        let tag = Some(("core", "3".to_owned()));
        agent.send(&Figure { name: "host.cpu.core.usage", value: 5.0, tag, form: Form::Gauge(1_493_773_500) }).unwrap();
        agent.send(&Figure { name: "host.disk.read.bytes", value: 7.0, tag: None, form: Form::Increment }).unwrap();
        let ledger = agent.sender.close(LAST);
        let text = memory.text();
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                r#""host.cpu.core.usage" 5.0 1493773500 source="pump-3" "core"="3" "site"="north""#,
                r#""∆host.disk.read.bytes" 7.0 source="pump-3" "site"="north" "core"="all""#,
            ]
        );
        assert_eq!(last_words(&ledger, "tcp://h", None, None), ("2 lines delivered to tcp://h".into(), 0));
    }

    #[test]
    fn a_broken_link_is_told_once_and_so_is_its_repair() {
        let start = Instant::now();
        let mut link = Link::new(start);
        let mut look = |delivered, queued, seconds| {
            let mut total = Row::default();
            (total.delivered, total.queued) = (delivered, queued);
            link.look(&total, Some("no route".into()), start + Duration::from_secs(seconds))
        };
        assert_eq!(look(10, 0, 10), None);
        assert_eq!(look(10, 10, 12), None, "they may be on their way");
        let news = look(10, 20, 17).unwrap();
        assert!(news.contains("7s") && news.contains("no route"), "{news}");
        assert_eq!(look(10, 30, 27), None, "it was told");
        assert_eq!(look(15, 25, 37).as_deref(), Some("lines get through again"));
        assert_eq!(look(40, 10, 47), None);
        for (at, told) in [(100, true), (200, false), (300, true)] {
            assert_eq!(look(40 + at as usize, 0, at), None);
            assert_eq!(look(40 + at as usize, 1, at + 10).is_some(), told);
            assert_eq!(look(41 + at as usize, 0, at + 20).is_some(), told);
        }
    }

    #[test]
    fn every_loss_is_named() {
        let (agent, _) = agent(&[]);
        let tag = Some(("mount", "\n".repeat(300)));
        assert!(agent.send(&Figure { name: "host.disk.used", value: f64::NAN, tag, form: Form::Gauge(1) }).is_err());
        let (text, status) = last_words(&agent.sender.close(LAST), "tcp://h", None, Some("no route".into()));
        assert!(
            status == 1
                && text.contains("1 of 1 lines")
                && text.contains("could not be written")
                && text.contains("no route")
        );
    }
}
