//! Other processes: one that has the directory, and one that is killed while it writes.
//!
//! Each test is both of its processes: it runs itself again with [`CHILD`] set.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wavefront_sdk::Kind;
use wavefront_sdk::store::{Directory, DirectoryError, Head, Store};

use crate::{Place, head, heads, is_whole, names, put};

/// The directory that the child is to use.
pub(crate) const CHILD: &str = "WAVEFRONT_TEST_STORE";

/// In the child, its directory.
pub(crate) fn child() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// Runs a test of this program again, as the child.
pub(crate) fn spawn(before: &[&str], test: &str, directory: &Path) -> Child {
    let own = std::env::current_exe().unwrap();
    let mut words = before.iter().map(std::ffi::OsString::from).chain([own.into()]);
    Command::new(words.next().unwrap())
        .args(words)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_second_process_is_told() {
    const NAME: &str = "process::a_second_process_is_told";
    if let Some(directory) = child() {
        match Directory::open(&directory) {
            Ok(_store) => {
                println!("\nopen");
                // Till the end of the process.
                let _ = std::io::stdin().read(&mut [0]);
            }
            Err(error) => println!("\nrefused: {error}"),
        }
        return;
    }
    let place = Place::new();
    let start = || {
        let mut child = spawn(&[], NAME, &place.0);
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.starts_with("open") && !said.starts_with("refused") {
            said.clear();
            assert_ne!(out.read_line(&mut said).unwrap(), 0, "the child says nothing");
        }
        (child, out, said)
    };

    let store = place.open();
    let (mut second, mut rest, said) = start();
    rest.read_to_string(&mut String::new()).unwrap();
    assert!(second.wait().unwrap().success());
    let expected = format!("{} is used by another process: give each its own directory\n", place.0.display());
    assert!(said.ends_with(&expected), "{said}");
    drop(store);

    // And the other way round. A process that is killed gives the directory back.
    let (mut first, _rest, said) = start();
    assert_eq!(said, "open\n");
    assert!(matches!(Directory::open(&place.0), Err(DirectoryError::InUse { .. })));
    first.kill().unwrap();
    first.wait().unwrap();
    place.open();
}

/// How often the writer is killed.
const KILLS: u32 = 30;

/// Puts, replaces and removes for ever, and says so of each once it is done.
fn write_for_ever(directory: &Path) {
    let mut store = Directory::open(directory).unwrap();
    let mut out = std::io::stdout().lock();
    let mut say = |what: &str, head: Head| {
        writeln!(out, "{what} {} {} {} {}", head.kind.index(), head.key, head.bytes, head.born).unwrap();
    };
    // The harness has begun a line.
    println!();
    let mut found = heads(&mut store);
    found.sort_by_key(|head| head.born);
    let mut born = found.last().map_or(0, |head| head.born);
    let mut live: Vec<_> = found.iter().map(|head| (head.kind, head.key)).collect();
    loop {
        born += 1;
        let kind = Kind::ALL[born as usize % 3];
        let bytes = if born.is_multiple_of(8) { 200_000 } else { 100 + born as u32 % 9000 };
        // Every fifth takes the place of an older one.
        let place = (
            kind,
            if born.is_multiple_of(5) { live.iter().find(|it| it.0 == kind).map_or(1, |it| it.1) } else { born as u32 },
        );
        let record = head(place.0, place.1, bytes, born);
        put(&mut store, record).unwrap();
        say("put", record);
        live.retain(|it| *it != place);
        live.push(place);
        if live.len() > 40 {
            let (kind, key) = live.remove(0);
            store.remove(kind, key).unwrap();
            say("removed", head(kind, key, 1, 0));
        }
    }
}

#[test]
fn a_writer_that_is_killed_loses_nothing_it_was_told_is_there() {
    if let Some(directory) = child() {
        return write_for_ever(&directory);
    }
    let place = Place::new();
    let mut random = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("seed {random}");
    let mut known: BTreeMap<(Kind, u32), Head> = BTreeMap::new();
    let (mut puts, mut unfinished, mut unacknowledged) = (0, 0, 0);
    for kill in 1..=KILLS {
        let mut writer = spawn(&[], "process::a_writer_that_is_killed_loses_nothing_it_was_told_is_there", &place.0);
        let mut out = BufReader::new(writer.stdout.take().unwrap());
        // Once it is at work.
        let mut first = String::new();
        while !first.starts_with("put ") {
            first.clear();
            assert_ne!(out.read_line(&mut first).unwrap(), 0, "the writer ended by itself");
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_micros(random >> 33 & 0x7fff));
        writer.kill().unwrap();
        let mut said = first;
        out.read_to_string(&mut said).unwrap();
        writer.wait().unwrap();
        unfinished += names(&place.0).iter().filter(|name| name.ends_with(".tmp")).count();

        for line in said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            let words: Vec<_> = line.split(' ').collect();
            let [what, numbers @ ..] = &words[..] else { panic!("{line}") };
            let [kind, key, bytes, born] =
                numbers.iter().map(|word| word.parse::<u64>().unwrap()).collect::<Vec<_>>()[..]
            else {
                panic!("{line}")
            };
            let record = head(Kind::ALL[kind as usize], key as u32, bytes as u32, born);
            if *what == "put" {
                puts += 1_u32;
                known.insert((record.kind, record.key), record);
            } else {
                known.remove(&(record.kind, record.key));
            }
        }

        let mut store = place.open();
        assert_eq!(store.set_aside(), 0, "kill {kill}");
        let mut surprises = 0;
        let found: BTreeMap<_, _> = heads(&mut store).into_iter().map(|head| ((head.kind, head.key), head)).collect();
        for (at, head) in &found {
            assert!(is_whole(&mut store, *head), "kill {kill}: {head:?} is half there");
            if known.get(at) != Some(head) {
                // It was at work on this one: done, and not said to be.
                surprises += 1;
                assert!(known.get(at).is_none_or(|old| old.born < head.born), "kill {kill}: {head:?} is an old one");
            }
        }
        let lost: Vec<_> = known.keys().filter(|at| !found.contains_key(at)).collect();
        surprises += lost.len();
        // A removal may be done and not said to be, and so may be a `put`; the writer does one thing at a time.
        assert!(surprises <= 1, "kill {kill}: {surprises} records are not as they should be, {lost:?} are lost");
        let oldest = known.iter().min_by_key(|(_, head)| head.born).map(|(at, _)| at);
        assert!(lost.first().is_none_or(|at| Some(*at) == oldest), "kill {kill}: {lost:?} is lost");
        unacknowledged += surprises;
        assert!(names(&place.0).iter().all(|name| name.ends_with(".batch")), "kill {kill}");
        known = found;
    }
    println!("{puts} puts, {KILLS} kills: {unfinished} within a write, {unacknowledged} between the deed and the word");
    assert!(puts > KILLS);
}
