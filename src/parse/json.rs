//! A strict reader of JSON (RFC 8259) over borrowed text: no heap, no recursion.

use super::{
    error::{Fault, Reason},
    run::{run, special},
    text::Text,
};
use crate::line::compact::SHORTCUTS;

/// How deeply a value that is skipped may be nested.
const DEPTH: u32 = 128;

/// A JSON value: what it is, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Json<'a> {
    /// The inside of a string, and where it starts.
    String(Text<'a>, usize),
    /// A number, as it is written.
    Number(&'a str),
    /// The place behind the `[`.
    Array(Walk<'a>),
    /// The place behind the `{`.
    Object(Walk<'a>),
    /// `true`, `false` or `null`.
    Literal,
}

/// A place in JSON text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk<'a> {
    text: &'a str,
    /// Where it stands, in bytes of `text`, which is the line.
    at: usize,
}

impl<'a> Walk<'a> {
    /// `at` bytes into the line.
    pub(crate) const fn new(line: &'a str, at: usize) -> Self {
        Self { text: line, at }
    }

    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    const fn fault(&self, reason: Reason) -> Fault {
        Fault::new(self.at, reason)
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn white_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
    }

    /// The next byte that is not white space, without going past it.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        self.white_space();
        self.byte()
    }

    fn punctuation(&mut self, byte: u8) -> Result<(), Fault> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.fault(Reason::Json))
        }
    }

    /// Whether an array or object, of which `first` says that nothing was read yet, has another element. Goes past the
    /// comma before it, or past the bracket `close`.
    pub(crate) fn more(&mut self, first: bool, close: u8) -> Result<bool, Fault> {
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if !first => {
                self.at += 1;
                Ok(true)
            }
            Some(_) if first => Ok(true),
            _ => Err(self.fault(Reason::Json)),
        }
    }

    /// The key of a member of an object, and the colon behind it.
    pub(crate) fn key(&mut self) -> Result<Text<'a>, Fault> {
        self.punctuation(b'"')?;
        let key = self.string()?;
        self.punctuation(b':')?;
        Ok(key)
    }

    /// The next value. Of an array or object only the bracket is taken.
    pub(crate) fn value(&mut self) -> Result<Json<'a>, Fault> {
        #[cfg(test)]
        super::steps::one();
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'"') => {
                self.at += 1;
                let at = self.at;
                Ok(Json::String(self.string()?, at))
            }
            Some(b'[') => {
                self.at += 1;
                Ok(Json::Array(*self))
            }
            Some(b'{') => {
                self.at += 1;
                Ok(Json::Object(*self))
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Ok(Json::Number(self.text.get(start..self.at).unwrap_or_default()))
            }
            _ => {
                let rest = self.text.get(start..).unwrap_or_default();
                let word = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word));
                self.at += word.ok_or(self.fault(Reason::Json))?.len();
                Ok(Json::Literal)
            }
        }
    }

    /// Goes past the next value, whatever is in it.
    pub(crate) fn skip(&mut self) -> Result<(), Fault> {
        // One bit for each open bracket: whether it is an object's.
        let (mut open, mut depth) = (0_u128, 0_u32);
        loop {
            let at = self.at;
            let mut first = false;
            match self.value()? {
                Json::Array(_) | Json::Object(_) if depth == DEPTH => return Err(Fault::new(at, Reason::TooDeep)),
                Json::Array(_) => (open, depth, first) = (open << 1, depth + 1, true),
                Json::Object(_) => (open, depth, first) = (open << 1 | 1, depth + 1, true),
                _ => {}
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let object = open & 1 == 1;
                if self.more(first, if object { b'}' } else { b']' })? {
                    if object {
                        self.key()?;
                    }
                    break;
                }
                (open, depth, first) = (open >> 1, depth - 1, false);
            }
        }
    }

    /// The inside of a string, its first quote already taken. Goes past the last.
    fn string(&mut self) -> Result<Text<'a>, Fault> {
        let (start, mut escaped) = (self.at, false);
        loop {
            if SHORTCUTS {
                self.at += run(self.text.as_bytes().get(self.at..).unwrap_or_default(), special);
            }
            match self.byte() {
                Some(b'"') => {
                    let inside = self.text.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(Text::json(inside, escaped));
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(byte) if byte >= b' ' => self.at += 1,
                Some(_) => return Err(self.fault(Reason::Json)),
                None => return Err(Fault::new(start.saturating_sub(1), Reason::UnclosedQuote)),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        let fault = self.fault(Reason::Json);
        self.at += 1;
        let kind = self.byte();
        self.at += 1;
        match kind {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(()),
            Some(b'u') => {
                for _ in 0..4 {
                    if !self.byte().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return Err(fault);
                    }
                    self.at += 1;
                }
                Ok(())
            }
            _ => Err(fault),
        }
    }

    /// `-`, `0` or digits without a leading zero, a fraction, an exponent.
    fn number(&mut self) -> Result<(), Fault> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.fault(Reason::Json)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{format, string::String};

    fn skips(text: &str) -> bool {
        let mut walk = Walk::new(text, 0);
        walk.skip().is_ok() && walk.peek().is_none()
    }

    #[test]
    fn what_is_json_and_what_is_not() {
        for good in [
            "0",
            "-0.5e-7",
            "12E+3",
            r#""""#,
            r#""a\"\\\/\b\f\n\r\t\u00e9\ud83d é""#,
            "[]",
            "{}",
            " [ 1 , [ ] , { } , null , true ] ",
            r#"{"a":{"b":[{"c":[[]]}]},"a":false}"#,
        ] {
            assert!(skips(good), "{good}");
        }
        for bad in [
            "",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "NaN",
            "nul",
            "tru",
            "'a'",
            "\"a",
            "\"\n\"",
            r#""\x""#,
            r#""\u12g4""#,
            r#""\u+123""#,
            r#""\"#,
            "[1,]",
            "[,1]",
            "[1 2]",
            "[",
            "]",
            "[}",
            "{]",
            "{a:1}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            "1 1",
        ] {
            assert!(!skips(bad), "{bad}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| -> String { format!("{}1{}", "[".repeat(depth), "]".repeat(depth)) };
        assert!(skips(&nested(DEPTH as usize)));
        assert!(!skips(&nested(DEPTH as usize + 1)));
        assert!(!skips(&"[{\"a\":".repeat(100_000)));
    }
}
