//! What the benchmarks have in common: the data that are measured, and the paths of the library that they take,
//! encoding, reading and sending.

pub mod data;
pub mod paths;
pub mod sending;
