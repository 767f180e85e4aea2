//! Laws of the border to JavaScript, for any sequence of calls with any arguments: it does not panic, returns what its
//! callers know, counts every line once, and what it gives away to be sent or stored is whole lines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use wavefront_sdk::{Kind, Limits, parse};

use crate::border::Core;
use crate::data::{DELTA, EVENT, HISTOGRAM, METRIC, SERIES, SPAN, SPAN_LOGS};

#[path = "script.rs"]
mod script;
#[cfg(feature = "store")]
#[path = "border_store.rs"]
mod store;
use script::Script;

/// The laws, for the calls that the bytes describe.
pub(crate) fn bytes(bytes: &[u8]) {
    let mut input = Script(bytes);
    let mut page = Page { core: Core::NEW, pipes: Vec::new(), now: 1.7e12 };
    for _ in 0..CALLS {
        if input.is_over() {
            break;
        }
        page.call(&mut input);
    }
    for pipe in 0..page.pipes.len() {
        page.finish(pipe as u32);
    }
}

const CALLS: usize = 120;
/// A sender takes memory for its places.
const PIPES: usize = 4;

/// The names in `js/ledger.js`, as far as they mean something here.
const ROW: usize = 18;
/// More than are ever said.
const WORDS: u32 = 256;
const ACCEPTED: usize = 0;
const RECOVERED: usize = 1;
const QUEUE_FULL: usize = 4;
const QUEUED: usize = 11;
const IN_FLIGHT: usize = 12;
const WRITTEN: usize = 13;
const STORED: usize = 14;
const INVALID: usize = 15;
const SKIPPED: usize = 16;
const RESENT: usize = 17;

type Ledger = [[f64; ROW]; Kind::COUNT];

/// What JavaScript knows of a sender.
#[derive(Default)]
struct Known {
    /// Requests under way: number and lines.
    out: BTreeMap<u32, u32>,
    flushes: Vec<[u32; 1 + Kind::COUNT]>,
    tags: Vec<u32>,
    series: u32,
    closed: bool,
    gone: bool,
    /// Nothing is sent any more: a store is to have it.
    last: bool,
    ledger: Ledger,
    #[cfg(feature = "store")]
    store: Option<store::Store>,
}

struct Page {
    core: Core,
    pipes: Vec<Known>,
    now: f64,
}

// ---- what JavaScript may come with -------------------------------------------------------------------------------------

const TEXTS: [&str; 34] = [
    "",
    "a",
    "a",
    "host",
    "source",
    "∆a",
    "Δa",
    "~a",
    "~",
    " ",
    "\n",
    "\"",
    "\\",
    "\0",
    "\u{4}",
    "é",
    "漢",
    "😀",
    "\u{fffd}",
    "-",
    ".9",
    "7b3bf470-9456-11e8-9eb6-529269fb1459",
    "7b3bf470-9456-11e8-9eb6-529269fb1459",
    "7b3bf470945611e89eb6529269fb1459",
    "1-2-3-4-5",
    "k",
    "v",
    "application",
    "service",
    "_spanLogs",
    "severity",
    "proxy://localhost",
    "https://t@example.com",
    "tcp://localhost:2878?traces=30000",
];

fn text(input: &mut Script<'_>) -> String {
    let what = input.byte();
    match what {
        0..=199 => TEXTS[usize::from(what) % TEXTS.len()].to_owned(),
        // What is no UTF-8 is as a lone surrogate after TextEncoder.
        200..=239 => String::from_utf8_lossy(input.take(usize::from(what) - 199)).into_owned(),
        240..=247 => input.pick(&TEXTS).repeat(usize::from(input.byte())),
        _ => input.pick(&TEXTS).repeat(input.number(2) as usize),
    }
}

const NUMBERS: [f64; 24] = [
    0.0,
    1.0,
    1.0,
    2.0,
    -1.0,
    -0.0,
    0.5,
    -2.5,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    1e300,
    -1e300,
    5e-324,
    9_007_199_254_740_992.0,
    9_223_372_036_854_775_808.0,
    1.8e19,
    1_552_949_776.0,
    1_552_949_776_000.0,
    1_552_949_776_000_000.0,
    4_294_967_295.0,
    4_294_967_296.0,
    1_000.0,
    30.0,
];

