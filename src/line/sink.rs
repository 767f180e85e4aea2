//! Where the bytes of a line go.

use core::convert::Infallible;
use core::fmt;

use heapless::{LenType, vec::VecInner, vec::VecStorage};

/// A place that lines are written to.
///
/// A sink can be taken back to a [mark](Sink::mark): an encoder that fails half-way leaves it as it was.
///
/// | sink | is full when |
/// |---|---|
/// | [`Slice`] over a `&mut [u8]` | the slice is |
/// | `heapless::Vec<u8, N>` | it holds `N` bytes; pass its `as_mut_view()`, and the encoders are compiled once for every `N` |
/// | `Vec<u8>` (feature `alloc`) | never |
/// | [`Count`] | never: it only measures |
pub trait Sink {
    /// What a sink says when it has no room; [`Infallible`] where it always has.
    type Full;
    /// A place to come back to.
    type Mark: Copy;

    /// Appends `bytes`, all of them or none.
    ///
    /// # Errors
    /// When there is no room for all of them.
    fn put(&mut self, bytes: &[u8]) -> Result<(), Self::Full>;

    /// Makes sure of room for `len` bytes more. A sink that cannot tell says `Ok`.
    ///
    /// # Errors
    /// When there is no room for them.
    fn reserve(&mut self, len: usize) -> Result<(), Self::Full> {
        let _ = len;
        Ok(())
    }

    /// Appends `len` bytes, whatever they are, for the caller to write over; or says no, and then nothing is appended.
    ///
    /// A sink whose bytes lie in memory may have it, together with [`take_back`](Self::take_back): an encoder then
    /// checks once for a line what it else checks for each piece. One that says yes has to give back what it gave.
    fn put_blank(&mut self, len: usize) -> Option<&mut [u8]> {
        let _ = len;
        None
    }

    /// Forgets the last `len` bytes that were put. Encoders call it with no more than they have just put, and only if
    /// [`put_blank`](Self::put_blank) does not say no.
    fn take_back(&mut self, len: usize) {
        let _ = len;
    }

    /// The present end.
    fn mark(&self) -> Self::Mark;

    /// Forgets everything that was put since `mark`.
    fn rewind(&mut self, mark: Self::Mark);

    /// How many bytes were put since `mark`.
    fn since(&self, mark: Self::Mark) -> usize;
}

/// A bounded sink had no room. Nothing of what should have been written is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Full {
    /// The bytes that were needed: from an encoder, those of all the lines of the datum.
    pub needed: usize,
    /// The bytes there was room for.
    pub room: usize,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no room: {} bytes needed, {} free", self.needed, self.room)
    }
}

impl core::error::Error for Full {}

/// A byte slice, filled from its beginning.
///
/// ```
/// use wavefront_sdk::{Encode, Metric, Rules, line::Slice};
/// let mut buffer = [0; 128];
/// let mut lines = Slice::new(&mut buffer);
/// Metric::new("cpu.load", 0.5).source("pump-3").encode(&Rules::new(), &mut lines)?;
/// assert_eq!(lines.as_bytes(), b"\"cpu.load\" 0.5 source=\"pump-3\"\n");
/// # Ok::<(), wavefront_sdk::EncodeError<wavefront_sdk::line::Full>>(())
/// ```
#[derive(Debug)]
pub struct Slice<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Slice<'a> {
    /// An empty sink with room for as many bytes as `buffer` has.
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    /// What was written.
    pub fn as_bytes(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// What was written, if it is text: what an encoder writes always is.
    pub fn as_str(&self) -> Option<&str> {
        core::str::from_utf8(self.as_bytes()).ok()
    }

    /// How many bytes were written.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What was written, for as long as the buffer lives.
    pub fn into_written(self) -> &'a mut [u8] {
        self.buffer.get_mut(..self.len).unwrap_or_default()
    }

    /// What is not written yet, and how much is.
    pub(super) fn spare(&mut self) -> (&mut [u8], &mut usize) {
        (self.buffer.get_mut(self.len..).unwrap_or_default(), &mut self.len)
    }

    const fn room(&self) -> usize {
        self.buffer.len().saturating_sub(self.len)
    }
}

