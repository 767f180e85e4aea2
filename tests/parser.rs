//! The laws of the parser (`tests/laws/read.rs`), over random text.
#![cfg(feature = "std")]

mod laws;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        select(vec![
            " ",
            " ",
            " ",
            "\t",
            "\r",
            "\u{4}",
            "\u{2028}",
            "\"",
            "\"",
            "'",
            "\\",
            "=",
            "=",
            "#",
            ",",
            ":",
            "{",
            "}",
            "[",
            "]",
            "∆",
            "Δ",
            "~",
            "a",
            "\"n\"",
            "1",
            "0x1p3",
            "-5",
            "1e400",
            "1493773500",
            "1552949776000 343",
            "source=\"s\"",
            "host=h",
            "tag=t",
            "\"k\"=\"v\"",
            "eventTag=x",
            "_spanLogs=x",
            "traceId=1-2-3-4-5",
            "spanId=6",
            "!M ",
            "#1 2.5",
            "@Event 1 ",
            "@SourceTag ",
            "@SourceDescription ",
            "action=save",
            "\"logs\":[",
            "\"traceId\":\"1\"",
            "\"timestamp\":1",
            "\"fields\":{",
            "\\u0022",
            "\\ud83d",
            "😀",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        laws::read::any(&text);
    }

    #[test]
    fn so_is_any_text_of_likely_pieces(text in pieces()) {
        laws::read::any(&text);
    }

    #[test]
    fn what_is_behind_a_good_start_is_read_or_refused(rest in pieces()) {
        for start in [
            "m 1 source=s ", "!M #1 1 m ", "s source=s traceId=1-2-3-4-5 spanId=6 ", "@Event 1 2 e ",
            "@SourceTag action=add source=s ", "{\"traceId\":\"1\",\"spanId\":\"2\",\"logs\":[{\"timestamp\":1,\"fields\":{",
        ] {
            laws::read::any(&format!("{start}{rest}"));
        }
    }
}
