//! What is wrong with a URL.

use alloc::string::String;
use core::fmt;

use crate::Kind;
use crate::error::spoken;
use crate::transport::InvalidToken;

/// What is wrong with an [`Endpoint`](super::Endpoint). No part of the URL that could be a secret is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointError {
    /// No scheme, or one that means nothing here.
    Scheme(Option<String>),
    /// A `#`.
    Fragment,
    /// What stands before `@` is not a token.
    UserInfo,
    /// The token cannot be one.
    Token(InvalidToken),
    /// A token that would travel in the clear.
    PlainToken,
    /// A token for a proxy, which takes none.
    TokenForProxy,
    /// No host.
    NoHost,
    /// Something that is no host.
    Host,
    /// A port that is 0, above 65535 or no number.
    Port,
    /// Not one port for a proxy.
    NoPort,
    /// The port that takes this kind was left out.
    PortMissing(Kind),
    /// Something that is no path.
    Path,
    /// A path, where lines have none.
    PathForTcp,
    /// A key of the query that means nothing here.
    QueryKey(Option<String>),
    /// A key of the query that is there twice.
    RepeatedKey,
    /// This build has no TLS.
    NeedsTls,
    /// An option of TLS cannot work, or the machine has no certificates to trust.
    #[cfg(feature = "tls")]
    Tls(crate::transport::TlsError),
    /// The endpoint speaks HTTP, not TCP lines.
    NotTcp,
    /// This build has no HTTP.
    NeedsHttp,
    /// No path on this machine, where one is needed, or one where none is.
    #[cfg(feature = "std")]
    LocalPath,
    /// A query of a file that means nothing here.
    #[cfg(feature = "std")]
    FileQuery,
    /// This system has no Unix sockets.
    #[cfg(feature = "std")]
    NeedsUnix,
}

impl EndpointError {
    /// Says it in words, a piece at a time: what `Display` writes, where its machinery is too much.
    pub fn say(&self, say: &mut dyn FnMut(&str)) {
        let (before, word, after) = match self {
            Self::Scheme(Some(scheme)) => {
                ("the scheme ", scheme.as_str(), ":// is unknown: write https://, http://, proxy:// or tcp://")
            }
            Self::Scheme(None) => (
                "the URL does not begin with a known scheme: write https://, http://, proxy:// or tcp:// before the host",
                "",
                "",
            ),
            Self::Fragment => ("the URL has a #: in a token write it as %23", "", ""),
            Self::UserInfo => (
                "what stands before the @ is no token: write only the token there, with special characters as %XX",
                "",
                "",
            ),
            Self::Token(invalid) => ("", invalid.as_str(), ""),
            Self::PlainToken => (
                "a token with http:// could be read by anybody on the way: use https://, or allow plain tokens explicitly",
                "",
                "",
            ),
            Self::TokenForProxy => {
                ("a proxy takes no token: leave it out, or use https:// for direct ingestion", "", "")
            }
            Self::NoHost => ("the URL has no host: write one after ://", "", ""),
            Self::Host => (
                "the host is neither a name, nor an IPv4 address, nor an IPv6 address in brackets \
                 (write names beyond ASCII in their xn-- form)",
                "",
                "",
            ),
            Self::Port => ("a port is a number from 1 to 65535", "", ""),
            Self::NoPort => ("no port is given: at least one of metrics, histograms and traces is needed", "", ""),
            Self::PortMissing(kind) => {
                let missing = match kind {
                    Kind::Histogram => " cannot be sent: the proxy's histogram port was not given",
                    Kind::Span | Kind::SpanLogs => " cannot be sent: the proxy's trace port was not given",
                    _ => " cannot be sent: the proxy's metrics port was not given",
                };
                ("", kind.as_str(), missing)
            }
            Self::Path => {
                ("the path has a character that no path may have, or a . or .. in it: write it as %XX", "", "")
            }
            Self::PathForTcp => ("tcp:// has no path: write only host and port", "", ""),
            Self::QueryKey(Some(key)) => {
                ("the query key ", key.as_str(), " is unknown: only tcp:// has any, traces=PORT and histograms=PORT")
            }
            Self::QueryKey(None) => {
                ("a query key is unknown: only tcp:// has any, traces=PORT and histograms=PORT", "", "")
            }
            Self::RepeatedKey => ("a query key is there twice: write traces and histograms once each", "", ""),
            Self::NeedsTls => ("this build has no TLS: enable the feature `tls`, or use tcp://", "", ""),
            #[cfg(feature = "tls")]
            Self::Tls(error) => {
                use alloc::string::ToString;
                return say(&error.to_string());
            }
            Self::NotTcp => ("this endpoint speaks HTTP, not TCP lines: use tcp://", "", ""),
            #[cfg(feature = "std")]
            Self::LocalPath => (
                "unix: and file: need a path on this machine, as in unix:/run/agent.sock and file:/var/log/lines; \
                 stdout: has none",
                "",
                "",
            ),
            #[cfg(feature = "std")]
            Self::FileQuery => ("file: has one query, sync=batch: write any other ? as %3f", "", ""),
            #[cfg(feature = "std")]
            Self::NeedsUnix => ("this system has no Unix sockets: use tcp://", "", ""),
            Self::NeedsHttp => ("this build has no HTTP: enable the feature `http`, or use tcp://", "", ""),
        };
        ["endpoint: ", before, word, after].into_iter().for_each(say);
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        spoken(f, |say| self.say(say))
    }
}

impl core::error::Error for EndpointError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Token(invalid) => Some(invalid),
            #[cfg(feature = "tls")]
            Self::Tls(error) => Some(error),
            _ => None,
        }
    }
}
