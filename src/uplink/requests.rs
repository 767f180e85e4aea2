//! A driver for requests that are answered whenever they are: several under way at once, each known by a number.

use core::time::Duration;

use super::access::Access;
use super::driver::Uplink;
use crate::KindSet;
use crate::delivery::{Action, Cut, InFlight, Millis, Outcome, Report};
use crate::transport::Batch;

/// The batches that are under way, `N` at most. It takes the transport's place in an [`Uplink`]: who sends them is
/// somebody else, of whom only the outcome is heard, or nothing.
///
/// For event loops: a promise, or a task, that dies with what started it takes no line with it. Its batch is here, and
/// once its time is over it goes again.
///
/// ```
/// use core::time::Duration;
/// use wavefront_sdk::delivery::{Config, Cut, Millis, Outcome};
/// use wavefront_sdk::uplink::{Due, Queue, Requests, Uplink};
/// use wavefront_sdk::{Kind, Metric, Rules};
///
/// let mut segments = [[0; 512]; 4];
/// let queue = Queue::over(&mut segments, [Kind::Metric], Config::DEFAULT);
/// let mut uplink = Uplink::new(queue, Requests::<_, 2>::new(Duration::from_secs(40)));
/// uplink.send(&Metric::new("a", 1.0), &Rules::new().default_source("s"), &mut [0; 64])?;
/// uplink.begin_flush();
/// let Due::Send(number) = uplink.due(Millis(0), 2, Cut::NONE) else { panic!("a flush sends at once") };
/// assert_eq!(uplink.batch(number).map(|batch| batch.bytes), Some(&b"\"a\" 1.0 source=\"s\"\n"[..]));
/// // The answer comes, at last.
/// uplink.answer(number, Outcome::Delivered, Millis(80));
/// assert_eq!(uplink.ledger().total().delivered, 1);
/// # Ok::<(), wavefront_sdk::uplink::Unsent>(())
/// ```
#[derive(Debug)]
pub struct Requests<B, const N: usize> {
    out: [Option<Request<B>>; N],
    next: u32,
    /// In milliseconds.
    patience: u64,
}

#[derive(Debug)]
struct Request<B> {
    number: u32,
    token: InFlight<B>,
    /// When it counts as lost on its way.
    until: Millis,
}

/// What is to be done with a queue of [`Requests`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Due {
    /// Send the batch of this number, and say how it went.
    Send(u32),
    /// Nothing before then, unless something is queued, an answer comes or a flush is asked for.
    At(Millis),
    /// Nothing until one of these happens.
    Idle,
}

impl<B, const N: usize> Requests<B, N> {
    /// None under way. Of one that is not heard of for `patience`, the lines are sent again; it should be longer than
    /// whoever sends them waits for an answer.
    pub const fn new(patience: Duration) -> Self {
        Self { out: [const { None }; N], next: 0, patience: Millis(0).after(patience).0 }
    }

    /// How many are under way.
    pub fn len(&self) -> usize {
        self.out.iter().flatten().count()
    }

    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<Q: Access, const N: usize> Uplink<Q, Requests<Q::Buf, N>> {
    /// The next thing to do, with batches of at most `limits`, as long as fewer than `most` are under way. Asked again
    /// at once, it may name another batch.
    pub fn due(&mut self, now: Millis, most: usize, limits: Cut) -> Due {
        let (queue, requests) = self.parts();
        let until = Millis(now.0.saturating_add(requests.patience));
        let (mut free, mut back, mut under_way) = (None, None, 0);
        for place in &mut requests.out {
            // A clock that went back must not lengthen a wait.
            let ends = place.as_ref().map_or(now, |request| request.until.min(until));
            match place {
                Some(request) if ends > now => {
                    request.until = ends;
                    back = Some(back.map_or(ends, |back: Millis| back.min(ends)));
                    under_way += 1;
                }
                _ => {
                    if let Some(Request { token, .. }) = place.take() {
                        queue.with(|queue| queue.outcome(token, Outcome::Retry { done: 0, after: None }, now));
                    }
                    free = free.or(Some(place));
                }
            }
        }
        let Some(place) = free.filter(|_| under_way < most) else {
            return back.map_or(Due::Idle, Due::At);
        };
        let at = match queue.with(|queue| queue.poll(now, KindSet::ALL, limits)) {
            Some(Action::Send(token)) => {
                let number = requests.next;
                requests.next = number.wrapping_add(1);
                *place = Some(Request { number, token, until });
                return Due::Send(number);
            }
            Some(Action::WaitUntil(at)) => Some(at),
            // The queue is in use: by somebody who does not keep it.
            None => Some(now),
            Some(Action::Idle) => None,
        };
        at.into_iter().chain(back).min().map_or(Due::Idle, Due::At)
    }

    /// The batch of a number, as long as it is under way.
    pub fn batch(&mut self, number: u32) -> Option<Batch<'_>> {
        self.token(number).map(InFlight::batch)
    }

