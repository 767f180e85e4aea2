//! What became of every line.

use crate::{Kind, KindSet};

/// What became of the lines of one kind.
///
/// At every instant `accepted + recovered = delivered + doubtful + dropped + queued + in_flight + written + stored`.
/// Counts are of lines, and wrap around at the size of `usize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Row {
    /// Taken over from the caller, whatever became of them.
    pub accepted: usize,
    /// Found in the store at the start: an earlier process, or an earlier life of this device, left them there.
    pub recovered: usize,
    /// The receiver has them.
    pub delivered: usize,
    /// The peer's kernel had them when the connection broke; not sent again, because a repeat would falsify them.
    pub doubtful: usize,
    /// Lost, by reason.
    pub dropped: Dropped,
    /// Waiting.
    pub queued: usize,
    /// With a transport.
    pub in_flight: usize,
    /// With our kernel or the peer's, as far as is known, and kept in case the connection breaks. 0 where receivers
    /// answer.
    pub written: usize,
    /// Only in the store. A line that waits in memory counts there, also while the store has it too.
    pub stored: usize,
    /// Refused as invalid: never accepted.
    pub invalid: usize,
    /// Nothing to send: delta counters of zero. Never accepted.
    pub skipped: usize,
    /// Sent again although the receiver may have them already. Counts every time.
    pub resent: usize,
}

/// Lost lines, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Dropped {
    /// The queue had no room.
    pub queue_full: usize,
    /// The receiver refused them for good.
    pub rejected: usize,
    /// A single line that the receiver finds too large.
    pub too_large: usize,
    /// Longer in the store than they may be.
    pub expired: usize,
    /// Neither the queue nor the store had room.
    pub store_full: usize,
    /// The store could not read them back.
    pub damaged: usize,
    /// Not delivered by the end of `close`, and not in a store. What was on its way to the receiver or the store at
    /// that instant may yet be there.
    pub closed: usize,
}

impl Dropped {
    const NONE: Self =
        Self { queue_full: 0, rejected: 0, too_large: 0, expired: 0, store_full: 0, damaged: 0, closed: 0 };

    /// All of them.
    pub const fn total(&self) -> usize {
        let Self { queue_full, rejected, too_large, expired, store_full, damaged, closed } = *self;
        let by_receiver = rejected.wrapping_add(too_large);
        let by_store = expired.wrapping_add(store_full).wrapping_add(damaged);
        queue_full.wrapping_add(by_receiver).wrapping_add(by_store).wrapping_add(closed)
    }
}

impl Row {
    const EMPTY: Self = Self {
        accepted: 0,
        recovered: 0,
        delivered: 0,
        doubtful: 0,
        dropped: Dropped::NONE,
        queued: 0,
        in_flight: 0,
        written: 0,
        stored: 0,
        invalid: 0,
        skipped: 0,
        resent: 0,
    };

    /// Lines in memory that are not yet where they stay: queued, in flight or written.
    pub const fn unsettled(&self) -> usize {
        self.queued.wrapping_add(self.in_flight).wrapping_add(self.written)
    }

    /// Whether every line that came in is accounted for.
    pub const fn is_balanced(&self) -> bool {
        let settled = self.delivered.wrapping_add(self.doubtful).wrapping_add(self.dropped.total());
        let here = self.unsettled().wrapping_add(self.stored);
        self.accepted.wrapping_add(self.recovered) == settled.wrapping_add(here)
    }

    /// Lines that failed: dropped, doubtful and invalid.
    pub const fn failures(&self) -> usize {
        self.dropped.total().wrapping_add(self.doubtful).wrapping_add(self.invalid)
    }

    fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.accepted, other.accepted),
            (&mut self.recovered, other.recovered),
            (&mut self.delivered, other.delivered),
            (&mut self.doubtful, other.doubtful),
            (&mut self.dropped.queue_full, other.dropped.queue_full),
            (&mut self.dropped.rejected, other.dropped.rejected),
            (&mut self.dropped.too_large, other.dropped.too_large),
            (&mut self.dropped.expired, other.dropped.expired),
            (&mut self.dropped.store_full, other.dropped.store_full),
            (&mut self.dropped.damaged, other.dropped.damaged),
            (&mut self.dropped.closed, other.dropped.closed),
            (&mut self.queued, other.queued),
            (&mut self.in_flight, other.in_flight),
            (&mut self.written, other.written),
            (&mut self.stored, other.stored),
            (&mut self.invalid, other.invalid),
            (&mut self.skipped, other.skipped),
            (&mut self.resent, other.resent),
        ];
        for (mine, more) in pairs {
            *mine = mine.wrapping_add(more);
        }
    }
}

/// What became of every line of every kind, at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ledger {
    rows: [Row; Kind::COUNT],
}

