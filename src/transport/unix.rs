//! Lines to a Unix socket: an agent or a proxy on the same machine.

use core::fmt;
use core::time::Duration;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::watched::{Broken, Deadline, Dial, Socket, Stage, Watched, socket_of_std, unacknowledged};
use super::{Accepted, Batch, Failure, Tcp, Transport, TransportError};

/// Lines to a stream socket of the file system.
///
/// It is watched as [`Tcp`] is: connected by the first `send`, looked at before each batch, written whole or closed,
/// and [`finish`](Transport::finish) is what says that the peer has read everything. What differs:
///
/// - On Linux the kernel tells whether the peer has *read* what was written, not only whether it has it:
///   [`unacknowledged`](Transport::unacknowledged) stays above 0 until then, and may be more than was written, because
///   the kernel counts memory. So once the connection is gone it is 0: how much a peer that closed had not read, nobody
///   can tell, and what a repeat would falsify is not sent again.
/// - A peer that is silent is not given up while its socket is open: it is a process of this machine, and stopped.
///
/// ```no_run
/// use wavefront_sdk::{Kind, transport::{Batch, Transport, UnixSocket}};
/// let mut agent = UnixSocket::new("/run/wavefront/agent.sock");
/// agent.send(Batch::new(Kind::Metric, b"cpu.load 0.5 source=web-1\n", 1))?;
/// agent.finish(core::time::Duration::from_secs(5))?;
/// # Ok::<(), wavefront_sdk::transport::UnixSocketError>(())
/// ```
#[derive(Debug)]
pub struct UnixSocket {
    line: Watched<PathDial>,
}

#[derive(Debug)]
struct PathDial {
    /// Shared with the errors that speak of it.
    path: Arc<Path>,
}

impl UnixSocket {
    /// Lines to the socket at `path`. Nothing is connected yet, and nothing need be there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let dial = PathDial { path: path.into().into() };
        Self { line: Watched::new(dial, Tcp::CONNECT_TIMEOUT, Tcp::WRITE_TIMEOUT) }
    }

    /// How long a connection may take to come about, instead of [`Tcp::CONNECT_TIMEOUT`]: a peer that listens and
    /// accepts nothing can make it wait on Linux; elsewhere it is refused.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.line.connect_timeout = timeout;
        self
    }

    /// How long a batch may take to be written, instead of [`Tcp::WRITE_TIMEOUT`].
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.line.write_timeout = timeout;
        self
    }

    /// Where the socket is.
    pub fn path(&self) -> &Path {
        &self.line.dial.path
    }

    /// Whether there is a connection, as far as is known without looking.
    pub fn is_connected(&self) -> bool {
        self.line.is_connected()
    }

    fn named<T>(&self, result: Result<T, Broken>) -> Result<T, UnixSocketError> {
        result.map_err(|broken| UnixSocketError { path: Arc::clone(&self.line.dial.path), broken })
    }
}

impl Transport for UnixSocket {
    type Error = UnixSocketError;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, UnixSocketError> {
        let sent = self.line.send(batch.bytes);
        self.named(sent).map(|()| Accepted::Written)
    }

    fn connect(&mut self, timeout: Duration) -> Result<(), UnixSocketError> {
        let connected = self.line.connect(timeout);
        self.named(connected)
    }

    /// Looks for a close or a reset of the peer; bytes that it sent are thrown away.
    fn probe(&mut self) -> Result<(), UnixSocketError> {
        let seen = self.line.probe();
        self.named(seen)
    }

    fn unacknowledged(&mut self) -> Option<u64> {
        self.line.unacknowledged()
    }

    /// Says that there is nothing more, and waits for the peer to say the same.
    fn finish(&mut self, timeout: Duration) -> Result<(), UnixSocketError> {
        let finished = self.line.finish(timeout);
        self.named(finished)
    }
}

impl Dial for PathDial {
    type Socket = UnixStream;

    fn dial(&self, timeout: Duration) -> Result<UnixStream, Broken> {
        connect(&self.path, timeout).map_err(|failure| Broken::new(Stage::Connect, failure))
    }
}

/// As the standard library does it, but that a listener whose queue is full is waited for no longer than `timeout`.
#[cfg(target_os = "linux")]
fn connect(path: &Path, timeout: Duration) -> io::Result<UnixStream> {
    use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

    let address = SocketAddrUnix::new(path)?;
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let timeout = timeout.clamp(Deadline::LEAST, Duration::from_secs(24 * 60 * 60));
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(timeout))?;
    match net::connect(&socket, &address) {
        Err(rustix::io::Errno::AGAIN) => Err(io::ErrorKind::TimedOut.into()),
        other => Ok(other.map(|()| socket.into())?),
    }
}

#[cfg(not(target_os = "linux"))]
fn connect(path: &Path, _: Duration) -> io::Result<UnixStream> {
    UnixStream::connect(path)
}

socket_of_std!(
    UnixStream,
    /// The kernel counts memory, not bytes: what it says is good for "all", and for nothing else.
    fn left(&self, _: u64) -> Option<u64> {
        self.unacknowledged().map(|_| 0)
    }
);

/// What kept lines from being written to a [`UnixSocket`]. It names the path, and nothing of the lines.
#[derive(Debug)]
#[non_exhaustive]
pub struct UnixSocketError {
    path: Arc<Path>,
    broken: Broken,
}

impl UnixSocketError {
    /// Where the socket is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the system said.
    pub const fn io(&self) -> &io::Error {
        &self.broken.source
    }
}

impl fmt::Display for UnixSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, broken } = self;
        let (path, source) = (path.display(), &broken.source);
        match broken.stage {
            Stage::Resolve | Stage::Connect => {
                write!(f, "unix:{path}: no connection ({source}): check the path, its rights and that somebody listens")
            }
            Stage::Closed => write!(f, "unix:{path}: the connection is gone ({source}): the next send makes a new one"),
            Stage::Write if broken.is_late() => write!(f, "unix:{path}: a batch could not be written in time"),
            Stage::Write => write!(f, "unix:{path}: the connection broke while writing ({source})"),
            Stage::Finish if broken.is_late() => {
                write!(f, "unix:{path}: the receiver did not confirm the end in time")
            }
            Stage::Finish => {
                write!(f, "unix:{path}: the connection broke before its end was confirmed ({source})")
            }
        }
    }
}

impl core::error::Error for UnixSocketError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.broken.source)
    }
}

impl TransportError for UnixSocketError {
    fn kind(&self) -> Failure {
        self.broken.failure()
    }
}