fn number(input: &mut Script<'_>) -> f64 {
    match input.byte() {
        255 => f64::from_bits(input.number(8)),
        200..=254 => input.number(2) as f64,
        what => NUMBERS[usize::from(what) % NUMBERS.len()],
    }
}

/// A whole number, as JavaScript makes of whatever it has (`>>> 0`).
fn word(input: &mut Script<'_>) -> u32 {
    match input.byte() {
        255 => input.number(4) as u32,
        254 => u32::MAX,
        what => u32::from(what % 16),
    }
}

// ---- calls -------------------------------------------------------------------------------------------------------------

impl Page {
    /// Strings and numbers where the core reads them, and how many there are said to be.
    fn write(&mut self, input: &mut Script<'_>, texts: &[String], numbers: &[f64]) -> (u32, u32) {
        let all = texts.concat();
        self.core.areas(all.len() as u32 + 1, texts.len() as u32 + WORDS, numbers.len() as u32 + 1);
        self.core.text[..all.len()].copy_from_slice(all.as_bytes());
        for (word, text) in self.core.words.iter_mut().zip(texts) {
            *word = text.len() as u32;
        }
        self.core.numbers[..numbers.len()].copy_from_slice(numbers);
        let (mut strings, mut figures) = (texts.len() as u32, numbers.len() as u32);
        // A mistake of the other side's.
        match input.byte() {
            255 => strings = word(input),
            254 => figures = word(input),
            253 => self.core.words[0] = word(input),
            252 => self.core.text[0] = 0xff,
            _ => {}
        }
        (strings, figures)
    }

    /// The number of a sender, most often one that there is.
    fn pipe(&self, input: &mut Script<'_>) -> u32 {
        match input.byte() {
            250.. => word(input),
            number => u32::from(number) % self.pipes.len().max(1) as u32,
        }
    }

    fn place(&self, input: &mut Script<'_>) -> i32 {
        match input.byte() {
            200.. => -1,
            _ => self.pipe(input) as i32,
        }
    }

    fn texts(input: &mut Script<'_>, first: &[&str]) -> Vec<String> {
        let count = usize::from(input.byte() % 12);
        first.iter().map(|text| (*text).to_owned()).chain((0..count).map(|_| text(input))).collect()
    }

    fn call(&mut self, input: &mut Script<'_>) {
        match input.byte() % 32 {
            0 if self.pipes.len() < PIPES => self.open(input),
            _ if self.pipes.is_empty() => self.open(input),
            // Its name can be that of a delta.
            0..=3 => self.datum(input, METRIC, &[Kind::Metric, Kind::Delta]),
            4 | 5 => self.datum(input, DELTA, &[Kind::Delta]),
            6 | 7 => self.datum(input, HISTOGRAM, &[Kind::Histogram]),
            8 | 9 => {
                let what = input.pick(&[SPAN, SPAN_LOGS]);
                self.datum(input, what, &[Kind::Span, Kind::SpanLogs]);
            }
            10 | 11 => self.datum(input, EVENT, &[Kind::Event]),
            12 => self.prepare(input),
            13 | 14 => self.value(input),
            15..=18 => self.due(input),
            19..=22 => self.answer(input),
            23 => self.urgent(input),
            24 => self.flush(input),
            25 => self.left(input),
            26 => self.close(input),
            27 => {
                self.now = match input.byte() {
                    0..=99 => self.now + 1.0,
                    100..=199 => self.now + input.number(3) as f64,
                    200..=219 => self.now - input.number(2) as f64,
                    _ => number(input),
                };
            }
            28 => self.small(input),
            #[cfg(feature = "store")]
            29 => self.store_set(input),
            #[cfg(feature = "store")]
            _ => self.store(input),
            #[cfg(not(feature = "store"))]
            _ => self.due(input),
        }
        for pipe in 0..self.pipes.len() {
            self.check(pipe as u32);
        }
    }

