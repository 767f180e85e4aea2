//! Laws of the collector, for any bytes on a connection: it does not panic, holds no more memory than its bounds say,
//! counts every line once, says the same however the bytes are cut, and answers HTTP with HTTP.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use tokio::runtime::{Builder, Runtime};
use wavefront_sdk::collector::{Collector, Offline, Port, Summary, Via};
use wavefront_sdk::{Kind, Limits};

use super::script::Script;

/// The laws, for the connection that the bytes describe.
pub(crate) fn bytes(bytes: &[u8]) {
    let mut input = Script(bytes);
    let (setup, cuts) = (Setup::of(input.byte()), input.byte());
    let stream = stream(&mut input);
    let whole = serve(setup, &stream, usize::MAX);
    whole.check(setup, &stream);
    // Small pieces of a long stream take long, and tell nothing that larger ones do not.
    let least = stream.len() / 2_000 + 1;
    for step in [least + usize::from(cuts & 15), least + (usize::from(cuts) << 3)] {
        let cut = serve(setup, &stream, step);
        cut.check(setup, &stream);
        let [cut, whole] = [&cut, &whole].map(Left::verdicts);
        let shown = String::from_utf8_lossy(stream.get(..1_000).unwrap_or(&stream));
        assert!(cut == whole, "in pieces of {step} bytes: {cut:?}\nwhole: {whole:?}\nof {shown:?}");
    }
}

// ---- a connection ------------------------------------------------------------------------------------------------------

const LIMITS: Limits = {
    let mut limits = Limits::DEFAULT;
    (limits.metric_line, limits.histogram_line, limits.trace_line) = (1_100, 1_200, 2_000);
    limits
};
const BODY: usize = 4_096;
const TOKEN: &str = "5eCr3t";
/// So many accepted lines are kept.
const KEEP: usize = 3;
/// For half lines and bodies; enough for all that one connection may hold.
const ROOM: usize = 128 << 10;

#[derive(Debug, Clone, Copy)]
struct Setup {
    port: Port,
    token: bool,
}

impl Setup {
    fn of(byte: u8) -> Self {
        let port = [Port::Metrics, Port::Metrics, Port::Traces, Port::Histograms][usize::from(byte) % 4];
        Self { port, token: byte & 0xc0 == 0xc0 }
    }

    fn limit(self) -> usize {
        match self.port {
            Port::Traces => LIMITS.trace_line,
            Port::Histograms => LIMITS.histogram_line,
            _ => LIMITS.metric_line,
        }
    }
}

const LINES: [&str; 12] = [
    "\"new-york.power.usage\" 42422.0 1493773500 source=\"localhost\" \"datacenter\"=\"dc1\"\n",
    "\"∆lambda.thumbnail.generate\" 10.0 1493773500 source=\"thumbnail_service\"\n",
    "!M 1493773500 #20 30.0 #10 5.1 \"request.latency\" source=\"appServer1\" \"region\"=\"us-west\"\r\n",
    "\"getAllUsers\" source=\"localhost\" traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 \
     spanId=0313bafe-9457-11e8-9eb6-529269fb1459 \"application\"=\"Wavefront\" 1552949776000 343\n",
    "{\"traceId\":\"7b3bf470-9456-11e8-9eb6-529269fb1459\",\"spanId\":\"0313bafe-9457-11e8-9eb6-529269fb1459\",\
     \"logs\":[{\"timestamp\":1552949776000123,\"fields\":{\"event\":\"error\"}}]}\n",
    "@Event 1590650592000 1590650692000 \"deploy\" severity=\"info\" host=\"localhost\" tag=\"t\"\n",
    "@SourceTag action=add source=\"localhost\" \"production\"\n",
    "@SourceDescription action=save source=\"localhost\" \"the first one\"\r\n",
    "{\"name\":\"deploy\",\"annotations\":{\"severity\":\"info\"},\"hosts\":[\"localhost\"],\
     \"startTime\":1590650592000,\"endTime\":1590650692000,\"tags\":[\"t\"]}",
    "cpu 1 source=a",
    "not a line at all\n",
    " \t\r\n",
];
const METHODS: [&str; 8] = ["POST", "POST", "POST", "POST", "OPTIONS", "GET", "HEAD", "PUT"];
const PATHS: [&str; 12] = [
    "/report?f=wavefront",
    "/report?f=histogram",
    "/report?f=trace",
    "/report?f=spanLogs",
    "/report?f=event",
    "/report",
    "/",
    "/team/report/?format=graphite_v2&f=wavefront",
    "/report?f=unknown",
    "/api/v2/event",
    "/api/v2/event?t=a",
    "/elsewhere",
];
const HEADERS: [&str; 8] = [
    "",
    "authorization: Bearer 5eCr3t\r\n",
    "x-auth-token: 5eCr3t\r\norigin: https://example.com\r\n",
    "expect: 100-continue\r\n",
    "connection: close\r\n",
    "access-control-request-private-network: true\r\norigin: null\r\n",
    "connection: upgrade\r\nupgrade: h2c\r\n",
    "content-type: text/plain\r\nauthorization: Basic eDp5\r\n",
];
const ENCODINGS: [&str; 8] = ["", "", "", "gzip", "gzip", "X-GZIP", "identity", "br"];

