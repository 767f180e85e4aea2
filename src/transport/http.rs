//! Lines to a receiver that answers: direct ingestion, or a proxy over HTTP(S).

use core::fmt;
use core::time::Duration;
use std::borrow::ToOwned;
use std::boxed::Box;
use std::io::Read;
use std::string::String;
use std::sync::Arc;
use std::time::SystemTime;
use std::vec::Vec;

use bytes::Bytes;
use reqwest::Url;
use reqwest::blocking::{Client, Response};
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER};

use rustls::crypto::CryptoProvider;

use super::{Accepted, Batch, Failure, Token, Transport, TransportError, is_loopback, report};
use crate::Format;

/// Lines by `POST {base}/report?f=…`, to a proxy or, with a token, to direct ingestion.
///
/// - Constructing connects to nothing. Connections are kept and used again; clones share them.
/// - [`Accepted::Delivered`] means that the receiver answered with a 2xx status. A proxy answers so even where it
///   rejects single lines.
/// - Redirects are not followed (a `POST` would become a `GET` and lose the lines): they come back as a status.
/// - `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` of the environment are honoured, but not for a loopback address.
/// - Source tags go to a proxy only; direct ingestion has no way for them: [`Failure::Unsupported`].
/// - Events of direct ingestion are JSON objects, one a line of the batch; each is a request of its own, and
///   [`lines_done`](TransportError::lines_done) says how many had gone through before one failed.
///
/// It may be built and dropped anywhere, inside an async runtime too. `send` blocks: not on a thread of such a runtime.
///
/// ```no_run
/// use wavefront_sdk::{Kind, transport::{Batch, Http, Token, Transport}};
/// let mut http = Http::builder("https://example.wavefront.com").token(Token::new("…the token…")?).build()?;
/// http.send(Batch::new(Kind::Metric, b"cpu.load 0.5 source=web-1\n", 1))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Http {
    client: Client,
    base: Url,
    name: Arc<str>,
    token: Option<Token>,
    timeout: Duration,
    #[cfg(feature = "gzip")]
    gzip: Option<Gzip>,
    /// The last request's body, to be filled again.
    body: Vec<u8>,
    /// The status it was answered with, if it was.
    status: Option<u16>,
}

impl Http {
    /// How long a connection may take to come about.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    /// How long a request may take, from the look-up of the name to the end of the answer.
    pub const TIMEOUT: Duration = Duration::from_secs(30);
    /// How long an idle connection is kept: the receivers close theirs after 300 s.
    pub const IDLE: Duration = Duration::from_secs(240);
    /// Bodies from this size on are compressed (feature `gzip`).
    pub const COMPRESS_FROM: usize = 1024;
    /// The longest `Retry-After` that is believed.
    pub const RETRY_AFTER_MAX: Duration = report::RETRY_AFTER_MAX;

    /// Begins a transport to the receiver at `base`: `https://host[:port][/path]`, or `http://…`.
    pub fn builder(base: &str) -> HttpBuilder {
        HttpBuilder {
            base: base.to_owned(),
            token: None,
            connect_timeout: Self::CONNECT_TIMEOUT,
            timeout: Self::TIMEOUT,
            idle: Self::IDLE,
            compress: true,
        }
    }

    /// Takes another token from the next request on; none means a proxy.
    pub fn set_token(&mut self, token: Option<Token>) {
        self.token = token;
    }

    /// Whether this is direct ingestion: there is a token.
    pub const fn is_direct(&self) -> bool {
        self.token.is_some()
    }

    fn url(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.base.clone();
        let mut whole = url.path().trim_end_matches('/').to_owned();
        whole.push_str(path);
        url.set_path(&whole);
        url.set_query(query);
        url
    }

    fn report(&mut self, batch: Batch<'_>) -> Result<(), HttpError> {
        let query = batch.format().query().map(|format| std::format!("f={format}"));
        let url = self.url(report::REPORT, query.as_deref());
        let mut body = core::mem::take(&mut self.body);
        body.clear();
        let compressed = self.compress(batch.bytes, &mut body);
        if !compressed {
            body.clear();
            body.extend_from_slice(batch.bytes);
        }
        self.post(url, report::LINES, compressed, body)
    }

