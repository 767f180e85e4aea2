//! Says whether a transport keeps the contract of [`Transport`]: for tests of transports written elsewhere.
//!
//! Give [`check`] a [`Rig`]: the transport, and a receiver of your own at its other end.
//!
//! ```
//! use wavefront_sdk::transport::{Memory, conformance::{Rig, check}};
//!
//! struct InMemory(Memory);
//!
//! impl Rig for InMemory {
//!     type Transport = Memory;
//!     fn transport(&mut self) -> Memory {
//!         self.0.clone()
//!     }
//!     fn received(&mut self) -> Vec<u8> {
//!         self.0.take().into_iter().flat_map(|batch| batch.bytes).collect()
//!     }
//! }
//!
//! let report = check(&mut InMemory(Memory::new()))?;
//! assert!(report.kept.contains(&"every kind arrives"));
//! assert!(report.skipped.contains(&"a broken connection is noticed"));   // a memory cannot break
//! # Ok::<(), wavefront_sdk::transport::conformance::Violation>(())
//! ```

use core::fmt;
use core::time::Duration;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::{Accepted, Batch, Failure, Transport, TransportError};
use crate::{Kind, KindSet};

/// A transport, and what the suite has to know of the receiver at its other end.
pub trait Rig {
    /// What is checked.
    type Transport: Transport;

    /// A new transport to the receiver.
    fn transport(&mut self) -> Self::Transport;

    /// The lines that the receiver got since the last call, in the order they came, without anything around them
    /// and without the part of a line that ended a broken connection.
    fn received(&mut self) -> Vec<u8>;

    /// The kinds that the transport takes.
    fn kinds(&self) -> KindSet {
        KindSet::ALL
    }

    /// Closes every connection of the receiver, which takes new ones afterwards. By the return the other side can
    /// notice. `false` where there is nothing to break.
    fn break_connections(&mut self) -> bool {
        false
    }

    /// Makes the receiver unreachable. `false` where that cannot be done.
    fn stop(&mut self) -> bool {
        false
    }

    /// Makes the receiver reachable again, at the same place.
    fn start(&mut self) {}
}

/// What [`check`] has looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Report {
    /// The laws that the transport keeps.
    pub kept: Vec<&'static str>,
    /// The laws that the rig gave no means to check.
    pub skipped: Vec<&'static str>,
}

/// A law that the transport does not keep.
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
        write!(f, "the transport breaks the law \"{}\": {}", self.law, self.what)
    }
}

impl core::error::Error for Violation {}

/// Whether the rig's transport keeps every law that the rig can check.
///
/// # Errors
/// The first [`Violation`].
pub fn check<R: Rig>(rig: &mut R) -> Result<Report, Violation> {
    let laws: [Law<R>; 8] = [
        ("every kind arrives", every_kind_arrives),
        ("batches keep their order", batches_keep_their_order),
        ("a large batch arrives whole", a_large_batch_arrives_whole),
        ("finish can be repeated and is not the end", finish_is_not_the_end),
        ("a broken connection is noticed", a_break_is_noticed),
        ("finish does not vouch for a broken connection", finish_does_not_vouch_for_a_break),
        ("an unreachable receiver is said to be", unreachable_is_said),
        ("an idle transport can be dropped", an_idle_transport_can_be_dropped),
    ];
    let mut report = Report::default();
    for (law, keeps) in laws {
        rig.received();
        match keeps(rig) {
            Ok(true) => report.kept.push(law),
            Ok(false) => report.skipped.push(law),
            Err(what) => return Err(Violation { law, what }),
        }
    }
    Ok(report)
}

/// A law's name, and what checks it.
type Law<R> = (&'static str, fn(&mut R) -> Verdict);

/// Whether the law could be checked; else what broke it.
type Verdict = Result<bool, String>;

/// How often a `send` is tried while a transport finds its way back.
const TRIES: u32 = 5;
/// How long a receiver in the same process may take to confirm the end.
const PATIENCE: Duration = Duration::from_secs(10);

fn every_kind_arrives<R: Rig>(rig: &mut R) -> Verdict {
    for kind in rig.kinds().iter() {
        let mut transport = rig.transport();
        let lines = lines(kind, 0..3);
        accepted(&mut transport, kind, &lines)?;
        arrived(rig, &mut transport, &lines)?;
    }
    Ok(true)
}

fn batches_keep_their_order<R: Rig>(rig: &mut R) -> Verdict {
    let kind = any_kind(rig)?;
    let mut transport = rig.transport();
    let mut all = Vec::new();
    let mut buffer = Vec::new();
    let mut next = 0;
    for number in 0..200 {
        let first = next;
        next += 1 + number * number % 23;
        buffer.clear();
        buffer.extend(lines(kind, first..next));
        all.extend_from_slice(&buffer);
        accepted(&mut transport, kind, &buffer)?;
        // The memory is ours again: whoever still reads it sends this.
        buffer.fill(b'#');
    }
    arrived(rig, &mut transport, &all)?;
    Ok(true)
}

fn a_large_batch_arrives_whole<R: Rig>(rig: &mut R) -> Verdict {
    let kind = any_kind(rig)?;
    let mut large = lines(kind, 0..10_000);
    large.truncate(large.iter().take(256 * 1024).rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1));
    for _ in 0..3 {
        let mut transport = rig.transport();
        accepted(&mut transport, kind, &large)?;
        arrived(rig, &mut transport, &large)?;
    }
    Ok(true)
}

