//! What goes wrong beside the input: receivers, signals, tokens.

use super::*;

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
