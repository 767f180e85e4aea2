//! Data to the queue of a sender, or to lines without one.

use wavefront_sdk::delivery::Encoded;
use wavefront_sdk::uplink::Part;
use wavefront_sdk::{EventForm, Field, Kind, Limits, Prepared};

use crate::border::{Core, Parts, put, with_room};
use crate::data::{Call, SERIES, SPAN_LOGS, whole};
use crate::fault::Fault;
use crate::pipe::rules;
use crate::strings::{Merged, Strings};

impl Core {
    /// A datum, and that of a span its logs too, to the sender of the number `place`; returns 0, or 1 where there is enough for
    /// a batch.
    ///
    /// Where that number is negative, the lines of the datum, or of a span's logs only, go to the text area, and it returns how
    /// many they are; the first string is the default source of such lines.
    ///
    /// A series is prepared for the sender, and it returns which one that is.
    pub(crate) fn send(&mut self, place: i32, what: u32, strings: u32, numbers: u32) -> i32 {
        let sent = self.sent(place, what, strings, numbers);
        self.done(sent)
    }

    fn sent(&mut self, place: i32, what: u32, strings: u32, numbers: u32) -> Result<i32, Fault> {
        let Parts { mut strings, numbers, out, scratch, pipes } = self.parts(strings, numbers)?;
        let source = strings.given();
        let pipe = match usize::try_from(place) {
            Ok(place) => Some(pipes.get_mut(place).and_then(Option::as_deref_mut).ok_or(Fault::Gone)?),
            Err(_) => None,
        };
        let (rules, common, part) = match &pipe {
            Some(pipe) => (pipe.rules(), pipe.tags.strings(), Part::All),
            None if what == SERIES => return Err(Fault::Gone),
            None if what == SPAN_LOGS => (rules(source, EventForm::Line), Strings::NONE, Part::Companion),
            None => (rules(source, EventForm::Line), Strings::NONE, Part::Own),
        };
        let mut kind = Kind::ALL.get(what as usize).copied().unwrap_or(Kind::Metric);
        let call = Call { what, strings: Merged { own: strings, common }, numbers, rules: &rules, part };
        let encoded = with_room(scratch, &mut |slice| call.encode(&mut kind, slice));
        let Some(pipe) = pipe else {
            let (encoded, lines) = encoded?;
            out.clear();
            out.extend_from_slice(lines);
            self.say_out();
            return Ok(encoded.lines() as i32);
        };
        if what == SERIES {
            let (_, line) = encoded?;
            return Ok(put(&mut pipe.series, Prepared::of_line(line, kind, &Limits::DEFAULT)));
        }
        pipe.queue(kind, encoded)
    }

    /// A value of a series.
    pub(crate) fn value(&mut self, pipe: u32, series: u32, value: f64, time: f64) -> i32 {
        let sent = self.sent_value(pipe, series, value, time);
        self.done(sent)
    }

    fn sent_value(&mut self, pipe: u32, series: u32, value: f64, time: f64) -> Result<i32, Fault> {
        let Self { pipes, scratch, .. } = self;
        let pipe = pipes.get_mut(pipe as usize).and_then(Option::as_deref_mut).ok_or(Fault::Gone)?;
        let series = pipe.series.get(series as usize).and_then(Option::as_ref).ok_or(Fault::Gone)?;
        let kind = series.kind();
        let encoded = with_room(scratch, &mut |slice| {
            let lines = series.encode_compact(value, whole(time, Field::Timestamp)?, slice)?;
            Ok(Encoded::new(kind, lines, slice.len()))
        });
        pipe.queue(kind, encoded)
    }

    /// Forgets a series.
    pub(crate) fn forget_series(&mut self, pipe: u32, series: u32) {
        if let Some(series) = self.pipe(pipe).and_then(|pipe| pipe.series.get_mut(series as usize)) {
            *series = None;
        }
    }
}
