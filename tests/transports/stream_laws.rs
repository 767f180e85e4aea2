//! Laws of the transports on `embedded-io`: whatever pieces the stream takes and gives, whatever errors it has.

use std::collections::VecDeque;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use embedded_io::{ErrorKind, ErrorType, Read, Write};
use proptest::collection::vec;
use proptest::prelude::*;
use wavefront_sdk::Kind;
use wavefront_sdk::transport::{
    Accepted, AsyncLink, AsyncTransport, Batch, Failure, Http1, Lines, Link, Receiver, Transport, TransportError,
};

/// What a stream does with one call.
type Step = Result<usize, ErrorKind>;

fn errors() -> impl Strategy<Value = ErrorKind> {
    use ErrorKind::*;
    prop_oneof![
        3 => Just(Interrupted),
        2 => prop::sample::select(vec![Other, TimedOut, WriteZero, OutOfMemory, InvalidData]),
        1 => prop::sample::select(vec![ConnectionReset, ConnectionAborted, BrokenPipe, NotConnected, ConnectionRefused]),
    ]
}

fn steps() -> impl Strategy<Value = VecDeque<Step>> {
    // 0 is what a stream may not say.
    let step = prop_oneof![3 => (1..40_usize).prop_map(Ok), 2 => errors().prop_map(Err), 1 => Just(Ok(0))];
    vec(step, 0..60).prop_map(VecDeque::from)
}

fn batches() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    let line = "[a-z]{1,8} [0-9]{1,4} source=[a-z]{1,20}".prop_map(|line| [line.as_bytes(), b"\n"].concat());
    vec(vec(line, 1..6), 1..6)
}

/// A stream by script; when the script ends, everything passes.
#[derive(Debug, Clone, Default)]
struct Peer {
    steps: VecDeque<Step>,
    /// What was written on each connection; a wire has one.
    got: Vec<Vec<u8>>,
    /// What is read, on every connection anew.
    answer: Vec<u8>,
    /// Where the answer goes on.
    at: usize,
    /// The answer comes again and again.
    endless: bool,
    reads: usize,
    flush_failed: bool,
}

impl Peer {
    fn wire(steps: VecDeque<Step>) -> Self {
        Self { steps, got: vec![Vec::new()], ..Self::default() }
    }

    fn sockets(steps: VecDeque<Step>) -> Self {
        Self { steps, ..Self::default() }
    }

    fn step(&mut self) -> Step {
        self.steps.pop_front().unwrap_or(Ok(usize::MAX))
    }

    fn dial(&mut self) -> Result<(), ErrorKind> {
        self.step()?;
        self.got.push(Vec::new());
        self.at = 0;
        Ok(())
    }
}

impl ErrorType for Peer {
    type Error = ErrorKind;
}

impl Write for Peer {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let taken = self.step()?.min(bytes.len());
        self.got.last_mut().unwrap().extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        let flushed = self.step();
        self.flush_failed = flushed.is_err_and(|kind| kind != ErrorKind::Interrupted);
        flushed.map(drop)
    }
}

impl Read for Peer {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
        self.reads += 1;
        let most = self.step()?.max(1);
        if self.endless && self.at == self.answer.len() {
            self.at = 0;
        }
        let rest = &self.answer[self.at..];
        let len = most.min(rest.len()).min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        self.at += len;
        Ok(len)
    }
}

/// The same stream, for async transports: every other call waits once.
#[derive(Debug, Clone, Default)]
struct Waiting(Peer);

impl ErrorType for Waiting {
    type Error = ErrorKind;
}

impl embedded_io_async::Write for Waiting {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        once().await;
        Write::write(&mut self.0, bytes)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        once().await;
        Write::flush(&mut self.0)
    }
}

impl embedded_io_async::Read for Waiting {
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
        once().await;
        Read::read(&mut self.0, into)
    }
}

