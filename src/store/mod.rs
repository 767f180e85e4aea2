//! Where batches outlive the process: the trait a store implements. What goes into it, when, in which order and
//! within which bounds is decided once, for every store, by [`delivery::Spool`](crate::delivery::Spool).
//!
//! A store keeps *records*: the lines of one batch, of one [`Kind`], under a key that the spool chooses. It knows
//! nothing of order, caps or ages, and need not: a directory, a flash chip and a browser's database implement the same
//! four functions, and pass the same conformance suite.
//!
//! | store | keeps records in | feature |
//! |---|---|---|
//! | `Directory` | files | `spool` |
//! | `Flash` | NOR flash | `flash` |
//! | `MemoryStore` | memory, for tests | `std` |

#[cfg(feature = "std")]
pub mod conformance;
#[cfg(feature = "spool")]
mod directory;
#[cfg(feature = "flash")]
mod flash;
#[cfg(feature = "std")]
mod memory;

#[cfg(feature = "spool")]
pub use directory::{Directory, DirectoryError};
#[cfg(feature = "flash")]
pub use flash::{Blocking, Flash, FlashError, FlashRangeError};
#[cfg(feature = "std")]
pub use memory::{MemoryError, MemoryStore, SeededSteps, StoreRates, StoreStep};

use core::future::Future;

use crate::Kind;

/// What is known of a record without reading its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Head {
    /// The kind of every line.
    pub kind: Kind,
    /// Its place among the records of its kind. Not 0.
    pub key: u32,
    /// How many lines it has: at least one.
    pub lines: u32,
    /// How many bytes they have, LFs included: at least one.
    pub bytes: u32,
    /// When it was put into the store, in milliseconds since 1970; 0 where no clock knew.
    pub born: u64,
}

impl Head {
    /// The head of a record with `lines` lines of `kind` in `bytes` bytes.
    pub const fn new(kind: Kind, key: u32, lines: u32, bytes: u32, born: u64) -> Self {
        Self { kind, key, lines, bytes, born }
    }

    /// Whether there can be such a record: every line has an LF at least.
    #[cfg(any(feature = "std", feature = "flash"))]
    pub(crate) const fn is_possible(&self) -> bool {
        self.key != 0 && self.lines != 0 && self.lines <= self.bytes
    }

    /// Whether it can be the head of `lines`.
    #[cfg(any(feature = "std", feature = "flash"))]
    pub(crate) const fn describes(&self, lines: &[u8]) -> bool {
        self.is_possible() && self.bytes as usize == lines.len()
    }
}

/// Keeps records where the power may go.
///
/// The contract, checked by the conformance suite:
/// - When [`put`](Self::put) returns `Ok`, the record is durable: after any crash it is there, whole. When it fails, or
///   never returns, the record is there whole or not at all.
/// - Records are known by kind and key. A `put` under a key that is taken replaces the record, or changes nothing.
/// - [`next`](Self::next) finds the records of a kind in the order of their keys, in this life of the store and the
///   next.
/// - [`read`](Self::read) gives the very bytes that were put, or an error. A record that is damaged is set aside:
///   nothing finds it again, and it stands in nobody's way. [`set_aside`](Self::set_aside) counts those whose head
///   could not be read either, so that nobody else can.
/// - [`remove`](Self::remove) is durable too: at once for a process that dies, with the next `put` or the end of the
///   store at the latest where the power goes; till then the record may be found again, as *at least once* allows.
///   Removing what is not there is no error.
/// - After an error the store can be used again.
/// - No call panics, whatever is found on the medium, and no error says anything of a line.
pub trait Store {
    /// What can go wrong.
    type Error: StoreError;

    /// Keeps `lines`, whole lines with their LFs, under the key of `head`, whose `bytes` is their length.
    ///
    /// # Errors
    /// [`StoreFailure::Full`] where the medium has no room, [`StoreFailure::Unavailable`] otherwise, also where `head`
    /// is not that of the lines (no key, no line, another length).
    fn put(&mut self, head: Head, lines: &[u8]) -> Result<(), Self::Error>;

