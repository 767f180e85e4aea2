//! HTTP/1.1 over a stream: a small, strict client side.

use core::fmt;
use core::time::Duration;

use embedded_io::{Error, ErrorKind, Read, Write};

use super::super::{Accepted, Batch, Failure, Transport, TransportError};
use super::answer::{Answer, Verdict};
use super::request::{Call, Receiver};
#[cfg(feature = "embedded-io-async-v0_7")]
use super::{super::AsyncTransport, AsyncLink};
use super::{Link, is_gone};

/// Lines by `POST {path}/report?f=…` over any stream of `embedded-io` ([`Transport`]) or `embedded-io-async`
/// (`AsyncTransport`), to a proxy or, with a token, to direct ingestion. TLS is a stream like any other.
///
/// - [`Accepted::Delivered`] means that the receiver answered with a 2xx status. A proxy answers so even where it
///   rejects single lines. Every other status is a [`Failure::Status`]; redirects are not followed.
/// - The connection is kept (HTTP/1.1 needs no header for that) and used again, unless the answer says `Connection:
///   close`, is of HTTP/1.0, has more than [`BODY_MAX`](Self::BODY_MAX) bytes of body or one that ends with the
///   connection. After any error there is a new one: an answer is never taken for that of another request.
/// - The answer is read strictly and in bounded memory: lines end with CR LF, interim answers (1xx) are skipped, a head
///   of more than [`HEAD_MAX`](Self::HEAD_MAX) bytes or a wrong `Content-Length` is no answer, but
///   [`Failure::Broken`]. Once the head is read, the status is the verdict, whatever becomes of the body.
/// - `Retry-After` is read where it is a number of seconds, and believed up to 300. A date is not: there may be no
///   clock.
/// - Source tags go to a proxy only: [`Failure::Unsupported`]. Events of direct ingestion are JSON objects, one a line
///   of the batch; each is a request of its own, and [`lines_done`](TransportError::lines_done) says how many had gone
///   through before one failed.
/// - An `Interrupted` of the stream is tried again at once. `TimedOut` is [`Failure::Timeout`], every other error
///   [`Failure::Broken`], or [`Failure::Connect`] where it came from the link. There is no clock here: let the stream's
///   own timeouts, or the driver's, bound a receiver that is silent or slow.
/// - A future that is dropped before it is done costs its connection, nothing else.
///
/// ```
/// use embedded_io_adapters::std::FromStd;
/// use wavefront_sdk::{Kind, transport::{Accepted, Batch, Http1, Receiver, Transport}};
/// # use std::{io::{Read, Write}, net::{TcpListener, TcpStream}};
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let address = listener.local_addr()?;
/// # let socket = FromStd::new(TcpStream::connect(address)?);
/// # drop(listener.accept()?);
/// # std::thread::spawn(move || {
/// #     let mut peer = listener.accept().unwrap().0;
/// #     peer.read(&mut [0; 1024]).unwrap();
/// #     peer.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").unwrap();
/// #     peer.read(&mut [0; 1024]).unwrap();
/// # });
/// let proxy = Receiver::new("proxy.example.com:2878")?;
/// let mut http = Http1::new(proxy, socket, |socket: &mut FromStd<TcpStream>| {
///     *socket.inner_mut() = TcpStream::connect(address)?;
///     Ok(())
/// });
/// assert_eq!(http.send(Batch::new(Kind::Metric, b"a 1 source=s\n", 1))?, Accepted::Delivered);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Http1<'a, S, L> {
    receiver: Receiver<'a>,
    stream: S,
    link: L,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is no connection of use.
    Closed,
    /// There is one, and nothing is under way on it.
    Idle,
}

/// How many bytes of a head are written, and of an answer read, at a time.
const PIECE: usize = 256;

