//! What waits in a spool: over an outage, over a crash, and what is said about it.

use std::path::Path;
use std::time::Instant;

use super::*;

/// A directory of this test alone, not there yet, gone with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("wavefront-send-spool-{}-{number}", std::process::id())))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// The lines of all records, whatever stands around them in their files.
    fn lines(&self) -> Vec<String> {
        let files = fs::read_dir(&self.0).map(|files| files.map(|file| file.unwrap().path()).collect());
        let files: Vec<PathBuf> = files.unwrap_or_default();
        let records = files.iter().filter(|path| path.extension().is_some_and(|name| name == "batch"));
        // A file may be gone by now.
        let records = records.filter_map(|path| fs::read(path).ok());
        records.flat_map(|bytes| lines_in(&bytes)).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What `points` writes begins with a name that no head of a file has in it.
fn lines_in(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines.filter_map(|line| line.find("spooled.point ").map(|at| line[at..].trim_end().to_owned())).collect()
}

/// Ready lines, each with a value of its own.
fn points(range: std::ops::Range<usize>) -> String {
    range.map(|value| format!("spooled.point {value} source=s\n")).collect()
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Runs with the spool of `folder` and no input, to a collector; what has arrived, and what the command said.
fn second_run(folder: &Folder, scheme: &str) -> (Vec<String>, Ended) {
    let out = Scratch::new(b"");
    let (collector, addr) = collect(&out);
    let ended = run(&["--to", &format!("{scheme}://{addr}"), "--spool", folder.path(), "--json"]);
    stop(collector);
    let arrived = sorted(&fs::read_to_string(&out.0).unwrap());
    (arrived, ended)
}

/// A collector as a process, and where it listens.
fn collect(out: &Scratch) -> (Child, String) {
    let mut command = Command::new(BINARY);
    command.args(["collect", "--listen", ANY, "--out", out.path()]).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let addr = line.trim_end().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).to_owned();
    // Somebody has to read the rest.
    std::thread::spawn(move || stderr.read_to_end(&mut Vec::new()));
    (child, addr)
}

fn stop(mut collector: Child) {
    signal(&collector, "INT");
    collector.wait().unwrap();
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_outage_is_only_a_delay() {
    for (scheme, mode) in [("proxy", "overflow"), ("proxy", "always"), ("tcp", "overflow"), ("tcp", "always")] {
        let (folder, input) = (Folder::new(), points(0..2_000));
        let to = format!("{scheme}://{}", free_port());
        let args = ["--to", &to, "--give-up", "300ms", "--spool", folder.path(), "--spool-mode", mode, "--json"];
        let ended = run_with(input.as_bytes(), &args).with_status(3);
        let summary = ended.json();
        assert_eq!((&summary["accepted"], &summary["stored"]), (&2_000.into(), &2_000.into()), "{scheme} {mode}");
        assert_eq!((&summary["lost"], &summary["gave_up"]), (&0.into(), &true.into()));
        assert_eq!(summary["spool"], folder.path());
        assert_eq!(folder.lines().len(), 2_000);

        let (arrived, ended) = second_run(&folder, scheme);
        let summary = ended.with_status(0).json();
        assert_eq!((&summary["recovered"], &summary["delivered"]), (&2_000.into(), &2_000.into()));
        assert_eq!((&summary["stored"], &summary["accepted"]), (&0.into(), &0.into()));
        assert_eq!(arrived, sorted(&input), "{scheme} {mode}");
        assert_eq!(folder.lines(), [""; 0]);
    }
}

#[test]
fn people_are_told_where_lines_wait() {
    let folder = Folder::new();
    let to = format!("proxy://{}", free_port());
    let args = ["--to", &to, "--give-up", "200ms", "--spool", folder.path()];
    let ended = run_with(b"a 1 source=s\nb 2 source=s\n", &args).with_status(3);
    let table = "\
lines         accepted  recovered  delivered   in spool       lost  bad records
metric               2          0          0          2          0            0
";
    assert!(ended.err.contains(table), "{}", ended.err);
    assert!(ended.err.contains("what cannot be sent waits in the spool\n"), "{}", ended.err);
    let place = folder.path();
    let waits = format!("\n2 lines wait in {place}: the next run with --spool {place} sends them\n");
    assert!(ended.err.contains(&waits), "{}", ended.err);
    assert!(table.lines().all(|line| line.len() < 80));

    let receiver = Receiver::start(None);
    let ended = run(&["--to", &receiver.tcp(), "--spool", place]).with_status(0);
    assert!(ended.err.contains(&format!("\n2 lines of an earlier run found in {place}\n")), "{}", ended.err);
    assert!(!ended.err.contains("wait in") && !ended.err.contains("last error"), "{}", ended.err);
    assert_eq!(receiver.decoded(), ["metric a 1 None s", "metric b 2 None s"]);

    // Nothing to tell of the spool: the table has its usual columns.
    let ended = run(&["--to", &receiver.tcp(), "--spool", place]).with_status(0);
    assert!(!ended.err.contains("spool"), "{}", ended.err);
    let json = run(&["--to", &receiver.tcp(), "--json"]).with_status(0).json();
    assert_eq!((&json["spool"], &json["recovered"], &json["stored"]), (&Value::Null, &0.into(), &0.into()));
    for reason in ["expired", "store_full", "damaged"] {
        assert_eq!(json["kinds"]["span"]["dropped"][reason], 0);
    }
}

#[test]
fn every_kind_survives_an_outage() {
    let folder = Folder::new();
    let to = format!("proxy://{}", free_port());
    let args = ["--to", &to, "--give-up", "200ms", "--spool", folder.path()];
    run_with(RECORDS.as_bytes(), &args).with_status(3);
    let receiver = Receiver::start(None);
    run(&["--to", &receiver.tcp(), "--spool", folder.path()]).with_status(0);
    assert_eq!(receiver.decoded(), DECODED);
}

#[test]
fn what_was_durable_when_it_was_killed_is_delivered_by_the_next_run() {
    let (folder, input) = (Folder::new(), points(0..5_000));
    let to = format!("proxy://{}", free_port());
    let args = ["--to", &to, "--spool", folder.path(), "--spool-mode", "always"];
    let mut child = send(&args).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    wait_until("everything is durable", || folder.lines().len() == 5_000);
    child.kill().unwrap();
    child.wait().unwrap();
    let (arrived, ended) = second_run(&folder, "proxy");
    assert_eq!(ended.with_status(0).json()["recovered"], 5_000);
    assert_eq!(arrived, sorted(&input));
}

/// Killed while lines arrive: nothing that was on disk is missing, whatever arrived before.
#[test]
fn killed_in_the_middle_of_sending() {
    for scheme in ["proxy", "tcp"] {
        let (folder, out) = (Folder::new(), Scratch::new(b""));
        let (collector, addr) = collect(&out);
        let args = ["--to", &format!("{scheme}://{addr}"), "--spool", folder.path(), "--spool-mode", "always"];
        let mut child = send(&args).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writes = std::thread::spawn(move || {
            // Until it is killed.
            let broke = (0..).map(|at| stdin.write_all(points(at * 500..(at + 1) * 500).as_bytes()));
            broke.take_while(Result::is_ok).count()
        });
        wait_until("something has arrived", || out.lines().len() > 1_000);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(writes.join().unwrap() > 0);
        let durable = folder.lines();
        let (again, ended) = second_run(&folder, scheme);
        let summary = ended.with_status(0).json();
        assert_eq!((&summary["recovered"], &summary["delivered"]), (&durable.len().into(), &durable.len().into()));
        let again: HashSet<String> = again.into_iter().collect();
        assert!(durable.iter().all(|line| again.contains(line)), "{scheme}");
        stop(collector);
        // Lines leave in their order, and none of those that were read first is missing.
        let arrived: HashSet<String> = out.lines().union(&again).cloned().collect();
        let count = arrived.len();
        assert!(points(0..count).lines().all(|line| arrived.contains(line)), "{scheme}: {count}");
    }
}

#[test]
fn it_reads_on_while_the_spool_takes_the_lines() {
    let folder = Folder::new();
    let to = format!("proxy://{}", free_port());
    let args = ["--to", &to, "--give-up", "400ms", "--spool", folder.path(), "--json"];
    let mut child = send(&args).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let rounds = 8;
    for at in 0..rounds {
        stdin.write_all(points(at..at + 1).as_bytes()).unwrap();
        wait_until("the line is durable", || folder.lines().len() > at);
        // Longer than it waits for lines that are nowhere safe.
        std::thread::sleep(Duration::from_millis(300));
    }
    drop(stdin);
    let summary = Ended::of(child).with_status(3).json();
    assert_eq!((&summary["stored"], &summary["stopped_at_line"]), (&rounds.into(), &Value::Null));
}

/// More than memory holds goes to disk, however long that takes.
#[test]
fn a_large_input_is_read_to_its_end() {
    let folder = Folder::new();
    let to = format!("tcp://{}", free_port());
    let args = ["--to", &to, "--give-up", "500ms", "--spool", folder.path(), "--json"];
    let summary = run_with(points(0..200_000).as_bytes(), &args).with_status(3).json();
    assert_eq!((&summary["accepted"], &summary["stored"]), (&200_000.into(), &200_000.into()));
    let (arrived, ended) = second_run(&folder, "tcp");
    assert_eq!(ended.with_status(0).json()["delivered"], 200_000);
    assert_eq!(arrived, sorted(&points(0..200_000)));
}

#[test]
fn damaged_files_are_set_aside_and_counted() {
    let folder = Folder::new();
    let to = format!("proxy://{}", free_port());
    let input = [RECORDS, &points(0..3)].concat();
    run_with(input.as_bytes(), &["--to", &to, "--give-up", "300ms", "--spool", folder.path()]).with_status(3);
    let mut batches: Vec<PathBuf> = fs::read_dir(&folder.0).unwrap().map(|file| file.unwrap().path()).collect();
    batches.retain(|path| path.to_str().is_some_and(|path| path.ends_with(".batch")));
    let (mut lost, mut hidden) = (0, 0);
    for path in &batches {
        let (mut bytes, name) = (fs::read(path).unwrap(), path.file_name().unwrap().to_str().unwrap());
        let last = bytes.len() - 1;
        match name.split_once('-').unwrap().0 {
            // Its lines, and its head.
            "metric" => (bytes[last / 2] ^= 1, lost += 6).0,
            "delta" => (bytes[0] ^= 1, hidden += 1).0,
            _ => continue,
        }
        fs::write(path, bytes).unwrap();
    }
    assert_eq!((lost, hidden), (6, 1));
    let receiver = Receiver::start(None);
    let ended = run(&["--to", &receiver.tcp(), "--spool", folder.path()]).with_status(1);
    let place = folder.path();
    assert!(ended.err.contains(&format!("warning: a damaged file in {place} was set aside as *.damaged\n")));
    assert!(ended.err.contains("\n6 lines lost: their file in the spool is damaged\n"), "{}", ended.err);
    let whole: Vec<&str> =
        DECODED.into_iter().filter(|line| !line.starts_with("metric") && !line.starts_with("delta")).collect();
    assert_eq!(receiver.decoded(), whole);
    let kept = fs::read_dir(&folder.0)
        .unwrap()
        .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "damaged"));
    assert_eq!(kept.count(), 2, "nothing is deleted");
}