    /// The record of `kind` with the lowest key from `from` on.
    ///
    /// # Errors
    /// [`StoreFailure::Unavailable`] where the medium does not answer.
    fn next(&mut self, kind: Kind, from: u32) -> Result<Option<Head>, Self::Error>;

    /// The lines of the record that [`next`](Self::next) found: `into` has the length of `head.bytes`.
    ///
    /// # Errors
    /// [`StoreFailure::Damaged`] where the record is not what was put, or not there (what is in `into` then means
    /// nothing); [`StoreFailure::Unavailable`] where the medium does not answer.
    fn read(&mut self, head: Head, into: &mut [u8]) -> Result<(), Self::Error>;

    /// Forgets a record.
    ///
    /// # Errors
    /// [`StoreFailure::Unavailable`] where that could not be written; the record may be found again in the next life.
    fn remove(&mut self, kind: Kind, key: u32) -> Result<(), Self::Error>;

    /// What records take of the medium, for the cap.
    fn footprint(&self) -> Footprint {
        Footprint::EXACT
    }

    /// Records that were found damaged beyond their head since the store was opened, and set aside: how many lines they
    /// held is not known.
    fn set_aside(&self) -> usize {
        0
    }
}

/// Keeps records where the power may go, on a medium that answers later: the same contract as [`Store`]'s.
///
/// A future that is dropped before its end is a call that never returns: its record is there whole or not at all, and
/// the store can be used again. The futures need not be `Send`.
pub trait AsyncStore {
    /// What can go wrong.
    type Error: StoreError;

    /// [`Store::put`].
    ///
    /// # Errors
    /// Those of [`Store::put`].
    fn put(&mut self, head: Head, lines: &[u8]) -> impl Future<Output = Result<(), Self::Error>>;

    /// [`Store::next`].
    ///
    /// # Errors
    /// Those of [`Store::next`].
    fn next(&mut self, kind: Kind, from: u32) -> impl Future<Output = Result<Option<Head>, Self::Error>>;

    /// [`Store::read`].
    ///
    /// # Errors
    /// Those of [`Store::read`].
    fn read(&mut self, head: Head, into: &mut [u8]) -> impl Future<Output = Result<(), Self::Error>>;

    /// [`Store::remove`].
    ///
    /// # Errors
    /// Those of [`Store::remove`].
    fn remove(&mut self, kind: Kind, key: u32) -> impl Future<Output = Result<(), Self::Error>>;

    /// [`Store::footprint`].
    fn footprint(&self) -> Footprint {
        Footprint::EXACT
    }

    /// [`Store::set_aside`].
    fn set_aside(&self) -> usize {
        0
    }
}

/// How much of the medium a record takes: its lines and `overhead` bytes, in whole blocks of `block` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Footprint {
    /// Bytes beside the lines.
    pub overhead: u32,
    /// The smallest part of the medium that a record can take; 0 is taken for 1.
    pub block: u32,
}

impl Footprint {
    /// The lines' own bytes, no more.
    pub const EXACT: Self = Self { overhead: 0, block: 1 };

    /// What a record with `bytes` bytes of lines takes.
    pub const fn of(self, bytes: u32) -> u64 {
        let block = if self.block == 0 { 1 } else { self.block };
        // Block by block of either: devices have no division of 64 bits.
        let rest = (bytes % block) as u64 + (self.overhead % block) as u64;
        let blocks = (bytes / block) as u64 + (self.overhead / block) as u64;
        (blocks + (rest > 0) as u64 + (rest > block as u64) as u64) * block as u64
    }
}

/// An error of a store, whatever its own type says beside. It carries nothing of a line.
pub trait StoreError: core::error::Error {
    /// What went wrong.
    fn kind(&self) -> StoreFailure;
}

/// What went wrong with a store, for code that has to decide without knowing which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StoreFailure {
    /// There is no room on the medium: it may work once records were removed.
    Full,
    /// The record cannot be read back, now or later; it was set aside.
    Damaged,
    /// The medium does not do as it is told (an I/O error, read-only): it may work later.
    Unavailable,
}