/// Waits one turn.
async fn once() {
    let mut waited = false;
    std::future::poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// The result of a future, polled until it is ready or `turns` are over.
fn run<F: Future>(future: F, turns: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..turns).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

#[derive(Debug, Clone, Copy)]
struct Dial;

impl Link<Peer> for Dial {
    fn connect(&mut self, peer: &mut Peer) -> Result<(), ErrorKind> {
        peer.dial()
    }

    fn look(&mut self, peer: &mut Peer) -> Result<(), ErrorKind> {
        peer.step().map(drop)
    }
}

impl AsyncLink<Waiting> for Dial {
    async fn connect(&mut self, peer: &mut Waiting) -> Result<(), ErrorKind> {
        once().await;
        peer.0.dial()
    }

    async fn look(&mut self, peer: &mut Waiting) -> Result<(), ErrorKind> {
        once().await;
        peer.0.step().map(drop)
    }
}

type Said = Result<Accepted, (Failure, u32)>;

fn said<E: TransportError>(result: Result<Accepted, E>) -> Said {
    result.map_err(|error| (error.kind(), error.lines_done()))
}

fn metrics(lines: &[Vec<u8>]) -> (Vec<u8>, u32) {
    (lines.concat(), u32::try_from(lines.len()).unwrap())
}

fn whole(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.iter().filter(|&&byte| byte == b'\n').count()).unwrap()
}

