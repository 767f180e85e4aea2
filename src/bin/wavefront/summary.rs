//! What became of it all, for people and for programs.

use core::time::Duration;

use serde_json::{Map, Value, json};
use wavefront_sdk::Kind;
use wavefront_sdk::delivery::Row;

use crate::feed::{End, Tally};
use crate::shown::{grouped, printable};

/// Everything that a run of `send` has to say at its end.
#[derive(Debug)]
pub(crate) struct Summary {
    /// Where the lines went, without the token; none of a dry run.
    pub(crate) endpoint: Option<String>,
    /// The input's name.
    pub(crate) input: String,
    pub(crate) records: u64,
    /// Bad records, a kind each, then those whose kind is not known.
    pub(crate) invalid: [u64; Kind::COUNT + 1],
    /// What became of the lines, a kind each.
    pub(crate) rows: [Row; Kind::COUNT],
    pub(crate) read: Option<End>,
    pub(crate) gave_up: bool,
    pub(crate) interrupted: bool,
    pub(crate) last_error: Option<String>,
    pub(crate) elapsed: Duration,
}

impl Summary {
    /// The counts of the input.
    pub(crate) fn invalid_of(tally: &Tally) -> [u64; Kind::COUNT + 1] {
        let mut invalid = [0; Kind::COUNT + 1];
        let kinds = Kind::ALL.into_iter().map(Some).chain([None]);
        invalid.iter_mut().zip(kinds).for_each(|(count, kind)| *count = tally.invalid(kind));
        invalid
    }

    /// Whether everything was read, was right, and arrived.
    pub(crate) fn is_success(&self) -> bool {
        matches!(self.read, Some(End::Whole))
            && !self.gave_up
            && !self.interrupted
            && self.invalid() == 0
            && self.rows.iter().map(lost).sum::<u64>() == 0
    }

    fn invalid(&self) -> u64 {
        self.invalid.iter().sum()
    }

    fn is_dry(&self) -> bool {
        self.endpoint.is_none()
    }

    /// The first line of input that was not taken any more.
    fn stopped_at(&self) -> Option<u64> {
        match self.read {
            Some(End::Stopped(line)) => Some(line),
            _ => None,
        }
    }

