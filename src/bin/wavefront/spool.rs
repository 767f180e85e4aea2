//! What becomes of lines that cannot leave: the options of every command that sends, checked and put into effect.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::path::PathBuf;

use wavefront_sdk::delivery::{Keep, Mode, Replay};
use wavefront_sdk::sender::{Endpoint, Form, Incident, SenderBuilder, Trouble};
use wavefront_sdk::store::{Directory, DirectoryError, Store, StoreFailure};
use wavefront_sdk::{Kind, Overflow};

use crate::feed::say;
use crate::shown::{grouped, printable};
use crate::{duration, size};

/// A batch has to fit.
const LEAST_BYTES: u64 = 256 << 10;

/// The exit status that says: nothing is lost, and not everything has arrived.
pub(crate) const WAITING: u8 = 3;

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "When lines cannot leave")]
pub(crate) struct Options {
    /// Keep what cannot be sent in this directory, beyond the end of the command too: the next one with the same
    /// directory delivers it. One command at a time can use it.
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,

    /// What goes into the spool. [default: overflow]
    #[arg(long, value_name = "MODE")]
    spool_mode: Option<When>,

    /// The most that the spool takes of the disk, such as 500MB or 64MiB; 256KiB at least. [default: 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    spool_bytes: Option<u64>,

    /// Lines that were in the spool for longer are dropped. [default: 7d]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    spool_age: Option<Duration>,

    /// What happens to lines when memory is full, and the spool, if there is one: drop-newest, drop-oldest, block (wait
    /// for room), block=5s (wait for so long), or store (wait for a spool that works, for 10s at most). [default: send
    /// blocks, host drops the oldest]
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    overflow: Option<Overflow>,

    /// For tcp:// and unix: only: what is sent again after a connection broke, of what its other end may have read or
    /// not. [default: idempotent]
    #[arg(long, value_name = "WHICH")]
    replay: Option<Again>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum When {
    /// What cannot be sent, or does not fit in memory
    Overflow,
    /// Everything, before it is sent: it outlives a crash too
    Always,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Again {
    /// All of it: delta counters and histograms may count twice
    All,
    /// What a repeat does not falsify: no delta counters, no histograms
    Idempotent,
    /// Only what was not acknowledged: what may have been read is left in doubt
    Unacknowledged,
}

fn bytes(text: &str) -> Result<u64, String> {
    match size::parse(text)? {
        LEAST_BYTES.. => size::parse(text),
        _ => Err("this has to be 256KiB at least".into()),
    }
}

fn policy(text: &str) -> Result<Overflow, String> {
    Ok(match text {
        "drop-newest" => Overflow::DropNewest,
        "drop-oldest" => Overflow::DropOldest,
        "store" => Overflow::Store,
        "block" => Overflow::Block(Duration::MAX),
        _ => match text.strip_prefix("block=") {
            Some(longest) => Overflow::Block(duration::parse(longest)?),
            None => return Err("write drop-newest, drop-oldest, block, block=5s or store".into()),
        },
    })
}

/// Options that go together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    spool: Option<(PathBuf, Keep)>,
    pub(crate) overflow: Option<Overflow>,
    replay: Option<Replay>,
}

/// A spool in use.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    /// Where it is, as it can be shown.
    pub(crate) place: String,
    /// Lines that an earlier run left in it.
    pub(crate) found: usize,
}

impl Spool {
    /// What to say of `lines` lines that stay in it.
    pub(crate) fn waiting(&self, lines: u64) -> String {
        let place = &self.place;
        match lines {
            1 => format!("1 line waits in {place}: the next run with --spool {place} sends it"),
            _ => format!("{} lines wait in {place}: the next run with --spool {place} sends them", grouped(lines)),
        }
    }

    /// What to say of `lines` lines that were in it.
    pub(crate) fn recovered(&self, lines: u64) -> String {
        let (lines, s) = (grouped(lines), if lines == 1 { "" } else { "s" });
        format!("{lines} line{s} of an earlier run found in {}", self.place)
    }
}