    fn open(&mut self, input: &mut Script<'_>) {
        let source = input.pick(&["host-1", ""]);
        let texts = Self::texts(input, &[source]);
        let (strings, _) = self.write(input, &texts, &[]);
        let (lines, batch) = (input.pick(&[50_000, 1, 5, 20, u32::MAX, 0]), input.pick(&[1_000, 1, 2, 7, u32::MAX, 0]));
        let opened = self.core.open(strings, lines, batch, number(input), number(input), input.byte() < 200);
        match opened {
            0.. => {
                assert_eq!(opened as usize, self.pipes.len());
                self.pipes.push(Known::default());
            }
            -8 => {}
            _ => panic!("{opened} of open"),
        }
    }

    /// A datum whose lines are of these kinds, to a sender or to the text.
    fn datum(&mut self, input: &mut Script<'_>, what: u32, kinds: &[Kind]) {
        let place = self.place(input);
        let first: &[&str] = if input.byte() < 128 { &["", "a"] } else { &[] };
        let texts = Self::texts(input, first);
        let count = usize::from(input.byte() % 12);
        let numbers: Vec<_> = (0..count).map(|_| number(input)).collect();
        let (strings, numbers) = self.write(input, &texts, &numbers);
        let before = self.ledger(place as u32);
        let came = self.core.send(place, what, strings, numbers);
        if place < 0 {
            match came {
                0.. => self.is_lines(came as usize, kinds),
                -1 | -4 | -8 => self.says_what_is_wrong(),
                _ => panic!("{came} of a datum for the text"),
            }
            return;
        }
        let after = self.ledger(place as u32);
        let grown = |column: usize| {
            let sum = |ledger: &Ledger| ledger.iter().map(|row| row[column]).sum::<f64>();
            match (&before, &after) {
                (Some(before), Some(after)) => sum(after) - sum(before),
                _ => 0.0,
            }
        };
        match came {
            0 | 1 => {
                // A delta of nothing is no line.
                let (taken, invalid) = (grown(ACCEPTED) + grown(SKIPPED), grown(INVALID));
                assert!(
                    taken >= 1.0 && invalid == 0.0,
                    "{taken} lines of {kinds:?} were taken, and {invalid} were not"
                );
                let closed = self.pipes[place as usize].closed;
                assert!(!closed || grown(ACCEPTED) == 0.0, "{kinds:?} was taken after the close");
            }
            -1 => {
                assert!(grown(ACCEPTED) + grown(SKIPPED) == 0.0 && grown(INVALID) == 1.0, "invalid, and not counted");
                let counted = |kind: &Kind| match (&before, &after) {
                    (Some(before), Some(after)) => after[*kind as usize][INVALID] - before[*kind as usize][INVALID],
                    _ => 0.0,
                };
                assert_eq!(kinds.iter().map(counted).sum::<f64>(), 1.0, "none of {kinds:?} was counted as invalid");
            }
            -2 | -5 => assert!(grown(INVALID) == 0.0),
            -3 | -4 | -6 => assert!(grown(INVALID) == 0.0 && grown(QUEUE_FULL) == 0.0, "{came} was counted as another"),
            // A mistake of ours, which can be found only while the datum is put together.
            -8 => assert!(grown(ACCEPTED) == 0.0),
            _ => panic!("{came} of a datum"),
        }
        assert!(came != -5 || self.pipes[place as usize].closed, "open, and refused as closed");
        if came < 0 {
            self.says_what_is_wrong();
        }
    }

    fn prepare(&mut self, input: &mut Script<'_>) {
        let place = self.place(input);
        let texts = Self::texts(input, &["", "a"]);
        let (strings, numbers) = self.write(input, &texts, &[-1.0, 1.0]);
        match self.core.send(place, SERIES, strings, numbers) {
            series @ 0.. => {
                let known = &mut self.pipes[place as usize];
                known.series = known.series.max(series as u32 + 1);
            }
            -1 | -4 | -8 => self.says_what_is_wrong(),
            other => panic!("{other} of prepare"),
        }
    }

