//! How much a queue can count and what it has to know, decided by what its segments are made of. The logic is the same
//! for all; a part that a queue has no use for takes no memory, and the code that only looks after it is not linked.

use core::fmt::Debug;
use core::ops::{Deref, DerefMut};

use super::backoff::Gate;
use super::ledger::{Columns, Full, Narrow};

/// What a queue keeps account of: [`Large`] or [`Small`]. [`Buf::Scale`](super::Buf::Scale) says which.
#[expect(private_bounds)]
pub trait Scale: Parts {}

/// Several connections, producers who fill segments of their own, and a store: the scale of `Box<[u8]>` and of
/// [`Stored`](super::Stored).
#[derive(Debug)]
pub struct Large(());

/// One connection and nothing of the rest: the scale of arrays and of `&mut [u8]`.
///
/// A segment has up to 65,535 bytes, of a larger buffer the rest is not used; and there are up to 65,535 lines of a
/// kind that are not settled.
#[derive(Debug)]
pub struct Small(());

impl Scale for Large {}

impl Scale for Small {}

/// The parts of a queue that depend on its scale.
pub(super) trait Parts {
    /// A number of bytes or lines in one segment.
    type Size: Size;
    /// A row of the ledger.
    type Row: Columns;
    /// The driver's connections.
    type Routes: AsRef<[Route]> + AsMut<[Route]>;
    /// What only a large queue has.
    type Extra<T: Initial>: Part<T>;

    const ROUTES: Self::Routes;
}

impl Parts for Large {
    type Size = u32;
    type Row = Full;
    type Routes = [Route; 3];
    type Extra<T: Initial> = With<T>;

    const ROUTES: [Route; 3] = [Route::NEW; 3];
}

impl Parts for Small {
    type Size = u16;
    type Row = Narrow;
    type Routes = [Route; 1];
    type Extra<T: Initial> = Without;

    const ROUTES: [Route; 1] = [Route::NEW];
}

/// One of the driver's connections.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) gate: Gate,
    /// Bytes that it has written in all, wrapping around.
    pub(super) written: u32,
}

impl Route {
    const NEW: Self = Self { gate: Gate::OPEN, written: 0 };
}

/// A number that is kept in as few bytes as its range needs.
pub(super) trait Size: Copy + Default {
    /// The largest.
    const MOST: u32;
    /// None.
    const ZERO: Self;

    /// As near to `number` as there is one.
    fn of(number: u32) -> Self;

    fn get(self) -> u32;
}

impl Size for u32 {
    const MOST: u32 = Self::MAX;
    const ZERO: Self = 0;

    fn of(number: u32) -> Self {
        number
    }

    fn get(self) -> u32 {
        self
    }
}

impl Size for u16 {
    const MOST: u32 = Self::MAX as u32;
    const ZERO: Self = 0;

    fn of(number: u32) -> Self {
        Self::try_from(number).unwrap_or(Self::MAX)
    }

    fn get(self) -> u32 {
        self.into()
    }
}

/// What something is at the beginning.
pub(super) trait Initial: Debug + 'static {
    const INITIAL: Self;
}

impl Initial for usize {
    const INITIAL: Self = 0;
}

impl Initial for u8 {
    const INITIAL: Self = 0;
}

/// A part that is there, or not: this is known when the program is compiled.
pub(super) trait Part<T>: Debug {
    const INITIAL: Self;

    fn get(&self) -> Option<&T>;

    fn get_mut(&mut self) -> Option<&mut T>;
}

#[derive(Debug)]
pub(super) struct With<T>(T);

#[derive(Debug)]
pub(super) struct Without;

impl<T> With<T> {
    pub(super) const fn new(part: T) -> Self {
        Self(part)
    }
}

impl<T: Initial> Part<T> for With<T> {
    const INITIAL: Self = Self(T::INITIAL);

    fn get(&self) -> Option<&T> {
        Some(&self.0)
    }

    fn get_mut(&mut self) -> Option<&mut T> {
        Some(&mut self.0)
    }
}

impl<T> Part<T> for Without {
    const INITIAL: Self = Self;

    fn get(&self) -> Option<&T> {
        None
    }

    fn get_mut(&mut self) -> Option<&mut T> {
        None
    }
}

impl<T> Deref for With<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for With<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
