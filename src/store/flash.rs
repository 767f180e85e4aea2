//! A store in NOR flash, for machines that have neither files nor an allocator.

mod item;
mod nor;

pub use nor::Blocking;

use core::fmt;
use core::future::Future;
use core::ops::Range;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_storage::nor_flash as blocking;
use embedded_storage_async::nor_flash::{MultiwriteNorFlash, NorFlashError, NorFlashErrorKind};
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage};

use super::{AsyncStore, Footprint, Head, Store, StoreError, StoreFailure};
use crate::Kind;
use item::{Item, Name, Part, Stamp};
use nor::{Guarded, word};

/// Keeps records in a range of NOR flash, with the items of the crate `sequential-storage`.
///
/// A [`Store`] on a flash of the blocking traits of `embedded-storage` 0.3, made by [`blocking`](Self::blocking); an
/// [`AsyncStore`] on any flash of `embedded-storage-async` 0.4.
///
/// - **Power** may go at any write and at any erase. Each erase is announced in a journal, the first page of the range,
///   and an interrupted one is finished before anything else.
/// - **Wear**: the pages behind the journal are written and erased in turn, one after the other. The journal is erased
///   once in `page size / 8` erases of all others together.
/// - **Size**: at least three pages. A record lies within one page and passes through the buffer as a whole:
///   [`longest`](Self::longest) says how many bytes of lines it may have, and a segment of the queue must not be
///   larger. One page of the range is kept free and one is the journal; [`room`](Self::room) is what is left, and
///   belongs into [`Keep::bytes`](crate::delivery::Keep::bytes). Near that, records that stay are copied again and
///   again: twice the size saves wear.
/// - **Memory**: 56 bytes and the buffer, and 2 KiB of stack while a call runs (a Cortex-M4, `opt-level = "z"`). The
///   code is 15.5 KB, most of it that of `sequential-storage`, and with it come ways to panic that this crate has not.
/// - **Time**: nothing of the records is held in memory. `next`, `read` and `remove` look through the range, `put`
///   through a page, unless it has to make room: ranges are to be some tens of KiB.
/// - **Flash**: a word has to be writable a second time, with more zeros (`MultiwriteNorFlash`), and must have 32 bytes
///   at most. Flash with error correction often is not so.
/// - The range is erased before it is used for the first time, and again before another major version of
///   `sequential-storage` uses it. The same range must not be open twice.
///
/// ```
/// # use embedded_storage::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, NorFlashErrorKind, ReadNorFlash};
/// # struct Chip([u8; 8 * 4096]);
/// # impl ErrorType for Chip {
/// #     type Error = NorFlashErrorKind;
/// # }
/// # impl ReadNorFlash for Chip {
/// #     const READ_SIZE: usize = 1;
/// #     fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
/// #         let from = self.0.get(at as usize..).and_then(|rest| rest.get(..bytes.len()));
/// #         bytes.copy_from_slice(from.ok_or(NorFlashErrorKind::OutOfBounds)?);
/// #         Ok(())
/// #     }
/// #     fn capacity(&self) -> usize {
/// #         self.0.len()
/// #     }
/// # }
/// # impl NorFlash for Chip {
/// #     const WRITE_SIZE: usize = 4;
/// #     const ERASE_SIZE: usize = 4096;
/// #     fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
/// #         self.0.get_mut(from as usize..to as usize).ok_or(NorFlashErrorKind::OutOfBounds)?.fill(0xff);
/// #         Ok(())
/// #     }
/// #     fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
/// #         let to = self.0.get_mut(at as usize..).and_then(|rest| rest.get_mut(..bytes.len()));
/// #         to.ok_or(NorFlashErrorKind::OutOfBounds)?.iter_mut().zip(bytes).for_each(|(to, byte)| *to &= byte);
/// #         Ok(())
/// #     }
/// # }
/// # impl MultiwriteNorFlash for Chip {}
/// # let chip = Chip([0xff; 8 * 4096]);
/// use wavefront_sdk::delivery::{Config, Delivery, Errand, Keep, Lane, Millis, Mode, Slot, Spool, Stored};
/// use wavefront_sdk::{Kind, store::{Flash, Store}};
///
/// // `chip` is the driver of a flash; the last 32 KiB of it are for what cannot be sent at once.
/// let mut buffer = [0; 1100];
/// let mut store = Flash::blocking(chip, 0..8 * 4096, &mut buffer)?;
///
/// let slots = core::array::from_fn::<_, 4, _>(|_| Slot::new(Stored([0; 1024])));
/// let mut delivery = Delivery::new(Config::default(), slots, [Lane::new(Kind::Metric)]);
/// assert!(store.longest() >= 1024);
/// let keep = Keep::new(Mode::Always).bytes(store.room(1024));
/// let mut spool = Spool::new(keep, Store::footprint(&store), &mut delivery.view());
///
/// delivery.push(Kind::Metric, b"\"a\" 1.0 source=\"s\"\n", 1).unwrap();
/// let ticket = delivery.flush();
/// while let Errand::Do(mut job) = spool.poll(&mut delivery.view(), Millis(0), 0) {
///     let result = job.run(&mut store).map_err(|error| error.kind());
///     spool.settle(&mut delivery.view(), job, result, Millis(0));
/// }
/// assert_eq!(delivery.left(&ticket), 0, "it is durable");
/// # use wavefront_sdk::store::StoreError;
/// # Ok::<(), wavefront_sdk::store::FlashRangeError>(())
/// ```
pub struct Flash<F: MultiwriteNorFlash, B> {
    items: MapStorage<Name, Guarded<F>, NoCache>,
    buffer: B,
    /// How many pages there are for items.
    pages: u32,
    /// What the next `put` is numbered, when it is known.
    number: Option<u32>,
    /// As many bytes of lines had no room, and nothing was removed since. To find that out costs an erase of every
    /// page.
    full: u32,
}

