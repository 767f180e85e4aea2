//! What became of the store's jobs: the second half of the [`Spool`], where records and the ledger change.

use super::backoff::{Millis, Moment};
use super::errand::{Job, Loss, Reason, Reply, Task};
use super::ledger::{Column, Columns};
use super::machine::View;
use super::scale::Large;
use super::segment::{Buf, NONE, State};
use super::spool::{Next, Spool};
use crate::store::{Head, StoreFailure};

impl Spool {
    /// What became of a job. Says which lines were lost with their record, if any were.
    pub fn settle<B: Buf<Scale = Large>>(
        &mut self,
        view: &mut View<'_, B>,
        job: Job<B>,
        result: Result<Reply, StoreFailure>,
        now: Millis,
    ) -> Option<Loss> {
        self.busy = false;
        let now = Moment::of(now);
        self.works.back(job.pass);
        match result {
            Ok(_) | Err(StoreFailure::Damaged) => self.works.succeeded(),
            Err(StoreFailure::Full) if matches!(job.task, Task::Put { .. }) => {
                self.works.succeeded();
                let pass = self.room.leave();
                self.room.back(pass);
                self.room.failed(pass, now, self.waits, None, &mut self.jitter);
            }
            Err(_) => self.works.failed(job.pass, now, self.waits, None, &mut self.jitter),
        }
        let storing = &mut view.core.storing;
        storing.broken = self.works.is_shut();
        if storing.broken || self.room.is_shut() {
            storing.refuses = true;
            storing.first = false;
        }
        let Job { task, head, buf, slot: index, lane, .. } = job;
        let at = usize::from(lane);
        match task {
            Task::Scan => self.scanned(view, at, head, result),
            Task::Seek { turn } => return self.sought(view, at, head, turn, result),
            Task::Put { copy } => self.was_put(view, at, head, index, buf.filter(|_| !copy), result.is_ok()),
            Task::Read => return self.was_read(view, at, head, index, buf, result),
            Task::Remove => {
                let slot = view.slots.get_mut(usize::from(index))?;
                if result.is_ok() {
                    self.bytes = self.bytes.saturating_sub(self.taken(slot.recorded()));
                    self.room.succeeded();
                    view.give_free(index);
                } else {
                    view.retire(at, index);
                }
            }
            Task::Drop(reason) if result.is_ok() => {
                self.room.succeeded();
                return self.gone(
                    view,
                    at,
                    head,
                    match reason {
                        Reason::Expired => None,
                        Reason::StoreFull => Some(StoreFailure::Full),
                    },
                );
            }
            Task::Drop(_) => {}
        }
        None
    }

    fn scanned<B: Buf<Scale = Large>>(
        &mut self,
        view: &mut View<'_, B>,
        at: usize,
        asked: Head,
        result: Result<Reply, StoreFailure>,
    ) {
        let Some(lane) = view.lanes.get_mut(at) else { return };
        match result {
            Ok(Reply::Found(Some(head))) if head.kind == lane.kind && head.key >= asked.key && head.key > 0 => {
                let shelf = &mut lane.shelf;
                shelf.records = shelf.records.saturating_add(1);
                (shelf.first, shelf.last) = (shelf.first.min(head.key), shelf.last.max(head.key));
                (shelf.upto, shelf.tried) = (head.key, head.key);
                lane.row.add(Column::Recovered, head.lines as usize);
                lane.row.add(Column::Stored, head.lines as usize);
                self.bytes = self.bytes.saturating_add(self.footprint.of(head.bytes));
                self.scan = match head.key.checked_add(1) {
                    Some(from) => Some((at as u8, from)),
                    None => Some((at as u8 + 1, 0)),
                };
            }
            Ok(_) | Err(StoreFailure::Damaged) => self.scan = Some((at as u8 + 1, 0)),
            // It is asked again; what is new does not wait for it meanwhile.
            Err(_) => view.core.storing.scanning = false,
        }
    }

