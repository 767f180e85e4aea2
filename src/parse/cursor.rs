//! A line as tokens: quoted ones, the characters `=` and `#`, and everything else up to a space, a TAB or `=`.

use super::{
    character::{decimal_digit, is_whitespace},
    error::{Fault, Part, Reason},
    number,
    text::{Chars, Scan, Text},
};
use crate::line::compact::SHORTCUTS;

/// A token and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) text: Text<'a>,
    /// Where the token starts, in bytes of the line.
    pub(super) at: usize,
    /// Where its text starts, behind the quote if it has one.
    inner: usize,
}

impl<'a> Token<'a> {
    /// A text that stands `at` bytes into the line.
    #[cfg(test)]
    pub(super) const fn new(text: Text<'a>, at: usize) -> Self {
        Self { text, at, inner: at }
    }

    pub(super) const fn fault(&self, reason: Reason) -> Fault {
        Fault::new(self.at, reason)
    }

    /// A fault of the character that `chars`, an iterator over the text, gave last but for `behind` bytes.
    pub(super) const fn fault_before(&self, behind: &Chars<'_>, reason: Reason) -> Fault {
        Fault::new(self.inner + self.text.as_raw().len().saturating_sub(behind.bytes_left()), reason)
    }
}

/// A place in a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    scan: Scan<'a>,
    /// All of the text it walks over.
    whole: &'a str,
    /// Where that text starts, in bytes of the line.
    base: usize,
}

impl<'a> Cursor<'a> {
    /// At the start of `whole`, which stands `base` bytes into the line.
    pub(super) const fn new(whole: &'a str, base: usize) -> Self {
        Self { scan: Scan::new(whole, false), whole, base }
    }

    /// At the start of the inside of a JSON string.
    pub(super) const fn in_json(whole: &'a str, base: usize) -> Self {
        Self { scan: Scan::new(whole, true), whole, base }
    }

    /// Where it stands, in bytes of the line.
    pub(super) const fn at(&self) -> usize {
        self.base + self.whole.len() - self.scan.rest.len()
    }

    /// The end of its text, in bytes of the line.
    pub(super) const fn end(&self) -> usize {
        self.base + self.whole.len()
    }

    /// The same place in a text that ends at `end`, in bytes of the line.
    pub(super) fn up_to(self, end: usize) -> Self {
        let len = end.saturating_sub(self.at());
        let rest = self.scan.rest.get(..len).unwrap_or(self.scan.rest);
        Self { scan: Scan::new(rest, self.scan.is_json()), whole: rest, base: self.at() }
    }

