//! What a collector listens on, and what it does with what comes.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::boxed::Box;
use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::vec::Vec;

use super::judge::Accepted;
use super::server::Collector;
use crate::Limits;

/// What a listener takes as TCP lines, and how long they may be. Over HTTP, the metrics port takes everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Port {
    /// Metrics, deltas, histograms, events, source tags and span logs; 32,768 bytes a line. A proxy's 2878.
    Metrics,
    /// Histograms only; 65,536 bytes a line. A proxy's 40000.
    Histograms,
    /// Spans and span logs; 1 MiB a line. A proxy's 30000.
    Traces,
}

pub(super) type OnLine = Box<dyn Fn(&Accepted<'_>) + Send + Sync>;
pub(super) type OnError = Box<dyn Fn(&io::Error) + Send + Sync>;

/// A collector to be started. See [`Collector::builder`].
#[must_use]
pub struct Builder {
    ports: Vec<(Port, String, io::Result<Vec<SocketAddr>>)>,
    pub(super) out: Option<PathBuf>,
    pub(super) on_line: Option<OnLine>,
    pub(super) on_error: Option<OnError>,
    pub(super) token: Option<String>,
    pub(super) limits: Limits,
    pub(super) keep: usize,
    pub(super) max_connections: usize,
    pub(super) max_body: usize,
    pub(super) room: usize,
    pub(super) idle: Duration,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            ports: Vec::new(),
            out: None,
            on_line: None,
            on_error: None,
            token: None,
            limits: Limits::DEFAULT,
            keep: 0,
            max_connections: 1024,
            max_body: 16 << 20,
            room: 20 << 20,
            idle: Duration::from_secs(300),
        }
    }

    /// Listens on `address` as a metrics port ([`Port::Metrics`]), which over HTTP takes everything. `127.0.0.1:0`
    /// takes any free port: [`Collector::addr`] says which.
    pub fn listen(self, address: impl ToSocketAddrs + fmt::Display) -> Self {
        self.port(Port::Metrics, address)
    }

    /// Listens on `address` as a trace port ([`Port::Traces`]).
    pub fn traces(self, address: impl ToSocketAddrs + fmt::Display) -> Self {
        self.port(Port::Traces, address)
    }

    /// Listens on `address` as a histogram port ([`Port::Histograms`]).
    pub fn histograms(self, address: impl ToSocketAddrs + fmt::Display) -> Self {
        self.port(Port::Histograms, address)
    }

    /// Listens on `address` as a port of any role. May be called several times.
    pub fn port(mut self, port: Port, address: impl ToSocketAddrs + fmt::Display) -> Self {
        let resolved = address.to_socket_addrs().map(Iterator::collect);
        self.ports.push((port, address.to_string(), resolved));
        self
    }

    /// Creates or empties the file at `path`, and writes each accepted line to it as it came, one LF after it.
    pub fn out(mut self, path: impl Into<PathBuf>) -> Self {
        self.out = Some(path.into());
        self
    }

    /// Calls `callback` with each line that passed, before it is written. Several connections call it at the same time;
    /// a slow one slows the collector down, one that panics ends the connection.
    pub fn on_line(mut self, callback: impl Fn(&Accepted<'_>) + Send + Sync + 'static) -> Self {
        self.on_line = Some(Box::new(callback));
        self
    }

    /// Calls `callback` with each error of writing to the file.
    pub fn on_error(mut self, callback: impl Fn(&io::Error) + Send + Sync + 'static) -> Self {
        self.on_error = Some(Box::new(callback));
        self
    }

    /// Requires `token` of every HTTP request (`Authorization: Bearer …`), else it is answered 401. TCP lines, which
    /// cannot carry one, are all rejected then.
    pub fn require_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Other limits than a proxy's default ones.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Keeps the last `lines` accepted lines for [`Collector::kept`]. Default 0.
    pub fn keep(mut self, lines: usize) -> Self {
        self.keep = lines;
        self
    }

    /// Takes at most `connections` at a time, default 1,024. Above that, the oldest one that has not said anything
    /// valid yet is closed for a newcomer; where there is none, the newcomer is.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections.max(1);
        self
    }

    /// Takes HTTP bodies of at most `bytes`, uncompressed; larger ones are answered 413. Default 16 MiB, as a proxy.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Closes a connection that was silent for so long. Default 300 s, as a proxy.
    pub fn idle_timeout(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Binds every port, creates the file, and starts to accept, on threads of the collector's own: it may be called
    /// from inside an async runtime too.
    ///
    /// # Errors
    /// See [`CollectorError`].
    pub fn start(mut self) -> Result<Collector, CollectorError> {
        let mut listeners = Vec::new();
        for (port, text, resolved) in core::mem::take(&mut self.ports) {
            let bound = resolved.and_then(|addresses| {
                let listener = TcpListener::bind(addresses.as_slice())?;
                listener.set_nonblocking(true)?;
                Ok((port, listener.local_addr()?, listener))
            });
            listeners.push(bound.map_err(|source| CollectorError::Listen { address: text, source })?);
        }
        if listeners.is_empty() {
            return Err(CollectorError::NoPort);
        }
        Collector::start(self, listeners)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the token.
        f.debug_struct("Builder").field("ports", &self.ports).field("out", &self.out).finish_non_exhaustive()
    }
}

/// Why a collector could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum CollectorError {
    /// No port to listen on was given.
    NoPort,
    /// An address that cannot be listened on: not an address, taken, or not allowed.
    Listen {
        /// The address as it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file for accepted lines cannot be created or written.
    Out {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Threads or the event loop could not be started.
    Runtime(io::Error),
}

impl CollectorError {
    pub(super) fn out(path: &Path, source: io::Error) -> Self {
        Self::Out { path: path.to_path_buf(), source }
    }
}

impl fmt::Display for CollectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPort => f.write_str("no port to listen on: give at least one, such as 127.0.0.1:2878"),
            Self::Listen { address, source } => {
                write!(f, "cannot listen on {address}: {source}")?;
                f.write_str(match source.kind() {
                    io::ErrorKind::AddrInUse => {
                        "; stop the program that uses the port, or choose another one (port 0 takes any free one)"
                    }
                    io::ErrorKind::AddrNotAvailable => "; the address has to be one of this machine, such as 127.0.0.1",
                    io::ErrorKind::PermissionDenied => "; choose a port above 1023",
                    io::ErrorKind::InvalidInput => "; an address has the form HOST:PORT, such as 127.0.0.1:2878",
                    _ => "",
                })
            }
            Self::Out { path, source } => {
                write!(
                    f,
                    "cannot write to {}: {source}; choose a file in a folder that exists and may be written to",
                    path.display()
                )
            }
            Self::Runtime(source) => write!(f, "cannot start the collector's threads: {source}"),
        }
    }
}

impl core::error::Error for CollectorError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::NoPort => None,
            Self::Listen { source, .. } | Self::Out { source, .. } | Self::Runtime(source) => Some(source),
        }
    }
}
