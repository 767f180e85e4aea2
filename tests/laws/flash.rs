//! Laws of the store in flash, whatever the flash holds: it opens and comes to an end, what it reads is as it was put,
//! what nobody damaged is there, every line of it is accounted for by the delivery behind it, and erased it is as new.

use std::collections::BTreeMap;

use wavefront_sdk::delivery::{
    Action, Config, Delivery, Errand, Keep, Lane, Large, Millis, Mode, Outcome, Slot, Spool, Stored,
};
use wavefront_sdk::store::{Blocking, Flash, FlashError, Head, Store, StoreError};
use wavefront_sdk::{Kind, KindSet};

use super::script::Script;

#[path = "../flash/chip.rs"]
mod chip;
use chip::Chip;

const PAGE: usize = 512;
const PAGES: usize = 5;
type OnChip = Flash<Blocking<Chip<4, PAGE>>, Vec<u8>>;
type Place = (Kind, u32);

/// The laws, for what the bytes say is done to a chip.
pub(crate) fn bytes(bytes: &[u8]) {
    let mut input = Script(bytes);
    let chip = Chip::new(PAGES);
    let mut run = Run {
        store: open(&chip),
        chip,
        puts: 0,
        ever: BTreeMap::new(),
        alive: BTreeMap::new(),
        unsure: None,
        damaged: false,
    };
    for _ in 0..64 {
        if input.is_over() {
            break;
        }
        run.perform(&mut input);
    }
    run.reopen();
    run.walk();
    run.reopen();
    run.forward();
    run.erase();
}

const KINDS: [Kind; 2] = [Kind::Metric, Kind::SpanLogs];
const KEYS: [u32; 5] = [1, 2, 3, 0x8000_0000, u32::MAX];

fn open(chip: &Chip<4, PAGE>) -> OnChip {
    Flash::blocking(chip.clone(), 0..(PAGES * PAGE) as u32, vec![0; PAGE]).unwrap()
}

/// The lines of a record: they say which one it is.
fn lines(seed: u64, len: usize) -> (Vec<u8>, u32) {
    let mut lines: Vec<u8> = format!("{seed:06} ").into_bytes();
    lines.resize(len.max(8), b'x');
    if len > 40 {
        lines[20] = b'\n';
    }
    *lines.last_mut().unwrap() = b'\n';
    let count = lines.iter().filter(|byte| **byte == b'\n').count();
    (lines, count as u32)
}

struct Run {
    chip: Chip<4, PAGE>,
    store: OnChip,
    puts: u64,
    /// Every record that was ever put into a place, as far as is known.
    ever: BTreeMap<Place, Vec<(Head, Vec<u8>)>>,
    /// What should be there.
    alive: BTreeMap<Place, Head>,
    /// Where power went while something was done.
    unsure: Option<Place>,
    /// Whether somebody else had a hand in it.
    damaged: bool,
}

impl Run {
    fn perform(&mut self, input: &mut Script<'_>) {
        let what = input.byte();
        let place = (input.pick(&KINDS), input.pick(&KEYS));
        match what % 16 {
            0..=5 => self.put(place, usize::from(input.byte())),
            6 | 7 => self.remove(place),
            8 => self.walk(),
            9 => self.reopen(),
            // The power goes a few writes from now.
            10 | 11 => self.chip.0.borrow_mut().cut_in = Some(u32::from(input.byte() % 12)),
            _ => self.damage(what >> 4, input),
        }
        if self.chip.0.borrow().dead {
            self.reopen();
        }
    }

    fn put(&mut self, place: Place, len: usize) {
        self.puts += 1;
        let (text, count) = lines(self.puts, len);
        let head = Head::new(place.0, place.1, count, text.len() as u32, self.puts);
        self.ever.entry(place).or_default().push((head, text.clone()));
        match self.store.put(head, &text) {
            Ok(()) => {
                self.alive.insert(place, head);
            }
            Err(FlashError::Full) => {}
            Err(error) => self.failed(place, error),
        }
    }

    fn remove(&mut self, place: Place) {
        match self.store.remove(place.0, place.1) {
            Ok(()) => {
                self.alive.remove(&place);
            }
            Err(error) => self.failed(place, error),
        }
    }

    fn failed(&mut self, place: Place, error: FlashError) {
        match error {
            FlashError::Medium(_) if self.chip.0.borrow().dead => self.unsure = Some(place),
            // Whether anything was done, only a look tells.
            _ if self.damaged => self.unsure = Some(place),
            error => panic!("{error:?}, and the flash is whole"),
        }
    }

