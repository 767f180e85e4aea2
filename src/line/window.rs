//! The quick way into a sink: room for all the lines of a datum, checked once and written to in few pieces.

#![cfg_attr(
    any(target_os = "none", target_arch = "wasm32", no_shortcuts),
    allow(dead_code, unused_imports, reason = "no window is opened where there are no shortcuts")
)]

use uuid::Uuid;

use super::Sink;
use super::compact::SHORTCUTS;
#[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
use super::digits::{decimal, integer};
use super::number::{put_id_to, put_two_ids};
use super::ordinary::{InJson, InName, InText, InWord, Rule, holds_in};
use super::out::{Out, Pair, Put};
use super::seen::Seen;
use super::text::{ends_are_plain, fingerprint};
use crate::{EncodeError, InvalidInput};

/// Room beyond what a datum is expected to take: a word may be written where only its beginning counts, and some
/// characters become two.
const SPARE: usize = 48;

/// Room in a sink, filled from its beginning.
///
/// Nothing is checked against the limit of a line here: there is no more room than one line may have. What takes more
/// than was expected is not written, which is noted, and then all of it is written by way of [`Out`].
#[derive(Debug)]
pub(crate) struct Window<'w> {
    rest: &'w mut [u8],
    /// Whether there was too little room.
    spilled: bool,
}

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
    elsewhere(sink, line_limit, through_out)
}

/// The long way. A call, so that the quick one has the registers for itself.
#[cfg_attr(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)), cold, inline(never))]
fn elsewhere<S: Sink + ?Sized>(
    sink: &mut S,
    line_limit: usize,
    write: impl FnOnce(&mut Out<'_, S>) -> Result<u32, InvalidInput>,
) -> Result<u32, EncodeError<S::Full>> {
    Out::lines(sink, line_limit, write)
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
        let mut window = Window { rest: sink.put_blank(len)?, spilled: false };
        let outcome = write(&mut window);
        let Window { rest, spilled } = window;
        let left = if spilled || outcome.is_err() { len } else { rest.len() };
        sink.take_back(left);
        (!spilled).then(|| outcome.map_err(EncodeError::Invalid))
    }

    #[cold]
    fn spill(&mut self) {
        (self.rest, self.spilled) = (&mut [], true);
    }

    /// Writes what comes next to the room, of which the rest is returned, or none if it was too little.
    #[inline(always)]
    fn go_on(&mut self, write: impl FnOnce(&mut [u8]) -> Option<&mut [u8]>) {
        match write(core::mem::take(&mut self.rest)) {
            Some(rest) => self.rest = rest,
            None => self.spill(),
        }
    }

    /// So much was written.
    #[inline(always)]
    fn advance(&mut self, len: usize) {
        self.go_on(|rest| rest.get_mut(len..));
    }

    /// Writes a pair of which the rules hold, if its key is not `seen`.
    #[inline(always)]
    fn put_pair<F: Form>(&mut self, seen: &mut Seen, first: u8, key: &[u8], value: &[u8]) -> Pair {
        let room = self.rest.first_chunk_mut();
        if !room.is_some_and(|room| put_short::<F>(room, first, key, value)) {
            return self.put_any::<F>(seen, first, key, value);
        }
        self.written::<F>(seen, key, value)
    }

    /// The same for pairs of any length.
    #[inline(never)]
    fn put_any<F: Form>(&mut self, seen: &mut Seen, first: u8, key: &[u8], value: &[u8]) -> Pair {
        if key.first().is_some_and(|byte| *byte < first) || F::IS_TRIMMED && !ends_are_plain(value) {
            return Pair::Odd;
        }
        let rest = literal(self.rest, F::BEFORE);
        let rest = rest.and_then(|rest| copy::<F::Key>(rest, key)).and_then(|rest| literal(rest, F::BETWEEN));
        if rest.and_then(|rest| copy::<F::Value>(rest, value)).and_then(|rest| literal(rest, b"\"")).is_none() {
            return Pair::Odd;
        }
        self.written::<F>(seen, key, value)
    }

    /// Counts what was written, if it is not a repeated key.
    #[inline(always)]
    fn written<F: Form>(&mut self, seen: &mut Seen, key: &[u8], value: &[u8]) -> Pair {
        if seen.may_have(fingerprint(key)) {
            return Pair::Repeated;
        }
        self.advance(key.len() + value.len() + F::BEFORE.len() + F::BETWEEN.len() + 1);
        Pair::Written
    }
}

