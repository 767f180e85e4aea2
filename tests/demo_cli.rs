//! `wavefront demo` and `wavefront host`, as a user runs them.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use wavefront_sdk::collector::{Collector, Kept, Port};
use wavefront_sdk::{Kind, Limits, parse};

/// Nothing here takes so long unless it hangs.
const HANGS: Duration = Duration::from_secs(60);

fn wavefront(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavefront"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).env_remove("WAVEFRONT_TOKEN");
    command
}

/// Waits for its end, which has to come. It prints less than a pipe holds.
fn finish(mut child: Child) -> Output {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > HANGS {
            child.kill().unwrap();
            panic!("it does not end: {:?}", child.wait_with_output());
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

fn run(args: &[&str]) -> Output {
    finish(wavefront(args).spawn().unwrap())
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn collector() -> (Collector, String) {
    let collector = Collector::builder().listen("127.0.0.1:0").keep(10_000).start().unwrap();
    let port = collector.addr(Port::Metrics).unwrap().port();
    (collector, port.to_string())
}

/// A port that nobody listens on.
fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_demo_ends_well_and_says_so() {
    // A proxy of the environment is none of the loopback's business.
    let dead = format!("http://127.0.0.1:{}", dead_port());
    let mut command = wavefront(&["demo", "--for", "2s", "--json"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(name, &dead);
    }
    let output = finish(command.spawn().unwrap());
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
    let result: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(result["ok"], true);
    assert_eq!(result["problems"], Value::Array(Vec::new()));
    let rows = result["rows"].as_array().unwrap();
    let mut sent = 0;
    for via in ["tcp", "http"] {
        for kind in Kind::ALL {
            let mut found = rows.iter().filter(|row| row["via"] == via && row["kind"] == kind.as_str());
            let row = found.next().unwrap();
            assert!(row["sent"].as_u64().unwrap() > 0, "{row}");
            sent += row["sent"].as_u64().unwrap();
            assert_eq!((&row["accepted"], &row["delivered"]), (&row["sent"], &row["sent"]), "{row}");
            assert_eq!([&row["rejected"], &row["missing"], &row["unexpected"]], [&Value::from(0); 3], "{row}");
        }
    }
    assert_eq!((rows.len(), result["sent"].as_u64()), (2 * Kind::COUNT, Some(sent)));
}

#[test]
fn a_demo_that_nobody_watches_prints_one_plain_screen() {
    let output = run(&["demo", "--for", "300ms"]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
    let text = stdout(&output);
    assert!(text.contains("every decoded value equals the one sent"), "{text}");
    assert!(text.lines().count() <= 23 && !text.contains('\u{1b}'), "{text}");
}

#[cfg(unix)]
#[test]
fn a_demo_that_is_interrupted_judges_what_was_done() {
    let child = wavefront(&["demo", "--for", "1h", "--json"]).spawn().unwrap();
    thread::sleep(Duration::from_millis(800));
    interrupt(&child);
    let output = finish(child);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
    let result: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(result["ok"], true, "{result}");
}

/// The names that `host --help` lists: `host.load.1m .5m` is `host.load.1m` and `host.load.5m`.
fn documented() -> BTreeSet<String> {
    let help = run(&["host", "--help"]);
    let mut names = BTreeSet::new();
    for line in stdout(&help).lines().filter(|line| line.starts_with("  host.")) {
        let mut words = line.split_whitespace();
        let first: Vec<&str> = words.next().unwrap().split('.').collect();
        names.insert(first.join("."));
        for word in words.take_while(|word| word.starts_with('.')) {
            let end: Vec<&str> = word.split('.').skip(1).collect();
            names.insert([&first[..first.len() - end.len()], &end].concat().join("."));
        }
    }
    names
}

/// The names of what arrived; source and tags have to be as given.
fn names(kept: &[Kept], source: &str, tag: (&str, &str)) -> BTreeSet<String> {
    let name = |kept: &Kept| {
        let point = parse::point(&kept.line, &Limits::DEFAULT).unwrap();
        assert_eq!(point.source.unwrap(), source, "{}", kept.line);
        assert_eq!(point.tags.get(tag.0).unwrap(), tag.1, "{}", kept.line);
        assert_eq!(point.timestamp.is_none(), kept.kind == Kind::Delta, "{}", kept.line);
        point.name.to_string().trim_start_matches('∆').to_owned()
    };
    kept.iter().map(name).collect()
}

#[test]
fn a_host_sends_what_its_help_lists() {
    let documented = documented();
    for name in ["host.cpu.usage", "host.load.15m", "host.disk.written.bytes", "host.network.sent.errors"] {
        assert!(documented.contains(name), "{documented:?}");
    }
    for scheme in ["http", "tcp"] {
        let (collector, port) = collector();
        let to = format!("{scheme}://127.0.0.1:{port}");
        let output = run(&["host", "--to", &to, "--once", "--source", "pump-3", "--tag", "site=north"]);
        assert_eq!((output.status.code(), stdout(&output)), (Some(0), ""), "{}", stderr(&output));
        assert!(stderr(&output).contains("lines delivered to"), "{}", stderr(&output));
        let names = names(&collector.kept(), "pump-3", ("site", "north"));
        let summary = collector.stop();
        assert_eq!(summary.rejected(), 0, "{:?}", summary.rejections().next());
        for name in ["host.cpu.usage", "host.cpu.core.usage", "host.memory.total", "host.memory.usage"] {
            assert!(names.contains(name), "{name} is not among {names:?}");
        }
        assert!(names.is_subset(&documented), "not in --help: {:?}", names.difference(&documented));
    }
}

#[cfg(unix)]
#[test]
fn a_host_that_is_interrupted_sends_its_last_figures() {
    let (collector, port) = collector();
    let to = format!("http://127.0.0.1:{port}");
    let child = wavefront(&["host", "--to", &to, "--every", "1h", "--source", "s"]).spawn().unwrap();
    // The first figures come after a second, the last ones at the end.
    let usages = || collector.kept().iter().filter(|kept| kept.line.contains("\"host.cpu.usage\"")).count();
    let started = Instant::now();
    while usages() < 1 && started.elapsed() < HANGS {
        thread::sleep(Duration::from_millis(50));
    }
    thread::sleep(Duration::from_millis(300));
    interrupt(&child);
    let output = finish(child);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(usages(), 2);
    assert_eq!(stderr(&output).lines().count(), 2, "where it sends, and the summary: {}", stderr(&output));
}

#[test]
fn a_host_whose_endpoint_is_dead_ends_and_says_why() {
    let port = dead_port();
    for scheme in ["http", "tcp"] {
        let output = run(&["host", "--to", &format!("{scheme}://127.0.0.1:{port}"), "--once"]);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("did not reach") && text.contains(&port.to_string()), "{text}");
        assert!(text.contains("no connection"), "{text}");
    }
}

#[test]
fn a_wrong_command_line_is_said_to_be_wrong() {
    let secret = "5eCr3t-01234567";
    for (args, words) in [
        (&["host"][..], "--to"),
        (&["host", "--to", "ftp://h"], "tcp://"),
        (&["host", "--to", "tcp://h", "--tag", "x"], "KEY=VALUE"),
        (&["host", "--to", "tcp://h", "--tag", "a=1", "--tag", "a=2"], "twice"),
        (&["host", "--to", "tcp://h", "--every", "often"], "a unit"),
        (&["host", "--to", "tcp://h", "--every", "10ms"], "1s"),
        (&["host", "--to", "tcp://h", "--token", secret], "a proxy takes no token"),
        (&["host", "--to", "http://example.com", "--token", secret], "https://"),
        (&["demo", "--for", "soon"], "a unit"),
    ] {
        let output = run(args);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(words), "{args:?}: {text}");
        assert!(!text.contains(secret), "{args:?}: {text}");
    }
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}
