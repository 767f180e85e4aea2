//! A transport around a transport that fails by script or by chance, the same way every time.

use core::fmt;
use core::time::Duration;

use super::{Accepted, AsyncTransport, Batch, Failure, Transport, TransportError};
use crate::random::SplitMix;

/// What happens to one call of `send`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Step {
    /// The inner transport gets the batch.
    Pass,
    /// No connection: the inner transport gets nothing.
    Connect,
    /// No answer in time.
    Timeout {
        /// Whether the inner transport gets the batch all the same.
        sent: bool,
    },
    /// The connection breaks.
    Broken {
        /// Whether the inner transport gets the batch all the same.
        sent: bool,
    },
    /// The receiver refuses the batch; the inner transport gets nothing.
    Status {
        /// The HTTP status.
        code: u16,
        /// How long the receiver asks to wait.
        retry_after: Option<Duration>,
    },
    /// The inner transport gets the first lines only, and the rest fails.
    Partial {
        /// How many lines arrive; never the last one of a batch.
        lines: u32,
        /// What is said of the rest.
        failure: Failure,
    },
    /// The endpoint does not take the kind; the inner transport gets nothing.
    Unsupported,
}

/// Makes another transport fail.
///
/// `steps` says what happens to each `send`, one after the other; when it ends, everything passes. A script is an
/// array, a random one comes from [`Rates::steps`]. `probe` and `finish` are the inner transport's own.
///
/// ```
/// use wavefront_sdk::{Kind, transport::{Batch, Callback, Accepted, Failure, Fault, Step, Transport, TransportError}};
/// let inner = Callback::new(|_| Accepted::Delivered);
/// let mut transport = Fault::new(inner, [Step::Connect, Step::Pass]);
/// let batch = Batch::new(Kind::Metric, b"a 1 source=s\n", 1);
/// assert_eq!(transport.send(batch).unwrap_err().kind(), Failure::Connect);
/// assert_eq!(transport.send(batch)?, Accepted::Delivered);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Fault<T, I> {
    inner: T,
    steps: I,
}

impl<T, I: Iterator<Item = Step>> Fault<T, I> {
    /// Lets `inner` fail by `steps`.
    pub fn new(inner: T, steps: impl IntoIterator<IntoIter = I>) -> Self {
        Self { inner, steps: steps.into_iter() }
    }

    /// The transport inside.
    pub const fn inner(&self) -> &T {
        &self.inner
    }

    /// The transport inside.
    pub fn into_inner(self) -> T {
        self.inner
    }

    /// What is given to the inner transport, and what is said afterwards.
    fn plan<'a>(&mut self, batch: Batch<'a>) -> (Option<Batch<'a>>, Option<Injected>) {
        let failed = |kind, lines_done| Some(Injected { kind, lines_done });
        match self.steps.next().unwrap_or(Step::Pass) {
            Step::Pass => (Some(batch), None),
            Step::Connect => (None, failed(Failure::Connect, 0)),
            Step::Timeout { sent } => (sent.then_some(batch), failed(Failure::Timeout, 0)),
            Step::Broken { sent } => (sent.then_some(batch), failed(Failure::Broken, 0)),
            Step::Status { code, retry_after } => (None, failed(Failure::Status { code, retry_after }, 0)),
            Step::Partial { lines, failure } => {
                let head = first_lines(batch, lines.min(batch.lines.saturating_sub(1)));
                ((head.lines > 0).then_some(head), failed(failure, head.lines))
            }
            Step::Unsupported => (None, failed(Failure::Unsupported, 0)),
        }
    }
}

