//! A lane: the segments of one kind in the order they are sent, and that kind's row of the ledger.

use super::backoff::Gate;
use super::ledger::{Column, Columns};
use super::machine::Lease;
use super::scale::{Large, Part, Scale, With};
use super::segment::NONE;
use super::shelf::Shelf;
use crate::Kind;

/// As far behind the next line as a line can be that is not due.
const FAR: usize = 1 << 30;

/// The queue of one kind. A driver only makes it; [`Delivery`](super::Delivery) does the rest.
pub struct Lane<S: Scale> {
    pub(super) row: S::Row,
    pub(super) gate: Gate,
    /// The number of the next line.
    pub(super) next_line: u32,
    pub(super) head: u16,
    pub(super) tail: u16,
    pub(super) kind: Kind,
    /// Which of the driver's connections carries it: lanes of one route wait together when it cannot be reached.
    route: S::Extra<u8>,
    /// Bytes of the lines that are queued or in flight, where there are too many segments to add them up.
    pub(super) bytes: S::Extra<usize>,
    /// Room promised to producers that fill segments of their own.
    pub(super) leased: S::Extra<Lease>,
    pub(super) shelf: S::Extra<Shelf>,
}

impl<S: Scale> Lane<S> {
    /// An empty lane for `kind`.
    pub const fn new(kind: Kind) -> Self {
        Self {
            row: Columns::EMPTY,
            gate: Gate::OPEN,
            next_line: 0,
            head: NONE,
            tail: NONE,
            kind,
            route: Part::INITIAL,
            bytes: Part::INITIAL,
            leased: Part::INITIAL,
            shelf: Part::INITIAL,
        }
    }

    pub(super) fn route(&self) -> usize {
        self.route.get().map_or(0, |route| usize::from(*route))
    }

    pub(super) fn leased(&self) -> Lease {
        self.leased.get().copied().unwrap_or_default()
    }

    /// Lines that count against the bound: queued, in flight, and promised.
    pub(super) fn lines(&self) -> usize {
        self.row.waiting().saturating_add(self.leased().lines)
    }

    pub(super) fn add_bytes(&mut self, bytes: u32) {
        if let Some(sum) = self.bytes.get_mut() {
            *sum = sum.saturating_add(bytes as usize);
        }
    }

    pub(super) fn take_bytes(&mut self, bytes: u32) {
        if let Some(sum) = self.bytes.get_mut() {
            *sum = sum.saturating_sub(bytes as usize);
        }
    }

    /// The next `count` lines are there; the number of the first.
    pub(super) fn number(&mut self, count: u32) -> u32 {
        let first = self.next_line;
        self.next_line = first.wrapping_add(count);
        let young = self.row.get(Column::Young).saturating_add(count as usize);
        self.row.set(Column::Young, young.min(FAR).min(S::Row::MOST));
        first
    }

    /// Whether the line of this number is sent without waiting for a full batch.
    pub(super) fn is_due(&self, line: u32) -> bool {
        is_before(line, self.next_line.wrapping_sub(self.row.get(Column::Young) as u32))
    }

    /// Lines before this number are due.
    pub(super) fn make_due(&mut self, end: u32) {
        let young = self.next_line.wrapping_sub(end) as usize;
        self.row.set(Column::Young, self.row.get(Column::Young).min(young));
    }

    /// The slot before the gap, which holds what only the store has.
    pub(super) fn gap(&self) -> u16 {
        self.shelf.get().map_or(NONE, |shelf| shelf.gap)
    }

    /// Records that are not in memory.
    pub(super) fn records(&self) -> u32 {
        self.shelf.get().map_or(0, |shelf| shelf.records)
    }
}

impl Lane<Large> {
    /// An empty lane for `kind`, on the connection number `route` (0 to 2) of the driver's. Every higher number means
    /// 2.
    pub const fn on_route(kind: Kind, route: u8) -> Self {
        Self { route: With::new(if route > 2 { 2 } else { route }), ..Self::new(kind) }
    }
}

impl<S: Scale> core::fmt::Debug for Lane<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Lane").field("kind", &self.kind).field("row", &self.row.row()).finish_non_exhaustive()
    }
}

/// Whether the line number `a` comes before `b`. Numbers wrap around: those that are compared must be less than 2³¹
/// apart.
pub(super) const fn is_before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_around() {
        assert!(is_before(1, 2) && !is_before(2, 2) && !is_before(3, 2));
        assert!(is_before(u32::MAX, 0) && is_before(u32::MAX - 5, 1 << 30));
    }

    #[test]
    fn there_are_three_routes() {
        assert_eq!([0, 2, 3, 255].map(|route| Lane::<Large>::on_route(Kind::Span, route).route()), [0, 2, 2, 2]);
    }

    #[test]
    fn what_is_shown_of_a_lane_is_its_kind_and_its_counts() {
        let mut lane = Lane::<Large>::new(Kind::Span);
        lane.row.add(Column::Delivered, 4711);
        let shown = std::format!("{lane:?}");
        assert!(shown.contains("Span") && shown.contains("delivered: 4711"), "{shown}");
    }
}
