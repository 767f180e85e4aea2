//! How far a run of bytes of one class reaches, found eight bytes at a time.
//!
//! A class is a function of a word, its first byte the lowest: it sets the high bit of the first byte that ends the
//! run, of none before it, and of any behind it.

const LOW: u64 = u64::MAX / 0xFF;
const HIGH: u64 = LOW << 7;

/// The high bit of each byte that lies in `from..=to`. Above a byte that is not ASCII the bits may be wrong.
const fn within(word: u64, from: u8, to: u8) -> u64 {
    word.wrapping_add(LOW * (0x80 - from as u64)) & !word.wrapping_add(LOW * (0x7F - to as u64))
}

/// The high bit of each byte that is `byte`. Above one that is, the bits may be wrong.
const fn equal(word: u64, byte: u8) -> u64 {
    let zero = word ^ (LOW * byte as u64);
    zero.wrapping_sub(LOW) & !zero
}

/// The first byte that is not `,` `-` `.` `/` `0-9` `A-Z` `a-z` `_`.
pub(super) const fn illegal(word: u64) -> u64 {
    let legal = within(word, b',', b'9') | within(word | LOW << 5, b'a', b'z') | within(word, b'_', b'_');
    (!legal | word) & HIGH
}

/// The first `"` or backslash.
pub(super) const fn quote(word: u64) -> u64 {
    (equal(word, b'"') | equal(word, b'\\')) & HIGH
}

/// The first space, control character or `=`.
pub(super) const fn space(word: u64) -> u64 {
    (word.wrapping_sub(LOW * 0x21) & !word | equal(word, b'=')) & HIGH
}

/// The same, or a backslash.
pub(super) const fn space_or_escape(word: u64) -> u64 {
    (word.wrapping_sub(LOW * 0x21) & !word | equal(word, b'=') | equal(word, b'\\')) & HIGH
}

/// The first byte that does not stand for itself in a JSON string: `"`, a backslash, a control character.
pub(super) const fn special(word: u64) -> u64 {
    (word.wrapping_sub(LOW * 0x20) & !word | equal(word, b'"') | equal(word, b'\\')) & HIGH
}

/// Whether these are 8, 4, 4, 4 and 12 hexadecimal digits with hyphens between them.
pub(super) fn is_id(text: &[u8; 36]) -> bool {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    // What makes a digit of a hyphen.
    const CHANGE: [u64; 5] = [0, 0x1D | 0x1D << 40, 0x1D << 16 | 0x1D << 56, 0, 0];
    let mut all = HIGH;
    for (at, change) in [0, 8, 16, 24, 28].into_iter().zip(CHANGE) {
        let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk()) else { return false };
        let word = u64::from_le_bytes(*word) ^ change;
        all &= (within(word, b'0', b'9') | within(word | LOW << 5, b'a', b'f')) & !word;
    }
    all == HIGH && HYPHENS.into_iter().all(|at| text.get(at) == Some(&b'-'))
}

/// How many bytes stand before the first that `stop` finds; all, if it finds none. The lowest bit that `stop` sets is
/// the high one of that byte.
#[inline(always)]
pub(super) fn run(text: &[u8], stop: impl Fn(u64) -> u64) -> usize {
    let (words, rest) = text.as_chunks();
    for (index, word) in words.iter().enumerate() {
        let found = stop(u64::from_le_bytes(*word));
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let last = rest.iter().rfold(0, |word, byte| word << 8 | u64::from(*byte));
    let found = stop(last) | 0x80 << (rest.len() * 8);
    text.len() - rest.len() + found.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place_of_a_word_is_of_its_class() {
        for byte in 0..=u8::MAX {
            for at in 0..20 {
                for len in at + 1..=20 {
                    let mut text = [b'a'; 20];
                    text[at] = byte;
                    let found = |stop: fn(u64) -> u64| run(&text[..len], stop);
                    let place = |is: bool| if is { at } else { len };
                    let is_legal = matches!(byte, b','..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_');
                    assert_eq!(found(illegal), place(!is_legal), "{byte}");
                    assert_eq!(found(quote), place(matches!(byte, b'"' | b'\\')), "{byte}");
                    assert_eq!(found(special), place(matches!(byte, 0..b' ' | b'"' | b'\\')), "{byte}");
                    assert_eq!(found(space), place(matches!(byte, 0..=b' ' | b'=')), "{byte}");
                    assert_eq!(found(space_or_escape), place(matches!(byte, 0..=b' ' | b'=' | b'\\')), "{byte}");
                }
            }
        }
    }

    #[test]
    fn an_id_is_one_with_every_byte() {
        let id = *b"7b3bF470-9456-11e8-9Eb6-529269fb145A";
        assert!(is_id(&id));
        for at in 0..id.len() {
            for byte in 0..=u8::MAX {
                let mut other = id;
                other[at] = byte;
                let good = if id[at] == b'-' { byte == b'-' } else { byte.is_ascii_hexdigit() };
                assert_eq!(is_id(&other), good, "{byte} at {at}");
            }
        }
    }
}
