//! Sensors to metrics, deltas, histograms, spans and all other kinds, through the queue to UARTs; the pump's interrupt
//! sends too. At the end the ledger goes to the modem.

#![no_std]
#![no_main]

use core::time::Duration;

use cortex_m_rt::{entry, exception};
use firmware::board;
use firmware::link::{Link, report, say};
use firmware::sensors::{LINES, Sensors, turned};
use firmware::shared::Shared;
use wavefront_sdk::Kind;
use wavefront_sdk::delivery::Millis;
use wavefront_sdk::uplink::{Next, Uplink};

static QUEUE: Shared<12, 7> = Shared::empty();

fn now() -> Millis {
    Millis(u64::from(board::millis()))
}

#[entry]
fn main() -> ! {
    static mut SEGMENTS: [[u8; 512]; 12] = [[0; 512]; 12];

    board::paint_stack();
    QUEUE.fill(SEGMENTS, Kind::ALL);
    let mut uplink = Uplink::new(&QUEUE, Link::new());
    board::start_clock();

    let mut sensors = Sensors::new();
    while !sensors.are_done(board::millis()) {
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
    let modem = &mut uplink.transport().modem;
    say(modem, b"stack ", board::stack_used());
    report(modem, &ledger);
    board::exit(ledger.is_balanced())
}

#[exception]
fn SysTick() {
    turned(&mut &QUEUE, board::tick());
}
