//! The digits of numbers, eight at once: where there are shortcuts, into a window.

/// A one and eight zeros.
const EIGHT: u64 = 100_000_000;
const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

/// The eight digits of a number below 10⁸, the first in the lowest byte: split in two, by two, by two, all at once.
#[inline(always)]
const fn eight_digits(value: u64) -> u64 {
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    // Divisions by a hundred and by ten, right for all there can be.
    let hundreds = ((fours * 10_486) >> 20) & 0x7F_0000_007F;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x000F_000F_000F_000F;
    tens | (twos - tens * 10) << 8
}

/// Room for any integer and a word.
pub(crate) type IntegerRoom = [u8; 24];

/// Room for any decimal and a word.
pub(crate) type DecimalRoom = [u8; 32];

/// Writes an integer, and returns how long it is. A call, so that it has the registers for itself.
#[inline(never)]
pub(crate) fn integer(room: &mut IntegerRoom, value: u64) -> usize {
    if value < EIGHT {
        return first_digits(room, value);
    }
    let (others, last) = (value / EIGHT, value % EIGHT);
    let len = if others < EIGHT {
        first_digits(room, others)
    } else {
        let len = first_digits(room, others / EIGHT);
        next_digits(room, len, others % EIGHT)
    };
    next_digits(room, len, last)
}

/// Writes ten-thousandths, with at least one decimal and no zero after it at the end, and returns how long it is.
#[inline(never)]
pub(crate) fn decimal(room: &mut DecimalRoom, scaled: u64) -> usize {
    const ZEROS: u64 = u64::from_le_bytes(*b".0000\0\0\0");
    let len = room.first_chunk_mut().map_or(0, |room| integer(room, scaled / 10_000));
    let digits = eight_digits(scaled % 10_000) >> 32;
    // The first one is written in any case.
    let zeros = (digits << 32 | 1 << 39).leading_zeros() / 8;
    put_word(room, len, ZEROS | digits << 8);
    len + 5 - zeros as usize
}

/// Up to eight digits, without zeros in front.
#[inline(always)]
fn first_digits(room: &mut IntegerRoom, value: u64) -> usize {
    let digits = eight_digits(value);
    // The last one is written in any case.
    let zeros = (digits | 1 << 56).trailing_zeros() / 8;
    put_word(room, 0, (digits | ZEROS) >> (8 * zeros));
    8 - zeros as usize
}

/// Eight digits more.
#[inline(always)]
fn next_digits(room: &mut IntegerRoom, len: usize, value: u64) -> usize {
    put_word(room, len, eight_digits(value) | ZEROS);
    len + 8
}

#[inline(always)]
fn put_word(room: &mut [u8], at: usize, word: u64) {
    if let Some(to) = room.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *to = word.to_le_bytes();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::format;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn eight_digits_are_those_of_the_number() {
        let check = |value: u64| {
            let digits = eight_digits(value).to_le_bytes().map(|digit| b'0' + digit);
            assert_eq!(digits.as_slice(), format!("{value:08}").as_bytes());
        };
        // Every four digits in both halves, then some of all.
        (0..10_000).for_each(|four| check(four * 10_000 + (9_999 - four)));
        (0..100_000_000).step_by(9_973).for_each(check);
        check(99_999_999);
    }

    /// What is written to a room of this size.
    fn written<const N: usize>(write: impl Fn(&mut [u8; N]) -> usize) -> Vec<u8> {
        let mut room = [b'.'; N];
        let len = write(&mut room);
        room[..len].to_vec()
    }

    #[test]
    fn integers_of_every_length() {
        let check = |value: u64| {
            let expected = format!("{value}").into_bytes();
            assert_eq!(written(|room| integer(room, value)), expected);
        };
        (0..20_000).for_each(check);
        for power in 0..20 {
            let ten = 10_u64.pow(power);
            [ten - 1, ten, ten + 1, ten.wrapping_mul(7), u64::MAX / ten].into_iter().for_each(check);
        }
    }

    #[test]
    fn every_four_decimals() {
        // Behind every integer, one of more than eight digits too.
        let behind = |whole: u64| (0..10_000).map(move |four| whole * 10_000 + four);
        for scaled in [0, 1, 2, 3, 12_345_678, u64::MAX / 10_000 - 1].into_iter().flat_map(behind) {
            let text = format!("{}.{:04}", scaled / 10_000, scaled % 10_000);
            let expected = match text.trim_end_matches('0') {
                whole if whole.ends_with('.') => format!("{whole}0"),
                decimals => decimals.into(),
            };
            assert_eq!(written(|room| decimal(room, scaled)), expected.into_bytes());
        }
    }
}