#[test]
fn a_spool_that_fails_is_told_of() {
    let folder = Folder::new();
    let to = format!("proxy://{}", free_port());
    let args = ["--to", &to, "--give-up", "1s", "--spool", folder.path()];
    let mut child = send(&args).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(points(0..1).as_bytes()).unwrap();
    wait_until("the first line is durable", || folder.lines().len() == 1);
    fs::remove_dir_all(&folder.0).unwrap();
    stdin.write_all(points(1..3).as_bytes()).unwrap();
    drop(stdin);
    let ended = Ended::of(child).with_status(1);
    assert!(
        ended.err.contains(&format!(
            "warning: --spool: 2 metric lines kept to be sent again: cannot write {}",
            folder.path()
        ))
    );
    assert!(ended.err.contains("the directory was removed while it was open"), "{}", ended.err);
    assert!(ended.err.contains(" lines lost: not sent before the end\n"), "{}", ended.err);
}

#[test]
fn a_signal_leaves_the_rest_in_the_spool() {
    let folder = Folder::new();
    let to = format!("tcp://{}", free_port());
    let args = ["--to", &to, "--give-up", "1s", "--spool", folder.path(), "--json"];
    let mut child = send(&args).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = points(0..100);
    stdin.write_all(input.as_bytes()).unwrap();
    wait_until("they were read", || folder.lines().len() == 100);
    signal(&child, "TERM");
    // The input was not read to its end.
    let summary = Ended::of(child).with_status(1).json();
    drop(stdin);
    assert_eq!((&summary["stored"], &summary["lost"]), (&100.into(), &0.into()));
    assert_eq!((&summary["interrupted"], &summary["gave_up"]), (&true.into(), &false.into()));
    assert_eq!(second_run(&folder, "tcp").0, sorted(&input));
}