    /// Whether `body` now holds `bytes` as gzip.
    #[cfg(feature = "gzip")]
    fn compress(&mut self, bytes: &[u8], body: &mut Vec<u8>) -> bool {
        bytes.len() >= Self::COMPRESS_FROM && self.gzip.as_mut().is_some_and(|gzip| gzip.compress(bytes, body))
    }

    #[cfg(not(feature = "gzip"))]
    fn compress(&mut self, _: &[u8], _: &mut Vec<u8>) -> bool {
        false
    }

    fn events(&mut self, batch: Batch<'_>) -> Result<(), HttpError> {
        let url = self.url(report::EVENT, None);
        let lines = batch.bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        for (done, line) in (0..).zip(lines) {
            let mut body = core::mem::take(&mut self.body);
            body.clear();
            body.extend_from_slice(line);
            let sent = self.post(url.clone(), report::JSON, false, body);
            sent.map_err(|error| HttpError { lines_done: done, ..error })?;
        }
        Ok(())
    }

    fn post(&mut self, url: Url, content: &'static str, compressed: bool, body: Vec<u8>) -> Result<(), HttpError> {
        let body = Bytes::from(body);
        let mut request = self.client.post(url).timeout(self.timeout);
        request = request.header(CONTENT_TYPE, HeaderValue::from_static(content)).body(body.clone());
        if compressed {
            request = request.header(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Some(bearer) = self.token.as_ref().and_then(bearer) {
            request = request.header(AUTHORIZATION, bearer);
        }
        let answer = request.send();
        self.status = answer.as_ref().ok().map(|response| response.status().as_u16());
        // The allocation comes back once nobody reads it any more.
        self.body = body.try_into_mut().map(Vec::from).unwrap_or_default();
        match answer {
            Ok(response) => self.conclude(response),
            Err(failure) => Err(self.error(What::Failed(Box::new(failure.without_url())))),
        }
    }

    fn conclude(&self, response: Response) -> Result<(), HttpError> {
        let status = response.status();
        if status.is_success() {
            // A body read to its end leaves a connection that can be used again; the verdict is the status alone.
            let _ = std::io::copy(&mut response.take(4096), &mut std::io::sink());
            return Ok(());
        }
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| retry_delay(text, SystemTime::now()));
        let body = excerpt(response, self.token.as_ref());
        Err(self.error(What::Status { code: status.as_u16(), retry_after, body }))
    }

    fn error(&self, what: What) -> HttpError {
        HttpError { receiver: self.name.clone(), what, lines_done: 0 }
    }
}

/// The connections are shared, the buffers are not.
impl Clone for Http {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            base: self.base.clone(),
            name: self.name.clone(),
            token: self.token.clone(),
            timeout: self.timeout,
            #[cfg(feature = "gzip")]
            gzip: self.gzip.as_ref().map(|_| Gzip::new()),
            body: Vec::new(),
            status: None,
        }
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, token, timeout, .. } = self;
        let mut debug = f.debug_struct("Http");
        debug.field("base", name).field("token", token).field("timeout", timeout).finish_non_exhaustive()
    }
}

impl Transport for Http {
    type Error = HttpError;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, HttpError> {
        match batch.format() {
            Format::SourceTag if self.is_direct() => return Err(self.error(What::Unsupported)),
            Format::Event if self.is_direct() => self.events(batch)?,
            _ => self.report(batch)?,
        }
        Ok(Accepted::Delivered)
    }

    fn status(&self) -> Option<u16> {
        self.status
    }
}

/// `Authorization: Bearer …`, marked so that nobody prints it.
fn bearer(token: &Token) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&std::format!("Bearer {}", token.expose())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date that is compared with `now`.
fn retry_delay(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let delay = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has room for are a long time too.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default()
    };
    Some(delay.min(Http::RETRY_AFTER_MAX))
}

/// The first bytes of an answer, at most [`EXCERPT`], as one line of text; a token that it repeats is taken out.
fn excerpt(response: Response, token: Option<&Token>) -> String {
    let token = token.map(Token::expose).unwrap_or_default();
    // As much more as a token takes that begins within the excerpt.
    let enough = EXCERPT + token.len();
    let mut bytes = Vec::new();
    let _ = response.take(enough as u64).read_to_end(&mut bytes);
    sanitised(&bytes, token)
}

