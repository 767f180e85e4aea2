//! The keeper: the thread that owns a sender's store, and does what the spool asks for, one job at a time. No producer
//! and no carrier waits for a disk.

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::boxed::Box;
use std::panic::catch_unwind;
use std::string::{String, ToString};
use std::sync::Arc;
use std::time::SystemTime;

use super::driver::Shared;
use super::hub::{Hub, Phase, Segment};
use super::incident::Incident;
use super::sync::{Instant, MutexGuard};
use crate::delivery::{Errand, Job, Reply};
use crate::store::{Footprint, Store, StoreError, StoreFailure};

/// How long a close may take beyond its time, to store what was not delivered by then.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// A store whatever its error type.
pub(super) trait Shelf: Send {
    fn run(&mut self, job: &mut Job<Segment>) -> Result<Reply, (StoreFailure, String)>;
    fn footprint(&self) -> Footprint;
    fn set_aside(&self) -> usize;
}

impl<S: Store + Send> Shelf for S {
    fn run(&mut self, job: &mut Job<Segment>) -> Result<Reply, (StoreFailure, String)> {
        job.run(self).map_err(|error| (error.kind(), error.to_string()))
    }

    fn footprint(&self) -> Footprint {
        Store::footprint(self)
    }

    fn set_aside(&self) -> usize {
        Store::set_aside(self)
    }
}

/// The thread with the store.
pub(super) struct Keeper {
    pub(super) shared: Arc<Shared>,
    pub(super) store: Box<dyn Shelf>,
    /// Records that were set aside and told of.
    pub(super) aside: usize,
}

impl Keeper {
    /// Works until the sender is closed and everything is stored or forgotten.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut half = None;
        let mut hub = shared.lock();
        loop {
            self.look_at_the_end(&mut hub, &mut half);
            self.tell_of_damage(&mut hub, &shared);
            let (now, unix) = (shared.now(), unix_millis());
            let Hub { delivery, spool: Some(spool), phase, workers, .. } = &mut *hub else { break };
            let mut view = delivery.view();
            let wait = match spool.poll(&mut view, now, unix) {
                Errand::Do(mut job) => {
                    drop(hub);
                    let result = self.work(&mut job);
                    if shared.forked() {
                        core::mem::forget(self);
                        return;
                    }
                    hub = shared.lock();
                    hub.shelved(job, result, shared.now());
                    shared.settled();
                    let Some(told) = shared.tell(hub, false) else {
                        core::mem::forget(self);
                        return;
                    };
                    hub = told;
                    continue;
                }
                Errand::WaitUntil(at) => at.since(now),
                Errand::Idle => Duration::from_secs(1),
            };
            let done = spool.is_done(&view);
            let (phase, ended) = (*phase, *workers == 0);
            match phase {
                // What it still has to forget, if its time was over, is sent twice.
                Phase::Closed => break,
                Phase::Closing(deadline) if done && (ended || Instant::now() >= deadline) => {
                    hub.give_up();
                    shared.settled();
                    continue;
                }
                _ => {}
            }
            let wait = hub.phase.left().map_or(wait, |left| wait.min(left.max(Duration::from_millis(10))));
            let wait = half.map_or(wait, |half: Instant| wait.min(half.saturating_duration_since(Instant::now())));
            hub = shared.rest(hub, wait.clamp(Duration::from_millis(1), Duration::from_secs(1)));
        }
        drop(hub);
        // Whoever waits for the end may open it again.
        drop(self);
        shared.lock().keeper = false;
        shared.settled();
    }

    /// A store that panics does not work; our lines are still here.
    fn work(&mut self, job: &mut Job<Segment>) -> Result<Reply, (StoreFailure, String)> {
        catch_unwind(AssertUnwindSafe(|| self.store.run(job)))
            .unwrap_or_else(|_| Err((StoreFailure::Unavailable, "the store panicked".into())))
    }

    /// Half of a close's time is for sending alone, the other half for storing too, and what is left then for storing
    /// only.
    fn look_at_the_end(&mut self, hub: &mut Hub, half: &mut Option<Instant>) {
        let Phase::Closing(deadline) = hub.phase else { return };
        let Hub { delivery, spool: Some(spool), .. } = hub else { return };
        let now = Instant::now();
        let half = *half.get_or_insert_with(|| now + deadline.saturating_duration_since(now) / 2);
        if now >= half {
            spool.hurry();
        }
        if now >= deadline || hub.workers == 0 {
            spool.last(&mut delivery.view());
        }
    }

    fn tell_of_damage(&mut self, hub: &mut MutexGuard<'_, Hub>, shared: &Shared) {
        let aside = self.store.set_aside();
        if aside > self.aside {
            let words = std::format!("{} records are damaged and were set aside", aside - self.aside);
            hub.news.note(Incident::of_store(None, StoreFailure::Damaged, 0, &words), shared.now());
            self.aside = aside;
        }
    }
}

/// The time in milliseconds since 1970; 0 before that.
fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
