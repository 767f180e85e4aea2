//! The file that accepted lines are written to: whole lines, nothing buffered in the process.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::vec::Vec;

/// Pieces are gathered to writes of about this size; a larger piece is written from where it lies.
const GATHER: usize = 256 * 1024;

/// Accepted bytes of a chunk: `start..end` of it, then a LF where the chunk has none there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    start: usize,
    end: usize,
    lf: bool,
}

/// Which bytes of a chunk were accepted, neighbours joined.
#[derive(Debug, Default)]
pub(super) struct Pieces(Vec<Piece>);

impl Pieces {
    /// Adds the line at `start..end`, LF and CR not counted. `bare`: nothing but one LF follows it in the chunk.
    pub(super) fn push(&mut self, start: usize, end: usize, bare: bool) {
        let piece = Piece { start, end: if bare { end + 1 } else { end }, lf: !bare };
        match self.0.last_mut() {
            Some(last) if !last.lf && last.end == start => {
                last.end = piece.end;
                last.lf = piece.lf;
            }
            _ => self.0.push(piece),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The file, shared by all connections; one of them writes at a time.
#[derive(Debug)]
pub(super) struct Out {
    file: Mutex<File>,
    /// Whether a failed write can be taken back.
    regular: bool,
}

impl Out {
    /// Creates or empties `path`.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        // Appending, so that somebody who empties the file while it is written gets no hole.
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let regular = file.metadata()?.is_file();
        if regular {
            file.set_len(0)?;
        }
        Ok(Self { file: Mutex::new(file), regular })
    }

    /// Writes the accepted `pieces` of `chunk`: all of them, or, in a regular file, nothing.
    pub(super) fn write(&self, chunk: &[u8], pieces: &Pieces) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut written = 0;
        let result = write_pieces(&mut file, chunk, &pieces.0, &mut written);
        if result.is_err() && self.regular && written > 0 {
            // A full disk took a part of it: whole lines only.
            let length = file.metadata()?.len();
            file.set_len(length.saturating_sub(written))?;
        }
        result
    }
}

fn write_pieces(file: &mut File, chunk: &[u8], pieces: &[Piece], written: &mut u64) -> io::Result<()> {
    if let [Piece { start, end, lf: false }] = pieces {
        return write_all(file, chunk.get(*start..*end).unwrap_or_default(), written);
    }
    let mut gathered = Vec::new();
    for piece in pieces {
        let bytes = chunk.get(piece.start..piece.end).unwrap_or_default();
        if gathered.len() + bytes.len() > GATHER {
            write_all(file, &gathered, written)?;
            gathered.clear();
        }
        if bytes.len() > GATHER {
            write_all(file, bytes, written)?;
        } else {
            gathered.extend_from_slice(bytes);
        }
        if piece.lf {
            gathered.push(b'\n');
        }
    }
    write_all(file, &gathered, written)
}

/// `Write::write_all` that says how far it came.
fn write_all(file: &mut File, mut bytes: &[u8], written: &mut u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                *written += n as u64;
                bytes = bytes.get(n..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::{env, format, fs, process};

    #[test]
    fn pieces_are_joined_and_each_line_ends_in_one_lf() {
        let path = env::temp_dir().join(format!("wavefront-out-{}", process::id()));
        fs::write(&path, "from before").unwrap();
        let out = Out::create(&path).unwrap();
        let chunk = b"one\ntwo\nbad\nthree\r\nfour";
        let mut pieces = Pieces::default();
        pieces.push(0, 3, true);
        pieces.push(4, 7, true);
        assert_eq!(pieces.0.len(), 1);
        pieces.push(12, 17, false);
        pieces.push(19, 23, false);
        out.write(chunk, &pieces).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\nfour\n");
        fs::remove_file(&path).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error() {
        let out = Out::create(Path::new("/dev/full")).unwrap();
        let mut pieces = Pieces::default();
        pieces.push(0, 3, true);
        assert!(out.write(b"one\n", &pieces).is_err());
    }
}
