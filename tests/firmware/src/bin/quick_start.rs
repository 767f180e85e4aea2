//! The embedded quick start of the README, as it stands there.

#![no_std]
#![no_main]

use cortex_m_rt::{entry, exception};
use firmware::board::{self, Uart, millis};
use wavefront_sdk::delivery::{Config, Millis};
use wavefront_sdk::transport::Lines;
use wavefront_sdk::uplink::{Next, Queue, Uplink};
use wavefront_sdk::{DeltaCounter, Kind, Metric, Rules};

#[entry]
fn main() -> ! {
    // Four segments of 512 bytes: what waits, at most.
    static mut SEGMENTS: [[u8; 512]; 4] = [[0; 512]; 4];
    let queue = Queue::over(SEGMENTS, [Kind::Metric, Kind::Delta], Config::DEFAULT);
    // Any UART, socket or TLS stream that implements embedded-io's `Write`.
    let mut uplink = Uplink::new(queue, Lines::new(Uart::new(0)));

    let rules = Rules::new().default_source("pump-3");
    let mut scratch = [0; 256];
    board::start_clock();
    loop {
        let pressure = Metric::new("plant.pressure", 1.013).tag("valve", "inlet");
        let _ = uplink.send(&pressure, &rules, &mut scratch);
        let _ = uplink.send(&DeltaCounter::new("plant.strokes", 1.0), &rules, &mut scratch);
        while uplink.poll(Millis(millis().into())) == Next::Now {}
        cortex_m::asm::wfi();
    }
}

#[exception]
fn SysTick() {
    board::tick();
}
