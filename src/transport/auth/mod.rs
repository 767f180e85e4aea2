//! Tokens that are renewed while lines are sent with them.

mod csp;
mod provider;
mod refresh;

pub use csp::{Csp, CspBuildError, CspBuilder};
pub use provider::{TokenError, TokenProvider};
