//! Which keys of a line occur more than once, found without a heap: so many keys at a time, and a pass over the line
//! for each time.

use super::{tags::Pairs, text::Text};

/// How many keys are looked at together.
pub(super) const BATCH: usize = 128;

/// Different keys, and how often each was counted.
pub(super) struct Batch<'a> {
    entries: [Entry<'a>; BATCH],
    len: u8,
    /// Where the entries are whose hashes end alike: the number of the first, from 1; 0 is none.
    heads: [u8; BATCH],
}

#[derive(Clone, Copy)]
struct Entry<'a> {
    key: Text<'a>,
    hash: u32,
    /// Counts to 2, which is many.
    times: u8,
    /// The number of the next entry whose hash ends alike.
    next: u8,
}

impl<'a> Batch<'a> {
    pub(super) const fn new() -> Self {
        let none = Entry { key: Text::plain(""), hash: 0, times: 0, next: 0 };
        Self { entries: [none; BATCH], len: 0, heads: [0; BATCH] }
    }

    /// How many keys it has.
    pub(super) fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// The place of a key, which is put in if it was not yet. None where there is no room.
    pub(super) fn put(&mut self, key: Text<'a>) -> Option<usize> {
        let hash = hash(&key);
        if let Some(place) = self.find(&key, hash) {
            return Some(place);
        }
        let place = self.len();
        let head = self.heads.get_mut(hash as usize % BATCH)?;
        *self.entries.get_mut(place)? = Entry { key, hash, times: 0, next: *head };
        self.len += 1;
        *head = self.len;
        Some(place)
    }

    /// Counts the keys of a line, those it has.
    pub(super) fn count(&mut self, pairs: Pairs<'a>) {
        if self.len == 0 {
            return;
        }
        for (key, _) in pairs {
            let found = self.find(&key, hash(&key));
            if let Some(entry) = found.and_then(|place| self.entries.get_mut(place)) {
                entry.times = 2.min(entry.times + 1);
            }
        }
    }

    /// Whether the key at a place was counted more than once.
    pub(super) fn is_many(&self, place: usize) -> bool {
        self.entries.get(place).is_some_and(|entry| entry.times > 1)
    }

    /// The first key that was counted no more than once.
    pub(super) fn first_single(&self) -> Option<Text<'a>> {
        self.entries.iter().take(self.len()).find(|entry| entry.times < 2).map(|entry| entry.key)
    }

    fn find(&self, key: &Text<'_>, hash: u32) -> Option<usize> {
        let mut number = *self.heads.get(hash as usize % BATCH)?;
        loop {
            let place = usize::from(number).checked_sub(1)?;
            let entry = self.entries.get(place)?;
            if entry.hash == hash && entry.key == *key {
                return Some(place);
            }
            number = entry.next;
        }
    }
}

/// FNV-1a, over characters: equal texts may be written differently.
fn hash(key: &Text<'_>) -> u32 {
    let hash = key.chars().fold(0x811C_9DC5_u32, |hash, c| (hash ^ u32::from(c)).wrapping_mul(0x0100_0193));
    hash ^ hash >> 15
}

/// The pairs of a line whose key occurs once in it, or those whose key occurs more often.
#[derive(Debug, Clone)]
pub(super) struct ByTimes<'a> {
    all: Pairs<'a>,
    rest: Pairs<'a>,
    /// Whether those that occur more often are wanted.
    many: bool,
    /// Of the next pairs, whether their keys occur more often: one bit each, the next pair's last.
    repeated: u128,
    known: usize,
}

impl<'a> ByTimes<'a> {
    pub(super) const fn new(pairs: Pairs<'a>, many: bool) -> Self {
        Self { all: pairs, rest: pairs, many, repeated: 0, known: 0 }
    }

    /// Looks at the next [`BATCH`] pairs.
    fn look_ahead(&mut self) {
        let mut batch = Batch::new();
        let mut places = [0; BATCH];
        for (place, (key, _)) in places.iter_mut().zip(self.rest) {
            // There is room for as many different keys as there are pairs.
            *place = batch.put(key).unwrap_or_default();
        }
        batch.count(self.all);
        let bits = places.iter().rev();
        self.repeated = bits.fold(0, |bits, place| bits << 1 | u128::from(batch.is_many(*place)));
        self.known = BATCH;
    }
}

impl<'a> Iterator for ByTimes<'a> {
    type Item = (Text<'a>, Text<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.known == 0 {
                self.look_ahead();
            }
            let pair = self.rest.next()?;
            let many = self.repeated & 1 == 1;
            (self.repeated, self.known) = (self.repeated >> 1, self.known - 1);
            if many == self.many {
                return Some(pair);
            }
        }
    }
}

impl core::iter::FusedIterator for ByTimes<'_> {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    extern crate std;
    use super::*;
    use crate::parse::cursor::Cursor;
    use proptest::prelude::*;
    use std::{collections::HashMap, format, string::String, string::ToString, vec::Vec};

    fn pairs(line: &str) -> Pairs<'_> {
        Pairs::new(Cursor::new(line, 0), line.len())
    }

    fn keys(pairs: ByTimes<'_>) -> Vec<String> {
        pairs.map(|(key, _)| key.to_string()).collect()
    }

    #[test]
    fn once_and_more_often() {
        let line = "a=1 b=2 'a'=3 c=4";
        assert_eq!(keys(ByTimes::new(pairs(line), false)), ["b", "c"]);
        assert_eq!(keys(ByTimes::new(pairs(line), true)), ["a", "a"]);
        assert_eq!(ByTimes::new(pairs(""), true).next(), None);
    }

    #[test]
    fn a_batch_has_room_for_so_many() {
        let texts: Vec<String> = (0..=BATCH).map(|key| format!("{key}")).collect();
        let mut batch = Batch::new();
        for (place, text) in texts.iter().enumerate() {
            assert_eq!(batch.put(Text::plain(text)), (place < BATCH).then_some(place));
        }
        assert_eq!(batch.put(Text::plain("7")), Some(7));
        assert_eq!(batch.len(), BATCH);
    }

    proptest! {
        #[test]
        fn every_pair_is_in_one_of_both_in_its_order(numbers in prop::collection::vec(0..300_u32, 0..600)) {
            let line: String = numbers.iter().map(|number| format!("k{number}=v ")).collect();
            let mut times = HashMap::new();
            for number in &numbers {
                *times.entry(number).or_insert(0) += 1;
            }
            let expected = |many: bool| -> Vec<String> {
                numbers.iter().filter(|number| (times[number] > 1) == many).map(|number| format!("k{number}")).collect()
            };
            for many in [false, true] {
                prop_assert_eq!(keys(ByTimes::new(pairs(&line), many)), expected(many));
            }
        }
    }
}
