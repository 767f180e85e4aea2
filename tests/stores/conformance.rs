//! The suite that every store has to pass.

use std::fs;

use wavefront_sdk::Kind;
use wavefront_sdk::store::conformance::{Report, Rig, check};
use wavefront_sdk::store::{Directory, MemoryStore, StoreStep};

use crate::{Place, file};

const SCRIPTED: [&str; 6] = [
    "every kind and length comes back",
    "records are found in the order of their keys",
    "a put under a taken key replaces the record",
    "what is removed stays away",
    "what is not there reads as damaged",
    "any operations agree with a model",
];
const DAMAGE: &str = "a damaged record is set aside, and stands in nobody's way";
const CRASH: &str = "a crash leaves every record whole or away";

struct InDirectory(Place);

impl Rig for InDirectory {
    type Store = Directory;

    fn open(&mut self) -> Directory {
        self.0.open()
    }

    fn damage(&mut self, kind: Kind, key: u32, bit: u64) -> bool {
        let path = file(&self.0.0, kind, key);
        let mut bytes = fs::read(&path).unwrap();
        let Some(byte) = bytes.get_mut(bit as usize / 8) else { return false };
        *byte ^= 1 << (bit % 8);
        fs::write(path, bytes).unwrap();
        true
    }
}

#[test]
fn a_directory() {
    let Report { kept, skipped, .. } = check(&mut InDirectory(Place::new())).unwrap();
    assert_eq!((&kept[..6], &kept[6..]), (&SCRIPTED[..], &[DAMAGE][..]));
    // Processes are killed in `process`.
    assert_eq!(skipped, [CRASH]);
}

struct InMemory(MemoryStore, Option<u32>);

impl Rig for InMemory {
    type Store = MemoryStore;

    fn open(&mut self) -> MemoryStore {
        self.0.set_steps([]);
        if let Some(n) = self.1.take() {
            let passes = std::iter::repeat_n(StoreStep::Pass, n as usize / 2);
            self.0.set_steps(passes.chain([StoreStep::Crash { done: n % 2 == 1 }]));
        }
        self.0.reopen()
    }

    fn damage(&mut self, kind: Kind, key: u32, bit: u64) -> bool {
        self.0.damage(kind, key, bit)
    }

    fn crash_at(&mut self, n: u32) -> bool {
        self.1 = Some(n);
        true
    }
}

#[test]
fn a_memory() {
    let Report { kept, skipped, .. } = check(&mut InMemory(MemoryStore::new(), None)).unwrap();
    assert_eq!((&kept[..6], &kept[6..]), (&SCRIPTED[..], &[DAMAGE, CRASH][..]));
    assert!(skipped.is_empty());
}