impl<'a, S, L> Http1<'a, S, L> {
    /// How long an answer's head may be, in bytes, with all interim answers before it.
    pub const HEAD_MAX: usize = super::answer::HEAD_MAX as usize;
    /// How much of an answer's body is read so that the connection can be used again, in bytes.
    pub const BODY_MAX: usize = super::answer::BODY_MAX as usize;

    /// Requests to `receiver` over a stream that `link` connects: before the first one, and again after each error.
    pub const fn new(receiver: Receiver<'a>, stream: S, link: L) -> Self {
        Self { receiver, stream, link, state: State::Closed }
    }

    /// Takes another receiver, such as one with a new token, from the next request on. The connection stays.
    pub const fn set_receiver(&mut self, receiver: Receiver<'a>) {
        self.receiver = receiver;
    }

    /// The stream.
    pub const fn stream(&self) -> &S {
        &self.stream
    }

    /// The stream, to change its settings. What is read or written here gets between the requests.
    pub const fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Goes on with another stream, which stands and of which nothing is used yet; the one before comes back.
    pub const fn replace(&mut self, stream: S) -> S {
        self.state = State::Idle;
        core::mem::replace(&mut self.stream, stream)
    }

    /// The stream and its link.
    pub fn into_parts(self) -> (S, L) {
        (self.stream, self.link)
    }

    fn call<E>(&self, batch: Batch<'_>) -> Result<Call, Http1Error<E>> {
        self.receiver.call(batch.format()).ok_or(Http1Error::of(What::Unsupported))
    }

    fn conclude<E>(&mut self, answered: Result<Verdict, What<E>>) -> Result<(), Http1Error<E>> {
        let answer = answered.map_err(Http1Error::of)?;
        let Verdict { status, retry_after, reusable } = answer;
        if reusable {
            self.state = State::Idle;
        }
        if answer.is_success() { Ok(()) } else { Err(Http1Error::of(What::Status { code: status, retry_after })) }
    }
}

impl<S: Read + Write, L: Link<S>> Transport for Http1<'_, S, L> {
    type Error = Http1Error<S::Error>;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Self::Error> {
        let call = self.call(batch)?;
        let (mut rest, mut done) = (batch.bytes, 0);
        while let Some(body) = next_body(call, &mut rest) {
            self.request(call, body).map_err(|error| Http1Error { lines_done: done, ..error })?;
            done += 1;
        }
        Ok(Accepted::Delivered)
    }

    /// Asks the link.
    fn probe(&mut self) -> Result<(), Self::Error> {
        if self.state == State::Idle {
            self.state = State::Closed;
            self.link.look(&mut self.stream).map_err(|gone| Http1Error::of(What::Gone(gone)))?;
            self.state = State::Idle;
        }
        Ok(())
    }

    /// Closes the connection by the link. Every batch was answered, so there is nothing that the peer had to confirm.
    fn finish(&mut self, timeout: Duration) -> Result<(), Self::Error> {
        if self.state == State::Idle {
            self.state = State::Closed;
            let _ = self.link.close(&mut self.stream, timeout);
        }
        Ok(())
    }
}

impl<S: Read + Write, L: Link<S>> Http1<'_, S, L> {
    fn request(&mut self, call: Call, body: &[u8]) -> Result<(), Http1Error<S::Error>> {
        // What has gone while it was idle takes nothing along.
        let _ = Transport::probe(self);
        if self.state == State::Closed {
            self.link.connect(&mut self.stream).map_err(|failure| Http1Error::of(What::Connect(failure)))?;
        }
        self.state = State::Closed;
        let mut digits = itoa::Buffer::new();
        let head = self.receiver.head(call, digits.format(body.len()));
        let answered = exchange(&mut self.stream, head, body);
        self.conclude(answered)
    }
}

fn exchange<S: Read + Write + ?Sized>(
    stream: &mut S,
    head: impl Iterator<Item = u8>,
    body: &[u8],
) -> Result<Verdict, What<S::Error>> {
    let mut piece = [0; PIECE];
    let sent = post(stream, &mut piece, head, body);
    if may_be_answered(&sent) { rule(sent, receive(stream, &mut piece)) } else { rule(sent, Err(What::Closed)) }
}

