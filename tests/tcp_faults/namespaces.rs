//! Names that change their address and packets that go nowhere, in namespaces of the test's own.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use wavefront_sdk::transport::Tcp;
use wavefront_sdk::{Kind, Sender};

use crate::peer::Peer;
use crate::{LONG, Reader, Scratch, deltas, metrics, over, read_lines, tally, wait_until};

/// Set for the run of a test inside its namespaces.
const INSIDE: &str = "WAVEFRONT_TEST_INSIDE";

/// Whether this is the run inside; outside, runs the test of this name inside and waits for it.
fn inside(flags: &str, test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let mut command = Command::new("unshare");
    command.args([flags, "--"]).arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    let output = command.env(INSIDE, "1").output().expect("unshare is of util-linux");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "in {flags}: {text}");
    false
}

/// A command with its arguments, apart by spaces.
#[track_caller]
fn run(command: &str) {
    let mut words = command.split(' ');
    let output = Command::new(words.next().unwrap()).args(words).output();
    let output = output.unwrap_or_else(|error| panic!("{command}: {error}"));
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_name_is_looked_up_at_each_connect() {
    if !inside("-rm", "namespaces::a_name_is_looked_up_at_each_connect") {
        return;
    }
    let scratch = Scratch::new();
    let hosts = scratch.path("hosts");
    let point_to = |address: &str| fs::write(&hosts, format!("{address} proxy.test\n")).unwrap();
    point_to("127.0.0.2");
    run(&format!("mount --bind {} /etc/hosts", hosts.display()));

    let first = TcpListener::bind("127.0.0.2:0").unwrap();
    let port = first.local_addr().unwrap().port();
    let second = TcpListener::bind(("127.0.0.3", port)).unwrap();
    let reader = Reader::on(&second);
    let url = format!("tcp://proxy.test:{port}");
    let sender = Sender::builder(&url).source("host-1").build().unwrap();
    metrics(&sender, 0..10);
    sender.flush(LONG).unwrap();
    let (mut stream, _) = first.accept().unwrap();
    let before = read_lines(&mut stream, 10);
    // The proxy moves.
    point_to("127.0.0.3");
    drop((stream, first));
    metrics(&sender, 10..20);
    let row = *sender.close(LONG).row(Kind::Metric);
    assert!(row.delivered == 20 && row.resent >= 10, "{row:?}");
    let received = reader.received();
    assert_eq!(tally(received.clone()).len(), 20, "what was in the window comes too");
    assert_eq!((before.len(), received.len()), (10, 20));
    run("umount /etc/hosts");
}

/// The peer's packets and ours go nowhere, without a FIN or a reset: an unplugged cable, a host that froze.
#[test]
fn a_half_open_connection_is_given_up_and_nothing_is_lost() {
    if !inside("-rn", "namespaces::a_half_open_connection_is_given_up_and_nothing_is_lost") {
        return;
    }
    let scratch = Scratch::new();
    let peer = Peer::Reads.start_under(&["unshare", "-n", "--"], &scratch, "far", 0);
    let far = |command: &str| run(&format!("nsenter --target {} --net {command}", peer.id()));
    run("ip link add near type veth peer name far");
    run(&format!("ip link set far netns {}", peer.id()));
    run("ip addr add 192.0.2.1/24 dev near");
    run("ip link set near up");
    far("ip addr add 192.0.2.2/24 dev far");
    far("ip link set far up");

    let silence = Duration::from_secs(2);
    let tcp = Tcp::new("192.0.2.2", peer.port).ack_timeout(silence).connect_timeout(Duration::from_secs(1));
    let sender = over(tcp).build().unwrap();
    metrics(&sender, 0..500);
    deltas(&sender, 0..500);
    sender.flush(LONG).unwrap();
    wait_until("the peer has them", || peer.received().len() == 1_000);

    // Its address is gone, and so are its answers: packets to it arrive and are thrown away.
    far("ip addr del 192.0.2.2/24 dev far");
    let began = Instant::now();
    metrics(&sender, 500..1_000);
    deltas(&sender, 500..1_000);
    sender.flush(LONG).unwrap();
    assert_eq!(sender.ledger().row(Kind::Delta).dropped.total(), 0);
    // Without new lines, and with nobody who says so.
    wait_until("the silence is noticed", || {
        sender.ledger().row(Kind::Delta).queued > 0 || sender.last_error().is_some()
    });
    assert!(began.elapsed() >= silence / 2, "{:?}", began.elapsed());
    wait_until("it goes to no address", || sender.ledger().row(Kind::Delta).queued == 500);

    far("ip addr add 192.0.2.2/24 dev far");
    let ledger = sender.close(LONG);
    let total = ledger.total();
    assert_eq!(
        (total.accepted, total.delivered + total.doubtful, total.dropped.total()),
        (2_000, 2_000, 0),
        "{total:?}"
    );
    wait_until("the file is written", || peer.received().len() >= 2_000);
    let received = peer.received();
    let counts = tally(received.iter().cloned());
    assert_eq!(counts.len(), 2_000, "nothing is missing");
    assert!(received.len() - counts.len() <= total.resent, "{} came, {total:?}", received.len());
}
