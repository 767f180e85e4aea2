//! Span logs as nearly everybody writes them, read in one pass: no white space, the members in their usual order, no
//! escapes but in the line of the span. Any others, and all with a fault, are left to the reader of any JSON.

use super::{
    json::{Json, Walk},
    run::{run, special},
    span_logs::{self, SpanLogs},
    text::Text,
};

/// What is still to come of a line.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Goes past these very characters.
    #[inline(always)]
    fn expect(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// The inside of a string without an escape, its first quote already taken. Stops before the last.
    #[inline(always)]
    fn string(&mut self) -> Option<Text<'a>> {
        let (inside, rest) = self.0.split_at_checked(run(self.0.as_bytes(), special))?;
        self.0 = rest;
        Some(Text::json(inside, false))
    }

    /// Goes past an integer that 64 bits hold with their sign, whatever its digits are.
    fn integer(&mut self) -> Option<()> {
        const MOST: usize = 18;
        let digits = self.0.as_bytes();
        let len = digits.iter().take_while(|digit| digit.is_ascii_digit()).count();
        if !(1..=MOST).contains(&len) || digits.first() == Some(&b'0') {
            return None;
        }
        self.0 = self.0.get(len..)?;
        Some(())
    }

    /// Goes past a record.
    #[inline(always)]
    fn record(&mut self) -> Option<()> {
        self.expect("{\"timestamp\":")?;
        self.integer()?;
        self.expect(",\"fields\":{\"")?;
        loop {
            self.string()?;
            self.expect("\":\"")?;
            self.string()?;
            match self.0.as_bytes() {
                [b'"', b',', b'"', ..] => self.0 = self.0.get(3..)?,
                _ => return self.expect("\"}}"),
            }
        }
    }
}

pub(super) fn read(line: &str) -> Option<SpanLogs<'_>> {
    let at = |rest: &Rest<'_>| line.len() - rest.0.len();
    let mut rest = Rest(line);
    rest.expect("{\"traceId\":\"")?;
    let trace_id = rest.string()?;
    rest.expect("\",\"spanId\":\"")?;
    let span_id = rest.string()?;
    rest.expect("\",\"")?;
    let mut secondary_id = None;
    if let Some(behind) = rest.0.strip_prefix("_spanSecondaryId\":\"") {
        rest.0 = behind;
        secondary_id = Some(rest.string()?);
        rest.expect("\",\"")?;
    }
    rest.expect("logs\":[")?;
    let logs = Walk::new(line, at(&rest));
    loop {
        rest.record()?;
        match rest.0.as_bytes().first() {
            Some(b',') => rest.expect(",")?,
            _ => break,
        }
    }
    rest.expect("]")?;
    let mut span = None;
    if rest.0 != "}" {
        rest.expect(",\"span\":")?;
        let mut walk = Walk::new(line, at(&rest));
        let Json::String(text, text_at) = walk.value().ok()? else { return None };
        if line.get(walk.at()..) != Some("}") {
            return None;
        }
        span_logs::decoded(text, text_at).ok()?;
        span = Some((text, text_at));
    }
    Some(span_logs::of([trace_id, span_id], secondary_id, logs, span))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    extern crate std;
    use super::*;
    use crate::parse;
    use proptest::prelude::*;
    use proptest::sample::Index;
    use std::{format, string::String, vec::Vec};

    const ORDINARY: [&str; 4] = [
        r#"{"traceId":"7b3bf470-9456-11e8-9eb6-529269fb1459","spanId":"0313bafe-9457","logs":[{"timestamp":1552949776000123,"fields":{"event":"error","message":"connection reset by peer","":""}}]}"#,
        r#"{"traceId":"t ä","spanId":"","_spanSecondaryId":"client","logs":[{"timestamp":1,"fields":{"k":"温度"}},{"timestamp":123456789012345678,"fields":{"k":"v","k":"w"}}]}"#,
        r#"{"traceId":"1","spanId":"2","logs":[{"timestamp":7,"fields":{"k":"v"}}],"span":"\"a \\\"b\" source=\"h\" traceId=1-2-3-4-5 spanId=6 \"k\"=\"v\" 1552949776000 343\n"}"#,
        r#"{"traceId":"1","spanId":"2","logs":[{"timestamp":7,"fields":{"k":"v"}}],"span":"s traceId=1-2-3-4-5 spanId=6 1 343"}"#,
    ];

    /// Whether the line is an ordinary one.
    fn is_read_as_any_json(line: &str) -> bool {
        let Some(short) = read(line) else { return false };
        let seen = |logs: &SpanLogs<'_>| {
            let raw: Vec<_> = logs.logs.flat_map(|log| log.fields).collect();
            let raw: Vec<_> = raw.iter().map(|(key, value)| (key.as_raw(), value.as_raw())).collect();
            format!("{logs:?} {raw:?} {:?} {:?}", logs.decoded_span(), logs.span.map(|span| span.as_raw()))
        };
        assert_eq!(seen(&short), seen(&parse::any_span_logs(line).unwrap()), "{line}");
        true
    }

    #[test]
    fn what_is_ordinary_is_read_here() {
        for line in ORDINARY {
            assert!(is_read_as_any_json(line), "{line}");
        }
    }

    #[test]
    fn any_piece_at_any_place_of_an_ordinary_line_changes_nothing_of_the_verdict() {
        let pieces = [
            "",
            " ",
            "\n",
            "\u{4}",
            "\"",
            "\\",
            "\\\"",
            "\\n",
            "\\u0022",
            ",",
            ":",
            "{",
            "}",
            "[",
            "]",
            "0",
            "-",
            ".",
            "e5",
            "null",
            "ä",
            "\u{2028}",
            "\"\"",
            "\",\"",
            "\":\"",
            "},{",
            "]}",
            "\"x\":[{}],",
            ",\"span\":1",
            "\"logs\":[],",
        ];
        for line in ORDINARY {
            for at in (0..=line.len()).filter(|at| line.is_char_boundary(*at)) {
                let (before, behind) = line.split_at(at);
                for piece in pieces {
                    is_read_as_any_json(&format!("{before}{piece}{behind}"));
                }
                let mut behind = behind.chars();
                if behind.next().is_some() {
                    let piece = pieces[at % pieces.len()];
                    is_read_as_any_json(&format!("{before}{piece}{}", behind.as_str()));
                    is_read_as_any_json(&format!("{before}{}", behind.as_str()));
                }
                is_read_as_any_json(before);
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_of_an_ordinary_line_may_be_others(
            which: Index,
            changes in prop::collection::vec((any::<Index>(), 0..3_u8, any::<u8>()), 0..6),
        ) {
            let mut bytes = which.get(&ORDINARY).as_bytes().to_vec();
            for (at, what, byte) in changes {
                let at = at.index(bytes.len() + 1);
                match what {
                    0 => bytes.insert(at, byte),
                    1 if at < bytes.len() => drop(bytes.remove(at)),
                    _ => bytes.iter_mut().skip(at).take(1).for_each(|old| *old ^= 1 << (byte & 7)),
                }
            }
            is_read_as_any_json(&String::from_utf8_lossy(&bytes));
        }
    }
}
