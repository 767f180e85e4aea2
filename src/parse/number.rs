//! Numbers as the reader, a Java program, takes them: `Double.parseDouble`, `Integer.parseInt`.

use super::{
    character::{decimal_digit, is_trimmed},
    text::Text,
};
use crate::line::compact::SHORTCUTS;

/// A number whose digits are JSON escapes is copied here first. Nobody writes one.
const ESCAPED: usize = 64;

/// `Double.parseDouble`: decimal or hexadecimal, `NaN`, `Infinity`, a trailing `d` or `f`, white space around it.
pub(super) fn double(text: &Text<'_>) -> Option<f64> {
    if let Some(text) = text.as_str() {
        return parse(text);
    }
    let mut copy = [0; ESCAPED];
    let mut len = 0;
    for c in text.chars() {
        *copy.get_mut(len)? = u8::try_from(c).ok().filter(u8::is_ascii)?;
        len += 1;
    }
    parse(core::str::from_utf8(copy.get(..len)?).ok()?)
}

fn parse(text: &str) -> Option<f64> {
    if SHORTCUTS && let Some(number) = short(text) {
        return Some(number);
    }
    parse_any(text)
}

/// How many digits 64 bits hold, whatever they are.
pub(super) const SHORT: usize = 19;

/// `[-]digits[.digits]`, where integers are enough: either no digit is behind the point, and an integer is rounded to a
/// double; or the digits are an integer that a double holds, as it does the power of ten, and the quotient is rounded.
fn short(text: &str) -> Option<f64> {
    const POWERS: [f64; SHORT + 1] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19];
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    if digits.len() > SHORT {
        return None;
    }
    let (mut number, mut behind) = (0, None);
    for (index, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => number = number * 10 + u64::from(byte - b'0'),
            b'.' if behind.is_none() => behind = Some(index + 1),
            _ => return None,
        }
    }
    let decimals = digits.len() - behind.unwrap_or(digits.len());
    let magnitude = match decimals {
        // Not a digit, or only the point.
        0 if digits.len() == usize::from(behind.is_some()) => return None,
        0 => number as f64,
        _ if number > 1 << f64::MANTISSA_DIGITS => return None,
        _ => number as f64 / POWERS.get(decimals)?,
    };
    Some(if digits.len() < text.len() { -magnitude } else { magnitude })
}

fn parse_any(text: &str) -> Option<f64> {
    let text = text.trim_matches(is_trimmed);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let magnitude = match digits {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        _ => match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(digits) => hexadecimal(digits)?,
            None => decimal(digits)?,
        },
    };
    Some(magnitude.copysign(sign))
}

/// `digits[.digits][e[sign]digits][dDfF]`, at least one digit before or behind the point.
fn decimal(text: &str) -> Option<f64> {
    let number = without_suffix(text);
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (number, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let mantissa_is_good = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let exponent_is_good = exponent.is_none_or(|text| {
        let text = text.strip_prefix(['+', '-']).unwrap_or(text);
        !text.is_empty() && digits(text)
    });
    if mantissa_is_good && exponent_is_good { number.parse().ok() } else { None }
}

/// `digits[.digits]p[sign]digits[dDfF]`, hexadecimal before the `p`, which has to be there, decimal behind it.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, power) = without_suffix(text).split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // The first 64 bits that count, whether one is set behind them, and the power of two of the last of the 64.
    let (mut bits, mut more, mut scale) = (0_u64, false, 0_i64);
    for (text, step) in [(whole, 0), (fraction, -4)] {
        for c in text.chars() {
            let digit = u64::from(c.to_digit(16)?);
            if bits >> 60 == 0 {
                bits = bits << 4 | digit;
                scale += step;
            } else {
                more |= digit != 0;
                scale += step + 4;
            }
        }
    }
    let (negative, power) = match power.strip_prefix('-') {
        Some(power) => (true, power),
        None => (false, power.strip_prefix('+').unwrap_or(power)),
    };
    if power.is_empty() {
        return None;
    }
    let mut exponent = 0_i64;
    for c in power.chars() {
        exponent = exponent.saturating_mul(10).saturating_add(i64::from(c.to_digit(10)?));
    }
    if bits == 0 {
        return Some(0.0);
    }
    // An exponent over 32 bits decides alone, whatever the digits are.
    if exponent > i64::from(i32::MAX) {
        return Some(if negative { 0.0 } else { f64::INFINITY });
    }
    Some(scaled(bits, more, scale + if negative { -exponent } else { exponent }))
}