    fn value(&mut self, input: &mut Script<'_>) {
        let pipe = self.pipe(input);
        let series = word(input);
        if input.byte() == 0 {
            self.core.forget_series(pipe, series);
            return;
        }
        let before = self.ledger(pipe);
        let came = self.core.value(pipe, series, number(input), number(input));
        let after = self.ledger(pipe);
        let grown = |column: usize, kinds: &[Kind]| {
            let sum = |ledger: &Option<Ledger>| {
                ledger.iter().flat_map(|ledger| kinds.iter().map(|kind| ledger[*kind as usize][column])).sum::<f64>()
            };
            sum(&after) - sum(&before)
        };
        let invalid = f64::from(u8::from(came == -1));
        // A series can be that of a delta.
        assert_eq!(grown(INVALID, &[Kind::Metric, Kind::Delta]), invalid, "{came} of a value was counted otherwise");
        assert_eq!(grown(INVALID, &Kind::ALL), invalid, "{came} of a value was counted for another kind");
        assert!(came == 0 || came == 1 || grown(SKIPPED, &Kind::ALL) == 0.0, "{came} of a value was skipped");
        assert!((-8..=1).contains(&came) && came != -7, "{came} of a value");
        let known = self.pipes.get(pipe as usize).is_some_and(|known| series < known.series && !known.gone);
        assert!(known || came < 0, "a value of no series was taken");
        if came < 0 {
            self.says_what_is_wrong();
        }
    }

    fn due(&mut self, input: &mut Script<'_>) {
        let (pipe, most, limit) = (self.pipe(input), word(input), input.pick(&[u32::MAX, 60_000, 64, 200, 0]));
        let wait = self.core.due(pipe, self.now, most, limit);
        let Some(known) = self.pipes.get_mut(pipe as usize).filter(|known| !known.gone) else {
            assert_eq!(wait, -1.0, "a batch of no sender");
            return;
        };
        if wait != -2.0 {
            assert!(wait == -1.0 || (wait >= 0.0 && wait.is_finite()), "wait for {wait}");
            return;
        }
        let [number, kind, lines, _, len] = *self.core.words.first_chunk::<5>().unwrap();
        let core = self.core.pipes[pipe as usize].as_mut().unwrap();
        // Of some nothing was heard for too long: they are under way no more.
        known.out.retain(|number, _| core.uplink.batch(*number).is_some());
        assert!(known.out.len() < (most as usize).min(16), "more at once than allowed");
        assert!(known.out.insert(number, lines).is_none(), "one number for two requests");
        let batch = core.uplink.batch(number).unwrap();
        assert_eq!((batch.kind as u32, batch.lines, batch.bytes.len()), (kind, lines, len as usize));
        assert!(len <= limit, "{len} bytes where {limit} are allowed");
        assert_eq!(count(batch.bytes), lines as usize);
    }

    fn answer(&mut self, input: &mut Script<'_>) {
        let pipe = self.pipe(input);
        let numbers = self.pipes.get(pipe as usize).map(|known| known.out.keys().copied().collect::<Vec<_>>());
        let number_of = match numbers {
            Some(numbers) if !numbers.is_empty() && input.byte() < 240 => {
                numbers[usize::from(input.byte()) % numbers.len()]
            }
            _ => word(input),
        };
        let (failure, status) =
            (word(input), input.pick(&[202, 400, 401, 403, 404, 413, 429, 500, 503, 0, 65_535, 66_000]));
        let before = self.ledger(pipe);
        let came = self.core.answer(pipe, number_of, failure, status, number(input), self.now);
        assert!(came <= 6, "{came} of an answer");
        let Some(known) = self.pipes.get_mut(pipe as usize) else {
            assert_eq!(came, 0);
            return;
        };
        match known.out.remove(&number_of) {
            Some(lines) if came > 0 => {
                let [settled, ..] = *self.core.words.first_chunk::<3>().unwrap();
                assert!(settled <= lines, "{settled} of {lines} lines settled");
                assert!(came != 1 || settled == lines || known.closed, "delivered are {settled} of {lines}");
            }
            _ => assert_eq!((came, before), (0, self.ledger(pipe)), "an answer to nothing changed something"),
        }
    }

    fn urgent(&mut self, input: &mut Script<'_>) {
        let pipe = self.pipe(input);
        if input.byte() < 128 {
            let tag = self.core.urgent(pipe);
            let known = self.pipes.get_mut(pipe as usize).filter(|known| !known.gone);
            assert_eq!(tag == 0, known.is_none());
            known.into_iter().for_each(|known| known.tags.push(tag));
            return;
        }
        let tags = self.pipes.get(pipe as usize).map(|known| known.tags.as_slice()).unwrap_or_default();
        let tag = if tags.is_empty() { word(input) } else { input.pick(tags) };
        let heard = self.core.heard(pipe, tag, word(input) % 4);
        assert!(heard <= 2, "{heard} was heard");
    }

