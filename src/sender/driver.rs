//! The driver: threads that ask the delivery what to do, do it with a transport, and hand the outcome back.

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::boxed::Box;
use std::panic::catch_unwind;
use std::sync::{Arc, PoisonError, TryLockError};
use std::vec::Vec;

use super::hub::{Carry, Failed, Hub, Phase, lock};
use super::keeper::{GRACE, Keeper, Shelf};
use super::news::News;
use super::own::Own;
use super::stripes::Stripes;
use super::sync::{Condvar, Instant, Mutex, MutexGuard, TIMES_OUT, spawn};
use super::tell::{Hook, Listener};
use crate::delivery::{Action, Config, Cut, Delivery, Keep, Lane, Ledger, Millis, Slot, Spool, Ticket};
use crate::transport::{Accepted, Failure};
use crate::vitals::Requests;
use crate::{Kind, KindSet};

/// One connection of a sender: who carries, and which kinds.
pub(super) struct Route {
    pub(super) kinds: KindSet,
    /// Carriers that share the connection pool: as many batches can be in flight.
    pub(super) carriers: Vec<Box<dyn Carry>>,
}

/// What handles and workers share.
pub(super) struct Shared {
    pub(super) stripes: Stripes,
    pub(super) hub: Mutex<Hub>,
    /// Somebody may have work for a worker.
    work: Condvar,
    /// Something was settled, or there is room.
    pub(super) done: Condvar,
    /// Whom to tell of what went wrong.
    listener: Listener,
    started: Instant,
    flush_interval: Duration,
    pub(super) batch_lines: u32,
    /// The most bytes of a batch.
    pub(super) segment: usize,
    /// How long a close may take beyond its time.
    pub(super) grace: Duration,
}

impl core::fmt::Debug for Shared {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// Starts the threads that carry lines away: one a carrier.
    pub(super) fn start(
        config: Config,
        routes: Vec<Route>,
        store: Option<(Box<dyn Shelf>, Keep)>,
        hook: Option<Hook>,
        mut own: Option<Own>,
    ) -> std::io::Result<Arc<Self>> {
        let route_of = |kind: Kind| routes.iter().position(|route| route.kinds.contains(kind)).unwrap_or(0) as u8;
        let lanes = Kind::ALL.into_iter().map(|kind| Lane::on_route(kind, route_of(kind))).collect();
        let stripes = Stripes::new(config.segment_bytes, config.queue_lines, config.batch_lines as usize);
        let carriers = routes.iter().map(|route| route.carriers.len()).sum::<usize>();
        let per_kind = config.queue_bytes / config.segment_bytes + stripes.count() + 2;
        let slots = Kind::COUNT * per_kind + config.replay_bytes / config.segment_bytes + 2 * carriers + 16;
        let slots = (0..slots.min(usize::from(u16::MAX))).map(|_| Slot::empty()).collect();
        let mut hub = Hub::new(Delivery::new(config, slots, lanes), carriers, News::new(hook.is_some()));
        if let Some((store, keep)) = &store {
            hub.spool = Some(Spool::new(*keep, store.footprint(), &mut hub.delivery.view()));
            hub.keeper = true;
        }
        let shared = Arc::new(Self {
            stripes,
            hub: Mutex::new(hub),
            work: Condvar::new(),
            done: Condvar::new(),
            listener: Listener::new(hook),
            started: Instant::now(),
            flush_interval: config.flush_interval,
            batch_lines: config.batch_lines,
            segment: config.segment_bytes,
            grace: if store.is_some() { GRACE } else { Duration::ZERO },
        });
        if let Some((store, _)) = store {
            let keeper = Keeper { shared: Arc::clone(&shared), store, aside: 0 };
            spawn("wavefront-store", move || keeper.run())?;
        }
        let mut sweeps = true;
        for Route { kinds, carriers } in routes {
            for carrier in carriers {
                let own = if kinds.contains(Kind::Metric) { own.take() } else { None };
                let watch = Watch::START;
                let mut worker = Worker { shared: Arc::clone(&shared), kinds, carrier, sweeps, watch, own };
                sweeps = false;
                let started = spawn("wavefront", move || {
                    worker.run();
                    if worker.shared.forked() {
                        // The carrier is the parent's, and so is what it would wait for.
                        core::mem::forget(worker);
                    }
                });
                if let Err(error) = started {
                    lock(&shared.hub).phase = Phase::Closed;
                    shared.work.notify_all();
                    return Err(error);
                }
            }
        }
        Ok(shared)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Hub> {
        lock(&self.hub)
    }

    /// Whether this process is a fork of the one that made the sender: no thread carries anything here, and those that
    /// hold the locks may be gone. A system call: not for each line.
    pub(super) fn forked(&self) -> bool {
        self.stripes.forked()
    }

    /// The lock, unless its holder may be a thread that a fork has left behind.
    pub(super) fn lock_here(&self) -> Option<MutexGuard<'_, Hub>> {
        match self.hub.try_lock() {
            Ok(hub) => Some(hub),
            Err(TryLockError::Poisoned(hub)) => Some(hub.into_inner()),
            Err(TryLockError::WouldBlock) => (!self.forked()).then(|| self.lock()),
        }
    }

