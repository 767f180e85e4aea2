//! The collector over real sockets: what passes, what is rejected, what is written, and what cannot hurt it.

#![cfg(feature = "collector")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::std_instead_of_core, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use wavefront_sdk::Kind;
use wavefront_sdk::collector::{Builder, Collector, CollectorError, Content, Port, Summary, Via};

/// Long enough for any machine; no test waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(60);

const METRIC: &str = "\"new-york.power.usage\" 42422.0 1493773500 source=\"localhost\" \"datacenter\"=\"dc1\"";
const DELTA: &str =
    "\"∆lambda.thumbnail.generate\" 10.0 1493773500 source=\"thumbnail_service\" \"image-format\"=\"jpeg\"";
const HISTOGRAM: &str =
    "!M 1493773500 #20 30.0 #10 5.1 \"request.latency\" source=\"appServer1\" \"region\"=\"us-west\"";
const SPAN: &str = "\"getAllUsers\" source=\"localhost\" traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 \
                    spanId=0313bafe-9457-11e8-9eb6-529269fb1459 \"application\"=\"Wavefront\" 1552949776000 343";
const SPAN_LOGS: &str = "{\"traceId\":\"7b3bf470-9456-11e8-9eb6-529269fb1459\",\"spanId\":\"0313bafe-9457-11e8-9eb6-529269fb1459\",\
                         \"logs\":[{\"timestamp\":1552949776000123,\"fields\":{\"event\":\"error\"}}]}";
const EVENT: &str = "@Event 1590650592000 1590650692000 \"deploy\" severity=\"info\" host=\"localhost\" tag=\"t\"";
const SOURCE_TAG: &str = "@SourceTag action=add source=\"localhost\" \"production\"";
const SOURCE_DESCRIPTION: &str = "@SourceDescription action=save source=\"localhost\" \"the first one\"";
const EVENT_JSON: &str = "{\"name\":\"deploy\",\"annotations\":{\"severity\":\"info\"},\"hosts\":[\"localhost\"],\
                          \"startTime\":1590650592000,\"endTime\":1590650692000,\"tags\":[\"t\"]}";

/// Any free port of the loopback.
const ANY: &str = "127.0.0.1:0";

fn collector(set_up: impl FnOnce(Builder) -> Builder) -> Collector {
    set_up(Collector::builder().listen(ANY).traces(ANY).histograms(ANY)).start().unwrap()
}

