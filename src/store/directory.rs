//! A store in a directory: one file a record.

mod error;
mod record;

pub use error::DirectoryError;

use std::borrow::ToOwned;
use std::collections::BTreeMap;
use std::format;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::string::String;
use std::vec::Vec;

use self::record::{HEADER, Name, TRAILER};
use super::{Footprint, Head, Store};
use crate::Kind;

/// Keeps records in a directory of their own, one file each: `metric-80000001.batch` and so on.
///
/// A file is written aside, forced to the medium and renamed, so that a record is there whole or not at all. Both its
/// head and its lines are checksummed. A file that is damaged is renamed to `*.damaged` and stays for whoever wants to
/// look into it; nothing deletes it, and it does not count for the cap. Files of other names are left alone.
///
/// One process at a time: a second one, and a second [`open`](Self::open) in the same process, gets
/// [`DirectoryError::InUse`]. The lock goes with the process, however that ends. A child that was forked cannot use the
/// store of its parent (what waits there is the parent's to send); if the parent dies, the lock stays until the child
/// ends or runs another program.
///
/// What [`Store::remove`] removed is gone for every process at once. Whether it also stays gone when the power fails
/// before the next [`Store::put`], or before the store is dropped, is up to the file system (most write such a change
/// within 5 to 30 s): the record may be found once more, as *at least once* allows. That saves a third of the time of a
/// record that is put and removed.
///
/// On Unix the directory is made for its owner only (0700), as are the files (0600). Elsewhere the directory's own
/// entries cannot be forced to the medium: there a loss of power may undo the last `put`.
///
/// ```
/// use wavefront_sdk::{Kind, store::{Directory, Head, Store}};
/// # let path = std::env::temp_dir().join(format!("wavefront-sdk-doc-{}", std::process::id()));
/// let lines = b"\"a\" 1.0 source=\"s\"\n";
/// let mut store = Directory::open(&path)?;
/// store.put(Head::new(Kind::Metric, 7, 1, lines.len() as u32, 0), lines)?;
/// drop(store); // or the process is killed
///
/// let mut store = Directory::open(&path)?;
/// let head = store.next(Kind::Metric, 0)?.unwrap();
/// let mut read = vec![0; head.bytes as usize];
/// store.read(head, &mut read)?;
/// assert_eq!(read, lines);
/// store.remove(head.kind, head.key)?;
/// # drop(store);
/// # std::fs::remove_dir_all(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    records: [BTreeMap<u32, Entry>; Kind::COUNT],
    set_aside: usize,
    /// Whether something was removed that the medium may not have heard of.
    unsynced: bool,
    /// The directory itself, where its entries can be forced to the medium.
    entries: Option<File>,
    /// The process that opened it.
    owner: u32,
    /// Locked as long as the store is open.
    lock: File,
}

/// A [`Head`] without what it is found by.
#[derive(Debug, Clone, Copy)]
struct Entry {
    lines: u32,
    bytes: u32,
    born: u64,
}

