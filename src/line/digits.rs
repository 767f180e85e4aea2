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

/// Writes an integer, if there is room for it and a word, and returns the rest of the room.
#[inline(always)]
pub(crate) fn integer(room: &mut [u8], value: u64) -> Option<&mut [u8]> {
    if value < EIGHT {
        return first_digits(room, value);
    }
    let room = if value < EIGHT * EIGHT {
        first_digits(room, value / EIGHT)?
    } else {
        next_digits(first_digits(room, value / (EIGHT * EIGHT))?, value / EIGHT % EIGHT)?
    };
    next_digits(room, value % EIGHT)
}

/// Writes ten-thousandths, with at least one decimal and no zero after it at the end, if there is room for them and a
/// word, and returns the rest of the room.
#[inline(always)]
pub(crate) fn decimal(room: &mut [u8], scaled: u64) -> Option<&mut [u8]> {
    const ZEROS: u64 = u64::from_le_bytes(*b".0000\0\0\0");
    let room = integer(room, scaled / 10_000)?;
    let digits = eight_digits(scaled % 10_000) >> 32;
    // The first one is written in any case.
    let zeros = (digits << 32 | 1 << 39).leading_zeros() / 8;
    *room.first_chunk_mut()? = (ZEROS | digits << 8).to_le_bytes();
    room.get_mut(5 - zeros as usize..)
}

/// Up to eight digits, without zeros in front.
#[inline(always)]
fn first_digits(room: &mut [u8], value: u64) -> Option<&mut [u8]> {
    let digits = eight_digits(value);
    // The last one is written in any case.
    let zeros = (digits | 1 << 56).trailing_zeros() / 8;
    *room.first_chunk_mut()? = ((digits | ZEROS) >> (8 * zeros)).to_le_bytes();
    room.get_mut(8 - zeros as usize..)
}

/// Eight digits.
#[inline(always)]
fn next_digits(room: &mut [u8], value: u64) -> Option<&mut [u8]> {
    let (to, rest) = room.split_first_chunk_mut()?;
    *to = (eight_digits(value) | ZEROS).to_le_bytes();
    Some(rest)
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
    fn written(size: usize, write: impl Fn(&mut [u8]) -> Option<&mut [u8]>) -> Option<Vec<u8>> {
        let mut room = std::vec![b'.'; size];
        let left = write(&mut room)?.len();
        room.truncate(size - left);
        Some(room)
    }

    #[test]
    fn integers_of_every_length() {
        let check = |value: u64| {
            let expected = format!("{value}").into_bytes();
            assert_eq!(written(28, |room| integer(room, value)), Some(expected));
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
            assert_eq!(written(28, |room| decimal(room, scaled)), Some(expected.into_bytes()));
        }
    }

    #[test]
    fn where_there_is_no_room_nothing_is_said_to_be_written() {
        for (size, value) in [(7, 0), (7, 1), (15, EIGHT * EIGHT - 1), (16, EIGHT * EIGHT - 1), (19, u64::MAX)] {
            let fits = written(size, |room| integer(room, value)).is_some();
            assert_eq!(fits, size == 16, "{value} in {size} bytes");
        }
        assert_eq!(written(8, |room| decimal(room, 1)), None);
    }
}
