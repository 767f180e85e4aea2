//! What a device logs with `defmt`: errors, and what became of its lines. Each frame goes to the modem as a line of digits.

#![no_std]
#![no_main]

use cortex_m_rt::entry;
use firmware::board::{self, Uart};
use wavefront_sdk::delivery::{Config, Millis};
use wavefront_sdk::transport::Lines;
use wavefront_sdk::uplink::{Queue, Uplink};
use wavefront_sdk::{Kind, Metric, Rules};

#[defmt::global_logger]
struct Modem;

fn put(bytes: &[u8]) {
    Uart::new(2).put(bytes);
}

// SAFETY: nothing logs in an interrupt here, so frames are one after the other.
unsafe impl defmt::Logger for Modem {
    fn acquire() {}

    unsafe fn flush() {}

    unsafe fn release() {
        put(b"\n");
    }

    unsafe fn write(bytes: &[u8]) {
        let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' - 10 + half };
        for byte in bytes {
            put(&[digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[entry]
fn main() -> ! {
    static mut SEGMENTS: [[u8; 64]; 2] = [[0; 64]; 2];

    let mut uplink = Uplink::new(Queue::over(SEGMENTS, [Kind::Metric], Config::DEFAULT), Lines::new(Uart::new(0)));
    let mut scratch = [0; 64];
    let mut send = |name, source| uplink.send(&Metric::new(name, 1.0).source(source), &Rules::new(), &mut scratch);
    defmt::println!("{}", send("plant.pressure", "pump-3"));
    defmt::println!("{}", send(" ", "pump-3"));
    defmt::println!("{}", send("plant.pressure", "a source that is too long for the scratch and its line"));
    defmt::println!("{}", uplink.poll(Millis(0)));
    defmt::println!("{}", uplink.ledger().total().invalid);
    board::exit(true)
}
