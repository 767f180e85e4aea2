//! The transports on `embedded-io`, over real sockets.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use embedded_io::{ErrorType, Read, Write};
use wavefront_sdk::transport::conformance::{Rig, check};
use wavefront_sdk::transport::{Lines, Link, Linked, Transport};

use super::LONG;

/// A socket as a microcontroller has one: there before it is connected, and to be connected again.
#[derive(Debug)]
struct Socket(Option<TcpStream>);

impl Socket {
    fn stream(&mut self) -> io::Result<&mut TcpStream> {
        self.0.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl ErrorType for Socket {
    type Error = io::Error;
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        io::Read::read(self.stream()?, into)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(self.stream()?, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct Dial(SocketAddr);

impl Link<Socket> for Dial {
    fn connect(&mut self, socket: &mut Socket) -> io::Result<()> {
        socket.0 = None;
        let stream = TcpStream::connect_timeout(&self.0, LONG)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LONG))?;
        socket.0 = Some(stream);
        Ok(())
    }

    fn look(&mut self, socket: &mut Socket) -> io::Result<()> {
        let stream = socket.stream()?;
        stream.set_nonblocking(true)?;
        let seen = io::Read::read(stream, &mut [0]);
        stream.set_nonblocking(false)?;
        match seen {
            Err(nothing) if nothing.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(failure) => Err(failure),
            Ok(_) => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    fn close(&mut self, socket: &mut Socket, timeout: Duration) -> io::Result<()> {
        let stream = socket.stream()?;
        stream.shutdown(Shutdown::Write)?;
        stream.set_read_timeout(Some(timeout))?;
        match io::Read::read(stream, &mut [0])? {
            0 => Ok(()),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

fn lines(address: SocketAddr) -> Lines<Socket, Linked<Dial>> {
    Lines::connecting(Socket(None), Dial(address))
}

/// Another transport to the receiver of a rig.
struct Other<R, F>(R, F);

impl<R: Rig, T: Transport, F: FnMut(&R) -> T> Rig for Other<R, F> {
    type Transport = T;

    fn transport(&mut self) -> T {
        self.1(&self.0)
    }

    fn received(&mut self) -> Vec<u8> {
        self.0.received()
    }

    fn break_connections(&mut self) -> bool {
        self.0.break_connections()
    }

    fn stop(&mut self) -> bool {
        self.0.stop()
    }

    fn start(&mut self) {
        self.0.start();
    }
}

#[test]
fn lines_over_a_socket_keep_the_contract() {
    let receiver = super::tcp::receiver();
    let report = check(&mut Other(receiver, |receiver: &super::receiver::Receiver| lines(receiver.address))).unwrap();
    assert_eq!((report.kept.len(), report.skipped.len()), (8, 0), "{report:?}");
}

/// A wire neither breaks nor can be taken away.
#[test]
fn lines_over_a_wire_keep_the_contract() {
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Wire(Arc<Mutex<Vec<u8>>>);

    impl ErrorType for Wire {
        type Error = core::convert::Infallible;
    }

    impl Write for Wire {
        fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
            // A UART takes what its buffer has room for.
            let taken = bytes.len().min(64);
            self.0.lock().unwrap().extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> Result<(), Self::Error> {
            Ok(())
        }
    }

    impl Rig for Wire {
        type Transport = Lines<Wire>;

        fn transport(&mut self) -> Lines<Wire> {
            Lines::new(self.clone())
        }

        fn received(&mut self) -> Vec<u8> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    let report = check(&mut Wire::default()).unwrap();
    assert_eq!((report.kept.len(), report.skipped.len()), (5, 3), "{report:?}");
}

#[cfg(feature = "http")]
mod http {
    use wavefront_sdk::Kind;
    use wavefront_sdk::transport::{Accepted, Batch, Failure, Http1, Receiver, TransportError};

    use super::super::http::{Reply, Server, answer};
    use super::super::{LONG, huge, many, metrics};
    use super::*;

    const LINE: &[u8] = b"m 1 source=s\n";

    fn http(server: &Server) -> Http1<'static, Socket, Dial> {
        Http1::new(Receiver::new("proxy:2878").unwrap(), Socket(None), Dial(server.address))
    }

    fn direct(server: &Server) -> Http1<'static, Socket, Dial> {
        let receiver = Receiver::new("direct").unwrap().path("/a/").unwrap().token("5eCr3t").unwrap();
        Http1::new(receiver, Socket(None), Dial(server.address))
    }

    #[test]
    fn http_keeps_the_contract() {
        let report = check(&mut Other(Server::accepting(), http)).unwrap();
        assert_eq!(
            (report.kept.len(), &report.skipped[..]),
            (7, &["finish does not vouch for a broken connection"][..])
        );
    }

    #[test]
    fn one_connection_serves_every_request() {
        let chunked =
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        let server = Server::new(move |request| match request.body.len() % 3 {
            0 => answer(202, "", ""),
            1 => answer(200, "", "{\"ok\":true}"),
            _ => Reply::Raw(chunked.into()),
        });
        let mut http = http(&server);
        for lines in 1..=300 {
            let body = many(lines);
            assert_eq!(http.send(metrics(&body)).unwrap(), Accepted::Delivered);
            let [request] = &server.requests()[..] else { panic!("one request") };
            assert_eq!(request.call, "POST /report?f=wavefront");
            assert_eq!(request.header("host"), Some("proxy:2878"));
            assert!(request.header("user-agent").unwrap().starts_with("wavefront-sdk-rust/"));
            assert!(request.body == body);
        }
        assert_eq!(server.connections(), 1);
    }

    #[test]
    fn a_connection_that_the_answer_ends_is_made_anew() {
        let server = Server::new(|request| {
            let close = if request.body.starts_with(b"m") { "Connection: close\r\n" } else { "" };
            answer(202, close, "")
        });
        let mut http = http(&server);
        for (body, connections) in [(LINE, 1), (b"n 1\n", 2), (b"n 2\n", 2), (LINE, 2), (LINE, 3), (b"n 3\n", 4)] {
            assert_eq!(http.send(metrics(body)).unwrap(), Accepted::Delivered);
            assert_eq!(server.connections(), connections);
        }
    }

    #[test]
    fn every_status_is_told_and_costs_no_connection() {
        let server = Server::new(|request| {
            let status = std::str::from_utf8(&request.body).unwrap().trim_end().parse().unwrap();
            answer(status, "Retry-After: 7\r\n", "what is wrong")
        });
        let mut http = http(&server);
        for code in [301, 400, 401, 403, 404, 406, 408, 413, 429, 500, 503] {
            let error = http.send(metrics(format!("{code}\n").as_bytes())).unwrap_err();
            assert_eq!(error.kind(), Failure::Status { code, retry_after: Some(Duration::from_secs(7)) });
            assert_eq!(error.status(), Some(code));
        }
        assert_eq!(server.connections(), 1);
    }

    #[test]
    fn events_of_direct_ingestion_go_one_by_one_and_source_tags_do_not() {
        let server =
            Server::new(|request| if request.body == b"{3}" { answer(503, "", "") } else { answer(200, "", "{}") });
        let mut http = direct(&server);
        let error = http.send(Batch::new(Kind::Event, b"{1}\n{2}\n{3}\n{4}\n", 4)).unwrap_err();
        assert_eq!((error.kind(), error.lines_done()), (Failure::Status { code: 503, retry_after: None }, 2));
        let requests = server.requests();
        assert_eq!(requests.len(), 3);
        for request in requests {
            assert_eq!(request.call, "POST /a/api/v2/event");
            assert_eq!(request.header("content-type"), Some("application/json"));
            assert_eq!(request.header("authorization"), Some("Bearer 5eCr3t"));
        }
        let tags = Batch::new(Kind::SourceTag, b"@SourceTag action=add source=s t\n", 1);
        assert_eq!(http.send(tags).unwrap_err().kind(), Failure::Unsupported);
        assert!(!format!("{http:?} {error} {error:?}").contains("5eCr3t"));
    }

    #[test]
    fn what_is_no_answer_is_broken_and_the_next_request_has_a_new_connection() {
        for bytes in
            [&b""[..], b"HTTP/1.1 20", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 202 x\r\nContent-Length: x\r\n\r\n"]
        {
            let server = Server::new(move |request| {
                if request.body == LINE { Reply::Raw([bytes, b"\n"].concat()) } else { answer(202, "", "") }
            });
            let stops = Server::new(move |_| Reply::Last(bytes.to_vec()));
            assert_eq!(http(&stops).send(metrics(LINE)).unwrap_err().kind(), Failure::Broken, "{bytes:?}");
            let mut http = http(&server);
            assert_eq!(http.send(metrics(LINE)).unwrap_err().kind(), Failure::Broken, "{bytes:?}");
            assert_eq!(http.send(metrics(b"other\n")).unwrap(), Accepted::Delivered);
            assert_eq!(server.connections(), 2);
        }
    }

    #[test]
    fn many_megabytes_arrive_whole() {
        let server = Server::accepting();
        let body = huge();
        let mut http = http(&server);
        assert_eq!(http.send(metrics(&body)).unwrap(), Accepted::Delivered);
        assert!(server.requests()[0].body == body);
        http.finish(LONG).unwrap();
    }
}

#[cfg(feature = "collector")]
mod collector {
    use embedded_io_adapters::tokio_1::FromTokio;
    use wavefront_sdk::Kind;
    use wavefront_sdk::collector::{Collector, Port, Summary, Via};
    use wavefront_sdk::transport::{Accepted, AsyncTransport, Batch, Failure, Http1, Receiver, TransportError};

    use super::super::many;
    use super::*;

    const TOKEN: &str = "5eCr3t";

    const BATCHES: [(Kind, &[u8]); 7] = [
        (Kind::Metric, b"\"cpu.load\" 0.5 1493773500 source=\"pump\"\n\"cpu.load\" 0.6 source=\"pump\"\n"),
        (Kind::Delta, "\"\u{2206}starts\" 1.0 source=\"pump\"\n".as_bytes()),
        (Kind::Histogram, b"!M 1493773500 #20 30.0 \"latency\" source=\"pump\"\n"),
        (
            Kind::Span,
            b"\"call\" source=\"pump\" traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 \
              spanId=0313bafe-9457-11e8-9eb6-529269fb1459 1552949776000 343\n",
        ),
        (
            Kind::SpanLogs,
            b"{\"traceId\":\"7b3bf470-9456-11e8-9eb6-529269fb1459\",\"spanId\":\"0313bafe-9457-11e8-9eb6-529269fb1459\",\
              \"logs\":[{\"timestamp\":1552949776000123,\"fields\":{\"event\":\"error\"}}]}\n",
        ),
        (Kind::Event, b"@Event 1590650592000 1590650692000 \"restart\" severity=\"info\" host=\"pump\"\n"),
        (Kind::SourceTag, b"@SourceTag action=add source=\"pump\" \"cellar\"\n"),
    ];

    fn batches() -> impl Iterator<Item = Batch<'static>> {
        BATCHES.into_iter().map(|(kind, bytes)| {
            Batch::new(kind, bytes, u32::try_from(bytes.split_inclusive(|&byte| byte == b'\n').count()).unwrap())
        })
    }

    fn collector() -> (Collector, SocketAddr) {
        let collector = Collector::builder().listen("127.0.0.1:0").start().unwrap();
        let address = collector.addr(Port::Metrics).unwrap();
        (collector, address)
    }

    fn all_arrived(summary: &Summary, times: u64) {
        for batch in batches() {
            assert_eq!(summary.counts_via(Via::Http, batch.kind).accepted, times * u64::from(batch.lines), "{batch:?}");
        }
        assert_eq!(summary.rejected(), 0);
    }

    #[test]
    fn every_kind_over_http() {
        let (collector, address) = collector();
        let mut http = Http1::new(Receiver::new("collector").unwrap(), Socket(None), Dial(address));
        for _ in 0..20 {
            for batch in batches() {
                assert_eq!(Transport::send(&mut http, batch).unwrap(), Accepted::Delivered);
            }
        }
        let large = many(1000);
        assert_eq!(
            Transport::send(&mut http, Batch::new(Kind::Metric, &large[..], 1000)).unwrap(),
            Accepted::Delivered
        );
        assert_eq!(collector.snapshot().counts(Kind::Metric).accepted, 1040);
        drop(http);
        let summary = collector.stop();
        assert_eq!(summary.requests(), 141);
        assert_eq!(summary.counts(Kind::SourceTag).accepted, 20);
    }

    #[test]
    fn every_kind_over_async_http() {
        type Stream = FromTokio<tokio::net::TcpStream>;
        let (collector, address) = collector();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let first = FromTokio::new(tokio::net::TcpStream::connect(address).await.unwrap());
            let mut dialled = 0;
            let mut http = Http1::new(Receiver::new("collector").unwrap(), first, async |stream: &mut Stream| {
                dialled += 1;
                *stream.inner_mut() = tokio::net::TcpStream::connect(address).await?;
                Ok::<(), io::Error>(())
            });
            for _ in 0..20 {
                for batch in batches() {
                    assert_eq!(AsyncTransport::send(&mut http, batch).await.unwrap(), Accepted::Delivered);
                }
            }
            drop(http);
            assert_eq!(dialled, 1);
        });
        all_arrived(&collector.stop(), 20);
    }

    #[test]
    fn lines_over_async_sockets() {
        type Stream = FromTokio<tokio::net::TcpStream>;
        let (collector, address) = collector();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let sent = many(1000);
        runtime.block_on(async {
            let first = FromTokio::new(tokio::net::TcpStream::connect(address).await.unwrap());
            let mut lines = Lines::connecting(first, async |stream: &mut Stream| {
                *stream.inner_mut() = tokio::net::TcpStream::connect(address).await?;
                Ok::<(), io::Error>(())
            });
            for batch in sent.split_inclusive(|&byte| byte == b'\n') {
                let batch = Batch::new(Kind::Metric, batch, 1);
                assert_eq!(AsyncTransport::send(&mut lines, batch).await.unwrap(), Accepted::Written);
            }
            AsyncTransport::finish(&mut lines).await.unwrap();
        });
        collector.wait_until(|summary| summary.counts(Kind::Metric).accepted == 1000, LONG).unwrap();
        assert_eq!(collector.stop().rejected(), 0);
    }

    #[test]
    fn the_token_has_to_be_the_right_one() {
        let collector = Collector::builder().listen("127.0.0.1:0").require_token(TOKEN).start().unwrap();
        let receiver = Receiver::new("collector").unwrap();
        let mut http = Http1::new(receiver, Socket(None), Dial(collector.addr(Port::Metrics).unwrap()));
        let batch = batches().next().unwrap();
        let refused = Failure::Status { code: 401, retry_after: None };
        assert_eq!(Transport::send(&mut http, batch).unwrap_err().kind(), refused);
        http.set_receiver(receiver.token("another").unwrap());
        assert_eq!(Transport::send(&mut http, batch).unwrap_err().kind(), refused);
        http.set_receiver(receiver.token(TOKEN).unwrap());
        assert_eq!(Transport::send(&mut http, batch).unwrap(), Accepted::Delivered);
    }
}
