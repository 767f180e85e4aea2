//! What a request to a receiver says, whoever sends it: where lines are posted, as what, and how long an answer may ask
//! us to wait.

#[cfg(any(feature = "http", feature = "embedded-io-v0_7"))]
use core::time::Duration;

/// Who we are.
#[cfg(any(feature = "http", feature = "embedded-io-v0_7"))]
pub(crate) const AGENT: &str = concat!("wavefront-sdk-rust/", env!("CARGO_PKG_VERSION"));

/// Where lines go, behind the base; `?f=…` follows.
pub(crate) const REPORT: &str = "/report";
/// What lines are.
pub(crate) const LINES: &str = "application/octet-stream";

/// Where events of direct ingestion go, one a request.
pub(crate) const EVENT: &str = "/api/v2/event";
/// What such an event is.
pub(crate) const JSON: &str = "application/json";

/// The longest `Retry-After` that is believed.
#[cfg(any(feature = "http", feature = "embedded-io-v0_7"))]
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(5 * 60);