impl Sink for Slice<'_> {
    type Full = Full;
    type Mark = usize;

    #[inline]
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        // Two `get_mut` and a zipped loop: no panic is left even where nothing is inlined.
        let Some(room) = self.buffer.get_mut(self.len..).and_then(|room| room.get_mut(..bytes.len())) else {
            return Err(Full { needed: bytes.len(), room: self.room() });
        };
        copy(room, bytes);
        self.len += bytes.len();
        Ok(())
    }

    fn reserve(&mut self, len: usize) -> Result<(), Full> {
        let room = self.room();
        if len <= room { Ok(()) } else { Err(Full { needed: len, room }) }
    }

    #[inline]
    fn put_blank(&mut self, len: usize) -> Option<&mut [u8]> {
        let blank = self.buffer.get_mut(self.len..)?.get_mut(..len)?;
        self.len += len;
        Some(blank)
    }

    #[inline]
    fn take_back(&mut self, len: usize) {
        self.len = self.len.saturating_sub(len);
    }

    fn mark(&self) -> usize {
        self.len
    }

    fn rewind(&mut self, mark: usize) {
        self.len = self.len.min(mark);
    }

    fn since(&self, mark: usize) -> usize {
        self.len.saturating_sub(mark)
    }
}

/// Copies `from` to `to`, which is as long: what is short by one or two overlapping words, without a call.
#[inline]
fn copy(to: &mut [u8], from: &[u8]) {
    if from.len() <= 16
        && let (Some(first), Some(last)) = (from.first_chunk::<8>(), from.last_chunk::<8>())
    {
        if let Some(to) = to.first_chunk_mut() {
            *to = *first;
        }
        if let Some(to) = to.last_chunk_mut() {
            *to = *last;
        }
        return;
    }
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

impl<L: LenType, B: VecStorage<u8> + ?Sized> Sink for VecInner<u8, L, B> {
    type Full = Full;
    type Mark = usize;

    #[inline]
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let room = self.capacity() - self.len();
        self.extend_from_slice(bytes).map_err(|_| Full { needed: bytes.len(), room })
    }

    fn reserve(&mut self, len: usize) -> Result<(), Full> {
        let room = self.capacity() - self.len();
        if len <= room { Ok(()) } else { Err(Full { needed: len, room }) }
    }

    fn mark(&self) -> usize {
        self.len()
    }

    fn rewind(&mut self, mark: usize) {
        self.truncate(mark);
    }

    fn since(&self, mark: usize) -> usize {
        self.len().saturating_sub(mark)
    }
}

#[cfg(feature = "alloc")]
impl Sink for alloc::vec::Vec<u8> {
    type Full = Infallible;
    type Mark = usize;

    #[inline]
    fn put(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.extend_from_slice(bytes);
        Ok(())
    }

    /// Only where it takes no more memory.
    #[inline]
    fn put_blank(&mut self, len: usize) -> Option<&mut [u8]> {
        let before = self.len();
        if len > self.capacity() - before {
            return None;
        }
        self.resize(before + len, 0);
        self.get_mut(before..)
    }

    #[inline]
    fn take_back(&mut self, len: usize) {
        self.truncate(self.len().saturating_sub(len));
    }

    fn mark(&self) -> usize {
        self.len()
    }

    fn rewind(&mut self, mark: usize) {
        self.truncate(mark);
    }

    fn since(&self, mark: usize) -> usize {
        self.len().saturating_sub(mark)
    }
}

/// Measures: counts the bytes and keeps none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count(usize);

impl Count {
    /// Nothing counted yet.
    pub const fn new() -> Self {
        Self(0)
    }

    /// The bytes counted so far.
    pub const fn bytes(self) -> usize {
        self.0
    }
}

impl Sink for Count {
    type Full = Infallible;
    type Mark = usize;

    #[inline]
    fn put(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(())
    }

    fn mark(&self) -> usize {
        self.0
    }

    fn rewind(&mut self, mark: usize) {
        self.0 = self.0.min(mark);
    }

    fn since(&self, mark: usize) -> usize {
        self.0.saturating_sub(mark)
    }
}

