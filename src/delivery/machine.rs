//! The state machine's types: its bounds, what it answers, and what it is made of.

use core::time::Duration;

use super::backoff::{Backoff, Jitter, Millis, Moment, Waits, wait};
use super::lane::Lane;
use super::ledger::Ledger;
use super::policy::Outcome;
use super::replay::Replay;
use super::scale::{Initial, Part, Parts, Scale, Size};
use super::segment::{Buf, Cut, InFlight, NONE, Slot};
use super::shelf::Storing;
use crate::{Kind, KindSet};

/// What to do with a line when the queue of its kind is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Overflow {
    /// The new line is refused.
    #[default]
    DropNewest,
    /// The oldest lines that are not on their way make room.
    DropOldest,
}

/// The bounds and times of a [`Delivery`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Config {
    /// Lines of one kind that are queued or in flight, at most. Only written lines that a broken connection brings back
    /// can pass it.
    pub queue_lines: usize,
    /// Bytes of one kind that are queued or in flight, at most.
    pub queue_bytes: usize,
    /// Lines of a batch, at most; 0 is taken for 1.
    pub batch_lines: u32,
    /// The size of a segment where buffers are made on demand; the most that a batch can hold. Where slots come with
    /// their buffers, the smallest of these is the size.
    pub segment_bytes: usize,
    /// How long a line waits for its batch to fill, at most. This and other times are cut to 12 days.
    pub flush_interval: Duration,
    /// What to do with a line when its queue is full.
    pub overflow: Overflow,
    /// How long to wait after a failure.
    pub backoff: Backoff,
    /// How long to wait after the receiver refused the token.
    pub auth_backoff: Backoff,
    /// Kinds of which one request takes a single line.
    pub single: KindSet,
    /// Kinds that are sent again when the connection they were written to breaks, though the peer's kernel has them
    /// ([`Replay::kinds`](super::Replay::kinds)); lines of others become doubtful. What it does not have is always sent
    /// again.
    pub replay: KindSet,
    /// How long written lines are kept in case the connection breaks, from when the peer's kernel had them.
    pub replay_for: Duration,
    /// How many bytes of written lines are kept, at most; 0 takes for delivered what the peer's kernel has. Lines that
    /// it does not have count too, but are kept in any case: there are no more of them than the own kernel's send
    /// buffer holds.
    pub replay_bytes: usize,
    /// Where the jitter starts: different for each client.
    pub seed: u32,
}

impl Config {
    /// 50,000 lines and 32 MiB a kind, batches of 10,000 lines or a segment of 256 KiB, a flush every 5 s, drop the
    /// newest; written lines are kept for 10 s, 8 MiB at most, and sent again unless that would count them twice.
    pub const DEFAULT: Self = Self {
        queue_lines: 50_000,
        queue_bytes: 32 << 20,
        batch_lines: 10_000,
        segment_bytes: 256 << 10,
        flush_interval: Duration::from_secs(5),
        overflow: Overflow::DropNewest,
        backoff: Backoff::HTTP,
        auth_backoff: Backoff::AUTH,
        single: KindSet::NONE,
        replay: Replay::Idempotent.kinds(),
        replay_for: Duration::from_secs(10),
        replay_bytes: 8 << 20,
        seed: 1,
    };
}

/// A [`Config`] as it is kept, times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) queue_lines: usize,
    pub(super) queue_bytes: usize,
    pub(super) batch_lines: u32,
    pub(super) segment_bytes: usize,
    pub(super) flush_interval: u32,
    pub(super) backoff: Waits,
    pub(super) auth_backoff: Waits,
    pub(super) replay_for: u32,
    pub(super) replay_bytes: usize,
    pub(super) overflow: Overflow,
    pub(super) single: KindSet,
    pub(super) replay: KindSet,
}

impl Bounds {
    #[inline(always)]
    fn of(config: &Config, segment_bytes: usize) -> Self {
        Self {
            queue_lines: config.queue_lines,
            queue_bytes: config.queue_bytes,
            batch_lines: config.batch_lines.max(1),
            segment_bytes,
            flush_interval: wait(config.flush_interval),
            backoff: Waits::of(config.backoff),
            auth_backoff: Waits::of(config.auth_backoff),
            replay_for: wait(config.replay_for),
            replay_bytes: config.replay_bytes,
            overflow: config.overflow,
            single: config.single,
            replay: config.replay,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why lines were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refused {
    /// The queue of the kind is full: the lines count as accepted and dropped.
    Full,
    /// So is the store, or it does not work: the lines count as accepted and dropped.
    StoreFull,
    /// More bytes than a segment holds: not accepted.
    TooLarge,
    /// The delivery is closed: not accepted.
    Closed,
    /// There is no lane for the kind: not accepted.
    NoLane,
}

impl Refused {
    /// Why, in plain words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "the queue is full",
            Self::StoreFull => "the queue and the store are full",
            Self::TooLarge => "the lines are larger than a segment of the queue",
            Self::Closed => "the queue is closed",
            Self::NoLane => "there is no queue for this kind of line",
        }
    }
}

impl core::fmt::Display for Refused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for Refused {}

/// What to do next.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Action<B> {
    /// Send this batch, and bring the token back.
    Send(InFlight<B>),
    /// Nothing to do before then, unless lines are pushed, an outcome comes back or a flush is asked for.
    WaitUntil(Millis),
    /// Nothing to do until one of these happens.
    Idle,
}

