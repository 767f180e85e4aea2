//! One connection: HTTP or lines, by its first two bytes.

use core::cell::RefCell;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Poll, ready};
use core::time::Duration;
use std::boxed::Box;
use std::io::{self, Write};
use std::time::Instant;
use std::vec::Vec;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::builder::Port;
use super::http;
use super::lines::LineStream;
use super::server::{Guest, QUIET};

/// Bytes read at once. The buffer belongs to the thread, not to the connection: an idle one costs nothing.
const READ: usize = 64 * 1024;

std::thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http,
    Lines,
    Gzip,
}

impl Protocol {
    /// As a proxy does: GET, POST, PUT, HEAD, OPTIONS, PATCH, DELETE, TRACE, CONNECT; the mark of gzip; else lines.
    fn of(first: [u8; 2]) -> Self {
        match &first {
            b"GE" | b"PO" | b"PU" | b"HE" | b"OP" | b"PA" | b"DE" | b"TR" | b"CO" => Self::Http,
            [0x1f, 0x8b] => Self::Gzip,
            _ => Self::Lines,
        }
    }
}

/// What carries a connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {
    /// From now on its end is a reset: the other side learns that what it sent was lost.
    fn will_reset(&mut self);
}

impl Stream for TcpStream {
    fn will_reset(&mut self) {
        let _ = self.set_zero_linger();
    }
}

/// Serves a connection to its end.
pub(super) async fn serve<S: Stream>(stream: S, port: Port, guest: Guest, mut stopping: watch::Receiver<bool>) {
    let mut socket = Socket { stream, guest: &guest, stopping: &mut stopping, stopped_at: None, lines: false };
    let mut first = Vec::with_capacity(2);
    while first.len() < 2 {
        let missing = 2 - first.len();
        if !socket.read(missing, |bytes| Write::write_all(&mut first, bytes)).await {
            // One byte is a half line too.
            let mut lines = LineStream::lines(socket.guest.shared(), port);
            let _ = lines.feed(&first);
            lines.finish();
            return;
        }
    }
    let protocol = Protocol::of([first[0], first[1]]);
    if protocol == Protocol::Http {
        let stream = socket.stream;
        // On the heap, so that connections of lines stay small.
        Box::pin(http::serve(stream, first, port, &guest, stopping)).await;
        return;
    }
    let mut lines = match protocol {
        Protocol::Gzip => match LineStream::gzip(socket.guest.shared(), port) {
            Some(lines) => lines,
            None => return,
        },
        _ => LineStream::lines(socket.guest.shared(), port),
    };
    socket.lines = true;
    if lines.feed(&first).is_ok() {
        drop(first);
        while socket.read(READ, |bytes| lines.feed(bytes)).await {
            if lines.any_accepted() {
                socket.guest.prove();
            }
        }
    }
    if lines.failed() {
        socket.stream.will_reset();
    }
    lines.finish();
}

/// A stream with its three ends: silence, a stop, and somebody who needs the place.
struct Socket<'a, S> {
    stream: S,
    guest: &'a Guest,
    stopping: &'a mut watch::Receiver<bool>,
    stopped_at: Option<Instant>,
    /// Whether it is known to be a stream of lines, which gets no answer.
    lines: bool,
}

impl<S: Stream> Socket<'_, S> {
    /// Reads once, at most `limit` bytes, and hands them to `take`. `false`: the end.
    async fn read(&mut self, limit: usize, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> bool {
        loop {
            let patience = match self.stopped_at {
                None => self.guest.shared().idle,
                Some(since) if since.elapsed() > Duration::from_secs(2) => return false,
                Some(_) => QUIET,
            };
            let stream = &mut self.stream;
            let read = poll_fn(|context| {
                BUFFER.with_borrow_mut(|buffer| {
                    buffer.resize(READ, 0);
                    let mut buffer = ReadBuf::new(&mut buffer[..limit.min(READ)]);
                    ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
                    let bytes = buffer.filled();
                    self.guest.shared().ledger.update(|summary| summary.bytes += bytes.len() as u64);
                    take(bytes)?;
                    Poll::Ready(Ok::<_, io::Error>(bytes.len()))
                })
            });
            tokio::select! {
                // A stop comes first, but for what has arrived: the loop goes on until there is silence.
                biased;
                () = stopped(self.stopping), if self.stopped_at.is_none() => {
                    self.stopped_at = Some(Instant::now());
                    if self.lines {
                        // The other side sees a FIN and sends no more.
                        let _ = self.stream.shutdown().await;
                    }
                }
                () = self.guest.asked_to_leave() => return false,
                read = tokio::time::timeout(patience, read) => return matches!(read, Ok(Ok(1..))),
            }
        }
    }
}

/// Done when the collector was stopped, or is gone.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_bytes_decide() {
        for method in ["GET", "POST", "PUT", "HEAD", "OPTIONS", "PATCH", "DELETE", "TRACE", "CONNECT"] {
            let &[a, b, ..] = method.as_bytes() else { continue };
            assert_eq!(Protocol::of([a, b]), Protocol::Http, "{method}");
        }
        assert_eq!(Protocol::of([0x1f, 0x8b]), Protocol::Gzip);
        assert_eq!(Protocol::of(*b"\"a"), Protocol::Lines);
        assert_eq!(Protocol::of(*b"Ge"), Protocol::Lines);
    }
}
