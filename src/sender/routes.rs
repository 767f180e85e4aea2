//! The ways to a sender's endpoint.

use core::time::Duration;
use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

use super::driver::Route;
use super::fail_over::FailOver;
use super::hub::Carry;
use super::{BuildError, Endpoint, Form, Ports, SenderBuilder};
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

/// Where lines go when the endpoint does not work.
pub(super) struct Fallbacks {
    urls: Vec<String>,
    pub(super) recovery: Duration,
}

impl SenderBuilder {
    /// Another proxy, for as long as those before it cannot be reached, do not answer in time, answer with a status
    /// from 500 on, or break two connections within 10 s. May be called several times. All are of one sort: over HTTP,
    /// or over TCP lines.
    ///
    /// The queue and the [`ledger`](super::Sender::ledger) are the same whichever proxy it is: what one does not take,
    /// the next one gets. [`replay`](Self::replay) says what is sent again where TCP leaves it open whether the first
    /// one had it.
    ///
    /// ```
    /// # use wavefront_sdk::Sender;
    /// let sender = Sender::builder("tcp://proxy-1:2878").fallback("tcp://proxy-2:2878").build()?;
    /// # Ok::<(), wavefront_sdk::sender::BuildError>(())
    /// ```
    pub fn fallback(mut self, url: impl Into<String>) -> Self {
        self.fallbacks.urls.push(url.into());
        self
    }

    /// After how long the endpoint itself is tried again while a [`fallback`](Self::fallback) is in use; once it is
    /// back, lines go there. Until then it gets at most one attempt in this time.
    pub fn recovery(mut self, interval: Duration) -> Self {
        self.fallbacks.recovery = interval;
        self
    }
}

impl Fallbacks {
    pub(super) const NONE: Self = Self { urls: Vec::new(), recovery: Duration::from_secs(30) };

    /// What `make` makes of `endpoint`, and of the others where there are any: they all as one.
    pub(super) fn routes(
        self,
        endpoint: &Endpoint,
        kinds: KindSet,
        (histograms, traces): (Option<u16>, Option<u16>),
        mut make: impl FnMut(&Endpoint, KindSet) -> Result<Vec<Route>, BuildError>,
    ) -> Result<Vec<Route>, BuildError> {
        if self.urls.is_empty() {
            return make(endpoint, kinds);
        }
        let expected = "a proxy of the same sort as the endpoint: all over tcp:// and tcp+tls://, or all over http://, \
                        https:// and proxy://";
        let form = endpoint.form();
        let wrong = BuildError::Option { name: "fallback", expected };
        if !matches!(form, Form::ProxyTcp | Form::ProxyHttp) {
            return Err(wrong);
        }
        let mut all = std::vec![endpoint.clone()];
        for (at, url) in self.urls.iter().enumerate() {
            let of = |error| BuildError::Destination { number: at + 2, error: Box::new(error) };
            let other = Endpoint::parse(url).map_err(|error| of(error.into()))?;
            if other.form() != form {
                return Err(of(wrong));
            }
            let ports = other.ports();
            let ports = Ports { histograms: histograms.or(ports.histograms), traces: traces.or(ports.traces), ..ports };
            all.push(other.with_ports(ports));
        }
        // Kinds that share a connection everywhere share it.
        let mut groups: Vec<KindSet> = Vec::new();
        for kind in kinds.iter() {
            let shares = |other| all.iter().all(|endpoint| endpoint.ports().of(kind) == endpoint.ports().of(other));
            match groups.iter_mut().find(|group| group.iter().next().is_some_and(shares)) {
                Some(group) => *group = group.with(kind),
                None => groups.push(kind.into()),
            }
        }
        let mut routes = Vec::new();
        for group in groups {
            let mut ways = Vec::new();
            for endpoint in &all {
                ways.append(&mut make(endpoint, group)?);
            }
            routes.extend(FailOver::route(ways, self.recovery));
        }
        Ok(routes)
    }

    /// Whether there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.urls.is_empty()
    }
}
