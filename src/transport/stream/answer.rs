//! The answer to a request, read byte by byte from pieces of any size: HTTP/1.1 (RFC 9112) as a receiver has to write
//! it, nothing that would have to be guessed.
//!
//! It does no I/O, keeps no bytes and never looks back, so the work is bounded by what is fed, and that by [`HEAD_MAX`]
//! and [`BODY_MAX`].

use core::time::Duration;

use super::super::report::RETRY_AFTER_MAX;

/// How long an answer's head may be, in bytes, with all interim answers (1xx) before it.
pub(super) const HEAD_MAX: u16 = 8 * 1024;
/// How much of an answer's body, in bytes as they come over the wire, is read so that the connection can be used again.
pub(super) const BODY_MAX: u16 = 4 * 1024;

/// What the receiver said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// From 100 to 999, but none of 1xx.
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    /// Whether the next request may go over the same connection.
    pub(super) reusable: bool,
}

impl Verdict {
    pub(super) const fn is_success(self) -> bool {
        matches!(self.status, 200..=299)
    }
}

/// No answer of HTTP/1.1, or one that is too long: whatever is meant, nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// An answer that is being read.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    state: State,
    /// How many bytes the head may still take.
    head: u16,
    /// How many bytes the body may still take.
    body: u16,
    status: u16,
    retry_after: Option<u32>,
    length: Option<u32>,
    /// A coding was named, and the last one was `chunked`.
    chunked: Option<bool>,
    close: bool,
    /// The header that is being read.
    field: Field,
    word: Word,
    number: Number,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many bytes of `HTTP/1.` are read.
    Version(u8),
    Minor,
    BeforeStatus,
    /// So many digits of the status are read.
    Status(u8),
    AfterStatus,
    Reason,
    /// After the CR of a line of the head.
    LineEnd,
    /// At the beginning of a header, or of the empty line.
    LineStart,
    Name,
    Value,
    /// After the CR of the empty line.
    HeadEnd,
    /// So many bytes of the body are to come.
    Body(u32),
    /// In the size of a chunk: how many digits are read.
    ChunkSize(u8, u32),
    ChunkExtension(u32),
    ChunkSizeEnd(u32),
    Chunk(u32),
    ChunkCr,
    ChunkLf,
    TrailerStart,
    Trailer,
    TrailerEnd,
    TrailersEnd,
    /// Nothing follows, or nothing that we would read.
    Done {
        reusable: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    ContentLength,
    TransferEncoding,
    Connection,
    RetryAfter,
    Other,
}

const VERSION: &[u8] = b"HTTP/1.";
const FIELDS: [&[u8]; 4] = [b"content-length", b"transfer-encoding", b"connection", b"retry-after"];
const CODINGS: [&[u8]; 1] = [b"chunked"];
const OPTIONS: [&[u8]; 1] = [b"close"];