    /// The next token, if there is one.
    pub(super) fn next(&mut self) -> Result<Option<Token<'a>>, Fault> {
        #[cfg(test)]
        super::steps::one();
        if SHORTCUTS
            && !self.scan.is_json()
            && let Some(token) = self.ordinary()
        {
            return Ok(Some(token));
        }
        let (first, start, at) = loop {
            let (start, at) = (self.scan.rest, self.at());
            match self.scan.next() {
                None => return Ok(None),
                Some(c) if is_whitespace(c) => {}
                Some(c) => break (c, start, at),
            }
        };
        let json = self.scan.is_json();
        if let '"' | '\'' = first {
            let inner = self.at();
            let (raw, backslash) = self.quoted(first).ok_or(Fault::new(at, Reason::UnclosedQuote))?;
            return Ok(Some(Token { text: Text::quoted(raw, first, json, backslash), at, inner }));
        }
        if first != '=' && first != '#' {
            self.unquoted();
        }
        let raw = start.get(..start.len() - self.scan.rest.len()).unwrap_or_default();
        Ok(Some(Token { text: Text::token(raw, None, json), at, inner: at }))
    }

    /// The next token, if at most one space is before it, and it is closed by quotes or starts with a letter or digit.
    fn ordinary(&mut self) -> Option<Token<'a>> {
        let start = self.scan.rest.strip_prefix(' ').unwrap_or(self.scan.rest);
        let at = self.base + self.whole.len() - start.len();
        match start.as_bytes().first()? {
            b'"' => {
                let mut inside = Self { scan: Scan::new(start.get(1..)?, false), ..*self };
                let (raw, backslash) = inside.quoted('"')?;
                *self = inside;
                Some(Token { text: Text::quoted(raw, '"', false, backslash), at, inner: at + 1 })
            }
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                let end = first_of(start.as_bytes(), [b' ', b'=', b'\t']).unwrap_or(start.len());
                let (raw, rest) = start.split_at_checked(end)?;
                self.scan = Scan::new(rest, false);
                Some(Token { text: Text::plain(raw), at, inner: at })
            }
            _ => None,
        }
    }

    /// The next token, without going past it.
    pub(super) fn peek(&self) -> Result<Option<Token<'a>>, Fault> {
        let mut ahead = *self;
        ahead.next()
    }

    /// The next token, which has to be there.
    pub(super) fn expect(&mut self, part: Part) -> Result<Token<'a>, Fault> {
        let end = self.end();
        self.next()?.ok_or(Fault::new(end, Reason::Missing(part)))
    }

    /// A key and its value, with `=` between, if the text does not end before.
    pub(super) fn pair(&mut self) -> Result<Option<(Token<'a>, Token<'a>)>, Fault> {
        match self.next()? {
            Some(key) => Ok(Some((key, self.value()?))),
            None => Ok(None),
        }
    }

    /// The `=` behind a key, and the value.
    pub(super) fn value(&mut self) -> Result<Token<'a>, Fault> {
        let end = self.end();
        if let Some(rest) = self.scan.rest.strip_prefix('=') {
            // As nearly everybody writes it.
            self.scan = Scan::new(rest, self.scan.is_json());
            return self.expect(Part::TagValue);
        }
        match self.next()? {
            Some(equals) if equals.text == "=" => self.expect(Part::TagValue),
            Some(other) => Err(other.fault(Reason::NoEquals)),
            None => Err(Fault::new(end, Reason::NoEquals)),
        }
    }

    /// A timestamp in milliseconds, if the next token starts with a digit.
    pub(super) fn timestamp(&mut self, part: Part) -> Result<Option<i64>, Fault> {
        let Some(token) = self.peek()? else { return Ok(None) };
        // The reader looks at the first character before it knows that there is one.
        let first = token.text.chars().next().ok_or(token.fault(Reason::Blank(part)))?;
        if decimal_digit(first).is_none() {
            return Ok(None);
        }
        let number = number::double(&token.text).ok_or(token.fault(Reason::NotANumber(part)))?;
        self.next()?;
        Ok(Some(number::milliseconds(number)))
    }

    /// The inside of a quoted token, its first quote already taken, and whether there is a backslash in it.
    fn quoted(&mut self, quote: char) -> Option<(&'a str, bool)> {
        let start = self.scan.rest;
        if !self.scan.is_json() {
            // A quote is one byte, and no byte of another character is like it.
            let bytes = start.as_bytes();
            let (mut from, mut backslash) = (0, false);
            loop {
                let at = from + first_of(bytes.get(from..)?, [quote as u8, b'\\', b'\\'])?;
                from = at + 1;
                if bytes.get(at) != Some(&b'\\') {
                    self.scan.rest = start.get(from..)?;
                    return Some((start.get(..at)?, backslash));
                }
                backslash = true;
                // Whatever stands before it: a quote behind a backslash ends nothing.
                from += usize::from(bytes.get(from).is_some_and(|&byte| char::from(byte) == quote));
            }
        }
        let mut last = quote;
        loop {
            let end = start.len() - self.scan.rest.len();
            let c = self.scan.next()?;
            if c == quote && last != '\\' {
                let raw = start.get(..end)?;
                return Some((raw, raw.contains('\\')));
            }
            last = c;
        }
    }

    /// Goes to the end of an unquoted token, its first character already taken.
    fn unquoted(&mut self) {
        let rest = self.scan.rest;
        if !self.scan.is_json() {
            let end = first_of(rest.as_bytes(), [b' ', b'=', b'\t']);
            self.scan.rest = end.and_then(|end| rest.get(end..)).unwrap_or_default();
            return;
        }
        loop {
            let here = self.scan;
            if let None | Some(' ' | '\t' | '=') = self.scan.next() {
                self.scan = here;
                return;
            }
        }
    }
}

