//! Lines over a stream without answers: a UART, a socket.

use core::fmt;
use core::time::Duration;

use embedded_io::{Error, ErrorKind, Write};

use super::super::{Accepted, Batch, Failure, Transport, TransportError};
#[cfg(feature = "embedded-io-async-v0_7")]
use super::{super::AsyncTransport, AsyncLink};
use super::{Link, Linked, Wire, is_gone};

/// Lines over any `Write` of `embedded-io` ([`Transport`]) or `embedded-io-async` (`AsyncTransport`).
///
/// A batch is written whole, however many pieces the stream takes it in, and flushed; then it is [`Accepted::Written`].
/// An `Interrupted` of the stream is tried again at once. What any other error means depends on what the stream is:
///
/// | | [`new`](Self::new): a wire, which stays | [`connecting`](Self::connecting): a connection |
/// |---|---|---|
/// | after an error | the same stream is used again | it is given up, the next `send` connects anew |
/// | [`lines_done`](TransportError::lines_done) | the lines that the stream took whole before the error | 0: what waited in its buffers is gone |
/// | half a line was out | it is made invalid and ended before the next one | the receiver drops it |
/// | nothing behind the stream (`NotConnected`, `ConnectionRefused`, `NotFound`, …) before the first byte | [`Failure::Connect`] | |
/// | a connection that has gone (`ConnectionReset`, `BrokenPipe`, …), any kind of error on a connection | [`Failure::Broken`], no line is surely out | [`Failure::Broken`] |
/// | every other, such as `TimedOut`, `WriteZero`, `Other` | [`Failure::Timeout`]: the rest is sent again | [`Failure::Broken`] |
/// | the link could not connect | | [`Failure::Connect`] |
/// | the flush failed | no line of the batch is surely out | [`Failure::Broken`] |
///
/// On a wire, half a line gets [`SCRAP`](Self::SCRAP) for its end: wherever it was cut, the receiver then rejects it,
/// instead of taking it for a shorter line, or together with the next one for a longer.
///
/// `finish` flushes a wire; a connection it closes by its link. What the receiver has read, no wire tells, and a
/// connection only as far as its link does.
///
/// A future that is dropped before it is done leaves a wire as an error does, and a connection broken: the next `send`
/// says so.
///
/// ```
/// use wavefront_sdk::{Kind, transport::{Accepted, Batch, Lines, Transport}};
/// let mut memory = [0; 64];
/// let mut uart = Lines::new(&mut memory[..]);   // any `embedded_io::Write`
/// assert_eq!(uart.send(Batch::new(Kind::Metric, b"a 1 source=s\n", 1)), Ok(Accepted::Written));
/// assert!(memory.starts_with(b"a 1 source=s\n"));
/// ```
#[derive(Debug)]
pub struct Lines<S, L = Wire> {
    stream: S,
    link: L,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is no connection.
    Closed,
    /// The next byte begins a line.
    LineStart,
    /// Part of a line may be out.
    MidLine,
}

impl<S> Lines<S> {
    /// Lines over a stream that is always there, such as a UART.
    pub const fn new(stream: S) -> Self {
        Self { stream, link: Wire, state: State::LineStart }
    }

    /// What is put behind half a line on a wire: a quote is opened or closed, and what follows is no tag, so no part of
    /// a line is valid with it, even where the scrap itself was cut before.
    pub const SCRAP: &'static [u8] = b"\"-=\n";
}

impl<S, L> Lines<S, Linked<L>> {
    /// Lines over a stream that `link` connects: before the first batch, and again after each error.
    ///
    /// ```
    /// # use embedded_io_adapters::std::FromStd;
    /// # use std::net::{TcpListener, TcpStream};
    /// # use wavefront_sdk::{Kind, transport::{Batch, Lines, Transport}};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let address = listener.local_addr()?;
    /// let socket = FromStd::new(TcpStream::connect(address)?);
    /// let mut lines = Lines::connecting(socket, |socket: &mut FromStd<TcpStream>| {
    ///     *socket.inner_mut() = TcpStream::connect(address)?;
    ///     Ok(())
    /// });
    /// lines.send(Batch::new(Kind::Metric, b"a 1 source=s\n", 1))?;
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub const fn connecting(stream: S, link: L) -> Self {
        Self { stream, link: Linked(link), state: State::Closed }
    }

