//! Numbers and ids as text.

use uuid::Uuid;

use super::compact::SHORTCUTS;
use super::out::Put;
use super::shortest::Shortest;

const EXPONENT: u64 = 0x7FF << 52;

/// Whether it is neither infinite nor NaN. By its bits, as below: a comparison of doubles is a call where there is no
/// hardware for them.
#[inline]
pub(crate) const fn is_finite(value: f64) -> bool {
    value.to_bits() & EXPONENT != EXPONENT
}

/// Whether it is zero, of whichever sign.
#[inline]
pub(crate) const fn is_zero(value: f64) -> bool {
    let bits = value.to_bits();
    (bits >> 32) as u32 & 0x7FFF_FFFF | bits as u32 == 0
}

/// Whether doubles and integers of 64 bits are calculated with in hardware: then ryu, and a shorter way for values of
/// few decimals, are worth their room, in WebAssembly too. Without them a plain-JavaScript encoder would be faster.
const DECIMALS: bool = SHORTCUTS || cfg!(target_arch = "wasm32");

/// Writes a finite double: the shortest text that reads back as the same double, `42422.0`, `1e16`, `-0.0`.
///
/// A value of at most four decimals goes through an integer, which gives the same text in a third of the time. The
/// division says whether it is one: it is rounded to the nearest double, so where it gives the value back, the decimal
/// number is read as that value. It has at most 15 digits, and no two such numbers are read as the same double; so the
/// shortest text cannot be another one. Bare metal seldom calculates with doubles in hardware: there it would cost
/// time and 2 KB, and ryu's tables and its divisions of 64 bits 7 KB more; so it has a [`Shortest`] of its own.
#[inline]
pub(crate) fn put_f64(value: f64, out: &mut (impl Put + ?Sized)) {
    let magnitude = value.abs();
    let scaled = if DECIMALS { (magnitude * 1e4 + 0.5) as u64 } else { 0 };
    if DECIMALS && magnitude < 1e11 && scaled as f64 / 1e4 == magnitude {
        if value.is_sign_negative() {
            out.put(b"-");
        }
        put_decimal(scaled, out);
    } else {
        with_f64(value, |text| out.put_digits(text));
    }
}

/// Calls `take` with the text of a finite double.
#[inline]
pub(crate) fn with_f64<R>(value: f64, take: impl FnOnce(&[u8]) -> R) -> R {
    if DECIMALS {
        take(ryu::Buffer::new().format_finite(value).as_bytes())
    } else {
        take(Shortest::of(value).as_bytes())
    }
}

/// Writes ten-thousandths, with at least one decimal and no zero after it at the end.
#[inline(always)]
fn put_decimal(scaled: u64, out: &mut (impl Put + ?Sized)) {
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    out.put_decimal(scaled);
    #[cfg(any(target_os = "none", target_arch = "wasm32", no_shortcuts))]
    put_decimal_in_pieces(scaled, out);
}

pub(crate) fn put_decimal_in_pieces(scaled: u64, out: &mut (impl Put + ?Sized)) {
    put_u64(scaled / 10_000, out);
    let rest = (scaled % 10_000) as u32;
    let digit = |unit| b'0' + (rest / unit % 10) as u8;
    let decimals = [b'.', digit(1000), digit(100), digit(10), digit(1)];
    let [.., b'0'] = decimals else { return out.put(&decimals) };
    match &decimals {
        [short @ .., b'0', b'0', b'0'] => out.put(short),
        [short @ .., b'0', b'0'] => out.put(short),
        [short @ .., _] => out.put(short),
    }
}

/// Writes an integer.
#[inline(always)]
pub(crate) fn put_u64(value: u64, out: &mut (impl Put + ?Sized)) {
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    out.put_u64(value);
    #[cfg(any(target_os = "none", target_arch = "wasm32", no_shortcuts))]
    put_u64_by_digits(value, out);
}

#[cfg(any(target_os = "none", target_arch = "wasm32", no_shortcuts))]
#[inline]
fn put_u64_by_digits(value: u64, out: &mut (impl Put + ?Sized)) {
    let (mut digits, mut rest) = ([0; 20], value);
    let mut before = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + take_digit(&mut rest);
        before -= 1;
        if rest == 0 {
            break;
        }
    }
    out.put_digits(digits.get(before..).unwrap_or_default());
}