/// Sends each batch until it is accepted, what is done left out; says what was said of each call.
fn deliver(batches: &[Vec<Vec<u8>>], mut send: impl FnMut(Batch<'_>) -> Said) -> Vec<Said> {
    let mut all = Vec::new();
    for batch in batches {
        let mut rest = &batch[..];
        loop {
            let (bytes, count) = metrics(rest);
            let said = send(Batch::new(Kind::Metric, &bytes, count));
            all.push(said);
            let Err((_, done)) = said else { break };
            rest = &rest[done as usize..];
        }
    }
    all
}

const TURNS: usize = 100_000;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_wire_gets_every_line_once_or_somebody_hears_of_it(steps in steps(), batches in batches()) {
        let mut lines = Lines::new(Peer::wire(steps.clone()));
        let mut at = 0;
        let mut half = false;
        let all = deliver(&batches, |batch| {
            let said = said(lines.send(batch));
            let flush_failed = std::mem::take(&mut lines.stream_mut().flush_failed);
            let got = &lines.stream().got[0];
            let mut new = &got[at..];
            at = got.len();
            // Half a line is ended before anything else comes.
            let mut ended = true;
            if half {
                let end = new.iter().position(|&byte| byte == b'\n');
                let (scrap, rest) = new.split_at(end.map_or(new.len(), |end| end + 1));
                assert!(Lines::<Peer>::SCRAP.starts_with(scrap));
                (ended, new) = (end.is_some(), rest);
            }
            // What came is the beginning of the batch, and what is said of it is true.
            assert!(batch.bytes.starts_with(new));
            match said {
                Ok(accepted) => assert!(accepted == Accepted::Written && new == batch.bytes),
                Err((failure, done)) => {
                    let sure = failure != Failure::Broken && !flush_failed;
                    assert_eq!(done, if sure { whole(new) } else { 0 }, "{failure:?}");
                    assert!(failure != Failure::Connect || new.is_empty());
                }
            }
            half = flush_failed || !ended || new.last().is_some_and(|&last| last != b'\n');
            said
        });
        // An async stream is written the same way.
        let mut waiting = Lines::new(Waiting(Peer::wire(steps)));
        prop_assert_eq!(all, deliver(&batches, |batch| said(run(waiting.send(batch), TURNS).unwrap())));
        prop_assert_eq!(&lines.stream().got, &waiting.stream().0.got);
    }

    #[test]
    fn connections_get_whole_lines_and_half_of_one_at_their_end(steps in steps(), batches in batches()) {
        let mut lines = Lines::connecting(Peer::sockets(steps.clone()), Dial);
        let mut accepted: Vec<Vec<u8>> = Vec::new();
        let all = deliver(&batches, |batch| {
            let before = lines.stream().got.clone();
            let said = said(lines.send(batch));
            let got = &lines.stream().got;
            match said {
                Ok(_) => {
                    // All of it on one connection, behind what was accepted there.
                    accepted.resize(got.len(), Vec::new());
                    accepted.last_mut().unwrap().extend_from_slice(batch.bytes);
                    assert_eq!(got.last(), accepted.last());
                }
                Err((failure, done)) => {
                    assert!(matches!(failure, Failure::Connect | Failure::Broken) && done == 0);
                    assert!(failure != Failure::Connect || *got == before, "nothing was sent");
                }
            }
            said
        });
        for (connection, accepted) in lines.stream().got.iter().zip(accepted) {
            let rest = connection.strip_prefix(&accepted[..]).unwrap();
            let sent: Vec<u8> = batches.concat().concat();
            assert!(rest.is_empty() || sent.windows(rest.len()).any(|part| part == rest));
        }
        let mut waiting = Lines::connecting(Waiting(Peer::sockets(steps)), Dial);
        prop_assert_eq!(all, deliver(&batches, |batch| said(run(waiting.send(batch), TURNS).unwrap())));
        prop_assert_eq!(&lines.stream().got, &waiting.stream().0.got);
    }

    /// A future that is dropped at any turn: a wire ends the half line, a connection is given up and said to be broken.
    #[test]
    fn a_send_that_is_dropped_leaves_no_half_line_behind(steps in steps(), turns in 0..20_usize) {
        const FIRST: &[u8] = b"first 1 source=s\n";
        const SECOND: Batch<'_> = Batch::new(Kind::Metric, b"second 2 source=s\n", 1);
        let taken: VecDeque<Step> = steps.into_iter().filter(|step| step.is_ok_and(|taken| taken > 0)).collect();
        let mut wire = Lines::new(Waiting(Peer::wire(taken.clone())));
        let first = Batch::new(Kind::Metric, FIRST, 1);
        let done = run(wire.send(first), turns).is_some();
        let before = wire.stream().0.got[0].clone();
        prop_assert!(FIRST.starts_with(&before));
        prop_assert!(run(wire.send(SECOND), TURNS).unwrap().is_ok());
        let expected: &[&[u8]] = if done || turns == 0 { &[&before, b"second 2 source=s\n"] }
            else { &[&before, Lines::<Peer>::SCRAP, b"second 2 source=s\n"] };
        prop_assert_eq!(&wire.stream().0.got[0], &expected.concat());

        let mut socket = Lines::connecting(Waiting(Peer::sockets(taken)), Dial);
        let done = run(socket.send(first), turns).is_some();
        let written = socket.stream().0.got.len();
        let again = said(run(socket.send(SECOND), TURNS).unwrap());
        if done {
            prop_assert_eq!(again, Ok(Accepted::Written));
        } else if written > 0 && again.is_err() {
            prop_assert_eq!(again, Err((Failure::Broken, 0)));
            prop_assert!(run(socket.send(SECOND), TURNS).unwrap().is_ok());
        }
        prop_assert_eq!(&socket.stream().0.got.last().unwrap()[if done { FIRST.len() } else { 0 }..], SECOND.bytes);
    }

    /// However a request is taken and its answer comes, the verdict is that of the answer.
    #[test]
    fn an_answer_means_the_same_in_any_pieces(
        pieces in vec(prop_oneof![4 => (1..60_usize).prop_map(Ok), 1 => Just(Err(ErrorKind::Interrupted))], 0..200),
        (answer, expected) in answers(),
    ) {
        let steps = VecDeque::from(pieces);
        let mut http = http(Peer { steps: steps.clone(), answer: answer.clone(), ..Peer::default() });
        // The link's own interruptions are no business of ours.
        while http.send(BATCH).is_err_and(|error| error.kind() == Failure::Connect) {}
        let request = http.stream().got[0].clone();
        prop_assert!(request.starts_with(b"POST /report?f=wavefront HTTP/1.1\r\nHost: h\r\n"));
        prop_assert!(request.ends_with(&[b"\r\n\r\n", BATCH.bytes].concat()));
        prop_assert_eq!(said(one_answer(&answer, VecDeque::new())), expected);
        prop_assert_eq!(said(one_answer(&answer, steps.iter().copied().filter(Result::is_ok).collect())), expected);
    }

    /// Whatever comes: a verdict or an error, after work that has a bound, and never the verdict of another request.
    #[test]
    fn any_bytes_are_an_answer_or_an_error(
        garbage in prop_oneof![
            vec(any::<u8>(), 0..300),
            vec(prop::sample::select(WORDS.to_vec()), 0..30).prop_map(|words| words.concat().into_bytes()),
            (answers(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|((mut answer, _), at, byte)| {
                let at = at.index(answer.len());
                answer[at] = byte;
                answer
            }),
        ],
        steps in steps(),
        endless: bool,
    ) {
        let endless = endless && !garbage.is_empty();
        let peer = Peer { steps: steps.clone(), answer: garbage, endless, ..Peer::default() };
        let mut blocking = http(peer.clone());
        let mut waiting = Http1::new(Receiver::new("h").unwrap(), Waiting(peer), Dial);
        for _ in 0..3 {
            let before = blocking.stream().reads;
            let one = said(blocking.send(BATCH));
            let steps = steps.len() + Http1::<Peer, Dial>::HEAD_MAX + Http1::<Peer, Dial>::BODY_MAX;
            prop_assert!(blocking.stream().reads - before <= steps + 1);
            prop_assert_eq!(one, said(run(waiting.send(BATCH), TURNS).unwrap()));
        }
        prop_assert_eq!(&blocking.stream().got, &waiting.stream().0.got);
    }

    #[test]
    fn a_request_that_is_dropped_costs_its_connection(turns in 0..12_usize, pieces in vec(1..100_usize, 0..12)) {
        let steps = pieces.into_iter().map(Ok).collect();
        let answer = b"HTTP/1.1 202 x\r\nContent-Length: 0\r\n\r\n".to_vec();
        let mut http = Http1::new(Receiver::new("h").unwrap(), Waiting(Peer { steps, answer, ..Peer::default() }), Dial);
        let done = run(http.send(BATCH), turns).is_some();
        let connections = http.stream().0.got.len();
        http.stream_mut().0.at = 0;
        prop_assert_eq!(said(run(http.send(BATCH), TURNS).unwrap()), Ok(Accepted::Delivered));
        prop_assert_eq!(http.stream().0.got.len(), connections + usize::from(!done));
    }
}

const BATCH: Batch<'static> = Batch::new(Kind::Metric, b"a 1 source=s\nb 2 source=s\n", 2);

fn http(peer: Peer) -> Http1<'static, Peer, Dial> {
    Http1::new(Receiver::new("h").unwrap(), peer, Dial)
}

