//! One datum on its way into a sink: all its lines or none.

use super::Sink;
use super::seen::Seen;
#[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
use super::{
    number::{put_decimal_in_pieces, put_id_to},
    ordinary::{InJson, holds_for},
    text::{are_plain, fingerprint},
};
use crate::{EncodeError, Field, InvalidInput, Problem};
#[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
use uuid::Uuid;

/// Takes the bytes of a line. It cannot fail: [`Out`] notes what went wrong and says so at the end, so the encoders are
/// free of error paths for it.
pub(crate) trait Put {
    fn put(&mut self, bytes: &[u8]);

    /// [`put`](Self::put) for digits, letters and hyphens, which nothing escapes.
    #[inline]
    fn put_digits(&mut self, digits: &[u8]) {
        self.put(digits);
    }

    /// [`put`](Self::put) for text of any length, between what is known when the program is compiled.
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline]
    fn put_text(&mut self, before: &[u8], text: &[u8], after: &[u8]) {
        [before, text, after].into_iter().filter(|piece| !piece.is_empty()).for_each(|piece| self.put(piece));
    }

    /// Writes an integer.
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline]
    fn put_u64(&mut self, value: u64) {
        self.put_digits(itoa::Buffer::new().format(value).as_bytes());
    }

    /// Writes ten-thousandths, with at least one decimal and no zero after it at the end.
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline]
    fn put_decimal(&mut self, scaled: u64) {
        put_decimal_in_pieces(scaled, self);
    }

    /// Writes `before` and the id.
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline]
    fn put_id(&mut self, before: &[u8], id: &Uuid) {
        self.put(before);
        let mut text = [0; 36];
        put_id_to(id, &mut text);
        self.put_digits(&text);
    }

    /// Writes two ids, each after what stands before it.
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline]
    fn put_ids(&mut self, befores: [&[u8]; 2], ids: [&Uuid; 2]) {
        befores.into_iter().zip(ids).for_each(|(before, id)| self.put_id(before, id));
    }

    /// Writes `before`, the text and `after`, if nothing of the text is trimmed or escaped and it has no more bytes
    /// than `limit`; else nothing. May say no without cause.
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline]
    fn put_plain(&mut self, before: &[u8], text: &str, limit: usize, after: &[u8]) -> bool {
        let _ = (before, text, limit, after);
        false
    }

    /// Writes ` "key"="value"` if nothing of it is cleaned, trimmed or escaped, the key begins with no less than
    /// `first`, and it was not `seen`. There is a key.
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline]
    fn put_tag(&mut self, seen: &mut Seen, first: u8, key: &[u8], value: &[u8]) -> Pair {
        if key.first().is_none_or(|byte| *byte < first) || !are_plain(key, value) {
            return Pair::Odd;
        }
        if seen.may_have(fingerprint(key)) {
            return Pair::Repeated;
        }
        [b" \"", key, b"\"=\"", value, b"\""].into_iter().for_each(|piece| self.put(piece));
        Pair::Written
    }

    /// Writes `"key":"value"` if nothing of it is escaped, and the key was not `seen`.
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline]
    fn put_field(&mut self, seen: &mut Seen, key: &[u8], value: &[u8]) -> Pair {
        if !(holds_for::<InJson>(key) && holds_for::<InJson>(value)) {
            return Pair::Odd;
        }
        if seen.may_have(fingerprint(key)) {
            return Pair::Repeated;
        }
        [b"\"", key, b"\":\"", value, b"\""].into_iter().for_each(|piece| self.put(piece));
        Pair::Written
    }

    /// Checks the line that ends here (its LF is written) against the limit.
    fn end_line(&mut self) -> Result<(), InvalidInput>;

    /// Counts `len` bytes without writing them, if they would not be written anyway; else says no.
    fn skipped(&mut self, len: usize) -> bool;
}

/// What became of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pair {
    Written,
    /// Not written: a key with its fingerprint was there.
    Repeated,
    /// Not written, and not known to be ordinary.
    Odd,
}

