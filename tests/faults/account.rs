//! The ledger compared with what arrived, and the table that is made of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use wavefront_sdk::delivery::Ledger;

/// Long enough for anything on a busy machine; nothing waits so long that works.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Waits until `happened`.
#[track_caller]
pub(crate) fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let give_up = Instant::now() + LONG;
    while !happened() {
        assert!(Instant::now() < give_up, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What is a line's own: its name, the first thing in quotes.
pub(crate) fn name_of(line: &str) -> &str {
    let name =
        if line.starts_with('{') { line.split("\"name\":\"").nth(1) } else { line.split_once('"').map(|it| it.1) };
    name.and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("a line without a name: {line}"))
}

/// What became of the lines of one test. Each has a name of its own.
#[derive(Debug)]
pub(crate) struct Account {
    /// Sent and not arrived.
    pub(crate) missing: HashSet<String>,
    /// Arrivals beyond the first.
    pub(crate) duplicates: usize,
    sent: usize,
    told: usize,
    resent: usize,
}

impl Account {
    /// Counts, and holds the ledger to it: nothing lost that it does not tell of, no more duplicates than it says, nothing
    /// delivered that is not there, nothing there that was not sent.
    pub(crate) fn settle<'a>(
        sent: impl IntoIterator<Item = String>,
        arrived: impl IntoIterator<Item = &'a str>,
        ledger: &Ledger,
    ) -> Self {
        let mut counts: HashMap<String, usize> = sent.into_iter().map(|name| (name, 0)).collect();
        let sent = counts.len();
        for line in arrived {
            let name = name_of(line);
            *counts.get_mut(name).unwrap_or_else(|| panic!("nobody sent this: {line}")) += 1;
        }
        let total = ledger.total();
        let duplicates = counts.values().map(|count| count.saturating_sub(1)).sum();
        let missing: HashSet<_> = counts.into_iter().filter(|(_, count)| *count == 0).map(|(name, _)| name).collect();
        let told = total.dropped.total() + total.doubtful;
        let few: Vec<_> = missing.iter().take(5).collect();
        assert!(ledger.is_balanced(), "{ledger:?}");
        assert_eq!((total.accepted, total.unsettled()), (sent, 0), "{total:?}");
        assert!(missing.len() <= told, "{} lost, {few:?} among them: {total:?}", missing.len());
        assert!(total.delivered <= sent - missing.len(), "delivered, and not there: {few:?} {total:?}");
        assert!(duplicates <= total.resent, "{duplicates} duplicates: {total:?}");
        Self { missing, duplicates, sent, told, resent: total.resent }
    }

    /// The same, where the ledger has to say that every line was delivered.
    pub(crate) fn whole<'a>(
        sent: impl IntoIterator<Item = String>,
        arrived: impl IntoIterator<Item = &'a str>,
        ledger: &Ledger,
    ) -> Self {
        let account = Self::settle(sent, arrived, ledger);
        assert_eq!(ledger.total().delivered, account.sent, "{ledger:?}");
        account
    }

    /// Notes a row of the table of faults.
    pub(crate) fn note(&self, fault: &str) -> &Self {
        note(fault, self.sent, self.sent - self.missing.len(), self.told, self.duplicates, Some(self.resent));
        self
    }
}

/// Notes what belongs to a row of the table of faults: the cases of one run are added up, the next run begins anew.
pub(crate) fn note(fault: &str, sent: usize, arrived: usize, told: usize, duplicates: usize, resent: Option<usize>) {
    static ROWS: Mutex<BTreeMap<String, [usize; 6]>> = Mutex::new(BTreeMap::new());
    let lost = (sent - arrived).saturating_sub(told);
    let mut rows = ROWS.lock().unwrap();
    let row = rows.entry(fault.to_owned()).or_default();
    for (sum, count) in row.iter_mut().zip([sent, arrived, told, duplicates, resent.unwrap_or(0), lost]) {
        *sum += count;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults");
    fs::create_dir_all(&folder).unwrap();
    let mut row = row.map(|count| format!("\t{count}"));
    if resent.is_none() {
        row[4] = "\t–".into();
    }
    let row = row.concat();
    let file = fault.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    fs::write(folder.join(file), format!("{fault}{row}\n")).unwrap();
}
