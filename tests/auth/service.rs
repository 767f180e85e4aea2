//! A service over HTTP/1.1 that does what it is told: one that issues tokens, or one that takes lines with them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// `POST /path?query`
    pub(crate) call: String,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

type Answer = dyn Fn(&Request) -> (u16, String) + Send + Sync;

/// Listens until the process ends, a thread a connection.
pub(crate) fn serve(answer: impl Fn(&Request) -> (u16, String) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer: Arc<Answer> = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            thread::spawn(move || converse(&stream, &*answer));
        }
    });
    address
}

fn converse(stream: &TcpStream, answer: &Answer) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let call = lines.first()?.trim_end_matches(" HTTP/1.1").to_owned();
        let headers = lines.iter().skip(1).filter_map(|line| line.split_once(": "));
        let headers: Vec<_> = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let mut request = Request { call, headers, body: String::new() };
        let mut body = vec![0; request.header("content-length").parse().unwrap_or(0)];
        reader.read_exact(&mut body).ok()?;
        request.body = String::from_utf8(body).unwrap();
        let (status, text) = answer(&request);
        let length = text.len();
        write!(&*stream, "HTTP/1.1 {status} Some reason\r\nContent-Length: {length}\r\n\r\n{text}").ok()?;
    }
}

/// Issues tokens `issued-1`, `issued-2` …, each for the time it is told, and says when it was asked by several at once.
#[derive(Clone)]
pub(crate) struct Csp {
    pub(crate) address: SocketAddr,
    pub(crate) state: Arc<CspState>,
}

pub(crate) struct CspState {
    /// What to answer with from now on: a status, and the time that a token is good for.
    pub(crate) answer: Mutex<(u16, u64)>,
    /// Whether it fails at the first request, and every other one.
    pub(crate) falters: AtomicBool,
    /// How long an answer takes.
    pub(crate) takes: Mutex<Duration>,
    pub(crate) requests: Mutex<Vec<Request>>,
    /// Tokens and when they expire.
    pub(crate) issued: Mutex<Vec<(String, Instant)>>,
    asking: AtomicUsize,
    /// The most requests that were there at a time.
    pub(crate) most: AtomicUsize,
}

impl Csp {
    pub(crate) fn new(status: u16, expires_in: u64) -> Self {
        let state = Arc::new(CspState {
            answer: Mutex::new((status, expires_in)),
            falters: AtomicBool::new(false),
            takes: Mutex::new(Duration::ZERO),
            requests: Mutex::default(),
            issued: Mutex::default(),
            asking: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        let own = state.clone();
        let address = serve(move |request| own.answer(request));
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it answers with from now on.
    pub(crate) fn set(&self, status: u16, expires_in: u64) {
        *self.state.answer.lock().unwrap() = (status, expires_in);
    }

    pub(crate) fn asked(&self) -> usize {
        self.state.requests.lock().unwrap().len()
    }

    pub(crate) fn issued(&self) -> usize {
        self.state.issued.lock().unwrap().len()
    }
}

impl CspState {
    fn answer(&self, request: &Request) -> (u16, String) {
        let asking = self.asking.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(asking, Ordering::SeqCst);
        let takes = *self.takes.lock().unwrap();
        thread::sleep(takes);
        let mut requests = self.requests.lock().unwrap();
        requests.push(request.clone());
        let fails = self.falters.load(Ordering::SeqCst) && requests.len() % 2 == 1;
        let (status, expires_in) = *self.answer.lock().unwrap();
        let status = if fails { 503 } else { status };
        drop(requests);
        let mut issued = self.issued.lock().unwrap();
        let text = if status == 200 {
            let token = format!("issued-{}", issued.len() + 1);
            let text = format!(r#"{{"token_type":"bearer","expires_in":{expires_in},"access_token":"{token}"}}"#);
            issued.push((token, Instant::now() + Duration::from_secs(expires_in)));
            text
        } else {
            // What a careless service might say.
            format!("no token for {} {}", request.body, request.header("authorization"))
        };
        drop(issued);
        self.asking.fetch_sub(1, Ordering::SeqCst);
        (status, text)
    }

    /// Whether it has issued this token, and it has not expired.
    pub(crate) fn is_good(&self, token: &str) -> bool {
        let issued = self.issued.lock().unwrap();
        issued.iter().any(|(known, expires)| known == token && Instant::now() < *expires)
    }
}

/// Takes lines with the tokens that it finds good, and says what it has.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    pub(crate) state: Arc<Taken>,
}

#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) lines: Mutex<Vec<String>>,
    /// The token of each request, and whether it was good.
    pub(crate) tokens: Mutex<Vec<(String, bool)>>,
}

impl Receiver {
    pub(crate) fn new(is_good: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        let state = Arc::new(Taken::default());
        let own = state.clone();
        let address = serve(move |request| {
            let token = request.header("authorization").trim_start_matches("Bearer ").to_owned();
            let good = is_good(&token);
            own.tokens.lock().unwrap().push((token.clone(), good));
            if !good {
                return (401, format!("bad token {token}"));
            }
            own.lines.lock().unwrap().extend(request.body.lines().map(str::to_owned));
            (202, String::new())
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The tokens that were used, each run of the same once.
    pub(crate) fn tokens(&self) -> Vec<(String, bool)> {
        let mut tokens = self.state.tokens.lock().unwrap().clone();
        tokens.dedup();
        tokens
    }
}
