//! Says whether a store keeps the contract of [`Store`]: for tests of stores written elsewhere.
//!
//! Give [`check`] a function that opens the store, again and again on the same medium, or a [`Rig`] that can do more.
//!
//! ```
//! use wavefront_sdk::store::{MemoryStore, conformance::check};
//!
//! let memory = MemoryStore::new();
//! let report = check(&mut || memory.reopen())?;
//! assert!(report.kept.contains(&"any operations agree with a model"));
//! # Ok::<(), wavefront_sdk::store::conformance::Violation>(())
//! ```
//!
//! Most of the laws are [`scripts`]: operations, and what each has to answer. A store that does not implement
//! [`Store`], because its medium answers later, can be held to them by a runner of its own.

mod script;

pub use script::{Answer, Op, Script, Size, lines, scripts};

use core::fmt;
use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::{Head, Store, StoreError, StoreFailure};
use crate::Kind;
use script::{SECRET, head};

/// Opens a store, and does to its medium what a test has to.
pub trait Rig {
    /// What is checked.
    type Store: Store;

    /// Opens the store. The one that was opened before is gone, and what it kept is to be found.
    fn open(&mut self) -> Self::Store;

    /// How much of the medium there is.
    fn size(&self) -> Size {
        Size::default()
    }

    /// Flips a bit of a record, as it stands on the medium, while the store is closed. `false` where there is no such
    /// bit, or that cannot be done.
    fn damage(&mut self, kind: Kind, key: u32, bit: u64) -> bool {
        let _ = (kind, key, bit);
        false
    }

    /// Of the store that is opened next, the `n`-th thing it asks of its medium (counted from 0) fails, and all after
    /// it, as if the power were gone; whether that one thing still happens is the rig's choice. `false` where that
    /// cannot be done. Stores opened later are safe again.
    fn crash_at(&mut self, n: u32) -> bool {
        let _ = n;
        false
    }
}

impl<S: Store, F: FnMut() -> S> Rig for F {
    type Store = S;

    fn open(&mut self) -> S {
        self()
    }
}

/// What [`check`] has looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Report {
    /// The laws that the store keeps.
    pub kept: Vec<&'static str>,
    /// The laws that the rig gave no means to check.
    pub skipped: Vec<&'static str>,
}

/// A law that the store does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The law.
    pub law: &'static str,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store breaks the law \"{}\": {}", self.law, self.what)
    }
}

impl core::error::Error for Violation {}

/// Whether the rig's store keeps every law that the rig can check. What is in the store goes.
///
/// # Errors
/// The first [`Violation`].
pub fn check<R: Rig>(rig: &mut R) -> Result<Report, Violation> {
    let mut report = Report::default();
    for Script { law, steps } in scripts(rig.size()) {
        play(rig, &steps).map_err(|what| Violation { law, what })?;
        report.kept.push(law);
    }
    let laws: [Law<R>; 2] = [
        ("a damaged record is set aside, and stands in nobody's way", damaged),
        ("a crash leaves every record whole or away", crashed),
    ];
    for (law, keeps) in laws {
        match keeps(rig).map_err(|what| Violation { law, what })? {
            true => report.kept.push(law),
            false => report.skipped.push(law),
        }
    }
    Ok(report)
}

