//! SIGINT and SIGTERM, awaited or as a flag.

use core::sync::atomic::{AtomicBool, Ordering};
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

/// Whether the user wants it to end.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<Noted>);

#[derive(Debug, Default)]
struct Noted {
    came: AtomicBool,
    /// Held while that changes, for those who wait.
    change: Mutex<()>,
    changed: Condvar,
}

impl Interrupt {
    /// Listens from now on. The first signal is noted; the second ends the process at once.
    pub(crate) fn listen() -> io::Result<Self> {
        let noted = Self(Arc::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut signals = {
            let _inside = runtime.enter();
            Signals::new()?
        };
        let flag = noted.clone();
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            runtime.block_on(async {
                signals.wait().await;
                flag.note();
                std::process::exit(signals.wait().await);
            });
        })?;
        Ok(noted)
    }

    /// Whether a signal came.
    pub(crate) fn came(&self) -> bool {
        self.0.came.load(Ordering::Relaxed)
    }

    /// Waits until then; whether a signal came first.
    pub(crate) fn comes_before(&self, then: Instant) -> bool {
        let guard = self.0.change.lock().unwrap_or_else(PoisonError::into_inner);
        let left = then.saturating_duration_since(Instant::now());
        let waited = self.0.changed.wait_timeout_while(guard, left, |()| !self.came());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.came()
    }

    fn note(&self) {
        let _guard = self.0.change.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.came.store(true, Ordering::Relaxed);
        self.0.changed.notify_all();
    }
}

/// What ends a command. Handlers are set even where the signal was ignored from the start, as a shell does for a
/// command behind `&`.
#[cfg(unix)]
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next signal; the exit status that says so.
    pub(crate) async fn wait(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => 128 + 2,
            _ = self.terminate.recv() => 128 + 15,
        }
    }
}

#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) async fn wait(&mut self) -> i32 {
        let _ = tokio::signal::ctrl_c().await;
        130
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn who_waits_is_woken_by_the_signal() {
        let interrupt = Interrupt(Arc::default());
        assert!(!interrupt.comes_before(Instant::now()), "nothing came");
        let other = interrupt.clone();
        let waiting = std::thread::spawn(move || other.comes_before(Instant::now() + Duration::from_secs(3600)));
        interrupt.note();
        assert!(waiting.join().unwrap_or(false) && interrupt.came());
    }
}