/// The longest that a stream or a text is made.
const LONGEST: usize = 24 << 10;
/// The same of what is compressed.
const BOMB: usize = 600 << 10;

/// What the other side sends.
fn stream(input: &mut Script<'_>) -> Vec<u8> {
    let mut stream = Vec::new();
    while !input.is_over() && stream.len() < LONGEST {
        match input.byte() % 8 {
            0..=2 => stream.extend(text(input, LONGEST)),
            3 => stream.extend(gzip(&text(input, BOMB))),
            4 | 5 => request(input, &mut stream),
            6 => {
                let at = input.number(2) as usize;
                let mask = input.byte().max(1);
                let len = stream.len().max(1);
                if let Some(byte) = stream.get_mut(at % len) {
                    *byte ^= mask;
                }
            }
            _ => {
                let len = stream.len().saturating_sub(usize::from(input.byte()));
                stream.truncate(len);
            }
        }
    }
    stream
}

fn text(input: &mut Script<'_>, longest: usize) -> Vec<u8> {
    let mut text = Vec::new();
    let what = input.byte();
    for _ in 0..=what >> 6 {
        match what % 4 {
            0 | 1 => text.extend_from_slice(input.pick(&LINES).as_bytes()),
            _ => {
                let len = usize::from(input.byte());
                text.extend_from_slice(input.take(len));
            }
        }
    }
    if what % 4 == 3 && !text.is_empty() {
        let times = 1_usize << (input.byte() % 22);
        text = text.repeat(times.min(longest / text.len()).max(1));
    }
    text
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text).unwrap();
    gzip.finish().unwrap()
}

fn request(input: &mut Script<'_>, stream: &mut Vec<u8>) {
    let (method, path, headers) = (input.pick(&METHODS), input.pick(&PATHS), input.pick(&HEADERS));
    let (encoding, framing) = (input.pick(&ENCODINGS), input.byte());
    let mut body = if encoding.eq_ignore_ascii_case("gzip") || encoding == "X-GZIP" {
        gzip(&text(input, BOMB))
    } else {
        text(input, LONGEST)
    };
    if framing & 0x30 == 0x30 {
        // Not whole, or damaged.
        let at = body.len() * usize::from(input.byte()) / 256;
        if framing & 1 == 0 {
            body.truncate(at);
        } else if let Some(byte) = body.get_mut(at) {
            *byte ^= 0x55;
        }
    }
    let version = if framing & 0xc0 == 0xc0 { "1.0" } else { "1.1" };
    let encoding = if encoding.is_empty() { String::new() } else { format!("content-encoding: {encoding}\r\n") };
    let head = format!("{method} {path} HTTP/{version}\r\nhost: a\r\n{headers}{encoding}");
    stream.extend_from_slice(head.as_bytes());
    match framing % 8 {
        0..=3 => stream.extend(format!("content-length: {}\r\n\r\n", body.len()).bytes()),
        // More than there is, or less.
        4 => stream.extend(format!("content-length: {}\r\n\r\n", body.len() + 1).bytes()),
        5 => stream.extend(format!("content-length: {}\r\n\r\n", body.len() / 2).bytes()),
        _ => {
            stream.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
            for chunk in body.chunks(1 + usize::from(input.byte())) {
                stream.extend(format!("{:x}\r\n", chunk.len()).bytes());
                stream.extend_from_slice(chunk);
                stream.extend_from_slice(b"\r\n");
            }
            stream.extend_from_slice(if framing % 8 == 6 { b"0\r\n\r\n" } else { b"0\r\na: b\r\n\r\n" });
            return;
        }
    }
    stream.extend(body);
}

