//! What a client may expect of the delivery, line by line: who has which line, and what the ledger has to say of it.
//!
//! The model knows nothing of segments. So two things it learns from the ledger only: which lines the overflow policy
//! evicted, and which written ones were taken for delivered early. It says how many there may be, and is exact where
//! there are none.

use wavefront_sdk::Kind;
use wavefront_sdk::delivery::Row;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Queued,
    Out,
    Written,
    /// Was written, and the connection was lost: waits again, unless it was taken for delivered before.
    Limbo,
    Delivered,
    Doubtful,
    Rejected,
    TooLarge,
    Closed,
}

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) kind: Kind,
    /// Its number among the lines of its kind.
    pub(crate) seq: usize,
    pub(crate) bytes: Vec<u8>,
    /// Which urgent push brought it, while that is to go alone.
    pub(crate) tag: u32,
    pub(crate) urgent: bool,
    pub(crate) state: State,
    /// The receiver may have it already.
    pub(crate) tried: bool,
    /// Was written once: for a flush it is done, wherever it is now.
    pub(crate) written: bool,
    /// The most lines that its next batch may have.
    pub(crate) window: usize,
    /// Where its last byte is in all that its connection carried; 0 where nobody asks.
    pub(crate) end: u64,
}

/// One kind's own counts.
#[derive(Debug, Default, Clone)]
pub(crate) struct Lane {
    pub(crate) next_seq: usize,
    pub(crate) refused: usize,
    pub(crate) refused_closed: usize,
    pub(crate) leased_lines: usize,
    pub(crate) leased_bytes: usize,
    /// Lines and bytes that counted against the bounds after the last operation.
    pub(crate) level: usize,
    pub(crate) bytes: usize,
    pub(crate) again: usize,
    /// How far the peer's kernel has acknowledged what the lane's connection carried.
    pub(crate) acked: u64,
    /// The connection was lost while a batch was out.
    pub(crate) tainted: bool,
    pub(crate) row: Row,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) lines: Vec<Line>,
    pub(crate) lanes: [Lane; Kind::COUNT],
}

impl Model {
    pub(crate) fn lane(&mut self, kind: Kind) -> &mut Lane {
        &mut self.lanes[kind.index()]
    }

