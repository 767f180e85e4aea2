//! Under the items: a blocking flash as one that never has to wait, and erasing that power may interrupt.

use embedded_storage::nor_flash as blocking;
use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// A flash with the blocking traits of `embedded-storage`, for a [`Flash`](super::Flash) that is a
/// [`Store`](crate::store::Store).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocking<F>(pub F);

impl<F: blocking::ErrorType> ErrorType for Blocking<F> {
    type Error = F::Error;
}

impl<F: blocking::ReadNorFlash> ReadNorFlash for Blocking<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.0.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl<F: blocking::NorFlash> NorFlash for Blocking<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        self.0.erase(from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.0.write(offset, bytes)
    }
}

impl<F: blocking::MultiwriteNorFlash> MultiwriteNorFlash for Blocking<F> {}

/// A flash that finishes what power interrupted before it does anything else.
///
/// What an interrupted erase leaves is undefined, says the contract of NOR flash: a page may look as if nothing had
/// happened to it, and hold something else. So each erase is announced in a page of its own, the journal, and the
/// announcement is struck out when it is done; one that stands is done again first.
#[derive(Debug)]
pub(super) struct Guarded<F> {
    flash: F,
    /// Where the journal is, and where what follows it ends.
    journal: u32,
    end: u32,
    /// The next free entry of the journal; `None` before the journal was read, or since something went wrong.
    free: Option<u32>,
    /// The last error of a read: those above do not say each.
    failed: Option<NorFlashErrorKind>,
}

/// The first word of an entry is the page's address, changed by this, the second its complement: neither a page that is
/// erased nor one that is full of zeros says anything.
const MARK: u32 = 0x5aa5_3cc3;

/// Some flashes are written from aligned memory only. As long as the longest word that the items allow.
#[repr(align(4))]
struct Entry([u8; 32]);

impl<F: MultiwriteNorFlash> Guarded<F> {
    /// How long an entry is, and how many there are.
    const ENTRY: usize = 8_usize.next_multiple_of(word::<F>());
    const ENTRIES: u32 = (F::ERASE_SIZE / Self::ENTRY) as u32;

    /// The journal is the page at `journal`; what it watches over lies between it and `end`.
    pub(super) const fn new(flash: F, journal: u32, end: u32) -> Self {
        Self { flash, journal, end, free: None, failed: None }
    }

    pub(super) fn into_inner(self) -> F {
        self.flash
    }

    /// The error of a read since this was asked last, whether it was told or not.
    pub(super) fn take_failed(&mut self) -> Option<NorFlashErrorKind> {
        self.failed.take()
    }

    /// The next free entry, when what was interrupted is finished.
    async fn ready(&mut self) -> Result<u32, F::Error> {
        if let Some(free) = self.free {
            return Ok(free);
        }
        let mut free = None;
        let mut torn = false;
        for number in 0..Self::ENTRIES {
            let mut entry = Entry([0xff; 32]);
            let bytes = entry.0.get_mut(..Self::ENTRY).unwrap_or_default();
            self.flash.read(self.address(number), bytes).await?;
            if bytes.iter().all(|byte| *byte == 0xff) {
                free = free.or(Some(number));
                continue;
            }
            // Entries follow each other, or the journal's own erase was interrupted, and then none stood.
            torn |= free.is_some();
            if let Some(page) = self.page_of(bytes) {
                self.flash.erase(page, page.saturating_add(F::ERASE_SIZE as u32)).await?;
                self.strike_out(number).await?;
            }
        }
        if torn {
            self.begin_anew().await?;
            free = Some(0);
        }
        let free = free.unwrap_or(Self::ENTRIES);
        self.free = Some(free);
        Ok(free)
    }

    const fn address(&self, entry: u32) -> u32 {
        self.journal.saturating_add(entry.saturating_mul(Self::ENTRY as u32))
    }

    /// The page that an entry says is to be erased, if it stands.
    fn page_of(&self, entry: &[u8]) -> Option<u32> {
        let (first, rest) = entry.split_first_chunk::<4>()?;
        let (first, second) = (u32::from_le_bytes(*first), u32::from_le_bytes(*rest.first_chunk::<4>()?));
        let page = first ^ MARK;
        let is_page = page.checked_sub(self.journal)?.is_multiple_of(F::ERASE_SIZE as u32);
        (second == !first && is_page && page > self.journal && page < self.end).then_some(page)
    }

    async fn write_entry(&mut self, number: u32, first: u32, second: u32) -> Result<(), F::Error> {
        let mut entry = Entry([0; 32]);
        let words = first.to_le_bytes().into_iter().chain(second.to_le_bytes());
        entry.0.iter_mut().zip(words).for_each(|(to, byte)| *to = byte);
        self.flash.write(self.address(number), entry.0.get(..Self::ENTRY).unwrap_or_default()).await
    }

    async fn strike_out(&mut self, number: u32) -> Result<(), F::Error> {
        self.write_entry(number, 0, 0).await
    }

    async fn begin_anew(&mut self) -> Result<(), F::Error> {
        self.flash.erase(self.journal, self.journal.saturating_add(F::ERASE_SIZE as u32)).await
    }

    async fn erase_page(&mut self, page: u32) -> Result<(), F::Error> {
        let mut number = self.ready().await?;
        // Whatever goes wrong from here on, or never comes to its end, the journal knows more than we do.
        self.free = None;
        if number >= Self::ENTRIES {
            self.begin_anew().await?;
            number = 0;
        }
        let first = page ^ MARK;
        self.write_entry(number, first, !first).await?;
        self.flash.erase(page, page.saturating_add(F::ERASE_SIZE as u32)).await?;
        self.strike_out(number).await?;
        self.free = Some(number.saturating_add(1));
        Ok(())
    }

    async fn do_read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.ready().await?;
        self.flash.read(offset, bytes).await
    }
}

/// The shortest part of a flash that can be both read and written.
pub(super) const fn word<F: NorFlash>() -> usize {
    if F::WRITE_SIZE > F::READ_SIZE { F::WRITE_SIZE } else { F::READ_SIZE }
}

impl<F: ErrorType> ErrorType for Guarded<F> {
    type Error = F::Error;
}

impl<F: MultiwriteNorFlash> ReadNorFlash for Guarded<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        let result = self.do_read(offset, bytes).await;
        if let Err(error) = &result {
            self.failed = Some(error.kind());
        }
        result
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl<F: MultiwriteNorFlash> NorFlash for Guarded<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        let mut page = from;
        while page < to {
            self.erase_page(page).await?;
            page = page.saturating_add(F::ERASE_SIZE as u32);
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.ready().await?;
        self.flash.write(offset, bytes).await
    }
}

impl<F: MultiwriteNorFlash> MultiwriteNorFlash for Guarded<F> {}
