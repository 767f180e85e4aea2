//! Lines to a proxy's port over TCP. Nobody answers there, so this transport watches the connection instead.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Instant;
use std::vec::Vec;

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
/// - On Linux a peer that is silent for [`ACK_TIMEOUT`](Self::ACK_TIMEOUT) counts as gone, whether something was written
///   or not; elsewhere the system decides about that, usually after many minutes.
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
    peer: Peer,
    connect_timeout: Duration,
    write_timeout: Duration,
    ack_timeout: Duration,
    stream: Option<TcpStream>,
    /// What was not acknowledged on the last connection when it was given up.
    left: Option<u64>,
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

    /// How long a peer may leave what was written without an acknowledgement, keep its window shut, or not answer when it is
    /// asked whether it is still there.
    pub const ACK_TIMEOUT: Duration = Duration::from_secs(30);

    /// Lines to `port` of `host`: a name, an IPv4 or an IPv6 address (with or without brackets).
    pub fn new(host: &str, port: u16) -> Self {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Self {
            peer: Peer { host: bare.into(), port },
            connect_timeout: Self::CONNECT_TIMEOUT,
            write_timeout: Self::WRITE_TIMEOUT,
            ack_timeout: Self::ACK_TIMEOUT,
            stream: None,
            left: None,
        }
    }

    /// Changes [`CONNECT_TIMEOUT`](Self::CONNECT_TIMEOUT). The look-up of the name has the system's own limit.
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Changes [`WRITE_TIMEOUT`](Self::WRITE_TIMEOUT).
    #[must_use]
    pub const fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// Changes [`ACK_TIMEOUT`](Self::ACK_TIMEOUT), from the next connection on. The kernel counts idle time in seconds,
    /// from 1 to 32,767.
    #[must_use]
    pub const fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.ack_timeout = timeout;
        self
    }

    /// The peer's name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.peer.host
    }

    /// The peer's port.
    pub const fn port(&self) -> u16 {
        self.peer.port
    }

    /// Whether there is a connection, as far as is known without looking.
    pub const fn is_connected(&self) -> bool {
        self.stream.is_some()
    }

    /// The connection, made now if there is none.
    fn connected(&mut self) -> Result<&mut TcpStream, TcpError> {
        match &mut self.stream {
            Some(stream) => Ok(stream),
            none => {
                let stream = connect(&self.peer, self.connect_timeout)?;
                watch(&stream, self.ack_timeout).map_err(|source| TcpError {
                    peer: self.peer.clone(),
                    stage: Stage::Connect,
                    source,
                })?;
                self.left = None;
                Ok(none.insert(stream))
            }
        }
    }

    /// Gives the connection up; the last `own` bytes that were written to it belong to no batch that was accepted.
    fn give_up(&mut self, own: u64) {
        self.left = self.stream.take().and_then(|stream| unacknowledged(&stream)).map(|left| left.saturating_sub(own));
    }

    fn error(&self, stage: Stage, source: io::Error) -> TcpError {
        TcpError { peer: self.peer.clone(), stage, source }
    }
}

impl Transport for Tcp {
    type Error = TcpError;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, TcpError> {
        self.probe()?;
        let timeout = self.write_timeout;
        match write_within(self.connected()?, batch.bytes, timeout) {
            Ok(()) => Ok(Accepted::Written),
            Err((failure, part)) => {
                self.give_up(part as u64);
                Err(self.error(Stage::Write, failure))
            }
        }
    }

    /// Looks for a close or a reset of the peer; bytes that it sent are thrown away.
    fn probe(&mut self) -> Result<(), TcpError> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        if let Err(gone) = look(stream) {
            self.give_up(0);
            return Err(self.error(Stage::Closed, gone));
        }
        Ok(())
    }

    fn unacknowledged(&mut self) -> Option<u64> {
        self.stream.as_ref().map_or(self.left, unacknowledged)
    }

    /// Says that there is nothing more, and waits for the peer to say the same. The deadline holds for a peer that reads
    /// slowly but steadily too: what it has not acknowledged by then, [`unacknowledged`](Transport::unacknowledged) tells.
    fn finish(&mut self, timeout: Duration) -> Result<(), TcpError> {
        // A close that comes before ours says nothing about what was read.
        self.probe()?;
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let ended = farewell(stream, timeout);
        // The FIN is one byte to the kernel, and the last to be acknowledged.
        self.give_up(1);
        ended.map_err(|failure| self.error(Stage::Finish, failure))
    }
}

/// A connection to the first address that takes one, each getting its share of the time that is left.
fn connect(peer: &Peer, timeout: Duration) -> Result<TcpStream, TcpError> {
    let error = |stage, source| TcpError { peer: peer.clone(), stage, source };
    let addresses: Vec<SocketAddr> =
        (&*peer.host, peer.port).to_socket_addrs().map_err(|failure| error(Stage::Resolve, failure))?.collect();
    let deadline = Deadline::after(timeout);
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for (tried, address) in addresses.iter().enumerate() {
        let share = deadline.left() / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        match TcpStream::connect_timeout(address, share.max(Deadline::LEAST)) {
            Ok(stream) if is_own_end(&stream) => {
                last = io::Error::new(ErrorKind::ConnectionRefused, "nobody listens: it met itself");
            }
            Ok(stream) => {
                // Whole batches are written at once: waiting for more would only delay them.
                let prepared = stream.set_nodelay(true);
                return prepared.map(|()| stream).map_err(|failure| error(Stage::Connect, failure));
            }
            Err(failure) => last = failure,
        }
    }
    Err(error(Stage::Connect, last))
}

