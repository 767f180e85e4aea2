//! Laws of a store in a directory whose files are damaged: it opens, every record is read as it was put or is set aside,
//! and what nobody touched is whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use arbitrary::{Arbitrary, Result, Unstructured};
use wavefront_sdk::Kind;
use wavefront_sdk::store::conformance::lines;
use wavefront_sdk::store::{Directory, Head, Store, StoreError, StoreFailure};

/// The laws, for the run that the bytes describe.
pub(crate) fn bytes(bytes: &[u8]) {
    let mut u = Unstructured::new(bytes);
    let mut ops = Vec::new();
    while !u.is_empty() && ops.len() < 60 {
        let Ok(op) = Op::arbitrary(&mut u) else { break };
        ops.push(op);
    }
    run(&ops);
}

/// A kind and a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place(Kind, u32);

const KINDS: [Kind; 3] = [Kind::Metric, Kind::SpanLogs, Kind::SourceTag];
const KEYS: [u32; 5] = [1, 2, 3, 0x8000_0000, u32::MAX];

impl Place {
    fn all() -> impl Iterator<Item = Self> {
        KINDS.into_iter().flat_map(|kind| KEYS.map(|key| Self(kind, key)))
    }

    fn name(self) -> String {
        format!("{}-{:08x}.batch", self.0, self.1)
    }
}

impl<'a> Arbitrary<'a> for Place {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let number = usize::from(u8::arbitrary(u)?);
        Ok(Self(KINDS[number % KINDS.len()], KEYS[number / KINDS.len() % KEYS.len()]))
    }
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Op {
    Put(Place, u16),
    PutAgain(Place, u16),
    Remove(Place),
    Read(Place),
    Walk,
    Reopen,
    /// To a file, by its number.
    Damage(u8, Damage),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Damage {
    Flip(u16),
    FlipInHead(u8),
    Truncate(u16),
    Append(u8, u8),
    Overwrite(u16, u8),
    Hole,
    Delete,
    Rename(Place),
    Copy(Place),
    Directory,
    Link,
    Unfinished(Place),
    UnfinishedDirectory(Place),
}

/// A directory, what was put into it, and what was done to it.
struct Run {
    path: PathBuf,
    /// Taken while it is opened again.
    store: Option<Directory>,
    puts: u64,
    /// Every head that was ever put into a place: its lines are those of the seed `born`.
    ever: BTreeMap<Place, Vec<Head>>,
    /// What should be there.
    alive: BTreeMap<Place, Head>,
    /// Where somebody else had a hand in it.
    touched: BTreeSet<Place>,
}

fn run(ops: &[Op]) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // In memory where that can be had: to wait for a disk finds nothing here.
    let shared = PathBuf::from("/dev/shm");
    let base = if shared.is_dir() { shared } else { std::env::temp_dir() };
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let place = Cleared(base.join(format!("wavefront-sdk-laws-{}-{number}", std::process::id())));
    let path = place.0.join("store");
    let store = Directory::open(&path).unwrap();
    fs::write(place.0.join("outside"), "not ours").unwrap();
    fs::write(path.join("foreign"), "not ours").unwrap();
    let mut run = Run {
        path,
        store: Some(store),
        puts: 0,
        ever: BTreeMap::new(),
        alive: BTreeMap::new(),
        touched: BTreeSet::new(),
    };
    for op in ops {
        run.perform(*op);
    }
    run.walk();
    run.reopen();
    run.walk();
    run.reopen();
    for file in [place.0.join("outside"), run.path.join("foreign")] {
        assert_eq!(fs::read(file).unwrap(), b"not ours", "a file of somebody else's was changed");
    }
}

/// A directory that goes at the end.
struct Cleared(PathBuf);

