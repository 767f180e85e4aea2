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
    pub async fn serve<'a>(
        &self,
        port: Port,
        pieces: impl Iterator<Item = &'a [u8]> + Unpin,
        answers: &mut Vec<u8>,
    ) {
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