    /// Whether there is a connection.
    fn is_standing<E>(&mut self) -> Result<bool, LinesError<E>> {
        match self.state {
            State::Closed => Ok(false),
            State::LineStart => Ok(true),
            State::MidLine => Err(self.give_up(Fault { stage: Stage::Abandoned, source: None })),
        }
    }

    /// A connection that has failed is given up.
    fn give_up<E>(&mut self, fault: Fault<E>) -> LinesError<E> {
        self.state = State::Closed;
        let kind = if fault.stage == Stage::Connect { Failure::Connect } else { Failure::Broken };
        LinesError { stage: fault.stage, source: fault.source, kind, lines_done: 0 }
    }
}

impl<S, L> Lines<S, L> {
    /// The stream.
    pub const fn stream(&self) -> &S {
        &self.stream
    }

    /// The stream, to change its settings. What is written to it here gets between the lines.
    pub const fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Goes on with another stream, which stands and of which nothing is used yet; the one before comes back.
    pub const fn replace(&mut self, stream: S) -> S {
        self.state = State::LineStart;
        core::mem::replace(&mut self.stream, stream)
    }

    /// The stream.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// What is to be written on a wire; until it has been, the wire counts as in the middle of a line.
    fn begin<'a>(&mut self, batch: Batch<'a>) -> Progress<'a> {
        let scrap: &[u8] = if self.state == State::MidLine { Lines::<()>::SCRAP } else { b"" };
        self.state = State::MidLine;
        Progress { scrap, bytes: batch.bytes, written: 0 }
    }

    /// What a wire says of a batch.
    fn conclude<E: Error>(
        &mut self,
        progress: &Progress<'_>,
        written: Result<(), Fault<E>>,
    ) -> Result<Accepted, LinesError<E>> {
        let Err(Fault { stage, source }) = written else {
            self.state = State::LineStart;
            return Ok(Accepted::Written);
        };
        if stage == Stage::Write && progress.is_at_line_start() {
            self.state = State::LineStart;
        }
        let kind = wire_failure(source.as_ref().map_or(ErrorKind::WriteZero, Error::kind), progress.is_untouched());
        let sure = stage == Stage::Write && kind != Failure::Broken;
        let lines_done = if sure { progress.lines() } else { 0 };
        Err(LinesError { stage, source, kind, lines_done })
    }
}

impl<S: Write> Transport for Lines<S> {
    type Error = LinesError<S::Error>;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Self::Error> {
        let mut progress = self.begin(batch);
        let written = write(&mut self.stream, &mut progress);
        self.conclude(&progress, written)
    }

    fn finish(&mut self, _: Duration) -> Result<(), Self::Error> {
        flush(&mut self.stream).map_err(of_flush)
    }
}

impl<S: Write, L: Link<S>> Transport for Lines<S, Linked<L>> {
    type Error = LinesError<S::Error>;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Self::Error> {
        if self.is_standing()? {
            self.link.0.look(&mut self.stream).map_err(|gone| self.give_up(Fault::new(Stage::Look, gone)))?;
        } else {
            let connected = self.link.0.connect(&mut self.stream);
            connected.map_err(|failure| self.give_up(Fault::new(Stage::Connect, failure)))?;
        }
        self.state = State::LineStart;
        let mut progress = self.begin(batch);
        write(&mut self.stream, &mut progress).map_err(|fault| self.give_up(fault))?;
        self.state = State::LineStart;
        Ok(Accepted::Written)
    }

    /// Asks the link.
    fn probe(&mut self) -> Result<(), Self::Error> {
        if self.is_standing()? {
            self.link.0.look(&mut self.stream).map_err(|gone| self.give_up(Fault::new(Stage::Look, gone)))?;
        }
        Ok(())
    }

