//! The border between JavaScript and the core: functions that take and return numbers.
//!
//! Text comes in through an area of memory that both sides know, all strings of a call behind one another, and goes out
//! the same way. JavaScript owns the clock, the timers and the requests; what is sent when, and what an answer means, is
//! decided here, by the same code as on a server and on a microcontroller.
//!
//! Nothing here panics, whatever it is called with; what it does not understand it refuses with a number.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

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

/// Small rather than fast: memory is asked for when a sender is made, and when a segment is used for the first time.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

/// Out of memory is all that can lead here, and there is nobody to tell.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
