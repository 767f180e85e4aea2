//! What somebody is told who waits for the first try of the lines that he sent ahead of the queue.

use super::machine::Report;
use super::policy::Outcome;

/// Lines that were pushed with one tag ([`View::push_urgent`](super::View::push_urgent)), and what was heard of them.
///
/// Each line is heard of once: delivered, kept to be sent again, or dropped. What becomes of kept ones later is in the
/// ledger only, as [`Delivery::outcome`](super::Delivery::outcome) takes their tag away.
///
/// ```
/// use wavefront_sdk::delivery::{Action, Config, Delivery, Lane, Millis, Outcome, Slot, Watch};
/// use wavefront_sdk::{Kind, KindSet};
///
/// let slots = core::array::from_fn::<_, 4, _>(|_| Slot::new([0_u8; 512]));
/// let mut delivery = Delivery::new(Config::default(), slots, [Lane::new(Kind::Metric)]);
/// delivery.view().push_urgent(Kind::Metric, b"\"a\" 1.0 source=\"s\"\n", 1, 7).unwrap();
/// let mut watch = Watch::new(1);
/// let Action::Send(token) = delivery.poll(Millis(0), KindSet::ALL) else { panic!("it does not wait") };
/// let (tag, lines) = (token.tag(), token.lines());
/// let report = delivery.outcome(token, Outcome::Unreachable, Millis(5));
/// assert_eq!((tag, watch.is_open()), (7, true));
/// watch.hear(lines, Outcome::Unreachable, report);
/// assert_eq!((watch.is_open(), watch.kept()), (false, 1));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Watch {
    lines: usize,
    delivered: usize,
    kept: usize,
    dropped: usize,
}

impl Watch {
    /// Nothing was heard of `lines` lines yet.
    pub const fn new(lines: usize) -> Self {
        Self { lines, delivered: 0, kept: 0, dropped: 0 }
    }

    /// What became of a batch of `lines` lines with the tag. A batch that is to come in smaller parts says nothing yet.
    pub const fn hear(&mut self, lines: u32, outcome: Outcome, report: Report) {
        let settled = report.settled as usize;
        match outcome {
            Outcome::Delivered | Outcome::Written | Outcome::Unacknowledged(_) => {
                self.delivered = self.delivered.saturating_add(lines as usize);
            }
            Outcome::TooLarge | Outcome::Rejected(_) => self.drop_lines(settled),
            _ => {
                // The whole segment stays in the queue, and brings no more news here.
                self.delivered = self.delivered.saturating_add(settled);
                self.kept = self.kept.saturating_add(report.kept as usize);
            }
        }
    }

    /// That many lines found no room.
    pub const fn drop_lines(&mut self, lines: usize) {
        self.dropped = self.dropped.saturating_add(lines);
    }

    /// Nothing more will be heard: what is open is kept, or with a sender that was closed it is dropped.
    pub const fn end(&mut self, closed: bool) {
        let open = self.lines.saturating_sub(self.heard());
        if closed {
            self.drop_lines(open);
        } else {
            self.kept = self.kept.saturating_add(open);
        }
    }

    /// Whether there is more to hear.
    pub const fn is_open(&self) -> bool {
        self.heard() < self.lines
    }

    /// Whether every line was delivered, or written where receivers do not answer.
    pub const fn is_delivered(&self) -> bool {
        // More than there are: written, lost with the connection, and written again.
        self.delivered >= self.lines
    }

    /// How many lines there are.
    pub const fn lines(&self) -> usize {
        self.lines
    }

    /// Lines that were delivered.
    pub const fn delivered(&self) -> usize {
        self.delivered
    }

    /// Lines that wait to be sent again.
    pub const fn kept(&self) -> usize {
        self.kept
    }

    /// Lines that are lost.
    pub const fn dropped(&self) -> usize {
        self.dropped
    }

    const fn heard(&self) -> usize {
        self.delivered.saturating_add(self.kept).saturating_add(self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn report(settled: u32, kept: u32) -> Report {
        Report { settled, kept }
    }

    #[test]
    fn every_line_is_heard_of_once() {
        let mut watch = Watch::new(10);
        watch.hear(3, Outcome::Delivered, report(3, 0));
        watch.hear(4, Outcome::Retry { done: 1, after: None }, report(1, 3));
        watch.hear(1, Outcome::Rejected(400), report(1, 0));
        assert!(watch.is_open());
        watch.drop_lines(2);
        assert!(!watch.is_open() && !watch.is_delivered());
        let heard = (watch.lines(), watch.delivered(), watch.kept(), watch.dropped());
        assert_eq!(heard, (10, 4, 3, 3));
        watch.end(true);
        assert_eq!((watch.delivered(), watch.kept(), watch.dropped()), (4, 3, 3), "nothing was open");
    }

    #[test]
    fn a_batch_that_comes_in_parts_is_heard_of_by_its_parts() {
        let mut watch = Watch::new(2);
        watch.hear(2, Outcome::TooLarge, report(0, 2));
        assert_eq!((watch.is_open(), watch.kept()), (true, 0));
        watch.hear(1, Outcome::TooLarge, report(1, 1));
        watch.hear(1, Outcome::Delivered, report(1, 0));
        assert_eq!((watch.is_open(), watch.delivered(), watch.dropped()), (false, 1, 1));
    }

    #[test]
    fn what_was_not_heard_of_is_kept_unless_the_sender_is_closed() {
        for (closed, heard) in [(false, (1, 2, 0)), (true, (1, 0, 2))] {
            let mut watch = Watch::new(3);
            watch.hear(1, Outcome::Written, report(1, 0));
            watch.end(closed);
            assert_eq!((watch.delivered(), watch.kept(), watch.dropped()), heard);
            assert!(!watch.is_open());
        }
    }
}
