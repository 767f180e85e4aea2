//! Every row of what the sender makes of an answer, over a socket: what is sent again, when, and what is not.

use std::net::TcpListener;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use wavefront_sdk::delivery::{Action, Backoff, Config, Delivery, Lane, Ledger, Millis, Outcome, Slot, Small};
use wavefront_sdk::sender::SenderBuilder;
use wavefront_sdk::transport::Failure;
use wavefront_sdk::{Histogram, Kind, KindSet, Metric, Sender};

use super::account::{Account, LONG, until};
use super::receiver::quiet_port;
use super::server::{Reply, Request, Script, Server, in_turn};

/// So short that a test does not wait, so long that it is one.
const QUICK: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(5));

/// A sender that loses no time, one batch of `lines` lines at a time.
fn quick(url: &str, lines: usize) -> SenderBuilder {
    Sender::builder(url).source("s").backoff(QUICK).auth_backoff(QUICK).batch_size(lines).in_flight(1)
}

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("m{number}"))
}

fn send(sender: &Sender, count: usize) {
    names(count).for_each(|name| sender.send(Metric::new(&name, 1.0)).unwrap());
}

fn end(sender: &Sender, server: &Server, count: usize) -> Account {
    let ledger = sender.close(LONG);
    let taken = server.taken();
    Account::settle(names(count), taken.iter().map(String::as_str), &ledger)
}

/// The names of each request's lines.
fn bodies(server: &Server) -> Vec<Vec<String>> {
    server.requests().iter().map(Request::names).collect()
}

