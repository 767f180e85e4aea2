//! Segments: buffers of whole lines, the slots that keep their place, and the tokens that carry them out.

use super::backoff::{Millis, Moment, Pass};
use super::scale::{Initial, Large, Part, Parts, Scale, Size, Small};
use crate::Kind;
use crate::transport::Batch;

/// The memory of a segment: `&'static mut [u8]` or an array on a microcontroller, `Box<[u8]>` on a server.
pub trait Buf: AsRef<[u8]> + AsMut<[u8]> + Sized {
    /// How much a queue of such segments keeps account of.
    type Scale: Scale;

    /// A new buffer of `size` bytes, where buffers can be made.
    fn make(size: usize) -> Option<Self> {
        let _ = size;
        None
    }

    /// A copy of the first `len` bytes, where buffers can be made.
    fn copy(&self, len: usize) -> Option<Self> {
        let _ = len;
        None
    }
}

impl Buf for &mut [u8] {
    type Scale = Small;
}

impl<const N: usize> Buf for [u8; N] {
    type Scale = Small;
}

#[cfg(feature = "alloc")]
impl Buf for alloc::boxed::Box<[u8]> {
    type Scale = Large;

    fn make(size: usize) -> Option<Self> {
        Some(alloc::vec![0; size].into_boxed_slice())
    }

    fn copy(&self, len: usize) -> Option<Self> {
        Some(self.get(..len)?.into())
    }
}

/// A buffer for a queue that is [`Large`] whatever the buffer is: on a microcontroller with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stored<B>(pub B);

impl<B: AsRef<[u8]>> AsRef<[u8]> for Stored<B> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

impl<B: AsMut<[u8]>> AsMut<[u8]> for Stored<B> {
    fn as_mut(&mut self) -> &mut [u8] {
        self.0.as_mut()
    }
}

impl<B: Buf> Buf for Stored<B> {
    type Scale = Large;

    fn make(size: usize) -> Option<Self> {
        B::make(size).map(Self)
    }

    fn copy(&self, len: usize) -> Option<Self> {
        self.0.copy(len).map(Self)
    }
}

/// No slot.
pub(super) const NONE: u16 = u16::MAX;

/// Where a slot's lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nowhere: the slot is on the free list.
    Free,
    /// In the slot's buffer.
    Ready,
    /// In a token.
    Out,
    /// In a token, and the connection that took the held ones was lost meanwhile.
    Lost,
    /// In a token whose lines were given up meanwhile.
    Abandoned,
    /// On their way into the store; the slot keeps its place.
    Storing,
    /// On their way out of the store; the slot has no place yet.
    Loading,
    /// Settled, but the store still has the record.
    Done,
}

type Length<B> = <<B as Buf>::Scale as Parts>::Size;

/// A segment's place in its lane, with its buffer when that is not out.
///
/// From `start` the buffer holds, in this order: `held` bytes that are written but not confirmed, then bytes that wait
/// or are out, up to `len`. While they are out, a copy may stay in case the store has to take it.
pub struct Slot<B: Buf> {
    pub(super) buf: Option<B>,
    /// The number of the line at `start`, counted a lane.
    pub(super) first: u32,
    /// How much its route had written in all when the last held byte was.
    pub(super) mark: u32,
    /// Whom to tell of the outcome; 0 is nobody.
    pub(super) tag: u32,
    /// When the last of the held bytes were written or acknowledged.
    pub(super) since: Moment,
    pub(super) record: <B::Scale as Parts>::Extra<Record>,
    len: Length<B>,
    start: Length<B>,
    held: Length<B>,
    lines: Length<B>,
    held_lines: Length<B>,
    acked: Length<B>,
    tried: Length<B>,
    window: Length<B>,
    pub(super) next: u16,
    pub(super) state: State,
    pub(super) urgent: bool,
}

/// What the store has of a segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    /// The record's key; 0 is none.
    pub(super) key: u32,
    /// How many bytes the record has: those at the end of the segment. 0 until it is durable.
    pub(super) bytes: u32,
}

impl Initial for Record {
    const INITIAL: Self = Self { key: 0, bytes: 0 };
}

