//! Lines to a receiver that answers: direct ingestion, or a proxy over HTTP(S).

mod builder;
mod error;
#[cfg(feature = "gzip")]
mod gzip;

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

use super::auth::{TokenError, TokenProvider};
use super::{Accepted, Batch, Token, Transport, report};
use crate::Format;
pub use builder::{HttpBuildError, HttpBuilder};
pub(super) use builder::{base_url, client, is_local};
pub use error::HttpError;
use error::What;
pub(super) use error::{of_reqwest, root};
#[cfg(feature = "gzip")]
use gzip::Gzip;

/// Lines by `POST {base}/report?f=…`, to a proxy or, with a token, to direct ingestion.
///
/// - Constructing connects to nothing. Connections are kept and used again; clones share them.
/// - [`Accepted::Delivered`] means that the receiver answered with a 2xx status. A proxy answers so even where it
///   rejects single lines.
/// - Redirects are not followed (a `POST` would become a `GET` and lose the lines): they come back as a status.
/// - `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` of the environment are honoured, but not for a loopback address.
/// - A token may come from a [`TokenProvider`], which is asked before each request. After 401 or 403 it hears of that,
///   and if it has another token then, the request is made once more, with that.
/// - Source tags go to a proxy only; direct ingestion has no way for them: [`Failure::Unsupported`](super::Failure).
/// - Events of direct ingestion are JSON objects, one a line of the batch; each is a request of its own, and
///   [`lines_done`](super::TransportError::lines_done) says how many had gone through before one failed.
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
    access: Access,
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
        HttpBuilder::new(base)
    }

    /// Takes another token from the next request on; none means a proxy.
    pub fn set_token(&mut self, token: Option<Token>) {
        self.access = token.map_or(Access::Open, Access::Fixed);
    }

    /// Whether this is direct ingestion: there is a token, or who has one.
    pub const fn is_direct(&self) -> bool {
        !matches!(self.access, Access::Open)
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
        let done = self.post_with_token(&url, content, compressed, &body);
        // The allocation comes back once nobody reads it any more.
        self.body = body.try_into_mut().map(Vec::from).unwrap_or_default();
        self.status = done.as_ref().map_or_else(HttpError::status, |&status| Some(status));
        done.map(drop)
    }

    fn post_with_token(
        &self,
        url: &Url,
        content: &'static str,
        compressed: bool,
        body: &Bytes,
    ) -> Result<u16, HttpError> {
        let token = self.access.token().map_err(|error| self.error(What::NoToken(error)))?;
        let first = self.post_once(url, content, compressed, body, token.as_ref());
        let (Access::Provided(provider), Some(old), Err(error)) = (&self.access, &token, &first) else { return first };
        let Some(status @ (401 | 403)) = error.status() else { return first };
        provider.refused(old, status);
        match provider.token() {
            Ok(token) if token != *old => self.post_once(url, content, compressed, body, Some(&token)),
            _ => first,
        }
    }

    fn post_once(
        &self,
        url: &Url,
        content: &'static str,
        compressed: bool,
        body: &Bytes,
        token: Option<&Token>,
    ) -> Result<u16, HttpError> {
        let mut request = self.client.post(url.clone()).timeout(self.timeout);
        request = request.header(CONTENT_TYPE, HeaderValue::from_static(content)).body(body.clone());
        if compressed {
            request = request.header(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Some(bearer) = token.and_then(bearer) {
            request = request.header(AUTHORIZATION, bearer);
        }
        match request.send() {
            Ok(response) => self.conclude(response, token),
            Err(failure) => Err(self.error(What::Failed(Box::new(failure.without_url())))),
        }
    }

    /// The status, if it is one of success.
    fn conclude(&self, response: Response, token: Option<&Token>) -> Result<u16, HttpError> {
        let status = response.status();
        if status.is_success() {
            // A body read to its end leaves a connection that can be used again; the verdict is the status alone.
            let _ = std::io::copy(&mut response.take(4096), &mut std::io::sink());
            return Ok(status.as_u16());
        }
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| retry_delay(text, SystemTime::now()));
        let body = excerpt(response, token);
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
            access: self.access.clone(),
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
        let Self { name, access, timeout, .. } = self;
        let mut debug = f.debug_struct("Http");
        debug.field("base", name).field("access", access).field("timeout", timeout).finish_non_exhaustive()
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

/// What lets requests in.
#[derive(Clone)]
enum Access {
    /// Nothing: a proxy.
    Open,
    Fixed(Token),
    Provided(Arc<dyn TokenProvider>),
}

impl Access {
    fn token(&self) -> Result<Option<Token>, TokenError> {
        Ok(match self {
            Self::Open => None,
            Self::Fixed(token) => Some(token.clone()),
            Self::Provided(provider) => Some(provider.token()?),
        })
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "Open",
            Self::Fixed(_) => "Fixed([token])",
            Self::Provided(_) => "Provided",
        })
    }
}

/// `Authorization: Bearer …`, marked so that nobody prints it.
fn bearer(token: &Token) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&std::format!("Bearer {}", token.expose())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date that is compared with `now`.
pub(super) fn retry_delay(text: &str, now: SystemTime) -> Option<Duration> {
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
}
