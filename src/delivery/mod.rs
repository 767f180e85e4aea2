//! What waits, and what to do next: the bounded queue of whole lines, the ledger, and the state machine that decides
//! about batches, retries and loss.
//!
//! Nothing here does I/O or reads a clock. A driver asks [`Delivery::poll`] what to do at `now`, does it, and hands the
//! outcome back. So retry, overflow and accounting exist once, for a microcontroller, a server and a browser alike:
//!
//! ```
//! use wavefront_sdk::delivery::{Action, Config, Delivery, Lane, Millis, Outcome, Slot};
//! use wavefront_sdk::{Kind, KindSet};
//!
//! // Four segments of 512 bytes, one lane: all of it could be `static`.
//! let slots = core::array::from_fn::<_, 4, _>(|_| Slot::new([0_u8; 512]));
//! let mut delivery = Delivery::new(Config::default(), slots, [Lane::new(Kind::Metric)]);
//!
//! delivery.push(Kind::Metric, b"\"a\" 1.0 source=\"s\"\n", 1).unwrap();
//! delivery.flush();
//! let Action::Send(batch) = delivery.poll(Millis(0), KindSet::ALL) else { panic!("a flush sends at once") };
//! assert_eq!(batch.batch().lines, 1);
//! delivery.outcome(batch, Outcome::Delivered, Millis(5));
//! assert_eq!(delivery.ledger().row(Kind::Metric).delivered, 1);
//! ```
//!
//! # The segments
//!
//! Lines wait in segments: buffers of one size, each holding whole lines of one kind. A batch is at most one segment.
//! While it is out, its buffer is *moved* into the [`InFlight`] token, so that nothing is borrowed during I/O; its slot
//! keeps its place in the lane, and a retry finds it where it was.

mod backoff;
#[cfg(test)]
mod check;
mod errand;
mod intake;
mod lane;
mod ledger;
mod lists;
mod machine;
mod policy;
#[cfg(test)]
mod power;
mod replay;
mod scale;
mod segment;
mod send;
mod shelf;
mod shelved;
mod spool;
mod watch;

pub use backoff::{Backoff, Millis};
pub use errand::{Errand, Job, Keep, Loss, Mode, Reply, Request};
pub use intake::Encoded;
pub(crate) use intake::Intake;
pub use lane::Lane;
pub use ledger::{Dropped, Ledger, Row};
pub use machine::{Action, Config, Delivery, Lease, Overflow, Refused, Report, Ticket, View};
pub use policy::Outcome;
pub use replay::{Lost, Replay};
pub use scale::{Large, Scale, Small};
pub use segment::{Buf, Cut, InFlight, Slot, Stored};
pub use spool::Spool;
pub use watch::Watch;