fn connect(collector: &Collector, port: Port) -> TcpStream {
    let stream = TcpStream::connect(collector.addr(port).unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends bytes on a connection, ends it, and waits until the collector has closed it too.
fn send(collector: &Collector, port: Port, bytes: impl AsRef<[u8]>) {
    let mut stream = connect(collector, port);
    stream.write_all(bytes.as_ref()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    wait_for_end(&mut stream);
}

fn wait_for_end(stream: &mut TcpStream) {
    match stream.read(&mut [0]) {
        Ok(0) => {}
        Ok(_) => panic!("lines are not answered"),
        // Cut off: an end too.
        Err(error) => assert_ne!(error.kind(), ErrorKind::WouldBlock, "the collector did not close"),
    }
}

/// Waits until the summary is as expected, and says what it was if it never is.
#[track_caller]
fn expect(collector: &Collector, enough: impl FnMut(&Summary) -> bool) -> Summary {
    collector.wait_until(enough, PATIENCE).unwrap_or_else(|summary| panic!("{summary:#?}"))
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// One request on a connection of its own. `head` is the request line and the header lines, ended by `\r\n` each, but
/// for `Host` and `Content-Length`.
fn request(addr: SocketAddr, head: &str, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (line, headers) = head.split_once("\r\n").unwrap();
    write!(stream, "{line}\r\nHost: localhost\r\nContent-Length: {}\r\n{headers}\r\n", body.len()).unwrap();
    stream.write_all(body).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    answer(&mut stream)
}

fn answer(stream: &mut TcpStream) -> Answer {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_string() }
}

fn post(collector: &Collector, path: &str, body: impl AsRef<[u8]>) -> u16 {
    let addr = collector.addr(Port::Metrics).unwrap();
    request(addr, &format!("POST {path} HTTP/1.1\r\nContent-Type: application/octet-stream\r\n"), body.as_ref()).status
}

fn post_gzip(collector: &Collector, path: &str, body: &[u8]) -> Answer {
    let addr = collector.addr(Port::Metrics).unwrap();
    request(addr, &format!("POST {path} HTTP/1.1\r\nContent-Encoding: gzip\r\n"), body)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A file of this test alone, gone with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("wavefront-collector-{}-{number}", std::process::id())))
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.0).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn counts(summary: &Summary) -> Vec<(Kind, u64, u64)> {
    Kind::ALL
        .into_iter()
        .map(|kind| (kind, summary.counts(kind).accepted, summary.counts(kind).rejected))
        .filter(|(_, accepted, rejected)| accepted + rejected > 0)
        .collect()
}

// ---- TCP lines

#[test]
fn each_port_takes_its_kinds() {
    let collector = collector(|builder| builder.keep(100));
    let metrics = [METRIC, DELTA, HISTOGRAM, EVENT, SOURCE_TAG, SOURCE_DESCRIPTION, SPAN_LOGS];
    send(&collector, Port::Metrics, metrics.join("\n") + "\n");
    send(&collector, Port::Traces, [SPAN, SPAN_LOGS].join("\n") + "\n");
    send(&collector, Port::Histograms, format!("{HISTOGRAM}\r\n"));
    let summary = collector.snapshot();
    assert_eq!(
        counts(&summary),
        [
            (Kind::Metric, 1, 0),
            (Kind::Delta, 1, 0),
            (Kind::Histogram, 2, 0),
            (Kind::Span, 1, 0),
            (Kind::SpanLogs, 2, 0),
            (Kind::Event, 1, 0),
            (Kind::SourceTag, 2, 0)
        ],
        "{summary:#?}"
    );
    assert_eq!(summary.counts_via(Via::Tcp, Kind::Histogram).accepted, 2);
    assert_eq!(summary.connections, 3);
    let kept: BTreeSet<_> = collector.kept().into_iter().map(|kept| kept.line).collect();
    let sent = metrics.iter().chain(&[SPAN, SPAN_LOGS, HISTOGRAM]).map(ToString::to_string).collect();
    assert_eq!(kept, sent);
}

#[test]
fn a_line_of_another_port_is_rejected() {
    let collector = collector(|builder| builder);
    send(&collector, Port::Metrics, format!("{SPAN}\n"));
    send(&collector, Port::Traces, format!("{METRIC}\n"));
    send(&collector, Port::Histograms, format!("{METRIC}\n"));
    assert_eq!(counts(&collector.stop()), [(Kind::Metric, 0, 1), (Kind::Histogram, 0, 1), (Kind::Span, 0, 1)]);
}

#[test]
fn rejected_lines_have_reasons_and_harm_no_others() {
    let collector = collector(|builder| builder);
    let lines = ["no value", METRIC, "\"∆negative\" -1 source=\"a\"", "\"eot\" 1 source=\"a\u{4}\"", METRIC, "", " \t"];
    send(&collector, Port::Metrics, lines.join("\n") + "\n");
    let summary = collector.stop();
    assert_eq!(counts(&summary), [(Kind::Metric, 2, 2), (Kind::Delta, 0, 1)]);
    let delta = summary.rejections().find(|rejection| rejection.kind == Kind::Delta).unwrap();
    assert_eq!((delta.count, delta.sample.as_str()), (1, lines[2]));
    assert!(delta.reason.contains("above zero"), "{delta:?}");
}

#[test]
fn bytes_that_are_no_utf_8_are_replaced_as_a_proxy_does() {
    let out = Scratch::new();
    let collector = collector(|builder| builder.keep(1).out(&out.0));
    let line = b"\"a\" 1 source=\"\xff\"\n";
    send(&collector, Port::Metrics, line);
    assert_eq!(collector.kept()[0].line, "\"a\" 1 source=\"\u{fffd}\"");
    assert_eq!(collector.stop().accepted(), 1);
    assert_eq!(out.bytes(), line, "written as it came");
}

#[test]
fn a_half_line_is_dropped_and_counted() {
    let out = Scratch::new();
    let collector = collector(|builder| builder.out(&out.0));
    // The half of it would be a valid line.
    send(&collector, Port::Metrics, format!("{METRIC}\n{METRIC}"));
    send(&collector, Port::Metrics, "x");
    let summary = collector.stop();
    assert_eq!((summary.accepted(), summary.rejected()), (1, 2), "{summary:#?}");
    assert!(summary.rejections().all(|rejection| rejection.reason.contains("middle of the line")));
    assert_eq!(out.text(), format!("{METRIC}\n"));
}

#[test]
fn a_line_of_exactly_the_limit_passes_and_one_byte_more_is_skipped() {
    for (port, line, limit) in
        [(Port::Metrics, METRIC, 32_768), (Port::Histograms, HISTOGRAM, 65_536), (Port::Traces, SPAN, 1 << 20)]
    {
        let collector = collector(|builder| builder);
        // Blanks before the line count as a part of it.
        let padded = |width: usize| " ".repeat(width - line.len()) + line;
        let exact = format!("{}\n{}\r\n", padded(limit), padded(limit));
        let longer = padded(limit + 1) + "\n";
        send(&collector, port, format!("{exact}{longer}{line}\n{longer}{line}\n"));
        let summary = collector.stop();
        assert_eq!((summary.accepted(), summary.rejected()), (4, 2), "{port:?} {summary:#?}");
    }
}

#[test]
fn an_endless_line_is_counted_once_and_the_next_one_passes() {
    let collector = collector(|builder| builder);
    let mut stream = connect(&collector, Port::Traces);
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        stream.write_all(&piece).unwrap();
    }
    write!(stream, "\n{SPAN}\n").unwrap();
    let summary = expect(&collector, |summary| summary.accepted() == 1);
    assert_eq!(counts(&summary), [(Kind::Span, 1, 1)]);
    assert!(summary.bytes > 100 << 20);
}

