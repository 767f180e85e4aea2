//! TLS by rustls: what it is told, and what it says when a peer is not who it should be.

mod options;
mod problem;
mod session;

pub use options::{Tls, TlsError};
pub use problem::TlsProblem;
pub(super) use session::{Session, Sessions};