#[test]
fn a_refused_token_keeps_the_lines() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Some("right")));
    let to = format!("http://127.0.0.1:{}", receiver.port(Port::Metrics));
    let args = ["--to", &to, "--spool", folder.path(), "--metric", "m", "1", "--source", "s", "--token"];
    let ended = run(&[&args[..], &["wrong"]].concat()).with_status(3);
    assert!(ended.err.contains("401") && ended.err.contains("1 line waits in "), "{}", ended.err);
    run(&["--to", &to, "--spool", folder.path(), "--token", "right"]).with_status(0);
    assert_eq!(receiver.decoded(), ["metric m 1 None s"]);
}

#[test]
fn one_process_a_directory() {
    let folder = Folder::new();
    let to = format!("proxy://{}", free_port());
    let args = ["--to", &to, "--spool", folder.path(), "--spool-mode", "always"];
    let mut first = send(&args).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = first.stdin.take().unwrap();
    stdin.write_all(points(0..1).as_bytes()).unwrap();
    wait_until("the first has the directory", || !folder.lines().is_empty());
    for command in ["send", "host"] {
        let mut second = Command::new(BINARY);
        second.args([command, "--to", &to, "--spool", folder.path()]).stdin(Stdio::null());
        let second = Ended::of(second.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).with_status(2);
        let text = format!("error: --spool: the directory {} is used by another process", folder.path());
        assert!(second.err.starts_with(&text), "{}", second.err);
    }
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second_run(&folder, "tcp").0, sorted(&points(0..1)));
}