impl Directory {
    /// Opens the store in the directory `path`, which is made if it is missing. A relative path is taken from the
    /// current directory of this moment.
    ///
    /// Reads the first bytes of every record, so it takes as long as their number says, not their size.
    ///
    /// # Errors
    /// - [`DirectoryError::InUse`]: another process has it open, or this one has.
    /// - [`DirectoryError::Full`], [`DirectoryError::Io`]: it cannot be made, written to or read, or there is a record
    ///   in it that this user may not read. Damaged files are no error.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DirectoryError> {
        let given = path.as_ref();
        let path = std::path::absolute(given).map_err(|error| DirectoryError::io("open", given, error))?;
        create(&path).map_err(|error| DirectoryError::io("make the directory", &path, error))?;
        let lock = lock(&path)?;
        let entries = entries(&path).map_err(|error| DirectoryError::io("open", &path, error))?;
        let mut store = Self {
            path,
            records: Default::default(),
            set_aside: 0,
            unsynced: false,
            entries,
            owner: process::id(),
            lock,
        };
        store.look_through()?;
        Ok(store)
    }

    /// Where it is: an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Finds the records, deletes what was never finished, and sets aside what is damaged.
    fn look_through(&mut self) -> Result<(), DirectoryError> {
        let reading = |error| DirectoryError::io("read", &self.path, error);
        let mut damaged = Vec::new();
        let mut unfinished = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(reading)? {
            let entry = entry.map_err(reading)?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            match Name::parse(name) {
                Some(Name::Record(kind, key)) => {
                    let path = entry.path();
                    let found = look_at(&path).map_err(|error| DirectoryError::io("open", &path, error))?;
                    match found {
                        Found::Record(head) if (head.kind, head.key) == (kind, key) => {
                            index(&mut self.records, &head);
                        }
                        Found::Record(_) | Found::Damaged => damaged.push(name.to_owned()),
                        Found::Nothing => {}
                    }
                }
                Some(Name::Unfinished) => unfinished.push(name.to_owned()),
                None => {}
            }
        }
        for name in damaged {
            self.set_aside += 1;
            self.put_aside(&name);
        }
        for name in unfinished {
            // It was never said to be there. What cannot be deleted is no file: it must not block the name.
            if fs::remove_file(self.path.join(&name)).is_err() {
                self.put_aside(&name);
            }
        }
        Ok(())
    }

    /// Renames what stands under `name`, so that nothing takes it for a record again. What cannot be renamed stays: it
    /// is not in the index, and looked at again by the next `open`.
    fn put_aside(&mut self, name: &str) {
        let from = self.path.join(name);
        let names = (1..1000).map(|n| if n == 1 { String::new() } else { format!(".{n}") });
        let mut places = names.map(|n| self.path.join(format!("{name}{n}.damaged")));
        // Nobody else is here, as the directory is locked.
        if let Some(place) = places.find(|place| is_free(place)) {
            self.unsynced |= fs::rename(from, place).is_ok();
        }
    }

    /// Only the process that opened it may use it.
    fn own(&self) -> Result<(), DirectoryError> {
        if self.owner == process::id() {
            return Ok(());
        }
        Err(DirectoryError::Forked { path: self.path.clone(), owner: self.owner })
    }

    /// Makes the names in the directory durable.
    fn sync(&mut self) -> io::Result<()> {
        if let Some(entries) = &self.entries {
            entries.sync_all()?;
        }
        self.unsynced = false;
        Ok(())
    }

    fn records(&mut self, kind: Kind) -> &mut BTreeMap<u32, Entry> {
        &mut self.records[kind.index()]
    }

    fn has(&self, head: &Head) -> bool {
        let entry = self.records[head.kind.index()].get(&head.key);
        entry.is_some_and(|entry| entry.head(head.kind, head.key) == *head)
    }
}

impl Entry {
    const fn head(self, kind: Kind, key: u32) -> Head {
        Head::new(kind, key, self.lines, self.bytes, self.born)
    }
}

impl Store for Directory {
    type Error = DirectoryError;

    fn put(&mut self, head: Head, lines: &[u8]) -> Result<(), DirectoryError> {
        self.own()?;
        if !head.describes(lines) {
            return Err(DirectoryError::Head);
        }
        let name = record::file_name(head.kind, head.key);
        let place = self.path.join(&name);
        let aside = self.path.join(name + ".tmp");
        let written = write(&aside, &head, lines).and_then(|()| fs::rename(&aside, &place));
        if let Err(error) = written {
            let _ = fs::remove_file(&aside);
            return Err(DirectoryError::io("write", &place, error));
        }
        let replaced = self.records(head.kind).contains_key(&head.key);
        if let Err(error) = self.sync() {
            // It is there, and nobody knows for how long. The caller keeps its lines, so they should not be here too.
            if replaced || fs::remove_file(&place).is_err() {
                index(&mut self.records, &head);
            }
            return Err(DirectoryError::io("write", &self.path, error));
        }
        index(&mut self.records, &head);
        Ok(())
    }

