//! When to try again: exponential backoff with full jitter, one step for failures that happened together, one probe
//! until a success.

use core::time::Duration;

/// A point in time, in milliseconds since any moment that the driver likes. It should not go back; if it does, waits
/// are cut to their normal length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Millis(pub u64);

impl Millis {
    /// `duration` later, at most the end of time.
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// `wait` milliseconds later.
    pub(super) const fn plus(self, wait: u32) -> Self {
        Self(self.0.saturating_add(wait as u64))
    }

    /// How long from `earlier` to here; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// As [`Duration::as_millis`], without its 128-bit arithmetic.
const fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1000).saturating_add(duration.subsec_millis() as u64)
}

/// A wait as it is kept, in milliseconds: 12 days at most, a quarter of what a [`Moment`] can tell apart.
// Inlined, as are those below: of a constant `Config` only the result is in the program.
#[inline(always)]
pub(super) fn wait(duration: Duration) -> u32 {
    const MOST: u32 = 1_000_000;
    let seconds = duration.as_secs().min(MOST.into()) as u32;
    seconds * 1000 + duration.subsec_millis()
}

/// A point in time as it is kept: the low half of [`Millis`], which begins anew every 49 days. It says nothing of what
/// is further away than 24 days; so whatever is due by such a moment is not put off by more than its normal wait.
///
/// In halves, so that what it is a part of has no gaps in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment([u16; 2]);

impl Moment {
    pub(super) const fn of(now: Millis) -> Self {
        Self([now.0 as u16, (now.0 >> 16) as u16])
    }

    const fn get(self) -> u32 {
        let Self([low, high]) = self;
        low as u32 | (high as u32) << 16
    }

    /// `wait` milliseconds later.
    pub(super) const fn after(self, wait: u32) -> Self {
        Self::of(Millis(self.get().wrapping_add(wait) as u64))
    }

    /// How long until then, in milliseconds; 0 if it is now, or was.
    pub(super) const fn left(self, now: Self) -> u32 {
        let left = self.get().wrapping_sub(now.get());
        if left > u32::MAX / 2 { 0 } else { left }
    }

    pub(super) const fn is_before(self, other: Self) -> bool {
        other.left(self) > 0
    }
}

/// How long to wait before trying again: a random time up to `first` × 2ⁿ after the n-th failure in a row, at most
/// `most`.
///
/// Full jitter, after M. Brooker, *Exponential Backoff and Jitter* (AWS Architecture Blog, 2015): a receiver that comes
/// back is not met by all its clients at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backoff {
    /// The longest wait after the first failure.
    pub first: Duration,
    /// The longest wait of all.
    pub most: Duration,
}

impl Backoff {
    /// For HTTP: 100 ms × 2, at most 30 s.
    pub const HTTP: Self = Self::new(Duration::from_millis(100), Duration::from_secs(30));
    /// For TCP: 100 ms × 2, at most 5 s.
    pub const TCP: Self = Self::new(Duration::from_millis(100), Duration::from_secs(5));
    /// After a refused token: 30 s × 2, at most 5 min.
    pub const AUTH: Self = Self::new(Duration::from_secs(30), Duration::from_secs(300));

    /// A random wait up to `first` × 2ⁿ, at most `most`.
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most }
    }
}

/// A [`Backoff`] as it is kept, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    first: u32,
    pub(super) most: u32,
}

impl Waits {
    #[inline(always)]
    pub(super) fn of(backoff: Backoff) -> Self {
        Self { first: wait(backoff.first), most: wait(backoff.most) }
    }

    /// The longest wait after `failures` failures in a row (at least one).
    fn ceiling(self, failures: u8) -> u32 {
        let doublings = u32::from(failures.saturating_sub(1)).min(31);
        self.first.saturating_mul(1 << doublings).min(self.most)
    }
}

/// Random enough to spread clients: xorshift32, from a seed the driver gives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Jitter(u32);

impl Jitter {
    pub(super) const fn new(seed: u32) -> Self {
        // The mixer of MurmurHash3 (A. Appleby): xorshift is slow to leave the neighbourhood of a small seed.
        let mut x = seed.wrapping_add(0x9e37_79b9);
        x = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
        x = (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35);
        x ^= x >> 16;
        Self(if x == 0 { 1 } else { x })
    }

    /// A number from 0 to `most`.
    fn up_to(&mut self, most: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        // Multiply and shift: no division, which Cortex-M0 lacks.
        (((u64::from(most) + 1) * u64::from(self.0)) >> 32) as u32
    }
}

/// Something that failures close for a while: an endpoint's connection, or one kind of line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gate {
    until: Moment,
    /// Failures in a row, up to [`STEPS`]; 0 is open. And [`PROBING`].
    state: u8,
    /// Counts the steps: what left before the last one says nothing new when it fails.
    epoch: u8,
}

/// Something is on its way to find out whether it is better now.
const PROBING: u8 = 0x80;
/// After so many steps nothing changes any more.
const STEPS: u8 = 0x7f;

impl Gate {
    pub(super) const OPEN: Self = Self { until: Moment::of(Millis(0)), state: 0, epoch: 0 };