impl<B: Buf> Slot<B> {
    /// A free slot with its buffer.
    pub const fn new(buf: B) -> Self {
        Self::with(Some(buf))
    }

    /// A free slot whose buffer will come with the first segment handed over.
    pub const fn empty() -> Self {
        Self::with(None)
    }

    const fn with(buf: Option<B>) -> Self {
        Self {
            buf,
            first: 0,
            mark: 0,
            tag: 0,
            since: Moment::of(Millis(0)),
            record: Part::INITIAL,
            len: Size::ZERO,
            start: Size::ZERO,
            held: Size::ZERO,
            lines: Size::ZERO,
            held_lines: Size::ZERO,
            acked: Size::ZERO,
            tried: Size::ZERO,
            window: Size::ZERO,
            next: NONE,
            state: State::Free,
            urgent: false,
        }
    }

    /// Makes it an empty segment whose first line will be number `first`.
    pub(super) fn begin(&mut self, first: u32) {
        *self = Self { first, state: State::Ready, ..Self::with(self.buf.take()) };
    }

    /// Its buffer has `lines` whole lines in the first `len` bytes.
    pub(super) fn fill(&mut self, len: u32, lines: u32) {
        (self.len, self.lines) = (Size::of(len), Size::of(lines));
    }

    pub(super) fn len(&self) -> u32 {
        self.len.get()
    }

    /// Where the bytes begin that are not settled.
    pub(super) fn start(&self) -> u32 {
        self.start.get()
    }

    pub(super) fn held(&self) -> u32 {
        self.held.get()
    }

    /// Lines from `start`: held, out and waiting.
    pub(super) fn lines(&self) -> u32 {
        self.lines.get()
    }

    pub(super) fn held_lines(&self) -> u32 {
        self.held_lines.get()
    }

    /// Of the held bytes, those that the peer's kernel has acknowledged. A segment with others is not released.
    pub(super) fn acked(&self) -> u32 {
        self.acked.get()
    }

    pub(super) fn acknowledge(&mut self, acked: u32) {
        self.acked = Size::of(acked.min(self.held()));
    }

    /// Lines from `start` that were out before, and may have arrived.
    pub(super) fn tried(&self) -> u32 {
        self.tried.get()
    }

    pub(super) fn set_tried(&mut self, lines: u32) {
        self.tried = Size::of(lines);
    }

    /// The most lines of the next batch: less than there are once the receiver found it too large.
    pub(super) fn window(&self) -> u32 {
        match self.window.get() {
            0 => u32::MAX,
            window => window,
        }
    }

    /// At most so many lines are sent together from now on.
    pub(super) fn narrow(&mut self, lines: u32) {
        self.window = Size::of(self.window().min(lines));
    }

    /// The key of its record in the store; 0 is none.
    pub(super) fn key(&self) -> u32 {
        self.record.get().map_or(0, |record| record.key)
    }

    /// How many bytes at its end the store has.
    pub(super) fn recorded(&self) -> u32 {
        self.record.get().map_or(0, |record| record.bytes)
    }

    pub(super) fn forget_key(&mut self) {
        if let Some(record) = self.record.get_mut() {
            record.key = 0;
        }
    }

    /// Lines that still have to be sent.
    pub(super) fn waiting(&self) -> u32 {
        match self.state {
            State::Ready => self.lines().saturating_sub(self.held_lines()),
            _ => 0,
        }
    }

    /// Whether the store has all of its lines that are not written, perhaps more.
    pub(super) fn is_durable(&self) -> bool {
        self.recorded() > 0 && self.recorded() >= self.waiting_bytes()
    }

    /// Whether the store has just what is here, so that the slot can be given away.
    pub(super) fn is_spare(&self) -> bool {
        let same = self.held() == 0 && self.recorded() == self.waiting_bytes();
        self.state == State::Ready && self.tag == 0 && self.recorded() > 0 && same
    }

    /// Whether the peer's kernel has everything that is held.
    pub(super) fn is_acked(&self) -> bool {
        self.acked() >= self.held()
    }

    /// Whether others wrote to the route since the last held byte, which is not acknowledged: one mark could not tell
    /// then how much of a longer run is.
    pub(super) fn waits_for_ack(&self, written: u32) -> bool {
        !self.is_acked() && self.mark != written
    }

