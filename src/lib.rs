//! The Wavefront client that runs everywhere Rust does.

#![no_std]
#![cfg_attr(not(feature = "std"), forbid(unsafe_code))]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "collector")]
pub mod collector;
pub mod data;
pub mod delivery;
pub mod line;
pub mod parse;
#[cfg(feature = "std")]
pub mod sender;
pub mod transport;

mod error;
mod kind;
mod prepared;

pub use data::{
    DeltaCounter, DescriptionAction, Event, Granularities, Granularity, Histogram, Metric, SourceDescription,
    SourceTag, Span, SpanLog, SpanLogs, TagAction, Tags,
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
pub use sender::{Overflow, Sender, WavefrontDirectClient, WavefrontProxyClient};
pub use uuid::Uuid;

/// The README's code, so that `cargo test` runs it.
#[cfg(all(doctest, feature = "collector", feature = "http"))]
#[doc = include_str!("../README.md")]
struct Readme;
