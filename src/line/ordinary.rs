//! What is ordinary in a line: written as it stands, many bytes at once.
//!
//! A rule is of one byte. Where it is asked of arrays, the compiler makes of it what the processor has for all their
//! bytes together; so there is no rule for words, and none for one processor.

use super::compact::SHORTCUTS;

/// What makes a byte ordinary.
pub(crate) trait Rule {
    fn holds(byte: u8) -> bool;
}

/// Legal anywhere in a name: `,` `-` `.` `/` `0-9` `A-Z` `a-z` `_`.
pub(crate) struct InName;

/// Neither `"` nor a control character. (LF and U+0004 are what is looked for: the others are odd enough.)
pub(crate) struct InText;

/// Visible ASCII but `!` and `"`: with no backslash at its end such text is not to be trimmed either.
pub(crate) struct InWord;

/// Stands for itself in a JSON string: no control character, no `"`, no backslash.
pub(crate) struct InJson;

impl Rule for InName {
    #[inline(always)]
    fn holds(byte: u8) -> bool {
        let letter = (byte | 0x20).wrapping_sub(b'a') <= b'z' - b'a';
        letter | (byte.wrapping_sub(b',') <= b'9' - b',') | (byte == b'_')
    }
}

impl Rule for InText {
    /// With one bit changed, `"` changes places with a blank: what is odd ends there.
    #[inline(always)]
    fn holds(byte: u8) -> bool {
        byte ^ 2 > b' '
    }
}

impl Rule for InWord {
    #[inline(always)]
    fn holds(byte: u8) -> bool {
        byte.wrapping_sub(b'#') <= b'~' - b'#'
    }
}

impl Rule for InJson {
    #[inline(always)]
    fn holds(byte: u8) -> bool {
        InText::holds(byte) & (byte != b'\\')
    }
}

/// Whether the rule holds for all bytes of both.
#[inline(always)]
pub(crate) fn holds_in<R: Rule, const N: usize>(first: &[u8; N], last: &[u8; N]) -> bool {
    let mut held = true;
    for at in 0..N {
        held &= R::holds(first[at]) & R::holds(last[at]);
    }
    held
}

/// Whether the rule holds for all of `bytes`. Without shortcuts it is not known: no.
#[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
pub(crate) fn holds_for<R: Rule>(bytes: &[u8]) -> bool {
    SHORTCUTS
        && match bytes.len() {
            0..4 => bytes.iter().all(|byte| R::holds(*byte)),
            4..8 => ends::<R, 4>(bytes),
            8..=16 => ends::<R, 8>(bytes),
            _ => long::<R>(bytes),
        }
}

/// Whether it holds for the first and the last bytes: for all, where there are not more than that.
#[inline(always)]
fn ends<R: Rule, const N: usize>(bytes: &[u8]) -> bool {
    let (Some(first), Some(last)) = (bytes.first_chunk::<N>(), bytes.last_chunk::<N>()) else { return false };
    holds_in::<R, N>(first, last)
}

#[inline(never)]
fn long<R: Rule>(bytes: &[u8]) -> bool {
    ends::<R, 16>(bytes) && bytes.as_chunks::<16>().0.iter().skip(1).all(|chunk| holds_in::<R, 16>(chunk, chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of all bytes the rule holds for.
    fn held<R: Rule>() -> [bool; 256] {
        core::array::from_fn(|byte| R::holds(byte as u8))
    }

    #[test]
    fn each_rule_says_what_it_says() {
        let (name, text, json, word) = (held::<InName>(), held::<InText>(), held::<InJson>(), held::<InWord>());
        for byte in 0..=255_u8 {
            let at = usize::from(byte);
            assert_eq!(name[at], byte.is_ascii_alphanumeric() || b",-./_".contains(&byte), "{byte}");
            assert_eq!(text[at], byte >= b' ' && byte != b'"', "{byte}");
            assert_eq!(json[at], text[at] && byte != b'\\', "{byte}");
            assert_eq!(word[at], byte.is_ascii_graphic() && !b"!\"".contains(&byte), "{byte}");
        }
    }

    #[cfg(not(no_shortcuts))]
    #[test]
    fn one_odd_byte_is_found_at_every_place_of_every_length() {
        fn check<R: Rule>(odd: &[u8]) {
            for len in 0..70 {
                let mut bytes = std::vec![b'a'; len];
                assert!(holds_for::<R>(&bytes), "{len}");
                for (at, odd) in (0..len).flat_map(|at| odd.iter().map(move |odd| (at, *odd))) {
                    bytes[at] = odd;
                    assert!(!holds_for::<R>(&bytes), "{odd} at {at} of {len}");
                    bytes[at] = b'z';
                }
            }
        }
        check::<InName>(b"\0 +:@[`{\x7F\x80\xFF^");
        check::<InText>(b"\0\x04\n\x1F\"");
        check::<InJson>(b"\0\n\x1F\"\\");
    }
}