fn post<S: Write + ?Sized>(
    stream: &mut S,
    piece: &mut [u8],
    mut head: impl Iterator<Item = u8>,
    body: &[u8],
) -> Result<(), What<S::Error>> {
    let mut body = Some(body);
    while let Some(mut next) = fill(piece, &mut head).or_else(|| body.take()) {
        while !next.is_empty() {
            match stream.write(next) {
                Ok(0) => return Err(What::Refused),
                Ok(taken) => next = next.get(taken..).unwrap_or_default(),
                Err(failure) => go_on(failure)?,
            }
        }
    }
    while let Err(failure) = stream.flush() {
        go_on(failure)?;
    }
    Ok(())
}

fn receive<S: Read + ?Sized>(stream: &mut S, piece: &mut [u8]) -> Result<Verdict, What<S::Error>> {
    let mut answer = Answer::new();
    loop {
        let read = stream.read(piece);
        if let Some(verdict) = hear(&mut answer, piece, read)? {
            return Ok(verdict);
        }
    }
}

#[cfg(feature = "embedded-io-async-v0_7")]
impl<S: embedded_io_async::Read + embedded_io_async::Write, L: AsyncLink<S>> AsyncTransport for Http1<'_, S, L> {
    type Error = Http1Error<S::Error>;

    async fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Self::Error> {
        let call = self.call(batch)?;
        let (mut rest, mut done) = (batch.bytes, 0);
        while let Some(body) = next_body(call, &mut rest) {
            self.request_async(call, body).await.map_err(|error| Http1Error { lines_done: done, ..error })?;
            done += 1;
        }
        Ok(Accepted::Delivered)
    }

    /// Closes the connection by the link. Every batch was answered, so there is nothing that the peer had to confirm.
    async fn finish(&mut self) -> Result<(), Self::Error> {
        if self.state == State::Idle {
            self.state = State::Closed;
            let _ = self.link.close(&mut self.stream).await;
        }
        Ok(())
    }
}

#[cfg(feature = "embedded-io-async-v0_7")]
impl<S: embedded_io_async::Read + embedded_io_async::Write, L: AsyncLink<S>> Http1<'_, S, L> {
    async fn request_async(&mut self, call: Call, body: &[u8]) -> Result<(), Http1Error<S::Error>> {
        // Whoever drops this future leaves `Closed` behind, from the first wait on.
        let idle = core::mem::replace(&mut self.state, State::Closed) == State::Idle;
        if !idle || self.link.look(&mut self.stream).await.is_err() {
            let connected = self.link.connect(&mut self.stream).await;
            connected.map_err(|failure| Http1Error::of(What::Connect(failure)))?;
        }
        let mut digits = itoa::Buffer::new();
        let head = self.receiver.head(call, digits.format(body.len()));
        let answered = exchange_async(&mut self.stream, head, body).await;
        self.conclude(answered)
    }
}

#[cfg(feature = "embedded-io-async-v0_7")]
async fn exchange_async<S: embedded_io_async::Read + embedded_io_async::Write + ?Sized>(
    stream: &mut S,
    head: impl Iterator<Item = u8>,
    body: &[u8],
) -> Result<Verdict, What<S::Error>> {
    let mut piece = [0; PIECE];
    let sent = post_async(stream, &mut piece, head, body).await;
    if !may_be_answered(&sent) {
        return rule(sent, Err(What::Closed));
    }
    let mut answer = Answer::new();
    let received = loop {
        let read = stream.read(&mut piece).await;
        match hear(&mut answer, &piece, read) {
            Ok(None) => {}
            Ok(Some(verdict)) => break Ok(verdict),
            Err(what) => break Err(what),
        }
    };
    rule(sent, received)
}