impl core::fmt::Display for StoreFailure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Full => "the store has no room",
            Self::Damaged => "a record of the store is damaged",
            Self::Unavailable => "the store does not work",
        })
    }
}

/// The error of a store that cannot fail.
impl StoreError for core::convert::Infallible {
    fn kind(&self) -> StoreFailure {
        match *self {}
    }
}

impl<S: Store + ?Sized> Store for &mut S {
    type Error = S::Error;

    fn put(&mut self, head: Head, lines: &[u8]) -> Result<(), S::Error> {
        (**self).put(head, lines)
    }

    fn next(&mut self, kind: Kind, from: u32) -> Result<Option<Head>, S::Error> {
        (**self).next(kind, from)
    }

    fn read(&mut self, head: Head, into: &mut [u8]) -> Result<(), S::Error> {
        (**self).read(head, into)
    }

    fn remove(&mut self, kind: Kind, key: u32) -> Result<(), S::Error> {
        (**self).remove(kind, key)
    }

    fn footprint(&self) -> Footprint {
        (**self).footprint()
    }

    fn set_aside(&self) -> usize {
        (**self).set_aside()
    }
}

impl<S: AsyncStore + ?Sized> AsyncStore for &mut S {
    type Error = S::Error;

    fn put(&mut self, head: Head, lines: &[u8]) -> impl Future<Output = Result<(), S::Error>> {
        (**self).put(head, lines)
    }

    fn next(&mut self, kind: Kind, from: u32) -> impl Future<Output = Result<Option<Head>, S::Error>> {
        (**self).next(kind, from)
    }

    fn read(&mut self, head: Head, into: &mut [u8]) -> impl Future<Output = Result<(), S::Error>> {
        (**self).read(head, into)
    }

    fn remove(&mut self, kind: Kind, key: u32) -> impl Future<Output = Result<(), S::Error>> {
        (**self).remove(kind, key)
    }

    fn footprint(&self) -> Footprint {
        (**self).footprint()
    }

    fn set_aside(&self) -> usize {
        (**self).set_aside()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(any(feature = "std", feature = "flash"))]
    fn a_record_has_a_key_and_lines_that_fit_in_its_bytes() {
        for (key, lines, bytes, possible) in [
            (1, 1, 1, true),
            (u32::MAX, 3, 3, true),
            (7, 3, 4, true),
            (1, u32::MAX, u32::MAX, true),
            (0, 1, 1, false),
            (1, 0, 1, false),
            (1, 0, 0, false),
            (1, 2, 1, false),
            (1, u32::MAX, u32::MAX - 1, false),
        ] {
            let head = Head::new(Kind::Metric, key, lines, bytes, 0);
            assert_eq!(head.is_possible(), possible, "{head:?}");
            let of_its_length = [b'\n'; 4].get(..bytes as usize);
            assert_eq!(of_its_length.is_some_and(|lines| head.describes(lines)), possible && bytes <= 4, "{head:?}");
            assert!(!head.describes(&[b'\n'; 5]), "{head:?}");
        }
    }

    #[test]
    fn a_record_takes_whole_blocks() {
        let sizes = [0, 1, 2, 3, 7, 8, 9, 36, 4095, 4096, 4097, u32::MAX - 1, u32::MAX];
        for (bytes, overhead, block) in
            sizes.iter().flat_map(|a| sizes.iter().flat_map(move |b| sizes.map(|c| (*a, *b, c))))
        {
            let all = u64::from(bytes) + u64::from(overhead);
            let whole = all.div_ceil(u64::from(block.max(1))) * u64::from(block.max(1));
            assert_eq!(Footprint { overhead, block }.of(bytes), whole, "{bytes} + {overhead} by {block}");
        }
    }

    const LINES: &[u8] = b"a 1\nb 2\n";
    const HEAD: Head = Head::new(Kind::Metric, 7, 2, LINES.len() as u32, 0);
    const FOOTPRINT: Footprint = Footprint { overhead: 5, block: 16 };

