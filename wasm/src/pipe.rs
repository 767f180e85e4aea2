//! One sender: its queue, what is under way, and by what rules its lines are written.

use std::time::Duration;

use wasm_bindgen::prelude::wasm_bindgen;
use wavefront_sdk::delivery::{Config, Cut, Delivery, Lane, Large, Millis, Outcome, Slot, Ticket};
use wavefront_sdk::endpoint::{Endpoint, Form};
use wavefront_sdk::line::Slice;
use wavefront_sdk::transport::{Failure, Token};
use wavefront_sdk::uplink::{Access, Due, Requests, Unsent, Uplink};
use wavefront_sdk::{Encode, EncodeError, EventForm, Kind, KindSet, Prepared, Rules};

use crate::border::{MOST_SCRATCH, Parts, grow, look, with};
use crate::fault::{Fault, Unwritten};

pub(crate) type Segment = Box<[u8]>;
pub(crate) type Queue = Delivery<Segment, Box<[Slot<Segment>]>, Box<[Lane<Large>]>>;

/// Requests at once, at most: in a page that goes away more than otherwise.
const IN_FLIGHT: usize = 16;

pub(crate) struct Pipe {
    pub(crate) uplink: Uplink<Queue, Requests<Segment, IN_FLIGHT>>,
    pub(crate) source: Option<String>,
    pub(crate) tags: Vec<(String, String)>,
    events: EventForm,
    pub(crate) series: Vec<Option<Prepared<Segment>>>,
    #[cfg(feature = "store")]
    pub(crate) keeper: Option<crate::keeper::Keeper>,
    endpoint: Endpoint,
    flushes: Vec<Option<(Ticket, usize)>>,
    /// Of the lines that were queued since the driver looked last: how many more make a batch.
    company: Company,
    batch: Company,
}

/// Lines and bytes.
#[derive(Clone, Copy)]
struct Company {
    lines: u32,
    bytes: usize,
}

/// What a send came to.
#[derive(Clone, Copy)]
pub(crate) enum Sent {
    Queued = 0,
    /// And there is enough for a batch now.
    Batch = 1,
}

impl Pipe {
    pub(crate) fn rules(&self) -> Rules<'_> {
        let mut rules = Rules::new().events(self.events);
        rules.default_source = self.source.as_deref();
        rules
    }

    /// Queues a datum. The scratch grows to what it needs, once.
    pub(crate) fn send<D: Encode>(&mut self, datum: &D, scratch: &mut Vec<u8>) -> Result<Sent, Fault> {
        let mut rules = Rules::new().events(self.events);
        rules.default_source = self.source.as_deref();
        let mut sent = self.uplink.send(datum, &rules, scratch);
        // The line, then that of its logs.
        while let Err(Unsent::Scratch(full)) = sent
            && scratch.len() < MOST_SCRATCH
        {
            grow(scratch, full);
            sent = self.uplink.send(datum, &rules, scratch);
        }
        sent?;
        Ok(self.sent(1, 128))
    }

    /// Queues a value of a series.
    pub(crate) fn send_series(
        &mut self,
        series: u32,
        value: f64,
        time: Option<u64>,
        scratch: &mut Vec<u8>,
    ) -> Result<Sent, Fault> {
        let Some(Some(series)) = self.series.get(series as usize) else { return Err(Fault::Gone) };
        let kind = series.kind();
        let queue = self.uplink.queue();
        let (pushed, bytes) = loop {
            let mut slice = Slice::new(scratch);
            match series.encode(value, time, &mut slice) {
                Ok(lines) => {
                    break (Access::push(queue, kind, slice.as_bytes(), lines).map_err(Fault::from), slice.len());
                }
                Err(EncodeError::Full(full)) if scratch.len() < MOST_SCRATCH => grow(scratch, full),
                Err(error) => {
                    queue.view().note(kind, 1, 0);
                    break (Err(Unwritten::from(error).into()), 0);
                }
            }
        };
        pushed.map(|()| self.sent(1, bytes))
    }

    /// Counts a datum that could not be put together.
    pub(crate) fn counted<T>(&mut self, kind: Kind, built: Result<T, Fault>) -> Result<T, Fault> {
        if built.is_err() {
            self.uplink.queue().view().note(kind, 1, 0);
        }
        built
    }

    pub(crate) fn sent(&mut self, lines: u32, bytes: usize) -> Sent {
        let Company { lines: more, bytes: room } = self.company;
        self.company = Company { lines: more.saturating_sub(lines), bytes: room.saturating_sub(bytes) };
        if self.company.lines == 0 || self.company.bytes == 0 {
            self.company = self.batch;
            return Sent::Batch;
        }
        Sent::Queued
    }
}

pub(crate) fn duration(millis: f64) -> Duration {
    // A cast of a double ends at the bounds, and makes 0 of NaN.
    Duration::from_millis(millis as u64)
}

pub(crate) fn millis(now: f64) -> Millis {
    Millis(now as u64)
}

