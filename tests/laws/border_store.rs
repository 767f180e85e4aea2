//! The store of a sender, as JavaScript keeps it: it does what it is told, or fails at it.

use std::collections::BTreeMap;

use wavefront_sdk::Kind;
use wavefront_sdk::delivery::Request;

use super::script::Script;
use super::{Ledger, Page, count};

/// The names in `js/ledger.js` of what a store can lose lines for.
const EXPIRED: usize = 7;
const STORE_FULL: usize = 8;
const DAMAGED: usize = 9;

/// What a store is at, and what is in it: lines, when they were born, and the bytes.
#[derive(Default)]
pub(super) struct Store {
    pub(super) job: Option<[u32; 6]>,
    pub(super) born: f64,
    pub(super) records: BTreeMap<(u32, u32), (u32, f64, Vec<u8>)>,
}

impl Page {
    pub(super) fn store_set(&mut self, input: &mut Script<'_>) {
        let pipe = self.pipe(input);
        let always = input.byte() & 1 == 0;
        let known = self.pipes.get_mut(pipe as usize).filter(|known| !known.gone);
        let has = known.as_ref().is_some_and(|known| known.store.is_some());
        match input.byte() % 8 {
            // As a page does: once, before anything else.
            0..=4 if !has => {
                let fresh = known.is_some_and(|known| {
                    let fresh = known.ledger.iter().flatten().all(|count| *count == 0.0);
                    fresh.then(|| known.store = Some(Store::default())).is_some()
                });
                if fresh {
                    let bytes = input.pick(&[1e9, 1e9, 200.0, 0.0, f64::NAN, f64::INFINITY]);
                    self.core.store_attach(pipe, always, bytes, input.pick(&[1e12, 1e12, 1_000.0, f64::NAN]));
                }
            }
            0..=6 => self.core.store_mode(pipe, always),
            _ => {
                self.core.store_last(pipe);
                self.pipes.get_mut(pipe as usize).into_iter().for_each(|known| known.last = known.store.is_some());
            }
        }
    }

    pub(super) fn store(&mut self, input: &mut Script<'_>) {
        let pipe = self.pipe(input);
        if self.store_job(pipe) && input.byte() < 220 {
            self.store_done(pipe, input.byte());
        }
    }

    /// Whether there is something to do.
    pub(super) fn store_job(&mut self, pipe: u32) -> bool {
        let Some(store) =
            self.pipes.get_mut(pipe as usize).filter(|known| !known.gone).and_then(|it| it.store.as_mut())
        else {
            assert_eq!(self.core.store_due(pipe, self.now), -1.0);
            return false;
        };
        if store.job.is_none() {
            match self.core.store_due(pipe, self.now) {
                -2.0 => {
                    store.job = self.core.words.first_chunk::<6>().copied();
                    store.born = self.core.numbers[0];
                }
                wait => assert!(wait == -1.0 || (wait >= 0.0 && wait.is_finite()), "wait for {wait}"),
            }
        }
        store.job.is_some()
    }

    /// Does what is to be done, or fails at it where `trouble` says so.
    pub(super) fn store_done(&mut self, pipe: u32, trouble: u8) {
        let known = &mut self.pipes[pipe as usize];
        let Some(store) = &mut known.store else { return };
        let Some([what, kind, key, lines, bytes, _]) = store.job.take() else { return };
        assert!((kind as usize) < Kind::COUNT, "{kind} is no kind");
        let keeper = self.core.pipes[pipe as usize].as_mut().unwrap().keeper.as_mut().unwrap();
        let mut reply = match keeper.job.as_mut().unwrap().request() {
            Request::Put(head, text) => {
                assert_eq!((what, head.bytes as usize), (0, text.len()));
                assert_eq!((head.lines, head.bytes), (lines, bytes));
                assert_eq!(count(text), lines as usize);
                if trouble < 200 {
                    let before = store.records.insert((kind, key), (lines, store.born, text.to_vec()));
                    assert!(before.is_none(), "two records of one key");
                }
                0
            }
            Request::Next(..) => {
                assert_eq!(what, 1);
                let next = store.records.range((kind, key)..).next().filter(|((of, _), _)| *of == kind);
                match next {
                    None => 1,
                    Some(((_, key), (lines, born, text))) => {
                        for (word, value) in self.core.words.iter_mut().zip([*key, *lines, text.len() as u32]) {
                            *word = value;
                        }
                        self.core.numbers[0] = *born;
                        2
                    }
                }
            }
            Request::Read(head, into) => {
                assert_eq!((what, head.bytes as usize), (2, into.len()));
                match store.records.get(&(kind, key)) {
                    Some((.., text)) if text.len() == into.len() => {
                        into.copy_from_slice(text);
                        0
                    }
                    _ => panic!("a record is read that is not there"),
                }
            }
            Request::Remove(..) => {
                assert_eq!(what, 3);
                if trouble < 200 {
                    store.records.remove(&(kind, key));
                }
                0
            }
            _ => panic!("something else is to be done"),
        };
        if trouble >= 200 {
            reply = u32::from(trouble % 4) + 3;
        }
        let before = self.ledger(pipe).unwrap();
        let lost = self.core.store_reply(pipe, reply, self.now);
        let after = self.ledger(pipe).unwrap();
        // From the queue-full to the closed ones.
        let dropped = |ledger: &Ledger| ledger.map(|row| row[4..=10].to_vec());
        let mut expected = dropped(&before);
        if lost > 0 {
            let [of, why] = *self.core.words.first_chunk::<2>().unwrap();
            assert_eq!(of, kind, "{lost} lines of another kind than the record's");
            let told = [EXPIRED, STORE_FULL, DAMAGED].get(why as usize).unwrap_or_else(|| panic!("lost for {why}"));
            // Damaged, not to be had, or what else the store says of the record itself.
            assert_eq!(*told == STORE_FULL, what == 0, "{why} of {what}, answered {reply}");
            expected[of as usize][told - 4] += f64::from(lost);
        }
        assert_eq!(dropped(&after), expected, "{lost} lost, and counted otherwise");
    }
}
