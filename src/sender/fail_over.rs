//! One of a list of proxies: the first that works, and the first of all again after a while.

use core::time::Duration;
use std::boxed::Box;
use std::string::String;
use std::sync::{Arc, PoisonError};
use std::vec::Vec;

use super::driver::Route;
use super::hub::{Carry, Failed};
use super::sync::{Instant, Mutex, MutexGuard};
use crate::transport::{Accepted, Batch, Failure};

/// A carrier that goes by one of several. It decides only where the next batch goes: whether, when and how often one is
/// sent again is for the delivery, as with any carrier.
pub(super) struct FailOver {
    candidates: Vec<Box<dyn Carry>>,
    /// The one that was last written to.
    here: usize,
    choice: Arc<Choice>,
}

/// Which one it is, for all carriers of a route.
pub(super) struct Choice {
    state: Mutex<State>,
    count: usize,
    /// After how long the first is tried again.
    recovery: Duration,
}

struct State {
    current: usize,
    /// When the first is tried again, where it is not the current one.
    retry: Option<Instant>,
    /// When a connection to the current one broke last.
    broke: Option<Instant>,
}

impl FailOver {
    /// How long a connection to the first may take while another one works.
    const TRIAL: Duration = Duration::from_secs(2);
    /// How long the peer of a connection that works may take to confirm its end, when the first is back.
    const LEAVE: Duration = Duration::from_secs(5);

    /// The routes of several endpoints, to the same kinds each, as one: each carrier goes by the one or the other.
    pub(super) fn route(routes: Vec<Route>, recovery: Duration) -> Option<Route> {
        let choice = Arc::new(Choice::new(routes.len(), recovery));
        let kinds = routes.first()?.kinds;
        let count = routes.iter().map(|route| route.carriers.len()).min()?;
        let mut ways: Vec<_> = routes.into_iter().map(|route| route.carriers.into_iter()).collect();
        let carriers = (0..count).map(|_| {
            let candidates = ways.iter_mut().filter_map(Iterator::next).collect();
            Box::new(Self { candidates, here: 0, choice: Arc::clone(&choice) }) as Box<dyn Carry>
        });
        Some(Route { kinds, carriers: carriers.collect() })
    }

    /// Where the next batch goes, if that can be said without leaving lines behind in doubt.
    fn turn(&mut self) -> Result<usize, Failed> {
        let (mut to, trial) = self.choice.pick();
        if trial {
            let Some(first) = self.candidates.first_mut() else { return Ok(to) };
            match first.connect(Self::TRIAL) {
                Ok(()) => to = 0,
                Err(_) => return Ok(to),
            }
        }
        if to != self.here
            && let Some(here) = self.candidates.get_mut(self.here)
            && let Err(failed) = here.finish(Self::LEAVE)
        {
            // What was written there is in doubt, whatever kept its end from being confirmed.
            if trial {
                self.choice.came_back();
            }
            return Err(Failed { failure: Failure::Broken, ..failed });
        }
        Ok(to)
    }
}

impl Carry for FailOver {
    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Failed> {
        let mut to = self.turn()?;
        let first = to;
        let mut words = String::new();
        for left in (0..self.candidates.len()).rev() {
            let Some(candidate) = self.candidates.get_mut(to) else { break };
            match candidate.send(batch) {
                Ok(accepted) => {
                    self.here = to;
                    self.choice.worked(to, to != first);
                    return Ok(accepted);
                }
                Err(mut failed) => {
                    let moved = self.choice.failed(to, failed.failure);
                    if failed.failure != Failure::Connect {
                        self.here = to;
                        if let (true, Failure::Status { retry_after, .. }) = (moved, &mut failed.failure) {
                            // That is for the one who said it.
                            *retry_after = None;
                        }
                        return Err(failed);
                    }
                    // Nothing was sent: the next one can have it.
                    words = if words.is_empty() { failed.text.clone() } else { words + "; " + &failed.text };
                    if left == 0 {
                        return Err(Failed { text: words, ..failed });
                    }
                    to = (to + 1) % self.candidates.len();
                }
            }
        }
        Err(Failed { failure: Failure::Connect, lines_done: 0, text: words, answer: None })
    }

    fn connect(&mut self, timeout: Duration) -> Result<(), Failed> {
        self.candidates.get_mut(self.here).map_or(Ok(()), |here| here.connect(timeout))
    }

    fn probe(&mut self) -> Result<(), Failed> {
        let Some(here) = self.candidates.get_mut(self.here) else { return Ok(()) };
        here.probe().inspect_err(|failed| {
            self.choice.failed(self.here, failed.failure);
        })
    }

    fn unacknowledged(&mut self) -> Option<u64> {
        self.candidates.get_mut(self.here)?.unacknowledged()
    }

    fn status(&mut self) -> Option<u16> {
        self.candidates.get_mut(self.here)?.status()
    }