    /// Whether something may leave at `now`; else how long to wait (`None`: until the probe is back), `longest` at
    /// most.
    pub(super) fn open(&mut self, now: Moment, longest: u32) -> Result<(), Option<u32>> {
        if !self.is_shut() {
            return Ok(());
        }
        let mut left = self.until.left(now);
        if left > longest {
            // A clock that went back must not lengthen a wait.
            left = longest;
            self.until = now.after(longest);
        }
        match (self.state & PROBING != 0, left) {
            (true, _) => Err(None),
            (false, 0) => Ok(()),
            (false, left) => Err(Some(left)),
        }
    }

    /// Something leaves: returns what it has to bring back.
    pub(super) fn leave(&mut self) -> Pass {
        let probe = self.is_shut();
        if probe {
            self.state |= PROBING;
        }
        Pass { epoch: self.epoch, probe }
    }

    pub(super) fn back(&mut self, pass: Pass) {
        if pass.probe {
            self.state &= STEPS;
        }
    }

    pub(super) const fn is_shut(&self) -> bool {
        self.step() > 0
    }

    const fn step(&self) -> u8 {
        self.state & STEPS
    }

    pub(super) fn succeeded(&mut self) {
        self.state = 0;
    }

    /// The connection broke while nothing was on its way.
    pub(super) fn broke(&mut self, now: Moment, backoff: Waits, jitter: &mut Jitter) {
        self.failed(Pass { epoch: self.epoch, probe: false }, now, backoff, None, jitter);
    }

    /// What left with `pass` failed: one step further, unless another of its time has taken that step already.
    pub(super) fn failed(
        &mut self,
        pass: Pass,
        now: Moment,
        backoff: Waits,
        after: Option<Duration>,
        jitter: &mut Jitter,
    ) {
        if pass.epoch == self.epoch {
            if self.step() < STEPS {
                self.state += 1;
            }
            self.epoch = self.epoch.wrapping_add(1);
            self.until = now.after(jitter.up_to(backoff.ceiling(self.step())));
        }
        if let Some(after) = after.map(wait) {
            self.state |= u8::from(!self.is_shut());
            self.until = now.after(after.max(self.until.left(now)));
        }
    }
}

/// What a batch that left through a [`Gate`] brings back.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pass {
    epoch: u8,
    probe: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: u32 = 300_000;
    const START: Moment = Moment::of(Millis(u32::MAX as u64 - 50));

    #[test]
    fn moments_stand_on_both_sides_of_the_wrap() {
        let later = START.after(100);
        assert_eq!((later.left(START), START.left(later), START.left(START)), (100, 0, 0));
        assert!(START.is_before(later) && !later.is_before(START) && !START.is_before(START));
        assert_eq!(Moment::of(Millis(u64::from(u32::MAX) + 50)), later);
    }

    #[test]
    fn jitter_is_full_and_bounded() {
        let mut jitter = Jitter::new(7);
        let all = core::iter::repeat_with(|| jitter.up_to(99)).take(10_000);
        let (mut low, mut high) = (u32::MAX, 0);
        for wait in all {
            low = low.min(wait);
            high = high.max(wait);
        }
        assert_eq!((low, high), (0, 99));
        assert_eq!(Jitter::new(0).up_to(0), 0);
        // Clients are numbered from 1, say: their first waits are spread too.
        let mean = (1..=1_000).map(|seed| Jitter::new(seed).up_to(99)).sum::<u32>() / 1_000;
        assert!((40..60).contains(&mean), "{mean}");
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_most() {
        let ceilings = [1, 2, 3, 9, 10, 200].map(|failures| Waits::of(Backoff::HTTP).ceiling(failures));
        assert_eq!(ceilings, [100, 200, 400, 25_600, 30_000, 30_000]);
    }

    #[test]
    fn failures_of_one_time_are_one_step_and_then_one_probe() {
        let mut gate = Gate::OPEN;
        let mut jitter = Jitter::new(1);
        let http = Waits::of(Backoff::HTTP);
        let passes = [gate.leave(), gate.leave(), gate.leave(), gate.leave()];
        for pass in passes {
            gate.back(pass);
            gate.failed(pass, START, http, None, &mut jitter);
        }
        assert_eq!(gate.step(), 1);
        assert!(gate.until.left(START) <= 100);

        let then = START.after(100);
        assert_eq!(gate.open(then, LONG), Ok(()));
        let probe = gate.leave();
        assert_eq!(gate.open(then, LONG), Err(None), "one probe at a time");
        gate.back(probe);
        gate.failed(probe, then, http, Some(Duration::from_secs(7)), &mut jitter);
        assert_eq!(gate.open(then.after(6_999), LONG), Err(Some(1)));

        let probe = (gate.open(then.after(7_000), LONG), gate.leave()).1;
        gate.back(probe);
        gate.succeeded();
        assert_eq!(gate.open(then, LONG), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_does_not_lengthen_the_wait() {
        let mut gate = Gate::OPEN;
        let pass = gate.leave();
        let long = Some(Duration::from_millis(LONG.into()));
        gate.failed(pass, Moment::of(Millis(1_000_000)), Waits::of(Backoff::HTTP), long, &mut Jitter::new(1));
        assert_eq!(gate.open(Moment::of(Millis(5)), LONG), Err(Some(LONG)));
        assert_eq!(gate.open(Moment::of(Millis(6)), LONG), Err(Some(LONG - 1)));
    }
}
