//! A receiver of lines on a port, whose connections can be broken and that can go away and come back: what the contract of
//! a transport asks of it, whatever the lines are wrapped in.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use wavefront_sdk::transport::Tcp;
use wavefront_sdk::transport::conformance::Rig;

/// Keeps the whole lines that it reads.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    connect: Box<dyn Fn(SocketAddr) -> Tcp>,
    read: Arc<Read>,
    received: Arc<Mutex<Vec<u8>>>,
    standing: Option<Standing>,
}

/// Reads a connection to its end and hands over all of it, before it confirms the end.
type Read = dyn Fn(TcpStream, &dyn Fn(&[u8])) + Send + Sync;

struct Standing {
    accepting: JoinHandle<()>,
    connections: Arc<Mutex<Connections>>,
}

type Connections = Vec<(TcpStream, JoinHandle<()>)>;

impl Receiver {
    /// One that `connect` makes transports to, and that keeps what `read` reads of a connection.
    pub(crate) fn new(
        connect: impl Fn(SocketAddr) -> Tcp + 'static,
        read: impl Fn(TcpStream, &dyn Fn(&[u8])) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::default();
        let mut receiver = Self { address, connect: Box::new(connect), read: Arc::new(read), received, standing: None };
        receiver.listen(listener);
        receiver
    }

    fn listen(&mut self, listener: TcpListener) {
        let connections = Arc::new(Mutex::new(Vec::new()));
        let (open, received, read) = (connections.clone(), self.received.clone(), self.read.clone());
        let accepting = thread::spawn(move || {
            loop {
                let (stream, _) = listener.accept().unwrap();
                let mut open = open.lock().unwrap();
                // The stop signal says nothing, everybody else does.
                if stream.peek(&mut [0]).unwrap_or(0) == 0 {
                    return;
                }
                let (reading, received, read) = (stream.try_clone().unwrap(), received.clone(), read.clone());
                open.push((stream, thread::spawn(move || read(reading, &|bytes| keep_lines(bytes, &received)))));
            }
        });
        self.standing = Some(Standing { accepting, connections });
    }
}

fn keep_lines(bytes: &[u8], received: &Mutex<Vec<u8>>) {
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    received.lock().unwrap().extend_from_slice(&bytes[..whole]);
}

fn end(connections: &mut Connections) {
    for (stream, reading) in connections.drain(..) {
        let _ = stream.shutdown(Shutdown::Both);
        reading.join().unwrap();
    }
}

impl Rig for Receiver {
    type Transport = Tcp;

    fn transport(&mut self) -> Tcp {
        (self.connect)(self.address)
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
        end(&mut connections);
        true
    }

    fn stop(&mut self) -> bool {
        let standing = self.standing.take().unwrap();
        drop(TcpStream::connect(self.address).unwrap());
        standing.accepting.join().unwrap();
        end(&mut standing.connections.lock().unwrap());
        true
    }

    fn start(&mut self) {
        self.listen(TcpListener::bind(self.address).unwrap());
    }
}
