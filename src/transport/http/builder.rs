//! How an HTTP transport is made, and the client that everything over HTTP goes by.

use core::fmt;
use core::time::Duration;
use std::borrow::ToOwned;
use std::boxed::Box;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use reqwest::Url;
use reqwest::blocking::Client;

#[cfg(feature = "gzip")]
use super::gzip::Gzip;
use super::{Access, Http};
use crate::transport::auth::TokenProvider;
use crate::transport::{Tls, TlsError, Token, report};

/// What an [`Http`] is made from.
#[derive(Debug, Clone)]
#[must_use]
pub struct HttpBuilder {
    base: String,
    access: Access,
    tls: Tls,
    connect_timeout: Duration,
    timeout: Duration,
    idle: Duration,
    compress: bool,
}

impl HttpBuilder {
    pub(super) fn new(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            access: Access::Open,
            tls: Tls::new(),
            connect_timeout: Http::CONNECT_TIMEOUT,
            timeout: Http::TIMEOUT,
            idle: Http::IDLE,
            compress: true,
        }
    }

    /// The token of direct ingestion.
    pub fn token(mut self, token: Token) -> Self {
        self.access = Access::Fixed(token);
        self
    }

    /// Who has the token of direct ingestion, and renews it.
    pub fn token_provider(mut self, provider: Arc<dyn TokenProvider>) -> Self {
        self.access = Access::Provided(provider);
        self
    }

    /// Whom to trust, and who we are, where the base is `https://` or a proxy of the environment is.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// Changes [`Http::CONNECT_TIMEOUT`].
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Changes [`Http::TIMEOUT`].
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Changes [`Http::IDLE`].
    pub const fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Whether bodies are compressed; they are, where the feature `gzip` is on.
    pub const fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// The transport. Nothing is looked up, nothing is connected.
    ///
    /// # Errors
    /// [`HttpBuildError`] for a base that is no URL of a receiver, for an option of [`Tls`] that is wrong, and where
    /// the machine has no certificates to trust.
    pub fn build(self) -> Result<Http, HttpBuildError> {
        let base = base_url(&self.base).ok_or(HttpBuildError::Base)?;
        let client = client(&base, &self.tls, self.connect_timeout, self.timeout, self.idle)?;
        Ok(Http {
            client,
            name: base.as_str().trim_end_matches('/').into(),
            base,
            access: self.access,
            timeout: self.timeout,
            #[cfg(feature = "gzip")]
            gzip: self.compress.then(Gzip::new),
            body: Vec::new(),
            status: None,
        })
    }
}

/// The URL of a receiver, without anything that could be a secret.
pub(in crate::transport) fn base_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let receiver = matches!(url.scheme(), "http" | "https") && url.has_host();
    let secret = !url.username().is_empty() || url.password().is_some();
    (receiver && !secret && url.query().is_none() && url.fragment().is_none()).then_some(url)
}

/// Whether what is sent to `url` stays on this machine.
pub(in crate::transport) fn is_local(url: &Url) -> bool {
    crate::endpoint::address::is_loopback(url.host_str().unwrap_or_default().trim_matches(['[', ']']))
}

/// A client for the receiver at `base`.
pub(in crate::transport) fn client(
    base: &Url,
    tls: &Tls,
    connect_timeout: Duration,
    timeout: Duration,
    idle: Duration,
) -> Result<Client, HttpBuildError> {
    // Only a proxy of the environment may want TLS where the base is plain, and a local one has none: reading the
    // certificates takes its time, and a small container may have none.
    let plain = base.scheme() != "https";
    let config = if plain && is_local(base) && tls.is_plain() { tls.config_without_trust() } else { tls.config() };
    let mut config = match config {
        Err(error) if plain && error.option().is_none() => tls.config_without_trust(),
        config => config,
    }
    .map_err(HttpBuildError::Tls)?;
    config.alpn_protocols = Vec::from([b"http/1.1".to_vec()]);
    let mut client = Client::builder()
        .user_agent(report::AGENT)
        .connect_timeout(connect_timeout)
        .timeout(timeout)
        .pool_idle_timeout(idle)
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
        .tls_backend_preconfigured(config);
    if is_local(base) {
        client = client.no_proxy();
    }
    // The client waits for a thread of its own, which a thread of an async runtime is not allowed to do.
    let building = std::thread::Builder::new().name("wavefront-http".to_owned()).spawn(move || client.build());
    match building.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(client))) => Ok(client),
        Ok(Ok(Err(failure))) => Err(HttpBuildError::Client(Box::new(failure.without_url()))),
        Ok(Err(_panicked)) => Err(HttpBuildError::Client("the HTTP client could not start".into())),
        Err(no_thread) => Err(HttpBuildError::Client(Box::new(no_thread))),
    }
}

/// Why an [`Http`] could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum HttpBuildError {
    /// The base is not `http(s)://host[:port][/path]`, or has a user name, a query or a fragment.
    Base,
    /// TLS could not be set up: an option of it is wrong, or the machine has no certificates to trust.
    Tls(TlsError),
    /// The HTTP client could not be made: no thread, no sockets.
    Client(Box<dyn core::error::Error + Send + Sync>),
}

impl fmt::Display for HttpBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str(
                "the base of a receiver is http(s)://host[:port][/path], without a user name, a query or a fragment: \
                 a token is given apart",
            ),
            Self::Tls(error) => error.fmt(f),
            Self::Client(cause) => write!(f, "the HTTP client could not be made ({cause})"),
        }
    }
}

impl core::error::Error for HttpBuildError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Base => None,
            Self::Tls(error) => Some(error),
            Self::Client(cause) => Some(&**cause),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_the_url_of_a_receiver() {
        for good in ["http://h", "https://h:2878/a/b/", "http://[::1]:1"] {
            assert!(base_url(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "h",
            "ftp://h",
            "http://",
            "http://s3cret@h",
            "http://u:s3cret@h",
            "http://h?s3cret",
            "http://h#s3cret",
        ] {
            let error = Http::builder(bad).build().unwrap_err();
            assert!(matches!(error, HttpBuildError::Base), "{bad}");
            assert!(!std::format!("{error} {error:?}").contains("s3cret"));
        }
    }
}