#[test]
fn lines_may_come_in_any_pieces() {
    let collector = collector(|builder| builder);
    let mut stream = connect(&collector, Port::Metrics);
    stream.set_nodelay(true).unwrap();
    for byte in format!("{METRIC}\n{DELTA}\n").bytes() {
        stream.write_all(&[byte]).unwrap();
    }
    expect(&collector, |summary| summary.accepted() == 2);
}

#[test]
fn a_stream_of_lines_may_be_compressed() {
    let out = Scratch::new();
    let collector = collector(|builder| builder.out(&out.0));
    let lines = format!("{METRIC}\n").repeat(10_000);
    send(&collector, Port::Metrics, gzip(lines.as_bytes()));
    assert_eq!(collector.stop().accepted(), 10_000);
    assert_eq!(out.text(), lines);
}

#[test]
fn a_compressed_endless_line_needs_no_memory() {
    let collector = collector(|builder| builder);
    let mut bytes = gzip(&[b'x'; 1 << 20]).repeat(64);
    bytes.extend_from_slice(&gzip(format!("\n{METRIC}\n").as_bytes()));
    send(&collector, Port::Metrics, bytes);
    assert_eq!(counts(&collector.stop()), [(Kind::Metric, 1, 1)]);
}

#[test]
fn garbage_is_rejected_and_the_collector_goes_on() {
    let collector = collector(|builder| builder);
    let mut seed = 42_u64;
    let mut garbage = vec![0; 3 << 20];
    for byte in &mut garbage {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = (seed >> 56) as u8;
    }
    for first in [&b"xx"[..], b"\x1f\x8b", b"POST / HTTP/1.1\r\n", b"PO", b"\0\0"] {
        for port in [Port::Metrics, Port::Histograms, Port::Traces] {
            let mut stream = connect(&collector, port);
            // The collector may close at the first wrong byte.
            let _ = stream.write_all(first).and_then(|()| stream.write_all(&garbage));
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
    send(&collector, Port::Metrics, format!("{METRIC}\n"));
    let summary = collector.stop();
    assert_eq!(summary.accepted(), 1);
    assert!(summary.rejected() > 10_000);
    assert!(summary.rejections().count() <= 65);
}

// ---- HTTP

#[test]
fn each_format_takes_its_lines() {
    let collector = collector(|builder| builder);
    for (format, line) in [
        ("?f=wavefront", METRIC),
        ("?f=wavefront", DELTA),
        ("?format=histogram", HISTOGRAM),
        ("?f=trace", SPAN),
        ("?f=spanLogs", SPAN_LOGS),
        ("?f=event", EVENT),
        ("", SOURCE_TAG),
        ("", SOURCE_DESCRIPTION),
    ] {
        let path = format!("/report{format}");
        assert_eq!(post(&collector, &path, format!("{line}\n")), 202, "{path}");
        assert_eq!(post_gzip(&collector, &path, &gzip(line.as_bytes())).status, 202, "{path}");
    }
    let summary = collector.stop();
    assert_eq!(summary.rejected(), 0, "{summary:#?}");
    assert_eq!(
        Kind::ALL.map(|kind| summary.counts_via(Via::Http, kind).accepted),
        [2, 2, 2, 2, 2, 2, 4],
        "{summary:#?}"
    );
    assert_eq!(summary.statuses.into_iter().collect::<Vec<_>>(), [(202, 16)]);
}

#[test]
fn a_format_is_taken_literally_and_the_answer_is_202_all_the_same() {
    let collector = collector(|builder| builder);
    for (format, line) in [
        ("wavefront", HISTOGRAM),
        ("wavefront", SPAN),
        ("wavefront", EVENT),
        ("wavefront", SOURCE_TAG),
        ("histogram", METRIC),
        ("trace", METRIC),
        ("trace", SPAN_LOGS),
        ("spanLogs", SPAN),
        ("event", METRIC),
    ] {
        assert_eq!(post(&collector, &format!("/report?f={format}"), line), 202);
    }
    let summary = collector.stop();
    assert_eq!((summary.accepted(), summary.rejected()), (0, 9), "{summary:#?}");
}

#[test]
fn single_lines_are_rejected_and_the_others_pass() {
    let out = Scratch::new();
    let collector = collector(|builder| builder.out(&out.0));
    let body = format!("{METRIC}\n\nbroken\r\n{DELTA}\r\nbroken\n  {METRIC}");
    assert_eq!(post(&collector, "/report?f=wavefront", body), 202);
    // It is in the file before the request is answered.
    assert_eq!(out.text(), format!("{METRIC}\n{DELTA}\n  {METRIC}\n"));
    let summary = collector.stop();
    assert_eq!((summary.accepted(), summary.rejected()), (3, 2));
}

#[test]
fn the_status_says_what_is_wrong() {
    let collector = collector(|builder| builder);
    let addr = collector.addr(Port::Metrics).unwrap();
    assert_eq!(post(&collector, "/report?f=nonsense", METRIC), 400);
    assert_eq!(post(&collector, "/nowhere", METRIC), 404);
    assert_eq!(post(&collector, "/", METRIC), 202);
    assert_eq!(post(&collector, "/a/prefix/report?f=wavefront", METRIC), 202);
    let get = request(addr, "GET /report HTTP/1.1\r\n", b"");
    assert_eq!(get.status, 405);
    assert!(get.head.contains("allow: post, options"));
    assert_eq!(request(addr, "POST /report HTTP/1.1\r\nContent-Encoding: br\r\n", b"x").status, 415);
    assert_eq!(post_gzip(&collector, "/report?f=wavefront", b"no gzip").status, 400);
    let whole = gzip(METRIC.as_bytes());
    assert_eq!(post_gzip(&collector, "/report?f=wavefront", &whole[..whole.len() - 5]).status, 400);

    // Not HTTP but for the first two bytes.
    let mut stream = connect(&collector, Port::Metrics);
    stream.write_all(b"POwer 1 source=a\n\n").unwrap();
    assert_eq!(answer(&mut stream).status, 400);

    let summary = expect(&collector, |summary| summary.requests() == 9);
    assert_eq!((summary.accepted(), summary.rejected()), (2, 0));
}

#[test]
fn a_body_over_16_mib_is_413_and_nothing_of_it_passes() {
    const MAX: usize = 16 << 20;
    let collector = collector(|builder| builder);
    let mut body = format!("{METRIC}\n").repeat(MAX / METRIC.len() + 1).into_bytes();
    body.truncate(MAX + 1);
    assert_eq!(post(&collector, "/report?f=wavefront", &body), 413);
    assert_eq!(post_gzip(&collector, "/report?f=wavefront", &gzip(&body)).status, 413);
    assert_eq!(collector.snapshot().accepted(), 0);
    let chunked = {
        let mut stream = connect(&collector, Port::Metrics);
        stream
            .write_all(b"POST /report?f=wavefront HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            .unwrap();
        for piece in body.chunks(1 << 20) {
            write!(stream, "{:x}\r\n", piece.len()).unwrap();
            stream.write_all(piece).unwrap();
            stream.write_all(b"\r\n").unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        answer(&mut stream)
    };
    assert_eq!(chunked.status, 413);
    assert_eq!((collector.snapshot().accepted(), collector.snapshot().rejected()), (0, 0));

    body.truncate(MAX);
    assert_eq!(post(&collector, "/report?f=wavefront", &body), 202);
    assert!(collector.stop().accepted() > 100_000);
}

#[test]
fn a_gzip_bomb_is_413() {
    let collector = collector(|builder| builder);
    let bomb = gzip(&[b'x'; 1 << 20]).repeat(1024);
    assert!(bomb.len() < 2 << 20, "a gigabyte in {} bytes", bomb.len());
    let answer = post_gzip(&collector, "/report?f=wavefront", &bomb);
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("16777216"), "{}", answer.body);
}

#[test]
fn events_of_direct_ingestion_are_checked() {
    let out = Scratch::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let callback = Arc::clone(&seen);
    let collector = collector(|builder| {
        builder.out(&out.0).on_line(move |line| match line.content {
            Content::EventJson(event) => callback.lock().unwrap().push(event.clone()),
            _ => panic!("no line was sent"),
        })
    });
    assert_eq!(post(&collector, "/api/v2/event", EVENT_JSON), 200);
    assert_eq!(post_gzip(&collector, "/api/v2/event", &gzip(EVENT_JSON.as_bytes())).status, 200);
    assert_eq!(post(&collector, "/prefix/api/v2/event", EVENT_JSON.replace(',', ",\r\n")), 200);
    assert_eq!(post(&collector, "/api/v2/event", EVENT), 400);
    assert_eq!(post(&collector, "/api/v2/event", EVENT_JSON.replace("startTime", "start")), 400);
    assert_eq!(out.text(), format!("{EVENT_JSON}\n{EVENT_JSON}\n{}\n", EVENT_JSON.replace(',', ",  ")));
    let summary = collector.stop();
    assert_eq!(counts(&summary), [(Kind::Event, 3, 2)]);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|event| event.name == "deploy" && event.start_millis == 1_590_650_592_000));
}

#[test]
fn several_requests_share_a_connection() {
    let collector = collector(|builder| builder);
    let mut stream = connect(&collector, Port::Metrics);
    for n in 1..=3 {
        let body = format!("{METRIC}\n");
        write!(stream, "POST /report?f=wavefront HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .unwrap();
        expect(&collector, |summary| summary.requests() == n);
    }
    let summary = collector.stop();
    assert_eq!((summary.connections, summary.requests(), summary.accepted()), (1, 3, 3));
    assert_eq!(answer(&mut stream).status, 202);
}

#[test]
fn a_page_of_any_origin_may_send() {
    let collector = collector(|builder| builder.require_token("secret"));
    let addr = collector.addr(Port::Metrics).unwrap();
    let preflight = request(
        addr,
        "OPTIONS /report?f=wavefront HTTP/1.1\r\nOrigin: https://app.example.com\r\n\
         Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,content-encoding\r\n",
        b"",
    );
    assert_eq!(preflight.status, 204);
    for header in [
        "access-control-allow-origin: https://app.example.com",
        "access-control-allow-methods: post",
        "access-control-allow-headers: content-type, content-encoding, authorization",
        "vary: origin",
    ] {
        assert!(preflight.head.contains(header), "{header} in {}", preflight.head);
    }
    // Errors too are for the page to read.
    for (token, status) in [("secret", 202), ("wrong", 401)] {
        let headers = format!("Origin: https://app.example.com\r\nAuthorization: Bearer {token}\r\n");
        let answer = request(addr, &format!("POST /report?f=wavefront HTTP/1.1\r\n{headers}"), METRIC.as_bytes());
        assert_eq!(answer.status, status);
        assert!(answer.head.contains("access-control-allow-origin: https://app.example.com"));
    }
    assert!(request(addr, "POST / HTTP/1.1\r\n", b"").head.contains("access-control-allow-origin: *"));
}

#[test]
fn a_required_token_keeps_everybody_else_out() {
    let collector = collector(|builder| builder.require_token("secret"));
    assert_eq!(post(&collector, "/report?f=wavefront", METRIC), 401);
    send(&collector, Port::Metrics, format!("{METRIC}\n"));
    let summary = collector.stop();
    assert_eq!((summary.accepted(), summary.rejected()), (0, 1));
}

#[test]
fn a_body_that_never_comes_whole_counts_nothing() {
    let collector = collector(|builder| builder);
    let mut stream = connect(&collector, Port::Metrics);
    write!(stream, "POST /report?f=wavefront HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{METRIC}\n").unwrap();
    expect(&collector, |summary| summary.bytes > 0);
    drop(stream);
    let summary = expect(&collector, |summary| summary.open == 0);
    assert_eq!((summary.accepted(), summary.rejected()), (0, 0));
}

// ---- the file

#[test]
fn the_file_has_whole_lines_of_many_connections() {
    const CONNECTIONS: usize = 16;
    const LINES: usize = 2_000;
    let out = Scratch::new();
    fs::write(&out.0, "something from before\n").unwrap();
    let collector = collector(|builder| builder.out(&out.0));
    assert_eq!(out.text(), "", "emptied at the start");
    std::thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let collector = &collector;
            scope.spawn(move || {
                let mut bytes = Vec::new();
                for line in 0..LINES {
                    writeln!(bytes, "\"c{connection}\" {line} source=\"{}\"", "x".repeat(line % 500 + 1)).unwrap();
                    if line % 7 == 0 {
                        bytes.extend_from_slice(b"broken\n");
                    }
                }
                bytes.extend_from_slice(b"\"half\" 1 sour");
                if connection % 2 == 0 {
                    send(collector, Port::Metrics, bytes);
                } else {
                    assert_eq!(post(collector, "/report?f=wavefront", bytes), 202);
                }
            });
        }
    });
    let summary = collector.stop();
    assert_eq!(summary.accepted(), (CONNECTIONS * LINES) as u64);
    let text = out.text();
    let mut next = [0; CONNECTIONS];
    for line in text.lines() {
        let mut words = line.split(' ');
        let connection: usize = words.next().unwrap().trim_matches(['"', 'c']).parse().unwrap();
        let number: usize = words.next().unwrap().parse().unwrap();
        assert_eq!(line, format!("\"c{connection}\" {number} source=\"{}\"", "x".repeat(number % 500 + 1)));
        assert_eq!(number, next[connection], "in order within a connection");
        next[connection] += 1;
    }
    assert_eq!(next, [LINES; CONNECTIONS]);
    assert!(text.ends_with("\"\n"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_write_that_fails_is_never_silent() {
    let errors = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&errors);
    // A device that is always full.
    let collector = collector(|builder| {
        builder.out("/dev/full").on_error(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        })
    });
    let answer = request(
        collector.addr(Port::Metrics).unwrap(),
        "POST /report?f=wavefront HTTP/1.1\r\n",
        format!("{METRIC}\nbroken\n").as_bytes(),
    );
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("could not be written"), "{}", answer.body);

    let mut stream = connect(&collector, Port::Metrics);
    stream.write_all(format!("{METRIC}\n{METRIC}\n").as_bytes()).unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "the sender learns of it");

    let summary = collector.stop();
    assert_eq!((summary.accepted(), summary.rejected(), summary.unwritten), (0, 0, 3), "{summary:#?}");
    assert!(summary.write_error.is_some());
    assert_eq!(errors.load(Ordering::Relaxed), 2);
}