fn finish_is_not_the_end<R: Rig>(rig: &mut R) -> Verdict {
    let kind = any_kind(rig)?;
    let mut transport = rig.transport();
    for round in 0..3 {
        for _ in 0..2 {
            transport.finish(PATIENCE).map_err(|error| said("finish", &error))?;
        }
        let lines = lines(kind, round..round + 2);
        accepted(&mut transport, kind, &lines)?;
        arrived(rig, &mut transport, &lines)?;
    }
    Ok(true)
}

fn a_break_is_noticed<R: Rig>(rig: &mut R) -> Verdict {
    let kind = any_kind(rig)?;
    for by_probe in [false, true] {
        let mut transport = rig.transport();
        let answer = accepted(&mut transport, kind, &lines(kind, 0..5))?;
        if !rig.break_connections() {
            return Ok(false);
        }
        rig.received();
        let mut rest = lines(kind, 5..15);
        let mut noticed = by_probe && discreet(transport.probe())?.is_some_and(|failure| failure == Failure::Broken);
        for tried in 1.. {
            let count = count(&rest);
            let sent = transport.send(Batch::new(kind, &rest, count));
            let done = sent.as_ref().err().map_or(0, TransportError::lines_done);
            let Some(failure) = discreet(sent)? else { break };
            if !matches!(failure, Failure::Broken | Failure::Connect | Failure::Timeout) {
                return Err(format!("a broken connection was said to be {failure:?}"));
            }
            noticed |= failure == Failure::Broken;
            if tried == TRIES {
                return Err(format!("{TRIES} sends in a row failed after a break, at last with {failure:?}"));
            }
            if done >= count {
                return Err(format!("an error says that all of {count} lines are done"));
            }
            let (first, others) = split(&rest, done);
            if !rig.received().ends_with(first) {
                return Err(format!("{done} lines were said to be done and did not arrive"));
            }
            rest = others.to_vec();
        }
        if answer == Accepted::Written && !noticed {
            return Err("lines were written before, and nobody heard that the connection broke".into());
        }
        arrived_at_the_end(rig, &mut transport, &rest)?;
    }
    Ok(true)
}

fn finish_does_not_vouch_for_a_break<R: Rig>(rig: &mut R) -> Verdict {
    let kind = any_kind(rig)?;
    let mut transport = rig.transport();
    if accepted(&mut transport, kind, &lines(kind, 0..5))? == Accepted::Delivered || !rig.break_connections() {
        return Ok(false);
    }
    if discreet(transport.finish(PATIENCE))?.is_none() {
        return Err("the receiver closed before it was asked to, and finish says that it has read everything".into());
    }
    rig.received();
    Ok(true)
}

fn unreachable_is_said<R: Rig>(rig: &mut R) -> Verdict {
    let kind = any_kind(rig)?;
    let mut transport = rig.transport();
    if !rig.stop() {
        return Ok(false);
    }
    let lost = lines(kind, 0..5);
    for _ in 0..3 {
        match discreet(transport.send(Batch::new(kind, &lost, count(&lost))))? {
            Some(Failure::Connect | Failure::Timeout) => {}
            Some(other) => return Err(format!("an unreachable receiver was said to be {other:?}")),
            None => return Err("an unreachable receiver was said to have accepted a batch".into()),
        }
    }
    rig.start();
    let lines = lines(kind, 5..10);
    let mut tries = TRIES;
    while let Some(failure) = discreet(transport.send(Batch::new(kind, &lines, count(&lines))))? {
        tries -= 1;
        if tries == 0 {
            return Err(format!("the receiver is back, and {TRIES} sends failed, at last with {failure:?}"));
        }
    }
    arrived_at_the_end(rig, &mut transport, &lines)?;
    Ok(true)
}

fn an_idle_transport_can_be_dropped<R: Rig>(rig: &mut R) -> Verdict {
    drop(rig.transport());
    let mut transport = rig.transport();
    discreet(transport.probe())?.map_or(Ok(true), |failure| Err(format!("a new transport is said to be {failure:?}")))
}

