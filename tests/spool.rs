//! A sender with a store: what is kept over an outage, a close and a hung receiver, and what the ledger says of it.

#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use wavefront_sdk::delivery::{Backoff, Keep, Mode};
use wavefront_sdk::sender::{BuildError, Incident, SendError, SenderBuilder, Trouble};
use wavefront_sdk::store::{Footprint, Head, MemoryStore, Store, StoreFailure};
use wavefront_sdk::transport::{Accepted, Batch, Fault, Memory, Step, Transport};
use wavefront_sdk::{Kind, Metric, Overflow, Sender};

const LONG: Duration = Duration::from_secs(30);
const SOON: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(5));

/// A receiver that can be switched off.
#[derive(Clone)]
struct Switch {
    memory: Memory,
    on: Arc<Mutex<bool>>,
}

impl Switch {
    fn new(on: bool) -> Self {
        Self { memory: Memory::new(), on: Arc::new(Mutex::new(on)) }
    }

    fn set(&self, on: bool) {
        *self.on.lock().unwrap() = on;
    }

    /// The numbers that arrived, in their order, and how many arrivals there were.
    fn arrived(&self) -> Vec<usize> {
        let number = |line: &str| line.split(' ').nth(1).unwrap().parse::<f64>().unwrap() as usize;
        self.memory.text().lines().map(number).collect()
    }
}

impl Transport for Switch {
    type Error = wavefront_sdk::transport::FaultError<std::convert::Infallible>;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Self::Error> {
        let step = if *self.on.lock().unwrap() { Step::Pass } else { Step::Connect };
        Fault::new(self.memory.clone(), [step]).send(batch)
    }
}

fn builder(switch: &Switch) -> SenderBuilder {
    SenderBuilder::over(switch.clone()).source("s").backoff(SOON).flush_interval(Duration::from_millis(20))
}

fn send(sender: &Sender, number: usize) -> Result<(), SendError> {
    sender.send(Metric::new("n", number as f64))
}