impl Ledger {
    /// The lines of `kind`.
    pub fn row(&self, kind: Kind) -> &Row {
        self.rows.get(kind.index()).unwrap_or(&Row::EMPTY)
    }

    pub(crate) fn row_mut(&mut self, kind: Kind) -> Option<&mut Row> {
        self.rows.get_mut(kind.index())
    }

    /// Every kind with its row.
    pub fn rows(&self) -> impl Iterator<Item = (Kind, &Row)> {
        Kind::ALL.into_iter().zip(&self.rows)
    }

    /// All kinds together.
    pub fn total(&self) -> Row {
        self.total_of(KindSet::ALL)
    }

    /// The kinds of a set together.
    pub fn total_of(&self, kinds: KindSet) -> Row {
        let mut total = Row::default();
        self.rows().filter(|(kind, _)| kinds.contains(*kind)).for_each(|(_, row)| total.add(row));
        total
    }

    /// Whether every accepted line of every kind is accounted for.
    pub fn is_balanced(&self) -> bool {
        self.rows.iter().all(Row::is_balanced)
    }

    /// Lines that failed: dropped, doubtful and invalid (the *failure count* of the other SDKs of the family).
    pub fn failure_count(&self) -> usize {
        self.total().failures()
    }
}

/// Kind by kind.
impl core::iter::Sum for Ledger {
    fn sum<I: Iterator<Item = Self>>(ledgers: I) -> Self {
        ledgers.fold(Self::default(), |mut sum, ledger| {
            sum.rows.iter_mut().zip(&ledger.rows).for_each(|(row, more)| row.add(more));
            sum
        })
    }
}

/// A column of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Accepted,
    Delivered,
    Doubtful,
    QueueFull,
    Rejected,
    TooLarge,
    Closed,
    Invalid,
    Skipped,
    Resent,
    // Lines that are not settled.
    Queued,
    InFlight,
    Written,
    /// The last lines, as far as they wait for a full batch; not a part of the balance.
    Young,
    // Only where there is a store.
    Stored,
    Recovered,
    Expired,
    StoreFull,
    Damaged,
}

/// A [`Row`] as it is kept.
pub(super) trait Columns: core::fmt::Debug {
    const EMPTY: Self;
    /// Lines that are not settled, at most.
    const MOST: usize;

    fn get(&self, column: Column) -> usize;

    fn set(&mut self, column: Column, lines: usize);

    fn add(&mut self, column: Column, lines: usize) {
        self.set(column, self.get(column).wrapping_add(lines));
    }

    fn take(&mut self, column: Column, lines: usize) {
        self.set(column, self.get(column).wrapping_sub(lines));
    }

    /// Lines that were in one column are in another.
    fn shift(&mut self, from: Column, to: Column, lines: usize) {
        self.take(from, lines);
        self.add(to, lines);
    }

    /// Lines that have no place any more, for this reason.
    fn refuse(&mut self, reason: Column, lines: usize) {
        self.add(Column::Accepted, lines);
        self.add(reason, lines);
    }

    /// Lines that are queued or in flight.
    fn waiting(&self) -> usize {
        self.get(Column::Queued).wrapping_add(self.get(Column::InFlight))
    }

    fn row(&self) -> Row {
        Row {
            accepted: self.get(Column::Accepted),
            recovered: self.get(Column::Recovered),
            delivered: self.get(Column::Delivered),
            doubtful: self.get(Column::Doubtful),
            dropped: Dropped {
                queue_full: self.get(Column::QueueFull),
                rejected: self.get(Column::Rejected),
                too_large: self.get(Column::TooLarge),
                expired: self.get(Column::Expired),
                store_full: self.get(Column::StoreFull),
                damaged: self.get(Column::Damaged),
                closed: self.get(Column::Closed),
            },
            queued: self.get(Column::Queued),
            in_flight: self.get(Column::InFlight),
            written: self.get(Column::Written),
            stored: self.get(Column::Stored),
            invalid: self.get(Column::Invalid),
            skipped: self.get(Column::Skipped),
            resent: self.get(Column::Resent),
        }
    }
}

/// All columns.
#[derive(Debug)]
pub(super) struct Full([usize; 19]);

impl Columns for Full {
    const EMPTY: Self = Self([0; 19]);
    const MOST: usize = usize::MAX;

    fn get(&self, column: Column) -> usize {
        self.0.get(column as usize).copied().unwrap_or(0)
    }

    fn set(&mut self, column: Column, lines: usize) {
        if let Some(count) = self.0.get_mut(column as usize) {
            *count = lines;
        }
    }
}

/// What there is without a store, of up to 65,535 lines at a time.
#[derive(Debug)]
pub(super) struct Narrow {
    counts: [usize; 10],
    levels: [u16; 4],
}

