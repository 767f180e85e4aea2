//! Laws of the delivery with a store: random clients, receivers, media and power cuts, on a clock of their own. The laws
//! themselves are those of `tests/laws/spool.rs`. `PROPTEST_CASES=100000` looks further.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(feature = "std")]

#[path = "laws/spool.rs"]
#[allow(dead_code)]
mod spool;

use core::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

#[test]
fn nothing_durable_is_lost_whatever_happens() {
    let operations = AtomicUsize::new(0);
    let config = ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() };
    let mut runner = TestRunner::new(config);
    let run = (any::<[u8; 8]>(), prop::collection::vec(any::<[u8; 3]>(), 0..300));
    let result = runner.run(&run, |(setup, ops)| {
        operations.fetch_add(spool::count(&[&setup[..], ops.as_flattened()].concat()), Ordering::Relaxed);
        Ok(())
    });
    println!("{operations:?} operations");
    result.unwrap();
}
