//! Data to the queue of a sender, or to lines without one.

use alloc::vec::Vec;

use wavefront_sdk::line::{Full, Slice};
use wavefront_sdk::{Encode, EncodeError, Kind, Prepared, Rules};

use crate::border::{Core, Parts, put, with_room};
use crate::data::{self, EventParts, SpanParts, centroids};
use crate::fault::Fault;
use crate::pipe::Pipe;
use crate::strings::Strings;

/// Where the lines of a datum go.
enum Place<'a> {
    /// To a sender, by its rules.
    Queue(&'a mut Pipe),
    /// To the text that goes out.
    Text(Rules<'a>, &'a mut Vec<u8>),
}

/// What a call came with, and where it goes.
struct Call<'a> {
    place: Place<'a>,
    strings: Strings<'a>,
    numbers: &'a [f64],
    /// The sender's own tags.
    common: Strings<'a>,
    scratch: &'a mut [u8],
}

impl<'a> Call<'a> {
    /// What of the datum could be put together; what could not is counted.
    fn good<T>(&mut self, kind: Kind, built: Result<T, Fault>) -> Result<T, Fault> {
        if let (Err(_), Place::Queue(pipe)) = (&built, &mut self.place) {
            pipe.note_invalid(kind);
        }
        built
    }

    /// The datum's lines to their place: for a queue 1 where there is enough for a batch, else 0.
    fn emit(self, datum: &dyn Datum) -> Result<i32, Fault> {
        let Self { place, scratch, .. } = self;
        match place {
            Place::Queue(pipe) => datum.send(pipe, scratch).map(|lines| pipe.queued(lines)),
            Place::Text(rules, out) => {
                // By way of the scratch: that is what the encoders are compiled for.
                let mut slice = Slice::new(scratch);
                let lines = datum.lines(&rules, &mut slice)?;
                out.clear();
                out.extend_from_slice(slice.as_bytes());
                Ok(lines as i32)
            }
        }
    }
}

/// A datum of any type.
trait Datum {
    fn send(&self, pipe: &mut Pipe, scratch: &mut [u8]) -> Result<i32, Fault>;
    fn lines(&self, rules: &Rules<'_>, slice: &mut Slice<'_>) -> Result<u32, EncodeError<Full>>;
}

impl<D: Encode> Datum for D {
    fn send(&self, pipe: &mut Pipe, scratch: &mut [u8]) -> Result<i32, Fault> {
        pipe.send(self, scratch)
    }

    fn lines(&self, rules: &Rules<'_>, slice: &mut Slice<'_>) -> Result<u32, EncodeError<Full>> {
        self.encode_compact(rules, slice)
    }
}

/// Only the logs of a span.
struct Logs<'a, D>(&'a D);

impl<D: Encode> Datum for Logs<'_, D> {
    fn send(&self, _: &mut Pipe, _: &mut [u8]) -> Result<i32, Fault> {
        Err(Fault::Gone)
    }

    fn lines(&self, rules: &Rules<'_>, slice: &mut Slice<'_>) -> Result<u32, EncodeError<Full>> {
        self.0.encode_companion_compact(rules, slice).map(|kind| u32::from(kind.is_some()))
    }
}

