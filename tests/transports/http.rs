use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use wavefront_sdk::transport::conformance::{Rig, check};
use wavefront_sdk::transport::{
    Accepted, Batch, Failure, Http, HttpBuildError, HttpError, Token, Transport, TransportError,
};
use wavefront_sdk::{Kind, sender::Endpoint};

use super::{LONG, SHORT, huge, metrics};

const LINE: &[u8] = b"m 1 source=s\n";
const TOKEN: &str = "5eCr3t-0123-4567";

/// A request as it came over the wire, its body decompressed.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// `POST /report?f=wavefront`
    pub(super) call: String,
    headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What a server does with a request.
pub(super) enum Reply {
    /// Bytes of an answer; the connection stays open.
    Raw(Vec<u8>),
    /// Bytes of an answer, then the connection is closed.
    Last(Vec<u8>),
    /// Bytes of an answer over and over, until the client has had enough.
    Endless(Vec<u8>),
    /// Nothing, until the client goes.
    Hang,
}

pub(super) fn answer(status: u16, headers: &str, body: &str) -> Reply {
    Reply::Raw(
        format!("HTTP/1.1 {status} Some reason\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes(),
    )
}

type Script = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

/// An HTTP/1.1 server that notes what it got and answers by a script.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    script: Script,
    requests: Arc<Mutex<Vec<Request>>>,
    accepted: Arc<AtomicUsize>,
    open: Arc<Mutex<Connections>>,
    accepting: Option<JoinHandle<()>>,
}

type Connections = Vec<(TcpStream, JoinHandle<()>)>;

impl Server {
    pub(super) fn new(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, accepted, open) = Default::default();
        let mut server = Self { address, script: Arc::new(script), requests, accepted, open, accepting: None };
        server.listen(listener);
        server
    }

    /// Answers 202 to everything.
    pub(super) fn accepting() -> Self {
        Self::new(|_| answer(202, "", ""))
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn http(&self) -> Http {
        Http::builder(&self.url()).timeout(LONG).build().unwrap()
    }

    fn direct(&self) -> Http {
        Http::builder(&self.url()).timeout(LONG).token(Token::new(TOKEN).unwrap()).build().unwrap()
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    /// How many connections there have been.
    #[cfg(feature = "embedded-io-async-v0_7")]
    pub(super) fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    fn listen(&mut self, listener: TcpListener) {
        let (script, requests, accepted, open) =
            (self.script.clone(), self.requests.clone(), self.accepted.clone(), self.open.clone());
        self.accepting = Some(thread::spawn(move || {
            loop {
                let (stream, _) = listener.accept().unwrap();
                let mut open = open.lock().unwrap();
                if stream.peek(&mut [0]).unwrap_or(0) == 0 {
                    return;
                }
                accepted.fetch_add(1, Ordering::SeqCst);
                let (script, requests, serving) = (script.clone(), requests.clone(), stream.try_clone().unwrap());
                open.push((
                    stream,
                    thread::spawn(move || {
                        let _ = serve(&serving, &script, &requests);
                        let _ = serving.shutdown(Shutdown::Both);
                    }),
                ));
            }
        }));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.accepting.is_some() && !thread::panicking() {
            self.stop();
        }
    }
}

fn serve(stream: &TcpStream, script: &Script, requests: &Mutex<Vec<Request>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let call = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
        let mut headers = BTreeMap::new();
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        if headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&*body).read_to_end(&mut plain).unwrap();
            body = plain;
        }
        let request = Request { call, headers, body };
        let reply = script(&request);
        requests.lock().unwrap().push(request);
        match reply {
            Reply::Raw(bytes) => writer.write_all(&bytes)?,
            Reply::Last(bytes) => return writer.write_all(&bytes),
            Reply::Endless(bytes) => loop {
                writer.write_all(&bytes)?;
            },
            Reply::Hang => {
                reader.read_to_end(&mut Vec::new())?;
            }
        }
    }
}

fn failed(result: Result<Accepted, HttpError>) -> HttpError {
    result.unwrap_err()
}

