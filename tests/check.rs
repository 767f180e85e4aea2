//! `wavefront check`: its JSON says of every recorded line what the receiver made of it, and what people are shown is
//! right in every place.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::fmt::Write as _;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flate2::read::GzDecoder;
use serde_json::{Map, Value, json};

/// What a command wrote and how it ended.
fn finished(output: Output) -> (String, String, i32) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavefront"));
    command.arg("check").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The command, with `input` as its standard input.
fn check(arguments: &[&str], input: &[u8]) -> (String, String, i32) {
    let mut child = command(arguments).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = finished(child.wait_with_output().unwrap());
    writer.join().unwrap().unwrap();
    output
}

fn objects(arguments: &[&str], input: &[u8]) -> Vec<Value> {
    let (stdout, stderr, status) = check(&[&["--json"], arguments].concat(), input);
    assert_eq!(stderr, "");
    let objects: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let bad = objects.iter().any(|object| object["ok"] == json!(false));
    assert_eq!(status, i32::from(bad));
    objects
}

// ---- what the receiver made of lines -----------------------------------------------------------------------------------

/// The fields that the line has, from the record of what the receiver made of it.
fn expected(kind: &str, number: usize, theirs: &Value) -> Value {
    let or_empty = |value: &Value| if value.is_null() { json!([]) } else { value.clone() };
    let timestamp = if theirs["timestampDefaulted"] == json!(true) { &Value::Null } else { &theirs["timestamp"] };
    let fields = match kind {
        "metric" => json!({
            "name": theirs["metric"], "value": theirs["value"], "timestamp": timestamp, "source": theirs["host"],
            "tags": theirs["annotations"],
        }),
        "histogram" => {
            let (bins, counts) = (theirs["bins"].as_array().unwrap(), theirs["counts"].as_array().unwrap());
            let centroids: Vec<Value> = bins.iter().zip(counts).map(|(mean, count)| json!([mean, count])).collect();
            json!({
                "name": theirs["metric"], "granularity": theirs["granularity"], "timestamp": timestamp,
                "centroids": centroids, "source": theirs["host"], "tags": theirs["annotations"],
            })
        }
        "span" => json!({
            "name": theirs["name"], "source": theirs["source"], "trace_id": theirs["traceId"],
            "span_id": theirs["spanId"], "start_millis": theirs["startMillis"], "duration_millis": theirs["duration"],
            "tags": theirs["annotations"],
        }),
        _ => json!({
            "name": theirs["name"], "start_time": theirs["startTime"], "end_time": theirs["endTime"],
            "hosts": theirs["hosts"], "tags": or_empty(&theirs["tags"]), "annotations": theirs["annotations"],
        }),
    };
    let mut object = Map::new();
    object.insert("line".into(), number.into());
    object.insert("ok".into(), true.into());
    object.insert("kind".into(), kind.into());
    object.extend(fields.as_object().unwrap().clone());
    object.into()
}

/// Compares numbers by value and to the last bit, zeros by sign, objects without their order, the rest as it is.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => ours.as_i64().zip(theirs.as_i64()).map_or_else(
            || ours.as_f64().map(f64::to_bits) == theirs.as_f64().map(f64::to_bits),
            |(ours, theirs)| ours == theirs,
        ),
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(key, ours)| theirs.get(key).is_some_and(|theirs| same(ours, theirs)))
        }
        _ => ours == theirs,
    }
}

/// All lines of a file through the command at once, each a line of its input.
fn replay(name: &str, kind: &str, judged: usize, accepted: usize) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "golden", name].iter().collect();
    let file = BufReader::new(GzDecoder::new(std::fs::File::open(path).unwrap()));
    let records: Vec<Value> = file.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    let mut input = String::new();
    for record in &records {
        let line = record["line"].as_str().unwrap();
        assert!(!line.contains('\n'));
        input += line;
        input.push('\n');
    }
    let (forced, detected) = (objects(&["--kind", kind], input.as_bytes()), objects(&[], input.as_bytes()));
    let (mut next, mut next_detected) = (forced.iter(), detected.iter());
    let (mut counts, mut wrong, mut report) = ((0, 0), 0, String::new());
    for (at, record) in records.iter().enumerate() {
        let (line, theirs) = (record["line"].as_str().unwrap(), &record["reader"]);
        if theirs["stage"] == "framing" {
            assert_eq!(line.trim(), "", "only blank lines are no lines");
            continue;
        }
        let (ours, detected) = (next.next().unwrap(), next_detected.next().unwrap());
        counts.0 += 1;
        let problem = if theirs["ok"] == json!(true) {
            counts.1 += 1;
            let expected = expected(kind, at + 1, theirs);
            let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            if !same(ours, &expected) {
                Some(format!("ours {ours}, theirs {expected}"))
            } else if keys(ours) != keys(&expected) {
                Some(format!("the fields of {ours} are in another order"))
            } else {
                (detected != ours).then(|| format!("without --kind it is {detected}"))
            }
        } else {
            let column = usize::try_from(ours["column"].as_u64().unwrap_or(0)).unwrap();
            let error = ours["error"].as_str().unwrap_or_default();
            let is_bad = json!({"line": at + 1, "ok": false, "column": column, "error": error});
            if *ours != is_bad || error.is_empty() || !(1..=line.chars().count() + 1).contains(&column) {
                Some(format!("ours {ours}, theirs {theirs}"))
            } else {
                // Not what it was said to be, but maybe something else.
                (detected["kind"] == *kind).then(|| format!("without --kind it is {detected}"))
            }
        };
        if let Some(problem) = problem {
            wrong += 1;
            if wrong <= 20 {
                writeln!(report, "{line:?}\n    {problem}").unwrap();
            }
        }
    }
    assert!(wrong == 0, "{wrong} of {} lines of {name}:\n{report}", counts.0);
    assert!(next.next().is_none() && next_detected.next().is_none(), "more objects than lines");
    assert_eq!(counts, (judged, accepted), "lines and accepted lines of {name}");
}