impl Put for Window<'_> {
    /// For what has a length that is known when the program is compiled.
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.go_on(|rest| literal(rest, bytes));
    }

    #[inline(always)]
    fn put_digits(&mut self, digits: &[u8]) {
        self.go_on(|rest| copy::<Any>(rest, digits));
    }

    /// There is no more room than for one line, whatever the datum has.
    #[inline(always)]
    fn end_line(&mut self) -> Result<(), InvalidInput> {
        Ok(())
    }

    fn skipped(&mut self, len: usize) -> bool {
        let skip = len > self.rest.len();
        if skip {
            self.spill();
        }
        skip
    }

    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(always)]
    fn put_text(&mut self, before: &[u8], text: &[u8], after: &[u8]) {
        self.go_on(|rest| {
            literal(rest, before).and_then(|rest| copy::<Any>(rest, text)).and_then(|rest| literal(rest, after))
        });
    }

    // Straight to the room, and not by way of a buffer: what has just been written in pieces is not soon read in words.
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(always)]
    fn put_u64(&mut self, value: u64) {
        self.go_on(|rest| {
            let len = integer(rest.first_chunk_mut()?, value);
            rest.get_mut(len..)
        });
    }

    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(always)]
    fn put_decimal(&mut self, scaled: u64) {
        self.go_on(|rest| {
            let len = decimal(rest.first_chunk_mut()?, scaled);
            rest.get_mut(len..)
        });
    }

    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(always)]
    fn put_id(&mut self, before: &[u8], id: &Uuid) {
        self.go_on(|rest| {
            let (text, rest) = literal(rest, before)?.split_first_chunk_mut()?;
            put_id_to(id, text);
            Some(rest)
        });
    }

    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(always)]
    fn put_ids(&mut self, befores: [&[u8]; 2], ids: [&Uuid; 2]) {
        self.go_on(|rest| {
            let (first, rest) = literal(rest, befores[0])?.split_first_chunk_mut()?;
            let (second, rest) = literal(rest, befores[1])?.split_first_chunk_mut()?;
            put_two_ids(ids[0], ids[1], first, second);
            Some(rest)
        });
    }

    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(always)]
    fn put_plain(&mut self, before: &[u8], text: &str, limit: usize, after: &[u8]) -> bool {
        let text = text.as_bytes();
        if text.len() > limit {
            return false;
        }
        let rest = literal(self.rest, before).and_then(|rest| rest.split_at_mut_checked(text.len()));
        let Some((to, rest)) = rest else { return false };
        let held = if text.len() <= SHORT { copy_at::<InText>(to, 0, text) } else { copy_long::<InText>(to, text) };
        if !held || !ends_are_plain(to) || literal(rest, after).is_none() {
            return false;
        }
        self.advance(before.len() + text.len() + after.len());
        true
    }

    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(always)]
    fn put_tag(&mut self, seen: &mut Seen, first: u8, key: &[u8], value: &[u8]) -> Pair {
        self.put_pair::<Tag>(seen, first, key, value)
    }

    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    #[inline(always)]
    fn put_field(&mut self, seen: &mut Seen, key: &[u8], value: &[u8]) -> Pair {
        self.put_pair::<JsonField>(seen, 0, key, value)
    }
}

/// What a pair looks like: a `"` is its end.
trait Form {
    type Key: Rule;
    type Value: Rule;
    /// What of values is written on the shortest way.
    type ShortValue: Rule;
    const BEFORE: &'static [u8];
    const BETWEEN: &'static [u8];
    /// Whether white space and backslashes are taken from the ends of values.
    const IS_TRIMMED: bool;
}

