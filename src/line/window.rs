//! The quick way into a sink: room for all the lines of a datum, checked once and written to a word at a time.

#![cfg_attr(
    any(target_os = "none", target_arch = "wasm32", no_shortcuts),
    allow(dead_code, unused_imports, reason = "no window is opened where there are no shortcuts")
)]

use uuid::Uuid;

use super::Sink;
use super::compact::SHORTCUTS;
use super::number::hyphenated;
use super::out::{Out, Pair, Put};
use super::seen::Seen;
use super::text::{WORD, ends_are_plain, ends_of, mix, odd_in_json, odd_in_name, odd_in_text, short_words};
use crate::{EncodeError, InvalidInput};

/// Room beyond what a datum is expected to take: a word may be written where only its beginning counts, and some
/// characters become two.
const SPARE: usize = 32;

/// Room in a sink, filled from its beginning.
///
/// Nothing is checked against the limit of a line here: there is no more room than one line may have. What takes more
/// than was expected is not written, which is noted, and then all of it is written by way of [`Out`].
#[derive(Debug)]
pub(crate) struct Window<'w> {
    room: &'w mut [u8],
    /// How much is written; [`SPILLED`] once there was too little room.
    at: usize,
}

/// More than any room has.
const SPILLED: usize = usize::MAX;

/// Writes the lines of one datum, each of at most `line_limit` bytes: through a window, where the sink has room for
/// `expected` bytes and some more, else through an [`Out`]. Both are to do the same. On an error the sink is as it was.
#[inline(always)]
pub(crate) fn lines<S: Sink + ?Sized>(
    sink: &mut S,
    line_limit: usize,
    expected: impl FnOnce() -> usize,
    through_window: impl FnOnce(&mut Window<'_>) -> Result<u32, InvalidInput>,
    through_out: impl FnOnce(&mut Out<'_, S>) -> Result<u32, InvalidInput>,
) -> Result<u32, EncodeError<S::Full>> {
    if SHORTCUTS && let Some(outcome) = Window::lines(sink, line_limit, expected(), through_window) {
        return outcome;
    }
    Out::lines(sink, line_limit, through_out)
}

impl Window<'_> {
    /// `None`, and the sink is as it was, if it has not the room or more of it was needed.
    #[inline(always)]
    fn lines<S: Sink + ?Sized>(
        sink: &mut S,
        line_limit: usize,
        expected: usize,
        write: impl FnOnce(&mut Window<'_>) -> Result<u32, InvalidInput>,
    ) -> Option<Result<u32, EncodeError<S::Full>>> {
        let len = expected.checked_add(SPARE).filter(|len| *len <= line_limit)?;
        let mut window = Window { room: sink.put_blank(len)?, at: 0 };
        let outcome = write(&mut window);
        let at = window.at;
        sink.take_back(if outcome.is_ok() { len.saturating_sub(at) } else { len });
        if at != SPILLED {
            return Some(outcome.map_err(EncodeError::Invalid));
        }
        // An error has given everything back already.
        if outcome.is_ok() {
            sink.take_back(len);
        }
        None
    }

    #[cold]
    fn spill(&mut self) {
        self.at = SPILLED;
    }

    /// Writes a pair, of which key and value are checked word by word on the way, if it is not `seen`.
    #[inline(always)]
    fn put_checked(
        &mut self,
        seen: &mut Seen,
        [before, between, after]: [&[u8]; 3],
        (key, odd_in_key): (&[u8], impl Fn(usize) -> usize),
        (value, odd_in_value): (&[u8], impl Fn(usize) -> usize),
    ) -> Pair {
        let Some(rest) = self.room.get_mut(self.at..) else { return Pair::Odd };
        let Some((rest, ends)) = literal(rest, before).and_then(|rest| copy(rest, key, odd_in_key)) else {
            return Pair::Odd;
        };
        let rest = literal(rest, between).and_then(|rest| copy(rest, value, odd_in_value));
        if rest.and_then(|(rest, _)| literal(rest, after)).is_none() {
            return Pair::Odd;
        }
        if seen.may_have(mix(ends, key.len())) {
            return Pair::Repeated;
        }
        self.at += before.len() + key.len() + between.len() + value.len() + after.len();
        Pair::Written
    }
}

impl Put for Window<'_> {
    /// For what has a length that is known when the program is compiled.
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        if self.room.get_mut(self.at..).and_then(|rest| literal(rest, bytes)).is_none() {
            return self.spill();
        }
        self.at += bytes.len();
    }

    #[inline(always)]
    fn put_digits(&mut self, digits: &[u8]) {
        if self.room.get_mut(self.at..).and_then(|rest| copy(rest, digits, |_| 0)).is_none() {
            return self.spill();
        }
        self.at += digits.len();
    }

    /// There is no more room than for one line, whatever the datum has.
    #[inline(always)]
    fn end_line(&mut self) -> Result<(), InvalidInput> {
        Ok(())
    }

    fn skipped(&mut self, len: usize) -> bool {
        let skip = self.room.get(self.at..).is_none_or(|room| len > room.len());
        if skip {
            self.spill();
        }
        skip
    }

    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(always)]
    fn put_text(&mut self, before: &[u8], text: &[u8], after: &[u8]) {
        let rest = self.room.get_mut(self.at..).and_then(|rest| literal(rest, before));
        let rest = rest.and_then(|rest| copy(rest, text, |_| 0)).and_then(|(rest, _)| literal(rest, after));
        if rest.is_none() {
            return self.spill();
        }
        self.at += before.len() + text.len() + after.len();
    }

    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline]
    fn put_id(&mut self, before: &[u8], id: &Uuid) {
        let rest = self.room.get_mut(self.at..).and_then(|rest| literal(rest, before));
        let Some(text) = rest.and_then(|rest| rest.first_chunk_mut()) else { return self.spill() };
        hyphenated(id, text);
        self.at += before.len() + text.len();
    }

    // Once in a program, so that it has the registers for itself.
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(never)]
    fn put_tag(&mut self, seen: &mut Seen, key: &[u8], value: &[u8]) -> Pair {
        if !ends_are_plain(value) {
            return Pair::Odd;
        }
        self.put_checked(seen, [b" \"", b"\"=\"", b"\""], (key, odd_in_name), (value, odd_in_text))
    }

    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(never)]
    fn put_field(&mut self, seen: &mut Seen, key: &[u8], value: &[u8]) -> Pair {
        self.put_checked(seen, [b"\"", b"\":\"", b"\""], (key, odd_in_json), (value, odd_in_json))
    }
}