    fn damage(&mut self, how: u8, input: &mut Script<'_>) {
        self.damaged = true;
        let cells = &mut self.chip.0.borrow_mut().bytes;
        let at = input.number(2) as usize % cells.len();
        let page = at / PAGE * PAGE;
        match how % 8 {
            0 | 1 => cells[at] ^= 1 << (input.byte() % 8),
            2 => cells[at] = input.byte(),
            3 => {
                let len = usize::from(input.byte()).min(cells.len() - at);
                cells[at..at + len].fill(0);
            }
            4 => {
                let len = usize::from(input.byte()).min(cells.len() - at);
                cells[at..at + len].fill(0xff);
            }
            5 => cells[page..page + PAGE].fill(0xff),
            6 => cells.copy_within(page..page + PAGE, input.number(1) as usize % PAGES * PAGE),
            _ => {
                let bytes = input.take(16);
                let len = bytes.len().min(cells.len() - at);
                cells[at..at + len].copy_from_slice(&bytes[..len]);
            }
        }
    }

    /// Power comes back.
    fn reopen(&mut self) {
        let mut cells = self.chip.0.borrow_mut();
        (cells.dead, cells.cut_in) = (false, None);
        drop(cells);
        self.store = open(&self.chip);
        if self.unsure.take().is_some() || self.damaged {
            self.look();
        }
    }

    /// Takes for true what is there, where only a look can tell.
    fn look(&mut self) {
        let found = self.found();
        if self.damaged {
            self.alive = found;
            return;
        }
        // One place was under way: it is as before or as after, and all others are as they were.
        let differs = |place: &&Place| self.alive.get(place) != found.get(place);
        let all: std::collections::BTreeSet<_> = self.alive.keys().chain(found.keys()).collect();
        assert!(all.into_iter().filter(differs).count() <= 1, "{:?}, then {found:?}", self.alive);
        self.alive = found;
    }

    fn walk(&mut self) {
        if self.chip.0.borrow().cut_in.is_some() {
            // Where power may go in the middle of it, nothing is known.
            self.reopen();
        }
        let found = self.found();
        assert!(self.damaged || found == self.alive, "{found:?} is there, and {:?} was put", self.alive);
    }

    /// Everything that can be read: each is as it was put.
    fn found(&mut self) -> BTreeMap<Place, Head> {
        let mut found = BTreeMap::new();
        for kind in KINDS {
            let mut from = 0;
            loop {
                let head = match self.store.next(kind, from) {
                    Ok(Some(head)) => head,
                    Ok(None) => break,
                    Err(error) => {
                        assert!(self.damaged && !matches!(error, FlashError::Full), "{error:?} of a look");
                        break;
                    }
                };
                assert!(head.kind == kind && head.key >= from);
                let mut into = vec![0; head.bytes as usize];
                match self.store.read(head, &mut into) {
                    Ok(()) => {
                        let ever = self.ever.get(&(kind, head.key)).map(Vec::as_slice).unwrap_or_default();
                        assert!(ever.contains(&(head, into)), "{head:?} was never put");
                        found.insert((kind, head.key), head);
                    }
                    Err(error) => assert!(self.damaged, "{error:?} of {head:?}"),
                }
                let Some(next) = head.key.checked_add(1) else { break };
                from = next;
            }
        }
        found
    }

    /// A delivery takes over what is there: all of it leaves, or is counted as lost.
    fn forward(&mut self) {
        let slots: [Slot<Stored<[u8; PAGE]>>; 6] = core::array::from_fn(|_| Slot::new(Stored([0; PAGE])));
        let lanes: [Lane<Large>; 2] = KINDS.map(Lane::new);
        let mut delivery = Delivery::new(Config::default(), slots, lanes);
        let keep = Keep::new(Mode::Always).bytes(self.store.room(255));
        let mut spool = Spool::new(keep, Store::footprint(&self.store), &mut delivery.view());
        let (mut now, mut failed) = (0, false);
        for _ in 0..400 {
            now += 1_000;
            match spool.poll(&mut delivery.view(), Millis(now), now) {
                Errand::Do(mut job) => {
                    let result = job.run(&mut self.store).map_err(|error| error.kind());
                    failed |= result.is_err();
                    spool.settle(&mut delivery.view(), job, result, Millis(now));
                }
                Errand::WaitUntil(_) | Errand::Idle => {}
            }
            if let Action::Send(batch) = delivery.poll(Millis(now), KindSet::ALL) {
                let bytes = batch.batch().bytes;
                assert!(bytes.ends_with(b"\n"));
                let is_put = |(_, text): &(Head, Vec<u8>)| text.windows(bytes.len()).any(|part| part == bytes);
                assert!(self.ever.values().flatten().any(is_put), "what leaves was never put");
                delivery.outcome(batch, Outcome::Delivered, Millis(now));
            }
            assert!(delivery.ledger().is_balanced());
        }
        let total = delivery.ledger().total();
        assert!(failed || total.unsettled() + total.stored == 0, "{total:?}");
        assert!(self.damaged || total.delivered == self.alive.values().map(|head| head.lines as usize).sum::<usize>());
    }

    fn erase(&mut self) {
        self.chip.0.borrow_mut().bytes.fill(0xff);
        self.damaged = false;
        self.alive.clear();
        self.reopen();
        self.walk();
        self.put((Kind::Metric, 7), 100);
        assert_eq!(self.alive.len(), 1);
        self.walk();
    }
}
