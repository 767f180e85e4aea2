//! A connection for lines that nobody answers, watched instead: what TCP, TLS over it and Unix sockets have in common.

use core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};
use std::time::Instant;

use super::Failure;
#[cfg(target_os = "linux")]
pub(super) use super::outq::unacknowledged;

/// What the kernel has of what was written: nobody says so here.
#[cfg(not(target_os = "linux"))]
pub(super) const fn unacknowledged<S>(_: &S) -> Option<u64> {
    None
}

/// A socket in the state of a connection.
pub(super) trait Socket: Read + Write {
    /// Whether reads return at once, with [`ErrorKind::WouldBlock`] where there is nothing.
    fn set_nonblocking(&self, on: bool) -> io::Result<()>;

    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()>;

    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()>;

    /// Says that nothing more comes from us; called again where that takes longer than the time for a write.
    fn end(&mut self) -> io::Result<()>;

    /// How many bytes of what was written the peer does not have, as [`Transport`](super::Transport) has it, and our
    /// end if that counts as one; `None` where nobody knows.
    fn unacknowledged(&self) -> Option<u64>;

    /// The same of a connection that is given up, `own` bytes of which belong to no batch that was accepted.
    fn left(&self, own: u64) -> Option<u64> {
        self.unacknowledged().map(|left| left.saturating_sub(own))
    }
}

/// A socket of the standard library as one of these; what it does otherwise comes behind its name.
macro_rules! socket_of_std {
    ($socket:ty $(, $otherwise:item)?) => {
        impl Socket for $socket {
            fn set_nonblocking(&self, on: bool) -> io::Result<()> {
                Self::set_nonblocking(self, on)
            }

            fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
                Self::set_read_timeout(self, Some(timeout))
            }

            fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
                Self::set_write_timeout(self, Some(timeout))
            }

            fn end(&mut self) -> io::Result<()> {
                self.shutdown(std::net::Shutdown::Write)
            }

            fn unacknowledged(&self) -> Option<u64> {
                unacknowledged(self)
            }

            $($otherwise)?
        }
    };
}
pub(super) use socket_of_std;

/// How a connection comes about.
pub(super) trait Dial {
    type Socket: Socket;

    /// It may take `timeout`.
    fn dial(&self, timeout: Duration) -> Result<Self::Socket, Broken>;
}

/// Where a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Resolve,
    Connect,
    Closed,
    Write,
    Finish,
}

/// What became of a connection, and what the system said.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) stage: Stage,
    pub(super) source: io::Error,
}

impl Broken {
    pub(super) const fn new(stage: Stage, source: io::Error) -> Self {
        Self { stage, source }
    }

    pub(super) fn is_late(&self) -> bool {
        matches!(self.source.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
    }

    /// What it means for the lines.
    pub(super) fn failure(&self) -> Failure {
        match self.stage {
            Stage::Resolve | Stage::Connect => Failure::Connect,
            Stage::Finish if self.is_late() => Failure::Timeout,
            Stage::Closed | Stage::Write | Stage::Finish => Failure::Broken,
        }
    }
}

/// The connection that there is, if there is one, and how the next is made.
#[derive(Debug)]
pub(super) struct Watched<D: Dial> {
    pub(super) dial: D,
    pub(super) connect_timeout: Duration,
    pub(super) write_timeout: Duration,
    socket: Option<D::Socket>,
    /// What was not acknowledged on the last connection when it was given up.
    left: Option<u64>,
}

impl<D: Dial> Watched<D> {
    pub(super) const fn new(dial: D, connect_timeout: Duration, write_timeout: Duration) -> Self {
        Self { dial, connect_timeout, write_timeout, socket: None, left: None }
    }

    pub(super) const fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// Makes a connection if there is none.
    pub(super) fn connect(&mut self, timeout: Duration) -> Result<(), Broken> {
        self.connected(timeout).map(|_| ())
    }

    fn connected(&mut self, timeout: Duration) -> Result<&mut D::Socket, Broken> {
        match &mut self.socket {
            Some(socket) => Ok(socket),
            none => {
                let socket = self.dial.dial(timeout)?;
                self.left = None;
                Ok(none.insert(socket))
            }
        }
    }

    /// Writes all of `bytes`, or gives the connection up.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.probe()?;
        let timeout = self.write_timeout;
        write_within(self.connected(self.connect_timeout)?, bytes, timeout).map_err(|(failure, part)| {
            self.give_up(part as u64);
            Broken::new(Stage::Write, failure)
        })
    }

