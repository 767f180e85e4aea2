//! What became of it all, for people and for programs.

use core::time::Duration;

use serde_json::{Map, Value, json};
use wavefront_sdk::Kind;
use wavefront_sdk::delivery::Row;

use crate::feed::{End, Tally};
use crate::shown::{grouped, printable};
use crate::spool::{Spool, WAITING};

/// Everything that a run of `send` has to say at its end.
#[derive(Debug)]
pub(crate) struct Summary {
    /// Where the lines went, without the token; none of a dry run.
    pub(crate) endpoint: Option<String>,
    pub(crate) spool: Option<Spool>,
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

    /// The exit status: 0 if everything was read, was right, and arrived.
    pub(crate) fn status(&self) -> u8 {
        let is_whole = matches!(self.read, Some(End::Whole)) && !self.interrupted && self.invalid() == 0;
        match (is_whole && self.sum(lost) == 0, self.sum(stored)) {
            (true, 0) if !self.gave_up => 0,
            (true, 1..) => WAITING,
            _ => 1,
        }
    }

    fn sum(&self, count: fn(&Row) -> u64) -> u64 {
        self.rows.iter().map(count).sum()
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
        let input_error = match &self.read {
            Some(End::Failed(error)) => Some(error.to_string()),
            _ => None,
        };
        json!({
            "endpoint": self.endpoint,
            "dry_run": self.is_dry(),
            "spool": self.spool.as_ref().map(|spool| &spool.place),
            "input": self.input,
            "records": self.records,
            "invalid": self.invalid(),
            "invalid_unknown_kind": self.invalid.last(),
            "skipped": self.sum(|row| row.skipped as u64),
            "accepted": self.sum(|row| row.accepted as u64),
            "recovered": self.sum(recovered),
            "delivered": self.sum(|row| row.delivered as u64),
            "stored": self.sum(stored),
            "lost": self.sum(lost),
            "resent": self.sum(|row| row.resent as u64),
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
        let spooled = self.sum(recovered) + self.sum(stored) > 0;
        let columns: &[Column] = match (self.is_dry(), spooled) {
            (true, _) => &[("printed", delivered), ("lost", lost_of), ("bad records", bad)],
            (false, false) => {
                &[("accepted", accepted), ("delivered", delivered), ("lost", lost_of), ("bad records", bad)]
            }
            (false, true) => &[
                ("accepted", accepted),
                ("recovered", |row, _| recovered(row)),
                ("delivered", delivered),
                ("in spool", |row, _| stored(row)),
                ("lost", lost_of),
                ("bad records", bad),
            ],
        };
        // All of them on a terminal of 80 columns.
        let (first, width) = if spooled { (11, 11) } else { (12, 14) };
        let unknown = (Row::default(), self.invalid.last().copied().unwrap_or_default());
        let kinds = Kind::ALL.into_iter().map(Kind::as_str).zip(self.rows.iter().copied().zip(self.invalid));
        let rows: Vec<(&str, Vec<u64>)> = kinds
            .chain([("unknown", unknown)])
            .map(|(name, (row, invalid))| (name, columns.iter().map(|(_, count)| count(&row, invalid)).collect()))
            .filter(|(_, counts): &(_, Vec<u64>)| counts.iter().any(|count| *count > 0))
            .collect();
        let total = (0..columns.len()).map(|at| rows.iter().filter_map(|(_, counts)| counts.get(at)).sum()).collect();
        let total = Some(("total", total)).filter(|_| rows.len() != 1);
        let mut text = String::new();
        let mut line = |name: &str, cells: &mut dyn Iterator<Item = String>| {
            text += &format!("{name:<first$}");
            for (cell, (name, _)) in cells.zip(columns) {
                let width = width.max(name.len() + 2);
                text += &format!("{cell:>width$}");
            }
            text += "\n";
        };
        line("lines", &mut columns.iter().map(|(name, _)| (*name).to_owned()));
        for (name, counts) in rows.iter().chain(&total) {
            line(name, &mut counts.iter().map(|count| grouped(*count)));
        }
        text + &self.remarks()
    }

    fn remarks(&self) -> String {
        let seconds = self.elapsed.as_secs_f64();
        let mut text = format!("{} records from {} in {seconds:.1} s", grouped(self.records), printable(&self.input));
        if let Some(endpoint) = &self.endpoint {
            text += &format!(" to {endpoint}");
        }
        let mut say = |remark: String| text += &format!("\n{remark}");
        if let Some(spool) = &self.spool {
            let (found, left) = (self.sum(recovered), self.sum(stored));
            if found > 0 {
                say(spool.recovered(found));
            }
            if left > 0 {
                say(spool.waiting(left));
            }
        }
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
        if let Some(error) = self.last_error.as_ref().filter(|_| self.status() != 0 || resent > 0) {
            say(format!("last error: {}", printable(error)));
        }
        text + "\n"
    }
}

fn accepted(row: &Row, _: u64) -> u64 {
    row.accepted as u64
}

fn delivered(row: &Row, _: u64) -> u64 {
    row.delivered as u64
}

fn lost_of(row: &Row, _: u64) -> u64 {
    lost(row)
}

fn bad(_: &Row, invalid: u64) -> u64 {
    invalid
}

fn recovered(row: &Row) -> u64 {
    row.recovered as u64
}

fn stored(row: &Row) -> u64 {
    row.stored as u64
}

/// Lines that were accepted and did not arrive for sure.
fn lost(row: &Row) -> u64 {
    (row.dropped.total() + row.doubtful + row.unsettled()) as u64
}

fn kind_json(row: &Row, invalid: u64) -> Value {
    json!({
        "accepted": row.accepted,
        "recovered": row.recovered,
        "delivered": row.delivered,
        "stored": row.stored,
        "lost": lost(row),
        "dropped": {
            "queue_full": row.dropped.queue_full,
            "rejected": row.dropped.rejected,
            "too_large": row.dropped.too_large,
            "expired": row.dropped.expired,
            "store_full": row.dropped.store_full,
            "damaged": row.dropped.damaged,
            "closed": row.dropped.closed,
        },
        "doubtful": row.doubtful,
        "invalid": invalid,
        "skipped": row.skipped,
        "resent": row.resent,
    })
}

type Count = fn(&Row) -> usize;

/// A column of the table: its name, and what it counts of a kind's row and bad records.
type Column = (&'static str, fn(&Row, u64) -> u64);

/// Why lines were lost, and how many.
fn reasons(rows: &[Row]) -> impl Iterator<Item = (&'static str, u64)> {
    let all: [(&str, Count); 8] = [
        ("no room in the queue", |row| row.dropped.queue_full),
        ("the receiver rejected them", |row| row.dropped.rejected),
        ("too large for the receiver", |row| row.dropped.too_large),
        ("in the spool for longer than --spool-age", |row| row.dropped.expired),
        ("no room in the spool, which --spool-bytes bounds", |row| row.dropped.store_full),
        ("their file in the spool is damaged", |row| row.dropped.damaged),
        ("not sent before the end", |row| row.dropped.closed + row.unsettled()),
        ("written to a connection that broke, and not sent again: a repeat would falsify them", |row| row.doubtful),
    ];
    let sum = move |count: Count| rows.iter().map(count).sum::<usize>() as u64;
    all.into_iter().map(move |(reason, count)| (reason, sum(count))).filter(|(_, lines)| *lines > 0)
}