/// Writes what is known when the program is compiled, and returns the rest of the room.
#[inline(always)]
fn literal<'r>(room: &'r mut [u8], bytes: &[u8]) -> Option<&'r mut [u8]> {
    let (to, rest) = room.split_at_mut_checked(bytes.len())?;
    to.copy_from_slice(bytes);
    Some(rest)
}

/// Writes `text`, if there is room for it and a word, and `odd` finds nothing in its words (nor in letters): else
/// something may be written. Returns the rest of the room, and the ends of the text for [`mix`].
#[inline(always)]
fn copy<'r>(room: &'r mut [u8], text: &[u8], odd: impl Fn(usize) -> usize) -> Option<(&'r mut [u8], u64)> {
    let (Some(first), Some(last)) = (text.first_chunk::<WORD>(), text.last_chunk::<WORD>()) else {
        let (word, ends) = short_words(text);
        *room.first_chunk_mut()? = word.to_le_bytes();
        return if odd(ends) == 0 { room.get_mut(text.len()..).map(|rest| (rest, ends as u64)) } else { None };
    };
    let (to, rest) = room.split_at_mut_checked(text.len())?;
    if text.len() > 2 * WORD {
        let words = text.as_chunks::<WORD>().0.iter().skip(1);
        for (to, word) in to.as_chunks_mut::<WORD>().0.iter_mut().skip(1).zip(words) {
            *to = *word;
            if odd(usize::from_le_bytes(*word)) != 0 {
                return None;
            }
        }
    }
    *to.first_chunk_mut()? = *first;
    *to.last_chunk_mut()? = *last;
    let (first, last) = (usize::from_le_bytes(*first), usize::from_le_bytes(*last));
    if (odd(first) | odd(last)) == 0 { Some((rest, ends_of(first, last))) } else { None }
}
