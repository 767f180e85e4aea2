//! What a user is shown of a line: where something is, in the line as far as it fits.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use unicode_width::UnicodeWidthChar;

/// How much of a line is shown, in columns of the terminal.
const WIDTH: usize = 100;

/// How much of that is kept for what stands before the place, if there is so much on both sides.
const BEFORE: usize = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Error,
    Note,
}

/// Something to say of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finding<'a> {
    pub(super) level: Level,
    /// The column, if it is about a place: in characters, from 1.
    pub(super) column: Option<usize>,
    pub(super) text: &'a str,
}

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    error: &'static str,
    note: &'static str,
    strong: &'static str,
    plain: &'static str,
}

impl Style {
    const PLAIN: Self = Self { error: "", note: "", strong: "", plain: "" };
    const COLOURS: Self = Self { error: "\x1b[1;31m", note: "\x1b[1;36m", strong: "\x1b[1m", plain: "\x1b[0m" };

    /// Colours on a terminal that has them, unless `NO_COLOR` is set to anything.
    pub(super) fn of(output: &impl IsTerminal) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if output.is_terminal() && !set("NO_COLOR") && !dumb { Self::COLOURS } else { Self::PLAIN }
    }
}

/// Writes one finding: what it is, the line, and a caret under the place.
pub(super) fn finding(
    output: &mut impl Write,
    style: Style,
    file: &str,
    number: u64,
    finding: Finding<'_>,
    line: &str,
) -> io::Result<()> {
    let Style { strong, plain, .. } = style;
    let (colour, level) = match finding.level {
        Level::Error => (style.error, "error"),
        Level::Note => (style.note, "note"),
    };
    let column = finding.column.map_or(String::new(), |column| format!("{column}:"));
    writeln!(output, "{strong}{file}:{number}:{column}{plain} {colour}{level}:{plain} {}", finding.text)?;
    // A CR at the end is part of how the file ends its lines.
    let (shown, caret) = window(line.trim_end_matches('\r'), finding.column.unwrap_or(1));
    writeln!(output, "    {shown}")?;
    if finding.column.is_some() {
        writeln!(output, "    {:caret$}{colour}^{plain}", "")?;
    }
    Ok(())
}

/// The part of the line around a column, each character visible, and how far from its start the column is, in columns
/// of the terminal.
fn window(line: &str, column: usize) -> (String, usize) {
    let at = line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    let (before, behind) = line.split_at_checked(at).unwrap_or((line, ""));
    // No piece is without width.
    let behind_width: usize = behind.chars().take(WIDTH + 1).map(|c| piece(c).1).sum();
    let room = WIDTH.saturating_sub(behind_width).max(BEFORE);
    let (mut start, mut caret) = (before.len(), 0);
    for (at, c) in before.char_indices().rev() {
        let width = piece(c).1;
        if caret + width > room {
            break;
        }
        (start, caret) = (at, caret + width);
    }
    let mut room = WIDTH - caret;
    let mut text = String::new();
    if start > 0 {
        text.push('…');
        caret += 1;
    }
    text.extend(before.get(start..).unwrap_or_default().chars().map(|c| piece(c).0));
    for c in behind.chars() {
        let (shown, width) = piece(c);
        if width > room {
            text.push('…');
            break;
        }
        room -= width;
        text += &shown;
    }
    (text, caret)
}

/// A character as it is shown, and how wide that is. What would not be seen, or would command the terminal, is written
/// as an escape.
fn piece(c: char) -> (Cow<'static, str>, usize) {
    let seen = c == ' ' || !(c.is_control() || c.is_whitespace());
    match c.width() {
        Some(width @ 1..) if seen => (c.to_string().into(), width),
        _ => {
            let escape: String = if c == '\0' { "\\0".into() } else { c.escape_unicode().to_string() };
            let escape = match c {
                '\t' | '\r' | '\n' => c.escape_default().to_string(),
                _ => escape,
            };
            let width = escape.len();
            (escape.into(), width)
        }
    }
}

/// Text of somebody else, as it can be shown.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.into();
    }
    text.chars().map(|c| piece(c).0).collect::<String>().into()
}

/// The column of a place that is `at` bytes into the line.
pub(super) fn column(line: &str, at: usize) -> usize {
    line.char_indices().take_while(|(here, _)| *here < at).count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands above the caret.
    fn pointed_at(line: &str, column: usize) -> (String, String) {
        let (text, caret) = window(line, column);
        let mut width = 0;
        let rest = text.chars().skip_while(|c| {
            let before = width < caret;
            width += if before { c.width().unwrap() } else { 0 };
            before
        });
        let rest = rest.collect();
        (text, rest)
    }

    #[test]
    fn the_caret_is_under_the_place() {
        let line = "温度\t\u{4}\u{202e}é 😀=x";
        for (column, expected) in [
            (1, "温度"),
            (2, "度\\t"),
            (3, "\\t\\u{4}"),
            (4, "\\u{4}"),
            (5, "\\u{202e}é"),
            (6, "é 😀"),
            (8, "😀=x"),
            (9, "=x"),
            (11, ""),
        ] {
            let (text, rest) = pointed_at(line, column);
            assert_eq!(text, "温度\\t\\u{4}\\u{202e}é 😀=x");
            assert!(rest.starts_with(expected), "column {column} is at {rest:?}");
        }
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        let line = "日".repeat(10_000) + "!" + &"b".repeat(100_000);
        for (column, first) in [(1, '日'), (10_000, '日'), (10_001, '!'), (10_002, 'b'), (110_001, 'b')] {
            let (text, rest) = pointed_at(&line, column);
            let width: usize = text.chars().map(|c| c.width().unwrap()).sum();
            assert!(width <= WIDTH + 2, "{width}");
            assert!(rest.starts_with(first), "column {column} is at {rest:?}");
        }
        let (text, rest) = pointed_at(&line, 110_002);
        assert!(text.starts_with("…b") && rest.is_empty());
    }

    #[test]
    fn nothing_unseen_and_no_command_to_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[2J\0\u{200b}e\u{301}\u{2028}\u{a0}"),
            "a\\u{1b}[2J\\0\\u{200b}e\\u{301}\\u{2028}\\u{a0}"
        );
        assert_eq!(printable("x y"), "x y");
    }

    #[test]
    fn columns_of_places() {
        assert_eq!(column("日本x", 0), 1);
        assert_eq!(column("日本x", 6), 3);
        assert_eq!(column("日本x", 7), 4);
    }
}
