//! What lets a sender in: tokens that are renewed, and TLS.

use core::fmt;

#[cfg(feature = "http")]
use std::boxed::Box;
#[cfg(feature = "http")]
use std::string::String;
#[cfg(feature = "http")]
use std::sync::Arc;

use super::{BuildError, Endpoint};
#[cfg(feature = "tls")]
use super::{EndpointError, SenderBuilder};
use crate::Kind;
#[cfg(feature = "http")]
use crate::delivery::Config;
use crate::transport::Tcp;
#[cfg(feature = "tls")]
use crate::transport::Tls;
#[cfg(feature = "http")]
use crate::transport::{Csp, CspBuildError, CspBuilder, HttpBuilder, TokenProvider};
use crate::vitals::AuthType;

/// What was said of it.
#[derive(Default)]
pub(super) struct Access {
    #[cfg(feature = "http")]
    provider: Option<Provider>,
    #[cfg(feature = "http")]
    csp_base: Option<String>,
    /// Whether there are two of what there can be one of.
    #[cfg(feature = "http")]
    ambiguous: bool,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Tls>,
}

#[cfg(feature = "http")]
enum Provider {
    Own(Arc<dyn TokenProvider>),
    Csp(Box<CspBuilder>),
}

#[cfg(feature = "http")]
impl Provider {
    /// The option that it was given by.
    fn name(&self) -> &'static str {
        match self {
            Self::Own(_) => "token_provider",
            Self::Csp(csp) if csp.auth_type() == AuthType::CspClientCredentials => "csp_app",
            Self::Csp(_) => "csp_api_token",
        }
    }
}

#[cfg(feature = "tls")]
impl SenderBuilder {
    /// Whom to trust, who we are and by which cryptography, for `https://`, `tcp+tls://` and the service that issues
    /// tokens. Without it: whoever the machine trusts, and no certificate of our own.
    ///
    /// ```no_run
    /// use wavefront_sdk::{Sender, transport::Tls};
    /// let tls = Tls::new().ca_file("own-ca.pem").client_files("client.pem", "client-key.pem");
    /// let sender = Sender::builder("tcp+tls://proxy.example.com:2878").tls(tls).build()?;
    /// # Ok::<(), wavefront_sdk::sender::BuildError>(())
    /// ```
    pub fn tls(mut self, tls: Tls) -> Self {
        self.access.tls = Some(tls);
        self
    }
}

#[cfg(feature = "http")]
impl SenderBuilder {
    /// Direct ingestion with tokens that `provider` has: asked before each request, told of those that are refused.
    pub fn token_provider(mut self, provider: impl TokenProvider + 'static) -> Self {
        self.provide(Provider::Own(Arc::new(provider)));
        self
    }

    /// Direct ingestion with tokens of VMware Cloud Services, by an API token. They are renewed as [`Csp`] says.
    pub fn csp_api_token(mut self, token: impl AsRef<str>) -> Self {
        self.provide(Provider::Csp(Box::new(Csp::api_token(token.as_ref()))));
        self
    }

    /// Direct ingestion with tokens of VMware Cloud Services, as an OAuth app, in the organisation `org` or in the
    /// app's own.
    pub fn csp_app(mut self, id: impl AsRef<str>, secret: impl AsRef<str>, org: Option<&str>) -> Self {
        self.provide(Provider::Csp(Box::new(Csp::app(id.as_ref(), secret.as_ref(), org))));
        self
    }

    /// The service that issues tokens, where it is not [`Csp::BASE`]: `https://host[:port][/path]`.
    pub fn csp_base(mut self, base: impl Into<String>) -> Self {
        self.access.csp_base = Some(base.into());
        self
    }

    fn provide(&mut self, provider: Provider) {
        self.access.ambiguous |= self.access.provider.replace(provider).is_some();
    }
}