    fn finish(&mut self, timeout: Duration) -> Result<(), Self::Error> {
        Transport::probe(self)?;
        if self.state == State::Closed {
            return Ok(());
        }
        // Every batch that was accepted is flushed.
        self.state = State::Closed;
        self.link.0.close(&mut self.stream, timeout).map_err(|failure| self.give_up(Fault::new(Stage::Close, failure)))
    }
}

fn write<S: Write + ?Sized>(stream: &mut S, progress: &mut Progress<'_>) -> Result<(), Fault<S::Error>> {
    while let Some(rest) = progress.rest() {
        match stream.write(rest) {
            Ok(0) => return Err(Fault { stage: Stage::Write, source: None }),
            Ok(taken) => progress.advance(taken),
            Err(failure) => go_on(Stage::Write, failure)?,
        }
    }
    flush(stream)
}

fn flush<S: Write + ?Sized>(stream: &mut S) -> Result<(), Fault<S::Error>> {
    while let Err(failure) = stream.flush() {
        go_on(Stage::Flush, failure)?;
    }
    Ok(())
}

#[cfg(feature = "embedded-io-async-v0_7")]
impl<S: embedded_io_async::Write> AsyncTransport for Lines<S> {
    type Error = LinesError<S::Error>;

    async fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Self::Error> {
        let mut progress = self.begin(batch);
        let written = write_async(&mut self.stream, &mut progress).await;
        self.conclude(&progress, written)
    }

    async fn finish(&mut self) -> Result<(), Self::Error> {
        flush_async(&mut self.stream).await.map_err(of_flush)
    }
}

#[cfg(feature = "embedded-io-async-v0_7")]
impl<S: embedded_io_async::Write, L: AsyncLink<S>> AsyncTransport for Lines<S, Linked<L>> {
    type Error = LinesError<S::Error>;

    async fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Self::Error> {
        if self.is_standing()? {
            let seen = self.link.0.look(&mut self.stream).await;
            seen.map_err(|gone| self.give_up(Fault::new(Stage::Look, gone)))?;
        } else {
            let connected = self.link.0.connect(&mut self.stream).await;
            connected.map_err(|failure| self.give_up(Fault::new(Stage::Connect, failure)))?;
        }
        self.state = State::LineStart;
        let mut progress = self.begin(batch);
        write_async(&mut self.stream, &mut progress).await.map_err(|fault| self.give_up(fault))?;
        self.state = State::LineStart;
        Ok(Accepted::Written)
    }

    async fn finish(&mut self) -> Result<(), Self::Error> {
        if !self.is_standing()? {
            return Ok(());
        }
        // Whoever drops this future has a connection of which nobody knows whether it ends in order.
        self.state = State::MidLine;
        let seen = self.link.0.look(&mut self.stream).await;
        seen.map_err(|gone| self.give_up(Fault::new(Stage::Look, gone)))?;
        let closed = self.link.0.close(&mut self.stream).await;
        self.state = State::Closed;
        closed.map_err(|failure| self.give_up(Fault::new(Stage::Close, failure)))
    }
}

#[cfg(feature = "embedded-io-async-v0_7")]
async fn write_async<S: embedded_io_async::Write + ?Sized>(
    stream: &mut S,
    progress: &mut Progress<'_>,
) -> Result<(), Fault<S::Error>> {
    while let Some(rest) = progress.rest() {
        match stream.write(rest).await {
            Ok(0) => return Err(Fault { stage: Stage::Write, source: None }),
            Ok(taken) => progress.advance(taken),
            Err(failure) => go_on(Stage::Write, failure)?,
        }
    }
    flush_async(stream).await
}

#[cfg(feature = "embedded-io-async-v0_7")]
async fn flush_async<S: embedded_io_async::Write + ?Sized>(stream: &mut S) -> Result<(), Fault<S::Error>> {
    while let Err(failure) = stream.flush().await {
        go_on(Stage::Flush, failure)?;
    }
    Ok(())
}

/// How far a batch has been written.
struct Progress<'a> {
    /// What ends half a line before it.
    scrap: &'static [u8],
    bytes: &'a [u8],
    /// How many of `bytes` the stream has taken.
    written: usize,
}

