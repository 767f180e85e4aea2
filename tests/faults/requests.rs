//! What a request looks like: one format each, the headers, the body.

use std::time::Duration;

use wavefront_sdk::data::TagAction;
use wavefront_sdk::sender::SendError;
use wavefront_sdk::transport::{Failure, Http};
use wavefront_sdk::{DeltaCounter, Event, Histogram, Kind, Metric, Sender, SourceTag, Span, SpanLog, Uuid};

use super::account::{LONG, until};
use super::server::{Reply, Request, Server};

const AGENT: &str = concat!("wavefront-sdk-rust/", env!("CARGO_PKG_VERSION"));

fn accepting() -> Server {
    Server::new(|_: &Request| Reply::status(202))
}

/// One datum of each kind; a span brings its logs.
fn send_all(sender: &Sender) {
    let logs = [SpanLog::new(1_552_949_776_000_123, &[("event", "error")])];
    for number in 0..3 {
        let name = |kind: &str| format!("{kind}{number}");
        let id = Uuid::from_u128(number + 1);
        sender.send(Metric::new(&name("m"), 1.0)).unwrap();
        sender.send(DeltaCounter::new(&name("d"), 1.0)).unwrap();
        sender.send(Histogram::new(&name("h"), &[(1.0, 2)])).unwrap();
        sender.send(Span::new(&name("s"), 1_552_949_776_000, 343, id, id).logs(&logs)).unwrap();
        sender.send(Event::new(&name("e"), 1_590_650_592_000)).unwrap();
    }
}

#[test]
fn one_format_a_request_to_a_proxy() {
    let server = accepting();
    let sender = Sender::builder(&server.url()).source("s").build().unwrap();
    send_all(&sender);
    sender.send(SourceTag::new(TagAction::Add, &["t"])).unwrap();
    let ledger = sender.close(LONG);
    assert_eq!((ledger.total().delivered, ledger.is_balanced()), (19, true));
    let mut calls: Vec<_> = server
        .requests()
        .iter()
        .map(|request| {
            assert_eq!(request.header("content-type"), Some("application/octet-stream"));
            assert_eq!(request.header("user-agent"), Some(AGENT));
            assert_eq!(request.header("authorization"), None);
            assert!(
                request.body.ends_with('\n') && request.body.lines().all(|line| !line.is_empty()),
                "no blank lines"
            );
            (request.call.clone(), request.body.lines().count())
        })
        .collect();
    calls.sort();
    let expected = [
        ("POST /report", 1),
        ("POST /report?f=event", 3),
        ("POST /report?f=histogram", 3),
        ("POST /report?f=spanLogs", 3),
        ("POST /report?f=trace", 3),
        ("POST /report?f=wavefront", 3),
        ("POST /report?f=wavefront", 3),
    ];
    assert_eq!(calls, expected.map(|(call, lines)| (call.to_owned(), lines)));
}

#[test]
fn one_event_a_request_to_direct_ingestion_and_no_source_tag() {
    let server = accepting();
    let sender = Sender::builder(&server.url()).source("s").token("t0ken").build().unwrap();
    send_all(&sender);
    let refused = sender.send(SourceTag::new(TagAction::Add, &["t"]));
    assert_eq!(refused, Err(SendError::Unsupported(Kind::SourceTag)));
    let ledger = sender.close(LONG);
    assert_eq!((ledger.total().delivered, ledger.is_balanced()), (18, true));
    let requests = server.requests();
    assert!(requests.iter().all(|request| request.header("authorization") == Some("Bearer t0ken")));
    let events: Vec<_> = requests.iter().filter(|request| request.call == "POST /api/v2/event").collect();
    let mut names: Vec<_> = events
        .iter()
        .map(|request| {
            assert_eq!(request.header("content-type"), Some("application/json"));
            assert_eq!(request.header("content-encoding"), None);
            let json: serde_json::Value = serde_json::from_str(&request.body).unwrap();
            json["name"].as_str().unwrap().to_owned()
        })
        .collect();
    names.sort();
    assert_eq!(names, ["e0", "e1", "e2"]);
    assert_eq!(requests.len(), 5 + 3, "one each for metrics, deltas, histograms, spans and span logs");
}

#[test]
fn bodies_from_1_kib_on_are_compressed() {
    let server = accepting();
    let sender = Sender::builder(&server.url()).source("s").build().unwrap();
    for text in [900, 1100] {
        let text = "x".repeat(text);
        sender.send(Metric::new("m", 1.0).tag("a", &text[..200]).tag("b", &text[..240])).unwrap();
        sender.send(Metric::new("m", 1.0).tag("a", &text[..200]).tag("b", &text[..240])).unwrap();
        if text.len() > 1000 {
            sender.send(Metric::new("m", 1.0).tag("a", &text[..200]).tag("b", &text[..240])).unwrap();
        }
        sender.flush(LONG).unwrap();
    }
    sender.close(LONG);
    let shapes: Vec<_> = server
        .requests()
        .iter()
        .map(|request| (request.body.len() >= Http::COMPRESS_FROM, request.header("content-encoding") == Some("gzip")))
        .collect();
    assert_eq!(shapes, [(false, false), (true, true)]);
}

#[test]
fn the_path_of_the_url_is_kept() {
    let server = accepting();
    let sender = Sender::builder(&format!("{}/eu/west", server.url())).source("s").build().unwrap();
    sender.send(Metric::new("m", 1.0)).unwrap();
    sender.close(LONG);
    assert_eq!(server.requests()[0].call, "POST /eu/west/report?f=wavefront");
}

#[test]
fn connections_are_kept_for_less_than_the_receivers_keep_theirs() {
    assert!(Http::IDLE < Duration::from_secs(300));
    assert_eq!((Http::CONNECT_TIMEOUT, Http::TIMEOUT), (Duration::from_secs(10), Duration::from_secs(30)));
}

#[test]
fn no_error_shows_the_token_or_a_line() {
    let server = Server::new(|request: &Request| {
        let text = format!("{} {}", request.header("authorization").unwrap(), request.body);
        Reply::with(400, "", &text)
    });
    let sender = Sender::builder(&server.url()).source("s").token("5eCr3t").build().unwrap();
    sender.send(Metric::new("pr1vate", 1.0)).unwrap();
    let flushed = sender.flush(LONG);
    until("a failure", || sender.last_error().is_some());
    let shown = format!("{flushed:?} {sender:?} {} {:?}", sender.last_error().unwrap(), sender.last_failure());
    assert_eq!(sender.last_failure(), Some(Failure::Status { code: 400, retry_after: None }));
    assert!(!shown.contains("5eCr3t") && !shown.contains("pr1vate"), "{shown}");
}
