//! Laws of the delivery with a store behind it: any client, receiver and medium, power cuts between any two steps, and
//! every line followed through all of these lives.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use core::time::Duration;

use wavefront_sdk::delivery::{
    Action, Buf, Config, Cut, Delivery, Errand, InFlight, Job, Keep, Lane, Large, Lease, Millis, Mode, Outcome,
    Overflow, Refused, Reply, Request, Row, Slot, Spool, Stored, Ticket,
};
use wavefront_sdk::store::{Footprint, Head, StoreFailure};
use wavefront_sdk::{Kind, KindSet};

/// The laws, for the run that the bytes describe. How many operations it had.
pub(crate) fn count(bytes: &[u8]) -> usize {
    let (setup, ops) = bytes.split_at_checked(8).unwrap_or((bytes, &[]));
    let setup = Setup::of(core::array::from_fn(|at| setup.get(at).copied().unwrap_or(0)));
    let ops = ops.chunks_exact(3).map(|op| [op[0], op[1], op[2]]);
    if setup.is_static {
        run::<Stored<[u8; SEGMENT]>>(setup, ops, || Slot::new(Stored([0; SEGMENT])), || Stored([0; SEGMENT]))
    } else {
        run::<Box<[u8]>>(setup, ops, Slot::empty, || vec![0; SEGMENT].into_boxed_slice())
    }
}

/// The same, as a target.
pub(crate) fn bytes(bytes: &[u8]) {
    count(bytes);
}

const SEGMENT: usize = 64;
const KINDS: [Kind; 2] = [Kind::Metric, Kind::Delta];
/// Longer than any run.
const AGES: Duration = Duration::from_secs(1 << 40);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Receiver {
    Answers,
    Stream,
    /// Does not answer, but its kernel acknowledges what it has.
    Acks,
}

#[derive(Debug, Clone, Copy)]
struct Setup {
    keep: Keep,
    footprint: Footprint,
    overflow: Overflow,
    receiver: Receiver,
    most_out: usize,
    slots: usize,
    queue_lines: usize,
    queue_bytes: usize,
    batch_lines: u32,
    replay: KindSet,
    replay_bytes: usize,
    is_static: bool,
    routes: bool,
}

