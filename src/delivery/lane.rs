//! A lane: the segments of one kind in the order they are sent, and that kind's row of the ledger.

use super::backoff::Gate;
use super::ledger::Row;
use super::segment::NONE;
use super::shelf::Shelf;
use crate::Kind;

/// The queue of one kind. A driver only makes it; [`Delivery`](super::Delivery) does the rest.
#[derive(Debug)]
pub struct Lane {
    pub(super) kind: Kind,
    /// Which of the driver's connections carries it: lanes of one route wait together when it cannot be reached.
    pub(super) route: u8,
    pub(super) head: u16,
    pub(super) tail: u16,
    /// Bytes of the lines that are queued or in flight.
    pub(super) bytes: usize,
    /// Room promised to producers that fill segments of their own.
    pub(super) leased_lines: usize,
    pub(super) leased_bytes: usize,
    /// The number of the next line.
    pub(super) next_line: u32,
    /// Lines before this number are sent without waiting for a full batch.
    pub(super) due: u32,
    pub(super) gate: Gate,
    pub(super) shelf: Shelf,
    pub(super) row: Row,
}

impl Lane {
    /// An empty lane for `kind`, on route 0.
    pub const fn new(kind: Kind) -> Self {
        Self::on_route(kind, 0)
    }

    /// An empty lane for `kind`, on the connection number `route` (0 to 2) of the driver's. Every higher number means 2.
    pub const fn on_route(kind: Kind, route: u8) -> Self {
        Self {
            kind,
            route: if route > 2 { 2 } else { route },
            head: NONE,
            tail: NONE,
            bytes: 0,
            leased_lines: 0,
            leased_bytes: 0,
            next_line: 0,
            due: 0,
            gate: Gate::OPEN,
            shelf: Shelf::EMPTY,
            row: Row::EMPTY,
        }
    }

    /// Lines that count against the bound: queued, in flight, and promised.
    pub(super) fn lines(&self) -> usize {
        self.row.queued.wrapping_add(self.row.in_flight).saturating_add(self.leased_lines)
    }
}

/// Whether the line number `a` comes before `b`. Numbers wrap around: those that are compared must be less than 2³¹ apart.
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
        assert_eq!([0, 2, 3, 255].map(|route| Lane::on_route(Kind::Span, route).route), [0, 2, 2, 2]);
    }
}