/// The crate's caches save reads, and must be as large as the range; power that goes and futures that are dropped are
/// of no concern to what has none.
type NoCache = Cache<Uncached, Uncached, Uncached, Name>;

impl<F: MultiwriteNorFlash, B: AsMut<[u8]>> Flash<F, B> {
    /// The longest text of both that can stand beside lines.
    const BESIDE: usize = Name::LEN + Stamp::LEN;

    /// A store in `range` of `flash`, in bytes, through `buffer`, which holds a record of up to `buffer` − 25 bytes of
    /// lines (rounded down to whole words). Nothing is read or written yet.
    ///
    /// # Errors
    /// [`FlashRangeError`] where the range cannot be used.
    pub fn new(flash: F, range: Range<u32>, mut buffer: B) -> Result<Self, FlashRangeError> {
        let capacity = flash.capacity();
        let Some(first) = range.start.checked_add(F::ERASE_SIZE as u32).filter(|first| *first < range.end) else {
            return Err(FlashRangeError::TooSmall);
        };
        if range.end as usize > capacity {
            return Err(FlashRangeError::OutOfBounds);
        }
        let size = range.end.saturating_sub(first);
        let pages = size.checked_div(F::ERASE_SIZE as u32).unwrap_or(0);
        let size = buffer.as_mut().len();
        if size < Self::item(0) as usize {
            return Err(FlashRangeError::SmallBuffer);
        }
        // The same limits as the crate's, by their names.
        use sequential_storage::map::MapConfigError as Wrong;
        let config = MapConfig::try_new(first..range.end).map_err(|wrong| match wrong {
            Wrong::StartRangeNotAtPageBoundary | Wrong::EndRangeNotAtPageBoundary => FlashRangeError::NotAligned,
            Wrong::RangeTooSmall => FlashRangeError::TooSmall,
            Wrong::PagesTooSmall | Wrong::WordSizeTooLarge => FlashRangeError::Unsuitable,
        })?;
        let flash = Guarded::new(flash, range.start, range.end);
        let items = MapStorage::new(flash, config, Cache::new_uncached());
        Ok(Self { items, buffer, pages, number: None, full: u32::MAX })
    }

    /// How many bytes of lines a record may have: what fits in a page and in the buffer. More are refused with
    /// [`FlashError::TooLong`].
    pub fn longest(&mut self) -> u32 {
        let word = word::<F>();
        let buffer = self.buffer.as_mut().len();
        let buffer = buffer - buffer.checked_rem(word).unwrap_or(0);
        let page = (Self::usable() as usize).saturating_sub(Self::overhead() as usize);
        (buffer.min(page).saturating_sub(Self::BESIDE)) as u32
    }