/// Makes a sender: server, token, source, and tags for everything it sends. Says which one it is.
#[wasm_bindgen]
pub fn open(strings: u32, queue_lines: u32, batch_lines: u32, flush_interval: f64, patience: f64, tcp: bool) -> i32 {
    with(|border| {
        let Parts { mut strings, pipes, .. } = border.parts(strings, 0)?;
        let mut endpoint = Endpoint::parse(strings.next())?;
        if let Some(token) = strings.given() {
            endpoint =
                endpoint.with_token(Token::new(token).map_err(wavefront_sdk::endpoint::EndpointError::Token)?)?;
        }
        if endpoint.form() == Form::ProxyTcp && !tcp {
            return Err(Fault::Tcp);
        }
        let direct = endpoint.form() == Form::Direct;
        let mut config = Config::DEFAULT;
        (config.queue_lines, config.batch_lines) = (queue_lines as usize, batch_lines);
        (config.queue_bytes, config.flush_interval) = (8 << 20, duration(flush_interval));
        // A page that goes sends whole segments, as far as they fit; the others go into its store.
        #[cfg(feature = "store")]
        (config.segment_bytes = 30 << 10);
        config.single = if direct { KindSet::NONE.with(Kind::Event) } else { KindSet::NONE };
        let lanes: Box<[Lane<Large>]> = Kind::ALL.into_iter().map(Lane::new).collect();
        let slots = Kind::COUNT * (config.queue_bytes / config.segment_bytes + 2) + 8;
        let slots: Box<[Slot<Segment>]> = (0..slots).map(|_| Slot::empty()).collect();
        let batch = Company { lines: batch_lines.max(1), bytes: config.segment_bytes };
        let pipe = Pipe {
            uplink: Uplink::new(Delivery::new(config, slots, lanes), Requests::new(duration(patience))),
            source: strings.given().map(Into::into),
            tags: strings.pairs().map(|(key, value)| (key.into(), value.into())).collect(),
            events: if direct { EventForm::Json } else { EventForm::Line },
            series: Vec::new(),
            #[cfg(feature = "store")]
            keeper: None,
            endpoint,
            flushes: Vec::new(),
            company: batch,
            batch,
        };
        Ok(put(pipes, pipe) as i32)
    })
}

/// Puts something where there is room; says where.
pub(crate) fn put<T>(places: &mut Vec<Option<T>>, thing: T) -> usize {
    let free = places.iter().position(Option::is_none).unwrap_or(places.len());
    match places.get_mut(free) {
        Some(place) => *place = Some(thing),
        None => places.push(Some(thing)),
    }
    free
}

/// Where a batch of a kind goes. 1: URL, content type and the token of direct ingestion, a line each; 2: `tcp` or `tls`,
/// host and port of a receiver of lines; 0: nowhere.
#[wasm_bindgen]
pub fn target(pipe: u32, kind: u32) -> i32 {
    with(|border| {
        let pipe = border.pipes.get(pipe as usize).and_then(Option::as_ref).ok_or(Fault::Gone)?;
        let kind = Kind::ALL.get(kind as usize).ok_or(Fault::Gone)?;
        border.out.clear();
        if pipe.endpoint.form() == Form::ProxyTcp {
            let Some(port) = pipe.endpoint.ports().of(*kind) else { return Ok(0) };
            let scheme = if pipe.endpoint.is_tls() { "tls" } else { "tcp" };
            for text in [scheme, "\n", pipe.endpoint.host(), "\n", port.to_string().as_str()] {
                border.out.extend_from_slice(text.as_bytes());
            }
            return Ok(2);
        }
        let Some(request) = pipe.endpoint.request(kind.format()) else { return Ok(0) };
        for text in
            [request.url.as_str(), "\n", request.content_type, "\n", pipe.endpoint.token().map_or("", Token::expose)]
        {
            border.out.extend_from_slice(text.as_bytes());
        }
        Ok(1)
    })
}

/// What the jitter of the waits begins with: only once there is randomness.
#[wasm_bindgen]
pub fn seed(pipe: u32, seed: u32) {
    look(|border| border.pipe(pipe).map(|pipe| pipe.uplink.queue().view().reseed(seed)).unwrap_or_default());
}

/// Counts a datum of `kind` that was no datum at all.
#[wasm_bindgen]
pub fn note_invalid(pipe: u32, kind: u32) {
    look(|border| {
        if let (Ok(pipe), Some(kind)) = (border.pipe(pipe), Kind::ALL.get(kind as usize)) {
            pipe.uplink.queue().view().note(*kind, 1, 0);
        }
    });
}

/// What to do at `now` (ms) with batches of at most `limit` bytes and `most` requests at once: wait for as many ms, -1 for until something happens, or
/// -2: send the batch that the words speak of (its number, kind, lines, where it begins, how long it is).
#[wasm_bindgen]
pub fn due(pipe: u32, now: f64, most: u32, limit: u32) -> f64 {
    look(|border| {
        let Ok(pipe) = border.pipe(pipe) else { return -1.0 };
        pipe.company = pipe.batch;
        let now = millis(now);
        let number = match pipe.uplink.due(now, most as usize, Cut { lines: u32::MAX, bytes: limit as usize }) {
            Due::Send(number) => number,
            Due::At(at) => return at.since(now).as_millis() as f64,
            Due::Idle => return -1.0,
        };
        let Some(batch) = pipe.uplink.batch(number) else { return -1.0 };
        let words =
            [number, batch.kind as u32, batch.lines, batch.bytes.as_ptr() as usize as u32, batch.bytes.len() as u32];
        for (to, from) in border.words.iter_mut().zip(words) {
            *to = from;
        }
        -2.0
    })
}

