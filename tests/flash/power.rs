//! Power goes at every single write and erase of a script, and again at every one of the repair: whatever was
//! acknowledged before is there, whole.

use std::collections::BTreeSet;

use wavefront_sdk::delivery::{
    Action, Config, Delivery, Errand, Keep, Lane, Large, Millis, Mode, Outcome, Slot, Spool, Stored,
};
use wavefront_sdk::store::Store;
use wavefront_sdk::{Kind, KindSet};

use super::chip::Chance;
use super::{Chip, Records, lines, open, put, records};

const WORD: usize = 4;
const PAGE: usize = 1024;
type Small = Chip<WORD, PAGE>;

const KINDS: [Kind; 2] = [Kind::Metric, Kind::Span];

/// What the chip would be after each cut of what `act` does.
fn torn<T>(chip: &Small, act: impl FnOnce() -> T) -> (T, Vec<Vec<u8>>) {
    chip.0.borrow_mut().torn = Some(Vec::new());
    let result = act();
    (result, chip.0.borrow_mut().torn.take().unwrap())
}

/// Opens what a cut left, looks at it, and cuts again in what that took. How many cuts that were.
fn survives(left: Vec<u8>, depth: u32, whole: &impl Fn(&Records)) -> usize {
    let chip = Small::of(left);
    let (found, again) = torn(&chip, || records(&mut open(&chip), &KINDS));
    whole(&found);
    if depth == 0 {
        return 1;
    }
    1 + again.into_iter().map(|left| survives(left, depth - 1, whole)).sum::<usize>()
}

/// After a cut the store can be used: it takes a record and gives it back, and the others stay.
fn works(left: Vec<u8>) {
    let chip = Small::of(left);
    let mut store = open(&chip);
    let before = records(&mut store, &KINDS);
    let head = put(&mut store, Kind::Span, 1_000_000, 90, 9).unwrap();
    let mut after = records(&mut open(&chip), &KINDS);
    assert_eq!(after.remove(&(head.kind, head.key)), Some((head, lines(90, 9).0)));
    assert_eq!(before, after);
}

#[test]
fn power_goes_at_every_write_of_a_script_of_500_operations() {
    let chip = Small::new(8);
    let mut store = open(&chip);
    let mut chance = Chance(1);
    let mut model = Records::new();
    let (mut cuts, mut nested, mut removed, mut replaced) = (0, 0, 0, 0);
    for number in 0..500_u32 {
        let before = model.clone();
        let keys: Vec<_> = model.keys().copied().collect();
        let taken = keys.get(chance.below(keys.len().max(1))).copied();
        // A span that stays a while, so that room has to be made around it.
        let bytes = 1 + chance.below(280) as u32;
        let ((), torn) = torn(&chip, || match (taken, chance.below(8)) {
            (Some((kind, key)), 0..=2) => {
                // Mostly the oldest.
                let (kind, key) = if chance.below(4) == 0 { (kind, key) } else { *keys.first().unwrap() };
                store.remove(kind, key).unwrap();
                model.remove(&(kind, key));
                removed += 1;
            }
            (Some((kind, key)), 3) => {
                let head = put(&mut store, kind, key, bytes, number.into()).unwrap();
                model.insert((kind, key), (head, lines(bytes, number.into()).0));
                replaced += 1;
            }
            (Some((kind, key)), _) if model.len() >= 8 => {
                store.remove(kind, key).unwrap();
                model.remove(&(kind, key));
            }
            _ => {
                let kind = KINDS[usize::from(chance.below(5) == 0)];
                let head = put(&mut store, kind, number + 1, bytes, number.into()).unwrap();
                model.insert((kind, number + 1), (head, lines(bytes, number.into()).0));
            }
        });
        for (at, left) in torn.into_iter().enumerate() {
            if (number as usize + at).is_multiple_of(8) {
                works(left.clone());
            }
            cuts += 1;
            nested += survives(left, 1, &|found| {
                assert!(*found == before || *found == model, "operation {number}, write {at}");
            });
        }
    }
    assert_eq!(records(&mut store, &KINDS), model);
    assert_eq!(records(&mut open(&chip), &KINDS), model);
    let erases = chip.0.borrow().erases.clone();
    assert!(removed > 100 && replaced > 30 && cuts > 2_000 && nested > cuts && erases[1..].iter().all(|n| *n > 4));
    println!("{cuts} cuts, {nested} with those of what followed; erases {erases:?}");
}