/// Sends six lines, in batches of two, to a server that answers so; everything has to arrive, in order.
fn overcome(fault: &str, script: impl Script) -> (Server, Ledger) {
    let server = Server::new(script);
    let sender = quick(&server.url(), 2).request_timeout(LONG).build().unwrap();
    send(&sender, 6);
    let ledger = sender.close(LONG);
    let taken = server.taken();
    Account::whole(names(6), taken.iter().map(String::as_str), &ledger).note(fault);
    let mut order: Vec<_> = taken.iter().map(|line| super::account::name_of(line)).collect();
    // A batch that was taken twice is there twice, one after the other.
    order.dedup();
    let mut seen = Vec::new();
    for name in order {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    assert_eq!(seen, names(6).collect::<Vec<_>>());
    (server, ledger)
}

/// The name of a fault, and whether the server kept the lines all the same.
fn kept_or_not(fault: &str, takes: bool) -> String {
    if takes { fault.to_owned() + ", the lines kept" } else { fault.to_owned() }
}

#[test]
fn a_2xx_is_delivered() {
    for status in [200, 201, 202, 204, 299] {
        let reply = if status == 204 { Reply::with(204, "", "") } else { Reply::with(status, "", "{}") };
        let (server, ledger) = overcome("HTTP: 2xx", move |_: &Request| reply.clone());
        assert_eq!((server.count(), ledger.total().resent), (3, 0), "{status}");
    }
}

#[test]
fn a_413_is_halved_and_its_rest_follows() {
    // It takes three lines at most.
    let script = |request: &Request| Reply::status(if request.body.lines().count() > 3 { 413 } else { 202 });
    let server = Server::new(script);
    let sender = quick(&server.url(), 10).build().unwrap();
    send(&sender, 10);
    let account = end(&sender, &server, 10);
    account.note("HTTP: 413 for more than 3 lines");
    assert_eq!((account.missing.len(), account.duplicates), (0, 0));
    let all: Vec<_> = names(10).collect();
    assert_eq!(server.taken().iter().map(|line| super::account::name_of(line)).collect::<Vec<_>>(), all);
    let bodies = bodies(&server);
    assert_eq!(
        (&bodies[0][..], &bodies[1][..], &bodies[2][..]),
        (&all[..], &all[..5], &all[..2]),
        "first halves first"
    );
    assert_eq!(sender.ledger().total().resent, 0, "nobody took what was too large");
}

#[test]
fn a_single_line_that_gets_413_is_dropped_and_the_others_are_not() {
    let script = |request: &Request| Reply::status(if request.body.contains("\"m4\"") { 413 } else { 202 });
    let server = Server::new(script);
    let sender = quick(&server.url(), 10).build().unwrap();
    send(&sender, 10);
    let account = end(&sender, &server, 10);
    account.note("HTTP: 413 for one line, however alone");
    assert_eq!(account.missing, ["m4".to_owned()].into());
    let dropped = sender.ledger().row(Kind::Metric).dropped;
    assert_eq!((dropped.too_large, dropped.total()), (1, 1));
}

#[test]
fn what_may_pass_stays_at_the_front() {
    for status in [406, 408, 429, 500, 502, 503, 504, 599] {
        for takes in [false, true] {
            let again = Reply::status(status).taking(takes);
            let (server, ledger) = overcome(
                &kept_or_not("HTTP: 406, 408, 429 or 5xx, three times", takes),
                in_turn([Reply::status(202), again.clone(), again.clone(), again]),
            );
            let two = |number: usize| vec![format!("m{number}"), format!("m{}", number + 1)];
            assert_eq!(bodies(&server), [two(0), two(2), two(2), two(2), two(2), two(4)], "{status}");
            assert_eq!(ledger.total().resent, 6, "{status}");
        }
    }
}

#[test]
fn retry_after_in_seconds_is_waited_for() {
    let (server, _) = overcome("HTTP: 429, Retry-After: 1", in_turn([Reply::with(429, "Retry-After: 1\r\n", "")]));
    let requests = server.requests();
    // Time is counted in whole milliseconds.
    assert!(requests[1].at - requests[0].at >= Duration::from_millis(999));
    assert_eq!(requests[1].body, requests[0].body);
}

#[test]
fn retry_after_as_a_date_is_waited_for() {
    let date = SystemTime::now() + Duration::from_secs(2);
    let text = httpdate::fmt_http_date(date);
    // Whole seconds, rounded down.
    let date = httpdate::parse_http_date(&text).unwrap();
    let begun = (SystemTime::now(), Instant::now());
    let (server, _) = overcome(
        "HTTP: 503, Retry-After with a date",
        in_turn([Reply::with(503, &format!("Retry-After: {text}\r\n"), "")]),
    );
    let second = begun.0 + (server.requests()[1].at - begun.1);
    assert!(second + Duration::from_millis(5) >= date, "{date:?} {second:?}");
}

#[test]
fn retry_after_is_believed_for_five_minutes_at_most() {
    let server = Server::new(in_turn([Reply::with(429, "Retry-After: 86400\r\n", "")]));
    let sender = quick(&server.url(), 1).build().unwrap();
    send(&sender, 1);
    sender.flush(Duration::ZERO).unwrap_err();
    until("a failure", || sender.last_failure().is_some());
    let five_minutes = Duration::from_secs(300);
    assert_eq!(sender.last_failure(), Some(Failure::Status { code: 429, retry_after: Some(five_minutes) }));
    // Kept all the while, and told of at the end.
    assert_eq!(sender.ledger().total().queued, 1);
    let ledger = sender.close(Duration::ZERO);
    assert_eq!(ledger.total().dropped.closed, 1);
    Account::settle(names(1), [], &ledger);

    let mut delivery = clock();
    let token = leaves(&mut delivery, 7);
    delivery.outcome(token, Outcome::Retry { done: 0, after: Some(Duration::from_secs(86_400)) }, Millis(7));
    assert_eq!(waits(&mut delivery, 7), 300_000);
}

type OneLane = Delivery<[u8; 64], [Slot<[u8; 64]>; 4], [Lane<Small>; 1]>;

/// The sender's own machine on a clock that the test moves, with one line in it, and the waits that are the default.
fn clock() -> OneLane {
    let slots = core::array::from_fn(|_| Slot::new([0; 64]));
    let mut delivery = Delivery::new(Config::DEFAULT, slots, [Lane::new(Kind::Metric)]);
    delivery.push(Kind::Metric, b"m 1\n", 1).unwrap();
    delivery.flush();
    delivery
}

fn leaves(delivery: &mut OneLane, now: u64) -> wavefront_sdk::delivery::InFlight<[u8; 64]> {
    match delivery.poll(Millis(now), KindSet::ALL) {
        Action::Send(token) => token,
        other => panic!("{other:?}"),
    }
}

/// For how long it asks to be left alone.
fn waits(delivery: &mut OneLane, now: u64) -> u64 {
    match delivery.poll(Millis(now), KindSet::ALL) {
        Action::WaitUntil(until) => until.0 - now,
        Action::Send(token) => {
            delivery.outcome(token, Outcome::Unreachable, Millis(now));
            0
        }
        Action::Idle => panic!("it has a line to send"),
    }
}

#[test]
fn the_backoff_doubles_to_30_s_and_is_reset_by_a_success() {
    let mut delivery = clock();
    let mut now = 0;
    let again = Outcome::Retry { done: 0, after: None };
    for failure in 0..20 {
        let token = leaves(&mut delivery, now);
        delivery.outcome(token, again, Millis(now));
        let most = 30_000.min(100 << failure.min(20));
        if let Action::WaitUntil(until) = delivery.poll(Millis(now), KindSet::ALL) {
            assert!(until.0 - now <= most, "after {failure} failures: {} ms", until.0 - now);
        }
        now += most;
    }
    let token = leaves(&mut delivery, now);
    delivery.outcome(token, Outcome::Delivered, Millis(now));
    delivery.push(Kind::Metric, b"m 2\n", 1).unwrap();
    delivery.flush();
    let token = leaves(&mut delivery, now);
    delivery.outcome(token, again, Millis(now));
    if let Action::WaitUntil(until) = delivery.poll(Millis(now), KindSet::ALL) {
        assert!(until.0 - now <= 100, "a success was forgotten");
    }
}

#[test]
fn a_refused_token_waits_half_a_minute_to_five() {
    let mut delivery = clock();
    let mut now = 0;
    for failure in 0..20 {
        let token = leaves(&mut delivery, now);
        delivery.outcome(token, Outcome::Auth, Millis(now));
        let most = 300_000.min(30_000 << failure.min(10));
        if let Action::WaitUntil(until) = delivery.poll(Millis(now), KindSet::ALL) {
            assert!(until.0 - now <= most);
        }
        assert_eq!(delivery.ledger().total().queued, 1, "kept");
        now += most;
    }
}

#[test]
fn a_refused_token_keeps_the_data() {
    for status in [401, 403] {
        let refused = Reply::with(status, "", "no");
        let (server, ledger) =
            overcome("HTTP: 401 or 403 twice, then 202", in_turn([Reply::status(202), refused.clone(), refused]));
        assert_eq!(server.count(), 5);
        assert_eq!(ledger.total().resent, 0, "nobody took them");
    }
    // With the waits as they are: nothing is sent for a while, nothing is dropped.
    let server = Server::new(|_: &Request| Reply::status(401));
    let sender = Sender::builder(&server.url()).source("s").token("t").build().unwrap();
    send(&sender, 10);
    sender.flush(Duration::ZERO).unwrap_err();
    until("an answer", || sender.last_failure().is_some());
    assert_eq!(sender.last_failure(), Some(Failure::Status { code: 401, retry_after: None }));
    assert_eq!(sender.ledger().total().queued, 10);
    let ledger = sender.close(Duration::ZERO);
    assert_eq!(ledger.total().dropped.closed, 10);
    Account::settle(names(10), [], &ledger);
}

#[test]
fn any_other_4xx_is_dropped_and_told() {
    for status in [400, 402, 404, 405, 410, 411, 415, 422, 451, 499] {
        let server = Server::new(in_turn([Reply::status(202), Reply::with(status, "", "no such thing")]));
        let sender = quick(&server.url(), 2).build().unwrap();
        send(&sender, 6);
        let account = end(&sender, &server, 6);
        account.note("HTTP: another 4xx, once");
        let ledger = sender.ledger();
        assert_eq!(account.missing, ["m2".to_owned(), "m3".to_owned()].into());
        assert_eq!((ledger.total().delivered, ledger.total().dropped.rejected, server.count()), (4, 2, 3), "{status}");
        assert_eq!(sender.last_failure(), Some(Failure::Status { code: status, retry_after: None }));
    }
}

#[test]
fn a_timeout_is_tried_again() {
    let server = Server::new(in_turn([Reply::hang(), Reply::hang().taking(true)]));
    let sender = quick(&server.url(), 2).request_timeout(Duration::from_millis(300)).build().unwrap();
    send(&sender, 6);
    let account = end(&sender, &server, 6);
    account.note("HTTP: no answer in time, twice");
    assert!(account.missing.is_empty());
    assert_eq!(sender.ledger().total().delivered, 6);
    assert!(sender.ledger().total().resent >= 4);
}

#[test]
fn a_connection_that_breaks_is_tried_again() {
    let broken: [(&str, &[u8]); 6] = [
        ("HTTP: closed without an answer", b""),
        ("HTTP: closed within the answer", b"HTTP/1.1 20"),
        ("HTTP: closed within the answer", b"HTTP/1.1 202 Accepted\r\nContent-Le"),
        ("HTTP: garbage for an answer", b"SSH-2.0-OpenSSH_9.2\r\n"),
        ("HTTP: garbage for an answer", b"\0\x01\x02\xff\xfe garbage\r\n\r\n"),
        ("HTTP: garbage for an answer", b"HTTP/1.1 202 Accepted\r\nContent-Length: x\r\n\r\n"),
    ];
    for (fault, bytes) in broken {
        for takes in [false, true] {
            let reply = Reply::raw(bytes).taking(takes);
            let (_, ledger) = overcome(&kept_or_not(fault, takes), in_turn([Reply::status(202), reply.clone(), reply]));
            assert_eq!(ledger.total().resent, 4, "{fault}");
        }
    }
}

#[test]
fn a_connection_that_breaks_within_the_body_is_tried_again() {
    /// Closes the first three connections after so many bytes of the body.
    struct Cut;
    impl Script for Cut {
        fn reply(&self, _: &Request) -> Reply {
            Reply::status(202)
        }
        fn cut(&self, number: usize) -> Option<usize> {
            [0, 5, 20].get(number).copied()
        }
    }
    overcome("HTTP: closed half-way through the body", Cut);

    // A body of many packets, so that the client is still writing.
    let server = Server::new(Cut);
    let sender = quick(&server.url(), 10_000).build().unwrap();
    let text = "x".repeat(200);
    names(1000).for_each(|name| sender.send(Metric::new(&name, 1.0).tag("text", &text)).unwrap());
    let account = end(&sender, &server, 1000);
    account.note("HTTP: closed half-way through a large body");
    assert_eq!((account.missing.len(), account.duplicates), (0, 0));
}

#[test]
fn the_status_is_the_verdict_whatever_follows_it() {
    let half = |status: u16| format!("HTTP/1.1 {status} x\r\nContent-Length: 100\r\n\r\nonly this");
    let (server, _) = overcome(
        "HTTP: a status, and half of the text behind it",
        in_turn([Reply::raw(half(202).as_bytes()).taking(true), Reply::raw(half(503).as_bytes())]),
    );
    assert_eq!(server.count(), 4, "202 counts");
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 x\r\nContent-Length: 0\r\n\r\n";
    overcome("HTTP: 100 before 202", in_turn([Reply::raw(interim.as_bytes()).taking(true)]));
}

#[test]
fn a_refused_connection_is_tried_again() {
    let address = format!("127.0.0.1:{}", quiet_port());
    let sender = quick(&format!("http://{address}"), 2).build().unwrap();
    send(&sender, 6);
    until("a failure", || sender.last_failure().is_some());
    assert_eq!(sender.last_failure(), Some(Failure::Connect));
    assert_eq!(sender.ledger().total().queued + sender.ledger().total().in_flight, 6);
    let server = Server::on(TcpListener::bind(&address).unwrap(), |_: &Request| Reply::status(202));
    let account = end(&sender, &server, 6);
    account.note("HTTP: connection refused, then a server");
    assert_eq!((account.missing.len(), account.duplicates, sender.ledger().total().resent), (0, 0, 0));
}

#[test]
fn an_idle_connection_that_the_server_closes_costs_nothing() {
    // Closed behind each answer without a word: the next request meets it, or does not.
    let (server, _) = overcome("HTTP: closed behind each answer", |_: &Request| Reply::status(202).and_close());
    assert!(server.count() >= 3);

    let server = Server::new(|_: &Request| Reply::status(202));
    let sender = quick(&server.url(), 1).build().unwrap();
    for name in names(200) {
        sender.send(Metric::new(&name, 1.0)).unwrap();
        sender.flush(LONG).unwrap();
        // At any moment between two requests.
        server.close_connections();
    }
    let account = end(&sender, &server, 200);
    account.note("HTTP: an idle close between any two requests");
    assert!(account.missing.is_empty());

    // At any moment at all.
    let server = Server::new(|_: &Request| Reply::status(202));
    let sender = quick(&server.url(), 1).in_flight(4).build().unwrap();
    thread::scope(|scope| {
        let sending = scope.spawn(|| {
            for name in names(2000) {
                sender.send(Metric::new(&name, 1.0)).unwrap();
                thread::sleep(Duration::from_micros(200));
            }
        });
        while !sending.is_finished() {
            server.close_connections();
            thread::sleep(Duration::from_micros(300));
        }
    });
    let account = end(&sender, &server, 2000);
    account.note("HTTP: all connections closed at any moment");
    assert!(account.missing.is_empty());
}

/// Answers 429 to metrics, and asks for a long time.
fn no_metrics(request: &Request) -> Reply {
    match &*request.call {
        "POST /report?f=wavefront" => Reply::with(429, "Retry-After: 300\r\n", ""),
        _ => Reply::status(202),
    }
}

#[test]
fn a_batch_that_waits_holds_up_nobody_elses_kind() {
    for in_flight in [1, 4] {
        let server = Server::new(no_metrics);
        let sender = quick(&server.url(), 1).in_flight(in_flight).build().unwrap();
        sender.send(Metric::new("m0", 1.0)).unwrap();
        until("429", || server.count() > 0);
        for number in 0..20 {
            sender.send(Histogram::new(&format!("h{number}"), &[(1.0, 1)])).unwrap();
        }
        until("the histograms", || server.taken().len() == 20);
        until("their rows", || sender.ledger().row(Kind::Histogram).delivered == 20);
        assert_eq!(sender.ledger().row(Kind::Metric).queued, 1);
        let ledger = sender.close(Duration::ZERO);
        let sent = (0..20).map(|number| format!("h{number}")).chain(["m0".to_owned()]);
        let taken = server.taken();
        let account = Account::settle(sent, taken.iter().map(String::as_str), &ledger);
        account.note("HTTP: 429 for one kind until the end");
        assert_eq!((account.missing.len(), ledger.row(Kind::Metric).dropped.closed), (1, 1));
    }
}

/// Answers nobody until so many are here, or were.
struct Gathering {
    wanted: usize,
    here: Mutex<usize>,
    more: Condvar,
}

#[test]
fn four_requests_are_under_way_at_once() {
    for (given, wanted) in [(None, 4), (Some(1), 1), (Some(7), 7)] {
        let gathering = Arc::new(Gathering { wanted, here: Mutex::default(), more: Condvar::new() });
        let server = Server::new({
            let gathering = Arc::clone(&gathering);
            move |_: &Request| {
                let Gathering { wanted, here, more } = &*gathering;
                let mut here = here.lock().unwrap();
                *here += 1;
                more.notify_all();
                let (_here, waited) = more.wait_timeout_while(here, LONG, |here| *here < *wanted).unwrap();
                if waited.timed_out() { Reply::status(400) } else { Reply::status(202) }
            }
        });
        let mut builder = Sender::builder(&server.url()).source("s").batch_size(5).request_timeout(2 * LONG);
        if let Some(given) = given {
            builder = builder.in_flight(given);
        }
        let sender = builder.build().unwrap();
        send(&sender, 200);
        let account = end(&sender, &server, 200);
        account.note("HTTP: a slow server, 1, 4 or 7 requests in flight");
        assert_eq!((account.missing.len(), account.duplicates), (0, 0));
        assert_eq!(server.most_at_once(), wanted);
    }
}