#[test]
fn directories_that_cannot_be_used() {
    let to = format!("proxy://{}", free_port());
    let refused = |place: &Path, expected: &str| {
        let place = place.to_str().unwrap();
        let ended = run(&["--to", &to, "--spool", place]).with_status(2);
        assert!(ended.err.starts_with("error: --spool: cannot "), "{}", ended.err);
        assert!(ended.err.contains(place) && ended.err.contains(expected), "{expected}: {}", ended.err);
    };
    let file = Scratch::new(b"in the way");
    refused(&file.0, "something else stands there");
    refused(&file.0.join("below"), "something else stands there");
    #[cfg(target_os = "linux")]
    {
        // Nobody may write there, root neither.
        let ended = run(&["--to", &to, "--spool", "/sys/kernel/wavefront"]).with_status(2);
        assert!(ended.err.starts_with("error: --spool: cannot make the directory /sys/kernel/wavefront: "));
    }
}

/// Root may write everywhere, so whoever runs the tests as root sees what nobody else's user would.
#[cfg(unix)]
#[test]
fn a_read_only_directory() {
    use std::os::unix::{fs::PermissionsExt, process::CommandExt};
    let allow = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let (folder, binary) = (Folder::new(), Scratch::new(b""));
    fs::create_dir(&folder.0).unwrap();
    allow(&folder.0, 0o555);
    let is_root = fs::write(folder.0.join("probe"), b"").is_ok();
    let mut command = if is_root {
        // Not by this process: nothing that is open for writing can be run, in a fork of another test neither.
        assert!(Command::new("cp").args([BINARY, binary.path()]).status().unwrap().success());
        allow(&binary.0, 0o755);
        let mut command = Command::new(&binary.0);
        command.uid(65_534).current_dir("/");
        command
    } else {
        Command::new(BINARY)
    };
    command.args(["send", "--to", "proxy://127.0.0.1:9", "--spool", folder.path()]).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = Ended::of(command.spawn().unwrap()).with_status(2);
    let text = format!("error: --spool: cannot lock {}/lock: Permission denied", folder.path());
    assert!(ended.err.starts_with(&text), "{}", ended.err);
    assert!(ended.err.contains("give the user of this process the right to"), "{}", ended.err);
}