    fn next(&mut self, kind: Kind, from: u32) -> Result<Option<Head>, DirectoryError> {
        self.own()?;
        Ok(self.records(kind).range(from..).next().map(|(&key, entry)| entry.head(kind, key)))
    }

    fn read(&mut self, head: Head, into: &mut [u8]) -> Result<(), DirectoryError> {
        self.own()?;
        let name = record::file_name(head.kind, head.key);
        let path = self.path.join(&name);
        if !self.has(&head) || head.bytes as usize != into.len() {
            return Err(DirectoryError::Damaged { path });
        }
        match read(&path, &head, into) {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.records(head.kind).remove(&head.key);
                self.put_aside(&name);
                Err(DirectoryError::Damaged { path })
            }
            Err(error) => Err(DirectoryError::io("open", &path, error)),
        }
    }

    fn remove(&mut self, kind: Kind, key: u32) -> Result<(), DirectoryError> {
        self.own()?;
        self.records(kind).remove(&key);
        let name = record::file_name(kind, key);
        let path = self.path.join(&name);
        match fs::remove_file(&path) {
            Ok(()) => self.unsynced = true,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            // Not a file of ours, but in the place of one.
            Err(_) if path.is_dir() => self.put_aside(&name),
            Err(error) => return Err(DirectoryError::io("remove", &path, error)),
        }
        Ok(())
    }

    /// The file's length, up to whole blocks of 4 KiB.
    fn footprint(&self) -> Footprint {
        Footprint { overhead: record::file_len(0) as u32, block: 4096 }
    }

    fn set_aside(&self) -> usize {
        self.set_aside
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A fork must neither unlock what its parent holds nor speak for it.
        if self.own().is_ok() {
            if self.unsynced {
                // If it fails, what was removed may be found once more.
                let _ = self.sync();
            }
            // Not by closing the file alone: a process that is just being started may have it open still.
            let _ = self.lock.unlock();
        }
    }
}

fn index(records: &mut [BTreeMap<u32, Entry>; Kind::COUNT], head: &Head) {
    let Head { kind, key, lines, bytes, born } = *head;
    records[kind.index()].insert(key, Entry { lines, bytes, born });
}

fn is_free(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Makes a directory and those above it, so that they are there after a crash too.
fn create(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create(parent)?;
    }
    #[cfg_attr(not(unix), allow(unused_mut))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        // Somebody else was faster.
        Err(_) if path.is_dir() => return Ok(()),
        made => made?,
    }
    // One that may be written and not be read cannot be opened either.
    match path.parent().map(entries) {
        Some(Ok(Some(parent))) => parent.sync_all(),
        _ => Ok(()),
    }
}

/// The directory as a file, to force its entries to the medium.
#[cfg(unix)]
fn entries(path: &Path) -> io::Result<Option<File>> {
    File::open(path).map(Some)
}

#[cfg(not(unix))]
fn entries(_: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

/// For writing, and for its owner only.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn lock(directory: &Path) -> Result<File, DirectoryError> {
    let path = directory.join("lock");
    let failed = |error| DirectoryError::io("lock", &path, error);
    let file = match options().create_new(true).open(&path) {
        // A link would lead elsewhere, a pipe would wait for ever.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if !fs::symlink_metadata(&path).map_err(failed)?.is_file() {
                return Err(failed(error));
            }
            options().open(&path)
        }
        made => made,
    }
    .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DirectoryError::InUse { path: directory.into() }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// What stands under the name of a record.
enum Found {
    Record(Head),
    Damaged,
    Nothing,
}

/// An error is one of this moment, or of rights, and says nothing of the record.
fn look_at(path: &Path) -> io::Result<Found> {
    let Some((mut file, len)) = open(path)? else {
        return Ok(if is_free(path) { Found::Nothing } else { Found::Damaged });
    };
    let mut header = [0; HEADER];
    let head = file.read_exact(&mut header).ok().and_then(|()| record::parse_header(&header));
    Ok(match head {
        Some(head) if record::file_len(head.bytes) == len => Found::Record(head),
        _ => Found::Damaged,
    })
}