impl Progress<'_> {
    /// What is to be written next.
    fn rest(&self) -> Option<&[u8]> {
        if !self.scrap.is_empty() {
            return Some(self.scrap);
        }
        self.bytes.get(self.written..).filter(|rest| !rest.is_empty())
    }

    /// The stream took the first `taken` bytes of the rest.
    fn advance(&mut self, taken: usize) {
        if self.scrap.is_empty() {
            // A stream that says more than it was given is not believed.
            self.written = self.written.saturating_add(taken).min(self.bytes.len());
        } else {
            self.scrap = self.scrap.get(taken..).unwrap_or_default();
        }
    }

    fn is_untouched(&self) -> bool {
        self.written == 0
    }

    fn is_at_line_start(&self) -> bool {
        self.scrap.is_empty() && self.bytes.get(..self.written).and_then(<[u8]>::last).is_none_or(|&last| last == b'\n')
    }

    /// How many whole lines the stream took.
    fn lines(&self) -> u32 {
        let taken = self.bytes.get(..self.written).unwrap_or_default();
        taken.iter().fold(0, |lines: u32, &byte| lines.saturating_add(u32::from(byte == b'\n')))
    }
}

/// What an error of a wire means; `untouched`: not one byte of the batch went out.
const fn wire_failure(kind: ErrorKind, untouched: bool) -> Failure {
    match kind {
        ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::ConnectionRefused
        | ErrorKind::NotConnected
        | ErrorKind::AddrInUse
        | ErrorKind::AddrNotAvailable
            if untouched =>
        {
            Failure::Connect
        }
        gone if is_gone(gone) => Failure::Broken,
        _ => Failure::Timeout,
    }
}

/// Nothing, where the call is to be made again.
fn go_on<E: Error>(stage: Stage, failure: E) -> Result<(), Fault<E>> {
    if failure.kind() == ErrorKind::Interrupted { Ok(()) } else { Err(Fault::new(stage, failure)) }
}

fn of_flush<E: Error>(fault: Fault<E>) -> LinesError<E> {
    let kind = wire_failure(fault.source.as_ref().map_or(ErrorKind::WriteZero, Error::kind), false);
    LinesError { stage: fault.stage, source: fault.source, kind, lines_done: 0 }
}

/// What went wrong, not yet what it means.
struct Fault<E> {
    stage: Stage,
    source: Option<E>,
}

impl<E> Fault<E> {
    const fn new(stage: Stage, source: E) -> Self {
        Self { stage, source: Some(source) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Stage {
    Connect,
    Look,
    Write,
    Flush,
    Close,
    Abandoned,
}

/// What kept lines from being written to a stream; `E` is the stream's own error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LinesError<E> {
    stage: Stage,
    source: Option<E>,
    kind: Failure,
    lines_done: u32,
}

impl<E> LinesError<E> {
    /// The stream's own error; none where it broke its contract and took nothing without saying why, or where an
    /// earlier call was dropped before it was done.
    pub const fn stream_error(&self) -> Option<&E> {
        self.source.as_ref()
    }
}

impl<E: fmt::Display> fmt::Display for LinesError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.stage {
            Stage::Connect => "the stream could not be connected",
            Stage::Look => "the connection has gone",
            Stage::Write => "the stream does not take the lines",
            Stage::Flush => "the stream does not flush the lines",
            Stage::Close => "the connection was not closed in order",
            Stage::Abandoned => "an earlier call was dropped before it was done, and its connection with it",
        })?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl<E: Error> core::error::Error for LinesError<E> {}

impl<E: Error> TransportError for LinesError<E> {
    fn kind(&self) -> Failure {
        self.kind
    }

    fn lines_done(&self) -> u32 {
        self.lines_done
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use heapless::Vec;

    use super::*;
    use crate::{Kind, Limits, parse};

    const BATCH: Batch<'static> = Batch::new(Kind::Metric, b"a 1 source=s\nbb 2 source=s\nc 3 source=s\n", 3);

    /// A stream that follows a script: how many bytes it takes, or what it says; when the script ends, it takes all.
    #[derive(Debug, Default)]
    struct Script<'a> {
        steps: &'a [Result<usize, ErrorKind>],
        flushes: &'a [Result<(), ErrorKind>],
        got: Vec<u8, 256>,
        flushed: usize,
    }

