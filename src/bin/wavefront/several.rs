//! One input to all of several endpoints: each has a sender, somebody who watches it, and a summary of its own.

use std::io;
use std::sync::mpsc;
use std::thread;

use indicatif::ProgressBar;
use wavefront_sdk::parse::Line;
use wavefront_sdk::sender::SendError;
use wavefront_sdk::{Encode, MultiSender, Sender};

use crate::feed::{End, Fault, Outlet, Tally};
use crate::signals::Interrupt;
use crate::watch::{self, Outcome};

/// Gives each record to all of the senders that still take some.
pub(crate) struct DeliverAll {
    all: MultiSender,
    closed: bool,
}

impl DeliverAll {
    pub(crate) fn new(all: MultiSender) -> Self {
        Self { all, closed: false }
    }

    /// What is wrong with the record, if it is not that an endpoint has no room or was given up: ledgers count the one,
    /// and the summary tells of the other.
    fn note(&mut self, failed: Vec<(usize, SendError)>) -> Result<(), Fault> {
        let closed = failed.iter().filter(|(_, error)| *error == SendError::Closed).count();
        self.closed |= closed == self.all.senders().len();
        let of_record =
            |error: &SendError| !matches!(error, SendError::QueueFull(_) | SendError::StoreFull(_) | SendError::Closed);
        match failed.into_iter().find(|(_, error)| of_record(error)) {
            Some((_, error)) => Err(error.into()),
            None if self.closed => Err(SendError::Closed.into()),
            None => Ok(()),
        }
    }
}

impl Outlet for DeliverAll {
    fn datum<D: Encode>(&mut self, datum: D) -> Result<(), Fault> {
        match self.all.send(datum) {
            Ok(()) => Ok(()),
            Err(error) => self.note(error.failed),
        }
    }

    fn line(&mut self, line: &Line<'_>, text: &str) -> Result<(), Fault> {
        let sent = self.all.senders().iter().enumerate();
        let failed = sent.filter_map(|(at, sender)| Some((at, sender.send_line(line, text).err()?))).collect();
        self.note(failed)
    }

    fn is_over(&self) -> bool {
        self.closed
    }
}

/// Lets `read` feed them all, and watches each until it is done or given up: how it ended for each.
pub(crate) fn run(
    senders: &[Sender],
    give_up: core::time::Duration,
    bar: &ProgressBar,
    tally: &Tally,
    interrupt: &Interrupt,
    read: impl FnOnce() -> End + Send + 'static,
) -> io::Result<Vec<Outcome>> {
    let (tells, hears): (Vec<_>, Vec<_>) = senders.iter().map(|_| mpsc::channel()).unzip();
    thread::Builder::new().name("reader".into()).spawn(move || {
        let end = read();
        for tell in tells {
            let _ = tell.send(end.again());
        }
    })?;
    thread::scope(|scope| {
        let watches: Vec<_> = senders
            .iter()
            .zip(hears)
            .enumerate()
            .map(|(at, (sender, hears))| {
                let ends = move || hears.recv().unwrap_or_else(|_| End::Failed(io::Error::other("a bug in wavefront")));
                // One line of a terminal shows one of them.
                let bar = if at == 0 { bar.clone() } else { ProgressBar::hidden() };
                scope.spawn(move || watch::run(sender, None, give_up, &bar, tally, interrupt, ends))
            })
            .collect();
        let joined = watches.into_iter().map(|watch| watch.join());
        joined.map(|outcome| outcome.unwrap_or_else(|_| Err(io::Error::other("a bug in wavefront")))).collect()
    })
}
