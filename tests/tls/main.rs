//! TLS with authorities made in the test, over real sockets: who is trusted, who is not, and that no line is lost by it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::std_instead_of_core)]

mod authority;
mod contract;
mod front;
mod killed;
mod options;
mod proxy;
#[path = "../transports/receiver.rs"]
mod receiver;

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver as Told};
use std::time::Duration;

use authority::{Authority, FUTURE, Identity, NOW, PAST};
use front::{EVERY, Front, config};
use rustls::SupportedProtocolVersion;
use wavefront_sdk::collector::{Collector, Port};
use wavefront_sdk::delivery::Backoff;
use wavefront_sdk::sender::{Blame, Fate, Incident, SenderBuilder, Trouble};
use wavefront_sdk::transport::{Failure, Tls, TlsProblem};
use wavefront_sdk::{DeltaCounter, Metric, Sender};

const LONG: Duration = Duration::from_secs(30);
const QUICK: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(50));

/// A collector with TLS in front of it, and who has signed its certificate.
struct Set {
    authority: Authority,
    collector: Collector,
    front: Front,
}

impl Set {
    fn new() -> Self {
        let authority = Authority::new("right");
        let collector = Collector::builder().listen("127.0.0.1:0").start().unwrap();
        let own = config(&authority.certify(&["127.0.0.1", "localhost"], NOW), None, EVERY);
        let front = Front::new("127.0.0.1:0", collector.addr(Port::Metrics).unwrap(), own);
        Self { authority, collector, front }
    }

    fn tls(&self) -> Tls {
        Tls::new().ca_pem(self.authority.pem())
    }

    /// The front's addresses over HTTP and TCP, by `host`.
    fn urls(&self, host: &str) -> [String; 2] {
        ["https", "tcp+tls"].map(|scheme| format!("{scheme}://{host}:{}", self.front.address.port()))
    }

    /// From now on it shows a certificate by the right authority, for the right names, and takes everybody.
    fn mend(&self) {
        self.front.set(config(&self.authority.certify(&["127.0.0.1", "localhost"], NOW), None, EVERY));
    }
}

/// A builder whose sender tells everything to who comes with it.
fn told(url: &str, tls: Tls) -> (SenderBuilder, Told<Incident>) {
    let (teller, told) = mpsc::channel();
    let builder = Sender::builder(url).tls(tls).source("s").backoff(QUICK).flush_interval(Duration::from_millis(5));
    let builder = builder.on_error(move |incident| {
        let _ = teller.send(incident.clone());
    });
    (builder, told)
}

#[test]
fn lines_go_to_whom_an_own_authority_has_signed() {
    let set = Set::new();
    let file = std::env::temp_dir().join(format!("wavefront-ca-{}.pem", std::process::id()));
    std::fs::write(&file, set.authority.pem()).unwrap();
    let mut expected = 0;
    for host in ["127.0.0.1", "localhost"] {
        for url in set.urls(host) {
            for tls in [set.tls(), Tls::new().ca_file(&file), set.tls().only_own_ca()] {
                let (builder, told) = told(&url, tls);
                let sender = builder.build().unwrap();
                for value in 0..1000 {
                    sender.send(Metric::new("m", f64::from(value))).unwrap();
                }
                let ledger = sender.close(LONG);
                assert_eq!((ledger.total().delivered, ledger.total().resent), (1000, 0), "{url}");
                assert_eq!(told.try_iter().next(), None);
                expected += 1000;
            }
        }
    }
    std::fs::remove_file(&file).unwrap();
    let has_all = |summary: &wavefront_sdk::collector::Summary| summary.accepted() == expected;
    set.collector.wait_until(has_all, LONG).unwrap();
}

/// What is refused is kept, told of as what it is, and delivered once the receiver has mended it.
#[track_caller]
fn refused_and_then_delivered(set: &Set, url: &str, tls: Tls, problem: TlsProblem, mend: impl FnOnce()) {
    let before = set.collector.snapshot().accepted();
    let (builder, told) = told(url, tls);
    let sender = builder.build().unwrap();
    // A delta that is sent twice would count twice: none may be in doubt.
    for _ in 0..10 {
        sender.send(DeltaCounter::new("d", 1.0)).unwrap();
    }
    let incident = told.recv_timeout(LONG).unwrap_or_else(|_| panic!("{url} {problem:?}: not a word"));
    let trouble = Trouble::Failed(Failure::Tls(problem));
    assert_eq!((incident.trouble, incident.fate), (trouble, Fate::Kept), "{url}: {incident}");
    assert_eq!(incident.blame(), Blame::Certificate);
    assert!(incident.to_string().contains(problem.as_str()), "{incident}");
    let error = sender.flush(Duration::from_millis(20)).unwrap_err();
    assert_eq!((error.left, error.lost), (10, 0), "{url}");
    assert_eq!(error.last_failure, Some(Failure::Tls(problem)));
    assert_eq!(set.collector.snapshot().accepted(), before);
    mend();
    let ledger = sender.close(LONG);
    let total = ledger.total();
    assert_eq!((total.delivered, total.doubtful, total.dropped.total(), total.resent), (10, 0, 0, 0), "{url}");
    let has_all = |summary: &wavefront_sdk::collector::Summary| summary.accepted() == before + 10;
    set.collector.wait_until(has_all, LONG).unwrap();
    for incident in told.try_iter() {
        assert_eq!((incident.trouble, incident.fate), (trouble, Fate::Kept), "{url}: {incident}");
    }
}

