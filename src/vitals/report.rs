//! A report: the figures as lines, in batches as large as there is room for, and what of it has arrived.

use core::time::Duration;

use super::figures::{Counts, Figure, Reading, What};
use crate::data::{DeltaCounter, Metric, Tags};
use crate::delivery::Millis;
use crate::line::{Encode, Slice};
use crate::transport::Batch;
use crate::{EncodeError, Kind, Rules};

/// What a sender has said of itself, and when it is to say more.
#[derive(Debug, Clone)]
pub struct OwnMetrics {
    told: Counts,
    interval: Duration,
    next: Option<Millis>,
}

impl OwnMetrics {
    /// How often, in all SDKs of the family.
    pub const INTERVAL: Duration = Duration::from_secs(60);

    /// Nothing was said yet; a report is due once an `interval`.
    pub const fn every(interval: Duration) -> Self {
        Self { told: Counts::NONE, interval, next: None }
    }

    /// How long until the next report is due. The first interval begins with the first call.
    pub fn left(&mut self, now: Millis) -> Duration {
        let next = *self.next.get_or_insert(now.after(self.interval));
        // A clock that went back does not put it off.
        next.since(now).min(self.interval)
    }

    /// Whether a report is due.
    pub fn is_due(&mut self, now: Millis) -> bool {
        self.left(now).is_zero()
    }

    /// Begins a report of how things stand; the next one is due an interval later, whatever becomes of this one.
    pub fn begin(&mut self, reading: Reading, now: Millis) -> Report {
        self.next = Some(now.after(self.interval));
        Report { before: self.told, reading, from: 0, to: 0 }
    }

    /// What was said so far.
    pub const fn told(&self) -> &Counts {
        &self.told
    }

    /// Takes back what was said since `told` was read: it did not arrive.
    pub fn take_back(&mut self, told: Counts) {
        self.told = told;
    }
}

/// A report under way.
#[derive(Debug, Clone)]
pub struct Report {
    before: Counts,
    reading: Reading,
    /// Which figures are in the last batch.
    from: usize,
    to: usize,
}

impl Report {
    /// Writes the next batch into `scratch`, as many lines of one kind as it has room for, delta counters first; `None`
    /// at the end. A line that no rule or room allows is left out, and its count waits for another time.
    pub fn next<'s>(&mut self, labels: &Labels<'_>, rules: &Rules<'_>, scratch: &'s mut [u8]) -> Option<Batch<'s>> {
        let mut slice = Slice::new(scratch);
        self.from = self.to;
        let (mut kind, mut lines) = (Kind::Delta, 0);
        for figure in self.before.figures(&self.reading).skip(self.from) {
            let of = if figure.what.is_delta() { Kind::Delta } else { Kind::Metric };
            if lines > 0 && of != kind {
                break;
            }
            match labels.encode(&figure, rules, &mut slice) {
                Ok(count) => (kind, lines) = (of, lines + count),
                // It begins the next batch, or is left out there.
                Err(_) if lines > 0 => break,
                Err(_) => self.from += 1,
            }
            self.to += 1;
        }
        (lines > 0).then(|| Batch::new(kind, slice.into_written(), lines))
    }

    /// The last batch has arrived.
    pub fn arrived(&self, own: &mut OwnMetrics) {
        let figures = self.before.figures(&self.reading).skip(self.from);
        figures.take(self.to.saturating_sub(self.from)).for_each(|figure| own.told.add(&figure));
    }
}

/// How a sender shows who it is. The names are those of the family's SDK for Java.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AuthType {
    /// Not at all: a proxy.
    #[default]
    NoToken,
    /// By an API token of the service.
    WavefrontApiToken,
    /// By an API token of VMware Cloud Services.
    CspApiToken,
    /// By an OAuth app of VMware Cloud Services.
    CspClientCredentials,
}

impl AuthType {
    /// As it stands in the tag `authType`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "NO_TOKEN",
            Self::WavefrontApiToken => "WAVEFRONT_API_TOKEN",
            Self::CspApiToken => "CSP_API_TOKEN",
            Self::CspClientCredentials => "CSP_CLIENT_CREDENTIALS",
        }
    }
}

