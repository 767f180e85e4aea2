//! Laws of the delivery: any client, driver and receiver against a model that follows every single line.

mod model;

use core::fmt::Debug;
use core::time::Duration;

use model::{Model, State};
use wavefront_sdk::delivery::{
    Action, Backoff, Buf, Config, Cut, Delivery, InFlight, Lane, Large, Lease, Millis, Outcome, Overflow, Refused,
    Slot, Small, Stored, Ticket, View,
};
use wavefront_sdk::{Kind, KindSet};

/// A delivery, its driver and its receiver.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) lanes: Vec<(Kind, u8)>,
    pub(crate) slots: usize,
    pub(crate) segment: usize,
    pub(crate) queue_lines: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) batch_lines: u32,
    pub(crate) overflow: Overflow,
    pub(crate) single: KindSet,
    pub(crate) replay: KindSet,
    pub(crate) replay_bytes: usize,
    pub(crate) replay_for: u64,
    pub(crate) flush_every: u64,
    pub(crate) most_out: usize,
    /// What the clock says at the beginning, in milliseconds.
    pub(crate) start: u64,
    /// Whether the receiver answers.
    pub(crate) receiver: Receiver,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Receiver {
    Answers,
    Stream,
    /// Does not answer, but its kernel acknowledges what it has.
    Acks,
    /// Now one, now the other: nothing that makes sense, but nothing may break.
    Both,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    Push,
    TryPush,
    Urgent,
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Push { lane: usize, way: Way, lens: Vec<usize> },
    Lease { lane: usize, wish: Lease, least: Lease },
    Return { lease: usize, adopt: bool, lens: Vec<usize> },
    Poll { kinds: KindSet, limits: Cut },
    Outcome { token: usize, outcome: Outcome },
    Forward(u64),
    Back(u64),
    Flush,
    Lost(KindSet),
    Confirm(KindSet),
    Acknowledged(KindSet, u32),
    Note { lane: usize },
    Close,
    Abandon,
}

/// A batch that is out.
struct Out<B> {
    token: InFlight<B>,
    ids: Vec<usize>,
    again: usize,
    /// Its connection was lost meanwhile.
    lost: bool,
}

/// What not every queue can do.
pub(crate) trait Queue: Buf {
    /// Whether producers fill segments of their own, and there are several connections.
    const LARGE: bool;

    fn lane(kind: Kind, route: u8) -> Lane<Self::Scale>;

