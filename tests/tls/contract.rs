//! The contract of a transport, kept over TLS as over TCP.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use wavefront_sdk::Kind;
use wavefront_sdk::transport::conformance::{Rig, check};
use wavefront_sdk::transport::{Batch, Failure, Tcp, Tls, Transport, TransportError};

use crate::LONG;
use crate::authority::{Authority, NOW};
use crate::front::{EVERY, config};

/// Reads lines by TLS, and keeps the whole ones.
struct Receiver {
    address: SocketAddr,
    authority: Authority,
    config: Arc<ServerConfig>,
    received: Arc<Mutex<Vec<u8>>>,
    standing: Option<Standing>,
}

struct Standing {
    accepting: JoinHandle<()>,
    connections: Arc<Mutex<Connections>>,
}

type Connections = Vec<(TcpStream, JoinHandle<()>)>;

impl Receiver {
    fn new() -> Self {
        let authority = Authority::new("right");
        let config = config(&authority.certify(&["127.0.0.1"], NOW), None, EVERY);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut receiver = Self { address, authority, config, received: Arc::default(), standing: None };
        receiver.listen(listener);
        receiver
    }

    fn tcp(&self) -> Tcp {
        let tls = Tls::new().ca_pem(self.authority.pem()).only_own_ca();
        Tcp::new("127.0.0.1", self.address.port()).tls(&tls).unwrap()
    }

    fn listen(&mut self, listener: TcpListener) {
        let connections = Arc::new(Mutex::new(Vec::new()));
        let (open, received, config) = (connections.clone(), self.received.clone(), self.config.clone());
        let accepting = thread::spawn(move || {
            loop {
                let (stream, _) = listener.accept().unwrap();
                let mut open = open.lock().unwrap();
                // The stop signal says nothing, a greeting does.
                if stream.peek(&mut [0]).unwrap_or(0) == 0 {
                    return;
                }
                let (reading, received, config) = (stream.try_clone().unwrap(), received.clone(), config.clone());
                open.push((stream, thread::spawn(move || read(reading, config, &received))));
            }
        });
        self.standing = Some(Standing { accepting, connections });
    }
}

fn read(socket: TcpStream, config: Arc<ServerConfig>, received: &Mutex<Vec<u8>>) {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    received.lock().unwrap().extend_from_slice(&bytes[..whole]);
    stream.conn.send_close_notify();
    let _ = stream.flush();
    let _ = stream.sock.shutdown(Shutdown::Both);
}

impl Rig for Receiver {
    type Transport = Tcp;

    fn transport(&mut self) -> Tcp {
        self.tcp()
    }

    fn received(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.received.lock().unwrap())
    }

    fn break_connections(&mut self) -> bool {
        // Connections are accepted in order: once one of ours is there, so are all that were made before it.
        let mut last = TcpStream::connect(self.address).unwrap();
        last.write_all(b"x").unwrap();
        let last = last.local_addr().unwrap();
        let mut connections = loop {
            let connections = self.standing.as_ref().unwrap().connections.lock().unwrap();
            if connections.iter().any(|(stream, _)| stream.peer_addr().is_ok_and(|peer| peer == last)) {
                break connections;
            }
            drop(connections);
            thread::yield_now();
        };
        for (stream, reading) in connections.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
            reading.join().unwrap();
        }
        true
    }

    fn stop(&mut self) -> bool {
        let standing = self.standing.take().unwrap();
        drop(TcpStream::connect(self.address).unwrap());
        standing.accepting.join().unwrap();
        for (stream, reading) in standing.connections.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
            reading.join().unwrap();
        }
        true
    }

    fn start(&mut self) {
        self.listen(TcpListener::bind(self.address).unwrap());
    }
}

#[test]
fn it_is_kept_over_tls() {
    let mut receiver = Receiver::new();
    let report = check(&mut receiver).unwrap();
    assert_eq!(report.skipped, Vec::<&str>::new());
    assert!(report.kept.len() >= 8, "{report:?}");
}

fn metrics(lines: &[u8]) -> Batch<'_> {
    let count = lines.iter().filter(|&&byte| byte == b'\n').count();
    Batch::new(Kind::Metric, lines, u32::try_from(count).unwrap())
}

#[test]
fn many_batches_and_large_ones_arrive_in_order_over_one_connection() {
    let mut receiver = Receiver::new();
    let mut tcp = receiver.tcp();
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
    let receiver = Receiver::new();
    let mut tcp = receiver.tcp();
    tcp.send(metrics(b"m 1 source=s\n")).unwrap();
    while tcp.unacknowledged() != Some(0) {
        tcp.probe().unwrap();
        thread::yield_now();
    }
    // Now the peer stands still: its thread is not read from, as it waits for the rest of a greeting of its own.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = receiver.config.clone();
    let port = listener.local_addr().unwrap().port();
    let greeting = thread::spawn(move || {
        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), listener.accept().unwrap().0);
        let mut first = [0; 13];
        stream.read_exact(&mut first).unwrap();
        stream
    });
    let tls = Tls::new().ca_pem(receiver.authority.pem()).only_own_ca();
    let mut tcp = Tcp::new("127.0.0.1", port).tls(&tls).unwrap().write_timeout(std::time::Duration::from_millis(500));
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
