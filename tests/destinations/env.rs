//! What the environment says of a sender. Each case is a process of its own.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use wavefront_sdk::sender::{Form, SenderBuilder};
use wavefront_sdk::{Metric, MultiSender, Sender};

use crate::account::LONG;
use crate::receiver::{Receiver, Scratch};

const CHILD: &str = "WAVEFRONT_TEST_ENV";
const SECRET: &str = "5eCr3t-01234567";

/// Nothing unless it is started as a child, with a file to write to: what it made of its environment.
#[test]
fn as_configured() {
    let Ok(place) = std::env::var(CHILD) else { return };
    let (place, several) = place.split_once('\n').unwrap();
    let shown = |sender: &Sender| {
        let endpoint = sender.endpoint().unwrap();
        let direct = endpoint.form() == Form::Direct;
        sender.send(Metric::new("m", 1.0).tag("own", "1")).unwrap();
        let ledger = sender.close(if direct { Duration::ZERO } else { LONG });
        let delivered = ledger.total().delivered;
        let token = endpoint.token().map_or("no token", |token| if token.expose() == SECRET { "S" } else { "?" });
        format!("{endpoint} direct={direct} {token} delivered={delivered}\n")
    };
    let said = if several == "several" {
        MultiSender::from_env(|builder| builder).map(|all| all.senders().iter().map(shown).collect::<String>())
    } else {
        SenderBuilder::from_env().map(|builder| builder.build().map_or_else(|error| error.to_string(), |it| shown(&it)))
    };
    let said = said.unwrap_or_else(|error| {
        assert!(!format!("{error:?}").contains(SECRET));
        format!("error: {error}")
    });
    fs::write(place, said).unwrap();
}

fn configured(variables: &[(&str, &str)], several: bool) -> String {
    let scratch = Scratch::new("env");
    let place = scratch.0.join("said");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "env::as_configured", "--nocapture"]).env_clear();
    child.env(CHILD, format!("{}\n{}", place.display(), if several { "several" } else { "one" }));
    child.envs(variables.iter().copied());
    let ended = child.output().unwrap();
    let output = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{output}");
    assert!(!output.contains(SECRET), "{output}");
    fs::read_to_string(place).unwrap()
}

fn one(variables: &[(&str, &str)]) -> String {
    configured(variables, false)
}

