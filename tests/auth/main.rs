//! Tokens that are renewed while lines are sent: a service that issues them and fails, a receiver that refuses them, real
//! sockets. No line is lost, and no secret is shown.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::std_instead_of_core)]

mod service;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver as Told};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use service::{Csp, Receiver};
use wavefront_sdk::delivery::Backoff;
use wavefront_sdk::sender::{Blame, BuildError, EndpointError, Fate, Incident, SenderBuilder, Trouble};
use wavefront_sdk::transport::{self, Failure, Token, TokenError, TokenProvider};
use wavefront_sdk::{Metric, Sender};

const LONG: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const QUICK: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(20));
/// What must not be seen anywhere; and what is issued begins with `issued`.
const SECRET: &str = "5eCr3t-0123";

/// A builder whose sender tells everything to who comes with it, after a look for secrets.
fn told(builder: SenderBuilder) -> (SenderBuilder, Told<Incident>) {
    let (teller, told) = mpsc::channel();
    let builder = builder.source("s").flush_interval(Duration::from_millis(5)).backoff(QUICK);
    let builder = builder.on_error(move |incident| {
        let _ = teller.send(incident.clone());
    });
    shows_no_secret(&format!("{builder:?}"));
    (builder, told)
}

#[track_caller]
fn shows_no_secret(text: &str) {
    assert!(!text.contains("5eCr3t") && !text.contains("issued-"), "{text}");
}

fn seen(told: &Told<Incident>) -> Vec<Incident> {
    let seen: Vec<_> = told.try_iter().collect();
    for incident in &seen {
        shows_no_secret(&format!(
            "{incident} {incident:?} {:?}",
            incident.answer().filter(|text| text.contains(SECRET))
        ));
    }
    seen
}

/// The first that is told, however long that takes.
fn first(told: &Told<Incident>) -> Incident {
    let incident = told.recv_timeout(LONG).expect("an incident");
    shows_no_secret(&format!("{incident} {incident:?}"));
    incident
}

fn line(value: usize) -> Metric<'static> {
    Metric::new("m", value as f64)
}

/// That the receiver has exactly the lines from 0 on.
#[track_caller]
fn all_arrived(receiver: &Receiver, lines: usize) {
    let mut values: Vec<usize> = receiver.state.lines.lock().unwrap().iter().map(|line| value_of(line)).collect();
    values.sort_unstable();
    assert!(values.into_iter().eq(0..lines));
}

fn value_of(line: &str) -> usize {
    line.split(' ').nth(1).unwrap().parse::<f64>().unwrap() as usize
}

#[test]
fn tokens_expire_renewals_fail_and_no_line_is_lost() {
    // Renewed after a second, good for two; every other renewal fails, the first too.
    let csp = Csp::new(200, 2);
    csp.state.falters.store(true, Ordering::SeqCst);
    let good = csp.state.clone();
    let receiver = Receiver::new(move |token| good.is_good(token));
    let builder = Sender::builder(&receiver.url()).csp_api_token(SECRET).csp_base(csp.url());
    let (builder, told) = told(builder.auth_backoff(QUICK).in_flight(8));
    let sender = builder.build().unwrap();
    let began = Instant::now();
    let mut lines = 0;
    while csp.issued() < 4 && began.elapsed() < LONG {
        sender.send(line(lines)).unwrap();
        lines += 1;
        thread::sleep(Duration::from_millis(2));
    }
    csp.state.falters.store(false, Ordering::SeqCst);
    let ledger = sender.close(LONG);
    assert_eq!((ledger.total().delivered, ledger.total().dropped.total()), (lines, 0));
    all_arrived(&receiver, lines);
    assert!(csp.issued() >= 4, "{}", csp.issued());
    assert_eq!(csp.state.most.load(Ordering::SeqCst), 1, "renewals under way at a time");
    let no_token = Trouble::Failed(Failure::NoToken { refused: false });
    let seen = seen(&told);
    assert!(seen.iter().any(|incident| incident.trouble == no_token && incident.fate == Fate::Kept), "{seen:?}");
    assert!(seen.iter().all(|incident| incident.fate == Fate::Kept));
}

