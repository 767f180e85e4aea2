//! Random numbers from a seed that is printed, so that a fault comes again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;
use std::time::Duration;

/// `WAVEFRONT_FAULT_SEED`, or a new one.
pub(crate) fn seed() -> u64 {
    let seed = match std::env::var("WAVEFRONT_FAULT_SEED") {
        Ok(text) => text.parse().expect("WAVEFRONT_FAULT_SEED is a number"),
        Err(_) => RandomState::new().build_hasher().finish(),
    };
    eprintln!("WAVEFRONT_FAULT_SEED={seed}");
    seed
}

/// SplitMix64 (G. Steele, D. Lea, C. Flood, 2014): any seed will do.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub(crate) fn of(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    pub(crate) fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.of(range))
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.of(0..n) == 0
    }
}
