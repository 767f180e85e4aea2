//! The URL of an endpoint, read strictly: nothing that could mean something else is let through.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::{Endpoint, EndpointError, Form, Ports};
use crate::transport::Token;

pub(super) fn parse(url: &str, plain_token: bool) -> Result<Endpoint, EndpointError> {
    let url = url.trim();
    let (scheme, rest) = url.split_once("://").ok_or(EndpointError::Scheme(None))?;
    let scheme = scheme.to_ascii_lowercase();
    let (form, tls) = match &*scheme {
        "https" => (Form::ProxyHttp, true),
        "http" | "proxy" => (Form::ProxyHttp, false),
        "tcp" => (Form::ProxyTcp, false),
        "tcp+tls" => (Form::ProxyTcp, true),
        _ => return Err(EndpointError::Scheme(harmless(&scheme))),
    };
    if rest.contains('#') {
        return Err(EndpointError::Fragment);
    }
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let (secret, address) = match authority.rsplit_once('@') {
        Some((secret, address)) => (Some(token_of(secret)?), address),
        None => (None, authority),
    };
    let (host, port) = host_and_port(address)?;
    let port = port.or(default_port(&scheme)).unwrap_or(Endpoint::PROXY_PORT);
    let path = checked_path(path)?;
    let ports = if form == Form::ProxyTcp {
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
    let endpoint = Endpoint { form, tls, host, ports, path, token: None, plain_token };
    match secret {
        Some(_) if scheme == "proxy" => Err(EndpointError::TokenForProxy),
        Some(token) => endpoint.with_token(token),
        None => Ok(endpoint),
    }
}

pub(super) fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "https" => Some(443),
        "http" => Some(80),
        "proxy" | "tcp" | "tcp+tls" => Some(Endpoint::PROXY_PORT),
        _ => None,
    }
}

fn token_of(userinfo: &str) -> Result<Token, EndpointError> {
    if userinfo.contains([':', '@']) {
        return Err(EndpointError::UserInfo);
    }
    let text = percent_decoded(userinfo).ok_or(EndpointError::UserInfo)?;
    Token::new(&text).map_err(EndpointError::Token)
}

/// The text with each `%XX` replaced by its byte, where all of it is UTF-8.
pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(rest.next()?)? << 4 | digit(rest.next()?)?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

fn host_and_port(address: &str) -> Result<(String, Option<u16>), EndpointError> {
    let (host, port) = match address.strip_prefix('[') {
        Some(bracketed) => {
            let (address, after) = bracketed.split_once(']').ok_or(EndpointError::Host)?;
            if address.parse::<Ipv6Addr>().is_err() {
                return Err(EndpointError::Host);
            }
            let port = match after.strip_prefix(':') {
                Some(port) => Some(port),
                None if after.is_empty() => None,
                None => return Err(EndpointError::Host),
            };
            (address.to_ascii_lowercase(), port)
        }
        None => {
            let (host, port) = address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port)));
            (checked_host(host)?, port)
        }
    };
    Ok((host, port.map(port_of).transpose()?))
}

/// Only digits: `u16` would take a sign too.
fn port_of(text: &str) -> Result<u16, EndpointError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port != 0);
    port.ok_or(EndpointError::Port)
}

/// A host name (RFC 1123, and `_`, which is found in the field) or an IPv4 address, in small letters.
pub(super) fn checked_host(host: &str) -> Result<String, EndpointError> {
    if host.is_empty() {
        return Err(EndpointError::NoHost);
    }
    let host = host.to_ascii_lowercase();
    let labels = host.strip_suffix('.').unwrap_or(&host);
    let well_formed = host.len() <= 253
        && labels.split('.').all(|label| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            let dashed = label.starts_with('-') || label.ends_with('-');
            !label.is_empty() && !dashed && label.len() <= 63 && label.bytes().all(plain)
        });
    // A last label that is a number makes an IPv4 address of it for every resolver; some take `1` for 0.0.0.1.
    let last = labels.rsplit('.').next().unwrap_or_default();
    let number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if !well_formed || (number && host.parse::<Ipv4Addr>().is_err()) {
        return Err(EndpointError::Host);
    }
    Ok(host)
}

/// A path without a `/` at its end, of the characters that a path may have (RFC 3986, 3.3).
fn checked_path(path: &str) -> Result<String, EndpointError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte);
    let dots = path.split('/').any(|segment| matches!(segment, "." | ".."));
    if dots || !path.bytes().all(allowed) || percent_decoded(path).is_none() {
        return Err(EndpointError::Path);
    }
    Ok(path.trim_end_matches('/').to_owned())
}

fn tcp_ports(port: u16, query: &str) -> Result<Ports, EndpointError> {
    let (mut traces, mut histograms) = (None, None);
    for (key, value) in pairs(query) {
        let place = match key {
            "traces" => &mut traces,
            "histograms" => &mut histograms,
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

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// A word short and plain enough to be repeated in an error: a token that stands in a wrong place is not.
fn harmless(word: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || b"_-+.".contains(&byte);
    (!word.is_empty() && word.len() <= 16 && word.bytes().all(plain)).then(|| word.to_owned())
}
