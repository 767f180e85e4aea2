//! The ways to a sender's endpoint.

use core::time::Duration;
use std::boxed::Box;

use super::driver::Route;
use super::hub::Carry;
use super::{Endpoint, Form};
use crate::KindSet;
#[cfg(unix)]
use crate::transport::UnixSocket;
use crate::transport::{File, Stdout};

/// The one way to a place on this machine.
pub(super) fn local(endpoint: &Endpoint, timeout: Option<Duration>) -> Route {
    let _ = timeout;
    let carrier: Box<dyn Carry> = match endpoint.form() {
        #[cfg(unix)]
        Form::Unix => {
            let socket = UnixSocket::new(endpoint.path());
            Box::new(match timeout {
                Some(timeout) => socket.write_timeout(timeout),
                None => socket,
            })
        }
        Form::File { sync } => Box::new(File::new(endpoint.path()).sync(sync)),
        _ => Box::new(Stdout::new()),
    };
    Route { kinds: KindSet::ALL, carriers: std::vec![carrier] }
}
