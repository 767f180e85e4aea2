//! What is wrong with a URL.

use alloc::string::String;
use core::fmt;

use crate::Kind;
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
    /// `tcp+tls://` is not supported yet.
    TlsOverTcp,
    /// The endpoint speaks HTTP, not TCP lines.
    NotTcp,
    /// This build has no HTTP.
    NeedsHttp,
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SCHEMES: &str = "https://, http://, proxy:// or tcp://";
        f.write_str("endpoint: ")?;
        match self {
            Self::Scheme(Some(scheme)) => write!(f, "the scheme {scheme}:// is unknown: write {SCHEMES}"),
            Self::Scheme(None) => write!(f, "the URL does not begin with a known scheme: write {SCHEMES} before the host"),
            Self::Fragment => f.write_str("the URL has a #: in a token write it as %23"),
            Self::UserInfo => f.write_str(
                "what stands before the @ is no token: write only the token there, with special characters as %XX",
            ),
            Self::Token(invalid) => invalid.fmt(f),
            Self::PlainToken => f.write_str(
                "a token with http:// could be read by anybody on the way: use https://, or allow plain tokens explicitly",
            ),
            Self::TokenForProxy => f.write_str("a proxy takes no token: leave it out, or use https:// for direct ingestion"),
            Self::NoHost => f.write_str("the URL has no host: write one after ://"),
            Self::Host => f.write_str(
                "the host is neither a name, nor an IPv4 address, nor an IPv6 address in brackets \
                 (write names beyond ASCII in their xn-- form)",
            ),
            Self::Port => f.write_str("a port is a number from 1 to 65535"),
            Self::NoPort => f.write_str("no port is given: at least one of metrics, histograms and traces is needed"),
            Self::PortMissing(kind) => {
                let port = match kind {
                    Kind::Histogram => "histogram",
                    Kind::Span | Kind::SpanLogs => "trace",
                    _ => "metrics",
                };
                write!(f, "{kind} cannot be sent: the proxy's {port} port was not given")
            }
            Self::Path => f.write_str("the path has a character that no path may have, or a . or .. in it: write it as %XX"),
            Self::PathForTcp => f.write_str("tcp:// has no path: write only host and port"),
            Self::QueryKey(Some(key)) => {
                write!(f, "the query key {key} is unknown: only tcp:// has any, traces=PORT and histograms=PORT")
            }
            Self::QueryKey(None) => {
                f.write_str("a query key is unknown: only tcp:// has any, traces=PORT and histograms=PORT")
            }
            Self::RepeatedKey => f.write_str("a query key is there twice: write traces and histograms once each"),
            Self::TlsOverTcp => f.write_str("tcp+tls:// is not supported yet: use https:// to a proxy with TLS"),
            Self::NotTcp => f.write_str("this endpoint speaks HTTP, not TCP lines: use tcp://"),
            Self::NeedsHttp => f.write_str("this build has no HTTP: enable the feature `http`, or use tcp://"),
        }
    }
}

impl core::error::Error for EndpointError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Token(invalid) => Some(invalid),
            _ => None,
        }
    }
}
