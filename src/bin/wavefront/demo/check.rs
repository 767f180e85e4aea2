//! Whether what arrived is what was sent.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wavefront_sdk::Kind;
use wavefront_sdk::collector::{Accepted, Summary, Via};
use wavefront_sdk::delivery::Ledger;

use super::datum::Fact;

/// Remembers every fact that was sent until it arrives, so its size is that of what is on its way.
#[derive(Debug, Default)]
pub(crate) struct Check {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    awaited: HashMap<(Via, Fact), u32>,
    books: [[Book; Kind::COUNT]; Via::ALL.len()],
}

#[derive(Debug, Default)]
struct Book {
    sent: u64,
    unexpected: u64,
    /// The first that was not expected.
    example: Option<Fact>,
    last: Option<String>,
}

impl Check {
    /// Will be sent: before it is, so that it cannot arrive first.
    pub(crate) fn expect(&self, via: Via, fact: Fact) {
        let mut state = self.lock();
        if let Some(kind) = fact.kind() {
            state.books[via as usize][kind.index()].sent += 1;
        }
        *state.awaited.entry((via, fact)).or_default() += 1;
    }

    /// Was decoded by the collector.
    pub(crate) fn arrived(&self, accepted: &Accepted<'_>) {
        self.arrived_as(accepted.via, accepted.kind, Fact::of(accepted));
    }

    fn arrived_as(&self, via: Via, kind: Kind, fact: Fact) {
        let mut state = self.lock();
        let State { awaited, books } = &mut *state;
        let book = &mut books[via as usize][kind.index()];
        book.last = Some(fact.gist());
        let key = (via, fact);
        match awaited.get_mut(&key) {
            Some(1) => drop(awaited.remove(&key)),
            Some(count) => *count -= 1,
            None => {
                book.unexpected += 1;
                book.example.get_or_insert(key.1);
            }
        }
    }

    /// Lines that were sent, over both transports.
    pub(crate) fn sent(&self) -> u64 {
        self.lock().books.iter().flatten().map(|book| book.sent).sum()
    }

    /// Every transport and kind, with what the senders and the collector counted.
    pub(crate) fn rows(&self, summary: &Summary, ledgers: &[Ledger; Via::ALL.len()]) -> Vec<Row> {
        let state = self.lock();
        let mut rows = Vec::new();
        for via in Via::ALL {
            for kind in Kind::ALL {
                let book = &state.books[via as usize][kind.index()];
                let counts = summary.counts_via(via, kind);
                let missing =
                    state.awaited.iter().filter(|((over, fact), _)| *over == via && fact.kind() == Some(kind));
                let missing: u64 = missing.map(|(_, count)| u64::from(*count)).sum();
                rows.push(Row {
                    via,
                    kind,
                    sent: book.sent,
                    delivered: ledgers[via as usize].row(kind).delivered as u64,
                    accepted: counts.accepted,
                    rejected: counts.rejected,
                    missing,
                    unexpected: book.unexpected,
                    last: book.last.clone().unwrap_or_default(),
                    example: book.example.as_ref().map(|fact| format!("{fact:?}")),
                });
            }
        }
        rows
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One kind over one transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) via: Via,
    pub(crate) kind: Kind,
    /// Lines given to the sender.
    pub(crate) sent: u64,
    /// Lines that the sender says were delivered.
    pub(crate) delivered: u64,
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    /// Lines whose values have not arrived.
    pub(crate) missing: u64,
    /// Lines that arrived with values nobody sent.
    pub(crate) unexpected: u64,
    /// The gist of the last line that arrived.
    pub(crate) last: String,
    /// The first of those nobody sent.
    pub(crate) example: Option<String>,
}