#[cfg(feature = "embedded-io-async-v0_7")]
async fn post_async<S: embedded_io_async::Write + ?Sized>(
    stream: &mut S,
    piece: &mut [u8],
    mut head: impl Iterator<Item = u8>,
    body: &[u8],
) -> Result<(), What<S::Error>> {
    let mut body = Some(body);
    while let Some(mut next) = fill(piece, &mut head).or_else(|| body.take()) {
        while !next.is_empty() {
            match stream.write(next).await {
                Ok(0) => return Err(What::Refused),
                Ok(taken) => next = next.get(taken..).unwrap_or_default(),
                Err(failure) => go_on(failure)?,
            }
        }
    }
    while let Err(failure) = stream.flush().await {
        go_on(failure)?;
    }
    Ok(())
}

/// The body of the next request: the batch, or the next event of it.
fn next_body<'a>(call: Call, rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    if call != Call::Event {
        return Some(core::mem::take(rest)).filter(|body| !body.is_empty());
    }
    while !rest.is_empty() {
        let mut parts = rest.splitn(2, |&byte| byte == b'\n');
        let line = parts.next().unwrap_or_default();
        *rest = parts.next().unwrap_or_default();
        if !line.is_empty() {
            return Some(line);
        }
    }
    None
}

/// As many bytes of the head as there is room for; none at its end.
fn fill<'a>(piece: &'a mut [u8], head: &mut impl Iterator<Item = u8>) -> Option<&'a [u8]> {
    let mut len = 0;
    for (place, byte) in piece.iter_mut().zip(head) {
        *place = byte;
        len += 1;
    }
    piece.get(..len).filter(|filled| !filled.is_empty())
}

/// What one piece of an answer comes to.
fn hear<E: Error>(answer: &mut Answer, piece: &[u8], read: Result<usize, E>) -> Result<Option<Verdict>, What<E>> {
    match read {
        Ok(0) => answer.end().map(Some).ok_or(What::Closed),
        // A stream that says that it read more than there is room for is not believed.
        Ok(len) => piece.get(..len).and_then(|bytes| answer.feed(bytes).ok()).ok_or(What::Malformed),
        Err(failure) if failure.kind() == ErrorKind::Interrupted => Ok(None),
        Err(failure) => answer.end().map(Some).ok_or(What::Failed(failure)),
    }
}

/// A receiver that closes before it has read everything may have said why: too large, not allowed.
fn may_be_answered<E: Error>(sent: &Result<(), What<E>>) -> bool {
    match sent {
        Ok(()) => true,
        Err(What::Failed(failure)) => is_gone(failure.kind()),
        Err(_) => false,
    }
}

/// The answer; of a request that did not get through, only one that says no.
fn rule<E>(sent: Result<(), What<E>>, received: Result<Verdict, What<E>>) -> Result<Verdict, What<E>> {
    match (sent, received) {
        (Ok(()), received) => received,
        (Err(_), Ok(verdict)) if !verdict.is_success() => Ok(Verdict { reusable: false, ..verdict }),
        (Err(unsent), _) => Err(unsent),
    }
}

/// Nothing, where the call is to be made again.
fn go_on<E: Error>(failure: E) -> Result<(), What<E>> {
    if failure.kind() == ErrorKind::Interrupted { Ok(()) } else { Err(What::Failed(failure)) }
}

/// What kept a batch from being delivered; `E` is the stream's own error. Neither `Display` nor `Debug` shows a token,
/// the lines, or what the receiver answered beside its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Http1Error<E> {
    what: What<E>,
    lines_done: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum What<E> {
    Connect(E),
    /// It had gone before anything was sent.
    Gone(E),
    Failed(E),
    /// The stream broke its contract and took nothing without saying why.
    Refused,
    /// The connection ended where an answer was due.
    Closed,
    Malformed,
    Status {
        code: u16,
        retry_after: Option<Duration>,
    },
    Unsupported,
}