    /// One object.
    pub(crate) fn to_json(&self) -> Value {
        let kinds: Map<String, Value> = Kind::ALL
            .into_iter()
            .zip(&self.rows)
            .zip(&self.invalid)
            .map(|((kind, row), invalid)| (kind.to_string(), kind_json(row, *invalid)))
            .collect();
        let sum = |count: fn(&Row) -> u64| self.rows.iter().map(count).sum::<u64>();
        let input_error = match &self.read {
            Some(End::Failed(error)) => Some(error.to_string()),
            _ => None,
        };
        json!({
            "endpoint": self.endpoint,
            "dry_run": self.is_dry(),
            "input": self.input,
            "records": self.records,
            "invalid": self.invalid(),
            "invalid_unknown_kind": self.invalid.last(),
            "skipped": sum(|row| row.skipped as u64),
            "accepted": sum(|row| row.accepted as u64),
            "delivered": sum(|row| row.delivered as u64),
            "lost": sum(lost),
            "resent": sum(|row| row.resent as u64),
            "kinds": kinds,
            "gave_up": self.gave_up,
            "interrupted": self.interrupted,
            "stopped_at_line": self.stopped_at(),
            "input_error": input_error,
            "last_error": self.last_error,
            "seconds": (self.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
        })
    }

    /// A table and what there is to say beside it.
    pub(crate) fn to_text(&self) -> String {
        let arrived = if self.is_dry() { "printed" } else { "delivered" };
        let mut text = String::new();
        let mut line = |name: &str, counts: [u64; 4]| {
            let [accepted, delivered, lost, invalid] = counts.map(grouped);
            let accepted = if self.is_dry() { String::new() } else { format!("{accepted:>14}") };
            text += &format!("{name:<12}{accepted}{delivered:>14}{lost:>14}{invalid:>14}\n");
        };
        let of = |row: &Row, invalid| [row.accepted as u64, row.delivered as u64, lost(row), invalid];
        let mut total = [0; 4];
        let mut kinds = 0;
        for ((kind, row), invalid) in Kind::ALL.into_iter().zip(&self.rows).zip(&self.invalid) {
            let counts = of(row, *invalid);
            if counts != [0; 4] {
                kinds += 1;
                line(kind.as_str(), counts);
                total.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
        }
        let unknown = self.invalid.last().copied().unwrap_or_default();
        if unknown > 0 {
            kinds += 1;
            line("unknown", [0, 0, 0, unknown]);
            total[3] += unknown;
        }
        if kinds != 1 {
            line("total", total);
        }
        let accepted = if self.is_dry() { String::new() } else { format!("{:>14}", "accepted") };
        let head = format!("{:<12}{accepted}{arrived:>14}{:>14}{:>14}\n", "lines", "lost", "bad records");
        head + &text + &self.remarks()
    }

    fn remarks(&self) -> String {
        let seconds = self.elapsed.as_secs_f64();
        let mut text = format!("{} records from {} in {seconds:.1} s", grouped(self.records), printable(&self.input));
        if let Some(endpoint) = &self.endpoint {
            text += &format!(" to {endpoint}");
        }
        let mut say = |remark: String| text += &format!("\n{remark}");
        let skipped: usize = self.rows.iter().map(|row| row.skipped).sum();
        if skipped > 0 {
            say(format!("{} deltas of zero: nothing to send", grouped(skipped as u64)));
        }
        let resent: usize = self.rows.iter().map(|row| row.resent).sum();
        if resent > 0 {
            say(format!("{} lines sent again", grouped(resent as u64)));
        }
        for (reason, lines) in reasons(&self.rows) {
            say(format!("{} lines lost: {reason}", grouped(lines)));
        }
        if self.gave_up {
            say("gave up: check the endpoint, or be more patient with --give-up".to_owned());
        }
        if self.interrupted {
            say("ended by a signal".to_owned());
        }
        match &self.read {
            Some(End::Stopped(line)) => say(format!("line {line} and what follows it was not sent")),
            Some(End::Failed(error)) => say(format!("the input could not be read to its end: {error}")),
            Some(End::Whole) => {}
            None => say("the input was not read to its end".to_owned()),
        }
        if let Some(error) = self.last_error.as_ref().filter(|_| !self.is_success() || resent > 0) {
            say(format!("last error: {}", printable(error)));
        }
        text + "\n"
    }
}

/// Lines that were accepted and did not arrive for sure.
fn lost(row: &Row) -> u64 {
    (row.dropped.total() + row.doubtful + row.unsettled()) as u64
}

fn kind_json(row: &Row, invalid: u64) -> Value {
    json!({
        "accepted": row.accepted,
        "delivered": row.delivered,
        "lost": lost(row),
        "dropped": {
            "queue_full": row.dropped.queue_full,
            "rejected": row.dropped.rejected,
            "too_large": row.dropped.too_large,
            "closed": row.dropped.closed,
        },
        "doubtful": row.doubtful,
        "invalid": invalid,
        "skipped": row.skipped,
        "resent": row.resent,
    })
}

type Count = fn(&Row) -> usize;

/// Why lines were lost, and how many.
fn reasons(rows: &[Row]) -> impl Iterator<Item = (&'static str, u64)> {
    let all: [(&str, Count); 5] = [
        ("no room in the queue", |row| row.dropped.queue_full),
        ("the receiver rejected them", |row| row.dropped.rejected),
        ("too large for the receiver", |row| row.dropped.too_large),
        ("not sent before the end", |row| row.dropped.closed + row.unsettled()),
        ("written to a connection that broke, and not sent again: a repeat would falsify them", |row| row.doubtful),
    ];
    let sum = move |count: Count| rows.iter().map(count).sum::<usize>() as u64;
    all.into_iter().map(move |(reason, count)| (reason, sum(count))).filter(|(_, lines)| *lines > 0)
}
