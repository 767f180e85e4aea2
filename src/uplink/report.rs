//! Own metrics of a device: to its transport, past its queue.

use super::access::Access;
use super::driver::{Uplink, is_broken};
use crate::delivery::{Millis, Outcome};
use crate::transport::{Accepted, AsyncTransport, Transport, TransportError};
use crate::vitals::{Labels, OwnMetrics, Report};
use crate::{Kind, Rules};

impl<Q: Access, T> Uplink<Q, T> {
    /// A report, if one is due and the receiver is not waited for.
    fn begin_report(&mut self, own: &mut OwnMetrics, now: Millis) -> Option<Report> {
        if !own.is_due(now) {
            return None;
        }
        // Its future was dropped half-way: the receiver may have it, or not.
        self.settle(Outcome::Retry { done: 0, after: None }, false, None, now);
        let reading = self.queue().with(|queue| queue.is_there(Kind::Metric, now).then(|| queue.reading()))??;
        Some(own.begin(reading, now))
    }

    /// Books what a transport did with `bytes` bytes of a report.
    fn wrote_aside<E: TransportError>(
        &mut self,
        bytes: usize,
        result: &Result<Accepted, E>,
        last: Option<u64>,
        now: Millis,
    ) {
        if let Ok(Accepted::Written) = result {
            let kinds = self.kinds();
            self.queue().with(|queue| queue.wrote_aside(kinds, bytes));
        }
        self.settle(Outcome::Unreachable, is_broken(result), last, now);
    }
}

impl<Q: Access, T: Transport> Uplink<Q, T> {
    /// Sends the [own metrics](crate::vitals) of this queue if they are due, and does nothing else; to be called
    /// between [`poll`](Self::poll)s. They go to the transport at once, in batches as large as `scratch`: a line has
    /// about 130 bytes and the source. A device has no `report` figures, for it keeps no account of requests.
    ///
    /// # Errors
    /// What the transport said. What did not arrive is reported when the next report is due.
    pub fn report(
        &mut self,
        own: &mut OwnMetrics,
        labels: &Labels<'_>,
        rules: &Rules<'_>,
        scratch: &mut [u8],
        now: Millis,
    ) -> Result<(), T::Error> {
        let Some(mut report) = self.begin_report(own, now) else { return Ok(()) };
        while let Some(batch) = report.next(labels, rules, scratch) {
            let result = self.transport().send(batch);
            let last = self.transport().unacknowledged();
            self.wrote_aside(batch.bytes.len(), &result, last, now);
            result?;
            report.arrived(own);
        }
        Ok(())
    }
}

