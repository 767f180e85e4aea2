//! Lines to the standard output.

use core::time::Duration;
use std::io::{self, ErrorKind, Write};
use std::thread;
use std::time::Instant;
use std::vec::Vec;

use super::file::{FileError, whole_lines, write_counted};
use super::{Accepted, Batch, Transport};

/// Lines to the standard output: for an agent that reads it, and to see what is sent.
///
/// - [`Accepted::Delivered`] means that the kernel has the lines: a pipe's reader may not have read them yet.
/// - A batch is written with the standard output locked: what others print with `println!` does not stand within it.
/// - Where nobody reads any more, or a file behind it has no room, it is an error and not a panic, and the batch waits:
///   [`Failure::Connect`](super::Failure::Connect). A line of which only a part was written is continued by the next
///   batch.
///
/// ```
/// use wavefront_sdk::{Kind, transport::{Batch, Stdout, Transport}};
/// Stdout::new().send(Batch::new(Kind::Metric, b"cpu.load 0.5 source=web-1\n", 1))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Stdout {
    part: Part,
}

/// A line whose beginning was written, and its end was not.
#[derive(Debug, Default)]
struct Part {
    written: Vec<u8>,
    rest: Vec<u8>,
}

impl Stdout {
    /// How long a reader may leave a pipe full that does not make us wait for it.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Lines to this process's standard output.
    pub const fn new() -> Self {
        Self { part: Part { written: Vec::new(), rest: Vec::new() } }
    }
}

impl Transport for Stdout {
    type Error = FileError;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, FileError> {
        let sent = with_stdout(|stdout| self.part.write(stdout, batch.bytes));
        let failed = |failure, lines| FileError::new("the standard output".into(), failure, lines);
        match sent {
            Ok(Ok(())) => Ok(Accepted::Delivered),
            Ok(Err((failure, lines))) => Err(failed(failure, lines)),
            Err(failure) => Err(failed(failure, 0)),
        }
    }
}

impl Part {
    /// Writes `bytes`, whole lines, behind what is left of a line before; how many lines were written whole comes with
    /// the failure.
    fn write(&mut self, to: &mut impl Write, bytes: &[u8]) -> Result<(), (io::Error, u32)> {
        // As a rule that line comes again. Otherwise it is ended first, and comes again later.
        let skipped = if bytes.starts_with(&self.written) { self.written.len() } else { 0 };
        if skipped == 0 && !self.rest.is_empty() {
            let (written, result) = write_counted(to, &self.rest);
            self.written.extend(self.rest.drain(..written));
            result.map_err(|failure| (failure, 0))?;
        }
        self.written.clear();
        self.rest.clear();
        let (written, result) = write_counted(to, bytes.get(skipped..).unwrap_or_default());
        result.map_err(|failure| {
            let (whole, lines) = whole_lines(bytes, skipped + written);
            self.written.extend_from_slice(bytes.get(whole..skipped + written).unwrap_or_default());
            let rest = bytes.get(skipped + written..).unwrap_or_default();
            if !self.written.is_empty() {
                self.rest.extend(rest.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default());
            }
            (failure, lines)
        })
    }
}

/// Calls `work` with the standard output as it is, without the buffer of the standard library, which would keep what
/// could not be written; and with its lock held.
#[cfg(unix)]
fn with_stdout<R>(work: impl FnOnce(&mut Patient<std::fs::File>) -> R) -> io::Result<R> {
    use std::os::fd::AsFd;

    let mut lock = io::stdout().lock();
    lock.flush()?;
    let own = lock.as_fd().try_clone_to_owned()?;
    let result = work(&mut Patient(own.into(), Instant::now()));
    drop(lock);
    Ok(result)
}

#[cfg(not(unix))]
fn with_stdout<R>(work: impl FnOnce(&mut Patient<io::StdoutLock<'static>>) -> R) -> io::Result<R> {
    let mut lock = Patient(io::stdout().lock(), Instant::now());
    let result = work(&mut lock);
    lock.0.flush()?;
    Ok(result)
}

/// Waits where the other end of a pipe that never blocks is slow.
struct Patient<W>(W, Instant);

impl<W: Write> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(failure) if failure.kind() == ErrorKind::WouldBlock && self.1.elapsed() < Stdout::PATIENCE => {
                    thread::sleep(Duration::from_millis(1));
                }
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes so many bytes, then fails once.
    struct Sometimes<'a> {
        taken: &'a mut Vec<u8>,
        room: usize,
    }

    impl Write for Sometimes<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let now = self.room.min(bytes.len());
            self.room -= now;
            self.taken.extend_from_slice(&bytes[..now]);
            if now == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(now) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn whatever_the_room_each_line_is_there_whole_and_once(rooms in prop::collection::vec(0..12_usize, 0..20)) {
            let lines = b"a 1\nbcd 22\ne\nffffff 333\n";
            let (mut taken, mut part, mut from) = (Vec::new(), Part::default(), 0);
            for room in rooms.into_iter().chain([99]) {
                let rest: Vec<&[u8]> = lines.split_inclusive(|&byte| byte == b'\n').skip(from).collect();
                match part.write(&mut Sometimes { taken: &mut taken, room }, &rest.concat()) {
                    Ok(()) => break,
                    Err((_, lines)) => from += lines as usize,
                }
            }
            prop_assert_eq!(taken, lines);
        }

        #[test]
        fn no_line_is_cut_where_other_lines_come_between(rooms in prop::collection::vec(0..12_usize, 0..20)) {
            let all: [&[u8]; 3] = [b"a 1\nbcd 22\n", b"e\n", b"ffffff 333\n"];
            let (mut taken, mut part) = (Vec::new(), Part::default());
            for (room, lines) in rooms.into_iter().zip(all.iter().cycle()) {
                let _ = part.write(&mut Sometimes { taken: &mut taken, room }, lines);
            }
            part.write(&mut Sometimes { taken: &mut taken, room: 99 }, b"end\n").unwrap();
            prop_assert!(taken.ends_with(b"\nend\n") || taken == b"end\n");
            let known = [&b"a 1"[..], b"bcd 22", b"e", b"ffffff 333", b"end", b""];
            prop_assert!(taken.split(|&byte| byte == b'\n').all(|line| known.contains(&line)), "{taken:?}");
        }
    }
}
