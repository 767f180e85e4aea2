//! Every damage to the file of a small record: it is found whole, or it is set aside and counted, and nothing else
//! suffers.

use std::fs;
use std::path::Path;

use wavefront_sdk::Kind;
use wavefront_sdk::store::{Head, Store};

use crate::{Place, file, head, heads, is_whole, names, put};

/// What became of the damaged record.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Whole,
    /// Its head could not be read when the store was opened.
    SetAside,
    /// Its lines could not be read: its reader was told.
    Damaged,
    /// There is nothing that could be a record.
    Away,
}

const VICTIM: Head = Head::new(Kind::Metric, 2, 2, 24, 2);

fn others() -> [Head; 4] {
    [
        head(Kind::Metric, 1, 24, 1),
        head(Kind::Metric, 3, 24, 3),
        head(Kind::Delta, 2, 24, 1),
        head(Kind::Span, 2, 70, 9),
    ]
}

/// The length of the victim's file, and of what stands before its lines.
const LEN: usize = 60;
const HEADER: usize = 32;

/// A directory with the victim and the others, not open.
struct Scene {
    place: Place,
    files: Vec<(String, Vec<u8>)>,
}

impl Scene {
    fn new() -> Self {
        let place = Place::new();
        let mut store = place.open();
        for head in others().into_iter().chain([VICTIM]) {
            put(&mut store, head).unwrap();
        }
        drop(store);
        let files: Vec<_> =
            names(&place.0).into_iter().map(|name| (name.clone(), fs::read(place.0.join(name)).unwrap())).collect();
        assert_eq!(fs::metadata(file(&place.0, VICTIM.kind, VICTIM.key)).unwrap().len(), LEN as u64);
        Self { place, files }
    }

    /// As it was in the beginning.
    fn restore(&self) {
        for name in names(&self.place.0) {
            let path = self.place.0.join(name);
            if fs::remove_file(&path).is_err() {
                fs::remove_dir_all(path).unwrap();
            }
        }
        for (name, bytes) in &self.files {
            fs::write(self.place.0.join(name), bytes).unwrap();
        }
    }

    /// What becomes of the victim when `damage` is done to its file, while the store is closed, and while it is open.
    fn fates(&self, damage: impl Fn(&Path)) -> [Fate; 2] {
        let path = file(&self.place.0, VICTIM.kind, VICTIM.key);
        [false, true].map(|open| {
            self.restore();
            let early = open.then(|| self.place.open());
            damage(&path);
            let mut store = early.unwrap_or_else(|| self.place.open());
            let found = heads(&mut store);
            let mut allowed = others().to_vec();
            if found.contains(&VICTIM) {
                allowed.insert(1, VICTIM);
            }
            assert_eq!(found, allowed);
            for head in others() {
                assert!(is_whole(&mut store, head), "{head:?} suffers");
            }
            let fate = match (found.contains(&VICTIM), store.set_aside()) {
                (true, 0) if is_whole(&mut store, VICTIM) => Fate::Whole,
                (true, 0) => Fate::Damaged,
                (false, 1) => Fate::SetAside,
                (false, 0) => Fate::Away,
                other => panic!("found, set aside: {other:?}"),
            };
            drop(store);
            // It was counted once, stays there for who wants to see it, and its place can be used again.
            let kept = names(&self.place.0).iter().filter(|name| name.ends_with(".damaged")).count();
            let gone = fate == Fate::Damaged && kept == 0;
            assert!(
                kept == usize::from(matches!(fate, Fate::SetAside | Fate::Damaged)) || gone,
                "{kept} kept: {fate:?}"
            );
            let mut store = self.place.open();
            assert_eq!((store.set_aside(), heads(&mut store).contains(&VICTIM)), (0, fate == Fate::Whole));
            let renewed = Head::new(VICTIM.kind, VICTIM.key, VICTIM.lines, VICTIM.bytes, 77);
            put(&mut store, renewed).unwrap();
            assert!(is_whole(&mut store, renewed));
            fate
        })
    }
}

