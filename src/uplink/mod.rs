//! A driver for devices without threads: a loop that calls [`Uplink::poll`], or a task that awaits [`Uplink::run`].
//!
//! It has no logic of its own: [`Delivery`] says what to do, the transport does it, and the outcome goes
//! back. Nothing here allocates, and nothing needs atomics.
//!
//! ```
//! use wavefront_sdk::delivery::{Config, Millis};
//! use wavefront_sdk::uplink::{Access, Next, Queue, Uplink};
//! use wavefront_sdk::{Kind, Metric, Rules, transport::{Accepted, Batch, Callback}};
//!
//! # fn send_to_uart(_: &[u8]) {}
//! # fn millis() -> Millis { Millis(0) }
//! // Four segments of 512 bytes, in a `static` on a device (a `StaticCell` gives the reference).
//! let mut segments = [[0; 512]; 4];
//! let queue = Queue::over(&mut segments, [Kind::Metric, Kind::Delta], Config::DEFAULT);
//! let uart = Callback::new(|batch: Batch<'_>| {
//!     send_to_uart(batch.bytes);
//!     Accepted::Written
//! });
//! let mut uplink = Uplink::new(queue, uart);
//!
//! let rules = Rules::new().default_source("pump-3");
//! let mut scratch = [0; 256];
//! uplink.send(&Metric::new("pressure", 1.013), &rules, &mut scratch)?;
//! match uplink.poll(millis()) {
//!     Next::Now => {}     // more may be ready
//!     Next::At(_) => {}   // sleep until then, or until something is sent
//!     Next::Idle => {}    // sleep until something is sent
//! }
//! # Ok::<(), wavefront_sdk::uplink::Unsent>(())
//! ```
//!
//! # Interrupts and other tasks
//!
//! Producers and the driver find the queue through [`Access`]. The driver has it only between batches, never during
//! I/O.
//!
//! - One loop does all: the [`Uplink`] owns the queue, as above, and its [`send`](Uplink::send) is the producer.
//! - Tasks of one executor: both sides have a `&RefCell<Queue>`.
//! - Interrupts: the queue stands behind whatever the device has for that, and a type of the application's says so in a
//!   few lines. With the `critical-section` crate:
//!
//!   ```
//!   use core::cell::RefCell;
//!   use critical_section::Mutex;
//!   use wavefront_sdk::delivery::View;
//!   use wavefront_sdk::uplink::{Access, Queue};
//!
//!   static QUEUE: Mutex<RefCell<Option<Queue<'static, 4, 2>>>> = Mutex::new(RefCell::new(None));
//!
//!   struct Shared;
//!
//!   impl Access for Shared {
//!       type Buf = &'static mut [u8];
//!
//!       fn with<R>(&mut self, work: impl FnOnce(&mut View<'_, Self::Buf>) -> R) -> Option<R> {
//!           critical_section::with(|token| {
//!               let mut queue = QUEUE.borrow(token).try_borrow_mut().ok()?;
//!               Some(work(&mut queue.as_mut()?.view()))
//!           })
//!       }
//!   }
//!   ```
//!
//!   [`Access::send`] encodes before it asks for the queue: interrupts are off for one copy of the line. The program in
//!   `tests/firmware` does just this.
//! - Where interrupts may never be off, the handler puts what it measured into an SPSC queue (`heapless::spsc` needs
//!   no compare-and-swap), and the loop makes lines of it.
//!
//! # Event loops
//!
//! Where requests are answered by callbacks or promises, [`Requests`] stands in for the transport: it keeps the batches
//! that are under way, several at a time, each with a number.
//!
//! # Ids
//!
//! Spans want ids: [`Uuid::from_bytes`](crate::Uuid::from_bytes) makes one of 16 bytes of the device's random number
//! generator.

mod access;
mod driver;
mod report;
mod requests;

pub use access::{Access, Datum, Part, Unsent};
pub use driver::{Flushed, Next, Uplink};
pub use requests::{Due, Requests};

use crate::Kind;
use crate::delivery::{Config, Delivery, Lane, Slot, Small};

/// A [`Delivery`] over `S` segments that live elsewhere, for `L` kinds: nothing of it is made at run time.
pub type Queue<'a, const S: usize, const L: usize> = Delivery<&'a mut [u8], [Slot<&'a mut [u8]>; S], [Lane<Small>; L]>;

impl<'a, const S: usize, const L: usize> Queue<'a, S, L> {
    /// An empty queue in `segments` of `N` bytes, for lines of `kinds`, which should differ. No line may be longer than
    /// a segment; two segments are the least that makes sense, for one is away while it is sent.
    pub fn over<const N: usize>(segments: &'a mut [[u8; N]; S], kinds: [Kind; L], config: Config) -> Self {
        Self::new(config, segments.each_mut().map(|segment| Slot::new(segment.as_mut_slice())), kinds.map(Lane::new))
    }
}