impl Answer {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Version(0),
            head: HEAD_MAX,
            body: BODY_MAX,
            status: 0,
            retry_after: None,
            length: None,
            chunked: None,
            close: false,
            field: Field::Other,
            word: Word::NEW,
            number: Number::NEW,
        }
    }

    /// Reads on. The verdict is there once nothing follows that we would read; to be asked for no more then.
    ///
    /// # Errors
    /// [`Malformed`] as long as the head is not complete. After it the status counts, whatever follows.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Option<Verdict>, Malformed> {
        for &byte in bytes {
            self.state = if let State::Done { .. } = self.state {
                // Nobody asked for what comes now, so nobody would know what the next answer belongs to.
                State::Done { reusable: false }
            } else if !self.is_in_body() {
                self.head = self.head.checked_sub(1).ok_or(Malformed)?;
                self.in_head(byte).ok_or(Malformed)?
            } else {
                self.body = self.body.saturating_sub(1);
                match self.in_body(byte) {
                    Some(State::Done { reusable }) => State::Done { reusable },
                    Some(next) if self.body > 0 => next,
                    _ => State::Done { reusable: false },
                }
            };
        }
        let State::Done { reusable } = self.state else { return Ok(None) };
        Ok(Some(self.verdict(reusable)))
    }

    /// The verdict of an answer that ends here, because the connection does. None where its head was not complete.
    pub(super) fn end(&self) -> Option<Verdict> {
        self.is_in_body().then(|| self.verdict(false))
    }

    fn verdict(&self, reusable: bool) -> Verdict {
        let after = self.retry_after.map(|seconds| Duration::from_secs(seconds.into()).min(RETRY_AFTER_MAX));
        Verdict { status: self.status, retry_after: after, reusable }
    }

    const fn is_in_body(&self) -> bool {
        use State::{
            AfterStatus, BeforeStatus, HeadEnd, LineEnd, LineStart, Minor, Name, Reason, Status, Value, Version,
        };
        !matches!(
            self.state,
            Version(_)
                | Minor
                | BeforeStatus
                | Status(_)
                | AfterStatus
                | Reason
                | LineEnd
                | LineStart
                | Name
                | Value
                | HeadEnd
        )
    }

    fn in_head(&mut self, byte: u8) -> Option<State> {
        Some(match (self.state, byte) {
            (State::Version(read), byte) if VERSION.get(usize::from(read)) == Some(&byte) => {
                if usize::from(read) + 1 == VERSION.len() { State::Minor } else { State::Version(read + 1) }
            }
            (State::Minor, b'0'..=b'9') => {
                // A connection of HTTP/1.0 ends with the answer.
                self.close |= byte == b'0';
                State::BeforeStatus
            }
            (State::BeforeStatus, b' ') => State::Status(0),
            (State::Status(read), b'0'..=b'9') if read > 0 || byte != b'0' => {
                self.status = self.status * 10 + u16::from(byte - b'0');
                if read == 2 { State::AfterStatus } else { State::Status(read + 1) }
            }
            (State::AfterStatus, b' ') => State::Reason,
            (State::AfterStatus | State::Reason, b'\r') => State::LineEnd,
            (State::Reason, byte) if is_text(byte) => State::Reason,
            (State::LineEnd, b'\n') => State::LineStart,
            (State::LineStart, b'\r') => State::HeadEnd,
            (State::LineStart, byte) if is_token(byte) => {
                self.word = Word::NEW;
                self.word.push(byte, &FIELDS);
                State::Name
            }
            (State::Name, byte) if is_token(byte) => {
                self.word.push(byte, &FIELDS);
                State::Name
            }
            (State::Name, b':') => {
                self.field = match self.word.found(&FIELDS) {
                    Some(0) => Field::ContentLength,
                    Some(1) => Field::TransferEncoding,
                    Some(2) => Field::Connection,
                    Some(3) => Field::RetryAfter,
                    _ => Field::Other,
                };
                (self.word, self.number) = (Word::NEW, Number::NEW);
                State::Value
            }
            (State::Value, b'\r') => {
                self.value_ends()?;
                State::LineEnd
            }
            (State::Value, byte) if is_text(byte) => {
                self.value(byte);
                State::Value
            }
            (State::HeadEnd, b'\n') => self.head_ends()?,
            _ => return None,
        })
    }

    fn value(&mut self, byte: u8) {
        match self.field {
            Field::ContentLength | Field::RetryAfter => self.number.push(byte),
            Field::TransferEncoding | Field::Connection if byte == b',' => self.element_ends(),
            Field::TransferEncoding => self.word.push(byte, &CODINGS),
            Field::Connection => self.word.push(byte, &OPTIONS),
            Field::Other => {}
        }
    }

    fn value_ends(&mut self) -> Option<()> {
        match self.field {
            Field::ContentLength => {
                let length = self.number.value()?;
                if self.length.is_some_and(|before| before != length) {
                    return None;
                }
                self.length = Some(length);
            }
            // A date is not read: there may be no clock to compare it with. The sender's own backoff decides then.
            Field::RetryAfter => self.retry_after = self.number.value(),
            Field::TransferEncoding | Field::Connection => self.element_ends(),
            Field::Other => {}
        }
        Some(())
    }

    /// At the end of an element of a list.
    fn element_ends(&mut self) {
        if !self.word.is_empty() {
            match self.field {
                Field::TransferEncoding => self.chunked = Some(self.word.found(&CODINGS).is_some()),
                _ => self.close |= self.word.found(&OPTIONS).is_some(),
            }
        }
        self.word = Word::NEW;
    }

    /// How much body follows (RFC 9112, 6.3).
    fn head_ends(&mut self) -> Option<State> {
        match self.status {
            // We offered no other protocol.
            101 => return None,
            100..=199 => {
                *self = Self { head: self.head, ..Self::new() };
                return Some(State::Version(0));
            }
            _ => {}
        }
        // Two lengths: which one the receiver meant, it alone knows.
        self.close |= self.chunked.is_some() && self.length.is_some();
        Some(match (self.status, self.chunked, self.length) {
            _ if self.close => State::Done { reusable: false },
            (204 | 304, _, _) => State::Done { reusable: true },
            (_, Some(true), _) => State::ChunkSize(0, 0),
            (_, None, Some(0)) => State::Done { reusable: true },
            (_, None, Some(length)) if length <= u32::from(BODY_MAX) => State::Body(length),
            // Too long, or until the connection ends.
            _ => State::Done { reusable: false },
        })
    }

    /// None: this is not how a body goes on.
    fn in_body(&self, byte: u8) -> Option<State> {
        Some(match (self.state, byte) {
            (State::Body(1), _) => State::Done { reusable: true },
            (State::Body(left), _) => State::Body(left.saturating_sub(1)),
            (State::ChunkSize(1.., size), b'\r') => State::ChunkSizeEnd(size),
            (State::ChunkSize(1.., size), b';') => State::ChunkExtension(size),
            // More digits than these, and it is longer than what we read.
            (State::ChunkSize(read @ 0..=7, size), byte) => {
                State::ChunkSize(read + 1, size << 4 | char::from(byte).to_digit(16)?)
            }
            (State::ChunkExtension(size), b'\r') => State::ChunkSizeEnd(size),
            (State::ChunkExtension(size), byte) if is_text(byte) => State::ChunkExtension(size),
            (State::ChunkSizeEnd(0), b'\n') => State::TrailerStart,
            (State::ChunkSizeEnd(size), b'\n') => State::Chunk(size),
            (State::Chunk(1), _) => State::ChunkCr,
            (State::Chunk(left), _) => State::Chunk(left.saturating_sub(1)),
            (State::ChunkCr, b'\r') => State::ChunkLf,
            (State::ChunkLf, b'\n') => State::ChunkSize(0, 0),
            (State::TrailerStart, b'\r') => State::TrailersEnd,
            (State::TrailerStart | State::Trailer, byte) if is_text(byte) => State::Trailer,
            (State::Trailer, b'\r') => State::TrailerEnd,
            (State::TrailerEnd, b'\n') => State::TrailerStart,
            (State::TrailersEnd, b'\n') => State::Done { reusable: true },
            _ => return None,
        })
    }
}

