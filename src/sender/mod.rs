//! The client of programs with an operating system.

mod endpoint;

pub use endpoint::{Endpoint, EndpointError, Form, Ports};
