//! Locks, threads and the clock of a sender: the system's; or, in the models of its protocol, ones that try every order
//! in which threads can take their steps.
//!
//! In a model nothing times out and no time passes: what is not woken sleeps for ever, and the model says so.

#[cfg(all(test, models))]
pub(super) use self::model::{Condvar, Instant, Mutex, MutexGuard, TIMES_OUT, own_number, producers, spawn, spin_loop};
#[cfg(not(all(test, models)))]
pub(super) use self::system::{
    Condvar, Instant, Mutex, MutexGuard, TIMES_OUT, own_number, producers, spawn, spin_loop,
};

#[cfg(not(all(test, models)))]
mod system {
    use core::cell::Cell;
    pub(in crate::sender) use core::hint::spin_loop;
    use core::sync::atomic::{AtomicUsize, Ordering};
    pub(in crate::sender) use std::sync::{Condvar, Mutex, MutexGuard};
    pub(in crate::sender) use std::time::Instant;

    /// Whether a wait with a timeout ends by itself.
    pub(in crate::sender) const TIMES_OUT: bool = true;

    /// Starts a thread that nobody waits for.
    pub(in crate::sender) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        std::thread::Builder::new().name(name.into()).spawn(work).map(drop)
    }

    /// How many threads it is worth keeping apart: four for each that can run at a time, so that two which do seldom
    /// share a stripe, whichever of many they are.
    pub(in crate::sender) fn producers() -> usize {
        std::thread::available_parallelism().map_or(1, core::num::NonZero::get).saturating_mul(4)
    }

    /// A number of the calling thread's own.
    pub(in crate::sender) fn own_number() -> usize {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        std::thread_local! {
            static OWN: Cell<usize> = const { Cell::new(usize::MAX) };
        }
        OWN.try_with(|own| {
            if own.get() == usize::MAX {
                own.set(NEXT.fetch_add(1, Ordering::Relaxed) % (1 << 16));
            }
            own.get()
        })
        .unwrap_or(0)
    }
}

#[cfg(all(test, models))]
mod model {
    use core::ops::Add;
    use core::time::Duration;
    pub(in crate::sender) use loom::hint::spin_loop;
    pub(in crate::sender) use loom::sync::{Condvar, Mutex, MutexGuard};

    pub(in crate::sender) const TIMES_OUT: bool = false;

    /// In words: what a model is given by default is too little for a ledger or two.
    const STACK: usize = 32 << 10;

    pub(in crate::sender) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        loom::thread::Builder::new().name(name.into()).stack_size(STACK).spawn(work).map(drop)
    }

    /// One stripe: so producers meet.
    pub(in crate::sender) fn producers() -> usize {
        1
    }

    pub(in crate::sender) fn own_number() -> usize {
        0
    }

    /// A moment on a clock that stands still.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub(in crate::sender) struct Instant(Duration);

    impl Instant {
        pub(in crate::sender) fn now() -> Self {
            Self(Duration::ZERO)
        }

        pub(in crate::sender) fn elapsed(self) -> Duration {
            Duration::ZERO
        }

        pub(in crate::sender) fn checked_add(self, wait: Duration) -> Option<Self> {
            self.0.checked_add(wait).map(Self)
        }

        pub(in crate::sender) fn checked_duration_since(self, earlier: Self) -> Option<Duration> {
            self.0.checked_sub(earlier.0)
        }

        pub(in crate::sender) fn saturating_duration_since(self, earlier: Self) -> Duration {
            self.0.saturating_sub(earlier.0)
        }
    }

    impl Add<Duration> for Instant {
        type Output = Self;

        fn add(self, wait: Duration) -> Self {
            Self(self.0 + wait)
        }
    }
}