// ---- what came of it ---------------------------------------------------------------------------------------------------

/// What a connection left behind.
struct Left {
    summary: Summary,
    /// Status and body of each answer.
    answers: Vec<(u16, Vec<u8>)>,
    kept: Vec<String>,
    /// Lines that the callback saw.
    seen: u64,
    held: usize,
    /// Bytes that were allocated at a time.
    peak: usize,
}

fn serve(setup: Setup, stream: &[u8], step: usize) -> Left {
    thread_local! {
        static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().unwrap();
        static ANSWERS: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(8 << 20));
    }
    let seen = Arc::new(AtomicU64::new(0));
    let see = Arc::clone(&seen);
    let mut builder = Collector::builder().limits(LIMITS).max_body(BODY).keep(KEEP).on_line(move |line| {
        assert!(!line.raw.is_empty() && !line.raw.contains('\n'));
        see.fetch_add(1, Ordering::Relaxed);
    });
    if setup.token {
        builder = builder.require_token(TOKEN);
    }
    let offline = Offline::new(builder, ROOM);
    let pieces = stream.chunks(step.max(1));
    let (answers, peak) = RUNTIME.with(|runtime| {
        ANSWERS.with_borrow_mut(|answers| {
            answers.clear();
            let peak = peak(|| runtime.block_on(offline.serve(setup.port, pieces, answers)));
            (read_answers(answers), peak)
        })
    });
    Left {
        summary: offline.snapshot(),
        answers,
        kept: offline.kept().into_iter().map(|kept| kept.line).collect(),
        seen: seen.load(Ordering::Relaxed),
        held: offline.held(),
        peak,
    }
}

/// What one connection may need beside the buffer for reading, which belongs to the thread: a half line or a body with its
/// copies, a decoder, the buffers of HTTP, and the summary.
const MOST: usize = 320 << 10;
/// An event in JSON is a tree while it is read.
const MOST_OF_EVENTS: usize = 1 << 20;

/// Every status that the documentation has, as far as one connection without waits can be answered it: there is room for it.
const STATUSES: [u16; 10] = [200, 202, 204, 400, 401, 404, 405, 413, 415, 431];

impl Left {
    /// What does not depend on how the bytes were cut.
    fn verdicts(&self) -> impl PartialEq + core::fmt::Debug + '_ {
        let counts = Via::ALL.map(|via| Kind::ALL.map(|kind| self.summary.counts_via(via, kind)));
        // Which reasons are counted as others is told by the order they are merged in.
        let rejections = Some(self.summary.rejections().cloned().collect::<Vec<_>>()).filter(|all| all.len() < 64);
        // Whether the server says something to garbage behind the last request, or only closes, is not ours to say.
        let is_ours = |(status, body): &&(u16, Vec<u8>)| !matches!(status, 400 | 431) || !body.is_empty();
        let answers: Vec<_> = self.answers.iter().filter(is_ours).collect();
        (counts, rejections, answers, &self.kept, self.seen)
    }

    fn check(&self, setup: Setup, stream: &[u8]) {
        let Summary { bytes, connections, open, refused, unwritten, .. } = self.summary;
        assert_eq!((connections, open, refused, unwritten), (1, 0, 0, 0));
        assert_eq!(self.held, 0, "bytes of the room did not come back");
        let (accepted, rejected) = (self.summary.accepted(), self.summary.rejected());
        assert_eq!(self.seen, accepted);
        assert_eq!(self.kept.len() as u64, accepted.min(KEEP as u64));
        assert_eq!(self.summary.rejections().map(|rejection| rejection.count).sum::<u64>(), rejected);
        assert!(self.summary.rejections().count() <= 65);
        assert!(self.summary.rejections().all(|rejection| rejection.sample.chars().count() <= 160));
        let events = self.summary.counts_via(Via::Http, Kind::Event);
        let most = if events.accepted + events.rejected > 0 { MOST_OF_EVENTS } else { MOST };
        assert!(self.peak <= most, "{} bytes at a time", self.peak);

        let is_http =
            [b"GE", b"PO", b"PU", b"HE", b"OP", b"PA", b"DE", b"TR", b"CO"].iter().any(|it| stream.starts_with(*it));
        let via = |via| {
            let counts = Kind::ALL.map(|kind| self.summary.counts_via(via, kind));
            counts.iter().map(|counts| counts.accepted + counts.rejected).sum::<u64>()
        };
        if is_http {
            assert_eq!(via(Via::Tcp), 0);
            let mut statuses = std::collections::BTreeMap::new();
            for (status, _) in &self.answers {
                assert!(STATUSES.contains(status), "{status}");
                *statuses.entry(*status).or_insert(0) += 1;
            }
            assert_eq!(self.summary.statuses, statuses, "an answer is counted once");
            let good = self.answers.iter().any(|(status, _)| matches!(status, 200 | 202));
            assert!(good || accepted == 0, "lines were accepted, and the answer says no");
            assert!(bytes <= stream.len() as u64);
            return;
        }
        assert_eq!((via(Via::Http), self.answers.len(), self.summary.requests()), (0, 0, 0));
        assert!(!setup.token || accepted == 0, "a token is required");
        if stream.starts_with(&[0x1f, 0x8b]) {
            let mut plain = Vec::new();
            match MultiGzDecoder::new(stream).read_to_end(&mut plain) {
                Ok(_) => assert_eq!(accepted + rejected, lines(&plain, setup.limit())),
                // Cut off: what came until then counts.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
                Err(_) => assert!(rejected > 0, "the stream is broken"),
            }
            assert!(bytes <= stream.len() as u64);
        } else {
            assert_eq!(bytes, stream.len() as u64);
            assert_eq!(accepted + rejected, lines(stream, setup.limit()));
        }
    }
}

