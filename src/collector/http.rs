//! HTTP/1.1: reports of lines, events of direct ingestion, and the preflight of browsers.

use core::convert::Infallible;
use core::time::Duration;
use std::boxed::Box;
use std::format;
use std::io::{self, Write};
use std::string::ToString;
use std::sync::Arc;
use std::vec::Vec;

use flate2::write::MultiGzDecoder;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

use super::builder::Port;
use super::connection::Stream;
use super::judge::{Judge, Takes};
use super::room::{GZIP, Share};
use super::server::{Guest, QUIET, Shared};
use super::summary::Via;

/// How long a request may take to bring the next piece of its body.
const BODY_PIECE: Duration = Duration::from_secs(30);
/// How long it may take to bring all of it.
const BODY: Duration = Duration::from_secs(120);
/// How much of a body that is refused anyway is read, so that the answer reaches a client that is still writing.
const REFUSED_BODY: u64 = 64 << 20;
const REFUSED_TIME: Duration = Duration::from_secs(5);
/// The head of a request, and what is read of a body at once.
const HEAD: usize = 16 * 1024;

type Answer = Response<Full<Bytes>>;

/// Serves the requests of a connection, of which the first bytes were read already.
pub(super) async fn serve<S: Stream>(
    stream: S,
    first: Vec<u8>,
    port: Port,
    guest: &Guest,
    mut stopping: watch::Receiver<bool>,
) {
    let shared = guest.shared();
    let (read, write) = tokio::io::split(stream);
    let io = TokioIo::new(tokio::io::join(io::Cursor::new(first).chain(read), write));
    let service = service_fn(|request: Request<Incoming>| async move {
        let origin = request.headers().get(header::ORIGIN).cloned();
        let mut answer = answer(shared, port, request).await;
        if answer.status().is_success() {
            guest.prove();
        }
        allow_origin(answer.headers_mut(), origin);
        count(shared, answer.status());
        Ok::<_, Infallible>(answer)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // It runs between requests too: this is the idle timeout.
        .header_read_timeout(shared.idle)
        .max_buf_size(HEAD)
        .half_close(true)
        .serve_connection(io, service);
    let mut connection = core::pin::pin!(connection);
    let stopped = async {
        // An error says that the collector is gone.
        let _ = stopping.wait_for(|stop| *stop).await;
        // What has arrived is read first.
        tokio::time::sleep(QUIET).await;
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = guest.asked_to_leave() => return,
        () = stopped => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // Answered without us.
    match ended {
        Err(error) if error.is_parse_too_large() => count(shared, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        Err(error) if error.is_parse() => count(shared, StatusCode::BAD_REQUEST),
        _ => {}
    }
}

fn count(shared: &Shared, status: StatusCode) {
    shared.ledger.update(|summary| *summary.statuses.entry(status.as_u16()).or_default() += 1);
}

/// What a path asks for. A prefix before it is allowed, as in the URL of a client.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    Report,
    Event,
}

impl Route {
    fn of(path: &str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        if path.is_empty() || path.ends_with("/report") {
            Some(Self::Report)
        } else if path.ends_with("/api/v2/event") {
            Some(Self::Event)
        } else {
            None
        }
    }
}

async fn answer(shared: &Arc<Shared>, port: Port, request: Request<Incoming>) -> Answer {
    let (head, mut body) = request.into_parts();
    let checked = check(shared, port, &head.method, &head.uri, &head.headers);
    let (route, takes) = match checked {
        Ok(checked) => checked,
        Err(answer) => {
            discard(&mut body).await;
            return *answer;
        }
    };
    let read = tokio::time::timeout(BODY, read_body(shared, &head.headers, &mut body)).await;
    let held = match read.unwrap_or(Err(Refusal::Slow)) {
        Ok(held) => held,
        Err(refusal) => {
            discard(&mut body).await;
            return refusal.answer(shared.max_body);
        }
    };
    match route {
        Route::Report => {
            let mut judge = Judge::new(shared, Via::Http, port, takes, shared.max_body);
            judge.lines(&held.bytes);
            match judge.settle(&held.bytes) {
                Ok(()) => text(StatusCode::ACCEPTED, ""),
                Err(error) => unwritten(&error),
            }
        }
        Route::Event => match super::judge::event_json(shared, port, &held.bytes) {
            Ok(Ok(())) => text(StatusCode::OK, ""),
            Ok(Err(reason)) => text(StatusCode::BAD_REQUEST, format!("not an event: {reason}\n")),
            Err(error) => unwritten(&error),
        },
    }
}

/// Everything that can be said of a request without its body.
fn check(
    shared: &Shared,
    port: Port,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(Route, Takes), Box<Answer>> {
    if method == Method::OPTIONS {
        return Err(Box::new(preflight(headers)));
    }
    let Some(route) = Route::of(uri.path()) else {
        return Err(Box::new(text(
            StatusCode::NOT_FOUND,
            "nothing here: POST lines to /report, events to /api/v2/event\n",
        )));
    };
    if method != Method::POST {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "POST only\n");
        answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
        return Err(Box::new(answer));
    }
    if !authorized(shared.token.as_deref(), headers) {
        return Err(Box::new(text(StatusCode::UNAUTHORIZED, "401 Unauthorized\n")));
    }
    let format = uri.query().unwrap_or_default().split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == "f" || key == "format").then_some(value)
    });
    let Some(takes) = Takes::asked(port, format.filter(|format| !format.is_empty())) else {
        let known = "unknown format: f is wavefront, histogram, trace, spanLogs or event, or left out\n";
        return Err(Box::new(text(StatusCode::BAD_REQUEST, known)));
    };
    Ok((route, takes))
}

