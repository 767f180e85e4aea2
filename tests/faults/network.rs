//! The network between sender and receiver: a cable that is pulled, a peer that is gone without a word, a name that
//! moves, and a connection that meets itself.

use std::collections::HashSet;
use std::fs;
use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use wavefront_sdk::delivery::Backoff;
use wavefront_sdk::sender::SenderBuilder;
use wavefront_sdk::transport::Tcp;
use wavefront_sdk::{DeltaCounter, Kind, Metric, Sender};

use super::account::{Account, LONG, until};
use super::receiver::{Receiver, Scratch};

#[track_caller]
pub(crate) fn run(command: &str) {
    let words: Vec<_> = command.split(' ').collect();
    let status = Command::new(words[0]).args(&words[1..]).status().unwrap();
    assert!(status.success(), "{command}");
}

/// Two machines and a cable: we are 10.9.0.1, the other one is 10.9.0.2.
struct Cable {
    other: Child,
}

impl Cable {
    fn new() -> Self {
        run("ip link set lo up");
        run("ip link add va type veth peer name vb");
        let other = Command::new("unshare").args(["-n", "sleep", "600"]).stdin(Stdio::null()).spawn().unwrap();
        let network = |process: &str| fs::read_link(format!("/proc/{process}/ns/net")).ok();
        until("another network", || {
            network(&other.id().to_string()).is_some_and(|other| Some(other) != network("self"))
        });
        let cable = Self { other };
        run(&format!("ip link set vb netns {}", cable.other.id()));
        run("ip addr add 10.9.0.1/24 dev va");
        run("ip link set va up");
        cable.there("ip addr add 10.9.0.2/24 dev vb");
        cable.there("ip link set lo up");
        cable.plug();
        cable
    }

    /// Runs a command on the other machine.
    fn there(&self, command: &str) {
        run(&format!("{} {command}", self.entry().join(" ")));
    }

    fn entry(&self) -> Vec<String> {
        ["nsenter", "-t", &self.other.id().to_string(), "-n"].map(str::to_owned).to_vec()
    }

    fn receiver(&self, name: &str) -> Receiver {
        let entry = self.entry();
        let entry: Vec<_> = entry.iter().map(String::as_str).collect();
        Receiver::on("10.9.0.2:2878", &entry, name)
    }

    /// From now on every packet is dropped, and nobody hears of it.
    fn pull(&self) {
        self.there("ip link set vb down");
    }

    fn plug(&self) {
        self.there("ip link set vb up");
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        let _ = self.other.kill();
        let _ = self.other.wait();
    }
}

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("m{number}"))
}

fn send(sender: &Sender, range: Range<usize>) {
    range.for_each(|number| sender.send(Metric::new(&format!("m{number}"), 1.0)).unwrap());
}

/// A sender that does not wait as long as it would on a real network.
fn sender(scheme: &str, to: &str) -> Sender {
    Sender::builder(&format!("{scheme}://{to}"))
        .own_metrics(None)
        .source("s")
        .flush_interval(Duration::from_millis(50))
        .backoff(Backoff::new(Duration::from_millis(20), Duration::from_millis(200)))
        .request_timeout(Duration::from_secs(1))
        .build()
        .unwrap()
}

/// How many different lines are there.
fn lines(receiver: &Receiver) -> usize {
    receiver.text().lines().collect::<HashSet<_>>().len()
}

fn settle(scheme: &str, fault: &str, sender: &Sender, count: usize, receivers: &mut [Receiver]) {
    let ledger = sender.close(LONG);
    // They have written whatever has come.
    receivers.iter_mut().for_each(Receiver::kill);
    let text: String = receivers.iter().map(Receiver::text).collect();
    let account = Account::whole(names(count), text.lines(), &ledger);
    assert!(account.missing.is_empty(), "{account:?}");
    account.note(&format!("{}: {fault}", scheme.to_uppercase()));
}

