//! The [Wavefront](https://docs.wavefront.com/) client that runs where Rust does: metrics, delta counters, histograms,
//! spans, span logs, events and source tags, to a Wavefront service or a Wavefront proxy.
//!
//! - **No line is written that the receiver would reject.** Input that no line can say is a typed error, and nothing is
//!   written. No input can start a second line, end a quote early or smuggle in a tag.
//! - **No line is lost in silence.** The [ledger](delivery::Ledger) says of every accepted line what became of it, at
//!   every instant.
//! - **No heap is needed.** Data, encoders, parser, queue and delivery neither allocate nor need `std`.
//!
//! # The pipe
//!
//! ```text
//! what a user says   how it is written   what waits, and what is next   where it goes
//! data::Metric … ──▶ line::Encode ─────▶ delivery::Delivery ──────────▶ transport::Transport
//! ```
//!
//! Everything left of the transport is a pure function of its inputs: time, randomness and I/O are arguments. With
//! `std`, `Sender` drives the pipe from threads of its own:
//!
#![cfg_attr(feature = "http", doc = "```")]
#![cfg_attr(not(feature = "http"), doc = "```ignore")]
//! use wavefront_sdk::{DeltaCounter, Metric, Sender};
//!
//! let sender = Sender::builder("proxy://localhost:2878").source("host-1").build()?;
//! sender.send(Metric::new("new-york.power.usage", 42422.0).tag("datacenter", "dc1"))?;
//! sender.send(DeltaCounter::new("requests", 1.0))?;
//! let ledger = sender.close(std::time::Duration::from_secs(1));
//! assert!(ledger.is_balanced());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! They only add; none changes what another one does.
//!
//! - None of them: the core. [`data`], [mod@line], [`parse`], [`delivery`], [`uplink`], [`vitals`], [`Prepared`] and
//!   the traits of [`transport`] and [`store`].
//! - `alloc`: segments in boxes, lines in a `Vec`, and the `Endpoint` that a URL speaks of, where there is an
//!   allocator.
//! - `std` (default): `Sender` with its background driver, TCP lines, in-memory transports for tests.
//! - `tls` (default): TCP lines over TLS, on `rustls`, and the options of TLS that HTTP shares.
//! - `ring` (default): the cryptography of TLS where no other is given. Without it, one has to be given, or installed
//!   for the process; that goes for all of `http`, too.
//! - `http` (default): direct ingestion, and proxies over HTTP(S), on `reqwest` and `rustls`.
//! - `gzip` (default): bodies from 1 KiB are compressed.
//! - `log`, `tracing`: what goes wrong is said to the crate of that name, a few lines however much fails.
//! - `defmt`: errors, enums and the ledger implement `defmt::Format`, for the logs of devices.
//! - `spool`: a store in a directory, for what an outage or a crash would lose.
//! - `embedded-io-v0_7`, `embedded-io-async-v0_7`: lines and HTTP/1.1 over any stream with the traits of that crate: a
//!   UART, a socket, TLS. No `std`, no allocator.
//! - `flash`: a store in NOR flash, for machines that have neither files nor an allocator.
//! - `collector`: a local receiver of everything this crate sends, for development, tests and demos.
//! - `cli`: all that the `wavefront` command needs.

#![no_std]
// A use of `std` that `core` could serve would show only where there is no `std`.
#![warn(clippy::std_instead_of_core, clippy::alloc_instead_of_core)]
#![cfg_attr(not(feature = "std"), forbid(unsafe_code))]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "collector")]
pub mod collector;
pub mod data;
pub mod delivery;
#[cfg(feature = "alloc")]
pub mod endpoint;
pub mod line;
pub mod parse;
#[cfg(feature = "std")]
pub mod sender;
pub mod store;
pub mod transport;
pub mod uplink;
pub mod vitals;

mod error;
mod kind;
mod prepared;
mod random;

pub use data::{
    ApplicationTags, DeltaCounter, DescriptionAction, Event, Granularities, Granularity, Histogram, Metric,
    SourceDescription, SourceTag, Span, SpanLog, SpanLogs, TagAction, Tags,
};
pub use error::{EncodeError, Field, InvalidInput, Problem};
pub use kind::{Format, Kind, KindSet};
pub use line::{Encode, EventForm, Limits, Rules};
#[cfg(feature = "std")]
pub use line::{
    event_to_json, event_to_line_data, histogram_to_line_data, metric_to_line_data, span_log_to_line_data,
    tracing_span_to_line_data,
};
pub use prepared::Prepared;
#[cfg(feature = "std")]
pub use sender::{MultiSender, Overflow, Sender, WavefrontDirectClient, WavefrontProxyClient};
pub use uuid::Uuid;

/// A guide: nothing is compiled but its examples.
#[cfg(all(any(doc, doctest), feature = "cli"))]
#[doc = include_str!("going_to_production.md")]
pub mod going_to_production {}

/// The README's code, so that `cargo test` runs it.
#[cfg(all(doctest, feature = "collector", feature = "http"))]
#[doc = include_str!("../README.md")]
struct Readme;
