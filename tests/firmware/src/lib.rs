//! What the programs share: the board, what they measure, and the link to the receiver.

#![no_std]

pub mod board;
pub mod link;
pub mod plant;
pub mod shared;

#[cfg(feature = "vec")]
extern crate alloc;

/// Nothing here panics: were there a way to it, the linker would keep it, and the test find it.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    cortex_m::asm::udf()
}
