//! `wavefront collect` as a process: its ports, its file, its signals, its words.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::std_instead_of_core, missing_docs)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_wavefront");
const METRIC: &str = "\"cpu.load\" 0.5 1493773500 source=\"web-1\"\n";
const SPAN: &str = "\"op\" source=\"web-1\" traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 \
                    spanId=0313bafe-9457-11e8-9eb6-529269fb1459 1552949776000 343\n";

/// A running collector.
struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    addrs: Vec<SocketAddr>,
}

impl Running {
    /// Starts `command`, and waits for `listeners` lines that say where it listens.
    fn start(command: &mut Command, listeners: usize) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut addrs = Vec::new();
        for _ in 0..listeners {
            let mut line = String::new();
            stderr.read_line(&mut line).unwrap();
            let addr = line.trim_end().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}"));
            addrs.push(addr.parse().unwrap());
        }
        Self { child, stderr, addrs }
    }

    fn send(&self, listener: usize, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.addrs[listener]).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        stream
    }

    fn signal(&self, name: &str) {
        // The shell's own kill: there need not be another one.
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().unwrap();
        assert!(sent.success());
    }

    /// Its status, standard output and the rest of standard error.
    fn end(mut self) -> (Option<i32>, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.stderr.read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code(), out, err)
    }
}

fn collect(args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.arg("collect").args(args);
    command
}

fn run(args: &[&str]) -> Output {
    collect(args).stdin(Stdio::null()).output().unwrap()
}

/// A path of this test alone.
fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("wavefront-collect-{}-{name}", std::process::id()))
}

const ANY: [&str; 4] = ["--listen", "127.0.0.1:0", "--traces", "127.0.0.1:0"];

#[test]
fn a_signal_ends_it_with_what_has_arrived() {
    for signal in ["INT", "TERM"] {
        let file = scratch(signal);
        let running = Running::start(collect(&ANY).args(["--json", "--out"]).arg(&file), 2);
        // Connections that stay open, nothing read back from them.
        let _metrics = running.send(0, &(METRIC.repeat(1000) + "half a line"));
        let _spans = running.send(1, SPAN);
        running.signal(signal);
        let (status, out, err) = running.end();
        assert_eq!((status, err.as_str()), (Some(0), ""));
        let summary: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(out.lines().count(), 1);
        assert_eq!(summary["accepted"], 1001);
        assert_eq!(summary["rejected"], 1);
        assert_eq!(summary["kinds"]["metric"]["tcp"], 1000);
        assert_eq!(summary["kinds"]["span"]["accepted"], 1);
        assert_eq!(summary["rejections"][0]["sample"], "half a line");
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), 1001);
        assert_eq!(text.matches(METRIC).count(), 1000);
        assert!(text.contains(SPAN));
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn it_ends_by_a_signal_that_was_ignored_when_it_was_started() {
    for signal in ["INT", "TERM"] {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' INT TERM; exec \"$0\" collect \"$@\"", BINARY]).args(ANY);
        let running = Running::start(&mut shell, 2);
        let _open = running.send(0, METRIC);
        running.signal(signal);
        let (status, out, _) = running.end();
        assert_eq!(status, Some(0));
        assert!(out.contains("metric"), "{out}");
    }
}

#[test]
fn the_summary_is_a_table_for_people() {
    let running = Running::start(&mut collect(&ANY), 2);
    let _open = running.send(0, &(METRIC.repeat(1234) + "broken \u{1b}[2J\n"));
    running.signal("INT");
    let (status, out, _) = running.end();
    assert_eq!(status, Some(0));
    let words = |line: &str| line.split_whitespace().map(str::to_string).collect::<Vec<_>>();
    let rows: Vec<_> = out.lines().map(words).collect();
    assert_eq!(rows[0], ["accepted", "tcp", "http", "rejected"]);
    assert_eq!(rows[1], ["metric", "1,234", "0", "1"]);
    assert_eq!(rows[2], ["total", "1,234", "0", "1"]);
    assert!(out.contains("rejected 1 × metric"), "{out}");
    assert!(!out.contains('\u{1b}'), "{out:?}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let running = Running::start(&mut collect(&ANY), 2);
    let addr = running.addrs[0];
    // Somebody who never stops sending, so that a stop takes its time.
    let sender = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(addr).unwrap();
        while stream.write_all(METRIC.as_bytes()).is_ok() {}
    });
    let both = format!("kill -INT {0}; kill -TERM {0}", running.child.id());
    assert!(Command::new("sh").args(["-c", &both]).status().unwrap().success());
    let (status, out, _) = running.end();
    assert!(matches!(status, Some(130 | 143)), "{status:?} {out}");
    sender.join().unwrap();
}

#[test]
fn without_ports_it_listens_where_a_proxy_does_or_says_why_not() {
    // Other programs may have these ports: then the error has to say so.
    let mut child = collect(&[]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut first = String::new();
    stderr.read_line(&mut first).unwrap();
    if first == "listening on 127.0.0.1:2878\n" {
        let mut second = String::new();
        stderr.read_line(&mut second).unwrap();
        assert_eq!(second, "listening on 127.0.0.1:30000\n");
        child.kill().unwrap();
        child.wait().unwrap();
    } else {
        assert!(first.contains("cannot listen on 127.0.0.1:"), "{first}");
        assert_eq!(child.wait().unwrap().code(), Some(2));
    }
}

#[test]
fn a_taken_port_and_a_file_that_cannot_be_written_are_errors() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let output = run(&["--listen", &addr]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(error.contains(&addr) && error.contains("choose another one"), "{error}");

    let output = run(&["--listen", "127.0.0.1:0", "--out", "/no such folder/lines"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(error.contains("/no such folder/lines") && error.contains("choose a file"), "{error}");
    assert!(output.stdout.is_empty());

    assert_eq!(run(&["--listen", "nonsense"]).status.code(), Some(2));
    assert_eq!(run(&["--nonsense"]).status.code(), Some(2));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_is_a_failure() {
    let running = Running::start(collect(&ANY).args(["--out", "/dev/full"]), 2);
    let mut stream = running.send(0, METRIC);
    // Its end says that the line was read.
    let _ = stream.read(&mut [0]);
    running.signal("INT");
    let (status, out, err) = running.end();
    assert_eq!(status, Some(1));
    assert!(err.contains("cannot write to /dev/full"), "{err}");
    assert!(out.contains("1 lines not written"), "{out}");
}

#[test]
fn without_file_descriptors_it_goes_on() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 40; exec \"$0\" collect --json \"$@\"", BINARY]).args(ANY);
    let running = Running::start(&mut shell, 2);
    // Silent ones, all held open: more than it can have.
    let crowd: Vec<_> = (0..200).map(|_| running.send(0, "")).collect();
    let mut stream = running.send(0, METRIC);
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    drop(crowd);
    running.signal("INT");
    let (status, out, _) = running.end();
    let summary: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((status, &summary["accepted"]), (Some(0), &Value::from(1)));
    assert!(summary["refused"].as_u64().unwrap() > 0);
}

#[test]
fn help_has_examples() {
    let output = run(&["--help"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text.contains("Examples:") && text.contains("--out"), "{text}");
}