fn rewrite(change: impl Fn(&mut Vec<u8>)) -> impl Fn(&Path) {
    move |path| {
        let mut bytes = fs::read(path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn nothing() {
    assert_eq!(Scene::new().fates(|_| {}), [Fate::Whole; 2]);
}

#[test]
fn every_bit() {
    let scene = Scene::new();
    for bit in 0..LEN * 8 {
        let fates = scene.fates(rewrite(|bytes| bytes[bit / 8] ^= 1 << (bit % 8)));
        let closed = if bit < HEADER * 8 { Fate::SetAside } else { Fate::Damaged };
        assert_eq!(fates, [closed, Fate::Damaged], "bit {bit}");
    }
}

#[test]
fn every_length() {
    let scene = Scene::new();
    for len in 0..LEN {
        assert_eq!(scene.fates(rewrite(|bytes| bytes.truncate(len))), [Fate::SetAside, Fate::Damaged], "{len} bytes");
    }
    for more in 1..=LEN {
        for filler in [0, b'\n', 0xff] {
            let fates = scene.fates(rewrite(|bytes| bytes.resize(LEN + more, filler)));
            assert_eq!(fates, [Fate::SetAside, Fate::Damaged], "{more} bytes of {filler} more");
        }
    }
    // Itself again; and a hole that no memory could hold.
    let twice = scene.fates(rewrite(|bytes| bytes.extend_from_within(..)));
    let hole = scene.fates(|path| fs::File::options().write(true).open(path).unwrap().set_len(1 << 40).unwrap());
    assert_eq!((twice, hole), ([Fate::SetAside, Fate::Damaged], [Fate::SetAside, Fate::Damaged]));
}

#[test]
fn every_byte_lost_or_doubled() {
    let scene = Scene::new();
    for at in 0..LEN {
        let lost = scene.fates(rewrite(|bytes| _ = bytes.remove(at)));
        let doubled = scene.fates(rewrite(|bytes| bytes.insert(at, bytes[at])));
        assert_eq!([lost, doubled], [[Fate::SetAside, Fate::Damaged]; 2], "byte {at}");
    }
}

#[test]
fn anything_else() {
    let scene = Scene::new();
    let mut random = 7_u32;
    for len in (0..200).chain([4096, 100_000]) {
        let garbage: Vec<_> = (0..len)
            .map(|_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (random >> 24) as u8
            })
            .collect();
        for garbage in [garbage, vec![0; len], vec![0xff; len]] {
            assert_eq!(
                scene.fates(|path| fs::write(path, &garbage).unwrap()),
                [Fate::SetAside, Fate::Damaged],
                "{len}"
            );
        }
    }
}

/// The head and the lines of two records of one length, each whole, and not together.
#[test]
fn halves_of_two_records() {
    let scene = Scene::new();
    let other = |key| fs::read(file(&scene.place.0, Kind::Metric, key)).unwrap();
    let fates = scene.fates(|path| {
        let own = fs::read(path).unwrap();
        fs::write(path, [&own[..HEADER], &other(1)[HEADER..]].concat()).unwrap();
    });
    assert_eq!(fates, [Fate::Damaged; 2]);
}

#[test]
fn another_record_in_its_place() {
    let scene = Scene::new();
    for other in others() {
        let fates = scene.fates(|path| _ = fs::copy(file(&scene.place.0, other.kind, other.key), path).unwrap());
        assert_eq!(fates, [Fate::SetAside, Fate::Damaged], "{other:?}");
    }
}

/// Both are set aside: neither is what its name says.
#[test]
fn swapped_names() {
    let scene = Scene::new();
    scene.restore();
    let [one, two] = [1, 2].map(|key| file(&scene.place.0, Kind::Metric, key));
    let aside = scene.place.0.join("swap");
    fs::rename(&one, &aside).unwrap();
    fs::rename(&two, &one).unwrap();
    fs::rename(&aside, &two).unwrap();
    let mut store = scene.place.open();
    let left: Vec<_> = others().into_iter().filter(|head| (head.kind, head.key) != (Kind::Metric, 1)).collect();
    assert_eq!((store.set_aside(), heads(&mut store)), (2, left));
}

#[test]
fn no_file_at_all() {
    let scene = Scene::new();
    assert_eq!(scene.fates(|path| fs::remove_file(path).unwrap()), [Fate::Away, Fate::Damaged]);
    let replaced = |make: &dyn Fn(&Path)| {
        scene.fates(|path| {
            fs::remove_file(path).unwrap();
            make(path);
        })
    };
    let aside = [Fate::SetAside, Fate::Damaged];
    assert_eq!(replaced(&|path| fs::create_dir(path).unwrap()), aside);
    assert_eq!(replaced(&|path| fs::create_dir_all(path.join("with/more")).unwrap()), aside);
    #[cfg(unix)]
    {
        use std::os::unix::{fs::symlink, net::UnixListener};
        use std::process::Command;
        let other = file(&scene.place.0, Kind::Metric, 1);
        assert_eq!(replaced(&|path| symlink(&other, path).unwrap()), aside);
        assert_eq!(replaced(&|path| symlink("nowhere", path).unwrap()), aside);
        assert_eq!(replaced(&|path| symlink(path, path).unwrap()), aside);
        // To open these would wait, or fail.
        assert_eq!(replaced(&|path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success())), aside);
        assert_eq!(replaced(&|path| drop(UnixListener::bind(path).unwrap())), aside);
    }
}
