//! The border between JavaScript and the core: functions that take and return numbers.
//!
//! Text comes in through an area of memory that both sides know, all strings of a call behind one another, and goes out
//! the same way. JavaScript owns the clock, the timers and the requests; what is sent when, and what an answer means, is
//! decided here, by the same code as on a server and on a microcontroller.
//!
//! Nothing here panics, whatever it is called with; what it does not understand it refuses with a number.

mod border;
mod data;
mod fault;
#[cfg(feature = "store")]
mod keeper;
mod line;
mod pipe;
mod send;
mod strings;