/// RFC 9110, 5.5: visible characters, spaces and tabs, and what is not ASCII.
const fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// RFC 9110, 5.6.2.
const fn is_token(byte: u8) -> bool {
    let sign = matches!(
        byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
    );
    sign || byte.is_ascii_alphanumeric()
}

/// A word that is compared with a few known ones while it comes; case does not matter, nor do spaces around it.
#[derive(Debug, Clone, Copy)]
struct Word {
    /// How long it is.
    len: u8,
    /// Which of the known words begin with it, as bits.
    like: u8,
    /// A space followed.
    ended: bool,
}

impl Word {
    const NEW: Self = Self { len: 0, like: u8::MAX, ended: false };

    fn push(&mut self, byte: u8, known: &[&[u8]]) {
        if matches!(byte, b' ' | b'\t') {
            self.ended = self.len > 0;
            return;
        }
        if self.ended {
            self.like = 0;
        }
        let mut bit = 1_u8;
        for word in known {
            if !word.get(usize::from(self.len)).is_some_and(|expected| expected.eq_ignore_ascii_case(&byte)) {
                self.like &= !bit;
            }
            bit = bit.wrapping_shl(1);
        }
        self.len = self.len.saturating_add(1);
    }

    const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Which of the known words it is.
    fn found(self, known: &[&[u8]]) -> Option<usize> {
        let is = |(at, word): (usize, &&[u8])| self.like >> at & 1 == 1 && word.len() == usize::from(self.len);
        known.iter().enumerate().position(is)
    }
}

