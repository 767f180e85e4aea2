//! The head of a request, and what it is made from.

use core::fmt;

use super::super::report;
use crate::Format;

/// Who gets the requests: a proxy, or, with a token, direct ingestion. All of it is borrowed and checked once.
///
/// ```
/// use wavefront_sdk::transport::{InvalidReceiver, Receiver};
/// let proxy = Receiver::new("proxy.example.com:2878")?;
/// let direct = Receiver::new("example.wavefront.com")?.path("/gateway")?.token("01234567-89ab-cdef")?;
/// assert!(direct.is_direct() && !proxy.is_direct());
/// assert_eq!(Receiver::new("example.com\r\nX: y"), Err(InvalidReceiver::Host));
/// # Ok::<(), InvalidReceiver>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Receiver<'a> {
    host: &'a str,
    path: &'a str,
    token: Option<&'a str>,
}

impl<'a> Receiver<'a> {
    /// The receiver that calls itself `host`, with its port where that is not the scheme's own: what the header `Host`
    /// says (RFC 9110, 7.2). It connects to nothing; that is the stream's part.
    ///
    /// # Errors
    /// [`InvalidReceiver::Host`] where that cannot be a host.
    pub const fn new(host: &'a str) -> Result<Self, InvalidReceiver> {
        if !all_in(host, HOST) || host.is_empty() {
            return Err(InvalidReceiver::Host);
        }
        Ok(Self { host, path: "", token: None })
    }

    /// The path of the base, in front of `/report`; one `/` at its end makes no difference.
    ///
    /// # Errors
    /// [`InvalidReceiver::Path`] where it does not begin with `/`, or has other characters than a path of a URL.
    pub const fn path(self, path: &'a str) -> Result<Self, InvalidReceiver> {
        let path = match path.as_bytes() {
            [] | [b'/'] => "",
            [b'/', ..] => path,
            _ => return Err(InvalidReceiver::Path),
        };
        if !all_in(path, PATH) {
            return Err(InvalidReceiver::Path);
        }
        Ok(Self { path, ..self })
    }

    /// The token of direct ingestion. It goes over the stream as it is: let TLS be under it, or a loopback.
    ///
    /// # Errors
    /// [`InvalidReceiver::Token`] where it is empty or has other characters than the visible ones of ASCII.
    pub const fn token(self, token: &'a str) -> Result<Self, InvalidReceiver> {
        if token.is_empty() || !all_in(token, VISIBLE) {
            return Err(InvalidReceiver::Token);
        }
        Ok(Self { token: Some(token), ..self })
    }

    /// Whether this is direct ingestion: there is a token.
    pub const fn is_direct(&self) -> bool {
        self.token.is_some()
    }

    /// The call for lines of `format`; none where the receiver has no way for them.
    pub(super) fn call(&self, format: Format) -> Option<Call> {
        match format {
            Format::SourceTag if self.is_direct() => None,
            Format::Event if self.is_direct() => Some(Call::Event),
            format => Some(Call::Report(format.query())),
        }
    }

    /// The head of a request whose body is `length` bytes long, in decimal digits.
    pub(super) fn head(&self, call: Call, length: &'a str) -> impl Iterator<Item = u8> + use<'a> {
        let (path, query, content) = match call {
            Call::Report(Some(query)) => (report::REPORT, ["?f=", query], report::LINES),
            Call::Report(None) => (report::REPORT, ["", ""], report::LINES),
            Call::Event => (report::EVENT, ["", ""], report::JSON),
        };
        let [authorization, token] = self.token.map_or(["", ""], |token| ["\r\nAuthorization: Bearer ", token]);
        let parts = [
            "POST ",
            self.path.strip_suffix('/').unwrap_or(self.path),
            path,
            query[0],
            query[1],
            " HTTP/1.1\r\nHost: ",
            self.host,
            "\r\nUser-Agent: ",
            report::AGENT,
            authorization,
            token,
            "\r\nContent-Type: ",
            content,
            "\r\nContent-Length: ",
            length,
            "\r\n\r\n",
        ];
        parts.into_iter().flat_map(str::bytes)
    }
}

/// What is asked of a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// Takes the lines of a batch, of the kind that `f` says.
    Report(Option<&'static str>),
    /// Takes one event, a JSON object.
    Event,
}

/// The token is not shown.
impl fmt::Debug for Receiver<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, path, token } = self;
        let mut debug = f.debug_struct("Receiver");
        debug.field("host", host).field("path", path).field("token", &token.map(|_| "[token]")).finish()
    }
}

