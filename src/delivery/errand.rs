//! What a driver does for a store: jobs, one at a time, and the options that decide about them.

use core::time::Duration;

use super::backoff::{Millis, Pass};
use super::segment::{Buf, NONE};
use crate::Kind;
use crate::store::{AsyncStore, Head, Store, StoreFailure};

/// When lines go into the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Mode {
    /// When they cannot be sent, or do not fit in memory. What only memory has is lost in a crash.
    #[default]
    Overflow,
    /// Before they are sent. They are removed when they are delivered; a crash loses only lines whose batch is not full
    /// yet, up to the last flush.
    Always,
}

/// The bounds of what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keep {
    /// When lines go into the store.
    pub mode: Mode,
    /// Bytes of the medium that records may take, at most. What does not fit is refused, or, under
    /// [`Overflow::DropOldest`](super::Overflow::DropOldest), takes the place of the oldest.
    pub bytes: u64,
    /// Records that are older are dropped. Without a clock none is.
    pub age: Duration,
}

impl Keep {
    /// The same bounds, with another mode.
    pub const fn new(mode: Mode) -> Self {
        Self { mode, ..Self::DEFAULT }
    }

    /// Another cap by bytes.
    #[must_use]
    pub const fn bytes(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }

    /// Another cap by age.
    #[must_use]
    pub const fn age(self, age: Duration) -> Self {
        Self { age, ..self }
    }

    /// What cannot be sent or does not fit, 1 GiB and 7 days at most.
    pub const DEFAULT: Self = Self { mode: Mode::Overflow, bytes: 1 << 30, age: Duration::from_secs(7 * 24 * 60 * 60) };
}

impl Default for Keep {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What a driver does next for the store.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Errand<B> {
    /// Do this job, one at a time, and bring it back with its result.
    Do(Job<B>),
    /// Nothing to do before then, unless something happens to the queue.
    WaitUntil(Millis),
    /// Nothing to do until something happens to the queue.
    Idle,
}

/// One call of a [`Store`], with all it needs. To be brought back to
/// [`Spool::settle`](super::Spool::settle).
#[must_use = "a job that does not come back blocks the store for ever"]
pub struct Job<B> {
    pub(super) task: Task,
    pub(super) head: Head,
    /// The buffer of what is put or read; its part from `start`.
    pub(super) buf: Option<B>,
    pub(super) start: u32,
    pub(super) slot: u16,
    pub(super) lane: u8,
    pub(super) pass: Pass,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) enum Task {
    /// At the beginning: what is there?
    Scan,
    /// What is the next to be read? As asked in this turn of the shelf.
    Seek {
        turn: u16,
    },
    Put {
        /// The slot keeps its buffer.
        copy: bool,
    },
    Read,
    /// The lines of a slot are settled.
    Remove,
    Drop(Reason),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) enum Reason {
    Expired,
    StoreFull,
}

/// What a job asks of a store, for drivers that call one of another shape.
#[derive(Debug)]
#[non_exhaustive]
pub enum Request<'a> {
    /// [`Store::put`].
    Put(Head, &'a [u8]),
    /// [`Store::next`].
    Next(Kind, u32),
    /// [`Store::read`].
    Read(Head, &'a mut [u8]),
    /// [`Store::remove`].
    Remove(Kind, u32),
}

/// What a store answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Reply {
    /// To all but [`Request::Next`].
    Done,
    /// To [`Request::Next`].
    Found(Option<Head>),
}

/// Lines that were lost with their record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Loss {
    /// Their kind.
    pub kind: Kind,
    /// How many.
    pub lines: usize,
    /// Why: [`Full`](StoreFailure::Full) to make room, [`Damaged`](StoreFailure::Damaged); none where they were too
    /// old.
    pub failure: Option<StoreFailure>,
}

impl<B> Job<B> {
    pub(super) fn of(task: Task, head: Head, lane: u8) -> Self {
        Self { task, head, buf: None, start: 0, slot: NONE, lane, pass: Pass::default() }
    }
}

impl<B> Job<B> {
    /// The kind of the record.
    pub const fn kind(&self) -> Kind {
        self.head.kind
    }

    /// How many lines the record has, where that is known yet.
    pub const fn lines(&self) -> usize {
        self.head.lines as usize
    }
}

impl<B: Buf> Job<B> {
    /// What to ask the store.
    pub fn request(&mut self) -> Request<'_> {
        let Self { task, head, start, .. } = *self;
        match (task, self.buf.as_mut()) {
            (Task::Put { .. }, Some(buf)) => {
                let lines: &[u8] = B::as_ref(buf);
                let lines = lines.get(start as usize..).and_then(|rest| rest.get(..head.bytes as usize));
                Request::Put(head, lines.unwrap_or_default())
            }
            (Task::Read, Some(buf)) => {
                Request::Read(head, buf.as_mut().get_mut(..head.bytes as usize).unwrap_or_default())
            }
            (Task::Scan | Task::Seek { .. }, _) => Request::Next(head.kind, head.key),
            _ => Request::Remove(head.kind, head.key),
        }
    }

    /// Asks a store.
    ///
    /// # Errors
    /// What the store says; [`Spool::settle`](super::Spool::settle) wants to know its
    /// [`kind`](crate::store::StoreError::kind).
    pub fn run<S: Store + ?Sized>(&mut self, store: &mut S) -> Result<Reply, S::Error> {
        match self.request() {
            Request::Put(head, lines) => store.put(head, lines).map(|()| Reply::Done),
            Request::Next(kind, from) => store.next(kind, from).map(Reply::Found),
            Request::Read(head, into) => store.read(head, into).map(|()| Reply::Done),
            Request::Remove(kind, key) => store.remove(kind, key).map(|()| Reply::Done),
        }
    }

    /// Asks a store that answers later.
    ///
    /// Whoever drops the future before its end still has the job, and may run it again: a record that is put twice is
    /// one.
    ///
    /// # Errors
    /// What the store says, as of [`run`](Self::run).
    pub async fn run_async<S: AsyncStore + ?Sized>(&mut self, store: &mut S) -> Result<Reply, S::Error> {
        match self.request() {
            Request::Put(head, lines) => store.put(head, lines).await.map(|()| Reply::Done),
            Request::Next(kind, from) => store.next(kind, from).await.map(Reply::Found),
            Request::Read(head, into) => store.read(head, into).await.map(|()| Reply::Done),
            Request::Remove(kind, key) => store.remove(kind, key).await.map(|()| Reply::Done),
        }
    }
}

// What is printed for debugging never shows lines.
impl<B> core::fmt::Debug for Job<B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Job").field("task", &self.task).field("head", &self.head).finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<B> defmt::Format for Job<B> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Job {{ task: {}, head: {} }}", self.task, self.head);
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Request<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self {
            Self::Put(head, _) => defmt::write!(f, "Put({})", head),
            Self::Next(kind, from) => defmt::write!(f, "Next({}, {})", kind, from),
            Self::Read(head, _) => defmt::write!(f, "Read({})", head),
            Self::Remove(kind, key) => defmt::write!(f, "Remove({}, {})", kind, key),
        }
    }
}