/// What is wrong, a line each; nothing if for every transport and kind something was sent, as much was delivered and
/// accepted, nothing rejected, and every decoded value equals the one sent.
pub(crate) fn problems(rows: &[Row]) -> Vec<String> {
    let mut all = Vec::new();
    for row in rows {
        let Row { via, kind, sent, delivered, accepted, rejected, missing, unexpected, .. } = row;
        let mut say = |text: String| all.push(format!("{via} {kind}: {text}"));
        if *sent == 0 {
            say("nothing was sent".into());
        }
        if *rejected > 0 {
            say(format!("{rejected} lines were rejected"));
        }
        if accepted != sent {
            say(format!("{sent} lines were sent, {accepted} accepted"));
        }
        if delivered != sent {
            say(format!("{sent} lines were sent, {delivered} delivered by the sender's own count"));
        }
        if *unexpected > 0 {
            let example = row.example.as_deref().unwrap_or_default();
            say(format!("{unexpected} lines arrived with values that nobody sent, such as {example}"));
        } else if *missing > 0 {
            say(format!("{missing} lines did not arrive"));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::datum::Datum;

    fn good() -> Vec<Row> {
        let row = |via, kind| Row {
            via,
            kind,
            sent: 3,
            delivered: 3,
            accepted: 3,
            rejected: 0,
            missing: 0,
            unexpected: 0,
            last: String::new(),
            example: None,
        };
        Via::ALL.into_iter().flat_map(|via| Kind::ALL.map(|kind| row(via, kind))).collect()
    }

    #[test]
    fn all_is_well_only_if_every_count_is() {
        assert_eq!(problems(&good()), Vec::<String>::new());
        type Spoil = fn(&mut Row);
        let spoil: [(Spoil, &str); 7] = [
            (|row| row.sent = 4, "4 lines were sent, 3 accepted"),
            (|row| row.delivered = 2, "2 delivered"),
            (|row| row.accepted = 2, "3 lines were sent, 2 accepted"),
            (|row| row.rejected = 1, "1 lines were rejected"),
            (|row| row.missing = 1, "did not arrive"),
            (|row| row.unexpected = 1, "nobody sent"),
            (|row| (row.sent, row.delivered, row.accepted) = (0, 0, 0), "nothing was sent"),
        ];
        for (spoil, words) in spoil {
            for at in 0..good().len() {
                let mut rows = good();
                spoil(&mut rows[at]);
                let found = problems(&rows);
                let name = format!("{} {}: ", rows[at].via, rows[at].kind);
                assert!(found.iter().any(|text| text.starts_with(&name) && text.contains(words)), "{words}: {found:?}");
            }
        }
    }

    fn metric(value: f64) -> Fact {
        let datum = Datum::Metric { name: "m".into(), value, at: 1, tags: Vec::new() };
        datum.facts("s").remove(0)
    }

    fn row(check: &Check, via: Via) -> (u64, u64, u64) {
        let rows = check.rows(&Summary::default(), &[Ledger::default(); 2]);
        let found = rows.iter().find(|row| row.via == via && row.kind == Kind::Metric);
        found.map_or((0, 0, 0), |row| (row.sent, row.missing, row.unexpected))
    }

    #[test]
    fn each_fact_has_to_arrive_as_often_as_it_was_sent_and_on_its_way() {
        let check = Check::default();
        for value in [1.0, 1.0, 2.0] {
            check.expect(Via::Tcp, metric(value));
        }
        assert_eq!(row(&check, Via::Tcp), (3, 3, 0));
        check.arrived_as(Via::Tcp, Kind::Metric, metric(1.0));
        check.arrived_as(Via::Tcp, Kind::Metric, metric(2.0));
        assert_eq!(row(&check, Via::Tcp), (3, 1, 0));
        check.arrived_as(Via::Tcp, Kind::Metric, metric(2.0));
        assert_eq!(row(&check, Via::Tcp), (3, 1, 1), "twice is once too often");
        check.arrived_as(Via::Http, Kind::Metric, metric(1.0));
        assert_eq!(row(&check, Via::Http), (0, 0, 1), "what was sent the other way does not count");
        check.arrived_as(Via::Tcp, Kind::Metric, metric(1.0));
        assert_eq!(row(&check, Via::Tcp), (3, 0, 1));
        assert!(check.lock().awaited.is_empty(), "nothing is kept of what has arrived");
    }
}