#[test]
fn recorded_points() {
    replay("reader-points.jsonl.gz", "metric", 2991, 800);
}

#[test]
fn recorded_histograms() {
    replay("reader-histograms.jsonl.gz", "histogram", 1503, 342);
}

#[test]
fn recorded_spans() {
    replay("reader-spans.jsonl.gz", "span", 2004, 537);
}

#[test]
fn recorded_events() {
    replay("reader-events.jsonl.gz", "event", 768, 446);
}

// ---- JSON --------------------------------------------------------------------------------------------------------------

const IDS: &str = "traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 spanId=0313bafe-9457-11e8-9eb6-529269fb1459";

#[test]
fn an_object_for_every_line_that_is_not_blank() {
    let input = "\r\n\
        m -0.0\r\n\
        \u{4} \n\
        \"a\\\"b\" 1\n\
        ∆m NaN 1493773500 source=\"\u{1b}\u{2028}\\é\" a=1 b=2 a=3\n\
        {\"traceId\":\"t\",\"spanId\":\"s\",\"logs\":[{\"timestamp\":1,\"fields\":{\"a\":\"\\ud83d\\u0007\",\"a\":\"b\"}}]}\n\
        @SourceTag action=add source=s t u\n\
        @SourceDescription action=delete source=s";
    let (stdout, stderr, status) = check(&["--json"], input.as_bytes());
    let expected = [
        r#"{"line":2,"ok":true,"kind":"metric","name":"m","value":-0.0,"timestamp":null,"source":"unknown","tags":{}}"#,
        "{\"line\":4,\"ok\":false,\"column\":3,\"error\":",
        "{\"line\":5,\"ok\":true,\"kind\":\"metric\",\"name\":\"∆m\",\"value\":\"NaN\",\"timestamp\":1493773500000,\
         \"source\":\"\\u001b\u{2028}\\\\é\",\"tags\":{\"b\":\"2\",\"a\":\"3\"}}",
        "{\"line\":6,\"ok\":true,\"kind\":\"span_logs\",\"trace_id\":\"t\",\"span_id\":\"s\",\
         \"logs\":[{\"timestamp\":1,\"fields\":{\"a\":\"b\"}}],\"span\":null}",
        r#"{"line":7,"ok":true,"kind":"source_tag","action":"add","source":"s","tags":["t","u"]}"#,
        r#"{"line":8,"ok":true,"kind":"source_description","action":"delete","source":"s","description":null}"#,
    ];
    assert_eq!(stdout.lines().count(), expected.len(), "{stdout}");
    for (line, expected) in stdout.lines().zip(expected) {
        assert!(line.starts_with(expected), "{line}\n{expected}");
    }
    assert_eq!((stderr.as_str(), status), ("", 1));
}