/// The first `lines` lines of `batch`, or as many as there are.
fn first_lines(batch: Batch<'_>, lines: u32) -> Batch<'_> {
    let mut end = 0;
    let mut found = 0;
    for line in batch.bytes.split_inclusive(|&byte| byte == b'\n').take(lines as usize) {
        end += line.len();
        found += 1;
    }
    Batch::new(batch.kind, batch.bytes.get(..end).unwrap_or_default(), found)
}

impl<T: Transport, I: Iterator<Item = Step>> Transport for Fault<T, I> {
    type Error = FaultError<T::Error>;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Self::Error> {
        let (given, said) = self.plan(batch);
        let passed = given.map(|given| self.inner.send(given)).transpose().map_err(FaultError::Inner)?;
        conclude(passed, said)
    }

    fn probe(&mut self) -> Result<(), Self::Error> {
        self.inner.probe().map_err(FaultError::Inner)
    }

    fn unacknowledged(&mut self) -> Option<u64> {
        self.inner.unacknowledged()
    }

    fn status(&self) -> Option<u16> {
        self.inner.status()
    }

    fn finish(&mut self, timeout: Duration) -> Result<(), Self::Error> {
        self.inner.finish(timeout).map_err(FaultError::Inner)
    }
}

impl<T: AsyncTransport, I: Iterator<Item = Step>> AsyncTransport for Fault<T, I> {
    type Error = FaultError<T::Error>;

    async fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, Self::Error> {
        let (given, said) = self.plan(batch);
        let passed = match given {
            Some(given) => Some(self.inner.send(given).await.map_err(FaultError::Inner)?),
            None => None,
        };
        conclude(passed, said)
    }

    async fn finish(&mut self) -> Result<(), Self::Error> {
        self.inner.finish().await.map_err(FaultError::Inner)
    }
}

/// The failure that was ordered, else what the inner transport said.
fn conclude<E>(passed: Option<Accepted>, said: Option<Injected>) -> Result<Accepted, FaultError<E>> {
    match (said, passed) {
        (Some(injected), _) => Err(FaultError::Injected(injected)),
        (None, accepted) => Ok(accepted.unwrap_or(Accepted::Delivered)),
    }
}

/// A failure that was ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Injected {
    /// What it looks like.
    pub kind: Failure,
    /// How many lines had gone through before.
    pub lines_done: u32,
}

/// An error of a [`Fault`]: one that was ordered, or the inner transport's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FaultError<E> {
    /// Ordered by the script or by chance.
    Injected(Injected),
    /// The inner transport's own.
    Inner(E),
}

impl<E: fmt::Display> fmt::Display for FaultError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Injected(injected) => write!(f, "ordered failure: {:?}", injected.kind),
            Self::Inner(inner) => inner.fmt(f),
        }
    }
}

impl<E: core::error::Error> core::error::Error for FaultError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Injected(_) => None,
            Self::Inner(inner) => inner.source(),
        }
    }
}

impl<E: TransportError> TransportError for FaultError<E> {
    fn kind(&self) -> Failure {
        match self {
            Self::Injected(injected) => injected.kind,
            Self::Inner(inner) => inner.kind(),
        }
    }

    fn lines_done(&self) -> u32 {
        match self {
            Self::Injected(injected) => injected.lines_done,
            Self::Inner(inner) => inner.lines_done(),
        }
    }

    fn answer(&self) -> Option<&str> {
        match self {
            Self::Injected(_) => None,
            Self::Inner(inner) => inner.answer(),
        }
    }
}

/// How often each failure happens, in thousandths of the calls. What is left of 1000 passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// [`Step::Connect`].
    pub connect: u16,
    /// [`Step::Timeout`], half of them after sending.
    pub timeout: u16,
    /// [`Step::Broken`], half of them after sending.
    pub broken: u16,
    /// [`Step::Status`], one of 408, 413, 429, 500 and 503, some with a time to wait.
    pub status: u16,
    /// [`Step::Partial`], broken after any number of lines.
    pub partial: u16,
}

impl Rates {
    /// `each` thousandths of every failure.
    pub const fn even(each: u16) -> Self {
        Self { connect: each, timeout: each, broken: each, status: each, partial: each }
    }

    /// An endless series of steps: the same `seed` gives the same series, on every machine.
    pub const fn steps(self, seed: u64) -> Seeded {
        Seeded { rates: self, random: SplitMix(seed) }
    }
}

/// The steps of [`Rates::steps`].
#[derive(Debug, Clone)]
pub struct Seeded {
    rates: Rates,
    random: SplitMix,
}

