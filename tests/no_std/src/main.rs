//! Uses every encoder, the parser, the queue and the delivery of the core, without std and without an allocator. Runs on the host:
//! exit 0 is "all of it did what it should", any other status is the number of the first step that did not.

#![no_std]
#![no_main]

#[cfg(feature = "vec")]
extern crate alloc;

use core::hint::black_box;
use core::panic::PanicInfo;

use wavefront_sdk::delivery::{Action, Config, Delivery, Lane, Millis, Outcome, Slot};
use wavefront_sdk::line::{Count, Slice};
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
    match encoders().and_then(|()| delivery()) {
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
        let read = parse::line(line, &rules.limits).map_err(|_| step)?;
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

fn ensure(step: i32, holds: bool) -> Step {
    if holds { Ok(()) } else { Err(step) }
}
