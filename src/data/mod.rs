//! What a user says: borrowed, `Copy`, nothing allocated.

mod application;
mod event;
mod histogram;
mod metric;
mod source_tag;
mod span;
mod tags;

pub use application::ApplicationTags;
#[cfg(feature = "std")]
pub use application::MissingVariable;
#[cfg(feature = "alloc")]
pub use application::OwnedApplicationTags;
pub use event::Event;
pub use histogram::{Granularities, Granularity, Histogram};
pub use metric::{DeltaCounter, Metric};
pub use source_tag::{DescriptionAction, SourceDescription, SourceTag, TagAction};
pub use span::{Span, SpanLog, SpanLogs};
pub use tags::{Each, Tagged, Tags, each};
