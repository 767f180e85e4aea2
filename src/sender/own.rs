//! What a sender sends of its own: metrics about itself, and heartbeats. The worker that carries metrics does it, past
//! the queue: such lines take no room, wait behind none, and are in no ledger.

use core::time::Duration;
use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

use super::builder::host_name;
use super::error::BuildError;
use super::hub::Hub;
use super::{Endpoint, Form};
use crate::data::OwnedApplicationTags;
use crate::delivery::{Ledger, Millis};
use crate::transport::{Accepted, Batch};
use crate::vitals::{AuthType, Counts, Labels, OwnMetrics, Reading, Report, Requests};
use crate::{Encode, Kind, KindSet, Limits, Rules};

/// The most bytes of a batch: room for every line of a report, whatever the source.
const BATCH: usize = 64 << 10;

/// How soon to look again whether a receiver is back.
const AGAIN: Duration = Duration::from_millis(250);

/// How long to wait after a heartbeat that did not arrive, at most.
const BEAT_AGAIN: Duration = Duration::from_secs(30);

/// What a sender sends of its own.
#[derive(Debug)]
pub(super) struct Own {
    metrics: Option<OwnMetrics>,
    queue: Known,
    labels: Labels<'static>,
    source: String,
    limits: Limits,
    beats: Beats,
    turn: Turn,
    unsure: Option<Unsure>,
    scratch: Vec<u8>,
}

/// What the builder was told to send of the sender's own.
pub(super) struct Wanted {
    /// How often there are own metrics, or that there are none, where it was said.
    pub(super) metrics: Option<Option<Duration>>,
    /// Of components.
    pub(super) heartbeats: Vec<(OwnedApplicationTags, String)>,
    pub(super) heartbeat_interval: Duration,
}

/// The sender's queue: what its endpoint takes, and how many lines of each kind there is room for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) kinds: KindSet,
    pub(super) lines: usize,
}

/// Heartbeats: finished lines, sent together.
#[derive(Debug)]
pub(super) struct Beats {
    lines: Vec<u8>,
    count: u32,
    interval: Duration,
    /// The first one at once.
    next: Millis,
}

/// What is being sent.
#[derive(Debug)]
enum Turn {
    Nothing,
    Beats,
    Report(Box<Report>),
}

/// A report that was written, and that the peer's kernel has not acknowledged.
#[derive(Debug)]
struct Unsure {
    /// What was said before it.
    told: Counts,
    /// How many bytes were written on the connection since.
    since: u64,
}

impl Wanted {
    pub(super) const NOTHING: Self =
        Self { metrics: None, heartbeats: Vec::new(), heartbeat_interval: Duration::from_secs(5 * 60) };

    /// What is sent to `endpoint`, if anything.
    pub(super) fn of(
        &self,
        endpoint: Option<&Endpoint>,
        auth: AuthType,
        source: Option<&str>,
        limits: Limits,
        queue: Known,
    ) -> Result<Option<Own>, BuildError> {
        // The machine's name where there is none, also for those whose data must have one: this is about this machine.
        let source = source.map(String::from).or_else(host_name).unwrap_or_else(|| "unknown".into());
        let (mut lines, mut count) = (Vec::new(), 0);
        let rules = Rules::new().default_source(&source).limits(&limits);
        for (tags, component) in &self.heartbeats {
            let written = tags.heartbeat(component).encode(&rules, &mut lines);
            let expected = "tags that a line may have, application, service and component among them";
            count += written.map_err(|_| BuildError::Option { name: "heartbeat", expected })?;
        }
        let form = endpoint.map(Endpoint::form);
        let labels = match form {
            Some(Form::Direct) => Labels::direct(auth),
            _ => Labels::proxy(),
        };
        let is_receiver = matches!(form, Some(Form::Direct | Form::ProxyHttp | Form::ProxyTcp));
        let interval = self.metrics.unwrap_or(is_receiver.then_some(OwnMetrics::INTERVAL));
        let beats = Beats::new(lines, count, self.heartbeat_interval);
        Ok(Own::new(interval, queue, labels, (source, limits), beats))
    }
}

