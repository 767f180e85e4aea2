//! What an item in flash is named and what it says.

use sequential_storage::map::{Key, SerializationError, Value};

use crate::Kind;
use crate::store::Head;

/// Each record is two items: its lines, and after them a receipt without lines. Each says the whole head, so that a
/// record whose lines are damaged is known by its receipt, and is missed by nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Lines,
    Receipt,
}

/// The name of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// The part and the kind, in one byte.
    what: u8,
    pub(super) key: u32,
}

const RECEIPT: u8 = 0x80;

impl Name {
    pub(super) const LEN: usize = 5;

    pub(super) const fn new(part: Part, kind: Kind, key: u32) -> Self {
        let kind = kind.index() as u8;
        let what = match part {
            Part::Lines => kind,
            Part::Receipt => kind | RECEIPT,
        };
        Self { what, key }
    }

    pub(super) fn is_of(&self, kind: Kind) -> bool {
        usize::from(self.what & !RECEIPT) == kind.index()
    }
}

impl Key for Name {
    fn serialize_into(&self, buffer: &mut [u8]) -> Result<usize, SerializationError> {
        let to = buffer.first_chunk_mut::<{ Self::LEN }>().ok_or(SerializationError::BufferTooSmall)?;
        let [a, b, c, d] = self.key.to_le_bytes();
        *to = [self.what, a, b, c, d];
        Ok(Self::LEN)
    }

    /// Never an error: an item that is not ours must not stand in the way of those that are.
    fn deserialize_from(buffer: &[u8]) -> Result<(Self, usize), SerializationError> {
        let Some(&[what, a, b, c, d]) = buffer.first_chunk::<{ Self::LEN }>() else {
            return Ok((Self { what: !RECEIPT, key: 0 }, buffer.len()));
        };
        Ok((Self { what, key: u32::from_le_bytes([a, b, c, d]) }, Self::LEN))
    }
}

/// What an item says: the head, but for kind and key, and which `put` it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Of two with the same name, the one with the higher number is valid.
    pub(super) number: u32,
    pub(super) lines: u32,
    pub(super) bytes: u32,
    pub(super) born: u64,
}

impl Stamp {
    pub(super) const LEN: usize = 20;

    pub(super) const fn of(head: Head, number: u32) -> Self {
        Self { number, lines: head.lines, bytes: head.bytes, born: head.born }
    }

    pub(super) const fn head(self, kind: Kind, key: u32) -> Head {
        Head::new(kind, key, self.lines, self.bytes, self.born)
    }

    /// Whether it is of this head.
    pub(super) fn is_of(self, head: Head) -> bool {
        self.head(head.kind, head.key) == head
    }
}

/// A stamp, and the lines of which it is; a receipt has none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) stamp: Stamp,
    pub(super) lines: &'a [u8],
}

impl<'a> Value<'a> for Item<'a> {
    fn serialize_into(&self, buffer: &mut [u8]) -> Result<usize, SerializationError> {
        let Stamp { number, lines, bytes, born } = self.stamp;
        let len = Stamp::LEN + self.lines.len();
        let to = buffer.get_mut(..len).ok_or(SerializationError::BufferTooSmall)?;
        let words = [number, lines, bytes].into_iter().flat_map(u32::to_le_bytes).chain(born.to_le_bytes());
        to.iter_mut().zip(words.chain(self.lines.iter().copied())).for_each(|(to, byte)| *to = byte);
        Ok(len)
    }

    fn deserialize_from(buffer: &'a [u8]) -> Result<(Self, usize), SerializationError> {
        let mut rest = buffer;
        let mut word = || -> Option<u32> {
            let (word, after) = rest.split_first_chunk::<4>()?;
            rest = after;
            Some(u32::from_le_bytes(*word))
        };
        let words = (word(), word(), word(), word(), word());
        // What is too short is not ours, and not possible either.
        let (number, lines, bytes, low, high) = match words {
            (Some(number), Some(lines), Some(bytes), Some(low), Some(high)) => (number, lines, bytes, low, high),
            _ => (0, 0, 0, 0, 0),
        };
        let stamp = Stamp { number, lines, bytes, born: u64::from(high) << 32 | u64::from(low) };
        Ok((Self { stamp, lines: rest }, buffer.len()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut buffer = [0; 64];
        for kind in Kind::ALL {
            for (part, key) in [(Part::Lines, 1), (Part::Receipt, u32::MAX)] {
                let name = Name::new(part, kind, key);
                assert_eq!(name.serialize_into(&mut buffer), Ok(Name::LEN));
                assert_eq!(Name::deserialize_from(&buffer), Ok((name.clone(), Name::LEN)));
                assert!(Kind::ALL.into_iter().all(|other| name.is_of(other) == (other == kind)));
            }
        }
        let head = Head::new(Kind::Span, 3, 2, 4, u64::MAX - 1);
        let item = Item { stamp: Stamp::of(head, 77), lines: b"a\nb\n" };
        let len = item.serialize_into(&mut buffer).unwrap();
        assert_eq!(len, Stamp::LEN + 4);
        let (read, _) = Item::deserialize_from(&buffer[..len]).unwrap();
        assert_eq!((read.stamp, read.lines), (item.stamp, item.lines));
        assert!(read.stamp.is_of(head) && !read.stamp.is_of(Head { lines: 1, ..head }));
        assert_eq!(item.serialize_into(&mut buffer[..len - 1]), Err(SerializationError::BufferTooSmall));
    }

    #[test]
    fn what_is_not_ours_is_no_error() {
        for len in 0..Name::LEN {
            let (name, used) = Name::deserialize_from(&[0; Name::LEN][..len]).unwrap();
            assert!(used == len && Kind::ALL.into_iter().all(|kind| !name.is_of(kind)));
        }
        for len in 0..Stamp::LEN {
            let (item, _) = Item::deserialize_from(&[1; Stamp::LEN][..len]).unwrap();
            assert!(!item.stamp.head(Kind::Metric, 1).is_possible());
        }
    }
}
