//! Tells the application: its hook, the log, the trace. No lock is held meanwhile, and a panic ends here.

use core::cell::RefCell;
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::vec::Vec;

use super::incident::Incident;
#[cfg(any(feature = "log", feature = "tracing"))]
use super::limiter::KeptBack;
use super::news::Item;

/// What an application gives to [`on_error`](super::SenderBuilder::on_error).
pub(super) type Hook = Arc<dyn Fn(&Incident) + Send + Sync>;

/// Who is told.
pub(super) struct Listener {
    hook: Mutex<Option<Hook>>,
}

std::thread_local! {
    /// The senders of which this thread is telling something, by [`Listener::id`].
    static TELLING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

impl Listener {
    pub(super) fn new(hook: Option<Hook>) -> Self {
        Self { hook: Mutex::new(hook) }
    }

    /// Whether this thread is inside of a call of [`tell`](Self::tell): it may be the very one that others wait for.
    pub(super) fn is_telling(&self) -> bool {
        TELLING.try_with(|telling| telling.borrow().contains(&self.id())).unwrap_or(false)
    }

    fn id(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    /// Tells the items in their order. To be called without any lock.
    pub(super) fn tell(&self, items: &[Item]) {
        let hook = self.hook.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let _ = TELLING.try_with(|telling| telling.borrow_mut().push(self.id()));
        for item in items {
            // The hook is the application's, and so is what stands behind the log.
            let _ = catch_unwind(AssertUnwindSafe(|| match item {
                Item::Incident(incident) => {
                    if let Some(hook) = &hook {
                        hook(incident);
                    }
                }
                #[cfg(any(feature = "log", feature = "tracing"))]
                Item::Log(incident, kept_back) => log(incident, *kept_back),
                #[cfg(any(feature = "log", feature = "tracing"))]
                Item::Again { after, failures } => again(*after, *failures),
            }));
        }
        // What the hook holds may have to be dropped here: a handle, say.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(hook)));
        let _ = TELLING.try_with(|telling| telling.borrow_mut().pop());
    }

    /// Forgets the hook, and so the handle that it may hold.
    pub(super) fn fall_silent(&self) {
        let hook = self.hook.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = catch_unwind(AssertUnwindSafe(move || drop(hook)));
    }
}

/// What was kept back, in words.
#[cfg(any(feature = "log", feature = "tracing"))]
struct Also(KeptBack);

#[cfg(any(feature = "log", feature = "tracing"))]
impl core::fmt::Display for Also {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            KeptBack { incidents: 0, .. } => Ok(()),
            KeptBack { incidents, lines } => write!(f, " (and {incidents} more like it, of {lines} lines, kept back)"),
        }
    }
}

/// Kept lines are a warning, others an error.
#[cfg(any(feature = "log", feature = "tracing"))]
fn log(incident: &Incident, kept_back: KeptBack) {
    let is_kept = incident.fate == super::Fate::Kept;
    let also = Also(kept_back);
    #[cfg(feature = "log")]
    {
        let level = if is_kept { log::Level::Warn } else { log::Level::Error };
        log::log!(target: TARGET, level, "{incident}{also}");
    }
    #[cfg(feature = "tracing")]
    {
        let (kind, lines, status) = (incident.kind.map(crate::Kind::as_str), incident.lines, incident.status());
        let kept_back = kept_back.incidents;
        if is_kept {
            tracing::warn!(target: TARGET, kind, lines, status, kept_back, "{incident}{also}");
        } else {
            tracing::error!(target: TARGET, kind, lines, status, kept_back, "{incident}{also}");
        }
    }
}

#[cfg(any(feature = "log", feature = "tracing"))]
fn again(after: core::time::Duration, failures: usize) {
    let tries = if failures == 1 { "failed try" } else { "failed tries" };
    #[cfg(feature = "log")]
    log::info!(target: TARGET, "delivering again after {after:?} and {failures} {tries}");
    #[cfg(feature = "tracing")]
    tracing::info!(target: TARGET, failures, "delivering again after {after:?} and {failures} {tries}");
}

/// Who says it, in logs.
#[cfg(any(feature = "log", feature = "tracing"))]
const TARGET: &str = "wavefront_sdk";
