//! What holds for endpoints of every sort.

use std::net::TcpListener;
use std::time::Duration;

use wavefront_sdk::transport::Memory;
use wavefront_sdk::{Metric, Sender, sender::SenderBuilder};

use crate::receiver::Scratch;

/// A dead endpoint does not keep a program from starting, and one that is there hears nothing until there is something to
/// say.
#[test]
fn building_a_sender_connects_to_nothing() {
    let scratch = Scratch::new("nothing");
    let (socket, file) = (scratch.0.join("agent.sock"), scratch.0.join("lines"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let there = listener.local_addr().unwrap();
    let mut urls = vec![format!("file:{}", file.display()), "stdout:".into()];
    if cfg!(unix) {
        urls.push(format!("unix:{}", socket.display()));
    }
    for scheme in ["http", "https", "proxy", "tcp", "tcp+tls"] {
        urls.extend([format!("{scheme}://{there}"), format!("{scheme}://no-such-host.invalid")]);
    }
    for url in urls {
        let sender = Sender::builder(&url).build().unwrap_or_else(|error| panic!("{url}: {error}"));
        let ledger = sender.close(Duration::from_secs(5));
        assert_eq!((ledger.total().accepted, sender.last_error()), (0, None), "{url}");
    }
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert!(!file.exists() && !socket.exists());
}

#[test]
fn the_machine_s_name_is_the_source_of_data_without_one() {
    let name = String::from_utf8(std::process::Command::new("uname").arg("-n").output().unwrap().stdout).unwrap();
    let memory = Memory::new();
    let sender = SenderBuilder::over(memory.clone()).build().unwrap();
    sender.send(Metric::new("m", 1.0)).unwrap();
    sender.send_metric("m", 1.0, None, " ", ()).unwrap();
    sender.send_metric("m", 1.0, None, "own", ()).unwrap();
    sender.flush_now().unwrap();
    let line = |source: &str| format!("\"m\" 1.0 source=\"{source}\"\n");
    assert_eq!(memory.text(), line(name.trim()).repeat(2) + &line("own"));
}
