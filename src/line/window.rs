//! The quick way into a sink: room for all the lines of a datum, checked once and written to a word at a time.

#![cfg_attr(
    any(target_os = "none", target_arch = "wasm32", no_shortcuts),
    allow(dead_code, unused_imports, reason = "no window is opened where there are no shortcuts")
)]

use uuid::Uuid;

use super::Sink;
use super::compact::SHORTCUTS;
#[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
use super::digits::{decimal, integer};
use super::number::{ID, put_id_to, put_two_ids};
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
    fn put_checked<K: Odd, V: Odd>(
        &mut self,
        seen: &mut Seen,
        [before, between, after]: [&[u8]; 3],
        key: &[u8],
        value: &[u8],
    ) -> Pair {
        let rest = self.room.get_mut(self.at..).and_then(|rest| literal(rest, before));
        let Some((rest, ends)) = rest.and_then(|rest| copy::<K>(rest, key)) else { return Pair::Odd };
        let rest = literal(rest, between).and_then(|rest| copy::<V>(rest, value));
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
        if self.room.get_mut(self.at..).and_then(|rest| copy::<Nothing>(rest, digits)).is_none() {
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
        let rest = rest.and_then(|rest| copy::<Nothing>(rest, text)).and_then(|(rest, _)| literal(rest, after));
        if rest.is_none() {
            return self.spill();
        }
        self.at += before.len() + text.len() + after.len();
    }

    // Straight to the room, and not by way of a buffer: what has just been written in pieces is not soon read in words.
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(never)]
    fn put_u64(&mut self, value: u64) -> bool {
        let len = self.room.len();
        let rest = self.room.get_mut(self.at..).and_then(|rest| integer(rest, value));
        self.at = rest.map_or(SPILLED, |rest| len - rest.len());
        true
    }

    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(never)]
    fn put_decimal(&mut self, scaled: u64) -> bool {
        let len = self.room.len();
        let rest = self.room.get_mut(self.at..).and_then(|rest| decimal(rest, scaled));
        self.at = rest.map_or(SPILLED, |rest| len - rest.len());
        true
    }

    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(always)]
    fn put_id(&mut self, before: &[u8], id: &Uuid) {
        let rest = self.room.get_mut(self.at..).and_then(|rest| literal(rest, before));
        let Some(text) = rest.and_then(|rest| rest.first_chunk_mut()) else { return self.spill() };
        put_id_to(id, text);
        self.at += before.len() + text.len();
    }

    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(always)]
    fn put_ids(&mut self, befores: [&[u8]; 2], ids: [&Uuid; 2]) {
        let rest = self.room.get_mut(self.at..).and_then(|rest| literal(rest, befores[0]));
        let Some((first, rest)) = rest.and_then(|rest| rest.split_first_chunk_mut()) else { return self.spill() };
        let second = literal(rest, befores[1]).and_then(|rest| rest.first_chunk_mut());
        let Some(second) = second else { return self.spill() };
        put_two_ids(ids, [first, second]);
        self.at += befores[0].len() + befores[1].len() + 2 * ID;
    }

    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(always)]
    fn put_plain(&mut self, before: &[u8], text: &str, limit: usize, after: &[u8]) -> bool {
        let text = text.as_bytes();
        if text.len() > limit || !ends_are_plain(text) {
            return false;
        }
        let rest = self.room.get_mut(self.at..).and_then(|rest| literal(rest, before));
        let rest = rest.and_then(|rest| copy::<InText>(rest, text)).and_then(|(rest, _)| literal(rest, after));
        if rest.is_none() {
            return false;
        }
        self.at += before.len() + text.len() + after.len();
        true
    }

    // Once in a program, so that it has the registers for itself.
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(never)]
    fn put_tag(&mut self, seen: &mut Seen, key: &[u8], value: &[u8]) -> Pair {
        if !ends_are_plain(value) {
            return Pair::Odd;
        }
        self.put_checked::<InName, InText>(seen, [b" \"", b"\"=\"", b"\""], key, value)
    }

    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(never)]
    fn put_field(&mut self, seen: &mut Seen, key: &[u8], value: &[u8]) -> Pair {
        self.put_checked::<InJson, InJson>(seen, [b"\"", b"\":\"", b"\""], key, value)
    }
}

/// Writes what is known when the program is compiled, and returns the rest of the room.
#[inline(always)]
fn literal<'r>(room: &'r mut [u8], bytes: &[u8]) -> Option<&'r mut [u8]> {
    let (to, rest) = room.split_at_mut_checked(bytes.len())?;
    to.copy_from_slice(bytes);
    Some(rest)
}

/// What is odd in a sort of text. (Types, not functions: each is compiled into the place it is used at.)
trait Odd {
    /// The bits of a word that tell it; none in letters.
    fn odd(word: usize) -> usize;

    /// Copies all whole words, and says whether nothing odd is in them. It is a call, so that shorter text, which most
    /// is, has the registers for itself.
    #[inline(never)]
    fn long(to: &mut [u8], text: &[u8]) -> bool {
        let words = text.as_chunks::<WORD>().0.iter();
        let found = to.as_chunks_mut::<WORD>().0.iter_mut().zip(words).fold(0, |found, (to, word)| {
            *to = *word;
            found | Self::odd(usize::from_le_bytes(*word))
        });
        found == 0
    }
}

struct InName;
struct InText;
struct InJson;
struct Nothing;

impl Odd for InName {
    #[inline(always)]
    fn odd(word: usize) -> usize {
        odd_in_name(word)
    }
}

impl Odd for InText {
    #[inline(always)]
    fn odd(word: usize) -> usize {
        odd_in_text(word)
    }
}

impl Odd for InJson {
    #[inline(always)]
    fn odd(word: usize) -> usize {
        odd_in_json(word)
    }
}

impl Odd for Nothing {
    #[inline(always)]
    fn odd(_: usize) -> usize {
        0
    }
}

/// Writes `text`, if there is room for it and a word, and nothing odd is in it: else something
/// may be written. Returns the rest of the room, and the ends of the text for [`mix`].
#[inline(always)]
fn copy<'r, O: Odd>(room: &'r mut [u8], text: &[u8]) -> Option<(&'r mut [u8], u64)> {
    let (Some(first), Some(last)) = (text.first_chunk::<WORD>(), text.last_chunk::<WORD>()) else {
        let (word, ends) = short_words(text);
        *room.first_chunk_mut()? = word.to_le_bytes();
        return if O::odd(ends) == 0 { room.get_mut(text.len()..).map(|rest| (rest, ends as u64)) } else { None };
    };
    let (to, rest) = room.split_at_mut_checked(text.len())?;
    if text.len() > 2 * WORD && !O::long(to, text) {
        return None;
    }
    *to.first_chunk_mut()? = *first;
    *to.last_chunk_mut()? = *last;
    let (first, last) = (usize::from_le_bytes(*first), usize::from_le_bytes(*last));
    if (O::odd(first) | O::odd(last)) == 0 { Some((rest, ends_of(first, last))) } else { None }
}
