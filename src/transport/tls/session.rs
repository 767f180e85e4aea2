//! A connection by TLS over a socket that is watched as one without is.
//!
//! Of what was written, the kernel says how many bytes are not acknowledged, but those are sealed: records, greetings
//! and farewells. Here it is noted where each record ends, so that it is known which bytes of the lines they are. A
//! record of which the peer's kernel has a part is of no use to the peer, and counts as not acknowledged.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::boxed::Box;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::string::ToString;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, SignatureScheme};

use super::{Tls, TlsError};
use crate::transport::watched::{Deadline, Socket, go_on};

/// What sessions with one peer are made from.
#[derive(Debug, Clone)]
pub(in crate::transport) struct Sessions {
    config: Arc<ClientConfig>,
    asked: Arc<Asked>,
}

/// Our certificate, and whether the peer has asked for one.
#[derive(Debug)]
struct Asked {
    own: Arc<dyn ResolvesClientCert>,
    asked: AtomicBool,
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, root_hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.own.resolve(root_hints, schemes)
    }

    fn has_certs(&self) -> bool {
        self.own.has_certs()
    }
}

impl Sessions {
    /// How long a peer that asked for our certificate has to say something, before it is taken for content.
    const VERDICT: Duration = Duration::from_secs(1);

    pub(in crate::transport) fn new(tls: &Tls) -> Result<Self, TlsError> {
        let mut config = tls.config()?;
        let asked = Arc::new(Asked { own: config.client_auth_cert_resolver, asked: AtomicBool::new(false) });
        config.client_auth_cert_resolver = asked.clone();
        Ok(Self { config: Arc::new(config), asked })
    }

    /// Greets the peer on `socket`, which has to be `host`.
    pub(in crate::transport) fn greet(
        &self,
        socket: TcpStream,
        host: &str,
        deadline: &Deadline,
    ) -> io::Result<Session> {
        let name = ServerName::try_from(host.to_string())
            .map_err(|_| io::Error::new(ErrorKind::InvalidInput, "no certificate can be for that host"))?;
        self.asked.asked.store(false, Ordering::Relaxed);
        let tls = ClientConnection::new(self.config.clone(), name).map_err(io::Error::other)?;
        let mut session = Session {
            socket,
            tls: Box::new(tls),
            written: 0,
            sealed: 0,
            sent: Sent::default(),
            ending: false,
            ended: false,
        };
        while session.tls.is_handshaking() || session.tls.wants_write() {
            session.speak(deadline)?;
            if session.tls.is_handshaking() {
                session.listen(deadline)?;
            }
        }
        // Since TLS 1.3 our side is done before the peer has looked at our certificate. What we would write meanwhile
        // is lost if it does not like it; if it does, most send a ticket.
        let last = session.tls.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        if last && self.asked.asked.load(Ordering::Relaxed) {
            match session.listen(&Deadline::after(deadline.left().min(Self::VERDICT))) {
                Err(failure) if failure.kind() == ErrorKind::TimedOut => {}
                said => said?,
            }
        }
        Ok(session)
    }
}

/// A connection that both ends have agreed on.
pub(in crate::transport) struct Session {
    socket: TcpStream,
    tls: Box<ClientConnection>,
    /// Bytes that were written to the socket, of whatever meaning.
    written: u64,
    /// Bytes of lines in them.
    sealed: u64,
    sent: Sent,
    /// Whether our farewell was sealed, and our half is closed.
    ending: bool,
    ended: bool,
}

impl Session {
    /// The most of a record (RFC 8446, 5.1).
    const RECORD: usize = 1 << 14;

    /// Takes what the peer says next; false at its end.
    fn hear(&mut self) -> io::Result<bool> {
        if self.tls.read_tls(&mut self.socket)? == 0 {
            return Ok(false);
        }
        self.tls.process_new_packets().map_err(io::Error::other)?;
        Ok(true)
    }

    /// Waits until the peer says something.
    fn listen(&mut self, deadline: &Deadline) -> io::Result<()> {
        loop {
            Socket::set_read_timeout(&self.socket, deadline.left_or_timeout()?)?;
            match self.hear() {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "closed by the peer")),
                Err(failure) if failure.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
                    // The peer is told why, if that can be done.
                    let _ = self.speak(deadline);
                    return Err(failure);
                }
                Err(failure) => go_on(failure)?,
            }
        }
    }

    /// Writes what is sealed.
    fn speak(&mut self, deadline: &Deadline) -> io::Result<()> {
        while self.tls.wants_write() {
            Socket::set_write_timeout(&self.socket, deadline.left_or_timeout()?)?;
            self.flush().or_else(go_on)?;
        }
        Ok(())
    }

    /// Bytes of lines that were sealed and are not acknowledged, and whether our end is not.
    fn left(&self) -> Option<(u64, bool)> {
        let left = self.socket.unacknowledged()?;
        // Our FIN is one byte to the kernel, and the last.
        let end = self.ended && left > 0;
        let lines =
            self.sealed - self.sent.acknowledged(self.written - left.saturating_sub(end.into()).min(self.written));
        Some((lines, end))
    }
}

