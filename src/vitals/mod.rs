//! What a sender says of itself: the own metrics of the SDKs of the family, every 60 s.
//!
//! The name of each begins with `~sdk.rust.core.sender.direct.` or `.proxy.`, then comes what it is about: `points`
//! (metrics and delta counters), `histograms`, `spans`, `span_logs` or `events`.
//!
//! | name | what it is |
//! |---|---|
//! | `….queue.size` | lines that are queued or in flight |
//! | `….queue.remaining_capacity` | how many more the queues take |
//! | `∆….valid.count` | lines that were accepted |
//! | `∆….invalid.count` | data that failed validation |
//! | `∆….dropped.count` | accepted lines that were dropped, for any reason |
//! | `∆….report.errors.count` | requests that failed; over TCP, batches |
//! | `∆….report.STATUS.count` | requests that were answered with this HTTP status |
//!
//! The first two are gauges, the others delta counters: over time, each adds up to its column of the
//! [ledger](crate::delivery::Ledger). What could not be reported is reported the next time. The tags are `version` and
//! `authType`.
//!
//! Such lines go to the transport past the queue: they take no room from others, wait behind none, and are in no
//! ledger. A `Sender` does all of it by itself; the driver for devices [does it when
//! asked](crate::uplink::Uplink::report). Everything here is a function of two ledgers and the time.
//!
//! ```
//! use wavefront_sdk::delivery::{Config, Millis};
//! use wavefront_sdk::uplink::{Queue, Uplink};
//! use wavefront_sdk::vitals::{Labels, OwnMetrics};
//! use wavefront_sdk::{Kind, Metric, Rules, transport::Recorder};
//!
//! let mut segments = [[0; 512]; 4];
//! let queue = Queue::over(&mut segments, [Kind::Metric, Kind::Delta], Config::DEFAULT);
//! let mut uplink = Uplink::new(queue, Recorder::new(heapless::Vec::<u8, 1024>::new()));
//! let rules = Rules::new().default_source("pump-3");
//! let mut scratch = [0; 256];
//! let mut own = OwnMetrics::every(OwnMetrics::INTERVAL);
//!
//! // Somewhere in the loop of the device, with the time of the call:
//! uplink.report(&mut own, &Labels::proxy(), &rules, &mut scratch, Millis(0))?;
//! uplink.send(&Metric::new("pressure", 1.013), &rules, &mut scratch).unwrap();
//! uplink.report(&mut own, &Labels::proxy(), &rules, &mut scratch, Millis(60_000))?;
//! let said = uplink.transport().sink();
//! assert!(said.starts_with("\"∆~sdk.rust.core.sender.proxy.points.valid.count\" 1.0 source=\"pump-3\" ".as_bytes()));
//! # Ok::<(), wavefront_sdk::transport::RecorderFull>(())
//! ```

mod figures;
mod report;

pub use figures::{Counts, Family, Figure, Reading, Requests, What};
pub use report::{AuthType, Labels, OwnMetrics, Report};