    /// How many bytes, as [`Store::footprint`] counts them, have room in any case if no record has more than `longest`
    /// bytes of lines.
    pub fn room(&self, longest: u32) -> u64 {
        let page = Self::usable().saturating_sub(Self::overhead().saturating_add(Self::item(longest)));
        u64::from(self.pages.saturating_sub(1)) * u64::from(page)
    }

    /// The flash and the buffer.
    pub fn into_parts(self) -> (F, B) {
        let (flash, _) = self.items.destroy();
        (flash.into_inner(), self.buffer)
    }

    /// What a page has for items: all but the words that mark its beginning and its end.
    const fn usable() -> u32 {
        (F::ERASE_SIZE as u32).saturating_sub(2 * word::<F>() as u32)
    }

    /// What stands before an item.
    const fn overhead() -> u32 {
        MapStorage::<Name, Guarded<F>, NoCache>::item_overhead_size()
    }

    /// How long an item with so many bytes of lines is, without its overhead.
    const fn item(lines: u32) -> u32 {
        let len = lines.saturating_add(Self::BESIDE as u32);
        match len.checked_next_multiple_of(word::<F>() as u32) {
            Some(len) => len,
            None => u32::MAX,
        }
    }

    /// Shows each item that is whole to `visit`.
    async fn each(&mut self, mut visit: impl FnMut(&Name, Stamp)) -> Result<(), FlashError> {
        let buffer = self.buffer.as_mut();
        self.items.flash().take_failed();
        let mut all = self.items.fetch_all_items(buffer).await.map_err(FlashError::of)?;
        while let Some((name, item)) = all.next::<Item<'_>>(buffer).await.map_err(FlashError::of)? {
            visit(&name, item.stamp);
        }
        // A page whose marks cannot be read is passed over in silence there.
        self.items.flash().take_failed().map_or(Ok(()), |kind| Err(FlashError::Medium(kind)))
    }

    async fn get(&mut self, part: Part, head: Head) -> Result<Option<Item<'_>>, FlashError> {
        let name = Name::new(part, head.kind, head.key);
        self.items.fetch_item::<Item<'_>>(self.buffer.as_mut(), &name).await.map_err(FlashError::of)
    }

    async fn set(&mut self, part: Part, head: Head, item: Item<'_>) -> Result<(), FlashError> {
        let name = Name::new(part, head.kind, head.key);
        self.items.store_item(self.buffer.as_mut(), &name, &item).await.map_err(FlashError::of)
    }

    async fn forget(&mut self, part: Part, kind: Kind, key: u32) -> Result<(), FlashError> {
        let name = Name::new(part, kind, key);
        self.items.remove_item(self.buffer.as_mut(), &name).await.map_err(FlashError::of)?;
        self.full = u32::MAX;
        Ok(())
    }

    /// A number above all that stand.
    async fn next_number(&mut self) -> Result<u32, FlashError> {
        if let Some(number) = self.number {
            return Ok(number);
        }
        let mut last = 0;
        self.each(|_, stamp| last = last.max(stamp.number)).await?;
        Ok(last.saturating_add(1))
    }
}

impl<F: blocking::MultiwriteNorFlash, B: AsMut<[u8]>> Flash<Blocking<F>, B> {
    /// [`new`](Self::new), for a flash of the blocking traits.
    ///
    /// # Errors
    /// [`FlashRangeError`] where the range cannot be used.
    pub fn blocking(flash: F, range: Range<u32>, buffer: B) -> Result<Self, FlashRangeError> {
        Self::new(Blocking(flash), range, buffer)
    }
}

impl<F: MultiwriteNorFlash, B: AsMut<[u8]>> AsyncStore for Flash<F, B> {
    type Error = FlashError;

