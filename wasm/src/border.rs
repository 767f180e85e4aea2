//! The memory that both sides know, and everything that lives on this side.

use std::cell::RefCell;

use wasm_bindgen::prelude::wasm_bindgen;
use wavefront_sdk::line::Full;

use crate::fault::Fault;
use crate::pipe::Pipe;
use crate::strings::Strings;

/// All state. There is one thread, and nothing here calls JavaScript: nobody ever finds it in use.
pub(crate) struct Border {
    /// Strings that come in, behind one another.
    text: Vec<u8>,
    /// Their lengths in bytes; other small numbers, both ways.
    pub(crate) words: Vec<u32>,
    /// Numbers that come in with lists, and the ledger's that go out.
    pub(crate) numbers: Vec<f64>,
    /// Text that goes out: lines, and what is wrong.
    pub(crate) out: Vec<u8>,
    /// Where lines are encoded before they are queued.
    pub(crate) scratch: Vec<u8>,
    pub(crate) pipes: Vec<Option<Pipe>>,
}

/// No line is longer, and there are two at most.
pub(crate) const MOST_SCRATCH: usize = 4 << 20;

/// Makes room for what did not fit.
pub(crate) fn grow(scratch: &mut Vec<u8>, full: Full) {
    scratch.resize(full.needed.saturating_add(scratch.len()).saturating_mul(2), 0);
}

/// The least that an area holds: more than words and numbers that go out.
const LEAST: usize = 256;

std::thread_local! {
    static BORDER: RefCell<Border> = const {
        RefCell::new(Border {
            text: Vec::new(),
            words: Vec::new(),
            numbers: Vec::new(),
            out: Vec::new(),
            scratch: Vec::new(),
            pipes: Vec::new(),
        })
    };
}

/// Does `work`, and makes a number of what went wrong, with its words in `out`.
pub(crate) fn with(work: impl FnOnce(&mut Border) -> Result<i32, Fault>) -> i32 {
    let done = BORDER.try_with(|border| {
        let Ok(mut border) = border.try_borrow_mut() else { return Fault::Gone.code() };
        let border = &mut *border;
        match work(border) {
            Ok(code) => code,
            Err(fault) => {
                border.out.clear();
                fault.describe(&mut border.out);
                fault.code()
            }
        }
    });
    done.unwrap_or(Fault::Gone.code())
}

/// As [`with`], for what cannot go wrong.
pub(crate) fn look<R: Default>(work: impl FnOnce(&mut Border) -> R) -> R {
    let looked = BORDER.try_with(|border| border.try_borrow_mut().map(|mut border| work(&mut border)).ok());
    looked.ok().flatten().unwrap_or_default()
}

/// A reference of its own to each part: a call reads from some and writes to others.
pub(crate) struct Parts<'a> {
    pub(crate) strings: Strings<'a>,
    pub(crate) numbers: &'a [f64],
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) scratch: &'a mut Vec<u8>,
    pub(crate) pipes: &'a mut Vec<Option<Pipe>>,
}

impl Border {
    /// The first `strings` strings that came in, and the first `numbers` numbers.
    pub(crate) fn parts(&mut self, strings: u32, numbers: u32) -> Result<Parts<'_>, Fault> {
        let Self { text, words, numbers: area, out, scratch, pipes } = self;
        let lengths = words.get(..strings as usize).ok_or(Fault::Gone)?;
        let numbers = area.get(..numbers as usize).ok_or(Fault::Gone)?;
        let strings = Strings::new(text, lengths).ok_or(Fault::Gone)?;
        Ok(Parts { strings, numbers, out, scratch, pipes })
    }

    pub(crate) fn pipe(&mut self, pipe: u32) -> Result<&mut Pipe, Fault> {
        pipe_of(&mut self.pipes, pipe)
    }
}

pub(crate) fn pipe_of(pipes: &mut [Option<Pipe>], pipe: u32) -> Result<&mut Pipe, Fault> {
    pipes.get_mut(pipe as usize).and_then(Option::as_mut).ok_or(Fault::Gone)
}

fn area<T: Clone + Default>(area: &mut Vec<T>, len: u32) -> *const T {
    let len = (len as usize).max(LEAST);
    if area.len() < len {
        area.resize(len, T::default());
    }
    area.as_ptr()
}

/// Where strings are written to, with room for `len` bytes at least; where that is, the next call may change.
#[wasm_bindgen]
pub fn text_area(len: u32) -> *const u8 {
    BORDER.with(|border| area(&mut border.borrow_mut().text, len))
}

/// Where lengths are written to, and words are read from.
#[wasm_bindgen]
pub fn word_area(len: u32) -> *const u32 {
    BORDER.with(|border| area(&mut border.borrow_mut().words, len))
}

/// Where numbers are written to, and read from.
#[wasm_bindgen]
pub fn number_area(len: u32) -> *const f64 {
    BORDER.with(|border| area(&mut border.borrow_mut().numbers, len))
}

/// Where the text of the last call is.
#[wasm_bindgen]
pub fn out_area() -> *const u8 {
    BORDER.with(|border| border.borrow().out.as_ptr())
}

/// How long it is.
#[wasm_bindgen]
pub fn out_length() -> u32 {
    look(|border| border.out.len() as u32)
}
