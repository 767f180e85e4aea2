//! The two sorts of text in a line, cleaned as the reader needs it.
//!
//! A [`Name`] (of a metric, a histogram, a key) has few legal characters; every other code point becomes one `-`. A
//! [`Text`] (source, tag value, span name and so on) is trimmed, and `"` and LF are escaped. Ordinary input is checked
//! many bytes at once and written in one piece; only what is out of the ordinary is looked at byte by byte.

use core::iter::from_fn;

use super::compact::SHORTCUTS;
use super::ordinary::{InName, InText, holds_for};
use super::out::{Put, put_text};
use crate::{Field, InvalidInput, Problem};

/// Whether all of `bytes` is legal anywhere in a name.
#[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
fn is_legal(bytes: &[u8]) -> bool {
    holds_for::<InName>(bytes)
}

/// What a byte is in a name.
#[derive(PartialEq)]
enum Class {
    Legal,
    Illegal,
    /// It continues a character of UTF-8.
    Continuation,
}

/// A bit for each byte of ASCII: whether it is legal in a name.
static LEGAL: [u32; 4] = {
    let (mut legal, mut byte) = ([0; 4], 0);
    while byte < 0x80 {
        if matches!(byte as u8, b','..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_') {
            legal[byte >> 5] |= 1 << (byte & 31);
        }
        byte += 1;
    }
    legal
};

#[inline]
fn class(byte: u8) -> Class {
    match LEGAL.get(usize::from(byte >> 5)) {
        Some(bits) if bits >> (byte & 31) & 1 != 0 => Class::Legal,
        None if byte < 0xC0 => Class::Continuation,
        _ => Class::Illegal,
    }
}

/// Whether this is one character of the white space that is trimmed: Unicode's, and U+001C–1F.
const fn is_space(character: &[u8]) -> bool {
    matches!(
        character,
        [0x09..=0x0D | 0x1C..=0x20]
            | [0xC2, 0x85 | 0xA0]
            | [0xE1, 0x9A, 0x80]
            | [0xE2, 0x80, 0x80..=0x8A | 0xA8 | 0xA9 | 0xAF]
            | [0xE2, 0x81, 0x9F]
            | [0xE3, 0x80, 0x80]
    )
}

/// Without white space at the beginning.
fn trim_start(mut text: &[u8]) -> &[u8] {
    while let Some((_, rest)) = (1..=3).filter_map(|len| text.split_at_checked(len)).find(|(first, _)| is_space(first))
    {
        text = rest;
    }
    text
}

/// Without white space and backslashes at the end.
fn trim_end(mut text: &[u8]) -> &[u8] {
    loop {
        let mut ends = (1..=3).filter_map(|len| text.split_at_checked(text.len().checked_sub(len)?));
        match ends.find(|(_, last)| is_space(last) || *last == b"\\") {
            Some((rest, _)) => text = rest,
            None => return text,
        }
    }
}

/// Whether nothing but white space is in `text`.
pub(crate) fn is_blank(text: &str) -> bool {
    trim_start(text.as_bytes()).is_empty()
}

/// How many characters there are.
fn characters(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte & 0xC0 != 0x80).count()
}

/// The length in UTF-16 code units: one a code point, two for those beyond U+FFFF.
pub(crate) fn utf16_len(text: &[u8]) -> usize {
    characters(text) + text.iter().filter(|&&byte| byte >= 0xF0).count()
}

/// The name of a metric or histogram, or a key: a prefix that is legal only there, and the rest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name<'a> {
    prefix: &'a [u8],
    rest: &'a [u8],
    /// Whether the rest is legal as it stands.
    clean: bool,
}

/// What a [`Name`] is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Name,
    Delta,
    Key,
    SpanKey,
}

impl<'a> Name<'a> {
    /// The name of a metric or histogram.
    #[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
    pub(crate) fn new(raw: &'a str, field: Field) -> Result<Self, InvalidInput> {
        Self::of(raw, field, Form::Name)
    }

    /// The name of a delta counter: `∆` in front unless it starts with `∆` or `Δ`.
    #[inline]
    pub(crate) fn delta(raw: &'a str, field: Field) -> Result<Self, InvalidInput> {
        Self::of(raw, field, Form::Delta)
    }