/// A number that is read while it comes; spaces around it do not matter. One that is too large is the largest.
#[derive(Debug, Clone, Copy)]
struct Number {
    value: u32,
    at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Before,
    Digits,
    After,
    Wrong,
}

impl Number {
    const NEW: Self = Self { value: 0, at: At::Before };

    fn push(&mut self, byte: u8) {
        self.at = match (self.at, byte) {
            (At::Before | At::Digits, b'0'..=b'9') => {
                self.value = self.value.saturating_mul(10).saturating_add(u32::from(byte - b'0'));
                At::Digits
            }
            (At::Before, b' ' | b'\t') => At::Before,
            (At::Digits | At::After, b' ' | b'\t') => At::After,
            _ => At::Wrong,
        };
    }

    fn value(self) -> Option<u32> {
        matches!(self.at, At::Digits | At::After).then_some(self.value)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const fn verdict(status: u16, reusable: bool) -> Verdict {
        Verdict { status, retry_after: None, reusable }
    }

    /// In one piece, and byte by byte: the same.
    fn read(bytes: &[u8]) -> Result<Option<Verdict>, Malformed> {
        let whole = Answer::new().feed(bytes);
        let mut answer = Answer::new();
        let mut last = Ok(None);
        for byte in bytes {
            last = answer.feed(core::slice::from_ref(byte));
            if last.is_err() {
                break;
            }
        }
        assert_eq!(whole, last, "{}", bytes.escape_ascii());
        whole
    }

    fn said(text: &str) -> Verdict {
        read(text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn an_answer_without_a_body() {
        assert_eq!(said("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"), verdict(202, true));
        assert_eq!(said("HTTP/1.1 204 \r\n\r\n"), verdict(204, true));
        assert_eq!(said("HTTP/1.1 204\r\nserver: x\r\n\r\n"), verdict(204, true));
        assert_eq!(said("HTTP/1.1 200 \u{f6}k\r\n\r\n"), verdict(200, false), "until the connection ends");
        assert_eq!(said("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), verdict(200, false));
    }

    #[test]
    fn a_body_is_skipped_by_its_length() {
        assert_eq!(said("HTTP/1.1 503 x\r\nCONTENT-LENGTH: \t5 \r\n\r\n\r\n\0a!"), verdict(503, true));
        assert_eq!(read(b"HTTP/1.1 503 x\r\nContent-Length: 5\r\n\r\nfour"), Ok(None));
        let mut answer = Answer::new();
        assert_eq!(answer.feed(b"HTTP/1.1 503 x\r\nContent-Length: 5\r\n\r\nfour"), Ok(None));
        assert_eq!(answer.end(), Some(verdict(503, false)), "the status counts");
        assert_eq!(said("HTTP/1.1 200 x\r\nContent-Length: 4097\r\n\r\n"), verdict(200, false));
        assert_eq!(said("HTTP/1.1 200 x\r\nContent-Length: 99999999999999999999\r\n\r\n"), verdict(200, false));
    }

    #[test]
    fn a_body_is_skipped_by_its_chunks() {
        const HEAD: &str = "HTTP/1.1 429 x\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (body, reusable) in [
            ("0\r\n\r\n", true),
            ("5\r\nabcde\r\n0\r\n\r\n", true),
            ("A;x=y\r\n0123456789\r\n001;\"\"\r\n\n\r\n000\r\nTrailer: x\r\nb: \r\n\r\n", true),
            ("5\r\nabcdef", false),
            ("5\nabcde", false),
            ("\r\n", false),
            ("g\r\n", false),
            ("00000000f", false),
            ("0\r\n\rx", false),
            ("0\r\n\r\nHTTP/1.1 ", false),
        ] {
            let text = [HEAD, body].concat();
            assert_eq!(said(&text), verdict(429, reusable), "{body:?}");
        }
        let coded = HEAD.replace("chunked", "gzip, Chunked");
        assert_eq!(said(&[&coded, "0\r\n\r\n"].concat()), verdict(429, true));
        assert_eq!(said(&HEAD.replace("chunked", "chunked, gzip")), verdict(429, false));
        assert_eq!(said(&HEAD.replace("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n")), verdict(429, false));
    }

    #[test]
    fn an_endless_body_is_given_up() {
        let mut answer = Answer::new();
        assert_eq!(answer.feed(b"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n"), Ok(None));
        let mut fed = 0;
        while answer.feed(b"5\r\nabcde\r\n").unwrap().is_none() {
            fed += 10;
            assert!(fed <= usize::from(BODY_MAX));
        }
        assert_eq!(answer.feed(b""), Ok(Some(verdict(500, false))));
    }

    #[test]
    fn a_connection_that_is_to_be_closed_is_not_used_again() {
        for (value, reusable) in [
            ("close", false),
            ("Keep-Alive, CLOSE", false),
            (", close ,x", false),
            ("keep-alive", true),
            ("closed", true),
            ("clos e", true),
            ("not close", true),
            ("", true),
        ] {
            let text = ["HTTP/1.1 200 OK\r\nConnection: ", value, "\r\nContent-Length: 0\r\n\r\n"].concat();
            assert_eq!(said(&text), verdict(200, reusable), "{value:?}");
        }
    }

    #[test]
    fn interim_answers_are_skipped() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nConnection: close\r\nContent-Length: 9\r\n\r\n\
                    HTTP/1.1 202 x\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(said(text), verdict(202, true));
        assert_eq!(read(b"HTTP/1.1 101 x\r\n\r\n"), Err(Malformed));
        let endless = b"HTTP/1.1 100 x\r\n\r\n".repeat(1000);
        assert_eq!(read(&endless), Err(Malformed), "bounded");
    }

    #[test]
    fn seconds_to_wait_are_read_and_dates_are_not() {
        for (value, seconds) in [
            ("7", Some(7)),
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999999999", Some(300)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("1 2", None),
            ("Fri, 31 Dec 1999 23:59:59 GMT", None),
        ] {
            let text = ["HTTP/1.1 503 x\r\nRetry-After:", value, "\r\nContent-Length: 0\r\n\r\n"].concat();
            assert_eq!(said(&text).retry_after, seconds.map(Duration::from_secs), "{value:?}");
        }
    }

    #[test]
    fn what_is_no_answer_is_not_taken_for_one() {
        for wrong in [
            "HTTP/2 200 OK\r\n\r\n",
            "http/1.1 200 OK\r\n\r\n",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1  200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 200 OK\n\n",
            "HTTP/1.1 200 O\0K\r\n\r\n",
            "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nname : x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: x\ry\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "SSH-2.0-OpenSSH_9.2\r\n",
        ] {
            assert_eq!(read(wrong.as_bytes()), Err(Malformed), "{wrong:?}");
        }
        let mut answer = Answer::new();
        assert_eq!(answer.feed(b"HTTP/1.1 200 OK\r\nx: "), Ok(None));
        assert_eq!(answer.end(), None);
        assert_eq!(answer.feed(&[b'x'; HEAD_MAX as usize]), Err(Malformed), "too long a head");
    }
}