/// A point in the stream of lines, from [`View::flush`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    pub(super) upto: [u32; Kind::COUNT],
}

impl Ticket {
    /// A ticket as numbers, for who cannot keep it as it is.
    pub const fn numbers(self) -> [u32; Kind::COUNT] {
        self.upto
    }

    /// The ticket of such numbers.
    pub const fn of(numbers: [u32; Kind::COUNT]) -> Self {
        Self { upto: numbers }
    }
}

/// What an outcome settled, for whoever waits for the batch's tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Report {
    /// Lines of the batch that are now where they stay: delivered, written or dropped.
    pub settled: u32,
    /// Lines of the same segment that still wait to be sent, the batch's own among them after a failure.
    pub kept: u32,
}

/// Room in a queue that is promised to a producer who fills a segment of his own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lease {
    /// Lines.
    pub lines: usize,
    /// Bytes.
    pub bytes: usize,
}

impl Initial for Lease {
    const INITIAL: Self = Self { lines: 0, bytes: 0 };
}

/// The statuses that lines were refused with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Statuses {
    /// Those that are counted one by one.
    pub(super) known: [(u16, usize); 4],
    pub(super) others: usize,
}

impl Initial for Statuses {
    const INITIAL: Self = Self { known: [(0, 0); 4], others: 0 };
}

/// The queue, the ledger and the state machine of one endpoint.
///
/// `S` holds the slots and `L` the lanes: arrays or slices on a microcontroller, boxes on a server. There should be two
/// slots more than batches can be in flight, and a third where there is a store: it is kept for what that has. All the
/// logic is in [`View`], of which there is one body a buffer type.
pub struct Delivery<B: Buf, S, L> {
    core: Core<B::Scale>,
    slots: S,
    lanes: L,
}

/// The state machine over borrowed slots and lanes.
pub struct View<'a, B: Buf> {
    pub(super) core: &'a mut Core<B::Scale>,
    pub(super) slots: &'a mut [Slot<B>],
    pub(super) lanes: &'a mut [Lane<B::Scale>],
}

pub(super) struct Core<S: Scale> {
    pub(super) config: Bounds,
    pub(super) jitter: Jitter,
    pub(super) routes: S::Routes,
    pub(super) statuses: S::Extra<Statuses>,
    pub(super) held_bytes: usize,
    pub(super) next_flush: Option<Moment>,
    /// The lane that is asked first.
    pub(super) turn: u8,
    pub(super) free: u16,
    pub(super) closed: bool,
    pub(super) abandoned: bool,
    pub(super) storing: S::Extra<Storing>,
}

impl<B: Buf, S: AsMut<[Slot<B>]>, L: AsMut<[Lane<B::Scale>]>> Delivery<B, S, L> {
    /// An empty queue in `slots`, one queue for each of `lanes`, which should be of different kinds: of two for one
    /// kind only one is used. More than 65,535 slots and 255 lanes are not used.
    pub fn new(config: Config, mut slots: S, lanes: L) -> Self {
        let mut free = NONE;
        let mut segment = None;
        for (index, slot) in (0..NONE).zip(slots.as_mut()).rev() {
            slot.next = free;
            free = index;
            let size = slot.buf.as_ref().map_or(config.segment_bytes, |buf| buf.as_ref().len());
            segment = Some(segment.map_or(size, |least: usize| least.min(size)));
        }
        let segment = segment.unwrap_or(config.segment_bytes);
        // Where that is more than can be counted, the rest of a buffer is not used.
        let segment = segment.min(<<B::Scale as Parts>::Size as Size>::MOST as usize);
        let core = Core {
            jitter: Jitter::new(config.seed),
            config: Bounds::of(&config, segment),
            routes: <B::Scale as Parts>::ROUTES,
            statuses: Part::INITIAL,
            held_bytes: 0,
            next_flush: None,
            turn: 0,
            free,
            closed: false,
            abandoned: false,
            storing: Part::INITIAL,
        };
        Self { core, slots, lanes }
    }

