//! What the fuzzers found worth keeping (`fuzz/corpus`), held to the same laws without a fuzzer.

#![allow(clippy::unwrap_used)]
#![cfg(feature = "std")]

mod laws;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use wavefront_sdk::Kind;
use wavefront_sdk::endpoint::{Endpoint, EndpointError, Form};
use wavefront_sdk::transport::Token;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// Runs every input of `target`; the last one named is the one that breaks a law.
fn replay(target: &str) {
    let (_, run) = laws::TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let mut files: Vec<_> = fs::read_dir(corpus().join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 100, "only {} inputs of {target}", files.len());
    for file in files {
        println!("{}", file.display());
        run(&fs::read(file).unwrap());
    }
}

#[test]
fn encode() {
    replay("encode");
}

#[test]
fn parse() {
    replay("parse");
}

#[test]
fn delivery() {
    replay("delivery");
}

#[test]
fn endpoint() {
    replay("endpoint");
}

#[test]
fn spool() {
    replay("spool");
}

#[cfg(feature = "spool")]
#[test]
fn store() {
    replay("store");
}

#[cfg(feature = "collector")]
#[test]
fn collector() {
    replay("collector");
}

#[cfg(feature = "flash")]
#[test]
fn flash() {
    replay("flash");
}

/// A target that nobody replays would rot.
#[test]
fn every_target_has_its_corpus() {
    let names = |names: &mut dyn Iterator<Item = String>| names.collect::<BTreeSet<_>>();
    let folder = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut known = names(&mut laws::TARGETS.iter().map(|(name, _)| (*name).to_owned()));
    // Without its feature there is nothing to hold to the laws; the border's are held where its code is (`wasm/tests`).
    known.extend(["store", "collector", "flash", "border"].map(str::to_owned));
    assert_eq!(names(&mut folder(&corpus()).map(stem)), known);
    assert_eq!(names(&mut folder(&corpus().with_file_name("fuzz_targets")).map(stem)), known);
}

/// Pieces that addresses are made of: those of each list in turn, the first of which is the usual one.
const PIECES: [&[&str]; 6] = [
    &["https://", "http://", "HTTP://", "proxy://", "tcp://", "tcp+tls://", "ftp://", "https:", " http://", ""],
    &["", "", "", "t@", "a%2fb%40@", "%20t\n@", "%zz@", "a:b@", "@", "t@u@", "\u{e9}@", "%c3%a9@"],
    &[
        "h",
        "localhost",
        "a.LocalHost.",
        "localhost.b",
        "127.0.0.1",
        "127.1",
        "127.a.localhost",
        "127.0.0.1.com",
        "1.2.3.4",
        "1.2.3.4.",
        "1.2.3.04",
        "256.1.1.1",
        "0x7f.1",
        "a.0x",
        "a.0xg",
        "a.1",
        "1",
        "[::1]",
        "[0:0::1]",
        "[::FFFF:127.0.0.9]",
        "[::ffff:7f00:1]",
        "[::ffff:128.0.0.1]",
        "[::7f00:1]",
        "[1::2::3]",
        "[1:2:3:4:5:6:7::]",
        "[::1%25a]",
        "[::1",
        "::1",
        "[]",
        "a_b.c-d",
        "-a",
        "a-",
        "a..b",
        ".",
        "",
        "xn--a",
        "m\u{fc}",
        "a b",
        "a\\b",
        "a\tb",
        "%41",
    ],
    &["", "", "", ":80", ":443", ":2878", ":0", ":65535", ":65536", ":", ":+1", ":00080", ":80:80", ":8\u{663}"],
    &[
        "", "", "", "/", "/a/b//", "/%7e", "/%zz", "/%ff", "/../a", "/a/.", "/...", "/a b", "//", "/\u{e9}", "/a@b",
        "\\a",
    ],
    &[
        "",
        "",
        "",
        "?",
        "?&",
        "?traces=1",
        "?histograms=70&traces=9&",
        "?traces=0",
        "?traces=1&traces=2",
        "?a=1",
        "?=",
        "#",
        " ",
        "\u{a0}",
    ],
];

/// Every address with what it means, for the package of JavaScript, which has a reader of its own: rows of the address, a token
/// given apart, and where each kind goes; nothing where it is refused. They are left in the file `NATIVE_ADDRESSES`.
#[test]
fn addresses_mean_something_or_are_refused() {
    let found = fs::read_dir(corpus().join("endpoint")).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    let mut addresses: Vec<String> = found.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    let mut state = 1_u64;
    for _ in 0..6_000 {
        let pieces = PIECES.map(|pieces| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Every second one is the first of its list, so that many an address is good.
            pieces[(state >> 33) as usize % pieces.len() * (state >> 60 & 1) as usize]
        });
        addresses.push(pieces.concat());
    }
    let (mut rows, mut refused) = (Vec::new(), 0);
    for (address, token) in
        addresses.iter().flat_map(|address| [(address, ""), (address, " s3cret\n"), (address, "a b")])
    {
        let endpoint = Endpoint::parse(address).and_then(|endpoint| match token {
            "" => Ok(endpoint),
            token => endpoint.with_token(Token::new(token).map_err(EndpointError::Token)?),
        });
        // Those on this machine are for programs.
        let goes =
            match endpoint.ok().filter(|endpoint| endpoint.form() == Form::ProxyTcp || !endpoint.host().is_empty()) {
                Some(endpoint) => goes(&endpoint),
                None => serde_json::Value::Null,
            };
        refused += usize::from(goes.is_null());
        rows.push(json!([address, token, goes]).to_string());
    }
    assert!(refused > 1_000 && rows.len() - refused > 1_000, "{refused} of {}", rows.len());
    if let Some(path) = std::env::var_os("NATIVE_ADDRESSES") {
        fs::write(path, rows.join("\n")).unwrap();
    }
}

fn goes(endpoint: &Endpoint) -> serde_json::Value {
    let kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::SourceTag);
    kinds
        .map(|kind| match endpoint.request(kind.format()) {
            Some(request) => json!([request.url, request.content_type, endpoint.token().map(Token::expose)]),
            None => json!([endpoint.host(), endpoint.ports().of(kind), endpoint.is_tls()]),
        })
        .collect()
}
