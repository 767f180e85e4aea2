//! Never run: its symbols are as large as what they are named after.

#![no_std]
#![no_main]

use core::mem::size_of;

use cortex_m_rt::entry;
use firmware::board;
use wavefront_sdk::delivery::{Delivery, InFlight, Lane, Large, Ledger, Slot, Small, Stored};
use wavefront_sdk::transport::Lines;
use wavefront_sdk::uplink::{Queue, Uplink};

type Segment = &'static mut [u8];
type Kinds<const L: usize> = Queue<'static, 4, L>;
type WithStore<const L: usize> = Delivery<Stored<Segment>, [Slot<Stored<Segment>>; 4], [Lane<Large>; L]>;

macro_rules! sizes {
    ($($name:ident: $what:ty;)*) => {$(
        #[used]
        static $name: [u8; size_of::<$what>()] = [1; size_of::<$what>()];
    )*};
}

sizes! {
    RAM_3_KINDS: Kinds<3>;
    RAM_7_KINDS: Kinds<7>;
    RAM_STORED_3_KINDS: WithStore<3>;
    RAM_STORED_7_KINDS: WithStore<7>;
    RAM_NO_SLOTS_NO_KINDS: Queue<'static, 0, 0>;
    RAM_SLOT: Slot<Segment>;
    RAM_LANE: Lane<Small>;
    RAM_UPLINK_BESIDE_QUEUE: Uplink<&'static firmware::shared::Shared<4, 3>, Lines<()>>;
    RAM_TOKEN: InFlight<Segment>;
    RAM_LEDGER_ON_THE_STACK: Ledger;
}

#[entry]
fn main() -> ! {
    board::exit(true)
}
