//! The two clients of the other SDKs of the family: their options and defaults, as thin builders of [`Sender`].

use core::time::Duration;
use std::string::String;

use super::{BuildError, Endpoint, Ports, Sender, SenderBuilder};

/// Sends directly to the Wavefront service.
///
/// ```no_run
/// use std::time::Duration;
/// use wavefront_sdk::WavefrontDirectClient;
///
/// let wavefront_sender = WavefrontDirectClient {
///     max_queue_size: 50_000,
///     batch_size: 10_000,
///     flush_interval: Duration::from_secs(5),
///     ..WavefrontDirectClient::new("https://mydomain.wavefront.com", "<TOKEN>")
/// }
/// .build()?;
/// # Ok::<(), wavefront_sdk::sender::BuildError>(())
/// ```
#[derive(Clone)]
pub struct WavefrontDirectClient {
    /// The URL of your Wavefront instance.
    pub server: String,
    /// An API token with direct ingestion permission.
    pub token: String,
    /// Lines of one kind that wait or are on their way, at most. Default: 50,000.
    pub max_queue_size: usize,
    /// Lines of a batch, at most. Default: 10,000.
    pub batch_size: usize,
    /// How long a line waits for its batch to fill, at most. Default: 5 s.
    pub flush_interval: Duration,
}

impl WavefrontDirectClient {
    /// The client of `server` with the default options.
    pub fn new(server: impl Into<String>, token: impl Into<String>) -> Self {
        let flush_interval = Duration::from_secs(5);
        Self { server: server.into(), token: token.into(), max_queue_size: 50_000, batch_size: 10_000, flush_interval }
    }

    /// The sender it describes.
    ///
    /// # Errors
    /// As [`SenderBuilder::build`].
    pub fn build(self) -> Result<Sender, BuildError> {
        self.into_builder().build()
    }

    /// The builder, for options that the other SDKs do not have.
    pub fn into_builder(self) -> SenderBuilder {
        let builder = Sender::builder(&self.server).token(self.token).max_queue_size(self.max_queue_size);
        builder.batch_size(self.batch_size).flush_interval(self.flush_interval)
    }
}

impl core::fmt::Debug for WavefrontDirectClient {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Neither the token nor a URL that may hold one.
        f.debug_struct("WavefrontDirectClient")
            .field("max_queue_size", &self.max_queue_size)
            .field("batch_size", &self.batch_size)
            .field("flush_interval", &self.flush_interval)
            .finish_non_exhaustive()
    }
}

/// Sends to a Wavefront proxy, as lines over TCP.
///
/// The ports have to be those that the proxy listens to:
///
/// | option | property in `wavefront.conf` |
/// |---|---|
/// | `metrics_port` | `pushListenerPorts=` |
/// | `distribution_port` | `histogramDistListenerPorts=` |
/// | `tracing_port` | `traceListenerPorts=` |
///
/// At least one is needed. Sending a kind whose port was not given is an error that names the port.
///
/// ```no_run
/// use std::time::Duration;
/// use wavefront_sdk::WavefrontProxyClient;
///
/// let wavefront_sender = WavefrontProxyClient {
///     metrics_port: Some(2878),
///     distribution_port: Some(2878),
///     tracing_port: Some(30000),
///     internal_flush: Duration::from_secs(2),
///     ..WavefrontProxyClient::new("<PROXY_HOST>")
/// }
/// .build()?;
/// # Ok::<(), wavefront_sdk::sender::BuildError>(())
/// ```
#[derive(Debug, Clone)]
pub struct WavefrontProxyClient {
    /// The proxy's host name or address.
    pub host: String,
    /// The port for metrics, delta counters, events and source tags. Default: none.
    pub metrics_port: Option<u16>,
    /// The port for histograms. Default: none.
    pub distribution_port: Option<u16>,
    /// The port for spans and span logs. Default: none.
    pub tracing_port: Option<u16>,
    /// How long a line waits for its batch to fill, at most. Default: 5 s.
    pub internal_flush: Duration,
}

impl WavefrontProxyClient {
    /// The client of the proxy at `host`, as yet without a port.
    pub fn new(host: impl Into<String>) -> Self {
        let internal_flush = Duration::from_secs(5);
        Self { host: host.into(), metrics_port: None, distribution_port: None, tracing_port: None, internal_flush }
    }

    /// The sender it describes.
    ///
    /// # Errors
    /// Without a port, and as [`SenderBuilder::build`].
    pub fn build(self) -> Result<Sender, BuildError> {
        self.into_builder()?.build()
    }

    /// The builder, for options that the other SDKs do not have.
    ///
    /// # Errors
    /// Without a port, and for a host that cannot be one.
    pub fn into_builder(self) -> Result<SenderBuilder, BuildError> {
        let ports = Ports { metrics: self.metrics_port, histograms: self.distribution_port, traces: self.tracing_port };
        let endpoint = Endpoint::tcp_proxy(&self.host, ports)?;
        Ok(SenderBuilder::to_endpoint(endpoint).flush_interval(self.internal_flush))
    }
}