/// ` "key"="value"`
struct Tag;

/// `"key":"value"`
struct JsonField;

impl Form for Tag {
    type Key = InName;
    type Value = InText;
    type ShortValue = InWord;
    const BEFORE: &'static [u8] = b" \"";
    const BETWEEN: &'static [u8] = b"\"=\"";
    const IS_TRIMMED: bool = true;
}

impl Form for JsonField {
    type Key = InJson;
    type Value = InJson;
    type ShortValue = InJson;
    const BEFORE: &'static [u8] = b"\"";
    const BETWEEN: &'static [u8] = b"\":\"";
    const IS_TRIMMED: bool = false;
}

/// No key of a short pair is longer, nor any text that two overlapping words hold.
const SHORT: usize = 16;

/// No value of a short pair is longer: what three times sixteen bytes hold.
const SHORT_VALUE: usize = 3 * SHORT;

/// Room for any short pair: it is checked once.
type Room = [u8; SHORT + SHORT_VALUE + 6];

/// Writes a pair that is short and not empty, if the rules hold and the key begins with no less than `first`.
#[inline(always)]
fn put_short<F: Form>(room: &mut Room, first: u8, key: &[u8], value: &[u8]) -> bool {
    if key.len() > SHORT || value.len() > SHORT_VALUE || F::IS_TRIMMED && value.last() == Some(&b'\\') {
        return false;
    }
    let middle = F::BEFORE.len() + key.len();
    let to_value = middle + F::BETWEEN.len();
    put_at(room, 0, F::BEFORE);
    // The key's first byte is read from the room: of bytes that have been read already, compilers make no vectors.
    if !copy_at::<F::Key>(room, F::BEFORE.len(), key) || room[F::BEFORE.len()] < first {
        return false;
    }
    put_at(room, middle, F::BETWEEN);
    let held = match value.len() {
        0..=SHORT => copy_at::<F::ShortValue>(room, to_value, value),
        17..=32 => copy_ends_at::<F::ShortValue, 16>(room, to_value, value),
        _ => {
            // One after the other: of all their bytes at once compilers make no vectors.
            copy_ends_at::<F::ShortValue, 16>(room, to_value, value.first_chunk::<32>().map_or(value, |text| text))
                && value.last_chunk::<16>().is_some_and(|text| {
                    copy_ends_at::<F::ShortValue, 16>(room, to_value + value.len() - text.len(), text)
                })
        }
    };
    put_at(room, to_value + value.len(), b"\"");
    held
}

/// Where there is room: whoever calls has seen to it.
#[inline(always)]
fn put_at(room: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(to) = room.get_mut(at..).and_then(|room| room.get_mut(..bytes.len())) {
        to.copy_from_slice(bytes);
    }
}

/// Copies text of at most sixteen bytes, and says whether the rule holds for all of it and there is any.
#[inline(always)]
fn copy_at<R: Rule>(room: &mut [u8], at: usize, text: &[u8]) -> bool {
    if text.len() >= 8 {
        copy_ends_at::<R, 8>(room, at, text)
    } else if text.len() >= 4 {
        copy_ends_at::<R, 4>(room, at, text)
    } else {
        !text.is_empty() && copy_few_at::<R>(room, at, text)
    }
}

/// One to three bytes: the first, the last, and one of them or between them.
#[inline(always)]
fn copy_few_at<R: Rule>(room: &mut [u8], at: usize, text: &[u8]) -> bool {
    let (middle, end) = (text.len() / 2, text.len() - 1);
    let (Some(first), Some(other), Some(last)) = (text.first(), text.get(middle), text.last()) else { return false };
    put_at(room, at, &[*first]);
    put_at(room, at + middle, &[*other]);
    put_at(room, at + end, &[*last]);
    R::holds(*first) & R::holds(*other) & R::holds(*last)
}