impl Columns for Narrow {
    const EMPTY: Self = Self { counts: [0; 10], levels: [0; 4] };
    const MOST: usize = u16::MAX as usize;

    fn get(&self, column: Column) -> usize {
        let at = column as usize;
        let level = at.checked_sub(self.counts.len()).and_then(|at| self.levels.get(at));
        level.map_or_else(|| self.counts.get(at).copied().unwrap_or(0), |level| usize::from(*level))
    }

    fn set(&mut self, column: Column, lines: usize) {
        let at = column as usize;
        if let Some(count) = self.counts.get_mut(at) {
            *count = lines;
        } else if let Some(level) = at.checked_sub(self.counts.len()).and_then(|at| self.levels.get_mut(at)) {
            *level = lines as u16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_its_place() {
        const COLUMNS: [Column; 19] = [
            Column::Accepted,
            Column::Delivered,
            Column::Doubtful,
            Column::QueueFull,
            Column::Rejected,
            Column::TooLarge,
            Column::Closed,
            Column::Invalid,
            Column::Skipped,
            Column::Resent,
            Column::Queued,
            Column::InFlight,
            Column::Written,
            Column::Young,
            Column::Stored,
            Column::Recovered,
            Column::Expired,
            Column::StoreFull,
            Column::Damaged,
        ];
        let (mut full, mut narrow) = (Full::EMPTY, Narrow::EMPTY);
        for (lines, column) in (1..).zip(COLUMNS) {
            full.add(column, lines);
            narrow.add(column, lines);
        }
        assert!((1..).zip(COLUMNS).all(|(lines, column)| full.get(column) == lines));
        let with_store = full.row();
        assert_eq!(with_store.dropped.total() + with_store.unsettled(), 4 + 5 + 6 + 7 + 17 + 18 + 19 + 11 + 12 + 13);
        for column in &COLUMNS[14..] {
            full.set(*column, 0);
        }
        assert_eq!(full.row(), narrow.row(), "without a store");
        narrow.shift(Column::Queued, Column::Delivered, 11);
        assert_eq!((narrow.get(Column::Queued), narrow.get(Column::Delivered)), (0, 13));
    }

    #[test]
    fn totals_add_up_and_balance() {
        let mut ledger = Ledger::default();
        *ledger.row_mut(Kind::Metric).unwrap() =
            Row { accepted: 10, delivered: 4, queued: 3, in_flight: 2, written: 1, invalid: 5, ..Row::default() };
        *ledger.row_mut(Kind::Delta).unwrap() = Row {
            accepted: 7,
            doubtful: 1,
            dropped: Dropped { queue_full: 1, rejected: 2, too_large: 2, closed: 1, ..Dropped::default() },
            ..Row::default()
        };
        assert!(ledger.is_balanced());
        assert_eq!(ledger.total().accepted, 17);
        assert_eq!(ledger.total_of(Kind::Delta.into()).dropped.total(), 6);
        assert_eq!(ledger.failure_count(), 5 + 1 + 6);
        ledger.row_mut(Kind::Span).unwrap().accepted = 1;
        assert!(!ledger.is_balanced());
    }
    #[test]
    fn a_row_is_the_row_of_its_kind_and_ledgers_add_up_kind_by_kind() {
        let mut ledger = Ledger::default();
        for (accepted, kind) in (1..).zip(Kind::ALL) {
            *ledger.row_mut(kind).unwrap() = Row { accepted, queued: accepted, ..Row::default() };
        }
        assert!((1..).zip(Kind::ALL).all(|(accepted, kind)| ledger.row(kind).accepted == accepted));
        assert!(ledger.rows().all(|(kind, row)| row == ledger.row(kind)));
        let sum: Ledger = [ledger, ledger, Ledger::default()].into_iter().sum();
        for (kind, row) in sum.rows() {
            let once = ledger.row(kind);
            assert_eq!((row.accepted, row.queued), (2 * once.accepted, 2 * once.queued), "{kind:?}");
        }
    }

    #[test]
    fn a_refused_line_was_accepted_and_what_waits_is_queued_or_in_flight() {
        fn held<C: Columns>(mut columns: C) {
            columns.refuse(Column::QueueFull, 3);
            columns.add(Column::Accepted, 6);
            columns.add(Column::Queued, 6);
            columns.shift(Column::Queued, Column::InFlight, 4);
            columns.shift(Column::InFlight, Column::Written, 1);
            assert_eq!(columns.waiting(), 5);
            let row = columns.row();
            assert_eq!((row.accepted, row.dropped.queue_full), (9, 3));
            assert!(row.is_balanced());
        }
        held(Full::EMPTY);
        held(Narrow::EMPTY);
    }
}
