//! What can go wrong with a directory, and what to try.

use core::fmt;
use std::borrow::ToOwned;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::store::{StoreError, StoreFailure};

/// What went wrong with a [`Directory`](super::Directory).
#[derive(Debug)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Another process has the directory open, or this one has it open already.
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The file system, or the user's share of it, is full. It works again once there is room.
    Full {
        /// What was to be written.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A record is not there, or not what was put: it was renamed to `*.damaged`.
    Damaged {
        /// The record's file.
        path: PathBuf,
    },
    /// The operating system does not do what it is asked to.
    Io {
        /// What that is: `write`, `open`, …
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// This process is a fork of the one that opened the directory.
    Forked {
        /// The directory.
        path: PathBuf,
        /// The process that opened it.
        owner: u32,
    },
    /// The head that was given to `put` is not that of the lines: a fault of the program.
    Head,
}

impl DirectoryError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { path, source },
            _ => Self::Io { doing, path, source },
        }
    }
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { path } => {
                write!(f, "the directory {} is used by another process: give each its own directory", path.display())
            }
            Self::Full { path, source } => {
                write!(f, "no room for {}: {source}; make room there, or choose a directory elsewhere", path.display())
            }
            Self::Damaged { path } => {
                write!(f, "the record {} is damaged, or gone; what there is of it is kept as *.damaged", path.display())
            }
            Self::Io { doing, path, source } => {
                write!(f, "cannot {doing} {}: {source}; {}", path.display(), advice(source.kind()))
            }
            Self::Forked { path, owner } => write!(
                f,
                "the directory {} belongs to process {owner}, of which this one is a fork: open another one here",
                path.display()
            ),
            Self::Head => f.write_str("the head of the record does not describe its lines"),
        }
    }
}

/// What to try.
fn advice(failure: ErrorKind) -> &'static str {
    match failure {
        ErrorKind::PermissionDenied => "give the user of this process the right to, or choose another directory",
        ErrorKind::ReadOnlyFilesystem => "choose a directory on a file system that can be written",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::IsADirectory => {
            "something else stands there: move it away, or choose another directory"
        }
        ErrorKind::NotFound => "the directory was removed while it was open: make it again, and start again",
        ErrorKind::Unsupported => "choose a directory on a local file system",
        ErrorKind::InvalidInput | ErrorKind::InvalidFilename => "choose another name",
        _ => "check the disk it is on, or choose another directory",
    }
}

impl core::error::Error for DirectoryError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Full { source, .. } | Self::Io { source, .. } => Some(source),
            Self::InUse { .. } | Self::Damaged { .. } | Self::Forked { .. } | Self::Head => None,
        }
    }
}

impl StoreError for DirectoryError {
    fn kind(&self) -> StoreFailure {
        match self {
            Self::Full { .. } => StoreFailure::Full,
            Self::Damaged { .. } => StoreFailure::Damaged,
            Self::InUse { .. } | Self::Io { .. } | Self::Forked { .. } | Self::Head => StoreFailure::Unavailable,
        }
    }
}