    impl<'a> Script<'a> {
        fn of(steps: &'a [Result<usize, ErrorKind>]) -> Self {
            Self { steps, ..Self::default() }
        }

        fn text(&self) -> &str {
            core::str::from_utf8(&self.got).unwrap()
        }
    }

    impl embedded_io::ErrorType for Script<'_> {
        type Error = ErrorKind;
    }

    impl Write for Script<'_> {
        fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
            let step = self.steps.split_off_first().copied().unwrap_or(Ok(usize::MAX));
            let taken = step?.min(bytes.len());
            self.got.extend_from_slice(&bytes[..taken]).unwrap();
            Ok(taken)
        }

        fn flush(&mut self) -> Result<(), ErrorKind> {
            self.flushes.split_off_first().copied().unwrap_or(Ok(()))?;
            self.flushed = self.got.len();
            Ok(())
        }
    }

    #[cfg(feature = "embedded-io-async-v0_7")]
    impl embedded_io_async::Write for Script<'_> {
        async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
            Write::write(self, bytes)
        }

        async fn flush(&mut self) -> Result<(), ErrorKind> {
            Write::flush(self)
        }
    }

    /// What a wire says that follows `steps`, and what came through.
    fn one(steps: &[Result<usize, ErrorKind>]) -> (Option<(Failure, u32)>, Vec<u8, 256>) {
        let mut lines = Lines::new(Script::of(steps));
        let said = Transport::send(&mut lines, BATCH).err().map(|error| (error.kind(), error.lines_done()));
        (said, lines.into_inner().got)
    }

    #[test]
    fn a_batch_is_written_whole_and_flushed() {
        let mut lines =
            Lines::new(Script::of(&[Ok(1), Err(ErrorKind::Interrupted), Ok(14), Err(ErrorKind::Interrupted), Ok(7)]));
        lines.stream_mut().flushes = &[Err(ErrorKind::Interrupted)];
        assert_eq!(Transport::send(&mut lines, BATCH), Ok(Accepted::Written));
        assert_eq!(lines.stream().got, BATCH.bytes);
        assert_eq!(lines.stream().flushed, BATCH.bytes.len());
    }

    #[test]
    fn what_a_wire_took_whole_is_done() {
        let late = Err(ErrorKind::TimedOut);
        for (taken, done) in [(0, 0), (1, 0), (12, 0), (13, 1), (14, 1), (27, 2), (39, 2)] {
            let (said, got) = one(&[Ok(taken), late][usize::from(taken == 0)..]);
            assert_eq!((said, &got[..]), (Some((Failure::Timeout, done)), &BATCH.bytes[..taken]), "{taken}");
        }
    }

    #[test]
    fn each_kind_of_error_has_its_meaning_on_a_wire() {
        use ErrorKind::*;
        for nobody in [NotFound, PermissionDenied, ConnectionRefused, NotConnected, AddrInUse, AddrNotAvailable] {
            assert_eq!(one(&[Err(nobody)]).0, Some((Failure::Connect, 0)), "{nobody:?}");
            assert_ne!(one(&[Ok(1), Err(nobody)]).0, Some((Failure::Connect, 0)), "{nobody:?}: something was sent");
        }
        for gone in [ConnectionReset, ConnectionAborted, BrokenPipe] {
            assert_eq!(one(&[Ok(13), Err(gone)]).0, Some((Failure::Broken, 0)), "{gone:?}");
        }
        for other in [Other, TimedOut, WriteZero, OutOfMemory, InvalidInput, InvalidData, Unsupported] {
            assert_eq!(one(&[Ok(13), Err(other)]).0, Some((Failure::Timeout, 1)), "{other:?}");
        }
        assert_eq!(one(&[Ok(13), Ok(0)]).0, Some((Failure::Timeout, 1)), "it took nothing and did not say why");
    }

    #[test]
    fn a_flush_that_fails_vouches_for_no_line() {
        let mut lines = Lines::new(Script { flushes: &[Err(ErrorKind::TimedOut)], ..Script::default() });
        let error = Transport::send(&mut lines, BATCH).unwrap_err();
        assert_eq!((error.kind(), error.lines_done()), (Failure::Timeout, 0));
        lines.stream_mut().flushes = &[Err(ErrorKind::BrokenPipe)];
        assert_eq!(Transport::finish(&mut lines, Duration::ZERO).unwrap_err().kind(), Failure::Broken);
        assert_eq!(Transport::finish(&mut lines, Duration::ZERO), Ok(()));
    }

    #[test]
    fn half_a_line_on_a_wire_is_ended_before_the_next_one() {
        let mut lines =
            Lines::new(Script::of(&[Ok(15), Err(ErrorKind::Other), Ok(1), Err(ErrorKind::Other), Ok(2), Ok(1)]));
        assert_eq!(Transport::send(&mut lines, BATCH).unwrap_err().lines_done(), 1);
        let rest = Batch::new(Kind::Metric, &BATCH.bytes[13..], 2);
        assert_eq!(Transport::send(&mut lines, rest).unwrap_err().lines_done(), 0, "the scrap's own end fails");
        assert_eq!(Transport::send(&mut lines, rest), Ok(Accepted::Written));
        assert_eq!(lines.stream().text(), "a 1 source=s\nbb\"\"-=\nbb 2 source=s\nc 3 source=s\n");
        lines.replace(Script::default());
        assert_eq!(Transport::send(&mut lines, rest), Ok(Accepted::Written));
        assert_eq!(lines.stream().got, rest.bytes, "another stream has no half line");
    }

    /// Wherever a line is cut, and however often the end of the scrap itself is.
    #[test]
    fn no_part_of_a_line_is_valid_with_a_scrap_behind_it() {
        const ID: &str = "7b3bf470-9456-11e8-9eb6-529269fb1459";
        for line in [
            "\"cpu.load\" 0.5 1493773500 source=\"pump 3\" \"dc\"=\"a\\\"b=c\" \"k\"=\"v\"",
            "cpu.load 0.5 1493773500 source=pump-3 dc=a k=\"v\" l='w'",
            "\"\u{2206}starts\" 1.0 source=\"pump\" \"k\"=\"v\"",
            "!M 1493773500 #20 30.0 #10 5.1 \"latency\" source=\"pump\" \"k\"=\"v\"",
            &joined::<300>(&[
                "\"call\" source=\"pump\" traceId=",
                ID,
                " spanId=",
                ID,
                " \"k\"=\"v\" 1552949776000 343",
            ]),
            &joined::<300>(&[
                "{\"traceId\":\"",
                ID,
                "\",\"spanId\":\"",
                ID,
                "\",\"logs\":[{\"timestamp\":1552949776000123,\"fields\":{\"k\":\"v\"}}]}",
            ]),
            "@Event 1590650592000 1590650692000 \"restart\" severity=\"info\" host=\"pump\" tag=\"a\"",
            "@SourceTag action=add source=\"pump\" \"cellar\" \"old\"",
            "@SourceDescription action=save source=\"pump\" \"the old pump\"",
        ] {
            parse::line(line, &Limits::DEFAULT).unwrap();
            for cut in (1..=line.len()).filter(|&cut| line.is_char_boundary(cut)) {
                for before in ["", "\"", "\"-", "\"-=", "\"\"", "\"-\"-"] {
                    let scrap = core::str::from_utf8(Lines::<()>::SCRAP).unwrap().trim_end();
                    let text: heapless::String<400> = joined(&[&line[..cut], before, scrap]);
                    assert!(parse::line(&text, &Limits::DEFAULT).is_err(), "the receiver would take {text}");
                }
            }
        }
    }

    fn joined<const N: usize>(parts: &[&str]) -> heapless::String<N> {
        parts.iter().flat_map(|part| part.chars()).collect()
    }
}
