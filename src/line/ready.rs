//! A datum as a ready line, where no sink is at hand.

use crate::{DeltaCounter, Event, Histogram, Metric, SourceDescription, SourceTag, Span, SpanLogs, Tags};
#[cfg(feature = "std")]
use crate::{Encode, EncodeError, InvalidInput, Rules};

/// The lines of `datum` as a string.
#[cfg(feature = "std")]
pub(crate) fn to_string(datum: &impl Encode, rules: &Rules<'_>) -> Result<std::string::String, InvalidInput> {
    let mut out = std::vec::Vec::with_capacity(128);
    match datum.encode(rules, &mut out) {
        // Encoders write nothing but text.
        Ok(_) => Ok(std::string::String::from_utf8(out).unwrap_or_default()),
        Err(EncodeError::Invalid(invalid)) => Err(invalid),
    }
}

macro_rules! ready {
    ($($datum:ty $(, $tags:ident)?;)*) => {$(
        impl$(<$tags: Tags>)? $datum {
            /// The datum's lines, by the receiver's default limits and without a default source.
            ///
            /// # Errors
            /// Where the datum cannot be said in a line that the receiver takes.
            #[cfg(feature = "std")]
            pub fn line(&self) -> Result<std::string::String, InvalidInput> {
                to_string(self, &Rules::new())
            }
        }
    )*};
}

ready! {
    Metric<'_, T>, T;
    DeltaCounter<'_, T>, T;
    Histogram<'_, T>, T;
    Span<'_, T>, T;
    SpanLogs<'_>;
    Event<'_, T>, T;
    SourceTag<'_>;
    SourceDescription<'_>;
}
