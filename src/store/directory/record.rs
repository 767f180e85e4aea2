//! How a record is written into a file: 32 bytes that describe it, its lines, and a checksum.
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | `WFSB` |
//! | 4 | the version of this format, 1 |
//! | 5 | the kind, by a number of its own: 1 metric, 2 delta, 3 histogram, 4 span, 5 span logs, 6 event, 7 source tag |
//! | 6..8 | 0 |
//! | 8..12 | the key |
//! | 12..16 | how many lines |
//! | 16..20 | how many bytes they have, `n` |
//! | 20..28 | when it was put, milliseconds since 1970, or 0 |
//! | 28..32 | CRC-32 (IEEE) of the bytes before |
//! | 32..32+n | the lines |
//! | 32+n..36+n | CRC-32 of the bytes 0..28 and the lines |
//!
//! Numbers are little-endian whatever the machine.

use std::format;
use std::string::String;

use crate::Kind;
use crate::store::Head;

const MAGIC: [u8; 4] = *b"WFSB";
const VERSION: u8 = 1;

/// The bytes before the lines.
pub(super) const HEADER: usize = 32;
/// The bytes after the lines.
pub(super) const TRAILER: usize = 4;

/// How long a file of `bytes` bytes of lines is.
pub(super) fn file_len(bytes: u32) -> u64 {
    u64::from(bytes) + (HEADER + TRAILER) as u64
}

/// What stands before the lines.
pub(super) fn header(head: &Head) -> [u8; HEADER] {
    let mut out = [0; HEADER];
    let fields: [&[u8]; 7] = [
        &MAGIC,
        &[VERSION, number(head.kind), 0, 0],
        &head.key.to_le_bytes(),
        &head.lines.to_le_bytes(),
        &head.bytes.to_le_bytes(),
        &head.born.to_le_bytes(),
        &[],
    ];
    fill(&mut out, fields.into_iter().flatten());
    let (described, sum) = out.split_at_mut(HEADER - 4);
    fill(sum, &crc32fast::hash(described).to_le_bytes());
    out
}

/// What stands after the lines.
pub(super) fn trailer(header: &[u8; HEADER], lines: &[u8]) -> [u8; TRAILER] {
    let mut hasher = crc32fast::Hasher::new();
    // Not the header's own checksum: with it every header would do, as a CRC over data and their CRC is a constant.
    hasher.update(header.split_at(HEADER - 4).0);
    hasher.update(lines);
    hasher.finalize().to_le_bytes()
}

/// What a header says, if it is one: nothing else is taken, and what is taken is written the same again.
pub(super) fn parse_header(header: &[u8; HEADER]) -> Option<Head> {
    let rest = &mut &header[..];
    if take(rest)? != MAGIC {
        return None;
    }
    let [VERSION, number, 0, 0] = take(rest)? else { return None };
    let (key, lines, bytes) =
        (u32::from_le_bytes(take(rest)?), u32::from_le_bytes(take(rest)?), u32::from_le_bytes(take(rest)?));
    let born = u64::from_le_bytes(take(rest)?);
    let head = Head::new(kind(number)?, key, lines, bytes, born);
    (self::header(&head) == *header && head.is_possible()).then_some(head)
}

/// Where a record is: names of one kind sort as their keys do.
pub(super) fn file_name(kind: Kind, key: u32) -> String {
    format!("{kind}-{key:08x}.batch")
}

/// What the name of a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// There is a record of this kind and key.
    Record(Kind, u32),
    /// There would have been one.
    Unfinished,
}

impl Name {
    /// `None`: not a file of ours.
    pub(super) fn parse(name: &str) -> Option<Self> {
        if let Some(record) = name.strip_suffix(".tmp") {
            return matches!(Self::parse(record)?, Self::Record(..)).then_some(Self::Unfinished);
        }
        let (kind, key) = name.strip_suffix(".batch")?.split_once('-')?;
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind)?;
        let key = u32::from_str_radix(key, 16).ok()?;
        (file_name(kind, key) == name).then_some(Self::Record(kind, key))
    }
}