impl Options {
    /// Checks what the options mean together.
    pub(crate) fn check(self) -> Result<Choice, String> {
        let Self { spool, spool_mode, spool_bytes, spool_age, overflow, replay } = self;
        if spool.is_none() {
            let given = [
                ("--spool-mode", spool_mode.is_some()),
                ("--spool-bytes", spool_bytes.is_some()),
                ("--spool-age", spool_age.is_some()),
            ];
            if let Some((option, _)) = given.into_iter().find(|(_, given)| *given) {
                return Err(format!(
                    "{option} is about a spool, and there is none: name its directory with --spool DIR"
                ));
            }
            if overflow == Some(Overflow::Store) {
                return Err(
                    "--overflow store needs a spool: name its directory with --spool DIR, or choose drop-newest, \
                            drop-oldest or block"
                        .to_owned(),
                );
            }
        }
        if spool.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            return Err("--spool: the name of a directory is needed".to_owned());
        }
        let mode = match spool_mode {
            None | Some(When::Overflow) => Mode::Overflow,
            Some(When::Always) => Mode::Always,
        };
        let keep = Keep::new(mode)
            .bytes(spool_bytes.unwrap_or(Keep::DEFAULT.bytes))
            .age(spool_age.unwrap_or(Keep::DEFAULT.age));
        let replay = replay.map(|again| match again {
            Again::All => Replay::All,
            Again::Idempotent => Replay::Idempotent,
            Again::Unacknowledged => Replay::Unacknowledged,
        });
        Ok(Choice { spool: spool.map(|path| (path, keep)), overflow, replay })
    }
}

impl Choice {
    /// Whether there is one.
    pub(crate) const fn has_spool(&self) -> bool {
        self.spool.is_some()
    }

    /// Opens the spool, and puts everything into effect; `otherwise` is the command's own policy where none was chosen.
    /// `warn` is told when the spool fails.
    pub(crate) fn apply(
        self,
        mut builder: SenderBuilder,
        endpoint: &Endpoint,
        otherwise: Overflow,
        warn: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<(SenderBuilder, Option<Spool>), String> {
        builder = builder.overflow(self.overflow.unwrap_or(otherwise));
        if let Some(replay) = self.replay {
            if !matches!(endpoint.form(), Form::ProxyTcp | Form::Unix) {
                // Not an error: a script that is given another URL still does what it is meant to.
                say(
                    "note: --replay changes nothing here: it is about tcp:// and unix:, and elsewhere each batch is acknowledged",
                );
            }
            builder = builder.replay(replay);
        }
        let Some((path, keep)) = self.spool else { return Ok((builder, None)) };
        let wrong = |error: DirectoryError| format!("--spool: {}", printable(&error.to_string()));
        let mut directory = Directory::open(&path).map_err(wrong)?;
        let spool = Spool {
            place: printable(&directory.path().display().to_string()),
            found: count(&mut directory).map_err(wrong)?,
        };
        match directory.set_aside() {
            0 => {}
            1 => warn(&format!("warning: a damaged file in {} was set aside as *.damaged", spool.place)),
            many => warn(&format!("warning: {many} damaged files in {} were set aside as *.damaged", spool.place)),
        }
        let told = AtomicBool::new(false);
        let hook = move |incident: &Incident| {
            // Once, as what became of the lines is said at the end; damaged lines are said there too.
            let fails = matches!(incident.trouble, Trouble::Store(StoreFailure::Full | StoreFailure::Unavailable));
            if fails && !told.swap(true, Ordering::Relaxed) {
                warn(&format!("warning: --spool: {}", printable(&incident.to_string())));
            }
        };
        Ok((builder.store(directory, keep).on_error(hook), Some(spool)))
    }
}

/// Lines of all records.
fn count(directory: &mut Directory) -> Result<usize, DirectoryError> {
    let mut lines = 0;
    for kind in Kind::ALL {
        let mut from = Some(0);
        while let Some(key) = from {
            let head = directory.next(kind, key)?;
            lines += head.map_or(0, |head| head.lines as usize);
            from = head.and_then(|head| head.key.checked_add(1));
        }
    }
    Ok(lines)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read() {
        let secs = Duration::from_secs;
        for (text, expected) in [
            ("drop-newest", Overflow::DropNewest),
            ("drop-oldest", Overflow::DropOldest),
            ("store", Overflow::Store),
            ("block", Overflow::Block(Duration::MAX)),
            ("block=5s", Overflow::Block(secs(5))),
            ("block=2m", Overflow::Block(secs(120))),
        ] {
            assert_eq!(policy(text), Ok(expected), "{text}");
        }
        for text in ["", "drop", "block=", "block=0s", "block=soon", "Store", "block 5s"] {
            assert!(policy(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_spool_has_room_for_a_batch() {
        assert_eq!(bytes("256KiB"), Ok(LEAST_BYTES));
        assert!(bytes("255KiB").unwrap_err().contains("256KiB"));
    }
}