impl Beats {
    /// `count` lines, once an `interval`.
    pub(super) const fn new(lines: Vec<u8>, count: u32, interval: Duration) -> Self {
        Self { lines, count, interval, next: Millis(0) }
    }

    fn left(&self, now: Millis) -> Duration {
        if self.count == 0 { Duration::MAX } else { self.next.since(now) }
    }
}

impl Own {
    /// What is to be sent: own metrics once an `interval`, and heartbeats. None where there is neither.
    pub(super) fn new(
        interval: Option<Duration>,
        queue: Known,
        labels: Labels<'static>,
        (source, limits): (String, Limits),
        beats: Beats,
    ) -> Option<Self> {
        let metrics = interval.map(OwnMetrics::every);
        let any = (metrics.is_some() || beats.count > 0) && queue.kinds.contains(Kind::Metric);
        let (turn, unsure, scratch) = (Turn::Nothing, None, Vec::new());
        any.then_some(Self { metrics, queue, labels, source, limits, beats, turn, unsure, scratch })
    }

    /// How long until there is something to send, and a receiver that is not waited for.
    pub(super) fn left(&mut self, hub: &mut Hub, now: Millis) -> Duration {
        let report = match &mut self.metrics {
            // One at a time may have to be taken back.
            Some(metrics) if self.unsure.is_none() => metrics.left(now),
            _ => Duration::MAX,
        };
        let left = report.min(self.beats.left(now));
        if left.is_zero() && !hub.delivery.view().is_there(Kind::Metric, now) { AGAIN } else { left }
    }

    /// Whether the end of a sender has something to say: one that never said anything says nothing then either.
    pub(super) fn has_last(&self, hub: &mut Hub, now: Millis) -> bool {
        let said = self.metrics.as_ref().is_some_and(|metrics| *metrics.told() != Counts::NONE);
        said && self.unsure.is_none() && hub.delivery.view().is_there(Kind::Metric, now)
    }

    /// Begins what is due; at the `last` time a report in any case.
    pub(super) fn begin(&mut self, (ledger, requests): &(Ledger, Requests), now: Millis, last: bool) {
        if !last && self.beats.left(now).is_zero() {
            // Until it is known to have arrived.
            self.beats.next = now.after(self.beats.interval.min(BEAT_AGAIN));
            self.turn = Turn::Beats;
            return;
        }
        self.turn = Turn::Nothing;
        if let Some(metrics) = self.metrics.as_mut().filter(|_| self.unsure.is_none())
            && (last || metrics.is_due(now))
        {
            let reading = Reading::new(ledger, self.queue.kinds, self.queue.lines).requests(requests);
            self.turn = Turn::Report(Box::new(metrics.begin(reading, now)));
        }
    }

    /// The next batch of what was begun.
    pub(super) fn next(&mut self) -> Option<Batch<'_>> {
        let Self { labels, source, limits, beats, turn, unsure, scratch, .. } = self;
        match turn {
            Turn::Nothing => None,
            Turn::Beats => Some(Batch::new(Kind::Metric, &beats.lines, beats.count)),
            Turn::Report(report) => {
                scratch.resize(BATCH, 0);
                let rules = Rules::new().default_source(source).limits(limits);
                report.next(labels, &rules, scratch).filter(|batch| batch.kind != Kind::Delta || unsure.is_none())
            }
        }
    }

    /// A batch of `bytes` bytes was accepted, and the last `last` bytes of the connection are not acknowledged.
    pub(super) fn accepted(&mut self, accepted: Accepted, bytes: usize, last: Option<u32>, now: Millis) {
        self.behind(bytes);
        match (&self.turn, &mut self.metrics) {
            (Turn::Beats, _) => {
                self.beats.next = now.after(self.beats.interval);
                self.turn = Turn::Nothing;
            }
            (Turn::Report(report), Some(metrics)) => {
                let told = *metrics.told();
                report.arrived(metrics);
                if accepted == Accepted::Written && *metrics.told() != told {
                    self.unsure = Some(Unsure { told, since: 0 });
                }
            }
            _ => {}
        }
        self.acknowledged(last, false);
    }

    /// A batch has failed; whether the connection `broke` with it.
    pub(super) fn failed(&mut self, last: Option<u32>, broke: bool) {
        self.turn = Turn::Nothing;
        self.acknowledged(last, broke);
    }

    /// Whether something was written that may still be lost with the connection.
    pub(super) const fn is_unsure(&self) -> bool {
        self.unsure.is_some()
    }

    /// So many bytes were written on the connection.
    pub(super) fn behind(&mut self, bytes: usize) {
        if let Some(unsure) = &mut self.unsure {
            unsure.since = unsure.since.saturating_add(bytes as u64);
        }
    }

    /// Hears of the last `last` bytes of the connection that its peer's kernel has not acknowledged, and whether it
    /// `broke`: a report that is lost with it is made anew the next time.
    pub(super) fn acknowledged(&mut self, last: Option<u32>, broke: bool) {
        let Some(Unsure { told, since }) = &self.unsure else { return };
        let arrived = last.is_none_or(|last| u64::from(last) <= *since);
        if !arrived && !broke {
            return;
        }
        if let (false, Some(metrics)) = (arrived, &mut self.metrics) {
            metrics.take_back(*told);
        }
        self.unsure = None;
    }
}

