//! Where lines go, said by one URL.

pub(crate) mod address;
mod error;
#[cfg(feature = "std")]
mod local;
mod url;

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

pub use error::EndpointError;
use url::{any_host, parse, scheme};

use crate::error::say_number;
#[cfg(feature = "std")]
use crate::transport::Tcp;
#[cfg(feature = "tls")]
use crate::transport::Tls;
#[cfg(feature = "http")]
use crate::transport::{Http, HttpBuildError, HttpBuilder};
use crate::transport::{Token, report};
use crate::{EventForm, Format, Kind, KindSet};

/// Where lines go.
///
/// | URL | meaning |
/// |---|---|
/// | `https://HOST[/path]` and a token | direct ingestion |
/// | `http://HOST:2878`, `https://HOST:2878`, `proxy://HOST`, no token | a proxy over HTTP, which acknowledges |
/// | `tcp://HOST:2878?traces=30000&histograms=2878` | a proxy over TCP lines |
/// | `tcp+tls://…` | the same over TLS (feature `tls`) |
/// | `unix:/run/agent.sock` | lines to a Unix socket (feature `std`, Unix) |
/// | `file:/var/log/lines`, `…?sync=batch` | lines at the end of a file; each batch on the disk before it counts (feature `std`) |
/// | `stdout:`, `file:-` | lines to the standard output (feature `std`) |
///
/// - The token stands before the host (`https://TOKEN@HOST`, percent-encoded where it has to be) or is
///   [given apart](Self::with_token). With `http://` it is refused, because it would travel in the clear, unless the
///   host is a loopback address or [plain tokens are allowed](Self::parse_allowing_plain_token). A proxy takes none:
///   with `proxy://` and `tcp://` it is refused always.
/// - The port is 443 for `https`, 80 for `http` and 2878 for `proxy` and `tcp` unless it is given. Spans and span logs
///   go to `traces` (30000), histograms to `histograms` (the port of the URL), everything else to the port of the URL.
/// - The host is a name, an IPv4 address or an IPv6 address in brackets. A path is kept and put before that of every
///   request; TCP has none.
/// - A path behind `unix:` and `file:` may be relative, or have `//` before it, and `%XX` for what a URL cannot have.
/// - Nothing is looked up, nothing is connected.
///
/// `Display` writes a URL that means the same, **without the token**.
///
/// ```
/// use wavefront_sdk::endpoint::{Endpoint, Form};
/// let endpoint: Endpoint = "https://s3cret@example.wavefront.com/eu".parse()?;
/// assert_eq!(endpoint.form(), Form::Direct);
/// assert_eq!(endpoint.to_string(), "https://example.wavefront.com/eu");
/// assert_eq!(endpoint.token().map(|token| token.expose()), Some("s3cret"));
///
/// let endpoint: Endpoint = "tcp://[::1]?traces=30001".parse()?;
/// assert_eq!((endpoint.ports().metrics, endpoint.ports().traces), (Some(2878), Some(30001)));
/// # Ok::<(), wavefront_sdk::endpoint::EndpointError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    form: Form,
    tls: bool,
    host: String,
    ports: Ports,
    path: String,
    token: Option<Token>,
    plain_token: bool,
}

/// How an endpoint is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// Direct ingestion: HTTP(S) with a token.
    Direct,
    /// A proxy over HTTP(S).
    ProxyHttp,
    /// A proxy over TCP lines.
    ProxyTcp,
    /// Lines to a Unix socket.
    #[cfg(feature = "std")]
    Unix,
    /// Lines at the end of a file.
    #[cfg(feature = "std")]
    File {
        /// Whether each batch is on the disk before it counts as delivered.
        sync: bool,
    },
    /// Lines to the standard output.
    #[cfg(feature = "std")]
    Stdout,
}

/// What an HTTP request with lines says, beside them and the token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// Where it is posted to.
    pub url: String,
    /// What the body is.
    pub content_type: &'static str,
}

