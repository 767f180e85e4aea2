//! Uses every encoder, the parser, the queue, the delivery and the transports of the core, without std and without an allocator. Runs on the host:
//! exit 0 is "all of it did what it should", any other status is the number of the first step that did not.

#![no_std]
#![no_main]

#[cfg(feature = "vec")]
extern crate alloc;

use core::convert::Infallible;
use core::future::ready;
use core::hint::black_box;
use core::panic::PanicInfo;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use wavefront_sdk::delivery::{Action, Config, Delivery, Lane, Millis, Outcome, Slot};
use wavefront_sdk::line::{Count, Slice};
use wavefront_sdk::transport::{Accepted, AsyncTransport, Batch, Http1, Lines, Receiver, Transport};
use wavefront_sdk::{
    DeltaCounter, Encode, Event, EventForm, Granularities, Histogram, Kind, KindSet, Metric, Rules, SourceDescription,
    SourceTag, Span, SpanLog, SpanLogs, TagAction, Uuid, parse,
};

// For memcpy and its like, and to end the process.
#[link(name = "c")]
unsafe extern "C" {
    fn abort() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: `abort` takes nothing, touches nothing of ours and does not return.
    unsafe { abort() }
}

/// What the C library's own start-up calls.
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    #[cfg(feature = "vec")]
    black_box(alloc::vec![1_u8]);
    match encoders().and_then(|()| delivery()).and_then(|()| blocking()).and_then(|()| waiting()) {
        Ok(()) => 0,
        Err(step) => step,
    }
}

type Step = Result<(), i32>;

fn encoders() -> Step {
    const SOURCE: &str = "pump-3";
    let rules = Rules::new().default_source(SOURCE);
    let direct = rules.events(EventForm::Json);
    let trace = Uuid::from_u128(0x7b3b_f470_9456_11e8_9eb6_5292_69fb_1459);
    let span = Uuid::from_u128(0x0313_bafe_9457_11e8_9eb6_5292_69fb_1459);
    let parents = [Uuid::from_u128(0x2f64_e538_9457_11e8_9eb6_5292_69fb_1459)];
    let logs = [SpanLog::new(1_552_949_776_000_123, &[("event", "error")])];

    lines(1, 1, &rules, &Metric::new("cpu.load", black_box(0.5)).timestamp(1_493_773_500).tag("core", "0"))?;
    lines(2, 1, &rules, &DeltaCounter::new("starts", black_box(1.0)).source("pump-4"))?;
    let latency = [(30.0, 20), (5.1, black_box(10))];
    lines(3, 3, &rules, &Histogram::new("latency", &latency).granularities(Granularities::ALL))?;
    let call = Span::new("getAllUsers", 1_552_949_776_000, 343, trace, span)
        .parents(&parents)
        .follows_from(&parents)
        .logs(&logs)
        .tag("application", "Wavefront");
    lines(4, 1, &rules, &call)?;
    let mut buffer = [0; 1024];
    let kind = call.encode_companion(&rules, &mut Slice::new(&mut buffer)).map_err(|_| 5)?;
    ensure(5, kind == Some(Kind::SpanLogs))?;
    lines(6, 1, &rules, &SpanLogs::new(trace, span, &logs))?;
    let event = Event::new("restart", 1_590_650_592_000).tags(&["pump"]).annotation("severity", "info");
    lines(7, 1, &rules, &event)?;
    lines(8, 1, &direct, &event)?;
    lines(9, 1, &rules, &SourceTag::new(TagAction::Add, &["cellar"]))?;
    lines(10, 1, &rules, &SourceDescription::save("the \"old\" pump"))
}

/// `datum` is `expected` lines of its kind, as the parser has it too, and a sink that only measures agrees.
fn lines<D: Encode>(step: i32, expected: u32, rules: &Rules<'_>, datum: &D) -> Step {
    let mut buffer = [0; 1024];
    let mut slice = Slice::new(&mut buffer);
    let mut count = Count::new();
    ensure(step, datum.encode(rules, &mut slice) == Ok(expected))?;
    ensure(step, datum.encode(rules, &mut count) == Ok(expected))?;
    ensure(step, count.bytes() == slice.len() && slice.as_bytes().ends_with(b"\n"))?;
    if D::KIND == Kind::Event && rules.events == EventForm::Json {
        return Ok(()); // the body of a request, which is no line of the protocol
    }
    slice.as_bytes().split_inclusive(|byte| *byte == b'\n').try_for_each(|line| {
        let line = core::str::from_utf8(line).map_err(|_| step)?;
        let read = parse::line(line, rules.limits).map_err(|_| step)?;
        ensure(step, read.kind() == D::KIND)
    })
}

