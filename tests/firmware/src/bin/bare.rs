//! The same board, clock, sensors and modem, without the crate: what the others are compared to.

#![no_std]
#![no_main]

use cortex_m_rt::{entry, exception};
use firmware::board::{self, Uart};
use firmware::plant;

#[entry]
fn main() -> ! {
    let (mut line, mut modem) = (Uart::new(0), Uart::new(2));
    board::start_clock();
    for step in 0..10 {
        let values = [plant::pressure(step), plant::strokes(step)];
        for value in values {
            line.put(&value.to_le_bytes());
        }
        line.put(&plant::time(step).to_le_bytes());
        line.put(&plant::id(step, 1));
        while let Some(byte) = modem.take() {
            modem.put(&[byte]);
        }
    }
    while board::millis() < 10 {
        cortex_m::asm::wfi();
    }
    board::exit(true)
}

#[exception]
fn SysTick() {
    board::tick();
}
