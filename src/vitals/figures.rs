//! What is to be said at one instant, as a function of what was said before.

use crate::delivery::Ledger;
use crate::{Kind, KindSet};

/// What own metrics are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Family {
    /// Metrics and delta counters.
    Points,
    /// Histograms.
    Histograms,
    /// Spans.
    Spans,
    /// The logs of spans.
    SpanLogs,
    /// Events.
    Events,
}

impl Family {
    /// How many there are.
    pub const COUNT: usize = 5;

    /// All of them.
    pub const ALL: [Self; Self::COUNT] = [Self::Points, Self::Histograms, Self::Spans, Self::SpanLogs, Self::Events];

    /// The family of a kind; source tags have none.
    pub const fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Metric | Kind::Delta => Some(Self::Points),
            Kind::Histogram => Some(Self::Histograms),
            Kind::Span => Some(Self::Spans),
            Kind::SpanLogs => Some(Self::SpanLogs),
            Kind::Event => Some(Self::Events),
            Kind::SourceTag => None,
        }
    }

    /// Its kinds.
    pub fn kinds(self) -> KindSet {
        Kind::ALL.into_iter().filter(|kind| Self::of(*kind) == Some(self)).collect()
    }

    /// Its name: `points`, `histograms`, `spans`, `span_logs`, `events`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Points => "points",
            Self::Histograms => "histograms",
            Self::Spans => "spans",
            Self::SpanLogs => "span_logs",
            Self::Events => "events",
        }
    }
}

/// Which figure of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum What {
    /// Lines that are queued or in flight.
    QueueSize,
    /// How many more lines the queues take.
    RemainingCapacity,
    /// Lines accepted.
    Valid,
    /// Data that failed validation.
    Invalid,
    /// Lines dropped.
    Dropped,
    /// Requests that failed.
    ReportErrors,
    /// Requests that were answered with this status.
    Report(u16),
}

impl What {
    /// Whether it is an increment, and not a level.
    pub const fn is_delta(self) -> bool {
        !matches!(self, Self::QueueSize | Self::RemainingCapacity)
    }
}

/// One value to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Figure {
    /// What it is about.
    pub family: Family,
    /// Which of the family's figures it is.
    pub what: What,
    /// A level, or what was added since the last report.
    pub value: usize,
}

/// How the requests of a sender went, which no ledger says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Requests {
    errors: [usize; Family::COUNT],
    /// As many as there are; a status of 0 is no entry. Further ones are in no figure but the number of errors.
    statuses: [Answers; 16],
}

/// How often a family's requests were answered with a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Answers {
    family: u8,
    status: u16,
    count: usize,
}

impl Requests {
    /// None yet.
    pub const fn new() -> Self {
        let none = Answers { family: 0, status: 0, count: 0 };
        Self { errors: [0; Family::COUNT], statuses: [none; 16] }
    }

    /// Counts a request with lines of `kind`: whether it failed, and the status it was answered with, if it was.
    pub fn note(&mut self, kind: Kind, failed: bool, status: Option<u16>) {
        let Some(family) = Family::of(kind) else { return };
        if let Some(errors) = self.errors.get_mut(family as usize).filter(|_| failed) {
            *errors = errors.wrapping_add(1);
        }
        if let Some(status) = status.filter(|status| *status != 0) {
            self.add(family, status, 1);
        }
    }

    fn add(&mut self, family: Family, status: u16, count: usize) {
        let family = family as u8;
        let known =
            |answers: &&mut Answers| answers.status == 0 || (answers.family == family && answers.status == status);
        if let Some(answers) = self.statuses.iter_mut().find(known) {
            *answers = Answers { family, status, count: answers.count.wrapping_add(count) };
        }
    }

    /// How many requests of a family failed.
    pub fn errors(&self, family: Family) -> usize {
        self.errors.get(family as usize).copied().unwrap_or(0)
    }

    /// How many requests of a family were answered with `status`.
    pub fn answered(&self, family: Family, status: u16) -> usize {
        let of_family = |answers: &&Answers| answers.family == family as u8 && answers.status == status;
        self.statuses.iter().find(of_family).map_or(0, |answers| answers.count)
    }

    fn statuses_of(&self, family: Family) -> impl Iterator<Item = (u16, usize)> {
        let of_family = move |answers: &Answers| answers.status != 0 && answers.family == family as u8;
        self.statuses.into_iter().filter(of_family).map(|answers| (answers.status, answers.count))
    }
}

/// What grows over the life of a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    lines: [Lines; Family::COUNT],
    requests: Requests,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Lines {
    valid: usize,
    invalid: usize,
    dropped: usize,
}

impl Counts {
    /// Nothing yet.
    pub const NONE: Self =
        Self { lines: [Lines { valid: 0, invalid: 0, dropped: 0 }; Family::COUNT], requests: Requests::new() };

    fn of(&self, family: Family) -> Lines {
        self.lines.get(family as usize).copied().unwrap_or_default()
    }

