//! Names and texts, cleaned a byte at a time: what [`text`](crate::line::text) makes, in little code.

use crate::line::text::after_delta;

/// How a text is cleaned, and what it may not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The name of a metric or a histogram.
    Name,
    /// The name of a delta counter: `∆` in front unless it starts with `∆` or `Δ`.
    Delta,
    /// A key.
    Key,
    /// The key of a span tag: `_` in front of one made of digits only.
    SpanKey,
    /// A source, tag value, span name and so on: trimmed, `"` and LF escaped.
    Text,
    /// The inside of a JSON string that is not blank.
    Said,
    /// The inside of any JSON string.
    Any,
}

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    Blank,
    PrefixOnly,
}

/// The bytes of a text in a line, one by one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clean<'a> {
    /// What comes next, as it is.
    next: &'a [u8],
    /// What is cleaned.
    rest: &'a [u8],
    pub(super) form: Form,
    pub(super) flaw: Option<Flaw>,
}

impl<'a> Clean<'a> {
    #[inline(never)]
    pub(super) fn of(raw: &'a str, form: Form) -> Self {
        let raw = raw.as_bytes();
        let (trimmed, any) = trim(raw);
        let mut clean = Self { next: b"", rest: raw, form, flaw: None };
        let mut blank = !any;
        match form {
            Form::Any => blank = false,
            Form::Said => {}
            Form::Text => {
                clean.rest = trimmed;
                blank = trimmed.is_empty();
            }
            Form::Name | Form::Delta | Form::Key | Form::SpanKey => {
                let rest = after_delta(raw);
                let (is_delta, rest) = (rest.is_some(), rest.unwrap_or(raw));
                clean.rest = rest.strip_prefix(b"~").unwrap_or(rest);
                (clean.next, _) = raw.split_at_checked(raw.len() - clean.rest.len()).unwrap_or_default();
                if form == Form::Delta && !is_delta {
                    clean.next = if clean.next.is_empty() { "∆" } else { "∆~" }.as_bytes();
                }
                if clean.rest.is_empty() && (is_delta || matches!(form, Form::Name | Form::Delta)) {
                    clean.flaw = Some(Flaw::PrefixOnly);
                }
                if form == Form::SpanKey && clean.next.is_empty() && clean.rest.iter().all(u8::is_ascii_digit) {
                    clean.next = b"_";
                }
            }
        }
        if blank {
            clean.flaw = Some(Flaw::Blank);
        }
        clean
    }

    /// Whether it is a name of a delta counter.
    pub(super) fn is_delta(&self) -> bool {
        after_delta(self.next).is_some()
    }

    /// The length in UTF-16 code units that the reader counts: an escaped quote is one, an escaped LF is two.
    #[inline(never)]
    pub(super) fn units(&self) -> usize {
        let mut units = 0;
        for byte in *self {
            units += usize::from(byte & 0xC0 != 0x80 && byte != b'"') + usize::from(byte >= 0xF0);
        }
        units
    }

    /// Whether both are written alike.
    #[inline(never)]
    pub(super) fn is(&self, other: &Clean<'_>) -> bool {
        let (mut these, mut those) = (*self, *other);
        loop {
            match (these.next(), those.next()) {
                (None, None) => return true,
                (this, that) if this != that => return false,
                _ => {}
            }
        }
    }
}

impl Iterator for Clean<'_> {
    type Item = u8;

    #[inline(never)]
    fn next(&mut self) -> Option<u8> {
        if let Some((&byte, next)) = self.next.split_first() {
            self.next = next;
            return Some(byte);
        }
        loop {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            return Some(match (self.form, byte) {
                (Form::Said | Form::Any, _) => byte,
                (Form::Text, b'"') => {
                    self.next = b"\"";
                    b'\\'
                }
                (Form::Text, b'\n') => {
                    self.next = b"n";
                    b'\\'
                }
                (Form::Text, 4) => b'-',
                (Form::Text, _) | (_, b','..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_') => byte,
                // It continues a character, for which there was a hyphen.
                (_, 0x80..0xC0) => continue,
                _ => b'-',
            });
        }
    }
}

/// White space that is trimmed: Unicode's, and U+001C–1F. From and to.
static SPACES: [[u16; 2]; 10] = [
    [0x09, 0x0D],
    [0x1C, 0x20],
    [0x85, 0x85],
    [0xA0, 0xA0],
    [0x1680, 0x1680],
    [0x2000, 0x200A],
    [0x2028, 0x2029],
    [0x202F, 0x202F],
    [0x205F, 0x205F],
    [0x3000, 0x3000],
];

/// Without white space at both ends and backslashes at the end; and whether there is anything but white space.
#[inline(never)]
fn trim(text: &[u8]) -> (&[u8], bool) {
    let (mut any, mut start, mut end) = (false, 0, 0);
    let mut point = 0;
    let mut before = 0;
    for (at, &byte) in text.iter().enumerate() {
        // The bits of the character so far.
        point = match byte {
            0x80..0xC0 => point << 6 | u32::from(byte & 0x3F),
            _ => {
                before = at;
                u32::from(if byte < 0x80 { byte } else { byte & 0x1F })
            }
        };
        // A character ends where none is continued.
        if text.get(at + 1).is_some_and(|next| next & 0xC0 == 0x80) {
            continue;
        }
        if SPACES.iter().any(|&[from, to]| (u32::from(from)..=u32::from(to)).contains(&point)) {
            continue;
        }
        if !any {
            (any, start) = (true, before);
        }
        if byte != b'\\' {
            end = at + 1;
        }
    }
    (text.get(start..end).unwrap_or_default(), any)
}