#[cfg(all(test, not(models)))]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn own(beats: &[u8]) -> Own {
        let beats = Beats::new(beats.to_vec(), beats.len().min(1) as u32, 5 * MINUTE);
        let queue = Known { kinds: KindSet::ALL, lines: 10 };
        Own::new(Some(MINUTE), queue, Labels::proxy(), ("s".into(), Limits::DEFAULT), beats).unwrap()
    }

    fn account(accepted: usize) -> (Ledger, Requests) {
        let mut ledger = Ledger::default();
        ledger.row_mut(Kind::Metric).unwrap().accepted = accepted;
        (ledger, Requests::new())
    }

    /// What a report says of the lines that were accepted, sent over a connection of which `last` bytes are not
    /// acknowledged.
    fn said(own: &mut Own, accepted: usize, last: u32) -> Option<String> {
        let mut valid = None;
        own.begin(&account(accepted), Millis(60_000), true);
        while let Some(batch) = own.next() {
            let text = String::from_utf8(batch.bytes.to_vec()).unwrap();
            let (_, rest) = text.split_once("valid.count\" ").unzip();
            valid = rest.map(|rest| rest.split(' ').next().unwrap().into()).or(valid);
            own.accepted(Accepted::Written, text.len(), Some(last), Millis(60_000));
        }
        valid
    }

    #[test]
    fn a_report_that_was_lost_with_its_connection_is_made_anew() {
        let mut own = own(b"");
        assert_eq!(said(&mut own, 5, 1 << 20).as_deref(), Some("5.0"));
        assert!(own.is_unsure());
        own.acknowledged(Some(1 << 20), true);
        assert_eq!(said(&mut own, 7, 0).as_deref(), Some("7.0"));
        assert!(!own.is_unsure());
        own.acknowledged(Some(1), true);
        assert_eq!(said(&mut own, 8, 0).as_deref(), Some("1.0"), "what was acknowledged is not said again");
    }

    #[test]
    fn what_was_written_behind_a_report_does_not_keep_it_unsure() {
        let mut own = own(b"");
        said(&mut own, 5, 1 << 20);
        assert_eq!(said(&mut own, 6, 0), None, "one at a time");
        own.behind(2 << 20);
        own.acknowledged(Some(2 << 20), false);
        assert!(!own.is_unsure());
    }

    #[test]
    fn heartbeats_come_at_once_and_then_once_an_interval() {
        let mut own = own(b"beat\n");
        let mut sent = Vec::new();
        for minute in 0..12 {
            let now = Millis(minute * 60_000);
            own.begin(&account(0), now, false);
            if matches!(own.turn, Turn::Beats) {
                assert_eq!(own.next().unwrap().bytes, b"beat\n");
                sent.push(minute);
                match minute {
                    5 => own.failed(None, false),
                    _ => own.accepted(Accepted::Delivered, 5, None, now),
                }
            }
        }
        assert_eq!(sent, [0, 5, 6, 11], "one that fails comes again soon");
    }
}