    /// The state machine, whatever the sizes.
    pub fn view(&mut self) -> View<'_, B> {
        let (slots, lanes) = (self.slots.as_mut(), self.lanes.as_mut());
        // The last number of each means none.
        let (most_slots, most_lanes) = (slots.len().min(usize::from(NONE)), lanes.len().min(usize::from(u8::MAX)));
        View {
            core: &mut self.core,
            slots: slots.get_mut(..most_slots).unwrap_or_default(),
            lanes: lanes.get_mut(..most_lanes).unwrap_or_default(),
        }
    }

    /// See [`View::push`].
    ///
    /// # Errors
    /// As there.
    pub fn push(&mut self, kind: Kind, lines: &[u8], count: u32) -> Result<(), Refused> {
        self.view().push(kind, lines, count)
    }

    /// See [`View::poll`], with batches as large as a segment.
    pub fn poll(&mut self, now: Millis, kinds: KindSet) -> Action<B> {
        self.view().poll(now, kinds, Cut::NONE)
    }

    /// See [`View::outcome`].
    pub fn outcome(&mut self, token: InFlight<B>, outcome: Outcome, now: Millis) -> Report {
        self.view().outcome(token, outcome, now)
    }

    /// See [`View::flush`].
    pub fn flush(&mut self) -> Ticket {
        self.view().flush()
    }

    /// See [`View::left`].
    pub fn left(&mut self, ticket: &Ticket) -> usize {
        self.view().left(ticket)
    }

    /// See [`View::ledger`].
    pub fn ledger(&mut self) -> Ledger {
        self.view().ledger()
    }
}

impl<S: Scale> Core<S> {
    pub(super) fn storing(&self) -> Storing {
        self.storing.get().copied().unwrap_or(Storing::INITIAL)
    }

    pub(super) fn count(&mut self, status: u16, lines: usize) {
        let Some(statuses) = self.statuses.get_mut() else { return };
        let known = statuses.known.iter_mut().find(|(code, count)| *count == 0 || *code == status);
        match known {
            Some(entry) if status != 0 => *entry = (status, entry.1.wrapping_add(lines)),
            _ => statuses.others = statuses.others.wrapping_add(lines),
        }
    }
}

// What is printed for debugging never shows lines.
impl<B: Buf, S, L> core::fmt::Debug for Delivery<B, S, L> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Delivery").field("bounds", &self.core.config).finish_non_exhaustive()
    }
}

impl<B: Buf> core::fmt::Debug for View<'_, B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("View").field("slots", &self.slots).field("lanes", &self.lanes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::string::ToString;

    use super::super::check::large;
    use super::*;

    #[test]
    fn lines_that_are_refused_count_by_status_as_far_as_there_is_room() {
        let mut delivery = large(|config| config.batch_lines = 3);
        let mut refuse = |status: u16, lines: &[u8]| {
            delivery.push(Kind::Metric, lines, lines.len() as u32 / 2).unwrap();
            delivery.flush();
            let token = delivery.send(0);
            delivery.outcome(token, Outcome::Rejected(status), Millis(0));
            delivery.view().statuses().collect::<BTreeMap<_, _>>()
        };
        assert_eq!(refuse(400, b"1\n2\n"), BTreeMap::from([(400, 2)]));
        assert_eq!(refuse(404, b"3\n"), BTreeMap::from([(400, 2), (404, 1)]));
        assert_eq!(refuse(400, b"4\n"), BTreeMap::from([(400, 3), (404, 1)]));
        // One that no status was said of, and more than there is room for, in one sum.
        assert_eq!(refuse(0, b"5\n"), BTreeMap::from([(0, 1), (400, 3), (404, 1)]));
        let all = (500..540).map(|status| refuse(status, b"6\n")).last().unwrap();
        assert_eq!((all.get(&400), all.get(&404)), (Some(&3), Some(&1)));
        assert!(all.len() < 40 && all.values().sum::<usize>() == 45, "{all:?}");
    }

    #[test]
    fn what_is_printed_says_what_it_is_and_no_line() {
        let mut delivery = large(|_| {});
        delivery.push(Kind::Metric, b"line\n", 1).unwrap();
        let printed = std::format!("{delivery:?}");
        assert!(printed.starts_with("Delivery") && printed.contains("queue_lines"), "{printed}");
        let printed = std::format!("{:?}", delivery.view());
        assert!(
            printed.starts_with("View") && printed.contains("lanes") && !printed.contains("108, 105, 110"),
            "{printed}"
        );
    }

    #[test]
    fn every_refusal_says_something_of_its_own() {
        let all = [Refused::Full, Refused::StoreFull, Refused::TooLarge, Refused::Closed, Refused::NoLane];
        let texts: BTreeSet<_> = all.map(Refused::as_str).into_iter().collect();
        assert_eq!(texts.len(), all.len());
        // Words, as they are part of other sentences.
        assert!(texts.iter().all(|text| text.split(' ').count() > 3 && !text.ends_with('.')));
        assert!(all.iter().all(|refused| refused.to_string() == refused.as_str()));
    }
}