/// `bits` × 2^`scale`, rounded half to even; `more` says that `bits` was cut. `bits` is not zero.
fn scaled(bits: u64, more: bool, scale: i64) -> f64 {
    let shift = bits.leading_zeros();
    let bits = bits << shift;
    // The value is 1.xxx × 2^exponent.
    let exponent = scale - i64::from(shift) + 63;
    if exponent > 1023 {
        return f64::INFINITY;
    }
    // Below 2^-1022 a double has fewer bits.
    let lost = 11 + (-1022 - exponent).max(0);
    if lost > 65 {
        return 0.0;
    }
    let wide = u128::from(bits);
    let kept = (wide >> lost) as u64;
    let (rest, half) = (wide & ((1 << lost) - 1), 1 << (lost - 1));
    let up = rest > half || rest == half && (more || kept & 1 == 1);
    let biased = (exponent.max(-1022) + 1022) as u64;
    f64::from_bits((biased << 52) + kept + u64::from(up))
}

fn without_suffix(text: &str) -> &str {
    text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text)
}

/// `Integer.parseInt`: a sign and digits of any script.
pub(super) fn integer(text: &Text<'_>) -> Option<i32> {
    let mut chars = text.chars().peekable();
    let negative = match chars.peek() {
        Some('-') => {
            chars.next();
            true
        }
        Some('+') => {
            chars.next();
            false
        }
        _ => false,
    };
    chars.peek()?;
    let mut number = 0_i64;
    for c in chars {
        number = number * 10 + i64::from(decimal_digit(c)?);
        if number > 1 << 31 {
            return None;
        }
    }
    i32::try_from(if negative { -number } else { number }).ok()
}