/// Divides by ten and returns the remainder: 32 bits, then 16 and 16, as a processor of 32 bits can.
#[cfg(any(test, target_os = "none", target_arch = "wasm32", no_shortcuts))]
fn take_digit(value: &mut u64) -> u8 {
    let (high, low) = ((*value >> 32) as u32, *value as u32);
    let middle = (high % 10) << 16 | low >> 16;
    let last = (middle % 10) << 16 | low & 0xFFFF;
    *value = u64::from(high / 10) << 32 | u64::from(((middle / 10) << 16) | (last / 10));
    (last % 10) as u8
}

/// Writes `before`, and the id as lower-case hexadecimal with hyphens.
#[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
pub(crate) fn put_id(before: &[u8], id: &Uuid, out: &mut (impl Put + ?Sized)) {
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    return out.put_id(before, id);
    #[cfg(any(target_os = "none", target_arch = "wasm32", no_shortcuts))]
    put_id_by_bytes(before, id, out);
}

/// Two ids, each after what stands before it.
#[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
pub(crate) fn put_ids(befores: [&[u8]; 2], ids: [&Uuid; 2], out: &mut (impl Put + ?Sized)) {
    #[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
    return out.put_ids(befores, ids);
    #[cfg(any(target_os = "none", target_arch = "wasm32", no_shortcuts))]
    befores.into_iter().zip(ids).for_each(|(before, id)| put_id_by_bytes(before, id, out));
}

#[cfg(any(target_os = "none", target_arch = "wasm32", no_shortcuts))]
#[inline]
fn put_id_by_bytes(before: &[u8], id: &Uuid, out: &mut (impl Put + ?Sized)) {
    out.put(before);
    for (index, byte) in id.as_bytes().iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.put_digits(b"-");
        }
        out.put_digits(&[hex_digit(byte >> 4), hex_digit(byte & 0xF)]);
    }
}

/// The digit of a nibble.
pub(crate) const fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

/// How many bytes have their digits in a table.
const PAIRED: usize = if SHORTCUTS { 256 } else { 0 };

/// The two digits of every byte, where there is room for such a table.
static PAIRS: [[u8; 2]; PAIRED] = {
    let (mut pairs, mut byte) = ([[0; 2]; PAIRED], 0);
    while byte < pairs.len() {
        let digits = *b"0123456789abcdef";
        pairs[byte] = [digits[byte >> 4], digits[byte & 0xF]];
        byte += 1;
    }
    pairs
};

/// Where the digits of each byte of an id stand.
const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// The length of an id.
pub(crate) const ID: usize = 36;

/// Writes the id to its place, by that table.
#[cfg_attr(any(target_os = "none", target_arch = "wasm32", no_shortcuts), allow(dead_code))]
#[inline(always)]
pub(crate) fn put_id_to(id: &Uuid, text: &mut [u8; ID]) {
    for hyphen in [8, 13, 18, 23] {
        text[hyphen] = b'-';
    }
    for (place, byte) in PLACES.iter().zip(id.as_bytes()) {
        let to = text.get_mut(*place..).and_then(<[u8]>::first_chunk_mut);
        if let (Some(to), Some(pair)) = (to, PAIRS.get(usize::from(*byte))) {
            *to = *pair;
        }
    }
}