#[test]
fn a_full_spool_stops_the_reading_and_drops_nothing() {
    let folder = Folder::new();
    let to = format!("proxy://{}", free_port());
    let args = ["--to", &to, "--give-up", "500ms", "--spool", folder.path(), "--spool-bytes", "1MiB", "--json"];
    let ended = run_with(&metrics(40_000), &args);
    let summary = ended.json();
    let [accepted, stored, lost] = ["accepted", "stored", "lost"].map(|key| summary[key].as_u64().unwrap());
    assert_eq!((ended.status, accepted), (Some(1), stored + lost));
    let files = fs::read_dir(&folder.0).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>();
    assert!(files <= 1 << 20 && stored > 1_000, "{files} bytes, {stored} lines");
    assert_eq!(summary["stopped_at_line"].as_u64(), Some(accepted + 1));
}

#[test]
fn a_full_queue_does_what_was_chosen() {
    let input = points(0..60_000);
    let to = format!("proxy://{}", free_port());
    let dropped = |give_up: &str, args: &[&str]| {
        let args = [&["--to", &to, "--json", "--give-up", give_up, "--overflow"], args].concat();
        let ended = run_with(input.as_bytes(), &args).with_status(1);
        // What became of them is counted, not told line by line.
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
        let summary = ended.json();
        assert_eq!((&summary["invalid"], &summary["delivered"]), (&0.into(), &0.into()));
        let counts = &summary["kinds"]["metric"]["dropped"];
        let [full, store_full] = ["queue_full", "store_full"].map(|reason| counts[reason].as_u64().unwrap());
        (summary, full, store_full)
    };
    for policy in ["drop-newest", "drop-oldest"] {
        let (summary, full, _) = dropped("10s", &[policy]);
        assert_eq!((&summary["accepted"], &summary["stopped_at_line"]), (&60_000.into(), &Value::Null), "{policy}");
        assert!(full > 10_000, "{policy}: {full}");
    }
    // Each line waits so long, and it is given up before the input ends.
    let (summary, full, _) = dropped("3s", &["block=10ms"]);
    assert!(full > 0 && summary["accepted"].as_u64() < Some(60_000), "{summary}");
    let (summary, full, _) = dropped("500ms", &["block"]);
    assert!(full == 0 && summary["accepted"].as_u64() < Some(60_000), "{summary}");

    let folder = Folder::new();
    let (summary, full, store_full) = dropped("10s", &["store", "--spool", folder.path(), "--spool-bytes", "256KiB"]);
    assert_eq!((&summary["accepted"], full), (&60_000.into(), 0));
    assert!(store_full > 10_000 && summary["stored"].as_u64() > Some(1_000), "{summary}");
}

/// Under `drop-oldest` a spool that is full keeps the newest.
#[test]
fn a_full_spool_may_make_room_for_the_newest() {
    let folder = Folder::new();
    let to = format!("proxy://{}", free_port());
    let spool = ["--overflow", "drop-oldest", "--spool", folder.path(), "--spool-bytes", "512KiB"];
    let input = points(0..60_000);
    let ended = run_with(input.as_bytes(), &[&["--to", &to, "--give-up", "10s", "--json"], &spool[..]].concat());
    let summary = ended.json();
    let (stored, lost) = (summary["stored"].as_u64().unwrap(), summary["lost"].as_u64().unwrap());
    assert_eq!((stored + lost, summary["accepted"].as_u64()), (60_000, Some(60_000)));
    // What a slow disk was still writing at the end was given up, and is there all the same.
    let given_up = summary["kinds"]["metric"]["dropped"]["closed"].as_u64().unwrap();
    let (arrived, _) = second_run(&folder, "proxy");
    assert!((stored..=stored + given_up).contains(&(arrived.len() as u64)), "{} of {summary}", arrived.len());
    let arrived: HashSet<String> = arrived.into_iter().collect();
    assert!(given_up > 0 || arrived.contains("spooled.point 59999 source=s"), "the newest");
}

#[test]
fn replay_is_noted_where_it_means_nothing() {
    let receiver = Receiver::start(None);
    let metric = ["--metric", "m", "1", "--replay"];
    for which in ["all", "idempotent", "unacknowledged"] {
        let over = |to: &str| run(&[&["--to", to], &metric[..], &[which]].concat()).with_status(0).err;
        assert!(over(&receiver.http()).starts_with("note: --replay changes nothing here"), "{which}");
        assert!(!over(&receiver.tcp()).contains("note:"), "{which}");
    }
    assert_eq!(receiver.collector.stop().counts(Kind::Metric).accepted, 6);
}

