//! Lengths of time as people write them: `500ms`, `10s`, `5m`, `2h`, `1d`.

use std::time::Duration;

/// Times longer than this are a slip of the pen.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Reads a length of time: a number, which may have decimals, and its unit; seconds if it has none.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "write a number and a unit: 500ms, 10s, 5m, 2h or 1d";
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err(EXPECTED.into()),
    };
    let number: f64 = number.parse().map_err(|_| EXPECTED)?;
    let duration = Duration::try_from_secs_f64(number * seconds).map_err(|_| "this is too long".to_string())?;
    if duration.is_zero() {
        return Err("this has to be longer than nothing".into());
    }
    if duration > LONGEST { Err("this is too long".into()) } else { Ok(duration) }
}

/// As [`parse`], but a second at least.
pub(crate) fn parse_seconds(text: &str) -> Result<Duration, String> {
    match parse(text)? {
        short if short < Duration::from_secs(1) => Err("this has to be 1s at least".into()),
        duration => Ok(duration),
    }
}

/// Writes it as [`parse`] reads it, in the largest unit that fits.
pub(crate) fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")] {
        if millis >= unit && millis.is_multiple_of(unit) {
            return format!("{}{name}", millis / unit);
        }
    }
    if millis < 1_000 { format!("{millis}ms") } else { format!("{}s", duration.as_secs_f64()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read_and_shown_again() {
        for (text, millis, shown) in [
            ("500ms", 500, "500ms"),
            ("10s", 10_000, "10s"),
            ("10", 10_000, "10s"),
            ("90s", 90_000, "90s"),
            ("1.5s", 1_500, "1.5s"),
            ("0.5m", 30_000, "30s"),
            ("5m", 300_000, "5m"),
            ("2h", 7_200_000, "2h"),
            ("48h", 172_800_000, "2d"),
        ] {
            let duration = parse(text).unwrap();
            assert_eq!((duration.as_millis(), show(duration).as_str()), (millis, shown), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "s", "-1s", "1 s", "1.2.3s", "1w", "0s", "1e9s", "99999999999999d", "ten", "1s1s"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse_seconds("999ms").is_err() && parse_seconds("1s").is_ok());
    }
}
