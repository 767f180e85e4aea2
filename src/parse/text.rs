//! A piece of a line, with its escapes resolved only when somebody looks.

use core::fmt;

/// What the receiver sends on for half of a surrogate pair.
const HALF_PAIR: char = '?';

/// Characters of a line, or of a JSON string in it with its escapes resolved on the way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan<'a> {
    /// What is still to come, as it stands in the line.
    pub(super) rest: &'a str,
    /// Whether it stands inside a JSON string.
    json: bool,
}

impl<'a> Scan<'a> {
    pub(super) const fn new(rest: &'a str, json: bool) -> Self {
        Self { rest, json }
    }

    pub(super) const fn is_json(&self) -> bool {
        self.json
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let first = chars.next()?;
        self.rest = chars.as_str();
        if first == '\\' && self.json { Some(self.unescape()) } else { Some(first) }
    }

    /// The character that a JSON escape stands for, its backslash already taken. The string was checked before.
    fn unescape(&mut self) -> char {
        let mut chars = self.rest.chars();
        let kind = chars.next().unwrap_or('\\');
        self.rest = chars.as_str();
        match kind {
            'b' => '\u{8}',
            'f' => '\u{C}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => self.code_point(),
            other => other,
        }
    }

    /// The four digits of `\u`, and the other half of its pair if it is a half.
    fn code_point(&mut self) -> char {
        let Some((first, rest)) = four_hex(self.rest) else { return HALF_PAIR };
        self.rest = rest;
        if let Some(c) = char::from_u32(first) {
            return c;
        }
        let second = self.rest.strip_prefix("\\u").and_then(four_hex);
        match (first, second) {
            (0xD800..0xDC00, Some((low @ 0xDC00..0xE000, rest))) => {
                self.rest = rest;
                char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00)).unwrap_or(HALF_PAIR)
            }
            _ => HALF_PAIR,
        }
    }
}

fn four_hex(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

/// A token of a line, as it stands there: its escapes are resolved when it is looked at.
///
/// Two texts are equal if their characters are, however each is written. It is compared, shown and iterated over by its
/// characters, never by its raw form.
///
/// ```
/// use wavefront_sdk::{Limits, parse};
/// let point = parse::point(r#""requests" 12 source="the \"old\" one""#, &Limits::DEFAULT)?;
/// let source = point.source.unwrap();
/// assert_eq!(source, "the \"old\" one");
/// assert_eq!(source.as_raw(), r#"the \"old\" one"#);
/// # Ok::<(), parse::ParseError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Text<'a> {
    raw: &'a str,
    /// The quote that a backslash escapes in it.
    quote: Option<char>,
    /// Whether JSON escapes stand in it.
    json: bool,
    /// Whether a backslash stands in it that may mean something.
    escaped: bool,
    dashed: bool,
    cut: bool,
}

impl<'a> Text<'a> {
    /// Text that means what it says.
    pub(super) const fn plain(raw: &'a str) -> Self {
        Self { raw, quote: None, json: false, escaped: false, dashed: false, cut: false }
    }

    /// The inside of a quoted token, or an unquoted one; `json` if it stands inside a JSON string.
    pub(super) fn token(raw: &'a str, quote: Option<char>, json: bool) -> Self {
        let escaped = (json || quote.is_some()) && raw.contains('\\');
        Self { raw, quote, json, escaped, dashed: false, cut: false }
    }

    /// The inside of a token in quotes; `backslash` if there is one in it.
    pub(super) const fn quoted(raw: &'a str, quote: char, json: bool, backslash: bool) -> Self {
        Self { raw, quote: Some(quote), json, escaped: backslash, dashed: false, cut: false }
    }

    /// The inside of a JSON string; `backslash` if there is one in it.
    pub(super) const fn json(raw: &'a str, backslash: bool) -> Self {
        Self { raw, quote: None, json: true, escaped: backslash, dashed: false, cut: false }
    }

    /// The same text with a `-` for every `*`.
    pub(super) const fn dashed(self) -> Self {
        Self { dashed: true, ..self }
    }

    /// The first [`CUT`](Self::CUT) UTF-16 code units of the same text.
    pub(super) const fn cut(self) -> Self {
        Self { cut: true, ..self }
    }

    /// How many UTF-16 code units the receiver keeps of the value of a span tag.
    pub(super) const CUT: usize = 128;

