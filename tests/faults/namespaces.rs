//! Faults of the network and of the disk that nobody can cause on a machine that others use: each test runs in a network
//! and among mounts of its own (user namespaces of Linux). Where those are not to be had, the tests count as ignored.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::std_instead_of_core, missing_docs)]

#[allow(dead_code)]
mod account;
mod disk;
mod network;
#[allow(dead_code)]
mod receiver;

use std::process::{Command, ExitCode, Stdio};

use wavefront_sdk::delivery::Mode;

const TESTS: [(&str, fn()); 12] = [
    ("a_cable_is_pulled_and_put_back_tcp", || network::a_cable_is_pulled_and_put_back("tcp")),
    ("a_cable_is_pulled_and_put_back_http", || network::a_cable_is_pulled_and_put_back("http")),
    ("a_half_open_peer_tcp", || network::a_half_open_peer("tcp")),
    ("a_half_open_peer_http", || network::a_half_open_peer("http")),
    ("a_silent_peer_is_given_up", network::a_silent_peer_is_given_up),
    ("a_name_whose_address_changes_tcp", || network::a_name_whose_address_changes("tcp")),
    ("a_name_whose_address_changes_http", || network::a_name_whose_address_changes("http")),
    ("a_connection_to_itself_delivers_nothing", network::a_connection_to_itself_delivers_nothing),
    ("a_disk_is_full_always", || disk::a_disk_is_full(Mode::Always)),
    ("a_disk_is_full_overflow", || disk::a_disk_is_full(Mode::Overflow)),
    ("a_disk_becomes_read_only_always", || disk::a_disk_becomes_read_only(Mode::Always)),
    ("a_disk_becomes_read_only_overflow", || disk::a_disk_becomes_read_only(Mode::Overflow)),
];

/// The name of the test to run, for the process that is in the namespaces.
const INSIDE: &str = "WAVEFRONT_TEST_INSIDE";

/// A network, mounts and a user of its own.
const UNSHARE: [&str; 2] = ["unshare", "-rmn"];

/// As the standard harness does: a line a test, and the counts.
fn main() -> ExitCode {
    if let Ok(inside) = std::env::var(INSIDE) {
        let (_, test) = TESTS.iter().find(|(name, _)| *name == inside).unwrap();
        test();
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<_> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str()));
    let possible = there_are_namespaces();
    let (mut passed, mut failed, mut ignored, mut others) = (0, 0, 0, 0);
    for (name, _) in TESTS {
        if !is_wanted(name) {
            others += 1;
        } else if !possible {
            ignored += 1;
            println!("test {name} ... ignored, no namespaces of our own to be had here");
        } else if let Err(output) = run(name) {
            failed += 1;
            println!("test {name} ... FAILED\n{output}");
        } else {
            passed += 1;
            println!("test {name} ... ok");
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; {others} filtered out"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

fn there_are_namespaces() -> bool {
    let [unshare, options] = UNSHARE;
    let tried = Command::new(unshare)
        .args([options, "ip", "link", "set", "lo", "up"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

/// Runs a test in a process of its own; what it said, if it failed.
fn run(name: &str) -> Result<(), String> {
    let [unshare, options] = UNSHARE;
    let mut command = Command::new(unshare);
    command.arg(options).arg(std::env::current_exe().unwrap()).env(INSIDE, name);
    for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    let output = command.output().unwrap();
    let said = || String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(said()) }
}
