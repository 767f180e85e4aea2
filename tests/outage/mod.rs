//! Outages whose every failure is known, and what a log may say of them.

use std::time::Duration;

use wavefront_sdk::delivery::Backoff;
use wavefront_sdk::sender::SenderBuilder;
use wavefront_sdk::transport::{Fault, Memory, Step};
use wavefront_sdk::{Metric, Sender};

pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A thousand failed tries, then a delivery; afterwards a batch of three lines that is refused for good.
pub(crate) fn a_thousand_failures() {
    let steps = std::iter::repeat_n(Step::Status { code: 503, retry_after: None }, 1000);
    let steps = steps.chain([Step::Pass, Step::Status { code: 400, retry_after: None }]);
    let sender = sender(steps);
    sender.send(Metric::new("private", 1.0)).unwrap();
    sender.flush(LONG).unwrap();
    (0..3).for_each(|_| sender.send(Metric::new("private", 1.0)).unwrap());
    sender.close(LONG);
}

/// Five hundred batches of two lines that are refused for good, and a line that is not delivered in time.
pub(crate) fn a_thousand_lines_lost() {
    let steps = std::iter::repeat_n(Step::Status { code: 400, retry_after: None }, 500);
    let sender = sender(steps.chain(std::iter::repeat(Step::Connect)));
    for _ in 0..500 {
        (0..2).for_each(|_| sender.send(Metric::new("private", 1.0)).unwrap());
        assert_eq!(sender.flush(LONG).unwrap_err().lost, 2);
    }
    sender.send(Metric::new("private", 1.0)).unwrap();
    sender.close(Duration::from_millis(50));
}

fn sender(steps: impl Iterator<Item = Step> + Send + 'static) -> Sender {
    let soon = Backoff::new(Duration::from_micros(1), Duration::from_micros(1));
    SenderBuilder::over(Fault::new(Memory::new(), steps)).source("s").backoff(soon).build().unwrap()
}

/// A line of a log: its level, and what it says.
pub(crate) type Said = (String, String);

/// How many incidents that have `mark` in them the lines stand for, and how many lines of data.
pub(crate) fn stands_for(said: &[Said], mark: &str) -> (usize, usize) {
    let about = said.iter().filter(|(_, text)| text.contains(mark));
    let counts = about.map(|(_, text)| {
        let (incidents, lines) = text.split_once(" (and ").map_or((0, 0), |(_, rest)| {
            let mut numbers = rest.split(' ').filter_map(|word| word.parse::<usize>().ok());
            (numbers.next().unwrap(), numbers.next().unwrap())
        });
        (1 + incidents, lines + text.split(' ').next().unwrap().parse::<usize>().unwrap())
    });
    counts.fold((0, 0), |(sum, lines), (more, of)| (sum + more, lines + of))
}

/// What both logs have to be like after both outages.
pub(crate) fn check(first: &[Said], second: &[Said]) {
    for said in [first, second] {
        assert!(!format!("{said:?}").contains("private"), "{said:?}");
        assert!((3..=6).contains(&said.len()), "a handful: {said:#?}");
    }
    let level = |said: &[Said], mark: &str| {
        let mut levels: Vec<_> =
            said.iter().filter(|(_, text)| text.contains(mark)).map(|(level, _)| &**level).collect();
        levels.dedup();
        levels.join(" ")
    };
    assert_eq!(stands_for(first, "kept to be sent again"), (1000, 1000), "{first:#?}");
    assert_eq!(level(first, "kept to be sent again"), "WARN");
    let again = first.iter().position(|(_, text)| text.starts_with("delivering again after ")).unwrap();
    assert!(first[again].1.ends_with(" and 1000 failed tries"), "{first:#?}");
    assert_eq!(level(first, "delivering again"), "INFO");
    assert!(first[again + 1..].iter().all(|(level, text)| level == "ERROR" && text.starts_with("3 metric lines lost")));
    assert_eq!(stands_for(second, "lost: ordered failure"), (500, 1000), "{second:#?}");
    assert_eq!(stands_for(second, "lost: the sender was closed"), (1, 1), "{second:#?}");
    assert_eq!(level(second, " lost: "), "ERROR");
}