/// Writes two ids to their places: as many digits as compilers calculate at once.
#[cfg_attr(any(target_os = "none", target_arch = "wasm32", no_shortcuts), allow(dead_code))]
#[inline(never)]
pub(crate) fn put_two_ids(one: &Uuid, two: &Uuid, to_one: &mut [u8; ID], to_two: &mut [u8; ID]) {
    let mut bytes = [0; 32];
    for (to, id) in bytes.as_chunks_mut().0.iter_mut().zip([one, two]) {
        *to = *id.as_bytes();
    }
    let mut digits = [[0; 2]; 32];
    for (pair, byte) in digits.iter_mut().zip(&bytes) {
        let digit = |nibble: u8| nibble + b'0' + if nibble > 9 { b'a' - b'0' - 10 } else { 0 };
        *pair = [digit(byte >> 4), digit(byte & 0xF)];
    }
    for (text, digits) in [to_one, to_two].into_iter().zip(digits.as_flattened().as_chunks::<32>().0) {
        for (from, to, len) in [(0, 0, 8), (8, 9, 4), (12, 14, 4), (16, 19, 4), (20, 24, 12)] {
            if let (Some(to), Some(from)) = (text.get_mut(to..to + len), digits.get(from..from + len)) {
                to.copy_from_slice(from);
            }
        }
        for hyphen in [8, 13, 18, 23] {
            text[hyphen] = b'-';
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn text(value: f64) -> Vec<u8> {
        let mut out = Vec::new();
        put_f64(value, &mut out);
        out
    }

    #[test]
    fn every_double_is_written_as_ryu_writes_it() {
        let mut bits: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut check = |value: f64| {
            let expected = ryu::Buffer::new().format_finite(value).as_bytes().to_vec();
            assert_eq!(text(value), expected, "{value:e}");
            assert_eq!(text(-value), ryu::Buffer::new().format_finite(-value).as_bytes(), "-{value:e}");
        };
        for scaled in (0..30_000).step_by(if SHORTCUTS { 1 } else { 7 }) {
            check(f64::from(scaled) / 1e4);
        }
        // `Shortest` has tests of its own, and takes its time.
        for step in 0..if SHORTCUTS { 100_000 } else { 5_000 } {
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^= bits << 17;
            // As many decimals as there may be, and the doubles beside them; now and then any double.
            let places = 10_f64.powi((bits % 7) as i32);
            let decimal = (bits >> (14 + bits % 50)) as f64 / places;
            for value in [decimal.next_down(), decimal, decimal.next_up()] {
                check(value.abs());
            }
            let any = f64::from_bits(bits & (u64::MAX >> 1));
            if step % 64 == 0 && any.is_finite() {
                check(any);
            }
        }
        for power in -20..20 {
            let value = 10_f64.powi(power);
            [value.next_down(), value, value.next_up()].into_iter().for_each(&mut check);
        }
        assert_eq!(text(-0.0), b"-0.0");
    }

    #[test]
    fn ids_are_written_as_their_own_crate_does() {
        let mut bits: u128 = 0x0123_4567_89AB_CDEF_FEDC_BA98_7654_3210;
        for _ in 0..1000 {
            let id = Uuid::from_u128(bits);
            let mut out = Vec::new();
            put_id(b"id ", &id, &mut out);
            assert_eq!(out, std::format!("id {id}").into_bytes());
            let (mut one, mut two) = ([0; ID], [0; ID]);
            let other = Uuid::from_u128(!bits);
            put_two_ids(&id, &other, &mut one, &mut two);
            assert_eq!([one.as_slice(), &two].concat(), std::format!("{id}{other}").into_bytes());
            bits = bits.wrapping_mul(0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645).wrapping_add(1);
        }
    }

    #[test]
    fn zero_is_zero_and_finite_is_finite() {
        // With halves that are alike, and with one that is nothing.
        let halves = [0, 1, 0x3FF0_0000, 0x7FEF_FFFF, 0x7FF0_0000, 0x7FF8_0000, 0x8000_0000, 0xFFF0_0000, 0xFFFF_FFFF];
        for value in halves.iter().flat_map(|high| halves.map(|low| f64::from_bits(high << 32 | low))) {
            assert_eq!(is_zero(value), value == 0.0, "{value:e}");
            assert_eq!(is_finite(value), value.is_finite(), "{value:e}");
        }
    }

    #[test]
    fn integers_are_written_as_the_standard_library_writes_them_with_or_without_shortcuts() {
        let edges = (0..64).map(|bit| 1_u64 << bit).chain((0..20).map(|power| 10_u64.pow(power)));
        for value in edges.flat_map(|edge| [edge - 1, edge, edge + 1, edge.wrapping_mul(0x9E37_79B9_7F4A_7C15), !edge])
        {
            let mut out = Vec::new();
            put_u64(value, &mut out);
            assert_eq!(out, std::format!("{value}").as_bytes());
            let mut rest = value;
            assert_eq!((u64::from(take_digit(&mut rest)), rest), (value % 10, value / 10), "{value}");
        }
        assert_eq!((0..16).map(hex_digit).collect::<Vec<_>>(), b"0123456789abcdef");
    }
}
