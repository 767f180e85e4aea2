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

/// Runs that once broke a law.
fn run(setup: [u8; 8], ops: &[[u8; 3]]) {
    assert_eq!(spool::count(&[&setup[..], ops.as_flattened()].concat()), ops.len());
}

#[test]
fn a_put_that_failed_may_have_been_done_all_the_same() {
    const PUSH: [u8; 3] = [0, 0, 0];
    let failed = [[39, 0, 0], [173, 16, 0]];
    let ops = [&[[181, 16, 0]], &[PUSH; 4][..], &[[39, 0, 0], [173, 2, 0]], &[PUSH; 6], &failed].concat();
    run([82, 55, 29, 0, 0, 0, 0, 0], &ops);
}

#[test]
fn what_the_store_has_leaves_though_newer_lines_fill_the_memory_and_the_store_takes_no_more() {
    let pushes = [[64, 67, 1], [0, 139, 3], [64, 159, 7], [64, 28, 127], [181, 16, 0], [192, 0, 35], [192, 169, 0]];
    let ops = [&[[192, 139, 9], [64, 0, 34], [63, 0, 18]], &pushes[..], &[[192, 11, 0]], &[[0, 0, 0]; 8]].concat();
    run([97, 4, 97, 25, 0, 0, 216, 0], &ops);
}

#[test]
fn what_an_unread_store_has_leaves_though_newer_lines_fill_the_memory() {
    let left = [&[[0, 0, 0]; 4][..], &[[0, 1, 30], [0, 0, 0], [0, 0, 0], [0, 128, 0], [64, 130, 0]]].concat();
    let fails = [[245, 16, 0], [62, 0, 0], [64, 73, 220], [181, 0, 0], [64, 191, 61], [64, 0, 0], [0, 0, 0]];
    run([8, 0, 97, 65, 2, 0, 6, 0], &[&left[..], &fails].concat());
}

#[test]
fn what_was_read_is_not_given_away_again_behind_written_lines() {
    run([120, 14, 0, 0, 0, 0, 78, 32], &[[192, 0, 0], [64, 0, 0], [181, 0, 0], [0, 9, 0], [192, 128, 0]]);
}

#[test]
fn lines_for_which_there_is_no_key_in_front_leave_without_one() {
    let start = [[245, 16, 0], [64, 228, 0], [30, 0, 0], [192, 149, 149], [192, 4, 0], [0, 0, 0], [64, 151, 127]];
    let work = [[192, 0, 0], [39, 0, 0], [192, 43, 0], [53, 0, 0], [247, 1, 9], [183, 5, 82], [64, 132, 0]];
    let end = [&[[181, 16, 0]][..], &[[0, 0, 0]; 5], &[[0, 96, 0], [20, 0, 0]]].concat();
    run([54, 70, 24, 15, 0, 0, 1, 2], &[&start[..], &work, &end].concat());
}

#[test]
fn a_key_that_is_kept_for_another_try_has_its_place_in_the_order() {
    let ops = [
        [39, 0, 0],
        [109, 2, 0],
        [231, 0, 0],
        [192, 0, 0],
        [64, 0, 0],
        [173, 2, 0],
        [64, 31, 0],
        [167, 0, 0],
        [237, 48, 0],
        [119, 1, 57],
        [63, 0, 13],
    ];
    run([27, 120, 54, 87, 3, 0, 174, 0], &ops);
}

#[test]
fn a_record_that_is_to_be_removed_is_not_taken_for_one_that_only_the_store_has() {
    #[rustfmt::skip]
    let ops = [
        [0, 4, 6], [0, 1, 6], [64, 128, 8], [64, 32, 76], [192, 21, 0], [122, 22, 0], [0, 2, 45], [64, 17, 59],
        [181, 16, 0], [0, 9, 0], [0, 16, 93], [192, 21, 8], [183, 1, 43], [117, 16, 0], [192, 96, 0], [0, 96, 0],
        [0, 128, 0], [30, 0, 0], [64, 45, 5], [192, 94, 45], [16, 0, 0], [192, 1, 159], [20, 0, 0], [64, 95, 10],
        [16, 0, 0], [0, 162, 0], [64, 29, 96], [53, 16, 0], [190, 0, 0], [64, 0, 0], [39, 0, 0], [173, 18, 0],
        [192, 97, 0], [0, 224, 34], [231, 0, 0], [192, 0, 0], [173, 2, 0], [39, 0, 0], [20, 0, 0], [64, 96, 0],
        [109, 2, 0], [0, 88, 2], [30, 0, 8], [64, 142, 9], [84, 0, 0], [103, 0, 0], [64, 128, 2], [45, 18, 0],
        [158, 0, 88], [64, 65, 64], [39, 0, 0], [64, 128, 0], [64, 0, 15],
    ];
    run([85, 14, 157, 17, 14, 10, 19, 32], &ops);
}
