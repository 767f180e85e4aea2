//! A collector without sockets and threads: for the laws that hold for any bytes on a connection.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::sync::Arc;
use std::vec::Vec;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

use super::builder::{Builder, Port};
use super::connection;
use super::room::Room;
use super::server::{Guest, Kept, Shared, lock};
use super::summary::Summary;

/// A collector that serves streams one by one. No part of the interface: this crate's own tests have it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Offline {
    shared: Arc<Shared>,
    room: usize,
}

impl Offline {
    /// As `builder` says but for its ports and its file, with `room` bytes for half lines and bodies.
    pub fn new(builder: Builder, room: usize) -> Self {
        let mut shared = Shared::new(builder, None);
        shared.room = Room::new(room);
        Self { shared: Arc::new(shared), room }
    }

    /// Serves a connection that brings `pieces`, a read each, and then ends; what it is answered is added to `answers`.
    ///
    /// Needs a runtime of tokio with time.
    pub async fn serve<'a>(&self, port: Port, pieces: impl Iterator<Item = &'a [u8]> + Unpin, answers: &mut Vec<u8>) {
        let (_stop, stopping) = watch::channel(false);
        let script = Script { pieces, piece: &[], answers };
        connection::serve(script, port, Guest::enter(&self.shared, 0), stopping).await;
    }

    /// What was counted until now.
    pub fn snapshot(&self) -> Summary {
        self.shared.ledger.snapshot()
    }

    /// The last accepted lines.
    pub fn kept(&self) -> Vec<Kept> {
        lock(&self.shared.kept).iter().cloned().collect()
    }

    /// How many bytes half lines and bodies hold.
    pub fn held(&self) -> usize {
        self.room - self.shared.room.left()
    }
}

/// A connection whose other side sends what is written here, and takes everything.
struct Script<'a, 'w, I> {
    pieces: I,
    piece: &'a [u8],
    answers: &'w mut Vec<u8>,
}

impl<'a, I: Iterator<Item = &'a [u8]> + Unpin> AsyncRead for Script<'a, '_, I> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.piece.is_empty() {
            let Some(piece) = self.pieces.next() else { return Poll::Ready(Ok(())) };
            self.piece = piece;
        }
        let (now, later) = self.piece.split_at(self.piece.len().min(into.remaining()));
        into.put_slice(now);
        self.piece = later;
        Poll::Ready(Ok(()))
    }
}

impl<I: Unpin> AsyncWrite for Script<'_, '_, I> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.answers.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl<'a, I: Iterator<Item = &'a [u8]> + Unpin> connection::Stream for Script<'a, '_, I> {
    fn will_reset(&mut self) {}
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;
    use std::vec;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tokio::runtime;

    use super::*;
    use crate::{Kind, Limits};

    /// What is counted and answered where `stream` comes in pieces of `step` bytes.
    fn served(port: Port, stream: &[u8], step: usize) -> (Summary, Vec<u8>) {
        let mut limits = Limits::DEFAULT;
        (limits.metric_line, limits.trace_line) = (60, 60);
        let offline = Offline::new(Builder::new().limits(limits), 1 << 20);
        let mut answers = vec![];
        let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(offline.serve(port, stream.chunks(step), &mut answers));
        assert_eq!(offline.held(), 0);
        (offline.snapshot(), answers)
    }

    fn counts(port: Port, stream: &[u8]) -> Vec<(Kind, u64, u64)> {
        let (whole, _) = served(port, stream, usize::MAX);
        for step in 1..90 {
            let (cut, _) = served(port, stream, step);
            assert_eq!(cut, whole, "in pieces of {step} bytes");
        }
        let counts = Kind::ALL.map(|kind| (kind, whole.counts(kind).accepted, whole.counts(kind).rejected));
        counts.into_iter().filter(|(_, accepted, rejected)| accepted + rejected > 0).collect()
    }

    #[test]
    fn a_line_over_the_limit_is_the_same_however_it_comes() {
        let json = [b"{\"traceId\":\"", &[b'1'; 60][..], b"\"}\n"].concat();
        assert_eq!(counts(Port::Metrics, &json), [(Kind::SpanLogs, 0, 1)]);
        assert_eq!(counts(Port::Traces, &json), [(Kind::SpanLogs, 0, 1)]);
        let behind_blanks = ["   ∆", &"a".repeat(70), "\n"].concat();
        assert_eq!(counts(Port::Metrics, behind_blanks.as_bytes()), [(Kind::Delta, 0, 1)]);
        assert_eq!(counts(Port::Metrics, &[&[b' '; 70][..], b"\na 1 source=b\n"].concat()), [(Kind::Metric, 1, 1)]);
    }

    #[test]
    fn what_stands_before_the_break_of_a_gzip_stream_counts_however_it_comes() {
        let mut gzip = GzEncoder::new(vec![], Compression::default());
        for number in 0..200 {
            std::writeln!(gzip, "a{number} {} source=b", number * number).unwrap();
        }
        let whole = gzip.finish().unwrap();
        for at in (20..whole.len() - 8).step_by(29) {
            let mut broken = whole.clone();
            broken.truncate(at);
            broken.extend([0xff; 40]);
            let (mut all, _) = served(Port::Metrics, &broken, usize::MAX);
            for step in [1, 7, 64] {
                let (cut, _) = served(Port::Metrics, &broken, step);
                // How much was read when it was found broken.
                all.bytes = cut.bytes;
                assert_eq!(cut, all, "broken at {at}, in pieces of {step} bytes");
            }
        }
    }

    #[test]
    fn the_last_checksum_of_a_gzip_stream_counts_however_it_comes() {
        let member = |lines: &str| {
            let mut gzip = GzEncoder::new(vec![], Compression::default());
            gzip.write_all(lines.as_bytes()).unwrap();
            gzip.finish().unwrap()
        };
        let (first, whole) = (member("a 1 source=b\n"), [member("a 1 source=b\n"), member("a 2 source=b\n")].concat());
        assert_eq!(counts(Port::Metrics, &whole), [(Kind::Metric, 2, 0)]);
        for at in whole.len() - 8..whole.len() {
            let mut wrong = whole.clone();
            wrong[at] ^= 1;
            assert_eq!(counts(Port::Metrics, &wrong), [(Kind::Metric, 2, 1)], "byte {at}");
            assert_eq!(counts(Port::Metrics, &whole[..at]), [(Kind::Metric, 2, 1)], "cut off at {at}");
        }
        // Cut off behind a member or in the head of the next: what came until then counts.
        for at in first.len()..=first.len() + 10 {
            assert_eq!(counts(Port::Metrics, &whole[..at]), [(Kind::Metric, 1, 0)], "cut off at {at}");
        }
    }

    #[test]
    fn a_head_over_the_limit_is_counted_as_it_is_answered() {
        let request = ["GET / HTTP/1.1\r\na: ", &"b".repeat(40_000), "\r\n\r\n"].concat();
        let (summary, answers) = served(Port::Metrics, request.as_bytes(), 8_000);
        assert!(answers.starts_with(b"HTTP/1.1 431 "));
        assert_eq!(summary.statuses.into_iter().collect::<Vec<_>>(), [(431, 1)]);
    }
}