/// Makes the kernel give up a peer that is silent for `timeout`, whether it owes an acknowledgement or there is nothing to
/// acknowledge.
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

#[cfg(target_os = "linux")]
fn unacknowledged(stream: &TcpStream) -> Option<u64> {
    super::outq::unacknowledged(stream)
}

#[cfg(not(target_os = "linux"))]
fn unacknowledged(_: &TcpStream) -> Option<u64> {
    None
}

/// Whether both ends are one: where nobody listens on a port that the system gives to clients too, it may give us that
/// very port, and what we write we would read ourselves.
fn is_own_end(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(own), Ok(peer)) if own == peer)
}

/// Fails if the peer has closed or reset the connection.
fn look(stream: &mut TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    let seen = drain(stream);
    stream.set_nonblocking(false)?;
    seen
}

fn drain(stream: &mut TcpStream) -> io::Result<()> {
    let mut scrap = [0; 1024];
    // A peer that never stops talking must not keep us from sending.
    for _ in 0..64 {
        match stream.read(&mut scrap) {
            Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "closed by the peer")),
            Ok(_) => {}
            Err(failure) if failure.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(failure) if failure.kind() == ErrorKind::Interrupted => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// Writes all of `bytes` before `timeout` is over, however small the steps; how much was written comes with the failure.
fn write_within(stream: &mut TcpStream, bytes: &[u8], timeout: Duration) -> Result<(), (io::Error, usize)> {
    let deadline = Deadline::after(timeout);
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        match write_some(stream, rest, &deadline) {
            Ok(written) => done += written,
            Err(failure) => return Err((failure, done)),
        }
    }
    Ok(())
}

fn write_some(stream: &mut TcpStream, bytes: &[u8], deadline: &Deadline) -> io::Result<usize> {
    stream.set_write_timeout(Some(deadline.left_or_timeout()?))?;
    match stream.write(bytes) {
        Ok(0) => Err(ErrorKind::WriteZero.into()),
        Ok(written) => Ok(written),
        Err(failure) => go_on(failure).map(|()| 0),
    }
}

/// Closes our half, then reads until the peer closes its own.
fn farewell(stream: &mut TcpStream, timeout: Duration) -> io::Result<()> {
    let deadline = Deadline::after(timeout);
    stream.shutdown(Shutdown::Write)?;
    let mut scrap = [0; 1024];
    loop {
        stream.set_read_timeout(Some(deadline.left_or_timeout()?))?;
        match stream.read(&mut scrap) {
            // The end of a peer that has seen ours acknowledges it. One that does not is of a peer that went before.
            Ok(0) if unacknowledged(stream).is_some_and(|left| left > 0) => {
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
fn go_on(failure: io::Error) -> io::Result<()> {
    match failure.kind() {
        ErrorKind::Interrupted | ErrorKind::WouldBlock => Ok(()),
        ErrorKind::TimedOut if cfg!(windows) => Ok(()),
        _ => Err(failure),
    }
}

/// A moment in the future; one beyond the clock's range is for ever.
struct Deadline(Option<Instant>);

impl Deadline {
    /// The shortest time that the system takes for one; zero would mean none.
    const LEAST: Duration = Duration::from_millis(1);

    fn after(timeout: Duration) -> Self {
        Self(Instant::now().checked_add(timeout))
    }

    fn left(&self) -> Duration {
        const LONG: Duration = Duration::from_secs(24 * 60 * 60);
        self.0.map_or(LONG, |deadline| deadline.saturating_duration_since(Instant::now()))
    }

    fn left_or_timeout(&self) -> io::Result<Duration> {
        match self.left() {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            left => Ok(left.max(Self::LEAST)),
        }
    }
}

/// Where a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Resolve,
    Connect,
    Closed,
    Write,
    Finish,
}

/// What kept lines from being written to a [`Tcp`] peer. It names the peer, and nothing of the lines.
#[derive(Debug)]
#[non_exhaustive]
pub struct TcpError {
    peer: Peer,
    stage: Stage,
    source: io::Error,
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
        &self.source
    }

    fn timed_out(&self) -> bool {
        matches!(self.source.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
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
        let Self { peer, source, .. } = self;
        match self.stage {
            Stage::Resolve => write!(f, "{peer}: the name could not be looked up ({source}): check the host"),
            Stage::Connect => {
                write!(f, "{peer}: no connection ({source}): check the host, the port and that the proxy runs")
            }
            Stage::Closed => write!(f, "{peer}: the connection is gone ({source}): the next send makes a new one"),
            Stage::Write if self.timed_out() => write!(f, "{peer}: a batch could not be written in time"),
            Stage::Write => write!(f, "{peer}: the connection broke while writing ({source})"),
            Stage::Finish if self.timed_out() => write!(f, "{peer}: the proxy did not confirm the end in time"),
            Stage::Finish => write!(f, "{peer}: the connection broke before its end was confirmed ({source})"),
        }
    }
}

impl core::error::Error for TcpError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl TransportError for TcpError {
    fn kind(&self) -> Failure {
        match self.stage {
            Stage::Resolve | Stage::Connect => Failure::Connect,
            Stage::Finish if self.timed_out() => Failure::Timeout,
            Stage::Closed | Stage::Write | Stage::Finish => Failure::Broken,
        }
    }
}
