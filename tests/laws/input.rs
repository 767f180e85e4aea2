//! What the laws are held to, made of any bytes: a datum of any kind and the rules it is written by, or a delivery and
//! what happens to it. Bytes that ran out are zeros.

use core::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use wavefront_sdk::delivery::{Cut, Lease, Outcome, Overflow, Slot, Stored};
use wavefront_sdk::{
    DeltaCounter, DescriptionAction, Event, EventForm, Granularities, Granularity, Histogram, Kind, KindSet, Limits,
    Metric, Rules, SourceDescription, SourceTag, Span, SpanLog, SpanLogs, TagAction, Uuid,
};

use super::clean::{LENGTHS, PIECES, utf16};
use super::delivery::{self, AMPLE, LONG, Op, PLENTY, Receiver, SOON, Setup, Way};
use super::encode::{self as laws, Rooms};

// ---- a datum -----------------------------------------------------------------------------------------------------------

/// The laws of the encoders, for the datum that the bytes describe.
pub(crate) fn encode(bytes: &[u8]) {
    if let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(bytes)) {
        input.check();
    }
}

#[derive(Debug, Arbitrary)]
struct Input {
    limits: Option<[u8; 10]>,
    default_source: Option<Words>,
    room: u16,
    json: bool,
    datum: Datum,
}

#[derive(Debug, Arbitrary)]
enum Datum {
    Metric {
        name: Words,
        value: Number,
        timestamp: Option<Time>,
        source: Option<Words>,
        tags: Tags,
    },
    Delta {
        name: Words,
        value: Number,
        source: Option<Words>,
        tags: Tags,
    },
    Histogram {
        name: Words,
        centroids: Vec<(Number, Time)>,
        which: u8,
        timestamp: Option<Time>,
        source: Option<Words>,
        tags: Tags,
    },
    Span {
        name: Words,
        times: (Time, Time),
        source: Option<Words>,
        ids: (Id, Id),
        parents: Vec<Id>,
        follows_from: Vec<Id>,
        tags: Tags,
        logs: Vec<Log>,
    },
    Logs {
        ids: (Id, Id),
        second: Option<Words>,
        logs: Vec<Log>,
        span: Option<Words>,
    },
    Event {
        name: Words,
        start: Time,
        end: Option<Time>,
        source: Option<Words>,
        tags: Vec<Words>,
        annotations: Tags,
    },
    SourceTag {
        action: u8,
        source: Option<Words>,
        tags: Vec<Words>,
    },
    Description {
        save: bool,
        source: Option<Words>,
        text: Words,
    },
}

#[derive(Debug, Arbitrary)]
struct Log {
    timestamp: Time,
    fields: Tags,
}

/// Text, as it comes or of likely pieces, and around the limits.
#[derive(Debug)]
struct Words(String);

impl<'a> Arbitrary<'a> for Words {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut text = String::new();
        match u.int_in_range(0..=7_u8)? {
            0..=3 => {
                for _ in 0..u.int_in_range(0..=6_u8)? {
                    text += u.choose(&PIECES)?;
                }
            }
            4..=6 => text += <&str>::arbitrary(u)?,
            _ => {
                let piece = ["x", "é", "😀", "\"", "\n."][usize::from(u.int_in_range(0..=4_u8)?)];
                text += u.choose(&PIECES)?;
                let len = u.choose(&LENGTHS)? + usize::from(u.int_in_range(0..=2_u8)?) - 1;
                let missing = len.saturating_sub(utf16(&text));
                text += &piece.repeat(missing.div_ceil(utf16(piece)));
            }
        }
        Ok(Self(text))
    }
}

/// Pairs as they come, and seldom many more of them with keys of their own.
#[derive(Debug, Arbitrary)]
struct Tags {
    few: Vec<(Words, Words)>,
    many: u8,
}

impl Tags {
    fn into_pairs(self) -> Vec<(String, String)> {
        // Around the limits of spans and of points.
        let many = if self.many < 16 { [0, 17, 18, 97, 98, 99, 100, 101][usize::from(self.many) % 8] } else { 0 };
        let few = self.few.into_iter().map(|(key, value)| (key.0, value.0));
        few.chain((0..many).map(|at| (format!("key {at}"), "v".to_owned()))).collect()
    }
}

/// A double, with those that are written in a way of their own.
#[derive(Debug)]
struct Number(f64);

impl<'a> Arbitrary<'a> for Number {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        const ODD: [f64; 12] = [
            0.0,
            -0.0,
            1e16,
            1e-5,
            1e15,
            0.1,
            5e-324,
            f64::MIN_POSITIVE,
            f64::MAX,
            f64::NAN,
            f64::INFINITY,
            4_503_599_627_370_496.5,
        ];
        Ok(Self(match u.int_in_range(0..=3_u8)? {
            0 => *u.choose(&ODD)?,
            1 => f64::from(i32::arbitrary(u)?),
            2 => f64::from(i32::arbitrary(u)?) / 10_f64.powi(u.int_in_range(1..=9)?),
            _ => f64::arbitrary(u)?,
        }))
    }
}