    fn finish(&mut self, timeout: Duration) -> Result<(), Failed> {
        let here = self.here;
        let finished = self.candidates.get_mut(here).map_or(Ok(()), |here| here.finish(timeout));
        // A connection that was only tried has nothing to confirm.
        for (_, other) in self.candidates.iter_mut().enumerate().filter(|(at, _)| *at != here) {
            let _ = other.finish(Duration::ZERO);
        }
        finished
    }
}

impl Choice {
    /// Two breaks within this time are no idle connection that was closed.
    const UNSTABLE: Duration = Duration::from_secs(10);

    fn new(count: usize, recovery: Duration) -> Self {
        Self { state: Mutex::new(State { current: 0, retry: None, broke: None }), count, recovery }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current one; and whether the first is to be tried again, which one carrier is told.
    fn pick(&self) -> (usize, bool) {
        let mut state = self.state();
        let now = Instant::now();
        let trial = state.current != 0 && state.retry.is_none_or(|retry| now >= retry);
        if trial {
            state.retry = now.checked_add(self.recovery);
        }
        (state.current, trial)
    }

    fn came_back(&self) {
        *self.state() = State { current: 0, retry: None, broke: None };
    }

    /// One took a batch, which others could not be reached for if it was `found` only then. The first is the current
    /// one again as soon as it does.
    fn worked(&self, at: usize, found: bool) {
        let mut state = self.state();
        match at {
            _ if state.current == at => {}
            0 => *state = State { current: 0, retry: None, broke: None },
            _ if found => (state.current, state.broke) = (at, None),
            _ => {}
        }
    }

    /// One has failed; whether the next batch goes elsewhere.
    fn failed(&self, at: usize, failure: Failure) -> bool {
        let mut state = self.state();
        if state.current != at {
            // Another carrier has seen it before, or the first is still not back.
            return true;
        }
        let now = Instant::now();
        let away = match failure {
            Failure::Connect | Failure::Timeout | Failure::Status { code: 500..=599, .. } => true,
            // A proxy closes idle connections; one that is made and breaks at once has nobody behind it.
            Failure::Broken => {
                let before = state.broke.replace(now);
                before.is_some_and(|before| now.saturating_duration_since(before) < Self::UNSTABLE)
            }
            // It is there, and has something against this batch, or against the pace.
            _ => false,
        };
        if away {
            let current = (at + 1) % self.count.max(1);
            let retry = if at == 0 { now.checked_add(self.recovery) } else { state.retry };
            *state = State { current, retry, broke: None };
        }
        away
    }
}

#[cfg(all(test, not(models)))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::string::ToString;
    use std::sync::Mutex as Shared;
    use std::vec;

    use super::*;
    use crate::{Kind, KindSet};

    /// What each of several receivers does, and the calls that they got.
    #[derive(Default)]
    struct Net {
        answers: Vec<Option<Failure>>,
        calls: Vec<(usize, &'static str)>,
    }

    struct Way {
        at: usize,
        net: Arc<Shared<Net>>,
    }

    impl Way {
        fn call(&self, what: &'static str) -> Result<(), Failed> {
            let mut net = self.net.lock().unwrap();
            net.calls.push((self.at, what));
            match net.answers[self.at] {
                Some(failure) => Err(Failed { failure, lines_done: 0, text: self.at.to_string(), answer: None }),
                None => Ok(()),
            }
        }
    }

    impl Carry for Way {
        fn send(&mut self, _: Batch<'_>) -> Result<Accepted, Failed> {
            self.call("send").map(|()| Accepted::Delivered)
        }

        fn connect(&mut self, _: Duration) -> Result<(), Failed> {
            self.call("connect")
        }

        fn probe(&mut self) -> Result<(), Failed> {
            self.call("probe")
        }

        fn unacknowledged(&mut self) -> Option<u64> {
            Some(self.at as u64)
        }

        fn status(&mut self) -> Option<u16> {
            None
        }

        fn finish(&mut self, _: Duration) -> Result<(), Failed> {
            self.call("finish")
        }
    }

    struct Rig {
        net: Arc<Shared<Net>>,
        carriers: Vec<Box<dyn Carry>>,
    }

    impl Rig {
        fn new(count: usize, carriers: usize, recovery: Duration) -> Self {
            let net = Arc::new(Shared::new(Net { answers: vec![None; count], calls: vec![] }));
            let way = |at| Box::new(Way { at, net: Arc::clone(&net) }) as Box<dyn Carry>;
            let route = |at| Route { kinds: KindSet::ALL, carriers: (0..carriers).map(|_| way(at)).collect() };
            let route = FailOver::route((0..count).map(route).collect(), recovery).unwrap();
            Self { net: Arc::clone(&net), carriers: route.carriers }
        }

        fn answer(&self, at: usize, failure: Option<Failure>) {
            self.net.lock().unwrap().answers[at] = failure;
        }

