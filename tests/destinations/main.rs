//! Where lines go beside one proxy: places on this machine, all of several endpoints, one of a list; and what the
//! environment says of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::std_instead_of_core, missing_docs, dead_code)]

#[path = "../faults/account.rs"]
mod account;
#[path = "../faults/chance.rs"]
mod chance;
#[path = "../faults/receiver.rs"]
mod receiver;

mod all;
mod endpoints;
mod env;
mod fail_over;
mod local;
