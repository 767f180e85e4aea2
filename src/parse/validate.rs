//! What the receiver's validator asks of names, keys and ids.

use super::{
    character::hex_digit,
    cursor::Token,
    error::{Fault, Part, Reason},
    run::is_id,
    text::Text,
};
use crate::line::compact::SHORTCUTS;

/// Whether a name starts with one of the two deltas that mark a delta counter.
pub(super) fn is_delta(name: &Text<'_>) -> bool {
    matches!(name.chars().next(), Some('∆' | 'Δ'))
}

/// A name or a key: `,` `-` `.` `/`, ASCII letters and digits, `_`; `~`, `∆` or `Δ` may come first, `~` also behind a
/// leading delta. A delta alone crashes the validator.
pub(super) fn name(token: &Token<'_>, part: Part) -> Result<(), Fault> {
    // All of them are looked at, as they nearly always have to be: so it is done in wide steps.
    let legal = |text: &str| text.bytes().fold(true, |legal, byte| legal & is_legal(char::from(byte)));
    let plain = |text: &str| !text.is_empty() && legal(text);
    if token.text.as_str().is_some_and(plain) {
        return Ok(());
    }
    let mut chars = token.text.chars();
    let mut before = chars.clone();
    let mut first = None;
    let mut count = 0_usize;
    while let Some(c) = chars.next() {
        let legal = is_legal(c)
            || count == 0 && matches!(c, '~' | '∆' | 'Δ')
            || count == 1 && c == '~' && matches!(first, Some('∆' | 'Δ'));
        if !legal {
            return Err(token.fault_before(&before, Reason::IllegalCharacter(part)));
        }
        first = first.or(Some(c));
        count += 1;
        before = chars.clone();
    }
    match (count, first) {
        (0, _) => Err(token.fault(Reason::Blank(part))),
        (1, Some('∆' | 'Δ')) => Err(token.fault(Reason::PrefixOnly(part))),
        _ => Ok(()),
    }
}

const fn is_legal(c: char) -> bool {
    matches!(c, ','..='9' | 'A'..='Z' | 'a'..='z' | '_')
}

/// At most `limit` UTF-16 code units. Counted only where the bytes are more, since the units never are.
pub(super) fn length(token: &Token<'_>, part: Part, limit: usize) -> Result<(), Fault> {
    if token.text.as_raw().len() > limit {
        let len = token.text.len_utf16();
        if len > limit {
            return Err(token.fault(Reason::TooLong { part, limit, len }));
        }
    }
    Ok(())
}

/// Anything but white space.
pub(super) fn not_blank(token: &Token<'_>, part: Part) -> Result<(), Fault> {
    if token.text.is_blank() { Err(token.fault(Reason::Blank(part))) } else { Ok(()) }
}

/// `UUID.fromString`: at most 36 code units, five groups of hexadecimal digits that fit in 63 bits, each of which may
/// have a sign. Shorter groups than usual are read as numbers.
pub(super) fn uuid(token: &Token<'_>, part: Part) -> Result<(), Fault> {
    if is_uuid(&token.text) { Ok(()) } else { Err(token.fault(Reason::NotAUuid(part))) }
}

pub(super) fn is_uuid(text: &Text<'_>) -> bool {
    // As nearly all are written. The groups are all shorter than 63 bits.
    if text.as_str().and_then(|text| text.as_bytes().try_into().ok()).is_some_and(is_usual) {
        return true;
    }
    let (mut units, mut groups, mut digits, mut signed, mut value) = (0, 1, 0, false, 0_u64);
    for c in text.chars() {
        units += c.len_utf16();
        if units > 36 {
            return false;
        }
        match c {
            '-' if digits > 0 => (groups, digits, signed, value) = (groups + 1, 0, false, 0),
            '+' if digits == 0 && !signed => signed = true,
            _ => {
                let Some(digit) = hex_digit(c) else { return false };
                if value >> 59 != 0 {
                    return false;
                }
                (digits, value) = (digits + 1, value << 4 | u64::from(digit));
            }
        }
    }
    groups == 5 && digits > 0
}

/// 8, 4, 4, 4 and 12 digits with hyphens between them.
fn is_usual(text: &[u8; 36]) -> bool {
    if SHORTCUTS {
        return is_id(text);
    }
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    let hyphens = HYPHENS.iter().all(|&at| text.get(at) == Some(&b'-'));
    hyphens && text.iter().filter(|byte| byte.is_ascii_hexdigit()).count() == 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), Fault> {
        name(&Token::new(Text::plain(text), 0), Part::MetricName)
    }

    #[test]
    fn names() {
        for good in ["requests", "a,b-c.d/9_", "~internal", "∆count", "Δ~count", "~", "∆~", "-"] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        assert_eq!(check(""), Err(Fault::new(0, Reason::Blank(Part::MetricName))));
        assert_eq!(check("Δ"), Err(Fault::new(0, Reason::PrefixOnly(Part::MetricName))));
        for (bad, at) in [("a b", 1), ("a~", 1), ("~~", 1), ("∆∆", 3), ("~∆", 1), ("∆~~", 4), ("ab+", 2), ("é", 0)]
        {
            assert_eq!(check(bad), Err(Fault::new(at, Reason::IllegalCharacter(Part::MetricName))), "{bad:?}");
        }
    }

    #[test]
    fn ids() {
        for good in [
            "7b3bf470-9456-11e8-9eb6-529269fb1459",
            "7B3BF470-9456-11E8-9EB6-529269FB1459",
            "1-2-3-4-5",
            "+1-2-3-4-+5",
            "0-0-0-0-7fffffffffffffff",
            "0-0-0-0-0000000000000000000000000001",
            "Ａ-٣-0-0-0",
        ] {
            assert!(is_uuid(&Text::plain(good)), "{good:?}");
        }
        for bad in [
            "",
            "abc",
            "7b3bf470945611e89eb6529269fb1459",
            "7b3bf470-9456-11e8-9eb6-529269fb14590",
            "1-2-3-4",
            "1-2-3-4-5-6",
            "1-2--4-5",
            "-1-2-3-4-5",
            "1-2-3-4-5-",
            "1-2-3-4-+",
            "1-2-3-4-++5",
            "g-2-3-4-5",
            "0-0-0-0-8000000000000000",
            " 1-2-3-4-5",
        ] {
            assert!(!is_uuid(&Text::plain(bad)), "{bad:?}");
        }
    }

    #[test]
    fn lengths_are_in_utf16() {
        let check = |text, limit| length(&Token::new(Text::plain(text), 0), Part::Source, limit);
        assert_eq!(check("日本", 2), Ok(()));
        assert_eq!(check("😀", 2), Ok(()));
        assert_eq!(check("😀a", 2), Err(Fault::new(0, Reason::TooLong { part: Part::Source, limit: 2, len: 3 })));
    }
}
