//! Takes each path for 1,024 lines: `benches/instructions` counts what that is, in callgrind.

use benches::data::DIFFERENT;
use benches::paths::{self, Input};

fn main() {
    let (input, mut out) = (Input::new(), Vec::with_capacity(1 << 17));
    for path in paths::ALL {
        (path.run)(&input, 0..DIFFERENT, &mut out);
    }
}
