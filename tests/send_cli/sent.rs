//! What it sends, to a receiver that knows the format.

use super::*;

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
