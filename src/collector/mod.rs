//! A local receiver of everything this crate sends, for development, tests and demos.
//!
//! It takes what a Wavefront proxy takes, on the same ports, judges each line by the reader's rules
//! ([`parse`](crate::parse)), and counts. It runs on threads of its own and can be started from anywhere:
//!
//! - **TCP**: lines, ended by LF or CR LF, compressed with gzip or not. Lines over the port's limit are skipped, a half
//!   line at the end is dropped, a connection that is silent for 300 s is closed.
//! - **HTTP**, on the same ports, told apart by the first two bytes: `POST /report?f=…` and `POST /api/v2/event`, with
//!   or without gzip, and what browsers need (CORS).
//!
//! | answer | when |
//! |---|---|
//! | 202 | the report was read; single lines of it may have been rejected, as with a proxy |
//! | 200 | the event was accepted |
//! | 204 | the preflight of a browser |
//! | 400 | an unknown `f`, broken gzip, not an event, not HTTP |
//! | 401 | the required token is missing or another one ([`Builder::require_token`]) |
//! | 404, 405, 415 | another path than `/report`, `/` and `/api/v2/event`; another method than POST; another encoding than gzip |
//! | 408 | no piece of the body came for 30 s, or not all of it in 120 s |
//! | 413 | more than 16 MiB uncompressed |
//! | 431 | more than 16 KiB before the body |
//! | 503 | the lines could not be written to the file, or too many large requests came at a time |
//!
//! What `f` says is taken literally: under `f=wavefront` a histogram is rejected. Without `f`, the kind is told from
//! the beginning of the line, but for spans: they need `f=trace`, or a trace port.
//!
//! Memory is bounded whatever comes: half lines and bodies of all connections share 20 MiB. It is no proxy: it
//! forwards nothing, keeps nothing (but in the file of [`Builder::out`]), and does not look at how old a point is.

mod builder;
mod connection;
mod event;
mod http;
mod judge;
mod lines;
mod offline;
mod out;
mod room;
mod server;
mod split;
mod summary;

pub use builder::{Builder, CollectorError, Port};
pub use event::EventJson;
pub use judge::{Accepted, Content};
#[doc(hidden)]
pub use offline::Offline;
pub use server::{Collector, Kept};
pub use summary::{Counts, Rejection, Summary, Via};
