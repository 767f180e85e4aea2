//! A receiver that is killed and started again, over TLS: nothing is lost.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use wavefront_sdk::collector::{Collector, Port};
use wavefront_sdk::transport::Tls;
use wavefront_sdk::{Metric, Sender};

use crate::authority::{Authority, Identity, NOW};
use crate::front::{EVERY, Front, config};
use crate::{LONG, QUICK};

const ADDRESS: &str = "WAVEFRONT_TEST_FRONT";
const BEHIND: &str = "WAVEFRONT_TEST_BEHIND";
const CERTIFICATE: &str = "WAVEFRONT_TEST_CERTIFICATE";
const KEY: &str = "WAVEFRONT_TEST_KEY";

/// A process of its own that has TLS in front of `behind`.
fn start(address: &str, behind: SocketAddr, identity: &Identity) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::lines_survive_a_receiver_that_is_killed"])
        .env(ADDRESS, address)
        .env(BEHIND, behind.to_string())
        .env(CERTIFICATE, &identity.certificate)
        .env(KEY, &identity.key)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The test calls itself as the process that is killed.
#[test]
fn lines_survive_a_receiver_that_is_killed() {
    let set = |name| std::env::var(name).ok();
    if let (Some(address), Some(behind), Some(certificate), Some(key)) =
        (set(ADDRESS), set(BEHIND), set(CERTIFICATE), set(KEY))
    {
        let identity = Identity { certificate, key };
        let _front = Front::new(&address, behind.parse().unwrap(), config(&identity, None, EVERY));
        // Killed long before.
        thread::sleep(10 * LONG);
        return;
    }
    let seen: Arc<Mutex<Vec<usize>>> = Arc::default();
    let note = seen.clone();
    let builder = Collector::builder().listen("127.0.0.1:0").on_line(move |line| {
        let value = line.raw.split(' ').nth(1).unwrap().parse::<f64>().unwrap();
        note.lock().unwrap().push(value as usize);
    });
    let collector = builder.start().unwrap();
    let behind = collector.addr(Port::Metrics).unwrap();
    let authority = Authority::new("right");
    let identity = authority.certify(&["127.0.0.1"], NOW);
    // A port that was free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let tls = Tls::new().ca_pem(authority.pem());
    let builder = Sender::builder(&format!("tcp+tls://{address}")).tls(tls).source("s").backoff(QUICK);
    let sender = builder.flush_interval(Duration::from_millis(5)).build().unwrap();
    let count = || {
        let mut seen = seen.lock().unwrap().clone();
        seen.sort_unstable();
        seen.dedup();
        seen.len()
    };
    let mut lines = 0;
    for round in 0..4 {
        let mut front = start(&address.to_string(), behind, &identity);
        let (before, began) = (count(), Instant::now());
        // In the midst of things: some of this round have arrived, others are under way.
        while count() < before + 2_000 && began.elapsed() < LONG {
            for _ in 0..50 {
                sender.send(Metric::new("m", lines as f64)).unwrap();
                lines += 1;
            }
            thread::sleep(Duration::from_millis(1));
        }
        assert!(count() >= before + 2_000, "round {round}: {} of {lines}", count());
        front.kill().unwrap();
        front.wait().unwrap();
    }
    let mut front = start(&address.to_string(), behind, &identity);
    let ledger = sender.close(LONG);
    assert_eq!((ledger.total().delivered, ledger.total().dropped.total()), (lines, 0));
    assert!(ledger.total().resent > 0, "it was killed with lines under way");
    let began = Instant::now();
    while count() < lines && began.elapsed() < LONG {
        thread::sleep(Duration::from_millis(5));
    }
    front.kill().unwrap();
    front.wait().unwrap();
    assert_eq!(count(), lines, "each of them has arrived");
}