fn any_kind<R: Rig>(rig: &R) -> Result<Kind, String> {
    rig.kinds().iter().next().ok_or_else(|| "the rig takes no kind at all".into())
}

/// What every line of the suite holds, and no error may.
const SECRET: &str = "conformance";

/// Lines of `kind` that a receiver takes, each other than all others.
fn lines(kind: Kind, numbers: core::ops::Range<usize>) -> Vec<u8> {
    const ID: &str = "7b3bf470-9456-11e8-9eb6-529269fb1459";
    let mut lines = String::new();
    for n in numbers {
        lines.push_str(&match kind {
            Kind::Metric => format!("\"{SECRET}.{n}\" {n} source=\"rig\""),
            Kind::Delta => format!("\"\u{2206}{SECRET}.{n}\" 1 source=\"rig\""),
            Kind::Histogram => format!("!M 1493773500 #20 {n} \"{SECRET}\" source=\"rig\""),
            Kind::Span => {
                format!("\"{SECRET} {n}\" source=\"rig\" traceId={ID} spanId={ID} 1552949776000 343")
            }
            Kind::SpanLogs => format!(
                "{{\"traceId\":\"{ID}\",\"spanId\":\"{ID}\",\
                 \"logs\":[{{\"timestamp\":1552949776000123,\"fields\":{{\"{SECRET}\":\"{n}\"}}}}]}}"
            ),
            Kind::Event => format!("@Event 1590650592000 1590650692000 \"{SECRET} {n}\" host=\"rig\""),
            Kind::SourceTag => format!("@SourceTag action=add source=\"rig\" \"{SECRET}-{n}\""),
        });
        lines.push('\n');
    }
    lines.into_bytes()
}

fn count(lines: &[u8]) -> u32 {
    u32::try_from(lines.iter().filter(|&&byte| byte == b'\n').count()).unwrap_or(u32::MAX)
}

/// The first `count` lines, and the others.
fn split(lines: &[u8], count: u32) -> (&[u8], &[u8]) {
    let first = lines.split_inclusive(|&byte| byte == b'\n').take(count as usize).map(<[u8]>::len).sum();
    lines.split_at_checked(first).unwrap_or((lines, &[]))
}

/// Sends to a receiver that stands.
fn accepted<T: Transport>(transport: &mut T, kind: Kind, lines: &[u8]) -> Result<Accepted, String> {
    transport.send(Batch::new(kind, lines, count(lines))).map_err(|error| said("send", &error))
}

/// `Delivered` has to be true at once, `Written` after `finish`; which one it was does not matter then.
fn arrived<R: Rig>(rig: &mut R, transport: &mut R::Transport, lines: &[u8]) -> Result<(), String> {
    transport.finish(PATIENCE).map_err(|error| said("finish", &error))?;
    let received = rig.received();
    if received == lines {
        return Ok(());
    }
    let same = received.iter().zip(lines).take_while(|(one, other)| one == other).count();
    Err(format!("{} bytes were accepted, {} arrived, the first {same} of them the same", lines.len(), received.len()))
}

/// After failures, of which some may have arrived all the same.
fn arrived_at_the_end<R: Rig>(rig: &mut R, transport: &mut R::Transport, lines: &[u8]) -> Result<(), String> {
    transport.finish(PATIENCE).map_err(|error| said("finish", &error))?;
    if rig.received().ends_with(lines) {
        return Ok(());
    }
    Err(format!("{} bytes were accepted after a failure and did not arrive whole", lines.len()))
}

fn said(call: &str, error: &impl TransportError) -> String {
    format!("{call} fails with a receiver that stands: {error} ({:?})", error.kind())
}

