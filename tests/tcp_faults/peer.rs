//! A receiver in a process of its own, which can be killed.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::{Scratch, names, wait_until};

/// Tells the program that it is to be the receiver: what it does, its port (0: any), and its file.
const ROLE: &str = "WAVEFRONT_TEST_PEER";

#[derive(Debug, Clone, Copy)]
pub(crate) enum Peer {
    /// Takes connections and never reads.
    Mute,
    /// Reads every connection, and appends whole lines to its file.
    Reads,
}

/// The process.
pub(crate) struct Process {
    child: Child,
    file: PathBuf,
    pub(crate) port: u16,
}

impl Peer {
    pub(crate) fn start(self, scratch: &Scratch, name: &str, port: u16) -> Process {
        let file = scratch.path(name);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "peer::a_peer_in_a_process_of_its_own", "--nocapture"]);
        command.env(ROLE, format!("{self:?} {port} {}", file.display()));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let ready = file.with_extension("port");
        wait_until("the peer listens", || ready.exists());
        Process { child, port: fs::read_to_string(ready).unwrap().parse().unwrap(), file }
    }
}

impl Process {
    /// SIGKILL: the kernel closes its sockets.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What it has read, in that order.
    pub(crate) fn received(&self) -> Vec<String> {
        names(&fs::read(&self.file).unwrap_or_default())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(role: &str) {
    let mut role = role.splitn(3, ' ');
    let mut next = || role.next().unwrap();
    let (mode, port, file) = (next(), next().parse::<u16>().unwrap(), next());
    let listener = TcpListener::bind(("0.0.0.0", port)).unwrap();
    let lines = OpenOptions::new().append(true).create(true).open(file).unwrap();
    let ready = Path::new(file).with_extension("ready");
    fs::write(&ready, listener.local_addr().unwrap().port().to_string()).unwrap();
    fs::rename(&ready, ready.with_extension("port")).unwrap();
    let mut open = Vec::new();
    loop {
        let (stream, _) = listener.accept().unwrap();
        let lines = lines.try_clone().unwrap();
        if mode == "Mute" {
            open.push(stream);
        } else {
            thread::spawn(move || read(stream, lines));
        }
    }
}

fn read(mut stream: impl Read, mut lines: File) {
    let (mut bytes, mut part) = (Vec::new(), [0; 16 * 1024]);
    while let Ok(length @ 1..) = stream.read(&mut part) {
        bytes.extend_from_slice(&part[..length]);
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        // One write, so that the lines of two connections do not mix.
        lines.write_all(&bytes[..whole]).unwrap();
        bytes.drain(..whole);
    }
}

/// With the role it serves until it is killed. By itself it is a test of the peers.
#[test]
fn a_peer_in_a_process_of_its_own() {
    if let Ok(role) = std::env::var(ROLE) {
        serve(&role);
    }
    let scratch = Scratch::new();
    let mut peer = Peer::Reads.start(&scratch, "peer", 0);
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", peer.port)).unwrap();
    stream.write_all(b"\"a\" 1\n\"b\" 2\n\"c").unwrap();
    wait_until("it has read", || peer.received() == ["a", "b"]);
    peer.kill();
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
}
