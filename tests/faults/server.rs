//! An HTTP/1.1 server that answers, or does not, as a test says. What it takes it notes before it answers.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// A request as it came over the wire, its body decompressed.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Counted from 0, in the order of their heads.
    pub(crate) number: usize,
    /// `POST /report?f=wavefront`
    pub(crate) call: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// When it was there as a whole.
    pub(crate) at: Instant,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.body.lines().map(|line| super::account::name_of(line).to_owned()).collect()
    }
}

/// What a server does with a request.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// Whether it keeps the lines.
    pub(crate) takes: bool,
    end: End,
}

#[derive(Debug, Clone)]
enum End {
    /// Answers, and waits for the next request.
    Stay(Vec<u8>),
    /// Answers, and closes the connection.
    Close(Vec<u8>),
    /// Answers nothing and keeps the connection until the client goes.
    Hang,
}

impl Reply {
    /// An answer in good form. The lines are taken where it says so.
    pub(crate) fn status(status: u16) -> Self {
        Self::with(status, "", "")
    }

    pub(crate) fn with(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        let text = format!("HTTP/1.1 {status} Some reason\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        Self { takes: (200..300).contains(&status), end: End::Stay(text.into_bytes()) }
    }

    /// These bytes, then the end of the connection.
    pub(crate) fn raw(bytes: &[u8]) -> Self {
        Self { takes: false, end: End::Close(bytes.to_vec()) }
    }

    pub(crate) fn hang() -> Self {
        Self { takes: false, end: End::Hang }
    }

    /// The same, and the connection is closed behind it without a word.
    pub(crate) fn and_close(self) -> Self {
        match self.end {
            End::Stay(bytes) => Self { end: End::Close(bytes), ..self },
            end => Self { end, ..self },
        }
    }

    /// The same, but the lines are kept, or not, whatever the answer says.
    pub(crate) fn taking(self, takes: bool) -> Self {
        Self { takes, ..self }
    }
}

/// How a server answers.
pub(crate) trait Script: Send + Sync + 'static {
    fn reply(&self, request: &Request) -> Reply;

    /// After how many bytes of the body the connection is closed, if so.
    fn cut(&self, number: usize) -> Option<usize> {
        let _ = number;
        None
    }
}

impl<F: Fn(&Request) -> Reply + Send + Sync + 'static> Script for F {
    fn reply(&self, request: &Request) -> Reply {
        self(request)
    }
}

/// The first replies in their order, then 202.
pub(crate) fn in_turn<const N: usize>(replies: [Reply; N]) -> impl Script {
    move |request: &Request| replies.get(request.number).cloned().unwrap_or_else(|| Reply::status(202))
}

/// Each of `Server`'s connections is served by a thread.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
    accepting: Option<JoinHandle<()>>,
}

struct Inner {
    script: Box<dyn Script>,
    stopped: AtomicBool,
    begun: AtomicUsize,
    /// Requests under way, and the most there ever were.
    load: Mutex<(usize, usize)>,
    requests: Mutex<Vec<Request>>,
    taken: Mutex<Vec<String>>,
    open: Mutex<Vec<TcpStream>>,
}

impl Server {
    pub(crate) fn new(script: impl Script) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    pub(crate) fn on(listener: TcpListener, script: impl Script) -> Self {
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            script: Box::new(script),
            stopped: AtomicBool::new(false),
            begun: AtomicUsize::new(0),
            load: Mutex::default(),
            requests: Mutex::default(),
            taken: Mutex::default(),
            open: Mutex::default(),
        });
        let accepting = thread::spawn({
            let inner = Arc::clone(&inner);
            move || inner.accept(&listener)
        });
        Self { address, inner, accepting: Some(accepting) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests whose bodies were read to the end.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.inner.requests.lock().unwrap().clone()
    }

    /// How many there were.
    pub(crate) fn count(&self) -> usize {
        self.inner.requests.lock().unwrap().len()
    }

    /// The most requests that were under way at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.inner.load.lock().unwrap().1
    }

    /// The lines it keeps, in their order.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.inner.taken.lock().unwrap().clone()
    }

    /// Closes all connections, as an idle timeout does.
    pub(crate) fn close_connections(&self) {
        for stream in self.inner.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.inner.stopped.store(true, Ordering::SeqCst);
        // Somebody has to knock, or it would not notice.
        if let (Some(accepting), Ok(_)) = (self.accepting.take(), TcpStream::connect(self.address)) {
            let _ = accepting.join();
        }
        self.close_connections();
    }
}

impl Inner {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept() else { return };
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            let Ok(serving) = stream.try_clone() else { return };
            self.open.lock().unwrap().push(stream);
            let inner = Arc::clone(self);
            thread::spawn(move || {
                let _ = inner.serve(&serving);
                let _ = serving.shutdown(Shutdown::Both);
            });
        }
    }

    /// One connection, to its end.
    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut writer = stream;
        while let Some((call, headers)) = read_head(&mut reader)? {
            let number = self.begun.fetch_add(1, Ordering::SeqCst);
            let load = Load::more(&self.load);
            let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
            if let Some(cut) = self.script.cut(number) {
                io::copy(&mut reader.take(cut.min(length) as u64), &mut io::sink())?;
                return Ok(());
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            let compressed = headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip");
            let mut text = String::new();
            match compressed {
                true => flate2::read::GzDecoder::new(&*body).read_to_string(&mut text)?,
                false => (&*body).read_to_string(&mut text)?,
            };
            let request = Request { number, call, headers, body: text, at: Instant::now() };
            let reply = self.script.reply(&request);
            if reply.takes {
                self.taken.lock().unwrap().extend(request.body.lines().map(str::to_owned));
            }
            self.requests.lock().unwrap().push(request);
            drop(load);
            match reply.end {
                End::Stay(bytes) => writer.write_all(&bytes)?,
                End::Close(bytes) => return writer.write_all(&bytes),
                End::Hang => {
                    reader.read_to_end(&mut Vec::new())?;
                }
            }
        }
        Ok(())
    }
}

type Head = (String, BTreeMap<String, String>);

/// The request line and the headers; none at the end of the connection.
fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let call = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { return Ok(Some((call, headers))) };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
}

/// A request that is under way.
struct Load<'a>(&'a Mutex<(usize, usize)>);

impl<'a> Load<'a> {
    fn more(load: &'a Mutex<(usize, usize)>) -> Self {
        let mut counts = load.lock().unwrap();
        counts.0 += 1;
        counts.1 = counts.1.max(counts.0);
        Self(load)
    }
}

impl Drop for Load<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap().0 -= 1;
    }
}