#[test]
fn a_wrong_authority_an_expired_certificate_and_a_wrong_host_are_refused_and_nothing_is_lost() {
    let set = Set::new();
    let names = ["127.0.0.1", "localhost"];
    for url in set.urls("127.0.0.1") {
        for (identity, problem) in [
            (Authority::new("wrong").certify(&names, NOW), TlsProblem::UnknownAuthority),
            // By the name of the right one, and not by it.
            (Authority::new("right").certify(&names, NOW), TlsProblem::BadCertificate),
            (set.authority.certify(&names, PAST), TlsProblem::Expired),
            (set.authority.certify(&names, FUTURE), TlsProblem::NotYetValid),
            (set.authority.certify(&["localhost", "127.0.0.2"], NOW), TlsProblem::WrongName),
        ] {
            set.front.set(config(&identity, None, EVERY));
            refused_and_then_delivered(&set, &url, set.tls(), problem, || set.mend());
        }
    }
}

#[test]
fn by_default_only_the_machine_is_trusted() {
    let set = Set::new();
    for url in set.urls("127.0.0.1") {
        // A machine without certificates says so at once.
        let Ok(sender) = Sender::builder(&url).source("s").backoff(QUICK).build() else { continue };
        sender.send(Metric::new("m", 1.0)).unwrap();
        sender.flush(Duration::from_millis(500)).unwrap_err();
        let ledger = sender.close(Duration::ZERO);
        assert_eq!((ledger.total().delivered, ledger.total().written), (0, 0), "{url}");
    }
    assert_eq!(set.collector.stop().accepted(), 0);
}

#[test]
fn who_the_client_is_matters_where_the_receiver_wants_to_know() {
    let set = Set::new();
    let clients = Authority::new("clients");
    let names = ["127.0.0.1"];
    let own: Identity = set.authority.certify(&names, NOW);
    let versions: [&[&SupportedProtocolVersion]; 2] = [&[&rustls::version::TLS12], &[&rustls::version::TLS13]];
    for versions in versions {
        for url in set.urls("127.0.0.1") {
            let wants = || set.front.set(config(&own, Some(&clients.pem()), versions));
            let with = |identity: &Identity| set.tls().client_pem(&identity.certificate, &identity.key);
            let right = clients.certify(&["client"], NOW);
            wants();
            let (builder, told) = told(&url, with(&right));
            let sender = builder.build().unwrap();
            sender.send(DeltaCounter::new("d", 1.0)).unwrap();
            assert_eq!(sender.close(LONG).total().delivered, 1, "{url}");
            assert_eq!(told.try_iter().next(), None, "{url}");

            let before = set.collector.snapshot().accepted();
            let has_it = |summary: &wavefront_sdk::collector::Summary| summary.accepted() >= before.max(1);
            set.collector.wait_until(has_it, LONG).unwrap();
            let expired = clients.certify(&["client"], PAST);
            let wrong = Authority::new("others").certify(&["client"], NOW);
            for tls in [set.tls(), with(&wrong), with(&expired)] {
                wants();
                refused_and_then_delivered(&set, &url, tls, TlsProblem::OwnCertificate, || set.mend());
            }
        }
    }
}

#[test]
fn a_peer_without_tls_is_told_of() {
    let collector = Collector::builder().listen("127.0.0.1:0").start().unwrap();
    let port = collector.addr(Port::Metrics).unwrap().port();
    let greeter = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let greeting = greeter.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = greeter.accept() {
            let _ = std::io::Write::write_all(&mut stream, b"220 mail.example.com ESMTP\r\n");
            // It goes once the client has.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    for scheme in ["https", "tcp+tls"] {
        let tls = || Tls::new().ca_pem(Authority::new("any").pem());
        let (builder, told) = told(&format!("{scheme}://127.0.0.1:{greeting}"), tls());
        let sender = builder.build().unwrap();
        sender.send(Metric::new("m", 1.0)).unwrap();
        let incident = told.recv_timeout(LONG).unwrap();
        assert_eq!(incident.trouble, Trouble::Failed(Failure::Tls(TlsProblem::NotTls)), "{scheme}: {incident}");
        assert_eq!(sender.close(Duration::ZERO).total().dropped.closed, 1);
        drop(told);

        // The collector takes a greeting for lines, and rejects them.
        let tcp = Sender::builder(&format!("{scheme}://127.0.0.1:{port}")).tls(tls()).source("s").backoff(QUICK);
        let sender = tcp.request_timeout(Duration::from_millis(300)).build().unwrap();
        sender.send(Metric::new("m", 1.0)).unwrap();
        sender.flush(Duration::from_millis(500)).unwrap_err();
        assert_eq!(sender.close(Duration::ZERO).total().delivered, 0);
    }
    assert_eq!(collector.stop().accepted(), 0);
}

#[test]
fn the_cryptography_is_the_one_that_was_given() {
    let set = Set::new();
    let only = rustls::CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.retain(|suite| suite.suite() == only);
    let provider = Arc::new(provider);
    for (number, url) in set.urls("localhost").into_iter().enumerate() {
        let (builder, _) = told(&url, set.tls().crypto_provider(provider.clone()));
        let sender = builder.build().unwrap();
        sender.send(Metric::new("m", 1.0)).unwrap();
        assert_eq!(sender.close(LONG).total().delivered, 1);
        assert_eq!(*set.front.suites.lock().unwrap(), vec![only; number + 1], "{url}");
    }
}