/// How many lines there are to be judged.
fn lines(stream: &[u8], limit: usize) -> u64 {
    let is_one = |line: &&[u8]| line.len() > limit || line.iter().any(|byte| *byte > b' ');
    let mut lines = stream.split(|byte| *byte == b'\n');
    let half = lines.next_back().unwrap_or_default();
    // What could be a CR at its end does not count yet.
    let half = half.len() > limit + 1 || half.iter().any(|byte| *byte > b' ');
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).filter(is_one).count() as u64 + u64::from(half)
}

/// Status and body of each answer: nothing else may be there.
fn read_answers(mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|it| it == b"\r\n\r\n").expect("a head without an end");
        // An origin comes back as it was given, text or not.
        let head = String::from_utf8_lossy(&bytes[..end]);
        bytes = &bytes[end + 4..];
        let (first, headers) = head.split_once("\r\n").unwrap_or((&head, ""));
        let rest = first.strip_prefix("HTTP/1.1 ").or(first.strip_prefix("HTTP/1.0 ")).expect("another version");
        let status: u16 = rest.get(..3).and_then(|status| status.parse().ok()).expect("no status");
        let header = |name: &str| {
            let mut all = headers.split("\r\n").filter_map(|header| header.split_once(": "));
            all.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        assert!(header("transfer-encoding").is_none(), "a body of ours has a length");
        if status == 100 {
            continue;
        }
        let length: usize = header("content-length").map_or(0, |length| length.parse().expect("no length"));
        // To a HEAD the length is told, and the body left out.
        let body = if bytes.is_empty() || bytes.starts_with(b"HTTP/1.") { &[] } else { &bytes[..length] };
        bytes = &bytes[body.len()..];
        answers.push((status, body.to_vec()));
    }
    answers
}

// ---- memory ------------------------------------------------------------------------------------------------------------

struct Counting;

thread_local! {
    /// Bytes that this thread has allocated, and the most since it was asked.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn count(change: isize) {
    // While a thread ends there is none.
    let _ = HELD.try_with(|held| {
        let now = held.get().0 + change;
        held.set((now, held.get().1.max(now)));
    });
}

/// How many bytes more than before `work` has at a time.
fn peak(work: impl FnOnce()) -> usize {
    let before = HELD.with(|held| {
        held.set((held.get().0, held.get().0));
        held.get().0
    });
    work();
    HELD.with(|held| (held.get().1 - before) as usize)
}

// SAFETY: every call goes to the system's allocator as it is.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // The old bytes are there until the new ones are.
        count(size as isize);
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
