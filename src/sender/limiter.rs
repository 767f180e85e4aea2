//! How often a log hears of incidents that are alike: the first at once, then one an interval, with a count of the
//! others.

use core::time::Duration;

use crate::delivery::Millis;

/// Lets one item of a class through in an interval, and keeps count of the others. Time is an argument.
#[derive(Debug)]
pub(super) struct Limiter<T, const CLASSES: usize> {
    every: Duration,
    classes: [Class<T>; CLASSES],
}

#[derive(Debug)]
struct Class<T> {
    /// When the next may pass; none yet has.
    next: Option<Millis>,
    /// The last of those kept back.
    last: Option<T>,
    /// What was kept back before it.
    before: KeptBack,
}

/// What a line in a log stands for beside itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct KeptBack {
    pub(super) incidents: usize,
    pub(super) lines: usize,
}

/// What can be counted.
pub(super) trait Lines {
    fn lines(&self) -> usize;
}

impl<T: Lines, const CLASSES: usize> Limiter<T, CLASSES> {
    /// One item of each class in `every`.
    pub(super) fn new(every: Duration) -> Self {
        let classes = core::array::from_fn(|_| Class { next: None, last: None, before: KeptBack::default() });
        Self { every, classes }
    }

    /// The item, if it may be said now, with what was kept back since the last one of its class.
    pub(super) fn offer(&mut self, class: usize, item: T, now: Millis) -> Option<(T, KeptBack)> {
        let Some(class) = self.classes.get_mut(class) else { return Some((item, KeptBack::default())) };
        class.keep(item);
        if class.next.is_some_and(|next| now < next) {
            return None;
        }
        class.next = Some(now.after(self.every));
        class.take()
    }

    /// The items that were kept back and may be said now, with what was kept back before each.
    pub(super) fn due(&mut self, now: Millis) -> impl Iterator<Item = (T, KeptBack)> {
        let next = now.after(self.every);
        self.classes.iter_mut().filter_map(move |class| {
            if class.last.is_none() || class.next.is_some_and(|next| now < next) {
                return None;
            }
            class.next = Some(next);
            class.take()
        })
    }

    /// All that is kept back, whatever the time: it is over.
    pub(super) fn rest(&mut self) -> impl Iterator<Item = (T, KeptBack)> {
        self.classes.iter_mut().filter_map(Class::take)
    }
}

impl<T: Lines> Class<T> {
    fn keep(&mut self, item: T) {
        if let Some(earlier) = self.last.replace(item) {
            self.before.incidents += 1;
            self.before.lines = self.before.lines.saturating_add(earlier.lines());
        }
    }

    fn take(&mut self) -> Option<(T, KeptBack)> {
        let item = self.last.take()?;
        Some((item, core::mem::take(&mut self.before)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Lines for usize {
        fn lines(&self) -> usize {
            *self
        }
    }

    fn limiter() -> Limiter<usize, 2> {
        Limiter::new(Duration::from_secs(30))
    }

    const fn kept(incidents: usize, lines: usize) -> KeptBack {
        KeptBack { incidents, lines }
    }

    #[test]
    fn the_first_passes_at_once_and_the_next_with_a_count() {
        let mut limiter = limiter();
        assert_eq!(limiter.offer(0, 7, Millis(5)), Some((7, kept(0, 0))));
        assert_eq!(limiter.offer(0, 2, Millis(5)), None);
        assert_eq!(limiter.offer(0, 3, Millis(30_004)), None);
        assert_eq!(limiter.offer(1, 9, Millis(30_004)), Some((9, kept(0, 0))), "another class");
        assert_eq!(limiter.offer(0, 4, Millis(30_005)), Some((4, kept(2, 5))));
        assert_eq!(limiter.offer(0, 1, Millis(30_006)), None);
    }

    #[test]
    fn what_was_kept_back_is_said_when_nothing_follows() {
        let mut limiter = limiter();
        for lines in 1..=4 {
            limiter.offer(0, lines, Millis(0));
        }
        assert!(limiter.due(Millis(29_999)).next().is_none());
        assert!(limiter.due(Millis(30_000)).eq([(4, kept(2, 5))]));
        assert!(limiter.due(Millis(90_000)).next().is_none(), "once");
        assert_eq!(limiter.offer(0, 1, Millis(59_999)), None, "that was a line too");
        assert!(limiter.rest().eq([(1, kept(0, 0))]));
        assert!(limiter.rest().next().is_none());
    }

    #[test]
    fn a_thousand_make_a_handful_and_nothing_is_forgotten() {
        for step in [0, 1, 17, 900] {
            let mut limiter = limiter();
            let mut said: std::vec::Vec<_> =
                (0..1000).filter_map(|number| limiter.offer(1, 2, Millis(number * step))).collect();
            said.extend(limiter.rest());
            assert!(said.len() as u64 <= 2 + 1000 * step / 30_000, "{} lines", said.len());
            assert_eq!(said.iter().map(|(_, kept)| 1 + kept.incidents).sum::<usize>(), 1000);
            assert_eq!(said.iter().map(|(item, kept)| item + kept.lines).sum::<usize>(), 2000);
        }
    }
}