fn authorized(token: Option<&str>, headers: &HeaderMap) -> bool {
    let Some(token) = token else { return true };
    let given = headers.get("x-auth-token").or_else(|| headers.get(header::AUTHORIZATION));
    let given = given.and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.strip_prefix("Bearer ").unwrap_or(given).trim() == token
}

/// Why a body was not read to its end.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    TooLarge,
    NoRoom,
    BrokenGzip,
    UnknownEncoding,
    Slow,
    Gone,
}

impl Refusal {
    fn answer(self, max_body: usize) -> Answer {
        match self {
            Self::TooLarge => text(StatusCode::PAYLOAD_TOO_LARGE, format!("more than {max_body} bytes uncompressed\n")),
            Self::NoRoom => {
                let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, "too many large requests at a time\n");
                answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                answer
            }
            Self::BrokenGzip => text(StatusCode::BAD_REQUEST, "Decompression error: the body is not whole gzip\n"),
            Self::UnknownEncoding => text(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Encoding is gzip or left out\n"),
            Self::Slow => text(StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n"),
            Self::Gone => text(StatusCode::BAD_REQUEST, "the body is not whole\n"),
        }
    }
}

/// An uncompressed body, and its share of the memory for all.
struct Held {
    bytes: Vec<u8>,
    share: Share,
    max: usize,
    refused: Option<Refusal>,
}

impl Write for Held {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        let length = self.bytes.len() + more.len();
        if length > self.max {
            self.refused = Some(Refusal::TooLarge);
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if length > self.bytes.capacity() {
            let capacity = (self.bytes.capacity() * 2).clamp(length, self.max.max(length));
            if !self.share.grow(capacity) {
                self.refused = Some(Refusal::NoRoom);
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A body while it comes in.
enum Inflow {
    Plain(Held),
    Gzip(Box<MultiGzDecoder<Held>>),
}

impl Inflow {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        match self {
            Self::Plain(held) => held.write_all(bytes).map_err(|_| held.refused.unwrap_or(Refusal::Gone)),
            Self::Gzip(decoder) => {
                decoder.write_all(bytes).map_err(|_| decoder.get_ref().refused.unwrap_or(Refusal::BrokenGzip))
            }
        }
    }

    fn finish(self) -> Result<Held, Refusal> {
        match self {
            Self::Plain(held) => Ok(held),
            Self::Gzip(mut decoder) => {
                let finished = decoder.try_finish();
                finished.map_err(|_| decoder.get_ref().refused.unwrap_or(Refusal::BrokenGzip))?;
                decoder.finish().map_err(|_| Refusal::BrokenGzip)
            }
        }
    }
}

async fn read_body(shared: &Arc<Shared>, headers: &HeaderMap, body: &mut Incoming) -> Result<Held, Refusal> {
    let held = Held { bytes: Vec::new(), share: shared.room.share(), max: shared.max_body, refused: None };
    // Given back when the body is read, or is not.
    let mut decoder = shared.room.share();
    let encoding = headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes).unwrap_or_default();
    let mut inflow = match encoding.to_ascii_lowercase().as_slice() {
        b"" | b"identity" if body.size_hint().lower() > shared.max_body as u64 => return Err(Refusal::TooLarge),
        b"" | b"identity" => Inflow::Plain(held),
        b"gzip" | b"x-gzip" if !decoder.grow(GZIP) => return Err(Refusal::NoRoom),
        b"gzip" | b"x-gzip" => Inflow::Gzip(Box::new(MultiGzDecoder::new(held))),
        _ => return Err(Refusal::UnknownEncoding),
    };
    loop {
        let frame = tokio::time::timeout(BODY_PIECE, body.frame()).await.map_err(|_| Refusal::Slow)?;
        let Some(frame) = frame else { return inflow.finish() };
        if let Ok(bytes) = frame.map_err(|_| Refusal::Gone)?.into_data() {
            shared.ledger.update(|summary| summary.bytes += bytes.len() as u64);
            inflow.write(&bytes)?;
        }
    }
}

/// Reads what is left of a body, within bounds: a client that is still writing would not see the answer.
async fn discard(body: &mut Incoming) {
    let rest = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
            if read > REFUSED_BODY {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(REFUSED_TIME, rest).await;
}

fn text(status: StatusCode, text: impl ToString) -> Answer {
    let text = text.to_string();
    let mut answer = Response::new(Full::new(Bytes::new()));
    *answer.status_mut() = status;
    if !text.is_empty() {
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        *answer.body_mut() = Full::new(Bytes::from(text));
    }
    answer
}

fn unwritten(error: &io::Error) -> Answer {
    text(StatusCode::SERVICE_UNAVAILABLE, format!("the lines could not be written: {error}\n"))
}

/// Lets a page of any origin send what a client of this crate sends.
fn preflight(headers: &HeaderMap) -> Answer {
    let mut answer = text(StatusCode::NO_CONTENT, "");
    let allow = answer.headers_mut();
    allow.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, OPTIONS"));
    allow.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Content-Type, Content-Encoding, Authorization, X-AUTH-TOKEN"),
    );
    allow.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    if headers.contains_key("access-control-request-private-network") {
        // A page of the internet that talks to this machine.
        let name = HeaderName::from_static("access-control-allow-private-network");
        allow.insert(name, HeaderValue::from_static("true"));
    }
    answer
}

/// Every answer can be read by the page that asked. A beacon carries credentials, for which `*` would not do.
fn allow_origin(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After"));
    match origin {
        None => {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        Some(origin) => {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_may_have_a_prefix() {
        assert_eq!(Route::of("/report"), Some(Route::Report));
        assert_eq!(Route::of("/report/"), Some(Route::Report));
        assert_eq!(Route::of("/"), Some(Route::Report));
        assert_eq!(Route::of("/team/a/report"), Some(Route::Report));
        assert_eq!(Route::of("/api/v2/event"), Some(Route::Event));
        assert_eq!(Route::of("/reports"), None);
        assert_eq!(Route::of("/api/v2/events"), None);
    }
}