/// A file and its length; `None` if there is none, or something that is no file: to open a pipe would wait for ever.
fn open(path: &Path) -> io::Result<Option<(File, u64)>> {
    let opened =
        fs::symlink_metadata(path).and_then(|metadata| metadata.is_file().then(|| File::open(path)).transpose());
    match opened {
        Ok(Some(file)) => {
            let len = file.metadata()?.len();
            Ok(Some((file, len)))
        }
        Ok(None) => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a record to a file of its own and forces it to the medium.
fn write(path: &Path, head: &Head, lines: &[u8]) -> io::Result<()> {
    let create = || options().create_new(true).open(path);
    let mut file = match create() {
        // Left there by a `put` that failed, and whose file could not be deleted then.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => fs::remove_file(path).and_then(|()| create()),
        made => made,
    }?;
    let header = record::header(head);
    file.write_all(&header)?;
    file.write_all(lines)?;
    file.write_all(&record::trailer(&header, lines))?;
    file.sync_all()
}

/// Whether the lines of `head` could be read. An error is one of this moment, or of rights.
fn read(path: &Path, head: &Head, into: &mut [u8]) -> io::Result<bool> {
    let Some((mut file, len)) = open(path)? else { return Ok(false) };
    let (mut header, mut trailer) = ([0; HEADER], [0; TRAILER]);
    let read =
        file.read_exact(&mut header).and_then(|()| file.read_exact(into)).and_then(|()| file.read_exact(&mut trailer));
    let same = || header == record::header(head) && trailer == record::trailer(&header, into);
    Ok(len == record::file_len(head.bytes) && read.is_ok() && same())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use core::sync::atomic::{AtomicU32, Ordering};
    use std::string::ToString;
    use std::vec;

    use super::*;
    use crate::store::{StoreError, StoreFailure};

    /// A place where nothing is, cleared away at the end.
    struct Place(PathBuf);

    impl Place {
        fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let name = format!("wavefront-sdk-directory-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            Self(std::env::temp_dir().join(name))
        }

        /// What is in it, but the lock.
        fn names(&self) -> Vec<String> {
            let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.filter(|name| name != "lock").collect();
            names.sort();
            names
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const LINES: &[u8] = b"\"a\" 1.0 source=\"s\"\n";

    fn head(kind: Kind, key: u32) -> Head {
        Head::new(kind, key, 1, LINES.len() as u32, 5)
    }

    fn read(store: &mut Directory, head: Head) -> Result<Vec<u8>, DirectoryError> {
        let mut lines = vec![0; head.bytes as usize];
        store.read(head, &mut lines).map(|()| lines)
    }

    #[test]
    fn a_record_is_a_file_that_outlives_the_store() {
        let place = Place::new();
        let mut store = Directory::open(&place.0).unwrap();
        for key in [2, 1] {
            store.put(head(Kind::Metric, key), LINES).unwrap();
        }
        assert_eq!(place.names(), ["metric-00000001.batch", "metric-00000002.batch"]);
        drop(store);
        let mut store = Directory::open(&place.0).unwrap();
        assert_eq!(store.next(Kind::Metric, 0).unwrap(), Some(head(Kind::Metric, 1)));
        assert_eq!(store.next(Kind::Metric, 2).unwrap(), Some(head(Kind::Metric, 2)));
        assert_eq!(store.next(Kind::Metric, 3).unwrap(), None);
        assert_eq!(store.next(Kind::Delta, 0).unwrap(), None);
        assert_eq!(read(&mut store, head(Kind::Metric, 2)).unwrap(), LINES);
        store.remove(Kind::Metric, 1).unwrap();
        store.remove(Kind::Metric, 1).unwrap();
        assert_eq!(place.names(), ["metric-00000002.batch"]);
        assert_eq!(
            (store.footprint().of(1), store.footprint().of(4060), store.footprint().of(4061)),
            (4096, 4096, 8192)
        );
    }

    #[test]
    fn one_at_a_time() {
        let place = Place::new();
        let store = Directory::open(&place.0).unwrap();
        let error = Directory::open(&place.0).unwrap_err();
        assert!(matches!(error, DirectoryError::InUse { .. }));
        let text = error.to_string();
        assert!(text.contains(place.0.to_str().unwrap()) && text.contains("give each its own directory"), "{text}");
        drop(store);
        Directory::open(&place.0).unwrap();
    }

    #[test]
    fn a_fork_can_do_nothing() {
        let place = Place::new();
        let mut store = Directory::open(&place.0).unwrap();
        store.put(head(Kind::Metric, 1), LINES).unwrap();
        store.owner += 1;
        let forked = |error: DirectoryError| {
            assert!(matches!(error, DirectoryError::Forked { .. }), "{error}");
        };
        forked(store.put(head(Kind::Metric, 2), LINES).unwrap_err());
        forked(store.next(Kind::Metric, 0).unwrap_err());
        forked(store.read(head(Kind::Metric, 1), &mut [0; LINES.len()]).unwrap_err());
        forked(store.remove(Kind::Metric, 1).unwrap_err());
        drop(store);
        assert_eq!(place.names(), ["metric-00000001.batch"]);
    }

    #[test]
    fn what_was_never_finished_goes_and_what_is_foreign_stays() {
        let place = Place::new();
        drop(Directory::open(&place.0).unwrap());
        let whole = [&record::header(&head(Kind::Metric, 1))[..], LINES].concat();
        fs::write(place.0.join("metric-00000001.batch.tmp"), whole).unwrap();
        fs::create_dir(place.0.join("metric-00000002.batch.tmp")).unwrap();
        for foreign in ["notes.tmp", "metric.batch", "README", "metric-00000009.batch.damaged"] {
            fs::write(place.0.join(foreign), "mine").unwrap();
        }
        let mut store = Directory::open(&place.0).unwrap();
        assert_eq!((store.next(Kind::Metric, 0).unwrap(), store.set_aside()), (None, 0));
        let left = [
            "README",
            "metric-00000002.batch.tmp.damaged",
            "metric-00000009.batch.damaged",
            "metric.batch",
            "notes.tmp",
        ];
        assert_eq!(place.names(), left);
        store.put(head(Kind::Metric, 2), LINES).unwrap();
        assert_eq!(read(&mut store, head(Kind::Metric, 2)).unwrap(), LINES);
    }

    #[test]
    fn what_was_set_aside_is_never_overwritten() {
        let place = Place::new();
        let mut names = vec![];
        for round in 1..=3 {
            fs::create_dir_all(&place.0).unwrap();
            fs::write(place.0.join("delta-00000001.batch"), [round]).unwrap();
            let store = Directory::open(&place.0).unwrap();
            assert_eq!(store.set_aside(), 1);
            names.push(if round == 1 {
                "delta-00000001.batch.damaged".into()
            } else {
                format!("delta-00000001.batch.{round}.damaged")
            });
        }
        let mut sorted = names.clone();
        sorted.sort();
        assert_eq!(place.names(), sorted);
        for (name, round) in names.iter().zip(1..) {
            assert_eq!(fs::read(place.0.join(name)).unwrap(), [round]);
        }
    }

    #[test]
    fn an_unfinished_file_in_the_way_is_replaced() {
        let place = Place::new();
        let mut store = Directory::open(&place.0).unwrap();
        fs::write(place.0.join("event-00000001.batch.tmp"), [b'x'; 9000]).unwrap();
        store.put(head(Kind::Event, 1), LINES).unwrap();
        assert_eq!(read(&mut store, head(Kind::Event, 1)).unwrap(), LINES);
        assert_eq!(place.names(), ["event-00000001.batch"]);
    }

    #[test]
    fn a_head_of_other_lines_is_refused() {
        let place = Place::new();
        let mut store = Directory::open(&place.0).unwrap();
        let good = head(Kind::Span, 1);
        for bad in [Head { key: 0, ..good }, Head { lines: 0, ..good }, Head { bytes: good.bytes + 1, ..good }] {
            let error = store.put(bad, LINES).unwrap_err();
            assert_eq!((error.kind(), place.names().len()), (StoreFailure::Unavailable, 0));
        }
        assert!(store.put(Head { bytes: 0, ..good }, b"").is_err());
        // Nor is anything read by a head that is not the record's.
        store.put(good, LINES).unwrap();
        for other in [Head { born: 6, ..good }, Head { key: 2, ..good }, Head { bytes: good.bytes - 1, ..good }] {
            assert_eq!(read(&mut store, other).unwrap_err().kind(), StoreFailure::Damaged);
        }
        assert_eq!(store.read(good, &mut []).unwrap_err().kind(), StoreFailure::Damaged);
        assert_eq!(read(&mut store, good).unwrap(), LINES);
    }

    #[test]
    fn something_else_in_its_place_is_said() {
        let place = Place::new();
        fs::write(&place.0, "a file").unwrap();
        for path in [place.0.clone(), place.0.join("below"), PathBuf::new()] {
            let error = Directory::open(&path).unwrap_err();
            assert_eq!(error.kind(), StoreFailure::Unavailable);
            assert!(core::error::Error::source(&error).is_some(), "{error}");
        }
        assert_eq!(fs::read(&place.0).unwrap(), b"a file");
        fs::remove_file(&place.0).unwrap();
        fs::create_dir_all(place.0.join("lock")).unwrap();
        let text = Directory::open(&place.0).unwrap_err().to_string();
        assert!(text.contains("something else stands there"), "{text}");
    }

    #[test]
    fn a_full_disk_is_told_apart() {
        let error = |kind: ErrorKind| DirectoryError::io("write", Path::new("p"), kind.into());
        assert_eq!(error(ErrorKind::StorageFull).kind(), StoreFailure::Full);
        assert_eq!(error(ErrorKind::QuotaExceeded).kind(), StoreFailure::Full);
        assert_eq!(error(ErrorKind::ReadOnlyFilesystem).kind(), StoreFailure::Unavailable);
        let denied = error(ErrorKind::PermissionDenied);
        assert_eq!(
            denied.to_string(),
            "cannot write p: permission denied; give the user of this process the right to, or choose another directory"
        );
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let place = Place::new();
        let mut store = Directory::open(place.0.join("a/b")).unwrap();
        store.put(head(Kind::Metric, 1), LINES).unwrap();
        let mode = |path: &str| fs::metadata(place.0.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(""), mode("a"), mode("a/b")), (0o700, 0o700, 0o700));
        assert_eq!((mode("a/b/lock"), mode("a/b/metric-00000001.batch")), (0o600, 0o600));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_leads_nowhere() {
        let place = Place::new();
        let outside = Place::new();
        let mut store = Directory::open(&place.0).unwrap();
        store.put(head(Kind::Metric, 1), LINES).unwrap();
        fs::rename(place.0.join("metric-00000001.batch"), &outside.0).unwrap();
        let link = |name: &str| std::os::unix::fs::symlink(&outside.0, place.0.join(name)).unwrap();
        link("metric-00000001.batch");
        link("metric-00000002.batch");
        link("metric-00000003.batch.tmp");
        // What a link leads to is neither read nor written.
        assert_eq!(read(&mut store, head(Kind::Metric, 1)).unwrap_err().kind(), StoreFailure::Damaged);
        store.put(head(Kind::Metric, 3), LINES).unwrap();
        store.put(head(Kind::Metric, 2), LINES).unwrap();
        let record = fs::read(&outside.0).unwrap();
        link("metric-00000004.batch");
        link("metric-00000005.batch.tmp");
        drop(store);
        let store = Directory::open(&place.0).unwrap();
        assert_eq!(store.set_aside(), 1);
        assert_eq!(fs::read(&outside.0).unwrap(), record);
        drop(store);
        fs::remove_file(place.0.join("lock")).unwrap();
        link("lock");
        assert_eq!(Directory::open(&place.0).unwrap_err().kind(), StoreFailure::Unavailable);
        assert_eq!(fs::read(&outside.0).unwrap(), record);
        fs::remove_file(&outside.0).unwrap();
    }
}