#[test]
fn requests_to_a_proxy() {
    let server = Server::accepting();
    let mut http = server.http();
    for (kind, call) in [
        (Kind::Metric, "POST /report?f=wavefront"),
        (Kind::Delta, "POST /report?f=wavefront"),
        (Kind::Histogram, "POST /report?f=histogram"),
        (Kind::Span, "POST /report?f=trace"),
        (Kind::SpanLogs, "POST /report?f=spanLogs"),
        (Kind::Event, "POST /report?f=event"),
        (Kind::SourceTag, "POST /report"),
    ] {
        assert_eq!(http.send(Batch::new(kind, b"one\ntwo\n", 2)).unwrap(), Accepted::Delivered);
        let [request] = &server.requests()[..] else { panic!("one request") };
        assert_eq!(request.call, call);
        assert_eq!(request.body, b"one\ntwo\n");
        assert_eq!(request.header("content-type"), Some("application/octet-stream"));
        assert_eq!(request.header("user-agent"), Some(concat!("wavefront-sdk-rust/", env!("CARGO_PKG_VERSION"))));
        assert_eq!(request.header("authorization"), None);
        assert_eq!(request.header("content-encoding"), None);
        assert_eq!(request.header("content-length"), Some("8"));
    }
    assert_eq!(server.accepted.load(Ordering::SeqCst), 1, "one connection for all");
}

#[test]
fn requests_to_direct_ingestion() {
    let server = Server::accepting();
    let bearer = format!("Bearer {TOKEN}");
    let mut http = server.direct();
    http.send(metrics(LINE)).unwrap();
    http.send(Batch::new(Kind::Event, b"{\"name\":\"a\"}\n{\"name\":\"b\"}\n", 2)).unwrap();
    let requests = server.requests();
    let calls: Vec<_> =
        requests.iter().map(|request| (&*request.call, &*request.body, request.header("content-type"))).collect();
    let (lines, json) = (Some("application/octet-stream"), Some("application/json"));
    assert_eq!(
        calls,
        [
            ("POST /report?f=wavefront", LINE, lines),
            ("POST /api/v2/event", b"{\"name\":\"a\"}", json),
            ("POST /api/v2/event", b"{\"name\":\"b\"}", json),
        ]
    );
    assert!(requests.iter().all(|request| request.header("authorization") == Some(&bearer)));

    let error = failed(http.send(Batch::new(Kind::SourceTag, b"@SourceTag action=add source=s t\n", 1)));
    assert_eq!(error.kind(), Failure::Unsupported);
    assert!(server.requests().is_empty());

    http.set_token(Some(Token::new("another").unwrap()));
    http.send(metrics(LINE)).unwrap();
    http.set_token(None);
    http.send(metrics(LINE)).unwrap();
    let tokens: Vec<_> =
        server.requests().iter().map(|request| request.header("authorization").map(str::to_owned)).collect();
    assert_eq!(tokens, [Some("Bearer another".to_owned()), None]);
}