    /// What became of every line so far, and how the requests went: exact at one instant.
    pub(super) fn account(&self) -> (Ledger, Requests) {
        self.stripes.frozen(|lines| {
            let mut hub = self.lock();
            let mut ledger = hub.delivery.ledger();
            for (kind, lines) in Kind::ALL.into_iter().zip(lines) {
                if let Some(row) = ledger.row_mut(kind) {
                    row.accepted += lines;
                    row.queued += lines;
                }
            }
            (ledger, hub.requests)
        })
    }

    /// Whether the caller is this sender's own hook, on a thread that others may wait for: it must not wait.
    pub(super) fn is_telling(&self) -> bool {
        self.listener.is_telling()
    }

    /// Tells what there is to be told, without the lock; `last` where nobody may come to tell the rest. `None` if that
    /// forked the process.
    pub(super) fn tell<'a>(&'a self, mut hub: MutexGuard<'a, Hub>, last: bool) -> Option<MutexGuard<'a, Hub>> {
        let items = hub.news(self.now(), last);
        if items.is_empty() {
            return Some(hub);
        }
        drop(hub);
        self.listener.tell(&items);
        (!self.forked()).then(|| self.lock())
    }

    pub(super) fn now(&self) -> Millis {
        Millis(0).after(self.started.elapsed())
    }

    /// Tells the workers that there may be something to do.
    pub(super) fn wake(&self) {
        self.work.notify_all();
    }

    /// Something was settled: tells all who wait for that.
    pub(super) fn settled(&self) {
        self.done.notify_all();
        self.wake();
    }