impl Access {
    /// An error that names what has been said and is of no use.
    pub(super) fn unused(&self, expected: &'static str) -> Result<(), BuildError> {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return Err(BuildError::Option { name: "tls", expected });
        }
        #[cfg(feature = "http")]
        if let Some(provider) = &self.provider {
            return Err(BuildError::Option { name: provider.name(), expected });
        }
        let _ = expected;
        Ok(())
    }

    /// How own metrics say that a sender shows who it is, where it does.
    pub(super) fn auth_type(&self) -> AuthType {
        match self {
            #[cfg(feature = "http")]
            Self { provider: Some(Provider::Csp(csp)), .. } => csp.auth_type(),
            _ => AuthType::WavefrontApiToken,
        }
    }

    /// A transport to the endpoint's port for `kind`.
    #[cfg(feature = "tls")]
    pub(super) fn tcp(&self, endpoint: &Endpoint, kind: Kind) -> Result<Tcp, BuildError> {
        match &self.tls {
            Some(_) if !endpoint.is_tls() => Err(BuildError::Option {
                name: "tls",
                expected: "left out with tcp://: tcp+tls:// is the one with TLS",
            }),
            tls => endpoint.tcp_by(kind, tls.as_ref().unwrap_or(&Tls::new())).map_err(|error| match error {
                EndpointError::Tls(error) => BuildError::Tls(error),
                error => BuildError::Endpoint(error),
            }),
        }
    }

    #[cfg(not(feature = "tls"))]
    #[allow(clippy::unused_self)]
    pub(super) fn tcp(&self, endpoint: &Endpoint, kind: Kind) -> Result<Tcp, BuildError> {
        Ok(endpoint.tcp(kind)?)
    }

    /// The same for a proxy beside the endpoint, which takes no tokens.
    #[allow(clippy::needless_update)] // Without HTTP there is nothing else.
    pub(super) fn of_another(&self) -> Self {
        #[cfg(feature = "tls")]
        let mut other = Self::default();
        #[cfg(not(feature = "tls"))]
        let other = Self::default();
        #[cfg(feature = "tls")]
        other.tls.clone_from(&self.tls);
        other
    }
}

#[cfg(feature = "http")]
impl Access {
    /// What is wrong with it, where there is a token apart from it or none. What is left goes by what is made of it.
    pub(super) fn check(&self, token: bool) -> Result<(), BuildError> {
        let wrong = |name, expected| Err(BuildError::Option { name, expected });
        let csp = matches!(self.provider, Some(Provider::Csp(_)));
        match self.provider {
            Some(_) if token || self.ambiguous => {
                wrong("token", "the only one of token, token_provider, csp_api_token and csp_app")
            }
            _ if self.csp_base.is_some() && !csp => wrong("csp_base", "left out without csp_api_token and csp_app"),
            _ => Ok(()),
        }
    }

    /// Whether there are tokens, and so no proxy.
    pub(super) const fn has_tokens(&self) -> bool {
        self.provider.is_some()
    }

    /// The endpoint as what it is with these tokens, if there are any; with `plain` they may travel in the clear.
    pub(super) fn direct(&self, endpoint: Endpoint) -> Result<Endpoint, BuildError> {
        if self.provider.is_none() {
            return Ok(endpoint);
        }
        if endpoint.token().is_some() {
            self.check(true)?;
        }
        Ok(endpoint.directed()?)
    }

    /// Tells a transport of it.
    pub(super) fn put_into(
        self,
        mut http: HttpBuilder,
        config: &Config,
        plain: bool,
    ) -> Result<HttpBuilder, BuildError> {
        let tls = self.tls.unwrap_or_default();
        http = http.tls(tls.clone());
        Ok(match self.provider {
            None => http,
            Some(Provider::Own(provider)) => http.token_provider(provider),
            Some(Provider::Csp(csp)) => {
                let mut csp = csp.tls(tls).backoff(config.backoff).auth_backoff(config.auth_backoff);
                if plain {
                    csp = csp.allow_plain();
                }
                if let Some(base) = self.csp_base {
                    csp = csp.base(base);
                }
                let csp = csp.build().map_err(|error| match error {
                    CspBuildError::Http(error) => BuildError::Http(error),
                    error => BuildError::Csp(error),
                })?;
                http.token_provider(Arc::new(csp))
            }
        })
    }
}

#[cfg(not(feature = "http"))]
impl Access {
    /// There are no tokens to be renewed.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)]
    pub(super) const fn check(&self, _: bool) -> Result<(), BuildError> {
        Ok(())
    }

    #[allow(clippy::unused_self)]
    pub(super) const fn has_tokens(&self) -> bool {
        false
    }

    #[allow(clippy::unused_self, clippy::unnecessary_wraps)]
    pub(super) fn direct(&self, endpoint: Endpoint) -> Result<Endpoint, BuildError> {
        Ok(endpoint)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;
    use crate::Sender;

    #[test]
    fn own_metrics_say_how_the_sender_is_let_in() {
        let builder = || Sender::builder("https://example.com");
        for (builder, auth) in [
            (builder().token("t"), AuthType::WavefrontApiToken),
            (builder().csp_api_token("t"), AuthType::CspApiToken),
            (builder().csp_app("id", "secret", None), AuthType::CspClientCredentials),
        ] {
            assert_eq!(builder.access.auth_type(), auth);
        }
    }
}