impl<E> Http1Error<E> {
    const fn of(what: What<E>) -> Self {
        Self { what, lines_done: 0 }
    }

    /// The status that the receiver answered with.
    pub const fn status(&self) -> Option<u16> {
        match self.what {
            What::Status { code, .. } => Some(code),
            _ => None,
        }
    }

    /// The stream's own error, where it was one.
    pub const fn stream_error(&self) -> Option<&E> {
        match &self.what {
            What::Connect(failure) | What::Gone(failure) | What::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for Http1Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Connect(failure) => write!(f, "the stream could not be connected: {failure}"),
            What::Gone(failure) => write!(f, "the connection has gone: {failure}"),
            What::Failed(failure) => write!(f, "the connection failed: {failure}"),
            What::Refused => f.write_str("the stream takes nothing and does not say why"),
            What::Closed => f.write_str("the receiver closed the connection without an answer"),
            What::Malformed => f.write_str("what came is no answer of HTTP/1.1, or one with too long a head"),
            What::Status { code, .. } => write!(f, "the receiver answered {code}"),
            What::Unsupported => f.write_str("direct ingestion has no way for source tags: send them to a proxy"),
        }
    }
}

impl<E: Error> core::error::Error for Http1Error<E> {}

impl<E: Error> TransportError for Http1Error<E> {
    fn kind(&self) -> Failure {
        match &self.what {
            What::Connect(_) => Failure::Connect,
            What::Failed(failure) if failure.kind() == ErrorKind::TimedOut => Failure::Timeout,
            What::Gone(_) | What::Failed(_) | What::Refused | What::Closed | What::Malformed => Failure::Broken,
            What::Status { code, retry_after } => Failure::Status { code: *code, retry_after: *retry_after },
            What::Unsupported => Failure::Unsupported,
        }
    }

    fn lines_done(&self) -> u32 {
        self.lines_done
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::Kind;

    const BATCH: Batch<'static> = Batch::new(Kind::Metric, b"a 1 source=s\n", 1);
    const YES: &[u8] = b"HTTP/1.1 202 x\r\nContent-Length: 0\r\n\r\n";
    const TOO_LARGE: &[u8] = b"HTTP/1.1 413 x\r\nContent-Length: 0\r\n\r\n";

    /// A stream whose writes fail after `room` bytes, and whose reads fail after `answer`.
    #[derive(Debug)]
    struct Peer {
        room: usize,
        full: ErrorKind,
        answer: &'static [u8],
        end: Result<usize, ErrorKind>,
        connections: u32,
    }

    const PEER: Peer = Peer { room: usize::MAX, full: ErrorKind::Other, answer: YES, end: Ok(0), connections: 0 };

    impl embedded_io::ErrorType for Peer {
        type Error = ErrorKind;
    }

    impl Write for Peer {
        fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
            let taken = bytes.len().min(self.room);
            self.room -= taken;
            if taken == 0 { Err(self.full) } else { Ok(taken) }
        }

        fn flush(&mut self) -> Result<(), ErrorKind> {
            Ok(())
        }
    }