impl Iterator for Seeded {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let choice = (self.random.random() % 1000) as u16;
        let detail = self.random.random();
        let sent = detail & 1 == 1;
        let Rates { connect, timeout, broken, status, partial } = self.rates;
        let mut bound = 0_u16;
        let mut below = |rate: u16| {
            bound = bound.saturating_add(rate);
            choice < bound
        };
        Some(if below(connect) {
            Step::Connect
        } else if below(timeout) {
            Step::Timeout { sent }
        } else if below(broken) {
            Step::Broken { sent }
        } else if below(status) {
            let code = match detail >> 8 & 7 {
                0 => 408,
                1 | 2 => 413,
                3 | 4 => 429,
                5 => 500,
                _ => 503,
            };
            Step::Status { code, retry_after: sent.then(|| Duration::from_secs(detail >> 16 & 15)) }
        } else if below(partial) {
            Step::Partial { lines: (detail >> 8 & 0xffff) as u32, failure: Failure::Broken }
        } else {
            Step::Pass
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Kind;
    use crate::transport::Callback;

    const BATCH: Batch<'static> = Batch::new(Kind::Metric, b"a 1\nbb 2\nc 3\n", 3);

    /// What the inner transport got for one step, and what was said.
    fn one(step: Step) -> (usize, u32, Result<Accepted, Injected>) {
        let (mut bytes, mut lines) = (0, 0);
        let inner = Callback::new(|batch: Batch<'_>| {
            assert!(BATCH.bytes.starts_with(batch.bytes));
            bytes += batch.bytes.len();
            lines += batch.lines;
            Accepted::Written
        });
        let said = Transport::send(&mut Fault::new(inner, [step]), BATCH);
        let said = said.map_err(|error| match error {
            FaultError::Injected(injected) => injected,
        });
        (bytes, lines, said)
    }

    #[test]
    fn each_step_does_what_it_says() {
        let failed = |kind, lines_done| Err(Injected { kind, lines_done });
        let refused = Failure::Status { code: 429, retry_after: Some(Duration::from_secs(2)) };
        assert_eq!(one(Step::Pass), (13, 3, Ok(Accepted::Written)));
        assert_eq!(one(Step::Connect), (0, 0, failed(Failure::Connect, 0)));
        assert_eq!(one(Step::Timeout { sent: false }), (0, 0, failed(Failure::Timeout, 0)));
        assert_eq!(one(Step::Timeout { sent: true }), (13, 3, failed(Failure::Timeout, 0)));
        assert_eq!(one(Step::Broken { sent: false }), (0, 0, failed(Failure::Broken, 0)));
        assert_eq!(one(Step::Broken { sent: true }), (13, 3, failed(Failure::Broken, 0)));
        assert_eq!(
            one(Step::Status { code: 429, retry_after: Some(Duration::from_secs(2)) }),
            (0, 0, failed(refused, 0))
        );
        assert_eq!(one(Step::Partial { lines: 2, failure: refused }), (9, 2, failed(refused, 2)));
        assert_eq!(one(Step::Partial { lines: 0, failure: refused }), (0, 0, failed(refused, 0)));
        assert_eq!(one(Step::Partial { lines: 9, failure: refused }), (9, 2, failed(refused, 2)), "never all of them");
        assert_eq!(one(Step::Unsupported), (0, 0, failed(Failure::Unsupported, 0)));
    }

    #[test]
    fn after_its_script_everything_passes() {
        let mut transport = Fault::new(Callback::new(|_| Accepted::Delivered), [Step::Connect]);
        assert_eq!(Transport::send(&mut transport, BATCH).unwrap_err().kind(), Failure::Connect);
        for _ in 0..3 {
            assert_eq!(Transport::send(&mut transport, BATCH), Ok(Accepted::Delivered));
        }
    }

    #[test]
    fn the_inner_error_comes_through() {
        let inner =
            Fault::new(Callback::new(|_| Accepted::Delivered), [Step::Partial { lines: 1, failure: Failure::Broken }]);
        let mut outer = Fault::new(inner, [Step::Broken { sent: true }]);
        let error = Transport::send(&mut outer, BATCH).unwrap_err();
        assert!(matches!(error, FaultError::Inner(FaultError::Injected(_))));
        assert_eq!((error.kind(), error.lines_done()), (Failure::Broken, 1));
    }

    #[test]
    fn a_seed_decides_and_rates_are_kept() {
        let rates = Rates { connect: 100, timeout: 50, broken: 50, status: 200, partial: 100 };
        assert!(rates.steps(7).take(1000).eq(rates.steps(7).take(1000)));
        assert!(!rates.steps(7).take(1000).eq(rates.steps(8).take(1000)));
        let passed = rates.steps(1).take(100_000).filter(|step| *step == Step::Pass).count();
        assert!((49_000..51_000).contains(&passed), "{passed} of 100000 passed, 50000 expected");
        let refused = rates.steps(1).take(100_000).filter(|step| matches!(step, Step::Status { .. })).count();
        assert!((19_400..20_600).contains(&refused), "{refused} of 100000 refused, 20000 expected");
        assert!(Rates::default().steps(3).take(1000).all(|step| step == Step::Pass));
        assert!(Rates::even(200).steps(3).take(1000).all(|step| step != Step::Pass));
    }

    #[test]
    fn async_is_the_same() {
        let rates = Rates::even(120);
        let mut blocking = Fault::new(Callback::new(|_| Accepted::Delivered), rates.steps(5));
        let mut waiting = blocking.clone();
        for _ in 0..1000 {
            let future = AsyncTransport::send(&mut waiting, BATCH);
            assert_eq!(Transport::send(&mut blocking, BATCH), crate::transport::ready(future));
        }
    }
}
