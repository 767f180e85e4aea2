//! A wrong value for an option is an error at `build`, which names the option.

#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use wavefront_sdk::delivery::{Backoff, Keep};
use wavefront_sdk::sender::{BuildError, Endpoint, EndpointError, SenderBuilder};
use wavefront_sdk::store::MemoryStore;
use wavefront_sdk::{ApplicationTags, Limits, Overflow, Sender, WavefrontDirectClient, WavefrontProxyClient};

const SECOND: Duration = Duration::from_secs(1);

/// What is wrong, for the option that has its name.
type Wrong = (&'static str, fn(SenderBuilder) -> SenderBuilder);

const WRONG: &[Wrong] = &[
    ("trace_port", |builder| builder.trace_port(0)),
    ("histogram_port", |builder| builder.histogram_port(0)),
    ("source", |builder| builder.source("x".repeat(1024))),
    ("source", |builder| builder.limits(limits(|limits| limits.source = 3)).source("four")),
    ("max_queue_size", |builder| builder.max_queue_size(0)),
    ("max_queue_bytes", |builder| builder.max_queue_bytes(0)),
    ("max_queue_bytes", |builder| builder.max_queue_bytes((256 << 10) - 1)),
    ("batch_size", |builder| builder.batch_size(0)),
    ("flush_interval", |builder| builder.flush_interval(Duration::ZERO)),
    ("in_flight", |builder| builder.in_flight(0)),
    ("in_flight", |builder| builder.in_flight(65)),
    ("replay_window", |builder| builder.replay_window(0, SECOND)),
    ("replay_window", |builder| builder.replay_window(1, SECOND)),
    ("replay_window", |builder| builder.replay_window(usize::MAX, SECOND)),
    ("replay_window", |builder| builder.replay_window(1 << 20, Duration::ZERO)),
    ("replay_window", |builder| builder.replay_window(1 << 20, Duration::MAX)),
    ("overflow", |builder| builder.overflow(Overflow::Store)),
    ("store bytes", |builder| builder.store(MemoryStore::new(), Keep::DEFAULT.bytes((256 << 10) - 1))),
    ("store age", |builder| builder.store(MemoryStore::new(), Keep::DEFAULT.age(Duration::ZERO))),
    ("limits", |builder| builder.limits(limits(|limits| limits.metric_name = 0))),
    ("limits", |builder| builder.limits(limits(|limits| limits.source = 0))),
    ("limits", |builder| builder.limits(limits(|limits| limits.tag_key = 0))),
    ("limits", |builder| builder.limits(limits(|limits| limits.tag = 0))),
    ("limits", |builder| builder.limits(limits(|limits| limits.span_name = 0))),
    ("limits", |builder| builder.limits(limits(|limits| limits.span_tag_key = 0))),
    ("limits", |builder| builder.limits(limits(|limits| limits.metric_line = 0))),
    ("limits", |builder| builder.limits(limits(|limits| limits.histogram_line = 0))),
    ("limits", |builder| builder.limits(limits(|limits| limits.trace_line = 0))),
    ("backoff", |builder| builder.backoff(Backoff::new(Duration::ZERO, SECOND))),
    ("backoff", |builder| builder.backoff(Backoff::new(SECOND, Duration::ZERO))),
    ("auth_backoff", |builder| builder.auth_backoff(Backoff::new(Duration::ZERO, SECOND))),
    ("auth_backoff", |builder| builder.auth_backoff(Backoff::new(SECOND, Duration::ZERO))),
    ("own_metrics", |builder| builder.own_metrics(Duration::ZERO)),
    ("heartbeat", |builder| builder.heartbeat(&ApplicationTags::new("", "service"), "component")),
    ("heartbeat", |builder| builder.heartbeat(&ApplicationTags::new("application", " "), "component")),
    ("heartbeat", |builder| builder.heartbeat(&ApplicationTags::new("application", "service"), "")),
    ("heartbeat", |builder| {
        builder.heartbeat(&ApplicationTags::new("application", "service").custom([("shard", "twice")]), "component")
    }),
    ("heartbeat_interval", |builder| builder.heartbeat_interval(Duration::ZERO)),
    ("request_timeout", |builder| builder.request_timeout(Duration::ZERO)),
    ("tags", |builder| builder.tags([("", "value")])),
    ("tags", |builder| builder.tags([("key", " ")])),
    ("tags", |builder| builder.tags([("source", "s")])),
    ("tags", |builder| builder.tags([("a b", "1"), ("a-b", "2")])),
    ("recovery", |builder| builder.recovery(Duration::ZERO)),
];

/// Options of which every value makes sense.
const ANYTHING: &[&str] = &["allow_plain_token", "require_source", "replay", "on_error"];

fn limits(change: fn(&mut Limits)) -> Limits {
    let mut limits = Limits::DEFAULT;
    change(&mut limits);
    limits
}

#[test]
fn each_wrong_value_is_an_error_that_names_its_option() {
    for (option, change) in WRONG {
        for url in ["tcp://localhost", "tcp://localhost:1?traces=2&histograms=3"] {
            let error = change(Sender::builder(url)).build().unwrap_err();
            assert!(matches!(&error, BuildError::Option { name, .. } if name == option), "{option}: {error:?}");
            assert!(error.to_string().starts_with(&format!("{option} has to be ")), "{error}");
        }
    }
}

/// An option that is added to the builder has to be added here too.
#[test]
fn every_option_is_walked() {
    let source = [include_str!("../src/sender/builder.rs"), include_str!("../src/sender/routes.rs")].concat();
    let options = source.lines().filter_map(|line| line.trim().strip_prefix("pub fn ")?.split_once("(mut self"));
    let options: Vec<_> = options.map(|(name, _)| name.split('<').next().unwrap_or(name)).collect();
    assert!(options.contains(&"batch_size") && options.len() > 15, "{options:?}");
    // What is wrong with a token or a fallback is wrong with an endpoint, and walked with those.
    for option in options.into_iter().filter(|option| !matches!(*option, "build" | "token" | "fallback")) {
        let walked = WRONG.iter().any(|(name, _)| name.split(' ').next() == Some(option));
        assert_ne!(walked, ANYTHING.contains(&option), "{option}");
    }
}

/// Those of tokens and TLS are walked where there are services for them.
#[test]
fn every_option_of_access_is_walked() {
    let source = include_str!("../src/sender/access.rs");
    let walks = [include_str!("auth/main.rs"), include_str!("tls/options.rs")].concat();
    let options = source.lines().filter_map(|line| line.trim().strip_prefix("pub fn ")?.split_once("(mut self"));
    let options: Vec<_> = options.map(|(name, _)| name).collect();
    assert!(options.contains(&"tls") && options.len() >= 5, "{options:?}");
    for option in options {
        let walked = [format!("(\"{option}\", |b|"), format!("\"{option} has to be")];
        assert!(walked.iter().any(|walk| walks.contains(walk)), "{option}");
    }
}

#[test]
fn the_right_values_at_the_edge_are_taken() {
    let right: &[fn(SenderBuilder) -> SenderBuilder] = &[
        |builder| builder.source("x".repeat(1023)).trace_port(65_535).histogram_port(1),
        |builder| builder.source(" "),
        |builder| builder.max_queue_size(1).max_queue_bytes(256 << 10).batch_size(1).in_flight(1),
        |builder| builder.max_queue_size(usize::MAX).max_queue_bytes(1 << 40).batch_size(usize::MAX).in_flight(64),
        |builder| builder.flush_interval(Duration::MAX).request_timeout(Duration::MAX),
        |builder| builder.flush_interval(Duration::from_nanos(1)).request_timeout(Duration::from_nanos(1)),
        |builder| builder.backoff(Backoff::new(Duration::MAX, Duration::MAX)),
        |builder| builder.store(MemoryStore::new(), Keep::DEFAULT.bytes(256 << 10).age(Duration::from_nanos(1))),
        |builder| builder.limits(limits(|limits| (limits.tags, limits.span_tags) = (0, 0))),
    ];
    for (number, change) in right.iter().enumerate() {
        let sender = change(Sender::builder("tcp://127.0.0.1:1")).build();
        assert_eq!(sender.map(|sender| sender.close(Duration::ZERO)).unwrap(), Default::default(), "{number}");
    }
}

/// What is wrong with an endpoint is said in its own words, and repeats no part that could be secret.
#[test]
fn wrong_endpoints_and_tokens_are_errors_that_say_what_is_wrong() {
    let error = |builder: SenderBuilder| match builder.build().unwrap_err() {
        BuildError::Endpoint(error) => error,
        other => panic!("{other:?}"),
    };
    let of_url = |url: &str| error(Sender::builder(url));
    assert_eq!(of_url(""), EndpointError::Scheme(None));
    assert_eq!(of_url("localhost:2878"), EndpointError::Scheme(None));
    assert_eq!(of_url("ftp://x"), EndpointError::Scheme(Some("ftp".into())));
    assert_eq!(of_url("tcp://"), EndpointError::NoHost);
    assert_eq!(of_url("tcp://h:0"), EndpointError::Port);
    assert_eq!(of_url("tcp://h?trace=1"), EndpointError::QueryKey(Some("trace".into())));
    assert_eq!(of_url("http://token@example.com"), EndpointError::PlainToken);
    let with_token = |url: &str, token: &str| error(Sender::builder(url).token(token));
    for url in ["proxy://h", "proxy://localhost", " Proxy://localhost", "tcp://localhost"] {
        assert_eq!(with_token(url, "t"), EndpointError::TokenForProxy, "{url}");
    }
    assert_eq!(with_token("http://example.com", "t"), EndpointError::PlainToken);
    for token in ["", " ", "s3cr et", "s3cr\nX: y", "s3cr\u{e9}t"] {
        let error = with_token("https://h", token);
        assert!(matches!(error, EndpointError::Token(_)), "{token:?}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("s3cr"));
    }
    if cfg!(not(feature = "tls")) {
        let endpoint = Endpoint::parse("tcp+tls://h").unwrap();
        assert_eq!(error(SenderBuilder::to_endpoint(endpoint)), EndpointError::NeedsTls);
    }
}

/// The other SDKs' clients come to the same builder.
#[test]
fn wrong_values_of_the_clients_are_errors_too() {
    let direct = || WavefrontDirectClient::new("https://example.com", "token");
    let named = |error: BuildError| match error {
        BuildError::Option { name, .. } => name,
        other => panic!("{other:?}"),
    };
    let wrong = WavefrontDirectClient { max_queue_size: 0, ..direct() };
    assert_eq!(named(wrong.build().unwrap_err()), "max_queue_size");
    let wrong = WavefrontDirectClient { batch_size: 0, ..direct() };
    assert_eq!(named(wrong.build().unwrap_err()), "batch_size");
    let wrong = WavefrontDirectClient { flush_interval: Duration::ZERO, ..direct() };
    assert_eq!(named(wrong.build().unwrap_err()), "flush_interval");
    let proxy = || WavefrontProxyClient { metrics_port: Some(2878), ..WavefrontProxyClient::new("h") };
    let wrong = WavefrontProxyClient { internal_flush: Duration::ZERO, ..proxy() };
    assert_eq!(named(wrong.build().unwrap_err()), "flush_interval");
    let is_endpoint = |wrong: WavefrontProxyClient| matches!(wrong.build(), Err(BuildError::Endpoint(_)));
    assert!(is_endpoint(WavefrontProxyClient::new("h")), "no port");
    assert!(is_endpoint(WavefrontProxyClient { metrics_port: Some(0), ..proxy() }), "port 0");
    assert!(is_endpoint(WavefrontProxyClient { host: "a b".into(), ..proxy() }));
}