#[test]
fn an_event_that_fails_says_how_many_had_gone_through() {
    let server =
        Server::new(|request| if request.body == b"{3}" { answer(503, "", "") } else { answer(200, "", "{}") });
    let error = failed(server.direct().send(Batch::new(Kind::Event, b"{1}\n{2}\n{3}\n{4}\n", 4)));
    assert_eq!((error.kind(), error.lines_done()), (Failure::Status { code: 503, retry_after: None }, 2));
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_path_before_ours_is_kept() {
    let server = Server::accepting();
    for (base, call) in [("/", "POST /report?f=wavefront"), ("/a/b%20c/", "POST /a/b%20c/report?f=wavefront")] {
        let endpoint = Endpoint::parse(&format!("{}{base}", server.url())).unwrap();
        endpoint.http().unwrap().send(metrics(LINE)).unwrap();
        assert_eq!(server.requests()[0].call, call);
    }
}

#[test]
fn an_endpoint_with_a_token_is_direct() {
    let server = Server::accepting();
    let endpoint = Endpoint::parse(&format!("http://{TOKEN}@{}", server.address)).unwrap();
    endpoint.http().unwrap().send(metrics(LINE)).unwrap();
    assert_eq!(server.requests()[0].header("authorization"), Some(&*format!("Bearer {TOKEN}")));
}

#[cfg(feature = "gzip")]
#[test]
fn large_bodies_are_compressed_and_mean_the_same() {
    let server = Server::accepting();
    let mut http = server.http();
    let mut plain = Http::builder(&server.url()).compress(false).build().unwrap();
    let lines = super::many(5000);
    for len in [0, 1023, 1024, 1025, 20_000, 200_000, 1024, 1] {
        let body = &lines[..len];
        http.send(Batch::new(Kind::Metric, body, 1)).unwrap();
        plain.send(Batch::new(Kind::Metric, body, 1)).unwrap();
        let [packed, unpacked] = &server.requests()[..] else { panic!("two requests") };
        assert!(packed.body == body && unpacked.body == body, "{len}");
        assert_eq!(packed.header("content-encoding"), (len >= 1024).then_some("gzip"), "{len}");
        assert_eq!(unpacked.header("content-encoding"), None);
        let wire: usize = packed.header("content-length").unwrap().parse().unwrap();
        assert!(len < 2000 || wire < len / 4, "{len} became {wire}");
    }
}

#[test]
fn one_connection_serves_every_request() {
    // An answer with a body must not cost the connection either.
    let server =
        Server::new(
            |request| if request.body.len() % 2 == 0 { answer(202, "", "") } else { answer(200, "", "{\"ok\":true}") },
        );
    let mut http = server.http();
    let mut sent = Vec::new();
    for number in 0..500 {
        let line = format!("m {number} source=s\n");
        http.send(metrics(line.as_bytes())).unwrap();
        sent.push(line.into_bytes());
    }
    let clone = &mut http.clone();
    clone.send(metrics(b"from a clone\n")).unwrap();
    sent.push(b"from a clone\n".to_vec());
    let requests = server.requests();
    assert!(requests.iter().map(|request| &request.body).eq(&sent));
    assert_eq!(server.accepted.load(Ordering::SeqCst), 1);
}

#[test]
fn a_body_of_many_megabytes_arrives_whole() {
    let server = Server::accepting();
    let large = huge();
    let mut http = Http::builder(&server.url()).compress(false).build().unwrap();
    for _ in 0..2 {
        http.send(metrics(&large)).unwrap();
        assert!(server.requests()[0].body == large);
    }
}

#[test]
fn a_status_other_than_2xx_is_told() {
    let server = Server::new(|request| {
        let text = String::from_utf8(request.body.clone()).unwrap();
        let mut words = text.split_whitespace();
        let status = words.next().unwrap().parse().unwrap();
        let headers = words.next().map_or(String::new(), |after| format!("Retry-After: {after}\r\n"));
        answer(status, &headers, "what is wrong\n")
    });
    let mut http = server.http();
    for status in [200, 202, 204, 299] {
        assert_eq!(http.send(metrics(format!("{status}\n").as_bytes())).unwrap(), Accepted::Delivered);
    }
    for code in [400, 401, 403, 404, 406, 408, 413, 429, 500, 502, 503, 504] {
        let error = failed(http.send(metrics(format!("{code}\n").as_bytes())));
        assert_eq!(error.kind(), Failure::Status { code, retry_after: None });
        assert_eq!((error.status(), error.body(), error.lines_done()), (Some(code), Some("what is wrong"), 0));
        assert!(error.to_string().contains(&code.to_string()), "{error}");
    }
    for (after, seconds) in [("7", Some(7)), ("0", Some(0)), ("99999", Some(300)), ("soon", None)] {
        let error = failed(http.send(metrics(format!("429 {after}\n").as_bytes())));
        let retry_after = seconds.map(Duration::from_secs);
        assert_eq!(error.kind(), Failure::Status { code: 429, retry_after }, "{after}");
    }
}

#[test]
fn retry_after_may_be_a_date() {
    let server = Server::new(|_| {
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        answer(503, &format!("Retry-After: {date}\r\n"), "")
    });
    let Failure::Status { code: 503, retry_after: Some(wait) } = failed(server.http().send(metrics(LINE))).kind()
    else {
        panic!("a status and a time to wait")
    };
    assert!((30..=60).contains(&wait.as_secs()), "{wait:?}");
}

#[test]
fn a_redirect_is_not_followed() {
    let target = Server::accepting();
    let location = format!("Location: {}/report\r\n", target.url());
    let server = Server::new(move |request| answer(if request.body == LINE { 302 } else { 307 }, &location, ""));
    let mut http = server.http();
    assert_eq!(failed(http.send(metrics(LINE))).status(), Some(302));
    assert_eq!(failed(http.send(metrics(b"other\n"))).status(), Some(307));
    assert!(target.requests().is_empty());
}

#[test]
fn an_endless_answer_is_cut() {
    let head = b"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let server = Server::new(|_| Reply::Endless([&head[..], b"5\r\nabcde\r\n"].concat()));
    // The head comes again and again, so only the first chunk is well-formed: what was read until then counts.
    let error = failed(server.http().send(metrics(LINE)));
    assert_eq!(error.status(), Some(500));

    let server = Server::new(|_| {
        let mut bytes = b"HTTP/1.1 500 x\r\nContent-Length: 1000000000000\r\n\r\n".to_vec();
        bytes.resize(1 << 20, b'x');
        Reply::Endless(bytes)
    });
    let error = failed(server.http().send(metrics(LINE)));
    assert_eq!(error.body().map(str::len), Some(200));

    let server = Server::new(|_| {
        let mut bytes = b"HTTP/1.1 202 x\r\nContent-Length: 1000000000000\r\n\r\n".to_vec();
        bytes.resize(1 << 20, b'x');
        Reply::Endless(bytes)
    });
    assert_eq!(server.http().send(metrics(LINE)).unwrap(), Accepted::Delivered);
}

#[test]
fn what_breaks_is_broken() {
    for bytes in [
        &b""[..],
        b"HTTP/1.1 20",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0\x01\x02\xff\xfe garbage\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: x\r\n\r\n",
    ] {
        let server = Server::new(|_| Reply::Last(bytes.to_vec()));
        let error = failed(server.http().send(metrics(LINE)));
        assert_eq!(error.kind(), Failure::Broken, "{bytes:?} {error}");
    }
}

/// The status is the verdict, whatever becomes of the text behind it.
#[test]
fn half_an_answer_counts_by_its_status() {
    let server = Server::new(|request| {
        let status = if request.body == LINE { 202 } else { 503 };
        Reply::Last(format!("HTTP/1.1 {status} x\r\nContent-Length: 100\r\n\r\nonly this").into_bytes())
    });
    let mut http = server.http();
    assert_eq!(http.send(metrics(LINE)).unwrap(), Accepted::Delivered);
    let error = failed(http.send(metrics(b"other\n")));
    assert_eq!((error.status(), error.body()), (Some(503), Some("only this")));
}

#[test]
fn a_peer_that_closes_in_the_middle_of_a_request_breaks_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut http =
        Http::builder(&format!("http://{}", listener.local_addr().unwrap())).compress(false).build().unwrap();
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 10_000]).unwrap();
    });
    let error = failed(http.send(metrics(&huge())));
    assert_eq!(error.kind(), Failure::Broken, "{error}");
    peer.join().unwrap();
}

