//! Where producers write: a few stripes, each with a segment a kind of its own, so that threads seldom meet and the
//! delivery's lock is taken about once in a thousand lines.
//!
//! Locks are always taken in the order stripe, then delivery. Nothing is encoded and no I/O is done under either.

use std::boxed::Box;
use std::sync::{PoisonError, TryLockError};

use super::hub::{Hub, lock};
use super::sync::{Mutex, MutexGuard, own_number, producers, spin_loop};
use crate::Kind;
use crate::delivery::{Buf, Lease, Refused};

/// A producer's segment: a buffer, and the room in the queue that was promised for what it will hold.
#[derive(Debug, Default)]
struct Open {
    buf: Option<Box<[u8]>>,
    len: usize,
    lines: usize,
    lease: Lease,
}

impl Open {
    /// Appends whole lines where buffer and lease have room for them.
    fn append(&mut self, bytes: &[u8], lines: u32) -> bool {
        let end = self.len + bytes.len();
        let count = self.lines + lines as usize;
        if end > self.lease.bytes || count > self.lease.lines {
            return false;
        }
        let Some(room) = self.buf.as_mut().and_then(|buf| buf.get_mut(self.len..end)) else { return false };
        room.copy_from_slice(bytes);
        self.len = end;
        self.lines = count;
        true
    }

    /// Hands the lines over to the queue and keeps an empty buffer.
    fn hand_over(&mut self, kind: Kind, hub: &mut Hub) {
        let lease = core::mem::take(&mut self.lease);
        let (len, lines) = (core::mem::take(&mut self.len), core::mem::take(&mut self.lines) as u32);
        let mut view = hub.delivery.view();
        let Some(buf) = self.buf.take() else { return view.give_back(kind, lease) };
        if lines == 0 {
            view.give_back(kind, lease);
            self.buf = Some(buf);
        } else if len < buf.len() / 2 {
            // Copied: small leftovers share a segment. Where they find no room, the ledger has them as dropped.
            let _ = view.deposit(kind, buf.get(..len).unwrap_or_default(), lines, lease);
            self.buf = Some(buf);
        } else {
            self.buf = match view.adopt(kind, buf, len, lines, lease) {
                Ok(spare) => spare,
                Err(buf) => Some(buf),
            };
        }
    }
}

type Stripe = Mutex<[Open; Kind::COUNT]>;

/// All stripes of a sender.
#[derive(Debug)]
pub(super) struct Stripes {
    stripes: Box<[Stripe]>,
    segment: usize,
    /// The most lines a stripe asks for at once: a share, so that one stripe does not keep the others from a small
    /// queue.
    share: usize,
    /// Lines of a full batch.
    batch: usize,
    /// The process that made the sender.
    pid: u32,
}

/// Why a stripe took nothing.
pub(super) enum Full {
    /// There is no room, even after all stripes were swept. Nothing was counted.
    NoRoom,
    Refused(Refused),
    /// This process is a fork of the one that made the sender.
    Forked,
}

impl Stripes {
    pub(super) fn new(segment: usize, queue_lines: usize, batch_lines: usize) -> Self {
        // A power of two, so that no thread has to divide for its place.
        let count = producers().clamp(1, 8).next_power_of_two();
        let stripes = (0..count).map(|_| Stripe::default()).collect();
        Self {
            stripes,
            segment,
            share: (queue_lines / 16).clamp(1, batch_lines),
            batch: batch_lines,
            pid: std::process::id(),
        }
    }

    /// Whether this process is a fork of the one that made the sender.
    pub(super) fn forked(&self) -> bool {
        std::process::id() != self.pid
    }