/// How a request went: `failure` 0 is 2xx, 1 no connection, 2 no answer, 3 a broken connection, 4 `status`, with the wait
/// it asks for in ms or -1, 5 a kind that cannot be sent.
///
/// Returns what came of it: 0 nothing any more, 1 delivered, 2 kept, 3 kept because of the token, 4 tried again in smaller
/// batches, 5 dropped as too large, 6 dropped for good. The words are how many lines were settled, and how many are kept.
#[wasm_bindgen]
pub fn answer(pipe: u32, number: u32, failure: u32, status: u32, retry_after: f64, now: f64) -> u32 {
    look(|border| {
        let Ok(pipe) = border.pipe(pipe) else { return 0 };
        let code = u16::try_from(status).unwrap_or_default();
        let retry_after = (retry_after >= 0.0).then(|| duration(retry_after));
        let outcome = match failure {
            0 => Outcome::Delivered,
            1 => Outcome::of_failure(Failure::Connect, 0),
            2 => Outcome::of_failure(Failure::Timeout, 0),
            4 => Outcome::of_failure(Failure::Status { code, retry_after }, 0),
            5 => Outcome::of_failure(Failure::Unsupported, 0),
            _ => Outcome::of_failure(Failure::Broken, 0),
        };
        let Some(report) = pipe.uplink.answer(number, outcome, millis(now)) else { return 0 };
        for (to, from) in border.words.iter_mut().zip([report.settled, report.kept]) {
            *to = from;
        }
        match outcome {
            Outcome::Delivered => 1,
            Outcome::Auth => 3,
            Outcome::TooLarge if report.settled == 0 => 4,
            Outcome::TooLarge => 5,
            Outcome::Rejected(_) => 6,
            _ => 2,
        }
    })
}

/// Makes everything that is queued leave; says which flush it is.
#[wasm_bindgen]
pub fn begin_flush(pipe: u32) -> i32 {
    with(|border| {
        let pipe = border.pipe(pipe)?;
        let ticket = pipe.uplink.begin_flush().ok_or(Fault::Gone)?;
        let lost = pipe.uplink.lost();
        Ok(put(&mut pipe.flushes, (ticket, lost)) as i32)
    })
}

/// How many lines from before a flush wait; how many were lost since is in the first word.
#[wasm_bindgen]
pub fn left(pipe: u32, flush: u32) -> u32 {
    look(|border| {
        let Ok(pipe) = border.pipe(pipe) else { return 0 };
        let Some(Some((ticket, before))) = pipe.flushes.get(flush as usize).copied() else { return 0 };
        let (left, lost) = (pipe.uplink.left(&ticket), pipe.uplink.lost().wrapping_sub(before));
        if let Some(word) = border.words.first_mut() {
            *word = lost as u32;
        }
        left as u32
    })
}

/// A flush is over, whatever came of it.
#[wasm_bindgen]
pub fn end_flush(pipe: u32, flush: u32) {
    look(|border| {
        if let Ok(pipe) = border.pipe(pipe)
            && let Some(flush) = pipe.flushes.get_mut(flush as usize)
        {
            *flush = None;
        }
    });
}

/// Takes no more lines; 1 where none are left.
#[wasm_bindgen]
pub fn begin_close(pipe: u32) -> u32 {
    look(|border| border.pipe(pipe).map_or(1, |pipe| u32::from(pipe.uplink.begin_close())))
}

/// Gives up what is left.
#[wasm_bindgen]
pub fn end_close(pipe: u32, now: f64) {
    look(|border| border.pipe(pipe).map(|pipe| pipe.uplink.end_close(millis(now))).ok());
}

/// Forgets a sender.
#[wasm_bindgen]
pub fn forget(pipe: u32) {
    look(|border| border.pipes.get_mut(pipe as usize).map(Option::take).is_some());
}

/// The ledger in `numbers`, row after row: see the names in `js/ledger.js`.
#[wasm_bindgen]
pub fn ledger(pipe: u32) {
    look(|border| {
        let Ok(pipe) = border.pipe(pipe) else { return };
        let ledger = pipe.uplink.ledger();
        let counts = ledger.rows().flat_map(|(_, row)| {
            let dropped = row.dropped;
            [
                row.accepted,
                row.recovered,
                row.delivered,
                row.doubtful,
                dropped.queue_full,
                dropped.rejected,
                dropped.too_large,
                dropped.expired,
                dropped.store_full,
                dropped.damaged,
                dropped.closed,
                row.queued,
                row.in_flight,
                row.written,
                row.stored,
                row.invalid,
                row.skipped,
                row.resent,
            ]
        });
        for (to, from) in border.numbers.iter_mut().zip(counts) {
            *to = from as f64;
        }
    });
}