    /// The tag of such a batch; 0 where it has none.
    pub fn tag(&mut self, number: u32) -> Option<u32> {
        self.token(number).map(InFlight::tag)
    }

    fn token(&mut self, number: u32) -> Option<&InFlight<Q::Buf>> {
        let (_, requests) = self.parts();
        let mut requests = requests.out.iter().flatten();
        requests.find(|request| request.number == number).map(|request| &request.token)
    }

    /// What became of a batch, and what that settled. `None`: it was given up before, so nothing changes.
    pub fn answer(&mut self, number: u32, outcome: Outcome, now: Millis) -> Option<Report> {
        let (queue, requests) = self.parts();
        let mut places = requests.out.iter_mut();
        let place = places.find(|place| place.as_ref().is_some_and(|request| request.number == number))?;
        queue.with(|queue| place.take().map(|request| queue.outcome(request.token, outcome, now))).flatten()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::delivery::Config;
    use crate::uplink::Queue;
    use crate::{Kind, Metric, Rules};

    const RULES: Rules<'_> = Rules::new().default_source("s");
    const PATIENCE: Duration = Duration::from_secs(40);

    fn metric(uplink: &mut impl Access, value: u32) {
        uplink.send(&Metric::new("m", value.into()), &RULES, &mut [0; 64]).unwrap();
    }

    fn sent(due: Due) -> u32 {
        let Due::Send(number) = due else { panic!("{due:?}") };
        number
    }

    /// Segments of one line each.
    fn config() -> Config {
        Config { batch_lines: 1, ..Config::DEFAULT }
    }

    #[test]
    fn answers_come_in_any_order_and_count_once() {
        let mut segments = [[0; 32]; 6];
        let queue = Queue::over(&mut segments, [Kind::Metric], config());
        let mut uplink = Uplink::new(queue, Requests::<_, 2>::new(PATIENCE));
        assert_eq!(uplink.due(Millis(0), 2, Cut::NONE), Due::Idle);
        (0..3).for_each(|value| metric(uplink.queue(), value));
        let _ = uplink.begin_flush().unwrap();
        let (first, second) = (sent(uplink.due(Millis(0), 2, Cut::NONE)), sent(uplink.due(Millis(1), 2, Cut::NONE)));
        assert_eq!(uplink.due(Millis(2), 2, Cut::NONE), Due::At(Millis(40_000)), "no more than two");
        assert_eq!(uplink.transport().len(), 2);
        let text = |batch: Option<Batch<'_>>| batch.map(|batch| batch.bytes.len());
        assert_eq!(text(uplink.batch(second)), Some(19));
        let delivered = Some(Report { settled: 1, kept: 0 });
        assert_eq!(uplink.answer(second, Outcome::Delivered, Millis(3)), delivered);
        assert_eq!(uplink.answer(second, Outcome::Delivered, Millis(3)), None);
        assert_eq!((text(uplink.batch(second)), uplink.answer(77, Outcome::Delivered, Millis(3))), (None, None));
        let third = sent(uplink.due(Millis(4), 2, Cut::NONE));
        assert_eq!(uplink.answer(first, Outcome::Delivered, Millis(5)), delivered);
        assert_eq!(uplink.answer(third, Outcome::Delivered, Millis(5)), delivered);
        assert!(uplink.transport().is_empty());
        assert_eq!((uplink.ledger().total().delivered, uplink.ledger().is_balanced()), (3, true));
    }

    #[test]
    fn what_is_not_heard_of_goes_again() {
        let mut segments = [[0; 32]; 4];
        let queue = Queue::over(&mut segments, [Kind::Metric], config());
        let mut uplink = Uplink::new(queue, Requests::<_, 2>::new(PATIENCE));
        metric(uplink.queue(), 1);
        let lost = sent(uplink.due(Millis(0), 2, Cut::NONE));
        assert_eq!(uplink.due(Millis(39_999), 2, Cut::NONE), Due::At(Millis(40_000)));
        let Due::At(again) = uplink.due(Millis(40_000), 2, Cut::NONE) else { panic!("after a backoff") };
        assert!(again <= Millis(40_100));
        assert_eq!(uplink.answer(lost, Outcome::Delivered, Millis(40_001)), None, "too late");
        let found = sent(uplink.due(again, 2, Cut::NONE));
        uplink.answer(found, Outcome::Delivered, again).unwrap();
        let total = uplink.ledger().total();
        assert_eq!((total.delivered, total.resent, total.unsettled()), (1, 1, 0));
    }

    #[test]
    fn a_clock_that_goes_back_lengthens_no_wait() {
        let mut segments = [[0; 32]; 4];
        let queue = Queue::over(&mut segments, [Kind::Metric], config());
        let mut uplink = Uplink::new(queue, Requests::<_, 2>::new(PATIENCE));
        metric(uplink.queue(), 1);
        let _ = sent(uplink.due(Millis(1_000_000), 2, Cut::NONE));
        assert_eq!(uplink.due(Millis(0), 2, Cut::NONE), Due::At(Millis(40_000)));
    }

    #[test]
    fn a_close_gives_up_what_is_under_way() {
        let mut segments = [[0; 32]; 4];
        let queue = Queue::over(&mut segments, [Kind::Metric], config());
        let mut uplink = Uplink::new(queue, Requests::<_, 2>::new(PATIENCE));
        metric(uplink.queue(), 1);
        let number = sent(uplink.due(Millis(0), 2, Cut::NONE));
        assert!(!uplink.begin_close());
        let ledger = uplink.end_close(Millis(1));
        assert_eq!((ledger.total().dropped.closed, ledger.total().unsettled()), (1, 0));
        let nothing = Some(Report { settled: 0, kept: 0 });
        assert_eq!(uplink.answer(number, Outcome::Delivered, Millis(2)), nothing, "a late answer changes nothing");
        assert_eq!(uplink.ledger(), ledger);
        assert_eq!(uplink.due(Millis(3), 2, Cut::NONE), Due::Idle);
    }

    #[test]
    fn what_is_urgent_goes_first_and_alone_and_says_whose_it_is() {
        let mut segments = [[0; 64]; 4];
        let queue = Queue::over(&mut segments, [Kind::Metric], Config::DEFAULT);
        let mut uplink = Uplink::new(queue, Requests::<_, 2>::new(PATIENCE));
        metric(uplink.queue(), 1);
        let datum = Metric::new("now", 2.0);
        assert_eq!(uplink.queue().send_tagged(&datum, &RULES, &mut [0; 64], 7), Ok(1));
        let first = sent(uplink.due(Millis(0), 2, Cut::NONE));
        assert_eq!((uplink.tag(first), uplink.batch(first).map(|batch| batch.lines)), (Some(7), Some(1)));
        assert_eq!(uplink.batch(first).map(|batch| batch.bytes.starts_with(b"\"now\"")), Some(true));
        uplink.answer(first, Outcome::Delivered, Millis(1)).unwrap();
        assert_eq!(uplink.tag(first), None);
        let _ = uplink.begin_flush().unwrap();
        let second = sent(uplink.due(Millis(2), 2, Cut::NONE));
        assert_eq!(uplink.tag(second), Some(0));
        let invalid = uplink.queue().send_tagged(&Metric::new("", 1.0), &RULES, &mut [0; 64], 8);
        assert!(matches!(invalid, Err(crate::uplink::Unsent::Invalid(_))));
        assert_eq!(uplink.ledger().total().invalid, 1);
    }

    #[test]
    fn limits_are_those_of_the_call() {
        let mut segments = [[0; 64]; 4];
        let queue = Queue::over(&mut segments, [Kind::Metric], Config::DEFAULT);
        let mut uplink = Uplink::new(queue, Requests::<_, 2>::new(PATIENCE));
        (0..3).for_each(|value| metric(uplink.queue(), value));
        let _ = uplink.begin_flush().unwrap();
        let number = sent(uplink.due(Millis(0), 1, Cut { lines: u32::MAX, bytes: 40 }));
        assert_eq!(uplink.batch(number).map(|batch| batch.lines), Some(2));
        assert_eq!(uplink.due(Millis(1), 1, Cut::NONE), Due::At(Millis(40_000)), "no more than one");
    }
}