/// Copies the first and the last bytes: all, where there are not more than that.
#[inline(always)]
fn copy_ends_at<R: Rule, const N: usize>(room: &mut [u8], at: usize, text: &[u8]) -> bool {
    let (Some(first), Some(last)) = (text.first_chunk::<N>(), text.last_chunk::<N>()) else { return false };
    // First what is asked byte by byte: of words that have been read already, the compiler would take their bytes.
    let held = holds_in::<R, N>(first, last);
    put_at(room, at, first);
    put_at(room, at + text.len() - N, last);
    held
}

/// Writes what is known when the program is compiled, and returns the rest of the room.
#[inline(always)]
fn literal<'r>(room: &'r mut [u8], bytes: &[u8]) -> Option<&'r mut [u8]> {
    let (to, rest) = room.split_at_mut_checked(bytes.len())?;
    to.copy_from_slice(bytes);
    Some(rest)
}

/// Whatever it is.
struct Any;

impl Rule for Any {
    #[inline(always)]
    fn holds(_: u8) -> bool {
        true
    }
}

/// Copies `text`, if there is room for it and the rule holds for all of it, and returns the rest of the room; else
/// something may be written.
#[inline(always)]
fn copy<'r, R: Rule>(room: &'r mut [u8], text: &[u8]) -> Option<&'r mut [u8]> {
    let (to, rest) = room.split_at_mut_checked(text.len())?;
    let held = match text.len() {
        0 => true,
        1..=SHORT => copy_at::<R>(to, 0, text),
        _ => copy_long::<R>(to, text),
    };
    held.then_some(rest)
}

/// A call, so that shorter text, which most is, has the registers for itself.
#[inline(never)]
fn copy_long<R: Rule>(to: &mut [u8], text: &[u8]) -> bool {
    let chunks = to.as_chunks_mut::<16>().0.iter_mut().zip(text.as_chunks::<16>().0);
    let mut held = true;
    for (to, text) in chunks {
        held &= holds_in::<R, 16>(text, text);
        *to = *text;
    }
    if let (Some(to), Some(text)) = (to.last_chunk_mut::<16>(), text.last_chunk::<16>()) {
        held &= holds_in::<R, 16>(text, text);
        *to = *text;
    }
    held
}