impl Drop for Cleared {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Run {
    fn perform(&mut self, op: Op) {
        match op {
            Op::Put(place, len) | Op::PutAgain(place, len) => self.put(place, len),
            Op::Remove(place) => self.remove(place),
            Op::Read(place) => {
                let found = self.store().next(place.0, place.1).unwrap();
                if let Some(head) = found.filter(|head| head.key == place.1) {
                    self.read(place, head);
                }
            }
            Op::Walk => self.walk(),
            Op::Reopen => self.reopen(),
            Op::Damage(file, damage) => self.damage(file, damage),
        }
    }

    fn store(&mut self) -> &mut Directory {
        self.store.as_mut().unwrap()
    }

    fn put(&mut self, place: Place, len: u16) {
        self.puts += 1;
        let bytes = u32::from(len % 512) + 1;
        let head = Head::new(place.0, place.1, bytes.div_ceil(50), bytes, self.puts);
        self.ever.entry(place).or_default().push(head);
        match self.store().put(head, &lines(head, head.born)) {
            Ok(()) => {
                self.alive.insert(place, head);
                self.touched.remove(&place);
            }
            // Nothing is changed then.
            Err(error) => {
                assert_eq!(error.kind(), StoreFailure::Unavailable, "{error}");
                let name = place.name();
                let blocked = [format!("{name}.tmp"), name].iter().any(|name| self.path.join(name).is_dir());
                assert!(blocked, "{error}");
            }
        }
    }

    fn remove(&mut self, place: Place) {
        self.store().remove(place.0, place.1).unwrap();
        self.alive.remove(&place);
        self.touched.remove(&place);
        assert!(!exists(&self.path.join(place.name())));
    }

    /// Reads what was found.
    fn read(&mut self, place: Place, head: Head) {
        let there = exists(&self.path.join(place.name()));
        let kept = self.kept();
        let mut into = vec![0xa5; head.bytes as usize];
        match self.store().read(head, &mut into) {
            Ok(()) => assert_eq!(into, lines(head, head.born), "something else is read than was put"),
            Err(error) => {
                assert_eq!(error.kind(), StoreFailure::Damaged, "{error}");
                assert!(self.touched.contains(&place), "nobody touched it: {error}");
                assert_eq!(self.kept(), kept + usize::from(there), "what was damaged is not kept");
                assert_ne!(self.store().next(place.0, place.1).unwrap(), Some(head), "it is found again");
                self.alive.remove(&place);
                self.touched.remove(&place);
            }
        }
    }

    /// Reads everything that is found: no more than there was ever, and no less than there must be.
    fn walk(&mut self) {
        let mut found = Vec::new();
        for kind in Kind::ALL {
            let mut from = Some(0);
            while let Some(head) = from.and_then(|from| self.store().next(kind, from).unwrap()) {
                assert!(head.kind == kind && Some(head.key) >= from);
                found.push(head);
                from = head.key.checked_add(1);
            }
        }
        for head in &found {
            let place = Place(head.kind, head.key);
            assert!(self.ever.get(&place).is_some_and(|heads| heads.contains(head)), "nobody put {head:?}");
            assert!(self.touched.contains(&place) || self.alive.get(&place) == Some(head), "{head:?} is an old one");
        }
        for (place, head) in &self.alive {
            assert!(found.contains(head) || self.touched.contains(place), "nobody touched {head:?}, and it is lost");
        }
        for head in &found {
            self.read(Place(head.kind, head.key), *head);
        }
    }