/// A law's name, and what checks it: whether it could be checked, else what broke it.
type Law<R> = (&'static str, fn(&mut R) -> Result<bool, String>);

/// Does `steps` to the rig's store, which is empty at first.
fn play<R: Rig>(rig: &mut R, steps: &[(Op, Answer)]) -> Result<(), String> {
    let mut store = empty(rig)?;
    for (number, &(op, expected)) in steps.iter().enumerate() {
        let answer = match op {
            Op::Put(head, seed) => discreet(store.put(head, &lines(head, seed))).map(|()| Answer::Done),
            Op::Next(kind, from) => discreet(store.next(kind, from)).map(Answer::Found),
            Op::Read(head) => read(&mut store, head).map(|lines| match (lines, expected) {
                (Some(found), Answer::Lines(seed)) if found == self::lines(head, seed) => expected,
                // Whose they are nobody knows.
                (Some(_), _) => Answer::Lines(u64::MAX),
                (None, _) => Answer::Damaged,
            }),
            Op::Remove(kind, key) => discreet(store.remove(kind, key)).map(|()| Answer::Done),
            Op::Reopen => {
                drop(store);
                store = rig.open();
                Ok(Answer::Done)
            }
        }
        .map_err(|what| format!("step {number}, {op:?}: {what}"))?;
        if answer != expected {
            return Err(format!("step {number}, {op:?}: {answer:?} instead of {expected:?}"));
        }
    }
    match store.set_aside() {
        0 => Ok(()),
        some => Err(format!("{some} records were set aside, and none was damaged")),
    }
}

/// A store in which nothing is.
fn empty<R: Rig>(rig: &mut R) -> Result<R::Store, String> {
    let mut store = rig.open();
    for kind in Kind::ALL {
        while let Some(head) = discreet(store.next(kind, 0))? {
            discreet(store.remove(kind, head.key))?;
        }
    }
    drop(store);
    Ok(rig.open())
}

/// The lines of a record, or `None` where it is damaged.
fn read<S: Store>(store: &mut S, head: Head) -> Result<Option<Vec<u8>>, String> {
    let mut into = vec![0xa5; head.bytes as usize];
    let result = store.read(head, &mut into);
    if matches!(&result, Err(error) if error.kind() == StoreFailure::Damaged) {
        says_nothing_of_a_line(&result)?;
        return Ok(None);
    }
    discreet(result).map(|()| Some(into))
}

/// What should not have failed.
fn discreet<T, E: StoreError>(result: Result<T, E>) -> Result<T, String> {
    says_nothing_of_a_line(&result)?;
    result.map_err(|error| format!("it fails: {error} ({:?})", error.kind()))
}

fn says_nothing_of_a_line<T, E: StoreError>(result: &Result<T, E>) -> Result<(), String> {
    let Err(error) = result else { return Ok(()) };
    let mut texts = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        texts.push_str(&format!("{inner} {inner:?}"));
        cause = inner.source();
    }
    let listed = format!("{SECRET:?}");
    if texts.as_bytes().windows(SECRET.len()).any(|part| part == SECRET)
        || texts.contains(listed.trim_matches(['[', ']']))
    {
        return Err("an error repeats a part of a line".into());
    }
    Ok(())
}

/// Every record of a kind.
fn heads<S: Store>(store: &mut S, kind: Kind) -> Result<Vec<Head>, String> {
    let mut heads = Vec::new();
    let mut from = Some(0);
    while let Some(at) = from {
        let Some(head) = discreet(store.next(kind, at))? else { break };
        if head.kind != kind || head.key < at {
            return Err(format!("{head:?} is found where one of {kind} from {at} on was asked for"));
        }
        from = head.key.checked_add(1);
        heads.push(head);
    }
    Ok(heads)
}

fn damaged<R: Rig>(rig: &mut R) -> Result<bool, String> {
    let kind = Kind::Metric;
    let neighbours = [(head(kind, 1, 30), 1), (head(kind, 3, 30), 3)];
    let victim = head(kind, 2, 16);
    let mut store = empty(rig)?;
    for (head, seed) in neighbours {
        discreet(store.put(head, &lines(head, seed)))?;
    }
    for bit in 0.. {
        discreet(store.put(victim, &lines(victim, bit)))?;
        drop(store);
        if !rig.damage(kind, victim.key, bit) {
            return Ok(bit > 0);
        }
        store = rig.open();
        let at = |what: String| format!("bit {bit}: {what}");
        one_is_damaged(&mut store, &neighbours, (victim, bit)).map_err(at)?;
        drop(store);
        // What was set aside is not found in the next life either.
        store = rig.open();
        let found = heads(&mut store, kind).map_err(at)?;
        for head in found.iter().filter(|head| !neighbours.iter().any(|(known, _)| known == *head)) {
            if *head != victim || read(&mut store, *head).map_err(at)? != Some(lines(victim, bit)) {
                return Err(at("what was set aside is found again".into()));
            }
        }
    }
    Ok(true)
}