type Queue = Delivery<Segment, [Slot<Segment>; 6], [Lane<Large>; 1]>;
type Segment = Stored<[u8; 256]>;

/// A device from one loss of power to the next.
fn boot(chip: &Small) -> (Queue, Spool, super::OnChip<WORD, PAGE>) {
    let store = open(chip);
    let slots = std::array::from_fn(|_| Slot::new(Stored([0; 256])));
    let mut delivery = Delivery::new(Config::default(), slots, [Lane::new(Kind::Metric)]);
    let keep = Keep::new(Mode::Always).bytes(store.room(256));
    let spool = Spool::new(keep, Store::footprint(&store), &mut delivery.view());
    (delivery, spool, store)
}

fn numbers(lines: &[u8]) -> BTreeSet<u32> {
    let lines = std::str::from_utf8(lines).unwrap().lines();
    lines.map(|line| line.strip_prefix("n ").unwrap().strip_suffix(" source=\"s\"").unwrap().parse().unwrap()).collect()
}

#[test]
fn power_goes_at_every_write_of_a_device_that_stores_and_forwards() {
    let chip = Small::new(8);
    let mut chance = Chance(2);
    let (mut delivery, mut spool, mut store) = boot(&chip);
    let (mut pushed, mut jobs, mut cuts, mut clock) = (0, 0, 0, 0);
    // What the store has to have: it was put, and is not yet delivered.
    let mut durable = BTreeSet::new();
    let mut delivered = BTreeSet::new();
    while jobs < 500 || durable.len() > delivered.len() {
        clock += 10;
        if jobs < 500 && delivery.ledger().row(Kind::Metric).stored < 60 {
            for _ in 0..1 + chance.below(6) {
                delivery.push(Kind::Metric, format!("n {pushed} source=\"s\"\n").as_bytes(), 1).unwrap();
                pushed += 1;
            }
            delivery.flush();
        }
        while let Errand::Do(mut job) = spool.poll(&mut delivery.view(), Millis(clock), 0) {
            jobs += 1;
            let lines = match job.request() {
                wavefront_sdk::delivery::Request::Put(_, lines) => numbers(lines),
                _ => BTreeSet::new(),
            };
            let (result, torn) = torn(&chip, || job.run(&mut store).unwrap());
            let needed: BTreeSet<_> = durable.difference(&delivered).copied().collect();
            for left in torn {
                cuts += 1;
                survives(left, 0, &|found| {
                    let found: BTreeSet<_> = found.values().flat_map(|(_, lines)| numbers(lines)).collect();
                    assert!(found.is_superset(&needed), "job {jobs}: {found:?} lacks some of {needed:?}");
                    assert!(found.iter().all(|number| *number < pushed));
                });
            }
            durable.extend(lines);
            assert_eq!(spool.settle(&mut delivery.view(), job, Ok(result), Millis(clock)), None);
        }
        // The link comes and goes.
        if clock / 200 % 2 == 1 {
            while let Action::Send(batch) = delivery.poll(Millis(clock), KindSet::ALL) {
                delivered.extend(numbers(batch.batch().bytes));
                delivery.outcome(batch, Outcome::Delivered, Millis(clock));
            }
        }
        if clock % 1_000 == 0 {
            assert!(delivery.ledger().is_balanced());
            (delivery, spool, store) = boot(&chip);
        }
    }
    assert!(delivered.len() > 200 && cuts > 1_000, "{} of {pushed}, {cuts} cuts", delivered.len());
    println!("{jobs} jobs for {pushed} lines, {cuts} cuts; erases {:?}", chip.0.borrow().erases);
}