#[test]
fn a_kind_can_be_forced() {
    let line = format!("m 1 {IDS} 1552949776000 5");
    assert_eq!(objects(&[], line.as_bytes())[0]["ok"], json!(false), "neither a point nor a span");
    let line = format!("m source=s {IDS} 1552949776000 5");
    assert_eq!(objects(&[], line.as_bytes())[0]["kind"], "span");
    assert_eq!(objects(&["--kind=span"], line.as_bytes())[0]["kind"], "span");
    for kind in ["metric", "histogram", "span_logs", "event"] {
        assert_eq!(objects(&["--kind", kind], line.as_bytes())[0]["ok"], json!(false), "{kind}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_read_as_the_receiver_does() {
    assert_eq!(objects(&[], b"m 1 source=\"a\xff\xe6\xb8\"")[0]["source"], "a\u{fffd}\u{fffd}");
    assert_eq!(objects(&[], b"\xef\xbb\xbfm 1")[0]["column"], 1);
}

// ---- what people see ---------------------------------------------------------------------------------------------------

/// What is said to one line, without the line's `<stdin>:1:`.
fn said(line: &str) -> String {
    let (stdout, _, status) = check(&[], line.as_bytes());
    assert_eq!(status, i32::from(stdout.contains(" error: ")), "{stdout}");
    stdout.replace("<stdin>:1:", "")
}

#[test]
fn bad_lines() {
    let input = "\"requests\" 42 source=\"web-1\"\n\
        \"requests\" 12x source=\"web-1\"\n\
        \n\
        requests 1 source=\"温度 計\"\t\"é\"=\"v\"\r\n\
        !M #20.0 30 latency source=web-1\n";
    let (stdout, stderr, status) = check(&[], input.as_bytes());
    let without_reasons: String = stdout
        .lines()
        .map(|line| line.split_once("error: ").map_or(line, |(start, _)| start).to_owned() + "\n")
        .collect();
    assert_eq!(
        without_reasons,
        r#"<stdin>:2:12: 
    "requests" 12x source="web-1"
               ^
<stdin>:4:27: 
    requests 1 source="温度 計"\t"é"="v"
                                  ^
<stdin>:5:5: 
    !M #20.0 30 latency source=web-1
        ^
"#
    );
    assert_eq!((stderr.as_str(), status), ("<stdin>: 4 lines: 1 good, 3 bad\n", 1));
}

#[test]
fn notes() {
    assert_eq!(
        said(&format!("\"get *\" source=s {IDS} 1533529977 343500")),
        r#"1: note: the name is read as `get -`: a `*` becomes a `-`
    "get *" source=s traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 spanId=0313bafe-9457-11e8-9eb6-529269f…
    ^
107: note: by its size, the start is in seconds, and so is the duration: 2018-08-06 04:32:57.000 UTC, 343500000 ms
    …d=7b3bf470-9456-11e8-9eb6-529269fb1459 spanId=0313bafe-9457-11e8-9eb6-529269fb1459 1533529977 343500
                                                                                        ^
"#
    );
}

#[test]
fn what_is_noted() {
    let span = |rest: &str| format!("s source=s {IDS} {rest}");
    for (line, column, note) in [
        ("m 1 915148800000 source=s".into(), 5, "by its size, the timestamp is read as seconds: 30969-11-29"),
        ("m 1 60 source=s".into(), 5, "by its size, the timestamp is read as seconds: 1970-01-01 00:01:00.000 UTC"),
        ("m NaN source=s".into(), 3, "the value is read as NaN"),
        ("m -1e999 source=s".into(), 3, "the value is read as -Infinity"),
        ("m 1".into(), 0, "the line names no source"),
        ("m 1 source=a \"source\"=b".into(), 5, "this is not the source"),
        ("m 1 source=a k=v host=b".into(), 18, "this `host` becomes the tag `_host`"),
        ("m 1 k=v \"host\"=db".into(), 9, "this is no tag, but the source"),
        ("m 1 source=a tag=b".into(), 14, "keeps the tag `tag` as `_tag`"),
        ("m 1 source=a k=1 k=2".into(), 14, "this key is repeated: the last one's value counts"),
        ("!M #0 1 #1 2 m source=s".into(), 5, "the count is read as 0"),
        ("!M 1493773500 #2 1 #1 NaN m source=s".into(), 23, "the mean is read as NaN"),
        (span("1552949776000 1552949776343"), 115, "so it is read as the end: a duration of 343 ms"),
        (span("1552949776000123 5500"), 101, "the start is in microseconds, and so is the duration"),
        (span(&format!("k={} 1552949776000 5", "v".repeat(129))), 103, "cuts this value of 129 UTF-16 units to 128"),
        (span("host=other 1552949776000 5"), 3, "this is not the source"),
        (span("traceId=1-2-3-4-5 1552949776000 5"), 12, "this is not the trace id"),
        ("@Event 1552949776000 343 down host=a".into(), 22, "this is read as the end, and is not behind the start"),
        ("@Event 1552949776 down host=a source=b".into(), 31, "this is an annotation"),
        ("@Event 1552949776000 down k=1 k=2".into(), 27, "this key is repeated"),
        ("@Event 1552949776000 down tag=1 eventTag=2".into(), 33, "only those of `tag` count"),
        (
            r#"{"traceId":"t","spanId":"s","logs":[{"timestamp":1552949776000,"fields":{"a":"b"}}]}"#.into(),
            0,
            "the timestamp 1552949776000 is read as microseconds: 1970-01-18",
        ),
        (format!("m 1 source=s{}", " ".repeat(33_000)), 0, "the line has 33012 bytes"),
    ] {
        let line: String = line;
        let said = said(&line);
        let place = if column == 0 { " note: ".into() } else { format!("{column}: note: ") };
        assert!(said.starts_with(&place), "{line}\n{said}");
        assert!(said.lines().next().unwrap().contains(note), "{line}\n{said}");
        assert_eq!(said.matches(" note: ").count(), 1, "{line}\n{said}");
        assert_eq!(said.lines().count(), if column == 0 { 2 } else { 3 }, "{line}\n{said}");
    }
}

#[test]
fn what_is_as_it_seems_is_not_noted() {
    for line in [
        "\"new-york.power.usage\" 42422.0 1493773500 source=\"localhost\" \"datacenter\"=\"dc1\"".into(),
        "m 1 1493773500000 source=s".into(),
        "m 1 host=s k=v".into(),
        "m 1 k=v source=s".into(),
        "!M 1493773500 #20 30.0 #10 5.1 \"request.latency\" source=\"appServer1\" \"region\"=\"us-west\"".into(),
        format!("s source=s {IDS} parent=p followsFrom=f k=v k=w 1552949776000 343"),
        "@Event 1493773500000 1493773500001 \"e\" severity=\"warn\" host=\"a\" host=\"b\" tag=\"t\" tag=\"u\"".into(),
        "@SourceTag action=add source=s t".into(),
        r#"{"traceId":"t","spanId":"s","logs":[{"timestamp":1552949776000123,"fields":{"event":"error"}}]}"#.into(),
    ] {
        let line: String = line;
        let (stdout, stderr, status) = check(&[], line.as_bytes());
        assert_eq!((stdout.as_str(), stderr.as_str(), status), ("", "<stdin>: 1 line, all good\n", 0), "{line}");
    }
}

// ---- files and pipes ---------------------------------------------------------------------------------------------------

#[test]
fn files_and_what_is_none() {
    let dir = std::env::temp_dir().join(format!("wavefront-check-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("lines.txt");
    std::fs::write(&file, "m 1 source=s\nm\n").unwrap();
    let run = |path: &Path| finished(command(&[path.to_str().unwrap()]).stdin(Stdio::null()).output().unwrap());
    let (stdout, stderr, status) = run(&file);
    assert!(stdout.starts_with(&format!("{}:2:2: error: ", file.display())), "{stdout}");
    assert_eq!((stderr, status), (format!("{}: 2 lines: 1 good, 1 bad\n", file.display()), 1));
    for none in [dir.join("absent.txt"), dir.clone()] {
        let (stdout, stderr, status) = run(&none);
        assert!(stderr.starts_with(&format!("error: cannot read {}: ", none.display())), "{stderr}");
        assert_eq!((stdout.as_str(), status), ("", 2));
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn usage() {
    for wrong in [["--kind", "meter"].as_slice(), &["--wrong"], &["a", "b"]] {
        let (stdout, stderr, status) = check(wrong, b"");
        assert!(stdout.is_empty() && stderr.starts_with("error: "), "{stderr}");
        assert_eq!(status, 2);
    }
}

#[test]
fn nothing_is_good() {
    for arguments in [[].as_slice(), &["-"]] {
        assert_eq!(check(arguments, b""), (String::new(), "<stdin>: no lines\n".into(), 0));
        assert_eq!(check(arguments, b"\n\r\n \t"), (String::new(), "<stdin>: no lines\n".into(), 0));
    }
    assert_eq!(check(&["--json"], b""), (String::new(), String::new(), 0));
}

#[test]
fn a_line_without_end_is_bad_and_the_next_is_read() {
    let mut input = b"m 1 source=\"".to_vec();
    input.resize(40 << 20, b'x');
    input.extend(b"\nm 1\n");
    let read = objects(&[], &input);
    assert_eq!((read.len(), &read[0]["ok"], &read[1]["line"]), (2, &json!(false), &json!(2)));
    assert_eq!(read[1]["ok"], json!(true));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let mut child = command(&["--json"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It stops reading, so that at some time nobody takes this any more.
    let writer = std::thread::spawn(move || while stdin.write_all(&b"m 1 source=s\n".repeat(1000)).is_ok() {});
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!((first, output.stderr.as_slice(), output.status.code()), ([b'{'], b"".as_slice(), Some(0)));
}

#[test]
fn what_has_come_is_judged_before_more_comes() {
    let mut child = command(&["--json"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for number in 1..=3 {
        stdin.write_all(b"m 1 source=s\n").unwrap();
        let mut object = String::new();
        stdout.read_line(&mut object).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&object).unwrap()["line"], number);
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = Command::new(env!("CARGO_BIN_EXE_wavefront")).args(["completions", shell]).output().unwrap();
        let (script, stderr, status) = finished(output);
        assert!(script.contains("check") && script.contains("kind"), "{script}");
        assert_eq!((stderr.as_str(), status), ("", 0));
    }
}