/// The kind as it is on disk, whatever the order of [`Kind`] is or will be.
const fn number(kind: Kind) -> u8 {
    match kind {
        Kind::Metric => 1,
        Kind::Delta => 2,
        Kind::Histogram => 3,
        Kind::Span => 4,
        Kind::SpanLogs => 5,
        Kind::Event => 6,
        Kind::SourceTag => 7,
    }
}

fn kind(written: u8) -> Option<Kind> {
    Kind::ALL.into_iter().find(|&kind| number(kind) == written)
}

fn fill<'a>(out: &mut [u8], from: impl IntoIterator<Item = &'a u8>) {
    for (to, from) in out.iter_mut().zip(from) {
        *to = *from;
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(*first)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const HEAD: Head = Head::new(Kind::Span, 0x8000_0001, 2, 0x0001_0203, 0x0102_0304_0506);

    #[test]
    fn the_bytes_are_these_on_every_machine() {
        let header = header(&HEAD);
        assert_eq!(header[..16], *b"WFSB\x01\x04\0\0\x01\0\0\x80\x02\0\0\0");
        assert_eq!(header[16..28], *b"\x03\x02\x01\0\x06\x05\x04\x03\x02\x01\0\0");
        assert_eq!(header[28..], 0xa198_25d3_u32.to_le_bytes());
        assert_eq!(trailer(&[0; HEADER], b"a 1\n"), 0x8455_6d87_u32.to_le_bytes());
        let numbers: std::vec::Vec<_> = Kind::ALL.iter().map(|kind| (kind.as_str(), number(*kind))).collect();
        let fixed = [
            ("metric", 1),
            ("delta", 2),
            ("histogram", 3),
            ("span", 4),
            ("span_logs", 5),
            ("event", 6),
            ("source_tag", 7),
        ];
        assert_eq!(numbers, fixed, "records of an older version would be taken for others");
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        for kind in Kind::ALL {
            let head = Head { kind, ..HEAD };
            assert_eq!(parse_header(&header(&head)), Some(head));
        }
        let whole = header(&HEAD);
        for bit in 0..HEADER * 8 {
            let mut damaged = whole;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse_header(&damaged), None, "bit {bit}");
        }
        // Well made, and not possible.
        for head in [
            Head { key: 0, ..HEAD },
            Head { lines: 0, ..HEAD },
            Head { bytes: 0, ..HEAD },
            Head { lines: 3, bytes: 2, ..HEAD },
        ] {
            assert_eq!(parse_header(&header(&head)), None, "{head:?}");
        }
    }

    #[test]
    fn names_sort_as_keys_do_and_only_our_own_are_taken() {
        let keys = [1, 9, 0x7fff_ffff, 0x8000_0000, 0x8000_000a, u32::MAX];
        let names = keys.map(|key| file_name(Kind::SpanLogs, key));
        assert!(names.is_sorted(), "{names:?}");
        assert_eq!(names[4], "span_logs-8000000a.batch");
        for (name, key) in names.iter().zip(keys) {
            assert_eq!(Name::parse(name), Some(Name::Record(Kind::SpanLogs, key)));
            assert_eq!(Name::parse(&format!("{name}.tmp")), Some(Name::Unfinished));
        }
        for foreign in [
            "",
            "lock",
            ".tmp",
            "metric.batch",
            "metric-8000000A.batch",
            "metric-+0000001.batch",
            "metric-1.batch",
            "metric-000000001.batch",
            "points-00000001.batch",
            "metric-00000001.batch.damaged",
            "metric-00000001.batch.tmp.tmp",
            "notes.tmp",
        ] {
            assert_eq!(Name::parse(foreign), None, "{foreign}");
        }
    }
}
