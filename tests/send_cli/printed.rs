//! What `wavefront send` prints.

use super::*;

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