/// Where the first of these bytes, which are ASCII, stands. Eight bytes are looked at together, where there is room for
/// it.
fn first_of(bytes: &[u8], wanted: [u8; 3]) -> Option<usize> {
    const LOW: u64 = u64::MAX / 0xFF;
    let rest = if SHORTCUTS {
        let (words, rest) = bytes.as_chunks();
        for (index, word) in words.iter().enumerate() {
            let word = u64::from_le_bytes(*word);
            // The high bit of each byte that is wanted; above the first there may be others.
            let found = wanted.iter().fold(0, |found, byte| {
                let zero = word ^ (LOW * u64::from(*byte));
                found | zero.wrapping_sub(LOW) & !zero
            });
            if found & (LOW << 7) != 0 {
                return Some(index * 8 + (found & (LOW << 7)).trailing_zeros() as usize / 8);
            }
        }
        rest
    } else {
        bytes
    };
    let at = rest.iter().position(|byte| wanted.contains(byte))?;
    Some(bytes.len() - rest.len() + at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    extern crate std;
    use super::*;
    use std::{string::String, string::ToString, vec::Vec};

    fn tokens(mut cursor: Cursor<'_>) -> Result<Vec<(usize, String)>, Fault> {
        let mut tokens = Vec::new();
        while let Some(token) = cursor.next()? {
            tokens.push((token.at, token.text.to_string()));
        }
        Ok(tokens)
    }

    fn words(line: &str) -> Vec<String> {
        tokens(Cursor::new(line, 0)).unwrap().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn quotes_equals_and_hash_stand_alone() {
        assert_eq!(words(r#""a b"'c'=#20 x"y"#), ["a b", "c", "=", "#", "20", "x\"y"]);
        assert_eq!(words("a#b=c#"), ["a#b", "=", "c#"]);
        assert_eq!(words("\u{2028}\r\na\r\n b"), ["a\r\n", "b"], "only a space, a TAB or = ends an unquoted token");
    }

    #[test]
    fn a_backslash_keeps_a_quote_open() {
        assert_eq!(words(r#""a\"b" "c\\d""#), [r#"a"b"#, r"c\\d"]);
        let fault = tokens(Cursor::new(r#"m 1 k="x\""#, 0)).unwrap_err();
        assert_eq!(fault, Fault::new(6, Reason::UnclosedQuote));
    }

    #[test]
    fn inside_json_escapes_are_resolved_first() {
        let raw = r#"\"na\\\"me\" k=\u0022v\u0022\n"#;
        let expected = [(100, "na\"me"), (113, "k"), (114, "="), (115, "v")];
        let found = tokens(Cursor::in_json(raw, 100)).unwrap();
        assert_eq!(found.iter().map(|(at, text)| (*at, text.as_str())).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_timestamp_starts_with_a_digit() {
        let stamp = |line| Cursor::new(line, 0).timestamp(Part::Timestamp);
        assert_eq!(stamp("1493773500 x"), Ok(Some(1_493_773_500_000)));
        assert_eq!(stamp("'5.5' x"), Ok(Some(5_500)));
        assert_eq!(stamp("x=5"), Ok(None));
        assert_eq!(stamp("-5"), Ok(None));
        assert_eq!(stamp("12a=5"), Err(Fault::new(0, Reason::NotANumber(Part::Timestamp))));
        assert_eq!(stamp(" ''"), Err(Fault::new(1, Reason::Blank(Part::Timestamp))));
    }
}
