//! The memory that both sides know, and everything that lives on this side.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use wavefront_sdk::delivery::Encoded;
use wavefront_sdk::line::Slice;

use crate::fault::Fault;
use crate::pipe::Pipe;
use crate::strings::Strings;

/// All state. JavaScript has one of it.
pub(crate) struct Core {
    /// Strings that come in, behind one another.
    pub(crate) text: Vec<u8>,
    /// Their lengths in bytes; other small numbers, both ways.
    pub(crate) words: Vec<u32>,
    /// Numbers that come in with lists, and the ledger's that go out.
    pub(crate) numbers: Vec<f64>,
    /// Text that goes out: lines, and what is wrong.
    pub(crate) out: Vec<u8>,
    /// Where lines are encoded before they are queued.
    pub(crate) scratch: Vec<u8>,
    /// A number is never given twice: of those who are forgotten, others may still speak.
    pub(crate) pipes: Vec<Option<Box<Pipe>>>,
}

/// The least that an area holds: more than words and numbers that go out.
const LEAST: usize = 256;

/// No line is longer, and there are two at most.
pub(crate) const MOST_SCRATCH: usize = 4 << 20;

/// Encodes what takes scratch, again where there can be more of it than there was; what came of it, and the lines.
pub(crate) fn with_room<'a>(
    scratch: &'a mut Vec<u8>,
    encode: &mut dyn FnMut(&mut Slice<'_>) -> Result<Encoded, Fault>,
) -> Result<(Encoded, &'a [u8]), Fault> {
    let (encoded, len) = loop {
        let mut slice = Slice::new(scratch);
        let encoded = encode(&mut slice);
        let len = slice.len();
        match encoded {
            Err(Fault::Scratch(full)) if scratch.len() < MOST_SCRATCH => {
                *scratch = vec![0; full.needed.saturating_add(scratch.len()).saturating_mul(2)];
            }
            encoded => break (encoded?, len),
        }
    };
    Ok((encoded, scratch.get(..len).unwrap_or_default()))
}

/// A reference of its own to each part: a call reads from some and writes to others.
pub(crate) struct Parts<'a> {
    pub(crate) strings: Strings<'a>,
    pub(crate) numbers: &'a [f64],
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) scratch: &'a mut Vec<u8>,
    pub(crate) pipes: &'a mut [Option<Box<Pipe>>],
}

impl Core {
    /// The first `strings` strings that came in, and the first `numbers` numbers.
    pub(crate) fn parts(&mut self, strings: u32, numbers: u32) -> Result<Parts<'_>, Fault> {
        let Self { text, words, numbers: area, out, scratch, pipes } = self;
        let lengths = words.get(..strings as usize).ok_or(Fault::Gone)?;
        let numbers = area.get(..numbers as usize).ok_or(Fault::Gone)?;
        let strings = Strings::new(text, lengths).ok_or(Fault::Gone)?;
        Ok(Parts { strings, numbers, out, scratch, pipes })
    }

    pub(crate) fn pipe(&mut self, pipe: u32) -> Option<&mut Pipe> {
        self.pipes.get_mut(pipe as usize)?.as_deref_mut()
    }

    /// The number, or that of what went wrong, with its words in `out`.
    pub(crate) fn done(&mut self, result: Result<i32, Fault>) -> i32 {
        result.unwrap_or_else(|fault| {
            self.out.clear();
            fault.describe(&mut self.out);
            fault.code()
        })
    }

    /// Leaves words behind.
    pub(crate) fn say(&mut self, words: &[u32]) {
        self.words.iter_mut().zip(words).for_each(|(to, from)| *to = *from);
    }
}

/// Puts something where there is room; says where.
pub(crate) fn put<T>(places: &mut Vec<Option<T>>, thing: T) -> i32 {
    let free = places.iter().position(Option::is_none).unwrap_or(places.len());
    match places.get_mut(free) {
        Some(place) => *place = Some(thing),
        None => places.push(Some(thing)),
    }
    free as i32
}

fn area<T: Clone + Default>(area: &mut Vec<T>, len: u32) -> *const T {
    let len = (len as usize).max(LEAST);
    if area.len() < len {
        // What was there is read no more.
        *area = vec![T::default(); len];
    }
    area.as_ptr()
}

impl Core {
    /// Nothing yet.
    pub(crate) const NEW: Self = Self {
        text: Vec::new(),
        words: Vec::new(),
        numbers: Vec::new(),
        out: Vec::new(),
        scratch: Vec::new(),
        pipes: Vec::new(),
    };

    /// Where strings are written to, with room for `len` bytes at least; the next call may change that.
    pub(crate) fn text_area(&mut self, len: u32) -> *const u8 {
        area(&mut self.text, len)
    }

    /// Where lengths are written to, and words are read from.
    pub(crate) fn word_area(&mut self, len: u32) -> *const u32 {
        area(&mut self.words, len)
    }

    /// Where numbers are written to, and read from.
    pub(crate) fn number_area(&mut self, len: u32) -> *const f64 {
        area(&mut self.numbers, len)
    }

    /// Where the text of the last call is.
    pub(crate) fn out_area(&self) -> *const u8 {
        self.out.as_ptr()
    }

    /// How long it is.
    pub(crate) fn out_length(&self) -> u32 {
        self.out.len() as u32
    }
}
