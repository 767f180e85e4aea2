//! Takes each path for 1,024 lines: `benches/instructions` counts what that is, in callgrind.

use std::hint::black_box;

use benches::data::DIFFERENT;
use benches::paths::{self, CLEARED, Input};
use benches::sending::{send, sender};
use wavefront_sdk::Sender;

fn main() {
    let (input, sender) = (Input::new(), sender(DIFFERENT + CLEARED));
    // What a sender does for its first line is not what it does for each.
    send(&sender, &input, 0..CLEARED);
    measured(&input, &sender, &mut Vec::with_capacity(1 << 17));
}

/// What is counted: nothing before and after it is.
#[inline(never)]
fn measured(input: &Input, sender: &Sender, out: &mut Vec<u8>) {
    for path in paths::ALL {
        (black_box(path).run)(input, 0..DIFFERENT, out);
    }
    send(sender, input, 0..DIFFERENT);
}
