//! Bytes as they come in, cut into chunks of whole lines, in bounded memory.

use std::vec::Vec;

use super::room::Share;

/// Capacity that an empty buffer may keep.
const KEEP: usize = 4096;

/// Takes what the splitter found.
pub(super) trait Lines {
    /// What ends the stream.
    type Error;

    /// One or more whole lines; the last one ends in a LF.
    fn chunk(&mut self, lines: &[u8]) -> Result<(), Self::Error>;

    /// A line over the limit, of which this is the beginning. Its rest is skipped.
    fn too_long(&mut self, beginning: &[u8]) -> Result<(), Self::Error>;

    /// No room for a half line: too many other connections have one. The stream ends here.
    fn no_room(&mut self, beginning: &[u8]) -> Self::Error;
}

/// Keeps at most one half line, of at most the limit.
#[derive(Debug)]
pub(super) struct Splitter {
    partial: Vec<u8>,
    share: Share,
    limit: usize,
    skipping: bool,
}

impl Splitter {
    /// Lines may have `limit` bytes, without their LF or CR LF.
    pub(super) fn new(limit: usize, share: Share) -> Self {
        Self { partial: Vec::new(), share, limit, skipping: false }
    }

    pub(super) fn feed<L: Lines>(&mut self, mut input: &[u8], lines: &mut L) -> Result<(), L::Error> {
        if self.skipping || !self.partial.is_empty() {
            let Some(lf) = input.iter().position(|&byte| byte == b'\n') else { return self.keep(input, lines) };
            let (head, rest) = input.split_at(lf + 1);
            input = rest;
            if self.skipping {
                self.skipping = false;
            } else if self.partial.len() + head.len() > self.limit + 2 {
                // Over the limit whatever its end is, LF or CR LF: no need to put it together.
                self.partial.extend_from_slice(&head[..head.len().min(KEEP)]);
                let partial = core::mem::take(&mut self.partial);
                self.share.clear();
                lines.too_long(&partial)?;
            } else {
                self.partial.extend_from_slice(head);
                let partial = core::mem::take(&mut self.partial);
                lines.chunk(&partial)?;
                self.reuse(partial);
            }
        }
        let whole = input.iter().rposition(|&byte| byte == b'\n').map_or(0, |lf| lf + 1);
        let (whole, rest) = input.split_at(whole);
        if !whole.is_empty() {
            lines.chunk(whole)?;
        }
        self.keep(rest, lines)
    }

    /// The half line at the end of the stream, none if there is nothing but blanks.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        self.share.clear();
        let partial = core::mem::take(&mut self.partial);
        partial.iter().any(|byte| *byte > b' ').then_some(partial)
    }

    /// Keeps a piece without a LF.
    fn keep<L: Lines>(&mut self, piece: &[u8], lines: &mut L) -> Result<(), L::Error> {
        if self.skipping || piece.is_empty() {
            return Ok(());
        }
        let length = self.partial.len() + piece.len();
        if length > self.limit + 1 {
            self.skipping = true;
            self.partial.extend_from_slice(&piece[..piece.len().min(KEEP)]);
            let partial = core::mem::take(&mut self.partial);
            self.share.clear();
            return lines.too_long(&partial);
        }
        // Doubled while it grows, or an endless line that comes in small pieces would be copied over and over.
        let capacity = length.max(self.partial.capacity() * 2).min(self.limit + 2).max(length);
        if length > self.partial.capacity() {
            if !self.share.grow(capacity) {
                let partial = core::mem::take(&mut self.partial);
                return Err(lines.no_room(if partial.is_empty() { piece } else { &partial }));
            }
            self.partial.reserve_exact(capacity - self.partial.len());
        }
        self.partial.extend_from_slice(piece);
        Ok(())
    }

    fn reuse(&mut self, mut partial: Vec<u8>) {
        if partial.capacity() <= KEEP {
            partial.clear();
            self.partial = partial;
        } else {
            self.share.clear();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::room::Room;
    use super::*;

    #[derive(Default)]
    struct Seen {
        whole: Vec<u8>,
        too_long: usize,
    }

    impl Lines for Seen {
        type Error = ();

        fn chunk(&mut self, lines: &[u8]) -> Result<(), ()> {
            assert_eq!(lines.last(), Some(&b'\n'));
            self.whole.extend_from_slice(lines);
            Ok(())
        }

        fn too_long(&mut self, _: &[u8]) -> Result<(), ()> {
            self.too_long += 1;
            Ok(())
        }

        fn no_room(&mut self, _: &[u8]) {}
    }

    fn split(input: &[u8], step: usize, limit: usize) -> (Seen, Option<Vec<u8>>) {
        let mut seen = Seen::default();
        let mut splitter = Splitter::new(limit, Room::new(1 << 20).share());
        for piece in input.chunks(step) {
            splitter.feed(piece, &mut seen).unwrap();
            assert!(splitter.partial.capacity() <= KEEP.max(limit + 2));
        }
        (seen, splitter.finish())
    }

    #[test]
    fn wherever_it_is_cut_the_lines_are_the_same() {
        let input = b"one\n\ntwo two\r\nthree\nhalf";
        for step in 1..=input.len() {
            let (seen, half) = split(input, step, 100);
            assert_eq!(seen.whole, b"one\n\ntwo two\r\nthree\n");
            assert_eq!(half.as_deref(), Some(&b"half"[..]));
            assert_eq!(seen.too_long, 0);
        }
    }

    #[test]
    fn a_line_over_the_limit_is_reported_once_and_skipped() {
        let input = [&b"a\n"[..], &[b'x'; 50_000], b"\nb\n"].concat();
        for step in [1, 7, 1000, 4096, 5001] {
            let (seen, half) = split(&input, step, 5000);
            assert_eq!(seen.whole, b"a\nb\n", "step {step}");
            assert_eq!((seen.too_long, half), (1, None));
        }
    }

    #[test]
    fn an_endless_line_needs_no_memory() {
        let room = Room::new(10_000);
        let mut splitter = Splitter::new(5000, room.share());
        let mut seen = Seen::default();
        for _ in 0..10_000 {
            splitter.feed(&[b'x'; 1000], &mut seen).unwrap();
        }
        assert_eq!(seen.too_long, 1);
        assert_eq!(splitter.partial.capacity(), 0);
        assert!(room.share().grow(10_000), "nothing is held");
    }

    #[test]
    fn without_room_the_stream_ends() {
        let room = Room::new(6000);
        let mut one = Splitter::new(5000, room.share());
        let mut two = Splitter::new(5000, room.share());
        let mut seen = Seen::default();
        one.feed(&[b'x'; 5000], &mut seen).unwrap();
        assert_eq!(two.feed(&[b'x'; 5000], &mut seen), Err(()));
        drop(one);
        assert!(two.feed(&[b'x'; 5000], &mut seen).is_ok());
    }

    #[test]
    fn blanks_at_the_end_are_no_half_line() {
        assert_eq!(split(b"one\n \t\r", 3, 100).1, None);
    }
}