#[cfg(test)]
#[cfg(not(no_shortcuts))]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::*;
    use crate::line::Slice;
    use crate::{Field, Problem};

    /// Text of this length, with this byte at this place.
    fn text(len: usize, odd: Option<(usize, u8)>) -> String {
        let mut text: Vec<u8> = (0..len).map(|at| b"abcdefgh-_.XYZ"[at % 14]).collect();
        if let Some((at, byte)) = odd.filter(|(at, _)| *at < len) {
            text[at] = byte;
        }
        String::from_utf8(text).unwrap_or_default()
    }

    /// What is written where there is so much room; none if that was too little.
    fn written(room: usize, write: impl FnOnce(&mut Window<'_>)) -> Option<Vec<u8>> {
        let mut bytes = std::vec![0; room];
        let mut window = Window { rest: &mut bytes, spilled: false };
        write(&mut window);
        let (left, spilled) = (window.rest.len(), window.spilled);
        bytes.truncate(room - left);
        (!spilled).then_some(bytes)
    }

    /// A window and any other place are given the same, or nothing: what a window says it has not written is not there.
    fn same(put: impl Fn(&mut dyn Put, &mut Seen, &[u8], &[u8]) -> Pair, key: &str, value: &str) {
        let (mut out, key, value) = (Vec::new(), key.as_bytes(), value.as_bytes());
        let expected = put(&mut out, &mut Seen::new(), key, value);
        let written = written(200, |window| assert_eq!(put(window, &mut Seen::new(), key, value), expected));
        assert_eq!(written, Some(out), "{key:?} {value:?}");
    }

    fn in_both_forms(key: &str, value: &str) {
        if !key.is_empty() {
            same(|out, seen, key, value| out.put_tag(seen, 0, key, value), key, value);
            same(|out, seen, key, value| out.put_tag(seen, b'A', key, value), key, value);
        }
        same(|out, seen, key, value| out.put_field(seen, key, value), key, value);
    }

    #[test]
    fn pairs_of_every_length_are_written_as_elsewhere() {
        for key in 0..40 {
            for value in 0..80 {
                in_both_forms(&text(key, None), &text(value, None));
            }
        }
    }

    #[test]
    fn a_key_begins_with_no_less_than_it_is_to() {
        for (key, value) in (1..40).flat_map(|key| [1, 30, 45, 60].map(|value| (key, value))) {
            let (is_short, key, value) = (key <= 16 && value <= 48, text(key, None), text(value, None));
            for first in b"\0Aab" {
                same(|out, seen, key, value| out.put_tag(seen, *first, key, value), &key, &value);
                let short = put_short::<Tag>(&mut [0; 70], *first, key.as_bytes(), value.as_bytes());
                assert_eq!(short, is_short && *first <= b'a', "{first} {key} {value}");
            }
        }
    }

    #[test]
    fn an_odd_byte_is_found_at_every_place() {
        for len in 1..70 {
            for odd in (0..len).flat_map(|at| b"\"\\\n\x04\x1F !#~\x7F:@".map(|byte| Some((at, byte)))) {
                in_both_forms("key", &text(len, odd));
                in_both_forms(&text(len, odd), "value");
            }
        }
        for value in ["\u{A0}x", "x\u{2003}", "h\u{F6}st", "\u{6E29}\u{5EA6}", "x\\", " x", "x "] {
            in_both_forms("key", value);
        }
    }

    #[test]
    fn where_there_is_no_room_nothing_counts() {
        let (key, value) = (text(9, None), text(60, None));
        let len = key.len() + value.len() + 6;
        for room in 0..120 {
            let written = written(room, |window| {
                let pair = window.put_tag(&mut Seen::new(), 0, key.as_bytes(), value.as_bytes());
                assert_eq!(pair == Pair::Written, room >= len);
            });
            assert_eq!(written.map(|written| written.len()), Some(if room >= len { len } else { 0 }));
        }
    }

    #[test]
    fn plain_text_is_written_between_what_stands_around_it_or_not_at_all() {
        for (len, limit) in (0..60).flat_map(|len| [(len, len), (len + 1, len)]) {
            let text = text(len, None);
            let is_plain = len <= limit && len > 0;
            let written = written(80, |window| assert_eq!(window.put_plain(b"<", &text, limit, b">"), is_plain));
            assert_eq!(written, Some(if is_plain { std::format!("<{text}>").into_bytes() } else { Vec::new() }));
        }
    }

    #[test]
    fn text_that_is_to_be_trimmed_is_not_plain() {
        for len in 1..40 {
            for odd in b" \t\\" {
                for at in [0, len - 1] {
                    let mut bytes = text(len, None).into_bytes();
                    bytes[at] = *odd;
                    let Ok(text) = String::from_utf8(bytes) else { continue };
                    let is_plain = *odd == b'\\' && at + 1 < len;
                    written(80, |window| assert_eq!(window.put_plain(b"<", &text, 80, b">"), is_plain, "{text:?}"));
                }
            }
        }
        written(80, |window| assert!(!window.put_plain(b"<", "\u{A0}x", 80, b">")));
        written(80, |window| assert!(!window.put_plain(b"<", "x\u{2003}", 80, b">")));
    }

    #[test]
    fn short_pairs_take_the_shortest_way() {
        for (key, value) in (1..40).flat_map(|key| (1..80).map(move |value| (key, value))) {
            let (short, key, value) = (key <= 16 && value <= 48, text(key, None), text(value, None));
            let (mut tag, mut field) = ([0; 70], [0; 70]);
            assert_eq!(put_short::<Tag>(&mut tag, 0, key.as_bytes(), value.as_bytes()), short, "{key} {value}");
            assert_eq!(put_short::<JsonField>(&mut field, 0, key.as_bytes(), value.as_bytes()), short, "{key} {value}");
        }
    }

    #[test]
    fn whatever_is_written_is_as_elsewhere_and_what_has_no_room_is_noted() {
        let ids = [0x0123_4567_89AB_CDEF_FEDC_BA98_7654_3210, u128::MAX].map(Uuid::from_u128);
        let text = text(40, None);
        let check = |needed: usize, write: &dyn Fn(&mut dyn Put)| {
            let mut expected = Vec::new();
            write(&mut expected);
            let needed = expected.len().max(needed);
            for room in 0..=120 {
                let enough = (room >= needed).then(|| expected.clone());
                assert_eq!(written(room, |window| write(window)), enough, "{room} of {needed}");
                let twice = |window: &mut Window<'_>| [(), ()].iter().for_each(|()| write(window));
                assert!(room >= needed || written(room, twice).is_none(), "{room} of {needed}, and then more");
            }
        };
        check(0, &|out| out.put(b" source=\""));
        check(0, &|out| out.put_digits(b"1e16"));
        check(0, &|out| out.put_digits(b"-1.7976931348623157e308"));
        for len in 0..=text.len() {
            check(0, &|out| out.put_text(b" \"", &text.as_bytes()[..len], b"\" "));
        }
        // With room for the longest, and a word.
        check(24, &|out| out.put_u64(1_234_567_890));
        check(32, &|out| out.put_decimal(12_345_000));
        check(0, &|out| out.put_id(b" traceId=", &ids[0]));
        check(0, &|out| out.put_ids([b" traceId=", b" spanId="], [&ids[0], &ids[1]]));
    }

    #[test]
    fn only_what_would_not_be_written_is_skipped() {
        for (room, len) in (0..15).flat_map(|room| (0..20).chain([usize::MAX]).map(move |len| (room, len))) {
            let written = written(room, |window| assert_eq!(window.skipped(len), len > room, "{len} of {room}"));
            assert_eq!(written.is_none(), len > room, "{len} of {room}");
        }
    }

    #[test]
    fn lines_go_through_a_window_with_room_for_them_or_else_as_they_would_without() {
        let invalid = Problem::Blank.of(Field::Line);
        let end = |valid: bool, lines| if valid { Ok(lines) } else { Err(invalid) };
        let out = |valid: bool, len: usize| {
            move |out: &mut Out<'_, Slice<'_>>| {
                (0..len).for_each(|_| out.put(b"o"));
                out.end_line()?;
                end(valid, 2)
            }
        };
        let case = |valid: bool, limit: usize, expected: usize, room: usize, len: usize| {
            let (mut buffer, mut other) = ([0; 120], [0; 120]);
            let (mut slice, mut other) = (Slice::new(&mut buffer[..room]), Slice::new(&mut other[..room]));
            assert_eq!((slice.put(b"kept"), other.put(b"kept")), (Ok(()), Ok(())));
            let through_window = |window: &mut Window<'_>| {
                (0..len).for_each(|_| window.put(b"w"));
                end(valid, 1)
            };
            let outcome = lines(&mut slice, limit, || expected, through_window, out(valid, len));
            let opened = expected.checked_add(SPARE).filter(|opened| *opened <= limit && *opened <= room - 4);
            let expected = if opened.is_some_and(|opened| len <= opened) {
                let written = if valid { len } else { 0 };
                assert_eq!(other.put(&b"w".repeat(written)), Ok(()));
                end(valid, 1).map_err(EncodeError::Invalid)
            } else {
                Out::lines(&mut other, limit, out(valid, len))
            };
            assert_eq!((outcome, slice.as_bytes()), (expected, other.as_bytes()), "{limit} {room} {len}");
        };
        for (limit, expected) in
            [0, 47, 48, 49, 60, 200].into_iter().flat_map(|at| [0, 1, 12, usize::MAX].map(|e| (at, e)))
        {
            for (room, len) in
                [4, 51, 52, 53, 64, 65, 120].into_iter().flat_map(|room| (40..64).map(move |len| (room, len)))
            {
                [true, false].into_iter().for_each(|valid| case(valid, limit, expected, room, len));
            }
        }
    }
}
