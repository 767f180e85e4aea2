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

mod printed;
mod refused;
mod sent;
mod several;
mod spool;
mod wrong;

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
