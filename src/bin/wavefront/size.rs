//! Numbers of bytes as people write them: `64MiB`, `1GiB`, `500MB`.

/// Units, and what they stand for: a letter alone is what file systems and containers take it for.
const UNITS: [(&[&str], u64); 8] = [
    (&["kib", "k"], 1 << 10),
    (&["mib", "m"], 1 << 20),
    (&["gib", "g"], 1 << 30),
    (&["tib", "t"], 1 << 40),
    (&["kb"], 1_000),
    (&["mb"], 1_000_000),
    (&["gb"], 1_000_000_000),
    (&["tb"], 1_000_000_000_000),
];

/// Reads a number of bytes: a number, which may have decimals, and its unit; bytes if it has none.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    const EXPECTED: &str = "write a number and a unit: 500MB, 64MiB or 1GiB";
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let unit = unit.to_ascii_lowercase();
    let factor = match UNITS.iter().find(|(names, _)| names.contains(&unit.as_str())) {
        Some((_, factor)) => *factor,
        None if unit.is_empty() || unit == "b" => 1,
        None => return Err(EXPECTED.into()),
    };
    let number: f64 = number.parse().map_err(|_| EXPECTED)?;
    let bytes = number * factor as f64;
    // No file system is larger.
    if bytes < (1_u64 << 60) as f64 { Ok(bytes as u64) } else { Err("this is too much".into()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read() {
        for (text, bytes) in [
            ("0", 0),
            ("262144", 262_144),
            ("100b", 100),
            ("256KiB", 262_144),
            ("256k", 262_144),
            ("1.5MiB", 1_572_864),
            ("500MB", 500_000_000),
            ("1gib", 1 << 30),
            ("2T", 2 << 40),
        ] {
            assert_eq!(parse(text).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "MiB", "-1", "1 GiB", "1.2.3", "1PiBs", "much", "9999999TiB", "1e9"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