    pub(crate) fn of(&self, kind: Kind) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.kind == kind)
    }

    pub(crate) fn count(&self, kind: Kind, state: State) -> usize {
        self.of(kind).filter(|line| line.state == state).count()
    }

    /// The bytes of the line that will get the number `id`: all of them different, `len` long with the LF.
    pub(crate) fn text(id: usize, len: usize) -> Vec<u8> {
        let mut bytes = format!("{id:04x}").into_bytes();
        bytes.resize(len.max(5) - 1, b'.');
        bytes.push(b'\n');
        bytes
    }

    /// Lines that the queue took, in this order.
    pub(crate) fn accept(&mut self, kind: Kind, lines: Vec<Vec<u8>>, tag: u32) {
        for bytes in lines {
            let lane = self.lane(kind);
            let seq = lane.next_seq;
            lane.next_seq += 1;
            let state = State::Queued;
            let window = usize::MAX;
            self.lines.push(Line {
                kind,
                seq,
                bytes,
                tag,
                urgent: tag != 0,
                state,
                tried: false,
                written: false,
                window,
                end: 0,
            });
        }
    }

    /// The lines of a batch, which are surely ours, whole, and waiting.
    pub(crate) fn read(&self, kind: Kind, bytes: &[u8]) -> Vec<usize> {
        let read = |line: &[u8]| {
            let id = line.get(..4).and_then(|id| core::str::from_utf8(id).ok());
            let id = id.and_then(|id| usize::from_str_radix(id, 16).ok()).expect("a line begins in the middle");
            let known = self.lines.get(id).expect("a line nobody pushed");
            assert_eq!((known.kind, known.bytes.as_slice()), (kind, line), "a line was altered");
            assert!(matches!(known.state, State::Queued | State::Limbo), "line {id} is {:?}", known.state);
            id
        };
        bytes.split_inclusive(|&byte| byte == b'\n').map(read).collect()
    }

    /// Whether a line was written and the peer's kernel has it.
    pub(crate) fn is_acked(&self, line: &Line) -> bool {
        line.end <= self.lanes[line.kind.index()].acked
    }

    /// The bytes of a kind that were written and are not acknowledged.
    pub(crate) fn unacknowledged(&self, kind: Kind) -> usize {
        let acked = self.lanes[kind.index()].acked;
        let written = self.of(kind).filter(|line| line.state == State::Written);
        written.map(|line| line.bytes.len().min(line.end.saturating_sub(acked) as usize)).sum()
    }

    /// Lines evicted so far.
    pub(crate) fn evicted(&self, kind: Kind) -> usize {
        let lane = &self.lanes[kind.index()];
        lane.row.dropped.queue_full - lane.refused
    }

    /// Written lines that were taken for delivered although nobody confirmed them.
    pub(crate) fn released(&self, kind: Kind) -> usize {
        let delivered = self.lanes[kind.index()].row.delivered;
        delivered.checked_sub(self.count(kind, State::Delivered)).expect("a delivered line was not counted")
    }

    /// Whether the model knows the state of every single line.
    pub(crate) fn is_exact(&self, kind: Kind) -> bool {
        !self.lanes[kind.index()].tainted && self.evicted(kind) == 0 && self.released(kind) == 0
    }

    /// Compares the ledger's row with the lines.
    pub(crate) fn check(&self, kind: Kind, row: Row, may_evict: bool, may_release: bool, ample: bool) {
        assert!(row.is_balanced(), "{kind}: {row:?}");
        let [queued, out, written, limbo] =
            [State::Queued, State::Out, State::Written, State::Limbo].map(|state| self.count(kind, state));
        let [doubtful, rejected, too_large, closed] =
            [State::Doubtful, State::Rejected, State::TooLarge, State::Closed].map(|state| self.count(kind, state));
        let lane = &self.lanes[kind.index()];
        let closed = closed + lane.refused_closed;
        assert_eq!(row.accepted, self.of(kind).count() + lane.refused + lane.refused_closed, "{kind} accepted");
        assert_eq!(row.in_flight, out, "{kind} in flight");
        assert_eq!(row.dropped.rejected, rejected, "{kind} rejected");
        assert_eq!(row.dropped.too_large, too_large, "{kind} too large");
        let (evicted, released) = (self.evicted(kind), self.released(kind));
        assert!(may_evict || evicted == 0, "{kind}: {evicted} lines evicted");
        assert!(may_release || released == 0, "{kind}: {released} written lines taken for delivered");
        let unacked = self.of(kind).filter(|line| line.state == State::Written && !self.is_acked(line)).count();
        assert!(row.written >= unacked, "{kind}: {unacked} lines are not acknowledged, and not all are kept: {row:?}");
        assert!(row.written <= written + limbo && row.queued <= queued + limbo, "{kind}: {row:?}");
        assert!(row.doubtful <= doubtful && doubtful <= row.doubtful + released, "{kind} doubtful: {row:?}");
        assert!(row.dropped.closed <= closed && closed <= row.dropped.closed + evicted + released, "{kind} closed");
        assert!(row.resent >= lane.again, "{kind}: {} lines went again, {row:?}", lane.again);
        if self.is_exact(kind) {
            assert!(row.resent == lane.again || !ample, "{kind}: {} lines went again, {row:?}", lane.again);
            let expected = (queued + limbo, written, doubtful, closed);
            assert_eq!((row.queued, row.written, row.doubtful, row.dropped.closed), expected, "{kind}");
        }
    }

    /// The least and the most lines before number `seq` that are queued or in flight.
    pub(crate) fn left(&self, kind: Kind, seq: usize) -> (usize, usize) {
        let before = || self.of(kind).filter(|line| line.seq < seq);
        let sure = before().filter(|line| matches!(line.state, State::Queued | State::Out)).count();
        let most = sure + before().filter(|line| line.state == State::Limbo).count();
        if self.is_exact(kind) { (most, most) } else { (sure.saturating_sub(self.evicted(kind)), most) }
    }
}