/// How much of an answer's body an error keeps, in bytes.
const EXCERPT: usize = 200;

fn sanitised(bytes: &[u8], token: &str) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    if !token.is_empty() {
        text = text.replace(token, "[token]");
    }
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut end = text.len().min(EXCERPT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.trim().to_owned()
}

/// What an [`Http`] is made from.
#[derive(Debug, Clone)]
#[must_use]
pub struct HttpBuilder {
    base: String,
    token: Option<Token>,
    connect_timeout: Duration,
    timeout: Duration,
    idle: Duration,
    compress: bool,
}

impl HttpBuilder {
    /// The token of direct ingestion.
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
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
    /// [`HttpBuildError`] for a base that is no URL of a receiver, and where the machine has no certificates to trust.
    pub fn build(self) -> Result<Http, HttpBuildError> {
        let base = base_url(&self.base)?;
        let loopback = is_loopback(base.host_str().unwrap_or_default().trim_matches(['[', ']']));
        let mut client = Client::builder()
            .user_agent(report::AGENT)
            .connect_timeout(self.connect_timeout)
            .timeout(self.timeout)
            .pool_idle_timeout(self.idle)
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .tls_backend_preconfigured(match base.scheme() {
                "https" => tls()?,
                // Only a proxy of the environment may want TLS here. Reading the certificates takes its time, and a
                // small container may have none.
                _ if loopback => tls_without_trust()?,
                _ => tls().or_else(|_| tls_without_trust())?,
            });
        if loopback {
            client = client.no_proxy();
        }
        // The client waits for a thread of its own, which a thread of an async runtime is not allowed to do.
        let building = std::thread::Builder::new().name("wavefront-http".to_owned()).spawn(move || client.build());
        let client = match building.map(std::thread::JoinHandle::join) {
            Ok(Ok(Ok(client))) => client,
            Ok(Ok(Err(failure))) => return Err(HttpBuildError::Client(Box::new(failure.without_url()))),
            Ok(Err(_panicked)) => return Err(HttpBuildError::Client("the HTTP client could not start".into())),
            Err(no_thread) => return Err(HttpBuildError::Client(Box::new(no_thread))),
        };
        Ok(Http {
            client,
            name: base.as_str().trim_end_matches('/').into(),
            base,
            token: self.token,
            timeout: self.timeout,
            #[cfg(feature = "gzip")]
            gzip: self.compress.then(Gzip::new),
            body: Vec::new(),
            status: None,
        })
    }
}

fn base_url(text: &str) -> Result<Url, HttpBuildError> {
    let url = Url::parse(text).map_err(|_| HttpBuildError::Base)?;
    let receiver = matches!(url.scheme(), "http" | "https") && url.has_host();
    let secret = !url.username().is_empty() || url.password().is_some();
    if !receiver || secret || url.query().is_some() || url.fragment().is_some() {
        return Err(HttpBuildError::Base);
    }
    Ok(url)
}

type TlsBuilder = rustls::ConfigBuilder<rustls::ClientConfig, rustls::WantsVerifier>;

/// TLS with a provider given to this client alone: what the process has installed, or not, plays no part.
fn tls_builder() -> Result<(Arc<CryptoProvider>, TlsBuilder), HttpBuildError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider.clone());
    Ok((provider, config.with_safe_default_protocol_versions().map_err(tls_failed)?))
}

/// TLS with receivers whose certificate the machine trusts.
fn tls() -> Result<rustls::ClientConfig, HttpBuildError> {
    let (provider, config) = tls_builder()?;
    let verifier = rustls_platform_verifier::Verifier::new(provider).map_err(tls_failed)?;
    Ok(http_1(config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()))
}

/// TLS with nobody.
fn tls_without_trust() -> Result<rustls::ClientConfig, HttpBuildError> {
    let (_, config) = tls_builder()?;
    Ok(http_1(config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()))
}

fn http_1(mut config: rustls::ClientConfig) -> rustls::ClientConfig {
    config.alpn_protocols = Vec::from([b"http/1.1".to_vec()]);
    config
}

fn tls_failed(failure: rustls::Error) -> HttpBuildError {
    HttpBuildError::Tls(Box::new(failure))
}