/// What all own metrics of a sender have in common: the beginning of their names, and their tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Labels<'a> {
    prefix: &'a str,
    auth: AuthType,
}

impl Labels<'_> {
    /// Of one that sends to a proxy.
    pub const fn proxy() -> Self {
        Self { prefix: "~sdk.rust.core.sender.proxy.", auth: AuthType::NoToken }
    }

    /// Of one that sends to the service itself.
    pub const fn direct(auth: AuthType) -> Self {
        Self { prefix: "~sdk.rust.core.sender.direct.", auth }
    }

    fn encode(&self, figure: &Figure, rules: &Rules<'_>, slice: &mut Slice<'_>) -> Result<u32, ()> {
        let Figure { family, what, value } = *figure;
        let mut digits = itoa::Buffer::new();
        let rest: [&str; 3] = match what {
            What::QueueSize => [".queue.size", "", ""],
            What::RemainingCapacity => [".queue.remaining_capacity", "", ""],
            What::Valid => [".valid.count", "", ""],
            What::Invalid => [".invalid.count", "", ""],
            What::Dropped => [".dropped.count", "", ""],
            What::ReportErrors => [".report.errors.count", "", ""],
            What::Report(status) => [".report.", digits.format(status), ".count"],
        };
        let mut name = heapless::String::<96>::new();
        for piece in [self.prefix, family.as_str()].into_iter().chain(rest) {
            name.push_str(piece).map_err(|_| ())?;
        }
        let value = value as f64;
        let written = if what.is_delta() {
            DeltaCounter::new(&name, value).tags(self).encode_compact(rules, slice)
        } else {
            Metric::new(&name, value).tags(self).encode_compact(rules, slice)
        };
        written.map_err(|error| match error {
            EncodeError::Invalid(_) | EncodeError::Full(_) => {}
        })
    }
}

