//! The whole way to a receiver in another process: what the sending process takes of a processor.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use benches::paths::{self, Input};
use benches::sending::send;
use flate2::Compression;
use flate2::write::GzEncoder;
use wavefront_sdk::sender::Overflow;
use wavefront_sdk::{Kind, Sender};

use super::measure::{median, process_time};
use super::rows::{Better, Row};
use super::sending::LONG;

/// As many bytes as a batch of a sender has.
const BATCH: usize = 256 * 1024;
const ROUNDS: usize = 7;

pub fn rows(input: &Input) -> Vec<Row> {
    vec![tcp(input, 1_000_000), http(input, 250_000)]
}

fn tcp(input: &Input, lines: usize) -> Row {
    let receiver = Receiver::start("tcp");
    let (mut whole, mut alone, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let sent = sending(input, &format!("tcp://127.0.0.1:{}", receiver.port), lines);
        let mut stream = TcpStream::connect(("127.0.0.1", receiver.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let began = process_time();
        bytes = batches(input, lines, |batch| stream.write_all(batch).unwrap());
        let least = process_time() - began;
        whole.push(sent / lines as f64);
        alone.push(least / lines as f64);
        ratios.push(sent / least);
    }
    row(
        "TCP",
        "× encoding and `write`",
        (1.25, 1.6),
        [&mut whole, &mut alone, &mut ratios],
        bytes as f64 / lines as f64,
    )
}

fn http(input: &Input, lines: usize) -> Row {
    let receiver = Receiver::start("http");
    let (mut whole, mut alone, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let sent = sending(input, &format!("http://127.0.0.1:{}", receiver.port), lines);
        let mut body = Vec::with_capacity(BATCH);
        let began = process_time();
        bytes = batches(input, lines, |batch| {
            body.clear();
            let mut gzip = GzEncoder::new(&mut body, Compression::new(6));
            gzip.write_all(batch).unwrap();
            gzip.finish().unwrap();
        });
        let least = process_time() - began;
        whole.push(sent / lines as f64);
        alone.push(least / lines as f64);
        ratios.push(sent / least);
    }
    row(
        "HTTP, gzip",
        "× encoding and gzip",
        (1.25, 1.5),
        [&mut whole, &mut alone, &mut ratios],
        bytes as f64 / lines as f64,
    )
}

fn row(what: &str, unit: &'static str, (goal, floor): (f64, f64), figures: [&mut Vec<f64>; 3], bytes: f64) -> Row {
    let [whole, alone, ratios] = figures;
    let figures = format!(
        "{:.2} ns a byte; alone {:.2} ns; lines of {bytes:.0} bytes",
        median(whole) / bytes,
        median(alone) / bytes
    );
    let what = format!("{what}, end to end, the sending process");
    Row { what, better: Better::Less, goal, floor, unit, measured: median(ratios), figures }
}

/// What the process has of a processor from the first line to the end of a close, all of them delivered.
fn sending(input: &Input, url: &str, lines: usize) -> f64 {
    let builder = Sender::builder(url).overflow(Overflow::Block(LONG)).own_metrics(None);
    let sender = builder.build().unwrap();
    let began = process_time();
    send(&sender, input, 0..lines);
    let ledger = sender.close(LONG);
    assert_eq!(ledger.row(Kind::Metric).delivered, lines, "{ledger:?}");
    process_time() - began
}

/// The same lines in the same batches, by hand; how many bytes that were.
fn batches(input: &Input, lines: usize, mut each: impl FnMut(&[u8])) -> usize {
    let (mut batch, mut bytes) = (Vec::with_capacity(BATCH + 256), 0);
    // The path empties its buffer after so many lines, so they are taken from there.
    let mut few = Vec::with_capacity(1 << 17);
    for from in (0..lines).step_by(paths::CLEARED) {
        (paths::METRIC_1_TAG.run)(input, from..(from + paths::CLEARED).min(lines), &mut few);
        if batch.len() + few.len() > BATCH {
            each(&batch);
            batch.clear();
        }
        batch.extend_from_slice(&few);
        bytes += few.len();
    }
    each(&batch);
    bytes
}

/// A process that takes everything.
struct Receiver {
    child: Child,
    port: u16,
}

impl Receiver {
    fn start(way: &str) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new(program).args(["receive", way]).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, port: port.trim().parse().unwrap() }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It has nothing to say any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The receiver's side, for as long as it is not killed.
pub fn receive(way: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let take = if way == "tcp" { take_lines } else { take_requests };
    for stream in listener.incoming() {
        std::thread::spawn(move || take(stream.unwrap()));
    }
}

fn take_lines(mut stream: TcpStream) {
    let mut buffer = vec![0; 1 << 20];
    while stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
}

fn take_requests(stream: TcpStream) {
    let mut answers = stream.try_clone().unwrap();
    answers.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let mut requests = BufReader::with_capacity(1 << 18, stream);
    loop {
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            if requests.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        std::io::copy(&mut requests.by_ref().take(length), &mut std::io::sink()).unwrap();
        answers.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").unwrap();
    }
}