impl Read for Session {
    /// Once our half is closed, it is the peer's end that counts, and not what it says before, as without TLS: its
    /// farewell may come, or not.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while !self.ended {
            match self.tls.reader().read(buf) {
                Err(failure) if failure.kind() == ErrorKind::WouldBlock => {}
                // An end without a farewell.
                Err(failure) if failure.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            if !self.hear()? {
                return Ok(0);
            }
        }
        self.socket.read(buf)
    }
}

impl Write for Session {
    /// What is sealed is taken, and leaves with the next call at the latest.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        let sealed = self.tls.writer().write(bytes.get(..Self::RECORD).unwrap_or(bytes))?;
        self.sealed += sealed as u64;
        match self.flush() {
            Err(failure) if go_on(failure.kind().into()).is_err() => {
                // Whoever writes is told that it was not taken.
                self.sealed -= sealed as u64;
                Err(failure)
            }
            _ => Ok(sealed),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket)? {
                0 => return Err(ErrorKind::WriteZero.into()),
                written => self.written += written as u64,
            }
        }
        self.sent.note(self.written, self.sealed, self.socket.unacknowledged());
        Ok(())
    }
}

impl Socket for Session {
    fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        Socket::set_nonblocking(&self.socket, on)
    }

    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        Socket::set_read_timeout(&self.socket, timeout)
    }

    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        Socket::set_write_timeout(&self.socket, timeout)
    }

    fn end(&mut self) -> io::Result<()> {
        if !self.ending {
            self.tls.send_close_notify();
            self.ending = true;
        }
        self.flush()?;
        self.socket.shutdown(Shutdown::Write)?;
        self.ended = true;
        Ok(())
    }

    fn unacknowledged(&self) -> Option<u64> {
        self.left().map(|(lines, end)| lines + u64::from(end))
    }

    fn left(&self, own: u64) -> Option<u64> {
        let (lines, _) = Self::left(self)?;
        // Of an end in order nothing is our own but the end.
        Some(if self.ending { lines } else { lines.saturating_sub(own) })
    }
}

/// Which bytes of lines have gone with which bytes of the socket.
#[derive(Debug, Default)]
struct Sent {
    /// Records that may not be acknowledged: what had been written to the socket, and of lines, at the end of each.
    records: VecDeque<(u64, u64)>,
    /// Bytes of lines in those before.
    acknowledged: u64,
}

impl Sent {
    /// `written` bytes have gone to the socket, and `sealed` bytes of lines with them, of which `left` are not
    /// acknowledged.
    fn note(&mut self, written: u64, sealed: u64, left: Option<u64>) {
        // Where nobody knows, nothing is kept.
        let Some(left) = left else { return };
        while let Some((_, lines)) = self.records.front().filter(|(end, _)| *end <= written.saturating_sub(left)) {
            self.acknowledged = *lines;
            self.records.pop_front();
        }
        if self.records.back().map_or(self.acknowledged, |(_, lines)| *lines) < sealed {
            self.records.push_back((written, sealed));
        }
    }

    /// Bytes of lines that are acknowledged where the first `written` bytes of the socket are.
    fn acknowledged(&self, written: u64) -> u64 {
        let known = self.records.iter().take_while(|(end, _)| *end <= written).last();
        known.map_or(self.acknowledged, |(_, lines)| *lines)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { socket, sealed, .. } = self;
        f.debug_struct("Session").field("socket", socket).field("sealed", sealed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_once_all_of_it_is_acknowledged() {
        let mut sent = Sent::default();
        sent.note(100, 0, Some(100));
        // After a greeting of 100 bytes, lines of 50, 10 and 50 bytes with 22 around each.
        for (written, sealed) in [(172, 50), (204, 60), (276, 110)] {
            sent.note(written, sealed, Some(written));
        }
        for (written, lines) in [(0, 0), (100, 0), (171, 0), (172, 50), (203, 50), (204, 60), (250, 60), (300, 110)] {
            assert_eq!(sent.acknowledged(written), lines, "{written}");
        }
        sent.note(300, 110, Some(96));
        assert_eq!((sent.records.len(), sent.acknowledged(0)), (1, 60), "what is acknowledged is not kept");
        sent.note(300, 110, Some(0));
        assert_eq!((sent.records.len(), sent.acknowledged(0)), (0, 110));
    }
}