impl<Q: Access, T: AsyncTransport> Uplink<Q, T> {
    /// As [`report`](Self::report), without blocking. The future may be dropped: what is then not known to have arrived
    /// is reported again.
    ///
    /// # Errors
    /// As there.
    pub async fn report_async(
        &mut self,
        own: &mut OwnMetrics,
        labels: &Labels<'_>,
        rules: &Rules<'_>,
        scratch: &mut [u8],
        now: Millis,
    ) -> Result<(), T::Error> {
        let Some(mut report) = self.begin_report(own, now) else { return Ok(()) };
        while let Some(batch) = report.next(labels, rules, scratch) {
            let result = self.transport().send(batch).await;
            self.wrote_aside(batch.bytes.len(), &result, None, now);
            result?;
            report.arrived(own);
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "std"))]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use core::time::Duration;

    use super::super::{Next, Queue};
    use super::*;
    use crate::delivery::Config;
    use crate::transport::{Fault, Memory, Step, ready};
    use crate::{DeltaCounter, Metric};

    const RULES: Rules<'static> = Rules::new().default_source("pump-3");
    const VALID: &str = "\"∆~sdk.rust.core.sender.proxy.points.valid.count\" ";
    const MINUTE: u64 = 60_000;

    fn own() -> OwnMetrics {
        let mut own = OwnMetrics::every(OwnMetrics::INTERVAL);
        assert_eq!(own.left(Millis(0)), Duration::from_secs(60));
        own
    }

    fn valid(memory: &Memory) -> std::vec::Vec<f64> {
        let text = memory.text();
        let values = text.lines().filter_map(|line| line.strip_prefix(VALID)?.split(' ').next());
        values.map(|value| value.parse().unwrap()).collect()
    }

    #[test]
    fn a_device_reports_when_it_is_due() {
        let memory = Memory::new();
        let mut segments = [[0; 512]; 2];
        let queue = Queue::over(&mut segments, [Kind::Metric, Kind::Delta], Config::DEFAULT);
        let mut uplink = Uplink::new(queue, Fault::new(memory.clone(), [Step::Pass, Step::Connect]));
        let (mut own, mut scratch) = (own(), [0; 200]);
        for _ in 0..3 {
            uplink.send(&Metric::new("pressure", 1.0), &RULES, &mut scratch).unwrap();
            uplink.send(&DeltaCounter::new("strokes", 1.0), &RULES, &mut scratch).unwrap();
        }
        uplink.report(&mut own, &Labels::proxy(), &RULES, &mut scratch, Millis(MINUTE - 1)).unwrap();
        assert_eq!(memory.lines(), 0, "not yet");
        uplink.report(&mut own, &Labels::proxy(), &RULES, &mut scratch, Millis(MINUTE)).unwrap_err();
        assert_eq!(valid(&memory), [6.0], "the levels failed behind it");
        uplink.report(&mut own, &Labels::proxy(), &RULES, &mut scratch, Millis(2 * MINUTE)).unwrap();
        assert_eq!(valid(&memory), [6.0], "it was said");
        assert!(memory.text().contains("\"~sdk.rust.core.sender.proxy.points.queue.size\" 6.0 "));
        let total = uplink.ledger().total();
        assert_eq!((total.accepted, total.queued, total.delivered), (6, 6, 0), "past the queue");
    }

    #[test]
    fn a_receiver_that_is_waited_for_is_left_alone() {
        let memory = Memory::new();
        let mut segments = [[0; 512]; 2];
        let queue = Queue::over(&mut segments, [Kind::Metric, Kind::Delta], Config::DEFAULT);
        let mut uplink = Uplink::new(queue, Fault::new(memory.clone(), [Step::Connect]));
        let (mut own, mut scratch) = (own(), [0; 200]);
        uplink.send(&Metric::new("pressure", 1.0), &RULES, &mut scratch).unwrap();
        uplink.begin_flush();
        assert_eq!(uplink.poll(Millis(MINUTE)), Next::Now);
        let Next::At(again) = uplink.poll(Millis(MINUTE)) else { panic!("nobody waits") };
        assert!(again > Millis(MINUTE));
        uplink.report(&mut own, &Labels::proxy(), &RULES, &mut scratch, Millis(MINUTE)).unwrap();
        assert_eq!(memory.lines(), 0);
        uplink.report(&mut own, &Labels::proxy(), &RULES, &mut scratch, again).unwrap();
        assert_eq!(valid(&memory), [1.0]);
    }

    #[test]
    fn a_connection_that_breaks_under_a_report_brings_written_lines_back() {
        let mut segments = [[0; 512]; 2];
        let queue = Queue::over(&mut segments, [Kind::Metric, Kind::Delta], Config::DEFAULT);
        let memory = Memory::written();
        let mut uplink = Uplink::new(queue, Fault::new(memory.clone(), [Step::Pass, Step::Broken { sent: false }]));
        let (mut own, mut scratch) = (own(), [0; 200]);
        uplink.send(&Metric::new("pressure", 1.0), &RULES, &mut scratch).unwrap();
        uplink.begin_flush();
        uplink.poll(Millis(0));
        assert_eq!(uplink.ledger().total().written, 1);
        uplink.report(&mut own, &Labels::proxy(), &RULES, &mut scratch, Millis(MINUTE)).unwrap_err();
        assert_eq!((uplink.ledger().total().written, uplink.ledger().total().queued), (0, 1));
    }

    #[test]
    fn without_blocking_it_is_the_same() {
        let memory = Memory::new();
        let mut segments = [[0; 512]; 2];
        let queue = Queue::over(&mut segments, [Kind::Metric, Kind::Delta], Config::DEFAULT);
        let mut uplink = Uplink::new(queue, memory.clone());
        let (mut own, mut scratch, labels) = (own(), [0; 200], Labels::proxy());
        for minute in 1..3 {
            uplink.send(&Metric::new("pressure", 1.0), &RULES, &mut scratch).unwrap();
            let report = uplink.report_async(&mut own, &labels, &RULES, &mut scratch, Millis(minute * MINUTE));
            ready(report).unwrap();
        }
        assert_eq!(valid(&memory), [1.0, 1.0]);
    }
}
