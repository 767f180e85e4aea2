//! Finding repeated keys in near-linear time and without memory of their own.

use core::convert::Infallible;

use super::compact::SHORTCUTS;
use super::text::fingerprint;
use crate::Tags;

/// The keys of a line, as far as two of 512 bits for each can tell them apart: so only a repeated key, or a rare
/// accident, costs a comparison with those before it. Without shortcuts nothing is noted, and each is compared: devices
/// have few tags.
#[derive(Debug)]
pub(crate) struct Seen([u64; WORDS]);

const WORDS: usize = if SHORTCUTS { 8 } else { 0 };

impl Seen {
    pub(crate) const fn new() -> Self {
        Self([0; WORDS])
    }

    /// These are there from the beginning: so what has a meaning of its own need not be looked for among others.
    pub(crate) const fn with(mut keys: &[&str]) -> Self {
        let mut seen = Self::new();
        while let ([key, others @ ..], true) = (keys, SHORTCUTS) {
            let (place, bits) = bits(fingerprint(key.as_bytes()));
            seen.0[place] |= bits;
            keys = others;
        }
        seen
    }

    /// Notes the key with this fingerprint, and says whether it may have been there before.
    #[inline]
    pub(crate) fn may_have(&mut self, fingerprint: u32) -> bool {
        if !SHORTCUTS {
            return true;
        }
        let (place, bits) = bits(fingerprint);
        let Some(word) = self.0.get_mut(place) else { return true };
        let had = *word & bits == bits;
        *word |= bits;
        had
    }
}

/// Both bits are in one word.
const fn bits(fingerprint: u32) -> (usize, u64) {
    ((fingerprint >> 29) as usize, 1 << (fingerprint >> 23 & 63) | 1 << (fingerprint >> 17 & 63))
}

/// Whether one of the first `count` pairs of `tags` is the `same`.
#[cold]
pub(crate) fn among<T: Tags + ?Sized>(tags: &T, count: usize, same: &dyn Fn(&str, &str) -> bool) -> bool {
    let mut left = count;
    // The error is only the way out: it says whether the pair was found.
    let walk = tags.try_each(&mut |key, value| {
        if left == 0 {
            return Err(false);
        }
        left -= 1;
        if same(key, value) { Err(true) } else { Ok(()) }
    });
    walk == Err(true)
}

/// The bytes of the keys and values of `tags`, and `around` each pair so many more.
#[inline]
pub(crate) fn tags_len<T: Tags + ?Sized>(tags: &T, around: usize) -> usize {
    let mut len: usize = 0;
    let Ok(()) = tags.try_each::<Infallible>(&mut |key, value| {
        len = len.wrapping_add(key.len() + value.len() + around);
        Ok(())
    });
    len
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::format;

    use super::*;
    use crate::Field;
    use crate::line::text::Name;

    #[test]
    fn a_repeated_key_is_never_missed() {
        let mut seen = Seen::new();
        for i in 0..300 {
            seen.may_have(Name::key(&format!("key {i}"), Field::TagKey).unwrap().fingerprint());
        }
        assert!((0..300).all(|i| seen.may_have(Name::key(&format!("key-{i}"), Field::TagKey).unwrap().fingerprint())));
    }

    #[cfg(not(no_shortcuts))]
    #[test]
    fn few_keys_are_mostly_told_apart() {
        let mut seen = Seen::new();
        let key = |i| Name::key(&format!("some.tag.{i}"), Field::TagKey).unwrap().fingerprint();
        let accidents = (0..100).filter(|&i| seen.may_have(key(i))).count();
        assert!(accidents < 10, "{accidents} of 100");
    }

    #[test]
    fn only_the_first_pairs_are_looked_at() {
        let tags = [("a", "1"), ("b", "2"), ("c", "3")];
        assert!(among(&tags, 2, &|key, value| (key, value) == ("b", "2")));
        assert!(!among(&tags, 1, &|key, _| key == "b"));
        assert!(!among(&tags, 9, &|key, _| key == "d"));
    }

    #[test]
    fn keys_are_alike_if_they_are_written_alike_and_are_as_long_as_they_are_written() {
        fn written(key: &str) -> impl Iterator<Item = char> {
            key.chars().map(|c| if c == '.' || c.is_ascii_alphabetic() { c } else { '-' })
        }
        let keys = ["a", "b", "a b", "a-b", "a!b", "a温b", "a.b", "a-b-", "another", "a longer key of words", "😀"];
        let name = |key| Name::key(key, Field::TagKey).unwrap();
        for key in keys {
            for other in keys {
                let alike = written(key).eq(written(other));
                assert_eq!(name(key).is(&name(other)), alike, "{key} {other}");
                assert_eq!(name(key).is_written_from(other), alike, "{key} {other}");
            }
            let units = written(key).count();
            for limit in 0..30 {
                assert_eq!(name(key).check(limit, Field::TagKey).is_ok(), units <= limit, "{key} {limit}");
            }
        }
    }
}