        /// Sends a batch by the carrier, and says who was called for it.
        fn send(&mut self, carrier: usize) -> (Result<Accepted, Failure>, Vec<(usize, &'static str)>) {
            let sent = self.carriers[carrier].send(Batch::new(Kind::Metric, b"m 1\n", 1));
            let calls = core::mem::take(&mut self.net.lock().unwrap().calls);
            (sent.map_err(|failed| failed.failure), calls)
        }
    }

    const LONG: Duration = Duration::from_secs(3600);
    const OK: Result<Accepted, Failure> = Ok(Accepted::Delivered);

    #[test]
    fn one_that_cannot_be_reached_costs_no_batch_and_is_left_alone_for_a_while() {
        let mut rig = Rig::new(3, 2, LONG);
        assert_eq!(rig.send(0), (OK, vec![(0, "send")]));
        rig.answer(0, Some(Failure::Connect));
        rig.answer(1, Some(Failure::Connect));
        assert_eq!(rig.send(0), (OK, vec![(0, "send"), (1, "send"), (2, "send")]));
        assert_eq!(rig.send(0), (OK, vec![(2, "send")]));
        // The others of the route know.
        rig.answer(0, None);
        assert_eq!(rig.send(1), (OK, vec![(0, "finish"), (2, "send")]));
    }

    #[test]
    fn where_none_can_be_reached_all_are_named() {
        let mut rig = Rig::new(2, 1, LONG);
        (0..2).for_each(|at| rig.answer(at, Some(Failure::Connect)));
        let failed = rig.carriers[0].send(Batch::new(Kind::Metric, b"m 1\n", 1)).unwrap_err();
        assert_eq!((failed.failure, failed.text.as_str()), (Failure::Connect, "0; 1"));
        rig.net.lock().unwrap().calls.clear();
        assert_eq!(rig.send(0).1, [(0, "send"), (1, "send")], "from the first again");
    }

    #[test]
    fn the_first_is_tried_again_and_the_other_is_left_in_order() {
        let mut rig = Rig::new(2, 1, Duration::ZERO);
        rig.answer(0, Some(Failure::Connect));
        assert_eq!(rig.send(0).1, [(0, "send"), (1, "send")]);
        assert_eq!(rig.send(0), (OK, vec![(0, "connect"), (1, "send")]));
        rig.answer(0, None);
        assert_eq!(rig.send(0), (OK, vec![(0, "connect"), (1, "finish"), (0, "send")]));
        assert_eq!(rig.send(0), (OK, vec![(0, "send")]));
    }

    /// What was written to the one that is left is in doubt, and nothing of the batch was sent.
    #[test]
    fn an_end_that_is_not_confirmed_is_a_break() {
        let mut rig = Rig::new(2, 1, Duration::ZERO);
        rig.answer(0, Some(Failure::Connect));
        assert!(rig.send(0).0.is_ok());
        rig.answer(0, None);
        rig.answer(1, Some(Failure::Timeout));
        assert_eq!(rig.send(0), (Err(Failure::Broken), vec![(0, "connect"), (1, "finish")]));
        assert_eq!(rig.carriers[0].unacknowledged(), Some(1), "of the one that was left");
        rig.answer(1, None);
        assert_eq!(rig.send(0), (OK, vec![(1, "finish"), (0, "send")]));
    }

    #[test]
    fn who_answers_with_an_error_is_not_sent_the_batch_twice_at_once() {
        let after = Some(LONG);
        for (failure, elsewhere) in [
            (Failure::Timeout, true),
            (Failure::Status { code: 503, retry_after: after }, true),
            (Failure::Status { code: 429, retry_after: after }, false),
            (Failure::Status { code: 400, retry_after: None }, false),
        ] {
            let mut rig = Rig::new(2, 1, LONG);
            rig.answer(0, Some(failure));
            let (sent, calls) = rig.send(0);
            assert_eq!(calls, [(0, "send")]);
            match (sent.unwrap_err(), failure) {
                // Its wish to wait does not hold for the other.
                (Failure::Status { code, retry_after: None }, _) if elsewhere => assert_eq!(code, 503),
                (said, failure) => assert_eq!(said, failure),
            }
            rig.answer(0, None);
            assert_eq!(rig.send(0).1.last(), Some(&(usize::from(elsewhere), "send")));
        }
    }

    /// A proxy closes idle connections; behind a balancer without proxies each connection breaks.
    #[test]
    fn one_break_is_no_reason_to_leave_and_two_are() {
        let mut rig = Rig::new(2, 1, LONG);
        assert!(rig.send(0).0.is_ok());
        for place in [0, 1] {
            rig.answer(0, Some(Failure::Broken));
            assert_eq!(rig.carriers[0].probe().unwrap_err().failure, Failure::Broken);
            rig.answer(0, None);
            rig.net.lock().unwrap().calls.clear();
            assert_eq!(rig.send(0).1.last(), Some(&(place, "send")));
        }
    }
}