/// Why something cannot be said of a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum InvalidReceiver {
    /// The host is empty, or has characters that no host and port have.
    Host,
    /// The path does not begin with `/`, or has characters that no path has.
    Path,
    /// The token is empty, or has characters that no header has.
    Token,
}

impl fmt::Display for InvalidReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "the host is a name or an address, an IPv6 address in brackets, with `:port` or without",
            Self::Path => "the path begins with `/` and has no query, no fragment and no spaces: write those as %20",
            Self::Token => "the token is empty, or has a character other than the visible ones of ASCII",
        })
    }
}

impl core::error::Error for InvalidReceiver {}

/// Characters by class.
const HOST: u8 = 1;
const PATH: u8 = 2;
const VISIBLE: u8 = 4;

const fn classes(byte: u8) -> u8 {
    let visible = if byte.is_ascii_graphic() { VISIBLE } else { 0 };
    visible
        | match byte {
            // RFC 3986, 3.2.2: a name's unreserved characters and escapes; an address has brackets and colons.
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'%' | b':' => HOST | PATH,
            b'[' | b']' => HOST,
            // RFC 3986, 3.3: `pchar` and the slash.
            b'/' | b'@' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => PATH,
            _ => 0,
        }
}

const fn all_in(text: &str, class: u8) -> bool {
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        if classes(*first) & class == 0 {
            return false;
        }
        rest = others;
    }
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn head(receiver: Receiver<'_>, format: Format) -> heapless::String<400> {
        receiver.head(receiver.call(format).unwrap(), "12").map(char::from).collect()
    }

    #[test]
    fn the_head_says_what_a_receiver_wants_to_know() {
        let proxy = Receiver::new("proxy:2878").unwrap();
        let agent = concat!("User-Agent: wavefront-sdk-rust/", env!("CARGO_PKG_VERSION"), "\r\n");
        let said = head(proxy, Format::Wavefront);
        assert!(said.starts_with("POST /report?f=wavefront HTTP/1.1\r\nHost: proxy:2878\r\n"), "{said}");
        assert!(said.contains(agent), "{said}");
        assert!(said.ends_with("\r\nContent-Type: application/octet-stream\r\nContent-Length: 12\r\n\r\n"), "{said}");
        assert!(!said.contains("Authorization"));
        assert!(head(proxy, Format::SourceTag).starts_with("POST /report HTTP/1.1\r\n"));
        assert!(head(proxy, Format::Event).starts_with("POST /report?f=event HTTP/1.1\r\n"));
        assert!(head(proxy, Format::SpanLogs).starts_with("POST /report?f=spanLogs HTTP/1.1\r\n"));
    }

    #[test]
    fn direct_ingestion_has_a_token_and_its_own_way_for_events() {
        let direct = Receiver::new("[::1]").unwrap().token("5eCr3t").unwrap();
        assert!(head(direct, Format::Trace).contains("\r\nAuthorization: Bearer 5eCr3t\r\n"));
        let event = head(direct, Format::Event);
        assert!(event.starts_with("POST /api/v2/event HTTP/1.1\r\nHost: [::1]\r\n"), "{event}");
        assert!(event.contains("\r\nContent-Type: application/json\r\n"), "{event}");
        assert_eq!(direct.call(Format::SourceTag), None);
    }

    #[test]
    fn a_base_path_is_kept() {
        for (path, line) in [
            ("", "POST /report?f="),
            ("/", "POST /report?f="),
            ("/a/b%20c", "POST /a/b%20c/report?f="),
            ("/a/", "POST /a/report?f="),
        ] {
            let receiver = Receiver::new("h").unwrap().path(path).unwrap();
            assert!(head(receiver, Format::Trace).starts_with(line), "{path}");
        }
    }

    #[test]
    fn nothing_gets_into_the_head_that_would_be_read_as_something_else() {
        let receiver = Receiver::new("h").unwrap();
        for bad in ["", "a b", "a\r\nb", "a/b", "user@host", "h\u{f6}st", "a\0"] {
            assert_eq!(Receiver::new(bad), Err(InvalidReceiver::Host), "{bad:?}");
        }
        for bad in ["a", "/a b", "/a?b", "/a#b", "/a\r\nb", "/\u{f6}", "/a\"b"] {
            assert_eq!(receiver.path(bad), Err(InvalidReceiver::Path), "{bad:?}");
        }
        for bad in ["", "a b", "a\n", "\u{f6}"] {
            assert_eq!(receiver.token(bad), Err(InvalidReceiver::Token), "{bad:?}");
        }
    }
}