fn lines(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn url_source_and_tags() {
    let scratch = Scratch::new("env-file");
    let path = scratch.0.join("lines");
    let url = format!("file:{}", path.display());
    let said = one(&[
        ("WAVEFRONT_URL", &url),
        ("WAVEFRONT_SOURCE", "web-1"),
        ("WAVEFRONT_TAGS", " env=prod, zone=a=b,own=2 ,"),
        // No use for them here, and no harm.
        ("WAVEFRONT_TOKEN", SECRET),
        ("WAVEFRONT_CSP_API_TOKEN", " "),
    ]);
    assert_eq!(said, format!("{url} direct=false no token delivered=1\n"));
    assert_eq!(lines(&path), "\"m\" 1.0 source=\"web-1\" \"own\"=\"1\" \"env\"=\"prod\" \"zone\"=\"a=b\"\n");
}

#[test]
fn a_token_is_for_https_only() {
    let token = ("WAVEFRONT_TOKEN", SECRET);
    let said = one(&[("WAVEFRONT_URL", "https://127.0.0.1:1"), token]);
    assert_eq!(said, "https://127.0.0.1:1 direct=true S delivered=0\n");
    let said = one(&[("WAVEFRONT_URL", "https://127.0.0.1:1"), ("WAVEFRONT_CSP_API_TOKEN", SECRET)]);
    assert_eq!(said, "https://127.0.0.1:1 direct=true no token delivered=0\n");
    let app = [("WAVEFRONT_CSP_APP_ID", "app"), ("WAVEFRONT_CSP_APP_SECRET", SECRET), ("WAVEFRONT_CSP_ORG_ID", "org")];
    let said =
        one(&[&[("WAVEFRONT_URL", "https://127.0.0.1:1"), ("WAVEFRONT_CSP_BASE", "https://127.0.0.1:1")], &app[..]]
            .concat());
    assert_eq!(said, "https://127.0.0.1:1 direct=true no token delivered=0\n");
    let mut receiver = Receiver::start("env");
    let url = format!("proxy://{}", receiver.address);
    let said = one(&[("WAVEFRONT_URL", &url), token]);
    assert_eq!(said, format!("http://{} direct=false no token delivered=1\n", receiver.address));
    receiver.kill();
}

#[test]
fn several_urls_are_all_of_them() {
    let scratch = Scratch::new("env-files");
    let (a, b) = (scratch.0.join("a"), scratch.0.join("b"));
    let urls = format!("file:{}  file:{}\n", a.display(), b.display());
    let said = configured(&[("WAVEFRONT_URL", &urls), ("WAVEFRONT_SOURCE", "s")], true);
    assert_eq!(said.matches("delivered=1").count(), 2, "{said}");
    assert_eq!((lines(&a), lines(&b)), (lines(&a), lines(&a)));
    assert!(lines(&a).contains("source=\"s\""));
    assert!(one(&[("WAVEFRONT_URL", &urls)]).starts_with("error: WAVEFRONT_URL: it has several URLs"));
}

#[test]
fn a_fallback_stands_in() {
    let mut receiver = Receiver::start("env");
    for scheme in ["proxy", "tcp"] {
        let other = format!("{scheme}://127.0.0.1:2, {scheme}://{}", receiver.address);
        let said = one(&[("WAVEFRONT_URL", &format!("{scheme}://127.0.0.1:1")), ("WAVEFRONT_FALLBACK", &other)]);
        assert!(said.ends_with("delivered=1\n"), "{said}");
    }
    receiver.kill();
}

type Variables<'a> = &'a [(&'a str, &'a str)];

/// The variable is named, and its value is not repeated.
#[test]
fn what_is_wrong_names_its_variable() {
    type Variables<'a> = &'a [(&'a str, &'a str)];
    let url = ("WAVEFRONT_URL", "https://127.0.0.1:1");
    let token = ("WAVEFRONT_TOKEN", SECRET);
    let broken = format!("{SECRET} x");
    let with_secret = format!("https://{SECRET}:x@h");
    let in_place_of_a_url = SECRET.to_owned();
    let cases: &[(Variables<'_>, &str, &str)] = &[
        (&[], "WAVEFRONT_URL", "set it to where lines go"),
        (&[("WAVEFRONT_URL", " ")], "WAVEFRONT_URL", "set it to where lines go"),
        (&[("WAVEFRONT_URL", &with_secret)], "WAVEFRONT_URL", "what stands before the @"),
        (&[("WAVEFRONT_URL", &in_place_of_a_url)], "WAVEFRONT_URL", "does not begin with a known scheme"),
        (&[url, ("WAVEFRONT_TOKEN", &broken)], "WAVEFRONT_TOKEN", "visible ASCII"),
        (&[url, ("WAVEFRONT_SOURCE", &"s".repeat(2_000))], "WAVEFRONT_SOURCE", "source"),
        (&[url, ("WAVEFRONT_TAGS", SECRET)], "WAVEFRONT_TAGS", "key=value,key=value"),
        (&[url, ("WAVEFRONT_TAGS", "a=1,a=2")], "WAVEFRONT_TAGS", "tag"),
        (&[url, token, ("WAVEFRONT_CSP_API_TOKEN", SECRET)], "WAVEFRONT_TOKEN", "WAVEFRONT_CSP_API_TOKEN too"),
        (&[url, ("WAVEFRONT_CSP_APP_ID", SECRET)], "WAVEFRONT_CSP_APP_ID", "without WAVEFRONT_CSP_APP_SECRET"),
        (&[url, ("WAVEFRONT_CSP_APP_SECRET", SECRET)], "WAVEFRONT_CSP_APP_SECRET", "without WAVEFRONT_CSP_APP_ID"),
        (&[url, ("WAVEFRONT_CSP_ORG_ID", SECRET)], "WAVEFRONT_CSP_ORG_ID", "without WAVEFRONT_CSP_APP_ID"),
        (&[url, ("WAVEFRONT_CSP_BASE", SECRET)], "WAVEFRONT_CSP_BASE", "without WAVEFRONT_CSP_API_TOKEN"),
        (&[url, ("WAVEFRONT_FALLBACK", SECRET)], "WAVEFRONT_FALLBACK", "known scheme"),
        (&[url, ("WAVEFRONT_FALLBACK", "tcp://h")], "WAVEFRONT_FALLBACK", "the same sort"),
    ];
    for (variables, name, text) in cases {
        let said = one(variables);
        assert!(said.starts_with(&format!("error: {name}: ")) && said.contains(text), "{said}");
        assert!(!said.contains(SECRET), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn a_value_that_is_no_text_is_an_error() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let scratch = Scratch::new("env");
    let place = scratch.0.join("said");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "env::as_configured"]).env_clear().env(CHILD, format!("{}\none", place.display()));
    child.env("WAVEFRONT_URL", OsStr::from_bytes(b"tcp://\xff"));
    assert!(child.output().unwrap().status.success());
    assert_eq!(fs::read_to_string(place).unwrap(), "error: WAVEFRONT_URL: its value is not Unicode");
}
