//! The stores: the contract, every damage to a small file, other processes, a full disk and one that cannot be written.

#![cfg(feature = "spool")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::std_instead_of_core)]

mod conformance;
mod damage;
#[cfg(target_os = "linux")]
mod disk;
mod laws;
#[cfg(unix)]
mod process;
mod scripts;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use wavefront_sdk::Kind;
use wavefront_sdk::store::conformance::lines;
use wavefront_sdk::store::{Directory, DirectoryError, Head, Store, StoreError, StoreFailure};

/// A place where nothing is, cleared away at the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("wavefront-sdk-stores-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    fn open(&self) -> Directory {
        Directory::open(&self.0).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The file of a record.
fn file(directory: &Path, kind: Kind, key: u32) -> PathBuf {
    directory.join(format!("{kind}-{key:08x}.batch"))
}

/// What is in a directory but the lock, sorted.
fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "lock").collect();
    names.sort();
    names
}

/// A head whose lines are those of the seed `born`: so any record that is found can be judged.
fn head(kind: Kind, key: u32, bytes: u32, born: u64) -> Head {
    Head::new(kind, key, bytes.div_ceil(60), bytes, born)
}

fn put(store: &mut Directory, head: Head) -> Result<(), DirectoryError> {
    store.put(head, &lines(head, head.born))
}

/// Whether a record can be read and is what was put; `false` where it is said to be damaged.
fn is_whole(store: &mut Directory, head: Head) -> bool {
    let mut into = vec![0; head.bytes as usize];
    match store.read(head, &mut into) {
        Ok(()) => {
            assert!(into == lines(head, head.born), "{head:?} is read as something else");
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), StoreFailure::Damaged, "{error}");
            false
        }
    }
}

/// Every record, in the order in which it is found.
fn heads(store: &mut Directory) -> Vec<Head> {
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let mut from = 0;
        while let Some(head) = store.next(kind, from).unwrap() {
            found.push(head);
            from = head.key.checked_add(1).unwrap();
        }
    }
    found
}
