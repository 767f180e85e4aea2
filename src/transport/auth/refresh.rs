//! When a token is renewed: a state machine without a clock and without I/O.

use core::time::Duration;

use crate::delivery::{Backoff, Millis};
use crate::random::SplitMix;

/// What is known of the token that there is, and of the renewal that is under way.
///
/// The rules, of which the first is that of the family's other SDKs:
/// - a token that is good for `expires_in` is renewed at `expires_in` − 30 s where that is below 600 s, else at − 180
///   s, counted from when it was asked for; one that is good for 30 s or less, in the middle of its time;
/// - it serves until it expires, or is refused;
/// - one renewal is under way at most;
/// - after one that failed there is a random wait, growing, before the next; a token that is refused is renewed at once
///   once.
#[derive(Debug)]
pub(super) struct Refresh {
    held: Option<Held>,
    under_way: bool,
    /// No renewal begins before.
    not_before: Millis,
    failures: u32,
    random: SplitMix,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    renew: Millis,
    expires: Millis,
    refused: bool,
}

impl Refresh {
    /// There is no token yet.
    pub(super) const fn new(seed: u64) -> Self {
        Self { held: None, under_way: false, not_before: Millis(0), failures: 0, random: SplitMix(seed) }
    }

    /// Whether the token that there is may be used.
    pub(super) fn is_usable(&self, now: Millis) -> bool {
        self.held.is_some_and(|held| !held.refused && now < held.expires)
    }

    /// Whether a renewal is under way.
    pub(super) const fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// Whether the caller has to renew the token now; if so, it is under way.
    pub(super) fn begin(&mut self, now: Millis) -> bool {
        let due = self.held.is_none_or(|held| held.refused || now >= held.renew);
        let begins = due && !self.under_way && now >= self.not_before;
        self.under_way |= begins;
        begins
    }

    /// The renewal that began at `asked` brought a token that is good for `expires_in`.
    pub(super) fn succeeded(&mut self, asked: Millis, expires_in: Duration) {
        self.held = Some(Held {
            renew: asked.after(renew_after(expires_in)),
            expires: asked.after(expires_in),
            refused: false,
        });
        (self.under_way, self.not_before, self.failures) = (false, asked, 0);
    }

    /// The renewal failed, and who was asked wants to be left alone for `after`, if that was said.
    pub(super) fn failed(&mut self, now: Millis, backoff: Backoff, after: Option<Duration>) {
        self.under_way = false;
        self.failures = self.failures.saturating_add(1);
        let most = backoff.first.saturating_mul(1 << (self.failures - 1).min(20)).min(backoff.most);
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        // Full jitter, as the delivery's own.
        let wait = self.random.random() % most.saturating_add(1).max(1);
        self.not_before = now.after(Duration::from_millis(wait).max(after.unwrap_or_default()));
    }

    /// Whether the receiver refuses the token that there is.
    pub(super) fn is_refused(&self) -> bool {
        self.held.is_some_and(|held| held.refused)
    }

    /// The receiver refuses the token that there is: it is of no use any more, and renewed at once.
    pub(super) fn refused(&mut self) {
        if let Some(held) = self.held.as_mut().filter(|held| !held.refused) {
            held.refused = true;
            self.not_before = Millis(0);
        }
    }
}

