//! The encoders for devices, where flash is dearer than time: one piece of code a kind of datum, whatever its tags are,
//! of parts that all kinds share. They write just what the others write, a byte at a time.

mod clean;
mod data;
mod line;
mod pairs;

pub(crate) use data::{
    delta, event, histogram, line_of_series, logs_of_span, metric, source_description, source_tag, span, span_logs,
};

use crate::Tags;

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

#[cfg(test)]
mod tests {
    use std::borrow::ToOwned;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    use super::*;
    use crate::line::{Sink, Slice};
    use crate::{
        DeltaCounter, Encode, EncodeError, Event, Granularities, Histogram, Kind, Metric, Rules, SourceDescription,
        SourceTag, Span, SpanLog, SpanLogs, TagAction, Uuid,
    };

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

    /// Written as everything of another crate is: by `encode` and `encode_companion` alone.
    struct Another<D>(D);

    impl<D: Encode> Encode for Another<D> {
        const KIND: Kind = D::KIND;

        fn encode<S: Sink + ?Sized>(&self, rules: &Rules<'_>, sink: &mut S) -> Result<u32, EncodeError<S::Full>> {
            self.0.encode(rules, sink)
        }

        fn encode_companion<S: Sink + ?Sized>(
            &self,
            rules: &Rules<'_>,
            sink: &mut S,
        ) -> Result<Option<Kind>, EncodeError<S::Full>> {
            self.0.encode_companion(rules, sink)
        }
    }

    /// What a way of writing gives with so much room.
    fn with_room<R>(room: usize, way: impl FnOnce(&mut Slice<'_>) -> R) -> (R, Vec<u8>) {
        let mut buffer = std::vec![0; room];
        let mut slice = Slice::new(&mut buffer);
        let outcome = way(&mut slice);
        (outcome, slice.as_bytes().to_vec())
    }

    fn alike(datum: &impl Encode) {
        for rules in [Rules::new(), Rules::new().default_source("d")] {
            let whole = with_room(1000, |lines| datum.encode(&rules, lines));
            let companion = with_room(1000, |lines| datum.encode_companion(&rules, lines));
            for room in [0, whole.1.len().saturating_sub(1), whole.1.len(), companion.1.len(), 1000] {
                let written = with_room(room, |lines| datum.encode(&rules, lines));
                assert_eq!(with_room(room, |lines| datum.encode_compact(&rules, lines)), written);
                let text = datum.write_to(&rules, &mut std::vec![0; room]).map(|text| text.as_bytes().to_vec());
                assert_eq!(text, written.0.map(|_| written.1));
                let written = with_room(room, |lines| datum.encode_companion(&rules, lines));
                assert_eq!(with_room(room, |lines| datum.encode_companion_compact(&rules, lines)), written);
            }
            #[cfg(feature = "std")]
            {
                let none = crate::line::DefaultTags::new(&()).unwrap();
                assert_eq!(with_room(1000, |lines| datum.encode_with(&none, &rules, lines)), whole);
                assert_eq!(with_room(1000, |lines| datum.encode_companion_with(&none, &rules, lines)), companion);
            }
        }
    }

    #[test]
    fn every_way_of_writing_gives_the_same_bytes_number_and_error() {
        let tags = [("env", "prod"), ("a key", "x \"y\"")];
        let (trace, id) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let logs = [SpanLog::new(3, &tags)];
        let span = Span::new("o", 1, 2, trace, id).source("s").tags(&tags).logs(&logs);
        alike(&Metric::new("m", 1.5).tags(&tags));
        alike(&Metric::new("m", f64::NAN));
        alike(&DeltaCounter::new("c", 2.0).tags(&tags));
        alike(&DeltaCounter::new("c", 0.0));
        alike(&Histogram::new("h", &[(1.5, 3)]).granularities(Granularities::ALL).tags(&tags));
        alike(&span);
        alike(&SpanLogs::new(trace, id, &logs));
        alike(&Event::new("e", 5).annotations(&tags));
        alike(&SourceTag::new(TagAction::Add, &["t"]));
        alike(&SourceDescription::save("text"));
        alike(&Another(Histogram::new("h", &[(1.5, 3)]).granularities(Granularities::ALL)));
        alike(&Another(span));
    }
}
