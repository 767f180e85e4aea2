//! Lines that outlive the power: nobody can be reached, they go to flash, and in the middle of a write the power goes. The
//! next start finds them and sends them over HTTP, with what is new.

#![no_std]
#![no_main]

use core::mem::MaybeUninit;

use cortex_m_rt::{entry, exception};
use embedded_storage::nor_flash::NorFlash;
use firmware::board::Uart;
use firmware::dial::Dialled;
use firmware::link::{report, say};
use firmware::nor::{Chip, SIZE};
use firmware::sensors::RULES;
use firmware::shared::config;
use firmware::{board, plant};
use wavefront_sdk::delivery::{Buf, Delivery, Errand, Keep, Lane, Large, Millis, Mode, Slot, Spool, Stored};
use wavefront_sdk::store::{Flash, Store, StoreError};
use wavefront_sdk::transport::{Http1, Receiver, Transport};
use wavefront_sdk::uplink::{Access, Next, Uplink};
use wavefront_sdk::{Granularity, Histogram, Kind, Metric};

/// The steps of the first start, of which the power cut takes the rest, and of the second.
const STEPS: [core::ops::Range<u32>; 2] = [0..1000, 1000..1020];
/// How many words the flash writes until the power goes: some tens of records, and the beginning of a record.
const WORDS: u32 = 2000;

/// Memory that a reset leaves as it is: a mark that it is in use, and how often the program has started.
#[unsafe(link_section = ".uninit.starts")]
static mut STARTS: MaybeUninit<[u32; 2]> = MaybeUninit::uninit();
const MARK: u32 = 0x5afe_f1a5;

/// How often the program has started before.
fn starts() -> u32 {
    let starts = (&raw mut STARTS).cast::<[u32; 2]>();
    // SAFETY: only this function uses it, once, before anything else runs.
    unsafe {
        let [mark, count] = starts.read_volatile();
        let count = if mark == MARK { count + 1 } else { 0 };
        starts.write_volatile([MARK, count]);
        count
    }
}

fn now() -> Millis {
    Millis(board::millis().into())
}

#[entry]
fn main() -> ! {
    static mut SEGMENTS: [[u8; 512]; 6] = [[0; 512]; 6];

    board::paint_stack();
    let start = starts();
    let Some(steps) = STEPS.into_iter().nth(start as usize) else { board::exit(false) };
    // `Stored`: a queue that a store stands behind.
    let slots = SEGMENTS.each_mut().map(|segment| Slot::new(Stored(segment.as_mut_slice())));
    let queue = Delivery::new(config(), slots, [Kind::Metric, Kind::Histogram].map(Lane::new));
    let Ok(receiver) = Receiver::new("proxy.example.com:2878") else { board::exit(false) };
    let mut uplink = Uplink::new(queue, Http1::new(receiver, Dialled::new(), Dialled::dial));

    // SAFETY: the only one.
    let mut chip = unsafe { Chip::new() };
    if start == 0 {
        let _ = chip.erase(0, SIZE as u32);
        chip.words = Some(WORDS);
    }
    let mut buffer = [0; 600];
    let Ok(mut store) = Flash::blocking(chip, 0..SIZE as u32, &mut buffer) else { board::exit(false) };
    let keep = Keep::new(Mode::Always).bytes(store.room(512));
    let footprint = Store::footprint(&store);
    let Some(mut spool) = uplink.queue().with(|queue| Spool::new(keep, footprint, queue)) else { board::exit(false) };
    let mut modem = Uart::new(2);
    board::start_clock();
    say(&mut modem, b"start ", start);

    let mut scratch = [0; 128];
    for step in steps {
        let (time, pressure) = (plant::time(step), plant::pressure(step));
        let centroids = [(pressure, 1), (plant::strokes(step), 2)];
        let spread = Histogram::new("plant.spread", &centroids).granularities(Granularity::Minute).timestamp(time);
        let _ = uplink.send(&Metric::new("plant.pressure", pressure).timestamp(time), &RULES, &mut scratch);
        let _ = uplink.send(&spread, &RULES, &mut scratch);
        // Nothing is said to be safe that is not.
        let Some(ticket) = uplink.begin_flush() else { board::exit(false) };
        while uplink.left(&ticket) > 0 {
            turn(&mut uplink, &mut store, &mut spool);
        }
        say(&mut modem, b"safe ", step);
    }
    while uplink.ledger().total().unsettled() > 0 || spool.bytes() > 0 {
        turn(&mut uplink, &mut store, &mut spool);
    }
    let ledger = uplink.ledger();
    say(&mut modem, b"stack ", board::stack_used());
    report(&mut modem, &ledger);
    // There is no first start that ends.
    board::exit(start == 1 && ledger.is_balanced())
}

/// What is there to do for the store, and a batch for the receiver.
fn turn<Q: Access<Buf: Buf<Scale = Large>>, T: Transport>(
    uplink: &mut Uplink<Q, T>,
    store: &mut impl Store,
    spool: &mut Spool,
) {
    while let Some(Errand::Do(mut job)) = uplink.queue().with(|queue| spool.poll(queue, now(), 0)) {
        let result = job.run(store).map_err(|error| error.kind());
        uplink.queue().with(|queue| spool.settle(queue, job, result, now()));
    }
    if uplink.poll(now()) != Next::Now {
        cortex_m::asm::wfi();
    }
}

#[exception]
fn SysTick() {
    board::tick();
}