fn one_answer(answer: &[u8], steps: VecDeque<Step>) -> Result<Accepted, impl TransportError> {
    http(Peer { steps, answer: answer.to_vec(), ..Peer::default() }).send(BATCH)
}

/// Parts of answers, to be put together in ways that no receiver would.
const WORDS: [&str; 22] = [
    "HTTP/1.1 ",
    "HTTP/1.0 ",
    "200",
    "503",
    "100",
    "101",
    " ",
    "OK",
    "\r\n",
    "\n",
    "\r",
    ":",
    "Content-Length: ",
    "5",
    "0",
    "Transfer-Encoding: ",
    "chunked",
    ",",
    "Connection: close",
    "Retry-After: ",
    "\r\n\r\n",
    "a\r\nabcdefghij\r\n",
];

/// Answers as receivers write them, and what they mean.
fn answers() -> impl Strategy<Value = (Vec<u8>, Said)> {
    let header = "[A-Za-z-]{1,20}: ?[ -~]{0,40}\r\n".prop_filter("one that means something", |header| {
        let name = header.split(':').next().unwrap().to_ascii_lowercase();
        !["content-length", "transfer-encoding", "connection", "retry-after"].contains(&&*name)
    });
    let body = vec(any::<u8>(), 0..300);
    let code = prop_oneof![Just(200_u16), Just(202), Just(204), 300..999_u16];
    let wait = prop::option::of(0..1000_u32);
    (code, vec(header, 0..5), body, any::<bool>(), wait, 0..3_usize).prop_map(
        |(code, headers, body, chunked, wait, interim)| {
            let mut answer = b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n".repeat(interim);
            answer.extend_from_slice(format!("HTTP/1.1 {code} Some reason\r\n{}", headers.concat()).as_bytes());
            if let Some(seconds) = wait {
                answer.extend_from_slice(format!("retry-after: {seconds}\r\n").as_bytes());
            }
            if chunked {
                answer.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
                for chunk in body.chunks(100) {
                    answer.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    answer.extend_from_slice(&[chunk, b"\r\n"].concat());
                }
                answer.extend_from_slice(b"0\r\n\r\n");
            } else {
                answer.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
                answer.extend_from_slice(&body);
            }
            let retry_after = wait.map(|seconds| Duration::from_secs(seconds.min(300).into()));
            let said =
                if code < 300 { Ok(Accepted::Delivered) } else { Err((Failure::Status { code, retry_after }, 0)) };
            (answer, said)
        },
    )
}
