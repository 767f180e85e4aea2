//! Reads sensors and sends what they say, in as little as that takes: the features choose the kinds.

#![no_std]
#![no_main]

use cortex_m_rt::{entry, exception};
use firmware::board::{self, Uart};
use firmware::plant;
#[cfg(feature = "delta")]
use wavefront_sdk::DeltaCounter;
use wavefront_sdk::delivery::{Config, Delivery, Lane, Millis, Slot};
#[cfg(feature = "flash")]
use wavefront_sdk::delivery::{Errand, Keep, Mode, Spool, Stored};
#[cfg(feature = "flash")]
use wavefront_sdk::store::{Flash, Store, StoreError};
#[cfg(not(feature = "http"))]
use wavefront_sdk::transport::Lines;
#[cfg(feature = "http")]
use wavefront_sdk::transport::{Http1, Receiver};
use wavefront_sdk::uplink::{Access, Next, Uplink};
#[cfg(feature = "event")]
use wavefront_sdk::{Event, SourceDescription, SourceTag, TagAction};
#[cfg(feature = "histogram")]
use wavefront_sdk::{Granularity, Histogram};
use wavefront_sdk::{Kind, Metric, Rules};
#[cfg(feature = "span")]
use wavefront_sdk::{Span, SpanLog, Uuid};

const RULES: Rules<'_> = Rules::new().default_source("pump-3");

#[cfg(not(feature = "flash"))]
fn slot_of(segment: &mut [u8; 512]) -> &mut [u8] {
    segment
}

#[cfg(feature = "flash")]
fn slot_of(segment: &mut [u8; 512]) -> Stored<&mut [u8]> {
    Stored(segment)
}

#[entry]
fn main() -> ! {
    static mut SEGMENTS: [[u8; 512]; 4] = [[0; 512]; 4];

    // As `Queue::over` does it, but slots and lanes stay where they are made: no `memcpy` is linked.
    let [a, b, c, d] = SEGMENTS.each_mut().map(slot_of);
    let mut slots = [Slot::new(a), Slot::new(b), Slot::new(c), Slot::new(d)];
    let mut lanes = [
        Lane::new(Kind::Metric),
        #[cfg(feature = "delta")]
        Lane::new(Kind::Delta),
        #[cfg(feature = "histogram")]
        Lane::new(Kind::Histogram),
        #[cfg(feature = "span")]
        Lane::new(Kind::Span),
        #[cfg(feature = "span")]
        Lane::new(Kind::SpanLogs),
        #[cfg(feature = "event")]
        Lane::new(Kind::Event),
        #[cfg(feature = "event")]
        Lane::new(Kind::SourceTag),
    ];
    let queue = Delivery::new(Config::DEFAULT, slots.as_mut_slice(), lanes.as_mut_slice());
    #[cfg(not(feature = "http"))]
    let link = Lines::new(Uart::new(0));
    #[cfg(feature = "http")]
    let Ok(receiver) = Receiver::new("proxy.example.com") else { board::exit(false) };
    #[cfg(feature = "http")]
    let link = Http1::new(receiver, Uart::new(0), |_: &mut Uart| Ok(()));
    let mut uplink = Uplink::new(queue, link);
    #[cfg(feature = "flash")]
    let mut buffer = [0; 600];
    // SAFETY: the only one.
    #[cfg(feature = "flash")]
    let chip = unsafe { firmware::nor::Chip::new() };
    #[cfg(feature = "flash")]
    let Ok(mut store) = Flash::blocking(chip, 0..firmware::nor::SIZE as u32, &mut buffer) else { board::exit(false) };
    #[cfg(feature = "flash")]
    let keep = Keep::new(Mode::Always).bytes(store.room(512));
    #[cfg(feature = "flash")]
    let Some(mut spool) = uplink.queue().with(|queue| Spool::new(keep, Store::footprint(&store), queue)) else {
        board::exit(false)
    };
    let mut modem = Uart::new(2);
    board::start_clock();
    #[cfg(any(feature = "vec", feature = "panics"))]
    modem.put(&[firmware::wrong(board::millis() as usize)]);
    for step in 0..10 {
        send(&mut uplink, step);
        let now = Millis(u64::from(board::millis()));
        #[cfg(feature = "flash")]
        while let Some(Errand::Do(mut job)) = uplink.queue().with(|queue| spool.poll(queue, now, 0)) {
            let result = job.run(&mut store).map_err(|error| error.kind());
            uplink.queue().with(|queue| spool.settle(queue, job, result, now));
        }
        while uplink.poll(now) == Next::Now {}
        while let Some(byte) = modem.take() {
            modem.put(&[byte]);
        }
    }
    while board::millis() < 10 {
        cortex_m::asm::wfi();
    }
    board::exit(true)
}

fn send<T>(uplink: &mut Uplink<impl Access, T>, step: u32) {
    let mut scratch = [0; 512];
    let (value, time) = (plant::pressure(step), plant::time(step));
    let _ = uplink.send(
        &Metric::new("plant.pressure", value).timestamp(time).tags(&[("valve", "inlet")]),
        &RULES,
        &mut scratch,
    );
    #[cfg(feature = "delta")]
    let _ = uplink.send(&DeltaCounter::new("plant.strokes", plant::strokes(step)), &RULES, &mut scratch);
    #[cfg(feature = "histogram")]
    let _ = uplink.send(
        &Histogram::new("plant.spread", &[(value, 1), (plant::strokes(step), 2)]).granularities(Granularity::Minute),
        &RULES,
        &mut scratch,
    );
    #[cfg(feature = "span")]
    {
        let (trace, id) = (Uuid::from_bytes(plant::id(step, 1)), Uuid::from_bytes(plant::id(step, 2)));
        let logs = [SpanLog::new(time * 1_000_000, &[("event", "opened")])];
        let tags = [("application", "plant"), ("service", "pump")];
        let _ =
            uplink.send(&Span::new("cycle", time * 1000, 5, trace, id).logs(&logs).tags(&tags), &RULES, &mut scratch);
    }
    #[cfg(feature = "event")]
    {
        let _ = uplink.send(&Event::new("inspection", time * 1000), &RULES, &mut scratch);
        let _ = uplink.send(&SourceTag::new(TagAction::Add, &["cellar"]), &RULES, &mut scratch);
        let _ = uplink.send(&SourceDescription::save("the old pump"), &RULES, &mut scratch);
    }
}

#[exception]
fn SysTick() {
    board::tick();
}
