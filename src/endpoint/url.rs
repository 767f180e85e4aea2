//! The URL of an endpoint, read strictly: nothing that could mean something else is let through.

use alloc::string::String;
use alloc::vec::Vec;

use super::address::{decimal, digit, ipv4, ipv6};
use super::{Endpoint, EndpointError, Form, Ports};
use crate::transport::Token;

/// A scheme, how it is spoken, whether that is encrypted, and the port it means.
pub(super) struct Scheme {
    name: &'static str,
    form: Form,
    tls: bool,
    pub(super) port: u16,
}

/// The one of this name.
pub(super) fn scheme(name: &[u8]) -> Option<&'static Scheme> {
    const PORT: u16 = Endpoint::PROXY_PORT;
    static ALL: [Scheme; 5] = [
        Scheme { name: "https", form: Form::ProxyHttp, tls: true, port: 443 },
        Scheme { name: "http", form: Form::ProxyHttp, tls: false, port: 80 },
        Scheme { name: PROXY, form: Form::ProxyHttp, tls: false, port: PORT },
        Scheme { name: "tcp", form: Form::ProxyTcp, tls: false, port: PORT },
        Scheme { name: "tcp+tls", form: Form::ProxyTcp, tls: true, port: PORT },
    ];
    ALL.iter().find(|scheme| scheme.name.as_bytes().eq_ignore_ascii_case(name))
}

/// HTTP to a proxy, which takes no token.
const PROXY: &str = "proxy";

pub(super) fn parse(url: &str, plain_token: bool) -> Result<Endpoint, EndpointError> {
    let (name, rest) = cut(url.trim_ascii().as_bytes(), b':').unwrap_or_default();
    let rest = rest.strip_prefix(b"//").ok_or(EndpointError::Scheme(None))?;
    let Some(Scheme { name, form, tls, port: usual }) = scheme(name) else {
        return Err(EndpointError::Scheme(harmless(&name.to_ascii_lowercase())));
    };
    if rest.contains(&b'#') {
        return Err(EndpointError::Fragment);
    }
    let (rest, query) = cut(rest, b'?').unwrap_or((rest, b""));
    let slash = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(slash).unwrap_or_default();
    let at = authority.iter().rposition(|byte| *byte == b'@');
    let (secret, address) = match at.and_then(|at| Some((authority.get(..at)?, authority.get(at + 1..)?))) {
        Some((secret, address)) => (Some(secret), address),
        None => (None, authority),
    };
    // All is looked at before anything is made of it.
    let (host, port) = host_and_port(address, *usual)?;
    let path = checked_path(path)?;
    let ports = if *form == Form::ProxyTcp {
        if !path.is_empty() {
            return Err(EndpointError::PathForTcp);
        }
        tcp_ports(port, query)?
    } else {
        if let Some((key, _)) = pairs(query).next() {
            return Err(EndpointError::QueryKey(harmless(key)));
        }
        Ports::all(port)
    };
    let (host, path) = (in_small_letters(host), String::from_utf8(path.to_vec()).unwrap_or_default());
    let mut endpoint = Endpoint { form: *form, tls: *tls, host, ports, path, token: None, plain_token };
    if let Some(secret) = secret {
        let token = token_of(secret)?;
        if *name == PROXY {
            return Err(EndpointError::TokenForProxy);
        }
        endpoint.form = endpoint.directed_form()?;
        endpoint.token = Some(token);
    }
    Ok(endpoint)
}

/// What stands before the first `at`, and what behind it.
pub(super) fn cut(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().position(|byte| *byte == at)?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

/// What stands between one `at` and the next.
pub(super) fn pieces(text: &[u8], at: u8) -> impl Iterator<Item = &[u8]> {
    text.split(move |byte| *byte == at)
}

fn token_of(userinfo: &[u8]) -> Result<Token, EndpointError> {
    if userinfo.iter().any(|byte| matches!(byte, b':' | b'@')) {
        return Err(EndpointError::UserInfo);
    }
    let text = percent_decoded(userinfo).ok_or(EndpointError::UserInfo)?;
    Token::new(&text).map_err(EndpointError::Token)
}

/// The text with each `%XX` replaced by its byte, where all of it is UTF-8.
pub(super) fn percent_decoded(text: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'%' => digit(*rest.next()?)? << 4 | digit(*rest.next()?)?,
            byte => *byte,
        });
    }
    String::from_utf8(decoded).ok()
}