/// After a bit of `victim` was flipped.
fn one_is_damaged<S: Store>(store: &mut S, whole: &[(Head, u64)], victim: (Head, u64)) -> Result<(), String> {
    let found = heads(store, victim.0.kind)?;
    if found.iter().any(|head| *head != victim.0 && !whole.iter().any(|(known, _)| known == head)) {
        return Err(format!("nobody has put one of these: {found:?}"));
    }
    for (head, seed) in whole {
        if !found.contains(head) || read(store, *head)? != Some(lines(*head, *seed)) {
            return Err(format!("the record {} beside it is lost", head.key));
        }
    }
    if !found.contains(&victim.0) {
        return match store.set_aside() {
            1 => Ok(()),
            other => Err(format!("it is gone, and {other} are said to be set aside")),
        };
    }
    if store.set_aside() != 0 {
        return Err("it is counted as set aside, and found".into());
    }
    match read(store, victim.0)? {
        Some(read) if read == lines(victim.0, victim.1) => Ok(()),
        Some(_) => Err("it is read as something else than what was put".into()),
        None if heads(store, victim.0.kind)?.contains(&victim.0) => Err("it is damaged, and found again".into()),
        None => Ok(()),
    }
}

fn crashed<R: Rig>(rig: &mut R) -> Result<bool, String> {
    let kind = Kind::Span;
    let longest = rig.size().longest;
    let ops = [
        Op::Put(head(kind, 1, 100), 1),
        Op::Put(head(kind, 2, longest), 2),
        Op::Put(head(kind, 1, 120), 3),
        Op::Remove(kind, 2),
        Op::Put(head(kind, 3, 80), 4),
        Op::Remove(kind, 1),
        Op::Remove(kind, 3),
        Op::Put(head(kind, 4, 1), 5),
    ];
    for n in 0.. {
        drop(empty(rig)?);
        if !rig.crash_at(n) {
            return Ok(n > 0);
        }
        // By key: what may be there after the crash. The first is what must be, unless there are others.
        let mut allowed: BTreeMap<u32, Vec<Option<(Head, u64)>>> = BTreeMap::new();
        let mut died = false;
        let mut store = rig.open();
        for op in ops {
            let (key, after) = match op {
                Op::Put(head, seed) => (head.key, Some((head, seed))),
                Op::Remove(_, key) => (key, None),
                _ => continue,
            };
            let result = match op {
                Op::Put(head, seed) => store.put(head, &lines(head, seed)),
                _ => store.remove(kind, key),
            };
            says_nothing_of_a_line(&result)?;
            died = result.is_err();
            if !died && after.is_some() {
                // What was removed before a put stays away.
                allowed
                    .values_mut()
                    .filter(|states| states.last() == Some(&None))
                    .for_each(|states| *states = vec![None]);
            }
            let states = allowed.entry(key).or_insert_with(|| vec![None]);
            match after {
                Some(_) if !died => *states = vec![after],
                _ => states.push(after),
            }
            if died {
                break;
            }
        }
        drop(store);
        let mut store = rig.open();
        let found = heads(&mut store, kind)?;
        for (key, states) in &allowed {
            let there = match found.iter().find(|head| head.key == *key) {
                None => None,
                Some(head) => Some((*head, read(&mut store, *head)?)),
            };
            let is = |state: &Option<(Head, u64)>| state.map(|(head, seed)| (head, Some(lines(head, seed)))) == there;
            if !states.iter().any(is) {
                let there = there.map(|(head, lines)| (head, lines.is_some()));
                return Err(format!("crash {n}: record {key} is {there:?}, and should be one of {states:?}"));
            }
        }
        if found.iter().any(|head| !allowed.contains_key(&head.key)) || store.set_aside() != 0 {
            return Err(format!("crash {n}: {found:?} are found, and {} set aside", store.set_aside()));
        }
        if !died {
            return Ok(true);
        }
    }
    Ok(true)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::borrow::ToOwned;
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::{MemoryStore, StoreStep};

    /// What is wrong with a store.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Fault {
        None,
        LosesOne,
        CutsTheEnd,
        Unordered,
        MixesKinds,
        KeepsOld,
        RefusesNothing,
        Resurrects,
        FindsTheMissing,
        ForgetsTheHead,
        TrustsTheMedium,
        BlocksTheWay,
        DoesNotCount,
        TakesNeighbours,
        Talkative,
        WritesLater,
        Tears,
    }

    /// A store in memory, with a fault to be found.
    struct Subject {
        memory: MemoryStore,
        fault: Fault,
        removed: BTreeSet<(Kind, u32)>,
        later: Option<(Head, Vec<u8>)>,
    }

    #[derive(Debug)]
    struct Said(StoreFailure, String);

    impl fmt::Display for Said {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{} {}", self.0, self.1)
        }
    }

    impl core::error::Error for Said {}

    impl StoreError for Said {
        fn kind(&self) -> StoreFailure {
            self.0
        }
    }

    fn silent(error: crate::store::MemoryError) -> Said {
        Said(error.kind(), String::new())
    }

    impl Subject {
        fn known(&self, kind: Kind, key: u32) -> Option<(Head, Vec<u8>)> {
            self.memory.records().into_iter().find(|(head, _)| (head.kind, head.key) == (kind, key))
        }

        fn write_later(&mut self) {
            if let Some((head, lines)) = self.later.take() {
                let _ = self.memory.put(head, &lines);
            }
        }
    }

    impl Drop for Subject {
        fn drop(&mut self) {
            self.write_later();
        }
    }

    impl Store for Subject {
        type Error = Said;

        fn put(&mut self, mut head: Head, lines: &[u8]) -> Result<(), Said> {
            self.write_later();
            self.removed.remove(&(head.kind, head.key));
            let known = self.known(head.kind, head.key).is_some();
            let mut lines = lines.to_owned();
            match self.fault {
                Fault::LosesOne if head.bytes == 33 => return Ok(()),
                Fault::KeepsOld if known => return Ok(()),
                Fault::ForgetsTheHead => head.born = 0,
                Fault::CutsTheEnd if lines.len() > 5_000 => *lines.last_mut().unwrap() = 0,
                Fault::WritesLater => {
                    self.later = Some((head, lines));
                    return Ok(());
                }
                _ => {}
            }
            self.memory.put(head, &lines).map_err(silent)
        }

        fn next(&mut self, kind: Kind, from: u32) -> Result<Option<Head>, Said> {
            self.write_later();
            let mut found = self.memory.next(kind, from).map_err(silent)?;
            while found.is_some_and(|head| self.removed.contains(&(kind, head.key))) {
                found = self.memory.next(kind, found.unwrap().key.saturating_add(1)).map_err(silent)?;
            }
            let records = self.memory.records();
            let mut others = records.iter().map(|(head, _)| *head).filter(|head| head.key >= from);
            Ok(match self.fault {
                Fault::Unordered => others.rfind(|head| head.kind == kind),
                Fault::MixesKinds => found.or_else(|| others.next()),
                _ => found,
            })
        }

        fn read(&mut self, head: Head, into: &mut [u8]) -> Result<(), Said> {
            self.write_later();
            let known = self.known(head.kind, head.key);
            if self.fault == Fault::FindsTheMissing && known.is_none() {
                return Ok(());
            }
            let Err(error) = self.memory.read(head, into) else { return Ok(()) };
            let Some((_, lines)) = known.filter(|(known, _)| *known == head) else { return Err(silent(error)) };
            match self.fault {
                Fault::TrustsTheMedium => return Ok(()),
                Fault::BlocksTheWay => drop(self.memory.put(head, &lines)),
                Fault::Talkative => return Err(Said(error.kind(), String::from_utf8_lossy(&lines).into_owned())),
                _ => {}
            }
            Err(silent(error))
        }

        fn remove(&mut self, kind: Kind, key: u32) -> Result<(), Said> {
            self.write_later();
            if self.fault == Fault::RefusesNothing && self.known(kind, key).is_none() {
                return Err(Said(StoreFailure::Unavailable, String::new()));
            }
            if self.fault == Fault::Resurrects && self.known(kind, key).is_some_and(|(head, _)| head.bytes == 60) {
                self.removed.insert((kind, key));
                return Ok(());
            }
            self.memory.remove(kind, key).map_err(silent)
        }

        fn set_aside(&self) -> usize {
            if self.fault == Fault::DoesNotCount { 0 } else { self.memory.set_aside() }
        }
    }

    struct Stand {
        memory: MemoryStore,
        fault: Fault,
        armed: Option<u32>,
        crashing: bool,
    }

    impl Rig for Stand {
        type Store = Subject;

        fn open(&mut self) -> Subject {
            if self.fault == Fault::Tears && self.crashing {
                self.memory.damage(Kind::Span, 2, 0);
            }
            self.crashing = self.armed.is_some();
            self.memory.set_steps([]);
            if let Some(n) = self.armed.take() {
                let passes = core::iter::repeat_n(StoreStep::Pass, n as usize / 2);
                self.memory.set_steps(passes.chain([StoreStep::Crash { done: n % 2 == 1 }]));
            }
            let memory = self.memory.reopen();
            Subject { memory, fault: self.fault, removed: BTreeSet::new(), later: None }
        }

        fn size(&self) -> Size {
            Size { longest: 8_192, records: 16 }
        }

        fn damage(&mut self, kind: Kind, key: u32, bit: u64) -> bool {
            if self.fault == Fault::TakesNeighbours {
                self.memory.damage(kind, key + 1, bit);
            }
            self.memory.damage(kind, key, bit)
        }

        fn crash_at(&mut self, n: u32) -> bool {
            self.armed = Some(n);
            true
        }
    }

    fn verdict(fault: Fault) -> Result<Report, Violation> {
        check(&mut Stand { memory: MemoryStore::new(), fault, armed: None, crashing: false })
    }

    #[test]
    fn a_store_that_keeps_the_contract_passes_every_law() {
        let report = verdict(Fault::None).unwrap();
        assert_eq!((report.kept.len(), report.skipped), (8, vec![]));
        let memory = MemoryStore::new();
        let report = check(&mut || memory.reopen()).unwrap();
        assert_eq!((report.kept.len(), report.skipped.len()), (6, 2));
    }

    #[test]
    fn each_fault_is_found_by_its_law() {
        for (fault, law) in [
            (Fault::LosesOne, "every kind and length comes back"),
            (Fault::CutsTheEnd, "every kind and length comes back"),
            (Fault::ForgetsTheHead, "every kind and length comes back"),
            (Fault::MixesKinds, "every kind and length comes back"),
            (Fault::Unordered, "every kind and length comes back"),
            (Fault::KeepsOld, "a put under a taken key replaces the record"),
            (Fault::RefusesNothing, "what is removed stays away"),
            (Fault::Resurrects, "what is removed stays away"),
            (Fault::FindsTheMissing, "what is not there reads as damaged"),
            (Fault::TrustsTheMedium, "a damaged record is set aside, and stands in nobody's way"),
            (Fault::BlocksTheWay, "a damaged record is set aside, and stands in nobody's way"),
            (Fault::DoesNotCount, "a damaged record is set aside, and stands in nobody's way"),
            (Fault::TakesNeighbours, "a damaged record is set aside, and stands in nobody's way"),
            (Fault::Talkative, "a damaged record is set aside, and stands in nobody's way"),
            (Fault::WritesLater, "a crash leaves every record whole or away"),
            (Fault::Tears, "a crash leaves every record whole or away"),
        ] {
            assert_eq!(verdict(fault).map_err(|violation| violation.law), Err(law), "{fault:?}");
        }
    }
}