// ---- beginning and end

#[test]
fn a_stop_reads_what_has_arrived() {
    for _ in 0..20 {
        let out = Scratch::new();
        let collector = collector(|builder| builder.out(&out.0));
        let lines = format!("{METRIC}\n").repeat(1000);
        let mut open = connect(&collector, Port::Metrics);
        open.write_all(lines.as_bytes()).unwrap();
        open.write_all(b"half a line").unwrap();
        let mut http = connect(&collector, Port::Metrics);
        write!(http, "POST /report?f=trace HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{SPAN}", SPAN.len())
            .unwrap();
        let summary = collector.stop();
        assert_eq!(summary.counts(Kind::Metric).accepted, 1000, "{summary:#?}");
        assert_eq!(summary.counts(Kind::Metric).rejected, 1);
        assert_eq!(summary.counts(Kind::Span).accepted, 1);
        assert_eq!(summary.open, 0);
        assert_eq!(answer(&mut http).status, 202);
        assert_eq!(out.text().lines().filter(|line| *line == METRIC).count(), 1000);
    }
}

#[test]
fn a_sender_sees_the_end_and_what_it_sent_before_is_counted() {
    let collector = collector(|builder| builder);
    let mut stream = connect(&collector, Port::Metrics);
    writeln!(stream, "{METRIC}").unwrap();
    expect(&collector, |summary| summary.accepted() == 1);
    let stopping = std::thread::spawn(move || collector.stop());
    // A FIN comes, then whatever was on its way is still read.
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    writeln!(stream, "{METRIC}").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stopping.join().unwrap().accepted(), 2);
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let collector = collector(|builder| builder);
    let addr = collector.addr(Port::Metrics).unwrap();
    let sender = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(addr).unwrap();
        let lines = format!("{METRIC}\n").repeat(100);
        // It never looks whether anybody listens.
        while stream.write_all(lines.as_bytes()).is_ok() {}
    });
    expect(&collector, |summary| summary.accepted() > 1000);
    let start = Instant::now();
    collector.stop();
    assert!(start.elapsed() < PATIENCE);
    sender.join().unwrap();
}

