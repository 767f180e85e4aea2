//! A transport of one's own: lines in datagrams, to a relay in the same network.
//!
//! ```text
//! cargo run --example own_transport -- 127.0.0.1:8125
//! ```
//!
//! Queue, retries and ledger are those of every other transport. `transport::conformance` says whether one keeps the
//! contract; this one keeps all of it that a protocol without connections can.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use wavefront_sdk::Metric;
use wavefront_sdk::sender::SenderBuilder;
use wavefront_sdk::transport::{Accepted, Batch, Failure, Transport, TransportError};

/// What a datagram may hold on its way through any network.
const DATAGRAM: usize = 1200;

struct Udp {
    socket: UdpSocket,
}

/// What kept lines from leaving, and how many of the batch had left.
#[derive(Debug)]
enum UdpError {
    Socket { left: u32, source: io::Error },
    LineTooLarge { left: u32 },
}

impl Udp {
    fn to(address: &str) -> io::Result<Self> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect(address)?;
        Ok(Self { socket })
    }
}

impl Transport for Udp {
    type Error = UdpError;

    /// Whole lines, as many as fit into each datagram.
    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, UdpError> {
        let (mut rest, mut left) = (batch.bytes, 0);
        while !rest.is_empty() {
            let most = rest.get(..DATAGRAM).unwrap_or(rest);
            let Some(end) = most.iter().rposition(|&byte| byte == b'\n') else {
                return Err(UdpError::LineTooLarge { left });
            };
            let (datagram, others) = rest.split_at(end + 1);
            self.socket.send(datagram).map_err(|source| UdpError::Socket { left, source })?;
            left += u32::try_from(datagram.iter().filter(|&&byte| byte == b'\n').count()).unwrap_or(u32::MAX);
            rest = others;
        }
        // Nobody answers.
        Ok(Accepted::Written)
    }
}

impl TransportError for UdpError {
    fn kind(&self) -> Failure {
        match self {
            // Sent again, after a while.
            Self::Socket { .. } => Failure::Connect,
            // A single line that is too large is dropped, a batch is halved until there is one.
            Self::LineTooLarge { .. } => Failure::Status { code: 413, retry_after: None },
        }
    }

    fn lines_done(&self) -> u32 {
        match *self {
            Self::Socket { left, .. } | Self::LineTooLarge { left } => left,
        }
    }
}

impl fmt::Display for UdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket { source, .. } => {
                write!(f, "a datagram could not be sent ({source}): check the relay's address")
            }
            Self::LineTooLarge { .. } => write!(f, "a line is longer than a datagram of {DATAGRAM} bytes"),
        }
    }
}

impl Error for UdpError {}

fn main() -> Result<(), Box<dyn Error>> {
    let relay = std::env::args().nth(1).ok_or("say where to: HOST:PORT")?;
    let told = |incident: &_| eprintln!("{incident}");
    let sender = SenderBuilder::over(Udp::to(&relay)?).source("host-1").on_error(told).build()?;
    for reading in 0..1_000 {
        sender.send(Metric::new("plant.pressure", f64::from(reading) / 100.0).tag("valve", "inlet"))?;
    }
    let row = sender.close(Duration::from_secs(5)).total();
    eprintln!("{} lines, {} on their way, {} lost", row.accepted, row.delivered + row.written, row.failures());
    Ok(())
}
