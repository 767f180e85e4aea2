//! One bound for everything that waits in memory: half lines and request bodies of all connections together.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

/// What a decoder of gzip needs: its window, its tables and its output.
pub(super) const GZIP: usize = 80 * 1024;

/// How much is left of it.
#[derive(Debug)]
pub(super) struct Room {
    left: AtomicUsize,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(bytes) })
    }

    /// Bytes that may still be held.
    pub(super) fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    /// A share of nothing yet.
    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share { room: Arc::clone(self), held: 0 }
    }
}

/// What one buffer holds of the room; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    room: Arc<Room>,
    held: usize,
}

impl Share {
    /// Makes the share at least `bytes` large. `false`: there is no room, and the share is as it was.
    #[must_use]
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let Some(more) = bytes.checked_sub(self.held) else { return true };
        if more == 0 {
            return true;
        }
        let taken = self.room.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(more));
        if taken.is_ok() {
            self.held = bytes;
        }
        taken.is_ok()
    }

    /// Gives everything back.
    pub(super) fn clear(&mut self) {
        self.room.left.fetch_add(self.held, Ordering::Relaxed);
        self.held = 0;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_exceed_the_room_and_come_back() {
        let room = Room::new(100);
        let mut one = room.share();
        let mut two = room.share();
        assert!(one.grow(60));
        assert!(!two.grow(41), "only 40 are left");
        assert!(two.grow(40));
        assert!(one.grow(10), "a share is never made smaller");
        drop(one);
        assert!(two.grow(100));
        two.clear();
        assert!(room.share().grow(100));
    }
}
