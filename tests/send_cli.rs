//! `wavefront send` as a process: what it prints, what it sends, what it refuses, and how it ends.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use wavefront_sdk::Kind;
use wavefront_sdk::collector::{Accepted, Collector, Content, Port};
use wavefront_sdk::parse::{Line, Text};

const BINARY: &str = env!("CARGO_BIN_EXE_wavefront");
/// Long enough for any machine; no test waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(60);
const ANY: &str = "127.0.0.1:0";

/// One record of every kind, as JSON and as ready lines.
const RECORDS: &str = r#"{"kind":"metric","name":"a.b","value":1.5,"timestamp":1493773500,"source":"s","tags":{"z":"v","a":"w"}}
{"kind":"metric","name":"no.time","value":-7,"timestamp":null,"source":"s","tags":null}
{"kind":"delta","name":"a.b","value":1,"source":"s","tags":{}}
{"kind":"histogram","name":"h","centroids":[[30.0,20],[5.1,10]],"granularities":["minute","hour","day"],"timestamp":1493773500.9,"source":"s","tags":{}}
{"kind":"span","name":"op","start_millis":1552949776000,"duration_millis":343,"source":"s","trace_id":"7b3bf470-9456-11e8-9eb6-529269fb1459","span_id":"0313bafe-9457-11e8-9eb6-529269fb1459","parents":["2f64e538-9457-11e8-9eb6-529269fb1459"],"follows_from":["5f64e538-9457-11e8-9eb6-529269fb1459"],"tags":[["k","v"],["k","w"],["a","b"]],"span_logs":[{"timestamp":1552949776000123,"fields":{"event":"e \"q\""}}]}
{"kind":"event","name":"e","start_time":1590650592000,"end_time":1590650692000,"source":"s","tags":["t","u"],"annotations":{"severity":"info"}}
{"kind":"source_tag","action":"add","source":"s","tags":["t"]}
{"kind":"source_description","action":"save","source":"s","description":"t\u00e4xt"}

ready.metric  2   1493773500 host='web 1' k=v
{"traceId":"7b3bf470-9456-11e8-9eb6-529269fb1459", "spanId":"1313bafe-9457-11e8-9eb6-529269fb1459","logs":[{"timestamp":1,"fields":{"a":"b"}}]}
"#;

/// The lines they make.
const LINES: &str = r#""a.b" 1.5 1493773500 source="s" "z"="v" "a"="w"
"no.time" -7.0 source="s"
"∆a.b" 1.0 source="s"
!D 1493773500 #20 30.0 #10 5.1 "h" source="s"
!H 1493773500 #20 30.0 #10 5.1 "h" source="s"
!M 1493773500 #20 30.0 #10 5.1 "h" source="s"
"op" source="s" traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 spanId=0313bafe-9457-11e8-9eb6-529269fb1459 parent=2f64e538-9457-11e8-9eb6-529269fb1459 followsFrom=5f64e538-9457-11e8-9eb6-529269fb1459 "k"="v" "k"="w" "a"="b" "_spanLogs"="true" 1552949776000 343
{"traceId":"7b3bf470-9456-11e8-9eb6-529269fb1459","spanId":"0313bafe-9457-11e8-9eb6-529269fb1459","logs":[{"timestamp":1552949776000123,"fields":{"event":"e \"q\""}}],"span":"\"op\" source=\"s\" traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 spanId=0313bafe-9457-11e8-9eb6-529269fb1459 parent=2f64e538-9457-11e8-9eb6-529269fb1459 followsFrom=5f64e538-9457-11e8-9eb6-529269fb1459 \"k\"=\"v\" \"k\"=\"w\" \"a\"=\"b\" \"_spanLogs\"=\"true\" 1552949776000 343"}
@Event 1590650592000 1590650692000 "e" severity="info" host="s" tag="t" tag="u"
@SourceTag action=add source="s" "t"
@SourceDescription action=save source="s" "täxt"
ready.metric  2   1493773500 host='web 1' k=v
{"traceId":"7b3bf470-9456-11e8-9eb6-529269fb1459", "spanId":"1313bafe-9457-11e8-9eb6-529269fb1459","logs":[{"timestamp":1,"fields":{"a":"b"}}]}
"#;

/// What a receiver makes of them: histograms begin with their day, hour and minute, an event is the same as a line and as
/// JSON.
const DECODED: [&str; 13] = [
    "delta ∆a.b 1 None s",
    "event e 1590650592000 1590650692000 hosts s tags t u severity=info",
    "histogram h Day Some(1493769600000) s 30x20 5.1x10",
    "histogram h Hour Some(1493773200000) s 30x20 5.1x10",
    "histogram h Minute Some(1493773500000) s 30x20 5.1x10",
    "metric a.b 1.5 Some(1493773500000) s z=v a=w",
    "metric no.time -7 None s",
    "metric ready.metric 2 Some(1493773500000) web 1 k=v",
    "source_description Save s täxt",
    "source_tag Add s t",
    "span op s 1552949776000 343 7b3bf470-9456-11e8-9eb6-529269fb1459 0313bafe-9457-11e8-9eb6-529269fb1459 \
     parent=2f64e538-9457-11e8-9eb6-529269fb1459 followsFrom=5f64e538-9457-11e8-9eb6-529269fb1459 \
     k=v k=w a=b _spanLogs=true",
    "span_logs 0313bafe-9457-11e8-9eb6-529269fb1459 1552949776000123 event=e \"q\" of op",
    "span_logs 1313bafe-9457-11e8-9eb6-529269fb1459 1 a=b",
];