#[test]
fn the_old_token_serves_while_renewals_fail() {
    // By the rule it is renewed after one second, and serves for 31.
    let csp = Csp::new(200, 31);
    let good = csp.state.clone();
    let receiver = Receiver::new(move |token| good.is_good(token));
    let builder = Sender::builder(&receiver.url()).csp_app("id", SECRET, None).csp_base(csp.url());
    let (builder, told) = told(builder);
    let sender = builder.build().unwrap();
    sender.send(line(0)).unwrap();
    sender.flush(LONG).unwrap();
    csp.set(503, 31);
    let mut lines = 1;
    while csp.asked() < 4 {
        sender.send(line(lines)).unwrap();
        sender.flush(LONG).unwrap();
        lines += 1;
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(receiver.tokens(), [("issued-1".to_owned(), true)]);
    csp.set(200, HOUR.as_secs());
    while receiver.tokens().len() == 1 {
        sender.send(line(lines)).unwrap();
        sender.flush(LONG).unwrap();
        lines += 1;
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(receiver.tokens().last().unwrap(), &("issued-2".to_owned(), true));
    assert_eq!(sender.close(LONG).total().delivered, lines);
    all_arrived(&receiver, lines);
    assert_eq!(seen(&told), [], "nobody has noticed");
    assert_eq!(csp.state.most.load(Ordering::SeqCst), 1);
}

#[test]
fn many_ask_and_one_renewal_is_under_way() {
    let csp = Csp::new(200, HOUR.as_secs());
    *csp.state.takes.lock().unwrap() = Duration::from_millis(50);
    let provider = transport::Csp::api_token(SECRET).base(csp.url()).build().unwrap();
    let barrier = Arc::new(Barrier::new(16));
    let asks: Vec<_> = (0..16)
        .map(|_| {
            let (provider, barrier) = (provider.clone(), barrier.clone());
            thread::spawn(move || {
                barrier.wait();
                let first = provider.token().unwrap();
                barrier.wait();
                // Refused by everybody at once: renewed once.
                provider.refused(&first, 401);
                (first, provider.token().unwrap())
            })
        })
        .collect();
    let (first, second) = (Token::new("issued-1").unwrap(), Token::new("issued-2").unwrap());
    for ask in asks {
        assert_eq!(ask.join().unwrap(), (first.clone(), second.clone()));
    }
    assert_eq!((csp.asked(), csp.state.most.load(Ordering::SeqCst)), (2, 1));
    provider.refused(&first, 401);
    assert_eq!(provider.token(), Ok(second), "a token that has gone long since");
}

#[test]
fn a_refused_token_is_renewed_at_once_and_the_lines_go_with_the_new_one() {
    let csp = Csp::new(200, HOUR.as_secs());
    let receiver = Receiver::new(|token| token == "issued-2");
    let (builder, told) = told(Sender::builder(&receiver.url()).csp_api_token(SECRET).csp_base(csp.url()));
    let sender = builder.auth_backoff(Backoff::new(HOUR, HOUR)).build().unwrap();
    sender.send(line(0)).unwrap();
    sender.flush(LONG).unwrap();
    sender.send(line(1)).unwrap();
    assert_eq!(sender.close(LONG).total().delivered, 2);
    all_arrived(&receiver, 2);
    assert_eq!(receiver.tokens(), [("issued-1".into(), false), ("issued-2".into(), true)]);
    assert_eq!((csp.asked(), seen(&told)), (2, vec![]));
}

#[test]
fn a_receiver_that_refuses_every_token_is_told_of_and_left_alone_for_long() {
    let csp = Csp::new(200, HOUR.as_secs());
    let receiver = Receiver::new(|_| false);
    let (builder, told) = told(Sender::builder(&receiver.url()).csp_api_token(SECRET).csp_base(csp.url()));
    let sender = builder.auth_backoff(Backoff::new(HOUR, HOUR)).in_flight(1).build().unwrap();
    sender.send(line(0)).unwrap();
    let incident = first(&told);
    assert_eq!((incident.trouble, incident.fate), (Trouble::Auth(401), Fate::Kept));
    assert_eq!(incident.blame(), Blame::Token);
    let error = sender.flush(Duration::from_millis(50)).unwrap_err();
    assert_eq!((error.left, error.lost), (1, 0));
    assert_eq!(receiver.tokens(), [("issued-1".into(), false), ("issued-2".into(), false)]);
    assert_eq!(csp.asked(), 2, "one renewal, then the long wait");
    assert_eq!(sender.ledger().total().unsettled(), 1, "kept");
    sender.close(Duration::ZERO);
}

#[test]
fn refused_credentials_are_told_of_and_keep_the_lines() {
    for status in [400, 401, 403, 404] {
        let csp = Csp::new(status, 0);
        let receiver = Receiver::new(|_| true);
        let builder = Sender::builder(&receiver.url()).csp_app("id", SECRET, Some("org")).csp_base(csp.url());
        let (builder, told) = told(builder);
        let sender = builder.auth_backoff(Backoff::new(HOUR, HOUR)).build().unwrap();
        sender.send(line(0)).unwrap();
        let incident = first(&told);
        let refused = Failure::NoToken { refused: true };
        assert_eq!((incident.trouble, incident.blame(), incident.lines), (Trouble::Failed(refused), Blame::Token, 1));
        assert!(incident.to_string().contains(&format!("answered {status}")), "{incident}");
        let error = sender.flush(Duration::from_millis(50)).unwrap_err();
        assert_eq!((error.left, error.last_failure), (1, Some(refused)));
        shows_no_secret(&format!("{error} {error:?} {sender:?}"));
        assert_eq!(csp.asked(), 1, "{status}: it is not asked again and again");
        assert_eq!(sender.ledger().total().unsettled(), 1);
        sender.close(Duration::ZERO);
        assert!(receiver.tokens().is_empty());
    }
}

#[test]
fn a_service_that_is_away_ill_or_no_service_of_the_sort_is_tried_again() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ill = Csp::new(500, 0);
    let other = service::serve(|_| (200, "<html>welcome</html>".into()));
    for (base, words) in [
        (format!("http://{gone}"), "no connection to the token service"),
        (ill.url(), "the token service answered 500"),
        (format!("http://{other}"), "something else than a token"),
    ] {
        let receiver = Receiver::new(|_| true);
        let (builder, told) = told(Sender::builder(&receiver.url()).csp_api_token(SECRET).csp_base(base));
        let sender = builder.build().unwrap();
        sender.send(line(0)).unwrap();
        for incident in [first(&told), first(&told)] {
            let away = Trouble::Failed(Failure::NoToken { refused: false });
            assert_eq!((incident.trouble, incident.fate, incident.blame()), (away, Fate::Kept, Blame::Token));
            assert!(incident.to_string().contains(words), "{incident}");
        }
        sender.close(Duration::ZERO);
    }
    assert!(ill.asked() > 0);
}

#[test]
fn the_service_is_asked_as_it_says() {
    let ask = |builder: transport::CspBuilder| {
        let csp = Csp::new(200, 1799);
        let provider = builder.base(csp.url() + "/prefix/").build().unwrap();
        assert_eq!(provider.token().unwrap(), Token::new("issued-1").unwrap());
        shows_no_secret(&format!("{provider:?}"));
        let request = csp.state.requests.lock().unwrap()[0].clone();
        assert_eq!(request.header("content-type"), "application/x-www-form-urlencoded");
        (request.call.clone(), request.header("authorization").to_owned(), request.body)
    };
    assert_eq!(
        ask(transport::Csp::api_token(" a&b=c\n")),
        (
            "POST /prefix/csp/gateway/am/api/auth/api-tokens/authorize".into(),
            String::new(),
            "api_token=a%26b%3Dc".into()
        )
    );
    // RFC 7617, 2: the example there.
    let (path, basic) = ("POST /prefix/csp/gateway/am/api/auth/authorize", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_eq!(
        ask(transport::Csp::app("Aladdin", "open sesame", None)),
        (path.into(), basic.into(), "grant_type=client_credentials".into())
    );
    assert_eq!(
        ask(transport::Csp::app("Aladdin", "open sesame", Some("a b"))),
        (path.into(), basic.into(), "grant_type=client_credentials&orgId=a+b".into())
    );
}

#[test]
fn a_provider_of_ones_own_rotates_at_run_time() {
    let receiver = Receiver::new(|token| token == "issued-new");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let provider = move || match count.fetch_add(1, Ordering::SeqCst) {
        0 => Err(TokenError::unavailable("not yet")),
        1 => Token::new("issued-old").map_err(|error| TokenError::refused(error.as_str())),
        _ => Token::new("issued-new").map_err(|error| TokenError::refused(error.as_str())),
    };
    let (builder, told) = told(Sender::builder(&receiver.url()).token_provider(provider));
    let sender = builder.build().unwrap();
    sender.send(line(0)).unwrap();
    assert_eq!(sender.close(LONG).total().delivered, 1);
    assert_eq!(receiver.tokens(), [("issued-old".into(), false), ("issued-new".into(), true)]);
    let seen = seen(&told);
    assert_eq!(seen.len(), 1);
    assert!(seen[0].to_string().ends_with("no token: not yet"), "{}", seen[0]);
}

#[test]
fn every_wrong_option_is_an_error_that_names_it() {
    type Change = fn(SenderBuilder) -> SenderBuilder;
    let wrong: [(&str, Change); 12] = [
        ("csp_api_token", |b| b.csp_api_token("")),
        ("csp_app", |b| b.csp_app("", SECRET, None)),
        ("csp_app", |b| b.csp_app("id", " ", None)),
        ("csp_app", |b| b.csp_app("i:d", SECRET, None)),
        ("csp_base", |b| b.csp_api_token(SECRET).csp_base(SECRET)),
        ("csp_base", |b| b.csp_api_token(SECRET).csp_base("http://example.com")),
        ("csp_base", |b| b.csp_base("https://example.com")),
        ("csp_base", |b| b.csp_base("https://example.com").token_provider(Token::new(SECRET).unwrap())),
        ("token", |b| b.csp_api_token(SECRET).token(SECRET)),
        ("token", |b| b.csp_api_token(SECRET).csp_app("id", SECRET, None)),
        ("token", |b| b.csp_api_token(SECRET).token_provider(Token::new(SECRET).unwrap())),
        ("token", |b| b.token(SECRET).token_provider(Token::new(SECRET).unwrap())),
    ];
    for (number, (option, change)) in wrong.into_iter().enumerate() {
        let error = change(Sender::builder("http://127.0.0.1:1")).build().unwrap_err();
        assert!(error.to_string().starts_with(&format!("{option} has to be ")), "{number}: {error}");
        shows_no_secret(&format!("{error} {error:?}"));
    }
    let of_own: [(&str, Change); 3] = [
        ("csp_api_token", |b| b.csp_api_token(SECRET)),
        ("csp_app", |b| b.csp_app("id", SECRET, Some(""))),
        ("token_provider", |b| b.token_provider(Token::new(SECRET).unwrap())),
    ];
    for (option, change) in of_own {
        let error = change(SenderBuilder::over(transport::Memory::new())).build().unwrap_err();
        assert!(error.to_string().starts_with(&format!("{option} has to be left out")), "{error}");
    }
    let of_url = |url: &str| match Sender::builder(url).csp_api_token(SECRET).build().unwrap_err() {
        BuildError::Endpoint(error) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(of_url("http://example.com"), EndpointError::PlainToken);
    assert_eq!(of_url("tcp://localhost"), EndpointError::TokenForProxy);
    assert_eq!(of_url("proxy://localhost"), EndpointError::TokenForProxy);
    let error = Sender::builder(&format!("https://{SECRET}@h")).csp_api_token(SECRET).build().unwrap_err();
    assert!(error.to_string().starts_with("token has to be the only one"), "{error}");
    shows_no_secret(&format!("{error} {error:?}"));
}