/// A time or a count: any, small, or at the edge of a unit.
#[derive(Debug, Clone, Copy)]
struct Time(u64);

impl<'a> Arbitrary<'a> for Time {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        const EDGES: [u64; 10] = [
            1,
            1_493_773_500,
            1 << 31,
            1_000_000_000_000,
            1_552_949_776_000,
            10_000_000_000_000,
            1_000_000_000_000_000,
            10_000_000_000_000_000,
            1 << 53,
            1 << 63,
        ];
        Ok(Self(match u.int_in_range(0..=3_u8)? {
            0 => *u.choose(&EDGES)?,
            1 => u.choose(&EDGES)? - u64::from(u.int_in_range(0..=1_u8)?),
            2 => u64::from(u16::arbitrary(u)?),
            _ => u64::arbitrary(u)?,
        }))
    }
}

/// An id: one byte is enough to have two of them alike, or not.
#[derive(Debug, Arbitrary)]
struct Id(u8);

impl From<&Id> for Uuid {
    fn from(id: &Id) -> Self {
        Self::from_u128(u128::MAX / 255 * u128::from(id.0))
    }
}

fn given(source: &Option<Words>) -> Option<&str> {
    source.as_ref().map(|source| &*source.0)
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(key, value)| (&**key, &**value)).collect()
}

fn texts(texts: &[Words]) -> Vec<&str> {
    texts.iter().map(|text| &*text.0).collect()
}

fn uuids(ids: &[Id]) -> Vec<Uuid> {
    ids.iter().map(Uuid::from).collect()
}

