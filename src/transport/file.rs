//! Lines to a file.

use core::fmt;
use core::time::Duration;
use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::thread;
use std::time::Instant;
use std::vec::Vec;

use super::{Accepted, Batch, Failure, Transport, TransportError};

/// Lines at the end of a file, which is made if it is not there.
///
/// - A batch is appended whole. Where the disk is full the lines that fit stay and count as delivered, the part of a
///   line behind them is taken back, and the rest is tried again: a file never ends in half a line. Of one that does,
///   because a program or the machine was stopped in the middle, the half is cut off before the next batch.
/// - [`Accepted::Delivered`] means that the kernel has the lines: they outlive the program, not a loss of power. With
///   [`sync`](Self::sync) they are on the disk by then. [`finish`](Transport::finish) sees to that in any case.
/// - The file is opened for each batch, so one that is moved away by log rotation is followed by a new one, and a
///   folder that comes back is used. It is locked meanwhile (`flock`): several programs may append to one file.
/// - A regular file or a character device. For a named pipe there would be nobody to say that its reader has gone.
///
/// Every failure is [`Failure::Connect`]: nothing is in doubt, and the batch waits.
///
/// ```
/// use wavefront_sdk::{Kind, transport::{Batch, File, Transport}};
/// # let path = std::env::temp_dir().join(format!("wavefront-doc-file-{}", std::process::id()));
/// let mut file = File::new(&path).sync(true);
/// file.send(Batch::new(Kind::Metric, b"cpu.load 0.5 source=web-1\n", 1))?;
/// assert_eq!(std::fs::read_to_string(&path)?, "cpu.load 0.5 source=web-1\n");
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct File {
    path: PathBuf,
    sync: bool,
    /// Whether something was written that may not be on the disk.
    unsynced: bool,
}

impl File {
    /// The longest line whose half is cut off from a file's end: longer than any that a receiver takes.
    const LONGEST: u64 = 4 << 20;
    /// How long another program may keep the file locked.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// Lines to the file at `path`. Nothing is opened yet, and nothing need be there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), sync: false, unsynced: false }
    }

    /// Whether each batch is on the disk (`fdatasync`) before it counts as delivered. It costs some ms each.
    #[must_use]
    pub const fn sync(mut self, sync: bool) -> Self {
        self.sync = sync;
        self
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn error(&self, source: io::Error, lines_done: u32) -> FileError {
        FileError { place: self.path.display().to_string(), source, lines_done }
    }

    /// The file, locked, and how long it is if it is a regular one: then it ends with a whole line.
    fn open(&self) -> io::Result<(fs::File, Option<u64>)> {
        // A pipe would make the opening wait for its reader.
        match fs::metadata(&self.path) {
            Ok(there) if !there.is_file() && !is_device(&there) => {
                return Err(io::Error::new(ErrorKind::InvalidInput, "neither a file nor a device"));
            }
            _ => {}
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&self.path)?;
        if !file.metadata()?.is_file() {
            return Ok((file, None));
        }
        lock(&file)?;
        let len = file.metadata()?.len();
        let whole = end_of_lines(&mut file, len)?;
        if whole < len {
            file.set_len(whole)?;
        }
        Ok((file, Some(whole)))
    }

    fn append(&self, bytes: &[u8]) -> Result<(), FileError> {
        let (mut file, before) = self.open().map_err(|failure| self.error(failure, 0))?;
        let (written, result) = write_counted(&mut file, bytes);
        let Err(failure) = result else {
            let synced = if self.sync { synced(&file) } else { Ok(()) };
            return synced.map_err(|failure| {
                // They come again: those that are there already are taken back.
                let _ = before.map(|before| file.set_len(before));
                self.error(failure, 0)
            });
        };
        let (whole, lines) = whole_lines(bytes, written);
        if let Some(before) = before {
            // Where this fails, the next batch finds half a line and cuts it off.
            let _ = file.set_len(before + whole as u64);
        }
        Err(self.error(failure, lines))
    }
}

impl Transport for File {
    type Error = FileError;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, FileError> {
        self.unsynced |= !self.sync;
        self.append(batch.bytes).map(|()| Accepted::Delivered)
    }

    /// Sees to it that everything is on the disk.
    fn finish(&mut self, _: Duration) -> Result<(), FileError> {
        if self.unsynced {
            let synced = OpenOptions::new().append(true).open(&self.path).and_then(|file| synced(&file));
            synced.map_err(|failure| self.error(failure, 0))?;
            self.unsynced = false;
        }
        Ok(())
    }
}

