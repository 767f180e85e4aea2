//! The client of programs with an operating system: a handle that any number of threads share, and threads of its own
//! that carry the lines away.
//!
//! [`Sender`] takes data and returns at once; [`Sender::builder`] says where they go and within what bounds.
//! [`WavefrontDirectClient`] and [`WavefrontProxyClient`] build one from the options of the other SDKs of the family.

mod access;
mod builder;
mod clients;
mod driver;
mod env;
mod error;
mod fail_over;
mod handle;
mod hub;
mod incident;
mod keeper;
#[cfg(any(feature = "log", feature = "tracing"))]
mod limiter;
#[cfg(all(test, models))]
mod models;
mod multi;
mod names;
mod news;
mod now;
mod own;
mod routes;
mod series;
mod stripes;
mod sync;
mod tell;
mod waiting;

pub use crate::delivery::Replay;
pub use crate::endpoint::{Endpoint, EndpointError, Form, Ports};
pub use builder::SenderBuilder;
pub use clients::{WavefrontDirectClient, WavefrontProxyClient};
pub use env::{EnvError, EnvProblem};
pub use error::{BuildError, Cause, FlushError, NowError, SendError};
pub use handle::{Overflow, Sender};
pub use incident::{Blame, Fate, Incident, Reason, Trouble};
pub use multi::{MultiError, MultiSender};
pub use series::Series;
pub use waiting::{CloseFuture, FlushFuture};