/// Why an [`Http`] could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum HttpBuildError {
    /// The base is not `http(s)://host[:port][/path]`, or has a user name, a query or a fragment.
    Base,
    /// TLS could not be set up; most often the machine has no certificates to trust.
    Tls(Box<dyn core::error::Error + Send + Sync>),
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
            Self::Tls(cause) => {
                write!(f, "TLS could not be set up ({cause}): install the certificates of the system (ca-certificates)")
            }
            Self::Client(cause) => write!(f, "the HTTP client could not be made ({cause})"),
        }
    }
}

impl core::error::Error for HttpBuildError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Base => None,
            Self::Tls(cause) | Self::Client(cause) => Some(&**cause),
        }
    }
}

/// What kept a batch from being delivered over HTTP.
///
/// Neither `Display` nor `Debug` shows a token, the lines, or what the receiver answered, which may repeat them.
#[derive(Debug)]
pub struct HttpError {
    receiver: Arc<str>,
    what: What,
    lines_done: u32,
}

enum What {
    Unsupported,
    Status { code: u16, retry_after: Option<Duration>, body: String },
    Failed(Box<reqwest::Error>),
}

impl HttpError {
    /// The receiver's URL.
    pub fn receiver(&self) -> &str {
        &self.receiver
    }

    /// The status that the receiver answered with.
    pub const fn status(&self) -> Option<u16> {
        match self.what {
            What::Status { code, .. } => Some(code),
            _ => None,
        }
    }

    /// The first 200 bytes of the answer's body at most, as one line of text; without the token, should it be in them.
    /// The receiver wrote it: it may repeat a part of the lines.
    pub fn body(&self) -> Option<&str> {
        match &self.what {
            What::Status { body, .. } => Some(body),
            _ => None,
        }
    }
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => f.write_str("Unsupported"),
            Self::Status { code, retry_after, body } => {
                let mut debug = f.debug_struct("Status");
                debug.field("code", code).field("retry_after", retry_after).field("body_len", &body.len()).finish()
            }
            Self::Failed(failure) => f.debug_tuple("Failed").field(failure).finish(),
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.receiver)?;
        match &self.what {
            What::Unsupported => f.write_str("direct ingestion takes no source tags: send them through a proxy"),
            What::Status { code, .. } => {
                write!(f, "the receiver answered {code}: {}", advice(*code))
            }
            What::Failed(failure) => {
                let cause = root(failure);
                match self.kind() {
                    Failure::Connect => {
                        write!(f, "no connection ({cause}): check the host, the port and that the receiver runs")
                    }
                    Failure::Timeout => f.write_str("no answer in time"),
                    _ => write!(f, "the connection broke ({cause})"),
                }
            }
        }
    }
}

/// What somebody who reads the error can do.
const fn advice(code: u16) -> &'static str {
    match code {
        300..=399 => "redirects are not followed, give the URL that it leads to",
        401 | 403 => "the token was not accepted, or is not allowed to ingest",
        404 | 405 => "nothing takes lines there, check host, port and path",
        406 => "it takes no lines of this kind at present",
        408 | 429 | 500..=599 => "it cannot take lines at present",
        413 => "the request is too large",
        _ => "it does not take the request",
    }
}

/// The innermost cause, which says more than the layers around it.
fn root(failure: &reqwest::Error) -> &dyn core::error::Error {
    let mut cause: &dyn core::error::Error = failure;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause
}

impl core::error::Error for HttpError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.what {
            What::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}

impl TransportError for HttpError {
    fn kind(&self) -> Failure {
        match &self.what {
            What::Unsupported => Failure::Unsupported,
            What::Status { code, retry_after, .. } => Failure::Status { code: *code, retry_after: *retry_after },
            What::Failed(failure) if failure.is_connect() => Failure::Connect,
            What::Failed(failure) if failure.is_timeout() => Failure::Timeout,
            What::Failed(_) => Failure::Broken,
        }
    }

    fn lines_done(&self) -> u32 {
        self.lines_done
    }

    fn answer(&self) -> Option<&str> {
        self.body().filter(|body| !body.is_empty())
    }
}

#[cfg(feature = "gzip")]
use gzip::Gzip;

