//! The memory that both sides know, and everything that lives on this side.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use wavefront_sdk::delivery::Encoded;
use wavefront_sdk::line::Slice;
use wavefront_sdk::uplink::Unsent;

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
            Err(Fault::Unsent(Unsent::Scratch(full))) if scratch.len() < MOST_SCRATCH => {
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
            self.say_out();
            fault.code()
        })
    }

    /// Leaves behind where the text is that goes out, and how long it is.
    pub(crate) fn say_out(&mut self) {
        let words = [self.out.as_ptr() as usize as u32, self.out.len() as u32];
        self.say(&words);
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

    /// Makes room for so many bytes of strings, words and numbers, and says where words are. The last two words that there are
    /// room for say where the strings and the numbers are. The next call may change all of that.
    pub(crate) fn areas(&mut self, text: u32, words: u32, numbers: u32) -> *const u32 {
        let Self { text: texts, words: area, numbers: figures, .. } = self;
        if texts.len() < text as usize {
            *texts = vec![0; text as usize];
        }
        if area.len() < words as usize {
            *area = vec![0; words as usize];
        }
        if figures.len() < numbers as usize {
            *figures = vec![0.0; numbers as usize];
        }
        let places = [texts.as_ptr() as usize as u32, figures.as_ptr() as usize as u32];
        if let Some(last) = area.get_mut(..words as usize).and_then(<[u32]>::last_chunk_mut) {
            *last = places;
        }
        area.as_ptr()
    }
}
