//! The classes of characters that the reader, a Java program, goes by.

/// The first of each ten decimal digits (Unicode `Nd`) of the Basic Multilingual Plane. The reader looks at UTF-16 code
/// units, so digits beyond that plane are none to it.
const ZEROS: [u32; 36] = [
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50,
    0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50,
    0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
];

/// `Character.isWhitespace`: space separators that may break, line and paragraph separators, TAB to CR, U+001C to
/// U+001F.
pub(super) const fn is_whitespace(c: char) -> bool {
    matches!(
        c,
        '\t'..='\r'
            | '\u{1C}'..='\u{20}'
            | '\u{1680}'
            | '\u{2000}'..='\u{2006}'
            | '\u{2008}'..='\u{200A}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{205F}'
            | '\u{3000}'
    )
}

/// What `String.trim` takes off both ends of a line.
pub(super) const fn is_trimmed(c: char) -> bool {
    c <= ' '
}

/// `Character.digit` with radix 10.
pub(super) fn decimal_digit(c: char) -> Option<u32> {
    if c.is_ascii() {
        return c.to_digit(10);
    }
    let code = u32::from(c);
    ZEROS.iter().find_map(|&zero| code.checked_sub(zero).filter(|&digit| digit < 10))
}

/// `Character.digit` with radix 16: fullwidth letters are digits too.
pub(super) fn hex_digit(c: char) -> Option<u32> {
    match c {
        'Ａ'..='Ｆ' => Some(u32::from(c) - u32::from('Ａ') + 10),
        'ａ'..='ｆ' => Some(u32::from(c) - u32::from('ａ') + 10),
        _ if c.is_ascii() => c.to_digit(16),
        _ => decimal_digit(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_what_may_break() {
        for c in [' ', '\t', '\n', '\r', '\u{B}', '\u{C}', '\u{1C}', '\u{1F}', '\u{2003}', '\u{2028}', '\u{3000}'] {
            assert!(is_whitespace(c), "{c:?}");
        }
        for c in ['\u{A0}', '\u{2007}', '\u{202F}', '\u{4}', '\u{85}', '\u{180E}', '\u{200B}', '\u{FEFF}', 'a'] {
            assert!(!is_whitespace(c), "{c:?}");
        }
    }

    #[test]
    fn digits_of_every_script_in_the_first_plane() {
        assert_eq!(decimal_digit('7'), Some(7));
        assert_eq!(decimal_digit('٣'), Some(3));
        assert_eq!(decimal_digit('９'), Some(9));
        assert_eq!(decimal_digit('a'), None);
        assert_eq!(decimal_digit('𝟗'), None, "beyond the first plane");
        assert_eq!(hex_digit('f'), Some(15));
        assert_eq!(hex_digit('Ｃ'), Some(12));
        assert_eq!(hex_digit('٣'), Some(3));
        assert_eq!(hex_digit('g'), None);
    }
}
