//! Lines to a proxy's port over TCP, with TLS or without. Nobody answers there, so this transport watches the
//! connection instead.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::vec::Vec;

#[cfg(feature = "tls")]
use super::tls::{Session, Sessions, Tls, TlsError, TlsProblem};
use super::watched::{Broken, Deadline, Dial, Socket, Stage, Watched, socket_of_std, unacknowledged};
use super::{Accepted, Batch, Failure, Transport, TransportError};

/// Lines to one port of a proxy.
///
/// - Constructing connects to nothing. The first `send` does, and each that follows a broken connection; the name is
///   looked up anew every time, and all of its addresses are tried, IPv6 and IPv4, in the order of the system.
/// - A batch is written whole, or the connection is closed: the receiver drops the part of a line at its end.
/// - Before each batch it looks whether the peer has closed or reset the connection. If so, [`Failure::Broken`] comes
///   back and **nothing of the batch was written**: the caller can first send again what it holds of the lines before.
///   Without that look, the first write after a close succeeds, and is lost.
/// - [`Accepted::Written`] means: our kernel has the bytes. What the peer's kernel has too,
///   [`unacknowledged`](Transport::unacknowledged) tells on Linux (`SIOCOUTQ`); elsewhere nobody does. Only
///   [`finish`](Transport::finish) says that the peer has read everything, and even then a peer that was killed in that
///   moment cannot be told from one that was done. HTTP has no such gap.
/// - On Linux a peer that is silent for [`ACK_TIMEOUT`](Self::ACK_TIMEOUT) counts as gone, whether something was
///   written or not; elsewhere the system decides about that, usually after many minutes.
/// - `tls` makes it TLS (feature `tls`), and all of this holds then too. A peer that wants our certificate has a second
///   to refuse it before anything is written. The proxies of the environment are for HTTP and are not used here.
/// - Every failure of a connection that stood is [`Failure::Broken`], a write that does not get on too.
///
/// ```no_run
/// use wavefront_sdk::{Kind, transport::{Batch, Tcp, Transport}};
/// let mut tcp = Tcp::new("proxy.example.com", 2878);
/// tcp.send(Batch::new(Kind::Metric, b"cpu.load 0.5 source=web-1\n", 1))?;
/// tcp.finish(core::time::Duration::from_secs(5))?;
/// # Ok::<(), wavefront_sdk::transport::TcpError>(())
/// ```
#[derive(Debug)]
pub struct Tcp {
    line: Watched<TcpDial>,
}

/// A connection to the first address of a name that takes one.
#[derive(Debug)]
struct TcpDial {
    peer: Peer,
    ack_timeout: Duration,
    #[cfg(feature = "tls")]
    sessions: Option<Sessions>,
}

/// Name and port, shared with the errors that speak of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Peer {
    host: Arc<str>,
    port: u16,
}

impl Tcp {
    /// How long a connection may take to come about, over all addresses of the name.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

    /// How long a batch may take to be written.
    pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

    /// How long a peer may leave what was written without an acknowledgement, keep its window shut, or not answer when
    /// it is asked whether it is still there.
    pub const ACK_TIMEOUT: Duration = Duration::from_secs(30);

    /// Lines to `port` of `host`: a name, an IPv4 or an IPv6 address (with or without brackets).
    pub fn new(host: &str, port: u16) -> Self {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let dial = TcpDial {
            peer: Peer { host: bare.into(), port },
            ack_timeout: Self::ACK_TIMEOUT,
            #[cfg(feature = "tls")]
            sessions: None,
        };
        Self { line: Watched::new(dial, Self::CONNECT_TIMEOUT, Self::WRITE_TIMEOUT) }
    }