impl<S: Sink + ?Sized> Sink for &mut S {
    type Full = S::Full;
    type Mark = S::Mark;

    #[inline]
    fn put(&mut self, bytes: &[u8]) -> Result<(), Self::Full> {
        (**self).put(bytes)
    }

    fn reserve(&mut self, len: usize) -> Result<(), Self::Full> {
        (**self).reserve(len)
    }

    #[inline]
    fn put_blank(&mut self, len: usize) -> Option<&mut [u8]> {
        (**self).put_blank(len)
    }

    #[inline]
    fn take_back(&mut self, len: usize) {
        (**self).take_back(len);
    }

    fn mark(&self) -> Self::Mark {
        (**self).mark()
    }

    fn rewind(&mut self, mark: Self::Mark) {
        (**self).rewind(mark);
    }

    fn since(&self, mark: Self::Mark) -> usize {
        (**self).since(mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounded<S: Sink<Full = Full> + ?Sized>(sink: &mut S, read: fn(&S) -> &[u8]) {
        let start = sink.mark();
        assert_eq!(sink.put(b"abc"), Ok(()));
        let mark = sink.mark();
        assert_eq!(sink.put(b"defgh"), Err(Full { needed: 5, room: 2 }));
        assert_eq!(sink.reserve(3), Err(Full { needed: 3, room: 2 }));
        assert_eq!(sink.reserve(2), Ok(()));
        assert_eq!(read(sink), b"abc");
        assert_eq!(sink.put(b"de"), Ok(()));
        assert_eq!((sink.since(start), sink.since(mark)), (5, 2));
        sink.rewind(mark);
        assert_eq!(read(sink), b"abc");
        sink.rewind(start);
        assert_eq!(read(sink), b"");
    }

    #[test]
    fn bounded_sinks_take_all_or_nothing_and_come_back() {
        let mut buffer = [0; 5];
        bounded(&mut Slice::new(&mut buffer), |slice| slice.as_bytes());
        bounded(&mut heapless::Vec::<u8, 5>::new(), |vec| vec.as_slice());
        bounded(heapless::Vec::<u8, 5>::new().as_mut_view(), |vec| vec.as_slice());
    }

    #[test]
    fn a_count_is_what_a_slice_holds() {
        let mut buffer = [0; 16];
        let (mut slice, mut count) = (Slice::new(&mut buffer), Count::new());
        for piece in [&b"one"[..], b"", b"four"] {
            slice.put(piece).unwrap_or_default();
            count.put(piece).unwrap_or_default();
        }
        assert_eq!(slice.len(), count.bytes());
        assert_eq!(slice.as_str(), Some("onefour"));
        assert_eq!(slice.into_written(), b"onefour");
    }

    #[test]
    fn a_borrowed_sink_is_the_sink() {
        let mut buffer = [0; 5];
        bounded(&mut &mut Slice::new(&mut buffer), |slice| slice.as_bytes());
        bounded(&mut &mut heapless::Vec::<u8, 5>::new(), |vec| vec.as_slice());
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn an_unbounded_sink_comes_back_too() {
        fn comes_back<S: Sink<Full = Infallible>>(mut sink: S) {
            let start = sink.mark();
            assert_eq!((sink.put(b"abc"), sink.reserve(usize::MAX >> 1)), (Ok(()), Ok(())));
            let mark = sink.mark();
            assert_eq!(sink.put(b"de"), Ok(()));
            assert_eq!((sink.since(start), sink.since(mark)), (5, 2));
            sink.rewind(mark);
            assert_eq!((sink.since(start), sink.since(mark)), (3, 0));
        }
        comes_back(alloc::vec::Vec::new());
        comes_back(Count::new());
    }

    #[test]
    fn a_slice_is_empty_until_something_is_put_and_says_what_it_had_no_room_for() {
        let mut buffer = [0; 4];
        let mut slice = Slice::new(&mut buffer);
        assert!(slice.is_empty());
        assert_eq!(slice.put(b"abc"), Ok(()));
        assert!(!slice.is_empty());
        let full = slice.put(b"de").unwrap_err();
        assert_eq!(std::format!("{full}"), "no room: 2 bytes needed, 1 free");
    }
}