#[test]
fn a_peer_that_hangs_ends_in_time() {
    for reply in ["", "HTTP/1.1 503 x\r\nContent-Length: 100\r\n\r\nhalf"] {
        let server = Server::new(move |_| if reply.is_empty() { Reply::Hang } else { Reply::Raw(reply.into()) });
        // The head of an answer has to come through in time, on a busy machine too.
        let timeout = if reply.is_empty() { SHORT } else { 6 * SHORT };
        let mut http = Http::builder(&server.url()).timeout(timeout).build().unwrap();
        let began = Instant::now();
        let error = failed(http.send(metrics(LINE)));
        let expected =
            if reply.is_empty() { Failure::Timeout } else { Failure::Status { code: 503, retry_after: None } };
        assert_eq!(error.kind(), expected);
        assert!(began.elapsed() < LONG);
    }
}

#[test]
fn nobody_there_is_a_failure_to_connect() {
    let server = Server::accepting();
    let url = server.url();
    drop(server);
    let mut http = Http::builder(&url).build().unwrap();
    let error = failed(http.send(metrics(LINE)));
    assert_eq!(error.kind(), Failure::Connect);
    assert!(error.to_string().contains(&url), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn tls_with_a_peer_that_has_none_is_a_failure_to_connect() {
    let server = Server::accepting();
    let base = server.url().replace("http://", "https://");
    match Http::builder(&base).timeout(LONG).build() {
        Ok(mut http) => {
            // The server waits for a line of HTTP that does not come: its end of the connection has to go.
            let open = server.open.clone();
            let breaker = thread::spawn(move || {
                while open.lock().unwrap().is_empty() {
                    thread::yield_now();
                }
                // Unless it has gone already: a greeting of TLS is no line of HTTP.
                let _ = open.lock().unwrap()[0].0.shutdown(Shutdown::Both);
            });
            assert_eq!(failed(http.send(metrics(LINE))).kind(), Failure::Connect);
            breaker.join().unwrap();
            assert!(server.requests().is_empty());
        }
        Err(error) => assert!(matches!(error, HttpBuildError::Tls(_)), "a machine without certificates: {error}"),
    }
}

#[test]
fn it_is_built_and_dropped_inside_an_async_runtime() {
    let server = Server::accepting();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let http = server.http();
        let mut clone = http.clone();
        let task = tokio::task::spawn_blocking(move || clone.send(metrics(LINE)).map_err(|error| error.to_string()));
        assert_eq!(task.await.unwrap(), Ok(Accepted::Delivered));
        drop(http);
        drop(server.http());
    });
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn nothing_shows_the_token_or_the_lines() {
    const DATA: &[u8] = b"5eCr3t.metric 1 source=5eCr3t\n";
    let echo = |request: &Request| {
        let text = format!("{} {}", request.header("authorization").unwrap(), String::from_utf8_lossy(&request.body));
        answer(400, "", &text)
    };
    let server = Server::new(echo);
    let hanging = Server::new(|_| Reply::Hang);
    let garbage = Server::new(|request| Reply::Last(request.body.clone()));
    let mut texts = Vec::new();
    for (server, url) in [
        (Some(&server), server.url()),
        (Some(&hanging), hanging.url()),
        (Some(&garbage), garbage.url()),
        (None, "http://127.0.0.1:1".into()),
    ] {
        let builder = Http::builder(&url).token(Token::new(TOKEN).unwrap()).timeout(6 * SHORT);
        texts.push(format!("{builder:?}"));
        let mut http = builder.build().unwrap();
        let error = http.send(metrics(DATA)).unwrap_err();
        texts.extend([format!("{http:?}"), format!("{error} {error:?}")]);
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            texts.push(format!("{inner} {inner:?}"));
            cause = inner.source();
        }
        let body = error.body().unwrap_or_default();
        assert!(!body.contains(TOKEN), "{body}");
        assert_eq!(server.is_some_and(|server| server.requests().len() == 1), url != "http://127.0.0.1:1");
    }
    for text in texts {
        assert!(!text.contains("5eCr3t"), "{text}");
    }
}

