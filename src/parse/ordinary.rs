//! Points and spans as nearly everybody writes them, read in one pass, eight bytes at a time.
//!
//! `"name" 42.5 1493773500 source="web" "k"="v"`, `"name" source="web" traceId=… "k"="v" 1552949776000 343`: one space
//! between two pairs, no backslash, what starts with a letter or a digit without quotes. A line that is not of this
//! form, is over a limit or has anything wrong is left to the reader that knows all the rules: so what is read here is
//! what that one makes of it, and no error is told here.

use super::{
    Line,
    cursor::Cursor,
    number,
    point::Point,
    run::{illegal, quote, run, space, space_or_escape},
    span::{self, Span},
    tags::{Pairs, Tags},
    text::Text,
    validate,
};
use crate::Limits;

/// What is still to come of a line, or of one inside a JSON string.
#[derive(Clone, Copy)]
struct Rest<'a, const JSON: bool>(&'a str);

impl<'a, const JSON: bool> Rest<'a, JSON> {
    const QUOTE: &'static str = if JSON { "\\\"" } else { "\"" };

    fn first(self) -> Option<u8> {
        self.0.as_bytes().first().copied()
    }

    /// Goes past one space.
    fn space(&mut self) -> Option<()> {
        self.0 = self.0.strip_prefix(' ')?;
        Some(())
    }

    /// Goes past so many bytes, and returns them.
    #[inline(always)]
    fn take(&mut self, len: usize) -> Option<&'a str> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// The name, and whether it is one of legal characters alone; and the space behind it.
    #[inline(always)]
    fn name(&mut self) -> Option<(&'a str, bool)> {
        if let Some(inside) = self.0.strip_prefix(Self::QUOTE) {
            let legal = run(inside.as_bytes(), illegal);
            let is_legal = inside.as_bytes().get(legal) == Self::QUOTE.as_bytes().first();
            let len = if is_legal { legal } else { legal + run(inside.as_bytes().get(legal..)?, quote) };
            let (name, rest) = inside.split_at_checked(len)?;
            self.0 = rest.strip_prefix(Self::QUOTE)?.strip_prefix(' ')?;
            return Some((name, is_legal && len > 0));
        }
        // It starts with neither `!` nor `@` nor `{`.
        let name = self.take(run(self.0.as_bytes(), illegal))?;
        self.space()?;
        name.as_bytes().first()?.is_ascii_alphanumeric().then_some((name, true))
    }

    /// A key of legal characters that starts with no digit, its value, which is not blank, and the space behind it.
    #[inline(always)]
    fn pair(&mut self) -> Option<(&'a str, &'a str)> {
        let key = if let Some(inside) = self.0.strip_prefix(Self::QUOTE) {
            let (key, rest) = inside.split_at_checked(run(inside.as_bytes(), illegal))?;
            self.0 = rest.strip_prefix(Self::QUOTE)?.strip_prefix('=')?;
            key
        } else {
            let key = self.take(run(self.0.as_bytes(), illegal))?;
            self.0 = self.0.strip_prefix('=')?;
            key
        };
        if key.as_bytes().first()?.is_ascii_digit() {
            return None;
        }
        let value = if let Some(inside) = self.0.strip_prefix(Self::QUOTE) {
            let (value, rest) = inside.split_at_checked(run(inside.as_bytes(), quote))?;
            self.0 = rest.strip_prefix(Self::QUOTE)?;
            let is_graphic = value.as_bytes().first().is_some_and(u8::is_ascii_graphic);
            (is_graphic || !Text::plain(value).is_blank()).then_some(value)?
        } else {
            let value = self.take(run(self.0.as_bytes(), if JSON { space_or_escape } else { space }))?;
            value.as_bytes().first()?.is_ascii_alphanumeric().then_some(value)?
        };
        if !self.0.is_empty() {
            self.space()?;
        }
        Some((key, value))
    }

    /// Digits, as many as 64 bits hold for certain, up to a space or the line's end.
    #[inline(always)]
    fn digits(&mut self) -> Option<u64> {
        let (mut number, mut len) = (0_u64, 0);
        for byte in self.0.as_bytes() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            len += 1;
        }
        if !(1..=number::SHORT).contains(&len) {
            return None;
        }
        self.take(len)?;
        if !self.0.is_empty() {
            self.space()?;
        }
        Some(number)
    }
}

/// A line of which the reader takes nothing off its ends.
fn whole(line: &str) -> Option<Rest<'_, false>> {
    // What it starts with is looked at as part of a name.
    line.as_bytes().last().filter(|last| **last > b' ')?;
    Some(Rest(line))
}