/// How long after it was asked for a token is renewed.
fn renew_after(expires_in: Duration) -> Duration {
    const SHORT: Duration = Duration::from_secs(30);
    let margin = if expires_in < Duration::from_secs(600) { SHORT } else { Duration::from_secs(180) };
    if expires_in <= SHORT { expires_in / 2 } else { expires_in.saturating_sub(margin) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secs(seconds: u64) -> Millis {
        Millis(seconds * 1000)
    }

    #[test]
    fn the_rule_is_that_of_the_other_sdks() {
        for (expires_in, renewed) in [(1799, 1619), (600, 420), (599, 569), (31, 1), (30, 15), (2, 1), (86_400, 86_220)]
        {
            assert_eq!(renew_after(Duration::from_secs(expires_in)), Duration::from_secs(renewed), "{expires_in}");
        }
    }

    #[test]
    fn the_old_token_serves_until_it_expires_while_renewals_fail() {
        let mut refresh = Refresh::new(1);
        assert!(!refresh.is_usable(secs(0)) && refresh.begin(secs(0)));
        refresh.succeeded(secs(0), Duration::from_secs(300));
        assert!(!refresh.begin(secs(269)), "not due yet");
        assert!(refresh.begin(secs(270)) && !refresh.begin(secs(270)), "one at most");
        refresh.failed(secs(271), Backoff::HTTP, Some(Duration::from_secs(7)));
        assert!(refresh.is_usable(secs(277)) && !refresh.begin(secs(277)), "it asked for 7 s");
        assert!(refresh.begin(secs(278)));
        refresh.failed(secs(279), Backoff::HTTP, None);
        assert!(refresh.is_usable(Millis(299_999)) && !refresh.is_usable(secs(300)));
        assert!(refresh.begin(secs(300)));
        refresh.succeeded(secs(300), Duration::from_secs(300));
        assert!(refresh.is_usable(secs(301)) && !refresh.begin(secs(301)));
    }

    #[test]
    fn a_refused_token_is_renewed_at_once_but_once() {
        let mut refresh = Refresh::new(1);
        assert!(refresh.begin(secs(0)));
        refresh.succeeded(secs(0), Duration::from_secs(300));
        refresh.refused();
        assert!(!refresh.is_usable(secs(1)) && refresh.begin(secs(1)));
        refresh.failed(secs(2), Backoff::AUTH, Some(Duration::from_secs(30)));
        refresh.refused();
        assert!(!refresh.begin(secs(3)), "the same token is refused again: the wait stands");
        assert!(refresh.begin(secs(32)));
        refresh.succeeded(secs(32), Duration::from_secs(300));
        assert!(refresh.is_usable(secs(33)));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Wait(u64),
        Ask,
        Succeed(u64),
        Fail(Option<u64>),
        Refuse,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_u64..400_000).prop_map(Step::Wait),
            Just(Step::Ask),
            Just(Step::Ask),
            (0_u64..2_000).prop_map(Step::Succeed),
            proptest::option::of(0_u64..300).prop_map(Step::Fail),
            Just(Step::Refuse),
        ]
    }

    proptest! {
        /// Whatever happens: one renewal at a time, a usable token is neither expired nor refused, and where there is
        /// none a renewal begins after the longest wait at the latest.
        #[test]
        fn whatever_happens_it_goes_on(steps in proptest::collection::vec(step(), 0..60), seed in 0_u64..) {
            let mut refresh = Refresh::new(seed);
            let (mut now, mut asked, mut expires, mut refused) = (Millis(0), None, Millis(0), false);
            for step in steps {
                match step {
                    Step::Wait(wait) => now = Millis(now.0 + wait),
                    Step::Ask => {
                        if refresh.begin(now) {
                            prop_assert_eq!(asked, None);
                            asked = Some(now);
                        }
                    }
                    Step::Succeed(expires_in) => {
                        if let Some(asked) = asked.take() {
                            let expires_in = Duration::from_secs(expires_in);
                            refresh.succeeded(asked, expires_in);
                            (expires, refused) = (asked.after(expires_in), false);
                        }
                    }
                    Step::Fail(after) => {
                        if asked.take().is_some() {
                            refresh.failed(now, Backoff::HTTP, after.map(Duration::from_secs));
                        }
                    }
                    Step::Refuse => {
                        refresh.refused();
                        refused = true;
                    }
                }
                prop_assert_eq!(refresh.is_under_way(), asked.is_some());
                prop_assert_eq!(refresh.is_usable(now), now < expires && !refused);
            }
            if asked.is_none() && !refresh.is_usable(now) {
                prop_assert!(refresh.begin(now.after(Duration::from_secs(300))));
            }
        }
    }
}