/// The variables of the environment are read once a process: the test calls itself in one of its own.
#[test]
fn the_proxies_of_the_environment_are_used_but_not_for_loopback() {
    const NAME: &str = "http::the_proxies_of_the_environment_are_used_but_not_for_loopback";
    if let Ok(receiver) = std::env::var("WAVEFRONT_TEST_RECEIVER") {
        for url in ["http://wavefront.invalid:2878", &receiver] {
            Http::builder(url).build().unwrap().send(metrics(LINE)).unwrap();
        }
        return;
    }
    let proxy = Server::accepting();
    let receiver = Server::accepting();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME])
        .env("HTTP_PROXY", proxy.url())
        .env("http_proxy", proxy.url())
        .env("NO_PROXY", "")
        .env("no_proxy", "")
        .env("WAVEFRONT_TEST_RECEIVER", receiver.url())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    let calls = |server: &Server| server.requests().into_iter().map(|request| request.call).collect::<Vec<_>>();
    assert_eq!(calls(&proxy), ["POST http://wavefront.invalid:2878/report?f=wavefront"]);
    assert_eq!(calls(&receiver), ["POST /report?f=wavefront"]);
}

impl Rig for Server {
    type Transport = Http;

    fn transport(&mut self) -> Http {
        self.http()
    }

    fn received(&mut self) -> Vec<u8> {
        self.requests().into_iter().flat_map(|request| request.body).collect()
    }

    fn break_connections(&mut self) -> bool {
        for (stream, serving) in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
            serving.join().unwrap();
        }
        true
    }

    fn stop(&mut self) -> bool {
        drop(TcpStream::connect(self.address).unwrap());
        self.accepting.take().unwrap().join().unwrap();
        self.break_connections()
    }

    fn start(&mut self) {
        self.listen(TcpListener::bind(self.address).unwrap());
    }
}

#[test]
fn http_keeps_the_contract() {
    let report = check(&mut Server::accepting()).unwrap();
    // There is nothing that `finish` could vouch for: every batch was answered.
    assert_eq!((report.kept.len(), &report.skipped[..]), (7, &["finish does not vouch for a broken connection"][..]));
}