/// A run of the command that has ended.
struct Ended {
    status: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn of(mut child: Child) -> Self {
        // Both at a time: neither may fill up and stop the command.
        let mut stderr = child.stderr.take().unwrap();
        let reads = std::thread::spawn(move || {
            let mut err = String::new();
            stderr.read_to_string(&mut err).unwrap();
            err
        });
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        let err = reads.join().unwrap();
        Self { status: child.wait().unwrap().code(), out, err }
    }

    /// The summary of `--json`.
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{}\n{}", self.out, self.err))
    }

    /// Asserts the status, and shows what was said if it is another one.
    #[track_caller]
    fn with_status(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "out: {}\nerr: {}", self.out, self.err);
        self
    }
}

fn send(args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.arg("send").args(args).env_remove("WAVEFRONT_TOKEN");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(args: &[&str]) -> Ended {
    Ended::of(send(args).spawn().unwrap())
}

/// Runs with `input` as standard input.
fn run_with(input: &[u8], args: &[&str]) -> Ended {
    let mut child = send(args).stdin(Stdio::piped()).spawn().unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    // It may end before it has read everything.
    let writes = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let ended = Ended::of(child);
    writes.join().unwrap();
    ended
}

fn dry(input: &str, args: &[&str]) -> Ended {
    run_with(input.as_bytes(), &[&["--dry-run"], args].concat())
}

/// A file of this test alone, gone with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(content: &[u8]) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("wavefront-send-{}-{number}", std::process::id()));
        fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn lines(&self) -> HashSet<String> {
        fs::read_to_string(&self.0).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A collector that says of every line what it means.
struct Receiver {
    collector: Collector,
    decoded: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    fn start(token: Option<&str>) -> Self {
        let decoded = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&decoded);
        let mut builder = Collector::builder().listen(ANY).traces(ANY).histograms(ANY);
        if let Some(token) = token {
            builder = builder.require_token(token);
        }
        let collector = builder.on_line(move |line| notes.lock().unwrap().push(meaning(line))).start().unwrap();
        Self { collector, decoded }
    }

    fn port(&self, port: Port) -> u16 {
        self.collector.addr(port).unwrap().port()
    }

    fn tcp(&self) -> String {
        let [metrics, traces, histograms] = [Port::Metrics, Port::Traces, Port::Histograms].map(|port| self.port(port));
        format!("tcp://127.0.0.1:{metrics}?traces={traces}&histograms={histograms}")
    }

    fn http(&self) -> String {
        format!("proxy://127.0.0.1:{}", self.port(Port::Metrics))
    }

    fn decoded(&self) -> Vec<String> {
        let mut decoded = self.decoded.lock().unwrap().clone();
        decoded.sort();
        decoded
    }
}

fn meaning(accepted: &Accepted<'_>) -> String {
    let mut text = accepted.kind.to_string();
    let mut say = |part: &dyn std::fmt::Display| write!(text, " {part}").unwrap();
    let source = |source: Option<Text<'_>>| source.map(|source| source.to_string()).unwrap_or_default();
    let pair = |(key, value): (Text<'_>, Text<'_>)| format!("{key}={value}");
    match accepted.content {
        Content::Line(Line::Point(point)) => {
            say(&format!("{} {} {:?} {}", point.name, point.value, point.timestamp, source(point.source)));
            point.tags.iter().for_each(|tag| say(&pair(tag)));
        }
        Content::Line(Line::Histogram(histogram)) => {
            let (name, source) = (histogram.name, source(histogram.source));
            say(&format!("{name} {:?} {:?} {source}", histogram.granularity, histogram.timestamp));
            histogram.centroids.for_each(|(mean, count)| say(&format!("{mean}x{count}")));
        }
        Content::Line(Line::Span(span)) => {
            say(&format!("{} {} {} {}", span.name, source(span.source), span.start_millis, span.duration_millis));
            say(&format!("{} {}", span.trace_id, span.span_id));
            span.tags.iter().for_each(|tag| say(&pair(tag)));
        }
        Content::Line(Line::SpanLogs(logs)) => {
            say(&logs.span_id);
            for log in logs.logs {
                say(&log.timestamp);
                log.fields.for_each(|field| say(&pair(field)));
            }
            if let Some(span) = logs.decoded_span() {
                say(&format!("of {}", span.name));
            }
        }
        Content::Line(Line::Event(event)) => {
            say(&format!("{} {} {} hosts", event.name.unwrap(), event.start_time, event.end_time));
            event.hosts().for_each(|host| say(&host));
            say(&"tags");
            event.tags().for_each(|tag| say(&tag));
            event.annotations().for_each(|annotation| say(&pair(annotation)));
        }
        Content::EventJson(event) => {
            let (start, end) = (event.start_millis, event.end_millis.unwrap());
            say(&format!("{} {start} {end} hosts {}", event.name, event.hosts.join(" ")));
            say(&format!("tags {}", event.tags.join(" ")));
            event.annotations.iter().for_each(|(key, value)| say(&format!("{key}={value}")));
        }
        Content::Line(Line::SourceTag(tag)) => {
            say(&format!("{:?} {}", tag.action, tag.source));
            tag.tags.for_each(|tag| say(&tag));
        }
        Content::Line(Line::SourceDescription(description)) => {
            let text = description.description.unwrap().to_string();
            return format!("source_description {:?} {} {text}", description.action, description.source);
        }
        ref other => panic!("{other:?}"),
    }
    text
}

/// `count` metrics as JSON, each with a value of its own, of about 280 bytes in a line.
fn metrics(count: usize) -> Vec<u8> {
    let (mut text, note) = (Vec::new(), "long ".repeat(40));
    for i in 0..count {
        let tags = format!(r#"{{"env":"production","note":"{note}x"}}"#);
        writeln!(text, r#"{{"kind":"metric","name":"cpu.load","value":{i}.5,"source":"web-1","tags":{tags}}}"#)
            .unwrap();
    }
    text
}

/// A port of the loopback that nobody listens on.
fn free_port() -> SocketAddr {
    TcpListener::bind(ANY).unwrap().local_addr().unwrap()
}

fn signal(child: &Child, name: &str) {
    // The shell's own kill: there need not be another one.
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap();
    assert!(sent.success());
}

// What is printed.

#[test]
fn every_kind_has_its_line() {
    let ended = dry(RECORDS, &[]).with_status(0);
    assert_eq!(ended.out, LINES);
    let file = Scratch::new(RECORDS.as_bytes());
    assert_eq!(run(&[file.path(), "--dry-run"]).with_status(0).out, LINES);
    assert_eq!(dry(RECORDS, &["-"]).with_status(0).out, LINES);
    // The same with the line ends of another system, and with what some editors put in front.
    let other = format!("\u{feff}{}", RECORDS.replace('\n', "\r\n"));
    let lines: Vec<String> =
        dry(&other, &[]).with_status(0).out.lines().map(|line| line.trim_end().to_owned()).collect();
    assert_eq!(lines, LINES.lines().collect::<Vec<_>>());
}

#[test]
fn ready_lines_are_kept_byte_for_byte() {
    let lines = "  m   1e3  host = \"a \\\" b\"   k='v'\t\n\
                 \"m\" 01.50 1493773500000 source=s zz=1 aa=\"2\"\n\
                 no.source 1\n\
                 !M 1493773500 #1 2 h source=s\n\
                 { \"spanId\":\"1313bafe-9457-11e8-9eb6-529269fb1459\", \"logs\":[], \"traceId\":\"7b3bf470-9456-11e8-9eb6-529269fb1459\" }\n";
    for args in [&[][..], &["--source", "other", "--tag", "env=prod"]] {
        assert_eq!(dry(lines, args).with_status(0).out, lines);
    }
    // The last line need not be ended.
    assert_eq!(dry("m 1 source=s", &[]).with_status(0).out, "m 1 source=s\n");
    assert_eq!(dry("", &[]).with_status(0).out, "");
}

#[test]
fn the_command_line_gives_sources_and_tags() {
    let records = r#"{"kind":"metric","name":"m","value":1}
{"kind":"metric","name":"m","value":1,"source":" "}
{"kind":"metric","name":"m","value":1,"source":"own","tags":{"env":"dev"}}
{"kind":"span","name":"op","start_millis":1552949776000,"duration_millis":1,"trace_id":"7b3bf470-9456-11e8-9eb6-529269fb1459","span_id":"0313bafe-9457-11e8-9eb6-529269fb1459","tags":[["env","dev"],["env","test"]]}
{"kind":"event","name":"e","start_time":1590650592000}
"#;
    let ended = dry(records, &["--source", "given", "--tag", "env=prod", "--tag", "team=a b"]).with_status(0);
    let expected = r#""m" 1.0 source="given" "env"="prod" "team"="a b"
"m" 1.0 source="given" "env"="prod" "team"="a b"
"m" 1.0 source="own" "env"="dev" "team"="a b"
"op" source="given" traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 spanId=0313bafe-9457-11e8-9eb6-529269fb1459 "env"="dev" "env"="test" "team"="a b" 1552949776000 1
@Event 1590650592000 1590650592001 "e" host="given"
"#;
    assert_eq!(ended.out, expected);
    let ended = dry(records, &[]).with_status(1);
    assert_eq!(ended.out.lines().count(), 1, "only one has a source");
    assert!(ended.err.starts_with("-:1: source missing"), "{}", ended.err);
    assert_eq!(ended.err.matches("source missing").count(), 4);
}

#[test]
fn one_point_by_flags() {
    let ended =
        run(&["--metric", "a.b", "-1.5", "--timestamp", "1493773500.5", "--source", "s", "--tag", "k=v", "--dry-run"]);
    assert_eq!(ended.with_status(0).out, "\"a.b\" -1.5 1493773500 source=\"s\" \"k\"=\"v\"\n");
    let ended = run(&["--metric", "a.b", "1", "--dry-run"]).with_status(0);
    let host = ended.out.strip_prefix("\"a.b\" 1.0 source=\"").and_then(|rest| rest.strip_suffix("\"\n"));
    assert!(host.is_some_and(|host| !host.is_empty()), "the machine's name: {}", ended.out);
    let ended = run(&["--metric", " ", "1", "--dry-run"]).with_status(1);
    assert!(ended.err.starts_with("--metric: metric name is blank"), "{}", ended.err);
    let ended = run(&["--metric", "a", "inf", "--dry-run"]).with_status(1);
    assert!(ended.err.contains("NaN or infinite"), "{}", ended.err);
}

#[test]
fn lines_are_printed_as_they_come() {
    let mut child = send(&["--dry-run"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"m 1 source=s\n").unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "m 1 source=s\n");
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn nobody_reads_what_is_printed() {
    let mut child = send(&["--dry-run"]).stdin(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(&metrics(10_000));
    drop(stdin);
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(!err.contains("panic") && !err.contains("bug"), "{err}");
}

// What is refused.

#[test]
fn bad_records_are_told_and_the_rest_goes_on() {
    let metric = |rest: &str| format!(r#"{{"kind":"metric","name":"m","value":1,"source":"s"{rest}}}"#);
    let span = |rest: &str| {
        format!(
            r#"{{"kind":"span","name":"op","start_millis":1552949776000,"duration_millis":1,"source":"s","trace_id":"7b3bf470-9456-11e8-9eb6-529269fb1459","span_id":"0313bafe-9457-11e8-9eb6-529269fb1459"{rest}}}"#
        )
    };
    let cases: Vec<(String, &str)> = vec![
        (r#"{"kind":"metrik","name":"m"}"#.into(), r#"unknown kind "metrik""#),
        (r#"{"kind":7}"#.into(), r#""kind": expected a string, found a number"#),
        (r#"{"name":"m","value":1}"#.into(), r#""kind" missing"#),
        (r#"{"kind":null}"#.into(), r#""kind" missing"#),
        ("{}".into(), r#""kind" missing"#),
        ("{".into(), "column 1: EOF"),
        (r#"{"kind":"metric",}"#.into(), "trailing comma"),
        (format!("{} x", metric("")), "trailing characters"),
        (metric(r#","colour":null"#), r#"unknown key "colour""#),
        (metric(r#","centroids":[]"#), r#"unknown key "centroids": a metric has"#),
        (metric(r#","traceId":"x""#), r#"unknown key "traceId""#),
        (metric(r#","\u001b[2J":1"#), r#"unknown key "\u{1b}[2J""#),
        (metric(r#","value":2"#), r#"repeated key "value""#),
        (metric(r#","kind":"delta""#), r#"repeated key "kind""#),
        (metric(r#","tags":{"a":"1","a":"2"}"#), r#""tags": repeated key "a""#),
        (metric(r#","tags":{"a b":"1","a-b":"2"}"#), "tag key is repeated"),
        (metric(r#","tags":{"a":1}"#), r#""tags": invalid type: integer `1`, expected a string"#),
        (metric(r#","tags":{"a":null}"#), "expected a string"),
        (metric(r#","tags":{"a":""}"#), "tag value is blank"),
        (metric(r#","tags":{"source":"x"}"#), "tag key is reserved"),
        (metric(r#","tags":[["a","b"]]"#), r#""tags": expected an object of strings, found an array"#),
        (metric(r#","timestamp":-1"#), r#""timestamp": a time cannot be negative"#),
        (metric(r#","timestamp":-0.5"#), "a time cannot be negative"),
        (metric(r#","timestamp":9223372036854775808"#), "the time is out of range"),
        (metric(r#","timestamp":1e99"#), "the time is out of range"),
        (metric(r#","timestamp":"1493773500""#), r#""timestamp": expected a number, found a string"#),
        (metric(r#","timestamp":true"#), "expected a number, found a boolean"),
        (r#"{"kind":"metric","value":1,"source":"s"}"#.into(), r#""name" missing: a metric needs it"#),
        (r#"{"kind":"metric","name":null,"value":1,"source":"s"}"#.into(), r#""name" missing"#),
        (r#"{"kind":"metric","name":"m","source":"s"}"#.into(), r#""value" missing"#),
        (
            r#"{"kind":"metric","name":"m","value":"1","source":"s"}"#.into(),
            r#""value": expected a number, found a string"#,
        ),
        (r#"{"kind":"metric","name":"m","value":1e999,"source":"s"}"#.into(), r#""value": the number is out of range"#),
        (r#"{"kind":"metric","name":"m","value":NaN,"source":"s"}"#.into(), "column"),
        (
            r#"{"kind":"metric","name":["m"],"value":1,"source":"s"}"#.into(),
            r#""name": expected a string, found an array"#,
        ),
        (
            r#"{"kind":"metric","name":"m","value":1,"source":5}"#.into(),
            r#""source": expected a string, found a number"#,
        ),
        (r#"{"kind":"metric","name":"","value":1,"source":"s"}"#.into(), "metric name is blank"),
        (r#"{"kind":"metric","name":"\ud800","value":1,"source":"s"}"#.into(), r#""name": "#),
        (r#"{"kind":"delta","name":"m","value":-1,"source":"s"}"#.into(), "value is negative"),
        (
            r#"{"kind":"delta","name":"m","value":1,"source":"s","timestamp":1}"#.into(),
            r#"unknown key "timestamp": a delta"#,
        ),
        (
            r#"{"kind":"histogram","name":"h","centroids":[],"granularities":["minute"],"source":"s"}"#.into(),
            "centroids missing",
        ),
        (r#"{"kind":"histogram","name":"h","centroids":[[1,2]],"source":"s"}"#.into(), r#""granularities" missing"#),
        (
            r#"{"kind":"histogram","name":"h","centroids":[[1,2]],"granularities":[],"source":"s"}"#.into(),
            "granularities missing",
        ),
        (
            r#"{"kind":"histogram","name":"h","centroids":[[1,2]],"granularities":["week"],"source":"s"}"#.into(),
            r#"unknown granularity "week""#,
        ),
        (
            r#"{"kind":"histogram","name":"h","centroids":[[1,2.5]],"granularities":["day"],"source":"s"}"#.into(),
            "whole number above zero, found 2.5",
        ),
        (
            r#"{"kind":"histogram","name":"h","centroids":[[1,0]],"granularities":["day"],"source":"s"}"#.into(),
            "above zero",
        ),
        (
            r#"{"kind":"histogram","name":"h","centroids":[[1]],"granularities":["day"],"source":"s"}"#.into(),
            r#""centroids": "#,
        ),
        (
            r#"{"kind":"histogram","name":"h","centroids":[["1",2]],"granularities":["day"],"source":"s"}"#.into(),
            "expected a number, found a string",
        ),
        (span(r#","trace_id":"7b3bf470""#), r#"repeated key "trace_id""#),
        (span(r#","parents":["x"]"#), r#""parents": expected a UUID"#),
        (span(r#","parents":"x""#), r#""parents": expected an array of strings, found a string"#),
        (span(r#","tags":[["k"]]"#), r#""tags": "#),
        (span(r#","tags":[["k",1]]"#), "expected a string"),
        (span(r#","tags":{"k":"v","k":"w"}"#), "repeated key"),
        (span(r#","tags":[["source","x"]]"#), "span tag key is reserved"),
        (span(r#","span_logs":[{"timestamp":1,"fields":{"n":1}}]"#), r#""span_logs": "fields": invalid type"#),
        (span(r#","span_logs":[{"timestamp":1}]"#), "a log record needs fields"),
        (span(r#","span_logs":[{"timestamp":1,"fields":{},"x":1}]"#), r#"unknown key "x" in a log record"#),
        (span(r#","span_logs":{}"#), r#""span_logs": expected an array of log records, found an object"#),
        (r#"{"kind":"event","name":"e","source":"s"}"#.into(), r#""start_time" missing"#),
        (r#"{"kind":"event","name":"e","start_time":0,"source":"s"}"#.into(), "timestamp is zero"),
        (
            r#"{"kind":"event","name":"e","start_time":1,"source":"s","tags":{}}"#.into(),
            r#""tags": expected an array of strings"#,
        ),
        (r#"{"kind":"source_tag","action":"drop","source":"s","tags":["t"]}"#.into(), r#"unknown action "drop""#),
        (r#"{"kind":"source_tag","action":"add","source":"s","tags":[]}"#.into(), "source tag missing"),
        (r#"{"kind":"source_description","action":"save","source":"s"}"#.into(), r#""description" missing"#),
        (r#"{"traceId":"x","logs":7}"#.into(), "column"),
        ("nonsense".into(), "column 9: value missing"),
        ("[1]".into(), "column"),
        (format!("m 1 source=s k={}", "v".repeat(40_000)), "too long"),
        (format!("m 1 source=s {}", "k=v ".repeat(9_000)), "too"),
    ];
    let mut input: Vec<u8> = Vec::new();
    for (record, _) in &cases {
        writeln!(input, "{record}").unwrap();
    }
    input.extend_from_slice(b"m 1 source=\"\xFF\"\n");
    let long = vec![b'x'; 3 << 20];
    input.extend_from_slice(&long);
    input.extend_from_slice(b"\nlast 1 source=s\n");

    let file = Scratch::new(&input);
    let ended = run(&[file.path(), "--dry-run", "--json"]).with_status(1);
    assert_eq!(ended.out, "last 1 source=s\n");
    let mut said = ended.err.lines();
    for (number, (record, expected)) in (1..).zip(&cases) {
        let line = said.next().unwrap();
        let text = line.strip_prefix(&format!("{}:{number}: ", file.path())).unwrap_or_else(|| panic!("{line}"));
        assert!(text.contains(expected), "{record}\nsaid: {text}\nexpected: {expected}");
    }
    let number = cases.len();
    assert_eq!(said.next().unwrap(), format!("{}:{}: column 13: this is not UTF-8", file.path(), number + 1));
    let too_long =
        format!("{}:{}: the line is too long: {} bytes, the limit is 2097152", file.path(), number + 2, long.len() + 1);
    assert_eq!(said.next().unwrap(), too_long);
    let summary: Value = serde_json::from_str(said.next().unwrap()).unwrap();
    assert_eq!(summary["records"], number + 3);
    assert_eq!(summary["invalid"], number + 2);
    assert_eq!(summary["delivered"], 1);
    assert_eq!(said.next(), None);
}

#[test]
fn wrong_command_lines_have_their_own_status() {
    let missing = std::env::temp_dir().join("wavefront-no-such-file");
    let folder = std::env::temp_dir();
    for (args, expected) in [
        (&[][..], "no endpoint: give --to URL"),
        (&["--to", "nonsense"], "--to: "),
        (&["--to", "ftp://h"], "--to: "),
        (&["--to", "tcp://h", "--token", "t"], "--to: "),
        (&["--to", "http://example.com", "--token", "t"], "--to: "),
        (&["--to", "https://h", "--token", " "], "--token: "),
        (&["--to", "tcp://h", "--give-up", "0s"], "--give-up"),
        (&["--to", "tcp://h", "--give-up", "soon"], "--give-up"),
        (&["--dry-run", "--tag", "k"], "--tag \"k\" has no '='"),
        (&["--dry-run", "--tag", "k= "], "tag value is blank"),
        (&["--dry-run", "--tag", "host=x"], "reserved"),
        (&["--dry-run", "--tag", "k=1", "--tag", "k=2"], "twice"),
        (&["--dry-run", "--metric", "m"], "--metric"),
        (&["--dry-run", "--metric", "m", "x"], "\"x\" is not a number"),
        (&["--dry-run", "--metric", "m", "1", "file"], "cannot be used with"),
        (&["--dry-run", "--timestamp", "1"], "--metric"),
        (&["--dry-run", "--timestamp", "-1", "--metric", "m", "1"], "a time cannot be negative"),
        (&["--dry-run", "https://example.com"], "FILE looks like a URL"),
        (&["--dry-run", missing.to_str().unwrap()], "cannot read"),
        (&["--dry-run", folder.to_str().unwrap()], "cannot read"),
        (&["--no-such-option"], "--no-such-option"),
    ] {
        let ended = run(args).with_status(2);
        assert!(ended.err.contains(expected), "{args:?}\nsaid: {}\nexpected: {expected}", ended.err);
        assert_eq!(ended.out, "");
    }
    assert!(run(&["--help"]).with_status(0).out.contains("Examples:"));
}

// What is sent.

/// Sends `RECORDS`, often enough that bodies are compressed, and expects them decoded as they were meant.
fn all_kinds_arrive(receiver: &Receiver, to: &str, times: usize, skip: Option<&str>, args: &[&str]) -> Value {
    let records: String = RECORDS
        .lines()
        .filter(|line| skip.is_none_or(|skip| !line.contains(skip)))
        .map(|line| format!("{line}\n"))
        .collect();
    let args = [&["--to", to, "--json"], args].concat();
    let ended = run_with(records.repeat(times).as_bytes(), &args).with_status(0);
    assert_eq!(ended.err, "");
    let expected: Vec<&str> =
        DECODED.into_iter().filter(|line| skip.is_none_or(|_| !line.starts_with("source_"))).collect();
    let decoded = receiver.decoded();
    let each: Vec<&str> = decoded.chunk_by(|a, b| a == b).map(|same| same[0].as_str()).collect();
    assert_eq!(each, expected);
    assert!(decoded.chunk_by(|a, b| a == b).all(|same| same.len() == times), "{times} times each");
    let summary = ended.json();
    assert_eq!(summary["delivered"], expected.len() * times);
    assert_eq!((&summary["lost"], &summary["invalid"]), (&0.into(), &0.into()));
    summary
}

#[test]
fn all_kinds_over_tcp() {
    let receiver = Receiver::start(None);
    let summary = all_kinds_arrive(&receiver, &receiver.tcp(), 3, None, &[]);
    assert_eq!(summary["kinds"]["histogram"]["delivered"], 9);
    assert_eq!(summary["endpoint"], receiver.tcp());
    assert_eq!(receiver.collector.stop().rejected(), 0);
}

#[test]
fn all_kinds_over_http() {
    let receiver = Receiver::start(None);
    let summary = all_kinds_arrive(&receiver, &receiver.http(), 1, None, &[]);
    assert_eq!(summary["records"], 10);
    assert_eq!(receiver.collector.stop().rejected(), 0);
}

#[test]
fn all_kinds_over_http_with_gzip() {
    let receiver = Receiver::start(None);
    all_kinds_arrive(&receiver, &receiver.http(), 200, None, &[]);
    let summary = receiver.collector.stop();
    assert_eq!(summary.rejected(), 0);
    assert!(summary.bytes < (LINES.len() * 200 / 4) as u64, "{} bytes are not compressed", summary.bytes);
}

#[test]
fn directly_with_a_token() {
    const TOKEN: &str = "5eCr3t-01234567";
    let receiver = Receiver::start(Some(TOKEN));
    let to = format!("http://127.0.0.1:{}", receiver.port(Port::Metrics));
    let summary = all_kinds_arrive(&receiver, &to, 2, Some("\"source_"), &["--token", TOKEN]);
    assert_eq!(summary["kinds"]["event"]["delivered"], 2);
    assert!(!summary.to_string().contains(TOKEN));
    // A proxy only takes tags of sources.
    let ended =
        run_with(RECORDS.as_bytes(), &["--to", &format!("http://{TOKEN}@127.0.0.1:9"), "--dry-run"]).with_status(1);
    assert_eq!(ended.err.matches("takes no source_tag lines: send them to a proxy").count(), 2);
}

#[test]
fn one_point_is_sent() {
    let receiver = Receiver::start(None);
    let args = ["--metric", "a.b", "2.5", "--source", "s", "--tag", "k=v", "--timestamp", "1493773500"];
    let ended = run(&[&["--to", &receiver.tcp()], &args[..]].concat()).with_status(0);
    assert_eq!(receiver.decoded(), ["metric a.b 2.5 Some(1493773500000) s k=v"]);
    assert_eq!(ended.out, "");
    assert!(ended.err.contains("1 records from --metric"), "{}", ended.err);
}

#[test]
fn more_than_the_queue_holds() {
    // 4 MiB of one kind wait at most, which are 15,000 of these.
    let (count, input) = (40_000, metrics(40_000));
    for over_http in [false, true] {
        let collector = Collector::builder().listen(ANY).start().unwrap();
        let scheme = if over_http { "proxy" } else { "tcp" };
        let to = format!("{scheme}://{}", collector.addr(Port::Metrics).unwrap());
        let ended = run_with(&input, &["--to", &to, "--json"]).with_status(0);
        let summary = ended.json();
        assert_eq!((&summary["accepted"], &summary["delivered"]), (&count.into(), &count.into()));
        assert_eq!(collector.stop().counts(Kind::Metric).accepted, count);
    }
}

#[test]
fn bad_records_do_not_stop_the_good_ones() {
    let receiver = Receiver::start(None);
    let input = "a 1 source=s\nbad\n{\"kind\":\"metric\",\"name\":\"b\",\"value\":2,\"source\":\"s\"}\n{}\n";
    let ended = run_with(input.as_bytes(), &["--to", &receiver.http(), "--json"]).with_status(1);
    assert_eq!(receiver.decoded(), ["metric a 1 None s", "metric b 2 None s"]);
    let summary = ended.json();
    assert_eq!((&summary["records"], &summary["delivered"], &summary["invalid"]), (&4.into(), &2.into(), &2.into()));
    assert!(ended.err.starts_with("-:2: ") && ended.err.contains("\n-:4: "), "{}", ended.err);
}

#[test]
fn a_delta_of_zero_is_nothing_to_send() {
    let receiver = Receiver::start(None);
    let input = "{\"kind\":\"delta\",\"name\":\"d\",\"value\":0,\"source\":\"s\"}\n";
    let summary = run_with(input.as_bytes(), &["--to", &receiver.http(), "--json"]).with_status(0).json();
    assert_eq!((&summary["skipped"], &summary["accepted"], &summary["invalid"]), (&1.into(), &0.into(), &0.into()));
}

// What goes wrong.

#[test]
fn nobody_listens() {
    for scheme in ["tcp", "proxy"] {
        let to = format!("{scheme}://{}", free_port());
        let ended = run_with(&metrics(10), &["--to", &to, "--give-up", "300ms", "--json"]).with_status(1);
        let summary = ended.json();
        assert_eq!(summary["gave_up"], true);
        assert_eq!(
            (&summary["accepted"], &summary["delivered"], &summary["lost"]),
            (&10.into(), &0.into(), &10.into())
        );
        assert_eq!(summary["kinds"]["metric"]["dropped"]["closed"], 10);
        assert_eq!(ended.err.matches("warning: ").count(), 1, "{}", ended.err);
        assert!(ended.err.contains("Connection refused"), "{}", ended.err);
    }
}

#[test]
fn a_full_queue_waits_and_then_gives_up() {
    let input = metrics(40_000);
    let to = format!("tcp://{}", free_port());
    let ended = run_with(&input, &["--to", &to, "--give-up", "500ms", "--json"]).with_status(1);
    let summary = ended.json();
    let (accepted, lost) = (summary["accepted"].as_u64().unwrap(), summary["lost"].as_u64().unwrap());
    assert_eq!((accepted, summary["gave_up"].as_bool()), (lost, Some(true)));
    assert!((1_000..=20_000).contains(&accepted), "{accepted}");
    assert_eq!(summary["kinds"]["metric"]["dropped"]["queue_full"], 0, "nothing is dropped for want of room");
    assert_eq!(summary["stopped_at_line"].as_u64(), Some(accepted + 1), "the first line that was not taken");
    assert_eq!(summary["records"].as_u64(), Some(accepted));
}

#[test]
fn a_receiver_that_does_not_read() {
    let deaf = TcpListener::bind(ANY).unwrap();
    let to = format!("tcp://{}", deaf.local_addr().unwrap());
    let ended = run_with(&metrics(100_000), &["--to", &to, "--give-up", "1s", "--json"]).with_status(1);
    let summary = ended.json();
    let [accepted, delivered, lost] = ["accepted", "delivered", "lost"].map(|key| summary[key].as_u64().unwrap());
    assert_eq!(accepted, delivered + lost);
    assert!(lost > 0 && summary["gave_up"] == true, "{summary}");
}

#[test]
fn a_late_receiver_gets_everything() {
    for scheme in ["tcp", "proxy"] {
        let addr = free_port();
        let file = Scratch::new(&metrics(1000));
        let to = format!("{scheme}://{addr}");
        let mut child = send(&[file.path(), "--to", &to, "--json"]).spawn().unwrap();
        // It has tried.
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut warning = String::new();
        stderr.read_line(&mut warning).unwrap();
        assert!(warning.starts_with("warning: "), "{warning}");
        let collector = Collector::builder().listen(addr).start().unwrap();
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{out}");
        let summary: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&summary["delivered"], &summary["lost"]), (&1000.into(), &0.into()));
        assert_eq!(collector.stop().counts(Kind::Metric).accepted, 1000);
    }
}

/// A collector as a process, for being killed.
fn collect(addr: &str, out: &Scratch) -> (Child, String) {
    let mut command = Command::new(BINARY);
    command.args(["collect", "--listen", addr, "--out", out.path()]).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let addr = line.trim_end().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).to_owned();
    // Somebody has to read the rest.
    std::thread::spawn(move || stderr.read_to_end(&mut Vec::new()));
    (child, addr)
}

fn wait_for_content(file: &Scratch) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while fs::metadata(&file.0).unwrap().len() == 0 {
        assert!(std::time::Instant::now() < deadline, "nothing came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_receiver_that_is_killed_in_the_middle() {
    for scheme in ["tcp", "proxy"] {
        let (first, second) = (Scratch::new(b""), Scratch::new(b""));
        let (mut collector, addr) = collect(ANY, &first);
        let to = format!("{scheme}://{addr}");
        let mut child = send(&["--to", &to, "--json"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = metrics(10_000);
        let (before, after) = input.split_at(input.len() / 2);
        stdin.write_all(before).unwrap();
        wait_for_content(&first);
        collector.kill().unwrap();
        collector.wait().unwrap();
        let writes = std::thread::spawn({
            let after = after.to_vec();
            move || stdin.write_all(&after).unwrap()
        });
        let (mut collector, _) = collect(&addr, &second);
        let ended = Ended::of(child).with_status(0);
        writes.join().unwrap();
        collector.kill().unwrap();
        collector.wait().unwrap();
        let summary = ended.json();
        assert_eq!((&summary["delivered"], &summary["lost"]), (&10_000.into(), &0.into()));
        let arrived: HashSet<String> = first.lines().union(&second.lines()).cloned().collect();
        let missing = 10_000 - arrived.len();
        assert_eq!(missing, 0, "{scheme}: {summary}");
    }
}

fn interrupted(child: Child, stdin: ChildStdin, name: &str) -> Ended {
    signal(&child, name);
    let ended = Ended::of(child);
    drop(stdin);
    ended
}

#[test]
fn a_signal_ends_it_with_what_was_read() {
    for name in ["INT", "TERM"] {
        let receiver = Receiver::start(None);
        let mut child = send(&["--to", &receiver.http(), "--json"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"m 1 source=s\n").unwrap();
        receiver.collector.wait_until(|summary| summary.accepted() == 1, PATIENCE).unwrap();
        let summary = interrupted(child, stdin, name).with_status(1).json();
        assert_eq!((&summary["interrupted"], &summary["gave_up"]), (&true.into(), &false.into()));
        assert_eq!((&summary["delivered"], &summary["lost"]), (&1.into(), &0.into()));
    }
}

#[test]
fn a_token_is_never_shown() {
    const TOKEN: &str = "5eCr3t-01234567";
    let receiver = Receiver::start(Some("another"));
    let direct = format!("http://127.0.0.1:{}", receiver.port(Port::Metrics));
    let in_url = format!("http://{TOKEN}@127.0.0.1:{}", receiver.port(Port::Metrics));
    let joined = format!("--token={TOKEN}");
    let plain = format!("http://{TOKEN}@example.com");
    let secret = format!("https://{TOKEN}@h");
    let odd = format!("https://{TOKEN}@h:x y");
    let metric = ["--metric", "m", "1"];
    let cases: [(&[&str], i32); 9] = [
        (&["--to", &direct, "--token", TOKEN], 1),
        (&["--to", &direct, &joined, "--json"], 1),
        (&["--to", &in_url], 1),
        (&["--to", &plain], 2),
        (&["--to", "tcp://h", "--token", TOKEN], 2),
        (&["--to", &odd], 2),
        (&["--to", &secret, "--no-such-option"], 2),
        (&[&secret], 2),
        (&["--token", TOKEN, &secret, &joined], 2),
    ];
    for (args, status) in cases {
        let ended = run(&[&metric, args].concat()).with_status(status);
        assert!(!ended.err.contains(TOKEN) && !ended.out.contains(TOKEN), "{}{}", ended.out, ended.err);
        if status == 1 {
            // At once: trying again does not help.
            assert!(ended.err.contains("401") || ended.out.contains("401"), "{}{}", ended.out, ended.err);
        }
    }
    let mut command = send(&["--to", "https://127.0.0.1:9", "--give-up", "200ms", "--metric", "m", "1"]);
    let ended = Ended::of(command.env("WAVEFRONT_TOKEN", TOKEN).spawn().unwrap()).with_status(1);
    assert!(!ended.err.contains(TOKEN), "{}", ended.err);
}

#[test]
fn the_token_of_the_environment_is_for_https_only() {
    // With a token this endpoint takes no source tags; without one it is a proxy, which does.
    let mut input = Command::new(BINARY);
    let record = Scratch::new(b"@SourceTag action=add source=s t\n");
    let mut status = |to: &str, token: &str| {
        input = send(&[record.path(), "--dry-run", "--to", to]);
        Ended::of(input.env("WAVEFRONT_TOKEN", token).spawn().unwrap()).status
    };
    let expected = BTreeMap::from([
        (("https://127.0.0.1:9", "t"), Some(1)),
        (("https://127.0.0.1:9", ""), Some(0)),
        (("http://127.0.0.1:9", "t"), Some(0)),
        (("proxy://127.0.0.1:9", "t"), Some(0)),
        (("tcp://127.0.0.1:9", "t"), Some(0)),
    ]);
    for ((to, token), expected) in expected {
        assert_eq!(status(to, token), expected, "{to} {token}");
    }
}