#[track_caller]
fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let give_up = Instant::now() + LONG;
    while !happened() {
        assert!(Instant::now() < give_up, "in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_flush_is_done_when_everything_is_durable() {
    for mode in [Mode::Overflow, Mode::Always] {
        let (switch, store) = (Switch::new(false), MemoryStore::new());
        let sender = builder(&switch).store(store.clone(), Keep::new(mode)).build().unwrap();
        (0..10).for_each(|number| send(&sender, number).unwrap());
        sender.flush(LONG).unwrap();
        assert!(switch.arrived().is_empty());
        assert_eq!(lines_in(&store), 10, "{mode:?}");
        switch.set(true);
        until("delivery", || sender.ledger().total().delivered == 10);
        until("removal", || lines_in(&store) == 0);
        let total = sender.close(LONG).total();
        assert_eq!((total.delivered, total.stored, total.accepted), (10, 0, 10));
        assert!(switch.arrived().is_sorted());
    }
}

#[test]
fn an_outage_larger_than_memory_loses_nothing_and_keeps_the_order() {
    for mode in [Mode::Overflow, Mode::Always] {
        let (switch, store) = (Switch::new(false), MemoryStore::new());
        let sender = builder(&switch)
            .max_queue_size(1_000)
            .batch_size(50)
            .store(store.clone(), Keep::new(mode))
            .build()
            .unwrap();
        (0..20_000).for_each(|number| send(&sender, number).unwrap());
        let total = sender.ledger().total();
        assert!(total.stored > 15_000 && total.queued + total.in_flight <= 1_000, "{mode:?} {total:?}");
        switch.set(true);
        let ledger = sender.close(LONG);
        let total = ledger.total();
        assert_eq!((total.delivered, total.stored, total.dropped.total()), (20_000, 0, 0), "{mode:?} {total:?}");
        assert!(switch.arrived().into_iter().eq(0..20_000), "{mode:?}");
        assert_eq!(lines_in(&store), 0);
    }
}

#[test]
fn what_close_cannot_deliver_stays_for_the_next_sender() {
    for mode in [Mode::Overflow, Mode::Always] {
        let (switch, store) = (Switch::new(false), MemoryStore::new());
        let sender = builder(&switch).store(store.clone(), Keep::new(mode)).build().unwrap();
        (0..1_000).for_each(|number| send(&sender, number).unwrap());
        let ledger = sender.close(Duration::from_millis(100));
        assert!(ledger.is_balanced());
        assert_eq!((ledger.total().stored, ledger.failure_count()), (1_000, 0), "{mode:?} {ledger:?}");

        switch.set(true);
        let sender = builder(&switch).store(store.reopen(), Keep::new(mode)).build().unwrap();
        (1_000..1_100).for_each(|number| send(&sender, number).unwrap());
        let total = sender.close(LONG).total();
        assert_eq!((total.recovered, total.accepted, total.delivered, total.stored), (1_000, 100, 1_100, 0));
        assert!(switch.arrived().into_iter().eq(0..1_100));
    }
}

#[test]
fn a_close_right_after_the_beginning_delivers_what_was_stored_before() {
    let (switch, store) = (Switch::new(false), MemoryStore::new());
    for number in 0..500 {
        let sender = builder(&switch).store(store.reopen(), Keep::new(Mode::Overflow)).build().unwrap();
        send(&sender, number).unwrap();
        assert_eq!(sender.close(Duration::ZERO).total().dropped.total(), 0);
        if number % 50 == 49 {
            switch.set(true);
            let sender = builder(&switch).store(store.reopen(), Keep::new(Mode::Overflow)).build().unwrap();
            let total = sender.close(LONG).total();
            assert_eq!((total.recovered, total.delivered, total.stored), (50, 50, 0), "{total:?}");
            switch.set(false);
        }
    }
    assert!(switch.arrived().into_iter().eq(0..500));
}

/// Takes everything and acknowledges nothing, as TCP does.
struct Stream(Memory);

impl Transport for Stream {
    type Error = std::convert::Infallible;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Self::Error> {
        self.0.send(batch).map(|_| Accepted::Written)
    }
}

#[test]
fn what_is_written_holds_up_nothing_that_is_stored() {
    let mut store = MemoryStore::new();
    for key in 1..=200 {
        let line = format!("\"n\" {key}.0 source=\"s\"\n");
        store.put(Head::new(Kind::Metric, key, 1, line.len() as u32, 0), line.as_bytes()).unwrap();
    }
    let memory = Memory::new();
    let keep = Keep::new(Mode::Overflow);
    let sender = SenderBuilder::over(Stream(memory.clone())).store(store.reopen(), keep).build().unwrap();
    // Long before the first is taken for delivered.
    until("all of them", || memory.lines() == 200);
    assert_eq!(sender.ledger().total().written, 200);
    assert_eq!(sender.close(LONG).total().delivered, 200);
}

/// A receiver that takes a batch and says nothing for as long as the test likes.
struct Hung(mpsc::Receiver<()>);

impl Transport for Hung {
    type Error = std::convert::Infallible;

    fn send(&mut self, _: Batch<'_>) -> Result<Accepted, Self::Error> {
        let _ = self.0.recv();
        Ok(Accepted::Delivered)
    }
}

#[test]
fn a_batch_that_hangs_at_the_end_is_stored_too() {
    for mode in [Mode::Overflow, Mode::Always] {
        let (answer, hangs) = mpsc::channel();
        let store = MemoryStore::new();
        let keep = Keep::new(mode);
        let sender = SenderBuilder::over(Hung(hangs)).source("s").store(store.clone(), keep).build().unwrap();
        send(&sender, 1).unwrap();
        assert_eq!(sender.flush(Duration::from_millis(200)).is_ok(), mode == Mode::Always);
        until("a batch under way", || sender.ledger().total().in_flight == 1);
        send(&sender, 2).unwrap();
        let total = sender.close(Duration::from_millis(100)).total();
        assert_eq!((total.stored, total.dropped.total()), (2, 0), "{mode:?} {total:?}");
        assert_eq!(lines_in(&store), 2);
        drop(answer);
    }
}

#[test]
fn the_end_of_the_last_handle_stores_too() {
    let (switch, store) = (Switch::new(false), MemoryStore::new());
    let sender = builder(&switch).store(store.clone(), Keep::default()).build().unwrap();
    (0..100).for_each(|number| send(&sender, number).unwrap());
    drop(sender);
    assert_eq!(lines_in(&store), 100);
}

#[test]
fn a_store_that_fails_is_told_of_and_stands_in_nobodys_way() {
    for (mode, failure) in [
        (Mode::Always, StoreFailure::Unavailable),
        (Mode::Always, StoreFailure::Full),
        (Mode::Overflow, StoreFailure::Unavailable),
    ] {
        let (switch, told) = (Switch::new(true), Arc::new(Mutex::new(Vec::<Incident>::new())));
        let hook = Arc::clone(&told);
        let sender = builder(&switch)
            .store(Broken(failure), Keep::new(mode))
            .on_error(move |incident| hook.lock().unwrap().push(incident.clone()))
            .build()
            .unwrap();
        (0..100).for_each(|number| send(&sender, number).unwrap());
        sender.flush(LONG).unwrap();
        let total = sender.close(LONG).total();
        assert_eq!((total.delivered, total.dropped.total()), (100, 0), "{mode:?} {total:?}");
        let told = told.lock().unwrap();
        assert!(told.iter().any(|incident| incident.trouble == Trouble::Store(failure)), "{told:?}");
    }
}

/// A store that does nothing but fail, or panic.
struct Broken(StoreFailure);

#[derive(Debug)]
struct Failed(StoreFailure);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Failed {}

impl wavefront_sdk::store::StoreError for Failed {
    fn kind(&self) -> StoreFailure {
        self.0
    }
}

impl Store for Broken {
    type Error = Failed;

    fn put(&mut self, _: Head, _: &[u8]) -> Result<(), Failed> {
        Err(Failed(self.0))
    }

    fn next(&mut self, _: Kind, _: u32) -> Result<Option<Head>, Failed> {
        match self.0 {
            StoreFailure::Full => Ok(None),
            failure => Err(Failed(failure)),
        }
    }

    fn read(&mut self, _: Head, _: &mut [u8]) -> Result<(), Failed> {
        panic!("there is nothing to read")
    }

    fn remove(&mut self, _: Kind, _: u32) -> Result<(), Failed> {
        panic!("there is nothing to remove")
    }

    fn footprint(&self) -> Footprint {
        Footprint { overhead: 0, block: 0 }
    }
}

#[test]
fn a_full_store_refuses_and_says_so() {
    let (switch, store) = (Switch::new(false), MemoryStore::new());
    let keep = Keep::default().bytes(300_000);
    let sender = builder(&switch).max_queue_size(200).batch_size(20).store(store.clone(), keep).build().unwrap();
    let (mut taken, mut refused) = (BTreeSet::new(), 0);
    for number in 0..30_000 {
        match send(&sender, number) {
            Ok(()) => drop(taken.insert(number)),
            Err(SendError::StoreFull(Kind::Metric)) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 1_000 && taken.len() > 3_000, "{refused} {}", taken.len());
    switch.set(true);
    let total = sender.close(LONG).total();
    assert_eq!((total.dropped.store_full, total.delivered), (refused, taken.len()), "{total:?}");
    assert!(switch.arrived().into_iter().eq(taken));
}

#[test]
fn options_of_the_store_that_cannot_work_are_named() {
    let named = |builder: SenderBuilder| match builder.build() {
        Err(BuildError::Option { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    let builder = || builder(&Switch::new(true));
    assert_eq!(named(builder().overflow(Overflow::Store)), "overflow");
    assert_eq!(named(builder().store(MemoryStore::new(), Keep::default().bytes(1_000))), "store bytes");
    assert_eq!(named(builder().store(MemoryStore::new(), Keep::default().age(Duration::ZERO))), "store age");
}

fn lines_in(store: &MemoryStore) -> usize {
    store.records().iter().map(|(head, _)| head.lines as usize).sum()
}
