//! Data to lines: the encoders, and where they write to.

pub(crate) mod compact;
#[cfg(feature = "std")]
mod default_tags;
#[cfg(not(any(target_os = "none", target_arch = "wasm32", no_shortcuts)))]
mod digits;
mod event;
mod histogram;
mod json;
mod limits;
pub(crate) mod metric;
mod number;
mod ordinary;
pub(crate) mod out;
mod point;
mod ready;
mod seen;
mod shortest;
mod sink;
mod source_tag;
mod span;
mod span_logs;
pub(crate) mod text;
#[cfg(feature = "std")]
mod to_line_data;
pub(crate) mod window;

#[cfg(feature = "std")]
pub use default_tags::{Behind, DefaultTags};
pub use limits::{EventForm, Limits, Rules};
pub use sink::{Count, Full, Sink, Slice};
#[cfg(feature = "std")]
pub use to_line_data::{
    event_to_json, event_to_line_data, histogram_to_line_data, metric_to_line_data, span_log_to_line_data,
    tracing_span_to_line_data,
};

use crate::{EncodeError, Kind};

/// A datum that can be written as lines.
///
/// Implemented by every type of [`data`](crate::data). On an error nothing was written: the sink is as it was.
pub trait Encode {
    /// The kind of its lines.
    const KIND: Kind;

    /// The kind of this datum's lines, where its content decides: a metric whose name starts with a delta is a delta
    /// counter for the receiver.
    fn kind(&self) -> Kind {
        Self::KIND
    }

    /// Writes the datum's lines, each ended by one LF, and returns how many: 0 for a delta of zero, up to three for a
    /// histogram, else 1.
    ///
    /// # Errors
    /// [`EncodeError::Invalid`] where the input cannot be said in a line the receiver takes, [`EncodeError::Full`]
    /// where the sink has no room.
    fn encode<S: Sink + ?Sized>(&self, rules: &Rules<'_>, sink: &mut S) -> Result<u32, EncodeError<S::Full>>;

    /// As [`encode`](Self::encode), to a slice, by code that is in a program once, whatever the tags are: for devices,
    /// where flash is dearer than time. The data of this crate have such code; what is given here calls `encode`.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    fn encode_compact(&self, rules: &Rules<'_>, lines: &mut Slice<'_>) -> Result<u32, EncodeError<Full>> {
        self.encode(rules, lines)
    }

    /// Writes the datum's lines to the beginning of `buffer`, for those who need no sink.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    ///
    /// ```
    /// use wavefront_sdk::{Encode, Metric, Rules};
    /// let mut buffer = [0; 64];
    /// let line = Metric::new("cpu.load", 0.5).source("pump-3").write_to(&Rules::new(), &mut buffer)?;
    /// assert_eq!(line, "\"cpu.load\" 0.5 source=\"pump-3\"\n");
    /// # Ok::<(), wavefront_sdk::EncodeError<wavefront_sdk::line::Full>>(())
    /// ```
    fn write_to<'b>(&self, rules: &Rules<'_>, buffer: &'b mut [u8]) -> Result<&'b str, EncodeError<Full>> {
        let mut slice = Slice::new(buffer);
        self.encode(rules, &mut slice)?;
        // Encoders write nothing but text.
        Ok(core::str::from_utf8(slice.into_written()).unwrap_or_default())
    }

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

    /// As [`encode_companion`](Self::encode_companion), by the code of [`encode_compact`](Self::encode_compact).
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    fn encode_companion_compact(
        &self,
        rules: &Rules<'_>,
        lines: &mut Slice<'_>,
    ) -> Result<Option<Kind>, EncodeError<Full>> {
        self.encode_companion(rules, lines)
    }

    /// As [`encode`](Self::encode), with those of `tags` whose keys the datum has not. What has no such tags is written
    /// as it is: events, span logs, source tags.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    #[cfg(feature = "std")]
    fn encode_with<S: Sink + ?Sized>(
        &self,
        tags: &DefaultTags,
        rules: &Rules<'_>,
        sink: &mut S,
    ) -> Result<u32, EncodeError<S::Full>> {
        let _ = tags;
        self.encode(rules, sink)
    }

    /// As [`encode_companion`](Self::encode_companion), with the tags of [`encode_with`](Self::encode_with).
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    #[cfg(feature = "std")]
    fn encode_companion_with<S: Sink + ?Sized>(
        &self,
        tags: &DefaultTags,
        rules: &Rules<'_>,
        sink: &mut S,
    ) -> Result<Option<Kind>, EncodeError<S::Full>> {
        let _ = tags;
        self.encode_companion(rules, sink)
    }
}