fn delivery() -> Step {
    let slots = core::array::from_fn::<_, 4, _>(|_| Slot::new([0_u8; 512]));
    let mut delivery = Delivery::new(Config::default(), slots, [Lane::new(Kind::Metric)]);
    delivery.push(Kind::Metric, b"\"cpu.load\" 0.5 source=\"pump-3\"\n", 1).map_err(|_| 20)?;
    delivery.flush();
    let Action::Send(batch) = delivery.poll(Millis(0), KindSet::ALL) else { return Err(21) };
    ensure(22, batch.batch().lines == 1)?;
    delivery.outcome(batch, black_box(Outcome::Delivered), Millis(5));
    ensure(23, delivery.ledger().row(Kind::Metric).delivered == 1)
}

/// Takes a few bytes at a time, and answers.
struct Peer {
    taken: usize,
    answer: &'static [u8],
}

impl Peer {
    const fn new() -> Self {
        Self { taken: 0, answer: b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok" }
    }

    fn take(&mut self, bytes: &[u8]) -> usize {
        let taken = black_box(bytes.len().min(7));
        self.taken += taken;
        taken
    }

    fn give(&mut self, into: &mut [u8]) -> usize {
        let len = self.answer.len().min(into.len()).min(black_box(9));
        let Some((now, later)) = self.answer.split_at_checked(len) else { return 0 };
        for (place, byte) in into.iter_mut().zip(now) {
            *place = *byte;
        }
        self.answer = later;
        len
    }
}

impl embedded_io::ErrorType for Peer {
    type Error = Infallible;
}

impl embedded_io::Write for Peer {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(self.take(bytes))
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl embedded_io::Read for Peer {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        Ok(self.give(into))
    }
}

impl embedded_io_async::Write for Peer {
    fn write(&mut self, bytes: &[u8]) -> impl Future<Output = Result<usize, Infallible>> {
        ready(Ok(self.take(bytes)))
    }

    fn flush(&mut self) -> impl Future<Output = Result<(), Infallible>> {
        ready(Ok(()))
    }
}

impl embedded_io_async::Read for Peer {
    fn read(&mut self, into: &mut [u8]) -> impl Future<Output = Result<usize, Infallible>> {
        ready(Ok(self.give(into)))
    }
}

const BATCH: Batch<'_> = Batch::new(Kind::Metric, b"\"cpu.load\" 0.5 source=\"pump-3\"\n", 1);

fn blocking() -> Step {
    let mut lines = Lines::new(Peer::new());
    ensure(30, Transport::send(&mut lines, BATCH) == Ok(Accepted::Written))?;
    ensure(31, lines.stream().taken == BATCH.bytes.len() && Transport::finish(&mut lines, Duration::ZERO).is_ok())?;
    let receiver = Receiver::new("proxy:2878").and_then(|receiver| receiver.token("token"));
    let dial = |peer: &mut Peer| {
        *peer = Peer::new();
        Ok(())
    };
    let mut http = Http1::new(receiver.map_err(|_| 32)?, Peer::new(), dial);
    ensure(33, Transport::send(&mut http, BATCH) == Ok(Accepted::Delivered))?;
    ensure(34, http.stream().taken > BATCH.bytes.len() && http.stream().answer.is_empty())
}

fn waiting() -> Step {
    let mut lines = Lines::connecting(Peer::new(), async |peer: &mut Peer| {
        peer.taken = 0;
        Ok(())
    });
    ensure(40, now(AsyncTransport::send(&mut lines, BATCH)).ok_or(41)? == Ok(Accepted::Written))?;
    ensure(42, now(AsyncTransport::finish(&mut lines)).ok_or(43)?.is_ok())?;
    let receiver = Receiver::new("proxy:2878").map_err(|_| 44)?;
    let mut http = Http1::new(receiver, Peer::new(), async |peer: &mut Peer| {
        *peer = Peer::new();
        Ok(())
    });
    ensure(45, now(AsyncTransport::send(&mut http, BATCH)).ok_or(46)? == Ok(Accepted::Delivered))?;
    ensure(47, http.stream().answer.is_empty())
}

/// The result of a future that has no need to wait.
fn now<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn ensure(step: i32, holds: bool) -> Step {
    if holds { Ok(()) } else { Err(step) }
}