    /// A key. One that is only a delta crashes the reader as a name does; `~` alone does not.
    #[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
    pub(crate) fn key(raw: &'a str, field: Field) -> Result<Self, InvalidInput> {
        Self::of(raw, field, Form::Key)
    }

    /// The key of a span tag: `_` in front of one made of digits only, which would be read as the start time.
    #[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
    pub(crate) fn span_key(raw: &'a str, field: Field) -> Result<Self, InvalidInput> {
        Self::of(raw, field, Form::SpanKey)
    }

    // For devices and pages there is one of it, elsewhere one for each form.
    #[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
    #[cfg_attr(any(target_os = "none", target_arch = "wasm32"), inline(never))]
    pub(crate) fn of(raw: &'a str, field: Field, form: Form) -> Result<Self, InvalidInput> {
        let mut name = Self::parts(raw, field)?;
        if form == Form::Delta {
            match name.prefix {
                b"" => name.prefix = "∆".as_bytes(),
                b"~" => name.prefix = "∆~".as_bytes(),
                _ => {}
            }
        }
        if name.rest.is_empty() && (matches!(form, Form::Name | Form::Delta) || name.is_delta()) {
            return Err(InvalidInput::new(field, Problem::PrefixOnly));
        }
        if form == Form::SpanKey
            && name.rest.first().is_some_and(u8::is_ascii_digit)
            && name.prefix.is_empty()
            && name.rest.iter().all(u8::is_ascii_digit)
        {
            name.prefix = b"_";
        }
        Ok(name)
    }

    /// Anything but a blank.
    #[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
    pub(crate) fn parts(raw: &'a str, field: Field) -> Result<Self, InvalidInput> {
        if is_legal(raw.as_bytes()) && !raw.is_empty() {
            return Ok(Self { prefix: b"", rest: raw.as_bytes(), clean: true });
        }
        Self::odd_parts(raw, field)
    }

    #[cold]
    fn odd_parts(raw: &'a str, field: Field) -> Result<Self, InvalidInput> {
        if is_blank(raw) {
            return Err(InvalidInput::new(field, Problem::Blank));
        }
        let raw = raw.as_bytes();
        let rest = after_delta(raw).unwrap_or(raw);
        let rest = rest.strip_prefix(b"~").unwrap_or(rest);
        let (prefix, rest) = raw.split_at_checked(raw.len() - rest.len()).unwrap_or((&[], raw));
        Ok(Self { prefix, rest, clean: is_legal(rest) })
    }

    /// Whether the reader takes a metric of this name for a delta counter.
    pub(crate) fn is_delta(&self) -> bool {
        after_delta(self.prefix).is_some()
    }