impl Core {
    /// Calls `work` with what came in, for the sender number `place`, or for none if that is negative.
    fn call(
        &mut self,
        place: i32,
        strings: u32,
        numbers: u32,
        work: &mut dyn FnMut(Call<'_>) -> Result<i32, Fault>,
    ) -> i32 {
        let result = self.parts(strings, numbers).and_then(|parts| {
            let Parts { mut strings, numbers, out, scratch, pipes } = parts;
            let source = strings.given();
            let mut pipe = match usize::try_from(place) {
                Ok(place) => Some(pipes.get_mut(place).and_then(Option::as_deref_mut).ok_or(Fault::Gone)?),
                Err(_) => None,
            };
            // Apart while a datum borrows them.
            let kept = pipe.as_mut().map(|pipe| core::mem::take(&mut pipe.tags)).unwrap_or_default();
            let result = with_room(scratch, &mut |scratch| {
                let place = match &mut pipe {
                    Some(pipe) => Place::Queue(pipe),
                    None => {
                        let mut rules = Rules::new();
                        rules.default_source = source;
                        Place::Text(rules, out)
                    }
                };
                work(Call { place, strings, numbers, common: kept.strings(), scratch })
            });
            if let Some(pipe) = pipe {
                pipe.tags = kept;
                pipe.next_tag = 0;
            }
            result
        });
        self.done(result)
    }
}

// Every call but the last two takes the number of a sender, and returns 0, or 1 where there is enough for a batch; where that
// number is negative, the lines go to the text area, and it returns how many they are. The first string is the default
// source of such lines.
impl Core {
    /// A metric: name, source, tags.
    pub(crate) fn metric(&mut self, place: i32, strings: u32, value: f64, time: f64) -> i32 {
        self.call(place, strings, 0, &mut |mut call| {
            let metric = call.good(Kind::Metric, data::metric(call.strings, value, time, call.common))?;
            call.emit(&metric)
        })
    }

    /// An increment of a delta counter: name, source, tags.
    pub(crate) fn delta(&mut self, place: i32, strings: u32, value: f64) -> i32 {
        self.call(place, strings, 0, &mut |call| {
            let delta = data::delta(call.strings, value, call.common);
            call.emit(&delta)
        })
    }

    /// A histogram: name, source, tags; means and counts.
    pub(crate) fn histogram(&mut self, place: i32, strings: u32, numbers: u32, granularities: u32, time: f64) -> i32 {
        self.call(place, strings, numbers, &mut |mut call| {
            let centroids = call.good(Kind::Histogram, centroids(call.numbers))?;
            let histogram = data::histogram(call.strings, &centroids, granularities, time, call.common);
            let histogram = call.good(Kind::Histogram, histogram)?;
            call.emit(&histogram)
        })
    }

    /// A span, and to a queue its logs too; to the text only its logs where `logs` says so.
    pub(crate) fn span(&mut self, place: i32, strings: u32, numbers: u32, logs: bool) -> i32 {
        self.call(place, strings, numbers, &mut |mut call| {
            let parts = call.good(Kind::Span, SpanParts::new(call.strings, call.numbers))?;
            let records = parts.logs();
            let span = parts.span(&records, call.common);
            if logs { call.emit(&Logs(&span)) } else { call.emit(&span) }
        })
    }

    /// An event: name, source, tags, annotations.
    pub(crate) fn event(&mut self, place: i32, strings: u32, tags: u32, start: f64, end: f64) -> i32 {
        self.call(place, strings, 0, &mut |mut call| {
            let parts = call.good(Kind::Event, EventParts::new(call.strings, tags, start, end))?;
            call.emit(&parts.event())
        })
    }

    /// Prepares a metric that is sent often; says which series of the sender it is.
    pub(crate) fn prepare(&mut self, place: i32, strings: u32) -> i32 {
        self.call(place, strings, 0, &mut |call| {
            let Place::Queue(pipe) = call.place else { return Err(Fault::Gone) };
            let metric = data::metric(call.strings, 0.0, -1.0, call.common)?;
            let series = Prepared::metric_compact(&metric, &pipe.rules(), call.scratch)?;
            Ok(put(&mut pipe.series, series))
        })
    }

    /// A value of a series.
    pub(crate) fn value(&mut self, pipe: u32, series: u32, value: f64, time: f64) -> i32 {
        let sent = self.value_of(pipe, series, value, time);
        self.done(sent)
    }

    fn value_of(&mut self, pipe: u32, series: u32, value: f64, time: f64) -> Result<i32, Fault> {
        let Self { pipes, scratch, .. } = self;
        let pipe = pipes.get_mut(pipe as usize).and_then(Option::as_deref_mut).ok_or(Fault::Gone)?;
        pipe.send_value(series, value, time, scratch)
    }

    /// Forgets a series.
    pub(crate) fn forget_series(&mut self, pipe: u32, series: u32) {
        if let Some(series) = self.pipe(pipe).and_then(|pipe| pipe.series.get_mut(series as usize)) {
            *series = None;
        }
    }
}