    async fn put(&mut self, head: Head, lines: &[u8]) -> Result<(), FlashError> {
        if !head.describes(lines) {
            return Err(FlashError::OtherHead);
        }
        let longest = self.longest();
        if head.bytes > longest {
            return Err(FlashError::TooLong { bytes: head.bytes, longest });
        }
        if head.bytes >= self.full {
            return Err(FlashError::Full);
        }
        let number = self.next_number().await?;
        // Whatever becomes of it, the number is taken.
        self.number = Some(number.saturating_add(1));
        let stamp = Stamp::of(head, number);
        let stored = self.set(Part::Lines, head, Item { stamp, lines }).await;
        if stored == Err(FlashError::Full) {
            self.full = head.bytes;
        }
        stored?;
        match self.set(Part::Receipt, head, Item { stamp, lines: &[] }).await {
            // It is durable; only damage to it would not be told from its never having been.
            Err(FlashError::Full) => Ok(()),
            other => other,
        }
    }

    async fn next(&mut self, kind: Kind, from: u32) -> Result<Option<Head>, FlashError> {
        let mut found: Option<(u32, Stamp)> = None;
        self.each(|name, stamp| {
            let better = match found {
                Some((key, known)) => name.key < key || name.key == key && stamp.number >= known.number,
                None => true,
            };
            if better && name.is_of(kind) && name.key >= from && stamp.head(kind, name.key).is_possible() {
                found = Some((name.key, stamp));
            }
        })
        .await?;
        Ok(found.map(|(key, stamp)| stamp.head(kind, key)))
    }

    async fn read(&mut self, head: Head, into: &mut [u8]) -> Result<(), FlashError> {
        let receipt = self.get(Part::Receipt, head).await?.map(|item| item.stamp);
        let found = self.get(Part::Lines, head).await?;
        let last = found.as_ref().map(|item| item.stamp.number);
        if let Some(receipt) = receipt
            && last < Some(receipt.number)
        {
            if receipt.is_of(head) {
                // The receipt goes last: older lines would pass for the record.
                self.forget(Part::Lines, head.kind, head.key).await?;
                self.forget(Part::Receipt, head.kind, head.key).await?;
            }
            return Err(FlashError::Damaged);
        }
        let item = found.filter(|item| item.stamp.is_of(head) && item.lines.len() == into.len());
        let item = item.ok_or(FlashError::Damaged)?;
        into.iter_mut().zip(item.lines).for_each(|(to, byte)| *to = *byte);
        Ok(())
    }

    async fn remove(&mut self, kind: Kind, key: u32) -> Result<(), FlashError> {
        // The receipt goes first: without its lines it would tell of damage.
        self.forget(Part::Receipt, kind, key).await?;
        self.forget(Part::Lines, kind, key).await
    }

    fn footprint(&self) -> Footprint {
        let overhead = (2 * Self::overhead()).saturating_add(Self::item(0)).saturating_add(Self::BESIDE as u32);
        Footprint { overhead, block: word::<F>() as u32 }
    }
}

impl<F: blocking::MultiwriteNorFlash, B: AsMut<[u8]>> Store for Flash<Blocking<F>, B> {
    type Error = FlashError;

    fn put(&mut self, head: Head, lines: &[u8]) -> Result<(), FlashError> {
        at_once(AsyncStore::put(self, head, lines))
    }

    fn next(&mut self, kind: Kind, from: u32) -> Result<Option<Head>, FlashError> {
        at_once(AsyncStore::next(self, kind, from))
    }

    fn read(&mut self, head: Head, into: &mut [u8]) -> Result<(), FlashError> {
        at_once(AsyncStore::read(self, head, into))
    }

    fn remove(&mut self, kind: Kind, key: u32) -> Result<(), FlashError> {
        at_once(AsyncStore::remove(self, kind, key))
    }

    fn footprint(&self) -> Footprint {
        AsyncStore::footprint(self)
    }
}

/// The end of a future that has nothing to wait for, as is everything on a [`Blocking`] flash.
fn at_once<T>(future: impl Future<Output = Result<T, FlashError>>) -> Result<T, FlashError> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(FlashError::Medium(NorFlashErrorKind::Other)),
    }
}

impl<F: MultiwriteNorFlash, B> fmt::Debug for Flash<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flash").field("pages", &self.pages).field("number", &self.number).finish_non_exhaustive()
    }
}