    /// Changes [`CONNECT_TIMEOUT`](Self::CONNECT_TIMEOUT). The look-up of the name has the system's own limit.
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.line.connect_timeout = timeout;
        self
    }

    /// Changes [`WRITE_TIMEOUT`](Self::WRITE_TIMEOUT).
    #[must_use]
    pub const fn write_timeout(mut self, timeout: Duration) -> Self {
        self.line.write_timeout = timeout;
        self
    }

    /// Changes [`ACK_TIMEOUT`](Self::ACK_TIMEOUT), from the next connection on. The kernel counts idle time in seconds,
    /// from 1 to 32,767.
    #[must_use]
    pub const fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.line.dial.ack_timeout = timeout;
        self
    }

    /// The same over TLS, from the next connection on.
    ///
    /// # Errors
    /// [`TlsError`] for an option that cannot work, and where the machine has no certificates to trust.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: &Tls) -> Result<Self, TlsError> {
        self.line.dial.sessions = Some(Sessions::new(tls)?);
        Ok(self)
    }

    /// Whether it is over TLS.
    pub const fn is_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.line.dial.sessions.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// The peer's name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.line.dial.peer.host
    }

    /// The peer's port.
    pub const fn port(&self) -> u16 {
        self.line.dial.peer.port
    }

    /// Whether there is a connection, as far as is known without looking.
    pub const fn is_connected(&self) -> bool {
        self.line.is_connected()
    }

    fn named<T>(&self, result: Result<T, Broken>) -> Result<T, TcpError> {
        result.map_err(|broken| TcpError { peer: self.line.dial.peer.clone(), broken })
    }
}

impl Transport for Tcp {
    type Error = TcpError;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, TcpError> {
        let sent = self.line.send(batch.bytes);
        self.named(sent).map(|()| Accepted::Written)
    }

    fn connect(&mut self, timeout: Duration) -> Result<(), TcpError> {
        let connected = self.line.connect(timeout);
        self.named(connected)
    }

    /// Looks for a close or a reset of the peer; bytes that it sent are thrown away.
    fn probe(&mut self) -> Result<(), TcpError> {
        let seen = self.line.probe();
        self.named(seen)
    }

    fn unacknowledged(&mut self) -> Option<u64> {
        self.line.unacknowledged()
    }

    /// Says that there is nothing more, and waits for the peer to say the same. The deadline holds for a peer that
    /// reads slowly but steadily too: what it has not acknowledged by then,
    /// [`unacknowledged`](Transport::unacknowledged) tells.
    fn finish(&mut self, timeout: Duration) -> Result<(), TcpError> {
        let finished = self.line.finish(timeout);
        self.named(finished)
    }
}

impl Dial for TcpDial {
    type Socket = Wire;

    /// To the first address that takes a connection, each getting its share of the time that is left.
    fn dial(&self, timeout: Duration) -> Result<Wire, Broken> {
        let addresses = (&*self.peer.host, self.peer.port).to_socket_addrs();
        let addresses: Vec<SocketAddr> = addresses.map_err(|failure| Broken::new(Stage::Resolve, failure))?.collect();
        let deadline = Deadline::after(timeout);
        let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
        for (tried, address) in addresses.iter().enumerate() {
            let share = deadline.left() / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            match self.connect(address, share.max(Deadline::LEAST)) {
                Ok(wire) => return Ok(wire),
                Err(failure) => last = failure,
            }
        }
        Err(Broken::new(Stage::Connect, last))
    }
}

impl TcpDial {
    fn connect(&self, address: &SocketAddr, timeout: Duration) -> io::Result<Wire> {
        #[cfg(feature = "tls")]
        let deadline = Deadline::after(timeout);
        let stream = TcpStream::connect_timeout(address, timeout)?;
        if is_own_end(&stream) {
            return Err(io::Error::new(ErrorKind::ConnectionRefused, "nobody listens: it met itself"));
        }
        // Whole batches are written at once: waiting for more would only delay them.
        stream.set_nodelay(true)?;
        watch(&stream, self.ack_timeout)?;
        #[cfg(feature = "tls")]
        if let Some(sessions) = &self.sessions {
            return sessions.greet(stream, &self.peer.host, &deadline).map(Wire::Tls);
        }
        Ok(Wire::Plain(stream))
    }
}

/// A connection.
#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Session),
}

