//! The border between JavaScript and the core: functions that take and return numbers.
//!
//! Text comes in through an area of memory that both sides know, all strings of a call behind one another, and goes out
//! the same way. JavaScript owns the clock, the timers and the requests; what is sent when, and what an answer means, is
//! decided here, by the same code as on a server and on a microcontroller.
//!
//! Nothing here panics, whatever it is called with; what it does not understand it refuses with a number.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

#[cfg(target_arch = "wasm32")]
use talc::{base::binning::Binning, cell::TalcSyncCell, wasm::WasmGrowAndClaim};

mod border;
mod data;
mod driver;
mod encode;
mod exports;
mod fault;
#[cfg(feature = "store")]
mod keeper;
mod pipe;
mod strings;

/// Small rather than fast: memory is asked for when a sender is made, when a segment is used for the first time, and for what
/// a span or a histogram is made of.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: TalcSyncCell<WasmGrowAndClaim, OneList> = TalcSyncCell::new_wasm(WasmGrowAndClaim);

/// What is free, in one list whatever its size: the least code to find some.
#[cfg(target_arch = "wasm32")]
struct OneList;

#[cfg(target_arch = "wasm32")]
impl Binning for OneList {
    type AvailabilityBitField = u8;

    const BIN_COUNT: u32 = 1;

    fn size_to_bin(_: usize) -> u32 {
        0
    }
}

/// Out of memory is all that can lead here, and there is nobody to tell.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