/// The pairs from here up to where `end` stands.
fn pairs<'a, const JSON: bool>(from: Rest<'a, JSON>, end: Rest<'a, JSON>) -> Option<Pairs<'a>> {
    let text = from.0.get(..from.0.len() - end.0.len())?;
    // Where they stand in the line is asked for only where there is a fault.
    Some(Pairs::all(if JSON { Cursor::in_json(text, 0) } else { Cursor::new(text, 0) }))
}

/// A point or a span, where it is an ordinary one.
pub(super) fn line<'a>(line: &'a str, limits: &Limits) -> Option<Line<'a>> {
    let mut rest = whole(line)?;
    let (name, is_legal) = rest.name()?;
    // The token behind the name is no number if it starts with a small letter: the line is no point.
    match *rest.0.as_bytes() {
        [b'a'..=b'z', ..] | [b'"', b'a'..=b'z', ..] => span_of(name, rest, Some(limits)).map(Line::Span),
        _ => point_of((name, is_legal), rest, limits).map(Line::Point),
    }
}

/// A point, where it is an ordinary one.
pub(super) fn point<'a>(line: &'a str, limits: &Limits) -> Option<Point<'a>> {
    let mut rest = whole(line)?;
    let name = rest.name()?;
    point_of(name, rest, limits)
}

/// A span, where it is an ordinary one.
pub(super) fn span<'a>(line: &'a str, limits: &Limits) -> Option<Span<'a>> {
    let mut rest = whole(line)?;
    let (name, _) = rest.name()?;
    span_of(name, rest, Some(limits))
}

/// A span that stands inside a JSON string, where it is an ordinary one. There are no limits for it.
pub(super) fn span_in_json(inside: &str) -> Option<Span<'_>> {
    let mut rest = Rest::<true>(inside.strip_suffix("\\n").unwrap_or(inside));
    let (name, _) = rest.name()?;
    span_of(name, rest, None)
}

#[inline(always)]
fn point_of<'a>((name, is_legal): (&'a str, bool), mut rest: Rest<'a, false>, limits: &Limits) -> Option<Point<'a>> {
    let is_delta = !is_legal;
    if is_delta {
        let name = name.strip_prefix(['∆', 'Δ'])?.as_bytes();
        if name.is_empty() || run(name, illegal) < name.len() {
            return None;
        }
    }
    rest.first().filter(|first| first.is_ascii_digit() || *first == b'-')?;
    let value = number::double(&Text::plain(rest.take(run(rest.0.as_bytes(), space))?))?;
    if name.len() > limits.metric_name || is_delta && value <= 0.0 {
        return None;
    }
    if !rest.0.is_empty() {
        rest.space()?;
    }
    let timestamp = match rest.first() {
        Some(b'0'..=b'9') => Some(number::milliseconds(rest.digits()? as f64)),
        _ => None,
    };
    let first_pair = rest;
    let (mut source, mut host, mut count) = (None, None, 0);
    while !rest.0.is_empty() {
        let (key, value) = rest.pair()?;
        match key {
            "source" => source = Some(value),
            "host" => host = Some(value),
            "tag" => return None,
            _ => {
                count += 1;
                if key.len() > limits.tag_key || key.len() + value.len() > limits.tag {
                    return None;
                }
            }
        }
    }
    // A host beside a source becomes a tag.
    if count > limits.tags || source.is_some() && host.is_some() {
        return None;
    }
    let source = source.or(host);
    if source.is_some_and(|source| source.len() > limits.source) {
        return None;
    }
    let tags = Tags::new(pairs(first_pair, rest)?, None);
    Some(Point { name: Text::plain(name), value, timestamp, source: source.map(Text::plain), tags })
}

