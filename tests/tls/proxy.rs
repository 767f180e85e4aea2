//! The proxies of the environment, by CONNECT. They are read once a process: the test calls itself in others.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use wavefront_sdk::Kind;
use wavefront_sdk::transport::{Batch, Failure, Http, Tcp, Tls, Transport, TransportError};

use crate::authority::NOW;
use crate::front::{EVERY, config};
use crate::{LONG, Set};

const AUTHORITY: &str = "WAVEFRONT_TEST_AUTHORITY";
/// No name server knows it: only by the proxy is there a way.
const HOST: &str = "wavefront.invalid";

/// Answers to CONNECT, and connects to `behind` whatever it is asked for; what it was asked for is noted.
fn proxy(behind: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let note = asked.clone();
    thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
            note.lock().unwrap().push(lines.next().unwrap().unwrap());
            while lines.next().unwrap().unwrap() != "" {}
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            let mut server = TcpStream::connect(behind).unwrap();
            let (mut to, mut from) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut from, &mut to));
            thread::spawn(move || std::io::copy(&mut server, &mut client));
        }
    });
    (address, asked)
}

#[test]
fn https_goes_by_the_proxy_of_the_environment_and_tcp_does_not() {
    let batch = Batch::new(Kind::Metric, b"m 1 source=s\n", 1);
    if let Ok(authority) = std::env::var(AUTHORITY) {
        let tls = Tls::new().ca_pem(authority);
        let mut http = Http::builder(&format!("https://{HOST}")).tls(tls.clone()).timeout(LONG).build().unwrap();
        let sent = http.send(batch).map_err(|error| error.kind());
        assert_eq!(sent.is_ok(), std::env::var("NO_PROXY").unwrap() != HOST, "{sent:?}");
        let sent = Tcp::new(HOST, 2878).tls(&tls).unwrap().send(batch).map_err(|error| error.kind());
        assert_eq!(sent, Err(Failure::Connect), "no name server knows it");
        return;
    }
    let set = Set::new();
    set.front.set(config(&set.authority.certify(&[HOST], NOW), None, EVERY));
    let (proxy, asked) = proxy(set.front.address);
    for no_proxy in ["", HOST] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "proxy::https_goes_by_the_proxy_of_the_environment_and_tcp_does_not"])
            .env("HTTPS_PROXY", format!("http://{proxy}"))
            .env("https_proxy", format!("http://{proxy}"))
            .env("NO_PROXY", no_proxy)
            .env("no_proxy", no_proxy)
            .env(AUTHORITY, set.authority.pem())
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        assert_eq!(*asked.lock().unwrap(), [format!("CONNECT {HOST}:443 HTTP/1.1")], "once, without NO_PROXY");
    }
    assert_eq!(set.collector.stop().accepted(), 1);
}
