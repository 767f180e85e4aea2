//! Strings in JSON, by RFC 8259.

use super::compact::SHORTCUTS;
use super::number::hex_digit;
use super::ordinary::{InJson, holds_for};
use super::out::{Put, put_text};
use crate::InvalidInput;

/// Writes the inside of a JSON string: whatever is put here is escaped on its way.
#[derive(Debug)]
pub(crate) struct Json<'p, P: ?Sized>(pub(crate) &'p mut P);

/// What stands in a JSON string for each byte up to the last that needs it: itself (0), a backslash and this letter, or
/// `\u00..` (1).
static ESCAPE: [u8; b'\\' as usize + 1] = {
    let mut escape = [0; b'\\' as usize + 1];
    let mut byte = 0;
    while byte < 0x20 {
        escape[byte] = 1;
        byte += 1;
    }
    escape[b'"' as usize] = b'"';
    escape[b'\\' as usize] = b'\\';
    escape[b'\n' as usize] = b'n';
    escape[b'\r' as usize] = b'r';
    escape[b'\t' as usize] = b't';
    escape[0x08] = b'b';
    escape[0x0C] = b'f';
    escape
};

fn escape(byte: u8) -> u8 {
    ESCAPE.get(usize::from(byte)).copied().unwrap_or(0)
}

impl<P: Put + ?Sized> Put for Json<'_, P> {
    fn put(&mut self, bytes: &[u8]) {
        if holds_for::<InJson>(bytes) {
            return put_text(b"", bytes, b"", self.0);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let plain = rest.iter().position(|&byte| escape(byte) != 0).unwrap_or(rest.len());
            let (run, other) = rest.split_at_checked(plain).unwrap_or((rest, &[]));
            if !run.is_empty() {
                put_text(b"", run, b"", self.0);
            }
            let Some((&byte, next)) = other.split_first() else { return };
            match escape(byte) {
                // A control character: below 0x20, so its first digit is 0 or 1.
                1 => {
                    self.0.put(&[b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), hex_digit(byte & 0xF)]);
                }
                letter => self.0.put(&[b'\\', letter]),
            }
            rest = next;
        }
    }

    #[inline]
    fn put_digits(&mut self, digits: &[u8]) {
        self.0.put_digits(digits);
    }

    fn end_line(&mut self) -> Result<(), InvalidInput> {
        self.0.end_line()
    }

    fn skipped(&mut self, len: usize) -> bool {
        self.0.skipped(len)
    }
}

/// A JSON string, quotes and all, of bytes that are text.
pub(crate) fn put_string(text: &[u8], out: &mut (impl Put + ?Sized)) {
    out.put(b"\"");
    put_inside(text, out);
    out.put(b"\"");
}

/// What stands between the quotes.
#[inline]
pub(crate) fn put_inside(text: &[u8], out: &mut (impl Put + ?Sized)) {
    if SHORTCUTS && holds_for::<InJson>(text) {
        return put_text(b"", text, b"", out);
    }
    Json(out).put(text);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn every_string_is_read_back_as_it_was() {
        let all: String = ('\0'..='\u{17F}').chain(['\u{2028}', '温', '😀']).collect();
        let mut out = Vec::new();
        put_string(all.as_bytes(), &mut out);
        assert!(out.iter().all(|&byte| byte >= 0x20), "no control character stays");
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), all);
    }

    #[test]
    fn a_text_may_come_in_pieces() {
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        let text = "a\"b\\c\u{1}\u{1F}温\n";
        Json(&mut whole).put(text.as_bytes());
        text.as_bytes().iter().for_each(|byte| Json(&mut pieces).put(&[*byte]));
        assert_eq!(whole, pieces);
    }

    #[test]
    fn every_byte_is_escaped_where_it_has_to_be_at_every_place_of_a_word() {
        for special in ('\0'..='\u{FF}').chain(['温', '😀']) {
            for before in 0..18 {
                let text = std::format!("{}{special}z{special}", &"abcdefghijklmnopqr"[..before]);
                let (mut string, mut inside, mut piece) = (Vec::new(), Vec::new(), Vec::new());
                put_string(text.as_bytes(), &mut string);
                put_inside(text.as_bytes(), &mut inside);
                Json(&mut piece).put(text.as_bytes());
                assert_eq!(serde_json::from_slice::<String>(&string).unwrap(), text);
                assert!(string.iter().all(|&byte| byte >= 0x20), "{text:?}");
                assert_eq!(std::format!("\"{}\"", String::from_utf8_lossy(&inside)).as_bytes(), string);
                assert_eq!(inside, piece);
            }
        }
    }
}