    fn sought<B: Buf<Scale = Large>>(
        &mut self,
        view: &mut View<'_, B>,
        at: usize,
        asked: Head,
        turn: u16,
        result: Result<Reply, StoreFailure>,
    ) -> Option<Loss> {
        let reply = result.ok()?;
        let lane = view.lanes.get(at).filter(|lane| lane.shelf.turns == turn)?;
        let (kind, from) = (lane.kind, lane.shelf.from);
        let found = match reply {
            Reply::Found(Some(head)) if head.kind == kind && head.key >= asked.key => Some(head),
            _ => None,
        };
        let Some(head) = found else {
            // Somebody took them away: nobody knows how many each had, but together they are known.
            let lane = view.lanes.get_mut(at)?;
            let lines = lane.row.get(Column::Stored);
            (lane.shelf.records, lane.shelf.gap) = (0, NONE);
            lane.row.shift(Column::Stored, Column::Damaged, lines);
            return Some(Loss { kind, lines, failure: Some(StoreFailure::Damaged) });
        };
        // What memory has too is not what is sought.
        let head = Some(head).filter(|head| !view.has_key(at, head.key));
        let seek = found.map_or(from, |head| head.key.saturating_add(1));
        *self.heads.get_mut(kind.index())? = Next { from, turn, head, seek };
        None
    }

    fn was_put<B: Buf<Scale = Large>>(
        &mut self,
        view: &mut View<'_, B>,
        at: usize,
        head: Head,
        index: u16,
        buf: Option<B>,
        durable: bool,
    ) {
        let Some(slot) = view.slots.get_mut(usize::from(index)) else { return };
        if durable {
            let before = if slot.key() == head.key { self.taken(slot.recorded()) } else { 0 };
            self.bytes = self.bytes.saturating_sub(before).saturating_add(self.footprint.of(head.bytes));
            self.room.succeeded();
        }
        let came_back = buf.is_some();
        if came_back {
            slot.buf = buf;
        }
        if slot.key() != head.key {
            // Settled and gone while it was copied; the record is found in the next life.
            return;
        }
        // If it failed, the record may be there all the same: the slot keeps the key, and so replaces or removes it.
        if durable {
            slot.record.bytes = head.bytes;
        }
        match slot.state {
            State::Storing => {
                slot.state = State::Ready;
                view.release_if_empty(at, index);
            }
            State::Abandoned => {
                if let (true, Some(lane)) = (durable, view.lanes.get_mut(at)) {
                    // It was given up for lost a moment too early.
                    let lines = slot.lines() as usize;
                    lane.row.shift(Column::Closed, Column::Stored, lines);
                }
                if came_back {
                    view.give_free(index);
                } else {
                    slot.forget_key();
                }
            }
            _ => {}
        }
    }

    fn was_read<B: Buf<Scale = Large>>(
        &mut self,
        view: &mut View<'_, B>,
        at: usize,
        head: Head,
        index: u16,
        buf: Option<B>,
        result: Result<Reply, StoreFailure>,
    ) -> Option<Loss> {
        let slot = view.slots.get_mut(usize::from(index))?;
        slot.buf = buf;
        let lane = view.lanes.get(at)?;
        if result.is_ok() && lane.records() > 0 && !view.core.abandoned {
            self.pass(view, at, head);
            let slot = view.slots.get_mut(usize::from(index))?;
            slot.begin(0);
            (slot.record.key, slot.record.bytes) = (head.key, head.bytes);
            slot.fill(head.bytes, head.lines);
            view.shelve(at, index);
            return None;
        }
        view.give_free(index);
        if result == Err(StoreFailure::Damaged) {
            return self.gone(view, at, head, Some(StoreFailure::Damaged));
        }
        None
    }

    /// The next record comes behind this one, unless others came before it meanwhile.
    fn pass<B: Buf<Scale = Large>>(&self, view: &mut View<'_, B>, at: usize, head: Head) {
        let Some(lane) = view.lanes.get_mut(at) else { return };
        if self.head(lane) == Some(head) {
            lane.shelf.from = head.key.saturating_add(1);
        }
    }

    /// A record of the gap is no more, and its lines with it.
    fn gone<B: Buf<Scale = Large>>(
        &mut self,
        view: &mut View<'_, B>,
        at: usize,
        head: Head,
        failure: Option<StoreFailure>,
    ) -> Option<Loss> {
        self.pass(view, at, head);
        let lane = view.lanes.get_mut(at)?;
        let lines = head.lines as usize;
        self.bytes = self.bytes.saturating_sub(self.footprint.of(head.bytes));
        lane.shelf.records = lane.shelf.records.saturating_sub(1);
        if lane.shelf.records == 0 {
            lane.shelf.gap = NONE;
        }
        let reason = match failure {
            None => Column::Expired,
            Some(StoreFailure::Damaged) => Column::Damaged,
            Some(_) => Column::StoreFull,
        };
        lane.row.shift(Column::Stored, reason, lines);
        Some(Loss { kind: lane.kind, lines, failure })
    }
}