    /// How many of the next `lines` lines may have arrived before.
    pub(super) fn again(&self, lines: u32) -> u32 {
        self.tried().saturating_sub(self.held_lines()).min(lines)
    }

    pub(super) fn waiting_bytes(&self) -> u32 {
        self.len().saturating_sub(self.start()).saturating_sub(self.held())
    }

    /// The next `lines` lines in `bytes` bytes are written.
    pub(super) fn hold(&mut self, lines: u32, bytes: u32) {
        self.held = Size::of(self.held().saturating_add(bytes));
        self.held_lines = Size::of(self.held_lines().saturating_add(lines));
    }

    /// What is written waits again.
    pub(super) fn hold_no_longer(&mut self) {
        self.set_tried(self.tried().max(self.held_lines()));
        (self.held, self.held_lines, self.acked) = (Size::ZERO, Size::ZERO, Size::ZERO);
    }

    /// `lines` lines in `bytes` bytes at the front are settled.
    pub(super) fn settle(&mut self, lines: u32, bytes: u32) {
        self.start = Size::of(self.start().saturating_add(bytes));
        self.acked = Size::of(self.acked().saturating_sub(bytes));
        self.lines = Size::of(self.lines().saturating_sub(lines));
        self.tried = Size::of(self.tried().saturating_sub(lines));
        self.first = self.first.wrapping_add(lines);
    }

    /// As [`settle`](Self::settle), of lines that were held.
    pub(super) fn settle_held(&mut self, lines: u32, bytes: u32) {
        self.settle(lines, bytes);
        self.held = Size::of(self.held().saturating_sub(bytes));
        self.held_lines = Size::of(self.held_lines().saturating_sub(lines));
    }

    /// Its lines are no business of the slot any more.
    pub(super) fn let_go(&mut self) {
        (self.lines, self.held, self.held_lines) = (Size::ZERO, Size::ZERO, Size::ZERO);
        self.forget_key();
    }

    /// Appends whole lines, or says no.
    pub(super) fn append(&mut self, bytes: &[u8], lines: u32) -> bool {
        let most = <Length<B> as Size>::MOST;
        let Some(len) = u32::try_from(bytes.len()).ok().and_then(|more| self.len().checked_add(more)) else {
            return false;
        };
        let Some(lines) = self.lines().checked_add(lines).filter(|lines| len.max(*lines) <= most) else { return false };
        let from = self.len() as usize;
        let Some(room) = self.buf.as_mut().and_then(|buf| buf.as_mut().get_mut(from..)) else { return false };
        // Two steps, each with its own check: a range index leaves a panic behind.
        let Some(room) = room.get_mut(..bytes.len()) else { return false };
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.fill(len, lines);
        true
    }

    /// The bytes and lines that are acknowledged, at the front: of a line whose last byte is not, nothing counts. Where
    /// the buffer is out, all or none of them.
    pub(super) fn acked_part(&self) -> (u32, u32) {
        match &self.buf {
            _ if self.is_acked() => (self.held(), self.held_lines()),
            None => (0, 0),
            Some(buf) => {
                let held = slice(buf.as_ref(), self.start() as usize, self.held() as usize);
                Cut { lines: u32::MAX, bytes: self.acked() as usize }.of(held, self.held_lines())
            }
        }
    }

    /// The bytes that wait.
    pub(super) fn rest(&self) -> &[u8] {
        let from = self.start().saturating_add(self.held()) as usize;
        slice(self.buf.as_ref().map_or(&[], AsRef::as_ref), from, self.waiting_bytes() as usize)
    }
}

fn slice(bytes: &[u8], from: usize, len: usize) -> &[u8] {
    bytes.get(from..).and_then(|rest| rest.get(..len)).unwrap_or(&[])
}

/// The most that a batch may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Lines.
    pub lines: u32,
    /// Bytes.
    pub bytes: usize,
}

impl Cut {
    /// A whole segment.
    pub const NONE: Self = Self { lines: u32::MAX, bytes: usize::MAX };

    /// Whether the first line of `bytes` fits.
    pub(super) fn takes_one_of(self, bytes: &[u8]) -> bool {
        self.lines > 0
            && (bytes.len() <= self.bytes
                || bytes.split_inclusive(|&byte| byte == b'\n').next().is_some_and(|line| line.len() <= self.bytes))
    }

