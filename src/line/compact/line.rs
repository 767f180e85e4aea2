//! A datum on its way into a slice.

use super::clean::{Clean, Flaw, Form};
use crate::line::number::hex_digit;
use crate::line::out::Put;
use crate::line::{Full, Rules, Slice};
use crate::{EncodeError, Field, InvalidInput, Problem};

/// Writes lines to a slice until it is full; from there on it only counts, so that the error tells the true length. No
/// step fails: what is wrong is noted, the first of it, and said at the end.
pub(super) struct Line<'a, 's> {
    room: &'a mut [u8],
    /// Where the slice's own length stands. It changes at the end, if nothing was wrong.
    len: &'a mut usize,
    pub(super) rules: &'a Rules<'s>,
    limit: usize,
    /// The bytes so far, written or not.
    at: usize,
    /// Where the present line began.
    start: usize,
    pub(super) lines: u32,
    /// Whether what is put is the inside of a JSON string.
    pub(super) inside: bool,
    wrong: Option<InvalidInput>,
}

impl<'a, 's> Line<'a, 's> {
    #[inline(never)]
    pub(super) fn new(slice: &'a mut Slice<'_>, rules: &'a Rules<'s>, limit: usize) -> Self {
        let (room, len) = slice.spare();
        Self { room, len, rules, limit, at: 0, start: 0, lines: 0, inside: false, wrong: None }
    }

    /// Says that it is done: how many lines there are, or what was wrong.
    #[inline(never)]
    pub(super) fn done(&mut self) -> Result<u32, EncodeError<Full>> {
        if let Some(wrong) = self.wrong {
            return Err(wrong.into());
        }
        let (needed, room) = (self.at, self.room.len());
        if needed > room {
            return Err(EncodeError::Full(Full { needed, room }));
        }
        *self.len += needed;
        Ok(self.lines)
    }

    pub(super) const fn is_fine(&self) -> bool {
        self.wrong.is_none()
    }

    /// Notes what is wrong.
    #[inline(never)]
    pub(super) fn wrong(&mut self, field: Field, problem: Problem) {
        self.wrong = self.wrong.or(Some(InvalidInput::new(field, problem)));
    }

    /// Notes it if something is longer than the limit.
    #[inline(never)]
    pub(super) fn check(&mut self, field: Field, len: usize, limit: usize) {
        if len > limit {
            self.wrong(field, Problem::TooLong { limit, len });
        }
    }

    /// What is written of a text, its flaw noted.
    #[inline(never)]
    pub(super) fn clean<'t>(&mut self, raw: &'t str, field: Field, form: Form) -> Clean<'t> {
        let clean = Clean::of(raw, form);
        self.flaw(clean.flaw, field);
        clean
    }

    /// Notes the flaw, if there is one.
    #[inline(never)]
    pub(super) fn flaw(&mut self, flaw: Option<Flaw>, field: Field) {
        match flaw {
            Some(Flaw::Blank) => self.wrong(field, Problem::Blank),
            Some(Flaw::PrefixOnly) => self.wrong(field, Problem::PrefixOnly),
            None => {}
        }
    }

    /// The source of a datum: its own, the default one where that is blank, else what is wrong.
    #[inline(never)]
    pub(super) fn source<'t>(&mut self, own: Option<&'t str>) -> Clean<'t>
    where
        's: 't,
    {
        for source in [own, self.rules.default_source].into_iter().flatten() {
            let source = Clean::of(source, Form::Text);
            if source.flaw.is_none() {
                self.check(Field::Source, source.units(), self.rules.limits.source);
                return source;
            }
        }
        self.wrong(Field::Source, Problem::Missing);
        Clean::of("", Form::Any)
    }

    #[inline(never)]
    fn byte(&mut self, byte: u8) {
        if self.inside {
            let letter = ESCAPED.as_chunks().0.iter().find(|[escaped, _]| *escaped == byte);
            if let Some(&[_, letter]) = letter {
                self.raw(b'\\');
                return self.raw(letter);
            }
            if byte < 0x20 {
                for byte in [b'\\', b'u', b'0', b'0', b'0' + (byte >> 4)] {
                    self.raw(byte);
                }
                return self.raw(hex_digit(byte & 0xF));
            }
        }
        self.raw(byte);
    }

    #[inline(never)]
    fn raw(&mut self, byte: u8) {
        if let Some(place) = self.room.get_mut(self.at) {
            *place = byte;
        }
        self.at = self.at.saturating_add(1);
    }

    /// Puts bytes as they are, all at once.
    #[inline(never)]
    pub(super) fn all(&mut self, bytes: &[u8]) {
        let room = self.room.get_mut(self.at..).and_then(|room| room.get_mut(..bytes.len()));
        if let Some(room) = room {
            room.copy_from_slice(bytes);
        }
        self.at = self.at.saturating_add(bytes.len());
    }

    /// Puts a text. One that is said in JSON is escaped.
    #[inline(never)]
    pub(super) fn text(&mut self, text: &Clean<'_>) {
        let was = self.inside;
        self.inside |= matches!(text.form, Form::Said | Form::Any);
        for byte in *text {
            self.byte(byte);
        }
        self.inside = was;
    }

    /// Puts the same so many times. What has no room is not even tried: it may be billions.
    pub(super) fn some(&mut self, times: u64, put: impl Fn(&mut Self)) {
        let mut left = usize::try_from(times).unwrap_or(usize::MAX);
        while left > 0 {
            let before = self.at;
            put(self);
            left -= 1;
            if self.at > self.room.len() {
                self.at = self.at.saturating_add(left.saturating_mul(self.at - before));
                return;
            }
        }
    }

    /// Ends a line.
    #[inline(never)]
    pub(super) fn end(&mut self, end: &[u8]) {
        self.put(end);
        self.check(Field::Line, self.at - self.start, self.limit);
        self.start = self.at;
        self.lines += 1;
    }
}

impl Put for Line<'_, '_> {
    #[inline(never)]
    fn put(&mut self, bytes: &[u8]) {
        // There it is one instruction; on bare metal it would be more code.
        if cfg!(target_arch = "wasm32") && !self.inside {
            return self.all(bytes);
        }
        for &byte in bytes {
            self.byte(byte);
        }
    }

    fn end_line(&mut self) -> Result<(), InvalidInput> {
        Ok(())
    }

    fn skipped(&mut self, _: usize) -> bool {
        false
    }
}

/// What stands for itself in no JSON string, and the letter that stands for it behind a backslash.
static ESCAPED: [u8; 14] = *b"\"\"\\\\\nn\rr\tt\x08b\x0cf";
