//! Data to lines: the encoders, and where they write to.

mod histogram;
mod limits;
mod metric;
mod number;
mod out;
mod point;
mod sink;
mod text;

pub use limits::{EventForm, Limits, Rules};
pub use sink::{Count, Full, Sink, Slice};

use crate::{EncodeError, Kind};

/// A datum that can be written as lines.
///
/// Implemented by every type of [`data`](crate::data). On an error nothing was written: the sink is as it was.
pub trait Encode {
    /// The kind of its lines.
    const KIND: Kind;

    /// Writes the datum's lines, each ended by one LF, and returns how many: 0 for a delta of zero, up to three for a
    /// histogram, else 1.
    ///
    /// # Errors
    /// [`EncodeError::Invalid`] where the input cannot be said in a line the receiver takes, [`EncodeError::Full`] where
    /// the sink has no room.
    fn encode<S: Sink + ?Sized>(&self, rules: &Rules<'_>, sink: &mut S) -> Result<u32, EncodeError<S::Full>>;

    /// Writes the line of another kind that belongs to the datum, if there is one, and returns its kind: a span with
    /// logs has one ([`Kind::SpanLogs`]).
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    fn encode_companion<S: Sink + ?Sized>(
        &self,
        _: &Rules<'_>,
        _: &mut S,
    ) -> Result<Option<Kind>, EncodeError<S::Full>> {
        Ok(None)
    }
}