#[inline(always)]
fn span_of<'a, const JSON: bool>(name: &'a str, mut rest: Rest<'a, JSON>, limits: Option<&Limits>) -> Option<Span<'a>> {
    let first_pair = rest;
    let (mut source, mut trace_id, mut span_id, mut cut, mut count) = (None, None, None, false, 0);
    while !rest.first()?.is_ascii_digit() {
        let (key, value) = rest.pair()?;
        match key {
            "source" | "host" => source = Some(value),
            "traceId" => trace_id = Some(value),
            "spanId" => span_id = Some(value),
            _ => {
                count += 1;
                if limits.is_some_and(|limits| key.len() > limits.span_tag_key) {
                    return None;
                }
                cut |= value.len() > Text::CUT && Text::plain(value).len_utf16() > Text::CUT;
            }
        }
    }
    let pairs = pairs(first_pair, rest)?;
    let start = rest.digits()? as f64 as i64;
    let duration = rest.digits()? as f64 as i64;
    let (trace_id, span_id) = (Text::plain(trace_id?), Text::plain(span_id?));
    let is_too_long = |limits: &Limits| {
        name.len() > limits.span_name
            || count > limits.span_tags
            || source.is_some_and(|source| source.len() > limits.source)
    };
    if !rest.0.is_empty() || limits.is_some_and(is_too_long) || !validate::is_uuid(&trace_id) {
        return None;
    }
    Some(span::of(Text::plain(name), source.map(Text::plain), [trace_id, span_id], [start, duration], (pairs, cut)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    extern crate std;
    use super::*;
    use crate::parse::{
        self,
        json::{Json, Walk},
    };
    use proptest::prelude::*;
    use proptest::sample::Index;
    use std::{format, string::String, vec::Vec};

    const LIMITS: &Limits = &Limits::DEFAULT;

    const ORDINARY: [&str; 12] = [
        r#""new-york.power.usage" 42422.01 1493773500 source="localhost" "datacenter"="dc1" "env"="production""#,
        r#""new-york.power.usage" -0.5 source="a host" "region"="温度 of the ä" "e"="x""#,
        "new-york.power.usage 1e5 1493773500123 host=localhost datacenter=dc1 env=a'b",
        "requests 7",
        r#""∆requests" 1 source=a_b"#,
        r#""Δrequests" 0.25 1493773500 source="localhost" k="v""#,
        r#""get all*" source="localhost" traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 spanId=0313bafe-9457-11e8-9eb6-529269fb1459 parent=2f64e538-9457-11e8-9eb6-529269fb1459 "application"="Wavefront" "http.url"="https://shop.example.com/cart?id=7" 1533529977627 343"#,
        r#"getAllUsers host=localhost traceId=7B3BF470-9456-11E8-9EB6-529269FB1459 spanId=1 k="v" k="w" 1552949776000123 1552949776000500"#,
        r#""s" traceId=1-2-3-4-5 "spanId"="x y" _spanLogs=true 1552949776000123456 0"#,
        "s traceId=1-2-3-4-5 spanId=x 0 9999999999999999999",
        "m 12345678901234567890",
        "m 0.1234567890123456789 1",
    ];

    /// Everything that can be seen of a line.
    fn seen(line: &Line<'_>) -> String {
        let mut more = format!("{line:?} {:?}", line.kind());
        fn raw<'a>(pairs: Pairs<'a>) -> Vec<(&'a str, &'a str)> {
            pairs.map(|(key, value)| (key.as_raw(), value.as_raw())).collect()
        }
        match line {
            Line::Point(point) => more += &format!("{:?} {:?}", raw(point.tags.pairs()), point.value.to_bits()),
            Line::Span(span) => {
                let whole: Vec<_> = span.tags.whole().collect();
                more += &format!("{:?} {whole:?} {}", raw(span.tags.pairs()), span.tags.is_cut());
            }
            _ => unreachable!("no ordinary line"),
        }
        more
    }

    /// Whether the line is an ordinary one, by any of the entries.
    fn is_read_as_by_all_rules(text: &str, limits: &Limits) -> bool {
        let ways = [
            (line(text, limits), parse::any_line(text, limits)),
            (point(text, limits).map(Line::Point), parse::any_point(text, limits).map(Line::Point)),
            (span(text, limits).map(Line::Span), parse::any_span(text, limits).map(Line::Span)),
        ];
        let mut any = false;
        for (short, long) in ways {
            if let Some(short) = short {
                assert_eq!(seen(&short), seen(&long.unwrap()), "{text:?}");
                any = true;
            }
        }
        any
    }

    fn places_of(text: &str) -> impl Iterator<Item = usize> {
        (0..=text.len()).filter(|at| text.is_char_boundary(*at))
    }

    #[test]
    fn what_is_ordinary_is_read_here() {
        for text in ORDINARY {
            assert_eq!(is_read_as_by_all_rules(text, LIMITS), !text.contains("12345678901234567890 "), "{text}");
        }
    }

    #[test]
    fn any_piece_at_any_place_of_an_ordinary_line_changes_nothing_of_the_verdict() {
        let pieces = [
            "",
            " ",
            "  ",
            "\t",
            "\n",
            "\r",
            "\u{4}",
            "\"",
            "'",
            "\\",
            "\\\"",
            "=",
            "#",
            "-",
            "+",
            ".",
            "0",
            "9",
            "a",
            "F",
            "~",
            "@",
            "!",
            "{",
            "∆",
            "Δ",
            "ä",
            "٣",
            "\u{A0}",
            "\u{2028}",
            "\u{10FFFF}",
            "\"\"",
            "=\"\"",
            " \"",
            "\" ",
            " \"9\"=1",
            " 9",
            " k=v ",
            " tag=t",
            " host=h",
            " source=s",
            " traceId=1-2-3-4-5",
            " 1 1",
            "NaN",
            "0x1p3",
        ];
        for text in ORDINARY {
            for at in places_of(text) {
                let (before, behind) = text.split_at(at);
                for piece in pieces.into_iter().skip(at % 2).step_by(2) {
                    is_read_as_by_all_rules(&format!("{before}{piece}{behind}"), LIMITS);
                }
                let mut behind = behind.chars();
                if behind.next().is_some() {
                    let piece = pieces[at % pieces.len()];
                    is_read_as_by_all_rules(&format!("{before}{piece}{}", behind.as_str()), LIMITS);
                }
                is_read_as_by_all_rules(before, LIMITS);
                is_read_as_by_all_rules(behind.as_str(), LIMITS);
            }
        }
    }

    /// The span inside a JSON string, if this is one and it is ordinary.
    fn is_read_as_in_any_json(inside: &str) -> bool {
        let string = format!("\"{inside}\"");
        let mut walk = Walk::new(&string, 0);
        let Ok(Json::String(text, at)) = walk.value() else { return false };
        let Some(short) = span_in_json(text.as_raw()).filter(|_| walk.peek().is_none()) else { return false };
        let long = span::decode(Cursor::in_json(text.as_raw(), at)).ok().unwrap().span;
        assert_eq!(seen(&Line::Span(short)), seen(&Line::Span(long)), "{inside}");
        true
    }

    #[test]
    fn any_piece_at_any_place_of_a_span_in_json_changes_nothing_of_the_verdict() {
        let pieces = ["", " ", "\\n", "\\", "\\\\", "\\\"", "\"", "\\u0022", "\\t", "=", "9", "#", "ä", "\\u003d", "a"];
        for text in ORDINARY.into_iter().filter(|text| text.contains("traceId")) {
            let inside = text.replace('"', "\\\"");
            assert!(is_read_as_in_any_json(&inside) && is_read_as_in_any_json(&(inside.clone() + "\\n")), "{inside}");
            for at in places_of(&inside) {
                let (before, behind) = inside.split_at(at);
                for piece in pieces {
                    is_read_as_in_any_json(&format!("{before}{piece}{behind}"));
                }
                let mut behind = behind.chars();
                behind.next();
                is_read_as_in_any_json(&format!("{before}{}", behind.as_str()));
                is_read_as_in_any_json(&format!("{before}{}{}", pieces[at % pieces.len()], behind.as_str()));
            }
        }
    }

    #[test]
    fn limits_are_met_exactly() {
        for text in ORDINARY {
            let most = text.len();
            let mut taken = 0;
            for limit in 0..=most {
                for limited in 0..8 {
                    let mut limits = Limits::DEFAULT;
                    let all = [
                        &mut limits.metric_name,
                        &mut limits.source,
                        &mut limits.tag_key,
                        &mut limits.tag,
                        &mut limits.tags,
                        &mut limits.span_name,
                        &mut limits.span_tag_key,
                        &mut limits.span_tags,
                    ];
                    *all.into_iter().nth(limited).unwrap() = limit;
                    taken += usize::from(is_read_as_by_all_rules(text, &limits));
                }
            }
            assert!(taken > most, "{taken} {text}");
        }
    }

    #[test]
    fn a_long_value_is_cut_alike() {
        for len in [127, 128, 129, 200] {
            for piece in ["x", "ä", "😀"] {
                let text = format!("s traceId=1-2-3-4-5 spanId=6 k=\"a{}\" 1 1", piece.repeat(len));
                assert!(is_read_as_by_all_rules(&text, LIMITS));
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_of_an_ordinary_line_may_be_others(
            which: Index,
            changes in prop::collection::vec((any::<Index>(), 0..3_u8, any::<u8>()), 0..6),
            other: Index,
            cut: (Index, Index),
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
            is_read_as_by_all_rules(&String::from_utf8_lossy(&bytes), LIMITS);
            is_read_as_in_any_json(&String::from_utf8_lossy(&bytes).replace('\\', "\\\\").replace('"', "\\\""));
            is_read_as_in_any_json(&String::from_utf8_lossy(&bytes));
            // The end of another line in place of its own.
            let other = other.get(&ORDINARY).as_bytes();
            bytes.truncate(cut.0.index(bytes.len() + 1));
            bytes.extend(&other[cut.1.index(other.len() + 1)..]);
            is_read_as_by_all_rules(&String::from_utf8_lossy(&bytes), LIMITS);
        }
    }
}
