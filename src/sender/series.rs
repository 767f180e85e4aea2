//! A series that is sent often: all but the number is encoded once.

use core::convert::Infallible;
use std::boxed::Box;
use std::vec::Vec;

use super::{SendError, Sender};
use crate::prepared::Prepared;
use crate::{DeltaCounter, EncodeError, Metric, Tags};

/// A metric or delta counter of a [`Sender`], ready to be sent for the price of a number.
///
/// ```
/// # use wavefront_sdk::{sender::SenderBuilder, transport::Memory};
/// # let memory = Memory::new();
/// # let sender = SenderBuilder::over(memory.clone()).build()?;
/// let usage = sender.prepare("new-york.power.usage", "localhost", &[("datacenter", "dc1")])?;
/// usage.send(42422.0)?;
/// usage.send_at(42423.0, 1493773500)?;
/// # sender.flush_now()?;
/// # assert_eq!(memory.lines(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Series {
    sender: Sender,
    line: Prepared<Box<[u8]>>,
}

impl Series {
    /// Queues `value`, for the receiver's present time.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub fn send(&self, value: f64) -> Result<(), SendError> {
        self.queue(value, None)
    }

    /// Queues `value` for `timestamp`, in s, ms, µs or ns since 1970.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub fn send_at(&self, value: f64, timestamp: u64) -> Result<(), SendError> {
        self.queue(value, Some(timestamp))
    }

    fn queue(&self, value: f64, timestamp: Option<u64>) -> Result<(), SendError> {
        self.sender.send_encoded(self.line.kind(), |scratch| self.line.encode(value, timestamp, scratch))
    }
}

impl Sender {
    /// Prepares a metric that is sent often. A blank `source` stands for the default one.
    ///
    /// # Errors
    /// [`SendError::Invalid`] where no line can say it, [`SendError::NoPort`] or [`SendError::Unsupported`] where the
    /// endpoint does not take it.
    pub fn prepare(&self, name: &str, source: &str, tags: impl Tags) -> Result<Series, SendError> {
        let metric = Metric::new(name, 0.0).source(source).tags(self.settings().tags.behind(&tags));
        self.series(Prepared::metric(&metric, &self.settings().rules()))
    }

    /// Prepares a delta counter that is sent often.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn prepare_delta_counter(&self, name: &str, source: &str, tags: impl Tags) -> Result<Series, SendError> {
        let counter = DeltaCounter::new(name, 0.0).source(source).tags(self.settings().tags.behind(&tags));
        self.series(Prepared::delta_counter(&counter, &self.settings().rules()))
    }

    fn series(&self, line: Result<Prepared<Vec<u8>>, EncodeError<Infallible>>) -> Result<Series, SendError> {
        let line = line.map_err(|EncodeError::Invalid(invalid)| invalid)?;
        self.admits(line.kind())?;
        Ok(Series { sender: self.clone(), line: line.into_boxed() })
    }
}
