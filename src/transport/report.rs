//! What a request to a receiver says, whoever sends it: where lines are posted, as what, and how long an answer may ask
//! us to wait.

use core::time::Duration;

/// Who we are.
pub(super) const AGENT: &str = concat!("wavefront-sdk-rust/", env!("CARGO_PKG_VERSION"));

/// Where lines go, behind the base; `?f=…` follows.
pub(super) const REPORT: &str = "/report";
/// What lines are.
pub(super) const LINES: &str = "application/octet-stream";

/// Where events of direct ingestion go, one a request.
pub(super) const EVENT: &str = "/api/v2/event";
/// What such an event is.
pub(super) const JSON: &str = "application/json";

/// The longest `Retry-After` that is believed.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_secs(5 * 60);