/// [`Put::put_text`].
#[inline(always)]
pub(crate) fn put_text(before: &[u8], text: &[u8], after: &[u8], out: &mut (impl Put + ?Sized)) {
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    out.put_text(before, text, after);
    #[cfg(any(target_os = "none", target_arch = "wasm32", no_shortcuts))]
    [before, text, after].into_iter().filter(|piece| !piece.is_empty()).for_each(|piece| out.put(piece));
}

/// [`Put::put_plain`], where there are shortcuts.
#[inline(always)]
pub(crate) fn put_plain(before: &[u8], text: &str, limit: usize, after: &[u8], out: &mut (impl Put + ?Sized)) -> bool {
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    return out.put_plain(before, text, limit, after);
    #[cfg(any(target_os = "none", target_arch = "wasm32", no_shortcuts))]
    {
        let _ = (before, text, limit, after, out);
        false
    }
}

/// [`Put::put_tag`], where there are shortcuts.
#[inline(always)]
pub(crate) fn put_tag(seen: &mut Seen, first: u8, key: &str, value: &str, out: &mut (impl Put + ?Sized)) -> Pair {
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    return out.put_tag(seen, first, key.as_bytes(), value.as_bytes());
    #[cfg(any(target_os = "none", target_arch = "wasm32", no_shortcuts))]
    {
        let _ = (seen, first, key, value, out);
        Pair::Odd
    }
}

/// [`Put::put_field`], where there are shortcuts.
#[inline(always)]
pub(crate) fn put_field(seen: &mut Seen, key: &str, value: &str, out: &mut (impl Put + ?Sized)) -> Pair {
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    return out.put_field(seen, key.as_bytes(), value.as_bytes());
    #[cfg(any(target_os = "none", target_arch = "wasm32", no_shortcuts))]
    {
        let _ = (seen, key, value, out);
        Pair::Odd
    }
}

/// Writes lines to a sink until one is over the limit or the sink is full; from there on it only counts, so that the
/// error tells the true length.
#[derive(Debug)]
pub(crate) struct Out<'s, S: Sink + ?Sized> {
    sink: &'s mut S,
    /// What the present line may still take; nothing once it is lost.
    left: usize,
    /// Where the present line has to end, counted from the beginning of the datum.
    end: usize,
    /// Where it began.
    start: usize,
    line_limit: usize,
    /// The bytes so far, counted since they are no longer written.
    lost: Option<usize>,
    full: Option<S::Full>,
}

impl<'s, S: Sink + ?Sized> Out<'s, S> {
    /// Writes the lines of one datum, each of at most `line_limit` bytes. On an error the sink is as it was.
    #[inline]
    pub(crate) fn lines(
        sink: &'s mut S,
        line_limit: usize,
        write: impl FnOnce(&mut Self) -> Result<u32, InvalidInput>,
    ) -> Result<u32, EncodeError<S::Full>> {
        let mark = sink.mark();
        let mut out = Self { sink, left: line_limit, end: line_limit, start: 0, line_limit, lost: None, full: None };
        match write(&mut out) {
            Ok(lines) if out.full.is_none() => Ok(lines),
            outcome => Err(out.undo(mark, outcome.err())),
        }
    }

    /// [`lines`](Self::lines) for a datum of one line.
    #[inline]
    pub(crate) fn line(
        sink: &'s mut S,
        line_limit: usize,
        write: impl FnOnce(&mut Self) -> Result<(), InvalidInput>,
    ) -> Result<u32, EncodeError<S::Full>> {
        Self::lines(sink, line_limit, |out| {
            write(out)?;
            out.end_line()?;
            Ok(1)
        })
    }