/// The kind of failure, if it is one that says nothing of the lines.
fn discreet<T, E: TransportError>(result: Result<T, E>) -> Result<Option<Failure>, String> {
    let Err(error) = result else { return Ok(None) };
    let mut texts = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        texts.push_str(&format!("{inner} {inner:?}"));
        cause = inner.source();
    }
    if texts.contains(SECRET) {
        return Err("an error repeats a part of a line".into());
    }
    Ok(Some(error.kind()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::vec;

    use super::*;
    use crate::transport::Memory;

    /// What is wrong with a transport.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Fault {
        None,
        LosesOne,
        CutsTheEnd,
        ReordersKinds,
        VouchesForAll,
        SilentBreak,
        Talkative,
        NeverRecovers,
        AcceptsInVain,
        OverstatesDone,
        EndsForGood,
        RefusesKind,
    }

    /// A stream in memory that can break, with a fault to be found.
    struct Subject {
        memory: Memory,
        fault: Fault,
        state: std::sync::Arc<std::sync::Mutex<State>>,
        epoch: Option<u32>,
        finished: bool,
        sent: u32,
    }

    #[derive(Default)]
    struct State {
        epoch: u32,
        stopped: bool,
    }

    #[derive(Debug)]
    struct Said(Failure, u32, String);

    impl fmt::Display for Said {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{:?} {}", self.0, self.2)
        }
    }

    impl core::error::Error for Said {}

    impl TransportError for Said {
        fn kind(&self) -> Failure {
            self.0
        }

        fn lines_done(&self) -> u32 {
            self.1
        }
    }

    impl Subject {
        fn fails<T>(&self, failure: Failure, batch: &[u8]) -> Result<T, Said> {
            let done = u32::from(self.fault == Fault::OverstatesDone);
            let text = if self.fault == Fault::Talkative { batch } else { b"" };
            Err(Said(failure, done, String::from_utf8_lossy(text).into_owned()))
        }
    }

    impl Transport for Subject {
        type Error = Said;

        fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Said> {
            let (epoch, stopped) = {
                let state = self.state.lock().unwrap();
                (state.epoch, state.stopped)
            };
            if self.fault == Fault::RefusesKind && batch.kind == Kind::SourceTag {
                return self.fails(Failure::Unsupported, batch.bytes);
            }
            if self.epoch.is_some_and(|mine| mine != epoch) && self.fault != Fault::SilentBreak {
                if self.fault != Fault::NeverRecovers {
                    self.epoch = None;
                }
                return self.fails(Failure::Broken, batch.bytes);
            }
            if stopped && self.fault != Fault::AcceptsInVain {
                return self.fails(Failure::Connect, batch.bytes);
            }
            if self.finished && self.fault == Fault::EndsForGood {
                return self.fails(Failure::Broken, batch.bytes);
            }
            self.epoch = Some(epoch);
            self.sent += 1;
            let mut lines = batch.bytes.to_vec();
            match self.fault {
                Fault::LosesOne if self.sent == 150 => return Ok(Accepted::Written),
                Fault::CutsTheEnd if lines.len() > 200_000 => lines.truncate(200_000),
                Fault::ReordersKinds => {
                    lines = lines.split_inclusive(|&byte| byte == b'\n').rev().flatten().copied().collect();
                }
                _ => {}
            }
            let _ = self.memory.send(Batch::new(batch.kind, &lines, batch.lines));
            Ok(Accepted::Written)
        }

        fn finish(&mut self, _: Duration) -> Result<(), Said> {
            let epoch = self.state.lock().unwrap().epoch;
            self.finished = true;
            match self.epoch.take() {
                Some(mine) if mine != epoch && self.fault != Fault::VouchesForAll => self.fails(Failure::Broken, b""),
                _ => Ok(()),
            }
        }
    }

    struct Stand {
        memory: Memory,
        fault: Fault,
        state: std::sync::Arc<std::sync::Mutex<State>>,
    }

    impl Rig for Stand {
        type Transport = Subject;

        fn transport(&mut self) -> Subject {
            let Self { memory, fault, state } = self;
            let (memory, state) = (memory.clone(), state.clone());
            Subject { memory, fault: *fault, state, epoch: None, finished: false, sent: 0 }
        }

        fn received(&mut self) -> Vec<u8> {
            self.memory.take().into_iter().flat_map(|batch| batch.bytes).collect()
        }

        fn break_connections(&mut self) -> bool {
            self.state.lock().unwrap().epoch += 1;
            true
        }

        fn stop(&mut self) -> bool {
            self.state.lock().unwrap().stopped = true;
            true
        }

        fn start(&mut self) {
            self.state.lock().unwrap().stopped = false;
        }
    }

    fn verdict(fault: Fault) -> Result<Report, Violation> {
        check(&mut Stand { memory: Memory::written(), fault, state: std::sync::Arc::default() })
    }

    #[test]
    fn a_transport_that_keeps_the_contract_passes_every_law() {
        let report = verdict(Fault::None).unwrap();
        assert_eq!((report.kept.len(), report.skipped), (8, vec![]));
    }

    #[test]
    fn each_fault_is_found_by_its_law() {
        for (fault, law) in [
            (Fault::RefusesKind, "every kind arrives"),
            (Fault::ReordersKinds, "every kind arrives"),
            (Fault::LosesOne, "batches keep their order"),
            (Fault::CutsTheEnd, "a large batch arrives whole"),
            (Fault::EndsForGood, "finish can be repeated and is not the end"),
            (Fault::SilentBreak, "a broken connection is noticed"),
            (Fault::Talkative, "a broken connection is noticed"),
            (Fault::NeverRecovers, "a broken connection is noticed"),
            (Fault::OverstatesDone, "a broken connection is noticed"),
            (Fault::VouchesForAll, "finish does not vouch for a broken connection"),
            (Fault::AcceptsInVain, "an unreachable receiver is said to be"),
        ] {
            assert_eq!(verdict(fault).unwrap_err().law, law, "{fault:?}");
        }
    }
}