    /// The name as it was given, if nothing was cleaned.
    pub(crate) fn as_given(&self) -> Option<&'a [u8]> {
        (SHORTCUTS && self.clean && self.prefix.is_empty()).then_some(self.rest)
    }

    /// At most so many UTF-16 units.
    pub(crate) fn at_most(&self) -> usize {
        self.prefix.len() + self.rest.len()
    }

    /// The length in UTF-16 units. Every code point is one here: those beyond U+FFFF have become `-`.
    pub(crate) fn units(&self) -> usize {
        characters(self.prefix) + characters(self.rest)
    }

    /// Says whether it is over `limit`.
    #[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
    pub(crate) fn check(&self, limit: usize, field: Field) -> Result<(), InvalidInput> {
        if SHORTCUTS && self.at_most() <= limit { Ok(()) } else { over(limit, self.units(), field) }
    }

    /// The cleaned bytes, one by one.
    fn bytes(&self) -> impl Iterator<Item = u8> {
        let (mut prefix, mut rest) = (self.prefix.iter(), self.rest.iter());
        from_fn(move || {
            if let Some(&byte) = prefix.next() {
                return Some(byte);
            }
            loop {
                let &byte = rest.next()?;
                match class(byte) {
                    Class::Legal => return Some(byte),
                    Class::Illegal => return Some(b'-'),
                    Class::Continuation => {}
                }
            }
        })
    }

    /// Whether both are written alike.
    pub(crate) fn is(&self, other: &Name<'_>) -> bool {
        match (self.as_given(), other.as_given()) {
            (Some(this), Some(other)) => this == other,
            _ => are_equal(self.bytes(), other.bytes()),
        }
    }

    /// Whether the key `other` is written as this one.
    pub(crate) fn is_written_from(&self, other: &str) -> bool {
        match self.as_given() {
            Some(given) if is_legal(other.as_bytes()) => given == other.as_bytes(),
            _ => Name::key(other, Field::TagKey).is_ok_and(|other| other.is(self)),
        }
    }

    /// A number that is the same for names that are written alike, and seldom else.
    pub(crate) fn fingerprint(&self) -> u32 {
        if !SHORTCUTS {
            return 0;
        }
        if let Some(given) = self.as_given() {
            return fingerprint(given);
        }
        let (mut head, mut tail, mut len) = (0, 0, 0_usize);
        for byte in self.bytes() {
            if len < 4 {
                head |= u64::from(byte) << (8 * len);
            }
            tail = tail >> 8 | u64::from(byte) << 56;
            len += 1;
        }
        mix(if len < 4 { head } else { tail >> 32 << 32 | head }, len)
    }

    /// Writes `before`, then the name, then `after`.
    #[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
    pub(crate) fn put_between(&self, before: &[u8], after: &[u8], out: &mut (impl Put + ?Sized)) {
        if let Some(given) = self.as_given() {
            return put_text(before, given, after, out);
        }
        self.put_odd(before, after, out);
    }

    #[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), cold)]
    fn put_odd(&self, before: &[u8], after: &[u8], out: &mut (impl Put + ?Sized)) {
        out.put(before);
        self.put(out);
        out.put(after);
    }

    /// Writes it, without quotes.
    #[inline]
    pub(crate) fn put(&self, out: &mut (impl Put + ?Sized)) {
        if !self.prefix.is_empty() {
            out.put(self.prefix);
        }
        if self.clean {
            put_text(b"", self.rest, b"", out);
        } else {
            put_cleaned(self.rest, out);
        }
    }
}

/// What follows a delta in front, if there is one.
pub(crate) const fn after_delta(name: &[u8]) -> Option<&[u8]> {
    match name {
        // U+2206, the increment; U+0394, the Greek letter.
        [0xE2, 0x88, 0x86, rest @ ..] | [0xCE, 0x94, rest @ ..] => Some(rest),
        _ => None,
    }
}

fn are_equal(mut these: impl Iterator<Item = u8>, mut those: impl Iterator<Item = u8>) -> bool {
    loop {
        match (these.next(), those.next()) {
            (None, None) => return true,
            (this, that) if this != that => return false,
            _ => {}
        }
    }
}

/// The fingerprint of a name that is written as it is: of its first and its last four bytes and its length.
#[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
pub(crate) const fn fingerprint(name: &[u8]) -> u32 {
    if !SHORTCUTS {
        return 0;
    }
    let (first, last) = match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => (u32::from_le_bytes(*first), u32::from_le_bytes(*last)),
        _ => (short(name), 0),
    };
    mix(first as u64 | (last as u64) << 32, name.len())
}

/// Less than four bytes, as one number.
#[inline(always)]
const fn short(name: &[u8]) -> u32 {
    match *name {
        [a, b, c, ..] => u32::from_le_bytes([a, b, c, 0]),
        [a, b] => u32::from_le_bytes([a, b, 0, 0]),
        [a] => a as u32,
        [] => 0,
    }
}