    /// How many bytes there are so far, written or not.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.lost.unwrap_or(self.end - self.left)
    }

    #[cold]
    fn lose(&mut self, len: usize) {
        self.lost = Some(self.len().saturating_add(len));
        self.left = 0;
    }

    #[cold]
    fn undo(self, mark: S::Mark, invalid: Option<InvalidInput>) -> EncodeError<S::Full> {
        let needed = self.len();
        self.sink.rewind(mark);
        match (invalid, self.full) {
            (None, Some(full)) => EncodeError::Full(self.sink.reserve(needed).err().unwrap_or(full)),
            (Some(invalid), _) => invalid.into(),
            // Not reached: there is one or the other.
            (None, None) => InvalidInput::new(Field::Line, Problem::Missing).into(),
        }
    }
}

impl<S: Sink + ?Sized> Put for Out<'_, S> {
    #[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
    fn put(&mut self, bytes: &[u8]) {
        if bytes.len() > self.left {
            return self.lose(bytes.len());
        }
        match self.sink.put(bytes) {
            Ok(()) => self.left -= bytes.len(),
            Err(full) => {
                self.full = Some(full);
                self.lose(bytes.len());
            }
        }
    }

    #[inline]
    fn end_line(&mut self) -> Result<(), InvalidInput> {
        let at = self.len();
        // A length that no `usize` holds stays below no limit, even if none is greater.
        if at > self.end || self.lost.is_some() && self.full.is_none() {
            let len = at - self.start;
            return Err(InvalidInput::new(Field::Line, Problem::TooLong { limit: self.line_limit, len }));
        }
        self.start = at;
        self.end = at.saturating_add(self.line_limit);
        self.left = if self.lost.is_some() { 0 } else { self.end - at };
        Ok(())
    }

    fn skipped(&mut self, len: usize) -> bool {
        let skip = len > self.left;
        if skip {
            self.lose(len);
        }
        skip
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::line::{Count, Full, Slice};

    #[test]
    fn nothing_over_the_limit_reaches_the_sink() {
        let mut count = Count::new();
        let mut most = 0;
        let error = Out::line(&mut count, 10, |out| {
            for _ in 0..100 {
                out.put(b"abc");
                most = most.max(out.sink.bytes());
            }
            Ok(())
        });
        let invalid = InvalidInput::new(Field::Line, Problem::TooLong { limit: 10, len: 300 });
        assert_eq!((error, count.bytes(), most), (Err(EncodeError::Invalid(invalid)), 0, 9));
    }

    #[test]
    fn the_limit_is_for_each_line() {
        let lines = |len: [usize; 2]| {
            Out::lines(&mut Count::new(), 4, |out| {
                for len in len {
                    (0..len).for_each(|_| out.put(b"x"));
                    out.end_line()?;
                }
                Ok(2)
            })
        };
        assert_eq!(lines([4, 4]), Ok(2));
        let invalid = InvalidInput::new(Field::Line, Problem::TooLong { limit: 4, len: 5 });
        assert_eq!(lines([4, 5]), Err(invalid.into()));
        assert_eq!(lines([5, 1]), Err(invalid.into()));
    }

    #[test]
    fn what_only_was_counted_is_an_error_under_any_limit() {
        let error = Out::line(&mut Count::new(), usize::MAX, |out| {
            out.put(b"x");
            assert!(out.skipped(usize::MAX));
            Ok(())
        });
        let invalid = InvalidInput::new(Field::Line, Problem::TooLong { limit: usize::MAX, len: usize::MAX });
        assert_eq!(error, Err(EncodeError::Invalid(invalid)));
    }

    #[test]
    fn a_full_sink_says_what_all_of_it_needs() {
        let mut buffer = *b"........";
        let mut slice = Slice::new(&mut buffer);
        slice.put(b"kept").unwrap();
        let error = Out::line(&mut slice, 100, |out| {
            (0..4).for_each(|_| out.put(b"ab"));
            Ok(())
        });
        assert_eq!(error, Err(EncodeError::Full(Full { needed: 8, room: 4 })));
        assert_eq!(slice.as_bytes(), b"kept");
    }
}