    impl Read for Peer {
        fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
            let (now, later) = self.answer.split_at(self.answer.len().min(into.len()));
            self.answer = later;
            into[..now.len()].copy_from_slice(now);
            if now.is_empty() { self.end } else { Ok(now.len()) }
        }
    }

    /// A link whose connections are of one kind, and gone as often as it is told.
    struct Dial {
        gone: u32,
    }

    impl Link<Peer> for Dial {
        fn connect(&mut self, peer: &mut Peer) -> Result<(), ErrorKind> {
            peer.connections += 1;
            if peer.end == Err(ErrorKind::ConnectionRefused) { peer.end.map(drop) } else { Ok(()) }
        }

        fn look(&mut self, _: &mut Peer) -> Result<(), ErrorKind> {
            let gone = self.gone > 0;
            self.gone = self.gone.saturating_sub(1);
            if gone { Err(ErrorKind::ConnectionReset) } else { Ok(()) }
        }
    }

    fn http(peer: Peer) -> Http1<'static, Peer, Dial> {
        Http1::new(Receiver::new("h").unwrap(), peer, Dial { gone: 0 })
    }

    fn failure(peer: Peer) -> Failure {
        http(peer).send(BATCH).unwrap_err().kind()
    }

    #[test]
    fn a_receiver_that_does_not_read_on_is_heard_if_it_says_no() {
        let (full, room) = (ErrorKind::BrokenPipe, 100);
        let too_large = Failure::Status { code: 413, retry_after: None };
        assert_eq!(failure(Peer { full, room, answer: TOO_LARGE, ..PEER }), too_large);
        assert_eq!(failure(Peer { full, room, ..PEER }), Failure::Broken, "it cannot have what was not sent");
        assert_eq!(failure(Peer { full, room, answer: b"HTTP/1.1 4", ..PEER }), Failure::Broken);
        let stuck = Peer { full: ErrorKind::Other, room, answer: TOO_LARGE, ..PEER };
        assert_eq!(failure(stuck), Failure::Broken, "nobody waits for an answer where the connection stands");
    }

    #[test]
    fn errors_are_told_apart() {
        let late = Err(ErrorKind::TimedOut);
        assert_eq!(failure(Peer { answer: b"HTTP/1.1 2", end: late, ..PEER }), Failure::Timeout);
        assert_eq!(failure(Peer { room: 9, full: ErrorKind::TimedOut, ..PEER }), Failure::Timeout);
        assert_eq!(failure(Peer { answer: b"", ..PEER }), Failure::Broken);
        assert_eq!(failure(Peer { answer: b"", end: Ok(999), ..PEER }), Failure::Broken, "a stream that lies");
        assert_eq!(failure(Peer { end: Err(ErrorKind::ConnectionRefused), ..PEER }), Failure::Connect);
        let half = Peer { answer: b"HTTP/1.1 503 x\r\nContent-Length: 9\r\n\r\nhalf", end: late, ..PEER };
        assert_eq!(failure(half), Failure::Status { code: 503, retry_after: None });
    }

    #[test]
    fn what_has_gone_while_it_was_idle_is_connected_anew() {
        let mut http = http(PEER);
        for (gone, connections) in [(0, 1), (0, 1), (1, 2), (0, 2)] {
            http.link.gone = gone;
            http.stream_mut().answer = YES;
            assert_eq!(Transport::send(&mut http, BATCH).unwrap(), Accepted::Delivered);
            assert_eq!(http.stream().connections, connections);
        }
        http.link.gone = 1;
        assert_eq!(Transport::probe(&mut http).unwrap_err().kind(), Failure::Broken);
        assert_eq!(Transport::probe(&mut http), Ok(()), "it is said once");
        http.replace(PEER);
        assert_eq!(Transport::send(&mut http, BATCH).unwrap(), Accepted::Delivered);
        assert_eq!(http.stream().connections, 0, "the one that was given stands");
    }

    #[test]
    fn a_batch_is_one_body_and_an_event_each_its_own() {
        let bodies = |call| {
            let mut rest: &[u8] = b"one\n\ntwo\nthree";
            core::iter::from_fn(move || next_body(call, &mut rest)).collect::<Vec<_>>()
        };
        assert_eq!(bodies(Call::Report(None)), [b"one\n\ntwo\nthree"]);
        assert_eq!(bodies(Call::Event), [&b"one"[..], b"two", b"three"]);
    }

    #[test]
    fn a_head_of_any_length_goes_in_pieces() {
        for len in 0..20 {
            let mut head = 0..len;
            let mut piece = [0; 7];
            let mut all = Vec::new();
            while let Some(filled) = fill(&mut piece, &mut head) {
                all.extend_from_slice(filled);
            }
            assert!(all.into_iter().eq(0..len));
        }
    }
}
