//! The transports over real sockets: what they say, compared with what the receiver really has.

#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::std_instead_of_core)]

#[cfg(feature = "http")]
mod http;
mod local;
mod memory;
mod receiver;
#[cfg(feature = "embedded-io-async-v0_7")]
mod stream;
#[cfg(feature = "embedded-io-async-v0_7")]
mod stream_laws;
mod tcp;

use std::time::Duration;

use wavefront_sdk::Kind;
use wavefront_sdk::transport::Batch;

/// Long enough for anything that is not meant to fail.
const LONG: Duration = Duration::from_secs(10);
/// Short enough for anything that is.
const SHORT: Duration = Duration::from_millis(150);

fn metrics(lines: &[u8]) -> Batch<'_> {
    Batch::new(Kind::Metric, lines, u32::try_from(lines.split_inclusive(|&byte| byte == b'\n').count()).unwrap())
}

/// Lines of about 60 bytes.
fn many(lines: u32) -> Vec<u8> {
    let line = |n: u32| format!("\"some.metric.{n}\" {n} source=\"host-{}\" \"k\"=\"v\"\n", n % 7).into_bytes();
    (0..lines).flat_map(line).collect()
}

/// A batch of 16 MB, more than the kernel takes from a peer that does not read.
fn huge() -> Vec<u8> {
    many(1000).repeat(320)
}
