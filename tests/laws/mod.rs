//! The laws, said once: for the property tests, for the fuzz targets in `fuzz/`, and for the replay of their corpora.
//!
//! A law panics where it is broken. `input` makes of any bytes what the laws of the encoders and of the delivery are
//! about; those of the parser and of endpoints are about text.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub(crate) mod clean;
#[cfg(feature = "collector")]
pub(crate) mod collector;
pub(crate) mod delivery;
pub(crate) mod encode;
pub(crate) mod endpoint;
#[cfg(feature = "flash")]
pub(crate) mod flash;
pub(crate) mod input;
pub(crate) mod read;
pub(crate) mod script;
pub(crate) mod spool;
#[cfg(feature = "spool")]
pub(crate) mod store;

/// What a target does with the bytes it is given.
pub(crate) type Run = fn(&[u8]);

/// The fuzz targets, by name.
pub(crate) const TARGETS: &[(&str, Run)] = &[
    ("encode", input::encode),
    ("parse", read::bytes),
    ("delivery", input::delivery),
    ("endpoint", endpoint::bytes),
    ("spool", spool::bytes),
    #[cfg(feature = "spool")]
    ("store", store::bytes),
    #[cfg(feature = "collector")]
    ("collector", collector::bytes),
    #[cfg(feature = "flash")]
    ("flash", flash::bytes),
];