/// A timestamp in milliseconds, whichever unit its size says it is in: below 10^12 seconds, below 10^13 milliseconds,
/// below 10^16 microseconds, else nanoseconds.
pub(super) fn milliseconds(timestamp: f64) -> i64 {
    // As Java converts: towards zero, saturating, NaN is zero.
    let whole = timestamp as i64;
    match whole {
        ..1_000_000_000_000 => (1000.0 * timestamp) as i64,
        1_000_000_000_000..10_000_000_000_000 => whole,
        10_000_000_000_000..10_000_000_000_000_000 => whole / 1_000,
        _ => whole / 1_000_000,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::{format, string::String};

    fn number(text: &str) -> Option<f64> {
        double(&Text::plain(text))
    }

    #[test]
    fn java_decimals() {
        for (text, value) in [
            ("42422.0", 42422.0),
            ("5.", 5.0),
            (".5", 0.5),
            ("+3", 3.0),
            ("00012", 12.0),
            ("1e16", 1e16),
            ("1e+16", 1e16),
            ("1E-7f", 1e-7),
            ("1d", 1.0),
            ("\u{4} 7 \t", 7.0),
            ("1e400", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("5e-324", 5e-324),
            ("1e-400", 0.0),
        ] {
            assert_eq!(number(text), Some(value), "{text:?}");
        }
        assert!(number("+NaN").is_some_and(f64::is_nan));
        assert!(number("-0.0").is_some_and(|zero| zero.is_sign_negative()));
        for text in [
            "",
            " ",
            ".",
            "-",
            "e5",
            ".e5",
            "1e",
            "1e+",
            "--1",
            "+-1",
            "1_000",
            "1,0",
            "inf",
            "nan",
            "Infinityf",
            "1dd",
            "infinity",
            "NaNd",
            "1 2",
            "٣",
            "0x10",
            "d",
            "1.2.3",
            "1e5.0",
            "\u{a0}1",
        ] {
            assert_eq!(number(text), None, "{text:?}");
        }
    }

    #[test]
    fn java_hexadecimals() {
        for (text, value) in [
            ("0x1p3", 8.0),
            ("0X.8P1", 1.0),
            ("0x1.p0d", 1.0),
            ("-0x1.8p1", -3.0),
            ("0x0p99999999999", 0.0),
            ("0x1p99999999999", f64::INFINITY),
            ("0x1p-99999999999", 0.0),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x1.fffffffffffff8p1023", f64::INFINITY),
            ("0x1p-1074", 5e-324),
            ("0x1p-1075", 0.0),
            ("0x1.0000000000000000000000001p-1075", 5e-324),
            ("0x1.00000000000008p0", 1.0),
            ("0x1.00000000000008000000000000000001p0", 1.000_000_000_000_000_2),
            ("0x1.00000000000018p0", 1.000_000_000_000_000_4),
            ("0x0.0000000000000000000000000001p112", 1.0),
        ] {
            assert_eq!(number(text), Some(value), "{text:?}");
        }
        for text in ["0x", "0xp1", "0x.p1", "0x1", "0x1p", "0x1p+", "0x1pf", "0x1p1.0", "0xg", "0x1p٣", "0x1 p1"] {
            assert_eq!(number(text), None, "{text:?}");
        }
    }

    #[test]
    fn digits_may_be_json_escapes() {
        assert_eq!(double(&Text::json(r"\u0031\u0032", true)), Some(12.0));
        assert_eq!(double(&Text::json(r"\u6e29", true)), None);
        assert_eq!(double(&Text::token(r#"1\""#, Some('"'), false)), None);
    }

    #[test]
    fn java_integers() {
        let int = |text| integer(&Text::plain(text));
        assert_eq!(int("+20"), Some(20));
        assert_eq!(int("-2147483648"), Some(i32::MIN));
        assert_eq!(int("000000000000000000002147483647"), Some(i32::MAX));
        assert_eq!(int("٢٠"), Some(20));
        for text in ["", "-", "+", "20.0", "2147483648", "-2147483649", " 2", "1e3", "--2", "99999999999999999999"] {
            assert_eq!(int(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_unit_of_a_timestamp_is_its_size() {
        assert_eq!(milliseconds(1_493_773_500.5), 1_493_773_500_500);
        assert_eq!(milliseconds(999_999_999_999.0), 999_999_999_999_000);
        assert_eq!(milliseconds(1e12), 1_000_000_000_000);
        assert_eq!(milliseconds(1e13), 10_000_000_000);
        assert_eq!(milliseconds(1e16), 10_000_000_000);
        assert_eq!(milliseconds(1e300), i64::MAX / 1_000_000);
    }

    #[test]
    fn short_decimals_are_those_of_any() {
        for text in [
            "",
            "-",
            ".",
            "-.",
            "5.",
            ".5",
            "-.5",
            "-0",
            "-0.0",
            "0",
            "00.10",
            "1.2.3",
            "1-",
            "--1",
            "+1",
            "9007199254740992.0",
            "9007199254740993.0",
            "900719925474099.3",
            "9999999999999999999",
            "-9999999999999999999",
            "99999999999999999999",
            ".0000000000000000001",
            "0.000000000000000001",
            "18446744073709551615",
            "9223372036854775807",
            "1e5",
            "9223372036854775809",
        ] {
            if let Some(number) = short(text) {
                assert_eq!(parse_any(text).map(f64::to_bits), Some(number.to_bits()), "{text:?}");
            }
        }
        assert!(["0", "42422.01", "-5.", ".5", "1493773500"].iter().all(|text| short(text).is_some()));
    }

    proptest! {
        #[test]
        fn a_short_decimal_is_that_of_any(text in "-?[0-9]{0,20}(\\.[0-9]{0,20})?", few in "-?[0-9]{1,9}\\.[0-9]{0,9}") {
            for text in [text, few] {
                if let Some(number) = short(&text) {
                    prop_assert_eq!(parse_any(&text).map(f64::to_bits), Some(number.to_bits()));
                }
            }
        }

        #[test]
        fn every_double_comes_back_in_hexadecimal(bits: u64) {
            let value = f64::from_bits(bits & !(1 << 63));
            prop_assume!(value.is_finite());
            let (exponent, fraction) = (value.to_bits() >> 52, value.to_bits() & ((1 << 52) - 1));
            let text: String = if exponent == 0 {
                format!("0x0.{fraction:013x}p-1022")
            } else {
                format!("0x1.{fraction:013x}p{}", exponent as i64 - 1023)
            };
            prop_assert_eq!(number(&text), Some(value));
        }

        #[test]
        fn every_double_comes_back_in_decimal(value: f64) {
            prop_assume!(value.is_finite());
            prop_assert_eq!(number(&format!("{value:e}")), Some(value));
            prop_assert_eq!(number(&format!("{value}")), Some(value));
        }
    }
}
