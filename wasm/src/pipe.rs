//! One sender: its queue, what is under way, and by what rules its lines are written.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

#[cfg(feature = "store")]
use wavefront_sdk::delivery::Large as Account;
#[cfg(not(feature = "store"))]
use wavefront_sdk::delivery::Small as Account;
use wavefront_sdk::delivery::{Buf, Config, Delivery, Encoded, Lane, Slot, Watch};
use wavefront_sdk::uplink::{Access, Requests, Unsent, Uplink};
use wavefront_sdk::{EventForm, Kind, KindSet, Prepared, Rules};

use crate::driver::duration;
use crate::fault::Fault;
use crate::strings::{Kept, Strings};

/// A batch is one: small enough for a page that goes away. With a store, two of them are: it takes whole ones only, and a
/// part of what is there is to leave with the page.
const SEGMENT: usize = if cfg!(feature = "store") { 30_000 } else { 64_000 };

/// Bytes of one kind that wait or are on their way.
const QUEUE_BYTES: usize = 8 << 20;

/// Requests at once, at most: in a page that goes away more than otherwise.
pub(crate) const IN_FLIGHT: usize = 16;

/// The memory of a segment, made when it is first used.
pub(crate) struct Segment(Box<[u8]>);

impl AsRef<[u8]> for Segment {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsMut<[u8]> for Segment {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Buf for Segment {
    type Scale = Account;

    fn make(size: usize) -> Option<Self> {
        Some(Self(vec![0; size].into_boxed_slice()))
    }

    #[cfg(feature = "store")]
    fn copy(&self, len: usize) -> Option<Self> {
        self.0.get(..len).map(|lines| Self(lines.into()))
    }
}

type Queue = Delivery<Segment, Vec<Slot<Segment>>, [Lane<Account>; Kind::COUNT]>;

pub(crate) struct Pipe {
    pub(crate) uplink: Uplink<Queue, Requests<Segment, IN_FLIGHT>>,
    source: Option<String>,
    pub(crate) tags: Kept,
    events: EventForm,
    pub(crate) series: Vec<Option<Prepared<Vec<u8>>>>,
    #[cfg(feature = "store")]
    pub(crate) keeper: Option<crate::keeper::Keeper>,
    /// What somebody waits for that went ahead of the queue, by its tag.
    pub(crate) watches: Vec<(u32, Watch)>,
    /// The tag that was given last, and what the next datum is to have; 0 is none.
    pub(crate) last_tag: u32,
    pub(crate) next_tag: u32,
    /// How many more calls and bytes make a batch, since the driver looked last.
    company: (u32, usize),
    batch_lines: u32,
}

/// The bounds of a sender, as JavaScript gives them.
pub(crate) struct Settings {
    pub(crate) queue_lines: u32,
    pub(crate) batch_lines: u32,
    pub(crate) flush_interval: f64,
    pub(crate) patience: f64,
    /// Events leave as JSON, one a request.
    pub(crate) direct: bool,
}

impl Pipe {
    /// Source, and tags for everything it sends.
    pub(crate) fn new(mut strings: Strings<'_>, settings: &Settings) -> Self {
        let (events, single) = match settings.direct {
            true => (EventForm::Json, Kind::Event.into()),
            false => (EventForm::Line, KindSet::NONE),
        };
        let mut config = Config::DEFAULT;
        (config.queue_lines, config.batch_lines) = (settings.queue_lines as usize, settings.batch_lines);
        (config.queue_bytes, config.segment_bytes) = (QUEUE_BYTES, SEGMENT);
        config.flush_interval = duration(settings.flush_interval);
        config.single = single;
        let slots = Kind::COUNT * (QUEUE_BYTES / SEGMENT + 2) + IN_FLIGHT + 2;
        let slots = (0..slots).map(|_| Slot::empty()).collect::<Vec<_>>();
        Self {
            uplink: Uplink::new(
                Delivery::new(config, slots, Kind::ALL.map(Lane::new)),
                Requests::new(duration(settings.patience)),
            ),
            source: strings.given().map(Into::into),
            tags: strings.into(),
            events,
            series: Vec::new(),
            #[cfg(feature = "store")]
            keeper: None,
            watches: Vec::new(),
            last_tag: 0,
            next_tag: 0,
            company: (settings.batch_lines, SEGMENT),
            batch_lines: settings.batch_lines,
        }
    }

    pub(crate) fn rules(&self) -> Rules<'_> {
        rules(self.source.as_deref(), self.events)
    }

    /// Queues what was encoded, with the next tag, if there is one; what could not be is counted. Returns 1 where the driver
    /// is to look, as there is enough for a batch or somebody waits.
    pub(crate) fn queue(&mut self, kind: Kind, encoded: Result<(Encoded, &[u8]), Fault>) -> Result<i32, Fault> {
        let tag = core::mem::take(&mut self.next_tag);
        let (encoded, lines) = encoded.inspect_err(|fault| {
            if !matches!(fault, Fault::Unsent(Unsent::Scratch(_))) {
                self.note_invalid(kind);
            }
        })?;
        let count = self.uplink.queue().push_encoded(&encoded, lines, tag)?;
        if tag != 0 {
            self.watches.push((tag, Watch::new(count as usize)));
            return Ok(1);
        }
        Ok(self.sent(lines.len()))
    }

    /// Counts a datum that could not be put together.
    pub(crate) fn note_invalid(&mut self, kind: Kind) {
        self.uplink.queue().view().note(kind, 1, 0);
    }

    /// The driver looks: what was queued until now does not count any more.
    pub(crate) fn looked(&mut self) {
        self.company = (self.batch_lines, SEGMENT);
    }

    /// Whether there is enough for a batch now, as far as can be told without looking.
    fn sent(&mut self, bytes: usize) -> i32 {
        let (lines, room) = self.company;
        self.company = (lines.saturating_sub(1), room.saturating_sub(bytes));
        if self.company.0 == 0 || self.company.1 == 0 {
            self.looked();
            return 1;
        }
        0
    }
}

pub(crate) fn rules(source: Option<&str>, events: EventForm) -> Rules<'_> {
    let mut rules = Rules::new().events(events);
    rules.default_source = source;
    rules
}
