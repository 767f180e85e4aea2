//! `wavefront collect` as a process that is killed and started again, on the same port.
//!
//! What arrived is what it wrote to its file: over HTTP it writes before it answers, and a killed process loses nothing
//! that it gave to the kernel. Each life has a file of its own; a half line at a file's end is nobody's line.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder of one test's own, removed at its end.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("wavefront-faults-{}-{number}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what the processes wrote is in {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A port that nobody else is given while the receiver is away: the system gives none of these of its own accord.
pub(crate) fn quiet_port() -> u16 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let first = u64::from(std::process::id()) * 61;
    loop {
        let port = 12_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        let port = u16::try_from(port).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub(crate) struct Receiver {
    /// Where it listens: an address and a port.
    pub(crate) address: String,
    /// What stands before its command.
    before: Vec<String>,
    scratch: Scratch,
    lives: usize,
    child: Option<Child>,
}

impl Receiver {
    pub(crate) fn start(name: &str) -> Self {
        Self::on(&format!("127.0.0.1:{}", quiet_port()), &[], name)
    }

    /// One that listens at `address`, started by the command `before`.
    pub(crate) fn on(address: &str, before: &[&str], name: &str) -> Self {
        let before = before.iter().map(ToString::to_string).collect();
        let mut receiver = Self { address: address.into(), before, scratch: Scratch::new(name), lives: 0, child: None };
        receiver.revive();
        receiver
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops it where it is; only a kill ends that.
    pub(crate) fn freeze(&self) {
        let Some(child) = &self.child else { return };
        // The shell's own kill: there need not be another one.
        let sent = Command::new("sh").args(["-c", &format!("kill -STOP {}", child.id())]).status().unwrap();
        assert!(sent.success());
    }

    /// Starts the next life, on the same port.
    pub(crate) fn revive(&mut self) {
        self.lives += 1;
        let words: Vec<_> = self.before.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_wavefront")]).collect();
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .args(["collect", "--listen", &self.address, "--out"])
            .arg(self.file(self.lives))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        self.child = Some(child);
        assert_eq!(line.trim_end(), format!("listening on {}", self.address));
    }

    fn file(&self, life: usize) -> PathBuf {
        self.scratch.0.join(format!("life-{life:04}"))
    }

    /// The whole lines of all lives, in the order of their arrival.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for life in 1..=self.lives {
            let bytes = fs::read(self.file(life)).unwrap();
            let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            text.push_str(std::str::from_utf8(&bytes[..whole]).unwrap());
        }
        text
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.kill();
    }
}
