use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wavefront_sdk::transport::conformance::check;
use wavefront_sdk::transport::{Accepted, Failure, Tcp, TcpError, Transport, TransportError};

use super::receiver::Receiver;
use super::{LONG, SHORT, huge, metrics};

fn listener() -> (TcpListener, Tcp) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = Tcp::new("127.0.0.1", listener.local_addr().unwrap().port());
    (listener, tcp)
}

/// Reads one connection to its end.
fn reader(listener: &TcpListener) -> JoinHandle<Vec<u8>> {
    let listener = listener.try_clone().unwrap();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

fn kind(result: Result<impl std::fmt::Debug, TcpError>) -> Failure {
    result.unwrap_err().kind()
}

#[test]
fn nothing_is_connected_before_the_first_send() {
    let (listener, mut tcp) = listener();
    listener.set_nonblocking(true).unwrap();
    tcp.probe().unwrap();
    tcp.finish(SHORT).unwrap();
    assert!(!tcp.is_connected());
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    tcp.send(metrics(b"m 1 source=s\n")).unwrap();
    assert!(tcp.is_connected());
    listener.set_nonblocking(false).unwrap();
    listener.accept().unwrap();
}

#[test]
fn ten_thousand_batches_arrive_in_order_over_one_connection() {
    let (listener, mut tcp) = listener();
    let reader = reader(&listener);
    let mut sent = Vec::new();
    for number in 0..10_000 {
        let batch = format!("m {number} source=s\nn {number} source=s\n");
        assert_eq!(tcp.send(metrics(batch.as_bytes())).unwrap(), Accepted::Written);
        sent.extend_from_slice(batch.as_bytes());
    }
    tcp.finish(LONG).unwrap();
    assert!(reader.join().unwrap() == sent);
}

#[test]
fn a_large_batch_outlasts_a_slow_reader() {
    let (listener, mut tcp) = listener();
    let reader = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = Vec::new();
        let mut part = vec![0; 1 << 20];
        while let read @ 1.. = stream.read(&mut part).unwrap() {
            bytes.extend_from_slice(&part[..read]);
            thread::sleep(Duration::from_millis(2));
        }
        bytes
    });
    let large = huge();
    tcp.send(metrics(&large)).unwrap();
    tcp.finish(LONG).unwrap();
    assert!(reader.join().unwrap() == large);
}

/// The fault of other clients: the first write after the peer closed succeeds, and is lost.
#[test]
fn a_peer_that_closed_between_sends_is_noticed_before_anything_is_written() {
    let (listener, mut tcp) = listener();
    for (round, reset) in [false, true, false].into_iter().enumerate() {
        let (first, second) = (format!("first {round} source=s\n"), format!("second {round} source=s\n"));
        tcp.send(metrics(first.as_bytes())).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        if !reset {
            let mut bytes = vec![0; first.len()];
            stream.read_exact(&mut bytes).unwrap();
        }
        // With bytes that nobody read, the kernel resets the connection. On a busy machine it takes a moment.
        drop(stream);
        thread::sleep(SHORT / 5);
        assert_eq!(kind(tcp.send(metrics(second.as_bytes()))), Failure::Broken, "reset: {reset}");
        assert!(!tcp.is_connected());

        let reader = reader(&listener);
        tcp.send(metrics(second.as_bytes())).unwrap();
        tcp.finish(LONG).unwrap();
        assert_eq!(reader.join().unwrap(), second.as_bytes(), "whole, and once");
    }
}

#[test]
fn probe_notices_too_and_once() {
    let (listener, mut tcp) = listener();
    tcp.send(metrics(b"m 1 source=s\n")).unwrap();
    tcp.probe().unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    thread::sleep(SHORT / 5);
    let error = tcp.probe().unwrap_err();
    assert_eq!((error.kind(), error.lines_done()), (Failure::Broken, 0));
    tcp.probe().unwrap();
}

#[test]
fn what_the_peer_says_is_thrown_away() {
    let (listener, mut tcp) = listener();
    tcp.send(metrics(b"m 1 source=s\n")).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    for _ in 0..100 {
        stream.write_all(&[b'x'; 4096]).unwrap();
        tcp.send(metrics(b"m 2 source=s\n")).unwrap();
    }
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        stream.write_all(b"bye").unwrap();
        bytes.len()
    });
    tcp.finish(LONG).unwrap();
    assert_eq!(reader.join().unwrap(), 101 * 13);
}

#[test]
fn a_peer_that_closes_midway_breaks_the_batch() {
    let (listener, mut tcp) = listener();
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut vec![0; 100_000]).unwrap();
    });
    let large = huge();
    let error = tcp.send(metrics(&large)).unwrap_err();
    assert_eq!((error.kind(), error.lines_done()), (Failure::Broken, 0));
    assert!(!tcp.is_connected());
    peer.join().unwrap();
}

