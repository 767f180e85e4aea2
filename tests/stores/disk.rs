//! A disk that is full, and one that cannot be written: file systems of our own, mounted where nobody else sees them.
//!
//! Each test runs itself again in a mount namespace. That takes `unshare` and either root or a kernel that lets a user
//! have namespaces; where there is neither, these tests fail.

use std::fs;
use std::path::Path;
use std::process::Command;

use wavefront_sdk::Kind;
use wavefront_sdk::store::{Directory, DirectoryError, Head, Store, StoreError, StoreFailure};

use crate::process::{child, spawn};
use crate::{Place, head, heads, is_whole, names, put};

/// Runs the test of this name again, where it may mount.
fn in_a_namespace(test: &str) {
    let place = Place::new();
    fs::create_dir(&place.0).unwrap();
    let ways: [&[&str]; 2] = [&["unshare", "--user", "--map-root-user", "--mount"], &["unshare", "--mount"]];
    let works =
        |way: &&&[&str]| Command::new(way[0]).args(&way[1..]).arg("true").output().is_ok_and(|it| it.status.success());
    let way = ways.iter().find(works).expect("a mount namespace: run as root, or let users have namespaces");
    let output = spawn(way, test, &place.0).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert!(said.contains("the end is reached"), "{said}");
}

fn run(command: &str, arguments: &[&str], directory: &Path) {
    let output = Command::new(command).args(arguments).arg(directory).output().unwrap();
    assert!(output.status.success(), "{command} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn mount(options: &str, directory: &Path) {
    run("mount", &["-t", "tmpfs", "-o", options, "none"], directory);
}

/// Puts records of `bytes` bytes until there is no room: those that are there.
fn fill(store: &mut Directory, kind: Kind, bytes: u32) -> Vec<Head> {
    let mut there = Vec::new();
    for key in 1..1000 {
        let record = head(kind, key, bytes, key.into());
        match put(store, record) {
            Ok(()) => there.push(record),
            Err(error) => {
                assert_eq!(error.kind(), StoreFailure::Full, "{error}");
                assert!(error.to_string().contains("make room there, or choose a directory elsewhere"), "{error}");
                return there;
            }
        }
    }
    panic!("the disk is never full");
}

fn everything_is_there(store: &mut Directory, there: &[Head]) {
    assert_eq!(heads(store), there);
    assert!(there.iter().all(|head| is_whole(store, *head)));
    let names = names(store.path());
    assert!(names.len() == there.len() && names.iter().all(|name| name.ends_with(".batch")), "{names:?}");
}

#[test]
fn a_full_disk() {
    let Some(directory) = child() else { return in_a_namespace("disk::a_full_disk") };
    // Full of bytes.
    mount("size=512k", &directory);
    let mut store = Directory::open(&directory).unwrap();
    let mut there = fill(&mut store, Kind::Metric, 20_000);
    assert!(there.len() > 10, "{}", there.len());
    everything_is_there(&mut store, &there);
    // A record is not replaced by one that has no room.
    let longer = head(Kind::Metric, 1, 60_000, 9);
    assert_eq!(put(&mut store, longer).unwrap_err().kind(), StoreFailure::Full);
    everything_is_there(&mut store, &there);
    drop(store);
    // Nor does a full disk keep the store from opening.
    let mut store = Directory::open(&directory).unwrap();
    everything_is_there(&mut store, &there);
    for head in there.drain(..4) {
        store.remove(head.kind, head.key).unwrap();
    }
    put(&mut store, longer).unwrap();
    there.insert(0, longer);
    everything_is_there(&mut store, &there);
    drop(store);
    run("umount", &[], &directory);

    // Full of files: the lock is the last that finds a place, or finds none.
    mount("nr_inodes=16", &directory);
    let mut store = Directory::open(&directory).unwrap();
    let there = fill(&mut store, Kind::Event, 100);
    everything_is_there(&mut store, &there);
    drop(store);
    run("umount", &[], &directory);
    mount("nr_inodes=1", &directory);
    let error = Directory::open(&directory).unwrap_err();
    assert!(matches!(error, DirectoryError::Full { .. }), "{error}");
    run("umount", &[], &directory);
    println!("the end is reached");
}

#[test]
fn a_directory_that_cannot_be_written() {
    let Some(directory) = child() else { return in_a_namespace("disk::a_directory_that_cannot_be_written") };
    mount("size=1m", &directory);
    let record = head(Kind::Span, 1, 500, 1);
    let read_only = |error: DirectoryError| {
        assert_eq!(error.kind(), StoreFailure::Unavailable);
        assert!(error.to_string().ends_with("choose a directory on a file system that can be written"), "{error}");
    };
    let mut store = Directory::open(&directory).unwrap();
    put(&mut store, record).unwrap();
    put(&mut store, head(Kind::Span, 2, 500, 2)).unwrap();

    // Under an open store.
    run("mount", &["--bind", directory.to_str().unwrap()], &directory);
    run("mount", &["-o", "remount,bind,ro"], &directory);
    read_only(put(&mut store, head(Kind::Span, 3, 500, 3)).unwrap_err());
    read_only(put(&mut store, head(Kind::Span, 1, 500, 9)).unwrap_err());
    assert!(is_whole(&mut store, record));
    read_only(store.remove(Kind::Span, 2).unwrap_err());
    // What could not be removed is not found again in this life.
    assert_eq!(heads(&mut store), [record]);
    drop(store);
    // From the beginning.
    read_only(Directory::open(&directory).unwrap_err());
    read_only(Directory::open(directory.join("below")).unwrap_err());

    run("umount", &[], &directory);
    let mut store = Directory::open(&directory).unwrap();
    everything_is_there(&mut store, &[record, head(Kind::Span, 2, 500, 2)]);
    put(&mut store, head(Kind::Span, 3, 500, 3)).unwrap();
    drop(store);
    println!("the end is reached");
}
