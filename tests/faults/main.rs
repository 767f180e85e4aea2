//! Real faults, real sockets, real processes. Each test ends with the ledger compared with what the receiver really has:
//! a line may arrive twice where *at least once* says so, and none is lost without the ledger saying it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::std_instead_of_core, missing_docs)]

mod account;
mod chance;
mod kills;
mod policy;
mod random;
mod receiver;
mod requests;
mod sender_killed;
mod server;