fn host_and_port(address: &[u8], usual: u16) -> Result<(&[u8], u16), EndpointError> {
    let (host, port) = match address.strip_prefix(b"[") {
        Some(bracketed) => {
            let (address, after) = cut(bracketed, b']').ok_or(EndpointError::Host)?;
            if ipv6(address).is_none() || !matches!(after, [] | [b':', ..]) {
                return Err(EndpointError::Host);
            }
            (address, after.split_first().map(|(_, port)| port))
        }
        None => match cut(address, b':') {
            Some((host, port)) => (checked_host(host)?, Some(port)),
            None => (checked_host(address)?, None),
        },
    };
    Ok((host, port.map_or(Ok(usual), port_of)?))
}

fn port_of(text: &[u8]) -> Result<u16, EndpointError> {
    let port = decimal(text, u16::MAX.into()).and_then(|port| port.try_into().ok());
    port.filter(|port| *port != 0).ok_or(EndpointError::Port)
}

/// The host of a URL, in small letters: an IPv6 address with brackets or without, an IPv4 address or a name.
pub(super) fn any_host(host: &[u8]) -> Result<String, EndpointError> {
    let address = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host);
    if ipv6(address).is_some() { Ok(in_small_letters(address)) } else { checked_host(host).map(in_small_letters) }
}

/// A host name (RFC 1123, and `_`, which is found in the field) or an IPv4 address.
fn checked_host(host: &[u8]) -> Result<&[u8], EndpointError> {
    if host.is_empty() {
        return Err(EndpointError::NoHost);
    }
    let labels = host.strip_suffix(b".").unwrap_or(host);
    let (mut well_formed, mut last) = (host.len() <= 253, labels);
    for label in pieces(labels, b'.') {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let dashed = matches!(label, [] | [b'-', ..] | [.., b'-']);
        well_formed &= !dashed && label.len() <= 63 && label.iter().all(plain);
        last = label;
    }
    // A last label that is a number makes an IPv4 address of it for every resolver; some take `1` for 0.0.0.1.
    let number = matches!(last, [b'0', b'x' | b'X', ..]) || last.iter().all(u8::is_ascii_digit);
    if !well_formed || (number && ipv4(host).is_none()) {
        return Err(EndpointError::Host);
    }
    Ok(host)
}

/// Text of ASCII.
fn in_small_letters(text: &[u8]) -> String {
    String::from_utf8(text.to_ascii_lowercase()).unwrap_or_default()
}

/// A path without a `/` at its end, of the characters that a path may have (RFC 3986, 3.3).
fn checked_path(path: &[u8]) -> Result<&[u8], EndpointError> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".iter().any(|other| other == byte);
    let dots = pieces(path, b'/').any(|segment| matches!(segment, b"." | b".."));
    if dots || !path.iter().all(allowed) || percent_decoded(path).is_none() {
        return Err(EndpointError::Path);
    }
    let kept = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    Ok(path.get(..kept).unwrap_or_default())
}

fn tcp_ports(port: u16, query: &[u8]) -> Result<Ports, EndpointError> {
    let (mut traces, mut histograms) = (None, None);
    for (key, value) in pairs(query) {
        let place = match key {
            b"traces" => &mut traces,
            b"histograms" => &mut histograms,
            _ => return Err(EndpointError::QueryKey(harmless(key))),
        };
        if place.replace(port_of(value)?).is_some() {
            return Err(EndpointError::RepeatedKey);
        }
    }
    Ok(Ports {
        metrics: Some(port),
        histograms: histograms.or(Some(port)),
        traces: traces.or(Some(Endpoint::TRACE_PORT)),
    })
}

fn pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    pieces(query, b'&').filter(|pair| !pair.is_empty()).map(|pair| cut(pair, b'=').unwrap_or((pair, b"")))
}

/// A word short and plain enough to be repeated in an error: a token that stands in a wrong place is not.
fn harmless(word: &[u8]) -> Option<String> {
    let plain = |byte: &u8| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'-' | b'+' | b'.');
    (matches!(word.len(), 1..=16) && word.iter().all(plain)).then(|| in_small_letters(word))
}