impl Tags for Labels<'_> {
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        each("version", env!("CARGO_PKG_VERSION"))?;
        each("authType", self.auth.as_str())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::*;
    use crate::delivery::Ledger;
    use crate::parse;
    use crate::vitals::Requests;
    use crate::{KindSet, Limits};

    const MINUTE: Duration = OwnMetrics::INTERVAL;

    fn reading() -> Reading {
        let mut ledger = Ledger::default();
        for (kind, accepted) in Kind::ALL.into_iter().zip(1..) {
            let row = ledger.row_mut(kind).unwrap();
            (row.accepted, row.queued, row.invalid, row.dropped.too_large) = (accepted + 1, accepted, 3, 1);
        }
        let mut requests = Requests::new();
        Kind::ALL.into_iter().for_each(|kind| requests.note(kind, true, Some(503)));
        Reading::new(&ledger, KindSet::ALL, 100).requests(&requests)
    }

    /// All lines of a report in batches as large as `room`, of which those that `arrives` likes arrive.
    fn lines(own: &mut OwnMetrics, rules: &Rules<'_>, room: usize, arrives: impl Fn(usize) -> bool) -> Vec<String> {
        let mut report = own.begin(reading(), Millis(0));
        let (mut scratch, mut lines) = (std::vec![0; room], Vec::new());
        for number in 0.. {
            let Some(batch) = report.next(&Labels::proxy(), rules, &mut scratch) else { break };
            let text = core::str::from_utf8(batch.bytes).unwrap();
            assert_eq!(text.lines().count(), batch.lines as usize);
            assert!(text.lines().all(|line| line.starts_with("\"∆") == (batch.kind == Kind::Delta)), "{text}");
            if arrives(number) {
                lines.extend(text.lines().map(String::from));
                report.arrived(own);
            }
        }
        lines
    }

    #[test]
    fn a_report_is_due_once_an_interval() {
        let mut own = OwnMetrics::every(MINUTE);
        assert_eq!(own.left(Millis(5_000)), MINUTE);
        assert!(!own.is_due(Millis(64_999)) && own.is_due(Millis(65_000)));
        own.begin(reading(), Millis(70_000));
        assert_eq!(own.left(Millis(70_000)), MINUTE, "not by what was missed");
        assert_eq!(own.left(Millis(0)), MINUTE, "a clock that went back");
    }

    #[test]
    fn every_line_is_what_the_receiver_takes() {
        let mut own = OwnMetrics::every(MINUTE);
        let rules = Rules::new().default_source("s");
        let all = lines(&mut own, &rules, 1 << 14, |_| true);
        // Of each family five counts and two levels.
        assert_eq!(all.len(), 5 * 7);
        for line in &all {
            parse::line(line, &Limits::DEFAULT).unwrap();
            assert!(line.ends_with(" \"authType\"=\"NO_TOKEN\""), "{line}");
        }
        let version = env!("CARGO_PKG_VERSION");
        for begins in [
            "\"∆~sdk.rust.core.sender.proxy.points.valid.count\" 5.0 source=\"s\" \"version\"=",
            "\"∆~sdk.rust.core.sender.proxy.span_logs.report.503.count\" 1.0 ",
            "\"∆~sdk.rust.core.sender.proxy.spans.report.errors.count\" 1.0 ",
            "\"~sdk.rust.core.sender.proxy.events.queue.remaining_capacity\" 94.0 ",
            "\"~sdk.rust.core.sender.proxy.histograms.queue.size\" 3.0 ",
        ] {
            let line = all.iter().find(|line| line.starts_with(begins)).unwrap_or_else(|| panic!("{begins}: {all:#?}"));
            assert!(line.contains(&std::format!("\"version\"=\"{version}\"")));
        }
        let again = lines(&mut own, &rules, 1 << 14, |_| true);
        assert!(again.len() == 5 * 2 && again.iter().all(|line| !line.contains('∆')), "{again:#?}");
    }

    #[test]
    fn what_did_not_arrive_is_said_the_next_time() {
        let rules = Rules::new().default_source("s");
        let whole = lines(&mut OwnMetrics::every(MINUTE), &rules, 1 << 14, |_| true);
        let deltas = |lines: &[String]| lines.iter().filter(|line| line.contains('∆')).cloned().collect::<Vec<_>>();
        for room in [130, 200, 500, 1 << 14] {
            let mut own = OwnMetrics::every(MINUTE);
            let first = lines(&mut own, &rules, room, |number| number % 2 == 1);
            let second = lines(&mut own, &rules, room, |_| true);
            let mut said = [deltas(&first), deltas(&second)].concat();
            said.sort();
            let mut all = deltas(&whole);
            all.sort();
            assert_eq!(said, all, "in batches of {room}");
            let told = *own.told();
            lines(&mut own, &rules, room, |_| true);
            assert_eq!(*own.told(), told, "nothing is said twice");
        }
    }

    #[test]
    fn what_was_written_and_lost_is_taken_back() {
        let rules = Rules::new().default_source("s");
        let mut own = OwnMetrics::every(MINUTE);
        let told = *own.told();
        let first = lines(&mut own, &rules, 1 << 14, |_| true);
        own.take_back(told);
        assert_eq!(lines(&mut own, &rules, 1 << 14, |_| true), first);
    }

    #[test]
    fn what_no_line_can_say_waits_and_keeps_nothing_else_back() {
        let mut own = OwnMetrics::every(MINUTE);
        assert_eq!(lines(&mut own, &Rules::new(), 1 << 14, |_| true).len(), 0, "no source");
        assert_eq!(lines(&mut own, &Rules::new().default_source("s"), 20, |_| true).len(), 0, "no room");
        let mut limits = Limits::DEFAULT;
        limits.metric_name = "∆~sdk.rust.core.sender.proxy.spans.valid.count".chars().count();
        let short = lines(&mut own, &Rules::new().default_source("s").limits(&limits), 1 << 14, |_| true);
        assert!(!short.is_empty() && short.iter().all(|line| !line.contains("capacity")), "{short:#?}");
        let rest = lines(&mut own, &Rules::new().default_source("s"), 1 << 14, |_| true);
        assert_eq!(rest.iter().chain(&short).filter(|line| line.contains('∆')).count(), 5 * 5);
    }
}