/// What went wrong with a [`Flash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FlashError {
    /// There is no room for a record of that length.
    Full,
    /// The record is longer than [`Flash::longest`]: the segments of the queue are too large for this flash or its
    /// buffer.
    TooLong {
        /// How many bytes of lines it has.
        bytes: u32,
        /// How many it may have.
        longest: u32,
    },
    /// The record is not as it was put.
    Damaged,
    /// The head is not that of the lines.
    OtherHead,
    /// A record in the flash needs a buffer of so many bytes: it was put through a longer one.
    SmallBuffer {
        /// How many.
        needed: usize,
    },
    /// What is in the range is nothing that a store has left there, and has to be erased.
    Foreign,
    /// The flash does not do as it is told.
    Medium(NorFlashErrorKind),
}

impl FlashError {
    fn of<E: NorFlashError>(error: sequential_storage::Error<E>) -> Self {
        use sequential_storage::Error;
        match error {
            Error::Storage { value, .. } => Self::Medium(value.kind()),
            Error::FullStorage => Self::Full,
            Error::BufferTooSmall(needed) => Self::SmallBuffer { needed },
            _ => Self::Foreign,
        }
    }
}

impl fmt::Display for FlashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the flash has no room"),
            Self::TooLong { bytes, longest } => {
                write!(f, "a record of {bytes} bytes is too long for the flash, which takes {longest}")
            }
            Self::Damaged => f.write_str("a record in the flash is damaged"),
            Self::OtherHead => f.write_str("the head of a record is not that of its lines"),
            Self::SmallBuffer { needed } => {
                write!(f, "a record in the flash needs a buffer of {needed} bytes")
            }
            Self::Foreign => f.write_str("the range of the flash holds something else and has to be erased"),
            Self::Medium(kind) => write!(f, "the flash does not work: {kind}"),
        }
    }
}

impl core::error::Error for FlashError {}

impl StoreError for FlashError {
    fn kind(&self) -> StoreFailure {
        match self {
            Self::Full | Self::TooLong { .. } => StoreFailure::Full,
            Self::Damaged => StoreFailure::Damaged,
            Self::OtherHead | Self::SmallBuffer { .. } | Self::Foreign | Self::Medium(_) => StoreFailure::Unavailable,
        }
    }
}

/// Why a range of a flash cannot be a [`Flash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FlashRangeError {
    /// It has less than three pages.
    TooSmall,
    /// It does not begin and end with a page.
    NotAligned,
    /// It goes beyond the end of the flash.
    OutOfBounds,
    /// The pages of the flash are too small, or its words too long.
    Unsuitable,
    /// The buffer has no room for the head of a record.
    SmallBuffer,
}

impl fmt::Display for FlashRangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooSmall => "a store in flash needs three pages at least",
            Self::NotAligned => "a store in flash has to begin and end with a page",
            Self::OutOfBounds => "the flash is not as large",
            Self::Unsuitable => "the pages of the flash are too small, or its words too long",
            Self::SmallBuffer => "the buffer is too small",
        })
    }
}

impl core::error::Error for FlashRangeError {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::string::ToString;

    use super::*;

    #[test]
    fn every_error_says_something_of_its_own_and_its_sizes() {
        let errors = [
            FlashError::Full,
            FlashError::TooLong { bytes: 4711, longest: 42 },
            FlashError::Damaged,
            FlashError::OtherHead,
            FlashError::SmallBuffer { needed: 815 },
            FlashError::Foreign,
            FlashError::Medium(NorFlashErrorKind::Other),
        ];
        let ranges = [
            FlashRangeError::TooSmall,
            FlashRangeError::NotAligned,
            FlashRangeError::OutOfBounds,
            FlashRangeError::Unsuitable,
            FlashRangeError::SmallBuffer,
        ];
        let texts: BTreeSet<_> =
            errors.iter().map(ToString::to_string).chain(ranges.map(|range| range.to_string())).collect();
        assert_eq!(texts.len(), errors.len() + ranges.len());
        assert!(["4711", "42", "815"].iter().all(|size| texts.iter().any(|text| text.contains(size))));
        let kinds = errors.map(|error| error.kind());
        assert_eq!(kinds[..3], [StoreFailure::Full, StoreFailure::Full, StoreFailure::Damaged]);
        assert!(kinds[3..].iter().all(|kind| *kind == StoreFailure::Unavailable), "{kinds:?}");
    }
}
