//! A TCP stream of lines, compressed or not, as one port takes it.

use std::boxed::Box;
use std::io::{self, Write};
use std::sync::Arc;

use flate2::write::MultiGzDecoder;

use super::builder::Port;
use super::judge::{Judge, Takes};
use super::room::{GZIP, Share};
use super::server::Shared;
use super::split::{Lines, Splitter};
use super::summary::{Summary, Via};

/// The lines of one connection.
pub(super) enum LineStream {
    Plain(Sink),
    Gzip { decoder: Box<MultiGzDecoder<Sink>>, broken: bool, _memory: Share },
}

impl LineStream {
    pub(super) fn lines(shared: &Arc<Shared>, port: Port) -> Self {
        Self::Plain(Sink::new(shared, port))
    }

    /// None where there is no memory for one more decoder.
    pub(super) fn gzip(shared: &Arc<Shared>, port: Port) -> Option<Self> {
        let mut share = shared.room.share();
        let sink = Sink::new(shared, port);
        if !share.grow(GZIP) {
            sink.lines.reject("no memory left for a compressed stream: too many connections send one", b"");
            return None;
        }
        Some(Self::Gzip { decoder: Box::new(MultiGzDecoder::new(sink)), broken: false, _memory: share })
    }

    /// Judges, writes and counts the lines that `bytes` ends; keeps the half one at the end. After an error the stream
    /// has ended.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(sink) => {
                sink.splitter.feed(bytes, &mut sink.lines)?;
                sink.lines.check()
            }
            Self::Gzip { decoder, broken, .. } => {
                let result = decoder.write_all(bytes).and_then(|()| decoder.flush());
                *broken = result.is_err();
                let lines = &decoder.get_ref().lines;
                lines.check()?;
                if result.is_err() {
                    lines.reject("the gzip stream is broken", b"");
                }
                result
            }
        }
    }

    pub(super) fn any_accepted(&self) -> bool {
        self.sink().lines.accepted
    }

    /// Whether lines were lost here, not by the one who sent them.
    pub(super) fn failed(&self) -> bool {
        self.sink().lines.failed
    }

    /// The connection has ended: a half line is dropped, and counted.
    pub(super) fn finish(mut self) {
        let sink = match &mut self {
            Self::Plain(sink) => sink,
            Self::Gzip { decoder, broken, .. } => {
                // Where the stream broke or was cut off the decoder still has what stood before, which it would hand
                // over when it is dropped: behind the half line here.
                let end = decoder.try_finish();
                // Nothing comes behind the last checksum that would make the decoder look at it. A stream that is cut
                // off before is no error.
                if !*broken && end.is_err_and(|error| error.kind() == io::ErrorKind::InvalidInput) {
                    decoder.get_ref().lines.reject("the checksum of the gzip stream is wrong or missing", b"");
                }
                decoder.get_mut()
            }
        };
        if let Some(half) = sink.splitter.finish() {
            sink.lines.reject("the connection ended in the middle of the line", &half);
        }
    }

    fn sink(&self) -> &Sink {
        match self {
            Self::Plain(sink) => sink,
            Self::Gzip { decoder, .. } => decoder.get_ref(),
        }
    }
}

/// Where the bytes of a stream end up.
pub(super) struct Sink {
    splitter: Splitter,
    lines: PortLines,
}

impl Sink {
    fn new(shared: &Arc<Shared>, port: Port) -> Self {
        let limit = match port {
            Port::Metrics => shared.limits.metric_line,
            Port::Histograms => shared.limits.histogram_line,
            Port::Traces => shared.limits.trace_line,
        };
        let splitter = Splitter::new(limit, shared.room.share());
        let lines = PortLines { shared: Arc::clone(shared), port, limit, accepted: false, failed: false };
        Self { splitter, lines }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.splitter.feed(bytes, &mut self.lines)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a port does with whole lines.
struct PortLines {
    shared: Arc<Shared>,
    port: Port,
    limit: usize,
    accepted: bool,
    failed: bool,
}

impl PortLines {
    /// An error once lines were lost.
    fn check(&self) -> io::Result<()> {
        if self.failed { Err(io::Error::other("lines could not be kept")) } else { Ok(()) }
    }

    fn reject(&self, reason: &str, line: &[u8]) {
        let line = super::judge::beginning(line, self.limit);
        let mut counts = Summary::default();
        counts.reject(Via::Tcp, Takes::on(self.port).kind_of_beginning(&line), reason, &line);
        self.shared.ledger.merge(&counts);
    }
}

impl Lines for PortLines {
    type Error = io::Error;

    fn chunk(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut judge = Judge::new(&self.shared, Via::Tcp, self.port, Takes::on(self.port), self.limit);
        judge.lines(lines);
        if self.failed {
            // Read together with what could not be written: lost with it, and counted with it.
            judge.lose();
            return Ok(());
        }
        let accepted = judge.accepted();
        match judge.settle(lines) {
            Ok(()) => self.accepted |= accepted,
            Err(_) => self.failed = true,
        }
        Ok(())
    }

    fn too_long(&mut self, beginning: &[u8]) -> io::Result<()> {
        self.reject(&super::judge::too_long(self.limit), beginning);
        Ok(())
    }

    fn no_room(&mut self, beginning: &[u8]) -> io::Error {
        self.failed = true;
        self.reject("no memory left for a half line: too many connections hold one", beginning);
        io::ErrorKind::OutOfMemory.into()
    }
}
