//! What the programs share: the board, what they measure, and the link to the receiver.

#![no_std]

pub mod board;
pub mod dial;
pub mod link;
#[cfg(feature = "flash")]
pub mod nor;
pub mod plant;
pub mod sensors;
pub mod shared;

#[cfg(feature = "vec")]
extern crate alloc;

/// What the tests have to notice.
#[cfg(any(feature = "vec", feature = "panics"))]
pub fn wrong(at: usize) -> u8 {
    #[cfg(feature = "vec")]
    return alloc::vec![1].iter().sum();
    #[cfg(not(feature = "vec"))]
    return [1, 2, 3][at];
}

/// Nothing here panics: were there a way to it, the linker would keep it, and the test find it.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    cortex_m::asm::udf()
}
