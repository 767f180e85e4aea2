//! The demo's table.

use std::time::Duration;

use serde_json::{Value, json};

use super::check::Row;
use crate::shown::grouped;

/// Whether to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Plain,
    Colours,
}

impl Paint {
    const BOLD: &'static str = "1";
    pub(crate) const DIM: &'static str = "2";
    pub(crate) const RED: &'static str = "31";
    pub(crate) const GREEN: &'static str = "32";

    pub(crate) fn over(self, style: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colours => format!("\u{1b}[{style}m{text}\u{1b}[0m"),
        }
    }
}

/// What a line may fill of a terminal's usual 80 columns.
pub(crate) const WIDTH: usize = 79;
/// What is left of that for the last column.
const LAST: usize = 29;

/// Two lines above the table: what this is, and how long it has lasted.
pub(crate) fn title(time: &str, paint: Paint) -> String {
    let (name, what) = (" wavefront demo", " this machine and a make-believe shop, over the loopback, to a collector");
    let time = format!("{time:>width$}", width = WIDTH - name.len());
    format!("{}{time}\n{}", paint.over(Paint::BOLD, name), paint.over(Paint::DIM, what))
}

/// The table, without a line end at its end.
pub(crate) fn table(rows: &[Row], paint: Paint) -> String {
    let head =
        format!(" {:<6}{:<11}{:>9}{:>10}{:>10}   {}", "over", "kind", "sent", "accepted", "rejected", "last value");
    let mut text = paint.over(Paint::BOLD, &head);
    let mut before = None;
    for row in rows {
        let via = if before == Some(row.via) { String::new() } else { row.via.to_string().to_uppercase() };
        before = Some(row.via);
        let kind = row.kind.as_str().replace('_', " ");
        let accepted = format!("{:>10}", grouped(row.accepted));
        let accepted = if row.accepted == row.sent { paint.over(Paint::GREEN, &accepted) } else { accepted };
        let rejected = format!("{:>10}", grouped(row.rejected));
        let rejected = paint.over(if row.rejected == 0 { Paint::DIM } else { Paint::RED }, &rejected);
        let via = format!("{via:<6}");
        let via = if via.trim().is_empty() { via } else { paint.over(Paint::BOLD, &via) };
        let (sent, last) = (grouped(row.sent), fitted(&row.last));
        text += &format!("\n {via}{kind:<11}{sent:>9}{accepted}{rejected}   {last}");
    }
    text
}

/// As much of it as the last column holds, and nothing that a terminal would obey.
fn fitted(text: &str) -> String {
    let plain = |c: char| if c.is_control() { '·' } else { c };
    if text.chars().count() <= LAST {
        return text.chars().map(plain).collect();
    }
    let mut short: String = text.chars().take(LAST - 1).map(plain).collect();
    short.push('…');
    short
}

/// Seconds, with a tenth.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1}s", time.as_secs_f64())
}

/// Everything as one JSON object.
pub(crate) fn as_json(rows: &[Row], problems: &[String], lasted: Duration) -> Value {
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).sum::<u64>();
    let row = |row: &Row| {
        json!({
            "via": row.via.to_string(),
            "kind": row.kind.as_str(),
            "sent": row.sent,
            "delivered": row.delivered,
            "accepted": row.accepted,
            "rejected": row.rejected,
            "missing": row.missing,
            "unexpected": row.unexpected,
            "last": row.last,
        })
    };
    json!({
        "ok": problems.is_empty(),
        "seconds": (lasted.as_secs_f64() * 1000.0).round() / 1000.0,
        "sent": sum(|row| row.sent),
        "accepted": sum(|row| row.accepted),
        "rejected": sum(|row| row.rejected),
        "problems": problems,
        "rows": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use wavefront_sdk::Kind;
    use wavefront_sdk::collector::Via;

    use super::*;

    fn rows() -> Vec<Row> {
        let row = |via, kind| Row {
            via,
            kind,
            sent: 1_234_567,
            delivered: 1_234_567,
            accepted: 1_234_567,
            rejected: 0,
            missing: 0,
            unexpected: 0,
            last: "ä".repeat(200) + "\u{1b}[2J",
            example: None,
        };
        Via::ALL.into_iter().flat_map(|via| Kind::ALL.map(|kind| row(via, kind))).collect()
    }

    #[test]
    fn it_fits_a_terminal_and_its_columns_line_up() {
        let text = table(&rows(), Paint::Plain);
        assert_eq!(text.lines().count(), 15);
        let head = text.lines().next().unwrap_or_default();
        let end_of = |word: &str| head.find(word).map(|at| at + word.len());
        for line in text.lines().skip(1) {
            assert!(line.chars().count() <= WIDTH, "{line}");
            assert_eq!(
                line.match_indices("1,234,567").map(|(at, found)| at + found.len()).collect::<Vec<_>>().as_slice(),
                [end_of("sent").unwrap_or(0), end_of("accepted").unwrap_or(0)]
            );
        }
        assert!(!text.contains('\u{1b}'));
        assert!(title("59.9s of 60s", Paint::Plain).lines().all(|line| line.chars().count() <= WIDTH));
    }

    #[test]
    fn colours_change_nothing_else() {
        let mut coloured = table(&rows(), Paint::Colours);
        for code in ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m"] {
            coloured = coloured.replace(code, "");
        }
        assert_eq!(coloured, table(&rows(), Paint::Plain));
    }
}
