//! What is done to a store, and what it has to answer.

use std::collections::BTreeMap;
use std::vec::Vec;

use crate::Kind;
use crate::random::SplitMix;
use crate::store::Head;

/// How much of the medium a check may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// How long the longest record may be: at least 1024 bytes.
    pub longest: u32,
    /// How many of these there is room for at once: at least 16.
    pub records: u32,
}

impl Default for Size {
    /// 16 records of 256 KiB.
    fn default() -> Self {
        Self { longest: 256 * 1024, records: 16 }
    }
}

/// One thing that is done to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// [`Store::put`](crate::store::Store::put) with [`lines`] of this head and seed.
    Put(Head, u64),
    /// [`Store::next`](crate::store::Store::next).
    Next(Kind, u32),
    /// [`Store::read`](crate::store::Store::read).
    Read(Head),
    /// [`Store::remove`](crate::store::Store::remove).
    Remove(Kind, u32),
    /// The store is dropped and opened again.
    Reopen,
}

/// What it has to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is done: of [`Op::Put`], [`Op::Remove`], [`Op::Reopen`].
    Done,
    /// That is found: of [`Op::Next`].
    Found(Option<Head>),
    /// The [`lines`] of the head and this seed: of [`Op::Read`].
    Lines(u64),
    /// [`StoreFailure::Damaged`](crate::store::StoreFailure::Damaged): of [`Op::Read`].
    Damaged,
}

/// A law: what is done to an empty store, and what it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Script {
    /// The law.
    pub law: &'static str,
    /// The operations, in their order.
    pub steps: Vec<(Op, Answer)>,
}