    /// Adds what a figure says; levels add nothing.
    pub(super) fn add(&mut self, figure: &Figure) {
        let Figure { family, what, value } = *figure;
        let Some(lines) = self.lines.get_mut(family as usize) else { return };
        let sum = match what {
            What::QueueSize | What::RemainingCapacity => return,
            What::Valid => &mut lines.valid,
            What::Invalid => &mut lines.invalid,
            What::Dropped => &mut lines.dropped,
            What::ReportErrors => match self.requests.errors.get_mut(family as usize) {
                Some(errors) => errors,
                None => return,
            },
            What::Report(status) => return self.requests.add(family, status, value),
        };
        *sum = sum.wrapping_add(value);
    }

    /// What is to be said where `self` was said before and `reading` is how things stand: first what was added, as far
    /// as there is any, then the levels. Pure: the same two give the same figures.
    pub fn figures<'a>(&self, reading: &'a Reading) -> impl Iterator<Item = Figure> + use<'a> {
        let before = *self;
        let families = move || Family::ALL.into_iter().filter(|family| reading.has(*family));
        let added = families().flat_map(move |family| {
            let (now, was) = (reading.counts.of(family), before.of(family));
            let (requests, old) = (&reading.counts.requests, before.requests);
            let counts = [
                (What::Valid, now.valid.wrapping_sub(was.valid)),
                (What::Invalid, now.invalid.wrapping_sub(was.invalid)),
                (What::Dropped, now.dropped.wrapping_sub(was.dropped)),
                (What::ReportErrors, requests.errors(family).wrapping_sub(old.errors(family))),
            ];
            let statuses = requests
                .statuses_of(family)
                .map(move |(status, count)| (What::Report(status), count.wrapping_sub(old.answered(family, status))));
            let added = counts.into_iter().chain(statuses).filter(|(_, value)| *value > 0);
            added.map(move |(what, value)| Figure { family, what, value })
        });
        let levels = families().flat_map(move |family| {
            let (size, room) = reading.levels.get(family as usize).copied().unwrap_or_default();
            [(What::QueueSize, size), (What::RemainingCapacity, room)].map(|(what, value)| Figure {
                family,
                what,
                value,
            })
        });
        added.chain(levels)
    }
}

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    counts: Counts,
    kinds: KindSet,
    levels: [(usize, usize); Family::COUNT],
}

impl Reading {
    /// Of a queue that takes `kinds`, `queue_lines` lines of each. Families of which it takes no kind are left out.
    pub fn new(ledger: &Ledger, kinds: KindSet, queue_lines: usize) -> Self {
        let mut reading = Self { counts: Counts::NONE, kinds, levels: [(0, 0); Family::COUNT] };
        for (kind, row) in ledger.rows().filter(|(kind, _)| kinds.contains(*kind)) {
            let Some(at) = Family::of(kind).map(|family| family as usize) else { continue };
            if let (Some(lines), Some((size, room))) = (reading.counts.lines.get_mut(at), reading.levels.get_mut(at)) {
                lines.valid = lines.valid.wrapping_add(row.accepted);
                lines.invalid = lines.invalid.wrapping_add(row.invalid);
                lines.dropped = lines.dropped.wrapping_add(row.dropped.total());
                let waiting = row.queued.saturating_add(row.in_flight);
                *size = size.saturating_add(waiting);
                *room = room.saturating_add(queue_lines.saturating_sub(waiting));
            }
        }
        reading
    }

    /// With how the requests went, for who counts them.
    #[must_use]
    pub const fn requests(mut self, requests: &Requests) -> Self {
        self.counts.requests = *requests;
        self
    }

