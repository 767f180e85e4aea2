//! Where producers and the driver find the queue.

use core::cell::RefCell;

use crate::delivery::{Buf, Delivery, Encoded, Intake, Lane, Refused, Slot, View};
use crate::line::{Full, Slice};
use crate::{Encode, EncodeError, InvalidInput, Kind, Rules};

/// A way to a queue that others may use too.
///
/// Implemented by the queue itself, for who has it alone, and by `&RefCell` of it, for tasks that take turns. For
/// interrupts see [the module](super#interrupts-and-other-tasks).
pub trait Access {
    /// What segments are made of.
    type Buf: Buf;

    /// Does `work` with the queue, which nobody else has meanwhile. It neither waits nor does I/O.
    ///
    /// `None`, with nothing done: somebody has the queue who cannot give it back before we return.
    fn with<R>(&mut self, work: impl FnOnce(&mut View<'_, Self::Buf>) -> R) -> Option<R>;

    /// Queues the lines of `datum`, and those of its companion (a span's logs). They are encoded in `scratch`, which
    /// must have room for all of them, before the queue is asked for.
    ///
    /// # Errors
    /// [`Unsent`] says what was not queued and why, and whether the ledger has it.
    fn send<D: Encode>(&mut self, datum: &D, rules: &Rules<'_>, scratch: &mut [u8]) -> Result<(), Unsent>
    where
        Self: Sized,
    {
        send(self, datum, rules, scratch, |queue, kind, lines, count| push(queue, kind, lines, count, 0)).map(|_| ())
    }

    /// As [`send`](Self::send), but with a tag (not 0) ahead of the queue and in batches of their own that carry it,
    /// for who waits for what becomes of them ([`Watch`](crate::delivery::Watch)). Returns how many lines that were.
    ///
    /// # Errors
    /// As there.
    fn send_tagged<D: Encode>(
        &mut self,
        datum: &D,
        rules: &Rules<'_>,
        scratch: &mut [u8],
        tag: u32,
    ) -> Result<u32, Unsent>
    where
        Self: Sized,
    {
        send(self, datum, rules, scratch, |queue, kind, lines, count| push(queue, kind, lines, count, tag))
    }

    /// Queues a datum that was [encoded](Encoded::of), whose lines are all that is in `lines`: with a tag as
    /// [`send_tagged`](Self::send_tagged) does, with 0 as [`send`](Self::send) does. Returns how many lines that were.
    ///
    /// # Errors
    /// [`Unsent::Refused`] and [`Unsent::Busy`].
    fn push_encoded(&mut self, encoded: &Encoded, lines: &[u8], tag: u32) -> Result<u32, Unsent>
    where
        Self: Sized,
    {
        let push = |queue: &mut Self, kind, lines: &_, count| push(queue, kind, lines, count, tag);
        encoded.queue(lines, &mut ByAccess { queue: self, push }).map_err(refused)
    }

    /// Queues `count` whole lines of `kind`, each ended by its LF, as [`View::push`] does; 0 lines, as of a delta
    /// counter that has nothing to add, count as skipped.
    ///
    /// # Errors
    /// [`Unsent::Refused`] and [`Unsent::Busy`].
    fn push(&mut self, kind: Kind, lines: &[u8], count: u32) -> Result<(), Unsent> {
        push(self, kind, lines, count, 0).map_err(refused)
    }
}

/// [`Access::push`], or with a tag (not 0) ahead of the queue. No reason: the queue is in use.
fn push<Q: Access + ?Sized>(
    queue: &mut Q,
    kind: Kind,
    lines: &[u8],
    count: u32,
    tag: u32,
) -> Result<(), Option<Refused>> {
    let pushed = queue.with(|queue| {
        if count == 0 {
            queue.note(kind, 0, 1);
        }
        queue.push_tagged(kind, lines, count, tag)
    });
    pushed.ok_or(None)?.map_err(Some)
}

fn refused(why: Option<Refused>) -> Unsent {
    why.map_or(Unsent::Busy, Unsent::Refused)
}

/// [`Access::send`], and how many lines were queued. `push` is another type for each type of data: so the compiler
/// knows what the datum is, and what it is not.
fn send<Q: Access>(
    queue: &mut Q,
    datum: &dyn Datum,
    rules: &Rules<'_>,
    scratch: &mut [u8],
    push: impl Fn(&mut Q, Kind, &[u8], u32) -> Result<(), Option<Refused>>,
) -> Result<u32, Unsent> {
    let mut slice = Slice::new(scratch);
    match Encoded::of(datum, Part::All, rules, &mut slice) {
        Ok(encoded) => encoded.queue(slice.as_bytes(), &mut ByAccess { queue, push }).map_err(refused),
        Err(EncodeError::Full(full)) => Err(Unsent::Scratch(full)),
        Err(EncodeError::Invalid(invalid)) => {
            queue.with(|view| view.note(datum.kind(), 1, 0));
            Err(Unsent::Invalid(invalid))
        }
    }
}

/// [`Encode`] of data of any type, to a slice.
pub trait Datum {
    /// See [`Encode::kind`].
    fn kind(&self) -> Kind;

    /// See [`Encode::encode_compact`].
    ///
    /// # Errors
    /// As there.
    fn encode(&self, rules: &Rules<'_>, lines: &mut Slice<'_>) -> Result<u32, EncodeError<Full>>;

    /// See [`Encode::encode_companion_compact`].
    ///
    /// # Errors
    /// As there.
    fn encode_companion(&self, rules: &Rules<'_>, lines: &mut Slice<'_>) -> Result<Option<Kind>, EncodeError<Full>>;
}

impl<D: Encode> Datum for D {
    fn kind(&self) -> Kind {
        Encode::kind(self)
    }

    fn encode(&self, rules: &Rules<'_>, lines: &mut Slice<'_>) -> Result<u32, EncodeError<Full>> {
        self.encode_compact(rules, lines)
    }

    fn encode_companion(&self, rules: &Rules<'_>, lines: &mut Slice<'_>) -> Result<Option<Kind>, EncodeError<Full>> {
        self.encode_companion_compact(rules, lines)
    }
}

/// What is encoded of a datum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Its lines, and the line of its companion behind them.
    All,
    /// Its lines.
    Own,
    /// The line of its companion.
    Companion,
}

impl Encoded {
    /// Encodes a part of `datum`, by code that is in a program once for data of all types.
    ///
    /// # Errors
    /// As [`Encode::encode`].
    #[inline(always)]
    pub fn of(
        datum: &dyn Datum,
        part: Part,
        rules: &Rules<'_>,
        slice: &mut Slice<'_>,
    ) -> Result<Self, EncodeError<Full>> {
        let lines = if part == Part::Companion { 0 } else { datum.encode(rules, slice)? };
        let end = slice.len();
        let companion = if part == Part::Own { None } else { datum.encode_companion(rules, slice)? };
        Ok(Self { kind: datum.kind(), lines, end, companion })
    }
}

/// A queue as the place where lines are queued.
struct ByAccess<'a, Q, P> {
    queue: &'a mut Q,
    push: P,
}

impl<Q: Access, P: Fn(&mut Q, Kind, &[u8], u32) -> Result<(), Option<Refused>>> Intake for ByAccess<'_, Q, P> {
    type Error = Option<Refused>;

