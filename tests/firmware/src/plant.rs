//! What the programs measure: the same series on every machine, which the test computes again.

/// The pressure at step `step`: a number with many digits.
pub fn pressure(step: u32) -> f64 {
    f64::from(step.wrapping_mul(2_654_435_761) >> 8) / 7.0 - 1000.0
}

/// Strokes of the pump since the step before.
pub fn strokes(step: u32) -> f64 {
    f64::from(1 + step % 3)
}

/// Seconds since 1970.
pub fn time(step: u32) -> u64 {
    1_700_000_000 + u64::from(step)
}

/// 16 bytes that differ, as a random number generator would give them.
pub fn id(step: u32, which: u8) -> [u8; 16] {
    let [a, b, c, d] = step.to_be_bytes();
    [which, 0x5a, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, a, b, c, d]
}
