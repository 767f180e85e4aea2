//! What it refuses, and how it says so.

use super::*;

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