    /// Has one record, and another one that is set aside.
    #[derive(Default)]
    struct One(Option<(Head, [u8; LINES.len()])>);

    impl Store for One {
        type Error = core::convert::Infallible;

        fn put(&mut self, head: Head, lines: &[u8]) -> Result<(), Self::Error> {
            self.0 = lines.try_into().ok().map(|lines| (head, lines));
            Ok(())
        }

        fn next(&mut self, _: Kind, from: u32) -> Result<Option<Head>, Self::Error> {
            Ok(self.0.map(|(head, _)| head).filter(|head| head.key >= from))
        }

        fn read(&mut self, _: Head, into: &mut [u8]) -> Result<(), Self::Error> {
            self.0.iter().for_each(|(_, lines)| into.copy_from_slice(lines));
            Ok(())
        }

        fn remove(&mut self, _: Kind, key: u32) -> Result<(), Self::Error> {
            self.0 = self.0.filter(|(head, _)| head.key != key);
            Ok(())
        }

        fn footprint(&self) -> Footprint {
            FOOTPRINT
        }

        fn set_aside(&self) -> usize {
            1
        }
    }

    /// The same, asked by those who wait.
    #[derive(Default)]
    struct Late(One);

    impl AsyncStore for Late {
        type Error = core::convert::Infallible;

        async fn put(&mut self, head: Head, lines: &[u8]) -> Result<(), Self::Error> {
            self.0.put(head, lines)
        }

        async fn next(&mut self, kind: Kind, from: u32) -> Result<Option<Head>, Self::Error> {
            self.0.next(kind, from)
        }

        async fn read(&mut self, head: Head, into: &mut [u8]) -> Result<(), Self::Error> {
            self.0.read(head, into)
        }

        async fn remove(&mut self, kind: Kind, key: u32) -> Result<(), Self::Error> {
            self.0.remove(kind, key)
        }

        fn footprint(&self) -> Footprint {
            self.0.footprint()
        }

        fn set_aside(&self) -> usize {
            self.0.set_aside()
        }
    }

    #[test]
    fn a_borrowed_store_is_the_store() {
        fn held(mut store: impl Store) {
            let mut lines = [0; LINES.len()];
            assert!(store.put(HEAD, LINES).is_ok());
            assert!(matches!(store.next(HEAD.kind, 7), Ok(Some(HEAD))) && matches!(store.next(HEAD.kind, 8), Ok(None)));
            assert!(store.read(HEAD, &mut lines).is_ok() && lines == LINES);
            assert!(store.remove(HEAD.kind, 8).is_ok() && matches!(store.next(HEAD.kind, 1), Ok(Some(HEAD))));
            assert!(store.remove(HEAD.kind, 7).is_ok() && matches!(store.next(HEAD.kind, 1), Ok(None)));
            assert_eq!((store.footprint(), store.set_aside()), (FOOTPRINT, 1));
        }
        held(&mut One::default());
    }

    #[test]
    fn a_borrowed_store_that_is_waited_for_is_the_store() {
        async fn held(mut store: impl AsyncStore) {
            let mut lines = [0; LINES.len()];
            assert!(store.put(HEAD, LINES).await.is_ok());
            assert!(matches!(store.next(HEAD.kind, 7).await, Ok(Some(HEAD))));
            assert!(matches!(store.next(HEAD.kind, 8).await, Ok(None)));
            assert!(store.read(HEAD, &mut lines).await.is_ok() && lines == LINES);
            assert!(
                store.remove(HEAD.kind, 8).await.is_ok() && matches!(store.next(HEAD.kind, 1).await, Ok(Some(HEAD)))
            );
            assert!(store.remove(HEAD.kind, 7).await.is_ok() && matches!(store.next(HEAD.kind, 1).await, Ok(None)));
            assert_eq!((store.footprint(), store.set_aside()), (FOOTPRINT, 1));
        }
        let mut store = Late::default();
        let held = core::pin::pin!(held(&mut store));
        let mut context = core::task::Context::from_waker(core::task::Waker::noop());
        assert!(held.poll(&mut context).is_ready(), "nothing here waits");
    }
}