#[test]
fn the_port_is_free_again_and_a_taken_one_is_an_error() {
    let first = Collector::builder().listen(ANY).start().unwrap();
    let addr = first.addrs()[0].1;
    let error = Collector::builder().listen(addr).start().unwrap_err();
    assert!(matches!(error, CollectorError::Listen { .. }));
    assert!(error.to_string().contains("stop the program that uses the port"), "{error}");
    drop(first);
    let again = Collector::builder().listen(addr).start().unwrap();
    send(&again, Port::Metrics, format!("{METRIC}\n"));
    assert_eq!(again.stop().accepted(), 1);
}

#[test]
fn what_cannot_work_is_an_error_at_the_start() {
    assert!(matches!(Collector::builder().start(), Err(CollectorError::NoPort)));
    assert!(matches!(Collector::builder().listen("no address").start(), Err(CollectorError::Listen { .. })));
    let folder = std::env::temp_dir();
    let error = Collector::builder().listen(ANY).out(&folder).start().unwrap_err();
    assert!(error.to_string().contains(folder.to_str().unwrap()), "{error}");
}

#[test]
fn it_can_be_started_and_stopped_inside_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let summary = runtime.block_on(async {
        let collector = Collector::builder().listen(ANY).start().unwrap();
        send(&collector, Port::Metrics, format!("{METRIC}\n"));
        collector.stop()
    });
    assert_eq!(summary.accepted(), 1);
}

