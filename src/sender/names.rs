//! The functions of the other SDKs of the family, under their names, for every handle that has a `send`.

use super::{MultiError, MultiSender, SendError, Sender};
use crate::{DeltaCounter, Event, Granularities, Histogram, Metric, Span, SpanLog, Tags, Uuid};

macro_rules! names_of_the_family {
    ($handle:ty, $error:ty) => {
        /// The functions of the other SDKs of the family, under their names.
        impl $handle {
            /// Queues a point of a metric. A blank `source` stands for the default one.
            ///
            /// # Errors
            /// As [`send`](Self::send).
            pub fn send_metric(
                &self,
                name: &str,
                value: f64,
                timestamp: Option<u64>,
                source: &str,
                tags: impl Tags,
            ) -> Result<(), $error> {
                self.send(Metric { timestamp, ..Metric::new(name, value) }.source(source).tags(tags))
            }

            /// Queues an increment of a delta counter.
            ///
            /// # Errors
            /// As [`send`](Self::send).
            pub fn send_delta_counter(
                &self,
                name: &str,
                value: f64,
                source: &str,
                tags: impl Tags,
            ) -> Result<(), $error> {
                self.send(DeltaCounter::new(name, value).source(source).tags(tags))
            }

            /// Queues a histogram distribution: centroids of (mean, count).
            ///
            /// # Errors
            /// As [`send`](Self::send).
            pub fn send_distribution(
                &self,
                name: &str,
                centroids: &[(f64, u64)],
                granularities: impl Into<Granularities>,
                timestamp: Option<u64>,
                source: &str,
                tags: impl Tags,
            ) -> Result<(), $error> {
                let histogram = Histogram { timestamp, ..Histogram::new(name, centroids) };
                self.send(histogram.granularities(granularities).source(source).tags(tags))
            }

            /// Queues a span, and its logs if there are any. Times are in ms.
            ///
            /// # Errors
            /// As [`send`](Self::send).
            #[allow(clippy::too_many_arguments, reason = "one to one with the function it is named after")]
            pub fn send_span(
                &self,
                name: &str,
                start_millis: u64,
                duration_millis: u64,
                source: &str,
                trace_id: Uuid,
                span_id: Uuid,
                parents: &[Uuid],
                follows_from: &[Uuid],
                tags: impl Tags,
                span_logs: &[SpanLog<'_>],
            ) -> Result<(), $error> {
                let span = Span::new(name, start_millis, duration_millis, trace_id, span_id).source(source).tags(tags);
                self.send(span.parents(parents).follows_from(follows_from).logs(span_logs))
            }

            /// Queues an event. Times are in ms.
            ///
            /// # Errors
            /// As [`send`](Self::send).
            pub fn send_event(
                &self,
                name: &str,
                start_millis: u64,
                end_millis: Option<u64>,
                source: &str,
                tags: &[&str],
                annotations: impl Tags,
            ) -> Result<(), $error> {
                let event = Event { end_millis, ..Event::new(name, start_millis) };
                self.send(event.source(source).tags(tags).annotations(annotations))
            }
        }
    };
}

names_of_the_family!(Sender, SendError);
names_of_the_family!(MultiSender, MultiError<SendError>);