impl Setup {
    fn of(b: [u8; 8]) -> Self {
        let pick = |byte: u8, all: &[u64]| all[usize::from(byte) % all.len()];
        let receiver = [Receiver::Answers, Receiver::Answers, Receiver::Stream, Receiver::Acks][usize::from(b[1]) % 4];
        Self {
            keep: Keep::new(if b[0] & 1 == 0 { Mode::Always } else { Mode::Overflow })
                .bytes(pick(b[2], &[1 << 30, 1 << 30, 100, 250, 600]))
                .age(if b[2] & 0x80 == 0 { AGES } else { Duration::from_secs(60) }),
            footprint: if b[0] & 2 == 0 { Footprint::EXACT } else { Footprint { overhead: 7, block: 16 } },
            overflow: if b[0] & 4 == 0 { Overflow::DropNewest } else { Overflow::DropOldest },
            receiver,
            most_out: if receiver == Receiver::Acks { 1 } else { pick(b[0] >> 4, &[1, 1, 2, 4]) as usize },
            slots: pick(b[3], &[4, 5, 8, 16, 40]) as usize,
            queue_lines: 4 + usize::from(b[4] % 40),
            queue_bytes: pick(b[5], &[96, 200, 500, 1 << 20]) as usize,
            batch_lines: 1 + u32::from(b[6] % 6),
            replay: [KindSet::ALL, KindSet::NONE, KindSet::ALL.without(Kind::Delta)][usize::from(b[7]) % 3],
            replay_bytes: pick(b[7] >> 4, &[1 << 20, 0, 100, 1 << 20]) as usize,
            is_static: b[0] & 8 != 0,
            routes: b[1] & 4 != 0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// In memory, out or in the store.
    Waiting,
    /// Was written to a stream in this life.
    Written,
    /// Delivered, or refused for good.
    Settled,
    /// Its record was removed or damaged before that.
    Lost,
    /// It was in memory alone when the power went.
    Gone,
}

struct Line {
    kind: Kind,
    state: State,
    /// The receiver has it, from this life or one before.
    arrived: bool,
    /// An earlier life was done with it: if its record is still found, it may come at any time.
    finished: bool,
    /// Somebody waits for it, or did: it does not wait for the store.
    urgent: bool,
    born: u32,
}

struct Record {
    head: Head,
    lines: Vec<usize>,
    damaged: bool,
    /// Its `put` was told as failed.
    orphan: bool,
}

struct Out<B> {
    token: InFlight<B>,
    lines: Vec<usize>,
}

/// One life of the process.
struct Life<B: Buf> {
    delivery: Delivery<B, Vec<Slot<B>>, Vec<Lane<Large>>>,
    spool: Spool,
    out: Vec<Out<B>>,
    job: Option<Job<B>>,
    tickets: Vec<(Ticket, usize)>,
    /// By kind: what the ledger has to say.
    counts: BTreeMap<Kind, Counts>,
    /// The medium failed once, or took nothing.
    troubled: bool,
    /// Kinds of which everything was found that an earlier life left.
    scanned: usize,
    /// The cap, an age or a damage made it forget something.
    forgetful: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    accepted: usize,
    refused: usize,
    delivered: usize,
    rejected: usize,
    too_large: usize,
    lost: usize,
}

struct World<B: Buf> {
    setup: Setup,
    slot: fn() -> Slot<B>,
    stripe: fn() -> B,
    disk: BTreeMap<(Kind, u32), Record>,
    lines: Vec<Line>,
    life: Life<B>,
    now: u64,
    tags: u32,
    /// Lines arrive in their order, as one batch is out at a time and nobody jumps the queue.
    ordered: bool,
    lives: u32,
    /// The medium once took a record and told of a failure: nobody counted it.
    orphaned: bool,
}

fn life<B: Buf<Scale = Large>>(setup: &Setup, slot: fn() -> Slot<B>, seed: u32) -> Life<B> {
    let mut config = Config::default();
    config.queue_lines = setup.queue_lines;
    config.queue_bytes = setup.queue_bytes;
    config.batch_lines = setup.batch_lines;
    config.segment_bytes = SEGMENT;
    config.overflow = setup.overflow;
    config.replay = setup.replay;
    config.replay_bytes = setup.replay_bytes;
    config.seed = seed;
    let lanes = (0..).zip(KINDS).map(|(at, kind)| Lane::on_route(kind, if setup.routes { at } else { 0 })).collect();
    let mut delivery = Delivery::new(config, (0..setup.slots).map(|_| slot()).collect(), lanes);
    let spool = Spool::new(setup.keep, setup.footprint, &mut delivery.view());
    Life {
        delivery,
        spool,
        out: vec![],
        job: None,
        tickets: vec![],
        counts: KINDS.map(|kind| (kind, Counts::default())).into(),
        troubled: false,
        scanned: 0,
        forgetful: false,
    }
}

fn run<B: Buf<Scale = Large> + Debug>(
    setup: Setup,
    ops: impl Iterator<Item = [u8; 3]>,
    slot: fn() -> Slot<B>,
    stripe: fn() -> B,
) -> usize {
    let mut world = World {
        setup,
        slot,
        stripe,
        disk: BTreeMap::new(),
        lines: vec![],
        life: life(&setup, slot, 1),
        // A clock of 32 bits begins anew soon.
        now: if setup.routes { 1_000 } else { u64::from(u32::MAX) - 20_000 },
        tags: 0,
        ordered: setup.most_out == 1 && setup.receiver == Receiver::Answers && setup.overflow == Overflow::DropNewest,
        lives: 1,
        orphaned: false,
    };
    let mut count = 0;
    for op in ops {
        world.apply(op);
        world.check();
        count += 1;
    }
    world.finish();
    count
}

impl<B: Buf<Scale = Large> + Debug> World<B> {
    fn apply(&mut self, [a, b, c]: [u8; 3]) {
        match a % 64 {
            0..16 => self.push(KINDS[usize::from(b >> 7)], b, c),
            16..20 => self.flush(),
            20..30 if self.life.out.len() < self.setup.most_out => {
                let limits = if b < 16 { Cut { lines: 1 + u32::from(b), bytes: SEGMENT } } else { Cut::NONE };
                self.poll(if b & 0xf0 == 0xf0 { KINDS[usize::from(c & 1)].into() } else { KindSet::ALL }, limits);
            }
            30..39 if !self.life.out.is_empty() => {
                let out = self.life.out.swap_remove(usize::from(b) % self.life.out.len());
                self.outcome(out, c);
            }
            39..45 if self.life.job.is_none() => self.errand(),
            45..53 => self.settle(b),
            53..55 => self.work(b),
            55..57 => self.now += u64::from(b) << (c % 12),
            57 => self.now = self.now.saturating_sub(u64::from(b)),
            58 if self.setup.receiver != Receiver::Answers => match b % 3 {
                0 => self.life.delivery.view().confirm(KindSet::ALL),
                _ => self.lost(),
            },
            59 if self.setup.receiver == Receiver::Acks => {
                self.life.delivery.view().acknowledged(KindSet::ALL, c.into(), Millis(self.now));
            }
            60 => {
                let at = usize::from(b) % self.disk.len().max(1);
                if let Some(record) = self.disk.values_mut().nth(at) {
                    record.damaged |= c < 64;
                }
            }
            61 if b < 32 => self.life.spool.hurry(),
            62 if b < 80 => self.cut(c),
            63 if b < 80 => self.end(c),
            _ => {}
        }
    }

    fn counts(&mut self, kind: Kind) -> &mut Counts {
        self.life.counts.get_mut(&kind).unwrap()
    }

    fn row(&mut self, kind: Kind) -> Row {
        *self.life.delivery.ledger().row(kind)
    }

    fn push(&mut self, kind: Kind, b: u8, c: u8) {
        let count = 1 + usize::from(b % 3);
        let first = self.lines.len();
        let text: Vec<u8> = (first..first + count)
            .flat_map(|id| format!("{id:0width$}\n", width = 5 + usize::from(c % 14)).into_bytes())
            .collect();
        let mut view = self.life.delivery.view();
        let pushed = match b >> 4 & 7 {
            6 => {
                self.tags += 1;
                self.ordered = false;
                view.push_urgent(kind, &text, count as u32, self.tags)
            }
            7 => {
                let need = Lease { lines: count, bytes: text.len() };
                match view.lease(kind, need, need) {
                    Ok(lease) => {
                        let mut buf = (self.stripe)();
                        buf.as_mut()[..text.len()].copy_from_slice(&text);
                        // Where no slot is left they are counted already.
                        view.adopt(kind, buf, text.len(), count as u32, lease).map(drop).map_err(|_| Refused::Full)
                    }
                    Err(Refused::Full) => Err(view.refuse(kind, count as u32)),
                    Err(refused) => Err(refused),
                }
            }
            _ => view.push(kind, &text, count as u32),
        };
        match pushed {
            Ok(()) => {
                let born = self.lives;
                let urgent = b >> 4 & 7 == 6;
                let line = || Line { kind, state: State::Waiting, arrived: false, finished: false, urgent, born };
                self.lines.extend((0..count).map(|_| line()));
                self.counts(kind).accepted += count;
            }
            Err(Refused::Full | Refused::StoreFull) => {
                self.counts(kind).refused += count;
                self.life.troubled |= pushed == Err(Refused::StoreFull);
            }
            Err(Refused::TooLarge) => assert!(text.len() > SEGMENT),
            Err(other) => panic!("{other}"),
        }
    }

    fn flush(&mut self) {
        let ticket = self.life.delivery.flush();
        self.life.tickets.truncate(3);
        self.life.tickets.insert(0, (ticket, self.lines.len()));
    }

    fn poll(&mut self, kinds: KindSet, limits: Cut) {
        let now = Millis(self.now);
        match self.life.delivery.view().poll(now, kinds, limits) {
            Action::Send(token) => self.sent(token),
            Action::WaitUntil(until) => assert!(until > now, "wait until {until:?} at {now:?}"),
            Action::Idle => {}
        }
    }

    fn sent(&mut self, token: InFlight<B>) {
        let lines = read(token.batch().bytes);
        assert_eq!(token.batch().lines as usize, lines.len());
        let stored = self.stored();
        for &id in &lines {
            let line = &self.lines[id];
            assert!(
                line.kind == token.kind() && matches!(line.state, State::Waiting | State::Written),
                "{id} leaves twice"
            );
        }
        let urgent = lines.iter().any(|&id| self.lines[id].urgent);
        let roomy = self.setup.keep.bytes == 1 << 30 && !self.life.troubled && !urgent;
        if self.setup.keep.mode == Mode::Always && roomy {
            let first = |id: &&usize| !stored.contains(id) && self.lines[**id].state == State::Waiting;
            assert_eq!(lines.iter().find(first), None, "it left before it was in the store");
        }
        self.life.out.push(Out { token, lines });
    }

    fn outcome(&mut self, Out { token, lines }: Out<B>, c: u8) {
        let (kind, count) = (token.kind(), lines.len());
        let answers = self.setup.receiver == Receiver::Answers;
        let (outcome, came) = match c % 16 {
            0..8 => match self.setup.receiver {
                Receiver::Answers => (Outcome::Delivered, true),
                Receiver::Stream => (Outcome::Written, true),
                Receiver::Acks => (Outcome::Unacknowledged((c >> 4).into()), true),
            },
            8 if answers => (Outcome::TooLarge, false),
            9 if answers => (Outcome::Rejected(400), false),
            10 if answers => (Outcome::Retry { done: u32::from(c >> 6), after: None }, false),
            11 => (Outcome::Auth, false),
            12 | 13 => (Outcome::Unreachable, false),
            // Nobody was there to hear the answer.
            14 => (Outcome::Retry { done: 0, after: None }, answers),
            _ => (Outcome::Retry { done: 0, after: Some(Duration::from_secs(1)) }, false),
        };
        let report = self.life.delivery.outcome(token, outcome, Millis(self.now));
        let (settled, state) = match outcome {
            Outcome::Delivered => (count, State::Settled),
            Outcome::Written | Outcome::Unacknowledged(_) => (count, State::Written),
            Outcome::Rejected(_) => (count, State::Settled),
            Outcome::TooLarge if count == 1 => (1, State::Settled),
            Outcome::Retry { done, .. } => (count.min(done as usize), State::Settled),
            _ => (0, State::Waiting),
        };
        assert_eq!(report.settled as usize, settled);
        let counts = self.counts(kind);
        match outcome {
            Outcome::Rejected(_) => counts.rejected += settled,
            Outcome::TooLarge => counts.too_large += settled,
            Outcome::Written | Outcome::Unacknowledged(_) => {}
            _ => counts.delivered += settled,
        }
        let delivered = matches!(outcome, Outcome::Delivered | Outcome::Retry { .. });
        for (n, &id) in lines.iter().enumerate() {
            if n < settled {
                self.lines[id].state = state;
                self.lines[id].finished |= !(came || delivered);
            }
            if came || (delivered && n < settled) {
                self.arrive(id);
            }
        }
    }

    /// The receiver has a line.
    fn arrive(&mut self, id: usize) {
        let line = &mut self.lines[id];
        if core::mem::replace(&mut line.arrived, true) || !self.ordered {
            return;
        }
        let line = &self.lines[id];
        // What came before is there too, or will never come.
        let overtaken = self.lines[..id].iter().position(|other| {
            other.kind == line.kind && !other.arrived && !other.finished && other.state == State::Waiting
        });
        assert_eq!(overtaken, None, "{id} overtook it");
    }

    fn lost(&mut self) {
        while let Some(out) = self.life.out.pop() {
            self.outcome(out, 14);
        }
        self.life.delivery.view().lost(KindSet::ALL, Millis(self.now));
    }

    /// Asks for a job; whether there is one.
    fn errand(&mut self) {
        let now = Millis(self.now);
        match self.life.spool.poll(&mut self.life.delivery.view(), now, self.now) {
            Errand::Do(job) => self.life.job = Some(job),
            Errand::WaitUntil(until) => assert!(until > now, "wait until {until:?} at {now:?}"),
            Errand::Idle => {}
        }
    }

    /// Does the job that was asked for, as the medium does it.
    fn settle(&mut self, b: u8) {
        let Some(mut job) = self.life.job.take() else { return };
        let failure = match b % 16 {
            0 => Some(StoreFailure::Unavailable),
            1 => Some(StoreFailure::Full),
            _ => None,
        };
        let result = self.medium(&mut job, failure, b & 0x10 != 0);
        let now = Millis(self.now);
        let loss = self.life.spool.settle(&mut self.life.delivery.view(), job, result, now);
        self.life.forgetful |= loss.is_some();
    }

    /// What the medium does. If it fails to write, it may have done so all the same.
    fn medium(
        &mut self,
        job: &mut Job<B>,
        failure: Option<StoreFailure>,
        all_the_same: bool,
    ) -> Result<Reply, StoreFailure> {
        let unavailable = StoreFailure::Unavailable;
        match job.request() {
            Request::Put(head, text) => {
                let lines = read(text);
                assert_eq!((head.bytes as usize, head.lines as usize), (text.len(), lines.len()));
                assert!(head.key != 0 && !lines.is_empty());
                assert!(lines.iter().all(|&id| self.lines[id].kind == head.kind));
                let fails = failure.is_some();
                self.life.troubled |= fails;
                if !fails || (all_the_same && failure == Some(unavailable)) {
                    self.orphaned |= fails;
                    self.disk.insert((head.kind, head.key), Record { head, lines, damaged: false, orphan: fails });
                    self.check_order(head.kind);
                }
                failure.map_or(Ok(Reply::Done), Err)
            }
            Request::Next(kind, from) => {
                if failure.is_some() {
                    self.life.troubled = true;
                    // Nobody waits for a store that cannot say what it has.
                    self.ordered &= self.life.scanned >= KINDS.len();
                    return Err(unavailable);
                }
                let found = self.disk.range((kind, from)..=(kind, u32::MAX)).next();
                self.life.scanned += usize::from(found.is_none());
                Ok(Reply::Found(found.map(|(_, record)| record.head)))
            }
            Request::Read(head, into) => {
                if failure.is_some() {
                    self.life.troubled = true;
                    return Err(unavailable);
                }
                let place = (head.kind, head.key);
                match self.disk.get(&place) {
                    Some(record) if !record.damaged => {
                        let mut text = vec![];
                        for &id in &record.lines {
                            text.extend(format!("{id}\n").into_bytes());
                        }
                        assert_eq!(record.head, head, "it is not what was put");
                        // As long as it was: numbers have zeros in front.
                        let mut rest = &mut *into;
                        let spare = rest.len() - text.len();
                        rest[..spare].fill(b'0');
                        rest = &mut rest[spare..];
                        rest.copy_from_slice(&text);
                        Ok(Reply::Done)
                    }
                    _ => {
                        self.remove(place);
                        self.life.forgetful = true;
                        Err(StoreFailure::Damaged)
                    }
                }
            }
            Request::Remove(kind, key) => {
                let fails = failure.is_some();
                self.life.troubled |= fails;
                if !fails || all_the_same {
                    self.remove((kind, key));
                }
                if fails { Err(unavailable) } else { Ok(Reply::Done) }
            }
            _ => panic!("a request that no store knows"),
        }
    }

    fn remove(&mut self, place: (Kind, u32)) {
        let Some(record) = self.disk.remove(&place) else { return };
        let stored = self.stored();
        for id in record.lines {
            if self.lines[id].state == State::Waiting && !stored.contains(&id) && !record.orphan {
                self.lines[id].state = State::Lost;
                self.life.counts.get_mut(&place.0).unwrap().lost += 1;
            }
        }
    }

    /// All that is to be done for the store at this moment; with `b` below 16 nothing of it can be done.
    fn work(&mut self, b: u8) {
        if self.life.job.is_some() {
            self.settle(2);
        }
        let waiting = self.lines.iter().filter(|line| matches!(line.state, State::Waiting | State::Written)).count();
        let most = if b < 16 { 20 } else { 6 * (self.disk.len() + waiting) + 4 * KINDS.len() + 16 };
        for _ in 0..most {
            self.errand();
            if self.life.job.is_none() {
                return;
            }
            self.settle(if b < 16 { b & 1 } else { 2 });
        }
        panic!("the store is never left alone");
    }

    /// The power goes: what is in memory alone is gone, what is on its way may have arrived.
    fn cut(&mut self, c: u8) {
        if let Some(mut job) = self.life.job.take() {
            let failure = if c & 1 == 0 { None } else { Some(StoreFailure::Unavailable) };
            let _ = self.medium(&mut job, failure, c & 2 == 0);
        }
        if self.setup.receiver == Receiver::Answers && c & 4 == 0 {
            for Out { lines, .. } in core::mem::take(&mut self.life.out) {
                for id in lines {
                    self.arrive(id);
                }
            }
        }
        self.begin_anew();
    }

    fn begin_anew(&mut self) {
        let stored = self.stored();
        for (id, line) in self.lines.iter_mut().enumerate() {
            line.finished |= matches!(line.state, State::Lost | State::Settled);
            line.state = if stored.contains(&id) { State::Waiting } else { State::Gone };
        }
        for record in self.disk.values_mut() {
            record.orphan = false;
        }
        self.lives += 1;
        self.life = life(&self.setup, self.slot, self.lives);
    }

    /// A close whose time is over: everything that can be stored is.
    fn end(&mut self, c: u8) {
        self.life.delivery.view().close();
        if c & 1 == 0 {
            self.life.spool.hurry();
            self.work(c);
        }
        self.life.spool.last(&mut self.life.delivery.view());
        assert!(
            matches!(self.life.delivery.poll(Millis(self.now), KindSet::ALL), Action::Idle),
            "nothing is sent any more"
        );
        let fails = c & 6 == 0;
        self.work(if fails { c >> 3 & 1 } else { 16 });
        let done = self.life.spool.is_done(&self.life.delivery.view());
        let clean = done && !self.life.troubled && self.setup.keep.bytes == 1 << 30;
        if !fails && !self.life.troubled {
            assert!(done, "there is nothing to wait for");
        }
        self.life.delivery.view().abandon();
        assert_eq!(self.life.delivery.ledger().total().unsettled(), 0);
        let stored = self.stored();
        for kind in KINDS {
            let row = self.row(kind);
            assert!(row.is_balanced());
            let out: usize =
                self.life.out.iter().filter(|out| out.token.kind() == kind).map(|out| out.lines.len()).sum();
            if clean {
                let most = if self.setup.is_static { out + SEGMENT } else { 0 };
                assert!(row.dropped.closed <= most, "{kind}: {row:?}");
            }
            // A line that was dropped may still stand in a record with others.
            let keeps = self.setup.overflow == Overflow::DropNewest && !self.life.forgetful;
            if self.setup.receiver == Receiver::Answers && clean && keeps {
                let waiting = |id: &&usize| self.lines[**id].kind == kind && self.lines[**id].state == State::Waiting;
                assert_eq!(stored.iter().filter(waiting).count(), row.stored, "{kind}: {row:?}");
            }
        }
        let before = self.life.delivery.ledger();
        for Out { token, lines } in core::mem::take(&mut self.life.out) {
            let report = self.life.delivery.outcome(token, Outcome::Delivered, Millis(self.now));
            assert_eq!((report.settled, report.kept), (0, 0));
            lines.into_iter().for_each(|id| self.arrive(id));
        }
        assert_eq!(self.life.delivery.ledger(), before, "a late outcome changes nothing");
        self.work(16);
        assert!(self.life.delivery.ledger().is_balanced());
        self.begin_anew();
    }

    /// The lines that the store has.
    fn stored(&self) -> BTreeSet<usize> {
        self.disk.values().flat_map(|record| record.lines.iter().copied()).collect()
    }

    /// The records of a kind have keys in the order of their lines, as far as these still wait.
    fn check_order(&self, kind: Kind) {
        if !self.ordered {
            return;
        }
        let records = self.disk.values().filter(|record| record.head.kind == kind && !record.orphan);
        let waits = |id: &&usize| self.lines[**id].state == State::Waiting && !self.lines[**id].finished;
        let lines: Vec<_> = records.flat_map(|record| record.lines.iter().filter(waits)).collect();
        assert!(lines.is_sorted(), "{lines:?}");
    }

    /// The laws of every moment.
    fn check(&mut self) {
        let ledger = self.life.delivery.ledger();
        let stored = self.stored();
        for kind in KINDS {
            let (row, counts) = (*ledger.row(kind), self.life.counts[&kind]);
            assert!(row.is_balanced(), "{kind}: {row:?}");
            assert_eq!(row.accepted, counts.accepted + counts.refused, "{kind}: {row:?}");
            let out = self.life.out.iter().filter(|out| out.token.kind() == kind);
            assert_eq!(row.in_flight, out.map(|out| out.lines.len()).sum::<usize>());
            let rejected = row.dropped.rejected;
            assert_eq!((rejected, row.dropped.too_large), (counts.rejected, counts.too_large), "{kind}: {row:?}");
            if self.setup.receiver == Receiver::Answers {
                assert_eq!((row.delivered, row.written), (counts.delivered, 0), "{kind}: {row:?}");
            }
            assert_eq!(row.dropped.closed, 0, "{kind}: {row:?}");
            // What could not be removed may be gone all the same.
            assert!(row.stored <= stored.len() || self.life.troubled, "{kind}: {row:?}");
        }
        if !self.orphaned {
            let bytes: u64 = self.disk.values().map(|record| self.setup.footprint.of(record.head.bytes)).sum();
            assert!(bytes <= self.setup.keep.bytes, "{bytes} bytes in the store");
        }
        let durable = self.setup.overflow == Overflow::DropNewest && !self.life.forgetful;
        for &(ticket, upto) in self.life.tickets.iter().filter(|_| durable) {
            if self.life.delivery.view().left(&ticket) == 0 {
                let waits = |id: &usize| self.lines[*id].state == State::Waiting && self.lines[*id].born == self.lives;
                let left = (0..upto).find(|id| waits(id) && !stored.contains(id));
                assert_eq!(left, None, "a flush was done without it");
            }
        }
    }

    /// From now on everything goes well: all that is owed arrives, nothing stays in the store, every slot is free again.
    fn finish(&mut self) {
        while let Some(out) = self.life.out.pop() {
            self.outcome(out, 0);
        }
        if self.setup.receiver != Receiver::Answers {
            self.lost();
        }
        // A store that failed is asked again by then.
        self.now += 100_000;
        let mut steps = 8 * self.lines.len() + 4 * self.disk.len() + 64;
        loop {
            steps = steps.checked_sub(1).expect("does not drain");
            self.life.delivery.flush();
            self.work(16);
            self.check();
            let row = self.life.delivery.ledger().total();
            // What a medium that failed was not asked again to remove is found in the next life.
            let evicts = self.setup.overflow == Overflow::DropOldest;
            let waits = |record: &Record| {
                let waits = |id: &usize| self.lines[*id].state == State::Waiting;
                !record.orphan && !evicts && record.lines.iter().any(waits)
            };
            let kept = if self.life.troubled { self.disk.values().any(waits) } else { !self.disk.is_empty() };
            let left = row.queued + row.stored > 0 || kept;
            match self.life.delivery.poll(Millis(self.now), KindSet::ALL) {
                Action::Send(token) => {
                    self.sent(token);
                    let out = self.life.out.pop().unwrap();
                    self.outcome(out, 0);
                }
                _ if !left && row.written == 0 => break,
                _ => {
                    self.life.delivery.view().confirm(KindSet::ALL);
                    self.now += 10_000;
                }
            }
        }
        for kind in KINDS {
            let (row, counts) = (self.row(kind), self.life.counts[&kind]);
            assert_eq!((row.unsettled(), row.stored), (0, 0), "{kind}: {row:?}");
            let unseen = self.lines.iter().filter(|line| line.kind == kind && line.state == State::Waiting).count();
            let dropped = row.dropped.total() - row.dropped.rejected - row.dropped.too_large - counts.refused;
            let missing = unseen + counts.lost;
            if self.setup.receiver == Receiver::Answers && !self.life.troubled {
                assert_eq!(missing, dropped, "{kind}: {row:?}");
            }
            assert!(missing <= dropped + row.doubtful, "{kind}: {missing} lines are gone in silence: {row:?}");
        }
        if self.disk.is_empty() && !self.life.troubled {
            assert_eq!(self.life.spool.bytes(), 0, "the store is empty");
        }
        self.refill();
    }

    /// As many lines of a segment's size fit as there are slots.
    fn refill(&mut self) {
        let text = [&[b'0'; SEGMENT - 1][..], b"\n"].concat();
        for n in 0..(self.setup.slots + 1) * KINDS.len() {
            let _ = self.life.delivery.view().try_push(KINDS[n % KINDS.len()], &text, 1);
        }
        let room = self.setup.queue_lines.min(self.setup.queue_bytes / SEGMENT) * KINDS.len();
        let queued = self.life.delivery.ledger().total().queued;
        assert_eq!(queued, self.setup.slots.min(room), "not every slot came back");
    }
}

/// The numbers of the lines in a text.
fn read(text: &[u8]) -> Vec<usize> {
    let text = core::str::from_utf8(text).unwrap();
    assert!(text.ends_with('\n'), "half a line");
    text.lines().map(|line| line.parse().unwrap()).collect()
}