    fn has(&self, family: Family) -> bool {
        family.kinds().iter().any(|kind| self.kinds.contains(kind))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::collections::HashMap;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn ledger(rows: &[(Kind, [usize; 5])]) -> Ledger {
        let mut ledger = Ledger::default();
        for (kind, [accepted, invalid, queue_full, rejected, queued]) in rows {
            let row = ledger.row_mut(*kind).unwrap();
            (row.accepted, row.invalid, row.queued) = (*accepted, *invalid, *queued);
            (row.dropped.queue_full, row.dropped.rejected) = (*queue_full, *rejected);
        }
        ledger
    }

    fn value(figures: &[Figure], family: Family, what: What) -> Option<usize> {
        figures.iter().find(|figure| figure.family == family && figure.what == what).map(|figure| figure.value)
    }

    #[test]
    fn figures_are_the_ledger_s_own() {
        let ledger = ledger(&[(Kind::Metric, [10, 1, 2, 3, 4]), (Kind::Delta, [20, 0, 0, 0, 5])]);
        let mut requests = Requests::new();
        requests.note(Kind::Metric, false, Some(202));
        requests.note(Kind::Delta, true, Some(503));
        requests.note(Kind::Span, true, None);
        requests.note(Kind::SourceTag, true, Some(400));
        let reading = Reading::new(&ledger, KindSet::ALL.without(Kind::Event), 100).requests(&requests);
        let figures: Vec<_> = Counts::NONE.figures(&reading).collect();
        let of = |family, what| value(&figures, family, what);
        assert_eq!(of(Family::Points, What::Valid), Some(30));
        assert_eq!(of(Family::Points, What::Invalid), Some(1));
        assert_eq!(of(Family::Points, What::Dropped), Some(5));
        assert_eq!(of(Family::Points, What::QueueSize), Some(9));
        assert_eq!(of(Family::Points, What::RemainingCapacity), Some(96 + 95));
        assert_eq!((of(Family::Points, What::Report(202)), of(Family::Points, What::Report(503))), (Some(1), Some(1)));
        assert_eq!((of(Family::Points, What::ReportErrors), of(Family::Spans, What::ReportErrors)), (Some(1), Some(1)));
        assert_eq!(of(Family::Spans, What::Valid), None, "nothing was added");
        assert_eq!(of(Family::Spans, What::RemainingCapacity), Some(100));
        assert_eq!(of(Family::Events, What::RemainingCapacity), None, "the endpoint takes none");
        assert!(figures.is_sorted_by_key(|figure| !figure.what.is_delta()), "deltas come first");
    }

    #[test]
    fn statuses_without_a_place_are_errors_all_the_same() {
        let mut requests = Requests::new();
        for status in 400..430 {
            requests.note(Kind::Metric, true, Some(status));
        }
        assert_eq!(requests.errors(Family::Points), 30);
        let known: Vec<_> = requests.statuses_of(Family::Points).collect();
        assert_eq!((known.len(), known[0], known[15]), (16, (400, 1), (415, 1)));
    }

    /// A change of what is counted: kind, accepted, invalid, dropped, the status of a request.
    type Step = (usize, u8, u8, u8, u16);

    proptest! {
        /// Whichever reports get through: what they said adds up to what the last of them saw, and nothing is said
        /// twice.
        #[test]
        fn what_is_said_adds_up_to_the_ledger(
            steps in prop::collection::vec(((0..Kind::COUNT, 0..9_u8, 0..9_u8, 0..9_u8, 198..205_u16), any::<bool>()), 1..40),
            start in prop::sample::select(&[0, usize::MAX - 5]),
        ) {
            let mut ledger = ledger(&[]);
            // Counts wrap around.
            ledger.row_mut(Kind::Metric).unwrap().accepted = start;
            let mut requests = Requests::new();
            let mut told = Counts::NONE;
            told.lines[0].valid = start;
            let mut said: HashMap<(Family, What), usize> = HashMap::new();
            for ((kind, accepted, invalid, dropped, status), arrives) in steps {
                let step: Step = (kind, accepted, invalid, dropped, status);
                let kind = Kind::ALL[step.0];
                let row = ledger.row_mut(kind).unwrap();
                row.accepted = row.accepted.wrapping_add(step.1.into());
                row.invalid += usize::from(step.2);
                row.dropped.closed += usize::from(step.3);
                requests.note(kind, status >= 300, Some(status).filter(|status| *status >= 200));
                let reading = Reading::new(&ledger, KindSet::ALL, 50).requests(&requests);
                let figures: Vec<_> = told.figures(&reading).collect();
                prop_assert_eq!(&figures, &told.figures(&reading).collect::<Vec<_>>(), "a pure function");
                prop_assert!(figures.iter().all(|figure| figure.value > 0 || !figure.what.is_delta()));
                if arrives {
                    for figure in figures.iter().filter(|figure| figure.what.is_delta()) {
                        *said.entry((figure.family, figure.what)).or_default() += figure.value;
                        told.add(figure);
                    }
                    prop_assert!(told.figures(&reading).all(|figure| !figure.what.is_delta()), "nothing is left to say");
                    for family in Family::ALL {
                        let total = ledger.total_of(family.kinds());
                        let said = |what| said.get(&(family, what)).copied().unwrap_or(0);
                        let since = if family == Family::Points { start } else { 0 };
                        prop_assert_eq!(said(What::Valid), total.accepted.wrapping_sub(since));
                        prop_assert_eq!(said(What::Invalid), total.invalid);
                        prop_assert_eq!(said(What::Dropped), total.dropped.total());
                        prop_assert_eq!(said(What::ReportErrors), requests.errors(family));
                        for status in 198..205 {
                            prop_assert_eq!(said(What::Report(status)), requests.answered(family, status));
                        }
                    }
                }
            }
        }

        /// What waits and what has room are the queues, whatever waits.
        #[test]
        fn size_and_room_are_the_queue(queued in 0..60_usize, in_flight in 0..60_usize) {
            let mut ledger = Ledger::default();
            let row = ledger.row_mut(Kind::Span).unwrap();
            (row.queued, row.in_flight) = (queued, in_flight);
            let reading = Reading::new(&ledger, KindSet::ALL, 100);
            let figures: Vec<_> = Counts::NONE.figures(&reading).collect();
            let (size, room) = (value(&figures, Family::Spans, What::QueueSize), value(&figures, Family::Spans, What::RemainingCapacity));
            prop_assert_eq!(size, Some(queued + in_flight));
            // Lines that a broken connection brings back can pass the bound.
            prop_assert_eq!(room, Some(100_usize.saturating_sub(queued + in_flight)));
        }
    }
}
