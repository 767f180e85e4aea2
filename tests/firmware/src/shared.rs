//! A queue that interrupts use too.

use core::cell::RefCell;
use core::time::Duration;

use critical_section::Mutex;
use wavefront_sdk::Kind;
use wavefront_sdk::delivery::{Backoff, Config, View};
use wavefront_sdk::uplink::{Access, Queue};

/// A queue of `S` segments and `L` kinds in a `static`, once it is put there.
pub struct Shared<const S: usize, const L: usize>(Mutex<RefCell<Option<Queue<'static, S, L>>>>);

impl<const S: usize, const L: usize> Shared<S, L> {
    /// No queue yet: lines are refused as [`Busy`](wavefront_sdk::uplink::Unsent::Busy).
    pub const fn empty() -> Self {
        Self(Mutex::new(RefCell::new(None)))
    }

    /// Puts a queue there. Not inlined: what the stack holds of the queue on its way is gone before anything else begins.
    #[inline(never)]
    pub fn fill<const N: usize>(&self, segments: &'static mut [[u8; N]; S], kinds: [Kind; L]) {
        critical_section::with(|token| {
            if let Ok(mut place) = self.0.borrow(token).try_borrow_mut() {
                *place = Some(Queue::over(segments, kinds, config()));
            }
        });
    }
}

impl<const S: usize, const L: usize> Access for &Shared<S, L> {
    type Buf = &'static mut [u8];

    fn with<R>(&mut self, work: impl FnOnce(&mut View<'_, Self::Buf>) -> R) -> Option<R> {
        critical_section::with(|token| Some(work(&mut self.0.borrow(token).try_borrow_mut().ok()?.as_mut()?.view())))
    }
}

/// Short waits, and nothing kept of what is written: a UART never says that it broke.
pub fn config() -> Config {
    let mut config = Config::DEFAULT;
    config.flush_interval = Duration::from_millis(50);
    config.backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(50));
    config.replay_bytes = 0;
    config
}