    /// The text as it stands in the line, without its quotes: escapes unresolved, nothing replaced, nothing cut.
    pub const fn as_raw(&self) -> &'a str {
        self.raw
    }

    /// Its characters.
    pub fn chars(&self) -> Chars<'a> {
        Chars {
            scan: Scan::new(self.raw, self.json && self.escaped),
            quote: self.quote.filter(|_| self.escaped),
            dashed: self.dashed,
            left: if self.cut { Self::CUT } else { usize::MAX },
        }
    }

    /// The text itself, if it stands in the line as it is: always, but for escapes and what the receiver replaces or
    /// cuts.
    pub fn as_str(&self) -> Option<&'a str> {
        if self.escaped || self.dashed && self.raw.contains('*') {
            return None;
        }
        let cut = self.cut && self.raw.len() > Self::CUT && self.raw.encode_utf16().nth(Self::CUT).is_some();
        if cut { None } else { Some(self.raw) }
    }

    /// Its length in UTF-16 code units, in which the receiver's limits are.
    pub fn len_utf16(&self) -> usize {
        match self.as_str() {
            Some(text) if text.is_ascii() => text.len(),
            _ => self.chars().map(char::len_utf16).sum(),
        }
    }

    /// Whether it has no characters.
    pub fn is_empty(&self) -> bool {
        self.chars().next().is_none()
    }

    /// Whether nothing is in it that the receiver's `isBlank` does not take for white space.
    pub fn is_blank(&self) -> bool {
        // As nearly all are: what starts like this is not.
        if !self.escaped && matches!(self.raw.as_bytes().first(), Some(b'!'..=b'~')) {
            return false;
        }
        self.chars().all(super::character::is_whitespace)
    }

    /// The text, borrowed if it stands in the line as it is.
    #[cfg(feature = "std")]
    pub fn to_cow(&self) -> std::borrow::Cow<'a, str> {
        self.as_str().map_or_else(|| self.chars().collect(), std::borrow::Cow::Borrowed)
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Some(text) => f.pad(text),
            None => self.chars().try_for_each(|c| fmt::Write::write_char(f, c)),
        }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        self.chars().flat_map(char::escape_debug).try_for_each(|c| fmt::Write::write_char(f, c))?;
        f.write_str("\"")
    }
}

impl Eq for Text<'_> {}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.as_str(), other.as_str()) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => self.chars().eq(other.chars()),
        }
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        match self.as_str() {
            Some(text) => text == other,
            None => self.chars().eq(other.chars()),
        }
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

/// The characters of a [`Text`].
#[derive(Debug, Clone)]
pub struct Chars<'a> {
    scan: Scan<'a>,
    quote: Option<char>,
    dashed: bool,
    /// UTF-16 code units that may still come.
    left: usize,
}

impl Chars<'_> {
    /// How many bytes of the raw text are still to come.
    pub(super) const fn bytes_left(&self) -> usize {
        self.scan.rest.len()
    }
}

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        if self.left == 0 {
            return None;
        }
        let mut c = self.scan.next()?;
        if c == '\\' && self.quote.is_some() {
            // The only escape inside quotes is a backslash and that quote.
            let mut ahead = self.scan;
            if let (Some(next), Some(quote)) = (ahead.next(), self.quote)
                && next == quote
            {
                self.scan = ahead;
                c = quote;
            }
        }
        if self.dashed && c == '*' {
            c = '-';
        }
        if self.left == 1 && c.len_utf16() == 2 {
            // The receiver cuts between the halves of a pair.
            c = HALF_PAIR;
        }
        self.left -= c.len_utf16();
        Some(c)
    }
}

impl core::iter::FusedIterator for Chars<'_> {}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{borrow::Cow, format, string::String, string::ToString};

    #[test]
    fn only_the_quote_is_escaped() {
        let text = Text::token(r#"a\"b\\c\'d\n\\""#, Some('"'), false);
        assert_eq!(text.to_string(), r#"a"b\\c\'d\n\""#);
        assert_eq!(Text::token(r#"a\"b"#, None, false), r#"a\"b"#);
        assert_eq!(Text::token(r"it\'s", Some('\''), false), "it's");
    }

    #[test]
    fn json_first_then_the_quote() {
        let text = Text::token(r#"a\\\"b\u6e29\ud83d\ude00\ud83d\n"#, Some('"'), true);
        assert_eq!(text.to_string(), "a\"b温😀?\n");
        assert_eq!(text.as_str(), None);
    }

    #[test]
    fn equal_if_the_characters_are() {
        assert_eq!(Text::json(r"\u0061", true), Text::plain("a"));
        assert_ne!(Text::plain("a"), Text::plain("ab"));
        assert_ne!(Text::plain("ab"), "a");
    }

    #[test]
    fn a_cut_counts_utf16_and_may_split_a_pair() {
        let long = "x".repeat(127) + "😀y";
        let cut: String = Text::plain(&long).cut().chars().collect();
        assert_eq!(cut, "x".repeat(127) + "?");
        let exact = "x".repeat(128);
        assert_eq!(Text::plain(&exact).cut().as_str(), Some(exact.as_str()));
        let over = "x".repeat(129);
        assert_eq!(Text::plain(&over).cut().to_string(), exact);
    }

    #[test]
    fn borrowed_where_it_can_be() {
        assert!(matches!(Text::token("a b", Some('"'), false).to_cow(), Cow::Borrowed("a b")));
        assert!(matches!(Text::token(r#"a\"b"#, Some('"'), false).to_cow(), Cow::Owned(_)));
        assert_eq!(Text::plain("a*b").dashed().to_cow(), "a-b");
        assert_eq!(format!("{:?}", Text::plain("a\n\"")), r#""a\n\"""#);
    }
}