/// A law's name, and what makes its script.
type Law = (&'static str, fn(Size) -> Model);

/// The laws that need nothing but a store.
pub fn scripts(size: Size) -> Vec<Script> {
    let laws: [Law; 6] = [
        ("every kind and length comes back", every_kind_and_length),
        ("records are found in the order of their keys", order_of_keys),
        ("a put under a taken key replaces the record", replaced),
        ("what is removed stays away", removed),
        ("what is not there reads as damaged", not_there),
        ("any operations agree with a model", any_operations),
    ];
    laws.into_iter().map(|(law, make)| Script { law, steps: make(size).steps }).collect()
}

/// What lines hold, where there is room, and no error may.
pub(super) const SECRET: &[u8] = b"conformance";

/// The lines that a script means by a head and a seed: `head.bytes` bytes, any of them, `head.lines` LFs.
pub fn lines(head: Head, seed: u64) -> Vec<u8> {
    let mut random = SplitMix(seed);
    let mut lines = SECRET.to_vec();
    while lines.len() < head.bytes as usize {
        lines.extend(random.random().to_le_bytes().map(|byte| if byte == b'\n' { b'n' } else { byte }));
    }
    lines.truncate(head.bytes as usize);
    for n in 1..=u64::from(head.lines) {
        let end = n * u64::from(head.bytes) / u64::from(head.lines.max(1));
        if let Some(last) = (end as usize).checked_sub(1).and_then(|at| lines.get_mut(at)) {
            *last = b'\n';
        }
    }
    lines
}

/// What a store should hold, and the script that led there.
#[derive(Default)]
struct Model {
    records: BTreeMap<(Kind, u32), (Head, u64)>,
    steps: Vec<(Op, Answer)>,
}

impl Model {
    fn put(&mut self, head: Head, seed: u64) {
        self.records.insert((head.kind, head.key), (head, seed));
        self.steps.push((Op::Put(head, seed), Answer::Done));
    }

    fn remove(&mut self, kind: Kind, key: u32) {
        self.records.remove(&(kind, key));
        self.steps.push((Op::Remove(kind, key), Answer::Done));
    }

    fn next(&mut self, kind: Kind, from: u32) {
        let found = self.records.range((kind, from)..=(kind, u32::MAX)).next().map(|(_, (head, _))| *head);
        self.steps.push((Op::Next(kind, from), Answer::Found(found)));
    }

    fn read(&mut self, head: Head) {
        let record = self.records.get(&(head.kind, head.key)).filter(|(known, _)| *known == head);
        self.steps.push((Op::Read(head), record.map_or(Answer::Damaged, |(_, seed)| Answer::Lines(*seed))));
    }

    fn reopen(&mut self) {
        self.steps.push((Op::Reopen, Answer::Done));
    }

    /// Walks through the store as a reader does.
    fn walk(&mut self) {
        let records: Vec<_> = self.records.values().map(|(head, _)| *head).collect();
        for kind in Kind::ALL {
            let mut from = 0;
            for head in records.iter().filter(|head| head.kind == kind) {
                self.next(kind, from);
                self.read(*head);
                from = head.key.saturating_add(1);
            }
            // The last key has none after it.
            if records.iter().all(|head| (head.kind, head.key) != (kind, u32::MAX)) {
                self.next(kind, from);
            }
        }
    }
}

/// `bytes` bytes in as many lines as fit, of about 60 bytes.
pub(super) fn head(kind: Kind, key: u32, bytes: u32) -> Head {
    Head::new(kind, key, bytes.div_ceil(60), bytes, 1_500_000_000_000 + u64::from(key))
}

fn every_kind_and_length(size: Size) -> Model {
    let mut model = Model::default();
    let lengths = [1, 2, 3, 4, 5, 31, 32, 33, 63, 64, 65, 255, 256, 257, 1000, 1024, 4059, 4060, 4061, 4096, 65_537];
    let lengths = lengths.into_iter().filter(|&bytes| bytes < size.longest).chain([size.longest]);
    for (bytes, seed) in lengths.zip(0..) {
        let kind = Kind::ALL[seed as usize % Kind::COUNT];
        model.put(head(kind, 7, bytes), seed);
        model.walk();
        model.reopen();
        model.walk();
        model.remove(kind, 7);
    }
    for (kind, seed) in Kind::ALL.into_iter().zip(100..) {
        model.put(Head { born: u64::MAX, ..head(kind, 1, 100) }, seed);
        // As many lines as bytes.
        model.put(Head { lines: 70, born: 0, ..head(kind, 2, 70) }, seed);
    }
    model.walk();
    model.reopen();
    model.walk();
    model
}

fn order_of_keys(_: Size) -> Model {
    let mut model = Model::default();
    let keys = [0x8000_0000, 1, u32::MAX, 0x7fff_ffff, 256];
    for (key, seed) in keys.into_iter().zip(0..) {
        for kind in [Kind::Span, Kind::Metric, Kind::SpanLogs] {
            model.put(head(kind, key, 50), seed);
        }
    }
    for _ in 0..2 {
        for kind in [Kind::Metric, Kind::Delta, Kind::Span, Kind::SpanLogs] {
            for from in [0, 1, 2, 256, 257, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, u32::MAX] {
                model.next(kind, from);
            }
        }
        model.walk();
        model.reopen();
    }
    model.remove(Kind::Span, u32::MAX);
    model.next(Kind::Span, 0x8000_0001);
    model.walk();
    model
}

fn replaced(size: Size) -> Model {
    let mut model = Model::default();
    model.put(head(Kind::Delta, 1, 40), 1);
    model.put(head(Kind::Metric, 2, 40), 2);
    for (bytes, seed) in [40, 41, size.longest, 1, 300].into_iter().zip(10..) {
        let old = head(Kind::Delta, 2, bytes);
        model.put(Head { born: seed, ..old }, seed);
        model.walk();
        model.reopen();
        model.walk();
        // Of the same length, and others.
        model.put(Head { born: seed + 1, ..old }, seed + 1000);
        model.read(Head { born: seed, ..old });
        model.walk();
    }
    model.reopen();
    model.walk();
    model
}

fn removed(_: Size) -> Model {
    let mut model = Model::default();
    model.remove(Kind::Metric, 1);
    for key in 1..=4 {
        model.put(head(Kind::Metric, key, 60), key.into());
        model.put(head(Kind::Delta, key, 60), key.into());
    }
    for key in [2, 2, 1, 9] {
        model.remove(Kind::Metric, key);
        model.walk();
        model.reopen();
        model.walk();
    }
    // The place is free again.
    model.put(head(Kind::Metric, 2, 61), 20);
    model.remove(Kind::Event, 2);
    model.walk();
    for key in 1..=4 {
        model.remove(Kind::Metric, key);
    }
    model.reopen();
    model.walk();
    model
}

fn not_there(_: Size) -> Model {
    let mut model = Model::default();
    let there = head(Kind::Metric, 5, 200);
    model.read(there);
    model.put(there, 1);
    for _ in 0..2 {
        for not_there in [
            Head { kind: Kind::Delta, ..there },
            Head { key: 4, ..there },
            Head { lines: there.lines + 1, ..there },
            Head { bytes: there.bytes - 1, ..there },
            Head { born: there.born + 1, ..there },
        ] {
            model.read(not_there);
            model.read(there);
        }
        model.reopen();
    }
    model.walk();
    model
}

fn any_operations(size: Size) -> Model {
    let mut model = Model::default();
    let mut random = SplitMix(20_260_101);
    for seed in 0..600 {
        let chosen = random.random();
        let kind = Kind::ALL[(chosen >> 8) as usize % 3];
        let key = 1 + (chosen >> 16) as u32 % 6;
        match chosen % 16 {
            0..=6 => {
                let bytes = match chosen >> 32 & 15 {
                    0 => size.longest,
                    1 => 1,
                    _ => 1 + (chosen >> 40) as u32 % 600,
                };
                let replaces = model.records.contains_key(&(kind, key));
                // A store that replaces a record holds both for a moment.
                if replaces || model.records.len() + 1 < size.records as usize {
                    model.put(Head { born: seed, ..head(kind, key, bytes) }, seed);
                }
            }
            7..=10 => model.remove(kind, key),
            11..=13 => model.next(kind, key),
            14 => model.walk(),
            _ => model.reopen(),
        }
    }
    model.walk();
    model.reopen();
    model.walk();
    model
}