    /// Waits for work, at most so long.
    pub(super) fn rest<'a>(&'a self, hub: MutexGuard<'a, Hub>, wait: Duration) -> MutexGuard<'a, Hub> {
        self.work.wait_timeout(hub, wait).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until something was settled, at most until `deadline`; `None` once that is over.
    pub(super) fn wait<'a>(&'a self, hub: MutexGuard<'a, Hub>, deadline: Instant) -> Option<MutexGuard<'a, Hub>> {
        if self.is_telling() {
            return None;
        }
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        Some(self.done.wait_timeout(hub, left).unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Asks for everything that was pushed so far to leave now.
    pub(super) fn flush(&self) -> Ticket {
        self.stripes.sweep(&self.hub);
        let ticket = self.lock().delivery.flush();
        self.wake();
        ticket
    }

    /// Takes no more lines, and gives those that are there until `deadline`. Does nothing the second time.
    pub(super) fn begin_close(&self, deadline: Instant) {
        {
            let mut hub = self.lock();
            if hub.phase != Phase::Open {
                return;
            }
            hub.delivery.view().close();
        }
        self.stripes.sweep(&self.hub);
        let mut hub = self.lock();
        hub.delivery.flush();
        // Only now: a worker that finds nothing left while it closes ends, and what the stripes held would stay behind.
        if hub.phase == Phase::Open {
            hub.phase = Phase::Closing(deadline);
        }
        drop(hub);
        self.wake();
    }

    /// Takes no more lines, waits until all are settled and the connections have ended, at most `timeout`, and drops
    /// what is left when the time of the first such call is over. Called by the hook, it waits for nothing.
    pub(super) fn close(self: &Arc<Self>, timeout: Duration) {
        if self.forked() {
            return;
        }
        let deadline = deadline(timeout);
        self.begin_close(deadline);
        if self.is_telling() {
            return self.attend_close();
        }
        let mut waiting = Some(self.lock()).filter(|hub| hub.is_closing());
        while let Some(hub) = waiting {
            waiting = self.wait(hub, deadline + self.grace).filter(|hub| hub.is_closing());
        }
        self.end_close();
    }

    /// Ends a close whose time is over or whose work is done, and tells what was lost.
    pub(super) fn end_close(&self) {
        let mut hub = self.lock();
        let over = hub.conclude();
        self.wake();
        self.done.notify_all();
        if self.tell(hub, true).is_some() && over {
            self.listener.fall_silent();
        }
    }
}

/// The time `timeout` from now; far away where the clock cannot say it.
pub(super) fn deadline(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or_else(|| now + Duration::from_secs(u32::MAX.into()))
}

/// One thread with one carrier.
struct Worker {
    shared: Arc<Shared>,
    kinds: KindSet,
    carrier: Box<dyn Carry>,
    /// Whether it collects what producers hold, once a flush interval.
    sweeps: bool,
    watch: Watch,
    /// What it sends of the sender's own.
    own: Option<Own>,
}

/// When to look at a connection that lines were written to: soon after the last batch, then ever more seldom.
struct Watch {
    next: Option<Instant>,
    wait: Duration,
}

impl Watch {
    const START: Self = Self { next: None, wait: Self::FIRST };
    const FIRST: Duration = Duration::from_millis(2);
    /// The longest wait while something is not acknowledged, and otherwise.
    const MOST: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(500)];

    /// Something was written just now.
    fn again(&mut self) {
        *self = Self { next: Some(deadline(Self::FIRST)), wait: Self::FIRST };
    }

    /// The connection was looked at just now.
    fn later(&mut self, acknowledged: bool) {
        self.wait = (self.wait * 2).min(Self::MOST[usize::from(acknowledged)]);
        self.next = Some(deadline(self.wait));
    }

    /// How long until the next look.
    fn left(&self) -> Duration {
        self.next.map_or(Duration::ZERO, |next| next.saturating_duration_since(Instant::now()))
    }
}

impl Worker {
    fn run(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut next_sweep = deadline(shared.flush_interval);
        let mut hub = shared.lock();
        loop {
            if self.sweeps && Instant::now() >= next_sweep {
                drop(hub);
                shared.flush();
                next_sweep = deadline(shared.flush_interval);
                hub = shared.lock();
            }
            let Some(told) = shared.tell(hub, false) else { return };
            hub = told;
            if self.has_written(&mut hub) && self.watch.left().is_zero() {
                drop(hub);
                hub = self.look(&shared);
            }
            if self.own.as_mut().is_some_and(|own| own.left(&mut hub, shared.now()).is_zero()) {
                drop(hub);
                let Some(reported) = self.report(&shared, false) else { return };
                hub = reported;
            }
            let Some(told) = shared.tell(hub, false) else { return };
            hub = told;
            let wait = match hub.delivery.view().poll(shared.now(), self.kinds, Cut::NONE) {
                Action::Send(token) => {
                    drop(hub);
                    let result = guarded(|| self.carrier.send(token.batch()));
                    if shared.forked() {
                        return;
                    }
                    let (unacknowledged, status) = (self.unacknowledged(), self.status(&result));
                    self.watch.again();
                    if let Some(own) = &mut self.own {
                        own.behind(token.batch().bytes.len());
                        own.acknowledged(unacknowledged, is_broken(&result));
                    }
                    hub = shared.lock();
                    hub.requests.note(token.kind(), result.is_err(), status);
                    hub.settle(token, result, unacknowledged, self.kinds, shared.now());
                    shared.settled();
                    continue;
                }
                Action::WaitUntil(at) => Some(at.since(shared.now())),
                Action::Idle => None,
            };
            let Some(resumed) = self.rest(&shared, hub, wait, next_sweep) else { break };
            hub = resumed;
        }
        shared.lock().workers -= 1;
        // The keeper of a store waits for the end of the last one too.
        shared.settled();
    }

    /// Waits for work; `None` where there will be none.
    fn rest<'a>(
        &mut self,
        shared: &'a Shared,
        mut hub: MutexGuard<'a, Hub>,
        wait: Option<Duration>,
        next_sweep: Instant,
    ) -> Option<MutexGuard<'a, Hub>> {
        let mut wait = wait;
        if self.sweeps {
            let sweep = next_sweep.saturating_duration_since(Instant::now());
            wait = Some(wait.map_or(sweep, |wait| wait.min(sweep)));
        }
        if self.has_written(&mut hub) {
            let look = self.watch.left();
            wait = Some(wait.map_or(look, |wait| wait.min(look)));
        }
        if let Some(own) = &mut self.own {
            let report = own.left(&mut hub, shared.now()).min(Duration::from_secs(1));
            wait = Some(wait.map_or(report, |wait| wait.min(report)));
        }
        match hub.phase {
            Phase::Open => {}
            Phase::Closed => return None,
            Phase::Closing(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let row = hub.delivery.ledger().total_of(self.kinds);
                let settled = row.queued == 0 && row.in_flight == 0 && row.stored == 0;
                let own = self.own.as_ref().filter(|_| settled && !left.is_zero());
                if own.is_some_and(|own| own.has_last(&mut hub, shared.now())) {
                    drop(hub);
                    let reported = self.report(shared, true);
                    self.own = None;
                    return reported;
                }
                if left.is_zero() || hub.is_drained(self.kinds) {
                    drop(hub);
                    let _ = guarded(|| self.carrier.finish(left));
                    return None;
                }
                if settled && row.written > 0 {
                    // Only written lines are left: the peer's last word tells whether it has them.
                    drop(hub);
                    let finished = guarded(|| self.carrier.finish(left));
                    let unacknowledged = self.unacknowledged();
                    hub = shared.lock();
                    match finished {
                        Ok(()) => hub.delivery.view().confirm(self.kinds),
                        Err(failed) => {
                            hub.broke(failed, self.kinds, unacknowledged, shared.now());
                            hub.delivery.flush();
                        }
                    }
                    return Some(hub);
                }
                wait = Some(wait.map_or(left, |wait| wait.min(left)));
            }
        }
        // Never for ever: a wake-up that was missed costs a second, not the data.
        let wait = wait.unwrap_or(Duration::from_secs(1)).max(Duration::from_millis(1));
        if wait > Watch::FIRST || !TIMES_OUT {
            return Some(shared.rest(hub, wait));
        }
        // To be woken for a batch takes as long as to write one.
        hub.soon = self.kinds.iter().fold(hub.soon, KindSet::with);
        let mut hub = shared.rest(hub, wait);
        hub.soon = self.kinds.iter().fold(hub.soon, KindSet::without);
        Some(hub)
    }