#[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
pub(crate) const fn mix(ends: u64, len: usize) -> u32 {
    ((ends ^ len as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}

#[cold]
fn put_cleaned(mut rest: &[u8], out: &mut (impl Put + ?Sized)) {
    while !rest.is_empty() {
        let legal = rest.iter().position(|&byte| class(byte) != Class::Legal).unwrap_or(rest.len());
        let (run, other) = rest.split_at_checked(legal).unwrap_or((rest, &[]));
        if !run.is_empty() {
            put_text(b"", run, b"", out);
        }
        if let Some((_, other)) = other.split_first() {
            out.put(b"-");
            let next = other.iter().position(|&byte| class(byte) != Class::Continuation).unwrap_or(other.len());
            rest = other.get(next..).unwrap_or_default();
        } else {
            rest = &[];
        }
    }
}

/// Whether `key` and `value` are written as they are: no clean-up, no escape, no trimming.
#[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
#[inline(always)]
pub(crate) fn are_plain(key: &[u8], value: &[u8]) -> bool {
    is_legal(key) && ends_are_plain(value) && holds_for::<InText>(value)
}

/// A source, tag value, span name, event name, annotation value or event tag: trimmed, not blank.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    trimmed: &'a [u8],
    /// Whether it needs no escape.
    plain: bool,
}

impl<'a> Text<'a> {
    #[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
    pub(crate) fn new(raw: &'a str, field: Field) -> Result<Self, InvalidInput> {
        let trimmed = trim(raw.as_bytes());
        if trimmed.is_empty() {
            return Err(InvalidInput::new(field, Problem::Blank));
        }
        Ok(Self { trimmed, plain: holds_for::<InText>(trimmed) })
    }

    /// The trimmed text, not escaped.
    pub(crate) fn as_bytes(&self) -> &'a [u8] {
        self.trimmed
    }

    /// At most so many UTF-16 units.
    #[inline]
    pub(crate) fn at_most(&self) -> usize {
        if self.plain { self.trimmed.len() } else { self.units() }
    }

    /// The length in UTF-16 units that the reader counts: an escaped quote is one, an escaped LF is two.
    pub(crate) fn units(&self) -> usize {
        utf16_len(self.trimmed) + self.trimmed.iter().filter(|&&byte| byte == b'\n').count()
    }

    /// Says whether it is over `limit`.
    #[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
    pub(crate) fn check(&self, limit: usize, field: Field) -> Result<(), InvalidInput> {
        if self.at_most() <= limit { Ok(()) } else { over(limit, self.units(), field) }
    }

    /// Whether both are written alike.
    pub(crate) fn is(&self, other: &Text<'_>) -> bool {
        are_equal(self.bytes(), other.bytes())
    }

    /// The bytes after clean-up, with LF for its escape: as good for a comparison, unless the escape itself was given.
    fn bytes(&self) -> impl Iterator<Item = u8> {
        let (mut bytes, mut after_backslash) = (self.trimmed.iter(), None);
        from_fn(move || {
            if let Some(byte) = after_backslash.take() {
                return Some(byte);
            }
            Some(match *bytes.next()? {
                b'\n' => {
                    after_backslash = Some(b'n');
                    b'\\'
                }
                4 => b'-',
                byte => byte,
            })
        })
    }

    /// Writes `before`, then the text, then `after`.
    #[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
    pub(crate) fn put_between(&self, before: &[u8], after: &[u8], out: &mut (impl Put + ?Sized)) {
        if SHORTCUTS && self.plain {
            return put_text(before, self.trimmed, after, out);
        }
        self.put_odd(before, after, out);
    }

    #[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), cold)]
    fn put_odd(&self, before: &[u8], after: &[u8], out: &mut (impl Put + ?Sized)) {
        out.put(before);
        self.put(out);
        out.put(after);
    }

    /// Writes it, without the quotes around it.
    #[inline]
    pub(crate) fn put(&self, out: &mut (impl Put + ?Sized)) {
        if self.plain {
            put_text(b"", self.trimmed, b"", out);
        } else {
            put_escaped(self.trimmed, out);
        }
    }
}

#[cold]
fn put_escaped(mut text: &[u8], out: &mut (impl Put + ?Sized)) {
    loop {
        let plain = text.iter().position(|byte| matches!(byte, b'"' | b'\n' | 4)).unwrap_or(text.len());
        let (run, rest) = text.split_at_checked(plain).unwrap_or((text, &[]));
        put_text(b"", run, b"", out);
        let Some((special, rest)) = rest.split_first() else { return };
        out.put(match special {
            b'"' => b"\\\"",
            b'\n' => b"\\n",
            _ => b"-",
        });
        text = rest;
    }
}

/// Whether nothing is there to trim, and something is there at all.
#[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
pub(crate) fn ends_are_plain(text: &[u8]) -> bool {
    let (Some(first), Some(last)) = (text.first(), text.last()) else { return false };
    (b'!'..0x80).contains(first) && (b'!'..0x80).contains(last) && *last != b'\\'
}

/// Without white space at both ends and backslashes at the end, of which neither is left at the end.
#[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
fn trim(raw: &[u8]) -> &[u8] {
    if SHORTCUTS && ends_are_plain(raw) { raw } else { trim_odd(raw) }
}