    fn flush(&mut self, input: &mut Script<'_>) {
        let pipe = self.pipe(input);
        let flush = self.core.begin_flush(pipe);
        let Some(ledger) = self.ledger(pipe) else {
            assert_eq!(flush, -8);
            return;
        };
        assert_eq!(flush, 0, "of a flush");
        let flush = *self.core.words.first_chunk().unwrap();
        let waiting: f64 = ledger.iter().map(|row| row[QUEUED] + row[IN_FLIGHT]).sum();
        let left = self.left_of(pipe, flush);
        // What waits in memory and is in the store too is safe.
        let safe = self.safe(pipe);
        assert!(
            waiting - safe <= left && left <= waiting,
            "a flush of {left}, {waiting} wait, {safe} are in the store"
        );
        self.pipes[pipe as usize].flushes.push(flush);
    }

    /// Lines of the records in the store, as it has them.
    fn safe(&self, pipe: u32) -> f64 {
        #[cfg(feature = "store")]
        if let Some(store) = self.pipes.get(pipe as usize).and_then(|known| known.store.as_ref()) {
            return store.records.values().map(|(lines, ..)| f64::from(*lines)).sum();
        }
        let _ = pipe;
        0.0
    }

    fn left_of(&mut self, pipe: u32, flush: [u32; 1 + Kind::COUNT]) -> f64 {
        *self.core.words.first_chunk_mut().unwrap() = flush;
        f64::from(self.core.left(pipe))
    }

    fn left(&mut self, input: &mut Script<'_>) {
        let pipe = self.pipe(input);
        let flushes = self.pipes.get(pipe as usize).map(|known| known.flushes.as_slice()).unwrap_or_default();
        let flush = if flushes.is_empty() { core::array::from_fn(|_| word(input)) } else { input.pick(flushes) };
        let left = self.left_of(pipe, flush);
        if let Some(ledger) = self.ledger(pipe) {
            let here: f64 = ledger.iter().map(|row| row[QUEUED] + row[IN_FLIGHT] + row[STORED]).sum();
            assert!(left <= here, "{left} are left, and {here} are here");
        }
    }

    fn close(&mut self, input: &mut Script<'_>) {
        let pipe = self.pipe(input);
        match input.byte() {
            0..=127 => {
                let done = self.core.begin_close(pipe);
                let ledger = self.ledger(pipe);
                let waiting: f64 = ledger.iter().flatten().map(|row| row[QUEUED] + row[IN_FLIGHT]).sum();
                let safe = self.safe(pipe);
                assert!(!done || waiting <= safe, "closed, and {waiting} wait, {safe} are in the store");
            }
            128..=199 => self.end_close(pipe),
            200..=209 => {
                self.core.forget(pipe);
                self.pipes
                    .get_mut(pipe as usize)
                    .into_iter()
                    .for_each(|known| (known.gone, known.closed) = (true, true));
            }
            _ => return,
        }
        self.pipes.get_mut(pipe as usize).into_iter().for_each(|known| known.closed = true);
    }

    fn end_close(&mut self, pipe: u32) {
        self.core.end_close(pipe);
        for row in self.ledger(pipe).into_iter().flatten() {
            assert_eq!(row[QUEUED] + row[IN_FLIGHT] + row[WRITTEN], 0.0, "given up, and still here");
        }
    }

    fn small(&mut self, input: &mut Script<'_>) {
        let (pipe, kind) = (self.pipe(input), word(input));
        match input.byte() % 4 {
            0 => self.core.seed(pipe, word(input)),
            _ => self.core.note_invalid(pipe, kind),
        }
    }

    // ---- what holds always ---------------------------------------------------------------------------------------------

    /// None of a sender that is gone.
    fn ledger(&mut self, pipe: u32) -> Option<Ledger> {
        if self.pipes.get(pipe as usize).is_none_or(|known| known.gone) {
            return None;
        }
        // What an answer said there is read after this.
        let said = core::mem::replace(&mut self.core.words, vec![0; ROW * Kind::COUNT]);
        self.core.ledger(pipe);
        let words = core::mem::replace(&mut self.core.words, said);
        let (rows, _) = words.as_chunks::<ROW>();
        rows.first_chunk().map(|rows: &[_; Kind::COUNT]| rows.map(|row| row.map(f64::from)))
    }