    /// Locks a stripe, unless its holder may be a thread that a fork has left behind.
    fn hold_here<'a>(&self, stripe: &'a Stripe) -> Option<MutexGuard<'a, [Open; Kind::COUNT]>> {
        // Who holds a stripe copies one line: it is free again before a system call would be back.
        for _ in 0..32 {
            match stripe.try_lock() {
                Ok(opens) => return Some(opens),
                Err(TryLockError::Poisoned(opens)) => return Some(opens.into_inner()),
                Err(TryLockError::WouldBlock) => spin_loop(),
            }
        }
        (!self.forked()).then(|| hold(stripe))
    }

    pub(super) fn count(&self) -> usize {
        self.stripes.len()
    }

    /// The stripe of the calling thread.
    #[inline(always)]
    fn own(&self) -> Option<&Stripe> {
        self.stripes.get(own_number() & self.stripes.len().wrapping_sub(1))
    }

    /// Puts lines behind those of an open segment, if nothing else is to be done and nobody else is at it: so it is
    /// with nearly all lines.
    #[inline(always)]
    pub(super) fn append(&self, kind: Kind, bytes: &[u8], lines: u32) -> bool {
        let Some(Ok(mut opens)) = self.own().map(Stripe::try_lock) else { return false };
        let Some(open) = opens.get_mut(kind.index()) else { return false };
        lines > 0 && open.lines + (lines as usize) < self.batch && open.append(bytes, lines)
    }

    /// Queues `lines` whole lines. Order is kept for each thread and kind. `true`: a segment was handed over for which
    /// somebody has to be woken.
    pub(super) fn push(&self, hub: &Mutex<Hub>, kind: Kind, bytes: &[u8], lines: u32) -> Result<bool, Full> {
        let Some(stripe) = self.own() else { return Err(Full::NoRoom) };
        match self.push_to(stripe, hub, kind, bytes, lines) {
            // The room may be promised to other stripes that make no use of it.
            Err(Full::NoRoom) => {
                self.sweep(hub);
                self.push_to(stripe, hub, kind, bytes, lines)
            }
            other => other,
        }
    }

    fn push_to(&self, stripe: &Stripe, hub: &Mutex<Hub>, kind: Kind, bytes: &[u8], lines: u32) -> Result<bool, Full> {
        let Some(mut opens) = self.hold_here(stripe) else { return Err(Full::Forked) };
        let Some(open) = opens.get_mut(kind.index()) else { return Err(Full::NoRoom) };
        if open.append(bytes, lines) {
            return self.hand_over_full(open, kind, hub);
        }
        if bytes.len() > self.segment {
            return Err(Full::Refused(Refused::TooLarge));
        }
        if self.forked() {
            return Err(Full::Forked);
        }
        let mut locked = lock(hub);
        let handed_over = open.lines > 0;
        open.hand_over(kind, &mut locked);
        let wakes = handed_over && locked.must_be_woken(kind);
        let wish = Lease { lines: self.share.max(lines as usize), bytes: self.segment };
        let least = Lease { lines: lines as usize, bytes: bytes.len() };
        open.lease = match locked.delivery.view().lease(kind, wish, least) {
            Ok(lease) => lease,
            Err(Refused::Full) => return Err(Full::NoRoom),
            Err(refused) => return Err(Full::Refused(refused)),
        };
        drop(locked);
        if open.buf.is_none() {
            open.buf = Box::make(self.segment);
        }
        if !open.append(bytes, lines) {
            return Err(Full::Refused(Refused::TooLarge));
        }
        Ok(self.hand_over_full(open, kind, hub)? || wakes)
    }

    /// A full batch does not wait for the line after it.
    fn hand_over_full(&self, open: &mut Open, kind: Kind, hub: &Mutex<Hub>) -> Result<bool, Full> {
        if open.lines < self.batch {
            return Ok(false);
        }
        if self.forked() {
            return Err(Full::Forked);
        }
        let mut hub = lock(hub);
        open.hand_over(kind, &mut hub);
        Ok(hub.must_be_woken(kind))
    }

    /// Hands over what all stripes hold.
    pub(super) fn sweep(&self, hub: &Mutex<Hub>) {
        for stripe in &self.stripes {
            let mut opens = hold(stripe);
            if opens.iter().all(|open| open.lease == Lease::default()) {
                continue;
            }
            let mut hub = lock(hub);
            for (kind, open) in Kind::ALL.into_iter().zip(opens.iter_mut()) {
                if open.lease != Lease::default() {
                    open.hand_over(kind, &mut hub);
                }
            }
        }
    }

    /// Calls `look` with the lines that stripes hold, kind by kind, while nothing can move.
    pub(super) fn frozen<R>(&self, look: impl FnOnce([usize; Kind::COUNT]) -> R) -> R {
        let held: std::vec::Vec<_> = self.stripes.iter().map(hold).collect();
        let mut lines = [0; Kind::COUNT];
        for opens in &held {
            for (sum, open) in lines.iter_mut().zip(opens.iter()) {
                *sum += open.lines;
            }
        }
        look(lines)
    }
}

/// The data behind the lock are whole at every point where a panic could leave them.
fn hold(stripe: &Stripe) -> MutexGuard<'_, [Open; Kind::COUNT]> {
    stripe.lock().unwrap_or_else(PoisonError::into_inner)
}
