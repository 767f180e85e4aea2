//! The contract of a transport, kept over TLS as over TCP.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use wavefront_sdk::Kind;
use wavefront_sdk::transport::conformance::{Rig, check};
use wavefront_sdk::transport::{Batch, Failure, Tcp, Tls, Transport, TransportError};

use crate::LONG;
use crate::authority::{Authority, NOW};
use crate::front::{EVERY, config};
use crate::receiver::Receiver;

/// A receiver of lines by TLS, and what both sides of a connection need.
struct Sealed {
    receiver: Receiver,
    client: Tls,
    server: Arc<ServerConfig>,
}

impl Sealed {
    fn new() -> Self {
        let authority = Authority::new("right");
        let server = config(&authority.certify(&["127.0.0.1"], NOW), None, EVERY);
        let client = Tls::new().ca_pem(authority.pem()).only_own_ca();
        let (to, by) = (client.clone(), server.clone());
        let receiver = Receiver::new(
            move |address| Tcp::new("127.0.0.1", address.port()).tls(&to).unwrap(),
            move |socket, keep| read(socket, by.clone(), keep),
        );
        Self { receiver, client, server }
    }
}

fn read(socket: TcpStream, config: Arc<ServerConfig>, keep: &dyn Fn(&[u8])) {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    keep(&bytes);
    stream.conn.send_close_notify();
    let _ = stream.flush();
    let _ = stream.sock.shutdown(Shutdown::Both);
}

#[test]
fn it_is_kept_over_tls() {
    let report = check(&mut Sealed::new().receiver).unwrap();
    assert_eq!(report.skipped, Vec::<&str>::new());
    assert!(report.kept.len() >= 8, "{report:?}");
}

fn metrics(lines: &[u8]) -> Batch<'_> {
    let count = lines.iter().filter(|&&byte| byte == b'\n').count();
    Batch::new(Kind::Metric, lines, u32::try_from(count).unwrap())
}

#[test]
fn many_batches_and_large_ones_arrive_in_order_over_one_connection() {
    let mut receiver = Sealed::new().receiver;
    let mut tcp = receiver.transport();
    let mut sent = Vec::new();
    for number in 0..2_000 {
        let mut batch = format!("m {number} source=s\nn {number} source=s\n").into_bytes();
        if number % 500 == 0 {
            batch = batch.repeat(50_000);
        }
        tcp.send(metrics(&batch)).unwrap();
        assert!(tcp.unacknowledged().is_none_or(|left| left <= (sent.len() + batch.len()) as u64));
        sent.extend_from_slice(&batch);
    }
    tcp.finish(LONG).unwrap();
    assert!(tcp.unacknowledged().is_none_or(|left| left == 0));
    assert!(receiver.received() == sent);
}

/// What is not acknowledged is said in bytes of lines, whatever they were sealed in.
#[cfg(target_os = "linux")]
#[test]
fn what_is_not_acknowledged_is_counted_in_lines() {
    let mut sealed = Sealed::new();
    let mut tcp = sealed.receiver.transport();
    tcp.send(metrics(b"m 1 source=s\n")).unwrap();
    while tcp.unacknowledged() != Some(0) {
        tcp.probe().unwrap();
        thread::yield_now();
    }
    // Now the peer stands still: its thread is not read from, as it waits for the rest of a greeting of its own.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = sealed.server.clone();
    let port = listener.local_addr().unwrap().port();
    let greeting = thread::spawn(move || {
        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), listener.accept().unwrap().0);
        let mut first = [0; 13];
        stream.read_exact(&mut first).unwrap();
        stream
    });
    let mut tcp =
        Tcp::new("127.0.0.1", port).tls(&sealed.client).unwrap().write_timeout(std::time::Duration::from_millis(500));
    tcp.send(metrics(b"m 1 source=s\n")).unwrap();
    let stream = greeting.join().unwrap();
    let batch = b"m 2 source=s\n".repeat(10_000);
    let mut accepted = 13;
    let error = loop {
        match tcp.send(metrics(&batch)) {
            Ok(_) => accepted += batch.len() as u64,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), Failure::Broken);
    let left = tcp.unacknowledged().unwrap();
    assert!(left <= accepted, "{left} of {accepted}");
    // What the peer can still read is all that was acknowledged, and of it whole records.
    let acknowledged = accepted - left;
    let mut stream = stream;
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read);
    assert!(13 + read.len() as u64 >= acknowledged, "{} read, {acknowledged} acknowledged", read.len());
}