#[test]
fn a_silent_connection_is_closed() {
    let collector = collector(|builder| builder.idle_timeout(Duration::from_millis(50)));
    for first in ["", "x", "xx", "POST /report HTTP/1.1\r\n"] {
        let mut stream = connect(&collector, Port::Metrics);
        stream.write_all(first.as_bytes()).unwrap();
        // Or an answer, 408: an end all the same.
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    expect(&collector, |summary| summary.open == 0);
}

// ---- too many

#[test]
fn thousands_of_connections_harm_nobody() {
    let collector = collector(|builder| builder.max_connections(100));
    let mut steady = connect(&collector, Port::Metrics);
    writeln!(steady, "{METRIC}").unwrap();
    expect(&collector, |summary| summary.accepted() == 1);

    let mut crowd = Vec::new();
    for n in 0..2_000 {
        let mut stream = connect(&collector, Port::Metrics);
        // Silent ones, half lines, half requests. Closed ones cannot be written to.
        let _ = stream.write_all([&b""[..], b"half", b"POST / HTT", b"\x1f\x8b"][n % 4]);
        crowd.push(stream);
        if n % 500 == 0 {
            // A newcomer gets in while the crowd is there.
            send(&collector, Port::Metrics, format!("{METRIC}\n"));
        }
        if crowd.len() > 400 {
            crowd.remove(0);
        }
    }
    writeln!(steady, "{METRIC}").unwrap();
    send(&collector, Port::Metrics, format!("{METRIC}\n"));
    let summary = expect(&collector, |summary| summary.accepted() == 7);
    assert!(summary.refused > 0);
    assert!(summary.open <= 110, "{summary:#?}");
}

#[test]
fn half_lines_of_many_connections_share_a_bound() {
    let collector = collector(|builder| builder.max_connections(200));
    let half = vec![b'x'; (1 << 20) - 1];
    let mut crowd: Vec<_> = (0..64).map(|_| connect(&collector, Port::Traces)).collect();
    for stream in &mut crowd {
        // One that is closed for want of room cannot be written to.
        let _ = stream.write_all(&half);
    }
    let full = |summary: &Summary| summary.rejections().any(|rejection| rejection.reason.contains("no memory left"));
    expect(&collector, full);
    send(&collector, Port::Metrics, format!("{METRIC}\n"));
    drop(crowd);
    expect(&collector, |summary| summary.open == 0);
    send(&collector, Port::Traces, " ".repeat(1_000_000) + SPAN + "\n");
    assert_eq!(collector.stop().accepted(), 2, "the room is free again");
}

#[test]
fn compressed_streams_of_many_connections_share_the_bound_too() {
    let collector = collector(|builder| builder.max_connections(1000));
    let mut crowd: Vec<_> = (0..400).map(|_| connect(&collector, Port::Metrics)).collect();
    for stream in &mut crowd {
        let _ = stream.write_all(b"\x1f\x8b");
    }
    expect(&collector, |summary| summary.rejections().any(|it| it.reason.contains("no memory left")));
    drop(crowd);
    expect(&collector, |summary| summary.open == 0);
    send(&collector, Port::Metrics, gzip(format!("{METRIC}\n").as_bytes()));
    assert_eq!(collector.stop().accepted(), 1, "the room is free again");
}

#[test]
fn a_callback_that_panics_ends_its_connection_only() {
    let collector = collector(|builder| {
        builder.on_line(|line| assert!(line.kind != Kind::Delta, "a failing assertion of a user's test"))
    });
    send(&collector, Port::Metrics, format!("{DELTA}\n"));
    send(&collector, Port::Metrics, format!("{METRIC}\n"));
    let summary = expect(&collector, |summary| summary.open == 0);
    assert_eq!(summary.counts(Kind::Metric).accepted, 1);
}