    fn lease(view: &mut View<'_, Self>, kind: Kind, wish: Lease, least: Lease) -> Result<Lease, Refused>;

    fn adopt(view: &mut View<'_, Self>, kind: Kind, buf: Self, len: usize, count: u32, lease: Lease) -> bool;

    fn deposit(view: &mut View<'_, Self>, kind: Kind, lines: &[u8], lease: Lease) -> Result<(), Refused>;
}

macro_rules! large {
    ($what:ty $(, $size:ident)?) => {
        impl $(<const $size: usize>)? Queue for $what {
            const LARGE: bool = true;

            fn lane(kind: Kind, route: u8) -> Lane<Large> {
                Lane::on_route(kind, route)
            }

            fn lease(view: &mut View<'_, Self>, kind: Kind, wish: Lease, least: Lease) -> Result<Lease, Refused> {
                view.lease(kind, wish, least)
            }

            fn adopt(view: &mut View<'_, Self>, kind: Kind, buf: Self, len: usize, count: u32, lease: Lease) -> bool {
                view.adopt(kind, buf, len, count, lease).is_ok()
            }

            fn deposit(view: &mut View<'_, Self>, kind: Kind, lines: &[u8], lease: Lease) -> Result<(), Refused> {
                let count = lines.iter().filter(|&&byte| byte == b'\n').count();
                view.deposit(kind, lines, count as u32, lease)
            }
        }
    };
}

macro_rules! small {
    ($what:ty $(, $size:ident)?) => {
        impl $(<const $size: usize>)? Queue for $what {
            const LARGE: bool = false;

            fn lane(kind: Kind, _: u8) -> Lane<Small> {
                Lane::new(kind)
            }

            fn lease(_: &mut View<'_, Self>, _: Kind, _: Lease, _: Lease) -> Result<Lease, Refused> {
                Err(Refused::Full)
            }

            fn adopt(_: &mut View<'_, Self>, _: Kind, _: Self, _: usize, _: u32, _: Lease) -> bool {
                panic!("there was no lease")
            }

            fn deposit(_: &mut View<'_, Self>, _: Kind, _: &[u8], _: Lease) -> Result<(), Refused> {
                panic!("there was no lease")
            }
        }
    };
}

large!(Box<[u8]>);
large!(Stored<[u8; N]>, N);
small!([u8; N], N);
small!(&'static mut [u8]);

type Tested<B> = Delivery<B, Vec<Slot<B>>, Vec<Lane<<B as Buf>::Scale>>>;

struct Harness<B: Queue> {
    setup: Setup,
    delivery: Tested<B>,
    model: Model,
    stripe: fn(usize) -> B,
    now: Millis,
    out: Vec<Out<B>>,
    leases: Vec<(Kind, Lease)>,
    tickets: Vec<(Ticket, [usize; Kind::COUNT])>,
    /// Lines before these numbers are settled: a ticket said so.
    done: [usize; Kind::COUNT],
    /// Bytes that each connection carried in all.
    streams: [u64; 3],
    tags: u32,
    /// Of each kind, how often it was tried again in this tick of the clock, after a failure and without a success.
    again: [Option<u32>; Kind::COUNT],
    urgent: bool,
    limited: bool,
    closed: bool,
    abandoned: bool,
}

impl<B: Queue + Debug> Harness<B> {
    fn new(setup: &Setup, slot: fn(usize) -> Slot<B>, stripe: fn(usize) -> B) -> Self {
        let mut config = Config::default();
        config.queue_lines = setup.queue_lines;
        config.queue_bytes = setup.queue_bytes;
        config.batch_lines = setup.batch_lines;
        config.segment_bytes = setup.segment;
        config.overflow = setup.overflow;
        config.single = setup.single;
        config.replay = setup.replay;
        config.replay_bytes = setup.replay_bytes;
        config.replay_for = Duration::from_millis(setup.replay_for);
        config.flush_interval = Duration::from_millis(setup.flush_every);
        config.backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        let slots = (0..setup.slots).map(|_| slot(setup.segment)).collect();
        let (mut setup, start) = (setup.clone(), setup.start);
        if setup.receiver == Receiver::Acks {
            // What is not acknowledged can be told only of one batch after the other.
            setup.most_out = 1;
        }
        let lanes = setup.lanes.iter().map(|&(kind, route)| B::lane(kind, route)).collect();
        Self {
            setup,
            delivery: Delivery::new(config, slots, lanes),
            model: Model::default(),
            stripe,
            now: Millis(start),
            out: vec![],
            leases: vec![],
            tickets: vec![],
            done: [0; Kind::COUNT],
            streams: [0; 3],
            tags: 0,
            again: [None; Kind::COUNT],
            urgent: false,
            limited: false,
            closed: false,
            abandoned: false,
        }
    }

    fn view(&mut self) -> View<'_, B> {
        self.delivery.view()
    }

    fn kind(&self, lane: usize) -> Kind {
        self.setup.lanes[lane % self.setup.lanes.len()].0
    }

    /// Whether the pool can never run dry in one run.
    fn is_ample(&self) -> bool {
        self.setup.slots >= AMPLE
    }

    fn texts(&self, lens: &[usize]) -> Vec<Vec<u8>> {
        let first = self.model.lines.len();
        (first..).zip(lens).map(|(id, &len)| Model::text(id, len)).collect()
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Push { lane, way, ref lens } => self.push(self.kind(lane), way, lens),
            Op::Lease { lane, wish, least } => self.lease(self.kind(lane), wish, least),
            Op::Return { lease, adopt, ref lens } => {
                if !self.leases.is_empty() {
                    let (kind, lease) = self.leases.swap_remove(lease % self.leases.len());
                    self.end_lease(kind, lease, adopt, lens);
                }
            }
            Op::Poll { kinds, limits } => {
                if self.out.len() < self.setup.most_out {
                    self.poll(kinds, limits);
                }
            }
            Op::Outcome { token, outcome } => {
                if !self.out.is_empty() {
                    let out = self.out.swap_remove(token % self.out.len());
                    self.outcome(out, outcome);
                }
            }
            Op::Forward(by) => {
                self.now.0 += by;
                self.again = [None; Kind::COUNT];
            }
            Op::Back(by) => {
                self.now.0 = self.now.0.saturating_sub(by);
                self.again = [None; Kind::COUNT];
            }
            Op::Flush => self.flush(),
            Op::Lost(kinds) => self.lost(kinds),
            Op::Confirm(kinds) => self.confirm(kinds),
            Op::Acknowledged(kinds, last) => self.acknowledged(kinds, last),
            Op::Note { lane } => {
                let kind = self.kind(lane);
                self.view().note(kind, 2, 3);
                self.view().refuse(kind, 1);
                self.model.lane(kind).refused += 1;
            }
            Op::Close => {
                self.view().close();
                self.closed = true;
            }
            Op::Abandon => self.abandon(),
        }
        self.check();
    }

    fn push(&mut self, kind: Kind, way: Way, lens: &[usize]) {
        let lines = self.texts(lens);
        let (bytes, count) = (lines.concat(), lines.len());
        let tag = self.tags + 1;
        let before = *self.delivery.ledger().row(kind);
        let mut view = self.delivery.view();
        let pushed = match way {
            Way::Push => view.push(kind, &bytes, count as u32),
            Way::TryPush => view.try_push(kind, &bytes, count as u32),
            Way::Urgent => view.push_urgent(kind, &bytes, count as u32, tag),
        };
        let after = *self.delivery.ledger().row(kind);
        let counted = pushed == Err(Refused::Full) && !matches!(way, Way::TryPush);
        match pushed {
            Ok(()) => {
                let urgent = matches!(way, Way::Urgent);
                self.urgent |= urgent;
                self.tags += u32::from(urgent);
                self.model.accept(kind, lines, if urgent { tag } else { 0 });
            }
            Err(Refused::Full) => {
                let level = before.queued + before.in_flight + self.model.lanes[kind.index()].leased_lines;
                let full = level + count > self.setup.queue_lines
                    || self.bytes_level(kind) + bytes.len() > self.setup.queue_bytes;
                assert!(full || !self.is_ample(), "refused although there was room");
                self.model.lane(kind).refused += if counted { count } else { 0 };
            }
            Err(Refused::TooLarge) => assert!(bytes.len() > self.setup.segment),
            Err(Refused::Closed) => assert!(self.closed),
            Err(other) => panic!("{other}"),
        }
        if pushed.is_err() {
            let lost = after.dropped.queue_full - before.dropped.queue_full;
            assert_eq!(lost, if counted { count } else { 0 }, "lines were evicted in vain: {pushed:?}");
        }
    }

    /// Bytes of a kind that count against its bound, at most.
    fn bytes_level(&self, kind: Kind) -> usize {
        let waiting = |state| matches!(state, State::Queued | State::Out | State::Limbo);
        let bytes: usize = self.model.of(kind).filter(|line| waiting(line.state)).map(|line| line.bytes.len()).sum();
        bytes + self.model.lanes[kind.index()].leased_bytes
    }

    fn lease(&mut self, kind: Kind, wish: Lease, least: Lease) {
        let before = *self.delivery.ledger().row(kind);
        let leased = B::lease(&mut self.view(), kind, wish, least);
        let after = *self.delivery.ledger().row(kind);
        assert!(leased.is_ok() || before == after, "{leased:?} changed something");
        match leased {
            Ok(lease) => {
                assert!(lease.lines >= least.lines && lease.bytes >= least.bytes, "{lease:?}");
                assert!(lease.lines <= wish.lines.max(least.lines), "{lease:?}");
                assert!(lease.bytes <= wish.bytes.max(least.bytes), "{lease:?}");
                let lane = self.model.lane(kind);
                lane.leased_lines += lease.lines;
                lane.leased_bytes += lease.bytes;
                self.leases.push((kind, lease));
            }
            Err(Refused::Closed) => assert!(self.closed),
            Err(Refused::TooLarge) => assert!(least.bytes > self.setup.segment),
            Err(refused) => assert_eq!(refused, Refused::Full),
        }
    }

    fn end_lease(&mut self, kind: Kind, lease: Lease, adopt: bool, lens: &[usize]) {
        let mut room = lease.bytes.min(self.setup.segment);
        let fit = |len: &&usize| {
            let fits = **len <= room;
            room = room.saturating_sub(**len);
            fits
        };
        let lens: Vec<_> = lens.iter().take(lease.lines).take_while(fit).copied().collect();
        let lines = self.texts(&lens);
        let (bytes, count) = (lines.concat(), lines.len());
        let lane = self.model.lane(kind);
        lane.leased_lines -= lease.lines;
        lane.leased_bytes -= lease.bytes;
        let taken = if adopt {
            let mut buf = (self.stripe)(self.setup.segment);
            buf.as_mut()[..bytes.len()].copy_from_slice(&bytes);
            B::adopt(&mut self.view(), kind, buf, bytes.len(), count as u32, lease)
        } else {
            let put = B::deposit(&mut self.view(), kind, &bytes, lease);
            assert_eq!(put == Err(Refused::Closed), self.abandoned && count > 0);
            put.is_ok()
        };
        if taken {
            self.model.accept(kind, lines, 0);
        } else if self.abandoned {
            self.model.lane(kind).refused_closed += count;
        } else {
            assert!(!self.is_ample(), "no slot left");
            self.model.lane(kind).refused += count;
        }
    }

    fn poll(&mut self, kinds: KindSet, limits: Cut) {
        let now = self.now;
        let action = self.view().poll(now, kinds, limits);
        self.limited |= limits != Cut::NONE;
        // A line may be larger than the limits.
        let tight = limits.lines == 0 || limits.bytes < self.setup.segment;
        match action {
            Action::Send(token) => self.sent(token, kinds, limits),
            Action::WaitUntil(until) => {
                assert!(until > now, "wait until {until:?} at {now:?}");
                let longest = self.setup.flush_every.max(300_000).max(self.setup.replay_for);
                assert!(until.0 <= now.0 + longest, "wait until {until:?} at {now:?}");
            }
            Action::Idle => {
                let total = self.delivery.ledger().total_of(kinds);
                let tainted = self.model.lanes.iter().any(|lane| lane.tainted);
                // For an acknowledgement there is no time to wait until.
                let unacked = self.delivery.view().unacknowledged(kinds) > 0;
                assert!(total.written == 0 || tainted || unacked, "idle with lines in the window: {total:?}");
                let reason = !self.out.is_empty() || tight || unacked;
                assert!(total.queued == 0 || reason, "idle with lines waiting: {total:?}");
            }
        }
    }

    /// The laws of a batch.
    fn sent(&mut self, token: InFlight<B>, kinds: KindSet, limits: Cut) {
        let (kind, batch) = (token.kind(), token.batch());
        assert!(kinds.contains(kind) && batch.kind == kind && !self.abandoned);
        let ids = self.model.read(kind, batch.bytes);
        assert_eq!((batch.lines as usize, token.lines() as usize), (ids.len(), ids.len()));
        assert!(!ids.is_empty() && ids.len() <= self.setup.batch_lines as usize && ids.len() <= limits.lines as usize);
        assert!(batch.bytes.len() <= self.setup.segment.min(limits.bytes));
        assert!(ids.len() == 1 || !self.setup.single.contains(kind));

        let lines = || ids.iter().map(|&id| &self.model.lines[id]);
        assert!(lines().all(|line| line.tag == token.tag()), "an urgent push goes alone");
        assert!(lines().all(|line| ids.len() <= line.window), "a batch that was too large was not narrowed");
        let calm = || lines().filter(|line| !line.urgent);
        assert!(calm().zip(calm().skip(1)).all(|(a, b)| a.seq < b.seq), "out of order within a batch");
        let done = self.done[kind.index()];
        assert!(
            lines().all(|line| line.written || line.seq >= done),
            "a flush was done, and a line from before it leaves"
        );
        if self.setup.most_out == 1 && !self.urgent && !self.limited && self.model.is_exact(kind) {
            let waiting = |state| matches!(state, State::Queued | State::Limbo);
            let waiting = (0..).zip(&self.model.lines).filter(|(_, line)| line.kind == kind && waiting(line.state));
            assert!(waiting.map(|(id, _)| id).zip(&ids).all(|(a, &b)| a == b), "out of order between batches");
        }

        if let Some(tries) = &mut self.again[kind.index()] {
            // A wait is any time up to its bound, so it can be none, but not over and over.
            *tries += 1;
            assert!(*tries <= TRIES, "{kind} was tried {tries} times in a tick of the clock");
        }
        let again = lines().filter(|line| line.tried).count();
        self.model.lane(kind).again += again;
        for &id in &ids {
            self.model.lines[id].state = State::Out;
        }
        self.out.push(Out { token, ids, again, lost: false });
    }

    fn outcome(&mut self, out: Out<B>, outcome: Outcome) {
        let Out { token, ids, again, lost } = out;
        let (kind, tag, now) = (token.kind(), token.tag(), self.now);
        if self.abandoned {
            let before = self.delivery.ledger();
            let report = self.delivery.outcome(token, outcome, now);
            assert_eq!((report.settled, report.kept), (0, 0));
            assert_eq!(self.delivery.ledger(), before, "a late outcome changes nothing");
            return;
        }
        let count = ids.len();
        let report = self.delivery.outcome(token, outcome, now);
        let route = self.route(kind);
        for other in 0..self.setup.lanes.len() {
            let other = self.kind(other);
            let is_hit = match outcome {
                Outcome::Unreachable | Outcome::Auth => self.route(other) == route,
                _ => other == kind,
            };
            let again = &mut self.again[other.index()];
            match outcome {
                Outcome::Unreachable | Outcome::Auth | Outcome::Retry { .. } if is_hit => *again = again.or(Some(0)),
                Outcome::Unreachable | Outcome::Auth | Outcome::Retry { .. } => {}
                // What came through opens its connection, and with it what waited for that.
                _ => *again = None,
            }
        }
        let written = match (lost, self.setup.replay_bytes) {
            (_, 0) if self.setup.receiver != Receiver::Acks => State::Delivered,
            (true, _) => State::Limbo,
            (false, _) => State::Written,
        };
        let (settled, to) = match outcome {
            Outcome::Delivered => (count, State::Delivered),
            Outcome::Written | Outcome::Unacknowledged(_) => (count, written),
            Outcome::Rejected(_) => (count, State::Rejected),
            Outcome::TooLarge if count == 1 => (1, State::TooLarge),
            Outcome::Retry { done, .. } => (count.min(done as usize), State::Delivered),
            _ => (0, State::Queued),
        };
        assert_eq!(report.settled as usize, settled);
        // The rest of the batch, and what else waits in its segment.
        assert!(report.kept as usize >= count - settled);
        for (n, &id) in ids.iter().enumerate() {
            let line = &mut self.model.lines[id];
            line.state = if n < settled { to } else { State::Queued };
            let written = matches!(outcome, Outcome::Written | Outcome::Unacknowledged(_));
            line.tried |= written || matches!(outcome, Outcome::Retry { .. });
            line.written |= written;
            if outcome == Outcome::TooLarge {
                line.window = count / 2;
            }
        }
        if outcome == Outcome::Unreachable {
            self.model.lane(kind).again -= again;
        }
        if let Outcome::Unacknowledged(last) = outcome {
            let route = self.route(kind);
            for &id in &ids {
                self.streams[route] += self.model.lines[id].bytes.len() as u64;
                self.model.lines[id].end = self.streams[route];
            }
            let kinds = self.setup.lanes.iter().map(|lane| lane.0).filter(|&kind| self.route(kind) == route).collect();
            self.hear(kinds, last);
        }
        // Whoever waits for an urgent push was told.
        let waits = self.model.lines.iter().any(|line| line.tag == tag && line.state == State::Queued);
        let told = match outcome {
            Outcome::Retry { .. } | Outcome::Unreachable | Outcome::Auth => true,
            Outcome::Written | Outcome::Unacknowledged(_) => !waits,
            _ => false,
        };
        if told && tag != 0 {
            self.model.lines.iter_mut().filter(|line| line.tag == tag).for_each(|line| line.tag = 0);
        }
    }

    fn flush(&mut self) {
        let ticket = self.delivery.flush();
        let upto = core::array::from_fn(|at| self.model.lanes[at].next_seq);
        let total = self.delivery.ledger().total();
        assert_eq!(self.delivery.left(&ticket), total.queued + total.in_flight, "a new ticket counts everything");
        self.tickets.truncate(3);
        self.tickets.insert(0, (ticket, upto));
    }

    fn route(&self, kind: Kind) -> usize {
        let lane = self.setup.lanes.iter().find(|lane| B::LARGE && lane.0 == kind);
        lane.map_or(0, |lane| usize::from(lane.1))
    }

    fn acknowledged(&mut self, kinds: KindSet, last: u32) {
        let now = self.now;
        self.view().acknowledged(kinds, last, now);
        self.hear(kinds, last);
    }

    /// The peer's kernel has not acknowledged the last `last` bytes of the connections of `kinds`.
    fn hear(&mut self, kinds: KindSet, last: u32) {
        for kind in kinds.iter() {
            let acked = self.streams[self.route(kind)].saturating_sub(last.into());
            let lane = self.model.lane(kind);
            lane.acked = lane.acked.max(acked);
        }
    }

    fn lost(&mut self, kinds: KindSet) {
        let acks = self.setup.receiver == Receiver::Acks;
        if acks {
            // As drivers have to: the outcomes of what the connection carried last come first.
            while let Some(at) = self.out.iter().position(|out| kinds.contains(out.token.kind())) {
                let out = self.out.swap_remove(at);
                self.outcome(out, Outcome::Retry { done: 0, after: None });
            }
        }
        let (before, now) = (self.delivery.ledger(), self.now);
        let lost = self.view().lost(kinds, now);
        let after = self.delivery.ledger();
        for kind in kinds.iter() {
            let again = self.setup.replay.contains(kind);
            let doubtful = after.row(kind).doubtful - before.row(kind).doubtful;
            let queued = after.row(kind).queued - before.row(kind).queued;
            assert_eq!((lost.doubtful(kind) as usize, lost.again(kind) as usize), (doubtful, queued), "{kind}");
            let acked = self.model.lanes[kind.index()].acked;
            for line in self.model.lines.iter_mut().filter(|line| line.kind == kind && line.state == State::Written) {
                line.state = match again {
                    // Nobody can have taken it for delivered.
                    _ if line.end > acked => State::Queued,
                    true => State::Limbo,
                    false => State::Doubtful,
                };
            }
            for out in self.out.iter_mut().filter(|out| again && out.token.kind() == kind) {
                out.lost = true;
                self.model.lane(kind).tainted = true;
            }
        }
    }

    fn confirm(&mut self, kinds: KindSet) {
        self.view().confirm(kinds);
        let written = |line: &&mut model::Line| kinds.contains(line.kind) && line.state == State::Written;
        self.model.lines.iter_mut().filter(written).for_each(|line| line.state = State::Delivered);
    }

    fn abandon(&mut self) {
        let before = self.delivery.ledger();
        self.view().abandon();
        if core::mem::replace(&mut self.abandoned, true) {
            assert_eq!(self.delivery.ledger(), before, "there was nothing left to give up");
            return;
        }
        self.closed = true;
        let exact = Kind::ALL.map(|kind| self.model.is_exact(kind));
        let acked = Kind::ALL.map(|kind| self.model.lanes[kind.index()].acked);
        // Where one of its batches is out, a segment that is acknowledged in part is not looked into.
        let blind = Kind::ALL.map(|kind| self.out.iter().any(|out| out.token.kind() == kind));
        for line in &mut self.model.lines {
            line.state = match line.state {
                State::Queued | State::Out => State::Closed,
                State::Written if line.end > acked[line.kind.index()] => State::Closed,
                State::Written if line.end > 0 && blind[line.kind.index()] => State::Limbo,
                State::Written => State::Doubtful,
                State::Limbo if exact[line.kind.index()] => State::Closed,
                state => state,
            };
        }
        assert_eq!(self.delivery.ledger().total().unsettled(), 0);
    }

    /// The laws of every moment.
    fn check(&mut self) {
        let ledger = self.delivery.ledger();
        assert!(ledger.is_balanced());
        let may_evict = self.setup.overflow == Overflow::DropOldest;
        let may_release = may_evict
            || !self.is_ample()
            || self.setup.receiver == Receiver::Both
            || self.setup.replay_bytes < PLENTY
            || self.setup.replay_for < LONG;
        for at in 0..self.setup.lanes.len() {
            let kind = self.kind(at);
            let before = core::mem::replace(&mut self.model.lane(kind).row, *ledger.row(kind));
            let unacked = self.delivery.view().unacknowledged(kind.into());
            assert_eq!(unacked, self.model.unacknowledged(kind), "{kind}: bytes that are not acknowledged");
            if self.abandoned && self.model.count(kind, State::Limbo) > 0 {
                // Whether such a line was written or queued in the end, only their sum tells.
                continue;
            }
            let may_release = may_release || self.model.lanes[kind.index()].tainted;
            self.model.check(kind, *ledger.row(kind), may_evict, may_release, self.is_ample());
            let row = ledger.row(kind);
            let leased = self.model.lanes[kind.index()].leased_lines;
            let level = row.queued + row.in_flight + leased;
            let was = core::mem::replace(&mut self.model.lane(kind).level, level);
            // Only what was written and comes back may pass the bound.
            let back = before.written > row.written || self.model.lanes[kind.index()].tainted;
            assert!(level <= self.setup.queue_lines.max(was) || back, "{kind}: {row:?}");
            if self.model.is_exact(kind) {
                let bytes = self.bytes_level(kind);
                let was = core::mem::replace(&mut self.model.lane(kind).bytes, bytes);
                assert!(bytes <= self.setup.queue_bytes.max(was) || back, "{kind}: bytes over the bound");
                let held = self.model.of(kind).filter(|line| line.state == State::Written);
                let held = held.map(|line| line.bytes.len()).sum::<usize>();
                assert!(held <= self.setup.replay_bytes || self.model.unacknowledged(kind) > 0);
            }
        }
        if self.abandoned {
            return;
        }
        for n in 0..self.tickets.len() {
            let (ticket, upto) = self.tickets[n];
            let left = self.delivery.left(&ticket);
            let (mut least, mut most) = (0, 0);
            for at in 0..self.setup.lanes.len() {
                let kind = self.kind(at);
                let (a, b) = self.model.left(kind, upto[kind.index()]);
                (least, most) = (least + a, most + b);
            }
            // Where segments were merged, numbers are too low, never too high.
            let total = ledger.total();
            let most = if self.is_ample() { most } else { total.queued + total.in_flight };
            assert!((least..=most).contains(&left), "{left} lines left, not {least} to {most}");
            if left == 0 {
                for (done, upto) in self.done.iter_mut().zip(upto) {
                    *done = (*done).max(upto);
                }
            }
        }
    }

    /// From now on everything goes well: everything leaves, and every slot is free again.
    fn finish(&mut self) {
        for (kind, lease) in core::mem::take(&mut self.leases) {
            self.end_lease(kind, lease, false, &[]);
        }
        let good = match self.setup.receiver {
            Receiver::Stream => Outcome::Written,
            Receiver::Acks => Outcome::Unacknowledged(0),
            Receiver::Answers | Receiver::Both => Outcome::Delivered,
        };
        while let Some(out) = self.out.pop() {
            self.outcome(out, good);
            self.check();
        }
        if self.abandoned {
            assert_eq!(self.delivery.ledger().total().unsettled(), 0);
            return;
        }
        self.acknowledged(KindSet::ALL, 0);
        self.limited = false;
        self.flush();
        let mut steps = 4 * self.model.lines.len() + 2 * self.setup.lanes.len() + 8;
        while self.delivery.ledger().total().queued > 0 {
            steps = steps.checked_sub(1).expect("does not drain");
            let before = self.out.len();
            match self.view_poll() {
                Action::Send(token) => self.sent(token, KindSet::ALL, Cut::NONE),
                Action::WaitUntil(until) => self.now = until,
                Action::Idle => panic!("idle with lines waiting"),
            }
            if self.out.len() > before {
                let out = self.out.pop().unwrap();
                self.outcome(out, good);
            }
            self.check();
        }
        for (ticket, _) in self.tickets.clone() {
            assert_eq!(self.delivery.left(&ticket), 0);
        }
        self.confirm(KindSet::ALL);
        self.check();
        assert_eq!(self.delivery.ledger().total().unsettled(), 0);
        for at in 0..self.setup.lanes.len() {
            let kind = self.kind(at);
            let limbo = self.model.count(kind, State::Limbo);
            let unseen = self.model.count(kind, State::Queued) + limbo;
            let known = self.model.evicted(kind) + self.model.released(kind);
            assert!(self.model.evicted(kind) <= unseen && (unseen <= known), "{kind}: a line went nowhere");
        }
        if !self.closed {
            self.refill();
        }
    }

    fn view_poll(&mut self) -> Action<B> {
        let now = self.now;
        self.view().poll(now, KindSet::ALL, Cut::NONE)
    }

    /// As many lines of a segment's size fit as there are slots.
    fn refill(&mut self) {
        let lens = [self.setup.segment];
        for n in 0..(self.setup.slots + 1) * self.setup.lanes.len() {
            let (kind, lines) = (self.kind(n), self.texts(&lens));
            let _ = self.view().try_push(kind, &lines.concat(), 1);
        }
        let room = self.setup.queue_lines.min(self.setup.queue_bytes / self.setup.segment);
        let queued = self.delivery.ledger().total().queued;
        assert_eq!(queued, self.setup.slots.min(room * self.setup.lanes.len()), "not every slot came back");
    }
}

/// Tries in one tick of the clock that nothing but small waits can make.
const TRIES: u32 = 6;
/// More slots than one run can fill.
pub(crate) const AMPLE: usize = 80;
pub(crate) const PLENTY: usize = 1 << 20;
pub(crate) const LONG: u64 = 1 << 40;
/// Just before a clock of 32 bits begins anew.
pub(crate) const SOON: u64 = u32::MAX as u64;

pub(crate) fn run<B: Queue + Debug>(setup: &Setup, ops: &[Op], slot: fn(usize) -> Slot<B>, stripe: fn(usize) -> B) {
    let mut harness = Harness::new(setup, slot, stripe);
    for op in ops {
        harness.apply(op);
    }
    harness.finish();
}