/// The same of whichever it is.
macro_rules! either {
    ($wire:expr, $socket:ident => $what:expr) => {
        match $wire {
            Wire::Plain($socket) => $what,
            #[cfg(feature = "tls")]
            Wire::Tls($socket) => $what,
        }
    };
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        either!(self, socket => socket.read(buf))
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, socket => socket.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        either!(self, socket => socket.flush())
    }
}

impl Socket for Wire {
    fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        either!(self, socket => Socket::set_nonblocking(socket, on))
    }

    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        either!(self, socket => Socket::set_read_timeout(socket, timeout))
    }

    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        either!(self, socket => Socket::set_write_timeout(socket, timeout))
    }

    fn end(&mut self) -> io::Result<()> {
        either!(self, socket => socket.end())
    }

    fn unacknowledged(&self) -> Option<u64> {
        either!(self, socket => Socket::unacknowledged(socket))
    }
}

socket_of_std!(TcpStream);

/// Makes the kernel give up a peer that is silent for `timeout`, whether it owes an acknowledgement or there is nothing
/// to acknowledge.
#[cfg(target_os = "linux")]
fn watch(stream: &TcpStream, timeout: Duration) -> io::Result<()> {
    use rustix::net::sockopt;

    const SECOND: Duration = Duration::from_secs(1);
    const MOST: Duration = Duration::from_secs(32_767);
    let patience = timeout.clamp(Deadline::LEAST, MOST);
    let millis = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(stream, millis)?;
    // Half of the time nobody asks; then there are three questions in the other half.
    sockopt::set_tcp_keepidle(stream, (patience / 2).max(SECOND))?;
    sockopt::set_tcp_keepintvl(stream, (patience / 6).max(SECOND))?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    Ok(sockopt::set_socket_keepalive(stream, true)?)
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps)]
fn watch(_: &TcpStream, _: Duration) -> io::Result<()> {
    Ok(())
}

/// Whether both ends are one: where nobody listens on a port that the system gives to clients too, it may give us that
/// very port, and what we write we would read ourselves.
fn is_own_end(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(own), Ok(peer)) if own == peer)
}

/// What kept lines from being written to a [`Tcp`] peer. It names the peer, and nothing of the lines.
#[derive(Debug)]
#[non_exhaustive]
pub struct TcpError {
    peer: Peer,
    broken: Broken,
}

impl TcpError {
    /// The peer's name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.peer.host
    }

    /// The peer's port.
    pub const fn port(&self) -> u16 {
        self.peer.port
    }

    /// What the system said.
    pub const fn io(&self) -> &io::Error {
        &self.broken.source
    }

    /// What is wrong by TLS, where that is why there is no connection.
    #[cfg(feature = "tls")]
    pub fn tls(&self) -> Option<TlsProblem> {
        TlsProblem::within(&self.broken.source).filter(|_| self.broken.stage == Stage::Connect)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl fmt::Display for TcpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, broken } = self;
        let source = &broken.source;
        #[cfg(feature = "tls")]
        if let Some(problem) = self.tls() {
            return write!(f, "{peer}: {problem}");
        }
        match broken.stage {
            Stage::Resolve => write!(f, "{peer}: the name could not be looked up ({source}): check the host"),
            Stage::Connect => {
                write!(f, "{peer}: no connection ({source}): check the host, the port and that the proxy runs")
            }
            Stage::Closed => write!(f, "{peer}: the connection is gone ({source}): the next send makes a new one"),
            Stage::Write if broken.is_late() => write!(f, "{peer}: a batch could not be written in time"),
            Stage::Write => write!(f, "{peer}: the connection broke while writing ({source})"),
            Stage::Finish if broken.is_late() => write!(f, "{peer}: the proxy did not confirm the end in time"),
            Stage::Finish => write!(f, "{peer}: the connection broke before its end was confirmed ({source})"),
        }
    }
}

impl core::error::Error for TcpError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.broken.source)
    }
}

impl TransportError for TcpError {
    fn kind(&self) -> Failure {
        #[cfg(feature = "tls")]
        if let Some(problem) = self.tls() {
            return Failure::Tls(problem);
        }
        self.broken.failure()
    }
}