/// Calls `check` with the records that `logs` describe.
fn with_logs(logs: Vec<Log>, check: impl FnOnce(&[SpanLog<'_>])) {
    let logs: Vec<_> = logs.into_iter().map(|log| (log.timestamp.0, log.fields.into_pairs())).collect();
    let logs: Vec<_> = logs.iter().map(|(at, fields)| (*at, borrowed(fields))).collect();
    check(&logs.iter().map(|(at, fields)| SpanLog::new(*at, fields)).collect::<Vec<_>>());
}

impl Input {
    fn limits(&self) -> Limits {
        let mut limits = Limits::DEFAULT;
        if let Some(given) = self.limits {
            let [name, source, key, tag, tags, span_name, span_key, span_tags, lines, which] = given.map(usize::from);
            (limits.metric_name, limits.source, limits.tag_key, limits.tag) = (name, source, key, tag);
            (limits.tags, limits.span_name, limits.span_tag_key, limits.span_tags) =
                (tags, span_name, span_key, span_tags);
            if which % 2 == 1 {
                (limits.metric_line, limits.histogram_line, limits.trace_line) = (2 * lines, 4 * lines, 4 * lines);
            }
        }
        limits
    }

    fn rules<'a>(&'a self, limits: &'a Limits) -> Rules<'a> {
        let mut rules = Rules::new().limits(limits);
        rules.default_source = given(&self.default_source);
        if self.json { rules.events(EventForm::Json) } else { rules }
    }

    fn check(mut self) {
        let datum = core::mem::replace(&mut self.datum, Datum::SourceTag { action: 0, source: None, tags: Vec::new() });
        let limits = self.limits();
        let (rules, rooms) = (&self.rules(&limits), Rooms::One(usize::from(self.room)));
        match datum {
            Datum::Metric { name, value, timestamp, source, tags } => {
                let tags = tags.into_pairs();
                let tags = borrowed(&tags);
                let mut metric = Metric::new(&name.0, value.0).tags(&*tags);
                (metric.timestamp, metric.source) = (timestamp.map(|time| time.0), given(&source));
                let _ = laws::metric(&metric, rules, rooms);
            }
            Datum::Delta { name, value, source, tags } => {
                let tags = tags.into_pairs();
                let tags = borrowed(&tags);
                let mut counter = DeltaCounter::new(&name.0, value.0).tags(&*tags);
                counter.source = given(&source);
                let _ = laws::delta(&counter, rules, rooms);
            }
            Datum::Histogram { name, centroids, which, timestamp, source, tags } => {
                let tags = tags.into_pairs();
                let tags = borrowed(&tags);
                let centroids: Vec<_> = centroids.iter().map(|(mean, count)| (mean.0, count.0)).collect();
                let all = [Granularity::Minute, Granularity::Hour, Granularity::Day].into_iter().enumerate();
                let chosen: Vec<_> = all.filter(|(at, _)| which >> at & 1 == 1).map(|(_, it)| it).collect();
                let histogram = Histogram::new(&name.0, &centroids).granularities(Granularities::from(&*chosen));
                let mut histogram = histogram.tags(&*tags);
                (histogram.timestamp, histogram.source) = (timestamp.map(|time| time.0), given(&source));
                let _ = laws::histogram(&histogram, rules, rooms);
            }
            Datum::Span { name, times, source, ids, parents, follows_from, tags, logs } => {
                let tags = tags.into_pairs();
                let tags = borrowed(&tags);
                let (parents, follows_from) = (uuids(&parents), uuids(&follows_from));
                let (start, duration) = (times.0.0, times.1.0);
                let span = Span::new(&name.0, start, duration, (&ids.0).into(), (&ids.1).into()).tags(&*tags);
                let mut span = span.parents(&parents).follows_from(&follows_from);
                span.source = given(&source);
                with_logs(logs, |logs| {
                    let _ = laws::span(&span.logs(logs), rules, rooms);
                });
            }
            Datum::Logs { ids, second, logs, span } => with_logs(logs, |logs| {
                let mut datum = SpanLogs::new((&ids.0).into(), (&ids.1).into(), logs);
                (datum.secondary_id, datum.span) = (given(&second), given(&span));
                let _ = laws::span_logs(&datum, rules, rooms);
            }),
            Datum::Event { name, start, end, source, tags, annotations } => {
                let annotations = annotations.into_pairs();
                let (annotations, tags) = (borrowed(&annotations), texts(&tags));
                let mut event = Event::new(&name.0, start.0).tags(&tags).annotations(&*annotations);
                (event.end_millis, event.source) = (end.map(|time| time.0), given(&source));
                let _ = laws::event(&event, rules, rooms);
            }
            Datum::SourceTag { action, source, tags } => {
                let tags = texts(&tags);
                let action = [TagAction::Add, TagAction::Save, TagAction::Delete][usize::from(action) % 3];
                let mut datum = SourceTag::new(action, &tags);
                datum.source = given(&source);
                let _ = laws::source_tag(&datum, rules, rooms);
            }
            Datum::Description { save, source, text } => {
                let mut datum = SourceDescription::save(&text.0);
                datum.action = if save { DescriptionAction::Save } else { DescriptionAction::Delete };
                datum.source = given(&source);
                let _ = laws::source_description(&datum, rules, rooms);
            }
        }
    }
}

// ---- a delivery --------------------------------------------------------------------------------------------------------

/// The laws of the delivery, for the run that the bytes describe.
pub(crate) fn delivery(bytes: &[u8]) {
    let mut u = Unstructured::new(bytes);
    let Ok((mut setup, fixed)) = setup(&mut u) else { return };
    let mut ops = Vec::new();
    // One less than the slots of a pool that can never run dry.
    while !u.is_empty() && ops.len() + 1 < AMPLE {
        let Ok(op) = op(&mut u, setup.receiver) else { break };
        ops.push(op);
    }
    if fixed {
        setup.segment = 64;
        delivery::run::<[u8; 64]>(&setup, &ops, |_| Slot::new([0; 64]), |_| [0; 64]);
        delivery::run::<Stored<[u8; 64]>>(&setup, &ops, |_| Slot::new(Stored([0; 64])), |_| Stored([0; 64]));
    } else {
        delivery::run::<Box<[u8]>>(&setup, &ops, |_| Slot::empty(), |size| vec![0; size].into_boxed_slice());
    }
}

/// A delivery, and whether its buffers are of one size and there from the start.
fn setup(u: &mut Unstructured<'_>) -> Result<(Setup, bool)> {
    let lanes: [&[_]; 3] = [
        &[(Kind::Metric, 0)],
        &[(Kind::Metric, 0), (Kind::Delta, 0)],
        &[(Kind::Span, 1), (Kind::Delta, 0), (Kind::Metric, 2)],
    ];
    let most = |u: &mut Unstructured<'_>, small: usize, big: usize| {
        Ok(if bool::arbitrary(u)? { u.int_in_range(0..=small)? } else { big })
    };
    let setup = Setup {
        lanes: u.choose(&lanes)?.to_vec(),
        slots: most(u, 5, AMPLE - 1)? + 1,
        segment: u.int_in_range(32..=256)?,
        queue_lines: u.int_in_range(3..=60)?,
        queue_bytes: u.int_in_range(64..=2_048)?,
        batch_lines: u.int_in_range(1..=20)?,
        overflow: *u.choose(&[Overflow::DropNewest, Overflow::DropOldest])?,
        single: *u.choose(&[KindSet::NONE, KindSet::NONE.with(Kind::Delta)])?,
        replay: *u.choose(&[KindSet::ALL, KindSet::ALL.without(Kind::Delta), KindSet::NONE])?,
        replay_bytes: most(u, 512, PLENTY)?,
        replay_for: if bool::arbitrary(u)? { u.int_in_range(0..=2_000)? } else { LONG },
        flush_every: *u.choose(&[0, 50, 5_000])?,
        most_out: u.int_in_range(1..=5)?,
        start: if bool::arbitrary(u)? { 1_000 } else { SOON - u64::from(u.int_in_range(0..=400_000_u32)?) },
        receiver: *u.choose(&[Receiver::Answers, Receiver::Stream, Receiver::Both, Receiver::Acks, Receiver::Acks])?,
    };
    Ok((setup, bool::arbitrary(u)?))
}

fn op(u: &mut Unstructured<'_>, receiver: Receiver) -> Result<Op> {
    let lane = |u: &mut Unstructured<'_>| u.int_in_range(0..=2_usize);
    let index = |u: &mut Unstructured<'_>| u.int_in_range(0..=7_usize);
    let lens = |u: &mut Unstructured<'_>| {
        let count = u.int_in_range(1..=5_usize)?;
        (0..count).map(|_| u.int_in_range(5..=34)).collect::<Result<Vec<usize>>>()
    };
    let kinds = |u: &mut Unstructured<'_>| {
        let chosen = u.int_in_range(0..=8_u8)?;
        let some = [Kind::Metric, Kind::Delta, Kind::Span].into_iter().enumerate();
        let some = some.filter(|(at, _)| chosen >> at & 1 == 1).map(|(_, kind)| kind);
        Ok(if chosen == 8 { KindSet::ALL } else { some.collect() })
    };
    Ok(match u.int_in_range(0..=33_u8)? {
        0..=8 => Op::Push {
            lane: lane(u)?,
            way: *u.choose(&[Way::Push, Way::Push, Way::TryPush, Way::Urgent])?,
            lens: lens(u)?,
        },
        9 => Op::Lease {
            lane: lane(u)?,
            wish: Lease { lines: u.int_in_range(0..=12)?, bytes: u.int_in_range(0..=200)? },
            least: Lease { lines: u.int_in_range(0..=4)?, bytes: u.int_in_range(0..=39)? },
        },
        10 => Op::Return { lease: index(u)?, adopt: bool::arbitrary(u)?, lens: lens(u)? },
        11..=15 => Op::Poll { kinds: KindSet::ALL, limits: Cut::NONE },
        16 => Op::Poll { kinds: kinds(u)?, limits: Cut::NONE },
        17 => {
            let limits = Cut { lines: u.int_in_range(0..=4)?, bytes: u.int_in_range(5..=64)? };
            Op::Poll { kinds: kinds(u)?, limits }
        }
        18..=22 => Op::Outcome { token: index(u)?, outcome: outcome(u, receiver)? },
        23 => Op::Forward(u.int_in_range(0..=200)?),
        24 => Op::Forward(u.int_in_range(0..=400_000)?),
        25 => Op::Back(u.int_in_range(0..=400_000)?),
        26 | 27 => Op::Flush,
        28 => Op::Lost(kinds(u)?),
        29 => Op::Confirm(kinds(u)?),
        30 => Op::Note { lane: lane(u)? },
        32 | 33 => Op::Acknowledged(kinds(u)?, u.int_in_range(0..=199)?),
        _ => match u.int_in_range(0..=7_u8)? {
            0 => Op::Abandon,
            1 => Op::Close,
            _ => Op::Flush,
        },
    })
}

/// A stream does not answer, so it does not refuse either.
fn outcome(u: &mut Unstructured<'_>, receiver: Receiver) -> Result<Outcome> {
    let stream = matches!(receiver, Receiver::Stream | Receiver::Acks);
    Ok(match u.int_in_range(0..=if stream { 5_u8 } else { 7 })? {
        0 if receiver == Receiver::Answers => Outcome::Delivered,
        0 | 1 if receiver == Receiver::Acks => Outcome::Unacknowledged(u.int_in_range(0..=199)?),
        0 => Outcome::Written,
        1 if stream => Outcome::Written,
        1 => Outcome::Delivered,
        2 | 3 => {
            let done = u.int_in_range(0..=if stream { 0 } else { 3 })?;
            let after = if bool::arbitrary(u)? { Some(u.int_in_range(0..=3_000)?) } else { None };
            Outcome::Retry { done, after: after.map(Duration::from_millis) }
        }
        4 => Outcome::Unreachable,
        5 => Outcome::Auth,
        6 => Outcome::TooLarge,
        _ => Outcome::Rejected(u.int_in_range(398..=403)?),
    })
}
