//! Sensors to metrics, deltas, histograms, spans and all other kinds, through the queue to UARTs; the pump's interrupt
//! sends too. At the end the ledger goes to the modem.

#![no_std]
#![no_main]

use core::time::Duration;

use cortex_m_rt::{entry, exception};
use firmware::link::Link;
use firmware::shared::Shared;
use firmware::{board, plant};
use wavefront_sdk::delivery::{Backoff, Config, Ledger, Millis};
use wavefront_sdk::uplink::{Access, Next, Unsent, Uplink};
use wavefront_sdk::{
    DeltaCounter, Event, Granularity, Histogram, Kind, Metric, Rules, SourceDescription, SourceTag, Span, SpanLog,
    TagAction, Uuid,
};

/// Lines of the main loop.
const LINES: u32 = 9_900;
/// Lines of the interrupt.
const TICKS: u32 = 100;

const RULES: Rules<'_> = Rules::new().default_source("pump-3");

static QUEUE: Shared<12, 7> = Shared::empty();

fn now() -> Millis {
    Millis(u64::from(board::millis()))
}

#[entry]
fn main() -> ! {
    let Some(segments) = cortex_m::singleton!(: [[u8; 512]; 12] = [[0; 512]; 12]) else { board::exit(false) };
    let mut config = Config::DEFAULT;
    config.flush_interval = Duration::from_millis(50);
    config.backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(50));
    // A UART never says that it broke: what is written needs no keeping.
    config.replay_bytes = 0;
    QUEUE.put(wavefront_sdk::uplink::Queue::over(segments, Kind::ALL, config));
    let mut uplink = Uplink::new(&QUEUE, Link::new());
    board::start_clock();

    let mut sensors = Sensors { sent: 0, step: 0, scratch: [0; 1024] };
    while sensors.sent < LINES || board::millis() <= TICKS {
        // As fast as the link takes it, but through an outage as if there were none.
        if sensors.sent < LINES {
            sensors.step(&mut &QUEUE);
        }
        while uplink.poll(now()) == Next::Now {}
        if !uplink.transport().listen() {
            cortex_m::asm::wfi();
        }
    }
    let ledger = uplink.close(now, Duration::from_secs(60));
    report(uplink.transport(), &ledger);
    board::exit(ledger.is_balanced())
}

/// The pump has made a turn. It sends for itself: interrupts are off only while the line is copied.
#[exception]
fn SysTick() {
    let turn = board::tick();
    if turn <= TICKS {
        let mut scratch = [0; 128];
        let turns = Metric::new("plant.turns", f64::from(turn)).timestamp(plant::time(turn));
        let _ = (&QUEUE).send(&turns, &RULES, &mut scratch);
    }
}

struct Sensors {
    sent: u32,
    step: u32,
    scratch: [u8; 1024],
}

impl Sensors {
    /// Sends what is new at the next step.
    fn step(&mut self, queue: &mut impl Access) {
        let step = self.step;
        self.step += 1;
        let time = plant::time(step);
        let pressure = Metric::new("plant.pressure", plant::pressure(step)).timestamp(time).tag("valve", "inlet");
        self.send(queue, 1, |queue, scratch| queue.send(&pressure, &RULES, scratch));
        let strokes = DeltaCounter::new("plant.strokes", plant::strokes(step));
        self.send(queue, 1, |queue, scratch| queue.send(&strokes, &RULES, scratch));
        if step % 10 == 0 {
            let centroids = [(plant::pressure(step), 1 + u64::from(step % 4)), (plant::strokes(step), 2)];
            let spread = Histogram::new("plant.spread", &centroids).granularities(Granularity::Minute).timestamp(time);
            self.send(queue, 1, |queue, scratch| queue.send(&spread, &RULES, scratch));
        }
        if step % 20 == 0 {
            let (trace, id) = (Uuid::from_bytes(plant::id(step, 1)), Uuid::from_bytes(plant::id(step, 2)));
            let logs = [SpanLog::new(time * 1_000_000, &[("event", "opened")])];
            let cycle = Span::new("cycle", time * 1000, u64::from(step), trace, id)
                .logs(&logs)
                .tag("application", "plant")
                .tag("service", "pump");
            self.send(queue, 2, |queue, scratch| queue.send(&cycle, &RULES, scratch));
        }
        if step % 100 == 0 {
            let event = Event::new("inspection", time * 1000).end(time * 1000 + 1).annotation("severity", "info");
            self.send(queue, 1, |queue, scratch| queue.send(&event, &RULES, scratch));
            self.send(queue, 1, |queue, scratch| {
                queue.send(&SourceTag::new(TagAction::Add, &["cellar"]), &RULES, scratch)
            });
            self.send(queue, 1, |queue, scratch| queue.send(&SourceDescription::save("the old pump"), &RULES, scratch));
        }
    }

    /// Sends what makes `lines` lines, unless that would be too many.
    fn send<Q: Access>(
        &mut self,
        queue: &mut Q,
        lines: u32,
        send: impl FnOnce(&mut Q, &mut [u8]) -> Result<(), Unsent>,
    ) {
        if self.sent + lines <= LINES {
            self.sent += lines;
            let _ = send(queue, &mut self.scratch);
        }
    }
}

/// Tells what became of every line.
fn report(link: &mut Link, ledger: &Ledger) {
    let total = ledger.total();
    let counts = [
        (b"accepted ".as_slice(), total.accepted),
        (b"delivered ", total.delivered),
        (b"queue_full ", total.dropped.queue_full),
        (b"dropped ", total.dropped.total()),
        (b"doubtful ", total.doubtful),
        (b"invalid ", total.invalid),
        (b"unsettled ", total.unsettled()),
    ];
    for (name, count) in counts {
        link.say(name, count as u32);
    }
    for (kind, row) in ledger.rows() {
        link.modem.put(b"lost ");
        link.modem.put(kind.as_str().as_bytes());
        link.say(b" ", row.dropped.total() as u32);
    }
    link.modem.put(b"end\n");
}