#[cold]
fn trim_odd(raw: &[u8]) -> &[u8] {
    trim_end(trim_start(raw))
}

#[cold]
fn over(limit: usize, len: usize, field: Field) -> Result<(), InvalidInput> {
    if len <= limit { Ok(()) } else { Err(InvalidInput::new(field, Problem::TooLong { limit, len })) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    use super::*;

    impl Put for Vec<u8> {
        fn put(&mut self, bytes: &[u8]) {
            self.extend_from_slice(bytes);
        }

        fn end_line(&mut self) -> Result<(), InvalidInput> {
            Ok(())
        }

        fn skipped(&mut self, _: usize) -> bool {
            false
        }
    }

    const F: Field = Field::TagKey;

    fn written(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn name(raw: &str) -> Result<String, Problem> {
        Name::new(raw, F).map(|name| written(|out| name.put(out))).map_err(|invalid| invalid.problem)
    }

    fn text(raw: &str) -> Result<String, Problem> {
        Text::new(raw, F).map(|text| written(|out| text.put(out))).map_err(|invalid| invalid.problem)
    }

    /// The table of the wire format, character by character.
    fn cleaned(rest: &str) -> String {
        rest.chars()
            .map(|c| if c.is_ascii_alphanumeric() || [',', '-', '.', '/', '_'].contains(&c) { c } else { '-' })
            .collect()
    }

    #[test]
    fn every_code_point_of_a_name_is_kept_or_one_dash_at_every_place_of_a_word() {
        let odd = ['∆', 'Δ', '温', '😀', '\u{80}', '\u{7FF}', '\u{FFFF}', '\u{10FFFF}'];
        for c in ('\0'..='\u{FF}').chain(odd) {
            for before in 1..18 {
                let raw = format!("{}{c}tail", &"abcdefghijklmnopqr"[..before]);
                assert_eq!(name(&raw), Ok(cleaned(&raw)), "{raw:?}");
            }
        }
    }

    #[test]
    fn prefixes_stand_only_in_front() {
        for (raw, clean) in [
            ("~a", "~a"),
            ("∆a", "∆a"),
            ("Δa", "Δa"),
            ("∆~a", "∆~a"),
            ("Δ~a", "Δ~a"),
            ("∆∆b", "∆-b"),
            ("~∆a", "~-a"),
            ("~~a", "~-a"),
            ("∆~~a", "∆~-a"),
            ("a~", "a-"),
        ] {
            assert_eq!(name(raw).as_deref(), Ok(clean));
        }
        for raw in ["~", "∆", "Δ", "∆~", "Δ~"] {
            assert_eq!(name(raw), Err(Problem::PrefixOnly));
        }
        for raw in ["", " ", "\u{1C}\u{A0}\n"] {
            assert_eq!(name(raw), Err(Problem::Blank));
        }
        for (raw, clean) in [("a", "∆a"), ("~a", "∆~a"), ("Δa", "Δa"), ("∆~a", "∆~a"), ("a b", "∆a-b"), ("∆Δ", "∆-")]
        {
            assert_eq!(written(|out| Name::delta(raw, F).unwrap().put(out)), clean);
        }
        assert_eq!(Name::delta("~", F).map(|_| ()), Err(Problem::PrefixOnly.of(F)));
    }

    #[test]
    fn keys() {
        assert!(Name::key("~", F).is_ok());
        assert_eq!(Name::key("Δ", F).map(|_| ()), Err(Problem::PrefixOnly.of(F)));
        for (raw, clean) in
            [("123", "_123"), ("12a", "12a"), ("1 2", "1-2"), ("1.5", "1.5"), ("a1", "a1"), ("~1", "~1")]
        {
            assert_eq!(written(|out| Name::span_key(raw, F).unwrap().put(out)), clean);
        }
    }

    #[test]
    fn a_fingerprint_is_of_what_is_written() {
        let same = [
            ("a b", "a-b"),
            ("a😀b", "a-b"),
            ("日本語の", "----"),
            ("long name with blanks", "long-name-with-blanks"),
            ("∆∆x", "∆-x"),
            ("ab", "ab"),
        ];
        for (raw, clean) in same {
            let (raw, clean) = (Name::key(raw, F).unwrap(), Name::key(clean, F).unwrap());
            assert!(raw.is(&clean) && clean.is(&raw));
            assert_eq!(raw.fingerprint(), clean.fingerprint());
        }
        let (digits, given) = (Name::span_key("12345", F).unwrap(), Name::span_key("_12345", F).unwrap());
        assert!(digits.is(&given));
        assert_eq!(digits.fingerprint(), given.fingerprint());
    }

    #[cfg(not(no_shortcuts))]
    #[test]
    fn fingerprints_tell_names_apart() {
        let marks: std::collections::HashSet<_> =
            (0..64).map(|i| Name::key(&format!("some.key.{i}"), F).unwrap().fingerprint()).collect();
        assert!(marks.len() > 40, "only {} different fingerprints of 64", marks.len());
    }

    #[test]
    fn white_space_is_that_of_unicode_and_four_more() {
        for c in '\0'..=char::MAX {
            let space = c.is_whitespace() || ('\u{1C}'..='\u{1F}').contains(&c);
            assert_eq!(is_space(c.encode_utf8(&mut [0; 4]).as_bytes()), space, "{c:?}");
        }
    }

    #[test]
    fn text_is_trimmed_and_escaped() {
        for (raw, clean) in [
            ("hello world", "hello world"),
            ("hello\"world\"", "hello\\\"world\\\""),
            ("a\nb", "a\\nb"),
            ("\u{A0}x\u{A0}", "x"),
            ("\u{1F}x\u{1C}", "x"),
            ("\u{200B}x", "\u{200B}x"),
            ("a\u{2028}b", "a\u{2028}b"),
            ("a\\", "a"),
            ("a\\ \\ \\\\", "a"),
            ("\\a", "\\a"),
            ("\\\"", "\\\\\""),
            ("\"\"", "\\\"\\\""),
            ("\u{4}", "-"),
            ("a\u{4}\nb\"", "a-\\nb\\\""),
            ("cr\ronly\tx", "cr\ronly\tx"),
            ("höst", "höst"),
            ("温度", "温度"),
        ] {
            assert_eq!(text(raw).as_deref(), Ok(clean), "{raw:?}");
        }
        for raw in ["", "  ", "\\", " \\ ", "\n", "\u{3000}"] {
            assert_eq!(text(raw), Err(Problem::Blank), "{raw:?}");
        }
    }

    #[test]
    fn an_escape_is_found_at_every_place_of_a_word() {
        for special in ['"', '\n', '\u{4}', '\u{5}', '\u{3}', '!', '#', '\u{B}', '\t', 'ä', '\u{84}'] {
            for before in 1..18 {
                let raw = format!("{}{special}z", &"abcdefghijklmnopqr"[..before]);
                let clean = raw.replace('"', "\\\"").replace('\n', "\\n").replace('\u{4}', "-");
                assert_eq!(text(&raw), Ok(clean), "{raw:?}");
            }
        }
    }

    #[test]
    fn lengths_are_in_utf16_units_of_what_the_reader_sees() {
        for raw in ["abc", "höst", "温度", "😀😀", "a\u{7FF}\u{800}\u{FFFF}\u{10000}"] {
            assert_eq!(utf16_len(raw.as_bytes()), raw.encode_utf16().count());
        }
        assert_eq!(Text::new("a\"b\nc", F).unwrap().units(), 6);
        assert_eq!(Name::new("a😀b", F).unwrap().units(), 3);
        assert_eq!(Name::delta("ab", F).unwrap().units(), 3);
        assert_eq!(Text::new("温度", F).unwrap().check(2, F), Ok(()));
        assert_eq!(Text::new("温😀", F).unwrap().check(2, F), Err(Problem::TooLong { limit: 2, len: 3 }.of(F)));
        assert_eq!(Text::new("ab\n.", F).unwrap().check(4, F), Err(Problem::TooLong { limit: 4, len: 5 }.of(F)));
    }

    #[test]
    fn texts_are_alike_if_they_are_written_alike() {
        let alike = |a, b| Text::new(a, F).unwrap().is(&Text::new(b, F).unwrap());
        assert!(alike(" a\\", "a") && alike("a\u{4}", "a-") && alike("a\nb", "a\\nb"));
        assert!(!alike("a\"b", "a\\\"b") && !alike("a", "b"));
    }
}