    /// How many bytes and lines of `bytes`, which holds `lines` whole lines, fit.
    ///
    /// Lines that are counted but have no bytes, for want of an LF, fit too: a wrong count must not block a queue.
    pub(super) fn of(self, bytes: &[u8], lines: u32) -> (u32, u32) {
        if lines <= self.lines && bytes.len() <= self.bytes {
            return (bytes.len() as u32, lines);
        }
        if bytes.is_empty() {
            return (0, self.lines);
        }
        let (mut end, mut taken) = (0, 0);
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            if taken == self.lines.min(lines) || end + line.len() > self.bytes {
                break;
            }
            end += line.len();
            taken += 1;
        }
        (end as u32, taken)
    }
}

/// A batch on its way: its lines, moved out of the queue, and the place they come back to.
///
/// Hand it to [`Delivery::outcome`](super::Delivery::outcome) of the delivery it came from, exactly once. A token that
/// is lost blocks its lines for ever, so drivers keep it where no future or thread can die with it.
#[must_use = "a token that does not come back blocks its lines for ever"]
pub struct InFlight<B> {
    pub(super) buf: B,
    pub(super) from: u32,
    pub(super) bytes: u32,
    pub(super) lines: u32,
    pub(super) kind: Kind,
    pub(super) lane: u8,
    pub(super) slot: u16,
    pub(super) tag: u32,
    pub(super) route_pass: Pass,
    pub(super) lane_pass: Pass,
}

impl<B> InFlight<B> {
    /// The kind of every line.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// How many lines there are.
    pub const fn lines(&self) -> u32 {
        self.lines
    }

    /// The tag it was pushed with by [`View::push_urgent`](super::View::push_urgent); 0 if it was pushed otherwise.
    pub const fn tag(&self) -> u32 {
        self.tag
    }
}

impl<B: AsRef<[u8]>> InFlight<B> {
    /// The lines, for a transport.
    pub fn batch(&self) -> Batch<'_> {
        Batch::new(self.kind, slice(self.buf.as_ref(), self.from as usize, self.bytes as usize), self.lines)
    }
}

// What is printed for debugging never shows lines.
impl<B: Buf> core::fmt::Debug for Slot<B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Slot").field("state", &self.state).field("lines", &self.lines()).finish_non_exhaustive()
    }
}

impl<B> core::fmt::Debug for InFlight<B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { kind, lines, bytes, tag, .. } = self;
        let mut f = f.debug_struct("InFlight");
        f.field("kind", kind).field("lines", lines).field("bytes", bytes).field("tag", tag).finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<B> defmt::Format for InFlight<B> {
    fn format(&self, f: defmt::Formatter<'_>) {
        let Self { kind, lines, bytes, tag, .. } = self;
        defmt::write!(f, "InFlight {{ kind: {}, lines: {}, bytes: {}, tag: {} }}", kind, lines, bytes, tag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_takes_whole_lines_only() {
        let text = b"aa\nbbb\nc\n";
        let cut = |lines, bytes| Cut { lines, bytes }.of(text, 3);
        assert_eq!(cut(3, 9), (9, 3));
        assert_eq!(cut(2, 9), (7, 2));
        assert_eq!(cut(9, 8), (7, 2));
        assert_eq!(cut(9, 6), (3, 1));
        assert_eq!(cut(9, 2), (0, 0), "a line that does not fit is not cut");
        assert_eq!(Cut::NONE.of(text, 3), (9, 3));
    }

    #[test]
    fn append_is_all_or_nothing() {
        let mut slot = Slot::new([0_u8; 8]);
        slot.begin(0);
        assert!(slot.append(b"abc\n", 1));
        assert!(!slot.append(b"defg\n", 1));
        assert!(slot.append(b"def\n", 1));
        assert!(!slot.append(b"\n", 1));
        assert_eq!((slot.rest(), slot.lines()), (b"abc\ndef\n".as_slice(), 2));
        slot.settle(1, 4);
        assert_eq!((slot.rest(), slot.lines(), slot.first), (b"def\n".as_slice(), 1, 1));
    }
}