/// The ports of a proxy; a kind whose port is missing cannot be sent.
///
/// Over HTTP one port takes every kind: all three are the same there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ports {
    /// Metrics, delta counters, events and source tags.
    pub metrics: Option<u16>,
    /// Histograms.
    pub histograms: Option<u16>,
    /// Spans and span logs.
    pub traces: Option<u16>,
}

impl Ports {
    /// `port` for every kind.
    pub const fn all(port: u16) -> Self {
        Self { metrics: Some(port), histograms: Some(port), traces: Some(port) }
    }

    /// The port that takes `kind`.
    pub const fn of(&self, kind: Kind) -> Option<u16> {
        match kind {
            Kind::Metric | Kind::Delta | Kind::Event | Kind::SourceTag => self.metrics,
            Kind::Histogram => self.histograms,
            Kind::Span | Kind::SpanLogs => self.traces,
        }
    }
}

impl Endpoint {
    /// The port on which a proxy takes metrics, histograms and events, and over HTTP everything.
    pub const PROXY_PORT: u16 = 2878;
    /// The port on which a proxy takes spans as lines.
    pub const TRACE_PORT: u16 = 30000;

    /// The endpoint that `url` speaks of.
    ///
    /// # Errors
    /// [`EndpointError`] says what is wrong with the URL, and repeats nothing of it that could be a secret.
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        #[cfg(feature = "std")]
        if let Some(here) = local::parse(url) {
            return here;
        }
        parse(url, false)
    }

    /// As [`parse`](Self::parse), but a token with `http://` is allowed to any host: everybody on the way can read it.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_allowing_plain_token(url: &str) -> Result<Self, EndpointError> {
        #[cfg(feature = "std")]
        if let Some(here) = local::parse(url) {
            return here;
        }
        parse(url, true)
    }

    /// A proxy over TCP lines. `host` is a name or an address, an IPv6 one with brackets or without.
    ///
    /// # Errors
    /// For a host that cannot be one, a port 0, and where no port is given.
    pub fn tcp_proxy(host: &str, ports: Ports) -> Result<Self, EndpointError> {
        let given = [ports.metrics, ports.histograms, ports.traces];
        if given.contains(&Some(0)) {
            return Err(EndpointError::Port);
        }
        if given == [None; 3] {
            return Err(EndpointError::NoPort);
        }
        let host = any_host(host.as_bytes())?;
        Ok(Self { form: Form::ProxyTcp, tls: false, host, ports, path: String::new(), token: None, plain_token: false })
    }

    /// The same endpoint with a token given apart from the URL; it takes the place of one in the URL.
    ///
    /// # Errors
    /// Where the endpoint takes none, or where it would travel in the clear.
    pub fn with_token(mut self, token: Token) -> Result<Self, EndpointError> {
        self.form = self.directed_form()?;
        self.token = Some(token);
        Ok(self)
    }

    /// The same endpoint as one of direct ingestion, whose token somebody else has.
    #[cfg(feature = "http")]
    pub(crate) fn directed(mut self) -> Result<Self, EndpointError> {
        self.form = self.directed_form()?;
        Ok(self)
    }

    /// How it is spoken to with a token.
    fn directed_form(&self) -> Result<Form, EndpointError> {
        match self.form {
            Form::ProxyTcp => Err(EndpointError::TokenForProxy),
            Form::Direct | Form::ProxyHttp if self.tls || self.plain_token || self.is_loopback() => Ok(Form::Direct),
            Form::Direct | Form::ProxyHttp => Err(EndpointError::PlainToken),
            #[cfg(feature = "std")]
            Form::Unix | Form::File { .. } | Form::Stdout => Err(EndpointError::TokenForProxy),
        }
    }

    /// The same endpoint with other ports for histograms and traces; for TCP lines only, HTTP has one port.
    #[must_use]
    pub fn with_ports(mut self, ports: Ports) -> Self {
        if self.form == Form::ProxyTcp {
            self.ports = ports;
        }
        self
    }

    /// How it is spoken to.
    pub const fn form(&self) -> Form {
        self.form
    }

    /// Whether the connection is encrypted.
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// The path: that which is put before those of HTTP requests, or that of a Unix socket or a file.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The host: a name or an address, an IPv6 one **without** brackets. Empty where there is none.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The ports.
    pub const fn ports(&self) -> Ports {
        self.ports
    }

    /// The kinds that it takes: those whose port is known, and source tags only by way of a proxy.
    pub fn kinds(&self) -> KindSet {
        match self.form {
            Form::Direct => KindSet::ALL.without(Kind::SourceTag),
            Form::ProxyTcp => Kind::ALL.into_iter().filter(|kind| self.ports.of(*kind).is_some()).collect(),
            _ => KindSet::ALL,
        }
    }

    /// How events are written for it.
    pub fn event_form(&self) -> EventForm {
        if self.form == Form::Direct { EventForm::Json } else { EventForm::Line }
    }

    /// The kinds of which it takes a single line a request.
    pub fn single(&self) -> KindSet {
        if self.form == Form::Direct { Kind::Event.into() } else { KindSet::NONE }
    }

    /// The token of direct ingestion.
    pub const fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// Whether the host is this machine: `localhost`, `127.0.0.0/8`, `::1`.
    pub fn is_loopback(&self) -> bool {
        address::is_loopback(&self.host)
    }

    /// The URL that the paths of HTTP requests are put behind: no token, no `/` at the end.
    /// For TCP the address of the first port that there is; without HTTP and TCP all of it.
    pub fn base(&self) -> String {
        #[cfg(feature = "std")]
        if let Some(here) = local::shown(self) {
            return here;
        }
        let name = self.scheme();
        let ports = self.ports;
        let mut base = String::from(name);
        // An address of IPv6 stands in brackets.
        let (open, close) = if self.host.contains(':') { ("://[", "]") } else { ("://", "") };
        [open, &self.host, close].into_iter().for_each(|piece| base.push_str(piece));
        if let Some(port) = ports.metrics.or(ports.histograms).or(ports.traces)
            // The port of a proxy is worth seeing, also where it is the usual one.
            && (self.form == Form::ProxyTcp || scheme(name.as_bytes()).is_none_or(|scheme| scheme.port != port))
        {
            base.push(':');
            say_number(port.into(), &mut |digit| base.push_str(digit));
        }
        base.push_str(&self.path);
        base
    }

    /// Where lines of `format` are posted to, and as what; none where the endpoint takes no such lines, or none over
    /// HTTP.
    ///
    /// ```
    /// use wavefront_sdk::{Format, endpoint::Endpoint};
    /// let endpoint = Endpoint::parse("proxy://localhost")?;
    /// let request = endpoint.request(Format::Trace).unwrap();
    /// assert_eq!(request.url, "http://localhost:2878/report?f=trace");
    /// assert_eq!(request.content_type, "application/octet-stream");
    /// # Ok::<(), wavefront_sdk::endpoint::EndpointError>(())
    /// ```
    pub fn request(&self, format: Format) -> Option<Request> {
        let (pieces, content_type) = match (self.form, format, format.query()) {
            (Form::ProxyTcp, ..) | (Form::Direct, Format::SourceTag, _) => return None,
            #[cfg(feature = "std")]
            (Form::Unix | Form::File { .. } | Form::Stdout, ..) => return None,
            (Form::Direct, Format::Event, _) => ([report::EVENT, "", ""], report::JSON),
            (_, _, Some(query)) => ([report::REPORT, "?f=", query], report::LINES),
            (_, _, None) => ([report::REPORT, "", ""], report::LINES),
        };
        let mut url = self.base();
        pieces.into_iter().for_each(|piece| url.push_str(piece));
        Some(Request { url, content_type })
    }

    /// A transport to this endpoint's port for `kind`; over TLS with whoever the machine trusts.
    ///
    /// # Errors
    /// [`EndpointError::PortMissing`] where the port of that kind was left out; [`EndpointError::NotTcp`] where the
    /// endpoint speaks HTTP; [`EndpointError::NeedsTls`] without that feature, and where the machine has no
    /// certificates to trust.
    #[cfg(feature = "std")]
    pub fn tcp(&self, kind: Kind) -> Result<Tcp, EndpointError> {
        let tcp = self.tcp_port(kind)?;
        #[cfg(feature = "tls")]
        if self.tls {
            return tcp.tls(&Tls::new()).map_err(EndpointError::Tls);
        }
        Ok(tcp)
    }

    /// As [`tcp`](Self::tcp), with the options of `tls` where it is over TLS.
    ///
    /// # Errors
    /// As [`tcp`](Self::tcp), and [`EndpointError::Tls`] for an option that cannot work.
    #[cfg(feature = "tls")]
    pub fn tcp_by(&self, kind: Kind, tls: &Tls) -> Result<Tcp, EndpointError> {
        let tcp = self.tcp_port(kind)?;
        if self.tls { tcp.tls(tls).map_err(EndpointError::Tls) } else { Ok(tcp) }
    }

    #[cfg(feature = "std")]
    fn tcp_port(&self, kind: Kind) -> Result<Tcp, EndpointError> {
        self.supported()?;
        if self.form != Form::ProxyTcp {
            return Err(EndpointError::NotTcp);
        }
        self.ports.of(kind).map(|port| Tcp::new(&self.host, port)).ok_or(EndpointError::PortMissing(kind))
    }

    /// A transport to this endpoint over HTTP.
    ///
    /// # Errors
    /// Where the HTTP client cannot be made.
    #[cfg(feature = "http")]
    pub fn http(&self) -> Result<Http, HttpBuildError> {
        self.http_builder().build()
    }

    #[cfg(feature = "http")]
    pub(crate) fn http_builder(&self) -> HttpBuilder {
        let builder = Http::builder(&self.base());
        match &self.token {
            Some(token) => builder.token(token.clone()),
            None => builder,
        }
    }

    /// Whether this build can speak to the endpoint.
    ///
    /// # Errors
    /// [`EndpointError::NeedsTls`] and [`EndpointError::NeedsHttp`] without these features;
    /// [`EndpointError::NeedsUnix`] elsewhere.
    #[cfg(feature = "std")]
    pub const fn supported(&self) -> Result<(), EndpointError> {
        match self.form {
            Form::ProxyTcp if self.tls && cfg!(not(feature = "tls")) => Err(EndpointError::NeedsTls),
            Form::Direct | Form::ProxyHttp if cfg!(not(feature = "http")) => Err(EndpointError::NeedsHttp),
            Form::Unix if cfg!(not(unix)) => Err(EndpointError::NeedsUnix),
            _ => Ok(()),
        }
    }

    const fn scheme(&self) -> &'static str {
        match (self.form, self.tls) {
            (Form::ProxyTcp, false) => "tcp",
            (Form::ProxyTcp, true) => "tcp+tls",
            (_, false) => "http",
            (_, true) => "https",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base())?;
        if self.form != Form::ProxyTcp {
            return Ok(());
        }
        let Ports { metrics, histograms, traces } = self.ports;
        let mut before = '?';
        for (key, port, usual) in [("traces", traces, Some(Self::TRACE_PORT)), ("histograms", histograms, metrics)] {
            if let Some(port) = port.filter(|port| Some(*port) != usual) {
                write!(f, "{before}{key}={port}")?;
                before = '&';
            }
        }
        Ok(())
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(url: &str) -> Result<Self, EndpointError> {
        Self::parse(url)
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = EndpointError;

    fn try_from(url: &str) -> Result<Self, EndpointError> {
        Self::parse(url)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloc::format;
    use std::borrow::ToOwned;
    use std::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::transport::InvalidToken;

    fn parsed(url: &str) -> Endpoint {
        Endpoint::parse(url).unwrap()
    }

    fn refused(url: &str) -> EndpointError {
        Endpoint::parse(url).unwrap_err()
    }

    #[test]
    fn https_with_a_token_is_direct() {
        let endpoint = parsed("https://abc-123@Example.wavefront.com/eu/");
        assert_eq!((endpoint.form(), endpoint.is_tls()), (Form::Direct, true));
        assert_eq!(endpoint.base(), "https://example.wavefront.com/eu");
        assert_eq!(endpoint.token().map(Token::expose), Some("abc-123"));
        assert_eq!(parsed("https://a%2Fb%40c%3a@h").token().map(Token::expose), Some("a/b@c:"));

        let given = parsed("https://h").with_token(Token::new("t").unwrap()).unwrap();
        assert_eq!((given.form(), given.token().map(Token::expose)), (Form::Direct, Some("t")));
    }

    #[test]
    fn what_it_takes_goes_by_what_it_is() {
        let all = KindSet::ALL;
        let direct = parsed("https://t@h");
        assert_eq!((direct.kinds(), direct.single()), (all.without(Kind::SourceTag), Kind::Event.into()));
        assert_eq!(direct.event_form(), EventForm::Json);
        for url in ["https://h", "proxy://h", "tcp://h"] {
            let proxy = parsed(url);
            assert_eq!(
                (proxy.kinds(), proxy.single(), proxy.event_form()),
                (all, KindSet::NONE, EventForm::Line),
                "{url}"
            );
        }
        #[cfg(feature = "std")]
        assert_eq!((parsed("stdout:").kinds(), parsed("stdout:").event_form()), (all, EventForm::Line));
        let ports = Ports { traces: Some(1), ..Ports::default() };
        let traces = Endpoint::tcp_proxy("h", ports).unwrap();
        assert_eq!(traces.kinds(), KindSet::NONE.with(Kind::Span).with(Kind::SpanLogs));
    }

    #[test]
    fn without_a_token_it_is_a_proxy() {
        for (url, base, port) in [
            ("https://h", "https://h", 443),
            ("https://h:2878", "https://h:2878", 2878),
            ("http://h", "http://h", 80),
            ("http://h:2878/", "http://h:2878", 2878),
            ("HTTP://h:2878/a/b//", "http://h:2878/a/b", 2878),
            ("proxy://h", "http://h:2878", 2878),
            ("proxy://h:80", "http://h", 80),
            (" proxy://10.0.0.1:1/x ", "http://10.0.0.1:1/x", 1),
            ("http://[::1]:65535", "http://[::1]:65535", 65535),
        ] {
            let endpoint = parsed(url);
            assert_eq!(endpoint.form(), Form::ProxyHttp, "{url}");
            assert_eq!(endpoint.base(), base, "{url}");
            assert_eq!(endpoint.ports(), Ports::all(port), "{url}");
            assert!(endpoint.token().is_none());
        }
    }

    #[test]
    fn tcp_has_three_ports() {
        let ports = |url| {
            let Ports { metrics, histograms, traces } = parsed(url).ports();
            (metrics.unwrap(), histograms.unwrap(), traces.unwrap())
        };
        assert_eq!(ports("tcp://h"), (2878, 2878, 30000));
        assert_eq!(ports("tcp://h:4000/"), (4000, 4000, 30000));
        assert_eq!(ports("tcp://h:2878?traces=30001&histograms=40000"), (2878, 40000, 30001));
        assert_eq!(ports("tcp://[2001:DB8::1]?&histograms=1&"), (2878, 1, 30000));
        let endpoint = parsed("tcp://h:4000?histograms=40000");
        let port = |kind| endpoint.tcp(kind).unwrap().port();
        assert_eq!(Kind::ALL.map(port), [4000, 4000, 40000, 30000, 30000, 4000, 4000]);
        assert_eq!(parsed("tcp://[2001:DB8::1]").host(), "2001:db8::1");
    }

    #[test]
    fn ports_may_be_left_out() {
        let none = Ports::default();
        assert_eq!(Endpoint::tcp_proxy("h", none), Err(EndpointError::NoPort));
        assert_eq!(Endpoint::tcp_proxy("h", Ports { traces: Some(0), ..none }), Err(EndpointError::Port));
        assert_eq!(Endpoint::tcp_proxy("a/b", Ports::all(1)), Err(EndpointError::Host));
        let endpoint = Endpoint::tcp_proxy("::1", Ports { traces: Some(30000), ..none }).unwrap();
        assert_eq!(endpoint.tcp(Kind::Span).unwrap().port(), 30000);
        let error = endpoint.tcp(Kind::Histogram).unwrap_err();
        assert_eq!(error, EndpointError::PortMissing(Kind::Histogram));
        assert!(format!("{error}").contains("histogram port"), "{error}");
    }

    #[test]
    fn a_token_never_travels_in_the_clear_unasked() {
        assert_eq!(refused("http://t@example.com"), EndpointError::PlainToken);
        assert_eq!(refused("http://t@localhost.example.com"), EndpointError::PlainToken);
        for url in ["http://t@127.0.0.1:80", "http://t@localhost", "http://t@[::1]:8080", "http://t@a.localhost"] {
            assert_eq!(parsed(url).form(), Form::Direct, "{url}");
        }
        let allowed = Endpoint::parse_allowing_plain_token("http://t@example.com").unwrap();
        assert_eq!(allowed.form(), Form::Direct);
        for url in ["proxy://t@127.0.0.1", "tcp://t@127.0.0.1", "tcp+tls://t@h"] {
            assert_eq!(refused(url), EndpointError::TokenForProxy, "{url}");
            assert_eq!(Endpoint::parse_allowing_plain_token(url), Err(EndpointError::TokenForProxy), "{url}");
        }
        let token = || Token::new("t").unwrap();
        assert_eq!(parsed("http://example.com").with_token(token()), Err(EndpointError::PlainToken));
        assert_eq!(parsed("tcp://h").with_token(token()), Err(EndpointError::TokenForProxy));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let unknown = |word: &str| Some(word.to_owned());
        for (url, error) in [
            ("", EndpointError::Scheme(None)),
            ("example.com", EndpointError::Scheme(None)),
            ("example.com:2878", EndpointError::Scheme(None)),
            ("ftp://h", EndpointError::Scheme(unknown("ftp"))),
            ("https://", EndpointError::NoHost),
            ("https://:80", EndpointError::NoHost),
            ("https:///path", EndpointError::NoHost),
            ("https://h:0", EndpointError::Port),
            ("https://h:65536", EndpointError::Port),
            ("https://h:", EndpointError::Port),
            ("https://h:+1", EndpointError::Port),
            ("https://h:80:80", EndpointError::Port),
            ("https://a..b", EndpointError::Host),
            ("https://a.-b", EndpointError::Host),
            ("https://1.2.3", EndpointError::Host),
            ("https://1.2.3.256", EndpointError::Host),
            ("https://a%41", EndpointError::Host),
            ("https://m\u{fc}nchen", EndpointError::Host),
            ("https://[::1", EndpointError::Host),
            ("https://[::1]x", EndpointError::Host),
            ("https://[h]", EndpointError::Host),
            ("https://::1", EndpointError::NoHost),
            ("https://h/a b", EndpointError::Path),
            ("https://h/../a", EndpointError::Path),
            ("https://h/%zz", EndpointError::Path),
            ("https://h#", EndpointError::Fragment),
            ("https://@h", EndpointError::Token(InvalidToken::Empty)),
            ("https://a%20b@h", EndpointError::Token(InvalidToken::Character)),
            ("https://a%0d%0ab@h", EndpointError::Token(InvalidToken::Character)),
            ("https://user:pw@h", EndpointError::UserInfo),
            ("https://a@b@h", EndpointError::UserInfo),
            ("https://%f@h", EndpointError::UserInfo),
            ("https://h?traces=1", EndpointError::QueryKey(unknown("traces"))),
            ("tcp://h?trace=1", EndpointError::QueryKey(unknown("trace"))),
            ("tcp://h?traces=0", EndpointError::Port),
            ("tcp://h?traces", EndpointError::Port),
            ("tcp://h?traces=1&traces=1", EndpointError::RepeatedKey),
            ("tcp://h/path", EndpointError::PathForTcp),
        ] {
            assert_eq!(refused(url), error, "{url}");
        }
    }

    #[test]
    fn tls_over_tcp_is_never_without() {
        let endpoint = parsed("tcp+tls://h:1");
        assert_eq!((endpoint.form(), endpoint.is_tls()), (Form::ProxyTcp, true));
        match endpoint.tcp(Kind::Metric) {
            Ok(tcp) => assert!(tcp.is_tls()),
            // A machine without certificates, or a build without cryptography.
            #[cfg(feature = "tls")]
            Err(EndpointError::Tls(_)) => {}
            Err(error) => assert_eq!((error, cfg!(feature = "tls")), (EndpointError::NeedsTls, false)),
        }
        assert!(!parsed("tcp://h:1").tcp(Kind::Metric).unwrap().is_tls());
        assert_eq!(parsed("https://h").tcp(Kind::Metric).unwrap_err(), http_instead());
    }

    fn http_instead() -> EndpointError {
        if cfg!(feature = "http") { EndpointError::NotTcp } else { EndpointError::NeedsHttp }
    }

    #[test]
    fn no_text_shows_a_secret() {
        const SECRET: &str = "5eCr3t-01234567";
        let urls = [
            "https://S@h",
            "http://S@h",
            "http://S@127.0.0.1",
            "proxy://S@h",
            "tcp://S@h",
            "S@h",
            "S://h",
            "https://user:S@h",
            "https://S:@h",
            "https://S:S",
            "https://h:S",
            "https://S@@h",
            "https://h?S",
            "https://h?S=1",
            "tcp://h?S=1",
            "tcp://h?traces=S",
            "https://h#S",
            "https://S%20@h",
            "https://[S]",
            "https://h/S S",
            "https://h?token=S",
            "https://S/h@h S",
            "S",
            "https://S@",
        ];
        for url in urls {
            let url = url.replace('S', SECRET);
            let texts = match Endpoint::parse(&url) {
                Ok(endpoint) => vec![format!("{endpoint}"), format!("{endpoint:?}"), endpoint.base()],
                Err(error) => vec![format!("{error}"), format!("{error:?}")],
            };
            for text in texts {
                assert!(!text.to_lowercase().contains(&SECRET.to_lowercase()), "{url} became {text}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(url in r"\PC{0,40}") {
            let _ = Endpoint::parse(&url);
        }

        #[test]
        fn displayed_and_parsed_it_is_the_same(
            url in r"(https?|proxy|tcp|tcp\+tls)://([a-z%0-9]{1,5}@)?(\[[0-9a-f:]{2,8}\]|[a-zA-Z0-9._-]{1,12}|127.0.0.1)(:[0-9]{1,5})?(/[a-z/.~%25]{0,6})?(\?(traces=[0-9]{1,5}|histograms=[0-9]{1,5}|&){0,3})?"
        ) {
            if let Ok(endpoint) = Endpoint::parse(&url) {
                let text = format!("{endpoint}");
                let again = Endpoint::parse(&text).unwrap();
                let again = match endpoint.token() {
                    Some(token) => again.with_token(token.clone()).unwrap(),
                    None => again,
                };
                prop_assert_eq!(&again, &endpoint);
                prop_assert_eq!(format!("{again}"), text);
                #[cfg(feature = "http")]
                if endpoint.form() != Form::ProxyTcp {
                    prop_assert!(reqwest::Url::parse(&endpoint.base()).is_ok(), "{}", endpoint.base());
                }
            }
        }
    }
}
