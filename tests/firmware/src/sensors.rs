//! What both programs send: the readings of the plant as lines of all kinds.

use wavefront_sdk::uplink::{Access, Unsent};
use wavefront_sdk::{
    DeltaCounter, Event, Granularity, Histogram, Metric, Rules, SourceDescription, SourceTag, Span, SpanLog, TagAction,
    Uuid,
};

use crate::plant;

/// Lines of the main loop.
pub const LINES: u32 = 9_900;
/// Lines of the interrupt.
pub const TICKS: u32 = 100;

pub const RULES: Rules<'_> = Rules::new().default_source("pump-3");

/// The pump has made a turn: its interrupt sends for itself, and interrupts are off only while the line is copied.
pub fn turned(queue: &mut impl Access, turn: u32) {
    if turn <= TICKS {
        let mut scratch = [0; 128];
        let turns = Metric::new("plant.turns", f64::from(turn)).timestamp(plant::time(turn));
        let _ = queue.send(&turns, &RULES, &mut scratch);
    }
}

pub struct Sensors {
    pub sent: u32,
    step: u32,
    scratch: [u8; 1024],
}

impl Sensors {
    pub const fn new() -> Self {
        Self { sent: 0, step: 0, scratch: [0; 1024] }
    }

    /// Whether all is sent, by the interrupt too.
    pub fn are_done(&self, millis: u32) -> bool {
        self.sent >= LINES && millis > TICKS
    }

    /// Sends what is new at the next step. Not inlined, so that the stack has it only while it lasts.
    #[inline(never)]
    pub fn step(&mut self, queue: &mut impl Access) {
        let step = self.step;
        self.step += 1;
        let time = plant::time(step);
        let pressure = Metric::new("plant.pressure", plant::pressure(step)).timestamp(time).tag("valve", "inlet");
        self.send(queue, 1, |queue, scratch| queue.send(&pressure, &RULES, scratch));
        let strokes = DeltaCounter::new("plant.strokes", plant::strokes(step));
        self.send(queue, 1, |queue, scratch| queue.send(&strokes, &RULES, scratch));
        if step % 10 == 0 {
            let centroids = [(plant::pressure(step), 1 + u64::from(step % 4)), (plant::strokes(step), 2)];
            let spread = Histogram::new("plant.spread", &centroids).granularities(Granularity::Minute).timestamp(time);
            self.send(queue, 1, |queue, scratch| queue.send(&spread, &RULES, scratch));
        }
        if step % 20 == 0 {
            let (trace, id) = (Uuid::from_bytes(plant::id(step, 1)), Uuid::from_bytes(plant::id(step, 2)));
            let logs = [SpanLog::new(time * 1_000_000, &[("event", "opened")])];
            let cycle = Span::new("cycle", time * 1000, u64::from(step), trace, id)
                .logs(&logs)
                .tag("application", "plant")
                .tag("service", "pump");
            self.send(queue, 2, |queue, scratch| queue.send(&cycle, &RULES, scratch));
        }
        if step % 100 == 0 {
            let event = Event::new("inspection", time * 1000).end(time * 1000 + 1).annotation("severity", "info");
            self.send(queue, 1, |queue, scratch| queue.send(&event, &RULES, scratch));
            self.send(queue, 1, |queue, scratch| {
                queue.send(&SourceTag::new(TagAction::Add, &["cellar"]), &RULES, scratch)
            });
            self.send(queue, 1, |queue, scratch| queue.send(&SourceDescription::save("the old pump"), &RULES, scratch));
        }
    }

    /// Sends what makes `lines` lines, unless that would be too many.
    fn send<Q: Access>(
        &mut self,
        queue: &mut Q,
        lines: u32,
        send: impl FnOnce(&mut Q, &mut [u8]) -> Result<(), Unsent>,
    ) {
        if self.sent + lines <= LINES {
            self.sent += lines;
            let _ = send(queue, &mut self.scratch);
        }
    }
}

impl Default for Sensors {
    fn default() -> Self {
        Self::new()
    }
}
