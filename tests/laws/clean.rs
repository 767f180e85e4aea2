//! The clean-up of the wire format, said once more and slowly, and what may be wrong with the fields of a datum.

use wavefront_sdk::{Limits, Problem, Rules};

/// What has a meaning for the reader, at both ends of it, and in other alphabets.
pub(crate) const PIECES: [&str; 43] = [
    "a",
    "B",
    "z9",
    "0",
    "42",
    ".",
    "-",
    "/",
    "_",
    ",",
    "~",
    "∆",
    "Δ",
    "\"",
    "'",
    "\\",
    "\n",
    "\r",
    "\t",
    " ",
    "=",
    "@",
    "#",
    "{",
    "}",
    "!M ",
    "\u{0}",
    "\u{4}",
    "\u{1C}",
    "\u{7F}",
    "\u{85}",
    "\u{A0}",
    "é",
    "温",
    "😀",
    "\u{2028}",
    "\u{FEFF}",
    "source",
    "host",
    "tag",
    "_tag",
    "parent",
    "_spanLogs",
];

/// Lengths that are limits, or near one.
pub(crate) const LENGTHS: [usize; 8] = [63, 127, 128, 251, 253, 254, 511, 1023];

pub(crate) type Pairs<'a> = &'a [(&'a str, &'a str)];

pub(crate) fn name(raw: &str) -> String {
    let mut clean = String::new();
    for (at, c) in raw.chars().enumerate() {
        let first = at == 0 && ['~', '∆', 'Δ'].contains(&c);
        let after_delta = at == 1 && c == '~' && raw.starts_with(['∆', 'Δ']);
        let legal = c.is_ascii_alphanumeric() || [',', '-', '.', '/', '_'].contains(&c);
        clean.push(if first || after_delta || legal { c } else { '-' });
    }
    clean
}

/// The key under which the reader keeps a point tag.
pub(crate) fn kept(raw: &str) -> String {
    if raw == "tag" { "_tag".to_owned() } else { name(raw) }
}

pub(crate) fn span_key(raw: &str) -> String {
    let clean = name(raw);
    if clean.bytes().all(|byte| byte.is_ascii_digit()) { format!("_{clean}") } else { clean }
}

/// What the reader makes of a cleaned value: the escape of LF stays.
pub(crate) fn text(raw: &str) -> String {
    let mut text = raw.trim_matches(is_space);
    while let Some(less) = text.strip_suffix('\\') {
        text = less.trim_end_matches(is_space);
    }
    text.replace('\n', "\\n").replace('\u{4}', "-")
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1C}'..='\u{1F}').contains(&c)
}

pub(crate) fn is_blank(raw: &str) -> bool {
    raw.chars().all(is_space)
}

/// The source that is written: none where nobody gave one.
pub(crate) fn source(own: Option<&str>, rules: &Rules<'_>) -> Option<String> {
    [own, rules.default_source].into_iter().flatten().map(text).find(|source| !source.is_empty())
}

pub(crate) fn pairs(tags: Pairs<'_>, key: fn(&str) -> String) -> Vec<(String, String)> {
    tags.iter().map(|(name, value)| (key(name), text(value))).collect()
}

pub(crate) fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

// What may be wrong, field by field: whether the input has the problem that an error tells of.

pub(crate) fn too_long(problem: Problem, most: usize, mut lens: impl Iterator<Item = usize>) -> bool {
    matches!(problem, Problem::TooLong { limit, len } if limit == most && len > limit && lens.any(|it| it == len))
}

pub(crate) fn bad_name(raw: &str, meant: &str, most: usize, problem: Problem) -> bool {
    match problem {
        Problem::Blank => is_blank(raw),
        Problem::PrefixOnly => ["~", "∆", "Δ", "∆~", "Δ~"].contains(&raw),
        _ => too_long(problem, most, [utf16(meant)].into_iter()),
    }
}

pub(crate) fn bad_source(own: Option<&str>, rules: &Rules<'_>, problem: Problem) -> bool {
    match source(own, rules) {
        None => problem == Problem::Missing,
        Some(source) => too_long(problem, rules.limits.source, [utf16(&source)].into_iter()),
    }
}

/// A problem of any key, apart from its repetition.
pub(crate) fn bad_key(
    tags: Pairs<'_>,
    key: fn(&str) -> String,
    reserved: &[&str],
    most: usize,
    problem: Problem,
) -> bool {
    let mut keys = tags.iter().map(|(key, _)| *key);
    match problem {
        Problem::Blank => keys.any(is_blank),
        Problem::PrefixOnly => keys.any(|key| ["∆", "Δ", "∆~", "Δ~"].contains(&key)),
        Problem::ReservedKey => keys.any(|key| reserved.contains(&key)),
        _ => too_long(problem, most, keys.map(|raw| utf16(&key(raw)))),
    }
}

pub(crate) fn repeated(tags: Pairs<'_>, key: fn(&str) -> String) -> bool {
    let mut keys: Vec<_> = tags.iter().map(|(raw, _)| key(raw)).collect();
    keys.sort();
    keys.windows(2).any(|two| two[0] == two[1])
}

pub(crate) fn blank_value(tags: Pairs<'_>, problem: Problem) -> bool {
    problem == Problem::Blank && tags.iter().any(|(_, value)| text(value).is_empty())
}

pub(crate) fn long_pair(tags: Pairs<'_>, limits: &Limits, problem: Problem) -> bool {
    too_long(problem, limits.tag, pairs(tags, kept).iter().map(|(key, value)| utf16(key) + utf16(value)))
}

pub(crate) fn too_many(most: usize, given: usize, problem: Problem) -> bool {
    matches!(problem, Problem::TooMany { limit, count } if limit == most && count == given && count > limit)
}

// Times.

/// What the reader makes of a written timestamp, in milliseconds, where doubles can say it.
pub(crate) fn milliseconds(written: u64) -> Option<u64> {
    match written {
        ..1_000_000_000_000 => Some(written * 1000),
        ..10_000_000_000_000 => Some(written),
        ..9_007_199_254_740_992 => Some(written / 1000),
        _ => None,
    }
}