/// What a device cannot do, it need not.
fn synced(file: &fs::File) -> io::Result<()> {
    match file.sync_data() {
        Err(failure) if matches!(failure.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        other => other,
    }
}

#[cfg(unix)]
fn is_device(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    metadata.file_type().is_char_device()
}

#[cfg(not(unix))]
const fn is_device(_: &fs::Metadata) -> bool {
    false
}

/// A lock that ends with the file; none where the file system knows of none.
fn lock(file: &fs::File) -> io::Result<()> {
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if started.elapsed() < File::PATIENCE => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(ErrorKind::ResourceBusy, "another program keeps it locked"));
            }
            Err(TryLockError::Error(failure)) if failure.kind() == ErrorKind::Unsupported => return Ok(()),
            Err(TryLockError::Error(failure)) => return Err(failure),
        }
    }
}

/// Where the last whole line of a file of `len` bytes ends.
fn end_of_lines(file: &mut fs::File, len: u64) -> io::Result<u64> {
    if len == 0 {
        return Ok(0);
    }
    let mut reach = 1;
    loop {
        let from = len.saturating_sub(reach);
        file.seek(SeekFrom::Start(from))?;
        let mut tail = Vec::new();
        file.take(len - from).read_to_end(&mut tail)?;
        if let Some(end) = tail.iter().rposition(|&byte| byte == b'\n') {
            return Ok(from + end as u64 + 1);
        }
        if from == 0 || reach > File::LONGEST {
            return Err(io::Error::new(ErrorKind::InvalidData, "it holds something else than lines"));
        }
        reach *= 64;
    }
}

/// Writes all of `bytes`; how many were written comes with the failure.
pub(super) fn write_counted(to: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        match to.write(rest) {
            Ok(0) => return (done, Err(ErrorKind::WriteZero.into())),
            Ok(written) => done += written,
            Err(failure) if failure.kind() == ErrorKind::Interrupted => {}
            Err(failure) => return (done, Err(failure)),
        }
    }
    (done, Ok(()))
}

/// How many bytes and lines of the first `written` bytes are whole lines.
pub(super) fn whole_lines(bytes: &[u8], written: usize) -> (usize, u32) {
    let written = bytes.get(..written).unwrap_or(bytes);
    let ends = || written.iter().enumerate().filter(|&(_, &byte)| byte == b'\n');
    (ends().next_back().map_or(0, |(end, _)| end + 1), u32::try_from(ends().count()).unwrap_or(u32::MAX))
}

/// What kept lines from being written to a [`File`] or to the standard output. It names the place, and nothing of the
/// lines.
#[derive(Debug)]
#[non_exhaustive]
pub struct FileError {
    place: String,
    source: io::Error,
    lines_done: u32,
}

impl FileError {
    pub(super) const fn new(place: String, source: io::Error, lines_done: u32) -> Self {
        Self { place, source, lines_done }
    }

    /// What the system said.
    pub const fn io(&self) -> &io::Error {
        &self.source
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, source, .. } = self;
        let advice = match source.kind() {
            ErrorKind::NotFound => ": make the folder",
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ": check who may write there",
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ": make room",
            ErrorKind::BrokenPipe => ": nobody reads it any more",
            _ => "",
        };
        write!(f, "{place}: lines cannot be written ({source}){advice}")
    }
}

impl core::error::Error for FileError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl TransportError for FileError {
    fn kind(&self) -> Failure {
        Failure::Connect
    }

    fn lines_done(&self) -> u32 {
        self.lines_done
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_counted() {
        for (written, expected) in [(0, (0, 0)), (1, (0, 0)), (2, (2, 1)), (3, (2, 1)), (5, (5, 2)), (9, (5, 2))] {
            assert_eq!(whole_lines(b"a\nbc\n", written), expected, "{written}");
        }
    }

    #[test]
    fn a_failure_says_how_far_it_came() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let room = self.0.min(bytes.len()).min(2);
                self.0 -= room;
                if room == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(room) }
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (written, result) = write_counted(&mut Full(5), b"abcdefg");
        assert_eq!((written, result.unwrap_err().kind()), (5, ErrorKind::StorageFull));
        let (written, result) = write_counted(&mut Full(7), b"abcdefg");
        assert_eq!((written, result.is_ok()), (7, true));
    }
}