#[test]
fn each_wrong_option_is_named() {
    let cases: [(&[&str], &str); 15] = [
        (&["--spool-mode", "always"], "--spool-mode is about a spool, and there is none: "),
        (&["--spool-bytes", "1GiB"], "--spool-bytes is about a spool, and there is none: "),
        (&["--spool-age", "1d"], "--spool-age is about a spool, and there is none: "),
        (&["--overflow", "store"], "--overflow store needs a spool: "),
        (&["--spool"], "'--spool <DIR>'"),
        (&["--spool", ""], "--spool"),
        (&["--spool", "d", "--spool-mode", "never"], "'--spool-mode <MODE>'\n  [possible values: overflow, always]"),
        (&["--spool", "d", "--spool-bytes", "lots"], "'--spool-bytes <SIZE>': write a number and a unit"),
        (&["--spool", "d", "--spool-bytes", "255KiB"], "'--spool-bytes <SIZE>': this has to be 256KiB at least"),
        (&["--spool", "d", "--spool-age", "old"], "'--spool-age <DURATION>': write a number and a unit"),
        (&["--spool", "d", "--spool-age", "0s"], "'--spool-age <DURATION>': this has to be longer"),
        (&["--overflow", "drop"], "'--overflow <POLICY>': write drop-newest, drop-oldest, block, block=5s or store"),
        (&["--overflow", "block=soon"], "'--overflow <POLICY>': write a number and a unit"),
        (&["--overflow", "block=0s"], "'--overflow <POLICY>': this has to be longer"),
        (&["--replay", "some"], "'--replay <WHICH>'\n  [possible values: all, idempotent, unacknowledged]"),
    ];
    for (args, expected) in cases {
        for command in ["send", "host"] {
            let mut wrong = Command::new(BINARY);
            wrong.args([command, "--to", "proxy://127.0.0.1:9"]).args(args).stdin(Stdio::null());
            let ended = Ended::of(wrong.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).with_status(2);
            assert!(ended.err.contains(expected), "{command} {args:?}\nsaid: {}\nexpected: {expected}", ended.err);
        }
    }
    // They are looked at where nothing is sent, too; the directory is not.
    run(&["--dry-run", "--spool-age", "1d"]).with_status(2);
    let folder = Folder::new();
    run(&["--dry-run", "--spool", folder.path()]).with_status(0);
    assert!(!folder.0.exists());
}

#[test]
fn the_help_tells_of_it() {
    for command in ["send", "host"] {
        let mut help = Command::new(BINARY);
        let help = help.args([command, "--help"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let help = Ended::of(help.spawn().unwrap()).with_status(0).out;
        for option in ["--spool ", "--spool-mode", "--spool-bytes", "--spool-age", "--overflow", "--replay"] {
            assert!(help.contains(option), "{command}: {option}");
        }
        let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("3 if nothing was lost, but lines wait in the spool"), "{command}: {help}");
    }
}

#[test]
fn host_leaves_in_the_spool_what_it_could_not_send() {
    let (folder, addr) = (Folder::new(), free_port());
    let host = |to: &str, args: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(["host", "--to", to, "--source", "pump-3", "--spool", folder.path()]).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let records = || fs::read_dir(&folder.0).map(|files| files.count()).unwrap_or_default();
    let agent = host(&format!("proxy://{addr}"), &["--every", "1s"]).spawn().unwrap();
    wait_until("the agent keeps something", || records() > 1);
    signal(&agent, "TERM");
    let began = Instant::now();
    let ended = Ended::of(agent).with_status(3);
    // 5 s to send, 2 s more to store; the rest is for a slow machine.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let place = folder.path();
    assert!(ended.err.contains(&format!(" wait in {place}: the next run with --spool {place} sends them")));
    let said = ended.err.lines().find_map(|line| line.split_once(" lines wait in ")).unwrap().0;
    let waited: usize = said.replace(',', "").parse().unwrap();

    let receiver = Receiver::start(None);
    let ended = Ended::of(host(&receiver.http(), &["--for", "1s"]).spawn().unwrap()).with_status(0);
    assert!(ended.err.contains(&format!("\n{said} lines of an earlier run found in {place}\n")), "{}", ended.err);
    assert_eq!(records(), 1, "the lock alone");
    assert!(receiver.decoded().len() > waited);
    let block = Ended::of(host(&receiver.http(), &["--overflow", "block=1s"]).spawn().unwrap()).with_status(2);
    assert!(block.err.starts_with("error: --overflow block: "), "{}", block.err);
}