    fn check(&mut self, pipe: u32) {
        let Some(ledger) = self.ledger(pipe) else { return };
        for (now, before) in ledger.iter().zip(self.pipes[pipe as usize].ledger) {
            assert_eq!(now[ACCEPTED] + now[RECOVERED], now[2..=14].iter().sum::<f64>(), "{now:?}");
            let only_grow = |range: core::ops::RangeInclusive<usize>| range.into_iter().all(|at| now[at] >= before[at]);
            assert!(only_grow(0..=10) && only_grow(15..=16), "{before:?}, then {now:?}");
            // What is under way may turn out not to have left.
            assert!(now[RESENT] >= before[RESENT] - before[IN_FLIGHT], "{before:?}, then {now:?}");
        }
        self.pipes[pipe as usize].ledger = ledger;
    }

    fn says_what_is_wrong(&self) {
        let text = core::str::from_utf8(&self.core.out).expect("no text");
        let [_, problem, message] = text.splitn(3, '\n').collect::<Vec<_>>()[..] else { panic!("{text:?}") };
        assert!(problem.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{problem:?}");
        assert!(!message.is_empty());
    }

    /// So many lines, which the reader takes for one of these kinds.
    fn is_lines(&self, lines: usize, kinds: &[Kind]) {
        let text = core::str::from_utf8(&self.core.out).expect("no text");
        assert_eq!(count(text.as_bytes()), lines);
        for line in text.lines() {
            let is = |kind: &Kind| match kind {
                Kind::Span => parse::span(line, &Limits::DEFAULT).is_ok(),
                Kind::SpanLogs => parse::span_logs(line, &Limits::DEFAULT).is_ok(),
                kind => parse::line(line, &Limits::DEFAULT).is_ok_and(|parsed| parsed.kind() == *kind),
            };
            assert!(kinds.iter().any(is), "{line:?} cannot be read");
        }
    }

    /// From now on everything goes well, so everything leaves, in as many steps as there are lines and records.
    fn finish(&mut self, pipe: u32) {
        if self.pipes[pipe as usize].gone {
            return;
        }
        while let Some((number, _)) = self.pipes[pipe as usize].out.pop_first() {
            self.core.answer(pipe, number, 0, 202, -1.0, self.now);
        }
        // Of a clock that says NaN, 0 comes of it: the core takes it for that, too.
        self.now = self.now.max(0.0).min(1e15);
        self.core.begin_close(pipe);
        let ledger = self.ledger(pipe).unwrap();
        let here: f64 = ledger.iter().map(|row| row[QUEUED] + row[IN_FLIGHT] + row[STORED]).sum();
        let mut steps = 8 * here as usize + 200;
        loop {
            #[cfg(feature = "store")]
            while self.store_job(pipe) {
                self.store_done(pipe, 0);
                steps = steps.checked_sub(1).expect("the store does not come to an end");
            }
            steps = steps
                .checked_sub(1)
                .unwrap_or_else(|| panic!("does not drain: {:?} {:?}", self.ledger(pipe), self.now));
            match self.core.due(pipe, self.now, 16, u32::MAX) {
                -2.0 => {
                    let number = self.core.words[0];
                    assert_eq!(self.core.answer(pipe, number, 0, 202, -1.0, self.now), 1);
                }
                -1.0 => {
                    let ledger = self.ledger(pipe).unwrap();
                    let waiting = ledger.iter().any(|row| row[QUEUED] + row[IN_FLIGHT] > 0.0);
                    if !waiting || self.pipes[pipe as usize].last {
                        break;
                    }
                    self.now += 1_000.0;
                }
                wait => self.now += wait.max(1.0),
            }
            self.check(pipe);
        }
        self.end_close(pipe);
        self.check(pipe);
    }
}

/// How many lines there are: each has its end.
fn count(bytes: &[u8]) -> usize {
    assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "half a line");
    assert!(!bytes.starts_with(b"\n") && !bytes.windows(2).any(|two| two == b"\n\n"), "an empty line");
    bytes.iter().filter(|byte| **byte == b'\n').count()
}
