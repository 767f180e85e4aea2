//! Takes each path for 1,024 lines: `benches/instructions` counts what that is, in callgrind.

use std::hint::black_box;

use benches::data::DIFFERENT;
use benches::paths::{self, Input};

fn main() {
    measured(&Input::new(), &mut Vec::with_capacity(1 << 17));
}

/// What is counted: nothing before and after it is.
#[inline(never)]
fn measured(input: &Input, out: &mut Vec<u8>) {
    for path in paths::ALL {
        (black_box(path).run)(input, 0..DIFFERENT, out);
    }
}
