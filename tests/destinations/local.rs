//! A sender to a file, a Unix socket and the standard output: what it does when they go away.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use wavefront_sdk::delivery::Backoff;
use wavefront_sdk::sender::SenderBuilder;
use wavefront_sdk::{Metric, Sender, SourceTag, TagAction};

use crate::account::{Account, LONG, until};
use crate::receiver::Scratch;

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("m{number}"))
}

fn builder(url: &str) -> SenderBuilder {
    Sender::builder(url)
        .source("s")
        .batch_size(100)
        .flush_interval(Duration::from_millis(10))
        .backoff(Backoff::new(Duration::from_millis(2), Duration::from_millis(20)))
}

fn send(sender: &Sender, range: std::ops::Range<usize>) {
    range.for_each(|number| sender.send(Metric::new(&format!("m{number}"), 1.0)).unwrap());
}

#[test]
fn every_kind_goes_into_a_file() {
    let scratch = Scratch::new("kinds");
    let path = scratch.0.join("lines");
    for (url, sync) in
        [(format!("file:{}", path.display()), false), (format!("file://{}?sync=batch", path.display()), true)]
    {
        let sender = builder(&url).build().unwrap();
        assert_eq!(sender.endpoint().unwrap().form(), wavefront_sdk::sender::Form::File { sync });
        send(&sender, 0..1);
        sender.send_delta_counter("d", 1.0, "s", ()).unwrap();
        sender.send_event("e", 1, Some(2), "s", &[], ()).unwrap();
        sender.send(SourceTag::new(TagAction::Add, &["t"]).source("s")).unwrap();
        let ledger = sender.close(LONG);
        assert_eq!((ledger.total().delivered, ledger.failure_count()), (4, 0), "{ledger:?}");
        let text = fs::read_to_string(&path).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        let expected = [
            "\"m0\" 1.0 source=\"s\"",
            "\"∆d\" 1.0 source=\"s\"",
            "@Event 1 2 \"e\" host=\"s\"",
            "@SourceTag action=add source=\"s\" \"t\"",
        ];
        assert_eq!(lines, expected);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_folder_that_is_missing_keeps_the_lines_until_it_is_there() {
    let scratch = Scratch::new("folder");
    let folder = scratch.0.join("later");
    let path = folder.join("lines");
    let sender = builder(&format!("file:{}", path.display())).build().unwrap();
    send(&sender, 0..1_000);
    let left = sender.flush(Duration::from_millis(100)).unwrap_err();
    assert_eq!((left.left, left.lost), (1_000, 0));
    assert!(sender.last_error().unwrap().contains("make the folder"));
    fs::create_dir(&folder).unwrap();
    sender.flush(LONG).unwrap();
    // It goes again, and the file with it.
    fs::rename(&folder, scratch.0.join("gone")).unwrap();
    send(&sender, 1_000..2_000);
    sender.flush(Duration::from_millis(100)).unwrap_err();
    fs::create_dir(&folder).unwrap();
    let ledger = sender.close(LONG);
    let text = fs::read_to_string(scratch.0.join("gone/lines")).unwrap() + &fs::read_to_string(&path).unwrap();
    Account::whole(names(2_000), text.lines(), &ledger).note("a file: its folder missing, twice");
    assert!(text.lines().map(|line| crate::account::name_of(line).to_owned()).eq(names(2_000)), "in order, and once");
}

/// `/dev/full` is a disk without room, and a link that points elsewhere makes some.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_keeps_the_lines_until_there_is_room() {
    let scratch = Scratch::new("full");
    let path = scratch.0.join("lines");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let sender = builder(&format!("file:{}", path.display())).build().unwrap();
    send(&sender, 0..1_000);
    sender.flush(Duration::from_millis(100)).unwrap_err();
    assert!(sender.last_error().unwrap().contains("make room"));
    fs::remove_file(&path).unwrap();
    let ledger = sender.close(LONG);
    let text = fs::read_to_string(&path).unwrap();
    Account::whole(names(1_000), text.lines(), &ledger).note("a file: no room for a while");
}

#[cfg(unix)]
#[test]
fn a_receiver_on_a_unix_socket_that_is_killed_again_and_again_loses_nothing_in_silence() {
    const SENT: usize = 20_000;
    let scratch = Scratch::new("socket");
    let path = scratch.0.join("agent.sock");
    let sender = builder(&format!("unix:{}", path.display())).build().unwrap();
    let mut arrived = String::new();
    let mut kills = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for at in (0..SENT).step_by(100) {
                send(&sender, at..at + 100);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        while sender.ledger().total().accepted < SENT {
            let mut peer = Peer::start(&path, &scratch.0.join(format!("life{kills}")));
            let before = sender.ledger().total().delivered + sender.ledger().total().written;
            until("some progress", || {
                let total = sender.ledger().total();
                total.delivered + total.written > before + 500 || total.accepted == SENT
            });
            arrived += &peer.kill();
            kills += 1;
        }
    });
    let mut last = Peer::start(&path, &scratch.0.join("last"));
    let ledger = sender.close(LONG);
    arrived += &last.kill();
    assert!(kills > 3, "{kills} kills");
    // A line that the peer's process had read and not written away is gone with it: none else.
    let account = Account::settle(names(SENT), arrived.lines(), &ledger);
    assert_eq!((ledger.failure_count(), account.missing.len()), (0, 0), "{ledger:?}");
    account.note("a Unix socket: its receiver killed again and again");
}