    /// Sends what is due of the sender's own, or at the `last` time what is left of it. `None` where that forked the
    /// process.
    fn report<'a>(&mut self, shared: &'a Shared, last: bool) -> Option<MutexGuard<'a, Hub>> {
        if let Some(own) = &mut self.own {
            own.begin(&shared.account(), shared.now(), last);
        }
        while let Some(batch) = self.own.as_mut().and_then(Own::next) {
            let bytes = batch.bytes.len();
            let result = guarded(|| self.carrier.send(batch));
            if shared.forked() {
                return None;
            }
            let (unacknowledged, broken) = (self.unacknowledged(), is_broken(&result));
            self.watch.again();
            let Some(own) = &mut self.own else { break };
            let mut hub = shared.lock();
            match result {
                Ok(accepted) => {
                    if accepted == Accepted::Written {
                        hub.delivery.view().wrote_aside(self.kinds, bytes);
                    }
                    own.accepted(accepted, bytes, unacknowledged, shared.now());
                }
                Err(failed) => {
                    own.failed(unacknowledged, broken);
                    if broken {
                        // What was written on the same connection before may be lost with it.
                        hub.broke(failed, self.kinds, unacknowledged, shared.now());
                    }
                }
            }
        }
        Some(shared.lock())
    }

    /// Whether there is something on the connection that may be lost with it.
    fn has_written(&self, hub: &mut Hub) -> bool {
        hub.delivery.view().written(self.kinds) > 0 || self.own.as_ref().is_some_and(Own::is_unsure)
    }

    /// Looks whether the connection still stands, and what its peer has acknowledged.
    fn look<'a>(&mut self, shared: &'a Shared) -> MutexGuard<'a, Hub> {
        let seen = guarded(|| self.carrier.probe());
        let unacknowledged = self.unacknowledged();
        if let Some(own) = &mut self.own {
            own.acknowledged(unacknowledged, seen.is_err());
        }
        let mut hub = shared.lock();
        match seen {
            Ok(()) => {
                if let Some(last) = unacknowledged {
                    hub.delivery.view().acknowledged(self.kinds, last, shared.now());
                }
            }
            Err(failed) => hub.broke(failed, self.kinds, unacknowledged, shared.now()),
        }
        let acknowledged = hub.delivery.view().unacknowledged(self.kinds) == 0;
        self.watch.later(acknowledged);
        hub
    }

    /// The status of the answer to a request that went so.
    fn status(&mut self, result: &Result<Accepted, Failed>) -> Option<u16> {
        match result {
            Ok(_) => catch_unwind(AssertUnwindSafe(|| self.carrier.status())).unwrap_or_default(),
            Err(Failed { failure: Failure::Status { code, .. }, .. }) => Some(*code),
            Err(_) => None,
        }
    }

    /// What is not acknowledged of what was written; all of it, where the transport panics instead of saying so.
    fn unacknowledged(&mut self) -> Option<u32> {
        let bytes = catch_unwind(AssertUnwindSafe(|| self.carrier.unacknowledged())).unwrap_or(Some(u64::MAX));
        bytes.map(|bytes| u32::try_from(bytes).unwrap_or(u32::MAX))
    }
}

/// Whether the connection is gone, and with it what was written on it.
fn is_broken(result: &Result<Accepted, Failed>) -> bool {
    matches!(result, Err(Failed { failure: Failure::Broken, .. }))
}

/// A transport that panics has lost its connection, not our lines.
fn guarded<R>(call: impl FnOnce() -> Result<R, Failed>) -> Result<R, Failed> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        Err(Failed { failure: Failure::Broken, lines_done: 0, text: "the transport panicked".into(), answer: None })
    })
}
