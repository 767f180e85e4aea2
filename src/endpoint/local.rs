//! Endpoints on this machine: a Unix socket, a file, the standard output.

use alloc::string::String;
use core::fmt::Write;

use super::url::percent_decoded;
use super::{Endpoint, EndpointError, Form, Ports};

/// What the URL says, if it is one of these.
///
/// `//` may stand before an absolute path, as other programs write it. The path is percent-decoded, so that one may
/// have a `?`, a `#` or a space at its end.
pub(super) fn parse(url: &str) -> Option<Result<Endpoint, EndpointError>> {
    let (scheme, rest) = url.trim().split_once(':')?;
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    Some(match rest {
        "" | "//" if is("stdout") => Ok(endpoint(Form::Stdout, String::new())),
        "-" if is("file") => Ok(endpoint(Form::Stdout, String::new())),
        _ if is("stdout") => Err(EndpointError::LocalPath),
        _ if is("unix") => with_path(Form::Unix, rest),
        _ if is("file") => file(rest),
        _ => return None,
    })
}

fn file(rest: &str) -> Result<Endpoint, EndpointError> {
    match rest.split_once('?') {
        None => with_path(Form::File { sync: false }, rest),
        Some((path, "sync=batch")) => with_path(Form::File { sync: true }, path),
        Some(_) => Err(EndpointError::FileQuery),
    }
}

fn with_path(form: Form, rest: &str) -> Result<Endpoint, EndpointError> {
    let path = match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        // A host of another machine.
        Some(_) => return Err(EndpointError::LocalPath),
        None => rest,
    };
    if path.contains('#') {
        return Err(EndpointError::Fragment);
    }
    let path = percent_decoded(path.as_bytes()).filter(|path| !path.is_empty() && !path.contains('\0'));
    // A folder cannot be one, and a `?` where there is no query is a mistake.
    let path = path.filter(|path| !path.ends_with('/') && !rest.contains('?'));
    path.map(|path| endpoint(form, path)).ok_or(EndpointError::LocalPath)
}

const fn endpoint(form: Form, path: String) -> Endpoint {
    let ports = Ports { metrics: None, histograms: None, traces: None };
    Endpoint { form, tls: false, host: String::new(), ports, path, token: None, plain_token: false }
}

/// A URL that means the same, if the endpoint is one of these.
pub(super) fn shown(endpoint: &Endpoint) -> Option<String> {
    let (scheme, query) = match endpoint.form {
        Form::Unix => ("unix:", ""),
        Form::File { sync: false } => ("file:", ""),
        Form::File { sync: true } => ("file:", "?sync=batch"),
        Form::Stdout => ("stdout:", ""),
        _ => return None,
    };
    let mut text = String::from(scheme);
    // A path that begins with two would be taken for a host, one that is `-` for the standard output.
    let mut path = endpoint.path.as_str();
    if path == "-" {
        text.push_str("%2d");
        path = "";
    } else if path.starts_with("//") {
        text.push_str("//");
    }
    for character in path.chars() {
        if matches!(character, '%' | '?' | '#') || character.is_control() || character.is_whitespace() {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(text, "%{byte:02x}");
            }
        } else {
            text.push(character);
        }
    }
    text.push_str(query);
    Some(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;
    use crate::transport::Token;

    fn parsed(url: &str) -> (Form, String) {
        let endpoint = Endpoint::parse(url).unwrap();
        (endpoint.form(), endpoint.path().to_string())
    }

    #[test]
    fn places_on_this_machine() {
        let file = Form::File { sync: false };
        for (url, form, path) in [
            ("unix:/run/agent.sock", Form::Unix, "/run/agent.sock"),
            ("unix:///run/agent.sock", Form::Unix, "/run/agent.sock"),
            ("UNIX:agent.sock", Form::Unix, "agent.sock"),
            ("file:/var/log/lines", file, "/var/log/lines"),
            ("file:///var/log/a%20b%3f", file, "/var/log/a b?"),
            ("file:lines?sync=batch", Form::File { sync: true }, "lines"),
            ("file:-", Form::Stdout, ""),
            ("file:%2d", file, "-"),
            ("stdout:", Form::Stdout, ""),
            (" stdout:// ", Form::Stdout, ""),
        ] {
            assert_eq!(parsed(url), (form, path.into()), "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (url, error) in [
            ("unix:", EndpointError::LocalPath),
            ("unix://", EndpointError::LocalPath),
            ("unix://host/a", EndpointError::LocalPath),
            ("unix:/a/", EndpointError::LocalPath),
            ("unix:/a%00", EndpointError::LocalPath),
            ("unix:/a%f", EndpointError::LocalPath),
            ("unix:/a?sync=batch", EndpointError::LocalPath),
            ("file:/a#b", EndpointError::Fragment),
            ("file:/a?sync", EndpointError::FileQuery),
            ("file:/a?fsync=batch", EndpointError::FileQuery),
            ("stdout:/a", EndpointError::LocalPath),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap_err(), error, "{url}");
        }
        let token = || Token::new("t").unwrap();
        for url in ["unix:/a", "file:/a", "stdout:"] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!(endpoint.with_token(token()), Err(EndpointError::TokenForProxy), "{url}");
        }
    }

    proptest! {
        #[test]
        fn displayed_and_parsed_it_is_the_same(
            url in r"(unix|file|stdout):/{0,3}[a-z ./%-]{0,3}(%[0-7][0-9a-f]){0,3}[^\x00]{0,2}(\?sync=batch)?"
        ) {
            if let Ok(endpoint) = Endpoint::parse(&url) {
                let text = endpoint.to_string();
                prop_assert_eq!(&Endpoint::parse(&text).unwrap(), &endpoint, "{}", text);
                prop_assert!(endpoint.request(crate::Format::Trace).is_none());
            }
        }
    }
}