    fn reopen(&mut self) {
        drop(self.store.take());
        let kept = self.kept();
        let there: Vec<_> = Place::all().filter(|place| exists(&self.path.join(place.name()))).collect();
        let unfinished =
            self.names().iter().filter(|name| name.ends_with(".tmp") && self.path.join(name).is_dir()).count();
        let store = self.store.insert(Directory::open(&self.path).unwrap());
        let set_aside = store.set_aside();
        let mut found = BTreeMap::new();
        for place in &there {
            if let Some(head) = store.next(place.0, place.1).unwrap().filter(|head| head.key == place.1) {
                found.insert(*place, head);
            }
        }
        // Everything is accounted for.
        assert_eq!(found.len() + set_aside, there.len(), "found and set aside, of those that were there");
        assert_eq!(self.kept(), kept + set_aside + unfinished, "what was set aside is not kept");
        assert!(!self.names().iter().any(|name| name.ends_with(".tmp")));
        for place in Place::all().filter(|place| !found.contains_key(place)) {
            if self.touched.remove(&place) {
                self.alive.remove(&place);
            }
        }
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(&self.path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != "lock" && name != "foreign").collect();
        names.sort();
        names
    }

    fn kept(&self) -> usize {
        self.names().iter().filter(|name| name.ends_with(".damaged")).count()
    }

    fn damage(&mut self, file: u8, damage: Damage) {
        let names = self.names();
        let chosen = names.get(usize::from(file) % names.len().max(1));
        let to = match damage {
            Damage::Rename(place) | Damage::Copy(place) => Some(place),
            _ => None,
        };
        match damage {
            Damage::Unfinished(place) => {
                let path = self.path.join(place.name() + ".tmp");
                // What is there may be a link, and lead outside.
                if !exists(&path) {
                    fs::write(path, "unfinished").unwrap();
                }
                return;
            }
            Damage::UnfinishedDirectory(place) => {
                let _ = fs::create_dir(self.path.join(place.name() + ".tmp"));
                return;
            }
            _ => {}
        }
        let Some(name) = chosen else { return };
        // What was set aside is nobody's any more, and stays as it is but for copies of it.
        if name.ends_with(".damaged") && !matches!(damage, Damage::Copy(_)) {
            return;
        }
        self.touched.extend(Place::all().filter(|place| place.name() == *name).chain(to));
        let path = self.path.join(name);
        let target = to.map(|place| self.path.join(place.name()));
        let metadata = fs::symlink_metadata(&path).unwrap();
        let is_file = metadata.is_file();
        // Not a hole.
        let is_small = is_file && metadata.len() < 1 << 20;
        match damage {
            Damage::Delete => clear(&path),
            Damage::Directory => {
                clear(&path);
                fs::create_dir(&path).unwrap();
            }
            #[cfg(unix)]
            Damage::Link => {
                clear(&path);
                std::os::unix::fs::symlink("../outside", &path).unwrap();
            }
            Damage::Rename(_) if target.as_ref() != Some(&path) => {
                clear(target.as_ref().unwrap());
                fs::rename(&path, target.unwrap()).unwrap();
            }
            Damage::Copy(_) if is_small && target.as_ref() != Some(&path) => {
                clear(target.as_ref().unwrap());
                fs::copy(&path, target.unwrap()).unwrap();
            }
            // Longer than any memory.
            Damage::Hole if is_file => {
                clear(&path);
                fs::write(&path, "hole").unwrap();
                File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
            }
            _ if is_small => rewrite(&path, damage),
            _ => {}
        }
    }
}

fn rewrite(path: &Path, damage: Damage) {
    let mut bytes = fs::read(path).unwrap();
    let bits = bytes.len().max(1) * 8;
    let mut flip = |bit: usize| {
        if let Some(byte) = bytes.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
    };
    match damage {
        Damage::Flip(bit) => flip(usize::from(bit) % bits),
        Damage::FlipInHead(bit) => flip(usize::from(bit)),
        Damage::Truncate(len) => bytes.truncate(usize::from(len)),
        Damage::Append(len, filler) => bytes.resize(bytes.len() + usize::from(len), filler),
        Damage::Overwrite(len, filler) => bytes = vec![filler; usize::from(len % 600)],
        _ => return,
    }
    fs::write(path, bytes).unwrap();
}

/// Makes sure that nothing is there.
fn clear(path: &Path) {
    if fs::remove_file(path).is_err() {
        let _ = fs::remove_dir_all(path);
    }
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