/// A process that writes what it is sent to a file: the shell of the system has none, so it is this test itself.
#[cfg(unix)]
struct Peer {
    child: std::process::Child,
    file: std::path::PathBuf,
}

#[cfg(unix)]
const PEER: &str = "WAVEFRONT_TEST_PEER";

#[cfg(unix)]
impl Peer {
    fn start(socket: &std::path::Path, file: &std::path::Path) -> Self {
        let place = format!("{}\n{}", socket.display(), file.display());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "local::as_a_peer", "--nocapture"])
            .env(PEER, place)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until("the peer", || file.exists() || child.try_wait().unwrap().is_some());
        Self { child, file: file.to_owned() }
    }

    /// Ends it without a word; the whole lines that it had.
    fn kill(&mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let text = fs::read_to_string(&self.file).unwrap();
        text.rfind('\n').map_or(String::new(), |end| text[..=end].to_owned())
    }
}

/// Nothing unless it is started as a peer.
#[cfg(unix)]
#[test]
fn as_a_peer() {
    use std::io::{Read, Write};

    let Ok(place) = std::env::var(PEER) else { return };
    let (socket, file) = place.split_once('\n').unwrap();
    let _ = fs::remove_file(socket);
    let listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
    let mut file = fs::File::create(file).unwrap();
    loop {
        let (mut stream, _) = listener.accept().unwrap();
        let mut part = vec![0; 1 << 16];
        while let Ok(read @ 1..) = stream.read(&mut part) {
            file.write_all(&part[..read]).unwrap();
        }
    }
}

/// A command whose standard output nobody reads any more, or has no room, says so and ends in order.
#[cfg(unix)]
#[test]
fn a_standard_output_that_breaks_is_no_panic() {
    let run = |script: &str| {
        let script = format!("set -o pipefail; {script}");
        let args = ["--metric", "m", "1", "--source", "s", "--give-up", "300ms", "--to", "stdout:"];
        let mut bash = Command::new("bash");
        bash.args(["-c", &script, env!("CARGO_BIN_EXE_wavefront"), "send"]).args(args);
        let ended = bash.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (ended.status.code(), text(&ended.stdout), text(&ended.stderr))
    };
    let (status, out, _) = run("\"$0\" \"$@\" | cat");
    assert_eq!((status, out.as_str()), (Some(0), "\"m\" 1.0 source=\"s\"\n"));
    // The reader is gone before there is something to read.
    let mut broken = vec![("{ sleep 0.3; \"$0\" \"$@\"; } | true", "nobody reads")];
    if cfg!(target_os = "linux") {
        broken.push(("\"$0\" \"$@\" > /dev/full", "make room"));
    }
    for (script, said) in broken {
        let (status, _, err) = run(script);
        assert_eq!(status, Some(1), "{err}");
        assert!(err.contains("the standard output") && err.contains(said), "{err}");
        assert!(err.contains("not sent before the end") && !err.contains("panicked"), "{err}");
    }
}