#[test]
fn a_peer_that_does_not_read_breaks_the_batch_in_time() {
    let (listener, tcp) = listener();
    let mut tcp = tcp.write_timeout(SHORT);
    let began = Instant::now();
    let large = huge();
    let error = tcp.send(metrics(&large)).unwrap_err();
    assert_eq!(error.kind(), Failure::Broken, "what was written before is in doubt: {error}");
    assert!(error.to_string().contains("in time"), "{error}");
    assert!(!tcp.is_connected());
    assert!(began.elapsed() >= SHORT);
    let (mut stream, _) = listener.accept().unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    assert!(large.starts_with(&bytes));
}

#[test]
fn nobody_there_is_a_failure_to_connect() {
    let (listener, mut tcp) = listener();
    drop(listener);
    let error = tcp.send(metrics(b"m 1 source=s\n")).unwrap_err();
    assert_eq!(error.kind(), Failure::Connect);
    assert!(error.to_string().contains(&format!("127.0.0.1:{}", tcp.port())), "{error}");

    let mut tcp = Tcp::new("no-such-host.invalid", 2878);
    let error = tcp.send(metrics(b"m 1 source=s\n")).unwrap_err();
    assert_eq!(error.kind(), Failure::Connect);
    assert!(error.to_string().contains("no-such-host.invalid:2878"), "{error}");
}

/// A listener whose backlog is full lets the kernel drop what would connect.
#[cfg(target_os = "linux")]
#[test]
fn a_connection_that_does_not_come_about_ends_in_time() {
    let (listener, tcp) = listener();
    let mut tcp = tcp.connect_timeout(SHORT);
    let address: SocketAddr = listener.local_addr().unwrap();
    let waiting: Vec<_> = (0..1000).map_while(|_| TcpStream::connect_timeout(&address, 4 * SHORT).ok()).collect();
    assert!(waiting.len() < 1000, "the backlog never filled");
    let began = Instant::now();
    assert_eq!(kind(tcp.send(metrics(b"m 1 source=s\n"))), Failure::Connect);
    assert!((SHORT..LONG).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[test]
fn every_address_of_a_name_is_tried() {
    // `localhost` is ::1 or 127.0.0.1 or both; the peer is on the one that comes last, if there are two.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut tcp = Tcp::new("localhost", listener.local_addr().unwrap().port());
    tcp.send(metrics(b"m 1 source=s\n")).unwrap();
    listener.accept().unwrap();
}

#[test]
fn ipv6_with_and_without_brackets() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        // A machine without IPv6 cannot connect by it either.
        assert_eq!(kind(Tcp::new("[::1]", 2878).send(metrics(b"m 1 source=s\n"))), Failure::Connect);
        return;
    };
    let port = listener.local_addr().unwrap().port();
    for host in ["::1", "[::1]"] {
        let mut tcp = Tcp::new(host, port);
        tcp.send(metrics(b"m 1 source=s\n")).unwrap();
        listener.accept().unwrap();
    }
}

#[test]
fn finish_says_what_the_peer_did() {
    // It never closes.
    let (listener, mut tcp) = listener();
    tcp.send(metrics(b"m 1 source=s\n")).unwrap();
    let (stream, _) = listener.accept().unwrap();
    assert_eq!(kind(tcp.finish(SHORT)), Failure::Timeout);
    drop(stream);

    // It closed before it was asked to.
    tcp.send(metrics(b"m 1 source=s\n")).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    stream.read_exact(&mut [0; 13]).unwrap();
    drop(stream);
    assert_eq!(kind(tcp.finish(LONG)), Failure::Broken);

    // It resets while we wait.
    tcp.send(metrics(b"m 1 source=s\n")).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let peer = thread::spawn(move || {
        stream.write_all(b"x").unwrap();
        thread::sleep(SHORT);
    });
    assert_eq!(kind(tcp.finish(LONG)), Failure::Broken);
    peer.join().unwrap();

    // It reads all and closes.
    let reader = reader(&listener);
    tcp.send(metrics(b"m 1 source=s\n")).unwrap();
    tcp.finish(LONG).unwrap();
    assert_eq!(reader.join().unwrap(), b"m 1 source=s\n");
}

/// A receiver of lines as they are.
pub(super) fn receiver() -> Receiver {
    Receiver::new(
        |address| Tcp::new("127.0.0.1", address.port()),
        |mut stream, keep| {
            let mut bytes = Vec::new();
            let _ = stream.read_to_end(&mut bytes);
            keep(&bytes);
            let _ = stream.shutdown(Shutdown::Both);
        },
    )
}

#[test]
fn tcp_keeps_the_contract() {
    let report = check(&mut receiver()).unwrap();
    assert_eq!((report.kept.len(), report.skipped.len()), (8, 0), "{report:?}");
}