#[cfg(feature = "gzip")]
mod gzip {
    use core::fmt;
    use std::vec::Vec;

    use flate2::{Compress, Compression, Crc, FlushCompress, Status};

    /// A compressor that is used again: its tables are larger than most bodies.
    pub(super) struct Gzip {
        deflate: Compress,
    }

    impl Gzip {
        pub(super) fn new() -> Self {
            Self { deflate: Compress::new(Compression::new(6), false) }
        }

        /// Puts `input` as one gzip member (RFC 1952) into `output`. False where that would not be smaller.
        pub(super) fn compress(&mut self, input: &[u8], output: &mut Vec<u8>) -> bool {
            output.clear();
            // Lines of telemetry shrink to a tenth; a quarter is seldom outgrown.
            output.reserve(input.len() / 4 + 64);
            // No flags, no time, no name; system unknown.
            output.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
            self.deflate.reset();
            loop {
                let read = usize::try_from(self.deflate.total_in()).unwrap_or(usize::MAX);
                let rest = input.get(read..).unwrap_or_default();
                match self.deflate.compress_vec(rest, output, FlushCompress::Finish) {
                    Ok(Status::StreamEnd) => break,
                    Ok(_) if output.len() < input.len() => output.reserve(input.len() / 4 + 64),
                    _ => return false,
                }
            }
            let mut crc = Crc::new();
            crc.update(input);
            output.extend_from_slice(&crc.sum().to_le_bytes());
            output.extend_from_slice(&crc.amount().to_le_bytes());
            output.len() < input.len()
        }
    }

    impl fmt::Debug for Gzip {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Gzip").finish_non_exhaustive()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let seconds = |text| retry_delay(text, now).map(|delay| delay.as_secs());
        for (text, delay) in [
            ("0", Some(0)),
            (" 7 ", Some(7)),
            ("300", Some(300)),
            ("301", Some(300)),
            ("99999999999999999999999", Some(300)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sunday, 06-Nov-94 08:50:07 GMT", Some(30)),
            ("Sun Nov  6 08:50:07 1994", Some(30)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("Mon, 07 Nov 1994 08:49:37 GMT", Some(300)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            assert_eq!(seconds(text), delay, "{text:?}");
        }
    }

    #[test]
    fn an_excerpt_is_short_plain_and_without_the_token() {
        assert_eq!(sanitised(b"  bad\r\n\x1b[31mline\0 ", "t0ken"), "bad   [31mline");
        assert_eq!(sanitised(b"token t0ken is bad, t0ken!", "t0ken"), "token [token] is bad, [token]!");
        assert_eq!(sanitised(b"\xff\xfe", ""), "\u{fffd}\u{fffd}");
        let wide = "\u{20ac}".repeat(100);
        assert_eq!(sanitised(wide.as_bytes(), ""), "\u{20ac}".repeat(66));
        let mut late = "x".repeat(EXCERPT - 3);
        late.push_str("t0ken");
        assert!(!sanitised(late.as_bytes(), "t0ken").contains("t0"));
    }

    #[test]
    fn a_base_is_the_url_of_a_receiver() {
        for good in ["http://h", "https://h:2878/a/b/", "http://[::1]:1"] {
            assert!(base_url(good).is_ok(), "{good}");
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

    #[cfg(feature = "gzip")]
    proptest::proptest! {
        #[test]
        fn gzip_gives_the_same_bytes_back(
            inputs in proptest::collection::vec(("[a-f ]{0,20}", 0_usize..400), 1..5),
            noise in proptest::collection::vec(0_u8.., 0..3000),
        ) {
            let mut gzip = Gzip::new();
            let mut output = Vec::from(*b"left over");
            let texts = inputs.into_iter().map(|(text, times)| text.repeat(times).into_bytes());
            for input in texts.chain([noise]) {
                if gzip.compress(&input, &mut output) {
                    proptest::prop_assert!(output.len() < input.len());
                    let mut back = Vec::new();
                    flate2::read::GzDecoder::new(&*output).read_to_end(&mut back).unwrap();
                    proptest::prop_assert!(back == input);
                } else {
                    proptest::prop_assert!(input.len() < 100 || output.len() + 100 > input.len(), "not even tried");
                }
            }
        }
    }
}