    /// Looks for a close or a reset of the peer; bytes that it sent are thrown away.
    pub(super) fn probe(&mut self) -> Result<(), Broken> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        look(socket).map_err(|gone| {
            self.give_up(0);
            Broken::new(Stage::Closed, gone)
        })
    }

    pub(super) fn unacknowledged(&self) -> Option<u64> {
        self.socket.as_ref().map_or(self.left, Socket::unacknowledged)
    }

    /// Says that there is nothing more, and waits for the peer to say the same.
    pub(super) fn finish(&mut self, timeout: Duration) -> Result<(), Broken> {
        // A close that comes before ours says nothing about what was read.
        self.probe()?;
        let Some(socket) = &mut self.socket else { return Ok(()) };
        let ended = farewell(socket, timeout);
        // The FIN is one byte to the kernel, and the last to be acknowledged.
        self.give_up(1);
        ended.map_err(|failure| Broken::new(Stage::Finish, failure))
    }

    /// Gives the connection up; the last `own` bytes that were written to it belong to no batch that was accepted.
    fn give_up(&mut self, own: u64) {
        self.left = self.socket.take().and_then(|socket| socket.left(own));
    }
}

/// Fails if the peer has closed or reset the connection.
fn look(socket: &mut impl Socket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let seen = drain(socket);
    socket.set_nonblocking(false)?;
    seen
}

fn drain(socket: &mut impl Socket) -> io::Result<()> {
    let mut scrap = [0; 1024];
    // A peer that never stops talking must not keep us from sending.
    for _ in 0..64 {
        match socket.read(&mut scrap) {
            Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "closed by the peer")),
            Ok(_) => {}
            Err(failure) if failure.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(failure) if failure.kind() == ErrorKind::Interrupted => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// Writes all of `bytes` before `timeout` is over, however small the steps; how much was written comes with the
/// failure.
fn write_within(socket: &mut impl Socket, bytes: &[u8], timeout: Duration) -> Result<(), (io::Error, usize)> {
    let deadline = Deadline::after(timeout);
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        match write_some(socket, rest, &deadline) {
            Ok(written) => done += written,
            Err(failure) => return Err((failure, done)),
        }
    }
    flushed(socket, &deadline).map_err(|failure| (failure, done))
}

/// Where a socket holds what it took, as TLS does, it has to let go of it.
fn flushed(socket: &mut impl Socket, deadline: &Deadline) -> io::Result<()> {
    while let Err(failure) = socket.flush() {
        go_on(failure)?;
        socket.set_write_timeout(deadline.left_or_timeout()?)?;
    }
    Ok(())
}

fn write_some(socket: &mut impl Socket, bytes: &[u8], deadline: &Deadline) -> io::Result<usize> {
    socket.set_write_timeout(deadline.left_or_timeout()?)?;
    match socket.write(bytes) {
        Ok(0) => Err(ErrorKind::WriteZero.into()),
        Ok(written) => Ok(written),
        Err(failure) => go_on(failure).map(|()| 0),
    }
}

/// Closes our half, then reads until the peer closes its own.
fn farewell(socket: &mut impl Socket, timeout: Duration) -> io::Result<()> {
    let deadline = Deadline::after(timeout);
    while let Err(failure) = socket.end() {
        go_on(failure)?;
        socket.set_write_timeout(deadline.left_or_timeout()?)?;
    }
    let mut scrap = [0; 1024];
    loop {
        socket.set_read_timeout(deadline.left_or_timeout()?)?;
        match socket.read(&mut scrap) {
            // The end of a peer that has seen ours acknowledges it. One that does not is of a peer that went before.
            Ok(0) if socket.unacknowledged().is_some_and(|left| left > 0) => {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, "closed by the peer before it had everything"));
            }
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(failure) => go_on(failure)?,
        }
    }
}

/// Lets the deadline decide where a call was interrupted or its time was over. Windows says `TimedOut` for that;
/// elsewhere this means that the kernel has given the connection up.
pub(super) fn go_on(failure: io::Error) -> io::Result<()> {
    match failure.kind() {
        ErrorKind::Interrupted | ErrorKind::WouldBlock => Ok(()),
        ErrorKind::TimedOut if cfg!(windows) => Ok(()),
        _ => Err(failure),
    }
}

/// A moment in the future; one beyond the clock's range is for ever.
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// The shortest time that the system takes for one; zero would mean none.
    pub(super) const LEAST: Duration = Duration::from_millis(1);

    pub(super) fn after(timeout: Duration) -> Self {
        Self(Instant::now().checked_add(timeout))
    }

    pub(super) fn left(&self) -> Duration {
        const LONG: Duration = Duration::from_secs(24 * 60 * 60);
        self.0.map_or(LONG, |deadline| deadline.saturating_duration_since(Instant::now()))
    }

    pub(super) fn left_or_timeout(&self) -> io::Result<Duration> {
        match self.left() {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            left => Ok(left.max(Self::LEAST)),
        }
    }
}