pub(crate) fn a_cable_is_pulled_and_put_back(scheme: &str) {
    let cable = Cable::new();
    let receiver = cable.receiver("cable");
    let sender = sender(scheme, &receiver.address);
    let mut sent = 0;
    for _ in 0..3 {
        for pulled in [false, true] {
            if pulled {
                cable.pull();
            } else {
                cable.plug();
            }
            for _ in 0..50 {
                send(&sender, sent..sent + 100);
                sent += 100;
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
    cable.plug();
    settle(scheme, "the cable pulled for half a second, three times", &sender, sent, &mut [receiver]);
}

/// It goes while nobody can hear it: the connection stays open on our side only.
pub(crate) fn a_half_open_peer(scheme: &str) {
    let cable = Cable::new();
    let mut receiver = cable.receiver("half-open");
    let sender = sender(scheme, &receiver.address);
    let mut sent = 0;
    for _ in 0..3 {
        send(&sender, sent..sent + 1000);
        sent += 1000;
        until("the lines before", || lines(&receiver) >= sent);
        cable.pull();
        send(&sender, sent..sent + 1000);
        sent += 1000;
        let _ = sender.flush(Duration::from_millis(100));
        receiver.kill();
        thread::sleep(Duration::from_millis(200));
        cable.plug();
        receiver.revive();
    }
    settle(scheme, "the receiver gone while the cable was pulled, three times", &sender, sent, &mut [receiver]);
}

/// The peer is there all the time and hears nothing, nor is it heard; we have nothing more to say. Our kernel gives it up.
pub(crate) fn a_silent_peer_is_given_up() {
    let cable = Cable::new();
    let receiver = cable.receiver("silent");
    let (host, port) = receiver.address.split_once(':').unwrap();
    let silence = Duration::from_secs(1);
    let tcp = Tcp::new(host, port.parse().unwrap()).ack_timeout(silence).connect_timeout(silence);
    let sender = SenderBuilder::over(tcp).source("s").backoff(Backoff::TCP).build().unwrap();
    let delta = |n: usize| format!("d{n}");
    let deltas = |range: Range<usize>| range.for_each(|n| sender.send(DeltaCounter::new(&delta(n), 1.0)).unwrap());
    send(&sender, 0..500);
    deltas(0..500);
    sender.flush(LONG).unwrap();
    until("the lines before", || lines(&receiver) == 1_000);
    cable.pull();
    send(&sender, 500..1_000);
    deltas(500..1_000);
    sender.flush(LONG).unwrap();
    // What was not acknowledged goes again whatever its kind. With what was, it may be that the answer was lost.
    until("the silence is noticed", || sender.ledger().row(Kind::Delta).queued >= 500);
    assert!(sender.last_error().is_some());
    cable.plug();
    let ledger = sender.close(LONG);
    let mut receiver = receiver;
    receiver.kill();
    let arrives = |n| format!("\u{2206}{}", delta(n));
    let (text, sent) = (receiver.text(), names(1_000).chain((0..1_000).map(arrives)));
    let account = Account::settle(sent, text.lines(), &ledger);
    assert!(account.missing.is_empty(), "{account:?}");
    assert_eq!((ledger.total().dropped.total(), ledger.row(Kind::Metric).doubtful), (0, 0), "{ledger:?}");
    assert!(ledger.row(Kind::Delta).doubtful <= 500, "{ledger:?}");
    account.note("TCP: a peer that is silent for longer than we wait");
}

pub(crate) fn a_name_whose_address_changes(scheme: &str) {
    run("ip link set lo up");
    let scratch = Scratch::new("hosts");
    let hosts = scratch.0.join("hosts");
    let point_to = |address: &str| fs::write(&hosts, format!("{address} receiver.test\n")).unwrap();
    point_to("127.0.0.2");
    run(&format!("mount --bind {} /etc/hosts", hosts.display()));
    let sender = sender(scheme, "receiver.test:2878");
    let mut receivers = vec![Receiver::on("127.0.0.2:2878", &[], "address")];
    let mut sent = 0;
    for address in ["127.0.0.3", "127.0.0.4"] {
        send(&sender, sent..sent + 1000);
        sent += 1000;
        until("the first address", || receivers.last().is_some_and(|receiver| lines(receiver) > 0));
        point_to(address);
        // Nobody is at the old address any more.
        receivers.last_mut().unwrap().kill();
        send(&sender, sent..sent + 1000);
        sent += 1000;
        receivers.push(Receiver::on(&format!("{address}:2878"), &[], "address"));
        until("the next address", || receivers.last().is_some_and(|receiver| lines(receiver) > 0));
    }
    settle(scheme, "a name whose address changes, twice", &sender, sent, &mut receivers);
    run("umount /etc/hosts");
}

/// Where nobody listens on a port that the system gives to clients too, a client may be given that very port, and TCP
/// connects it to itself: what it writes, it reads.
pub(crate) fn a_connection_to_itself_delivers_nothing() {
    run("ip link set lo up");
    for (scheme, port) in [("tcp", 40_000), ("http", 40_001)] {
        fs::write("/proc/sys/net/ipv4/ip_local_port_range", format!("{port} {port}")).unwrap();
        let sender = sender(scheme, &format!("127.0.0.1:{port}"));
        send(&sender, 0..100);
        let _ = sender.flush(Duration::from_millis(300));
        let ledger = sender.close(Duration::from_millis(300));
        Account::settle(names(100), [], &ledger)
            .note(&format!("{}: connected to itself until the end", scheme.to_uppercase()));
        assert_eq!(ledger.total().delivered, 0, "{scheme}: {ledger:?}");
    }
}