    fn push(&mut self, kind: Kind, lines: &[u8], count: u32) -> Result<(), Option<Refused>> {
        (self.push)(self.queue, kind, lines, count)
    }

    fn refuse(&mut self, kind: Kind) {
        self.queue.with(|view| view.refuse(kind, 1));
    }

    fn is_full(error: &Option<Refused>) -> bool {
        matches!(error, Some(Refused::Full | Refused::StoreFull))
    }
}

/// Why a datum was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Unsent {
    /// The datum cannot be said in a line that the receiver takes. Counted as invalid.
    Invalid(InvalidInput),
    /// The scratch has no room for its lines. Not counted.
    Scratch(Full),
    /// The queue did not take the lines; [`Refused`] says what is counted.
    Refused(Refused),
    /// Somebody else has the queue ([`Access::with`]). Not counted.
    Busy,
}

impl core::fmt::Display for Unsent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::Scratch(full) => full.fmt(f),
            Self::Refused(refused) => refused.fmt(f),
            Self::Busy => f.write_str("the queue is in use"),
        }
    }
}

impl core::error::Error for Unsent {}

impl<B: Buf, S: AsMut<[Slot<B>]>, L: AsMut<[Lane<B::Scale>]>> Access for Delivery<B, S, L> {
    type Buf = B;

    fn with<R>(&mut self, work: impl FnOnce(&mut View<'_, B>) -> R) -> Option<R> {
        Some(work(&mut self.view()))
    }
}

impl<B: Buf, S: AsMut<[Slot<B>]>, L: AsMut<[Lane<B::Scale>]>> Access for &RefCell<Delivery<B, S, L>> {
    type Buf = B;

    fn with<R>(&mut self, work: impl FnOnce(&mut View<'_, B>) -> R) -> Option<R> {
        Some(work(&mut self.try_borrow_mut().ok()?.view()))
    }
}
