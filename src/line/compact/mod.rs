//! The encoders for devices, where flash is dearer than time: one piece of code a kind of datum, whatever its tags are,
//! of parts that all kinds share. They write just what the others write, a byte at a time.

mod clean;
mod data;
mod line;
mod pairs;

pub(crate) use data::{delta, event, histogram, logs_of_span, metric, source_description, source_tag, span, span_logs};

use super::out::{Out, Put};
use super::{Full, Slice};
use crate::{EncodeError, InvalidInput, Tags};

/// Whether what is ordinary has a shorter way of its own, beside the one that all can go. On bare metal these ways cost
/// more flash than the time is worth, and in WebAssembly more bytes that a page has to load. (With `--cfg no_shortcuts`
/// everything goes the long way elsewhere too: for tests.)
pub(crate) const SHORTCUTS: bool = !cfg!(any(target_os = "none", target_arch = "wasm32", no_shortcuts));

/// Tags of a type that is not known.
pub(crate) trait AnyTags {
    /// Calls `each` once a pair, in order, until it says no.
    fn walk(&self, each: &mut dyn FnMut(&str, &str) -> bool);
}

impl<T: Tags> AnyTags for T {
    fn walk(&self, each: &mut dyn FnMut(&str, &str) -> bool) {
        // The error is only the way out.
        let _ = self.try_each(&mut |key, value| if each(key, value) { Ok(()) } else { Err(()) });
    }
}

/// [`Out::lines`] to a slice.
pub(crate) fn lines(
    slice: &mut Slice<'_>,
    line_limit: usize,
    write: &mut dyn FnMut(&mut dyn Put) -> Result<u32, InvalidInput>,
) -> Result<u32, EncodeError<Full>> {
    Out::lines(slice, line_limit, |out| write(out))
}

#[cfg(test)]
mod tests {
    use std::borrow::ToOwned;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn tags_of_an_unknown_type_are_walked_in_order_until_told_to_stop() {
        let tags: &dyn AnyTags = &[("a", "1"), ("b", "2"), ("c", "3")];
        let walk = |last: &str| {
            let mut seen = Vec::new();
            tags.walk(&mut |key, value| {
                seen.push((key.to_owned(), value.to_owned()));
                key != last
            });
            seen.iter().map(|(key, value)| format!("{key}{value}")).collect::<String>()
        };
        assert_eq!((walk("b").as_str(), walk("d").as_str()), ("a1b2", "a1b2c3"));
    }
}
